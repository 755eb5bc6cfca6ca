//! What goes out is counted by person and way, and more than the limit within a day raises an alarm (SECURITY.md §3,
//! row 21): once, to those who watch, and a token cannot silence it.

use crate::http::{NOW, Server, start_with};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store, Taken};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::time::Duration;

/// Sixty customers and tickets, a limit of a hundred, and Ann, who may see and export everything but not change settings.
fn fill(store: &Store) {
    let text = |t: &str| Value::Text(t.into());
    let rights = r#"{"*": {"see": "all", "change": "all", "create": true, "export": true}}"#;
    let mut changes = vec![
        Change::create("workspace", id_of("w"), Record::from([("name".into(), text("W")), ("export_alarm".into(), Value::Int(100))])),
        Change::create("access_role", id_of("role"), Record::from([("name".into(), text("All")), ("rights".into(), text(rights))])),
        Change::create("user", id_of("ann"), Record::from([("name".into(), text("Ann")), ("access".into(), Value::Ref(id_of("role")))])),
    ];
    changes.extend((0..60).map(|n| Change::create("customer", id_of(&format!("c{n}")), Record::from([("name".into(), text(&format!("C{n}"))), ("created_at".into(), Value::Time(NOW - 86_400))]))));
    changes.extend((0..60).map(|n| Change::create("ticket", id_of(&format!("t{n}")), Record::from([("subject".into(), text("T")), ("customer".into(), Value::Ref(id_of("c0"))), ("opened_at".into(), Value::Time(NOW - 86_400))]))));
    store.commit(Commit { actor: "owner".into(), at: NOW, changes, key: None }).unwrap();
    store.add_sign_in("ann-link", &id_of("ann").to_string(), NOW, 60).unwrap();
    store.add_sign_in("owner-link", "owner", NOW, 60).unwrap();
}

fn told(server: &Server, cookie: &str) -> Js {
    server.send("GET", "/api/outflow", &[("Cookie", cookie)], None).json()
}

#[test]
fn an_alarm_at_large_exports() {
    let server = start_with(|store, _| fill(store));
    let [ann, owner] = ["ann-link", "owner-link"].map(|t| Server::cookie(&server.ask_in(&json!({"token": t}))));
    let write = |cookie: &str, method: &str, path: &str, body: Js| server.send(method, path, &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let token = |cookie: &str| write(cookie, "POST", "/api/me/tokens", json!({"name": "Sync", "days": 9})).json()["token"].as_str().unwrap().to_string();
    let (anns, owners) = (token(&ann), token(&owner));
    let by_token = |token: &str, method: &str, path: &str, body: Option<&Js>| server.send(method, path, &[("Authorization", &format!("Bearer {token}")), ("Content-Type", "application/json")], body);
    let alarms = || told(&server, &owner)["alarms"].as_array().unwrap().clone();
    let [heard, not_for_ann] = [&owner, &ann].map(|c| server.stream("/api/events", &[("Cookie", c)]));
    let listening = (0..3_000).any(|_| { std::thread::sleep(Duration::from_millis(20)); heard.lock().unwrap().contains("event: seq") && not_for_ann.lock().unwrap().contains("event: seq") });
    assert!(listening);

    // Files: the second passes the limit; a third alone does not pass it again.
    let export = || assert_eq!(server.send("GET", "/api/records/customers/export", &[("Cookie", &ann)], None).status, 200);
    export();
    assert_eq!(alarms(), Vec::<Js>::new());
    export();
    let first = alarms();
    assert_eq!((first.len(), &first[0]["name"], &first[0]["way"], &first[0]["rows"], &first[0]["seen"]), (1, &json!("Ann"), &json!("file"), &json!(120), &Js::Null), "{first:?}");
    export();
    assert_eq!(alarms().len(), 1);
    let rung = (0..3_000).any(|_| { std::thread::sleep(Duration::from_millis(20)); heard.lock().unwrap().contains("event: alarm") });
    assert!(rung, "open screens of the owner were not told");
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(!not_for_ann.lock().unwrap().contains("alarm"), "who may not see alarms was told of one");
    assert!([&heard, &not_for_ann].iter().all(|h| !h.lock().unwrap().contains("event: work")), "screens are told of work, though nothing is read anew");

    // Pages to a program, with the program's name; whichever way the records come.
    for path in ["/api/records/customers?limit=60", "/api/metrics/tickets_created/drill?from=2024-01-01&to=2025-01-01&limit=60"] {
        let got = by_token(&anns, "GET", path, None);
        assert_eq!(got.status, 200, "{path}: {}", got.body);
    }
    let second = alarms();
    assert_eq!((second.len(), &second[0]["way"], &second[0]["program"], &second[0]["rows"]), (2, &json!("program"), &json!("Sync"), &json!(120)), "{second:?}");
    // Pages on a screen may be ten times as many.
    let page = || server.send("GET", "/api/records/customers?limit=60", &[("Cookie", &ann)], None);
    (0..16).for_each(|_| drop(page()));
    assert_eq!(alarms().len(), 2);
    page();
    assert_eq!((alarms().len(), &alarms()[0]["way"]), (3, &json!("screen")));
    let out = told(&server, &owner)["taken"].clone();
    let files = out.as_array().unwrap().iter().find(|t| t["way"] == "file").unwrap();
    assert_eq!((&files["object"], &files["rows"], &files["times"], &files["name"]), (&json!("customer"), &json!(180), &json!(3), &json!("Ann")), "{out}");

    // Who may not watch sees none of it; a stolen token of somebody who may cannot put the alarm away or raise the limit.
    let path = format!("/api/outflow/alarms/{}", first[0]["id"]);
    assert_eq!((server.send("GET", "/api/outflow", &[("Cookie", &ann)], None).status, write(&ann, "PUT", &path, json!({})).status), (403, 403));
    assert_eq!(by_token(&owners, "PUT", &path, Some(&json!({}))).status, 403);
    let workspace = format!("/api/records/workspaces/{}", server.store.workspace().unwrap().unwrap().0);
    assert_eq!(by_token(&owners, "PATCH", &workspace, Some(&json!({"export_alarm": 1_000_000}))).status, 422);
    assert_eq!(by_token(&owners, "PATCH", &workspace, Some(&json!({"stall_days": 15}))).status, 200);
    assert_eq!(write(&owner, "PATCH", &workspace, json!({"export_alarm": 500})).status, 200);

    // Put away: it was right, or what it was taken with ends, and nothing else does.
    assert_eq!(write(&owner, "PUT", "/api/outflow/alarms/99", json!({})).status, 404);
    assert_eq!(write(&owner, "PUT", &path, json!({})).status, 204);
    assert_eq!(alarms().iter().filter(|a| a["seen"]["by"] == "owner").count(), 1);
    assert_eq!(page().status, 200);
    assert_eq!(write(&owner, "PUT", &format!("/api/outflow/alarms/{}", second[0]["id"]), json!({"end": true})).status, 204);
    assert_eq!((page().status, by_token(&anns, "GET", "/api/model", None).status, by_token(&owners, "GET", "/api/model", None).status), (401, 401, 200));
    assert_eq!(told(&server, &owner)["alarms"].as_array().unwrap().len(), 3);
}

/// A day is the last 24 hours; what was told of is not told of again; what is long ago is forgotten, the alarm is not.
#[test]
fn the_day_of_an_alarm_moves() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let take = |at: i64, rows: i64, program: &str| store.add_taken(Taken { actor: "a".into(), way: "file".into(), program: program.into(), object: "deal".into(), rows, times: 1, at }, 100).unwrap();
    let hour = |n: i64| NOW / 3_600 * 3_600 + n * 3_600 + 5;
    assert!(!take(hour(0), 60, ""));
    assert!(!take(hour(24), 60, ""), "a day later the first do not count any more");
    assert!(!take(hour(25), 40, "One"), "exactly the limit is not more than it");
    assert!(take(hour(26), 1, "Two"), "of the person and all of their programs");
    assert!(!take(hour(27), 100, ""));
    assert!(take(hour(28), 1, ""));
    assert!(!store.add_taken(Taken { actor: "b".into(), way: "file".into(), program: String::new(), object: "deal".into(), rows: 100, times: 1, at: hour(28) }, 100).unwrap(), "another person's are their own");
    // While nobody has dealt with it there is one alarm, which grows; then another.
    let alarms = || store.alarms(9).unwrap().into_iter().map(|a| (a.rows, a.program, a.seen_at)).collect::<Vec<_>>();
    assert_eq!(alarms(), [(202, String::new(), None)]);
    assert_eq!(store.see_alarm(1, "owner", 7).unwrap().as_deref(), Some("a"));
    assert!(take(hour(28), 101, "Three"));
    assert_eq!(alarms(), [(303, "Three".into(), None), (202, String::new(), Some(7))]);
    assert_eq!(store.taken(99).unwrap().iter().map(|t| t.rows).sum::<i64>(), 463);
    take(hour(28 + 24 * (northing_store::KEPT_DAYS + 1)), 1, "");
    assert_eq!((store.taken(99).unwrap().len(), store.alarms(9).unwrap().len()), (1, 2));
}
