//! What one question may use: cells worked out, bytes, time; and whether its asker still waits.
//!
//! It is looked at before and while an answer is made. Loops that cannot fail end early once it is spent, and whoever
//! called them asks `check`, so nothing half done is ever kept or told.

use crate::memory::{Hold, Memory, Purse};
use crate::{MetricError, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// Cells that one question may work out, those of the parts of its metrics counted in.
pub const MOST_CELLS: usize = 200_000;

/// Of all memory one question may have this part, and never more than `MOST_BYTES`.
const SHARE: usize = 4;
const MOST_BYTES: usize = 512 << 20;
/// And this part while it counts as small.
const SMALL: usize = 16;

/// Why a question was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// Nobody waits for the answer any more.
    Left,
    Time,
    Cells,
    /// More bytes than one question may have.
    Bytes,
    /// Others have the memory at the moment.
    Busy,
}

const ALL: [Spent; 5] = [Spent::Left, Spent::Time, Spent::Cells, Spent::Bytes, Spent::Busy];

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spent::Left => f.write_str("nobody waits for the answer any more"),
            Spent::Time => f.write_str("the question takes too long to answer; ask for a shorter period, a coarser grain, fewer metrics or no breakdown"),
            Spent::Cells => write!(f, "the question asks for more than {MOST_CELLS} numbers; ask for a shorter period, a coarser grain, fewer metrics or a breakdown with fewer values"),
            Spent::Bytes => f.write_str("the answer needs more memory than one question may have; ask for a shorter period, a coarser grain, fewer metrics or a breakdown with fewer values"),
            Spent::Busy => f.write_str("the memory is taken by other questions at the moment; try again in a few seconds"),
        }
    }
}

pub struct Budget {
    cells: AtomicUsize,
    bytes: usize,
    hold: Option<Hold>,
    left: Arc<AtomicBool>,
    late: Box<dyn Fn() -> bool + Send + Sync>,
    /// The first reason to stop, one more than its place among all; 0 while there is none.
    spent: AtomicU8,
}

impl Budget {
    /// `left` is set once nobody waits any more; `late` says whether the time is up.
    pub fn new(memory: &Arc<Memory>, left: Arc<AtomicBool>, late: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        memory.tick();
        Self { cells: AtomicUsize::new(0), bytes: (memory.limit() / SHARE).min(MOST_BYTES), hold: memory.take(0), left, late: Box::new(late), spent: AtomicU8::new(0) }
    }

    /// Of a question that counts as small: whatever needs more is not. What it has comes out of its asker's purse.
    pub fn small(memory: &Arc<Memory>, purse: &Arc<Purse>, left: Arc<AtomicBool>, late: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { bytes: memory.limit() / SMALL, hold: Some(memory.small(purse)), ..Self::new(memory, left, late) }
    }

    fn stop(&self, why: Spent) {
        let at = ALL.iter().position(|s| *s == why).unwrap_or(0) as u8 + 1;
        let _ = self.spent.compare_exchange(0, at, Ordering::Relaxed, Ordering::Relaxed);
    }

    pub fn spent(&self) -> Option<Spent> {
        ALL.get(usize::from(self.spent.load(Ordering::Relaxed)).checked_sub(1)?).copied()
    }

    /// May the work go on? What a loop asks that cannot fail.
    pub fn goes_on(&self) -> bool {
        if self.spent.load(Ordering::Relaxed) != 0 {
            return false;
        }
        if self.left.load(Ordering::Relaxed) {
            self.stop(Spent::Left);
            return false;
        }
        let late = (self.late)();
        if late {
            self.stop(Spent::Time);
        }
        !late
    }

    /// The reason to stop, if there is one.
    pub fn check(&self) -> Result<()> {
        self.goes_on();
        self.spent().map_or(Ok(()), |why| Err(MetricError::Spent(why)))
    }

    /// Counts bytes that stay until the question is answered; false where they are too many.
    pub fn hold(&self, bytes: usize) -> bool {
        let Some(hold) = &self.hold else { return self.goes_on() };
        if hold.bytes().saturating_add(bytes) > self.bytes {
            self.stop(Spent::Bytes);
        } else if !hold.more(bytes) {
            self.stop(Spent::Busy);
        }
        self.goes_on()
    }

    /// Counts cells that are worked out; false where they are too many.
    pub fn cells(&self, groups: usize, spans: usize) -> bool {
        let n = groups.saturating_mul(spans);
        if self.cells.fetch_add(n.min(MOST_CELLS + 1), Ordering::Relaxed).saturating_add(n) > MOST_CELLS {
            self.stop(Spent::Cells);
        }
        self.hold(n.min(MOST_CELLS).saturating_mul(CELL))
    }

    /// The bytes that are left for the answer's text.
    pub fn room(&self) -> usize {
        self.bytes.saturating_sub(self.hold.as_ref().map_or(0, Hold::bytes))
    }
}

/// A cell with what it usually carries.
const CELL: usize = size_of::<crate::Cell>() + 64;

impl Default for Budget {
    /// For programs that answer one question and end: no time limit, memory of its own.
    fn default() -> Self {
        Self::new(&Memory::new(SHARE * MOST_BYTES), Arc::default(), || false)
    }
}
