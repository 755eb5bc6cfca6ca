//! Which answers are sent packed. How, the reader says (Accept-Encoding).

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Of a response whose body holds a secret: its length must not depend on what else it holds.
#[derive(Clone, Copy)]
pub struct Secret;

/// Smaller answers fit into one packet as they are.
const SMALL: u64 = 1_024;

/// Texts, once: streams of events go out as they come, files are packed already or are other people's.
fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).unwrap_or("").split(';').next().unwrap_or("").trim();
    let text = kind.starts_with("text/") && kind != "text/event-stream" || matches!(kind, "application/json" | "application/problem+json" | "application/manifest+json" | "image/svg+xml");
    text && extensions.get::<Secret>().is_none()
}

pub fn layer() -> CompressionLayer<And<SizeAbove, fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool>> {
    let which: fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool = is_text;
    // Numbers are made anew for each question: a fast level.
    CompressionLayer::new().quality(CompressionLevel::Precise(4)).compress_when(SizeAbove::new(SMALL).and(which))
}
