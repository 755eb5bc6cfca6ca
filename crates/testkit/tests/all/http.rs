//! The server over a real socket: sign-in, rights, cross-site protection, problems, records, metrics, live events.

use northing_crm::Env;
use northing_server::Config;
use northing_store::Store;
use serde_json::{Value as Js, json};
use std::io::{Read, Write};
use std::net::TcpStream;

pub struct Server {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub port: u16,
}

pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Js {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A server in this process on a free port, with a sign-in token known to the test.
pub fn start() -> Server {
    start_with(|store, env| {
        northing_crm::workspace::ensure(store, env, &northing_model::Record::new()).unwrap();
        northing_crm::workspace::ensure_pipeline(store, env).unwrap();
    })
}

/// The clock of these servers.
pub const NOW: i64 = 1_710_000_000;

pub fn start_with(fill: impl FnOnce(&Store, &Env)) -> Server {
    start_where(fill, Env::new(|| NOW, uuid::Uuid::now_v7), |_| {})
}

pub fn start_where(fill: impl FnOnce(&Store, &Env), env: Env, set: impl FnOnce(&mut Config)) -> Server {
    start_in(tempfile::tempdir().unwrap(), fill, env, set)
}

pub fn start_in(folder: tempfile::TempDir, fill: impl FnOnce(&Store, &Env), env: Env, set: impl FnOnce(&mut Config)) -> Server {
    let server = start_at(folder, fill, env, set);
    server.store.add_sign_in("letmein", "owner", 1_710_000_000, 60).unwrap();
    server
}

/// The same on a folder that may hold a workspace; nobody can sign in yet.
pub fn start_at(folder: tempfile::TempDir, fill: impl FnOnce(&Store, &Env), env: Env, set: impl FnOnce(&mut Config)) -> Server {
    let store = Store::open(folder.path()).unwrap();
    fill(&store, &env);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = Config::new(format!("127.0.0.1:{port}").parse().unwrap());
    set(&mut config);
    let served = store.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(northing_server::serve(served, env, config)).unwrap();
    });
    // Two cores and some eighty tests: it may take a while until it is its turn.
    let there = (0..2_400).any(|_| TcpStream::connect(("127.0.0.1", port)).is_ok() || { std::thread::sleep(std::time::Duration::from_millis(25)); false });
    assert!(there, "the server does not begin");
    Server { folder, store, port }
}

impl Server {
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Js>) -> Reply {
        self.send_text(method, path, headers, &body.map(Js::to_string).unwrap_or_default())
    }
    pub fn send_text(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        self.send_bytes(method, path, headers, body.as_bytes())
    }
    pub fn send_bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let host = format!("localhost:{}", self.port);
        let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(k, _)| *k == "Host") {
            text.push_str(&format!("Host: {host}\r\n"));
        }
        for (k, v) in headers {
            text.push_str(&format!("{k}: {v}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { body.lines().filter(|l| !l.is_empty() && u32::from_str_radix(l, 16).is_err()).collect() } else { body.to_string() };
        Reply { status, head: head.to_string(), body }
    }
    pub fn sign_in(&self) -> String {
        let reply = self.ask_in(&json!({"token": "letmein"}));
        assert_eq!(reply.status, 200, "{}", reply.body);
        Self::cookie(&reply)
    }
    /// What long work has come to when it is over.
    pub fn settled(&self, path: &str, cookie: &str) -> Js {
        loop {
            let now = self.send("GET", path, &[("Cookie", cookie)], None).json();
            if !["running", "waiting", "undoing"].iter().any(|state| now["state"] == *state) {
                return now;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    /// What comes on a connection that stays open, as it comes.
    pub fn stream(&self, path: &str, headers: &[(&str, &str)]) -> std::sync::Arc<std::sync::Mutex<String>> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let more: String = headers.iter().map(|(k, v)| format!("{k}: {v}\r\n")).collect();
        connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\n{more}\r\n", self.port).as_bytes()).unwrap();
        let text = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let told = text.clone();
        std::thread::spawn(move || {
            let mut part = [0u8; 4096];
            while let Ok(n) = connection.read(&mut part) {
                if n == 0 {
                    break;
                }
                told.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..n]));
            }
        });
        text
    }
    pub fn ask_in(&self, body: &Js) -> Reply {
        self.send("POST", "/api/session", &[("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(body))
    }
    /// The session that a reply opens.
    pub fn cookie(reply: &Reply) -> String {
        let cookie = reply.head.lines().find(|l| l.to_ascii_lowercase().starts_with("set-cookie:")).unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
        cookie.split(' ').nth(1).unwrap().trim_end_matches(';').to_string()
    }
}

#[test]
fn the_api_from_sign_in_to_a_changed_number() {
    let server = start();
    let same = ("Sec-Fetch-Site", "same-origin");
    let kind = ("Content-Type", "application/json");

    // Nothing private without a session; every route of the document says so.
    let document = server.send("GET", "/api/openapi.json", &[], None).json();
    assert_eq!(document["openapi"], "3.1.0");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let open = matches!(path.as_str(), "/livez" | "/readyz" | "/api/ways" | "/api/oidc/begin" | "/api/oidc/back") || (path == "/api/session" && method == "post");
            let path = path.replace("{id}", "0190a000-0000-7000-8000-000000000000");
            let reply = server.send(&method.to_uppercase(), &path, &[same, kind], Some(&json!({})));
            assert_eq!(reply.status == 401, !open, "{method} {path}: {}", reply.status);
        }
    }
    assert_eq!(server.send("GET", "/api/setup", &[], None).status, 404);
    let foreign = server.send("GET", "/livez", &[("Host", "evil.example")], None);
    assert_eq!(foreign.status, 403, "a name rebound to this address was answered");

    let cookie = server.sign_in();
    let used = server.send("POST", "/api/session", &[same, kind], Some(&json!({"token": "letmein"})));
    assert_eq!(used.status, 401, "a sign-in link worked twice");
    let me = ("Cookie", cookie.as_str());

    // Cross-site requests and simple forms are refused.
    let create = json!({"name": "Acme", "segment": "big"});
    for headers in [vec![me, kind], vec![me, kind, ("Sec-Fetch-Site", "cross-site")], vec![me, kind, ("Origin", "https://evil.example")]] {
        assert_eq!(server.send("POST", "/api/records/customers", &headers, Some(&create)).status, 403);
    }
    assert_eq!(server.send("POST", "/api/records/customers", &[me, same, ("Content-Type", "text/plain")], Some(&create)).status, 415);

    // Create, retry with the same key, change with the right and a wrong version.
    let key = ("Idempotency-Key", "k1");
    let first = server.send("POST", "/api/records/customers", &[me, same, kind, key], Some(&create));
    assert_eq!(first.status, 201, "{}", first.body);
    let id = first.json()["id"].as_str().unwrap().to_string();
    assert_eq!(server.send("POST", "/api/records/customers", &[me, same, kind, key], Some(&create)).json()["id"], id.as_str());
    assert_eq!(server.send("POST", "/api/records/customers", &[me, same, kind, key], Some(&json!({"name": "Other"}))).status, 422);
    let path = format!("/api/records/customers/{id}");
    assert_eq!(server.send("PATCH", &path, &[me, same, kind, ("If-Match", "\"1\"")], Some(&json!({"segment": "small"}))).status, 200);
    assert_eq!(server.send("PATCH", &path, &[me, same, kind, ("If-Match", "\"1\"")], Some(&json!({"segment": "tiny"}))).status, 412);
    // Fields that are Northing's own, or that nobody knows, are refused.
    for body in [json!({"realised_value": {"amount": "5", "currency": "EUR"}}), json!({"merged_into": null}), json!({"role": "owner"}), json!({"email": "x"})] {
        let reply = server.send("PATCH", &path, &[me, same, kind], Some(&body));
        assert_eq!(reply.status, 422, "{body}");
        assert!(reply.json()["field"].is_string() && reply.head.contains("application/problem+json"));
    }

    // An order makes revenue, and a reader who waits for its seq sees it.
    let order = json!({"number": "1", "customer": id, "confirmed_at": "2024-03-05T10:00:00Z", "net": {"amount": "125.50", "currency": "EUR"}});
    let seq = server.send("POST", "/api/records/orders", &[me, same, kind], Some(&order)).json()["seq"].as_u64().unwrap();
    let ask = format!("/api/ask?metrics=revenue,new_customers,customer_churn_rate&from=2024-03-01&to=2024-04-01&grain=month&compare=previous&after={seq}");
    let answer = server.send("GET", &ask, &[me], None).json();
    assert_eq!(answer["metrics"][0]["total"]["value"], 125.5);
    assert_eq!(answer["metrics"][1]["total"]["value"], 1.0);
    assert!(answer["metrics"][2]["total"]["value"].is_null() && answer["metrics"][2]["total"]["reason"] == "no_data");
    for key in ["seq", "as_of", "zone", "calendar", "metrics"] {
        assert!(!answer[key].is_null(), "{key}");
    }
    for key in ["start", "end", "by", "value", "numerator", "denominator", "n", "excluded", "complete", "mature", "reason"] {
        assert!(answer["metrics"][0]["buckets"][0].as_object().unwrap().contains_key(key), "{key}");
    }
    let drill = server.send("GET", "/api/metrics/revenue/drill?from=2024-03-01&to=2024-04-01", &[me], None).json();
    assert_eq!((drill["sum"].as_f64(), drill["rows"][0]["object"].as_str()), (Some(125.5), Some("order")));
    let list = server.send("GET", "/api/records/customers?filter=segment%3D'small'&sort=-realised_value", &[me], None).json();
    assert_eq!((list["total"].as_u64(), list["items"][0]["fields"]["realised_value"]["amount"].as_str()), (Some(1), Some("125.50")));
    let history = server.send("GET", &format!("{path}/history"), &[me], None).json();
    assert_eq!(history["entries"][0]["changed"]["segment"]["to"], "small");

    // Errors say what to do.
    for (path, status, words) in [
        ("/api/ask?metrics=revenu&from=2024-01-01&to=2024-02-01", 404, "no metric"),
        ("/api/ask?metrics=revenue&from=2024-01-01&to=2024-01-01", 422, "empty"),
        ("/api/ask?metrics=revenue&from=1.2.24&to=2024-01-01", 400, "2024-05-31"),
        ("/api/ask?metrics=customer_acquisition_cost&from=2024-01-01&to=2024-02-01&by=stage", 422, "cannot be cut"),
        ("/api/ask?metrics=revenue&from=2024-01-01&to=2024-02-01&nonsense=1", 400, "nonsense"),
        ("/api/records/customers?filter=secret%3D1", 422, "no field"),
        ("/api/records/nothing", 404, "no object"),
    ] {
        let reply = server.send("GET", path, &[me], None);
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert!(reply.body.contains(words), "{path}: {}", reply.body);
    }

    // Deleting takes it back; signing out ends the session.
    let order_id = server.send("GET", "/api/records/orders", &[me], None).json()["items"][0]["id"].as_str().unwrap().to_string();
    let gone = server.send("DELETE", &format!("/api/records/orders/{order_id}"), &[me, same], None).json()["seq"].as_u64().unwrap();
    let after = server.send("GET", &format!("/api/ask?metrics=revenue&from=2024-03-01&to=2024-04-01&after={gone}"), &[me], None).json();
    assert_eq!(after["metrics"][0]["total"]["value"], 0.0);
    assert_eq!(server.send("DELETE", "/api/session", &[me, same], None).status, 204);
    assert_eq!(server.send("GET", "/api/session", &[me], None).status, 401);
    assert_eq!(server.store.integrity().unwrap(), "ok");
}

#[test]
fn two_starts_share_no_secret_and_nothing_listens_in_the_open() {
    // What opens one opens no other, and nothing that either made by itself is alike (row 8).
    let servers = [start(), start()];
    let cookies = [servers[0].sign_in(), servers[1].sign_in()];
    let session = |server: usize, cookie: usize| servers[server].send("GET", "/api/session", &[("Cookie", &cookies[cookie])], None).status;
    assert_eq!([session(0, 0), session(1, 1), session(0, 1), session(1, 0)], [200, 200, 401, 401]);
    let secrets = |server: &Server| -> Vec<String> {
        let db = rusqlite::Connection::open(server.folder.path().join("northing.db")).unwrap();
        let mut found = db.prepare("select token_hash from sign_in union all select token_hash from session").unwrap();
        found.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (one, other) = (secrets(&servers[0]), secrets(&servers[1]));
    assert!(one.len() >= 2 && one.iter().all(|secret| !other.contains(secret)), "{one:?} {other:?}");
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let env = Env::fixed(0, 1);
    let open = Config::new("0.0.0.0:0".parse().unwrap());
    let refused = runtime.block_on(northing_server::serve(store.clone(), env.clone(), open)).unwrap_err();
    assert!(refused.to_string().contains("TLS"));
    let plain = Config { public_url: Some("http://crm.example.org".into()), ..Config::new("127.0.0.1:0".parse().unwrap()) };
    assert!(runtime.block_on(northing_server::serve(store, env, plain)).unwrap_err().to_string().contains("https"));
}

/// A list as a file: all that meets the filter, nothing that a spreadsheet would run; a wrong filter is an answer.
/// A lead becomes a customer with a deal in one step; what fails leaves nothing; a deletion is taken back.
#[test]
fn several_changes_are_one() {
    let server = start();
    let cookie = server.sign_in();
    let send = |body: Js| server.send("POST", "/api/changes", &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let stage = server.send("GET", "/api/records/stages?limit=1", &[("Cookie", &cookie)], None).json()["items"][0]["id"].clone();
    let lead = send(json!({"changes": [{"op": "create", "object": "leads", "id": "new:lead", "fields": {"name": "Ada", "email": "ada@example.org"}}]})).json()["new"]["new:lead"].clone();
    let convert = |stage: &Js| json!({"changes": [
        {"op": "create", "object": "customers", "id": "new:customer", "fields": {"name": "Ada"}},
        {"op": "create", "object": "deals", "fields": {"name": "First", "customer": "new:customer", "lead": lead, "stage": stage}},
        {"op": "update", "object": "leads", "id": lead, "fields": {"customer": "new:customer", "status": "converted"}},
    ]});
    let seq = server.store.seq();
    let refused = send(convert(&json!("0190a000-0000-7000-8000-000000000000")));
    assert!(refused.status == 422 && server.store.seq() == seq, "half was done: {}", refused.body);
    let done = send(convert(&stage));
    assert_eq!(done.status, 200, "{}", done.body);
    let customer = done.json()["new"]["new:customer"].as_str().unwrap().to_string();
    let read = |path: &str| server.send("GET", path, &[("Cookie", &cookie)], None);
    assert_eq!(read(&format!("/api/records/leads/{}", lead.as_str().unwrap())).json()["fields"]["customer"], json!(customer));
    assert_eq!(send(json!({"changes": [{"op": "delete", "object": "customers", "id": customer}]})).status, 200);
    assert_eq!(read(&format!("/api/records/customers/{customer}")).status, 404);
    assert_eq!(send(json!({"changes": [{"op": "restore", "object": "customers", "id": customer}]})).status, 200);
    assert_eq!(read(&format!("/api/records/customers/{customer}")).status, 200);
}

/// The settings of a workspace are one record: nobody makes another or deletes it, the owner neither.
#[test]
fn there_is_one_workspace() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: Js| server.send(method, path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body)).status;
    let (id, _, _) = server.store.workspace().unwrap().unwrap();
    assert_eq!(tell("POST", "/api/records/workspaces", json!({"name": "Second", "currency": "EUR", "zone": "UTC"})), 403);
    assert_eq!(tell("DELETE", &format!("/api/records/workspaces/{id}"), json!({})), 403);
    assert_eq!(tell("POST", "/api/changes", json!({"changes": [{"op": "delete", "object": "workspaces", "id": id}]})), 403);
    assert_eq!(tell("POST", "/api/bulk", json!({"object": "workspaces", "op": "delete"})), 403);
    assert_eq!(tell("PATCH", &format!("/api/records/workspaces/{id}"), json!({"name": "First"})), 200);
}

/// What is wrong is said in the reader's language; a program that names none is told in English.
#[test]
fn what_is_wrong_is_said_in_the_readers_language() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |language: &str, method: &str, path: &str, body: Js| {
        let mut headers = vec![("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
        headers.extend((!language.is_empty()).then_some(("Accept-Language", language)));
        server.send(method, path, &headers, Some(&body)).json()
    };
    let wrong = |language: &str, body: Js| tell(language, "POST", "/api/records/customers", body)["detail"].as_str().unwrap().to_string();
    let mail = json!({"name": "A", "email": "a b"});
    assert_eq!(wrong("", mail.clone()), "email: 'a b' is not an e-mail address");
    assert_eq!(wrong("de-DE,de;q=0.9", mail.clone()), "email: 'a b' is not an e-mail address");
    assert_eq!(wrong("en", mail.clone()), "E-mail: 'a b' is not an e-mail address");
    assert_eq!(wrong("pl-PL,pl;q=0.9,en;q=0.8", mail.clone()), "E-mail: „a b” nie jest adresem e-mail");
    for (language, said) in [("ru", "не адрес"), ("zh-CN", "不是电子邮箱地址"), ("hu", "nem e-mail-cím"), ("fa", "نشانی ایمیل نیست")] {
        assert!(wrong(language, mail.clone()).contains(said), "{language}: {}", wrong(language, mail.clone()));
    }
    assert_eq!(wrong("hu", json!({})), "Név: értéket kell megadni");
    assert_eq!(wrong("ru", json!({"name": "x".repeat(501)})), "Название: длиннее 500 символов");
    let gone = tell("pl", "GET", "/api/records/customers/0190a000-0000-7000-8000-000000000000", json!({}));
    assert_eq!((&gone["status"], gone["detail"].as_str().unwrap()), (&json!(404), "nie ma takiego rekordu (klient); mógł zostać usunięty"));
    // The reasons for rows of a list, too.
    let file = tell("pl", "POST", "/api/imports", json!({"name": "a.csv", "text": "Name,E-mail\nAda,ada at example\n"}));
    let tried = tell("pl", "POST", &format!("/api/imports/{}/check", file["id"].as_str().unwrap()), json!({"mapping": file["mapping"]}));
    assert_eq!(tried["rejects"][0]["reason"], "„ada at example” nie jest adresem e-mail", "{tried}");
    // What people typed is not read as words of ours, and stays text.
    assert_eq!(wrong("pl", json!({"name": "A", "email": "{object} <b>"})), "E-mail: „{object} <b>” nie jest adresem e-mail");
}

/// Wherever somebody is to be sent after something, nobody is sent to another place (row 22).
#[test]
fn nobody_is_sent_elsewhere() {
    let server = start();
    let places = ["https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "http:evil.example", "https:/evil.example", "/%2f/evil.example", "/%5cevil.example", "%2f%2fevil.example", "javascript:alert(1)", "data:text/html,evil.example", "/..//evil.example", "/.//evil.example", "@evil.example", "/x@evil.example", "/%09/evil.example", "/%0d%0aLocation:%20https://evil.example", "https://localhost@evil.example", "https://localhost.evil.example", "\u{ff0f}\u{ff0f}evil.example"];
    let names = ["next", "return_to", "redirect", "redirect_uri", "url", "to", "continue", "state"];
    let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let asked = places.iter().flat_map(|place| names.iter().flat_map(move |name| ["/", "/sign-in", "/api/session", "/api/oidc/begin", "/api/oidc/back"].map(|at| format!("{at}?{name}={}", encode(place)))));
    let paths = places.iter().filter(|p| p.is_ascii() && !p.contains(' ')).map(|p| format!("/{}", p.trim_start_matches('/')));
    let doubled = ["//evil.example", "//evil.example/%2e%2e", "///evil.example"].map(String::from);
    let (mut answers, mut sent) = (0, Vec::new());
    for path in asked.chain(paths).chain(doubled) {
        let reply = server.send("GET", &path, &[], None);
        answers += 1;
        sent.extend(reply.head.lines().filter(|l| l.to_ascii_lowercase().starts_with("location:") || l.to_ascii_lowercase().starts_with("refresh:")).map(|l| format!("{path}: {l}")));
        assert!(reply.status < 500 && !(300..400).contains(&reply.status), "{path}: {}", reply.head);
    }
    assert!(answers > 800 && sent.is_empty(), "{sent:?}");
}

/// Filters, sorts, dimensions and names that mean harm: each is an answer or a refusal, none an error of ours, and the
/// data is what it was (SECURITY.md §3, row 5).
#[test]
fn hostile_texts_are_texts() {
    let server = start();
    let cookie = server.sign_in();
    for name in ["a", "b' or '1'='1"] {
        assert_eq!(server.send("POST", "/api/records/customers", &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&json!({"name": name}))).status, 201);
    }
    let seq = server.store.seq();
    let parts = ["name", "'", "\"", "`", ";", "--", "/*", "*/", "or 1=1", "union select * from session", "drop table customer", "(select password from credential)", "\\", "%00", "\u{0}", "{{7*7}}", "${x}", "<script>", "../../etc/passwd", "pragma query_only=0", "attach 'x' as y", "load_extension('x')", "COPY t TO 'x'", "case when 1 then 1 end", "exists(select 1)", "name in (select id from user)", "= 'a'", " and ", "not ", "(", ")", "9999999999999999999999", "nan", "\u{202e}", "😀"];
    let mut chance = northing_crm::demo::Chance::new(7);
    let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let mut statuses = std::collections::BTreeMap::new();
    for n in 0..1_500u32 {
        let text: String = (0..chance.between(1, 5)).map(|_| *chance.pick(&parts)).collect();
        let path = match n % 6 {
            0 | 1 => format!("/api/records/customers?filter={}", encode(&text)),
            2 => format!("/api/records/customers?sort={}", encode(&text)),
            3 => format!("/api/ask?metrics=new_customers&from=2024-01-01&to=2025-01-01&by={}", encode(&text)),
            4 => format!("/api/ask?metrics=new_customers&from=2024-01-01&to=2025-01-01&where={}", encode(&text)),
            _ => format!("/api/search?q={}", encode(&text)),
        };
        let reply = server.send("GET", &path, &[("Cookie", &cookie)], None);
        assert!(matches!(reply.status, 200 | 400 | 422), "{text:?} at {path}: {} {}", reply.status, reply.body);
        *statuses.entry(reply.status).or_insert(0) += 1;
    }
    assert!(statuses[&200] > 0 && statuses[&422] > 0 && server.store.seq() == seq && server.store.integrity().unwrap() == "ok", "{statuses:?}");
    assert_eq!(server.store.count("customer").unwrap(), 2);
}

#[test]
fn a_list_is_exported_without_formulas() {
    let server = start();
    let cookie = server.sign_in();
    let all = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    for (name, segment) in [("=cmd|' /C calc'!A0", "big"), ("Anna \"A\", Ltd", "big"), ("-2+3", "big"), ("Other", "small")] {
        assert_eq!(server.send("POST", "/api/records/customers", &all, Some(&json!({"name": name, "segment": segment, "lost_at": "2024-03-01T10:00:00Z"}))).status, 201);
    }
    let file = server.send("GET", "/api/records/customers/export?filter=segment%20%3D%20'big'&sort=name&lang=fa", &all, None);
    assert_eq!(file.status, 200, "{}", file.body);
    let head = file.head.to_ascii_lowercase();
    assert!(head.contains("text/csv; charset=utf-8") && head.contains("attachment; filename=\"customers.csv\""), "{head}");
    assert!(file.body.starts_with('\u{feff}') && file.body.contains("نام"), "{}", &file.body[..200]);
    for cell in [",'=cmd|' /C calc'!A0,", ",\"Anna \"\"A\"\", Ltd\",", ",'-2+3,", ",2024-03-01T10:00:00Z,"] {
        assert!(file.body.contains(cell), "{cell} is not in {}", file.body);
    }
    assert!(!file.body.contains("Other"));
    assert_eq!(server.send("GET", "/api/records/customers/export?filter=nam%20%3D%20'x'", &all, None).status, 422);
    // What happens within the second of the question has happened.
    server.send("POST", "/api/records/orders", &all, Some(&json!({"number": "1", "status": "confirmed", "confirmed_at": "2024-03-09T16:00:00Z", "net": "5.00"})));
    let answer = server.send("GET", "/api/ask?metrics=revenue&from=2024-03-01&to=2024-04-01", &all, None).json();
    assert_eq!(answer["metrics"][0]["total"]["value"], 5.0, "{answer}");
}

/// Whoever has declared something finds it with the next request, however the commit falls in time.
#[test]
fn what_is_declared_is_there_with_the_answer() {
    let server = start();
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let edition = || server.send("GET", "/api/session", &signed, None).json()["model"].as_str().unwrap().to_string();
    let mut last = edition();
    for n in 0..25 {
        // Commits fall into every part of the half second in which other writers are looked for.
        std::thread::sleep(std::time::Duration::from_millis(n * 23 % 130));
        let body = format!("[x_own_{n}]\nname = \"Own {n}\"\nkind = \"flow\"\nunit = \"count\"\ngood = \"up\"\ngroup = \"own\"\nnum = [{{ from = \"order\", time = \"confirmed_at\" }}]\n");
        let made = server.send("POST", "/api/records/definitions", &signed, Some(&json!({"kind": "metric", "name": format!("own {n}"), "body": body})));
        assert_eq!(made.status, 201, "{}", made.body);
        assert_eq!(server.send("GET", &format!("/api/metrics/x_own_{n}"), &signed, None).status, 200, "metric {n} is not there");
        let now = edition();
        assert_ne!(now, last, "the session tells of no new edition after metric {n}");
        last = now;
    }
}

/// A rule that could never hold, or says nothing, is refused with what to write instead.
#[test]
fn a_scoring_rule_is_a_condition_on_leads() {
    let server = start();
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    let make = |condition: &str| server.send("POST", "/api/records/score_rules", &signed, Some(&json!({"name": "R", "points": 10, "condition": condition})));
    for wrong in ["source", "source = ", "nothing = 'x'", "customer.name = 'x'", "1 + 1", "source = 'a'; drop table lead", "points = 'x'", "points > 5", "converted_at is not null"] {
        let refused = make(wrong);
        assert!(refused.status == 422 && refused.body.contains("condition"), "{wrong}: {}", refused.body);
    }
    let lead = server.send("POST", "/api/records/leads", &signed, Some(&json!({"name": "L", "source": "Referral"}))).json();
    assert_eq!(make("source = 'Referral'").status, 201);
    let points = || server.send("GET", &format!("/api/records/leads?after={}", server.store.seq()), &signed, None).json()["items"].as_array().unwrap().iter().find(|i| i["id"] == lead["id"]).unwrap()["fields"]["points"].clone();
    assert_eq!(points(), 10, "leads that were there before have the points of a new rule");
}
