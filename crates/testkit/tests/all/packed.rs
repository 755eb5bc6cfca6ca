//! Answers are sent packed to who takes them so; streams, files and secrets are not.

use crate::http::{Server, start};
use serde_json::{Value as Js, json};
use std::io::{Read, Write};
use std::net::TcpStream;

/// The head and the bytes of an answer, put together if it came in parts.
fn get(server: &Server, method: &str, path: &str, more: &str, body: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let text = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}", server.port, body.len());
    stream.write_all(text.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let at = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&all[..at]).to_ascii_lowercase();
    let mut rest = &all[at + 4..];
    if !head.contains("transfer-encoding: chunked") {
        return (head, rest.to_vec());
    }
    let mut whole = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return (head, whole);
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
}

#[test]
fn u17_answers_are_packed_for_who_takes_them_so() {
    let server = start();
    let cookie = format!("Cookie: {}\r\n", server.sign_in());
    let ask = |path: &str, accepts: &str| get(&server, "GET", path, &format!("{cookie}{accepts}"), "");
    for path in ["/api/model", "/api/metrics", "/api/openapi.json"] {
        let (head, plain) = ask(path, "");
        assert!(!head.contains("content-encoding") && head.contains("vary: ") && plain.len() > 10_000, "{path}: {head}");
        let (head, packed) = ask(path, "Accept-Encoding: gzip\r\n");
        assert!(head.contains("content-encoding: gzip"), "{path}: {head}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(serde_json::from_slice::<Js>(&unpacked).unwrap(), serde_json::from_slice::<Js>(&plain).unwrap(), "{path}");
        let (head, brotli) = ask(path, "Accept-Encoding: gzip, br\r\n");
        assert!(head.contains("content-encoding: br"), "{path}: {head}");
        println!("{path}: {} bytes, gzip {}, br {}", plain.len(), packed.len(), brotli.len());
        assert!(packed.len() * 4 < plain.len() && brotli.len() * 4 < plain.len(), "{path}");
        let (head, refused) = ask(path, "Accept-Encoding: identity, gzip;q=0, br;q=0\r\n");
        assert!(!head.contains("content-encoding") && refused.len() == plain.len(), "{path}: {head}");
    }
    // What is small goes as it is.
    assert!(!ask("/livez", "Accept-Encoding: gzip, br\r\n").0.contains("content-encoding"));
    // What opens something is never packed with what somebody else might have put beside it: a name of 4,000 letters
    // would make this answer large enough.
    for (path, body) in [("/api/me/tokens", json!({"name": "x".repeat(90), "days": 1})), ("/api/me/codes", json!({}))] {
        let (head, made) = get(&server, "POST", path, &format!("{cookie}Accept-Encoding: gzip, br\r\n"), &body.to_string());
        assert!(head.starts_with("http/1.1 200") && !head.contains("content-encoding"), "{path}: {head}");
        assert!(serde_json::from_slice::<Js>(&made).unwrap().is_object());
    }
    // Changes come as they happen.
    let events = server.stream("/api/events", &[("Cookie", cookie.trim_start_matches("Cookie: ").trim()), ("Accept-Encoding", "gzip, br")]);
    assert!((0..2_400).any(|_| events.lock().unwrap().contains("event: seq") || { std::thread::sleep(std::time::Duration::from_millis(25)); false }));
    assert!(!events.lock().unwrap().to_ascii_lowercase().contains("content-encoding"));
}

#[test]
fn u17_files_and_exports_go_out_as_they_are() {
    let server = start();
    let own = server.sign_in();
    let signed = [("Cookie", own.as_str()), ("Sec-Fetch-Site", "same-origin")];
    let content = "the same line again and again\n".repeat(1_000);
    let sha = server.send_text("POST", "/api/files", &[signed[0], signed[1], ("Content-Type", "application/octet-stream")], &content).json()["sha"].as_str().unwrap().to_string();
    let made = server.send("POST", "/api/records/attachments", &[signed[0], signed[1], ("Content-Type", "application/json")], Some(&json!({"name": "a.txt", "sha": sha})));
    let id = made.json()["id"].as_str().unwrap().to_string();
    let accepts = format!("Cookie: {own}\r\nAccept-Encoding: gzip, br\r\n");
    let (head, bytes) = get(&server, "GET", &format!("/api/records/attachments/{id}/file"), &accepts, "");
    assert!(!head.contains("content-encoding") && bytes == content.as_bytes(), "{head}");
    let (head, _) = get(&server, "GET", "/api/records/attachments/export?format=xlsx", &accepts, "");
    assert!(head.starts_with("http/1.1 200") && !head.contains("content-encoding"), "{head}");
}
