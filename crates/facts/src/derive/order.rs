//! Orders with their lines and refunds (KPIS.md: revenue, average_purchase_value, G6).

use crate::Facts;
use crate::build::{EVER, NEVER};
use crate::column::NULL;
use northing_model::money::div_half_even;

impl Facts {
    /// The order's value, whether it is revenue and whether it counts as a purchase; its lines and refunds.
    pub(crate) fn derive_order(&mut self, row: u32) {
        let k = self.known;
        let o = k.order;
        let own = |f: &Self, column| f.get(o.table, column, row);
        let customer = own(self, o.customer);
        let fits = self.allowed_by(customer);
        self.count_if(o.table, row, fits);
        let counted = self.counted(o.table, row);
        let confirmed_at = own(self, o.confirmed_at);
        let foreign = self.fx.codes() > 1;
        let day = if confirmed_at == NULL || !foreign { i32::MAX } else { self.settings.zone.day(confirmed_at) };

        let currency = self.order_currency(row);
        // What the lines make, and the same as entered: null where one of them has no rate, or no amount.
        let (mut lines_total, mut lines_raw) = (Some(0i64), Some(0i64));
        let mut delivered = NULL;
        let mut lines = 0;
        for line in self.children(k.order_line.table, k.order_line.order, &[row]) {
            let exists = self.tables[k.order_line.table].flags(line) & crate::table::EXISTS != 0;
            self.count_if(k.order_line.table, line, counted);
            let ticks = self.line_ticks(line);
            let value = self.convert(ticks, currency, day);
            self.set(k.order_line.table, k.order_line.amount, line, value);
            self.set(k.order_line.table, k.order_line.amount__raw, line, ticks);
            let (cost_raw, cost) = self.line_cost(line, currency, day);
            self.set(k.order_line.table, k.order_line.cost, line, cost);
            self.set(k.order_line.table, k.order_line.cost__raw, line, cost_raw);
            let part = self.get(k.order_line.table, k.order_line.fulfilled_at, line);
            if exists && part != NULL {
                delivered = if delivered == NULL { part } else { delivered.max(part) };
            }
            if exists {
                lines += 1;
                let add = |sum: Option<i64>, part: i64| sum.filter(|_| part != NULL).and_then(|sum| sum.checked_add(part));
                (lines_total, lines_raw) = (add(lines_total, value), add(lines_raw, ticks));
            }
        }
        let (raw, raw_currency) = (own(self, o.net__raw), own(self, o.net__cur));
        let net = self.convert(raw, raw_currency, day);
        self.set(o.table, o.net, row, net);
        let amount = if lines > 0 { lines_total.unwrap_or(NULL) } else { net };
        let raw_amount = if lines > 0 { lines_raw.unwrap_or(NULL) } else { raw };
        let free = self.settings.free_orders_count;
        let priced = free || if lines > 0 { amount != 0 } else { raw > 0 };
        self.set(o.table, o.amount, row, amount);
        self.set(o.table, o.amount__raw, row, raw_amount);
        self.set(o.table, o.has_lines, row, i64::from(lines > 0));

        let sale = counted && own(self, o.status) == self.choices.order_status.confirmed;
        let valid = sale && confirmed_at != NULL;
        // Confirmed, and nobody recorded when: not after it was written down.
        let undated = sale && confirmed_at == NULL;
        let written = own(self, o.created_at);
        self.set(o.table, o.is_sale, row, i64::from(sale));
        self.set(o.table, o.undated_from, row, if undated { EVER } else { NULL });
        self.set(o.table, o.undated_to, row, if !undated { NULL } else if written == NULL { NEVER } else { written });
        self.set(o.table, o.revenue_at, row, if valid { confirmed_at } else { NULL });
        let appointment = own(self, o.kind) == self.choices.order_kind.appointment;
        let delivered = if appointment { own(self, o.accepted_at) } else if delivered == NULL { own(self, o.fulfilled_at) } else { delivered };
        let hours = self.business_secs(own(self, o.schedule), confirmed_at, delivered);
        self.set(o.table, o.process_business_secs, row, if valid { hours } else { NULL });
        self.set(o.table, o.processed_at, row, if valid { delivered } else { NULL });
        self.set(o.table, o.process_secs, row, if valid && delivered != NULL { delivered - confirmed_at } else { NULL });

        for payment in self.children(k.payment.table, k.payment.order, &[row]) {
            self.count_if(k.payment.table, payment, counted);
        }
        let (mut refunded, mut rateless): (i64, bool) = (0, false);
        for refund in self.children(k.refund.table, k.refund.order, &[row]) {
            self.count_if(k.refund.table, refund, counted);
            let r = k.refund;
            let (raw, currency) = (self.get(r.table, r.amount__raw, refund), self.get(r.table, r.amount__cur, refund));
            let value = self.convert(raw, currency, day);
            let at = self.get(r.table, r.at, refund);
            self.set(r.table, r.amount, refund, value);
            self.set(r.table, r.refunded_at, refund, if valid { at } else { NULL });
            self.set(r.table, r.customer, refund, customer);
            if self.counted(r.table, refund) {
                rateless |= value == NULL && raw != NULL;
                refunded = refunded.saturating_add(if value == NULL { 0 } else { value });
            }
        }
        let kept = if amount == NULL || rateless { NULL } else { amount.saturating_sub(refunded).max(NULL + 1) };
        // Free orders may count; orders refunded in full never do.
        let kept_something = amount == NULL || (amount > 0 && (rateless || kept > 0)) || (free && amount == 0);
        let purchase = valid && priced && kept_something;
        self.set(o.table, o.purchased_at, row, if purchase { confirmed_at } else { NULL });
        self.set(o.table, o.purchase_value, row, if purchase { kept } else { NULL });
        self.set(o.table, o.purchase_value__raw, row, if purchase { raw_amount } else { NULL });
        if customer < 0 || self.settings.purchases_are_deals {
            self.set_classes(o.table, row, [false; 4]);
            self.set(o.table, o.gap_secs, row, NULL);
            for line in self.children(k.order_line.table, k.order_line.order, &[row]) {
                self.set(k.order_line.table, k.order_line.is_upsell, line, 0);
                self.set(k.order_line.table, k.order_line.is_cross_sell, line, 0);
                self.set(k.order_line.table, k.order_line.step, line, NULL);
                self.set(k.order_line.table, k.order_line.step__raw, line, NULL);
            }
        }
    }

    /// A refund that names no order: by the rate of its own day, of no customer.
    pub(crate) fn derive_refund_alone(&mut self, row: u32) {
        let r = self.known.refund;
        if self.get(r.table, r.order, row) != NULL {
            return;
        }
        let at = self.get(r.table, r.at, row);
        let day = if at == NULL { i32::MAX } else { self.settings.zone.day(at) };
        let value = self.convert(self.get(r.table, r.amount__raw, row), self.get(r.table, r.amount__cur, row), day);
        self.set(r.table, r.amount, row, value);
        self.set(r.table, r.refunded_at, row, at);
        self.set(r.table, r.is_new, row, 0);
        self.set(r.table, r.customer, row, NULL);
        self.count_if(r.table, row, true);
    }

    /// Does the customer that a column holds, if any, let its records count?
    pub(crate) fn allowed_by(&self, customer: i64) -> bool {
        u32::try_from(customer).map_or(true, |row| self.customer_fits(row))
    }

    pub(crate) fn customer_fits(&self, row: u32) -> bool {
        self.tables[self.known.customer.table].flags(row) & crate::table::FIT != 0
            || self.tables[self.known.customer.table].flags(row) & crate::table::EXISTS == 0
    }

    /// A code of the order's currency: named, else that of its net value, else the reporting one.
    fn order_currency(&mut self, row: u32) -> i64 {
        let o = self.known.order;
        let named = self.tables[o.table].text(o.currency, row).and_then(|t| northing_model::Currency::parse(&t));
        match named {
            Some(currency) => self.fx.code(currency),
            None => match self.get(o.table, o.net__cur, row) {
                NULL => 0,
                code => code,
            },
        }
    }

    /// quantity × unit price − discount, in ticks of the order's currency.
    fn line_ticks(&self, line: u32) -> i64 {
        let l = self.known.order_line;
        let get = |column| self.get(l.table, column, line);
        let (quantity, price, discount) = (get(l.quantity), get(l.unit_price), get(l.discount));
        if quantity == NULL || price == NULL {
            return NULL;
        }
        let discount = if discount == NULL { 0 } else { discount };
        // millionths × millionths − millionths, to ten-thousandths
        let exact = i128::from(quantity) * i128::from(price) - i128::from(discount) * 1_000_000;
        div_half_even(exact, 100_000_000).unwrap_or(NULL)
    }

    /// What a line cost us: as written on it in the order's currency, else what its product costs. In ticks as entered
    /// and in the reporting currency.
    fn line_cost(&self, line: u32, currency: i64, day: i32) -> (i64, i64) {
        let (l, p) = (self.known.order_line, self.known.product);
        let (quantity, own) = (self.get(l.table, l.quantity, line), self.get(l.table, l.unit_cost, line));
        if quantity == NULL {
            return (NULL, NULL);
        }
        if own != NULL {
            let ticks = div_half_even(i128::from(quantity) * i128::from(own), 100_000_000).unwrap_or(NULL);
            return (ticks, self.convert(ticks, currency, day));
        }
        let Ok(product) = u32::try_from(self.get(l.table, l.product, line)) else { return (NULL, NULL) };
        let (cost, currency) = (self.get(p.table, p.cost__raw, product), self.get(p.table, p.cost__cur, product));
        if cost == NULL {
            return (NULL, NULL);
        }
        let ticks = div_half_even(i128::from(quantity) * i128::from(cost), 1_000_000).unwrap_or(NULL);
        (ticks, self.convert(ticks, currency, day))
    }

    /// First purchase, not the first, on a later day than the first, revenue from a new customer.
    pub(crate) fn set_classes(&mut self, table: usize, row: u32, classes: [bool; 4]) {
        let k = self.known;
        let (o, d) = (k.order, k.deal);
        let columns = if table == o.table { [o.is_first, o.is_repeat, o.is_another_day, o.is_new] } else { [d.is_first, d.is_repeat, d.is_another_day, d.is_new] };
        for (column, class) in columns.into_iter().zip(classes) {
            self.set(table, column, row, i64::from(class));
        }
        let new = classes[3];
        if table == k.order.table {
            for refund in self.children(k.refund.table, k.refund.order, &[row]) {
                self.set(k.refund.table, k.refund.is_new, refund, i64::from(new));
            }
        }
    }
}
