//! The state that requests share, and the routes.

use crate::problem::Problem;
use crate::{Config, ServeError, assets, events, export, guard, metrics, openapi, records, session};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use northing_crm::Env;
use northing_facts::{Feed, Snapshot};
use northing_metrics::Cache;
use northing_model::{Labels, Scope};
use northing_store::Store;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub struct App {
    pub store: Store,
    pub feed: Feed,
    pub env: Env,
    pub labels: Labels,
    pub cache: Cache,
    /// scheme://host[:port] of browsers' requests.
    pub origin: String,
    /// Host names that requests may carry.
    pub hosts: Vec<String>,
    pub secure: bool,
    pub events: tokio::sync::broadcast::Sender<u64>,
    /// Facts of earlier instants, newest use last.
    past: Mutex<Vec<(u64, Arc<Snapshot>)>>,
    draining: AtomicBool,
}

/// Who asks, and what they may see.
#[derive(Clone)]
pub struct Caller {
    pub actor: String,
    pub scope: Scope,
}

const PAST_SNAPSHOTS: usize = 2;

impl App {
    pub fn new(store: Store, feed: Feed, env: Env, config: &Config, address: SocketAddr) -> Result<Self, ServeError> {
        let port = address.port();
        let (origin, hosts, secure) = match &config.public_url {
            Some(url) => {
                let origin = url.trim_end_matches('/').to_string();
                let host = origin.trim_start_matches("https://").to_string();
                (origin, vec![host], true)
            }
            None => {
                let hosts = ["localhost", "127.0.0.1", "[::1]"].iter().map(|h| format!("{h}:{port}")).collect();
                (format!("http://localhost:{port}"), hosts, false)
            }
        };
        Ok(Self {
            store,
            feed,
            env,
            labels: Labels::load()?,
            cache: Cache::default(),
            origin,
            hosts,
            secure,
            events: tokio::sync::broadcast::channel(256).0,
            past: Mutex::new(Vec::new()),
            draining: AtomicBool::new(false),
        })
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The facts as they stood at an earlier `seq`.
    pub fn snapshot_at(&self, seq: u64) -> Result<Arc<Snapshot>, Problem> {
        if let Ok(mut past) = self.past.lock() {
            if let Some(at) = past.iter().position(|(s, _)| *s == seq) {
                let found = past.remove(at);
                past.push(found.clone());
                return Ok(found.1);
            }
        }
        let snapshot = Arc::new(northing_facts::Facts::replay(&self.store, seq).map_err(Problem::internal)?.snapshot());
        if let Ok(mut past) = self.past.lock() {
            if past.len() >= PAST_SNAPSHOTS {
                past.remove(0);
            }
            past.push((seq, snapshot.clone()));
        }
        Ok(snapshot)
    }
}

/// Work that may wait for disk or scan columns, off the threads that serve connections.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)?
}

/// 2 MiB are enough for any record; files have their own way in.
const LARGEST_BODY: usize = 2 << 20;

pub fn router(app: Arc<App>) -> Router {
    let private = Router::new()
        .route("/api/session", get(session::current).delete(session::sign_out))
        .route("/api/model", get(metrics::model))
        .route("/api/search", get(records::search))
        .route("/api/records/{object}", get(records::list).post(records::create))
        .route("/api/records/{object}/export", get(export::csv))
        .route("/api/records/{object}/{id}", get(records::get).patch(records::change).delete(records::delete))
        .route("/api/records/{object}/{id}/history", get(records::history))
        .route("/api/records/{object}/{id}/merge", post(records::merge))
        .route("/api/metrics", get(metrics::catalogue))
        .route("/api/ask", get(metrics::ask))
        .route("/api/metrics/try", post(metrics::try_out))
        .route("/api/metrics/{id}", get(metrics::describe))
        .route("/api/metrics/{id}/drill", get(metrics::drill))
        .route("/api/metrics/{id}/cohorts", get(metrics::cohorts))
        .route("/api/events", get(events::stream))
        .route_layer(axum::middleware::from_fn_with_state(app.clone(), guard::signed_in));
    Router::new()
        .merge(private)
        .route("/api/session", post(session::sign_in))
        .route("/api/openapi.json", get(openapi::document))
        .route("/livez", get(events::alive))
        .route("/readyz", get(events::ready))
        .fallback(assets::file)
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::every_request))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}
