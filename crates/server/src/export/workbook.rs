//! The list as an Excel workbook: amounts, numbers and days as what they are, everything else as text, so that nothing
//! typed is ever run as a formula. Written through a temporary file, as a million rows must not lie in memory.

use super::{Part, Wanted};
use axum::body::Bytes;
use northing_model::{FieldDef, FieldType, Zone};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use serde_json::Value as Js;
use std::io::{Read, Seek};
use tokio::sync::mpsc::Sender;

/// What a cell of Excel holds at most.
const LONGEST: usize = 32_767;

struct Formats {
    amount: Format,
    day: Format,
    instant: Format,
}

pub(super) fn send(wanted: &Wanted, sender: &Sender<Part>) -> Option<()> {
    let mut file = write(wanted)?;
    file.rewind().ok()?;
    let mut part = vec![0; 256 << 10];
    loop {
        let n = file.read(&mut part).ok()?;
        if n == 0 || sender.blocking_send(Ok(Bytes::copy_from_slice(&part[..n]))).is_err() {
            return Some(());
        }
    }
}

fn write(wanted: &Wanted) -> Option<std::fs::File> {
    let (def, fields, head) = wanted.columns()?;
    let formats = Formats { amount: Format::new().set_num_format("#,##0.00##"), day: Format::new().set_num_format("yyyy-mm-dd"), instant: Format::new().set_num_format("yyyy-mm-dd hh:mm") };
    let mut book = Workbook::new();
    let sheet = book.add_worksheet_with_constant_memory().ok()?;
    let bold = Format::new().set_bold();
    sheet.set_freeze_panes(1, 0).ok()?;
    for (column, text) in head.iter().enumerate() {
        let column = u16::try_from(column).ok()?;
        sheet.set_column_width(column, 18).ok()?;
        sheet.write_string_with_format(0, column, text, &bold).ok()?;
    }
    let zone = &wanted.snapshot.settings.zone;
    let mut row = 0;
    let mut fine = true;
    let whole = wanted.each(def, |items| {
        for item in items {
            row += 1;
            fine &= line(sheet, row, &fields, item, zone, &formats).is_ok();
        }
        fine
    });
    let mut file = tempfile::tempfile().ok()?;
    if !whole || !fine {
        return None;
    }
    book.save_to_writer(&mut file).ok()?;
    Some(file)
}

fn line(sheet: &mut Worksheet, row: u32, fields: &[&FieldDef], item: &Js, zone: &Zone, formats: &Formats) -> Result<(), XlsxError> {
    let mut column = 0;
    sheet.write_string(row, column, item["id"].as_str().unwrap_or_default())?;
    for field in fields {
        column += 1;
        let value = &item["fields"][&field.name];
        let text = value.as_str().unwrap_or_default();
        match field.kind {
            FieldType::Money => {
                if let Some(amount) = value["amount"].as_str().and_then(|t| t.parse::<f64>().ok()) {
                    sheet.write_number_with_format(row, column, amount, &formats.amount)?;
                    sheet.write_string(row, column + 1, value["currency"].as_str().unwrap_or_default())?;
                }
                column += 1;
            }
            _ if value.is_null() => {}
            FieldType::Int | FieldType::Percent | FieldType::Duration if value.is_number() => drop(sheet.write_number(row, column, value.as_f64().unwrap_or_default())?),
            FieldType::Decimal if text.parse::<f64>().is_ok() => drop(sheet.write_number(row, column, text.parse::<f64>().unwrap_or_default())?),
            FieldType::Bool => drop(sheet.write_boolean(row, column, value.as_bool().unwrap_or_default())?),
            FieldType::Date => match ExcelDateTime::parse_from_str(text) {
                Ok(day) => drop(sheet.write_datetime_with_format(row, column, &day, &formats.day)?),
                Err(_) => drop(sheet.write_string(row, column, text)?),
            },
            FieldType::Datetime => match northing_model::value::parse_instant(text).and_then(|at| zone.local(at)).and_then(|t| ExcelDateTime::parse_from_str(&t.to_string()).ok()) {
                Some(at) => drop(sheet.write_datetime_with_format(row, column, &at, &formats.instant)?),
                None => drop(sheet.write_string(row, column, text)?),
            },
            FieldType::Ref => drop(sheet.write_string(row, column, short(item["titles"][&field.name].as_str().unwrap_or_default()))?),
            _ => drop(sheet.write_string(row, column, short(&super::plain(value)))?),
        }
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
