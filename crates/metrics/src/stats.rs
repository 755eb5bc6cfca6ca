//! Quantiles and intervals (KPIS.md G12, G15). Floats appear here, after all sums are made.

/// Interpolated quantile of values in any order (as SQL's percentile_cont); `None` for no values.
pub fn quantile(values: &mut [i64], q: f64) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let at = q * (values.len() - 1) as f64;
    let (low, share) = (at.floor() as usize, at.fract());
    let (_, a, above) = values.select_nth_unstable(low);
    let a = *a as f64;
    if share == 0.0 {
        return Some(a);
    }
    let b = above.iter().min().map_or(a, |b| *b as f64);
    Some(a + (b - a) * share)
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
    Some([(middle - half).max(0.0), (middle + half).min(1.0)])
}

/// Variance of the mean of these values; `None` below two.
pub fn mean_variance(values: &[i64]) -> Option<f64> {
    let n = values.len() as f64;
    if n < 2.0 {
        return None;
    }
    let mean = values.iter().map(|v| *v as f64).sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (*v as f64 - mean).powi(2)).sum();
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
