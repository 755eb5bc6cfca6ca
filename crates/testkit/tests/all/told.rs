//! What is told beside numbers on the demo: costs that no value of a breakdown bears, on how many records a number
//! rests, and a funnel whose steps are all of one cohort.

use crate::http::NOW;
use northing_crm::Env;
use northing_facts::{Facts, Snapshot};
use northing_metrics::{Cache, MetricAnswer, ask};
use northing_model::Period;
use northing_store::Store;
use northing_testkit::adds_up::question;

fn demo() -> (tempfile::TempDir, Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    northing_crm::demo::fill(&store, &Env::fixed(NOW, 3), 3).unwrap();
    let snapshot = Facts::load(&store).unwrap().snapshot();
    (folder, snapshot)
}

fn asked(snapshot: &Snapshot, metric: &str, variant: Option<&str>, by: Option<&str>) -> MetricAnswer {
    let today = (NOW / 86_400) as i32;
    let mut question = question(metric, variant, Period { start: today - 200, end: today - 20 }, NOW);
    question.by = by.map(str::to_string).into_iter().collect();
    ask(snapshot, &question, &Cache::default()).unwrap().metrics.remove(0)
}

#[test]
fn n11_costs_that_belong_to_no_source_are_told_of_beside_every_source() {
    let (_folder, snapshot) = demo();
    let cost = |by| asked(&snapshot, "customer_acquisition_cost", None, by);
    let (whole, parts) = (cost(None).total.cell, cost(Some("source")));
    let nowhere = parts.buckets.iter().find(|b| b.by["source"] == "(none)").and_then(|b| b.cell.numerator).unwrap();
    assert!(nowhere * 10.0 > whole.numerator.unwrap(), "the demo has hardly a cost without a source: {nowhere}");
    assert!(whole.unallocated.is_none() && !whole.flags.iter().any(|f| f == "unallocated_costs"));
    for metric in ["customer_acquisition_cost", "ltv_cac_ratio"] {
        let parts = asked(&snapshot, metric, None, Some("source"));
        assert!(parts.buckets.len() > 2 && parts.buckets.iter().all(|b| b.cell.flags.iter().any(|f| f == "unallocated_costs") && b.cell.unallocated.is_some_and(|[part, all]| part * 10.0 > all)), "{metric}: {:?}", parts.buckets);
    }
    // A ratio that rests on several costs tells of the largest sum: what it took to win customers, not what serving them did.
    let ratio = asked(&snapshot, "ltv_cac_ratio", None, Some("source"));
    let own = asked(&snapshot, "customer_acquisition_cost", None, Some("source")).buckets[0].cell.unallocated.unwrap();
    assert!(ratio.buckets.iter().all(|b| b.cell.unallocated.is_some_and(|u| u[0] >= own[0])), "{own:?}: {:?}", ratio.buckets[0].cell);
    // Where nearly all costs have their source nothing is told.
    let leads = asked(&snapshot, "cost_per_lead", None, Some("source"));
    let all = asked(&snapshot, "cost_per_lead", None, None).total.cell.numerator.unwrap();
    let few = leads.buckets.iter().find(|b| b.by["source"] == "(none)").and_then(|b| b.cell.numerator).unwrap_or(0.0) * 10.0 <= all;
    assert!(leads.buckets.iter().all(|b| b.cell.unallocated.is_none() == few), "{:?}", leads.buckets);
    let told = parts.buckets[0].cell.unallocated.unwrap();
    assert!((told[0] - nowhere).abs() < 1e-6 && (told[1] - whole.numerator.unwrap()).abs() < 1e-6, "{told:?}");
}

#[test]
fn n16_a_number_says_on_how_many_records_it_rests() {
    let (_folder, snapshot) = demo();
    for metric in ["deals_won_per_rep", "routine_task_time", "sales_headcount", "enabled_users"] {
        let cell = asked(&snapshot, metric, None, None).total.cell;
        assert!(cell.value.is_some_and(|v| v > 0.0) && cell.n > 0, "{metric}: {cell:?}");
    }
    // Costs are spread over days; what stands behind them are expenses.
    let cell = asked(&snapshot, "crm_cost", None, None).total.cell;
    let rows = northing_metrics::drill::drill(&snapshot, &question("crm_cost", None, Period { start: (NOW / 86_400) as i32 - 200, end: (NOW / 86_400) as i32 - 20 }, NOW), &northing_metrics::drill::Side::Numerator, 0, usize::MAX).unwrap();
    let records: std::collections::BTreeSet<_> = rows.rows.iter().map(|r| r.id).collect();
    assert_eq!((cell.n, rows.total as u64), (records.len() as u64, records.len() as u64));
}

#[test]
fn n15_the_funnel_follows_one_cohort() {
    let (_folder, snapshot) = demo();
    let steps: Vec<(String, f64)> = snapshot.model.dashboards["overview"]
        .funnel
        .iter()
        .map(|step| {
            let (metric, variant) = step.split_once(':').map_or((step.as_str(), None), |(m, v)| (m, Some(v)));
            let cell = asked(&snapshot, metric, variant, None).total.cell;
            let whole = asked(&snapshot, "new_leads", None, None).total.cell.value;
            assert!(cell.denominator.is_none_or(|d| Some(d) == whole), "{step} is of {:?}, the cohort is {whole:?}", cell.denominator);
            (step.clone(), if cell.denominator.is_some() { cell.numerator.unwrap() } else { cell.value.unwrap() })
        })
        .collect();
    assert!(steps.windows(2).all(|w| w[1].1 <= w[0].1) && steps.len() == 6 && steps[5].1 > 0.0 && steps[0].1 > steps[1].1, "{steps:?}");
}
