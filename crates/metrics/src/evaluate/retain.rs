//! Retention: who was in a state at the start of a span, and who of them still (or again) at its end.
//! The population is fixed first, so joiners never count (KPIS.md: customer_retention_rate).

use super::cells::Results;
use super::compile::{Compiled, Followed};
use super::{Group, Series};
use crate::answer::Cell;
use crate::scan::Bitmap;
use crate::stats::wilson;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path, TRUE};
use northing_facts::{CHUNK, NONE};
use northing_model::metric::Outcome;
use std::collections::BTreeMap;

pub(crate) fn cells(c: &Compiled, r: &Results<'_>, followed: &Followed) -> Result<Series> {
    let Followed { handle, outcome, table, .. } = *followed;
    let grid = &r.grids[handle];
    let keep = kept_by_filter(r, table)?;
    let paths = dimensions(r, table)?;
    let codes = codes(r, table, &paths);
    let mut series = Series::new();
    if paths.is_empty() && outcome != Outcome::Did {
        let cells = c.spans.iter().map(|span| {
            let (held, kept) = grid.overlap(span.start, span.end, keep.as_ref());
            cell(if outcome == Outcome::Kept { kept } else { held - kept }, held)
        });
        return Ok(Series::from([(Group::new(), cells.collect())]));
    }
    for (i, span) in c.spans.iter().enumerate() {
        let (mut before, mut after) = (grid.state(span.start), grid.state(span.end));
        if let Some(joined) = followed.joined {
            before.join(&r.grids[joined].members(&Vec::new(), span.start, span.end));
        }
        if outcome == Outcome::Did {
            after = Bitmap::default();
            followed.did.iter().for_each(|did| after.join(&r.grids[*did].members(&Vec::new(), span.start, span.end)));
        }
        if let Some(keep) = &keep {
            before = before.both(keep);
            after = after.both(keep);
        }
        let chosen = match outcome {
            Outcome::Kept | Outcome::Did => before.both(&after),
            Outcome::Lost => before.without(&after),
        };
        if paths.is_empty() {
            let blank = || c.spans.iter().map(|_| cell(0, 0)).collect();
            series.entry(Group::new()).or_insert_with(blank)[i] = cell(chosen.count(), before.count());
            continue;
        }
        let mut counts: BTreeMap<Vec<u32>, (u64, u64)> = BTreeMap::new();
        let key = |row: u32| codes.iter().map(|c| c.get(row as usize).copied().unwrap_or(NONE)).collect::<Vec<u32>>();
        before.iter().for_each(|row| counts.entry(key(row)).or_default().1 += 1);
        chosen.iter().for_each(|row| counts.entry(key(row)).or_default().0 += 1);
        for (key, (k, n)) in counts {
            let group: Group = paths.iter().zip(&key).map(|(p, code)| r.name(p, *code)).collect();
            let blank = || c.spans.iter().map(|_| cell(0, 0)).collect();
            series.entry(group).or_insert_with(blank)[i] = cell(k, n);
        }
    }
    Ok(series)
}

fn cell(k: u64, n: u64) -> Cell {
    let (kf, nf) = (k as f64, n as f64);
    let p = (kf + 1.0) / (nf + 2.0);
    Cell {
        value: (n > 0).then(|| kf / nf),
        numerator: Some(kf),
        denominator: Some(nf),
        n,
        mature: true,
        reason: (n == 0).then(|| "no_data".to_string()),
        interval: wilson(kf, nf),
        variance: (n > 0).then(|| p * (1.0 - p) / nf),
        ..Cell::default()
    }
}

/// Paths of the question's dimensions on the followed records.
pub(crate) fn dimensions(r: &Results<'_>, table: usize) -> Result<Vec<Path>> {
    let dims = r.frame.dims(table).map_err(MetricError::Question)?;
    dims.into_iter().flatten().map(|d| r.frame.path(table, &d)).collect()
}

/// The records that meet the question's filter, where it has one.
pub(crate) fn kept_by_filter(r: &Results<'_>, table: usize) -> Result<Option<Bitmap>> {
    let Some(filter) = r.frame.filter(table).map_err(MetricError::Question)? else { return Ok(None) };
    let snapshot = r.frame.snapshot;
    let node = eval::bind(snapshot, table, &filter, r.frame.now).map_err(MetricError::Question)?;
    let mut keep = Bitmap::new(snapshot.tables[table].len as usize);
    for (c, chunk) in snapshot.tables[table].chunks.iter().enumerate() {
        let truth = node.truth(snapshot, table, c, 0, chunk.flags.len());
        for (i, t) in truth.iter().enumerate() {
            if t & TRUE != 0 {
                keep.set((c * CHUNK + i) as u32);
            }
        }
    }
    Ok(Some(keep))
}

pub(crate) fn codes(r: &Results<'_>, table: usize, paths: &[Path]) -> Vec<Vec<u32>> {
    let snapshot = r.frame.snapshot;
    let read = |path: &Path| {
        let chunks = &snapshot.tables[table].chunks;
        chunks.iter().enumerate().flat_map(|(c, chunk)| path.codes(snapshot, table, c, 0, chunk.flags.len()).into_owned()).collect()
    };
    paths.iter().map(read).collect()
}
