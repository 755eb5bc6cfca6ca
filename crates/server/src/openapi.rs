//! The OpenAPI 3.1 document, made from the model and from the types that handlers read: a declared field or a new
//! parameter is in it without more work.

mod fields;
mod operation;

use crate::app::{App, blocking};
use crate::extract::Nothing;
use crate::problem::Problem;
use crate::{bulk, changes, free, guard, imports, metrics, oidc, outflow, people, proof, records, search, session};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use northing_model::own::edit::Edit;
use northing_model::{Model, ObjectDef};
use operation::{Operation, content, nothing, object, of};
use serde_json::{Map, Value as Js, json};
use std::sync::Arc;

/// Of the product; to who is signed in, of what they see of this workspace.
pub async fn document(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Js>, Problem> {
    let token = guard::token(&app, &headers);
    blocking(move || match guard::who(&app, &token)? {
        None => Ok(Json(openapi(&Model::builtin().map_err(Problem::internal)?))),
        Some(caller) => {
            let mut model = (*caller.place.feed.now().model).clone();
            model.objects.retain(|o| caller.place.view.as_ref().is_none_or(|v| v.sees(o.of.as_deref().unwrap_or(&o.name))));
            Ok(Json(openapi(&model)))
        }
    })
    .await
}

/// Operations by path and method.
#[derive(Default)]
struct Paths(Map<String, Js>);

impl Paths {
    fn set(&mut self, method: &str, path: &str, operation: Operation) {
        self.0.entry(path).or_insert_with(|| json!({}))[method] = operation.written();
    }
    fn get(&mut self, path: &str, operation: Operation) {
        self.set("get", path, operation);
    }
    fn post(&mut self, path: &str, operation: Operation) {
        self.set("post", path, operation);
    }
    fn put(&mut self, path: &str, operation: Operation) {
        self.set("put", path, operation);
    }
    fn delete(&mut self, path: &str, operation: Operation) {
        self.set("delete", path, operation);
    }
}

/// What the statuses of problems mean, everywhere.
const PROBLEM: &str = "What is wrong and what to do. 400: it is not as this document says. 401: sign in. 403: it is not allowed. 404: there is no such thing, or none that you see. \
405: not by this method. 408: it came too slowly. 409: something else is so by now. 412: the record was changed since the version that you name. 413: too large. 415: of a type that is not taken. \
422: it can be read, and what it means cannot be done or answered. 429 and 503: come again, after Retry-After. 507: there is no room.";

pub fn openapi(model: &Model) -> Js {
    let mut paths = Paths::default();
    let mut schemas = Map::new();
    schemas.insert("Problem".into(), json!({"type": "object", "required": ["type", "title", "status", "detail"], "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}, "field": {"type": "string"}}}));
    schemas.insert("Written".into(), json!({"type": "object", "required": ["seq"], "properties": {"id": {"type": ["string", "null"], "format": "uuid"}, "version": {"type": ["integer", "null"]}, "seq": {"type": "integer"}}}));
    schemas.insert("Money".into(), json!({"type": "object", "required": ["amount"], "additionalProperties": false, "properties": {"amount": {"type": ["string", "number"], "examples": ["12.50"]}, "currency": {"type": ["string", "null"], "examples": ["EUR"], "description": "An ISO 4217 code; the workspace's where there is none"}}}));
    schemas.insert("Cell".into(), cell());
    for object in model.objects.iter().filter(|o| !o.derived) {
        schemas.insert(object.name.clone(), fields::schema(object));
        of_records(&mut paths, object);
    }
    of_numbers(&mut paths, model);
    of_lists(&mut paths);
    of_people(&mut paths);
    of_the_server(&mut paths);
    let problem = json!({"description": PROBLEM, "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Northing", "version": env!("CARGO_PKG_VERSION"), "description": "A CRM that proves its numbers."},
        "paths": paths.0,
        "components": {"schemas": schemas, "responses": {"Problem": problem}, "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "sid"}, "program": {"type": "http", "scheme": "bearer"}}},
        "security": [{"session": []}, {"program": []}],
    })
}

fn uuid() -> Js {
    json!({"type": "string", "format": "uuid"})
}

fn name() -> Js {
    json!({"type": "string", "minLength": 1})
}

/// The records of an object.
fn of_records(paths: &mut Paths, object: &ObjectDef) {
    let (one, many, base) = (&object.name, &object.plural, format!("/api/records/{}", object.plural));
    let fields = json!({"$ref": format!("#/components/schemas/{one}")});
    let written = |status: u16| of(status, json!({"$ref": "#/components/schemas/Written"}));
    let shown = json!({"type": "object", "required": ["id", "version", "fields", "titles"], "properties": {"id": uuid(), "version": {"type": "integer"}, "fields": fields, "titles": {"type": "object"}}});
    let page = json!({"type": "object", "required": ["seq", "total", "items", "next"], "properties": {"seq": {"type": "integer"}, "total": {"type": "integer"}, "items": {"type": "array", "items": shown}, "next": {"type": ["string", "null"]}}});
    let needed = fields::needed(object);
    let new = if needed.is_empty() { fields.clone() } else { json!({"allOf": [fields, {"required": needed}]}) };
    let id = || uuid();
    paths.get(&base, Operation::new(format!("List {many}")).asks::<records::ListParams>(&["lang", "format"]).gives(of(200, page)));
    paths.post(&base, Operation::new(format!("Create a {one}")).keyed().takes_schema(new).gives(written(201)));
    let file = Operation::new(format!("{many} as a CSV or XLSX file")).asks::<records::ListParams>(&["limit", "cursor", "after"]);
    paths.get(&format!("{base}/export"), file.gives(content("text/csv")).gives(content("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")));
    paths.get(&format!("{base}/twins"), Operation::new(format!("{many} that may be the same")));
    paths.get(&format!("{base}/groups"), Operation::new(format!("How many {many} there are by what a field says, with sums")).asks::<records::Grouped>(&[]).among("by", object.fields.values().filter(|f| f.facts).map(|f| &f.name)));
    if object.exclusive.is_some() {
        paths.get(&format!("{base}/free"), Operation::new("When somebody is there and not taken yet").asks::<free::Asked>(&[]));
    }
    let by_id = format!("{base}/{{id}}");
    paths.get(&by_id, Operation::new(format!("Get a {one}")).id(&id()).gives(of(200, shown)));
    paths.set("patch", &by_id, Operation::new(format!("Change a {one}")).id(&id()).keyed().versioned().takes_schema(fields).gives(written(200)));
    paths.delete(&by_id, Operation::new(format!("Delete a {one}")).id(&id()).keyed().versioned().gives(written(200)));
    paths.get(&format!("{by_id}/history"), Operation::new(format!("Everything that happened to a {one}")).id(&id()));
    paths.post(&format!("{by_id}/merge"), Operation::new(format!("Merge a {one} into another, or take it back")).id(&id()).keyed().versioned().takes::<records::Merge>().gives(written(200)));
    if one == "attachment" {
        paths.get(&format!("{by_id}/file"), Operation::new("The content of an attachment").id(&id()).gives(content("application/octet-stream")));
    }
}

/// Metrics, search, and the model that they speak of.
fn of_numbers(paths: &mut Paths, model: &Model) {
    const DRILL: [&str; 4] = ["side", "part", "limit", "offset"];
    let beyond = |more: &[&'static str]| -> Vec<&str> { more.iter().copied().chain(DRILL).collect() };
    let metric = json!({"type": "string", "enum": model.metrics.keys().collect::<Vec<_>>()});
    paths.get("/api/ask", Operation::new("Compute metrics over a period").asks::<metrics::Asked>(&beyond(&[])).needs("metrics"));
    paths.get("/api/metrics", Operation::new("All metrics with names and definitions").asks::<metrics::Language>(&[]));
    paths.get("/api/metrics/{id}", Operation::new("One metric's definition").id(&metric).asks::<metrics::Language>(&[]));
    paths.get("/api/metrics/{id}/cohorts", Operation::new("A metric by when customers first bought").id(&metric).asks::<metrics::Asked>(&beyond(&["metrics"])));
    paths.get("/api/metrics/{id}/drill", Operation::new("The records behind a number").id(&metric).asks::<metrics::Asked>(&["metrics"]));
    paths.post("/api/metrics/try", Operation::new("What a metric that is not declared yet would say").takes::<metrics::Tried>());
    paths.get("/api/search", Operation::new("Records by name, e-mail or phone, however it is typed").asks::<search::Words>(&[]));
    paths.get("/api/model", Operation::new("Objects, fields and labels").asks::<metrics::Language>(&[]));
    paths.get("/api/own", Operation::new("Objects, fields and metrics of the workspace's own, dropped ones too"));
    paths.post("/api/own", Operation::new("Declare an object or field, call it otherwise, let it hold something else, drop it, bring it back").keyed().takes::<Edit>());
    paths.post("/api/own/preview", Operation::new("What would become of the values that are there").takes::<Edit>());
}

/// Many records at once: changes, files, imports.
fn of_lists(paths: &mut Paths) {
    paths.post("/api/changes", Operation::new("Several changes together or not at all").keyed().takes::<changes::Changes>());
    paths.post("/api/bulk", Operation::new("One change of all records that a filter finds").keyed().takes::<bulk::Asked>().gives(object(202)));
    paths.get("/api/bulk/{id}", Operation::new("How far it is").id(&uuid()));
    paths.delete("/api/bulk/{id}", Operation::new("Stop it").id(&uuid()).gives(nothing(204)));
    paths.post("/api/bulk/{id}/undo", Operation::new("Take it back").id(&uuid()).takes::<Nothing>().gives(nothing(202)));
    paths.post("/api/files", Operation::new("Take in the content of a file").takes_bytes().gives(object(201)));
    paths.post("/api/imports", Operation::new("Take a file; tell what it seems to hold").takes::<imports::File>());
    paths.post("/api/imports/workbook", Operation::new("Take a sheet of a workbook (XLSX); tell what it seems to hold").asks::<imports::Sheet>(&[]).takes_bytes());
    paths.get("/api/imports/{id}", Operation::new("How far an import is").id(&uuid()));
    paths.delete("/api/imports/{id}", Operation::new("Stop an import, or forget its file").id(&uuid()).gives(nothing(204)));
    paths.post("/api/imports/{id}/mapping", Operation::new("Propose which column fills which field of an object").id(&uuid()).takes::<imports::Wanted>());
    paths.post("/api/imports/{id}/check", Operation::new("What importing would come to").id(&uuid()).takes::<imports::Told>());
    paths.post("/api/imports/{id}/run", Operation::new("Import the file").id(&uuid()).keyed().takes::<imports::Told>().gives(object(202)));
    paths.post("/api/imports/undo", Operation::new("Take an import back").takes::<imports::Back>());
}

/// Who is signed in, by what, and what they took.
fn of_people(paths: &mut Paths) {
    paths.get("/api/session", Operation::new("Who is signed in"));
    paths.post("/api/session", Operation::new("Sign in by a link, or by address and password").open().takes::<session::SignIn>());
    paths.delete("/api/session", Operation::new("Sign out").gives(nothing(204)));
    paths.post("/api/session/proof", Operation::new("Give the password again, before what asks for it (problem proof-needed)").takes::<proof::Proof>().gives(nothing(204)));
    paths.get("/api/ways", Operation::new("How one can sign in").open());
    paths.get("/api/oidc/begin", Operation::new("Go to sign in with an account elsewhere").open().asks::<oidc::Begin>(&[]).gives(nothing(303)));
    paths.get("/api/oidc/back", Operation::new("Come back from there").open().asks::<oidc::Back>(&[]).gives(nothing(303)));
    paths.post("/api/invitations", Operation::new("A link with which a user signs in once").takes::<people::Invitation>());
    paths.put("/api/me/password", Operation::new("Set one's password").takes::<people::NewPassword>().gives(nothing(204)));
    paths.post("/api/me/codes", Operation::new("A secret for one-time codes").takes::<Nothing>());
    paths.put("/api/me/codes", Operation::new("Ask for codes from now on").takes::<people::Code>().gives(nothing(204)));
    paths.delete("/api/me/codes", Operation::new("No longer ask for codes").takes::<people::LastCode>().gives(nothing(204)));
    paths.get("/api/me/sessions", Operation::new("One's sessions and tokens"));
    paths.delete("/api/me/sessions/{id}", Operation::new("End a session or a token").id(&name()).gives(nothing(204)));
    paths.post("/api/me/tokens", Operation::new("A token for a program").keyed().takes::<people::NewToken>());
    paths.get("/api/outflow", Operation::new("What went out to whom, and the alarms"));
    let number = json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX});
    paths.put("/api/outflow/alarms/{id}", Operation::new("An alarm is dealt with").id(&number).takes::<outflow::Dealt>().gives(nothing(204)));
}

/// The server itself.
fn of_the_server(paths: &mut Paths) {
    paths.get("/api/events", Operation::new("Live changes (server-sent events)").gives(content("text/event-stream")));
    paths.get("/livez", Operation::new("Is the process alive").open().gives(content("text/plain")));
    paths.get("/readyz", Operation::new("Can the store be written, do the facts follow, has the disk room").open().gives(object(200)).gives(object(503)));
    paths.get("/metrics", Operation::new("Counts for Prometheus, to who sees everything and may change settings").gives(content("text/plain")));
}

fn cell() -> Js {
    let number = json!({"type": ["number", "null"]});
    json!({"type": "object", "properties": {
        "value": number, "numerator": number, "denominator": number, "n": {"type": "integer"}, "excluded": {"type": "object", "additionalProperties": {"type": "integer"}},
        "complete": {"type": "boolean"}, "mature": {"type": "boolean"}, "mature_share": number, "reason": {"type": ["string", "null"]},
        "median": number, "p90": number, "interval": {"type": "array", "items": {"type": "number"}}, "low_n": {"type": "boolean"}, "flags": {"type": "array", "items": {"type": "string"}},
    }})
}
