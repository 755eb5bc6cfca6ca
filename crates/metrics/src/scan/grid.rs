//! Results of scans by group and time segment, and cutting them into any span between two bounds.

use super::Pass;
use super::chunk::Part;
use crate::stats::{mean_variance, quantile};
use std::collections::HashMap;
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
    /// Sets a member of a set that is made when it gets its first.
    pub fn set_within(&mut self, at: u32, size: usize) {
        if self.words.is_empty() {
            *self = Self::new(size);
        }
        self.set(at);
    }
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
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
    Values(HashMap<Key, HashMap<usize, Vec<i64>>>),
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
}

/// Order statistics of some values, in the values' own unit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread {
    pub median: Option<f64>,
    pub p90: Option<f64>,
    pub mean_variance: Option<f64>,
}

impl Grid {
    fn new(pass: &Pass<'_>, data: Data) -> Self {
        Self { bounds: pass.bounds.clone(), data, spreads: Mutex::default(), counts: Mutex::default() }
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
    /// Count and sum over [start, end); `None` as start: from the beginning of time.
    pub fn sum(&self, group: &Key, start: Option<i64>, end: i64) -> (i64, i128) {
        let Data::Additive(groups) = &self.data else { return (0, 0) };
        let Some(totals) = groups.get(group) else { return (0, 0) };
        let to = totals[self.at(end)];
        let from = start.map_or((0, 0), |s| totals[self.at(s)]);
        if start.is_some_and(|s| s >= end) {
            return (0, 0);
        }
        (to.0 - from.0, to.1 - from.1)
    }
    /// Segments of [start, end): those after bound `start` up to bound `end`.
    fn segments(&self, start: i64, end: i64) -> std::ops::Range<usize> {
        if start >= end {
            return 0..0;
        }
        self.at(start) + 1..self.at(end) + 1
    }
    fn values(&self, group: &Key, start: i64, end: i64) -> Vec<i64> {
        let Data::Values(groups) = &self.data else { return Vec::new() };
        let Some(cells) = groups.get(group) else { return Vec::new() };
        self.segments(start, end).filter_map(|s| cells.get(&s)).flatten().copied().collect()
    }
    /// Median, 90th percentile and variance of the mean over the values of some groups.
    pub fn spread<'k>(&self, groups: impl Iterator<Item = &'k Key>, start: i64, end: i64) -> Spread {
        let place = (groups.cloned().collect::<Vec<Key>>(), self.at(start), self.at(end));
        if let Some(known) = self.spreads.lock().ok().and_then(|s| s.get(&place).copied()) {
            return known;
        }
        let mut list: Vec<i64> = place.0.iter().flat_map(|k| self.values(k, start, end)).collect();
        let spread = Spread { median: quantile(&mut list, 0.5), p90: quantile(&mut list, 0.9), mean_variance: mean_variance(&list) };
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
        let count = self.members(group, start, end).count();
        if let Ok(mut counts) = self.counts.lock() {
            counts.insert(place, count);
        }
        count
    }
    fn members(&self, group: &Key, start: i64, end: i64) -> Bitmap {
        let mut all = Bitmap::default();
        if let Data::Distinct(groups) = &self.data {
            if let Some(cells) = groups.get(group) {
                self.segments(start, end).filter_map(|s| cells.get(&s)).for_each(|b| all.join(b));
            }
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
        let (Some(before), Some(after)) = (states.get(self.at(start)), states.get(self.at(end))) else { return (0, 0) };
        let (mut held, mut kept) = (0, 0);
        for (i, (a, b)) in before.words.iter().zip(&after.words).enumerate() {
            let a = a & keep.map_or(u64::MAX, |k| k.words.get(i).copied().unwrap_or(0));
            held += u64::from(a.count_ones());
            kept += u64::from((a & b).count_ones());
        }
        (held, kept)
    }
    /// Who was in the state just before an instant.
    pub fn state(&self, instant: i64) -> Bitmap {
        let Data::States(states) = &self.data else { return Bitmap::default() };
        states.get(self.at(instant)).cloned().unwrap_or_default()
    }
}

pub(crate) fn merge(pass: &Pass<'_>, parts: &[Arc<Part>], requests: usize) -> Option<Vec<Grid>> {
    let segments = pass.bounds.len() + 1;
    let mut merged: HashMap<u64, Vec<(i64, i128)>> = HashMap::new();
    for part in parts {
        for (key, cells) in &part.groups {
            let into = merged.entry(*key).or_insert_with(|| vec![(0, 0); segments * requests]);
            for (at, (count, sum)) in cells.iter().enumerate() {
                let (request, segment) = (at / part.segments, at % part.segments);
                let slot = &mut into[request * segments + part.base + segment];
                slot.0 += count;
                slot.1 = slot.1.checked_add(*sum)?;
            }
        }
    }
    let mut grids = Vec::with_capacity(requests);
    for request in 0..requests {
        let mut groups = HashMap::with_capacity(merged.len());
        for (key, cells) in &merged {
            let mut running = Vec::with_capacity(segments);
            let mut total = (0i64, 0i128);
            for (count, sum) in &cells[request * segments..(request + 1) * segments] {
                total = (total.0 + count, total.1.checked_add(*sum)?);
                running.push(total);
            }
            if total != (0, 0) || running.iter().any(|r| *r != (0, 0)) {
                groups.insert(pass.decode(*key), running);
            }
        }
        grids.push(Grid::new(pass, Data::Additive(groups)));
    }
    Some(grids)
}

type Cells<T> = HashMap<(u64, usize), T>;

fn regroup<T>(pass: &Pass<'_>, found: Vec<Cells<T>>, mut join: impl FnMut(&mut T, T)) -> HashMap<Key, HashMap<usize, T>> {
    let mut groups: HashMap<Key, HashMap<usize, T>> = HashMap::new();
    for ((key, segment), value) in found.into_iter().flatten() {
        let cells = groups.entry(pass.decode(key)).or_default();
        match cells.get_mut(&segment) {
            Some(old) => join(old, value),
            None => drop(cells.insert(segment, value)),
        }
    }
    groups
}

pub(crate) fn values(pass: &Pass<'_>, found: Vec<Cells<Vec<i64>>>) -> Grid {
    let groups = regroup(pass, found, |a, b| a.extend(b));
    Grid::new(pass, Data::Values(groups))
}

pub(crate) fn distinct(pass: &Pass<'_>, found: Vec<Cells<Bitmap>>) -> Grid {
    let groups = regroup(pass, found, |a, b| a.join(&b));
    Grid::new(pass, Data::Distinct(groups))
}

pub(crate) fn rows(pass: &Pass<'_>, found: Cells<Vec<(i64, u32, i64)>>) -> Grid {
    let groups = regroup(pass, vec![found], |a, b| a.extend(b));
    Grid::new(pass, Data::Rows(groups))
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
