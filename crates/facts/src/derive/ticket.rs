//! Tickets: the first human reply, turns, solving and reopening out of status history, dues, first contact
//! resolution (KPIS.md, service). Neither automatic replies nor drafts ever stop a clock.

use crate::Facts;
use crate::build::{EVER, Entry};
use crate::column::NULL;

/// A status from an instant on.
type State = (i64, i64);

/// A message to or from the customer: when, who, the user.
type Said = (i64, i64, i64);

impl Facts {
    pub(crate) fn derive_ticket(&mut self, row: u32) {
        let t = self.known.ticket;
        let customer = self.get(t.table, t.customer, row);
        let fits = self.allowed_by(customer);
        let survivor = self.root(t.table, row) == row;
        self.count_if(t.table, row, fits && survivor);
        let counted = self.counted(t.table, row);
        let members = self.members(t.table, row);
        let opened = self.received(row);
        self.set(t.table, t.received_at, row, opened);
        let states = self.ticket_states(row, opened);
        let said = if survivor { self.said(&members) } else { Vec::new() };
        let by_customer = self.get(t.table, t.opened_by, row) != self.choices.opened_by.staff;

        self.write_ticket_versions(row, counted && survivor, &states, opened);
        self.write_turns(row, counted && survivor, &said, &states, if by_customer { opened } else { NULL });
        let undated = self.derive_undated(row, &states, opened);
        self.derive_first_reply(row, &said, opened, by_customer, undated);
        self.derive_solving(row, &said, &states, opened, by_customer);
    }

    /// What was said to and by the customer, in order; a draft was not said.
    fn said(&self, members: &[u32]) -> Vec<Said> {
        let (m, authors) = (self.known.message, self.choices.message_author);
        let mut said: Vec<Said> = self
            .children(m.table, m.ticket, members)
            .into_iter()
            .filter(|r| self.is_fit(m.table, *r) && self.get(m.table, m.is_public, *r) != 0 && self.get(m.table, m.is_draft, *r) != 1 && self.get(m.table, m.at, *r) != NULL)
            .map(|r| (self.get(m.table, m.at, r), self.get(m.table, m.author, r), self.get(m.table, m.user, r)))
            .filter(|s| s.1 == authors.customer || s.1 == authors.staff)
            .collect();
        // At one instant the customer was first.
        said.sort_unstable_by_key(|s| (s.0, s.1 != authors.customer, s.2));
        said
    }

    /// Statuses in order; the first holds since the opening. Of one that was solved when we first heard of it, and
    /// nobody said since when, the beginning stays unknown.
    fn ticket_states(&self, row: u32, opened: i64) -> Vec<State> {
        let (t, statuses) = (self.known.ticket, self.choices.ticket_status);
        let mut states: Vec<State> = Vec::new();
        for entry in self.told(t.table, row).into_iter().filter(|e| e.column == t.status) {
            match states.last_mut() {
                Some(last) if last.0 == entry.at => last.1 = entry.value,
                // Told since when after all.
                Some(last) if last.1 == entry.value => last.0 = if last.0 == NULL { entry.at } else { last.0 },
                _ => states.push((entry.at, entry.value)),
            }
        }
        if let (Some(first), true) = (states.first_mut(), opened != NULL) {
            // A ticket that was solved when we first heard of it was open before.
            if statuses.is_solved(first.1) && first.0 > opened {
                states.insert(0, (opened, statuses.new));
            } else if !statuses.is_solved(first.1) || first.0 != NULL {
                first.0 = opened;
            }
        }
        states
    }

    fn write_ticket_versions(&mut self, row: u32, counted: bool, states: &[State], opened: i64) {
        let (t, v) = (self.known.ticket, self.known.ticket_version);
        let assigned: Vec<Entry> = self.told(t.table, row).into_iter().filter(|e| e.column == t.assignee).collect();
        let mut cuts: Vec<i64> = states.iter().map(|s| s.0).chain(assigned.iter().map(|a| a.at.max(opened))).filter(|at| *at != NULL).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let mut rows = Vec::with_capacity(cuts.len());
        let mut hands: Vec<i64> = assigned.iter().map(|a| a.value).filter(|who| *who != NULL).collect();
        hands.dedup();
        self.set(t.table, t.handovers, row, hands.len().saturating_sub(1) as i64);
        let held = |at: i64| {
            let status = states.iter().rev().find(|s| s.0 <= at && s.0 != NULL).map(|s| s.1);
            (status, assigned.iter().rev().find(|a| a.at <= at).map_or(NULL, |a| a.value))
        };
        // What was entered again changed nothing: one stay, not two.
        cuts.dedup_by(|next, last| held(*next) == held(*last));
        for (i, since) in cuts.iter().enumerate() {
            let (Some(status), assignee) = held(*since) else { continue };
            let until = cuts.get(i + 1).copied().unwrap_or(NULL);
            let open = status != NULL && !self.choices.ticket_status.is_solved(status);
            let (business, calendar) = if until == NULL { (NULL, NULL) } else { (self.business(row, *since, until), until - since) };
            rows.push(vec![(v.since, *since), (v.until, until), (v.is_open, i64::from(open)), (v.status, self.choices.version_status(status)), (v.assignee, assignee), (v.stay_secs, business), (v.stay_calendar_secs, calendar)]);
        }
        self.replace(v.table, v.ticket, row, counted, &rows);
    }

    /// Consecutive messages of the customer are one turn from the first; a turn that solving ended had no answer.
    fn write_turns(&mut self, row: u32, counted: bool, said: &[Said], states: &[State], opened: i64) {
        let (v, statuses, authors) = (self.known.ticket_turn, self.choices.ticket_status, self.choices.message_author);
        let closed = |from: i64, to: i64| states.iter().any(|s| statuses.is_solved(s.1) && s.0 > from && s.0 < to);
        let mut waiting = opened;
        let mut rows = Vec::new();
        for (at, author, user) in said {
            if *author == authors.customer {
                if waiting == NULL || closed(waiting, *at) {
                    waiting = *at;
                }
                continue;
            }
            if waiting != NULL && *at >= waiting && !closed(waiting, *at) {
                rows.push(vec![
                    (v.asked_at, waiting),
                    (v.replied_at, *at),
                    (v.turn_secs, self.business(row, waiting, *at)),
                    (v.turn_calendar_secs, *at - waiting),
                    (v.user, *user),
                ]);
            }
            waiting = NULL;
        }
        self.replace(v.table, v.ticket, row, counted, &rows);
    }

    /// Is it known to have been solved, and nobody recorded when? Between its opening and when that was told, or what
    /// it was next.
    fn derive_undated(&mut self, row: u32, states: &[State], opened: i64) -> bool {
        let t = self.known.ticket;
        let undated = states.first().is_some_and(|s| self.choices.ticket_status.is_solved(s.1) && s.0 == NULL);
        let told = self.told(t.table, row).into_iter().rev().find(|e| e.column == t.status && e.at == NULL).map_or(NULL, |e| e.told);
        let until = states.get(1).map_or(told, |next| next.0.min(told));
        self.set(t.table, t.undated_from, row, if !undated { NULL } else if opened == NULL { EVER } else { opened.min(until) });
        self.set(t.table, t.undated_to, row, if undated { until } else { NULL });
        undated
    }

    /// Where somebody solved it without anything that was said being recorded, whether they answered in time is unknown.
    fn derive_first_reply(&mut self, row: u32, said: &[Said], opened: i64, by_customer: bool, undated: bool) {
        let t = self.known.ticket;
        let authors = self.choices.message_author;
        let asked = if by_customer { Some(opened) } else { said.iter().find(|s| s.1 == authors.customer && s.0 >= opened).map(|s| s.0) };
        let asked = asked.unwrap_or(NULL);
        let reply = said.iter().find(|s| asked != NULL && s.1 == authors.staff && s.0 >= asked).map_or(NULL, |s| s.0);
        let (business, calendar) = if reply == NULL { (NULL, NULL) } else { (self.business(row, asked, reply), reply - asked) };
        self.set(t.table, t.first_reply_at, row, reply);
        self.set(t.table, t.first_reply_secs, row, business);
        self.set(t.table, t.first_reply_calendar_secs, row, calendar);
        let due = self.due(row, asked, self.get(t.table, t.first_reply_target_mins, row), 0);
        self.set(t.table, t.first_reply_due_at, row, due);
        let unknown = due == NULL || (undated && reply == NULL);
        self.set(t.table, t.first_reply_met, row, if unknown { NULL } else { i64::from(reply != NULL && reply <= due) });
    }

    fn derive_solving(&mut self, row: u32, said: &[Said], states: &[State], opened: i64, by_customer: bool) {
        let t = self.known.ticket;
        let (statuses, authors) = (self.choices.ticket_status, self.choices.message_author);
        let is_solved = |s: &State| statuses.is_solved(s.1);
        let solves: Vec<i64> = states.iter().enumerate().filter(|(i, s)| is_solved(s) && (*i == 0 || !is_solved(&states[i - 1]))).map(|(_, s)| s.0).collect();
        let first = solves.first().copied().unwrap_or(NULL);
        let solved = states.last().is_some_and(is_solved);
        let last = if solved { solves.last().copied().unwrap_or(NULL) } else { NULL };
        let reopens = states.windows(2).filter(|w| is_solved(&w[0]) && !is_solved(&w[1])).count() as i64;
        // Closed by a rule without anybody having been in touch is no resolution.
        let real = self.get(t.table, t.auto_closed, row) != 1;
        let until = if last == NULL { i64::MAX } else { last };
        let mut pending = 0;
        for (i, state) in states.iter().enumerate().filter(|(_, s)| statuses.waits(s.1)) {
            let end = states.get(i + 1).map_or(NULL, |s| s.0);
            if end != NULL && end <= until {
                pending += self.business(row, state.0, end);
            }
        }
        let whole = |facts: &Self, to: i64| if to == NULL || opened == NULL { NULL } else { facts.business(row, opened, to) };
        let (business, first_business) = (whole(self, last), whole(self, first));
        let kept = |value: i64| if real { value } else { NULL };
        let calendar = if last == NULL || opened == NULL { NULL } else { last - opened };
        self.set(t.table, t.first_solved_at, row, first);
        self.set(t.table, t.first_solved_secs, row, kept(first_business));
        self.set(t.table, t.solved_at, row, last);
        self.set(t.table, t.resolution_secs, row, kept(business));
        self.set(t.table, t.resolution_calendar_secs, row, kept(calendar));
        self.set(t.table, t.net_resolution_secs, row, kept(if business == NULL { NULL } else { business - pending }));
        self.set(t.table, t.settle_secs, row, calendar);
        self.set(t.table, t.reopens, row, reopens);
        let later = said.iter().filter(|s| s.1 == authors.customer && s.0 > opened && (first == NULL || s.0 < first)).count() as i64;
        let contacts = i64::from(by_customer) + later;
        self.set(t.table, t.contacts, row, contacts);
        let one = first != NULL && contacts == 1 && reopens == 0 && !self.came_back(row, first);
        self.set(t.table, t.is_one_contact, row, if first == NULL || !real || !by_customer { NULL } else { i64::from(one) });
        self.set(t.table, t.one_contact_secs, row, if one && real && by_customer { 0 } else { NULL });
        let (minutes, rate) = (self.get(t.table, t.handle_mins, row), self.settings.number("service_minute_cost").unwrap_or(0));
        // Millionths of a major unit to ten-thousandths.
        let cost = if minutes == NULL || rate == 0 { NULL } else { minutes.saturating_mul(rate) / 100 };
        self.set(t.table, t.service_cost, row, cost);
        self.set(t.table, t.service_cost__raw, row, cost);
        let pauses = self.get(t.table, t.pending_pauses, row) == 1;
        let due = self.due(row, opened, self.get(t.table, t.resolution_target_mins, row), if pauses { pending } else { 0 });
        self.set(t.table, t.resolution_due_at, row, due);
        let unknown = due == NULL || (solved && last == NULL);
        self.set(t.table, t.resolution_met, row, if unknown { NULL } else { i64::from(last != NULL && last <= due) });
    }

    /// When a ticket, or the first of those merged into it, was opened.
    fn received(&self, row: u32) -> i64 {
        let t = self.known.ticket;
        let members = if self.root(t.table, row) == row { self.members(t.table, row) } else { vec![row] };
        members.iter().map(|m| self.get(t.table, t.opened_at, *m)).filter(|at| *at != NULL).min().unwrap_or(NULL)
    }

    /// Did the customer open another ticket on the same topic soon after this one was solved?
    fn came_back(&self, row: u32, solved: i64) -> bool {
        let t = self.known.ticket;
        let Ok(customer) = u32::try_from(self.get(t.table, t.customer, row)) else { return false };
        let (topic, window) = (self.get(t.table, t.topic, row), self.settings.days("first_contact_days"));
        let members = self.members(self.known.customer.table, customer);
        self.children(t.table, t.customer, &members).into_iter().any(|other| {
            let opened = self.received(other);
            let counts = other != row && self.is_fit(t.table, other) && self.root(t.table, other) == other;
            counts && opened > solved && opened <= solved + window && self.get(t.table, t.topic, other) == topic
        })
    }

    /// Business seconds by the ticket's schedule as it was at the beginning; without one every second counts.
    fn business(&self, row: u32, from: i64, to: i64) -> i64 {
        let t = self.known.ticket;
        self.business_secs(self.get(t.table, t.schedule, row), from, to)
    }

    /// When a promise of so many minutes falls due, by the clock that it was given with.
    fn due(&self, row: u32, from: i64, minutes: i64, paused: i64) -> i64 {
        let t = self.known.ticket;
        if from == NULL || minutes == NULL {
            return NULL;
        }
        let seconds = minutes * 60 + paused;
        let business = self.get(t.table, t.target_clock, row) == self.choices.target_clock.business;
        match self.schedules.at(self.get(t.table, t.schedule, row), from).filter(|_| business) {
            Some(schedule) => schedule.after(from, seconds).unwrap_or(NULL),
            None => from + seconds,
        }
    }
}
