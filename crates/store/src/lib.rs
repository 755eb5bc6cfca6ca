//! The system of record: SQLite with one write path and one change log.
//!
//! Every change goes through `Store::commit`, which writes rows, history and the log in one transaction and
//! answers the log's `seq`. This crate checks types, references and versions; what a change means for the
//! business is for `crm`, what it means for a KPI is for `facts`. It must not know of either, nor of HTTP.

mod backup;
mod change;
mod checks;
mod declare;
mod exclusive;
mod fill;
mod log;
mod migrate;
pub mod private;
mod read;
mod restore;
mod room;
mod row;
mod seal;
mod seen;
mod sessions;
mod taken;
mod takeover;
mod texts;
mod write;

pub use backup::{Manifest, Made, backup};
pub use change::{Change, Commit, Committed, Moment, Op};
pub use declare::{Conversion, Trial};
pub use log::Logged;
pub use restore::{settle, unpack};
pub use room::free;
pub use seal::Seal;
pub use sessions::{Credential, Opened, Session, TokenTerms};
pub use taken::{Alarm, KEPT_DAYS, Taken};

use northing_model::{Currency, Model};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, RwLock};
use std::time::Duration;

/// What went wrong in the store, in words for the person whose change it was.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{object} {id} does not exist")]
    NotFound { object: String, id: String },
    #[error("{object} {id} was changed by someone else in the meantime: it is at version {actual}, you changed version {expected}")]
    Conflict { object: String, id: String, expected: u64, actual: u64 },
    #[error("{object}.{field}: {problem}")]
    Invalid { object: String, field: String, problem: String },
    #[error("{object}: this time is taken already")]
    Taken { object: String, field: String },
    #[error("this Idempotency-Key was used with another request")]
    KeyReused,
    #[error("the disk is full: nothing was written. Make room on it and try again")]
    Full,
    #[error("{0} holds a restore that did not finish; empty the folder and restore again")]
    Unfinished(String),
    #[error("{0}")]
    Backup(String),
    #[error("the workspace is read-only at the moment: {0}")]
    ReadOnly(String),
    #[error("{0}")]
    Model(#[from] northing_model::ModelError),
    #[error("the database says: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("the log holds something unreadable at {0}")]
    Corrupt(String),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// One open workspace. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    seal: Seal,
    declared: RwLock<declare::Declared>,
    trial: RwLock<Option<Trial>>,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Option<Sender<write::Job>>>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    seq: Mutex<u64>,
    /// Held from a commit until its `seq` and the model that it leaves are told: nobody sees one without the other.
    telling: Mutex<()>,
    moved: Condvar,
    room: room::Room,
    seen: seen::Seen,
    waiting: AtomicUsize,
}

/// Read connections that are kept between reads.
const MOST_IDLE: usize = 8;

impl Store {
    /// Opens or creates the workspace database in `folder`, brings its schema up to date and starts the writer.
    pub fn open(folder: &Path) -> Result<Self> {
        restore::refuse_unfinished(folder)?;
        private::workspace(folder).map_err(|e| StoreError::ReadOnly(format!("cannot create {}: {e}", folder.display())))?;
        let seal = Seal::of(folder)?;
        let path = folder.join("northing.db");
        let mut connection = open_connection(&path, false)?;
        let step = match migrate::behind(&connection)? {
            None if takeover::waits(&connection)? => Some(migrate::STEPS.len()),
            step => step,
        };
        if let Some(step) = step {
            backup::before_step(folder, step)?;
        }
        let declared = migrate::bring_up(&mut connection)?;
        sessions::seal_all(&mut connection, &seal)?;
        let seq = log::last_seq(&connection)?;
        let store = Self {
            inner: Arc::new(Inner {
                path,
                seal,
                declared: RwLock::new(declared),
                trial: RwLock::new(None),
                readers: Mutex::new(Vec::new()),
                writer: Mutex::new(None),
                thread: Mutex::new(None),
                seq: Mutex::new(seq),
                telling: Mutex::new(()),
                moved: Condvar::new(),
                room: room::Room::new(folder),
                seen: seen::Seen::default(),
                waiting: AtomicUsize::new(0),
            }),
        };
        store.start_writer(connection);
        Ok(store)
    }

    fn start_writer(&self, connection: Connection) {
        let (sender, receiver) = channel();
        let weak = Arc::downgrade(&self.inner);
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(move || write::run(connection, &receiver, &weak));
        if let Ok(mut slot) = self.inner.writer.lock() {
            *slot = Some(sender);
        }
        if let (Ok(mut slot), Ok(handle)) = (self.inner.thread.lock(), thread) {
            *slot = Some(handle);
        }
    }

    /// Where the workspace's files lie.
    pub fn folder(&self) -> &Path {
        self.inner.path.parent().unwrap_or(Path::new("."))
    }

    /// Seals what must be read again, with a key that is not in the database.
    pub fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// The model in force: the product's, with this workspace's own declarations.
    pub fn model(&self) -> Arc<Model> {
        self.inner.declared().model
    }

    /// The workspace's reporting currency.
    pub fn currency(&self) -> Currency {
        self.workspace_text("currency").and_then(|c| Currency::parse(&c)).or_else(|| Currency::parse("EUR")).unwrap_or_else(|| unreachable!("EUR is a currency"))
    }

    /// The last committed change.
    pub fn seq(&self) -> u64 {
        self.inner.seq.lock().map(|s| *s).unwrap_or(0)
    }

    /// Waits until something was committed after `seq`; the newest seq then, or the old one after the time-out.
    pub fn wait_past(&self, seq: u64, timeout: Duration) -> u64 {
        let Ok(guard) = self.inner.seq.lock() else { return seq };
        match self.inner.moved.wait_timeout_while(guard, timeout, |now| *now <= seq) {
            Ok((now, _)) => *now,
            Err(_) => seq,
        }
    }

    /// Looks whether another process has written to this workspace, or declared something in it.
    pub fn refresh(&self) -> Result<u64> {
        let telling = self.inner.telling.lock();
        // One snapshot of the file for both, so that the model is the one that the entries were written under.
        let (seq, declared) = self.read(|c| {
            let tx = c.unchecked_transaction()?;
            let seq = log::last_seq(&tx)?;
            let changed = declare::changed(&tx, self.inner.told(), seq)?;
            Ok((seq, changed.then(|| declare::load(&tx)).transpose()?))
        })?;
        if let Some(declared) = declared {
            self.inner.set_declared(declared);
        }
        self.inner.set_seq(seq);
        drop(telling);
        Ok(seq)
    }

    /// Runs `f` on a read connection; readers never wait for the writer.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pooled = self.inner.readers.lock().ok().and_then(|mut pool| pool.pop());
        let connection = match pooled {
            Some(c) => c,
            None => open_connection(&self.inner.path, true)?,
        };
        let result = f(&connection);
        // Each keeps pages in memory: those of a rush are let go when it is over.
        if let Ok(mut pool) = self.inner.readers.lock() {
            if pool.len() < MOST_IDLE {
                pool.push(connection);
            }
        }
        result
    }

    /// Finishes what was sent and closes the writer.
    pub fn close(&self) {
        drop(self.inner.writer.lock().ok().and_then(|mut w| w.take()));
        let handle = self.inner.thread.lock().ok().and_then(|mut t| t.take());
        if let Some(handle) = handle {
            // The writer only ends by itself; a panic in it was already answered to the waiting callers.
            let _ = handle.join();
        }
    }
}

impl Inner {
    pub(crate) fn set_seq(&self, seq: u64) {
        if let Ok(mut now) = self.seq.lock() {
            if *now < seq {
                *now = seq;
                self.moved.notify_all();
            }
        }
    }
    pub(crate) fn declared(&self) -> declare::Declared {
        self.declared.read().map(|d| d.clone()).unwrap_or_default()
    }
    pub(crate) fn set_declared(&self, declared: declare::Declared) {
        if let Ok(mut slot) = self.declared.write() {
            *slot = declared;
        }
    }
    /// The last change that callers have been told of.
    pub(crate) fn told(&self) -> u64 {
        self.seq.lock().map(|s| *s).unwrap_or(0)
    }
}

fn open_connection(path: &Path, read_only: bool) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // FULL: a power cut must not take back a commit that was acknowledged.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    if read_only {
        connection.pragma_update(None, "query_only", true)?;
    }
    Ok(connection)
}
