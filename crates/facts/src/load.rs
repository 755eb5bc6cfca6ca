//! From the store to facts: all tables as they stand, the log up to a point, or what the log has more since. A view
//! leaves out what its person does not see; whatever comes into its sight or leaves it makes it load anew.

use crate::table::EXISTS;
use crate::build::Facts;
use crate::progress::Progress;
use crate::touch::Touched;
use crate::view::{self, View};
use crate::{FactsError, Result, Settings};
use northing_model::{FieldDef, Model, ObjectDef, Record, Value};
use northing_store::{Logged, Moment, Op, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// Entries of the log that are replayed between two looks at whether anybody still waits.
const REPLAYED: usize = 10_000;

/// What facts are laid out by: objects and fields, whatever they are called.
fn shape(model: &Model) -> String {
    let unnamed = model.objects.iter().cloned().map(|o| {
        let fields = o.fields.into_iter().map(|(name, f)| (name, FieldDef { label: None, ..f })).collect();
        ObjectDef { label: None, one: None, fields, ..o }
    });
    format!("{:?}", unnamed.collect::<Vec<_>>())
}

impl Facts {
    /// Can facts be laid out for a model at all? Before it is taken.
    pub fn try_model(model: &Arc<Model>) -> Result<crate::Snapshot> {
        let settings = Settings::from_record(model, &Record::new());
        let mut facts = Self::empty(model.clone(), settings, None)?;
        facts.derive_everything();
        Ok(facts.snapshot())
    }

    /// Reads the whole store as it stands.
    pub fn load(store: &Store) -> Result<Self> {
        Self::load_view(store, None)
    }

    /// Reads what a view lets through.
    pub fn load_view(store: &Store, view: Option<Arc<View>>) -> Result<Self> {
        Self::load_told(store, view, Arc::default())
    }

    /// Reads the store by a model that has the same objects and fields as its own.
    pub fn load_by(store: &Store, model: Arc<Model>) -> Result<Self> {
        Self::load_all(store, model, None, Arc::default())
    }

    fn load_told(store: &Store, view: Option<Arc<View>>, progress: Arc<Progress>) -> Result<Self> {
        Self::load_all(store, store.model(), view, progress)
    }

    fn load_all(store: &Store, model: Arc<Model>, view: Option<Arc<View>>, progress: Arc<Progress>) -> Result<Self> {
        let seq = store.seq();
        let settings = Settings::from_record(&model, &store.workspace()?.map(|(_, r, _)| r).unwrap_or_default());
        let mut facts = Self { progress, ..Self::empty(model, settings, view)? };
        let model = facts.model.clone();
        facts.load_rates(store)?;
        facts.load_rules(store)?;
        let mut order: Vec<(usize, &ObjectDef)> = model.objects.iter().enumerate().filter(|(_, o)| !o.derived).collect();
        if facts.view.is_some() {
            order.sort_by_key(|(_, o)| view::depth(&model, o));
        }
        for (table, object) in order {
            let plan = facts.plans[table].clone();
            let fields: Vec<&FieldDef> = plan.iter().collect();
            store.scan(&object.name, &fields, |id, deleted, values| {
                facts.write(table, id, values, deleted);
            })?;
        }
        for (table, object) in model.objects.iter().enumerate() {
            if object.history_fields().next().is_some() {
                store.scan_moments(&object.name, |id, seq, told, moment| facts.remember(table, id, seq, told, &moment))?;
            }
        }
        facts.load_schedules(store)?;
        facts.seq = seq;
        facts.derive_everything();
        // What was committed while the tables were read is in them or in the log; writing it twice changes nothing.
        facts.catch_up(store)?;
        Ok(facts)
    }

    /// The facts as they stood when the log ended at `up_to`.
    pub fn replay(store: &Store, up_to: u64, view: Option<Arc<View>>) -> Result<Self> {
        Self::replay_while(store, up_to, view, &|| true)
    }

    /// The same, as long as somebody wants them.
    pub fn replay_while(store: &Store, up_to: u64, view: Option<Arc<View>>, wanted: &dyn Fn() -> bool) -> Result<Self> {
        // Deleted records stay known: what was merged into them, or points at them, still does.
        let mut records: HashMap<(Arc<str>, Uuid), (Record, bool)> = HashMap::new();
        let mut moments: Vec<(Arc<str>, Uuid, u64, i64, Moment)> = Vec::new();
        let mut order = Vec::new();
        // Many records of few objects: their names are shared.
        let mut names: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for from in (0..up_to).step_by(REPLAYED) {
            let go_on = || if wanted() { Ok(()) } else { Err(FactsError::Unwanted) };
            go_on()?;
            store.replay_after(from, up_to.min(from + REPLAYED as u64), |entry| {
                let name = names.entry(entry.object).or_insert_with_key(|name| name.as_str().into());
                let key = (name.clone(), entry.id);
                if !records.contains_key(&key) {
                    order.push(key.clone());
                }
                records.insert(key, (entry.after, entry.op == Op::Delete));
                moments.extend(entry.moments.into_iter().map(|m| (name.clone(), entry.id, entry.seq, entry.at, m)));
            })?;
        }
        let settings = order.iter().filter(|(o, _)| &**o == "workspace").map(|k| &records[k]).find(|(_, deleted)| !deleted).map(|(r, _)| r.clone()).unwrap_or_default();
        let mut facts = Self::empty(store.model(), Settings::from_record(&store.model(), &settings), view)?;
        for key in order.iter().filter(|(o, _)| &**o == "fx_rate") {
            if let (rate, false) = &records[key] {
                facts.add_rate(rate);
            }
        }
        for key in order.iter().filter(|(o, _)| &**o == "score_rule") {
            if let (rule, false) = &records[key] {
                facts.add_rule(rule);
            }
        }
        if facts.view.is_some() {
            let depth = |name: &str| facts.model.object(name).map_or(0, |o| view::depth(&facts.model, o));
            order.sort_by_cached_key(|key| depth(&key.0));
        }
        for (n, key) in order.iter().enumerate() {
            if n % REPLAYED == 0 && !wanted() {
                return Err(FactsError::Unwanted);
            }
            if let ((record, deleted), Some(table)) = (&records[key], facts.model.object_index(&key.0)) {
                facts.write_record(table, key.1, record, *deleted);
            }
        }
        for key in order.iter().filter(|(o, _)| &**o == "schedule") {
            if let (schedule, false) = &records[key] {
                facts.add_schedule(key.1, schedule);
            }
        }
        for (object, id, seq, told, moment) in &moments {
            if let Some(table) = facts.model.object_index(object) {
                facts.remember(table, *id, *seq, Some(*told), moment);
            }
        }
        if !wanted() {
            return Err(FactsError::Unwanted);
        }
        drop((records, moments, order));
        facts.seq = up_to;
        facts.derive_everything();
        Ok(facts)
    }

    /// Takes what the log holds after the last applied entry; the new position.
    pub fn catch_up(&mut self, store: &Store) -> Result<u64> {
        loop {
            let batch = store.changes_after(self.seq, 20_000)?;
            if batch.is_empty() {
                return Ok(self.seq);
            }
            let declared = batch.iter().any(|e| e.object == "definition");
            if declared && !self.adopt(store.model()) || !self.apply(&batch) {
                self.progress.begin(self.work());
                let fresh = Self::load_told(store, self.view.clone(), self.progress.clone());
                self.progress.end();
                *self = Self { taken: self.taken + 1, ..fresh? };
            }
        }
    }

    /// Takes over a model that differs in its metrics alone, which facts know nothing of; false where it asks for
    /// other columns.
    fn adopt(&mut self, model: Arc<Model>) -> bool {
        let same = shape(&self.model) == shape(&model);
        if same {
            self.model = model;
            // Every view's listeners are told: the catalogue is everybody's.
            self.taken += 1;
        }
        same
    }

    /// Applies log entries in order; false when they change what other records mean and facts must be rebuilt.
    pub fn apply(&mut self, batch: &[Logged]) -> bool {
        let mut touched = Touched::default();
        for entry in batch {
            let Some(table) = self.model.object_index(&entry.object) else { continue };
            let seen = self.view.as_ref().is_none_or(|v| v.sees(&entry.object));
            touched.rebuild |= self.model.objects[table].structural && seen && !self.takes_settings(table, entry);
            if self.view.is_some() {
                let values: Vec<Value> = self.plans[table].iter().map(|f| entry.after.get(&f.name).cloned().unwrap_or_default()).collect();
                let (before, after) = (self.has_seen(table, entry.id), self.is_seen(table, &self.plans[table], &values));
                // What comes into sight brings others with it, and what leaves it takes them along.
                touched.rebuild |= before != after && (before || entry.op != Op::Create);
                if !before && !after {
                    self.seq = entry.seq;
                    continue;
                }
            }
            self.taken += 1;
            self.apply_one(table, entry, &mut touched);
            if touched.rebuild {
                return false;
            }
            self.seq = entry.seq;
        }
        self.derive(&touched);
        true
    }

    /// Takes over settings of the workspace that only questions read; false where rows depend on what was changed.
    fn takes_settings(&mut self, table: usize, entry: &Logged) -> bool {
        if entry.object != "workspace" || entry.op != Op::Update || self.tables[table].existing != 1 {
            return false;
        }
        let settings = Settings::from_record(&self.model, &entry.after);
        let same = self.settings.same_rows(&settings);
        if same {
            self.settings = settings;
        }
        same
    }

    fn apply_one(&mut self, table: usize, entry: &Logged, touched: &mut Touched) {
        let row = self.row(table, entry.id);
        self.touch(table, row, touched);
        let before_merge = self.root(table, row);
        let told = self.told_of(table, row);
        self.write_record(table, entry.id, &entry.after, entry.op == Op::Delete);
        touched.rebuild |= told.is_some() && told != self.told_of(table, row);
        for moment in &entry.moments {
            self.remember(table, entry.id, entry.seq, Some(entry.at), moment);
        }
        if self.root(table, row) != before_merge {
            let lead_unmerged = table == self.known.lead.table && before_merge != row;
            touched.rebuild |= lead_unmerged || !self.is_linked_target(table);
            self.repoint(table, row);
        }
        self.touch(table, row, touched);
    }

    /// What lines take from their product: when a known one changes, all its lines do.
    fn told_of(&self, table: usize, row: u32) -> Option<(Vec<i64>, Option<Vec<u32>>)> {
        let p = self.known.product;
        if table != p.table || self.tables[table].flags(row) & EXISTS == 0 {
            return None;
        }
        let values = [p.category, p.cost__raw, p.cost__cur, p.upgrades].iter().map(|c| self.get(table, *c, row)).collect();
        Some((values, self.complements.get(&row).cloned()))
    }
}
