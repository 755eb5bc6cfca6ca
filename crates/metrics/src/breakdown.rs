//! The question's filter and dimensions on single records, for kinds that look at records one by one.
//!
//! Must not know what is counted.

use crate::evaluate::{Group, name};
use crate::plan::Frame;
use crate::scan::Bitmap;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path, TRUE};
use northing_facts::{CHUNK, NONE, Snapshot};
use northing_model::metric::Band;

pub(crate) struct Breakdown {
    paths: Vec<Path>,
    /// A code of every record for each path.
    codes: Vec<Vec<u32>>,
    /// The records that meet the question's filter, where it has one.
    pub keep: Option<Bitmap>,
    /// Where among the dimensions that of the value itself stands.
    band: Option<(usize, Vec<f64>)>,
}

impl Breakdown {
    pub fn of(frame: &Frame<'_>, table: usize) -> Result<Self> {
        Self::with_band(frame, table, None)
    }

    /// The same for a metric of which each record's value is a dimension too.
    pub fn with_band(frame: &Frame<'_>, table: usize, band: Option<&Band>) -> Result<Self> {
        let place = band.and_then(|b| Some((frame.by.iter().position(|by| *by == b.name)?, b.edges.clone())));
        let others = frame.by.iter().enumerate().filter(|(i, _)| place.as_ref().is_none_or(|p| p.0 != *i)).map(|(_, by)| by.clone()).collect();
        let frame = &frame.with(frame.filter.clone(), others);
        let dims = frame.dims(table).map_err(MetricError::Question)?;
        let paths: Vec<Path> = dims.into_iter().flatten().map(|d| frame.path(table, &d)).collect::<Result<_>>()?;
        let chunks = &frame.snapshot.tables[table].chunks;
        let read = |path: &Path| {
            let each = chunks.iter().enumerate();
            each.flat_map(|(c, chunk)| path.codes(frame.snapshot, table, c, 0, chunk.flags.len()).into_owned()).collect()
        };
        let codes = paths.iter().map(read).collect();
        Ok(Self { paths, codes, keep: kept(frame, table)?, band: place })
    }

    /// Is there one group only, of everything?
    pub fn whole(&self) -> bool {
        self.paths.is_empty() && self.band.is_none()
    }

    pub fn keeps(&self, row: u32) -> bool {
        self.keep.as_ref().is_none_or(|keep| keep.has(row))
    }

    /// The codes of a record's group.
    pub fn key(&self, row: u32) -> Vec<u32> {
        self.codes.iter().map(|c| c.get(row as usize).copied().unwrap_or(NONE)).collect()
    }

    /// The codes of the group of a record with a value.
    pub fn key_with(&self, row: u32, value: Option<f64>) -> Vec<u32> {
        let mut key = self.key(row);
        if let Some((_, edges)) = &self.band {
            key.push(value.map_or(NONE, |v| edges.partition_point(|edge| *edge <= v) as u32));
        }
        key
    }

    /// What the group of a key is called.
    pub fn group(&self, snapshot: &Snapshot, key: &[u32]) -> Group {
        let mut group: Group = self.paths.iter().zip(key).map(|(path, code)| name(snapshot, path, *code)).collect();
        if let (Some((place, edges)), Some(code)) = (&self.band, key.last()) {
            group.insert(*place, (band_name(edges, *code), None));
        }
        group
    }
}

/// The records that meet the question's filter.
pub(crate) fn kept(frame: &Frame<'_>, table: usize) -> Result<Option<Bitmap>> {
    let Some(filter) = frame.filter(table).map_err(MetricError::Question)? else { return Ok(None) };
    let snapshot = frame.snapshot;
    let node = eval::bind(snapshot, table, &filter, frame.now).map_err(MetricError::Question)?;
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

/// `< 40`, `40–70`, `≥ 70`: figures that need no language.
fn band_name(edges: &[f64], code: u32) -> String {
    let at = code as usize;
    match (at.checked_sub(1).and_then(|i| edges.get(i)), edges.get(at)) {
        _ if code == NONE => "(none)".into(),
        (None, Some(to)) => format!("< {to}"),
        (Some(from), Some(to)) => format!("{from}–{to}"),
        (Some(from), None) => format!("≥ {from}"),
        (None, None) => "(none)".into(),
    }
}
