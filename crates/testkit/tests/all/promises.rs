//! What is promised about tickets by their priority and kind: kept on them, due by it, told in the share that is on time.

use crate::http::{NOW, Server, start_with};
use northing_crm::{Env, workspace};
use serde_json::{Value as Js, json};

fn ask(server: &Server, cookie: &str, method: &str, path: &str, body: Option<&Js>) -> Js {
    let reply = server.send(method, path, &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], body);
    assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
    reply.json()
}

#[test]
fn n19_a_ticket_is_due_by_what_is_promised_for_its_priority() {
    let server = start_with(|store, env| {
        workspace::ensure(store, env, &northing_model::Record::new()).unwrap();
        workspace::ensure_pipeline(store, env).unwrap();
        workspace::ensure_promises(store, env).unwrap();
        workspace::ensure_promises(store, &Env::fixed(NOW, 9)).unwrap();
    });
    let cookie = server.sign_in();
    let make = |objects: &str, body: Js| ask(&server, &cookie, "POST", &format!("/api/records/{objects}"), Some(&body))["id"].as_str().unwrap().to_string();
    let see = |id: &str| ask(&server, &cookie, "GET", &format!("/api/records/tickets/{id}"), None)["fields"].clone();
    let change = |id: &str, body: Js| drop(ask(&server, &cookie, "PATCH", &format!("/api/records/tickets/{id}"), Some(&body)));
    let opened = northing_model::value::time_text(NOW);
    let targets = |fields: &Js| (fields["first_reply_target_mins"].as_i64(), fields["resolution_target_mins"].as_i64(), fields["target_clock"].as_str().map(str::to_string));
    let business = || Some("business".to_string());

    let urgent = make("tickets", json!({"subject": "Down", "priority": "urgent", "opened_at": opened}));
    assert_eq!(targets(&see(&urgent)), (Some(60), Some(240), business()));
    assert_eq!(see(&urgent)["first_reply_due_at"], json!(northing_model::value::time_text(NOW + 3_600)));
    assert_eq!(see(&urgent)["resolution_due_at"], json!(northing_model::value::time_text(NOW + 4 * 3_600)));
    // Without a priority it is a normal one, and what was left blank in a form is left out.
    let normal = make("tickets", json!({"subject": "How", "opened_at": opened, "first_reply_target_mins": null}));
    assert_eq!(targets(&see(&normal)), (Some(480), Some(1_440), business()));
    // It becomes urgent, and so does the promise; what was agreed with this very customer stays.
    change(&normal, json!({"priority": "urgent"}));
    assert_eq!(targets(&see(&normal)), (Some(60), Some(240), business()));
    let agreed = make("tickets", json!({"subject": "Agreed", "opened_at": opened, "resolution_target_mins": 77, "target_clock": "calendar"}));
    change(&agreed, json!({"priority": "low"}));
    assert_eq!(targets(&see(&agreed)), (Some(960), Some(77), Some("calendar".into())));
    // Of what fits, that which says most: complaints of any priority, urgent ones above all.
    let by_kind = make("service_promises", json!({"name": "Complaints", "kind": "complaint", "priority": "urgent", "first_reply_target_mins": 15, "resolution_target_mins": 90, "target_clock": "calendar"}));
    let complaint = make("tickets", json!({"subject": "Bad", "kind": "complaint", "priority": "urgent", "opened_at": opened}));
    assert_eq!(targets(&see(&complaint)), (Some(15), Some(90), Some("calendar".into())));
    // A changed promise does not move what was promised before.
    ask(&server, &cookie, "PATCH", &format!("/api/records/service_promises/{by_kind}"), Some(&json!({"first_reply_target_mins": 5})));
    assert_eq!(targets(&see(&complaint)), (Some(15), Some(90), Some("calendar".into())));
    // Nobody promised anything about tickets that are older than the promises.
    let older = make("tickets", json!({"subject": "Old", "priority": "urgent", "opened_at": northing_model::value::time_text(NOW - 86_400)}));
    let fields = see(&older);
    assert!(fields["first_reply_target_mins"].is_null() && fields["resolution_due_at"].is_null(), "{fields}");
    let reply = server.send("POST", "/api/records/service_promises", &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&json!({"name": "No time", "resolution_target_mins": 0})));
    assert!(reply.status == 422 && reply.body.contains("a promise takes at least a minute"), "{}", reply.body);
    // Those five promises that fall due by tomorrow are what is in time, or not.
    let rate = ask(&server, &cookie, "GET", "/api/ask?metrics=ticket_on_time_rate&from=2024-03-09&to=2024-03-30", None);
    assert!(rate["metrics"][0]["total"]["denominator"].is_number(), "{rate}");
}
