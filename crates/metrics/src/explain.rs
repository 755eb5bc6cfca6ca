//! How a number is made: the definition's parts with the numbers put in. Codes and names only; the words
//! around them are the reader's language's business.

use northing_model::{MetricDef, MetricKind};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Debug, Clone, Serialize)]
pub struct MeasureText {
    pub side: String,
    pub from: String,
    pub agg: String,
    pub value: Option<String>,
    pub time: String,
    #[serde(rename = "where")]
    pub filter: Option<String>,
    pub minus: bool,
}

/// A definition in parts that a screen can lay out.
#[derive(Debug, Clone, Serialize)]
pub struct Definition {
    pub id: String,
    pub kind: MetricKind,
    pub unit: String,
    pub good: String,
    pub group: String,
    pub version: u32,
    pub dims: Vec<String>,
    pub variants: Vec<String>,
    pub measures: Vec<MeasureText>,
    pub formula: Option<String>,
    pub inputs: Vec<(String, String)>,
    pub window: Option<String>,
    pub trailing: Option<String>,
    pub excluded: Vec<String>,
    pub sources: Vec<String>,
    pub differs: Vec<String>,
    /// Each variant in the same words.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub readings: BTreeMap<String, Definition>,
}

/// A metric and its variants.
pub fn describe(def: &MetricDef) -> Definition {
    let variant = |name: &String| def.variant(name).ok().map(|v| (name.clone(), one(&v)));
    Definition { readings: def.variants.keys().filter_map(variant).collect(), ..one(def) }
}

fn one(def: &MetricDef) -> Definition {
    use MetricKind::{Derived, Goal, Model, Stock};
    // A variant of another kind keeps keys that it does not use.
    let (counts, holds) = (!matches!(def.kind, Derived | Stock | Goal | Model), !matches!(def.kind, Derived | Goal | Model | MetricKind::Flow | MetricKind::Ratio | MetricKind::Duration));
    let days = |d: &northing_model::metric::Days| match d {
        northing_model::metric::Days::Fixed(n) => n.to_string(),
        northing_model::metric::Days::Setting(name) => name.clone(),
    };
    let mut measures: Vec<MeasureText> = def
        .measures()
        .into_iter()
        .filter(|_| counts)
        .filter(|(side, m)| *side != "excluded" && !def.num.iter().chain(&def.den).any(|o| o.finer.contains(m)))
        .map(|(side, m)| MeasureText {
            side: side.to_string(),
            from: m.from.clone(),
            agg: crate::evaluate::word(&m.agg),
            value: m.value.clone(),
            time: m.time.clone(),
            filter: m.filter.clone(),
            minus: m.minus,
        })
        .collect();
    if let Some(state) = def.state.as_ref().filter(|_| holds) {
        measures.push(MeasureText {
            side: "state".into(),
            from: state.from.clone(),
            agg: if state.value.is_some() { "sum".into() } else { "count".into() },
            value: state.value.clone().or_else(|| state.key.clone()),
            time: format!("{} – {}", state.since, state.until),
            filter: state.filter.clone(),
            minus: false,
        });
    }
    Definition {
        id: def.id.clone(),
        kind: def.kind,
        unit: crate::evaluate::word(&def.unit),
        good: crate::evaluate::word(&def.good),
        group: def.group.clone(),
        version: def.version,
        dims: def.dims.clone(),
        variants: def.variants.keys().cloned().collect(),
        measures,
        formula: def.formula.clone().filter(|_| def.kind == Derived),
        inputs: def.inputs.iter().filter(|_| def.kind == Derived).map(|(n, i)| (n.clone(), i.metric.clone())).collect(),
        window: def.window.as_ref().map(days),
        trailing: def.trailing.as_ref().map(days),
        excluded: def.excluded.keys().cloned().collect(),
        sources: def.sources.clone(),
        differs: def.differs.clone(),
        readings: BTreeMap::new(),
    }
}
