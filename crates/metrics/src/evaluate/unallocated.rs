//! Costs of a breakdown that belong to none of its values: where they are many, every value of it is told so, as each
//! looks cheaper than it is.

use super::Series;
use super::cells::Results;
use super::compile::{Compiled, Side};
use super::inputs::is_none;
use crate::scan::Key;
use crate::span::Span;
use northing_model::money::TICKS;

/// The table of costs.
const COSTS: &str = "expense_share";

/// The flag that is put up, with the sums beside it.
const FLAG: &str = "unallocated_costs";

/// Costs are told of from this share on: one in so many.
const ONE_IN: i128 = 10;

pub(crate) fn tell(c: &Compiled, r: &Results<'_>, num: &Side, series: &mut Series) {
    let tables = &r.frame.snapshot.tables;
    let costs: Vec<usize> = (0..num.terms.len()).filter(|t| tables[r.plan.requests[num.terms[*t].handle].table].schema.name == COSTS).collect();
    if costs.is_empty() {
        return;
    }
    let groups = r.totals(num);
    let of = |keys: &[(usize, Key)], span: &Span| -> i128 {
        let own = keys.iter().filter(|(t, _)| costs.contains(t));
        own.map(|(t, key)| { let sum = r.sum(num, *t, key, span).0; if num.terms[*t].minus { -sum } else { sum } }).sum()
    };
    for (i, span) in c.spans.iter().enumerate() {
        let (mut whole, mut nowhere) = (0i128, 0i128);
        for (group, keys) in &groups {
            let sum = of(keys, span);
            whole += sum;
            nowhere += if group.iter().any(is_none) { sum } else { 0 };
        }
        if nowhere > 0 && nowhere * ONE_IN > whole {
            for cells in series.values_mut() {
                cells[i].flags.push(FLAG.into());
                cells[i].unallocated = Some([nowhere as f64 / TICKS as f64, whole as f64 / TICKS as f64]);
            }
        }
    }
}
