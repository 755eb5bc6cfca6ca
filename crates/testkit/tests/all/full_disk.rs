//! A full disk: what is there is still read, nothing that was acknowledged is lost, and when there is room it goes on.

use crate::http::{NOW, Server, start_in, start_where};
use northing_crm::Env;
use northing_crm::check::check;
use northing_model::Record;
use northing_store::Store;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use uuid::Uuid;

const SAME: (&str, &str) = ("Sec-Fetch-Site", "same-origin");
const KIND: (&str, &str) = ("Content-Type", "application/json");
const BYTES: (&str, &str) = ("Content-Type", "application/octet-stream");

/// A small disk in memory, where this machine lets us have one.
struct Disk(PathBuf);

impl Disk {
    fn new(at: &Path) -> Option<Self> {
        let made = Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(at).stderr(Stdio::null()).status();
        made.is_ok_and(|s| s.success()).then(|| Self(at.to_path_buf()))
    }
    /// Takes all that is left.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.0.join("filler")).unwrap();
        for size in [1 << 20, 64 << 10, 4 << 10, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l"]).arg(&self.0).status();
    }
}

fn ready(server: &Server) -> (u16, serde_json::Value) {
    // A trial holds for a second.
    std::thread::sleep(Duration::from_millis(1_100));
    let reply = server.send("GET", "/readyz", &[], None);
    (reply.status, reply.json())
}

#[test]
fn s6_with_a_full_disk_reading_goes_on_and_nothing_acknowledged_is_lost() {
    let at = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(at.path()) else {
        println!("skipped: a small disk cannot be mounted here");
        return;
    };
    // What somebody can do without.
    std::fs::write(at.path().join("ballast"), vec![1; 4 << 20]).unwrap();
    let clock = Arc::new(AtomicI64::new(NOW));
    let own = clock.clone();
    let fill = |store: &Store, env: &Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
    };
    let server = start_in(tempfile::tempdir_in(at.path()).unwrap(), fill, Env::new(move || own.load(Ordering::Relaxed), Uuid::now_v7), |config| config.limits.reserve = 1 << 20);
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), SAME];
    let create = |n: usize| server.send("POST", "/api/records/customers", &[signed[0], signed[1], KIND], Some(&json!({"name": format!("Customer {n}"), "note": "n".repeat(20_000)})));
    let reserve = server.folder.path().join("reserve");
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    assert_eq!(ready(&server).0, 200);
    let mut acknowledged = 0;
    let refused = loop {
        let reply = create(acknowledged);
        if reply.status != 201 {
            break reply;
        }
        acknowledged += 1;
        assert!(acknowledged < 5_000, "the disk does not get full");
    };
    assert!(refused.status == 507 && refused.json()["type"] == "urn:northing:problem:full", "{}", refused.body);
    assert!(acknowledged > 10 && !reserve.exists(), "the reserve was not let go");
    // Even what was kept aside is gone.
    disk.fill();
    assert_eq!(create(acknowledged).status, 507);
    let (status, words) = ready(&server);
    assert!(status == 503 && words["ready"] == false && words["parts"]["store"].as_str().unwrap().contains("full") && words["parts"]["disk"] != "ok", "{words}");
    // People read on: after minutes, hours, as long as they come.
    for _ in 0..40 {
        clock.fetch_add(3 * 3_600, Ordering::Relaxed);
        for path in ["/api/session", "/api/records/customers?limit=5", "/api/search?q=customer"] {
            let reply = server.send("GET", path, &signed, None);
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        }
    }
    // A file that does not fit is refused and leaves nothing.
    let upload = server.send_bytes("POST", "/api/files", &[signed[0], signed[1], BYTES], &vec![3; 2 << 20]);
    assert!(upload.status == 507 && upload.json()["type"] == "urn:northing:problem:full", "{}", upload.body);
    let import = server.send("POST", "/api/imports", &[signed[0], signed[1], KIND], Some(&json!({"name": "a.csv", "text": format!("name\n{}", "Anna\n".repeat(200_000))})));
    assert_eq!(import.status, 507, "{}", import.body);
    let mut left = Vec::new();
    for folder in ["files", "uploads"] {
        left.extend(walk(&server.folder.path().join(folder)));
    }
    assert!(left.is_empty(), "{left:?}");
    // As it stands it is whole.
    assert_eq!(server.store.integrity().unwrap(), "ok");
    assert_eq!(server.store.count("customer").unwrap(), acknowledged as u64);
    // There is room again.
    for file in ["filler", "ballast"] {
        std::fs::remove_file(at.path().join(file)).unwrap();
    }
    assert_eq!(create(acknowledged).status, 201);
    assert_eq!(std::fs::metadata(&reserve).unwrap().len(), 1 << 20);
    assert_eq!(ready(&server).0, 200);
    check(&server.store).unwrap().outcome().unwrap();
    assert_eq!(server.store.count("customer").unwrap(), acknowledged as u64 + 1);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap().path()).flat_map(|p| if p.is_dir() { walk(&p) } else { vec![p] }).collect()
}

/// On any machine: the database refuses every write beside the records, as it does without a disk.
#[test]
fn s6_reading_writes_nothing_that_it_cannot_do_without() {
    let clock = Arc::new(AtomicI64::new(NOW));
    let own = clock.clone();
    let fill = |store: &Store, env: &Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
    };
    let server = start_where(fill, Env::new(move || own.load(Ordering::Relaxed), Uuid::now_v7), |_| {});
    let cookie = server.sign_in();
    let terms = northing_store::TokenTerms { actor: "owner".into(), name: "program".into(), read_only: true, now: NOW, expires_at: NOW + 6 * 86_400, rights: None };
    server.store.add_token("a program", terms, None).unwrap();
    let db = rusqlite::Connection::open(server.folder.path().join("northing.db")).unwrap();
    for table in ["session", "token", "taken", "trial"] {
        for way in ["insert", "update"] {
            db.execute_batch(&format!("create trigger no_{way}_{table} before {way} on {table} begin select raise(abort, 'no room'); end")).unwrap();
        }
    }
    assert_eq!(ready(&server).0, 503, "nobody says that nothing can be written");
    for _ in 0..40 {
        clock.fetch_add(3 * 3_600, Ordering::Relaxed);
        for path in ["/api/session", "/api/records/customers", "/api/records/customers/export"] {
            assert_eq!(server.send("GET", path, &[("Cookie", &cookie)], None).status, 200, "{path}");
            assert_eq!(server.send("GET", path, &[("Authorization", "Bearer a program")], None).status, 200, "{path}");
        }
    }
    // Whoever signs in when writing goes on does not end the others.
    db.execute_batch("drop trigger no_insert_session; drop trigger no_update_session").unwrap();
    server.store.open_session("another", "owner", "test", false, clock.load(Ordering::Relaxed)).unwrap();
    assert_eq!(server.send("GET", "/api/session", &[("Cookie", &cookie)], None).status, 200);
    // What nobody used for half a day is over all the same.
    clock.fetch_add(13 * 3_600, Ordering::Relaxed);
    assert_eq!(server.send("GET", "/api/session", &[("Cookie", &cookie)], None).status, 401);
    db.execute_batch("drop trigger no_insert_trial").unwrap();
    assert_eq!(ready(&server).0, 200);
}

#[test]
fn s6_files_have_their_room_and_half_files_go() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("files/ab");
    std::fs::create_dir_all(&kept).unwrap();
    std::fs::write(kept.join("0190.part"), "half").unwrap();
    std::fs::write(kept.join("whole"), vec![1; 300_000]).unwrap();
    let fill = |store: &Store, env: &Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
    };
    let server = start_in(folder, fill, Env::new(|| NOW, Uuid::now_v7), |config| config.limits.files = Some(1 << 20));
    // It listens before it clears up, and answers after.
    let cookie = server.sign_in();
    assert_eq!(walk(&server.folder.path().join("files")), [kept.join("whole")], "what was not written whole is still there");
    let send = |byte: u8, size: usize| server.send_bytes("POST", "/api/files", &[("Cookie", &cookie), SAME, BYTES, ("Accept-Language", "pl")], &vec![byte; size]);
    assert_eq!(send(1, 600_000).status, 201);
    assert_eq!(send(1, 600_000).status, 201, "what is here already takes no more");
    let refused = send(2, 600_000);
    assert!(refused.status == 507 && refused.json()["type"] == "urn:northing:problem:files-full", "{}", refused.body);
    assert!(refused.json()["detail"].as_str().unwrap().contains("--files-limit") && !refused.body.contains("Whoever runs"), "{}", refused.body);
    // Refused ones are not counted; to the last byte it fits.
    assert_eq!(send(3, (1 << 20) - 900_001).status, 201);
    assert_eq!(send(4, 1).status, 201);
    assert_eq!(send(5, 1).status, 507);
    assert_eq!(walk(&server.folder.path().join("files")).len(), 4);
}
