//! Records that may be the same: they share an e-mail, a phone or a name, however it is written. People decide.

use northing_model::text::{digits, fold};
use crate::snapshot::Snapshot;
use crate::table::{EXISTS, SEEN};
use crate::NULL;
use northing_model::FieldType;
use rayon::prelude::*;
use std::collections::HashMap;

/// Rows that share a value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twins {
    pub field: String,
    pub rows: Vec<u32>,
}

/// More than so many with the same value are no accident (a switchboard, an address of the house).
const MOST: usize = 8;
/// Digits that a phone has at least, and how many of its last ones count: some write the country, some do not.
const PHONE: (usize, usize) = (7, 9);

/// The value as it is compared; nothing for what says too little.
fn same(kind: FieldType, text: &str) -> Option<String> {
    let folded = fold(text.trim());
    match kind {
        FieldType::Phone => {
            let digits = digits(text);
            (digits.len() >= PHONE.0).then(|| digits[digits.len().saturating_sub(PHONE.1)..].to_string())
        }
        FieldType::Email => Some(folded).filter(|t| t.contains('@')),
        // Order of words, dots and commas differ between people who type.
        _ => {
            let mut words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
            words.sort_unstable();
            Some(words.concat()).filter(|t| t.chars().count() >= 4)
        }
    }
}

/// At most `limit` groups, those that share an e-mail first, then a phone, then a name. A group is told once.
pub fn twins(snapshot: &Snapshot, object: &str, limit: usize) -> Vec<Twins> {
    let (Some(table), Some(def)) = (snapshot.table_index(object), snapshot.model.object(object)) else { return Vec::new() };
    let source = &snapshot.tables[table];
    let merged = source.schema.column("merged_into");
    let here = |row: u32| source.flags(row) & (EXISTS | SEEN) == EXISTS | SEEN && merged.is_none_or(|c| source.get(c, row) == NULL);
    let mut fields: Vec<_> = def.fields.values().filter(|f| f.name == def.title && f.kind == FieldType::Text || matches!(f.kind, FieldType::Email | FieldType::Phone)).collect();
    fields.sort_by_key(|f| match f.kind {
        FieldType::Email => 0,
        FieldType::Phone => 1,
        _ => 2,
    });
    let mut told: Vec<Vec<u32>> = Vec::new();
    let mut found = Vec::new();
    for field in fields {
        let Some(column) = source.schema.column(&field.name) else { continue };
        let Some(dict) = &source.schema.columns[column].dict else { continue };
        let texts: Vec<Option<String>> = dict.all().par_iter().map(|t| same(field.kind, t)).collect();
        let mut by_text: HashMap<&str, Vec<u32>> = HashMap::new();
        for row in (0..source.len).filter(|row| here(*row)) {
            if let Some(Some(text)) = usize::try_from(source.get(column, row)).ok().and_then(|code| texts.get(code)) {
                by_text.entry(text).or_default().push(row);
            }
        }
        let mut groups: Vec<Vec<u32>> = by_text.into_values().filter(|rows| (2..=MOST).contains(&rows.len())).collect();
        groups.sort_unstable();
        for rows in groups {
            if found.len() >= limit {
                return found;
            }
            if !told.contains(&rows) {
                told.push(rows.clone());
                found.push(Twins { field: field.name.clone(), rows });
            }
        }
    }
    found
}
