//! What data cannot say: setting a workspace up, imports, demo data, who may see what.
//!
//! Uses the store's one write path and must not know of HTTP.

pub mod access;
pub mod check;
pub mod demo;
pub mod env;
pub mod import;
pub mod titles;
pub mod workspace;

pub use env::Env;

#[derive(Debug, thiserror::Error)]
pub enum CrmError {
    #[error(transparent)]
    Store(#[from] northing_store::StoreError),
    #[error(transparent)]
    Facts(#[from] northing_facts::FactsError),
    #[error("{0}")]
    Plan(String),
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
}
pub type Result<T> = std::result::Result<T, CrmError>;
