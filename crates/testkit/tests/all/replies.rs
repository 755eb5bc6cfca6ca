//! Answers to tickets: what was not given to the customer stops no clock, whoever wrote it.

use crate::http::start;
use serde_json::{Value as Js, json};

#[test]
fn u2_a_reply_that_was_not_sent_stops_no_clock_until_somebody_says_it_was_given() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: Js| {
        let reply = server.send(method, &format!("/api/records/{path}"), &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
        assert!(reply.status < 300, "{path}: {}", reply.body);
        reply.json()
    };
    let ticket = tell("POST", "tickets", json!({"subject": "Cold", "opened_at": "2024-03-01T10:00:00Z", "first_reply_target_mins": 60, "target_clock": "calendar"}))["id"].as_str().unwrap().to_string();
    let fields = |after: &Js| {
        let page = server.settled(&format!("/api/records/tickets?limit=1&after={}", after["seq"]), &cookie);
        page["items"][0]["fields"].clone()
    };
    let draft = tell("POST", "messages", json!({"ticket": ticket, "at": "2024-03-01T10:10:00Z", "author": "staff", "is_draft": true, "body": "We come at noon."}));
    let shown = fields(&draft);
    assert_eq!((&shown["first_reply_at"], &shown["first_reply_met"]), (&Js::Null, &json!(false)), "{shown}");
    let note = tell("POST", "messages", json!({"ticket": ticket, "at": "2024-03-01T10:20:00Z", "author": "staff", "is_public": false, "body": "Who has the key?"}));
    assert_eq!(fields(&note)["first_reply_at"], Js::Null);
    // Given by phone half an hour later than it was written.
    let given = tell("PATCH", &format!("messages/{}", draft["id"].as_str().unwrap()), json!({"at": "2024-03-01T10:40:00Z", "is_draft": false, "channel": "Phone"}));
    let shown = fields(&given);
    assert_eq!((&shown["first_reply_at"], &shown["first_reply_secs"], &shown["first_reply_met"]), (&json!("2024-03-01T10:40:00Z"), &json!(2_400), &json!(true)), "{shown}");
}
