//! Predicted customer value: who will buy again, how often and for how much (KPIS.md §6).
//!
//! BG/NBD (Fader, Hardie, Lee 2005) for the number of purchases, Gamma-Gamma (Fader, Hardie 2013) for their
//! value, both fitted by maximum likelihood to the purchases up to the end of the question.

mod fit;
mod model;

pub use fit::{Fit, fit};
pub use model::{Spend, Timing};

use crate::answer::Cell;
use crate::evaluate::{Compiled, Group, Results, Series, codes, dimensions, kept_by_filter, nothing};
use crate::plan::{Frame, steps};
use crate::rows::rows;
use crate::span::Span;
use crate::Result;
use northing_facts::table::COUNTED;
use northing_facts::{NONE, NULL};
use northing_model::money::TICKS;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Months ahead, what a month's delay costs, and a month in weeks.
const MONTHS: usize = 12;
const DISCOUNT: f64 = 0.01;
pub const MONTH_WEEKS: f64 = 365.25 / 84.0;

/// Fewer customers who came back cannot carry a model.
const LEAST_REPEATERS: usize = 100;

/// One customer's purchases up to a cut: repeat days, weeks from first to last and from first to the cut, and the
/// mean value of a repeat day in the currency's major unit (0 without one).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    pub x: u32,
    pub t_x: f64,
    pub t: f64,
    pub mean: f64,
}

/// Summaries of the customers who buy without a contract, by row.
fn summaries(frame: &Frame<'_>, cut: i64) -> Result<Vec<(u32, Summary)>> {
    let table = frame.table("purchase")?;
    let snapshot = frame.snapshot;
    let customer = frame.table("customer")?;
    let contract = frame.table("contract")?;
    let customers = &snapshot.tables[customer];
    let contracted: BTreeSet<u32> = rows(frame, contract, &steps("starts_at"), None, None, &steps("customer"))?.iter().map(|r| r.key).collect();
    let mut bought = rows(frame, table, &steps("purchased_at"), None, Some("purchase_value"), &steps("customer"))?;
    bought.retain(|r| r.at < cut && r.key != NONE && r.value != NULL && r.value >= 0 && !contracted.contains(&r.key));
    bought.retain(|r| customers.flags(r.key) & COUNTED != 0);
    bought.sort_unstable_by_key(|r| (r.key, r.at));
    let zone = &snapshot.settings.zone;
    let last_day = zone.day(cut - 1);
    let mut found = Vec::new();
    for own in bought.chunk_by(|a, b| a.key == b.key) {
        let mut days: Vec<(i32, i64)> = Vec::new();
        for r in own {
            let day = zone.day(r.at);
            match days.last_mut() {
                Some(last) if last.0 == day => last.1 = last.1.saturating_add(r.value),
                _ => days.push((day, r.value)),
            }
        }
        let (first, last, x) = (days[0].0, days[days.len() - 1].0, days.len() - 1);
        let spent: i128 = days[1..].iter().map(|d| i128::from(d.1)).sum();
        let mean = if x == 0 { 0.0 } else { spent as f64 / TICKS as f64 / x as f64 };
        let weeks = |from: i32, to: i32| f64::from(to - from) / 7.0;
        found.push((own[0].key, Summary { x: x as u32, t_x: weeks(first, last), t: weeks(first, last_day), mean }));
    }
    Ok(found)
}

/// The model fitted to everything before a cut; kept while the purchases stay as they are.
fn fitted(frame: &Frame<'_>, cut: i64) -> Result<Option<Arc<Fit>>> {
    let table = &frame.snapshot.tables[frame.table("purchase")?];
    let version = table.chunks.iter().map(|c| c.version).max().unwrap_or(0);
    let key = (version, frame.snapshot.settings.zone.day(cut - 1));
    if let Some(known) = frame.cache.and_then(|c| c.model(key)) {
        return Ok(known);
    }
    let data: Vec<Summary> = summaries(frame, cut)?.into_iter().map(|s| s.1).collect();
    let enough = data.iter().filter(|s| s.x > 0).count() >= LEAST_REPEATERS;
    let found = if enough { fit(&data).map(Arc::new) } else { None };
    if let Some(cache) = frame.cache {
        cache.put_model(key, found.clone());
    }
    Ok(found)
}

/// What each customer is expected to spend over the coming months, discounted.
fn values(frame: &Frame<'_>, fit: &Fit, cut: i64) -> Result<Vec<(u32, f64)>> {
    let value = |s: &Summary| fit.timing.discounted(s.x, s.t_x, s.t, MONTH_WEEKS, MONTHS, DISCOUNT) * fit.spend.expected(s.x, s.mean);
    Ok(summaries(frame, cut)?.iter().map(|(row, s)| (*row, value(s))).collect())
}

/// The values behind a span's number, by customer.
pub(crate) fn each(r: &Results<'_>, span: &Span) -> Result<Vec<(u32, f64)>> {
    let keep = kept_by_filter(r, r.frame.table("customer")?)?;
    let Some(fit) = fitted(r.frame, span.end)? else { return Ok(Vec::new()) };
    let all = values(r.frame, &fit, span.end)?;
    Ok(all.into_iter().filter(|(row, _)| keep.as_ref().is_none_or(|k| k.has(*row))).collect())
}

pub(crate) fn cells(c: &Compiled, r: &Results<'_>) -> Result<Series> {
    let table = r.frame.table("customer")?;
    let (keep, paths) = (kept_by_filter(r, table)?, dimensions(r, table)?);
    let codes = codes(r, table, &paths);
    let cut = c.spans.iter().filter(|s| !s.future).map(|s| s.end).max().unwrap_or(r.frame.now);
    let fit = fitted(r.frame, cut)?;
    let mut series = Series::new();
    let blank = || -> Vec<Cell> { c.spans.iter().map(|s| Cell { reason: Some("model_not_fit".into()), ..nothing(&c.def, s) }).collect() };
    if paths.is_empty() {
        series.insert(Group::new(), blank());
    }
    let Some(fit) = fit else { return Ok(series) };
    for (i, span) in c.spans.iter().enumerate().filter(|(_, s)| !s.future) {
        let mut groups: BTreeMap<Vec<u32>, (f64, u64)> = BTreeMap::new();
        for (row, value) in values(r.frame, &fit, span.end)? {
            if keep.as_ref().is_none_or(|k| k.has(row)) {
                let key = codes.iter().map(|c| c.get(row as usize).copied().unwrap_or(NONE)).collect();
                let group = groups.entry(key).or_default();
                *group = (group.0 + value, group.1 + 1);
            }
        }
        for (key, (sum, n)) in groups {
            let group: Group = paths.iter().zip(&key).map(|(p, code)| r.name(p, *code)).collect();
            let cell = Cell { value: Some(sum), numerator: Some(sum), n, mature: true, parts: fit.parts(), flags: fit.flags(), ..Cell::default() };
            series.entry(group).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}
