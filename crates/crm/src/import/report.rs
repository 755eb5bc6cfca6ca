//! What a run is told and what it tells: its terms, what came of it, the rows that it set aside.

use std::collections::BTreeMap;

/// A row that was not imported, or a value that was left out of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Reject {
    pub file: String,
    pub row: u64,
    pub column: String,
    pub reason: String,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Report {
    pub rows: u64,
    /// By object: created, changed, unchanged.
    pub objects: BTreeMap<String, [u64; 3]>,
    pub rejected: u64,
    /// The first of them, with their rows; all are in the rejects file.
    pub rejects: Vec<Reject>,
    pub headings: Vec<String>,
    /// Values that could not be read and were left out of records that were written, and the first of them.
    pub left_out: u64,
    pub left: Vec<Reject>,
    /// Records made as closed of which nothing says since when, by object.
    pub undated: BTreeMap<String, u64>,
    /// Amounts by currency.
    pub currencies: BTreeMap<String, u64>,
    pub seq: u64,
    /// Ended early, as somebody asked.
    pub stopped: bool,
}

/// On what terms a run goes.
pub struct Terms<'a> {
    /// Under whose name it writes.
    pub actor: String,
    /// Only tells what would happen.
    pub dry: bool,
    /// Asked now and then with the report so far; false ends the run after what is written.
    pub go_on: &'a dyn Fn(&Report) -> bool,
    /// Told of every value that is left out, with the headings.
    pub on_left: &'a dyn Fn(&[String], &Reject),
}
