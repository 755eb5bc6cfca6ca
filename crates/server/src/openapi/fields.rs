//! Records as the OpenAPI document describes them: what each type of field is written as, and what is read for it.

use northing_model::field::{LONGEST_TEXT, LONGEST_WORDS};
use northing_model::{FieldDef, FieldType, ObjectDef};
use serde_json::{Map, Value as Js, json};

/// The fields of a record, as they are sent and told.
pub fn schema(object: &ObjectDef) -> Js {
    let properties: Map<String, Js> = object.fields.values().map(|f| (f.name.clone(), property(f))).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Those without which there is no record: nothing else fills them.
pub fn needed(object: &ObjectDef) -> Vec<&str> {
    let filled = |f: &FieldDef| f.default.is_some() || f.from.is_some() || object.whose.contains(&f.name) || object.fill.as_ref().is_some_and(|fill| fill.fields.contains(&f.name));
    object.fields.values().filter(|f| f.required && !f.derived && !filled(f)).map(|f| f.name.as_str()).collect()
}

/// Numbers and the like may be sent as a text too, as they come out of a form; a blank text is no value. What a text
/// cannot be is refused with 422 and the field.
fn property(field: &FieldDef) -> Js {
    let mut json = match field.kind {
        FieldType::Text | FieldType::Label | FieldType::Phone => json!({"type": ["string", "null"], "maxLength": LONGEST_WORDS}),
        FieldType::LongText => json!({"type": ["string", "null"], "maxLength": LONGEST_TEXT}),
        FieldType::Currency => json!({"type": ["string", "null"], "examples": ["EUR"]}),
        FieldType::Decimal => json!({"type": ["string", "number", "null"], "examples": ["12.5"]}),
        FieldType::Email => json!({"type": ["string", "null"], "examples": ["ada@example.org"]}),
        FieldType::Url => json!({"type": ["string", "null"], "examples": ["https://example.org"]}),
        FieldType::Int | FieldType::Duration => json!({"type": ["integer", "string", "null"], "minimum": i64::MIN, "maximum": i64::MAX}),
        FieldType::Percent => json!({"type": ["integer", "string", "null"], "minimum": 0, "maximum": 100}),
        FieldType::Money => json!({"anyOf": [{"$ref": "#/components/schemas/Money"}, {"type": ["string", "number", "null"]}]}),
        FieldType::Date => json!({"type": ["string", "null"], "anyOf": [{"format": "date"}, {"maxLength": 0}]}),
        FieldType::Datetime => json!({"type": ["string", "null"], "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}),
        FieldType::Bool => json!({"type": ["boolean", "string", "null"]}),
        FieldType::Choice => {
            let options: Vec<Js> = field.options.iter().map(|o| json!(o)).chain([json!(""), Js::Null]).collect();
            json!({"enum": options})
        }
        FieldType::Ref => json!({"type": ["string", "null"], "anyOf": [{"format": "uuid"}, {"maxLength": 0}]}),
        FieldType::Refs | FieldType::Tags => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        FieldType::Shares => json!({"type": ["object", "string", "null"], "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 100}}),
        // Whatever there is.
        FieldType::Json => json!({}),
    };
    if field.derived || matches!(field.name.as_str(), "updated_at" | "merged_into") {
        json["readOnly"] = true.into();
    }
    json
}
