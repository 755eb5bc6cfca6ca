//! Shared scans: each table is read once per time column for all that a question wants of it.
//!
//! A chunk's additive results are kept by chunk version ("atoms"): after a change only the chunks that
//! changed are read again. Bounds outside a chunk's own time range are not part of its key, so a moving
//! clock or another set of months finds the same atoms. Nothing here expires; versions decide.

mod chunk;
mod grid;

pub use grid::{Bitmap, Grid, Key, Spread};

use crate::plan::{Frame, Plan, Request, What};
use crate::{MetricError, Result};
use chunk::{Additive, Part};
use northing_facts::eval::{self, Node, Path};
use northing_facts::{NONE, NULL, Table};
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Partial results by chunk, kept between questions.
#[derive(Default)]
pub struct Cache {
    parts: Mutex<HashMap<u64, (u64, Arc<Part>)>>,
    /// Whole results of scans that keep values, by what was asked and the newest versions of the tables.
    grids: Mutex<HashMap<u64, Arc<Grid>>>,
}

/// Grids that are kept; they hold values and bit sets, so they are few.
const MOST_GRIDS: usize = 128;

/// Entries after which the cache starts over; each is a few hundred bytes.
const MOST_PARTS: usize = 400_000;

impl Cache {
    fn get(&self, key: u64, version: u64) -> Option<Arc<Part>> {
        let parts = self.parts.lock().ok()?;
        parts.get(&key).filter(|(v, _)| *v == version).map(|(_, p)| p.clone())
    }
    fn put(&self, key: u64, version: u64, part: Arc<Part>) {
        if let Ok(mut parts) = self.parts.lock() {
            if parts.len() >= MOST_PARTS {
                parts.clear();
            }
            parts.insert(key, (version, part));
        }
    }
}

/// Runs every request of a plan; results in the order of the requests.
pub fn run(plan: &Plan, frame: &Frame<'_>, cache: &Cache) -> Result<Vec<Arc<Grid>>> {
    let mut grids: Vec<Option<Arc<Grid>>> = (0..plan.requests.len()).map(|_| None).collect();
    let mut shared: Vec<(String, Vec<usize>)> = Vec::new();
    for (handle, request) in plan.requests.iter().enumerate() {
        if matches!(request.what, What::Count | What::Sum(_)) {
            let key = format!("{}|{:?}|{:?}", request.table, request.time, request.dims);
            match shared.iter_mut().find(|(k, _)| *k == key) {
                Some((_, handles)) => handles.push(handle),
                None => shared.push((key, vec![handle])),
            }
        } else {
            grids[handle] = Some(kept(request, &plan.bounds[handle].iter().copied().collect::<Vec<_>>(), frame, cache)?);
        }
    }
    for (key, handles) in shared {
        for (handle, grid) in additive(&key, &handles, plan, frame, cache)? {
            grids[handle] = Some(Arc::new(grid));
        }
    }
    Ok(grids.into_iter().flatten().collect())
}

/// Everything that the rows of one table need for one pass.
pub(crate) struct Pass<'a> {
    pub frame: &'a Frame<'a>,
    pub table: usize,
    pub time: Path,
    pub dims: Vec<Option<Path>>,
    /// Size of each dimension's address space, null included.
    pub sizes: Vec<u64>,
    pub bounds: Arc<Vec<i64>>,
    lookup: Vec<u16>,
}

/// Width of a slot of the time look-up, as a power of two of seconds.
const SLOT: u32 = 13;

impl<'a> Pass<'a> {
    fn new(frame: &'a Frame<'a>, request: &Request, bounds: Vec<i64>) -> Result<Self> {
        let time = frame.path(request.table, &request.time)?;
        let dims: Vec<Option<Path>> = request
            .dims
            .iter()
            .map(|d| d.as_ref().map(|d| frame.path(request.table, d)).transpose())
            .collect::<Result<_>>()?;
        let sizes = dims.iter().map(|d| d.as_ref().map_or(1, |p| p.cardinality(frame.snapshot) as u64 + 1)).collect();
        let mut lookup = Vec::new();
        if let (Some(first), Some(last)) = (bounds.first(), bounds.last()) {
            let slots = ((last - first) >> SLOT) as usize + 1;
            if slots < 1 << 20 {
                let mut segment = 0;
                for slot in 0..slots {
                    let at = first + ((slot as i64) << SLOT);
                    while segment < bounds.len() && bounds[segment] <= at {
                        segment += 1;
                    }
                    lookup.push(segment as u16);
                }
            }
        }
        Ok(Self { frame, table: request.table, time, dims, sizes, bounds: Arc::new(bounds), lookup })
    }

    pub fn source(&self) -> &Table {
        &self.frame.snapshot.tables[self.table]
    }

    /// How many bounds lie at or before an instant: the segment it falls in.
    pub fn segment(&self, at: i64) -> usize {
        let b = &self.bounds;
        let Some(first) = b.first() else { return 0 };
        if at < *first {
            return 0;
        }
        if at >= b[b.len() - 1] {
            return b.len();
        }
        if self.lookup.is_empty() {
            return b.partition_point(|x| *x <= at);
        }
        let mut segment = self.lookup[((at - first) >> SLOT) as usize] as usize;
        while segment < b.len() && b[segment] <= at {
            segment += 1;
        }
        segment
    }

    pub fn bind(&self, expr: &northing_model::Expr) -> Result<Node> {
        eval::bind(self.frame.snapshot, self.table, expr, self.frame.now).map_err(MetricError::Question)
    }

    /// One number for the group of each row.
    pub fn keys(&self, chunk: usize, n: usize) -> Option<Vec<u64>> {
        if self.dims.is_empty() {
            return None;
        }
        let mut keys = vec![0u64; n];
        for (dim, size) in self.dims.iter().zip(&self.sizes) {
            match dim {
                None => keys.iter_mut().for_each(|k| *k *= size),
                Some(path) => {
                    let codes = path.codes(self.frame.snapshot, self.table, chunk, 0, n);
                    for (key, code) in keys.iter_mut().zip(codes.iter()) {
                        *key = *key * size + if *code == NONE { 0 } else { u64::from(*code) + 1 };
                    }
                }
            }
        }
        Some(keys)
    }

    pub fn decode(&self, mut key: u64) -> Key {
        let mut codes = vec![NONE; self.sizes.len()];
        for (i, size) in self.sizes.iter().enumerate().rev() {
            codes[i] = match key % size {
                0 => NONE,
                code => (code - 1) as u32,
            };
            key /= size;
        }
        codes
    }

    /// Versions of the tables that references lead into: part of what an atom depends on.
    fn referred(&self, requests: &[&Request]) -> u64 {
        let mut hasher = DefaultHasher::new();
        let mut tables: Vec<usize> = Vec::new();
        add_steps(&mut tables, &self.time);
        self.dims.iter().flatten().for_each(|p| add_steps(&mut tables, p));
        for request in requests {
            let value = match &request.what {
                What::Sum(e) | What::Values(e) | What::Rows(e, _) => Some(e),
                _ => None,
            };
            if let What::Distinct(path) | What::Rows(_, Some(path)) | What::States { key: path, .. } = &request.what {
                if let Ok(path) = Path::resolve(self.frame.snapshot, self.table, path) {
                    add_steps(&mut tables, &path);
                    // Bit sets are as wide as the table of their members.
                    tables.extend(path.target);
                }
            }
            for expr in request.filter.iter().chain(value) {
                for path in expr.paths() {
                    if let Ok(path) = Path::resolve(self.frame.snapshot, self.table, path) {
                        add_steps(&mut tables, &path);
                    }
                }
            }
        }
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            let newest = self.frame.snapshot.tables[table].chunks.iter().map(|c| c.version).max();
            (table, newest).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The tables that a path's references lead into.
fn add_steps(tables: &mut Vec<usize>, path: &Path) {
    tables.extend(path.steps.iter().skip(1).map(|s| s.0));
}

/// Something per group and segment: in an array where groups are few, else by look-up.
struct Cells<T> {
    segments: usize,
    direct: Vec<T>,
    looked_up: HashMap<(u64, usize), T>,
}

/// Cells that an array may have.
const MOST_DIRECT: u64 = 1 << 16;

impl<T: Default> Cells<T> {
    fn new(pass: &Pass<'_>) -> Self {
        let segments = pass.bounds.len() + 1;
        let cells = pass.sizes.iter().try_fold(segments as u64, |a, s| a.checked_mul(*s)).filter(|n| *n <= MOST_DIRECT);
        let direct = (0..cells.unwrap_or(0)).map(|_| T::default()).collect();
        Self { segments, direct, looked_up: HashMap::new() }
    }
    fn at(&mut self, key: u64, segment: usize) -> &mut T {
        if self.direct.is_empty() {
            return self.looked_up.entry((key, segment)).or_default();
        }
        &mut self.direct[key as usize * self.segments + segment]
    }
    fn filled(self, keep: impl Fn(&T) -> bool) -> HashMap<(u64, usize), T> {
        let segments = self.segments;
        let direct = self.direct.into_iter().enumerate().map(|(i, t)| (((i / segments) as u64, i % segments), t));
        direct.chain(self.looked_up).filter(|(_, t)| keep(t)).collect()
    }
}

fn additive(key: &str, handles: &[usize], plan: &Plan, frame: &Frame<'_>, cache: &Cache) -> Result<Vec<(usize, Grid)>> {
    let requests: Vec<&Request> = handles.iter().map(|h| &plan.requests[*h]).collect();
    let mut bounds: Vec<i64> = handles.iter().flat_map(|h| plan.bounds[*h].iter().copied()).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let pass = Pass::new(frame, requests[0], bounds)?;
    let work: Vec<Additive> = requests.iter().map(|r| Additive::bind(&pass, r)).collect::<Result<_>>()?;
    let clocked = requests.iter().any(|r| r.filter.as_ref().is_some_and(|f| format!("{f:?}").contains("Now")));
    let mut hasher = DefaultHasher::new();
    (key, format!("{requests:?}"), pass.referred(&requests), frame.snapshot.settings.currency.as_str()).hash(&mut hasher);
    if clocked {
        frame.now.hash(&mut hasher);
    }
    let signature = hasher.finish();
    let parts: Vec<Arc<Part>> = (0..pass.source().chunks.len())
        .into_par_iter()
        .map(|c| {
            let version = pass.source().chunks[c].version;
            let slot = chunk::slot(&pass, c, signature);
            if let Some(part) = cache.get(slot, version) {
                return part;
            }
            let part = Arc::new(chunk::scan(&pass, c, &work));
            if part.small() {
                cache.put(slot, version, part.clone());
            }
            part
        })
        .collect();
    let metric = || MetricError::Overflow { metric: pass.source().schema.name.clone() };
    let merged = grid::merge(&pass, &parts, requests.len()).ok_or_else(metric)?;
    Ok(handles.iter().copied().zip(merged).collect())
}

/// The newest row of a table by a time column of its own, where it has one.
fn newest(pass: &Pass<'_>) -> Option<i64> {
    let [(_, column)] = pass.time.steps[..] else { return None };
    let ranges = pass.source().chunks.iter().filter_map(|c| c.ranges.get(column)).filter(|(low, high)| low <= high);
    Some(ranges.map(|(_, high)| *high).max().unwrap_or(i64::MIN))
}

/// A scan of values, or its result from before if nothing that it read has changed. Bounds later than every row
/// are alike, so that a moving clock does not make a new question.
fn kept(request: &Request, bounds: &[i64], frame: &Frame<'_>, cache: &Cache) -> Result<Arc<Grid>> {
    let probe = Pass::new(frame, request, Vec::new())?;
    let state = matches!(request.what, What::States { .. });
    let last = newest(&probe).filter(|_| !state).map_or(i64::MAX, |t| t.saturating_add(1));
    let mut bounds: Vec<i64> = bounds.iter().map(|b| (*b).min(last)).collect();
    bounds.dedup();
    let mut hasher = DefaultHasher::new();
    let own = probe.source().chunks.iter().map(|c| c.version).max();
    (format!("{request:?}"), &bounds, own, probe.referred(&[request])).hash(&mut hasher);
    if format!("{:?}", request.filter).contains("Now") {
        frame.now.hash(&mut hasher);
    }
    let key = hasher.finish();
    if let Some(grid) = cache.grids.lock().ok().and_then(|g| g.get(&key).cloned()) {
        return Ok(grid);
    }
    let grid = Arc::new(alone(request, &bounds, frame)?);
    if let Ok(mut grids) = cache.grids.lock() {
        if grids.len() >= MOST_GRIDS {
            grids.clear();
        }
        grids.insert(key, grid.clone());
    }
    Ok(grid)
}

/// Requests that keep values rather than sums are scanned by themselves.
fn alone(request: &Request, bounds: &[i64], frame: &Frame<'_>) -> Result<Grid> {
    let pass = Pass::new(frame, request, bounds.to_vec())?;
    let filter = request.filter.as_ref().map(|f| pass.bind(f)).transpose()?;
    let snapshot = frame.snapshot;
    let chunks = pass.source().chunks.len();
    let resolve = |path: &[String]| frame.path(request.table, path);
    // Values before the first bound or after the last belong to no span; states begin before they are asked for.
    let everything = matches!(request.what, What::States { .. });
    let rows = |c: usize| if everything || chunk::touches(&pass, c) { chunk::selected(&pass, c, filter.as_ref()) } else { None };
    let shares: Vec<Vec<usize>> = (0..chunks).collect::<Vec<_>>().chunks(chunks.div_ceil(rayon::current_num_threads()).max(1)).map(<[usize]>::to_vec).collect();
    match &request.what {
        What::Values(expr) => {
            let value = pass.bind(expr)?;
            let found = shares.par_iter().map(|share| {
                let mut cells: Cells<Vec<i64>> = Cells::new(&pass);
                for c in share {
                    let Some(selected) = rows(*c) else { continue };
                    let values = value.numbers(snapshot, pass.table, *c, 0, selected.n);
                    selected.each(&pass, |i, key, segment, _| {
                        if values[i] != NULL {
                            cells.at(key, segment).push(values[i]);
                        }
                    });
                }
                cells.filled(|v| !v.is_empty())
            });
            Ok(grid::values(&pass, found.collect()))
        }
        What::Distinct(path) => {
            let path = resolve(path)?;
            let size = path.cardinality(snapshot);
            let found = shares.par_iter().map(|share| {
                let mut cells: Cells<Bitmap> = Cells::new(&pass);
                for c in share {
                    let Some(selected) = rows(*c) else { continue };
                    let codes = path.codes(snapshot, pass.table, *c, 0, selected.n);
                    selected.each(&pass, |i, key, segment, _| {
                        if codes[i] != NONE {
                            cells.at(key, segment).set_within(codes[i], size);
                        }
                    });
                }
                cells.filled(|b| !b.is_empty())
            });
            Ok(grid::distinct(&pass, found.collect()))
        }
        What::Rows(expr, key_path) => {
            let value = pass.bind(expr)?;
            let key_path = key_path.as_ref().map(|p| resolve(p)).transpose()?;
            let mut cells: Cells<Vec<(i64, u32, i64)>> = Cells::new(&pass);
            for c in 0..chunks {
                let Some(selected) = rows(c) else { continue };
                let values = value.numbers(snapshot, pass.table, c, 0, selected.n);
                let keys = key_path.as_ref().map(|p| p.codes(snapshot, pass.table, c, 0, selected.n));
                selected.each(&pass, |i, key, segment, time| {
                    if values[i] != NULL {
                        let who = keys.as_ref().map_or(NONE, |k| k[i]);
                        cells.at(key, segment).push((time, who, values[i]));
                    }
                });
            }
            Ok(grid::rows(&pass, cells.filled(|v| !v.is_empty())))
        }
        What::States { until, key } => {
            let (until, key) = (resolve(until)?, resolve(key)?);
            let size = key.cardinality(snapshot);
            let points = pass.bounds.len();
            let all: Vec<Vec<Bitmap>> = shares
                .par_iter()
                .map(|share| {
                    let mut states: Vec<Bitmap> = (0..points).map(|_| Bitmap::new(size)).collect();
                    for c in share {
                        let Some(selected) = rows(*c) else { continue };
                        let ends = until.numbers(snapshot, pass.table, *c, 0, selected.n);
                        let who = key.codes(snapshot, pass.table, *c, 0, selected.n);
                        selected.each(&pass, |i, _, segment, _| {
                            // The state holds at p when since < p <= until.
                            let mut point = segment;
                            while point < points && (ends[i] == NULL || pass.bounds[point] <= ends[i]) {
                                if who[i] != NONE {
                                    states[point].set(who[i]);
                                }
                                point += 1;
                            }
                        });
                    }
                    states
                })
                .collect();
            Ok(grid::states(&pass, all, size))
        }
        What::Count | What::Sum(_) => Err(MetricError::Question("an additive request was scanned alone".into())),
    }
}
