//! Files and folders that nobody but the owner of the process may read. What is in them is not its concern.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, set_permissions};
use std::io::{ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;

/// What lies in a workspace's folder.
const FILES: [&str; 4] = ["northing.db", "northing.db-wal", "northing.db-shm", crate::seal::FILE];
const FOLDERS: [&str; 4] = ["files", "uploads", "imports", "backups"];

/// Makes a folder, with those above it that are missing; one that is there already is closed to others.
pub fn folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER).create(path)?;
    close(path, FOLDER)
}

/// An empty file to write.
pub fn file(path: &Path) -> Result<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE).open(path)?;
    close(path, FILE)?;
    Ok(file)
}

/// Writes a whole file.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    std::io::Write::write_all(&mut file(path)?, content)
}

/// Takes away what others may do.
fn close(path: &Path, mode: u32) -> Result<()> {
    let now = path.metadata()?.permissions().mode();
    if now & 0o7777 & !mode == 0 { Ok(()) } else { set_permissions(path, Permissions::from_mode(mode)) }
}

/// The folder of a workspace, new or from before: nobody else looks into it. A folder that holds other things as well
/// stays as it is; what is ours in it does not.
pub(crate) fn workspace(path: &Path) -> Result<()> {
    let own = path.join("northing.db");
    if path.is_dir() {
        let (shared, empty) = (path.metadata()?.permissions().mode() & 0o1000 != 0, std::fs::read_dir(path)?.next().is_none());
        if !shared && (empty || own.is_file()) {
            told(path, close(path, FOLDER));
        }
    } else {
        folder(path)?;
    }
    // SQLite gives the files beside it the same mode.
    OpenOptions::new().append(true).create(true).mode(FILE).open(&own)?;
    for (names, mode) in [(FILES, FILE), (FOLDERS, FOLDER)] {
        for path in names.iter().map(|n| path.join(n)).filter(|p| p.exists()) {
            told(&path, close(&path, mode));
        }
    }
    Ok(())
}

/// What belongs to another user of the machine cannot be closed: that is said, and is theirs to mend.
fn told(path: &Path, closed: Result<()>) {
    if let Err(e) = closed.or_else(|e| if e.kind() == ErrorKind::NotFound { Ok(()) } else { Err(e) }) {
        tracing::warn!("others may read {}: {e}", path.display());
    }
}
