//! From the texts of a row to values of fields.

use super::days;
use super::number::{self, Written};
use super::plan::{FullSource, Make, Source, When};
use northing_model::money::{format_fixed, parse_fixed};
use northing_model::{Currency, FieldDef, FieldType, Money, Value, Zone};
use std::collections::HashMap;

/// One row by column name.
pub(crate) struct Fields<'a> {
    pub columns: &'a HashMap<String, usize>,
    pub values: &'a [String],
    pub number: u64,
    /// Which of several records that the row stands for is being made.
    pub nth: u64,
}

/// What is wrong with a row: the column, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    pub column: String,
    pub reason: String,
    /// Not about this row: somebody has to answer before any is written.
    pub stop: bool,
}

impl Fault {
    pub fn new(column: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { column: column.into(), reason: reason.into(), stop: false }
    }
}

impl Fields<'_> {
    fn column(&self, name: &str) -> Result<&str, Fault> {
        let fault = || Fault::new(name, "the file has no such column");
        let at = *self.columns.get(name).ok_or_else(fault)?;
        Ok(self.values.get(at).map_or("", String::as_str))
    }

    /// A text with `{columns}` filled in; a plain name is that column.
    pub fn fill(&self, template: &str) -> Result<String, Fault> {
        if !template.contains('{') {
            return self.column(template).map(str::to_string);
        }
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let (name, tail) = after.split_once('}').ok_or_else(|| Fault::new(template, "a brace is not closed in the plan"))?;
            if name == "@row" {
                text.push_str(&self.number.to_string());
            } else if name == "@n" {
                text.push_str(&self.nth.to_string());
            } else {
                text.push_str(self.column(name)?);
            }
            rest = tail;
        }
        text.push_str(rest);
        Ok(text)
    }

    /// The whole number in a column; an empty cell is none.
    pub fn count(&self, column: &str, most: u64) -> Result<u64, Fault> {
        let text = self.column(column)?.trim();
        let fault = || Fault::new(column, format!("'{text}' is not a whole number up to {most}"));
        if text.is_empty() { Ok(0) } else { text.parse().ok().filter(|n| *n <= most).ok_or_else(fault) }
    }

    pub fn holds(&self, conditions: &[When]) -> Result<bool, Fault> {
        for when in conditions {
            let value = self.column(&when.column)?;
            let positive = || value.trim().parse::<f64>().is_ok_and(|n| n > 0.0);
            let fits = when.is.as_ref().is_none_or(|list| list.iter().any(|v| v == value))
                && when.not.as_ref().is_none_or(|list| list.iter().all(|v| v != value))
                && when.begins.as_ref().is_none_or(|b| value.starts_with(b.as_str()))
                && when.begins_not.as_ref().is_none_or(|b| !value.starts_with(b.as_str()))
                && when.differs.as_ref().map(|other| self.column(other)).transpose()?.is_none_or(|other| other != value)
                && when.given.is_none_or(|g| value.is_empty() != g)
                && when.positive.is_none_or(|p| positive() == p);
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The first column that a part of a plan reads and a file does not have.
pub(crate) fn missing_column(make: &Make, columns: &HashMap<String, usize>) -> Option<Fault> {
    let row = Fields { columns, values: &[], number: 0, nth: 1 };
    let zone = Zone::utc();
    let reading = Reading { zone: &zone, currency: Currency::parse("EUR")?, dates: None };
    let sources = make.fields.values().chain(make.moment.iter().flat_map(|m| [&m.value, &m.at]));
    let kinds = sources.clone().filter_map(|s| if let Source::Full(full) = s { full.kind.as_deref() } else { None });
    let texts = sources.chain(kinds).filter_map(|s| reading.text(&row, s).err());
    let conditions = make.moment.iter().map(|m| &m.when).chain([&make.when]).filter_map(|when| row.holds(when).err());
    let rest = row.fill(&make.key).err().into_iter().chain(make.times.as_ref().and_then(|t| row.count(t, 1).err()));
    texts.chain(conditions).chain(rest).find(|f| !columns.contains_key(&f.column) && f.reason.contains("no such column"))
}

/// The column that a source reads, for messages.
pub(crate) fn column_of(source: &Source) -> String {
    match source {
        Source::Short(text) if text.matches('{').count() == 1 => text.trim_matches(['{', '}']).to_string(),
        Source::Short(text) => text.clone(),
        Source::Full(full) => {
            let several = || if full.sum.is_empty() { full.product.join(" × ") } else { full.sum.join(" + ") };
            full.column.clone().or_else(|| full.text.clone()).or_else(|| full.first_of.first().cloned()).unwrap_or_else(several)
        }
    }
}

pub(crate) struct Reading<'a> {
    pub zone: &'a Zone,
    /// Of amounts that do not say their own.
    pub currency: Currency,
    pub dates: Option<&'a str>,
}

impl Reading<'_> {
    /// The text that a source gives for a row; empty for "not given". A number with a decimal mark comes out in the
    /// product's notation, the sign of its currency behind it.
    pub fn text(&self, row: &Fields<'_>, source: &Source) -> Result<String, Fault> {
        let full = match source {
            Source::Short(template) => return row.fill(template),
            Source::Full(full) => full,
        };
        for case in &full.cases {
            if row.holds(&case.when)? {
                return Ok(case.text.clone());
            }
        }
        let chosen = self.first_given(row, full)?.or(full.column.as_ref());
        let mut text = match (chosen, &full.text) {
            (Some(column), _) => row.column(column)?.to_string(),
            (None, Some(template)) if template.contains('{') => row.fill(template)?,
            (None, Some(fixed)) => fixed.clone(),
            (None, None) if !full.product.is_empty() => self.product(row, full)?,
            (None, None) if !full.sum.is_empty() => self.sum(row, full)?,
            (None, None) => String::new(),
        };
        if let Some(end) = &full.cut_end {
            text = text.trim_end_matches(end.as_str()).to_string();
        }
        if full.null.contains(&text) {
            return Ok(String::new());
        }
        if let Some(mark) = &full.decimal {
            let percent = text.trim().ends_with('%');
            let number = number::read(if percent { text.trim().trim_end_matches('%') } else { &text }, Some(mark));
            if let Some(written) = number {
                text = put(&written) + if percent { "%" } else { "" };
            }
        }
        if let Some(mapped) = full.map.get(&text).or_else(|| full.map.get(&text.to_lowercase())) {
            text.clone_from(mapped);
        } else if full.only {
            text.clear();
        }
        if let (true, Some(otherwise)) = (text.is_empty(), &full.otherwise) {
            text.clone_from(otherwise);
        }
        let (mut number, sign) = text.split_once(' ').filter(|_| full.decimal.is_some()).map_or((text.clone(), ""), |(n, s)| (n.to_string(), s));
        if let (Some(digits), false) = (full.digits, number.is_empty()) {
            let fault = |_| Fault::new(column_of(source), format!("'{text}' is not a number"));
            let millionths = i128::from(parse_fixed(number.get(..number.find('.').map_or(number.len(), |p| p + 10)).unwrap_or(&number), 9).map_err(fault)?);
            let rounded = northing_model::money::div_half_even(millionths, 10_i128.pow(9 - digits.min(9))).unwrap_or(0);
            number = format_fixed(rounded, digits.min(9));
        }
        if full.negate && full.product.is_empty() && !number.is_empty() {
            number = number.strip_prefix('-').map_or_else(|| format!("-{number}"), str::to_string);
        }
        Ok(if sign.is_empty() { number } else { format!("{number} {sign}") })
    }

    /// Which of the columns to choose from is the first that says something. All are looked at, so that one that
    /// the file does not have is told before the first row.
    fn first_given<'a>(&self, row: &Fields<'_>, full: &'a FullSource) -> Result<Option<&'a String>, Fault> {
        let mut chosen = None;
        for name in full.first_of.iter().rev() {
            if !row.column(name)?.is_empty() {
                chosen = Some(name);
            }
        }
        Ok(chosen)
    }

    /// The exact product of decimal columns, rounded once, to two digits.
    fn product(&self, row: &Fields<'_>, full: &FullSource) -> Result<String, Fault> {
        let (mut total, mut one) = (if full.negate { -1_i128 } else { 1 }, 1_i128);
        let mut rounded = None;
        for column in &full.product {
            let text = row.column(column)?;
            let value = parse_fixed(text, 6).map_err(|_| Fault::new(column, format!("'{text}' is not a number")))?;
            let too_large = || Fault::new(column, format!("'{text}' is too large an amount"));
            (total, one) = total.checked_mul(i128::from(value)).zip(one.checked_mul(1_000_000)).ok_or_else(too_large)?;
            rounded = Some(northing_model::money::div_half_even(total, one / 100).ok_or_else(too_large)?);
        }
        Ok(format_fixed(rounded.unwrap_or(0), 2))
    }

    /// The exact sum of the columns that hold something; they are of one currency.
    fn sum(&self, row: &Fields<'_>, full: &FullSource) -> Result<String, Fault> {
        let (mut total, mut sign, mut given): (i64, Option<String>, bool) = (0, None, false);
        for column in &full.sum {
            let text = row.column(column)?;
            if text.trim().is_empty() || full.null.iter().any(|n| n == text) {
                continue;
            }
            let fault = || Fault::new(column, format!("'{text}' is not a number"));
            let written = number::read(text, full.decimal.as_deref()).ok_or_else(fault)?;
            let value = parse_fixed(&written.number, 6).map_err(|_| fault())?;
            if sign.as_ref().is_some_and(|s| *s != written.sign) {
                return Err(Fault::new(column, format!("'{text}' is of another currency than the columns that it is added to")));
            }
            total = total.checked_add(value).ok_or_else(fault)?;
            sign = Some(written.sign);
            given = true;
        }
        let number = northing_model::value::decimal_text(total);
        Ok(if given { put(&Written { number, sign: sign.unwrap_or_default() }) } else { String::new() })
    }

    /// A text as the field's value. References are left to the caller: they need the store.
    pub fn value(&self, row: &Fields<'_>, field: &FieldDef, source: &Source, text: &str) -> Result<Value, Fault> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let full = if let Source::Full(full) = source { Some(full) } else { None };
        let format = full.and_then(|f| f.format.as_deref()).or(self.dates);
        let fault = |reason: String| Fault::new(column_of(source), reason);
        let plain = |text: &str| field.read_text(text, self.currency).map_err(fault);
        // What has a decimal mark was brought into the product's notation before.
        let mark = full.and_then(|f| f.decimal.as_ref()).map(|_| ".");
        match field.kind {
            FieldType::Date => match text.get(..10).filter(|_| is_iso(text)) {
                Some(day) => plain(day),
                None => self.when(text, format).map(|w| Value::Date(w.day(self.zone))).ok_or_else(|| fault(unclear(text, format, false))),
            },
            FieldType::Datetime => self.instant(text, format).map(Value::Time).map_err(fault),
            FieldType::Money => {
                let Some(written) = number::read(text, mark) else { return Money::parse(text, self.currency).map(Value::Money).map_err(fault) };
                let currency = self.currency_of(row, full, &written.sign, text).map_err(|(reason, stop)| Fault { stop, ..fault(reason) })?;
                if full.is_some_and(|f| f.minor) {
                    let minor = written.number.parse().map_err(|_| fault(format!("'{text}' is not a whole number of the smallest unit")))?;
                    return Ok(Value::Money(Money { minor, currency }));
                }
                Money::parse(&written.number, currency).map(Value::Money).map_err(fault)
            }
            // Of whole numbers a comma before three digits is no decimal mark.
            FieldType::Int => match number::read(text, mark).or_else(|| number::read(text, Some("."))) {
                Some(written) => plain(&written.number),
                None if field.name.ends_with("_mins") => number::seconds(text, 60).filter(|s| s % 60 == 0).map_or_else(|| plain(text), |s| Ok(Value::Int(s / 60))),
                None => plain(text),
            },
            FieldType::Decimal => number::read(text, mark).map_or_else(|| plain(text), |written| plain(&written.number)),
            FieldType::Duration => number::seconds(text, 1).map_or_else(|| Err(fault(format!("'{text}' is not a length of time; write it like 0:45 or 45 min"))), |s| Ok(Value::Int(s))),
            FieldType::Choice => {
                let same = |option: &&String| northing_model::text::fold(&option.replace('_', " ")) == northing_model::text::fold(&text.replace(['_', '-'], " "));
                field.options.iter().find(same).map_or_else(|| plain(text), |option| Ok(Value::Text(option.clone())))
            }
            FieldType::Url if !text.contains("://") && text.contains('.') && !text.contains(char::is_whitespace) => plain(&format!("https://{text}")),
            _ => plain(text),
        }
    }

    /// The currency of an amount: as the plan says for it, as its sign says, or as amounts of this file are. A sign that
    /// may stand for several is settled by the file's own currency if it is one of them; else somebody has to say.
    fn currency_of(&self, row: &Fields<'_>, full: Option<&FullSource>, sign: &str, text: &str) -> Result<Currency, (String, bool)> {
        let possible = if sign.is_empty() { Vec::new() } else { number::currencies(sign).unwrap_or_default().0 };
        let said = match full.and_then(|f| f.currency.as_deref()) {
            None => None,
            Some(code) => {
                let code = if code.contains('{') { row.fill(code).map_err(|f| (f.reason, false))? } else { code.to_string() };
                let known = number::currencies(code.trim()).filter(|(all, _)| all.len() == 1).map(|(all, _)| all[0]);
                if code.trim().is_empty() { None } else { Some(known.ok_or_else(|| (format!("'{code}' is not an ISO 4217 currency code"), false))?) }
            }
        };
        let codes = || possible.iter().map(Currency::as_str).collect::<Vec<_>>().join(", ");
        match (said, &possible[..]) {
            (Some(said), []) => Ok(said),
            (Some(said), some) if some.contains(&said) => Ok(said),
            (Some(said), _) => Err((format!("'{text}' is not an amount in {said}"), false)),
            (None, []) => Ok(self.currency),
            (None, [one]) => Ok(*one),
            (None, some) if some.contains(&self.currency) => Ok(self.currency),
            (None, _) => Err((format!("'{text}' may be of several currencies ({}); say which", codes()), true)),
        }
    }

    /// Seconds that a source adds to its instant.
    pub fn later(&self, row: &Fields<'_>, source: &Source) -> Result<i64, Fault> {
        match source {
            Source::Full(FullSource { plus_minutes: Some(column), .. }) => row.count(column, 100_000_000).map(|minutes| minutes as i64 * 60),
            _ => Ok(0),
        }
    }

    /// An instant: with an offset as it stands, without one in the workspace's zone, a date at its midnight.
    pub fn instant(&self, text: &str, format: Option<&str>) -> Result<i64, String> {
        self.when(text, format).and_then(|w| w.instant(self.zone)).ok_or_else(|| unclear(text, format, true))
    }

    fn when(&self, text: &str, format: Option<&str>) -> Option<days::When> {
        if let Some(format) = format {
            // A day's notation may be followed by the time of day.
            for more in ["", " %H:%M", " %H:%M:%S"] {
                if let Ok(local) = jiff::civil::DateTime::strptime(format!("{format}{more}"), text) {
                    return Some(days::When::Local(local));
                }
            }
            if let Ok(day) = jiff::civil::Date::strptime(format, text) {
                return Some(days::When::Local(day.at(0, 0, 0, 0)));
            }
        }
        if let Some(instant) = northing_model::value::parse_instant(text) {
            return Some(days::When::Instant(instant));
        }
        if let (true, Ok(local)) = (is_iso(text), text.parse::<jiff::civil::DateTime>()) {
            return Some(days::When::Local(local));
        }
        days::read(text, days::order_of(format))
    }
}

fn put(written: &Written) -> String {
    if written.sign.is_empty() { written.number.clone() } else { format!("{} {}", written.number, written.sign) }
}

fn unclear(text: &str, format: Option<&str>, time: bool) -> String {
    match (format, time) {
        (None, _) if days::read(text, days::Order::DayFirst).is_some() => format!("'{text}' may be two days; say how dates are written"),
        (None, true) => format!("'{text}' is not a date or time"),
        (None, false) => format!("'{text}' is not a date; write it like 2024-05-31"),
        (Some(f), true) => format!("'{text}' is not a date or time written as {f}"),
        (Some(f), false) => format!("'{text}' is not a date written as {f}"),
    }
}

/// The year first and dashes: there is one reading of it, whatever the notation of the rest. Workbooks give dates so.
fn is_iso(text: &str) -> bool {
    text.get(..10).is_some_and(|day| jiff::civil::Date::strptime("%Y-%m-%d", day).is_ok())
}
