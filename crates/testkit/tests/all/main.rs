//! One test binary for what spans crates: linking is dear on two cores.
#![allow(clippy::unwrap_used)]

mod again;
mod bookings;
mod bulk;
mod cases;
mod crash;
mod declare;
mod declare_names;
mod declare_options;
mod declare_takeover;
mod elsewhere;
mod exports;
mod files;
mod hostile;
mod http;
mod imports;
mod lists;
mod lost_update;
mod matrix;
mod oracle;
mod outflow;
mod real_data;
mod real_life;
mod rights;
mod search;
mod settings;
mod sign_in;
mod store;
mod tidy;

/// Where the real data sets lie beside the repository, if they do.
pub fn shared(path: &str) -> Option<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = root.join(path);
    found.exists().then_some(found)
}
