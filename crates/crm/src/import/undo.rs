//! Takes many changes back (an import, a change of a whole list): what was made goes, what went is there again, what was
//! changed is as before, unless somebody has worked on it since.

use crate::{Env, Result};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Logged, Op, Store, StoreError};
use std::collections::HashMap;
use uuid::Uuid;

/// Changes in one commit.
const BATCH: usize = 1_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Undone {
    pub taken_back: u64,
    /// Changed by somebody since: they stay as they are.
    pub kept: u64,
}

struct Touched {
    object: String,
    id: Uuid,
    made: bool,
    gone: bool,
    before: Record,
    after: Record,
    version: u64,
}

/// Takes back those entries after `first` and up to `last` that are `of` it; `actor` is who does so.
pub fn undo(store: &Store, env: &Env, actor: &str, of: &dyn Fn(&Logged) -> bool, first: u64, last: u64) -> Result<Undone> {
    let mut touched: Vec<Touched> = Vec::new();
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    store.replay_after(first, last, |entry| {
        if !of(&entry) {
            return;
        }
        let place = *places.entry(entry.id).or_insert_with(|| {
            touched.push(Touched { object: entry.object, id: entry.id, made: entry.op == Op::Create, gone: false, before: entry.before.unwrap_or_default(), after: Record::new(), version: 0 });
            touched.len() - 1
        });
        touched[place].gone = entry.op == Op::Delete;
        touched[place].after = entry.after;
        touched[place].version = entry.version;
    })?;
    // The last made goes first: nothing then refers to what is gone.
    let changes: Vec<Change> = touched.into_iter().rev().map(back).collect();
    let mut undone = Undone::default();
    for batch in changes.chunks(BATCH) {
        let commit = |changes: &[Change]| store.commit(Commit { actor: actor.into(), at: env.now(), changes: changes.to_vec(), key: None });
        if commit(batch).is_ok() {
            undone.taken_back += batch.len() as u64;
            continue;
        }
        for change in batch {
            match commit(std::slice::from_ref(change)) {
                Ok(_) => undone.taken_back += 1,
                Err(e @ (StoreError::ReadOnly(_) | StoreError::Full)) => return Err(e.into()),
                Err(_) => undone.kept += 1,
            }
        }
    }
    Ok(undone)
}

fn back(t: Touched) -> Change {
    if t.made {
        return Change::delete(&t.object, t.id).at_version(t.version);
    }
    if t.gone {
        return Change::restore(&t.object, t.id).at_version(t.version);
    }
    let mut fields: Record = t.after.keys().filter(|k| !t.before.contains_key(*k)).map(|k| (k.clone(), Value::Null)).collect();
    fields.extend(t.before.into_iter().filter(|(k, v)| t.after.get(k) != Some(v)));
    fields.remove("updated_at");
    Change::update(&t.object, t.id, fields).at_version(t.version)
}
