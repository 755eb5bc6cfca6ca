//! Leads: the first human answer; conversion of those without a customer is settled here too.

use crate::Facts;
use crate::build::{EVER, Entry, NEVER};
use crate::column::NULL;

impl Facts {
    pub(crate) fn derive_lead(&mut self, row: u32) {
        let k = self.known;
        let l = k.lead;
        let root = self.root(l.table, row);
        if root != row {
            self.count_if(l.table, row, false);
            self.settle_lead(row, NULL, NULL);
            self.set(l.table, l.first_response_at, row, NULL);
            for column in [l.response_secs, l.response_business_secs, l.assigned_at, l.assign_secs, l.react_secs, l.response_due_at, l.response_met, l.qualify_secs, l.is_qualified, l.undated_from, l.undated_to] {
                self.set(l.table, column, row, NULL);
            }
            return;
        }
        let members = self.members(l.table, row);
        let created = members.iter().map(|m| self.get(l.table, l.created_at, *m)).filter(|c| *c != NULL).min().unwrap_or(NULL);
        self.set(l.table, l.created_at, row, created);
        let i = k.interaction;
        let mut first = NULL;
        for contact in self.children(i.table, i.lead, &members) {
            let outbound = self.get(i.table, i.direction, contact) == self.choices.interaction_direction.out;
            let connected = self.get(i.table, i.connected, contact) != 0;
            let at = self.contact_at(contact);
            if outbound && connected && at != NULL && (first == NULL || at < first) {
                first = at;
            }
        }
        self.set(l.table, l.first_response_at, row, first);
        let span = if first == NULL || created == NULL { NULL } else { first - created };
        self.set(l.table, l.response_secs, row, span);
        self.set(l.table, l.response_business_secs, row, self.business_secs(self.get(l.table, l.schedule, row), created, first));
        let (told, statuses) = (self.told(l.table, row), self.choices.lead_status);
        let given = told.iter().find(|e| e.column == l.owner && e.value != NULL);
        let assigned = given.map_or(NULL, |e| if e.at == NULL { NULL } else { e.at.max(created) });
        // Somebody had dealt with it when we first heard of it, and nobody recorded when.
        let stood = told.iter().rev().find(|e| e.column == l.status && e.at == NULL && e.value != statuses.new);
        let until = stood.map_or(NULL, |e| if e.told == NULL { NEVER } else { e.told });
        self.set(l.table, l.undated_from, row, if stood.is_none() { NULL } else if created == NULL { EVER } else { created.min(until) });
        self.set(l.table, l.undated_to, row, until);
        let between = |from: i64, to: i64| if from == NULL || to == NULL { NULL } else { to - from };
        self.set(l.table, l.assigned_at, row, assigned);
        self.set(l.table, l.assign_secs, row, between(created, assigned));
        self.set(l.table, l.react_secs, row, between(assigned, first));
        let own = self.get(l.table, l.response_target_mins, row);
        let target = if own == NULL { self.settings.number("lead_response_target_mins").unwrap_or(0) } else { own };
        let due = if created == NULL { NULL } else { created + target * 60 };
        self.set(l.table, l.response_due_at, row, due);
        let unknown = due == NULL || (first == NULL && stood.is_some());
        self.set(l.table, l.response_met, row, if unknown { NULL } else { i64::from(first != NULL && first <= due) });
        // As written on it; else when it was first called so.
        let called = |e: &&Entry| e.column == l.status && statuses.is_qualified(e.value);
        let own = self.get(l.table, l.qualified_at, row);
        let mut since = told.iter().filter(|e| e.column == l.status).skip_while(|e| !called(e)).take_while(called).map(|e| e.at);
        let qualified = if own != NULL { own } else { since.find(|at| *at != NULL).unwrap_or(NULL) };
        let is_qualified = qualified != NULL || statuses.is_qualified(self.get(l.table, l.status, row)) || told.iter().any(|e| called(&e));
        self.set(l.table, l.qualified_at, row, qualified);
        self.set(l.table, l.is_qualified, row, i64::from(is_qualified));
        self.set(l.table, l.qualify_secs, row, if qualified == NULL || created == NULL { NULL } else { qualified - created });
        let customer = self.get(l.table, l.customer, row);
        if customer < 0 {
            self.count_if(l.table, row, true);
            let counts = self.counted(l.table, row);
            self.settle_lead(row, if counts { 1 } else { NULL }, NULL);
        }
    }

    /// Whether a lead can convert, and when it did.
    pub(crate) fn settle_lead(&mut self, row: u32, convertible: i64, converted: i64) {
        let l = self.known.lead;
        let created = self.get(l.table, l.created_at, row);
        self.set(l.table, l.is_convertible, row, convertible);
        self.set(l.table, l.converted_at, row, converted);
        self.set(l.table, l.convert_secs, row, if converted == NULL { NULL } else { converted - created });
    }
}
