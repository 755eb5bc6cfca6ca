//! Cohorts: customers by when they first bought, and what a metric says of each group in that period and after.
//!
//! A cohort is a filter like any other, so every metric that knows customers has cohorts.

use crate::answer::Cell;
use crate::budget::Budget;
use crate::evaluate::{definition, finish, metric, word};
use crate::plan::{Frame, Plan};
use crate::question::Question;
use crate::scan::{Cache, run};
use crate::span::{Span, spans};
use crate::{MetricError, Result};
use northing_facts::Snapshot;
use northing_model::value::{date_text, time_text};
use northing_model::Expr;
use rayon::prelude::*;
use serde::Serialize;

/// More rows than this are no table any more.
const MOST: usize = 60;

#[derive(Debug, Clone, Serialize)]
pub struct Cohorts {
    pub seq: u64,
    pub id: String,
    pub variant: Option<String>,
    pub unit: String,
    pub currency: String,
    pub calendar: String,
    pub rows: Vec<Cohort>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Cohort {
    /// First purchases from this day on, up to but without `end`.
    pub start: String,
    pub end: String,
    pub customers: u64,
    /// What the metric says of them: in the period itself, in the one after it, and so on until now.
    pub cells: Vec<Cell>,
}

/// The first metric of a question by cohorts of its grain.
pub fn cohorts(snapshot: &Snapshot, question: &Question, cache: &Cache) -> Result<Cohorts> {
    cohorts_within(snapshot, question, cache, &Budget::default())
}

/// The same with what the question may use.
pub fn cohorts_within(snapshot: &Snapshot, question: &Question, cache: &Cache, budget: &Budget) -> Result<Cohorts> {
    let wanted = question.metrics.first().ok_or_else(|| MetricError::Question("name a metric".into()))?;
    let def = definition(snapshot, &wanted.metric, wanted.variant.as_deref())?;
    crate::evaluate::check(question)?;
    let buckets: Vec<Span> = spans(question, &snapshot.settings).buckets.into_iter().filter(|s| !s.future).collect();
    if buckets.len() > MOST {
        return Err(MetricError::Question(format!("{} cohorts are too many to show; choose a coarser grain or a shorter period", buckets.len())));
    }
    let frame = |filter: Option<Expr>| Frame { snapshot, filter, by: Vec::new(), now: question.now, cache: Some(cache), budget };
    let mut plan = Plan::default();
    let whole = frame(question.filter.clone());
    let sizes = metric(&mut plan, &whole, "new_customers", None, &buckets)?;
    let mut rows = Vec::new();
    for (i, span) in buckets.iter().enumerate() {
        let began = Expr::parse(&format!("first_purchase_at >= '{}' and first_purchase_at < '{}'", time_text(span.start), time_text(span.end))).map_err(MetricError::Question)?;
        let own = frame(Some(question.filter.clone().map_or_else(|| began.clone(), |f| f.and(began.clone()))));
        let compiled = metric(&mut plan, &own, &wanted.metric, wanted.variant.as_deref(), &buckets[i..])?;
        rows.push((span, own, compiled));
    }
    let grids = run(&plan, &whole, cache)?;
    let sizes = finish(&sizes, &plan, &grids, &whole)?.values().next().cloned().unwrap_or_default();
    let rows = rows
        .par_iter()
        .zip(sizes)
        .map(|((span, own, compiled), size)| {
            let cells = finish(compiled, &plan, &grids, own)?.values().next().cloned().unwrap_or_default();
            Ok(Cohort { start: date_text(span.days.start), end: date_text(span.days.end), customers: size.value.unwrap_or(0.0) as u64, cells })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Cohorts {
        seq: snapshot.shown,
        id: def.id.clone(),
        variant: wanted.variant.clone(),
        unit: word(&def.unit),
        currency: snapshot.settings.currency.to_string(),
        calendar: question.calendar.name().to_string(),
        rows,
    })
}
