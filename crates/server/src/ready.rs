//! Whether the server is alive and ready: not ending, the store can be written to, the facts follow, the disk has room.

use crate::app::App;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// What a trial of writing came to is told again for so long: asking often writes no more.
const HOLDS: Duration = Duration::from_secs(1);
const MIB: u64 = 1 << 20;

/// The last trial: when, and what was wrong.
#[derive(Default)]
pub struct Trial(Mutex<Option<(Instant, Option<String>)>>);

pub async fn alive() -> &'static str {
    "ok\n"
}

async fn store(app: &Arc<App>) -> Option<String> {
    let mut last = app.trial.0.lock().await;
    if let Some((_, said)) = last.as_ref().filter(|(at, _)| at.elapsed() < HOLDS) {
        return said.clone();
    }
    let inner = app.clone();
    // The words are ours: problems of the store say nothing about records.
    let tried = tokio::task::spawn_blocking(move || inner.store.try_write().err().map(|e| e.to_string())).await;
    let said = tried.unwrap_or_else(|e| Some(e.to_string()));
    *last = Some((Instant::now(), said.clone()));
    said
}

pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<serde_json::Value>) {
    let (log, facts) = (app.store.seq(), app.whole.feed.now().seq);
    let ending = app.is_draining().then(|| "shutting down".to_string());
    let store = store(&app).await;
    let feed = app.whole.feed.problem();
    // Half the reserve is less than a busy hour may need.
    let disk = app.store.free().filter(|free| *free < app.limits.reserve / 2).map(|free| format!("only {} MiB are free on the disk", free / MIB));
    let said = |problem: &Option<String>| problem.clone().unwrap_or_else(|| "ok".into());
    let parts = json!({"store": said(&store), "facts": said(&feed), "disk": said(&disk)});
    let problem = ending.or(store).or(feed).or(disk);
    let status = if problem.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": problem.is_none(), "problem": problem, "parts": parts, "rebuilding": app.whole.feed.rebuilding(), "behind": log.saturating_sub(facts)})))
}
