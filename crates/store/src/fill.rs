//! What a record takes from others where it leaves something out: for every writer alike, inside the transaction that
//! writes it. From where is declared with the objects; this must not know any object.

use crate::row::quote;
use crate::{Result, read};
use northing_model::field::FieldFrom;
use northing_model::object::Fill;
use northing_model::{Currency, FieldType, Model, ObjectDef, Record, Value};
use rusqlite::{Connection, OptionalExtension, params_from_iter, types};
use uuid::Uuid;

/// Fills fields that say from where, where nothing stands in them.
pub(crate) fn from_others(connection: &Connection, model: &Model, object: &ObjectDef, record: &mut Record, touched: &dyn Fn(&str) -> bool) -> Result<()> {
    for field in object.stored_fields() {
        let Some(from) = field.from.as_ref().filter(|_| record.get(&field.name).is_none_or(Value::is_null)) else { continue };
        let first = from.path.split('.').next().unwrap_or_default();
        if !touched(first) && !touched(&field.name) {
            continue;
        }
        let found = follow(connection, model, object, record, &from.path)?;
        let value = match (found, field.kind) {
            (Value::Money(money), FieldType::Decimal) => {
                let same = own_currency(connection, model, object, record, from)? == Some(money.currency);
                // Ten-thousandths to millionths.
                money.ticks().filter(|_| same).and_then(|ticks| ticks.checked_mul(100)).map_or(Value::Null, Value::Decimal)
            }
            (value, _) => value,
        };
        if !value.is_null() {
            record.insert(field.name.clone(), value);
        }
    }
    Ok(())
}

/// The currency that a record is in.
fn own_currency(connection: &Connection, model: &Model, object: &ObjectDef, record: &Record, from: &FieldFrom) -> Result<Option<Currency>> {
    for path in &from.currency {
        match follow(connection, model, object, record, path)? {
            Value::Money(money) => return Ok(Some(money.currency)),
            Value::Text(code) => return Ok(Currency::parse(&code)),
            _ => {}
        }
    }
    let code = workspace(connection, "currency")?;
    Ok(Currency::parse(code.as_deref().unwrap_or("EUR")))
}

pub(crate) fn workspace(connection: &Connection, field: &str) -> Result<Option<String>> {
    let sql = format!("select {} from workspace where not deleted limit 1", quote(field));
    let found: Option<Option<String>> = connection.prepare_cached(&sql)?.query_row([], |r| r.get(0)).optional()?;
    Ok(found.flatten())
}

/// What stands at the end of a path of references.
pub(crate) fn follow(connection: &Connection, model: &Model, object: &ObjectDef, record: &Record, path: &str) -> Result<Value> {
    let mut here = (object, record.clone());
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let value = here.1.get(step).cloned().unwrap_or_default();
        if steps.peek().is_none() {
            return Ok(value);
        }
        let to = here.0.field(step).and_then(|f| f.to.as_deref()).and_then(|to| model.object(to));
        let (Some(to), Some(id)) = (to.filter(|o| !o.derived), value.as_ref_id()) else { break };
        let Some((next, ..)) = read::row(connection, to, id)? else { break };
        here = (to, next);
    }
    Ok(Value::Null)
}

/// Fills fields out of the rule that fits a record, where nothing stands in them; and anew where the record came to say
/// something else and what stands there came from the rule that fitted before.
pub(crate) fn by_rule(connection: &Connection, model: &Model, object: &ObjectDef, before: Option<&Record>, record: &mut Record, written: &dyn Fn(&str) -> bool) -> Result<()> {
    let Some(fill) = &object.fill else { return Ok(()) };
    let Some(by) = model.object(&fill.by) else { return Ok(()) };
    let said = |record: &Record| -> Vec<Option<String>> { fill.matching.iter().map(|name| choice(object, record, name)).collect() };
    let old = match before {
        Some(before) if said(before) == said(record) => return Ok(()),
        Some(before) => Some((before, rule(connection, object, by, fill, before)?)),
        None => None,
    };
    let new = rule(connection, object, by, fill, record)?;
    for name in &fill.fields {
        let stands = record.get(name).filter(|v| !v.is_null());
        let replaced = match &old {
            None => stands.is_none(),
            Some((before, rule)) => !written(name) && rule.as_ref().is_some_and(|rule| rule.contains_key(name) && rule.get(name) == before.get(name)),
        };
        if !replaced {
            continue;
        }
        match new.as_ref().and_then(|rule| rule.get(name)) {
            Some(value) => drop(record.insert(name.clone(), value.clone())),
            None if old.is_some() => drop(record.remove(name)),
            None => {}
        }
    }
    Ok(())
}

/// What a record says in a choice, or would by default.
fn choice(object: &ObjectDef, record: &Record, name: &str) -> Option<String> {
    let own = record.get(name).and_then(Value::as_text).map(str::to_string);
    own.or_else(|| object.field(name)?.default.as_ref()?.as_str().map(str::to_string))
}

/// The rule that fits a record and says most.
fn rule(connection: &Connection, object: &ObjectDef, by: &ObjectDef, fill: &Fill, record: &Record) -> Result<Option<Record>> {
    let Some(Value::Time(since)) = record.get(&fill.since) else { return Ok(None) };
    let (mut fits, mut says) = (String::new(), String::from("0"));
    let mut values: Vec<types::Value> = vec![(*since).into()];
    for name in &fill.matching {
        values.push(choice(object, record, name).map_or(types::Value::Null, Into::into));
        fits.push_str(&format!(" and ({0} is null or {0} = ?{1})", quote(name), values.len()));
        says.push_str(&format!(" + ({} is not null)", quote(name)));
    }
    let sql = format!("select id from {} where not deleted and {} and created_at <= ?1{fits} order by {says} desc, rowid limit 1", quote(&by.name), quote(&fill.active));
    let found: Option<String> = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |r| r.get(0)).optional()?;
    let Some(id) = found.and_then(|id| Uuid::parse_str(&id).ok()) else { return Ok(None) };
    Ok(read::row(connection, by, id)?.map(|(record, ..)| record))
}
