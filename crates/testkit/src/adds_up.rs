//! Drill-down against the number, for every metric and variant: rows add up to both sides, parts put into the formula
//! give the value, parts have records of their own, and what rests on records says on how many.

use northing_facts::Snapshot;
use northing_metrics::drill::{Drill, Side, Wish, drill_into};
use northing_metrics::{Cache, Cell, Question, Wanted, ask};
use northing_model::formula::Formula;
use northing_model::{MetricDef, MetricKind, Period, metric::Unit};

pub fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

/// Whether these are the ends of Wilson's interval of k of n, by what defines them: from either, what was seen is 1.96 of
/// its own standard errors away.
fn wilson(k: f64, n: f64, ends: [f64; 2]) -> bool {
    let off = |p: f64| (k / n - p).abs() - 1.959_963_984_540_054 * (p * (1.0 - p) / n).sqrt();
    ends[0] < ends[1] && ends[0] <= k / n && k / n <= ends[1] && ends.iter().all(|p| off(*p).abs() < 1e-9)
}

/// Every metric with each of its variants.
pub fn readings(snapshot: &Snapshot) -> Vec<(String, Option<String>)> {
    let metrics = snapshot.model.metrics.iter();
    metrics.flat_map(|(id, def)| std::iter::once(None).chain(def.variants.keys().cloned().map(Some)).map(|v| (id.clone(), v))).collect()
}

pub fn question(metric: &str, variant: Option<&str>, period: Period, now: i64) -> Question {
    Question { metrics: vec![Wanted { metric: metric.into(), variant: variant.map(str::to_string) }], ..Question::new(metric, period, now) }
}

/// What is wrong with the drill-down of every number over a period; and how many numbers were looked at.
pub fn faults(snapshot: &Snapshot, period: Period, now: i64, cache: &Cache) -> (Vec<String>, usize) {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (metric, variant) in readings(snapshot) {
        let question = question(&metric, variant.as_deref(), period, now);
        let name = format!("{metric} {}", variant.as_deref().unwrap_or(""));
        let cell = match ask(snapshot, &question, cache) {
            Ok(mut answer) => answer.metrics.remove(0).total.cell,
            Err(e) => {
                wrong.push(format!("{name}: {e}"));
                continue;
            }
        };
        seen += usize::from(cell.value.is_some());
        let mut walk = Walk { snapshot, question: &question, wrong: &mut wrong };
        let def = walk.def(&metric, variant.as_deref());
        walk.number(&name, &def, &cell);
    }
    (wrong, seen)
}

struct Walk<'a> {
    snapshot: &'a Snapshot,
    question: &'a Question,
    wrong: &'a mut Vec<String>,
}

impl Walk<'_> {
    fn def(&self, metric: &str, variant: Option<&str>) -> MetricDef {
        let def = &self.snapshot.model.metrics[metric];
        variant.map_or_else(|| def.clone(), |v| def.variant(v).unwrap_or_else(|e| panic!("{e}")))
    }

    fn look(&mut self, side: Side, part: &str) -> Drill {
        drill_into(self.snapshot, self.question, &Wish { side, part: part.into(), offset: 0, limit: usize::MAX }, &northing_metrics::Budget::default()).unwrap_or_else(|e| panic!("{} {part}: {e}", self.question.metrics[0].metric))
    }

    fn number(&mut self, name: &str, def: &MetricDef, cell: &Cell) {
        if cell.n == 0 && cell.value.is_some_and(|v| v != 0.0) {
            self.wrong.push(format!("{name}: {:?} rests on no record: {cell:?}", cell.value));
        }
        for (reason, n) in &cell.excluded {
            let rows = self.look(Side::Excluded(reason.clone()), "");
            if rows.total as u64 != *n || rows.rows.len() != rows.total {
                self.wrong.push(format!("{name}: {n} left out for {reason}, {} shown", rows.total));
            }
        }
        let found = self.look(Side::Numerator, "");
        if def.kind == MetricKind::Derived {
            let parts: std::collections::BTreeMap<String, Option<f64>> = found.parts.iter().map(|p| (p.name.clone(), p.value)).collect();
            let made = found.formula.as_deref().and_then(|f| Formula::parse(f).ok()).and_then(|f| f.value(&|part| parts.get(part).copied().flatten(), &|_| false));
            let same = parts.len() == cell.parts.len() && cell.parts.iter().all(|(n, v)| parts.get(n).is_some_and(|p| close(*p, *v)));
            if !cell.parts.is_empty() && (!same || (cell.value.is_some() && !close(made, cell.value))) {
                self.wrong.push(format!("{name}: parts {parts:?} make {made:?}, the number is {cell:?}"));
            }
            return self.parts(name, &found);
        }
        if cell.numerator.is_some() {
            self.side(name, &found, cell.numerator, "numerator");
        }
        if cell.denominator.is_some() {
            let found = self.look(Side::Denominator, "");
            self.side(name, &found, cell.denominator, "denominator");
        }
        self.sureness(name, def, cell, &found.rows.iter().map(|r| r.adds).collect::<Vec<_>>());
        if cell.numerator.is_some() && cell.value.is_some() && def.kind != MetricKind::Score && cell.n == 0 && found.total > 0 {
            self.wrong.push(format!("{name}: {} rows and n = 0", found.total));
        }
        for row in found.rows.iter().filter_map(|r| Some((r.part.clone()?, r.adds))) {
            self.part(&format!("{name} {}", row.0), &row.0, None, None, None);
        }
    }

    /// The interval, the variance, the median and the 90th percentile, worked out from the records' own values.
    fn sureness(&mut self, name: &str, def: &MetricDef, cell: &Cell, values: &[f64]) {
        let (sum, count, n) = (values.iter().sum::<f64>(), values.len() as f64, cell.denominator.unwrap_or(0.0));
        let squares = |mean: f64| values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let of_mean = squares(sum / count) / (count - 1.0) / count;
        // Each record stands under both lines or under the lower one alone.
        let share = match def.kind {
            MetricKind::Conversion | MetricKind::Retention => true,
            MetricKind::Ratio => cell.median.is_none() && cell.interval.is_some(),
            MetricKind::Score => def.unit != Unit::Points && def.classes.is_some(),
            _ => false,
        };
        if let Some([low, high]) = cell.interval {
            let between = |from: f64, to: f64| close(Some(from), Some(low)) && close(Some(to), Some(high));
            let holds = match def.kind {
                _ if share => wilson(sum, n, [low, high]),
                // Each of those asked stands in the class above, in the class below, or between.
                MetricKind::Score => {
                    let (points, mean) = (if def.unit == Unit::Points { 100.0 } else { 1.0 }, sum / n);
                    let half = 1.96 * ((squares(mean) + (n - count) * mean * mean) / n / n).sqrt();
                    between(((mean - half) * points).max(-points), ((mean + half) * points).min(points))
                }
                _ => {
                    let (mean, half) = (sum / count, 1.96 * of_mean.sqrt());
                    let least = if values.iter().all(|v| *v >= 0.0) { 0.0 } else { f64::NEG_INFINITY };
                    between((mean - half).max(least), mean + half)
                }
            };
            if !holds {
                self.wrong.push(format!("{name}: {sum} of {n} is said to lie within {low} and {high}"));
            }
        }
        let p = (sum + 1.0) / (n + 2.0);
        let varies = match def.kind {
            _ if share => Some(p * (1.0 - p) / n),
            // So many things that happen by themselves vary by their number.
            MetricKind::Flow if def.unit == Unit::Count && cell.median.is_none() && cell.denominator.is_none() => Some(values.iter().map(|v| v.abs()).sum()),
            _ if cell.median.is_some() && def.stat.is_none() => Some(of_mean),
            _ => None,
        };
        if let (Some(told), Some(_)) = (cell.variance, varies) && !close(varies, Some(told)) {
            self.wrong.push(format!("{name}: {sum} of {n} varies by {varies:?}, not {told}"));
        }
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        for (told, q) in [(cell.median, 0.5), (cell.p90, 0.9)].into_iter().filter_map(|(told, q)| Some((told?, q))) {
            let at = q * (sorted.len() as f64 - 1.0);
            let (before, after) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            let made = before + (after - before) * (at - at.floor());
            if !close(Some(made), Some(told)) {
                self.wrong.push(format!("{name}: of ten records {} should be under {made}, not {told}", q * 10.0));
            }
        }
    }

    fn side(&mut self, name: &str, found: &Drill, wanted: Option<f64>, side: &str) {
        let sum: f64 = found.rows.iter().map(|r| r.adds).sum();
        if !close(Some(sum), wanted) || !close(Some(found.sum), wanted) || found.rows.len() != found.total {
            self.wrong.push(format!("{name}: {side} {wanted:?}, {} of {} rows add up to {sum}, said to be {}", found.rows.len(), found.total, found.sum));
        }
    }

    fn parts(&mut self, name: &str, found: &Drill) {
        if found.parts.is_empty() {
            self.wrong.push(format!("{name}: no parts"));
        }
        for part in &found.parts {
            let plain = ["setting:", "period:", "group:"].iter().any(|p| part.metric.starts_with(p));
            // Without a day of going live there is no time before it, and without a breakdown nothing is left over.
            match &part.part {
                Some(place) => self.part(&format!("{name} {place}"), place, Some(&part.metric), part.side.as_deref().or(Some("")).filter(|_| part.value.is_some()), part.value),
                None if plain || part.value.is_none() || part.value == Some(0.0) => {}
                None => self.wrong.push(format!("{name}: {} is without records", part.name)),
            }
        }
    }

    /// A part's rows: those of a side make that side, those of both make the value.
    fn part(&mut self, name: &str, place: &str, metric: Option<&str>, side: Option<&str>, value: Option<f64>) {
        let found = self.look(Side::Numerator, place);
        if !found.parts.is_empty() {
            return self.parts(name, &found);
        }
        let (Some(metric), Some(side)) = (metric, side) else { return };
        let below = self.look(Side::Denominator, place);
        let (num, den): (f64, f64) = (found.rows.iter().map(|r| r.adds).sum(), below.rows.iter().map(|r| r.adds).sum());
        let def = &self.snapshot.model.metrics[metric];
        use MetricKind::{Conversion, Flow, Model, Ratio, Retention, Stock};
        let made = match (side, def.kind) {
            ("numerator", _) => num,
            ("denominator", _) => den,
            (_, Flow | Stock | Model) => num,
            (_, Ratio | Conversion | Retention) if !matches!(def.unit, Unit::PerYear | Unit::MoneyPerYear) => num / den,
            _ => return,
        };
        if !close(Some(made), value) {
            self.wrong.push(format!("{name}: rows make {made}, the part is {value:?}"));
        }
    }
}
