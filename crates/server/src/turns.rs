//! Turns at work of which only so much is done at once: shared by person, so that whoever asks for much waits for
//! themselves and not the others for them. The queue is bounded, and nobody waits in it for longer than they said.
//!
//! Must not know what the work is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

pub struct Turns {
    /// How many have a turn at once: of all people, and of one.
    at_once: usize,
    each: usize,
    /// How many turns one person may wait for.
    line: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<String, usize>,
    waiting: VecDeque<(String, oneshot::Sender<Turn>)>,
    /// When each person last got a turn.
    served: HashMap<String, u64>,
    turns: u64,
}

/// People who are remembered by when they last had a turn.
const REMEMBERED: usize = 1_000;

/// A turn; it ends when it is dropped.
pub struct Turn {
    turns: Option<Arc<Turns>>,
    who: String,
}

/// Why there is no turn.
#[derive(Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// The person waits for so many already.
    Enough,
    /// It was not their turn in time.
    Late,
}

impl Turns {
    pub fn new(at_once: usize, each: usize, line: usize) -> Arc<Self> {
        Arc::new(Self { at_once, each, line, state: Mutex::default() })
    }

    /// Waits for a turn, without a thread.
    pub async fn turn(self: &Arc<Self>, who: &str, patience: Duration) -> Result<Turn, NoTurn> {
        let told = {
            let Ok(mut state) = self.state.lock() else { return Err(NoTurn::Late) };
            state.waiting.retain(|(_, told)| !told.is_closed());
            if state.waiting.iter().filter(|(w, _)| w == who).count() >= self.line {
                return Err(NoTurn::Enough);
            }
            let (tell, told) = oneshot::channel();
            state.waiting.push_back((who.to_string(), tell));
            self.serve(&mut state);
            told
        };
        tokio::time::timeout(patience, told).await.ok().and_then(Result::ok).ok_or(NoTurn::Late)
    }

    /// Whether somebody has a turn or waits for one.
    pub fn has(&self, who: &str) -> bool {
        self.state.lock().is_ok_and(|state| state.running.contains_key(who) || state.waiting.iter().any(|(w, told)| w == who && !told.is_closed()))
    }

    /// Gives turns while there are any: of those who may have one, to whoever had none for longest.
    fn serve(self: &Arc<Self>, state: &mut State) {
        while state.running.values().sum::<usize>() < self.at_once {
            let may = |who: &String| state.running.get(who).is_none_or(|n| *n < self.each);
            let next = state.waiting.iter().enumerate().filter(|(_, (who, _))| may(who)).min_by_key(|(at, (who, _))| (state.served.get(who).copied().unwrap_or(0), *at));
            let Some((who, tell)) = next.map(|(at, _)| at).and_then(|at| state.waiting.remove(at)) else { return };
            match tell.send(Turn { turns: Some(self.clone()), who: who.clone() }) {
                Ok(()) => {
                    state.turns += 1;
                    let now = state.turns;
                    *state.running.entry(who.clone()).or_default() += 1;
                    state.served.insert(who, now);
                    if state.served.len() > REMEMBERED {
                        state.served.retain(|_, at| now - *at < REMEMBERED as u64 / 2);
                    }
                }
                // Whoever waited has gone: it was no turn.
                Err(mut turn) => turn.turns = None,
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.turns.take() else { return };
        let Ok(mut state) = turns.state.lock() else { return };
        if let Some(n) = state.running.get_mut(&self.who) {
            *n -= 1;
            if *n == 0 {
                state.running.remove(&self.who);
            }
        }
        turns.serve(&mut state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;

    fn wait(turns: &Arc<Turns>, who: &'static str, order: &Arc<Mutex<Vec<&'static str>>>) -> tokio::task::JoinHandle<()> {
        let (turns, order) = (turns.clone(), order.clone());
        tokio::spawn(async move {
            let turn = turns.turn(who, Duration::from_secs(60)).await;
            order.lock().map(|mut o| o.push(who)).unwrap_or_default();
            tokio::task::yield_now().await;
            drop(turn);
        })
    }

    #[tokio::test]
    async fn whoever_asks_for_much_does_not_come_before_others() {
        let (turns, order) = (Turns::new(1, 1, 10), Arc::new(Mutex::new(Vec::new())));
        let first = turns.turn("greedy", Duration::from_secs(60)).await.ok();
        let mut all = Vec::new();
        for _ in 0..5 {
            all.push(wait(&turns, "greedy", &order));
            tokio::task::yield_now().await;
        }
        all.push(wait(&turns, "modest", &order));
        tokio::task::yield_now().await;
        drop(first);
        for one in all {
            let _ = one.await;
        }
        assert_eq!(order.lock().map(|o| o.iter().position(|w| *w == "modest")).unwrap_or(None), Some(0));
    }

    #[tokio::test]
    async fn a_line_is_bounded_and_whoever_leaves_it_takes_no_turn() {
        let turns = Turns::new(1, 1, 2);
        let first = turns.turn("a", Duration::from_secs(60)).await.ok();
        assert_eq!(turns.turn("a", Duration::from_millis(5)).await.err(), Some(NoTurn::Late));
        let left = tokio::time::timeout(Duration::from_millis(5), turns.turn("a", Duration::from_secs(60))).await;
        assert!(left.is_err());
        let (one, two) = (turns.turn("a", Duration::from_secs(60)), turns.turn("a", Duration::from_secs(60)));
        tokio::pin!(one, two);
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(one.as_mut().poll(&mut nobody).is_pending() && two.as_mut().poll(&mut nobody).is_pending());
        assert_eq!(turns.turn("a", Duration::from_secs(60)).await.err(), Some(NoTurn::Enough));
        assert!(turns.turn("b", Duration::from_millis(5)).await.is_err(), "there is one turn only");
        drop(first);
        assert!(one.await.is_ok());
        assert!(two.await.is_ok());
        assert!(turns.turn("b", Duration::from_secs(60)).await.is_ok(), "all turns are given back");
    }
}
