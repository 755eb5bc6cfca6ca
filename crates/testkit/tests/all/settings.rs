//! The workspace's settings while facts follow: whichever is changed, the facts are what they would be if they were read
//! anew, and they are read anew only where rows depend on it.

use northing_crm::Env;
use northing_facts::{Facts, Snapshot};
use northing_metrics::{Cache, Question, Wanted, ask};
use northing_model::{FieldType, Grain, Period, Record, Value};
use northing_store::{Change, Commit, Store};
use std::sync::Arc;

/// Every number, in each of its variants, of two years and of each of their quarters.
fn answers(snapshot: &Snapshot, cache: &Cache) -> Vec<String> {
    let end = (crate::http::NOW / 86_400) as i32;
    snapshot.model.metrics.iter().map(|(metric, def)| {
        let mut question = Question::new(metric, Period { start: end - 730, end }, crate::http::NOW);
        question.grain = Grain::Quarter;
        question.metrics.extend(def.variants.keys().map(|variant| Wanted { metric: metric.clone(), variant: Some(variant.clone()) }));
        format!("{metric}: {:?}", ask(snapshot, &question, cache).unwrap().metrics)
    }).collect()
}

#[test]
fn every_setting_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::demo::fill(&store, &Env::fixed(crate::http::NOW, 3), 3).unwrap();
    let mut live = Facts::load(&store).unwrap();
    let model = store.model();
    let cache = Cache::default();
    let (mut known, mut changed) = (answers(&live.snapshot(), &cache), std::collections::BTreeSet::new());
    let (mut kept, mut anew) = (Vec::new(), Vec::new());
    for field in model.object("workspace").unwrap().stored_fields().filter(|f| !matches!(f.kind, FieldType::Ref | FieldType::Datetime) && !["external_id", "is_test"].contains(&f.name.as_str())) {
        let (id, record, _) = store.workspace().unwrap().unwrap();
        let was = record.get(&field.name).cloned().unwrap_or_default();
        let other = match (field.kind, &was) {
            (FieldType::Int, Value::Int(n)) => Value::Int(if *n > 3 { n / 3 } else { n + 1 }),
            (FieldType::Decimal, _) => Value::Decimal(3_500_000),
            (FieldType::Date, _) => Value::Date(19_500),
            (FieldType::Bool, was) => Value::Bool(!was.is_true()),
            (FieldType::Choice, was) => Value::Text(field.options.iter().find(|o| was.as_text() != Some(o)).unwrap().clone()),
            (FieldType::Currency, _) => Value::Text("PLN".into()),
            (FieldType::Text, _) if field.name == "zone" => Value::Text("Asia/Tehran".into()),
            (FieldType::Text, _) => Value::Text("Another".into()),
            (kind, was) => panic!("workspace.{}: what is another value of {kind:?} than {was:?}?", field.name),
        };
        assert_ne!(was, other, "{}", field.name);
        let before = live.snapshot();
        let change = Change::update("workspace", id, Record::from([(field.name.clone(), other)]));
        store.commit(Commit { actor: "owner".into(), at: crate::http::NOW, changes: vec![change], key: None }).unwrap();
        live.catch_up(&store).unwrap();
        let (now, rebuilt) = (live.snapshot(), Facts::load(&store).unwrap().snapshot());
        let differences = northing_facts::snapshot::differences(&now, &rebuilt);
        assert!(differences.is_empty(), "{}: {:?}", field.name, &differences[..differences.len().min(3)]);
        assert_eq!(format!("{:?}", now.settings), format!("{:?}", rebuilt.settings), "{}", field.name);
        // Nor is anything kept of what was asked before.
        let (with_kept, fresh) = (answers(&now, &cache), answers(&rebuilt, &Cache::default()));
        for (one, other) in with_kept.iter().zip(&fresh) {
            assert_eq!(one, other, "{}", field.name);
        }
        changed.extend(with_kept.iter().zip(&known).filter(|(a, b)| a != b).map(|(_, _)| field.name.clone()));
        known = with_kept;
        let same = Arc::ptr_eq(&before.table("customer").unwrap().chunks[0], &now.table("customer").unwrap().chunks[0]);
        if same { kept.push(&field.name) } else { anew.push(&field.name) }
    }
    println!("numbers differ by {changed:?}");
    println!("kept for {kept:?}\nanew for {anew:?}");
    for name in ["name", "export_alarm", "calendar", "week_start"] {
        assert!(kept.iter().any(|k| *k == name), "facts are read anew for {name}");
    }
    assert!(anew.iter().any(|k| *k == "zone") && anew.iter().any(|k| *k == "currency"), "{anew:?}");
}
