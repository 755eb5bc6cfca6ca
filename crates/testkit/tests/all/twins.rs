//! Records that may be the same: told once, by what they share, until they are one.

use crate::http::start;
use serde_json::{Value as Js, json};
use std::collections::BTreeSet;

#[test]
fn those_who_share_an_address_are_told_until_they_are_one() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: Js| server.send(method, path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let make = |fields: Js| {
        let made = tell("POST", "/api/records/customers", fields);
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["id"].as_str().unwrap().to_string()
    };
    let ann = make(json!({"name": "Ann Lee", "email": "ann@lee.example"}));
    let again = make(json!({"name": "A. Lee Ltd", "email": "ANN@lee.example"}));
    let bob = make(json!({"name": "Bob Stone", "phone": "+48 600 100 299"}));
    let rob = make(json!({"name": "Robert Rock", "phone": "600-100-299"}));
    let gone = make(json!({"name": "Bobby", "phone": "600 100 299"}));
    let _alone = make(json!({"name": "Alone", "email": "alone@lee.example", "phone": "112 113"}));
    let _short = make(json!({"name": "Short", "phone": "112 113"}));
    assert_eq!(tell("DELETE", &format!("/api/records/customers/{gone}"), json!({})).status, 200);
    // The words of a name in any order.
    let (carl, lind) = (make(json!({"name": "Carl Ottokar Lind"})), make(json!({"name": "Lind, Carl Ottokar"})));
    let groups = || -> Vec<(String, BTreeSet<String>)> {
        let told = server.send("GET", &format!("/api/records/customers/twins?after={}", server.store.seq()), &[("Cookie", &cookie)], None).json();
        told["groups"].as_array().unwrap().iter().map(|g| (g["field"].as_str().unwrap().to_string(), g["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_string()).collect())).collect()
    };
    let (lees, stones) = (("email".to_string(), BTreeSet::from([ann.clone(), again.clone()])), ("phone".to_string(), BTreeSet::from([bob.clone(), rob.clone()])));
    let first = groups();
    let linds = ("name".to_string(), BTreeSet::from([carl, lind]));
    assert!(first.contains(&lees) && first.contains(&stones) && first.contains(&linds), "{first:?}");
    assert_eq!(first.iter().filter(|g| [&ann, &again, &bob, &rob, &gone].iter().any(|id| g.1.contains(*id))).count(), 2, "{first:?}");
    let merged = tell("POST", &format!("/api/records/customers/{again}/merge"), json!({"into": ann}));
    assert!(merged.status < 300, "{}", merged.body);
    let second = groups();
    assert!(!second.iter().any(|g| g.1.contains(&again) || g.1.contains(&ann)) && second.contains(&stones), "{second:?}");
}
