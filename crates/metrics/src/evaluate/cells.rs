//! From scan results to cells: one function for each shape.

use super::compile::{Began, Compiled, Shape, Side};
use super::finish::settle;
use super::{Group, Series, goals, inputs, kept, retain, score, unallocated, unused};
pub(crate) use super::finish::nothing;
use crate::answer::Cell;
use crate::plan::{Frame, Plan};
use crate::scan::{Bitmap, Grid, Key, Spread};
use crate::span::Span;
use crate::stats::wilson;
use crate::Result;
use northing_facts::{NONE, Snapshot};
use northing_facts::eval::Path;
use northing_model::metric::{Agg, Unit};
use northing_model::money::TICKS;
use northing_model::{FieldType, MetricDef, MetricKind};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DAY: i128 = 86_400;

/// Scan results with what is needed to name their groups.
pub(crate) struct Results<'a> {
    pub plan: &'a Plan,
    pub grids: &'a [Arc<Grid>],
    pub frame: &'a Frame<'a>,
}

/// The cells of a metric; where its budget is spent, not all of them.
pub(crate) fn work_out(c: &Compiled, plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>) -> Result<Series> {
    let results = Results { plan, grids, frame };
    let mut series = match &c.shape {
        Shape::Sums { num, den, values, began } => sums(c, &results, num, den.as_ref(), *values, began.as_ref()),
        Shape::Conversion { num, den, window } => conversion(c, &results, num, den, *window),
        Shape::Stock { entered, left, live } => stock(c, &results, entered, left, *live),
        Shape::Average { entered, left, began, ended } => average(c, &results, entered, left, [*began, *ended]),
        Shape::Retention(followed) => retain::cells(c, &results, followed)?,
        Shape::Score { handle, classes, mixed } => score::cells(c, &results, *handle, classes.as_ref(), *mixed),
        Shape::Derived { inputs } => inputs::finish_all(c, plan, grids, frame, inputs)?,
        Shape::Goals { goals, share } => goals::finish_all(c, plan, grids, frame, goals, *share)?,
        Shape::Parted(_) | Shape::Worth(_) | Shape::Attributed { .. } | Shape::Composite { .. } | Shape::Model | Shape::Survival(_) => kept::cells(c, &results)?,
    };
    frame.budget.check()?;
    if frame.by.is_empty() && series.is_empty() {
        series.insert(Group::new(), c.spans.iter().map(|span| nothing(&c.def, span)).collect());
    }
    unused::left_out(c, &results, &mut series);
    unused::rateless(c, &results, &mut series);
    if let (Shape::Sums { num, .. }, false) = (&c.shape, frame.by.is_empty()) {
        unallocated::tell(c, &results, num, &mut series);
    }
    for cells in series.values_mut() {
        for (cell, span) in cells.iter_mut().zip(&c.spans) {
            settle(&c.def, cell, span, c.no_rows);
        }
    }
    Ok(series)
}

impl Results<'_> {
    /// Names the codes of a request's group.
    pub fn group(&self, handle: usize, key: &Key) -> Group {
        let request = &self.plan.requests[handle];
        request
            .dims
            .iter()
            .take(self.frame.by.len())
            .zip(key)
            .map(|(dim, code)| {
                let path = dim.as_ref().and_then(|d| Path::resolve(self.frame.snapshot, request.table, d).ok());
                path.map_or_else(|| ("(none)".to_string(), None), |p| self.name(&p, *code))
            })
            .collect()
    }

    pub fn name(&self, path: &Path, code: u32) -> (String, Option<uuid::Uuid>) {
        name(self.frame.snapshot, path, code)
    }

    /// By group: the terms of a side that know it, with their own key for it.
    pub fn totals(&self, side: &Side) -> BTreeMap<Group, Vec<(usize, Key)>> {
        let mut groups: BTreeMap<Group, Vec<(usize, Key)>> = BTreeMap::new();
        for (t, term) in side.terms.iter().enumerate() {
            for key in self.grids[term.handle].groups() {
                groups.entry(self.group(term.handle, &key)).or_default().push((t, key));
            }
        }
        groups
    }

    /// Sum (signed) and rows of one term over a span.
    pub fn sum(&self, side: &Side, term: usize, key: &Key, span: &Span) -> (i128, i64) {
        let term = &side.terms[term];
        let grid = &self.grids[term.handle];
        let (amount, rows) = match term.agg {
            Agg::Count => {
                let (n, _) = grid.sum(key, span.start, span.end);
                (i128::from(n), n)
            }
            Agg::Sum => {
                let (n, sum) = grid.sum(key, span.start, span.end);
                (sum, n)
            }
            Agg::Distinct => {
                let n = grid.distinct(key, span.start, span.end) as i64;
                (i128::from(n), n)
            }
        };
        let rows = term.records.map_or(rows, |records| self.grids[records].distinct(key, span.start, span.end) as i64);
        (if term.minus { -amount } else { amount }, rows)
    }

    /// A side's total of a group over a span: sum, rows, scale.
    fn side(&self, side: &Side, keys: Option<&Vec<(usize, Key)>>, span: &Span) -> (i128, i64, i64) {
        let scale = side.terms.first().map_or(1, |t| t.scale);
        let mut total = (0i128, 0i64);
        if side.terms.len() > 1 && side.terms.iter().all(|t| t.agg == Agg::Distinct) {
            // Somebody who is counted by two tables is one.
            let mut all = Bitmap::default();
            for (term, key) in keys.into_iter().flatten() {
                all.join(&self.grids[side.terms[*term].handle].members(key, span.start, span.end));
            }
            let n = all.count() as i64;
            return (i128::from(n), n, scale);
        }
        for (term, key) in keys.into_iter().flatten() {
            let (sum, rows) = self.sum(side, *term, key, span);
            total = (total.0 + sum, total.1 + rows);
        }
        (total.0, total.1, scale)
    }
}

/// What a code of a dimension is called, and which record it is.
pub(crate) fn name(snapshot: &Snapshot, path: &Path, code: u32) -> (String, Option<uuid::Uuid>) {
    let none = || ("(none)".to_string(), None);
    if code == NONE {
        return none();
    }
    if let Some(target) = path.target {
        return (snapshot.title(target, code), snapshot.tables[target].id(code));
    }
    let Some((table, column)) = path.steps.last() else { return none() };
    let meta = &snapshot.tables[*table].schema.columns[*column];
    let text = match (&meta.dict, meta.kind) {
        (Some(dict), _) => dict.text(code).map(|t| t.to_string()),
        (None, FieldType::Bool) => Some((code == 1).to_string()),
        (None, _) => meta.options.get(code as usize).cloned(),
    };
    text.map_or_else(none, |t| (t, None))
}

fn all_groups<'a>(maps: &[&'a BTreeMap<Group, Vec<(usize, Key)>>]) -> BTreeSet<&'a Group> {
    maps.iter().flat_map(|m| m.keys()).collect()
}

fn scaled(sum: i128, scale: i64) -> f64 {
    sum as f64 / scale as f64
}

fn sums(c: &Compiled, r: &Results<'_>, num: &Side, den: Option<&Side>, values: Option<(usize, i64)>, began: Option<&Began>) -> Series {
    let tops = r.totals(num);
    let bottoms = den.map(|d| r.totals(d)).unwrap_or_default();
    let mut spread: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
    if let Some((handle, _)) = values {
        for key in r.grids[handle].groups() {
            spread.entry(r.group(handle, &key)).or_default().push(key);
        }
    }
    let mut series = Series::new();
    for group in r.afforded(all_groups(&[&tops, &bottoms]), c) {
        // Another metric may have looked further: a group that has no row here is none of this answer's.
        let mut some = false;
        let cells = c.spans.iter().take_while(|_| r.goes_on()).map(|span| {
            let (top, rows, scale) = r.side(num, tops.get(group), span);
            some |= rows > 0;
            let mut cell = Cell { mature: true, numerator: Some(scaled(top, scale)), n: rows.max(0) as u64, ..Cell::default() };
            match (den, c.def.kind) {
                (Some(den), _) => {
                    let (bottom, den_rows, bottom_scale) = r.side(den, bottoms.get(group), span);
                    some |= den_rows > 0;
                    cell.denominator = Some(scaled(bottom, bottom_scale));
                    cell.n = den_rows.max(0) as u64;
                    if bottom == 0 {
                        cell.reason = Some("no_data".into());
                    } else {
                        cell.value = Some(top as f64 * bottom_scale as f64 / (bottom as f64 * scale as f64));
                        if let Some(began) = began {
                            young(&mut cell, span, began);
                        }
                    }
                    // Only a share of the same rows is a proportion.
                    let same = c.def.num.iter().all(|m| c.def.den.iter().any(|d| d.time == m.time && d.from == m.from));
                    let counted = same && num.terms.iter().chain(&den.terms).all(|t| t.agg != Agg::Sum);
                    if counted && c.def.unit == Unit::Ratio && bottom > 0 && top >= 0 && top <= bottom {
                        proportion(&mut cell, top as f64, bottom as f64);
                    }
                }
                (None, MetricKind::Duration) => {
                    cell.denominator = Some(rows as f64);
                    if rows == 0 {
                        cell.reason = Some("no_data".into());
                    } else {
                        cell.value = Some(top as f64 / (rows as f64 * scale as f64));
                    }
                }
                (None, _) if rows == 0 && c.def.empty.is_some() => cell.reason = c.def.empty.clone(),
                (None, _) => {
                    cell.value = cell.numerator;
                    // Counts of independent events vary by their own size (Poisson), what comes less what goes by both;
                    // a sum of amounts, as a plan's, is no count.
                    if c.def.unit == Unit::Count && num.terms.iter().all(|t| t.agg != Agg::Sum) {
                        let minus = num.terms.iter().any(|t| t.minus);
                        cell.variance = Some(if minus { i128::from(rows) } else { top } as f64);
                    }
                }
            }
            if let Some((handle, scale)) = values {
                let own = spread.get(group).into_iter().flatten();
                spread_of(&mut cell, r.grids[handle].spread(own, span.start, span.end), scale);
                choose(&c.def, &mut cell);
            }
            cell
        });
        let cells: Vec<Cell> = cells.collect();
        if some {
            series.insert(group.clone(), cells);
        }
    }
    series
}

/// A business younger than the window: what it did in its days, as for the whole of it; too few days say nothing.
fn young(cell: &mut Cell, span: &Span, began: &Began) {
    let Some(at) = began.at.filter(|at| *at > span.start && *at < span.end) else { return };
    if span.end - at < began.least {
        (cell.value, cell.reason) = (None, Some("insufficient_data".into()));
        return;
    }
    if began.yearly {
        cell.value = cell.value.map(|v| v * (span.end - span.start) as f64 / (span.end - at) as f64);
        cell.flags.push("short_history".into());
    }
}

pub(crate) fn proportion(cell: &mut Cell, k: f64, n: f64) {
    cell.interval = wilson(k, n);
    let p = (k + 1.0) / (n + 2.0);
    cell.variance = Some(p * (1.0 - p) / n);
}

fn spread_of(cell: &mut Cell, spread: Spread, scale: i64) {
    let scale = scale as f64;
    cell.median = spread.median.map(|v| v / scale);
    cell.p90 = spread.p90.map(|v| v / scale);
    cell.variance = spread.mean_variance.map(|v| v / (scale * scale));
    if let (Some(mean), Some(variance)) = (cell.value, cell.variance) {
        // What was never below nothing is not expected there.
        let half = 1.96 * variance.sqrt();
        let low = if spread.least.is_some_and(|l| l >= 0) { 0.0 } else { f64::NEG_INFINITY };
        cell.interval = (half > 0.0).then(|| [(mean - half).max(low), mean + half]);
    }
}

/// A variant may show the median or the 90th percentile as the value.
fn choose(def: &MetricDef, cell: &mut Cell) {
    let chosen = match def.stat.as_deref() {
        Some("median") => cell.median,
        Some("p90") => cell.p90,
        _ => return,
    };
    cell.value = chosen;
    cell.interval = None;
    cell.variance = None;
}

fn conversion(c: &Compiled, r: &Results<'_>, num: &Side, den: &Side, window: Option<i64>) -> Series {
    let (tops, bottoms) = (r.totals(num), r.totals(den));
    let ripe = window.map(|w| r.frame.now - w + 1);
    let mut series = Series::new();
    for group in r.afforded(all_groups(&[&tops, &bottoms]), c) {
        let cells = c.spans.iter().take_while(|_| r.goes_on()).map(|span| {
            let (top, ..) = r.side(num, tops.get(group), span);
            let (bottom, ..) = r.side(den, bottoms.get(group), span);
            let mut cell = Cell { numerator: Some(top as f64), denominator: Some(bottom as f64), n: bottom.max(0) as u64, mature: true, ..Cell::default() };
            if bottom == 0 {
                cell.reason = Some("no_data".into());
            } else {
                cell.value = Some(top as f64 / bottom as f64);
                proportion(&mut cell, top as f64, bottom as f64);
            }
            if let Some(ripe) = ripe {
                let done = Span { end: ripe.clamp(span.start, span.end), ..*span };
                let (mature, ..) = r.side(den, bottoms.get(group), &done);
                cell.mature = mature >= bottom && span.complete;
                cell.mature_share = (bottom > 0).then(|| mature as f64 / bottom as f64);
            }
            cell
        });
        let cells: Vec<Cell> = cells.collect();
        if cells.iter().any(|cell| cell.n > 0) {
            series.insert(group.clone(), cells);
        }
    }
    series
}

fn stock(c: &Compiled, r: &Results<'_>, entered: &Side, left: &Side, live: bool) -> Series {
    let (ins, outs) = (r.totals(entered), r.totals(left));
    let fx = &r.frame.snapshot.fx;
    let zone = &r.frame.snapshot.settings.zone;
    let mut series = Series::new();
    for group in r.afforded(all_groups(&[&ins, &outs]), c) {
        let cells = c.spans.iter().take_while(|_| r.goes_on()).map(|span| {
            let (mut sum, mut rows, mut missing) = (0i128, 0i64, 0i64);
            // What is open in each currency is netted first and converted once.
            let mut foreign: BTreeMap<i64, (i128, i64)> = BTreeMap::new();
            let mut add = |side: &Side, keys: Option<&Vec<(usize, Key)>>, sign: i64| {
                for (t, key) in keys.into_iter().flatten() {
                    let (n, amount) = r.grids[side.terms[*t].handle].sum(key, i64::MIN, span.end);
                    rows += sign * n;
                    if !live {
                        sum += i128::from(sign) * amount;
                        continue;
                    }
                    let code = key.last().map_or(northing_facts::NULL, |c| i64::from(*c));
                    let open = foreign.entry(code).or_default();
                    *open = (open.0 + i128::from(sign) * amount, open.1 + sign * n);
                }
            };
            add(entered, ins.get(group), 1);
            add(left, outs.get(group), -1);
            // The rate of the last instant before the end: what was in force then.
            let day = zone.day(span.end - 1);
            for (code, (amount, n)) in foreign.into_iter().filter(|(_, open)| open.1 != 0) {
                let ticks = i64::try_from(amount).ok();
                match ticks.and_then(|ticks| fx.currency(code).and_then(|c| fx.convert(ticks, c, day))) {
                    Some(value) => sum += i128::from(value),
                    None => missing += n,
                }
            }
            let money = entered.terms.first().is_some_and(|t| t.agg == Agg::Sum);
            let value = if money { scaled(sum, if live { TICKS } else { entered.terms[0].scale }) } else { rows as f64 };
            let mut cell = Cell { value: Some(value), numerator: Some(value), n: rows.max(0) as u64, mature: true, ..Cell::default() };
            if missing > 0 {
                cell.value = None;
                cell.reason = Some(unused::MISSING_RATE.into());
                cell.excluded.insert(unused::MISSING_RATE.into(), missing as u64);
            }
            cell
        });
        series.insert(group.clone(), cells.collect());
    }
    series
}

/// How many records were in a state at some time of a span: of those that came before its end, who had not left by
/// its beginning.
fn present(r: &Results<'_>, group: &Group, [began, ended]: [usize; 2], span: &Span) -> u64 {
    let of = |handle: usize| -> Vec<(i64, u32, i64)> {
        let grid = &r.grids[handle];
        grid.groups().iter().filter(|key| r.group(handle, key) == *group).flat_map(|key| grid.rows(key, i64::MIN, span.end)).collect()
    };
    let gone: BTreeSet<(u32, i64)> = of(ended).into_iter().filter(|(until, ..)| *until <= span.start).map(|(_, who, since)| (who, since)).collect();
    let there: BTreeSet<u32> = of(began).into_iter().filter(|(since, who, _)| !gone.contains(&(*who, *since))).map(|(_, who, _)| who).collect();
    there.len() as u64
}

/// The mean of a stock: the area under it over the length of the period. The area up to t is t times the rows
/// that came before it, less the sum of their instants, less the same of those that left.
fn average(c: &Compiled, r: &Results<'_>, entered: &Side, left: &Side, stretches: [usize; 2]) -> Series {
    let (ins, outs) = (r.totals(entered), r.totals(left));
    let mut series = Series::new();
    for group in r.afforded(all_groups(&[&ins, &outs]), c) {
        let area = |side: &Side, keys: Option<&Vec<(usize, Key)>>, t: i64| -> i128 {
            let each = keys.into_iter().flatten().map(|(term, key)| r.grids[side.terms[*term].handle].sum(key, i64::MIN, t));
            each.map(|(n, sum)| i128::from(n) * i128::from(t) - sum).sum()
        };
        let cells = c.spans.iter().take_while(|_| r.goes_on()).map(|span| {
            let up_to = |t: i64| area(entered, ins.get(group), t) - area(left, outs.get(group), t);
            let mut cell = Cell { mature: true, ..Cell::default() };
            let area = if span.end > span.start { up_to(span.end) - up_to(span.start) } else { 0 };
            if span.end > span.start && (area == 0 || area >= DAY) {
                let mean = area as f64 / (span.end - span.start) as f64;
                (cell.value, cell.numerator) = (Some(mean), Some(mean));
                cell.n = present(r, group, stretches, span);
            } else if span.end > span.start {
                // Less than one for a day is too little to measure anything by.
                cell.reason = Some("insufficient_data".into());
            } else {
                cell.reason = Some("no_data".into());
            }
            cell
        });
        series.insert(group.clone(), cells.collect());
    }
    series
}
