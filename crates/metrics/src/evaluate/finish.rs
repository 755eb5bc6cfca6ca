//! The cells of a metric once for a question, within the question's budget.

use super::cells::{Results, work_out};
use super::compile::Compiled;
use super::{Group, Series};
use crate::Result;
use crate::answer::Cell;
use crate::plan::{Frame, Plan};
use crate::scan::Grid;
use crate::span::Span;
use northing_model::{MetricDef, MetricKind};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The cells of a metric, worked out the first time that somebody needs them.
pub(crate) fn finish(c: &Compiled, plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>) -> Result<Arc<Series>> {
    if let Some(series) = c.finished.lock().ok().and_then(|series| series.clone()) {
        return Ok(series);
    }
    frame.budget.check()?;
    // Nobody waits on a lock while cells are worked out: two threads may do the same at once, and nothing worse.
    let series = Arc::new(work_out(c, plan, grids, frame)?);
    frame.budget.check()?;
    if let Ok(mut finished) = c.finished.lock() {
        *finished = Some(series.clone());
    }
    Ok(series)
}

const LOW_N: u64 = 30;

/// What holds for every cell: completeness, low n, periods that have not begun.
pub(super) fn settle(def: &MetricDef, cell: &mut Cell, span: &Span, no_rows: bool) {
    cell.complete = span.complete;
    cell.flags.extend(def.flags.iter().cloned());
    cell.flags.sort();
    cell.flags.dedup();
    if span.future && !def.future {
        *cell = Cell { complete: false, mature: cell.mature, reason: Some("not_yet".into()), ..Cell::default() };
        return;
    }
    if no_rows {
        cell.value = None;
        cell.reason = Some(def.needs_reason.clone().unwrap_or_else(|| "no_cost_recorded".into()));
    }
    let counts_matter = !matches!(def.kind, MetricKind::Flow | MetricKind::Stock | MetricKind::Derived | MetricKind::Goal);
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
        MetricKind::Flow if def.empty.is_some() => (cell.numerator, cell.reason) = (Some(0.0), def.empty.clone()),
        MetricKind::Flow | MetricKind::Stock => (cell.value, cell.numerator) = (Some(0.0), Some(0.0)),
        MetricKind::Goal => cell.reason = Some("no_target".into()),
        MetricKind::Derived | MetricKind::Composite | MetricKind::Model => cell.reason = Some("no_data".into()),
        _ => {
            (cell.numerator, cell.denominator) = (Some(0.0), Some(0.0));
            cell.reason = Some("no_data".into());
        }
    }
    settle(def, &mut cell, span, false);
    cell
}

impl Results<'_> {
    /// May so many groups have cells?
    pub fn room(&self, groups: usize, c: &Compiled) -> bool {
        self.frame.budget.cells(groups, c.spans.len())
    }

    /// The groups, if all of them may have cells; else none.
    pub fn afforded<'g>(&self, groups: BTreeSet<&'g Group>, c: &Compiled) -> BTreeSet<&'g Group> {
        if self.room(groups.len(), c) { groups } else { BTreeSet::new() }
    }

    /// The cells of a group before anything of it is found.
    pub fn blank(&self, def: &MetricDef, spans: &[Span]) -> Vec<Cell> {
        self.frame.budget.cells(1, spans.len());
        spans.iter().map(|span| nothing(def, span)).collect()
    }

    /// May the next cell be worked out? What is done by then is thrown away.
    pub fn goes_on(&self) -> bool {
        self.frame.budget.goes_on()
    }
}
