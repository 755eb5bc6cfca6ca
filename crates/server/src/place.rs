//! Where a caller's facts come from: the whole, or a view of them that is loaded when somebody with such rights comes
//! and let go when nobody did for a while. Cache and live events belong to the place, so no answer made of one
//! person's facts reaches another.

use crate::ServeError;
use northing_facts::{Feed, View};
use northing_metrics::{Cache, Memory};
use northing_store::Store;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

pub struct Place {
    pub feed: Feed,
    pub cache: Cache,
    /// The number of every new snapshot, as those who see it may know it.
    pub events: tokio::sync::broadcast::Sender<u64>,
    pub view: Option<Arc<View>>,
    /// Tells it from any other of this process.
    pub number: u64,
    /// How far its facts are, for whoever waits without a thread.
    published: tokio::sync::watch::Sender<u64>,
    used: AtomicI64,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Seconds after which an unused view is let go.
const IDLE: i64 = 1_800;

impl Place {
    pub fn open(store: &Store, view: Option<Arc<View>>, memory: &Arc<Memory>) -> Result<Arc<Self>, ServeError> {
        let feed = Feed::start(store, view.clone())?;
        let published = tokio::sync::watch::channel(feed.now().seq).0;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = Arc::new(Self { feed, cache: Cache::new(memory), events: tokio::sync::broadcast::channel(256).0, view, number, published, used: AtomicI64::new(0) });
        announce(&place);
        Ok(place)
    }

    /// Waits until the facts include a change, but not for long.
    pub async fn caught_up(&self, seq: u64, patience: Duration) {
        let mut published = self.published.subscribe();
        // Late facts are better than none.
        let _ = tokio::time::timeout(patience, published.wait_for(|now| *now >= seq)).await;
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
            place.published.send_replace(now.seq);
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
    pub fn of(&self, store: &Store, view: View, memory: &Arc<Memory>, now: i64) -> Option<Arc<Place>> {
        let key = format!("{view:?}");
        let slot = {
            let mut open = self.open.lock().ok()?;
            open.retain(|_, slot| slot.get().is_none_or(|place| place.as_ref().is_some_and(|p| now - p.used.load(Ordering::Relaxed) < IDLE)));
            open.entry(key).or_default().clone()
        };
        let place = slot.get_or_init(|| {
            let opened = Place::open(store, Some(Arc::new(view)), memory);
            opened.map_err(|e| tracing::error!("a view could not be loaded: {e}")).ok().inspect(|p| p.used.store(now, Ordering::Relaxed))
        });
        place.as_ref().inspect(|p| p.used.store(now, Ordering::Relaxed)).cloned()
    }
}
