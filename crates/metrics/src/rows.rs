//! Rows of a table that count, one by one: for what cannot be added up in parts (attribution, scores, models).

use crate::plan::Frame;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path, TRUE};
use northing_facts::table::COUNTED;
use northing_facts::{CHUNK, NULL};
use northing_model::Expr;

/// When, the record that it leads to, and a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub row: u32,
    pub at: i64,
    pub key: u32,
    pub value: i64,
}

/// Which rows have an amount and no rate for it: the column of the amount as it was entered tells, where there is one.
pub(crate) fn entered(frame: &Frame<'_>, table: usize, value: Option<&str>) -> Option<Path> {
    let path = crate::evaluate::raw(&crate::plan::steps(value?));
    frame.path(table, &path).ok().filter(|_| frame.snapshot.fx.codes() > 1)
}

/// Rows that count, have an instant and meet a condition; `NULL` where no value is asked for.
pub(crate) fn rows(frame: &Frame<'_>, table: usize, time: &[String], filter: Option<Expr>, value: Option<&str>, key: &[String]) -> Result<Vec<Row>> {
    let snapshot = frame.snapshot;
    let bind = |e: &Expr| eval::bind(snapshot, table, e, frame.now).map_err(MetricError::Question);
    let filter = filter.as_ref().map(bind).transpose()?;
    let value = value.map(|v| Expr::parse(v).map_err(MetricError::Question).and_then(|e| bind(&e))).transpose()?;
    let (time, key) = (frame.path(table, time)?, frame.path(table, key)?);
    let (mut found, mut held) = (Vec::new(), 0);
    for (c, chunk) in snapshot.tables[table].chunks.iter().enumerate() {
        if !frame.budget.hold((found.len() - held) * size_of::<Row>()) {
            frame.budget.check()?;
        }
        held = found.len();
        let n = chunk.flags.len();
        let times = time.numbers(snapshot, table, c, 0, n);
        let keys = key.codes(snapshot, table, c, 0, n);
        let truth = filter.as_ref().map(|f| f.truth(snapshot, table, c, 0, n));
        let values = value.as_ref().map(|v| v.numbers(snapshot, table, c, 0, n));
        for i in 0..n {
            let fits = truth.as_ref().is_none_or(|t| t[i] & TRUE != 0);
            if chunk.flags[i] & COUNTED != 0 && times[i] != NULL && fits {
                found.push(Row { row: (c * CHUNK + i) as u32, at: times[i], key: keys[i], value: values.as_ref().map_or(NULL, |v| v[i]) });
            }
        }
    }
    Ok(found)
}
