//! Cases as data: small tables, a question, the expected number and the records behind it. Adding one needs no Rust.

use jiff::civil::DateTime;
use northing_facts::{Facts, Snapshot};
use northing_metrics::drill::{Side, drill};
use northing_metrics::{Cache, Question, Wanted, ask};
use northing_model::{Calendar, Expr, FieldType, Grain, Period, Record, Value, Zone};
use northing_store::{Change, Commit, Moment, Store};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use uuid::Uuid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What the case shows, in words.
    pub shows: String,
    #[serde(default)]
    pub workspace: BTreeMap<String, toml::Value>,
    #[serde(default)]
    pub define: Vec<Define>,
    #[serde(default)]
    pub record: Vec<CaseRecord>,
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// Conditions and the records that meet them, on columns and one by one.
    #[serde(default)]
    pub filter: Vec<FilterCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Define {
    pub kind: String,
    pub name: String,
    pub body: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRecord {
    pub object: String,
    pub id: String,
    #[serde(default)]
    pub fields: BTreeMap<String, toml::Value>,
    /// [field, value, when]; an empty "when" is unknown.
    #[serde(default)]
    pub moments: Vec<[String; 3]>,
    #[serde(default)]
    pub deleted: bool,
    #[serde(default)]
    pub merged_into: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    pub metric: String,
    pub variant: Option<String>,
    pub from: String,
    pub to: String,
    pub now: Option<String>,
    pub by: Option<String>,
    /// The breakdown's value that the number belongs to.
    pub of: Option<String>,
    #[serde(rename = "where")]
    pub filter: Option<String>,
    pub grain: Option<String>,
    pub calendar: Option<String>,
    /// Values of the buckets in order, for a question with a grain; `nan` where there is none.
    pub values: Option<Vec<f64>>,
    pub value: Option<f64>,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
    pub median: Option<f64>,
    pub reason: Option<String>,
    pub excluded: Option<BTreeMap<String, u64>>,
    pub mature: Option<bool>,
    pub flags: Option<Vec<String>>,
    /// Costs that belong to no value of the breakdown, and all costs.
    pub unallocated: Option<[f64; 2]>,
    pub n: Option<u64>,
    pub drill: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterCase {
    pub object: String,
    pub condition: String,
    pub ids: Option<Vec<String>>,
    /// Part of the message with which the condition is refused.
    pub refused: Option<String>,
}

/// A short name as a record id, the same every time.
pub fn id_of(name: &str) -> Uuid {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in name.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | (hash >> 2))
}

/// Stages that every case has: s1, s2, s3 (open), won, lost, void.
fn common() -> Vec<CaseRecord> {
    let mut records = vec![record("pipeline", "p", &[("name", "Sales")])];
    for (i, name) in ["s1", "s2", "s3", "won", "lost", "void"].iter().enumerate() {
        let kind = if name.starts_with('s') { "open" } else { name };
        records.push(record("stage", name, &[("name", name), ("pipeline", "p"), ("kind", kind), ("position", &(i + 1).to_string())]));
    }
    records
}

fn record(object: &str, id: &str, fields: &[(&str, &str)]) -> CaseRecord {
    let fields = fields.iter().map(|(k, v)| ((*k).to_string(), toml::Value::String((*v).to_string()))).collect();
    CaseRecord { object: object.into(), id: id.into(), fields, moments: Vec::new(), deleted: false, merged_into: None }
}

pub struct Prepared {
    _folder: tempfile::TempDir,
    pub store: Store,
    pub snapshot: Snapshot,
    pub zone: Zone,
}

fn instant(text: &str, zone: &Zone) -> Option<i64> {
    if let Some(day) = northing_model::value::parse_date(text).filter(|_| text.len() == 10) {
        return Some(zone.midnight(day));
    }
    northing_model::value::parse_instant(text).or_else(|| text.parse::<DateTime>().ok().and_then(|d| zone.instant(d)))
}

const CLOCK: i64 = 1_893_456_000; // 2030-01-01

pub fn prepare(case: &Case) -> Prepared {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let store = Store::open(folder.path()).unwrap_or_else(|e| panic!("{e}"));
    let mut settings = Record::from([("name".into(), Value::Text("Case".into())), ("zone".into(), Value::Text("UTC".into()))]);
    let model = store.model();
    let workspace = model.object("workspace").unwrap_or_else(|| panic!("no workspace"));
    for (key, value) in &case.workspace {
        let field = workspace.field(key).unwrap_or_else(|| panic!("no setting {key}"));
        let json = serde_json::to_value(value).unwrap_or_default();
        settings.insert(key.clone(), field.read(&json, store.currency()).unwrap_or_else(|e| panic!("{key}: {e}")));
    }
    let commit = |changes: Vec<Change>| {
        store.commit(Commit { actor: "case".into(), at: CLOCK, changes, key: None }).unwrap_or_else(|e| panic!("{}: {e}", case.shows));
    };
    commit(vec![Change::create("workspace", id_of("workspace"), settings.clone())]);
    for define in &case.define {
        let text = |t: &str| Value::Text(t.into());
        let fields = Record::from([("kind".into(), text(&define.kind)), ("name".into(), text(&define.name)), ("body".into(), text(&define.body))]);
        commit(vec![Change::create("definition", id_of(&define.body), fields)]);
    }
    let zone = settings.get("zone").and_then(Value::as_text).and_then(Zone::parse).unwrap_or_else(Zone::utc);
    for r in common().iter().chain(&case.record) {
        write(&store, r, &zone, &commit);
    }
    let snapshot = Facts::load(&store).unwrap_or_else(|e| panic!("{e}")).snapshot();
    Prepared { _folder: folder, store, snapshot, zone }
}

fn write(store: &Store, r: &CaseRecord, zone: &Zone, commit: &impl Fn(Vec<Change>)) {
    let model = store.model();
    let object = model.object(&r.object).unwrap_or_else(|| panic!("no object {}", r.object));
    let read = |name: &str, value: &toml::Value| {
        let field = object.field(name).unwrap_or_else(|| panic!("{} has no field {name}", r.object));
        let text = value.as_str().unwrap_or_default();
        match field.kind {
            FieldType::Ref => Value::Ref(id_of(text)),
            FieldType::Refs => Value::List(value.as_array().into_iter().flatten().filter_map(|v| v.as_str()).map(|n| id_of(n).to_string()).collect()),
            FieldType::Datetime => instant(text, zone).map_or(Value::Null, Value::Time),
            FieldType::Money if value.is_str() => field.read_text(text, store.currency()).unwrap_or_else(|e| panic!("{name}: {e}")),
            _ => field.read(&serde_json::to_value(value).unwrap_or_default(), store.currency()).unwrap_or_else(|e| panic!("{name}: {e}")),
        }
    };
    let fields: Record = r.fields.iter().map(|(k, v)| (k.clone(), read(k, v))).collect();
    let moments = r
        .moments
        .iter()
        .map(|[field, value, at]| Moment { field: field.clone(), at: instant(at, zone), value: read(field, &toml::Value::String(value.clone())) })
        .collect();
    let id = id_of(&r.id);
    commit(vec![Change::create(&r.object, id, fields).with_moments(moments)]);
    if let Some(winner) = &r.merged_into {
        commit(vec![Change::update(&r.object, id, Record::from([("merged_into".into(), Value::Ref(id_of(winner)))]))]);
    }
    if r.deleted {
        commit(vec![Change::delete(&r.object, id)]);
    }
}

/// Runs a case; what does not hold.
pub fn run(path: &Path, text: &str) -> Vec<String> {
    let case: Case = toml::from_str(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let prepared = prepare(&case);
    let place = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let mut wrong = Vec::new();
    for expect in &case.expect {
        for problem in judge(expect, &prepared) {
            wrong.push(format!("{place}: {} {} {}..{}: {problem}", expect.metric, expect.variant.as_deref().unwrap_or(""), expect.from, expect.to));
        }
    }
    for filter in &case.filter {
        wrong.extend(filtered(filter, &case, &prepared).into_iter().map(|p| format!("{place}: {} where {}: {p}", filter.object, filter.condition)));
    }
    wrong
}

fn judge(e: &Expect, p: &Prepared) -> Vec<String> {
    let day = |t: &str| northing_model::value::parse_date(t).unwrap_or_else(|| panic!("'{t}' is not a day"));
    let mut question = Question::new(&e.metric, Period { start: day(&e.from), end: day(&e.to) }, e.now.as_deref().map_or(CLOCK, |t| instant(t, &p.zone).unwrap_or(CLOCK)));
    question.metrics = vec![Wanted { metric: e.metric.clone(), variant: e.variant.clone() }];
    question.by = e.by.iter().cloned().collect();
    question.filter = e.filter.as_deref().map(|f| Expr::parse(f).unwrap_or_else(|x| panic!("{x}")));
    question.grain = e.grain.as_deref().and_then(Grain::parse).unwrap_or(Grain::Total);
    question.calendar = e.calendar.as_deref().and_then(Calendar::parse).unwrap_or_default();
    let answer = match ask(&p.snapshot, &question, &Cache::default()) {
        Ok(a) => a.metrics.into_iter().next().unwrap_or_else(|| panic!("no answer")),
        Err(x) => return vec![x.to_string()],
    };
    let mut wrong = Vec::new();
    if let Some(values) = &e.values {
        let found: Vec<f64> = answer.buckets.iter().map(|b| b.cell.value.unwrap_or(f64::NAN)).collect();
        if found.len() != values.len() || found.iter().zip(values).any(|(a, b)| a.is_nan() != b.is_nan() || (a - b).abs() > 1e-6) {
            wrong.push(format!("buckets are {found:?}, expected {values:?}"));
        }
        return wrong;
    }
    let cell = match (&e.by, &e.of) {
        (Some(by), Some(of)) => match answer.buckets.iter().find(|b| b.by.get(by) == Some(of)) {
            Some(b) => b.cell.clone(),
            None => return vec![format!("there is no '{of}' among {:?}", answer.buckets.iter().map(|b| &b.by).collect::<Vec<_>>())],
        },
        _ => answer.total.cell,
    };
    let mut same = |what: &str, found: Option<f64>, wanted: Option<f64>| {
        if let Some(w) = wanted {
            if found.is_none_or(|f| (f - w).abs() > 1e-6 * w.abs().max(1.0)) {
                wrong.push(format!("{what} is {found:?}, expected {w}"));
            }
        }
    };
    same("value", cell.value, e.value);
    same("numerator", cell.numerator, e.numerator);
    same("denominator", cell.denominator, e.denominator);
    same("median", cell.median, e.median);
    if let Some(reason) = &e.reason {
        if cell.reason.as_ref() != Some(reason) || cell.value.is_some() {
            wrong.push(format!("reason is {:?} with value {:?}, expected null for {reason}", cell.reason, cell.value));
        }
    }
    if e.excluded.as_ref().is_some_and(|x| *x != cell.excluded) {
        wrong.push(format!("left out are {:?}, expected {:?}", cell.excluded, e.excluded));
    }
    if e.flags.as_ref().is_some_and(|f| *f != cell.flags) {
        wrong.push(format!("flags are {:?}, expected {:?}", cell.flags, e.flags));
    }
    if e.unallocated.is_some_and(|u| cell.unallocated != Some(u)) {
        wrong.push(format!("unallocated costs are {:?}, expected {:?}", cell.unallocated, e.unallocated));
    }
    if e.n.is_some_and(|n| n != cell.n) {
        wrong.push(format!("n is {}, expected {:?}", cell.n, e.n));
    }
    if e.mature.is_some_and(|m| m != cell.mature) {
        wrong.push(format!("mature is {}", cell.mature));
    }
    if let Some(ids) = &e.drill {
        let rows = drill(&p.snapshot, &question, &Side::Numerator, 0, 10_000).map(|d| d.rows).unwrap_or_default();
        let found: BTreeSet<Uuid> = rows.iter().map(|r| r.id).collect();
        let wanted: BTreeSet<Uuid> = ids.iter().map(|n| id_of(n)).collect();
        if found != wanted {
            wrong.push(format!("drill-down gives {:?}, expected {ids:?}", rows.iter().map(|r| &r.title).collect::<Vec<_>>()));
        }
    }
    wrong
}

/// The same condition on columns and on each record alone.
fn filtered(f: &FilterCase, case: &Case, p: &Prepared) -> Vec<String> {
    let parsed = Expr::parse(&f.condition).and_then(|e| e.check(&p.snapshot.model, &f.object).map(|_| e));
    let expr = match (parsed, &f.refused) {
        (Err(e), Some(part)) if e.contains(part.as_str()) => return Vec::new(),
        (Err(e), _) => return vec![format!("refused with: {e}")],
        (Ok(_), Some(part)) => return vec![format!("was not refused with '{part}'")],
        (Ok(e), None) => e,
    };
    let wanted: BTreeSet<Uuid> = f.ids.iter().flatten().map(|n| id_of(n)).collect();
    let query = northing_facts::list::ListQuery { filter: Some(expr.clone()), limit: 1_000, ..Default::default() };
    let table = p.snapshot.table_index(&f.object).unwrap_or_else(|| panic!("no object {}", f.object));
    let mut wrong = Vec::new();
    match northing_facts::list::list(&p.snapshot, &f.object, &query, CLOCK) {
        Err(e) => wrong.push(format!("on columns: {e}")),
        Ok(page) => {
            let found: BTreeSet<Uuid> = page.rows.iter().filter_map(|r| p.snapshot.tables[table].id(*r)).collect();
            if found != wanted {
                wrong.push(format!("on columns: {} records, expected {:?}", found.len(), f.ids));
            }
        }
    }
    let alone: BTreeSet<Uuid> = case
        .record
        .iter()
        .filter(|r| r.object == f.object && !r.deleted)
        .map(|r| id_of(&r.id))
        .filter(|id| northing_model::expr::matches(&expr, &One { p, object: &f.object, id: *id }))
        .collect();
    if alone != wanted {
        wrong.push(format!("one by one: {} records, expected {:?}", alone.len(), f.ids));
    }
    wrong
}

struct One<'a> {
    p: &'a Prepared,
    object: &'a str,
    id: Uuid,
}

impl northing_model::expr::Reader for One<'_> {
    fn read(&self, path: &[String]) -> Value {
        let model = self.p.store.model();
        let (mut object, mut id) = (self.object.to_string(), self.id);
        for (i, step) in path.iter().enumerate() {
            if step == "id" {
                return Value::Ref(id);
            }
            let Ok((record, _)) = self.p.store.get(&object, id) else { return Value::Null };
            let value = record.get(step).cloned().unwrap_or_default();
            if i + 1 == path.len() {
                return value;
            }
            let (Some(next), Some(to)) = (value.as_ref_id(), model.object(&object).and_then(|o| o.field(step)).and_then(|f| f.to.clone())) else { return Value::Null };
            (object, id) = (to, next);
        }
        Value::Null
    }
    fn now(&self) -> i64 {
        CLOCK
    }
    fn setting(&self, name: &str) -> i64 {
        self.p.snapshot.settings.number(name).unwrap_or(0)
    }
    fn midnight(&self, day: i32) -> i64 {
        self.p.zone.midnight(day)
    }
}
