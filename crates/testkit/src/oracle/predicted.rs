//! The oracle on predicted value: the two models from their densities, fitted by simplex search, expectations by
//! numerical integration, where the engine has closed forms.

use super::Oracle;
use std::collections::BTreeSet;
use std::f64::consts::PI;
use uuid::Uuid;

/// Repeat days, weeks from first to last and to the cut, mean value of a repeat day.
struct Bought {
    x: f64,
    last: f64,
    age: f64,
    mean: f64,
}

fn ln_gamma(z: f64) -> f64 {
    if z < 12.0 {
        return ln_gamma(z + 1.0) - z.ln();
    }
    let i = 1.0 / z;
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + i / 12.0 - i.powi(3) / 360.0 + i.powi(5) / 1_260.0 - i.powi(7) / 1_680.0
}

/// ∫₀¹ f(u, 1 − u) du, where f may grow without bound at either end.
fn integral(f: impl Fn(f64, f64) -> f64) -> f64 {
    let step = 1.0 / 32.0;
    let part = |n: i32| {
        let t = f64::from(n) * step;
        let s = PI / 2.0 * t.sinh();
        let (low, high) = (1.0 / (1.0 + (-2.0 * s).exp()), 1.0 / (1.0 + (2.0 * s).exp()));
        let weight = PI / 2.0 * t.cosh() * 2.0 * low * high;
        if weight < 1e-300 { 0.0 } else { f(low, high) * weight }
    };
    (-128..=128).map(part).sum::<f64>() * step
}

/// The lowest point of a function, by Nelder and Mead's simplex.
fn lowest<const N: usize>(start: [f64; N], f: impl Fn(&[f64; N]) -> f64) -> [f64; N] {
    let mut best = start;
    // Started anew from where it ended, a simplex leaves the valleys it got stuck in.
    for _ in 0..6 {
        let mut points: Vec<(f64, [f64; N])> = vec![(f(&best), best)];
        for i in 0..N {
            let mut p = best;
            p[i] += 0.4;
            points.push((f(&p), p));
        }
        for _ in 0..600 {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            if points[N].0 - points[0].0 < 1e-13 * points[0].0.abs() {
                break;
            }
            let centre: [f64; N] = std::array::from_fn(|i| points[..N].iter().map(|p| p.1[i]).sum::<f64>() / N as f64);
            let worst = points[N];
            let along = |k: f64| {
                let p: [f64; N] = std::array::from_fn(|i| centre[i] + k * (worst.1[i] - centre[i]));
                (f(&p), p)
            };
            let mirrored = along(-1.0);
            if mirrored.0 < points[0].0 {
                let further = along(-2.0);
                points[N] = if further.0 < mirrored.0 { further } else { mirrored };
            } else if mirrored.0 < points[N - 1].0 {
                points[N] = mirrored;
            } else {
                let inside = along(if mirrored.0 < worst.0 { -0.5 } else { 0.5 });
                if inside.0 < worst.0.min(mirrored.0) {
                    points[N] = inside;
                } else {
                    let top = points[0].1;
                    for p in &mut points[1..] {
                        p.1 = std::array::from_fn(|i| top[i] + 0.5 * (p.1[i] - top[i]));
                        p.0 = f(&p.1);
                    }
                }
            }
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        best = points[0].1;
    }
    best
}

impl Oracle<'_> {
    /// What customers without a contract are expected to spend in the year after an instant, how many of them are
    /// still there, and how many purchases to expect.
    pub fn predicted(&self, cut: i64) -> Option<[f64; 3]> {
        let all = self.bought(cut);
        if all.iter().filter(|b| b.x > 0.0).count() < 100 {
            return None;
        }
        let timing = lowest([0.0; 4], |p| {
            let [r, alpha, a, b] = p.map(f64::exp);
            let one = |c: &Bought| {
                let stays = ln_gamma(b + c.x) - ln_gamma(a + b + c.x) + ln_gamma(a + b) - ln_gamma(b);
                let bought = ln_gamma(r + c.x) - ln_gamma(r) + r * alpha.ln();
                let there = (alpha + c.age).powf(-(r + c.x));
                let gone = if c.x > 0.0 { a / (b + c.x - 1.0) * (alpha + c.last).powf(-(r + c.x)) } else { 0.0 };
                stays + bought + (there + gone).ln()
            };
            -all.iter().map(one).sum::<f64>()
        });
        let spend = lowest([0.5, 0.5, 3.0], |w| {
            let [p, q, g] = w.map(f64::exp);
            let one = |c: &&Bought| {
                let n = p * c.x;
                ln_gamma(n + q) - ln_gamma(n) - ln_gamma(q) + q * g.ln() + (n - 1.0) * c.mean.ln() + n * c.x.ln() - (n + q) * (g + c.x * c.mean).ln()
            };
            -all.iter().filter(|c| c.x > 0.0 && c.mean > 0.0).map(|c| one(&c)).sum::<f64>()
        });
        let ([r, alpha, a, b], [p, q, g]) = (timing.map(f64::exp), spend.map(f64::exp));
        // Everybody alike: the search runs away and there is no model.
        if [r, alpha, a, b, p, q].iter().any(|x| x.ln().abs() > 12.0) {
            return None;
        }
        let worth = |c: &Bought| -> [f64; 3] {
            let odds = if c.x > 0.0 { a / (b + c.x - 1.0) * ((alpha + c.age) / (alpha + c.last)).powf(r + c.x) } else { 0.0 };
            let scale = (ln_gamma(a + b + c.x) - ln_gamma(a) - ln_gamma(b + c.x)).exp() / a;
            // Over the chance of leaving after a purchase, of those who are still there.
            let more = |weeks: f64| {
                scale * integral(|u, rest| {
                    let ln_u = if u < 0.5 { u.ln() } else { (-rest).ln_1p() };
                    let leave = (ln_u / a).exp();
                    let stay = -(ln_u / a).exp_m1();
                    let buys = -((-(r + c.x) * (leave * weeks / (alpha + c.age)).ln_1p()).exp_m1());
                    if leave > 0.0 { buys / leave * stay.powf(b + c.x - 1.0) } else { (r + c.x) * weeks / (alpha + c.age) }
                })
            };
            let month = 365.25 / 84.0;
            let mut upto = 0.0;
            let mut sum = 0.0;
            for i in 1..=12 {
                let next = more(month * f64::from(i));
                sum += (next - upto) / 1.01f64.powi(i);
                upto = next;
            }
            let there = 1.0 / (1.0 + odds);
            [sum * there * p * (g + c.x * c.mean) / (p * c.x + q - 1.0), there, upto * there]
        };
        let each: Vec<[f64; 3]> = all.iter().map(worth).collect();
        Some(std::array::from_fn(|i| each.iter().map(|one| one[i]).sum()))
    }

    fn bought(&self, cut: i64) -> Vec<Bought> {
        let purchases = self.purchases();
        let signed: BTreeSet<Uuid> = self.world.all("contract").filter(|(_, e)| self.counted("contract", e) && e.time("starts_at").is_some()).filter_map(|(_, e)| self.customer_of(e)).collect();
        let mut found = Vec::new();
        for customer in self.customers().into_iter().filter(|c| self.customer_counts(*c) && !signed.contains(c)) {
            let mut days: Vec<(i32, f64)> = Vec::new();
            for p in purchases.iter().filter(|p| p.customer == Some(customer) && p.at < cut) {
                let (day, Some(worth)) = (self.zone.day(p.at), p.worth.flatten()) else { continue };
                match days.iter_mut().find(|d| d.0 == day) {
                    Some(known) => known.1 += worth as f64 / 10_000.0,
                    None => days.push((day, worth as f64 / 10_000.0)),
                }
            }
            let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) else { continue };
            let x = (days.len() - 1) as f64;
            let mean = if x > 0.0 { days[1..].iter().map(|d| d.1).sum::<f64>() / x } else { 0.0 };
            let weeks = |to: i32| f64::from(to - first.0) / 7.0;
            found.push(Bought { x, last: weeks(last.0), age: weeks(self.zone.day(cut - 1)), mean });
        }
        found
    }
}
