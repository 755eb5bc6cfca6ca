//! Room on the disk: a reserve that is let go when the disk is full, so that sessions and the end of the workspace still
//! find room, and the question whether anything can be written at all. What is written is not its concern.

use crate::{Result, Store, StoreError};
use rusqlite::{Connection, ErrorCode};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What a trial of writing asks for.
pub(crate) const STEP: &str = "create table trial (id integer primary key, filler blob not null) strict;";
const TRIAL_BYTES: i64 = 64 << 10;
/// A disk with less than this left counts as full when a write fails in another way.
const LITTLE: u64 = 1 << 20;
const MODE: u32 = 0o600;

pub(crate) struct Room {
    file: PathBuf,
    /// 0 where no reserve is kept: at the terminal.
    bytes: AtomicU64,
    full: AtomicBool,
}

impl Room {
    pub fn new(folder: &Path) -> Self {
        Self { file: folder.join("reserve"), bytes: AtomicU64::new(0), full: AtomicBool::new(false) }
    }

    /// Sets the reserve aside (again); while that fails the disk counts as full.
    fn fill(&self) -> bool {
        let bytes = self.bytes.load(Ordering::Relaxed);
        if bytes == 0 {
            return true;
        }
        let full = match reserve(&self.file, bytes) {
            Ok(()) => false,
            Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => true,
            Err(e) => {
                // A disk that sets nothing aside has no reserve, and is not full for that.
                tracing::warn!("no reserve is kept on the disk: {e}");
                self.bytes.store(0, Ordering::Relaxed);
                false
            }
        };
        if full {
            // Half a reserve is none.
            let _ = std::fs::remove_file(&self.file);
        }
        if self.full.swap(full, Ordering::Relaxed) != full {
            if full { tracing::error!("the disk is full: nothing but sign-ins is written until there is room") } else { tracing::info!("there is room on the disk again: writing goes on") }
        }
        !full
    }

    /// May records be written? Of a full disk it is looked first whether there is room again.
    pub fn open(&self) -> bool {
        !self.full.load(Ordering::Relaxed) || self.fill()
    }

    /// Takes note of an error; those of a full disk are told as such, and let the reserve go.
    pub fn look(&self, error: StoreError) -> StoreError {
        let StoreError::Database(rusqlite::Error::SqliteFailure(e, _)) = &error else { return error };
        let little = || self.file.parent().and_then(free).is_some_and(|free| free < LITTLE);
        if e.code != ErrorCode::DiskFull && !(e.code == ErrorCode::SystemIoFailure && little()) {
            return error;
        }
        if self.bytes.load(Ordering::Relaxed) > 0 && !self.full.swap(true, Ordering::Relaxed) {
            let _ = std::fs::remove_file(&self.file);
            tracing::error!("the disk is full: nothing but sign-ins is written until there is room");
        }
        StoreError::Full
    }
}

fn reserve(file: &Path, bytes: u64) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(file)?;
    if file.metadata()?.len() == bytes {
        return Ok(());
    }
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?;
    file.set_len(bytes)
}

/// Bytes that are free for us on the disk of a folder.
pub fn free(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|s| s.f_bavail.saturating_mul(s.f_frsize))
}

fn trial(c: &Connection) -> Result<()> {
    c.prepare_cached("insert into trial (filler) values (zeroblob(?1))")?.execute([TRIAL_BYTES])?;
    c.prepare_cached("delete from trial")?.execute([])?;
    Ok(())
}

impl Store {
    /// Keeps so many bytes on the disk aside, to be let go when it is full.
    pub fn keep_reserve(&self, bytes: u64) {
        self.inner.room.bytes.store(bytes, Ordering::Relaxed);
        self.inner.room.fill();
    }

    /// Tries whether records could be written now.
    pub fn try_write(&self) -> Result<()> {
        if !self.inner.room.open() {
            return Err(StoreError::Full);
        }
        self.effect(trial)
    }

    /// Bytes that are free on the disk of the workspace.
    pub fn free(&self) -> Option<u64> {
        free(self.folder())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(code: i32) -> StoreError {
        StoreError::Database(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
    }

    #[test]
    fn only_a_full_disk_lets_the_reserve_go() -> std::io::Result<()> {
        let folder = std::env::temp_dir().join(format!("northing-room-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let (room, there) = (Room::new(&folder), || folder.join("reserve").exists());
        // Nothing is wanted aside: nothing can be missing.
        assert!(room.fill() && room.open() && !there());
        room.bytes.store(4_096, Ordering::Relaxed);
        assert!(room.fill() && there());
        // A broken disk with room on it is no full one.
        let told = room.look(failed(rusqlite::ffi::SQLITE_IOERR_WRITE));
        assert!(matches!(told, StoreError::Database(_)) && there(), "{told:?}");
        let told = room.look(failed(rusqlite::ffi::SQLITE_FULL));
        assert!(matches!(told, StoreError::Full) && !there() && room.full.load(Ordering::Relaxed), "{told:?}");
        // There is room again.
        assert!(room.open() && there() && !room.full.load(Ordering::Relaxed));
        std::fs::remove_dir_all(&folder)
    }
}
