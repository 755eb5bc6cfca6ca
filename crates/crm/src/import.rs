//! Imports: lists (CSV, sheets of workbooks) streamed into records by a plan. Bad rows are set aside with their reasons and can be
//! corrected and imported again; importing the same file twice changes nothing.

mod convert;
mod days;
pub mod guess;
mod join;
mod keys;
mod known;
pub mod known_lists;
pub mod mapping;
mod moments;
mod number;
pub mod plan;
pub mod questions;
mod reader;
mod refs;
mod report;
mod run;
pub mod sheet;
mod stages;
mod undo;
mod words;

pub use guess::{Guess, Looked};
pub use keys::reference;
pub use mapping::Mapping;
pub use plan::Plan;
pub use questions::{About, Question, questions};
pub use reader::{headings, look};
pub use report::{Reject, Report, Terms};
pub use run::{import, import_on};
pub use undo::{Undone, undo};
