//! The way of a lead: answered, qualified, a deal, won, paid. Settled last, as it looks at all that came of it.

use crate::Facts;
use crate::column::{NONE, NULL};
use crate::touch::Touched;
use std::collections::BTreeSet;

impl Facts {
    /// Leads whose way may have changed: themselves, and those behind the deals, orders and customers that did.
    pub(crate) fn leads_behind(&self, touched: &Touched, customers: &BTreeSet<u32>) -> BTreeSet<u32> {
        let k = self.known;
        let known = |rows: &BTreeSet<u32>| rows.iter().copied().filter(|r| *r != NONE).collect::<Vec<_>>();
        let customers: Vec<u32> = known(customers).into_iter().flat_map(|c| self.members(k.customer.table, self.root(k.customer.table, c))).collect();
        let mut leads: BTreeSet<u32> = known(&touched.leads).into_iter().collect();
        leads.extend(self.children(k.lead.table, k.lead.customer, &customers));
        let orders: BTreeSet<u32> = known(&touched.orders).into_iter().chain(self.children(k.order.table, k.order.customer, &customers)).collect();
        let deals = known(&touched.deals).into_iter().chain(self.children(k.deal.table, k.deal.customer, &customers));
        let deals: BTreeSet<u32> = deals.chain(orders.iter().filter_map(|o| u32::try_from(self.get(k.order.table, k.order.deal, *o)).ok())).collect();
        leads.extend(deals.iter().filter_map(|d| u32::try_from(self.get(k.deal.table, k.deal.lead, *d)).ok()));
        leads.iter().map(|lead| self.root(k.lead.table, *lead)).chain(leads.iter().copied()).collect()
    }

    pub(crate) fn derive_way(&mut self, row: u32) {
        let l = self.known.lead;
        let columns = [l.to_contact_secs, l.to_qualified_secs, l.to_deal_secs, l.to_win_secs, l.to_paid_secs];
        let created = self.get(l.table, l.created_at, row);
        let steps = if self.root(l.table, row) == row && created != NULL { self.steps_of(row) } else { [NULL; 5] };
        let mut reached = NULL;
        for (column, at) in columns.into_iter().zip(steps).rev() {
            reached = earlier(reached, at);
            // What is dated before the lead had been reached when it came.
            self.set(l.table, column, row, if reached == NULL { NULL } else { (reached - created).max(0) });
        }
    }

    /// When each step itself was taken.
    fn steps_of(&self, row: u32) -> [i64; 5] {
        let k = self.known;
        let (l, d, o) = (k.lead, k.deal, k.order);
        let converted = self.get(l.table, l.converted_at, row);
        let members = self.members(l.table, row);
        let (mut made, mut won, mut orders) = (NULL, converted, BTreeSet::new());
        for deal in self.children(d.table, d.lead, &members) {
            if !self.counted(d.table, deal) {
                continue;
            }
            made = earlier(made, self.get(d.table, d.created_at, deal));
            if self.get(d.table, d.outcome, deal) == self.choices.deal_outcome.won {
                won = earlier(won, self.get(d.table, d.closed_at, deal));
            }
            orders.extend(self.children(o.table, o.deal, &[deal]));
        }
        if let (Ok(customer), true) = (u32::try_from(self.get(l.table, l.customer, row)), converted != NULL) {
            let members = self.members(k.customer.table, self.root(k.customer.table, customer));
            let own = self.children(o.table, o.customer, &members);
            orders.extend(own.into_iter().filter(|order| self.get(o.table, o.revenue_at, *order) >= converted));
        }
        let orders: Vec<u32> = orders.into_iter().filter(|order| self.get(o.table, o.revenue_at, *order) != NULL).collect();
        let p = k.payment;
        let payments = self.children(p.table, p.order, &orders).into_iter().filter(|row| self.counted(p.table, *row) && self.get(p.table, p.kind, *row) == self.choices.payment_kind.payment);
        let paid = payments.map(|row| self.get(p.table, p.at, row)).fold(NULL, earlier);
        [self.get(l.table, l.first_response_at, row), self.get(l.table, l.qualified_at, row), made, won, paid]
    }
}

fn earlier(a: i64, b: i64) -> i64 {
    if a == NULL { b } else if b == NULL { a } else { a.min(b) }
}
