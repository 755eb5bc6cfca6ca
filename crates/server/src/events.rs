//! Live changes as server-sent events, and whether the server is alive and ready.

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

/// Tells open screens of every new snapshot.
pub fn start(app: Arc<App>) {
    let announce = move || {
        let mut seen = app.feed.now().seq;
        while !app.is_draining() {
            let now = app.feed.at_least(seen + 1, Duration::from_millis(500)).seq;
            if now > seen {
                seen = now;
                // Nobody listening is no fault.
                let _ = app.events.send(seen);
            }
        }
    };
    // A thread of its own, since it waits on a lock most of the time.
    if let Err(e) = std::thread::Builder::new().name("announcer".into()).spawn(announce) {
        eprintln!("northing: live events are off: {e}");
    }
}

pub async fn stream(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let first = app.feed.now().seq;
    let event = |seq: u64| Ok(Event::default().event("seq").id(seq.to_string()).data(json!({"seq": seq}).to_string()));
    // A listener that fell behind only misses numbers that newer ones replace.
    let later = BroadcastStream::new(app.events.subscribe()).filter_map(|seq| seq.ok());
    let draining = app.clone();
    let numbers = tokio_stream::once(first).chain(later).take_while(move |_| !draining.is_draining());
    Sse::new(numbers.map(event)).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

pub async fn alive() -> &'static str {
    "ok\n"
}

/// Ready: not shutting down, and the facts follow the log.
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<serde_json::Value>) {
    let (log, facts) = (app.store.seq(), app.feed.now().seq);
    let problem = if app.is_draining() { Some("shutting down".to_string()) } else { app.feed.problem() };
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": problem.is_none(), "problem": problem, "log": log, "facts": facts})))
}
