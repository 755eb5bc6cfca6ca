//! What every request must pass: host, origin, session; and what every response carries.

use crate::app::{App, Caller};
use crate::problem::Problem;
use crate::session::{COOKIE, SECURE_COOKIE};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

// The hash is React Aria's one style element (touch-action of pressable things).
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='; img-src 'self' data: blob:; font-src 'self'; \
connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Host and cross-site checks before, security headers after.
pub async fn every_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = match check(&app, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, CSP);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if app.secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    // A name that another site rebinds to this address must not reach the API.
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    if !app.hosts.iter().any(|h| h.eq_ignore_ascii_case(host)) {
        return Err(Problem::forbidden(format!("requests for the host '{host}' are not answered; use {}", app.origin)));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    if !same_site(app, headers, host) {
        return Err(Problem::forbidden("a change must come from Northing's own pages or from a program that says so (Origin or Sec-Fetch-Site)"));
    }
    let json = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).is_some_and(|t| {
        let kind = t.split(';').next().unwrap_or("").trim();
        kind == "application/json" || kind == "application/merge-patch+json"
    });
    if *request.method() != Method::DELETE && !json {
        return Err(Problem::new(axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "json", "Only JSON is accepted", "send Content-Type: application/json"));
    }
    Ok(())
}

fn same_site(app: &App, headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == app.origin || origin == format!("{}://{host}", if app.secure { "https" } else { "http" }),
        (None, None) => false,
    }
}

/// The session's cookie, if the request has one.
pub fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    let name = if app.secure { SECURE_COOKIE } else { COOKIE };
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_string())
}

/// Lets only signed-in callers through and tells the handlers who they are.
pub async fn signed_in(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let Some(token) = cookie(&app, request.headers()) else { return Problem::sign_in().into_response() };
    let (store, now) = (app.store.clone(), app.env.now());
    let found = crate::app::blocking(move || store.session(&token, now).map_err(Problem::from)).await;
    match found {
        Ok(Some(session)) => {
            let scope = northing_crm::access::scope(&session.actor);
            request.extensions_mut().insert(Caller { actor: session.actor, scope });
            next.run(request).await
        }
        Ok(None) => Problem::sign_in().into_response(),
        Err(problem) => problem.into_response(),
    }
}
