//! The oracle on numbers made of other numbers, and on goals: values only.

use super::{DAY, Oracle};
use northing_model::Period;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Oracle<'_> {
    pub(super) fn value(&self, metric: &str, start: i64, end: i64) -> Option<f64> {
        if start >= end { None } else { self.say(metric, start, end).and_then(|s| s.value) }
    }

    /// The mean number of people with a role over a span, by their enabled stretches; less than one for a day is too few.
    pub(super) fn people_at_work(&self, role: Option<&str>, start: i64, end: i64) -> Option<f64> {
        let with_role = |id: Uuid| role.is_none_or(|role| self.world.get("user", id).is_some_and(|u| u.text("role") == role));
        let seconds = |(_, since, until): &(Uuid, i64, Option<i64>)| (until.unwrap_or(i64::MAX).min(end) - (*since).max(start)).max(0);
        let all: i64 = self.people().iter().filter(|p| with_role(p.0)).map(seconds).sum();
        (all == 0 || all >= DAY).then_some(all as f64 / (end - start) as f64)
    }

    /// Whose a deal was at an instant.
    fn owner_at(&self, e: &super::Entry, at: i64) -> Option<Uuid> {
        let told = e.moments.iter().filter(|(_, m)| m.field == "owner" && m.at.is_none_or(|t| t <= at));
        told.max_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq)).and_then(|(_, m)| m.value.as_ref_id())
    }

    /// `days` is the whole period, `start` and `end` what of it has passed.
    pub fn value_of(&self, metric: &str, days: Period, start: i64, end: i64) -> Option<f64> {
        let over = |a: Option<f64>, b: Option<f64>| a.zip(b).filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b);
        let within = |at: i64| at >= start && at < end;
        match metric {
            "mailing_list_growth" => over(self.value("list_net_change", start, end), self.value("list_subscribers", start - 1, start)),
            "retention_cost_per_customer" => over(self.value("retention_cost", start, end), self.say("customer_retention_rate", start, end).map(|s| s.num)),
            "retention_cost_ratio" => over(self.value("retention_cost", start, end), self.value("repeat_revenue", start, end)),
            "profit_per_customer" => {
                let mut who: BTreeSet<Uuid> = BTreeSet::new();
                if self.deals_are_purchases {
                    who.extend(self.deals().iter().filter(|d| d.2 == "won" && d.3.is_some_and(within)).filter_map(|d| self.customer_of(d.1)));
                } else {
                    who.extend(self.world.all("order").filter(|(_, e)| self.order_valid(e) && e.time("confirmed_at").is_some_and(within)).filter_map(|(_, e)| self.customer_of(e)));
                }
                who.extend(self.cost_parts_of().into_iter().filter(|p| within(p.0)).filter_map(|p| p.1));
                over(self.value("customer_profit", start, end), Some(who.len() as f64))
            }
            "sales_velocity" => {
                let from = end - 90 * DAY;
                let (open, rate) = (self.value("open_opportunities", start, end), self.value("win_rate", from, end));
                let product = open.zip(rate).zip(self.value("average_deal_value", from, end)).map(|((a, b), c)| a * b * c);
                // A cycle of less than a day counts as a day.
                let cycle = self.value("sales_cycle_length", from, end).filter(|c| *c > 0.0).map(|c| c.max(DAY as f64));
                over(product, cycle).map(|v| v * DAY as f64)
            }
            "deals_won_per_rep" => {
                let sold = |e: &super::Entry, closed: i64| self.owner_at(e, closed).and_then(|u| self.world.get("user", u)).is_some_and(|u| u.text("role") == "sales");
                let won = self.deals().iter().filter(|d| d.2 == "won" && d.3.is_some_and(|at| within(at) && sold(d.1, at))).count();
                over(Some(won as f64), self.people_at_work(Some("sales"), start, end))
            }
            "sales_activities_per_rep" => {
                let sells = |user: Uuid, at: i64| {
                    let mut told: Vec<_> = self.world.get("user", user)?.moments.iter().filter(|(_, m)| m.field == "role").map(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq, m.value.as_text().unwrap_or(""))).collect();
                    told.sort_unstable();
                    Some(told.iter().rev().find(|t| t.0 <= at).or(told.first())?.2 == "sales")
                };
                let done = self.world.all("interaction").filter(|(_, i)| {
                    let sent = i.text("direction") == "out" && ["email", "chat", "sms"].contains(&i.text("kind"));
                    let person = |u: &Uuid| self.world.get("user", *u).is_some_and(|u| !u.deleted && !u.flag("is_test") && !u.flag("is_service"));
                    let by = i.reference("user").filter(person).zip(i.time("at"));
                    self.counted("interaction", i) && i.text("author") == "human" && (sent || ["call", "meeting", "visit"].contains(&i.text("kind"))) && by.is_some_and(|(u, at)| within(at) && sells(u, at) == Some(true))
                });
                over(Some(done.count() as f64), self.people_at_work(Some("sales"), start, end))
            }
            "revenue_per_employee" => over(self.value("revenue", start, end), self.people_at_work(None, start, end)),
            "labour_cost_ratio" => {
                let labour: Vec<Option<i64>> = self.cost_shares().into_iter().filter(|p| within(p.0) && p.4).map(|p| p.1).collect();
                let cost: Option<i128> = labour.iter().map(|c| c.map(i128::from)).sum();
                over(cost.filter(|_| !labour.is_empty()).map(|c| c as f64 / 10_000.0), self.value("revenue", start, end))
            }
            "enabled_users" => self.people_at_work(None, start, end),
            "target_attainment" => {
                let (mut actual, mut target) = (Some(0.0), 0.0);
                let of_revenue = self.goals_due(days).into_iter().filter(|(_, g)| g.text("kpi") == "revenue").collect();
                for g in Self::on_top(&of_revenue) {
                    let (Some(from), Some(to)) = (g.time("starts_on"), g.time("ends_on")) else { continue };
                    let (from, to) = (self.zone.midnight(from as i32), self.zone.midnight(to as i32 + 1).min(self.now));
                    actual = actual.zip(self.value("revenue", from, to)).map(|(a, b)| a + b);
                    target += self.target(g);
                }
                over(actual, Some(target))
            }
            _ => self.worth_of(metric, days, start, end),
        }
    }
}
