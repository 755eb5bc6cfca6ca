//! The values that fields hold, and their JSON form.
//!
//! Must not know which object or field a value belongs to.

use crate::{Currency, Money, money};
use jiff::{Timestamp, civil::Date};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// One value of a field. Times are whole UTC seconds, dates are days since 1970-01-01, decimals are millionths.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Decimal(i64),
    Text(String),
    Date(i32),
    Time(i64),
    Ref(Uuid),
    Money(Money),
    List(Vec<String>),
    /// Whole percents by name, adding up to 100 (an expense's purposes).
    Shares(BTreeMap<String, u8>),
}

/// The fields of one record by name; absent means null.
pub type Record = BTreeMap<String, Value>;

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
    pub fn as_ref_id(&self) -> Option<Uuid> {
        if let Value::Ref(id) = self { Some(*id) } else { None }
    }
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(t) = self { Some(t) } else { None }
    }
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(i) | Value::Time(i) | Value::Decimal(i) => Some(*i),
            Value::Date(d) => Some(i64::from(*d)),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }
    pub fn is_true(&self) -> bool {
        matches!(self, Value::Bool(true))
    }
    /// The JSON form used by the API and the change log.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Null => Json::Null,
            Value::Bool(b) => json!(b),
            Value::Int(i) => json!(i),
            Value::Decimal(d) => json!(decimal_text(*d)),
            Value::Text(t) => json!(t),
            Value::Date(d) => json!(date_text(*d)),
            Value::Time(t) => json!(time_text(*t)),
            Value::Ref(id) => json!(id.to_string()),
            Value::Money(m) => json!({"amount": m.amount(), "currency": m.currency.as_str()}),
            Value::List(l) => json!(l),
            Value::Shares(s) => json!(s),
        }
    }
}

/// The JSON form of a value as one would type it.
pub fn json_text(json: &Json) -> String {
    let plain = |v: &Json| v.as_str().map_or_else(|| v.to_string(), str::to_string);
    match json {
        Json::Object(map) => match (map.get("amount"), map.get("currency")) {
            (Some(amount), Some(currency)) if map.len() == 2 => format!("{} {}", plain(amount), plain(currency)),
            _ => json.to_string(),
        },
        Json::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => plain(other),
    }
}

pub fn decimal_text(micros: i64) -> String {
    let text = money::format_fixed(micros, 6);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Days since 1970-01-01 to `2024-05-31`.
pub fn date_text(day: i32) -> String {
    date_of(day).map_or_else(|| day.to_string(), |d| d.to_string())
}
pub fn date_of(day: i32) -> Option<Date> {
    jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().try_days(day).ok()?).ok()
}
pub fn day_of(date: Date) -> i32 {
    let epoch = jiff::civil::date(1970, 1, 1);
    date.since(epoch).map_or(0, |span| span.get_days())
}
pub fn time_text(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |t| t.to_string())
}
pub fn parse_date(text: &str) -> Option<i32> {
    text.trim().parse::<Date>().ok().map(day_of)
}

/// Before this year nothing happened to a customer that somebody keeps: it is a slip, or a year of another calendar.
pub const FIRST_YEAR: i16 = 1_800;
/// Years that are of the Solar Hijri calendar wherever they are written.
pub const HIJRI_YEARS: std::ops::Range<i32> = 1_200..1_500;

/// Whether somebody can have meant a day or an instant that they entered; else what to write.
pub fn believable(value: &Value) -> Result<(), String> {
    let day = match value {
        Value::Date(day) => *day,
        Value::Time(at) => i32::try_from(at.div_euclid(86_400)).unwrap_or(i32::MIN),
        _ => return Ok(()),
    };
    let date = date_of(day).unwrap_or(Date::MIN);
    if date.year() >= FIRST_YEAR {
        return Ok(());
    }
    let (year, month, day_of_month) = (date.year().into(), date.month().into(), date.day().into());
    let hijri = HIJRI_YEARS.contains(&year).then(|| crate::Calendar::SolarHijri.exactly(year, month, day_of_month)).flatten();
    let text = date_text(day);
    Err(match hijri.map(date_text) {
        Some(other) => format!("'{text}' lies before the year 1800; as a day of the Solar Hijri calendar it is {other}"),
        None => format!("'{text}' lies before the year 1800"),
    })
}

/// Reads an RFC 3339 instant (with `Z` or an offset).
pub fn parse_instant(text: &str) -> Option<i64> {
    text.trim().parse::<Timestamp>().ok().map(|t| t.as_second())
}

/// Money out of its JSON form: an object, or a plain number or text in the default currency.
pub fn money_from_json(json: &Json, default: Currency) -> Result<Money, String> {
    let (amount, currency) = match json {
        Json::Object(map) => {
            let code = match map.get("currency") {
                None | Some(Json::Null) => default.as_str(),
                Some(Json::String(code)) => code,
                Some(other) => return Err(format!("'{other}' is not an ISO 4217 currency code")),
            };
            let currency = Currency::parse(code).ok_or_else(|| format!("'{code}' is not an ISO 4217 currency code"))?;
            let unknown = map.keys().find(|k| *k != "amount" && *k != "currency");
            if let Some(key) = unknown {
                return Err(format!("money has 'amount' and 'currency' only, not '{key}'"));
            }
            (map.get("amount").cloned().unwrap_or(Json::Null), currency)
        }
        other => (other.clone(), default),
    };
    match amount {
        Json::String(text) => Money::parse(&text, currency),
        Json::Number(number) => Money::parse(&number.to_string(), currency),
        _ => Err("write money as {\"amount\": \"12.50\", \"currency\": \"EUR\"}".into()),
    }
}
