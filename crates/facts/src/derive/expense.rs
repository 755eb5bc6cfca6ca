//! Expenses: parts by purpose and day that add up to the amount exactly (KPIS.md G14).

use crate::Facts;
use crate::column::NULL;

/// A spread longer than this is taken as entered wrongly and put on its first day.
const LONGEST_DAYS: i64 = 3_660;

impl Facts {
    pub(crate) fn derive_expense(&mut self, row: u32) {
        let (e, s) = (self.known.expense, self.known.expense_share);
        let customer = self.get(e.table, e.customer, row);
        let fits = self.allowed_by(customer);
        self.count_if(e.table, row, fits);
        let get = |column| self.get(e.table, column, row);
        let incurred = get(e.incurred_on);
        let amount = self.convert(get(e.amount__raw), get(e.amount__cur), if incurred == NULL { i32::MAX } else { incurred as i32 });
        let (from, to) = (get(e.service_from), get(e.service_to));
        let spread = from != NULL && to != NULL && to >= from && to - from < LONGEST_DAYS;
        let (first, days) = if spread { (from, to - from + 1) } else { (incurred, 1) };
        let purposes = self.shares.get(&row).cloned().unwrap_or_default();
        let mut parts: Vec<(i64, i128)> =
            self.choices.purposes().iter().filter_map(|(name, code)| purposes.get(name).filter(|p| **p > 0).map(|p| (*code, i128::from(*p)))).collect();
        if parts.is_empty() {
            parts.push((self.choices.purpose.overhead, 100));
        }
        self.set(e.table, e.amount, row, amount);
        let mut rows = Vec::new();
        let raw = self.get(e.table, e.amount__raw, row);
        if raw != NULL && first != NULL {
            // What all parts up to one take, less what those before took: nothing is lost by rounding.
            let part = |total: i128, before: i128, size: i128, whole: i128| (total * (before + size)).div_euclid(whole) - (total * before).div_euclid(whole);
            let of_day = |total: i64, before: i128, share: i128, n: i128| {
                // Without a rate the parts are there, and what they come to is unknown.
                if total == NULL { NULL } else { part(part(i128::from(total), before, share, 100), n, 1, i128::from(days)) as i64 }
            };
            let mut before = 0;
            for (purpose, share) in parts {
                for n in 0..i128::from(days) {
                    let at = self.settings.zone.midnight((first + n as i64) as i32);
                    rows.push(vec![(s.purpose, purpose), (s.at, at), (s.amount, of_day(amount, before, share, n)), (s.amount__raw, of_day(raw, before, share, n))]);
                }
                before += share;
            }
        }
        let counted = self.counted(e.table, row);
        self.replace(s.table, s.expense, row, counted, &rows);
    }
}
