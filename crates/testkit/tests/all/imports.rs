//! Lists that people bring in through the browser's API.

use crate::http::start;
use serde_json::json;

/// A list in another language's words: looked at, tried without writing, imported, mended, taken back.
#[test]
fn a_list_is_imported_mended_and_taken_back() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |method: &str, path: &str, body: serde_json::Value| server.send(method, path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let customers = || server.send("GET", "/api/records/customers?limit=500", &[("Cookie", &cookie)], None).json();
    let before = customers()["total"].as_u64().unwrap();
    let known = tell("POST", "/api/records/customers", json!({"name": "Known before", "email": "known@example.org", "phone": "+48 600 100 200"})).json();
    let text = "Nazwa;E-mail;Telefon;Klient od\nNowa Sp. z o.o.;nowa@example.org;;22.11.2023\nKnown now;KNOWN@example.org;;01.10.2023\nZła;nie adres;;31.12.2023\nBez dnia;bez@example.org;;31.02.2023\n";
    let looked = tell("POST", "/api/imports", json!({"name": "../klienci.csv", "text": text})).json();
    let id = looked["id"].as_str().unwrap().to_string();
    assert_eq!((looked["rows"].as_u64(), looked["name"].as_str()), (Some(4), Some("klienci.csv")));
    let mapping = looked["mapping"].clone();
    assert_eq!((&mapping["object"], &mapping["find"], &mapping["dates"]), (&json!("customer"), &json!("email"), &json!("%d.%m.%Y")), "{mapping}");
    assert_eq!(mapping["fields"]["Nazwa"], "name");
    let seq = server.store.seq();
    let mut with_day = mapping.clone();
    with_day["fields"]["Klient od"] = json!("created_at");
    let tried = tell("POST", &format!("/api/imports/{id}/check"), json!({"mapping": with_day})).json();
    assert_eq!((tried["created"].as_u64(), tried["changed"].as_u64(), tried["rejected"].as_u64()), (Some(1), Some(1), Some(2)), "{tried}");
    assert_eq!(server.store.seq(), seq, "a trial wrote something");
    assert_eq!(tell("POST", &format!("/api/imports/{id}/run"), json!({"mapping": with_day})).status, 202);
    let done = server.settled(&format!("/api/imports/{}", &id), &cookie);
    assert_eq!((done["state"].as_str(), done["created"].as_u64(), done["rejected"].as_u64()), (Some("done"), Some(1), Some(2)), "{done}");
    assert_eq!(tell("POST", &format!("/api/imports/{id}/run"), json!({"mapping": with_day})).status, 409);
    let record = server.send("GET", &format!("/api/records/customers/{}", known["id"].as_str().unwrap()), &[("Cookie", &cookie)], None).json();
    assert_eq!((&record["fields"]["name"], &record["fields"]["phone"]), (&json!("Known now"), &json!("+48 600 100 200")), "an empty cell took something away");
    // The rows at fault, put right, are new records, and what came of them is told by their own run.
    let mended = "Nazwa,E-mail,Telefon,Klient od,northing_row\nZła,zla@example.org,,31.12.2023,3\nBez dnia,bez@example.org,,28.02.2023,4\n";
    let second = tell("POST", "/api/imports", json!({"name": "klienci.csv", "text": mended, "again": id})).json();
    let again = second["id"].as_str().unwrap().to_string();
    assert_eq!(tell("POST", &format!("/api/imports/{again}/run"), json!({"mapping": with_day})).status, 202);
    assert_eq!(server.settled(&format!("/api/imports/{}", &again), &cookie)["created"], 2);
    // The same file another time changes nothing.
    let third = tell("POST", "/api/imports", json!({"name": "other-name.csv", "text": text})).json();
    let twice = tell("POST", &format!("/api/imports/{}/check", third["id"].as_str().unwrap()), json!({"mapping": with_day})).json();
    assert_eq!((twice["created"].as_u64(), twice["changed"].as_u64(), twice["unchanged"].as_u64()), (Some(0), Some(0), Some(2)), "{twice}");
    let run = done["run"].clone();
    let fresh = customers()["items"].as_array().unwrap().iter().find(|i| i["fields"]["email"] == "nowa@example.org").cloned().unwrap();
    tell("PATCH", &format!("/api/records/customers/{}", fresh["id"].as_str().unwrap()), json!({"phone": "+48 600 000 001"}));
    let undone = tell("POST", "/api/imports/undo", json!({"run": run})).json();
    assert_eq!((undone["taken_back"].as_u64(), undone["kept"].as_u64()), (Some(1), Some(1)), "{undone}");
    assert_eq!(tell("POST", "/api/imports/undo", json!({"run": run})).status, 409);
    let record = server.send("GET", &format!("/api/records/customers/{}", known["id"].as_str().unwrap()), &[("Cookie", &cookie)], None).json();
    assert_eq!(record["fields"]["name"], "Known before");
    assert_eq!(customers()["total"].as_u64().unwrap(), before + 4, "known, the one that was changed since, and the two mended ones");
    for (text, why) in [("", "columns"), ("name\n", "row"), ("a,a\n1,2\n", "same name")] {
        let refused = tell("POST", "/api/imports", json!({"name": "x.csv", "text": text}));
        assert!(refused.status == 422 && refused.body.contains(why), "{text:?}: {}", refused.body);
    }
    assert!(std::fs::read_dir(server.folder.path().join("uploads")).unwrap().count() <= 3, "refused files stay");
}

/// A sheet of a workbook goes the way of any other list; what is none is refused and leaves nothing behind.
#[test]
fn a_workbook_is_a_list() {
    let server = start();
    let cookie = server.sign_in();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xlsx");
    crate::hostile::small_workbook(&path);
    let bytes = std::fs::read(&path).unwrap();
    let take = |path: &str, kind: &str, body: &[u8]| server.send_bytes("POST", path, &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", kind)], body);
    let binary = "application/octet-stream";
    let looked = take("/api/imports/workbook?name=klienci.xlsx", binary, &bytes).json();
    assert_eq!((&looked["sheets"], &looked["sheet"], &looked["rows"], &looked["headings"]), (&json!(["List"]), &json!("List"), &json!(1), &json!(["Name", "Since"])), "{looked}");
    let mapping = json!({"object": "customer", "fields": {"Name": "name", "Since": "created_at"}, "dates": "%d.%m.%Y"});
    let id = looked["id"].as_str().unwrap();
    let tell = |path: &str, body: serde_json::Value| take(path, "application/json", body.to_string().as_bytes());
    assert_eq!(tell(&format!("/api/imports/{id}/check"), json!({"mapping": mapping})).json()["created"], 1);
    assert_eq!(tell(&format!("/api/imports/{id}/run"), json!({"mapping": mapping})).status, 202);
    assert_eq!(server.settled(&format!("/api/imports/{}", id), &cookie)["created"], 1);
    let all = server.send("GET", "/api/records/customers?limit=500", &[("Cookie", &cookie)], None).json();
    let made = all["items"].as_array().unwrap().iter().find(|i| i["fields"]["name"] == "A & B").unwrap();
    // The day of a cell, whatever the notation of the columns that are text.
    assert!(made["fields"]["created_at"].as_str().unwrap().starts_with("2026-11-22T00:00"), "{made}");
    for (path, kind, body, status) in [
        ("/api/imports/workbook?name=a.xlsx&sheet=Other", binary, bytes.as_slice(), 422),
        ("/api/imports/workbook?name=a.xlsx", binary, &bytes[..40], 422),
        ("/api/imports/workbook?name=a.xlsx", binary, b"", 422),
        ("/api/imports/workbook", binary, bytes.as_slice(), 400),
        ("/api/imports/workbook?name=a.xlsx", "text/plain", bytes.as_slice(), 415),
        ("/api/imports/workbook?name=a.xlsx", binary, &vec![0; (25 << 20) + 1], 413),
    ] {
        let refused = take(path, kind, body);
        assert_eq!(refused.status, status, "{path}: {}", refused.body);
    }
    let left: Vec<_> = std::fs::read_dir(server.folder.path().join("uploads")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}
