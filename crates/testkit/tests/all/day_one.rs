//! The first day of a business: too young and too few for most numbers, which say so instead of reckoning on.

use northing_metrics::{Cache, Cell, ask};
use northing_model::metric::Unit;
use northing_model::{MetricDef, Period, value::parse_date};
use northing_testkit::adds_up::{question, readings};
use northing_testkit::cases::{Case, Prepared, prepare};

/// A morning's work: one customer with an order of 220 and a booking, a lead, a deal won at once, a ticket answered
/// and solved, three answers to surveys, one expense, one plan, and somebody whose account was made after they began.
const FIRST_DAY: &str = r#"
shows = "the first day"
workspace = { currency = "EUR", zone = "Europe/Warsaw", crm_go_live_on = "2024-05-13" }
[[record]]
object = "user"
id = "u"
fields = { name = "One", role = "sales", invited_at = "2024-05-13T09:00", enabled_at = "2024-05-13T09:00" }
[[record]]
object = "customer"
id = "c"
fields = { name = "First", owner = "u" }
[[record]]
object = "product"
id = "p"
fields = { name = "Service" }
[[record]]
object = "lead"
id = "l"
fields = { name = "Lead", created_at = "2024-05-13T09:00", customer = "c", owner = "u", source = "web" }
[[record]]
object = "order"
id = "o"
fields = { number = "1", customer = "c", confirmed_at = "2024-05-13T10:00", net = "220 EUR", source = "web", owner = "u" }
[[record]]
object = "booking"
id = "b"
fields = { customer = "c", user = "u", starts_at = "2024-05-13T10:30", ends_at = "2024-05-13T11:00", status = "done" }
[[record]]
object = "deal"
id = "d"
fields = { name = "Deal", customer = "c", stage = "s1", amount = "220 EUR", owner = "u", created_at = "2024-05-13T10:00" }
moments = [["stage", "s1", "2024-05-13T10:00"], ["stage", "won", "2024-05-13T10:02"]]
[[record]]
object = "deal"
id = "d2"
fields = { name = "Open", customer = "c", stage = "s1", amount = "500 EUR", owner = "u", created_at = "2024-05-13T10:00" }
[[record]]
object = "ticket"
id = "t"
fields = { subject = "Help", customer = "c", opened_at = "2024-05-13T10:00", status = "new" }
[[record]]
object = "question_version"
id = "q"
fields = { name = "NPS", scores = "nps", lowest = 0, highest = 10, good_from = 9, good_to = 10, bad_from = 0, bad_to = 6 }
[[record]]
object = "survey_response"
id = "s1"
fields = { question = "q", customer = "c", value = 10, answered_at = "2024-05-13T10:10" }
[[record]]
object = "survey_response"
id = "s2"
fields = { question = "q", value = 3, answered_at = "2024-05-13T10:11" }
[[record]]
object = "survey_response"
id = "s3"
fields = { question = "q", value = 0, answered_at = "2024-05-13T10:12" }
[[record]]
object = "expense"
id = "e"
fields = { name = "Adverts", amount = "100 EUR", incurred_on = "2024-05-13", purposes = { lead_generation = 50, crm = 50 } }
[[record]]
object = "time_entry"
id = "w"
fields = { user = "u", started_at = "2024-05-13T10:00", ended_at = "2024-05-13T11:00", is_routine = true }
[[record]]
object = "sales_plan"
id = "pl"
fields = { name = "May", starts_on = "2024-05-01", ends_on = "2024-05-31", orders_planned = 10 }
"#;

fn day_one() -> (Prepared, i64) {
    let case: Case = toml::from_str(FIRST_DAY).unwrap();
    (prepare(&case), northing_model::value::parse_instant("2024-05-13T12:00:00Z").unwrap())
}

fn cells(p: &Prepared, period: Period, now: i64) -> Vec<(String, MetricDef, Cell)> {
    let each = readings(&p.snapshot).into_iter().map(|(metric, variant)| {
        let def = &p.snapshot.model.metrics[&metric];
        let def = variant.as_deref().map_or_else(|| def.clone(), |v| def.variant(v).unwrap());
        let cell = ask(&p.snapshot, &question(&metric, variant.as_deref(), period, now), &Cache::default()).unwrap().metrics.remove(0).total.cell;
        (format!("{metric} {}", variant.unwrap_or_default()), def, cell)
    });
    each.collect()
}

/// All the money there is on that day: a number that is larger was made up.
const MONEY: f64 = 220.0 + 220.0 + 500.0 + 100.0;

/// What is not right about a number of the first day.
fn absurd(def: &MetricDef, cell: &Cell) -> Option<String> {
    let scale = match def.unit {
        Unit::Points => (-100.0, 100.0),
        Unit::Ratio if cell.interval.is_some() => (0.0, 1.0),
        Unit::Duration | Unit::Count | Unit::Years | Unit::HoursPerWeek => (0.0, f64::INFINITY),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    };
    if let Some([low, high]) = cell.interval.filter(|i| i[0] < scale.0 || i[1] > scale.1 || i[0] >= i[1]) {
        return Some(format!("an interval from {low} to {high}"));
    }
    let value = cell.value?;
    let promised = cell.flags.iter().any(|f| f == "forecast");
    match def.unit {
        Unit::MoneyPerYear | Unit::PerYear | Unit::Years => Some("a year told from a morning".into()),
        Unit::HoursPerWeek => Some("a week told from a morning".into()),
        Unit::Money | Unit::MoneyPerDay if value.abs() > MONEY && !promised => Some("more money than there is".into()),
        Unit::Duration if !(0.0..=86_400.0).contains(&value) => Some("longer than the day".into()),
        _ if value < scale.0 || value > scale.1 => Some("off its scale".into()),
        _ => None,
    }
}

#[test]
fn n13_the_first_day_is_not_reckoned_on() {
    let (p, now) = day_one();
    let day = |text: &str| parse_date(text).unwrap();
    for period in [Period { start: day("2024-05-01"), end: day("2024-06-01") }, Period { start: day("2024-05-13"), end: day("2024-05-14") }] {
        let all = cells(&p, period, now);
        let wrong: Vec<String> = all.iter().filter_map(|(name, def, cell)| Some(format!("{name}: {} ({cell:?})", absurd(def, cell)?))).collect();
        assert!(wrong.is_empty(), "{period:?}: {}", wrong.join("\n"));
        let cell = |name: &str| &all.iter().find(|(n, ..)| n.trim() == name).unwrap().2;
        for name in ["purchase_frequency", "average_customer_value", "customer_lifetime_value", "ltv_cac_ratio payback", "average_customer_lifespan with_those_there", "routine_task_time"] {
            assert_eq!((cell(name).value, cell(name).reason.as_deref()), (None, Some("insufficient_data")), "{name}");
        }
        assert_eq!((cell("crm_roi").value, cell("crm_roi").reason.as_deref()), (None, Some("no_baseline")));
        // What is counted and not reckoned on stays.
        assert_eq!((cell("revenue").value, cell("new_leads").value, cell("average_purchase_value").value), (Some(220.0), Some(1.0), Some(220.0)));
        let nps = cell("nps");
        assert!((nps.value.unwrap() + 100.0 / 3.0).abs() < 1e-9 && nps.low_n && nps.interval.is_some_and(|i| i[0] == -100.0 && i[1] < 100.0), "{nps:?}");
    }
}

#[test]
fn n13_one_answer_is_no_certain_score() {
    let (p, _) = day_one();
    let day = |text: &str| parse_date(text).unwrap();
    // Then the first answer alone was there.
    let at = northing_model::value::parse_instant("2024-05-13T08:10:30Z").unwrap();
    let cell = ask(&p.snapshot, &question("nps", None, Period { start: day("2024-05-13"), end: day("2024-05-14") }, at), &Cache::default()).unwrap().metrics.remove(0).total.cell;
    assert_eq!((cell.value, cell.n, cell.interval, cell.variance), (Some(100.0), 1, None, None));
}
