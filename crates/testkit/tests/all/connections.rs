//! Nobody can hold the server: half a request, no request, an answer that nobody takes, and more connections than there
//! are places.

use crate::ending::{head, own};
use crate::http::{NOW, Server, start_where};
use northing_crm::Env;
use northing_model::{Record, Value};
use northing_server::Config;
use northing_store::{Change, Commit};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(120);

fn server(set: impl FnOnce(&mut Config)) -> Server {
    let fill = |store: &northing_store::Store, env: &Env| {
        northing_crm::workspace::ensure(store, env, &Record::new()).unwrap();
    };
    let server = start_where(fill, Env::new(|| NOW, Uuid::now_v7), set);
    server.store.open_session(crate::ending::SESSION, "owner", "test", false, NOW).unwrap();
    server
}

/// All that comes until the other end closes, which it has to.
fn until_closed(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut all = Vec::new();
    let mut part = [0u8; 4_096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("it is held open: {e}"),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[test]
fn s5_nobody_is_waited_for_for_long() {
    let server = server(|config| {
        config.limits.header = Duration::from_millis(1_500);
        config.limits.body = Duration::from_millis(1_500);
        config.limits.body_bytes = 1_000;
    });
    let port = server.port;
    let connect = || TcpStream::connect(("127.0.0.1", port)).unwrap();
    let session = format!("sid={}", crate::ending::SESSION);
    let events = server.stream("/api/events", &[("Cookie", &session)]);
    // Nothing, half a header, a header that trickles in, and a connection that is kept after an answer.
    let mut silent = connect();
    let mut half = connect();
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: loc").unwrap();
    let mut kept = connect();
    kept.write_all(head(port, "GET", "/livez", "").as_bytes()).unwrap();
    let mut slow = connect();
    let mut tail = slow.try_clone().unwrap();
    std::thread::spawn(move || (0..4_000).all(|_| { std::thread::sleep(Duration::from_millis(25)); tail.write_all(b"x").is_ok() }));
    assert_eq!(until_closed(&mut silent), "");
    until_closed(&mut half);
    until_closed(&mut slow);
    assert!(until_closed(&mut kept).starts_with("HTTP/1.1 200"));
    // A body that does not come, and one that trickles.
    let post = |length: usize| head(port, "POST", "/api/files", &format!("Content-Type: application/octet-stream\r\nContent-Length: {length}\r\n"));
    let mut none = connect();
    none.write_all(post(100).as_bytes()).unwrap();
    let told = until_closed(&mut none);
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("urn:northing:problem:slow"), "{told}");
    let mut drops = connect();
    drops.write_all(post(4_000).as_bytes()).unwrap();
    let mut tail = drops.try_clone().unwrap();
    std::thread::spawn(move || (0..4_000).all(|_| { std::thread::sleep(Duration::from_millis(25)); tail.write_all(b"x").is_ok() }));
    let told = until_closed(&mut drops);
    assert!(told.starts_with("HTTP/1.1 408"), "{told}");
    // One that takes longer than either, and comes all the time.
    let mut steady = connect();
    steady.write_all(head(port, "POST", "/api/files", "Content-Type: application/octet-stream\r\nConnection: close\r\nContent-Length: 80000\r\n").as_bytes()).unwrap();
    for _ in 0..20 {
        steady.write_all(&[7; 4_000]).unwrap();
        std::thread::sleep(Duration::from_millis(125));
    }
    let told = until_closed(&mut steady);
    assert!(told.starts_with("HTTP/1.1 201"), "{told}");
    // Who listens for changes has been left alone, and hears of the next.
    let before = events.lock().unwrap().matches("event: seq").count();
    assert!(before > 0);
    let change = Change::create("customer", Uuid::now_v7(), Record::from([("name".into(), Value::Text("Anna".into()))]));
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![change], key: None }).unwrap();
    let heard = (0..2_400).any(|_| events.lock().unwrap().matches("event: seq").count() > before || { std::thread::sleep(Duration::from_millis(25)); false });
    assert!(heard, "{}", events.lock().unwrap());
}

#[test]
fn s5_who_takes_nothing_of_an_answer_is_let_go() {
    let server = server(|config| config.limits.stalled = Duration::from_millis(1_500));
    let sha = {
        let session = format!("sid={}", crate::ending::SESSION);
        let signed = [("Cookie", session.as_str()), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/octet-stream")];
        server.send_bytes("POST", "/api/files", &signed, &vec![b'x'; 24 << 20]).json()["sha"].as_str().unwrap().to_string()
    };
    let id = Uuid::now_v7();
    let record = Record::from([("name".into(), Value::Text("big".into())), ("sha".into(), Value::Text(sha))]);
    server.store.commit(Commit { actor: "owner".into(), at: NOW, changes: vec![Change::create("attachment", id, record)], key: None }).unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.write_all(head(server.port, "GET", &format!("/api/records/attachments/{id}/file"), "").as_bytes()).unwrap();
    let session = format!("sid={}", crate::ending::SESSION);
    let connections = || -> usize { server.send("GET", "/metrics", &[("Cookie", &session)], None).body.lines().find_map(|l| l.strip_prefix("northing_connections ").map(|n| n.parse().unwrap())).unwrap() };
    let gone = (0..2_400).any(|n| (n > 20 && connections() == 1) || { std::thread::sleep(Duration::from_millis(50)); false });
    assert!(gone, "the connection is still held");
    assert!(until_closed(&mut stream).len() < 24 << 20, "all of it came");
}

/// A request from another address of this machine: what came, or nothing if it was closed at once.
async fn from(address: &str, port: u16, text: &str) -> std::io::Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{address}:0").parse().unwrap())?;
    let mut stream = socket.connect(format!("127.0.0.1:{port}").parse().unwrap()).await?;
    stream.write_all(text.as_bytes()).await?;
    let mut all = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("it hangs")?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

/// A request whose body does not come, from another address; the server waits for it by now, unless it refused.
async fn half_sent(address: &str, port: u16) -> std::io::Result<(tokio::net::TcpStream, String)> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{address}:0").parse().unwrap())?;
    let mut stream = socket.connect(format!("127.0.0.1:{port}").parse().unwrap()).await?;
    stream.write_all(head(port, "POST", "/api/session", "Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n").as_bytes()).await?;
    let mut told = [0u8; 12];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut told)).await.expect("it hangs")?;
    Ok((stream, String::from_utf8_lossy(&told).into_owned()))
}

fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn s5_three_hundred_half_open_connections_shut_nobody_out() {
    // It waits for everybody for ten minutes.
    let own = own(256, Duration::ZERO);
    let port = own.port;
    let alive = head(port, "GET", "/livez", "Connection: close\r\n");
    on_a_runtime(async {
        let mut held = Vec::new();
        for _ in 0..300 {
            if let Ok(mut stream) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                let _ = stream.write_all(b"GET /livez HTTP/1.1\r\nHost: loc").await;
                held.push(stream);
            }
        }
        assert!(held.len() > 250);
        // While they still come in, one may be told to come again; once they are there, nobody is.
        for _ in 0..40 {
            if from("127.0.0.1", port, &alive).await.is_ok_and(|told| told.starts_with("HTTP/1.1 200")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for n in 0..20 {
            assert!(from("127.0.0.1", port, &alive).await.unwrap().starts_with("HTTP/1.1 200"), "{n}: shut out");
        }
        drop(held);
        // And three hundred that wait for their bodies: one address has half of the places, others the rest.
        let (mut held, mut refused) = (Vec::new(), 0);
        for _ in 0..300 {
            match half_sent("127.0.0.1", port).await {
                Ok((stream, told)) if told.ends_with("100") => held.push(stream),
                _ => refused += 1,
            }
        }
        assert!(held.len() >= 50 && refused >= 100, "{} held, {refused} refused", held.len());
        for n in 0..20 {
            assert!(from("127.0.0.2", port, &alive).await.unwrap().starts_with("HTTP/1.1 200"), "{n}: shut out");
        }
        // Of the address itself whatever more comes is told so.
        let told = from("127.0.0.1", port, &alive).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 503") && told.contains("urn:northing:problem:busy"), "{told}");
    });
}

#[test]
fn s5_when_every_place_is_taken_the_next_is_told_at_once() {
    let server = server(|config| {
        config.limits.connections = 8;
        config.limits.body = Duration::from_secs(600);
        config.limits.streams = 2;
    });
    let port = server.port;
    on_a_runtime(async {
        let mut held = Vec::new();
        for address in ["127.0.0.1", "127.0.0.2"] {
            for n in 0..4 {
                let (stream, told) = half_sent(address, port).await.unwrap();
                assert!(told.ends_with("100"), "{address} {n}: {told}");
                held.push(stream);
            }
        }
        let told = from("127.0.0.3", port, &head(port, "GET", "/livez", "")).await.unwrap();
        assert!(told.starts_with("HTTP/1.1 503") && told.contains("retry-after: 2") && told.contains("Every connection is in use"), "{told}");
        let body = told.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(serde_json::from_str::<serde_json::Value>(body).unwrap()["status"], 503);
        // One that ends makes room.
        held.pop();
        let mut tries = 0;
        while !from("127.0.0.3", port, &head(port, "GET", "/livez", "Connection: close\r\n")).await.unwrap().starts_with("HTTP/1.1 200") {
            tries += 1;
            assert!(tries < 1_000);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    // Somebody's live pages are counted too, and given back.
    let session = format!("sid={}", crate::ending::SESSION);
    let open = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(head(port, "GET", "/api/events", "").as_bytes()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut told = [0u8; 12];
        stream.read_exact(&mut told).unwrap();
        (stream, String::from_utf8_lossy(&told).into_owned())
    };
    // The places of those who have just gone are given back when the server sees it.
    let opened = || (0..2_400).find_map(|_| Some(open()).filter(|o| o.1 == "HTTP/1.1 200").or_else(|| { std::thread::sleep(Duration::from_millis(50)); None })).expect("a place");
    let (one, _two) = (opened(), opened());
    assert_eq!(open().1, "HTTP/1.1 503");
    assert_eq!(server.send("GET", "/api/session", &[("Cookie", &session)], None).status, 200);
    drop(one);
    assert!((0..2_400).any(|_| open().1 == "HTTP/1.1 200" || { std::thread::sleep(Duration::from_millis(50)); false }), "what was closed is still counted");
}
