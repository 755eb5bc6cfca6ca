//! Results of scans by group and time segment, and cutting them into any span between two bounds.

use super::Pass;
pub use crate::stats::Spread;
use super::chunk::Part;
use super::work::{Found, Pieces, Places};
use crate::stats::{Sorted, spread};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Codes of a group's dimension values, `NONE` for null.
pub type Key = Vec<u32>;

/// A set of row numbers.
#[derive(Debug, Clone, Default)]
pub struct Bitmap {
    words: Vec<u64>,
}

impl Bitmap {
    pub fn new(size: usize) -> Self {
        Self { words: vec![0; size.div_ceil(64)] }
    }
    /// Sets the codes whose mask is set, below `size`.
    pub fn set_all(&mut self, size: usize, codes: &[u32], mask: &[u8]) {
        if self.words.is_empty() {
            *self = Self::new(size.max(1));
        }
        let words = &mut self.words[..];
        for (code, m) in codes.iter().zip(mask) {
            // A null's code lies beyond every set.
            if let Some(word) = words.get_mut(*code as usize >> 6) {
                *word |= u64::from(*m) << (code & 63);
            }
        }
    }
    pub fn has(&self, at: u32) -> bool {
        self.words.get(at as usize >> 6).is_some_and(|w| w >> (at & 63) & 1 == 1)
    }
    pub fn set(&mut self, at: u32) {
        self.words[at as usize >> 6] |= 1 << (at & 63);
    }
    pub fn join(&mut self, other: &Bitmap) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }
    pub fn count(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }
    /// Members of this set that are not in the other.
    pub fn without(&self, other: &Bitmap) -> Bitmap {
        let words = self.words.iter().enumerate().map(|(i, w)| w & !other.words.get(i).copied().unwrap_or(0)).collect();
        Bitmap { words }
    }
    pub fn both(&self, other: &Bitmap) -> Bitmap {
        let words = self.words.iter().enumerate().map(|(i, w)| w & other.words.get(i).copied().unwrap_or(0)).collect();
        Bitmap { words }
    }
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                if left == 0 {
                    return None;
                }
                let bit = left.trailing_zeros();
                left &= left - 1;
                Some(i as u32 * 64 + bit)
            })
        })
    }
}

#[derive(Debug)]
enum Data {
    /// Running totals: entry k is everything before bound k.
    Additive(HashMap<Key, Vec<(i64, i128)>>),
    Values(HashMap<Key, HashMap<usize, Sorted>>),
    Distinct(HashMap<Key, HashMap<usize, Bitmap>>),
    Rows(HashMap<Key, HashMap<usize, Vec<(i64, u32, i64)>>>),
    States(Vec<Bitmap>),
}

/// What a scan found. Spans are given as instants that were asked for as bounds.
#[derive(Debug)]
pub struct Grid {
    bounds: Arc<Vec<i64>>,
    data: Data,
    /// What was worked out of values and sets before, by groups and span.
    spreads: Mutex<HashMap<(Vec<Key>, usize, usize), Spread>>,
    counts: Mutex<HashMap<(Key, usize, usize), u64>>,
    overlaps: Mutex<HashMap<(usize, usize), (u64, u64)>>,
}

impl Grid {
    fn new(pass: &Pass<'_>, data: Data) -> Self {
        Self { bounds: pass.bounds.clone(), data, spreads: Mutex::default(), counts: Mutex::default(), overlaps: Mutex::default() }
    }
    /// About what it holds in memory.
    pub fn bytes(&self) -> usize {
        let set = |b: &Bitmap| b.words.len() * 8;
        let held = match &self.data {
            Data::Additive(g) => g.values().map(|v| 64 + v.len() * size_of::<(i64, i128)>()).sum(),
            Data::Values(g) => g.values().flat_map(|c| c.values()).map(|v| v.bytes()).sum(),
            Data::Distinct(g) => g.values().flat_map(|c| c.values()).map(set).sum(),
            Data::Rows(g) => g.values().flat_map(|c| c.values()).map(|v| v.len() * 24).sum(),
            Data::States(s) => s.iter().map(set).sum::<usize>(),
        };
        // What is worked out of it later is of its groups and spans.
        size_of::<Self>() + held + self.bounds.len() * (self.groups().len() + 1) * 64
    }
    fn at(&self, instant: i64) -> usize {
        self.bounds.partition_point(|b| *b < instant)
    }
    pub fn groups(&self) -> Vec<Key> {
        match &self.data {
            Data::Additive(g) => g.keys().cloned().collect(),
            Data::Values(g) => g.keys().cloned().collect(),
            Data::Distinct(g) => g.keys().cloned().collect(),
            Data::Rows(g) => g.keys().cloned().collect(),
            Data::States(_) => Vec::new(),
        }
    }
    /// Count and sum over [start, end).
    pub fn sum(&self, group: &Key, start: i64, end: i64) -> (i64, i128) {
        let Data::Additive(groups) = &self.data else { return (0, 0) };
        let Some(totals) = groups.get(group).filter(|_| start < end) else { return (0, 0) };
        let (from, to) = (totals[self.at(start)], totals[self.at(end)]);
        (to.0 - from.0, to.1 - from.1)
    }
    /// Segments of [start, end): those after bound `start` up to bound `end`.
    fn segments(&self, start: i64, end: i64) -> std::ops::Range<usize> {
        if start >= end {
            return 0..0;
        }
        self.at(start) + 1..self.at(end) + 1
    }
    /// Median, 90th percentile and variance of the mean over the values of some groups.
    pub fn spread<'k>(&self, groups: impl Iterator<Item = &'k Key>, start: i64, end: i64) -> Spread {
        let place = (groups.cloned().collect::<Vec<Key>>(), self.at(start), self.at(end));
        if let Some(known) = self.spreads.lock().ok().and_then(|s| s.get(&place).copied()) {
            return known;
        }
        let Data::Values(values) = &self.data else { return Spread::default() };
        let cells = place.0.iter().filter_map(|k| values.get(k));
        let lists: Vec<&Sorted> = cells.flat_map(|c| self.segments(start, end).filter_map(|s| c.get(&s))).collect();
        let spread = spread(&lists);
        if let Ok(mut spreads) = self.spreads.lock() {
            spreads.insert(place, spread);
        }
        spread
    }
    /// How many distinct members a group has over a span.
    pub fn distinct(&self, group: &Key, start: i64, end: i64) -> u64 {
        // By places among the bounds: instants later than every row are one place.
        let place = (group.clone(), self.at(start), self.at(end));
        if let Some(known) = self.counts.lock().ok().and_then(|c| c.get(&place).copied()) {
            return known;
        }
        let Data::Distinct(groups) = &self.data else { return 0 };
        let sets: Vec<&Bitmap> = groups.get(group).into_iter().flat_map(|c| self.segments(start, end).filter_map(|s| c.get(&s))).collect();
        let count = match sets[..] {
            [one] => one.count(),
            _ => sets.iter().fold(Bitmap::default(), |mut all, b| { all.join(b); all }).count(),
        };
        if let Ok(mut counts) = self.counts.lock() {
            counts.insert(place, count);
        }
        count
    }
    /// The distinct members of a group over a span.
    pub fn members(&self, group: &Key, start: i64, end: i64) -> Bitmap {
        let mut all = Bitmap::default();
        if let Data::Distinct(groups) = &self.data {
            groups.get(group).into_iter().flat_map(|c| self.segments(start, end).filter_map(|s| c.get(&s))).for_each(|b| all.join(b));
        }
        all
    }
    pub fn rows(&self, group: &Key, start: i64, end: i64) -> Vec<(i64, u32, i64)> {
        let Data::Rows(groups) = &self.data else { return Vec::new() };
        let Some(cells) = groups.get(group) else { return Vec::new() };
        self.segments(start, end).filter_map(|s| cells.get(&s)).flatten().copied().collect()
    }
    /// How many were in the state just before `start`, and how many of them also just before `end`; only those in
    /// `keep` where it is given.
    pub fn overlap(&self, start: i64, end: i64, keep: Option<&Bitmap>) -> (u64, u64) {
        let Data::States(states) = &self.data else { return (0, 0) };
        let place = (self.at(start), self.at(end));
        let (Some(before), Some(after)) = (states.get(place.0), states.get(place.1)) else { return (0, 0) };
        if let (None, Some(known)) = (keep, self.overlaps.lock().ok().and_then(|o| o.get(&place).copied())) {
            return known;
        }
        let (mut held, mut kept) = (0, 0);
        for (i, (a, b)) in before.words.iter().zip(&after.words).enumerate() {
            let a = a & keep.map_or(u64::MAX, |k| k.words.get(i).copied().unwrap_or(0));
            held += u64::from(a.count_ones());
            kept += u64::from((a & b).count_ones());
        }
        if let (None, Ok(mut overlaps)) = (keep, self.overlaps.lock()) {
            overlaps.insert(place, (held, kept));
        }
        (held, kept)
    }
    /// Who was in the state just before an instant.
    pub fn state(&self, instant: i64) -> Bitmap {
        let Data::States(states) = &self.data else { return Bitmap::default() };
        states.get(self.at(instant)).cloned().unwrap_or_default()
    }
}

/// Bytes that adding up parts takes, and what comes of it.
pub(crate) fn size(pass: &Pass<'_>, parts: &[Arc<Part>], requests: usize) -> usize {
    let groups: HashSet<u64> = parts.iter().flat_map(|part| part.groups.keys().copied()).collect();
    groups.len() * (pass.bounds.len() + 1) * requests * 2 * size_of::<(i64, i128)>()
}

/// Adds up the parts of a table. Each request sees its own segments only, so that the groups it knows do not
/// depend on what else was asked.
pub(crate) fn merge(pass: &Pass<'_>, parts: &[Arc<Part>], own: &[Range<usize>]) -> Option<Vec<Grid>> {
    let segments = pass.bounds.len() + 1;
    let mut merged: HashMap<u64, Vec<(i64, i128)>> = HashMap::new();
    for part in parts {
        for (key, cells) in &part.groups {
            let into = merged.entry(*key).or_insert_with(|| vec![(0, 0); segments * own.len()]);
            for (at, (count, sum)) in cells.iter().enumerate() {
                let (request, segment) = (at / part.segments, at % part.segments);
                let slot = &mut into[request * segments + part.base + segment];
                slot.0 += count;
                slot.1 = slot.1.checked_add(*sum)?;
            }
        }
    }
    let mut grids = Vec::with_capacity(own.len());
    for (request, range) in own.iter().enumerate() {
        let mut groups = HashMap::with_capacity(merged.len());
        for (key, cells) in &merged {
            let mut running = Vec::with_capacity(segments);
            let (mut total, mut some) = ((0i64, 0i128), false);
            for (segment, (count, sum)) in cells[request * segments..(request + 1) * segments].iter().enumerate() {
                if range.contains(&segment) {
                    total = (total.0 + count, total.1.checked_add(*sum)?);
                    some |= (*count, *sum) != (0, 0);
                }
                running.push(total);
            }
            if some {
                groups.insert(pass.decode(*key), running);
            }
        }
        grids.push(Grid::new(pass, Data::Additive(groups)));
    }
    Some(grids)
}

fn regroup<T>(pass: &Pass<'_>, found: Vec<Places<T>>, mut join: impl FnMut(&mut T, T)) -> HashMap<Key, HashMap<usize, T>> {
    let mut groups: HashMap<Key, HashMap<usize, T>> = HashMap::new();
    for ((key, segment), value) in found.into_iter().flat_map(|p| p.list) {
        let cells = groups.entry(pass.decode(key)).or_default();
        match cells.get_mut(&segment) {
            Some(old) => join(old, value),
            None => drop(cells.insert(segment, value)),
        }
    }
    groups
}

/// Joins what the parts of a table gave for one request.
pub(crate) fn kept(pass: &Pass<'_>, found: Vec<Found>) -> Grid {
    let (mut values, mut members, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for part in found {
        match part {
            Found::Values(p) => values.push(p),
            Found::Members(p) => members.push(p),
            Found::Rows(p) => rows.push(p),
        }
    }
    let data = if !members.is_empty() {
        members.iter_mut().for_each(|p| p.list.retain(|(_, set)| set.words.iter().any(|w| *w != 0)));
        Data::Distinct(regroup(pass, members, |a, b| a.join(&b)))
    } else if !rows.is_empty() {
        Data::Rows(regroup(pass, rows, |a, b| a.extend(b)))
    } else {
        let lists = regroup(pass, values, |a: &mut Pieces, b| a.join(b)).into_iter().collect::<Vec<_>>();
        let sort = |(key, cells): (Key, HashMap<usize, Pieces>)| {
            let filled = cells.into_iter().filter(|(_, v)| !v.is_empty()).collect::<Vec<_>>();
            (key, filled.into_par_iter().map(|(segment, v)| (segment, Sorted::of(v.pieces()))).collect::<HashMap<_, _>>())
        };
        Data::Values(lists.into_par_iter().map(sort).filter(|(_, cells)| !cells.is_empty()).collect())
    };
    Grid::new(pass, data)
}

pub(crate) fn states(pass: &Pass<'_>, found: Vec<Vec<Bitmap>>, size: usize) -> Grid {
    let mut all: Vec<Bitmap> = (0..pass.bounds.len()).map(|_| Bitmap::new(size)).collect();
    for states in found {
        for (into, part) in all.iter_mut().zip(states) {
            into.join(&part);
        }
    }
    Grid::new(pass, Data::States(all))
}
