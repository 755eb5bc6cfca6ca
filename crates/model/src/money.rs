//! Money as integers: minor units with an ISO 4217 code in records, "ticks" in facts.
//!
//! Must not know of fields, records or exchange rates.

use std::fmt;

/// Facts hold money in the reporting currency as ten-thousandths of its major unit, so that converted
/// amounts and unit prices finer than a cent add up before anything is rounded for display.
pub const TICKS: i64 = 10_000;

/// Decimals (quantities, unit prices, rates) are integers of millionths.
pub const MICRO: i64 = 1_000_000;

/// An ISO 4217 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// A known ISO 4217 code, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let upper = text.trim().to_ascii_uppercase();
        iso_currency::Currency::from_code(&upper)?;
        let bytes: [u8; 3] = upper.as_bytes().try_into().ok()?;
        Some(Self(bytes))
    }
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
    /// Digits after the point: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn digits(&self) -> u32 {
        iso_currency::Currency::from_code(self.as_str()).and_then(|c| c.exponent()).map_or(2, u32::from)
    }
    /// Ticks in one minor unit. Four digits are the most that ISO 4217 has.
    pub fn ticks_per_minor(&self) -> i64 {
        TICKS / 10i64.pow(self.digits().min(4))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    /// Reads `1234.5` in `currency`; refuses more digits than the currency has.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, String> {
        let digits = currency.digits();
        let minor = parse_fixed(text, digits).map_err(|e| match e {
            FixedError::TooFine => format!("'{text}' has more than {digits} digits after the point, {currency} has {digits}"),
            FixedError::TooLarge => format!("'{text}' is too large an amount"),
            FixedError::NotANumber => format!("'{text}' is not an amount; write it like 1234.50"),
        })?;
        Ok(Self { minor, currency })
    }
    pub fn ticks(&self) -> Option<i64> {
        self.minor.checked_mul(self.currency.ticks_per_minor())
    }
    /// The amount without its code: `1234.50`.
    pub fn amount(&self) -> String {
        format_fixed(self.minor, self.currency.digits())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FixedError {
    NotANumber,
    TooFine,
    TooLarge,
}

/// Reads a plain decimal number into an integer of 10^-digits. Trailing zeros beyond `digits` are allowed.
pub fn parse_fixed(text: &str, digits: u32) -> Result<i64, FixedError> {
    let text = text.trim();
    let (negative, body) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(FixedError::NotANumber);
    }
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(FixedError::NotANumber);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > digits as usize {
        return Err(FixedError::TooFine);
    }
    let mut value: i64 = 0;
    let padding = digits as usize - fraction.len();
    for b in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', padding)) {
        value = value.checked_mul(10).and_then(|v| v.checked_add(i64::from(b - b'0'))).ok_or(FixedError::TooLarge)?;
    }
    Ok(if negative { -value } else { value })
}

/// Writes an integer of 10^-digits as a plain decimal number.
pub fn format_fixed(value: i64, digits: u32) -> String {
    if digits == 0 {
        return value.to_string();
    }
    let scale = 10u64.pow(digits);
    let abs = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}.{:0width$}", abs / scale, abs % scale, width = digits as usize)
}

/// `numerator / denominator` rounded half to even; `None` for a zero denominator or an overflow.
pub fn div_half_even(numerator: i128, denominator: i128) -> Option<i64> {
    if denominator == 0 {
        return None;
    }
    let (mut q, r) = (numerator.div_euclid(denominator), numerator.rem_euclid(denominator));
    let twice = r.checked_mul(2)?;
    let d = denominator.abs();
    // div_euclid rounds towards the floor for a positive divisor, the ceiling for a negative one.
    let step = if denominator > 0 { 1 } else { -1 };
    if twice > d || (twice == d && q % 2 != 0) {
        q += step;
    }
    i64::try_from(q).ok()
}
