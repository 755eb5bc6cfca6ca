//! Clock and ids, handed in so that every test is repeatable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

#[derive(Clone)]
pub struct Env {
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    ids: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

impl Env {
    pub fn new(clock: impl Fn() -> i64 + Send + Sync + 'static, ids: impl Fn() -> Uuid + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ids: Arc::new(ids) }
    }
    /// A clock that stands still and ids that count up from a seed.
    pub fn fixed(now: i64, seed: u64) -> Self {
        let next = AtomicU64::new(0);
        Self::new(
            move || now,
            move || {
                let n = next.fetch_add(1, Ordering::Relaxed);
                Uuid::from_u64_pair(0x0190_0000_0000_7000 | (seed & 0xfff), 0x8000_0000_0000_0000 | n)
            },
        )
    }
    /// UTC seconds.
    pub fn now(&self) -> i64 {
        (self.clock)()
    }
    pub fn id(&self) -> Uuid {
        (self.ids)()
    }
}
