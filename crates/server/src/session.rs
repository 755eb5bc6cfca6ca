//! Signing in by a one-use link, and the session cookie.

use crate::app::{App, Caller, blocking};
use crate::guard;
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

pub const COOKIE: &str = "sid";
/// Behind TLS the browser itself refuses this name for any but this host.
pub const SECURE_COOKIE: &str = "__Host-sid";
/// Life of a sign-in link.
pub const LINK_SECONDS: i64 = 600;

/// 256 random bits in hexadecimal.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    token: String,
}

pub async fn sign_in(State(app): State<Arc<App>>, body: Result<Json<SignIn>, axum::extract::rejection::JsonRejection>) -> Result<Response, Problem> {
    let Json(body) = body.map_err(|e| Problem::bad(e.body_text()))?;
    let session = random_token().map_err(Problem::internal)?;
    let (store, now, fresh) = (app.store.clone(), app.env.now(), session.clone());
    let opened = blocking(move || store.sign_in(&body.token, &fresh, now).map_err(Problem::from)).await?;
    let Some(opened) = opened else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "link-used", "This sign-in link is not good (any more)", "A link works once and for ten minutes. Restart `northing serve` for a new one."));
    };
    let mut response = Json(json!({"actor": opened.actor})).into_response();
    set_cookie(&app, &mut response, &session, 7 * 86_400)?;
    Ok(response)
}

fn set_cookie(app: &App, response: &mut Response, value: &str, seconds: i64) -> Result<(), Problem> {
    let (name, secure) = if app.secure { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    let header = HeaderValue::from_str(&text).map_err(Problem::internal)?;
    response.headers_mut().insert(header::SET_COOKIE, header);
    Ok(())
}

pub async fn current(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Json<serde_json::Value> {
    let s = app.feed.now();
    Json(json!({
        "actor": caller.actor,
        "workspace": {
            "name": s.settings.name, "zone": s.settings.zone.name(), "currency": s.settings.currency.as_str(),
            "calendar": s.settings.calendar.name(), "week_start": s.settings.week_start,
            "today": northing_model::value::date_text(s.settings.zone.day(app.env.now())),
        },
    }))
}

pub async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = guard::cookie(&app, &headers) {
        let store = app.store.clone();
        blocking(move || store.end_session(&token).map_err(Problem::from)).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    set_cookie(&app, &mut response, "", 0)?;
    Ok(response)
}
