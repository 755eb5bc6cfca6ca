//! What a row tells of a record beside its fields: since when they have their values, and what could not be read.

use super::convert::{Fault, Fields, column_of};
use super::plan::{Make, MomentPlan, Source};
use super::report::Reject;
use super::run::Run;
use northing_model::Record;
use northing_store::Moment;
use uuid::Uuid;

impl Run<'_> {
    pub(super) fn keep_findable(&mut self, id: Uuid) {
        self.waiting.entry(id).or_default();
    }

    pub(super) fn leave_out(&mut self, row: &Fields<'_>, fault: Fault) {
        self.left.push(Reject { file: self.name.clone(), row: row.number, column: fault.column, reason: fault.reason, values: row.values.to_vec() });
    }

    /// When history fields took their values.
    pub(super) fn moments(&mut self, make: &Make, object: &northing_model::ObjectDef, row: &Fields<'_>, fields: &Record) -> std::result::Result<Vec<Moment>, Fault> {
        let mut moments = Vec::new();
        for plan in &make.moment {
            let Some(field) = object.field(&plan.field) else { continue };
            if !row.holds(&plan.when)? {
                continue;
            }
            let value = self.field(row, field, &plan.value, fields)?;
            if plan.closed && !self.closes(&make.object, &plan.field, &value).map_err(|e| Fault::new("", e.to_string()))? {
                continue;
            }
            match self.at(row, plan) {
                // Without an instant, whoever makes the record says that it is of an unknown beginning.
                Ok(None) if plan.closed => {}
                Ok(at) => moments.push(Moment { field: plan.field.clone(), at, value }),
                Err(fault) if plan.closed => self.leave_out(row, fault),
                Err(fault) => return Err(fault),
            }
        }
        Ok(moments)
    }

    fn at(&self, row: &Fields<'_>, plan: &MomentPlan) -> std::result::Result<Option<i64>, Fault> {
        let reading = self.reading();
        let text = reading.text(row, &plan.at)?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let own = if let Source::Full(f) = &plan.at { f.format.as_deref() } else { None };
        let at = reading.instant(text.trim(), own.or(reading.dates)).map_err(|reason| Fault::new(column_of(&plan.at), reason))?;
        Ok(Some(at + reading.later(row, &plan.at)?))
    }
}
