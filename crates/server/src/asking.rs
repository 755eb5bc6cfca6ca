//! How questions are answered: within a budget, by turns, and given up when nobody waits for the answer any more.
//!
//! Most questions take milliseconds: each is tried at once, for a moment and with little memory. What takes more is done
//! again from what was found by then, in its turn, on threads that run only while nothing else wants the cores; and so
//! are the other questions of whoever has a long one or had much of the time lately. Neither stands in the way of other
//! people's. A long question that gets next to nothing there, since others keep the cores busy for long, is begun again
//! among them with a small share.

use crate::app::App;
use crate::problem::Problem;
use crate::turns::{NoTurn, Turn, Turns};
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
/// The share of those that go on among others: a tenth of what others get where there is not enough for all.
const NICE: i32 = 10;
/// Who got less than one part in so many of a core after as long as this, goes on among others.
const LITTLE: u32 = 20;
const SOON: Duration = Duration::from_secs(3);
/// Who had more of the time than this lately, is answered by threads that give way.
const MUCH: Duration = Duration::from_secs(2);
/// What somebody had counts half after as long as this.
const LATELY: Duration = Duration::from_secs(4);
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
    /// For long questions and for all of those who have much.
    idle: rayon::ThreadPool,
    /// For long ones that got nothing there.
    among: rayon::ThreadPool,
    askers: Mutex<HashMap<String, Asker>>,
}

/// Somebody who has an answer coming, or had one lately.
struct Asker {
    purse: Weak<Purse>,
    /// Time that was spent on their questions, as much of it as still counts.
    busy: Duration,
    at: Instant,
}

impl Asker {
    fn busy(&self, now: Instant) -> Duration {
        let halvings = now.saturating_duration_since(self.at).as_secs_f64() / LATELY.as_secs_f64();
        self.busy.mul_f64((-halvings).exp2())
    }
}

/// Threads that run only while nothing else wants the cores, where the system knows of such.
pub fn idle(name: &'static str, many: usize) -> Result<rayon::ThreadPool, crate::ServeError> {
    threads(name, many, || {
        #[cfg(target_os = "linux")]
        {
            use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy, thread_native_id};
            let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
            if let Err(e) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy) {
                tracing::warn!(error = ?e, "threads do not give way");
            }
        }
    })
}

/// Threads with a small share of the cores.
fn among(name: &'static str, many: usize) -> Result<rayon::ThreadPool, crate::ServeError> {
    threads(name, many, || {
        #[cfg(target_os = "linux")]
        if let Err(e) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
            tracing::warn!(error = %e, "threads do not give way");
        }
    })
}

fn threads(name: &'static str, many: usize, begin: impl Fn() + Send + Sync + 'static) -> Result<rayon::ThreadPool, crate::ServeError> {
    let threads = rayon::ThreadPoolBuilder::new().num_threads(many).thread_name(move |n| format!("{name}-{n}")).start_handler(move |_| begin());
    Ok(threads.build().map_err(std::io::Error::other)?)
}

/// What this thread had of a core since it began; all of it where the system does not tell.
struct Share {
    began: Instant,
    thread: std::thread::ThreadId,
    #[cfg(target_os = "linux")]
    used: rustix::time::Timespec,
}

impl Share {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            thread: std::thread::current().id(),
            #[cfg(target_os = "linux")]
            used: rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime),
        }
    }

    /// Whether it got next to nothing in at least so long. Asked on another thread it does not know.
    fn little(&self, soon: Duration) -> bool {
        let passed = self.began.elapsed();
        if passed < soon || self.thread != std::thread::current().id() {
            return false;
        }
        #[cfg(target_os = "linux")]
        {
            let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime) - self.used;
            Duration::try_from(used).is_ok_and(|used| used < passed / LITTLE)
        }
        #[cfg(not(target_os = "linux"))]
        false
    }
}

/// How a question is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Try {
    /// For a moment: here, or on threads that give way.
    Small {
        idle: bool,
    },
    Long,
    /// Once more, among others.
    Among,
}

impl Questions {
    pub fn new(memory: &Arc<Memory>) -> Result<Self, crate::ServeError> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let half = (cores / 2).max(1);
        Ok(Self {
            memory: memory.clone(),
            short: Turns::new(cores * 2, half, SHORT_LINE),
            long: Turns::new(half, 1, LINE),
            idle: idle("idle", cores)?,
            among: among("among", half)?,
            askers: Mutex::default(),
        })
    }

    /// The purse of whoever asks, and whether they have a long question under way or had much of the time lately.
    fn asker(&self, who: &str, now: Instant) -> (Arc<Purse>, bool) {
        let Ok(mut askers) = self.askers.lock() else { return Default::default() };
        if !askers.contains_key(who) {
            askers.retain(|_, a| a.purse.strong_count() > 0 || a.busy(now) > MUCH / 1_000);
        }
        let asker = askers.entry(who.to_string()).or_insert_with(|| Asker { purse: Weak::new(), busy: Duration::ZERO, at: now });
        let purse = asker.purse.upgrade().unwrap_or_default();
        asker.purse = Arc::downgrade(&purse);
        (purse, asker.busy(now) > MUCH || self.long.has(who))
    }

    /// Counts time that was spent on somebody's question.
    fn had(&self, who: &str, time: Duration, now: Instant) {
        if let Some(asker) = self.askers.lock().ok().as_mut().and_then(|askers| askers.get_mut(who)) {
            (asker.busy, asker.at) = (asker.busy(now) + time, now);
        }
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
        let (purse, much) = questions.asker(who, Instant::now());
        let attempt = |how: Try, turn: Turn| {
            let (app, work, who, purse, left) = (self.clone(), work.clone(), who.to_string(), purse.clone(), gone.0.clone());
            tokio::task::spawn_blocking(move || {
                let questions = &app.questions;
                let make = || {
                    let (memory, share, starved) = (&questions.memory, Share::begin(), Arc::new(AtomicBool::new(false)));
                    let (began, told_starved) = (share.began, starved.clone());
                    let budget = match how {
                        Try::Small { .. } => Budget::small(memory, &purse, left, move || began.elapsed() > MOMENT),
                        Try::Long => Budget::new(memory, left, move || began.elapsed() > LONGEST || share.little(SOON) && !told_starved.swap(true, Ordering::Relaxed)),
                        Try::Among => Budget::new(memory, left, move || began.elapsed() > LONGEST),
                    };
                    let made = work(&budget).and_then(|answer| told(&answer, &budget));
                    let now = Instant::now();
                    questions.had(&who, now - began, now);
                    let next = match (how, budget.spent()) {
                        (Try::Small { .. }, Some(Spent::Time | Spent::Bytes | Spent::Busy)) => Some(Try::Long),
                        (Try::Long, Some(Spent::Time)) if starved.load(Ordering::Relaxed) => Some(Try::Among),
                        _ => None,
                    };
                    made.map(|text| Bytes::from_owner(Text { text, _budget: budget })).map_err(|problem| (problem, next))
                };
                let made = match how {
                    Try::Small { idle: false } => make(),
                    Try::Small { idle: true } | Try::Long => questions.idle.install(make),
                    Try::Among => questions.among.install(make),
                };
                // The turn is held until here, whether or not anybody still waits.
                made.map_err(|(problem, next)| (problem, next.map(|next| (next, turn))))
            })
        };
        let mut made = attempt(Try::Small { idle: much }, turn).await.map_err(Problem::internal)?;
        let text = loop {
            let (next, turn) = match made {
                Ok(text) => break text,
                Err((problem, None)) => return Err(problem),
                Err((_, Some(next))) => next,
            };
            let turn = match next {
                Try::Long => {
                    drop(turn);
                    questions.long.turn(who, PATIENCE).await.map_err(no_turn)?
                }
                _ => turn,
            };
            made = attempt(next, turn).await.map_err(Problem::internal)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_that_gets_nothing_of_a_core_notices_it_itself() {
        let (share, moment) = (Share::begin(), Duration::from_millis(40));
        assert!(!share.little(SOON), "it is too soon to tell");
        std::thread::sleep(moment);
        assert!(share.little(moment));
        let other = std::thread::spawn(move || share.little(moment)).join();
        assert!(matches!(other, Ok(false)), "another thread knows nothing of it");
    }

    #[test]
    fn what_somebody_had_is_forgotten_by_halves() {
        let at = Instant::now();
        let asker = Asker { purse: Weak::new(), busy: MUCH * 2, at };
        assert_eq!(asker.busy(at), MUCH * 2);
        assert_eq!(asker.busy(at + LATELY), MUCH);
        assert_eq!(asker.busy(at + LATELY * 2), MUCH / 2);
    }
}
