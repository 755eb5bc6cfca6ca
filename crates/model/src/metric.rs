//! Metric definitions as TOML: a kind each, and the `attribute` modifier.
//!
//! A definition names tables, columns and conditions; comparison, currency, windows, incomplete periods and
//! drill-down belong to the engine and never stand here. Unknown keys are refused.

mod bounds;
mod parts;

pub use parts::*;

use crate::formula::Formula;
use crate::object::Model;
use crate::{Expr, ModelError, expr};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricDef {
    #[serde(default)]
    pub id: String,
    /// What a workspace's own metric is called and how it is told; the product's have labels in every language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    pub kind: MetricKind,
    pub unit: Unit,
    pub good: Good,
    /// sales, marketing, customers, service, …: the catalogue's headings.
    pub group: String,
    /// The articles that name it, and where they differ on it (labels `source.*` and `differs.*`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// Bumped when the meaning changes; answers carry it.
    #[serde(default = "one")]
    pub version: u32,
    /// Dimensions offered first; any other that the tables reach is allowed too.
    #[serde(default)]
    pub dims: Vec<String>,
    // flow, ratio, conversion, duration, retention over due rows
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub num: Vec<Measure>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub den: Vec<Measure>,
    /// Ask for median and 90th percentile of the numerator's values too.
    #[serde(default)]
    pub spread: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing: Option<Days>,
    /// Null with reason `insufficient_data` while the first row of the numerator is younger than so many days; survival:
    /// while no life has been looked at for longer and some go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_days: Option<i64>,
    /// Null with reason `no_cost_recorded` while this table has no row at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_rows: Option<String>,
    /// The reason instead, where it is not about costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs_reason: Option<String>,
    // stock, retention
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(default)]
    pub population: Population,
    /// Who did: only those for whom this adds up to more than nothing over the period; by the numerator's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<Measure>,
    /// Kinds that look at records one by one: a dimension made of the value itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<Band>,
    // conversion: column of seconds from base to goal
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Days>,
    // score
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Rows are put together by a reference before they are scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Mixed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub goals: Option<GoalShare>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, Component>,
    /// Null with this reason, instead of 0, where there is no row at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<String>,
    /// May be asked of periods that have not begun (forecasts).
    #[serde(default)]
    pub future: bool,
    /// What every reader of the value must be told, by name (`forecast`, `indicative`, `not_causal`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    // derived
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<Attribute>,
    /// Rows of the population that could not be used, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excluded: BTreeMap<String, Measure>,
    /// Survival: the setting that says, in years, how far lives are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,
    // model: months ahead, and whether somebody may be gone right after the first purchase
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub months: Option<usize>,
    #[serde(default)]
    pub early_dropout: bool,
    /// Present value: `median` or `p90` instead of the mean, `alive` or `purchases` of a model (set by a variant).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stat: Option<String>,
    /// Other readings, each the keys that it changes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, toml::Table>,
}

fn one() -> u32 {
    1
}

/// Tables that `purchase` may stand for.
pub const PURCHASE_TABLES: [&str; 2] = ["order", "deal"];

/// The metrics of a workspace's own declaration.
pub(crate) fn parse_declared(place: &str, text: &str, into: &mut BTreeMap<String, MetricDef>) -> Result<(), ModelError> {
    bounds::text(place, text)?;
    let before = into.len();
    parse_file(place, text, into)?;
    bounds::number(place, into.len() - before)
}

pub(crate) use bounds::chains;

pub(crate) fn parse_file(place: &str, text: &str, into: &mut BTreeMap<String, MetricDef>) -> Result<(), ModelError> {
    let metrics: BTreeMap<String, MetricDef> = crate::object::parse_toml(place, text)?;
    for (id, mut metric) in metrics {
        metric.id.clone_from(&id);
        if metric.spread {
            for stat in ["median", "p90"] {
                let mut table = toml::Table::new();
                table.insert("stat".into(), stat.into());
                metric.variants.entry(stat.into()).or_insert(table);
            }
        }
        if into.insert(id.clone(), metric).is_some() {
            return Err(ModelError::new(place, format!("metric '{id}' is declared twice"), "give it another name"));
        }
    }
    Ok(())
}

impl MetricDef {
    /// The definition with a variant's keys put in.
    pub fn variant(&self, name: &str) -> Result<MetricDef, ModelError> {
        let place = format!("metric {}", self.id);
        let Some(changes) = self.variants.get(name) else {
            let known = self.variants.keys().cloned().collect::<Vec<_>>().join(", ");
            let cure = if known.is_empty() { "it has no variants".into() } else { format!("choose one of {known}") };
            return Err(ModelError::new(place, format!("there is no variant '{name}'"), cure));
        };
        let whole = toml::Table::try_from(self).map_err(|e| ModelError::new(&place, e.to_string(), ""))?;
        let mut merged = whole;
        // What is left out is left out of what the definition counts; another kind counts something else.
        if changes.get("kind").is_some_and(|kind| Some(kind) != merged.get("kind")) {
            merged.remove("excluded");
        }
        for (key, value) in changes {
            // An empty text removes a key (a window, say).
            if value.as_str() == Some("") {
                merged.remove(key);
            } else {
                merged.insert(key.clone(), value.clone());
            }
        }
        merged.try_into().map_err(|e: toml::de::Error| ModelError::new(format!("{place}.variants.{name}"), e.message().to_string(), ""))
    }

    /// Every measure with the key that it stands under.
    pub fn measures(&self) -> Vec<(&'static str, &Measure)> {
        let mut all: Vec<(&'static str, &Measure)> = Vec::new();
        all.extend(self.num.iter().map(|m| ("num", m)));
        all.extend(self.den.iter().map(|m| ("den", m)));
        all.extend(self.net.iter().map(|m| ("net", m)));
        all.extend(self.excluded.values().map(|m| ("excluded", m)));
        let finer: Vec<_> = all.iter().flat_map(|(k, m)| m.finer.iter().map(|f| (*k, f))).collect();
        all.extend(finer);
        all
    }

    pub(crate) fn check(&self, model: &Model) -> Result<(), ModelError> {
        self.check_one(model, None)?;
        for name in self.variants.keys() {
            self.variant(name)?.check_one(model, Some(name))?;
        }
        Ok(())
    }

    fn check_one(&self, model: &Model, variant: Option<&str>) -> Result<(), ModelError> {
        let fail = |key: &str, problem: String| Err(ModelError::new(format!("metric {}.{key}", self.id), problem, "see METRICS in CONTRIBUTING.md"));
        if let Some((key, problem)) = bounds::of(self) {
            return fail(key, problem);
        }
        use MetricKind::*;
        let missing = match self.kind {
            Flow => self.num.is_empty().then_some("num"),
            Ratio | Conversion if self.num.is_empty() && self.kind == Ratio => Some("num"),
            Ratio => self.den.is_empty().then_some("den"),
            Conversion => (self.den.is_empty() || self.goal.is_none()).then_some("den and goal"),
            Duration => self.num.is_empty().then_some("num"),
            Stock => self.state.is_none().then_some("state"),
            Retention if matches!(self.outcome, Some(Outcome::Net | Outcome::Gross)) && self.state.as_ref().is_some_and(|s| s.value.is_none()) => Some("state with a value"),
            Retention => (self.outcome.is_none() || self.state.as_ref().is_none_or(|s| s.key.is_none()))
                .then_some("outcome and state with key"),
            Score => self.num.is_empty().then_some("num"),
            Derived => (self.formula.is_none() || self.inputs.is_empty()).then_some("formula and inputs"),
            Goal => self.goals.is_none().then_some("goals"),
            Composite => (self.components.is_empty() || self.state.as_ref().is_none_or(|s| s.key.is_none())).then_some("components and state with key"),
            Survival => (self.cap.is_none() || self.state.as_ref().is_none_or(|s| s.key.is_none())).then_some("cap and state with key"),
            Model => None,
        };
        if let Some(key) = missing {
            return fail(key, format!("a metric of kind {:?} needs {key}", self.kind));
        }
        for (key, measure) in self.measures() {
            for table in tables_of(&measure.from) {
                if let Err(e) = check_measure(model, table, measure) {
                    return fail(key, e);
                }
            }
        }
        if let Some(goal) = &self.goal {
            for table in self.den.iter().flat_map(|m| tables_of(&m.from)) {
                if let Err(e) = Expr::parse(goal).and_then(|e| e.check(model, table)) {
                    return fail("goal", e);
                }
            }
        }
        if let Some(state) = &self.state {
            for text in [Some(&state.since), Some(&state.until), state.filter.as_ref(), state.value.as_ref(), state.over.as_ref(), state.key.as_ref()].into_iter().flatten() {
                if let Err(e) = Expr::parse(text).and_then(|e| e.check(model, &state.from)) {
                    return fail("state", e);
                }
            }
        }
        for (name, part) in &self.components {
            let texts = [Some(&part.time), part.until.as_ref(), part.filter.as_ref(), part.value.as_ref()];
            for text in texts.into_iter().flatten() {
                for table in tables_of(&part.from) {
                    if let Err(e) = Expr::parse(text).and_then(|e| e.check(model, table)) {
                        return fail(&format!("components.{name}"), e);
                    }
                }
            }
        }
        if let Some(formula) = &self.formula {
            let formula = match Formula::parse(formula) {
                Ok(f) => f,
                Err(e) => return fail("formula", e),
            };
            if let Some(name) = formula.names().into_iter().find(|n| !self.inputs.contains_key(*n)) {
                return fail("formula", format!("'{name}' is not one of its inputs"));
            }
        }
        for input in self.inputs.values() {
            if ["setting:", "period:", "group:"].iter().any(|p| input.metric.starts_with(p)) {
                continue;
            }
            let Some(other) = model.metrics.get(&input.metric) else {
                return fail("inputs", format!("there is no metric '{}'", input.metric));
            };
            // A variant may be made of the metric itself as it is declared.
            let itself = input.metric == self.id && (variant.is_none() || input.variant.is_some() || other.inputs.contains_key(&self.id));
            if itself || (input.metric != self.id && other.inputs.values().any(|i| i.metric == self.id)) {
                return fail("inputs", format!("'{}' depends on this metric, which depends on it", input.metric));
            }
            if let Some(variant) = &input.variant {
                other.variant(variant)?;
            }
        }
        Ok(())
    }
}

/// The tables behind a name: `purchase` has two.
pub fn tables_of(from: &str) -> Vec<&str> {
    if from == "purchase" { PURCHASE_TABLES.to_vec() } else { vec![from] }
}

fn check_measure(model: &Model, table: &str, m: &Measure) -> Result<(), String> {
    for instant in [Some(&m.time), m.until.as_ref()].into_iter().flatten() {
        let steps: Vec<String> = instant.split('.').map(str::to_string).collect();
        let (kind, _) = expr::path_type(model, table, &steps)?;
        if kind != expr::Type::Time {
            return Err(format!("'{instant}' is not an instant"));
        }
    }
    if let Some(filter) = &m.filter {
        Expr::parse(filter)?.check(model, table)?;
    }
    match (&m.value, m.agg) {
        (None, Agg::Count) => Ok(()),
        (None, _) => Err("sum and distinct need 'value'".into()),
        (Some(v), _) => Expr::parse(v)?.check(model, table).map(|_| ()),
    }
}
