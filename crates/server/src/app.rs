//! The state that requests share, and the routes.

use crate::asking::Questions;
use crate::past::Past;
use crate::problem::Problem;
use crate::password::Tries;
use crate::place::{Place, Places};
use crate::turns::Turns;
use crate::{Config, Limits, ServeError, assets, bulk, changes, events, export, files, guard, imports, metrics, oidc, openapi, outflow, own, people, proof, ready, records, serving, session, telemetry, usage};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, delete, get, post, put};
use northing_crm::Env;
use northing_crm::access::Rights;
use northing_facts::Snapshot;
use northing_facts::table::{EXISTS, SEEN};
use northing_metrics::Memory;
use northing_model::{Labels, Model, ObjectDef, Phrases};
use northing_store::Store;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use uuid::Uuid;

pub struct App {
    pub store: Store,
    /// The facts of those who see everything, and what rights are read from.
    pub whole: Arc<Place>,
    pub places: Places,
    pub imports: imports::Imports,
    pub jobs: bulk::Jobs,
    /// What caches, facts of the past and questions share.
    pub memory: Arc<Memory>,
    pub questions: Questions,
    pub past: Arc<Past>,
    /// Turns at changes of lists and imports.
    pub work: Arc<Turns>,
    pub outflow: outflow::Outflow,
    pub limits: Limits,
    pub crowd: Arc<serving::Crowd>,
    pub meters: telemetry::Meters,
    pub trial: ready::Trial,
    pub files: files::Files,
    /// Where people sign in with an account that they have elsewhere.
    pub provider: Option<oidc::Provider>,
    pub usage: usage::Usage,
    pub env: Env,
    pub labels: Labels,
    phrases: Phrases,
    pub tries: Tries,
    /// Hashing a password takes time and memory: two at once leave the numbers theirs.
    hashing: Semaphore,
    /// scheme://host[:port] of browsers' requests.
    pub origin: String,
    /// Host names that requests may carry.
    pub hosts: Vec<String>,
    pub secure: bool,
    /// Whose word it is where a request comes from.
    pub proxies: Vec<IpAddr>,
    draining: AtomicBool,
}

/// Who asks, what they may do, and the facts that they see.
#[derive(Clone)]
pub struct Caller {
    pub actor: String,
    pub rights: Arc<Rights>,
    pub place: Arc<Place>,
    /// When the session began, whether a link opened it, and whether it may only read.
    pub since: i64,
    pub by_link: bool,
    pub read_only: bool,
    /// When they last showed who they are.
    pub proved_at: i64,
    /// What they sit at, as far as the browser says.
    pub device: &'static str,
    /// The name of the token, if a program asks.
    pub program: Option<String>,
}

impl Caller {
    /// The facts as they see them now; after a write of their own only once it is in them.
    pub async fn now(&self, app: &App, after: Option<u64>) -> Arc<Snapshot> {
        // Of a change that was not made nothing is to be waited for.
        if let Some(seq) = after.filter(|_| self.place.view.is_none()) {
            self.place.caught_up(seq.min(app.store.seq()), CATCH_UP).await;
        }
        self.place.feed.now()
    }

    /// An object that they see records of; what they may not see does not exist.
    pub fn object<'a>(&self, model: &'a Model, name: &str) -> Result<&'a ObjectDef, Problem> {
        let seen = |o: &&ObjectDef| !o.derived && self.place.view.as_ref().is_none_or(|v| v.sees(&o.name));
        // Derived tables have no records of their own; metrics and drill-down show what they hold.
        model.object_by_path(name).filter(seen).ok_or_else(|| Problem::not_found(format!("there is no object '{name}'; GET /api/model lists them")))
    }

    /// Does a record exist as far as they know?
    pub fn knows(&self, app: &App, object: &str, id: Uuid) -> bool {
        if self.place.view.is_none() {
            return true;
        }
        self.sees(&self.place.feed.at_least(app.store.seq(), CATCH_UP), object, id)
    }

    /// Is a record among these facts of theirs? Those who see everything see it.
    pub fn sees(&self, own: &Snapshot, object: &str, id: Uuid) -> bool {
        self.place.view.is_none() || own.place_of(object, id).is_some_and(|(table, row)| own.tables[table].flags(row) & (EXISTS | SEEN) == EXISTS | SEEN)
    }

    /// Did they ever see a record, deleted ones included?
    pub fn remembers(&self, own: &Snapshot, object: &str, id: Uuid) -> bool {
        own.place_of(object, id).is_some_and(|(table, row)| own.tables[table].flags(row) & SEEN != 0)
    }

    /// The address under which they sign in.
    pub fn email(&self, app: &App) -> String {
        let user = self.rights.user.and_then(|id| app.store.get("user", id).ok());
        let of_user = user.and_then(|(r, _)| r.get("email").and_then(|v| v.as_text().map(str::to_string)));
        of_user.or_else(|| app.store.credential(&self.actor).ok()?.email).unwrap_or_else(|| self.actor.clone())
    }
}

impl App {
    pub fn new(store: Store, whole: Arc<Place>, memory: Arc<Memory>, env: Env, config: &Config, address: SocketAddr) -> Result<Self, ServeError> {
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
        let labels = Labels::load()?;
        Ok(Self {
            store,
            whole,
            places: Places::default(),
            imports: imports::Imports::default(),
            jobs: bulk::Jobs::default(),
            questions: Questions::new(&memory)?,
            past: Past::new(&memory)?,
            work: Turns::new(WORK_AT_ONCE, 1, bulk::EACH + imports::EACH),
            memory,
            outflow: outflow::Outflow::default(),
            crowd: serving::Crowd::new(config.limits.most_connections()),
            limits: config.limits.clone(),
            meters: telemetry::Meters::default(),
            trial: ready::Trial::default(),
            files: files::Files::default(),
            provider: config.oidc.clone().map(oidc::Provider::new).transpose().map_err(ServeError::Provider)?,
            usage: usage::Usage::new(config.usage.is_some()),
            env,
            phrases: Phrases::new(&labels),
            labels,
            tries: Tries::default(),
            hashing: Semaphore::new(2),
            origin,
            hosts,
            secure,
            proxies: config.believed(),
            draining: AtomicBool::new(false),
        })
    }

    /// What is wrong, in the language of whoever asks.
    pub fn say(&self, language: Option<&str>, english: &str) -> String {
        language.map_or_else(|| english.to_string(), |l| self.phrases.say(&self.labels, &self.store.model(), l, english))
    }

    /// A turn at hashing a password. When many come at once, who would wait long is told to come again.
    pub async fn to_hash(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let turn = tokio::time::timeout(LONGEST_QUEUE, self.hashing.acquire()).await;
        turn.map_err(|_| Problem::wait(LONGEST_QUEUE.as_secs().cast_signed()))?.map_err(Problem::internal)
    }

    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// An actor's rights now, and where its facts are; nothing of somebody who has none.
    pub fn caller(&self, session: &northing_store::Session) -> Result<Option<Caller>, Problem> {
        let now = self.env.now();
        let Some(mut rights) = Rights::of(&self.store, &self.whole.feed.now(), &session.actor, now).map_err(Problem::internal)? else { return Ok(None) };
        if let Some(part) = &session.rights {
            // What cannot be read lets nothing through.
            rights = rights.within(serde_json::from_str(part).unwrap_or_default());
        }
        let place = match rights.view(&self.store.model()) {
            None => self.whole.clone(),
            Some(view) => self.places.of(&self.store, view, &self.memory, now).ok_or_else(|| Problem::internal("the facts could not be loaded"))?,
        };
        Ok(Some(Caller { actor: session.actor.clone(), rights: Arc::new(rights), place, since: session.created_at, by_link: session.by_link, read_only: session.read_only, proved_at: session.proved_at, device: usage::DESKTOP, program: session.program.clone() }))
    }
}

/// Changes of lists and imports that are done at a time.
const WORK_AT_ONCE: usize = 2;

/// How long a sign-in waits for its turn.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);

/// How long a reader who has just written waits for the facts.
pub const CATCH_UP: Duration = Duration::from_secs(3);

/// Work that may wait for disk or scan columns, off the threads that serve connections.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    // What it has to say belongs to the same request.
    let span = tracing::Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work)).await.map_err(Problem::internal)?
}

/// 2 MiB are enough for any record; files have their own way in.
const LARGEST_BODY: usize = 2 << 20;

/// Each route with its methods. What is sent to them is of a kind that is taken here; another method is none of them.
fn routes<const N: usize>(all: [(&str, MethodRouter<Arc<App>>); N]) -> Router<Arc<App>> {
    all.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods.route_layer(axum::middleware::from_fn(guard::of_kind))))
}

pub fn router(app: Arc<App>) -> Router {
    let private = routes([
        ("/api/session", get(session::current).delete(session::sign_out)),
        ("/api/session/proof", post(proof::prove)),
        ("/api/model", get(metrics::model)),
        ("/api/search", get(crate::search::search)),
        ("/api/records/{object}", get(records::list).post(records::create)),
        ("/api/records/{object}/export", get(export::file)),
        ("/api/records/{object}/free", get(crate::free::times)),
        ("/api/records/{object}/groups", get(records::groups)),
        ("/api/records/{object}/twins", get(records::twins)),
        ("/api/records/{object}/{id}", get(records::get).patch(records::change).delete(records::delete)),
        ("/api/records/{object}/{id}/history", get(records::history)),
        ("/api/records/{object}/{id}/merge", post(records::merge)),
        ("/api/metrics", get(metrics::catalogue)),
        ("/api/ask", get(metrics::ask)),
        ("/api/metrics/try", post(metrics::try_out)),
        ("/api/metrics/{id}", get(metrics::describe)),
        ("/api/metrics/{id}/drill", get(metrics::drill)),
        ("/api/metrics/{id}/cohorts", get(metrics::cohorts)),
        ("/api/events", get(events::stream).layer(axum::middleware::from_fn_with_state(app.clone(), serving::stream))),
        ("/api/changes", post(changes::change)),
        ("/api/files", post(files::take).layer(DefaultBodyLimit::max(files::LARGEST))),
        ("/api/records/attachments/{id}/file", get(files::give)),
        ("/api/bulk", post(bulk::begin)),
        ("/api/bulk/{id}", get(bulk::progress).delete(bulk::stop)),
        ("/api/bulk/{id}/undo", post(bulk::take_back)),
        ("/api/imports/workbook", post(imports::workbook).layer(DefaultBodyLimit::max(imports::LARGEST_FILE))),
        ("/api/imports", post(imports::upload).layer(DefaultBodyLimit::max(imports::LARGEST_BODY))),
        ("/api/imports/undo", post(imports::take_back)),
        ("/api/imports/{id}", get(imports::progress).delete(imports::cancel)),
        ("/api/imports/{id}/mapping", post(imports::propose)),
        ("/api/imports/{id}/check", post(imports::check)),
        ("/api/imports/{id}/run", post(imports::run)),
        ("/api/own", get(own::list).post(own::change)),
        ("/api/own/preview", post(own::preview)),
        ("/api/outflow", get(outflow::told)),
        ("/api/outflow/alarms/{id}", put(outflow::deal_with)),
        ("/api/invitations", post(people::invite)),
        ("/api/me/password", put(people::set_password)),
        ("/api/me/codes", post(people::begin_codes).put(people::confirm_codes).delete(people::end_codes)),
        ("/api/me/sessions", get(people::sessions)),
        ("/api/me/sessions/{id}", delete(people::end_session)),
        ("/api/me/tokens", post(people::new_token)),
        ("/metrics", get(telemetry::metrics)),
    ])
    .route_layer(axum::middleware::from_fn_with_state(app.clone(), guard::signed_in));
    let public = routes([
        ("/api/session", post(session::sign_in)),
        ("/api/ways", get(oidc::ways)),
        ("/api/oidc/begin", get(oidc::begin)),
        ("/api/oidc/back", get(oidc::back)),
        ("/api/openapi.json", get(openapi::document)),
        ("/livez", get(ready::alive)),
        ("/readyz", get(ready::ready)),
    ]);
    private
        .merge(public)
        .method_not_allowed_fallback(|| async { Problem::method() })
        .fallback(assets::file)
        .layer(axum::middleware::from_fn_with_state(app.clone(), serving::turn))
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::every_request))
        .layer(crate::compress::layer())
        .layer(axum::middleware::from_fn_with_state(app.clone(), telemetry::every_request))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(app)
}
