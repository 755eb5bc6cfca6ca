//! The records behind a number: the same compiled requests, with rows instead of sums. What is made of other metrics
//! has parts instead, each with its value and its own records.
//!
//! Re-aggregating what is returned gives the number; a property test holds that for every metric and variant.

mod sides;

use crate::budget::Budget;
use crate::evaluate::{Compiled, Input, Shape, goal_frame, input_value, joined, metric, shares};
use crate::plan::{Frame, Plan};
use crate::question::Question;
use crate::span::Span;
use crate::{Cell, MetricError, Result};
use northing_facts::{NULL, Snapshot};
use northing_model::metric::Part as Of;
use serde::Serialize;
use sides::{Adds, Hit};
use uuid::Uuid;

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    Numerator,
    Denominator,
    /// Left out, for this reason.
    Excluded(String),
}

/// One record behind a number and what it adds.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct DrillRow {
    /// The object whose record stands behind the row.
    pub object: String,
    pub id: Uuid,
    pub title: String,
    /// The instant that places it, RFC 3339.
    pub at: Option<String>,
    /// What it adds to the side: 1 for counts, major units for money, seconds for durations.
    pub adds: f64,
    /// The part under which its own records are (a goal's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
}

/// A part of a number that is made of others.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct DrillPart {
    /// Its name in the formula, or its place among periods that are put together.
    pub name: String,
    /// What to ask for as `part` to see its records; none for settings and lengths of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// A metric, or `setting:NAME`, `period:NAME`, `group:NAME`.
    pub metric: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Its numerator or denominator alone is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<String>,
    pub unit: String,
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The time that it is taken over, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Drill {
    pub metric: String,
    pub seq: u64,
    /// All rows there are; `rows` may hold fewer.
    pub total: usize,
    /// Sum of `adds` over all rows (distinct metrics: over distinct records).
    pub sum: f64,
    pub rows: Vec<DrillRow>,
    /// For what is made of other numbers: those, and how they are put together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<DrillPart>,
}

/// Which of a metric's records: a side of it, or of one of its parts (`cac`, `lifespan.churn.3`).
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub side: Side,
    pub part: String,
    pub offset: usize,
    pub limit: usize,
}

/// The records of one side of the first metric of a question over its whole period.
pub fn drill(snapshot: &Snapshot, question: &Question, side: &Side, offset: usize, limit: usize) -> Result<Drill> {
    drill_into(snapshot, question, &Wish { side: side.clone(), part: String::new(), offset, limit }, &Budget::default())
}

/// The same, of any part of it, within what the question may use.
pub fn drill_into(snapshot: &Snapshot, question: &Question, wish: &Wish, budget: &Budget) -> Result<Drill> {
    crate::evaluate::check(question)?;
    let wanted = question.metrics.first().ok_or_else(|| MetricError::Question("name a metric".into()))?;
    let def = crate::evaluate::definition(snapshot, &wanted.metric, wanted.variant.as_deref())?;
    if !crate::evaluate::allowed(snapshot, wanted) {
        return Err(MetricError::Forbidden(def.id));
    }
    let frame = Frame { snapshot, filter: question.filter.clone(), by: Vec::new(), now: question.now, cache: None, budget };
    let mut plan = Plan::default();
    let span = Span::of(question.period, &snapshot.settings, question.now);
    let compiled = metric(&mut plan, &frame, &wanted.metric, wanted.variant.as_deref(), &[span])?;
    let grids = crate::scan::run(&plan, &frame, &crate::Cache::default())?;
    let steps: Vec<&str> = wish.part.split('.').filter(|s| !s.is_empty()).collect();
    let answer = Look { plan: &plan, grids: &grids, wish }.into_part(&compiled, &frame, 0, &steps, "")?;
    budget.check()?;
    Ok(answer)
}

/// What every step of the way down shares.
struct Look<'a> {
    plan: &'a Plan,
    grids: &'a [std::sync::Arc<crate::scan::Grid>],
    wish: &'a Wish,
}

impl Look<'_> {
    /// Follows the names of parts from a metric down; `i` is the span that is meant.
    fn into_part(&self, c: &Compiled, frame: &Frame<'_>, i: usize, steps: &[&str], path: &str) -> Result<Drill> {
        let Some((name, rest)) = steps.split_first() else { return self.here(c, frame, i, path) };
        let deeper = if path.is_empty() { (*name).to_string() } else { format!("{path}.{name}") };
        let unknown = || MetricError::Question(format!("{} has no part '{name}'", c.def.id));
        match &c.shape {
            Shape::Derived { inputs } => {
                let (_, input) = inputs.iter().find(|(n, _)| n == name).ok_or_else(unknown)?;
                match input {
                    Input::Metric(of, _) | Input::Other(of, ..) => self.into_part(of, frame, i, rest, &deeper),
                    Input::Several(of, ranges, _) => {
                        let range = ranges.get(i).cloned().ok_or_else(unknown)?;
                        match rest.split_first() {
                            None => self.periods(of, frame, range, &deeper),
                            Some((place, rest)) => {
                                let n = place.parse::<usize>().ok().filter(|n| *n < range.len()).ok_or_else(unknown)?;
                                self.into_part(of, frame, range.start + n, rest, &format!("{deeper}.{place}"))
                            }
                        }
                    }
                    Input::Constant(_) | Input::Known(_) | Input::Named => Err(unknown()),
                }
            }
            Shape::Goals { goals, .. } => {
                let table = frame.table("goal")?;
                let of = |row: u32| frame.snapshot.tables[table].id(row).is_some_and(|id| id.to_string() == *name);
                let goal = goals.iter().find(|g| of(g.row)).ok_or_else(unknown)?;
                self.into_part(&goal.actual, &goal_frame(frame, goal), 0, rest, &deeper)
            }
            _ => Err(unknown()),
        }
    }

    fn empty(&self, c: &Compiled, frame: &Frame<'_>) -> Drill {
        Drill { metric: c.def.id.clone(), seq: frame.snapshot.shown, total: 0, sum: 0.0, rows: Vec::new(), formula: None, parts: Vec::new() }
    }

    /// The rows of a metric, or its parts.
    fn here(&self, c: &Compiled, frame: &Frame<'_>, i: usize, path: &str) -> Result<Drill> {
        let mut answer = self.empty(c, frame);
        if let (Shape::Derived { inputs }, false) = (&c.shape, matches!(self.wish.side, Side::Excluded(_))) {
            answer.formula.clone_from(&c.def.formula);
            for (name, input) in inputs {
                answer.parts.push(self.part(c, frame, i, path, name, input)?);
            }
            return Ok(answer);
        }
        let found = sides::collect(c, self.plan, self.grids, frame, i, &self.wish.side)?;
        answer.total = found.len();
        answer.sum = sides::sum(&found);
        let goals = matches!(c.shape, Shape::Goals { .. }) && !matches!(self.wish.side, Side::Excluded(_));
        let shown = found.iter().skip(self.wish.offset).take(self.wish.limit).filter_map(|hit| row(frame.snapshot, hit));
        answer.rows = shown.map(|row| DrillRow { part: goals.then(|| if path.is_empty() { row.id.to_string() } else { format!("{path}.{}", row.id) }), ..row }).collect();
        Ok(answer)
    }

    fn cells(&self, of: &Compiled, frame: &Frame<'_>) -> Result<Vec<Cell>> {
        Ok(crate::evaluate::finish(of, self.plan, self.grids, frame)?.values().next().cloned().unwrap_or_default())
    }

    fn part(&self, c: &Compiled, frame: &Frame<'_>, i: usize, path: &str, name: &str, input: &Input) -> Result<DrillPart> {
        let declared = c.def.inputs.get(name);
        let place = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let mut part = DrillPart {
            name: name.to_string(),
            part: None,
            metric: declared.map(|d| d.metric.clone()).unwrap_or_default(),
            variant: declared.and_then(|d| d.variant.clone()),
            side: None,
            unit: String::new(),
            value: None,
            reason: None,
            start: None,
            end: None,
        };
        match input {
            Input::Constant(value) => part.value = *value,
            Input::Known(values) => part.value = values.get(i).copied().flatten(),
            Input::Named => part.value = Some(1.0),
            Input::Metric(of, side) | Input::Other(of, side, _) => {
                let cell = self.cells(of, frame)?.into_iter().nth(i);
                part.side = side.map(|s| if s == Of::Numerator { "numerator" } else { "denominator" }.to_string());
                let rests = |cell: &&Cell| cell.n > 0 || !declared.is_some_and(|d| d.needs_records);
                part.value = cell.as_ref().filter(rests).and_then(|cell| input_value(cell, *side));
                part.reason = cell.and_then(|cell| cell.reason);
                part.unit = crate::evaluate::word(&of.def.unit);
                part.part = Some(place);
                dated(&mut part, &of.spans[i]);
            }
            Input::Several(of, ranges, together) => {
                let range = ranges.get(i).cloned().unwrap_or_default();
                let own = self.cells(of, frame)?.get(range.clone()).map(<[Cell]>::to_vec).unwrap_or_default();
                let cell = joined(&own, *together);
                (part.value, part.reason) = (cell.value, cell.reason);
                part.unit = crate::evaluate::word(&of.def.unit);
                part.part = Some(place);
                if let (Some(first), Some(last)) = (of.spans.get(range.start), range.end.checked_sub(1).and_then(|l| of.spans.get(l))) {
                    dated(&mut part, &Span { end: last.end, ..*first });
                }
            }
        }
        Ok(part)
    }

    /// The periods that are put together, each as a part.
    fn periods(&self, of: &Compiled, frame: &Frame<'_>, range: std::ops::Range<usize>, path: &str) -> Result<Drill> {
        let mut answer = self.empty(of, frame);
        let cells = self.cells(of, frame)?;
        for (n, i) in range.enumerate() {
            let cell = cells.get(i);
            let mut part = DrillPart {
                name: n.to_string(),
                part: Some(format!("{path}.{n}")),
                metric: of.def.id.clone(),
                variant: None,
                side: None,
                unit: crate::evaluate::word(&of.def.unit),
                value: cell.and_then(|c| c.value),
                reason: cell.and_then(|c| c.reason.clone()),
                start: None,
                end: None,
            };
            dated(&mut part, &of.spans[i]);
            answer.parts.push(part);
        }
        Ok(answer)
    }
}

fn dated(part: &mut DrillPart, span: &Span) {
    let text = northing_model::value::time_text;
    (part.start, part.end) = (Some(text(span.start)), Some(text(span.end)));
}

fn row(snapshot: &Snapshot, hit: &Hit) -> Option<DrillRow> {
    let (table, row) = hit.record(snapshot)?;
    // A record that is only referred to is not seen.
    if snapshot.view.is_some() && snapshot.tables[table].flags(row) & northing_facts::table::SEEN == 0 {
        return None;
    }
    Some(DrillRow {
        object: snapshot.model.objects.get(table)?.name.clone(),
        id: snapshot.tables[table].id(row)?,
        title: snapshot.title(table, row),
        at: (hit.at != NULL).then(|| northing_model::value::time_text(hit.at)),
        adds: match hit.adds {
            Adds::Exact(units, per) => units as f64 / per as f64,
            Adds::Real(value) => value,
        },
        part: None,
    })
}
