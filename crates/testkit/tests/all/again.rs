//! A request that is sent again is done once (SECURITY.md P3): while answers are lost, connections cut and the server
//! killed, and on every route that takes a POST. The test runs itself as the server to kill.

use crate::http::{NOW, start, start_with};
use northing_crm::Env;
use northing_model::{Record, Value};
use northing_server::Config;
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use uuid::Uuid;

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");
const FOLDER: &str = "NORTHING_AGAIN_FOLDER";
const SESSION: &str = "a session of the test";

/// The part that is killed: a server on a port that it is told.
#[test]
fn server_to_be_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    let listen = std::env::var("NORTHING_AGAIN_LISTEN").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(northing_server::serve(store, Env::new(|| NOW, Uuid::now_v7), Config::new(listen))).unwrap();
}

fn begin(folder: &std::path::Path, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["again::server_to_be_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env("NORTHING_AGAIN_LISTEN", format!("127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// One try: the status and the whole answer, unless either did not come.
fn attempt(port: u16, method: &str, path: &str, key: &str, more: &str, body: &Js, hang_up: bool) -> Option<(u16, Js)> {
    let body = body.to_string();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nCookie: sid={SESSION}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n{more}Content-Length: {}\r\n\r\n", body.len());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
    if hang_up {
        // Somewhere between the question and the answer.
        std::thread::sleep(Duration::from_millis(u64::from(body.len() as u8 % 7)));
        return None;
    }
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    let (head, body) = reply.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    // Half an answer is none.
    Some((status, serde_json::from_str(body).ok()?)).filter(|(status, _)| *status < 500)
}

#[test]
fn nothing_is_done_twice_whatever_is_lost() {
    const CLIENTS: usize = 200;
    const KILLS: usize = 8;
    if std::env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store.open_session(SESSION, "owner", "test", false, NOW).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (done, lost, over) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
    let until_answered = |method: &str, path: &str, key: &str, more: &str, body: &Js, n: usize| {
        for turn in 0.. {
            assert!(turn < 5_000, "{method} {path} is never answered");
            // Every other first try is not waited for.
            if let Some(answer) = attempt(port, method, path, key, more, body, turn == 0 && n % 2 == 0) {
                return answer;
            }
            lost.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(10));
        }
        unreachable!()
    };
    let made: Vec<(Uuid, Uuid)> = std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            // Each server dies while its share of the work is under way.
            for kill in 0..=KILLS {
                let mut server = begin(folder.path(), port);
                let share = CLIENTS * (kill + 1) / (KILLS + 1);
                while done.load(Ordering::Relaxed) < share && !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                while kill == KILLS && !over.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(2));
                }
                server.kill().unwrap();
                server.wait().unwrap();
            }
        });
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let (until_answered, done) = (&until_answered, &done);
                scope.spawn(move || {
                    let name = json!({"name": format!("Once {n}")});
                    let (status, made) = until_answered("POST", "/api/records/customers", &format!("one {n}"), "", &name, n);
                    assert_eq!(status, 201, "{made}");
                    let id = made["id"].as_str().unwrap();
                    // A change with the version that was read: when its answer is lost it is no conflict with itself.
                    let (status, changed) = until_answered("PATCH", &format!("/api/records/customers/{id}"), &format!("two {n}"), "If-Match: \"1\"\r\n", &json!({"segment": "Large"}), n + 1);
                    assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
                    let together = json!({"changes": [{"op": "create", "object": "leads", "id": "new:lead", "fields": {"name": format!("Once {n}"), "customer": id}}, {"op": "create", "object": "tasks", "fields": {"name": format!("Once {n}")}}]});
                    let (status, both) = until_answered("POST", "/api/changes", &format!("three {n}"), "", &together, n);
                    assert_eq!(status, 200, "{both}");
                    // What is gone is gone by this request, not missing.
                    let task = both["records"][1]["id"].as_str().unwrap();
                    let (status, gone) = until_answered("DELETE", &format!("/api/records/tasks/{task}"), &format!("four {n}"), "", &json!({}), n + 1);
                    assert_eq!((status, &gone["id"]), (200, &json!(task)), "{gone}");
                    let (status, other) = until_answered("POST", "/api/records/customers", &format!("one {n}"), "", &json!({"name": "Another"}), 1);
                    assert_eq!(status, 422, "a key stood for two requests: {other}");
                    done.fetch_add(1, Ordering::Relaxed);
                    (Uuid::parse_str(id).unwrap(), Uuid::parse_str(both["new"]["new:lead"].as_str().unwrap()).unwrap())
                })
            })
            .collect();
        let made = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Result<Vec<_>, _>>();
        over.store(true, Ordering::Relaxed);
        killer.join().unwrap();
        made.unwrap()
    });
    let lost = lost.load(Ordering::Relaxed);
    println!("{lost} tries without an answer, {KILLS} servers killed");
    assert!(lost > CLIENTS, "nothing was lost, so nothing was shown");
    let counts = ["customer", "lead", "task"].map(|object| store.count(object).unwrap());
    assert_eq!((counts, store.integrity().unwrap().as_str()), ([CLIENTS as u64, CLIENTS as u64, 0], "ok"));
    // A customer, its change, a lead, a task and its end.
    assert_eq!(store.refresh().unwrap(), 5 * CLIENTS as u64, "something was done twice");
    for (customer, lead) in made {
        assert!(store.get("customer", customer).unwrap().1 == 2 && store.get("lead", lead).is_ok(), "what was answered is not what is there");
    }
}

/// Every POST of the document, sent twice with one key. One that is not known here fails.
#[test]
fn every_post_may_be_sent_again() {
    let server = start();
    let cookie = server.sign_in();
    let send = |path: &str, key: &str, kind: &str, body: &[u8]| server.send_bytes("POST", path, &[("Cookie", &cookie), SAME, ("Content-Type", kind), ("Idempotency-Key", key)], body);
    let tell = |path: &str, key: &str, body: &Js| send(path, key, KIND.1, body.to_string().as_bytes());
    let get = |path: &str| server.send("GET", path, &[("Cookie", &cookie)], None).json();
    // What a second of the same would change: the log, the tokens, the contents of files.
    let state = || (server.store.seq(), get("/api/me/sessions")["tokens"].as_array().unwrap().len(), files(server.folder.path()));
    let again = |path: &str, body: &Js, other: &Js| {
        let key = format!("key of {path}");
        let (before, first) = (state(), tell(path, &key, body));
        assert!(first.status < 300, "{path}: {}", first.body);
        let id = |reply: &Js| ["id", "run", "seq"].iter().find_map(|k| reply.get(*k).cloned()).unwrap_or_default();
        if let Some(id) = first.json().get("id").and_then(Js::as_str).filter(|_| path == "/api/bulk") {
            server.settled(&format!("/api/bulk/{id}"), &cookie);
        }
        let after = state();
        let second = tell(path, &key, body);
        assert_eq!(state(), after, "{path} did it twice");
        assert_ne!(before, after, "{path} did nothing");
        assert_eq!((second.status, path == "/api/me/tokens" || id(&second.json()) == id(&first.json())), (first.status, true), "{path}: {} and {}", first.body, second.body);
        let refused = tell(path, &key, other);
        assert_eq!((refused.status, state()), (422, after), "{path}: a key stood for two requests: {}", refused.body);
        (first.json(), second.json())
    };
    let text = |t: &str| Value::Text(t.into());
    let role = Change::create("access_role", id_of("role"), Record::from([("name".into(), text("All")), ("rights".into(), text(r#"{"*": {"see": "all"}}"#))]));
    let user = Change::create("user", id_of("wanda"), Record::from([("name".into(), text("Wanda")), ("access".into(), Value::Ref(id_of("role")))]));
    let lead = Change::create("lead", id_of("lead"), Record::from([("name".into(), text("Ada"))]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![role, user, lead], key: None }).unwrap();
    let document = server.send("GET", "/api/openapi.json", &[], None).json();
    let posts = document["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("post").is_some()).map(|(path, _)| path.as_str());
    for path in posts {
        match path {
            // All objects go one way; one of them is sent.
            "/api/records/leads" => drop(again(path, &json!({"name": "Ada"}), &json!({"name": "Eda"}))),
            p if p.starts_with("/api/records/") && p.ends_with("/merge") => {
                if p == "/api/records/customers/{id}/merge" {
                    let ids = ["a", "b", "c"].map(|name| tell("/api/records/customers", name, &json!({"name": name})).json()["id"].clone());
                    drop(again(&p.replace("{id}", ids[0].as_str().unwrap()), &json!({"into": ids[1]}), &json!({"into": ids[2]})));
                }
            }
            p if p.starts_with("/api/records/") => assert_eq!(p.split('/').count(), 4, "the route {p} is not known here"),
            "/api/changes" => drop(again(path, &json!({"changes": [{"op": "create", "object": "leads", "fields": {"name": "Ada"}}]}), &json!({"changes": [{"op": "create", "object": "leads", "fields": {"name": "Eda"}}]}))),
            "/api/bulk" => drop(again(path, &json!({"object": "leads", "op": "update", "fields": {"name": "Ida"}}), &json!({"object": "leads", "op": "update", "fields": {"name": "Oda"}}))),
            // The token that was lost opens nothing; the one that came does.
            "/api/own" => drop(again(path, &json!({"op": "add_field", "object": "lead", "label": "Size", "type": "text"}), &json!({"op": "add_field", "object": "lead", "label": "Width", "type": "text"}))),
            "/api/me/tokens" => {
                let (first, second) = again(path, &json!({"name": "Sync", "days": 3}), &json!({"name": "Sync", "days": 4}));
                let opens = |made: &Js| server.send("GET", "/api/session", &[("Authorization", &format!("Bearer {}", made["token"].as_str().unwrap()))], None).status;
                assert_eq!((opens(&first), opens(&second)), (401, 200));
            }
            // Of links that are passed on there is one at a time.
            "/api/invitations" => {
                let link = || tell(path, "link", &json!({"user": id_of("wanda")})).json()["link"].as_str().unwrap().split('#').nth(1).unwrap().to_string();
                let links = [link(), link()];
                assert_eq!(links.map(|token| server.ask_in(&json!({"token": token})).status), [401, 200]);
            }
            // A content has one place.
            "/api/files" => {
                let take = || send(path, "file", "application/octet-stream", b"some bytes").json()["sha"].clone();
                let (first, kept) = (take(), state());
                assert_eq!((take(), state()), (first, kept));
            }
            // The list is looked at as often as it is sent; it is imported once, and taken back once.
            "/api/imports" => {
                let file = tell(path, "file", &json!({"name": "a.csv", "text": "name\nAda\nEda\n"})).json();
                let (run, mapping) = (format!("/api/imports/{}/run", file["id"].as_str().unwrap()), json!({"mapping": file["mapping"]}));
                let first = tell(&run, "import", &mapping).json();
                server.settled(run.trim_end_matches("/run"), &cookie);
                let kept = state();
                assert_eq!((tell(&run, "import", &mapping).json(), state()), (first.clone(), kept));
                assert_eq!(tell(&run, "another", &mapping).status, 409);
                let undo = || tell("/api/imports/undo", "undo", &first);
                assert_eq!(undo().status, 200);
                let kept = state();
                assert_eq!((undo().status, state()), (409, kept));
            }
            "/api/imports/{id}/run" | "/api/imports/undo" => {}
            // Taken back once: tested with the change of a list.
            "/api/bulk/{id}/undo" => {}
            // These write nothing, or what they write takes the place of what was there; a link works once.
            "/api/imports/workbook" | "/api/imports/{id}/mapping" | "/api/imports/{id}/check" | "/api/metrics/try" | "/api/own/preview" | "/api/me/codes" | "/api/session" | "/api/session/proof" => {}
            other => panic!("POST {other}: say here that a retry is done once"),
        }
    }
}

fn files(folder: &std::path::Path) -> usize {
    let within = |folder: std::path::PathBuf| std::fs::read_dir(folder).into_iter().flatten().map(|f| f.unwrap().path());
    within(folder.join("files")).flat_map(within).count()
}

/// Keys are kept for two days, and do not pile up.
#[test]
fn old_keys_are_let_go() {
    let server = start_with(|_, _| {});
    let commit = |n: i64, at: i64| {
        let changes = vec![Change::create("customer", id_of(&n.to_string()), Record::from([("name".into(), Value::Text("A".into()))]))];
        server.store.commit(Commit { actor: "t".into(), at, changes, key: Some((n.to_string(), "h".into())) }).unwrap()
    };
    let first = commit(0, NOW);
    for n in 1..100 {
        commit(n, NOW + 1);
    }
    assert_eq!(commit(0, NOW + 86_400), first, "a key was forgotten within a day");
    for n in 100..200 {
        commit(n, NOW + 4 * 86_400);
    }
    let kept: i64 = rusqlite::Connection::open(server.folder.path().join("northing.db")).unwrap().query_row("select count(*) from idempotency", [], |r| r.get(0)).unwrap();
    assert_eq!(kept, 100);
}

