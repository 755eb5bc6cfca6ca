//! Customers: purchases in order, first and repeat, active stretches, conversion of leads, renewal of contracts.

use crate::Facts;
use crate::column::NULL;
use crate::settings::Activity;
use northing_model::money::div_half_even;
use std::collections::HashMap;
use uuid::Uuid;

const DAY: i64 = 86_400;

/// A purchase: when, a tie-breaker, and its row.
pub(super) type Purchase = (i64, Uuid, u32);

impl Facts {
    pub(crate) fn derive_customer(&mut self, row: u32) {
        let k = self.known;
        let c = k.customer;
        let root = self.root(c.table, row);
        if root != row {
            self.count_if(c.table, row, false);
            for column in [c.first_purchase_at, c.last_purchase_at, c.second_secs, c.purchases, c.realised_value, c.realised_value__raw] {
                self.set(c.table, column, row, NULL);
            }
            self.replace(k.customer_active.table, k.customer_active.customer, row, false, &[]);
            return;
        }
        let members = self.members(c.table, row);
        self.count_if(c.table, row, true);
        self.recount_children(row, &members);

        let purchases = self.purchases(&members);
        let contracts = self.contract_stretches(&members);
        let first_contract = contracts.iter().map(|s| s.0).min();
        let first_bought = purchases.first().map(|p| p.0);
        let first = [first_bought, first_contract].into_iter().flatten().min();
        self.classify(&members, &purchases, first);

        let (table, column) = self.purchase_values();
        let (total, entered) = self.worth(table, column, purchases.iter().map(|p| p.2));
        self.set(c.table, c.first_purchase_at, row, first.unwrap_or(NULL));
        self.set(c.table, c.last_purchase_at, row, purchases.last().map_or(NULL, |p| p.0));
        let second = purchases.get(1).map_or(NULL, |p| p.0 - purchases[0].0);
        self.set(c.table, c.second_secs, row, second);
        self.set(c.table, c.purchases, row, purchases.len() as i64);
        self.set(c.table, c.realised_value, row, total);
        self.set(c.table, c.realised_value__raw, row, entered);

        let seen = self.seen(&members, &purchases);
        let comings = self.comings(&members, &purchases);
        self.write_active(row, &seen, contracts, |facts, until| facts.after_loss(until, &comings, &members));
        self.convert_leads(&members, &purchases, first);
        self.settle_cycles(&members);
    }

    /// A test or internal customer takes its records out of every KPI.
    fn recount_children(&mut self, root: u32, members: &[u32]) {
        let k = self.known;
        let fits = self.customer_fits(root);
        for n in 0..self.followers.len() {
            let (table, column) = self.followers[n];
            if self.tables[table].len == 0 {
                continue;
            }
            for child in self.children(table, column, members) {
                let survives = self.root(table, child) == child;
                self.count_if(table, child, fits && survives);
            }
        }
        // Orders and deals carry rows of their own, so they are derived again where the answer changed.
        for order in self.children(k.order.table, k.order.customer, members) {
            if self.counted(k.order.table, order) != (fits && self.is_fit(k.order.table, order)) || self.get(k.order.table, k.order.customer, order) != i64::from(root) {
                self.derive_order(order);
            }
            for refund in self.children(k.refund.table, k.refund.order, &[order]) {
                self.set(k.refund.table, k.refund.customer, refund, i64::from(root));
            }
        }
        for deal in self.children(k.deal.table, k.deal.customer, members) {
            if self.counted(k.deal.table, deal) != (fits && self.is_fit(k.deal.table, deal)) {
                self.derive_deal(deal);
            }
        }
    }

    pub(crate) fn is_fit(&self, table: usize, row: u32) -> bool {
        let needed = crate::table::EXISTS | crate::table::FIT;
        self.tables[table].flags(row) & needed == needed
    }

    /// The table of purchases and its column of what they are worth.
    pub(super) fn purchase_values(&self) -> (usize, usize) {
        let k = self.known;
        if self.settings.purchases_are_deals { (k.deal.table, k.deal.purchase_value) } else { (k.order.table, k.order.purchase_value) }
    }

    /// What purchases are worth together, and the same as entered: null, and not, where one of them has no rate.
    pub(super) fn worth(&self, table: usize, column: usize, rows: impl Iterator<Item = u32>) -> (i64, i64) {
        let (mut total, mut entered) = (0i64, 0i64);
        for row in rows {
            let (value, raw) = (self.get(table, column, row), self.get(table, column + 1, row));
            if raw == NULL {
                continue;
            }
            total = if value == NULL || total == NULL { NULL } else { total.saturating_add(value) };
            entered = entered.saturating_add(raw);
        }
        (total, entered)
    }

    pub(super) fn purchases(&self, members: &[u32]) -> Vec<Purchase> {
        let k = self.known;
        let (table, customer, at) = if self.settings.purchases_are_deals {
            (k.deal.table, k.deal.customer, k.deal.purchased_at)
        } else {
            (k.order.table, k.order.customer, k.order.purchased_at)
        };
        let mut found: Vec<Purchase> = self
            .children(table, customer, members)
            .into_iter()
            .map(|row| (self.get(table, at, row), self.tables[table].id(row).unwrap_or_default(), row))
            .filter(|p| p.0 != NULL)
            .collect();
        found.sort_unstable();
        found
    }

    /// Marks first and repeat purchases, and which revenue is from new customers (X16).
    fn classify(&mut self, members: &[u32], purchases: &[Purchase], first: Option<i64>) {
        let k = self.known;
        let (table, customer, revenue_at) = if self.settings.purchases_are_deals {
            (k.deal.table, k.deal.customer, k.deal.revenue_at)
        } else {
            (k.order.table, k.order.customer, k.order.revenue_at)
        };
        let grace = self.settings.days("new_customer_days");
        let places: HashMap<u32, usize> = purchases.iter().enumerate().map(|(i, p)| (p.2, i)).collect();
        for row in self.children(table, customer, members) {
            let at = self.get(table, revenue_at, row);
            let place = places.get(&row).copied();
            let new = place == Some(0) || first.is_none_or(|f| at <= f.saturating_add(grace));
            let repeat = place.is_some_and(|p| p > 0);
            // Two days apart is another day in any zone; only nearer ones need the calendar.
            let another_day = repeat && purchases.first().is_some_and(|p| at - p.0 >= 2 * DAY || self.settings.zone.day(p.0) < self.settings.zone.day(at));
            self.set_classes(table, row, [place == Some(0), repeat, another_day, new]);
            let gap = place.filter(|p| *p > 0).map_or(NULL, |p| purchases[p].0 - purchases[p - 1].0);
            self.set(table, if table == k.order.table { k.order.gap_secs } else { k.deal.gap_secs }, row, gap);
        }
        if table == k.order.table {
            let orders = self.children(table, customer, members);
            self.classify_lines(&orders, &purchases.iter().map(|p| p.2).collect::<Vec<_>>());
        }
    }

    /// Contract terms joined where the next begins within the grace; (start, end), end null while it goes on.
    fn contract_stretches(&self, members: &[u32]) -> Vec<(i64, i64)> {
        let n = self.known.contract;
        let mut terms: Vec<(i64, i64)> = Vec::new();
        for row in self.children(n.table, n.customer, members) {
            let get = |column| self.get(n.table, column, row);
            let (start, term_end, ended) = (get(n.starts_at), get(n.term_end), get(n.ended_at));
            if !self.counted(n.table, row) || start == NULL {
                continue;
            }
            let goes_on = get(n.auto_renew) == 1 && ended == NULL;
            let end = if goes_on { NULL } else if ended != NULL { ended } else { term_end };
            if end == NULL || end > start {
                terms.push((start, end));
            }
        }
        let until = |end: i64| if end == NULL { i64::MAX } else { end };
        terms.sort_unstable_by_key(|t| (t.0, until(t.1)));
        let grace = self.settings.days("renewal_grace_days");
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for term in terms {
            match joined.last_mut() {
                Some(last) if term.0 <= until(last.1).saturating_add(grace) => {
                    if until(term.1) > until(last.1) {
                        last.1 = term.1;
                    }
                }
                _ => joined.push(term),
            }
        }
        joined
    }

    /// When a customer did what keeps it active, in order.
    fn seen(&self, members: &[u32], purchases: &[Purchase]) -> Vec<i64> {
        let k = self.known;
        let (b, e) = (k.booking, k.engagement_event);
        let (statuses, opened) = (self.choices.booking_status, self.choices.engagement_kind.email_open);
        let mut found: Vec<i64> = match self.settings.activity {
            Activity::Purchases => purchases.iter().map(|p| p.0).collect(),
            Activity::Bookings => {
                let came = |row: &u32| self.is_fit(b.table, *row) && [statuses.confirmed, statuses.done].contains(&self.get(b.table, b.status, *row));
                self.children(b.table, b.customer, members).into_iter().filter(came).map(|row| self.get(b.table, b.starts_at, row)).collect()
            }
            Activity::Engagement => {
                let used = |row: &u32| self.is_fit(e.table, *row) && self.get(e.table, e.kind, *row) != opened;
                self.children(e.table, e.customer, members).into_iter().filter(used).map(|row| self.get(e.table, e.at, row)).collect()
            }
        };
        found.retain(|at| *at != NULL);
        found.sort_unstable();
        found
    }

    fn write_active(&mut self, row: u32, seen: &[i64], contracts: Vec<(i64, i64)>, after: impl Fn(&Self, i64) -> Vec<(usize, i64)>) {
        let (a, basis) = (self.known.customer_active, self.choices.activity_basis);
        let window = self.settings.days("activity_window_days");
        // A contract covers a time and a purchase the window after it; what meets is one stretch, which ends with what
        // reaches furthest.
        let until = |end: i64| if end == NULL { i64::MAX } else { end };
        let mut parts: Vec<(i64, i64, i64)> = contracts.into_iter().map(|c| (c.0, c.1, basis.contract)).collect();
        parts.extend(seen.iter().map(|at| (*at, at + window, basis.purchase)));
        parts.sort_unstable_by_key(|p| (p.0, until(p.1), p.2 != basis.contract));
        let mut stretches: Vec<(i64, i64, i64)> = Vec::new();
        for part in parts {
            match stretches.last_mut() {
                Some(last) if part.0 <= until(last.1) => {
                    if until(part.1) > until(last.1) {
                        (last.1, last.2) = (part.1, part.2);
                    }
                }
                _ => stretches.push(part),
            }
        }
        let lost = self.get(self.known.customer.table, self.known.customer.lost_at, row);
        if lost != NULL {
            for stretch in &mut stretches {
                let bought_later = seen.iter().any(|at| *at > lost && *at >= stretch.0);
                if stretch.0 <= lost && (stretch.1 == NULL || stretch.1 > lost) && !bought_later {
                    stretch.1 = lost;
                }
            }
        }
        let rows: Vec<Vec<(usize, i64)>> = stretches
            .iter()
            .filter(|(since, until, _)| *until == NULL || until > since)
            .map(|(since, until, basis)| {
                let own = [(a.active_since, *since), (a.active_until, *until), (a.basis, *basis)];
                own.into_iter().chain(after(self, *until)).collect()
            })
            .collect();
        let counted = self.counted(self.known.customer.table, row);
        self.replace(a.table, a.customer, row, counted, &rows);
    }

    /// Which lead the first purchase converts: the one that it is linked to, else the earliest open one.
    fn convert_leads(&mut self, members: &[u32], purchases: &[Purchase], first: Option<i64>) {
        let k = self.known;
        let l = k.lead;
        let (counted, others): (Vec<u32>, Vec<u32>) =
            self.children(l.table, l.customer, members).into_iter().partition(|row| self.counted(l.table, *row) && self.root(l.table, *row) == *row);
        for row in others {
            self.settle_lead(row, NULL, NULL);
        }
        let mut leads: Vec<(i64, Uuid, u32)> = counted
            .into_iter()
            .map(|row| (self.get(l.table, l.created_at, row), self.tables[l.table].id(row).unwrap_or_default(), row))
            .collect();
        leads.sort_unstable();
        let linked: Vec<i64> = purchases.iter().map(|p| self.lead_of(p.2)).collect();
        let first_linked = linked.first().copied().filter(|lead| *lead >= 0);
        let mut open = true;
        for (created, _, row) in leads {
            let was_customer = purchases.iter().zip(&linked).any(|(p, lead)| p.0 < created && *lead != i64::from(row))
                || (first.is_some_and(|f| f < created) && purchases.first().is_none_or(|p| first != Some(p.0)));
            let convertible = created == NULL || !was_customer;
            let mut converted = NULL;
            if convertible && open && created != NULL {
                let by_link = first_linked == Some(i64::from(row));
                let by_order = first_linked.is_none() && first.is_some_and(|f| f >= created);
                if by_link || by_order {
                    converted = first.unwrap_or(NULL);
                    open = false;
                }
            }
            self.settle_lead(row, i64::from(convertible), converted);
        }
    }

    /// The lead behind a purchase: of the deal itself, or of the order's deal.
    fn lead_of(&self, purchase: u32) -> i64 {
        let k = self.known;
        if self.settings.purchases_are_deals {
            return self.get(k.deal.table, k.deal.lead, purchase);
        }
        match self.get(k.order.table, k.order.deal, purchase) {
            deal if deal >= 0 => self.get(k.deal.table, k.deal.lead, deal as u32),
            _ => NULL,
        }
    }

    /// Sales cycles see the customer's contacts since its previous close.
    fn settle_cycles(&mut self, members: &[u32]) {
        let k = self.known;
        let d = k.deal;
        let contacts: Vec<i64> = self
            .children(k.interaction.table, k.interaction.customer, members)
            .into_iter()
            .filter(|row| self.get(k.interaction.table, k.interaction.deal, *row) == NULL)
            .map(|row| self.contact_at(row))
            .filter(|at| *at != NULL)
            .collect();
        let deals = self.children(d.table, d.customer, members);
        let closes: Vec<i64> = deals
            .iter()
            .filter(|row| self.counted(d.table, **row))
            .map(|row| self.get(d.table, d.closed_at, *row))
            .filter(|at| *at != NULL)
            .collect();
        for deal in deals {
            let created = self.get(d.table, d.created_at, deal);
            let previous = closes.iter().copied().filter(|at| created != NULL && *at <= created).max().unwrap_or(NULL);
            self.derive_cycle(deal, previous, &contacts);
        }
    }

    pub(crate) fn derive_contract(&mut self, row: u32) {
        let n = self.known.contract;
        let get = |column| self.get(n.table, column, row);
        let (start, term_end, ended, grace) = (get(n.starts_at), get(n.term_end), get(n.ended_at), self.settings.days("renewal_grace_days"));
        let customer = get(n.customer);
        let day = if start == NULL { i32::MAX } else { self.settings.zone.day(start) };
        let value = self.convert(get(n.value__raw), get(n.value__cur), day);
        let successor = get(n.successor);
        let next_start = if successor >= 0 && self.is_fit(n.table, successor as u32) { self.get(n.table, n.starts_at, successor as u32) } else { NULL };
        let followed = term_end != NULL && next_start != NULL && next_start <= term_end + grace;
        let goes_on = get(n.auto_renew) == 1 && ended == NULL;
        let outcomes = self.choices.contract_outcome;
        let (outcome, decided) = if term_end == NULL {
            (NULL, NULL)
        } else if followed {
            (outcomes.renewed, next_start.min(term_end))
        } else if goes_on {
            (outcomes.renewed, term_end)
        } else if ended != NULL && ended < term_end {
            (outcomes.not_renewed, ended)
        } else {
            (outcomes.not_renewed, term_end + grace)
        };
        let (raw, currency, months) = (get(n.value__raw), get(n.value__cur), get(n.value_months).max(1));
        let a_month = |ticks: i64| if ticks == NULL { NULL } else { div_half_even(i128::from(ticks), i128::from(months)).unwrap_or(NULL) };
        let monthly = [(n.monthly, a_month(value)), (n.monthly__raw, a_month(raw)), (n.monthly__cur, currency)];
        self.set(n.table, n.value, row, value);
        let until = if goes_on { NULL } else if ended != NULL { ended } else { term_end };
        for (column, ticks) in monthly {
            self.set(n.table, column, row, ticks);
        }
        self.set(n.table, n.active_until, row, until);
        self.set(n.table, n.outcome, row, outcome);
        self.set(n.table, n.decided_at, row, decided);
        let fits = self.allowed_by(customer);
        self.count_if(n.table, row, fits);
    }
}
