//! Where a caller's facts come from: the whole, or a view of them that is loaded when somebody with such rights comes
//! and let go when nobody did for a while. Cache and live events belong to the place, so no answer made of one
//! person's facts reaches another.

use crate::ServeError;
use northing_facts::{Feed, Snapshot, View};
use northing_metrics::Cache;
use northing_store::Store;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

pub struct Place {
    pub feed: Feed,
    pub cache: Cache,
    /// The number of every new snapshot, as those who see it may know it.
    pub events: tokio::sync::broadcast::Sender<u64>,
    pub view: Option<Arc<View>>,
    used: AtomicI64,
    /// Facts of earlier instants, newest use last.
    past: Mutex<Vec<(u64, Arc<Snapshot>)>>,
}

const PAST_SNAPSHOTS: usize = 2;

/// Seconds after which an unused view is let go.
const IDLE: i64 = 1_800;

impl Place {
    pub fn open(store: &Store, view: Option<Arc<View>>) -> Result<Arc<Self>, ServeError> {
        let feed = Feed::start(store, view.clone())?;
        let place = Arc::new(Self { feed, cache: Cache::default(), events: tokio::sync::broadcast::channel(256).0, view, used: AtomicI64::new(0), past: Mutex::default() });
        announce(&place);
        Ok(place)
    }

    /// The facts as they stood at an earlier `seq`.
    pub fn snapshot_at(&self, store: &Store, seq: u64) -> Result<Arc<Snapshot>, northing_facts::FactsError> {
        if let Ok(mut past) = self.past.lock() {
            if let Some(at) = past.iter().position(|(s, _)| *s == seq) {
                let found = past.remove(at);
                past.push(found.clone());
                return Ok(found.1);
            }
        }
        let snapshot = Arc::new(northing_facts::Facts::replay(store, seq, self.view.clone())?.snapshot());
        if let Ok(mut past) = self.past.lock() {
            if past.len() >= PAST_SNAPSHOTS {
                past.remove(0);
            }
            past.push((seq, snapshot.clone()));
        }
        Ok(snapshot)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.feed.stop();
    }
}

/// Tells open screens of every new snapshot that differs for them.
fn announce(place: &Arc<Place>) {
    let now = place.feed.now();
    let (place, mut seen): (Weak<Place>, _) = (Arc::downgrade(place), (now.seq, now.shown));
    let follow = move || {
        while let Some(place) = place.upgrade() {
            let now = place.feed.at_least(seen.0 + 1, Duration::from_millis(500));
            if now.shown > seen.1 {
                // Nobody listening is no fault.
                let _ = place.events.send(now.shown);
            }
            seen = (now.seq, now.shown);
        }
    };
    // A thread of its own, since it waits on a lock most of the time.
    if let Err(e) = std::thread::Builder::new().name("announcer".into()).spawn(follow) {
        tracing::error!("live events are off: {e}");
    }
}

type Opening = Arc<OnceLock<Option<Arc<Place>>>>;

/// The views that are open, by what they let through.
#[derive(Default)]
pub struct Places {
    open: Mutex<HashMap<String, Opening>>,
}

impl Places {
    /// The place of a view; whoever comes while it loads waits for it.
    pub fn of(&self, store: &Store, view: View, now: i64) -> Option<Arc<Place>> {
        let key = format!("{view:?}");
        let slot = {
            let mut open = self.open.lock().ok()?;
            open.retain(|_, slot| slot.get().is_none_or(|place| place.as_ref().is_some_and(|p| now - p.used.load(Ordering::Relaxed) < IDLE)));
            open.entry(key).or_default().clone()
        };
        let place = slot.get_or_init(|| {
            let opened = Place::open(store, Some(Arc::new(view)));
            opened.map_err(|e| tracing::error!("a view could not be loaded: {e}")).ok().inspect(|p| p.used.store(now, Ordering::Relaxed))
        });
        place.as_ref().inspect(|p| p.used.store(now, Ordering::Relaxed)).cloned()
    }
}
