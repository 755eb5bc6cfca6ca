//! One's own account (password, one-time codes, sessions, tokens of programs), and inviting others.

use crate::app::{App, Caller, blocking};
use crate::password;
use crate::extract::{JsonBody, Nothing, Path, whole};
use crate::problem::Problem;
use crate::records::idempotency;
use crate::session::{LINK_SECONDS, random_token};
use crate::{guard, proof};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_crm::access::{OWNER, Scope};
use northing_store::TokenTerms;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use uuid::Uuid;

/// Of a link for somebody new; who has a password already and lost it gets one as long as a link at the terminal lasts.
const INVITATION_SECONDS: i64 = 7 * 86_400;
const LONGEST_TOKEN_DAYS: i64 = 366;
const LONGEST_NAME: usize = 100;

/// Did they come by a link just now? It was given to them, by somebody who may or at the terminal, because they had lost
/// what they prove themselves by.
fn fresh(app: &App, caller: &Caller) -> bool {
    caller.by_link && app.env.now() - caller.since < proof::GOOD_FOR
}

/// Do they sign in with an account elsewhere, and in no other way?
pub fn is_elsewhere(app: &App, actor: &str) -> Result<bool, Problem> {
    Ok(matches!((&app.provider, app.store.identity(actor)?), (Some(p), Some(issuer)) if p.config.issuer == issuer))
}

/// Whoever signs in with an account elsewhere gets no second way in. Without that provider the old ways are open again.
fn elsewhere(app: &App, actor: &str) -> Result<(), Problem> {
    let name = app.provider.as_ref().map_or("", |p| &p.config.name);
    if is_elsewhere(app, actor)? { Err(Problem::not_accepted("elsewhere", &format!("this person signs in with {name}, and in no other way"))) } else { Ok(()) }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    user: Uuid,
}

/// A link with which a user signs in once, and then sets a password. Whoever invites passes it on; a later link ends the
/// earlier ones.
pub async fn invite(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, JsonBody(body): JsonBody<Invitation>) -> Result<Json<Js>, Problem> {
    if !caller.rights.settings() {
        return Err(Problem::forbidden("only who may change settings invites people"));
    }
    if caller.rights.user == Some(body.user) {
        return Err(Problem::forbidden("a link for yourself comes from somebody else who may change settings, or from the terminal: northing link"));
    }
    caller.proven(&app)?;
    let token = random_token().map_err(Problem::internal)?;
    blocking(move || {
        let now = app.env.now();
        let whole = app.whole.feed.at_least(app.store.seq(), std::time::Duration::from_secs(3));
        let user = body.user.to_string();
        if northing_crm::access::Rights::of(&app.store, &whole, &user, now).map_err(Problem::internal)?.is_none() {
            return Err(Problem::not_accepted("no-access", "give this person a role under 'access' first, and see that the account is active"));
        }
        elsewhere(&app, &user)?;
        let seconds = if app.store.credential(&user)?.password.is_some() { LINK_SECONDS } else { INVITATION_SECONDS };
        app.store.only_sign_in(&token, &user, now, seconds)?;
        Ok(Json(json!({"link": format!("{}/sign-in#{token}", app.origin), "expires_at": northing_model::value::time_text(now + seconds)})))
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    password: String,
    current: Option<String>,
    /// Of the owner, who is no user with a record: the address to sign in with, and what people call them.
    email: Option<String>,
    name: Option<String>,
}

/// Sets the password; ends every other session, every link and every program's token.
pub async fn set_password(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<NewPassword>) -> Result<StatusCode, Problem> {
    caller.person()?;
    let Some(session) = guard::cookie(&app, &headers) else { return Err(Problem::sign_in()) };
    let permit = app.to_hash().await?;
    let inner = app.clone();
    let done = blocking(move || {
        let app = inner;
        elsewhere(&app, &caller.actor)?;
        let known = app.store.credential(&caller.actor)?;
        if known.password.is_some() && !fresh(&app, &caller) {
            proof::is_theirs(&app, &caller.actor, body.current.as_deref().unwrap_or_default())?;
        }
        // The password was given just now; a code was not.
        if known.password.is_none() || known.totp_on {
            let first = known.password.is_none();
            caller.proven(&app).map_err(|p| if first { Problem { detail: proof::NO_PASSWORD.into(), ..p } } else { p })?;
        }
        let contact = contact(&app, &caller, known.email.as_deref(), &body)?;
        let email = contact.as_ref().map_or_else(|| caller.email(&app), |(email, _)| email.clone());
        if let Some(code) = password::refused(&body.password, &[&caller.rights.name, &email]) {
            return Err(Problem { field: Some("password".into()), ..Problem::not_accepted(code, "at least ten characters, and none that many others use") });
        }
        if let Some((email, name)) = contact {
            app.store.set_contact(&caller.actor, &email, &name)?;
        }
        app.store.set_password(&caller.actor, &password::hashed(&body.password).map_err(Problem::internal)?)?;
        app.store.end_sessions(&caller.actor, &session, true)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await;
    drop(permit);
    done
}

/// The address and the name that the owner is to have, who needs an address to sign in with; users have theirs in their
/// records.
fn contact(app: &App, caller: &Caller, known: Option<&str>, body: &NewPassword) -> Result<Option<(String, String)>, Problem> {
    let Some(email) = &body.email else {
        let needed = caller.actor == OWNER && known.is_none();
        return if needed { Err(Problem { field: Some("email".into()), ..Problem::not_accepted("email-needed", "enter the e-mail address that you will sign in with") }) } else { Ok(None) };
    };
    if caller.actor != OWNER {
        return Err(Problem::not_accepted("email", "your address is in your user record; who may change settings changes it there"));
    }
    let (model, currency) = (app.store.model(), app.store.currency());
    let read = model.object("user").and_then(|o| o.field("email")).map(|f| f.read(&json!(email.trim().to_lowercase()), currency));
    let email = match read {
        Some(Ok(value)) => value.as_text().unwrap_or_default().to_string(),
        Some(Err(why)) => return Err(Problem { field: Some("email".into()), ..Problem::not_accepted("email", &why) }),
        None => String::new(),
    };
    let name: String = body.name.as_deref().unwrap_or_default().trim().chars().take(100).collect();
    Ok(Some((email, name)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Code {
    code: String,
}

/// A secret for an app that shows codes; it is in force once `confirm` has seen one of them.
pub async fn begin_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, _: JsonBody<Nothing>) -> Result<Json<Js>, Problem> {
    caller.proven(&app)?;
    blocking(move || {
        elsewhere(&app, &caller.actor)?;
        if app.store.credential(&caller.actor)?.totp_on {
            return Err(Problem::new(StatusCode::CONFLICT, "codes-on", "Codes are asked for already", "take them away first"));
        }
        let mut secret = [0u8; 20];
        getrandom::fill(&mut secret).map_err(Problem::internal)?;
        app.store.set_totp(&caller.actor, &secret)?;
        let text = password::base32(&secret);
        let plain = |t: &str| t.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '-')).collect::<String>();
        let url = format!("otpauth://totp/Northing:{}?secret={text}&issuer=Northing", plain(&caller.email(&app)));
        Ok(Json(json!({"secret": text, "url": url})))
    })
    .await
}

pub async fn confirm_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, JsonBody(body): JsonBody<Code>) -> Result<StatusCode, Problem> {
    caller.person()?;
    blocking(move || take_code(&app, &caller.actor, &body.code).map(|()| StatusCode::NO_CONTENT)).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastCode {
    code: Option<String>,
}

/// Codes are no longer asked for: with one of them, or just after a link.
pub async fn end_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, JsonBody(body): JsonBody<LastCode>) -> Result<StatusCode, Problem> {
    caller.proven(&app)?;
    blocking(move || {
        if !fresh(&app, &caller) {
            take_code(&app, &caller.actor, body.code.as_deref().unwrap_or_default())?;
        }
        app.store.set_totp(&caller.actor, &[])?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

/// Uses a code up; a wrong one is slowed down like a wrong password.
pub fn take_code(app: &App, actor: &str, code: &str) -> Result<(), Problem> {
    let now = app.env.now();
    let names = [(format!("code {actor}"), password::FREE)];
    let wait = app.tries.wait(&names, now);
    if wait > 0 {
        return Err(Problem::wait(wait));
    }
    let known = app.store.credential(actor)?;
    let step = known.totp.as_deref().and_then(|secret| password::code_step(secret, code, known.totp_step, now));
    let step = step.ok_or_else(|| Problem { field: Some("code".into()), ..Problem::not_accepted("code-wrong", "the code is another one, or was used; take the next") })?;
    app.store.use_totp(actor, step)?;
    app.tries.succeeded(&names);
    Ok(())
}

pub async fn sessions(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Result<Json<Js>, Problem> {
    caller.person()?;
    let own = guard::cookie(&app, &headers).map(|t| northing_store::Store::session_id(&t));
    blocking(move || Ok(Json(json!({"sessions": app.store.sessions(&caller.actor)?, "this": own, "tokens": app.store.tokens(&caller.actor)?})))).await
}

pub async fn end_session(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    caller.person()?;
    blocking(move || {
        app.store.end_session_of(&caller.actor, &id)?;
        app.store.end_token(&caller.actor, &id)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    #[schemars(length(min = 1, max = LONGEST_NAME))]
    name: String,
    #[serde(default)]
    read_only: bool,
    /// By object, `*` for those that are not named: `none`, `see`, `change`. Without it all that its owner may.
    rights: Option<Scope>,
    #[serde(deserialize_with = "whole")]
    #[schemars(range(min = 1, max = LONGEST_TOKEN_DAYS))]
    days: i64,
}

/// A token for a program: it may what its owner may, or only read, or that part which it is given. It is shown once and kept as a hash, so a request that
/// is sent again gets another in place of the one that was lost.
pub async fn new_token(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<NewToken>) -> Result<Json<Js>, Problem> {
    caller.proven(&app)?;
    if !(1..=LONGEST_TOKEN_DAYS).contains(&body.days) || body.name.trim().is_empty() || body.name.chars().count() > LONGEST_NAME {
        return Err(Problem::not_accepted("token", "a token needs a name and a life of 1 to 366 days"));
    }
    let token = format!("nt_{}", random_token().map_err(Problem::internal)?);
    if let Some(scope) = &body.rights {
        caller.rights.check(&app.store.model(), scope).map_err(|why| Problem::not_accepted("token", &why))?;
    }
    let rights = body.rights.as_ref().map(|r| json!(r).to_string());
    let key = idempotency(&caller, &headers, &format!("token {} {} {} {rights:?}", body.name, body.read_only, body.days))?;
    blocking(move || {
        let now = app.env.now();
        let terms = TokenTerms { actor: caller.actor, name: body.name.trim().to_string(), read_only: body.read_only, rights, now, expires_at: now + body.days * 86_400 };
        let id = app.store.add_token(&token, terms, key)?;
        Ok(Json(json!({"id": id, "token": token})))
    })
    .await
}
