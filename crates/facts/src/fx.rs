//! Exchange: amounts into the reporting currency by the rate in force on a day (KPIS.md G6).

use northing_model::money::{MICRO, div_half_even};
use northing_model::Currency;
use std::collections::HashMap;

#[derive(Debug, Clone)]
pub struct Fx {
    pub reporting: Currency,
    /// By currency: (first day, millionths of the reporting currency for one unit), sorted by day.
    rates: HashMap<Currency, Vec<(i32, i64)>>,
    /// Currencies by the code that columns hold.
    codes: Vec<Currency>,
}

impl Fx {
    pub fn new(reporting: Currency) -> Self {
        Self { reporting, rates: HashMap::new(), codes: vec![reporting] }
    }
    pub fn add_rate(&mut self, currency: Currency, day: i32, rate: i64) {
        let list = self.rates.entry(currency).or_default();
        list.push((day, rate));
        list.sort_unstable();
    }
    pub fn code(&mut self, currency: Currency) -> i64 {
        let at = self.codes.iter().position(|c| *c == currency).unwrap_or_else(|| {
            self.codes.push(currency);
            self.codes.len() - 1
        });
        at as i64
    }
    pub fn currency(&self, code: i64) -> Option<Currency> {
        usize::try_from(code).ok().and_then(|c| self.codes.get(c)).copied()
    }
    pub fn codes(&self) -> usize {
        self.codes.len()
    }
    /// Millionths of the reporting currency for one unit of another; `None` without a rate for that day.
    pub fn rate(&self, currency: Currency, day: i32) -> Option<i64> {
        if currency == self.reporting {
            return Some(MICRO);
        }
        let list = self.rates.get(&currency)?;
        let after = list.partition_point(|(d, _)| *d <= day);
        list.get(after.checked_sub(1)?).map(|(_, rate)| *rate)
    }
    /// Ticks of a currency in ticks of the reporting one; `None` without a rate for that day.
    pub fn convert(&self, ticks: i64, currency: Currency, day: i32) -> Option<i64> {
        if currency == self.reporting {
            return Some(ticks);
        }
        div_half_even(i128::from(ticks) * i128::from(self.rate(currency, day)?), i128::from(MICRO))
    }
}
