//! What a person may see, applied where facts are made: what a view leaves out is not in its facts, so nothing that
//! is worked out of them can tell of it (SECURITY.md P6).
//!
//! Must not know of roles or people's names; `crm` turns those into views.

use crate::Facts;
use crate::table::SEEN;
use northing_model::{FieldDef, Model, ObjectDef, Physical, Value};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which records of an object are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sees {
    All,
    /// Those of these users, by the object's `whose`.
    Of(BTreeSet<Uuid>),
}

/// An object without an entry is not seen at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    pub objects: BTreeMap<String, Sees>,
    /// Fields that are as if they were not there.
    pub hidden: BTreeMap<String, BTreeSet<String>>,
}

impl View {
    pub fn sees(&self, object: &str) -> bool {
        self.objects.contains_key(object)
    }
    pub fn hides(&self, object: &str, field: &str) -> bool {
        self.hidden.get(object).is_some_and(|fields| fields.contains(field))
    }

    /// The model as the view's person knows it: without hidden fields.
    pub fn model(&self, model: &Model) -> Model {
        let mut own = model.clone();
        for object in &mut own.objects {
            let hidden = self.hidden.get(&object.name).cloned().unwrap_or_default();
            object.fields.retain(|name, _| !hidden.contains(name));
            object.list.retain(|column| !hidden.contains(column));
            object.sort.retain(|column| !hidden.contains(column.trim_start_matches('-')));
        }
        own
    }

    /// Can a metric be worked out at all of what is seen? Not where a table that it needs, or a field that makes it,
    /// is hidden: a sum without its amounts would be a wrong number, not a small one.
    pub fn bears(&self, model: &Model, metric: &str, variant: Option<&str>) -> bool {
        let Some(def) = model.metrics.get(metric) else { return true };
        let Ok(def) = variant.filter(|v| !v.is_empty()).map_or_else(|| Ok(def.clone()), |v| def.variant(v)) else { return true };
        let fixed = |name: &str| name.contains(':');
        if !def.inputs.values().filter(|i| !fixed(&i.metric)).all(|i| self.bears(model, &i.metric, i.variant.as_deref())) {
            return false;
        }
        let mut tables: BTreeSet<&str> = def.measures().iter().flat_map(|(_, m)| northing_model::metric::tables_of(&m.from)).collect();
        tables.extend(def.state.iter().map(|s| s.from.as_str()));
        tables.extend(def.components.values().flat_map(|c| northing_model::metric::tables_of(&c.from)));
        tables.extend(def.attribute.iter().map(|a| a.touch.as_str()));
        if def.kind == northing_model::MetricKind::Model {
            tables.extend(["order", "deal", "contract"]);
        }
        if def.kind == northing_model::MetricKind::Goal {
            tables.insert("goal");
        }
        let text = format!("{def:?}");
        tables.into_iter().all(|table| self.makes(model, table, &text))
    }

    /// Is a table seen, and nothing hidden of what its rows are made of?
    fn makes(&self, model: &Model, table: &str, definition: &str) -> bool {
        let base = model.object(table).and_then(|o| o.of.as_deref()).unwrap_or(table);
        if !self.sees(base) {
            return false;
        }
        let told_by = |o: &&ObjectDef| o.name == base || o.whose.iter().any(|w| o.field(w).and_then(|f| f.to.as_deref()) == Some(base));
        let hidden: Vec<&String> = model.objects.iter().filter(told_by).flat_map(|o| self.hidden.get(&o.name).into_iter().flatten()).collect();
        let numbers = |name: &&&String| {
            let field = model.objects.iter().filter_map(|o| o.field(name)).next();
            definition.contains(name.as_str()) || field.is_none_or(|f| matches!(f.kind.physical(), Physical::Money | Physical::Decimal | Physical::Time | Physical::Bool) || f.history)
        };
        !hidden.iter().any(|name| numbers(&name))
    }
}

/// How far an object is from whose its records are: those are read first.
pub(crate) fn depth(model: &Model, object: &ObjectDef) -> usize {
    fn go(model: &Model, object: &ObjectDef, left: usize) -> usize {
        let others = object.whose.iter().filter_map(|w| object.field(w)?.to.as_deref()).filter(|to| *to != "user" && *to != object.name);
        others.filter_map(|to| model.object(to)).map(|to| if left == 0 { 0 } else { 1 + go(model, to, left - 1) }).max().unwrap_or(0)
    }
    go(model, object, 6)
}

impl Facts {
    /// Is a record seen, by its values in the order of the table's plan?
    pub(crate) fn is_seen(&self, table: usize, plan: &[FieldDef], values: &[Value]) -> bool {
        let Some(view) = &self.view else { return true };
        let object = &self.model.objects[table];
        let own = match view.objects.get(&object.name) {
            None => return false,
            Some(Sees::All) => return true,
            Some(Sees::Of(own)) => own,
        };
        let reference = |name: &String| {
            let at = plan.iter().position(|f| f.name == *name)?;
            Some((plan[at].to.as_deref()?, values[at].as_ref_id()?))
        };
        match object.whose.iter().find_map(reference) {
            Some(("user", who)) => own.contains(&who),
            Some((to, id)) => self.model.object_index(to).is_some_and(|t| self.has_seen(t, id)),
            None => object.shared || object.structural,
        }
    }

    /// Was a record taken in (not only heard of by a reference)?
    pub(crate) fn has_seen(&self, table: usize, id: Uuid) -> bool {
        self.view.is_none() || self.find(table, id).is_some_and(|row| self.tables[table].flags(row) & SEEN != 0)
    }
}
