//! Lists brought in by people: a file is looked at, its columns are told what they mean, the whole is tried without
//! writing, run with its progress told, stopped, mended, and taken back. What a row means is `crm::import`'s to say.
//!
//! Files wait in the workspace's folder under names of our own until they are imported or an hour old.

use crate::app::{App, Caller, blocking};
use crate::files;
use crate::guard::language;
use crate::extract::{ByteBody, JsonBody, Path, Query};
use crate::problem::Problem;
use crate::records::idempotency;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_crm::CrmError;
use northing_crm::import::sheet::Workbook;
use northing_crm::import::guess::{for_object, guess, makeable};
use northing_crm::import::{Looked, Mapping, Reject, Report, Terms, import_on, look, mapping::importable, mapping::told, questions, undo};
use northing_model::{Model, ObjectDef, Record, Value};
use northing_store::{Change, Commit, private};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// Whether somebody may is looked at before what they sent.
type Body<T> = Result<JsonBody<T>, Problem>;

/// 25 MiB of text; larger files are for the terminal, which streams them.
pub const LARGEST_FILE: usize = 25 << 20;
/// The body that such a file comes in: JSON may write a character as six.
pub const LARGEST_BODY: usize = LARGEST_FILE * 2;
const WAITS: i64 = 3_600;
const SAMPLE: usize = 200;
const SHOWN: usize = 8;
const SHOWN_LEFT: usize = 50;
/// Files that are kept at a time, of one person and of all. The oldest of one's own that is not being imported goes first.
pub const EACH: usize = 20;
const MOST: usize = 100;
/// How long an import waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// A file that somebody is importing.
pub struct Upload {
    path: PathBuf,
    name: String,
    actor: String,
    /// Tells this content from any other.
    stem: String,
    delimiter: String,
    headings: Vec<String>,
    sample: Vec<Vec<String>>,
    rows: u64,
    /// What else the list may be, as long as nobody has said.
    others: Mutex<Vec<String>>,
    at: i64,
    progress: Mutex<Progress>,
    stop: AtomicBool,
}

#[derive(Default)]
struct Progress {
    /// `waiting`, `running`, then as the record says.
    state: &'static str,
    report: Report,
    problem: Option<String>,
    run: Option<Uuid>,
    /// Of the request that began it.
    key: Option<(String, String)>,
}

impl Upload {
    fn looked(&self) -> Looked<'_> {
        Looked { name: &self.name, headings: &self.headings, sample: &self.sample }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // A file that cannot be removed now goes with the folder when the server starts again.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[derive(Default)]
pub struct Imports {
    open: Mutex<HashMap<Uuid, Arc<Upload>>>,
}

impl Imports {
    /// Those under way.
    pub fn running(&self) -> usize {
        self.open.lock().map_or(0, |open| open.values().filter(|u| u.progress.lock().is_ok_and(|p| p.state == "running")).count())
    }

    fn of(&self, id: Uuid, caller: &Caller) -> Result<Arc<Upload>, Problem> {
        let open = self.open.lock().map_err(|_| Problem::internal("imports"))?;
        open.get(&id).filter(|u| u.actor == caller.actor).cloned().ok_or_else(|| Problem::not_found("this file is no longer here; choose it again"))
    }
}

/// What was left by a server that ended.
pub fn clear(folder: &std::path::Path) {
    let _ = std::fs::remove_dir_all(folder.join("uploads"));
}

fn allowed(caller: &Caller) -> Result<(), Problem> {
    if caller.rights.settings() && caller.place.view.is_none() { Ok(()) } else { Err(Problem::forbidden("lists are imported by those who see all records and may change settings")) }
}

fn read<T>(body: Body<T>) -> Result<T, Problem> {
    body.map(|JsonBody(b)| b).map_err(|p| p.or_too_large(too_large))
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The file is too large for a browser", "Files of up to 25 MiB are taken here. Cut it in parts, or import it at the terminal: northing import FILE.")
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    name: String,
    text: String,
    /// The file whose rows these are, mended.
    again: Option<Uuid>,
}

/// Takes a file and tells what it seems to hold. Nothing is imported yet.
pub async fn upload(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Body<File>) -> Result<Json<Js>, Problem> {
    allowed(&caller)?;
    let File { name, text, again } = read(body)?;
    if text.len() > LARGEST_FILE {
        return Err(too_large());
    }
    blocking(move || {
        let again = again.map(|id| app.imports.of(id, &caller)).transpose()?;
        let (id, path) = waiting(&app)?;
        files::whole(&path, text.as_bytes())?;
        let stem = again.map_or_else(|| stem(&[text.as_bytes()]), |first| first.stem.clone());
        open(&app, &caller, id, path, &name, stem).map(Json)
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sheet {
    name: String,
    /// Without it the first of the workbook.
    sheet: Option<String>,
}

/// Takes a sheet of a workbook, as if it had been saved as CSV.
pub async fn workbook(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Query(asked): Query<Sheet>, body: Result<ByteBody, Problem>) -> Result<Json<Js>, Problem> {
    allowed(&caller)?;
    let ByteBody(body) = body.map_err(|p| p.or_too_large(too_large))?;
    blocking(move || {
        let (id, path) = waiting(&app)?;
        let packed = path.with_extension("xlsx");
        files::whole(&packed, &body)?;
        let convert = || {
            let mut book = Workbook::open(&packed)?;
            let sheets: Vec<String> = book.sheets().map(str::to_string).collect();
            let sheet = asked.sheet.clone().or_else(|| sheets.first().cloned()).unwrap_or_default();
            book.write_csv(&sheet, &path).map(|()| (sheets, sheet))
        };
        let converted = convert();
        let _ = std::fs::remove_file(&packed);
        let (sheets, sheet) = converted.map_err(|e| unreadable(&path, &e))?;
        let stem = stem(&[&body, sheet.as_bytes()]);
        let mut answer = open(&app, &caller, id, path, &asked.name, stem)?;
        answer["sheets"] = json!(sheets);
        answer["sheet"] = json!(sheet);
        Ok(Json(answer))
    })
    .await
}

/// Where a file may wait.
fn waiting(app: &App) -> Result<(Uuid, PathBuf), Problem> {
    let folder = app.store.folder().join("uploads");
    private::folder(&folder).map_err(Problem::internal)?;
    let id = app.env.id();
    Ok((id, folder.join(format!("{id}.csv"))))
}

fn stem(content: &[&[u8]]) -> String {
    let hash = content.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    hash.iter().take(8).map(|b| format!("{b:02x}")).collect()
}

fn unreadable(path: &std::path::Path, e: &CrmError) -> Problem {
    let _ = std::fs::remove_file(path);
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "file", "The file cannot be read", e.to_string())
}

/// Looks at a file that has been written and keeps it for what comes next.
fn open(app: &App, caller: &Caller, id: Uuid, path: PathBuf, name: &str, stem: String) -> Result<Js, Problem> {
    let name: String = name.rsplit(['/', '\\']).next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(120).collect();
    let (delimiter, headings, sample, rows) = look(&path, SAMPLE).map_err(|e| match e {
        // By the name that people know.
        CrmError::File { problem, .. } => unreadable(&path, &CrmError::File { file: name.clone(), problem }),
        e => unreadable(&path, &e),
    })?;
    let said = if headings.iter().all(String::is_empty) {
        Some("its first line should name the columns")
    } else if rows == 0 {
        Some("it has no row below its headings")
    } else {
        headings.iter().enumerate().find(|(i, h)| headings[..*i].contains(h)).map(|_| "two of its columns have the same name; give each its own")
    };
    if let Some(why) = said {
        return Err(unreadable(&path, &CrmError::Plan(format!("{name}: {why}"))));
    }
    let model = app.store.model();
    let guessed = guess(&model, &app.labels, Looked { name: &name, headings: &headings, sample: &sample });
    let objects: Vec<&String> = model.objects.iter().filter(|o| importable(o)).map(|o| &o.name).collect();
    let told: HashMap<&String, &[&str]> = objects.iter().map(|o| (*o, told(o))).filter(|(_, fields)| !fields.is_empty()).collect();
    let makeable: HashMap<&String, Vec<String>> = model.objects.iter().filter(|o| importable(o)).map(|o| (&o.name, makeable(&model, o))).collect();
    let answer = json!({"id": id, "name": name, "rows": rows, "headings": headings, "sample": &sample[..sample.len().min(SHOWN)], "mapping": guessed.mapping, "objects": objects, "told": told, "makeable": makeable, "plan": guessed.plan});
    let now = app.env.now();
    let upload = Upload { path, name, actor: caller.actor.clone(), stem, delimiter, headings, sample, rows, others: Mutex::new(guessed.others), at: now, progress: Mutex::new(Progress { state: "waiting", ..Progress::default() }), stop: AtomicBool::new(false) };
    let mut open = app.imports.open.lock().map_err(|_| Problem::internal("imports"))?;
    let running = |u: &Upload| u.progress.lock().is_ok_and(|p| p.state == "running");
    open.retain(|_, u| now - u.at < WAITS || running(u));
    // Whoever brings one file after the other is done with the earlier ones.
    let own = |u: &Upload| u.actor == upload.actor;
    while open.len() >= MOST || open.values().filter(|u| own(u)).count() >= EACH {
        let finished = |u: &Upload| u.progress.lock().is_ok_and(|p| p.state != "waiting");
        let oldest = open.iter().filter(|(_, u)| own(u) && !running(u)).min_by_key(|(id, u)| (!finished(u), u.at, **id)).map(|(id, _)| *id);
        match oldest {
            Some(id) => drop(open.remove(&id)),
            None => return Err(Problem::wait(WAITS / 4)),
        }
    }
    open.insert(id, Arc::new(upload));
    Ok(answer)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    object: String,
}

/// The proposal for an object that was chosen instead.
pub async fn propose(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, body: Body<Wanted>) -> Result<Json<Js>, Problem> {
    allowed(&caller)?;
    let Wanted { object } = read(body)?;
    let upload = app.imports.of(id, &caller)?;
    let model = app.store.model();
    let object = into(&model, &object)?;
    if let Ok(mut others) = upload.others.lock() {
        others.clear();
    }
    Ok(Json(json!({"mapping": for_object(object, &app.labels, upload.looked())})))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Told {
    mapping: Mapping,
}

/// The object that rows become records of.
fn into<'a>(model: &'a Model, name: &str) -> Result<&'a ObjectDef, Problem> {
    model.object(name).filter(|o| importable(o)).ok_or_else(|| Problem::refused(format!("nothing is imported into '{name}'")))
}

/// One run, dry or not; what it comes to is in the upload's progress as it goes.
fn go(app: &App, upload: &Upload, mapping: &Mapping, actor: String, dry: bool, told: &dyn Fn(&Report) -> bool) -> Result<Report, Problem> {
    let model = app.store.model();
    let object = into(&model, &mapping.object)?;
    if let Some(problem) = mapping.problem(object) {
        return Err(Problem::refused(problem));
    }
    let file = upload.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let plan = mapping.plan(object, &app.labels, &file, &upload.delimiter, &upload.stem, &upload.headings);
    let terms = Terms { actor, dry, go_on: told, on_left: &|_, _| () };
    import_on(&terms, &app.store, &app.env, &plan, &upload.path, &mut |_, _| {}).map_err(|e| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "import", "The file cannot be imported so", e.to_string().replace(&file, &upload.name)))
}

/// A list of those who sign in is brought in by somebody who has just proved who they are.
fn users(app: &App, caller: &Caller, object: &str) -> Result<(), Problem> {
    let opens = app.store.model().object(object).is_some_and(|o| o.doors().next().is_some());
    if opens { caller.proven(app) } else { Ok(()) }
}

fn counts(app: &App, language: Option<&str>, upload: &Upload, report: &Report) -> Js {
    let [created, changed, unchanged] = report.objects.values().fold([0; 3], |sum, n| [sum[0] + n[0], sum[1] + n[1], sum[2] + n[2]]);
    let said = |list: &[Reject], values: bool| -> Vec<Js> { list.iter().map(|r| json!({"row": r.row, "column": r.column, "reason": app.say(language, &r.reason), "values": if values { &r.values[..] } else { &[] }})).collect() };
    let rejects = said(&report.rejects, true);
    json!({"left_out": report.left_out, "left": said(&report.left[..report.left.len().min(SHOWN_LEFT)], false), "undated": report.undated, "currencies": report.currencies, "made": report.objects,
        "rows": upload.rows, "done": report.rows, "created": created, "changed": changed, "unchanged": unchanged, "rejected": report.rejected, "rejects": rejects, "headings": upload.headings})
}

/// What importing would come to, without writing, and what is open about it. What nobody has answered yet may be why it
/// cannot be tried: then the questions are the answer.
pub async fn check(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, headers: HeaderMap, body: Body<Told>) -> Result<Json<Js>, Problem> {
    allowed(&caller)?;
    let Told { mapping } = read(body)?;
    let language = language(&headers);
    blocking(move || {
        let upload = app.imports.of(id, &caller)?;
        let model = app.store.model();
        let others = upload.others.lock().map(|o| o.clone()).unwrap_or_default();
        let asked = model.object(&mapping.object).filter(|o| importable(o)).map(|o| questions(o, &app.labels, upload.looked(), &mapping, app.store.currency(), &others)).unwrap_or_default();
        let (report, problem) = match go(&app, &upload, &mapping, caller.actor.clone(), true, &|_| !app.is_draining()) {
            Ok(report) => (report, None),
            Err(problem) if !asked.is_empty() && problem.status == StatusCode::UNPROCESSABLE_ENTITY => (Report::default(), Some(app.say(language, &problem.detail))),
            Err(problem) => return Err(problem),
        };
        let mut answer = counts(&app, language, &upload, &report);
        answer["questions"] = json!(asked);
        answer["problem"] = json!(problem);
        Ok(Json(answer))
    })
    .await
}

/// Begins importing; how far it is can be asked for.
pub async fn run(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, headers: HeaderMap, body: Body<Told>) -> Result<(StatusCode, Json<Js>), Problem> {
    allowed(&caller)?;
    let Told { mapping } = read(body)?;
    users(&app, &caller, &mapping.object)?;
    let key = idempotency(&caller, &headers, &format!("import {id} {}", json!(mapping)))?;
    blocking(move || {
        let upload = app.imports.of(id, &caller)?;
        into(&app.store.model(), &mapping.object)?;
        {
            let mut progress = upload.progress.lock().map_err(|_| Problem::internal("imports"))?;
            // The same request again: it is told of the same run.
            if let Some(run) = progress.run.filter(|_| key.is_some() && progress.key == key) {
                return Ok((StatusCode::ACCEPTED, Json(json!({"run": run}))));
            }
            if progress.state != "waiting" {
                return Err(Problem::new(StatusCode::CONFLICT, "begun", "This file is being imported already", "Choose the file again to import it another time; rows that are here already change nothing."));
            }
            progress.state = "running";
            progress.key = key;
        }
        let run = app.env.id();
        let mut record = Record::new();
        let mut set = |name: &str, value: Value| drop(record.insert(name.into(), value));
        set("name", Value::Text(upload.name.clone()));
        set("of", Value::Text(mapping.object.clone()));
        set("started_at", Value::Time(app.env.now()));
        if let Some(user) = caller.rights.user {
            set("user", Value::Ref(user));
        }
        let seq = app.store.commit(Commit { actor: caller.actor.clone(), at: app.env.now(), changes: vec![Change::create("import_run", run, record)], key: None })?.seq;
        if let Ok(mut progress) = upload.progress.lock() {
            progress.run = Some(run);
        }
        let late = || Problem::busy("it waited too long for its turn; begin it again");
        tokio::spawn(async move {
            let turn = app.work.turn(&caller.actor, PATIENCE).await;
            let work = move || {
                let told = |report: &Report| {
                    if let Ok(mut progress) = upload.progress.lock() {
                        progress.report = report.clone();
                    }
                    !upload.stop.load(Ordering::Relaxed) && !app.is_draining()
                };
                let import = || go(&app, &upload, &mapping, format!("import:{run}"), false, &told);
                // However it ends, it is told.
                let outcome = match &turn {
                    Ok(_) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(import)).unwrap_or_else(|_| Err(Problem::internal("an import ended before it was done"))),
                    Err(_) => Err(late()),
                };
                finish(&app, &upload, &caller, run, seq, outcome);
            };
            if let Err(e) = std::thread::Builder::new().name("import".into()).spawn(work) {
                eprintln!("northing: an import: {e}");
            }
        });
        Ok((StatusCode::ACCEPTED, Json(json!({"run": run}))))
    })
    .await
}

fn finish(app: &App, upload: &Upload, caller: &Caller, run: Uuid, first: u64, outcome: Result<Report, Problem>) {
    let mut fields = Record::new();
    let int = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let state = match &outcome {
        Ok(report) if report.stopped => "cancelled",
        Ok(_) => "done",
        Err(_) => "failed",
    };
    tracing::info!(actor = caller.actor, run = %run, state, "an import ended");
    let report = match &outcome {
        Ok(report) => report.clone(),
        Err(_) => upload.progress.lock().map(|p| p.report.clone()).unwrap_or_default(),
    };
    let sum = |n: usize| report.objects.values().map(|c| c[n]).sum::<u64>();
    let told = [("rows", report.rows), ("created", sum(0)), ("changed", sum(1)), ("rejected", report.rejected), ("first_seq", first), ("last_seq", app.store.seq())];
    fields.extend(told.map(|(name, n)| (name.to_string(), int(n))));
    fields.insert("status".into(), Value::Text(state.into()));
    fields.insert("ended_at".into(), Value::Time(app.env.now()));
    let written = app.store.commit(Commit { actor: caller.actor.clone(), at: app.env.now(), changes: vec![Change::update("import_run", run, fields)], key: None });
    if let Ok(mut progress) = upload.progress.lock() {
        progress.report = report;
        progress.problem = outcome.err().map(|p| p.detail).or(written.err().map(|e| e.to_string()));
        progress.state = state;
    }
}

/// How far an import is.
pub async fn progress(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Json<Js>, Problem> {
    let language = language(&headers);
    let upload = app.imports.of(id, &caller)?;
    let progress = upload.progress.lock().map_err(|_| Problem::internal("imports"))?;
    let mut answer = counts(&app, language, &upload, &progress.report);
    answer["state"] = progress.state.into();
    answer["problem"] = json!(progress.problem.as_ref().map(|p| app.say(language, p)));
    answer["run"] = json!(progress.run);
    Ok(Json(answer))
}

/// Stops one that runs, after what is written; else forgets the file.
pub async fn cancel(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let upload = app.imports.of(id, &caller)?;
    upload.stop.store(true, Ordering::Relaxed);
    if upload.progress.lock().is_ok_and(|p| p.state != "running") {
        app.imports.open.lock().map_err(|_| Problem::internal("imports"))?.remove(&id);
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Back {
    run: Uuid,
}

/// Takes an import back.
pub async fn take_back(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, body: Body<Back>) -> Result<Json<Js>, Problem> {
    allowed(&caller)?;
    let Back { run } = read(body)?;
    blocking(move || {
        let (record, version) = app.store.get("import_run", run)?;
        users(&app, &caller, record.get("of").and_then(Value::as_text).unwrap_or_default())?;
        let number = |name: &str| match record.get(name) {
            Some(Value::Int(n)) => u64::try_from(*n).ok(),
            _ => None,
        };
        let running = app.imports.open.lock().is_ok_and(|open| open.values().any(|u| u.progress.lock().is_ok_and(|p| p.run == Some(run) && p.state == "running")));
        if running || record.get("status").and_then(Value::as_text) == Some("undone") {
            return Err(Problem::new(StatusCode::CONFLICT, "not-now", "There is nothing to take back", if running { "The import still runs. Stop it first." } else { "It was taken back already." }));
        }
        let first = match number("first_seq") {
            Some(seq) => seq,
            // The server ended while it ran: it began after its own record was made.
            None => app.store.record_log("import_run", run, 1_000)?.last().map_or(0, |e| e.seq),
        };
        let last = number("last_seq").unwrap_or_else(|| app.store.seq());
        let by = format!("import:{run}");
        let undone = undo(&app.store, &app.env, &caller.actor, &|entry| entry.actor == by, first, last).map_err(Problem::internal)?;
        let state = Record::from([("status".to_string(), Value::Text("undone".into()))]);
        app.store.commit(Commit { actor: caller.actor.clone(), at: app.env.now(), changes: vec![Change::update("import_run", run, state).at_version(version)], key: None })?;
        Ok(Json(json!({"taken_back": undone.taken_back, "kept": undone.kept})))
    })
    .await
}
