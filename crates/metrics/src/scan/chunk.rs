//! The inner loops: one chunk of one table, in blocks that stay in the cache.

use super::Pass;
use super::work::{Found, Place, Rows, Take, Work, gather};
use northing_facts::eval::TRUE;
use northing_facts::table::COUNTED;
use northing_facts::{NONE, NULL};
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Rows of a block: its columns fit into a core's own cache.
const BLOCK: usize = 1 << 12;

/// Counts and sums of one chunk: by group, then request, then segment from `base` on.
#[derive(Default)]
pub(crate) struct Part {
    pub base: usize,
    pub segments: usize,
    pub groups: HashMap<u64, Vec<(i64, i128)>>,
}

impl Part {
    pub fn small(&self) -> bool {
        self.groups.values().map(Vec::len).sum::<usize>() <= 1 << 14
    }

    /// About what it takes in memory.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.groups.values().map(|cells| 64 + cells.len() * size_of::<(i64, i128)>()).sum::<usize>()
    }
}

/// First and last instant of a chunk, where its time column is its own.
fn time_range(pass: &Pass<'_>, chunk: usize) -> Option<(i64, i64)> {
    let [(_, column)] = pass.time.steps[..] else { return None };
    pass.source().chunks[chunk].ranges.get(column).copied()
}

/// Does any row of the chunk lie between the first and the last bound?
pub(crate) fn touches(pass: &Pass<'_>, chunk: usize) -> bool {
    match (time_range(pass, chunk), pass.bounds.first(), pass.bounds.last()) {
        (Some((low, high)), Some(first), Some(last)) => low <= high && high >= *first && low < *last,
        _ => true,
    }
}

/// The key of a chunk's atom: what is asked, which chunk, and the bounds that cut it.
pub(crate) fn slot(pass: &Pass<'_>, chunk: usize, signature: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (signature, pass.table, chunk).hash(&mut hasher);
    match time_range(pass, chunk) {
        Some((low, high)) if low <= high => {
            let (first, last) = (pass.segment(low), pass.segment(high));
            pass.bounds[first..last].hash(&mut hasher);
            // The same cuts may lie at another place among all bounds.
            first.hash(&mut hasher);
        }
        Some(_) => {}
        None => pass.bounds.hash(&mut hasher),
    }
    hasher.finish()
}

/// The cells of a chunk: its groups so far, and its segments.
struct Layout {
    base: usize,
    segments: usize,
    groups: Vec<u64>,
    /// The dense number of each group that was met, by its key where there are few.
    direct: Vec<u32>,
    looked_up: HashMap<u64, u32>,
}

/// Groups that are numbered by an array.
const MOST_DIRECT: u64 = 1 << 14;

impl Layout {
    fn of(pass: &Pass<'_>, chunk: usize) -> Self {
        let (base, last) = match time_range(pass, chunk) {
            Some((low, high)) => (pass.segment(low), pass.segment(high)),
            None => (0, pass.bounds.len()),
        };
        let space = pass.sizes.iter().try_fold(1u64, |a, s| a.checked_mul(*s)).filter(|s| *s <= MOST_DIRECT);
        let (direct, looked_up) = (vec![NONE; space.unwrap_or(0) as usize], HashMap::new());
        let groups = if pass.dims.is_empty() { vec![0] } else { Vec::new() };
        Self { base, segments: last - base + 1, groups, direct, looked_up }
    }

    fn number(&mut self, key: u64) -> u32 {
        let next = self.groups.len() as u32;
        let slot = if self.direct.is_empty() { self.looked_up.entry(key).or_insert(NONE) } else { &mut self.direct[key as usize] };
        if *slot == NONE {
            *slot = next;
            self.groups.push(key);
        }
        *slot
    }

    fn place(&mut self, pass: &Pass<'_>, keys: Option<&[u64]>, mask: &[u8], times: &[i64]) -> (Vec<(Range<usize>, u32)>, Option<Vec<u32>>) {
        let n = mask.len();
        let mut runs = Vec::new();
        if self.segments == 1 && keys.is_none() {
            runs.push((0..n, 0));
            return (runs, None);
        }
        let mut each = vec![0u32; if keys.is_some() { n } else { 0 }];
        // Rows mostly follow each other in time, so the last segment is tried before it is looked up.
        let (mut segment, mut low, mut high, mut begun) = (self.base, i64::MAX, i64::MIN, 0);
        for i in 0..n {
            if mask[i] == 0 {
                continue;
            }
            let at = if self.segments == 1 { 0 } else { times[i] };
            if self.segments > 1 && (at < low || at >= high) {
                let next = pass.segment(at);
                if next != segment && each.is_empty() {
                    runs.push((begun..i, (segment - self.base) as u32));
                    begun = i;
                    if runs.len() > n / 16 + 4 {
                        each = vec![0u32; n];
                        for (range, cell) in runs.drain(..) {
                            each[range].fill(cell);
                        }
                    }
                }
                segment = next;
                low = if segment == 0 { i64::MIN } else { pass.bounds[segment - 1] };
                high = pass.bounds.get(segment).copied().unwrap_or(i64::MAX);
            }
            if !each.is_empty() {
                let group = keys.map_or(0, |k| self.number(k[i]));
                each[i] = group * self.segments as u32 + (segment - self.base) as u32;
            }
        }
        if each.is_empty() {
            runs.push((begun..n, (segment - self.base) as u32));
            return (runs, None);
        }
        (runs, Some(each))
    }
}

/// Rows from..to of a chunk that count and have an instant, and their instants; not those, where only one segment
/// is there for them to fall in and nobody asked.
pub(crate) fn selected<'a>(pass: &'a Pass<'_>, chunk: usize, from: usize, to: usize, timed: bool) -> (Vec<u8>, Cow<'a, [i64]>) {
    let flags = &pass.source().chunks[chunk].flags[from..to];
    let counts = |f: &u8| u8::from(f & COUNTED != 0);
    let (mut mask, times): (Vec<u8>, Cow<'a, [i64]>) = match pass.time.column(pass.frame.snapshot, pass.table, chunk).filter(|_| !timed) {
        Some(column) => (flags.iter().zip(column.nulls(from, to, 0, 1)).map(|(f, given)| counts(f) & given).collect(), Cow::Borrowed(&[])),
        None => {
            let times = pass.time.numbers(pass.frame.snapshot, pass.table, chunk, from, to);
            (flags.iter().zip(times.iter()).map(|(f, t)| counts(f) & u8::from(*t != NULL)).collect(), times)
        }
    };
    if let Some(base) = &pass.base {
        mask.iter_mut().zip(base.truth(pass.frame.snapshot, pass.table, chunk, from, to)).for_each(|(m, t)| *m &= t & TRUE);
    }
    (mask, times)
}

/// Counts and sums of a chunk for the requests `sums`; what the requests `keeps` gather goes to `found`.
pub(crate) fn scan(pass: &Pass<'_>, chunk: usize, work: &[Work], sums: &[usize], keeps: &[usize], found: &mut [Found]) -> Part {
    if timeless(pass, chunk) {
        return Part::default();
    }
    let n = pass.source().chunks[chunk].flags.len();
    let mut layout = Layout::of(pass, chunk);
    let timed = layout.segments > 1 || keeps.iter().any(|w| matches!(work[*w].take, Take::Rows(..)));
    // By cell, then request: groups are met on the way.
    let mut results: Vec<(i64, i128)> = Vec::new();
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); keeps.len()];
    for from in (0..n).step_by(BLOCK) {
        let to = (from + BLOCK).min(n);
        let (mask, times) = selected(pass, chunk, from, to, timed);
        if mask.iter().all(|m| *m == 0) {
            continue;
        }
        let mut keys = pass.keys(chunk, from, to);
        let (mut mask, mut times) = (mask, times);
        // Where a filter leaves few rows, only they are looked at from here on.
        let few = mask.iter().filter(|m| **m != 0).count() * 4 < to - from;
        let picked: Vec<u32> = if few { (0..mask.len() as u32).filter(|i| mask[*i as usize] != 0).collect() } else { Vec::new() };
        let full = if few { mask.clone() } else { Vec::new() };
        if few {
            mask = vec![1; picked.len()];
            if !times.is_empty() {
                times = Cow::Owned(picked.iter().map(|i| times[*i as usize]).collect());
            }
            keys = keys.map(|keys| picked.iter().map(|i| keys[*i as usize]).collect());
        }
        let (runs, each) = layout.place(pass, keys.as_deref(), &mask, &times);
        let cells = layout.groups.len() * layout.segments * sums.len();
        // Twice: as they are found, and by group.
        if !pass.frame.budget.hold((cells - results.len()) * 2 * size_of::<(i64, i128)>()) {
            return Part::default();
        }
        results.resize(cells, (0, 0));
        let name = |cell: u32| (layout.groups[cell as usize / layout.segments], layout.base + cell as usize % layout.segments);
        let mut masks: HashMap<&str, Vec<u8>> = HashMap::new();
        for item in sums.iter().chain(keeps).map(|w| &work[*w]) {
            if let Some((text, node)) = &item.filter {
                masks.entry(text).or_insert_with(|| {
                    let mut truth = node.truth(pass.frame.snapshot, pass.table, chunk, from, to);
                    truth.iter_mut().zip(if few { &full } else { &mask }).for_each(|(t, m)| *t &= m & TRUE);
                    if few { picked.iter().map(|i| truth[*i as usize]).collect() } else { truth }
                });
            }
        }
        let rows = |item: &Work| Rows {
            chunk,
            from,
            to,
            picked: few.then_some(&picked[..]),
            mask: item.filter.as_ref().and_then(|(text, _)| masks.get(text.as_str())).map_or(&mask[..], Vec::as_slice),
            place: each.as_ref().map_or(Place::Runs(&runs), |each| Place::Each(each)),
            times: &times,
            name: &name,
        };
        for (s, w) in sums.iter().enumerate() {
            add(pass, &work[*w], &rows(&work[*w]), |cell| cell as usize * sums.len() + s, &mut results);
        }
        for (k, w) in keeps.iter().enumerate() {
            gather(pass, &work[*w], &rows(&work[*w]), &mut places[k], &mut found[k]);
        }
    }
    results.resize(layout.groups.len() * layout.segments * sums.len(), (0, 0));
    let (segments, width) = (layout.segments, layout.segments * sums.len());
    let own = |g: usize| (0..width).map(|at| results[g * width + at % segments * sums.len() + at / segments]).collect();
    let groups = layout.groups.iter().enumerate().map(|(g, key)| (*key, own(g))).collect();
    Part { base: layout.base, segments, groups }
}

/// Has no row of the chunk an instant?
pub(crate) fn timeless(pass: &Pass<'_>, chunk: usize) -> bool {
    time_range(pass, chunk).is_some_and(|(low, high)| low > high)
}

/// Adds a block's rows to the counts and sums of their cells.
fn add(pass: &Pass<'_>, work: &Work, rows: &Rows<'_>, slot: impl Fn(u32) -> usize, out: &mut [(i64, i128)]) {
    let mask = rows.mask;
    let Take::Sum(value) = &work.take else {
        match &rows.place {
            Place::Runs(runs) => runs.iter().for_each(|(r, cell)| out[slot(*cell)].0 += count(&mask[r.clone()])),
            Place::Each(cells) => mask.iter().zip(*cells).for_each(|(m, cell)| out[slot(*cell)].0 += i64::from(*m)),
        }
        return;
    };
    let values = rows.numbers(pass, value);
    match &rows.place {
        Place::Runs(runs) => {
            for (range, cell) in *runs {
                let (n, sum) = total(&values[range.clone()], &mask[range.clone()]);
                out[slot(*cell)].0 += n;
                out[slot(*cell)].1 += sum;
            }
        }
        Place::Each(cells) => {
            for ((v, m), cell) in values.iter().zip(mask).zip(*cells) {
                if *m != 0 && *v != NULL {
                    let into = &mut out[slot(*cell)];
                    into.0 += 1;
                    into.1 += i128::from(*v);
                }
            }
        }
    }
}

fn count(mask: &[u8]) -> i64 {
    // Blocks of 255 cannot leave a byte, which is the widest addition there is.
    mask.chunks(255).map(|c| i64::from(c.iter().fold(0u8, |a, m| a.wrapping_add(*m)))).sum()
}

fn total(values: &[i64], mask: &[u8]) -> (i64, i128) {
    let (mut n, mut sum, mut largest) = (0i64, 0i64, 0u64);
    for (v, m) in values.iter().zip(mask) {
        let take = i64::from(*m & u8::from(*v != NULL));
        n = n.wrapping_add(take);
        let v = *v & take.wrapping_neg();
        sum = sum.wrapping_add(v);
        largest |= v.unsigned_abs();
    }
    // So many rows of so small values cannot leave 64 bits; else they are added again in 128.
    if largest <= (i64::MAX as u64) / (BLOCK as u64 * 2) {
        return (n, i128::from(sum));
    }
    (n, values.iter().zip(mask).filter(|(v, m)| **m != 0 && **v != NULL).map(|(v, _)| i128::from(*v)).sum())
}
