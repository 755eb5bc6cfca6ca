//! Passwords, codes, sessions and tokens over a real socket (SECURITY.md §3, rows 17 to 21).

use crate::http::{NOW, Server, start_where};
use northing_crm::Env;
use northing_model::{Record, Value};
use northing_server::Config;
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");
pub const GOOD: &str = "orange tiles on the quay";

fn server() -> Server {
    server_where(Env::new(|| NOW, uuid::Uuid::now_v7), |_| {})
}

pub fn server_where(env: Env, set: impl FnOnce(&mut Config)) -> Server {
    let fill = |store: &Store, env: &Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
        northing_crm::workspace::ensure_roles(store, env).unwrap();
        let mut role = None;
        let name = store.model().object("access_role").unwrap().field("name").unwrap().clone();
        store.scan("access_role", &[&name], |id, _, v| if v[0].as_text() == Some("Manager") { role = Some(id) }).unwrap();
        let text = |t: &str| Value::Text(t.into());
        for who in ["wanda", "otto"] {
            let fields = Record::from([("name".into(), text(who)), ("email".into(), text(&format!("{who}@example.org"))), ("access".into(), Value::Ref(role.unwrap()))]);
            store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("user", id_of(who), fields)], key: None }).unwrap();
        }
    };
    let server = start_where(fill, env, set);
    server.store.add_sign_in("owner-link", "owner", NOW, 60).unwrap();
    server
}

impl Server {
    pub fn as_them(&self, cookie: &str, method: &str, path: &str, body: &Js) -> crate::http::Reply {
        self.send(method, path, &[("Cookie", cookie), SAME, KIND], Some(body))
    }
    pub fn with_password(&self, email: &str, password: &str) -> crate::http::Reply {
        self.ask_in(&json!({"email": email, "password": password}))
    }
}

#[test]
fn from_an_invitation_to_a_password() {
    let server = server();
    let owner = Server::cookie(&server.ask_in(&json!({"token": "owner-link"})));
    let invited = server.as_them(&owner, "POST", "/api/invitations", &json!({"user": id_of("wanda")}));
    assert_eq!(invited.status, 200, "{}", invited.body);
    let link = invited.json()["link"].as_str().unwrap().to_string();
    assert!(link.starts_with("http://localhost:"), "the link names the server's own address: {link}");
    let token = link.split('#').nth(1).unwrap();
    assert!(!link.split('#').next().unwrap().contains(token), "the token never stands where a server logs it");
    let first = server.ask_in(&json!({"token": token}));
    let cookie = Server::cookie(&first);
    assert_eq!(server.ask_in(&json!({"token": token})).status, 401, "the link worked twice");

    // A weak one is refused with the reason; a good one is set and ends every other session.
    for (password, why) in [("short", "password-short"), ("password1234", "password-common"), ("wanda@example.org", "password-common")] {
        let refused = server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": password}));
        assert!(refused.status == 422 && refused.body.contains(why), "{password}: {}", refused.body);
    }
    server.store.add_sign_in("again", &id_of("wanda").to_string(), NOW, 60).unwrap();
    let elsewhere = Server::cookie(&server.ask_in(&json!({"token": "again"})));
    let stream = server.stream("/api/events", &[("Cookie", &elsewhere)]);
    let until = |what: &str| (0..2_400).any(|_| { std::thread::sleep(std::time::Duration::from_millis(25)); stream.lock().unwrap().contains(what) });
    assert!(until("event: seq"), "the stream does not begin");
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD})).status, 204);
    assert_eq!(server.as_them(&elsewhere, "GET", "/api/session", &json!({})).status, 401, "another session outlived the new password");
    assert!(until("\r\n0\r\n"), "what another session listens to outlived the new password");
    assert_eq!(server.as_them(&cookie, "GET", "/api/session", &json!({})).status, 200);

    // The session is a new one each time, and is not the client's to choose.
    let chosen = server.send("POST", "/api/session", &[SAME, KIND, ("Cookie", "sid=mine")], Some(&json!({"email": "wanda@example.org", "password": GOOD})));
    let second = Server::cookie(&chosen);
    assert!(chosen.status == 200 && second != cookie && !second.contains("mine"));
    let seen = server.as_them(&second, "GET", "/api/me/sessions", &json!({})).json();
    assert_eq!(seen["sessions"].as_array().unwrap().len(), 2);
    assert!(seen["sessions"].as_array().unwrap().iter().any(|s| s["id"] == seen["this"]), "which of them is this one is not told: {seen}");
    let first_id = seen["sessions"].as_array().unwrap().iter().find(|s| s["id"] != seen["this"]).unwrap()["id"].as_str().unwrap().to_string();
    assert_eq!(server.as_them(&second, "DELETE", &format!("/api/me/sessions/{first_id}"), &json!({})).status, 204);
    assert_eq!(server.as_them(&cookie, "GET", "/api/session", &json!({})).status, 401);

    // Who lost the password gets a link for ten minutes, of which there is one at a time; somebody new has a week.
    let link = |user: &str| server.as_them(&owner, "POST", "/api/invitations", &json!({"user": id_of(user)})).json();
    let (lost, later, new) = (link("wanda"), link("wanda"), link("otto"));
    let ends = |link: &Js| link["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!((ends(&later), ends(&new)), (NOW + 600, NOW + 7 * 86_400));
    let opened = |link: &Js| server.ask_in(&json!({"token": link["link"].as_str().unwrap().split('#').nth(1)})).status;
    assert_eq!((opened(&lost), opened(&later)), (401, 200));

    // Without the old password no new one, from a session that a password opened.
    assert_eq!(server.as_them(&second, "PUT", "/api/me/password", &json!({"password": "green shutters by the mill"})).status, 422);
    assert_eq!(server.as_them(&second, "PUT", "/api/me/password", &json!({"password": "green shutters by the mill", "current": GOOD})).status, 204);

    // Whoever loses the role is out with the next request.
    let change = Change::update("user", id_of("wanda"), Record::from([("access".into(), Value::Null)]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    assert_eq!(server.as_them(&second, "GET", "/api/records/deals", &json!({})).status, 401);
    assert_eq!(server.with_password("wanda@example.org", "green shutters by the mill").status, 401);
}

#[test]
fn nobody_learns_who_exists_and_guessing_is_slow() {
    let server = server();
    server.store.set_password(&id_of("wanda").to_string(), "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let (there, absent) = (server.with_password("wanda@example.org", "x"), server.with_password("nobody@example.org", "x"));
    assert_eq!((there.status, &there.body), (absent.status, &absent.body));
    // The clock of this server stands still: after five tries every further one has to wait.
    let answers: Vec<u16> = (0..30).map(|_| server.with_password("wanda@example.org", "y").status).collect();
    assert!(answers.iter().filter(|s| **s == 401).count() <= 20 && answers.ends_with(&[429]), "{answers:?}");
    // Others are not held up by it.
    assert_eq!(server.with_password("otto@example.org", "y").status, 401);
    // No address of another host gets into a link.
    let owner = Server::cookie(&server.ask_in(&json!({"token": "owner-link"})));
    for forged in [
        ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Host", "evil.example, localhost"), ("X-Forwarded-Host", "evil.example:443"), ("Forwarded", "host=evil.example"), ("Forwarded", "for=1.1.1.1;host=evil.example;proto=https"),
        ("X-Original-URL", "//evil.example"), ("X-Rewrite-URL", "//evil.example"), ("X-Original-Host", "evil.example"), ("X-Host", "evil.example"), ("X-HTTP-Host-Override", "evil.example"), ("X-Forwarded-Server", "evil.example"),
        ("X-Forwarded-Proto", "evil.example"), ("X-Forwarded-Scheme", "evil.example"), ("X-Forwarded-Port", "evil.example"), ("X-Forwarded-Prefix", "//evil.example"), ("X-Real-Host", "evil.example"), ("X-Backend-Host", "evil.example"),
        ("Base-Url", "http://evil.example"), ("X-Forwarded-For", "evil.example"), ("Via", "evil.example"), ("Referer", "http://evil.example/"),
    ] {
        let reply = server.send("POST", "/api/invitations", &[("Cookie", owner.as_str()), SAME, KIND, forged], Some(&json!({"user": id_of("otto")})));
        assert!(reply.status == 200 && !reply.body.contains("evil"), "{forged:?}: {}", reply.body);
    }
    for host in ["evil.example", "localhost.evil.example", "evil.example:80", "localhost@evil.example", "", "localhost evil.example"] {
        let forged = server.send("POST", "/api/invitations", &[("Cookie", owner.as_str()), SAME, KIND, ("Host", host)], Some(&json!({"user": id_of("otto")})));
        assert!(forged.status >= 400 && !forged.body.contains("sign-in#"), "{host}: {}", forged.body);
    }
}

/// Thousands of tries at once: at most twenty are looked at, of one account or of many, whatever they say that they come
/// from; somebody at another place is not held up (row 18).
#[test]
fn a_flood_of_guesses_is_not_looked_at() {
    let server = server_where(Env::new(|| NOW, uuid::Uuid::now_v7), |config| config.public_url = Some("https://crm.example.org".into()));
    let from = |forwarded: &str, email: &str, password: &str| {
        let headers = [("Host", "crm.example.org"), SAME, KIND, ("X-Forwarded-For", forwarded)];
        server.send("POST", "/api/session", &headers, Some(&json!({"email": email, "password": password}))).status
    };
    let flood = |tries: usize, of: &(dyn Fn(usize) -> (String, String) + Sync)| {
        let counts = std::thread::scope(|scope| {
            let running: Vec<_> = (0..8).map(|part| scope.spawn(move || {
                let mut looked = 0;
                for n in (0..tries).filter(|n| n % 8 == part) {
                    let (forwarded, email) = of(n);
                    let status = from(&forwarded, &email, "guess");
                    assert!(status == 401 || status == 429, "{status}");
                    looked += usize::from(status == 401);
                }
                looked
            })).collect();
            running.into_iter().map(|r| r.join().unwrap()).sum::<usize>()
        });
        assert!((1..=20).contains(&counts), "{counts} tries were looked at");
    };
    // The proxy adds where it has a request from; what stands before that, the guesser wrote.
    flood(10_000, &|n| (format!("10.0.0.{}, 9.9.9.9", n % 250), "wanda@example.org".into()));
    flood(2_000, &|n| ("8.8.8.8".into(), format!("somebody{n}@example.org")));
    flood(2_000, &|n| (format!("2001:db8:1:2:{:x}::1", n), format!("somebody{}@example.org", n % 9)));
    server.store.add_sign_in("wanda-link", &id_of("wanda").to_string(), NOW, 60).unwrap();
    let hosted = [("Host", "crm.example.org"), SAME, KIND];
    let cookie = Server::cookie(&server.send("POST", "/api/session", &hosted, Some(&json!({"token": "wanda-link"}))));
    assert_eq!(server.send("PUT", "/api/me/password", &[&hosted[..], &[("Cookie", &cookie)]].concat(), Some(&json!({"password": GOOD}))).status, 204);
    assert_eq!((from("7.7.7.7", "wanda@example.org", GOOD), from("9.9.9.9", "wanda@example.org", GOOD)), (200, 429));
}

/// A wrong password takes as long for somebody who exists as for nobody (row 19): medians of 200 tries each, taken in
/// turns, within a twentieth. A busy machine may spoil one round of it; a difference in what is done spoils all.
#[test]
fn the_time_of_an_answer_tells_nobody_who_exists() {
    let clock = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let ticking = clock.clone();
    // Every look at it is an hour later, so that nobody has to wait.
    let server = server_where(Env::new(move || ticking.fetch_add(3_600, std::sync::atomic::Ordering::Relaxed), uuid::Uuid::now_v7), |_| {});
    server.store.set_password(&id_of("wanda").to_string(), "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
    let timed = |email: &str| {
        let begun = std::time::Instant::now();
        let reply = server.with_password(email, "not the password");
        assert_eq!(reply.status, 401, "{}", reply.body);
        begun.elapsed()
    };
    let mut ratios = Vec::new();
    while ratios.len() < 3 {
        let (mut there, mut absent): (Vec<_>, Vec<_>) = (0..200).map(|_| (timed("wanda@example.org"), timed("nobody@example.org"))).unzip();
        there.sort_unstable();
        absent.sort_unstable();
        ratios.push(there[100].as_secs_f64() / absent[100].as_secs_f64());
        if ratios.last().is_some_and(|r| (r - 1.0).abs() < 0.05) {
            println!("median of those who exist to that of nobody: {ratios:?}");
            return;
        }
    }
    panic!("the time tells who exists: {ratios:?}");
}

/// Whoever gets hold of the files gets no key: what opens a door is nowhere in them as it is.
#[test]
fn what_opens_a_door_is_not_on_the_disk() {
    let server = server();
    server.store.add_sign_in("otto-link-that-is-a-secret", &id_of("otto").to_string(), NOW, 60).unwrap();
    let cookie = Server::cookie(&server.ask_in(&json!({"token": "otto-link-that-is-a-secret"})));
    server.store.add_sign_in("a-link-that-waits", &id_of("otto").to_string(), NOW, 60).unwrap();
    let made = server.as_them(&cookie, "POST", "/api/me/tokens", &json!({"name": "Sync", "days": 30})).json();
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD})).status, 204);
    let token = made["token"].as_str().unwrap();
    let session = cookie.split('=').nth(1).unwrap();
    assert!(token.len() > 40 && session.len() > 40);
    for file in ["northing.db", "northing.db-wal"] {
        let bytes = std::fs::read(server.folder.path().join(file)).unwrap();
        for secret in [token, &token[3..], session, "otto-link-that-is-a-secret", "a-link-that-waits", GOOD] {
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{secret} stands in {file}");
        }
        assert!(file != "northing.db-wal" || bytes.windows(4).any(|w| w == b"Sync"), "the name of the token should be there: the wrong file was read");
    }
}

#[test]
fn codes_and_tokens() {
    let server = server();
    server.store.add_sign_in("otto-link", &id_of("otto").to_string(), NOW, 60).unwrap();
    let cookie = Server::cookie(&server.ask_in(&json!({"token": "otto-link"})));
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD})).status, 204);
    let begun = server.as_them(&cookie, "POST", "/api/me/codes", &json!({})).json();
    assert!(begun["url"].as_str().unwrap().starts_with("otpauth://totp/Northing:otto@example.org?secret="));
    // Not in force before a code was seen.
    assert_eq!(server.with_password("otto@example.org", GOOD).status, 200);
    let secret = server.store.credential(&id_of("otto").to_string()).unwrap().totp.unwrap();
    let code = |step: i64| totp_rs::Builder::new().with_secret(secret.clone()).build().unwrap().generate((NOW + step * 30) as u64).to_string();
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/codes", &json!({"code": "000000"})).status, 422);
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/codes", &json!({"code": code(-1)})).status, 204);
    let asked = server.with_password("otto@example.org", GOOD);
    assert!(asked.status == 401 && asked.body.contains("code-needed"), "{}", asked.body);
    let again = json!({"email": "otto@example.org", "password": GOOD, "code": code(-1)});
    assert_eq!(server.ask_in(&again).status, 422, "a code was good twice");
    assert_eq!(server.ask_in(&json!({"email": "otto@example.org", "password": GOOD, "code": code(0)})).status, 200);

    // Who lost what shows the codes comes by a link and ends them; a session that a password opened cannot.
    server.store.add_sign_in("lost-phone", &id_of("otto").to_string(), NOW, 60).unwrap();
    let by_password = Server::cookie(&server.ask_in(&json!({"email": "otto@example.org", "password": GOOD, "code": code(1)})));
    for body in [json!({}), json!({"code": ""}), json!({"code": "000000"}), json!({"code": code(1)})] {
        assert_eq!(server.as_them(&by_password, "DELETE", "/api/me/codes", &body).status, 422, "{body}");
    }
    let by_link = Server::cookie(&server.ask_in(&json!({"token": "lost-phone"})));
    assert_eq!(server.as_them(&by_link, "DELETE", "/api/me/codes", &json!({})).status, 204);
    assert_eq!(server.with_password("otto@example.org", GOOD).status, 200);

    // A program's token: shown once, reads only where it may only read, needs no browser's headers, ends when taken away.
    let made = server.as_them(&cookie, "POST", "/api/me/tokens", &json!({"name": "reports", "read_only": true, "days": 30})).json();
    let (token, id) = (made["token"].as_str().unwrap().to_string(), made["id"].as_str().unwrap().to_string());
    let bearer = format!("Bearer {token}");
    let by_token = |method: &str, path: &str, body: &Js| server.send(method, path, &[("Authorization", &bearer), KIND], Some(body)).status;
    assert_eq!(by_token("GET", "/api/records/deals", &json!({})), 200);
    assert_eq!(by_token("POST", "/api/records/customers", &json!({"name": "X"})), 403);
    assert_eq!(by_token("POST", "/api/me/tokens", &json!({"name": "more", "days": 30})), 403);
    let listed = server.as_them(&cookie, "GET", "/api/me/sessions", &json!({}));
    assert!(listed.body.contains("reports") && !listed.body.contains(&token[3..]));
    assert_eq!(server.as_them(&cookie, "DELETE", &format!("/api/me/sessions/{id}"), &json!({})).status, 204);
    assert_eq!(by_token("GET", "/api/records/deals", &json!({})), 401);
    assert_eq!(server.as_them(&cookie, "POST", "/api/me/tokens", &json!({"name": "for ever", "days": 4_000})).status, 422);
}
