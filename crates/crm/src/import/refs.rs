//! References out of a row: by the other system's id, by an e-mail or a name that one alone has; and what becomes of
//! those to records that are not here, as the plan says: set aside, left empty, or made of their name.

use super::convert::{Fault, Fields, column_of};
use super::plan::{Missing, Source};
use super::run::{Pending, Run};
use crate::CrmError;
use northing_model::{FieldType, ObjectDef, Record, Value};
use northing_store::Change;

/// Objects of which records are not made by the way: they open doors, or say what the whole workspace is.
const NEVER_MADE: [&str; 3] = ["user", "access_role", "definition"];

pub(super) fn missing_of(source: &Source) -> Missing {
    if let Source::Full(full) = source { full.missing } else { Missing::Reject }
}

/// Whether a record of an object can be made of a name and nothing else.
pub(super) fn is_made_of_a_name(object: &ObjectDef) -> bool {
    let text = object.field(&object.title).is_some_and(|f| f.kind == FieldType::Text && !f.derived);
    text && !NEVER_MADE.contains(&object.name.as_str()) && object.stored_fields().all(|f| !f.required || f.default.is_some() || f.name == object.title)
}

impl Run<'_> {
    pub(super) fn reference(&mut self, row: &Fields<'_>, source: &Source, to: &str, text: &str) -> Result<Value, Fault> {
        let fault = |e: CrmError| Fault::new(column_of(source), e.to_string());
        let mut id = self.lookup(to, text).map_err(fault)?;
        let model = self.model.clone();
        let object = model.object(to);
        // People name a customer or a colleague instead of an id: an address or a name that one alone has will do.
        if let (None, Some(object)) = (id, object) {
            for name in ["email", object.title.as_str()] {
                if id.is_none() {
                    id = self.known.find(self.store, object, name, text).map_err(fault)?;
                }
            }
        }
        let made = object.filter(|o| id.is_none() && missing_of(source) == Missing::Make && is_made_of_a_name(o));
        if let Some(object) = made {
            let mut fields = Record::from([(object.title.clone(), Value::Text(text.chars().take(500).collect())), ("external_id".into(), Value::Text(text.to_string())), ("created_at".into(), Value::Null)]);
            if object.field("email").is_some_and(|f| f.kind == FieldType::Email && f.read_text(text, self.reading().currency).is_ok()) {
                fields.insert("email".into(), Value::Text(text.to_string()));
            }
            return Ok(Value::Ref(self.made_by_the_way(row, to, text, fields)));
        }
        id.map(Value::Ref).ok_or_else(|| Fault::new(column_of(source), format!("there is no {to} '{text}', or more than one; import it first, or name it by its id")))
    }

    /// A record that a row needs and does not hold: it is written with the row, or not at all.
    pub(super) fn made_by_the_way(&mut self, row: &Fields<'_>, object: &str, key: &str, fields: Record) -> uuid::Uuid {
        let id = self.env.id();
        self.keys.insert((object.to_string(), key.to_string()), Some(id));
        self.pending.push(Pending { change: Change::create(object, id, fields), row: row.number, values: row.values.to_vec() });
        self.keep_findable(id);
        id
    }
}
