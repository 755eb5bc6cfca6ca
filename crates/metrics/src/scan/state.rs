//! Who is in a state at each bound: rows that begin before it and end at or after it.

use super::chunk::{selected, timeless};
use super::grid::{self, Bitmap, Grid};
use super::Pass;
use crate::plan::{Request, What};
use crate::{MetricError, Result};
use northing_facts::eval::{Path, TRUE};
use northing_facts::{NONE, NULL};
use rayon::prelude::*;

pub(crate) fn scan(pass: &Pass<'_>, request: &Request) -> Result<Grid> {
    let What::States { until, key } = &request.what else { return Err(MetricError::Question("not a state".into())) };
    let filter = request.filter.as_ref().map(|f| pass.bind(f)).transpose()?;
    let (until, key): (Path, Path) = (pass.frame.path(pass.table, until)?, pass.frame.path(pass.table, key)?);
    let snapshot = pass.frame.snapshot;
    let size = key.cardinality(snapshot);
    let points = pass.bounds.len();
    let chunks: Vec<usize> = (0..pass.source().chunks.len()).collect();
    let share = chunks.len().div_ceil(rayon::current_num_threads()).max(1);
    // One set for each instant and share of the table, and one more when they are joined.
    if !pass.frame.budget.hold((chunks.len().div_ceil(share) + 1) * points * size.div_ceil(8)) {
        pass.frame.budget.check()?;
    }
    let read = |share: &[usize]| {
        let mut states: Vec<Bitmap> = (0..points).map(|_| Bitmap::new(size)).collect();
        for c in share {
            if timeless(pass, *c) || !pass.frame.budget.goes_on() {
                continue;
            }
            let n = pass.source().chunks[*c].flags.len();
            let (mut mask, times) = selected(pass, *c, 0, n, true);
            if let Some(filter) = &filter {
                mask.iter_mut().zip(filter.truth(snapshot, pass.table, *c, 0, n)).for_each(|(m, t)| *m &= t & TRUE);
            }
            let ends = until.numbers(snapshot, pass.table, *c, 0, n);
            let who = key.codes(snapshot, pass.table, *c, 0, n);
            for i in (0..n).filter(|i| mask[*i] != 0 && who[*i] != NONE) {
                // The state holds at p when since < p <= until.
                let mut point = pass.segment(times[i]);
                while point < points && (ends[i] == NULL || pass.bounds[point] <= ends[i]) {
                    states[point].set(who[i]);
                    point += 1;
                }
            }
        }
        states
    };
    let found: Vec<Vec<Bitmap>> = chunks.par_chunks(share).map(read).collect();
    Ok(grid::states(pass, found, size))
}
