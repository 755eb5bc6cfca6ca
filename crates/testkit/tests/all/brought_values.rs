//! Values as strangers write them, and plans that say something wrong: what is kept, what is left out and told, what is
//! asked, what is refused.

use crate::http::start;
use northing_crm::Env;
use northing_crm::import::{Plan, Report, import};
use northing_model::{Record, Value};
use northing_store::Store;
use serde_json::json;

struct Place {
    folder: tempfile::TempDir,
    store: Store,
    env: Env,
}

fn place(currency: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let env = Env::fixed(1_767_225_600, 7);
    northing_crm::workspace::ensure(&store, &env, &Record::from([("currency".into(), Value::Text(currency.into()))])).unwrap();
    Place { folder, store, env }
}

impl Place {
    fn import(&self, plan: &str, text: &str) -> Result<Report, String> {
        let path = self.folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let plan = Plan::parse(plan).map_err(|e| e.to_string())?;
        import(&self.store, &self.env, &plan, &path, &mut |_, _| {}).map_err(|e| e.to_string())
    }
    fn all(&self, object: &str, field: &str) -> Vec<Value> {
        let model = self.store.model();
        let field = model.object(object).unwrap().field(field).unwrap().clone();
        let mut found = Vec::new();
        self.store.scan(object, &[&field], |_, _, values| found.push(values[0].clone())).unwrap();
        found
    }
}

fn orders(head: &str, net: &str) -> String {
    format!("{head}\n[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"order\"\nkey = \"id\"\n[file.make.fields]\nnumber = \"id\"\nnet = {net}\n")
}

/// An amount keeps the currency that its plan or its sign says; what may be several stops the import.
#[test]
fn n2_the_currency_of_an_amount_is_kept_or_asked() {
    let amounts = |place: &Place| place.all("order", "net").into_iter().map(|v| if let Value::Money(m) = v { format!("{} {}", m.amount(), m.currency) } else { "none".into() }).collect::<Vec<_>>();
    let usd = "workspace = { currency = \"USD\" }";
    let eur = place("EUR");
    eur.import(&orders(usd, "{ column = \"net\", decimal = \".\" }"), "id,net\n1,\"$22,700.00\"\n2,7\n3,€5\n4,12 PLN\n5,£3.50\n").unwrap();
    assert_eq!(amounts(&eur), ["22700.00 USD", "7.00 USD", "5.00 EUR", "12.00 PLN", "3.50 GBP"]);
    // The plan's own word, for the file or the field, goes before the workspace's.
    for plan in [orders("", "{ column = \"net\", decimal = \".\" }").replace("name = \"a.csv\"", "name = \"a.csv\"\ncurrency = \"CAD\""), orders("", "{ column = \"net\", decimal = \".\", currency = \"CAD\" }"), orders("", "{ column = \"net\", decimal = \".\", currency = \"{code}\" }")] {
        let eur = place("EUR");
        eur.import(&plan, "id,net,code\n1,$1.5M,cad\n").unwrap();
        assert_eq!(amounts(&eur), ["1500000.00 CAD"], "{plan}");
    }
    for (sign, why) in [("$5", "USD, CAD"), ("5 kr", "SEK, NOK"), ("¥500", "JPY, CNY")] {
        let eur = place("EUR");
        let refused = eur.import(&orders("", "{ column = \"net\", decimal = \".\" }"), &format!("id,net\n1,7\n2,{sign}\n")).unwrap_err();
        assert!(refused.contains(why) && refused.contains("row 2") && refused.contains("say which"), "{refused}");
        assert_eq!(eur.store.count("order").unwrap(), 0, "something was written before the answer");
    }
    // In a workspace of that currency the sign is its own.
    let sek = place("SEK");
    sek.import(&orders("", "{ column = \"net\", decimal = \",\" }"), "id,net\n1,\"1 234,50 kr\"\n").unwrap();
    assert_eq!(amounts(&sek), ["1234.50 SEK"]);
    // One that contradicts the plan is no amount of it.
    let eur = place("EUR");
    let report = eur.import(&orders("", "{ column = \"net\", decimal = \".\", currency = \"USD\" }"), "id,net\n1,€5\n").unwrap();
    assert_eq!((report.left_out, amounts(&eur)), (1, vec!["none".to_string()]));
}

/// Two records of one object by one key of one row: refused where it can be seen, set aside where it is met.
#[test]
fn n4_a_second_record_of_the_same_key_is_not_dropped_in_silence() {
    let make = |when: &str| format!("[[file.make]]\nobject = \"customer\"\nkey = \"id\"\n{when}[file.make.fields]\nname = \"name\"\n");
    let plan = |a: &str, b: &str| format!("[[file]]\nname = \"a.csv\"\n{}{}", make(a), make(b));
    let place = place("EUR");
    let refused = place.import(&plan("", ""), "id,name\n1,A\n").unwrap_err();
    assert!(refused.contains("two records of customer by the key 'id'"), "{refused}");
    let report = place.import(&plan("", "when = [{ column = \"name\", is = [\"A\"] }]\n"), "id,name\n1,A\n2,B\n").unwrap();
    assert_eq!((report.rejected, report.objects["customer"][0]), (1, 1));
    assert!(report.rejects[0].reason.contains("by the key '1' of one row"), "{:?}", report.rejects);
    // Conditions of which one holds are the ordinary way to make one of two kinds.
    let fine = place.import(&plan("when = [{ column = \"name\", is = [\"A\"] }]\n", "when = [{ column = \"name\", not = [\"A\"] }]\n"), "id,name\n1,A\n2,B\n").unwrap();
    assert_eq!(fine.rejected, 0);
}

/// One bad value leaves itself out; references are left empty or made, as the plan says; sums and cases.
#[test]
fn u19_a_bad_value_leaves_out_itself() {
    let place = place("EUR");
    let plan = "[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"deal\"\nkey = \"id\"\n[file.make.fields]\nname = \"id\"\nstage = { column = \"stage\", missing = \"make\", kind = { cases = [{ when = [{ column = \"gone\", given = true }], text = \"lost\" }] } }\ncustomer = { column = \"customer\", missing = \"make\" }\nowner = { column = \"owner\", missing = \"leave\" }\namount = { sum = [\"one\", \"two\"], decimal = \".\" }\ndecision_makers = \"people\"\nexpected_close = \"close\"\n";
    let report = place.import(plan, "id,stage,gone,customer,owner,one,two,people,close\nA,New,,Acme,Nobody,1.5K,2,many,someday\nB,New,yes,Acme,,,,3,\"15 Apr, 2021 00:02\"\n,New,,Acme,,,,3,\n").unwrap();
    assert_eq!((report.rows, report.rejected, report.left_out), (3, 0, 3), "{report:?}");
    let mut left: Vec<_> = report.left.iter().map(|l| (l.row, l.column.as_str())).collect();
    left.sort_unstable();
    assert_eq!(left, [(1, "close"), (1, "owner"), (1, "people")]);
    assert_eq!((place.store.count("customer").unwrap(), place.store.count("user").unwrap(), place.store.count("deal").unwrap()), (1, 0, 2));
    let sums: Vec<Value> = place.all("deal", "amount");
    assert!(matches!(&sums[0], Value::Money(m) if m.minor == 150_200) && sums[1].is_null(), "{sums:?}");
    assert_eq!(place.all("deal", "expected_close")[1], Value::Date(northing_model::value::parse_date("2021-04-15").unwrap()));
    assert_eq!(place.all("stage", "kind"), [Value::Text("open".into()), Value::Text("lost".into())]);
    // A closed status that cannot be read is not taken for a new one.
    let ticket = "[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"ticket\"\nkey = \"id\"\n[file.make.fields]\nsubject = \"id\"\nstatus = \"status\"\npriority = \"priority\"\nopened_at = \"at\"\nhandle_mins = \"took\"\n";
    let report = place.import(ticket, "id,status,priority,at,took\n1,On Hold,High,44301.5,0:45\n2,Zamknięte chyba,High,44301.5,45 min\n3,solved,???,1618444920,1h 30m\n").unwrap();
    assert_eq!((report.rejected, report.left_out), (1, 1));
    assert_eq!(place.all("ticket", "handle_mins"), [Value::Int(45), Value::Int(90)]);
    assert_eq!(place.all("ticket", "priority"), [Value::Text("high".into()), Value::Null]);
    assert_eq!(place.all("ticket", "opened_at"), [Value::Time(1_618_488_000), Value::Time(1_618_444_920)]);
}

/// Pieces times price is an amount to the cent, rounded once at the end; what is too large is no amount at all.
#[test]
fn a_product_of_columns_is_an_amount() {
    let place = place("EUR");
    let report = place.import(&orders("", "{ product = [\"pieces\", \"price\"] }"), "id,pieces,price\n1,3,1.25\n2,-2,0.105\n3,0.5,0.010001\n4,9000000000000,9000000000000\n5,many,2\n").unwrap();
    let amounts: Vec<_> = place.all("order", "net").into_iter().map(|v| if let Value::Money(m) = v { m.amount() } else { "none".into() }).collect();
    assert_eq!(amounts, ["3.75", "-0.21", "0.01", "none", "none"], "{report:?}");
    let left: Vec<_> = report.left.iter().map(|l| (l.row, l.column.as_str())).collect();
    assert_eq!(left, [(4, "price"), (5, "pieces")], "{report:?}");
    let back = place.import(&orders("", "{ product = [\"pieces\", \"price\"], negate = true }").replace("\"id\"", "\"no\""), "no,pieces,price\n9,-3,1.25\n").unwrap();
    assert!(place.all("order", "net").iter().any(|v| matches!(v, Value::Money(m) if m.minor == 375 )) && back.rejected == 0);
}

/// A list that tells how long something took tells when it was over.
#[test]
fn a_moment_may_be_so_many_minutes_after_another() {
    let place = place("EUR");
    let plan = "[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"ticket\"\nkey = \"id\"\n[file.make.fields]\nsubject = \"id\"\nopened_at = { column = \"at\", plus_minutes = \"waited\" }\n";
    let report = place.import(plan, "id,at,waited\n1,2021-04-15T00:02:00Z,90\n2,2021-04-15T00:02:00Z,0\n").unwrap();
    assert_eq!(place.all("ticket", "opened_at"), [Value::Time(1_618_444_920 + 5_400), Value::Time(1_618_444_920)], "{report:?}");
}

/// A stage that is made is called what the list calls it where that says how it ended; what else was won, lost or put
/// away gets a stage of that kind. And deals without a stage are asked about.
#[test]
fn stages_that_are_made_say_how_it_ended() {
    let place = place("EUR");
    let plan = "[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"deal\"\nkey = \"id\"\n[file.make.fields]\nname = \"id\"\nstage = { column = \"stage\", missing = \"make\", kind = \"ended\" }\n";
    place.import(plan, "id,stage,ended\nA,Duplicate,void\nB,Talking,open\n").unwrap();
    assert_eq!(place.all("stage", "name"), ["Duplicate", "Talking"].map(|n| Value::Text(n.into())));
    let other = self::place("EUR");
    other.import(plan, "id,stage,ended\nA,Talking,void\nB,Talking,won\nC,Talking,lost\n").unwrap();
    assert_eq!(other.all("stage", "name"), ["Not a chance", "Won", "Lost"].map(|n| Value::Text(n.into())));
    let asked = |text: &str| crate::strangers::brought("EUR", &[("deals.csv", text)]).asked.into_iter().filter(|q| q.about == northing_crm::import::About::Required).map(|q| q.field).collect::<Vec<_>>();
    assert_eq!(asked("Deal name,Amount\nA,10 EUR\nB,20 EUR\n"), ["stage"]);
    assert_eq!(asked("Deal name,Stage,Amount\nA,New,10 EUR\nB,New,20 EUR\n"), [""; 0]);
}

/// A customer's name is enough to make one; a colleague is not made by the way, nor a deal, which needs a stage.
#[test]
fn only_what_a_name_is_enough_for_is_made_by_the_way() {
    let place = place("EUR");
    let plan = |object: &str, fields: &str| format!("[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"{object}\"\nkey = \"id\"\n[file.make.fields]\n{fields}");
    let made = |name: &str| format!("{name} = {{ column = \"{name}\", missing = \"make\" }}\n");
    let said = |report: &Report, what: &str| report.rejects.iter().chain(&report.left).any(|r| r.reason.contains(what));
    let report = place.import(&plan("deal", &format!("name = \"id\"\n{}{}{}", made("stage"), made("customer"), made("owner"))), "id,stage,customer,owner\nA,New,Acme,Eve\n").unwrap();
    assert!(said(&report, "there is no user 'Eve'"), "{report:?}");
    let report = place.import(&plan("interaction", &format!("at = \"at\"\n{}{}", made("customer"), made("deal"))), "id,at,customer,deal\n1,2025-01-02,Acme,Roof\n").unwrap();
    assert!(said(&report, "there is no deal 'Roof'"), "{report:?}");
    place.import(&plan("interaction", &format!("at = \"at\"\n{}", made("customer"))), "id,at,customer\n2,2025-01-02,Acme\n").unwrap();
    assert_eq!(["user", "deal", "customer"].map(|o| place.store.count(o).unwrap()), [0, 1, 1], "the deal is there without its owner, what it was about is not: {report:?}");
}

/// The amount's currency, where it has a column of its own.
#[test]
fn a_column_of_currencies_belongs_to_the_amount() {
    let brought = crate::strangers::brought("EUR", &[("deals.csv", "Deal name,Stage,Amount,Currency\nA,New,10,USD\nB,New,20,PLN\n")]);
    assert_eq!(brought.mapping.unwrap().fields.get("Currency").map(String::as_str), Some("amount.currency"));
    assert_eq!(brought.reports[0].currencies, [("PLN".to_string(), 1), ("USD".to_string(), 1)].into());
}

/// Whole names in six languages, persons told from companies, birthdays.
#[test]
fn u19_persons_have_whole_names_and_birthdays() {
    for (heading, born) in [("Imię i nazwisko", "Data urodzenia"), ("ФИО", "Дата рождения"), ("姓名", "出生日期"), ("Teljes név", "Születési dátum"), ("نام و نام خانوادگی", "تاریخ تولد"), ("Full name", "Date of birth")] {
        let text = format!("{heading};E-mail;{born}\nAda Nowak;ada@example.org;15.04.1990\n");
        let brought = crate::strangers::brought("EUR", &[("customers.csv", &text)]);
        let mapping = brought.mapping.unwrap();
        assert_eq!((mapping.object.as_str(), mapping.fields.get(heading).map(String::as_str), mapping.fields.get(born).map(String::as_str), mapping.constants.get("kind").map(String::as_str)), ("customer", Some("name"), Some("birthday"), Some("person")), "{mapping:?}");
        assert_eq!(brought.reports[0].objects["customer"][0], 1);
    }
    let kind = |text: &str| crate::strangers::brought("EUR", &[("customers.csv", text)]).mapping.unwrap().constants.get("kind").cloned();
    assert_eq!(kind("Name,Phone\nAda Nowak,600100100\nBo Lee,600100200\nCy Ray,600100300\n").as_deref(), Some("person"));
    assert_eq!(kind("Name,Phone\nNowak Sp. z o.o.,600100100\nBo Lee GmbH,600100200\nCy Ray,600100300\n"), None);
    assert_eq!(kind("First name,Last name,Phone\nAda,Nowak,600100100\n").as_deref(), Some("person"));
}

/// A list with a currency's sign, words and days that may be two: the browser is told what is open, and answers it.
#[test]
fn n2_u19_the_browser_is_asked_and_answers() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: serde_json::Value| server.send(method, path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let text = "Deal name,Stage,Amount,Created at,Priority\nA,Won,$10,03/04/2024,x\nB,Closed,$20,05/06/2024,y\nC,New,abc,07/08/2024,z\n";
    let file = tell("POST", "/api/imports", json!({"name": "deals.csv", "text": text})).json();
    let id = file["id"].as_str().unwrap().to_string();
    let check = |mapping: &serde_json::Value| tell("POST", &format!("/api/imports/{id}/check"), json!({"mapping": mapping})).json();
    let mut mapping = file["mapping"].clone();
    assert_eq!(file["told"]["deal"], json!(["closed_at", "outcome"]));
    let first = check(&mapping);
    let about = |answer: &serde_json::Value| answer["questions"].as_array().unwrap().iter().map(|q| q["about"].as_str().unwrap().to_string()).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(about(&first), ["closed", "currency", "dates", "words"].map(String::from).into(), "{first}");
    assert!(first["problem"].as_str().unwrap().contains("several currencies"), "{first}");
    mapping["currency"] = json!("USD");
    mapping["dates"] = json!("%d/%m/%Y");
    mapping["values"] = json!({"outcome": {"Closed": "lost"}});
    let second = check(&mapping);
    assert_eq!(about(&second), ["closed".to_string()].into(), "{second}");
    assert_eq!((&second["created"], &second["undated"], &second["currencies"], &second["left_out"]), (&json!(3), &json!({"deal": 2}), &json!({"USD": 2}), &json!(1)), "{second}");
    assert_eq!((&second["left"][0]["row"], &second["left"][0]["column"]), (&json!(3), &json!("Amount")));
}

/// File after file: the twenty-second goes in, since the earlier ones are let go.
#[test]
fn u19_the_twenty_second_file_is_taken() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |path: &str, body: serde_json::Value| server.send("POST", path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    for nth in 0..30 {
        let file = tell("/api/imports", json!({"name": "customers.csv", "text": format!("Name,Phone\nC{nth},{nth}\n")}));
        assert_eq!(file.status, 200, "file {nth}: {}", file.body);
        if nth % 2 == 0 {
            let file = file.json();
            let id = file["id"].as_str().unwrap();
            assert_eq!(tell(&format!("/api/imports/{id}/run"), json!({"mapping": file["mapping"]})).status, 202);
            server.settled(&format!("/api/imports/{id}"), &cookie);
        }
    }
    assert!(std::fs::read_dir(server.folder.path().join("uploads")).unwrap().count() <= 20, "files pile up");
}

/// What is wrong with a plan is said with its line, its key and the nearest right one.
#[test]
fn u20_a_wrong_plan_says_where_and_what() {
    let head = "[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"deal\"\nkey = \"id\"\n[file.make.fields]\n";
    for (plan, line, says) in [
        (format!("{head}name = \"n\"\namount = {{ colum = \"a\" }}\n"), 8, vec!["'file.make.fields.amount' has no key 'colum'", "did you mean 'column'?"]),
        (format!("{head}amount = 5\n"), 7, vec!["'file.make.fields.amount' is a whole number", "a text in quotes or a table"]),
        (format!("{head}amount = {{ column = \"a\", missing = \"maek\" }}\n"), 7, vec!["'maek'", "reject, leave, make"]),
        (format!("{head}amount = {{ column = \"a\", minor = \"yes\" }}\n"), 7, vec!["minor", "true or false"]),
        ("[[file]]\nname = \"a.csv\"\n[[file.make]]\nobject = \"deal\"\n[file.make.fields]\n".into(), 3, vec!["needs the key 'key'"]),
        ("[[fil]]\nname = \"a\"\n".into(), 1, vec!["no key 'fil'", "did you mean 'file'?"]),
        ("name = \"x\n".into(), 1, vec!["line 1"]),
        (format!("{head}[[file.make.moment]]\nfield = \"stage\"\nvalue = \"s\"\nclosed = true\n"), 7, vec!["needs the key 'at'"]),
    ] {
        let said = Plan::parse(&plan).unwrap_err().to_string();
        assert!(said.contains(&format!("line {line}:")) && says.iter().all(|s| said.contains(s)) && !said.contains("untagged"), "{said}");
    }
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plans")).unwrap() {
        let path = entry.unwrap().path();
        Plan::parse(&std::fs::read_to_string(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

/// The reference is what the program reads.
#[test]
fn u20_the_reference_is_of_this_program() {
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plan-language.md")).unwrap();
    let own = northing_crm::import::reference();
    assert!(kept.trim_end() == own.trim_end(), "docs/plan-language.md is stale; write it anew: northing plan-language > docs/plan-language.md");
    for key in ["decimal", "missing", "kind", "closed", "currency", "plus_minutes", "first_of"] {
        let row = own.lines().find(|l| l.starts_with(&format!("| `{key}`"))).unwrap_or_else(|| panic!("'{key}' is not told"));
        assert!(row.split('|').nth(3).is_some_and(|about| about.trim().len() > 20), "{row}");
    }
    // No key without words.
    for row in own.lines().filter(|l| l.starts_with("| `")) {
        assert!(row.split('|').nth(3).is_some_and(|about| about.trim().len() > 5), "{row}");
    }
}

/// Lists and words that ship can be read, and name what the model has.
#[test]
fn n9_known_lists_name_what_there_is() {
    let model = northing_model::Model::builtin().unwrap();
    let known = northing_crm::import::known_lists::load().unwrap();
    assert!(known.len() >= 15);
    for list in &known {
        let Some(object) = list.object.as_deref() else { continue };
        let def = model.object(object).unwrap_or_else(|| panic!("{}: {object}", list.title()));
        let told = northing_crm::import::mapping::told(object);
        for field in list.fields.keys().chain(list.constants.keys()).chain(list.values.keys()).chain(&list.make) {
            let base = field.trim_end_matches(".currency");
            assert!(told.contains(&base) || def.field(base).is_some_and(|f| !f.derived), "{}: {object} has no field '{field}'", list.title());
        }
        for (field, words) in &list.values {
            let options = &def.field(field).unwrap().options;
            assert!(words.values().all(|w| options.contains(w)), "{}: {field}: {words:?} of {options:?}", list.title());
        }
        for make in &list.also {
            let def = model.object(&make.object).unwrap();
            assert!(make.fields.keys().all(|f| def.field(f).is_some()), "{}", list.title());
        }
    }
}
