//! Rows that could not be used: those left out, by reason, and amounts without a rate, one of which makes a sum unknown.

use super::Series;
use super::cells::{Results, nothing};
use super::compile::{Compiled, Side};
use crate::answer::Cell;
use crate::scan::Key;
use crate::span::Span;
use northing_model::MetricKind;
use northing_model::metric::Agg;

/// The reason of what is made of amounts that have no rate.
pub(crate) const MISSING_RATE: &str = "missing_rate";

/// Counts what is left out of each cell (KPIS.md G4).
pub(super) fn left_out(c: &Compiled, results: &Results<'_>, series: &mut Series) {
    let stock = c.def.kind == MetricKind::Stock;
    for (reason, left) in &c.excluded {
        let rows = |side: &Side, keys: Option<&Vec<(usize, Key)>>, span: &Span| -> i64 { keys.into_iter().flatten().map(|(t, k)| results.sum(side, *t, k, span).1).sum() };
        let (counts, over) = (results.totals(&left.rows), left.over.as_ref().map(|side| results.totals(side)));
        for (group, cells) in series.iter_mut() {
            for (cell, span) in cells.iter_mut().zip(&c.spans) {
                let n = match (&left.over, &over) {
                    // In a state of which only its bounds are known: at the span's end, or at any time in it.
                    (Some(side), Some(over)) => {
                        let up_to = |end: i64| Span { start: i64::MIN, end, ..*span };
                        rows(&left.rows, counts.get(group), &up_to(span.end)) - rows(side, over.get(group), &up_to(if stock { span.end } else { span.start }))
                    }
                    _ => rows(&left.rows, counts.get(group), span),
                };
                if n > 0 {
                    cell.excluded.insert(reason.clone(), n as u64);
                }
            }
        }
    }
}

/// A sum of which one amount has no rate is unknown (KPIS.md G6).
pub(super) fn rateless(c: &Compiled, results: &Results<'_>, series: &mut Series) {
    for (group, keys) in results.totals(&c.rateless) {
        let lacking: Vec<i64> = c.spans.iter().map(|span| keys.iter().map(|(t, k)| results.sum(&c.rateless, *t, k, span).1).sum()).collect();
        if lacking.iter().all(|n| *n == 0) {
            continue;
        }
        let cells = series.entry(group).or_insert_with(|| c.spans.iter().map(|span| nothing(&c.def, span)).collect());
        for (cell, n) in cells.iter_mut().zip(lacking).filter(|(_, n)| *n > 0) {
            without_rate(cell, n as u64, c.def.den.iter().any(|m| m.agg == Agg::Sum));
        }
    }
}

/// A cell of which so many amounts have no rate.
pub(crate) fn without_rate(cell: &mut Cell, n: u64, denominator_too: bool) {
    let denominator = cell.denominator.filter(|_| !denominator_too);
    let excluded = std::mem::take(&mut cell.excluded);
    *cell = Cell { denominator, n: cell.n, excluded, mature: cell.mature, mature_share: cell.mature_share, reason: Some(MISSING_RATE.into()), ..Cell::default() };
    cell.excluded.insert(MISSING_RATE.into(), n);
}

