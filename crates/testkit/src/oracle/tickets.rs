//! The oracle on tickets: every clock counted step by step.

use super::{DAY, Entry, Oracle, Said, said};
use crate::life::STEP;
use northing_model::value::{date_of, parse_date};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What can be said of one ticket.
pub(super) struct Ticket<'a> {
    id: Uuid,
    e: &'a Entry,
    opened: i64,
    by_customer: bool,
    /// (at, by staff)
    said: Vec<(i64, bool)>,
    /// (since, status); since the beginning of time where nobody recorded when it was solved
    states: Vec<(i64, String)>,
}

fn solved(status: &str) -> bool {
    status == "solved" || status == "closed"
}

impl Ticket<'_> {
    fn open_before(&self, t: i64) -> bool {
        self.states.iter().rev().find(|s| s.0 < t).is_some_and(|s| !solved(&s.1))
    }
}

impl Oracle<'_> {
    pub(super) fn open_tickets_of(&self, customer: Uuid, t: i64) -> usize {
        self.tickets().iter().filter(|own| self.customer_of(own.e) == Some(customer) && own.open_before(t)).count()
    }
    pub(super) fn tickets(&self) -> Vec<Ticket<'_>> {
        let mut found = Vec::new();
        for (id, e) in self.world.all("ticket").filter(|(_, e)| self.counted("ticket", e)) {
            let members: Vec<(Uuid, &Entry)> = self.world.all("ticket").filter(|(m, _)| self.root("ticket", *m) == id).collect();
            let Some(opened) = members.iter().filter_map(|(_, m)| m.time("opened_at")).min() else { continue };
            let mut said: Vec<(i64, bool)> = self
                .world
                .all("message")
                .filter(|(_, m)| !m.deleted && m.flag("is_public") && !m.flag("is_draft") && m.reference("ticket").is_some_and(|t| members.iter().any(|(id, _)| *id == t)))
                .filter(|(_, m)| m.text("author") != "automatic")
                .filter_map(|(_, m)| Some((m.time("at")?, m.text("author") == "staff")))
                .collect();
            said.sort_unstable();
            let mut moments: Vec<_> = e.moments.iter().filter(|(_, m)| m.field == "status").collect();
            moments.sort_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
            let mut by_time: BTreeMap<i64, String> = BTreeMap::new();
            for (_, m) in moments {
                by_time.insert(m.at.unwrap_or(i64::MIN), m.value.as_text().unwrap_or("").to_string());
            }
            let mut states: Vec<(i64, String)> = Vec::new();
            for (at, status) in by_time {
                match states.last_mut() {
                    Some(last) if last.1 == status => last.0 = if last.0 == i64::MIN { at } else { last.0 },
                    _ => states.push((at, status)),
                }
            }
            if let Some(first) = states.first_mut() {
                if solved(&first.1) && first.0 > opened {
                    states.insert(0, (opened, "new".into()));
                } else if !solved(&first.1) || first.0 != i64::MIN {
                    first.0 = opened;
                }
            }
            found.push(Ticket { id, e, opened, by_customer: e.text("opened_by") != "staff", said, states });
        }
        found
    }

    fn is_open_hour(&self, schedule: &Entry, at: i64) -> bool {
        let day = self.zone.day(at);
        let hours: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(schedule.text("hours")).unwrap_or_default();
        let holidays: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(schedule.text("holidays")).unwrap_or_default();
        let name = date_of(day).map(|d| format!("{:?}", d.weekday()).to_lowercase()[..3].to_string()).unwrap_or_default();
        let spans = holidays.iter().find(|(d, _)| parse_date(d) == Some(day)).map(|(_, h)| h).or_else(|| hours.get(&name));
        let clock = self.zone.local(at).map(|l| format!("{:02}:{:02}", l.hour(), l.minute())).unwrap_or_default();
        spans.into_iter().flatten().any(|[from, to]| *from <= clock && clock < *to)
    }
    fn schedule(&self, t: &Ticket<'_>) -> Option<&Entry> {
        t.e.reference("schedule").and_then(|s| self.world.get("schedule", s))
    }
    fn business(&self, t: &Ticket<'_>, from: i64, to: i64) -> i64 {
        match self.schedule(t) {
            None => to - from,
            Some(s) => (from..to).step_by(STEP as usize).filter(|at| self.is_open_hour(s, *at)).count() as i64 * STEP,
        }
    }
    fn due(&self, t: &Ticket<'_>, from: i64, minutes: Option<i64>, paused: i64) -> Option<i64> {
        let mut left = minutes? * 60 + paused;
        let Some(schedule) = self.schedule(t).filter(|_| t.e.text("target_clock") == "business") else { return Some(from + left) };
        let mut at = from;
        while left > 0 {
            if self.is_open_hour(schedule, at) {
                left -= STEP;
            }
            at += STEP;
        }
        Some(at)
    }
    fn asked(t: &Ticket<'_>) -> Option<i64> {
        if t.by_customer { Some(t.opened) } else { t.said.iter().find(|s| !s.1 && s.0 >= t.opened).map(|s| s.0) }
    }
    fn first_reply(t: &Ticket<'_>) -> Option<(i64, i64)> {
        let asked = Self::asked(t)?;
        t.said.iter().find(|s| s.1 && s.0 >= asked).map(|s| (asked, s.0))
    }
    fn solves(t: &Ticket<'_>) -> Vec<i64> {
        (0..t.states.len()).filter(|i| solved(&t.states[*i].1) && (*i == 0 || !solved(&t.states[i - 1].1))).map(|i| t.states[i].0).collect()
    }
    fn solved_now(t: &Ticket<'_>) -> Option<i64> {
        t.states.last().filter(|s| solved(&s.1)).and_then(|_| Self::solves(t).last().copied())
    }
    fn pending(&self, t: &Ticket<'_>) -> i64 {
        let until = Self::solved_now(t).unwrap_or(i64::MAX);
        t.states.windows(2).filter(|w| ["pending", "on_hold"].contains(&w[0].1.as_str()) && w[1].0 <= until).map(|w| self.business(t, w[0].0, w[1].0)).sum()
    }

    /// Numerator and denominator of a metric on tickets.
    pub(super) fn say_of_tickets(&self, metric: &str, start: i64, end: i64) -> Option<Said> {
        let within = |at: i64| at >= start && at < end;
        let tickets = self.tickets();
        let mean = |spans: Vec<i64>| said(spans.iter().map(|s| i128::from(*s)).sum(), Some(spans.len() as i128), 1.0);
        let share = |list: Vec<bool>| said(list.iter().filter(|b| **b).count() as i128, Some(list.len() as i128), 1.0);
        Some(match metric {
            "tickets_created" => said(tickets.iter().filter(|t| within(t.opened)).count() as i128, None, 1.0),
            "open_tickets" => said(tickets.iter().filter(|t| t.open_before(end)).count() as i128, None, 1.0),
            "first_response_time" => mean(tickets.iter().filter_map(|t| Self::first_reply(t).filter(|r| within(r.1)).map(|(a, b)| self.business(t, a, b))).collect()),
            "average_response_time" => {
                let mut turns = Vec::new();
                for t in &tickets {
                    let ended = |from: i64, to: i64| t.states.iter().any(|s| solved(&s.1) && s.0 > from && s.0 < to);
                    let mut waiting = t.by_customer.then_some(t.opened);
                    for (at, staff) in &t.said {
                        if !staff {
                            if waiting.is_none_or(|w| ended(w, *at)) {
                                waiting = Some(*at);
                            }
                        } else {
                            if let Some(w) = waiting.filter(|w| *at >= *w && !ended(*w, *at)) {
                                if within(*at) {
                                    turns.push(self.business(t, w, *at));
                                }
                            }
                            waiting = None;
                        }
                    }
                }
                mean(turns)
            }
            "ticket_step_time" => {
                let mut stays = Vec::new();
                for t in &tickets {
                    let mut given: Vec<(i64, u64, Option<Uuid>)> = t.e.moments.iter().filter(|(_, m)| m.field == "assignee").map(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq, m.value.as_ref_id())).collect();
                    given.sort_unstable();
                    let mut cuts: BTreeSet<i64> = t.states.iter().map(|s| s.0).collect();
                    cuts.extend(given.iter().map(|g| g.0.max(t.opened)));
                    let held = |at: i64| (t.states.iter().rev().find(|s| s.0 <= at).map(|s| s.1.clone()), given.iter().rev().find(|g| g.0 <= at).and_then(|g| g.2));
                    let mut since = None;
                    for at in cuts {
                        let Some(began) = since else {
                            since = Some(at);
                            continue;
                        };
                        if held(began) == held(at) {
                            continue;
                        }
                        if within(at) && held(began).0.is_some_and(|s| !solved(&s)) {
                            stays.push(self.business(t, began, at));
                        }
                        since = Some(at);
                    }
                }
                mean(stays)
            }
            "ticket_resolution_time" => mean(tickets.iter().filter(|t| !t.e.flag("auto_closed")).filter_map(|t| Self::solved_now(t).filter(|at| within(*at)).map(|at| self.business(t, t.opened, at))).filter(|s| *s >= 0).collect()),
            "first_contact_resolution_rate" => share(
                tickets
                    .iter()
                    .filter(|t| t.by_customer && !t.e.flag("auto_closed"))
                    .filter_map(|t| {
                        let first = *Self::solves(t).first().filter(|at| within(**at))?;
                        let more = t.said.iter().any(|s| !s.1 && s.0 > t.opened && s.0 < first);
                        let reopened = t.states.windows(2).any(|w| solved(&w[0].1) && !solved(&w[1].1));
                        let customer = self.customer_of(t.e);
                        let again = customer.is_some() && self.world.all("ticket").any(|(id, o)| {
                            let own = !o.deleted && Self::own_fit("ticket", o) && self.customer_of(o) == customer && o.text("topic") == t.e.text("topic");
                            let opened = self.world.all("ticket").filter(|(m, _)| self.root("ticket", *m) == id).filter_map(|(_, m)| m.time("opened_at")).min();
                            id != t.id && own && opened.is_some_and(|at| at > first && at <= first + 7 * DAY)
                        });
                        Some(!more && !reopened && !again)
                    })
                    .collect(),
            ),
            "ticket_on_time_rate" => {
                let mut kept = Vec::new();
                for t in &tickets {
                    let reply = Self::first_reply(t).map(|r| r.1);
                    let undated = t.states.first().is_some_and(|s| s.0 == i64::MIN);
                    if let Some(due) = Self::asked(t).filter(|_| reply.is_some() || !undated).and_then(|asked| self.due(t, asked, t.e.time("first_reply_target_mins"), 0)).filter(|due| within(*due)) {
                        kept.push(reply.is_some_and(|at| at <= due));
                    }
                    let paused = if t.e.flag("pending_pauses") { self.pending(t) } else { 0 };
                    if let Some(due) = self.due(t, t.opened, t.e.time("resolution_target_mins"), paused).filter(|due| within(*due) && Self::solved_now(t) != Some(i64::MIN)) {
                        kept.push(Self::solved_now(t).is_some_and(|at| at <= due));
                    }
                }
                share(kept)
            }
            "complaint_handling_rate" => share(
                tickets
                    .iter()
                    .filter(|t| within(t.opened) && t.e.text("kind") == "complaint" && !t.e.flag("withdrawn") && Self::solved_now(t).is_none_or(|at| at >= t.opened))
                    .map(|t| Self::solved_now(t).is_some_and(|at| at - t.opened <= 30 * DAY && at <= self.now))
                    .collect(),
            ),
            _ => return None,
        })
    }
}
