//! The OpenAPI 3.1 document, made from the model: a declared field is in it without more work.

use crate::app::{App, blocking};
use crate::guard;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use northing_model::{FieldDef, FieldType, Model, ObjectDef};
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

pub fn openapi(model: &Model) -> Js {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert("Problem".into(), json!({"type": "object", "required": ["type", "title", "status", "detail"], "properties": {"type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"}, "field": {"type": "string"}}}));
    schemas.insert("Written".into(), json!({"type": "object", "required": ["seq"], "properties": {"id": {"type": ["string", "null"], "format": "uuid"}, "version": {"type": ["integer", "null"]}, "seq": {"type": "integer"}}}));
    schemas.insert("Money".into(), json!({"type": "object", "required": ["amount", "currency"], "properties": {"amount": {"type": "string", "examples": ["12.50"]}, "currency": {"type": "string", "minLength": 3, "maxLength": 3}}}));
    schemas.insert("Cell".into(), cell());
    for object in model.objects.iter().filter(|o| !o.derived) {
        schemas.insert(object.name.clone(), schema(object));
        record_paths(&mut paths, object);
    }
    let text = json!({"type": "string"});
    let parameter = |name: &str, schema: &Js, required: bool| json!({"name": name, "in": "query", "required": required, "schema": schema});
    let asked: Vec<Js> = [("from", true), ("to", true), ("by", false), ("where", false), ("variant", false), ("as_of", false)]
        .iter()
        .map(|(n, r)| parameter(n, &text, *r))
        .chain([
            parameter("grain", &json!({"enum": ["day", "week", "month", "quarter", "year", "total"]}), false),
            parameter("compare", &json!({"enum": ["none", "previous", "year"]}), false),
            parameter("calendar", &json!({"enum": ["gregorian", "solar_hijri"]}), false),
        ])
        .collect();
    let mut with_metrics = asked.clone();
    with_metrics.push(parameter("metrics", &text, true));
    let mut by_cohort = asked.clone();
    by_cohort.push(id_parameter());
    let mut drilling = asked;
    drilling.extend([id_parameter(), parameter("side", &text, false), parameter("part", &text, false), parameter("limit", &json!({"type": "integer"}), false), parameter("offset", &json!({"type": "integer"}), false)]);
    let lang = [parameter("lang", &json!({"enum": northing_model::labels::LANGUAGES}), false)];
    let mut get = |path: &str, summary: &str, parameters: &[Js]| {
        paths.insert(path.into(), json!({"get": operation(summary, parameters, None)}));
    };
    get("/api/ask", "Compute metrics over a period", &with_metrics);
    get("/api/metrics", "All metrics with names and definitions", &lang);
    get("/api/metrics/{id}", "One metric's definition", &[vec![id_parameter()], lang.to_vec()].concat());
    get("/api/metrics/{id}/cohorts", "A metric by when customers first bought", &by_cohort);
    get("/api/metrics/{id}/drill", "The records behind a number", &drilling);
    get("/api/search", "Records by name, e-mail or phone, however it is typed", &[parameter("q", &text, true)]);
    get("/api/model", "Objects, fields and labels", &lang);
    get("/api/outflow", "What went out to whom, and the alarms", &[]);
    get("/api/own", "Objects, fields and metrics of the workspace's own, dropped ones too", &[]);
    get("/api/events", "Live changes (server-sent events)", &[]);
    get("/api/ways", "How one can sign in", &[]);
    get("/api/oidc/begin", "Go to sign in with an account elsewhere", &[parameter("again", &json!({"type": "boolean"}), false)]);
    get("/api/oidc/back", "Come back from there", &[parameter("code", &text, false), parameter("state", &text, false)]);
    get("/livez", "Is the process alive", &[]);
    get("/readyz", "Can the store be written, do the facts follow, has the disk room", &[]);
    get("/metrics", "Counts for Prometheus, to who sees everything and may change settings", &[]);
    let text_field = json!({"type": "string"});
    let tried = json!({"type": "object", "required": ["toml", "from", "to"], "additionalProperties": false, "properties": {
        "toml": text_field, "from": text_field, "to": text_field, "grain": text_field, "by": text_field, "calendar": text_field,
    }});
    paths.insert("/api/metrics/try".into(), json!({"post": operation("What a metric that is not declared yet would say", &[], Some(tried))}));
    let object = |fields: &[(&str, &str)], required: &[&str]| {
        let properties: Map<String, Js> = fields.iter().map(|(name, kind)| ((*name).to_string(), json!({"type": kind}))).collect();
        json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
    };
    let token = object(&[("token", "string"), ("email", "string"), ("password", "string"), ("code", "string")], &[]);
    let one = object(&[("op", "string"), ("object", "string"), ("id", "string"), ("fields", "object"), ("version", "integer")], &["op", "object"]);
    let together = json!({"type": "object", "required": ["changes"], "additionalProperties": false, "properties": {"changes": {"type": "array", "minItems": 1, "maxItems": 1000, "items": one}}});
    paths.insert("/api/changes".into(), json!({"post": operation("Several changes together or not at all", &[], Some(together))}));
    let own = json!({"type": "object", "required": ["op"], "additionalProperties": false, "properties": {
        "op": {"enum": ["add_object", "add_field", "change", "drop", "restore"]}, "object": text_field, "field": text_field, "label": text_field, "one": text_field,
        "type": text_field, "to": text_field, "options": {"type": "array", "items": text_field}, "customer": {"type": "boolean"}, "owner": {"type": "boolean"},
    }});
    let written = operation("Declare an object or field, call it otherwise, let it hold something else, drop it, bring it back", &[], Some(own.clone()));
    paths.entry("/api/own").and_modify(|p| p["post"] = written);
    paths.insert("/api/own/preview".into(), json!({"post": operation("What would become of the values that are there", &[], Some(own))}));
    for (path, summary, parameters) in [("/api/files", "Take in the content of a file", Vec::new()), ("/api/imports/workbook", "Take a sheet of a workbook (XLSX); tell what it seems to hold", vec![query("name", "string"), query("sheet", "string")])] {
        let mut take = operation(summary, &parameters, None);
        take["requestBody"] = json!({"required": true, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}});
        paths.insert(path.into(), json!({"post": take}));
    }
    paths.insert("/api/records/attachments/{id}/file".into(), json!({"get": operation("The content of an attachment", &[id_parameter()], None)}));
    paths.insert("/api/outflow/alarms/{id}".into(), json!({"put": operation("An alarm is dealt with", &[id_parameter()], Some(object(&[("end", "boolean")], &[])))}));
    paths.insert("/api/bulk".into(), json!({"post": operation("One change of all records that a filter finds", &[], Some(object(&[("object", "string"), ("filter", "string"), ("op", "string"), ("fields", "object")], &["object", "op"])))}));
    paths.insert("/api/bulk/{id}".into(), json!({"get": operation("How far it is", &[id_parameter()], None), "delete": operation("Stop it", &[id_parameter()], None)}));
    paths.insert("/api/bulk/{id}/undo".into(), json!({"post": operation("Take it back", &[id_parameter()], None)}));
    let mapping = object(&[("mapping", "object")], &["mapping"]);
    for (path, summary, body) in [
        ("", "Take a file; tell what it seems to hold", object(&[("name", "string"), ("text", "string"), ("again", "string")], &["name", "text"])),
        ("/{id}/mapping", "Propose which column fills which field of an object", object(&[("object", "string")], &["object"])),
        ("/{id}/check", "What importing would come to", mapping.clone()),
        ("/{id}/run", "Import the file", mapping),
        ("/undo", "Take an import back", object(&[("run", "string")], &["run"])),
    ] {
        let parameters = if path.contains("{id}") { vec![id_parameter()] } else { Vec::new() };
        paths.insert(format!("/api/imports{path}"), json!({"post": operation(summary, &parameters, Some(body))}));
    }
    paths.insert("/api/imports/{id}".into(), json!({"get": operation("How far an import is", &[id_parameter()], None), "delete": operation("Stop an import, or forget its file", &[id_parameter()], None)}));
    let code = object(&[("code", "string")], &["code"]);
    paths.insert("/api/invitations".into(), json!({"post": operation("A link with which a user signs in once", &[], Some(object(&[("user", "string")], &["user"])))}));
    paths.insert("/api/me/password".into(), json!({"put": operation("Set one's password", &[], Some(object(&[("password", "string"), ("current", "string"), ("email", "string"), ("name", "string")], &["password"])))}));
    paths.insert("/api/me/codes".into(), json!({
        "post": operation("A secret for one-time codes", &[], None), "put": operation("Ask for codes from now on", &[], Some(code)), "delete": operation("No longer ask for codes", &[], Some(object(&[("code", "string")], &[]))),
    }));
    paths.insert("/api/me/sessions".into(), json!({"get": operation("One's sessions and tokens", &[], None)}));
    paths.insert("/api/me/sessions/{id}".into(), json!({"delete": operation("End a session or a token", &[id_parameter()], None)}));
    let mut token_terms = object(&[("name", "string"), ("read_only", "boolean"), ("days", "integer")], &["name", "days"]);
    token_terms["properties"]["rights"] = json!({
        "type": "object", "additionalProperties": {"enum": ["none", "see", "change"]}, "examples": [{"*": "none", "customer": "see", "deal": "change"}],
        "description": "What the program may of what its owner may, by object; '*' says it of those that are not named. Without it, all that its owner may",
    });
    paths.insert("/api/me/tokens".into(), json!({"post": operation("A token for a program", &[], Some(token_terms))}));
    paths.insert("/api/session/proof".into(), json!({"post": operation("Give the password again, before what asks for it (problem proof-needed)", &[], Some(object(&[("password", "string"), ("code", "string")], &["password"])))}));
    paths.insert("/api/session".into(), json!({
        "get": operation("Who is signed in", &[], None), "post": operation("Sign in by a link, or by address and password", &[], Some(token)), "delete": operation("Sign out", &[], None),
    }));
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Northing", "version": env!("CARGO_PKG_VERSION"), "description": "A CRM that proves its numbers."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "sid"}, "program": {"type": "http", "scheme": "bearer"}}},
        "security": [{"session": []}, {"program": []}],
    })
}

fn query(name: &str, kind: &str) -> Js {
    json!({"name": name, "in": "query", "required": false, "schema": {"type": kind}})
}

fn id_parameter() -> Js {
    json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}})
}

fn operation(summary: &str, parameters: &[Js], body: Option<Js>) -> Js {
    let problem = json!({"description": "What is wrong and what to do", "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}});
    let mut op = json!({"summary": summary, "parameters": parameters, "responses": {"2XX": {"description": "Done"}, "4XX": problem, "5XX": problem}});
    if let Some(schema) = body {
        op["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    op
}

fn record_paths(paths: &mut Map<String, Js>, object: &ObjectDef) {
    let reference = json!({"$ref": format!("#/components/schemas/{}", object.name)});
    let list = [query("filter", "string"), query("search", "string"), query("sort", "string"), query("cursor", "string"), query("limit", "integer"), query("after", "integer")];
    let base = format!("/api/records/{}", object.plural);
    let id = [id_parameter()];
    let merge = json!({"type": "object", "additionalProperties": false, "properties": {"into": {"type": ["string", "null"], "format": "uuid"}}});
    paths.insert(base.clone(), json!({
        "get": operation(&format!("List {}", object.plural), &list, None),
        "post": operation(&format!("Create a {}", object.name), &[], Some(reference.clone())),
    }));
    let file = [query("filter", "string"), query("sort", "string"), query("lang", "string"), query("format", "string")];
    paths.insert(format!("{base}/export"), json!({"get": operation(&format!("{} as a CSV or XLSX file", object.plural), &file, None)}));
    paths.insert(format!("{base}/twins"), json!({"get": operation(&format!("{} that may be the same", object.plural), &[], None)}));
    let grouped = [query("by", "string"), query("filter", "string"), query("sums", "string")];
    paths.insert(format!("{base}/groups"), json!({"get": operation(&format!("How many {} there are by what a field says, with sums", object.plural), &grouped, None)}));
    if object.exclusive.is_some() {
        let asked = [query("from", "string"), query("days", "integer"), query("of", "string")];
        paths.insert(format!("{base}/free"), json!({"get": operation("When somebody is there and not taken yet", &asked, None)}));
    }
    paths.insert(format!("{base}/{{id}}"), json!({
        "get": operation(&format!("Get a {}", object.name), &id, None),
        "patch": operation(&format!("Change a {}", object.name), &id, Some(reference)),
        "delete": operation(&format!("Delete a {}", object.name), &id, None),
    }));
    paths.insert(format!("{base}/{{id}}/history"), json!({"get": operation(&format!("Everything that happened to a {}", object.name), &id, None)}));
    paths.insert(format!("{base}/{{id}}/merge"), json!({"post": operation(&format!("Merge a {} into another, or take it back", object.name), &id, Some(merge))}));
}

fn schema(object: &ObjectDef) -> Js {
    let properties: Map<String, Js> = object.fields.values().map(|f| (f.name.clone(), property(f))).collect();
    json!({"type": "object", "properties": properties})
}

fn property(field: &FieldDef) -> Js {
    let mut json = match field.kind {
        FieldType::Text | FieldType::LongText | FieldType::Label | FieldType::Phone | FieldType::Json | FieldType::Currency | FieldType::Decimal => json!({"type": ["string", "null"]}),
        FieldType::Email => json!({"type": ["string", "null"], "format": "email"}),
        FieldType::Url => json!({"type": ["string", "null"], "format": "uri"}),
        FieldType::Int | FieldType::Duration => json!({"type": ["integer", "null"]}),
        FieldType::Percent => json!({"type": ["integer", "null"], "minimum": 0, "maximum": 100}),
        FieldType::Money => json!({"oneOf": [{"$ref": "#/components/schemas/Money"}, {"type": "null"}]}),
        FieldType::Date => json!({"type": ["string", "null"], "format": "date"}),
        FieldType::Datetime => json!({"type": ["string", "null"], "format": "date-time"}),
        FieldType::Bool => json!({"type": ["boolean", "null"]}),
        FieldType::Choice => {
            let options: Vec<Js> = field.options.iter().map(|o| json!(o)).chain([Js::Null]).collect();
            json!({"enum": options})
        }
        FieldType::Ref => json!({"type": ["string", "null"], "format": "uuid"}),
        FieldType::Refs | FieldType::Tags => json!({"type": ["array", "null"], "items": {"type": "string"}}),
        FieldType::Shares => json!({"type": ["object", "null"], "additionalProperties": {"type": "integer"}}),
    };
    if field.derived || matches!(field.name.as_str(), "updated_at" | "merged_into") {
        json["readOnly"] = true.into();
    }
    json
}

fn cell() -> Js {
    let number = json!({"type": ["number", "null"]});
    json!({"type": "object", "properties": {
        "value": number, "numerator": number, "denominator": number, "n": {"type": "integer"}, "excluded": {"type": "object", "additionalProperties": {"type": "integer"}},
        "complete": {"type": "boolean"}, "mature": {"type": "boolean"}, "mature_share": number, "reason": {"type": ["string", "null"]},
        "median": number, "p90": number, "interval": {"type": "array", "items": {"type": "number"}}, "low_n": {"type": "boolean"}, "flags": {"type": "array", "items": {"type": "string"}},
    }})
}
