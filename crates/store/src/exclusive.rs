//! Times that only one record at a time may take of somebody: checked where they are written. What a view of the data
//! shows of them is not its concern.

use crate::row::quote;
use crate::write::invalid;
use crate::{Result, StoreError};
use northing_model::{ObjectDef, Record, Value};
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use uuid::Uuid;

/// A record that does not say when it ends lasts as long as its service takes: else it would stand in nobody's way.
pub fn fill_end(connection: &Connection, object: &ObjectDef, after: &mut Record) -> Result<()> {
    let Some(x) = object.exclusive.as_ref().filter(|x| !after.contains_key(&x.to)) else { return Ok(()) };
    let (Some(service), Some(takes), Some(Value::Time(from))) = (x.service.as_ref(), x.takes.as_ref(), after.get(&x.from)) else { return Ok(()) };
    let (Some(id), Some(of)) = (after.get(service).and_then(Value::as_ref_id), object.field(service).and_then(|f| f.to.as_deref())) else { return Ok(()) };
    let sql = format!("select {} from {} where id = ?1", quote(&takes_column(takes)), quote(of));
    let seconds: Option<Option<i64>> = connection.prepare_cached(&sql)?.query_row([id.to_string()], |r| r.get(0)).optional()?;
    if let Some(seconds) = seconds.flatten().filter(|s| *s > 0) {
        let end = from + seconds;
        after.insert(x.to.clone(), Value::Time(end));
    }
    Ok(())
}

/// `takes` is a duration, wherever it was declared.
fn takes_column(name: &str) -> String {
    northing_model::FieldDef::plain(name, northing_model::FieldType::Duration).column()
}

/// Is what the record takes for a time free then? Inside the transaction that writes it, so that of many who ask at
/// once one gets it.
pub fn check(connection: &Connection, object: &ObjectDef, id: Uuid, after: &Record) -> Result<()> {
    let Some(x) = &object.exclusive else { return Ok(()) };
    let time = |name: &str| match after.get(name) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    let free = after.get(&x.state).and_then(Value::as_text).is_some_and(|state| x.free.iter().any(|f| f == state));
    let (Some(of), Some(from), Some(to), false) = (after.get(&x.of).and_then(Value::as_ref_id), time(&x.from), time(&x.to), free) else { return Ok(()) };
    if to <= from {
        return Err(invalid(object, &x.to, "it ends before it begins"));
    }
    let column = |name: &str| quote(&object.field(name).map_or_else(|| name.to_string(), northing_model::FieldDef::column));
    let marks = (0..x.free.len()).map(|i| format!("?{}", i + 5)).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "select 1 from {} where {} = ?1 and {} < ?2 and {} > ?3 and id <> ?4 and not deleted and {} not in ({marks}) limit 1",
        quote(&object.name), column(&x.of), column(&x.from), column(&x.to), column(&x.state)
    );
    let mut values: Vec<rusqlite::types::Value> = vec![of.to_string().into(), to.into(), from.into(), id.to_string().into()];
    values.extend(x.free.iter().map(|f| f.clone().into()));
    let taken: Option<i64> = connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |r| r.get(0)).optional()?;
    if taken.is_some() { Err(StoreError::Taken { object: object.name.clone(), field: x.from.clone() }) } else { Ok(()) }
}
