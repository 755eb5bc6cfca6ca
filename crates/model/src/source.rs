//! The files of `model/`, embedded in the binary.

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../model/"]
struct Files;

/// Path (relative to `model/`) and text of every file below `folder`, sorted by path.
pub fn files(folder: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Files::iter()
        .filter(|path| path.starts_with(folder) && path.ends_with(".toml"))
        .filter_map(|path| {
            let file = Files::get(&path)?;
            Some((path.to_string(), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect();
    found.sort();
    found
}
