//! What people declare themselves: how it is named so that it never meets the product's names, today's or a later
//! version's, what is bounded in it, and the workspace's model out of it. Must not know where declarations are kept.

pub mod edit;
pub mod rename;

use crate::field::{FieldDef, FieldType};
use crate::object::{Model, ObjectDef};
use crate::{Currency, ModelError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Every name that people give begins so, and none of the product's does: objects, their addresses, fields, metrics.
pub const PREFIX: &str = "x_";

/// Bounds of what a workspace declares.
pub const MOST_DEFINITIONS: usize = 2_000;
pub const MOST_OBJECTS: usize = 100;
/// Of one object.
pub const MOST_FIELDS: usize = 300;
pub const MOST_METRICS: usize = 500;
/// Of one choice.
pub const MOST_OPTIONS: usize = 500;
/// Letters of a label, of an option, and of what explains a metric.
pub const LONGEST_LABEL: usize = 100;
pub const LONGEST_EXPLANATION: usize = 2_000;
/// Bytes of one declaration.
pub const LONGEST_BODY: usize = 64 << 10;

/// A declaration kept in the workspace: its kind (`object`, `fields`, `metric`) and TOML text.
#[derive(Debug, Clone, Hash, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    pub kind: String,
    pub name: String,
    pub body: String,
}

/// A declaration that this version cannot take, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct SetAside {
    pub definition: Definition,
    pub why: ModelError,
}

/// Is it a name of the workspace's own?
pub fn is_own(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The order in which declarations can need each other.
fn rank(kind: &str) -> usize {
    ["object", "fields", "metric"].iter().position(|k| *k == kind).unwrap_or(3)
}

impl Model {
    /// The model of a workspace as far as its declarations can be taken, and those that cannot: what another version
    /// no longer takes must not keep people from all the rest.
    pub fn of_workspace(custom: &[Definition]) -> Result<(Self, Vec<SetAside>), ModelError> {
        if let Ok(model) = Self::build(custom) {
            return Ok((model, Vec::new()));
        }
        let mut kept: Vec<Definition> = Vec::new();
        let mut aside: Vec<SetAside> = Vec::new();
        let mut model = Self::builtin()?;
        let mut waiting: Vec<&Definition> = custom.iter().collect();
        waiting.sort_by_key(|d| rank(&d.kind));
        // Each may need one that comes later (two objects that refer to each other cannot be told apart from a fault).
        loop {
            let before = waiting.len();
            aside.clear();
            waiting.retain(|definition| {
                kept.push((*definition).clone());
                match Self::build(&kept) {
                    Ok(more) => {
                        model = more;
                        false
                    }
                    Err(why) => {
                        kept.pop();
                        aside.push(SetAside { definition: (*definition).clone(), why });
                        true
                    }
                }
            });
            if waiting.is_empty() || waiting.len() == before {
                return Ok((model, aside));
            }
        }
    }

    /// Merges a workspace's declarations into the product's model, objects first.
    pub(crate) fn add_own(&mut self, custom: &[Definition]) -> Result<(), ModelError> {
        if custom.len() > MOST_DEFINITIONS {
            return Err(ModelError::new("definitions", format!("a workspace has at most {MOST_DEFINITIONS} declarations"), "delete some that are not needed"));
        }
        let product: BTreeSet<String> = self.metrics.keys().cloned().collect();
        let mut sorted: Vec<&Definition> = custom.iter().collect();
        sorted.sort_by_key(|d| rank(&d.kind));
        for definition in sorted {
            if definition.body.len() > LONGEST_BODY {
                return Err(ModelError::new(format!("definition {}", definition.name), format!("a declaration has at most {LONGEST_BODY} bytes"), "make it shorter, or two of it"));
            }
            self.add_definition(definition)?;
        }
        self.dropped.clear();
        for object in &self.objects {
            let fields = object.fields.values().filter(|f| is_own(&f.name)).count();
            if fields > MOST_FIELDS {
                return Err(ModelError::new(format!("object {}", object.name), format!("an object has at most {MOST_FIELDS} fields of one's own"), "drop some that are not needed"));
            }
        }
        let objects = self.objects.iter().filter(|o| is_own(&o.name)).count();
        if objects > MOST_OBJECTS {
            return Err(ModelError::new("definitions", format!("a workspace has at most {MOST_OBJECTS} objects of its own"), "drop some that are not needed"));
        }
        let own: Vec<_> = self.metrics.values().filter(|m| !product.contains(&m.id)).collect();
        if own.len() > MOST_METRICS {
            return Err(ModelError::new("definitions", format!("a workspace has at most {MOST_METRICS} metrics of its own"), "delete some that are not needed"));
        }
        for metric in own {
            let place = format!("metric {}", metric.id);
            check_own_name(&place, &metric.id)?;
            check_words(&place, metric.name.as_deref(), LONGEST_LABEL)?;
            check_words(&place, metric.explanation.as_deref(), LONGEST_EXPLANATION)?;
        }
        Ok(())
    }
}

/// Checks what people may not say of an object of their own, and its fields.
pub(crate) fn check_object(place: &str, object: &ObjectDef) -> Result<(), ModelError> {
    check_own_name(place, &object.name)?;
    check_own_name(place, &object.plural)?;
    check_words(place, object.label.as_deref(), LONGEST_LABEL)?;
    check_words(place, object.one.as_deref(), LONGEST_LABEL)?;
    if object.derived || object.single || object.structural || object.of.is_some() {
        return Err(ModelError::new(place, "derived, of, single and structural belong to the product's own objects", "leave them out"));
    }
    let derived = object.derive.iter().map(|(name, field)| (name, FieldDef { derived: true, ..field.clone() }));
    let all = object.fields.iter().map(|(name, field)| (name, field.clone())).chain(derived);
    all.into_iter().try_for_each(|(name, field)| check_field(place, name, &field))
}

/// Checks what people may not say of a field of their own.
pub(crate) fn check_field(place: &str, name: &str, field: &FieldDef) -> Result<(), ModelError> {
    let place = format!("{place}.{name}");
    check_own_name(&place, name)?;
    check_words(&place, field.label.as_deref(), LONGEST_LABEL)?;
    if field.derived != field.band.is_some() {
        return Err(ModelError::new(place, "of one's own fields only a band is derived", "declare it under [derive] with band = { of = \"x_score\", edges = [20, 40] }, or as a field"));
    }
    if field.options.len() > MOST_OPTIONS {
        return Err(ModelError::new(place, format!("a choice has at most {MOST_OPTIONS} options"), "take a word to count by (label) instead"));
    }
    let mut seen = BTreeSet::new();
    for option in &field.options {
        check_words(&place, Some(option), LONGEST_LABEL)?;
        if option.trim() != option || option.is_empty() || !seen.insert(option) {
            return Err(ModelError::new(place, format!("the option '{option}' is empty, there twice or begins or ends with a space"), "write each option once"));
        }
    }
    let euro = Currency::parse("EUR");
    if let (Some(default), Some(euro)) = (&field.default, euro) {
        field.read(default, euro).map_err(|e| ModelError::new(&place, format!("the default does not fit: {e}"), "write it as the field's type is written"))?;
    }
    if field.headings.len() > 50 {
        return Err(ModelError::new(place, "a field has at most 50 headings", "leave some out"));
    }
    field.headings.iter().try_for_each(|h| check_words(&place, Some(h), LONGEST_LABEL))
}

fn check_words(place: &str, words: Option<&str>, most: usize) -> Result<(), ModelError> {
    let Some(words) = words else { return Ok(()) };
    if words.chars().count() > most {
        return Err(ModelError::new(place, format!("a label or option is longer than {most} letters"), "make it shorter"));
    }
    if words.chars().any(char::is_control) {
        return Err(ModelError::new(place, "a label or option holds a control character", "leave it out"));
    }
    Ok(())
}

/// Checks a name of one's own. Two low lines stand between a column and what the product adds to its name.
pub fn check_own_name(place: &str, name: &str) -> Result<(), ModelError> {
    crate::object::check_name(place, name)?;
    if !is_own(name) {
        return Err(ModelError::new(place, format!("'{name}' could meet a name of the product, now or in a later version"), format!("names of one's own begin with {PREFIX}: call it {PREFIX}{name}")));
    }
    if name.len() == PREFIX.len() || name.contains("__") || name.ends_with('_') {
        return Err(ModelError::new(place, format!("'{name}' is not a name of one's own"), format!("write {PREFIX} and a word, without two _ in a row and without one at the end")));
    }
    Ok(())
}

/// A name for what people call so, in any script, that nobody has yet.
pub fn name_for(words: &str, taken: impl Fn(&str) -> bool) -> String {
    let folded = crate::text::fold(words);
    let mut plain = String::new();
    for c in folded.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => plain.push(c.to_ascii_lowercase()),
            _ if !plain.is_empty() && !plain.ends_with('_') => plain.push('_'),
            _ => {}
        }
        if plain.len() >= 36 {
            break;
        }
    }
    let plain = plain.trim_end_matches('_');
    let base = if plain.is_empty() { format!("{PREFIX}own") } else { format!("{PREFIX}{plain}") };
    let free = |name: &String| !taken(name);
    (1..).map(|n| if n == 1 { base.clone() } else { format!("{base}_{n}") }).find(free).unwrap_or(base)
}

impl FieldDef {
    /// The column that holds it. One of the workspace's own is named by its type too: another type is another column,
    /// so that nothing is written over when a field is retyped, and nothing read as what it is not.
    pub fn column(&self) -> String {
        if !is_own(&self.name) {
            return self.name.clone();
        }
        let kind = self.kind.name();
        match &self.to {
            Some(to) => format!("{}__{kind}__{to}", self.name),
            None => format!("{}__{kind}", self.name),
        }
    }

    /// The field that a column of the workspace's own holds, as far as its name says.
    pub fn of_column(column: &str) -> Option<Self> {
        let mut parts = column.split("__");
        let (name, kind, to) = (parts.next()?, parts.next()?, parts.next());
        let kind: FieldType = serde_json::from_value(kind.into()).ok()?;
        Some(Self { to: to.map(str::to_string), ..Self::plain(name, kind) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_any_words() {
        let name = |words: &str| name_for(words, |n| n == "x_size");
        assert_eq!(name("Sign in"), "x_sign_in");
        assert_eq!(name("Size"), "x_size_2");
        assert_eq!(name("Égalité  No.1!"), "x_egalite_no_1");
        for words in ["размер", "尺寸", "اندازه", "", "🙂", "\0", "__", "'; drop table x"] {
            check_own_name("", &name(words)).expect("a fine declaration");
        }
        check_own_name("", &name(&"long ".repeat(99))).expect("a fine declaration");
    }

    #[test]
    fn columns_say_what_they_hold() {
        for kind in [FieldType::Text, FieldType::LongText, FieldType::Money, FieldType::Datetime] {
            let field = FieldDef::plain("x_size", kind);
            let back = FieldDef::of_column(&field.column()).expect("a fine declaration");
            assert_eq!((back.name.as_str(), back.kind, back.column()), ("x_size", kind, field.column()));
        }
    }
}
