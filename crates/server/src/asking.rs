//! How questions are answered: within a budget, by turns, and given up when nobody waits for the answer any more.
//!
//! Most questions take milliseconds: each is tried at once, for a moment. What takes longer is done again from what was
//! found by then, on threads of its own and in its turn, so that it never stands in the way of the small ones.

use crate::app::App;
use crate::problem::Problem;
use crate::turns::{NoTurn, Turns};
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use northing_metrics::{Budget, Memory, MetricError, Spent};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a question is tried before it has to wait for its turn among the long ones.
const MOMENT: Duration = Duration::from_millis(100);
/// How long it may take then (SECURITY.md P8).
const LONGEST: Duration = Duration::from_secs(30);
/// How long one waits for a turn.
const PATIENCE: Duration = Duration::from_secs(30);
/// Turns at long questions that one person may wait for, and at short ones.
const LINE: usize = 8;
const SHORT_LINE: usize = 64;
/// Bytes of an answer's text.
const LARGEST: usize = 32 << 20;

pub struct Questions {
    memory: Arc<Memory>,
    short: Arc<Turns>,
    long: Arc<Turns>,
    threads: rayon::ThreadPool,
}

impl Questions {
    pub fn new(memory: &Arc<Memory>) -> Result<Self, crate::ServeError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let half = (cores / 2).max(1);
        let threads = rayon::ThreadPoolBuilder::new().num_threads(half).thread_name(|n| format!("long-{n}")).build().map_err(std::io::Error::other)?;
        Ok(Self { memory: memory.clone(), short: Turns::new(cores * 2, half, SHORT_LINE), long: Turns::new(half, 1, LINE), threads })
    }
}

/// Set once whoever asked has gone: the handler that waited was dropped.
#[derive(Default)]
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The text of an answer, and the memory that it has until it is sent.
struct Text {
    text: Vec<u8>,
    _budget: Budget,
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

/// Text that grows as far as it may.
struct Bounded {
    text: Vec<u8>,
    most: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.text.len() + part.len() > self.most {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(part);
        Ok(part.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn told(answer: &impl Serialize, budget: &Budget) -> Result<Vec<u8>, Problem> {
    // While it grows it may be there twice.
    let mut out = Bounded { text: Vec::new(), most: LARGEST.min(budget.room() / 3) };
    match serde_json::to_writer(&mut out, answer) {
        Ok(()) => {
            budget.hold(out.text.capacity());
            // What is done is told, even if the time is just up.
            match budget.spent() {
                Some(why @ (Spent::Bytes | Spent::Busy)) => Err(MetricError::Spent(why).into()),
                _ => Ok(out.text),
            }
        }
        Err(e) if e.is_io() => Err(MetricError::Spent(Spent::Bytes).into()),
        Err(e) => Err(Problem::internal(e)),
    }
}

impl App {
    /// What the work answers, as JSON. The work may be begun a second time; it must change nothing.
    pub async fn answer<T: Serialize>(self: &Arc<Self>, who: &str, work: impl Fn(&Budget) -> Result<T, Problem> + Send + Sync + 'static) -> Result<Response, Problem> {
        let (gone, work) = (Gone::default(), Arc::new(work));
        let questions = &self.questions;
        let turn = questions.short.turn(who, PATIENCE).await.map_err(no_turn)?;
        let attempt = |long: bool, turn: crate::turns::Turn| {
            let (app, work, left, began) = (self.clone(), work.clone(), gone.0.clone(), Instant::now());
            tokio::task::spawn_blocking(move || {
                // Held until the work has ended, whether or not anybody still waits.
                let _turn = turn;
                let most = if long { LONGEST } else { MOMENT };
                let budget = Budget::new(&app.questions.memory, left, move || began.elapsed() > most);
                let make = || work(&budget).and_then(|answer| told(&answer, &budget));
                let made = if long { app.questions.threads.install(make) } else { make() };
                let slow = budget.spent() == Some(Spent::Time);
                made.map(|text| Bytes::from_owner(Text { text, _budget: budget })).map_err(|problem| (problem, slow))
            })
        };
        let text = match attempt(false, turn).await.map_err(Problem::internal)? {
            Err((_, true)) => {
                let turn = questions.long.turn(who, PATIENCE).await.map_err(no_turn)?;
                attempt(true, turn).await.map_err(Problem::internal)?.map_err(|(problem, _)| problem)?
            }
            made => made.map_err(|(problem, _)| problem)?,
        };
        Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], Body::from(text)).into_response())
    }
}

pub fn no_turn(why: NoTurn) -> Problem {
    match why {
        NoTurn::Enough => Problem::new(StatusCode::TOO_MANY_REQUESTS, "wait", "You ask for much at once", "you have as many questions waiting as one person may; wait until some are answered").again(5),
        NoTurn::Late => Problem::busy("other questions are being answered; try again in a few seconds"),
    }
}
