//! Stalled deals: open, and nobody has been in touch or moved them for longer than the workspace allows.

use super::deal::State;
use crate::Facts;
use crate::column::NULL;

impl Facts {
    /// `states` are the deal's from each instant on, `visits` its stays in stages. Answers from when on it stalls unless
    /// somebody moves.
    pub(crate) fn write_stalls(&mut self, row: u32, counted: bool, states: &[(i64, State)], visits: &[(i64, i64, i64)]) -> i64 {
        let (k, v) = (self.known, self.known.deal_stall);
        let patience = self.settings.days("stall_days");
        let mut seen: Vec<i64> = self.children(k.interaction.table, k.interaction.deal, &[row]).into_iter().map(|i| self.contact_at(i)).collect();
        for task in self.children(k.task.table, k.task.deal, &[row]) {
            if self.is_fit(k.task.table, task) {
                seen.push(self.get(k.task.table, k.task.done_at, task));
            }
        }
        // Moving to another stage is activity; a new amount or owner is not.
        seen.extend(visits.iter().map(|visit| visit.1));
        seen.extend(states.iter().map(|state| state.0).find(|at| *at != NULL));
        seen.retain(|at| *at != NULL);
        seen.sort_unstable();
        seen.dedup();
        let mut rows = Vec::new();
        let mut open_since = NULL;
        for (i, at) in seen.iter().enumerate() {
            let since = at.saturating_add(patience);
            let next = seen.get(i + 1).copied();
            if next.is_some_and(|n| n <= since) {
                continue;
            }
            // The state in which it was left; a deal that is closed rests, it does not stall.
            let Some((_, state)) = states.iter().rev().find(|s| s.0 != NULL && s.0 <= *at) else { continue };
            if !self.is_open_stage(state.stage) {
                continue;
            }
            let mut values = self.state_values(state, [v.stage, v.owner, v.amount, v.amount__raw, v.amount__cur]);
            values.extend([(v.since, since), (v.until, next.unwrap_or(NULL))]);
            if next.is_none() {
                open_since = since;
            }
            rows.push(values);
        }
        self.replace(v.table, v.deal, row, counted, &rows);
        open_since
    }
}
