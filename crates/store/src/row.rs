//! Between model values and SQLite columns. Every identifier is quoted; every value is a parameter.

use crate::{Result, StoreError};
use northing_model::own::is_own;
use northing_model::{Currency, FieldDef, Money, ObjectDef, Physical, Record, Value};
use rusqlite::types::{Value as Sql, ValueRef};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use uuid::Uuid;

pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn column_sql(column: &str, physical: Physical) -> String {
    let kind = match physical {
        Physical::Int | Physical::Decimal | Physical::Money | Physical::Date | Physical::Time | Physical::Bool => "integer",
        Physical::Text | Physical::Ref | Physical::List => "text",
    };
    format!("{} {kind}", quote(column))
}

/// Columns of an object's table after id, version and deleted. Money takes a second one for its currency.
pub(crate) fn table_columns(object: &ObjectDef) -> Vec<(String, Physical)> {
    let mut columns = Vec::new();
    for field in object.stored_fields() {
        let physical = field.kind.physical();
        let column = field.column();
        if physical == Physical::Money {
            columns.push((format!("{column}__currency"), Physical::Text));
        }
        columns.push((column, physical));
    }
    columns
}

/// The values to bind for a field: two for money.
pub(crate) fn bind(field: &FieldDef, value: Option<&Value>, into: &mut Vec<Sql>) {
    let value = value.unwrap_or(&Value::Null);
    let sql = match value {
        Value::Null => Sql::Null,
        Value::Bool(b) => Sql::Integer(i64::from(*b)),
        Value::Int(i) | Value::Decimal(i) | Value::Time(i) => Sql::Integer(*i),
        Value::Date(d) => Sql::Integer(i64::from(*d)),
        Value::Text(t) => Sql::Text(t.clone()),
        Value::Ref(id) => Sql::Text(id.to_string()),
        Value::Money(m) => Sql::Integer(m.minor),
        Value::List(l) => Sql::Text(serde_json::to_string(l).unwrap_or_default()),
        Value::Shares(s) => Sql::Text(serde_json::to_string(s).unwrap_or_default()),
    };
    into.push(sql);
    if field.kind.physical() == Physical::Money {
        into.push(match value {
            Value::Money(m) => Sql::Text(m.currency.to_string()),
            _ => Sql::Null,
        });
    }
}

/// Reads a field's value at column `at`; moves `at` past it.
pub(crate) fn take(field: &FieldDef, row: &rusqlite::Row<'_>, at: &mut usize) -> Result<Value> {
    let cell = row.get_ref(*at)?;
    *at += 1;
    let corrupt = || StoreError::Corrupt(format!("column {}", field.name));
    let text = |v: ValueRef<'_>| v.as_str().map(str::to_string).map_err(|_| corrupt());
    let physical = field.kind.physical();
    let currency = if physical == Physical::Money {
        *at += 1;
        Some(row.get_ref(*at - 1)?)
    } else {
        None
    };
    if matches!(cell, ValueRef::Null) {
        return Ok(Value::Null);
    }
    let int = || cell.as_i64().map_err(|_| corrupt());
    Ok(match physical {
        Physical::Int => Value::Int(int()?),
        Physical::Decimal => Value::Decimal(int()?),
        Physical::Time => Value::Time(int()?),
        Physical::Bool => Value::Bool(int()? != 0),
        Physical::Date => Value::Date(i32::try_from(int()?).map_err(|_| corrupt())?),
        Physical::Money => {
            let code = currency.and_then(|c| c.as_str().ok().and_then(Currency::parse)).ok_or_else(corrupt)?;
            Value::Money(Money { minor: int()?, currency: code })
        }
        Physical::Ref => Value::Ref(Uuid::parse_str(cell.as_str().map_err(|_| corrupt())?).map_err(|_| corrupt())?),
        Physical::List => Value::List(serde_json::from_str(&text(cell)?).map_err(|_| corrupt())?),
        Physical::Text if field.kind == northing_model::FieldType::Shares => {
            Value::Shares(serde_json::from_str::<BTreeMap<String, u8>>(&text(cell)?).map_err(|_| corrupt())?)
        }
        Physical::Text => Value::Text(text(cell)?),
    })
}

pub(crate) fn record_json(record: &Record) -> Json {
    Json::Object(record.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.to_json())).collect::<Map<_, _>>())
}

/// Reads what `record_json` wrote; fields that the model no longer knows are left out, and what an own field held under
/// an earlier type is read as it now is.
pub(crate) fn record_from_json(object: &ObjectDef, json: &Json, currency: Currency) -> Result<Record> {
    let mut record = Record::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        if let Some(field) = object.field(name) {
            record.insert(name.clone(), if is_own(name) { field.read_kept(value, currency) } else { field.read(value, currency).map_err(|e| StoreError::Corrupt(format!("{}.{name}: {e}", object.name)))? });
        }
    }
    Ok(record)
}
