//! Whether what people declared can be computed at all, asked over facts without records before it is taken.

use crate::{Cache, Question, Wanted, ask};
use northing_facts::Facts;
use northing_model::own::is_own;
use northing_model::{Grain, Model, Period};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Lays out facts for a model and computes its own metrics over a month of them; what is wrong otherwise.
pub fn try_model(model: &Arc<Model>) -> Result<(), String> {
    let tried = catch_unwind(AssertUnwindSafe(|| {
        let snapshot = Facts::try_model(model).map_err(|e| e.to_string())?;
        let mut metrics = Vec::new();
        for metric in model.metrics.values().filter(|m| is_own(&m.id)) {
            metrics.push(Wanted { metric: metric.id.clone(), variant: None });
            metrics.extend(metric.variants.keys().map(|v| Wanted { metric: metric.id.clone(), variant: Some(v.clone()) }));
        }
        if metrics.is_empty() {
            return Ok(());
        }
        // Any month does: 1970-01-01 to 1970-02-01.
        let question = Question { metrics, grain: Grain::Month, ..Question::new("", Period { start: 0, end: 31 }, 31 * 86_400) };
        ask(&snapshot, &question, &Cache::default()).map(drop).map_err(|e| e.to_string())
    }));
    tried.unwrap_or_else(|_| Err("the facts of the workspace cannot be laid out with it".into()))
}
