//! Stocks whose values are each for a number of months (contracts): added up by that number first, divided last, so that
//! no record is rounded by itself. Amounts are converted at the rate of the instant that is asked for.

use super::Series;
use super::cells::{Results, nothing};
use super::unused::without_rate;
use super::compile::{Parted, raw};
use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::plan::{Frame, steps};
use crate::rows::rows;
use crate::span::Span;
use crate::{MetricError, Result};
use northing_facts::NULL;
use northing_model::money::{MICRO, TICKS};
use northing_model::{Expr, MetricDef};
use std::collections::BTreeMap;

/// One record's part: an amount as entered, in which currency, for how many.
struct Held {
    row: u32,
    since: i64,
    until: i64,
    ticks: i64,
    currency: i64,
    over: i64,
}

/// One record behind the number: its amount in the reporting currency, and for how many that is.
pub(crate) struct Share {
    pub row: u32,
    pub since: i64,
    pub ticks: i64,
    pub over: i64,
}

fn held(frame: &Frame<'_>, parted: &Parted) -> Result<Vec<Held>> {
    let state = &parted.state;
    let (Some(value), Some(over)) = (&state.value, &state.over) else { return Ok(Vec::new()) };
    let filter = state.filter.as_deref().map(Expr::parse).transpose().map_err(MetricError::Question)?;
    let path = |text: &[String]| frame.path(parted.from, text);
    let (until, over, amount) = (path(&steps(&state.until))?, path(&steps(over))?, raw(&steps(value)));
    let currency = path(&steps(&format!("{value}__cur")))?;
    let all = rows(frame, parted.from, &steps(&state.since), filter, Some(&amount.join(".")), &steps("id"))?;
    let number = |path: &northing_facts::eval::Path, row: u32| path.number(frame.snapshot, parted.from, row);
    let known = all.into_iter().filter(|row| row.value != NULL);
    Ok(known.map(|r| Held { row: r.row, since: r.at, until: number(&until, r.row), ticks: r.value, currency: number(&currency, r.row), over: number(&over, r.row).max(1) }).collect())
}

fn there(all: &[Held], t: i64) -> impl Iterator<Item = &Held> {
    all.iter().filter(move |h| h.since < t && (h.until == NULL || t <= h.until))
}

/// Millionths of the reporting currency for one unit of another, in force just before an instant.
fn rate(frame: &Frame<'_>, currency: i64, t: i64) -> Option<i64> {
    let day = frame.snapshot.settings.zone.day(t - 1);
    frame.snapshot.fx.currency(currency).and_then(|c| frame.snapshot.fx.rate(c, day))
}

pub(crate) fn cells(def: &MetricDef, spans: &[Span], r: &Results<'_>, parted: &Parted) -> Result<Series> {
    let breakdown = Breakdown::of(r.frame, parted.from)?;
    let all = held(r.frame, parted)?;
    let mut series = Series::new();
    for (i, span) in spans.iter().enumerate() {
        // Sums by currency and number; how many records there are.
        type Sums = (BTreeMap<(i64, i64), (i128, u64)>, u64);
        let mut groups: BTreeMap<Vec<u32>, Sums> = BTreeMap::new();
        for h in there(&all, span.end).filter(|h| breakdown.keeps(h.row)) {
            let (sums, n) = groups.entry(breakdown.key(h.row)).or_default();
            let sum = sums.entry((h.currency, h.over)).or_default();
            (sum.0, sum.1, *n) = (sum.0 + i128::from(h.ticks), sum.1 + 1, *n + 1);
        }
        for (key, (sums, n)) in groups {
            let (mut value, mut missing) = (0.0, 0);
            for ((currency, over), (ticks, rows)) in sums {
                match rate(r.frame, currency, span.end) {
                    Some(rate) => value += (ticks * i128::from(rate)) as f64 / (i128::from(MICRO) * i128::from(TICKS) * i128::from(over)) as f64,
                    None => missing += rows,
                }
            }
            let mut cell = Cell { value: Some(value), numerator: Some(value), n, mature: true, ..Cell::default() };
            if missing > 0 {
                without_rate(&mut cell, missing, false);
            }
            let blank = || spans.iter().map(|s| nothing(def, s)).collect();
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}

/// The records behind the number at the end of a span, and what each adds.
pub(crate) fn each(frame: &Frame<'_>, parted: &Parted, span: &Span) -> Result<Vec<Share>> {
    let breakdown = Breakdown::of(frame, parted.from)?;
    let day = frame.snapshot.settings.zone.day(span.end - 1);
    let fx = &frame.snapshot.fx;
    let shares = held(frame, parted)?;
    let own = there(&shares, span.end).filter(|h| breakdown.keeps(h.row));
    Ok(own.filter_map(|h| fx.currency(h.currency).and_then(|c| fx.convert(h.ticks, c, day)).map(|ticks| Share { row: h.row, since: h.since, ticks, over: h.over })).collect())
}
