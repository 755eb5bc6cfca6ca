//! Retention of value: what the records in a state held when a span began, and how much of it they hold at its end.
//! Whoever came in between never counts. Net takes growth in, gross takes nobody for more than at first.

use super::Series;
use super::cells::Results;
use super::unused::without_rate;
use super::compile::Worth;
use crate::Result;
use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::plan::{Frame, steps};
use crate::rows::{entered, rows};
use crate::span::Span;
use northing_facts::{NONE, NULL};
use northing_model::{Expr, MetricDef};
use northing_model::money::TICKS;
use std::collections::BTreeMap;

/// One stretch of a state: from, until, whose, worth how much (`NULL`: an amount without a rate).
type Held = (i64, i64, u32, i64);

fn held(frame: &Frame<'_>, worth: &Worth) -> Result<Vec<Held>> {
    let state = &worth.state;
    let filter = state.filter.as_deref().map(Expr::parse).transpose().map_err(crate::MetricError::Question)?;
    let until = frame.path(worth.from, &steps(&state.until))?;
    let key = steps(state.key.as_deref().unwrap_or_default());
    let all = rows(frame, worth.from, &steps(&state.since), filter, state.value.as_deref(), &key)?;
    let raw = entered(frame, worth.from, state.value.as_deref());
    let known = all.into_iter().filter(|row| row.key != NONE && (row.value != NULL || raw.as_ref().is_some_and(|path| path.number(frame.snapshot, worth.from, row.row) != NULL)));
    Ok(known.map(|row| (row.at, until.number(frame.snapshot, worth.from, row.row), row.key, row.value)).collect())
}

/// By record: what it held at the start of a span, what counts of that at its end, and how much of both has no rate.
fn followed(all: &[Held], worth: &Worth, span: &Span, breakdown: &Breakdown) -> BTreeMap<u32, (i128, i128, u64)> {
    let mut by: BTreeMap<u32, (i128, i128, u64)> = BTreeMap::new();
    for (from, until, who, value) in all {
        let holds = |t: i64| *from < t && (*until == NULL || t <= *until);
        if breakdown.keeps(*who) && (holds(span.start) || holds(span.end)) {
            let own = by.entry(*who).or_default();
            if *value == NULL {
                own.2 += 1;
                continue;
            }
            own.0 += if holds(span.start) { i128::from(*value) } else { 0 };
            own.1 += if holds(span.end) { i128::from(*value) } else { 0 };
        }
    }
    by.retain(|_, own| own.0 > 0 || own.2 > 0);
    if worth.gross {
        by.values_mut().for_each(|own| own.1 = own.1.min(own.0));
    }
    by
}

pub(crate) fn cells(def: &MetricDef, spans: &[Span], r: &Results<'_>, worth: &Worth) -> Result<Series> {
    let breakdown = Breakdown::of(r.frame, worth.who)?;
    let all = held(r.frame, worth)?;
    let mut series = Series::new();
    for (i, span) in spans.iter().enumerate() {
        let mut groups: BTreeMap<Vec<u32>, (i128, i128, u64, u64)> = BTreeMap::new();
        for (who, (before, after, missing)) in followed(&all, worth, span, &breakdown) {
            let group = groups.entry(breakdown.key(who)).or_default();
            *group = (group.0 + before, group.1 + after, group.2 + 1, group.3 + missing);
        }
        for (key, (before, after, n, missing)) in groups {
            if !r.goes_on() {
                break;
            }
            let amount = |ticks: i128| Some(ticks as f64 / TICKS as f64);
            let mut cell = Cell { value: Some(after as f64 / before as f64), numerator: amount(after), denominator: amount(before), n, mature: true, ..Cell::default() };
            if missing > 0 {
                without_rate(&mut cell, missing, true);
            }
            let blank = || r.blank(def, spans);
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}

/// The records behind one side of a span's number, and what each adds, in ten-thousandths.
pub(crate) fn each(frame: &Frame<'_>, worth: &Worth, span: &Span, denominator: bool) -> Result<Vec<(u32, i64)>> {
    let breakdown = Breakdown::of(frame, worth.who)?;
    let by = followed(&held(frame, worth)?, worth, span, &breakdown);
    let side = |own: (i128, i128, u64)| i64::try_from(if denominator { own.0 } else { own.1 }).unwrap_or(i64::MAX);
    Ok(by.into_iter().map(|(who, own)| (who, side(own))).collect())
}
