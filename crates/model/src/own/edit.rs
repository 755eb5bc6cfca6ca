//! Changes of a workspace's declarations as people ask for them: by labels and types, without a line of TOML. Must not
//! know where declarations are kept.

use super::{Definition, is_own, name_for};
use crate::field::{FieldDef, FieldType};
use crate::object::ObjectDef;
use crate::{Model, ModelError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// What somebody wants of the declarations.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// An object of one's own, that belongs to a customer and has an owner or not.
    AddObject {
        label: String,
        one: String,
        #[serde(default)]
        customer: bool,
        #[serde(default)]
        owner: bool,
    },
    /// A field of one's own; one that was dropped and was called so comes back.
    AddField {
        object: String,
        label: String,
        #[serde(rename = "type")]
        kind: FieldType,
        #[serde(default)]
        to: Option<String>,
        #[serde(default)]
        options: Vec<String>,
    },
    /// Calls an object or a field otherwise, or lets a field hold something else.
    Change {
        object: String,
        #[serde(default)]
        field: Option<String>,
        #[serde(default)]
        label: Option<String>,
        #[serde(default)]
        one: Option<String>,
        #[serde(default, rename = "type")]
        kind: Option<FieldType>,
        #[serde(default)]
        to: Option<String>,
        #[serde(default)]
        options: Option<Vec<String>>,
    },
    /// Takes an object or a field out of use; what was entered stays.
    Drop {
        object: String,
        #[serde(default)]
        field: Option<String>,
    },
    /// Takes it into use again.
    Restore {
        object: String,
        #[serde(default)]
        field: Option<String>,
    },
}

/// A declaration to write, and what it is about.
#[derive(Debug, Clone)]
pub struct Edited {
    /// Which of the declarations is replaced; a new one without.
    pub at: Option<usize>,
    pub definition: Definition,
    pub object: String,
    /// The field as it is declared then.
    pub field: Option<FieldDef>,
}

/// A field as people declared it, in use or dropped.
#[derive(Debug, Clone)]
pub struct OwnField {
    pub object: String,
    pub field: FieldDef,
    pub at: usize,
}

fn refused(problem: impl Into<String>, cure: &str) -> ModelError {
    ModelError::new("declaration", problem, cure)
}

fn table(definition: &Definition) -> Table {
    definition.body.parse().unwrap_or_default()
}

fn own_object(definition: &Definition) -> Option<ObjectDef> {
    (definition.kind == "object").then(|| toml::from_str(&definition.body).ok()).flatten()
}

/// The objects that people declared, in use or dropped, and by which declaration.
pub fn objects(definitions: &[Definition]) -> Vec<(usize, ObjectDef)> {
    definitions.iter().enumerate().filter_map(|(at, d)| Some((at, own_object(d)?))).collect()
}

/// The fields that people declared, on whichever object.
pub fn fields(definitions: &[Definition]) -> Vec<OwnField> {
    let mut found = Vec::new();
    for (at, definition) in definitions.iter().enumerate() {
        let (object, table) = match definition.kind.as_str() {
            "fields" => (definition.name.clone(), table(definition)),
            "object" => match table(definition).remove("fields") {
                Some(Value::Table(fields)) => (own_object(definition).map(|o| o.name).unwrap_or_default(), fields),
                _ => continue,
            },
            _ => continue,
        };
        for (name, body) in table {
            if let Ok(field) = body.try_into::<FieldDef>() {
                found.push(OwnField { object: object.clone(), field: FieldDef { name, ..field }, at });
            }
        }
    }
    found
}

/// The declaration that an edit comes to. Whether it can be taken is for `Model::build` to say.
pub fn edit(model: &Model, definitions: &[Definition], wanted: &Edit) -> Result<Edited, ModelError> {
    match wanted {
        Edit::AddObject { label, one, customer, owner } => {
            let (label, one) = (said(label)?, said(one)?);
            let known = objects(definitions);
            let taken = |n: &str| model.object_by_path(n).is_some() || known.iter().any(|(_, o)| o.name == n || o.plural == n);
            let name = name_for(&one, taken);
            let plural = name_for(&label, |n| taken(n) || n == name);
            Ok(Edited { at: None, definition: Definition { kind: "object".into(), name: name.clone(), body: new_object(&name, &plural, &label, &one, *customer, *owner) }, object: name, field: None })
        }
        Edit::AddField { object, label, kind, to, options } => {
            let label = said(label)?;
            let target = model.object_by_path(object).filter(|o| !o.derived).ok_or_else(|| refused(format!("there is no object '{object}'"), "name one that people enter records of"))?;
            let known: Vec<OwnField> = fields(definitions).into_iter().filter(|f| f.object == target.name).collect();
            let mut body = Table::new();
            if let Some(old) = known.iter().find(|f| f.field.dropped && f.field.label.as_deref() == Some(label.as_str())) {
                return change_field(definitions, old, |body| {
                    body.remove("dropped");
                    retype(body, *kind, to.as_deref(), options);
                });
            }
            let name = name_for(&label, |n| target.field(n).is_some() || known.iter().any(|f| f.field.name == n));
            let mut field = Table::new();
            field.insert("label".into(), label.into());
            retype(&mut field, *kind, to.as_deref(), options);
            let declared = FieldDef { name: name.clone(), ..field_of(&field)? };
            body.insert(name, Value::Table(field));
            Ok(Edited { at: None, definition: Definition { kind: "fields".into(), name: target.name.clone(), body: written(&body) }, object: target.name.clone(), field: Some(declared) })
        }
        Edit::Change { object, field: Some(field), label, one: _, kind, to, options } => {
            let label = label.as_deref().map(said).transpose()?;
            change_field(definitions, &find_field(model, definitions, object, field)?, |body| {
                if let Some(label) = label {
                    body.insert("label".into(), label.into());
                }
                let now = field_of(body).ok();
                let kind = kind.or(now.as_ref().map(|f| f.kind));
                if let Some(kind) = kind {
                    let options = options.clone().unwrap_or_else(|| now.map(|f| f.options).unwrap_or_default());
                    let to = to.clone().or_else(|| body.get("to").and_then(Value::as_str).map(str::to_string));
                    retype(body, kind, to.as_deref(), &options);
                }
            })
        }
        Edit::Change { object, field: None, label, one, .. } => {
            let (label, one) = (label.as_deref().map(said).transpose()?, one.as_deref().map(said).transpose()?);
            change_object(definitions, object, |body| {
                for (key, value) in [("label", label), ("one", one)] {
                    if let Some(value) = value {
                        body.insert(key.into(), value.into());
                    }
                }
            })
        }
        Edit::Drop { object, field } => dropped(model, definitions, object, field.as_deref(), true),
        Edit::Restore { object, field } => dropped(model, definitions, object, field.as_deref(), false),
    }
}

fn said(words: &str) -> Result<String, ModelError> {
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { Err(refused("it has to be called something", "send a label")) } else { Ok(words) }
}

fn dropped(model: &Model, definitions: &[Definition], object: &str, field: Option<&str>, away: bool) -> Result<Edited, ModelError> {
    let set = |body: &mut Table| {
        if away {
            body.insert("dropped".into(), true.into());
        } else {
            body.remove("dropped");
        }
    };
    match field {
        Some(field) => change_field(definitions, &find_field(model, definitions, object, field)?, set),
        None => change_object(definitions, object, set),
    }
}

fn find_field(model: &Model, definitions: &[Definition], object: &str, field: &str) -> Result<OwnField, ModelError> {
    let name = model.object_by_path(object).map_or(object, |o| &o.name);
    fields(definitions).into_iter().find(|f| f.object == name && f.field.name == field).ok_or_else(|| refused(format!("{object} has no field of your own '{field}'"), "only fields that people declared can be changed"))
}

fn change_field(definitions: &[Definition], found: &OwnField, change: impl FnOnce(&mut Table)) -> Result<Edited, ModelError> {
    let definition = &definitions[found.at];
    let mut whole = table(definition);
    let fields = if definition.kind == "object" { whole.get_mut("fields").and_then(Value::as_table_mut) } else { Some(&mut whole) };
    let body = fields.and_then(|f| f.get_mut(&found.field.name)).and_then(Value::as_table_mut).ok_or_else(|| refused("the declaration cannot be read", "mend its text"))?;
    change(body);
    let field = FieldDef { name: found.field.name.clone(), ..field_of(body)? };
    Ok(Edited { at: Some(found.at), definition: Definition { body: written(&whole), ..definition.clone() }, object: found.object.clone(), field: Some(field) })
}

fn change_object(definitions: &[Definition], object: &str, change: impl FnOnce(&mut Table)) -> Result<Edited, ModelError> {
    let found = objects(definitions).into_iter().find(|(_, o)| o.name == object || o.plural == object);
    let (at, found) = found.ok_or_else(|| refused(format!("there is no object of your own '{object}'"), "only objects that people declared can be changed"))?;
    let mut whole = table(&definitions[at]);
    change(&mut whole);
    Ok(Edited { at: Some(at), definition: Definition { body: written(&whole), ..definitions[at].clone() }, object: found.name, field: None })
}

fn field_of(body: &Table) -> Result<FieldDef, ModelError> {
    body.clone().try_into().map_err(|e: toml::de::Error| refused(e.message(), "choose another type"))
}

/// Another type takes with it what was said for the earlier one alone.
fn retype(body: &mut Table, kind: FieldType, to: Option<&str>, options: &[String]) {
    let same = body.get("type").and_then(Value::as_str) == Some(kind.name().as_str());
    if !same {
        for key in ["default", "dated", "suggest", "condition_on", "facts"] {
            body.remove(key);
        }
    }
    for key in ["to", "options"] {
        body.remove(key);
    }
    body.insert("type".into(), kind.name().into());
    if let Some(to) = to.filter(|_| matches!(kind, FieldType::Ref | FieldType::Refs)) {
        body.insert("to".into(), to.into());
    }
    if matches!(kind, FieldType::Choice | FieldType::Shares) {
        body.insert("options".into(), Value::Array(options.iter().map(|o| Value::String(o.trim().to_string())).collect()));
    }
    if matches!(kind, FieldType::LongText | FieldType::Json) {
        body.insert("facts".into(), false.into());
    }
}

fn written(body: &Table) -> String {
    toml::to_string(body).unwrap_or_default()
}

fn new_object(name: &str, plural: &str, label: &str, one: &str, customer: bool, owner: bool) -> String {
    let mut body = Table::new();
    let texts = |list: &[&str]| Value::Array(list.iter().map(|t| (*t).into()).collect());
    for (key, value) in [("name", name), ("plural", plural), ("label", label), ("one", one), ("title", "x_name")] {
        body.insert(key.into(), value.into());
    }
    let mut list = vec!["x_name"];
    let mut fields = Table::new();
    let mut field = |name: &str, pairs: &[(&str, Value)]| {
        let body: Table = pairs.iter().map(|(k, v)| ((*k).to_string(), v.clone())).collect();
        fields.insert(name.into(), Value::Table(body));
    };
    field("x_name", &[("type", "text".into()), ("required", true.into())]);
    field("x_note", &[("type", "long_text".into()), ("facts", false.into())]);
    if customer {
        list.push("x_customer");
        body.insert("customer".into(), "x_customer".into());
        field("x_customer", &[("type", "ref".into()), ("to", "customer".into())]);
    }
    if owner {
        list.push("x_owner");
        field("x_owner", &[("type", "ref".into()), ("to", "user".into())]);
    }
    if !customer && !owner {
        body.insert("shared".into(), true.into());
    }
    body.insert("list".into(), texts(&list));
    body.insert("sort".into(), texts(&["x_name"]));
    body.insert("fields".into(), Value::Table(fields));
    written(&body)
}

/// Metrics that people declared, by their ids.
pub fn metrics(definitions: &[Definition]) -> Vec<(usize, String)> {
    definitions.iter().enumerate().filter(|(_, d)| d.kind == "metric").flat_map(|(at, d)| table(d).into_iter().map(move |(id, _)| (at, id))).filter(|(_, id)| is_own(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go(definitions: &mut Vec<Definition>, wanted: &str) -> Edited {
        let model = Model::build(definitions).expect("a fine declaration");
        let done = edit(&model, definitions, &serde_json::from_str(wanted).expect("a fine declaration")).expect("a fine declaration");
        match done.at {
            Some(at) => definitions[at] = done.definition.clone(),
            None => definitions.push(done.definition.clone()),
        }
        Model::build(definitions).unwrap_or_else(|e| panic!("{e}: {}", done.definition.body));
        done
    }

    #[test]
    fn declared_changed_dropped_and_brought_back() {
        let mut all = Vec::new();
        let boats = go(&mut all, r#"{"op": "add_object", "label": "قایق‌ها", "one": "قایق", "customer": true, "owner": true}"#).object;
        let size = go(&mut all, &format!(r#"{{"op": "add_field", "object": "{boats}", "label": "Size", "type": "text"}}"#)).field.expect("a fine declaration");
        assert_eq!((boats.as_str(), size.name.as_str(), size.column()), ("x_own", "x_size", "x_size__text".into()));
        go(&mut all, &format!(r#"{{"op": "change", "object": "{boats}", "field": "x_size", "label": "Length", "type": "choice", "options": ["s", " m "]}}"#));
        let model = Model::build(&all).expect("a fine declaration");
        let now = model.object(&boats).expect("a fine declaration").field("x_size").expect("a fine declaration");
        assert_eq!((now.label.as_deref(), now.options.as_slice()), (Some("Length"), ["s".to_string(), "m".into()].as_slice()));
        assert_eq!(model.object(&boats).expect("a fine declaration").whose, ["x_owner", "x_customer"]);
        go(&mut all, &format!(r#"{{"op": "drop", "object": "{boats}", "field": "x_size"}}"#));
        assert!(Model::build(&all).expect("a fine declaration").object(&boats).expect("a fine declaration").field("x_size").is_none());
        let back = go(&mut all, &format!(r#"{{"op": "add_field", "object": "{boats}", "label": "Length", "type": "int"}}"#)).field.expect("a fine declaration");
        assert_eq!((back.name.as_str(), back.column()), ("x_size", "x_size__int".into()));
        go(&mut all, &format!(r#"{{"op": "drop", "object": "{boats}", "field": "x_owner"}}"#));
        go(&mut all, &format!(r#"{{"op": "drop", "object": "{boats}"}}"#));
        assert!(Model::build(&all).expect("a fine declaration").object(&boats).is_none());
        go(&mut all, &format!(r#"{{"op": "restore", "object": "{boats}"}}"#));
        assert_eq!(Model::build(&all).expect("a fine declaration").object(&boats).expect("a fine declaration").whose, ["x_customer"]);
    }
}
