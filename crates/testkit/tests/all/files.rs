//! Files that people send: kept under their hash, given back as nothing but bytes to save.

use crate::http::start;
use serde_json::json;

#[test]
fn what_people_send_never_becomes_a_page_or_leaves_its_folder() {
    let server = start();
    let cookie = server.sign_in();
    let signed = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    let bytes = |body: &str, kind: &str| server.send_text("POST", "/api/files", &[signed[0], signed[1], ("Content-Type", kind)], body);
    let told = |path: &str, body: serde_json::Value| server.send("POST", path, &[signed[0], signed[1], ("Content-Type", "application/json")], Some(&body));
    let evil = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
    let taken = bytes(evil, "application/octet-stream");
    assert_eq!(taken.status, 201, "{}", taken.body);
    let sha = taken.json()["sha"].as_str().unwrap().to_string();
    assert_eq!(bytes(evil, "application/octet-stream").json()["sha"], sha.as_str(), "the same content has one name");
    // A form of another site could send these.
    for kind in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded"] {
        assert_eq!(bytes(evil, kind).status, 415, "{kind}");
    }
    for name in ["logo.svg", "../../../etc/passwd", "a\"b\r\nSet-Cookie: x=1.html", "زهرا.pdf", "=cmd|.xlsx"] {
        let made = told("/api/records/attachments", json!({"name": name, "sha": sha, "size": evil.len(), "media": "text/html"}));
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        let path = format!("/api/records/attachments/{}/file", made.json()["id"].as_str().unwrap());
        let given = server.send("GET", &path, &signed, None);
        let head = given.head.to_ascii_lowercase();
        assert_eq!((given.status, given.body.as_str()), (200, evil), "{name}");
        assert!(head.contains("content-type: application/octet-stream") && head.contains("content-disposition: attachment; filename*=utf-8''"), "{head}");
        assert!(head.contains("x-content-type-options: nosniff") && head.contains("content-security-policy: default-src 'none'; sandbox"), "{head}");
        assert!(!head.contains("\nset-cookie") && !head.contains("../"), "{head}");
        assert_eq!(server.send("GET", &path, &[], None).status, 401);
    }
    for sha in ["../../../../etc/passwd", "", "..", &"A".repeat(64), &"f".repeat(64), &format!("{}\0", &sha[..63])] {
        let made = told("/api/records/attachments", json!({"name": "x", "sha": sha}));
        if made.status == 201 {
            let id = made.json()["id"].as_str().unwrap().to_string();
            assert_eq!(server.send("GET", &format!("/api/records/attachments/{id}/file"), &signed, None).status, 404, "{sha:?}");
        }
    }
    assert_eq!(bytes(&"x".repeat((25 << 20) + 1), "application/octet-stream").status, 413);
    // Only names of our own, below the folder of files.
    let files: Vec<_> = std::fs::read_dir(server.folder.path().join("files")).unwrap().flat_map(|d| std::fs::read_dir(d.unwrap().path()).unwrap()).map(|f| f.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(files, [sha]);
}
