//! Takes what people declare into the database, whole or not at all: the model that it makes, its tables and columns,
//! and the values that a field had under an earlier type. What facts and metrics make of a model is tried by whoever
//! uses the store (`Store::try_models_with`); this module must not know of them.

use crate::change::{Change, Commit};
use crate::row::{quote, take};
use crate::{Result, Store, StoreError, log, migrate, read, texts, write};
use northing_model::own::{Definition, SetAside, is_own};
use northing_model::{Currency, FieldDef, FieldType, Model, ModelError, ObjectDef, Physical, Record, Value};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// Which declaration the values of an own field stand under, or last stood under before it was dropped.
pub(crate) const STEP: &str = "create table own_column (object text not null, field text not null, declared text not null, primary key (object, field)) strict, without rowid;";

/// SQLite takes 2,000 columns; those of earlier types stay.
const MOST_COLUMNS: usize = 1_500;

/// What a model must pass before it is taken: that facts can be laid out for it, that its metrics can be computed.
pub type Trial = Arc<dyn Fn(&Arc<Model>) -> std::result::Result<(), String> + Send + Sync>;

/// The model in force, and the declarations that this version cannot take.
#[derive(Clone, Default)]
pub(crate) struct Declared {
    pub model: Arc<Model>,
    pub aside: Arc<Vec<SetAside>>,
}

/// What becomes of a field's values when it is declared so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversion {
    /// Records that have a value there.
    pub values: u64,
    /// Those whose value cannot be read so; it is kept, and comes back with the earlier type.
    pub refused: u64,
    /// Some of those: the record, the value as it is typed, and why.
    pub examples: Vec<(Uuid, String, String)>,
}

/// The declarations kept in this database.
pub(crate) fn read_all(connection: &Connection) -> Result<Vec<Definition>> {
    let exists: Option<i64> = connection.query_row("select 1 from sqlite_master where type = 'table' and name = 'definition'", [], |r| r.get(0)).optional()?;
    if exists.is_none() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("select kind, name, body from definition where not deleted order by rowid")?;
    let rows = statement.query_map([], |r| Ok(Definition { kind: r.get(0)?, name: r.get(1)?, body: r.get(2)? }))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn load(connection: &Connection) -> Result<Declared> {
    let (model, aside) = Model::of_workspace(&read_all(connection)?)?;
    Ok(Declared { model: Arc::new(model), aside: Arc::new(aside) })
}

/// Was something declared after one entry of the log, up to another?
pub(crate) fn changed(connection: &Connection, after: u64, up_to: u64) -> Result<bool> {
    let sql = "select 1 from change where seq > ?1 and seq <= ?2 and object = 'definition' limit 1";
    Ok(up_to > after && connection.prepare_cached(sql)?.query_row([after as i64, up_to as i64], |_| Ok(())).optional()?.is_some())
}

/// Takes over the declarations as they now stand in the transaction; refused, with everything that the transaction did,
/// where one of them cannot be taken that could be before.
pub(crate) fn take_over(connection: &Connection, was: &Declared, commit: &Commit, seq: &mut u64, trial: Option<&Trial>) -> Result<Declared> {
    let now = load(connection)?;
    if let Some(refused) = now.aside.iter().find(|a| !was.aside.iter().any(|b| b.definition == a.definition)) {
        return Err(refused.why.clone().into());
    }
    for object in now.model.objects.iter().filter(|o| !o.derived) {
        migrate::table(connection, object)?;
    }
    bring(connection, &was.model, &now.model, commit, seq)?;
    if let Some(trial) = trial {
        trial(&now.model).map_err(|why| ModelError::new("definition", why, "the workspace could not be read with it, so nothing was changed"))?;
    }
    Ok(now)
}

/// Notes under which declaration values stand, for fields that nothing is known of yet.
pub(crate) fn note(connection: &Connection, model: &Model) -> Result<()> {
    for object in model.objects.iter().filter(|o| !o.derived) {
        for field in object.stored_fields().filter(|f| is_own(&f.name)) {
            connection.prepare_cached("insert into own_column (object, field, declared) values (?1, ?2, ?3) on conflict do nothing")?.execute(params![object.name, field.name, written(field)])?;
        }
    }
    Ok(())
}

/// Brings everything in step with a model of which nothing was known.
pub(crate) fn bring_all(connection: &Connection, model: &Model, commit: &Commit, seq: &mut u64) -> Result<()> {
    bring(connection, &Model::builtin()?, model, commit, seq)
}

fn written(field: &FieldDef) -> String {
    serde_json::to_string(field).unwrap_or_default()
}

/// The declaration that a field's values stand under.
pub(crate) fn held(connection: &Connection, object: &str, field: &str) -> Result<Option<FieldDef>> {
    let text: Option<String> = connection.prepare_cached("select declared from own_column where object = ?1 and field = ?2")?.query_row([object, field], |r| r.get(0)).optional()?;
    let Some(text) = text else { return Ok(None) };
    let corrupt = || StoreError::Corrupt(format!("own_column {object}.{field}"));
    let mut json: Json = serde_json::from_str(&text).map_err(|_| corrupt())?;
    // Where it stands says what it is called.
    json.as_object_mut().map(|map| map.remove("name"));
    let declared: FieldDef = serde_json::from_value(json).map_err(|_| corrupt())?;
    Ok(Some(FieldDef { name: field.to_string(), ..declared }))
}

fn bring(connection: &Connection, was: &Model, now: &Model, commit: &Commit, seq: &mut u64) -> Result<()> {
    let currency = currency(connection);
    for object in now.objects.iter().filter(|o| !o.derived) {
        let mut moves = Vec::new();
        for field in object.stored_fields().filter(|f| is_own(&f.name)) {
            let known = was.object(&object.name).and_then(|o| o.field(&field.name)).is_some_and(|w| w.column() == field.column());
            let declared = written(field);
            let held = held(connection, &object.name, &field.name)?;
            if held.as_ref().is_none_or(|h| written(h) != declared) {
                let sql = "insert into own_column (object, field, declared) values (?1, ?2, ?3) on conflict do update set declared = excluded.declared";
                connection.prepare_cached(sql)?.execute(params![object.name, field.name, declared])?;
            }
            if let Some(held) = held.filter(|_| !known) {
                moves.push((field, held));
            }
        }
        if !moves.is_empty() {
            settle(connection, object, &moves, commit, seq, currency)?;
        }
    }
    texts::in_step(connection, now)
}

fn currency(connection: &Connection) -> Currency {
    let text: Option<String> = connection.query_row("select currency from workspace where not deleted order by rowid limit 1", [], |r| r.get(0)).ok().flatten();
    text.and_then(|c| Currency::parse(&c)).or_else(|| Currency::parse("EUR")).unwrap_or_else(|| unreachable!("EUR is a currency"))
}

/// What a field's value comes to under another declaration.
struct Settled {
    value: Value,
    /// What could not be read so, and why.
    refused: Option<(Value, String)>,
    /// Columns of the shelf that hold what somebody has written over since, under a later type.
    stale: Vec<usize>,
}

/// Every column that ever held a field, the oldest first: one for each type that it had.
fn shelf(connection: &Connection, object: &str, field: &str) -> Result<Vec<FieldDef>> {
    let mut statement = connection.prepare("select name from pragma_table_info(?1) order by cid")?;
    let names = statement.query_map([object], |r| r.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let fields = names.iter().filter(|n| n.starts_with(&format!("{field}__"))).filter_map(|n| FieldDef::of_column(n));
    // The column beside an amount is no field.
    Ok(fields.filter(|f| f.kind != FieldType::Money || f.to.is_none()).collect())
}

/// The value of a field that came from another type or was away, out of all its columns. What an earlier type left
/// stands for what is there if it reads as that, nobody having said anything else since: so what one type could not
/// hold comes back with the next that can.
fn settled(connection: &Connection, field: &FieldDef, held: &FieldDef, shelf: &[FieldDef], values: &[Value], currency: Currency) -> Result<Settled> {
    let at = |f: &FieldDef| shelf.iter().position(|s| s.column() == f.column());
    let there = at(held).map(|n| values[n].clone()).unwrap_or_default();
    let here = at(field);
    if held.column() == field.column() {
        let refused = field.convert(&there, currency).err().map(|why| (there.clone(), why));
        return Ok(Settled { value: there, refused, stale: Vec::new() });
    }
    let other = |n: &usize| Some(*n) != at(held) && !values[*n].is_null();
    let (stands, stale): (Vec<usize>, Vec<usize>) = (0..shelf.len()).filter(other).partition(|n| held.convert(&values[*n], currency).unwrap_or_default() == there);
    if let Some(n) = here.filter(|n| stands.contains(n)) {
        return Ok(Settled { value: values[n].clone(), refused: None, stale });
    }
    // What stands there first; where that cannot be read so, what it was read from: else that would be taken for stale.
    let sources = Some(&there).filter(|v| !v.is_null()).into_iter().chain(stands.iter().map(|n| &values[*n]));
    let mut refused = None;
    for source in sources {
        match readable(connection, field, source, currency)? {
            Ok(value) => return Ok(Settled { value, refused: None, stale }),
            Err(why) => {
                refused.get_or_insert((source.clone(), why));
            }
        }
    }
    Ok(Settled { value: Value::Null, refused, stale })
}

/// A value of another type as the field reads it; records that it refers to have to be there.
fn readable(connection: &Connection, field: &FieldDef, source: &Value, currency: Currency) -> Result<std::result::Result<Value, String>> {
    let value = match field.convert(source, currency) {
        Ok(value) => value,
        Err(why) => return Ok(Err(why)),
    };
    let targets: Vec<String> = match &value {
        Value::Ref(id) => vec![id.to_string()],
        Value::List(ids) if field.kind == FieldType::Refs => ids.clone(),
        _ => Vec::new(),
    };
    if let Some(to) = &field.to {
        for id in targets {
            let there: Option<i64> = connection.prepare_cached(&format!("select 1 from {} where id = ?1", quote(to)))?.query_row([&id], |r| r.get(0)).optional()?;
            if there.is_none() {
                return Ok(Err(format!("there is no {to} with the id {id}")));
            }
        }
    }
    Ok(Ok(value))
}

/// The columns that a field's values stand in.
fn columns(field: &FieldDef) -> String {
    let column = field.column();
    if field.kind.physical() == Physical::Money { format!("{}, {}", quote(&column), quote(&format!("{column}__currency"))) } else { quote(&column) }
}

fn has_column(connection: &Connection, object: &str, column: &str) -> Result<bool> {
    Ok(connection.prepare_cached("select 1 from pragma_table_info(?1) where name = ?2")?.query_row([object, column], |_| Ok(())).optional()?.is_some())
}

/// Puts the values of fields that were retyped or brought back in place, record by record. What the log does not say of
/// them by itself, read as the fields now are, is written there: the log stays the whole of what there is.
fn settle(connection: &Connection, object: &ObjectDef, moves: &[(&FieldDef, FieldDef)], commit: &Commit, seq: &mut u64, currency: Currency) -> Result<()> {
    let shelves = moves.iter().map(|(field, _)| shelf(connection, &object.name, &field.name)).collect::<Result<Vec<_>>>()?;
    for (_, held) in moves {
        if !has_column(connection, &object.name, &held.column())? {
            return Err(StoreError::Corrupt(format!("{}.{}", object.name, held.column())));
        }
    }
    let all = || shelves.iter().flatten();
    let others: Vec<String> = all().map(columns).collect();
    let filled: Vec<String> = all().map(|f| format!("{} is not null", quote(&f.column()))).collect();
    let sql = format!("select rowid, id, version, deleted, {} from {} where rowid > ?1 and ({}) order by rowid limit 500", others.join(", "), quote(&object.name), filled.join(" or "));
    let mut last = i64::MIN;
    loop {
        let mut page = Vec::new();
        {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query([last])?;
            while let Some(row) = rows.next()? {
                last = row.get(0)?;
                let mut at = 4;
                let there = shelves.iter().map(|shelf| shelf.iter().map(|f| take(f, row, &mut at)).collect::<Result<Vec<Value>>>()).collect::<Result<Vec<_>>>()?;
                let id = Uuid::parse_str(&row.get::<_, String>(1)?).map_err(|_| StoreError::Corrupt("id".into()))?;
                page.push((id, row.get::<_, i64>(2)? as u64, row.get::<_, i64>(3)? != 0, there));
            }
        }
        if page.is_empty() {
            return Ok(());
        }
        for (id, version, deleted, there) in page {
            let Some((before, _, _)) = read::row(connection, object, id)? else { continue };
            let mut after = before.clone();
            for (((field, held), shelf), values) in moves.iter().zip(&shelves).zip(&there) {
                let found = settled(connection, field, held, shelf, values, currency)?;
                after.insert(field.name.clone(), found.value);
                for stale in found.stale.iter().map(|n| &shelf[*n]) {
                    let empty: Vec<String> = columns(stale).split(", ").map(|c| format!("{c} = null")).collect();
                    connection.prepare_cached(&format!("update {} set {} where id = ?1", quote(&object.name), empty.join(", ")))?.execute([id.to_string()])?;
                }
            }
            after.retain(|_, v| !v.is_null());
            let told: Option<Option<String>> = connection
                .prepare_cached("select after from change where object = ?1 and id = ?2 order by seq desc limit 1")?
                .query_row(params![object.name, id.to_string()], |r| r.get(0))
                .optional()?;
            let told: Json = told.flatten().and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
            let untold = moves.iter().any(|(field, _)| !says(field, told.get(&field.name), after.get(&field.name), currency));
            let version = if untold { version + 1 } else { version };
            if untold {
                after.insert("updated_at".into(), Value::Time(commit.at));
            }
            if after != before || untold {
                write::update(connection, object, id, version, &after)?;
                if deleted {
                    connection.prepare_cached(&format!("update {} set deleted = 1 where id = ?1", quote(&object.name)))?.execute([id.to_string()])?;
                }
            }
            if untold {
                *seq += 1;
                let change = if deleted { Change::delete(&object.name, id) } else { Change::update(&object.name, id, Record::new()) };
                log::append(connection, *seq, commit, object, &change, version, Some(&before), &after, &[])?;
            }
        }
    }
}

/// Does the log's last entry say of the field what stands there? An amount must say its currency, as the workspace's
/// may change.
fn says(field: &FieldDef, told: Option<&Json>, value: Option<&Value>, currency: Currency) -> bool {
    let told = told.cloned().unwrap_or_default();
    if field.kind == FieldType::Money {
        return told == value.map(Value::to_json).unwrap_or_default() || value.is_none() && field.read_kept(&told, currency).is_null();
    }
    // An option that there no longer is counts for nothing, in the table and in the log.
    let value = value.map(|v| if field.kind == FieldType::Choice { field.read_kept(&v.to_json(), currency) } else { v.clone() });
    field.read_kept(&told, currency) == value.unwrap_or_default()
}

/// Columns of earlier types stay, so there is an end to how often something can be declared anew.
pub(crate) fn check_room(object: &ObjectDef, present: usize) -> Result<()> {
    if present > MOST_COLUMNS {
        let error = ModelError::new(format!("object {}", object.name), format!("there are {MOST_COLUMNS} columns of its fields and of their earlier types"), "bring a dropped field back instead of declaring another");
        return Err(error.into());
    }
    Ok(())
}

impl Store {
    /// Models are tried so before a declaration is taken.
    pub fn try_models_with(&self, trial: Trial) {
        if let Ok(mut slot) = self.inner.trial.write() {
            *slot = Some(trial);
        }
    }

    /// Declarations that this version cannot take, and why.
    pub fn set_aside(&self) -> Arc<Vec<SetAside>> {
        self.inner.declared.read().map(|d| d.aside.clone()).unwrap_or_default()
    }

    /// What would become of a field's values were it declared so, with at most so many examples of what cannot be read.
    pub fn conversion(&self, object: &str, field: &FieldDef, most: usize) -> Result<Conversion> {
        let currency = self.currency();
        self.read(|c| {
            let mut found = Conversion::default();
            let Some(held) = held(c, object, &field.name)? else { return Ok(found) };
            if !has_column(c, object, &held.column())? {
                return Ok(found);
            }
            let shelf = shelf(c, object, &field.name)?;
            let filled: Vec<String> = shelf.iter().map(|f| format!("{} is not null", quote(&f.column()))).collect();
            let sql = format!("select id, {} from {} where not deleted and ({})", shelf.iter().map(columns).collect::<Vec<_>>().join(", "), quote(object), filled.join(" or "));
            let mut statement = c.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut at = 1;
                let values = shelf.iter().map(|f| take(f, row, &mut at)).collect::<Result<Vec<Value>>>()?;
                let settled = settled(c, field, &held, &shelf, &values, currency)?;
                found.values += u64::from(!settled.value.is_null() || settled.refused.is_some());
                if let Some((source, why)) = settled.refused {
                    found.refused += 1;
                    if found.examples.len() < most {
                        let id = Uuid::parse_str(&row.get::<_, String>(0)?).map_err(|_| StoreError::Corrupt("id".into()))?;
                        found.examples.push((id, northing_model::value::json_text(&source.to_json()), why));
                    }
                }
            }
            Ok(found)
        })
    }

    /// How many records of an object there are, also of one that was dropped.
    pub fn count_own(&self, object: &str) -> Result<u64> {
        self.read(|c| {
            let there: Option<i64> = c.query_row("select 1 from sqlite_master where type = 'table' and name = ?1", [object], |r| r.get(0)).optional()?;
            match there.filter(|_| is_own(object)) {
                None => Ok(0),
                Some(_) => Ok(c.query_row(&format!("select count(*) from {} where not deleted", quote(object)), [], |r| r.get::<_, i64>(0))? as u64),
            }
        })
    }

    /// Every declaration with its record, those that were deleted aside.
    pub fn definitions(&self) -> Result<Vec<(Uuid, u64, Definition)>> {
        self.read(|c| {
            let mut statement = c.prepare_cached("select id, version, kind, name, body from definition where not deleted order by rowid")?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(r) = rows.next()? {
                let id = Uuid::parse_str(&r.get::<_, String>(0)?).map_err(|_| StoreError::Corrupt("id".into()))?;
                found.push((id, r.get::<_, i64>(1)? as u64, Definition { kind: r.get(2)?, name: r.get(3)?, body: r.get(4)? }));
            }
            Ok(found)
        })
    }

    /// How many records have a value in each of an object's own fields, dropped ones too.
    pub fn filled(&self, object: &str) -> Result<BTreeMap<String, u64>> {
        self.read(|c| {
            let mut statement = c.prepare_cached("select field from own_column where object = ?1")?;
            let fields: Vec<String> = statement.query_map([object], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
            let mut counts = BTreeMap::new();
            for name in fields {
                let Some(held) = held(c, object, &name)? else { continue };
                if has_column(c, object, &held.column())? {
                    let sql = format!("select count({}) from {} where not deleted", quote(&held.column()), quote(object));
                    counts.insert(name, c.query_row(&sql, [], |r| r.get::<_, i64>(0))? as u64);
                }
            }
            Ok(counts)
        })
    }
}
