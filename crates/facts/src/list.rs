//! Lists: which records of a table meet a condition, in what order. Any column, no index.
//!
//! The same masks as the metrics use, so a list and the KPI over it cannot disagree.

use crate::column::NULL;
use crate::eval::{self, Path, TRUE};
use crate::snapshot::Snapshot;
use crate::table::{CHUNK, EXISTS};
use northing_model::expr::{Type, path_type};
use northing_model::Expr;
use rayon::prelude::*;
use std::collections::{BTreeSet, HashMap};

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    pub filter: Option<Expr>,
    /// Only these rows, in this order where no other is asked for.
    pub among: Option<Vec<u32>>,
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
    if let Some(among) = &query.among {
        rows = among.iter().copied().filter(|row| rows.binary_search(row).is_ok()).collect();
    }
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
        let names: Vec<String> = text.trim_start_matches('-').split('.').map(str::to_string).collect();
        // As the asker knows the model: a hidden field is as if there was none.
        path_type(&snapshot.model, &snapshot.model.objects[table].name, &names)?;
        let path = Path::resolve(snapshot, table, &names)?;
        keys.push(places(snapshot, &path, rows, text.starts_with('-')));
    }
    let Some((first, others)) = keys.split_first() else { return Ok(()) };
    // The first key lies beside the place it is of: it mostly decides, and is then all that is read.
    let mut order: Vec<(u64, u32)> = first.iter().copied().zip(0..).collect();
    let compare = |a: &(u64, u32), b: &(u64, u32)| {
        let further = || others.iter().map(|key| key[a.1 as usize].cmp(&key[b.1 as usize])).find(|o| o.is_ne());
        a.0.cmp(&b.0).then_with(|| further().unwrap_or_else(|| rows[a.1 as usize].cmp(&rows[b.1 as usize])))
    };
    let start = query.offset.min(order.len());
    let end = query.offset.saturating_add(query.limit).min(order.len());
    // What comes before and after the page needs no order of its own.
    if end < order.len() {
        order.select_nth_unstable_by(end, compare);
        order.truncate(end);
    }
    if start > 0 && start < order.len() {
        order.select_nth_unstable_by(start, compare);
    }
    order[start..].par_sort_unstable_by(compare);
    *rows = order.into_iter().map(|(_, i)| rows[i as usize]).collect();
    Ok(())
}

/// Where each row stands by what a path leads to, as numbers that rise; what has no value comes last either way.
fn places(snapshot: &Snapshot, path: &Path, rows: &[u32], descending: bool) -> Vec<u64> {
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
    let place = |v: i64| {
        let up = (v as u64) ^ (1 << 63);
        if v == NULL { u64::MAX } else if descending { !up } else { up }
    };
    let ranked = |ranks: &[u32], code: i64| usize::try_from(code).ok().and_then(|c| ranks.get(c)).map_or(NULL, |r| i64::from(*r));
    if let Some(target) = path.target {
        let titles = title_ranks(snapshot, target, rows.iter().map(|r| value(*r)));
        return rows.par_iter().map(|r| place(titles(value(*r)))).collect();
    }
    let Some((t, c)) = path.steps.last() else { return vec![0; rows.len()] };
    match &snapshot.tables[*t].schema.columns[*c].dict {
        Some(dict) => {
            let ranks = dict.ranks();
            rows.par_iter().map(|r| place(ranked(&ranks, value(*r)))).collect()
        }
        None => rows.par_iter().map(|r| place(value(*r))).collect(),
    }
}

/// The order of records by what they are called: by the ranks of their names, or, where others name them, by the
/// titles of those that are asked for.
fn title_ranks<'a>(snapshot: &'a Snapshot, target: usize, asked: impl Iterator<Item = i64>) -> Box<dyn Fn(i64) -> i64 + Sync + 'a> {
    let table = &snapshot.tables[target];
    let named = table.schema.column(&table.schema.title).and_then(|c| Some((c, table.schema.columns[c].dict.as_ref()?.ranks())));
    if let Some((column, ranks)) = named {
        return Box::new(move |row| {
            let code = u32::try_from(row).map_or(NULL, |row| table.get(column, row));
            usize::try_from(code).ok().and_then(|c| ranks.get(c)).map_or(NULL, |r| i64::from(*r))
        });
    }
    let distinct: BTreeSet<u32> = asked.filter_map(|row| u32::try_from(row).ok()).collect();
    let mut titles: Vec<(String, u32)> = distinct.into_iter().map(|row| (snapshot.title(target, row), row)).collect();
    titles.sort();
    let ranks: HashMap<i64, i64> = titles.iter().enumerate().map(|(rank, (_, row))| (i64::from(*row), rank as i64)).collect();
    Box::new(move |row| ranks.get(&row).copied().unwrap_or(NULL))
}
