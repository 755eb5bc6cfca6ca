//! An immutable view of all facts at one `seq`. Everything on one screen is read from one snapshot.

use crate::fx::Fx;
use crate::measures::Schedules;
use crate::settings::Settings;
use crate::table::Table;
use crate::view::View;
use northing_model::Model;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The last entry of the log that was looked at.
    pub seq: u64,
    /// The same as the asker may know it: of a view, how many entries reached it.
    pub shown: u64,
    pub view: Option<Arc<View>>,
    pub model: Arc<Model>,
    pub settings: Settings,
    pub fx: Fx,
    pub schedules: Arc<Schedules>,
    pub tables: Vec<Table>,
}

impl Snapshot {
    pub fn table_index(&self, name: &str) -> Option<usize> {
        self.model.object_index(name)
    }
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.table_index(name).map(|i| &self.tables[i])
    }
    /// The table and the row of a record.
    pub fn place_of(&self, object: &str, id: Uuid) -> Option<(usize, u32)> {
        let table = self.table_index(object)?;
        Some((table, self.row_of(table, id)?))
    }
    /// The rows of those among some records that are there and may be seen, in one pass.
    pub fn rows_of(&self, object: &str, ids: &HashSet<Uuid>) -> HashMap<Uuid, u32> {
        let Some(table) = self.table_index(object).map(|t| &self.tables[t]).filter(|_| !ids.is_empty()) else { return HashMap::new() };
        let here = crate::table::EXISTS | crate::table::SEEN;
        let own = (0..table.len).filter(|row| table.flags(*row) & here == here);
        own.filter_map(|row| table.id(row).filter(|id| ids.contains(id)).map(|id| (id, row))).collect()
    }
    /// The row of a record, by search; facts keep their index to themselves.
    pub fn row_of(&self, table: usize, id: Uuid) -> Option<u32> {
        let mut first = 0;
        for chunk in &self.tables.get(table)?.chunks {
            let likely = chunk.span.is_some_and(|(least, most)| (least..=most).contains(&id));
            if let Some(at) = chunk.ids.iter().filter(|_| likely).position(|i| *i == id) {
                return Some(first + at as u32);
            }
            first += chunk.flags.len() as u32;
        }
        None
    }
    /// Is a record of one of these users, by the references that say whose it is?
    pub fn is_of(&self, table: usize, row: u32, users: &BTreeSet<Uuid>) -> bool {
        let object = &self.model.objects[table];
        let reference = |name: &String| {
            let column = self.tables[table].schema.column(name)?;
            Some((self.tables[table].schema.columns[column].target?, u32::try_from(self.tables[table].get(column, row)).ok()?))
        };
        match object.whose.iter().find_map(reference) {
            Some((to, who)) if self.model.objects[to].name == "user" => self.tables[to].id(who).is_some_and(|id| users.contains(&id)),
            Some((to, other)) if to != table => self.is_of(to, other, users),
            _ => false,
        }
    }
    /// What a row is called: its title field, following references, else its id.
    pub fn title(&self, table: usize, row: u32) -> String {
        let source = &self.tables[table];
        if self.view.is_some() && source.flags(row) & crate::table::SEEN == 0 {
            // Somebody else's: that it is there, its reference says already.
            return "…".into();
        }
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

/// Where two snapshots disagree about what counts: rows by record id, columns by what they hold. Row numbers
/// and dictionary codes may differ; meanings must not.
pub fn differences(a: &Snapshot, b: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    for (t, table) in a.tables.iter().enumerate() {
        let (left, right) = (described(a, t), described(b, t));
        let name = &table.schema.name;
        for (key, row) in &left {
            match right.get(key) {
                None => found.push(format!("{name} {key} is missing")),
                Some(other) if other != row => {
                    let column = row.iter().zip(other).find(|(x, y)| x != y);
                    found.push(format!("{name} {key}: {column:?}"));
                }
                Some(_) => {}
            }
        }
        found.extend(right.keys().filter(|k| !left.contains_key(*k)).map(|k| format!("{name} {k} is too many")));
    }
    found
}

/// Rows that exist, by id (derived rows by all they hold), with every column in words.
fn described(s: &Snapshot, table: usize) -> std::collections::BTreeMap<String, Vec<String>> {
    let source = &s.tables[table];
    let mut rows = std::collections::BTreeMap::new();
    for row in 0..source.len {
        let flags = source.flags(row);
        if flags & crate::table::EXISTS == 0 {
            continue;
        }
        let mut cells = vec![format!("flags={flags}")];
        for (c, meta) in source.schema.columns.iter().enumerate() {
            let value = source.get(c, row);
            let words = match (meta.target, u32::try_from(value)) {
                (Some(target), Ok(other)) => s.tables[target].id(other).map_or_else(|| other.to_string(), |id| id.to_string()),
                _ if meta.name.ends_with("__cur") => s.fx.currency(value).map_or_else(String::new, |c| c.to_string()),
                _ => source.text(c, row).filter(|_| meta.dict.is_some()).map_or_else(|| value.to_string(), |t| t.to_string()),
            };
            cells.push(format!("{}={words}", meta.name));
        }
        let key = source.id(row).map_or_else(|| cells.join(" "), |id| id.to_string());
        rows.insert(key, cells);
    }
    rows
}
