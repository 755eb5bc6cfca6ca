//! Who works with what: sessions with their begin and end, and what people do, as records in their own name, so that the
//! numbers of adoption come from the running product. Programs do not count, nor does the owner, who is no user.
//!
//! Noted in memory, once for a person, a kind and a part of the product each day, and written together from time to time.
//! No answer waits for it or hangs on it: what cannot be written is dropped.

use crate::app::{App, Caller};
use axum::extract::MatchedPath;
use axum::http::{HeaderMap, Method, header};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Op};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use uuid::Uuid;

/// What waits to be written is at most so much; more is dropped.
const MOST: usize = 10_000;
/// Ended sessions that are told of at a time.
const MOST_ENDED: usize = 500;
/// Seconds after which it is looked for sessions that nobody came back to.
const LOOK_AGAIN: i64 = 3_600;

pub const DESKTOP: &str = "desktop";
const PHONE: &str = "phone";

/// The part of the product that a page of numbers is.
const METRICS: &str = "metrics";
const EXPORT: &str = "export";
const IMPORT: &str = "import";

pub struct Usage {
    on: bool,
    noted: Mutex<Noted>,
    looked_at: AtomicI64,
}

#[derive(Default)]
struct Noted {
    /// What was noted of the day, in the workspace's zone.
    day: i32,
    done: HashSet<Uuid>,
    waiting: Vec<(Uuid, Change)>,
}

impl Usage {
    pub fn new(on: bool) -> Self {
        Self { on, noted: Mutex::default(), looked_at: AtomicI64::new(0) }
    }
}

/// What a browser says that it runs on, in one word.
pub fn device(headers: &HeaderMap) -> &'static str {
    device_of(headers.get(header::USER_AGENT).and_then(|h| h.to_str().ok()).unwrap_or_default())
}

fn device_of(agent: &str) -> &'static str {
    if agent.contains("Mobi") { PHONE } else { DESKTOP }
}

/// What a request is to whoever counts what people do; changes of records tell of themselves.
pub struct Asked {
    pub kind: &'static str,
    pub feature: String,
}

impl Asked {
    pub fn of(method: &Method, route: Option<&MatchedPath>, path: &str) -> Option<Self> {
        let asked = |kind: &'static str, feature: &str| Some(Self { kind, feature: feature.into() });
        match (method.as_str(), route?.as_str()) {
            ("GET", "/api/records/{object}" | "/api/records/{object}/{id}") => asked("view", path.split('/').nth(3)?),
            ("GET", "/api/records/{object}/export") => asked("view", EXPORT),
            ("GET", "/api/ask" | "/api/metrics/{id}/drill" | "/api/metrics/{id}/cohorts") => asked("view", METRICS),
            ("POST", "/api/imports/{id}/run") => asked("create", IMPORT),
            _ => None,
        }
    }
}

/// What somebody does who changes a record so; nothing to be told of where the record itself tells it.
pub fn kind(change: &Change) -> Option<&'static str> {
    let says = |field: &str, text: &str| change.fields.get(field).and_then(Value::as_text) == Some(text);
    match (change.object.as_str(), change.op) {
        ("user_action" | "user_session", _) => None,
        ("message", Op::Create) if says("author", "staff") => Some("reply"),
        ("send", Op::Create) => Some("send"),
        ("task", Op::Update) if change.fields.get("done_at").is_some_and(|v| !v.is_null()) => Some("complete"),
        (_, Op::Create) => Some("create"),
        _ => Some("update"),
    }
}

impl App {
    /// The caller did something in a part of the product.
    pub fn did(&self, caller: &Caller, kind: &'static str, feature: &str) {
        let Some(user) = caller.rights.user.filter(|_| self.usage.on && caller.program.is_none()) else { return };
        let now = self.env.now();
        let day = self.whole.feed.now().settings.zone.day(now);
        // The same thing on the same day has the same id, also after a new start.
        let hash = Sha256::digest(format!("user_action {user} {kind} {feature} {day}"));
        let id = hash.first_chunk::<16>().map_or(Uuid::nil(), |bytes| uuid::Builder::from_custom_bytes(*bytes).into_uuid());
        let Ok(mut noted) = self.usage.noted.lock() else { return };
        if noted.day != day {
            noted.day = day;
            noted.done.clear();
        }
        if noted.waiting.len() < MOST && noted.done.insert(id) {
            let text = |t: &str| Value::Text(t.into());
            let fields = [("user", Value::Ref(user)), ("at", Value::Time(now)), ("kind", text(kind)), ("feature", text(feature)), ("device", text(caller.device)), ("by_api", Value::Bool(false))];
            noted.waiting.push((user, Change::create("user_action", id, Record::from(fields.map(|(k, v)| (k.to_string(), v))))));
        }
    }

    /// The caller has just signed in.
    pub fn came(&self, caller: &Caller, session: &str, agent: &str) {
        let Some(user) = caller.rights.user.filter(|_| self.usage.on) else { return };
        let (id, text) = (self.env.id(), |t: &str| Value::Text(t.into()));
        let fields = [("user", Value::Ref(user)), ("started_at", Value::Time(self.env.now())), ("started_by", text("login")), ("device", text(device_of(agent)))];
        if self.store.told_of(session, id).is_err() {
            return;
        }
        if let Ok(mut noted) = self.usage.noted.lock() {
            if noted.waiting.len() < MOST {
                noted.waiting.push((user, Change::create("user_session", id, Record::from(fields.map(|(k, v)| (k.to_string(), v))))));
            }
        }
    }
}

/// Writes what was noted, from time to time, until the server ends.
pub fn start(app: &Arc<App>, every: Duration) -> std::io::Result<()> {
    let app: Weak<App> = Arc::downgrade(app);
    let work = move || {
        while let Some(app) = app.upgrade().filter(|a| !a.is_draining()) {
            write(&app);
            drop(app);
            std::thread::sleep(every);
        }
    };
    std::thread::Builder::new().name("usage".into()).spawn(work).map(drop)
}

/// Writes what waits: what people did, and which of their sessions have ended.
pub fn write(app: &App) {
    let waiting = app.usage.noted.lock().map(|mut n| std::mem::take(&mut n.waiting)).unwrap_or_default();
    let mut by_person: BTreeMap<Uuid, Vec<Change>> = BTreeMap::new();
    for (user, change) in waiting {
        // Noted before a new start of the server.
        if app.store.get(&change.object, change.id).is_err() {
            by_person.entry(user).or_default().push(change);
        }
    }
    for (user, changes) in by_person {
        commit(app, user, changes);
    }
    if app.usage.on {
        ended(app);
    }
}

fn ended(app: &App) {
    let now = app.env.now();
    let ended = app.store.ended_sessions(MOST_ENDED).unwrap_or_default();
    let look = now - app.usage.looked_at.load(Ordering::Relaxed) >= LOOK_AGAIN;
    if ended.is_empty() && !look {
        return;
    }
    app.usage.looked_at.store(now, Ordering::Relaxed);
    for (id, at) in &ended {
        let user = app.store.get("user_session", *id).ok().and_then(|(r, _)| r.get("user").and_then(Value::as_ref_id));
        if let Some(user) = user {
            commit(app, user, vec![Change::update("user_session", *id, Record::from([("ended_at".to_string(), Value::Time(*at))]))]);
        }
    }
    if let Err(e) = app.store.settle_sessions(ended.into_iter().map(|(id, _)| id).collect(), now) {
        tracing::warn!("which sessions have ended could not be noted: {e}");
    }
}

fn commit(app: &App, user: Uuid, changes: Vec<Change>) {
    let commit = Commit { actor: user.to_string(), at: app.env.now(), changes, key: None };
    if let Err(e) = app.store.commit(commit) {
        tracing::warn!(actor = user.to_string(), "what somebody did could not be noted: {e}");
    }
}
