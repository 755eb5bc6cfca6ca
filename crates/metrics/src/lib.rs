//! Questions over facts: question → plan → shared scans → answer, explanation, drill-down.
//!
//! Metrics aggregate and do nothing else. This crate reads snapshots only; it must not know of the store,
//! of HTTP or of languages (it answers codes and ids, not sentences).

pub mod answer;
mod attribute;
mod breakdown;
pub mod budget;
pub mod clv;
mod cohort;
pub mod drill;
mod evaluate;
pub mod explain;
pub mod memory;
mod plan;
pub mod question;
mod reach;
mod rows;
mod scan;
mod span;
pub mod stats;
mod trial;

pub use answer::{Answer, Bucket, Cell, MetricAnswer};
pub use budget::{Budget, Spent};
pub use cohort::{Cohort, Cohorts, cohorts, cohorts_within};
pub use evaluate::{ask, ask_within};
pub use memory::Memory;
pub use question::{Compare, Question, Wanted};
pub use scan::Cache;
pub use trial::try_model;

/// Why a question could not be answered, in words for the asker.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
pub enum MetricError {
    #[error("there is no metric '{0}'; `northing metrics` lists them")]
    Unknown(String),
    #[error("{0}")]
    Question(String),
    #[error("{metric}: a sum is larger than the engine can hold")]
    Overflow { metric: String },
    #[error("you have no access to the records that {0} is made of")]
    Forbidden(String),
    #[error("{0}")]
    Spent(Spent),
}

pub type Result<T> = std::result::Result<T, MetricError>;
