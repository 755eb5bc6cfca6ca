//! Live changes as server-sent events.

use crate::app::{App, Caller, blocking};
use crate::{guard, outflow};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::Extension;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::json;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_stream::wrappers::{BroadcastStream, IntervalStream};
use tokio_stream::{Stream, StreamExt};

/// How often a stream looks whether its listener still may listen, and sees the same.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub async fn stream(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, headers: HeaderMap) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (facts, place, actor) = (caller.place.clone(), caller.place.clone(), caller.actor.clone());
    // `model` differs once something was declared anew: objects, words and metrics are to be asked for again. `actor`
    // says whose stream it is: the tabs of a browser share one, and one of them may have signed in as somebody else.
    let event = move |seq: u64| {
        let model = place.feed.now().model.edition();
        Ok(Event::default().event("seq").id(seq.to_string()).data(json!({"seq": seq, "model": model, "actor": actor}).to_string()))
    };
    // A listener that fell behind only misses numbers that newer ones replace. It listens before it looks where we
    // are, so that nothing is missed in between; what it then hears twice it tells once.
    let later = BroadcastStream::new(caller.place.events.subscribe()).filter_map(|seq| seq.ok().map(Some));
    let first = caller.place.feed.now().shown;
    let looks = IntervalStream::new(tokio::time::interval(LOOK_AGAIN)).map(|_| None);
    let numbers = tokio_stream::once(Some(first)).chain(later.merge(looks));
    let draining = app.clone();
    let still = move |_: &Option<u64>| !draining.is_draining();
    let (alarms, session) = (app.clone(), guard::token(&app, &headers));
    let alarms = move || alarms.outflow.edition.load(Ordering::Relaxed);
    let mut alarmed = alarms();
    let listening = numbers.take_while(still).then(move |seq| {
        let (app, session, place) = (app.clone(), session.clone(), caller.place.clone());
        async move {
            if let Some(seq) = seq {
                return Some(Ok(seq));
            }
            let looked = blocking(move || guard::who(&app, &session)).await;
            // Whose rights changed begins anew with what they see now.
            looked.ok().flatten().filter(|now| Arc::ptr_eq(&now.place, &place)).map(|now| Err(outflow::watches(&now)))
        }
    });
    let mut told = None;
    let mut working = None;
    let events = listening.take_while(Option::is_some).filter_map(move |seq| match seq? {
        Ok(seq) => (told.replace(seq) != Some(seq)).then(|| event(seq)),
        // A look: how far the facts are, if they are read anew. Of a view nothing is told, since what it does not let
        // through may be why.
        Err(watching) => {
            let edition = alarms();
            if std::mem::replace(&mut alarmed, edition) != edition && watching {
                return Some(Ok(Event::default().event("alarm").data("{}")));
            }
            let now = facts.feed.rebuilding().filter(|_| facts.view.is_none());
            (std::mem::replace(&mut working, now) != now).then(|| Ok(Event::default().event("work").data(json!({"percent": now}).to_string())))
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
