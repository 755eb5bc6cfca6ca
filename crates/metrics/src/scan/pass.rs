//! What all requests over one table, one time column and one set of dimensions share.

use super::Key;
use crate::plan::{Frame, Request, What};
use crate::{MetricError, Result};
use northing_facts::eval::{self, Node, Path};
use northing_facts::{NONE, Table};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Everything that the rows of one table need for one pass.
pub(crate) struct Pass<'a> {
    pub frame: &'a Frame<'a>,
    pub table: usize,
    pub time: Path,
    /// What every row has to meet, whatever is asked of it.
    pub base: Option<Node>,
    pub dims: Vec<Option<Path>>,
    /// Size of each dimension's address space, null included.
    pub sizes: Vec<u64>,
    pub bounds: Arc<Vec<i64>>,
    /// How many bounds stand for the beginning of time.
    dated: usize,
    lookup: Vec<u16>,
}

/// Width of a slot of the time look-up, as a power of two of seconds.
const SLOT: u32 = 16;

impl<'a> Pass<'a> {
    pub fn new(frame: &'a Frame<'a>, request: &Request, bounds: Vec<i64>) -> Result<Self> {
        let time = frame.path(request.table, &request.time)?;
        let dims: Vec<Option<Path>> = request
            .dims
            .iter()
            .map(|d| d.as_ref().map(|d| frame.path(request.table, d)).transpose())
            .collect::<Result<_>>()?;
        let sizes = dims.iter().map(|d| d.as_ref().map_or(1, |p| p.cardinality(frame.snapshot) as u64 + 1)).collect();
        let mut lookup = Vec::new();
        // Before the beginning of time there is nothing to look up.
        let dated = bounds.iter().position(|b| *b != i64::MIN).unwrap_or(bounds.len());
        if let (Some(first), Some(last)) = (bounds.get(dated), bounds.last()) {
            let slots = ((last - first) >> SLOT) as usize + 1;
            if slots < 1 << 20 && bounds.len() < usize::from(u16::MAX) {
                let mut segment = dated;
                for slot in 0..slots {
                    let at = first + ((slot as i64) << SLOT);
                    while segment < bounds.len() && bounds[segment] <= at {
                        segment += 1;
                    }
                    lookup.push(segment as u16);
                }
            }
        }
        let bind = |e: &northing_model::Expr| eval::bind(frame.snapshot, request.table, e, frame.now).map_err(MetricError::Question);
        let base = request.base.as_ref().map(bind).transpose()?;
        Ok(Self { frame, table: request.table, time, base, dims, sizes, bounds: Arc::new(bounds), dated, lookup })
    }

    pub fn source(&self) -> &Table {
        &self.frame.snapshot.tables[self.table]
    }

    /// How many bounds lie at or before an instant: the segment it falls in.
    pub fn segment(&self, at: i64) -> usize {
        let b = &self.bounds;
        let Some(first) = b.get(self.dated) else { return self.dated };
        if at < *first {
            return self.dated;
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

    /// One number for the group of each row from..to.
    pub fn keys(&self, chunk: usize, from: usize, to: usize) -> Option<Vec<u64>> {
        if self.dims.is_empty() {
            return None;
        }
        let mut keys = vec![0u64; to - from];
        for (dim, size) in self.dims.iter().zip(&self.sizes) {
            match dim {
                None => keys.iter_mut().for_each(|k| *k *= size),
                Some(path) => {
                    let codes = path.codes(self.frame.snapshot, self.table, chunk, from, to);
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
    pub fn referred(&self, requests: &[&Request]) -> u64 {
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
            for expr in request.filter.iter().chain(&request.base).chain(value) {
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
            (table, self.frame.snapshot.tables[table].version()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The tables that a path's references lead into.
fn add_steps(tables: &mut Vec<usize>, path: &Path) {
    tables.extend(path.steps.iter().skip(1).map(|s| s.0));
}

