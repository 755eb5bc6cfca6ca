//! Predicted customer value: who will buy again, how often and for how much (KPIS.md §6).
//!
//! BG/NBD (Fader, Hardie, Lee 2005) for the number of purchases, Gamma-Gamma (Fader, Hardie 2013) for their
//! value, both fitted by maximum likelihood to the purchases up to the end of the question. A variant lets
//! customers be gone after their first purchase already (MBG/NBD; Batislam, Denizel, Filiztekin 2007).

mod fit;
mod model;

pub use fit::{Fit, fit};
pub use model::{Spend, Timing};

use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::evaluate::{Compiled, Group, Results, Series, nothing, without_rate};
use crate::plan::{Frame, steps};
use crate::rows::{Row, entered, rows};
use crate::span::Span;
use crate::Result;
use northing_facts::table::COUNTED;
use northing_facts::{NONE, NULL};
use northing_model::MetricDef;
use northing_model::money::TICKS;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Months ahead where the definition says none, what a month's delay costs, and a month in weeks.
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

/// One purchase: whose, when, on which local day, worth how many ten-thousandths.
#[derive(Clone, Copy)]
struct Bought {
    who: u32,
    day: i32,
    at: i64,
    value: i64,
}

/// Purchases of the customers who buy without a contract, by customer and time: read once for all cuts.
fn purchases(frame: &Frame<'_>) -> Result<Vec<Bought>> {
    let customers = &frame.snapshot.tables[frame.table("customer")?];
    let contract = frame.table("contract")?;
    let mut counted: Vec<bool> = (0..customers.len).map(|row| customers.flags(row) & COUNTED != 0).collect();
    for row in rows(frame, contract, &steps("starts_at"), None, None, &steps("customer"))?.iter().filter(|r| r.key != NONE) {
        counted[row.key as usize] = false;
    }
    let zone = &frame.snapshot.settings.zone;
    let all = rows(frame, frame.table("purchase")?, &steps("purchased_at"), None, Some("purchase_value"), &steps("customer"))?;
    let of = |r: &Row| Bought { who: r.key, day: zone.day(r.at), at: r.at, value: r.value };
    let fits = |r: &&Row| r.key != NONE && r.value != NULL && r.value >= 0 && counted[r.key as usize];
    let mut bought: Vec<Bought> = all.par_iter().filter(fits).map(of).collect();
    bought.par_sort_unstable_by_key(|b| (b.who, b.at));
    Ok(bought)
}

/// Purchases before a cut whose amount has no rate: their table and rows.
pub(crate) fn rateless(frame: &Frame<'_>, cut: i64) -> Result<(usize, Vec<u32>)> {
    let table = frame.table("purchase")?;
    let Some(raw) = entered(frame, table, Some("purchase_value")) else { return Ok((table, Vec::new())) };
    let all = rows(frame, table, &steps("purchased_at"), None, Some("purchase_value"), &steps("customer"))?;
    let lacks = |r: &&Row| r.at < cut && r.key != NONE && r.value == NULL && raw.number(frame.snapshot, table, r.row) != NULL;
    Ok((table, all.iter().filter(lacks).map(|r| r.row).collect()))
}

/// What each customer had bought before a cut, by row.
fn summaries(frame: &Frame<'_>, bought: &[Bought], cut: i64) -> Vec<(u32, Summary)> {
    let last_day = frame.snapshot.settings.zone.day(cut - 1);
    let one = |own: &[Bought]| {
        let own = &own[..own.partition_point(|b| b.at < cut)];
        let (first, last) = (own.first()?, own.last()?);
        // Purchases of one day are one occasion; the first day's are not repeats.
        let repeats = &own[own.partition_point(|b| b.day == first.day)..];
        let x = repeats.chunk_by(|a, b| a.day == b.day).count();
        let spent: i128 = repeats.iter().map(|b| i128::from(b.value)).sum();
        let mean = if x == 0 { 0.0 } else { spent as f64 / TICKS as f64 / x as f64 };
        let weeks = |to: i32| f64::from(to - first.day) / 7.0;
        Some((first.who, Summary { x: x as u32, t_x: weeks(last.day), t: weeks(last_day), mean }))
    };
    let by_customer: Vec<&[Bought]> = bought.chunk_by(|a, b| a.who == b.who).collect();
    by_customer.par_iter().filter_map(|own| one(own)).collect()
}

/// The model fitted to everything before a cut; kept while the purchases stay as they are.
fn fitted(frame: &Frame<'_>, def: &MetricDef, bought: &[Bought], cut: i64) -> Result<Option<Arc<Fit>>> {
    // What `purchases` reads: a contract signed today takes its customer out of the model.
    let mut version = 0;
    for name in ["purchase", "customer", "contract"] {
        version = version.max(frame.snapshot.tables[frame.table(name)?].version());
    }
    let key = (version, frame.snapshot.settings.zone.day(cut - 1), def.early_dropout);
    if let Some(known) = frame.cache.and_then(|c| c.model(key)) {
        return Ok(known);
    }
    let data: Vec<Summary> = summaries(frame, bought, cut).into_iter().map(|s| s.1).collect();
    let enough = data.iter().filter(|s| s.x > 0).count() >= LEAST_REPEATERS;
    let found = if enough { fit::fit_while(&data, def.early_dropout, &|| frame.budget.goes_on()).map(Arc::new) } else { None };
    frame.budget.check()?;
    if let Some(cache) = frame.cache {
        cache.put_model(key, found.clone());
    }
    Ok(found)
}

/// What each customer is expected to spend over the coming months, discounted; or, by the definition's `stat`, the
/// chance that it is still there, or how many purchases to expect. That chance stands beside each in per cent.
fn values(frame: &Frame<'_>, def: &MetricDef, bought: &[Bought], fit: &Fit, cut: i64) -> Vec<(u32, f64, f64)> {
    let months = def.months.unwrap_or(MONTHS);
    let value = |s: &Summary| match def.stat.as_deref() {
        Some("alive") => fit.timing.p_alive(s.x, s.t_x, s.t),
        Some("purchases") => fit.timing.expected(s.x, s.t_x, s.t, MONTH_WEEKS * months as f64),
        _ => fit.timing.discounted(s.x, s.t_x, s.t, MONTH_WEEKS, months, DISCOUNT) * fit.spend.expected(s.x, s.mean),
    };
    summaries(frame, bought, cut).par_iter().map(|(row, s)| (*row, value(s), 100.0 * fit.timing.p_alive(s.x, s.t_x, s.t))).collect()
}

/// The values behind a span's number, by customer.
pub(crate) fn each(r: &Results<'_>, def: &MetricDef, span: &Span, cut: i64) -> Result<Vec<(u32, f64)>> {
    let breakdown = Breakdown::of(r.frame, r.frame.table("customer")?)?;
    let bought = purchases(r.frame)?;
    let Some(fit) = fitted(r.frame, def, &bought, cut)? else { return Ok(Vec::new()) };
    let all = values(r.frame, def, &bought, &fit, span.end);
    Ok(all.into_iter().filter(|(row, ..)| breakdown.keeps(*row)).map(|(row, value, _)| (row, value)).collect())
}

/// Up to when purchases are fitted: the end of the question, as far as it has come.
pub(crate) fn cut(c: &Compiled, now: i64) -> i64 {
    c.spans.iter().filter(|s| !s.future).map(|s| s.end).max().unwrap_or(now)
}

/// The cell of a span without a model.
pub(crate) fn unfit(def: &MetricDef, span: &Span) -> Cell {
    Cell { reason: Some("model_not_fit".into()), ..nothing(def, span) }
}

pub(crate) fn cells(def: &MetricDef, spans: &[Span], r: &Results<'_>, cut: i64) -> Result<Series> {
    let breakdown = Breakdown::with_band(r.frame, r.frame.table("customer")?, def.band.as_ref())?;
    let missing = rateless(r.frame, cut)?.1.len() as u64;
    if missing > 0 {
        // What a customer is worth is told from what all paid.
        let lacking = |span: &Span| {
            let mut cell = nothing(def, span);
            without_rate(&mut cell, missing, false);
            cell
        };
        return Ok(Series::from([(r.frame.by.iter().map(|_| ("(none)".to_string(), None)).collect(), spans.iter().map(lacking).collect())]));
    }
    let bought = purchases(r.frame)?;
    let fit = fitted(r.frame, def, &bought, cut)?;
    let mut series = Series::new();
    let blank = || r.blank(def, spans);
    let Some(fit) = fit else {
        if breakdown.whole() {
            series.insert(Group::new(), spans.iter().map(|s| unfit(def, s)).collect());
        }
        return Ok(series);
    };
    for (i, span) in spans.iter().enumerate().filter(|(_, s)| !s.future) {
        let mut groups: BTreeMap<Vec<u32>, (f64, u64)> = BTreeMap::new();
        for (row, value, alive) in values(r.frame, def, &bought, &fit, span.end) {
            if breakdown.keeps(row) {
                let group = groups.entry(breakdown.key_with(row, Some(alive))).or_default();
                *group = (group.0 + value, group.1 + 1);
            }
        }
        for (key, (sum, n)) in groups {
            if !r.goes_on() {
                break;
            }
            let cell = Cell { value: Some(sum), numerator: Some(sum), denominator: Some(n as f64), n, mature: true, parts: fit.parts(), flags: fit.flags(), ..Cell::default() };
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell;
        }
    }
    Ok(series)
}
