//! No acknowledged write is lost when the process is killed. The test runs itself as the process to kill.

use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use uuid::Uuid;

/// The part that is killed: writes without end and says each id when it is on disk.
#[test]
fn writer_to_be_killed() {
    let Ok(folder) = std::env::var("NORTHING_CRASH_FOLDER") else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || loop {
                let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
                let name = |t: &str| Record::from([("name".into(), Value::Text(t.into()))]);
                let contact = Record::from([("name".into(), Value::Text("c".into())), ("customer".into(), Value::Ref(a))]);
                let changes = vec![Change::create("customer", a, name("a")), Change::create("contact", b, contact)];
                let done = store.commit(Commit { actor: "crash".into(), at: 0, changes, key: Some((a.to_string(), "h".into())) }).unwrap();
                let mut out = std::io::stdout().lock();
                let _ = writeln!(out, "ack {a} {b} {}", done.seq);
                let _ = out.flush();
            })
        })
        .collect();
    for thread in threads {
        let _ = thread.join();
    }
}

#[test]
fn no_acknowledged_write_is_lost_when_killed() {
    if std::env::var("NORTHING_CRASH_FOLDER").is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(Uuid, Uuid, u64)> = Vec::new();
    for round in 0..100u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::writer_to_be_killed", "--exact", "--nocapture"])
            .env("NORTHING_CRASH_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 3 + (round * 7) % 23;
        let mut seen = 0;
        let parse = |line: &str| {
            let at = line.find("ack ")?;
            let mut parts = line[at + 4..].split(' ');
            Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
        };
        while seen < wanted {
            let Some(Ok(line)) = lines.next() else { break };
            if let Some(ack) = parse(&line) {
                acknowledged.push(ack);
                seen += 1;
            }
        }
        child.kill().unwrap();
        // What it said before it died counts too.
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|l| parse(&l)));
        child.wait().unwrap();
        assert!(seen > 0, "round {round}: the writer wrote nothing");
    }
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.integrity().unwrap(), "ok");
    let mut expected = 0;
    store.replay(store.seq(), |entry| {
        expected += 1;
        assert_eq!(entry.seq, expected, "the log has a gap");
    }).unwrap();
    println!("{} acknowledged commits, log of {}", acknowledged.len(), store.seq());
    for (a, b, seq) in acknowledged {
        assert!(store.get("customer", a).is_ok() && store.get("contact", b).is_ok(), "{a} was acknowledged and is gone");
        assert!(seq <= store.seq());
        let again = store.commit(Commit { actor: "crash".into(), at: 0, changes: Vec::new(), key: Some((a.to_string(), "h".into())) }).unwrap();
        assert_eq!(again.seq, seq, "a retry after the crash must give the first answer");
    }
}
