//! The workspace's settings as facts and metrics need them. Their defaults stand in the model.

use northing_model::{Calendar, Currency, FieldType, Model, Record, Value, Zone};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Purchases,
    Bookings,
    Engagement,
}

#[derive(Debug, Clone)]
pub struct Settings {
    pub name: String,
    pub zone: Zone,
    pub currency: Currency,
    pub calendar: Calendar,
    /// 0 = Monday.
    pub week_start: i32,
    pub purchases_are_deals: bool,
    pub free_orders_count: bool,
    /// What keeps a customer without a contract active.
    pub activity: Activity,
    /// Whole numbers, days as day numbers, decimals in millionths; absent where nobody said.
    numbers: BTreeMap<String, i64>,
    /// Those whose number counts millionths.
    decimals: BTreeSet<String>,
}

/// The numbers that rows are worked out with; the others are read by questions alone, each time anew.
const IN_ROWS: [&str; 9] = ["win_back_days", "renewal_grace_days", "service_minute_cost", "first_contact_days", "stall_days", "email_window_days", "lead_response_target_mins", "new_customer_days", "activity_window_days"];

impl Settings {
    /// Would every row be worked out the same with those?
    pub fn same_rows(&self, other: &Self) -> bool {
        let kinds = |s: &Self| (s.currency, s.purchases_are_deals, s.free_orders_count, s.activity);
        self.zone.name() == other.zone.name() && kinds(self) == kinds(other) && IN_ROWS.iter().all(|name| self.number(name) == other.number(name))
    }

    /// Settings from the workspace record, with the declared defaults where it is silent.
    pub fn from_record(model: &Model, record: &Record) -> Self {
        let text = |key: &str| record.get(key).and_then(Value::as_text);
        let fallback = Currency::parse("EUR");
        let currency = text("currency").and_then(Currency::parse).or(fallback).unwrap_or_else(|| unreachable!("EUR is a currency"));
        let (mut numbers, mut decimals) = (BTreeMap::new(), BTreeSet::new());
        for field in model.object("workspace").into_iter().flat_map(|o| o.stored_fields()) {
            let default = || field.default.as_ref().and_then(|d| field.read(d, currency).ok());
            let value = record.get(&field.name).filter(|v| !v.is_null()).cloned().or_else(default);
            if field.kind == FieldType::Decimal {
                decimals.insert(field.name.clone());
            }
            match (field.kind, value) {
                (FieldType::Int | FieldType::Decimal, Some(Value::Int(n) | Value::Decimal(n))) => drop(numbers.insert(field.name.clone(), n)),
                (FieldType::Date, Some(Value::Date(day))) => drop(numbers.insert(field.name.clone(), i64::from(day))),
                _ => {}
            }
        }
        Self {
            name: text("name").unwrap_or("Northing").to_string(),
            zone: text("zone").and_then(Zone::parse).unwrap_or_else(Zone::utc),
            currency,
            calendar: text("calendar").and_then(Calendar::parse).unwrap_or_default(),
            week_start: numbers.get("week_start").copied().unwrap_or(0) as i32,
            purchases_are_deals: text("purchases") == Some("deals"),
            activity: match text("activity") {
                Some("bookings") => Activity::Bookings,
                Some("engagement") => Activity::Engagement,
                _ => Activity::Purchases,
            },
            free_orders_count: record.get("free_orders_count").is_some_and(Value::is_true),
            numbers,
            decimals,
        }
    }
    /// A setting by name in its own unit; what metric definitions and expressions refer to.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.numbers.get(name).copied()
    }
    /// All of them by name.
    pub fn numbers(&self) -> &BTreeMap<String, i64> {
        &self.numbers
    }
    /// A setting as formulas take it.
    pub fn value(&self, name: &str) -> Option<f64> {
        let number = *self.numbers.get(name)? as f64;
        Some(if self.decimals.contains(name) { number / 1e6 } else { number })
    }
    /// A setting in days as seconds; 0 where there is none.
    pub fn days(&self, name: &str) -> i64 {
        self.number(name).unwrap_or(0) * 86_400
    }
    pub fn purchase_table(&self) -> &'static str {
        if self.purchases_are_deals { "deal" } else { "order" }
    }
}
