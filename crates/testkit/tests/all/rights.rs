//! What somebody may not see cannot change a byte of what they get (SECURITY.md P6): two workspaces that differ only
//! in what is hidden from them answer every route alike, before and after the hidden part changes.

use crate::http::{NOW, Server, start_with};
use northing_model::{FieldDef, FieldType, Model, Record, Value};
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const RIGHTS: &str = r#"{"*": {"see": "own", "change": "own", "create": true, "delete": "own", "export": true},
    "deal": {"hide": ["amount", "lost_reason"], "read_only": ["source"]}, "customer": {"hide": ["note", "phone"]},
    "expense": {"see": "none", "export": false}}"#;

/// Everybody's: told the same in both workspaces.
pub const COMMON: [&str; 9] = ["workspace", "definition", "team", "access_role", "product", "pipeline", "stage", "schedule", "campaign"];

/// A value of a field that is the same for the same words.
pub fn value(field: &FieldDef, words: &str, refs: &BTreeMap<String, Uuid>) -> Value {
    let n = (id_of(words).as_u128() % 1_000) as i64;
    match field.kind {
        FieldType::Ref => field.to.as_ref().filter(|_| field.name != "merged_into" && field.name != "successor" && field.name != "parent" && field.name != "upgrades" && field.name != "follows").and_then(|to| refs.get(to)).map_or(Value::Null, |id| Value::Ref(*id)),
        FieldType::Text | FieldType::LongText | FieldType::Label => Value::Text(format!("{words} {n}")),
        FieldType::Email => Value::Text(format!("m{n}@example.org")),
        FieldType::Phone => Value::Text(format!("+48 600 {n:06}")),
        FieldType::Choice => Value::Text(field.options[n as usize % field.options.len()].clone()),
        FieldType::Int | FieldType::Percent | FieldType::Duration => Value::Int(n % 90),
        FieldType::Decimal => Value::Decimal(n * 1_000_000),
        FieldType::Money => Value::Money(northing_model::Money { minor: n * 100, currency: northing_model::Currency::parse("EUR").unwrap() }),
        FieldType::Date => Value::Date((NOW / 86_400 - 30 + n % 25) as i32),
        FieldType::Datetime => Value::Time(NOW - 86_400 * (30 - n % 25)),
        FieldType::Bool => Value::Bool(field.name == "connected" || field.name == "active" || field.name == "is_public"),
        _ => Value::Null,
    }
}

/// A record of every object for a person, each pointing at the person's own others.
pub fn life(model: &Model, store: &Store, person: &str, salt: &str, refs: &BTreeMap<String, Uuid>, hidden: &[(&str, &str)], hidden_salt: &str) {
    let mut refs = refs.clone();
    let mut left: Vec<&northing_model::ObjectDef> = model.objects.iter().filter(|o| !o.derived && !COMMON.contains(&o.name.as_str()) && !["user", "fx_rate", "question_version", "score_rule", "saved_list", "canned_reply", "service_promise"].contains(&o.name.as_str())).collect();
    while !left.is_empty() {
        let ready = |o: &&northing_model::ObjectDef| !o.fields.values().any(|f| f.kind == FieldType::Ref && !f.derived && f.to.as_ref().is_some_and(|to| *to != o.name && left.iter().any(|l| l.name == *to)));
        let at = left.iter().position(|o| ready(o)).unwrap_or(0);
        let object = left.remove(at);
        let id = id_of(&format!("{person}/{}", object.name));
        let mut fields = Record::new();
        for field in object.stored_fields() {
            let salt = if hidden.contains(&(object.name.as_str(), field.name.as_str())) { hidden_salt } else { salt };
            let value = value(field, &format!("{person}{salt}/{}/{}", object.name, field.name), &refs);
            if !value.is_null() && !matches!(field.name.as_str(), "is_test" | "external_id" | "updated_at" | "merged_into" | "is_internal" | "ends_at" | "is_spam" | "withdrawn" | "lost_at") {
                fields.insert(field.name.clone(), value);
            }
        }
        // What a record must meet: an end after the beginning, an answer on its scale, a metric that there is.
        for (from, to) in [("starts_on", "ends_on"), ("service_from", "service_to")] {
            if let (Some(at), true) = (fields.get(from).cloned(), fields.contains_key(to)) {
                fields.insert(to.into(), at);
            }
        }
        for field in object.stored_fields() {
            match field.names {
                Some(northing_model::field::Names::Metric) => drop(fields.insert(field.name.clone(), Value::Text("revenue".into()))),
                Some(northing_model::field::Names::Variant) => drop(fields.insert(field.name.clone(), Value::Text("paid".into()))),
                None => {}
            }
        }
        if object.name == "survey_response" {
            fields.insert("value".into(), Value::Int(1 + (id_of(&format!("{person}{salt}")).as_u128() % 4) as i64));
        }
        fields.insert("created_at".into(), Value::Time(NOW - 40 * 86_400));
        store.commit(Commit { actor: "owner".into(), at: NOW - 100, changes: vec![Change::create(&object.name, id, fields)], key: None }).unwrap_or_else(|e| panic!("{}: {e}", object.name));
        refs.insert(object.name.clone(), id);
    }
}

pub fn commit(store: &Store, object: &str, name: &str, fields: &[(&str, Value)]) -> Uuid {
    let id = id_of(name);
    let fields = fields.iter().map(|(k, v)| ((*k).to_string(), v.clone())).collect();
    store.commit(Commit { actor: "owner".into(), at: NOW - 200, changes: vec![Change::create(object, id, fields)], key: None }).unwrap();
    id
}

/// What records of all people refer to, by object.
pub fn everybodys(store: &Store) -> BTreeMap<String, Uuid> {
    let text = |t: &str| Value::Text(t.into());
    let pipeline = commit(store, "pipeline", "pipeline", &[("name", text("Sales"))]);
    let stage = commit(store, "stage", "stage", &[("name", text("Open")), ("kind", text("open")), ("pipeline", Value::Ref(pipeline)), ("position", Value::Int(1)), ("probability", Value::Int(40))]);
    let question = commit(store, "question_version", "question", &[("name", text("Q")), ("scores", text("csat")), ("good_from", Value::Int(4)), ("good_to", Value::Int(90))]);
    let product = commit(store, "product", "product", &[("name", text("P"))]);
    let campaign = commit(store, "campaign", "campaign", &[("name", text("C"))]);
    [("pipeline", pipeline), ("stage", stage), ("question_version", question), ("product", product), ("campaign", campaign)].map(|(k, v)| (k.to_string(), v)).into()
}

const HIDDEN: [(&str, &str); 4] = [("deal", "amount"), ("deal", "lost_reason"), ("customer", "note"), ("customer", "phone")];

/// The workspace of Uma, who sees her own, and Vic, whose part `salt` changes.
pub fn fill(store: &Store, salt: &str) {
    let text = |t: &str| Value::Text(t.into());
    commit(store, "workspace", "workspace", &[("name", text("W"))]);
    let role = commit(store, "access_role", "role", &[("name", text("Own")), ("rights", text(RIGHTS))]);
    let team = commit(store, "team", "team", &[("name", text("Team"))]);
    // How colleagues sign in and what roles say is hidden too.
    commit(store, "access_role", "other role", &[("name", text("Other")), ("rights", text(&format!("{{\"*\": {{\"see\": \"own\"}}, \"customer\": {{\"hide\": [\"{}\"]}}}}", if salt.is_empty() { "note" } else { "phone" })))]);
    let user = |name: &str| commit(store, "user", name, &[("name", text(name)), ("email", text(&format!("{name}{}@example.org", if name == "vic" { salt.trim() } else { "" }))), ("access", Value::Ref(role)), ("team", Value::Ref(team)), ("enabled_at", Value::Time(NOW - 90 * 86_400))]);
    let (uma, vic) = (user("uma"), user("vic"));
    let mut shared = everybodys(store);
    shared.insert("team".into(), team);
    commit(store, "canned_reply", "everybody's", &[("name", text("Thanks")), ("body", text("Thank you"))]);
    commit(store, "canned_reply", "uma/canned_reply", &[("name", text("Uma's")), ("body", text("hers")), ("owner", Value::Ref(uma))]);
    commit(store, "canned_reply", "vic/canned_reply", &[("name", text(&format!("Vic's{salt}"))), ("body", text("his")), ("owner", Value::Ref(vic))]);
    commit(store, "saved_list", "for all", &[("name", text("For all")), ("of", text("deals"))]);
    commit(store, "saved_list", "uma/saved_list", &[("name", text("Uma's")), ("of", text("deals")), ("owner", Value::Ref(uma))]);
    commit(store, "saved_list", "vic/saved_list", &[("name", text(&format!("Vic's{salt}"))), ("of", text("deals")), ("owner", Value::Ref(vic))]);
    let model = store.model();
    let of = |who: Uuid| {
        let mut refs = shared.clone();
        refs.insert("user".into(), who);
        refs
    };
    life(&model, store, "uma", "", &of(uma), &HIDDEN, salt);
    life(&model, store, "vic", salt, &of(vic), &[], salt);
    // Orders whose numbers begin alike: one of hers, and of his more than a search ever shows.
    commit(store, "order", "uma/numbered", &[("number", text("77-999")), ("customer", Value::Ref(id_of("uma/customer"))), ("confirmed_at", Value::Time(NOW - 86_400))]);
    if !salt.is_empty() {
        life(&model, store, "vic again", salt, &of(vic), &[], salt);
        let numbered = (0..300).map(|n| Change::create("order", id_of(&format!("vic/numbered {n}")), Record::from([("number".into(), text(&format!("77-{n:03}"))), ("customer".into(), Value::Ref(id_of("vic/customer")))])));
        store.commit(Commit { actor: "owner".into(), at: NOW - 100, changes: numbered.collect(), key: None }).unwrap();
        for object in ["customer", "deal", "order"] {
            let known = Change::update(object, id_of(&format!("vic/{object}")), Record::from([("external_id".into(), text("X-1"))]));
            store.commit(Commit { actor: "owner".into(), at: NOW - 100, changes: vec![known], key: None }).unwrap();
        }
    }
}

pub fn signed_in(server: &Server) -> String {
    server.store.add_sign_in("for-uma", &id_of("uma").to_string(), NOW, 60).unwrap();
    let reply = server.ask_in(&json!({"token": "for-uma"}));
    assert_eq!(reply.status, 200, "{}", reply.body);
    Server::cookie(&reply)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|b| if b.is_ascii_alphanumeric() { (b as char).to_string() } else { format!("%{b:02X}") }).collect()
}

/// Requests of every route in the document. A route that this does not know fails the test.
fn requests(server: &Server, model: &Model) -> Vec<String> {
    let document = server.send("GET", "/api/openapi.json", &[], None).json();
    let dims: std::collections::BTreeSet<&String> = model.metrics.values().flat_map(|m| &m.dims).collect();
    // The document says nothing of itself.
    let mut found = vec!["/api/openapi.json".to_string()];
    for (path, methods) in document["paths"].as_object().unwrap() {
        let object = path.strip_prefix("/api/records/").map(|rest| model.object_by_path(rest.split('/').next().unwrap()).unwrap());
        for method in methods.as_object().unwrap().keys().filter(|m| *m == "get") {
            assert_eq!(method, "get");
            match (object, path.as_str()) {
                (Some(o), _) if path.contains("{id}") => {
                    for whose in ["uma", "vic", "vic again", "nobody"] {
                        found.push(path.replace("{id}", &id_of(&format!("{whose}/{}", o.name)).to_string()));
                    }
                }
                (Some(_), p) if p.ends_with("free") => found.push(format!("{p}?from=2024-02-01&days=31")),
                (Some(o), p) if p.ends_with("/groups") => found.extend(o.fields.keys().flat_map(|f| [format!("{p}?by={f}"), format!("{p}?by=created_at&sums={f}"), format!("{p}?by=id&filter={}", encoded(&format!("{f} is not null")))])),
                (Some(_), p) if p.ends_with("twins") => found.push(p.to_string()),
                (Some(o), p) => {
                    found.push(p.to_string());
                    found.extend(["vic", "uma", "600", "secert", "vic sceret"].map(|q| format!("{p}?search={}", encoded(q))));
                    for field in o.fields.keys() {
                        found.push(format!("{p}?filter={}", encoded(&format!("{field} is not null"))));
                        if !p.ends_with("export") {
                            found.push(format!("{p}?sort={field}"));
                            found.push(format!("{p}?sort=-{field}&limit=1"));
                        }
                    }
                }
                (_, "/api/ask") => {
                    for metric in model.metrics.keys() {
                        let variants = model.metrics[metric].variants.keys().map(|v| format!("{metric}:{v}")).chain([metric.clone()]);
                        found.extend(variants.map(|m| format!("/api/ask?metrics={m}&from=2024-02-01&to=2024-04-01&grain=month&compare=previous")));
                        found.extend(dims.iter().map(|by| format!("/api/ask?metrics={metric}&from=2024-02-01&to=2024-04-01&by={by}")));
                    }
                    found.push("/api/ask?metrics=revenue&from=2024-02-01&to=2024-04-01&as_of=2024-03-09T15:00:00Z".into());
                    let all: Vec<&str> = model.metrics.keys().map(String::as_str).collect();
                    found.push(format!("/api/ask?metrics={}&from=2024-02-01&to=2024-04-01&where={}", all[..10].join(","), encoded("owner.name = 'vic'")));
                }
                (_, "/api/metrics" | "/api/model" | "/api/session" | "/api/me/sessions" | "/api/outflow" | "/api/own" | "/metrics") => found.push(path.clone()),
                (_, "/api/metrics/{id}") => found.extend(model.metrics.keys().map(|m| format!("/api/metrics/{m}"))),
                (_, "/api/metrics/{id}/cohorts") => found.extend(["revenue", "repeat_purchases"].map(|m| format!("/api/metrics/{m}/cohorts?from=2024-01-01&to=2024-04-01"))),
                (_, "/api/metrics/{id}/drill") => found.extend(model.metrics.keys().flat_map(|m| ["numerator", "denominator"].map(|side| format!("/api/metrics/{m}/drill?from=2024-02-01&to=2024-04-01&side={side}")))),
                (_, "/api/search") => found.extend(["vic", "uma", "vic again", "600", "example", "open", "secret", "secert", "note", "body", "comment", "77", "77-9"].map(|q| format!("/api/search?q={}", encoded(q)))),
                // The stream is looked at by itself; the others say nothing of records.
                (_, "/api/bulk/{id}") => found.push(format!("/api/bulk/{}", Uuid::nil())),
                (_, "/api/imports/{id}") => found.push(format!("/api/imports/{}", Uuid::nil())),
                (_, "/api/events" | "/livez" | "/readyz" | "/api/ways" | "/api/oidc/begin" | "/api/oidc/back") => {}
                (None, other) => panic!("the route GET {other} has no non-interference test"),
            }
        }
        for method in methods.as_object().unwrap().keys().filter(|m| *m != "get") {
            let known = object.is_some() || matches!(path.as_str(), "/api/session" | "/api/session/proof" | "/api/metrics/try" | "/api/invitations" | "/api/changes" | "/api/files") || path.starts_with("/api/imports") || path.starts_with("/api/bulk") || path.starts_with("/api/outflow") || path.starts_with("/api/own") || path.starts_with("/api/me/");
            assert!(known, "the route {method} {path} has no rights test");
        }
    }
    found
}

#[test]
fn what_is_hidden_changes_no_byte() {
    let (a, b) = (start_with(|s, _| fill(s, "")), start_with(|s, _| fill(s, " secret")));
    let (in_a, in_b) = (signed_in(&a), signed_in(&b));
    let model = a.store.model();
    let all = requests(&a, &model);
    let read = |server: &Server, cookie: &str, path: &str| {
        let reply = server.send("GET", path, &[("Cookie", cookie)], None);
        assert!(reply.status < 500, "{path}: {}", reply.body);
        (reply.status, reply.body)
    };
    let mut differing = Vec::new();
    let (mut answers, mut seen) = (Vec::new(), 0);
    for path in &all {
        let (one, other) = (read(&a, &in_a, path), read(&b, &in_b, path));
        // The document itself speaks of the secret of codes.
        let tells = path != "/api/openapi.json" && (one.1.contains("secret") || other.1.contains("secret"));
        assert!(!tells, "{path} tells what is hidden: {}", other.1);
        seen += usize::from(one.0 == 200);
        if one != other && path != "/api/me/sessions" {
            differing.push(format!("{path}\n  {:.400}\n  {:.400}", format!("{one:?}"), format!("{other:?}")));
        }
        answers.push(one);
    }
    assert!(differing.is_empty(), "{} of {} answers differ:\n{}", differing.len(), all.len(), differing.iter().take(6).cloned().collect::<Vec<_>>().join("\n"));
    assert!(seen * 3 > all.len(), "only {seen} of {} requests were answered", all.len());
    // Uma does see something, and what is hers.
    assert!(read(&a, &in_a, "/api/records/deals").1.contains("uma/deal"));
    // The hidden part changes while she looks, with warm caches: not one answer does.
    let text = |t: &str| Value::Text(t.into());
    for (object, field) in [("deal", "name"), ("customer", "name"), ("ticket", "subject")] {
        let change = Change::update(object, id_of(&format!("vic/{object}")), Record::from([(field.to_string(), text("another secret"))]));
        a.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    for (path, before) in all.iter().zip(&answers) {
        let now = read(&a, &in_a, path);
        assert!(now == *before || path == "/api/me/sessions", "{path} changed:\n  {:.400}\n  {:.400}", format!("{before:?}"), format!("{now:?}"));
    }
}

/// What may not be seen cannot be told from what is not there; what may not be done changes nothing.
#[test]
fn nothing_is_written_without_the_right_to_it() {
    let server = start_with(|s, _| fill(s, ""));
    let cookie = signed_in(&server);
    let headers = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let model = server.store.model();
    let seq = server.store.seq();
    let (mine, theirs, nobody) = (id_of("uma/deal"), id_of("vic/deal"), id_of("nobody/deal"));
    let tell = |method: &str, path: &str, body: Js| {
        let reply = server.send(method, path, &headers, Some(&body));
        assert_eq!(server.store.seq(), seq, "{method} {path} wrote something: {}", reply.body);
        (reply.status, reply.body)
    };
    for object in model.objects.iter().filter(|o| !o.derived) {
        let path = |whose: &str| format!("/api/records/{}/{}", object.plural, id_of(&format!("{whose}/{}", object.name)));
        for (method, tail, body) in [("PATCH", "", json!({"created_at": "2024-01-01T00:00:00Z"})), ("DELETE", "", json!({})), ("POST", "/merge", json!({"into": id_of(&format!("uma/{}", object.name))}))] {
            let (there, absent) = (tell(method, &format!("{}{tail}", path("vic")), body.clone()), tell(method, &format!("{}{tail}", path("nobody")), body));
            let words = |(status, text): (u16, String)| (status, text.replace(&id_of(&format!("vic/{}", object.name)).to_string(), "ID").replace(&id_of(&format!("nobody/{}", object.name)).to_string(), "ID"));
            assert_eq!(words(there.clone()), words(absent), "{method} {} of somebody else", object.name);
            assert!(matches!(there.0, 403 | 404), "{method} {}: {there:?}", object.name);
        }
    }
    // A field that is hidden is no field; one that is only to be read is refused; a record of others is not there.
    for body in [json!({"amount": "5.00"}), json!({"lost_reason": "x"}), json!({"source": "x"}), json!({"customer": id_of("vic/customer")}), json!({"id": mine}), json!({"updated_at": 1}), json!({"outcome": "won"})] {
        let (status, words) = tell("PATCH", &format!("/api/records/deals/{mine}"), body.clone());
        assert_eq!(status, 422, "{body}: {words}");
    }
    let hidden = tell("GET", "/api/records/deals?filter=amount%20%3E%205", json!({}));
    let unknown = tell("GET", "/api/records/deals?filter=amuont%20%3E%205", json!({}));
    assert_eq!((hidden.0, hidden.1.replace("amount", "F")), (422, unknown.1.replace("amuont", "F")));
    let referred = |id: Uuid| tell("PATCH", &format!("/api/records/deals/{mine}"), json!({"customer": id})).1.replace(&id.to_string(), "ID");
    assert_eq!(referred(id_of("vic/customer")), referred(nobody));
    // Several at once are looked at one by one, and none is done where one may not be.
    let rename = |id: Uuid| json!({"op": "update", "object": "deals", "id": id, "fields": {"name": "x"}});
    for other in [rename(theirs), rename(nobody), json!({"op": "delete", "object": "deals", "id": theirs}), json!({"op": "restore", "object": "deals", "id": theirs}), json!({"op": "update", "object": "deals", "id": mine, "fields": {"amount": "1.00"}}), json!({"op": "create", "object": "expenses", "fields": {}}), json!({"op": "create", "object": "teams", "fields": {"name": "x"}})] {
        let (status, words) = tell("POST", "/api/changes", json!({"changes": [rename(mine), other]}));
        assert!(matches!(status, 403 | 404 | 422), "{other}: {status} {words}");
    }
    // Her own role, other people's access, settings and declarations are not hers to change; nor are invitations.
    for (path, body) in [("users", json!({"access": null})), ("access_roles", json!({"name": "All"})), ("definitions", json!({"name": "x"})), ("stages", json!({"name": "x"})), ("workspaces", json!({"currency": "USD"}))] {
        let id = match path { "users" => id_of("uma"), "access_roles" => id_of("role"), "stages" => id_of("stage"), _ => server.store.workspace().unwrap().unwrap().0 };
        let (status, words) = tell("PATCH", &format!("/api/records/{path}/{id}"), body);
        assert!(matches!(status, 403 | 404), "{path}: {status} {words}");
    }
    assert_eq!(tell("POST", "/api/invitations", json!({"user": id_of("uma")})).0, 403);
    assert_eq!(tell("POST", "/api/imports", json!({"name": "a.csv", "text": "name\nA\n"})).0, 403);
    let sheet = server.send_bytes("POST", "/api/imports/workbook?name=a.xlsx", &[headers[0], headers[1], ("Content-Type", "application/octet-stream")], b"PK");
    assert_eq!(sheet.status, 403, "{}", sheet.body);
    assert_eq!(tell("GET", "/api/outflow", json!({})).0, 403);
    assert_eq!(tell("GET", "/api/own", json!({})).0, 403);
    for path in ["/api/own", "/api/own/preview"] {
        assert_eq!(tell("POST", path, json!({"op": "add_field", "object": "deal", "label": "Size", "type": "text"})).0, 403);
    }
    assert_eq!(tell("PUT", "/api/outflow/alarms/1", json!({"end": true})).0, 403);
    assert_eq!(tell("POST", "/api/imports/undo", json!({"run": id_of("uma")})).0, 403);
    for (body, status) in [
        (json!({"object": "expenses", "op": "delete"}), 404),
        (json!({"object": "deals", "op": "delete", "filter": "amount > 0"}), 422),
        (json!({"object": "deals", "op": "update", "fields": {"source": "x"}}), 422),
        (json!({"object": "stages", "op": "update", "fields": {"name": "x"}}), 403),
        (json!({"object": "stages", "op": "delete"}), 403),
        (json!({"object": "deals", "op": "update"}), 422),
        (json!({"object": "deals", "op": "delete", "filter": "name = 'nobody has this name'", "fields": {"name": "x"}}), 422),
    ] {
        let (got, words) = tell("POST", "/api/bulk", body.clone());
        assert_eq!(got, status, "{body}: {words}");
    }
    // A hidden field is one that there is not: to sort, to filter, to group, to add up, to cut a number by.
    for (object, field) in HIDDEN {
        let list = format!("/api/records/{}", model.object(object).unwrap().plural);
        let asked = ["?sort=FIELD", "?sort=-FIELD", "?filter=FIELD%20is%20null", "?filter=FIELD%20%3D%20'a'%20or%20true", "/groups?by=FIELD", "/groups?by=created_at&sums=FIELD", "/export?sort=FIELD", "/export?filter=FIELD%20%3E%201"].map(|tail| format!("{list}{tail}"));
        let numbers = ["where=FIELD%20is%20null", "by=FIELD"].map(|tail| format!("/api/ask?metrics=win_rate,new_customers,sales_cycle_length&from=2024-02-01&to=2024-04-01&{tail}"));
        for asked in asked.iter().chain(&numbers) {
            let answer = |field: &str| {
                let (status, words) = tell("GET", &asked.replace("FIELD", field), json!({}));
                (status, words.replace(field, "FIELD"))
            };
            assert_eq!(answer(field), answer("nosuchfield"), "{object}: {asked}");
            assert!(matches!(answer(field).0, 400 | 422) || asked.contains("/ask"), "{object}: {asked}");
        }
    }
    assert_eq!(tell("GET", "/api/records/expenses", json!({})).0, 404);
    assert_eq!(tell("GET", "/api/records/expenses/export", json!({})).0, 404);
    // What is hers she may change, also when she sends back what she got.
    let got = server.send("GET", &format!("/api/records/deals/{mine}"), &headers, None);
    let fields = got.json()["fields"].as_object().unwrap().clone();
    assert!(!fields.contains_key("amount") && fields.contains_key("name"));
    assert_eq!(server.send("PATCH", &format!("/api/records/deals/{mine}"), &headers, Some(&json!({"name": "Hers"}))).status, 200);
    let made = server.send("POST", "/api/records/deals", &headers, Some(&json!({"name": "New", "stage": id_of("stage")})));
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_string();
    let own = server.send("GET", &format!("/api/records/deals/{id}"), &headers, None);
    assert_eq!(own.json()["fields"]["owner"], json!(id_of("uma")), "a new record is its maker's where nobody is named");
    assert_eq!(server.send("GET", &format!("/api/records/deals/{theirs}"), &headers, None).status, 404);
    // When it is given away it is gone, with what hangs on it.
    assert_eq!(server.send("PATCH", &format!("/api/records/deals/{id}"), &headers, Some(&json!({"owner": id_of("vic")}))).status, 200);
    assert_eq!(server.send("GET", &format!("/api/records/deals/{id}"), &headers, None).status, 404);
}

/// Live events tell of what is seen alone, and end with the rights to them.
#[test]
fn live_events_keep_to_the_view() {
    let server = start_with(|s, _| fill(s, ""));
    let cookie = signed_in(&server);
    let stream = server.stream("/api/events", &[("Cookie", &cookie)]);
    let count = || stream.lock().unwrap().matches("event: seq").count();
    let wait = |n: usize| (0..1_200).any(|_| { std::thread::sleep(std::time::Duration::from_millis(50)); count() >= n });
    assert!(wait(1), "the stream begins with where we are");
    let rename = |whose: &str, name: &str| {
        let change = Change::update("deal", id_of(&format!("{whose}/deal")), Record::from([("name".to_string(), Value::Text(name.into()))]));
        server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    };
    rename("vic", "hidden");
    std::thread::sleep(std::time::Duration::from_millis(900));
    assert_eq!(count(), 1, "a hidden change was announced: {}", stream.lock().unwrap());
    rename("uma", "seen");
    assert!(wait(2), "a change of hers was not announced");
    let change = Change::update("user", id_of("uma"), Record::from([("active".to_string(), Value::Bool(false))]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    let ended = (0..1_200).any(|_| { std::thread::sleep(std::time::Duration::from_millis(50)); stream.lock().unwrap().contains("\r\n0\r\n") });
    assert!(ended, "the stream outlived the rights: {}", stream.lock().unwrap());
}
