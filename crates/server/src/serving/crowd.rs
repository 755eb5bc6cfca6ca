//! Who is here: connections and what is under way on them, counted in all, by address and by person. When there is no
//! room, who waits for nothing makes it. What they ask for is not its concern.

use super::slow::Timely;
use crate::app::{App, Caller};
use crate::guard;
use crate::problem::Problem;
use axum::Extension;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::Notify;

/// Connections that were asked to leave and have not yet: beyond that nobody else is asked.
const LEAVING: usize = 32;

/// All connections and turns.
pub struct Crowd {
    most: usize,
    next: AtomicUsize,
    here: Mutex<HashMap<usize, Arc<Seat>>>,
    /// Requests under way by address, event streams by person.
    requests: Arc<Turns<String>>,
    streams: Arc<Turns<String>>,
    refused: AtomicUsize,
}

struct Seat {
    address: IpAddr,
    state: Mutex<Waits>,
    fresh: AtomicBool,
    leaving: AtomicBool,
    leave: Notify,
    taken: Notify,
}

/// Since when it waits for a request; none while one is under way.
struct Waits(Option<Instant>);

/// A connection's place among the others, given back when it ends.
pub struct Slot {
    crowd: Arc<Crowd>,
    id: usize,
    seat: Arc<Seat>,
}

pub enum Admitted {
    Yes(Slot),
    No,
}

impl Crowd {
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, next: AtomicUsize::new(0), here: Mutex::default(), requests: Arc::default(), streams: Arc::default(), refused: AtomicUsize::new(0) })
    }

    /// A place for a new connection. If there is none, of the address that has most of them the one leaves that has
    /// waited longest for a request.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Admitted {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let Ok(mut here) = self.here.lock() else { return Admitted::No };
        if here.len() >= self.most && !make_room(&here) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Admitted::No;
        }
        let seat = Arc::new(Seat { address: network(address), state: Mutex::new(Waits(Some(Instant::now()))), fresh: AtomicBool::new(true), leaving: AtomicBool::new(false), leave: Notify::new(), taken: Notify::new() });
        here.insert(id, seat.clone());
        Admitted::Yes(Slot { crowd: self.clone(), id, seat })
    }

    /// Connections now, event streams now, connections refused so far.
    pub fn counts(&self) -> [usize; 3] {
        [self.here.lock().map_or(0, |here| here.len()), self.streams.all.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed)]
    }
}

/// Of an IPv6 address its network, of which one person has all.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & !u128::from(u64::MAX)).into()),
        ip => ip,
    }
}

fn make_room(here: &HashMap<usize, Arc<Seat>>) -> bool {
    if here.values().filter(|s| s.leaving.load(Ordering::Relaxed)).count() >= LEAVING {
        return false;
    }
    let waiting: Vec<(&Arc<Seat>, Instant)> = here.values().filter(|s| !s.leaving.load(Ordering::Relaxed)).filter_map(|s| Some((s, s.state.lock().ok()?.0?))).collect();
    let mut by_address: HashMap<IpAddr, usize> = HashMap::new();
    here.values().for_each(|s| *by_address.entry(s.address).or_default() += 1);
    let Some((seat, _)) = waiting.into_iter().min_by_key(|(s, since)| (std::cmp::Reverse(by_address.get(&s.address).copied().unwrap_or(0)), *since)) else { return false };
    seat.leaving.store(true, Ordering::Relaxed);
    seat.leave.notify_one();
    true
}

impl Slot {
    /// A request is under way until what this gives is gone.
    pub fn busy(&self) -> Busy {
        self.seat.fresh.store(false, Ordering::Relaxed);
        if let Ok(mut state) = self.seat.state.lock() {
            state.0 = None;
        }
        self.seat.taken.notify_waiters();
        Busy(self.seat.clone())
    }
    pub fn is_waiting(&self) -> bool {
        self.seat.state.lock().is_ok_and(|s| s.0.is_some())
    }
    /// Has it never asked for anything?
    pub fn is_fresh(&self) -> bool {
        self.seat.fresh.load(Ordering::Relaxed)
    }
    pub async fn asked_to_leave(&self) {
        self.seat.leave.notified().await;
    }
    /// Until a request begins.
    pub async fn is_taken(&self) {
        self.seat.taken.notified().await;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Ok(mut here) = self.crowd.here.lock() {
            here.remove(&self.id);
        }
    }
}

/// While a request is under way.
pub struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        if let Ok(mut state) = self.0.state.lock() {
            state.0 = Some(Instant::now());
        }
    }
}

/// How many of something each has at a time.
pub struct Turns<K> {
    by: Mutex<HashMap<K, usize>>,
    all: AtomicUsize,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { by: Mutex::default(), all: AtomicUsize::new(0) }
    }
}

/// One of them, until it is gone.
pub struct Turn<K: Hash + Eq> {
    of: Arc<Turns<K>>,
    key: K,
}

impl<K: Hash + Eq + Clone> Turns<K> {
    fn take(self: &Arc<Self>, key: K, each: usize, all: usize) -> Option<Turn<K>> {
        let mut by = self.by.lock().ok()?;
        let own = by.get(&key).copied().unwrap_or(0);
        if own >= each || self.all.load(Ordering::Relaxed) >= all {
            return None;
        }
        by.insert(key.clone(), own + 1);
        self.all.fetch_add(1, Ordering::Relaxed);
        Some(Turn { of: self.clone(), key })
    }
}

impl<K: Hash + Eq> Drop for Turn<K> {
    fn drop(&mut self) {
        let Ok(mut by) = self.of.by.lock() else { return };
        self.of.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(own) = by.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                by.remove(&self.key);
            }
        }
    }
}

/// A body that keeps something until it has been sent.
pub struct Held<B, T> {
    body: B,
    _kept: T,
}

impl<B, T> Held<B, T> {
    pub fn new(body: B, kept: T) -> Self {
        Self { body, _kept: kept }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin, T: Unpin> HttpBody for Held<B, T> {
    type Data = Bytes;
    type Error = B::Error;
    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn busy(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once", detail)
}

/// Every request: a turn of its address, which may have half of all, and a body that comes in time.
pub async fn turn(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let address = peer.and_then(|peer| guard::address(&app, request.headers(), peer)).unwrap_or_default();
    let Some(turn) = app.crowd.requests.take(address, (app.crowd.most / 2).max(1), usize::MAX) else {
        return busy("Too many requests from one place are under way. Try again in a few seconds.").into_response();
    };
    let late = Arc::new(AtomicBool::new(false));
    let request = if request.body().is_end_stream() { request } else { request.map(|body| Body::new(Timely::new(body, app.clone(), late.clone()))) };
    let response = next.run(request).await;
    if late.load(Ordering::Relaxed) {
        return Problem::new(StatusCode::REQUEST_TIMEOUT, "slow", "The request did not come in time", "Nothing was changed. Send it again over a faster connection.").into_response();
    }
    response.map(|body| Body::new(Held::new(body, turn)))
}

/// A live event stream: so many of one person, and half of all connections in all.
pub async fn stream(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, request: Request, next: Next) -> Response {
    match app.crowd.streams.take(caller.actor, app.limits.streams, (app.crowd.most / 2).max(1)) {
        Some(turn) => next.run(request).await.map(|body| Body::new(Held::new(body, turn))),
        None => busy("Too many pages listen for changes. Close some, or try again later.").into_response(),
    }
}
