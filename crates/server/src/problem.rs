//! Errors as problem details (RFC 9457) that say what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use northing_metrics::{MetricError, Spent};
use northing_store::StoreError;
use serde::Serialize;
use std::io::ErrorKind;

#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    /// The field at fault, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// After how many seconds it may go better.
    #[serde(skip)]
    pub again: Option<u32>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind: format!("urn:northing:problem:{code}"), title, status: status.as_u16(), detail: detail.into(), field: None, again: None }
    }
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood", detail)
    }
    /// What somebody entered of themselves is understood and not taken.
    pub fn not_accepted(code: &str, why: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "That is not accepted", why)
    }
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "There is no such thing", detail)
    }
    /// Others are served at the moment.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "The server is busy", detail).again(5)
    }
    /// The same, with when to come again.
    pub fn again(self, seconds: u32) -> Self {
        Self { again: Some(seconds), ..self }
    }
    pub fn wait(seconds: i64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "wait", "Too many tries", format!("try again in {seconds} seconds")).again(u32::try_from(seconds).unwrap_or(1))
    }
    /// It can be read, and cannot be done or answered: what it means does not fit what is here.
    pub fn refused(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", "This cannot be done so", detail)
    }
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large", detail)
    }
    /// In the route's own words where it is one of too much.
    pub fn or_too_large(self, words: fn() -> Self) -> Self {
        if self.status == StatusCode::PAYLOAD_TOO_LARGE { words() } else { self }
    }
    /// A body of a type that is not taken; bytes are where a file is.
    pub fn kind(bytes: bool) -> Self {
        let (title, cure) = if bytes { ("Only bytes are accepted", "send Content-Type: application/octet-stream") } else { ("Only JSON is accepted", "send Content-Type: application/json") };
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, if bytes { "bytes" } else { "json" }, title, cure)
    }
    pub fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This is not done here", "the header Allow says what is; GET /api/openapi.json lists the routes")
    }
    pub fn sign_in() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "sign-in", "You are not signed in", "Sign in, or ask for a sign-in link.")
    }
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "This is not allowed", detail)
    }
    /// Nothing can be written for want of room.
    pub fn full() -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "full", "The disk is full", StoreError::Full.to_string())
    }
    /// A file of ours could not be written.
    pub fn disk(cause: std::io::Error) -> Self {
        if matches!(cause.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) { Self::full() } else { Self::internal(cause) }
    }
    /// Logs the cause once and tells the caller nothing of it.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!("{cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed on our side", "Nothing was changed. Try again; the server's log has the cause.")
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let words = error.to_string();
        match error {
            StoreError::NotFound { .. } => Self::not_found(words),
            StoreError::Conflict { .. } => Self::new(StatusCode::PRECONDITION_FAILED, "conflict", "The record was changed in the meantime", format!("{words}. Load it again and repeat your change.")),
            StoreError::Invalid { field, .. } => Self { field: Some(field), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The record cannot be saved so", words) },
            StoreError::Taken { field, .. } => Self { field: Some(field), ..Self::new(StatusCode::CONFLICT, "taken", "The time is taken", "Somebody has this time already. Choose another.") },
            StoreError::KeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The Idempotency-Key belongs to another request", words),
            StoreError::Full => Self::full(),
            StoreError::ReadOnly(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "read-only", "Nothing can be written at the moment", words),
            StoreError::Model(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "definition", "The definition is not valid", words),
            StoreError::Database(_) | StoreError::Corrupt(_) | StoreError::Unfinished(_) | StoreError::Backup(_) => Self::internal(words),
        }
    }
}

impl From<MetricError> for Problem {
    fn from(error: MetricError) -> Self {
        let words = error.to_string();
        match error {
            MetricError::Unknown(_) => Self::not_found(words),
            MetricError::Question(_) => Self::refused(words),
            MetricError::Overflow { .. } => Self::internal(words),
            MetricError::Forbidden(_) => Self::forbidden(words),
            MetricError::Spent(Spent::Busy | Spent::Left) => Self::busy(words),
            MetricError::Spent(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too-much", "The question is too large", words),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.again {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // Whoever sees the request says it in the reader's language.
        response.extensions_mut().insert(self);
        response
    }
}
