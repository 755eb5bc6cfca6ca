//! Imports: streaming CSV into records by a plan. Bad rows are set aside with their reasons and can be
//! corrected and imported again; importing the same file twice changes nothing.

mod convert;
pub mod guess;
mod join;
pub mod plan;
mod reader;
mod run;

pub use plan::Plan;
pub use reader::headings;
pub use run::{Reject, Report, import};
