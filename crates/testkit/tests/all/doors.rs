//! What opens doors (links, passwords, codes, tokens, roles, who is whom) is for a person who has just proved who they
//! are; what ends somebody's rights ends what they had opened; a program has no more than it was given (S7, U8).

use crate::http::{NOW, Reply, Server};
use crate::sign_in::{GOOD, server_where};
use northing_crm::Env;
use northing_model::{Record, Value};
use northing_store::{Change, Commit};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

const KIND: (&str, &str) = ("Content-Type", "application/json");

/// A server whose clock can be moved, and Wanda with the rights of an administrator and a password.
fn with_clock() -> (Server, Arc<AtomicI64>, String) {
    let clock = Arc::new(AtomicI64::new(NOW));
    let own = clock.clone();
    let server = server_where(Env::new(move || own.load(Ordering::Relaxed), Uuid::now_v7), |_| {});
    set(&server, id_of("wanda"), "access", Value::Ref(role(&server, "Administrator")));
    let cookie = by_link(&server, "wanda");
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD})).status, 204);
    (server, clock, cookie)
}

fn role(server: &Server, called: &str) -> Uuid {
    let name = server.store.model().object("access_role").unwrap().field("name").unwrap().clone();
    let mut found = None;
    server.store.scan("access_role", &[&name], |id, _, v| if v[0].as_text() == Some(called) { found = Some(id) }).unwrap();
    found.unwrap()
}

fn set(server: &Server, user: Uuid, field: &str, value: Value) {
    let change = Change::update("user", user, Record::from([(field.to_string(), value)]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
}

fn by_link(server: &Server, who: &str) -> String {
    let token = format!("link of {who} {}", Uuid::now_v7());
    let actor = if who == "owner" { who.to_string() } else { id_of(who).to_string() };
    server.store.add_sign_in(&token, &actor, NOW, 86_400).unwrap();
    Server::cookie(&server.ask_in(&json!({"token": token})))
}

fn by_password(server: &Server, who: &str) -> String {
    let reply = server.with_password(&format!("{who}@example.org"), GOOD);
    assert_eq!(reply.status, 200, "{}", reply.body);
    Server::cookie(&reply)
}

fn token(server: &Server, cookie: &str, more: Js) -> String {
    let mut body = json!({"name": "Sync", "days": 30});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = server.as_them(cookie, "POST", "/api/me/tokens", &body);
    assert_eq!(made.status, 200, "{}", made.body);
    made.json()["token"].as_str().unwrap().to_string()
}

fn as_program(server: &Server, token: &str, method: &str, path: &str, body: &Js) -> Reply {
    server.send(method, path, &[("Authorization", &format!("Bearer {token}")), KIND], Some(body))
}

/// Every door, as a request that would go through it.
fn doors(server: &Server) -> Vec<(&'static str, String, Js)> {
    let (otto, manager) = (id_of("otto"), role(server, "Manager"));
    let user = |fields: Js| ("PATCH", format!("/api/records/users/{otto}"), fields);
    let one = |op: &str, fields: Js| ("POST", "/api/changes".to_string(), json!({"changes": [{"op": op, "object": "users", "id": otto, "fields": fields}]}));
    vec![
        ("POST", "/api/invitations".into(), json!({"user": otto})),
        ("POST", "/api/me/tokens".into(), json!({"name": "more", "days": 3})),
        ("POST", "/api/me/codes".into(), json!({})),
        ("DELETE", "/api/me/codes".into(), json!({})),
        user(json!({"email": "otto@elsewhere.example"})),
        user(json!({"access": null})),
        user(json!({"active": false})),
        user(json!({"disabled_at": "2024-01-01T00:00:00Z"})),
        user(json!({"is_service": true})),
        one("update", json!({"email": "otto@elsewhere.example"})),
        ("POST", "/api/changes".into(), json!({"changes": [{"op": "delete", "object": "users", "id": otto}]})),
        ("POST", "/api/records/users".into(), json!({"name": "New", "email": "new@example.org", "access": manager})),
        ("DELETE", format!("/api/records/users/{otto}"), json!({})),
        ("POST", "/api/records/access_roles".into(), json!({"name": "More", "rights": "{\"settings\": true}"})),
        ("PATCH", format!("/api/records/access_roles/{manager}"), json!({"rights": "{\"settings\": true}"})),
        ("POST", "/api/bulk".into(), json!({"object": "users", "op": "update", "fields": {"active": false}})),
    ]
}

#[test]
fn s7_no_program_goes_through_a_door() {
    let (server, _, cookie) = with_clock();
    let program = token(&server, &cookie, json!({}));
    let bearer = format!("Bearer {program}");
    let seq = server.store.seq();
    for (method, path, body) in doors(&server) {
        let reply = as_program(&server, &program, method, &path, &body);
        assert!(reply.status == 403 && !reply.body.contains("proof-needed"), "{method} {path} {body}: {} {}", reply.status, reply.body);
        // A cookie that is none beside the token makes no person of it.
        let disguised = server.send(method, &path, &[("Authorization", &bearer), ("Cookie", "sid=x"), ("Sec-Fetch-Site", "same-origin"), KIND], Some(&body));
        assert_eq!(disguised.status, 403, "{method} {path}: {}", disguised.body);
    }
    for (method, path, body) in [("PUT", "/api/me/password", json!({"password": "green shutters by the mill", "current": GOOD})), ("PUT", "/api/me/codes", json!({"code": "000000"})), ("GET", "/api/me/sessions", json!({})), ("POST", "/api/session/proof", json!({"password": GOOD})), ("DELETE", "/api/me/sessions/x", json!({}))] {
        assert_eq!(as_program(&server, &program, method, path, &body).status, 403, "{method} {path}");
    }
    // A list of users is a door too, on its way in.
    let file = as_program(&server, &program, "POST", "/api/imports", &json!({"name": "users.csv", "text": "name,email\nEve,eve@example.org\n"})).json();
    let run = json!({"mapping": {"object": "user", "fields": {"name": "name", "email": "email"}}});
    let imported = as_program(&server, &program, "POST", &format!("/api/imports/{}/run", file["id"].as_str().unwrap()), &run);
    assert_eq!(imported.status, 403, "{}", imported.body);
    assert_eq!(server.store.seq(), seq, "something was written");
    // What is no door is open to it.
    assert_eq!(as_program(&server, &program, "POST", "/api/records/teams", &json!({"name": "North"})).status, 201);
    assert_eq!(as_program(&server, &program, "PATCH", &format!("/api/records/users/{}", id_of("otto")), &json!({"name": "Otto"})).status, 200);
}

#[test]
fn s7_a_door_asks_for_a_proof() {
    let (server, clock, _) = with_clock();
    let cookie = by_password(&server, "wanda");
    // A link for oneself would be a password without the old one.
    assert_eq!(server.as_them(&cookie, "POST", "/api/invitations", &json!({"user": id_of("wanda")})).status, 403);
    clock.fetch_add(901, Ordering::Relaxed);
    let seq = server.store.seq();
    for (method, path, body) in doors(&server) {
        let reply = server.as_them(&cookie, method, &path, &body);
        assert!(reply.status == 403 && reply.body.contains("proof-needed"), "{method} {path} {body}: {} {}", reply.status, reply.body);
    }
    assert_eq!(server.store.seq(), seq, "something was written");
    assert_eq!(server.as_them(&cookie, "POST", "/api/records/teams", &json!({"name": "North"})).status, 201, "what is no door asks for nothing");
    let prove = |body: Js| server.as_them(&cookie, "POST", "/api/session/proof", &body);
    assert_eq!(prove(json!({"password": "not it"})).status, 422);
    let invite = || server.as_them(&cookie, "POST", "/api/invitations", &json!({"user": id_of("otto")})).status;
    assert_eq!(invite(), 403);
    assert_eq!(prove(json!({"password": GOOD})).status, 204);
    assert_eq!(invite(), 200);
    clock.fetch_add(901, Ordering::Relaxed);
    assert_eq!(invite(), 403, "a proof is good for a while");
    // Guesses are slowed down as at the door.
    let answers: Vec<u16> = (0..30).map(|n| prove(json!({"password": format!("guess {n}")})).status).collect();
    assert!(answers.iter().filter(|s| **s == 422).count() <= 20 && answers.ends_with(&[429]), "{answers:?}");
    let changing: Vec<u16> = (0..3).map(|_| server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": "green shutters by the mill", "current": "guess"})).status).collect();
    assert_eq!(changing, [429; 3], "the old password is guessed elsewhere");
    clock.fetch_add(3_600, Ordering::Relaxed);

    // Where codes are on, the password alone is no proof.
    assert_eq!(prove(json!({"password": GOOD})).status, 204);
    assert_eq!(server.as_them(&cookie, "POST", "/api/me/codes", &json!({})).status, 200);
    let secret = server.store.credential(&id_of("wanda").to_string()).unwrap().totp.unwrap();
    let code = |step: i64| totp_rs::Builder::new().with_secret(secret.clone()).build().unwrap().generate((clock.load(Ordering::Relaxed) + step * 30) as u64).to_string();
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/codes", &json!({"code": code(0)})).status, 204);
    clock.fetch_add(901, Ordering::Relaxed);
    let asked = prove(json!({"password": GOOD}));
    assert!(asked.status == 422 && asked.body.contains("code-needed"), "{}", asked.body);
    let renewed = server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": "green shutters by the mill", "current": GOOD}));
    assert!(renewed.status == 403 && renewed.body.contains("proof-needed"), "{}", renewed.body);
    assert_eq!(prove(json!({"password": GOOD, "code": code(0)})).status, 204);
    assert_eq!(invite(), 200);

    // Somebody without a password proves who they are by a new link alone.
    let otto = by_link(&server, "otto");
    clock.fetch_add(901, Ordering::Relaxed);
    let late = server.as_them(&otto, "PUT", "/api/me/password", &json!({"password": GOOD}));
    assert!(late.status == 403 && late.body.contains("proof-needed"), "{}", late.body);
    let none = server.as_them(&otto, "POST", "/api/session/proof", &json!({"password": GOOD}));
    assert!(none.status == 422 && none.body.contains("proof-link"), "{}", none.body);
}

#[test]
fn s7_what_ends_rights_ends_what_was_opened() {
    let (server, clock, owner) = with_clock();
    let otto = id_of("otto");
    let fields = |fields: Js| assert_eq!(server.as_them(&owner, "PATCH", &format!("/api/records/users/{otto}"), &fields).status, 200, "{fields}");
    let opened = || {
        let cookie = by_link(&server, "otto");
        let program = token(&server, &cookie, json!({}));
        server.store.add_sign_in("waiting", &otto.to_string(), NOW, 86_400).unwrap();
        (cookie, program)
    };
    let alive = |(cookie, program): &(String, String)| (server.as_them(cookie, "GET", "/api/session", &json!({})).status, as_program(&server, program, "GET", "/api/session", &json!({})).status);
    let own = role(&server, "Own records");
    for (what, change, back) in [
        ("the address", json!({"email": "otto@new.example"}), json!({"email": "otto@example.org"})),
        ("the role", json!({"access": own}), json!({"access": role(&server, "Manager")})),
        ("activity", json!({"active": false}), json!({"active": true})),
        ("the end of access", json!({"disabled_at": "2024-01-01T00:00:00Z"}), json!({"disabled_at": null})),
    ] {
        let old = opened();
        assert_eq!(alive(&old), (200, 200));
        let stream = server.stream("/api/events", &[("Cookie", &old.0)]);
        let until = |what: &str| (0..2_400).any(|_| { std::thread::sleep(Duration::from_millis(25)); stream.lock().unwrap().contains(what) });
        assert!(until("event: seq"));
        fields(change);
        assert_eq!(alive(&old), (401, 401), "{what}");
        assert!(until("\r\n0\r\n"), "what was listened to outlived {what}");
        assert_eq!(server.ask_in(&json!({"token": "waiting"})).status, 401, "a link outlived {what}");
        fields(back);
        assert_eq!(alive(&old), (401, 401), "{what}: what had ended came alive again");
    }
    // What says nothing of who gets in ends nothing.
    let kept = opened();
    fields(json!({"name": "Otto", "role": "service"}));
    assert_eq!(alive(&kept), (200, 200));
    // A new password ends the other sessions, the links and the tokens.
    let here = by_link(&server, "otto");
    assert_eq!(server.as_them(&here, "PUT", "/api/me/password", &json!({"password": "green shutters by the mill"})).status, 204);
    assert_eq!((alive(&kept), server.as_them(&here, "GET", "/api/session", &json!({})).status), ((401, 401), 200));
    // A deleted user and a deleted one that comes back.
    let old = opened();
    assert_eq!(server.as_them(&owner, "DELETE", &format!("/api/records/users/{otto}"), &json!({})).status, 200);
    let back = server.as_them(&owner, "POST", "/api/changes", &json!({"changes": [{"op": "restore", "object": "users", "id": otto}]}));
    assert_eq!((back.status, alive(&old)), (200, (401, 401)), "{}", back.body);
    drop(clock);
}

/// A program has what it was given of its owner's rights, by object, and never more than those.
#[test]
fn s7_tokens_have_rights_by_object() {
    let (server, _, cookie) = with_clock();
    let made = |object: &str, body: Js| server.as_them(&cookie, "POST", &format!("/api/records/{object}"), &body).json()["id"].as_str().unwrap().to_string();
    let customer = made("customers", json!({"name": "Acme"}));
    let ticket = made("tickets", json!({"subject": "Broken", "customer": customer, "opened_at": "2024-03-01T00:00:00Z"}));
    let stage = made("stages", json!({"name": "Open", "kind": "open", "pipeline": made("pipelines", json!({"name": "Sales"})), "position": 1, "probability": 10}));
    let deal = made("deals", json!({"name": "Chairs", "stage": stage, "customer": customer}));
    let program = token(&server, &cookie, json!({"rights": {"customer": "see", "ticket": "change", "*": "none"}}));
    let told = |method: &str, path: &str, body: Js| {
        let reply = as_program(&server, &program, method, path, &body);
        (reply.status, reply.body)
    };
    assert_eq!(told("GET", &format!("/api/records/customers/{customer}"), json!({})).0, 200);
    assert_eq!(told("PATCH", &format!("/api/records/customers/{customer}"), json!({"name": "Other"})).0, 403);
    assert_eq!(told("POST", "/api/records/customers", json!({"name": "Other"})).0, 403);
    assert_eq!(told("DELETE", &format!("/api/records/customers/{customer}"), json!({})).0, 403);
    assert_eq!(told("PATCH", &format!("/api/records/tickets/{ticket}"), json!({"subject": "Mended"})).0, 200);
    // What it does not see is not there: as a record, a number, a word that is looked for, an object of the document.
    assert_eq!(told("GET", &format!("/api/records/deals/{deal}"), json!({})).0, 404);
    assert_eq!(told("GET", "/api/records/deals", json!({})).0, 404);
    assert!(told("GET", "/api/search?q=chairs", json!({})).1.contains("\"found\":[]"));
    assert!(told("GET", "/api/search?q=acme", json!({})).1.contains(&customer));
    let document = as_program(&server, &program, "GET", "/api/openapi.json", &json!({})).body;
    assert!(document.contains("/api/records/tickets") && !document.contains("/api/records/deals"));
    assert!(told("GET", "/api/ask?metrics=deals_won&from=2024-01-01&to=2024-04-01", json!({})).1.contains("\"value\":null"));
    assert_eq!(told("POST", "/api/imports", json!({"name": "a.csv", "text": "name\nA\n"})).0, 403);
    assert_eq!(told("PATCH", &format!("/api/records/stages/{stage}"), json!({"name": "x"})).0, 403);
    assert!(!told("GET", "/api/records/users", json!({})).1.contains("wanda@example.org"));
    // It is told where its owner looks.
    let listed = server.as_them(&cookie, "GET", "/api/me/sessions", &json!({})).json();
    assert_eq!(listed["tokens"][0]["rights"], json!({"customer": "see", "ticket": "change", "*": "none"}), "{listed}");
    // All may be seen, one kind changed; settings are no part of that.
    let wide = token(&server, &cookie, json!({"rights": {"*": "see", "deal": "change"}}));
    assert_eq!(as_program(&server, &wide, "GET", &format!("/api/records/tickets/{ticket}"), &json!({})).status, 200);
    assert_eq!(as_program(&server, &wide, "PATCH", &format!("/api/records/tickets/{ticket}"), &json!({"subject": "x"})).status, 403);
    assert_eq!(as_program(&server, &wide, "PATCH", &format!("/api/records/deals/{deal}"), &json!({"name": "Tables"})).status, 200);
    assert_eq!(as_program(&server, &wide, "GET", "/api/outflow", &json!({})).status, 403);

    // Never more than the owner's: not when it is made, and not when the owner has less later.
    let otto = by_link(&server, "otto");
    for (rights, why) in [(json!({"no_such": "see"}), "no object"), (json!({"stage": "change"}), "may not change")] {
        let refused = server.as_them(&otto, "POST", "/api/me/tokens", &json!({"name": "x", "days": 3, "rights": rights}));
        assert!(refused.status == 422 && refused.body.contains(why), "{rights}: {} {}", refused.status, refused.body);
    }
    assert_eq!(server.as_them(&otto, "POST", "/api/me/tokens", &json!({"name": "x", "days": 3, "rights": {"deal": "everything"}})).status, 400);
    let ottos = token(&server, &otto, json!({"rights": {"*": "change"}}));
    assert_eq!(as_program(&server, &ottos, "PATCH", &format!("/api/records/stages/{stage}"), &json!({"name": "x"})).status, 403);
    assert_eq!(as_program(&server, &ottos, "PATCH", &format!("/api/records/deals/{deal}"), &json!({"name": "Desks"})).status, 200);
    let rights = json!({"*": {"see": "all"}}).to_string();
    let change = Change::update("access_role", role(&server, "Manager"), Record::from([("rights".to_string(), Value::Text(rights))]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    assert_eq!(as_program(&server, &ottos, "PATCH", &format!("/api/records/deals/{deal}"), &json!({"name": "Lamps"})).status, 403);
}

/// The owner comes by a link once, chooses an address, and comes back by that and by nothing else.
#[test]
fn u8_the_owner_chooses_an_address() {
    let (server, clock, _) = with_clock();
    let cookie = by_link(&server, "owner");
    let session = |cookie: &str| server.as_them(cookie, "GET", "/api/session", &json!({})).json();
    assert_eq!((session(&cookie)["actor"].clone(), session(&cookie)["email"].clone()), (json!("owner"), json!("owner")));
    let choose = |body: Js| server.as_them(&cookie, "PUT", "/api/me/password", &body);
    let missing = choose(json!({"password": GOOD}));
    assert!(missing.status == 422 && missing.body.contains("email-needed") && missing.json()["field"] == "email", "{}", missing.body);
    assert_eq!(choose(json!({"password": GOOD, "email": "no address"})).status, 422);
    assert_eq!(choose(json!({"password": "short", "email": "olga@example.org"})).status, 422);
    assert_eq!(server.with_password("olga@example.org", "short").status, 401, "what was refused was kept");
    assert_eq!(choose(json!({"password": GOOD, "email": " Olga@Example.org ", "name": "Olga"})).status, 204);
    let back = server.with_password("OLGA@example.org", GOOD);
    assert_eq!(back.status, 200, "{}", back.body);
    let told = session(&Server::cookie(&back));
    assert_eq!((&told["actor"], &told["email"], &told["name"]), (&json!("owner"), &json!("olga@example.org"), &json!("Olga")), "{told}");
    assert_eq!(server.with_password("owner", GOOD).status, 401, "the word lets in beside the address");
    // Another address later, with the old password; users have theirs in their records.
    clock.fetch_add(100_000, Ordering::Relaxed);
    let cookie = Server::cookie(&server.with_password("olga@example.org", GOOD));
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD, "email": "o@example.org"})).status, 422);
    assert_eq!(server.as_them(&cookie, "PUT", "/api/me/password", &json!({"password": GOOD, "current": GOOD, "email": "o@example.org"})).status, 204);
    assert_eq!((server.with_password("olga@example.org", GOOD).status, server.with_password("o@example.org", GOOD).status), (401, 200));
    let wanda = by_password(&server, "wanda");
    assert_eq!(server.as_them(&wanda, "PUT", "/api/me/password", &json!({"password": GOOD, "current": GOOD, "email": "w@example.org"})).status, 422);
}
