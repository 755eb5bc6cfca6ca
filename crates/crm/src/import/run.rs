//! Running a plan: rows in batches through the store's one write path.

use super::convert::{Fault, Fields, Reading, column_of, missing_column};
use super::join;
use super::known::Known;
use super::plan::{FilePlan, Make, Missing, Plan, Source};
use super::stages::Stage;
use super::reader::{Row, Rows};
use super::report::{Reject, Report, Terms};
use crate::{CrmError, Env, Result, workspace};
use northing_model::{Currency, FieldType, Model, Record, Value, Zone};
use northing_store::{Change, Commit, Moment, Op, Store, StoreError};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Changes in one commit.
const BATCH: usize = 4_000;
/// Records that one row may stand for.
const MOST_TIMES: u64 = 100_000;
/// Keys kept in memory; beyond, they are looked up in the store again.
const KEPT_KEYS: usize = 300_000;

const SHOWN_REJECTS: usize = 1_000;

/// Imports one file by its part of the plan, to its end; `on_reject` gets every row that is set aside.
pub fn import(store: &Store, env: &Env, plan: &Plan, path: &Path, on_reject: &mut dyn FnMut(&[String], &Reject)) -> Result<Report> {
    import_on(&Terms { actor: "import".into(), dry: false, go_on: &|_| true, on_left: &|_, _| () }, store, env, plan, path, on_reject)
}

/// Imports one file on terms.
pub fn import_on(terms: &Terms<'_>, store: &Store, env: &Env, plan: &Plan, path: &Path, on_reject: &mut dyn FnMut(&[String], &Reject)) -> Result<Report> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let file = plan.for_file(&name).ok_or_else(|| {
        let known = plan.file.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
        CrmError::Plan(format!("the plan has no part for '{name}' (it has: {known})"))
    })?;
    let file = file.as_ref();
    let mut run = Run::new(terms, store, env, plan, file, &name)?;
    run.fixed_records(plan)?;
    let mut rows = Rows::open(path, file)?;
    run.report.headings.clone_from(&rows.headings);
    let own = rows.headings.len();
    let mut headings = rows.headings.clone();
    let joined = join::open(path, file, &mut headings)?;
    let columns: HashMap<String, usize> = headings.iter().enumerate().map(|(i, h)| (h.clone(), i)).rev().collect();
    run.check_columns(&columns)?;
    if file.make.iter().any(|make| make.latest) {
        run.find_last_rows(&mut Rows::open(path, file)?, &columns, &joined, own);
    }
    // A corrected rejects file says itself which row of the first file each of its rows was, and holds no formulas.
    let original_row = columns.get("northing_row").copied();
    loop {
        let (place, mut values) = match rows.next() {
            Row::End => break,
            Row::Broken(number, reason) => {
                let reject = Reject { file: name.clone(), row: number, column: String::new(), reason, values: Vec::new() };
                run.reject(reject, on_reject);
                continue;
            }
            Row::Fields(number, values) => (number, values),
        };
        if original_row.is_some() {
            values.iter_mut().for_each(|v| *v = northing_model::text::as_typed(v).to_string());
        }
        join::widen(&joined, own, &mut values);
        run.report.rows += 1;
        run.place = place;
        let number = original_row.and_then(|c| values.get(c)).and_then(|v| v.parse().ok()).unwrap_or(place);
        run.row(&Fields { columns: &columns, values: &values, number, nth: 1 }, on_reject)?;
        if run.pending.len() >= BATCH {
            run.flush(on_reject)?;
            if !(terms.go_on)(&run.report) {
                run.report.stopped = true;
                break;
            }
        }
    }
    run.flush(on_reject)?;
    run.report.seq = store.seq();
    Ok(run.report)
}

pub(super) struct Pending {
    pub(super) change: Change,
    pub(super) row: u64,
    pub(super) values: Vec<String>,
}

pub(super) struct Run<'a> {
    terms: &'a Terms<'a>,
    pub(super) known: Known,
    pub(super) store: &'a Store,
    pub(super) env: &'a Env,
    file: &'a FilePlan,
    pub(super) name: String,
    pub(super) model: Arc<Model>,
    zone: Zone,
    currency: Currency,
    /// Ids by object and external id.
    pub(super) keys: HashMap<(String, String), Option<Uuid>>,
    /// Records made in this run: a later row with the same key adds nothing.
    made: HashSet<u64>,
    /// Where in the file the last row of each key stands, for records that later rows change.
    last: HashMap<u64, u64>,
    /// Where in the file the row being read stands.
    place: u64,
    pub(super) pending: Vec<Pending>,
    /// Stages as far as they are known: those that are here, and those that this run makes. Read on first need.
    pub(super) stages: Option<Vec<Stage>>,
    /// Values of the row being read that are left out.
    pub(super) left: Vec<Reject>,
    /// The records that pending changes are of, with the moments that wait to be written.
    pub(super) waiting: HashMap<Uuid, Vec<Moment>>,
    pub(super) report: Report,
}

impl<'a> Run<'a> {
    fn new(terms: &'a Terms<'a>, store: &'a Store, env: &'a Env, plan: &Plan, file: &'a FilePlan, name: &str) -> Result<Self> {
        let model = store.model();
        let def = model.object("workspace").ok_or_else(|| CrmError::Plan("the model has no workspace".into()))?;
        let mut settings = Record::new();
        for (key, value) in &plan.workspace {
            let field = def.field(key).ok_or_else(|| CrmError::Plan(format!("the plan's [workspace] has no setting '{key}'")))?;
            let json = serde_json::to_value(value).unwrap_or_default();
            let value = field.read(&json, store.currency()).map_err(|e| CrmError::Plan(format!("the plan's [workspace].{key}: {e}")))?;
            settings.insert(key.clone(), value);
        }
        workspace::ensure(store, env, &settings)?;
        let record = store.workspace()?.map(|(_, r, _)| r).unwrap_or_default();
        let zone = record.get("zone").and_then(Value::as_text).and_then(Zone::parse).unwrap_or_else(Zone::utc);
        for make in &file.make {
            let object = model.object(&make.object).filter(|o| !o.derived).ok_or_else(|| CrmError::Plan(format!("the plan makes '{}', which is not an object", make.object)))?;
            for field in make.fields.keys().chain(make.moment.iter().map(|m| &m.field)).chain(&make.find) {
                if object.field(field).is_none_or(|f| f.derived) {
                    return Err(CrmError::Plan(format!("the plan fills '{field}', which {} does not have", make.object)));
                }
            }
        }
        for (i, make) in file.make.iter().enumerate() {
            let twice = |other: &&Make| other.object == make.object && other.key == make.key && other.when.is_empty() && make.when.is_empty() && !(other.latest || make.latest);
            if file.make[..i].iter().any(|other| twice(&other)) {
                return Err(CrmError::Plan(format!("the plan makes two records of {} by the key '{}' of one row; give each a key of its own", make.object, make.key)));
            }
        }
        let said = file.currency.as_deref().or_else(|| plan.workspace.get("currency").and_then(toml::Value::as_str));
        let known = |code: &str| Currency::parse(code).ok_or_else(|| CrmError::Plan(format!("the plan's currency '{code}' is not an ISO 4217 currency code")));
        let currency = said.map(known).transpose()?.unwrap_or_else(|| store.currency());
        Ok(Self { terms, known: Known::default(), store, env, file, name: name.into(), model, zone, currency, keys: HashMap::new(), made: HashSet::new(), last: HashMap::new(), place: 0, pending: Vec::new(), stages: None, left: Vec::new(), waiting: HashMap::new(), report: Report::default() })
    }

    fn check_columns(&self, columns: &HashMap<String, usize>) -> Result<()> {
        let Some(fault) = self.file.make.iter().find_map(|make| missing_column(make, columns)) else { return Ok(()) };
        let known = self.report.headings.join(", ");
        Err(CrmError::Plan(format!("{}: the plan reads the column '{}', the file has: {known}", self.name, fault.column)))
    }

    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { zone: &self.zone, currency: self.currency, dates: self.file.dates.as_deref() }
    }

    /// A first look through the file: which row has the last word on a record.
    fn find_last_rows(&mut self, rows: &mut Rows, columns: &HashMap<String, usize>, joined: &[join::Joined], own: usize) {
        loop {
            let (number, mut values) = match rows.next() {
                Row::End => return,
                Row::Broken(..) => continue,
                Row::Fields(number, values) => (number, values),
            };
            join::widen(joined, own, &mut values);
            let row = Fields { columns, values: &values, number, nth: 1 };
            for make in self.file.make.iter().filter(|make| make.latest) {
                if let (Ok(true), Ok(key)) = (row.holds(&make.when), self.key(make, &row)) {
                    self.last.insert(fingerprint(&make.object, &key), number);
                }
            }
        }
    }

    fn fixed_records(&mut self, plan: &Plan) -> Result<()> {
        for fixed in &plan.record {
            if self.lookup(&fixed.object, &fixed.key)?.is_some() {
                continue;
            }
            let model = self.model.clone();
            let object = model.object(&fixed.object).ok_or_else(|| CrmError::Plan(format!("the plan creates '{}', which is not an object", fixed.object)))?;
            let mut record = Record::new();
            record.insert("external_id".into(), Value::Text(fixed.key.clone()));
            for (name, text) in &fixed.fields {
                let field = object.field(name).ok_or_else(|| CrmError::Plan(format!("{} has no field '{name}'", fixed.object)))?;
                let value = if let (FieldType::Ref, Some(to)) = (field.kind, field.to.as_deref()) {
                    let id = self.lookup(to, text)?.ok_or_else(|| CrmError::Plan(format!("the plan refers to {to} '{text}', which does not exist")))?;
                    Value::Ref(id)
                } else {
                    field.read_text(text, self.currency).map_err(|e| CrmError::Plan(format!("{}.{name}: {e}", fixed.object)))?
                };
                record.insert(name.clone(), value);
            }
            let id = self.env.id();
            self.commit(vec![Change::create(&fixed.object, id, record)])?;
            self.keys.insert((fixed.object.clone(), fixed.key.clone()), Some(id));
        }
        Ok(())
    }

    fn commit(&self, changes: Vec<Change>) -> std::result::Result<u64, StoreError> {
        self.store.commit(Commit { actor: self.terms.actor.clone(), at: self.env.now(), changes, key: None }).map(|c| c.seq)
    }

    pub(super) fn lookup(&mut self, object: &str, key: &str) -> Result<Option<Uuid>> {
        let at = (object.to_string(), key.to_string());
        if let Some(id) = self.keys.get(&at) {
            return Ok(*id);
        }
        let found = self.store.ids_by_external(object, std::slice::from_ref(&at.1))?.pop().flatten();
        if self.keys.len() >= KEPT_KEYS {
            // Those of records still waiting to be written must stay findable.
            let waiting = &self.waiting;
            self.keys.retain(|_, id| id.is_some_and(|id| waiting.contains_key(&id)));
        }
        if found.is_some() {
            self.keys.insert(at, found);
        }
        Ok(found)
    }

    /// Every record that a row makes, or none of them. An error is about all rows.
    fn row(&mut self, row: &Fields<'_>, on_reject: &mut dyn FnMut(&[String], &Reject)) -> Result<()> {
        let before = self.pending.len();
        let file = self.file;
        let mut seen = Vec::new();
        self.left.clear();
        for make in &file.make {
            let times = make.times.as_ref().map_or(Ok(1), |column| row.count(column, MOST_TIMES));
            let made = times.and_then(|times| (1..=times).try_for_each(|nth| self.make(make, &Fields { nth, ..*row }, &mut seen)));
            if let Err(fault) = made {
                for pending in self.pending.drain(before..) {
                    if let (Op::Create, Some(Value::Text(key))) = (pending.change.op, pending.change.fields.get("external_id")) {
                        self.keys.remove(&(pending.change.object.clone(), key.clone()));
                    }
                    if let Some(stages) = &mut self.stages {
                        stages.retain(|stage| stage.id != pending.change.id);
                    }
                }
                for hash in seen {
                    self.made.remove(&hash);
                }
                if fault.stop {
                    return Err(CrmError::Plan(format!("{}, row {}, column '{}': {}", self.name, row.number, fault.column, fault.reason)));
                }
                let reject = Reject { file: self.name.clone(), row: row.number, column: fault.column, reason: fault.reason, values: row.values.to_vec() };
                self.reject(reject, on_reject);
                return Ok(());
            }
        }
        for made in self.pending[before..].iter().filter(|p| p.change.op == Op::Create) {
            if let Some(object) = self.model.object(&made.change.object) {
                self.known.add(object, &made.change.fields, made.change.id);
            }
        }
        for left in std::mem::take(&mut self.left) {
            self.report.left_out += 1;
            (self.terms.on_left)(&self.report.headings, &left);
            if self.report.left.len() < SHOWN_REJECTS {
                self.report.left.push(left);
            }
        }
        Ok(())
    }

    fn make(&mut self, make: &Make, row: &Fields<'_>, seen: &mut Vec<u64>) -> std::result::Result<(), Fault> {
        if !row.holds(&make.when)? {
            return Ok(());
        }
        let key = self.key(make, row)?;
        if key.is_empty() {
            return Ok(());
        }
        let hash = fingerprint(&make.object, &key);
        if !self.made.insert(hash) && !make.latest {
            if seen.contains(&hash) {
                return Err(Fault::new(make.key.trim_matches(['{', '}']), format!("the plan makes two records of {} by the key '{key}' of one row; give each a key of its own", make.object)));
            }
            return Ok(());
        }
        seen.push(hash);
        let model = self.model.clone();
        let Some(object) = model.object(&make.object) else { return Ok(()) };
        let (mut fields, mut left) = (Record::new(), HashSet::new());
        for (name, source) in &make.fields {
            let Some(field) = object.field(name) else { continue };
            // What says which record it is, or when it began, or how it stands, cannot be left out of it.
            let counts = (field.required && field.default.is_none()) || make.find.as_ref() == Some(name) || name == "created_at" || name == "external_id" || (field.history && field.default.is_some());
            let value = match self.field(row, field, source, &fields) {
                Ok(value) => value,
                Err(fault) if fault.stop || counts || is_rejected(field, source) => return Err(fault),
                Err(fault) => {
                    self.leave_out(row, fault);
                    left.insert(name.clone());
                    Value::Null
                }
            };
            fields.insert(name.clone(), value);
        }
        let moments = self.moments(make, object, row, &fields)?;
        let fault = |e: CrmError| Fault::new("", e.to_string());
        let found = match make.find.as_ref().and_then(|name| fields.get(name)) {
            Some(Value::Text(text)) => self.known.find(self.store, object, make.find.as_deref().unwrap_or_default(), text).map_err(fault)?,
            _ => None,
        };
        if found.is_some() {
            fields.retain(|_, v| !v.is_null());
        }
        let existing = match found {
            Some(id) => Some(id),
            None => self.lookup(&make.object, &key).map_err(fault)?,
        };
        let change = match existing {
            None => {
                // Empty cells take the declared default; an unknown beginning, and what could not be read, stay unknown.
                fields.retain(|name, v| !v.is_null() || name == "created_at" || left.contains(name));
                let mut record = fields;
                record.insert("external_id".into(), Value::Text(key.clone()));
                // Where only moments tell of a field, the latest one says how it is now.
                for field in moments.iter().map(|m| &m.field) {
                    let latest = moments.iter().filter(|m| m.field == *field).max_by_key(|m| m.at);
                    record.entry(field.clone()).or_insert_with(|| latest.map_or(Value::Null, |m| m.value.clone()));
                }
                let missing = object.stored_fields().find(|f| f.required && f.default.is_none() && record.get(&f.name).is_none_or(Value::is_null));
                if let Some(field) = missing {
                    let column = make.fields.get(&field.name).map_or_else(|| field.name.clone(), column_of);
                    return Err(Fault::new(column, format!("{} needs a value", field.name)));
                }
                let id = self.env.id();
                self.keys.insert((make.object.clone(), key), Some(id));
                let undated = self.undated(&make.object, &record, &moments).map_err(fault)?;
                Change::create(&make.object, id, record).with_moments(moments.into_iter().chain(undated).collect())
            }
            Some(id) => {
                // Moments are of every row, how things are now is of the last.
                if make.latest && self.last.get(&hash) != Some(&self.place) {
                    fields.clear();
                }
                fields.retain(|name, _| !left.contains(name));
                self.leave_open(make, id, row, &mut fields, &moments)?;
                match self.difference(&make.object, id, fields, moments).map_err(fault)? {
                    Some(change) => change,
                    None => {
                        self.report.objects.entry(make.object.clone()).or_default()[2] += 1;
                        return Ok(());
                    }
                }
            }
        };
        self.waiting.entry(change.id).or_default().extend(change.moments.iter().cloned());
        self.pending.push(Pending { change, row: row.number, values: row.values.to_vec() });
        Ok(())
    }

    fn key(&self, make: &Make, row: &Fields<'_>) -> std::result::Result<String, Fault> {
        let text = row.fill(&make.key)?;
        let cut = match make.fields.get("external_id") {
            Some(source) => self.reading().text(row, source)?,
            None => text,
        };
        Ok(cut.trim().to_string())
    }

    /// A field's value; `fields` are those of the record that are read already.
    pub(super) fn field(&mut self, row: &Fields<'_>, field: &northing_model::FieldDef, source: &Source, fields: &Record) -> std::result::Result<Value, Fault> {
        let text = self.reading().text(row, source)?;
        let (FieldType::Ref, Some(to)) = (field.kind, field.to.as_deref()) else {
            let value = self.reading().value(row, field, source, &text)?;
            return Ok(match value {
                Value::Time(at) => Value::Time(at + self.reading().later(row, source)?),
                other => other,
            });
        };
        if to == "stage" {
            return self.stage(row, source, text.trim(), fields);
        }
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        self.reference(row, source, to, text.trim())
    }

    /// What a row changes of a record that exists; `None` when nothing.
    fn difference(&self, object: &str, id: Uuid, mut fields: Record, moments: Vec<Moment>) -> Result<Option<Change>> {
        if let Some(known) = self.waiting.get(&id) {
            let moments: Vec<Moment> = moments.into_iter().filter(|m| !known.contains(m)).collect();
            if fields.is_empty() && moments.is_empty() {
                return Ok(None);
            }
            return Ok(Some(Change::update(object, id, fields).with_moments(moments)));
        }
        let (current, _) = self.store.get(object, id)?;
        let known = if moments.is_empty() { Vec::new() } else { self.store.moments(object, id)? };
        let moments: Vec<Moment> = moments.into_iter().filter(|m| !known.contains(m)).collect();
        fields.retain(|name, value| current.get(name).cloned().unwrap_or_default() != *value);
        // A history field that earlier imports moved on keeps its place unless a new moment moves it.
        fields.retain(|name, _| !known.iter().any(|m| m.field == *name) || moments.iter().any(|m| m.field == *name));
        if fields.is_empty() && moments.is_empty() {
            return Ok(None);
        }
        Ok(Some(Change::update(object, id, fields).with_moments(moments)))
    }

    fn flush(&mut self, on_reject: &mut dyn FnMut(&[String], &Reject)) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        if self.terms.dry {
            // What a real run would have written stays known to the rows that come later.
            self.count(&pending);
            return Ok(());
        }
        self.waiting.clear();
        self.write(pending, on_reject)
    }

    fn count(&mut self, written: &[Pending]) {
        for p in written {
            let counts = self.report.objects.entry(p.change.object.clone()).or_default();
            counts[usize::from(p.change.op != Op::Create)] += 1;
            for value in p.change.fields.values() {
                if let Value::Money(money) = value {
                    *self.report.currencies.entry(money.currency.to_string()).or_default() += 1;
                }
            }
        }
    }

    /// Writes a batch; when something in it is refused, its halves, down to the row at fault.
    fn write(&mut self, mut pending: Vec<Pending>, on_reject: &mut dyn FnMut(&[String], &Reject)) -> Result<()> {
        if pending.is_empty() {
            return Ok(());
        }
        match self.commit(pending.iter().map(|p| p.change.clone()).collect()) {
            Ok(_) => {
                self.count(&pending);
                Ok(())
            }
            Err(e @ (StoreError::ReadOnly(_) | StoreError::Full | StoreError::Database(_))) => Err(e.into()),
            Err(e) if pending.iter().all(|p| p.row == pending[0].row) => {
                let (column, reason) = match e {
                    StoreError::Invalid { field, problem, .. } => (field, problem),
                    other => (String::new(), other.to_string()),
                };
                let first = pending.swap_remove(0);
                let reject = Reject { file: self.name.clone(), row: first.row, column, reason, values: first.values };
                self.reject(reject, on_reject);
                Ok(())
            }
            Err(_) => {
                // Records of one row stay together.
                let middle = pending.len() / 2;
                let row = pending[middle].row;
                let mut cut = pending.iter().position(|p| p.row == row).unwrap_or(middle);
                if cut == 0 {
                    cut = pending.iter().position(|p| p.row != row).unwrap_or(pending.len());
                }
                let rest = pending.split_off(cut);
                self.write(pending, on_reject)?;
                self.write(rest, on_reject)
            }
        }
    }

    fn reject(&mut self, mut reject: Reject, on_reject: &mut dyn FnMut(&[String], &Reject)) {
        if !self.file.join.is_empty() {
            reject.values.truncate(self.report.headings.len());
        }
        self.report.rejected += 1;
        on_reject(&self.report.headings, &reject);
        if self.report.rejects.len() < SHOWN_REJECTS {
            self.report.rejects.push(reject);
        }
    }
}

/// A reference to what is not here sets its row aside, unless the plan says otherwise.
fn is_rejected(field: &northing_model::FieldDef, source: &Source) -> bool {
    let leaves = matches!(source, Source::Full(full) if full.missing != Missing::Reject);
    field.kind == FieldType::Ref && !leaves
}

fn fingerprint(object: &str, key: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (object, key).hash(&mut hasher);
    hasher.finish()
}
