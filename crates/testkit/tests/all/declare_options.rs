//! Options are known by their names: wherever they stand in their lists, every number is the same (N17).

use northing_crm::Env;
use northing_facts::Facts;
use northing_metrics::{Cache, Question, Wanted, ask};
use northing_model::period::{Grain, Period};
use northing_model::{FieldType, Model};
use northing_store::Store;
use std::sync::Arc;

/// The model with the options of every choice in another order: turned round, or moved on by one.
fn shuffled(model: &Model, way: usize) -> Model {
    let mut other = model.clone();
    for field in other.objects.iter_mut().flat_map(|o| o.fields.values_mut()).filter(|f| matches!(f.kind, FieldType::Choice | FieldType::Shares) && f.band.is_none()) {
        match way {
            0 => field.options.reverse(),
            n => {
                let most = field.options.len();
                field.options.rotate_left(n % most);
            }
        }
    }
    other
}

#[test]
fn n17_options_are_known_by_name_wherever_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::fixed(1_710_000_000, 1);
    northing_crm::demo::fill(&store, &env, 5).unwrap();
    let told = |model: Arc<Model>| {
        let snapshot = Facts::load_by(&store, model).unwrap().snapshot();
        let metrics = snapshot.model.metrics.values().flat_map(|m| std::iter::once(None).chain(m.variants.keys().cloned().map(Some)).map(|variant| Wanted { metric: m.id.clone(), variant })).collect();
        let day = |text: &str| northing_model::value::parse_date(text).unwrap();
        let question = Question { metrics, grain: Grain::Quarter, ..Question::new("", Period { start: day("2022-01-01"), end: day("2024-04-01") }, 1_710_000_000) };
        let answer = ask(&snapshot, &question, &Cache::default()).unwrap();
        let texts: Vec<String> = answer.metrics.iter().map(|m| format!("{} {:?}: {:?} {:?}", m.id, m.variant, m.total, m.buckets)).collect();
        texts
    };
    let plain = told(store.model());
    assert!(plain.len() > 70 && plain.iter().filter(|t| !t.contains("value: None")).count() > 30, "the demo says too little");
    for way in 0..3 {
        let other = told(Arc::new(shuffled(&store.model(), way)));
        for (one, two) in plain.iter().zip(&other) {
            assert_eq!(one, two, "the order of options counts");
        }
    }
}

/// An option that derivations know but the product's files no longer have stops the start with its name.
#[test]
fn n17_a_missing_option_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut model = (*store.model()).clone();
    for object in &mut model.objects {
        if let Some(field) = object.fields.get_mut("status").filter(|_| object.name == "ticket") {
            field.options.retain(|o| o != "solved");
        }
    }
    let refused = Facts::load_by(&store, Arc::new(model)).err().unwrap().to_string();
    assert!(refused.contains("ticket.status") && refused.contains("'solved'"), "{refused}");
}
