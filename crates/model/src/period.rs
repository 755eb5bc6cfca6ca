//! Periods: half-open runs of whole local days, cut by grain, and their earlier counterparts.
//!
//! Must not know of metrics. Days are local to the workspace; only `Zone` turns them into instants.

use crate::Calendar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    Day,
    Week,
    Month,
    Quarter,
    Year,
    /// The whole range as one bucket.
    Total,
}

impl Grain {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "day" => Self::Day,
            "week" => Self::Week,
            "month" => Self::Month,
            "quarter" => Self::Quarter,
            "year" => Self::Year,
            "total" => Self::Total,
            _ => return None,
        })
    }
}

/// [start, end) in day numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    pub start: i32,
    pub end: i32,
}

impl Period {
    /// Cuts the range at the calendar's unit borders; the first and last piece are clipped to the range.
    pub fn cut(self, grain: Grain, calendar: Calendar, week_start: i32) -> Vec<Period> {
        let mut pieces = Vec::new();
        let mut at = self.start;
        while at < self.end {
            let next = match grain {
                Grain::Total => self.end,
                Grain::Day => at + 1,
                Grain::Week => at + 7 - (weekday(at) - week_start).rem_euclid(7),
                Grain::Month => unit_end(calendar, at, 1),
                Grain::Quarter => unit_end(calendar, at, 3),
                Grain::Year => unit_end(calendar, at, 12),
            };
            let next = next.min(self.end).max(at + 1);
            pieces.push(Period { start: at, end: next });
            at = next;
        }
        pieces
    }

    /// Length in whole calendar months, if both borders fall on the same day of a month.
    pub fn whole_months(self, calendar: Calendar) -> Option<i32> {
        let (y0, m0, d0) = calendar.parts(self.start);
        let (y1, m1, d1) = calendar.parts(self.end);
        let months = (y1 - y0) * 12 + m1 - m0;
        (d0 == d1 && months > 0).then_some(months)
    }

    /// The range of the same calendar length just before this one.
    pub fn previous(self, calendar: Calendar) -> Period {
        self.before(self, calendar)
    }

    /// A piece of this range as it lies in the range just before: moved by whole months where this range is
    /// whole months long, else by days.
    pub fn before(self, piece: Period, calendar: Calendar) -> Period {
        match self.whole_months(calendar) {
            Some(months) => Period { start: calendar.add_months(piece.start, -months), end: calendar.add_months(piece.end, -months) },
            None => {
                let days = self.end - self.start;
                Period { start: piece.start - days, end: piece.end - days }
            }
        }
    }

    /// The same calendar days one year earlier.
    pub fn year_before(self, calendar: Calendar) -> Period {
        Period { start: calendar.add_months(self.start, -12), end: calendar.add_months(self.end, -12) }
    }
}

/// 0 = Monday.
pub fn weekday(day: i32) -> i32 {
    (day + 3).rem_euclid(7)
}

fn unit_end(calendar: Calendar, day: i32, months: i32) -> i32 {
    let (year, month, _) = calendar.parts(day);
    let index = year * 12 + (month - 1);
    let next = (index.div_euclid(months) + 1) * months;
    calendar.day(next.div_euclid(12), next.rem_euclid(12) + 1, 1).unwrap_or(day + 1)
}
