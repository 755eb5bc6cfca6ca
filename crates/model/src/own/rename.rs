//! New names for what was declared before names of one's own had a prefix, and declarations, conditions and settings
//! written with them. Must not know where they are kept.

use super::{Definition, PREFIX, check_own_name, is_own};
use crate::FieldDef;
use crate::object::Model;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// Old names with their new ones.
#[derive(Debug, Clone, Default)]
pub struct Renames {
    pub objects: BTreeMap<String, String>,
    /// The addresses of those objects.
    pub plurals: BTreeMap<String, String>,
    /// By the old name of their object.
    pub fields: BTreeMap<String, BTreeMap<String, String>>,
    pub metrics: BTreeMap<String, String>,
    /// What was said of such a field, the last first: by its object's old name and its own.
    pub declared: BTreeMap<(String, String), Vec<FieldDef>>,
}

impl Renames {
    /// What has to be called otherwise in these declarations, the oldest first; those that were deleted count too.
    pub fn of(definitions: &[Definition]) -> Self {
        let mut all = Self::default();
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for definition in definitions {
            let Ok(table) = definition.body.parse::<Table>() else { continue };
            match definition.kind.as_str() {
                "object" => {
                    let text = |key: &str| table.get(key).and_then(Value::as_str).map(str::to_string);
                    let Some(name) = text("name") else { continue };
                    add(&mut all.objects, &mut taken, &name);
                    if let Some(plural) = text("plural") {
                        add(&mut all.plurals, &mut taken, &plural);
                    }
                    for key in ["fields", "derive"] {
                        all.add_fields(&name, table.get(key).and_then(Value::as_table));
                    }
                }
                "fields" => all.add_fields(&definition.name, Some(&table)),
                "metric" => table.keys().for_each(|id| add(&mut all.metrics, &mut taken, id)),
                _ => {}
            }
        }
        all
    }

    fn add_fields(&mut self, object: &str, fields: Option<&Table>) {
        let known = self.fields.entry(object.to_string()).or_default();
        let mut taken: BTreeSet<String> = known.values().cloned().collect();
        for (name, body) in fields.into_iter().flatten() {
            add(known, &mut taken, name);
            if let Ok(field) = body.clone().try_into::<FieldDef>() {
                let to = field.to.map(|to| self.objects.get(&to).cloned().unwrap_or(to));
                let new = known.get(name).unwrap_or(name).clone();
                self.declared.entry((object.to_string(), name.clone())).or_default().insert(0, FieldDef { name: new, to, ..field });
            }
        }
        if known.is_empty() {
            self.fields.remove(object);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.plurals.is_empty() && self.fields.is_empty() && self.metrics.is_empty()
    }

    pub fn object(&self, old: &str) -> String {
        self.objects.get(old).cloned().unwrap_or_else(|| old.to_string())
    }

    /// A name in a list of an object's fields, which may begin with `-`.
    pub fn field(&self, object: &str, old: &str) -> String {
        let (minus, name) = old.strip_prefix('-').map_or(("", old), |name| ("-", name));
        let (first, rest) = name.split_once('.').map_or((name, String::new()), |(first, rest)| (first, format!(".{rest}")));
        format!("{minus}{}{rest}", self.fields.get(object).and_then(|f| f.get(first)).map_or(first, String::as_str))
    }

    /// A condition about an object: names outside quotes. Behind a point a name is another object's, whichever it is.
    pub fn condition(&self, object: &str, text: &str) -> String {
        let empty = BTreeMap::new();
        let own = self.fields.get(object).unwrap_or(&empty);
        words(text, |word, after_point| {
            let any = || self.fields.values().find_map(|f| f.get(word));
            if after_point { own.get(word).or_else(any) } else { own.get(word) }.cloned()
        })
    }

    /// The declarations with the new names, in the same order.
    pub fn apply(&self, definitions: &[Definition]) -> Vec<Definition> {
        let mut new: Vec<Definition> = definitions.iter().map(|d| self.definition(d, true)).collect();
        // A word of a metric may be a field of its own or one of the product's; what checks is what was meant.
        for at in 0..new.len() {
            if new[at].kind == "metric" {
                let mut plain = new.clone();
                plain[at] = self.definition(&definitions[at], false);
                if Model::build(&plain).is_ok() {
                    new = plain;
                }
            }
        }
        new
    }

    fn definition(&self, old: &Definition, all: bool) -> Definition {
        let Ok(mut table) = old.body.parse::<Table>() else { return old.clone() };
        let mut name = old.name.clone();
        match old.kind.as_str() {
            "object" => {
                let Some(object) = table.get("name").and_then(Value::as_str).map(str::to_string) else { return old.clone() };
                name = self.object(&object);
                table.insert("name".into(), name.clone().into());
                for (key, value) in &mut table {
                    match (key.as_str(), &mut *value) {
                        ("plural", Value::String(text)) => *text = self.plurals.get(text).unwrap_or(text).clone(),
                        ("title" | "customer", Value::String(text)) => *text = self.field(&object, text),
                        ("exclude", Value::String(text)) => *text = self.condition(&object, text),
                        ("whose" | "list" | "sort", Value::Array(list)) => list.iter_mut().for_each(|v| rename(v, |t| self.field(&object, t))),
                        ("exclusive", Value::Table(x)) => {
                            for (key, value) in x {
                                if matches!(key.as_str(), "of" | "from" | "to" | "state" | "service") {
                                    rename(value, |t| self.field(&object, t));
                                }
                            }
                        }
                        ("fields" | "derive", Value::Table(fields)) => *fields = self.fields_of(&object, fields),
                        _ => {}
                    }
                }
                for key in ["derived", "single", "structural", "of"] {
                    table.remove(key);
                }
            }
            "fields" => {
                table = self.fields_of(&old.name, &table);
                name = self.object(&old.name);
            }
            "metric" => {
                table = table.into_iter().map(|(id, mut body)| {
                    self.metric(&mut body, all);
                    (self.metrics.get(&id).cloned().unwrap_or(id), body)
                }).collect();
            }
            _ => return old.clone(),
        }
        let body = toml::to_string(&table).unwrap_or_else(|_| old.body.clone());
        Definition { kind: old.kind.clone(), name, body }
    }

    fn fields_of(&self, object: &str, fields: &Table) -> Table {
        fields.iter().map(|(name, body)| {
            let mut body = body.clone();
            for (key, value) in body.as_table_mut().into_iter().flatten() {
                match (key.as_str(), &mut *value) {
                    ("to" | "condition_on", Value::String(text)) => *text = self.object(text),
                    ("dated", Value::String(text)) => *text = self.field(object, text),
                    ("band", Value::Table(band)) => band.iter_mut().filter(|(k, _)| *k == "of").for_each(|(_, v)| rename(v, |t| self.field(object, t))),
                    _ => {}
                }
            }
            (self.field(object, name), body)
        }).collect()
    }

    fn metric(&self, value: &mut Value, all: bool) {
        match value {
            Value::String(text) => {
                let any = |word: &str| self.objects.get(word).or_else(|| self.fields.values().find_map(|f| f.get(word)));
                *text = words(text, |word, _| self.metrics.get(word).or_else(|| any(word).filter(|_| all)).cloned());
            }
            Value::Array(list) => list.iter_mut().for_each(|v| self.metric(v, all)),
            Value::Table(table) => table.iter_mut().filter(|(k, _)| !matches!(k.as_str(), "name" | "explanation" | "kind" | "unit" | "group" | "good" | "agg")).for_each(|(_, v)| self.metric(v, all)),
            _ => {}
        }
    }

    /// The rights of a role.
    pub fn rights(&self, rights: &Json) -> Json {
        let Some(map) = rights.as_object() else { return rights.clone() };
        map.iter().map(|(object, said)| {
            let mut said = said.clone();
            for key in ["hide", "read_only"] {
                for name in said.get_mut(key).and_then(Json::as_array_mut).into_iter().flatten() {
                    if let Some(text) = name.as_str() {
                        *name = self.field(object, text).into();
                    }
                }
            }
            (self.object(object), said)
        }).collect::<serde_json::Map<_, _>>().into()
    }

    /// What a kept list asks of an object: conditions, columns, order.
    pub fn search(&self, object: &str, search: &Json) -> Json {
        match search {
            Json::String(text) => serde_json::from_str::<Json>(text).ok().filter(|j| j.is_array() || j.is_object()).map_or_else(|| self.condition(object, text).into(), |inner| self.search(object, &inner).to_string().into()),
            Json::Array(list) => list.iter().map(|v| self.search(object, v)).collect(),
            // What a condition compares with is no name.
            Json::Object(map) => map.iter().map(|(k, v)| (k.clone(), if matches!(k.as_str(), "value" | "op" | "q") { v.clone() } else { self.search(object, v) })).collect::<serde_json::Map<_, _>>().into(),
            other => other.clone(),
        }
    }
}

fn rename(value: &mut Value, new: impl Fn(&str) -> String) {
    if let Value::String(text) = value {
        *text = new(text);
    }
}

/// Gives a name its new one, unless it has one or needs none.
fn add(into: &mut BTreeMap<String, String>, taken: &mut BTreeSet<String>, old: &str) {
    let fine = is_own(old) && check_own_name("", old).is_ok();
    if fine {
        taken.insert(old.to_string());
    }
    if fine || into.contains_key(old) {
        return;
    }
    let mut plain = String::new();
    for c in old.trim_start_matches(PREFIX).chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(40) {
        if c != '_' || !plain.is_empty() && !plain.ends_with('_') {
            plain.push(c.to_ascii_lowercase());
        }
    }
    let plain = plain.trim_end_matches('_');
    let base = format!("{PREFIX}{}", if plain.is_empty() { "own" } else { plain });
    let free = |name: &String| !taken.contains(name);
    if let Some(new) = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base}_{n}") }).find(free) {
        taken.insert(new.clone());
        into.insert(old.to_string(), new);
    }
}

/// Puts other words in place of those of a condition, texts in quotes left as they are.
fn words(text: &str, new: impl Fn(&str, bool) -> Option<String>) -> String {
    let (mut out, mut word, mut quote, mut point) = (String::new(), String::new(), false, false);
    for c in text.chars().chain(['\0']) {
        if !quote && (c.is_ascii_alphanumeric() || c == '_') {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            out.push_str(&new(&word, point).unwrap_or_else(|| word.clone()));
            word.clear();
        }
        point = c == '.';
        quote ^= c == '\'';
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(kind: &str, name: &str, body: &str) -> Definition {
        Definition { kind: kind.into(), name: name.into(), body: body.into() }
    }

    #[test]
    fn declarations_of_old_are_taken_over() {
        let old = [
            definition("object", "boat", "name = 'boat'\nplural = 'boats'\ntitle = 'name'\ncustomer = 'customer'\nlist = ['name', 'size']\nsort = ['-size']\n[fields]\nname = { type = 'text' }\nsize = { type = 'int' }\ncustomer = { type = 'ref', to = 'customer' }\n"),
            definition("fields", "deal", "boat = { type = 'ref', to = 'boat' }\nstatus = { type = 'choice', options = ['stage', 'size'] }"),
            definition("metric", "mine", "[mine]\nname = 'boat size'\nkind = 'flow'\nunit = 'count'\ngood = 'up'\ngroup = 'own'\nnum = [{ from = 'deal', time = 'closed_at', where = \"status = 'size' and boat.size > 3 and outcome = 'won'\" }]\n"),
        ];
        let renames = Renames::of(&old);
        let new = renames.apply(&old);
        let model = Model::build(&new).expect("a fine declaration");
        assert_eq!(model.object("x_boat").expect("a fine declaration").sort, ["-x_size"]);
        assert!(model.object("deal").expect("a fine declaration").field("x_boat").expect("a fine declaration").to.as_deref() == Some("x_boat"));
        assert!(new[2].body.contains("x_status = 'size' and x_boat.x_size > 3 and outcome = 'won'") && new[2].body.contains("boat size"), "{}", new[2].body);
        assert!(Renames::of(&new).is_empty());
        let rights = renames.rights(&serde_json::json!({"settings": true, "boat": {"hide": ["size"]}, "deal": {"read_only": ["status", "amount"]}}));
        assert_eq!(rights, serde_json::json!({"settings": true, "x_boat": {"hide": ["x_size"]}, "deal": {"read_only": ["x_status", "amount"]}}));
        assert_eq!(renames.search("deal", &serde_json::json!({"filter": "status = 'status'", "sort": "-status"})), serde_json::json!({"filter": "x_status = 'status'", "sort": "-x_status"}));
    }
}
