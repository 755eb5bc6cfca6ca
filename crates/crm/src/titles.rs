//! What records are called where facts do not keep their names (order numbers, subjects): read from the store.

use northing_model::Value;
use northing_store::{Store, StoreError};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Replaces ids that stand in for names. Rows are (object, id, what they are called so far).
pub fn fill<'a>(store: &Store, rows: impl Iterator<Item = (&'a str, Uuid, &'a mut String)>) -> Result<(), StoreError> {
    let mut nameless: BTreeMap<&str, Vec<(Uuid, &mut String)>> = BTreeMap::new();
    for (object, id, title) in rows.filter(|(_, id, title)| **title == id.to_string()) {
        nameless.entry(object).or_default().push((id, title));
    }
    let model = store.model();
    for (object, rows) in nameless {
        let Some(field) = model.object(object).map(|o| o.title.clone()) else { continue };
        let ids: Vec<Uuid> = rows.iter().map(|r| r.0).collect();
        let names: BTreeMap<Uuid, String> = store
            .get_many(object, &ids)?
            .into_iter()
            .filter_map(|(id, record, _)| match record.get(&field) {
                Some(Value::Text(name)) => Some((id, name.clone())),
                _ => None,
            })
            .collect();
        for (id, title) in rows {
            if let Some(name) = names.get(&id) {
                title.clone_from(name);
            }
        }
    }
    Ok(())
}
