//! Which column fills which field, as a person says it on screen; a plan is made of it.
//!
//! Beside the fields that people write, a column may tell what this product derives from history: when a deal was closed
//! and how, when a ticket was solved. The plan then writes that history.

use super::convert::missing_column;
use super::known_lists::{self, Known};
use super::plan::{FilePlan, FullSource, Make, Missing, MomentPlan, Plan, Source, When};
use northing_model::labels::LANGUAGES;
use northing_model::{FieldDef, FieldType, Labels, ObjectDef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    pub object: String,
    /// Field by column. Several columns may fill one: texts are joined, numbers added, of days the first that is given
    /// counts. `amount.currency` stands for the currency of the field `amount`.
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
    /// The currency of amounts that do not say their own; else the workspace's.
    #[serde(default)]
    pub currency: Option<String>,
    /// The known list that this is (`Shopify: orders`).
    #[serde(default)]
    pub known: Option<String>,
    /// By field, what words of the file mean.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    /// By field, what every record gets.
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    /// By field, what becomes of references to records that are not here; `leave` where nothing is said.
    #[serde(default)]
    pub missing: BTreeMap<String, Missing>,
}

/// Derived fields that a list may tell, by object.
const TOLD: [(&str, &[&str]); 3] = [("deal", &["closed_at", "outcome"]), ("ticket", &["solved_at", "first_reply_at"]), ("lead", &["first_response_at"])];

/// Derived fields of an object that a column may tell.
pub fn told(object: &str) -> &'static [&'static str] {
    TOLD.iter().find(|(of, _)| *of == object).map_or(&[], |(_, fields)| fields)
}

/// Objects that lists may be imported into.
pub fn importable(object: &ObjectDef) -> bool {
    !object.derived && !object.structural && !matches!(object.name.as_str(), "access_role" | "definition" | "import_run" | "saved_list")
}

pub(crate) fn is_number(kind: FieldType) -> bool {
    matches!(kind, FieldType::Money | FieldType::Decimal | FieldType::Percent | FieldType::Int)
}

fn is_text(kind: FieldType) -> bool {
    matches!(kind, FieldType::Text | FieldType::LongText | FieldType::Label | FieldType::Phone)
}

/// What a plan calls a column inside of a text.
fn braced(column: &str) -> String {
    if column.contains('{') { column.to_string() } else { format!("{{{column}}}") }
}

fn fixed(text: &str) -> Source {
    Source::Full(FullSource { text: Some(text.into()), ..FullSource::default() })
}

impl Mapping {
    /// What is wrong with it, if anything.
    pub fn problem(&self, object: &ObjectDef) -> Option<String> {
        if self.fields.is_empty() {
            return Some("say of at least one column which field it fills".into());
        }
        for (nth, field) in self.fields.values().enumerate() {
            let kind = object.field(field).map(|f| f.kind);
            let joined = kind.is_some_and(|k| is_number(k) || is_text(k) || matches!(k, FieldType::Date | FieldType::Datetime));
            if !joined && self.fields.values().take(nth).any(|f| f == field) {
                return Some(format!("two columns fill '{field}'; leave one of them out"));
            }
        }
        None
    }

    fn known(&self) -> Option<&'static Known> {
        self.known.as_deref().and_then(known_lists::titled)
    }

    /// The columns that fill a field, as they stand in the file.
    pub(crate) fn columns<'a>(&self, field: &str, headings: &'a [String]) -> Vec<&'a String> {
        headings.iter().filter(|h| self.fields.get(*h).is_some_and(|f| f == field)).collect()
    }

    /// The plan for a file of this name; `stem` tells the file's content from any other's where no column identifies.
    pub fn plan(&self, object: &ObjectDef, labels: &Labels, name: &str, delimiter: &str, stem: &str, headings: &[String]) -> Plan {
        let mut fields: BTreeMap<String, Source> = self.constants.iter().filter(|(f, _)| object.stored_fields().any(|own| own.name == **f)).map(|(f, text)| (f.clone(), fixed(text))).collect();
        for field in object.stored_fields() {
            let columns = self.columns(&field.name, headings);
            let outcome = object.name == "deal" && field.name == "stage" && !self.columns("outcome", headings).is_empty();
            if !columns.is_empty() || outcome {
                fields.insert(field.name.clone(), self.source(object, labels, field, &columns, headings));
            }
        }
        if let (Some(currency), Some(field), true) = (&self.currency, object.field("currency"), object.name == "order" || object.name == "deal")
            && !field.derived
        {
            fields.entry("currency".into()).or_insert_with(|| fixed(currency));
        }
        let key = self.key.clone().unwrap_or_else(|| format!("{stem}:{{@row}}"));
        let mut makes = vec![Make { find: self.find.clone(), ..Make::of(&object.name, key.clone(), BTreeMap::new()) }];
        for told in told(&object.name) {
            let columns = self.columns(told, headings);
            if !columns.is_empty() && *told != "outcome" {
                self.tell(told, &columns, &key, &mut fields, &mut makes);
            }
        }
        makes[0].fields = fields;
        let places: HashMap<String, usize> = headings.iter().enumerate().map(|(i, h)| (h.clone(), i)).collect();
        let also = self.known().into_iter().flat_map(|known| &known.also);
        makes.extend(also.filter(|make| missing_column(make, &places).is_none()).cloned());
        Plan::of(FilePlan { dates: self.dates.clone(), currency: self.currency.clone(), ..FilePlan::of(name, delimiter, makes) })
    }

    fn source(&self, object: &ObjectDef, labels: &Labels, field: &FieldDef, columns: &[&String], headings: &[String]) -> Source {
        let mut full = FullSource::default();
        let owned = || columns.iter().map(|c| (*c).clone()).collect::<Vec<_>>();
        match columns {
            [] => {}
            [one] => full.column = Some((*one).clone()),
            _ if is_text(field.kind) => full.text = Some(columns.iter().map(|c| braced(c)).collect::<Vec<_>>().join(" ")),
            _ if is_number(field.kind) => full.sum = owned(),
            _ => full.first_of = owned(),
        }
        if is_number(field.kind) {
            full.decimal = Some(self.decimal.clone().unwrap_or_else(|| ".".into()));
        }
        if field.kind == FieldType::Money {
            let own = self.columns(&format!("{}.currency", field.name), headings);
            let whole = || if object.field("currency").is_some() { self.columns("currency", headings) } else { Vec::new() };
            full.currency = own.first().copied().or_else(|| whole().first().copied()).map(|c| braced(c));
        }
        full.map = words(labels, field);
        full.map.extend(self.meant(&field.name));
        if let Some(known) = self.known() {
            full.cases = known.cases.get(&field.name).cloned().unwrap_or_default();
            let places = |case: &super::plan::Case| case.when.iter().all(|w| headings.contains(&w.column));
            full.cases.retain(places);
        }
        if field.kind == FieldType::Ref {
            full.missing = self.missing.get(&field.name).copied().unwrap_or(if field.name == "stage" { Missing::Make } else { Missing::Leave });
        }
        if object.name == "deal" && field.name == "stage" {
            full.map = BTreeMap::new();
            full.kind = self.kind(labels, object, columns, headings).map(Box::new);
        }
        Source::Full(full)
    }

    /// What says whether a deal is won: a column of its own, or words that people have said the meaning of.
    fn kind(&self, labels: &Labels, object: &ObjectDef, stage: &[&String], headings: &[String]) -> Option<Source> {
        let outcome = object.field("outcome")?;
        let own = self.columns("outcome", headings);
        let mut map = self.meant("outcome");
        if let Some(column) = own.first() {
            map.extend(words(labels, outcome).into_iter().filter(|(k, _)| !map.contains_key(k)).collect::<Vec<_>>());
            return Some(Source::Full(FullSource { column: Some((*column).clone()), map, ..FullSource::default() }));
        }
        let column = (*stage.first()?).clone();
        (!map.is_empty()).then(|| Source::Full(FullSource { column: Some(column), map, only: true, ..FullSource::default() }))
    }

    /// Words with their meaning, also in small letters.
    fn meant(&self, field: &str) -> BTreeMap<String, String> {
        let said = self.values.get(field).into_iter().flatten();
        said.flat_map(|(word, meaning)| [(word.clone(), meaning.clone()), (word.to_lowercase(), meaning.clone())]).collect()
    }

    /// History that columns tell of.
    fn tell(&self, told: &str, columns: &[&String], key: &str, fields: &mut BTreeMap<String, Source>, makes: &mut Vec<Make>) {
        let owned: Vec<String> = columns.iter().map(|c| (*c).clone()).collect();
        let at = Source::Full(FullSource { first_of: owned.clone(), ..FullSource::default() });
        let own = Source::Short(if key.contains('{') { key.to_string() } else { braced(key) });
        let made = |suffix: &str, object: &str, mut fields: BTreeMap<String, Source>| {
            fields.insert("at".into(), at.clone());
            let given = owned.iter().take(1).map(|column| When { given: Some(true), ..When::of(column) }).collect();
            Make { when: given, ..Make::of(object, format!("{}:{suffix}", if key.contains('{') { key.to_string() } else { braced(key) }), fields) }
        };
        let map = |pairs: &[(&str, Source)]| pairs.iter().map(|(name, source)| ((*name).to_string(), source.clone())).collect::<BTreeMap<_, _>>();
        match told {
            "closed_at" | "solved_at" => {
                let field = if told == "closed_at" { "stage" } else { "status" };
                if let Some(value) = fields.get(field).cloned() {
                    makes[0].moment.push(MomentPlan { field: field.into(), value, at: at.clone(), closed: true, when: Vec::new() });
                }
                // Of a deal that is open the day of its close is the one that is expected.
                if let ("closed_at", [one]) = (told, columns) {
                    fields.entry("expected_close".into()).or_insert_with(|| Source::Short((*one).clone()));
                }
            }
            "first_reply_at" => makes.push(made("first-reply", "message", map(&[("ticket", own), ("author", fixed("staff"))]))),
            "first_response_at" => makes.push(made("first-response", "interaction", map(&[("lead", own), ("direction", fixed("out")), ("kind", fixed("email"))]))),
            _ => {}
        }
    }
}

/// Options by what they are called in any language, in small letters.
pub(crate) fn words(labels: &Labels, field: &FieldDef) -> BTreeMap<String, String> {
    let yes_no = ["true".to_string(), "false".to_string()];
    let options = if field.kind == FieldType::Bool { &yes_no[..] } else { &field.options[..] };
    options.iter().flat_map(|option| LANGUAGES.iter().map(move |lang| (labels.text(lang, &format!("option.{option}")).to_lowercase(), option.clone()))).collect()
}
