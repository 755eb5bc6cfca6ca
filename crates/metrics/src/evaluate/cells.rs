//! From scan results to cells: one function for each shape.

use super::compile::{Compiled, Input, Shape, Side};
use super::{Group, Series, retain};
use crate::answer::Cell;
use crate::plan::{Frame, Plan};
use crate::scan::{Grid, Key, Spread};
use crate::span::Span;
use crate::stats::{mean_variance, wilson};
use crate::{Result, attribute};
use northing_facts::NONE;
use northing_facts::eval::Path;
use northing_model::formula::Formula;
use northing_model::metric::{Agg, Unit};
use northing_model::money::TICKS;
use northing_model::{FieldType, MetricDef, MetricKind};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const LOW_N: u64 = 30;

/// Scan results with what is needed to name their groups.
pub(crate) struct Results<'a> {
    pub plan: &'a Plan,
    pub grids: &'a [std::sync::Arc<Grid>],
    pub frame: &'a Frame<'a>,
}

pub(crate) fn finish(c: &Compiled, plan: &Plan, grids: &[std::sync::Arc<Grid>], frame: &Frame<'_>) -> Result<Series> {
    let results = Results { plan, grids, frame };
    let mut series = match &c.shape {
        Shape::Sums { num, den, values } => sums(c, &results, num, den.as_ref(), *values),
        Shape::Conversion { num, den, window } => conversion(c, &results, num, den, *window),
        Shape::Stock { entered, left, live } => stock(c, &results, entered, left, *live),
        Shape::Retention { handle, outcome, table } => retain::cells(c, &results, *handle, *outcome, *table)?,
        Shape::Score { handle, classes, latest } => score(c, &results, *handle, classes.as_ref(), *latest),
        Shape::Attributed { attribute, measure } => attribute::cells(c, frame, attribute, measure)?,
        Shape::Derived { inputs } => derived(c, plan, grids, frame, inputs)?,
    };
    if frame.by.is_empty() && series.is_empty() {
        series.insert(Group::new(), c.spans.iter().map(|span| nothing(&c.def, span)).collect());
    }
    for (reason, side) in &c.excluded {
        let counts = results.totals(side);
        for (group, cells) in &mut series {
            for (cell, span) in cells.iter_mut().zip(&c.spans) {
                let n = counts.get(group).map_or(0, |keys| keys.iter().map(|(t, k)| results.sum(side, *t, k, span).1).sum());
                if n > 0 {
                    cell.excluded.insert(reason.clone(), n as u64);
                }
            }
        }
    }
    for cells in series.values_mut() {
        for (cell, span) in cells.iter_mut().zip(&c.spans) {
            settle(&c.def, cell, span, c.no_rows);
        }
    }
    Ok(series)
}

/// What holds for every cell: completeness, low n, periods that have not begun.
fn settle(def: &MetricDef, cell: &mut Cell, span: &Span, no_rows: bool) {
    cell.complete = span.complete;
    if span.future {
        *cell = Cell { complete: false, mature: cell.mature, reason: Some("not_yet".into()), ..Cell::default() };
        return;
    }
    if no_rows {
        cell.value = None;
        cell.reason = Some("no_cost_recorded".into());
    }
    let counts_matter = !matches!(def.kind, MetricKind::Flow | MetricKind::Stock | MetricKind::Derived);
    cell.low_n = counts_matter && cell.value.is_some() && cell.n < LOW_N;
    if cell.value.is_some_and(|v| !v.is_finite()) {
        cell.value = None;
        cell.reason = Some("no_data".into());
    }
}

/// The cell of a group that no row belongs to.
pub(crate) fn nothing(def: &MetricDef, span: &Span) -> Cell {
    let mut cell = Cell { mature: true, ..Cell::default() };
    match def.kind {
        MetricKind::Flow | MetricKind::Stock => (cell.value, cell.numerator) = (Some(0.0), Some(0.0)),
        MetricKind::Derived => cell.reason = Some("no_data".into()),
        _ => {
            (cell.numerator, cell.denominator) = (Some(0.0), Some(0.0));
            cell.reason = Some("no_data".into());
        }
    }
    settle(def, &mut cell, span, false);
    cell
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
        let none = || ("(none)".to_string(), None);
        if code == NONE {
            return none();
        }
        let snapshot = self.frame.snapshot;
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
        (if term.minus { -amount } else { amount }, rows)
    }

    /// A side's total of a group over a span: sum, rows, scale.
    fn side(&self, side: &Side, keys: Option<&Vec<(usize, Key)>>, span: &Span) -> (i128, i64, i64) {
        let scale = side.terms.first().map_or(1, |t| t.scale);
        let mut total = (0i128, 0i64);
        for (term, key) in keys.into_iter().flatten() {
            let (sum, rows) = self.sum(side, *term, key, span);
            total = (total.0 + sum, total.1 + rows);
        }
        (total.0, total.1, scale)
    }
}

fn all_groups<'a>(maps: &[&'a BTreeMap<Group, Vec<(usize, Key)>>]) -> BTreeSet<&'a Group> {
    maps.iter().flat_map(|m| m.keys()).collect()
}

fn scaled(sum: i128, scale: i64) -> f64 {
    sum as f64 / scale as f64
}

fn sums(c: &Compiled, r: &Results<'_>, num: &Side, den: Option<&Side>, values: Option<(usize, i64)>) -> Series {
    let tops = r.totals(num);
    let bottoms = den.map(|d| r.totals(d)).unwrap_or_default();
    let mut spread: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
    if let Some((handle, _)) = values {
        for key in r.grids[handle].groups() {
            spread.entry(r.group(handle, &key)).or_default().push(key);
        }
    }
    let mut series = Series::new();
    for group in all_groups(&[&tops, &bottoms]) {
        let cells = c.spans.iter().map(|span| {
            let (top, rows, scale) = r.side(num, tops.get(group), span);
            let mut cell = Cell { mature: true, numerator: Some(scaled(top, scale)), n: rows.max(0) as u64, ..Cell::default() };
            match (den, c.def.kind) {
                (Some(den), _) => {
                    let (bottom, den_rows, bottom_scale) = r.side(den, bottoms.get(group), span);
                    cell.denominator = Some(scaled(bottom, bottom_scale));
                    cell.n = den_rows.max(0) as u64;
                    if bottom == 0 {
                        cell.reason = Some("no_data".into());
                    } else {
                        cell.value = Some(top as f64 * bottom_scale as f64 / (bottom as f64 * scale as f64));
                    }
                    let counted = num.terms.iter().chain(&den.terms).all(|t| t.agg != Agg::Sum);
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
                (None, _) => {
                    cell.value = cell.numerator;
                    if c.def.unit == Unit::Count {
                        // Counts of independent events vary by their own size (Poisson).
                        cell.variance = Some(top.max(0) as f64);
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
        series.insert(group.clone(), cells.collect());
    }
    series
}

fn proportion(cell: &mut Cell, k: f64, n: f64) {
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
        let half = 1.96 * variance.sqrt();
        cell.interval = Some([mean - half, mean + half]);
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
    for group in all_groups(&[&tops, &bottoms]) {
        let cells = c.spans.iter().map(|span| {
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
        series.insert(group.clone(), cells.collect());
    }
    series
}

fn stock(c: &Compiled, r: &Results<'_>, entered: &Side, left: &Side, live: bool) -> Series {
    let (ins, outs) = (r.totals(entered), r.totals(left));
    let fx = &r.frame.snapshot.fx;
    let zone = &r.frame.snapshot.settings.zone;
    let mut series = Series::new();
    for group in all_groups(&[&ins, &outs]) {
        let cells = c.spans.iter().map(|span| {
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
                cell.reason = Some("missing_rate".into());
                cell.excluded.insert("missing_rate".into(), missing as u64);
            }
            cell
        });
        series.insert(group.clone(), cells.collect());
    }
    series
}

fn score(c: &Compiled, r: &Results<'_>, handle: usize, classes: Option<&northing_model::metric::Classes>, latest: bool) -> Series {
    let mut keys: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
    for key in r.grids[handle].groups() {
        keys.entry(r.group(handle, &key)).or_default().push(key);
    }
    let mut series = Series::new();
    for (group, keys) in keys {
        let cells = c.spans.iter().map(|span| {
            let mut rows: Vec<(i64, u32, i64)> = keys.iter().flat_map(|k| r.grids[handle].rows(k, span.start, span.end)).collect();
            if latest {
                // The last row of each key; rows without a key all count.
                rows.sort_unstable_by_key(|(at, who, _)| (*who, *at));
                let mut kept: Vec<(i64, u32, i64)> = Vec::new();
                for row in rows {
                    match kept.last_mut() {
                        Some(last) if row.1 != NONE && last.1 == row.1 => *last = row,
                        _ => kept.push(row),
                    }
                }
                rows = kept;
            }
            score_cell(&c.def, classes, &rows.iter().map(|r| r.2).collect::<Vec<_>>())
        });
        series.insert(group, cells.collect());
    }
    series
}

fn score_cell(def: &MetricDef, classes: Option<&northing_model::metric::Classes>, values: &[i64]) -> Cell {
    let n = values.len() as f64;
    let mut cell = Cell { n: values.len() as u64, denominator: Some(n), mature: true, ..Cell::default() };
    let within = |range: [i64; 2]| values.iter().filter(|v| (range[0]..=range[1]).contains(*v)).count() as f64;
    let (top, bottom) = match classes {
        None => (values.iter().map(|v| *v as f64).sum(), 0.0),
        Some(k) => (within(k.top), k.bottom.map_or(0.0, within)),
    };
    cell.numerator = Some(top - bottom);
    if values.is_empty() {
        cell.reason = Some("no_data".into());
        return cell;
    }
    let points = if def.unit == Unit::Points && classes.is_some() { 100.0 } else { 1.0 };
    let mean = (top - bottom) / n;
    cell.value = Some(points * mean);
    match classes {
        Some(k) if k.bottom.is_some() => {
            let variance = ((top + bottom) / n - mean * mean) / n;
            let half = 1.96 * variance.max(0.0).sqrt() * points;
            cell.interval = Some([points * mean - half, points * mean + half]);
            cell.variance = Some(variance.max(0.0) * points * points);
        }
        Some(_) => proportion(&mut cell, top, n),
        None => cell.variance = mean_variance(values),
    }
    cell
}

fn derived(c: &Compiled, plan: &Plan, grids: &[std::sync::Arc<Grid>], frame: &Frame<'_>, inputs: &[(String, Input)]) -> Result<Series> {
    let formula = Formula::parse(c.def.formula.as_deref().unwrap_or_default()).map_err(crate::MetricError::Question)?;
    let mut known: Vec<(&str, Option<Series>, f64)> = Vec::new();
    for (name, input) in inputs {
        let series = match input {
            Input::Constant(value) => {
                known.push((name, None, *value));
                continue;
            }
            Input::Metric(compiled) => finish(compiled, plan, grids, frame)?,
            Input::Compound(compiled, ranges) => {
                let monthly = finish(compiled, plan, grids, frame)?;
                monthly.into_iter().map(|(g, cells)| (g, ranges.iter().map(|r| compound(&cells[r.clone()])).collect())).collect()
            }
        };
        known.push((name, Some(series), 0.0));
    }
    let groups: BTreeSet<Group> = known.iter().filter_map(|(_, s, _)| s.as_ref()).flat_map(|s| s.keys().cloned()).collect();
    let mut series = Series::new();
    for group in groups {
        let cells = (0..c.spans.len()).map(|i| {
            let mut cell = Cell { mature: true, n: u64::MAX, ..Cell::default() };
            for (name, series, constant) in &known {
                let Some(series) = series else {
                    cell.parts.insert((*name).to_string(), Some(*constant));
                    continue;
                };
                let part = series.get(&group).map(|cells| &cells[i]);
                cell.parts.insert((*name).to_string(), part.and_then(|p| p.value));
                cell.n = cell.n.min(part.map_or(0, |p| p.n));
                cell.mature &= part.is_none_or(|p| p.mature);
                if let Some(part) = part {
                    cell.flags.extend(part.flags.iter().cloned());
                }
                if part.is_none_or(|p| p.value.is_none()) && cell.reason.is_none() {
                    cell.reason = Some(part.and_then(|p| p.reason.clone()).unwrap_or_else(|| "no_data".into()));
                }
            }
            cell.value = formula.value(&|name| cell.parts.get(name).copied().flatten());
            match cell.value {
                Some(_) => cell.reason = None,
                None => cell.reason = cell.reason.or_else(|| Some("no_data".into())),
            }
            flags(&c.def, &mut cell);
            cell.flags.sort();
            cell.flags.dedup();
            cell
        });
        let cells = cells.collect();
        series.insert(group, cells);
    }
    Ok(series)
}

/// What a reader must know of a derived value.
fn flags(def: &MetricDef, cell: &mut Cell) {
    let capped = cell.parts.get("cap").copied().flatten().is_some_and(|cap| cell.value == Some(cap));
    if capped {
        cell.flags.push("capped".into());
    }
    if def.id == "ltv_cac_ratio" {
        cell.flags.push("revenue_basis".into());
    }
}

/// 1 − Π(1 − x) over the months that have a value.
fn compound(months: &[Cell]) -> Cell {
    let known: Vec<f64> = months.iter().filter_map(|m| m.value).collect();
    let mut cell = Cell { mature: true, n: months.last().map_or(0, |m| m.n), ..Cell::default() };
    if known.is_empty() {
        cell.reason = Some("no_data".into());
        return cell;
    }
    if known.len() < months.len() {
        cell.flags.push("short_history".into());
    }
    cell.value = Some(1.0 - known.iter().map(|x| 1.0 - x).product::<f64>());
    cell
}
