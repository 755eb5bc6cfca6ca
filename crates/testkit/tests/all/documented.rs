//! The OpenAPI document and the server say the same (S15). What schemathesis asks at length (`make long`) is asked here of
//! every route once: another method, another type, an id that is none, a parameter that is none, a body that is none.

use crate::http::{Reply, Server, start};
use serde_json::{Value as Js, json};
use std::collections::BTreeSet;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"];
const NOBODY: &str = "0190a000-0000-7000-8000-000000000000";

/// A problem, as the document describes problems, of the status that it has.
fn is_problem(reply: &Reply, what: &str) {
    let told: Js = serde_json::from_str(&reply.body).unwrap_or_else(|e| panic!("{what}: {} {}: {e}", reply.status, reply.body));
    assert!(reply.head.to_lowercase().contains("content-type: application/problem+json"), "{what}: {}", reply.head);
    assert_eq!(told["status"], reply.status, "{what}");
    for part in ["type", "title", "detail"] {
        assert!(told[part].as_str().is_some_and(|t| !t.is_empty()), "{what}: {told}");
    }
}

struct Asking {
    server: Server,
    cookie: String,
    document: Js,
}

impl Asking {
    fn new() -> Self {
        let server = start();
        let cookie = server.sign_in();
        let document = server.send("GET", "/api/openapi.json", &[], None).json();
        Self { server, cookie, document }
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Reply {
        self.server.send_text(method, path, &[("Cookie", &self.cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", kind)], body)
    }

    /// Paths with an id that could be one, and what they take by method. Nobody asks for the stream, which does not end.
    fn each(&self, mut f: impl FnMut(&str, &str, &str, &Js)) -> usize {
        let mut asked = 0;
        for (path, methods) in self.document["paths"].as_object().unwrap().iter().filter(|(p, _)| *p != "/api/events") {
            for (method, operation) in methods.as_object().unwrap() {
                f(path, &path.replace("{id}", NOBODY), &method.to_uppercase(), operation);
                asked += 1;
            }
        }
        asked
    }
}

/// What a route does not do is said before anything else, with what it does: the methods of the document and no others.
#[test]
fn s15_a_method_that_is_none() {
    let asking = Asking::new();
    for (path, methods) in asking.document["paths"].as_object().unwrap() {
        let known: BTreeSet<String> = methods.as_object().unwrap().keys().map(|m| m.to_uppercase()).collect();
        let path = path.replace("{id}", NOBODY);
        for method in METHODS.into_iter().filter(|m| !known.contains(*m)) {
            let reply = asking.ask(method, &path, "text/plain", "x");
            assert_eq!(reply.status, 405, "{method} {path}: {}", reply.body);
            is_problem(&reply, &format!("{method} {path}"));
            let allowed = reply.head.lines().find_map(|l| l.to_lowercase().strip_prefix("allow: ").map(str::to_uppercase)).unwrap_or_default();
            let allowed: BTreeSet<String> = allowed.split(',').map(|m| m.trim().to_string()).filter(|m| m != "HEAD" && !m.is_empty()).collect();
            assert_eq!(allowed, known, "{method} {path}");
        }
    }
}

/// A body of a type that is not taken, one that is no JSON, and one that is not what the document says.
#[test]
fn s15_a_body_that_is_none() {
    let asking = Asking::new();
    let mut taken = 0;
    asking.each(|_, path, method, operation| {
        let Some(content) = operation["requestBody"]["content"].as_object() else { return };
        let kind = content.keys().next().unwrap();
        // Of what is not there nothing is told, whatever is sent to it.
        let there = !path.contains(NOBODY) || path.ends_with("/merge") || method == "PATCH";
        if method != "DELETE" {
            for wrong in ["text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"] {
                let reply = asking.ask(method, path, wrong, "x");
                assert_eq!(reply.status, 415, "{method} {path}: {}", reply.body);
                is_problem(&reply, &format!("{method} {path}"));
            }
        }
        if kind == "application/json" {
            for wrong in ["{", "[]", "7", r#"{"surely_nobody_knows_this": 1}"#] {
                let reply = asking.ask(method, path, kind, wrong);
                // Records say of each field why not; the rest is refused as a whole.
                assert!(matches!(reply.status, 400 | 403 | 404 | 422) && (there || reply.status != 422), "{method} {path} {wrong}: {} {}", reply.status, reply.body);
                is_problem(&reply, &format!("{method} {path} {wrong}"));
            }
            taken += 1;
        }
    });
    assert!(taken > 100, "{taken}");
}

/// What cannot be an id leads nowhere, and a parameter that is not what the document says is refused by its name.
#[test]
fn s15_a_parameter_that_is_none() {
    let asking = Asking::new();
    let (mut ids, mut others) = (0, 0);
    asking.each(|path, fine, method, operation| {
        let body = operation["requestBody"]["content"]["application/json"].is_object().then_some("{}").unwrap_or_default();
        for parameter in operation["parameters"].as_array().unwrap() {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            match parameter["in"].as_str().unwrap() {
                "path" if schema["format"] == "uuid" || schema["type"] == "integer" => {
                    for id in ["0", "null", "%FF", "..%2F..", "%7B%7D"] {
                        if schema["type"] == "integer" && id == "0" {
                            continue;
                        }
                        let reply = asking.ask(method, &path.replace("{id}", id), "application/json", body);
                        assert!(reply.status == 404 || (reply.status == 403 && path.starts_with("/api/imports")), "{method} {path} {id}: {} {}", reply.status, reply.body);
                        is_problem(&reply, &format!("{method} {path} {id}"));
                        ids += 1;
                    }
                }
                "query" => {
                    // Whatever the document holds it to, this is not.
                    let exact = schema["enum"].is_array() || schema["pattern"].is_string() || schema["format"].is_string() || schema["anyOf"].is_array() || schema["type"] == "integer" || schema["type"] == "boolean";
                    if exact {
                        let mut query: Vec<(&str, &str)> = operation["parameters"].as_array().unwrap().iter().filter(|p| p["required"] == json!(true) && p["in"] == "query" && p["name"] != name).map(|p| (p["name"].as_str().unwrap(), if p["schema"]["format"] == "date" { "2024-01-01" } else { "revenue" })).collect();
                        query.push((name, "%27~"));
                        let query: Vec<String> = query.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
                        let reply = asking.ask(method, &format!("{}?{}", fine.replace(NOBODY, if path.starts_with("/api/metrics/") { "revenue" } else { NOBODY }), query.join("&")), "application/json", body);
                        assert!(matches!(reply.status, 400 | 422) || (reply.status == 403 && path.starts_with("/api/oidc")), "{method} {path} {name}: {} {}", reply.status, reply.body);
                        is_problem(&reply, &format!("{method} {path} {name}"));
                        others += 1;
                    }
                }
                _ => {}
            }
        }
    });
    assert!(ids > 500 && others > 300, "{ids} {others}");
}

/// A number that is one to JSON Schema is one here; a header that cannot be read is not taken for none.
#[test]
fn s15_what_the_document_allows_is_taken() {
    let asking = Asking::new();
    let made = asking.ask("POST", "/api/records/leads", "application/json", r#"{"name": "Ada"}"#).json();
    let id = made["id"].as_str().unwrap();
    let update = |version: &str| asking.ask("POST", "/api/changes", "application/json", &format!(r#"{{"changes": [{{"op": "update", "object": "leads", "id": "{id}", "version": {version}, "fields": {{"name": "Eda"}}}}]}}"#));
    assert_eq!((update("1.5").status, update("7.0").status, update("1.0").status), (400, 412, 200));
    let patch = |version: &str| asking.server.send("PATCH", &format!("/api/records/leads/{id}"), &[("Cookie", &asking.cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json"), ("If-Match", version)], Some(&json!({"name": "Ida"}))).status;
    assert_eq!((patch("\"é\""), patch("\"1\""), patch("\"2\"")), (400, 412, 200));
    // Of an amount without a currency that could be one nothing is guessed.
    let amount = |currency: &str| asking.ask("POST", "/api/records/expenses", "application/json", &format!(r#"{{"name": "Rent", "amount": {{"amount": "5", "currency": {currency}}}}}"#));
    assert!(amount("5").body.contains("ISO 4217") && amount("5").status == 422, "{}", amount("5").body);
}

/// A text with nothing in it is no value, whoever writes it: tables and log say the same of it.
#[test]
fn s15_a_blank_text_is_no_value() {
    let asking = Asking::new();
    let file = asking.ask("POST", "/api/imports", "application/json", r#"{"name": "a.csv", "text": "name\nAda\n"}"#).json();
    let run = format!("/api/imports/{}/run", file["id"].as_str().unwrap());
    let begun = |object: &str| asking.ask("POST", &run, "application/json", &json!({"mapping": {"object": object, "fields": {"name": "name"}}}).to_string());
    let refused = begun("");
    assert!(refused.status == 422 && refused.body.contains("nothing is imported"), "{}", refused.body);
    // It was not begun, so that it can be.
    assert_eq!(begun("customer").status, 202);
    let commit = |name: &str, value: &str| {
        let change = northing_store::Change::create("lead", northing_testkit::cases::id_of(name), northing_model::Record::from([("name".into(), northing_model::Value::Text(name.into())), ("source".into(), northing_model::Value::Text(value.into()))]));
        asking.server.store.commit(northing_store::Commit { actor: "owner".into(), at: crate::http::NOW, changes: vec![change], key: None }).unwrap();
        asking.server.store.get("lead", northing_testkit::cases::id_of(name)).unwrap().0.get("source").cloned()
    };
    assert_eq!((commit("blank", " \t"), commit("none", ""), commit("said", "fair")), (None, None, Some(northing_model::Value::Text("fair".into()))));
}
