//! What other records are measured by: exchange rates and opening hours, read before anything is derived.

use crate::column::NULL;
use crate::{Facts, Result};
use northing_model::{FieldDef, Record, Schedule, Value, Zone};
use northing_store::Store;
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

/// Opening hours by the row of their record.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    known: HashMap<u32, Schedule>,
}

impl Schedules {
    /// The version of a schedule that was in force at an instant (the one named, if none was yet).
    pub fn at(&self, row: i64, at: i64) -> Option<&Schedule> {
        let named = self.known.get(&u32::try_from(row).ok()?)?;
        let versions = self.known.values().filter(|s| s.name == named.name && s.valid_from <= s.zone.day(at));
        versions.max_by_key(|s| s.valid_from).or(Some(named))
    }
}

impl Facts {
    pub(crate) fn load_rates(&mut self, store: &Store) -> Result<()> {
        let Some(object) = self.model.object("fx_rate").cloned() else { return Ok(()) };
        let fields: Vec<&FieldDef> = ["currency", "on", "rate"].iter().filter_map(|f| object.field(f)).collect();
        let mut found = Vec::new();
        store.scan("fx_rate", &fields, |_, deleted, v| {
            if deleted {
                return;
            }
            found.push(Record::from([("currency".into(), v[0].clone()), ("on".into(), v[1].clone()), ("rate".into(), v[2].clone())]));
        })?;
        for rate in &found {
            self.add_rate(rate);
        }
        Ok(())
    }

    pub(crate) fn load_schedules(&mut self, store: &Store) -> Result<()> {
        let Some(object) = self.model.object("schedule").cloned() else { return Ok(()) };
        let names = ["name", "zone", "valid_from", "hours", "holidays"];
        let fields: Vec<&FieldDef> = names.iter().filter_map(|f| object.field(f)).collect();
        let mut found = Vec::new();
        store.scan("schedule", &fields, |id, deleted, values| {
            if !deleted {
                found.push((id, names.iter().map(|n| (*n).to_string()).zip(values.iter().cloned()).collect::<Record>()));
            }
        })?;
        for (id, record) in &found {
            self.add_schedule(*id, record);
        }
        Ok(())
    }

    /// Hours that cannot be read are as if there was no schedule: every hour counts.
    pub(crate) fn add_schedule(&mut self, id: Uuid, record: &Record) {
        let Some(table) = self.model.object_index("schedule") else { return };
        let row = self.row(table, id);
        let text = |key: &str| record.get(key).and_then(Value::as_text);
        let zone = text("zone").and_then(Zone::parse).unwrap_or_else(|| self.settings.zone.clone());
        let from = match record.get("valid_from") {
            Some(Value::Date(day)) => *day,
            _ => i32::MIN,
        };
        if let Ok(schedule) = Schedule::parse(text("name").unwrap_or_default(), zone, from, text("hours"), text("holidays")) {
            Arc::make_mut(&mut self.schedules).known.insert(row, schedule);
        }
    }

    /// Seconds from one instant to another by a schedule's hours, all of them without one; null where either is.
    pub(crate) fn business_secs(&self, schedule: i64, from: i64, to: i64) -> i64 {
        match self.schedules.at(schedule, from) {
            _ if from == NULL || to == NULL => NULL,
            Some(hours) => hours.seconds(from, to),
            None => to - from,
        }
    }

    pub(crate) fn add_rate(&mut self, record: &Record) {
        let currency = record.get("currency").and_then(Value::as_text).and_then(northing_model::Currency::parse);
        let (on, rate) = (record.get("on").and_then(Value::as_int), record.get("rate").and_then(Value::as_int));
        if let (Some(currency), Some(on), Some(rate)) = (currency, on, rate) {
            self.fx.add_rate(currency, on as i32, rate);
        }
    }
}
