//! Goals, sales plans and timers: days as instants, plans as parts by day that add up exactly.

use crate::Facts;
use crate::column::NULL;
use northing_model::money::div_half_even;

impl Facts {
    pub(crate) fn derive_goal(&mut self, row: u32) {
        let g = self.known.goal;
        let ends = self.get(g.table, g.ends_on, row);
        // The last second of the last day: a goal belongs to the period in which it ends.
        let due = if ends == NULL { NULL } else { self.settings.zone.midnight(ends as i32 + 1) - 1 };
        self.set(g.table, g.due_at, row, due);
        // What was asked for when it fell due: a target that is moved afterwards does not move what was missed.
        let told = self.told(g.table, row).into_iter().filter(|e| e.column == g.target);
        let (before, after): (Vec<_>, Vec<_>) = told.partition(|e| due == NULL || e.at <= due);
        let target = before.last().or(after.first()).map_or(self.get(g.table, g.target, row), |e| e.value);
        self.set(g.table, g.due_target, row, self.for_the_days_there(row, target));
    }

    /// A target for as much of its days as its owner was there to work on it.
    fn for_the_days_there(&self, row: u32, target: i64) -> i64 {
        let (g, v) = (self.known.goal, self.known.user_version);
        let (Ok(owner), starts, ends) = (u32::try_from(self.get(g.table, g.owner, row)), self.get(g.table, g.starts_on, row), self.get(g.table, g.ends_on, row)) else {
            return target;
        };
        if target == NULL || starts == NULL || ends < starts {
            return target;
        }
        let zone = &self.settings.zone;
        let (from, to) = (zone.midnight(starts as i32), zone.midnight(ends as i32 + 1));
        let stays: Vec<(i64, i64)> = self
            .children(v.table, v.user, &[owner])
            .into_iter()
            .filter(|stay| self.tables[v.table].flags(*stay) & crate::table::EXISTS != 0)
            .map(|stay| (self.get(v.table, v.since, stay), self.get(v.table, v.until, stay)))
            .collect();
        // Of somebody whose beginning nobody noted all days count.
        if stays.is_empty() {
            return target;
        }
        let within = |(since, until): &(i64, i64)| if *until == NULL { to } else { (*until).min(to) } - (*since).max(from);
        let there: i64 = stays.iter().map(|stay| within(stay).max(0)).sum();
        div_half_even(i128::from(target) * i128::from(there), i128::from(to - from)).unwrap_or(NULL)
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
