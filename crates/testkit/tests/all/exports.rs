//! Tables as connectors export them from other systems: the shipped plans read them, and what they say comes out.
//! The samples are excerpts, so some rows speak of records that are not among them; those are set aside.

use crate::real_data::{Asking, Loaded, load, load_some, near};
use northing_crm::Env;
use northing_crm::import::{Plan, Reject, import};
use northing_facts::Facts;
use northing_metrics::drill::{Side, drill};
use northing_store::Store;

fn tables(system: &str, names: &[&str]) -> Option<(Loaded, Vec<Reject>)> {
    let files: Vec<String> = names.iter().map(|n| format!("export-formats/{system}-fivetran/{n}.csv")).collect();
    load_some(&format!("{system}.toml"), &files.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn zendesk_tables() {
    let Some((data, rejects)) = tables("zendesk", &["organization_data", "user_data", "ticket_data", "ticket_field_history_data", "ticket_comment_data"]) else { return };
    let year = |metric| Asking::of(metric, "2020-01-01", "2021-01-01");
    assert_eq!(year("tickets_created").value(&data), 7.0);
    // All but the one that was solved in January; in June the one that was still open.
    let solved = Asking { variant: Some("calendar"), ..year("ticket_resolution_time") }.ask(&data).total.cell;
    assert_eq!(solved.n, 6);
    assert_eq!(Asking::of("open_tickets", "2020-05-01", "2020-06-01").value(&data), 1.0);
    assert_eq!(year("open_tickets").value(&data), 1.0);
    assert!(rejects.len() == 20 && rejects.iter().all(|r| r.reason.starts_with("there is no ticket")), "{rejects:?}");
}

#[test]
fn stripe_tables() {
    let Some((data, rejects)) = tables("stripe", &["customer_data", "charge_data", "refund_data", "subscription_data"]) else { return };
    assert!(rejects.is_empty(), "{rejects:?}");
    // Every charge of the sample failed; four refunds of charges that are not in it went out.
    assert_eq!(Asking::of("average_purchase_value", "2021-01-01", "2022-01-01").ask(&data).total.cell.n, 0);
    near(Asking::of("revenue", "2021-02-01", "2021-03-01").value(&data), -22_298.71);
    near(Asking::of("revenue", "2021-03-01", "2021-04-01").value(&data), -1_615.5);
    assert_eq!(Asking::of("active_customers", "2021-02-18", "2021-02-19").value(&data), 2.0);
    assert_eq!(Asking::of("active_customers", "2021-02-19", "2021-02-20").value(&data), 0.0);
}

#[test]
fn mailchimp_tables() {
    let Some((data, rejects)) = tables("mailchimp", &["member", "campaign", "campaign_recipient", "campaign_recipient_activity", "unsubscribe"]) else { return };
    assert!(rejects.is_empty(), "{rejects:?}");
    let month = |metric| Asking::of(metric, "2019-11-01", "2019-12-01");
    let rate = |metric| {
        let cell = month(metric).ask(&data).total.cell;
        (cell.numerator.unwrap(), cell.denominator.unwrap())
    };
    assert_eq!(rate("email_open_rate"), (7.0, 10.0));
    assert_eq!(rate("email_click_rate"), (1.0, 10.0));
    assert_eq!(Asking::of("list_subscribers", "2019-12-01", "2020-01-01").value(&data), 6.0);
    assert_eq!(Asking::of("list_net_change", "2020-04-17", "2020-04-18").value(&data), 0.0);
}

#[test]
fn hubspot_tables() {
    let names = ["owner_data", "company_data", "deal_pipeline_data", "deal_pipeline_stage_data", "deal_data", "deal_stage_data", "ticket_data", "email_campaign_data", "email_event_data"];
    let Some((data, rejects)) = tables("hubspot", &names) else { return };
    assert!(rejects.is_empty(), "{rejects:?}");
    let ever = |metric| Asking::of(metric, "2018-01-01", "2026-01-01");
    assert_eq!(ever("deals_created").value(&data), 44.0);
    assert_eq!(ever("tickets_created").value(&data), 25.0);
    let reply = ever("first_response_time").ask(&data).total.cell;
    assert_eq!((reply.n, reply.value), (4, Some(28_435.0)));
    // One was closed before it was created.
    let solved = ever("ticket_resolution_time").ask(&data).total.cell;
    assert_eq!(solved.n, 22);
    near(solved.value.unwrap(), 6_326_836.363636);
    let opened = ever("email_open_rate").ask(&data).total.cell;
    assert_eq!((opened.numerator, opened.denominator), (Some(20.0), Some(22.0)));
}

/// The answers of Qualtrics' sample belong to responses that are not in it; these three do.
#[test]
fn qualtrics_tables() {
    // Five invitations, one of which could not be delivered.
    if let Some((data, rejects)) = tables("qualtrics", &["question", "distribution_contact", "question_response"]) {
        assert_eq!(Asking::of("survey_response_rate", "2020-01-01", "2024-01-01").ask(&data).total.cell.denominator, Some(4.0));
        assert!(rejects.len() == 4 && rejects.iter().all(|r| r.reason.contains("import it first")), "{rejects:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("question.csv", "id,survey_id,question_description,question_text,selector\nQID1,SV_1,Would you recommend us?,,NPS\n");
    write("survey_response.csv", "id,survey_id,end_date,distribution_channel,user_language\nR_1,SV_1,2024-03-05 10:00:00.000000,email,EN\nR_2,SV_1,2024-03-06 10:00:00.000000,email,FA\nR_3,SV_1,2024-03-07 10:00:00.000000,email,EN\n");
    write("question_response.csv", "response_id,question_id,question,value\nR_1,QID1,Would you,10\nR_2,QID1,Would you,3\nR_3,QID1,Would you,9\nR_3,QID2,Anything else?,\n");
    let plan = Plan::parse(include_str!("../../../../plans/qualtrics.toml")).unwrap();
    let (home, env) = (tempfile::tempdir().unwrap(), Env::fixed(1_800_000_000, 3));
    let store = Store::open(home.path()).unwrap();
    for name in ["question.csv", "question_response.csv"] {
        import(&store, &env, &plan, &folder.path().join(name), &mut |_, reject| panic!("{reject:?}")).unwrap();
    }
    let snapshot = Facts::load(&store).unwrap().snapshot();
    let data = Loaded { _folder: home, store, snapshot };
    let nps = Asking::of("nps", "2024-03-01", "2024-04-01").ask(&data).total.cell;
    assert_eq!((nps.n, nps.numerator), (3, Some(1.0)));
    near(nps.value.unwrap(), 100.0 / 3.0);
    // A plan names files of its own folder only.
    let prying = Plan::parse("name = 'x'\n[[file]]\nname = 'question.csv'\njoin = [{ file = '../secret.csv', as = 's', on = 'id', key = 'id' }]\n[[file.make]]\nobject = 'customer'\nkey = 'id'\nfields = { name = 'id' }\n").unwrap();
    let refused = import(&data.store, &env, &prying, &folder.path().join("question.csv"), &mut |_, _| {}).unwrap_err().to_string();
    assert!(refused.contains("same folder"), "{refused}");
}

/// The incident log as it happened, event by event: what was followed live is what the end of the log says.
#[test]
fn itsm_events() {
    let Some(path) = crate::shared("itsm-incidents/incident_event_log.csv.gz") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (store, env) = (Store::open(folder.path()).unwrap(), Env::fixed(1_800_000_000, 5));
    let plan = Plan::parse(include_str!("../../../../plans/itsm-events.toml")).unwrap();
    northing_crm::workspace::ensure(&store, &env, &Default::default()).unwrap();
    let mut live = Facts::load(&store).unwrap();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| import(&store, &env, &plan, &path, &mut |_, reject| panic!("{reject:?}")).unwrap());
        while !writing.is_finished() {
            live.catch_up(&store).unwrap();
            std::thread::yield_now();
        }
    });
    live.catch_up(&store).unwrap();
    let rebuilt = Facts::load(&store).unwrap().snapshot();
    let differences = northing_facts::snapshot::differences(&live.snapshot(), &rebuilt);
    assert!(differences.is_empty(), "{:#?}", &differences[..differences.len().min(3)]);
    let data = Loaded { _folder: folder, store, snapshot: live.snapshot() };
    // Reopened: a ticket that was solved before it was as it is now.
    let reopened = Asking { filter: Some("reopens > 0"), ..Asking::of("tickets_created", "2016-01-01", "2018-01-01") };
    assert_eq!(reopened.value(&data), 275.0);
    let rows = drill(&data.snapshot, &reopened.question(), &Side::Numerator, 0, 500).unwrap();
    assert_eq!(rows.rows.len(), 275);
    let answer = Asking { by: &["priority"], ..Asking::of("tickets_created", "2016-01-01", "2018-01-01") }.ask(&data);
    let of = |name: &str| answer.buckets.iter().find(|b| b.by["priority"] == name).map(|b| b.cell.value.unwrap());
    assert_eq!([of("urgent"), of("high"), of("normal"), of("low")], [Some(270.0), Some(408.0), Some(23_466.0), Some(774.0)]);
}

/// By fields that change over a ticket's life: the last row of the log counts.
#[test]
fn itsm_by_priority_and_channel() {
    let Some(data) = load("itsm-incidents.toml", &["itsm-incidents/incident_event_log.csv.gz"]) else { return };
    let median = |by: &'static [&'static str], name: &str| {
        let answer = Asking { by, variant: Some("calendar"), ..Asking::of("ticket_resolution_time", "2016-02-01", "2018-01-01") }.ask(&data);
        answer.buckets.iter().find(|b| b.by[by[0]] == name).unwrap().cell.median.unwrap() / 3_600.0
    };
    for (name, hours) in [("urgent", 80.241667), ("high", 38.233333), ("normal", 21.55), ("low", 5.016667)] {
        near(median(&["priority"], name), hours);
    }
    for (name, hours) in [("Phone", 21.85), ("Self service", 50.791667), ("Email", 145.983333), ("Direct opening", 17.508333)] {
        near(median(&["channel"], name), hours);
    }
}
