//! An immutable view of all facts at one `seq`. Everything on one screen is read from one snapshot.

use crate::fx::Fx;
use crate::settings::Settings;
use crate::table::Table;
use northing_model::Model;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Snapshot {
    pub seq: u64,
    pub model: Arc<Model>,
    pub settings: Settings,
    pub fx: Fx,
    pub tables: Vec<Table>,
}

impl Snapshot {
    pub fn table_index(&self, name: &str) -> Option<usize> {
        self.model.object_index(name)
    }
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.table_index(name).map(|i| &self.tables[i])
    }
    /// The row of a record, by search; facts keep their index to themselves.
    pub fn row_of(&self, table: usize, id: Uuid) -> Option<u32> {
        let mut first = 0;
        for chunk in &self.tables.get(table)?.chunks {
            if let Some(at) = chunk.ids.iter().position(|i| *i == id) {
                return Some(first + at as u32);
            }
            first += chunk.flags.len() as u32;
        }
        None
    }
    /// What a row is called: its title field, following references, else its id.
    pub fn title(&self, table: usize, row: u32) -> String {
        let source = &self.tables[table];
        if let Some(column) = source.schema.column(&source.schema.title) {
            let meta = &source.schema.columns[column];
            if let (Some(target), Ok(other)) = (meta.target, u32::try_from(source.get(column, row))) {
                return self.title(target, other);
            }
            if let Some(text) = source.text(column, row) {
                return text.to_string();
            }
        }
        source.id(row).map_or_else(|| format!("#{row}"), |id| id.to_string())
    }
    /// Bytes that the columns take.
    pub fn bytes(&self) -> usize {
        self.tables.iter().map(Table::bytes).sum()
    }
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|t| u64::from(t.len)).sum()
    }
}
