//! A workspace as one file: a ZIP archive of the database as it stood at one moment, the files of records, and last a
//! manifest that says what should be in it. Written beside its place, read again and compared, then given its name. The
//! key of the workspace stays out: whoever gets hold of a backup shall not have that too. When backups are made is for
//! others to say.

use crate::row::quote;
use crate::{Result, StoreError, declare, log, migrate, private};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

pub(crate) const DATABASE: &str = "northing.db";
pub(crate) const FILES: &str = "files";
const MANIFEST: &str = "manifest.json";
/// Of this format.
const FORMAT: u32 = 1;
/// A manifest of some millions of files.
const LARGEST_MANIFEST: u64 = 1 << 30;
/// Who else may read what is written: nobody.
const MODE: u32 = 0o600;
/// Pages copied at a time, and how often a page that is locked is asked for again.
const PAGES: i32 = 1_024;
const TRIES: u32 = 200;
/// Backups before a step that are kept.
const KEPT: usize = 3;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// The program that wrote it, and how many steps its database has seen.
    pub version: String,
    pub schema: usize,
    /// The last change in it.
    pub seq: u64,
    /// Of the database: bytes and SHA-256.
    pub size: u64,
    pub sha256: String,
    /// The files of records by their SHA-256, with their bytes; none in a backup before a step, which leaves them be.
    pub files: Option<BTreeMap<String, u64>>,
    /// Files that records name and the workspace itself did not have whole.
    pub missing: Vec<String>,
}

/// A finished backup.
#[derive(Debug, Clone)]
pub struct Made {
    pub manifest: Manifest,
    pub bytes: u64,
}

pub(crate) fn failed(what: impl std::fmt::Display) -> StoreError {
    StoreError::Backup(what.to_string())
}

/// An error that names the file or folder.
pub(crate) fn at<E: std::fmt::Display>(path: &Path) -> impl Fn(E) -> StoreError + '_ {
    move |e| failed(format!("{}: {e}", path.display()))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// Is it a name that a file of records has?
pub(crate) fn is_hash(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Copies all that comes, and says how much it was and its SHA-256.
pub(crate) fn copy(from: &mut (impl Read + ?Sized), to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let (mut hash, mut size, mut part) = (Sha256::new(), 0u64, vec![0u8; 256 << 10]);
    loop {
        let n = from.read(&mut part)?;
        if n == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        hash.update(&part[..n]);
        to.write_all(&part[..n])?;
        size += n as u64;
    }
}

/// Until the disk knows the names in a folder.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The database of a workspace that is there already, to look at.
fn look(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Copies the database as it stands now; who writes meanwhile is not held up. One read transaction from the first page to
/// the last: without it every commit would make the copying begin anew.
fn copy_database(from: &Path, to: &Path) -> Result<()> {
    let from = look(from)?;
    drop(private::file(to).map_err(at(to))?);
    let mut copy = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    let held = from.unchecked_transaction()?;
    log::last_seq(&held)?;
    {
        let pages = Backup::new(&held, &mut copy)?;
        let mut tries = 0;
        loop {
            match pages.step(PAGES)? {
                StepResult::Done => break,
                StepResult::More => tries = 0,
                _ if tries >= TRIES => return Err(failed("the database is held by somebody else; try again")),
                _ => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
    }
    held.rollback()?;
    // One file, with nothing beside it that belongs to it.
    copy.query_row("pragma journal_mode = delete", [], |_| Ok(()))?;
    copy.close().map_err(|(_, e)| e)?;
    Ok(())
}

/// What a copied database says of itself, once it has been looked through.
struct Content {
    schema: usize,
    seq: u64,
    /// Hashes of the files that its records name.
    named: BTreeSet<String>,
}

fn inspect(path: &Path) -> Result<Content> {
    let c = look(path)?;
    let said: String = c.query_row("pragma integrity_check", [], |r| r.get(0))?;
    if said != "ok" {
        return Err(failed(format!("the database is damaged: {said}")));
    }
    let schema = migrate::done(&c)?;
    let (first, seq, count): (u64, u64, u64) = c.query_row("select coalesce(min(seq), 1), coalesce(max(seq), 0), count(*) from change", [], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64, r.get::<_, i64>(2)? as u64)))?;
    if first != 1 || seq != count {
        return Err(failed(format!("the change log has gaps: {count} entries up to {seq}")));
    }
    let model = declare::load(&c)?.model;
    let mut named = BTreeSet::new();
    if let Some(object) = model.object("attachment") {
        let there: i64 = c.query_row("select count(*) from sqlite_master where type = 'table' and name = ?1", [&object.name], |r| r.get(0))?;
        if there > 0 {
            let mut statement = c.prepare(&format!("select sha from {} where sha is not null and not deleted", quote(&object.name)))?;
            for sha in statement.query_map([], |r| r.get::<_, String>(0))? {
                named.insert(sha?);
            }
            named.retain(|sha| is_hash(sha));
        }
    }
    Ok(Content { schema, seq, named })
}

/// The files of records that a workspace has, by their hash.
fn files_of(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let folder = folder.join(FILES);
    if !folder.exists() {
        return Ok(found);
    }
    for part in std::fs::read_dir(&folder).map_err(at(&folder))? {
        let part = part.map_err(at(&folder))?.path();
        if !part.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(&part).map_err(at(&part))? {
            let file = file.map_err(at(&part))?;
            // Whatever is still being written has another name.
            if let Some(name) = file.file_name().to_str().filter(|n| is_hash(n)) {
                found.insert(name.to_string(), file.path());
            }
        }
    }
    Ok(found)
}

pub(crate) fn place(sha: &str) -> String {
    format!("{FILES}/{}/{sha}", &sha[..2])
}

/// Writes the workspace in a folder into one file, whether or not it is served meanwhile. A backup that is there under
/// this name is replaced once the new one is whole; anything else there is left alone.
pub fn backup(folder: &Path, to: &Path) -> Result<Made> {
    write(folder, to, true)
}

/// What stands at the name of a backup, being made, and its database.
fn beside(to: &Path) -> (PathBuf, PathBuf) {
    let name = |end: &str| to.with_file_name(format!("{}{end}", to.file_name().map(|n| n.to_string_lossy()).unwrap_or_default()));
    (name(".part"), name(".part-db"))
}

fn write(folder: &Path, to: &Path, with_files: bool) -> Result<Made> {
    let database = folder.join(DATABASE);
    if !database.exists() {
        return Err(failed(format!("{} holds no workspace", folder.display())));
    }
    if to.exists() && ZipArchive::new(File::open(to).map_err(at(to))?).map_err(failed).and_then(|mut a| manifest(&mut a)).is_err() {
        return Err(failed(format!("{} is there already and is no backup; choose another name", to.display())));
    }
    let (part, copied) = beside(to);
    let mut file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(&part).map_err(at(&part))?;
    file.try_lock().map_err(|_| failed(format!("another backup to {} is under way", to.display())))?;
    let made = file.set_len(0).map_err(at(&part)).and_then(|()| fill(folder, &database, &copied, &mut file, with_files));
    let _ = std::fs::remove_file(&copied);
    let made = made.and_then(|manifest| {
        let bytes = file.metadata().map_err(at(&part))?.len();
        std::fs::rename(&part, to).map_err(at(to))?;
        let parent = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_folder(parent).map_err(at(parent))?;
        Ok(Made { manifest, bytes })
    });
    if made.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    made
}

fn fill(folder: &Path, database: &Path, copied: &Path, file: &mut File, with_files: bool) -> Result<Manifest> {
    // First the database: every file that its records name lies on the disk by then.
    copy_database(database, copied)?;
    let Content { schema, seq, named } = inspect(copied)?;
    let mut zip = ZipWriter::new(&mut *file);
    let options = SimpleFileOptions::default().unix_permissions(MODE).large_file(true);
    let small = options.compression_method(CompressionMethod::Deflated).compression_level(Some(1));
    zip.start_file(DATABASE, small).map_err(failed)?;
    let (size, sha256) = copy(&mut File::open(copied).map_err(at(copied))?, &mut zip).map_err(at(copied))?;
    let (mut files, mut broken) = (BTreeMap::new(), BTreeSet::new());
    if with_files {
        for (sha, path) in files_of(folder)? {
            // Pictures and documents are packed already.
            zip.start_file(place(&sha), options.compression_method(CompressionMethod::Stored)).map_err(failed)?;
            let (size, found) = copy(&mut File::open(&path).map_err(at(&path))?, &mut zip).map_err(at(&path))?;
            if found == sha {
                files.insert(sha, size);
            } else {
                zip.abort_file().map_err(failed)?;
                broken.insert(sha);
            }
        }
    }
    let missing = if with_files { named.iter().filter(|sha| !files.contains_key(*sha)).cloned().collect::<BTreeSet<_>>().union(&broken).cloned().collect() } else { Vec::new() };
    let manifest = Manifest { format: FORMAT, version: env!("CARGO_PKG_VERSION").into(), schema, seq, size, sha256, files: with_files.then_some(files), missing };
    zip.start_file(MANIFEST, small).map_err(failed)?;
    zip.write_all(serde_json::to_string_pretty(&manifest).map_err(failed)?.as_bytes()).map_err(failed)?;
    zip.finish().map_err(failed)?;
    file.sync_all().map_err(failed)?;
    // What was written is read again, not believed.
    file.rewind().map_err(failed)?;
    let mut again = ZipArchive::new(&mut *file).map_err(failed)?;
    if self::manifest(&mut again)? != manifest {
        return Err(failed("what was written reads otherwise"));
    }
    each(&mut again, &manifest, |_, content| copy(content, &mut std::io::sink()).map_err(failed))?;
    Ok(manifest)
}

/// The manifest of a backup that this program understands.
pub(crate) fn manifest<R: Read + Seek>(archive: &mut ZipArchive<R>) -> Result<Manifest> {
    let text = archive.by_name(MANIFEST).map_err(|_| failed("this is no backup of a workspace, or not a whole one"))?;
    let mut read = String::new();
    text.take(LARGEST_MANIFEST).read_to_string(&mut read).map_err(failed)?;
    let manifest: Manifest = serde_json::from_str(&read).map_err(|e| failed(format!("its manifest cannot be read: {e}")))?;
    if manifest.format != FORMAT || manifest.schema > migrate::STEPS.len() {
        return Err(failed(format!("it was made by Northing {}, which is newer; upgrade the program", manifest.version)));
    }
    if manifest.files.iter().flat_map(|f| f.keys()).any(|sha| !is_hash(sha)) {
        return Err(failed("its manifest names a file that cannot be one"));
    }
    Ok(manifest)
}

/// Gives everything that a backup should hold to `f`, which tells its bytes and SHA-256; an error where they differ.
pub(crate) fn each<R: Read + Seek>(archive: &mut ZipArchive<R>, manifest: &Manifest, mut f: impl FnMut(&str, &mut dyn Read) -> Result<(u64, String)>) -> Result<()> {
    let database = [(DATABASE.to_string(), manifest.size, manifest.sha256.clone())];
    let files = manifest.files.iter().flatten().map(|(sha, size)| (place(sha), *size, sha.clone()));
    for (name, size, sha) in database.into_iter().chain(files) {
        let content = archive.by_name(&name).map_err(|e| failed(format!("{name}: {e}")))?;
        // Never more than it should be, whatever the archive says.
        let found = f(&name, &mut content.take(size + 1))?;
        if found != (size, sha) {
            return Err(failed(format!("{name} in the backup is damaged")));
        }
    }
    Ok(())
}

/// A backup of a database that steps are about to change, kept in the workspace's folder with a few before it.
pub(crate) fn before_step(folder: &Path, step: usize) -> Result<()> {
    let backups = folder.join("backups");
    private::folder(&backups).map_err(at(&backups))?;
    let seq = log::last_seq(&look(&folder.join(DATABASE))?)?;
    let to = backups.join(format!("before-step-{:04}-at-{seq:012}.zip", step + 1));
    let made = write(folder, &to, false).map_err(|e| failed(format!("the database must be brought up to date, and the backup before that failed ({e}); make room or mend that, then start again")))?;
    tracing::info!(file = %to.display(), seq = made.manifest.seq, bytes = made.bytes, "a backup was made before the database is brought up to date");
    let mut kept: Vec<PathBuf> = std::fs::read_dir(&backups).map_err(at(&backups))?.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("before-step-"))).collect();
    kept.sort();
    for old in kept.iter().rev().skip(KEPT) {
        std::fs::remove_file(old).map_err(at(old))?;
    }
    Ok(())
}
