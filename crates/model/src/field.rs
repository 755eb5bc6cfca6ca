//! Business types of fields: how each is checked, read and stored.
//!
//! Store and facts know only the physical kinds; a new business type is one more arm in each match below.

use crate::value::{self, Value};
use crate::{Currency, money};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use uuid::Uuid;

/// Characters of a name or the like, and of a text.
pub const LONGEST_WORDS: usize = 500;
pub const LONGEST_TEXT: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    Text,
    LongText,
    Email,
    Phone,
    Url,
    Int,
    Decimal,
    Percent,
    Money,
    Date,
    Datetime,
    Duration,
    Bool,
    /// One of the declared options; its label is translated.
    Choice,
    /// A short word from an open vocabulary (source, segment, country), shown as typed.
    Label,
    Ref,
    Refs,
    Tags,
    Shares,
    Currency,
    Json,
}

/// What store and facts distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Physical {
    Int,
    Decimal,
    Money,
    Text,
    Date,
    Time,
    Bool,
    Ref,
    List,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldDef {
    #[serde(default, skip_deserializing)]
    pub name: String,
    /// What people call a field of their own; the product's are called by their language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// The object a `ref` or `refs` points at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    #[serde(default)]
    pub required: bool,
    /// Keeps an interval row for each value it had; every field that a stock metric reads has it.
    #[serde(default)]
    pub history: bool,
    /// Computed by facts, never written by people.
    #[serde(default)]
    pub derived: bool,
    /// False for texts that stay in the store (bodies, notes) or that are unique per row and never filtered.
    #[serde(default = "yes")]
    pub facts: bool,
    /// Money: the date or instant of the same record whose day's exchange rate converts it; else the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dated: Option<String>,
    /// Derived choices: the band that a number of the same record lies in; the options are made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<FieldBand>,
    /// Headings in other systems' exports that mean this field; compared without case and punctuation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headings: Vec<String>,
    /// The value a new record gets when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// What a form for a new record offers in a `ref`; unlike a default, nothing else sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggest: Option<Suggest>,
    /// What a record that leaves it out takes from one that it refers to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<FieldFrom>,
    /// A text that is the name of something declared, and no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// Taken out of use by its people; what was entered stays and comes back with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dropped: bool,
    /// A text that is a condition on what records of this object say themselves; it is checked when it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition_on: Option<String>,
    /// Whether somebody gets in, and as whom, hangs on it: who changes it proves who they are, and what its record's
    /// person had opened ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub door: bool,
}

/// A record to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suggest {
    /// The user who makes the record.
    Me,
    /// The first in its object's declared order.
    First,
}

/// A value taken from another record: `product.price`. An amount of money becomes a plain number only where it is in
/// the currency that the record is in: the first of these that is filled says so, else the workspace's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFrom {
    pub path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub currency: Vec<String>,
}

/// What a text may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Names {
    /// A metric that somebody can set a goal on.
    Metric,
    /// A variant of the metric that another field of the record names.
    Variant,
}

/// Below the first edge, from edge to edge, from the last one on; edges in whole units (money: major ones).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldBand {
    pub of: String,
    pub edges: Vec<i64>,
}

impl FieldBand {
    /// `< 20`, `20–40`, `≥ 80`: figures that need no language.
    fn names(&self) -> Vec<String> {
        let Some((first, last)) = self.edges.first().zip(self.edges.last()) else { return Vec::new() };
        let between = self.edges.windows(2).map(|e| format!("{}–{}", e[0], e[1]));
        std::iter::once(format!("< {first}")).chain(between).chain([format!("≥ {last}")]).collect()
    }
}

impl FieldDef {
    /// A field of that type, with nothing else said of it.
    pub fn plain(name: &str, kind: FieldType) -> Self {
        Self {
            name: name.to_string(),
            label: None,
            kind,
            to: None,
            options: Vec::new(),
            required: false,
            history: false,
            derived: false,
            facts: true,
            dated: None,
            band: None,
            headings: Vec::new(),
            default: None,
            suggest: None,
            dropped: false,
            condition_on: None,
            door: false,
            from: None,
            names: None,
        }
    }

    pub(crate) fn complete(&mut self) {
        if let Some(band) = &self.band {
            self.options = band.names();
        }
    }
}

fn yes() -> bool {
    true
}

impl FieldType {
    /// As it is written in declarations: `long_text`.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_string)).unwrap_or_default()
    }
    pub fn physical(self) -> Physical {
        use FieldType::*;
        match self {
            Text | LongText | Email | Phone | Url | Choice | Label | Shares | Currency | Json => Physical::Text,
            Int | Percent | Duration => Physical::Int,
            Decimal => Physical::Decimal,
            Money => Physical::Money,
            Date => Physical::Date,
            Datetime => Physical::Time,
            Bool => Physical::Bool,
            Ref => Physical::Ref,
            Refs | Tags => Physical::List,
        }
    }
    /// May stand in `--by`: a bounded set of values.
    pub fn is_dimension(self) -> bool {
        matches!(self, FieldType::Choice | FieldType::Label | FieldType::Ref | FieldType::Bool | FieldType::Currency)
    }
}

impl FieldDef {
    /// Checks a JSON value against this field. `currency` is the workspace's, for plain amounts.
    pub fn read(&self, json: &Json, currency: Currency) -> Result<Value, String> {
        let text = || json.as_str().map(str::trim).ok_or_else(|| format!("expected text, got {json}"));
        if json.is_null() || json.as_str().is_some_and(|s| s.trim().is_empty()) {
            return Ok(Value::Null);
        }
        match self.kind {
            FieldType::Shares => read_shares(json, &self.options),
            FieldType::Refs | FieldType::Tags => {
                let list = json.as_array().ok_or("expected a list")?;
                let texts: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(|s| s.trim().to_string())).collect();
                let texts = texts.ok_or("expected a list of texts")?;
                if self.kind == FieldType::Refs {
                    for id in &texts {
                        Uuid::parse_str(id).map_err(|_| format!("'{id}' is not a record id"))?;
                    }
                }
                Ok(Value::List(texts))
            }
            FieldType::Money => value::money_from_json(json, currency).map(Value::Money),
            FieldType::Json => Ok(Value::Text(json.as_str().map_or_else(|| json.to_string(), str::to_string))),
            FieldType::Bool => match json {
                Json::Bool(b) => Ok(Value::Bool(*b)),
                _ => self.read_text(text()?, currency),
            },
            FieldType::Int | FieldType::Percent | FieldType::Duration | FieldType::Decimal => match json {
                Json::Number(n) => self.read_text(&n.to_string(), currency),
                _ => self.read_text(text()?, currency),
            },
            _ => self.read_text(text()?, currency),
        }
    }

    /// A value that was written when the field was, perhaps, of another type: as this one reads it, or nothing.
    pub fn read_kept(&self, json: &Json, currency: Currency) -> Value {
        self.read(json, currency).or_else(|_| self.read_text(&self.typed(json), currency)).unwrap_or_default()
    }

    /// A value of another type as this field reads it, by the rules by which forms are read.
    pub fn convert(&self, value: &Value, currency: Currency) -> Result<Value, String> {
        let json = value.to_json();
        self.read(&json, currency).or_else(|_| self.read_text(&self.typed(&json), currency))
    }

    /// How one would type a value of another type here; a number takes an amount without its currency.
    fn typed(&self, json: &Json) -> String {
        let text = value::json_text(json);
        let number = matches!(self.kind, FieldType::Int | FieldType::Decimal | FieldType::Percent | FieldType::Duration);
        match text.split_once(' ').filter(|_| number && json.is_object()) {
            Some((amount, _)) if amount.contains('.') => amount.trim_end_matches('0').trim_end_matches('.').to_string(),
            Some((amount, _)) => amount.to_string(),
            None => text,
        }
    }

    /// Reads the value out of a text in the product's own notation.
    pub fn read_text(&self, text: &str, currency: Currency) -> Result<Value, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let bounded = |limit: usize| {
            if text.chars().count() > limit {
                return Err(format!("longer than {limit} characters"));
            }
            Ok(Value::Text(text.to_string()))
        };
        match self.kind {
            FieldType::Phone if !is_phone(text) => Err(format!("'{text}' is not a phone number")),
            FieldType::Text | FieldType::Label | FieldType::Phone => bounded(LONGEST_WORDS),
            FieldType::LongText | FieldType::Json => bounded(LONGEST_TEXT),
            FieldType::Url => {
                if !(text.starts_with("https://") || text.starts_with("http://")) {
                    return Err(format!("'{text}' must begin with https:// or http://"));
                }
                bounded(2_000)
            }
            FieldType::Email => {
                let fine = text.split_once('@').is_some_and(|(a, b)| !a.is_empty() && b.contains('.') && !text.contains(' '));
                if !fine {
                    return Err(format!("'{text}' is not an e-mail address"));
                }
                bounded(320)
            }
            FieldType::Int | FieldType::Duration => {
                money::parse_fixed(text, 0).map(Value::Int).map_err(|_| format!("'{text}' is not a whole number"))
            }
            FieldType::Percent => match money::parse_fixed(text.trim_end_matches('%').trim_end(), 0) {
                Ok(n) if (0..=100).contains(&n) => Ok(Value::Int(n)),
                _ => Err(format!("'{text}' is not a whole percentage from 0 to 100")),
            },
            FieldType::Decimal => money::parse_fixed(text, 6)
                .map(Value::Decimal)
                .map_err(|_| format!("'{text}' is not a number with at most 6 digits after the point")),
            FieldType::Money => {
                let (amount, currency) = match text.rsplit_once(' ') {
                    Some((a, code)) => {
                        (a, Currency::parse(code).ok_or_else(|| format!("'{code}' is not an ISO 4217 currency code"))?)
                    }
                    None => (text, currency),
                };
                money::Money::parse(amount, currency).map(Value::Money)
            }
            FieldType::Currency => Currency::parse(text)
                .map(|c| Value::Text(c.as_str().to_string()))
                .ok_or_else(|| format!("'{text}' is not an ISO 4217 currency code")),
            FieldType::Date => value::parse_date(text)
                .map(Value::Date)
                .ok_or_else(|| format!("'{text}' is not a date; write it like 2024-05-31")),
            FieldType::Datetime => value::parse_instant(text)
                .map(Value::Time)
                .ok_or_else(|| format!("'{text}' is not an instant; write it like 2024-05-31T09:30:00Z")),
            FieldType::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" | "y" => Ok(Value::Bool(true)),
                "false" | "no" | "0" | "n" => Ok(Value::Bool(false)),
                _ => Err(format!("'{text}' is neither true nor false")),
            },
            FieldType::Choice => {
                if !self.options.iter().any(|o| o == text) {
                    return Err(format!("'{text}' is not one of: {}", self.options.join(", ")));
                }
                Ok(Value::Text(text.to_string()))
            }
            FieldType::Ref => {
                Uuid::parse_str(text).map(Value::Ref).map_err(|_| format!("'{text}' is not a record id"))
            }
            FieldType::Refs | FieldType::Tags => {
                Ok(Value::List(text.split([';', ',']).map(|s| s.trim().to_string()).filter(|s| !s.is_empty()).collect()))
            }
            FieldType::Shares => {
                let mut shares = std::collections::BTreeMap::new();
                for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
                    let (name, share) = part.split_once('=').unwrap_or((part, "100"));
                    let share: u8 = share.trim().parse().map_err(|_| format!("'{part}' is not like sales_acquisition=60"))?;
                    shares.insert(name.trim().to_string(), share);
                }
                check_shares(shares, &self.options)
            }
        }
    }
}

/// A number that can be dialled: at least three digits of any script and not more letters (of an extension) than those.
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(|c| c.is_numeric()).count();
    digits >= 3 && text.chars().filter(|c| c.is_alphabetic()).count() <= digits
}

fn read_shares(json: &Json, options: &[String]) -> Result<Value, String> {
    if let Some(text) = json.as_str() {
        let parsed: Json = serde_json::from_str(text).map_err(|_| "expected shares like {\"overhead\": 100}".to_string())?;
        return read_shares(&parsed, options);
    }
    let map = json.as_object().ok_or("expected shares like {\"overhead\": 100}")?;
    let mut shares = std::collections::BTreeMap::new();
    for (name, share) in map {
        let share = share.as_u64().and_then(|n| u8::try_from(n).ok()).ok_or("a share is a whole percentage")?;
        shares.insert(name.clone(), share);
    }
    check_shares(shares, options)
}

fn check_shares(shares: std::collections::BTreeMap<String, u8>, options: &[String]) -> Result<Value, String> {
    if let Some(name) = shares.keys().find(|k| !options.contains(k)) {
        return Err(format!("'{name}' is not one of: {}", options.join(", ")));
    }
    let sum: u32 = shares.values().map(|s| u32::from(*s)).sum();
    if sum != 100 {
        return Err(format!("the shares add up to {sum} %, not to 100 %"));
    }
    Ok(Value::Shares(shares))
}
