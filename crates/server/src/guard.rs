//! What every request must pass: host, origin, session; and what every response carries.

use crate::app::{App, Caller};
use crate::compress::Secret;
use crate::extract;
use crate::problem::Problem;
use crate::session::{COOKIE, SECURE_COOKIE};
use crate::telemetry::Told;
use crate::usage;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

// The hash is React Aria's one style element (touch-action of pressable things).
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'sha256-38RhXrc7EdReTKsOm23ZPOCUgniTUUcjky8QOOrQx6o='; img-src 'self' data: blob:; font-src 'self'; \
connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// Where what is answered opens something.
const SECRETS: [&str; 3] = ["/api/invitations", "/api/me/tokens", "/api/me/codes"];

/// Host and cross-site checks before, security headers after.
pub async fn every_request(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let language = language(request.headers());
    let told = request.extensions().get::<Told>().cloned().unwrap_or_default();
    let secret = SECRETS.contains(&request.uri().path());
    let mut response = match check(&app, &request) {
        Ok(()) if is_page(&request) => crate::assets::file(request.method().clone(), request.uri().clone(), request.headers().clone()).await,
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let problem = response.extensions_mut().remove::<Problem>().inspect(|problem| told.problem(problem));
    if let Some(problem) = problem.filter(|_| language.is_some()) {
        response = Problem { detail: app.say(language, &problem.detail), ..problem }.into_response();
    }
    if secret {
        response.extensions_mut().insert(Secret);
    }
    let headers = response.headers_mut();
    // What is no page of ours says its own.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CSP));
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if app.secure {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// Is it a browser that goes to the page of metrics? Prometheus asks for its counts at the same address, and not for a page.
fn is_page(request: &Request) -> bool {
    let page = |accepts: &HeaderValue| accepts.to_str().is_ok_and(|a| a.contains("text/html"));
    request.method() == Method::GET && request.uri().path() == "/metrics" && request.headers().get(header::ACCEPT).is_some_and(page)
}

/// The language that the reader likes best, if it is one of ours; programs that name none are told in English.
pub fn language(headers: &HeaderMap) -> Option<&'static str> {
    let first = headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?.split([',', ';', '-']).next()?.trim();
    northing_model::labels::LANGUAGES.into_iter().find(|l| l.eq_ignore_ascii_case(first))
}

fn check(app: &App, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    // What comes past the proxy comes in the clear.
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|p| p.0.ip().to_canonical());
    let through = |ip: &IpAddr| ip.is_loopback() || app.proxies.contains(ip);
    if app.secure && !peer.as_ref().is_some_and(through) && !matches!(request.uri().path(), "/livez" | "/readyz") {
        return Err(Problem::forbidden(format!("requests are answered at {} alone", app.origin)));
    }
    // A name that another site rebinds to this address must not reach the API.
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or("");
    if !app.hosts.iter().any(|h| h.eq_ignore_ascii_case(host)) {
        return Err(Problem::forbidden(format!("requests for the host '{host}' are not answered; use {}", app.origin)));
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    // A browser never sends a program's token by itself, so nobody else's page can use it.
    let program = headers.contains_key(header::AUTHORIZATION) && !headers.contains_key(header::COOKIE);
    if !program && !same_site(app, headers, host) {
        return Err(Problem::forbidden("a change must come from Northing's own pages or from a program that says so (Origin or Sec-Fetch-Site)"));
    }
    Ok(())
}

/// Where files come in, as bytes.
const BYTES: [&str; 2] = ["/api/files", "/api/imports/workbook"];

/// Lets what changes something through only as JSON, or as bytes where a file is sent: types that no form of another site
/// could send. Asked of what is there alone, after the route and its methods are known.
pub async fn of_kind(request: Request, next: Next) -> Response {
    let bytes = BYTES.contains(&request.uri().path());
    let fine = match *request.method() {
        Method::GET | Method::HEAD | Method::DELETE => true,
        _ if bytes => extract::kind(request.headers()) == Some("application/octet-stream"),
        _ => extract::is_json(request.headers()),
    };
    if fine { next.run(request).await } else { Problem::kind(bytes).into_response() }
}

fn same_site(app: &App, headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == app.origin || origin == format!("{}://{host}", if app.secure { "https" } else { "http" }),
        (None, None) => false,
    }
}

/// Where a request comes from, as far as that can be known: from a proxy that was named it is what the proxy itself added,
/// and what stands before that anybody can write; else whoever is connected. Of an IPv6 address its network, of which one person has all.
pub fn address(app: &App, headers: &HeaderMap, peer: SocketAddr) -> Option<String> {
    let ip = if app.proxies.contains(&peer.ip().to_canonical()) {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        last.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()?
    } else {
        peer.ip()
    };
    Some(match ip {
        IpAddr::V6(ip) if ip.to_ipv4_mapped().is_none() => ip.segments()[..4].iter().map(|part| format!("{part:x}:")).collect(),
        ip => ip.to_canonical().to_string(),
    })
}

/// The session's cookie, if the request has one.
pub fn cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    cookie_named(headers, if app.secure { SECURE_COOKIE } else { COOKIE })
}

pub fn cookie_named(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|h| h.to_str().ok())
        .flat_map(|h| h.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_string())
}

/// What a request proves itself by: a browser's cookie, or a program's token.
#[derive(Clone)]
pub enum Token {
    Session(String),
    Program(String),
}

pub fn token(app: &App, headers: &HeaderMap) -> Option<Token> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok()).and_then(|h| h.strip_prefix("Bearer "));
    bearer.map(|t| Token::Program(t.trim().to_string())).or_else(|| cookie(app, headers).map(Token::Session))
}

/// Whose token it is, as they stand now.
pub fn who(app: &App, token: &Option<Token>) -> Result<Option<Caller>, Problem> {
    let now = app.env.now();
    let session = match token {
        None => return Ok(None),
        Some(Token::Session(t)) => app.store.session(t, now)?,
        Some(Token::Program(t)) => app.store.token(t, now)?,
    };
    session.map_or(Ok(None), |s| app.caller(&s))
}

/// Lets only signed-in callers through and tells the handlers who they are.
pub async fn signed_in(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let token = token(&app, request.headers());
    let inner = app.clone();
    let found = crate::app::blocking(move || who(&inner, &token)).await;
    let told = request.extensions().get::<Told>().cloned().unwrap_or_default();
    match found {
        Ok(Some(caller)) if caller.read_only && !matches!(*request.method(), Method::GET | Method::HEAD) => Problem::forbidden("this token may only read").into_response(),
        Ok(Some(caller)) => {
            told.actor(&caller.actor);
            let caller = Caller { device: usage::device(request.headers()), ..caller };
            let asked = usage::Asked::of(request.method(), request.extensions().get::<MatchedPath>(), request.uri().path());
            request.extensions_mut().insert(caller.clone());
            let response = next.run(request).await;
            if let Some(asked) = asked.filter(|_| response.status().is_success()) {
                app.did(&caller, asked.kind, &asked.feature);
            }
            response
        }
        Ok(None) => Problem::sign_in().into_response(),
        Err(problem) => problem.into_response(),
    }
}
