//! Whatever a picker offers is found as people type it: without accents, in another script's letters, mistyped, and by a
//! phone in any notation.

use crate::http::{Server, start};
use northing_model::{FieldType, Model};
use serde_json::{Map, Value as Js, json};
use std::cell::Cell;
use std::collections::BTreeSet;

struct Desk {
    server: Server,
    cookie: String,
    model: Model,
    /// The last change, which lists are to hold.
    seq: Cell<u64>,
}

impl Desk {
    fn begin() -> Self {
        let server = start();
        let cookie = server.sign_in();
        let model = server.store.model().as_ref().clone();
        Self { server, cookie, model, seq: Cell::new(0) }
    }
    fn tell(&self, plural: &str, body: &Js) -> String {
        let headers = [("Cookie", self.cookie.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
        let reply = self.server.send("POST", &format!("/api/records/{plural}"), &headers, Some(body));
        assert_eq!(reply.status, 201, "{plural}: {body}: {}", reply.body);
        self.seq.set(reply.json()["seq"].as_u64().unwrap());
        reply.json()["id"].as_str().unwrap().to_string()
    }
    /// Ids of what a picker of an object offers for some words.
    fn offered(&self, object: &str, words: &str) -> Vec<String> {
        let q: String = words.bytes().map(|b| format!("%{b:02X}")).collect();
        let reply = self.server.send("GET", &format!("/api/records/{}?search={q}&limit=100&after={}", self.model.object(object).unwrap().plural, self.seq.get()), &[("Cookie", &self.cookie)], None);
        assert_eq!(reply.status, 200, "{object} {words}: {}", reply.body);
        let page = reply.json();
        let ids: Vec<String> = page["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_string()).collect();
        assert_eq!(page["total"], ids.len(), "{object} {words}");
        ids
    }
    /// A record that is called so, with whatever else it cannot be without.
    fn make(&self, object: &str, called: &str) -> String {
        let def = self.model.object(object).unwrap();
        let mut fields = Map::new();
        for field in def.stored_fields().filter(|f| f.required || f.name == def.title) {
            let value = match field.kind {
                _ if field.names.is_some() => json!("revenue"),
                FieldType::Ref => json!(self.make(field.to.as_deref().unwrap(), called)),
                FieldType::Choice => json!(field.options[0]),
                FieldType::Datetime => json!("2024-03-01T10:00:00Z"),
                FieldType::Date => json!("2024-03-01"),
                FieldType::Bool => json!(true),
                FieldType::Money => json!({"amount": "10.00", "currency": "EUR"}),
                _ if field.name == "highest" => json!(5),
                FieldType::Int | FieldType::Percent | FieldType::Decimal | FieldType::Duration => json!(1),
                FieldType::Currency => json!("EUR"),
                FieldType::Json => json!("{}"),
                FieldType::Email => json!(format!("{}@example.org", northing_model::text::fold(called).replace(' ', "."))),
                _ => json!(called),
            };
            fields.insert(field.name.clone(), value);
        }
        self.tell(&def.plural, &Js::Object(fields))
    }
}

/// Objects that some field refers to: all that a picker may offer.
fn offered_objects(model: &Model) -> BTreeSet<String> {
    let fields = model.objects.iter().flat_map(|o| o.fields.values().filter(|f| !f.derived && f.name != "merged_into"));
    fields.filter_map(|f| f.to.clone()).filter(|to| model.object(to).is_some_and(|o| !o.derived)).collect()
}

#[test]
fn u21_every_picker_finds_what_is_called_so_however_it_is_typed() {
    let desk = Desk::begin();
    let objects = offered_objects(&desk.model);
    assert!(objects.len() > 15 && objects.contains("order") && objects.contains("survey_invite"), "{objects:?}");
    for object in &objects {
        let id = desk.make(object, "Wójcik Świętosława");
        let other = desk.make(object, "Somebody Else");
        for words in ["wojcik", "WÓJCIK", " Świętosł", "swietoslawa", "wojick", "swietoslwaa"] {
            let offered = desk.offered(object, words);
            assert!(offered.contains(&id), "{object}: {words}");
            assert!(!offered.contains(&other), "{object}: {words} finds what is called otherwise");
        }
        assert!(desk.offered(object, "xyzzyx").is_empty(), "{object}");
    }
}

#[test]
fn u21_letters_of_other_keyboards_are_the_same_in_a_picker() {
    let desk = Desk::begin();
    for (called, typed) in [("مریم کریمی", "كريمي"), ("علی‌رضا", "عليرضا"), ("Алёна Ёлкина", "елкина"), ("北京公司", "京公"), ("Szűcs Győző", "gyozo"), ("Straße & Söhne", "strasse"), ("شماره ۴۲", "42")] {
        let id = desk.make("customer", called);
        assert_eq!(desk.offered("customer", typed), [id], "{called} by {typed}");
    }
    // One letter is a beginning.
    assert_eq!(desk.offered("customer", "ё").len(), 1);
}

#[test]
fn u21_a_phone_is_found_in_a_picker_in_any_notation() {
    let desk = Desk::begin();
    let objects: Vec<(String, String, String)> = desk.model.objects.iter().filter(|o| !o.derived).filter_map(|o| o.fields.values().find(|f| f.kind == FieldType::Phone && !f.derived).map(|f| (o.name.clone(), o.plural.clone(), f.name.clone()))).filter(|(name, ..)| offered_objects(&desk.model).contains(name)).collect();
    assert!(objects.len() >= 3, "{objects:?}");
    for (object, plural, phone) in objects {
        let title = desk.model.object(&object).unwrap().title.clone();
        let with = |called: &str, number: &str| {
            let mut fields = json!({title.clone(): called, phone.clone(): number});
            if let Some(whose) = desk.model.object(&object).unwrap().fields.values().find(|f| f.kind == FieldType::Ref && f.required) {
                fields[whose.name.clone()] = json!(desk.make(whose.to.as_deref().unwrap(), called));
            }
            desk.tell(&plural, &fields)
        };
        let pole = with("Pole", "+48 600 700 800");
        let briton = with("Briton", "020 7946 0958");
        for typed in ["600700800", "600 700 800", "+48600700800", "0048 600-700-800", "(600) 700.800", "0600 700 800", "۶۰۰۷۰۰۸۰۰", "700 800"] {
            assert_eq!(desk.offered(&object, typed), [pole.clone()], "{object}: {typed}");
        }
        for typed in ["020 7946", "+44 20 7946 0958", "0044 (0)20 7946 0958", "7946-0958"] {
            assert_eq!(desk.offered(&object, typed), [briton.clone()], "{object}: {typed}");
        }
        assert!(desk.offered(&object, "600 700 801").is_empty());
    }
}

/// What is deleted is offered no more, neither by its own name nor by that of the record that it is called by.
#[test]
fn u21_what_is_deleted_is_not_offered() {
    let desk = Desk::begin();
    let customer = desk.tell("customers", &json!({"name": "Zielińska Halina"}));
    let (kept, gone) = (desk.tell("bookings", &json!({"customer": customer, "starts_at": "2024-03-11T09:00:00Z"})), desk.tell("bookings", &json!({"customer": customer, "starts_at": "2024-03-12T09:00:00Z"})));
    let delete = |path: String| {
        let reply = desk.server.as_them(&desk.cookie, "DELETE", &path, &json!({}));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        desk.seq.set(reply.json()["seq"].as_u64().unwrap());
    };
    assert_eq!(desk.offered("booking", "zielinska").len(), 2);
    delete(format!("/api/records/bookings/{gone}"));
    assert_eq!(desk.offered("booking", "zielinska"), [kept.clone()]);
    delete(format!("/api/records/bookings/{kept}"));
    delete(format!("/api/records/customers/{customer}"));
    assert!(desk.offered("booking", "zielinska").is_empty() && desk.offered("customer", "zielinska").is_empty());
}

#[test]
fn u21_a_condition_narrows_what_is_found_and_an_order_of_ones_own_holds() {
    let desk = Desk::begin();
    let ids: Vec<String> = ["B Wójcik", "Wójcik A", "Wójcik"].iter().map(|n| desk.tell("customers", &json!({"name": n, "segment": n}))).collect();
    let ask = |more: &str| -> Vec<String> {
        let page = desk.server.send("GET", &format!("/api/records/customers?search=wojcik{more}&after={}", desk.seq.get()), &[("Cookie", &desk.cookie)], None).json();
        page["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_string()).collect()
    };
    // What begins so is better, and the shorter the better.
    assert_eq!(ask(""), [&ids[2], &ids[1], &ids[0]].map(String::clone));
    assert_eq!(ask("&sort=name"), [&ids[0], &ids[2], &ids[1]].map(String::clone));
    assert_eq!(ask("&filter=contains(segment,%20'A')"), [ids[1].clone()]);
    let long = desk.server.send("GET", &format!("/api/records/customers?search={}", "x".repeat(201)), &[("Cookie", &desk.cookie)], None);
    assert_eq!((long.status, long.json()["field"].as_str()), (400, Some("search")));
}
