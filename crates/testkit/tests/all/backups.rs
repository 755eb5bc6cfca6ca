//! Backups of a workspace in use, and what is made of them: whole, proved, and the same numbers.

use crate::http::NOW;
use northing_crm::Env;
use northing_crm::check::{check, restore};
use northing_facts::{Facts, Snapshot};
use northing_metrics::{Cache, Question};
use northing_model::{Period, Record, Value};
use northing_store::{Change, Commit, Store, StoreError, backup};
use serde_json::Value as Js;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use uuid::Uuid;

const FOLDER: &str = "NORTHING_BACKUP_FOLDER";
const TO: &str = "NORTHING_BACKUP_TO";
const RESTORE: &str = "NORTHING_RESTORE_FROM";

fn again(test: &str, variables: &[(&str, &Path)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("backups::{test}"), "--exact", "--nocapture"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    variables.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    command.spawn().unwrap()
}

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

/// The part that is killed: writes without end and says each id when it is on disk.
#[test]
fn writer_to_be_killed() {
    let (Ok(folder), Err(_)) = (std::env::var(FOLDER), std::env::var(TO)) else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || loop {
                let id = Uuid::now_v7();
                let record = Record::from([("name".into(), text("a")), ("note".into(), text("said once, and found again"))]);
                store.commit(Commit { actor: "crash".into(), at: NOW, changes: vec![Change::create("customer", id, record)], key: None }).unwrap();
                let mut out = std::io::stdout().lock();
                let _ = writeln!(out, "ack {id}");
            })
        })
        .collect();
    threads.into_iter().for_each(|t| drop(t.join()));
}

/// The other part that is killed: backs up to each path that it is told.
#[test]
fn backup_to_be_killed() {
    let (Ok(folder), Ok(_)) = (std::env::var(FOLDER), std::env::var(TO)) else { return };
    for to in std::io::stdin().lines().map_while(Result::ok) {
        backup(folder.as_ref(), to.as_ref()).unwrap();
        println!("done {to}");
    }
}

#[test]
fn s12_thirty_kills_under_load_and_every_backup_holds_what_was_acknowledged_before_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let mut acknowledged: Vec<Uuid> = Vec::new();
    let (mut whole, mut cut, mut proved) = (0, 0, 0);
    for round in 0..30u64 {
        let mut writer = again("writer_to_be_killed", &[(FOLDER, folder.path())]);
        let mut backups = again("backup_to_be_killed", &[(FOLDER, folder.path()), (TO, out.path())]);
        let acks = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (heard, lines) = (acks.clone(), BufReader::new(writer.stdout.take().unwrap()).lines());
        let listener = std::thread::spawn(move || lines.map_while(Result::ok).filter_map(|l| l[l.find("ack ")? + 4..].parse().ok()).for_each(|id: Uuid| heard.lock().unwrap().push(id)));
        while acks.lock().unwrap().len() < 20 {
            assert!(writer.try_wait().unwrap().is_none(), "the writer ended by itself");
            std::thread::sleep(Duration::from_millis(2));
        }
        // What each must hold: all that was heard of before it was asked for.
        let mut made: Vec<(PathBuf, usize)> = Vec::new();
        let mut told = BufReader::new(backups.stdout.take().unwrap()).lines();
        let mut stdin = backups.stdin.take().unwrap();
        for n in 0..2 {
            let path = out.path().join(format!("{round}-{n}.zip"));
            made.push((path.clone(), acknowledged.len() + acks.lock().unwrap().len()));
            writeln!(stdin, "{}", path.display()).unwrap();
            if n == 0 {
                let said = told.by_ref().map_while(Result::ok).find(|l| l.contains("done "));
                assert!(said.is_some(), "round {round}: no backup was made");
            }
        }
        // Somewhere in the second.
        std::thread::sleep(Duration::from_millis((round * 13) % 120));
        let first = if round % 2 == 0 { &mut writer } else { &mut backups };
        first.kill().unwrap();
        writer.kill().unwrap();
        backups.kill().unwrap();
        writer.wait().unwrap();
        backups.wait().unwrap();
        listener.join().unwrap();
        acknowledged.extend(acks.lock().unwrap().iter());
        for (path, wanted) in made {
            if !path.exists() {
                cut += 1;
                continue;
            }
            whole += 1;
            let to = tempfile::tempdir().unwrap();
            let (manifest, checked) = restore(&path, to.path()).unwrap();
            let store = Store::open(to.path()).unwrap();
            assert_eq!((store.seq(), checked.seq), (manifest.seq, manifest.seq));
            let mut there = HashSet::new();
            let object = store.model().object("customer").unwrap().clone();
            store.scan("customer", &[object.field("name").unwrap()], |id, _, _| {
                there.insert(id);
            }).unwrap();
            for id in &acknowledged[..wanted] {
                assert!(there.contains(id), "{id} was acknowledged before {} began and is not in it", path.display());
                proved += 1;
            }
            store.close();
            std::fs::remove_file(path).unwrap();
        }
    }
    let store = Store::open(folder.path()).unwrap();
    check(&store).unwrap().outcome().unwrap();
    println!("{} acknowledged, {whole} whole backups, {cut} cut off, {proved} records looked for", acknowledged.len());
    assert!(whole >= 30, "{whole}");
}

fn file_of(folder: &Path, content: &[u8]) -> String {
    let sha: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
    let at = folder.join("files").join(&sha[..2]);
    std::fs::create_dir_all(&at).unwrap();
    std::fs::write(at.join(&sha), content).unwrap();
    sha
}

fn attach(store: &Store, sha: &str) {
    let record = Record::from([("name".into(), text("contract.pdf")), ("sha".into(), text(sha))]);
    store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("attachment", Uuid::now_v7(), record)], key: None }).unwrap();
}

fn every_kpi(snapshot: &Snapshot) -> Vec<(String, Js)> {
    let period = Period { start: (NOW / 86_400) as i32 - 400, end: (NOW / 86_400) as i32 - 10 };
    let metrics: Vec<String> = snapshot.model.metrics.keys().cloned().collect();
    metrics
        .into_iter()
        .map(|id| {
            let answer = northing_metrics::ask(snapshot, &Question::new(&id, period, NOW), &Cache::default());
            (id, answer.map_or_else(|e| Js::String(e.to_string()), |a| serde_json::to_value(&a).unwrap()))
        })
        .collect()
}

#[test]
fn s12_a_restored_workspace_answers_every_kpi_as_its_source_did() {
    let source = tempfile::tempdir().unwrap();
    let env = Env::fixed(NOW, 5);
    let store = Store::open(source.path()).unwrap();
    northing_crm::demo::fill(&store, &env, 3).unwrap();
    let shas: Vec<String> = (0..5u8).map(|n| file_of(source.path(), &vec![n; 10_000])).collect();
    shas.iter().for_each(|sha| attach(&store, sha));
    // Something that was never finished, and something that no record names.
    std::fs::write(source.path().join("files").join(&shas[0][..2]).join("x.part"), "half").unwrap();
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("w.zip");
    // While somebody writes.
    let over = std::sync::atomic::AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let record = Record::from([("name".into(), text("meanwhile"))]);
                store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("customer", Uuid::now_v7(), record)], key: None }).unwrap();
            }
        });
        let made = backup(source.path(), &to);
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        made.unwrap()
    });
    assert!(made.manifest.missing.is_empty() && made.manifest.seq < store.seq());
    assert_eq!(made.manifest.files.as_ref().unwrap().len(), 5);
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 1, "nothing else is left beside it");
    let into = out.path().join("restored");
    restore(&to, &into).unwrap();
    for path in [into.join("northing.db"), into.join("files").join(&shas[0][..2]).join(&shas[0])] {
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let restored = Store::open(&into).unwrap();
    assert_eq!(restored.seq(), made.manifest.seq);
    let seq = made.manifest.seq;
    let was = every_kpi(&Facts::replay(&store, seq, None).unwrap().snapshot());
    assert!(was.len() > 60 && was.iter().filter(|(_, a)| a["metrics"][0]["total"]["value"].is_number()).count() > 60);
    assert_eq!(was, every_kpi(&Facts::replay(&restored, seq, None).unwrap().snapshot()));
    for sha in &shas {
        assert!(into.join("files").join(&sha[..2]).join(sha).exists());
    }
    // A file that the workspace lost or that was spoilt is told, not passed over and no reason to have no backup.
    std::fs::remove_file(source.path().join("files").join(&shas[1][..2]).join(&shas[1])).unwrap();
    std::fs::write(source.path().join("files").join(&shas[2][..2]).join(&shas[2]), "spoilt").unwrap();
    let made = backup(source.path(), &to).unwrap();
    let mut missing = vec![shas[1].clone(), shas[2].clone()];
    missing.sort();
    assert_eq!(made.manifest.missing, missing);
    restore(&to, &out.path().join("second")).unwrap();
    // And as people ask them, of the tables, now that nobody writes.
    let second = Store::open(&out.path().join("second")).unwrap();
    assert_eq!(second.seq(), store.seq());
    assert_eq!(every_kpi(&Facts::load(&store).unwrap().snapshot()), every_kpi(&Facts::load(&second).unwrap().snapshot()));
}

#[test]
fn s12_a_restore_takes_an_empty_folder_and_a_whole_backup() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path()).unwrap();
    northing_crm::workspace::ensure(&store, &Env::fixed(NOW, 1), &Record::new()).unwrap();
    attach(&store, &file_of(source.path(), b"one"));
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("w.zip");
    backup(source.path(), &to).unwrap();
    let whole = std::fs::read(&to).unwrap();
    let told = |result: Result<_, northing_crm::CrmError>| result.map(|_: (_, _)| ()).unwrap_err().to_string();
    // Somebody else's folder.
    let taken = out.path().join("taken");
    std::fs::create_dir_all(&taken).unwrap();
    std::fs::write(taken.join("letter.txt"), "mine").unwrap();
    assert!(told(restore(&to, &taken)).contains("is not empty"));
    assert_eq!(std::fs::read_dir(&taken).unwrap().count(), 1);
    // Somebody else's file, and a workspace that is none.
    assert!(backup(source.path(), &taken.join("letter.txt")).unwrap_err().to_string().contains("is no backup"));
    assert_eq!(std::fs::read_to_string(taken.join("letter.txt")).unwrap(), "mine");
    assert!(backup(&taken, &out.path().join("none.zip")).unwrap_err().to_string().contains("holds no workspace"));
    // A backup cut short anywhere, or with a byte changed anywhere that counts, is refused and leaves nothing.
    let bad = out.path().join("bad.zip");
    let mut refused = 0;
    for n in 0..60 {
        let into = out.path().join(format!("into-{n}"));
        let spoilt = if n % 2 == 0 {
            whole[..whole.len() * n / 60].to_vec()
        } else {
            let mut bytes = whole.clone();
            let at = bytes.len() * n / 60;
            bytes[at] ^= 0x10;
            bytes
        };
        std::fs::write(&bad, spoilt).unwrap();
        match restore(&bad, &into) {
            // Bytes of the archive that say nothing (a date, a mode).
            Ok((_, checked)) => assert_eq!(checked.seq, store.seq()),
            Err(_) => {
                refused += 1;
                assert!(!into.exists() || std::fs::read_dir(&into).unwrap().next().is_none(), "{n}: something is left");
            }
        }
    }
    assert!(refused >= 50, "{refused}");
    // A backup that is there is replaced by a new one.
    backup(source.path(), &to).unwrap();
    restore(&to, &out.path().join("last")).unwrap();
}

/// The part that is killed while it restores.
#[test]
fn restore_to_be_killed() {
    let (Ok(from), Ok(folder)) = (std::env::var(RESTORE), std::env::var(FOLDER)) else { return };
    println!("begins");
    restore(from.as_ref(), folder.as_ref()).unwrap();
    println!("done");
}

#[test]
fn s12_a_restore_that_is_killed_leaves_nothing_that_opens() {
    let source = tempfile::tempdir().unwrap();
    let store = Store::open(source.path()).unwrap();
    let env = Env::fixed(NOW, 1);
    northing_crm::workspace::ensure(&store, &env, &Record::new()).unwrap();
    let customer = |n: u32| Change::create("customer", Uuid::now_v7(), Record::from([("name".into(), text(&format!("Customer {n}")))]));
    store.commit(Commit { actor: "owner".into(), at: NOW, changes: (0..4_000).map(customer).collect(), key: None }).unwrap();
    (0..40u8).for_each(|n| attach(&store, &file_of(source.path(), &vec![n; 50_000])));
    let out = tempfile::tempdir().unwrap();
    let to = out.path().join("w.zip");
    backup(source.path(), &to).unwrap();
    let (mut unfinished, mut finished, mut nothing) = (0, 0, 0);
    for n in 0..24u64 {
        let into = out.path().join(format!("into-{n}"));
        std::fs::create_dir_all(&into).unwrap();
        let mut child = again("restore_to_be_killed", &[(RESTORE, &to), (FOLDER, &into)]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = if n == 23 { "done" } else { "begins" };
        assert!(lines.by_ref().map_while(Result::ok).any(|l| l.contains(wanted)));
        std::thread::sleep(Duration::from_millis(n * n * 2));
        child.kill().unwrap();
        child.wait().unwrap();
        let complete = into.join("northing.db").exists();
        match Store::open(&into) {
            Err(StoreError::Unfinished(_)) => {
                unfinished += 1;
                assert!(restore(&to, &into).unwrap_err().to_string().contains("is not empty"));
            }
            Err(other) => panic!("{n}: {other}"),
            Ok(opened) if complete => {
                finished += 1;
                assert_eq!((opened.seq(), opened.count("customer").unwrap(), opened.count("attachment").unwrap()), (store.seq(), 4_000, 40));
                assert_eq!(std::fs::read_dir(into.join("files")).unwrap().flat_map(|d| std::fs::read_dir(d.unwrap().path()).unwrap()).count(), 40);
            }
            Ok(_) => {
                nothing += 1;
                assert!(!into.join("files").exists(), "{n}: a part of it was taken for a new workspace");
            }
        }
    }
    println!("{unfinished} unfinished, {finished} finished, {nothing} not begun");
    assert!(unfinished > 0 && finished > 0);
}

#[test]
fn s12_the_database_is_backed_up_before_every_step_of_its_schema() {
    let folder = tempfile::tempdir().unwrap();
    let backups = folder.path().join("backups");
    let names = || -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&backups).into_iter().flatten().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    for n in 1..=5u64 {
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(names().len(), (n as usize - 1).min(3), "opening one that is new or up to date makes none");
        let record = Record::from([("name".into(), text("Anna")), ("note".into(), text("before the step"))]);
        store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("customer", Uuid::now_v7(), record)], key: None }).unwrap();
        store.close();
        drop(store);
        crate::opening::old(folder.path());
        let store = Store::open(folder.path()).unwrap();
        check(&store).unwrap().outcome().unwrap();
        store.close();
        let last = names().pop().unwrap();
        assert!(last.starts_with("before-step-") && last.ends_with(&format!("-at-{n:012}.zip")), "{last}");
        assert_eq!(std::fs::metadata(backups.join(&last)).unwrap().permissions().mode() & 0o777, 0o600);
        let into = tempfile::tempdir().unwrap();
        let (manifest, checked) = restore(&backups.join(&last), into.path()).unwrap();
        assert_eq!((manifest.schema, manifest.files, checked.seq), (3, None, n));
    }
    assert_eq!(names().len(), 3, "the last few are kept");
}
