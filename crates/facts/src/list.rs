//! Lists: which records of a table meet a condition, in what order. Any column, no index.
//!
//! The same masks as the metrics use, so a list and the KPI over it cannot disagree.

use crate::column::NULL;
use crate::eval::{self, Path, TRUE};
use crate::snapshot::Snapshot;
use crate::table::{CHUNK, Dict, EXISTS};
use northing_model::expr::Type;
use northing_model::Expr;
use rayon::prelude::*;
use std::cmp::Ordering;
use std::sync::Arc;

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    pub filter: Option<Expr>,
    /// Field paths, `-` in front for descending.
    pub sort: Vec<String>,
    pub offset: usize,
    pub limit: usize,
}

#[derive(Debug, Clone)]
pub struct ListPage {
    pub total: usize,
    pub rows: Vec<u32>,
}

/// What rows are ordered by: numbers, codes of texts that stay in their dictionary, or titles of other records.
enum Key {
    Numbers(Vec<i64>),
    /// Codes, and which of the open dictionaries they are of.
    Codes(Vec<i64>, usize),
    Titles(Vec<Option<Arc<str>>>),
}

impl Key {
    /// Records without a value come last in both directions.
    fn compare(&self, a: usize, b: usize, descending: bool, open: &[Arc<Vec<Arc<str>>>]) -> Ordering {
        let turn = |o: Ordering| if descending { o.reverse() } else { o };
        match self {
            Key::Numbers(v) => (v[a] == NULL).cmp(&(v[b] == NULL)).then_with(|| turn(v[a].cmp(&v[b]))),
            Key::Codes(v, _) if v[a] == v[b] => Ordering::Equal,
            Key::Codes(v, dict) => (v[a] == NULL).cmp(&(v[b] == NULL)).then_with(|| turn(open[*dict].get(v[a] as usize).cmp(&open[*dict].get(v[b] as usize)))),
            Key::Titles(v) => v[a].is_none().cmp(&v[b].is_none()).then_with(|| turn(v[a].cmp(&v[b]))),
        }
    }
}

/// Rows that one thread looks through for the first of a page.
const PART: usize = 65_536;

pub fn list(snapshot: &Snapshot, object: &str, query: &ListQuery, now: i64) -> Result<ListPage, String> {
    let table = snapshot.table_index(object).ok_or_else(|| format!("there is no object '{object}'"))?;
    let node = match &query.filter {
        None => None,
        Some(expr) => match expr.check(&snapshot.model, object)? {
            Type::Bool | Type::Null => Some(eval::bind(snapshot, table, expr, now)?),
            other => return Err(format!("the filter is a {other:?}, not a condition")),
        },
    };
    let source = &snapshot.tables[table];
    let found: Vec<Vec<u32>> = (0..source.chunks.len())
        .into_par_iter()
        .map(|c| {
            let chunk = &source.chunks[c];
            let n = chunk.flags.len();
            let truth = node.as_ref().map(|node| node.truth(snapshot, table, c, 0, n));
            let first = (c * CHUNK) as u32;
            (0..n)
                .filter(|i| chunk.flags[*i] & EXISTS != 0 && truth.as_ref().is_none_or(|t| t[*i] & TRUE != 0))
                .map(|i| first + i as u32)
                .collect()
        })
        .collect();
    let mut rows: Vec<u32> = found.concat();
    let total = rows.len();
    sort(snapshot, table, &mut rows, query)?;
    let rows = rows.into_iter().skip(query.offset).take(query.limit).collect();
    Ok(ListPage { total, rows })
}

fn sort(snapshot: &Snapshot, table: usize, rows: &mut Vec<u32>, query: &ListQuery) -> Result<(), String> {
    if query.sort.is_empty() || rows.is_empty() {
        return Ok(());
    }
    let mut keys = Vec::new();
    let mut dicts: Vec<&Dict> = Vec::new();
    for text in &query.sort {
        let descending = text.starts_with('-');
        let names: Vec<String> = text.trim_start_matches('-').split('.').map(str::to_string).collect();
        let path = Path::resolve(snapshot, table, &names)?;
        keys.push((sort_key(snapshot, &path, rows, &mut dicts), descending));
    }
    let open: Vec<Arc<Vec<Arc<str>>>> = dicts.iter().map(|d| d.all()).collect();
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let compare = |a: &u32, b: &u32| {
        for (key, descending) in &keys {
            let ordering = key.compare(*a as usize, *b as usize, *descending, &open);
            if ordering.is_ne() {
                return ordering;
            }
        }
        rows[*a as usize].cmp(&rows[*b as usize])
    };
    let wanted = query.offset.saturating_add(query.limit);
    if wanted < order.len() {
        // The first of all are among the first of each part.
        order = order
            .par_chunks(PART)
            .flat_map_iter(|part| {
                let mut part = part.to_vec();
                if wanted < part.len() {
                    part.select_nth_unstable_by(wanted, compare);
                    part.truncate(wanted);
                }
                part
            })
            .collect();
    }
    order.par_sort_unstable_by(compare);
    order.truncate(wanted);
    *rows = order.into_iter().map(|i| rows[i as usize]).collect();
    Ok(())
}

/// Sort keys of the rows: numbers, or texts (of a reference, the title of its record).
fn sort_key<'a>(snapshot: &'a Snapshot, path: &Path, rows: &[u32], dicts: &mut Vec<&'a Dict>) -> Key {
    let value = |row: u32| {
        let mut at = row;
        let last = path.steps.len().saturating_sub(1);
        for (step, (t, c)) in path.steps.iter().enumerate() {
            let v = snapshot.tables[*t].get(*c, at);
            if step == last || v == NULL {
                return v;
            }
            at = v as u32;
        }
        i64::from(at)
    };
    if let Some(target) = path.target {
        return Key::Titles(rows.iter().map(|r| u32::try_from(value(*r)).ok().map(|t| snapshot.title(target, t).into())).collect());
    }
    let Some((t, c)) = path.steps.last() else { return Key::Numbers(Vec::new()) };
    let meta = &snapshot.tables[*t].schema.columns[*c];
    let values = rows.par_iter().map(|r| value(*r)).collect();
    let Some(dict) = &meta.dict else { return Key::Numbers(values) };
    let known = dicts.iter().position(|d| std::ptr::eq(*d, &**dict));
    Key::Codes(values, known.unwrap_or_else(|| {
        dicts.push(dict);
        dicts.len() - 1
    }))
}
