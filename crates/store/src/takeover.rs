//! Gives declarations of workspaces made before names of one's own had a prefix their new names, everywhere that the old
//! ones stand: tables, columns, indexes, history, log, and the records that name them. In the transaction of whoever brings the workspace up to date.

use crate::change::{Change, Commit};
use crate::row::{column_sql, quote};
use crate::{Result, StoreError, declare, log, migrate, read, texts, write};
use northing_model::own::rename::Renames;
use northing_model::own::Definition;
use northing_model::{FieldDef, Model, Physical, Record, Value};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The store's own tables. An object that was called like one that was there before it never had one of its own.
const SYSTEM: [&str; 17] =
    ["change", "history", "idempotency", "session", "sign_in", "credential", "token", "identity", "said", "vocabulary", "wording", "worded", "trial", "session_end", "taken", "alarm", "own_column"];
/// Columns that every record's table has.
const SYSTEM_COLUMNS: [&str; 3] = ["id", "version", "deleted"];

/// Before steps make tables of the store's own: puts those of people's objects that stand in their places aside.
pub(crate) fn make_room(connection: &Connection) -> Result<()> {
    for name in SYSTEM {
        let first: Option<String> = connection.query_row("select group_concat(name) from (select name from pragma_table_info(?1) order by cid limit 3)", [name], |r| r.get(0))?;
        if first.as_deref() == Some("id,version,deleted") {
            connection.execute_batch(&format!("alter table {} rename to {}", quote(name), quote(&place(name))))?;
        }
    }
    Ok(())
}

/// The table of an object by its old name.
fn place(object: &str) -> String {
    if SYSTEM.contains(&object) { format!("{object} aside") } else { object.to_string() }
}

/// Is there a declaration that gets a new name?
pub(crate) fn waits(connection: &Connection) -> Result<bool> {
    Ok(!Renames::of(&definitions(connection)?.1).is_empty())
}

pub(crate) fn run(connection: &Connection) -> Result<()> {
    let (ids, definitions, gone) = definitions(connection)?;
    let renames = Renames::of(&definitions);
    if renames.is_empty() {
        return Ok(());
    }
    // What is in use is checked as a whole, without what was deleted.
    let (gone, kept) = definitions.split_at(gone);
    let new = [renames.apply(gone), renames.apply(kept)].concat();
    for (id, definition) in ids.iter().zip(&new) {
        connection.execute("update definition set name = ?2, body = ?3 where id = ?1", params![id.to_string(), definition.name, definition.body])?;
    }
    let mut held = Vec::new();
    for (object, fields) in &renames.fields {
        columns(connection, &renames, object, fields, &mut held)?;
    }
    for (old, now) in &renames.objects {
        table(connection, old, now)?;
    }
    kept_texts(connection, &renames)?;
    let declared = declare::load(connection)?;
    for object in declared.model.objects.iter().filter(|o| !o.derived) {
        migrate::table(connection, object)?;
    }
    let at: i64 = connection.query_row("select coalesce(max(at), 0) from change", [], |r| r.get(0))?;
    let mut seq = log::last_seq(connection)?;
    let commit = Commit { actor: "northing".into(), at, changes: Vec::new(), key: None };
    for (object, field) in held {
        let text = serde_json::to_string(&field).unwrap_or_default();
        connection.execute("insert into own_column (object, field, declared) values (?1, ?2, ?3) on conflict do nothing", params![object, field.name, text])?;
    }
    // What stands in a column of an earlier type than it was last declared with is read as that.
    declare::bring_all(connection, &declared.model, &commit, &mut seq)?;
    records(connection, &declared.model, &renames, &commit, &mut seq)?;
    let definition = declared.model.object("definition").ok_or_else(|| StoreError::Corrupt("the model".into()))?;
    for ((id, old), new) in ids.iter().zip(&definitions).zip(&new) {
        if let Some((record, version, deleted)) = read::row(connection, definition, *id)?.filter(|_| old != new) {
            let mut before = record.clone();
            before.insert("name".into(), Value::Text(old.name.clone()));
            before.insert("body".into(), Value::Text(old.body.clone()));
            write_record(connection, definition, *id, version, deleted, &before, record, &commit, &mut seq)?;
        }
    }
    Ok(())
}

/// All declarations there ever were, first so many that were deleted: they lie in the file under their old names too.
fn definitions(connection: &Connection) -> Result<(Vec<Uuid>, Vec<Definition>, usize)> {
    let exists: Option<i64> = connection.query_row("select 1 from sqlite_master where type = 'table' and name = 'definition'", [], |r| r.get(0)).optional()?;
    if exists.is_none() {
        return Ok(Default::default());
    }
    let mut statement = connection.prepare("select id, kind, name, body, deleted from definition order by deleted desc, rowid")?;
    let mut rows = statement.query([])?;
    let (mut ids, mut found, mut gone) = (Vec::new(), Vec::new(), 0);
    while let Some(r) = rows.next()? {
        gone += usize::from(r.get::<_, i64>(4)? != 0);
        ids.push(Uuid::parse_str(&r.get::<_, String>(0)?).map_err(|_| StoreError::Corrupt("id".into()))?);
        found.push(Definition { kind: r.get(1)?, name: r.get(2)?, body: r.get(3)? });
    }
    Ok((ids, found, gone))
}

/// The columns of a table with their types.
fn present(connection: &Connection, table: &str) -> Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare("select name, lower(type) from pragma_table_info(?1)")?;
    Ok(statement.query_map([table], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// Gives the columns of one object's fields their new names, by the type that they have.
fn columns(connection: &Connection, renames: &Renames, object: &str, fields: &BTreeMap<String, String>, held: &mut Vec<(String, FieldDef)>) -> Result<()> {
    let table = place(object);
    let there = present(connection, &table)?;
    if !there.contains_key("version") {
        return Ok(());
    }
    for old in fields.keys().filter(|f| !SYSTEM_COLUMNS.contains(&f.as_str())) {
        let Some(sort) = there.get(old) else { continue };
        let known = renames.declared.get(&(object.to_string(), old.clone())).into_iter().flatten();
        let fits = |f: &&FieldDef| column_sql("", f.kind.physical()).ends_with(sort.as_str()) && (f.kind.physical() == Physical::Money) == there.contains_key(&format!("{old}__currency"));
        let Some(field) = known.clone().find(fits).or_else(|| known.clone().find(|f| column_sql("", f.kind.physical()).ends_with(sort.as_str()) && f.kind.physical() != Physical::Money)) else { continue };
        let move_to = |from: &str, to: &str| connection.execute_batch(&format!("alter table {} rename column {} to {}", quote(&table), quote(from), quote(to)));
        if field.kind.physical() == Physical::Money {
            move_to(&format!("{old}__currency"), &format!("{}__currency", field.column()))?;
        }
        move_to(old, &field.column())?;
        held.push((renames.object(object), field.clone()));
    }
    Ok(())
}

/// Gives a table its new name. One that stood in for a table of the system has none; what it let into that goes, and
/// everybody signs in again.
fn table(connection: &Connection, old: &str, now: &str) -> Result<()> {
    if matches!(old, "session" | "sign_in" | "token" | "credential" | "identity") {
        connection.execute_batch("delete from session; delete from sign_in; delete from token;")?;
    }
    let there = place(old);
    if !present(connection, &there)?.contains_key("version") {
        return Ok(());
    }
    let indexes = ["_external", "__exclusive", "__title"].map(|end| format!("drop index if exists {};", quote(&format!("{old}{end}")))).concat();
    connection.execute_batch(&format!("{indexes} alter table {} rename to {};", quote(&there), quote(now)))?;
    Ok(())
}

/// History, log, the index of words and what was counted.
fn kept_texts(connection: &Connection, renames: &Renames) -> Result<()> {
    for (object, fields) in &renames.fields {
        for (old, now) in fields {
            connection.execute("update history set field = ?3 where object = ?1 and field = ?2", params![object, old, now])?;
            connection.execute("update wording set field = ?3 where object = ?1 and field = ?2", params![object, old, now])?;
        }
        let keys = |text: Option<String>| -> Option<String> {
            let text = text?;
            let Ok(Json::Object(map)) = serde_json::from_str::<Json>(&text) else { return Some(text) };
            Some(Json::Object(map.into_iter().map(|(k, v)| (fields.get(&k).cloned().unwrap_or(k), v)).collect()).to_string())
        };
        let moved = |text: Option<String>| -> Option<String> {
            let text = text?;
            let Ok(mut list) = serde_json::from_str::<Vec<(String, Json, Json)>>(&text) else { return Some(text) };
            list.iter_mut().for_each(|m| m.0 = fields.get(&m.0).cloned().unwrap_or_else(|| m.0.clone()));
            serde_json::to_string(&list).ok()
        };
        let mut last = 0_i64;
        loop {
            let mut statement = connection.prepare_cached("select seq, before, after, moments from change where object = ?1 and seq > ?2 order by seq limit 1000")?;
            let page: Vec<(i64, Option<String>, Option<String>, Option<String>)> = statement.query_map(params![object, last], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))?.collect::<rusqlite::Result<_>>()?;
            let Some(end) = page.last() else { break };
            last = end.0;
            for (seq, before, after, moments) in page {
                connection.prepare_cached("update change set before = ?2, after = ?3, moments = ?4 where seq = ?1")?.execute(params![seq, keys(before), keys(after), moved(moments)])?;
            }
        }
    }
    for (old, now) in &renames.objects {
        for table in ["change", "history", "wording"] {
            connection.execute(&format!("update {table} set object = ?2 where object = ?1"), params![old, now])?;
        }
        connection.execute("update or ignore taken set object = ?2 where object = ?1", params![old, now])?;
    }
    Ok(())
}

/// Roles, kept lists, goals, rules and imports that name what is called otherwise now.
fn records(connection: &Connection, model: &Model, renames: &Renames, commit: &Commit, seq: &mut u64) -> Result<()> {
    for (name, field) in [("access_role", "rights"), ("saved_list", "search"), ("goal", "kpi"), ("score_rule", "condition"), ("import_run", "of")] {
        let Some(object) = model.object(name) else { continue };
        let ids: Vec<String> = connection.prepare(&format!("select id from {}", quote(name)))?.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
        for id in ids.iter().filter_map(|id| Uuid::parse_str(id).ok()) {
            let Some((before, version, deleted)) = read::row(connection, object, id)? else { continue };
            let text = |field: &str| before.get(field).and_then(Value::as_text).unwrap_or_default().to_string();
            let json = || serde_json::from_str::<Json>(&text(field)).ok();
            let mut after = before.clone();
            let mut set = |field: &str, value: String| {
                if before.get(field).and_then(Value::as_text).is_some_and(|old| old != value) {
                    after.insert(field.to_string(), Value::Text(value));
                }
            };
            match name {
                "access_role" => {
                    if let Some(rights) = json() {
                        let now = renames.rights(&rights);
                        if now != rights {
                            set(field, now.to_string());
                        }
                    }
                }
                "saved_list" => {
                    let of = text("of");
                    let object = renames.plurals.iter().find(|(old, _)| **old == of);
                    let known = model.object_by_path(object.map_or(&of, |(_, now)| now)).map(|o| o.name.clone()).unwrap_or_default();
                    let old = renames.objects.iter().find(|(_, now)| **now == known).map_or(known.clone(), |(old, _)| old.clone());
                    if let Some((_, now)) = object {
                        set("of", now.clone());
                    }
                    if let Some(search) = json() {
                        let now = renames.search(&old, &search);
                        if now != search {
                            set(field, now.to_string());
                        }
                    }
                }
                "goal" => set(field, renames.metrics.get(&text(field)).cloned().unwrap_or_else(|| text(field))),
                "score_rule" => set(field, renames.condition("lead", &text(field))),
                _ => set(field, renames.plurals.get(&text(field)).cloned().unwrap_or_else(|| renames.object(&text(field)))),
            }
            if after != before {
                write_record(connection, object, id, version, deleted, &before, after, commit, seq)?;
            }
        }
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn write_record(connection: &Connection, object: &northing_model::ObjectDef, id: Uuid, version: u64, deleted: bool, before: &Record, mut after: Record, commit: &Commit, seq: &mut u64) -> Result<()> {
    after.insert("updated_at".into(), Value::Time(commit.at));
    write::update(connection, object, id, version + 1, &after)?;
    if deleted {
        connection.execute(&format!("update {} set deleted = 1 where id = ?1", quote(&object.name)), [id.to_string()])?;
    }
    texts::keep(connection, object, id, Some(before).filter(|_| !deleted), Some(&after).filter(|_| !deleted))?;
    *seq += 1;
    let change = if deleted { Change::delete(&object.name, id) } else { Change::update(&object.name, id, Record::new()) };
    log::append(connection, *seq, commit, object, &change, version + 1, Some(before), &after, &[])
}
