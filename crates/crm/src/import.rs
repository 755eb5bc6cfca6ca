//! Imports: lists (CSV, sheets of workbooks) streamed into records by a plan. Bad rows are set aside with their reasons and can be
//! corrected and imported again; importing the same file twice changes nothing.

mod convert;
pub mod guess;
mod join;
mod known;
pub mod mapping;
pub mod plan;
mod reader;
mod report;
mod run;
pub mod sheet;
mod undo;

pub use mapping::Mapping;
pub use plan::Plan;
pub use reader::{headings, look};
pub use report::{Reject, Report, Terms};
pub use run::{import, import_on};
pub use undo::{Undone, undo};
