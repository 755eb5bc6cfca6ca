//! From a question to an answer: compile every metric into scan requests, run them once, finish each cell.

mod cells;
mod change;
mod compile;
mod composite;
mod finish;
mod goals;
mod inputs;
mod kept;
mod parted;
mod retain;
mod score;
mod survive;
mod unallocated;
mod unused;
mod worth;

use crate::answer::{Answer, Bucket, Cell, Change, Earlier, MetricAnswer};
use crate::budget::Budget;
use crate::plan::{Frame, Plan};
use crate::question::{Question, Wanted};
use crate::scan::{Cache, run};
use crate::span::{Span, spans};
use crate::stats::differs;
use crate::{MetricError, Result};
use northing_facts::Snapshot;
use northing_model::metric::Unit;
use northing_model::{MetricDef, MetricKind};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use uuid::Uuid;

pub(crate) use cells::{Results, name};
pub(crate) use compile::{Compiled, Followed, Same, Shape, Side as TermSide, metric, raw};
pub(crate) use composite::each as scores;
pub(crate) use finish::{finish, nothing};
pub(crate) use goals::{Share, frame_of as goal_frame, shares};
pub(crate) use inputs::{Input, joined, value as input_value};
pub(crate) use kept::Groups;
pub(crate) use parted::each as parts;
pub(crate) use retain::none_left;
pub(crate) use score::class_of;
pub(crate) use survive::each as lives;
pub(crate) use unused::without_rate;
pub(crate) use worth::each as worths;

/// About what a bucket takes in an answer, with its names and the earlier one.
const BUCKET: usize = 2 * size_of::<Bucket>() + 200;

/// The values of a group's dimensions: what they are called, and the record's id where they are records.
pub(crate) type Group = Vec<(String, Option<Uuid>)>;
/// Cells of each group, one per span that was asked for.
pub(crate) type Series = BTreeMap<Group, Vec<Cell>>;

/// The definition of a wanted metric, with its variant put in.
pub fn definition(snapshot: &Snapshot, metric: &str, variant: Option<&str>) -> Result<MetricDef> {
    let def = snapshot.model.metrics.get(metric).ok_or_else(|| MetricError::Unknown(metric.to_string()))?;
    match variant {
        None | Some("") => Ok(def.clone()),
        Some(name) => def.variant(name).map_err(|e| MetricError::Question(e.to_string())),
    }
}

/// Is nothing that the metric is made of hidden from the asker?
pub(crate) fn allowed(snapshot: &Snapshot, want: &Wanted) -> bool {
    snapshot.view.as_ref().is_none_or(|view| view.bears(&snapshot.model, &want.metric, want.variant.as_deref()))
}

fn refusal(span: &Span) -> Cell {
    Cell { reason: Some("not_allowed".into()), mature: true, complete: span.complete, ..Cell::default() }
}

/// Refuses periods that make no sense.
pub(crate) fn check(question: &Question) -> Result<()> {
    if question.period.start >= question.period.end {
        return Err(MetricError::Question("the period is empty: its end must come after its start".into()));
    }
    if question.period.end - question.period.start > 40_000 {
        return Err(MetricError::Question("the period is longer than a century".into()));
    }
    Ok(())
}

/// Answers a question from one snapshot.
pub fn ask(snapshot: &Snapshot, question: &Question, cache: &Cache) -> Result<Answer> {
    ask_within(snapshot, question, cache, &Budget::default())
}

/// Answers a question from one snapshot with what it may use.
pub fn ask_within(snapshot: &Snapshot, question: &Question, cache: &Cache, budget: &Budget) -> Result<Answer> {
    check(question)?;
    let times = spans(question, &snapshot.settings);
    if times.buckets.len() > 4_000 {
        return Err(MetricError::Question(format!("{} buckets are too many to show; choose a coarser grain", times.buckets.len())));
    }
    let plain = Frame { snapshot, filter: question.filter.clone(), by: Vec::new(), now: question.now, cache: Some(cache), budget };
    let cut = plain.with(question.filter.clone(), question.by.clone());
    let mut wanted: Vec<Span> = times.buckets.clone();
    let mut totals = vec![times.total];
    if let Some((earlier, total)) = &times.earlier {
        wanted.extend(earlier.iter().flatten());
        totals.push(*total);
    }
    let mut plan = Plan::default();
    let mut compiled = Vec::new();
    for want in &question.metrics {
        let def = definition(snapshot, &want.metric, want.variant.as_deref())?;
        if !allowed(snapshot, want) {
            compiled.push((want, def, None));
            continue;
        }
        let buckets = metric(&mut plan, &cut, &want.metric, want.variant.as_deref(), &wanted)?;
        let total = metric(&mut plan, &plain, &want.metric, want.variant.as_deref(), &totals)?;
        compiled.push((want, def, Some((buckets, total))));
    }
    let grids = run(&plan, &cut, cache)?;
    let finish = |(want, def, compiled): &(&Wanted, MetricDef, Option<(Arc<Compiled>, Arc<Compiled>)>)| {
        let Some((buckets, total)) = compiled else {
            let refused = |spans: &[Span]| Series::from([(Group::new(), spans.iter().map(refusal).collect())]);
            let series = if cut.by.is_empty() { refused(&wanted) } else { Series::new() };
            return Ok(assemble(&want.variant, def, &times, &wanted, &series, &refused(&totals), &cut.by));
        };
        let series = finish::finish(buckets, &plan, &grids, &cut)?;
        let whole = finish::finish(total, &plan, &grids, &plain)?;
        if !budget.hold(series.len() * times.buckets.len() * BUCKET) {
            budget.check()?;
        }
        Ok(assemble(&want.variant, def, &times, &wanted, &series, &whole, &cut.by))
    };
    let metrics = compiled.par_iter().map(finish).collect::<Result<Vec<_>>>()?;
    Ok(Answer {
        seq: snapshot.shown,
        as_of: northing_model::value::time_text(question.now),
        zone: snapshot.settings.zone.name().to_string(),
        calendar: question.calendar.name().to_string(),
        currency: snapshot.settings.currency.to_string(),
        metrics,
    })
}

fn assemble(
    variant: &Option<String>,
    def: &MetricDef,
    times: &crate::span::Spans,
    wanted: &[Span],
    series: &Series,
    whole: &Series,
    by: &[String],
) -> MetricAnswer {
    let empty = |span: &Span| cells::nothing(def, span);
    let groups: BTreeSet<&Group> = series.keys().collect();
    let mut buckets = Vec::new();
    let places: Vec<Option<usize>> = match &times.earlier {
        None => vec![None; times.buckets.len()],
        Some((earlier, _)) => {
            let mut next = times.buckets.len();
            earlier.iter().map(|e| e.map(|_| { next += 1; next - 1 })).collect()
        }
    };
    for (i, span) in times.buckets.iter().enumerate() {
        for group in &groups {
            let cell = series[*group][i].clone();
            let earlier = places[i].map(|p| (wanted[p], series[*group][p].clone()));
            buckets.push(bucket(def, span, Some((by, group)), cell, earlier));
        }
        if groups.is_empty() && by.is_empty() {
            buckets.push(bucket(def, span, None, empty(span), places[i].map(|p| (wanted[p], empty(&wanted[p])))));
        }
    }
    let totals = whole.values().next();
    let cell = totals.map_or_else(|| empty(&times.total), |t| t[0].clone());
    let earlier = times.earlier.as_ref().map(|(_, span)| (*span, totals.map_or_else(|| empty(span), |t| t[1].clone())));
    let total = bucket(def, &times.total, None, cell, earlier);
    if times.buckets.len() == 1 && !by.is_empty() {
        change::contribute(&mut buckets, &total);
    }
    MetricAnswer {
        id: def.id.clone(),
        variant: variant.clone(),
        version: def.version,
        unit: word(&def.unit),
        good: word(&def.good),
        buckets,
        total,
    }
}

pub(crate) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
}

fn bucket(def: &MetricDef, span: &Span, by: Option<(&[String], &Group)>, cell: Cell, earlier: Option<(Span, Cell)>) -> Bucket {
    let (mut names, mut ids) = (BTreeMap::new(), BTreeMap::new());
    if let Some((dims, group)) = by {
        for (dim, (name, id)) in dims.iter().zip(group) {
            names.insert(dim.clone(), name.clone());
            if let Some(id) = id {
                ids.insert(dim.clone(), id.to_string());
            }
        }
    }
    let change = earlier.as_ref().and_then(|(_, old)| change(def, &cell, old));
    let day = northing_model::value::date_text;
    Bucket {
        start: day(span.days.start),
        end: day(span.days.end),
        by: names,
        by_id: ids,
        compare: earlier.map(|(s, cell)| Earlier { start: day(s.days.start), end: day(s.days.end), cell }),
        change,
        contribution: None,
        cell,
    }
}

/// The difference to the earlier value: in points for shares and scores, also relative for amounts.
fn change(def: &MetricDef, now: &Cell, old: &Cell) -> Option<Change> {
    let (a, b) = (now.value?, old.value?);
    let points = matches!(def.unit, Unit::Ratio | Unit::Points);
    Some(Change {
        absolute: a - b,
        relative: (!points && b > 0.0).then(|| (a - b) / b),
        certain: if def.kind == MetricKind::Derived { None } else { differs(a, now.variance, b, old.variance) },
    })
}
