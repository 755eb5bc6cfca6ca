//! Keeps facts current: a thread that follows the store's log and publishes snapshots.

use crate::progress::Progress;
use crate::{Facts, Result, Snapshot, View};
use northing_store::Store;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// The newest snapshot, and waiting for one that includes a write.
#[derive(Clone)]
pub struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    current: Mutex<Arc<Snapshot>>,
    moved: Condvar,
    stop: AtomicBool,
    problem: Mutex<Option<String>>,
    progress: Mutex<Arc<Progress>>,
}

impl Feed {
    /// Loads the facts, as far as a view lets them through, and starts following.
    pub fn start(store: &Store, view: Option<Arc<View>>) -> Result<Self> {
        let mut facts = Facts::load_view(store, view.clone())?;
        let inner = Arc::new(Inner {
            current: Mutex::new(Arc::new(facts.snapshot())),
            moved: Condvar::new(),
            stop: AtomicBool::new(false),
            problem: Mutex::new(None),
            progress: Mutex::new(facts.progress.clone()),
        });
        let (feed, store) = (inner.clone(), store.clone());
        let follow = move || {
            while !feed.stop.load(Ordering::Relaxed) {
                let seen = facts.seq();
                if store.wait_past(seen, Duration::from_millis(500)) <= seen && store.refresh().unwrap_or(seen) <= seen {
                    continue;
                }
                // A record that a derivation cannot bear must not stop the numbers for good: readers keep the last
                // snapshot, readiness says why, and the facts are tried again from the tables.
                let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| facts.catch_up(&store)));
                let trouble = match tried {
                    Ok(outcome) => outcome.err().map(|e| e.to_string()),
                    Err(_) => {
                        let fresh = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Facts::load_view(&store, view.clone())));
                        match fresh {
                            Ok(Ok(again)) => {
                                facts = again;
                                if let Ok(mut progress) = feed.progress.lock() {
                                    *progress = facts.progress.clone();
                                }
                                None
                            }
                            _ => Some("the facts cannot take in a change; the server's log has the cause".into()),
                        }
                    }
                };
                let fine = trouble.is_none();
                if let Ok(mut problem) = feed.problem.lock() {
                    match &trouble {
                        Some(why) if problem.as_ref() != Some(why) => tracing::error!("the facts do not follow: {why}"),
                        None if problem.is_some() => tracing::info!("the facts follow again"),
                        _ => {}
                    }
                    *problem = trouble;
                }
                if fine {
                    feed.publish(facts.snapshot());
                } else {
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        };
        std::thread::Builder::new()
            .name("facts".into())
            .spawn(follow)
            .map_err(|e| crate::FactsError::Expression(format!("cannot start the facts thread: {e}")))?;
        Ok(Self { inner })
    }

    pub fn now(&self) -> Arc<Snapshot> {
        match self.inner.current.lock() {
            Ok(current) => current.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }

    /// A snapshot that includes `seq`; after the time-out the newest there is.
    pub fn at_least(&self, seq: u64, timeout: Duration) -> Arc<Snapshot> {
        let Ok(guard) = self.inner.current.lock() else { return self.now() };
        match self.inner.moved.wait_timeout_while(guard, timeout, |s| s.seq < seq) {
            Ok((current, _)) => current.clone(),
            Err(_) => self.now(),
        }
    }

    /// Why the facts do not move on, if they do not.
    pub fn problem(&self) -> Option<String> {
        self.inner.problem.lock().ok().and_then(|p| p.clone())
    }

    /// How far the facts are, in percent, while they are read anew as a whole and the last snapshot still stands.
    pub fn rebuilding(&self) -> Option<u64> {
        self.inner.progress.lock().ok().and_then(|p| p.percent())
    }

    pub fn stop(&self) {
        self.inner.stop.store(true, Ordering::Relaxed);
    }
}

impl Inner {
    fn publish(&self, snapshot: Snapshot) {
        if let Ok(mut current) = self.current.lock() {
            *current = Arc::new(snapshot);
            self.moved.notify_all();
        }
    }
}
