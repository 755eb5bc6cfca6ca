//! What the server leaves to nobody else: its files, the secrets in them, where a request comes from, addresses in the
//! clear, the owner's link, when a record began, lists wider than any list (S11, P12).

use crate::http::{NOW, Server, start, start_where, start_with};
use crate::sign_in::server_where;
use northing_crm::Env;
use northing_server::Config;
use northing_store::Store;
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use uuid::Uuid;

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display())).permissions().mode() & 0o777
}

/// Everything below a folder that others may look at.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        if mode(&path) & 0o077 != 0 {
            found.push(format!("{} {:o}", path.display(), mode(&path)));
        }
        if path.is_dir() {
            found.extend(open_to_others(&path));
        }
    }
    found
}

#[test]
fn s11_the_folder_is_closed_to_others() {
    let parent = tempfile::tempdir().unwrap();
    // A new one, with its parents.
    let new = parent.path().join("a/b");
    let store = Store::open(&new).unwrap();
    store.add_sign_in("x", "owner", NOW, 60).unwrap();
    assert!(new.join("northing.db-wal").exists() && new.join("northing.key").exists());
    assert_eq!((mode(&new), open_to_others(&new)), (0o700, vec![]));
    store.close();
    // One from before, that anybody could look into.
    let open = |path: &Path, to: u32| std::fs::set_permissions(path, std::fs::Permissions::from_mode(to)).unwrap();
    for folder in ["files", "imports", "uploads", "backups"] {
        std::fs::create_dir_all(new.join(folder)).unwrap();
        open(&new.join(folder), 0o755);
    }
    for file in std::fs::read_dir(&new).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        open(&file, 0o644);
    }
    open(&new, 0o755);
    let store = Store::open(&new).unwrap();
    assert_eq!((mode(&new), open_to_others(&new)), (0o700, vec![]));
    store.close();
    // A folder that holds other things is not ours to close; what is ours in it is.
    let mixed = parent.path().join("mixed");
    std::fs::create_dir(&mixed).unwrap();
    std::fs::write(mixed.join("letter.txt"), "x").unwrap();
    open(&mixed, 0o755);
    Store::open(&mixed).unwrap().close();
    assert_eq!((mode(&mixed), mode(&mixed.join("northing.db")), mode(&mixed.join("northing.key"))), (0o755, 0o600, 0o600));
    // What people send.
    let server = start();
    let cookie = server.sign_in();
    let me = ("Cookie", cookie.as_str());
    let sent = server.send_bytes("POST", "/api/files", &[me, SAME, ("Content-Type", "application/octet-stream")], b"content");
    let list = server.send("POST", "/api/imports", &[me, SAME, KIND], Some(&json!({"name": "a.csv", "text": "name\nA\n"})));
    assert_eq!((sent.status, list.status), (201, 200), "{} {}", sent.body, list.body);
    assert!(server.folder.path().join("files").is_dir() && server.folder.path().join("uploads").is_dir());
    assert_eq!(open_to_others(server.folder.path()), Vec::<String>::new());
}

fn on_the_disk(folder: &Path, text: &str) -> bool {
    ["northing.db", "northing.db-wal"].iter().filter_map(|f| std::fs::read(folder.join(f)).ok()).any(|bytes| bytes.windows(text.len()).any(|w| w == text.as_bytes()))
}

#[test]
fn s11_secrets_of_codes_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let secret: Vec<u8> = (0..20).map(|n| n * 11 + 3).collect();
    let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
    // As an earlier version kept it.
    let store = Store::open(folder.path()).unwrap();
    store.set_totp("wanda", &secret).unwrap();
    store.use_totp("wanda", 7).unwrap();
    assert!(!on_the_disk(folder.path(), &hex));
    store.close();
    drop(store);
    rusqlite::Connection::open(folder.path().join("northing.db")).unwrap().execute("update credential set totp = ?1", [&hex]).unwrap();
    assert!(on_the_disk(folder.path(), &hex), "the test's secret should be there as it is");
    let store = Store::open(folder.path()).unwrap();
    let known = store.credential("wanda").unwrap();
    assert_eq!((known.totp.as_ref(), known.totp_on, known.totp_step), (Some(&secret), true, 7));
    assert!(!on_the_disk(folder.path(), &hex), "the old secret is still in the file");
    store.close();
    drop(store);
    // Without the key the database opens nothing, and nobody gets in without a code for it.
    std::fs::remove_file(folder.path().join("northing.key")).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let known = store.credential("wanda").unwrap();
    assert_eq!((known.totp, known.totp_on), (None, true));
    store.close();
}

/// Sixty guesses from one connection, each with another address written before it: how many are looked at.
fn looked_at(server: &Server, host: &str) -> usize {
    (0..60).filter(|n| {
        let forwarded = format!("203.0.113.{n}");
        let headers = [("Host", host), SAME, KIND, ("X-Forwarded-For", forwarded.as_str())];
        server.send("POST", "/api/session", &headers, Some(&json!({"email": "wanda@example.org", "password": "guess"}))).status == 401
    }).count()
}

#[test]
fn s11_where_a_request_comes_from_is_the_proxys_word() {
    let behind = |proxies: &'static [&'static str]| {
        server_where(Env::new(|| NOW, Uuid::now_v7), |config| {
            config.public_url = Some("https://crm.example.org".into());
            config.proxies = proxies.iter().map(|p| p.parse().unwrap()).collect();
        })
    };
    // A proxy on this machine is believed, and no other.
    let here = behind(&[]);
    assert!(looked_at(&here, "crm.example.org") > 45);
    let direct = behind(&["10.9.8.7"]);
    assert!(looked_at(&direct, "crm.example.org") <= 20);
    let plain = server_where(Env::new(|| NOW, Uuid::now_v7), |_| {});
    assert!(looked_at(&plain, &format!("localhost:{}", plain.port)) <= 20);
}

/// P12: what is opened with which words, and what is refused at the start.
#[test]
fn s11_nothing_is_opened_in_the_clear() {
    let refused = |config: Config| {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let env = Env::new(|| NOW, Uuid::now_v7);
        northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new()).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(northing_server::serve(store, env, config)).unwrap_err().to_string()
    };
    let beyond = || Config::new("0.0.0.0:0".parse().unwrap());
    let url = || Some("https://crm.example.org".to_string());
    let proxies = || vec!["10.9.8.7".parse().unwrap()];
    for config in [beyond(), Config { public_url: url(), ..beyond() }, Config { proxies: proxies(), ..beyond() }, Config { public_url: url(), ..Config::new("[::]:0".parse().unwrap()) }] {
        let said = refused(config.clone());
        assert!(said.contains("--proxy") && said.contains("--public-url"), "{config:?}: {said}");
    }
    assert!(refused(Config { public_url: Some("http://crm.example.org".into()), proxies: proxies(), ..beyond() }).contains("https://"));
    for issuer in ["http://login.example.org", "http://localhost:8080", "http://127.0.0.1:8080"] {
        let oidc = northing_server::Oidc { issuer: issuer.into(), client: "c".into(), secret: "s".into(), name: "n".into(), plain: false };
        assert!(refused(Config { oidc: Some(oidc), ..Config::new("127.0.0.1:0".parse().unwrap()) }).contains("https://"), "{issuer}");
    }
    // With both it opens, to the proxy; whoever comes past it is told where to go, and nothing else.
    let server = start_where(|s, e| drop(northing_crm::workspace::ensure(s, e, &northing_model::Record::new())), Env::new(|| NOW, Uuid::now_v7), |config| {
        config.listen.set_ip("0.0.0.0".parse().unwrap());
        config.public_url = url();
        config.proxies = proxies();
    });
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|s| s.connect("192.0.2.1:9").and_then(|()| s.local_addr())).ok().map(|a| a.ip()).filter(|ip| !ip.is_loopback());
    assert_eq!(server.send("GET", "/api/ways", &[("Host", "crm.example.org")], None).status, 200, "from this machine itself");
    if let Some(ip) = own {
        let ask = |path: &str| {
            let mut stream = std::net::TcpStream::connect((ip, server.port)).unwrap();
            std::io::Write::write_all(&mut stream, format!("GET {path} HTTP/1.1\r\nHost: crm.example.org\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
            std::io::read_to_string(stream).unwrap().split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        };
        assert_eq!((ask("/api/ways"), ask("/livez")), (403, 200));
    }
}

const FOLDER: &str = "NORTHING_CLOSED_FOLDER";

/// The part that is started as a process of its own, to be listened to.
#[test]
fn server_to_listen_to() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    let env = Env::new(|| NOW, Uuid::now_v7);
    northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(northing_server::serve(store, env, Config::new("127.0.0.1:0".parse().unwrap()))).unwrap();
}

/// What a server says when it starts.
fn said(folder: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap()).args(["closed::server_to_listen_to", "--exact", "--nocapture"]).env(FOLDER, folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    for line in std::io::BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        if line.contains("northing link") || line.contains("sign-in#") {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    text
}

#[test]
fn s11_the_owners_link_is_printed_while_nobody_can_sign_in() {
    if std::env::var(FOLDER).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert!(said(folder.path()).contains("/sign-in#"));
    }
    let store = Store::open(folder.path()).unwrap();
    store.set_password("owner", "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let later = said(folder.path());
    assert!(!later.contains("sign-in#") && later.contains("northing link"), "{later}");
    // It is made when it is asked for, works once, and of such links there is one at a time.
    let env = Env::new(|| NOW, Uuid::now_v7);
    let links = [0, 1].map(|_| northing_server::link(&store, &env, "https://crm.example.org/").unwrap());
    let opened = links.each_ref().map(|l| store.use_sign_in(l.strip_prefix("https://crm.example.org/sign-in#").unwrap(), NOW).unwrap());
    assert_eq!(opened, [None, Some("owner".to_string())]);
}

#[test]
fn s11_when_a_record_began_is_not_anybodys_to_say() {
    let server = start_with(|store, env| {
        northing_crm::workspace::ensure(store, env, &northing_model::Record::new()).unwrap();
        northing_crm::workspace::ensure_roles(store, env).unwrap();
        let role = |called: &str| {
            let name = store.model().object("access_role").unwrap().field("name").unwrap().clone();
            let mut found = None;
            store.scan("access_role", &[&name], |id, _, v| if v[0].as_text() == Some(called) { found = Some(id) }).unwrap();
            northing_model::Value::Ref(found.unwrap())
        };
        for (who, called) in [("ann", "Administrator"), ("max", "Manager"), ("own", "Own records")] {
            crate::rights::commit(store, "user", who, &[("name", northing_model::Value::Text(who.into())), ("access", role(called))]);
            store.add_sign_in(who, &id_of(who).to_string(), NOW, 60).unwrap();
        }
    });
    for (who, may) in [("max", false), ("own", false), ("ann", true), ("letmein", true)] {
        let cookie = Server::cookie(&server.ask_in(&json!({"token": who})));
        let tell = |method: &str, path: &str, body: Js| server.send(method, path, &[("Cookie", &cookie), SAME, KIND], Some(&body));
        let early = json!({"name": "A", "created_at": "2020-01-01T00:00:00Z"});
        let made = tell("POST", "/api/records/customers", json!({"name": "A"}));
        assert_eq!(made.status, 201, "{who}: {}", made.body);
        let path = format!("/api/records/customers/{}", made.json()["id"].as_str().unwrap());
        let answers = [tell("POST", "/api/records/customers", early.clone()), tell("PATCH", &path, early.clone()), tell("POST", "/api/changes", json!({"changes": [{"op": "create", "object": "customers", "fields": early}]}))].map(|r| r.status);
        assert_eq!(answers, if may { [201, 200, 200] } else { [422; 3] }, "{who}");
        let bulk = tell("POST", "/api/bulk", json!({"object": "customers", "op": "update", "filter": "name = 'A'", "fields": {"created_at": "2020-01-01T00:00:00Z"}})).status;
        assert_eq!(bulk, if may { 202 } else { 422 }, "{who}");
    }
}

#[test]
fn s11_a_list_of_thousands_of_columns_is_refused() {
    let server = start();
    let cookie = server.sign_in();
    let list = |columns: usize| {
        let line = |what: &str| (0..columns).map(|n| format!("{what}{n}")).collect::<Vec<_>>().join(",");
        let body = json!({"name": "wide.csv", "text": format!("{}\n{}\n", line("column "), line("v"))});
        let begun = std::time::Instant::now();
        (server.send("POST", "/api/imports", &[("Cookie", &cookie), SAME, KIND], Some(&body)), begun.elapsed())
    };
    let (wide, took) = list(30_000);
    assert!(wide.status == 422 && wide.body.contains("wide.csv: it has 30000 columns"), "{}", wide.body);
    let (most, usual) = list(1_000);
    assert_eq!(most.status, 200, "{:.300}", most.body);
    println!("30,000 columns refused in {took:?}, 1,000 looked at in {usual:?}");
    // It took half a minute; on a busy machine it may take a while.
    assert!(took.as_secs() < 20 && usual.as_secs() < 20);
    // At the terminal too.
    let path = server.folder.path().join("wide.csv");
    std::fs::write(&path, format!("{}\n", (0..30_000).map(|n| format!("c{n}")).collect::<Vec<_>>().join(","))).unwrap();
    assert!(northing_crm::import::headings(&path, ",").unwrap_err().to_string().contains("columns"));
}

/// What a rejects file guards against spreadsheets is imported as people typed it.
#[test]
fn s11_a_rejects_file_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::new(|| NOW, Uuid::now_v7);
    northing_crm::workspace::ensure(&store, &env, &northing_model::Record::new()).unwrap();
    let path = folder.path().join("people.csv");
    let harmless = northing_model::text::harmless;
    std::fs::write(&path, format!("name,phone,northing_row\n{},{},7\n", harmless("=SUM(A1)"), harmless("+48 600 700 800"))).unwrap();
    let model = store.model();
    let labels = northing_model::Labels::load().unwrap();
    let looked = northing_crm::import::guess::Looked { name: "customers.csv", headings: &["name".into(), "phone".into()], sample: &[] };
    let plan = northing_crm::import::guess::guess(&model, &labels, looked).mapping.unwrap();
    let plan = plan.plan(model.object("customer").unwrap(), &labels, "people.csv", ",", "people.csv", &["name".into(), "phone".into()]);
    let report = northing_crm::import::import(&store, &env, &plan, &path, &mut |_, r| panic!("{}: {}", r.column, r.reason)).unwrap();
    assert_eq!(report.rows, 1);
    let object = model.object("customer").unwrap();
    let fields: Vec<_> = ["name", "phone"].map(|f| object.field(f).unwrap()).into();
    let mut found = Vec::new();
    store.scan("customer", &fields, |_, _, v| found.push((v[0].as_text().unwrap().to_string(), v[1].as_text().unwrap().to_string()))).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].0 == "=SUM(A1)" && found[0].1.starts_with('+'), "{found:?}");
}
