//! Order lines against what their customer had before: upsell and cross-sell (KPIS.md).

use crate::Facts;
use crate::column::NULL;
use std::collections::{BTreeSet, HashMap};

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
                self.set(l.table, l.step, line, NULL);
                self.set(l.table, l.step__raw, line, NULL);
            }
        }
        // What was bought last of each product: in which purchase, for how much.
        let mut last: HashMap<u32, (usize, i64)> = HashMap::new();
        for (n, order) in purchases.iter().enumerate() {
            let lines = self.children(l.table, l.order, &[*order]);
            let mut sold: Vec<(u32, Option<u32>)> = lines.iter().map(|line| (*line, u32::try_from(self.get(l.table, l.product, *line)).ok())).collect();
            sold.sort_unstable_by_key(|(line, _)| self.tables[l.table].id(*line));
            // What the purchase brought of each product, all of its lines together.
            let mut brought: HashMap<u32, i64> = HashMap::new();
            for (line, product) in sold.iter().filter(|(line, _)| self.counted(l.table, *line)) {
                if let Some(product) = product {
                    let whole = brought.entry(*product).or_default();
                    *whole = whole.saturating_add(match self.get(l.table, l.amount, *line) { NULL => 0, amount => amount });
                }
            }
            let mut stepped = BTreeSet::new();
            for (line, product) in &sold {
                let (mut upsell, mut cross, mut step) = (false, false, NULL);
                if let (Some(product), true) = (product.filter(|_| n > 0), self.counted(l.table, *line)) {
                    let lesser = u32::try_from(self.get(p.table, p.upgrades, product));
                    upsell = !owned.contains(&product) && lesser.is_ok_and(|lesser| owned.contains(&lesser));
                    if stepped.insert(product) {
                        step = self.step(product, upsell, brought[&product], &last);
                    }
                    let category = self.get(p.table, p.category, product);
                    let goes_with = owned.iter().any(|o| self.complements.get(o).is_some_and(|c| c.contains(&product)) || self.complements.get(&product).is_some_and(|c| c.contains(o)));
                    let elsewhere = category != NULL && !categories.contains(&category);
                    cross = !upsell && !owned.contains(&product) && (elsewhere || goes_with);
                }
                self.set(l.table, l.is_upsell, *line, i64::from(upsell));
                self.set(l.table, l.is_cross_sell, *line, i64::from(cross));
                self.set(l.table, l.step, *line, step);
                self.set(l.table, l.step__raw, *line, step);
            }
            for (product, amount) in brought {
                owned.insert(product);
                categories.insert(self.get(p.table, p.category, product));
                last.insert(product, (n, amount));
            }
        }
    }

    /// How much more a product brought than what it took the place of: the lesser one, or the greater one where the
    /// customer went back. Null where it took nothing's place.
    fn step(&self, product: u32, upsell: bool, amount: i64, last: &HashMap<u32, (usize, i64)>) -> i64 {
        let p = self.known.product;
        let replaced = if upsell {
            u32::try_from(self.get(p.table, p.upgrades, product)).ok().and_then(|lesser| last.get(&lesser))
        } else {
            let greater = last.iter().filter(|(o, _)| self.get(p.table, p.upgrades, **o) == i64::from(product)).map(|(_, bought)| bought).max();
            greater.filter(|bought| last.get(&product).is_none_or(|own| own.0 < bought.0))
        };
        // A step up for the same price is still one up, and a step down one down.
        let least = |more: i64| if upsell { more.max(1) } else { more.min(-1) };
        replaced.map_or(NULL, |(_, before)| least(amount.saturating_sub(*before)))
    }
}
