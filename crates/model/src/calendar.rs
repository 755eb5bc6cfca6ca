//! Calendars and time zones: which local day an instant is in, and how months and years are cut.
//!
//! Must not know of metrics or records; the current time is always handed in.

use crate::value::{date_of, day_of};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    #[default]
    Gregorian,
    SolarHijri,
}

impl Calendar {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "gregorian" => Some(Self::Gregorian),
            "solar_hijri" => Some(Self::SolarHijri),
            _ => None,
        }
    }
    pub fn name(self) -> &'static str {
        match self {
            Self::Gregorian => "gregorian",
            Self::SolarHijri => "solar_hijri",
        }
    }
    /// Year, month 1..=12 and day of month of a day number.
    pub fn parts(self, day: i32) -> (i32, i32, i32) {
        match self {
            Self::Gregorian => {
                let date = date_of(day).unwrap_or(Date::MIN);
                (i32::from(date.year()), i32::from(date.month()), i32::from(date.day()))
            }
            Self::SolarHijri => {
                let date = date_of(day).unwrap_or(Date::MIN);
                let iso = icu_calendar::Date::try_new_iso(i32::from(date.year()), date.month() as u8, date.day() as u8);
                let Ok(iso) = iso else { return (0, 1, 1) };
                let persian = iso.to_calendar(icu_calendar::cal::Persian);
                (persian.year().extended_year(), i32::from(persian.month().ordinal), i32::from(persian.day_of_month().0))
            }
        }
    }
    /// Day number of a calendar date that there is; `None` where the month has no such day.
    pub fn exactly(self, year: i32, month: i32, day_of_month: i32) -> Option<i32> {
        self.day(year, month, day_of_month).filter(|day| self.parts(*day) == (year, month, day_of_month))
    }
    /// Day number of a calendar date; the day is clipped to the month's length.
    pub fn day(self, year: i32, month: i32, day_of_month: i32) -> Option<i32> {
        match self {
            Self::Gregorian => {
                let first = Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
                let last = i32::from(first.days_in_month());
                let date = Date::new(first.year(), first.month(), i8::try_from(day_of_month.clamp(1, last)).ok()?).ok()?;
                Some(day_of(date))
            }
            Self::SolarHijri => {
                let month = u8::try_from(month).ok()?;
                let first = icu_calendar::Date::try_new_persian(year, month, 1).ok()?;
                let last = i32::from(first.days_in_month());
                let date = icu_calendar::Date::try_new_persian(year, month, u8::try_from(day_of_month.clamp(1, last)).ok()?).ok()?;
                let iso = date.to_calendar(icu_calendar::cal::Iso);
                let gregorian = Date::new(
                    i16::try_from(iso.year().extended_year()).ok()?,
                    i8::try_from(iso.month().ordinal).ok()?,
                    i8::try_from(iso.day_of_month().0).ok()?,
                );
                gregorian.ok().map(day_of)
            }
        }
    }
    /// The same calendar day some months away, clipped to the month's length (31 March − 1 month = 28 February).
    pub fn add_months(self, day: i32, months: i32) -> i32 {
        let (year, month, dom) = self.parts(day);
        let index = year * 12 + (month - 1) + months;
        self.day(index.div_euclid(12), index.rem_euclid(12) + 1, dom).unwrap_or(day)
    }
}

/// A workspace's IANA time zone.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone, String);

impl Zone {
    pub fn parse(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(|tz| Self(tz, name.to_string()))
    }
    pub fn utc() -> Self {
        Self(TimeZone::UTC, "UTC".to_string())
    }
    pub fn name(&self) -> &str {
        &self.1
    }
    /// The instant at which a local day begins, in UTC seconds.
    pub fn midnight(&self, day: i32) -> i64 {
        let Some(date) = date_of(day) else { return i64::from(day) * 86_400 };
        date.to_zoned(self.0.clone()).map_or(i64::from(day) * 86_400, |z| z.timestamp().as_second())
    }
    /// The local day that an instant falls in.
    pub fn day(&self, instant: i64) -> i32 {
        Timestamp::from_second(instant).map_or(0, |t| day_of(self.0.to_datetime(t).date()))
    }
    /// The instant of a local wall-clock time.
    pub fn instant(&self, local: jiff::civil::DateTime) -> Option<i64> {
        local.to_zoned(self.0.clone()).ok().map(|z| z.timestamp().as_second())
    }
    pub fn local(&self, instant: i64) -> Option<jiff::civil::DateTime> {
        Timestamp::from_second(instant).ok().map(|t| self.0.to_datetime(t))
    }
}
