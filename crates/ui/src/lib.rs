//! The built web app, embedded. In a crate of its own so that a changed screen relinks and recompiles nothing else.

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/dist/"]
struct Dist;

/// A file of `web/dist`, by its path there.
pub fn file(path: &str) -> Option<Vec<u8>> {
    Dist::get(path).map(|f| f.data.into_owned())
}
