//! Days and instants in the notations that lists come in: numbers in any order of which only one reading is possible or
//! said, names of months in six languages, spreadsheets' day numbers, seconds since 1970, Solar Hijri years. It knows
//! nothing of fields or files.

use jiff::civil::{Date, DateTime, Time};
use northing_model::value::HIJRI_YEARS;
use northing_model::{Calendar, Zone};

/// In which order a notation has day, month and year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    DayFirst,
    MonthFirst,
    Unknown,
}

/// What a text says: a local time (midnight of a mere day), or an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum When {
    Local(DateTime),
    Instant(i64),
}

/// Names of months by their first letters, longest first where one begins another; folded, in six languages.
const MONTHS: &[(&str, u8)] = &[
    ("january", 1), ("jan", 1), ("february", 2), ("feb", 2), ("march", 3), ("mar", 3), ("april", 4), ("apr", 4), ("may", 5), ("june", 6), ("jun", 6), ("july", 7), ("jul", 7), ("august", 8), ("aug", 8), ("september", 9), ("sept", 9), ("sep", 9), ("october", 10), ("oct", 10), ("november", 11), ("nov", 11), ("december", 12), ("dec", 12),
    ("stycznia", 1), ("styczen", 1), ("sty", 1), ("lutego", 2), ("luty", 2), ("lut", 2), ("marca", 3), ("marzec", 3), ("kwietnia", 4), ("kwiecien", 4), ("kwi", 4), ("maja", 5), ("maj", 5), ("czerwca", 6), ("czerwiec", 6), ("cze", 6), ("lipca", 7), ("lipiec", 7), ("lip", 7), ("sierpnia", 8), ("sierpien", 8), ("sie", 8), ("wrzesnia", 9), ("wrzesien", 9), ("wrz", 9), ("pazdziernika", 10), ("pazdziernik", 10), ("paz", 10), ("listopada", 11), ("listopad", 11), ("lis", 11), ("grudnia", 12), ("grudzien", 12), ("gru", 12),
    ("января", 1), ("январь", 1), ("янв", 1), ("февраля", 2), ("февраль", 2), ("фев", 2), ("марта", 3), ("март", 3), ("мар", 3), ("апреля", 4), ("апрель", 4), ("апр", 4), ("мая", 5), ("май", 5), ("маи", 5), ("июня", 6), ("июнь", 6), ("июн", 6), ("июля", 7), ("июль", 7), ("июл", 7), ("августа", 8), ("август", 8), ("авг", 8), ("сентября", 9), ("сентябрь", 9), ("сен", 9), ("сент", 9), ("октября", 10), ("октябрь", 10), ("окт", 10), ("ноября", 11), ("ноябрь", 11), ("ноя", 11), ("нояб", 11), ("декабря", 12), ("декабрь", 12), ("дек", 12),
    ("januar", 1), ("februar", 2), ("febr", 2), ("marcius", 3), ("marc", 3), ("aprilis", 4), ("majus", 5), ("junius", 6), ("julius", 7), ("augusztus", 8), ("szeptember", 9), ("szept", 9), ("oktober", 10), ("okt", 10), ("november", 11), ("december", 12),
    ("ژانویه", 1), ("فوریه", 2), ("مارس", 3), ("اوریل", 4), ("مه", 5), ("ژوین", 6), ("ژوین", 6), ("ژوییه", 7), ("جولای", 7), ("اوت", 8), ("سپتامبر", 9), ("اکتبر", 10), ("نوامبر", 11), ("دسامبر", 12),
];

/// Months of the Solar Hijri year.
const HIJRI: &[(&str, u8)] = &[("فروردین", 1), ("اردیبهشت", 2), ("خرداد", 3), ("تیر", 4), ("مرداد", 5), ("امرداد", 5), ("شهریور", 6), ("مهر", 7), ("ابان", 8), ("اذر", 9), ("دی", 10), ("بهمن", 11), ("اسفند", 12)];

/// Words that stand beside a day and say nothing about it.
const FILLING: &[&str] = &["r", "roku", "г", "года", "at", "of", "o", "godz", "th", "st", "nd", "rd", "в", "ساعت", "mon", "monday", "tue", "tues", "tuesday", "wed", "wednesday", "thu", "thur", "thurs", "thursday", "fri", "friday", "sat", "saturday", "sun", "sunday", "t"];

/// The order that a strptime notation has.
pub(crate) fn order_of(format: Option<&str>) -> Order {
    let at = |what: &str| format.and_then(|f| f.find(what));
    match (at("%d").or(at("%e")), at("%m").or(at("%b")).or(at("%B"))) {
        (Some(d), Some(m)) if d < m => Order::DayFirst,
        (Some(_), Some(_)) => Order::MonthFirst,
        _ => Order::Unknown,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Number(String),
    Month(u8),
    HijriMonth(u8),
    Mark(char),
}

/// Reads a day or instant; what could be two days without an order is not read.
pub(crate) fn read(text: &str, order: Order) -> Option<When> {
    let text = super::number::plain_digits(text.trim());
    if let Some(when) = counted(&text) {
        return Some(when);
    }
    let (day, time) = day_and_time(&text)?;
    let date = date(&parts(&day)?, order)?;
    let (time, offset) = match time {
        None => (Time::midnight(), None),
        Some(time) => clock(&time)?,
    };
    let local = DateTime::from_parts(date, time);
    Some(match offset {
        None => When::Local(local),
        Some(offset) => When::Instant(jiff::tz::Offset::from_seconds(offset).ok()?.to_timestamp(local).ok()?.as_second()),
    })
}

/// Days since 1900 as spreadsheets count them, seconds or milliseconds since 1970.
fn counted(text: &str) -> Option<When> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: i64 = whole.parse().ok()?;
    match (whole.len(), fraction.len()) {
        (5, _) if (20_000..80_000).contains(&n) => {
            let micros = northing_model::money::parse_fixed(&format!("0.{}", fraction.get(..fraction.len().min(9)).unwrap_or_default()), 9).ok()?;
            let seconds = northing_model::money::div_half_even(i128::from(micros) * 86_400, 1_000_000_000)?;
            let start = jiff::civil::date(1899, 12, 30).at(0, 0, 0, 0);
            start.checked_add(jiff::Span::new().try_days(n).ok()?).ok()?.checked_add(jiff::Span::new().try_seconds(seconds).ok()?).ok().map(When::Local)
        }
        (9 | 10, _) if (500_000_000..4_102_444_800).contains(&n) => Some(When::Instant(n)),
        (12 | 13, _) if (500_000_000_000..4_102_444_800_000).contains(&n) => Some(When::Instant(n / 1_000)),
        (8, 0) => {
            let date = Date::new(i16::try_from(n / 10_000).ok()?, i8::try_from(n / 100 % 100).ok()?, i8::try_from(n % 100).ok()?).ok()?;
            (1900..2100).contains(&date.year()).then(|| When::Local(date.at(0, 0, 0, 0)))
        }
        _ => None,
    }
}

/// Cuts a text in its day and its time of day: before the first hour and colon.
fn day_and_time(text: &str) -> Option<(String, Option<String>)> {
    let Some(colon) = text.find(':') else {
        // `3 PM` without minutes is not looked for; an instant always has them.
        return Some((text.to_string(), None));
    };
    let hour = text.get(..colon)?.trim_end_matches(|c: char| c.is_ascii_digit());
    let time = text.get(hour.len()..)?;
    let hour = hour.trim_end().trim_end_matches(['T', ',']).trim_end();
    if hour.is_empty() { None } else { Some((hour.to_string(), Some(time.to_string()))) }
}

/// Hours, minutes and seconds; AM and PM; an offset in seconds.
fn clock(text: &str) -> Option<(Time, Option<i32>)> {
    let lower = text.trim().to_lowercase();
    let end = lower.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(lower.len());
    let (clock, rest) = lower.split_at(end);
    let mut parts = clock.trim_end_matches('.').split(':');
    let mut hour: i8 = parts.next()?.parse().ok()?;
    let minute: i8 = parts.next()?.parse().ok()?;
    let second: i8 = match parts.next() {
        None => 0,
        Some(s) => s.split('.').next()?.parse().ok()?,
    };
    if parts.next().is_some() {
        return None;
    }
    let mut rest = rest.trim();
    for (word, afternoon) in [("a.m.", false), ("p.m.", true), ("am", false), ("pm", true), ("上午", false), ("下午", true), ("de.", false), ("du.", true), ("ق.ظ", false), ("ب.ظ", true)] {
        if let Some(after) = rest.strip_prefix(word) {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if afternoon { 12 } else { 0 };
            rest = after.trim();
            break;
        }
    }
    let offset = match rest {
        "" => None,
        "z" | "utc" | "gmt" => Some(0),
        _ => {
            let rest = rest.strip_prefix("utc").or_else(|| rest.strip_prefix("gmt")).unwrap_or(rest).trim();
            let sign = if rest.starts_with('-') { -1 } else if rest.starts_with('+') { 1 } else { return None };
            let digits: String = rest[1..].chars().filter(|c| *c != ':').collect();
            let minutes: i32 = match digits.len() {
                1 | 2 => digits.parse::<i32>().ok()? * 60,
                4 => digits[..2].parse::<i32>().ok()? * 60 + digits[2..].parse::<i32>().ok()?,
                _ => return None,
            };
            Some(sign * minutes * 60)
        }
    };
    Some((Time::new(hour, minute, second, 0).ok()?, offset))
}

fn parts(text: &str) -> Option<Vec<Part>> {
    let folded = northing_model::text::fold(text);
    let mut parts = Vec::new();
    let mut letters = folded.chars().peekable();
    while let Some(c) = letters.next() {
        if c.is_ascii_digit() {
            let mut number = String::from(c);
            while let Some(d) = letters.next_if(char::is_ascii_digit) {
                number.push(d);
            }
            parts.push(Part::Number(number));
        } else if matches!(c, '年' | '月' | '日') {
            parts.push(Part::Mark(c));
        } else if c.is_alphabetic() {
            let mut word = String::from(c);
            while let Some(d) = letters.next_if(|d| d.is_alphabetic() && !matches!(d, '年' | '月' | '日')) {
                word.push(d);
            }
            if let Some((_, month)) = MONTHS.iter().find(|(name, _)| *name == word) {
                parts.push(Part::Month(*month));
            } else if let Some((_, month)) = HIJRI.iter().find(|(name, _)| *name == word) {
                parts.push(Part::HijriMonth(*month));
            } else if !FILLING.contains(&word.as_str()) {
                return None;
            }
        } else if !c.is_whitespace() {
            parts.push(Part::Mark(c));
        }
    }
    Some(parts)
}

fn date(parts: &[Part], order: Order) -> Option<Date> {
    let marks: Vec<char> = parts.iter().filter_map(|p| if let Part::Mark(c) = p { Some(*c) } else { None }).collect();
    if marks.iter().any(|c| !matches!(c, '.' | '/' | '-' | ',' | '年' | '月' | '日')) {
        return None;
    }
    let numbers: Vec<&String> = parts.iter().filter_map(|p| if let Part::Number(n) = p { Some(n) } else { None }).collect();
    let months: Vec<(u8, bool)> = parts.iter().filter_map(|p| match p { Part::Month(m) => Some((*m, false)), Part::HijriMonth(m) => Some((*m, true)), _ => None }).collect();
    let is_year = |n: &str| n.len() == 4;
    let (year, month, day, hijri) = match (&numbers[..], &months[..]) {
        ([a, b], [(month, hijri)]) => {
            let (year, day) = if is_year(a) { (a, b) } else if is_year(b) { (b, a) } else { return None };
            (year.parse::<i32>().ok()?, i32::from(*month), day.parse::<i32>().ok()?, *hijri)
        }
        ([a, b, c], []) => {
            let number = |n: &String| n.parse::<i32>().ok().filter(|_| n.len() <= 4);
            let (x, y, z) = (number(a)?, number(b)?, number(c)?);
            if is_year(a) {
                (x, y, z, false)
            } else if is_year(c) {
                let dotted = marks.iter().filter(|m| **m == '.').count() >= 2;
                match order {
                    Order::DayFirst => (z, y, x, false),
                    Order::MonthFirst => (z, x, y, false),
                    Order::Unknown if dotted || x > 12 => (z, y, x, false),
                    Order::Unknown if y > 12 || x == y => (z, x, y, false),
                    Order::Unknown => return None,
                }
            } else {
                return None;
            }
        }
        _ => return None,
    };
    if hijri || HIJRI_YEARS.contains(&year) {
        return Calendar::SolarHijri.exactly(year, month, day).and_then(northing_model::value::date_of);
    }
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok().filter(|d| d.year() >= northing_model::value::FIRST_YEAR)
}

impl When {
    pub fn day(self, zone: &Zone) -> i32 {
        match self {
            When::Local(local) => northing_model::value::day_of(local.date()),
            When::Instant(at) => zone.day(at),
        }
    }
    pub fn instant(self, zone: &Zone) -> Option<i64> {
        match self {
            When::Local(local) => zone.instant(local),
            When::Instant(at) => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, When, read};

    #[test]
    fn u19_days_in_many_notations() {
        let local = |text: &str, order| match read(text, order) {
            Some(When::Local(at)) => at.to_string(),
            other => format!("{text}: {other:?}"),
        };
        for (text, wanted) in [
            ("15 Apr, 2021 00:02", "2021-04-15T00:02:00"), ("Apr 15, 2021 12:02 AM", "2021-04-15T00:02:00"), ("April 15, 2021 1:05 PM", "2021-04-15T13:05:00"), ("2021/4/15", "2021-04-15T00:00:00"), ("2021.04.15.", "2021-04-15T00:00:00"), ("15.4.2021", "2021-04-15T00:00:00"),
            ("15/04/2021 18:30", "2021-04-15T18:30:00"), ("04/15/2021", "2021-04-15T00:00:00"), ("15 kwietnia 2021 r.", "2021-04-15T00:00:00"), ("15 апреля 2021 г. 09:15", "2021-04-15T09:15:00"), ("2021年4月15日", "2021-04-15T00:00:00"), ("2021. április 15.", "2021-04-15T00:00:00"),
            ("15-Apr-2021", "2021-04-15T00:00:00"), ("Thu, 15 Apr 2021", "2021-04-15T00:00:00"), ("۱۴۰۰/۰۱/۲۶", "2021-04-15T00:00:00"), ("26 فروردین 1400", "2021-04-15T00:00:00"), ("1400-01-26 08:00", "2021-04-15T08:00:00"), ("44301", "2021-04-15T00:00:00"), ("44301.5", "2021-04-15T12:00:00"), ("20210415", "2021-04-15T00:00:00"), ("1 października 2020", "2020-10-01T00:00:00"), ("2021-04-15 3:07", "2021-04-15T03:07:00"),
        ] {
            assert_eq!(local(text, Order::Unknown), wanted, "{text}");
        }
        assert_eq!(local("03/04/2021", Order::DayFirst), "2021-04-03T00:00:00");
        assert_eq!(local("03/04/2021", Order::MonthFirst), "2021-03-04T00:00:00");
        assert_eq!(read("1618444920", Order::Unknown), Some(When::Instant(1_618_444_920)));
        assert_eq!(read("1618444920123", Order::Unknown), Some(When::Instant(1_618_444_920)));
        assert_eq!(read("Thu, 15 Apr 2021 00:02:00 +0200", Order::Unknown), Some(When::Instant(1_618_437_720)));
        assert_eq!(read("2021-04-15 00:02:00 UTC", Order::Unknown), Some(When::Instant(1_618_444_920)));
        for wrong in ["", "03/04/2021", "31.02.2021", "abc", "2021", "12", "13/13/2021", "1400/12/31", "15 Foo 2021", "2021-04-15 25:00", "1.2.3.4", "+48 600 100 200", "10:30"] {
            assert_eq!(read(wrong, Order::Unknown), None, "{wrong}");
        }
    }
}
