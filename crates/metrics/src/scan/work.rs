//! A request bound to its table, and what a reading of several chunks gathers for it.

use super::Pass;
use super::grid::Bitmap;
use crate::Result;
use crate::plan::{Request, What};
use northing_facts::eval::{Node, Path};
use northing_facts::{NONE, NULL};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

pub(crate) struct Work {
    /// The condition, with its text to tell equal ones.
    pub filter: Option<(String, Node)>,
    pub take: Take,
    /// The segments that lie between the request's own bounds.
    pub segments: Range<usize>,
}

pub(crate) enum Take {
    Count,
    Sum(Node),
    Values(Node),
    /// The members, and how many there can be.
    Distinct(Path, usize),
    Rows(Node, Option<Path>),
}

impl Work {
    /// `first` and `last` are the request's own bounds.
    pub fn bind(pass: &Pass<'_>, request: &Request, first: i64, last: i64) -> Result<Self> {
        let filter = request.filter.as_ref().map(|f| Ok::<_, crate::MetricError>((format!("{f:?}"), pass.bind(f)?))).transpose()?;
        let resolve = |path: &[String]| pass.frame.path(pass.table, path);
        let take = match &request.what {
            What::Sum(e) => Take::Sum(pass.bind(e)?),
            What::Values(e) => Take::Values(pass.bind(e)?),
            What::Distinct(path) => {
                let path = resolve(path)?;
                let size = path.cardinality(pass.frame.snapshot);
                Take::Distinct(path, size)
            }
            What::Rows(e, path) => Take::Rows(pass.bind(e)?, path.as_ref().map(|p| resolve(p)).transpose()?),
            What::Count | What::States { .. } => Take::Count,
        };
        Ok(Self { filter, take, segments: pass.segment(first)..pass.segment(last) })
    }
    pub fn additive(&self) -> bool {
        matches!(self.take, Take::Count | Take::Sum(_))
    }
}

/// Values and members by group and segment.
pub(crate) enum Found {
    Values(Places<Pieces>),
    Members(Places<Bitmap>),
    Rows(Places<Vec<(i64, u32, i64)>>),
}

impl Found {
    pub fn new(work: &Work) -> Self {
        match work.take {
            Take::Distinct(..) => Found::Members(Places::default()),
            Take::Rows(..) => Found::Rows(Places::default()),
            _ => Found::Values(Places::default()),
        }
    }
}

/// Something for each (group, segment) that has any.
pub(crate) struct Places<T> {
    index: HashMap<(u64, usize), usize>,
    pub list: Vec<((u64, usize), T)>,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { index: HashMap::new(), list: Vec::new() }
    }
}

impl<T: Default> Places<T> {
    fn at(&mut self, place: (u64, usize)) -> usize {
        let next = self.list.len();
        let at = *self.index.entry(place).or_insert(next);
        if at == next {
            self.list.push((place, T::default()));
        }
        at
    }
}

/// A growing list in pieces that are never copied while it grows.
#[derive(Default)]
pub(crate) struct Pieces {
    list: Vec<Vec<i64>>,
    len: usize,
}

/// A piece is as long as all before it, up to this.
const PIECE: usize = 1 << 13;

impl Pieces {
    fn add(&mut self, values: &[i64], mask: &[u8]) {
        for (v, m) in values.iter().zip(mask) {
            if *m != 0 && *v != NULL {
                match self.list.last_mut() {
                    Some(last) if last.len() < last.capacity() => last.push(*v),
                    _ => {
                        let mut piece = Vec::with_capacity(self.len.clamp(8, PIECE));
                        piece.push(*v);
                        self.list.push(piece);
                    }
                }
                self.len += 1;
            }
        }
    }
    pub fn join(&mut self, other: Self) {
        self.len += other.len;
        self.list.extend(other.list);
    }
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub fn pieces(&self) -> &[Vec<i64>] {
        &self.list
    }
}

/// Where the rows of a block belong, in cells of its chunk.
pub(crate) enum Place<'a> {
    /// Rows one after the other belong to one cell.
    Runs(&'a [(Range<usize>, u32)]),
    Each(&'a [u32]),
}

/// Rows of a block of a chunk, and how its cells are called.
pub(crate) struct Rows<'a> {
    pub chunk: usize,
    pub from: usize,
    pub to: usize,
    /// The few rows of the block that are meant, from `from` on; else all are. What follows is about them.
    pub picked: Option<&'a [u32]>,
    /// 1 for the rows that count.
    pub mask: &'a [u8],
    pub place: Place<'a>,
    pub times: &'a [i64],
    pub name: &'a dyn Fn(u32) -> (u64, usize),
}

impl<'a> Rows<'a> {
    pub fn numbers(&self, pass: &'a Pass<'_>, node: &Node) -> Cow<'a, [i64]> {
        let snapshot = pass.frame.snapshot;
        let all = || node.numbers(snapshot, pass.table, self.chunk, self.from, self.to);
        let Some(picked) = self.picked else { return all() };
        if let Node::Number(path) = node {
            if let Some(column) = path.column(snapshot, pass.table, self.chunk) {
                return Cow::Owned(picked.iter().map(|i| column.get(self.from + *i as usize)).collect());
            }
        }
        let all = all();
        Cow::Owned(picked.iter().map(|i| all[*i as usize]).collect())
    }
    pub fn codes(&self, pass: &'a Pass<'_>, path: &Path) -> Cow<'a, [u32]> {
        let snapshot = pass.frame.snapshot;
        let all = || path.codes(snapshot, pass.table, self.chunk, self.from, self.to);
        let Some(picked) = self.picked else { return all() };
        if let Some(column) = path.column(snapshot, pass.table, self.chunk) {
            return Cow::Owned(picked.iter().map(|i| u32::try_from(column.get(self.from + *i as usize)).unwrap_or(NONE)).collect());
        }
        let all = all();
        Cow::Owned(picked.iter().map(|i| all[*i as usize]).collect())
    }
    /// Calls `f` with the rows (from `from` on) and the cell of every run in these segments.
    fn runs(&self, segments: &Range<usize>, mut f: impl FnMut(Range<usize>, u32)) {
        let wanted = |cell: u32| segments.contains(&(self.name)(cell).1);
        match &self.place {
            Place::Runs(runs) => runs.iter().filter(|(_, cell)| wanted(*cell)).for_each(|(r, cell)| f(r.clone(), *cell)),
            Place::Each(cells) => (0..self.mask.len()).filter(|i| self.mask[*i] != 0 && wanted(cells[*i])).for_each(|i| f(i..i + 1, cells[i])),
        }
    }
}

/// Adds the rows of a block to what was found.
pub(crate) fn gather(pass: &Pass<'_>, work: &Work, rows: &Rows<'_>, known: &mut Vec<usize>, found: &mut Found) {
    let mask = rows.mask;
    // As many values as there are rows, and what sorting them takes.
    if !matches!(work.take, Take::Distinct(..)) && !pass.frame.budget.hold(mask.iter().map(|m| usize::from(*m)).sum::<usize>() * 24) {
        return;
    }
    match (&work.take, found) {
        (Take::Values(value), Found::Values(places)) => {
            let values = rows.numbers(pass, value);
            rows.runs(&work.segments, |range, cell| {
                let at = place(known, cell, || places.at((rows.name)(cell)));
                places.list[at].1.add(&values[range.clone()], &mask[range]);
            });
        }
        (Take::Distinct(path, size), Found::Members(places)) => {
            let codes = rows.codes(pass, path);
            rows.runs(&work.segments, |range, cell| {
                // A set is as wide as its table.
                let at = place(known, cell, || {
                    pass.frame.budget.hold(size.div_ceil(8) * 2);
                    places.at((rows.name)(cell))
                });
                if pass.frame.budget.spent().is_some() {
                    return;
                }
                places.list[at].1.set_all(*size, &codes[range.clone()], &mask[range]);
            });
        }
        (Take::Rows(value, key), Found::Rows(places)) => {
            let values = rows.numbers(pass, value);
            let keys = key.as_ref().map(|k| rows.codes(pass, k));
            rows.runs(&work.segments, |range, cell| {
                for i in range.filter(|i| mask[*i] != 0 && values[*i] != NULL) {
                    let at = place(known, cell, || places.at((rows.name)(cell)));
                    places.list[at].1.push((rows.times[i], keys.as_ref().map_or(NONE, |k| k[i]), values[i]));
                }
            });
        }
        _ => {}
    }
}

/// The place of a chunk's cell, looked up once a chunk.
fn place(known: &mut Vec<usize>, cell: u32, find: impl FnOnce() -> usize) -> usize {
    let cell = cell as usize;
    if known.len() <= cell {
        known.resize(cell + 1, usize::MAX);
    }
    if known[cell] == usize::MAX {
        known[cell] = find();
    }
    known[cell]
}
