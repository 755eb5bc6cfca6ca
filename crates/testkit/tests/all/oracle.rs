//! Random histories: the naive oracle, kept facts, rebuilt facts and facts out of the log must agree.

use northing_facts::{Facts, Snapshot};
use northing_metrics::drill::{Side, drill};
use northing_metrics::{Cache, Cell, Question, Wanted, ask};
use northing_model::{Calendar, Grain, Period};
use northing_store::Store;
use northing_testkit::history::{DAYS, History, START};
use northing_testkit::oracle::{Oracle, Said};
use northing_testkit::world::World;
use std::collections::BTreeMap;

/// Made of other metrics: their values alone are compared.
const DERIVED: [&str; 20] = [
    "sales_activities_per_rep", "revenue_per_employee", "labour_cost_ratio",
    "mailing_list_growth", "retention_cost_per_customer", "retention_cost_ratio", "profit_per_customer", "sales_velocity", "deals_won_per_rep", "enabled_users", "target_attainment",
    "revenue_growth", "forecast_revenue", "average_customer_lifespan", "customer_lifetime_value", "ltv_cac_ratio", "routine_task_time", "crm_roi", "goal_progress", "customer_health_score",
];

const METRICS: [&str; 62] = [
    "severe_dissatisfaction_rate", "ticket_step_time", "win_back_rate",
    "revenue", "net_new_revenue", "repeat_revenue", "deals_won", "deals_created", "average_deal_value", "average_purchase_value", "pipeline_value", "open_opportunities", "win_rate",
    "stage_conversion_rate", "stage_length", "sales_cycle_length", "new_leads", "lead_conversion_rate", "lead_response_time", "cost_per_lead", "customer_acquisition_cost", "new_customers",
    "active_customers", "customer_retention_rate", "customer_churn_rate", "renewal_rate", "repeat_purchase_rate", "purchase_frequency",
    "tickets_created", "open_tickets", "first_response_time", "average_response_time", "ticket_resolution_time", "first_contact_resolution_rate", "ticket_on_time_rate", "complaint_handling_rate",
    "nps", "csat", "ces", "survey_response_rate", "email_open_rate", "email_click_rate", "campaign_revenue", "customer_engagement_rate", "list_subscribers", "list_net_change",
    "lead_qualification_rate", "lead_response_on_time_rate", "repeat_purchases", "retention_cost", "customer_profit", "upsell_rate", "cross_sell_rate", "order_processing_time", "stalled_deals",
    "active_users", "user_adoption_rate", "user_logins", "user_onboarding_time", "average_customer_value", "planned_orders", "lead_funnel",
];

fn histories() -> u64 {
    std::env::var("NORTHING_HISTORIES").ok().and_then(|n| n.parse().ok()).unwrap_or(300)
}

fn one(snapshot: &Snapshot, metrics: &[&str], period: Period, now: i64, cache: &Cache) -> Vec<Cell> {
    let mut question = Question::new(metrics[0], period, now);
    question.metrics = metrics.iter().map(|m| Wanted { metric: (*m).into(), variant: None }).collect();
    let answer = ask(snapshot, &question, cache).unwrap();
    answer.metrics.into_iter().map(|m| m.total.cell).collect()
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

fn agrees(cell: &Cell, said: &Said) -> bool {
    let den = said.den.is_none() || close(cell.denominator, said.den);
    close(cell.numerator, Some(said.num)) && den && close(cell.value, said.value)
}

#[test]
fn random_histories_agree_with_the_oracle() {
    let only = std::env::var("NORTHING_SEED").ok().and_then(|s| s.parse::<u64>().ok());
    let seeds: Vec<u64> = only.map_or_else(|| (1..=histories()).collect(), |s| vec![s]);
    // Two at a time: a history is mostly waiting for its own disk.
    let halves: Vec<Vec<u64>> = (0..2).map(|half| seeds.iter().copied().skip(half).step_by(2).collect()).collect();
    let run_all = |half: &Vec<u64>| {
        let mut valued: BTreeMap<&'static str, usize> = BTreeMap::new();
        for seed in half {
            println!("seed {seed}");
            run(*seed, &mut valued);
        }
        valued
    };
    let parts: Vec<BTreeMap<&str, usize>> = std::thread::scope(|scope| {
        let running: Vec<_> = halves.iter().map(|half| scope.spawn(move || run_all(half))).collect();
        running.into_iter().map(|r| r.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    let mut valued: BTreeMap<&str, usize> = BTreeMap::new();
    parts.iter().flatten().for_each(|(metric, n)| *valued.entry(metric).or_default() += n);
    // Two sides that always say nothing would agree too.
    println!("numbers: {valued:?}");
    let rare: Vec<&str> = METRICS.iter().chain(&DERIVED).filter(|m| valued.get(*m).copied().unwrap_or(0) * 20 < seeds.len()).copied().collect();
    assert!(only.is_some() || rare.is_empty(), "hardly ever a number: {rare:?}");
}

/// Sums that other metrics are made of; those are compared.
const PARTS: [&str; 15] = [
    "sales_activities", "labour_cost", "gross_margin",
    "time_between_purchases",
    "routine_time", "crm_cost", "sales_headcount", "sales_team_deals_won", "customers_with_business", "automation_runs", "campaign_cost",
    "engagement_events", "recurring_revenue", "routine_time_by_hand", "spent_by_recipients",
];

#[test]
fn the_oracle_speaks_of_every_metric() {
    let model = northing_model::Model::builtin().unwrap();
    let silent: Vec<&String> = model.metrics.keys().filter(|id| ![&METRICS[..], &DERIVED[..], &PARTS[..], &["predicted_clv"]].concat().contains(&id.as_str())).collect();
    assert!(silent.is_empty(), "the oracle says nothing of {silent:?}");
}

/// The model's value against densities, a simplex search and numerical integration.
#[test]
fn predicted_values_agree_with_the_oracle() {
    let mut valued = 0;
    for seed in 1..=6 {
        println!("seed {seed}");
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut history = History::new(seed);
        history.crowd(&store);
        let (first, now) = ((START / 86_400) as i32, START + 400 * 86_400);
        let snapshot = Facts::load(&store).unwrap().snapshot();
        let world = World::read(&store);
        for end in [first + 240 + seed as i32, first + 390] {
            let period = Period { start: first, end };
            let cell = one(&snapshot, &["predicted_clv"], period, now, &Cache::default()).remove(0);
            let said = Oracle::new(&world, now).predicted(snapshot.settings.zone.midnight(end));
            let Some((value, said)) = cell.value.zip(said) else {
                assert!(cell.value.is_none() && said.is_none() && cell.reason.as_deref() == Some("model_not_fit"), "seed {seed}: engine {cell:?}, oracle {said:?}");
                continue;
            };
            valued += 1;
            for (variant, said) in [None, Some("alive"), Some("purchases")].into_iter().zip(said) {
                let mut question = Question::new("predicted_clv", period, now);
                question.metrics[0].variant = variant.map(str::to_string);
                let value = ask(&snapshot, &question, &Cache::default()).unwrap().metrics[0].total.cell.value.unwrap();
                assert!((value - said).abs() < 1e-4 * said, "seed {seed} {variant:?}: engine {value}, oracle {said}: {cell:?}");
            }
            let rows = drill(&snapshot, &Question::new("predicted_clv", period, now), &Side::Numerator, 0, usize::MAX).unwrap();
            assert!(close(Some(rows.sum), Some(value)) && rows.total as u64 == cell.n, "seed {seed}: drill-down {} {}", rows.sum, rows.total);
        }
    }
    assert!(valued >= 8, "a model for {valued} of 12 only");
}

fn run(seed: u64, valued: &mut BTreeMap<&'static str, usize>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut history = History::new(seed);
    history.begin(&store);
    let mut kept = Facts::load(&store).unwrap();
    let cache = Cache::default();
    let now = START + history.chance.between(DAYS / 2, DAYS + 30) * 86_400 + history.chance.between(0, 86_399);
    let first = (START / 86_400) as i32;
    let mut then = None;
    for step in 0..12 {
        for _ in 0..4 {
            history.step(&store);
        }
        kept.catch_up(&store).unwrap();
        let (a, b) = (history.chance.between(0, DAYS - 2) as i32, history.chance.between(5, 150) as i32);
        let mut period = Period { start: first + a, end: first + a + b };
        if history.chance.percent(30) {
            // One that runs as the clock is asked.
            let today = (now / 86_400) as i32;
            period = Period { start: today - b / 2, end: today + b };
        }
        let snapshot = kept.snapshot();
        if step == 5 {
            then = Some(snapshot.clone());
        }
        if step % 4 == 3 {
            let rebuilt = Facts::load(&store).unwrap().snapshot();
            let replayed = Facts::replay(&store, store.seq(), None).unwrap().snapshot();
            let differences = northing_facts::snapshot::differences(&snapshot, &rebuilt);
            assert!(differences.is_empty(), "seed {seed} step {step}: kept and rebuilt facts differ: {:#?}", &differences[..differences.len().min(3)]);
            let differences = northing_facts::snapshot::differences(&rebuilt, &replayed);
            assert!(differences.is_empty(), "seed {seed} step {step}: rebuilt facts and the log differ: {:#?}", &differences[..differences.len().min(3)]);
            judge(seed, &store, &snapshot, period, now, &cache, valued);
            // Every drill-down is added up once in each history, when most is there.
            properties(seed, &snapshot, period, now, &cache, step == 11);
        }
    }
    // What was shown earlier can be shown again out of the log.
    let then = then.unwrap();
    let again = Facts::replay(&store, then.seq, None).unwrap().snapshot();
    let differences = northing_facts::snapshot::differences(&then, &again);
    assert!(differences.is_empty(), "seed {seed}: facts as of {} differ: {:#?}", then.seq, &differences[..differences.len().min(3)]);
}

fn judge(seed: u64, store: &Store, snapshot: &Snapshot, period: Period, now: i64, cache: &Cache, valued: &mut BTreeMap<&'static str, usize>) {
    let world = World::read(store);
    let oracle = Oracle::new(&world, now);
    let zone = &snapshot.settings.zone;
    let (start, end) = (zone.midnight(period.start), zone.midnight(period.end).min(now));
    if start >= end {
        return;
    }
    let together = one(snapshot, &METRICS, period, now, cache);
    for (metric, cell) in METRICS.iter().zip(&together) {
        *valued.entry(metric).or_default() += usize::from(cell.value.is_some());
        let alone = one(snapshot, &[metric], period, now, &Cache::default());
        assert_eq!(alone[0], *cell, "seed {seed}: {metric} alone is not {metric} among others");
        match oracle.say(metric, start, end) {
            Some(said) => assert!(agrees(cell, &said), "seed {seed} {metric} {period:?} now {now}: engine {cell:?}, oracle {said:?}"),
            None => assert!(cell.value.is_none() && matches!(cell.reason.as_deref(), Some("missing_rate" | "no_cost_recorded")) && cell.excluded.contains_key("missing_rate"), "seed {seed} {metric}: {cell:?}"),
        }
    }
    let mut before = f64::INFINITY;
    for step in ["to_contact", "to_qualified", "to_deal", "to_win"] {
        let question = northing_testkit::adds_up::question("lead_funnel", Some(step), period, now);
        let cell = ask(snapshot, &question, cache).unwrap().metrics.remove(0).total.cell;
        assert!(oracle.say(step, start, end).is_some_and(|said| agrees(&cell, &said)), "seed {seed} {step} {period:?} now {now}: engine {cell:?}");
        assert!(cell.numerator.unwrap() <= before, "seed {seed}: more came to {step} than to the step before");
        before = cell.numerator.unwrap();
    }
    for (metric, cell) in DERIVED.iter().zip(one(snapshot, &DERIVED, period, now, cache)) {
        *valued.entry(metric).or_default() += usize::from(cell.value.is_some());
        let said = oracle.value_of(metric, period, start, end);
        assert!(close(cell.value, said), "seed {seed} {metric} {period:?} now {now}: engine {cell:?}, oracle {said:?}");
    }
}

/// As many records as are said to be left out are there to be looked at, and none of them is counted (N18).
fn left_out(seed: u64, snapshot: &Snapshot, period: Period, now: i64, cache: &Cache) {
    let model = &snapshot.model;
    let readings = model.metrics.iter().flat_map(|(id, def)| std::iter::once((id, None)).chain(def.variants.keys().map(move |v| (id, Some(v.clone())))));
    for (metric, variant) in readings {
        let mut question = Question::new(metric, period, now);
        question.metrics[0].variant.clone_from(&variant);
        let cell = ask(snapshot, &question, cache).unwrap().metrics.remove(0).total.cell;
        let counted = drill(snapshot, &question, &Side::Numerator, 0, usize::MAX).unwrap();
        let counted: std::collections::BTreeSet<uuid::Uuid> = counted.rows.iter().map(|r| r.id).collect();
        for (reason, n) in &cell.excluded {
            let rows = drill(snapshot, &question, &Side::Excluded(reason.clone()), 0, usize::MAX).unwrap();
            // Reasons that the kind itself gives have no rows of their own.
            if rows.total == 0 && matches!(reason.as_str(), "missing_rate" | "insufficient_data") {
                continue;
            }
            assert_eq!(rows.total as u64, *n, "seed {seed} {metric} {variant:?}: left out for {reason}: {n}, of which {} are shown", rows.total);
            // What is money of a promise kept is told by its parts: one ticket has two promises, one record two measures.
            let several = matches!(metric.as_str(), "ticket_on_time_rate" | "customer_profit" | "pipeline_value" | "stalled_deals") || reason == "missing_rate" || metric == "stage_length" || metric == "stage_conversion_rate";
            let both = rows.rows.iter().find(|r| counted.contains(&r.id));
            assert!(several || both.is_none(), "seed {seed} {metric} {variant:?}: {both:?} is left out for {reason}, and counted");
        }
    }
}

/// Drill-down adds up to the number; KPIS.md §7's identities; parts add up to the whole.
fn properties(seed: u64, snapshot: &Snapshot, period: Period, now: i64, cache: &Cache, adds_up: bool) {
    let zone = &snapshot.settings.zone;
    if zone.midnight(period.start) >= now {
        return;
    }
    if adds_up {
        let (wrong, _) = northing_testkit::adds_up::faults(snapshot, period, now, cache);
        assert!(wrong.is_empty(), "seed {seed} {period:?} now {now}: {}", wrong.join("\n"));
        left_out(seed, snapshot, period, now, cache);
    }
    let value = |metric: &str| one(snapshot, &[metric], period, now, cache).remove(0).numerator;
    let sum = value("net_new_revenue").zip(value("repeat_revenue")).map(|(a, b)| a + b);
    assert!(close(sum, value("revenue")), "seed {seed}: net new and repeat revenue make {sum:?}, revenue is {:?}", value("revenue"));
    let both = value("customer_retention_rate").zip(value("customer_churn_rate")).map(|(a, b)| a + b);
    assert!(close(both, one(snapshot, &["customer_churn_rate"], period, now, cache)[0].denominator), "seed {seed}: kept and lost customers");
    for (metric, by) in [("revenue", "source"), ("win_rate", "owner"), ("csat", "question"), ("customer_churn_rate", "segment"), ("first_response_time", "topic")] {
        let mut question = Question::new(metric, period, now);
        question.by = vec![by.into()];
        question.compare = Some(northing_metrics::Compare::Previous);
        let answer = ask(snapshot, &question, cache).unwrap().metrics.remove(0);
        if let Some(change) = &answer.total.change {
            let parts: f64 = answer.buckets.iter().filter_map(|b| b.contribution).map(|c| c.total).sum();
            let split = answer.buckets.iter().filter_map(|b| b.contribution).all(|c| c.mix.zip(c.rate).is_none_or(|(m, r)| close(Some(m + r), Some(c.total))));
            assert!(split && close(Some(parts), Some(change.absolute)), "seed {seed}: {metric} by {by} changed by {change:?}, its parts make {parts}");
        }
    }
    for (metric, by) in [("revenue", "source"), ("revenue", "product"), ("deals_won", "owner"), ("new_leads", "source"), ("open_opportunities", "stage"), ("new_customers", "segment"), ("active_customers", "segment")] {
        for grain in [Grain::Total, Grain::Month] {
            let mut question = Question::new(metric, period, now);
            question.by = vec![by.into()];
            question.grain = grain;
            question.calendar = Calendar::SolarHijri;
            let answer = ask(snapshot, &question, cache).unwrap();
            let metric_answer = &answer.metrics[0];
            let last = metric_answer.buckets.iter().map(|b| b.start.clone()).filter(|s| northing_model::value::parse_date(s).is_some_and(|d| zone.midnight(d) < now)).max();
            let stock = matches!(metric, "open_opportunities" | "active_customers");
            if metric_answer.total.cell.reason.as_deref() == Some("missing_rate") {
                assert!(metric_answer.buckets.iter().any(|b| b.cell.reason.as_deref() == Some("missing_rate")), "seed {seed}: {metric} by {by} ({grain:?}) lacks a rate nowhere");
                continue;
            }
            let parts: f64 = metric_answer.buckets.iter().filter(|b| !stock || Some(&b.start) == last.as_ref()).filter_map(|b| b.cell.value).sum();
            assert!(close(Some(parts), metric_answer.total.cell.value), "seed {seed}: {metric} by {by} ({grain:?}) adds up to {parts}, the whole is {:?}", metric_answer.total.cell);
        }
    }
}
