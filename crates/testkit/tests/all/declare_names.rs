//! Whatever people call their objects and fields (cases/names): declared, filled, renamed, retyped, dropped, declared
//! again, the workspace opened anew after each step (S1, S2). Many names share a workspace, so that they meet.

use crate::declare::{commit, content, open, wish};
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
    let mut found = db.prepare("select name || coalesce(sql, '') from sqlite_master where name not like 'x\\_%' escape '\\' order by name").unwrap();
    found.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Labels that may be shown: not empty, not too long, without control characters. Others are refused with a sentence.
fn is_label(name: &str) -> bool {
    let words = name.split_whitespace().collect::<Vec<_>>().join(" ");
    !words.is_empty() && words.chars().count() <= 100 && !words.chars().any(char::is_control)
}

#[test]
fn s1_objects_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let before = system(&folder);
    let mut made = Vec::new();
    for label in names("objects.toml") {
        let done = wish(&store, &json!({"op": "add_object", "label": label, "one": label, "owner": made.len() % 2 == 0, "customer": made.len() % 3 == 0}));
        assert_eq!(done.is_ok(), is_label(&label), "{label:?}: {done:?}");
        let Ok((object, _)) = done else { continue };
        assert!(is_own(&object) && check_own_name("", &object).is_ok());
        let id = Uuid::now_v7();
        commit(&store, vec![Change::create(&object, id, Record::from([("x_name".into(), Value::Text(label.clone())), ("x_note".into(), Value::Text("letmein".into())), ("external_id".into(), Value::Text("1".into()))]))]).unwrap_or_else(|e| panic!("{label:?}: {e}"));
        made.push((object, id, label));
    }
    assert_eq!(made.iter().map(|m| &m.0).collect::<BTreeSet<_>>().len(), made.len());
    again(&mut store, &folder);
    assert_eq!(system(&folder), before, "what is the system's was changed");
    for (object, _, label) in &made {
        wish(&store, &json!({"op": "change", "object": object, "label": format!("{label}!"), "one": label.chars().rev().collect::<String>()})).unwrap();
    }
    again(&mut store, &folder);
    for (object, ..) in &made {
        wish(&store, &json!({"op": "drop", "object": object})).unwrap();
    }
    again(&mut store, &folder);
    assert!(store.model().objects.iter().all(|o| !is_own(&o.name)));
    for (object, id, label) in &made {
        wish(&store, &json!({"op": "restore", "object": object})).unwrap();
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
    let mut made = Vec::new();
    for label in names("fields.toml") {
        for object in ["deal", "x_thing"] {
            let done = wish(&store, &json!({"op": "add_field", "object": object, "label": label, "type": "text"}));
            assert_eq!(done.is_ok(), is_label(&label), "{label:?}: {done:?}");
            let Ok((object, Some(field))) = done else { continue };
            made.push((object, field, label.clone()));
        }
    }
    let id = Uuid::now_v7();
    for object in ["deal", "x_thing"] {
        let mut record: Record = made.iter().filter(|m| m.0 == object).enumerate().map(|(n, m)| (m.1.clone(), Value::Text(if n % 4 == 0 { format!("no {n}") } else { n.to_string() }))).collect();
        record.insert(if object == "deal" { "name" } else { "x_name" }.into(), Value::Text("R".into()));
        commit(&store, vec![Change::create(object, id, record)]).unwrap();
    }
    let all = |store: &Store| ["deal", "x_thing"].map(|o| { let mut r = store.get(o, id).unwrap().0; r.remove("updated_at"); r });
    let texts = all(&store);
    again(&mut store, &folder);
    assert_eq!(all(&store), texts);
    let change = |store: &Store, kind: &str| made.iter().for_each(|(object, field, label)| drop(wish(store, &json!({"op": "change", "object": object, "field": field, "label": format!("{label}?"), "type": kind})).unwrap()));
    change(&store, "money");
    again(&mut store, &folder);
    let amounts = all(&store);
    assert!(amounts[0].values().filter(|v| matches!(v, Value::Money(_))).count() * 4 >= made.len() && amounts[0].len() < texts[0].len());
    for (object, field, _) in &made {
        wish(&store, &json!({"op": "drop", "object": object, "field": field})).unwrap();
    }
    again(&mut store, &folder);
    assert!(all(&store)[0].keys().all(|k| !is_own(k)));
    for (object, field, label) in &made {
        // Called as it was, it is the one that was; as a number, what its text was is read.
        let (_, back) = wish(&store, &json!({"op": "add_field", "object": object, "label": format!("{label}?"), "type": "int"})).unwrap();
        assert_eq!(back.as_ref(), Some(field), "{label:?}");
    }
    again(&mut store, &folder);
    change(&store, "money");
    change(&store, "text");
    again(&mut store, &folder);
    assert_eq!(all(&store), texts, "not everything came back");
    assert_eq!(system(&folder).len(), before.len());
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
