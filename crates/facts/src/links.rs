//! Which rows point at a record: one list per parent, two integers a row.

use crate::NONE;

/// Lists of child rows by parent row, for one reference column. Holds the reference as entered, before merges.
#[derive(Debug, Clone, Default)]
pub struct Links {
    head: Vec<u32>,
    next: Vec<u32>,
    parent: Vec<u32>,
}

impl Links {
    pub fn parent(&self, child: u32) -> u32 {
        self.parent.get(child as usize).copied().unwrap_or(NONE)
    }
    /// Moves a child under a parent (`NONE`: under none).
    pub fn set(&mut self, child: u32, parent: u32) {
        grow(&mut self.parent, child);
        grow(&mut self.next, child);
        let old = self.parent[child as usize];
        if old == parent {
            return;
        }
        if old != NONE {
            self.unlink(old, child);
        }
        self.parent[child as usize] = parent;
        if parent != NONE {
            grow(&mut self.head, parent);
            self.next[child as usize] = self.head[parent as usize];
            self.head[parent as usize] = child;
        }
    }
    fn unlink(&mut self, parent: u32, child: u32) {
        let after = self.next[child as usize];
        let mut at = self.head[parent as usize];
        if at == child {
            self.head[parent as usize] = after;
        } else {
            while at != NONE && self.next[at as usize] != child {
                at = self.next[at as usize];
            }
            if at != NONE {
                self.next[at as usize] = after;
            }
        }
        self.next[child as usize] = NONE;
    }
    pub fn children(&self, parent: u32) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = self.head.get(parent as usize).copied().unwrap_or(NONE);
        while at != NONE {
            found.push(at);
            at = self.next[at as usize];
        }
        found
    }
}

fn grow(list: &mut Vec<u32>, index: u32) {
    if list.len() <= index as usize {
        list.resize(index as usize + 1, NONE);
    }
}
