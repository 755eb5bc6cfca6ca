//! The facts of a workspace: base rows out of records, derived values out of base rows.
//!
//! `load` reads the whole store, `replay` the log up to an earlier entry, `apply` takes new log entries; all
//! three end in the same derivations, so kept and rebuilt facts are equal.

use crate::choices::Choices;
use crate::column::{NONE, NULL};
use crate::fx::Fx;
use crate::known::Known;
use crate::links::Links;
use crate::table::{COUNTED, EXISTS, FIT, SEEN, Schema, Table};
use crate::view::View;
use crate::measures::Schedules;
use crate::progress::Progress;
use crate::{FactsError, Result, Settings, Snapshot};
use hashbrown::HashTable;
use northing_model::expr::{self, Reader};
use northing_model::{Expr, FieldDef, FieldType, Machines, Model, Physical, Record, Value};
use northing_store::Moment;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use uuid::Uuid;

/// One value of a history field, from an instant on; `NULL` for unknown since when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Entry {
    pub column: usize,
    pub at: i64,
    pub seq: u64,
    /// Of an unknown beginning: when it was told of. `NULL` where the beginning is known.
    pub told: i64,
    /// As the column holds it; money as raw ticks.
    pub value: i64,
    pub currency: i64,
}

/// Before every instant that anybody recorded: the beginning of the year 1.
pub(crate) const EVER: i64 = -62_135_596_800;
/// After every instant that anybody recorded: the end of the year 9999.
pub(crate) const NEVER: i64 = 253_402_300_799;

/// Objects whose children derivations ask for.
const LINKED: [&str; 11] = ["customer", "lead", "order", "deal", "contract", "expense", "sales_plan", "ticket", "send", "survey_invite", "consent_event"];

pub struct Facts {
    pub(crate) model: Arc<Model>,
    pub(crate) settings: Settings,
    pub(crate) tables: Vec<Table>,
    pub(crate) known: Known,
    pub(crate) choices: Arc<Choices>,
    pub(crate) fx: Fx,
    pub(crate) links: Vec<Vec<Option<Links>>>,
    /// By table and row.
    pub(crate) history: HashMap<(usize, u32), Vec<Entry>>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) machines: Arc<Machines>,
    /// What gives a lead points, and how many.
    pub(crate) rules: Vec<(Expr, i64)>,
    /// Products that a product goes with.
    pub(crate) complements: HashMap<u32, Vec<u32>>,
    /// Consents by their address, for those of nobody known; may hold rows that have moved on.
    pub(crate) addresses: HashMap<i64, Vec<u32>>,
    /// Columns by which plain records follow their customer: they count when it does.
    pub(crate) followers: Vec<(usize, usize)>,
    pub(crate) shares: HashMap<u32, BTreeMap<String, u8>>,
    pub(crate) free: Vec<Vec<u32>>,
    pub(crate) index: Vec<HashTable<u32>>,
    pub(crate) plans: Vec<Vec<FieldDef>>,
    pub(crate) exclude: Vec<Option<Expr>>,
    pub(crate) seq: u64,
    /// What is left out; nothing without one.
    pub(crate) view: Option<Arc<View>>,
    /// Entries of the log that were taken in: what a view's person may know of how many there are.
    pub(crate) taken: u64,
    pub(crate) progress: Arc<Progress>,
}

impl Facts {
    pub(crate) fn empty(model: Arc<Model>, settings: Settings, view: Option<Arc<View>>) -> Result<Self> {
        let schemas: Vec<Arc<Schema>> = model.objects.iter().map(|o| Arc::new(Schema::of(&model, o))).collect();
        let known = Known::find(&schemas).ok_or_else(|| FactsError::Expression("the model lacks an object or field that facts derive from".into()))?;
        let choices = Arc::new(Choices::find(&schemas).map_err(FactsError::Expression)?);
        let linked: Vec<usize> = LINKED.iter().filter_map(|n| model.object_index(n)).collect();
        // Nearly everything points at a user; only what users are derived from is followed back.
        let users = [known.user_action.table, known.user_version.table, known.interaction.table];
        let work = known.work();
        let followed = |table: usize, column: usize, target: &usize| linked.contains(target) || (*target == known.user.table && (users.contains(&table) || work.iter().any(|w| (w.0, w.1) == (table, column))));
        let links = schemas
            .iter()
            .enumerate()
            .map(|(table, s)| s.columns.iter().enumerate().map(|(column, c)| c.target.filter(|t| followed(table, column, t)).map(|_| Links::default())).collect())
            .collect();
        let k = known;
        let own = [k.order.table, k.deal.table, k.order_line.table, k.refund.table, k.ticket.table, k.send.table, k.send_event.table, k.consent_event.table, k.expense.table, k.customer.table];
        let followers = schemas
            .iter()
            .enumerate()
            .filter(|(table, s)| !own.contains(table) && !s.derived)
            .flat_map(|(table, s)| s.columns.iter().enumerate().filter(|(_, c)| c.target == Some(k.customer.table)).map(move |(column, _)| (table, column)))
            .collect();
        let plans = model
            .objects
            .iter()
            .map(|o| o.stored_fields().filter(|f| (f.facts && f.kind.physical() != Physical::List) || f.kind == FieldType::Shares || (o.name == "product" && f.name == "complements")).cloned().collect())
            .collect();
        let exclude = model
            .objects
            .iter()
            .map(|o| o.exclude.as_deref().map(Expr::parse).transpose())
            .collect::<std::result::Result<_, _>>()
            .map_err(FactsError::Expression)?;
        Ok(Self {
            fx: Fx::new(settings.currency),
            settings,
            tables: schemas.into_iter().map(Table::new).collect(),
            known,
            choices,
            links,
            history: HashMap::new(),
            schedules: Arc::default(),
            machines: Arc::new(Machines::load().map_err(|e| FactsError::Expression(e.to_string()))?),
            rules: Vec::new(),
            complements: HashMap::new(),
            addresses: HashMap::new(),
            followers,
            shares: HashMap::new(),
            free: vec![Vec::new(); model.objects.len()],
            index: (0..model.objects.len()).map(|_| HashTable::new()).collect(),
            plans,
            exclude,
            model,
            seq: 0,
            view,
            taken: 1,
            progress: Arc::default(),
        })
    }

    pub(crate) fn is_linked_target(&self, table: usize) -> bool {
        self.links.iter().zip(&self.tables).any(|(links, t)| {
            links.iter().zip(&t.schema.columns).any(|(l, c)| l.is_some() && c.target == Some(table) && c.name != "merged_into")
        })
    }

    /// After a merge or its undoing: what points at this record, or at one merged into it, points at the survivor.
    pub(crate) fn repoint(&mut self, table: usize, row: u32) {
        let root = self.root(table, row);
        for member in self.members(table, row) {
            for t in 0..self.tables.len() {
                for c in 0..self.tables[t].schema.columns.len() {
                    let meta = &self.tables[t].schema.columns[c];
                    // Derived rows follow with their own record.
                    if meta.target != Some(table) || meta.name == "merged_into" || self.tables[t].schema.derived {
                        continue;
                    }
                    let children = self.links[t][c].as_ref().map(|l| l.children(member)).unwrap_or_default();
                    for child in children {
                        self.tables[t].set(c, child, i64::from(root));
                    }
                }
            }
        }
    }

    /// The record that this one was merged into, at the end of the chain; itself if it was not.
    pub(crate) fn root(&self, table: usize, row: u32) -> u32 {
        let Some(column) = self.tables[table].schema.column("merged_into") else { return row };
        let mut at = row;
        if let Some(links) = &self.links[table][column] {
            for _ in 0..1_000 {
                match links.parent(at) {
                    NONE => break,
                    next => at = next,
                }
            }
        }
        at
    }

    /// A record and all that were merged into it.
    pub(crate) fn members(&self, table: usize, row: u32) -> Vec<u32> {
        let mut found = vec![row];
        if let Some(links) = self.tables[table].schema.column("merged_into").and_then(|c| self.links[table][c].as_ref()) {
            let mut at = 0;
            while at < found.len() {
                found.extend(links.children(found[at]));
                at += 1;
            }
        }
        found
    }

    pub(crate) fn children(&self, table: usize, column: usize, parents: &[u32]) -> Vec<u32> {
        let Some(links) = &self.links[table][column] else { return Vec::new() };
        parents.iter().flat_map(|p| links.children(*p)).collect()
    }

    /// The row of a record, made if it was never heard of.
    pub(crate) fn row(&mut self, table: usize, id: Uuid) -> u32 {
        let rows = &self.tables[table];
        if let Some(row) = self.index[table].find(hash(id), |r| rows.id(*r) == Some(id)) {
            return *row;
        }
        let row = self.tables[table].push(Some(id));
        let rows = &self.tables[table];
        self.index[table].insert_unique(hash(id), row, |r| hash(rows.id(*r).unwrap_or_default()));
        row
    }

    pub(crate) fn write_record(&mut self, table: usize, id: Uuid, record: &Record, deleted: bool) {
        let values: Vec<Value> = self.plans[table].iter().map(|f| record.get(&f.name).cloned().unwrap_or_default()).collect();
        self.write(table, id, &values, deleted);
    }

    pub(crate) fn find(&self, table: usize, id: Uuid) -> Option<u32> {
        let rows = &self.tables[table];
        self.index[table].find(hash(id), |r| rows.id(*r) == Some(id)).copied()
    }

    /// Writes a record's own fields into its row.
    pub(crate) fn write(&mut self, table: usize, id: Uuid, values: &[Value], deleted: bool) {
        if !self.is_seen(table, &self.plans[table], values) {
            return;
        }
        self.progress.step();
        let row = self.row(table, id);
        let plan = std::mem::take(&mut self.plans[table]);
        let view = self.view.clone();
        for (field, value) in plan.iter().zip(values) {
            let value = if view.as_ref().is_some_and(|v| v.hides(&self.model.objects[table].name, &field.name)) { &Value::Null } else { value };
            match value {
                Value::Shares(shares) => drop(self.shares.insert(row, shares.clone())),
                Value::List(ids) if field.kind == FieldType::Refs => {
                    let others = ids.iter().filter_map(|id| Uuid::parse_str(id).ok()).map(|id| self.row(table, id)).collect();
                    self.complements.insert(row, others);
                }
                _ => {}
            }
            let Some(column) = self.tables[table].schema.column(&field.name) else { continue };
            let (held, currency) = self.held(table, column, value);
            if field.kind == FieldType::Money {
                self.tables[table].set(column + 1, row, held);
                self.tables[table].set(column + 2, row, currency);
                // Until a derivation knows a better day, the day it was entered.
                let converted = self.convert(held, currency, i32::MAX);
                self.tables[table].set(column, row, converted);
                continue;
            }
            if let Some(target) = self.tables[table].schema.columns[column].target {
                if let Some(links) = &mut self.links[table][column] {
                    links.set(row, u32::try_from(held).unwrap_or(NONE));
                }
                let root = if held == NULL || field.name == "merged_into" { held } else { i64::from(self.root(target, held as u32)) };
                self.tables[table].set(column, row, root);
                continue;
            }
            self.tables[table].set(column, row, held);
        }
        for field in plan.iter() {
            if let Some((column, day)) = field.dated.as_ref().and_then(|day| Some((self.tables[table].schema.column(&field.name)?, self.tables[table].schema.column(day)?))) {
                let at = self.get(table, day, row);
                let date = self.tables[table].schema.columns[day].kind == FieldType::Date;
                let day = if at == NULL { i32::MAX } else if date { at as i32 } else { self.settings.zone.day(at) };
                let converted = self.convert(self.get(table, column + 1, row), self.get(table, column + 2, row), day);
                self.set(table, column, row, converted);
            }
        }
        let fit = match &self.exclude[table] {
            None => true,
            Some(exclude) => !expr::matches(exclude, &Own { plan: &plan, values }),
        };
        if table == self.known.lead.table {
            self.score_lead(row, &Own { plan: &plan, values });
        }
        let merged = plan.iter().zip(values).any(|(f, v)| f.name == "merged_into" && !v.is_null());
        self.plans[table] = plan;
        let mut flags = if deleted { SEEN } else { SEEN | EXISTS };
        if fit && !merged {
            flags |= if deleted { FIT } else { FIT | COUNTED };
        }
        self.tables[table].set_flags(row, flags);
    }

    /// A value as its column holds it; for money raw ticks and the currency's code.
    fn held(&mut self, table: usize, column: usize, value: &Value) -> (i64, i64) {
        let held = match value {
            Value::Null | Value::List(_) | Value::Shares(_) => NULL,
            Value::Bool(b) => i64::from(*b),
            Value::Int(i) | Value::Decimal(i) | Value::Time(i) => *i,
            Value::Date(d) => i64::from(*d),
            Value::Money(m) => return (m.ticks().unwrap_or(NULL), self.fx.code(m.currency)),
            Value::Ref(id) => match self.tables[table].schema.columns[column].target {
                Some(target) => i64::from(self.row(target, *id)),
                None => NULL,
            },
            Value::Text(text) => {
                let meta = &self.tables[table].schema.columns[column];
                match &meta.dict {
                    Some(dict) => i64::from(dict.intern(text)),
                    None => meta.options.iter().position(|o| o == text).map_or(NULL, |p| p as i64),
                }
            }
        };
        (held, NULL)
    }

    /// `told`: when the moment was written.
    pub(crate) fn remember(&mut self, table: usize, id: Uuid, seq: u64, told: Option<i64>, moment: &Moment) {
        let Some(column) = self.tables[table].schema.column(&moment.field) else { return };
        let hidden = self.view.as_ref().is_some_and(|v| v.hides(&self.model.objects[table].name, &moment.field));
        if hidden || !self.has_seen(table, id) {
            return;
        }
        let row = self.row(table, id);
        let (value, currency) = self.held(table, column, &moment.value);
        let told = told.filter(|_| moment.at.is_none()).unwrap_or(NULL);
        let entry = Entry { column, at: moment.at.unwrap_or(NULL), seq, told, value, currency };
        let list = self.history.entry((table, row)).or_default();
        if !list.contains(&entry) {
            list.push(entry);
        }
    }

    /// What history says of a record, in order of time; entries of one instant as they were entered.
    pub(crate) fn told(&self, table: usize, row: u32) -> Vec<Entry> {
        let mut entries = self.history.get(&(table, row)).cloned().unwrap_or_default();
        // NULL is the smallest integer: unknown since when comes first.
        entries.sort_by_key(|e| (e.at, e.seq));
        entries
    }

    /// Raw ticks in the reporting currency by the rate of a day; null without amount or rate.
    pub(crate) fn convert(&self, ticks: i64, currency: i64, day: i32) -> i64 {
        if ticks == NULL {
            return NULL;
        }
        self.fx.currency(currency).and_then(|c| self.fx.convert(ticks, c, day)).unwrap_or(NULL)
    }

    pub(crate) fn get(&self, table: usize, column: usize, row: u32) -> i64 {
        self.tables[table].get(column, row)
    }
    pub(crate) fn set(&mut self, table: usize, column: usize, row: u32, value: i64) {
        self.tables[table].set(column, row, value);
    }
    pub(crate) fn counted(&self, table: usize, row: u32) -> bool {
        self.tables[table].flags(row) & COUNTED != 0
    }
    /// Sets or clears whether a row counts, from its own fitness and `also`.
    pub(crate) fn count_if(&mut self, table: usize, row: u32, also: bool) {
        let flags = self.tables[table].flags(row);
        let counts = also && flags & EXISTS != 0 && flags & FIT != 0;
        let flags = if counts { flags | COUNTED } else { flags & !COUNTED };
        self.tables[table].set_flags(row, flags);
    }

    /// Replaces the derived rows of a parent: frees the old ones, then fills as many as needed.
    pub(crate) fn replace(&mut self, table: usize, parent_column: usize, parent: u32, counted: bool, rows: &[Vec<(usize, i64)>]) {
        let old = self.children(table, parent_column, &[parent]);
        for row in old {
            if let Some(links) = &mut self.links[table][parent_column] {
                links.set(row, NONE);
            }
            self.tables[table].set_flags(row, 0);
            self.free[table].push(row);
        }
        for values in rows {
            let row = match self.free[table].pop() {
                Some(row) => row,
                None => self.tables[table].push(None),
            };
            if let Some(links) = &mut self.links[table][parent_column] {
                links.set(row, parent);
            }
            self.set(table, parent_column, row, i64::from(parent));
            for (column, value) in values {
                self.set(table, *column, row, *value);
            }
            self.tables[table].set_flags(row, if counted { EXISTS | FIT | COUNTED } else { EXISTS | FIT });
        }
    }

    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// An immutable view of everything at this `seq`.
    pub fn snapshot(&mut self) -> Snapshot {
        for table in &mut self.tables {
            table.seal();
        }
        Snapshot {
            seq: self.seq,
            shown: if self.view.is_some() { self.taken } else { self.seq },
            view: self.view.clone(),
            model: self.view.as_ref().map_or_else(|| self.model.clone(), |v| Arc::new(v.model(&self.model))),
            settings: self.settings.clone(),
            fx: self.fx.clone(),
            schedules: self.schedules.clone(),
            tables: self.tables.clone(),
        }
    }
}

fn hash(id: Uuid) -> u64 {
    let (high, low) = id.as_u64_pair();
    low.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ high.rotate_left(29)
}

struct Own<'a> {
    plan: &'a [FieldDef],
    values: &'a [Value],
}

impl Reader for Own<'_> {
    fn read(&self, path: &[String]) -> Value {
        let name = path.first().map_or("", String::as_str);
        self.plan.iter().position(|f| f.name == name).map(|i| self.values[i].clone()).unwrap_or_default()
    }
    fn now(&self) -> i64 {
        0
    }
    fn setting(&self, _: &str) -> i64 {
        0
    }
    fn midnight(&self, day: i32) -> i64 {
        i64::from(day) * 86_400
    }
}
