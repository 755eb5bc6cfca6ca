//! One change of all records that a list's filter finds, however many: begun, watched, stopped, taken back. Each is looked
//! at like a change of its own; those that cannot be changed are counted and told of.

use crate::app::{App, Caller, blocking};
use crate::guard::language;
use crate::problem::Problem;
use crate::records::{fields, found_by, idempotency};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_crm::access::{Action, opens_a_door};
use northing_crm::import::undo;
use northing_store::{Change, Commit, StoreError};
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Changes in one commit.
const BATCH: usize = 1_000;
/// Seconds for which one can be taken back, and how many are remembered.
const KEPT: i64 = 3_600;
const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The object's name in URLs.
    object: String,
    filter: Option<String>,
    op: What,
    fields: Option<Js>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Update,
    Delete,
}

pub struct Job {
    actor: String,
    /// Of the request that began it.
    key: Option<(String, String)>,
    object: String,
    /// In their order, so that one is found in it.
    ids: Vec<Uuid>,
    first: u64,
    at: i64,
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Clone)]
struct Progress {
    /// `running`, `done`, `cancelled`, `failed`, `undoing`, `undone`.
    state: &'static str,
    done: usize,
    refused: usize,
    /// Why the last that was refused was.
    why: Option<String>,
    last: u64,
}

#[derive(Default)]
pub struct Jobs {
    open: Mutex<HashMap<Uuid, Arc<Job>>>,
}

impl Jobs {
    /// Those under way.
    pub fn running(&self) -> usize {
        self.open.lock().map_or(0, |open| open.values().filter(|j| j.told(|p| matches!(p.state, "running" | "undoing")).unwrap_or(false)).count())
    }

    fn of(&self, id: Uuid, caller: &Caller) -> Result<Arc<Job>, Problem> {
        let open = self.open.lock().map_err(|_| Problem::internal("changes of lists"))?;
        open.get(&id).filter(|j| j.actor == caller.actor).cloned().ok_or_else(|| Problem::not_found("this change is no longer remembered"))
    }
}

impl Job {
    fn told<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> Result<T, Problem> {
        self.progress.lock().map(|mut p| change(&mut p)).map_err(|_| Problem::internal("the progress of a change"))
    }
}

/// Begins the change.
pub async fn begin(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, body: Result<Json<Js>, JsonRejection>) -> Result<(StatusCode, Json<Js>), Problem> {
    let Json(body) = body.map_err(|e| Problem::bad(e.body_text()))?;
    let key = idempotency(&caller, &headers, &body.to_string())?;
    let asked: Asked = serde_json::from_value(body).map_err(|e| Problem::bad(e.to_string()))?;
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &asked.object)?.clone();
        let action = if asked.op == What::Update { Action::Change } else { Action::Delete };
        if !caller.rights.may(&def, action) {
            return Err(Problem::forbidden(format!("your role does not let you do this with {}", def.plural)));
        }
        let told = asked.fields.clone().unwrap_or_else(|| json!({}));
        let fields = fields(&app, &caller, &def, &told, &HashMap::new())?;
        if fields.is_empty() != (asked.op == What::Delete) {
            return Err(Problem::bad("fields: what to set, for op 'update' and no other"));
        }
        let one = |id: Uuid| if asked.op == What::Delete { Change::delete(&def.name, id) } else { Change::update(&def.name, id, fields.clone()) };
        if opens_a_door(&def, &one(Uuid::nil())) {
            caller.proven(&app)?;
        }
        // Before the others are locked out: a million rows take their time.
        let rows = found_by(&app, &snapshot, &caller, &asked.object, asked.filter.as_deref())?;
        let table = &snapshot.tables[snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(asked.object.clone()))?];
        let mut ids: Vec<Uuid> = rows.iter().filter_map(|row| table.id(*row)).collect();
        ids.sort_unstable();
        let now = app.env.now();
        let mut open = app.jobs.open.lock().map_err(|_| Problem::internal("changes of lists"))?;
        let again = key.as_ref().and_then(|(key, _)| open.iter().find(|(_, j)| j.key.as_ref().is_some_and(|(k, _)| k == key)));
        if let Some((id, job)) = again {
            if job.key != key {
                return Err(StoreError::KeyReused.into());
            }
            return Ok((StatusCode::ACCEPTED, Json(json!({"id": id, "total": job.ids.len()}))));
        }
        open.retain(|_, j| now - j.at < KEPT);
        if open.len() >= MOST {
            return Err(Problem::wait(KEPT / 4));
        }
        let progress = Progress { state: "running", done: 0, refused: 0, why: None, last: 0 };
        let job = Arc::new(Job { actor: caller.actor.clone(), key, object: def.name.clone(), ids, first: app.store.seq(), at: now, stop: AtomicBool::new(false), progress: Mutex::new(progress) });
        let (id, total) = (app.env.id(), job.ids.len());
        open.insert(id, job.clone());
        drop(open);
        let work = move || {
            let change = |id: Uuid| if asked.op == What::Delete { Change::delete(&def.name, id) } else { Change::update(&def.name, id, fields.clone()) };
            let permitted = |id: Uuid| caller.rights.may_with(&snapshot, &def, id, action);
            run(&app, &job, &permitted, &change);
        };
        std::thread::Builder::new().name("bulk".into()).spawn(work).map_err(Problem::internal)?;
        Ok((StatusCode::ACCEPTED, Json(json!({"id": id, "total": total}))))
    })
    .await
}

fn run(app: &App, job: &Job, permitted: &dyn Fn(Uuid) -> bool, change: &dyn Fn(Uuid) -> Change) {
    let commit = |changes: Vec<Change>| app.store.commit(Commit { actor: job.actor.clone(), at: app.env.now(), changes, key: None });
    let mut state = "done";
    for batch in job.ids.chunks(BATCH) {
        if job.stop.load(Ordering::Relaxed) || app.is_draining() {
            state = "cancelled";
            break;
        }
        let ids: Vec<Uuid> = batch.iter().copied().filter(|id| permitted(*id)).collect();
        let (mut refused, mut why) = (batch.len() - ids.len(), None);
        let together = if ids.is_empty() { Ok(()) } else { commit(ids.iter().map(|id| change(*id)).collect()).map(drop) };
        if together.is_err() {
            // One of them is at fault: each by itself.
            for id in &ids {
                if let Err(e) = commit(vec![change(*id)]) {
                    refused += 1;
                    if matches!(e, StoreError::ReadOnly(_) | StoreError::Full) {
                        state = "failed";
                    }
                    why = Some(e.to_string());
                }
            }
        }
        let last = app.store.seq();
        let told = job.told(|p| {
            p.done += batch.len();
            p.refused += refused;
            p.why = why.or(p.why.take());
            p.last = last;
        });
        if told.is_err() || state == "failed" {
            break;
        }
    }
    let _ = job.told(|p| {
        p.state = state;
        tracing::info!(actor = job.actor, object = job.object, state, done = p.done, refused = p.refused, "a change of a list ended");
    });
}

/// How far it is.
pub async fn progress(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Json<Js>, Problem> {
    let job = app.jobs.of(id, &caller)?;
    let p = job.told(|p| p.clone())?;
    Ok(Json(json!({"state": p.state, "total": job.ids.len(), "done": p.done, "changed": p.done - p.refused, "refused": p.refused, "why": p.why.map(|why| app.say(language(&headers), &why))})))
}

/// Stops it; what is written stays.
pub async fn stop(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    app.jobs.of(id, &caller)?.stop.store(true, Ordering::Relaxed);
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to take it back; what somebody has changed since stays.
pub async fn take_back(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let job = app.jobs.of(id, &caller)?;
    if app.store.model().object(&job.object).is_some_and(|o| opens_a_door(o, &Change::delete(&job.object, Uuid::nil()))) {
        caller.proven(&app)?;
    }
    let last = job.told(|p| matches!(p.state, "done" | "cancelled" | "failed").then(|| { p.state = "undoing"; p.last }))?;
    let Some(last) = last else { return Err(Problem::new(StatusCode::CONFLICT, "not-now", "There is nothing to take back", "It still runs, or was taken back already.")) };
    let work = move || {
        let of = |entry: &northing_store::Logged| entry.actor == job.actor && entry.object == job.object && job.ids.binary_search(&entry.id).is_ok();
        let outcome = undo(&app.store, &app.env, &job.actor, &of, job.first, last);
        let _ = job.told(|p| match outcome {
            Ok(undone) => (p.state, p.refused) = ("undone", usize::try_from(undone.kept).unwrap_or(usize::MAX)),
            Err(e) => (p.state, p.why) = ("failed", Some(e.to_string())),
        });
    };
    std::thread::Builder::new().name("bulk".into()).spawn(work).map_err(Problem::internal)?;
    Ok(StatusCode::ACCEPTED)
}
