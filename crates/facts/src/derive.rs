//! The derivations, in the order in which they need each other: orders and deals, then customers with their
//! leads and contracts, then what stands alone.

mod customer;
mod deal;
mod expense;
mod lead;
mod order;

use crate::Facts;
use crate::touch::Touched;
use crate::column::NONE;

impl Facts {
    pub(crate) fn derive_everything(&mut self) {
        let k = self.known;
        let all = |len: u32| (0..len).collect();
        for table in 0..self.tables.len() {
            for column in 0..self.tables[table].schema.columns.len() {
                let meta = &self.tables[table].schema.columns[column];
                let Some(target) = meta.target.filter(|_| meta.name != "merged_into" && !self.tables[table].schema.derived) else { continue };
                if self.tables[target].schema.column("merged_into").is_none() {
                    continue;
                }
                for row in 0..self.tables[table].len {
                    let at = self.get(table, column, row);
                    if at >= 0 {
                        let root = self.root(target, at as u32);
                        self.set(table, column, row, i64::from(root));
                    }
                }
            }
        }
        let touched = Touched {
            orders: all(self.tables[k.order.table].len),
            refunds: all(self.tables[k.refund.table].len),
            deals: all(self.tables[k.deal.table].len),
            leads: all(self.tables[k.lead.table].len),
            expenses: all(self.tables[k.expense.table].len),
            contracts: all(self.tables[k.contract.table].len),
            customers: all(self.tables[k.customer.table].len),
            rebuild: false,
        };
        self.derive(&touched);
    }

    pub(crate) fn derive(&mut self, touched: &Touched) {
        for row in touched.orders.iter().filter(|r| **r != NONE) {
            self.derive_order(*row);
        }
        for row in touched.refunds.iter().filter(|r| **r != NONE) {
            self.derive_refund_alone(*row);
        }
        // Leads before deals: a sales cycle may begin with its lead. Which lead a purchase converts, and where
        // a deal's cycle begins, is settled with the customer's others.
        let mut customers = touched.customers.clone();
        for row in touched.leads.iter().filter(|r| **r != NONE) {
            self.derive_lead(*row);
            if let Ok(customer) = u32::try_from(self.get(self.known.lead.table, self.known.lead.customer, *row)) {
                customers.insert(customer);
            }
        }
        for row in touched.deals.iter().filter(|r| **r != NONE) {
            self.derive_deal(*row);
            if let Ok(customer) = u32::try_from(self.get(self.known.deal.table, self.known.deal.customer, *row)) {
                customers.insert(customer);
            }
        }
        for row in touched.contracts.iter().filter(|r| **r != NONE) {
            self.derive_contract(*row);
        }
        for row in customers.iter().filter(|r| **r != NONE) {
            self.derive_customer(*row);
        }
        for row in touched.expenses.iter().filter(|r| **r != NONE) {
            self.derive_expense(*row);
        }
    }
}
