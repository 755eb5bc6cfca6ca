//! Many customers who come, buy again and stay away, from a seed: enough of them for a model of their value.

use crate::history::{History, START};
use northing_model::{Currency, Money, Record, Value};
use northing_store::{Change, Store};

const DAY: i64 = 86_400;
pub const CUSTOMERS: usize = 320;

impl History {
    /// Customers with their orders over a year, some tested, merged, refunded, free of charge or under contract.
    pub fn crowd(&mut self, store: &Store) {
        let euros = |minor| Value::Money(Money { minor, currency: Currency::parse("EUR").expect("a currency") });
        let fields = |list: Vec<(&str, Value)>| -> Record { list.into_iter().map(|(k, v)| (k.to_string(), v)).collect() };
        let settings = fields(vec![("name", Value::Text("Crowd".into())), ("zone", Value::Text("Asia/Tehran".into())), ("currency", Value::Text("EUR".into()))]);
        let mut changes = vec![Change::create("workspace", self.id(), settings)];
        for n in 0..CUSTOMERS {
            let (customer, name) = (self.id(), Value::Text(format!("C{n}")));
            let mut about = vec![("name", name), ("is_test", Value::Bool(self.chance.percent(3)))];
            if self.chance.percent(5) {
                if let Some(other) = self.some("customer") {
                    about.push(("merged_into", Value::Ref(other)));
                }
            } else {
                self.ids.entry("customer").or_default().push(customer);
            }
            changes.push(Change::create("customer", customer, fields(about)));
            let (gap, leaves, usual) = (self.chance.between(4, 60), *self.chance.pick(&[3, 6, 10, 20, 45]), *self.chance.pick(&[1_500, 2_500, 3_500, 5_000, 9_000]));
            let mut at = START + self.chance.between(0, 120 * DAY);
            while at < START + 365 * DAY {
                let order = self.id();
                let net = if self.chance.percent(4) { 0 } else { self.chance.between(usual / 2, usual * 2) };
                changes.push(Change::create("order", order, fields(vec![
                    ("number", Value::Text("O".into())), ("customer", Value::Ref(customer)), ("confirmed_at", Value::Time(at)), ("net", euros(net)), ("status", Value::Text("confirmed".into())),
                ])));
                if net > 0 && self.chance.percent(6) {
                    let id = self.id();
                    changes.push(Change::create("refund", id, fields(vec![("order", Value::Ref(order)), ("at", Value::Time(at + DAY)), ("amount", euros(self.chance.between(1, net)))])));
                }
                if self.chance.percent(leaves) {
                    break;
                }
                // Now and then twice on one day.
                at += if self.chance.percent(8) { 3_600 } else { self.chance.between(0, 2 * gap) * DAY + self.chance.between(0, DAY - 1) };
            }
            if self.chance.percent(6) {
                let id = self.id();
                changes.push(Change::create("contract", id, fields(vec![("plan", Value::Text("P".into())), ("customer", Value::Ref(customer)), ("starts_at", Value::Time(START)), ("value", euros(100))])));
            }
        }
        self.commit(store, changes);
    }
}
