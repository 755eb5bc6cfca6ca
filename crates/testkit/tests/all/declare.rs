//! What a workspace declares itself: tried whole before it is taken, kept with its values through renaming, retyping,
//! dropping and coming back (S1, S2), and seen by every process at once (S14).

use crate::http::start;
use northing_facts::Facts;
use northing_facts::snapshot::differences;
use northing_model::own::edit::{Edit, edit};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store, StoreError};
use serde_json::{Value as Js, json};
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

pub fn open(folder: &Path) -> Store {
    let store = Store::open(folder).unwrap();
    store.try_models_with(Arc::new(northing_metrics::try_model));
    store
}

pub fn commit(store: &Store, changes: Vec<Change>) -> Result<northing_store::Committed, StoreError> {
    store.commit(Commit { actor: "t".into(), at: 1_700_000_000, changes, key: None })
}

pub fn define(store: &Store, kind: &str, name: &str, body: &str) -> Result<Uuid, StoreError> {
    let text = |t: &str| Value::Text(t.into());
    let id = Uuid::now_v7();
    commit(store, vec![Change::create("definition", id, Record::from([("kind".into(), text(kind)), ("name".into(), text(name)), ("body".into(), text(body))]))]).map(|_| id)
}

/// Does several things that the browser asks for, together; what each was about.
pub fn wishes(store: &Store, wanted: &[Js]) -> Result<Vec<(String, Option<String>)>, String> {
    let (ids, mut definitions): (Vec<_>, Vec<_>) = store.definitions().unwrap().into_iter().map(|(id, _, d)| (id, d)).unzip();
    let (mut about, mut touched) = (Vec::new(), std::collections::BTreeSet::new());
    for one in wanted {
        let one: Edit = serde_json::from_value(one.clone()).map_err(|e| e.to_string())?;
        let done = edit(&store.model(), &definitions, &one).map_err(|e| e.to_string())?;
        let at = done.at.unwrap_or(definitions.len());
        match definitions.get_mut(at) {
            Some(old) => *old = done.definition,
            None => definitions.push(done.definition),
        }
        touched.insert(at);
        about.push((done.object, done.field.map(|f| f.name)));
    }
    let text = |t: &str| Value::Text(t.into());
    let change = |at: usize| {
        let d = &definitions[at];
        match ids.get(at) {
            Some(id) => Change::update("definition", *id, Record::from([("body".into(), text(&d.body))])),
            None => Change::create("definition", Uuid::now_v7(), Record::from([("kind".into(), text(&d.kind)), ("name".into(), text(&d.name)), ("body".into(), text(&d.body))])),
        }
    };
    commit(store, touched.into_iter().map(change).collect()).map_err(|e| e.to_string())?;
    Ok(about)
}

/// Does what the browser asks for; the object and field that it was about.
pub fn wish(store: &Store, wanted: &Js) -> Result<(String, Option<String>), String> {
    wishes(store, std::slice::from_ref(wanted)).map(|mut all| all.remove(0))
}

/// The workspace opens, and its tables say what its log says.
pub fn content(folder: &Path) {
    let store = open(folder);
    let (loaded, replayed) = (Facts::load(&store).unwrap().snapshot(), Facts::replay(&store, store.seq(), None).unwrap().snapshot());
    let found = differences(&loaded, &replayed);
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(store.integrity().unwrap(), "ok");
    store.close();
}

fn value(store: &Store, object: &str, id: Uuid, field: &str) -> Js {
    store.get(object, id).unwrap().0.get(field).map(Value::to_json).unwrap_or_default()
}

/// A workspace that is closed, checked and opened again after every step.
struct Workspace {
    folder: tempfile::TempDir,
    store: Store,
}

impl Workspace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        Self { folder, store }
    }
    fn wish(&mut self, wanted: Js) {
        wish(&self.store, &wanted).unwrap_or_else(|e| panic!("{wanted}: {e}"));
        self.again();
    }
    fn again(&mut self) {
        self.store.close();
        content(self.folder.path());
        self.store = open(self.folder.path());
    }
}

/// The three clicks of S2, and the way back: nothing is lost, nothing dies, and what was said in between holds.
#[test]
fn s2_a_field_changes_its_type_and_keeps_its_values() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_field", "object": "customer", "label": "Size", "type": "text"}));
    let ids: Vec<Uuid> = ["12", "about 13", "14"].iter().map(|size| {
        let id = Uuid::now_v7();
        commit(&w.store, vec![Change::create("customer", id, Record::from([("name".into(), Value::Text("C".into())), ("x_size".into(), Value::Text((*size).into()))]))]).unwrap();
        id
    }).collect();
    let sizes = |w: &Workspace| ids.iter().map(|id| value(&w.store, "customer", *id, "x_size")).collect::<Vec<_>>();
    w.wish(json!({"op": "drop", "object": "customer", "field": "x_size"}));
    assert!(w.store.model().object("customer").unwrap().field("x_size").is_none());
    // Edited while the field was away.
    commit(&w.store, vec![Change::update("customer", ids[2], Record::from([("name".into(), Value::Text("D".into()))]))]).unwrap();
    w.again();

    let number = northing_model::FieldDef::plain("x_size", northing_model::FieldType::Int);
    let told = w.store.conversion("customer", &number, 20).unwrap();
    assert_eq!((told.values, told.refused, told.examples.len()), (3, 1, 1));
    assert_eq!((told.examples[0].0, told.examples[0].1.as_str()), (ids[1], "about 13"));
    w.wish(json!({"op": "add_field", "object": "customer", "label": "Size", "type": "int"}));
    assert_eq!(sizes(&w), [json!(12), Js::Null, json!(14)]);
    // The log tells the same, at any time.
    commit(&w.store, vec![Change::update("customer", ids[0], Record::from([("x_size".into(), Value::Int(15))])), Change::update("customer", ids[1], Record::from([("name".into(), Value::Text("E".into()))]))]).unwrap();
    w.again();
    // Back: what nobody touched as it was, what somebody changed as they changed it.
    w.wish(json!({"op": "change", "object": "customer", "field": "x_size", "type": "text", "label": "Grösse"}));
    assert_eq!(sizes(&w), [json!("15"), json!("about 13"), json!("14")]);
    assert_eq!(w.store.model().object("customer").unwrap().field("x_size").unwrap().label.as_deref(), Some("Grösse"));
    for kind in ["long_text", "money", "choice", "decimal", "bool", "datetime", "label", "email", "text"] {
        w.wish(json!({"op": "change", "object": "customer", "field": "x_size", "type": kind, "options": ["s", "x"]}));
    }
    assert_eq!(sizes(&w), [json!("15"), json!("about 13"), json!("14")]);
}

/// What one type cannot hold and nobody wrote over is there for every next type that can, and for the way back.
#[test]
fn s2_what_a_type_cannot_read_is_not_taken_for_written_over() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_field", "object": "customer", "label": "Size", "type": "text"}));
    let id = Uuid::now_v7();
    commit(&w.store, vec![Change::create("customer", id, Record::from([("name".into(), Value::Text("C".into())), ("x_size".into(), Value::Text("12".into()))]))]).unwrap();
    for (kind, read) in [("tags", json!(["12"])), ("int", json!(12)), ("datetime", Js::Null), ("int", json!(12)), ("bool", Js::Null), ("tags", json!(["12"])), ("money", Js::Null), ("text", json!("12"))] {
        w.wish(json!({"op": "change", "object": "customer", "field": "x_size", "type": kind}));
        let found = value(&w.store, "customer", id, "x_size");
        assert!(kind == "money" || found == read, "{kind}: {found}");
    }
}

/// An own object goes and comes back with its records; deleted ones stay deleted.
#[test]
fn s2_an_object_is_dropped_and_comes_back_with_its_records() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_object", "label": "Boats", "one": "Boat", "customer": true, "owner": false}));
    let (kept, gone) = (Uuid::now_v7(), Uuid::now_v7());
    let named = |name: &str| Record::from([("x_name".into(), Value::Text(name.into()))]);
    commit(&w.store, vec![Change::create("x_boat", kept, named("Ferry")), Change::create("x_boat", gone, named("Wreck"))]).unwrap();
    commit(&w.store, vec![Change::delete("x_boat", gone)]).unwrap();
    w.wish(json!({"op": "add_field", "object": "x_boat", "label": "Built", "type": "text"}));
    commit(&w.store, vec![Change::update("x_boat", kept, Record::from([("x_built".into(), Value::Text("1999-05-31".into()))]))]).unwrap();
    w.wish(json!({"op": "drop", "object": "x_boat"}));
    assert!(w.store.model().object("x_boat").is_none() && commit(&w.store, vec![Change::create("x_boat", Uuid::now_v7(), named("New"))]).is_err());
    assert_eq!(w.store.count_own("x_boat").unwrap(), 1);
    // The log goes on although it holds what nobody can read now.
    commit(&w.store, vec![Change::create("customer", Uuid::now_v7(), Record::from([("name".into(), Value::Text("C".into()))]))]).unwrap();
    w.again();
    w.wish(json!({"op": "restore", "object": "x_boat"}));
    assert_eq!((value(&w.store, "x_boat", kept, "x_name"), value(&w.store, "x_boat", kept, "x_built")), (json!("Ferry"), json!("1999-05-31")));
    assert!(w.store.get("x_boat", gone).is_err());
    w.wish(json!({"op": "change", "object": "x_boat", "field": "x_built", "type": "date"}));
    w.wish(json!({"op": "change", "object": "x_boat", "label": "Ships", "one": "Ship"}));
    assert_eq!(value(&w.store, "x_boat", kept, "x_built"), json!("1999-05-31"));
}

/// Long texts are found by their words as long as the field holds them.
#[test]
fn s2_words_follow_a_field() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_field", "object": "customer", "label": "Remarks", "type": "text"}));
    let id = Uuid::now_v7();
    commit(&w.store, vec![Change::create("customer", id, Record::from([("name".into(), Value::Text("D".into())), ("x_remarks".into(), Value::Text("zirconium".into()))]))]).unwrap();
    let found = |w: &Workspace| {
        let mut n = 0;
        w.store.said(&["zirconium".to_string()], false, |_, _, _| { n += 1; true }).unwrap();
        n
    };
    assert_eq!(found(&w), 0);
    for (wanted, n) in [
        (json!({"op": "change", "object": "customer", "field": "x_remarks", "type": "long_text"}), 1),
        (json!({"op": "drop", "object": "customer", "field": "x_remarks"}), 0),
        (json!({"op": "restore", "object": "customer", "field": "x_remarks"}), 1),
        (json!({"op": "change", "object": "customer", "field": "x_remarks", "type": "text"}), 0),
        (json!({"op": "change", "object": "customer", "field": "x_remarks", "type": "long_text"}), 1),
    ] {
        w.wish(wanted);
        assert_eq!(found(&w), n);
    }
}

/// What cannot be taken is refused with a sentence, and the workspace is as before.
#[test]
fn s1_a_declaration_is_taken_whole_or_not_at_all() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_object", "label": "Boats", "one": "Boat"}));
    let before = (w.store.seq(), w.store.model().edition());
    let object = |more: &str| format!("name = \"x_a\"\nplural = \"x_as\"\ntitle = \"x_name\"\n{more}\n[fields]\nx_name = {{ type = \"text\" }}\n");
    let metric = |id: &str, from: &str| format!("[{id}]\nkind = \"flow\"\nunit = \"count\"\ngood = \"up\"\ngroup = \"own\"\nnum = [{{ from = \"{from}\", time = \"created_at\" }}]\n");
    let long = "x".repeat(101);
    for (kind, name, body, why) in [
        ("object", "x_a", object("").replace("x_a", "session"), "begin with x_"),
        ("object", "x_a", object("").replace("x_as", "customers"), "begin with x_"),
        ("object", "x_a", object("").replace("x_as", "x_boats"), "answer to"),
        ("object", "x_a", object("").replace("x_a", "x_boat"), "twice"),
        ("object", "x_a", object("structural = true"), "product's own"),
        ("object", "x_a", object("derived = true"), "product's own"),
        ("object", "x_a", object("customer = \"x_name\""), "does not lead"),
        ("object", "x_a", object(&format!("label = \"{long}\"")), "longer than 100"),
        ("object", "x_a", object("label = \"a\\u0000b\""), "control character"),
        ("fields", "customer", "size = { type = \"text\" }".into(), "call it x_size"),
        ("fields", "customer", "x_a__currency = { type = \"text\" }".into(), "not a name of one's own"),
        ("fields", "customer", "x_a_ = { type = \"text\" }".into(), "not a name of one's own"),
        ("fields", "customer", "x_a = { type = \"ref\", to = \"deal_version\" }".into(), "not an object"),
        ("fields", "customer", "x_a = { type = \"int\", default = \"many\" }".into(), "does not fit"),
        ("fields", "customer", "x_a = { type = \"choice\", options = [\"a\", \"a\"] }".into(), "twice"),
        ("fields", "customer", format!("x_a = {{ type = \"choice\", options = [{}] }}", (0..501).map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(",")), "at most 500"),
        ("fields", "customer", (0..301).map(|n| format!("x_f{n} = {{ type = \"int\" }}\n")).collect(), "at most 300"),
        ("fields", "customer", format!("# {}\n", "a".repeat(70_000)), "at most"),
        ("metric", "revenue", metric("revenue", "order"), "twice"),
        ("metric", "mine", metric("mine", "order"), "call it x_mine"),
        ("metric", "x_mine", metric("x_mine", "boat"), "boat"),
    ] {
        let refused = define(&w.store, kind, name, &body).expect_err(&body).to_string();
        assert!(refused.contains(why), "{body}: {refused}");
    }
    assert_eq!((w.store.seq(), w.store.model().edition()), before);
    let db = rusqlite::Connection::open(w.folder.path().join("northing.db")).unwrap();
    let left: i64 = db.query_row("select count(*) from sqlite_master where name like 'x_a%'", [], |r| r.get(0)).unwrap();
    assert_eq!(left, 0, "a refused declaration left a table");
    // What others stand on cannot be taken away under them.
    define(&w.store, "metric", "x_mine", &metric("x_mine", "x_boat")).unwrap();
    assert!(wish(&w.store, &json!({"op": "drop", "object": "x_boat"})).unwrap_err().contains("x_mine"));
    assert!(wish(&w.store, &json!({"op": "drop", "object": "x_boat", "field": "x_name"})).unwrap_err().contains("title"));
    // A trial that fails refuses as well, and so does one that a reader of the store brings.
    w.store.try_models_with(Arc::new(|_| Err("not today".into())));
    assert!(wish(&w.store, &json!({"op": "add_object", "label": "Cars", "one": "Car"})).unwrap_err().contains("not today"));
    assert!(w.store.model().object("x_car").is_none());
    w.again();
}

/// A field that is declared as required later does not stop what was there before.
#[test]
fn s1_a_required_field_asks_only_those_who_touch_it() {
    let w = Workspace::new();
    let id = Uuid::now_v7();
    let name = |n: &str| ("name".to_string(), Value::Text(n.into()));
    commit(&w.store, vec![Change::create("customer", id, Record::from([name("A")]))]).unwrap();
    define(&w.store, "fields", "customer", "x_vat = { type = \"text\", required = true }").unwrap();
    commit(&w.store, vec![Change::update("customer", id, Record::from([name("B")]))]).unwrap();
    assert!(commit(&w.store, vec![Change::create("customer", Uuid::now_v7(), Record::from([name("C")]))]).is_err());
    commit(&w.store, vec![Change::update("customer", id, Record::from([("x_vat".into(), Value::Text("1".into()))]))]).unwrap();
    assert!(commit(&w.store, vec![Change::update("customer", id, Record::from([("x_vat".into(), Value::Null)]))]).is_err());
}

/// Declarations that this version cannot take keep nobody from the rest.
#[test]
fn s1_what_cannot_be_taken_is_set_aside_at_the_start() {
    let mut w = Workspace::new();
    w.wish(json!({"op": "add_object", "label": "Boats", "one": "Boat"}));
    let bad = define(&w.store, "fields", "customer", "x_later = { type = \"text\" }").unwrap();
    w.store.close();
    let db = rusqlite::Connection::open(w.folder.path().join("northing.db")).unwrap();
    db.execute("update definition set body = 'x_later = { type = \"hologram\" }' where id = ?1", [bad.to_string()]).unwrap();
    drop(db);
    w.store = open(w.folder.path());
    assert!(w.store.model().object("x_boat").is_some() && w.store.set_aside().len() == 1);
    wish(&w.store, &json!({"op": "add_field", "object": "customer", "label": "Other", "type": "text"})).unwrap();
    commit(&w.store, vec![Change::delete("definition", bad)]).unwrap();
    assert!(w.store.set_aside().is_empty());
}

/// The table that let its author in as the owner (S1), over HTTP.
#[test]
fn s1_nobody_is_anybody_else() {
    let server = start();
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let body = "name = \"sign_in\"\nplural = \"sign_ins\"\ntitle = \"token_hash\"\n[fields]\ntoken_hash = { type = \"text\" }\nactor = { type = \"text\" }\nexpires_at = { type = \"int\" }\n";
    let refused = server.send("POST", "/api/records/definitions", &signed, Some(&json!({"kind": "object", "name": "sign_in", "body": body})));
    assert!(refused.status == 422 && refused.body.contains("x_sign_in"), "{}", refused.body);
    let own = body.replace("name = \"sign_in\"", "name = \"x_sign_in\"").replace("\"sign_ins\"", "\"x_sign_ins\"").replace("token_hash", "x_token_hash").replace("\nactor", "\nx_actor").replace("expires_at", "x_expires_at");
    assert_eq!(server.send("POST", "/api/records/definitions", &signed, Some(&json!({"kind": "object", "name": "x_sign_in", "body": own}))).status, 201);
    let hash = "1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032";
    assert_eq!(server.send("POST", "/api/records/x_sign_ins", &signed, Some(&json!({"x_token_hash": hash, "x_actor": "owner", "x_expires_at": 9_999_999_999_i64}))).status, 201);
    // The token that the test's own server has was used to sign in; the record brings no other.
    let tried = server.send("POST", "/api/session", &[("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&json!({"token": "letmein"})));
    assert_eq!(tried.status, 401, "{}", tried.body);
    content(server.folder.path());
}

fn ready(what: impl Fn() -> bool) -> bool {
    (0..400).any(|_| what() || { std::thread::sleep(std::time::Duration::from_millis(25)); false })
}

/// The browser's way: told, tried, done; and what another process declares is there at once (S14).
#[test]
fn s14_what_another_process_declares_is_seen_by_a_running_server() {
    let server = start();
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let other = open(server.folder.path());
    let edition = || server.send("GET", "/api/session", &signed, None).json()["model"].as_str().unwrap().to_string();
    let first = edition();
    wish(&other, &json!({"op": "add_field", "object": "customer", "label": "Size", "type": "text"})).unwrap();
    let id = Uuid::now_v7();
    commit(&other, vec![Change::create("customer", id, Record::from([("name".into(), Value::Text("C".into())), ("x_size".into(), Value::Text("12".into()))]))]).unwrap();
    assert!(ready(|| edition() != first), "the server does not see what was declared");
    let seen = || server.send("GET", "/api/records/customers?filter=x_size%20%3D%20'12'", &signed, None);
    assert!(ready(|| seen().status == 200 && seen().json()["total"] == 1), "{}", seen().body);
    // The server's writer has it too, and the other process what the server declares next.
    let patched = server.send("PATCH", &format!("/api/records/customers/{id}"), &signed, Some(&json!({"x_size": "13"})));
    assert_eq!(patched.status, 200, "{}", patched.body);
    let told = server.send("POST", "/api/own/preview", &signed, Some(&json!({"op": "change", "object": "customer", "field": "x_size", "type": "date"}))).json();
    assert_eq!((&told["values"], &told["refused"], &told["examples"][0]["value"], &told["examples"][0]["title"]), (&json!(1), &json!(1), &json!("13"), &json!("C")), "{told}");
    let done = server.send("POST", "/api/own", &signed, Some(&json!({"op": "change", "object": "customer", "field": "x_size", "type": "int"})));
    assert_eq!(done.status, 200, "{}", done.body);
    // A writer that has not looked learns of it when it writes.
    commit(&other, vec![Change::update("customer", id, Record::from([("x_size".into(), Value::Int(14))]))]).unwrap();
    assert!(ready(|| server.send("GET", &format!("/api/records/customers/{id}"), &signed, None).json()["fields"]["x_size"] == 14));
    let listed = server.send("GET", "/api/own", &signed, None).json();
    assert_eq!((&listed["fields"][0]["name"], &listed["fields"][0]["values"], &listed["fields"][0]["type"]), (&json!("x_size"), &json!(1), &json!("int")), "{listed}");
    other.close();
    content(server.folder.path());
}
