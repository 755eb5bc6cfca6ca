//! The derivations, in the order in which they need each other: orders and deals, then customers with their
//! leads and contracts, then what stands alone.

mod customer;
mod deal;
mod expense;
mod lead;
mod line;
mod order;
mod plan;
mod send;
mod stall;
mod survey;
mod ticket;
mod user;
mod way;
mod win_back;

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
            others: self.alone().into_iter().flat_map(|t| (0..self.tables[t].len).map(move |row| (t, row))).collect(),
            rebuild: false,
        };
        for row in 0..self.tables[k.consent_event.table].len {
            self.note_address(row);
        }
        self.derive(&touched);
    }

    pub(crate) fn derive(&mut self, touched: &Touched) {
        for row in touched.orders.iter().filter(|r| **r != NONE) {
            self.derive_order(*row);
            self.progress.step();
        }
        for row in touched.refunds.iter().filter(|r| **r != NONE) {
            self.derive_refund_alone(*row);
            self.progress.step();
        }
        // Leads before deals: a sales cycle may begin with its lead. Which lead a purchase converts, and where
        // a deal's cycle begins, is settled with the customer's others.
        let mut customers = touched.customers.clone();
        for row in touched.leads.iter().filter(|r| **r != NONE) {
            self.derive_lead(*row);
            self.progress.step();
            if let Ok(customer) = u32::try_from(self.get(self.known.lead.table, self.known.lead.customer, *row)) {
                customers.insert(customer);
            }
        }
        for row in touched.deals.iter().filter(|r| **r != NONE) {
            self.derive_deal(*row);
            self.progress.step();
            if let Ok(customer) = u32::try_from(self.get(self.known.deal.table, self.known.deal.customer, *row)) {
                customers.insert(customer);
            }
        }
        for row in touched.contracts.iter().filter(|r| **r != NONE) {
            self.derive_contract(*row);
            self.progress.step();
        }
        for row in customers.iter().filter(|r| **r != NONE) {
            self.derive_customer(*row);
            self.progress.step();
        }
        for row in touched.expenses.iter().filter(|r| **r != NONE) {
            self.derive_expense(*row);
            self.progress.step();
        }
        for row in self.leads_behind(touched, &customers) {
            self.derive_way(row);
        }
        let k = self.known;
        let mut consents = std::collections::BTreeSet::new();
        let mut others = touched.others.clone();
        for customer in customers.iter().filter(|r| **r != NONE && self.tables[k.send.table].len > 0) {
            // What was bought after a mail is told beside the mail.
            let members = self.members(k.customer.table, self.root(k.customer.table, *customer));
            others.extend(self.children(k.send.table, k.send.customer, &members).into_iter().map(|row| (k.send.table, row)));
        }
        // Goals last: a target is for the days that its owner was there.
        let (goals, others): (Vec<_>, Vec<_>) = others.into_iter().filter(|(_, row)| *row != NONE).partition(|(table, _)| *table == k.goal.table);
        for (table, row) in others.into_iter().chain(goals) {
            match table {
                t if t == k.ticket.table => self.derive_ticket(row),
                t if t == k.send.table => self.derive_send(row),
                t if t == k.consent_event.table => self.derive_consent(row, &mut consents),
                t if t == k.survey_response.table => self.derive_response(row),
                t if t == k.survey_invite.table => self.derive_invite(row),
                t if t == k.user.table => self.derive_user(row),
                t if t == k.goal.table => self.derive_goal(row),
                t if t == k.sales_plan.table => self.derive_plan(row),
                t if t == k.time_entry.table => self.derive_time_entry(row),
                t if t == k.interaction.table => self.derive_interaction(row),
                _ => {}
            }
            self.progress.step();
        }
    }

    /// So many rows are written and derived when all are.
    pub(crate) fn work(&self) -> u64 {
        let k = self.known;
        let stored = self.tables.iter().filter(|t| !t.schema.derived).map(|t| t.len);
        let derived = [k.order.table, k.refund.table, k.deal.table, k.lead.table, k.expense.table, k.contract.table, k.customer.table].into_iter().chain(self.alone()).map(|t| self.tables[t].len);
        stored.chain(derived).map(u64::from).sum()
    }

    /// Tables whose rows are derived without the others' help.
    pub(crate) fn alone(&self) -> [usize; 10] {
        let k = self.known;
        [k.ticket.table, k.send.table, k.consent_event.table, k.survey_response.table, k.survey_invite.table, k.user.table, k.goal.table, k.sales_plan.table, k.time_entry.table, k.interaction.table]
    }
}
