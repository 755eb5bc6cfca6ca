//! A list as a file: every record that meets the filter, in its order, with the names of what it refers to.
//!
//! What people typed may begin with what a spreadsheet takes for a formula; such cells are made texts. Numbers,
//! amounts and days stay what they are. Rows are sent as they are read, so that a list of any size fits.

mod workbook;

use crate::app::{App, Caller, blocking};
use crate::outflow::Way;
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::records::{self, FileKind, ListParams};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use northing_facts::Snapshot;
use northing_model::text::harmless;
use northing_model::{FieldDef, FieldType, ObjectDef};
use serde_json::Value as Js;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// Records read from the store at a time.
const BATCH: usize = 500;
/// Excel's own limit, less the headings.
const MOST_IN_A_SHEET: usize = 1_048_575;

type Part = Result<Bytes, std::io::Error>;

/// What is sent: the records as they stood when they were asked for.
struct Wanted {
    app: Arc<App>,
    snapshot: Arc<Snapshot>,
    /// The object's name in URLs.
    plural: String,
    lang: String,
    rows: Vec<u32>,
}

impl Wanted {
    /// The object, its fields, and the headings of its columns.
    fn columns(&self) -> Option<(&ObjectDef, Vec<&FieldDef>, Vec<String>)> {
        let def = self.snapshot.model.object_by_path(&self.plural)?;
        let fields: Vec<&FieldDef> = def.fields.values().filter(|f| f.kind != FieldType::Json).collect();
        let mut head = vec!["id".to_string()];
        for field in &fields {
            let label = self.app.labels.field(&self.lang, &def.name, field);
            head.push(label.clone());
            if field.kind == FieldType::Money {
                head.push(format!("{label} ({})", self.app.labels.text(&self.lang, "field.currency")));
            }
        }
        Some((def, fields, head))
    }

    /// Calls `f` with the records in order, some at a time, until it says no; false when the store could not be read.
    fn each(&self, def: &ObjectDef, mut f: impl FnMut(&[Js]) -> bool) -> bool {
        let Some(table) = self.snapshot.table_index(&def.name) else { return true };
        for batch in self.rows.chunks(BATCH) {
            match records::rows(&self.app, &self.snapshot, def, table, batch) {
                Ok(items) if f(&items) => {}
                Ok(_) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

pub async fn file(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>, Query(params): Query<ListParams>) -> Result<Response, Problem> {
    let lang = crate::metrics::language(params.lang.clone())?;
    let sheet = matches!(params.format, Some(FileKind::Xlsx));
    let plural = name.clone();
    // The question is checked before the first byte is sent: a refusal is an answer, not half a file.
    let wanted = blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        if !caller.rights.may(def, northing_crm::access::Action::Export) {
            return Err(Problem::forbidden(format!("your role does not let you export {}", def.plural)));
        }
        let page = records::found(&app, &snapshot, &caller, &name, &params, 0, usize::MAX)?;
        if sheet && page.rows.len() > MOST_IN_A_SHEET {
            return Err(Problem::refused(format!("a sheet holds {MOST_IN_A_SHEET} rows and this list has {}; narrow it, or take it as CSV", page.rows.len())));
        }
        app.went_out(&caller, Way::File, &def.name, page.rows.len() as i64);
        Ok(Wanted { plural: def.plural.clone(), app, snapshot, lang, rows: page.rows })
    })
    .await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Part>(4);
    let kind = if sheet { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" } else { "text/csv; charset=utf-8" };
    let ending = if sheet { "xlsx" } else { "csv" };
    tokio::task::spawn_blocking(move || {
        let done = if sheet { workbook::send(&wanted, &sender) } else { send_csv(&wanted, &sender) };
        if done.is_none() {
            // Half a file must not pass for a whole one: the connection breaks off.
            let _ = sender.blocking_send(Err(std::io::Error::other("the file could not be made")));
        }
    });
    let headers = [
        (header::CONTENT_TYPE, kind.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plural}.{ending}\"")),
        (header::CACHE_CONTROL, "no-store".to_string()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver).map(|part| part))).into_response())
}

/// Sends the rows as they are read; none when the file could not be made whole.
fn send_csv(wanted: &Wanted, sender: &Sender<Part>) -> Option<()> {
    let (def, fields, head) = wanted.columns()?;
    // The mark by which spreadsheets know the encoding.
    let mut text = "\u{feff}".as_bytes().to_vec();
    text.extend(line(&head));
    let whole = wanted.each(def, |items| {
        items.iter().for_each(|item| text.extend(line(&cells(&fields, item))));
        // Whoever has gone away needs no more of it.
        sender.blocking_send(Ok(Bytes::from(std::mem::take(&mut text)))).is_ok()
    });
    if !text.is_empty() {
        let _ = sender.blocking_send(Ok(Bytes::from(text)));
    }
    whole.then_some(())
}

fn line(cells: &[String]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

fn cells(fields: &[&FieldDef], item: &Js) -> Vec<String> {
    let mut cells = vec![item["id"].as_str().unwrap_or_default().to_string()];
    for field in fields {
        let value = &item["fields"][&field.name];
        match field.kind {
            FieldType::Money => {
                cells.push(value["amount"].as_str().unwrap_or_default().to_string());
                cells.push(value["currency"].as_str().unwrap_or_default().to_string());
            }
            FieldType::Ref => cells.push(harmless(item["titles"][&field.name].as_str().unwrap_or_default())),
            FieldType::Int | FieldType::Percent | FieldType::Duration | FieldType::Decimal | FieldType::Bool | FieldType::Date | FieldType::Datetime => cells.push(plain(value)),
            _ => cells.push(harmless(&plain(value))),
        }
    }
    cells
}

fn plain(value: &Js) -> String {
    match value {
        Js::Null => String::new(),
        Js::String(text) => text.clone(),
        Js::Array(list) => list.iter().filter_map(Js::as_str).collect::<Vec<_>>().join(", "),
        Js::Object(map) => map.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}
