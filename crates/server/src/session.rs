//! Signing in by a one-use link, and the session cookie.

use crate::app::{App, Caller, blocking};
use crate::guard;
use northing_crm::access::{Action, OWNER};
use crate::password;
use crate::extract::JsonBody;
use crate::problem::Problem;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

pub const COOKIE: &str = "sid";
/// Behind TLS the browser itself refuses this name for any but this host.
pub const SECURE_COOKIE: &str = "__Host-sid";
/// Of a browser's cookie, in seconds.
pub const LIFE: i64 = 7 * 86_400;
/// Life of a sign-in link.
pub const LINK_SECONDS: i64 = 600;

/// 256 random bits in hexadecimal.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Of a link; or the address and the password, and the code where one is asked for.
    token: Option<String>,
    email: Option<String>,
    password: Option<String>,
    code: Option<String>,
}

pub async fn sign_in(State(app): State<Arc<App>>, ConnectInfo(peer): ConnectInfo<SocketAddr>, headers: HeaderMap, JsonBody(body): JsonBody<SignIn>) -> Result<Response, Problem> {
    let agent = headers.get(header::USER_AGENT).and_then(|h| h.to_str().ok()).unwrap_or("").to_string();
    let permit = if body.token.is_none() { Some(app.to_hash().await?) } else { None };
    let from = guard::address(&app, &headers, peer);
    let inner = app.clone();
    let (actor, session) = blocking(move || {
        let app = inner;
        let by_link = body.token.is_some();
        let actor = match &body.token {
            Some(token) => app.store.use_sign_in(token, app.env.now())?.ok_or_else(used_link)?,
            None => by_password(&app, &body, from.as_deref())?,
        };
        let session = admit(&app, &actor, &agent, by_link)?.ok_or_else(|| if by_link { used_link() } else { wrong() })?;
        Ok((actor, session))
    })
    .await?;
    drop(permit);
    let mut response = Json(json!({"actor": actor})).into_response();
    set_cookie(&app, &mut response, &session, LIFE)?;
    Ok(response)
}

/// Opens a session; whoever has no rights (any more) gets none.
pub fn admit(app: &App, actor: &str, agent: &str, by_link: bool) -> Result<Option<String>, Problem> {
    let session = random_token().map_err(Problem::internal)?;
    app.store.open_session(&session, actor, agent, by_link, app.env.now())?;
    let caller = app.store.session(&session, app.env.now())?.map(|s| app.caller(&s)).transpose()?.flatten();
    match &caller {
        None => app.store.end_session(&session, app.env.now())?,
        Some(caller) => {
            tracing::info!(actor, by_link, "signed in");
            app.came(caller, &session, agent);
        }
    }
    Ok(caller.map(|_| session))
}

fn used_link() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "link-used", "This sign-in link is not good (any more)", "A link works once and for a limited time. Ask for a new one; the owner gets one at the terminal: northing link")
}

fn wrong() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "wrong-password", "The address or the password is another one", "Try again, or ask for a new link.")
}

/// The same answer, after the same work, to a wrong password and to an address that nobody has.
fn by_password(app: &App, body: &SignIn, from: Option<&str>) -> Result<String, Problem> {
    let (Some(email), Some(given)) = (&body.email, &body.password) else { return Err(Problem::refused("send the token of a link, or email and password")) };
    let email = email.trim().to_lowercase();
    let names = password::names(&email, from);
    let wait = app.tries.wait(&names, app.env.now());
    if wait > 0 {
        return Err(Problem::wait(wait));
    }
    let actor = actor_of(app, &email);
    let known = actor.as_deref().map(|a| app.store.credential(a)).transpose()?.unwrap_or_default();
    if !password::is(given, known.password.as_deref()) {
        return Err(wrong());
    }
    let actor = actor.ok_or_else(wrong)?;
    if known.totp_on {
        match body.code.as_deref().filter(|c| !c.trim().is_empty()) {
            None => {
                app.tries.succeeded(&names);
                return Err(Problem::new(StatusCode::UNAUTHORIZED, "code-needed", "A code is needed", "Enter the code that your app shows."));
            }
            Some(code) => crate::people::take_code(app, &actor, code)?,
        }
    }
    app.tries.succeeded(&names);
    Ok(actor)
}

/// Who signs in with an address: the owner by the one that was set, or by that word until one is; others as users.
fn actor_of(app: &App, email: &str) -> Option<String> {
    let owner = app.store.credential(OWNER).ok()?.email;
    if email == owner.as_deref().unwrap_or(OWNER) { Some(OWNER.to_string()) } else { user_of(app, email) }
}

/// The user with an address.
pub fn user_of(app: &App, email: &str) -> Option<String> {
    let whole = app.whole.feed.now();
    let table = &whole.tables[whole.table_index("user")?];
    let column = table.schema.column("email")?;
    let mut same = (0..table.len).filter(|row| table.flags(*row) & northing_facts::table::EXISTS != 0 && table.text(column, *row).is_some_and(|t| t.to_lowercase() == email));
    let row = same.next()?;
    // An address that two people have lets neither in.
    if same.next().is_some() { None } else { table.id(row).map(|id| id.to_string()) }
}

pub fn set_cookie(app: &App, response: &mut Response, value: &str, seconds: i64) -> Result<(), Problem> {
    let (name, secure) = if app.secure { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let header = HeaderValue::from_str(&text).map_err(Problem::internal)?;
    response.headers_mut().insert(header::SET_COOKIE, header);
    Ok(())
}

/// Who is signed in, what they may do, and the workspace's settings that screens need.
pub async fn current(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<serde_json::Value>, Problem> {
    blocking(move || {
        let s = caller.place.feed.now();
        let known = app.store.credential(&caller.actor)?;
        let may: serde_json::Map<String, serde_json::Value> = s
            .model
            .objects
            .iter()
            .filter(|o| !o.derived && s.view.as_ref().is_none_or(|v| v.sees(&o.name)))
            .map(|o| {
                let may = |action| caller.rights.may(o, action);
                let read_only: Vec<&String> = o.fields.keys().filter(|f| caller.rights.read_only(&o.name, f)).collect();
                (o.name.clone(), json!({"create": may(Action::Create), "change": may(Action::Change), "delete": may(Action::Delete), "export": may(Action::Export), "read_only": read_only}))
            })
            .collect();
        Ok(Json(json!({
            "actor": caller.actor, "name": caller.rights.name, "user": caller.rights.user, "email": caller.email(&app), "settings": caller.rights.settings(), "whole": caller.place.view.is_none(), "may": may,
            "password": known.password.is_some(), "codes": known.totp_on, "provider": app.store.identity(&caller.actor)?.and(app.provider.as_ref()).map(|p| &p.config.name), "by_link": caller.by_link, "model": s.model.edition(),
            "workspace": {
                "name": s.settings.name, "zone": s.settings.zone.name(), "currency": s.settings.currency.as_str(),
                "calendar": s.settings.calendar.name(), "week_start": s.settings.week_start, "purchases": if s.settings.purchase_table() == "deal" { "deals" } else { "orders" },
                "today": northing_model::value::date_text(s.settings.zone.day(app.env.now())),
            },
        })))
    })
    .await
}

pub async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = guard::cookie(&app, &headers) {
        let (store, now) = (app.store.clone(), app.env.now());
        blocking(move || store.end_session(&token, now).map_err(Problem::from)).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &mut response, "", 0)?;
    Ok(response)
}
