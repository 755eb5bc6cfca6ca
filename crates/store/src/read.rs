//! Reading records by id, by external id, and whole tables for facts. No filter ever reaches SQL.

use crate::change::Moment;
use crate::row::{quote, take};
use crate::{Result, Store, StoreError};
use northing_model::{FieldDef, ObjectDef, Record, Value};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

fn select(object: &ObjectDef, fields: &[&FieldDef]) -> String {
    let mut columns = String::new();
    for field in fields {
        columns.push_str(", ");
        columns.push_str(&quote(&field.column()));
        if field.kind.physical() == northing_model::Physical::Money {
            columns.push_str(", ");
            columns.push_str(&quote(&format!("{}__currency", field.column())));
        }
    }
    format!("select id, version, deleted{columns} from {}", quote(&object.name))
}

/// Fields, version and whether it is deleted.
pub(crate) fn row(connection: &Connection, object: &ObjectDef, id: Uuid) -> Result<Option<(Record, u64, bool)>> {
    let fields: Vec<&FieldDef> = object.stored_fields().collect();
    let sql = format!("{} where id = ?1", select(object, &fields));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.to_string()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut record = Record::new();
    let mut at = 3;
    for field in fields {
        let value = take(field, row, &mut at)?;
        if !value.is_null() {
            record.insert(field.name.clone(), value);
        }
    }
    Ok(Some((record, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? != 0)))
}

pub(crate) fn latest_moment(connection: &Connection, object: &ObjectDef, id: Uuid, field: &FieldDef) -> Result<Option<Value>> {
    let text: Option<String> = connection
        .prepare_cached("select value from history where object = ?1 and id = ?2 and field = ?3 order by at desc, seq desc limit 1")?
        .query_row(params![object.name, id.to_string(), field.name], |r| r.get(0))
        .optional()?;
    text.map(|text| kept_value(field, &text)).transpose()
}

/// A value as history keeps it. Money there names its currency, so no default is needed.
fn kept_value(field: &FieldDef, text: &str) -> Result<Value> {
    let corrupt = || StoreError::Corrupt("history".into());
    let json = serde_json::from_str(text).map_err(|_| corrupt())?;
    let unused = northing_model::Currency::parse("EUR").ok_or_else(corrupt)?;
    if northing_model::own::is_own(&field.name) { Ok(field.read_kept(&json, unused)) } else { field.read(&json, unused).map_err(|_| corrupt()) }
}

fn text_of<'r>(row: &'r rusqlite::Row<'_>, column: usize) -> Result<&'r str> {
    row.get_ref(column)?.as_str().map_err(|_| StoreError::Corrupt("history".into()))
}

impl Store {
    /// One record with its version; deleted ones are not found.
    pub fn get(&self, object: &str, id: Uuid) -> Result<(Record, u64)> {
        let model = self.model();
        let missing = || StoreError::NotFound { object: object.to_string(), id: id.to_string() };
        let def = model.object(object).filter(|o| !o.derived).ok_or_else(missing)?;
        let found = self.read(|c| row(c, def, id))?;
        found.filter(|(_, _, deleted)| !deleted).map(|(r, v, _)| (r, v)).ok_or_else(missing)
    }

    /// Several records in the order asked; those that are gone are left out.
    pub fn get_many(&self, object: &str, ids: &[Uuid]) -> Result<Vec<(Uuid, Record, u64)>> {
        let model = self.model();
        let Some(def) = model.object(object).filter(|o| !o.derived) else { return Ok(Vec::new()) };
        self.read(|c| {
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                if let Some((record, version, false)) = row(c, def, *id)? {
                    found.push((*id, record, version));
                }
            }
            Ok(found)
        })
    }

    /// Ids of records by their external id; absent ones give `None`.
    pub fn ids_by_external(&self, object: &str, external: &[String]) -> Result<Vec<Option<Uuid>>> {
        let sql = format!("select id from {} where external_id = ?1 and not deleted", quote(object));
        self.read(|c| {
            let mut statement = c.prepare_cached(&sql)?;
            let mut found = Vec::with_capacity(external.len());
            for key in external {
                let id: Option<String> = statement.query_row([key], |r| r.get(0)).optional()?;
                found.push(id.and_then(|t| Uuid::parse_str(&t).ok()));
            }
            Ok(found)
        })
    }

    /// The titles, which facts do not hold, of the newest records. Nothing for objects whose titles facts hold.
    /// Only those that `sees` lets through are looked at and counted.
    pub fn titles(&self, object: &str, most: usize, sees: impl Fn(Uuid) -> bool) -> Result<Vec<(Uuid, String)>> {
        self.titles_where(object, |title| format!("{title} is not null and not deleted order by rowid desc"), &[], most, sees)
    }

    /// Records whose title, which facts do not hold, begins so; upper and lower case are alike. Nothing for objects
    /// whose titles facts hold. Only those that `sees` lets through are looked at and counted.
    pub fn titled(&self, object: &str, begins: &str, limit: usize, sees: impl Fn(Uuid) -> bool) -> Result<Vec<(Uuid, String)>> {
        let such = |title: &str| format!("{title} >= ?1 collate nocase and {title} < ?2 collate nocase and not deleted order by {title} collate nocase");
        self.titles_where(object, such, &[begins, &format!("{begins}\u{10ffff}")], limit, sees)
    }

    /// Titles that facts do not hold, by a condition on their column.
    fn titles_where(&self, object: &str, such: impl Fn(&str) -> String, values: &[&str], most: usize, sees: impl Fn(Uuid) -> bool) -> Result<Vec<(Uuid, String)>> {
        let model = self.model();
        let Some(title) = model.object(object).and_then(|o| o.field(&o.title)).filter(|f| f.kind == northing_model::FieldType::Text && !f.facts) else { return Ok(Vec::new()) };
        let (table, column) = (quote(object), quote(&title.column()));
        let sql = format!("select id, {column} from {table} where {}", such(&column));
        self.read(|c| {
            let mut statement = c.prepare_cached(&sql)?;
            let mut rows = statement.query(rusqlite::params_from_iter(values))?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id = Uuid::parse_str(row.get_ref(0)?.as_str().map_err(|_| StoreError::Corrupt("id".into()))?).map_err(|_| StoreError::Corrupt("id".into()))?;
                if sees(id) {
                    found.push((id, row.get(1)?));
                }
                if found.len() >= most {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Calls `f` with id, whether it is deleted, and the values of `fields` for every record there ever was.
    pub fn scan(&self, object: &str, fields: &[&FieldDef], mut f: impl FnMut(Uuid, bool, &[Value])) -> Result<()> {
        let model = self.model();
        let Some(def) = model.object(object).filter(|o| !o.derived) else { return Ok(()) };
        let sql = format!("{} order by rowid", select(def, fields));
        self.read(|c| {
            let mut statement = c.prepare(&sql)?;
            let mut rows = statement.query([])?;
            let mut values = Vec::with_capacity(fields.len());
            while let Some(row) = rows.next()? {
                values.clear();
                let mut at = 3;
                for field in fields {
                    values.push(take(field, row, &mut at)?);
                }
                let text = row.get_ref(0)?.as_str().map_err(|_| StoreError::Corrupt("id".into()))?;
                let id = Uuid::parse_str(text).map_err(|_| StoreError::Corrupt("id".into()))?;
                f(id, row.get::<_, i64>(2)? != 0, &values);
            }
            Ok(())
        })
    }

    /// Calls `f` for every moment of an object's records, in the order in which they were entered: with the number of
    /// the log's entry and, where since when is unknown, with when that entry was committed.
    pub fn scan_moments(&self, object: &str, mut f: impl FnMut(Uuid, u64, Option<i64>, Moment)) -> Result<()> {
        let model = self.model();
        let Some(def) = model.object(object) else { return Ok(()) };
        self.read(|c| {
            let mut statement = c.prepare(
                "select id, field, at, value, seq, case when at is null then (select change.at from change where change.seq = history.seq) end
                 from history where object = ?1 order by rowid",
            )?;
            let mut rows = statement.query([object])?;
            while let Some(row) = rows.next()? {
                let Some(field) = def.field(text_of(row, 1)?) else { continue };
                let id = Uuid::parse_str(text_of(row, 0)?).map_err(|_| StoreError::Corrupt("history".into()))?;
                let moment = Moment { field: field.name.clone(), at: row.get(2)?, value: kept_value(field, text_of(row, 3)?)? };
                f(id, row.get::<_, i64>(4)? as u64, row.get(5)?, moment);
            }
            Ok(())
        })
    }

    /// The moments of one record's history fields, in the order in which they were entered.
    pub fn moments(&self, object: &str, id: Uuid) -> Result<Vec<Moment>> {
        let model = self.model();
        let Some(def) = model.object(object) else { return Ok(Vec::new()) };
        self.read(|c| {
            let mut statement = c.prepare_cached("select field, at, value from history where object = ?1 and id = ?2 order by seq")?;
            let mut rows = statement.query(params![object, id.to_string()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                if let Some(field) = def.field(text_of(row, 0)?) {
                    found.push(Moment { field: field.name.clone(), at: row.get(1)?, value: kept_value(field, text_of(row, 2)?)? });
                }
            }
            Ok(found)
        })
    }

    /// The workspace's settings record, once there is one.
    pub fn workspace(&self) -> Result<Option<(Uuid, Record, u64)>> {
        let model = self.model();
        let Some(def) = model.object("workspace") else { return Ok(None) };
        self.read(|c| {
            let id: Option<String> = c
                .prepare_cached("select id from workspace where not deleted order by rowid limit 1")?
                .query_row([], |r| r.get(0))
                .optional()?;
            let Some(id) = id.and_then(|t| Uuid::parse_str(&t).ok()) else { return Ok(None) };
            Ok(row(c, def, id)?.map(|(record, version, _)| (id, record, version)))
        })
    }

    pub(crate) fn workspace_text(&self, field: &str) -> Option<String> {
        self.workspace().ok().flatten().and_then(|(_, r, _)| r.get(field).and_then(Value::as_text).map(str::to_string))
    }

    /// `ok`, or what SQLite finds wrong with the file.
    pub fn integrity(&self) -> Result<String> {
        self.read(|c| Ok(c.query_row("pragma integrity_check", [], |r| r.get(0))?))
    }

    /// Entries that the change log lacks between its first and its last.
    pub fn gaps(&self) -> Result<u64> {
        self.read(|c| Ok(c.query_row("select coalesce(max(seq), 0) - count(*) from change", [], |r| r.get::<_, i64>(0))?.unsigned_abs()))
    }

    /// Records that are not deleted.
    pub fn count(&self, object: &str) -> Result<u64> {
        let sql = format!("select count(*) from {} where not deleted", quote(object));
        self.read(|c| Ok(c.query_row(&sql, [], |r| r.get::<_, i64>(0))? as u64))
    }
}
