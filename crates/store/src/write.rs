//! The one write path: a thread that takes commits from a queue and writes as many as wait in one transaction.

use crate::change::{Change, Commit, Committed, Moment, Op};
use crate::row::{bind, quote};
use crate::declare::{self, Declared};
use crate::{Inner, Result, Store, StoreError, checks, exclusive, fill, log, read, sessions, texts};
use northing_model::{FieldDef, FieldType, Model, ObjectDef, Physical, Record, Value};
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde_json::json;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use uuid::Uuid;

pub(crate) type Effect = Box<dyn FnOnce(&Connection) -> Result<()> + Send>;

pub(crate) enum Job {
    Commit(Commit, SyncSender<Result<Committed>>),
    /// Something beside the records: sessions, expiry of keys.
    Effect(Effect, SyncSender<Result<Committed>>),
}

/// At most that many commits share one transaction (and its one sync to disk).
const GROUP: usize = 256;

impl Store {
    /// Writes a set of changes: all or none. Returns when they are on disk.
    pub fn commit(&self, commit: Commit) -> Result<Committed> {
        self.send(|answer| Job::Commit(commit, answer))
    }

    /// What was answered to a request under this key; another request under it is refused.
    pub fn answered(&self, key: &str, hash: &str) -> Result<Option<Committed>> {
        self.read(|c| remembered(c, key, hash))
    }

    /// Requests that wait for the writer or are being written.
    pub fn waiting(&self) -> usize {
        self.inner.waiting.load(Ordering::Relaxed)
    }

    pub(crate) fn effect(&self, f: impl FnOnce(&Connection) -> Result<()> + Send + 'static) -> Result<()> {
        self.send(|answer| Job::Effect(Box::new(f), answer)).map(|_| ())
    }

    fn send(&self, job: impl FnOnce(SyncSender<Result<Committed>>) -> Job) -> Result<Committed> {
        let (answer, wait) = sync_channel(1);
        let sender = self.inner.writer.lock().ok().and_then(|w| w.clone());
        let sender = sender.ok_or_else(|| StoreError::ReadOnly("it is shutting down".into()))?;
        self.inner.waiting.fetch_add(1, Ordering::Relaxed);
        let sent = sender.send(job(answer)).map_err(|_| StoreError::ReadOnly("the writer has stopped".into()));
        let answered = sent.and_then(|()| wait.recv().map_err(|_| StoreError::ReadOnly("the writer has stopped".into()))?);
        self.inner.waiting.fetch_sub(1, Ordering::Relaxed);
        answered
    }
}

pub(crate) fn run(mut connection: Connection, jobs: &Receiver<Job>, store: &Weak<Inner>) {
    while let Ok(first) = jobs.recv() {
        let Some(inner) = store.upgrade() else { return };
        let mut group = vec![first];
        while group.len() < GROUP {
            let Ok(job) = jobs.try_recv() else { break };
            group.push(job);
        }
        write_group(&mut connection, group, &inner);
    }
}

fn write_group(connection: &mut Connection, group: Vec<Job>, inner: &Arc<Inner>) {
    // In this order: what is told in between is looked for in the log.
    let told = inner.told();
    let mut declared = inner.declared();
    let trial = inner.trial.read().ok().and_then(|t| t.clone());
    let mut seq = 0;
    let mut answers = Vec::new();
    let mut redefined = false;
    let mut telling = None;
    let mut group = group.into_iter();
    let outcome: Result<()> = (|| {
        let mut tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        // Another process (an import beside the server) may have written since; the lock is ours from here on.
        seq = log::last_seq(&tx)?;
        if declare::changed(&tx, told, seq)? {
            declared = declare::load(&tx)?;
            redefined = true;
        }
        for job in group.by_ref() {
            let mut point = tx.savepoint()?;
            let (result, answer) = match job {
                Job::Commit(commit, answer) => {
                    let mut state = seq;
                    let done = if inner.room.open() { apply(&point, &declared, &commit, &mut state, trial.as_ref()) } else { Err(StoreError::Full) };
                    let result = done.map(|(done, new)| {
                        seq = state;
                        if let Some(new) = new {
                            declared = new;
                            redefined = true;
                        }
                        done
                    });
                    (result, answer)
                }
                Job::Effect(effect, answer) => {
                    (effect(&point).map(|()| Committed { seq, versions: Vec::new() }), answer)
                }
            };
            let failed = result.is_err();
            answers.push((answer, result.map_err(|e| inner.room.look(e))));
            if failed {
                point.rollback()?;
            }
            point.commit()?;
        }
        telling = inner.telling.lock().ok();
        tx.commit()?;
        Ok(())
    })();
    if let Err(error) = outcome {
        let error = inner.room.look(error);
        let full = matches!(error, StoreError::Full) || answers.iter().any(|(_, result)| matches!(result, Err(StoreError::Full)));
        let words = error.to_string();
        let rest = group.map(|job| match job {
            Job::Commit(_, answer) | Job::Effect(_, answer) => answer,
        });
        for answer in answers.into_iter().map(|(answer, _)| answer).chain(rest) {
            let _ = answer.send(Err(if full { StoreError::Full } else { StoreError::ReadOnly(words.clone()) }));
        }
        return;
    }
    if redefined {
        inner.set_declared(declared);
    }
    inner.set_seq(seq);
    drop(telling);
    for (answer, result) in answers {
        // A caller that has gone away does not need its answer.
        let _ = answer.send(result);
    }
}

/// Writes a commit, and what it declares; the declarations then in force, where they changed.
fn apply(connection: &Connection, declared: &Declared, commit: &Commit, seq: &mut u64, trial: Option<&declare::Trial>) -> Result<(Committed, Option<Declared>)> {
    let model = &declared.model;
    if let Some((key, hash)) = &commit.key {
        if let Some(answer) = remembered(connection, key, hash)? {
            return Ok((answer, None));
        }
    }
    let mut versions = Vec::with_capacity(commit.changes.len());
    let mut known: HashSet<Uuid> = commit.changes.iter().filter(|c| c.op == Op::Create).map(|c| c.id).collect();
    for change in &commit.changes {
        let object = model.object(&change.object).filter(|o| !o.derived).ok_or_else(|| StoreError::Invalid {
            object: change.object.clone(),
            field: "object".into(),
            problem: "there is no such object".into(),
        })?;
        if let Some(version) = apply_one(connection, model, object, change, commit, &mut known, seq)? {
            versions.push((change.id, version));
        }
    }
    let declares = commit.changes.iter().any(|c| c.object == "definition");
    let now = if declares { Some(declare::take_over(connection, declared, commit, seq, trial)?) } else { None };
    let answer = Committed { seq: *seq, versions };
    if let Some((key, hash)) = &commit.key {
        let text = json!({"seq": answer.seq, "versions": answer.versions}).to_string();
        keep_answer(connection, key, hash, &text, commit.at)?;
    }
    Ok((answer, now))
}

/// How long an answer is kept for whoever asks again with its key, in seconds.
const ANSWERS: i64 = 2 * 86_400;

/// Keeps the answer to a request under its key, and lets go of at most two that are old: so there are never many.
pub(crate) fn keep_answer(connection: &Connection, key: &str, hash: &str, answer: &str, at: i64) -> Result<()> {
    connection.prepare_cached("insert into idempotency (key, hash, at, answer) values (?1, ?2, ?3, ?4) on conflict (key) do update set at = ?3, answer = ?4")?.execute(params![key, hash, at, answer])?;
    connection.prepare_cached("delete from idempotency where at < ?1 and rowid in (select rowid from idempotency order by rowid limit 2)")?.execute([at - ANSWERS])?;
    Ok(())
}

/// The answer that was given to this key; another request under it is refused.
pub(crate) fn kept_answer(connection: &Connection, key: &str, hash: &str) -> Result<Option<String>> {
    let found: Option<(String, String)> = connection
        .prepare_cached("select hash, answer from idempotency where key = ?1")?
        .query_row([key], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    match found {
        Some((stored, _)) if stored != hash => Err(StoreError::KeyReused),
        found => Ok(found.map(|(_, answer)| answer)),
    }
}

fn remembered(connection: &Connection, key: &str, hash: &str) -> Result<Option<Committed>> {
    let Some(answer) = kept_answer(connection, key, hash)? else { return Ok(None) };
    let json: serde_json::Value = serde_json::from_str(&answer).map_err(|_| StoreError::Corrupt("idempotency".into()))?;
    let seq = json["seq"].as_u64().unwrap_or(0);
    let versions = serde_json::from_value(json["versions"].clone()).unwrap_or_default();
    Ok(Some(Committed { seq, versions }))
}

/// Writes one change; `None` when it changed nothing.
fn apply_one(
    connection: &Connection,
    model: &Model,
    object: &ObjectDef,
    change: &Change,
    commit: &Commit,
    known: &mut HashSet<Uuid>,
    seq: &mut u64,
) -> Result<Option<u64>> {
    let existing = if change.op == Op::Create { None } else { read::row(connection, object, change.id)? };
    let missing = || StoreError::NotFound { object: object.name.clone(), id: change.id.to_string() };
    let (before, version, deleted) = match (change.op, existing) {
        (Op::Create, _) => (None, 0, false),
        (Op::Restore, Some((record, version, true))) => (Some(record), version, true),
        (Op::Update | Op::Delete, Some((record, version, false))) => (Some(record), version, false),
        _ => return Err(missing()),
    };
    if let Some(expected) = change.expected.filter(|e| *e != version) {
        return Err(StoreError::Conflict { object: object.name.clone(), id: change.id.to_string(), expected, actual: version });
    }
    let mut after = before.clone().unwrap_or_default();
    for (name, value) in &change.fields {
        let field = object.field(name).filter(|f| !f.derived).ok_or_else(|| invalid(object, name, "there is no such field"))?;
        check_value(connection, object, field, value, change.id, known)?;
        after.insert(name.clone(), value.clone());
    }
    let touched = |field: &str| change.op == Op::Create || change.fields.contains_key(field);
    if matches!(change.op, Op::Create | Op::Update) {
        fill::from_others(connection, model, object, &mut after, &touched)?;
        fill::by_rule(connection, model, object, before.as_ref(), &mut after, &|field| change.fields.contains_key(field))?;
    }
    if change.op == Op::Create {
        defaults(object, &mut after);
    }
    // A blank text is no value: the log is read so.
    after.retain(|_, v| !v.is_null() && v.as_text().is_none_or(|t| !t.trim().is_empty()));
    if change.op == Op::Create && !change.fields.contains_key("created_at") {
        after.insert("created_at".into(), Value::Time(commit.at));
    }
    // What was never there before a field was declared as required is asked for when somebody touches it, not before.
    let asked = |f: &&FieldDef| f.required && (before.as_ref().is_none_or(|b| b.contains_key(&f.name)) || change.fields.contains_key(&f.name));
    for field in object.stored_fields().filter(asked) {
        if !after.contains_key(&field.name) {
            return Err(invalid(object, &field.name, "a value is required"));
        }
    }
    let moments = moments(object, change, before.as_ref(), &after, commit.at);
    settle_history(connection, object, change.id, &moments, &mut after)?;
    if change.op != Op::Delete {
        exclusive::fill_end(connection, object, &mut after)?;
    }
    if change.op == Op::Restore && external_id_is_taken(connection, object, &after)? {
        // Another record has come under it since. This one comes back without, and is not told of the other.
        after.remove("external_id");
    }
    let unchanged = before.as_ref().is_some_and(|b| *b == after) && !deleted && change.op == Op::Update;
    if unchanged && moments.is_empty() {
        return Ok(None);
    }
    if change.op != Op::Delete {
        checks::Written { connection, model, object, record: &after, touched: &touched, at: commit.at }.check()?;
        exclusive::check(connection, object, change.id, &after)?;
    }
    after.insert("updated_at".into(), Value::Time(commit.at));
    let version = version + 1;
    match change.op {
        Op::Create => insert(connection, object, change.id, &after)?,
        Op::Delete => {
            let sql = format!("update {} set deleted = 1, version = ?2 where id = ?1", quote(&object.name));
            connection.prepare_cached(&sql)?.execute(params![change.id.to_string(), version as i64])?;
        }
        Op::Update | Op::Restore => update(connection, object, change.id, version, &after)?,
    }
    let (was, is) = (before.as_ref().filter(|_| !deleted), Some(&after).filter(|_| change.op != Op::Delete));
    texts::keep(connection, object, change.id, was, is)?;
    if change.op != Op::Create && object.doors().any(|f| change.op != Op::Update || before.as_ref().and_then(|b| b.get(&f.name)) != after.get(&f.name)) {
        sessions::end_all(connection, &change.id.to_string())?;
    }
    *seq += 1;
    log::append(connection, *seq, commit, object, change, version, before.as_ref(), &after, &moments)?;
    for moment in &moments {
        connection
            .prepare_cached("insert into history (object, id, field, at, value, seq) values (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![object.name, change.id.to_string(), moment.field, moment.at, moment.value.to_json().to_string(), *seq as i64])?;
    }
    known.insert(change.id);
    Ok(Some(version))
}

/// Declared defaults for what a new record does not say; an explicit null stays empty.
fn defaults(object: &ObjectDef, record: &mut Record) {
    let Some(euro) = northing_model::Currency::parse("EUR") else { return };
    for field in object.stored_fields() {
        let Some(default) = field.default.as_ref().filter(|_| !record.contains_key(&field.name)) else { continue };
        if let Ok(value) = field.read(default, euro) {
            record.insert(field.name.clone(), value);
        }
    }
}

/// The moments to keep: those given, and one for every changed history field without. A record that says itself when
/// it was made, before now, had what it has at first since then only where that is how every such record begins; since
/// when it has had anything else nobody said, so it is unknown.
fn moments(object: &ObjectDef, change: &Change, before: Option<&Record>, after: &Record, now: i64) -> Vec<Moment> {
    let mut kept = change.moments.clone();
    if change.op == Op::Delete || change.op == Op::Restore {
        return kept;
    }
    for field in object.history_fields() {
        if kept.iter().any(|m| m.field == field.name) {
            continue;
        }
        let value = after.get(&field.name).cloned().unwrap_or_default();
        let old = before.and_then(|b| b.get(&field.name)).cloned().unwrap_or_default();
        if value == old {
            continue;
        }
        let at = match (before, after.get("created_at")) {
            (None, Some(Value::Time(t))) if *t >= now || begins_as(field, &value) => Some(*t),
            (None, _) => None,
            (Some(_), _) => Some(now),
        };
        kept.push(Moment { field: field.name.clone(), at, value });
    }
    kept
}

/// Is this what the field holds in every new record?
fn begins_as(field: &FieldDef, value: &Value) -> bool {
    let unused = northing_model::Currency::parse("EUR");
    field.default.as_ref().zip(unused).is_some_and(|(default, unused)| field.read(default, unused).is_ok_and(|first| first == *value))
}

/// A history field shows the value of its latest moment, whatever order they were entered in.
fn settle_history(connection: &Connection, object: &ObjectDef, id: Uuid, moments: &[Moment], after: &mut Record) -> Result<()> {
    for field in object.history_fields() {
        let mut latest: Option<&Moment> = None;
        for moment in moments.iter().filter(|m| m.field == field.name) {
            if latest.is_none_or(|l| moment.at >= l.at) {
                latest = Some(moment);
            }
        }
        let Some(latest) = latest else { continue };
        let stored: Option<Option<i64>> = connection
            .prepare_cached("select max(at) from history where object = ?1 and id = ?2 and field = ?3")?
            .query_row(params![object.name, id.to_string(), field.name], |r| r.get(0))
            .optional()?;
        if stored.flatten().is_none_or(|s| latest.at.is_some_and(|a| a >= s)) {
            if latest.value.is_null() {
                after.remove(&field.name);
            } else {
                after.insert(field.name.clone(), latest.value.clone());
            }
        } else if let Some(value) = read::latest_moment(connection, object, id, field)? {
            after.insert(field.name.clone(), value);
        }
    }
    Ok(())
}

fn check_value(
    connection: &Connection,
    object: &ObjectDef,
    field: &FieldDef,
    value: &Value,
    id: Uuid,
    known: &mut HashSet<Uuid>,
) -> Result<()> {
    let fits = matches!(
        (field.kind.physical(), value),
        (_, Value::Null)
            | (Physical::Int, Value::Int(_))
            | (Physical::Decimal, Value::Decimal(_))
            | (Physical::Money, Value::Money(_))
            | (Physical::Text, Value::Text(_) | Value::Shares(_))
            | (Physical::Date, Value::Date(_))
            | (Physical::Time, Value::Time(_))
            | (Physical::Bool, Value::Bool(_))
            | (Physical::Ref, Value::Ref(_))
            | (Physical::List, Value::List(_))
    );
    if !fits {
        return Err(invalid(object, &field.name, format!("cannot hold {value:?}")));
    }
    northing_model::value::believable(value).map_err(|why| invalid(object, &field.name, why))?;
    if let (Value::Text(text), FieldType::Phone) = (value, field.kind) {
        // The one kind of text that importers hand on as they find it.
        field.read_text(text, northing_model::Currency::parse("EUR").ok_or_else(|| StoreError::Corrupt("currencies".into()))?).map_err(|e| invalid(object, &field.name, e))?;
    }
    if let (Value::Ref(target), Some(to)) = (value, field.to.as_deref()) {
        if !known.contains(target) {
            let sql = format!("select 1 from {} where id = ?1", quote(to));
            let there: Option<i64> = connection.prepare_cached(&sql)?.query_row([target.to_string()], |r| r.get(0)).optional()?;
            if there.is_none() {
                return Err(invalid(object, &field.name, format!("there is no {to} with the id {target}")));
            }
            // Enough to spare most look-ups of a bulk load, small enough to forget.
            if known.len() < 100_000 {
                known.insert(*target);
            }
        }
        if field.name == "merged_into" {
            check_merge(connection, object, id, *target)?;
        }
    }
    if let (Value::Text(zone), "zone", "workspace" | "schedule") = (value, field.name.as_str(), object.name.as_str()) {
        if northing_model::Zone::parse(zone).is_none() {
            return Err(invalid(object, "zone", format!("'{zone}' is not a time zone; write one like Europe/Warsaw")));
        }
    }
    Ok(())
}
fn check_merge(connection: &Connection, object: &ObjectDef, loser: Uuid, winner: Uuid) -> Result<()> {
    let sql = format!("select merged_into from {} where id = ?1", quote(&object.name));
    let mut at = winner;
    for _ in 0..100 {
        if at == loser {
            return Err(invalid(object, "merged_into", "a record cannot be merged into itself or into one that was merged into it"));
        }
        let next: Option<Option<String>> = connection.prepare_cached(&sql)?.query_row([at.to_string()], |r| r.get(0)).optional()?;
        match next.flatten().and_then(|t| Uuid::parse_str(&t).ok()) {
            Some(id) => at = id,
            None => return Ok(()),
        }
    }
    Err(invalid(object, "merged_into", "too long a chain of merges"))
}

fn insert(connection: &Connection, object: &ObjectDef, id: Uuid, record: &Record) -> Result<()> {
    let fields: Vec<&FieldDef> = object.stored_fields().collect();
    let mut columns = String::from("id, version");
    let mut marks = String::from("?1, 1");
    let mut values = vec![rusqlite::types::Value::Text(id.to_string())];
    for field in fields {
        let first = values.len();
        bind(field, record.get(&field.name), &mut values);
        for (i, n) in (first + 1..=values.len()).enumerate() {
            let suffix = if i == 1 { "__currency" } else { "" };
            columns.push_str(", ");
            columns.push_str(&quote(&format!("{}{suffix}", field.column())));
            marks.push_str(&format!(", ?{n}"));
        }
    }
    let sql = format!("insert into {} ({columns}) values ({marks})", quote(&object.name));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values)).map_err(|e| constraint(object, record, e))?;
    Ok(())
}

pub(crate) fn update(connection: &Connection, object: &ObjectDef, id: Uuid, version: u64, record: &Record) -> Result<()> {
    let mut sets = String::from("version = ?2, deleted = 0");
    let mut values = vec![rusqlite::types::Value::Text(id.to_string()), rusqlite::types::Value::Integer(version as i64)];
    for field in object.stored_fields() {
        let first = values.len();
        bind(field, record.get(&field.name), &mut values);
        for (i, n) in (first + 1..=values.len()).enumerate() {
            let suffix = if i == 1 { "__currency" } else { "" };
            sets.push_str(&format!(", {} = ?{n}", quote(&format!("{}{suffix}", field.column()))));
        }
    }
    let sql = format!("update {} set {sets} where id = ?1", quote(&object.name));
    connection.prepare_cached(&sql)?.execute(params_from_iter(values)).map_err(|e| constraint(object, record, e))?;
    Ok(())
}

fn external_id_is_taken(connection: &Connection, object: &ObjectDef, record: &Record) -> Result<bool> {
    let Some(external) = record.get("external_id").and_then(Value::as_text) else { return Ok(false) };
    let sql = format!("select exists (select 1 from {} where external_id = ?1 and not deleted)", quote(&object.name));
    Ok(connection.prepare_cached(&sql)?.query_row([external], |r| r.get(0))?)
}

fn constraint(object: &ObjectDef, record: &Record, error: rusqlite::Error) -> StoreError {
    if let rusqlite::Error::SqliteFailure(code, _) = &error {
        if code.code == rusqlite::ErrorCode::ConstraintViolation {
            let what = record.get("external_id").and_then(Value::as_text).unwrap_or("this id");
            return invalid(object, "external_id", format!("'{what}' belongs to another {} already", object.name));
        }
    }
    error.into()
}

pub(crate) fn invalid(object: &ObjectDef, field: &str, problem: impl Into<String>) -> StoreError {
    StoreError::Invalid { object: object.name.clone(), field: field.to_string(), problem: problem.into() }
}

