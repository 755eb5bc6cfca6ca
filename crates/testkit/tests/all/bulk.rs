//! One change of all that a list finds: as far as its asker may, stopped, and taken back.

use crate::http::start;
use northing_model::{Record, Value};
use northing_store::{Change, Commit};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};

#[test]
fn a_whole_list_is_changed_and_taken_back() {
    let server = start();
    let cookie = server.sign_in();
    let text = |t: &str| Value::Text(t.into());
    let customers: Vec<Change> = (0..2_500).map(|n| Change::create("customer", id_of(&format!("c{n}")), Record::from([("name".into(), text(&format!("C{n}"))), ("segment".into(), text(if n % 5 == 0 { "Large" } else { "Small" }))]))).collect();
    let seq = server.store.commit(Commit { actor: "t".into(), at: 1_700_000_000, changes: customers, key: None }).unwrap().seq;
    let tell = |method: &str, path: &str, body: Js, key: &str| {
        let mut headers = vec![("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
        headers.extend((!key.is_empty()).then_some(("Idempotency-Key", key)));
        server.send(method, path, &headers, Some(&body))
    };
    let count = |filter: &str| {
        let encoded: String = filter.bytes().map(|b| format!("%{b:02X}")).collect();
        server.send("GET", &format!("/api/records/customers?limit=1&after={}&filter={encoded}", server.store.seq()), &[("Cookie", &cookie)], None).json()["total"].as_u64().unwrap()
    };
    assert_eq!(count("segment = 'Small'"), 2_000, "after {seq}");
    let asked = json!({"object": "customers", "filter": "segment = 'Small'", "op": "update", "fields": {"segment": "Medium"}});
    let begun = tell("POST", "/api/bulk", asked.clone(), "one");
    assert_eq!((begun.status, begun.json()["total"].as_u64()), (202, Some(2_000)), "{}", begun.body);
    let id = begun.json()["id"].as_str().unwrap().to_string();
    // What the same person writes meanwhile is not of it.
    let mut by_hand = 0;
    while by_hand < 500 && server.send("GET", &format!("/api/bulk/{id}"), &[("Cookie", &cookie)], None).json()["state"] == "running" {
        assert_eq!(tell("POST", "/api/records/customers", json!({"name": format!("By hand {by_hand}"), "segment": "Hand"}), "").status, 201);
        by_hand += 1;
    }
    // Sent again it is the same change, not another.
    assert_eq!(tell("POST", "/api/bulk", asked, "one").json()["id"], id.as_str());
    let done = server.settled(&format!("/api/bulk/{}", &id), &cookie);
    assert_eq!((&done["state"], &done["changed"], &done["refused"]), (&json!("done"), &json!(2_000), &json!(0)), "{done}");
    assert_eq!((count("segment = 'Small'"), count("segment = 'Medium'")), (0, 2_000));
    // Taken back, but for one that somebody has changed since.
    assert_eq!(tell("PATCH", &format!("/api/records/customers/{}", id_of("c1")), json!({"segment": "Huge"}), "").status, 200);
    assert_eq!(tell("POST", &format!("/api/bulk/{id}/undo"), json!({}), "").status, 202);
    let undone = server.settled(&format!("/api/bulk/{}", &id), &cookie);
    assert_eq!((&undone["state"], &undone["refused"]), (&json!("undone"), &json!(1)), "{undone}");
    assert_eq!((count("segment = 'Small'"), count("segment = 'Huge'"), count("segment = 'Hand'")), (1_999, 1, by_hand));
    assert_eq!(tell("POST", &format!("/api/bulk/{id}/undo"), json!({}), "").status, 409);
    // Deleted and there again.
    let gone = tell("POST", "/api/bulk", json!({"object": "customers", "filter": "segment = 'Large'", "op": "delete"}), "");
    let id = gone.json()["id"].as_str().unwrap().to_string();
    assert_eq!(server.settled(&format!("/api/bulk/{}", &id), &cookie)["changed"], 500);
    assert_eq!(count("segment = 'Large'"), 0);
    tell("POST", &format!("/api/bulk/{id}/undo"), json!({}), "");
    assert_eq!(server.settled(&format!("/api/bulk/{}", &id), &cookie)["state"], "undone");
    assert_eq!(count("segment = 'Large'"), 500);
    // One that cannot be so is told of and leaves the others alone: a booking for a time that is taken.
    let who = Value::Ref(id_of("u"));
    let booking = |n: i64| Change::create("booking", id_of(&format!("b{n}")), Record::from([("user".into(), who.clone()), ("starts_at".into(), Value::Time(1_000 * n)), ("ends_at".into(), Value::Time(1_000 * n + 900))]));
    let changes = vec![Change::create("user", id_of("u"), Record::from([("name".into(), text("U"))])), booking(1), booking(2), booking(3)];
    server.store.commit(Commit { actor: "t".into(), at: 1_700_000_000, changes, key: None }).unwrap();
    count("name is not null");
    let moved = tell("POST", "/api/bulk", json!({"object": "bookings", "op": "update", "fields": {"ends_at": "1970-01-01T00:34:00Z"}}), "");
    let told = server.settled(&format!("/api/bulk/{}", moved.json()["id"].as_str().unwrap()), &cookie);
    assert_eq!((&told["state"], &told["changed"], &told["refused"]), (&json!("done"), &json!(1), &json!(2)), "{told}");
    assert!(told["why"].is_string());
    assert_eq!(tell("POST", "/api/bulk", json!({"object": "customers", "op": "update", "fields": {"nothing": 1}}), "").status, 422);
    assert_eq!(tell("DELETE", &format!("/api/bulk/{}", id_of("x")), json!({}), "").status, 404);
}
