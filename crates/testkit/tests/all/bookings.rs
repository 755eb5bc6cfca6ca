//! When somebody can be booked, over HTTP.

use crate::http::start;
use serde_json::json;

#[test]
fn free_times_are_hours_less_what_is_booked() {
    let server = start();
    let cookie = server.sign_in();
    let tell = |path: &str, body: serde_json::Value| server.send("POST", &format!("/api/records/{path}"), &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&body));
    let make = |path: &str, body: serde_json::Value| {
        let made = tell(path, body);
        assert_eq!(made.status, 201, "{}", made.body);
        made.json()["id"].as_str().unwrap().to_string()
    };
    let get = |path: &str| server.send("GET", path, &[("Cookie", &cookie)], None);
    let hours = json!({"mon": [["09:00", "12:00"], ["13:00", "17:00"]], "tue": [["09:00", "17:00"]]}).to_string();
    let schedule = make("schedules", json!({"name": "Days", "zone": "Europe/Warsaw", "hours": hours, "holidays": json!({"2024-03-12": []}).to_string()}));
    let (anna, ben) = (make("users", json!({"name": "Anna", "schedule": schedule})), make("users", json!({"name": "Ben"})));
    let visit = make("products", json!({"name": "Visit", "takes": 5400, "staff": [anna]}));
    // 2024-03-11 was a Monday; in Warsaw ten o'clock is nine of UTC.
    let booked = make("bookings", json!({"user": anna, "product": visit, "starts_at": "2024-03-11T09:00:00Z"}));
    let cancelled = make("bookings", json!({"user": anna, "starts_at": "2024-03-11T13:00:00Z", "ends_at": "2024-03-11T14:00:00Z", "status": "cancelled"}));
    make("bookings", json!({"user": ben, "starts_at": "2024-03-11T13:00:00Z", "ends_at": "2024-03-11T14:00:00Z"}));
    let record = get(&format!("/api/records/bookings/{booked}")).json();
    assert_eq!(record["fields"]["ends_at"], "2024-03-11T10:30:00Z", "as long as the service takes");
    let free = get(&format!("/api/records/bookings/free?from=2024-03-11&days=2&of={anna}")).json();
    assert_eq!(free["of"][0]["title"], "Anna");
    assert_eq!(free["of"][0]["open"], json!([["2024-03-11T08:00:00Z", "2024-03-11T11:00:00Z"], ["2024-03-11T12:00:00Z", "2024-03-11T16:00:00Z"]]), "the second day is a holiday");
    assert_eq!(free["of"][0]["free"], json!([["2024-03-11T08:00:00Z", "2024-03-11T09:00:00Z"], ["2024-03-11T10:30:00Z", "2024-03-11T11:00:00Z"], ["2024-03-11T12:00:00Z", "2024-03-11T16:00:00Z"]]));
    // What is taken again is no longer free; of all, those without hours are there all day.
    let again = server.send("PATCH", &format!("/api/records/bookings/{cancelled}"), &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&json!({"status": "booked"})));
    assert_eq!(again.status, 200);
    let all = get("/api/records/bookings/free?from=2024-03-11").json();
    let of = |name: &str| all["of"].as_array().unwrap().iter().find(|o| o["title"] == name).unwrap().clone();
    assert_eq!(of("Anna")["free"].as_array().unwrap().len(), 4);
    assert_eq!((&of("Ben")["hours"], &of("Ben")["free"]), (&json!(false), &json!([["2024-03-11T00:00:00Z", "2024-03-11T13:00:00Z"], ["2024-03-11T14:00:00Z", "2024-03-12T00:00:00Z"]])));
    // Where the schedule keeps another zone's days, of ten hours behind: what is open at night here belongs to its day
    // before, and to its own day what begins when ours is nearly over.
    let far = make("schedules", json!({"name": "Far", "zone": "Pacific/Honolulu", "hours": json!({"sun": [["14:00", "18:00"]], "mon": [["08:00", "20:00"]]}).to_string()}));
    let kai = make("users", json!({"name": "Kai", "schedule": far}));
    let free = get(&format!("/api/records/bookings/free?from=2024-03-11&of={kai}")).json();
    assert_eq!(free["of"][0]["free"], json!([["2024-03-11T00:00:00Z", "2024-03-11T04:00:00Z"], ["2024-03-11T18:00:00Z", "2024-03-12T00:00:00Z"]]));
    // Who has left is asked for no time; who is away only by name.
    let (gone, away) = (make("users", json!({"name": "Gone"})), make("users", json!({"name": "Away", "active": false})));
    assert_eq!(server.send("DELETE", &format!("/api/records/users/{gone}"), &[("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")], Some(&json!({}))).status, 200);
    let titles = |of: &str| get(&format!("/api/records/bookings/free?from=2024-03-11{of}")).json()["of"].as_array().unwrap().iter().map(|o| o["title"].as_str().unwrap().to_string()).filter(|t| t == "Gone" || t == "Away").collect::<Vec<_>>();
    assert_eq!(get(&format!("/api/records/users?limit=1&after={}", server.store.seq())).status, 200);
    assert_eq!(titles(""), [""; 0]);
    assert_eq!(titles(&format!("&of={gone},{away}")), ["Away"]);
    for (path, status) in [("bookings/free?from=soon", 400), ("bookings/free?from=2024-03-11&days=0", 400), ("bookings/free?from=2024-03-11&days=99", 400), ("bookings/free?from=2024-03-11&of=me", 400), ("customers/free?from=2024-03-11", 404)] {
        assert_eq!(get(&format!("/api/records/{path}")).status, status, "{path}");
    }
}
