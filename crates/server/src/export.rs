//! A list as a file: every record that meets the filter, in its order, with the names of what it refers to.
//!
//! What people typed may begin with what a spreadsheet takes for a formula; such cells are made texts. Numbers,
//! amounts and days stay what they are. Rows are sent as they are read, so that a list of any size fits.

use crate::app::{App, Caller, blocking};
use crate::problem::Problem;
use crate::records::{self, ListParams};
use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use northing_model::{FieldDef, FieldType};
use serde_json::Value as Js;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// Records read from the store at a time.
const BATCH: usize = 500;

pub async fn csv(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>, params: Result<Query<ListParams>, QueryRejection>) -> Result<Response, Problem> {
    let Query(params) = params.map_err(|e| Problem::bad(e.body_text()))?;
    let lang = params.lang.clone().unwrap_or_else(|| "en".into());
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    let file = name.clone();
    let wanted = app.clone();
    // The question is checked before the first byte is sent: a refusal is an answer, not half a file.
    let (snapshot, rows) = blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        if !caller.rights.may(def, northing_crm::access::Action::Export) {
            return Err(crate::problem::Problem::forbidden(format!("your role does not let you export {}", def.plural)));
        }
        let page = records::found(&app, &snapshot, &caller, &name, &params, 0, usize::MAX)?;
        Ok((snapshot, page.rows))
    })
    .await?;
    let plural = file.clone();
    tokio::task::spawn_blocking(move || {
        let Some(def) = snapshot.model.object_by_path(&file) else { return };
        let Some(table) = snapshot.table_index(&def.name) else { return };
        let fields: Vec<&FieldDef> = def.fields.values().filter(|f| f.kind != FieldType::Json).collect();
        let mut head = vec!["id".to_string()];
        for field in &fields {
            let label = wanted.labels.field(&lang, &def.name, &field.name);
            head.push(label.clone());
            if field.kind == FieldType::Money {
                head.push(format!("{label} ({})", wanted.labels.field(&lang, &def.name, "currency")));
            }
        }
        // The mark by which spreadsheets know the encoding.
        let mut text = "\u{feff}".as_bytes().to_vec();
        text.extend(line(&head));
        for batch in rows.chunks(BATCH) {
            match records::rows(&wanted, &snapshot, def, table, batch) {
                Ok(items) => items.iter().for_each(|item| text.extend(line(&cells(&fields, item)))),
                Err(_) => {
                    // Half a file must not pass for a whole one: the connection breaks off.
                    let _ = sender.blocking_send(Err(std::io::Error::other("the store could not be read")));
                    return;
                }
            }
            if sender.blocking_send(Ok(Bytes::from(std::mem::take(&mut text)))).is_err() {
                return;
            }
        }
        if !text.is_empty() {
            let _ = sender.blocking_send(Ok(Bytes::from(text)));
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{plural}.csv\"")),
        (header::CACHE_CONTROL, "no-store".to_string()),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(receiver).map(|part| part))).into_response())
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

/// A text that a spreadsheet would run, as the text that it is.
fn harmless(text: &str) -> String {
    let risky = text.trim_start_matches(['\u{feff}', ' ']).starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠']);
    if risky { format!("'{text}") } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_looks_like_a_formula_becomes_text() {
        for text in ["=1+1", "+48 22", "-2", "@x", "\t=1", " =1", "\u{feff}=1", "\0=1", "＝1"] {
            assert!(harmless(text).starts_with('\''), "{text:?}");
        }
        for text in ["Anna", "1-2", "a=b", "", "۱۲۳"] {
            assert_eq!(harmless(text), text);
        }
    }
}
