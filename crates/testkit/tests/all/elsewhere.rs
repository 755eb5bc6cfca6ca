//! Signing in with an account elsewhere, against a provider of our own that can be told to lie.

use crate::http::{NOW, Reply, Server, start_where};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use northing_crm::Env;
use northing_model::{Record, Value};
use northing_store::{Change, Commit};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");

/// What the provider answers next, and what it was asked last.
#[derive(Default)]
struct Told {
    claims: Js,
    status: u16,
    challenge: String,
    form: String,
    authorization: String,
}

struct Elsewhere {
    issuer: String,
    told: Arc<Mutex<Told>>,
}

fn elsewhere() -> Elsewhere {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let told = Arc::new(Mutex::new(Told { status: 200, ..Told::default() }));
    let (own, name) = (told.clone(), issuer.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut first, mut length, mut authorization) = (String::new(), 0, String::new());
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.trim().to_ascii_lowercase();
                if lower.is_empty() {
                    break;
                }
                length = lower.strip_prefix("content-length: ").and_then(|n| n.parse().ok()).unwrap_or(length);
                if lower.starts_with("authorization: ") {
                    authorization = line.trim()[15..].to_string();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (mut status, mut answer) = (200, json!({}));
            if first.starts_with("GET /.well-known/openid-configuration ") {
                answer = json!({"issuer": name, "authorization_endpoint": format!("{name}/authorize"), "token_endpoint": format!("{name}/token")});
            } else if first.starts_with("POST /token ") {
                let mut told = own.lock().unwrap();
                told.form = String::from_utf8(body).unwrap();
                told.authorization = authorization;
                let verifier = told.form.split('&').find_map(|p| p.strip_prefix("code_verifier=")).unwrap().to_string();
                assert_eq!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), told.challenge, "the code is not bound to who asked");
                status = told.status;
                let token = format!("{}.{}.", BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#), BASE64_URL_SAFE_NO_PAD.encode(told.claims.to_string()));
                answer = if status == 200 { json!({"token_type": "Bearer", "access_token": "x", "id_token": token}) } else { json!({"error": "invalid_grant"}) };
            }
            let answer = answer.to_string();
            let _ = write!(reader.get_mut(), "HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}", answer.len());
        }
    });
    Elsewhere { issuer, told }
}

fn server(at: &Elsewhere) -> Server {
    let oidc = northing_server::Oidc { issuer: at.issuer.clone(), client: "northing".into(), secret: "s&cret".into(), name: "Company".into(), plain: true };
    let fill = |store: &northing_store::Store, env: &northing_crm::Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
        northing_crm::workspace::ensure_roles(store, env).unwrap();
        let name = store.model().object("access_role").unwrap().field("name").unwrap().clone();
        let mut role = None;
        store.scan("access_role", &[&name], |id, _, v| if v[0].as_text() == Some("Manager") { role = Some(id) }).unwrap();
        for (who, access) in [("wanda", true), ("otto", true), ("nora", false)] {
            let mut fields = Record::from([("name".into(), Value::Text(who.into())), ("email".into(), Value::Text(format!("{who}@example.org")))]);
            if access {
                fields.insert("access".into(), Value::Ref(role.unwrap()));
            }
            store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("user", id_of(who), fields)], key: None }).unwrap();
        }
    };
    start_where(fill, Env::new(|| NOW, uuid::Uuid::now_v7), |config| config.oidc = Some(oidc))
}

fn header(reply: &Reply, name: &str) -> Vec<String> {
    reply.head.lines().filter_map(|l| l.split_once(": ")).filter(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_string()).collect()
}

/// One browser's way to the provider: the question's parts and the cookie that it came with.
struct Way {
    state: String,
    nonce: String,
    cookie: String,
}

fn begin(server: &Server, at: &Elsewhere) -> Way {
    let reply = server.send("GET", "/api/oidc/begin", &[], None);
    assert_eq!(reply.status, 303, "{}", reply.body);
    let to = header(&reply, "location").remove(0);
    assert!(to.starts_with(&format!("{}/authorize?", at.issuer)) && to.contains("response_type=code") && to.contains("code_challenge_method=S256"), "{to}");
    let part = |name: &str| to.split(['?', '&']).find_map(|p| p.strip_prefix(&format!("{name}="))).unwrap().to_string();
    assert!(part("redirect_uri").ends_with("%2Fapi%2Foidc%2Fback") && part("redirect_uri").starts_with("http%3A%2F%2Flocalhost%3A"), "{to}");
    at.told.lock().unwrap().challenge = part("code_challenge");
    let cookie = header(&reply, "set-cookie").remove(0);
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/api/oidc"), "{cookie}");
    Way { state: part("state"), nonce: part("nonce"), cookie: cookie.split(';').next().unwrap().to_string() }
}

fn come_back(server: &Server, way: &Way, cookie: &str) -> Reply {
    server.send("GET", &format!("/api/oidc/back?code=c0de&state={}", way.state), &[("Cookie", cookie)], None)
}

/// Signs in as the claims say; where the browser ends up, and its session.
fn as_claimed(server: &Server, at: &Elsewhere, change: impl Fn(&mut Js)) -> (String, Option<String>) {
    let way = begin(server, at);
    let mut claims = json!({"iss": at.issuer, "sub": "w-1", "aud": "northing", "exp": NOW + 300, "iat": NOW, "nonce": way.nonce, "email": "Wanda@example.org", "email_verified": true});
    change(&mut claims);
    at.told.lock().unwrap().claims = claims;
    let reply = come_back(server, &way, &way.cookie);
    let sid = header(&reply, "set-cookie").into_iter().find(|c| c.starts_with("sid=")).map(|c| c.split(';').next().unwrap().to_string());
    assert_eq!(reply.status, 303, "{}", reply.body);
    (header(&reply, "location").remove(0), sid)
}

#[test]
fn people_come_in_with_their_account_elsewhere() {
    let at = elsewhere();
    let server = server(&at);
    assert_eq!(server.send("GET", "/api/ways", &[], None).json(), json!({"provider": "Company"}));
    // Wanda has a password and a session before; both end when she first comes by the provider.
    server.store.add_sign_in("link", &id_of("wanda").to_string(), NOW, 60).unwrap();
    let before = Server::cookie(&server.ask_in(&json!({"token": "link"})));
    assert_eq!(server.send("PUT", "/api/me/password", &[("Cookie", &before), SAME, KIND], Some(&json!({"password": "orange tiles on the quay"}))).status, 204);
    let (to, sid) = as_claimed(&server, &at, |_| {});
    assert_eq!(to, "/");
    let sid = sid.unwrap();
    let session = server.send("GET", "/api/session", &[("Cookie", &sid)], None).json();
    assert_eq!((&session["name"], &session["provider"], &session["password"]), (&json!("wanda"), &json!("Company"), &json!(false)), "{session}");
    {
        let told = at.told.lock().unwrap();
        assert!(told.form.contains("grant_type=authorization_code") && told.form.contains("code=c0de") && !told.form.contains("cret"), "{}", told.form);
        assert_eq!(told.authorization, format!("Basic {}", BASE64_STANDARD.encode("northing:s%26cret")));
    }
    assert_eq!(server.send("GET", "/api/session", &[("Cookie", &before)], None).status, 401);
    assert_eq!(server.ask_in(&json!({"email": "wanda@example.org", "password": "orange tiles on the quay"})).status, 401);
    // There is no second way in for her: no password, no codes, no link.
    for (method, path, body) in [("PUT", "/api/me/password", json!({"password": "orange tiles on the quay"})), ("POST", "/api/me/codes", json!({}))] {
        let refused = server.send(method, path, &[("Cookie", &sid), SAME, KIND], Some(&body));
        assert!(refused.status == 422 && refused.body.contains("elsewhere"), "{path}: {}", refused.body);
    }
    server.store.add_sign_in("owner-link", "owner", NOW, 60).unwrap();
    let owner = Server::cookie(&server.ask_in(&json!({"token": "owner-link"})));
    let invited = |who: &str| server.send("POST", "/api/invitations", &[("Cookie", &owner), SAME, KIND], Some(&json!({"user": id_of(who)}))).status;
    assert_eq!((invited("wanda"), invited("otto")), (422, 200));
    // The provider's name for her counts from now on, whatever her address is; the address alone opens nothing.
    assert_eq!(as_claimed(&server, &at, |c| c["email"] = json!("otto@example.org")).0, "/");
    let (to, sid) = as_claimed(&server, &at, |c| c["sub"] = json!("w-2"));
    assert_eq!((to.as_str(), sid), ("/sign-in#!oidc-other", None));
}

#[test]
fn what_the_provider_did_not_say_opens_nothing() {
    let at = elsewhere();
    let server = server(&at);
    let refused = |code: &str, change: &dyn Fn(&mut Js)| {
        let (to, sid) = as_claimed(&server, &at, change);
        assert_eq!((to, sid), (format!("/sign-in#!{code}"), None));
    };
    refused("oidc-failed", &|c| c["iss"] = json!("https://elsewhere.example"));
    refused("oidc-failed", &|c| c["aud"] = json!("another"));
    refused("oidc-failed", &|c| c["aud"] = json!(["northing", "another"]));
    refused("oidc-failed", &|c| { c["aud"] = json!(["northing", "another"]); c["azp"] = json!("another"); });
    refused("oidc-failed", &|c| c["exp"] = json!(NOW - 121));
    refused("oidc-failed", &|c| c["nonce"] = json!("of another question"));
    refused("oidc-failed", &|c| drop(c.as_object_mut().unwrap().remove("nonce")));
    refused("oidc-failed", &|c| c["sub"] = json!(""));
    refused("oidc-failed", &|c| c["sub"] = json!("w".repeat(256)));
    refused("oidc-unverified", &|c| c["email_verified"] = json!(false));
    refused("oidc-unverified", &|c| drop(c.as_object_mut().unwrap().remove("email_verified")));
    refused("oidc-unknown", &|c| c["email"] = json!("nobody@example.org"));
    refused("oidc-unknown", &|c| c["email"] = json!("owner"));
    // Nora is known and has no rights.
    refused("oidc-unknown", &|c| c["email"] = json!("nora@example.org"));
    // A list that names us alone, or names us as who it is for, is fine.
    assert_eq!(as_claimed(&server, &at, |c| c["aud"] = json!(["northing"])).0, "/");
    assert_eq!(as_claimed(&server, &at, |c| { c["aud"] = json!(["northing", "another"]); c["azp"] = json!("northing"); }).0, "/");
    // The state of another browser, none, or one that was used.
    at.told.lock().unwrap().claims = json!({});
    let (one, two) = (begin(&server, &at), begin(&server, &at));
    for (way, cookie) in [(&one, two.cookie.as_str()), (&one, ""), (&two, "oidc=")] {
        assert_eq!(header(&come_back(&server, way, cookie), "location"), ["/sign-in#!oidc-again"]);
    }
    let way = begin(&server, &at);
    at.told.lock().unwrap().status = 400;
    assert_eq!(header(&come_back(&server, &way, &way.cookie), "location"), ["/sign-in#!oidc-failed"]);
    let denied = server.send("GET", &format!("/api/oidc/back?error=access_denied&state={}", begin(&server, &at).state), &[], None);
    assert_eq!(denied.status, 303);
    // Without a provider there is no such way.
    let plain = crate::http::start();
    assert_eq!(plain.send("GET", "/api/ways", &[], None).json(), json!({"provider": null}));
    for path in ["/api/oidc/begin", "/api/oidc/back?code=x&state=y"] {
        assert_eq!(plain.send("GET", path, &[], None).status, 403);
    }
}

/// However many begin and never come back, nothing is kept of them, and whoever comes back comes in.
#[test]
fn s5_beginning_costs_nobody_their_turn() {
    let at = elsewhere();
    let server = server(&at);
    for n in 0..1_200 {
        assert_eq!(server.send("GET", "/api/oidc/begin", &[], None).status, 303, "{n}");
    }
    assert_eq!(as_claimed(&server, &at, |_| {}).0, "/");
    // What a browser brings back is what it was given: not another's, not changed, not made up, not signed for another use.
    let way = begin(&server, &at);
    let sealed = way.cookie.strip_prefix("oidc=").unwrap();
    let mut changed = sealed.to_string();
    changed.replace_range(70..71, if &sealed[70..71] == "a" { "b" } else { "a" });
    let made_up = server.store.seal().seal("another use", format!("{{\"state\":\"{}\",\"nonce\":\"n\",\"verifier\":\"v\",\"until\":{}}}", way.state, NOW + 9).as_bytes()).unwrap();
    let late = server.store.seal().seal("oidc", format!("{{\"state\":\"{}\",\"nonce\":\"n\",\"verifier\":\"v\",\"until\":{NOW}}}", way.state).as_bytes()).unwrap();
    for cookie in [changed, made_up, late, way.state.clone(), String::new()] {
        assert_eq!(header(&come_back(&server, &way, &format!("oidc={cookie}")), "location"), ["/sign-in#!oidc-again"], "{cookie}");
    }
    assert!(!sealed.contains(&way.nonce), "the cookie can be read");
}

/// Whoever signs in with an account elsewhere proves anew who they are by signing in there anew, not by being signed in.
#[test]
fn s7_a_proof_by_an_account_elsewhere() {
    let at = elsewhere();
    let server = server(&at);
    let door = |sid: &str| server.send("POST", "/api/me/tokens", &[("Cookie", sid), SAME, KIND], Some(&json!({"name": "x", "days": 3})));
    let (_, long_ago) = as_claimed(&server, &at, |c| c["auth_time"] = json!(NOW - 3_600));
    let long_ago = long_ago.unwrap();
    let refused = door(&long_ago);
    assert!(refused.status == 403 && refused.body.contains("proof-needed"), "{}", refused.body);
    let proof = server.send("POST", "/api/session/proof", &[("Cookie", &long_ago), SAME, KIND], Some(&json!({"password": "x"})));
    assert!(proof.status == 422 && proof.body.contains("proof-elsewhere"), "{}", proof.body);
    let again = server.send("GET", "/api/oidc/begin?again=true", &[], None);
    let to = header(&again, "location").remove(0);
    assert!(to.contains("prompt=login") && to.contains("max_age=0"), "{to}");
    let (_, now) = as_claimed(&server, &at, |c| c["auth_time"] = json!(NOW - 20));
    assert_eq!(door(&now.unwrap()).status, 200);
}
