//! Brings a database to the schema that the model asks for. Only adds; never drops or rewrites.

use crate::row::{column_sql, quote, table_columns};
use crate::declare::{self, Declared};
use crate::{Result, StoreError, takeover, texts};
use northing_model::own::is_own;
use northing_model::{FieldType, Model, ObjectDef};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeSet;

/// Steps of the tables that do not follow from the model; their count is kept in `user_version`.
pub(crate) const STEPS: &[&str] = &[
    "create table change (
        seq integer primary key, at integer not null, actor text not null, object text not null, id text not null,
        op text not null, version integer not null, before text, after text, moments text
     ) strict;
     create index change_record on change (object, id, seq);
     create table history (
        object text not null, id text not null, field text not null, at integer, value text, seq integer not null
     ) strict;
     create index history_record on history (object, id, seq);
     create table idempotency (key text primary key, hash text not null, at integer not null, answer text not null) strict;
     create table session (
        token_hash text primary key, actor text not null, created_at integer not null, seen_at integer not null, expires_at integer not null
     ) strict;
     create table sign_in (token_hash text primary key, actor text not null, expires_at integer not null) strict;",
    "alter table session add column agent text;
     alter table session add column by_link integer not null default 0;
     create table credential (actor text primary key, password text, totp text, totp_step integer, totp_on integer not null default 0) strict;
     create table token (
        token_hash text primary key, id text not null, actor text not null, name text not null, read_only integer not null,
        created_at integer not null, expires_at integer not null, used_at integer
     ) strict;",
    "create table identity (actor text primary key, issuer text not null, subject text not null, unique (issuer, subject)) strict;",
    crate::texts::STEP,
    crate::taken::STEP,
    crate::sessions::STEP,
    crate::texts::FIELDS_STEP,
    crate::room::STEP,
    crate::declare::STEP,
];

/// How many of these steps a database has seen; an error where it has seen more than this program knows.
pub(crate) fn done(connection: &Connection) -> Result<usize> {
    let done: usize = connection.query_row("pragma user_version", [], |r| r.get::<_, i64>(0)).map(|v| v as usize)?;
    if done > STEPS.len() {
        return Err(StoreError::ReadOnly("this database was made by a newer version of Northing; upgrade the program".into()));
    }
    Ok(done)
}

/// Is it a database in use that has steps before it?
pub(crate) fn behind(connection: &Connection) -> Result<Option<usize>> {
    Ok(Some(done(connection)?).filter(|done| (1..STEPS.len()).contains(done)))
}

/// Brings everything up to date in one transaction, whatever the steps have to fill and what gets another name included:
/// whoever is killed on the way has changed nothing. What people declared and this version cannot take is set aside.
pub(crate) fn bring_up(connection: &mut Connection) -> Result<Declared> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = done(&tx)?;
    if before < STEPS.len() {
        takeover::make_room(&tx)?;
    }
    for (i, step) in STEPS.iter().enumerate().skip(before) {
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", (i + 1) as i64)?;
    }
    takeover::run(&tx)?;
    let declared = declare::load(&tx)?;
    tables(&tx, &declared.model)?;
    tx.commit()?;
    Ok(declared)
}

/// The index of an object's external ids.
pub(crate) fn external_index(object: &str) -> String {
    if is_own(object) { format!("{object}__external") } else { format!("{object}_external") }
}

/// Finds what overlaps without reading the whole table.
fn exclusive_index(object: &ObjectDef) -> Option<String> {
    let x = object.exclusive.as_ref()?;
    Some(format!("create index if not exists {} on {} ({}, {})", quote(&format!("{}__exclusive", object.name)), quote(&object.name), quote(&object.field(&x.of)?.column()), quote(&object.field(&x.from)?.column())))
}

/// Finds titles that facts do not hold (order numbers) by how they begin.
fn title_index(object: &ObjectDef) -> Option<String> {
    let title = object.field(&object.title).filter(|f| f.kind == FieldType::Text && !f.facts)?;
    Some(format!("create index if not exists {} on {} ({} collate nocase)", quote(&format!("{}__title", object.name)), quote(&object.name), quote(&title.column())))
}

/// The tables of a model's objects and what is kept beside them, within the caller's transaction.
pub(crate) fn tables(connection: &Connection, model: &Model) -> Result<()> {
    for object in model.objects.iter().filter(|o| !o.derived) {
        table(connection, object)?;
    }
    declare::note(connection, model)?;
    texts::in_step(connection, model)
}

/// The table of an object with its columns and indexes. What people declare has names that nothing here has (`own`),
/// and two low lines where a name is made of theirs, which theirs have not: so no table, index or column meets another.
pub(crate) fn table(connection: &Connection, object: &ObjectDef) -> Result<()> {
    columns(connection, object)?;
    for index in exclusive_index(object).into_iter().chain(title_index(object)) {
        connection.execute_batch(&index)?;
    }
    Ok(())
}

fn columns(connection: &Connection, object: &ObjectDef) -> Result<()> {
    let name = quote(&object.name);
    let mut present = BTreeSet::new();
    {
        let mut statement = connection.prepare("select name from pragma_table_info(?1)")?;
        for row in statement.query_map([&object.name], |r| r.get::<_, String>(0))? {
            present.insert(row?);
        }
    }
    let columns = table_columns(object);
    if present.is_empty() {
        let list: Vec<String> = columns.iter().map(|(c, p)| column_sql(c, *p)).collect();
        connection.execute_batch(&format!("create table {name} (id text primary key, version integer not null, deleted integer not null default 0, {}) strict", list.join(", ")))?;
        present.extend(columns.iter().map(|(c, _)| c.clone()));
    }
    declare::check_room(object, present.len())?;
    for (column, physical) in columns {
        if !present.contains(&column) {
            connection.execute_batch(&format!("alter table {name} add column {}", column_sql(&column, physical)))?;
        }
    }
    connection.execute_batch(&format!("create unique index if not exists {} on {name} (external_id) where external_id is not null and not deleted", quote(&external_index(&object.name))))?;
    Ok(())
}
