//! What a record must meet, for every writer alike, inside the transaction that writes it. What the conditions are is
//! declared with the objects; this must not know any object.

use crate::Result;
use crate::fill::{follow, workspace};
use crate::write::invalid;
use northing_model::expr::{Reader, evaluate};
use northing_model::field::Names;
use northing_model::{Expr, MetricKind, Model, ObjectDef, Record, Value, Zone};
use rusqlite::Connection;

/// A record as it is about to be written.
pub(crate) struct Written<'a> {
    pub connection: &'a Connection,
    pub model: &'a Model,
    pub object: &'a ObjectDef,
    pub record: &'a Record,
    /// The fields that are written; all of a new record.
    pub touched: &'a dyn Fn(&str) -> bool,
    pub at: i64,
}

impl Written<'_> {
    /// Refuses what is known not to meet a condition of its object, or names what there is not.
    pub fn check(&self) -> Result<()> {
        for check in &self.object.checks {
            let holds = Expr::parse(&check.holds).map_err(|e| invalid(self.object, &check.field, e))?;
            let spoken_of = holds.paths().iter().any(|p| p.first().is_some_and(|step| (self.touched)(step)));
            if spoken_of && evaluate(&holds, self) == Value::Bool(false) {
                return Err(invalid(self.object, &check.field, check.says.as_str()));
            }
        }
        for field in self.object.stored_fields().filter(|f| (self.touched)(&f.name)) {
            match (field.names, self.text(&field.name)) {
                (Some(Names::Metric), Some(name)) => self.metric(&field.name, name)?,
                (Some(Names::Variant), Some(name)) => {
                    let of = self.object.stored_fields().find(|f| f.names == Some(Names::Metric)).and_then(|f| self.text(&f.name)).unwrap_or_default();
                    if self.model.metrics.get(of).is_some_and(|def| !def.variants.contains_key(name)) {
                        return Err(invalid(self.object, &field.name, format!("the metric '{of}' has no variant '{name}'")));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.record.get(name).and_then(Value::as_text)
    }

    fn metric(&self, field: &str, name: &str) -> Result<()> {
        match self.model.metrics.get(name).map(|def| def.kind) {
            None => Err(invalid(self.object, field, format!("there is no metric '{name}'; choose one of the catalogue"))),
            Some(MetricKind::Goal) => Err(invalid(self.object, field, format!("the metric '{name}' is made of goals and cannot be one"))),
            Some(_) => Ok(()),
        }
    }
}

impl Reader for Written<'_> {
    fn read(&self, path: &[String]) -> Value {
        follow(self.connection, self.model, self.object, self.record, &path.join(".")).unwrap_or_default()
    }
    fn now(&self) -> i64 {
        self.at
    }
    /// Settings play no part in what a record may be: it would stop being so when they change.
    fn setting(&self, _: &str) -> i64 {
        0
    }
    fn midnight(&self, day: i32) -> i64 {
        let zone = workspace(self.connection, "zone").ok().flatten().and_then(|z| Zone::parse(&z));
        zone.unwrap_or_else(Zone::utc).midnight(day)
    }
}
