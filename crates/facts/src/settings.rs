//! The workspace's settings as facts and metrics need them.

use northing_model::{Calendar, Currency, Record, Value, Zone};

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
    pub activity_window_days: i64,
    pub conversion_window_days: i64,
    pub stage_window_days: i64,
    pub renewal_grace_days: i64,
    pub new_customer_days: i64,
    pub lifespan_cap_years: i64,
}

impl Settings {
    /// Settings from the workspace record, with the declared defaults where it is silent.
    pub fn from_record(record: &Record) -> Self {
        let text = |key: &str| record.get(key).and_then(Value::as_text);
        let int = |key: &str, default: i64| record.get(key).and_then(Value::as_int).unwrap_or(default);
        let fallback = Currency::parse("EUR");
        Self {
            name: text("name").unwrap_or("Northing").to_string(),
            zone: text("zone").and_then(Zone::parse).unwrap_or_else(Zone::utc),
            currency: text("currency").and_then(Currency::parse).or(fallback).unwrap_or_else(|| unreachable!("EUR is a currency")),
            calendar: text("calendar").and_then(Calendar::parse).unwrap_or_default(),
            week_start: int("week_start", 0) as i32,
            purchases_are_deals: text("purchases") == Some("deals"),
            free_orders_count: record.get("free_orders_count").is_some_and(Value::is_true),
            activity_window_days: int("activity_window_days", 365),
            conversion_window_days: int("conversion_window_days", 90),
            stage_window_days: int("stage_window_days", 90),
            renewal_grace_days: int("renewal_grace_days", 30),
            new_customer_days: int("new_customer_days", 0),
            lifespan_cap_years: int("lifespan_cap_years", 5),
        }
    }
    /// A setting by name in its own unit; what metric definitions and expressions refer to.
    pub fn number(&self, name: &str) -> Option<i64> {
        Some(match name {
            "activity_window_days" => self.activity_window_days,
            "conversion_window_days" => self.conversion_window_days,
            "stage_window_days" => self.stage_window_days,
            "renewal_grace_days" => self.renewal_grace_days,
            "new_customer_days" => self.new_customer_days,
            "lifespan_cap_years" => self.lifespan_cap_years,
            _ => return None,
        })
    }
    pub fn purchase_table(&self) -> &'static str {
        if self.purchases_are_deals { "deal" } else { "order" }
    }
}
