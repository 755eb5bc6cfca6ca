//! A workspace out of a backup: into a folder of its own inside an empty one, and only what was found whole is moved to
//! its place, the database last. Whoever is killed on the way leaves a folder that does not open.

use crate::backup::{DATABASE, FILES, Manifest, at, copy, each, failed, manifest, sync_folder};
use crate::private;
use crate::{Result, StoreError};
use std::fs::File;
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Where what is being restored lies.
const STAGE: &str = "restoring";
/// What a disk of its own brings along.
const EMPTY: &str = "lost+found";

/// A folder with a restore that did not finish is no workspace.
pub(crate) fn refuse_unfinished(folder: &Path) -> Result<()> {
    let stage = folder.join(STAGE);
    // One that is empty is what was left between the last move and the end.
    if stage.is_dir() && std::fs::remove_dir(&stage).is_err() {
        return Err(StoreError::Unfinished(folder.display().to_string()));
    }
    Ok(())
}

/// Unpacks a backup below an empty folder and compares it with its manifest; where it lies, for `settle` to move.
pub fn unpack(from: &Path, folder: &Path) -> Result<(Manifest, PathBuf)> {
    let mut archive = ZipArchive::new(File::open(from).map_err(at(from))?).map_err(at(from))?;
    let manifest = manifest(&mut archive).map_err(at(from))?;
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        if entry.map_err(at(folder))?.file_name() != EMPTY {
            return Err(failed(format!("{} is not empty; restore into a new folder", folder.display())));
        }
    }
    let stage = folder.join(STAGE);
    private::folder(&stage).map_err(at(&stage))?;
    let unpacked = each(&mut archive, &manifest, |name, content| {
        let path = stage.join(name);
        if let Some(parent) = path.parent() {
            private::folder(parent).map_err(at(parent))?;
        }
        copy(content, &mut private::file(&path).map_err(at(&path))?).map_err(at(&path))
    });
    if unpacked.is_err() {
        let _ = std::fs::remove_dir_all(&stage);
    }
    unpacked.map(|()| (manifest, stage))
}

/// Moves what was unpacked to its place. Nobody may have it open.
pub fn settle(folder: &Path) -> Result<()> {
    let stage = folder.join(STAGE);
    let log = stage.join(format!("{DATABASE}-wal"));
    if log.metadata().is_ok_and(|m| m.len() > 0) {
        return Err(failed("the restored database is still open"));
    }
    // Everything is on the disk before it has a name there.
    rustix::fs::syncfs(File::open(&stage).map_err(at(&stage))?).map_err(at(&stage))?;
    for name in [FILES, "backups"] {
        if stage.join(name).exists() {
            std::fs::rename(stage.join(name), folder.join(name)).map_err(at(folder))?;
        }
    }
    std::fs::rename(stage.join(DATABASE), folder.join(DATABASE)).map_err(at(folder))?;
    std::fs::remove_dir_all(&stage).map_err(at(&stage))?;
    sync_folder(folder).map_err(at(folder))
}
