//! Fitting by maximum likelihood: the parameters under which what happened was likeliest (Nelder, Mead 1965).

use super::Summary;
use super::model::{Spend, Timing};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Both models with what they were fitted to.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub timing: Timing,
    pub spend: Spend,
    pub timing_ln: f64,
    pub spend_ln: f64,
    pub customers: usize,
    pub repeaters: usize,
    /// Between number and mean value of repeat purchases; the models take them for independent.
    pub correlation: f64,
}

impl Fit {
    /// The parameters and the data, for the answer.
    pub fn parts(&self) -> BTreeMap<String, Option<f64>> {
        let (t, s) = (&self.timing, &self.spend);
        let pairs = [("r", t.r), ("alpha", t.alpha), ("a", t.a), ("b", t.b), ("p", s.p), ("q", s.q), ("v", s.v), ("customers", self.customers as f64), ("repeaters", self.repeaters as f64), ("correlation", self.correlation)];
        pairs.into_iter().map(|(name, value)| (name.to_string(), Some(value))).collect()
    }
    pub fn flags(&self) -> Vec<String> {
        if self.correlation.abs() > 0.3 { vec!["correlated".into()] } else { Vec::new() }
    }
}

/// Of more customers than twice this many, a part shows where the search over all of them may begin.
const PART: usize = 4_000;

/// How far a search looks at first, in logarithms: from nowhere, and from where a part of the data led it.
const WIDE: f64 = 0.25;
const NEAR: f64 = 0.02;

/// Fits both models; `None` where a search does not settle.
pub fn fit(data: &[Summary], early: bool) -> Option<Fit> {
    fit_while(data, early, &|| true)
}

/// The same, as long as it may go on; nothing of a search that was cut short is to be believed.
pub(super) fn fit_while(data: &[Summary], early: bool, go_on: &dyn Fn() -> bool) -> Option<Fit> {
    let every = if data.len() >= 2 * PART { data.len() / PART } else { 1 };
    let part: Vec<Summary> = data.iter().step_by(every).copied().collect();
    // Rates are per unit of time, so alpha begins at the scale of the data.
    let scale = (data.iter().map(|s| s.t).sum::<f64>() / data.len() as f64).max(0.1) / 8.0;
    let (mut timing, mut timing_ln) = fit_timing(&part, early, vec![-1.0, scale.ln(), 0.0, 1.0], WIDE, go_on)?;
    let (mut spend, mut spend_ln) = fit_spend(&part, vec![1.0, 1.0, 0.0], WIDE, go_on)?;
    if every > 1 {
        (timing, timing_ln) = fit_timing(data, early, [timing.r, timing.alpha, timing.a, timing.b].map(f64::ln).to_vec(), NEAR, go_on)?;
        let v = spend.v / mean_of(&repeating(data))?;
        (spend, spend_ln) = fit_spend(data, [spend.p, spend.q, v].map(f64::ln).to_vec(), NEAR, go_on)?;
    }
    let repeaters = repeating(data);
    // With q at most 1 the expected value of a purchase is not finite.
    if spend.q <= 1.0 {
        return None;
    }
    Some(Fit { timing, spend, timing_ln, spend_ln, customers: data.len(), repeaters: repeaters.len(), correlation: correlation(&repeaters) })
}

fn repeating(data: &[Summary]) -> Vec<&Summary> {
    data.iter().filter(|s| s.x > 0 && s.mean > 0.0).collect()
}

fn mean_of(repeaters: &[&Summary]) -> Option<f64> {
    let mean = repeaters.iter().map(|s| s.mean).sum::<f64>() / repeaters.len().max(1) as f64;
    (mean > 0.0).then_some(mean)
}

fn fit_timing(data: &[Summary], early: bool, start: Vec<f64>, step: f64, go_on: &dyn Fn() -> bool) -> Option<(Timing, f64)> {
    let most = data.iter().map(|s| s.x).max()?;
    let mut used = vec![false; most as usize + 1];
    data.iter().for_each(|s| used[s.x as usize] = true);
    // Who never came back differs by age alone: equal customers are weighed once.
    let mut sorted: Vec<(u32, f64, f64)> = data.iter().map(|s| (s.x, s.t_x, s.t)).collect();
    sorted.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2)));
    let equal: Vec<(u32, f64, f64, f64)> = sorted.chunk_by(|a, b| a == b).map(|c| (c[0].0, c[0].1, c[0].2, c.len() as f64)).collect();
    // Ages in whole days need each logarithm once; others are worked out one by one.
    let whole = |weeks: f64| (weeks * 7.0).round() / 7.0 == weeks && weeks < 20_000.0;
    let by_day = equal.iter().all(|e| whole(e.1) && whole(e.2));
    let days = if by_day { equal.iter().map(|e| (e.2 * 7.0).round() as usize).max().unwrap_or(0) + 1 } else { 0 };
    let timing = |at: &[f64]| Timing { r: at[0].exp(), alpha: at[1].exp(), a: at[2].exp(), b: at[3].exp(), early };
    let cost = |at: &[f64]| {
        let t = timing(at);
        let counts: Vec<[f64; 3]> = (0..=most).map(|x| if used[x as usize] { t.by_count(x) } else { [0.0; 3] }).collect();
        // Parts of fixed size, added in order: the same data gives the same sum on any machine.
        let logs: Vec<f64> = (0..days).map(|d| (t.alpha + d as f64 / 7.0).ln()).collect();
        let ln = |weeks: f64| if by_day { logs[(weeks * 7.0).round() as usize] } else { (t.alpha + weeks).ln() };
        let one = |e: &(u32, f64, f64, f64)| e.3 * t.with_count(counts[e.0 as usize], e.0, ln(e.1), ln(e.2));
        let sums: Vec<f64> = equal.par_chunks(4_096).map(|part| part.iter().map(one).sum()).collect();
        -sums.into_iter().sum::<f64>()
    };
    let (at, best) = minimise(&cost, start, step, go_on)?;
    Some((timing(&at), -best))
}

fn fit_spend(data: &[Summary], start: Vec<f64>, step: f64, go_on: &dyn Fn() -> bool) -> Option<(Spend, f64)> {
    let repeaters = repeating(data);
    let mean = mean_of(&repeaters)?;
    // In units of the mean, so that the search does not depend on the currency.
    let spend = |at: &[f64]| Spend { p: at[0].exp(), q: at[1].exp(), v: at[2].exp() };
    let most = repeaters.iter().map(|s| s.x).max().unwrap_or(0);
    let each: Vec<(u32, f64, f64)> = repeaters.iter().map(|s| (s.x, s.mean / mean, (s.mean / mean).ln())).collect();
    let cost = |at: &[f64]| {
        let s = spend(at);
        let counts: Vec<f64> = (0..=most).map(|x| if x > 0 { s.by_count(x) } else { 0.0 }).collect();
        let sums: Vec<f64> = each.par_chunks(1_024).map(|part| part.iter().map(|(x, m, ln_m)| s.with_count(counts[*x as usize], *x, *m, *ln_m)).sum()).collect();
        -sums.into_iter().sum::<f64>()
    };
    let (at, best) = minimise(&cost, start, step, go_on)?;
    let s = spend(&at);
    // Scaling the values by the mean scales v, and the density by its inverse.
    Some((Spend { v: s.v * mean, ..s }, -best - repeaters.len() as f64 * mean.ln()))
}

fn correlation(repeaters: &[&Summary]) -> f64 {
    let n = repeaters.len() as f64;
    let mean = |f: &dyn Fn(&Summary) -> f64| repeaters.iter().map(|s| f(s)).sum::<f64>() / n;
    let (mx, mm) = (mean(&|s| f64::from(s.x)), mean(&|s| s.mean));
    let cov = mean(&|s| (f64::from(s.x) - mx) * (s.mean - mm));
    let spread = (mean(&|s| (f64::from(s.x) - mx).powi(2)) * mean(&|s| (s.mean - mm).powi(2))).sqrt();
    if spread > 0.0 { cov / spread } else { 0.0 }
}

/// Parameters beyond this (in logarithms) are a flight to infinity, not an optimum.
const FARTHEST: f64 = 12.0;

/// The lowest point of a function by the downhill simplex, begun again from where it ended until that stays.
fn minimise(cost: &dyn Fn(&[f64]) -> f64, start: Vec<f64>, step: f64, go_on: &dyn Fn() -> bool) -> Option<(Vec<f64>, f64)> {
    let (mut at, mut best) = (start, f64::INFINITY);
    for _ in 0..12 {
        let (next, value) = simplex(cost, &at, step, go_on);
        let settled = (best - value).abs() <= 1e-9 * value.abs().max(1.0);
        (at, best) = (next, value);
        if settled {
            return (best.is_finite() && at.iter().all(|x| x.abs() < FARTHEST)).then_some((at, best));
        }
    }
    None
}

fn simplex(cost: &dyn Fn(&[f64]) -> f64, start: &[f64], step: f64, go_on: &dyn Fn() -> bool) -> (Vec<f64>, f64) {
    let n = start.len();
    let value = |at: &[f64]| {
        let v = cost(at);
        if v.is_nan() { f64::INFINITY } else { v }
    };
    let mut points: Vec<(Vec<f64>, f64)> = (0..=n)
        .map(|i| {
            let mut at = start.to_vec();
            if i > 0 {
                at[i - 1] += step;
            }
            let v = value(&at);
            (at, v)
        })
        .collect();
    for _ in 0..2_000 {
        points.sort_by(|a, b| a.1.total_cmp(&b.1));
        let width = (0..n).map(|k| points.iter().map(|p| (p.0[k] - points[0].0[k]).abs()).fold(0.0, f64::max)).fold(0.0, f64::max);
        if width < 1e-8 || !go_on() {
            break;
        }
        let worst = points[n].clone();
        let middle: Vec<f64> = (0..n).map(|k| points[..n].iter().map(|p| p.0[k]).sum::<f64>() / n as f64).collect();
        let along = |step: f64| -> (Vec<f64>, f64) {
            let at: Vec<f64> = (0..n).map(|k| middle[k] + step * (middle[k] - worst.0[k])).collect();
            let v = value(&at);
            (at, v)
        };
        let reflected = along(1.0);
        if reflected.1 < points[0].1 {
            let further = along(2.0);
            points[n] = if further.1 < reflected.1 { further } else { reflected };
        } else if reflected.1 < points[n - 1].1 {
            points[n] = reflected;
        } else {
            let nearer = if reflected.1 < worst.1 { along(0.5) } else { along(-0.5) };
            if nearer.1 < worst.1.min(reflected.1) {
                points[n] = nearer;
            } else {
                let best = points[0].0.clone();
                for point in &mut points[1..] {
                    for k in 0..n {
                        point.0[k] = best[k] + 0.5 * (point.0[k] - best[k]);
                    }
                    point.1 = value(&point.0);
                }
            }
        }
    }
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    points.swap_remove(0)
}
