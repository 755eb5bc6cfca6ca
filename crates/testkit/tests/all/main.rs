//! One test binary for what spans crates: linking is dear on two cores.
#![allow(clippy::unwrap_used)]

mod adding_up;
mod again;
mod backups;
mod bookings;
mod budget;
mod bulk;
mod cases;
mod connections;
mod closed;
mod crash;
mod derived_anew;
mod documented;
mod doors;
mod day_one;
mod declare;
mod demo;
mod declare_names;
mod declare_options;
mod declare_takeover;
mod elsewhere;
mod ending;
mod exports;
mod files;
mod full_disk;
mod hidden;
mod hostile;
mod hostile_questions;
mod http;
mod imports;
mod lists;
mod lost_update;
mod matrix;
mod opening;
mod oracle;
mod outflow;
mod pickers;
mod packed;
mod real_data;
mod real_life;
mod replies;
mod promises;
mod refused;
mod rights;
mod search;
mod settings;
mod sign_in;
mod store;
mod strangers;
mod brought_values;
mod tidy;
mod unknown;
mod usage;
mod told;
mod twins;
mod two_at_once;
mod what_changed;

/// Where the real data sets lie beside the repository, if they do.
pub fn shared(path: &str) -> Option<std::path::PathBuf> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = root.join(path);
    found.exists().then_some(found)
}
