//! Users: enabled stretches by role and team, and the day on which they became productive.

use crate::Facts;
use crate::column::{NONE, NULL};
use crate::touch::Touched;
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
        // Who was asked to join but never came counts as one who could have. Of whom nobody noted it, it is since their
        // first work; by when their record was made they were there.
        let noted = [get(self, u.enabled_at), invited].into_iter().find(|at| *at != NULL);
        let since = noted.or_else(|| [get(self, u.created_at), self.first_work(row)].into_iter().filter(|at| *at != NULL).min()).unwrap_or(NULL);
        let until = get(self, u.disabled_at);
        let gone = get(self, u.active) == 0 && until == NULL;
        let mut states: Vec<(i64, i64, i64)> = Vec::new();
        let (mut role, mut team) = (NULL, NULL);
        let told = self.told(u.table, row);
        let at_first = told.first().map_or(NULL, |e| e.at);
        for entry in &told {
            if entry.column == u.role {
                role = entry.value;
            } else if entry.column == u.team {
                team = entry.value;
            }
            // What somebody was at first, they were since they came.
            let at = if entry.at <= at_first { since } else { entry.at.max(since) };
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

    /// What the user of an interaction was when it happened; before the first that is known of a user, that.
    pub(crate) fn derive_interaction(&mut self, row: u32) {
        let (i, u) = (self.known.interaction, self.known.user);
        let at = self.get(i.table, i.at, row);
        let who = u32::try_from(self.get(i.table, i.user, row)).ok().filter(|user| at != NULL && self.is_fit(u.table, *user));
        let role = who.map_or(NULL, |user| {
            let roles: Vec<_> = self.told(u.table, user).into_iter().filter(|e| e.column == u.role).collect();
            roles.iter().rev().find(|e| e.at <= at).or(roles.first()).map_or(NULL, |e| e.value)
        });
        self.set(i.table, i.user_role, row, self.choices.interaction_role(role));
    }

    /// When somebody first did something, or first had a deal, a lead or a ticket.
    fn first_work(&self, row: u32) -> i64 {
        let (k, a) = (self.known, self.known.user_action);
        let done = self.children(a.table, a.user, &[row]).into_iter().filter(|action| self.is_fit(a.table, *action)).map(|action| self.get(a.table, a.at, action));
        let had = k.work().into_iter().flat_map(|(table, whose, made)| {
            let own = self.children(table, whose, &[row]).into_iter().filter(move |record| self.is_fit(table, *record));
            own.filter_map(move |record| {
                let told = self.told(table, record);
                let given = told.iter().find(|e| e.column == whose && e.value == i64::from(row))?;
                Some(if given.at == NULL { self.get(table, made, record) } else { given.at })
            })
        });
        done.chain(had).filter(|at| *at != NULL).min().unwrap_or(NULL)
    }

    /// Of somebody for whom nobody noted since when they are there, their records tell.
    pub(crate) fn touch_worker(&self, user: u32, touched: &mut Touched) {
        let u = self.known.user;
        if user != NONE && self.get(u.table, u.enabled_at, user) == NULL && self.get(u.table, u.invited_at, user) == NULL {
            touched.others.insert((u.table, user));
            self.touch_goals(user, touched);
        }
    }

    /// Targets are for the days that somebody was there.
    pub(crate) fn touch_goals(&self, user: u32, touched: &mut Touched) {
        let g = self.known.goal;
        touched.others.extend((0..self.tables[g.table].len).filter(|goal| self.get(g.table, g.owner, *goal) == i64::from(user)).map(|goal| (g.table, goal)));
    }
}
