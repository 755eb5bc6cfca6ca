//! What handlers take out of a request: parts of its path, its parameters, its body. What cannot be read is refused with a
//! problem, like everything else that is wrong; nothing here knows what it is read for.

use crate::problem::Problem;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::http::request::Parts;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde::de::DeserializeOwned;

/// Parts of the path. What they cannot be there is not.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Problem::not_found("this address leads to nothing; follow a link, or look for the record"))
    }
}

/// What stands behind the question mark.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::from_request_parts(parts, state).await;
        read.map(|axum::extract::Query(value)| Self(value)).map_err(|e| Problem::bad(e.body_text()))
    }
}

/// A body of JSON: an object, as all of them are here. (To serde a list of its values would do as well.)
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::kind(false));
        }
        let ByteBody(bytes) = ByteBody::from_request(request, state).await?;
        if bytes.iter().find(|b| !b.is_ascii_whitespace()).is_some_and(|b| *b != b'{') {
            return Err(Problem::bad("send an object of JSON: {\"name\": \"…\"}"));
        }
        axum::Json::from_bytes(&bytes).map(|axum::Json(value)| Self(value)).map_err(|e| Problem::bad(e.body_text()))
    }
}

/// The body of what says everything by its address: `{}`. Asked for all the same, as only JSON shows that no other site's form sent it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A whole number however it is written: 3.0 is one too, to JSON Schema and to some writers of JSON.
pub fn whole<'de, D: Deserializer<'de>, N: TryFrom<i128>>(from: D) -> Result<N, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let fraction = || number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e30).map(|f| f as i128);
    let read = number.as_i128().or_else(fraction).and_then(|n| N::try_from(n).ok());
    read.ok_or_else(|| serde::de::Error::custom(format!("{number} is not a whole number, or is too large")))
}

/// The same, or nothing.
pub fn whole_if_any<'de, D: Deserializer<'de>, N: TryFrom<i128>>(from: D) -> Result<Option<N>, D::Error> {
    let number = Option::<serde_json::Number>::deserialize(from)?;
    number.map(whole).transpose().map_err(serde::de::Error::custom)
}

/// A body of bytes.
pub struct ByteBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for ByteBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|e: BytesRejection| unread(e.status(), e.body_text()))
    }
}

/// Is it said to be JSON? No form of another site can say so.
pub fn is_json(headers: &HeaderMap) -> bool {
    matches!(kind(headers), Some("application/json" | "application/merge-patch+json"))
}

/// The type of what is sent, without what more is said of it.
pub fn kind(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE).and_then(|t| t.to_str().ok()).map(|t| t.split(';').next().unwrap_or("").trim())
}

/// A body that was not taken: too large, or not what was asked for.
fn unread(status: StatusCode, words: String) -> Problem {
    if status == StatusCode::PAYLOAD_TOO_LARGE { Problem::too_large("this is too much at once; send less, or attach it as a file") } else { Problem::bad(words) }
}
