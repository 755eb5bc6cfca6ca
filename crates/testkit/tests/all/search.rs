//! What was said is found again by its words, in any script, however it is typed.

use crate::http::start;
use serde_json::{Value as Js, json};

#[test]
fn what_was_said_is_found_by_its_words() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: Js| {
        let reply = server.send(method, &format!("/api/records/{path}"), &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
        assert!(reply.status < 300, "{path}: {}", reply.body);
        if reply.body.is_empty() { Js::Null } else { reply.json() }
    };
    let find = |words: &str| -> Vec<(String, String, String)> {
        let q: String = words.bytes().map(|b| format!("%{b:02X}")).collect();
        let reply = server.send("GET", &format!("/api/search?q={q}"), &[("Cookie", &cookie)], None);
        assert_eq!(reply.status, 200, "{words}: {}", reply.body);
        reply.json()["found"].as_array().unwrap().iter().map(|f| ["object", "title", "by"].map(|k| f[k].as_str().unwrap_or_default().to_string()).into()).collect()
    };
    let titles = |words: &str| find(words).into_iter().map(|f| f.1).collect::<Vec<_>>();
    let ticket = |subject: &str, body: &str| {
        let id = tell("POST", "tickets", json!({"subject": subject, "opened_at": "2024-03-01T10:00:00Z"}))["id"].as_str().unwrap().to_string();
        tell("POST", "messages", json!({"ticket": id, "at": "2024-03-01T10:00:00Z", "body": body}))["id"].as_str().unwrap().to_string()
    };
    let heating = ticket("One", "The heating has been cold since yesterday; please send somebody soon.");
    ticket("Two", "Proszę o zwrot pieniędzy za październik, ogrzewanie nie działa.");
    ticket("Three", "پولم را پس بدهید؛ گرمایش کار نمی‌کند.");
    ticket("Four", "暖气坏了，我要退款，谢谢");
    ticket("Five", "Отопление не работает, верните деньги за ёлку");
    ticket("Six", "A fűtés nem működik, kérem vissza a pénzt");
    let customer = tell("POST", "customers", json!({"name": "Quiet Ltd", "note": "Their gardener is called Ferdinand."}));
    for (words, title) in [
        ("heating", "One"), ("heating cold", "One"), ("COLD yest", "One"), ("zwrot pieniedzy", "Two"), ("ogrzew", "Two"), ("گرمايش", "Three"), ("نمیکند", "Three"), ("退款", "Four"), ("我要退款", "Four"),
        ("елку", "Five"), ("ОТОПЛЕНИЕ", "Five"), ("futes", "Six"), ("Ferdinand", "Quiet Ltd"),
        // Mistyped: letters swapped, changed, left out.
        ("heatnig", "One"), ("pazdzernik", "Two"), ("отоплнеие", "Five"), ("Ferdinnad gardner", "Quiet Ltd"),
    ] {
        assert_eq!(titles(words), [title], "{words}");
    }
    // A message leads to its ticket, with the words around; all of them have to be there.
    assert_eq!(find("yesterday"), [("ticket".to_string(), "One".to_string(), "… heating has been cold since yesterday; please send somebody soon.".to_string())]);
    for words in ["heating zwrot", "款退", "\"", "NEAR(", "heating*\" OR \"zwrot", "xyzzyx", "a", "%_"] {
        assert!(titles(words).is_empty(), "{words}: {:?}", titles(words));
    }
    // What is changed, deleted and taken back is found as it is now.
    tell("PATCH", &format!("messages/{heating}"), json!({"body": "All is warm again."}));
    assert!(titles("heating cold").is_empty());
    assert_eq!(titles("warm again"), ["One"]);
    tell("DELETE", &format!("messages/{heating}"), json!({}));
    assert!(titles("warm again").is_empty());
    tell("PATCH", &format!("customers/{}", customer["id"].as_str().unwrap()), json!({"note": null}));
    assert!(titles("Ferdinand").is_empty());
}

/// A workspace of before there was an index has its texts taken in when it is opened.
#[test]
fn texts_of_before_are_found_too() {
    use northing_model::{Record, Value};
    use northing_store::{Change, Commit, Store};
    let folder = tempfile::tempdir().unwrap();
    let id = uuid::Uuid::now_v7();
    {
        let store = Store::open(folder.path()).unwrap();
        let fields = Record::from([("name".to_string(), Value::Text("Old".into())), ("note".to_string(), Value::Text("pays by cheque".into()))]);
        store.commit(Commit { actor: "t".into(), at: 0, changes: vec![Change::create("customer", id, fields)], key: None }).unwrap();
        store.close();
    }
    let database = rusqlite::Connection::open(folder.path().join("northing.db")).unwrap();
    database.execute_batch("drop table vocabulary; drop table said; drop table wording; drop table worded; drop table trial; drop table own_column; drop table taken; drop table alarm; drop trigger session_gone; drop table session_end; alter table session drop column proved_at; alter table session drop column record; alter table token drop column rights; alter table credential drop column email; alter table credential drop column name; pragma user_version = 3;").unwrap();
    drop(database);
    let store = Store::open(folder.path()).unwrap();
    let mut found = Vec::new();
    store.said(&["cheque".into()], false, |object, field, id| { found.push((object.to_string(), field.to_string(), id)); true }).unwrap();
    assert_eq!(found, [("customer".to_string(), "note".to_string(), id)]);
}
