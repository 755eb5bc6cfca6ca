//! Order lines against what their customer had before: upsell and cross-sell (KPIS.md).

use crate::Facts;
use crate::column::NULL;
use std::collections::BTreeSet;

impl Facts {
    /// `purchases` are the customer's, in order of time. A returned order is none, so its lines sold nothing.
    pub(crate) fn classify_lines(&mut self, orders: &[u32], purchases: &[u32]) {
        let (l, p) = (self.known.order_line, self.known.product);
        if self.tables[l.table].len == 0 {
            return;
        }
        let (mut owned, mut categories): (BTreeSet<u32>, BTreeSet<i64>) = (BTreeSet::new(), BTreeSet::new());
        for order in orders.iter().filter(|o| !purchases.contains(o)) {
            for line in self.children(l.table, l.order, &[*order]) {
                self.set(l.table, l.is_upsell, line, 0);
                self.set(l.table, l.is_cross_sell, line, 0);
            }
        }
        for (n, order) in purchases.iter().enumerate() {
            let lines = self.children(l.table, l.order, &[*order]);
            let sold: Vec<(u32, Option<u32>)> = lines.iter().map(|line| (*line, u32::try_from(self.get(l.table, l.product, *line)).ok())).collect();
            for (line, product) in &sold {
                let (mut upsell, mut cross) = (false, false);
                if let (Some(product), true) = (product.filter(|_| n > 0), self.counted(l.table, *line)) {
                    let lesser = u32::try_from(self.get(p.table, p.upgrades, product));
                    upsell = !owned.contains(&product) && lesser.is_ok_and(|lesser| owned.contains(&lesser));
                    let category = self.get(p.table, p.category, product);
                    let goes_with = owned.iter().any(|o| self.complements.get(o).is_some_and(|c| c.contains(&product)) || self.complements.get(&product).is_some_and(|c| c.contains(o)));
                    let elsewhere = category != NULL && !categories.contains(&category);
                    cross = !upsell && !owned.contains(&product) && (elsewhere || goes_with);
                }
                self.set(l.table, l.is_upsell, *line, i64::from(upsell));
                self.set(l.table, l.is_cross_sell, *line, i64::from(cross));
            }
            for (line, product) in sold {
                if let Some(product) = product.filter(|_| self.counted(l.table, line)) {
                    owned.insert(product);
                    categories.insert(self.get(p.table, p.category, product));
                }
            }
        }
    }
}
