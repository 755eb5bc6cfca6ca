//! Signing in with the account that people have elsewhere: a browser is sent to the provider and comes back with a code.
//!
//! Whoever comes the first time is known by an e-mail that the provider has verified and one user here has; from then on
//! by the provider's own name for them, and in no other way: no password, no link.

mod provider;

pub use provider::{Config, Provider};

use crate::app::{App, blocking};
use crate::extract::Query;
use crate::problem::Problem;
use crate::session::{self, random_token, user_of};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use northing_crm::access::Rights;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Js, json};
use std::sync::Arc;

const COOKIE: &str = "oidc";
const BACK: &str = "/api/oidc/back";
/// Seconds in which somebody may tell the provider who they are.
const WAITS: i64 = 600;

/// What a browser that was sent to the provider must bring back; sealed, it is in the browser's own cookie.
#[derive(Serialize, Deserialize)]
struct Asked {
    state: String,
    nonce: String,
    verifier: String,
    until: i64,
}

/// How one can sign in here.
pub async fn ways(State(app): State<Arc<App>>) -> Json<Js> {
    Json(json!({"provider": app.provider.as_ref().map(|p| &p.config.name)}))
}

fn provider(app: &App) -> Result<&Provider, Problem> {
    app.provider.as_ref().ok_or_else(|| Problem::forbidden("signing in with another account is not set up here"))
}

#[derive(Deserialize, JsonSchema)]
pub struct Begin {
    /// Whoever is signed in shows again who they are.
    #[serde(default)]
    again: bool,
}

/// Sends the browser to the provider. What it is to bring back is in a cookie of this browser, so that nobody signs
/// another one in, and nothing is kept here of those who never come back.
pub async fn begin(State(app): State<Arc<App>>, Query(asked): Query<Begin>) -> Result<Response, Problem> {
    blocking(move || {
        let provider = provider(&app)?;
        let now = app.env.now();
        let [state, nonce, verifier] = [random_token(), random_token(), random_token()].map(|t| t.map_err(Problem::internal));
        let (state, nonce, verifier) = (state?, nonce?, verifier?);
        let address = match provider.address(&format!("{}{BACK}", app.origin), &state, &nonce, &verifier, asked.again, now) {
            Ok(address) => address,
            Err(why) => return Ok(refused(&app, "oidc-failed", &why)),
        };
        let asked = json!(Asked { state, nonce, verifier, until: now + WAITS }).to_string();
        Ok(redirect(&app, &address, &app.store.seal().seal(COOKIE, asked.as_bytes())?, WAITS))
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
pub struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Where the provider sends the browser back.
pub async fn back(State(app): State<Arc<App>>, headers: HeaderMap, Query(back): Query<Back>) -> Result<Response, Problem> {
    blocking(move || {
        let provider = provider(&app)?;
        let now = app.env.now();
        let ours = crate::guard::cookie_named(&headers, COOKIE);
        let asked: Option<Asked> = ours.and_then(|sealed| app.store.seal().open(COOKIE, &sealed)).and_then(|json| serde_json::from_slice(&json).ok());
        let Some(asked) = asked.filter(|a| back.state.as_ref() == Some(&a.state) && now < a.until) else { return Ok(refused(&app, "oidc-again", "")) };
        let Some(code) = back.code.filter(|_| back.error.is_none()) else {
            return Ok(refused(&app, "oidc-failed", &format!("the provider says {}", back.error.unwrap_or_default().chars().take(80).collect::<String>())));
        };
        let person = match provider.person(&code, &format!("{}{BACK}", app.origin), &asked.nonce, &asked.verifier, now) {
            Ok(person) => person,
            Err(why) => return Ok(refused(&app, "oidc-failed", &why)),
        };
        let issuer = &provider.config.issuer;
        let actor = match app.store.actor_of_identity(issuer, &person.subject)? {
            Some(actor) => actor,
            None => {
                let Some(email) = &person.email else { return Ok(refused(&app, "oidc-unverified", "")) };
                let Some(actor) = user_of(&app, &email.trim().to_lowercase()) else { return Ok(refused(&app, "oidc-unknown", "")) };
                // Whoever has no rights here stays as they are.
                if Rights::of(&app.store, &app.whole.feed.now(), &actor, now).map_err(Problem::internal)?.is_none() {
                    return Ok(refused(&app, "oidc-unknown", ""));
                }
                // Somebody else came with this address before.
                if app.store.identity(&actor)?.is_some() {
                    return Ok(refused(&app, "oidc-other", ""));
                }
                app.store.set_identity(&actor, issuer, &person.subject)?;
                actor
            }
        };
        let agent = headers.get(header::USER_AGENT).and_then(|h| h.to_str().ok()).unwrap_or("");
        match session::admit(&app, &actor, agent, false)? {
            None => Ok(refused(&app, "oidc-unknown", "")),
            Some(token) => {
                // What this browser was signed in by before has ended.
                if let Some(before) = crate::guard::cookie(&app, &headers) {
                    app.store.end_session(&before, now)?;
                }
                // Who was signed in there all along has shown nothing now.
                if let Some(at) = person.proved_at.filter(|at| *at < now) {
                    app.store.prove(&token, at)?;
                }
                let mut response = redirect(&app, "/", "", 0);
                session::set_cookie(&app, &mut response, &token, session::LIFE)?;
                Ok(response)
            }
        }
    })
    .await
}

/// Back to the sign-in page, which has words for the code; why is for whoever runs the server.
fn refused(app: &App, code: &str, why: &str) -> Response {
    if !why.is_empty() {
        tracing::warn!("signing in with another account: {why}");
    }
    redirect(app, &format!("/sign-in#!{code}"), "", 0)
}

fn redirect(app: &App, to: &str, state: &str, seconds: i64) -> Response {
    let secure = if app.secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={state}; Path=/api/oidc; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::LOCATION, to), (header::SET_COOKIE, cookie.as_str()), (header::CACHE_CONTROL, "no-store")] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
