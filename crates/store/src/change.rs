//! What a caller asks the store to do, and what it answers.

use northing_model::{Record, Value};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Create,
    Update,
    Delete,
    /// Takes a deletion back.
    Restore,
}

impl Op {
    pub fn name(self) -> &'static str {
        match self {
            Op::Create => "create",
            Op::Update => "update",
            Op::Delete => "delete",
            Op::Restore => "restore",
        }
    }
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Op::Create, Op::Update, Op::Delete, Op::Restore].into_iter().find(|o| o.name() == text)
    }
}

/// From `at` on (null: unknown since when) a history field had this value.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    pub field: String,
    pub at: Option<i64>,
    pub value: Value,
}

/// One record to create, change, delete or restore.
#[derive(Debug, Clone)]
pub struct Change {
    pub object: String,
    pub id: Uuid,
    pub op: Op,
    /// The version that the caller has seen; `None` does not check.
    pub expected: Option<u64>,
    /// Fields to set; null clears.
    pub fields: Record,
    /// When history fields took their values. A changed history field without an entry here counts from the commit's
    /// time; in a new record that says it was made before, since when is unknown, unless it is the declared default.
    pub moments: Vec<Moment>,
}

impl Change {
    pub fn create(object: &str, id: Uuid, fields: Record) -> Self {
        Self { object: object.into(), id, op: Op::Create, expected: None, fields, moments: Vec::new() }
    }
    pub fn update(object: &str, id: Uuid, fields: Record) -> Self {
        Self { object: object.into(), id, op: Op::Update, expected: None, fields, moments: Vec::new() }
    }
    pub fn delete(object: &str, id: Uuid) -> Self {
        Self { object: object.into(), id, op: Op::Delete, expected: None, fields: Record::new(), moments: Vec::new() }
    }
    /// Takes a deletion back.
    pub fn restore(object: &str, id: Uuid) -> Self {
        Self { op: Op::Restore, ..Self::delete(object, id) }
    }
    pub fn at_version(mut self, version: u64) -> Self {
        self.expected = Some(version);
        self
    }
    pub fn with_moments(mut self, moments: Vec<Moment>) -> Self {
        self.moments = moments;
        self
    }
}

/// A set of changes that happen together or not at all.
#[derive(Debug, Clone)]
pub struct Commit {
    pub actor: String,
    /// UTC seconds, from the caller's clock.
    pub at: i64,
    pub changes: Vec<Change>,
    /// Idempotency key and a hash of the request that it came with.
    pub key: Option<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The last log entry of this commit; the log's end if nothing changed.
    pub seq: u64,
    /// Id and new version of each record that changed.
    pub versions: Vec<(Uuid, u64)>,
}
