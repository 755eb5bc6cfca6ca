//! Records that are there already, found by what people call them: an e-mail, a phone, a name. Read once per field and
//! run, on first need.

use crate::Result;
use northing_model::text::{digits, fold};
use northing_model::{FieldType, ObjectDef, Value};
use northing_store::Store;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Default)]
pub(crate) struct Known {
    /// By object and field; a text that two records have names neither.
    texts: HashMap<(String, String), HashMap<String, Option<Uuid>>>,
}

fn same(field: FieldType, text: &str) -> String {
    if field == FieldType::Phone { digits(text) } else { fold(text.trim()) }
}

impl Known {
    pub fn find(&mut self, store: &Store, object: &ObjectDef, name: &str, text: &str) -> Result<Option<Uuid>> {
        let Some(field) = object.field(name).filter(|f| !f.derived) else { return Ok(None) };
        let at = (object.name.clone(), name.to_string());
        if !self.texts.contains_key(&at) {
            let mut found: HashMap<String, Option<Uuid>> = HashMap::new();
            let asked = [Some(field), object.field("merged_into")];
            let asked: Vec<_> = asked.into_iter().flatten().collect();
            store.scan(&object.name, &asked, |id, deleted, values| {
                let merged = values.get(1).is_some_and(|v| !v.is_null());
                if let (Some(Value::Text(text)), false, false) = (values.first(), deleted, merged) {
                    found.entry(same(field.kind, text)).and_modify(|one| *one = None).or_insert(Some(id));
                }
            })?;
            self.texts.insert(at.clone(), found);
        }
        let wanted = same(field.kind, text);
        Ok(if wanted.is_empty() { None } else { self.texts[&at].get(&wanted).copied().flatten() })
    }

    /// A record made in this run, for later rows.
    pub fn add(&mut self, object: &ObjectDef, fields: &northing_model::Record, id: Uuid) {
        for ((of, name), texts) in &mut self.texts {
            if let (true, Some(field), Some(Value::Text(text))) = (*of == object.name, object.field(name), fields.get(name)) {
                texts.entry(same(field.kind, text)).and_modify(|one| *one = None).or_insert(Some(id));
            }
        }
    }
}
