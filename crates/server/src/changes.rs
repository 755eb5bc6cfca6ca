//! Several changes that happen together or not at all: many records of a list at once, a lead that becomes a customer
//! and a deal, a deletion taken back. Each is looked at like a change of its own.

use crate::app::{App, Caller, blocking};
use crate::extract::{JsonBody, whole_if_any};
use crate::problem::Problem;
use crate::records::{answered, commit, fields, idempotency, permit};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::{Extension, Json};
use northing_crm::access::Action;
use northing_model::{ObjectDef, Value};
use northing_store::{Change, Committed};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

const MOST: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Changes {
    #[schemars(length(min = 1, max = MOST))]
    changes: Vec<One>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum What {
    Create,
    Update,
    Delete,
    Restore,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct One {
    op: What,
    /// The object's name in URLs.
    object: String,
    /// Of a new record a name that begins with `new:`, by which others of these changes refer to it.
    id: Option<String>,
    #[schemars(extend("type" = ["object", "null"]))]
    fields: Option<Js>,
    #[serde(default, deserialize_with = "whole_if_any")]
    version: Option<u64>,
}

/// Records made by the same request, by the names that it gives them.
pub type New = HashMap<String, Uuid>;

pub async fn change(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap, JsonBody(body): JsonBody<Js>) -> Result<Json<Js>, Problem> {
    let key = idempotency(&caller, &headers, &body.to_string())?;
    let Changes { changes } = serde_json::from_value(body).map_err(|e| Problem::bad(e.to_string()))?;
    if changes.is_empty() || changes.len() > MOST {
        return Err(Problem::bad(format!("send 1 to {MOST} changes")));
    }
    blocking(move || {
        if let Some(done) = answered(&app, &caller, key.as_ref())? {
            return Ok(answer(&changes, &done));
        }
        let mut new = New::new();
        for one in changes.iter().filter(|c| matches!(c.op, What::Create)) {
            if let Some(name) = one.id.as_ref().filter(|n| n.starts_with("new:")) {
                new.insert(name.clone(), app.env.id());
            }
        }
        let snapshot = caller.place.feed.now();
        let mut made = Vec::with_capacity(changes.len());
        for (n, one) in changes.iter().enumerate() {
            let def = caller.object(&snapshot.model, &one.object)?;
            let told = |p: Problem| Problem { detail: if changes.len() > 1 { format!("change {}: {}", n + 1, p.detail) } else { p.detail.clone() }, ..p };
            made.push(allowed(&app, &caller, def, one, &new).map_err(told)?);
        }
        let done = commit(&app, &caller, made, key)?;
        Ok(answer(&changes, &done))
    })
    .await
}

/// What was done, and under which ids what was named is there: every new record, and no other, has version 1.
fn answer(changes: &[One], done: &Committed) -> Json<Js> {
    let created = changes.iter().filter(|c| matches!(c.op, What::Create)).zip(done.versions.iter().filter(|(_, version)| *version == 1));
    let new: New = created.filter_map(|(one, (id, _))| one.id.clone().filter(|n| n.starts_with("new:")).map(|name| (name, *id))).collect();
    let written: Vec<Js> = done.versions.iter().map(|(id, version)| json!({"id": id, "version": version})).collect();
    Json(json!({"seq": done.seq, "records": written, "new": new}))
}

fn allowed(app: &App, caller: &Caller, def: &ObjectDef, one: &One, new: &New) -> Result<Change, Problem> {
    let id = || one.id.as_deref().and_then(|t| Uuid::parse_str(t).ok()).ok_or_else(|| Problem::refused("id: which record?"));
    let told = one.fields.clone().unwrap_or_else(|| json!({}));
    let mut change = match one.op {
        What::Create => {
            permit(app, caller, def, None, Action::Create)?;
            let mut fields = fields(app, caller, def, &told, new)?;
            if let Some((field, user)) = caller.rights.default_owner(def) {
                fields.entry(field).or_insert(Value::Ref(user));
            }
            let id = one.id.as_ref().and_then(|name| new.get(name)).copied();
            Change::create(&def.name, id.unwrap_or_else(|| app.env.id()), fields)
        }
        What::Update => {
            permit(app, caller, def, Some(id()?), Action::Change)?;
            Change::update(&def.name, id()?, fields(app, caller, def, &told, new)?)
        }
        What::Delete => {
            permit(app, caller, def, Some(id()?), Action::Delete)?;
            Change::delete(&def.name, id()?)
        }
        What::Restore => {
            let (id, own) = (id()?, caller.place.feed.at_least(app.store.seq(), crate::app::CATCH_UP));
            // A record that is gone is known by whoever saw it; whoever could delete it may take that back.
            if !caller.remembers(&own, &def.name, id) || !caller.rights.may_with(&own, def, id, Action::Delete) {
                return Err(Problem::not_found(format!("{} {id} does not exist", def.name)));
            }
            Change::restore(&def.name, id)
        }
    };
    change.expected = one.version;
    Ok(change)
}
