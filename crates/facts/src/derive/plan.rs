//! Goals, sales plans and timers: days as instants, plans as parts by day that add up exactly.

use crate::Facts;
use crate::column::NULL;

impl Facts {
    pub(crate) fn derive_goal(&mut self, row: u32) {
        let g = self.known.goal;
        let ends = self.get(g.table, g.ends_on, row);
        // The last second of the last day: a goal belongs to the period in which it ends.
        let due = if ends == NULL { NULL } else { self.settings.zone.midnight(ends as i32 + 1) - 1 };
        self.set(g.table, g.due_at, row, due);
    }

    pub(crate) fn derive_plan(&mut self, row: u32) {
        let (p, s) = (self.known.sales_plan, self.known.plan_share);
        let (from, to, orders) = (self.get(p.table, p.starts_on, row), self.get(p.table, p.ends_on, row), self.get(p.table, p.orders_planned, row));
        let mut rows = Vec::new();
        if from != NULL && to != NULL && orders != NULL && (0..3_660).contains(&(to - from)) {
            let (days, whole) = (i128::from(to - from + 1), i128::from(orders));
            for n in 0..days {
                let part = (whole * (n + 1)).div_euclid(days) - (whole * n).div_euclid(days);
                rows.push(vec![(s.at, self.settings.zone.midnight(from as i32 + n as i32)), (s.orders_planned, part as i64)]);
            }
        }
        let counted = self.counted(p.table, row);
        self.replace(s.table, s.sales_plan, row, counted, &rows);
    }

    pub(crate) fn derive_time_entry(&mut self, row: u32) {
        let e = self.known.time_entry;
        let (from, to) = (self.get(e.table, e.started_at, row), self.get(e.table, e.ended_at, row));
        self.set(e.table, e.entry_secs, row, if from == NULL || to == NULL { NULL } else { to - from });
    }
}
