//! Real data sets against the figures of data/REFERENCE.md, where ../shared/data is present.

use crate::shared;
use northing_crm::Env;
use northing_crm::import::{Plan, Reject, import};
use northing_facts::{Facts, Snapshot};
use northing_metrics::{Cache, MetricAnswer, Question, Wanted, ask};
use northing_model::{Expr, Grain, Period, value::parse_date};
use northing_store::Store;
use std::path::Path;

const NOW: i64 = 1_767_225_600; // 2026-01-01

pub struct Loaded {
    pub _folder: tempfile::TempDir,
    pub store: Store,
    pub snapshot: Snapshot,
}

/// Imports files by a plan of the repository; `None` where the data is not there.
pub fn load(plan: &str, files: &[&str]) -> Option<Loaded> {
    load_some(plan, files).map(|(loaded, rejects)| {
        assert!(rejects.is_empty(), "rejected: {rejects:?}");
        loaded
    })
}

/// The same, with the rows that were set aside.
pub fn load_some(plan: &str, files: &[&str]) -> Option<(Loaded, Vec<Reject>)> {
    let paths: Vec<_> = files.iter().map(|f| shared(f)).collect::<Option<_>>().or_else(|| {
        println!("skipped: no ../shared/data for {plan}");
        None
    })?;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::fixed(NOW, 7);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plans").join(plan)).unwrap();
    let plan = Plan::parse(&text).unwrap();
    let mut rejects = Vec::new();
    for path in &paths {
        let report = import(&store, &env, &plan, path, &mut |_, reject| rejects.push(reject.clone())).unwrap();
        assert!(report.rows > 0);
    }
    let seq = store.seq();
    for path in paths.iter().filter(|p| std::fs::metadata(p).is_ok_and(|m| m.len() < 3_000_000)) {
        import(&store, &env, &plan, path, &mut |_, _| {}).unwrap();
    }
    assert_eq!(store.seq(), seq, "a second import of the same files changed something");
    let snapshot = Facts::load(&store).unwrap().snapshot();
    Some((Loaded { _folder: folder, store, snapshot }, rejects))
}

pub struct Asking<'a> {
    pub metric: &'a str,
    pub variant: Option<&'a str>,
    pub from: &'a str,
    pub to: &'a str,
    pub grain: Grain,
    pub by: &'a [&'a str],
    pub filter: Option<&'a str>,
    pub now: i64,
}

impl<'a> Asking<'a> {
    pub fn of(metric: &'a str, from: &'a str, to: &'a str) -> Self {
        Self { metric, variant: None, from, to, grain: Grain::Total, by: &[], filter: None, now: NOW }
    }
    pub fn question(&self) -> Question {
        let period = Period { start: parse_date(self.from).unwrap(), end: parse_date(self.to).unwrap() };
        let mut question = Question::new(self.metric, period, self.now);
        question.metrics = vec![Wanted { metric: self.metric.into(), variant: self.variant.map(str::to_string) }];
        question.grain = self.grain;
        question.by = self.by.iter().map(|d| (*d).to_string()).collect();
        question.filter = self.filter.map(|f| Expr::parse(f).unwrap());
        question
    }
    pub fn ask(&self, loaded: &Loaded) -> MetricAnswer {
        ask(&loaded.snapshot, &self.question(), &Cache::default()).unwrap().metrics.remove(0)
    }
    pub fn value(&self, loaded: &Loaded) -> f64 {
        self.ask(loaded).total.cell.value.unwrap()
    }
}

pub fn near(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 5e-7 * wanted.abs().max(1.0), "{found} is not {wanted}");
}

/// Who first bought in December 2010, and how many of them bought in each month after.
fn online_retail_cohorts(data: &Loaded) {
    let asked = Asking { grain: Grain::Month, variant: Some("served"), ..Asking::of("active_customers", "2010-12-01", "2012-01-01") };
    let found = northing_metrics::cohorts(&data.snapshot, &asked.question(), &Cache::default()).unwrap();
    let first = &found.rows[0];
    let active: Vec<f64> = first.cells.iter().map(|c| c.value.unwrap()).collect();
    assert_eq!(first.customers, 885);
    assert_eq!(active, [885.0, 324.0, 286.0, 340.0, 321.0, 352.0, 321.0, 309.0, 313.0, 350.0, 331.0, 445.0, 235.0]);
    assert_eq!(found.rows.iter().map(|r| r.cells.len()).collect::<Vec<_>>(), (1..=13).rev().collect::<Vec<_>>());
    // Every customer is in one cohort, so the cohorts of a month add up to the month.
    let months = asked.ask(data).buckets;
    for (m, month) in months.iter().enumerate() {
        let sum: f64 = (0..=m).map(|i| found.rows[i].cells[m - i].value.unwrap()).sum();
        assert_eq!(Some(sum), month.cell.value, "month {m}");
    }
}

#[test]
fn maven_crm() {
    let files = ["maven-crm/accounts.csv", "maven-crm/products.csv", "maven-crm/sales_teams.csv", "maven-crm/sales_pipeline.csv"];
    let Some(data) = load("maven-crm.toml", &files) else { return };
    let year = |metric| Asking::of(metric, "2017-01-01", "2018-01-01");
    let win = year("win_rate").ask(&data).total.cell;
    near(win.value.unwrap(), 0.631501);
    assert_eq!((win.numerator, win.denominator), (Some(4238.0), Some(6711.0)));
    let quarters = Asking { grain: Grain::Quarter, ..year("win_rate") }.ask(&data);
    let found: Vec<_> = quarters.buckets.iter().map(|b| (b.cell.numerator.unwrap() as u32, b.cell.denominator.unwrap() as u32)).collect();
    assert_eq!(found, [(531, 647), (1254, 2032), (1257, 2047), (1196, 1985)]);
    let agents = Asking { by: &["owner"], ..year("win_rate") }.ask(&data);
    assert_eq!(agents.buckets.len(), 30);
    for (name, won, decided, rate) in [("Hayden Neloms", 107, 152, 0.703947), ("Darcel Schlecht", 349, 553, 0.631103), ("Lajuana Vencill", 127, 231, 0.549784), ("Niesha Huffines", 105, 175, 0.6)] {
        let cell = &agents.buckets.iter().find(|b| b.by["owner"] == name).unwrap().cell;
        assert_eq!((cell.numerator, cell.denominator), (Some(f64::from(won)), Some(f64::from(decided))));
        near(cell.value.unwrap(), rate);
    }
    let managers = Asking { by: &["team"], ..year("win_rate") }.ask(&data);
    near(managers.buckets.iter().find(|b| b.by["team"] == "Summer Sewald").unwrap().cell.value.unwrap(), 0.643357);
    let revenue = Asking { by: &["industry"], ..year("revenue") }.ask(&data);
    near(revenue.buckets.iter().find(|b| b.by["industry"] == "retail").unwrap().cell.value.unwrap(), 1_867_528.0);
    near(year("revenue").value(&data), 10_005_534.0);
    let deal = year("average_deal_value").ask(&data).total.cell;
    near(deal.value.unwrap(), 2360.909391);
    assert_eq!(deal.median, Some(1117.0));
    let cycle = year("sales_cycle_length").ask(&data).total.cell;
    near(cycle.value.unwrap() / 86_400.0, 51.781973);
    assert_eq!(cycle.median.unwrap() / 86_400.0, 57.0);
    near(Asking { variant: Some("all_closed"), ..year("sales_cycle_length") }.value(&data) / 86_400.0, 47.985397);
    assert_eq!(Asking::of("open_opportunities", "2017-06-01", "2017-07-01").value(&data), 1686.0);
    let rebuilt = Facts::replay(&data.store, data.store.seq(), None).unwrap().snapshot();
    assert!(northing_facts::snapshot::differences(&data.snapshot, &rebuilt).is_empty());
}

#[test]
fn olist_funnel() {
    let files = ["olist-funnel/olist_marketing_qualified_leads_dataset.csv", "olist-funnel/olist_closed_deals_dataset.csv"];
    let Some(data) = load("olist-funnel.toml", &files) else { return };
    let all = Asking::of("lead_conversion_rate", "2017-06-01", "2018-06-01");
    let unlimited = Asking { variant: Some("unlimited"), ..all };
    near(unlimited.value(&data), 0.10525);
    let origins = Asking { by: &["source"], ..unlimited }.ask(&data);
    let expected = [("organic_search", 271, 2296), ("paid_search", 195, 1586), ("social", 75, 1350), ("unknown", 179, 1099), ("direct_traffic", 56, 499), ("email", 15, 493), ("referral", 24, 284), ("other", 4, 150), ("display", 6, 118), ("other_publicities", 3, 65), ("(none)", 14, 60)];
    assert_eq!(origins.buckets.len(), expected.len());
    for (name, won, leads) in expected {
        let cell = &origins.buckets.iter().find(|b| b.by["source"] == name).unwrap().cell;
        assert_eq!((cell.numerator, cell.denominator), (Some(f64::from(won)), Some(f64::from(leads))), "{name}");
    }
    // Within 90 days of 86,400 s: counted from the files by a query of our own.
    let default = Asking::of("lead_conversion_rate", "2017-06-01", "2018-06-01").ask(&data).total.cell;
    assert_eq!((default.numerator, default.denominator, default.mature), (Some(690.0), Some(7999.0), true));
    assert_eq!(default.excluded.get("negative_duration"), Some(&1));
    // Asked on 1 June 2018 (in São Paulo) the leads of the last 90 days may still convert.
    let early = Asking { now: 1_527_822_000, ..Asking::of("lead_conversion_rate", "2017-06-01", "2018-06-01") }.ask(&data).total.cell;
    assert!(!early.mature && early.numerator.unwrap() < 690.0);
    near(early.mature_share.unwrap(), 4_258.0 / 7_999.0);
}

#[test]
fn online_retail() {
    let Some(data) = load("online-retail.toml", &["online-retail/online_retail_by_day_concat.csv.gz"]) else { return };
    online_retail_cohorts(&data);
    let known = |metric| Asking { filter: Some("customer is not null"), ..Asking::of(metric, "2010-12-01", "2012-01-01") };
    near(known("revenue").value(&data), 8_911_407.904);
    assert_eq!(known("new_customers").value(&data), 4338.0);
    let purchase = known("average_purchase_value").ask(&data).total.cell;
    near(purchase.value.unwrap(), 480.865956);
    assert_eq!(purchase.denominator, Some(18_532.0));
    near(known("repeat_purchase_rate").value(&data), 0.655832);
    near(Asking { variant: Some("days"), ..known("repeat_purchase_rate") }.value(&data), 0.643154);
    let months = |metric| Asking { grain: Grain::Month, ..known(metric) }.ask(&data).buckets;
    let revenue: Vec<f64> = months("revenue").iter().map(|b| (b.cell.value.unwrap() * 100.0).round() / 100.0).collect();
    assert_eq!(revenue, [572_713.89, 569_445.04, 447_137.35, 595_500.76, 469_200.36, 678_594.56, 661_213.69, 600_091.01, 645_343.9, 952_838.38, 1_039_318.79, 1_161_817.38, 518_192.79]);
    let new: Vec<f64> = months("new_customers").iter().map(|b| b.cell.value.unwrap()).collect();
    assert_eq!(new, [885.0, 417.0, 380.0, 452.0, 300.0, 284.0, 242.0, 188.0, 169.0, 299.0, 358.0, 323.0, 41.0]);
    let buyers: Vec<f64> = months("repeat_purchase_rate").iter().map(|b| b.cell.denominator.unwrap()).collect();
    assert_eq!(buyers, [885.0, 741.0, 758.0, 974.0, 856.0, 1056.0, 991.0, 949.0, 935.0, 1266.0, 1364.0, 1664.0, 615.0]);
    // Everything: positive lines less cancellations; the 22,124.12 of bad-debt adjustments are neither.
    near(Asking::of("revenue", "2010-12-01", "2012-01-01").value(&data), 9_769_872.05);
}

#[test]
fn cdnow() {
    let Some(data) = load("cdnow.toml", &["cdnow/CDNOW_master.txt"]) else { return };
    let all = |metric| Asking::of(metric, "1997-01-01", "1998-07-01");
    near(all("revenue").value(&data), 2_500_315.63);
    assert_eq!(all("new_customers").value(&data), 23_570.0);
    near(Asking { variant: Some("days"), ..all("repeat_purchase_rate") }.value(&data), 0.488587);
    let purchase = all("average_purchase_value").ask(&data).total.cell;
    near(purchase.value.unwrap(), 35.893648);
    assert_eq!(purchase.median, Some(25.98));
    let months = Asking { grain: Grain::Month, ..all("revenue") }.ask(&data).buckets;
    let found: Vec<(f64, u64)> = months.iter().take(4).map(|b| ((b.cell.value.unwrap() * 100.0).round() / 100.0, b.cell.n)).collect();
    assert_eq!(found, [(299_060.17, 8928), (379_590.03, 11_272), (393_155.27, 11_598), (142_824.49, 3781)]);
}
