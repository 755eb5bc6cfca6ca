//! What an actor may see: for every object a condition that its records must meet.
//!
//! Store and metrics demand a `Scope`; only the access rules in `crm` make one.

use crate::Expr;
use std::collections::BTreeMap;

/// A condition per object. An object without an entry is seen whole in `all`, not at all otherwise.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    everything: bool,
    conditions: BTreeMap<String, Expr>,
}

impl Scope {
    /// Sees every record: the owner of the workspace and the command line on its own files.
    pub fn all() -> Self {
        Self { everything: true, conditions: BTreeMap::new() }
    }
    /// Sees only what the conditions name.
    pub fn only(conditions: BTreeMap<String, Expr>) -> Self {
        Self { everything: false, conditions }
    }
    pub fn condition(&self, object: &str) -> Option<&Expr> {
        self.conditions.get(object)
    }
    pub fn sees(&self, object: &str) -> bool {
        self.everything || self.conditions.contains_key(object)
    }
    /// Stands in every cache key, so that no answer made for one person reaches another.
    pub fn key(&self) -> String {
        format!("{}{:?}", self.everything, self.conditions)
    }
}
