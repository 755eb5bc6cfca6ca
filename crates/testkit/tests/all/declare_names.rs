//! Whatever people call their objects and fields (cases/names): declared, filled, renamed, retyped, dropped, declared
//! again, the workspace opened anew after each step (S1, S2). Many names share a workspace, so that they meet.

use crate::declare::{commit, content, open, wish, wishes};
use northing_model::own::{check_own_name, is_own};
use northing_model::{Model, Record, Value};
use northing_store::{Change, Store};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(Deserialize)]
struct Names {
    hostile: Vec<String>,
    ordinary: Vec<String>,
}

fn names(file: &str) -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/names").join(file);
    let names: Names = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    names.hostile.into_iter().chain(names.ordinary).collect()
}

fn again(store: &mut Store, folder: &tempfile::TempDir) {
    store.close();
    content(folder.path());
    *store = open(folder.path());
}

/// Tables that are not people's.
fn system(folder: &tempfile::TempDir) -> Vec<String> {
    let db = rusqlite::Connection::open(folder.path().join("northing.db")).unwrap();
    let mut found = db.prepare("select name || coalesce(sql, '') from sqlite_master where tbl_name not in ('customer', 'sqlite_sequence') and tbl_name not like 'x\\_%' escape '\\' order by name").unwrap();
    found.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Labels that may be shown: not empty, not too long, without control characters. Others are refused with a sentence.
fn is_label(name: &str) -> bool {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    !words.is_empty() && words.chars().count() <= 100 && !words.chars().any(char::is_control)
}

/// What cannot be shown is refused by itself; the rest is declared together.
fn shown(store: &Store, file: &str, wanted: impl Fn(&str) -> serde_json::Value) -> Vec<String> {
    let (shown, not): (Vec<String>, Vec<String>) = names(file).into_iter().partition(|n| is_label(n));
    for name in not {
        wish(store, &wanted(&name)).expect_err(&name);
    }
    shown
}

#[test]
fn s1_objects_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let before = system(&folder);
    let add = |label: &str| json!({"op": "add_object", "label": label, "one": label, "owner": label.len() % 2 == 0, "customer": label.len() % 3 == 0});
    let labels = shown(&store, "objects.toml", add);
    let made: Vec<(String, Uuid, String)> = wishes(&store, &labels.iter().map(|l| add(l)).collect::<Vec<_>>()).unwrap().into_iter().zip(labels).map(|((object, _), label)| (object, Uuid::now_v7(), label)).collect();
    assert!(made.len() > 50 && made.iter().all(|(object, ..)| is_own(object) && check_own_name("", object).is_ok()));
    assert_eq!(made.iter().map(|m| &m.0).collect::<BTreeSet<_>>().len(), made.len());
    let text = |t: &str| Value::Text(t.into());
    let fill = made.iter().map(|(object, id, label)| Change::create(object, *id, Record::from([("x_name".into(), text(label)), ("x_note".into(), text("letmein")), ("external_id".into(), text("1"))])));
    commit(&store, fill.collect()).unwrap();
    again(&mut store, &folder);
    assert_eq!(system(&folder), before, "what is the system's was changed");
    let each = |f: &dyn Fn(&str, &str) -> serde_json::Value| made.iter().map(|(object, _, label)| f(object, label)).collect::<Vec<_>>();
    wishes(&store, &each(&|object, label| json!({"op": "change", "object": object, "label": format!("{label}!"), "one": label.chars().rev().collect::<String>()}))).unwrap();
    again(&mut store, &folder);
    wishes(&store, &each(&|object, _| json!({"op": "drop", "object": object}))).unwrap();
    again(&mut store, &folder);
    assert!(store.model().objects.iter().all(|o| !is_own(&o.name)));
    wishes(&store, &each(&|object, _| json!({"op": "restore", "object": object}))).unwrap();
    for (object, id, label) in &made {
        assert_eq!(store.get(object, *id).unwrap().0.get("x_name"), Some(&Value::Text(label.clone())), "{label:?}");
    }
    again(&mut store, &folder);
    assert_eq!(system(&folder), before);
}

#[test]
fn s2_fields_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    wish(&store, &json!({"op": "add_object", "label": "Things", "one": "Thing"})).unwrap();
    let before = system(&folder);
    const OBJECTS: [&str; 2] = ["customer", "x_thing"];
    let mut made = Vec::new();
    for object in OBJECTS {
        let add = |label: &str| json!({"op": "add_field", "object": object, "label": label, "type": "text"});
        let labels = shown(&store, "fields.toml", add);
        let done = wishes(&store, &labels.iter().map(|l| add(l)).collect::<Vec<_>>()).unwrap();
        made.extend(done.into_iter().zip(labels).map(|((object, field), label)| (object, field.unwrap(), label)));
    }
    assert!(made.len() > 100);
    let id = Uuid::now_v7();
    for object in OBJECTS {
        let mut record: Record = made.iter().filter(|m| m.0 == object).enumerate().map(|(n, m)| (m.1.clone(), Value::Text(if n % 4 == 0 { format!("no {n}") } else { n.to_string() }))).collect();
        record.insert(if object == "customer" { "name" } else { "x_name" }.into(), Value::Text("R".into()));
        commit(&store, vec![Change::create(object, id, record)]).unwrap();
    }
    let all = |store: &Store| OBJECTS.map(|o| { let mut r = store.get(o, id).unwrap().0; r.remove("updated_at"); r });
    let texts = all(&store);
    again(&mut store, &folder);
    assert_eq!(all(&store), texts);
    let each = |f: &dyn Fn(&str, &str, &str) -> serde_json::Value| made.iter().map(|(object, field, label)| f(object, field, label)).collect::<Vec<_>>();
    let change = |store: &Store, kind: &str| drop(wishes(store, &each(&|object, field, label| json!({"op": "change", "object": object, "field": field, "label": format!("{label}?"), "type": kind}))).unwrap());
    change(&store, "money");
    again(&mut store, &folder);
    let amounts = all(&store);
    assert!(amounts[0].values().filter(|v| matches!(v, Value::Money(_))).count() * 4 >= made.len() && amounts[0].len() < texts[0].len());
    wishes(&store, &each(&|object, field, _| json!({"op": "drop", "object": object, "field": field}))).unwrap();
    again(&mut store, &folder);
    assert!(all(&store)[0].keys().all(|k| !is_own(k)));
    // Called as it was, it is the one that was; as a number, what its text was is read.
    let back = wishes(&store, &each(&|object, _, label| json!({"op": "add_field", "object": object, "label": format!("{label}?"), "type": "int"}))).unwrap();
    assert!(back.iter().zip(&made).all(|(back, made)| back.1.as_ref() == Some(&made.1)), "another field came back");
    assert!(all(&store)[0].values().filter(|v| matches!(v, Value::Int(_))).count() * 4 >= made.len());
    again(&mut store, &folder);
    change(&store, "money");
    change(&store, "text");
    again(&mut store, &folder);
    assert_eq!(all(&store), texts, "not everything came back");
    assert_eq!(system(&folder), before);
}

/// Nothing of the product's own can be met by a name that people may give, nor its tables by one another.
#[test]
fn s1_the_products_names_are_apart() {
    let model = Model::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.close();
    let db = rusqlite::Connection::open(folder.path().join("northing.db")).unwrap();
    let tables: Vec<String> = db.prepare("select name from sqlite_master").unwrap().query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.len() > model.objects.iter().filter(|o| !o.derived).count() && tables.iter().all(|t| !is_own(t)));
    for object in &model.objects {
        assert!(!is_own(&object.name) && !is_own(&object.plural) && object.fields.keys().all(|f| !is_own(f)));
    }
    assert!(model.metrics.keys().all(|id| !is_own(id)));
}
