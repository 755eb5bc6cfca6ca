//! What the records mean: typed columns in memory, derived from the change log by pure functions.
//!
//! Facts are recomputed for the customers that a change touches, or rebuilt whole with the same result. This
//! crate reads the store's log and tables and never writes; it must not know of metrics, HTTP or languages.

pub mod build;
pub mod column;
mod derive;
pub mod eval;
pub mod feed;
pub mod free;
pub mod fx;
pub mod groups;
mod choices;
mod known;
mod links;
pub mod list;
mod load;
mod measures;
pub mod progress;
mod scoring;
pub mod search;
pub mod settings;
pub mod snapshot;
pub mod table;
mod touch;
pub mod twins;
pub mod view;

pub use build::Facts;
pub use column::{NONE, NULL};
pub use feed::Feed;
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use table::{CHUNK, Chunk, Table};
pub use view::{Sees, View};

#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error("nobody waits for these facts any more")]
    Unwanted,
    #[error(transparent)]
    Store(#[from] northing_store::StoreError),
    #[error("{0}")]
    Expression(String),
}
pub type Result<T> = std::result::Result<T, FactsError>;
