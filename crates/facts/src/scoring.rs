//! The points of a lead, by the workspace's rules: worked out as the lead is written, from what it says itself.

use crate::column::NULL;
use crate::{Facts, Result};
use northing_model::expr::{self, Expr, Reader};
use northing_model::{FieldDef, Record, Value};
use northing_store::Store;

/// Points lie between these.
const RANGE: (i64, i64) = (0, 100);

impl Facts {
    pub(crate) fn load_rules(&mut self, store: &Store) -> Result<()> {
        let Some(object) = self.model.object("score_rule").cloned() else { return Ok(()) };
        let names = ["condition", "points", "active"];
        let fields: Vec<&FieldDef> = names.iter().filter_map(|f| object.field(f)).collect();
        let mut found = Vec::new();
        store.scan("score_rule", &fields, |_, deleted, values| {
            if !deleted {
                found.push(names.iter().map(|n| (*n).to_string()).zip(values.iter().cloned()).collect::<Record>());
            }
        })?;
        found.iter().for_each(|rule| self.add_rule(rule));
        Ok(())
    }

    /// A condition that cannot be read holds of nothing; it was refused when it was written.
    pub(crate) fn add_rule(&mut self, rule: &Record) {
        let active = !matches!(rule.get("active"), Some(Value::Bool(false)));
        let condition = rule.get("condition").and_then(Value::as_text).and_then(|t| Expr::parse(t).ok());
        if let (Some(condition), Some(Value::Int(points)), true) = (condition, rule.get("points"), active) {
            self.rules.push((condition, *points));
        }
    }

    /// The points of a lead that is being written. Unknown to whom a field that they are made of is hidden.
    pub(crate) fn score_lead(&mut self, row: u32, own: &dyn Reader) {
        let l = self.known.lead;
        let hides = |field: &str| self.view.as_ref().is_some_and(|v| v.hides("lead", field));
        let typed = self.get(l.table, l.score, row);
        let told = self.rules.iter().flat_map(|(condition, _)| condition.paths()).any(|path| path.first().is_some_and(|field| hides(field)));
        let points = if typed != NULL {
            typed
        } else if self.rules.is_empty() || told || hides("score") {
            NULL
        } else {
            self.rules.iter().filter(|(condition, _)| expr::matches(condition, own)).map(|(_, points)| *points).fold(0, i64::saturating_add).clamp(RANGE.0, RANGE.1)
        };
        self.set(l.table, l.points, row, points);
    }
}
