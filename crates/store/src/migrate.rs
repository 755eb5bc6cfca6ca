//! Brings a database to the schema that the model asks for. Only adds; never drops or rewrites.

use crate::row::{column_sql, quote, table_columns};
use crate::{Result, StoreError, texts};
use northing_model::object::Definition;
use northing_model::{FieldType, Model, ObjectDef};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
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

/// Brings everything up to date in one transaction, whatever the steps have to fill included: whoever is killed on the
/// way has changed nothing.
pub(crate) fn bring_up(connection: &mut Connection) -> Result<Model> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (i, step) in STEPS.iter().enumerate().skip(done(&tx)?) {
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", (i + 1) as i64)?;
    }
    let model = load_model(&tx)?;
    tables(&tx, &model)?;
    tx.commit()?;
    Ok(model)
}

/// The product's model with the declarations kept in this database.
pub(crate) fn load_model(connection: &Connection) -> Result<Model> {
    let exists: Option<i64> = connection
        .query_row("select 1 from sqlite_master where type = 'table' and name = 'definition'", [], |r| r.get(0))
        .optional()?;
    let mut custom = Vec::new();
    if exists.is_some() {
        let mut statement = connection.prepare("select kind, name, body from definition where not deleted order by rowid")?;
        let rows = statement.query_map([], |r| Ok(Definition { kind: r.get(0)?, name: r.get(1)?, body: r.get(2)? }))?;
        for row in rows {
            custom.push(row?);
        }
    }
    Ok(Model::build(&custom)?)
}

/// Finds what overlaps without reading the whole table.
fn exclusive_index(object: &ObjectDef) -> Option<String> {
    let x = object.exclusive.as_ref()?;
    Some(format!("create index if not exists {} on {} ({}, {})", quote(&format!("{}__exclusive", object.name)), quote(&object.name), quote(&x.of), quote(&x.from)))
}

/// Finds titles that facts do not hold (order numbers) by how they begin.
fn title_index(object: &ObjectDef) -> Option<String> {
    let title = object.field(&object.title).filter(|f| f.kind == FieldType::Text && !f.facts)?;
    Some(format!("create index if not exists {} on {} ({} collate nocase)", quote(&format!("{}__title", object.name)), quote(&object.name), quote(&title.name)))
}

/// The tables of a model's objects and what is kept beside them, within the caller's transaction.
pub(crate) fn tables(connection: &Connection, model: &Model) -> Result<()> {
    for object in model.objects.iter().filter(|o| !o.derived) {
        table(connection, object)?;
        for index in exclusive_index(object).into_iter().chain(title_index(object)) {
            connection.execute_batch(&index)?;
        }
    }
    texts::in_step(connection, model)
}

fn table(connection: &Connection, object: &ObjectDef) -> Result<()> {
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
        connection.execute_batch(&format!(
            "create table {name} (id text primary key, version integer not null, deleted integer not null default 0, {}) strict;
             create unique index {} on {name} (external_id) where external_id is not null and not deleted;",
            list.join(", "),
            quote(&format!("{}_external", object.name)),
        ))?;
        return Ok(());
    }
    for (column, physical) in columns {
        if !present.contains(&column) {
            connection.execute_batch(&format!("alter table {name} add column {}", column_sql(&column, physical)))?;
        }
    }
    Ok(())
}
