//! The inner loops: one chunk of one table, in blocks that stay in the cache.

use super::Pass;
use crate::Result;
use crate::plan::{Request, What};
use northing_facts::NULL;
use northing_facts::eval::{Node, TRUE};
use northing_facts::table::COUNTED;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A bound count or sum.
pub(crate) struct Additive {
    filter: Option<(String, Node)>,
    value: Option<Node>,
}

impl Additive {
    pub fn bind(pass: &Pass<'_>, request: &Request) -> Result<Self> {
        let filter = request.filter.as_ref().map(|f| Ok::<_, crate::MetricError>((format!("{f:?}"), pass.bind(f)?))).transpose()?;
        let value = if let What::Sum(e) = &request.what { Some(pass.bind(e)?) } else { None };
        Ok(Self { filter, value })
    }
}

/// Counts and sums of one chunk: by group, then request, then segment from `base` on.
pub(crate) struct Part {
    pub base: usize,
    pub segments: usize,
    pub groups: HashMap<u64, Vec<(i64, i128)>>,
}

impl Part {
    pub fn small(&self) -> bool {
        self.groups.values().map(Vec::len).sum::<usize>() <= 1 << 14
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

/// Rows of a chunk that count, with their group and segment.
pub(crate) struct Selected<'a> {
    pub n: usize,
    mask: Vec<u8>,
    keys: Option<Vec<u64>>,
    times: Cow<'a, [i64]>,
}

impl Selected<'_> {
    /// Calls `f` with row, group, segment and time of every selected row.
    pub fn each(&self, pass: &Pass<'_>, mut f: impl FnMut(usize, u64, usize, i64)) {
        // Rows mostly follow each other in time, so the last segment is tried before it is looked up.
        let (mut segment, mut low, mut high) = (0, i64::MAX, i64::MIN);
        let (mask, times) = (&self.mask[..self.n], &self.times[..self.n]);
        for i in 0..self.n {
            if mask[i] == 0 {
                continue;
            }
            let at = times[i];
            if at < low || at >= high {
                segment = pass.segment(at);
                low = if segment == 0 { i64::MIN } else { pass.bounds[segment - 1] };
                high = pass.bounds.get(segment).copied().unwrap_or(i64::MAX);
            }
            f(i, self.keys.as_ref().map_or(0, |k| k[i]), segment, at);
        }
    }
}

pub(crate) fn selected<'a>(pass: &'a Pass<'_>, chunk: usize, filter: Option<&Node>) -> Option<Selected<'a>> {
    let source = &pass.source().chunks[chunk];
    let n = source.flags.len();
    if time_range(pass, chunk).is_some_and(|(low, high)| low > high) {
        return None;
    }
    let times = pass.time.numbers(pass.frame.snapshot, pass.table, chunk, 0, n);
    let mut mask: Vec<u8> = source.flags.iter().zip(times.iter()).map(|(f, t)| u8::from(f & COUNTED != 0 && *t != NULL)).collect();
    if let Some(node) = filter {
        let truth = node.truth(pass.frame.snapshot, pass.table, chunk, 0, n);
        mask.iter_mut().zip(truth).for_each(|(m, t)| *m &= t & TRUE);
    }
    Some(Selected { n, mask, keys: pass.keys(chunk, n), times })
}

/// Counts and sums of a chunk for every request of a pass.
pub(crate) fn scan(pass: &Pass<'_>, chunk: usize, work: &[Additive]) -> Part {
    let empty = Part { base: 0, segments: 1, groups: HashMap::new() };
    let Some(base_rows) = selected(pass, chunk, None) else { return empty };
    let n = base_rows.n;
    let (base, last) = match time_range(pass, chunk) {
        Some((low, high)) => (pass.segment(low), pass.segment(high)),
        None => (0, pass.bounds.len()),
    };
    let segments = last - base + 1;
    // A cell per row: its group's dense number times the segments, plus its segment.
    let mut dense: Vec<u64> = vec![0];
    let cells: Option<Vec<u32>> = if segments == 1 && base_rows.keys.is_none() {
        None
    } else {
        let mut numbers: HashMap<u64, u32> = HashMap::from([(0, 0)]);
        let mut cells = vec![0u32; n];
        let mut before = (0u64, 0u32);
        base_rows.each(pass, |i, key, segment, _| {
            if key != before.0 {
                let next = dense.len() as u32;
                let number = *numbers.entry(key).or_insert(next);
                if number == next {
                    dense.push(key);
                }
                before = (key, number);
            }
            cells[i] = before.1 * segments as u32 + (segment - base) as u32;
        });
        Some(cells)
    };
    let width = dense.len() * segments;
    let mut results = vec![(0i64, 0i128); width * work.len()];
    let mut masks: HashMap<&str, Vec<u8>> = HashMap::new();
    for (w, item) in work.iter().enumerate() {
        let mask: &[u8] = match &item.filter {
            None => &base_rows.mask,
            Some((text, node)) => masks.entry(text.as_str()).or_insert_with(|| {
                let truth = node.truth(pass.frame.snapshot, pass.table, chunk, 0, n);
                base_rows.mask.iter().zip(truth).map(|(m, t)| m & t & TRUE).collect()
            }),
        };
        let out = &mut results[w * width..(w + 1) * width];
        match (&item.value, &cells) {
            (None, None) => out[0].0 += mask.iter().map(|m| i64::from(*m)).sum::<i64>(),
            (None, Some(cells)) => {
                for (m, cell) in mask.iter().zip(cells) {
                    out[*cell as usize].0 += i64::from(*m);
                }
            }
            (Some(value), cells) => {
                let values = value.numbers(pass.frame.snapshot, pass.table, chunk, 0, n);
                sum(&values, mask, cells.as_deref(), out);
            }
        }
    }
    let groups = dense
        .iter()
        .enumerate()
        .map(|(g, key)| {
            let own = (0..work.len()).flat_map(|w| results[w * width + g * segments..w * width + (g + 1) * segments].iter().copied()).collect();
            (*key, own)
        })
        .collect();
    Part { base, segments, groups }
}

fn sum(values: &[i64], mask: &[u8], cells: Option<&[u32]>, out: &mut [(i64, i128)]) {
    // Small enough that no sum of a chunk can leave i64: then plain 64-bit additions are exact.
    let large = values.iter().zip(mask).any(|(v, m)| *m != 0 && *v != NULL && v.unsigned_abs() > (i64::MAX as u64 >> 16));
    match cells {
        None if !large => {
            let (mut count, mut total) = (0i64, 0i64);
            for (v, m) in values.iter().zip(mask) {
                let take = i64::from(*m & u8::from(*v != NULL));
                count = count.wrapping_add(take);
                total = total.wrapping_add(*v & take.wrapping_neg());
            }
            out[0].0 += count;
            out[0].1 += i128::from(total);
        }
        None => {
            for (v, m) in values.iter().zip(mask).filter(|(v, m)| **m != 0 && **v != NULL) {
                out[0].0 += i64::from(*m);
                out[0].1 += i128::from(*v);
            }
        }
        Some(cells) => {
            for ((v, m), cell) in values.iter().zip(mask).zip(cells) {
                if *m != 0 && *v != NULL {
                    let slot = &mut out[*cell as usize];
                    slot.0 += 1;
                    slot.1 += i128::from(*v);
                }
            }
        }
    }
}
