//! Lists of strangers, brought in by the guess alone: formats that nothing was ever tried with, made here from the headings
//! that their makers document. What a number should be is counted beside the import, from the same rows.

use crate::real_data::{Asking, Loaded, near};
use northing_crm::Env;
use northing_crm::import::{About, Guess, Looked, Mapping, Plan, Question, Report, guess, import, look, questions};
use northing_facts::Facts;
use northing_model::{Currency, Labels, Value};
use northing_store::Store;

const NOW: i64 = 1_767_225_600; // 2026-01-01

pub struct Brought {
    pub data: Loaded,
    pub reports: Vec<Report>,
    pub asked: Vec<Question>,
    pub mapping: Option<Mapping>,
}

/// Writes files into a folder and imports each by its guess, as `northing import --yes` does; what is asked stops it.
pub fn brought(currency: &str, files: &[(&str, &str)]) -> Brought {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::fixed(NOW, 7);
    let settings = northing_model::Record::from([("currency".into(), Value::Text(currency.into())), ("zone".into(), Value::Text("UTC".into()))]);
    northing_crm::workspace::ensure(&store, &env, &settings).unwrap();
    let labels = Labels::load().unwrap();
    let (mut reports, mut asked, mut mapping) = (Vec::new(), Vec::new(), None);
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let (delimiter, headings, sample, _) = look(&path, 1_000).unwrap();
        let looked = Looked { name, headings: &headings, sample: &sample };
        let model = store.model();
        let Guess { mapping: found, others, .. } = guess::guess(&model, &labels, looked);
        let Some(found) = found else { continue };
        let object = model.object(&found.object).unwrap();
        asked = questions(object, &labels, looked, &found, Currency::parse(currency).unwrap(), &others);
        mapping = Some(found.clone());
        if asked.is_empty() {
            let plan = found.plan(object, &labels, name, &delimiter, name, &headings);
            // The plan that is shown is the plan that runs.
            let plan = Plan::parse(&plan.to_toml()).unwrap();
            reports.push(import(&store, &env, &plan, &path, &mut |_, r| panic!("{name}: {r:?}")).unwrap());
            let seq = store.seq();
            import(&store, &env, &plan, &path, &mut |_, r| panic!("{name}: {r:?}")).unwrap();
            assert_eq!(store.seq(), seq, "{name}: a second import changed something");
        }
    }
    let snapshot = Facts::load(&store).unwrap().snapshot();
    Brought { data: Loaded { _folder: folder, store, snapshot }, reports, asked, mapping }
}

/// A small generator: the same numbers on every run.
struct Dice(u64);
impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// A deal as its maker knows it: won, lost or open, made and closed on days of 2024 and 2025.
struct Deal {
    outcome: &'static str,
    made: i64,
    closed: Option<i64>,
    amount: u64,
}

const JAN_2024: i64 = 1_704_067_200;
const DAY: i64 = 86_400;

fn deals(seed: u64, n: usize) -> Vec<Deal> {
    let mut dice = Dice(seed);
    (0..n)
        .map(|_| {
            let made = JAN_2024 + dice.roll(600) as i64 * DAY + 9 * 3_600;
            let closed = made + (1 + dice.roll(90) as i64) * DAY;
            let outcome = ["won", "won", "lost", "lost", "lost", "open"][dice.roll(6) as usize];
            Deal { outcome, made, closed: (outcome != "open").then_some(closed), amount: 500 + dice.roll(90_000) }
        })
        .collect()
}

/// Won and decided deals that were closed in a year, and what the won ones are worth.
fn of_year(deals: &[Deal], year: i16) -> (f64, f64, f64) {
    let start = jiff::civil::date(year, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let end = jiff::civil::date(year + 1, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let own: Vec<&Deal> = deals.iter().filter(|d| d.closed.is_some_and(|at| at >= start && at < end)).collect();
    let won: Vec<&&Deal> = own.iter().filter(|d| d.outcome == "won").collect();
    (won.len() as f64, own.len() as f64, won.iter().map(|d| d.amount as f64).sum())
}

fn when(at: i64, format: &str) -> String {
    jiff::Timestamp::from_second(at).unwrap().to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

fn win_rate_is_right(brought: &Brought, deals: &[Deal], what: &str) {
    assert_eq!(brought.reports.last().unwrap().objects["deal"][0] as usize, deals.len(), "{what}");
    for year in [2024, 2025] {
        let (won, decided, worth) = of_year(deals, year);
        let asking = |metric| Asking { now: NOW, ..Asking::of(metric, if year == 2024 { "2024-01-01" } else { "2025-01-01" }, if year == 2024 { "2025-01-01" } else { "2026-01-01" }) };
        let found = asking("win_rate").ask(&brought.data).total.cell;
        assert_eq!((found.numerator, found.denominator), (Some(won), Some(decided)), "{what} {year}");
        near(found.value.unwrap(), won / decided);
        assert_eq!(asking("average_deal_value").ask(&brought.data).total.cell.numerator, Some(worth), "{what} {year}");
    }
    // Nothing was closed when it was made.
    let cycle = Asking { variant: Some("from_created"), ..Asking::of("sales_cycle_length", "2024-01-01", "2026-01-01") }.ask(&brought.data).total.cell;
    let start = jiff::civil::date(2026, 1, 1).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let closed: Vec<&Deal> = deals.iter().filter(|d| d.outcome == "won" && d.closed.unwrap() < start).collect();
    near(cycle.value.unwrap(), closed.iter().map(|d| d.closed.unwrap() - d.made).sum::<i64>() as f64 / closed.len() as f64);
}

#[test]
fn n9_pipedrive_deals() {
    let deals = deals(1, 300);
    let mut text = String::from("\"Deal - ID\",\"Deal - Title\",\"Deal - Owner\",\"Deal - Value\",\"Deal - Currency of value\",\"Deal - Organization\",\"Deal - Contact person\",\"Deal - Pipeline\",\"Deal - Stage\",\"Deal - Status\",\"Deal - Deal created\",\"Deal - Won time\",\"Deal - Lost time\",\"Deal - Lost reason\",\"Deal - Expected close date\"\n");
    for (i, deal) in deals.iter().enumerate() {
        let at = |wanted: &str| deal.closed.filter(|_| deal.outcome == wanted).map(|at| when(at, "%Y-%m-%d %H:%M:%S")).unwrap_or_default();
        let status = match deal.outcome { "won" => "Won", "lost" => "Lost", _ => "Open" };
        // A deal keeps the stage that it was in; names of stages are the business's own.
        let stage = ["Qualified", "Demo, scheduled", "Negotiations started"][i % 3];
        text += &format!("{},\"Deal {i}\",\"Maja Owner\",\"{}\",EUR,\"Organisation {}, Ltd\",\"Ada Person {}\",Pipeline,\"{stage}\",{status},{},{},{},{},\n", 1_000 + i, deal.amount, i % 40, i % 55, when(deal.made, "%Y-%m-%d %H:%M:%S"), at("won"), at("lost"), if deal.outcome == "lost" { "\"Too dear\"" } else { "" });
    }
    let brought = brought("EUR", &[("deals-7654321-42.csv", &text)]);
    assert!(brought.asked.is_empty(), "{:?}", brought.asked);
    win_rate_is_right(&brought, &deals, "Pipedrive");
    assert_eq!((brought.data.store.count("customer").unwrap(), brought.data.store.count("contact").unwrap(), brought.data.store.count("pipeline").unwrap(), brought.data.store.count("user").unwrap()), (40, 55, 1, 0), "nobody who may sign in is made");
    // Three that are open, one won and one lost.
    assert_eq!(brought.data.store.count("stage").unwrap(), 5);
    assert_eq!(brought.reports[0].left_out, 300, "owners who are not here are left out and told");
}

#[test]
fn n9_zoho_deals() {
    let deals = deals(2, 280);
    let mut text = String::from("Record Id,Deal Owner,Amount,Deal Name,Closing Date,Account Name,Stage,Type,Probability (%),Lead Source,Created Time,Closed Time,Contact Name\n");
    for (i, deal) in deals.iter().enumerate() {
        let stage = match (deal.outcome, i % 2) { ("won", _) => "Closed Won", ("lost", 0) => "Closed Lost", ("lost", _) => "Closed-Lost to Competition", (_, 0) => "Qualification", _ => "Proposal/Price Quote" };
        let closed = deal.closed.map(|at| when(at, "%d %b, %Y %H:%M")).unwrap_or_default();
        text += &format!("zcrm_{},Ravi Owner,\"€ {}\",Deal {i},{},Account {},{stage},New Business,{},Web,\"{}\",\"{closed}\",\n", 4_000_000 + i, deal.amount, when(deal.closed.unwrap_or(deal.made + 30 * DAY), "%Y-%m-%d"), i % 33, i % 90, when(deal.made, "%d %b, %Y %H:%M"));
    }
    let brought = brought("EUR", &[("Deals_2025_11_24.csv", &text)]);
    assert!(brought.asked.is_empty(), "{:?}", brought.asked);
    win_rate_is_right(&brought, &deals, "Zoho");
    assert_eq!(brought.data.store.count("customer").unwrap(), 33);
}

#[test]
fn n9_hubspot_deals() {
    let deals = deals(3, 260);
    let mut text = String::from("Record ID;Deal Name;Deal Stage;Close Date;Deal owner;Amount;Pipeline;Create Date;Associated Company\n");
    for (i, deal) in deals.iter().enumerate() {
        let stage = match deal.outcome { "won" => "Closed Won", "lost" => "Closed Lost", _ => "Presentation Scheduled" };
        // Of a deal that is open the close date is the one that is expected.
        text += &format!("{};Deal {i};{stage};{};Uma Owner;{},00;Sales Pipeline;{};Company {}\n", 90_000 + i, when(deal.closed.unwrap_or(deal.made + 40 * DAY), "%Y-%m-%d %H:%M"), deal.amount, when(deal.made, "%Y-%m-%d %H:%M"), i % 25);
    }
    let brought = brought("EUR", &[("hubspot-crm-exports-all-deals-2025-11-24.csv", &text)]);
    assert!(brought.asked.is_empty(), "{:?}", brought.asked);
    win_rate_is_right(&brought, &deals, "HubSpot");
}

#[test]
fn n9_freshdesk_tickets() {
    let mut dice = Dice(4);
    let mut text = String::from("Ticket ID,Subject,Status,Priority,Source,Type,Agent,Group,Created time,Due by Time,Resolved time,Closed time,Last update time,Initial response time,Full name,Email,Company name\n");
    let (mut solved, mut seconds, mut replies) = (0_u32, 0_i64, 0_i64);
    for i in 0..200 {
        let made = JAN_2024 + dice.roll(300) as i64 * DAY + dice.roll(80_000) as i64 / 60 * 60;
        let reply = made + 60 * (1 + dice.roll(600) as i64);
        let end = reply + 60 * (1 + dice.roll(9_000) as i64);
        let status = ["Open", "Pending", "Resolved", "Closed", "Waiting on Customer", "Closed"][dice.roll(6) as usize];
        let done = matches!(status, "Resolved" | "Closed");
        if done {
            solved += 1;
            seconds += end - made;
        }
        replies += reply - made;
        let at = |at: i64| when(at, "%Y-%m-%d %H:%M:%S");
        text += &format!("{},\"Printer, again {i}\",{status},{},Email,{},Nora Agent,Support,{},{},{},{},{},{},Ada Person {},ada{}@example.org,Company {}\n", 500 + i, ["Low", "Medium", "High", "Urgent"][i % 4], ["Question", "Incident", "Problem", "Feature Request"][i % 4], at(made), at(made + DAY), if done { at(end) } else { String::new() }, if status == "Closed" { at(end + 3_600) } else { String::new() }, at(end), at(reply), i % 20, i % 20, i % 20);
    }
    let brought = brought("EUR", &[("tickets-November-24-2025.csv", &text)]);
    assert!(brought.asked.is_empty(), "{:?}", brought.asked);
    assert_eq!((brought.data.store.count("ticket").unwrap(), brought.data.store.count("customer").unwrap(), brought.data.store.count("message").unwrap()), (200, 20, 200));
    let both = |metric, variant| Asking { variant, ..Asking::of(metric, "2024-01-01", "2026-01-01") }.ask(&brought.data).total.cell;
    let resolution = both("ticket_resolution_time", Some("calendar"));
    assert_eq!(resolution.n, u64::from(solved));
    near(resolution.value.unwrap(), seconds as f64 / f64::from(solved));
    let first = both("first_response_time", Some("calendar"));
    assert_eq!(first.n, 200);
    near(first.value.unwrap(), replies as f64 / 200.0);
    assert!(brought.reports[0].undated.is_empty());
}

#[test]
fn n9_shopify_orders() {
    let mut dice = Dice(5);
    let mut text = String::from("Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,Lineitem discount,Billing Name,Billing Country,Cancelled at,Id\n");
    let (mut revenue, mut counted, mut lines) = (0_u64, 0_u32, 0_u32);
    for i in 0..120 {
        let made = JAN_2024 + dice.roll(360) as i64 * DAY + 40_000;
        let cancelled = dice.roll(10) == 0;
        let of: Vec<(u64, u64)> = (0..1 + dice.roll(3)).map(|_| (1 + dice.roll(4), 500 + dice.roll(9_000))).collect();
        let discount = if dice.roll(4) == 0 { 250 } else { 0 };
        let subtotal: u64 = of.iter().map(|(n, price)| n * price).sum::<u64>() - discount;
        let cents = |n: u64| format!("{}.{:02}", n / 100, n % 100);
        let at = when(made, "%Y-%m-%d %H:%M:%S +0000");
        for (nth, (n, price)) in of.iter().enumerate() {
            lines += 1;
            if nth == 0 {
                text += &format!("#{},c{}@example.org,paid,{at},fulfilled,{at},yes,EUR,{},5.00,0.00,{},{},{},Standard,{at},{n},Thing {},{},,SKU{},0.00,Ada {},PL,{},{}\n", 1_001 + i, i % 50, cents(subtotal), cents(subtotal + 500), if discount > 0 { "TAKE" } else { "" }, cents(discount), price % 7, cents(*price), price % 7, i % 50, if cancelled { at.as_str() } else { "" }, 77_000 + i);
            } else {
                text += &format!("#{},c{}@example.org,,,,,,,,,,,,,,{at},{n},Thing {},{},,SKU{},0.00,,,,\n", 1_001 + i, i % 50, price % 7, cents(*price), price % 7);
            }
        }
        lines += u32::from(discount > 0);
        if !cancelled {
            revenue += subtotal;
            counted += 1;
        }
    }
    let brought = brought("EUR", &[("orders_export_1.csv", &text)]);
    assert!(brought.asked.is_empty(), "{:?}", brought.asked);
    let count = |object| brought.data.store.count(object).unwrap();
    assert_eq!((count("order"), count("order_line"), count("customer")), (120, u64::from(lines), 50));
    let found = Asking::of("revenue", "2024-01-01", "2026-01-01").ask(&brought.data).total.cell;
    near(found.value.unwrap(), revenue as f64 / 100.0);
    assert_eq!(found.n, u64::from(counted));
}

/// What is no list that we know makes nothing, or asks; never records of another object, and never people who may sign in.
#[test]
fn n9_what_is_not_known_is_asked_or_left() {
    for (name, text) in [
        ("Tags.csv", "Tag Name,Color,Usage\nvip,red,3\n"),
        ("Settings.csv", "Key,Value\na,1\n"),
        ("Attachments.csv", "File Name,Size,Parent Id\na.pdf,12,77\n"),
        ("Users.csv", "User Name,Email,Role,Status,Created Time\nAda,ada@example.org,Admin,active,2024-01-01\n"),
        ("deal_contact_data.csv", "contact_id,deal_id,_fivetran_synced,type_id,category\n1,2,2024-01-01,3,x\n"),
        ("Notes.csv", "Note Title,Note Content,Parent Id,Created Time\na,b,1,2024-01-01\n"),
        ("Price_Books.csv", "Price Book Name,Active,Pricing Model\na,true,flat\n"),
        ("list.csv", "Name,Email\nAda,ada@example.org\n"),
    ] {
        let brought = brought("EUR", &[(name, text)]);
        let unsure = brought.mapping.is_none() || !brought.asked.is_empty();
        assert!(unsure, "{name}: {:?}", brought.mapping);
        for object in brought.data.store.model().objects.iter().filter(|o| !o.derived && o.name != "workspace") {
            assert_eq!(brought.data.store.count(&object.name).unwrap(), 0, "{name} made records of {}", object.name);
        }
    }
    // What the tables of connectors hold is known by their own plans: no guess makes people or orders of them.
    let (model, labels) = (northing_model::Model::builtin().unwrap(), Labels::load().unwrap());
    let mut seen = 0;
    for system in ["hubspot", "salesforce", "stripe", "zendesk", "intercom", "mailchimp", "qualtrics"] {
        let Some(folder) = crate::shared(&format!("export-formats/{system}-fivetran")) else { continue };
        for path in std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "csv")) {
            let Ok((_, headings, sample, _)) = look(&path, 100) else { continue };
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let looked = Looked { name: &name, headings: &headings, sample: &sample };
            let Guess { mapping, others, .. } = guess::guess(&model, &labels, looked);
            let unsure = mapping.as_ref().is_none_or(|m| !questions(model.object(&m.object).unwrap(), &labels, looked, m, Currency::parse("EUR").unwrap(), &others).is_empty());
            let allowed = ["sf_opportunity", "sf_case", "ticket_data", "invoice_data", "customer_data"];
            assert!(unsure || allowed.iter().any(|a| name.starts_with(a)), "{system}/{name}: {mapping:?}");
            seen += 1;
        }
    }
    println!("{seen} tables of connectors");
}

/// Delimiters are seen; the day of closing is known by its heading in six languages.
#[test]
fn n9_n1_import_headings_in_six_languages() {
    for (name, text) in [
        ("deals.csv", "Deal name;Stage;Amount;Created at;Close date\nA;Won;10;2024-01-01;2024-02-01\nB;Lost;10;2024-01-01;2024-02-02\n"),
        ("deals.txt", "Deal name\tStage\tAmount\tCreated at\tWon time\tLost time\nA\tWon\t10\t2024-01-01\t2024-02-01\t\nB\tLost\t10\t2024-01-01\t\t2024-02-02\n"),
        ("szanse.csv", "Nazwa;Etap;Kwota;Utworzono;Data zamknięcia\nA;Wygrana;10;2024-01-01;2024-02-01\nB;Przegrana;10;2024-01-01;2024-02-02\n"),
        ("сделки.csv", "Название;Этап;Сумма;Создано;Дата закрытия\nA;Успешно реализовано;10;2024-01-01;01.02.2024\nB;Закрыто и не реализовано;10;2024-01-01;02.02.2024\n"),
        ("deal 商机.csv", "名称,阶段,金额,创建时间,成交日期\nA,赢单,10,2024/1/1,2024年2月1日\nB,输单,10,2024/1/1,2024年2月2日\n"),
        ("deal.csv", "Név;Szakasz;Összeg;Létrehozva;Lezárás dátuma\nA;Megnyert;10;2024. 01. 01.;2024. február 1.\nB;Elveszett;10;2024. 01. 01.;2024. február 2.\n"),
        ("deal-fa.csv", "نام,مرحله,مبلغ,زمان ساخت,تاریخ بسته شدن\nA,برنده,10,1402/10/11,۱۴۰۲/۱۱/۱۲\nB,بازنده,10,1402/10/11,۱۴۰۲/۱۱/۱۳\n"),
    ] {
        let brought = brought("EUR", &[(name, text)]);
        let mapping = brought.mapping.unwrap();
        assert!(mapping.object == "deal" && mapping.fields.values().any(|f| f == "closed_at"), "{name}: {mapping:?}");
        assert!(brought.asked.is_empty(), "{name}: {:?}", brought.asked);
        let rate = Asking::of("win_rate", "2024-02-01", "2024-03-01").ask(&brought.data).total.cell;
        assert_eq!((rate.numerator, rate.denominator), (Some(1.0), Some(2.0)), "{name}: {:?}", brought.reports);
    }
}

/// Without a day of closing the question is asked, and who imports all the same invents none.
#[test]
fn n1_import_no_day_of_closing_is_invented() {
    let text = "Deal name,Stage,Amount,Created at\nA,Won,10,2024-01-01\nB,Lost,10,2024-01-01\nC,Talking,10,2024-01-01\n";
    let asked = brought("EUR", &[("deals.csv", text)]).asked;
    assert!(asked.iter().any(|q| q.about == About::Closed && q.field == "closed_at"), "{asked:?}");
    let ticket = brought("EUR", &[("tickets.csv", "Ticket subject,Status,Created at\nA,Closed,2024-01-01\nB,Open,2024-01-02\n")]).asked;
    assert!(ticket.iter().any(|q| q.about == About::Closed && q.field == "solved_at"), "{ticket:?}");
    let (folder, store, env) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Env::fixed(NOW, 7));
    let store = Store::open(store.path()).unwrap();
    let path = folder.path().join("deals.csv");
    std::fs::write(&path, text).unwrap();
    let plan = Plan::parse("[[file]]\nname = \"deals.csv\"\n[[file.make]]\nobject = \"deal\"\nkey = \"Deal name\"\n[file.make.fields]\nname = \"Deal name\"\nstage = { column = \"Stage\", missing = \"make\" }\ncreated_at = \"Created at\"\n").unwrap();
    let report = import(&store, &env, &plan, &path, &mut |_, r| panic!("{r:?}")).unwrap();
    assert_eq!(report.undated.get("deal"), Some(&2));
    let mut since = Vec::new();
    store.scan_moments("deal", |_, _, _, m| since.extend((m.field == "stage").then_some(m.at))).unwrap();
    since.sort_unstable();
    // When each came into its stage nobody said, of the open one neither: that it is open since it was made, facts know.
    assert_eq!(since, [None; 3]);
    // The store answers the same file the same way, and a day that comes later is taken.
    let seq = store.seq();
    import(&store, &env, &plan, &path, &mut |_, r| panic!("{r:?}")).unwrap();
    assert_eq!(store.seq(), seq);
    // Closed in a later file that does not say when: it stays open, and that is told.
    std::fs::write(&path, text.replace("C,Talking,10", "C,Won,20")).unwrap();
    let report = import(&store, &env, &plan, &path, &mut |_, r| panic!("{r:?}")).unwrap();
    assert!(report.left.len() == 1 && report.left[0].column == "Stage" && report.left[0].reason.contains("it stays open"), "{:?}", report.left);
    let mut since = Vec::new();
    store.scan_moments("deal", |_, _, _, m| since.extend((m.field == "stage").then_some(m.at))).unwrap();
    assert_eq!(since, [None; 3]);
}

/// `Closed` says that a deal is over and not how: what it means is asked, and no stage is taken for won.
#[test]
fn n1_import_words_without_an_outcome_are_asked() {
    let asked = brought("EUR", &[("deals.csv", "Deal name,Stage,Amount,Created at,Close date\nA,Closed,10,2024-01-01,2024-02-01\nB,Talking,10,2024-01-01,\n")]).asked;
    assert!(asked.iter().any(|q| q.about == About::Words && q.words == ["Closed"]), "{asked:?}");
}
