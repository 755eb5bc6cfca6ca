//! Facts of the past: made of the log up to a change, one after another, for whoever asks for them; shared by all who
//! ask for the same, kept while there is memory for them, and given up when nobody waits any more.
//!
//! Waiting for them takes no thread. Whoever would wait long is told to come again, and finds them then.

use crate::place::Place;
use crate::problem::Problem;
use axum::http::StatusCode;
use northing_facts::{Facts, FactsError, Snapshot};
use northing_metrics::Memory;
use northing_metrics::memory::{Hold, Keeper};
use northing_store::Store;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot, watch};

/// Instants that are kept, that may wait to be made, and that one person may wait for.
const KEPT: usize = 4;
const COMING: usize = 16;
const EACH: usize = 2;
/// How long a request waits, and for how long after that it is expected to come again.
const PATIENCE: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_secs(60);
/// After how long without a question they are let go.
const IDLE: Duration = Duration::from_secs(600);

/// What making facts takes: a record as it is read, and the facts themselves twice over.
const RECORD: usize = 1_000;
const TWICE: usize = 2;

/// Whose facts, of which declarations, up to which change.
type Which = (u64, String, u64);

pub struct Past {
    memory: Arc<Memory>,
    all: Mutex<Vec<Arc<Slot>>>,
    /// One is made at a time, always on the same thread: what the allocator keeps for a thread, it keeps once.
    making: Semaphore,
    /// Where in the log an instant lies is looked up by one at a time: each may read all of it.
    looking: Semaphore,
    thread: rayon::ThreadPool,
}

struct Slot {
    which: Which,
    who: String,
    used: AtomicU64,
    waiting: AtomicUsize,
    unwanted: AtomicBool,
    made: watch::Sender<Option<Made>>,
}

#[derive(Clone)]
enum Made {
    There(Arc<Then>),
    Not(Problem),
}

/// Facts of the past with the memory that they have.
pub struct Then {
    pub facts: Snapshot,
    _hold: Hold,
}

/// Somebody who waits; when nobody does any more, the facts are not made.
struct Waits(Arc<Slot>);

impl Waits {
    fn new(slot: &Arc<Slot>) -> Self {
        slot.waiting.fetch_add(1, Ordering::SeqCst);
        Self(slot.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        if self.0.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.unwanted.store(true, Ordering::SeqCst);
        }
    }
}

impl Keeper for Past {
    fn kept(&self) -> Vec<(u64, usize)> {
        let of = |slot: &Arc<Slot>| Some((slot.used.load(Ordering::Relaxed), slot.idle()?.facts.bytes()));
        self.all.lock().map(|all| all.iter().filter_map(of).collect()).unwrap_or_default()
    }

    fn let_go(&self, used: u64) {
        let gone: Vec<Arc<Slot>> = self.all.lock().map(|mut all| all.extract_if(.., |slot| slot.used.load(Ordering::Relaxed) <= used && slot.idle().is_some()).collect()).unwrap_or_default();
        drop(gone);
    }
}

impl Slot {
    fn there(&self) -> Option<Arc<Then>> {
        match &*self.made.borrow() {
            Some(Made::There(then)) => Some(then.clone()),
            _ => None,
        }
    }

    /// The facts, if they are there and nobody looks at them.
    fn idle(&self) -> Option<Arc<Then>> {
        // One here, one in the slot.
        self.there().filter(|then| Arc::strong_count(then) == 2)
    }

    fn coming(&self) -> bool {
        self.made.borrow().is_none() && !self.unwanted.load(Ordering::SeqCst)
    }
}

impl Past {
    pub fn new(memory: &Arc<Memory>) -> Result<Arc<Self>, crate::ServeError> {
        let thread = crate::asking::idle("past", 1)?;
        let past = Arc::new(Self { memory: memory.clone(), all: Mutex::default(), making: Semaphore::new(1), looking: Semaphore::new(1), thread });
        let weak: std::sync::Weak<Self> = Arc::downgrade(&past);
        memory.register(weak);
        Ok(past)
    }

    /// The last change that had been made at an instant.
    pub async fn seq_at(&self, store: &Store, instant: i64) -> Result<u64, Problem> {
        let turn = tokio::time::timeout(PATIENCE, self.looking.acquire()).await;
        let _turn = turn.map_err(|_| Problem::busy("other questions are being answered; try again in a few seconds"))?.map_err(Problem::internal)?;
        let store = store.clone();
        crate::app::blocking(move || Ok(store.seq_at(instant)?)).await
    }

    /// The facts of a place as they stood when the log ended there.
    pub async fn at(self: &Arc<Self>, store: &Store, place: &Arc<Place>, seq: u64, who: &str) -> Result<Arc<Then>, Problem> {
        let which = (place.number, store.model().edition(), seq);
        let (waits, mut made) = {
            let mut all = self.all.lock().map_err(|_| Problem::internal("facts of the past"))?;
            all.retain(|slot| slot.there().is_some() || slot.coming());
            let slot = match all.iter().find(|slot| slot.which == which) {
                Some(slot) => slot.clone(),
                None => {
                    let coming = |own: bool| all.iter().filter(|slot| slot.coming() && (!own || slot.who == who)).count();
                    if coming(true) >= EACH || coming(false) >= COMING {
                        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "wait", "You ask for much at once", "facts of other days are still being made; try again in a few seconds").again(5));
                    }
                    let slot = Arc::new(Slot { which, who: who.to_string(), used: AtomicU64::new(0), waiting: AtomicUsize::new(0), unwanted: AtomicBool::new(false), made: watch::channel(None).0 });
                    all.push(slot.clone());
                    tokio::spawn(self.clone().make(slot.clone(), store.clone(), place.clone()));
                    slot
                }
            };
            self.memory.tick();
            slot.used.store(self.memory.now(), Ordering::Relaxed);
            (Waits::new(&slot), slot.made.subscribe())
        };
        let Ok(found) = tokio::time::timeout(PATIENCE, made.wait_for(Option::is_some)).await else {
            // Who is told to come again still wants them.
            tokio::spawn(async move {
                tokio::time::sleep(AGAIN).await;
                drop(waits);
            });
            return Err(Problem::busy("facts of that day are still being made; try again in a few seconds"));
        };
        match found.ok().and_then(|made| made.clone()) {
            Some(Made::There(then)) => Ok(then),
            Some(Made::Not(problem)) => Err(problem),
            None => Err(Problem::busy("facts of that day are still being made; try again in a few seconds")),
        }
    }

    /// Makes facts in their turn, and lets go of them once nobody has asked for long.
    async fn make(self: Arc<Self>, slot: Arc<Slot>, store: Store, place: Arc<Place>) {
        let turn = self.making.acquire().await;
        let made = if turn.is_err() || slot.unwanted.load(Ordering::SeqCst) { None } else { self.made(&slot, store, place).await };
        drop(turn);
        let kept = matches!(made, Some(Made::There(_)));
        if made.is_none() {
            slot.unwanted.store(true, Ordering::SeqCst);
        }
        slot.made.send_modify(|now| *now = made.or(Some(Made::Not(Problem::busy("facts of that day are still being made; try again in a few seconds")))));
        self.forget(|own, _| !kept && Arc::ptr_eq(own, &slot));
        self.forget(|_, more| more);
        if !kept {
            return;
        }
        let (mut last, own) = (slot.used.load(Ordering::Relaxed), Arc::downgrade(&slot));
        drop(slot);
        loop {
            tokio::time::sleep(IDLE).await;
            // What others let go of must not stay because of this.
            let Some(slot) = own.upgrade() else { return };
            let used = slot.used.load(Ordering::Relaxed);
            if used == last {
                return self.forget(|own, _| Arc::ptr_eq(own, &slot));
            }
            last = used;
        }
    }

    /// Lets go of some; who is told of each, and whether there are more than are kept that were used later.
    fn forget(&self, gone: impl Fn(&Arc<Slot>, bool) -> bool) {
        let Ok(mut all) = self.all.lock() else { return };
        let mut ages: Vec<u64> = all.iter().filter(|slot| slot.there().is_some()).map(|slot| slot.used.load(Ordering::Relaxed)).collect();
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let oldest = ages.get(KEPT).copied();
        all.retain(|slot| !gone(slot, oldest.is_some_and(|oldest| slot.there().is_some() && slot.used.load(Ordering::Relaxed) <= oldest)));
    }

    async fn made(&self, slot: &Arc<Slot>, store: Store, place: Arc<Place>) -> Option<Made> {
        let now = place.feed.now();
        let takes = now.bytes() * TWICE + usize::try_from(now.rows()).unwrap_or(usize::MAX / RECORD) * RECORD;
        let Some(hold) = self.memory.take(takes) else {
            return Some(Made::Not(if takes > self.memory.for_large() {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too-much", "The question is too large", "facts of the past need more memory than the server may use; start it with a larger --memory, or ask without as_of")
            } else {
                Problem::busy("the memory is taken by other questions at the moment; try again in a few seconds")
            }));
        };
        let (own, up_to) = (slot.clone(), slot.which.2);
        let replay = move || Facts::replay_while(&store, up_to, place.view.clone(), &|| !own.unwanted.load(Ordering::SeqCst)).map(|mut facts| facts.snapshot());
        let (tell, told) = oneshot::channel();
        self.thread.spawn(move || drop(tell.send(std::panic::catch_unwind(std::panic::AssertUnwindSafe(replay)))));
        match told.await {
            Ok(Ok(Ok(facts))) => {
                hold.settle(facts.bytes());
                Some(Made::There(Arc::new(Then { facts, _hold: hold })))
            }
            Ok(Ok(Err(FactsError::Unwanted))) => None,
            Ok(Ok(Err(e))) => Some(Made::Not(Problem::internal(e))),
            Ok(Err(_)) | Err(_) => Some(Made::Not(Problem::internal("facts of the past could not be made"))),
        }
    }
}
