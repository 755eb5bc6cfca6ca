//! Retention: who was in a state at the start of a span, and who of them still (or again) at its end.
//! The population is fixed first, so joiners never count (KPIS.md: customer_retention_rate).

use super::cells::Results;
use super::compile::{Compiled, Followed};
use super::{Group, Series};
use crate::answer::Cell;
use crate::scan::Bitmap;
use crate::stats::wilson;
use crate::Result;
use crate::breakdown::Breakdown;
use crate::span::Span;
use northing_facts::NONE;
use northing_model::metric::Outcome;
use std::collections::BTreeMap;

pub(crate) fn cells(c: &Compiled, r: &Results<'_>, followed: &Followed) -> Result<Series> {
    let Followed { handle, outcome, table, .. } = *followed;
    let grid = &r.grids[handle];
    if followed.by_deed {
        return by_deed(c, r, followed);
    }
    let breakdown = Breakdown::of(r.frame, table)?;
    let mut series = Series::new();
    if breakdown.whole() && outcome != Outcome::Did {
        let cells = c.spans.iter().map(|span| {
            let (held, kept) = grid.overlap(span.start, span.end, breakdown.keep.as_ref());
            cell(if outcome == Outcome::Kept { kept } else { held - kept }, held)
        });
        return Ok(Series::from([(Group::new(), cells.collect())]));
    }
    for (i, span) in c.spans.iter().enumerate() {
        if !r.goes_on() {
            break;
        }
        let (mut before, mut after) = (grid.state(span.start), grid.state(span.end));
        if let Some(joined) = followed.joined {
            before.join(&r.grids[joined].members(&Vec::new(), span.start, span.end));
        }
        if outcome == Outcome::Did {
            after = Bitmap::default();
            followed.did.iter().for_each(|did| after.join(&r.grids[*did].members(&Vec::new(), span.start, span.end)));
            after = after.without(&undone(r, followed, span));
        }
        if let Some(keep) = &breakdown.keep {
            before = before.both(keep);
            after = after.both(keep);
        }
        let chosen = match outcome {
            Outcome::Kept | Outcome::Did => before.both(&after),
            _ => before.without(&after),
        };
        if breakdown.whole() {
            let blank = || c.spans.iter().map(|_| cell(0, 0)).collect();
            series.entry(Group::new()).or_insert_with(blank)[i] = cell(chosen.count(), before.count());
            continue;
        }
        let mut counts: BTreeMap<Vec<u32>, (u64, u64)> = BTreeMap::new();
        before.iter().for_each(|row| counts.entry(breakdown.key(row)).or_default().1 += 1);
        chosen.iter().for_each(|row| counts.entry(breakdown.key(row)).or_default().0 += 1);
        for (key, (k, n)) in counts {
            if !r.goes_on() {
                break;
            }
            let blank = || empty(c, r);
            series.entry(breakdown.group(r.frame.snapshot, &key)).or_insert_with(blank)[i] = cell(k, n);
        }
    }
    Ok(series)
}

/// Those for whom what they did comes to nothing over a span.
fn undone(r: &Results<'_>, followed: &Followed, span: &Span) -> Bitmap {
    let Some(net) = followed.net else { return Bitmap::default() };
    let rows = r.grids[net].rows(&Vec::new(), span.start, span.end);
    none_left(r.frame.snapshot.tables[followed.table].len, rows.into_iter().map(|(_, who, step)| (who, step)))
}

/// Records whose steps add up to nothing or less.
pub(crate) fn none_left(records: u32, steps: impl Iterator<Item = (u32, i64)>) -> Bitmap {
    let mut sums: BTreeMap<u32, i128> = BTreeMap::new();
    steps.filter(|(who, _)| *who != NONE).for_each(|(who, step)| *sums.entry(who).or_default() += i128::from(step));
    let mut out = Bitmap::new(records as usize);
    sums.iter().filter(|(_, sum)| **sum <= 0).for_each(|(who, _)| out.set(*who));
    out
}

/// Everybody, against who did each of what could be done.
fn by_deed(c: &Compiled, r: &Results<'_>, followed: &Followed) -> Result<Series> {
    let keep = crate::breakdown::kept(r.frame, followed.table)?;
    let within = |set: Bitmap| keep.as_ref().map_or(set.clone(), |keep| set.both(keep));
    let mut series = Series::new();
    for (i, span) in c.spans.iter().enumerate() {
        let mut all = r.grids[followed.handle].state(span.start);
        if let Some(joined) = followed.joined {
            all.join(&r.grids[joined].members(&Vec::new(), span.start, span.end));
        }
        let all = within(all);
        let mut groups: BTreeMap<Group, Bitmap> = BTreeMap::new();
        for did in &followed.did {
            for key in r.grids[*did].groups() {
                groups.entry(r.group(*did, &key)).or_default().join(&r.grids[*did].members(&key, span.start, span.end));
            }
        }
        let undone = undone(r, followed, span);
        for (group, who) in groups {
            if !r.goes_on() {
                break;
            }
            let who = who.without(&undone);
            let blank = || empty(c, r);
            series.entry(group).or_insert_with(blank)[i] = cell(all.both(&who).count(), all.count());
        }
    }
    Ok(series)
}

/// The cells of a group before anybody of it is found.
fn empty(c: &Compiled, r: &Results<'_>) -> Vec<Cell> {
    r.room(1, c);
    c.spans.iter().map(|_| cell(0, 0)).collect()
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
