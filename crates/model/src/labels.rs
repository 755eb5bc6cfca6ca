//! Names and explanations in the six languages, as kept in `model/locales/`.
//!
//! Keys are `object.deal`, `field.amount` (or `field.deal.amount`), `option.won`, `metric.win_rate`,
//! `explain.win_rate`, `reason.no_data`. What stands under `problem` is for `phrases`.

use crate::{FieldDef, Model, ModelError, ObjectDef, object::parse_toml, source};
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
    /// The texts of a section, by what follows its name.
    pub(crate) fn under<'a>(&'a self, language: &str, section: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts.get(language).into_iter().flatten().filter_map(move |(key, text)| Some((key.strip_prefix(section)?, text.as_str())))
    }
    /// The text in that language, else in English, else the key's last part in words.
    pub fn text(&self, language: &str, key: &str) -> String {
        self.get(language, key).or_else(|| self.get("en", key)).map_or_else(
            || key.rsplit('.').next().unwrap_or(key).replace('_', " "),
            str::to_string,
        )
    }
    /// What a field is called: by its own label, or by the language's word for it on this object or anywhere.
    pub fn field(&self, language: &str, object: &str, field: &FieldDef) -> String {
        let named = field.label.as_deref().or_else(|| self.get(language, &format!("field.{object}.{}", field.name)));
        // A field of one's own without a label is called as the product's field of that name is.
        let plain = field.name.strip_prefix(crate::own::PREFIX).unwrap_or(&field.name);
        named.map_or_else(|| self.text(language, &format!("field.{plain}")), str::to_string)
    }
    /// What an object is called: many of its records.
    pub fn object(&self, language: &str, object: &ObjectDef) -> String {
        object.label.clone().unwrap_or_else(|| self.text(language, &format!("object.{}", object.name)))
    }
    /// Every word of a language, with what a workspace calls its own objects and fields.
    pub fn with_own(&self, language: &str, model: &Model) -> BTreeMap<String, String> {
        let mut all = self.texts.get(language).cloned().unwrap_or_default();
        all.retain(|key, _| !key.starts_with(crate::phrases::SECTION));
        for object in &model.objects {
            let own = [("object", &object.label), ("one", &object.one)];
            all.extend(own.into_iter().filter_map(|(kind, label)| Some((format!("{kind}.{}", object.name), label.clone()?))));
            let labelled = object.fields.values().filter(|f| crate::own::is_own(&f.name)).map(|f| (f, self.field(language, &object.name, f)));
            for (field, label) in labelled {
                // Two objects may have a field of this name, called otherwise.
                all.insert(format!("field.{}.{}", object.name, field.name), label.clone());
                all.insert(format!("field.{}", field.name), label);
            }
        }
        all
    }
}
