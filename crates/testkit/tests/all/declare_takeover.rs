//! Workspaces whose own names had no prefix yet are taken over when they are opened (S1): with their values, rights, kept
//! lists, goals and log; and those that an own object called like a table of the system had stopped begin again.

use crate::declare::{commit, content, define, open};
use northing_model::{Record, Value};
use northing_store::Change;
use rusqlite::{Connection, params};
use serde_json::json;
use uuid::Uuid;

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

/// Makes a workspace of today one of yesterday: every own name loses its prefix, every own column its type.
fn age(db: &Connection, renames: &[(&str, &str)]) {
    for (now, then) in renames {
        for (table, column) in [("definition", "name"), ("definition", "body"), ("change", "object"), ("change", "before"), ("change", "after"), ("change", "moments"), ("history", "object"), ("history", "field"), ("wording", "object"), ("wording", "field"), ("access_role", "rights"), ("saved_list", "of"), ("saved_list", "search"), ("goal", "kpi"), ("score_rule", "condition")] {
            db.execute(&format!("update {table} set \"{column}\" = replace(\"{column}\", ?1, ?2)"), params![now, then]).unwrap();
        }
    }
    db.execute_batch("drop table own_column; create table own_column (object text not null, field text not null, declared text not null, primary key (object, field)) strict, without rowid;").unwrap();
}

#[test]
fn s1_names_without_a_prefix_are_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    commit(&store, vec![Change::create("workspace", Uuid::now_v7(), Record::from([("name".into(), text("W"))]))]).unwrap();
    define(&store, "object", "x_boat", "name = \"x_boat\"\nplural = \"x_boats\"\ntitle = \"x_called\"\nlist = [\"x_called\", \"x_price\"]\n[fields]\nx_called = { type = \"text\", required = true }\nx_price = { type = \"money\" }\nx_story = { type = \"long_text\", facts = false }\nx_state = { type = \"choice\", options = [\"x\", \"y\"], history = true }\n").unwrap();
    define(&store, "fields", "lead", "x_colour = { type = \"label\" }\nx_boat = { type = \"ref\", to = \"x_boat\" }").unwrap();
    define(&store, "metric", "x_fleet", "[x_fleet]\nname = \"Fleet\"\nkind = \"flow\"\nunit = \"count\"\ngood = \"up\"\ngroup = \"own\"\nnum = [{ from = \"x_boat\", time = \"created_at\", where = \"x_state = 'x'\" }]\n").unwrap();
    let (boat, lead, role, list, goal, rule) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    let price = Value::Money(northing_model::Money::parse("12.50", northing_model::Currency::parse("EUR").unwrap()).unwrap());
    commit(&store, vec![
        Change::create("x_boat", boat, Record::from([("x_called".into(), text("Ferry")), ("x_price".into(), price.clone()), ("x_story".into(), text("built of zirconium")), ("x_state".into(), text("x")), ("external_id".into(), text("b1"))])),
        Change::create("lead", lead, Record::from([("name".into(), text("L")), ("x_colour".into(), text("red")), ("x_boat".into(), Value::Ref(boat))])),
        Change::create("access_role", role, Record::from([("name".into(), text("R")), ("rights".into(), text("{\"x_boat\":{\"see\":\"all\",\"hide\":[\"x_price\"]}}"))])),
        Change::create("saved_list", list, Record::from([("name".into(), text("S")), ("of".into(), text("x_boats")), ("search".into(), text("{\"c\":\"x_called,x_price\"}"))])),
        Change::create("goal", goal, Record::from([("name".into(), text("G")), ("kpi".into(), text("x_fleet")), ("starts_on".into(), Value::Date(1)), ("ends_on".into(), Value::Date(2)), ("target".into(), Value::Decimal(1))])),
        Change::create("score_rule", rule, Record::from([("name".into(), text("U")), ("condition".into(), text("x_colour = 'red'")), ("points".into(), Value::Int(3))])),
    ]).unwrap();
    commit(&store, vec![Change::update("x_boat", boat, Record::from([("x_called".into(), text("Tug"))]))]).unwrap();
    store.close();

    let db = Connection::open(folder.path().join("northing.db")).unwrap();
    age(&db, &[("x_boats", "boats"), ("x_boat", "boat"), ("x_called", "called"), ("x_price", "price"), ("x_story", "story"), ("x_state", "state"), ("x_colour", "colour"), ("x_fleet", "fleet")]);
    for (table, now, then) in [("x_boat", "x_called__text", "called"), ("x_boat", "x_price__money__currency", "price__currency"), ("x_boat", "x_price__money", "price"), ("x_boat", "x_story__long_text", "story"), ("x_boat", "x_state__choice", "state"), ("lead", "x_colour__label", "colour"), ("lead", "x_boat__ref__x_boat", "boat")] {
        db.execute_batch(&format!("alter table \"{table}\" rename column \"{now}\" to \"{then}\"")).unwrap();
    }
    db.execute_batch("drop index x_boat__external; alter table x_boat rename to boat; create unique index boat_external on boat (external_id) where external_id is not null and not deleted;").unwrap();
    drop(db);

    let again = open(folder.path());
    assert!(again.set_aside().is_empty(), "{:?}", again.set_aside());
    let got = again.get("x_boat", boat).unwrap().0;
    assert_eq!((got.get("x_called"), got.get("x_price"), got.get("x_state")), (Some(&text("Tug")), Some(&price), Some(&text("x"))));
    assert_eq!(again.get("lead", lead).unwrap().0.get("x_boat"), Some(&Value::Ref(boat)));
    let field = |object: &str, id: Uuid, field: &str| again.get(object, id).unwrap().0.get(field).and_then(Value::as_text).unwrap().to_string();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&field("access_role", role, "rights")).unwrap(), json!({"x_boat": {"see": "all", "hide": ["x_price"]}}));
    assert_eq!((field("saved_list", list, "of"), field("saved_list", list, "search")), ("x_boats".into(), "{\"c\":\"x_called,x_price\"}".into()));
    assert_eq!((field("goal", goal, "kpi"), field("score_rule", rule, "condition")), ("x_fleet".into(), "x_colour = 'red'".into()));
    assert_eq!(again.record_log("x_boat", boat, 10).unwrap().len(), 2);
    // What was taken over in a record is a change like any other: with the next version, in its log.
    for (object, id) in [("access_role", role), ("saved_list", list), ("goal", goal), ("score_rule", rule)] {
        let log = again.record_log(object, id, 10).unwrap();
        assert_eq!((again.get(object, id).unwrap().1, log.len()), (2, 2), "{object}");
    }
    assert_eq!(again.moments("x_boat", boat).unwrap().len(), 1);
    assert_eq!(again.ids_by_external("x_boat", &["b1".into()]).unwrap(), [Some(boat)]);
    let mut said = Vec::new();
    again.said(&["zirconium".to_string()], false, |object, field, _| { said.push(format!("{object}.{field}")); true }).unwrap();
    assert_eq!(said, ["x_boat.x_story"]);
    assert!(again.model().metrics.contains_key("x_fleet"));
    let seq = again.seq();
    again.close();
    content(folder.path());
    assert_eq!(open(folder.path()).seq(), seq, "it is done once");
}

/// An object may be called like a table that only a later version has.
#[test]
fn s1_objects_called_like_a_table_of_a_later_version_are_taken_over() {
    for called in ["trial", "worded", "own_column"] {
        let folder = tempfile::tempdir().unwrap();
        let (store, own, field, id) = (open(folder.path()), format!("x_{called}"), "x_called", Uuid::now_v7());
        commit(&store, vec![Change::create("workspace", Uuid::now_v7(), Record::from([("name".into(), text("W"))]))]).unwrap();
        define(&store, "object", &own, &format!("name = \"{own}\"\nplural = \"{own}s\"\ntitle = \"{field}\"\nlist = [\"{field}\"]\n[fields]\n{field} = {{ type = \"text\", required = true }}\n")).unwrap();
        commit(&store, vec![Change::create(&own, id, Record::from([(field.into(), text("First"))]))]).unwrap();
        store.close();
        let db = Connection::open(folder.path().join("northing.db")).unwrap();
        age(&db, &[(&format!("{own}s"), &format!("{called}s")), (&own, called), (field, "called")]);
        // As the version before those tables left it.
        db.execute_batch(&format!("drop table worded; drop table trial; drop table own_column; pragma user_version = 6; drop index {own}__external; alter table {own} rename column {field}__text to called; alter table {own} rename to {called}; create unique index {called}_external on {called} (external_id) where external_id is not null and not deleted;")).unwrap();
        drop(db);
        let again = open(folder.path());
        assert!(again.set_aside().is_empty(), "{called}: {:?}", again.set_aside());
        assert_eq!(again.get(&own, id).unwrap().0.get(field), Some(&text("First")), "{called}");
        again.close();
        assert_eq!(std::fs::read_dir(folder.path().join("backups")).unwrap().count(), 1, "{called}: a backup before it");
        content(folder.path());
    }
}

/// What S1 and S2 did to workspaces: a system table with a record's columns, a field whose column holds another type.
#[test]
fn s1_a_workspace_that_could_not_begin_any_more_does() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = Uuid::now_v7();
    commit(&store, vec![Change::create("customer", id, Record::from([("name".into(), text("C"))]))]).unwrap();
    store.close();
    let db = Connection::open(folder.path().join("northing.db")).unwrap();
    let define = |kind: &str, name: &str, body: &str, deleted: i64| {
        let id = Uuid::now_v7().to_string();
        db.execute("insert into definition (id, version, deleted, kind, name, body, created_at, updated_at) values (?1, 1, ?5, ?2, ?3, ?4, 1, 1)", params![id, kind, name, body, deleted]).unwrap();
        let after = json!({"kind": kind, "name": name, "body": body, "created_at": "1970-01-01T00:00:01Z", "updated_at": "1970-01-01T00:00:01Z"}).to_string();
        let op = if deleted == 1 { "delete" } else { "create" };
        db.execute("insert into change (seq, at, actor, object, id, op, version, after) select max(seq) + 1, 1, 't', 'definition', ?1, ?2, 1, ?3 from change", params![id, op, after]).unwrap();
    };
    define("object", "sign_in", "name = \"sign_in\"\nplural = \"sign_ins\"\ntitle = \"token_hash\"\n[fields]\ntoken_hash = { type = \"text\" }\nid = { type = \"text\" }\nversion = { type = \"int\" }\n", 0);
    db.execute_batch("alter table sign_in add column id text; alter table sign_in add column version integer; insert into sign_in (token_hash, actor, expires_at, id) values ('1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032', 'owner', 9999999999, 'x')").unwrap();
    define("fields", "customer", "size = { type = \"text\", label = \"Size\" }", 1);
    define("fields", "customer", "size = { type = \"int\", label = \"Size\" }", 0);
    db.execute_batch(&format!("alter table customer add column size text; update customer set size = '12' where id = '{id}'")).unwrap();
    db.execute("update change set after = json_set(after, '$.size', '12') where id = ?1", [id.to_string()]).unwrap();
    drop(db);
    let again = open(folder.path());
    assert_eq!(again.get("customer", id).unwrap().0.get("x_size"), Some(&Value::Int(12)));
    assert!(again.model().object("x_sign_in").is_some());
    commit(&again, vec![Change::create("x_sign_in", Uuid::now_v7(), Record::from([("x_token_hash".into(), text("t"))]))]).unwrap();
    again.close();
    let db = Connection::open(folder.path().join("northing.db")).unwrap();
    assert_eq!(db.query_row("select count(*) from sign_in", [], |r| r.get::<_, i64>(0)).unwrap(), 0, "what a record let in is still in");
    content(folder.path());
}
