//! Questions that are meant to end the process, or to keep others from theirs (findings S3 and S4, SECURITY.md P8): a
//! server in a process of its own, with little memory, answers them or refuses them, lives, and serves the others.
//!
//! `NORTHING_SEED` repeats the random ones, `NORTHING_HOSTILE_SECONDS` says for how long (20 without it).

use crate::budget::chain;
use crate::http::NOW;
use northing_crm::Env;
use northing_model::{FieldType, Model, Record, Value};
use northing_server::Config;
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const FOLDER: &str = "NORTHING_HOSTILE_FOLDER";
/// What the process may use in all, and what it is told that it may use beside its facts.
const LIMIT_KB: u64 = 1 << 20;
const MEMORY: usize = 256 << 20;

/// The process that is attacked.
#[test]
fn server_to_be_attacked() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let store = Store::open(folder.as_ref()).unwrap();
    let listen = std::env::var("NORTHING_HOSTILE_LISTEN").unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let config = Config { memory: MEMORY, ..Config::new(listen) };
    runtime.block_on(northing_server::serve(store, Env::new(|| NOW, uuid::Uuid::now_v7), config)).unwrap();
}

struct Process {
    child: Child,
    port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn begin(folder: &std::path::Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["hostile_questions::server_to_be_attacked", "--exact", "--nocapture"])
            .env(FOLDER, folder)
            .env("NORTHING_HOSTILE_LISTEN", format!("127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self { child, port };
        let there = (0..2_400).any(|_| TcpStream::connect(("127.0.0.1", port)).is_ok() || { std::thread::sleep(Duration::from_millis(25)); false });
        assert!(there, "the server does not begin");
        process
    }

    /// The status of an answer and its text; none if there was none within the time that the asker waits.
    fn ask(&self, who: &str, method: &str, path: &str, body: &str, patience: Duration) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nCookie: sid={who}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", self.port, body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).ok()?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).ok()?;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.chars().take(400).collect()))
    }

    /// The most memory that it ever had, in kB; none where the system does not tell.
    fn most_kb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
    }

    fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

/// Numbers that a seed gives.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
    fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What definitions and questions are made of.
struct Words {
    metrics: Vec<String>,
    dims: Vec<String>,
    /// Tables with their instants, amounts and references.
    tables: Vec<(String, Vec<String>, Vec<String>, Vec<String>)>,
}

impl Words {
    fn of(model: &Model) -> Self {
        let tables = model.objects.iter().map(|o| {
            let of = |kinds: &[FieldType]| o.fields.values().filter(|f| f.facts && kinds.contains(&f.kind)).map(|f| f.name.clone()).collect::<Vec<_>>();
            (o.name.clone(), of(&[FieldType::Datetime]), of(&[FieldType::Money, FieldType::Int, FieldType::Duration]), of(&[FieldType::Ref]))
        });
        let tables: Vec<_> = tables.filter(|t| !t.1.is_empty() && !t.2.is_empty()).collect();
        let mut dims: Vec<String> = model.metrics.values().flat_map(|m| m.dims.clone()).collect();
        dims.extend(["customer", "order", "deal", "owner", "product", "nothing"].map(String::from));
        Self { metrics: model.metrics.keys().cloned().collect(), dims, tables }
    }

    fn formula(&self, dice: &mut Dice, names: &[String], depth: usize) -> String {
        if depth == 0 || dice.below(5) == 0 {
            return if dice.below(6) == 0 { dice.below(100).to_string() } else { dice.of(names).clone() };
        }
        let (a, b) = (self.formula(dice, names, depth - 1), self.formula(dice, names, depth - 1));
        match dice.below(8) {
            0 => format!("({a} + {b})"),
            1 => format!("({a} - {b})"),
            2 => format!("({a} * {b})"),
            3 => format!("({a} / {b})"),
            4 => format!("least({a}, {b})"),
            5 => format!("coalesce({a}, {b})"),
            6 => format!("per({a}, {b})"),
            _ => format!("positive({a})"),
        }
    }

    fn input(&self, dice: &mut Dice, before: &[String]) -> String {
        let metric = if before.is_empty() || dice.below(4) == 0 { dice.of(&self.metrics) } else { dice.of(before) };
        let more = match dice.below(12) {
            0 => ", each = \"day\"".into(),
            1 => format!(", compound_months = {}", dice.below(40)),
            2 => format!(", trailing = {}", dice.below(50_000)),
            3 => format!(", lag = {}", dice.below(800)),
            4 => ", shift = \"previous\"".into(),
            5 => ", shift = \"year\", of = \"all\"".into(),
            6 => ", at_start = true".into(),
            7 => ", whole = true, of = \"none\"".into(),
            _ => String::new(),
        };
        format!("{{ metric = \"{metric}\"{more} }}")
    }

    /// Some metrics, each of what there is and of those before it.
    fn definitions(&self, dice: &mut Dice) -> String {
        let mut text = String::new();
        let mut before: Vec<String> = Vec::new();
        let many = [1, 3, 8, 20, 34, 70][dice.below(6)];
        for n in 0..many {
            let name = format!("x_r{n}");
            let head = format!("[{name}]\nunit = \"{}\"\ngood = \"up\"\ngroup = \"sales\"\n", dice.of(&["money", "count", "ratio", "duration"]));
            let (table, times, values, refs) = dice.of(&self.tables);
            let (time, value) = (dice.of(times).clone(), dice.of(values).clone());
            let sum = format!("{{ from = \"{table}\", agg = \"sum\", value = \"{value}\", time = \"{time}\" }}");
            let count = format!("{{ from = \"{table}\", time = \"{time}\" }}");
            let distinct = refs.first().map_or(count.clone(), |r| format!("{{ from = \"{table}\", agg = \"distinct\", value = \"{r}\", time = \"{time}\" }}"));
            text += &head;
            text += &match dice.below(9) {
                0 => format!("kind = \"flow\"\nnum = [{sum}]\n"),
                1 => format!("kind = \"ratio\"\nnum = [{count}]\nden = [{distinct}]\n"),
                2 => format!("kind = \"duration\"\nspread = true\nnum = [{sum}]\n"),
                3 => format!("kind = \"stock\"\nstate = {{ from = \"{table}\", since = \"{time}\", until = \"{time}\" }}\n"),
                4 => format!("kind = \"flow\"\ntrailing = {}\nnum = [{distinct}]\n", dice.below(2_000)),
                _ => {
                    let names: Vec<String> = (0..=dice.below(4)).map(|n| format!("i{n}")).collect();
                    let inputs: Vec<String> = names.iter().map(|n| format!("{n} = {}", self.input(dice, &before))).collect();
                    let depth = dice.below(9);
                    format!("kind = \"derived\"\nformula = \"{}\"\ninputs = {{ {} }}\n", self.formula(dice, &names, depth), inputs.join(", "))
                }
            };
            before.push(name);
        }
        text
    }

    fn when(&self, dice: &mut Dice) -> (String, String) {
        let day = |days: i64| northing_model::value::date_text((NOW / 86_400 - days) as i32);
        let long = [1, 30, 200, 400, 1_500, 4_500, 39_000][dice.below(7)];
        let from = long + dice.below(60) as i64;
        (day(from), day(from - long - dice.below(20) as i64))
    }

    fn by(&self, dice: &mut Dice) -> String {
        let many = [0, 0, 1, 1, 2, 3][dice.below(6)];
        (0..many).map(|_| dice.of(&self.dims).clone()).collect::<Vec<_>>().join(",")
    }

    /// A question: method, path and body.
    fn question(&self, dice: &mut Dice) -> (&'static str, String, String) {
        let ((from, to), by) = (self.when(dice), self.by(dice));
        let grain = *dice.of(&["day", "week", "month", "quarter", "year", "total"]);
        match dice.below(10) {
            0..=4 => ("POST", "/api/metrics/try".into(), json!({"toml": self.definitions(dice), "from": from, "to": to, "grain": grain, "by": by}).to_string()),
            5..=7 => {
                let metrics: Vec<String> = (0..[1, 1, 3, 12][dice.below(4)]).map(|_| dice.of(&self.metrics).clone()).collect();
                let compare = *dice.of(&["none", "previous", "year"]);
                ("GET", format!("/api/ask?metrics={}&from={from}&to={to}&grain={grain}&by={by}&compare={compare}", metrics.join(",")), String::new())
            }
            8 => ("GET", format!("/api/metrics/{}/drill?from={from}&to={to}&limit=1000", dice.of(&self.metrics)), String::new()),
            _ => ("GET", format!("/api/metrics/{}/cohorts?from={from}&to={to}&grain={grain}", dice.of(&self.metrics)), String::new()),
        }
    }
}

/// The questions of the findings.
fn known(n: usize) -> (&'static str, String, String) {
    match n % 4 {
        0 => ("POST", "/api/metrics/try".into(), json!({"toml": chain(18, "revenue"), "from": "2023-01-01", "to": "2024-03-01", "grain": "day", "by": "customer"}).to_string()),
        1 => ("GET", format!("/api/ask?metrics=revenue&from=2023-01-{:02}&to=2024-03-01&grain=day&by=customer", n % 28 + 1), String::new()),
        2 => ("GET", format!("/api/ask?metrics=revenue&from=2023-01-01&to=2024-03-01&as_of={}", northing_model::value::time_text(NOW - 86_400 * (n as i64 % 395))), String::new()),
        _ => ("GET", "/api/ask?metrics=revenue,new_customers,active_customers,sales_cycle_length,win_rate&from=2014-01-01&to=2024-03-01&grain=day&by=owner,customer&compare=year".into(), String::new()),
    }
}

/// What people ask for when they work.
const SMALL: [&str; 4] = [
    "/api/ask?metrics=revenue,new_customers&from=2023-03-01&to=2024-03-01&grain=month",
    "/api/records/customers?limit=20",
    "/api/ask?metrics=win_rate&from=2023-12-01&to=2024-03-01&grain=total&by=owner",
    "/api/search?q=an",
];

/// Sets the flag when it goes.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The times of many small questions of some people, in order of length.
fn work(process: &Process, until: Instant) -> Vec<Duration> {
    let times = Mutex::new(Vec::new());
    std::thread::scope(|s| {
        for who in ["ann", "bob"] {
            let times = &times;
            s.spawn(move || {
                for n in 0.. {
                    if Instant::now() > until {
                        break;
                    }
                    let began = Instant::now();
                    let answer = process.ask(who, "GET", SMALL[n % SMALL.len()], "", Duration::from_secs(60));
                    let took = began.elapsed();
                    assert_eq!(answer.as_ref().map(|a| a.0), Some(200), "{who}: {}: {answer:?}", SMALL[n % SMALL.len()]);
                    times.lock().unwrap().push(took);
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
    });
    let mut times = times.into_inner().unwrap();
    times.sort_unstable();
    times
}

/// This thread takes a core only while nothing else wants one.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle)).unwrap();
    }
}

/// The same while as many threads have something to do as in an attack, the attackers' and the server's, all of which
/// give way and have nothing to do with the server: what the machine itself makes of it.
fn beside_strangers(process: &Process, span: Duration) -> Vec<Duration> {
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..2 * std::thread::available_parallelism().map_or(1, |n| n.get()) {
            s.spawn(|| {
                give_way();
                while !over.load(Ordering::Relaxed) {
                    std::hint::black_box((0..100_000u64).fold(0, |a, b| std::hint::black_box(a ^ b)));
                }
            });
        }
        let _ends = Ends(&over);
        work(process, Instant::now() + span)
    })
}

fn at(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

fn fill(folder: &std::path::Path) -> Words {
    let store = Store::open(folder).unwrap();
    northing_crm::demo::fill(&store, &Env::new(|| NOW, uuid::Uuid::now_v7), 1).unwrap();
    // The log gets days of its own, so that instants differ.
    for n in 0..400i64 {
        let note = Change::create("team", id_of(&format!("t{n}")), Record::from([("name".into(), Value::Text(format!("T{n}")))]));
        store.commit(Commit { actor: "owner".into(), at: NOW - 86_400 * (400 - n), changes: vec![note], key: None }).unwrap();
    }
    let role = Record::from([("name".into(), Value::Text("Readers".into())), ("rights".into(), Value::Text("{\"*\": {\"see\": \"all\"}}".into()))]);
    let mut changes = vec![Change::create("access_role", id_of("readers"), role)];
    for who in ["ann", "bob", "eve"] {
        let user = Record::from([("name".into(), Value::Text(who.into())), ("email".into(), Value::Text(format!("{who}@example.org"))), ("access".into(), Value::Ref(id_of("readers")))]);
        changes.push(Change::create("user", id_of(who), user));
    }
    store.commit(Commit { actor: "owner".into(), at: NOW, changes, key: None }).unwrap();
    for who in ["ann", "bob", "eve"] {
        store.open_session(who, &id_of(who).to_string(), "test", false, NOW).unwrap();
    }
    let words = Words::of(&store.model());
    store.close();
    words
}

#[test]
fn s3_s4_hostile_questions_neither_end_the_process_nor_keep_others_from_theirs() {
    let seed = std::env::var("NORTHING_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 + 1);
    let asked = std::env::var("NORTHING_HOSTILE_SECONDS").ok().and_then(|s| s.parse().ok());
    let (by_itself, seconds) = (asked.is_some(), asked.unwrap_or(20u64));
    println!("NORTHING_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let words = fill(folder.path());
    let mut process = Process::begin(folder.path());
    let rest = process.most_kb();
    let mut rounds = Vec::new();
    let told: Mutex<BTreeMap<String, usize>> = Mutex::default();
    for round in 0..3u64 {
        let span = Duration::from_secs((seconds / 3).clamp(5, 60));
        let alone = work(&process, Instant::now() + span / 2);
        let strangers = if by_itself { at(&beside_strangers(&process, span / 2), 99) } else { Duration::ZERO };
        let over = AtomicBool::new(false);
        let beside = std::thread::scope(|s| {
            for thread in 0..12u64 {
                let (process, over, told, words) = (&process, &over, &told, &words);
                s.spawn(move || {
                    // Who attacks works on machines of their own: here they give way.
                    give_way();
                    let mut dice = Dice(seed ^ (thread + 1 + 100 * round).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    for n in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let (method, path, body) = if thread < 4 { known(n * 4 + thread as usize) } else { words.question(&mut dice) };
                        // Some do not wait for the answer.
                        let patience = if dice.below(4) == 0 { Duration::from_millis(1 + dice.below(400) as u64) } else { Duration::from_secs(40) };
                        let answer = process.ask("eve", method, &path, &body, patience);
                        let key = answer.as_ref().map_or("left".to_string(), |a| a.0.to_string());
                        *told.lock().unwrap().entry(key).or_default() += 1;
                        if let Some((status, text)) = answer {
                            assert!(matches!(status, 200 | 400 | 403 | 404 | 422 | 429 | 503), "{status} {text}\n{method} {path}\n{body}");
                        }
                    }
                });
            }
            // The attack ends with the work, also when the work fails.
            let _ends = Ends(&over);
            work(&process, Instant::now() + span)
        });
        println!("round {round}: alone {} questions, p50 {:?} p99 {:?}; beside strangers p99 {strangers:?}; beside the attack {}, p50 {:?} p99 {:?}", alone.len(), at(&alone, 50), at(&alone, 99), beside.len(), at(&beside, 50), at(&beside, 99));
        rounds.push((at(&alone, 99), strangers, at(&beside, 99)));
        assert!(process.lives(), "the process has ended");
    }
    println!("{:?}; memory at rest {rest:?} kB, at most {:?} kB", told.lock().unwrap(), process.most_kb());
    assert!(process.most_kb().is_none_or(|kb| kb < LIMIT_KB), "{:?} kB", process.most_kb());
    // Beside other tests on the same cores, attackers included, only an order of magnitude says something of the server;
    // by itself (NORTHING_HOSTILE_SECONDS) what SECURITY.md's P8 promises is measured. Where the time beside strangers is
    // above that, too, it is the machine that makes them wait.
    let most = if by_itself { 2 } else { 10 };
    assert!(rounds.iter().any(|(alone, _, beside)| *beside < *alone * most), "others waited (alone, beside strangers, beside the attack): {rounds:?}");
}

#[test]
fn s3_a_thousand_random_definitions_are_answered_or_refused() {
    let seed = std::env::var("NORTHING_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()) * 2_246_822_519 + 1);
    println!("NORTHING_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let words = fill(folder.path());
    let mut process = Process::begin(folder.path());
    let told: Mutex<BTreeMap<u16, usize>> = Mutex::default();
    std::thread::scope(|s| {
        for (thread, who) in ["ann", "bob", "eve", "ann"].into_iter().enumerate() {
            let (process, told, words) = (&process, &told, &words);
            s.spawn(move || {
                let mut dice = Dice(seed ^ (thread as u64 + 7).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                for _ in 0..250 {
                    let (method, path, body) = words.question(&mut dice);
                    let Some((status, text)) = process.ask(who, method, &path, &body, Duration::from_secs(120)) else { panic!("no answer: {method} {path}\n{body}") };
                    assert!(matches!(status, 200 | 400 | 403 | 404 | 422 | 429 | 503), "{status} {text}\n{method} {path}\n{body}");
                    *told.lock().unwrap().entry(status).or_default() += 1;
                }
            });
        }
    });
    let told = told.into_inner().unwrap();
    println!("{told:?}; memory at most {:?} kB", process.most_kb());
    assert!(process.lives() && process.most_kb().is_none_or(|kb| kb < LIMIT_KB), "{:?} kB", process.most_kb());
    assert!(told.get(&200).is_some_and(|n| *n > 50) && told.get(&422).is_some_and(|n| *n > 2), "the questions are of one kind only: {told:?}");
    assert_eq!(process.ask("bob", "GET", "/api/session", "", Duration::from_secs(60)).map(|a| a.0), Some(200));
}
