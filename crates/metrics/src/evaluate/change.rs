//! What changed: how much of the difference to the earlier value each value of a dimension accounts for.
//!
//! Amounts differ by what each part differs. A ratio differs because parts changed (rate) and because they weigh
//! otherwise (mix), told apart by the midpoints of both periods (the symmetric form of Kitagawa 1955), so that
//! the contributions add up to the difference exactly.

use crate::answer::{Bucket, Cell, Contribution};

/// Parts that do not make up the whole (a customer may count in two) have no contributions.
const NEARLY: f64 = 1e-9;

/// Writes contributions into the buckets of one period, cut by a dimension and compared.
pub(super) fn contribute(buckets: &mut [Bucket], total: &Bucket) {
    let Some(old_total) = total.compare.as_ref().map(|c| &c.cell) else { return };
    let (Some(now), Some(before)) = (total.cell.value, old_total.value) else { return };
    let found = if total.cell.denominator.is_some() { rates(buckets, &total.cell, old_total) } else { amounts(buckets) };
    let sum: f64 = found.iter().map(|c| c.total).sum();
    if (sum - (now - before)).abs() <= NEARLY * now.abs().max(before.abs()).max(1.0) {
        for (bucket, contribution) in buckets.iter_mut().zip(found) {
            bucket.contribution = Some(contribution);
        }
    }
}

fn amounts(buckets: &[Bucket]) -> Vec<Contribution> {
    let old = |b: &Bucket| b.compare.as_ref().and_then(|c| c.cell.value).unwrap_or(0.0);
    buckets.iter().map(|b| Contribution { total: b.cell.value.unwrap_or(0.0) - old(b), mix: None, rate: None }).collect()
}

fn rates(buckets: &[Bucket], now: &Cell, before: &Cell) -> Vec<Contribution> {
    let weight = |cell: Option<&Cell>, whole: &Cell| match (cell.and_then(|c| c.denominator), whole.denominator) {
        (Some(own), Some(all)) if all != 0.0 => own / all,
        _ => 0.0,
    };
    let middle = (now.value.unwrap_or(0.0) + before.value.unwrap_or(0.0)) / 2.0;
    let each = buckets.iter().map(|b| {
        let old = b.compare.as_ref().map(|c| &c.cell);
        let (w1, w0) = (weight(Some(&b.cell), now), weight(old, before));
        // A part that was not there before, or is no more, has the rate of the period that knows it.
        let (r1, r0) = (b.cell.value, old.and_then(|c| c.value));
        let (r1, r0) = (r1.or(r0).unwrap_or(0.0), r0.or(r1).unwrap_or(0.0));
        let rate = (w0 + w1) / 2.0 * (r1 - r0);
        let mix = (w1 - w0) * ((r0 + r1) / 2.0 - middle);
        Contribution { total: rate + mix, mix: Some(mix), rate: Some(rate) }
    });
    each.collect()
}
