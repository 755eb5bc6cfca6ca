//! Mails and consents: who opened and clicked, machines told apart; stretches on a mailing list.

use crate::Facts;
use crate::column::{NONE, NULL};
use std::collections::BTreeSet;

impl Facts {
    pub(crate) fn derive_send(&mut self, row: u32) {
        let (s, e) = (self.known.send, self.known.send_event);
        let customer = self.get(s.table, s.customer, row);
        let fits = self.allowed_by(customer);
        self.count_if(s.table, row, fits);
        let counted = self.counted(s.table, row);
        let (sent, campaign) = (self.get(s.table, s.sent_at, row), self.get(s.table, s.campaign_sent, row));
        let (mut opened, mut clicked, mut raw, mut raw_click) = (NULL, NULL, NULL, NULL);
        let kinds = self.choices.send_event_kind;
        let earlier = |so_far: i64, at: i64| if so_far == NULL { at } else { so_far.min(at) };
        let events = self.children(e.table, e.send, &[row]);
        let burst = self.bursts(&events);
        for event in events {
            let get = |column| self.get(e.table, column, event);
            let (at, kind) = (get(e.at), get(e.kind));
            let hasty = kind == kinds.click && at != NULL && sent != NULL && at - sent < self.machines.haste_secs;
            let program = self.tables[e.table].text(e.agent, event).is_some_and(|agent| self.machines.is_agent(&agent));
            let human = get(e.is_machine) != 1 && !hasty && !program && !burst.contains(&event);
            let usable = self.is_fit(e.table, event) && at != NULL && sent != NULL && at >= sent;
            match kind {
                open if open == kinds.open && usable => {
                    raw = earlier(raw, at);
                    if human {
                        opened = earlier(opened, at);
                    }
                }
                click if click == kinds.click && usable => {
                    raw_click = earlier(raw_click, at);
                    if human {
                        clicked = earlier(clicked, at);
                    }
                }
                _ => {}
            }
            self.set(e.table, e.is_human, event, i64::from(human));
            self.set(e.table, e.customer, event, customer);
            self.set(e.table, e.campaign_sent, event, campaign);
            self.count_if(e.table, event, counted);
        }
        let span = |at: i64| if at == NULL { NULL } else { at - sent };
        let (spent, entered) = self.spent(customer, sent);
        for (column, value) in [(s.opened_at, opened), (s.open_secs, span(opened)), (s.clicked_at, clicked), (s.click_secs, span(clicked)), (s.raw_open_secs, span(raw)), (s.raw_click_secs, span(raw_click)), (s.spent, spent), (s.spent__raw, entered)] {
            self.set(s.table, column, row, value);
        }
    }

    /// Clicks that a machine made, as a person follows one link at a time.
    fn bursts(&self, events: &[u32]) -> BTreeSet<u32> {
        let e = self.known.send_event;
        let clicks = events.iter().filter(|event| self.is_fit(e.table, **event) && self.get(e.table, e.kind, **event) == self.choices.send_event_kind.click && self.get(e.table, e.at, **event) != NULL);
        let mut followed: Vec<(i64, std::sync::Arc<str>, u32)> = clicks.map(|event| (self.get(e.table, e.at, *event), self.tables[e.table].text(e.link, *event).unwrap_or_default(), *event)).collect();
        followed.sort_unstable();
        let machine = self.machines.bursts(&followed.iter().map(|f| (f.0, &*f.1)).collect::<Vec<_>>());
        followed.iter().zip(machine).filter(|(_, machine)| *machine).map(|(f, _)| f.2).collect()
    }

    /// What a customer bought within the window after a mail, whether they saw it or not.
    fn spent(&self, customer: i64, sent: i64) -> (i64, i64) {
        let k = self.known;
        let Ok(customer) = u32::try_from(customer) else { return (NULL, NULL) };
        if sent == NULL {
            return (NULL, NULL);
        }
        let members = self.members(k.customer.table, self.root(k.customer.table, customer));
        let until = sent.saturating_add(self.settings.days("email_window_days"));
        let (table, value) = self.purchase_values();
        let bought = self.purchases(&members).into_iter().filter(|p| p.0 >= sent && p.0 <= until);
        self.worth(table, value, bought.map(|p| p.2))
    }

    /// All consents of the one who gave this one, for one mailing list: stretches from joining to leaving.
    pub(crate) fn derive_consent(&mut self, row: u32, done: &mut BTreeSet<u32>) {
        if done.contains(&row) {
            return;
        }
        let (c, s) = (self.known.consent_event, self.known.subscription);
        let get = |facts: &Self, column, row| facts.get(c.table, column, row);
        let (customer, email, list) = (get(self, c.customer, row), get(self, c.email, row), get(self, c.mailing_list, row));
        let all: Vec<u32> = if let Ok(customer) = u32::try_from(customer) {
            let members = self.members(self.known.customer.table, customer);
            self.children(c.table, c.customer, &members)
        } else if email != NULL {
            self.note_address(row);
            self.addresses.get(&email).cloned().unwrap_or_default()
        } else {
            vec![row]
        };
        let mut group: Vec<u32> = all
            .into_iter()
            .filter(|r| get(self, c.mailing_list, *r) == list && (customer >= 0 || (get(self, c.customer, *r) < 0 && get(self, c.email, *r) == email)))
            .collect();
        let subscribed = self.choices.consent_kind.subscribed;
        group.sort_unstable_by_key(|r| (get(self, c.at, *r), get(self, c.kind, *r) != subscribed, self.tables[c.table].id(*r)));
        let fits = self.allowed_by(customer);
        let mut stretches: Vec<(u32, i64, i64)> = Vec::new();
        for consent in &group {
            self.count_if(c.table, *consent, fits);
            let (at, subscribes) = (get(self, c.at, *consent), get(self, c.kind, *consent) == subscribed);
            if !self.counted(c.table, *consent) || at == NULL {
                continue;
            }
            match stretches.last_mut() {
                Some(last) if last.2 == NULL => {
                    if !subscribes {
                        last.2 = at;
                    }
                }
                _ if subscribes => stretches.push((*consent, at, NULL)),
                _ => {}
            }
        }
        for consent in group.iter().copied().chain([row]) {
            let own = stretches.iter().find(|s| s.0 == consent).map(|(_, since, until)| vec![(s.since, *since), (s.until, *until)]);
            self.replace(s.table, s.consent_event, consent, true, &own.into_iter().collect::<Vec<_>>());
            done.insert(consent);
        }
    }

    /// A row that was written before it could be found by its address.
    pub(crate) fn note_address(&mut self, row: u32) {
        let c = self.known.consent_event;
        let email = self.get(c.table, c.email, row);
        if row != NONE && email != NULL && self.get(c.table, c.customer, row) < 0 {
            let known = self.addresses.entry(email).or_default();
            if !known.contains(&row) {
                known.push(row);
            }
        }
    }
}
