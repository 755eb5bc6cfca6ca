//! Lists: which records of a table meet a condition, in what order. Any column, no index.
//!
//! The same masks as the metrics use, so a list and the KPI over it cannot disagree.

use crate::column::NULL;
use crate::eval::{self, Path, TRUE};
use crate::snapshot::Snapshot;
use crate::table::{CHUNK, EXISTS};
use northing_model::expr::Type;
use northing_model::{Expr, Scope};
use rayon::prelude::*;
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

enum Key {
    Numbers(Vec<i64>),
    Texts(Vec<Option<Arc<str>>>),
}

pub fn list(snapshot: &Snapshot, object: &str, query: &ListQuery, scope: &Scope, now: i64) -> Result<ListPage, String> {
    let table = snapshot.table_index(object).ok_or_else(|| format!("there is no object '{object}'"))?;
    if !scope.sees(object) {
        return Ok(ListPage { total: 0, rows: Vec::new() });
    }
    let mut condition = query.filter.clone();
    if let Some(limit) = scope.condition(object) {
        condition = Some(condition.map_or_else(|| limit.clone(), |c| c.and(limit.clone())));
    }
    let node = match &condition {
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
    for text in &query.sort {
        let descending = text.starts_with('-');
        let names: Vec<String> = text.trim_start_matches('-').split('.').map(str::to_string).collect();
        let path = Path::resolve(snapshot, table, &names)?;
        keys.push((sort_key(snapshot, &path, rows), descending));
    }
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let compare = |a: &u32, b: &u32| {
        for (key, descending) in &keys {
            let (a, b) = (*a as usize, *b as usize);
            // Records without a value come last in both directions.
            let ordering = match key {
                Key::Numbers(v) => (v[a] == NULL).cmp(&(v[b] == NULL)).then_with(|| if *descending { v[b].cmp(&v[a]) } else { v[a].cmp(&v[b]) }),
                Key::Texts(v) => v[a].is_none().cmp(&v[b].is_none()).then_with(|| if *descending { v[b].cmp(&v[a]) } else { v[a].cmp(&v[b]) }),
            };
            if ordering.is_ne() {
                return ordering;
            }
        }
        rows[*a as usize].cmp(&rows[*b as usize])
    };
    let wanted = query.offset.saturating_add(query.limit);
    if wanted < order.len() {
        order.select_nth_unstable_by(wanted, compare);
        order.truncate(wanted);
    }
    order.sort_unstable_by(compare);
    *rows = order.into_iter().map(|i| rows[i as usize]).collect();
    Ok(())
}

/// Sort keys of the rows: numbers, or texts (of a reference, the title of its record).
fn sort_key(snapshot: &Snapshot, path: &Path, rows: &[u32]) -> Key {
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
        return Key::Texts(rows.iter().map(|r| u32::try_from(value(*r)).ok().map(|t| snapshot.title(target, t).into())).collect());
    }
    let Some((t, c)) = path.steps.last() else { return Key::Numbers(Vec::new()) };
    let meta = &snapshot.tables[*t].schema.columns[*c];
    match &meta.dict {
        Some(dict) => {
            let texts = dict.all();
            Key::Texts(rows.iter().map(|r| usize::try_from(value(*r)).ok().and_then(|code| texts.get(code).cloned())).collect())
        }
        None => Key::Numbers(rows.iter().map(|r| value(*r)).collect()),
    }
}
