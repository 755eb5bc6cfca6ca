//! From the texts of a row to values of fields.

use super::plan::{FullSource, Source, When};
use northing_model::money::parse_fixed;
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
}

impl Fields<'_> {
    fn column(&self, name: &str) -> Result<&str, Fault> {
        let fault = || Fault { column: name.to_string(), reason: "the file has no such column".into() };
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
            let (name, tail) = after.split_once('}').ok_or_else(|| Fault { column: template.to_string(), reason: "a brace is not closed in the plan".into() })?;
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
        let fault = || Fault { column: column.to_string(), reason: format!("'{text}' is not a whole number up to {most}") };
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

/// An amount without the currency's sign or code beside it; what else stands there stays, and is refused.
fn without_currency(text: &str) -> &str {
    let part = |c: char| c.is_alphabetic() || "$€£¥₽﷼₴₺.".contains(c);
    let is_sign = |t: &str| matches!(t, "$" | "€" | "£" | "¥" | "₽" | "﷼" | "₴" | "₺" | "zł" | "руб" | "руб." | "Ft" | "Kč" | "kr" | "kr." | "元" | "ریال") || Currency::parse(&t.to_uppercase()).is_some();
    let start = text.len() - text.trim_start_matches(part).len();
    let end = text.trim_end_matches(part).len();
    let after = if is_sign(&text[end..]) { &text[..end] } else { text };
    if start < after.len() && is_sign(&text[..start]) { &after[start..] } else { after }
}

/// The column that a source reads, for messages.
pub(crate) fn column_of(source: &Source) -> String {
    match source {
        Source::Short(text) if text.matches('{').count() == 1 => text.trim_matches(['{', '}']).to_string(),
        Source::Short(text) => text.clone(),
        Source::Full(full) => full.column.clone().or_else(|| full.text.clone()).or_else(|| full.first_of.first().cloned()).unwrap_or_else(|| full.product.join(" × ")),
    }
}

pub(crate) struct Reading<'a> {
    pub zone: &'a Zone,
    pub currency: Currency,
    pub dates: Option<&'a str>,
}

impl Reading<'_> {
    /// The text that a source gives for a row; empty for "not given".
    pub fn text(&self, row: &Fields<'_>, source: &Source) -> Result<String, Fault> {
        let full = match source {
            Source::Short(template) => return row.fill(template),
            Source::Full(full) => full,
        };
        let chosen = self.first_given(row, full)?.or(full.column.as_ref());
        let mut text = match (chosen, &full.text) {
            (Some(column), _) => row.column(column)?.to_string(),
            (None, Some(template)) if template.contains('{') => row.fill(template)?,
            (None, Some(fixed)) => fixed.clone(),
            (None, None) if !full.product.is_empty() => self.product(row, full)?,
            (None, None) => String::new(),
        };
        if let Some(end) = &full.cut_end {
            text = text.trim_end_matches(end.as_str()).to_string();
        }
        if full.null.contains(&text) {
            return Ok(String::new());
        }
        if let Some(mark) = &full.decimal {
            text = text.replace(['\u{a0}', '\u{202f}', ' '], "");
            text = without_currency(&text).to_string();
            if mark == "," {
                text = text.replace('.', "").replace(',', ".");
            } else {
                text = text.replace(',', "");
            }
        }
        if let Some(mapped) = full.map.get(&text).or_else(|| full.map.get(&text.to_lowercase())) {
            text.clone_from(mapped);
        }
        if let (true, Some(otherwise)) = (text.is_empty(), &full.otherwise) {
            text.clone_from(otherwise);
        }
        if let (Some(digits), false) = (full.digits, text.is_empty()) {
            let fault = |_| Fault { column: column_of(source), reason: format!("'{text}' is not a number") };
            let millionths = i128::from(parse_fixed(text.get(..text.find('.').map_or(text.len(), |p| p + 10)).unwrap_or(&text), 9).map_err(fault)?);
            let rounded = northing_model::money::div_half_even(millionths, 10_i128.pow(9 - digits.min(9))).unwrap_or(0);
            text = northing_model::money::format_fixed(rounded, digits.min(9));
        }
        if full.negate && full.product.is_empty() && !text.is_empty() {
            text = text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_string);
        }
        Ok(text)
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

    /// The exact product of decimal columns, written with four digits.
    fn product(&self, row: &Fields<'_>, full: &FullSource) -> Result<String, Fault> {
        let mut total: i128 = 1_000_000;
        for column in &full.product {
            let text = row.column(column)?;
            let value = parse_fixed(text, 6).map_err(|_| Fault { column: column.clone(), reason: format!("'{text}' is not a number") })?;
            total = total * i128::from(value) / 1_000_000;
        }
        if full.negate {
            total = -total;
        }
        let rounded = northing_model::money::div_half_even(total, 10_000).unwrap_or(0);
        Ok(northing_model::money::format_fixed(rounded, 2))
    }

    /// A text as the field's value. References are left to the caller: they need the store.
    pub fn value(&self, row: &Fields<'_>, field: &FieldDef, source: &Source, text: &str) -> Result<Value, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        let full = if let Source::Full(full) = source { Some(full) } else { None };
        let format = full.and_then(|f| f.format.as_deref()).or(self.dates);
        match field.kind {
            FieldType::Date => match format {
                Some(f) if !is_iso(text) => date(text, f).map(Value::Date),
                _ => field.read_text(text.get(..10).unwrap_or(text), self.currency),
            },
            FieldType::Datetime => self.instant(text, format).map(Value::Time),
            FieldType::Money => {
                let currency = match full.and_then(|f| f.currency.as_deref()) {
                    None => self.currency,
                    Some(code) => {
                        let code = if code.contains('{') { row.fill(code).map_err(|f| f.reason)?.to_uppercase() } else { code.to_string() };
                        Currency::parse(&code).ok_or_else(|| format!("'{code}' is not an ISO 4217 currency code"))?
                    }
                };
                if full.is_some_and(|f| f.minor) {
                    let minor = text.parse().map_err(|_| format!("'{text}' is not a whole number of the smallest unit"))?;
                    return Ok(Value::Money(Money { minor, currency }));
                }
                Money::parse(text, currency).map(Value::Money)
            }
            _ => field.read_text(text, self.currency),
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
        let unclear = || format.map_or_else(|| format!("'{text}' is not a date or time"), |f| format!("'{text}' is not a date or time written as {f}"));
        if let Some(format) = format {
            // A day's notation may be followed by the time of day.
            for more in ["", " %H:%M", " %H:%M:%S"] {
                if let Ok(local) = jiff::civil::DateTime::strptime(format!("{format}{more}"), text) {
                    return self.zone.instant(local).ok_or_else(unclear);
                }
            }
            let day = date(text, format).map(|d| self.zone.midnight(d));
            if day.is_ok() || !is_iso(text) {
                return day.map_err(|_| unclear());
            }
        }
        if let Some(instant) = northing_model::value::parse_instant(text) {
            return Ok(instant);
        }
        if let Ok(local) = text.parse::<jiff::civil::DateTime>() {
            return self.zone.instant(local).ok_or_else(unclear);
        }
        // Spreadsheets write the hours before ten with one digit.
        if let Ok(local) = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text) {
            return self.zone.instant(local).ok_or_else(unclear);
        }
        northing_model::value::parse_date(text).map(|d| self.zone.midnight(d)).ok_or_else(unclear)
    }
}

/// The year first and dashes: there is one reading of it, whatever the notation of the rest. Workbooks give dates so.
fn is_iso(text: &str) -> bool {
    text.get(..10).is_some_and(|day| jiff::civil::Date::strptime("%Y-%m-%d", day).is_ok())
}

fn date(text: &str, format: &str) -> Result<i32, String> {
    jiff::civil::Date::strptime(format, text)
        .map(northing_model::value::day_of)
        .map_err(|_| format!("'{text}' is not a date written as {format}"))
}
