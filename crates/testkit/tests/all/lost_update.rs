//! Many read and change one record at the same time (SECURITY.md P5). What each of them saw and was told is written
//! down, and a checker that knows nothing of the store says whether one order of all of it explains everything.

use northing_facts::Feed;
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store, StoreError};
use std::time::{Duration, Instant};
use uuid::Uuid;

const THREADS: usize = 8;
const OPERATIONS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Seen {
    /// The version that there was, and what it said.
    Read(u64, i64),
    /// The version that was made on top of the one before it.
    Wrote(u64, i64),
    /// Refused, since there was this version by then.
    Refused { expected: u64, actual: u64 },
    /// The facts, after waiting for the version that this thread had made, said so.
    Facts { after: u64, said: i64 },
}

#[derive(Debug, Clone, Copy)]
struct Event {
    begun: Instant,
    ended: Instant,
    seen: Seen,
}

/// The first contradiction of a history, if it has one: versions without gap or twin, reads that say what was written,
/// and nothing that goes back in time.
fn contradiction(events: &[Event]) -> Option<String> {
    let mut written: Vec<(u64, i64)> = events.iter().filter_map(|e| if let Seen::Wrote(version, value) = e.seen { Some((version, value)) } else { None }).collect();
    written.sort_unstable();
    if let Some(at) = (0..written.len()).find(|at| written[*at].0 != *at as u64 + 2) {
        return Some(format!("version {} was made where {} comes next: an update is lost", written[at].0, at + 2));
    }
    let made: std::collections::BTreeMap<i64, u64> = written.iter().map(|(version, value)| (*value, *version)).collect();
    let value = |version: u64| if version == 1 { Some(0) } else { written.get(version as usize - 2).map(|w| w.1) };
    // By when each version was known to be there: whatever begins later sees it or a later one.
    let mut ends: Vec<(Instant, u64)> = Vec::new();
    for e in events {
        match e.seen {
            Seen::Read(version, said) if value(version) != Some(said) => return Some(format!("version {version} said {said}, and {:?} was written", value(version))),
            Seen::Refused { expected, actual } if actual <= expected => return Some(format!("refused for version {actual}, which is not after {expected}")),
            Seen::Facts { after, said } if made.get(&said).is_none_or(|version| *version < after) => return Some(format!("facts that were waited for until version {after} said {said}, of version {:?}", made.get(&said))),
            // They follow the record, and may be behind what others have read meanwhile.
            Seen::Facts { .. } => {}
            Seen::Read(version, _) | Seen::Wrote(version, _) | Seen::Refused { actual: version, .. } => ends.push((e.ended, version)),
        }
    }
    ends.sort_unstable();
    let mut newest = 0;
    for end in &mut ends {
        newest = newest.max(end.1);
        end.1 = newest;
    }
    events.iter().find_map(|e| {
        let known = ends[..ends.partition_point(|(ended, _)| *ended < e.begun)].last().map_or(1, |(_, version)| *version);
        let (at_least, version) = match e.seen {
            Seen::Read(version, _) => (known, version),
            Seen::Wrote(version, _) => (known + 1, version),
            Seen::Refused { actual, .. } => (known, actual),
            Seen::Facts { .. } => return None,
        };
        (version < at_least).then(|| format!("{:?} after version {known} was known", e.seen))
    })
}

#[test]
fn one_order_explains_what_everybody_saw() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let feed = Feed::start(&store, None).unwrap();
    let id = Uuid::now_v7();
    let fields = |n: i64| Record::from([("name".to_string(), Value::Text(n.to_string()))]);
    let commit = |change: Change| store.commit(Commit { actor: "t".into(), at: 1, changes: vec![change], key: None });
    commit(Change::create("customer", id, fields(0))).unwrap();
    let read = || {
        let (record, version) = store.get("customer", id).unwrap();
        (version, record["name"].as_text().unwrap().parse::<i64>().unwrap())
    };
    let one = |thread: usize| {
        let mut chance = northing_crm::demo::Chance::new(thread as u64);
        let mut events = Vec::new();
        let mut tell = |begun: Instant, seen: Seen| events.push(Event { begun, ended: Instant::now(), seen });
        for n in 0..OPERATIONS / THREADS {
            let begun = Instant::now();
            let (version, value) = read();
            tell(begun, Seen::Read(version, value));
            if chance.between(0, 2) == 0 {
                continue;
            }
            if chance.between(0, 3) == 0 {
                std::thread::yield_now();
            }
            let (begun, value) = (Instant::now(), (thread * OPERATIONS + n + 1) as i64);
            match commit(Change::update("customer", id, fields(value)).at_version(version)) {
                Ok(done) => {
                    let after = done.versions[0].1;
                    tell(begun, Seen::Wrote(after, value));
                    if n % 10 == 0 {
                        let (begun, facts) = (Instant::now(), feed.at_least(done.seq, Duration::from_secs(20)));
                        let (table, row) = facts.place_of("customer", id).unwrap();
                        tell(begun, Seen::Facts { after, said: facts.title(table, row).parse().unwrap() });
                    }
                }
                Err(StoreError::Conflict { expected, actual, .. }) => tell(begun, Seen::Refused { expected, actual }),
                Err(e) => panic!("{e}"),
            }
        }
        events
    };
    let events: Vec<Event> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..THREADS).map(|thread| { let one = &one; scope.spawn(move || one(thread)) }).collect();
        running.into_iter().flat_map(|r| r.join().unwrap()).collect()
    });
    feed.stop();
    let wrote = events.iter().filter(|e| matches!(e.seen, Seen::Wrote(..))).count();
    let refused = events.iter().filter(|e| matches!(e.seen, Seen::Refused { .. })).count();
    println!("{} operations: {wrote} written, {refused} refused", events.len());
    assert_eq!(contradiction(&events), None);
    assert!(events.len() > OPERATIONS && wrote > 100 && refused > 100, "too little happened at the same time");
    assert_eq!(read().0, wrote as u64 + 1, "the record has another version than was written");
    // The checker finds what it is there for.
    let with = |at: usize, seen: Seen| { let mut wrong = events.clone(); wrong[at].seen = seen; contradiction(&wrong) };
    let of = |wanted: fn(&Seen) -> bool| events.iter().enumerate().filter(|(_, e)| wanted(&e.seen)).map(|(at, _)| at).next_back().unwrap();
    let (last_read, last_written) = (of(|s| matches!(s, Seen::Read(..))), of(|s| matches!(s, Seen::Wrote(..))));
    assert!(with(last_read, Seen::Read(1, 0)).unwrap().contains("was known"), "a read of long ago");
    assert!(with(last_read, Seen::Read(2, -1)).unwrap().contains("was written"), "a value that nobody wrote");
    let last_facts = of(|s| matches!(s, Seen::Facts { .. }));
    assert!(with(last_facts, Seen::Facts { after: wrote as u64, said: 0 }).unwrap().contains("facts"), "facts that are behind");
    assert!(with(last_written, Seen::Wrote(2, 7)).unwrap().contains("lost"), "two that made the same version");
}
