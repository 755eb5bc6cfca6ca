//! One's own account (password, one-time codes, sessions, tokens of programs), and inviting others.

use crate::app::{App, Caller, blocking};
use crate::password;
use crate::problem::Problem;
use crate::records::idempotency;
use crate::session::{LINK_SECONDS, random_token};
use crate::guard;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_store::TokenTerms;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use uuid::Uuid;

/// Of a link for somebody new; who has a password already and lost it gets one as long as a link at the terminal lasts.
const INVITATION_SECONDS: i64 = 7 * 86_400;
/// How long after signing in by a link a password can be set without the old one, and codes ended without one.
const FRESH: i64 = 900;
const LONGEST_TOKEN_DAYS: i64 = 366;

type Body<T> = Result<Json<T>, JsonRejection>;

fn read<T>(body: Body<T>) -> Result<T, Problem> {
    body.map(|Json(b)| b).map_err(|e| Problem::bad(e.body_text()))
}

fn refused(code: &'static str, why: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, "That is not accepted", why)
}

/// Did they come by a link just now? It was given to them, by somebody who may or at the terminal, because they had lost
/// what they prove themselves by.
fn fresh(app: &App, caller: &Caller) -> bool {
    caller.by_link && app.env.now() - caller.since < FRESH
}

/// Whoever signs in with an account elsewhere gets no second way in. Without that provider the old ways are open again.
fn elsewhere(app: &App, actor: &str) -> Result<(), Problem> {
    match (&app.provider, app.store.identity(actor)?) {
        (Some(p), Some(issuer)) if p.config.issuer == issuer => Err(refused("elsewhere", &format!("this person signs in with {}, and in no other way", p.config.name))),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    user: Uuid,
}

/// A link with which a user signs in once, and then sets a password. Whoever invites passes it on; a later link ends the
/// earlier ones.
pub async fn invite(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Body<Invitation>) -> Result<Json<Js>, Problem> {
    let body = read(body)?;
    if !caller.rights.settings() {
        return Err(Problem::forbidden("only who may change settings invites people"));
    }
    let token = random_token().map_err(Problem::internal)?;
    blocking(move || {
        let now = app.env.now();
        let whole = app.whole.feed.at_least(app.store.seq(), std::time::Duration::from_secs(3));
        let user = body.user.to_string();
        if northing_crm::access::Rights::of(&app.store, &whole, &user, now).map_err(Problem::internal)?.is_none() {
            return Err(refused("no-access", "give this person a role under 'access' first, and see that the account is active"));
        }
        elsewhere(&app, &user)?;
        let seconds = if app.store.credential(&user)?.password.is_some() { LINK_SECONDS } else { INVITATION_SECONDS };
        app.store.only_sign_in(&token, &user, now, seconds)?;
        Ok(Json(json!({"link": format!("{}/sign-in#{token}", app.origin), "expires_at": northing_model::value::time_text(now + seconds)})))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    password: String,
    current: Option<String>,
}

/// Sets the password; ends every other session and every link.
pub async fn set_password(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, body: Body<NewPassword>) -> Result<StatusCode, Problem> {
    let body = read(body)?;
    let Some(session) = guard::cookie(&app, &headers) else { return Err(Problem::forbidden("a program's token cannot change a password")) };
    let permit = app.to_hash().await?;
    let inner = app.clone();
    let done = blocking(move || {
        let app = inner;
        elsewhere(&app, &caller.actor)?;
        let known = app.store.credential(&caller.actor)?;
        if known.password.is_some() && !fresh(&app, &caller) && !body.current.as_deref().is_some_and(|c| password::is(c, known.password.as_deref())) {
            return Err(Problem { field: Some("current".into()), ..refused("password-wrong", "the current password is another one") });
        }
        let email = caller.email(&app);
        if let Some(code) = password::refused(&body.password, &[&caller.rights.name, &email]) {
            return Err(Problem { field: Some("password".into()), ..refused(code, "at least ten characters, and none that many others use") });
        }
        app.store.set_password(&caller.actor, &password::hashed(&body.password).map_err(Problem::internal)?)?;
        app.store.end_sessions(&caller.actor, &session, false)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await;
    drop(permit);
    done
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    code: String,
}

/// A secret for an app that shows codes; it is in force once `confirm` has seen one of them.
pub async fn begin_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Js>, Problem> {
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

pub async fn confirm_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Body<Code>) -> Result<StatusCode, Problem> {
    let body = read(body)?;
    blocking(move || take_code(&app, &caller.actor, &body.code).map(|()| StatusCode::NO_CONTENT)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastCode {
    code: Option<String>,
}

/// Codes are no longer asked for: with one of them, or just after a link.
pub async fn end_codes(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Body<LastCode>) -> Result<StatusCode, Problem> {
    let body = read(body)?;
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
    let step = step.ok_or_else(|| Problem { field: Some("code".into()), ..refused("code-wrong", "the code is another one, or was used; take the next") })?;
    app.store.use_totp(actor, step)?;
    app.tries.succeeded(&names);
    Ok(())
}

pub async fn sessions(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Result<Json<Js>, Problem> {
    let own = guard::cookie(&app, &headers).map(|t| northing_store::Store::session_id(&t));
    blocking(move || Ok(Json(json!({"sessions": app.store.sessions(&caller.actor)?, "this": own, "tokens": app.store.tokens(&caller.actor)?})))).await
}

pub async fn end_session(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    blocking(move || {
        app.store.end_session_of(&caller.actor, &id)?;
        app.store.end_token(&caller.actor, &id)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    name: String,
    #[serde(default)]
    read_only: bool,
    days: i64,
}

/// A token for a program: it may what its owner may, or only read. It is shown once and kept as a hash, so a request that
/// is sent again gets another in place of the one that was lost.
pub async fn new_token(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, body: Body<NewToken>) -> Result<Json<Js>, Problem> {
    let body = read(body)?;
    if guard::cookie(&app, &headers).is_none() {
        return Err(Problem::forbidden("a program's token cannot make tokens"));
    }
    if !(1..=LONGEST_TOKEN_DAYS).contains(&body.days) || body.name.trim().is_empty() || body.name.chars().count() > 100 {
        return Err(refused("token", "a token needs a name and a life of 1 to 366 days"));
    }
    let token = format!("nt_{}", random_token().map_err(Problem::internal)?);
    let key = idempotency(&caller, &headers, &format!("token {} {} {}", body.name, body.read_only, body.days))?;
    blocking(move || {
        let now = app.env.now();
        let terms = TokenTerms { actor: caller.actor, name: body.name.trim().to_string(), read_only: body.read_only, now, expires_at: now + body.days * 86_400 };
        let id = app.store.add_token(&token, terms, key)?;
        Ok(Json(json!({"id": id, "token": token})))
    })
    .await
}
