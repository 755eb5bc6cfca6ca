//! Which path leads from a table to a dimension: its own field, another table's name for it, or the nearest
//! record it points at. Only many-to-one references are followed, so nothing is counted twice.

use northing_model::expr::path_type;
use northing_model::{FieldType, Model};
use std::collections::BTreeSet;

/// Parents are tried in this order before others, so that a document's own field wins over its customer's.
const FIRST: [&str; 9] = ["deal", "order", "expense", "customer", "lead", "product", "owner", "stage", "pipeline"];

/// The path from `table` to `name` (which may go on: `stage.kind`), if there is one.
pub fn reach(model: &Model, table: &str, name: &[String]) -> Option<Vec<String>> {
    let (head, tail) = name.split_first()?;
    let mut found = find(model, table, head)?;
    found.extend(tail.iter().cloned());
    path_type(model, table, &found).ok()?;
    Some(found)
}

fn find(model: &Model, table: &str, name: &str) -> Option<Vec<String>> {
    let mut level: Vec<(String, Vec<String>)> = vec![(table.to_string(), Vec::new())];
    let mut seen = BTreeSet::from([table.to_string()]);
    for _ in 0..4 {
        for (at, path) in &level {
            let extend = |steps: &[String]| path.iter().cloned().chain(steps.iter().cloned()).collect::<Vec<_>>();
            if let Some(alias) = model.aliases.get(at).and_then(|a| a.get(name)) {
                let steps: Vec<String> = alias.split('.').map(str::to_string).collect();
                return Some(extend(&steps));
            }
            if name == "id" || model.object(at)?.field(name).is_some_and(|f| f.facts) {
                return Some(extend(&[name.to_string()]));
            }
            // A table is its own dimension: `customer` on customers is the record itself.
            if at == name {
                return Some(extend(&["id".to_string()]));
            }
        }
        let mut next = Vec::new();
        for (at, path) in &level {
            let object = model.object(at)?;
            let mut parents: Vec<(&str, &str)> = object
                .fields
                .values()
                .filter(|f| f.kind == FieldType::Ref && f.facts && f.name != "merged_into")
                .filter_map(|f| Some((f.name.as_str(), f.to.as_deref()?)))
                .collect();
            parents.sort_by_key(|(field, _)| FIRST.iter().position(|f| f == field).unwrap_or(FIRST.len()));
            for (field, to) in parents {
                if seen.insert(to.to_string()) {
                    let mut longer = path.clone();
                    longer.push(field.to_string());
                    next.push((to.to_string(), longer));
                }
            }
        }
        level = next;
    }
    None
}
