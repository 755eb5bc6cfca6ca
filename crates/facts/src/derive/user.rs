//! Users: enabled stretches by role and team, and the day on which they became productive.

use crate::Facts;
use crate::column::NULL;
use std::collections::BTreeMap;

impl Facts {
    pub(crate) fn derive_user(&mut self, row: u32) {
        let (u, a, v) = (self.known.user, self.known.user_action, self.known.user_version);
        let get = |facts: &Self, column| facts.get(u.table, column, row);
        let mut days: BTreeMap<i32, i64> = BTreeMap::new();
        let person = self.is_fit(u.table, row);
        for action in self.children(a.table, a.user, &[row]) {
            self.count_if(a.table, action, person);
            let at = self.get(a.table, a.at, action);
            let meaningful = self.choices.action_kind.is_meaningful(self.get(a.table, a.kind, action)) && self.get(a.table, a.by_api, action) != 1;
            if self.is_fit(a.table, action) && at != NULL && meaningful {
                let first = days.entry(self.settings.zone.day(at)).or_insert(at);
                *first = at.min(*first);
            }
        }
        let productive = days.values().nth(2).copied().unwrap_or(NULL);
        let invited = get(self, u.invited_at);
        // Who was asked to join but never came counts as one who could have.
        let since = [get(self, u.enabled_at), invited, get(self, u.created_at)].into_iter().find(|at| *at != NULL).unwrap_or(NULL);
        let until = get(self, u.disabled_at);
        let gone = get(self, u.active) == 0 && until == NULL;
        let mut states: Vec<(i64, i64, i64)> = Vec::new();
        let (mut role, mut team) = (NULL, NULL);
        for entry in self.told(u.table, row) {
            if entry.column == u.role {
                role = entry.value;
            } else if entry.column == u.team {
                team = entry.value;
            }
            // What somebody was at first, they were since they came.
            let at = if states.is_empty() { since } else { entry.at.max(since) };
            match states.last_mut() {
                Some(last) if last.0 == at => *last = (at, role, team),
                _ => states.push((at, role, team)),
            }
        }
        let counted = self.counted(u.table, row);
        let mut rows = Vec::new();
        for (i, (at, role, team)) in states.iter().enumerate().filter(|_| since != NULL && !gone) {
            let end = match (states.get(i + 1).map(|s| s.0), until) {
                (None, until) => until,
                (Some(next), NULL) => next,
                (Some(next), until) => next.min(until),
            };
            if end == NULL || end > *at {
                rows.push(vec![(v.since, *at), (v.until, end), (v.role, self.choices.version_role(*role)), (v.team, *team)]);
            }
        }
        self.replace(v.table, v.user, row, counted, &rows);
        self.set(u.table, u.productive_at, row, productive);
        self.set(u.table, u.onboarding_secs, row, if productive == NULL || invited == NULL { NULL } else { productive - invited });
    }
}
