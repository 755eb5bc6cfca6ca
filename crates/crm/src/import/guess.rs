//! What a file may be, by its name, its headings and how its values look: to be looked at before it runs. A known list
//! of another system goes first; else the object whose fields answer to its headings. It never guesses people who may
//! sign in, and where two objects answer alike it leaves the choice to whoever asks.

use super::known_lists;
use super::mapping::{Mapping, importable, is_number};
use super::number;
use super::plan::Missing;
use super::refs::is_made_of_a_name;
use super::words::{self, plain};
use super::{days, mapping};
use northing_model::labels::LANGUAGES;
use northing_model::{FieldDef, FieldType, Labels, Model, ObjectDef};
use std::collections::{BTreeMap, HashMap};

/// A file that has been looked at: its name, its headings and its first rows.
#[derive(Clone, Copy)]
pub struct Looked<'a> {
    pub name: &'a str,
    pub headings: &'a [String],
    pub sample: &'a [Vec<String>],
}

/// What a file seems to be.
#[derive(Debug, Clone, Default)]
pub struct Guess {
    pub mapping: Option<Mapping>,
    /// Objects that it may be too; the choice is open where there is one.
    pub others: Vec<String>,
    /// The plan to import it with instead.
    pub plan: Option<String>,
}

/// Objects that only somebody who says so imports: they are not what lists of other systems hold.
const NOT_GUESSED: [&str; 18] = ["user", "team", "goal", "sales_plan", "canned_reply", "attachment", "automation_run", "consent_event", "engagement_event", "user_action", "user_session", "send", "send_event", "time_entry", "survey_invite", "message", "order_line", "task"];

/// Which goes first where headings say nothing.
const USUAL: [&str; 6] = ["customer", "contact", "lead", "deal", "ticket", "order"];

/// Notations of dates that are looked for, in this order where several fit.
pub const DATES: [&str; 5] = ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d"];

/// What headings a field answers to: its name, its usual headings, its label in any language.
fn answers<'a>(object: &'a ObjectDef, labels: &Labels) -> HashMap<String, &'a FieldDef> {
    let mut known: HashMap<String, &FieldDef> = HashMap::new();
    let told = mapping::told(&object.name);
    let fields: Vec<&FieldDef> = object.fields.values().filter(|f| (!f.derived || told.contains(&f.name.as_str())) && !matches!(f.name.as_str(), "external_id" | "updated_at" | "merged_into")).collect();
    for field in &fields {
        for own in field.headings.iter().chain([&field.name]) {
            known.entry(plain(own)).or_insert(field);
        }
    }
    for field in &fields {
        for lang in LANGUAGES {
            known.entry(plain(&labels.field(lang, &object.name, field))).or_insert(field);
        }
    }
    known
}

/// Which column fills which field by the headings: of several that answer alike, the first.
fn filled(object: &ObjectDef, labels: &Labels, headings: &[String]) -> BTreeMap<String, String> {
    let known = answers(object, labels);
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let title = object.field(&object.title).filter(|f| f.kind == FieldType::Text && !f.derived);
    let parts: Vec<&String> = headings.iter().filter(|h| words::is_name_part(h)).collect();
    for heading in headings {
        let Some(field) = known.get(&plain(heading)) else { continue };
        // Won and lost each have a day of their own.
        if mapping::told(&object.name).contains(&field.name.as_str()) && field.kind == FieldType::Datetime || !fields.values().any(|f| *f == field.name) {
            fields.insert(heading.clone(), field.name.clone());
        }
    }
    if let Some(title) = title {
        let named = |fields: &BTreeMap<String, String>| fields.values().any(|f| *f == title.name);
        let whole = headings.iter().find(|h| words::is_full_name(h)).filter(|h| !fields.contains_key(*h));
        let company = headings.iter().find(|h| words::is_company_name(h)).filter(|h| object.name == "customer" && !fields.contains_key(*h));
        if let (false, Some(column)) = (named(&fields), whole.or(company)) {
            fields.insert(column.clone(), title.name.clone());
        }
        if !named(&fields) && title.name == "name" && !parts.is_empty() {
            fields.extend(parts.into_iter().map(|h| (h.clone(), title.name.clone())));
        }
    }
    let amount = object.stored_fields().find(|f| f.kind == FieldType::Money && fields.values().any(|v| *v == f.name));
    if let (Some(amount), Some(column)) = (amount, headings.iter().find(|h| words::is_currency(h) && !fields.contains_key(*h))) {
        let target = if object.field("currency").is_some_and(|f| !f.derived) { "currency".to_string() } else { format!("{}.currency", amount.name) };
        if !fields.values().any(|f| *f == target) {
            fields.insert(column.clone(), target);
        }
    }
    fields
}

/// The column that holds what the record is known by elsewhere.
fn key_column(object: &ObjectDef, headings: &[String]) -> Option<String> {
    let own = format!("{}id", plain(&object.name));
    headings.iter().find(|h| matches!(plain(h).as_str(), "id" | "recordid" | "externalid") || plain(h) == own).cloned()
}

/// Required fields that a mapping leaves empty.
pub(crate) fn unfilled(object: &ObjectDef, mapping: &Mapping) -> Vec<String> {
    let given = |name: &str| mapping.fields.values().any(|f| f == name || (name == "stage" && f == "outcome")) || mapping.constants.contains_key(name);
    object.stored_fields().filter(|f| f.required && f.default.is_none() && !given(&f.name)).map(|f| f.name.clone()).collect()
}

/// What a file may be.
pub fn guess(model: &Model, labels: &Labels, looked: Looked<'_>) -> Guess {
    if let Some(known) = known_lists::of(looked.headings) {
        let Some(object) = known.object.as_deref().and_then(|o| model.object(o)) else { return Guess { plan: known.plan.clone(), ..Guess::default() } };
        let mut mapping = Mapping {
            object: object.name.clone(),
            fields: known.filled(looked.headings),
            key: known.key_column(looked.headings).cloned(),
            known: Some(known.title()),
            values: known.values.clone(),
            constants: known.constants.clone(),
            missing: known.make.iter().map(|field| (field.clone(), Missing::Make)).collect(),
            ..Mapping::default()
        };
        notations(&mut mapping, object, looked);
        return Guess { mapping: Some(mapping), ..Guess::default() };
    }
    let mut shared: HashMap<String, u32> = HashMap::new();
    let candidates: Vec<(&ObjectDef, HashMap<String, &FieldDef>)> = model.objects.iter().filter(|o| importable(o) && !NOT_GUESSED.contains(&o.name.as_str())).map(|o| (o, answers(o, labels))).collect();
    let plains: Vec<String> = looked.headings.iter().map(|h| plain(h)).collect();
    for heading in &plains {
        shared.insert(heading.clone(), candidates.iter().filter(|(_, known)| known.contains_key(heading)).count() as u32);
    }
    let name = northing_model::text::words(looked.name).concat();
    let mut scored: Vec<(u32, bool, bool, &ObjectDef)> = Vec::new();
    for (object, _) in &candidates {
        let mapping = for_object(object, labels, looked);
        // A heading that few objects answer to says more than one that all do.
        let rank: u32 = mapping.fields.keys().map(|h| 60 / shared.get(&plain(h)).copied().unwrap_or(1).max(1)).sum();
        let called = LANGUAGES.iter().flat_map(|lang| [plain(&labels.object(lang, object)), plain(&labels.text(lang, &format!("one.{}", object.name)))]);
        let named = [plain(&object.plural), plain(&object.name)].into_iter().chain(called).any(|word| word.chars().count() > 1 && name.contains(&word));
        if rank > 0 {
            scored.push((rank + if named { 120 } else { 0 }, unfilled(object, &mapping).is_empty(), named, object));
        }
    }
    let usual = |o: &ObjectDef| USUAL.iter().position(|u| *u == o.name).unwrap_or(USUAL.len());
    scored.sort_by_key(|(rank, whole, named, object)| (std::cmp::Reverse((*named, *whole, *rank)), usual(object)));
    let Some((rank, whole, named, object)) = scored.first().copied() else { return Guess::default() };
    // Sure is what the file's name says, or what fills all that it must and answers to twice as much as any other.
    let sure = named || (whole && scored.iter().skip(1).all(|(other, whole, ..)| !whole || other * 2 <= rank));
    let others = if sure { Vec::new() } else { scored.iter().skip(1).take(4).map(|(.., o)| o.name.clone()).collect() };
    Guess { mapping: Some(for_object(object, labels, looked)), others, plan: None }
}

/// The proposal for an object that somebody chose.
pub fn for_object(object: &ObjectDef, labels: &Labels, looked: Looked<'_>) -> Mapping {
    let fields = filled(object, labels, looked.headings);
    let key = key_column(object, looked.headings);
    let mut mapping = Mapping { object: object.name.clone(), fields, key, ..Mapping::default() };
    mapping.fields.retain(|column, _| Some(column) != mapping.key.as_ref());
    if mapping.key.is_none() {
        mapping.find = ["email", "phone"].into_iter().find(|f| mapping.fields.values().any(|v| v == f)).map(str::to_string);
    }
    if object.name == "customer" && !mapping.fields.values().any(|f| f == "kind") && is_of_persons(&mapping, looked) {
        mapping.constants.insert("kind".into(), "person".into());
    }
    notations(&mut mapping, object, looked);
    mapping
}

/// Whether the list is of persons: its headings say so, or most of its names look like theirs.
fn is_of_persons(mapping: &Mapping, looked: Looked<'_>) -> bool {
    let columns = mapping.columns("name", looked.headings);
    if columns.iter().any(|h| words::is_full_name(h) || words::is_name_part(h)) {
        return true;
    }
    if columns.iter().any(|h| words::is_company_name(h)) {
        return false;
    }
    let at = columns.first().and_then(|c| looked.headings.iter().position(|h| h == *c));
    let names: Vec<&str> = at.map(|at| looked.sample.iter().filter_map(|row| row.get(at)).map(|t| t.trim()).filter(|t| !t.is_empty()).collect()).unwrap_or_default();
    names.len() >= 3 && names.iter().filter(|n| words::is_person(n)).count() * 10 >= names.len() * 8 && !names.iter().any(|n| words::is_company(n))
}

/// The values of the columns that fill fields of some kinds.
pub(crate) fn values<'a>(mapping: &Mapping, object: &ObjectDef, looked: Looked<'a>, wanted: impl Fn(&FieldDef) -> bool) -> Vec<&'a str> {
    let at = looked.headings.iter().enumerate().filter(|(_, h)| mapping.fields.get(*h).and_then(|f| object.field(f)).is_some_and(&wanted));
    at.flat_map(|(i, _)| looked.sample.iter().filter_map(move |row| row.get(i)).map(|t| t.trim())).filter(|v| !v.is_empty()).collect()
}

/// How dates and numbers are written, by the values.
fn notations(mapping: &mut Mapping, object: &ObjectDef, looked: Looked<'_>) {
    let reads = |text: &str, format: &str| jiff::civil::Date::strptime(format, text.split([' ', 'T']).next().unwrap_or_default()).is_ok();
    let often = |format: &str| looked.sample.iter().flatten().filter(|text| reads(text, format)).count();
    // Of notations that read as many values, the first; columns that nobody has told yet count too.
    let best = DATES.iter().rev().map(|f| (often(f), *f)).max_by_key(|(n, _)| *n).filter(|(n, _)| *n > 0);
    let dated = values(mapping, object, looked, |f| matches!(f.kind, FieldType::Date | FieldType::Datetime));
    // Where both readings fit every value of a column, somebody has to say.
    let open = dated.iter().any(|t| days::read(t, days::Order::Unknown).is_none()) && dated.iter().all(|t| [days::Order::DayFirst, days::Order::MonthFirst].iter().all(|o| days::read(t, *o).is_some()));
    if !open {
        mapping.dates = best.map(|(_, f)| f.to_string());
    }
    let numbers = values(mapping, object, looked, |f| is_number(f.kind));
    let digits = |t: &str| t.trim_matches(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).to_string();
    let comma = numbers.iter().map(|t| digits(&number::plain_digits(t))).filter(|t| t.rfind(',').is_some_and(|c| t.rfind('.').is_none_or(|p| p < c) && t[c + 1..].chars().filter(char::is_ascii_digit).count() != 3)).count();
    mapping.decimal = (comma > 0).then(|| ",".into());
}

/// References of an object whose records could be made of their names.
pub fn makeable(model: &Model, object: &ObjectDef) -> Vec<String> {
    object.stored_fields().filter(|f| f.kind == FieldType::Ref && f.to.as_deref().is_some_and(|to| to == "stage" || model.object(to).is_some_and(is_made_of_a_name))).map(|f| f.name.clone()).collect()
}
