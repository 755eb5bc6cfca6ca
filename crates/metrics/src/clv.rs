//! Predicted customer value: who will buy again, how often and for how much (KPIS.md §6).
//!
//! BG/NBD (Fader, Hardie, Lee 2005) for the number of purchases, Gamma-Gamma (Fader, Hardie 2013) for their
//! value, both fitted by maximum likelihood to the purchases up to the end of the question.

mod fit;
mod model;

pub use fit::{Fit, fit};
pub use model::{Spend, Timing};

use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::evaluate::{Compiled, Group, Results, Series, nothing};
use crate::plan::{Frame, steps};
use crate::rows::{Row, rows};
use crate::span::Span;
use crate::Result;
use northing_facts::table::COUNTED;
use northing_facts::{NONE, NULL};
use northing_model::MetricDef;
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

/// Purchases of the customers who buy without a contract, by customer and time: read once for all cuts.
fn purchases(frame: &Frame<'_>) -> Result<Vec<Row>> {
    let customers = &frame.snapshot.tables[frame.table("customer")?];
    let contract = frame.table("contract")?;
    let contracted: BTreeSet<u32> = rows(frame, contract, &steps("starts_at"), None, None, &steps("customer"))?.iter().map(|r| r.key).collect();
    let mut bought = rows(frame, frame.table("purchase")?, &steps("purchased_at"), None, Some("purchase_value"), &steps("customer"))?;
    bought.retain(|r| r.key != NONE && r.value != NULL && r.value >= 0 && !contracted.contains(&r.key));
    bought.retain(|r| customers.flags(r.key) & COUNTED != 0);
    bought.sort_unstable_by_key(|r| (r.key, r.at));
    Ok(bought)
}

/// What each customer had bought before a cut, by row.
fn summaries(frame: &Frame<'_>, bought: &[Row], cut: i64) -> Vec<(u32, Summary)> {
    let zone = &frame.snapshot.settings.zone;
    let last_day = zone.day(cut - 1);
    let mut found = Vec::new();
    for own in bought.chunk_by(|a, b| a.key == b.key) {
        let own = &own[..own.partition_point(|r| r.at < cut)];
        if own.is_empty() {
            continue;
        }
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
    found
}

/// The model fitted to everything before a cut; kept while the purchases stay as they are.
fn fitted(frame: &Frame<'_>, bought: &[Row], cut: i64) -> Result<Option<Arc<Fit>>> {
    let table = &frame.snapshot.tables[frame.table("purchase")?];
    let version = table.chunks.iter().map(|c| c.version).max().unwrap_or(0);
    let key = (version, frame.snapshot.settings.zone.day(cut - 1));
    if let Some(known) = frame.cache.and_then(|c| c.model(key)) {
        return Ok(known);
    }
    let data: Vec<Summary> = summaries(frame, bought, cut).into_iter().map(|s| s.1).collect();
    let enough = data.iter().filter(|s| s.x > 0).count() >= LEAST_REPEATERS;
    let found = if enough { fit(&data).map(Arc::new) } else { None };
    if let Some(cache) = frame.cache {
        cache.put_model(key, found.clone());
    }
    Ok(found)
}

/// What each customer is expected to spend over the coming months, discounted; or, by the definition's `stat`, the
/// chance that it is still there, or how many purchases to expect.
fn values(frame: &Frame<'_>, def: &MetricDef, bought: &[Row], fit: &Fit, cut: i64) -> Vec<(u32, f64)> {
    let value = |s: &Summary| match def.stat.as_deref() {
        Some("alive") => fit.timing.p_alive(s.x, s.t_x, s.t),
        Some("purchases") => fit.timing.expected(s.x, s.t_x, s.t, MONTH_WEEKS * MONTHS as f64),
        _ => fit.timing.discounted(s.x, s.t_x, s.t, MONTH_WEEKS, MONTHS, DISCOUNT) * fit.spend.expected(s.x, s.mean),
    };
    summaries(frame, bought, cut).iter().map(|(row, s)| (*row, value(s))).collect()
}

/// The values behind a span's number, by customer.
pub(crate) fn each(r: &Results<'_>, def: &MetricDef, span: &Span) -> Result<Vec<(u32, f64)>> {
    let breakdown = Breakdown::of(r.frame, r.frame.table("customer")?)?;
    let bought = purchases(r.frame)?;
    let Some(fit) = fitted(r.frame, &bought, span.end)? else { return Ok(Vec::new()) };
    let all = values(r.frame, def, &bought, &fit, span.end);
    Ok(all.into_iter().filter(|(row, _)| breakdown.keeps(*row)).collect())
}

pub(crate) fn cells(c: &Compiled, r: &Results<'_>) -> Result<Series> {
    let breakdown = Breakdown::of(r.frame, r.frame.table("customer")?)?;
    let bought = purchases(r.frame)?;
    let cut = c.spans.iter().filter(|s| !s.future).map(|s| s.end).max().unwrap_or(r.frame.now);
    let fit = fitted(r.frame, &bought, cut)?;
    let mut series = Series::new();
    let blank = || -> Vec<Cell> { c.spans.iter().map(|s| Cell { reason: Some("model_not_fit".into()), ..nothing(&c.def, s) }).collect() };
    if breakdown.whole() {
        series.insert(Group::new(), blank());
    }
    let Some(fit) = fit else { return Ok(series) };
    for (i, span) in c.spans.iter().enumerate().filter(|(_, s)| !s.future) {
        let mut groups: BTreeMap<Vec<u32>, (f64, u64)> = BTreeMap::new();
        for (row, value) in values(r.frame, &c.def, &bought, &fit, span.end) {
            if breakdown.keeps(row) {
                let group = groups.entry(breakdown.key(row)).or_default();
                *group = (group.0 + value, group.1 + 1);
            }
        }
        for (key, (sum, n)) in groups {
            let cell = Cell { value: Some(sum), numerator: Some(sum), n, mature: true, parts: fit.parts(), flags: fit.flags(), ..Cell::default() };
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}
