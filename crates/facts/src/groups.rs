//! The records of a list by what one field says: how many there are of each, and the sums of others. Of the same rows as
//! the list, so that they add up to it.

use crate::column::NULL;
use crate::list::{ListQuery, list};
use crate::snapshot::Snapshot;
use northing_model::expr::path_type;
use northing_model::{Expr, FieldType};
use std::collections::HashMap;

pub struct Group {
    /// As the column holds it; `NULL` for those without.
    pub value: i64,
    /// One of its rows, to tell the value by.
    pub row: u32,
    pub count: usize,
    /// Of each field that was asked for, in the units of its column; none where no row has a value.
    pub sums: Vec<Option<i128>>,
}

/// The column of an object's own field by its name.
pub fn column(snapshot: &Snapshot, table: usize, name: &str) -> Result<usize, String> {
    // As the asker knows the model: a hidden field is as if there was none.
    path_type(&snapshot.model, &snapshot.model.objects[table].name, &[name.to_string()])?;
    let schema = &snapshot.tables[table].schema;
    schema.column(name).ok_or_else(|| format!("{} has no field '{name}'", schema.name))
}

/// Groups by a field, the largest first. Sums are of amounts, numbers and lengths.
pub fn groups(snapshot: &Snapshot, object: &str, filter: Option<Expr>, by: &str, sums: &[String], now: i64) -> Result<Vec<Group>, String> {
    let table = snapshot.table_index(object).ok_or_else(|| format!("there is no object '{object}'"))?;
    let source = &snapshot.tables[table];
    let by = column(snapshot, table, by)?;
    let mut summed = Vec::new();
    for name in sums {
        let column = column(snapshot, table, name)?;
        if !matches!(source.schema.columns[column].kind, FieldType::Money | FieldType::Int | FieldType::Decimal | FieldType::Duration) {
            return Err(format!("'{name}' of {object} is nothing to add up"));
        }
        summed.push(column);
    }
    let rows = list(snapshot, object, &ListQuery { filter, limit: u32::MAX as usize, ..ListQuery::default() }, now)?.rows;
    let mut places: HashMap<i64, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let value = source.get(by, row);
        let at = *places.entry(value).or_insert_with(|| {
            groups.push(Group { value, row, count: 0, sums: vec![None; summed.len()] });
            groups.len() - 1
        });
        let group = &mut groups[at];
        group.count += 1;
        for (sum, column) in group.sums.iter_mut().zip(&summed) {
            let own = source.get(*column, row);
            if own != NULL {
                *sum = Some(sum.unwrap_or(0) + i128::from(own));
            }
        }
    }
    groups.sort_by_key(|g| (std::cmp::Reverse(g.count), g.value));
    Ok(groups)
}
