//! A hidden record, a colleague's address, a role's rights, a declaration of one's own: told by no way round (S9).

use crate::http::{NOW, Reply, Server, start_with};
use crate::rights::{commit, fill, signed_in};
use northing_model::{Record, Value};
use northing_store::{Change, Commit};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");

fn tell(server: &Server, cookie: &str, method: &str, path: &str, body: &Js) -> Reply {
    server.send(method, path, &[("Cookie", cookie), SAME, KIND], Some(body))
}

/// Whoever sees only some records can neither set nor see under which key others know them: that a key is taken would
/// tell of a record that they do not see.
#[test]
fn s9_an_external_id_tells_nothing() {
    // In the second, Vic's customer is X-1.
    let servers = ["", " secret"].map(|salt| start_with(|s, _| fill(s, salt)));
    let cookies = servers.each_ref().map(signed_in);
    let (mine, deal) = (id_of("uma/customer"), id_of("uma/deal"));
    for (method, path, body) in [
        ("PATCH", format!("/api/records/customers/{mine}"), json!({"external_id": "X-1"})),
        ("PATCH", format!("/api/records/deals/{deal}"), json!({"external_id": "X-1"})),
        ("POST", "/api/records/customers".into(), json!({"name": "New", "external_id": "X-1"})),
        ("POST", "/api/changes".into(), json!({"changes": [{"op": "update", "object": "customers", "id": mine, "fields": {"external_id": "X-1"}}]})),
        ("POST", "/api/bulk".into(), json!({"object": "customers", "op": "update", "fields": {"external_id": "X-1"}})),
        ("GET", "/api/records/customers?filter=external_id%20%3D%20'X-1'".into(), json!({})),
    ] {
        let answers = [0, 1].map(|n| tell(&servers[n], &cookies[n], method, &path, &body)).map(|r| (r.status, r.body));
        assert_eq!(answers[0], answers[1], "{method} {path}");
        assert!(matches!(answers[0].0, 400 | 422) && !answers[0].1.contains("belongs"), "{method} {path}: {answers:?}");
        // As if there were no such field.
        let unknown = tell(&servers[0], &cookies[0], method, &path.replace("external_id", "no_such_key"), &serde_json::from_str(&body.to_string().replace("external_id", "no_such_key")).unwrap());
        assert_eq!((unknown.status, unknown.body), (answers[0].0, answers[0].1.replace("external_id", "no_such_key")), "{method} {path}");
    }
    // A deletion taken back after another record came under the same key comes back, without it.
    let key = |n: usize, id, key: &str| {
        let change = Change::update("customer", id, Record::from([("external_id".into(), Value::Text(key.into()))]));
        servers[n].store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    };
    let back = [0, 1].map(|n| {
        key(n, mine, "K-1");
        assert_eq!(tell(&servers[n], &cookies[n], "DELETE", &format!("/api/records/customers/{mine}"), &json!({})).status, 200);
        if n == 1 {
            key(n, id_of("vic/customer"), "K-1");
        }
        let undone = tell(&servers[n], &cookies[n], "POST", "/api/changes", &json!({"changes": [{"op": "restore", "object": "customers", "id": mine}]}));
        let there = tell(&servers[n], &cookies[n], "GET", &format!("/api/records/customers/{mine}"), &json!({}));
        let past = tell(&servers[n], &cookies[n], "GET", &format!("/api/records/customers/{mine}/history"), &json!({}));
        (undone.status, there.status, there.body, past.body)
    });
    assert_eq!(back[0], back[1]);
    assert_eq!((back[0].0, back[0].1), (200, 200));
    // Who sees all records of an object sets it, and is told that it is taken.
    servers[1].store.add_sign_in("the-owner", "owner", NOW, 60).unwrap();
    let owner = Server::cookie(&servers[1].ask_in(&json!({"token": "the-owner"})));
    let taken = tell(&servers[1], &owner, "PATCH", &format!("/api/records/customers/{mine}"), &json!({"external_id": "K-1"}));
    assert!(taken.status == 422 && taken.body.contains("belongs to another"), "{}", taken.body);
    assert_eq!(tell(&servers[1], &owner, "PATCH", &format!("/api/records/customers/{mine}"), &json!({"external_id": "K-2"})).status, 200);
}

/// However many hidden records a search would find first, what is seen is found.
#[test]
fn s9_a_search_is_not_cut_before_rights() {
    let server = start_with(|s, _| fill(s, " secret"));
    let cookie = signed_in(&server);
    let found = tell(&server, &cookie, "GET", "/api/search?q=77-", &json!({})).json();
    let titles: Vec<&str> = found["found"].as_array().unwrap().iter().filter_map(|f| f["title"].as_str()).collect();
    assert_eq!(titles, ["77-999"], "{found}");
}

/// Nor by what is no longer there: names of deleted records do not push out the one that is.
#[test]
fn s9_what_is_deleted_takes_nobodys_place() {
    let server = start_with(|s, _| fill(s, ""));
    server.store.add_sign_in("the-owner", "owner", NOW, 60).unwrap();
    let owner = Server::cookie(&server.ask_in(&json!({"token": "the-owner"})));
    let id = |n: usize| id_of(&format!("zed {n}"));
    let commit = |changes: Vec<Change>| server.store.commit(Commit { actor: "owner".into(), at: NOW, changes, key: None }).unwrap().seq;
    commit((0..300).map(|n| Change::create("customer", id(n), Record::from([("name".into(), Value::Text(format!("Zed {n:03}{}", if n == 299 { " and Sons, the last of many" } else { "" })))]))).collect());
    let seq = commit((0..299).map(|n| Change::delete("customer", id(n))).collect());
    let found = || tell(&server, &owner, "GET", "/api/search?q=zed", &json!({})).json();
    assert!((0..400).any(|_| found()["seq"].as_u64() >= Some(seq) || { std::thread::sleep(std::time::Duration::from_millis(25)); false }));
    let titles: Vec<String> = found()["found"].as_array().unwrap().iter().map(|f| f["title"].as_str().unwrap().to_string()).collect();
    assert_eq!(titles, ["Zed 299 and Sons, the last of many"]);
}

/// Of colleagues the names, of roles the names; addresses and rights are for those who look after them.
#[test]
fn s9_of_colleagues_the_names() {
    let server = start_with(|s, _| fill(s, ""));
    let all = commit(&server.store, "access_role", "all", &[("name", Value::Text("All".into())), ("rights", Value::Text(r#"{"*": {"see": "all"}}"#.into()))]);
    let settings = commit(&server.store, "access_role", "settings", &[("name", Value::Text("Settings".into())), ("rights", Value::Text(r#"{"settings": true, "*": {"see": "own"}}"#.into()))]);
    let cookie = |who: &str| {
        server.store.add_sign_in(who, &id_of(who).to_string(), NOW, 60).unwrap();
        Server::cookie(&server.ask_in(&json!({"token": who})))
    };
    for (who, role) in [("sees all", all), ("runs it", settings)] {
        commit(&server.store, "user", who, &[("name", Value::Text(who.into())), ("access", Value::Ref(role))]);
    }
    let uma = signed_in(&server);
    let (seeing, running) = (cookie("sees all"), cookie("runs it"));
    let read = |cookie: &str, path: &str| tell(&server, cookie, "GET", path, &json!({})).body;
    let vic = id_of("vic");
    for path in ["/api/records/users".to_string(), format!("/api/records/users/{vic}"), format!("/api/records/users/{vic}/history"), "/api/search?q=vic".into(), "/api/search?q=vic%40example".into()] {
        let told = read(&uma, &path);
        assert!(!told.contains("vic@example.org"), "{path}: {told}");
        for cookie in [&seeing, &running].into_iter().filter(|_| !path.contains("example")) {
            assert!(read(cookie, &path).contains("vic@example.org") || path.contains("search"), "{path}");
        }
    }
    // Of what they may do, what they do not see is not named, nor what is worked out from records.
    for (cookie, hidden) in [(&uma, true), (&running, false)] {
        let session: Js = serde_json::from_str(&read(cookie, "/api/session")).unwrap();
        let may = session["may"].as_object().unwrap();
        assert_eq!((may.contains_key("expense"), may.contains_key("deal"), may.contains_key("purchase")), (!hidden, true, false), "{may:?}");
    }
    assert!(read(&uma, "/api/records/users").contains("\"vic\"") && read(&uma, "/api/session").contains("uma@example.org"));
    assert_eq!(tell(&server, &uma, "GET", "/api/records/users?sort=email", &json!({})).status, 422);
    assert!(!read(&uma, "/api/records/access_roles").contains("expense") && read(&uma, "/api/records/access_roles").contains("Other"));
    assert!(read(&running, "/api/records/access_roles").contains("expense") && read(&seeing, "/api/records/access_roles").contains("expense"));
}

/// The document names the product's objects to everybody, a workspace's own to those who see them.
#[test]
fn s9_the_document_keeps_ones_own_objects() {
    let server = start_with(|s, _| fill(s, ""));
    let body = "name = \"x_court_case\"\nplural = \"x_court_cases\"\ntitle = \"x_name\"\nlabel = \"Case\"\nwhose = [\"x_owner\"]\n[fields]\nx_name = { type = \"text\", required = true }\nx_owner = { type = \"ref\", to = \"user\" }\n";
    let declared = Change::create("definition", id_of("own"), Record::from([("kind".into(), Value::Text("object".into())), ("name".into(), Value::Text("x_court_case".into())), ("body".into(), Value::Text(body.into()))]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![declared], key: None }).unwrap();
    let uma = signed_in(&server);
    let document = |cookie: Option<&str>| server.send("GET", "/api/openapi.json", &cookie.map(|c| ("Cookie", c)).into_iter().collect::<Vec<_>>(), None).body;
    let hers = || document(Some(&uma)).contains("x_court_cases");
    assert!((0..400).any(|_| hers() || { std::thread::sleep(std::time::Duration::from_millis(25)); false }));
    assert!(!document(None).contains("x_court_case") && document(None).contains("/api/records/deals"));
    // What is hidden from her is in hers as little as anywhere.
    let document = server.send("GET", "/api/openapi.json", &[("Cookie", &uma)], None).json();
    assert!(document["paths"].get("/api/records/expenses").is_none() && document["components"]["schemas"]["deal"]["properties"].get("amount").is_none());
}
