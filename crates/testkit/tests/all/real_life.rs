//! Real data of service, churn, mails and reviews against data/REFERENCE.md; the value model against KPIS.md §6.

use crate::real_data::{Asking, load, near};
use northing_metrics::clv::{Summary, fit};

/// The published tenth of CDNOW up to the end of September 1997: parameters to a thousandth, likelihoods too.
#[test]
fn cdnow_value() {
    let Some(data) = load("cdnow-sample.toml", &["cdnow/CDNOW_sample.txt"]) else { return };
    let cell = Asking::of("predicted_clv", "1997-09-01", "1997-10-01").ask(&data).total.cell;
    let part = |name: &str| cell.parts[name].unwrap();
    assert_eq!((part("customers"), part("repeaters")), (2357.0, 946.0));
    for (name, wanted) in [("r", 0.24259452), ("alpha", 4.41360186), ("a", 0.79292198), ("b", 2.42590643), ("p", 6.24957125), ("q", 3.74422494), ("v", 15.44352537), ("correlation", 0.11388)] {
        assert!((part(name) - wanted).abs() < 1e-3 * wanted, "{name} is {} instead of {wanted}", part(name));
    }
    // Fitted to the same customers elsewhere: 71,510 with months of 4.345 weeks.
    assert!((cell.value.unwrap() / 71_510.0 - 1.0).abs() < 5e-3, "{:?}", cell.value);
    assert_eq!(cell.n, 2357);
    // The same customers, who may be gone right after their first purchase, fitted elsewhere.
    let early = Asking { variant: Some("early_loss"), ..Asking::of("predicted_clv", "1997-09-01", "1997-10-01") }.ask(&data).total.cell;
    for (name, wanted) in [("r", 0.52484), ("alpha", 6.18299), ("a", 0.89136), ("b", 1.61400)] {
        let found = early.parts[name].unwrap();
        assert!((found - wanted).abs() < 1e-3 * wanted, "{name} is {found} instead of {wanted}");
    }
    let bands = Asking { by: &["alive_band"], ..Asking::of("predicted_clv", "1997-09-01", "1997-10-01") }.ask(&data).buckets;
    near(bands.iter().filter_map(|b| b.cell.value).sum(), cell.value.unwrap());
    assert_eq!(bands.iter().map(|b| b.cell.n).sum::<u64>(), 2357);
}

/// Without a file: customers drawn from known parameters give them back, roughly.
#[test]
fn a_fit_finds_what_was_put_in() {
    let mut chance = northing_crm::demo::Chance::new(11);
    let mut uniform = move || (chance.below(1 << 40) as f64 + 0.5) / (1u64 << 40) as f64;
    let data: Vec<Summary> = (0..4_000)
        .map(|_| {
            // Rates and mean values are exponential or near it, the chance to leave is Beta(1, 4).
            let (rate, leave, t) = (0.08 * -uniform().ln(), 1.0 - uniform().powf(0.25), 20.0 + 20.0 * uniform());
            let own = 30.0 * -(uniform() * uniform() * uniform()).ln() / 3.0;
            let (mut at, mut x, mut t_x, mut spent) = (0.0, 0, 0.0, 0.0);
            loop {
                at += -uniform().ln() / rate.max(1e-9);
                if at > t {
                    break;
                }
                (x, t_x, spent) = (x + 1, at, spent + own * -(uniform() * uniform()).ln() / 2.0);
                if uniform() < leave {
                    break;
                }
            }
            Summary { x, t_x, t, mean: if x > 0 { spent / f64::from(x) } else { 0.0 } }
        })
        .collect();
    let found = fit(&data, false).expect("a fit");
    assert!((found.timing.r / found.timing.alpha / 0.08 - 1.0).abs() < 0.25, "{found:?}");
    assert!((found.spend.expected(0, 0.0) / 30.0 - 1.0).abs() < 0.15, "{found:?}");
}

#[test]
fn itsm_incidents() {
    let Some(data) = load("itsm-incidents.toml", &["itsm-incidents/incident_event_log.csv.gz"]) else { return };
    let all = |metric| Asking::of(metric, "2016-02-01", "2018-01-01");
    assert_eq!(all("tickets_created").value(&data), 24_918.0);
    let calendar = Asking { variant: Some("calendar"), ..all("ticket_resolution_time") }.ask(&data).total.cell;
    assert_eq!(calendar.n, 23_362);
    near(calendar.value.unwrap() / 3600.0, 178.171582);
    near(calendar.median.unwrap() / 3600.0, 22.1);
    near(calendar.p90.unwrap() / 3600.0, 381.548333);
    let business = all("ticket_resolution_time").ask(&data).total.cell;
    near(business.value.unwrap() / 3600.0, 42.899745);
    near(business.median.unwrap() / 3600.0, 6.433333);
    near(business.p90.unwrap() / 3600.0, 92.216667);
    let months = Asking { grain: northing_model::Grain::Month, ..all("tickets_created") }.ask(&data).buckets;
    let found: Vec<f64> = months.iter().take(13).map(|b| b.cell.value.unwrap()).collect();
    assert_eq!(found, [207.0, 8995.0, 7934.0, 7508.0, 5.0, 14.0, 15.0, 12.0, 16.0, 26.0, 37.0, 94.0, 55.0]);
}

#[test]
fn itsm_backlog() {
    let Some(data) = load("itsm-closing.toml", &["itsm-incidents/incident_event_log.csv.gz"]) else { return };
    assert_eq!(Asking::of("open_tickets", "2016-05-01", "2016-06-01").value(&data), 2044.0);
    let closing = Asking { variant: Some("calendar"), ..Asking::of("ticket_resolution_time", "2016-02-01", "2018-01-01") }.ask(&data).total.cell;
    assert_eq!(closing.n, 24_918);
    near(closing.value.unwrap() / 3600.0, 315.328634);
    near(closing.median.unwrap() / 3600.0, 145.866667);
}

#[test]
fn telco_churn() {
    let Some(data) = load("telco-churn.toml", &["telco-churn/Telco-Customer-Churn.csv"]) else { return };
    let month = |metric| Asking::of(metric, "2023-12-01", "2024-01-01");
    let churn = month("customer_churn_rate").ask(&data).total.cell;
    assert_eq!((churn.numerator, churn.denominator), (Some(1869.0), Some(7043.0)));
    near(churn.value.unwrap(), 0.26537);
    near(month("customer_retention_rate").value(&data), 1.0 - 0.26536987);
    let of = |by: &'static str, name: &str| {
        let answer = Asking { by: if by == "plan" { &["plan"] } else { &["segment"] }, ..month("customer_churn_rate") }.ask(&data);
        answer.buckets.iter().find(|b| b.by[by] == name).unwrap().cell.value.unwrap()
    };
    near(of("plan", "Month-to-month"), 0.427097);
    near(of("plan", "One year"), 0.112695);
    near(of("plan", "Two year"), 0.028319);
    near(of("segment", "Electronic check"), 0.452854);
    near(of("segment", "Credit card (automatic)"), 0.152431);
}

#[test]
fn hillstrom_email() {
    let Some(data) = load("hillstrom-email.toml", &["hillstrom-email/hillstrom.csv"]) else { return };
    let month = |metric| Asking::of(metric, "2008-03-01", "2008-04-01");
    near(month("revenue").value(&data), 67_258.13);
    let by = |metric: &'static str, name: &str| {
        let answer = Asking { by: &["campaign_sent"], ..month(metric) }.ask(&data);
        answer.buckets.iter().find(|b| b.by["campaign_sent"] == name).unwrap().cell.value.unwrap()
    };
    near(by("email_click_rate", "Mens E-Mail"), 0.182757);
    near(by("email_click_rate", "Womens E-Mail"), 0.1514);
    near(by("campaign_revenue", "Mens E-Mail"), 30_311.69);
    near(by("campaign_revenue", "Womens E-Mail"), 23_038.11);
    near(by("campaign_revenue", "(none)"), 13_908.33);
    near(month("campaign_revenue").value(&data), 30_311.69 + 23_038.11);
    near(by("spent_by_recipients", "Mens E-Mail"), 1.422617);
    near(by("spent_by_recipients", "Womens E-Mail"), 1.077202);
    let other = |metric: &'static str, variant: &'static str| Asking { variant: Some(variant), ..month(metric) }.value(&data);
    near(other("spent_by_recipients", "held_out"), 0.652789);
    near(other("campaign_revenue", "lift"), ((30_311.69 + 23_038.11) / 42_694.0) / (13_908.33 / 21_306.0) - 1.0);
}

#[test]
fn olist_reviews() {
    let files = ["olist-ecommerce-sample/olist_orders_dataset.csv", "olist-ecommerce-sample/olist_order_reviews_dataset.csv"];
    let Some(data) = load("olist-ecommerce.toml", &files) else { return };
    let all = |metric| Asking::of(metric, "2016-01-01", "2019-01-01");
    let csat = all("csat").ask(&data).total.cell;
    assert_eq!(csat.n, 4988);
    near(csat.value.unwrap(), 0.782077);
    near(Asking { variant: Some("mean"), ..all("csat") }.value(&data), 4.119286);
    let delivered = Asking { filter: Some("source = 'delivered'"), ..all("order_processing_time") }.ask(&data).total.cell;
    assert_eq!(delivered.n, 4857);
    near(delivered.median.unwrap() / 86_400.0, 10.136806);
}

#[test]
fn facebook_ads() {
    let Some(data) = load("facebook-ads.toml", &["facebook-ads-kag/KAG_conversion_data.csv"]) else { return };
    let all = |metric| Asking::of(metric, "2000-01-01", "2025-01-01");
    assert_eq!((all("new_leads").value(&data), all("new_customers").value(&data)), (3264.0, 1079.0));
    near(all("cost_per_lead").value(&data), 17.985671);
    near(all("customer_acquisition_cost").value(&data), 54.407071);
    let by = |metric: &'static str, name: &str| {
        let answer = Asking { by: &["source"], ..all(metric) }.ask(&data);
        answer.buckets.iter().find(|b| b.by["source"] == name).unwrap().cell.value.unwrap()
    };
    for (campaign, cpl, cac) in [("916", 2.581207, 6.237917), ("936", 5.388026, 15.810765), ("1178", 20.855058, 63.832741)] {
        near(by("cost_per_lead", campaign), cpl);
        near(by("customer_acquisition_cost", campaign), cac);
    }
}

#[test]
fn ravenstack() {
    let files = ["ravenstack-saas/ravenstack_accounts.csv", "ravenstack-saas/ravenstack_subscriptions.csv", "ravenstack-saas/ravenstack_supports_ticket.csv"];
    let Some(data) = load("ravenstack-saas.toml", &files) else { return };
    let quarters = Asking { grain: northing_model::Grain::Quarter, ..Asking::of("active_customers", "2023-01-01", "2025-01-01") }.ask(&data).buckets;
    let found: Vec<f64> = quarters.iter().map(|b| b.cell.value.unwrap()).collect();
    assert_eq!(found, [19.0, 64.0, 119.0, 185.0, 250.0, 333.0, 414.0, 500.0]);
    let year = Asking::of("customer_churn_rate", "2024-01-01", "2025-01-01").ask(&data).total.cell;
    assert_eq!((year.numerator, year.denominator), (Some(0.0), Some(185.0)));
    // Of the value of subscriptions at the end of 2023.
    let kept = |variant| Asking { variant: Some(variant), ..Asking::of("customer_retention_rate", "2024-01-01", "2025-01-01") }.ask(&data).total.cell;
    near(kept("revenue_net").value.unwrap(), 2.922709);
    assert_eq!(kept("revenue_net").denominator, Some(1_262_113.0));
    near(kept("revenue_gross").value.unwrap(), 0.9959);
    let all = |metric| Asking::of(metric, "2022-01-01", "2026-01-01");
    let reply = all("first_response_time").ask(&data).total.cell;
    near(reply.value.unwrap() / 60.0, 88.48);
    assert_eq!(reply.median.unwrap() / 60.0, 88.0);
    let urgent = Asking { by: &["priority"], ..all("first_response_time") }.ask(&data);
    near(urgent.buckets.iter().find(|b| b.by["priority"] == "urgent").unwrap().cell.value.unwrap() / 60.0, 85.529183);
    near(all("csat").value(&data), 0.662979);
    near(Asking { variant: Some("mean"), ..all("csat") }.value(&data), 3.981277);
}
