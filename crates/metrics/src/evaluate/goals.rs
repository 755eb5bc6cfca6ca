//! Goals: what people want a metric to be, against what it is over the goal's own period and scope.

use super::cells::{Results, nothing};
use super::compile::Compiled;
use super::{Group, Series, Shape, definition, finish, metric};
use crate::answer::Cell;
use crate::plan::{Frame, Plan};
use crate::scan::Grid;
use crate::span::Span;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path};
use northing_facts::table::COUNTED;
use northing_facts::{NONE, NULL};
use northing_model::metric::GoalShare;
use northing_model::money::MICRO;
use northing_model::{Expr, MetricDef, MetricKind, Period};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Goal {
    /// The record, and the goal it is part of.
    pub row: u32,
    parent: u32,
    /// The span of the question that it ends in.
    span: usize,
    group: Group,
    filter: Option<Expr>,
    pub actual: Arc<Compiled>,
    target: f64,
    baseline: f64,
    weight: f64,
}

pub(crate) fn compile_all(plan: &mut Plan, frame: &Frame<'_>, def: &MetricDef, spans: &[Span]) -> Result<Shape> {
    let share = def.goals.ok_or_else(|| MetricError::Question("goals are missing".into()))?;
    let snapshot = frame.snapshot;
    let index = frame.table("goal")?;
    let table = &snapshot.tables[index];
    let column = |name: &str| table.schema.column(name).ok_or_else(|| MetricError::Question(format!("goals have no {name}")));
    let (kpi, variant, owner, team, product) = (column("kpi")?, column("kpi_variant")?, column("owner")?, column("team")?, column("product")?);
    let schedule = column("schedule")?;
    let (starts, ends, due, target, baseline, weight, parent) =
        (column("starts_on")?, column("ends_on")?, column("due_at")?, column("due_target")?, column("baseline")?, column("weight")?, column("parent")?);
    let refused = |unknown: String| MetricError::Question(format!("{} cannot be cut or filtered by '{unknown}' (goals have no path to it)", def.id));
    let dims: Vec<Path> = frame.dims(index).map_err(refused)?.into_iter().flatten().map(|d| frame.path(index, &d)).collect::<Result<_>>()?;
    let filter = frame.filter(index).map_err(refused)?;
    let by_kpi = frame.by.iter().any(|d| d == "kpi") || filter.as_ref().is_some_and(|f| f.paths().iter().any(|p| p.last().is_some_and(|n| n == "kpi")));
    let node = filter.as_ref().map(|f| eval::bind(snapshot, index, f, frame.now).map_err(MetricError::Question)).transpose()?;
    let mut goals = Vec::new();
    for row in (0..table.len).filter(|r| table.flags(*r) & COUNTED != 0) {
        if node.as_ref().is_some_and(|n| !n.holds(snapshot, index, row)) {
            continue;
        }
        let name = table.text(kpi, row).unwrap_or_default();
        // Goals of different metrics do not add up; without a choice the revenue's are meant.
        if share != GoalShare::Progress && !by_kpi && &*name != "revenue" {
            continue;
        }
        if !super::allowed(snapshot, &crate::question::Wanted { metric: name.to_string(), variant: table.text(variant, row).map(|v| v.to_string()) }) {
            continue;
        }
        let reading = table.text(variant, row);
        let Ok(own) = definition(snapshot, &name, reading.as_deref()) else { continue };
        let (from, to) = (table.get(starts, row), table.get(ends, row));
        let (Some(span), false) = (spans.iter().position(|s| ends_in(s, table.get(due, row), snapshot)), own.kind == MetricKind::Goal || from == NULL || to < from) else { continue };
        let mut conditions = Vec::new();
        for (field, column) in [("owner", owner), ("team", team), ("product", product)] {
            if let (Ok(at), Some(target)) = (u32::try_from(table.get(column, row)), table.schema.columns[column].target) {
                if let Some(id) = snapshot.tables[target].id(at) {
                    conditions.push(format!("{field} = '{id}'"));
                }
            }
        }
        let filter = if conditions.is_empty() { None } else { Some(Expr::parse(&conditions.join(" and ")).map_err(MetricError::Question)?) };
        let inner = frame.with(filter.clone(), Vec::new());
        let days = Period { start: from as i32, end: to as i32 + 1 };
        let actual = match metric(plan, &inner, &name, reading.as_deref(), &[Span::of(days, &snapshot.settings, frame.now)]) {
            Ok(actual) => actual,
            Err(spent @ MetricError::Spent(_)) => return Err(spent),
            Err(_) => continue,
        };
        let number = |column: usize, or: f64| match table.get(column, row) {
            NULL => or,
            n => n as f64,
        };
        goals.push(Goal {
            row,
            parent: u32::try_from(table.get(parent, row)).unwrap_or(NONE),
            span,
            group: dims.iter().map(|p| super::cells::name(snapshot, p, p.code(snapshot, index, row))).collect(),
            filter,
            actual,
            target: number(target, 0.0) / MICRO as f64 * if share == GoalShare::Pace { elapsed(snapshot, table.get(schedule, row), days, frame.now) } else { 1.0 },
            baseline: number(baseline, 0.0) / MICRO as f64,
            weight: number(weight, 1.0),
        });
    }
    Ok(Shape::Goals { goals, share })
}

/// Which part of the opening time of a goal's days has passed; of all its time where it names no schedule.
fn elapsed(snapshot: &northing_facts::Snapshot, schedule: i64, days: Period, now: i64) -> f64 {
    let zone = &snapshot.settings.zone;
    let (from, to) = (zone.midnight(days.start), zone.midnight(days.end));
    let until = now.clamp(from, to);
    let (passed, whole) = match snapshot.schedules.at(schedule, from) {
        Some(hours) => (hours.seconds(from, until), hours.seconds(from, to)),
        None => (until - from, to - from),
    };
    if whole > 0 { passed as f64 / whole as f64 } else { 0.0 }
}

/// Is a goal due within the whole of a span, the part that lies ahead included?
fn ends_in(span: &Span, due: i64, snapshot: &northing_facts::Snapshot) -> bool {
    let zone = &snapshot.settings.zone;
    due != NULL && due >= zone.midnight(span.days.start) && due < zone.midnight(span.days.end)
}

/// What one goal adds to both sides of a metric of goals.
#[derive(Debug)]
pub(crate) struct Share {
    pub row: u32,
    pub num: Option<f64>,
    pub den: f64,
    /// Its denominator counts even while its numerator is not known.
    pub counts: bool,
    /// Why the numerator is not known.
    reason: Option<String>,
}

/// The same question with a goal's own scope.
pub(crate) fn frame_of<'a>(frame: &Frame<'a>, goal: &Goal) -> Frame<'a> {
    frame.with(goal.filter.clone(), Vec::new())
}

fn actuals(plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>, goals: &[Goal]) -> Result<Vec<Cell>> {
    let actual = |goal: &Goal| {
        frame.budget.check()?;
        Ok(finish(&goal.actual, plan, grids, &frame_of(frame, goal))?.values().next().and_then(|cells| cells.last().cloned()).unwrap_or_default())
    };
    goals.iter().map(actual).collect()
}

pub(crate) fn finish_all(c: &Compiled, plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>, goals: &[Goal], share: GoalShare) -> Result<Series> {
    let actuals = actuals(plan, grids, frame, goals)?;
    let mut series = Series::new();
    let mut places: BTreeMap<(&Group, usize), Vec<usize>> = BTreeMap::new();
    for (i, goal) in goals.iter().enumerate() {
        places.entry((&goal.group, goal.span)).or_default().push(i);
    }
    for ((group, span), members) in places {
        frame.budget.cells(1, c.spans.len());
        frame.budget.check()?;
        let cells = series.entry(group.clone()).or_insert_with(|| c.spans.iter().map(|s| nothing(&c.def, s)).collect());
        cells[span] = cell(share, &added(goals, &actuals, &members, share));
    }
    Ok(series)
}

/// What the goals that end in a span add.
pub(crate) fn shares(r: &Results<'_>, goals: &[Goal], share: GoalShare, span: usize) -> Result<Vec<Share>> {
    let members: Vec<usize> = (0..goals.len()).filter(|i| goals[*i].span == span).collect();
    Ok(added(goals, &actuals(r.plan, r.grids, r.frame, goals)?, &members, share))
}

fn added(goals: &[Goal], actuals: &[Cell], members: &[usize], share: GoalShare) -> Vec<Share> {
    // What a goal is made of counts through it.
    let whole = members.iter().copied().filter(|i| !members.iter().any(|o| goals[*o].row == goals[*i].parent));
    let of = |i: usize| {
        let goal = &goals[i];
        let way = goal.target - goal.baseline;
        actuals[i].value.filter(|_| way != 0.0).map(|a| (a - goal.baseline) / way)
    };
    let mean = |list: &[usize]| {
        let parts: Option<Vec<(f64, f64)>> = list.iter().map(|i| of(*i).map(|p| (p * goals[*i].weight, goals[*i].weight))).collect();
        parts.map(|p| (p.iter().map(|x| x.0).sum::<f64>(), p.iter().map(|x| x.1).sum::<f64>())).filter(|(_, w)| *w > 0.0).map(|(s, w)| s / w)
    };
    let one = |i: usize| {
        let goal = &goals[i];
        if share != GoalShare::Progress {
            return Share { row: goal.row, num: actuals[i].value, den: goal.target, counts: true, reason: actuals[i].reason.clone() };
        }
        // A goal that has parts is as far as they are, by their weights.
        let parts: Vec<usize> = members.iter().copied().filter(|o| goals[*o].parent == goal.row).collect();
        let value = if parts.is_empty() { of(i) } else { mean(&parts) };
        let reason = actuals[i].reason.clone().unwrap_or_else(|| "no_target".into());
        Share { row: goal.row, num: value.map(|v| v * goal.weight), den: goal.weight, counts: false, reason: Some(reason) }
    };
    whole.map(one).collect()
}

fn cell(share: GoalShare, shares: &[Share]) -> Cell {
    let mut cell = Cell { mature: true, n: shares.len() as u64, ..Cell::default() };
    let missing = shares.iter().find(|s| s.num.is_none());
    let known: f64 = shares.iter().filter_map(|s| s.num).sum();
    if share == GoalShare::Progress {
        let weights: f64 = shares.iter().filter(|s| s.num.is_some()).map(|s| s.den).sum();
        (cell.numerator, cell.denominator) = (Some(known), Some(weights));
        cell.value = (missing.is_none() && weights > 0.0).then(|| known / weights);
        cell.reason = cell.value.is_none().then(|| missing.and_then(|m| m.reason.clone()).unwrap_or_else(|| "no_target".into()));
        return cell;
    }
    let target: f64 = shares.iter().map(|s| s.den).sum();
    (cell.numerator, cell.denominator) = (missing.is_none().then_some(known), Some(target));
    cell.value = cell.numerator.filter(|_| target > 0.0).map(|a| a / target);
    if cell.value.is_none() {
        let why = missing.and_then(|m| m.reason.clone()).unwrap_or_else(|| "no_data".into());
        cell.reason = Some(if target > 0.0 { why } else { "no_target".into() });
    }
    cell
}
