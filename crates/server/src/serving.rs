//! Connections: accepting them, bounds on their number and on how long each may keep us waiting, and the end. What is
//! asked and answered on them is the router's.

mod crowd;
mod slow;

pub use crowd::{Crowd, stream, turn};

use crate::app::App;
use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use crowd::{Admitted, Held, Slot};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use slow::Unstalled;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::ServiceExt;

/// A header and what belongs to it.
const LARGEST_HEADER: usize = 64 << 10;
/// Said to whom there is no room for, at most to so many at once; the others are just closed.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 2\r\nconnection: close\r\ncontent-length: 147\r\n\r\n{\"type\":\"urn:northing:problem:busy\",\"title\":\"Too many connections\",\"status\":503,\"detail\":\"Every connection is in use. Try again in a few seconds.\"}";
const REFUSING: usize = 16;
/// How long a connection that should close may take over what is still on its way.
const LAST: Duration = Duration::from_secs(1);
/// After an accept that failed (no descriptor left, say).
const AGAIN: Duration = Duration::from_millis(50);

/// Serves until `stop` says how long to go on accepting; then finishes what is under way.
pub async fn serve(listener: TcpListener, router: Router, app: Arc<App>, stop: impl Future<Output = Duration>) {
    let limits = app.limits.clone();
    let (ending, ended) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let refusing = Arc::new(tokio::sync::Semaphore::new(REFUSING));
    let deadline = {
        let until = async {
            let notice = stop.await;
            app.drain();
            let began = Instant::now();
            tracing::info!("ending: new requests are taken for {} s more", notice.as_secs());
            sleep(notice).await;
            began
        };
        let mut until = pin!(until);
        loop {
            let accepted = tokio::select! {
                began = &mut until => break began + limits.end,
                accepted = listener.accept() => accepted,
                Some(_) = tasks.join_next() => continue,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(e) => {
                    tracing::warn!("a connection could not be accepted: {e}");
                    sleep(AGAIN).await;
                    continue;
                }
            };
            match app.crowd.admit(peer.ip()) {
                Admitted::Yes(slot) => {
                    tasks.spawn(connection(stream, peer, slot, router.clone(), app.clone(), ended.clone()));
                }
                Admitted::No => {
                    if let Ok(turn) = refusing.clone().try_acquire_owned() {
                        tasks.spawn(async move {
                            refuse(stream).await;
                            drop(turn);
                        });
                    }
                }
            }
        }
    };
    drop(listener);
    // Whoever listens hears it even when nobody is left.
    let _ = ending.send(true);
    let all = timeout_at(deadline, async { while tasks.join_next().await.is_some() {} }).await;
    if all.is_err() {
        tracing::warn!("{} connections were cut off at the end", tasks.len());
        tasks.shutdown().await;
    }
}

async fn refuse(mut stream: TcpStream) {
    let said = timeout(LAST, async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // Closing before they have sent what they send would take the answer from them.
        stream.read(&mut [0u8; 1_024]).await
    });
    // Whoever does not listen is closed all the same.
    let _ = said.await;
}

async fn connection(stream: TcpStream, peer: SocketAddr, slot: Slot, router: Router, app: Arc<App>, mut ended: watch::Receiver<bool>) {
    let limits = &app.limits;
    // An answer that waits for more to be sent is only slower.
    let _ = stream.set_nodelay(true);
    let slot = Arc::new(slot);
    let own = slot.clone();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let busy = own.busy();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answered = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(answered.await.unwrap_or_else(|never| match never {}).map(|body| Held::new(body, busy))) }
    });
    let io = TokioIo::new(Unstalled::new(stream, limits.stalled));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header).max_buf_size(LARGEST_HEADER);
    let mut served = pin!(builder.serve_connection(io, service));
    let mut leaving = false;
    loop {
        tokio::select! {
            // A client that breaks off is no fault of ours.
            _ = served.as_mut() => return,
            () = slot.asked_to_leave(), if !leaving => {}
            _ = ended.wait_for(|ended| *ended), if !leaving => {}
        }
        leaving = true;
        served.as_mut().graceful_shutdown();
        if slot.is_waiting() {
            // Half a header, or nothing: a moment for what is on its way, none for who never asked for anything.
            let moment = if slot.is_fresh() && !*ended.borrow() { Duration::ZERO } else { LAST };
            let _ = timeout(moment, async {
                tokio::select! { _ = served.as_mut() => {}, () = slot.is_taken() => {} }
            })
            .await;
            if slot.is_waiting() {
                return;
            }
        }
    }
}
