//! A provider of identities (OpenID Connect Core 1.0, authorization code flow with PKCE): where to send a browser, and
//! whom the code that it comes back with stands for. It knows nothing of users, sessions or rights.
//!
//! The ID token comes straight from the provider's token endpoint over TLS, so TLS stands for its signature (Core
//! 3.1.3.7, rule 6); a token that came any other way is never looked at. Plain HTTP is taken in tests only.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::time::Duration;
use ureq::tls::{RootCerts, TlsConfig};

/// How a provider is told to the server.
#[derive(Clone)]
pub struct Config {
    /// As the provider names itself: `https://login.example.org`.
    pub issuer: String,
    pub client: String,
    pub secret: String,
    /// What people call it.
    pub name: String,
    /// For tests: a provider without TLS.
    pub plain: bool,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} as {}", self.issuer, self.client)
    }
}

#[derive(Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
}

/// Who somebody is, as the provider says.
#[derive(Debug, PartialEq)]
pub struct Person {
    pub subject: String,
    /// Only if the provider has verified it.
    pub email: Option<String>,
    /// When they proved it there, if the provider says.
    pub proved_at: Option<i64>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    nonce: Option<String>,
    auth_time: Option<f64>,
    email: Option<String>,
    email_verified: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

pub struct Provider {
    pub config: Config,
    agent: ureq::Agent,
    /// What it says of itself, and when that was read.
    known: Mutex<Option<(i64, Metadata)>>,
}

/// Seconds for which what a provider says of itself is believed.
const KEPT: i64 = 3_600;
const LARGEST: u64 = 1 << 20;
/// By how much its clock may differ from ours.
const SKEW: i64 = 120;

fn secure(url: &str, plain: bool) -> bool {
    url.starts_with("https://") || plain && url.starts_with("http://")
}

impl Provider {
    /// Refuses an address that anybody on the way could answer for.
    pub fn new(config: Config) -> Result<Self, String> {
        if !secure(&config.issuer, config.plain) {
            return Err(format!("the issuer '{}' must be an https:// address", config.issuer));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .max_redirects(0)
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        Ok(Self { config, agent: agent.into(), known: Mutex::new(None) })
    }

    fn metadata(&self, now: i64) -> Result<Metadata, String> {
        if let Some((at, known)) = self.known.lock().ok().and_then(|k| k.clone()) {
            if now - at < KEPT {
                return Ok(known);
            }
        }
        let url = format!("{}/.well-known/openid-configuration", self.config.issuer.trim_end_matches('/'));
        let mut reply = self.agent.get(&url).call().map_err(|e| format!("{url}: {e}"))?;
        let text = reply.body_mut().with_config().limit(LARGEST).read_to_string().map_err(|e| format!("{url}: {e}"))?;
        let found: Metadata = serde_json::from_str(&text).map_err(|e| format!("{url}: status {}, {e}", reply.status()))?;
        if found.issuer != self.config.issuer {
            return Err(format!("{url} speaks for '{}', not for '{}'", found.issuer, self.config.issuer));
        }
        if let Some(odd) = [&found.authorization_endpoint, &found.token_endpoint].into_iter().find(|u| !secure(u, self.config.plain)) {
            return Err(format!("{url} names an address without TLS: {odd}"));
        }
        if let Ok(mut known) = self.known.lock() {
            *known = Some((now, found.clone()));
        }
        Ok(found)
    }

    /// Where the browser goes to be asked who it is; `again`, though the provider knows.
    pub fn address(&self, back: &str, state: &str, nonce: &str, verifier: &str, again: bool, now: i64) -> Result<String, String> {
        let known = self.metadata(now)?;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let anew: &[(&str, &str)] = if again { &[("prompt", "login"), ("max_age", "0")] } else { &[] };
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("response_type", "code"), ("scope", "openid email profile"), ("client_id", &self.config.client), ("redirect_uri", back), ("state", state), ("nonce", nonce), ("code_challenge", &challenge), ("code_challenge_method", "S256")])
            .extend_pairs(anew)
            .finish();
        let join = if known.authorization_endpoint.contains('?') { '&' } else { '?' };
        Ok(format!("{}{join}{query}", known.authorization_endpoint))
    }

    /// Whom a code stands for. The error is for the log; it holds no secret.
    pub fn person(&self, code: &str, back: &str, nonce: &str, verifier: &str, now: i64) -> Result<Person, String> {
        let known = self.metadata(now)?;
        let Config { client, secret, .. } = &self.config;
        let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", back), ("code_verifier", verifier)];
        let methods = &known.token_endpoint_auth_methods_supported;
        let in_body = methods.iter().any(|m| m == "client_secret_post") && !methods.iter().any(|m| m == "client_secret_basic");
        let mut request = self.agent.post(&known.token_endpoint).header("accept", "application/json");
        if in_body {
            form.extend([("client_id", client.as_str()), ("client_secret", secret.as_str())]);
        } else {
            // Both are encoded as in a form before they are joined (RFC 6749, 2.3.1).
            let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.header("authorization", format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encoded(client), encoded(secret)))));
        }
        let mut reply = request.send_form(form).map_err(|e| format!("the token endpoint: {e}"))?;
        let status = reply.status();
        let text = reply.body_mut().with_config().limit(LARGEST).read_to_string().map_err(|e| format!("the token endpoint: {e}"))?;
        if status != 200 {
            let why = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v["error"].as_str().map(|e| e.chars().take(80).collect::<String>()));
            return Err(format!("the token endpoint answers {status} {}", why.unwrap_or_default()));
        }
        let tokens: Tokens = serde_json::from_str(&text).map_err(|_| "the token endpoint gives no ID token".to_string())?;
        let claims = tokens.id_token.split('.').nth(1).and_then(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok()).and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
        self.accept(&claims.ok_or("the ID token cannot be read")?, nonce, now)
    }

    /// The checks of Core 3.1.3.7.
    fn accept(&self, claims: &Claims, nonce: &str, now: i64) -> Result<Person, String> {
        let client = &self.config.client;
        let (mine, several) = match &claims.aud {
            Audience::One(a) => (a == client, false),
            Audience::Many(all) => (all.contains(client), all.len() > 1),
        };
        if claims.iss != self.config.issuer {
            return Err(format!("the ID token is of another issuer, '{}'", claims.iss));
        }
        if !mine || (several || claims.azp.is_some()) && claims.azp.as_ref() != Some(client) {
            return Err("the ID token is for another client".into());
        }
        if claims.exp <= (now - SKEW) as f64 {
            return Err("the ID token has expired; compare the clocks".into());
        }
        if claims.nonce.as_deref() != Some(nonce) {
            return Err("the ID token answers another question".into());
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err("the ID token names nobody".into());
        }
        // Some providers write the truth as a word.
        let verified = claims.email_verified.as_ref().is_some_and(|v| *v == true || *v == "true");
        Ok(Person { subject: claims.sub.clone(), email: claims.email.clone().filter(|_| verified), proved_at: claims.auth_time.map(|at| at as i64) })
    }
}
