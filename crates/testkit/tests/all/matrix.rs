//! Who may do what to whose record on which route (SECURITY.md P6): every route of the document that takes records, by
//! what a role lets see, change and delete, by whose the record is. Nothing of it writes: what is allowed asks for a
//! change that is none, so the database is the same byte for byte after some thousand refusals.

use crate::http::{NOW, Reply, Server, start_with};
use crate::rights::{COMMON, commit, everybodys, life};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

const PEOPLE: [&str; 4] = ["uma", "tim", "vic", "nobody"];

/// Of whom a level lets Uma see or change: of her own, of her team's, of everybody's.
fn whose(level: &str) -> &'static [&'static str] {
    match level {
        "none" => &[],
        "own" => &PEOPLE[..1],
        "team" => &PEOPLE[..2],
        _ => &PEOPLE,
    }
}

fn fill(store: &Store) {
    let text = |t: &str| Value::Text(t.into());
    commit(store, "workspace", "workspace", &[("name", text("W"))]);
    let role = commit(store, "access_role", "role", &[("name", text("Role")), ("rights", text("{}"))]);
    let teams = ["north", "south"].map(|name| commit(store, "team", name, &[("name", text(name))]));
    for (user, team) in [("uma", teams[0]), ("tim", teams[0]), ("vic", teams[1])] {
        commit(store, "user", user, &[("name", text(user)), ("access", Value::Ref(role)), ("team", Value::Ref(team))]);
    }
    let shared = everybodys(store);
    for person in PEOPLE {
        let mut refs = shared.clone();
        if person != "nobody" {
            refs.insert("user".into(), id_of(person));
        }
        life(&store.model(), store, person, "", &refs, &[], "");
    }
}

/// All that is kept, but for who looked when, and how much.
fn content(server: &Server) -> String {
    let db = rusqlite::Connection::open(server.folder.path().join("northing.db")).unwrap();
    let mut tables = db.prepare("select name from sqlite_master where type = 'table' and name not in ('session', 'taken') and name not like 'sqlite_%' order by name").unwrap();
    let tables: Vec<String> = tables.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
    let mut hash = Sha256::new();
    for table in &tables {
        let mut rows = db.prepare(&format!("select * from \"{table}\"")).unwrap();
        let columns = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        hash.update(table);
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                hash.update(format!("{:?};", row.get_ref(column).unwrap()));
            }
        }
    }
    format!("{} tables {:x?}", tables.len(), hash.finalize())
}

#[test]
fn every_route_by_role_and_owner() {
    let server = start_with(|store, _| fill(store));
    server.store.add_sign_in("for-uma", &id_of("uma").to_string(), NOW, 60).unwrap();
    let role = |rights: &Js| {
        let change = Change::update("access_role", id_of("role"), Record::from([("rights".to_string(), Value::Text(rights.to_string()))]));
        server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    };
    role(&json!({"*": {"see": "own"}}));
    let cookie = Server::cookie(&server.ask_in(&json!({"token": "for-uma"})));
    let headers = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let tell = |method: &str, path: &str, more: &[(&str, &str)], body: Js| server.send(method, path, &[&headers[..], more].concat(), Some(&body));
    let get = |path: &str| server.send("GET", path, &headers, None);
    let model = server.store.model();
    let document = server.send("GET", "/api/openapi.json", &[], None).json();
    let mut asked = 0;
    let mut allowed = BTreeMap::<String, [usize; 2]>::new();
    for (see, change, delete, create) in [("none", "all", "all", true), ("own", "own", "own", true), ("team", "team", "own", false), ("team", "own", "none", true), ("all", "team", "own", false), ("all", "none", "none", false), ("own", "all", "all", false), ("all", "all", "all", true)] {
        role(&json!({"*": {"see": see, "change": change, "delete": delete, "create": create, "export": create}}));
        let before = content(&server);
        for (path, methods) in document["paths"].as_object().unwrap().iter().filter(|(p, _)| p.starts_with("/api/records/")) {
            let plural = path.split('/').nth(3).unwrap();
            let object = model.object_by_path(plural).unwrap();
            let tail = path.trim_start_matches(&format!("/api/records/{plural}"));
            // Everybody sees what belongs to nobody; only settings, which this role has not, let it be changed.
            let basic = object.structural || ["user", "team", "access_role", "definition", "service_promise"].contains(&object.name.as_str());
            let there: Vec<&str> = PEOPLE.into_iter().filter(|p| server.store.get(&object.name, id_of(&format!("{p}/{}", object.name))).is_ok()).collect();
            // What names nobody is nobody's.
            let owned = !object.whose.is_empty();
            let within = |level: &str, person: &str| if level == "all" { true } else { owned && whose(level).contains(&person) };
            let seen = |person: &str| basic || within(see, person);
            let known = basic || see != "none";
            let visible: BTreeSet<String> = there.iter().filter(|p| seen(p)).map(|p| id_of(&format!("{p}/{}", object.name)).to_string()).collect();
            let mut expect = |what: &str, reply: Reply, yes: bool, no: &[u16]| {
                let refused = matches!(reply.status, 401 | 403 | 404);
                asked += 1;
                allowed.entry(what.split(' ').next().unwrap().to_string()).or_default()[usize::from(yes)] += 1;
                assert_eq!(refused, !yes, "see {see}, change {change}, delete {delete}, create {create}: {what}: {} {}", reply.status, reply.body);
                assert!(!refused || no.contains(&reply.status), "{what}: {}", reply.status);
                reply
            };
            for method in methods.as_object().unwrap().keys() {
                let one = |person: &str| path.replace("{id}", &id_of(&format!("{person}/{}", object.name)).to_string());
                match (method.as_str(), tail) {
                    ("get", "") => {
                        let reply = expect(&format!("list {path}"), get(&format!("{path}?limit=500")), known, &[404]);
                        if known && !COMMON.contains(&object.name.as_str()) {
                            let ids: BTreeSet<String> = reply.json()["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_string()).filter(|id| PEOPLE.iter().any(|p| *id == id_of(&format!("{p}/{}", object.name)).to_string())).collect();
                            assert_eq!(ids, visible, "see {see}: {path}");
                        }
                    }
                    ("get", "/groups") => {
                        let reply = expect(&format!("groups {path}"), get(&format!("{path}?by=created_at")), known, &[404]);
                        if known && there.len() == PEOPLE.len() {
                            let n: u64 = reply.json()["groups"].as_array().unwrap().iter().map(|g| g["count"].as_u64().unwrap()).sum();
                            assert_eq!(n, visible.len() as u64 + others(&server, &object.name), "see {see}: {path}");
                        }
                    }
                    ("get", "/export") => {
                        let reply = expect(&format!("export {path}"), get(path), known && create, &[403, 404]);
                        if known && create {
                            let hidden: Vec<_> = there.iter().filter(|p| !seen(p)).filter(|p| reply.body.contains(&format!("{p}/{}", object.name))).collect();
                            assert!(hidden.is_empty(), "see {see}: {path} tells of {hidden:?}");
                        }
                    }
                    ("get", "/twins" | "/free") => drop(expect(&format!("{} {path}", &tail[1..]), get(&format!("{path}{}", if tail == "/free" { "?from=2024-02-01&days=1" } else { "" })), known, &[404])),
                    ("post", "") => drop(expect(&format!("create {path}"), tell("POST", path, &[], json!({"no such field": 1})), known && !basic && create, &[403, 404])),
                    ("get", "/{id}" | "/{id}/history") => {
                        for person in &there {
                            drop(expect(&format!("{} {person} {path}", if tail == "/{id}" { "read" } else { "history" }), get(&one(person)), seen(person), &[404]));
                        }
                    }
                    ("get", "/{id}/file") => {
                        for person in &there {
                            // There is no content; what is not seen is no attachment, as far as one is told.
                            let reply = get(&one(person));
                            assert_eq!((reply.status, reply.body.contains("content of this file")), (404, seen(person) && reply.body.contains("content")), "see {see}: {}", reply.body);
                        }
                    }
                    ("patch", "/{id}") => {
                        for person in &there {
                            drop(expect(&format!("change {person} {path}"), tell("PATCH", &one(person), &[], json!({})), seen(person) && !basic && within(change, person), if seen(person) { &[403] } else { &[403, 404] }));
                        }
                    }
                    ("post", "/{id}/merge") => {
                        for person in &there {
                            drop(expect(&format!("merge {person} {path}"), tell("POST", &one(person), &[], json!({"into": null})), seen(person) && !basic && within(change, person), if seen(person) { &[403] } else { &[403, 404] }));
                        }
                    }
                    ("delete", "/{id}") => {
                        for person in &there {
                            drop(expect(&format!("delete {person} {path}"), tell("DELETE", &one(person), &[("If-Match", "\"999\"")], json!({})), seen(person) && !basic && within(delete, person), if seen(person) { &[403] } else { &[403, 404] }));
                        }
                    }
                    (method, _) => panic!("{method} {path} is not in the matrix"),
                }
            }
        }
        assert_eq!(content(&server), before, "see {see}, change {change}: something was written");
    }
    println!("{asked} requests; refused and allowed: {allowed:?}");
    assert!(allowed.values().all(|[no, yes]| no.min(yes) > &0), "{allowed:?}");
}

/// Records that were there without anybody's life.
fn others(server: &Server, object: &str) -> u64 {
    server.store.count(object).unwrap() - PEOPLE.iter().filter(|p| server.store.get(object, id_of(&format!("{p}/{object}"))).is_ok()).count() as u64
}
