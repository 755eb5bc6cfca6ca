//! One change of all records that a list's filter finds, however many: begun, watched, stopped, taken back. Each is looked
//! at like a change of its own; those that cannot be changed are counted and told of. They are done by turns, and what
//! one person may begin and keep is bounded, so that nobody's changes stand in the way of another's.

use crate::app::{App, Caller, blocking};
use crate::guard::language;
use crate::extract::{JsonBody, Nothing, Path};
use crate::metrics::CONDITION;
use crate::problem::Problem;
use crate::records::{fields, found_by, idempotency};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_crm::access::{Action, opens_a_door};
use northing_crm::import::undo;
use northing_store::{Change, Commit, StoreError};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// Changes in one commit.
const BATCH: usize = 1_000;
/// Seconds for which one can be taken back, and how many of one person's are remembered.
const KEPT: i64 = 3_600;
const MOST: usize = 20;
/// How many of one person's may be under way or wait for their turn, and for how long one waits.
pub const EACH: usize = 5;
const PATIENCE: Duration = Duration::from_secs(900);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The object's name in URLs.
    object: String,
    #[schemars(extend("format" = CONDITION))]
    filter: Option<String>,
    op: What,
    /// What to set.
    #[schemars(extend("type" = ["object", "null"]))]
    fields: Option<Js>,
}

#[derive(Clone, Copy, PartialEq, Deserialize, JsonSchema)]
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
    /// It has had its turn.
    begun: bool,
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
        self.lock()?.get(&id).filter(|j| j.actor == caller.actor).cloned().ok_or_else(|| Problem::not_found("this change is no longer remembered"))
    }

    fn lock(&self) -> Result<std::sync::MutexGuard<'_, HashMap<Uuid, Arc<Job>>>, Problem> {
        self.open.lock().map_err(|_| Problem::internal("changes of lists"))
    }

    /// The change that this request has begun before, if it is the same request.
    fn again(&self, key: Option<&(String, String)>) -> Result<Option<(StatusCode, Json<Js>)>, Problem> {
        let open = self.lock()?;
        let found = key.and_then(|(key, _)| open.iter().find(|(_, j)| j.key.as_ref().is_some_and(|(k, _)| k == key)));
        match found {
            Some((_, job)) if job.key.as_ref() != key => Err(StoreError::KeyReused.into()),
            found => Ok(found.map(|(id, job)| begun(*id, job))),
        }
    }

    /// Remembers a change, and forgets the oldest of its person's that are over if there are many.
    fn keep(&self, id: Uuid, job: &Arc<Job>) -> Result<(), Problem> {
        let mut open = self.lock()?;
        open.retain(|_, j| !j.over() || job.at - j.at < KEPT);
        let own: Vec<(i64, Uuid, bool)> = open.iter().filter(|(_, j)| j.actor == job.actor).map(|(id, j)| (j.at, *id, j.over())).collect();
        if own.iter().filter(|(.., over)| !over).count() >= EACH {
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "wait", "You ask for much at once", format!("{EACH} of your changes of lists are under way; wait until one is done")).again(30));
        }
        if own.len() >= MOST {
            own.iter().filter(|(.., over)| *over).min().iter().for_each(|(_, oldest, _)| drop(open.remove(oldest)));
        }
        open.insert(id, job.clone());
        Ok(())
    }
}

fn begun(id: Uuid, job: &Job) -> (StatusCode, Json<Js>) {
    (StatusCode::ACCEPTED, Json(json!({"id": id, "total": job.ids.len()})))
}

impl Job {
    fn told<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> Result<T, Problem> {
        self.progress.lock().map(|mut p| change(&mut p)).map_err(|_| Problem::internal("the progress of a change"))
    }

    fn over(&self) -> bool {
        self.told(|p| !matches!(p.state, "running" | "undoing")).unwrap_or(true)
    }

    /// Does the work in its turn, on a thread of its own. However that ends, it is told.
    fn go(self: &Arc<Self>, app: &Arc<App>, work: impl FnOnce() + Send + 'static) {
        let (job, app) = (self.clone(), app.clone());
        tokio::spawn(async move {
            let turn = app.work.turn(&job.actor, PATIENCE).await;
            let ends = Ends(job.clone());
            let Ok(turn) = turn else {
                let _ = job.told(|p| p.why = Some("it waited too long for its turn; begin it again".into()));
                return;
            };
            // What was stopped before its turn is over.
            if job.over() || job.told(|p| p.begun = true).is_err() {
                return;
            }
            let run = move || {
                let (_turn, _ends) = (turn, ends);
                work();
            };
            if let Err(e) = std::thread::Builder::new().name("bulk".into()).spawn(run) {
                eprintln!("northing: a change of a list: {e}");
            }
        });
    }
}

/// Whatever is not over when its work has ended has failed.
struct Ends(Arc<Job>);

impl Drop for Ends {
    fn drop(&mut self) {
        if !self.0.over() {
            let _ = self.0.told(|p| {
                p.state = "failed";
                p.why.get_or_insert_with(|| "it ended before it was done; the server's log has the cause".into());
            });
        }
    }
}

/// Begins the change.
pub async fn begin(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<Js>) -> Result<(StatusCode, Json<Js>), Problem> {
    let key = idempotency(&caller, &headers, &body.to_string())?;
    let asked: Asked = serde_json::from_value(body).map_err(|e| Problem::bad(e.to_string()))?;
    blocking(move || {
        if let Some(again) = app.jobs.again(key.as_ref())? {
            return Ok(again);
        }
        if let Some((key, told)) = &key {
            if app.store.answered(key, told)?.is_some() {
                return Err(Problem::new(StatusCode::CONFLICT, "begun", "This was begun before", "this change was begun before and is no longer watched; look at the list, and begin what is left of it anew"));
            }
        }
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &asked.object)?.clone();
        let action = if asked.op == What::Update { Action::Change } else { Action::Delete };
        if !caller.rights.may(&def, action) {
            return Err(Problem::forbidden(format!("your role does not let you do this with {}", def.plural)));
        }
        let told = asked.fields.clone().unwrap_or_else(|| json!({}));
        let fields = fields(&app, &caller, &def, &told, &HashMap::new())?;
        if fields.is_empty() != (asked.op == What::Delete) {
            return Err(Problem::refused("fields: what to set, for op 'update' and no other"));
        }
        let one = |id: Uuid| if asked.op == What::Delete { Change::delete(&def.name, id) } else { Change::update(&def.name, id, fields.clone()) };
        if opens_a_door(&def, &one(Uuid::nil())) {
            caller.proven(&app)?;
        }
        let rows = found_by(&app, &snapshot, &caller, &asked.object, asked.filter.as_deref())?;
        let table = &snapshot.tables[snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(asked.object.clone()))?];
        let mut ids: Vec<Uuid> = rows.iter().filter_map(|row| table.id(*row)).collect();
        ids.sort_unstable();
        if ids.is_empty() {
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing", "There is nothing to change", "the filter finds no record that could be changed"));
        }
        let progress = Progress { state: "running", begun: false, done: 0, refused: 0, why: None, last: 0 };
        let job = Arc::new(Job { actor: caller.actor.clone(), key: key.clone(), object: def.name.clone(), ids, first: app.store.seq(), at: app.env.now(), stop: AtomicBool::new(false), progress: Mutex::new(progress) });
        let id = app.env.id();
        app.jobs.keep(id, &job)?;
        if key.is_some() {
            // Known from here on, whatever becomes of this process: sent again it is not begun again.
            let known = app.store.commit(Commit { actor: caller.actor.clone(), at: job.at, changes: Vec::new(), key });
            if let Err(e) = known {
                app.jobs.lock()?.remove(&id);
                return Err(e.into());
            }
        }
        let (own, of) = (app.clone(), job.clone());
        job.go(&app, move || {
            // Rights are looked at as they are when it is done.
            let snapshot = caller.place.feed.now();
            let change = |id: Uuid| if asked.op == What::Delete { Change::delete(&def.name, id) } else { Change::update(&def.name, id, fields.clone()) };
            let permitted = |id: Uuid| caller.rights.may_with(&snapshot, &def, id, action);
            run(&own, &of, &permitted, &change);
        });
        Ok(begun(id, &job))
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
    let job = app.jobs.of(id, &caller)?;
    job.stop.store(true, Ordering::Relaxed);
    // What has not had its turn is over at once.
    job.told(|p| if p.state == "running" && !p.begun { p.state = "cancelled" })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to take it back; what somebody has changed since stays.
pub async fn take_back(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, _: JsonBody<Nothing>) -> Result<StatusCode, Problem> {
    let job = app.jobs.of(id, &caller)?;
    if app.store.model().object(&job.object).is_some_and(|o| opens_a_door(o, &Change::delete(&job.object, Uuid::nil()))) {
        caller.proven(&app)?;
    }
    let last = job.told(|p| matches!(p.state, "done" | "cancelled" | "failed").then(|| { p.state = "undoing"; p.last }))?;
    let Some(last) = last else { return Err(Problem::new(StatusCode::CONFLICT, "not-now", "There is nothing to take back", "It still runs, or was taken back already.")) };
    let (own, on) = (job.clone(), app.clone());
    own.go(&on, move || {
        let of = |entry: &northing_store::Logged| entry.actor == job.actor && entry.object == job.object && job.ids.binary_search(&entry.id).is_ok();
        let outcome = undo(&app.store, &app.env, &job.actor, &of, job.first, last);
        let _ = job.told(|p| match outcome {
            Ok(undone) => (p.state, p.refused) = ("undone", usize::try_from(undone.kept).unwrap_or(usize::MAX)),
            Err(e) => (p.state, p.why) = ("failed", Some(e.to_string())),
        });
    });
    Ok(StatusCode::ACCEPTED)
}
