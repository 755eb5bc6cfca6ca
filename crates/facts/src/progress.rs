//! How far the facts are when they are read anew as a whole, for whoever waits.

use std::sync::atomic::{AtomicU64, Ordering};

/// Rows read and derived; told while it happens, by one thread.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    /// As many as there were the last time; none while nothing is read anew.
    total: AtomicU64,
}

impl Progress {
    pub(crate) fn begin(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total.max(1), Ordering::Relaxed);
    }
    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }
    pub(crate) fn end(&self) {
        self.total.store(0, Ordering::Relaxed);
    }
    /// In whole percent, while it goes on.
    pub fn percent(&self) -> Option<u64> {
        let (done, total) = (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed));
        (total > 0).then(|| (done * 100 / total).min(99))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_told_only_while_it_goes_on() {
        let progress = super::Progress::default();
        progress.step();
        assert_eq!(progress.percent(), None);
        progress.begin(4);
        assert_eq!(progress.percent(), Some(0));
        for _ in 0..9 {
            progress.step();
        }
        assert_eq!(progress.percent(), Some(99), "more rows than the last time are not more than all");
        progress.end();
        assert_eq!(progress.percent(), None);
    }
}
