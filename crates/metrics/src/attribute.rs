//! The `attribute` modifier: a flow's value credited to the touches before it.
//!
//! Credits are integers split by largest remainder, so they add up to the value; what has no touch within the
//! look-back is "(none)".

use crate::answer::Cell;
use crate::evaluate::{Series, name, without_rate};
use crate::plan::{Frame, steps};
use crate::rows::{Row, entered, rows};
use crate::span::Span;
use crate::{MetricError, Result};
use northing_facts::eval::Path;
use northing_facts::{NONE, NULL};
use northing_model::{Expr, MetricDef};
use northing_model::metric::{Attribute, Measure, TouchModel};
use northing_model::money::TICKS;
use std::collections::HashMap;

pub(crate) fn cells(def: &MetricDef, spans: &[Span], frame: &Frame<'_>, attribute: &Attribute, measure: &Measure) -> Result<Series> {
    let parse = |t: &Option<String>| t.as_deref().map(Expr::parse).transpose().map_err(MetricError::Question);
    let (table, touched) = (frame.table(&measure.from)?, frame.table(&attribute.touch)?);
    let by_touch = frame.by.iter().all(|d| *d == attribute.by);
    if !by_touch {
        return Err(MetricError::Question(format!("{} can be cut by '{}' only", def.id, attribute.by)));
    }
    let filter = match (parse(&measure.filter)?, frame.filter(table).map_err(MetricError::Question)?) {
        (Some(a), Some(b)) => Some(a.and(b)),
        (a, b) => a.or(b),
    };
    let customer = steps("customer");
    let flows = rows(frame, table, &steps(&measure.time), filter, measure.value.as_deref(), &customer)?;
    let touches = touches(frame, touched, attribute)?;
    let path = frame.path(touched, &steps(&attribute.by))?;
    let named = named(frame, attribute, table);
    let raw = entered(frame, table, measure.value.as_deref());
    // By what is credited, for each span: the sum, rows, and rows without a rate.
    let mut sums: HashMap<u32, Vec<(i128, u64, u64)>> = HashMap::new();
    let lookback = attribute.lookback_days * 86_400;
    for Row { row, at, key: who, value } in flows {
        if !frame.budget.goes_on() {
            break;
        }
        let rateless = value == NULL && raw.as_ref().is_some_and(|path| path.number(frame.snapshot, table, row) != NULL);
        if value == NULL && !rateless {
            continue;
        }
        let places: Vec<usize> = spans.iter().enumerate().filter(|(_, s)| s.start <= at && at < s.end).map(|(i, _)| i).collect();
        if places.is_empty() {
            continue;
        }
        let own = named.as_ref().map(|p| p.code(frame.snapshot, table, row)).filter(|code| *code != NONE);
        let before = || touches
            .get(&who)
            .filter(|_| who != NONE)
            .map(|list| list.iter().filter(|(t, _)| *t <= at && *t >= at - lookback).map(|(_, code)| *code).collect())
            .unwrap_or_default();
        let seen: Vec<u32> = own.map_or_else(before, |code| vec![code]);
        let value = if rateless { 0 } else { value };
        let credits = split(value, seen.len(), attribute.model);
        // A purchase that several touches led to is one.
        let mut given: Vec<u32> = Vec::new();
        let mut give = |code: u32, credit: i64| {
            let group = if frame.by.is_empty() { NONE } else { code };
            let first = !given.contains(&group);
            given.extend(first.then_some(group));
            let cells = sums.entry(group).or_insert_with(|| {
                frame.budget.cells(1, spans.len());
                vec![(0, 0, 0); spans.len()]
            });
            for place in &places {
                cells[*place].0 += i128::from(credit);
                cells[*place].1 += u64::from(first);
                cells[*place].2 += u64::from(rateless && first);
            }
        };
        // What no touch led to is a row of the breakdown, not part of what campaigns brought.
        if seen.is_empty() && !frame.by.is_empty() {
            give(NONE, value);
        }
        for (code, credit) in seen.into_iter().zip(credits) {
            give(code, credit);
        }
    }
    let mut series = Series::new();
    for (code, cells) in sums {
        let group = frame.by.iter().map(|_| name(frame.snapshot, &path, code)).collect();
        let cells = cells.into_iter().map(|(sum, n, missing)| {
            let value = sum as f64 / TICKS as f64;
            let mut cell = Cell { value: Some(value), numerator: Some(value), n, mature: true, ..Cell::default() };
            if missing > 0 {
                without_rate(&mut cell, missing, false);
            }
            cell
        });
        series.insert(group, cells.collect());
    }
    Ok(series)
}

/// Where a row itself says whose it is (a coupon), if its table can.
fn named(frame: &Frame<'_>, attribute: &Attribute, table: usize) -> Option<Path> {
    attribute.named.as_ref().and_then(|column| frame.path(table, &steps(column)).ok())
}

/// Nothing was credited.
pub(crate) fn none() -> Cell {
    Cell { value: Some(0.0), numerator: Some(0.0), mature: true, ..Cell::default() }
}

/// Touches of each customer, in order of time, with what they credit.
fn touches(frame: &Frame<'_>, table: usize, attribute: &Attribute) -> Result<HashMap<u32, Vec<(i64, u32)>>> {
    let filter = attribute.filter.as_deref().map(Expr::parse).transpose().map_err(MetricError::Question)?;
    let credit = frame.path(table, &steps(&attribute.by))?;
    let mut touches: HashMap<u32, Vec<(i64, u32)>> = HashMap::new();
    for touch in rows(frame, table, &steps(&attribute.at), filter, None, &steps("customer"))? {
        touches.entry(touch.key).or_default().push((touch.at, credit.code(frame.snapshot, table, touch.row)));
    }
    touches.values_mut().for_each(|list| list.sort_unstable());
    Ok(touches)
}

/// Which of these (row, instant, customer) of a table a touch led to, or name what they are credited to.
pub(crate) fn led_to(frame: &Frame<'_>, attribute: &Attribute, table: usize, flows: &[(u32, i64, u32)]) -> Result<Vec<bool>> {
    let named = named(frame, attribute, table);
    let touches = touches(frame, frame.table(&attribute.touch)?, attribute)?;
    let lookback = attribute.lookback_days * 86_400;
    let led = |(row, at, who): &(u32, i64, u32)| named.as_ref().is_some_and(|p| p.code(frame.snapshot, table, *row) != NONE) || *who != NONE && touches.get(who).is_some_and(|list| list.iter().any(|(t, _)| t <= at && *t >= at - lookback));
    Ok(flows.iter().map(led).collect())
}

/// Integer credits of a value for touches in order of time; they add up to the value.
fn split(value: i64, touches: usize, model: TouchModel) -> Vec<i64> {
    if touches == 0 {
        return Vec::new();
    }
    let mut weights = vec![0i128; touches];
    match model {
        TouchModel::First => weights[0] = 1,
        TouchModel::Last => weights[touches - 1] = 1,
        TouchModel::Linear => weights.fill(1),
        TouchModel::Position if touches <= 2 => weights.fill(1),
        TouchModel::Position => {
            let between = (touches - 2) as i128;
            weights.fill(20);
            weights[0] = 40 * between;
            weights[touches - 1] = 40 * between;
        }
    }
    let whole: i128 = weights.iter().sum();
    let (sign, size) = (i128::from(value.signum()), i128::from(value).abs());
    let mut parts: Vec<i128> = weights.iter().map(|w| size * w / whole).collect();
    let mut order: Vec<usize> = (0..touches).collect();
    order.sort_by_key(|i| (-(size * weights[*i] % whole), *i));
    let rest = size - parts.iter().sum::<i128>();
    for i in order.into_iter().take(rest as usize) {
        parts[i] += 1;
    }
    parts.into_iter().map(|p| (p * sign) as i64).collect()
}
