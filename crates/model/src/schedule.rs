//! Opening hours: which seconds of a span of time were business time (KPIS.md G11).
//!
//! Hours are local wall-clock times, turned into instants day by day, so that a day of 23 or 25 hours counts as
//! it was. Must not know what the spans are of.

use crate::Zone;
use std::collections::BTreeMap;

/// Opening intervals of a day, as minutes from its local midnight, in order.
type Hours = Vec<(i32, i32)>;

/// One version of a schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub name: String,
    pub zone: Zone,
    /// The first day on which it holds.
    pub valid_from: i32,
    week: [Hours; 7],
    /// Days with other hours than their weekday, or none.
    days: BTreeMap<i32, Hours>,
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Days after which a search for opening time gives up: a schedule that never opens.
const LONGEST: i32 = 3_660;

impl Schedule {
    /// From the fields of a record: `{"mon": [["09:00", "17:00"]]}` and `{"2024-04-01": []}`. Hours that cannot
    /// be read are an error that says which.
    pub fn parse(name: &str, zone: Zone, valid_from: i32, hours: Option<&str>, holidays: Option<&str>) -> Result<Self, String> {
        let mut schedule = Self { name: name.into(), zone, valid_from, week: Default::default(), days: BTreeMap::new() };
        for (day, spans) in read(hours)? {
            let at = WEEKDAYS.iter().position(|w| *w == day).ok_or_else(|| format!("'{day}' is not a weekday; use mon, tue, …, sun"))?;
            schedule.week[at] = spans;
        }
        for (day, spans) in read(holidays)? {
            let number = crate::value::parse_date(&day).ok_or_else(|| format!("'{day}' is not a date like 2024-04-01"))?;
            schedule.days.insert(number, spans);
        }
        Ok(schedule)
    }

    /// Opening intervals of a local day as instants.
    pub fn open(&self, day: i32) -> impl Iterator<Item = (i64, i64)> + '_ {
        // Day 0 of the count was a Thursday.
        let hours = self.days.get(&day).unwrap_or(&self.week[(day + 3).rem_euclid(7) as usize]);
        let at = move |minutes: i32| {
            if minutes == 24 * 60 {
                return self.zone.midnight(day + 1);
            }
            let date = crate::value::date_of(day).unwrap_or_default();
            let local = date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0);
            self.zone.instant(local).unwrap_or_else(|| self.zone.midnight(day) + i64::from(minutes) * 60)
        };
        hours.iter().map(move |(from, to)| (at(*from), at(*to)))
    }

    /// Business seconds of [from, to); 0 where `to` does not come after.
    pub fn seconds(&self, from: i64, to: i64) -> i64 {
        if to <= from {
            return 0;
        }
        let (first, last) = (self.zone.day(from), self.zone.day(to));
        // Hours may reach over midnight by the clock's change only, so the days of the ends are enough.
        (first..=last).flat_map(|day| self.open(day)).map(|(a, b)| (b.min(to) - a.max(from)).max(0)).sum()
    }

    /// The instant at which so many business seconds have passed; `None` for a schedule that hardly ever opens.
    pub fn after(&self, from: i64, seconds: i64) -> Option<i64> {
        let mut left = seconds;
        let first = self.zone.day(from);
        for (a, b) in (first..first + LONGEST).flat_map(|day| self.open(day)) {
            let begin = a.max(from);
            if b > begin {
                if b - begin >= left {
                    return Some(begin + left);
                }
                left -= b - begin;
            }
        }
        None
    }
}

fn read(text: Option<&str>) -> Result<Vec<(String, Hours)>, String> {
    let Some(text) = text.filter(|t| !t.trim().is_empty()) else { return Ok(Vec::new()) };
    let written: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(text).map_err(|e| format!("hours cannot be read: {e}"))?;
    let mut days = Vec::new();
    for (day, spans) in written {
        let mut hours = Vec::new();
        for [from, to] in spans {
            let (a, b) = (minutes(&from)?, minutes(&to)?);
            if a >= b {
                return Err(format!("{day}: {from} is not before {to}"));
            }
            hours.push((a, b));
        }
        hours.sort_unstable();
        days.push((day, hours));
    }
    Ok(days)
}

fn minutes(text: &str) -> Result<i32, String> {
    let parts = text.split_once(':').and_then(|(h, m)| Some((h.parse::<i32>().ok()?, m.parse::<i32>().ok()?)));
    match parts {
        Some((h, m)) if (0..=24).contains(&h) && (0..60).contains(&m) && h * 60 + m <= 24 * 60 => Ok(h * 60 + m),
        _ => Err(format!("'{text}' is not a time like 09:30")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(zone: &str, hours: &str, holidays: &str, from: &str, to: &str) -> i64 {
        let zone = Zone::parse(zone).expect("a zone");
        let at = |t: &str| zone.instant(t.parse().expect("a time")).expect("an instant");
        let (from, to) = (at(from), at(to));
        Schedule::parse("s", zone, 0, Some(hours), Some(holidays)).expect("a schedule").seconds(from, to)
    }

    const OFFICE: &str = r#"{"mon":[["09:00","17:00"]],"tue":[["09:00","17:00"]],"wed":[["09:00","17:00"]],"thu":[["09:00","17:00"]],"fri":[["09:00","17:00"]]}"#;
    const ALWAYS: &str = r#"{"mon":[["00:00","24:00"]],"tue":[["00:00","24:00"]],"wed":[["00:00","24:00"]],"thu":[["00:00","24:00"]],"fri":[["00:00","24:00"]],"sat":[["00:00","24:00"]],"sun":[["00:00","24:00"]]}"#;
    const TEHRAN: &str = r#"{"sat":[["09:00","17:00"]],"sun":[["09:00","17:00"]],"mon":[["09:00","17:00"]],"tue":[["09:00","17:00"]],"wed":[["09:00","17:00"]],"thu":[["09:00","13:00"]]}"#;
    const SPLIT: &str = r#"{"mon":[["14:00","18:00"],["09:00","12:00"]]}"#;

    /// The vectors of KPIS.md §7.
    #[test]
    fn business_time() {
        let warsaw = |from, to, holidays| seconds("Europe/Warsaw", OFFICE, holidays, from, to);
        assert_eq!(warsaw("2024-03-08T16:30", "2024-03-11T09:45", ""), 75 * 60);
        assert_eq!(warsaw("2024-03-29T16:30", "2024-04-02T09:45", r#"{"2024-04-01":[]}"#), 75 * 60);
        assert_eq!(warsaw("2024-03-09T12:00", "2024-03-10T15:00", ""), 0);
        assert_eq!(warsaw("2024-03-09T12:00", "2024-03-11T08:30", ""), 0);
        assert_eq!(seconds("Europe/Warsaw", ALWAYS, "", "2024-03-30T12:00", "2024-03-31T12:00"), 23 * 3600);
        assert_eq!(seconds("Asia/Tehran", TEHRAN, "", "2024-05-09T12:30", "2024-05-11T09:15"), 45 * 60);
        assert_eq!(seconds("UTC", SPLIT, "", "2024-03-11T11:30", "2024-03-11T14:20"), 50 * 60);
    }

    #[test]
    fn due_times() {
        let zone = Zone::parse("Europe/Warsaw").expect("a zone");
        let at = |t: &str| zone.instant(t.parse().expect("a time")).expect("an instant");
        let office = Schedule::parse("s", zone.clone(), 0, Some(OFFICE), None).expect("a schedule");
        assert_eq!(office.after(at("2024-03-08T16:30"), 75 * 60), Some(at("2024-03-11T09:45")));
        assert_eq!(office.after(at("2024-03-09T12:00"), 0), Some(at("2024-03-11T09:00")));
        assert_eq!(Schedule::parse("s", zone, 0, None, None).expect("a schedule").after(0, 60), None);
    }

    #[test]
    fn wrong_hours_are_refused() {
        let parse = |h: &str| Schedule::parse("s", Zone::utc(), 0, Some(h), None).err().unwrap_or_default();
        assert!(parse(r#"{"monday":[]}"#).contains("weekday"));
        assert!(parse(r#"{"mon":[["17:00","09:00"]]}"#).contains("not before"));
        assert!(parse(r#"{"mon":[["9","10"]]}"#).contains("not a time"));
        // A day ends with its 24th hour, and no hour has sixty minutes.
        for (text, fine) in [("24:00", true), ("23:59", true), ("24:01", false), ("25:00", false), ("12:60", false), ("12:-1", false), ("-1:00", false)] {
            assert_eq!(parse(&format!(r#"{{"mon":[["00:00","{text}"]]}}"#)).is_empty(), fine, "{text}");
        }
    }

    #[test]
    fn minutes_of_an_hour_count() {
        let half = r#"{"mon":[["09:15","10:45"]]}"#;
        assert_eq!(seconds("UTC", half, "", "2024-03-11T00:00", "2024-03-12T00:00"), 90 * 60);
        assert_eq!(seconds("UTC", half, "", "2024-03-11T09:30", "2024-03-11T10:15"), 45 * 60);
    }
}
