//! What the product knows, as data: objects, fields, types, relations, metrics, expressions, calendars.
//!
//! Everything here is loaded from `model/` (and from definitions kept in the workspace) and checked once.
//! This crate does no input or output beyond the embedded files and must not know of SQLite, columns,
//! HTTP or the clock.

pub mod calendar;
pub mod declared;
mod exclusive;
pub mod expr;
pub mod field;
pub mod formula;
pub mod labels;
pub mod machines;
pub mod metric;
pub mod money;
pub mod object;
pub mod own;
pub mod period;
pub mod phrases;
pub mod schedule;
pub mod source;
pub mod text;
pub mod value;

pub use calendar::{Calendar, Zone};
pub use expr::Expr;
pub use field::{FieldDef, FieldType, Physical, Suggest};
pub use labels::Labels;
pub use machines::Machines;
pub use metric::{MetricDef, MetricKind};
pub use money::{Currency, Money};
pub use object::{Model, ObjectDef};
pub use period::{Grain, Period};
pub use phrases::Phrases;
pub use schedule::Schedule;
pub use value::{Record, Value};

/// What is wrong with a declaration or a value, and what to do about it.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[error("{place}: {problem}{}", if cure.is_empty() { String::new() } else { format!(" ({cure})") })]
pub struct ModelError {
    /// File and key, or object and field.
    pub place: String,
    pub problem: String,
    /// What the reader can do; may be empty.
    pub cure: String,
}

impl ModelError {
    pub fn new(place: impl Into<String>, problem: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into(), cure: cure.into() }
    }
}
