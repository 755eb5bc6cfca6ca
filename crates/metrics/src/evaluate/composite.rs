//! Composite scores: for each record in a state the weighted mean of what its measures are worth, 0 to 100.
//! A measure without data is dropped and the weights of the others grow (KPIS.md: customer_health_score).

use super::cells::Results;
use super::Series;
use crate::answer::Cell;
use crate::breakdown::Breakdown;
use crate::plan::steps;
use crate::rows::{Row, rows};
use crate::scan::Bitmap;
use crate::span::Span;
use crate::stats::mean_variance_of;
use crate::{MetricError, Result};
use northing_facts::{NONE, NULL};
use northing_model::{Expr, MetricDef};
use northing_model::metric::{Component, Reading};
use rayon::prelude::*;
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

/// The rows of a component by record and time.
struct Gathered<'a> {
    component: &'a Component,
    rows: Vec<Row>,
    /// Where each record's rows begin; one more than there are records.
    starts: Vec<u32>,
}

pub(crate) fn cells(def: &MetricDef, spans: &[Span], r: &Results<'_>, table: usize, state: usize) -> Result<Series> {
    let gathered = gather(def, r, table)?;
    let breakdown = Breakdown::with_band(r.frame, table, def.band.as_ref())?;
    let mut series = Series::new();
    for (i, span) in spans.iter().enumerate() {
        let population = population(r, state, span, &breakdown);
        let mut groups: BTreeMap<Vec<u32>, (Vec<f64>, u64)> = BTreeMap::new();
        if !r.goes_on() {
            break;
        }
        let rows: Vec<u32> = population.iter().collect();
        let scores: Vec<Option<f64>> = rows.par_iter().map(|row| score(&gathered, *row, span.end)).collect();
        for (row, score) in rows.into_iter().zip(scores) {
            let group = groups.entry(breakdown.key_with(row, score)).or_default();
            match score {
                Some(score) => group.0.push(score),
                None => group.1 += 1,
            }
        }
        for (key, (scores, unknown)) in groups {
            if !r.goes_on() {
                break;
            }
            let blank = || r.blank(def, spans);
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell(&scores, unknown);
        }
    }
    Ok(series)
}

/// The score of every record of the population at the end of a span, none where too little is known.
pub(crate) fn each(def: &MetricDef, r: &Results<'_>, table: usize, state: usize, span: &Span) -> Result<Vec<(u32, Option<f64>)>> {
    let gathered = gather(def, r, table)?;
    let breakdown = Breakdown::of(r.frame, table)?;
    Ok(population(r, state, span, &breakdown).iter().map(|row| (row, score(&gathered, row, span.end))).collect())
}

fn population(r: &Results<'_>, state: usize, span: &Span, breakdown: &Breakdown) -> Bitmap {
    let all = r.grids[state].state(span.end);
    breakdown.keep.as_ref().map_or_else(|| all.clone(), |keep| all.both(keep))
}

fn cell(scores: &[f64], unknown: u64) -> Cell {
    let n = scores.len() as f64;
    let mut cell = Cell { n: scores.len() as u64, denominator: Some(n), mature: true, ..Cell::default() };
    cell.numerator = Some(scores.iter().sum());
    cell.value = (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / n);
    cell.variance = mean_variance_of(scores);
    if unknown > 0 {
        cell.excluded.insert("insufficient_data".into(), unknown);
    }
    cell.reason = scores.is_empty().then(|| if unknown > 0 { "insufficient_data".into() } else { "no_data".into() });
    cell
}

fn gather<'a>(def: &'a MetricDef, r: &Results<'_>, table: usize) -> Result<Vec<Gathered<'a>>> {
    let records = r.frame.snapshot.tables[table].len as usize;
    let name = &r.frame.snapshot.tables[table].schema.name;
    let one = |component: &'a Component| -> Result<Gathered<'a>> {
        let from = r.frame.table(&component.from)?;
        let parse = |t: &String| Expr::parse(t).map_err(MetricError::Question);
        let filter = component.filter.as_ref().map(parse).transpose()?;
        let value = match component.read {
            Reading::Holding => component.until.as_deref(),
            _ => component.value.as_deref(),
        };
        let whose = crate::reach::reach(&r.frame.snapshot.model, &r.frame.snapshot.tables[from].schema.name, &steps(name));
        let whose = whose.ok_or_else(|| MetricError::Question(format!("{} has no path to {name}", component.from)))?;
        let mut rows = rows(r.frame, from, &steps(&component.time), filter, value, &whose)?;
        rows.retain(|row| row.key != NONE);
        rows.par_sort_unstable_by_key(|row| (row.key, row.at));
        let mut starts = vec![0u32; records + 1];
        rows.iter().for_each(|row| starts[row.key as usize + 1] += 1);
        for i in 0..records {
            starts[i + 1] += starts[i];
        }
        Ok(Gathered { component, rows, starts })
    };
    def.components.values().map(one).collect()
}

/// A record's score just before an instant; `None` where less than half of the weight has data.
fn score(gathered: &[Gathered<'_>], record: u32, at: i64) -> Option<f64> {
    let (mut sum, mut present, mut whole) = (0.0, 0.0, 0.0);
    for part in gathered {
        let c = part.component;
        whole += c.weight;
        let own = &part.rows[part.starts[record as usize] as usize..part.starts[record as usize + 1] as usize];
        let own = &own[..own.partition_point(|row| row.at < at)];
        let first = c.window_days.map_or(0, |days| own.partition_point(|row| row.at < at - days * DAY));
        let inside = &own[first..];
        let value = match c.read {
            Reading::Count => Some(inside.len() as f64),
            Reading::Mean => {
                let values: Vec<f64> = inside.iter().filter(|row| row.value != NULL).map(|row| row.value as f64).collect();
                (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
            }
            Reading::DaysSince => own.last().map(|row| (at - row.at) as f64 / DAY as f64),
            Reading::Holding => Some(own.iter().filter(|row| row.value == NULL || row.value >= at).count() as f64),
        };
        if let Some(value) = value {
            let worth = ((value - c.worst) / (c.best - c.worst)).clamp(0.0, 1.0) * 100.0;
            sum += c.weight * worth;
            present += c.weight;
        }
    }
    (present > 0.0 && present * 2.0 >= whole).then(|| sum / present)
}
