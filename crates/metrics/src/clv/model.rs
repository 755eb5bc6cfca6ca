//! The two models' formulas, in one unit of time for all arguments. Sources: KPIS.md §6 and the papers named there.

use libm::lgamma;

/// BG/NBD: purchases come at a rate that differs between customers (r, alpha), and after each one a customer may
/// be gone for good with a chance that differs too (a, b).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
    /// Somebody may be gone right after the first purchase too, not only after one that followed (MBG/NBD).
    pub early: bool,
}

/// Gamma-Gamma: the mean value of a customer's purchases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spend {
    pub p: f64,
    pub q: f64,
    pub v: f64,
}

fn ln_beta(a: f64, b: f64) -> f64 {
    lgamma(a) + lgamma(b) - lgamma(a + b)
}

/// ln(eᵃ + eᵇ) without overflow.
fn ln_sum(a: f64, b: f64) -> f64 {
    let (high, low) = if a > b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// ₂F₁ by its power series, for 0 ≤ z < 1.
fn hypergeometric(a: f64, b: f64, c: f64, z: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 0..100_000 {
        let n = f64::from(n);
        term *= (a + n) * (b + n) / ((c + n) * (n + 1.0)) * z;
        sum += term;
        if term.abs() <= sum.abs() * 1e-17 {
            break;
        }
    }
    sum
}

impl Timing {
    /// The chances to leave that somebody with x repeat purchases had, less one, beside b.
    fn stayed(&self, x: u32) -> f64 {
        self.b + f64::from(x) - if self.early { 0.0 } else { 1.0 }
    }
    /// The parts of a customer's log-likelihood that depend on the number of repeat purchases alone: those of
    /// everybody, of still being there, and of having left after the last purchase.
    pub(super) fn by_count(&self, x: u32) -> [f64; 3] {
        let n = f64::from(x);
        let common = lgamma(self.r + n) - lgamma(self.r) + self.r * self.alpha.ln();
        let base = ln_beta(self.a, self.b);
        let stayed = ln_beta(self.a, self.stayed(x) + 1.0) - base;
        let left = if x > 0 || self.early { ln_beta(self.a + 1.0, self.stayed(x)) - base } else { f64::NEG_INFINITY };
        [common, stayed, left]
    }
    /// The whole, by ln(α + t_x) and ln(α + t).
    pub(super) fn with_count(&self, parts: [f64; 3], x: u32, ln_x: f64, ln_t: f64) -> f64 {
        let power = self.r + f64::from(x);
        parts[0] + ln_sum(parts[1] - power * ln_t, parts[2] - power * ln_x)
    }
    /// Log-likelihood of one customer.
    pub fn ln_likelihood(&self, x: u32, t_x: f64, t: f64) -> f64 {
        self.with_count(self.by_count(x), x, (self.alpha + t_x).ln(), (self.alpha + t).ln())
    }
    /// The chance that the customer still buys.
    pub fn p_alive(&self, x: u32, t_x: f64, t: f64) -> f64 {
        if x == 0 && !self.early {
            return 1.0;
        }
        let n = f64::from(x);
        let gone = (self.a / self.stayed(x)).ln() + (self.r + n) * ((self.alpha + t) / (self.alpha + t_x)).ln();
        1.0 / (1.0 + gone.exp())
    }
    /// Purchases expected in the coming `ahead`.
    pub fn expected(&self, x: u32, t_x: f64, t: f64, ahead: f64) -> f64 {
        self.while_alive(x, t, ahead) * self.p_alive(x, t_x, t)
    }
    /// The same of somebody who is known to be there.
    fn while_alive(&self, x: u32, t: f64, ahead: f64) -> f64 {
        // a = 1 is a removable singularity: the mean of both sides.
        if (self.a - 1.0).abs() < 1e-7 {
            let side = |a: f64| Self { a, ..*self }.while_alive(x, t, ahead);
            return (side(1.0 - 1e-5) + side(1.0 + 1e-5)) / 2.0;
        }
        let Self { r, alpha, a, .. } = *self;
        let z = ahead / (alpha + t + ahead);
        // c - a and c - b of the function's usual form (Euler), which stays finite.
        let c = a + self.stayed(x);
        let f = (1.0 - z).powf(a - 1.0) * hypergeometric(c - r - f64::from(x), a - 1.0, c, z);
        c / (a - 1.0) * (1.0 - f)
    }
    /// Purchases expected of the coming months, each month's worth less by the discount.
    pub fn discounted(&self, x: u32, t_x: f64, t: f64, month: f64, months: usize, discount: f64) -> f64 {
        let (mut sum, mut before) = (0.0, 0.0);
        for i in 1..=months {
            let so_far = self.while_alive(x, t, month * i as f64);
            sum += (so_far - before) / (1.0 + discount).powi(i as i32);
            before = so_far;
        }
        sum * self.p_alive(x, t_x, t)
    }
}

impl Spend {
    /// The part of a customer's log-likelihood that depends on the number of repeat purchases alone.
    pub(super) fn by_count(&self, x: u32) -> f64 {
        let (Self { p, q, v }, n) = (*self, f64::from(x));
        lgamma(p * n + q) - lgamma(p * n) - lgamma(q) + q * v.ln() + p * n * n.ln()
    }
    /// Log-likelihood of a customer with x > 0 repeat purchases of mean value m > 0, by m and ln(m).
    pub(super) fn with_count(&self, part: f64, x: u32, m: f64, ln_m: f64) -> f64 {
        let (Self { p, q, v }, n) = (*self, f64::from(x));
        part + (p * n - 1.0) * ln_m - (p * n + q) * (n * m + v).ln()
    }
    /// The expected value of a purchase; without repeat purchases that of everybody.
    pub fn expected(&self, x: u32, m: f64) -> f64 {
        let n = f64::from(x);
        self.p * (self.v + n * m) / (self.p * n + self.q - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLISHED: Timing = Timing { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426, early: false };
    const SPEND: Spend = Spend { p: 6.25, q: 3.74, v: 15.44 };

    /// `expected` has so many digits as were printed; the tolerance is theirs.
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 2e-9 * expected.abs().max(1e-3), "{found} instead of {expected}");
    }

    /// The table of KPIS.md §6 at the published parameters.
    #[test]
    fn single_values() {
        let t = PUBLISHED;
        let rows = [(2, 30.43, 38.86, -9.458606307, 0.726578570, 1.22602817477), (1, 1.71, 38.86, -4.469093275, 0.212100985, 0.203186987080), (0, 0.0, 38.86, -0.554713276, 1.0, 0.195098052011), (7, 29.43, 38.86, -21.863276271, 0.641756346, 3.33705327485)];
        for (x, t_x, cut, ln, alive, expected) in rows {
            near(t.ln_likelihood(x, t_x, cut), ln);
            near(t.p_alive(x, t_x, cut), alive);
            near(t.expected(x, t_x, cut, 39.0), expected);
        }
        near(t.expected(2, 30.43, 38.86, 1.0), 0.0374479697);
        near(t.expected(2, 30.43, 38.86, 52.0), 1.55872080643);
        assert_eq!(t.expected(2, 30.43, 38.86, 0.0), 0.0);
        near(t.expected(29, 38.43, 38.86, 520.0), 99.0472632686);
        near(t.expected(0, 0.0, 27.0, 39.0), 0.2593953815);
        near(t.expected(0, 0.0, 27.0, 520.0), 1.78847772649);
        near(t.expected(0, 0.0, 0.01, 39.0), 1.1949007984527);
        assert!(t.expected(200, 38.0, 38.86, 520.0).is_finite());
        let one = Timing { a: 1.0, ..t };
        assert!((one.expected(2, 30.43, 38.86, 39.0) - 1.10213678604).abs() < 1e-8);
        for (ahead, expected) in [(1.0, 0.05326789117), (4.0, 0.1960681724), (13.0, 0.5344395411), (26.0, 0.9026369032), (39.0, 1.196723193), (52.0, 1.446050595), (78.0, 1.860519058)] {
            near(t.expected(0, 0.0, 0.0, ahead), expected);
        }
    }

    /// Fitted to the same customers by another program; the digits are those that it printed.
    #[test]
    fn with_early_loss() {
        let t = Timing { r: 0.52484, alpha: 6.18299, a: 0.89136, b: 1.61400, early: true };
        assert!((t.p_alive(0, 0.0, 38.86) - 0.38972).abs() < 2e-5);
        assert!((t.p_alive(2, 30.43, 38.86) - 0.70613).abs() < 2e-5);
    }

    #[test]
    fn spend_and_value() {
        for (x, m, expected) in [(0, 0.0, 35.2189781022), (2, 22.35, 24.6637139108), (1, 11.77, 18.9168520578), (7, 73.74, 71.4696708970), (2, 26.43, 28.0101706037), (10, 35.00, 35.0091968118)] {
            near(SPEND.expected(x, m), expected);
        }
        let clv = |x, t_x, m, discount| PUBLISHED.discounted(x, t_x, 38.86, crate::clv::MONTH_WEEKS, 12, discount) * SPEND.expected(x, m);
        near(clv(2, 30.43, 22.35, 0.01), 36.311257217);
        near(clv(2, 30.43, 22.35, 0.0), 38.5518426);
        near(clv(1, 1.71, 11.77, 0.01), 4.64018506548);
        near(clv(0, 0.0, 0.0, 0.01), 8.37445909941);
        near(clv(7, 29.43, 73.74, 0.01), 283.697127269);
    }
}
