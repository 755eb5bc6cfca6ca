//! The keys of the plan language: checked one by one before a plan is read, so that what is wrong is said with its line
//! and the nearest right key; and told, as the reference of the language. Both come from the comments and types of `plan`.

use super::plan::Plan;
use crate::{CrmError, Result};
use northing_model::declared::nearest;
use serde_json::{Map, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The shape of a plan, as JSON Schema.
fn shape() -> Json {
    schemars::schema_for!(Plan).to_value()
}

/// Reads a plan.
pub(crate) fn parse(text: &str) -> Result<Plan> {
    let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let wrong = |at: usize, what: String| CrmError::Plan(format!("the plan, line {}: {what}", line(at)));
    let table = DeTable::parse(text).map_err(|e| wrong(e.span().map_or(0, |s| s.start), e.message().to_string()))?;
    let root = shape();
    let checker = Checker { root: &root };
    checker.table(table.get_ref(), table.span().start, &root, "").map_err(|(at, what)| wrong(at, what))?;
    toml::from_str(text).map_err(|e| wrong(e.span().map_or(0, |s| s.start), e.message().to_string()))
}

type Checked = std::result::Result<(), (usize, String)>;

struct Checker<'a> {
    root: &'a Json,
}

/// What a value is called.
fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "string",
        DeValue::Integer(_) => "integer",
        DeValue::Float(_) => "number",
        DeValue::Boolean(_) => "boolean",
        DeValue::Datetime(_) => "date",
        DeValue::Array(_) => "array",
        DeValue::Table(_) => "object",
    }
}

/// The same in words.
fn said(kind: &str) -> &str {
    match kind {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "date" => "a date",
        "array" => "a list in [ ]",
        "object" => "a table in { }",
        other => other,
    }
}

impl Checker<'_> {
    /// A shape, or what it refers to.
    fn settled<'s>(&'s self, shape: &'s Json) -> &'s Json {
        let target = shape["$ref"].as_str().and_then(|r| self.root.pointer(r.trim_start_matches('#')));
        target.map_or(shape, |t| self.settled(t))
    }

    /// The shapes of which a value may have one.
    fn choices<'s>(&'s self, shape: &'s Json) -> Vec<&'s Json> {
        let shape = self.settled(shape);
        match shape["anyOf"].as_array().or_else(|| shape["oneOf"].as_array()) {
            Some(all) => all.iter().flat_map(|one| self.choices(one)).collect(),
            None => vec![shape],
        }
    }

    fn value(&self, value: &Spanned<DeValue<'_>>, shape: &Json, path: &str) -> Checked {
        let at = value.span().start;
        let kind = kind_of(value.get_ref());
        let choices = self.choices(shape);
        let types = |shape: &Json| -> Vec<String> {
            match &shape["type"] {
                Json::String(one) => vec![one.clone()],
                Json::Array(all) => all.iter().filter_map(Json::as_str).map(str::to_string).collect(),
                _ => Vec::new(),
            }
        };
        let fits: Vec<&&Json> = choices.iter().filter(|c| types(c).is_empty() || types(c).iter().any(|t| t == kind || (t == "number" && kind == "integer"))).collect();
        if fits.is_empty() {
            let mut wanted: Vec<String> = choices.iter().flat_map(|c| types(c)).filter(|t| t != "null").map(|t| said(&t).to_string()).collect();
            wanted.dedup();
            return Err((at, format!("'{path}' is {}, and should be {}", said(kind), wanted.join(" or "))));
        }
        if let DeValue::String(text) = value.get_ref() {
            let words: Vec<String> = fits.iter().flat_map(|c| c["enum"].as_array().cloned().unwrap_or_default().into_iter().chain(c.get("const").cloned())).filter_map(|w| w.as_str().map(str::to_string)).collect();
            if !words.is_empty() && !words.iter().any(|w| w == text.as_ref()) {
                return Err((at, format!("'{path}' is '{text}', and should be one of: {}", words.join(", "))));
            }
        }
        match value.get_ref() {
            DeValue::Table(table) => fits.first().map_or(Ok(()), |shape| self.table(table, at, shape, path)),
            DeValue::Array(list) => {
                let items = fits.first().and_then(|shape| shape.get("items"));
                list.iter().try_for_each(|item| items.map_or(Ok(()), |shape| self.value(item, shape, path)))
            }
            _ => Ok(()),
        }
    }

    fn table(&self, table: &DeTable<'_>, at: usize, shape: &Json, path: &str) -> Checked {
        let empty = Map::new();
        let known = shape["properties"].as_object().unwrap_or(&empty);
        let inside = |key: &str| if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            match known.get(name) {
                Some(shape) => self.value(value, shape, &inside(name))?,
                None if shape["additionalProperties"].is_object() => self.value(value, &shape["additionalProperties"], &inside(name))?,
                None if shape["additionalProperties"] == Json::Bool(false) => {
                    let place = if path.is_empty() { "a plan".to_string() } else { format!("'{path}'") };
                    let near = nearest(name, known.keys().map(String::as_str)).map_or_else(String::new, |k| format!("; did you mean '{k}'?"));
                    let all = known.keys().cloned().collect::<Vec<_>>().join(", ");
                    return Err((key.span().start, format!("{place} has no key '{name}'{near} (it has: {all})")));
                }
                None => {}
            }
        }
        for required in shape["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !table.keys().any(|k| k.get_ref() == required) {
                let place = if path.is_empty() { "the plan".to_string() } else { format!("'{path}'") };
                return Err((at, format!("{place} needs the key '{required}'")));
            }
        }
        Ok(())
    }
}

/// The reference of the language, in Markdown.
pub fn reference() -> String {
    let root = shape();
    let checker = Checker { root: &root };
    let mut out = String::from("# The plan language\n\nA plan says which file makes which records and which column fills which field. It is TOML; `plans/` has examples, and\n`northing import FILE` writes a first one. This page is made by `northing plan-language` out of the program: do not edit it.\n");
    let mut section = |title: &str, shape: &Json| {
        out.push_str(&format!("\n## {title}\n\n"));
        if let Some(about) = shape["description"].as_str() {
            out.push_str(&format!("{}\n\n", about.replace('\n', " ")));
        }
        out.push_str("| key | is | says |\n|---|---|---|\n");
        let required: Vec<&str> = shape["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        for (key, own) in shape["properties"].as_object().into_iter().flatten() {
            let need = if required.contains(&key.as_str()) { " (needed)" } else { "" };
            let about = own["description"].as_str().or_else(|| checker.settled(own)["description"].as_str()).unwrap_or_default().replace('\n', " ").replace('|', "\\|");
            out.push_str(&format!("| `{key}`{need} | {} | {about} |\n", is(&checker, own)));
        }
    };
    section("A plan", &root);
    let titles = [("FilePlan", "`[[file]]`"), ("Join", "`[[file.join]]`"), ("Make", "`[[file.make]]`"), ("FullSource", "A source: `[file.make.fields]`"), ("When", "A condition: `when`"), ("Case", "A case: `cases`"), ("MomentPlan", "`[[file.make.moment]]`"), ("Fixed", "`[[record]]`")];
    for (name, title) in titles {
        if let Some(shape) = root["$defs"].get(name) {
            section(title, shape);
        }
    }
    out
}

/// What a key holds, for the reference.
fn is(checker: &Checker<'_>, shape: &Json) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in checker.choices(shape) {
        let words: Vec<&str> = one["enum"].as_array().into_iter().flatten().chain(one.get("const")).filter_map(Json::as_str).collect();
        let types = match &one["type"] {
            Json::Array(several) => several.iter().filter_map(Json::as_str).collect(),
            Json::String(single) => vec![single.as_str()],
            _ => Vec::new(),
        };
        for kind in types.into_iter().filter(|k| *k != "null") {
            all.push(match kind {
                _ if !words.is_empty() => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" or "),
                "string" => "text".into(),
                "integer" => "whole number".into(),
                "boolean" => "true or false".into(),
                "array" => format!("list of {}", is(checker, &one["items"])),
                "object" if one["additionalProperties"].is_object() => format!("table of {}", is(checker, &one["additionalProperties"])),
                "object" => "table".into(),
                other => other.into(),
            });
        }
    }
    all.dedup();
    if all.is_empty() { "any value".into() } else { all.join(" or ") }
}
