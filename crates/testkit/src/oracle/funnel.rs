//! The oracle on how far leads came: every lead of the period, asked for everything that happened to it.

use super::{DAY, Oracle, Purchase, Said, said};
use uuid::Uuid;

impl Oracle<'_> {
    pub(super) fn funnel(&self, step: &str, start: i64, end: i64, purchases: &[Purchase]) -> Said {
        let steps = ["to_contact", "to_qualified", "to_deal", "to_win", "lead_funnel"];
        let from = steps.iter().position(|s| *s == step).unwrap_or(0);
        let (mut came, mut all) = (0, 0);
        for (created, _, secs, id) in self.leads(purchases) {
            let Some(created) = created.filter(|c| *c >= start && *c < end) else { continue };
            all += 1;
            let taken = self.steps_of_lead(id, secs.map(|s| created + s));
            // The step itself, or one after it.
            let first = taken[from..].iter().flatten().min().map(|at| (at - created).max(0));
            came += i128::from(first.is_some_and(|s| s <= self.days["convert"] * DAY && created + s <= self.now));
        }
        said(came, Some(all), 1.0)
    }

    fn steps_of_lead(&self, id: Uuid, converted: Option<i64>) -> [Option<i64>; 5] {
        let answered = self.world.all("interaction").filter(|(_, i)| i.reference("lead").is_some_and(|l| self.root("lead", l) == id));
        let answered = answered.filter(|(_, i)| self.is_contact(i) && i.text("direction") == "out" && i.value("connected") != &northing_model::Value::Bool(false)).filter_map(|(_, i)| i.time("at")).min();
        let lead = self.world.get("lead", id);
        let deals: Vec<_> = self.deals().into_iter().filter(|d| d.1.reference("lead").is_some_and(|l| self.root("lead", l) == id)).collect();
        let made = deals.iter().filter_map(|d| d.1.time("created_at")).min();
        let won = deals.iter().filter(|d| d.2 == "won").filter_map(|d| d.3).chain(converted).min();
        let customer = lead.and_then(|e| self.customer_of(e));
        let of_it = |e: &super::Entry| {
            let by_deal = e.reference("deal").is_some_and(|d| deals.iter().any(|own| own.0 == d));
            let by_customer = customer.is_some() && self.customer_of(e) == customer && converted.is_some_and(|c| e.time("confirmed_at").is_some_and(|at| at >= c));
            self.order_valid(e) && (by_deal || by_customer)
        };
        let paid = self.world.all("payment").filter(|(_, p)| self.counted("payment", p) && p.text("kind") == "payment");
        let paid = paid.filter(|(_, p)| p.reference("order").and_then(|o| self.world.get("order", o)).is_some_and(of_it)).filter_map(|(_, p)| p.time("at")).min();
        [answered, lead.and_then(|e| self.qualified(e)), made, won, paid]
    }
}
