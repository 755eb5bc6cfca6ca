//! Shared scans: each table is read once per time column for all that a question wants of it.
//!
//! A chunk's additive results are kept by chunk version ("atoms"): after a change only the chunks that
//! changed are read again. Bounds outside a chunk's own time range are not part of its key, so a moving
//! clock or another set of months finds the same atoms. Results that keep values or sets are kept whole.
//! Nothing here expires; versions decide.

mod chunk;
mod grid;
mod pass;
mod state;
mod work;

pub use grid::{Bitmap, Grid, Key, Spread};
pub(crate) use pass::Pass;

use crate::clv::Fit;
use crate::evaluate::Groups;
use crate::memory::{Memory, Shelf};
use crate::plan::{Frame, Plan, Request, What};
use crate::{MetricError, Result};
use chunk::Part;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use work::{Found, Work};

/// Partial results by chunk, and whole results that keep values, between questions. What it may hold is the memory's
/// to say.
pub struct Cache {
    parts: Arc<Shelf<u64, (u64, Arc<Part>)>>,
    grids: Arc<Shelf<u64, Arc<Grid>>>,
    /// By the version of the purchases, the day of the cut, and whether dropout may be early; none fits some.
    models: Arc<Shelf<ModelKey, Option<Arc<Fit>>>>,
    cells: Arc<Shelf<u64, Arc<Groups>>>,
    /// The first instant of a table at a version.
    firsts: Mutex<HashMap<usize, (u64, Option<i64>)>>,
}

pub(crate) type ModelKey = (u64, i32, bool);

/// What a cache of its own may hold.
const ALONE: usize = 1 << 30;

impl Default for Cache {
    fn default() -> Self {
        Self::new(&Memory::new(ALONE))
    }
}

impl Cache {
    pub fn new(memory: &Arc<Memory>) -> Self {
        Self { parts: Shelf::new(memory), grids: Shelf::new(memory), models: Shelf::new(memory), cells: Shelf::new(memory), firsts: Mutex::default() }
    }
    fn part(&self, key: u64, version: u64) -> Option<Arc<Part>> {
        self.parts.get(key).filter(|(v, _)| *v == version).map(|(_, p)| p)
    }
    fn put_part(&self, key: u64, version: u64, part: Arc<Part>) {
        let bytes = part.bytes();
        self.parts.put(key, (version, part), bytes);
    }
    pub(crate) fn model(&self, key: ModelKey) -> Option<Option<Arc<Fit>>> {
        self.models.get(key)
    }
    pub(crate) fn put_model(&self, key: ModelKey, fit: Option<Arc<Fit>>) {
        self.models.put(key, fit, size_of::<Fit>());
    }
    pub(crate) fn first(&self, (table, version): (usize, u64)) -> Option<Option<i64>> {
        self.firsts.lock().ok()?.get(&table).filter(|(v, _)| *v == version).map(|(_, first)| *first)
    }
    pub(crate) fn put_first(&self, (table, version): (usize, u64), first: Option<i64>) {
        if let Ok(mut firsts) = self.firsts.lock() {
            firsts.insert(table, (version, first));
        }
    }
    pub(crate) fn cells(&self, key: u64) -> Option<Arc<Groups>> {
        self.cells.get(key)
    }
    pub(crate) fn put_cells(&self, key: u64, groups: Arc<Groups>) {
        let bytes = groups.keys().map(|group| 400 + group.iter().map(|(name, _)| name.len() + 48).sum::<usize>()).sum();
        self.cells.put(key, groups, bytes);
    }
    fn grid(&self, key: u64) -> Option<Arc<Grid>> {
        self.grids.get(key)
    }
    fn put_grid(&self, key: u64, grid: &Arc<Grid>) {
        self.grids.put(key, grid.clone(), grid.bytes());
    }
}

/// Runs every request of a plan; results in the order of the requests.
pub fn run(plan: &Plan, frame: &Frame<'_>, cache: &Cache) -> Result<Vec<Arc<Grid>>> {
    let mut grids: Vec<Option<Arc<Grid>>> = (0..plan.requests.len()).map(|_| None).collect();
    let mut passes: Vec<(String, Vec<usize>)> = Vec::new();
    for (handle, request) in plan.requests.iter().enumerate() {
        let state = matches!(request.what, What::States { .. });
        let key = format!("{}|{:?}|{:?}|{:?}|{state}", request.table, request.time, request.dims, request.base);
        match passes.iter_mut().find(|(k, _)| *k == key) {
            Some((_, handles)) => handles.push(handle),
            None => passes.push((key, vec![handle])),
        }
    }
    for (_, handles) in passes {
        frame.budget.check()?;
        if let What::States { .. } = plan.requests[handles[0]].what {
            for handle in handles {
                grids[handle] = Some(kept(plan, handle, frame, cache, |bounds| {
                    state::scan(&Pass::new(frame, &plan.requests[handle], bounds)?, &plan.requests[handle])
                })?);
            }
            continue;
        }
        // What was found before is not looked for again.
        let mut open = Vec::new();
        for handle in handles {
            let request = &plan.requests[handle];
            let key = (!request.what.additive()).then(|| key_of(plan, handle, frame)).transpose()?;
            let key = key.map(|(key, _)| key);
            match key.and_then(|k| cache.grid(k)) {
                Some(grid) => grids[handle] = Some(grid),
                None => open.push((handle, key)),
            }
        }
        if !open.is_empty() {
            for ((handle, key), grid) in open.iter().zip(together(&open, plan, frame, cache)?) {
                let grid = Arc::new(grid);
                if let Some(key) = key {
                    cache.put_grid(*key, &grid);
                }
                grids[*handle] = Some(grid);
            }
        }
    }
    Ok(grids.into_iter().flatten().collect())
}

/// All requests of one pass in one reading of the table.
fn together(open: &[(usize, Option<u64>)], plan: &Plan, frame: &Frame<'_>, cache: &Cache) -> Result<Vec<Grid>> {
    let requests: Vec<&Request> = open.iter().map(|(h, _)| &plan.requests[*h]).collect();
    let bounds: BTreeSet<i64> = open.iter().flat_map(|(h, _)| plan.bounds[*h].iter().copied()).collect();
    let pass = Pass::new(frame, requests[0], bounds.into_iter().collect())?;
    let bind = |(handle, _): &(usize, _)| {
        let bounds = &plan.bounds[*handle];
        Work::bind(&pass, &plan.requests[*handle], bounds.first().copied().unwrap_or(i64::MIN), bounds.last().copied().unwrap_or(i64::MIN))
    };
    let work: Vec<Work> = open.iter().map(bind).collect::<Result<_>>()?;
    let sums: Vec<usize> = (0..work.len()).filter(|w| work[*w].additive()).collect();
    let keeps: Vec<usize> = (0..work.len()).filter(|w| !work[*w].additive()).collect();
    let signature = signature(&pass, &sums.iter().map(|w| (&*plan.keys[open[*w].0], requests[*w])).collect::<Vec<_>>());
    let chunks = pass.source().chunks.len();
    // Neighbours together: they share segments, and so few results are to be joined.
    let share = chunks.div_ceil(2 * rayon::current_num_threads()).max(1);
    let starts: Vec<usize> = (0..chunks).step_by(share).collect();
    let read = |start: usize| {
        let mut found: Vec<Found> = keeps.iter().map(|w| Found::new(&work[*w])).collect();
        let mut parts = Vec::with_capacity(share);
        for c in (start..(start + share).min(chunks)).filter(|c| chunk::touches(&pass, *c)) {
            if !frame.budget.goes_on() {
                break;
            }
            let version = pass.source().chunks[c].version;
            let slot = chunk::slot(&pass, c, signature);
            let known = if sums.is_empty() { Some(Arc::default()) } else { cache.part(slot, version) };
            let wanted: &[usize] = if known.is_some() { &[] } else { &sums };
            if wanted.is_empty() && keeps.is_empty() {
                parts.extend(known);
                continue;
            }
            let part = chunk::scan(&pass, c, &work, wanted, &keeps, &mut found);
            parts.push(known.unwrap_or_else(|| {
                let part = Arc::new(part);
                if part.small() && frame.budget.goes_on() {
                    cache.put_part(slot, version, part.clone());
                }
                part
            }));
        }
        (parts, found)
    };
    // Waking other threads costs more than looking up what is known.
    let unknown = |c: usize| cache.part(chunk::slot(&pass, c, signature), pass.source().chunks[c].version).is_none();
    let much = chunks > 1 && (!keeps.is_empty() || (0..chunks).filter(|c| chunk::touches(&pass, *c) && unknown(*c)).nth(1).is_some());
    let shares: Vec<(Vec<Arc<Part>>, Vec<Found>)> = if much { starts.into_par_iter().map(read).collect() } else { starts.into_iter().map(read).collect() };
    // Some chunks may not have been read.
    frame.budget.check()?;
    let overflow = || MetricError::Overflow { metric: pass.source().schema.name.clone() };
    let parts: Vec<Arc<Part>> = shares.iter().flat_map(|(p, _)| p.iter().cloned()).collect();
    if !frame.budget.hold(grid::size(&pass, &parts, sums.len())) {
        frame.budget.check()?;
    }
    let mut totals = grid::merge(&pass, &parts, &sums.iter().map(|w| work[*w].segments.clone()).collect::<Vec<_>>()).ok_or_else(overflow)?.into_iter();
    let mut by_work: Vec<Vec<Found>> = keeps.iter().map(|_| Vec::new()).collect();
    for (_, found) in shares {
        by_work.iter_mut().zip(found).for_each(|(list, f)| list.push(f));
    }
    let mut kept = by_work.into_iter();
    let found: Vec<Grid> = work.iter().filter_map(|w| if w.additive() { totals.next() } else { kept.next().map(|f| grid::kept(&pass, f)) }).collect();
    frame.budget.check()?;
    Ok(found)
}

/// What the additive results of a chunk depend on besides the chunk and the bounds.
fn signature(pass: &Pass<'_>, work: &[(&str, &Request)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let (keys, requests): (Vec<&str>, Vec<&Request>) = work.iter().copied().unzip();
    (pass.table, &keys, pass.referred(&requests), pass.frame.snapshot.settings.currency.as_str()).hash(&mut hasher);
    if keys.iter().any(|k| clocked(k)) {
        pass.frame.now.hash(&mut hasher);
    }
    hasher.finish()
}

/// Do a request's conditions speak of the present?
fn clocked(key: &str) -> bool {
    key.contains("Now")
}

/// The newest row of a table by a time column of its own, where it has one.
fn newest(pass: &Pass<'_>) -> Option<i64> {
    let [(_, column)] = pass.time.steps[..] else { return None };
    let ranges = pass.source().chunks.iter().filter_map(|c| c.ranges.get(column)).filter(|(low, high)| low <= high);
    Some(ranges.map(|(_, high)| *high).max().unwrap_or(i64::MIN))
}

/// The key of a result that is kept whole, and its bounds. Bounds later than every row are alike, so that a
/// moving clock does not make a new question.
fn key_of(plan: &Plan, handle: usize, frame: &Frame<'_>) -> Result<(u64, Vec<i64>)> {
    let (request, key) = (&plan.requests[handle], &plan.keys[handle]);
    let probe = Pass::new(frame, request, Vec::new())?;
    let state = matches!(request.what, What::States { .. });
    let last = newest(&probe).filter(|_| !state).map_or(i64::MAX, |t| t.saturating_add(1));
    let mut bounds: Vec<i64> = plan.bounds[handle].iter().map(|b| (*b).min(last)).collect();
    bounds.dedup();
    let mut hasher = DefaultHasher::new();
    let own = probe.source().version();
    (key, &bounds, own, probe.referred(&[request])).hash(&mut hasher);
    if clocked(key) {
        frame.now.hash(&mut hasher);
    }
    Ok((hasher.finish(), bounds))
}

fn kept(plan: &Plan, handle: usize, frame: &Frame<'_>, cache: &Cache, make: impl FnOnce(Vec<i64>) -> Result<Grid>) -> Result<Arc<Grid>> {
    let (key, bounds) = key_of(plan, handle, frame)?;
    if let Some(grid) = cache.grid(key) {
        return Ok(grid);
    }
    let grid = Arc::new(make(bounds)?);
    frame.budget.check()?;
    cache.put_grid(key, &grid);
    Ok(grid)
}
