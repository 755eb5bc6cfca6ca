//! What makes no sense is refused in one place for every writer: form and API, import, and whoever writes to the store.

use crate::http::{NOW, Server, start};
use northing_crm::Env;
use northing_crm::import::{Plan, import};
use northing_model::{Currency, Money, Record, Value};
use northing_store::{Change, Commit, Store, StoreError};
use serde_json::{Value as Js, json};

const POLISH: &str = "pl";

fn tell(server: &Server, cookie: &str, path: &str, body: &Js) -> crate::http::Reply {
    server.send("POST", path, &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json"), ("Accept-Language", "en")], Some(body))
}

#[test]
fn n20_what_makes_no_sense_is_refused_with_a_sentence() {
    let server = start();
    let cookie = server.sign_in();
    let make = |objects: &str, body: Js| tell(&server, &cookie, &format!("/api/records/{objects}"), &body);
    let question = make("question_versions", json!({"name": "Recommend?", "scores": "nps", "lowest": 0, "highest": 10})).json()["id"].clone();
    for (objects, body, field, said) in [
        ("bookings", json!({"starts_at": "2024-03-01T10:00:00Z", "ends_at": "2024-03-01T09:00:00Z"}), "ends_at", "it ends before it begins"),
        ("customers", json!({"name": "A", "phone": "abc"}), "phone", "'abc' is not a phone number"),
        ("survey_responses", json!({"question": question, "value": 15, "answered_at": "2024-03-01T10:00:00Z"}), "value", "it is not on the scale of its question"),
        ("survey_responses", json!({"question": question, "value": -1, "answered_at": "2024-03-01T10:00:00Z"}), "value", "it is not on the scale of its question"),
        ("question_versions", json!({"name": "Q", "lowest": 5, "highest": 5}), "highest", "the highest answer must be above the lowest"),
        ("goals", json!({"name": "G", "kpi": "no_such_kpi", "target": "1", "starts_on": "2024-01-01", "ends_on": "2024-01-31"}), "kpi", "there is no metric 'no_such_kpi'; choose one of the catalogue"),
        ("goals", json!({"name": "G", "kpi": "goal_progress", "target": "1", "starts_on": "2024-01-01", "ends_on": "2024-01-31"}), "kpi", "the metric 'goal_progress' is made of goals and cannot be one"),
        ("goals", json!({"name": "G", "kpi": "revenue", "kpi_variant": "nonsense", "target": "1", "starts_on": "2024-01-01", "ends_on": "2024-01-31"}), "kpi_variant", "the metric 'revenue' has no variant 'nonsense'"),
        ("goals", json!({"name": "G", "kpi": "revenue", "target": "1", "starts_on": "2024-01-31", "ends_on": "2024-01-01"}), "ends_on", "it ends before it begins"),
        ("expenses", json!({"name": "E", "amount": "-10", "incurred_on": "2024-01-31"}), "amount", "a cost is not below zero; what comes back is income"),
    ] {
        let reply = make(objects, body.clone());
        assert!(reply.status == 422 && reply.body.contains(field) && reply.body.contains(said), "{objects} {body}: {} {}", reply.status, reply.body);
    }
    // What is well stays taken, and what is left out meets every condition.
    for (objects, body) in [
        ("bookings", json!({"starts_at": "2024-03-01T10:00:00Z"})),
        ("customers", json!({"name": "B", "phone": "+48 (22) 600-100-200 ext. 5"})),
        ("customers", json!({"name": "C", "phone": "۰۹۱۲۳۴۵۶۷۸۹"})),
        ("survey_responses", json!({"question": question, "value": 10, "answered_at": "2024-03-01T10:00:00Z"})),
        ("goals", json!({"name": "G", "kpi": "revenue", "kpi_variant": "paid", "target": "1", "starts_on": "2024-01-01", "ends_on": "2024-01-31"})),
        ("expenses", json!({"name": "E", "amount": "0", "incurred_on": "2024-01-31"})),
    ] {
        let reply = make(objects, body.clone());
        assert_eq!(reply.status, 201, "{objects} {body}: {}", reply.body);
    }
    let reply = server.send("POST", "/api/records/expenses", &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json"), ("Accept-Language", POLISH)], Some(&json!({"name": "E", "amount": "-10", "incurred_on": "2024-01-31"})));
    assert!(reply.body.contains("koszt nie może być ujemny"), "{}", reply.body);
}

/// So many changes in one request and no more; none is none.
#[test]
fn changes_of_one_request_are_limited() {
    let server = start();
    let cookie = server.sign_in();
    let changes = |n: usize| tell(&server, &cookie, "/api/changes", &json!({"changes": (0..n).map(|n| json!({"op": "create", "object": "leads", "fields": {"name": format!("L{n}")}})).collect::<Vec<_>>()}));
    for n in [0, 1_001] {
        let reply = changes(n);
        assert!(reply.status == 400 && reply.body.contains("send 1 to 1000 changes"), "{n}: {} {}", reply.status, reply.body);
    }
    assert_eq!(changes(1_000).status, 200);
}

#[test]
fn n20_imports_and_the_store_itself_refuse_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::workspace::ensure(&store, &Env::fixed(NOW, 1), &Record::new()).unwrap();
    let file = folder.path().join("costs.csv");
    std::fs::write(&file, "name,amount,day\nRent,100,2024-01-01\nBack,-10,2024-01-02\n").unwrap();
    let plan = Plan::parse("name = \"costs\"\n[[file]]\nname = \"costs.csv\"\n[[file.make]]\nobject = \"expense\"\nkey = \"name\"\n[file.make.fields]\nname = \"name\"\namount = \"amount\"\nincurred_on = \"day\"\n").unwrap();
    let mut rejects = Vec::new();
    let report = import(&store, &Env::fixed(NOW, 7), &plan, &file, &mut |_, reject| rejects.push(format!("{reject:?}"))).unwrap();
    assert_eq!((report.rows, rejects.len()), (2, 1), "{rejects:?}");
    assert!(rejects[0].contains("a cost is not below zero"), "{rejects:?}");
    assert_eq!(store.count("expense").unwrap(), 1);
    let below = Value::Money(Money { minor: -1_000, currency: Currency::parse("EUR").unwrap() });
    let env = Env::fixed(NOW, 2);
    let cost = |amount: Value| Record::from([("name".into(), Value::Text("E".into())), ("amount".into(), amount), ("incurred_on".into(), Value::Date(19_000))]);
    let commit = |change: Change| store.commit(Commit { actor: "test".into(), at: NOW, changes: vec![change], key: None });
    assert!(matches!(commit(Change::create("expense", env.id(), cost(below.clone()))), Err(StoreError::Invalid { field, .. }) if field == "amount"));
    let id = env.id();
    commit(Change::create("expense", id, cost(Value::Money(Money { minor: 1_000, currency: Currency::parse("EUR").unwrap() })))).unwrap();
    assert!(commit(Change::update("expense", id, Record::from([("amount".into(), below)]))).is_err());
    // Words about something else go on, whatever stood there before.
    commit(Change::update("expense", id, Record::from([("note".into(), Value::Text("seen".into()))]))).unwrap();
}

#[test]
fn n20_an_order_line_costs_what_its_product_is_sold_for() {
    let server = start();
    let cookie = server.sign_in();
    let make = |objects: &str, body: Js| {
        let reply = tell(&server, &cookie, &format!("/api/records/{objects}"), &body);
        assert_eq!(reply.status, 201, "{objects} {body}: {}", reply.body);
        reply.json()["id"].clone()
    };
    let price = |line: &Js| server.send("GET", &format!("/api/records/order_lines/{}", line.as_str().unwrap()), &[("Cookie", &cookie)], None).json()["fields"]["unit_price"].clone();
    let product = make("products", json!({"name": "Cut", "price": "45.50"}));
    let order = make("orders", json!({"number": "N20", "confirmed_at": "2024-03-01T10:00:00Z"}));
    assert_eq!(price(&make("order_lines", json!({"order": order, "product": product}))), json!("45.5"));
    assert_eq!(price(&make("order_lines", json!({"order": order, "product": product, "unit_price": null}))), json!("45.5"));
    // What was agreed stays, nothing included.
    assert_eq!(price(&make("order_lines", json!({"order": order, "product": product, "unit_price": "40"}))), json!("40"));
    assert_eq!(price(&make("order_lines", json!({"order": order, "product": product, "unit_price": "0"}))), json!("0"));
    let nothing = make("orders", json!({"number": "N22", "confirmed_at": "2024-03-01T10:00:00Z"}));
    assert!(price(&make("order_lines", json!({"order": nothing}))).is_null());
    // A price in another currency is not that of this order.
    let abroad = make("orders", json!({"number": "N21", "confirmed_at": "2024-03-01T10:00:00Z", "currency": "JPY"}));
    assert!(price(&make("order_lines", json!({"order": abroad, "product": product}))).is_null());
    let revenue = server.send("GET", "/api/metrics/revenue/drill?from=2024-03-01&to=2024-03-02&limit=500", &[("Cookie", &cookie)], None).json();
    assert!(revenue["rows"].as_array().unwrap().iter().any(|r| r["adds"].as_f64() == Some(131.0)), "{revenue}");
}
