//! A database is brought up to date whole or not at all, and what search needs is never left half done.

use crate::http::NOW;
use northing_crm::check::check;
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

const FOLDER: &str = "NORTHING_OPENING_FOLDER";
const TEXTS: usize = 5_203;

fn with_texts(folder: &Path) {
    let store = Store::open(folder).unwrap();
    let customer = |n: usize| {
        let fields = [("name", format!("Customer {n}")), ("note", format!("their gardener is called ferdinand{n}"))];
        Change::create("customer", Uuid::now_v7(), Record::from(fields.map(|(k, v)| (k.to_string(), Value::Text(v)))))
    };
    store.commit(Commit { actor: "owner".into(), at: NOW, changes: (0..TEXTS).map(customer).collect(), key: None }).unwrap();
    store.close();
}

fn change(folder: &Path, sql: &str) {
    rusqlite::Connection::open(folder.join("northing.db")).unwrap().execute_batch(sql).unwrap();
}

fn found(store: &Store) -> usize {
    let mut found = 0;
    store.said(&["gardener".into()], false, |_, _, _| { found += 1; true }).unwrap();
    found
}

/// Beside the records after the third step, as it was released.
const THIRD: &str = "create table session (
        token_hash text primary key, actor text not null, created_at integer not null, seen_at integer not null, expires_at integer not null,
        agent text, by_link integer not null default 0
     ) strict;
     create table sign_in (token_hash text primary key, actor text not null, expires_at integer not null) strict;
     create table credential (actor text primary key, password text, totp text, totp_step integer, totp_on integer not null default 0) strict;
     create table token (
        token_hash text primary key, id text not null, actor text not null, name text not null, read_only integer not null,
        created_at integer not null, expires_at integer not null, used_at integer
     ) strict;
     create table identity (actor text primary key, issuer text not null, subject text not null, unique (issuer, subject)) strict;
     pragma user_version = 3;";
/// What the two after it added, without what the fourth had to take in.
const FIFTH: &str = "create virtual table said using fts5(words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0');
     insert into said (said, rank) values ('secure-delete', 1);
     create virtual table vocabulary using fts5vocab(said, 'row');
     create table wording (rowid integer primary key, object text not null, field text not null, id text not null, unique (id, field)) strict;
     create table taken (
        actor text not null, way text not null, hour integer not null, program text not null, object text not null,
        rows integer not null, times integer not null, reported integer not null default 0, at integer not null,
        primary key (actor, way, hour, program, object)
     ) strict, without rowid;
     create table alarm (
        id integer primary key, at integer not null, actor text not null, way text not null, program text not null,
        rows integer not null, seen_at integer, seen_by text
     ) strict;
     pragma user_version = 5;";

/// Makes of a database of today what a program left that knew three steps.
pub fn old(folder: &Path) {
    let records: Vec<String> = northing_model::Model::builtin().unwrap().objects.iter().map(|o| o.name.clone()).chain(["change", "history", "idempotency"].map(String::from)).collect();
    let db = rusqlite::Connection::open(folder.join("northing.db")).unwrap();
    let tables = |like: &str| -> Vec<String> {
        let mut found = db.prepare("select name from sqlite_master where type = 'table' and sql like ?1 and name not like 'sqlite_%'").unwrap();
        found.query_map([like], |r| r.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for name in ["vocabulary".to_string()].into_iter().chain(tables("create virtual%")).chain(tables("create table%")) {
        if !records.contains(&name) && !name.starts_with("said_") {
            db.execute_batch(&format!("drop table if exists \"{name}\"")).unwrap();
        }
    }
    db.execute_batch(THIRD).unwrap();
}

#[test]
fn s8_texts_that_a_killed_start_left_out_are_found_after_the_next() {
    let folder = tempfile::tempdir().unwrap();
    with_texts(folder.path());
    for state in 0..3 {
        match state {
            0 => {
                old(folder.path());
                change(folder.path(), FIFTH);
            }
            1 => old(folder.path()),
            _ => change(folder.path(), "delete from worded where object = 'customer'"),
        }
        let store = Store::open(folder.path()).unwrap();
        assert_eq!((found(&store), store.texts_astray().unwrap()), (TEXTS, 0), "{state}");
        check(&store).unwrap().outcome().unwrap();
        store.close();
    }
    // And it is noticed when they are missing, or there though their records are gone.
    change(folder.path(), "delete from wording where rowid in (select rowid from wording limit 7)");
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.texts_astray().unwrap(), 7);
    assert!(check(&store).unwrap().outcome().unwrap_err().contains("7 texts"));
    store.close();
    change(folder.path(), "delete from worded; update customer set deleted = 1 where id in (select id from customer limit 3)");
    drop(Store::open(folder.path()).unwrap());
    change(folder.path(), "update customer set deleted = 0");
    assert_eq!(Store::open(folder.path()).unwrap().texts_astray().unwrap(), 3);
}

/// The part that is killed: opens the workspace.
#[test]
fn opening_to_be_killed() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    Store::open(folder.as_ref()).unwrap();
}

#[test]
fn s8_a_start_that_is_killed_anywhere_has_done_all_of_it_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    with_texts(folder.path());
    let state = || -> (i64, i64, i64) {
        let db = rusqlite::Connection::open(folder.path().join("northing.db")).unwrap();
        let number = |sql: &str| db.query_row(sql, [], |r| r.get(0)).unwrap_or(0);
        (number("pragma user_version"), number("select count(*) from wording"), number("select count(*) from worded where object = 'customer'"))
    };
    let whole = state();
    assert_eq!((whole.1, whole.2), (TEXTS as i64, 1));
    let (mut before, mut after) = (0, 0);
    for n in 0..20u64 {
        old(folder.path());
        let mut child = Command::new(std::env::current_exe().unwrap()).args(["opening::opening_to_be_killed", "--exact"]).env(FOLDER, folder.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Later each time, and the last as long as it takes.
        if n == 19 { assert!(child.wait().unwrap().success()) } else { std::thread::sleep(Duration::from_millis(n * n * 3)) }
        let _ = child.kill();
        child.wait().unwrap();
        match state() {
            now if now == whole => after += 1,
            now => {
                before += 1;
                assert_eq!(now, (3, 0, 0), "half of it was done");
            }
        }
        let store = Store::open(folder.path()).unwrap();
        assert_eq!((found(&store), store.texts_astray().unwrap()), (TEXTS, 0));
        store.close();
    }
    println!("killed {before} times before it was done and {after} times after");
    assert!(before > 0 && after > 0);
}
