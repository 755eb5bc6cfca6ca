//! The change log: every change with its record before and after, numbered without gaps in commit order.

use crate::change::{Change, Commit, Moment, Op};
use crate::row::{record_from_json, record_json};
use crate::{Result, Store, StoreError};
use northing_model::own::is_own;
use northing_model::{Currency, Model, ObjectDef, Record, Value};
use rusqlite::{Connection, Row, params};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// One entry of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    pub seq: u64,
    /// When it was committed, UTC seconds.
    pub at: i64,
    pub actor: String,
    pub object: String,
    pub id: Uuid,
    pub op: Op,
    pub version: u64,
    pub before: Option<Record>,
    pub after: Record,
    pub moments: Vec<Moment>,
}

pub(crate) fn last_seq(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("select coalesce(max(seq), 0) from change", [], |r| r.get::<_, i64>(0))? as u64)
}

#[allow(clippy::too_many_arguments)]
pub(crate) fn append(
    connection: &Connection,
    seq: u64,
    commit: &Commit,
    object: &ObjectDef,
    change: &Change,
    version: u64,
    before: Option<&Record>,
    after: &Record,
    moments: &[Moment],
) -> Result<()> {
    let moments = (!moments.is_empty()).then(|| {
        Json::Array(moments.iter().map(|m| json!([m.field, m.at, m.value.to_json()])).collect()).to_string()
    });
    connection
        .prepare_cached(
            "insert into change (seq, at, actor, object, id, op, version, before, after, moments)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            seq as i64,
            commit.at,
            commit.actor,
            object.name,
            change.id.to_string(),
            change.op.name(),
            version as i64,
            before.map(|b| record_json(b).to_string()),
            record_json(after).to_string(),
            moments,
        ])?;
    Ok(())
}

const COLUMNS: &str = "seq, at, actor, object, id, op, version, before, after, moments";

impl Store {
    /// Entries after `seq`, oldest first, at most `limit`, as far as their commits have been told.
    pub fn changes_after(&self, seq: u64, limit: usize) -> Result<Vec<Logged>> {
        let told = self.seq();
        let (model, currency) = (self.model(), self.currency());
        self.read(|c| {
            let mut statement = c.prepare_cached(&format!("select {COLUMNS} from change where seq > ?1 and seq <= ?3 order by seq limit ?2"))?;
            let mut after = seq;
            loop {
                let mut rows = statement.query(params![after as i64, limit as i64, told as i64])?;
                let (found, last) = collect(&mut rows, &model, currency)?;
                // Entries of dropped objects are passed over; the log does not end with them.
                match last {
                    Some(last) if found.is_empty() => after = last,
                    _ => return Ok(found),
                }
            }
        })
    }

    /// Everything that happened to one record, newest first.
    pub fn record_log(&self, object: &str, id: Uuid, limit: usize) -> Result<Vec<Logged>> {
        let (model, currency) = (self.model(), self.currency());
        self.read(|c| {
            let sql = format!("select {COLUMNS} from change where object = ?1 and id = ?2 order by seq desc limit ?3");
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query(params![object, id.to_string(), limit as i64])?;
            collect(&mut rows, &model, currency).map(|(found, _)| found)
        })
    }

    /// The last entry committed at or before an instant.
    pub fn seq_at(&self, instant: i64) -> Result<u64> {
        // `at` follows the caller's clock and may step back; the log's order decides.
        self.read(|c| {
            // From the end, so that only what is younger is looked at.
            let sql = "select coalesce((select seq from change where at <= ?1 order by seq desc limit 1), 0)";
            Ok(c.query_row(sql, [instant], |r| r.get::<_, i64>(0))? as u64)
        })
    }

    /// Calls `f` for every entry up to `seq` in order.
    pub fn replay(&self, up_to: u64, f: impl FnMut(Logged)) -> Result<()> {
        self.replay_after(0, up_to, f)
    }

    /// Calls `f` for every entry after one and up to another, in order.
    pub fn replay_after(&self, after: u64, up_to: u64, mut f: impl FnMut(Logged)) -> Result<()> {
        let mut at = after;
        while at < up_to {
            let batch = self.changes_after(at, 10_000)?;
            if batch.is_empty() {
                break;
            }
            for entry in batch {
                at = entry.seq;
                if at > up_to {
                    return Ok(());
                }
                f(entry);
            }
        }
        Ok(())
    }
}

/// The entries, and the number of the last one that was read.
fn collect(rows: &mut rusqlite::Rows<'_>, model: &Model, currency: Currency) -> Result<(Vec<Logged>, Option<u64>)> {
    let (mut found, mut last) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        last = Some(row.get::<_, i64>(0)? as u64);
        if let Some(entry) = entry(row, model, currency)? {
            found.push(entry);
        }
    }
    Ok((found, last))
}

fn entry(row: &Row<'_>, model: &Model, currency: Currency) -> Result<Option<Logged>> {
    let seq = row.get::<_, i64>(0)? as u64;
    let corrupt = || StoreError::Corrupt(format!("change {seq}"));
    let object: String = row.get(3)?;
    let Some(def) = model.object(&object) else { return Ok(None) };
    let parse = |text: Option<String>| -> Result<Option<Record>> {
        let Some(text) = text else { return Ok(None) };
        let json: Json = serde_json::from_str(&text).map_err(|_| corrupt())?;
        record_from_json(def, &json, currency).map(Some)
    };
    let moments = match row.get::<_, Option<String>>(9)? {
        None => Vec::new(),
        Some(text) => parse_moments(def, &text, currency).ok_or_else(corrupt)?,
    };
    Ok(Some(Logged {
        seq,
        at: row.get(1)?,
        actor: row.get(2)?,
        id: Uuid::parse_str(&row.get::<_, String>(4)?).map_err(|_| corrupt())?,
        op: Op::parse(&row.get::<_, String>(5)?).ok_or_else(corrupt)?,
        version: row.get::<_, i64>(6)? as u64,
        before: parse(row.get(7)?)?,
        after: parse(row.get(8)?)?.unwrap_or_default(),
        moments,
        object,
    }))
}

fn parse_moments(object: &ObjectDef, text: &str, currency: Currency) -> Option<Vec<Moment>> {
    let list: Vec<(String, Option<i64>, Json)> = serde_json::from_str(text).ok()?;
    let mut moments = Vec::with_capacity(list.len());
    for (field, at, value) in list {
        let value = object.field(&field).map_or(Some(Value::Null), |f| if is_own(&f.name) { Some(f.read_kept(&value, currency)) } else { f.read(&value, currency).ok() })?;
        moments.push(Moment { field, at, value });
    }
    Some(moments)
}
