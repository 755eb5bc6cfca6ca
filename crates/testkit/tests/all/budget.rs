//! What one question may use, what one person may begin, and that waiting takes no thread (findings S3, S4, S5, S10).

use crate::http::{NOW, Server, start, start_with};
use northing_facts::{Facts, Snapshot};
use northing_metrics::{Budget, Cache, Memory, MetricError, Question, Spent, Wanted, ask, ask_within};
use northing_model::{Grain, Period, Record, Value};
use northing_store::{Change, Commit, Store};
use northing_testkit::cases::id_of;
use serde_json::{Value as Js, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Metrics each made of the one before, twice.
pub fn chain(n: usize, first: &str) -> String {
    let one = |i: usize| {
        let of = if i == 1 { first.to_string() } else { format!("x_d{}", i - 1) };
        format!("[x_d{i}]\nkind = \"derived\"\nunit = \"money\"\ngood = \"up\"\ngroup = \"sales\"\nformula = \"a + b\"\ninputs = {{ a = {{ metric = \"{of}\" }}, b = {{ metric = \"{of}\" }} }}\n")
    };
    (1..=n).map(one).collect()
}

const DAY: i32 = (NOW / 86_400) as i32;

fn question(metrics: &[&str], days: i32, grain: Grain, by: &[&str]) -> Question {
    let period = Period { start: DAY - days, end: DAY };
    let metrics = metrics.iter().map(|m| Wanted { metric: (*m).into(), variant: None }).collect();
    Question { metrics, grain, by: by.iter().map(|d| (*d).to_string()).collect(), ..Question::new("revenue", period, NOW) }
}

fn demo() -> (tempfile::TempDir, Store, Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::demo::fill(&store, &northing_crm::Env::new(|| NOW, uuid::Uuid::now_v7), 1).unwrap();
    let snapshot = Facts::load(&store).unwrap().snapshot();
    (folder, store, snapshot)
}

/// What a question answers, or why not.
fn said(outcome: northing_metrics::Result<northing_metrics::Answer>) -> Result<String, MetricError> {
    outcome.map(|answer| serde_json::to_string(&answer.metrics).unwrap())
}

#[test]
fn s3_what_a_metric_is_made_of_is_worked_out_once() {
    let (_folder, _store, snapshot) = demo();
    let (model, _) = snapshot.model.with_metrics(&chain(30, "revenue")).unwrap();
    let snapshot = Snapshot { model: Arc::new(model), ..snapshot };
    // Each twice the one before: worked out over again it would be a thousand million times.
    let answer = ask(&snapshot, &question(&["revenue", "x_d1", "x_d30"], 365, Grain::Month, &[]), &Cache::default()).unwrap();
    let value = |n: usize| answer.metrics[n].total.cell.value.unwrap();
    assert!(value(0) > 0.0);
    assert_eq!((value(1), value(2)), (2.0 * value(0), 2f64.powi(30) * value(0)));
    // The same over HTTP, for whoever may only look.
    let server = start_with(|store, env| northing_crm::demo::fill(store, env, 1).map(drop).unwrap());
    let cookie = server.sign_in();
    let tried = send(&server, &cookie, "POST", "/api/metrics/try", &json!({"toml": chain(18, "revenue"), "from": "2023-03-01", "to": "2024-03-01", "grain": "month"}));
    assert_eq!(tried.status, 200, "{}", tried.body);
    for (n, why) in [(33, "deep"), (70, "too many"), (2_000, "longer")] {
        let tried = send(&server, &cookie, "POST", "/api/metrics/try", &json!({"toml": chain(n, "revenue"), "from": "2023-03-01", "to": "2024-03-01"}));
        assert!(tried.status == 422 && tried.body.contains(why), "{n}: {} {}", tried.status, tried.body);
    }
    let tried = send(&server, &cookie, "POST", "/api/metrics/try", &json!({"toml": chain(5, "x_d5"), "from": "2023-03-01", "to": "2024-03-01"}));
    assert!(tried.status == 422 && tried.body.contains("made of itself"), "{}", tried.body);
}

#[test]
fn s3_a_goal_of_what_goals_are_made_of_is_left_out() {
    let (_folder, store, snapshot) = demo();
    let text = "[x_of_goals]\nkind = \"derived\"\nunit = \"ratio\"\ngood = \"up\"\ngroup = \"sales\"\nformula = \"a + a\"\ninputs = { a = { metric = \"goal_progress\" } }\n";
    let goals: Vec<Change> = (0..40)
        .map(|n| {
            let fields = [("name", Value::Text(format!("G{n}"))), ("kpi", Value::Text("x_of_goals".into())), ("starts_on", Value::Date(DAY - 100 + n)), ("ends_on", Value::Date(DAY - 10 + n % 5)), ("target", Value::Decimal(1_000_000))];
            Change::create("goal", id_of(&format!("g{n}")), fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect::<Record>())
        })
        .collect();
    let definition = Record::from([("kind".to_string(), Value::Text("metric".into())), ("name".into(), Value::Text("x_of_goals".into())), ("body".into(), Value::Text(text.into()))]);
    store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("definition", id_of("x_of_goals"), definition)], key: None }).unwrap();
    store.commit(Commit { actor: "owner".into(), at: NOW, changes: goals, key: None }).unwrap();
    drop(snapshot);
    let snapshot = Facts::load(&store).unwrap().snapshot();
    // It ends, with an answer or a reason, and takes the process with it in no case.
    let answer = said(ask(&snapshot, &question(&["x_of_goals", "goal_progress"], 90, Grain::Month, &[]), &Cache::default()));
    assert!(matches!(answer, Ok(_) | Err(MetricError::Question(_))), "{answer:?}");
}

#[test]
fn s4_a_question_that_was_given_up_leaves_nothing_half_done() {
    let (_folder, _store, snapshot) = demo();
    let asked = question(&["revenue", "win_rate", "sales_cycle", "customer_retention_rate", "active_customers", "new_customers", "net_revenue_retention", "customer_lifespan", "predicted_clv", "customer_health_score"], 200, Grain::Month, &[]);
    let known: Vec<Wanted> = asked.metrics.iter().filter(|w| snapshot.model.metrics.contains_key(&w.metric)).cloned().collect();
    assert!(known.len() >= 6, "the model calls them otherwise: {known:?}");
    let asked = Question { metrics: known, ..asked };
    let by = Question { by: vec!["source".into()], metrics: asked.metrics[..2].to_vec(), ..asked.clone() };
    let whole = [said(ask(&snapshot, &asked, &Cache::default())).unwrap(), said(ask(&snapshot, &by, &Cache::default())).unwrap()];
    let memory = Memory::new(1 << 30);
    let (mut given_up, mut most, mut done) = (0, 1, false);
    while !done {
        // The time is up at the n-th look; the cache has what was found by then.
        let cache = Cache::new(&memory);
        done = true;
        for (question, whole) in [&asked, &by].into_iter().zip(&whole) {
            let looks = Arc::new(AtomicUsize::new(0));
            let budget = Budget::new(&memory, Arc::default(), move || looks.fetch_add(1, Ordering::Relaxed) >= most);
            match said(ask_within(&snapshot, question, &cache, &budget)) {
                Err(MetricError::Spent(Spent::Time)) => {
                    given_up += 1;
                    done = false;
                }
                Ok(answer) => assert_eq!(&answer, whole),
                Err(other) => panic!("{other}"),
            }
            assert_eq!(&said(ask_within(&snapshot, question, &cache, &Budget::new(&memory, Arc::default(), || false))).unwrap(), whole, "after {most} looks");
        }
        most = most * 3 / 2 + 1;
    }
    assert!(given_up > 8, "{given_up}");
    assert_eq!(memory.used(), 0, "what was taken is given back");
    // And when nobody waits any more.
    let left = Arc::new(AtomicBool::new(true));
    assert_eq!(said(ask_within(&snapshot, &asked, &Cache::default(), &Budget::new(&memory, left, || false))), Err(MetricError::Spent(Spent::Left)));
}

#[test]
fn s4_too_large_a_question_is_refused_and_says_what_to_narrow() {
    let (_folder, _store, snapshot) = demo();
    let by_customer = |days: i32, grain: Grain| said(ask(&snapshot, &question(&["revenue"], days, grain, &["customer"]), &Cache::default()));
    assert!(matches!(by_customer(395, Grain::Day), Err(MetricError::Spent(Spent::Cells))));
    assert!(by_customer(395, Grain::Total).is_ok());
    // In little memory it is the bytes that are too many, and then again others are served.
    let memory = Memory::new(16 << 20);
    let cache = Cache::new(&memory);
    let asked = question(&["revenue"], 395, Grain::Day, &["customer"]);
    let outcome = said(ask_within(&snapshot, &asked, &cache, &Budget::new(&memory, Arc::default(), || false)));
    assert!(matches!(outcome, Err(MetricError::Spent(Spent::Bytes))), "{:?}", outcome.err());
    assert!(memory.used() <= memory.limit() / 2 + (1 << 20), "{}", memory.used());
    assert!(said(ask_within(&snapshot, &question(&["revenue"], 30, Grain::Day, &[]), &cache, &Budget::new(&memory, Arc::default(), || false))).is_ok());
    // Over HTTP: a sentence in the reader's language, and what to narrow.
    let server = start_with(|store, env| northing_crm::demo::fill(store, env, 1).map(drop).unwrap());
    let cookie = server.sign_in();
    let path = "/api/ask?metrics=revenue&from=2023-02-01&to=2024-03-01&grain=day&by=customer";
    let english = server.send("GET", path, &[("Cookie", &cookie)], None);
    assert_eq!((english.status, &english.json()["type"]), (422, &json!("urn:northing:problem:too-much")), "{}", english.body);
    assert!(english.body.contains("shorter period") && english.body.contains("coarser grain"));
    for language in ["pl", "ru", "zh", "hu", "fa"] {
        let told = server.send("GET", path, &[("Cookie", &cookie), ("Accept-Language", language)], None);
        assert!(told.status == 422 && !told.body.contains("shorter period"), "{language}: {}", told.body);
    }
}

#[test]
fn s4_facts_of_the_past_are_made_one_after_another_and_shared() {
    let server = start_with(|store, env| northing_crm::demo::fill(store, env, 1).map(drop).unwrap());
    let cookie = server.sign_in();
    let ask = |as_of: i64| {
        let path = format!("/api/ask?metrics=revenue&from=2023-03-01&to=2024-03-01&as_of={}", northing_model::value::time_text(as_of));
        server.send("GET", &path, &[("Cookie", &cookie)], None)
    };
    // The same instant, asked for at once: one is made.
    let same: Vec<(u16, String)> = std::thread::scope(|s| (0..20).map(|_| s.spawn(|| ask(NOW))).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).map(|r| (r.status, r.json()["metrics"].to_string())).collect());
    assert!(same.iter().all(|r| r.0 == 200 && r.1 == same[0].1), "{:?}", same.iter().map(|r| r.0).collect::<Vec<_>>());
    // Many instants with changes between them: a few are made, who asks for more is told to come again.
    for n in 0..40 {
        let field = Record::from([("name".to_string(), Value::Text(format!("N{n}")))]);
        server.store.commit(Commit { actor: "owner".into(), at: NOW + 10 * n, changes: vec![Change::create("customer", id_of(&format!("n{n}")), field)], key: None }).unwrap();
    }
    let ask = &ask;
    let many: Vec<_> = std::thread::scope(|s| (0..40).map(|n| s.spawn(move || ask(NOW + 10 * n))).collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).collect());
    let count = |status: u16| many.iter().filter(|r| r.status == status).count();
    assert_eq!(count(200) + count(429) + count(503), 40, "{:?}", many.iter().map(|r| r.status).collect::<Vec<_>>());
    assert!(count(200) >= 2 && count(429) > 0, "{} {}", count(200), count(429));
    assert!(many.iter().filter(|r| r.status != 200).all(|r| r.head.to_lowercase().contains("retry-after:")));
    // Nobody is shut out afterwards.
    assert_eq!(ask(NOW + 395).status, 200);
}

#[test]
fn s5_waiting_for_a_change_that_was_not_made_is_no_waiting() {
    let server = start();
    let cookie = server.sign_in();
    let least = |f: &dyn Fn()| (0..3).map(|_| { let began = std::time::Instant::now(); f(); began.elapsed() }).min().unwrap();
    let get = |path: &str| assert_eq!(server.send("GET", path, &[("Cookie", &cookie)], None).status, 200, "{path}");
    // Waiting takes up to three seconds.
    let list = least(&|| get("/api/records/customers?limit=1&after=999999999999"));
    let asked = least(&|| get("/api/ask?metrics=revenue&from=2024-01-01&to=2024-02-01&after=999999999999"));
    assert!(list.as_millis() < 1_500 && asked.as_millis() < 1_500, "{list:?} {asked:?}");
    // More wait than there are threads; and others are answered.
    std::thread::scope(|s| {
        let wait = || server.send("GET", "/api/records/customers?limit=1&after=999999999999", &[("Cookie", &cookie)], None).status;
        let all: Vec<_> = (0..600).map(|_| s.spawn(wait)).collect();
        // One address has half of the places at most; whoever comes on top is told at once.
        let told: Vec<u16> = all.into_iter().map(|t| t.join().unwrap()).collect();
        assert!(told.iter().all(|status| matches!(status, 200 | 503)) && told.iter().filter(|status| **status == 200).count() > 100, "{told:?}");
        get("/api/records/customers?limit=1");
    });
    // What was written is seen by whoever asks for it.
    for n in 0..20 {
        let made = send(&server, &cookie, "POST", "/api/records/customers", &json!({"name": format!("W{n}")})).json();
        let seen = server.send("GET", &format!("/api/records/customers?limit=1&after={}", made["seq"]), &[("Cookie", &cookie)], None).json();
        assert_eq!(seen["total"], n + 1);
    }
}

fn send(server: &Server, cookie: &str, method: &str, path: &str, body: &Js) -> crate::http::Reply {
    server.send(method, path, &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(body))
}

#[test]
fn s10_changes_of_lists_are_shared_by_person() {
    let server = start();
    let cookie = server.sign_in();
    let text = |t: &str| Value::Text(t.into());
    let mut changes: Vec<Change> = (0..3_000).map(|n| Change::create("customer", id_of(&format!("c{n}")), Record::from([("name".into(), text(&format!("C{n}")))]))).collect();
    let role = Record::from([("name".into(), text("All")), ("rights".into(), text("{\"*\": {\"see\": \"all\", \"change\": \"all\", \"create\": true, \"delete\": \"all\"}}"))]);
    changes.push(Change::create("access_role", id_of("all"), role));
    changes.push(Change::create("user", id_of("uma"), Record::from([("name".into(), text("Uma")), ("email".into(), text("uma@example.org")), ("access".into(), Value::Ref(id_of("all")))])));
    for part in changes.chunks(1_000) {
        server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: part.to_vec(), key: None }).unwrap();
    }
    let (bulk, update) = ("/api/bulk", |n: usize| json!({"object": "customers", "op": "update", "fields": {"segment": format!("S{n}")}}));
    let seen = server.send("GET", &format!("/api/records/customers?limit=1&after={}", server.store.seq()), &[("Cookie", &cookie)], None);
    assert_eq!(seen.json()["total"], 3_000);
    // What changes nothing is refused, and leaves nothing behind.
    for _ in 0..60 {
        let nothing = send(&server, &cookie, "POST", bulk, &json!({"object": "customers", "filter": "name = 'nobody'", "op": "delete"}));
        assert_eq!((nothing.status, &nothing.json()["type"]), (422, &json!("urn:northing:problem:nothing")), "{}", nothing.body);
    }
    // One person's wait for themselves; another's begins.
    let begun: Vec<_> = (0..40).map(|n| send(&server, &cookie, "POST", bulk, &update(n))).collect();
    assert!(begun.iter().all(|r| matches!(r.status, 202 | 429)), "{:?}", begun.iter().map(|r| r.status).collect::<Vec<_>>());
    assert!(begun.iter().filter(|r| r.status == 202).count() >= 5);
    server.store.add_sign_in("for-uma", &id_of("uma").to_string(), NOW, 60).unwrap();
    let uma = Server::cookie(&server.ask_in(&json!({"token": "for-uma"})));
    let hers = send(&server, &uma, "POST", bulk, &update(99));
    assert_eq!(hers.status, 202, "{}", hers.body);
    let path = |r: &crate::http::Reply| format!("{bulk}/{}", r.json()["id"].as_str().unwrap());
    assert_eq!(server.settled(&path(&hers), &uma)["state"], "done");
    for r in begun.iter().filter(|r| r.status == 202) {
        let told = server.settled(&path(r), &cookie);
        assert_eq!((&told["state"], &told["changed"]), (&json!("done"), &json!(3_000)), "{told}");
    }
    // Many that are over are in nobody's way.
    for n in 0..30 {
        let one = send(&server, &cookie, "POST", bulk, &json!({"object": "customers", "filter": "name = 'C1'", "op": "update", "fields": {"segment": format!("T{n}")}}));
        assert_eq!(one.status, 202, "{n}: {}", one.body);
        assert_eq!(server.settled(&path(&one), &cookie)["state"], "done");
    }
}

#[test]
fn s10_a_change_of_a_list_is_not_done_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let asked = json!({"object": "customers", "op": "update", "fields": {"segment": "New"}});
    let tell = |server: &Server, cookie: &str| server.send("POST", "/api/bulk", &[("Cookie", cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json"), ("Idempotency-Key", "once")], Some(&asked));
    let first = start_with(|store, env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
        northing_crm::workspace::ensure_pipeline(store, env).unwrap();
        let one = Change::create("customer", id_of("c"), Record::from([("name".into(), Value::Text("C".into()))]));
        store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![one], key: None }).unwrap();
    });
    let cookie = first.sign_in();
    let begun = tell(&first, &cookie);
    assert_eq!(begun.status, 202, "{}", begun.body);
    assert_eq!(tell(&first, &cookie).json()["id"], begun.json()["id"]);
    server_done(&first, &cookie, &begun);
    // What the database holds when the process ends, and another process begins with it.
    for entry in std::fs::read_dir(first.folder.path()).unwrap().map(|e| e.unwrap()).filter(|e| e.path().is_file()) {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let second = crate::http::start_at(folder, |_, _| {}, northing_crm::Env::new(|| NOW, uuid::Uuid::now_v7), |_| {});
    second.store.open_session("second", "owner", "test", false, NOW).unwrap();
    let cookie = "sid=second".to_string();
    let change = Change::update("customer", id_of("c"), Record::from([("segment".into(), Value::Text("Newer".into()))]));
    second.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    let again = tell(&second, &cookie);
    assert_eq!((again.status, &again.json()["type"]), (409, &json!("urn:northing:problem:begun")), "{}", again.body);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(second.store.get("customer", id_of("c")).unwrap().0["segment"], Value::Text("Newer".into()));
}

fn server_done(server: &Server, cookie: &str, begun: &crate::http::Reply) {
    let path = format!("/api/bulk/{}", begun.json()["id"].as_str().unwrap());
    assert_eq!(server.settled(&path, cookie)["state"], "done");
}

/// `a between 1 and 2 between 1 and 2 …` is looked at twice at each step: what a page of it would come to ends no process.
#[test]
fn s3_a_condition_is_not_larger_than_its_text() {
    let nested = |n: usize| format!("amount{}", " between 1 and 2".repeat(n));
    assert!(northing_model::Expr::parse(&nested(1)).is_ok() && northing_model::Expr::parse(&format!("({}) and not ({})", nested(1), nested(1))).is_ok());
    for n in [12, 25, 50] {
        assert_eq!(northing_model::Expr::parse(&nested(n)), Err("the expression is nested too deeply".into()), "{n}");
    }
    let inside = (0..25).fold("amount".to_string(), |text, _| format!("({text}) between 1 and 2"));
    assert!(northing_model::Expr::parse(&inside).is_err());
}
