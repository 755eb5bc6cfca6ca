//! The records of a workspace as plain maps, read back from the change log: what the oracle works on.

use northing_model::{Record, Value};
use northing_store::{Moment, Op, Store};
use std::collections::BTreeMap;
use uuid::Uuid;

#[derive(Debug, Clone, Default)]
pub struct Entry {
    pub fields: Record,
    pub deleted: bool,
    /// (seq, moment), in the order in which they were entered.
    pub moments: Vec<(u64, Moment)>,
}

#[derive(Debug, Clone, Default)]
pub struct World {
    pub objects: BTreeMap<String, BTreeMap<Uuid, Entry>>,
}

impl World {
    pub fn read(store: &Store) -> Self {
        let mut world = World::default();
        store
            .replay(store.seq(), |logged| {
                let entry = world.objects.entry(logged.object).or_default().entry(logged.id).or_default();
                entry.fields = logged.after;
                entry.deleted = logged.op == Op::Delete;
                entry.moments.extend(logged.moments.into_iter().map(|m| (logged.seq, m)));
            })
            .unwrap_or_else(|e| panic!("the log cannot be read: {e}"));
        world
    }
    pub fn all(&self, object: &str) -> impl Iterator<Item = (Uuid, &Entry)> {
        self.objects.get(object).into_iter().flatten().map(|(id, e)| (*id, e))
    }
    pub fn get(&self, object: &str, id: Uuid) -> Option<&Entry> {
        self.objects.get(object)?.get(&id)
    }
}

impl Entry {
    pub fn value(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }
    pub fn time(&self, field: &str) -> Option<i64> {
        self.value(field).as_int()
    }
    pub fn reference(&self, field: &str) -> Option<Uuid> {
        self.value(field).as_ref_id()
    }
    pub fn text(&self, field: &str) -> &str {
        self.value(field).as_text().unwrap_or("")
    }
    pub fn flag(&self, field: &str) -> bool {
        self.value(field).is_true()
    }
}
