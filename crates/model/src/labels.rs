//! Names and explanations in the six languages, as kept in `model/locales/`.
//!
//! Keys are `object.deal`, `field.amount` (or `field.deal.amount`), `option.won`, `metric.win_rate`,
//! `explain.win_rate`, `reason.no_data`.

use crate::{ModelError, object::parse_toml, source};
use std::collections::BTreeMap;

pub const LANGUAGES: [&str; 6] = ["en", "pl", "ru", "zh", "hu", "fa"];

#[derive(Debug, Clone, Default)]
pub struct Labels {
    texts: BTreeMap<String, BTreeMap<String, String>>,
}

impl Labels {
    pub fn load() -> Result<Self, ModelError> {
        let mut labels = Labels::default();
        for (path, text) in source::files("locales/") {
            let language = path.trim_start_matches("locales/").split('/').next().unwrap_or("en").to_string();
            let sections: BTreeMap<String, BTreeMap<String, String>> = parse_toml(&path, &text)?;
            let into = labels.texts.entry(language).or_default();
            for (section, entries) in sections {
                for (key, value) in entries {
                    into.insert(format!("{section}.{key}"), value);
                }
            }
        }
        Ok(labels)
    }
    pub fn get(&self, language: &str, key: &str) -> Option<&str> {
        self.texts.get(language).and_then(|t| t.get(key)).map(String::as_str)
    }
    /// The text in that language, else in English, else the key's last part in words.
    pub fn text(&self, language: &str, key: &str) -> String {
        self.get(language, key).or_else(|| self.get("en", key)).map_or_else(
            || key.rsplit('.').next().unwrap_or(key).replace('_', " "),
            str::to_string,
        )
    }
    pub fn field(&self, language: &str, object: &str, field: &str) -> String {
        match self.get(language, &format!("field.{object}.{field}")) {
            Some(text) => text.to_string(),
            None => self.text(language, &format!("field.{field}")),
        }
    }
    pub fn all(&self, language: &str) -> Option<&BTreeMap<String, String>> {
        self.texts.get(language)
    }
}
