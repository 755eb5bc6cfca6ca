//! When sessions and tokens were last used: written now and then, and kept in memory while it cannot be written, so that
//! reading goes on without a disk to write to. Who they belong to is not its concern.

use crate::Store;
use rusqlite::params;
use std::collections::HashMap;
use std::sync::Mutex;

/// Seconds after which being seen is written again.
const AGAIN: i64 = 300;
/// Remembered at most, of what could not be written.
const MOST: usize = 10_000;

/// Of tokens by their hash: when they were seen, though that could not be written.
#[derive(Default)]
pub(crate) struct Seen(Mutex<HashMap<String, i64>>);

impl Store {
    /// When it was last seen, by the database and by memory.
    pub(crate) fn last_seen(&self, hash: &str, written: i64) -> i64 {
        self.inner.seen.0.lock().ok().and_then(|seen| seen.get(hash).copied()).map_or(written, |kept| kept.max(written))
    }

    /// Notes that a session or token is used; a failure to write it stops nobody.
    pub(crate) fn note_seen(&self, sql: &'static str, hash: String, last: Option<i64>, now: i64) {
        if last.is_some_and(|last| now <= last + AGAIN) {
            return;
        }
        let key = hash.clone();
        let written = self.effect(move |c| {
            c.execute(sql, params![hash, now])?;
            Ok(())
        });
        let Ok(mut seen) = self.inner.seen.0.lock() else { return };
        match written {
            Ok(()) => drop(seen.remove(&key)),
            Err(e) => {
                tracing::warn!("that a session is used could not be noted: {e}");
                if seen.len() >= MOST {
                    seen.retain(|_, at| now <= *at + AGAIN);
                }
                if seen.len() < MOST {
                    seen.insert(key, now);
                }
            }
        }
    }
}
