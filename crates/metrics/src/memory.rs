//! The memory that may be used beside the facts of the present: by what is kept for later, by facts of the past and by
//! questions that are being answered. One for the whole process; where it runs short, what nobody used for longest goes.
//! What is large leaves a quarter of it to small questions, of which no person may have more than their purse holds.
//!
//! Must not know what is kept. Sizes are estimates by whoever takes them; what is taken is given back when it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

/// Something that keeps what could be made again.
pub trait Keeper: Send + Sync {
    /// When each thing was last used, and its bytes.
    fn kept(&self) -> Vec<(u64, usize)>;
    /// Lets go of what was last used then or before.
    fn let_go(&self, used: u64);
}

pub struct Memory {
    limit: usize,
    used: AtomicUsize,
    /// Of it, what is kept for later.
    kept: AtomicUsize,
    /// Counts questions: by it one tells what was used longer ago.
    age: AtomicU64,
    keepers: Mutex<Vec<Weak<dyn Keeper>>>,
}

impl Memory {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), kept: AtomicUsize::new(0), age: AtomicU64::new(0), keepers: Mutex::default() })
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    pub fn now(&self) -> u64 {
        self.age.load(Ordering::Relaxed)
    }

    /// A new question: what it uses was used later than all before.
    pub fn tick(&self) {
        self.age.fetch_add(1, Ordering::Relaxed);
    }

    pub fn register(&self, keeper: Weak<dyn Keeper>) {
        if let Ok(mut keepers) = self.keepers.lock() {
            keepers.retain(|k| k.strong_count() > 0);
            keepers.push(keeper);
        }
    }

    /// What large things may have together.
    pub fn for_large(&self) -> usize {
        self.limit - self.limit / 4
    }

    /// Room for something large, where there is any or can be made.
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Hold> {
        let hold = Hold { memory: self.clone(), purse: None, bytes: AtomicUsize::new(0) };
        hold.more(bytes).then_some(hold)
    }

    /// Nothing yet, for something small that somebody wants.
    pub fn small(self: &Arc<Self>, purse: &Arc<Purse>) -> Hold {
        Hold { memory: self.clone(), purse: Some(purse.clone()), bytes: AtomicUsize::new(0) }
    }

    fn fits(&self, bytes: usize, most: usize) -> bool {
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    /// Counts bytes of something that is kept for later.
    fn keep(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What is kept may have up to half of all.
    fn shed(&self) {
        let (used, kept) = (self.used(), self.kept.load(Ordering::Relaxed));
        let over = kept.saturating_sub(self.limit / 2).max(used.saturating_sub(self.limit));
        if over > 0 {
            // Some more at once, so that it is not done for every thing anew.
            self.let_go(over + self.limit / 8);
        }
    }

    /// Gives back what was kept.
    fn unkeep(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
        self.give(bytes);
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn each(&self) -> Vec<Arc<dyn Keeper>> {
        self.keepers.lock().map(|k| k.iter().filter_map(Weak::upgrade).collect()).unwrap_or_default()
    }

    fn list(&self) -> Vec<(u64, usize)> {
        self.each().iter().flat_map(|k| k.kept()).collect()
    }

    /// Lets go of what was not used for longest, until so many bytes are free.
    fn let_go(&self, bytes: usize) {
        let mut all = self.list();
        all.sort_unstable();
        let mut sum = 0;
        let last = all.iter().find(|(_, own)| { sum += own; sum >= bytes }).or(all.last()).map(|(used, _)| *used);
        if let Some(last) = last {
            self.each().iter().for_each(|k| k.let_go(last));
        }
    }
}

/// What one person's small questions have together, until their answers are sent.
#[derive(Debug, Default)]
pub struct Purse {
    used: AtomicUsize,
}

impl Purse {
    fn fits(&self, bytes: usize, most: usize) -> bool {
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| used.checked_add(bytes).filter(|sum| *sum <= most)).is_ok()
    }
}

/// A purse holds this part of all memory.
const PURSE: usize = 8;

/// Bytes that somebody has; given back when it is dropped.
pub struct Hold {
    memory: Arc<Memory>,
    purse: Option<Arc<Purse>>,
    bytes: AtomicUsize,
}

impl Hold {
    /// Takes more; false where there is no room.
    pub fn more(&self, bytes: usize) -> bool {
        let memory = &self.memory;
        let most = if self.purse.is_some() { memory.limit } else { memory.for_large() };
        if !self.purse.as_ref().is_none_or(|purse| purse.fits(bytes, memory.limit / PURSE)) {
            return false;
        }
        let had = memory.fits(bytes, most) || {
            memory.let_go(bytes + memory.used().saturating_sub(most) + memory.limit / 16);
            memory.fits(bytes, most)
        };
        if had {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        } else if let Some(purse) = &self.purse {
            purse.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        had
    }

    /// Gives back what turned out not to be needed; or counts what is there in any case. For what is large.
    pub fn settle(&self, bytes: usize) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        self.memory.used.fetch_add(bytes, Ordering::Relaxed);
        self.memory.give(before);
    }

    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.memory.give(self.bytes());
        if let Some(purse) = &self.purse {
            purse.used.fetch_sub(self.bytes(), Ordering::Relaxed);
        }
    }
}

struct Kept<V> {
    value: V,
    bytes: usize,
    used: u64,
}

/// Things by key, each with its size and when it was last used.
pub(crate) struct Shelf<K, V> {
    memory: Arc<Memory>,
    things: Mutex<HashMap<K, Kept<V>>>,
}

/// What the map itself needs for one thing.
const ENTRY: usize = 96;

impl<K: Eq + Hash + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Shelf<K, V> {
    pub fn new(memory: &Arc<Memory>) -> Arc<Self> {
        let shelf = Arc::new(Self { memory: memory.clone(), things: Mutex::default() });
        let weak: Weak<Self> = Arc::downgrade(&shelf);
        memory.register(weak);
        shelf
    }

    pub fn get(&self, key: K) -> Option<V> {
        let mut things = self.things.lock().ok()?;
        let kept = things.get_mut(&key)?;
        kept.used = self.memory.now();
        Some(kept.value.clone())
    }

    pub fn put(&self, key: K, value: V, bytes: usize) {
        let bytes = bytes + ENTRY;
        let Ok(mut things) = self.things.lock() else { return };
        // Counted before anybody can let go of it.
        self.memory.keep(bytes);
        let old = things.insert(key, Kept { value, bytes, used: self.memory.now() });
        drop(things);
        self.memory.unkeep(old.map_or(0, |o| o.bytes));
        self.memory.shed();
    }
}

impl<K: Eq + Hash + Send + Sync, V: Send + Sync> Keeper for Shelf<K, V> {
    fn kept(&self) -> Vec<(u64, usize)> {
        self.things.lock().map(|t| t.values().map(|k| (k.used, k.bytes)).collect()).unwrap_or_default()
    }

    fn let_go(&self, used: u64) {
        let Ok(mut things) = self.things.lock() else { return };
        let mut freed = 0;
        things.retain(|_, kept| {
            let stays = kept.used > used;
            freed += if stays { 0 } else { kept.bytes };
            stays
        });
        if things.capacity() > 64 && things.len() * 4 < things.capacity() {
            let len = things.len();
            things.shrink_to(len * 2);
        }
        drop(things);
        self.memory.unkeep(freed);
    }
}

impl<K, V> Drop for Shelf<K, V> {
    fn drop(&mut self) {
        let bytes = self.things.get_mut().map(|t| t.values().map(|k| k.bytes).sum()).unwrap_or(0);
        self.memory.unkeep(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first_whoever_keeps_it() {
        let memory = Memory::new(100_000);
        let (a, b): (Arc<Shelf<u64, u64>>, Arc<Shelf<u64, u64>>) = (Shelf::new(&memory), Shelf::new(&memory));
        for key in 0..40 {
            memory.tick();
            if key % 2 == 0 { a.put(key, key, 1_000) } else { b.put(key, key, 1_000) }
        }
        assert!(memory.used() <= 50_000, "what is kept has up to half: {}", memory.used());
        memory.tick();
        assert_eq!(a.get(38), Some(38));
        let large = memory.take(70_000).expect("room");
        assert!(memory.used() <= 100_000);
        assert!(memory.take(10_000).is_none(), "what is large leaves a quarter to what is small");
        let purse = Arc::default();
        let small = memory.small(&purse);
        assert!(small.more(12_000) && !small.more(1_000) && !memory.small(&purse).more(1_000), "a purse is an eighth of all");
        assert!(memory.small(&Arc::default()).more(12_000), "another's purse is another's");
        drop((small, large));
        assert!(memory.small(&purse).more(12_000), "it is given back");
        drop((a, b));
        assert_eq!(memory.used(), 0, "all is given back");
    }

    #[test]
    fn a_thing_put_twice_counts_once() {
        let memory = Memory::new(100_000);
        let shelf: Arc<Shelf<u64, u64>> = Shelf::new(&memory);
        shelf.put(1, 1, 500);
        shelf.put(1, 2, 700);
        assert_eq!((shelf.get(1), memory.used()), (Some(2), 700 + ENTRY));
        let hold = memory.take(10).expect("room");
        hold.settle(50);
        assert_eq!(memory.used(), 750 + ENTRY);
    }
}
