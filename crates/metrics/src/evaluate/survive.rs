//! How long a state lasts, learnt also from those for whom it goes on: the mean up to a cap of the survival curve
//! (Kaplan, Meier 1958). Every stretch of the state is a life; one that goes on at the span's end is censored there.

use super::Series;
use super::cells::Results;
use super::compile::Lives;
use crate::Result;
use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::plan::{Frame, steps};
use crate::rows::rows;
use crate::span::Span;
use northing_facts::{NONE, NULL};
use northing_model::{Expr, MetricDef};
use std::collections::BTreeMap;

const YEAR: f64 = 365.25 * 86_400.0;

/// From, until (`NULL` while it goes on), whose.
type Stretch = (i64, i64, u32);

/// How long, and whether it ended.
type Life = (i64, bool);

fn stretches(frame: &Frame<'_>, lives: &Lives) -> Result<Vec<Stretch>> {
    let state = &lives.state;
    let filter = state.filter.as_deref().map(Expr::parse).transpose().map_err(crate::MetricError::Question)?;
    let until = frame.path(lives.from, &steps(&state.until))?;
    let all = rows(frame, lives.from, &steps(&state.since), filter, None, &steps(state.key.as_deref().unwrap_or_default()))?;
    Ok(all.into_iter().filter(|row| row.key != NONE).map(|row| (row.at, until.number(frame.snapshot, lives.from, row.row), row.key)).collect())
}

fn life((from, until, _): &Stretch, span: &Span, cap: i64) -> Option<Life> {
    let ended = *until != NULL && *until <= span.end;
    let lasted = (if ended { *until } else { span.end }) - from;
    (*from < span.end && lasted >= 0).then_some(if lasted > cap { (cap, false) } else { (lasted, ended) })
}

/// The area under the survival curve up to the cap, or to the longest life seen; and whether the cap was reached.
fn mean(mut all: Vec<Life>, cap: i64) -> (f64, bool) {
    // At one age endings come before those who were last seen then.
    all.sort_unstable_by_key(|(lasted, ended)| (*lasted, !ended));
    let (mut alive, mut share, mut area, mut at) = (all.len() as f64, 1.0, 0.0, 0);
    for same in all.chunk_by(|a, b| a.0 == b.0) {
        area += share * (same[0].0 - at) as f64;
        at = same[0].0;
        let ended = same.iter().filter(|life| life.1).count() as f64;
        share *= 1.0 - ended / alive;
        alive -= same.len() as f64;
    }
    (area / YEAR, at >= cap || share == 0.0)
}

pub(crate) fn cells(def: &MetricDef, spans: &[Span], r: &Results<'_>, lives: &Lives) -> Result<Series> {
    let breakdown = Breakdown::of(r.frame, lives.who)?;
    let (all, cap) = (stretches(r.frame, lives)?, (lives.cap as f64 * YEAR) as i64);
    let mut series = Series::new();
    for (i, span) in spans.iter().enumerate() {
        let mut groups: BTreeMap<Vec<u32>, Vec<Life>> = BTreeMap::new();
        for stretch in all.iter().filter(|s| breakdown.keeps(s.2)) {
            if let Some(life) = life(stretch, span, cap) {
                groups.entry(breakdown.key(stretch.2)).or_default().push(life);
            }
        }
        for (key, own) in groups {
            if !r.goes_on() {
                break;
            }
            let (n, ended) = (own.len(), own.iter().filter(|life| life.1).count());
            let longest = own.iter().map(|life| life.0).max().unwrap_or(0);
            let (value, whole) = mean(own, cap);
            let mut cell = Cell { value: Some(value), numerator: Some(ended as f64), denominator: Some(n as f64), n: n as u64, mature: true, ..Cell::default() };
            if !whole && longest < def.least_days.unwrap_or(0) * 86_400 {
                (cell.value, cell.reason) = (None, Some("insufficient_data".into()));
            } else if !whole {
                cell.flags.push("short_history".into());
            }
            let blank = || r.blank(def, spans);
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}

/// Whose lives ended within the cap, or all that were looked at.
pub(crate) fn each(frame: &Frame<'_>, lives: &Lives, span: &Span, all: bool) -> Result<Vec<u32>> {
    let breakdown = Breakdown::of(frame, lives.who)?;
    let cap = (lives.cap as f64 * YEAR) as i64;
    let found = stretches(frame, lives)?.into_iter().filter(|s| breakdown.keeps(s.2));
    Ok(found.filter(|s| life(s, span, cap).is_some_and(|life| all || life.1)).map(|s| s.2).collect())
}
