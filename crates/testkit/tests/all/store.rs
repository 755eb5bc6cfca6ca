//! The store: versions, idempotency, atomicity, merges in a circle, imports with bad rows.

use northing_crm::Env;
use northing_crm::import::{Plan, guess, import};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store, StoreError};
use uuid::Uuid;

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}
fn commit(store: &Store, changes: Vec<Change>) -> Result<northing_store::Committed, StoreError> {
    store.commit(Commit { actor: "t".into(), at: 1, changes, key: None })
}
fn named(name: &str) -> Record {
    Record::from([("name".into(), Value::Text(name.into()))])
}

#[test]
fn all_or_nothing_and_no_lost_update() {
    let (_folder, store) = open();
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    let wrong = Record::from([("name".into(), Value::Text("x".into())), ("customer".into(), Value::Ref(Uuid::now_v7()))]);
    let refused = commit(&store, vec![Change::create("customer", a, named("A")), Change::create("contact", b, wrong)]);
    assert!(refused.unwrap_err().to_string().contains("there is no customer"));
    assert!(store.get("customer", a).is_err(), "half a commit was kept");
    assert_eq!(store.seq(), 0, "a refused commit left a gap in the log");
    commit(&store, vec![Change::create("customer", a, named("A"))]).unwrap();
    commit(&store, vec![Change::update("customer", a, named("B")).at_version(1)]).unwrap();
    let late = commit(&store, vec![Change::update("customer", a, named("C")).at_version(1)]).unwrap_err();
    assert!(matches!(late, StoreError::Conflict { actual: 2, .. }));
    assert_eq!(commit(&store, vec![Change::update("customer", a, named("B"))]).unwrap().versions, []);
    let missing = commit(&store, vec![Change::create("customer", Uuid::now_v7(), Record::new())]).unwrap_err();
    assert!(missing.to_string().contains("a value is required"));
}

#[test]
fn a_key_gives_the_same_answer_and_refuses_another_request() {
    let (_folder, store) = open();
    let id = Uuid::now_v7();
    let with_key = |hash: &str| store.commit(Commit { actor: "t".into(), at: 1, changes: vec![Change::create("customer", id, named("A"))], key: Some(("k".into(), hash.into())) });
    let first = with_key("one").unwrap();
    assert_eq!(with_key("one").unwrap(), first);
    assert!(matches!(with_key("two").unwrap_err(), StoreError::KeyReused));
    assert_eq!(store.count("customer").unwrap(), 1);
}

#[test]
fn two_programs_may_write_one_workspace() {
    let (folder, store) = open();
    let feed = northing_facts::Feed::start(&store, None).unwrap();
    let other = Store::open(folder.path()).unwrap();
    for i in 0..20 {
        let writer = if i % 2 == 0 { &store } else { &other };
        commit(writer, vec![Change::create("customer", Uuid::now_v7(), named("A"))]).unwrap();
    }
    assert_eq!((store.refresh().unwrap(), other.refresh().unwrap()), (20, 20));
    commit(&other, vec![Change::create("customer", Uuid::now_v7(), named("B"))]).unwrap();
    let seen = feed.at_least(21, std::time::Duration::from_secs(10));
    assert_eq!((seen.seq, seen.table("customer").unwrap().existing), (21, 21));
    feed.stop();
}

#[test]
fn merges_do_not_go_in_circles() {
    let (_folder, store) = open();
    let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
    commit(&store, vec![Change::create("customer", a, named("A")), Change::create("customer", b, named("B"))]).unwrap();
    let merge = |loser, winner| commit(&store, vec![Change::update("customer", loser, Record::from([("merged_into".into(), Value::Ref(winner))]))]);
    merge(a, b).unwrap();
    assert!(merge(b, a).unwrap_err().to_string().contains("merged"));
    assert!(merge(b, b).is_err());
}

#[test]
fn custom_fields_and_objects_are_declarations_in_the_workspace() {
    let (folder, store) = open();
    let define = |kind: &str, name: &str, body: &str| {
        let text = |t: &str| Value::Text(t.into());
        commit(&store, vec![Change::create("definition", Uuid::now_v7(), Record::from([("kind".into(), text(kind)), ("name".into(), text(name)), ("body".into(), text(body))]))])
    };
    define("fields", "deal", "x_colour = { type = \"label\" }").unwrap();
    define("object", "x_boat", "name = \"x_boat\"\nplural = \"x_boats\"\ntitle = \"x_name\"\n[fields]\nx_name = { type = \"text\", required = true }").unwrap();
    assert!(define("fields", "deal", "x_colour = { type = \"colour\" }").is_err());
    assert!(define("metric", "m", "[m]\nkind = \"flow\"").is_err());
    commit(&store, vec![Change::create("x_boat", Uuid::now_v7(), Record::from([("x_name".into(), Value::Text("Ferry".into()))]))]).unwrap();
    store.close();
    drop(store);
    let again = Store::open(folder.path()).unwrap();
    assert_eq!(again.count("x_boat").unwrap(), 1);
    assert!(again.model().object("deal").unwrap().field("x_colour").is_some());
}

#[test]
fn bad_rows_are_set_aside_and_can_be_mended() {
    let (folder, store) = open();
    let env = Env::fixed(1_700_000_000, 1);
    let plan = Plan::parse(
        "[[file]]\nname = \"*.csv\"\n[[file.make]]\nobject = \"customer\"\nkey = \"id\"\n[file.make.fields]\nname = \"name\"\nemail = \"mail\"\n\
         [[file.make]]\nobject = \"order\"\nkey = \"order\"\n[file.make.fields]\nnumber = \"order\"\ncustomer = \"id\"\nconfirmed_at = { column = \"day\", format = \"%d.%m.%Y\" }\nnet = { column = \"total\", decimal = \",\" }\n",
    )
    .unwrap();
    let file = folder.path().join("in.csv");
    std::fs::write(&file, "\u{feff}id,name,mail,order,day,total\n1,Ann,ann@example.com,o1,01.02.2024,\"1.234,50\"\n2,Bob,not a mail,o2,02.02.2024,5\n3,Cid,,o3,31.02.2024,5\n4,,,o4,03.02.2024,5\n5,Eve,,o5,04.02.2024,12x\n6,\"=HYPERLINK(1)\",,o6,05.02.2024,\"7,25\"\n").unwrap();
    let mut rejects = Vec::new();
    let report = import(&store, &env, &plan, &file, &mut |_, r| rejects.push((r.row, r.column.clone(), r.reason.clone()))).unwrap();
    // What is needed sets its row aside; what may be empty is left out of it and listed.
    assert_eq!((report.rows, report.rejected, report.left_out), (6, 1, 3));
    rejects.sort();
    assert_eq!(rejects.iter().map(|r| (r.0, r.1.as_str())).collect::<Vec<_>>(), [(4, "name")]);
    assert_eq!(report.left.iter().map(|r| (r.row, r.column.as_str())).collect::<Vec<_>>(), [(2, "mail"), (3, "day"), (5, "total")]);
    assert_eq!((store.count("customer").unwrap(), store.count("order").unwrap()), (5, 5), "a rejected row left something behind");
    let mended = folder.path().join("mended.csv");
    std::fs::write(&mended, "id,name,mail,order,day,total,northing_row\n2,Bob,bob@example.com,o2,02.02.2024,5,2\n4,Dan,,o4,03.02.2024,5,4\n").unwrap();
    import(&store, &env, &plan, &mended, &mut |_, r| panic!("{r:?}")).unwrap();
    let seq = store.seq();
    import(&store, &env, &plan, &mended, &mut |_, r| panic!("{r:?}")).unwrap();
    assert_eq!(store.seq(), seq);
    assert_eq!(store.count("order").unwrap(), 6);
    let headings: Vec<String> = ["Record ID", "Deal Name", "Deal Stage", "Amount", "Deal owner"].map(String::from).to_vec();
    let (model, labels) = (store.model(), northing_model::Labels::load().unwrap());
    let guessed = guess::guess(&model, &labels, guess::Looked { name: "hubspot-crm-exports-all-deals.csv", headings: &headings, sample: &[] }).mapping.unwrap();
    let guessed = guessed.plan(model.object("deal").unwrap(), &labels, "deals.csv", ",", "deals.csv", &headings);
    assert_eq!(guessed.file[0].make[0].object, "deal");
    assert!(guessed.file[0].make[0].fields.contains_key("amount") && guessed.file[0].make[0].fields.contains_key("owner"));
    Plan::parse(&guessed.to_toml()).unwrap();
}

/// Fifty at once for one slot: one gets it, the others are told, and what is cancelled is free again (P5).
#[test]
fn nobody_is_booked_twice() {
    let (_folder, store) = open();
    let (user, customer) = (Uuid::now_v7(), Uuid::now_v7());
    commit(&store, vec![Change::create("user", user, named("U")), Change::create("customer", customer, named("C"))]).unwrap();
    let booking = |from: i64, to: i64| Record::from([("user".into(), Value::Ref(user)), ("customer".into(), Value::Ref(customer)), ("starts_at".into(), Value::Time(from)), ("ends_at".into(), Value::Time(to))]);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..50).map(|i| {
            let (store, fields) = (&store, booking(1_000 + i % 5 * 100, 2_000 + i % 7 * 100));
            scope.spawn(move || commit(store, vec![Change::create("booking", Uuid::now_v7(), fields)]))
        }).collect();
        running.into_iter().map(|r| r.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(outcomes.iter().filter_map(|o| o.as_ref().err()).all(|e| matches!(e, StoreError::Taken { .. })));
    assert_eq!(store.count("booking").unwrap(), 1);
    let won = outcomes.into_iter().find_map(Result::ok).unwrap().versions[0].0;
    // Side by side is no overlap; the winner may be moved within its own time; a cancelled one makes room.
    commit(&store, vec![Change::create("booking", Uuid::now_v7(), booking(3_000, 3_600))]).unwrap();
    commit(&store, vec![Change::create("booking", Uuid::now_v7(), booking(3_600, 4_000))]).unwrap();
    commit(&store, vec![Change::update("booking", won, Record::from([("ends_at".into(), Value::Time(1_900))]))]).unwrap();
    assert!(matches!(commit(&store, vec![Change::update("booking", won, Record::from([("ends_at".into(), Value::Time(3_100))]))]).unwrap_err(), StoreError::Taken { .. }));
    commit(&store, vec![Change::update("booking", won, Record::from([("status".into(), Value::Text("cancelled".into()))]))]).unwrap();
    commit(&store, vec![Change::create("booking", Uuid::now_v7(), booking(1_000, 2_000))]).unwrap();
    assert!(matches!(commit(&store, vec![Change::update("booking", won, Record::from([("status".into(), Value::Text("booked".into()))]))]).unwrap_err(), StoreError::Taken { .. }));
    // Without an end it lasts as long as its service takes, and stands in the way as long.
    let service = Uuid::now_v7();
    commit(&store, vec![Change::create("product", service, Record::from([("name".into(), Value::Text("Visit".into())), ("takes".into(), Value::Int(1_800))]))]).unwrap();
    let visit = |at: i64| Record::from([("user".into(), Value::Ref(user)), ("product".into(), Value::Ref(service)), ("starts_at".into(), Value::Time(at))]);
    let made = commit(&store, vec![Change::create("booking", Uuid::now_v7(), visit(20_000))]).unwrap().versions[0].0;
    assert_eq!(store.get("booking", made).unwrap().0["ends_at"], Value::Time(21_800));
    assert!(matches!(commit(&store, vec![Change::create("booking", Uuid::now_v7(), visit(21_000))]).unwrap_err(), StoreError::Taken { .. }));
    assert!(commit(&store, vec![Change::create("booking", Uuid::now_v7(), booking(9_000, 8_000))]).unwrap_err().to_string().contains("before it begins"));
}
