//! Columns that a file takes from another one: what lies apart in an export comes together in a row.
//!
//! Must not know of records or of the store. The other file is kept in memory: it should be the smaller one.

use super::plan::{FilePlan, Join};
use super::reader::{Row, Rows};
use crate::{CrmError, Result};
use std::collections::HashMap;
use std::path::Path;

pub(crate) struct Joined {
    /// Where the key stands in the row that asks.
    on: usize,
    rows: HashMap<String, Vec<String>>,
    width: usize,
}

/// Opens what a file joins, and adds its columns, named `as.column`, to the headings. A file joined later may be
/// asked by a column of one that was joined before.
pub(crate) fn open(path: &Path, plan: &FilePlan, headings: &mut Vec<String>) -> Result<Vec<Joined>> {
    plan.join.iter().map(|join| one(path, plan, join, headings)).collect()
}

fn one(path: &Path, plan: &FilePlan, join: &Join, headings: &mut Vec<String>) -> Result<Joined> {
    // A plan may come from anybody: it names files beside this one and nothing else.
    if Path::new(&join.file).file_name().is_none_or(|name| name != join.file.as_str()) {
        return Err(CrmError::Plan(format!("the plan joins '{}'; name a file in the same folder, without a path", join.file)));
    }
    let other = path.with_file_name(&join.file);
    if !other.is_file() {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(CrmError::Plan(format!("{file} needs {} beside it (the plan joins them); put both files into one folder and import from there", join.file)));
    }
    let shape = FilePlan::of(&join.file, &plan.delimiter, Vec::new());
    let mut source = Rows::open(&other, &shape)?;
    let place = |names: &[String], column: &str, file: &str| {
        let missing = || CrmError::Plan(format!("the plan joins {file} by '{column}', which it does not have (it has: {})", names.join(", ")));
        names.iter().position(|n| n == column).ok_or_else(missing)
    };
    let on = place(headings, &join.on, &plan.name)?;
    let key = place(&source.headings, &join.key, &join.file)?;
    let width = source.headings.len();
    headings.extend(source.headings.iter().map(|h| format!("{}.{h}", join.name)));
    let mut rows = HashMap::new();
    loop {
        match source.next() {
            Row::End => break,
            Row::Broken(number, reason) => return Err(CrmError::File { file: other.display().to_string(), problem: format!("row {number}: {reason}") }),
            Row::Fields(_, mut values) => {
                values.resize(width, String::new());
                // The last of several is how it is now.
                rows.insert(values[key].clone(), values);
            }
        }
    }
    Ok(Joined { on, rows, width })
}

/// A row with what the others know of it; empty where they know nothing.
pub(crate) fn widen(joined: &[Joined], own: usize, values: &mut Vec<String>) {
    if joined.is_empty() {
        return;
    }
    values.resize(own, String::new());
    for join in joined {
        match values.get(join.on).and_then(|key| join.rows.get(key)) {
            Some(found) => values.extend(found.iter().cloned()),
            None => values.resize(values.len() + join.width, String::new()),
        }
    }
}
