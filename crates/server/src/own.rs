//! What a workspace declares itself: told, tried and changed by labels and types. What a declaration is made of is
//! `model::own`'s concern, what becomes of records the store's.

use crate::app::{App, Caller, blocking};
use crate::extract::JsonBody;
use crate::problem::Problem;
use crate::records::{answered, commit, idempotency, permit};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use northing_crm::access::Action;
use northing_model::own::edit::{self, Edit, Edited};
use northing_model::own::Definition;
use northing_model::{FieldType, Record, Value};
use northing_store::Change;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use uuid::Uuid;

/// Values that cannot be read are shown so many at a time.
const EXAMPLES: usize = 20;

/// Only those who may change settings, and see every record: what is told of values and their number is of all.
fn allowed(app: &App, caller: &Caller) -> Result<(), Problem> {
    let model = app.store.model();
    let def = caller.object(&model, "definition")?;
    permit(app, caller, def, None, Action::Create)?;
    if caller.place.view.is_some() {
        return Err(Problem::forbidden("declarations are for those who see every record, as they tell of what is in all of them"));
    }
    Ok(())
}

/// The declarations, and by which records they are kept.
fn declared(app: &App) -> Result<(Vec<(Uuid, u64)>, Vec<Definition>), Problem> {
    Ok(app.store.definitions()?.into_iter().map(|(id, version, d)| ((id, version), d)).unzip())
}

pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>) -> Result<Json<Js>, Problem> {
    blocking(move || {
        allowed(&app, &caller)?;
        let (ids, definitions) = declared(&app)?;
        let model = app.store.model();
        let aside = app.store.set_aside();
        let why = |definition: &Definition| aside.iter().find(|a| a.definition == *definition).map(|a| a.why.to_string());
        let mut objects = Vec::new();
        for (at, o) in edit::objects(&definitions) {
            objects.push(json!({"name": o.name, "plural": o.plural, "label": o.label, "one": o.one, "dropped": o.dropped, "records": app.store.count_own(&o.name)?, "definition": ids[at].0, "aside": why(&definitions[at])}));
        }
        let mut fields = Vec::new();
        let mut filled = std::collections::BTreeMap::new();
        for f in edit::fields(&definitions) {
            if !filled.contains_key(&f.object) {
                filled.insert(f.object.clone(), app.store.filled(&f.object)?);
            }
            let values = filled.get(&f.object).and_then(|v| v.get(&f.field.name)).copied().unwrap_or(0);
            let title = model.object(&f.object).is_some_and(|o| o.title == f.field.name);
            fields.push(json!({
                "object": f.object, "name": f.field.name, "label": f.field.label, "type": f.field.kind, "to": f.field.to, "options": f.field.options,
                "dropped": f.field.dropped, "values": values, "title": title, "definition": ids[f.at].0, "aside": why(&definitions[f.at]),
            }));
        }
        let metrics: Vec<Js> = edit::metrics(&definitions).into_iter().map(|(at, id)| json!({"id": id, "name": model.metrics.get(&id).and_then(|m| m.name.clone()), "definition": ids[at].0, "aside": why(&definitions[at])})).collect();
        Ok(Json(json!({"objects": objects, "fields": fields, "metrics": metrics})))
    })
    .await
}

fn edited(app: &App, wanted: &Edit) -> Result<(Edited, Option<(Uuid, u64)>), Problem> {
    let (ids, definitions) = declared(app)?;
    let edited = edit::edit(&app.store.model(), &definitions, wanted).map_err(northing_store::StoreError::from)?;
    let at = edited.at.map(|at| ids[at]);
    Ok((edited, at))
}

/// What is there, and what of it could not be read; nothing is written.
pub async fn preview(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, JsonBody(wanted): JsonBody<Edit>) -> Result<Json<Js>, Problem> {
    blocking(move || {
        allowed(&app, &caller)?;
        let (edited, at) = edited(&app, &wanted)?;
        let records = app.store.count_own(&edited.object)?;
        let Some(field) = &edited.field else { return Ok(Json(json!({"object": edited.object, "known": at.is_some(), "records": records}))) };
        let found = app.store.conversion(&edited.object, field, EXAMPLES)?;
        let ids: Vec<Uuid> = found.examples.iter().map(|e| e.0).collect();
        app.showed(&caller, ids.iter().map(|_| edited.object.as_str()));
        let snapshot = caller.place.feed.now();
        let table = snapshot.table_index(&edited.object);
        let title = |id: &Uuid| table.and_then(|t| snapshot.row_of(t, *id).map(|row| snapshot.title(t, row))).unwrap_or_default();
        let examples: Vec<Js> = found.examples.iter().map(|(id, value, why)| json!({"id": id, "title": title(id), "value": value.chars().take(200).collect::<String>(), "why": why})).collect();
        Ok(Json(json!({"object": edited.object, "field": field.name, "known": at.is_some(), "records": records, "values": found.values, "refused": found.refused, "examples": examples})))
    })
    .await
}

/// Declares, renames, retypes, drops or brings back: whole, or not at all with the reason.
pub async fn change(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<Js>) -> Result<Json<Js>, Problem> {
    let key = idempotency(&caller, &headers, &format!("own {body}"))?;
    let wanted: Edit = serde_json::from_value(body).map_err(|e| Problem::bad(e.to_string()))?;
    blocking(move || {
        allowed(&app, &caller)?;
        if let Some(done) = answered(&app, &caller, key.as_ref())? {
            return Ok(Json(json!({"seq": done.seq})));
        }
        let (edited, at) = edited(&app, &wanted)?;
        let text = |t: &str| Value::Text(t.to_string());
        let d = &edited.definition;
        let body = ("body".to_string(), text(&d.body));
        let change = match at {
            Some((id, version)) => Change::update("definition", id, Record::from([body])).at_version(version),
            None => Change::create("definition", app.env.id(), Record::from([("kind".to_string(), text(&d.kind)), ("name".to_string(), text(&d.name)), body])),
        };
        if let Some(f) = edited.field.as_ref().filter(|f| matches!(f.kind, FieldType::Json | FieldType::Shares)) {
            return Err(Problem::refused(format!("a field of your own cannot be of the type {}", f.kind.name())));
        }
        let done = commit(&app, &caller, vec![change], key)?;
        Ok(Json(json!({"seq": done.seq})))
    })
    .await
}
