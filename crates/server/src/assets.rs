//! The web app's files, from the binary. Unknown paths get the app, which knows its own addresses.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};

pub async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || method != Method::GET && method != Method::HEAD {
        return answer(StatusCode::NOT_FOUND, "application/problem+json", "no-store", None, r#"{"type":"urn:northing:problem:not-found","title":"There is no such thing","status":404,"detail":"GET /api/openapi.json lists the routes."}"#.into());
    }
    let brotli = headers.get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).is_some_and(takes_brotli);
    let is_asset = path.starts_with("assets/");
    let name = if path.is_empty() || (!is_asset && northing_ui::file(path).is_none()) { "index.html" } else { path };
    let cache = if is_asset { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = mime(name);
    if brotli {
        if let Some(bytes) = northing_ui::file(&format!("{name}.br")) {
            return answer(StatusCode::OK, kind, cache, Some("br"), bytes);
        }
    }
    match northing_ui::file(name) {
        Some(bytes) => answer(StatusCode::OK, kind, cache, None, bytes),
        None if is_asset => answer(StatusCode::NOT_FOUND, "text/plain", "no-store", None, "no such file\n".into()),
        None => answer(StatusCode::OK, "text/plain; charset=utf-8", "no-cache", None, "Built without the web app. Run `make build`, or use the API: /api/openapi.json\n".into()),
    }
}

/// Does a reader take Brotli? Not if they say that they do not (q=0).
fn takes_brotli(accepted: &str) -> bool {
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("br"));
        named && !parts.any(|p| p.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0))
    })
}

fn answer(status: StatusCode, kind: &str, cache: &str, encoding: Option<&str>, bytes: Vec<u8>) -> Response<Body> {
    let mut builder = Response::builder().status(status).header(header::CONTENT_TYPE, kind).header(header::CACHE_CONTROL, cache).header(header::VARY, "accept-encoding");
    if let Some(encoding) = encoding {
        builder = builder.header(header::CONTENT_ENCODING, encoding);
    }
    builder.body(Body::from(bytes)).unwrap_or_default()
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
