//! The import plan: which file makes which records, which column which field. TOML, unknown keys refused.

use crate::{CrmError, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    #[serde(default)]
    pub name: String,
    /// Settings for a workspace that does not exist yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workspace: BTreeMap<String, toml::Value>,
    /// Records that the files refer to but do not hold (stages, say).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub record: Vec<Fixed>,
    #[serde(default)]
    pub file: Vec<FilePlan>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    pub object: String,
    pub key: String,
    pub fields: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePlan {
    /// The file's name, or its end after a `*`.
    pub name: String,
    #[serde(default = "comma", skip_serializing_if = "is_comma")]
    pub delimiter: String,
    /// Lines to pass over before the first row.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: usize,
    /// Headings for a file that has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The notation of dates in this file (strftime), for fields that do not say their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<String>,
    /// Other files of the same folder whose columns this one's rows take in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<Join>,
    pub make: Vec<Make>,
}

/// Columns of another file, under `name.column`: its row whose `key` equals this row's `on`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    pub file: String,
    #[serde(rename = "as")]
    pub name: String,
    pub on: String,
    pub key: String,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}
fn comma() -> String {
    ",".into()
}
fn is_comma(text: &str) -> bool {
    text == ","
}

/// One record out of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Make {
    pub object: String,
    /// What identifies the record: a column, or a text with columns in braces; `{@row}` is the row's number.
    pub key: String,
    /// A field by which records that are there already are found before the key is looked at (an e-mail, say). What a
    /// row leaves empty then stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<String>,
    /// A column that says how many such records the row stands for; `{@n}` in texts is which of them it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<String>,
    /// Later rows of the same key change the record: the file is a log of events. Else the first row says it all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub latest: bool,
    /// All must hold, else the row does not make this record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
    pub fields: BTreeMap<String, Source>,
    /// When history fields took their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moment: Vec<MomentPlan>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    pub column: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins_not: Option<String>,
    /// true: not empty; false: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<bool>,
    /// Another column whose value must differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
    /// true: a number above zero; false: zero, negative or no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<bool>,
}

impl Make {
    /// One record of each row.
    pub(crate) fn of(object: &str, key: String, fields: BTreeMap<String, Source>) -> Self {
        Self { object: object.into(), key, find: None, times: None, latest: false, when: Vec::new(), fields, moment: Vec::new() }
    }
}

/// Where a field's value comes from: a column's name, a text with `{columns}`, or a table that says more.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Source {
    Short(String),
    Full(FullSource),
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullSource {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The first of these columns that is not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_of: Vec<String>,
    /// What an empty value stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Columns whose product is the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product: Vec<String>,
    #[serde(default)]
    pub negate: bool,
    /// strftime notation of a date or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Replaces values; what is not named stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Texts that mean "not given".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null: Vec<String>,
    /// The decimal mark, where it is not a point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<String>,
    /// An ending to cut off (`.0` after ids that a spreadsheet made numbers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_end: Option<String>,
    /// An ISO 4217 code, or the column that holds it in braces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// The amount is in the currency's smallest unit (cents).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub minor: bool,
    /// Digits after the point to round to, for amounts that a program wrote with more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digits: Option<u32>,
    /// A column of minutes that pass from this instant to the one that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plus_minutes: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MomentPlan {
    pub field: String,
    /// The value, as in `fields`.
    pub value: Source,
    /// The instant, as in `fields`; a row without it has no such moment.
    pub at: Source,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
}

impl FilePlan {
    /// A file as it mostly is: with headings, nothing to pass over, alone.
    pub(crate) fn of(name: &str, delimiter: &str, make: Vec<Make>) -> Self {
        Self { name: name.into(), delimiter: delimiter.into(), skip: 0, columns: Vec::new(), dates: None, join: Vec::new(), make }
    }
}

impl Plan {
    pub(crate) fn of(file: FilePlan) -> Self {
        Self { file: vec![file], ..Self::default() }
    }
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |s| text[..s.start].matches('\n').count() + 1);
            CrmError::Plan(format!("the plan, line {line}: {}", e.message()))
        })
    }
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
    /// The part of the plan for a file, by its name.
    pub fn for_file(&self, name: &str) -> Option<&FilePlan> {
        self.file.iter().find(|f| match f.name.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => f.name == name,
        })
    }
}
