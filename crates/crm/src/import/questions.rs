//! What a person has to say before a list is imported as it was meant: which object it is, what a currency's sign stands
//! for, which words mean won. It looks at the first rows only; what the others hold, a trial tells.

use super::guess::{Looked, unfilled, values};
use super::mapping::{Mapping, is_number, words};
use super::words::{self as known, plain};
use super::{days, number};
use northing_model::{Currency, FieldType, Labels, ObjectDef};
use serde::Serialize;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Which object the list is of.
    Object,
    /// Which columns fill fields that every record needs.
    Required,
    /// Whether the day or the month is first.
    Dates,
    /// Of which currency a sign is.
    Currency,
    /// What words mean.
    Words,
    /// Which column says when closed records were closed.
    Closed,
    /// Whether a column fills this field: hardly any of its values can be read so.
    Column,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    pub about: About,
    /// The column that it is about.
    pub column: String,
    /// The field that it is about.
    pub field: String,
    /// What may be answered: objects, fields, currencies.
    pub options: Vec<String>,
    /// Values of the file that are meant.
    pub words: Vec<String>,
}

/// Words that are shown at most.
const MOST_WORDS: usize = 20;

fn ask(about: About, column: &str, field: &str) -> Question {
    Question { about, column: column.into(), field: field.into(), options: Vec::new(), words: Vec::new() }
}

/// What is open about a mapping; `currency` is the workspace's, `others` what the list may be too.
pub fn questions(object: &ObjectDef, labels: &Labels, looked: Looked<'_>, mapping: &Mapping, currency: Currency, others: &[String]) -> Vec<Question> {
    let mut asked = Vec::new();
    if !others.is_empty() {
        asked.push(Question { options: std::iter::once(object.name.clone()).chain(others.iter().cloned()).collect(), ..ask(About::Object, "", "") });
    }
    asked.extend(unfilled(object, mapping).into_iter().map(|field| ask(About::Required, "", &field)));
    let default = mapping.currency.as_deref().and_then(Currency::parse).unwrap_or(currency);
    for (i, heading) in looked.headings.iter().enumerate() {
        let Some(field) = mapping.fields.get(heading).and_then(|f| object.field(f)) else { continue };
        let mut all: Vec<&str> = looked.sample.iter().filter_map(|row| row.get(i)).map(|t| t.trim()).filter(|t| !t.is_empty()).collect();
        all.sort_unstable();
        all.dedup();
        match field.kind {
            FieldType::Date | FieldType::Datetime => {
                let order = days::order_of(mapping.dates.as_deref());
                if all.iter().any(|t| days::read(t, order).is_none() && days::read(t, days::Order::DayFirst).is_some() && days::read(t, days::Order::MonthFirst).is_some()) {
                    asked.push(Question { words: all.iter().take(3).map(|t| (*t).to_string()).collect(), ..ask(About::Dates, heading, &field.name) });
                } else {
                    unsure(&mut asked, heading, &field.name, &all, |t| days::read(t, order).is_some() || northing_model::value::parse_instant(t).is_some());
                }
            }
            FieldType::Money => {
                let mark = mapping.decimal.as_deref().unwrap_or(".");
                let signs: Vec<String> = all.iter().filter_map(|t| number::read(t, Some(mark))).map(|w| w.sign).collect();
                let open = signs.iter().find_map(|sign| number::currencies(sign).filter(|(codes, _)| codes.len() > 1 && !codes.contains(&default)));
                let own = mapping.fields.values().any(|f| *f == format!("{}.currency", field.name) || f == "currency");
                if let (Some((codes, _)), false) = (open, own) {
                    asked.push(Question { options: codes.iter().map(|c| c.as_str().to_string()).collect(), words: all.iter().take(3).map(|t| (*t).to_string()).collect(), ..ask(About::Currency, heading, &field.name) });
                }
                unsure(&mut asked, heading, &field.name, &all, |t| number::read(t, Some(mark)).is_some());
            }
            kind if is_number(kind) => {
                let mark = mapping.decimal.as_deref().unwrap_or(".");
                unsure(&mut asked, heading, &field.name, &all, |t| number::read(t.trim_end_matches('%'), Some(mark)).is_some() || number::seconds(t, 60).is_some());
            }
            FieldType::Duration => unsure(&mut asked, heading, &field.name, &all, |t| number::seconds(t, 1).is_some()),
            FieldType::Email => unsure(&mut asked, heading, &field.name, &all, |t| t.contains('@')),
            FieldType::Choice => {
                let said = words(labels, field);
                let meant = |t: &&&str| field.options.iter().any(|o| plain(o) == plain(t)) || said.contains_key(&t.to_lowercase()) || mapping.values.get(&field.name).is_some_and(|m| m.keys().any(|k| k.to_lowercase() == t.to_lowercase())) || (field.name == "outcome" && known::kind_of(t).is_some());
                let open: Vec<String> = all.iter().filter(|t| !meant(t)).take(MOST_WORDS).map(|t| (*t).to_string()).collect();
                if !open.is_empty() {
                    asked.push(Question { words: open, options: field.options.clone(), ..ask(About::Words, heading, &field.name) });
                }
            }
            _ => {}
        }
    }
    closing(&mut asked, object, looked, mapping);
    asked
}

/// A column hardly any of whose values can be read as the field that it is to fill.
fn unsure(asked: &mut Vec<Question>, heading: &str, field: &str, all: &[&str], reads: impl Fn(&str) -> bool) {
    let wrong: Vec<&&str> = all.iter().filter(|t| !reads(t)).collect();
    if wrong.len() * 2 > all.len() {
        asked.push(Question { words: wrong.into_iter().take(3).map(|t| (*t).to_string()).collect(), ..ask(About::Column, heading, field) });
    }
}

/// Deals and tickets: which are closed, and since when.
fn closing(asked: &mut Vec<Question>, object: &ObjectDef, looked: Looked<'_>, mapping: &Mapping) {
    let (field, told) = match object.name.as_str() {
        "deal" => ("stage", "closed_at"),
        "ticket" => ("status", "solved_at"),
        _ => return,
    };
    let meant = |of: &str, t: &str| mapping.values.get(of).and_then(|m| m.iter().find(|(k, _)| k.to_lowercase() == t.to_lowercase()).map(|(_, v)| v.clone()));
    let texts = |name: &str| {
        let column = mapping.columns(name, looked.headings).first().and_then(|c| looked.headings.iter().position(|h| h == *c));
        column.map(|at| looked.sample.iter().filter_map(|row| row.get(at)).map(|t| t.trim()).filter(|t| !t.is_empty()).collect::<Vec<_>>())
    };
    let stages = texts(field).unwrap_or_default();
    let mut closed = false;
    if object.name == "deal" {
        let outcomes = texts("outcome");
        let says = outcomes.clone().unwrap_or_else(|| stages.clone());
        let kind = |t: &str| meant("outcome", t).or_else(|| known::kind_of(t).map(str::to_string));
        closed = says.iter().any(|t| kind(t).is_some_and(|k| k != "open"));
        let mut over: Vec<String> = if outcomes.is_none() { stages.iter().filter(|t| kind(t).is_none() && known::is_over(t)).map(|t| (*t).to_string()).collect() } else { Vec::new() };
        over.sort_unstable();
        over.dedup();
        // A list of deals with days of closing, none of which is won or lost by its name, has words of its own.
        if over.is_empty() && !closed && outcomes.is_none() && !values(mapping, object, looked, |f| f.name == told).is_empty() && !mapping.values.contains_key("outcome") {
            over = stages.iter().map(|t| (*t).to_string()).collect();
            over.sort_unstable();
            over.dedup();
        }
        over.truncate(MOST_WORDS);
        if !over.is_empty() {
            let column = mapping.columns(field, looked.headings).first().map_or("", |c| c.as_str());
            asked.push(Question { words: over, options: ["open", "won", "lost", "void"].map(String::from).to_vec(), ..ask(About::Words, column, "outcome") });
        }
    } else {
        closed |= stages.iter().any(|t| matches!(meant(field, t).unwrap_or_else(|| t.to_lowercase()).as_str(), "solved" | "closed"));
    }
    if closed && mapping.columns(told, looked.headings).is_empty() {
        asked.push(ask(About::Closed, "", told));
    }
}
