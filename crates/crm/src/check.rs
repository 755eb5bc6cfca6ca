//! Proves a workspace: the database its own checks, the log without gaps, every text found, and the facts from the tables
//! equal to those from the log. Restores one from a backup, proved the same way before it gets its place.

use crate::{CrmError, Result};
use northing_facts::Facts;
use northing_store::{Manifest, Store, StoreError};
use std::path::Path;

/// What was found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// `ok`, or what the database finds wrong with itself.
    pub database: String,
    pub seq: u64,
    pub rows: u64,
    pub tables: usize,
    pub bytes: usize,
    /// How the facts from the tables differ from those from the log.
    pub differences: Vec<String>,
    /// Texts that a search would not find, or finds though they are gone.
    pub astray: u64,
    /// Entries that the log lacks.
    pub gaps: u64,
}

impl Checked {
    /// Is everything as it should be? Else what is not.
    pub fn outcome(&self) -> std::result::Result<(), String> {
        let mut wrong = Vec::new();
        if self.database != "ok" {
            wrong.push(format!("the database is damaged: {}", self.database));
        }
        if self.gaps > 0 {
            wrong.push(format!("the change log lacks {} entries", self.gaps));
        }
        if self.astray > 0 {
            wrong.push(format!("{} texts are not in step with the search", self.astray));
        }
        if !self.differences.is_empty() {
            wrong.push(format!("{} differences between the tables and the change log", self.differences.len()));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// Looks through everything.
pub fn check(store: &Store) -> Result<Checked> {
    let database = store.integrity()?;
    let seq = store.seq();
    let loaded = Facts::load(store)?.snapshot();
    let replayed = Facts::replay(store, seq, None)?.snapshot();
    let differences = northing_facts::snapshot::differences(&loaded, &replayed);
    Ok(Checked { database, seq, rows: loaded.rows(), tables: loaded.tables.len(), bytes: loaded.bytes(), differences, astray: store.texts_astray()?, gaps: store.gaps()? })
}

/// Puts a backup into an empty folder. It has its place there only once it was found to be what was backed up.
pub fn restore(from: &Path, folder: &Path) -> Result<(Manifest, Checked)> {
    let (manifest, stage) = northing_store::unpack(from, folder)?;
    let proved = prove(&stage, &manifest).and_then(|checked| Ok(northing_store::settle(folder).map(|()| checked)?));
    if proved.is_err() {
        let _ = std::fs::remove_dir_all(&stage);
    }
    proved.map(|checked| (manifest, checked))
}

fn prove(stage: &Path, manifest: &Manifest) -> Result<Checked> {
    let store = Store::open(stage)?;
    let checked = check(&store);
    store.close();
    let checked = checked?;
    let wrong = |what: String| CrmError::Store(StoreError::Backup(format!("the backup was unpacked, but {what}")));
    checked.outcome().map_err(wrong)?;
    if checked.seq != manifest.seq {
        return Err(wrong(format!("it holds changes up to {} and should up to {}", checked.seq, manifest.seq)));
    }
    Ok(checked)
}
