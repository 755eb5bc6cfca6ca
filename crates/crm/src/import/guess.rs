//! A first plan out of a file's name and headings, to be looked at before it runs.

use super::plan::{FilePlan, Make, Plan, Source};
use northing_model::labels::LANGUAGES;
use northing_model::{FieldDef, Labels, Model, ObjectDef};
use std::collections::BTreeMap;

/// Compares headings without case and punctuation.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Is this what the heading says, by the field's name, its usual headings, or its label in any language?
pub(crate) fn answers(labels: &Labels, object: &ObjectDef, field: &FieldDef, heading: &str) -> bool {
    let called = |lang: &&str| plain(&labels.field(lang, &object.name, field)) == heading;
    plain(&field.name) == heading || field.headings.iter().any(|h| plain(h) == heading) || LANGUAGES.iter().any(called)
}

/// The object whose fields answer to most headings, and a plan that fills them.
pub fn guess(model: &Model, labels: &Labels, file: &str, headings: &[String]) -> Option<Plan> {
    let name = plain(file);
    let score = |object: &ObjectDef| {
        let matched = headings.iter().filter(|h| object.stored_fields().any(|f| answers(labels, object, f, &plain(h)))).count();
        let called = LANGUAGES.iter().map(|lang| plain(&labels.object(lang, object)));
        let named = [plain(&object.plural), plain(&object.name)].into_iter().chain(called).any(|word| name.contains(&word));
        (matched + if named { 3 } else { 0 }, matched)
    };
    let object = model.objects.iter().filter(|o| !o.derived && !o.structural).max_by_key(|o| score(o).0)?;
    if score(object).1 == 0 {
        return None;
    }
    let mut fields = BTreeMap::new();
    for heading in headings {
        let field = object.stored_fields().find(|f| answers(labels, object, f, &plain(heading)) && !fields.contains_key(&f.name));
        if let Some(field) = field {
            fields.insert(field.name.clone(), Source::Short(heading.clone()));
        }
    }
    let id = headings.iter().find(|h| matches!(plain(h).as_str(), "id" | "recordid" | "externalid") || plain(h) == format!("{}id", plain(&object.name)));
    let key = id.cloned().unwrap_or_else(|| format!("{file}:{{@row}}"));
    for field in object.stored_fields().filter(|f| f.required && f.default.is_none()) {
        if !fields.contains_key(&field.name) {
            fields.insert(field.name.clone(), Source::Short(key.clone()));
        }
    }
    let make = Make { object: object.name.clone(), key, find: None, times: None, latest: false, when: Vec::new(), fields, moment: Vec::new() };
    let file = FilePlan { name: file.into(), delimiter: ",".into(), skip: 0, columns: Vec::new(), dates: None, join: Vec::new(), make: vec![make] };
    Some(Plan { name: String::new(), workspace: BTreeMap::new(), record: Vec::new(), file: vec![file] })
}
