//! Facts that are kept while records change are what they would be if they were read anew: whichever field of whichever
//! object is changed, whatever is deleted and taken back, and whoever stops to count.

use crate::http::NOW;
use crate::rights::{commit, everybodys, life, value};
use northing_facts::{Facts, Snapshot};
use northing_model::{FieldType, Record, Value};
use northing_store::{Change, Commit, Op, Store};
use northing_testkit::cases::id_of;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

struct World {
    _folder: tempfile::TempDir,
    store: Store,
    live: Facts,
    /// What records of each of the two people refer to.
    refs: [BTreeMap<String, Uuid>; 2],
}

const PEOPLE: [&str; 2] = ["ann", "bob"];

/// Two people, each with one record of every object, each pointing at the others of the same person.
fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    commit(&store, "workspace", "workspace", &[("name", Value::Text("W".into()))]);
    let shared = everybodys(&store);
    let model = store.model();
    let refs = PEOPLE.map(|person| {
        let user = commit(&store, "user", person, &[("name", Value::Text(person.into())), ("enabled_at", Value::Time(NOW - 90 * 86_400))]);
        let mut refs = shared.clone();
        refs.insert("user".into(), user);
        life(&model, &store, person, "", &refs, &[], "");
        let own = model.objects.iter().map(|o| (o.name.clone(), id_of(&format!("{person}/{}", o.name)))).filter(|(name, id)| store.get(name, *id).is_ok());
        refs.extend(own.collect::<Vec<_>>());
        refs
    });
    let live = Facts::load(&store).unwrap();
    World { _folder: folder, store, live, refs }
}

impl World {
    /// Makes a change and holds the kept facts against facts read anew; whether the store would have it.
    fn follows(&mut self, what: &str, change: Change) -> bool {
        if self.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).is_err() {
            return false;
        }
        self.live.catch_up(&self.store).unwrap();
        let (kept, anew) = (self.live.snapshot(), Facts::load(&self.store).unwrap().snapshot());
        let differences = northing_facts::snapshot::differences(&kept, &anew);
        assert!(differences.is_empty(), "{what}: {:#?}", &differences[..differences.len().min(3)]);
        true
    }
}

#[test]
fn whatever_is_changed_what_is_kept_follows() {
    let mut world = world();
    let model = world.store.model();
    let (mut taken, mut refused) = (0, BTreeSet::new());
    for object in model.objects.iter().filter(|o| !o.derived) {
        let Some(id) = world.refs[0].get(&object.name).copied() else { continue };
        for field in object.stored_fields().filter(|f| !matches!(f.name.as_str(), "updated_at" | "external_id" | "merged_into")) {
            let was = world.store.get(&object.name, id).unwrap().0.get(&field.name).cloned().unwrap_or_default();
            // Another value, none, and what it was.
            let other = match field.kind {
                FieldType::Bool => Value::Bool(!was.is_true()),
                FieldType::Choice => Value::Text(field.options.iter().find(|o| was.as_text() != Some(o)).unwrap().clone()),
                FieldType::Ref => field.to.as_ref().and_then(|to| world.refs[1].get(to)).map_or(Value::Null, |id| Value::Ref(*id)),
                _ => value(field, &format!("other/{}/{}", object.name, field.name), &world.refs[1]),
            };
            for next in [other, Value::Null, was] {
                let what = format!("{}.{} = {next:?}", object.name, field.name);
                let change = Change::update(&object.name, id, Record::from([(field.name.clone(), next)]));
                if world.follows(&what, change) {
                    taken += 1;
                } else {
                    refused.insert(format!("{}.{}", object.name, field.name));
                }
            }
        }
    }
    assert!(taken > 600 && refused.len() * 4 < taken, "{taken} changes, refused some of {refused:?}");
}

#[test]
fn whatever_is_deleted_and_taken_back_what_is_kept_follows() {
    let mut world = world();
    let model = world.store.model();
    let mut taken = 0;
    for object in model.objects.iter().filter(|o| !o.derived && o.name != "workspace") {
        for who in 0..2 {
            let Some(id) = world.refs[who].get(&object.name).copied() else { continue };
            for op in [Op::Delete, Op::Restore] {
                let change = if op == Op::Delete { Change::delete(&object.name, id) } else { Change::restore(&object.name, id) };
                taken += usize::from(world.follows(&format!("{op:?} {} of {}", object.name, PEOPLE[who]), change));
            }
        }
    }
    assert!(taken > 100, "{taken}");
}

/// What is counted of a table.
fn counted(snapshot: &Snapshot, table: &str) -> usize {
    let table = snapshot.table(table).unwrap();
    (0..table.len).filter(|row| table.flags(*row) & northing_facts::table::COUNTED != 0).count()
}

/// Their orders, deals, tickets and contracts count no longer, and do again.
#[test]
fn who_becomes_a_test_takes_along_what_is_theirs() {
    let mut world = world();
    let customer = world.refs[0]["customer"];
    let tables = ["customer", "order", "deal", "ticket", "contract"];
    let all = |w: &mut World| { let snapshot = w.live.snapshot(); tables.map(|t| counted(&snapshot, t)) };
    let before = all(&mut world);
    for field in ["is_test", "is_internal"] {
        assert!(world.follows(field, Change::update("customer", customer, Record::from([(field.to_string(), Value::Bool(true))]))));
        let now = all(&mut world);
        for (i, table) in tables.iter().enumerate() {
            assert!(before[i] == 0 || now[i] < before[i], "{table} of a customer who is {field} count: {before:?} {now:?}");
        }
        assert!(world.follows(field, Change::update("customer", customer, Record::from([(field.to_string(), Value::Bool(false))]))));
        assert_eq!(all(&mut world), before);
    }
}

/// What a product costs, belongs to, replaces and goes with reaches the lines that were written before.
#[test]
fn what_a_product_is_reaches_the_lines_that_were_there() {
    let mut world = world();
    let text = |t: &str| Value::Text(t.into());
    let currency = world.store.currency();
    let money = |minor: i64| Value::Money(northing_model::Money { minor, currency });
    let (first, second) = (commit(&world.store, "product", "cart", &[("name", text("Cart")), ("category", text("Carts")), ("cost", money(500))]), commit(&world.store, "product", "wheel", &[("name", text("Wheel")), ("category", text("Carts")), ("cost", money(70))]));
    let buyer = commit(&world.store, "customer", "buyer", &[("name", text("Buyer"))]);
    for (n, product) in [first, second].into_iter().enumerate() {
        let order = commit(&world.store, "order", &format!("bought{n}"), &[("number", text(&format!("B{n}"))), ("customer", Value::Ref(buyer)), ("confirmed_at", Value::Time(NOW - (20 - n as i64) * 86_400))]);
        commit(&world.store, "order_line", &format!("bought{n}/line"), &[("order", Value::Ref(order)), ("product", Value::Ref(product)), ("quantity", Value::Decimal(2_000_000)), ("unit_price", Value::Decimal(9_000_000))]);
    }
    world.live.catch_up(&world.store).unwrap();
    let line = |world: &mut World| {
        let snapshot = world.live.snapshot();
        let (table, row) = snapshot.place_of("order_line", id_of("bought1/line")).unwrap();
        let table = &snapshot.tables[table];
        ["cost", "is_upsell", "is_cross_sell"].map(|c| table.get(table.schema.column(c).unwrap(), row))
    };
    let before = line(&mut world);
    for (field, value, changes) in [("cost", money(90), 0), ("upgrades", Value::Ref(first), 1), ("upgrades", Value::Null, 1), ("category", text("Wheels"), 2), ("category", text("Carts"), 2), ("complements", Value::List(vec![first.to_string()]), 2)] {
        let was = line(&mut world);
        assert!(world.follows(field, Change::update("product", second, Record::from([(field.to_string(), value.clone())]))), "{field} = {value:?}");
        assert!(was[changes] != line(&mut world)[changes], "{field} = {value:?} changed nothing: {was:?}, at first {before:?}");
    }
}
