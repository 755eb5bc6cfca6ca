//! Objects as declared, and the checked whole of them: the `Model`.
//!
//! A custom field or object is the same declaration kept in the workspace; `Model::build` merges both.

pub use crate::exclusive::Exclusive;
use crate::field::{FieldDef, FieldType, Suggest};
use crate::metric::{self, MetricDef};
pub use crate::own::Definition;
use crate::{ModelError, own, source};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectDef {
    pub name: String,
    /// The name in URLs and lists: `deals`.
    pub plural: String,
    /// What people call their own object: many of them, and one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one: Option<String>,
    /// The field that names a record on screens.
    pub title: String,
    /// The field that leads to the customer whose facts this record takes part in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
    /// References that say whose a record is, the first filled one decides: to a user, or to a record whose it is then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub whose: Vec<String>,
    /// What nobody is named for by `whose` is everybody's (products, stages, lists kept for all).
    #[serde(default)]
    pub shared: bool,
    /// Something that a record takes for a span of time, so that no other may have it then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive: Option<Exclusive>,
    /// Fields that a record which leaves them out takes from a rule that fits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<Fill>,
    /// What every record must meet, whoever writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Records that no KPI counts (KPIS.md G4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude: Option<String>,
    /// Computed whole by facts; has no table in the store and no write routes.
    #[serde(default)]
    pub derived: bool,
    /// There is one record, made with the workspace: nobody makes another or deletes it.
    #[serde(default)]
    pub single: bool,
    /// A change of such a record changes the meaning of others (stages, rates, settings): facts are rebuilt.
    #[serde(default)]
    pub structural: bool,
    /// Taken out of use by its people; its records stay and come back with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// For derived tables: the object whose history makes the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// For derived tables: the rows are pieces of one record of `of`, so numbers of records count that record once.
    #[serde(default)]
    pub pieces: bool,
    /// Columns that a list shows first.
    #[serde(default)]
    pub list: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sort: Vec<String>,
    pub fields: BTreeMap<String, FieldDef>,
    #[serde(default)]
    pub derive: BTreeMap<String, FieldDef>,
}

/// Rules are records of `by`. One fits where its `matching` fields are empty or say the same as the record's, where its
/// flag `active` is up, and where it was made no later than what the record's instant `since` says. Of those that fit the
/// one that says most gives its `fields`; when the record comes to say something else there, so does the rule.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    pub by: String,
    pub matching: Vec<String>,
    pub fields: Vec<String>,
    pub active: String,
    pub since: String,
}

/// A condition on a record. It is looked at when a field that it speaks of is written, and refuses what is known not to
/// meet it: what is left out meets every condition.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The field that is told of.
    pub field: String,
    pub holds: String,
    /// What is wrong where it does not, as a sentence.
    pub says: String,
}

/// Fields that every stored object has without declaring them.
pub const SYSTEM_FIELDS: [(&str, FieldType); 5] = [
    ("external_id", FieldType::Text),
    ("created_at", FieldType::Datetime),
    ("updated_at", FieldType::Datetime),
    ("is_test", FieldType::Bool),
    ("merged_into", FieldType::Ref),
];

impl ObjectDef {
    /// Declared, system and derived fields.
    /// Fields whose words are looked through when somebody searches: the long texts of records that are of somebody.
    pub fn searched(&self) -> impl Iterator<Item = &FieldDef> {
        let searched = !self.structural && !self.shared && !self.derived;
        self.fields.values().filter(move |f| searched && f.kind == FieldType::LongText && !f.derived)
    }
    pub fn field(&self, name: &str) -> Option<&FieldDef> {
        self.fields.get(name)
    }
    pub fn history_fields(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.values().filter(|f| f.history)
    }
    /// Fields on which it hangs who gets in.
    pub fn doors(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.values().filter(|f| f.door)
    }
    /// Fields that people write.
    pub fn stored_fields(&self) -> impl Iterator<Item = &FieldDef> {
        self.fields.values().filter(|f| !f.derived)
    }

    /// Fields that were taken out of use, and where lists name them.
    fn leave_out_dropped(&mut self) {
        self.fields.retain(|_, f| !f.dropped);
        if own::is_own(&self.name) {
            let fields = &self.fields;
            let there = |name: &String| SYSTEM_FIELDS.iter().any(|(s, _)| s == name) || fields.contains_key(name.trim_start_matches('-'));
            self.list.retain(there);
            self.sort.retain(|name| there(&name.trim_start_matches('-').to_string()));
            self.whose.retain(there);
            self.customer = self.customer.take().filter(|path| path == "id" || path.split('.').next().is_some_and(|step| there(&step.to_string())));
        }
    }

    fn complete(&mut self) {
        if self.whose.is_empty() && !self.shared && !self.structural {
            let first = self.customer.as_deref().and_then(|path| path.split('.').next()).filter(|step| *step != "id");
            let likely = ["owner", "x_owner"].into_iter().chain(first).filter(|f| self.fields.get(*f).is_some_and(|f| f.kind == FieldType::Ref && f.facts));
            self.whose = likely.map(str::to_string).collect();
        }
        let derive = std::mem::take(&mut self.derive);
        for (name, mut field) in derive {
            field.derived = true;
            field.complete();
            self.fields.insert(name, field);
        }
        if !self.derived {
            for (name, kind) in SYSTEM_FIELDS {
                let to = (kind == FieldType::Ref).then(|| self.name.clone());
                let name = name.to_string();
                let facts = name != "external_id";
                self.fields.entry(name.clone()).or_insert(FieldDef { to, facts, ..FieldDef::plain(&name, kind) });
            }
        }
        for (name, field) in &mut self.fields {
            field.name.clone_from(name);
        }
    }
}

/// Every object and metric of one workspace, checked against each other.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub objects: Vec<ObjectDef>,
    pub metrics: BTreeMap<String, MetricDef>,
    /// Other names under which a table knows a dimension: `source` is `expense.source` on `expense_share`.
    pub aliases: BTreeMap<String, BTreeMap<String, String>>,
    /// The tiles of the overview, in order.
    pub dashboards: BTreeMap<String, Dashboard>,
    /// While it is built: objects that were dropped, with what else was declared on them.
    pub(crate) dropped: std::collections::BTreeSet<String>,
    edition: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dashboard {
    pub tiles: Vec<String>,
    pub trend: String,
    /// The whole first, then the steps that are counted of it (`metric` or `metric:variant`, cohort metrics).
    pub funnel: Vec<String>,
    pub breakdown: String,
    pub breakdown_by: String,
}

impl Model {
    /// The model that ships with the product.
    pub fn builtin() -> Result<Self, ModelError> {
        Self::build(&[])
    }

    /// The product's model with a workspace's own declarations merged in.
    pub fn build(custom: &[Definition]) -> Result<Self, ModelError> {
        let mut model = Model::default();
        for (path, text) in source::files("objects/") {
            model.add_object(&path, &text)?;
        }
        for (path, text) in source::files("metrics/") {
            metric::parse_file(&path, &text, &mut model.metrics)?;
        }
        for (path, text) in source::files("dimensions.toml") {
            model.aliases = parse_toml(&path, &text)?;
        }
        for (path, text) in source::files("dashboards/") {
            let name = path.trim_start_matches("dashboards/").trim_end_matches(".toml").to_string();
            model.dashboards.insert(name, parse_toml(&path, &text)?);
        }
        model.check_product()?;
        model.add_own(custom)?;
        model.check()?;
        let mut edition = DefaultHasher::new();
        custom.hash(&mut edition);
        model.edition = edition.finish();
        Ok(model)
    }

    /// The model with more metrics, and their names; refused with the reason where one is wrong.
    pub fn with_metrics(&self, body: &str) -> Result<(Self, Vec<String>), ModelError> {
        let mut model = self.clone();
        metric::parse_declared("definition", body, &mut model.metrics)?;
        let new: Vec<String> = model.metrics.keys().filter(|id| !self.metrics.contains_key(*id)).cloned().collect();
        new.iter().try_for_each(|id| own::check_own_name(&format!("metric {id}"), id))?;
        model.check()?;
        Ok((model, new))
    }

    fn add_object(&mut self, place: &str, text: &str) -> Result<(), ModelError> {
        let object = parse_toml(place, text)?;
        self.take_object(place, object)
    }

    fn take_object(&mut self, place: &str, mut object: ObjectDef) -> Result<(), ModelError> {
        object.complete();
        if self.object(&object.name).is_some() {
            return Err(ModelError::new(place, format!("object '{}' is declared twice", object.name), "give it another name"));
        }
        self.objects.push(object);
        Ok(())
    }

    /// None of the product's own names may be one that people could give.
    fn check_product(&self) -> Result<(), ModelError> {
        let names = self.objects.iter().flat_map(|o| [&o.name, &o.plural].into_iter().chain(o.fields.keys())).chain(self.metrics.keys());
        match names.into_iter().find(|n| own::is_own(n)) {
            Some(name) => Err(ModelError::new("model", format!("'{name}' is a name that people may give"), "give it another one")),
            None => Ok(()),
        }
    }

    pub(crate) fn add_definition(&mut self, definition: &Definition) -> Result<(), ModelError> {
        let place = format!("definition {}", definition.name);
        match definition.kind.as_str() {
            "object" => {
                let mut object: ObjectDef = parse_toml(&place, &definition.body)?;
                own::check_object(&place, &object)?;
                if self.object(&object.name).is_some() || self.dropped.contains(&object.name) {
                    return Err(ModelError::new(place, format!("object '{}' is declared twice", object.name), "give it another name"));
                }
                if object.dropped {
                    self.dropped.insert(object.name);
                    return Ok(());
                }
                object.leave_out_dropped();
                self.take_object(&place, object)
            }
            "metric" => metric::parse_declared(&place, &definition.body, &mut self.metrics),
            "fields" => {
                let fields: BTreeMap<String, FieldDef> = parse_toml(&place, &definition.body)?;
                let known = self.names();
                if self.dropped.contains(&definition.name) {
                    return Ok(());
                }
                let Some(object) = self.objects.iter_mut().find(|o| o.name == definition.name && !o.derived) else {
                    return Err(ModelError::new(place, "there is no such object", format!("name one of {known}")));
                };
                for (name, field) in fields {
                    own::check_field(&place, &name, &field)?;
                    if object.fields.contains_key(&name) {
                        return Err(ModelError::new(place, format!("field '{name}' exists already"), "give it another name"));
                    }
                    object.fields.insert(name, field);
                }
                object.leave_out_dropped();
                object.complete();
                Ok(())
            }
            other => Err(ModelError::new(place, format!("unknown kind '{other}'"), "use object, fields or metric")),
        }
    }

    /// Tells this set of the workspace's own declarations from any other.
    pub fn edition(&self) -> String {
        format!("{:x}", self.edition)
    }
    pub fn object(&self, name: &str) -> Option<&ObjectDef> {
        self.objects.iter().find(|o| o.name == name)
    }
    pub fn object_index(&self, name: &str) -> Option<usize> {
        self.objects.iter().position(|o| o.name == name)
    }
    /// An object by its singular or plural name.
    pub fn object_by_path(&self, path: &str) -> Option<&ObjectDef> {
        self.objects.iter().find(|o| o.plural == path || o.name == path)
    }
    fn names(&self) -> String {
        self.objects.iter().map(|o| o.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn check(&self) -> Result<(), ModelError> {
        let mut paths = std::collections::BTreeMap::new();
        for object in &self.objects {
            let place = format!("object {}", object.name);
            check_name(&place, &object.name)?;
            check_name(&place, &object.plural)?;
            for path in [&object.name, &object.plural] {
                if paths.insert(path, &object.name).is_some_and(|other| *other != object.name) {
                    return Err(ModelError::new(place, format!("two objects answer to '{path}'"), "give it another name"));
                }
            }
            if !object.fields.contains_key(&object.title) {
                return Err(ModelError::new(place, format!("its title '{}' is not a field", object.title), "name one of its fields"));
            }
            for column in object.list.iter().chain(&object.sort) {
                if !object.fields.contains_key(column.trim_start_matches('-')) {
                    return Err(ModelError::new(place, format!("the list shows '{column}', which is not a field"), "name one of its fields"));
                }
            }
            for field in object.fields.values() {
                self.check_field(object, field)?;
            }
            if let Some(x) = &object.exclusive {
                x.check(self, object, &place)?;
            }
            if let Some(name) = object.whose.iter().find(|w| object.field(w).is_none_or(|f| f.kind != FieldType::Ref || !f.facts)) {
                return Err(ModelError::new(place, format!("whose '{name}' is not one of its references"), "name a ref field that facts hold"));
            }
            if let Some(fill) = &object.fill {
                let rules = self.object(&fill.by).filter(|by| !by.derived && by.field(&fill.active).is_some_and(|f| f.kind == FieldType::Bool && !f.derived));
                let both = |name: &String| rules.and_then(|by| by.field(name)).zip(object.field(name)).is_some_and(|(a, b)| a.kind == b.kind && !a.derived && !b.derived && a.options == b.options);
                let fine = fill.matching.iter().all(|n| both(n) && object.field(n).is_some_and(|f| f.kind == FieldType::Choice)) && fill.fields.iter().all(both) && object.field(&fill.since).is_some_and(|f| f.kind == FieldType::Datetime && !f.derived);
                if !fine || fill.matching.is_empty() {
                    return Err(ModelError::new(place, "fill needs rules that share its fields, an instant of the object and a flag of the rules", "name by, matching (choices), fields, active and since"));
                }
            }
            for check in &object.checks {
                let condition = crate::Expr::parse(&check.holds).and_then(|e| e.check(self, &object.name));
                match condition {
                    Ok(crate::expr::Type::Bool) if object.fields.contains_key(&check.field) && !check.says.trim().is_empty() => {}
                    Ok(_) => return Err(ModelError::new(format!("{place}.checks"), format!("'{}' is no condition, or not of one of its fields", check.holds), "write field, holds (a condition) and says (a sentence)")),
                    Err(e) => return Err(ModelError::new(format!("{place}.checks"), e, "mend the condition")),
                }
            }
            if let Some(path) = object.customer.as_ref().filter(|_| own::is_own(&object.name)) {
                let end = path.split('.').try_fold(object, |at, step| at.field(step).filter(|f| f.kind == FieldType::Ref).and_then(|f| self.object(f.to.as_deref()?)));
                if end.is_none_or(|o| o.name != "customer") {
                    return Err(ModelError::new(place, format!("'{path}' does not lead to a customer"), "name a ref to a customer"));
                }
            }
            if let Some(text) = &object.exclude {
                crate::Expr::parse(text)
                    .and_then(|e| e.check(self, &object.name))
                    .map_err(|e| ModelError::new(format!("{place}.exclude"), e, "mend the expression"))?;
            }
        }
        for definition in self.metrics.values() {
            definition.check(self)?;
        }
        metric::chains(self)?;
        for (name, board) in &self.dashboards {
            for id in board.tiles.iter().chain(&board.funnel).chain([&board.trend, &board.breakdown]) {
                let (metric, variant) = id.split_once(':').map_or((id.as_str(), None), |(m, v)| (m, Some(v)));
                if self.metrics.get(metric).is_none_or(|def| variant.is_some_and(|v| !def.variants.contains_key(v))) {
                    return Err(ModelError::new(format!("dashboards/{name}.toml"), format!("there is no metric '{id}'"), "see `northing metrics`"));
                }
            }
        }
        Ok(())
    }

    fn check_field(&self, object: &ObjectDef, field: &FieldDef) -> Result<(), ModelError> {
        let place = format!("object {}.fields.{}", object.name, field.name);
        check_name(&place, &field.name)?;
        let is_ref = matches!(field.kind, FieldType::Ref | FieldType::Refs);
        match &field.to {
            Some(to) if is_ref => {
                if self.object(to).is_none_or(|o| o.derived && own::is_own(&field.name)) {
                    return Err(ModelError::new(place, format!("points to '{to}', which is not an object"), format!("name one of {}", self.names())));
                }
            }
            None if is_ref => return Err(ModelError::new(place, "a ref needs 'to'", "add to = \"customer\", say")),
            Some(_) => return Err(ModelError::new(place, "only ref and refs have 'to'", "remove it")),
            None => {}
        }
        if field.suggest.is_some() && field.kind != FieldType::Ref || field.suggest == Some(Suggest::Me) && field.to.as_deref() != Some("user") {
            return Err(ModelError::new(place, "only a ref can suggest a record, and only a ref to users whoever makes the record", "remove 'suggest'"));
        }
        if let Some(from) = &field.from {
            let path: Vec<String> = from.path.split('.').map(str::to_string).collect();
            let told = crate::expr::path_type(self, &object.name, &path).map(|(_, kind)| kind);
            let fits = path.len() > 1 && told.as_ref().is_ok_and(|kind| kind.physical() == field.kind.physical() || (kind.physical(), field.kind.physical()) == (crate::Physical::Money, crate::Physical::Decimal));
            let known = from.currency.iter().all(|c| crate::expr::path_type(self, &object.name, &c.split('.').map(str::to_string).collect::<Vec<_>>()).is_ok());
            if !fits || !known {
                return Err(ModelError::new(place, "'from' needs a field of a record that this one refers to, of the same type", "write from = { path = \"product.price\", currency = [\"order.currency\"] }"));
            }
        }
        if field.names.is_some() && !matches!(field.kind, FieldType::Text | FieldType::Label) {
            return Err(ModelError::new(place, "only a text can name something", "remove 'names'"));
        }
        if field.condition_on.as_ref().is_some_and(|on| field.kind != FieldType::Text || self.object(on).is_none()) {
            return Err(ModelError::new(place, "only a text can be a condition, and only on an object that there is", format!("condition_on is one of {}", self.names())));
        }
        if let Some(band) = &field.band {
            let numeric = object.field(&band.of).is_some_and(|f| matches!(f.kind.physical(), crate::Physical::Int | crate::Physical::Money));
            if !numeric || !field.derived || band.edges.is_empty() || band.edges.len() > 100 || band.edges.windows(2).any(|e| e[0] >= e[1]) {
                return Err(ModelError::new(place, "a band needs a whole number or money of the same object and rising edges", "declare it under [derive] with band = { of = \"score\", edges = [20, 40] }"));
            }
        }
        let day = |name: &String| object.field(name).is_some_and(|f| matches!(f.kind, FieldType::Date | FieldType::Datetime));
        if own::is_own(&field.name) && field.dated.as_ref().is_some_and(|d| field.kind != FieldType::Money || !day(d)) {
            return Err(ModelError::new(place, "dated is the day or instant of the same record that an amount belongs to", "name a date or datetime field"));
        }
        let wants_options = matches!(field.kind, FieldType::Choice | FieldType::Shares);
        if wants_options == field.options.is_empty() {
            return Err(ModelError::new(place, "options belong to choice and shares, and those need them", "list them in 'options'"));
        }
        Ok(())
    }
}

pub(crate) fn check_name(place: &str, name: &str) -> Result<(), ModelError> {
    let fine = name.len() <= 48
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if fine { Ok(()) } else { Err(ModelError::new(place, format!("'{name}' is not a name"), "use a-z, 0-9 and _, beginning with a letter, at most 48 characters")) }
}

/// Reads TOML, naming file and line on failure.
pub fn parse_toml<T: serde::de::DeserializeOwned>(place: &str, text: &str) -> Result<T, ModelError> {
    toml::from_str(text).map_err(|e| {
        let (line, what) = crate::declared::wrong(&e, text);
        ModelError::new(format!("{place}:{line}"), what, "see the other files of that folder for the keys")
    })
}

#[cfg(test)]
mod tests;
