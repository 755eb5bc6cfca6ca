//! Which column fills which field, as a person says it on screen; a plan is made of it. The first proposal comes from
//! the headings in any of the languages, and from how the values look.

use super::guess::{filled, key_column, likely};
use super::plan::{FilePlan, FullSource, Make, Plan, Source};
use northing_model::labels::LANGUAGES;
use northing_model::{FieldDef, FieldType, Labels, Model, ObjectDef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub object: String,
    /// Field by column.
    pub fields: BTreeMap<String, String>,
    /// The column that holds the other system's id.
    #[serde(default)]
    pub key: Option<String>,
    /// The field by which records that are here already are found.
    #[serde(default)]
    pub find: Option<String>,
    /// How dates are written (strftime); none for 2026-11-22.
    #[serde(default)]
    pub dates: Option<String>,
    /// `.` or `,`.
    #[serde(default)]
    pub decimal: Option<String>,
}

/// Notations of dates that are looked for, in this order where several fit.
pub const DATES: [&str; 5] = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d"];

/// Objects that lists may be imported into.
pub fn importable(object: &ObjectDef) -> bool {
    !object.derived && !object.structural && !matches!(object.name.as_str(), "access_role" | "definition" | "import_run" | "saved_list")
}

impl Mapping {
    /// A first proposal for a file; none where no heading says anything.
    pub fn guess(model: &Model, labels: &Labels, name: &str, headings: &[String], sample: &[Vec<String>]) -> Option<Self> {
        likely(model, labels, name, headings).map(|object| Self::for_object(object, labels, headings, sample))
    }

    /// The proposal for an object that somebody chose.
    pub fn for_object(object: &ObjectDef, labels: &Labels, headings: &[String], sample: &[Vec<String>]) -> Self {
        let pairs = filled(object, labels, headings).into_iter().filter(|(_, field)| field.name != "external_id");
        let fields: BTreeMap<String, String> = pairs.map(|(heading, field)| (heading.clone(), field.name.clone())).collect();
        let key = key_column(object, headings).cloned();
        let given = |name: &str| fields.values().any(|f| f == name);
        let find = ["email", "phone"].into_iter().find(|f| given(f)).map(str::to_string).filter(|_| key.is_none());
        let column = |wanted: &[FieldType]| -> Vec<&str> {
            let at = headings.iter().enumerate().filter(|(_, h)| fields.get(*h).and_then(|f| object.field(f)).is_some_and(|f| wanted.contains(&f.kind)));
            at.flat_map(|(i, _)| sample.iter().filter_map(move |row| row.get(i)).map(String::as_str)).filter(|v| !v.is_empty()).collect()
        };
        let reads = |text: &str, format: &str| jiff::civil::Date::strptime(format, text.split(' ').next().unwrap_or_default()).is_ok();
        let often = |format: &str| sample.iter().flatten().filter(|text| reads(text, format)).count();
        // Of notations that read as many values, the first; columns that nobody has told yet count too.
        let dates = DATES.iter().rev().map(|f| (often(f), f)).max_by_key(|(n, _)| *n).filter(|(n, _)| *n > 0).map(|(_, f)| f);
        let numbers = column(&[FieldType::Money, FieldType::Decimal, FieldType::Percent]);
        let comma = numbers.iter().filter(|t| t.rfind(',').is_some_and(|c| t.rfind('.').is_none_or(|p| p < c) && t[c + 1..].chars().filter(char::is_ascii_digit).count() != 3)).count();
        Self { object: object.name.clone(), key, find, dates: dates.map(|d| (*d).to_string()), decimal: (comma > 0).then(|| ",".into()), fields }
    }

    /// The plan for a file of this name; `stem` tells the file's content from any other's where no column identifies.
    pub fn plan(&self, object: &ObjectDef, labels: &Labels, name: &str, delimiter: &str, stem: &str) -> Plan {
        let source = |column: &String, field: &FieldDef| {
            let number = matches!(field.kind, FieldType::Money | FieldType::Decimal | FieldType::Percent | FieldType::Int);
            let decimal = number.then(|| self.decimal.clone().unwrap_or_else(|| ".".into()));
            Source::Full(FullSource { column: Some(column.clone()), decimal, map: words(labels, field), ..FullSource::default() })
        };
        let fields = self.fields.iter().filter_map(|(column, field)| Some((field.clone(), source(column, object.field(field)?)))).collect();
        let key = self.key.clone().unwrap_or_else(|| format!("{stem}:{{@row}}"));
        let make = Make { find: self.find.clone(), ..Make::of(&object.name, key, fields) };
        Plan::of(FilePlan { dates: self.dates.clone(), ..FilePlan::of(name, delimiter, vec![make]) })
    }
}

/// Options by what they are called in any language, in small letters.
fn words(labels: &Labels, field: &FieldDef) -> BTreeMap<String, String> {
    let yes_no = ["true".to_string(), "false".to_string()];
    let options = if field.kind == FieldType::Bool { &yes_no[..] } else { &field.options[..] };
    options.iter().flat_map(|option| LANGUAGES.iter().map(move |lang| (labels.text(lang, &format!("option.{option}")).to_lowercase(), option.clone()))).collect()
}
