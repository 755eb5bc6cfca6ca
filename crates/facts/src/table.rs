//! A table: a schema and chunks of columns. Row numbers are stable for a record's life.
//!
//! Chunks are shared with snapshots and copied when written; must not know how values are derived.

use crate::column::{Column, NULL, Width};
use crate::search::{Folded, Form};
use northing_model::money::TICKS;
use northing_model::{FieldType, Model, ObjectDef, Physical};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use uuid::Uuid;

/// One numbering for the whole process: facts that were rebuilt must never carry a version that others had,
/// or partial results of the old ones would be taken for theirs.
static VERSIONS: AtomicU64 = AtomicU64::new(1);

/// Rows in a chunk.
pub const CHUNK: usize = 1 << 15;
const SHIFT: u32 = 15;

/// The record exists (is not deleted).
pub const EXISTS: u8 = 1;
/// Its own fields do not leave it out of KPIs (test, spam).
pub const FIT: u8 = 2;
/// It counts: fit, not merged away, and its customer counts too.
pub const COUNTED: u8 = 4;
/// Was written from a record, deleted ones included; others are only referred to.
pub const SEEN: u8 = 8;

/// Texts of a column by code. Only grows, so snapshots share it.
#[derive(Debug, Default)]
pub struct Dict {
    inner: RwLock<DictInner>,
    /// The texts as they are searched; made when first asked for.
    /// For searching: of a phone's column its digits, of others the folded texts.
    folded: RwLock<Arc<Folded>>,
    lower: RwLock<Arc<Folded>>,
    ranks: RwLock<Ranks>,
}

/// The place of each code among all texts in their order, as far as that was asked for.
#[derive(Debug, Default)]
struct Ranks {
    order: Vec<u32>,
    ranks: Arc<Vec<u32>>,
}

#[derive(Debug, Default)]
struct DictInner {
    /// Shared with whoever reads at the moment: no lock is held while texts are looked through.
    texts: Arc<Vec<Arc<str>>>,
    codes: HashMap<Arc<str>, u32>,
}

impl Dict {
    pub fn code(&self, text: &str) -> Option<u32> {
        self.inner.read().ok()?.codes.get(text).copied()
    }
    pub fn intern(&self, text: &str) -> u32 {
        if let Some(code) = self.code(text) {
            return code;
        }
        let Ok(mut inner) = self.inner.write() else { return crate::NONE };
        let code = inner.texts.len() as u32;
        let shared: Arc<str> = text.into();
        Arc::make_mut(&mut inner.texts).push(shared.clone());
        inner.codes.insert(shared, code);
        code
    }
    pub fn text(&self, code: u32) -> Option<Arc<str>> {
        self.inner.read().ok()?.texts.get(code as usize).cloned()
    }
    pub fn len(&self) -> usize {
        self.inner.read().map_or(0, |i| i.texts.len())
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The texts laid one after another, new ones included.
    pub fn laid(&self, form: Form) -> Arc<Folded> {
        let texts = self.all();
        let place = if form == Form::Lower { &self.lower } else { &self.folded };
        if let Ok(mut laid) = place.write() {
            if laid.len() < texts.len() {
                let own = Arc::make_mut(&mut laid);
                texts[own.len()..].iter().for_each(|text| own.push(text, form));
            }
            return laid.clone();
        }
        Arc::default()
    }
    /// By code, which place a text has among all in their order. New texts are put between the others.
    pub fn ranks(&self) -> Arc<Vec<u32>> {
        let texts = self.all();
        let Ok(mut held) = self.ranks.write() else { return Arc::default() };
        let known = held.order.len();
        if known < texts.len() {
            let text = |code: u32| &texts[code as usize];
            let mut new: Vec<u32> = (known as u32..texts.len() as u32).collect();
            new.par_sort_unstable_by(|a, b| text(*a).cmp(text(*b)));
            let old = std::mem::take(&mut held.order);
            let mut order = Vec::with_capacity(texts.len());
            let mut taken = 0;
            for code in new {
                let place = taken + old[taken..].partition_point(|o| text(*o) < text(code));
                order.extend_from_slice(&old[taken..place]);
                order.push(code);
                taken = place;
            }
            order.extend_from_slice(&old[taken..]);
            let mut ranks = vec![0; order.len()];
            order.iter().enumerate().for_each(|(rank, code)| ranks[*code as usize] = rank as u32);
            *held = Ranks { order, ranks: Arc::new(ranks) };
        }
        held.ranks.clone()
    }
    /// All texts by their code, as they are now.
    pub fn all(&self) -> Arc<Vec<Arc<str>>> {
        self.inner.read().map(|i| i.texts.clone()).unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub struct ColumnMeta {
    pub name: String,
    pub kind: FieldType,
    pub width: Width,
    /// The table that row numbers point into.
    pub target: Option<usize>,
    pub dict: Option<Arc<Dict>>,
    pub options: Arc<Vec<String>>,
    /// The column whose band this one holds, and the edges as that column holds numbers.
    pub band: Option<(usize, Arc<Vec<i64>>)>,
}

#[derive(Debug)]
pub struct Schema {
    pub name: String,
    pub derived: bool,
    pub title: String,
    pub columns: Vec<ColumnMeta>,
    by_name: HashMap<String, usize>,
}

impl Schema {
    pub fn of(model: &Model, object: &ObjectDef) -> Self {
        let mut columns = Vec::new();
        let mut add = |name: String, kind: FieldType, to: Option<&String>, options: &[String]| {
            let width = match kind.physical() {
                _ if name.ends_with("__cur") => Width::Code,
                Physical::Ref | Physical::Bool | Physical::Text => Width::Code,
                _ => Width::Number,
            };
            let has_dict = kind.physical() == Physical::Text && kind != FieldType::Choice;
            columns.push(ColumnMeta {
                name,
                kind,
                width,
                target: to.and_then(|t| model.object_index(t)),
                dict: has_dict.then(Arc::default),
                options: Arc::new(options.to_vec()),
                band: None,
            });
        };
        for field in object.fields.values().filter(|f| f.facts && f.kind.physical() != Physical::List) {
            add(field.name.clone(), field.kind, field.to.as_ref(), &field.options);
            if field.kind == FieldType::Money {
                // As entered: ticks of its own currency, and which one.
                add(format!("{}__raw", field.name), FieldType::Int, None, &[]);
                add(format!("{}__cur", field.name), FieldType::Percent, None, &[]);
            }
        }
        let by_name: HashMap<String, usize> = columns.iter().enumerate().map(|(i, c)| (c.name.clone(), i)).collect();
        for (field, band) in object.fields.values().filter_map(|f| Some((f, f.band.as_ref()?))) {
            if let (Some(own), Some(of)) = (by_name.get(&field.name), by_name.get(&band.of)) {
                let unit = if columns[*of].kind == FieldType::Money { TICKS } else { 1 };
                columns[*own].band = Some((*of, Arc::new(band.edges.iter().map(|e| e * unit).collect())));
            }
        }
        Self { name: object.name.clone(), derived: object.derived, title: object.title.clone(), columns, by_name }
    }
    pub fn column(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}

#[derive(Debug, Clone)]
pub struct Chunk {
    pub columns: Vec<Column>,
    pub flags: Vec<u8>,
    /// Record ids; empty in derived tables.
    pub ids: Vec<Uuid>,
    /// The least and the greatest of them: ids grow with time, so most chunks need not be looked through for one.
    pub span: Option<(Uuid, Uuid)>,
    /// Changes whenever anything in the chunk does; keys cached partial results.
    pub version: u64,
    /// Smallest and largest value of each number column, nulls aside; (1, 0) when all are null.
    pub ranges: Vec<(i64, i64)>,
    pub dirty: bool,
}

#[derive(Debug, Clone)]
pub struct Table {
    pub schema: Arc<Schema>,
    pub chunks: Vec<Arc<Chunk>>,
    pub len: u32,
    /// Rows that exist; lists show that many.
    pub existing: u32,
}

impl Table {
    pub fn new(schema: Arc<Schema>) -> Self {
        Self { schema, chunks: Vec::new(), len: 0, existing: 0 }
    }
    pub fn get(&self, column: usize, row: u32) -> i64 {
        self.chunks[(row >> SHIFT) as usize].columns[column].get(row as usize & (CHUNK - 1))
    }
    /// Grows with every change of the table; numbered for the whole process, so no two states share one.
    pub fn version(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.version).max().unwrap_or(0)
    }
    pub fn flags(&self, row: u32) -> u8 {
        self.chunks[(row >> SHIFT) as usize].flags[row as usize & (CHUNK - 1)]
    }
    pub fn id(&self, row: u32) -> Option<Uuid> {
        self.chunks.get((row >> SHIFT) as usize)?.ids.get(row as usize & (CHUNK - 1)).copied()
    }
    pub fn text(&self, column: usize, row: u32) -> Option<Arc<str>> {
        let code = u32::try_from(self.get(column, row)).ok()?;
        let meta = &self.schema.columns[column];
        match &meta.dict {
            Some(dict) => dict.text(code),
            None => meta.options.get(code as usize).map(|o| o.as_str().into()),
        }
    }
    pub fn set(&mut self, column: usize, row: u32, value: i64) {
        let at = (row >> SHIFT) as usize;
        let local = row as usize & (CHUNK - 1);
        if self.chunks[at].columns[column].get(local) == value {
            return;
        }
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        chunk.columns[column].set(local, value);
        chunk.dirty = true;
    }
    pub fn set_flags(&mut self, row: u32, flags: u8) {
        let at = (row >> SHIFT) as usize;
        let local = row as usize & (CHUNK - 1);
        let old = self.chunks[at].flags[local];
        if old == flags {
            return;
        }
        self.existing = self.existing + u32::from(flags & EXISTS) - u32::from(old & EXISTS);
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        chunk.flags[local] = flags;
        chunk.dirty = true;
    }
    /// Appends a row of nulls.
    pub fn push(&mut self, id: Option<Uuid>) -> u32 {
        let row = self.len;
        if row as usize % CHUNK == 0 {
            self.chunks.push(Arc::new(Chunk {
                columns: self.schema.columns.iter().map(|c| Column::new(c.width)).collect(),
                flags: Vec::new(),
                ids: Vec::new(),
                span: None,
                version: 0,
                ranges: Vec::new(),
                dirty: true,
            }));
        }
        if let Some(last) = self.chunks.last_mut() {
            let chunk = Arc::make_mut(last);
            for column in &mut chunk.columns {
                column.push(NULL);
            }
            chunk.flags.push(0);
            if let Some(id) = id {
                chunk.ids.push(id);
                chunk.span = Some(chunk.span.map_or((id, id), |(least, most)| (least.min(id), most.max(id))));
            }
            chunk.dirty = true;
        }
        self.len += 1;
        row
    }
    /// Gives changed chunks a new version and measures their ranges.
    pub fn seal(&mut self) {
        for chunk in self.chunks.iter_mut().filter(|c| c.dirty) {
            let chunk = Arc::make_mut(chunk);
            chunk.version = VERSIONS.fetch_add(1, Ordering::Relaxed);
            chunk.dirty = false;
            for (column, (of, edges)) in self.schema.columns.iter().enumerate().filter_map(|(c, meta)| Some((c, meta.band.as_ref()?))) {
                chunk.columns[column] = chunk.columns[*of].banded(edges);
            }
            chunk.columns.iter_mut().for_each(Column::narrow);
            chunk.ranges = chunk.columns.iter().map(Column::range).collect();
        }
    }
    pub fn bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.columns.iter().map(Column::bytes).sum::<usize>() + c.flags.len() + c.ids.len() * 16).sum()
    }
}
