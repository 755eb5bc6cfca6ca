//! Scores: answers put into classes (or taken as they are), each record's together where the definition says so.

use super::cells::{Results, proportion};
use super::compile::Compiled;
use super::{Group, Series};
use crate::answer::Cell;
use crate::scan::Key;
use crate::stats::mean_variance;
use northing_facts::NONE;
use northing_model::MetricDef;
use northing_model::metric::{Classes, Take, Unit};
use northing_model::money::MICRO;
use std::collections::{BTreeMap, BTreeSet};

/// Where a score of points lies.
const SCALE: [f64; 2] = [-100.0, 100.0];

pub(crate) fn cells(c: &Compiled, r: &Results<'_>, handle: usize, classes: Option<&Classes>, mixed: Option<usize>) -> Series {
    // Answers on several scales are compared by what the scales share; then all of the answer is.
    let scales: BTreeSet<u32> = mixed
        .into_iter()
        .flat_map(|m| r.grids[m].groups().into_iter().map(move |k| (m, k)).collect::<Vec<_>>())
        .flat_map(|(m, k)| c.spans.iter().flat_map(|s| r.grids[m].rows(&k, s.start, s.end)).map(|row| row.1).collect::<Vec<_>>())
        .collect();
    let pooled = scales.len() > 1;
    let handle = if pooled { mixed.unwrap_or(handle) } else { handle };
    let mut keys: BTreeMap<Group, Vec<Key>> = BTreeMap::new();
    for key in r.grids[handle].groups() {
        keys.entry(r.group(handle, &key)).or_default().push(key);
    }
    let mut series = Series::new();
    if !r.room(keys.len(), c) {
        return series;
    }
    for (group, keys) in keys {
        let cells = c.spans.iter().take_while(|_| r.goes_on()).map(|span| {
            let rows: Vec<(i64, u32, i64)> = keys.iter().flat_map(|k| r.grids[handle].rows(k, span.start, span.end)).collect();
            let mut cell = match c.def.per.as_ref().map(|p| p.take) {
                Some(Take::Mean) => mean_cell(&c.def, &means(rows, classes)),
                take => score_cell(&c.def, classes, &together(rows, take)),
            };
            if pooled {
                // Millionths of the way from worst to best, as 0 to 100.
                let percent = MICRO as f64 / 100.0;
                cell.value = cell.value.map(|v| v / percent);
                cell.numerator = cell.numerator.map(|v| v / percent);
                cell.variance = cell.variance.map(|v| v / (percent * percent));
                cell.flags.push("mixed_scale".into());
            }
            cell
        });
        series.insert(group, cells.collect());
    }
    series
}

/// The values to score: the last row of each key (rows without one all count), or how many rows each key has.
fn together(mut rows: Vec<(i64, u32, i64)>, take: Option<Take>) -> Vec<i64> {
    rows.sort_unstable_by_key(|(at, who, _)| (*who, *at));
    let own = rows.chunk_by(|a, b| a.1 != NONE && a.1 == b.1);
    match take {
        Some(Take::Latest) => own.filter_map(|rows| rows.last()).map(|row| row.2).collect(),
        Some(Take::Count) => own.filter(|rows| rows[0].1 != NONE).map(|rows| rows.len() as i64).collect(),
        _ => rows.iter().map(|row| row.2).collect(),
    }
}

/// Each key's mean class; a row without a key stands for itself.
fn means(mut rows: Vec<(i64, u32, i64)>, classes: Option<&Classes>) -> Vec<f64> {
    rows.sort_unstable_by_key(|(at, who, _)| (*who, *at));
    let own = rows.chunk_by(|a, b| a.1 != NONE && a.1 == b.1);
    own.map(|rows| rows.iter().map(|row| class_of(classes, row.2) as f64).sum::<f64>() / rows.len() as f64).collect()
}

/// 1 in the upper class, -1 in the lower, 0 between; the value itself where there are no classes.
pub(crate) fn class_of(classes: Option<&Classes>, value: i64) -> i64 {
    let within = |range: [i64; 2]| (range[0]..=range[1]).contains(&value);
    match classes {
        None => value,
        Some(k) => i64::from(within(k.top)) - i64::from(k.bottom.is_some_and(within)),
    }
}

/// The interval around a score, within its scale. Answers that are all alike do not say how far others would be off.
fn spread(cell: &mut Cell, variance: f64, points: f64) {
    let Some(value) = cell.value.filter(|_| variance > 0.0) else { return };
    let half = 1.96 * variance.sqrt() * points;
    let end = |at: f64| at.clamp(SCALE[0] / 100.0 * points, SCALE[1] / 100.0 * points);
    cell.interval = Some([end(value - half), end(value + half)]);
    cell.variance = Some(variance * points * points);
}

fn mean_cell(def: &MetricDef, values: &[f64]) -> Cell {
    let n = values.len() as f64;
    let sum: f64 = values.iter().sum();
    let mut cell = Cell { n: values.len() as u64, numerator: Some(sum), denominator: Some(n), mature: true, ..Cell::default() };
    if values.is_empty() {
        cell.reason = Some("no_data".into());
        return cell;
    }
    let (points, mean) = (if def.unit == Unit::Points { 100.0 } else { 1.0 }, sum / n);
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n / n;
    cell.value = Some(points * mean);
    spread(&mut cell, variance, points);
    cell
}

fn score_cell(def: &MetricDef, classes: Option<&Classes>, values: &[i64]) -> Cell {
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
            spread(&mut cell, variance.max(0.0), points);
        }
        Some(_) => proportion(&mut cell, top, n),
        None => cell.variance = mean_variance(values),
    }
    cell
}
