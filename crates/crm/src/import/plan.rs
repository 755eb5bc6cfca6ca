//! The import plan: which file makes which records, which column which field. TOML, unknown keys refused.
//!
//! The comments on the keys below are the reference of the language: `docs/plan-language.md` is made of them.

use super::keys;
use crate::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What the plan is called.
    #[serde(default)]
    pub name: String,
    /// Settings for a workspace that does not exist yet. In one that does, `currency` stays the currency of amounts that
    /// do not say their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub workspace: BTreeMap<String, toml::Value>,
    /// Records that the files refer to but do not hold (stages, say).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub record: Vec<Fixed>,
    /// What each file holds; a file is taken by the first part that has its name.
    #[serde(default)]
    pub file: Vec<FilePlan>,
}

/// A record that is made when there is none of its key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// The object, as in `model/objects`.
    pub object: String,
    /// What rows refer to it by.
    pub key: String,
    /// Its values by field; a reference by the key of the other record.
    pub fields: BTreeMap<String, String>,
}

/// A file and the records that its rows make.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePlan {
    /// The file's name, or its end after a `*`. `NAME-rejects.csv` goes the way of `NAME.csv`.
    pub name: String,
    /// What stands between columns: `,` `;` `|` `tab`, or `spaces` for runs of them.
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
    /// The currency of amounts in this file that do not say their own (ISO 4217).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Other files of the same folder whose columns this one's rows take in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub join: Vec<Join>,
    /// The records that a row makes, in this order; a later one may refer to an earlier one. One key makes one record of
    /// an object in a row: what would make a second is refused.
    pub make: Vec<Make>,
}

/// Columns of another file, under `name.column`: its row whose `key` equals this row's `on`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The other file, beside this one.
    pub file: String,
    /// What its columns are called here, before the point.
    #[serde(rename = "as")]
    pub name: String,
    /// The column of this file.
    pub on: String,
    /// The column of the other file that must be equal.
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
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Make {
    /// The object, as in `model/objects`.
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
    /// Where each field's value comes from.
    pub fields: BTreeMap<String, Source>,
    /// When history fields took their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moment: Vec<MomentPlan>,
}

/// A condition on a column of the row.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The column that is looked at.
    pub column: String,
    /// It holds one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Vec<String>>,
    /// It holds none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Vec<String>>,
    /// It begins with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<String>,
    /// It does not begin with this.
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

impl When {
    /// A condition on a column that holds always.
    pub(crate) fn of(column: &str) -> Self {
        Self { column: column.into(), is: None, not: None, begins: None, begins_not: None, given: None, differs: None, positive: None }
    }
}

impl Make {
    /// One record of each row.
    pub(crate) fn of(object: &str, key: String, fields: BTreeMap<String, Source>) -> Self {
        Self { object: object.into(), key, find: None, times: None, latest: false, when: Vec::new(), fields, moment: Vec::new() }
    }
}

/// Where a field's value comes from: a column's name, a text with `{columns}`, or a table that says more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Source {
    Short(String),
    Full(FullSource),
}

/// Where a field's value comes from, and what is done with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FullSource {
    /// The column that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// A fixed text, or one with `{columns}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The first of these columns that is not empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first_of: Vec<String>,
    /// The text of the first case whose conditions hold, before anything else is looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
    /// What an empty value stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
    /// Columns whose sum is the number; empty ones do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sum: Vec<String>,
    /// Columns whose product is the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub product: Vec<String>,
    /// The number's sign is turned round.
    #[serde(default)]
    pub negate: bool,
    /// strftime notation of a date or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Replaces values; what is not named stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub map: BTreeMap<String, String>,
    /// Values that `map` does not name are not given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
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
    /// What becomes of a reference to a record that is not here: `reject` (the row is set aside), `leave` (the field
    /// stays empty, and the value is listed) or `make` (the record is made of its name).
    #[serde(default, skip_serializing_if = "Missing::is_reject")]
    pub missing: Missing,
    /// Of a deal's stage: what gives `open`, `won`, `lost` or `void` for the row. A closed deal takes the stage of that
    /// kind, whatever the stage that it was in before is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<Source>>,
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

/// A fixed text where conditions hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// All must hold.
    pub when: Vec<When>,
    /// The text that the row then has.
    pub text: String,
}

/// A value of a history field and the instant from which on it held.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MomentPlan {
    /// The field, one that keeps history.
    pub field: String,
    /// The value, as in `fields`.
    pub value: Source,
    /// The instant, as in `fields`; where it is empty, the value is of an unknown beginning.
    pub at: Source,
    /// Only where the value closes the record: a deal's stage that is not open, a ticket solved or closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// All must hold, else there is no such moment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<When>,
}

impl FilePlan {
    /// A file as it mostly is: with headings, nothing to pass over, alone.
    pub(crate) fn of(name: &str, delimiter: &str, make: Vec<Make>) -> Self {
        Self { name: name.into(), delimiter: delimiter.into(), skip: 0, columns: Vec::new(), dates: None, currency: None, join: Vec::new(), make }
    }
}

impl Plan {
    pub(crate) fn of(file: FilePlan) -> Self {
        Self { file: vec![file], ..Self::default() }
    }
    /// Reads a plan; what is wrong with it is said with its line, its key and the nearest right one.
    pub fn parse(text: &str) -> Result<Self> {
        keys::parse(text)
    }
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).unwrap_or_default()
    }
    /// The part of the plan for a file, by its name. A file of rejects goes by the part of the file it came from: it has
    /// headings and commas, whatever that one had.
    pub fn for_file(&self, name: &str) -> Option<std::borrow::Cow<'_, FilePlan>> {
        use std::borrow::Cow;
        let of = |name: &str| {
            self.file.iter().find(|f| match f.name.strip_prefix('*') {
                Some(end) => name.ends_with(end),
                None => f.name == name,
            })
        };
        let Some(first) = name.strip_suffix(REJECTS).filter(|_| self.file.iter().all(|f| f.name != name)) else { return of(name).map(Cow::Borrowed) };
        let found = of(name).or_else(|| [".csv", ".csv.gz", ".txt", ".tsv", ""].iter().find_map(|end| of(&format!("{first}{end}"))))?;
        Some(Cow::Owned(FilePlan { delimiter: comma(), skip: 0, columns: Vec::new(), ..found.clone() }))
    }
}

/// How the names of files of rejects end.
pub const REJECTS: &str = "-rejects.csv";

/// What becomes of a reference to a record that is not here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The row is set aside.
    #[default]
    Reject,
    /// The field stays empty.
    Leave,
    /// The record is made of its name.
    Make,
}

impl Missing {
    fn is_reject(&self) -> bool {
        *self == Missing::Reject
    }
}
