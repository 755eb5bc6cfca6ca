//! How questions are answered: within a budget, by turns, and given up when nobody waits for the answer any more.
//!
//! Most questions take milliseconds: each is tried at once, for a moment and with little memory. What takes more is done
//! again from what was found by then, on threads of its own and in its turn. Those threads give way to all others (their niceness), and so
//! do those that try what whoever waits for a long one asks meanwhile: neither stands in the way of other people's.

use crate::app::App;
use crate::problem::Problem;
use crate::turns::{NoTurn, Turns};
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use northing_metrics::memory::Purse;
use northing_metrics::{Budget, Memory, MetricError, Spent};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// How long a question is tried before it has to wait for its turn among the long ones.
const MOMENT: Duration = Duration::from_millis(100);
/// How much the threads of long questions give way: a tenth of what others get where there is not enough for all.
const NICE: i32 = 10;
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
    /// For the small questions of those who have long ones.
    beside: rayon::ThreadPool,
    /// Of those who have an answer coming.
    purses: Mutex<HashMap<String, Weak<Purse>>>,
}

/// Threads that give way, where the system knows of such.
pub fn patient(name: &'static str, many: usize) -> Result<rayon::ThreadPool, crate::ServeError> {
    let nice = |_| {
        #[cfg(target_os = "linux")]
        if let Err(e) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
            tracing::debug!(error = %e, "threads do not give way");
        }
    };
    let threads = rayon::ThreadPoolBuilder::new().num_threads(many).thread_name(move |n| format!("{name}-{n}")).start_handler(nice);
    Ok(threads.build().map_err(std::io::Error::other)?)
}

impl Questions {
    pub fn new(memory: &Arc<Memory>) -> Result<Self, crate::ServeError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let half = (cores / 2).max(1);
        Ok(Self { memory: memory.clone(), short: Turns::new(cores * 2, half, SHORT_LINE), long: Turns::new(half, 1, LINE), threads: patient("long", half)?, beside: patient("beside", half)?, purses: Mutex::default() })
    }

    fn purse(&self, who: &str) -> Arc<Purse> {
        let Ok(mut purses) = self.purses.lock() else { return Arc::default() };
        if let Some(purse) = purses.get(who).and_then(Weak::upgrade) {
            return purse;
        }
        purses.retain(|_, purse| purse.strong_count() > 0);
        let purse = Arc::default();
        purses.insert(who.to_string(), Arc::downgrade(&purse));
        purse
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
        Err(e) if e.is_io() => {
            // There is no room for it, which the budget must know as well.
            budget.hold(usize::MAX);
            Err(MetricError::Spent(Spent::Bytes).into())
        }
        Err(e) => Err(Problem::internal(e)),
    }
}

impl App {
    /// What the work answers, as JSON. The work may be begun a second time; it must change nothing.
    pub async fn answer<T: Serialize>(self: &Arc<Self>, who: &str, work: impl Fn(&Budget) -> Result<T, Problem> + Send + Sync + 'static) -> Result<Response, Problem> {
        let (gone, work) = (Gone::default(), Arc::new(work));
        let questions = &self.questions;
        let turn = questions.short.turn(who, PATIENCE).await.map_err(no_turn)?;
        let (beside, purse) = (questions.long.has(who), questions.purse(who));
        let attempt = |long: bool, turn: crate::turns::Turn| {
            let (app, work, purse, left, began) = (self.clone(), work.clone(), purse.clone(), gone.0.clone(), Instant::now());
            tokio::task::spawn_blocking(move || {
                // Held until the work has ended, whether or not anybody still waits.
                let _turn = turn;
                let memory = &app.questions.memory;
                let budget = if long { Budget::new(memory, left, move || began.elapsed() > LONGEST) } else { Budget::small(memory, &purse, left, move || began.elapsed() > MOMENT) };
                let make = || work(&budget).and_then(|answer| told(&answer, &budget));
                let made = match (long, beside) {
                    (true, _) => app.questions.threads.install(make),
                    (false, true) => app.questions.beside.install(make),
                    (false, false) => make(),
                };
                let large = matches!(budget.spent(), Some(Spent::Time | Spent::Bytes | Spent::Busy));
                made.map(|text| Bytes::from_owner(Text { text, _budget: budget })).map_err(|problem| (problem, large))
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
