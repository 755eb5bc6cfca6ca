//! The shape of the tree: which crate may use which, what may not be called, how long a file may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            found.push((entry.clone(), std::fs::read_to_string(entry).unwrap()));
        }
    }
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[][..]),
        ("store", &["model"]),
        ("facts", &["model", "store"]),
        ("metrics", &["model", "facts"]),
        ("crm", &["model", "store", "facts", "metrics"]),
        ("ui", &[]),
        ("server", &["model", "store", "facts", "metrics", "crm", "ui"]),
    ]);
    for (name, below) in allowed {
        let text = std::fs::read_to_string(root().join(format!("crates/{name}/Cargo.toml"))).unwrap();
        for line in text.lines().filter_map(|l| l.strip_prefix("northing-")) {
            let other = line.split('.').next().unwrap();
            assert!(below.contains(&other), "{name} must not use {other}");
        }
        let http = text.contains("axum");
        assert!(!http || name == "server", "only server knows HTTP, not {name}");
        assert!(!text.contains("rusqlite") || name == "store", "only store knows SQLite, not {name}");
    }
}

#[test]
fn sources_keep_the_rules() {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    for (path, text) in found {
        let place = path.strip_prefix(root()).unwrap().display().to_string();
        if !place.ends_with("build.rs") {
            assert!(text.starts_with("//!"), "{place} does not open with what it is");
        }
        let product = !place.contains("/tests/") && !place.contains("crates/testkit/");
        assert!(text.lines().count() <= if product { 520 } else { 700 }, "{place} is too long to be one thing");
        if product && !place.contains("crates/northing/") {
            for (what, instead) in [("Timestamp::now", "take the clock from Env"), ("SystemTime::now", "take the clock from Env"), ("now_v7", "take ids from Env"), (".unwrap()", "answer an error")] {
                assert!(!text.contains(what), "{place} calls {what}: {instead}");
            }
        }
    }
}

/// What is said in other languages is still said in English somewhere, and in all of them alike.
#[test]
fn every_sentence_is_still_said() {
    let read = |path: PathBuf| std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let told = |language: &str| -> BTreeMap<String, String> {
        let mut file: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&read(root().join(format!("model/locales/{language}/problems.toml")))).unwrap();
        file.remove("problem").unwrap()
    };
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    let sources: String = found.into_iter().filter(|(path, _)| !path.starts_with(root().join("crates/testkit"))).map(|(_, text)| text).collect();
    // Objects say what is wrong with their records themselves.
    let model = northing_model::Model::builtin().unwrap();
    let sources: String = model.objects.iter().flat_map(|o| &o.checks).map(|c| c.says.clone()).chain([sources]).collect();
    let first = told("pl");
    for check in model.objects.iter().flat_map(|o| &o.checks) {
        assert!(first.contains_key(&check.says), "'{}' is said in English only", check.says);
    }
    for english in first.keys() {
        for part in northing_model::phrases::parts(english).0 {
            // A sentence may be put together of two, at a full stop or of a problem and its cure.
            for part in part.split(". ").flat_map(|p| p.split(" (")).map(|p| p.trim_matches(|c: char| !c.is_alphanumeric())) {
                assert!(sources.contains(part), "nobody says '{part}' any more (of '{english}')");
            }
        }
    }
    for language in northing_model::labels::LANGUAGES.into_iter().skip(1) {
        let own = told(language);
        assert!(own.keys().eq(first.keys()), "{language}: other sentences than pl: {:?}", own.keys().filter(|k| !first.contains_key(*k)).chain(first.keys().filter(|k| !own.contains_key(*k))).collect::<Vec<_>>());
        for (english, said) in &own {
            let known = northing_model::phrases::parts(english).1;
            assert!(!said.trim().is_empty() && northing_model::phrases::parts(said).1.iter().all(|name| known.contains(name)), "{language}: {english}");
        }
    }
}
