//! What nobody recorded stays unknown: instants of closes, amounts, rates, when people came, who followed a link; and
//! sums that are rounded once.

use northing_model::{Record, Value};
use northing_store::{Change, Commit, Moment, Store};
use std::path::Path;
use uuid::Uuid;

fn holds(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/metrics").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let wrong = northing_testkit::cases::run(&path, &text);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const NOW: i64 = 1_800_000_000;

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

/// A new record, and since when its history fields have their values.
fn made(store: &Store, n: u64, object: &str, fields: Vec<(&str, Value)>) -> Vec<(String, Option<i64>)> {
    let id = Uuid::from_u64_pair(7, n);
    let record: Record = fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    store.commit(Commit { actor: "test".into(), at: NOW, changes: vec![Change::create(object, id, record)], key: None }).unwrap();
    store.moments(object, id).unwrap().into_iter().map(|Moment { field, at, .. }| (field, at)).collect()
}

#[test]
fn n1_a_close_that_nobody_recorded_is_not_invented() {
    holds("n01_since_when_is_unknown.toml");
    holds("n01_sales_on_no_day.toml");
}

#[test]
fn n1_since_when_a_new_record_is_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (pipeline, won) = (Uuid::from_u64_pair(1, 1), Uuid::from_u64_pair(1, 2));
    let setup = vec![
        Change::create("pipeline", pipeline, Record::from([("name".into(), text("Sales"))])),
        Change::create("stage", won, Record::from([("name".into(), text("Won")), ("kind".into(), text("won")), ("position".into(), Value::Int(1)), ("pipeline".into(), Value::Ref(pipeline))])),
    ];
    store.commit(Commit { actor: "test".into(), at: NOW, changes: setup, key: None }).unwrap();
    let deal = |n, created: Option<i64>| {
        let mut fields = vec![("name", text("D")), ("stage", Value::Ref(won))];
        fields.extend(created.map(|at| ("created_at", Value::Time(at))));
        made(&store, n, "deal", fields)
    };
    let stage = |at: Option<i64>| vec![("stage".to_string(), at)];
    assert_eq!(deal(1, None), stage(Some(NOW)), "made here and now");
    assert_eq!(deal(2, Some(NOW)), stage(Some(NOW)));
    assert_eq!(deal(3, Some(NOW - 86_400)), stage(None), "made yesterday: since when it is won nobody said");
    let ticket = |n, status: &str| made(&store, n, "ticket", vec![("subject", text("T")), ("status", text(status)), ("opened_at", Value::Time(NOW - 9)), ("created_at", Value::Time(NOW - 9))]);
    assert_eq!(ticket(4, "new"), [("status".to_string(), Some(NOW - 9))], "all begin like that");
    assert_eq!(ticket(5, "solved"), [("status".to_string(), None)]);
}

/// Whichever is entered first, a record is as it was told to be last.
#[test]
fn a_history_field_is_as_its_latest_moment_says() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let id = Uuid::from_u64_pair(8, 1);
    let commit = |change: Change| store.commit(Commit { actor: "test".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    let moment = |days: i64, status: &str| Moment { field: "status".into(), at: Some(NOW - 86_400 * days), value: text(status) };
    let told = |moments: Vec<Moment>| Change { moments, ..Change::update("ticket", id, Record::new()) };
    let status = || store.get("ticket", id).unwrap().0.get("status").and_then(Value::as_text).map(str::to_string);
    commit(Change { moments: vec![moment(5, "solved"), moment(9, "new")], ..Change::create("ticket", id, Record::from([("subject".into(), text("T")), ("opened_at".into(), Value::Time(NOW - 86_400 * 9)), ("created_at".into(), Value::Time(NOW - 86_400 * 9))])) });
    assert_eq!(status().as_deref(), Some("solved"));
    commit(told(vec![moment(7, "open")]));
    assert_eq!(status().as_deref(), Some("solved"), "what it was before is no news");
    commit(told(vec![moment(2, "open"), moment(3, "waiting")]));
    assert_eq!(status().as_deref(), Some("open"));
}

#[test]
fn n3_a_purchase_keeps_a_customer_active_after_a_contract() {
    holds("n03_bought_after_the_contract.toml");
}

#[test]
fn n6_what_has_no_amount_is_left_out_for_that_reason() {
    holds("n06_amounts_and_rates.toml");
    holds("n06_one_currency.toml");
}

#[test]
fn n7_recurring_revenue_is_rounded_once() {
    let mut case = String::from("shows = \"N7: a thousand contracts of 100.01 a year\"\nrecord = [\n  { object = \"customer\", id = \"A\", fields = { name = \"A\" } },\n");
    for n in 0..1_000 {
        case += &format!("  {{ object = \"contract\", id = \"c{n}\", fields = {{ plan = \"p\", customer = \"A\", starts_at = \"2024-01-01\", value = \"100.01\", value_months = 12 }} }},\n");
    }
    // 100,010 / 12 = 8,334.1666…
    case += "]\nexpect = [\n  { metric = \"recurring_revenue\", from = \"2024-01-01\", to = \"2024-02-01\", value = 8334.166666666667 },\n  { metric = \"net_new_revenue\", variant = \"recurring\", from = \"2024-01-01\", to = \"2024-02-01\", value = 8334.166666666667 },\n]\n";
    let prepared = northing_testkit::cases::prepare(&toml::from_str(&case).unwrap());
    let day = |t: &str| northing_model::value::parse_date(t).unwrap();
    let question = northing_metrics::Question::new("recurring_revenue", northing_model::Period { start: day("2024-01-01"), end: day("2024-02-01") }, NOW);
    let rows = northing_metrics::drill::drill(&prepared.snapshot, &question, &northing_metrics::drill::Side::Numerator, 0, 5_000).unwrap();
    assert_eq!((rows.total, (rows.sum * 100.0).round()), (1_000, 833_417.0), "the records behind it add up to it");
    let wrong = northing_testkit::cases::run(Path::new("n7"), &case);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn n10_people_count_from_their_first_work() {
    holds("n10_since_when_people_work.toml");
}

#[test]
fn n12_a_sum_with_an_amount_without_a_rate_is_unknown() {
    holds("n06_amounts_and_rates.toml");
}

#[test]
fn n18_a_variant_leaves_out_what_it_says() {
    holds("n18_left_out_where_it_is.toml");
}

#[test]
fn n22_three_links_in_a_second_are_a_machine() {
    holds("n22_machines_click.toml");
}

/// A day of another calendar's year that is typed where the workspace keeps this one is a question, not a day of the
/// Middle Ages: Khordad 1st, 1405 was May 22nd, 2026.
#[test]
fn a_year_that_nobody_can_mean_is_no_day() {
    let server = crate::http::start();
    let cookie = server.sign_in();
    let enter = |fields: serde_json::Value| server.as_them(&cookie, "POST", "/api/records/deals", &fields);
    for (day, says) in [("1405-03-01", "2026-05-22"), ("0201-01-01", "before the year 1800"), ("1799-12-31", "before the year 1800")] {
        let refused = enter(serde_json::json!({"name": "D", "expected_close": day}));
        assert!(refused.status == 422 && refused.json()["field"] == "expected_close" && refused.body.contains(says), "{day}: {}", refused.body);
    }
    // Mehr has thirty days: nothing is proposed for a day that it does not have.
    let refused = enter(serde_json::json!({"name": "D", "expected_close": "1405-07-31"}));
    assert!(refused.status == 422 && refused.body.contains("before the year 1800") && !refused.body.contains("Hijri"), "{}", refused.body);
    // Whoever writes: the store itself takes none.
    let day = northing_model::value::parse_date("1405-03-01").unwrap();
    let change = Change::create("deal", Uuid::from_u64_pair(9, 1), Record::from([("name".into(), text("D")), ("expected_close".into(), Value::Date(day))]));
    let told = server.store.commit(Commit { actor: "test".into(), at: NOW, changes: vec![change], key: None }).unwrap_err().to_string();
    assert!(told.contains("2026-05-22"), "{told}");
    let refused = enter(serde_json::json!({"name": "D", "created_at": "1404-01-01T08:00:00Z"}));
    assert!(refused.status == 422 && refused.body.contains("2025-03-21"), "{}", refused.body);
    let taken = enter(serde_json::json!({"name": "D", "expected_close": "1800-01-01"}));
    assert!(taken.json()["field"] == "stage", "the day was taken, and what is asked for next is the stage: {}", taken.body);
}
