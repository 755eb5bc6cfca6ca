//! What a changed record makes necessary to derive anew. Must not derive anything itself.

use crate::Facts;
use crate::column::NONE;
use std::collections::BTreeSet;

/// What a batch of changes makes necessary to derive anew.
#[derive(Default)]
pub(crate) struct Touched {
    pub orders: BTreeSet<u32>,
    pub refunds: BTreeSet<u32>,
    pub deals: BTreeSet<u32>,
    pub leads: BTreeSet<u32>,
    pub expenses: BTreeSet<u32>,
    pub contracts: BTreeSet<u32>,
    pub customers: BTreeSet<u32>,
    /// Rows of tables that are derived by themselves.
    pub others: BTreeSet<(usize, u32)>,
    pub rebuild: bool,
}

impl Facts {
    /// A customer's rows of a table that is derived by itself; those of merged customers too.
    fn touch_owned(&self, (table, column): (usize, usize), customer: u32, touched: &mut Touched) {
        let c = self.known.customer;
        if customer != NONE {
            let members = self.members(c.table, self.root(c.table, customer));
            touched.others.extend(self.children(table, column, &members).into_iter().map(|row| (table, row)));
        }
    }

    /// Marks what must be derived anew because of this row, before and after its change.
    pub(crate) fn touch(&mut self, table: usize, row: u32, touched: &mut Touched) {
        let k = self.known;
        let parent = |facts: &Self, column: usize| facts.links[table][column].as_ref().map_or(NONE, |l| l.parent(row));
        match table {
            t if t == k.order.table => drop(touched.orders.insert(row)),
            t if t == k.order_line.table => drop(touched.orders.insert(parent(self, k.order_line.order))),
            t if t == k.payment.table => drop(touched.orders.insert(parent(self, k.payment.order))),
            t if t == k.refund.table => {
                touched.refunds.insert(row);
                touched.orders.insert(parent(self, k.refund.order));
            }
            t if t == k.deal.table => {
                touched.deals.insert(row);
                touched.leads.insert(self.root(k.lead.table, parent(self, k.deal.lead)));
                // An order may convert the lead behind its deal.
                touched.orders.extend(self.children(k.order.table, k.order.deal, &[row]));
            }
            t if t == k.lead.table => {
                let root = self.root(table, row);
                touched.leads.extend([row, root]);
                let members = self.members(table, root);
                let deals = self.children(k.deal.table, k.deal.lead, &members);
                touched.orders.extend(self.children(k.order.table, k.order.deal, &deals));
                touched.deals.extend(deals);
            }
            t if t == k.contract.table => {
                touched.contracts.insert(row);
                let rows = self.children(table, k.contract.successor, &[row]);
                touched.contracts.extend(rows);
            }
            t if t == k.expense.table => drop(touched.expenses.insert(row)),
            t if t == k.interaction.table => {
                let lead = parent(self, k.interaction.lead);
                touched.leads.insert(self.root(k.lead.table, lead));
                touched.deals.insert(parent(self, k.interaction.deal));
                let members = self.members(k.lead.table, self.root(k.lead.table, lead));
                touched.deals.extend(self.children(k.deal.table, k.deal.lead, &members));
            }
            t if t == k.message.table => drop(touched.others.insert((k.ticket.table, self.root(k.ticket.table, parent(self, k.message.ticket))))),
            t if t == k.ticket.table => {
                let root = self.root(table, row);
                touched.others.insert((table, root));
                // Whether a contact was the only one depends on the customer's other tickets.
                for ticket in [row, root] {
                    let customer = self.links[table][k.ticket.customer].as_ref().map_or(NONE, |l| l.parent(ticket));
                    self.touch_owned((table, k.ticket.customer), customer, touched);
                }
            }
            t if t == k.send_event.table => drop(touched.others.insert((k.send.table, parent(self, k.send_event.send)))),
            t if t == k.survey_response.table => drop(touched.others.insert((k.survey_invite.table, parent(self, k.survey_response.invite)))),
            t if t == k.user_action.table => {
                let user = parent(self, k.user_action.user);
                touched.others.insert((k.user.table, user));
                self.touch_worker(user, touched);
            }
            t if t == k.user.table => {
                self.touch_goals(row, touched);
                touched.others.extend(self.children(k.interaction.table, k.interaction.user, &[row]).into_iter().map(|contact| (k.interaction.table, contact)));
            }
            t if t == k.task.table => drop(touched.deals.insert(parent(self, k.task.deal))),
            t if t == k.consent_event.table => {
                self.note_address(row);
                // Whom it leaves are told by what it said before the change too.
                let email = self.get(table, k.consent_event.email, row);
                touched.others.extend(self.addresses.get(&email).into_iter().flatten().map(|r| (table, *r)));
                let customer = parent(self, k.consent_event.customer);
                self.touch_owned((table, k.consent_event.customer), customer, touched);
            }
            _ => {}
        }
        if let Some((_, whose, _)) = k.work().into_iter().find(|w| w.0 == table) {
            let root = self.root(table, row);
            for own in [row, root] {
                let worker = self.links[table][whose].as_ref().map_or(NONE, |l| l.parent(own));
                self.touch_worker(worker, touched);
            }
        }
        if self.alone().contains(&table) {
            touched.others.insert((table, row));
        }
        for order in touched.orders.clone() {
            if order != NONE {
                // Its payments may be what the lead behind its deal came to.
                let deal = self.links[k.order.table][k.order.deal].as_ref().map_or(NONE, |l| l.parent(order));
                let lead = if deal == NONE { NONE } else { self.links[k.deal.table][k.deal.lead].as_ref().map_or(NONE, |l| l.parent(deal)) };
                touched.leads.insert(self.root(k.lead.table, lead));
                let customer = self.links[k.order.table][k.order.customer].as_ref().map_or(NONE, |l| l.parent(order));
                touched.customers.insert(customer);
            }
        }
        if table == k.customer.table {
            // Whether they count, and with whom they are seen together, is the customer's to say.
            for owned in [(k.ticket.table, k.ticket.customer), (k.send.table, k.send.customer), (k.consent_event.table, k.consent_event.customer)] {
                self.touch_owned(owned, row, touched);
            }
            let root = self.root(table, row);
            let members = self.members(table, root);
            touched.expenses.extend(self.children(k.expense.table, k.expense.customer, &members));
            touched.customers.extend([row, root]);
        }
        for column in 0..self.tables[table].schema.columns.len() {
            if self.tables[table].schema.columns[column].target == Some(k.customer.table) {
                touched.customers.insert(parent(self, column));
            }
        }
        for customer in touched.customers.clone() {
            if customer != NONE {
                touched.customers.insert(self.root(k.customer.table, customer));
            }
        }
    }
}
