//! What requests come to: an id and a line in the log for each, and counts for Prometheus. It knows routes, never what was
//! asked on them.

use crate::app::{App, Caller};
use crate::problem::Problem;
use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tracing::Instrument;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;
/// Upper bounds of the histogram, in seconds.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What a request turns out to be, for its line: those who find out say so.
#[derive(Clone, Default)]
pub struct Told(Arc<Findings>);

#[derive(Default)]
struct Findings {
    actor: OnceLock<String>,
    problem: OnceLock<String>,
}

impl Told {
    pub fn actor(&self, actor: &str) {
        let _ = self.0.actor.set(actor.to_string());
    }
    pub fn problem(&self, problem: &Problem) {
        let _ = self.0.problem.set(problem.kind.trim_start_matches("urn:northing:problem:").to_string());
    }
}

#[derive(Default)]
struct Count {
    /// By bound, and beyond.
    times: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

/// Answers so far, by method, route and status.
#[derive(Default)]
pub struct Meters(Mutex<BTreeMap<(&'static str, String, u16), Count>>);

impl Meters {
    fn count(&self, method: &'static str, route: &str, status: u16, seconds: f64) {
        let Ok(mut all) = self.0.lock() else { return };
        let count = all.entry((method, route.to_string(), status)).or_default();
        count.times[BOUNDS.iter().position(|b| seconds <= *b).unwrap_or(BOUNDS.len())] += 1;
        count.seconds += seconds;
    }
}

/// The id under which a request came, if it is one that a log can bear.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))).then(|| id.to_string())
}

/// The trace that a request belongs to (W3C trace context).
fn trace(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let [version, trace, parent, flags, ..] = parts[..] else { return None };
    let sound = hex(version, 2) && version != "ff" && (version != "00" || parts.len() == 4) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    (sound && trace.bytes().any(|b| b != b'0') && parent.bytes().any(|b| b != b'0')).then(|| trace.to_string())
}

fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Around everything: the request's id, its line, its count.
pub async fn every_request(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(|| app.env.id().to_string());
    let trace = trace(request.headers());
    let method = method(request.method());
    // The route as declared: what stands in its place was typed by somebody.
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| "page".to_string(), |path| path.as_str().to_string());
    let told = Told::default();
    request.extensions_mut().insert(told.clone());
    let began = Instant::now();
    let span = tracing::info_span!("request", id, trace);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.meters.count(method, &route, status, took.as_secs_f64());
    let (actor, problem) = (told.0.actor.get(), told.0.problem.get());
    let ms = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) as f64 / 1_000.0;
    span.in_scope(|| {
        // Probes and files of the app come all the time and tell nothing.
        if status < 400 && (route == "page" || matches!(route.as_str(), "/livez" | "/readyz" | "/metrics")) {
            tracing::debug!(method, route, actor, status, ms, "answered");
        } else {
            tracing::info!(method, route, actor, status, problem, ms, "answered");
        }
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Counts for Prometheus, to those who see everything and may change settings: they tell how much is done by others.
pub async fn metrics(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Response, Problem> {
    if !crate::outflow::watches(&caller) {
        return Err(Problem::forbidden("counts are shown to those who see all records and may change settings"));
    }
    let text = crate::app::blocking(move || Ok(text(&app))).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

/// Writing to a text cannot fail.
macro_rules! line {
    ($to:expr, $($part:tt)*) => { let _ = writeln!($to, $($part)*); };
}

fn text(app: &App) -> String {
    let mut out = String::new();
    {
        let Ok(all) = app.meters.0.lock() else { return out };
        line!(out, "# HELP northing_request_seconds How long requests took, by method, route and status.\n# TYPE northing_request_seconds histogram");
        for ((method, route, status), count) in all.iter() {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            let mut sum = 0;
            for (bound, times) in BOUNDS.iter().zip(count.times) {
                sum += times;
                line!(out, "northing_request_seconds_bucket{{{labels},le=\"{bound}\"}} {sum}");
            }
            sum += count.times[BOUNDS.len()];
            line!(out, "northing_request_seconds_bucket{{{labels},le=\"+Inf\"}} {sum}\nnorthing_request_seconds_sum{{{labels}}} {}\nnorthing_request_seconds_count{{{labels}}} {sum}", count.seconds);
        }
        let errors: u64 = all.iter().filter(|((_, _, status), _)| *status >= 500).map(|(_, c)| c.times.iter().sum::<u64>()).sum();
        line!(out, "# HELP northing_errors_total Requests that failed on our side.\n# TYPE northing_errors_total counter\nnorthing_errors_total {errors}");
    }
    let mut tell = |name: &str, kind: &str, help: &str, value: u64| {
        line!(out, "# HELP northing_{name} {help}\n# TYPE northing_{name} {kind}\nnorthing_{name} {value}");
    };
    let [connections, streams, refused] = app.crowd.counts().map(|n| n as u64);
    tell("connections", "gauge", "Connections now.", connections);
    tell("event_streams", "gauge", "Live event streams now.", streams);
    tell("connections_refused_total", "counter", "Connections for which there was no room.", refused);
    let (seq, facts) = (app.store.seq(), app.whole.feed.now().seq);
    tell("store_seq", "gauge", "The last change.", seq);
    tell("feed_lag", "gauge", "Changes that the facts do not hold yet.", seq.saturating_sub(facts));
    tell("feed_trouble", "gauge", "1 while the facts do not follow.", u64::from(app.whole.feed.problem().is_some()));
    tell("writes_waiting", "gauge", "Writes that wait for their turn or the disk.", app.store.waiting() as u64);
    tell("imports_running", "gauge", "Imports under way.", app.imports.running() as u64);
    tell("bulk_changes_running", "gauge", "Changes of lists under way.", app.jobs.running() as u64);
    tell("log_lines_lost_total", "counter", "Lines of the log that nobody took in time.", crate::log::lost());
    if let Some(free) = app.store.free() {
        tell("disk_free_bytes", "gauge", "Room on the disk of the workspace.", free);
    }
    if let Some(bytes) = resident() {
        tell("resident_memory_bytes", "gauge", "Memory of the process.", bytes);
    }
    out
}

/// Memory of the process that is really in use, where the system says.
fn resident() -> Option<u64> {
    let pages: u64 = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s13_ids_from_outside_are_taken_only_if_a_log_can_bear_them() {
        let headers = |name: &'static str, value: &str| HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a header"))]);
        assert_eq!(given_id(&headers("x-request-id", "a-1_2.B")).as_deref(), Some("a-1_2.B"));
        for bad in ["", "a b", "a\"b", "é", &"x".repeat(65)] {
            assert_eq!(given_id(&headers("x-request-id", bad)), None, "{bad}");
        }
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(&headers("traceparent", parent)).as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in ["", "00-4bf9-00f067aa0ba902b7-01", &parent.replace("4bf", "4BF"), &parent.replacen("00", "ff", 1), &format!("{parent}-more"), "00-00000000000000000000000000000000-00f067aa0ba902b7-01"] {
            assert_eq!(trace(&headers("traceparent", bad)), None, "{bad}");
        }
    }
}
