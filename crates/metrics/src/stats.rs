//! Quantiles and intervals (KPIS.md G12, G15). Floats appear here, after all sums are made.

/// Order statistics of some values, in the values' own unit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread {
    pub median: Option<f64>,
    pub p90: Option<f64>,
    pub mean_variance: Option<f64>,
    pub least: Option<i64>,
}

/// Values in order, with their exact sum and sum of squares.
#[derive(Debug)]
pub(crate) struct Sorted {
    values: Ordered,
    sum: i128,
    /// `None` where it would leave 128 bits.
    squares: Option<i128>,
}

#[derive(Debug)]
enum Ordered {
    /// Distances from a base: half the memory, and most values fit.
    Near(i64, Vec<u32>),
    Wide(Vec<i64>),
}

impl Sorted {
    /// Of values that come in pieces.
    pub fn of(pieces: &[Vec<i64>]) -> Self {
        let each = || pieces.iter().flatten().copied();
        let n = pieces.iter().map(Vec::len).sum();
        let (low, high) = each().fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let values = if high.checked_sub(low).is_some_and(|d| d <= i64::from(u32::MAX)) {
            let mut near: Vec<u32> = Vec::with_capacity(n);
            pieces.iter().for_each(|p| near.extend(p.iter().map(|v| v.wrapping_sub(low) as u32)));
            radsort::sort(&mut near);
            Ordered::Near(low, near)
        } else {
            let mut wide: Vec<i64> = Vec::with_capacity(n);
            pieces.iter().for_each(|p| wide.extend_from_slice(p));
            radsort::sort(&mut wide);
            Ordered::Wide(wide)
        };
        let squares = each().try_fold(0i128, |a, v| a.checked_add(i128::from(v) * i128::from(v)));
        Self { values, sum: each().map(i128::from).sum(), squares }
    }
    fn len(&self) -> usize {
        match &self.values {
            Ordered::Near(_, v) => v.len(),
            Ordered::Wide(v) => v.len(),
        }
    }
    fn get(&self, at: usize) -> i64 {
        match &self.values {
            Ordered::Near(base, v) => base + i64::from(v[at]),
            Ordered::Wide(v) => v[at],
        }
    }
    /// How many values are at most this.
    fn up_to(&self, value: i64) -> usize {
        match &self.values {
            Ordered::Near(base, v) => v.partition_point(|d| base + i64::from(*d) <= value),
            Ordered::Wide(v) => v.partition_point(|v| *v <= value),
        }
    }
    pub fn bytes(&self) -> usize {
        match &self.values {
            Ordered::Near(_, v) => v.len() * 4,
            Ordered::Wide(v) => v.len() * 8,
        }
    }
}

/// Order statistics of several lists as if they were one.
pub(crate) fn spread(lists: &[&Sorted]) -> Spread {
    Spread { median: quantile(lists, 0.5), p90: quantile(lists, 0.9), mean_variance: variance_of_mean(lists), least: lists.iter().filter(|l| l.len() > 0).map(|l| l.get(0)).min() }
}

/// Interpolated quantile (as SQL's percentile_cont); `None` for no values.
fn quantile(lists: &[&Sorted], q: f64) -> Option<f64> {
    let n: usize = lists.iter().map(|l| l.len()).sum();
    if n == 0 {
        return None;
    }
    let at = q * (n - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let a = nth(lists, low) as f64;
    if share == 0.0 {
        return Some(a);
    }
    Some(a + (nth(lists, low + 1) as f64 - a) * share)
}

/// The value that `n` others precede: for several lists by halving the range of values.
fn nth(lists: &[&Sorted], n: usize) -> i64 {
    if let [one] = lists {
        return one.get(n);
    }
    let filled = || lists.iter().filter(|l| l.len() > 0);
    let (mut low, mut high) = (filled().map(|l| l.get(0)).min().unwrap_or(0), filled().map(|l| l.get(l.len() - 1)).max().unwrap_or(0));
    while low < high {
        let middle = (i128::from(low) + i128::from(high)).div_euclid(2) as i64;
        let upto: usize = lists.iter().map(|l| l.up_to(middle)).sum();
        if upto > n { high = middle } else { low = middle + 1 }
    }
    low
}

/// Variance of the mean out of exact sums: (nΣx² − (Σx)²) / (n²(n − 1)); `None` below two values.
fn variance_of_mean(lists: &[&Sorted]) -> Option<f64> {
    let n: i128 = lists.iter().map(|l| l.len() as i128).sum();
    if n < 2 {
        return None;
    }
    let sum: i128 = lists.iter().map(|l| l.sum).sum();
    let squares = lists.iter().try_fold(0i128, |a, l| a.checked_add(l.squares?));
    let exact = squares.and_then(|q| q.checked_mul(n)).zip(sum.checked_mul(sum)).and_then(|(a, b)| a.checked_sub(b));
    match exact {
        Some(exact) => Some(exact as f64 / (n as f64 * n as f64 * (n - 1) as f64)),
        None => mean_variance(&lists.iter().flat_map(|l| (0..l.len()).map(|i| l.get(i))).collect::<Vec<_>>()),
    }
}

/// Wilson's 95 % interval of a share k of n (Wilson 1927).
pub fn wilson(k: f64, n: f64) -> Option<[f64; 2]> {
    if n <= 0.0 {
        return None;
    }
    let z = 1.959_963_984_540_054_f64;
    let p = k / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // What was seen lies within, also where the last digit of either is rounded.
    Some([(middle - half).max(0.0).min(p), (middle + half).min(1.0).max(p)])
}

/// Variance of the mean of these values; `None` below two.
pub fn mean_variance(values: &[i64]) -> Option<f64> {
    mean_variance_of(&values.iter().map(|v| *v as f64).collect::<Vec<_>>())
}

/// The same for values that are no whole numbers.
pub fn mean_variance_of(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some(squares / (n - 1.0) / n)
}

/// Is the difference of two values larger than chance explains (95 %)?
pub fn differs(a: f64, var_a: Option<f64>, b: f64, var_b: Option<f64>) -> Option<bool> {
    let spread = (var_a? + var_b?).sqrt();
    if spread == 0.0 {
        return Some(a != b);
    }
    Some(((a - b) / spread).abs() > 1.96)
}

#[cfg(test)]
mod tests {
    use super::{differs, mean_variance, wilson};

    #[test]
    fn a_difference_is_certain_beyond_what_chance_explains() {
        // Spread √(0.02 + 0.02) = 0.2: 1.96 times that is 0.392.
        assert_eq!(differs(1.0, Some(0.02), 0.61, Some(0.02)), Some(false));
        assert_eq!(differs(1.0, Some(0.02), 0.60, Some(0.02)), Some(true));
        assert_eq!(differs(0.60, Some(0.02), 1.0, Some(0.02)), Some(true));
        // Where nothing is left to chance, what is not the same differs.
        assert_eq!((differs(1.0, Some(0.0), 1.0, Some(0.0)), differs(1.0, Some(0.0), 2.0, Some(0.0))), (Some(false), Some(true)));
        assert_eq!((differs(1.0, None, 2.0, Some(0.1)), differs(1.0, Some(0.1), 2.0, None)), (None, None));
    }

    /// The intervals of four shares as Newcombe printed them (1998, table I, method 3).
    #[test]
    fn a_share_s_interval_is_wilson_s() {
        for (k, n, low, high) in [(81.0, 263.0, 0.2553, 0.3662), (15.0, 148.0, 0.0624, 0.1605), (0.0, 20.0, 0.0, 0.1611), (1.0, 29.0, 0.0061, 0.1718)] {
            let told = wilson(k, n).map(|ends| ends.map(|end: f64| (end * 1e4).round() / 1e4));
            assert_eq!(told, Some([low, high]), "{k} of {n}");
        }
        assert_eq!(wilson(0.0, 0.0), None);
    }

    /// Of 1, 2, 3 and 6 the squares off the mean are 4 + 1 + 0 + 9 = 14: by three, and by four for their mean.
    #[test]
    fn how_far_a_mean_may_be_off() {
        assert_eq!(mean_variance(&[1, 2, 3, 6]).map(|v| (v * 1e6).round()), Some((14e6_f64 / 12.0).round()));
        assert_eq!((mean_variance(&[5]), mean_variance(&[])), (None, None));
    }
}
