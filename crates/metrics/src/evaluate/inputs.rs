//! Inputs of derived metrics: other metrics over the same, an earlier or a trailing period, settings, and facts of
//! the period itself.

use super::{Compiled, Group, Series, finish, metric as compiled, nothing};
use crate::answer::Cell;
use crate::plan::{Frame, Plan};
use crate::scan::Grid;
use crate::span::Span;
use crate::{MetricError, Result};
use northing_model::formula::Formula;
use northing_model::metric::{Of, Part, Shift};
use northing_model::{MetricDef, Period, metric};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) enum Input {
    Constant(Option<f64>),
    /// One number for each span.
    Known(Vec<Option<f64>>),
    /// A cell for each span of the metric.
    Metric(Arc<Compiled>, Option<Part>),
    /// The same of everything, or of what belongs to no value of the dimension.
    Other(Arc<Compiled>, Option<Part>, Of),
    /// 1 for a group with a name, 0 for "(none)".
    Named,
    /// Several cells for each span, put together.
    Several(Arc<Compiled>, Vec<Range<usize>>, Together),
}

/// How the cells of several spans become one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Together {
    /// 1 − Π(1 − x).
    Compound,
    Sum,
}

pub(crate) fn compile_all(plan: &mut Plan, frame: &Frame<'_>, def: &MetricDef, spans: &[Span]) -> Result<Vec<(String, Input)>> {
    def.inputs.iter().map(|(name, input)| Ok((name.clone(), one(plan, frame, input, spans)?))).collect()
}

fn one(plan: &mut Plan, frame: &Frame<'_>, input: &metric::Input, spans: &[Span]) -> Result<Input> {
    let settings = &frame.snapshot.settings;
    if let Some(setting) = input.metric.strip_prefix("setting:") {
        return Ok(Input::Constant(settings.value(setting)));
    }
    if let Some(what) = input.metric.strip_prefix("period:") {
        return spans.iter().map(|s| of_period(frame, s, what)).collect::<Result<_>>().map(Input::Known);
    }
    if let Some(what) = input.metric.strip_prefix("group:") {
        return if what == "named" { Ok(Input::Named) } else { Err(MetricError::Question(format!("a group has no '{what}'; use named"))) };
    }
    let mut of = |frame: &Frame<'_>, spans: &[Span]| compiled(plan, frame, &input.metric, input.variant.as_deref(), spans);
    if input.each.is_some() {
        let (mut all, mut ranges) = (Vec::new(), Vec::new());
        for span in spans {
            let first = all.len();
            let last = if span.complete { span.days.end } else { settings.zone.day(span.end - 1) + 1 };
            all.extend((span.days.start..last).map(|day| Span::of(Period { start: day, end: day + 1 }, settings, frame.now)));
            ranges.push(first..all.len());
        }
        return Ok(Input::Several(of(frame, &all)?, ranges, Together::Sum));
    }
    if let Some(months) = input.compound_months {
        let (mut all, mut ranges) = (Vec::new(), Vec::new());
        for span in spans {
            let end = if span.complete { span.days.end } else { settings.zone.day(span.end) };
            let first = all.len();
            for back in (0..months as i32).rev() {
                let calendar = settings.calendar;
                let days = Period { start: calendar.add_months(end, -back - 1), end: calendar.add_months(end, -back) };
                all.push(Span::of(days, settings, frame.now));
            }
            ranges.push(first..all.len());
        }
        return Ok(Input::Several(of(frame, &all)?, ranges, Together::Compound));
    }
    let own: Vec<Option<Span>> = spans.iter().map(|s| moved(frame, input, s)).collect::<Result<_>>()?;
    if own.iter().any(Option::is_none) {
        return Ok(Input::Constant(None));
    }
    let own: Vec<Span> = own.into_iter().flatten().collect();
    Ok(match input.of {
        None => Input::Metric(of(frame, &own)?, input.part),
        Some(Of::All) => Input::Other(of(&uncut(frame), &own)?, input.part, Of::All),
        // Without a breakdown everything is one group, and nothing of it is left over.
        Some(Of::None) if frame.by.is_empty() => Input::Constant(Some(0.0)),
        Some(Of::None) => Input::Other(of(frame, &own)?, input.part, Of::None),
    })
}

/// The same question, not broken down.
fn uncut<'a>(frame: &Frame<'a>) -> Frame<'a> {
    frame.with(frame.filter.clone(), Vec::new())
}

/// Days, days until now, and the share of a period that lies ahead (none of one that is over).
fn of_period(frame: &Frame<'_>, span: &Span, what: &str) -> Result<Option<f64>> {
    let zone = &frame.snapshot.settings.zone;
    let (start, whole) = (zone.midnight(span.days.start), zone.midnight(span.days.end));
    Ok(match what {
        "days" => Some((span.end - span.start) as f64 / 86_400.0),
        "months" => Some((span.end - span.start) as f64 / 86_400.0 / (365.25 / 12.0)),
        "ahead" => (!span.complete).then(|| (whole - span.end.max(start)) as f64 / (whole - start) as f64),
        other => return Err(MetricError::Question(format!("a period has no '{other}'; use days, months or ahead"))),
    })
}

/// The span that an input is taken over; none where there is no such time.
fn moved(frame: &Frame<'_>, input: &metric::Input, span: &Span) -> Result<Option<Span>> {
    let settings = &frame.snapshot.settings;
    let mut span = *span;
    if let Some(days) = &input.trailing {
        let days = super::compile::days(frame, days)?;
        if span.future {
            let today = settings.zone.midnight(settings.zone.day(frame.now));
            span = Span { start: today, end: today, future: false, complete: true, ..span };
        }
        span = span.trailing(days);
    }
    if input.whole {
        span = span.whole(settings);
    }
    if let Some(days) = &input.lag {
        span = span.back(super::compile::days(frame, days)?, settings);
    }
    if input.at_start {
        span = Span { end: span.start, ..span };
    }
    let calendar = settings.calendar;
    Ok(match input.shift {
        None => Some(span),
        Some(Shift::Previous) => Some(span.earlier(span.days.before(span.days, calendar), settings)),
        Some(Shift::Year) => Some(span.earlier(span.days.year_before(calendar), settings)),
        Some(Shift::BeforeGoLive) => settings.number("crm_go_live_on").map(|live| {
            let mut days = span.days;
            while i64::from(days.end) > live {
                days = days.year_before(calendar);
            }
            span.earlier(days, settings)
        }),
    })
}

pub(crate) fn finish_all(c: &Compiled, plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>, inputs: &[(String, Input)]) -> Result<Series> {
    let formula = Formula::parse(c.def.formula.as_deref().unwrap_or_default()).map_err(MetricError::Question)?;
    let mut known: Vec<(&str, Option<Arc<Series>>, &Input)> = Vec::new();
    for (name, input) in inputs {
        let series = match input {
            Input::Constant(_) | Input::Known(_) | Input::Named => None,
            Input::Metric(compiled, _) => Some(finish(compiled, plan, grids, frame)?),
            Input::Other(compiled, _, of) => {
                let series = if *of == Of::All { finish(compiled, plan, grids, &uncut(frame))? } else { finish(compiled, plan, grids, frame)? };
                // One group, under no name: every group looks there.
                Some(Arc::new(series.iter().filter(|(group, _)| group.iter().all(is_none)).map(|(_, cells)| (Group::new(), cells.clone())).collect()))
            }
            Input::Several(compiled, ranges, together) => {
                let single = finish(compiled, plan, grids, frame)?;
                Some(Arc::new(single.iter().map(|(g, cells)| (g.clone(), ranges.iter().map(|r| joined(&cells[r.clone()], *together)).collect())).collect()))
            }
        };
        known.push((name, series, input));
    }
    let own = known.iter().filter(|k| !matches!(k.2, Input::Other(..)));
    let groups: BTreeSet<Group> = own.filter_map(|(_, s, _)| s.as_ref()).flat_map(|s| s.keys().cloned()).collect();
    let mut series = Series::new();
    frame.budget.cells(groups.len(), c.spans.len());
    frame.budget.check()?;
    for group in groups {
        frame.budget.check()?;
        let cells = (0..c.spans.len()).map(|i| cell(c, &formula, &known, &group, i)).collect();
        series.insert(group, cells);
    }
    Ok(series)
}

pub(crate) fn is_none((name, id): &(String, Option<uuid::Uuid>)) -> bool {
    id.is_none() && name == "(none)"
}

fn cell(c: &Compiled, formula: &Formula, known: &[(&str, Option<Arc<Series>>, &Input)], group: &Group, i: usize) -> Cell {
    let mut cell = Cell { mature: true, ..Cell::default() };
    let mut reasons: Vec<(&str, Option<String>)> = Vec::new();
    let nowhere = Group::new();
    for (name, series, input) in known {
        let value = match (input, series) {
            (Input::Constant(value), _) => *value,
            (Input::Known(values), _) => values[i],
            (Input::Named, _) => Some(f64::from(u8::from(group.is_empty() || !group.iter().all(is_none)))),
            (_, None) => None,
            (_, Some(series)) => {
                let place = if matches!(input, Input::Other(..)) { &nowhere } else { group };
                // A group that no row of the input belongs to: sums are 0 there, the rest is null.
                let none = match input {
                    Input::Metric(of, _) | Input::Other(of, _, _) if !of.no_rows => Some(nothing(&of.def, &of.spans[i])),
                    _ => None,
                };
                let part = series.get(place).map(|cells| &cells[i]).or(none.as_ref());
                cell.n = least(cell.n, part.map_or(0, |p| p.n));
                cell.mature &= part.is_none_or(|p| p.mature);
                if let Some(part) = part {
                    cell.flags.extend(part.flags.iter().cloned());
                    // Of the costs of several inputs the larger sum is told.
                    cell.unallocated = [cell.unallocated, part.unallocated].into_iter().flatten().reduce(|a, b| if b[0] > a[0] { b } else { a });
                    reasons.push((name, part.reason.clone()));
                }
                let rests = |p: &&Cell| p.n > 0 || !c.def.inputs.get(*name).is_some_and(|i| i.needs_records);
                part.filter(rests).and_then(|p| match input {
                    Input::Metric(_, side) | Input::Other(_, side, _) => value(p, *side),
                    _ => p.value,
                })
            }
        };
        cell.parts.insert((*name).to_string(), value);
    }
    let unknown = |name: &str| reasons.iter().any(|(n, reason)| *n == name && reason.as_deref() == Some(super::unused::MISSING_RATE));
    cell.value = formula.value(&|name| cell.parts.get(name).copied().flatten(), &unknown);
    if cell.value.is_none() {
        // Inputs that alone would make the result null are to blame; of their reasons the one that says most is told.
        let alone = |suspect: &&String| formula.value(&|name| if name == suspect.as_str() { cell.parts[name] } else { Some(cell.parts[name].filter(|v| *v > 0.0).unwrap_or(1.0)) }, &unknown).is_none();
        let mut blamed: Vec<&String> = cell.parts.keys().filter(alone).collect();
        if blamed.is_empty() {
            // One of several would have been enough: all that are missing are.
            blamed = cell.parts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        }
        // What is missing says more than what is there and too small.
        blamed.sort_by_key(|name| cell.parts[*name].is_some());
        let declared = |name: &&String| c.def.inputs.get(*name).and_then(|input| input.reason.clone());
        let own = |name: &&String| reasons.iter().find(|(n, _)| n == *name).and_then(|(_, reason)| reason.clone()).filter(|reason| reason != "no_data");
        cell.reason = blamed.iter().find_map(|name| declared(name).or_else(|| own(name))).or_else(|| Some("no_data".into()));
    }
    if cell.value.is_some() {
        let gone = c.def.inputs.iter().filter(|(name, _)| cell.parts.get(*name).is_some_and(Option::is_none));
        cell.flags.extend(gone.filter_map(|(_, input)| input.missing.clone()));
    }
    let capped = cell.parts.get("cap").copied().flatten().is_some_and(|cap| cell.value == Some(cap));
    if capped {
        cell.flags.push("capped".into());
    }
    cell
}

/// The number of an input's cell that is meant.
pub(crate) fn value(cell: &Cell, part: Option<Part>) -> Option<f64> {
    match part {
        Some(Part::Numerator) => cell.numerator,
        Some(Part::Denominator) => cell.denominator,
        None => cell.value,
    }
}

/// The cells of several spans as one.
pub(crate) fn joined(cells: &[Cell], together: Together) -> Cell {
    match together {
        Together::Compound => compound(cells),
        Together::Sum => sum(cells),
    }
}

/// The fewer records of two inputs: what rests on both is as sure as the smaller. One that rests on none (nothing was
/// won) is no smaller sample than the other.
fn least(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

/// Days without anybody to lose add nothing.
fn sum(days: &[Cell]) -> Cell {
    let known: Vec<f64> = days.iter().filter_map(|d| d.value).collect();
    let value = (!known.is_empty()).then(|| known.iter().sum());
    Cell { value, reason: value.is_none().then(|| "no_data".into()), mature: true, n: days.iter().map(|d| d.n).fold(0, least), ..Cell::default() }
}

/// 1 − Π(1 − x) over the months that have a value.
fn compound(months: &[Cell]) -> Cell {
    let known: Vec<f64> = months.iter().filter_map(|m| m.value).collect();
    let mut cell = Cell { mature: true, n: months.iter().map(|m| m.n).fold(0, least), ..Cell::default() };
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
