//! The demo is the life of a business that could be: nothing happens before it can, or later than now.

use crate::http::NOW;
use northing_crm::Env;
use northing_model::Value;
use northing_store::Store;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

const DAY: i64 = 86_400;

/// All records of an object, with some of their fields.
fn records(store: &Store, object: &str, fields: &[&str]) -> Vec<(Uuid, Vec<Value>)> {
    let model = store.model();
    let def = model.object(object).unwrap();
    let fields: Vec<_> = fields.iter().map(|f| def.field(f).unwrap()).collect();
    let mut found = Vec::new();
    store.scan(object, &fields, |id, _, values| found.push((id, values.to_vec()))).unwrap();
    found
}

#[test]
fn nothing_of_the_demo_happens_before_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::demo::fill(&store, &Env::fixed(NOW, 3), 3).unwrap();
    let lives = |at: i64, what: &str| assert!((NOW - 800 * DAY..=NOW).contains(&at), "{what} at {at}, now is {NOW}");

    // What is said in a ticket is said after somebody asked.
    let opened: HashMap<Uuid, i64> = records(&store, "ticket", &["opened_at"]).into_iter().map(|(id, v)| (id, v[0].as_int().unwrap())).collect();
    let said = records(&store, "message", &["ticket", "at", "author"]);
    assert!(said.len() > opened.len(), "hardly anybody answers: {} messages of {} tickets", said.len(), opened.len());
    for (_, v) in &said {
        let at = v[1].as_int().unwrap();
        lives(at, "a message");
        assert!(at >= opened[&v[0].as_ref_id().unwrap()], "an {} message before its ticket", v[2].as_text().unwrap());
    }

    // Most customers read the newsletter, none before there was anything to subscribe to, and nobody leaves a list before joining it.
    let customers = records(&store, "customer", &["name"]).len();
    let mut joined: BTreeMap<Uuid, i64> = BTreeMap::new();
    let mut left: BTreeMap<Uuid, i64> = BTreeMap::new();
    for (_, v) in records(&store, "consent_event", &["customer", "at", "kind"]) {
        let (who, at) = (v[0].as_ref_id().unwrap(), v[1].as_int().unwrap());
        lives(at, "a consent");
        if v[2].as_text() == Some("subscribed") { joined.insert(who, at) } else { left.insert(who, at) };
    }
    assert!(left.iter().all(|(who, at)| joined.get(who).is_some_and(|joined| joined <= at)), "somebody left a list before joining it");
    let bought = records(&store, "order", &["customer"]).iter().filter_map(|(_, v)| v[0].as_ref_id()).collect::<std::collections::BTreeSet<_>>().len();
    let part = joined.len() * 100 / bought;
    assert!((50..85).contains(&part), "{} of {bought} buyers ({customers} customers) subscribed", joined.len());
    assert!((5..25).contains(&(left.len() * 100 / joined.len())), "{} of {} left", left.len(), joined.len());

    // Automation takes over: a piece of routine work takes less and less.
    let work: Vec<(i64, i64)> = records(&store, "time_entry", &["started_at", "ended_at", "is_routine"]).into_iter().filter(|(_, v)| v[2].is_true()).map(|(_, v)| (v[0].as_int().unwrap(), v[1].as_int().unwrap())).collect();
    let mean = |within: std::ops::Range<i64>| {
        let own: Vec<i64> = work.iter().filter(|w| within.contains(&(NOW - w.0))).map(|w| w.1 - w.0).collect();
        assert!(own.len() > 20, "{} pieces of routine work within {within:?}", own.len());
        own.iter().sum::<i64>() / own.len() as i64
    };
    let (first, last) = (mean(530 * DAY..730 * DAY), mean(0..200 * DAY));
    assert!(last > 0 && last < first * 4 / 5, "a piece of routine work took {first} seconds and takes {last}");

    // A business that grows spends more on being found.
    let mut months: BTreeMap<i64, i64> = BTreeMap::new();
    for (_, v) in records(&store, "expense", &["incurred_on", "amount", "nature"]) {
        if let (Some("media"), Value::Money(money)) = (v[2].as_text(), &v[1]) {
            *months.entry(v[0].as_int().unwrap()).or_default() += money.minor;
        }
    }
    let spent: Vec<i64> = months.into_values().collect();
    let (first, last) = (spent[..6].iter().sum::<i64>(), spent[spent.len() - 6..].iter().sum::<i64>());
    assert!(spent.len() >= 20 && last > first * 5 / 4 && last < first * 3, "advertising by month: {spent:?}");
}
