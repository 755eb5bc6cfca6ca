//! How a server ends, what it writes down about what happened, and what it counts. A server of its own process, which
//! other tests use too: the test runs itself.

use crate::http::{NOW, start};
use northing_crm::Env;
use northing_model::Record;
use northing_server::log::{Form, Level};
use northing_server::{Config, Limits};
use northing_store::Store;
use serde_json::{Value as Js, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

const FOLDER: &str = "NORTHING_CHILD_FOLDER";
const PORT: &str = "NORTHING_CHILD_PORT";
const NOTICE: &str = "NORTHING_CHILD_NOTICE";
/// Long enough that no test waits for it.
const LONG: Duration = Duration::from_secs(600);
pub const SESSION: &str = "canary-session";

/// The server itself. It waits long for everybody, so whatever ends it is not that.
#[test]
fn server_of_its_own() {
    let (Ok(folder), Ok(port)) = (std::env::var(FOLDER), std::env::var(PORT)) else { return };
    let _log = northing_server::log::begin(Form::Json, Level::DEBUG);
    let store = Store::open(folder.as_ref()).unwrap();
    let notice = Duration::from_millis(std::env::var(NOTICE).unwrap().parse().unwrap());
    let limits = Limits { header: LONG, body: LONG, notice, end: Duration::from_secs(20), ..Limits::default() };
    let config = Config { limits, ..Config::new(format!("127.0.0.1:{port}").parse().unwrap()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(northing_server::serve(store, Env::new(|| NOW, Uuid::now_v7), config)).unwrap();
}

pub struct Own {
    pub child: Child,
    pub port: u16,
    pub lines: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Begins one that may open so many descriptors.
pub fn own(descriptors: u32, notice: Duration) -> Own {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::fixed(NOW, 1);
    northing_crm::workspace::ensure(&store, &env, &Record::new()).unwrap();
    store.open_session(SESSION, "owner", "test", false, NOW).unwrap();
    store.close();
    drop(store);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new("sh")
        .args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" ending::server_of_its_own --exact --nocapture")])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .env(PORT, port.to_string())
        .env(NOTICE, notice.as_millis().to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = Arc::new(Mutex::new(Vec::new()));
    let (told, stderr) = (lines.clone(), child.stderr.take().unwrap());
    std::thread::spawn(move || BufReader::new(stderr).lines().map_while(Result::ok).for_each(|l| told.lock().unwrap().push(l)));
    let there = (0..2_400).any(|_| TcpStream::connect(("127.0.0.1", port)).is_ok() || { std::thread::sleep(Duration::from_millis(25)); false });
    assert!(there, "the server does not begin");
    Own { child, port, lines, _folder: folder }
}

pub fn head(port: u16, method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: sid={SESSION}\r\nSec-Fetch-Site: same-origin\r\n{more}\r\n")
}

/// The answer on a connection that is closed after it; none if it was cut off.
fn answer(stream: &mut TcpStream) -> Option<(u16, String)> {
    stream.set_read_timeout(Some(Duration::from_secs(120))).ok()?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok()?;
    let all = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = all.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_string));
    let whole = length.is_none_or(|l| l.parse() == Ok(body.len()));
    whole.then(|| Some((head.split(' ').nth(1)?.parse().ok()?, all.clone())))?
}

fn ask(port: u16, method: &str, path: &str, more: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("{}{body}", head(port, method, path, &format!("Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}", body.len()))).as_bytes()).ok()?;
    answer(&mut stream)
}

/// A request whose body does not come; the server waits for it by now.
pub fn half_sent(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(head(port, "POST", "/api/session", "Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n").as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut told = [0u8; 25];
    stream.read_exact(&mut told).unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream
}

#[test]
fn s13_at_sigterm_readiness_goes_first_and_nothing_accepted_fails() {
    let mut own = own(1_024, Duration::from_secs(3));
    let port = own.port;
    let mut half_body = half_sent(port);
    let mut half_header = TcpStream::connect(("127.0.0.1", port)).unwrap();
    half_header.write_all(b"GET /livez HT").unwrap();
    let _idle = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut events = TcpStream::connect(("127.0.0.1", port)).unwrap();
    events.write_all(head(port, "GET", "/api/events", "").as_bytes()).unwrap();
    let (unready, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (done, failed, late) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let took = std::thread::scope(|scope| {
        // Who looks whether it is ready, as a balancer does, and those who are sent there while it is.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                match ask(port, "GET", "/readyz", "", "") {
                    Some((503, words)) if words.contains("shutting down") => unready.store(true, Ordering::Relaxed),
                    Some((200, _)) => assert!(!unready.load(Ordering::Relaxed), "ready again"),
                    _ => {}
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        for n in 0..4 {
            let (unready, done, failed, late) = (&unready, &done, &failed, &late);
            scope.spawn(move || {
                let mut after = 0;
                // A few more than one should.
                while after < 3 {
                    after += usize::from(unready.load(Ordering::Relaxed));
                    late.fetch_add(after.min(1), Ordering::Relaxed);
                    match ask(port, "POST", "/api/records/customers", "", &json!({"name": format!("Load {n}")}).to_string()) {
                        Some((201, _)) => done.fetch_add(1, Ordering::Relaxed),
                        _ => failed.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
        while done.load(Ordering::Relaxed) < 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let began = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &own.child.id().to_string()]).status().unwrap().success());
        assert!(own.child.wait().unwrap().success());
        over.store(true, Ordering::Relaxed);
        began.elapsed()
    });
    assert!(unready.load(Ordering::Relaxed), "nobody was told before the door was shut");
    assert_eq!(failed.load(Ordering::Relaxed), 0, "of {} and {} after it was known", done.load(Ordering::Relaxed), late.load(Ordering::Relaxed));
    assert!(took * 5 < LONG, "{took:?}: those who had sent half held it up");
    let (status, words) = answer(&mut half_body).unwrap();
    assert!(status == 408 && words.contains("urn:northing:problem:slow"), "{words}");
    let mut rest = String::new();
    events.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("event: seq"), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "the stream was cut off, not ended: {rest}");
    let lines = own.lines.lock().unwrap().join("\n");
    assert!(lines.contains("\"ended\""), "{lines}");
}

#[test]
fn s13_every_request_leaves_a_line_that_tells_no_secret() {
    let mut own = own(1_024, Duration::ZERO);
    let port = own.port;
    let id = "x-request-id: probe-1\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
    let (status, words) = ask(port, "GET", "/api/records/customers?filter=name+%3D+%27canary-filter%27", id, "").unwrap();
    assert!(status == 200 && words.contains("x-request-id: probe-1"), "{words}");
    let canary = |field: &str| format!("canary-{field}");
    for (method, path, more, body) in [
        ("POST", "/api/session", "x-request-id: wrong\r\n", json!({"email": "canary-mail@example.org", "password": canary("password")})),
        ("POST", "/api/session", "", json!({"token": canary("link")})),
        ("POST", "/api/records/customers", "", json!({"name": canary("name"), "note": canary("note"), "email": "canary@example.org"})),
        ("POST", "/api/records/customers", "", json!({"name": canary("name"), "no_such": canary("value")})),
        ("GET", "/api/records/customers/canary-id", "", Js::Null),
        ("GET", "/api/records/canary-object", "", Js::Null),
        ("GET", "/canary-page", "", Js::Null),
        ("GET", "/api/session", "Authorization: Bearer canary-bearer\r\n", Js::Null),
        ("GET", "/api/search?q=canary-search", "User-Agent: canary-agent\r\nX-Forwarded-For: 203.0.113.77\r\nX-Request-Id: canary with blanks\r\n", Js::Null),
        ("GET", "/api/oidc/back?code=canary-code&state=canary-state", "", Js::Null),
        ("POST", "/api/me/tokens", "x-request-id: token\r\n", json!({"name": canary("token"), "days": 1})),
    ] {
        let (_, words) = ask(port, method, path, more, &if body.is_null() { String::new() } else { body.to_string() }).unwrap();
        assert!(words.contains("x-request-id: "), "{path}: {words}");
    }
    let (_, made) = ask(port, "POST", "/api/me/tokens", "", &json!({"name": "n", "days": 1}).to_string()).unwrap();
    let token = made.split("\"token\":\"").nth(1).unwrap().split('"').next().unwrap().to_string();
    assert_eq!(ask(port, "GET", "/api/metrics", &format!("Authorization: Bearer {token}\r\n"), "").unwrap().0, 200);
    assert!(Command::new("kill").args(["-INT", &own.child.id().to_string()]).status().unwrap().success());
    own.child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let lines = own.lines.lock().unwrap().clone();
    let parsed: Vec<Js> = lines.iter().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"))).collect();
    for (line, text) in parsed.iter().zip(&lines) {
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{text}");
        let low = text.to_lowercase();
        assert!(!low.contains("canary") && !low.contains("203.0.113.77") && !low.contains(&token), "{text}");
    }
    let of = |id: &str| parsed.iter().find(|l| l["span"]["id"] == id && l["message"] == "answered").unwrap_or_else(|| panic!("{id}: {lines:#?}"));
    let probe = of("probe-1");
    assert_eq!((&probe["method"], &probe["route"], &probe["status"], &probe["actor"]), (&json!("GET"), &json!("/api/records/{object}"), &json!(200), &json!("owner")));
    assert!(probe["ms"].as_f64().unwrap() > 0.0);
    assert_eq!(probe["span"]["trace"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!((&of("wrong")["problem"], &of("wrong")["status"]), (&json!("wrong-password"), &json!(401)));
    let answered = parsed.iter().filter(|l| l["message"] == "answered").count();
    assert!(answered >= 14, "{answered}");
    assert!(parsed.iter().any(|l| l["message"] == "serving") && parsed.iter().any(|l| l["message"] == "ended"));
}

#[test]
fn s13_a_log_that_nobody_reads_holds_nobody_up() {
    let own = own(1_024, Duration::ZERO);
    // Whoever reads the log waits for this.
    let unread = own.lines.lock().unwrap();
    let stream = TcpStream::connect(("127.0.0.1", own.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let (mut to, mut told) = (&stream, BufReader::new(&stream));
    let request = head(own.port, "GET", "/livez", &format!("x-request-id: {}\r\n", "x".repeat(60)));
    for n in 0..6_000 {
        to.write_all(request.as_bytes()).unwrap();
        let mut length = 0;
        let status = |line: &str| line.split(' ').nth(1).map(str::to_string);
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        assert_eq!(status(&line).as_deref(), Some("200"), "request {n}: {line}");
        while { line.clear(); told.read_line(&mut line).unwrap() > 2 } {
            length = line.to_ascii_lowercase().strip_prefix("content-length: ").map_or(length, |l| l.trim().parse().unwrap());
        }
        std::io::copy(&mut Read::by_ref(&mut told).take(length), &mut std::io::sink()).unwrap();
    }
    drop(stream);
    let (status, counts) = ask(own.port, "GET", "/metrics", "", "").unwrap();
    let lost: u64 = counts.lines().find_map(|l| l.strip_prefix("northing_log_lines_lost_total ")).unwrap().parse().unwrap();
    assert!(status == 200 && lost > 0, "{counts}");
    drop(unread);
}

#[test]
fn s13_counts_are_told_to_prometheus_and_to_who_may_change_settings() {
    let server = start();
    let cookie = server.sign_in();
    let terms = northing_store::TokenTerms { actor: "owner".into(), name: "prometheus".into(), read_only: true, now: NOW, expires_at: NOW + 1_000, rights: None };
    server.store.add_token("of the owner", terms, None).unwrap();
    let number = |text: &str, name: &str| -> f64 { text.lines().find(|l| l.starts_with(name)).unwrap_or_else(|| panic!("{name} is missing: {text}")).rsplit(' ').next().unwrap().parse().unwrap() };
    let list = "northing_request_seconds_count{method=\"GET\",route=\"/api/records/{object}\",status=\"200\"}";
    for _ in 0..3 {
        assert_eq!(server.send("GET", "/api/records/customers", &[("Cookie", &cookie)], None).status, 200);
    }
    // A browser that goes to the page of the same address gets the page, signed in or not.
    for headers in [&[("Accept", "text/html,*/*;q=0.8")][..], &[("Accept", "text/html"), ("Authorization", "Bearer of the owner")]] {
        let page = server.send("GET", "/metrics", headers, None);
        assert!(page.status == 200 && page.head.to_lowercase().contains("text/html") && !page.body.contains("northing_request"), "{}", page.head);
    }
    let told = server.send("GET", "/metrics", &[("Authorization", "Bearer of the owner")], None);
    assert!(told.status == 200 && told.head.contains("text/plain; version=0.0.4"), "{}", told.head);
    assert_eq!(number(&told.body, list), 3.0);
    assert_eq!(number(&told.body, "northing_request_seconds_bucket{method=\"GET\",route=\"/api/records/{object}\",status=\"200\",le=\"+Inf\"}"), 3.0);
    assert!(number(&told.body, "northing_connections ") >= 1.0 && number(&told.body, "northing_resident_memory_bytes") > 1e6 && number(&told.body, "northing_disk_free_bytes") > 0.0);
    assert_eq!(number(&told.body, "northing_store_seq"), server.store.seq() as f64);
    for name in ["northing_feed_lag", "northing_writes_waiting", "northing_errors_total", "northing_imports_running", "northing_bulk_changes_running"] {
        assert_eq!(number(&told.body, name), 0.0, "{name}");
    }
    // What people type becomes no route.
    for n in 0..50 {
        server.send("GET", &format!("/api/records/customers/{n}"), &[("Cookie", &cookie)], None);
        server.send("GET", &format!("/page-{n}"), &[], None);
    }
    let told = server.send("GET", "/metrics", &[("Authorization", "Bearer of the owner")], None).body;
    assert!(told.lines().filter(|l| l.starts_with("northing_request_seconds_count")).count() < 10, "{told}");
    for headers in [&[][..], &[("Authorization", "Bearer of nobody")]] {
        assert_eq!(server.send("GET", "/metrics", headers, None).status, 401);
    }
}
