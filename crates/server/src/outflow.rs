//! How many records go out to whom, and an alarm when they are more than a business takes in a day: what a stolen
//! token or session is used for. Whoever sees everything and may change settings sees it; a program's token may not
//! silence it. It counts, and never stands in the way of an answer.

use crate::app::{App, Caller, blocking};
use crate::guard;
use crate::extract::{JsonBody, Path};
use crate::problem::Problem;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use northing_facts::Snapshot;
use northing_model::value::time_text;
use northing_store::Taken;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The setting of the workspace that says how many within a day.
pub const SETTING: &str = "export_alarm";
/// What somebody scrolls past is more than what they take along: so many times the limit.
const SCREENS: i64 = 10;
/// What is shown is counted in memory and written together: once it is this part of the limit, or so many seconds old.
const PART: i64 = 20;
const SECONDS: i64 = 60;
/// Told at a time.
const MOST: usize = 300;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// A whole list in one answer.
    File,
    /// Pages, to a program.
    Program,
    /// Pages, to a person.
    Screen,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Program => "program",
            Self::Screen => "screen",
        }
    }

    /// Records within a day above which there is an alarm.
    fn limit(self, most: i64) -> i64 {
        if self == Self::Screen { most.saturating_mul(SCREENS) } else { most }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    actor: String,
    program: String,
    way: Way,
    object: String,
}

struct Pending {
    rows: i64,
    times: i64,
    since: i64,
}

#[derive(Default)]
pub struct Outflow {
    /// Not written yet.
    pending: Mutex<HashMap<Key, Pending>>,
    /// Moves with every alarm, and when one is dealt with: open screens ask again.
    pub edition: AtomicU64,
}

fn most(snapshot: &Snapshot) -> i64 {
    snapshot.settings.number(SETTING).unwrap_or(i64::MAX)
}

impl App {
    /// Records on a page that the caller got, by object.
    pub fn showed<'a>(&self, caller: &Caller, objects: impl IntoIterator<Item = &'a str>) {
        let mut by_object: BTreeMap<&str, i64> = BTreeMap::new();
        objects.into_iter().for_each(|o| *by_object.entry(o).or_default() += 1);
        let way = if caller.program.is_some() { Way::Program } else { Way::Screen };
        by_object.into_iter().for_each(|(object, rows)| self.went_out(caller, way, object, rows));
    }

    /// So many records of an object went out to the caller.
    pub fn went_out(&self, caller: &Caller, way: Way, object: &str, rows: i64) {
        let (now, most) = (self.env.now(), most(&self.whole.feed.now()));
        let key = Key { actor: caller.actor.clone(), program: caller.program.clone().unwrap_or_default(), way, object: object.into() };
        let due: Vec<(Key, Pending)> = {
            let Ok(mut pending) = self.outflow.pending.lock() else { return };
            let own = pending.entry(key).or_insert(Pending { rows: 0, times: 0, since: now });
            own.rows += rows;
            own.times += 1;
            // Also that of others who have not come back since.
            pending.extract_if(|key, p| key.way == Way::File || p.rows.saturating_mul(PART) >= key.way.limit(most) || now - p.since >= SECONDS).collect()
        };
        for (key, p) in due {
            let limit = key.way.limit(most);
            let (again, kept) = (key.clone(), (p.rows, p.times));
            let taken = Taken { actor: key.actor, way: key.way.name().into(), program: key.program, object: key.object, rows: p.rows, times: p.times, at: now };
            let whose = taken.actor.clone();
            match self.store.add_taken(taken, limit) {
                Ok(true) => {
                    tracing::warn!(actor = whose, way = key.way.name(), limit, "alarm: more records than the limit within a day; see Exports");
                    self.outflow.edition.fetch_add(1, Ordering::Relaxed);
                }
                Ok(false) => {}
                // Reading goes on when nothing can be written.
                Err(e) => {
                    tracing::warn!(actor = whose, "what went out could not be noted yet: {e}");
                    if let Ok(mut pending) = self.outflow.pending.lock() {
                        let own = pending.entry(again).or_insert(Pending { rows: 0, times: 0, since: now });
                        (own.rows, own.times) = (own.rows + kept.0, own.times + kept.1);
                    }
                }
            }
        }
    }

    /// What somebody is called, by the name under which they act.
    fn called(&self, actor: &str) -> Option<String> {
        let (user, _) = self.store.get("user", Uuid::parse_str(actor).ok()?).ok()?;
        user.get("name").and_then(|v| v.as_text()).map(str::to_string)
    }
}

/// Those who see everything and may change settings.
pub fn watches(caller: &Caller) -> bool {
    caller.rights.settings() && caller.place.view.is_none()
}

fn permitted(caller: &Caller) -> Result<(), Problem> {
    if watches(caller) { Ok(()) } else { Err(Problem::forbidden("what went out is shown to those who see all records and may change settings")) }
}

/// The alarms, and what went out in the last days, newest first.
pub async fn told(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Js>, Problem> {
    permitted(&caller)?;
    blocking(move || {
        let mut names: HashMap<String, Option<String>> = HashMap::new();
        let mut name = |actor: &str| names.entry(actor.to_string()).or_insert_with(|| app.called(actor)).clone();
        let mut alarms = Vec::new();
        for a in app.store.alarms(MOST)? {
            let seen = a.seen_at.zip(a.seen_by.as_deref()).map(|(at, by)| json!({"at": time_text(at), "by": by, "name": name(by)}));
            alarms.push(json!({"id": a.id, "at": time_text(a.at), "actor": a.actor, "name": name(&a.actor), "way": a.way, "program": a.program, "rows": a.rows, "seen": seen}));
        }
        let mut taken = Vec::new();
        for t in app.store.taken(MOST)? {
            taken.push(json!({"at": time_text(t.at), "actor": t.actor, "name": name(&t.actor), "way": t.way, "program": t.program, "object": t.object, "rows": t.rows, "times": t.times}));
        }
        Ok(Json(json!({"limit": most(&app.whole.feed.now()), "screens": SCREENS, "days": northing_store::KEPT_DAYS, "alarms": alarms, "taken": taken})))
    })
    .await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dealt {
    /// End all that the person and their programs are signed in with.
    #[serde(default)]
    end: bool,
}

/// An alarm is dealt with: it was right so, or what it was taken with has ended.
pub async fn deal_with(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, Path(id): Path<i64>, JsonBody(body): JsonBody<Dealt>) -> Result<StatusCode, Problem> {
    permitted(&caller)?;
    let Some(own) = guard::cookie(&app, &headers).filter(|_| caller.program.is_none()) else { return Err(Problem::forbidden("a program's token cannot put an alarm away")) };
    blocking(move || {
        let actor = app.store.see_alarm(id, &caller.actor, app.env.now())?.ok_or_else(|| Problem::not_found(format!("there is no alarm {id}")))?;
        if body.end {
            // One's own browser stays: who puts the alarm away sits at it.
            app.store.end_sessions(&actor, &own, true)?;
        }
        app.outflow.edition.fetch_add(1, Ordering::Relaxed);
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}
