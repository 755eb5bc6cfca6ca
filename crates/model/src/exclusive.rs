//! What only one record at a time has, as declared and checked. Must not know how records are kept apart by it.

use crate::field::FieldType;
use crate::object::{Model, ObjectDef};
use crate::ModelError;
use serde::{Deserialize, Serialize};

/// One record at a time has what `of` refers to from `from` until `to`; those in one of the states `free` have nothing.
/// What `of` refers to may say by its field `hours` when it is there at all; what `service` refers to, by `takes`, how
/// long it lasts, and by `staff`, whom it may be asked of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusive {
    pub of: String,
    pub from: String,
    pub to: String,
    pub state: String,
    pub free: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
}

impl Exclusive {
    /// Are all that it names fields of the right kinds?
    pub(crate) fn check(&self, model: &Model, object: &ObjectDef, place: &str) -> Result<(), ModelError> {
        let is = |name: &str, kind: FieldType| object.field(name).is_some_and(|f| f.kind == kind && !f.derived);
        let fine = is(&self.of, FieldType::Ref) && is(&self.from, FieldType::Datetime) && is(&self.to, FieldType::Datetime) && is(&self.state, FieldType::Choice);
        if !fine {
            return Err(ModelError::new(place, "exclusive needs a reference, two instants and a choice of the object", "name of, from, to and state"));
        }
        let beyond = |by: Option<&String>, name: &Option<String>, kind: FieldType| match name {
            None => true,
            Some(name) => by.and_then(|by| object.field(by)).and_then(|f| f.to.as_deref()).and_then(|to| model.object(to)).and_then(|o| o.field(name)).is_some_and(|f| f.kind == kind && !f.derived),
        };
        if !beyond(Some(&self.of), &self.hours, FieldType::Ref) || !beyond(self.service.as_ref(), &self.takes, FieldType::Duration) || !beyond(self.service.as_ref(), &self.staff, FieldType::Refs) {
            return Err(ModelError::new(place, "exclusive names hours, takes or staff that are not there", "hours is a reference of what `of` refers to; takes a duration and staff references of what `service` refers to"));
        }
        Ok(())
    }
}
