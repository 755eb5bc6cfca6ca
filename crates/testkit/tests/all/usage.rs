//! What people do in the running product is recorded by it, once for a person, a kind and a part of the product a day; of
//! programs nothing is, and nothing waits for it (N21).

use crate::http::{NOW, Server};
use crate::sign_in::server_where;
use northing_crm::Env;
use northing_model::Value;
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

const KIND: (&str, &str) = ("Content-Type", "application/json");

fn actions(server: &Server) -> Vec<String> {
    let model = server.store.model();
    let object = model.object("user_action").unwrap();
    let fields: Vec<_> = ["kind", "feature", "user", "device"].map(|f| object.field(f).unwrap()).into();
    let mut found = Vec::new();
    server.store.scan("user_action", &fields, |_, _, v| {
        assert_eq!(v[2], Value::Ref(id_of("wanda")));
        found.push(format!("{} {} {}", v[0].as_text().unwrap(), v[1].as_text().unwrap(), v[3].as_text().unwrap()));
    }).unwrap();
    found.sort();
    found
}

fn until(what: &str, fine: impl Fn() -> bool) {
    let there = (0..2_400).any(|_| fine() || { std::thread::sleep(Duration::from_millis(25)); false });
    assert!(there, "{what}");
}

#[test]
fn n21_what_people_do_is_recorded() {
    let clock = Arc::new(AtomicI64::new(NOW));
    let own = clock.clone();
    let server = server_where(Env::new(move || own.load(Ordering::Relaxed), Uuid::now_v7), |config| config.usage = Some(Duration::from_millis(50)));
    server.store.add_sign_in("wanda-link", &id_of("wanda").to_string(), NOW, 60).unwrap();
    let phone = ("User-Agent", "Mozilla/5.0 (Android 14; Mobile; rv:120.0) Firefox/120.0");
    let cookie = Server::cookie(&server.send("POST", "/api/session", &[("Sec-Fetch-Site", "same-origin"), KIND, phone], Some(&json!({"token": "wanda-link"}))));
    let tell = |method: &str, path: &str, body: Js| server.send(method, path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), KIND, phone], Some(&body));
    let work = || {
        let task = tell("POST", "/api/records/tasks", json!({"name": "Call"})).json()["id"].as_str().unwrap().to_string();
        assert_eq!(tell("PATCH", &format!("/api/records/tasks/{task}"), json!({"done_at": "2024-03-09T16:00:00Z"})).status, 200);
        let customer = tell("POST", "/api/changes", json!({"changes": [{"op": "create", "object": "customers", "fields": {"name": "A"}}]}));
        assert_eq!(customer.status, 200, "{}", customer.body);
        for path in ["/api/records/deals", "/api/records/deals", "/api/records/customers/export", "/api/ask?metrics=revenue&from=2024-01-01&to=2024-04-01"] {
            assert_eq!(tell("GET", path, json!({})).status, 200, "{path}");
        }
        // What is refused was not done.
        assert_eq!(tell("GET", "/api/records/no_such_things", json!({})).status, 404);
        assert_eq!(tell("POST", "/api/records/tickets", json!({"no such field": 1})).status, 422);
    };
    work();
    work();
    let told = ["complete tasks phone", "create customers phone", "create tasks phone", "view deals phone", "view export phone", "view metrics phone"].map(String::from).to_vec();
    until("it is not recorded", || actions(&server) == told);

    // A program in her name, and the owner, who is no user, do not count.
    let made = tell("POST", "/api/me/tokens", json!({"name": "Sync", "days": 30})).json();
    let bearer = format!("Bearer {}", made["token"].as_str().unwrap());
    assert_eq!(server.send("POST", "/api/records/leads", &[("Authorization", &bearer), KIND], Some(&json!({"name": "L"}))).status, 201);
    let owner = Server::cookie(&server.ask_in(&json!({"token": "owner-link"})));
    assert_eq!(server.as_them(&owner, "GET", "/api/records/leads", &json!({})).status, 200);
    // Another start of the server on the same day, here beside the first, knows what there is.
    let again = {
        let (store, own) = (server.store.clone(), clock.clone());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = northing_server::Config { usage: Some(Duration::from_millis(50)), ..northing_server::Config::new(format!("127.0.0.1:{port}").parse().unwrap()) };
        std::thread::spawn(move || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(northing_server::serve(store, Env::new(move || own.load(Ordering::Relaxed), Uuid::now_v7), config)));
        until("the second server does not begin", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Server { folder: tempfile::tempdir().unwrap(), store: server.store.clone(), port }
    };
    for path in ["/api/records/deals", "/api/records/orders"] {
        assert_eq!(again.send("GET", path, &[("Cookie", &cookie), phone], None).status, 200);
    }
    let mut with_orders = told.clone();
    with_orders.push("view orders phone".into());
    with_orders.sort();
    until("the second server records nothing", || actions(&server).len() > told.len());
    assert_eq!(actions(&server), with_orders);

    // The numbers of adoption come from it.
    let number = |metric: &str| server.send("GET", &format!("/api/ask?metrics={metric}&from=2024-03-01&to=2024-04-01"), &[("Cookie", &owner)], None).json()["metrics"][0]["total"]["value"].clone();
    until("no numbers", || number("active_users") == json!(1.0) || number("active_users") == json!(1));
    assert_eq!(number("user_logins").as_f64(), Some(1.0));

    // The next day is another; a session that is signed out of has ended.
    clock.fetch_add(18_000, Ordering::Relaxed);
    let other_day = || tell("GET", "/api/records/deals", json!({})).status;
    clock.fetch_add(18_000, Ordering::Relaxed);
    assert_eq!(other_day(), 200);
    until("the next day is not recorded", || actions(&server).len() == with_orders.len() + 1);
    assert_eq!(tell("DELETE", "/api/session", json!({})).status, 204);
    let model = server.store.model();
    let object = model.object("user_session").unwrap();
    let fields: Vec<_> = ["started_at", "ended_at", "device"].map(|f| object.field(f).unwrap()).into();
    let sessions = || {
        let mut found = Vec::new();
        server.store.scan("user_session", &fields, |_, _, v| found.push((v[0].clone(), v[1].clone(), v[2].as_text().map(String::from)))).unwrap();
        found
    };
    until("the session has no end", || sessions().iter().all(|s| !s.1.is_null()));
    assert_eq!(sessions(), [(Value::Time(NOW), Value::Time(NOW + 36_000), Some("phone".into()))]);

    // Kept facts are what the log says.
    let differences = northing_facts::snapshot::differences(&northing_facts::Facts::load(&server.store).unwrap().snapshot(), &northing_facts::Facts::replay(&server.store, server.store.seq(), None).unwrap().snapshot());
    assert!(differences.is_empty(), "{differences:?}");

    // Nothing hangs on it: when nothing can be written, reading goes on.
    server.store.add_sign_in("once-more", &id_of("wanda").to_string(), NOW + 36_000, 60).unwrap();
    let cookie = Server::cookie(&server.ask_in(&json!({"token": "once-more"})));
    let known = actions(&server);
    server.store.close();
    for path in ["/api/records/tickets", "/api/records/bookings", "/api/ask?metrics=revenue&from=2024-01-01&to=2024-04-01"] {
        assert_eq!(server.send("GET", path, &[("Cookie", &cookie)], None).status, 200, "{path}");
    }
    assert_eq!(actions(&server), known);
}
