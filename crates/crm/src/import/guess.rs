//! A first plan out of a file's name and headings, to be looked at before it runs.

use super::plan::{FilePlan, Make, Plan, Source};
use northing_model::labels::LANGUAGES;
use northing_model::{FieldDef, Labels, Model, ObjectDef};
use std::collections::{BTreeMap, HashSet};

/// Compares headings without case and punctuation.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What a heading may say that means this field: the field's name, its usual headings, its label in any language.
fn called<'a>(labels: &'a Labels, object: &'a ObjectDef, field: &'a FieldDef) -> impl Iterator<Item = String> + 'a {
    let labelled = LANGUAGES.iter().map(|lang| plain(&labels.field(lang, &object.name, field)));
    std::iter::once(plain(&field.name)).chain(field.headings.iter().map(|h| plain(h))).chain(labelled)
}

/// Is this what the heading says?
fn answers(labels: &Labels, object: &ObjectDef, field: &FieldDef, heading: &str) -> bool {
    called(labels, object, field).any(|word| word == heading)
}

/// The object whose fields answer to most headings; none where no heading says anything.
pub(crate) fn likely<'a>(model: &'a Model, labels: &Labels, file: &str, headings: &[String]) -> Option<&'a ObjectDef> {
    let name = plain(file);
    let headings: Vec<String> = headings.iter().map(|h| plain(h)).collect();
    let score = |object: &ObjectDef| {
        // Each word once: a list may have a thousand columns.
        let words: HashSet<String> = object.stored_fields().flat_map(|f| called(labels, object, f)).collect();
        let matched = headings.iter().filter(|h| words.contains(*h)).count();
        let called = LANGUAGES.iter().map(|lang| plain(&labels.object(lang, object)));
        let named = [plain(&object.plural), plain(&object.name)].into_iter().chain(called).any(|word| name.contains(&word));
        (matched + if named { 3 } else { 0 }, matched)
    };
    let scored = model.objects.iter().filter(|o| !o.derived && !o.structural).map(|o| (score(o), o));
    scored.max_by_key(|((rank, _), _)| *rank).filter(|((_, matched), _)| *matched > 0).map(|(_, object)| object)
}

/// Which column fills which field, each at most once: (column, field) in the order of the columns.
pub(crate) fn filled<'a>(object: &'a ObjectDef, labels: &Labels, headings: &'a [String]) -> Vec<(&'a String, &'a FieldDef)> {
    let mut pairs: Vec<(&String, &FieldDef)> = Vec::new();
    for heading in headings {
        let wanted = plain(heading);
        let field = object.stored_fields().find(|f| answers(labels, object, f, &wanted) && !pairs.iter().any(|(_, taken)| taken.name == f.name));
        pairs.extend(field.map(|field| (heading, field)));
    }
    pairs
}

/// The column that holds what the record is known by elsewhere.
pub(crate) fn key_column<'a>(object: &ObjectDef, headings: &'a [String]) -> Option<&'a String> {
    let own = format!("{}id", plain(&object.name));
    headings.iter().find(|h| matches!(plain(h).as_str(), "id" | "recordid" | "externalid") || plain(h) == own)
}

/// A plan for the object that is likely meant.
pub fn guess(model: &Model, labels: &Labels, file: &str, headings: &[String]) -> Option<Plan> {
    let object = likely(model, labels, file, headings)?;
    let mut fields: BTreeMap<String, Source> = filled(object, labels, headings).into_iter().map(|(heading, field)| (field.name.clone(), Source::Short(heading.clone()))).collect();
    let key = key_column(object, headings).cloned().unwrap_or_else(|| format!("{file}:{{@row}}"));
    for field in object.stored_fields().filter(|f| f.required && f.default.is_none()) {
        fields.entry(field.name.clone()).or_insert_with(|| Source::Short(key.clone()));
    }
    Some(Plan::of(FilePlan::of(file, ",", vec![Make::of(&object.name, key, fields)])))
}
