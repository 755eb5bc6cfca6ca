//! The oracle on growth, plans, goals, lifespan and what customers, the CRM and routine work are worth.

use super::{DAY, Entry, Oracle, together};
use northing_model::{Calendar, Period, Value};
use std::collections::BTreeMap;
use uuid::Uuid;

fn over(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b)
}

/// The same days some months earlier.
fn months_before(days: Period, months: i32) -> Period {
    let back = |day| Calendar::Gregorian.add_months(day, -months);
    Period { start: back(days.start), end: back(days.end) }
}

impl Oracle<'_> {
    /// `days` is the whole period, `start` and `end` what of it has passed.
    pub(super) fn worth_of(&self, metric: &str, days: Period, start: i64, end: i64) -> Option<f64> {
        match metric {
            "revenue_growth" => {
                let (from, to) = self.same_part(self.just_before(days), days, end);
                let (this, earlier) = (self.value("revenue", start, end), self.value("revenue", from, to));
                over(this.zip(earlier).map(|(a, b)| a - b), earlier)
            }
            "forecast_revenue" => {
                let whole = self.zone.midnight(days.end);
                if end >= whole {
                    return None;
                }
                let planned = self.value("planned_orders", start, whole).filter(|p| *p > 0.0)?;
                let each = self.value("average_purchase_value", end - 90 * DAY, end)?;
                Some(self.value("revenue", start, end)? + each * planned * (whole - end) as f64 / (whole - start) as f64)
            }
            "average_customer_lifespan" => self.lifespan(days, end),
            "customer_lifetime_value" => self.lifetime_value(days, start, end),
            "ltv_cac_ratio" => {
                let (from, value) = (end - 365 * DAY, self.lifetime_value(days, start, end));
                // At the margin where costs are known, else on revenue.
                let margin = over(Some(self.value("customer_profit", from, end)?), Some(self.value("revenue", from, end)?));
                over(value.map(|v| v * margin.unwrap_or(1.0)), self.value("customer_acquisition_cost", from, end))
            }
            "routine_task_time" => {
                let entries: Vec<&Entry> = self.world.all("time_entry").filter(|(_, t)| self.counted("time_entry", t)).map(|(_, t)| t).collect();
                let inside = |t: &&&Entry| t.flag("is_routine") && t.time("started_at").is_some_and(|at| at >= start && at < end);
                let spent = |t: &Entry| t.time("ended_at").unwrap_or(self.now) - t.time("started_at").unwrap_or(0);
                let seconds: i64 = entries.iter().filter(inside).map(|t| spent(t)).filter(|s| *s >= 0).sum();
                let weeks = self.people_at_work(None, start, end)? * (end - start) as f64 / (7 * DAY) as f64;
                // Of less than a week of somebody's time nothing is said.
                over((!entries.is_empty()).then_some(seconds as f64 / 3_600.0), Some(weeks).filter(|w| *w >= 1.0))
            }
            "crm_roi" => {
                let settings = self.world.all("workspace").find(|(_, e)| !e.deleted).map(|(_, e)| e)?;
                let profit = self.value("customer_profit", start, end)?;
                let before = match settings.time("crm_baseline_profit") {
                    Some(monthly) => monthly as f64 / 1e6 * ((end - start) as f64 / DAY as f64 / (365.25 / 12.0)),
                    None => {
                        let live = settings.time("crm_go_live_on")?;
                        let mut earlier = days;
                        while i64::from(earlier.end) > live {
                            earlier = months_before(earlier, 12);
                        }
                        let (from, to) = self.same_part(earlier, days, end);
                        if !self.any_business(from, to) {
                            return None;
                        }
                        self.value("customer_profit", from, to)?
                    }
                };
                let parts = self.cost_parts();
                let spent = together(parts.iter().filter(|p| p.0 >= start && p.0 < end && p.2 == "crm").map(|p| p.1))?;
                let cost = (!parts.is_empty()).then_some(spent as f64 / 10_000.0);
                let credit = settings.time("crm_credit_percent").unwrap_or(100) as f64 / 100.0;
                over(cost.map(|cost| (profit - before) * credit - cost), cost)
            }
            "goal_progress" => self.progress(days),
            "customer_health_score" => self.health(end),
            _ => None,
        }
    }

    /// Did anything happen that a profit is made of?
    fn any_business(&self, from: i64, to: i64) -> bool {
        let within = |at: &i64| *at >= from && *at < to;
        let served = |p: &(i64, Option<i64>, String)| ["service", "product", "retention", "overhead"].contains(&p.2.as_str());
        let costs = self.cost_parts().iter().any(|p| within(&p.0) && served(p));
        costs || self.revenue(&self.purchases()).iter().any(|r| within(&r.0)) || self.line_costs().iter().any(|c| within(&c.0))
    }

    fn just_before(&self, days: Period) -> Period {
        match days.whole_months(Calendar::Gregorian) {
            Some(months) => months_before(days, months),
            None => Period { start: 2 * days.start - days.end, end: days.start },
        }
    }
    /// An earlier period as instants: as much of it as has passed of the period itself.
    fn same_part(&self, earlier: Period, days: Period, end: i64) -> (i64, i64) {
        let (from, whole) = (self.zone.midnight(earlier.start), self.zone.midnight(earlier.end));
        let passed = end - self.zone.midnight(days.start);
        (from, if end >= self.zone.midnight(days.end) { whole } else { whole.min(from + passed) })
    }

    /// Years until the churn of the last twelve months would have taken everybody, at most the workspace's cap.
    fn lifespan(&self, days: Period, end: i64) -> Option<f64> {
        let last = if end >= self.zone.midnight(days.end) { days.end } else { self.zone.day(end) };
        let stay: Vec<f64> = (0..12)
            .filter_map(|back| {
                let month = |n: i32| self.zone.midnight(Calendar::Gregorian.add_months(last, -n));
                self.value("customer_churn_rate", month(back + 1), month(back).min(self.now))
            })
            .map(|churn| 1.0 - churn)
            .collect();
        let churn = 1.0 - stay.iter().product::<f64>();
        let cap = self.days["cap"] as f64;
        (!stay.is_empty()).then(|| if churn > 0.0 { (1.0 / churn).min(cap) } else { cap })
    }
    fn lifetime_value(&self, days: Period, start: i64, end: i64) -> Option<f64> {
        self.value("average_customer_value", start, end).zip(self.lifespan(days, end)).map(|(a, b)| a * b)
    }

    pub(super) fn goals_due(&self, days: Period) -> BTreeMap<Uuid, &Entry> {
        let due = |g: &Entry| g.time("ends_on").is_some_and(|to| to >= i64::from(days.start) && to < i64::from(days.end));
        let ordered = |g: &Entry| g.time("starts_on").zip(g.time("ends_on")).is_some_and(|(a, b)| b >= a);
        self.world.all("goal").filter(|(_, g)| Self::exists(g) && Self::own_fit("goal", g) && due(g) && ordered(g)).collect()
    }
    /// Those that are not part of another one among them.
    pub(super) fn on_top<'g>(goals: &BTreeMap<Uuid, &'g Entry>) -> Vec<&'g Entry> {
        goals.values().filter(|g| g.reference("parent").is_none_or(|p| !goals.contains_key(&p))).copied().collect()
    }

    /// What a goal asked for when it was due, or at first where it was made later.
    pub(super) fn target(&self, g: &Entry) -> f64 {
        let due = self.zone.midnight(g.time("ends_on").unwrap_or(0) as i32 + 1) - 1;
        let mut told: Vec<(i64, u64, i64)> = Vec::new();
        for (seq, m) in g.moments.iter().filter(|(_, m)| m.field == "target") {
            if let Value::Decimal(asked) = m.value {
                told.push((m.at.unwrap_or(i64::MIN), *seq, asked));
            }
        }
        told.sort_unstable();
        let in_force = told.iter().rev().find(|t| t.0 <= due).or(told.first());
        in_force.map_or(g.time("target").unwrap_or(0), |t| t.2) as f64 / 1e6
    }

    /// How far the goals due in a period are; a goal with parts is as far as they are, by weight.
    fn progress(&self, days: Period) -> Option<f64> {
        let goals = self.goals_due(days);
        let decimal = |g: &Entry, field: &str| g.time(field).unwrap_or(0) as f64 / 1e6;
        let weight = |g: &Entry| g.time("weight").unwrap_or(1) as f64;
        let own = |g: &Entry| {
            let (from, to) = (g.time("starts_on")? as i32, g.time("ends_on")? as i32 + 1);
            let (from, to) = (self.zone.midnight(from), self.zone.midnight(to).min(self.now));
            let actual = self.value(g.text("kpi"), from, to)?;
            let way = self.target(g) - decimal(g, "baseline");
            (way != 0.0).then(|| (actual - decimal(g, "baseline")) / way)
        };
        let mean = |of: Vec<(Option<f64>, f64)>| {
            let known: Option<Vec<(f64, f64)>> = of.into_iter().map(|(p, w)| p.map(|p| (p * w, w))).collect();
            known.and_then(|k| over(Some(k.iter().map(|x| x.0).sum()), Some(k.iter().map(|x| x.1).sum())))
        };
        let tops = Self::on_top(&goals);
        let each = goals.iter().filter(|(_, g)| tops.iter().any(|t| std::ptr::eq(*t, **g))).map(|(id, g)| {
            let parts: Vec<(Option<f64>, f64)> = goals.values().filter(|p| p.reference("parent") == Some(*id)).map(|p| (own(p), weight(p))).collect();
            (if parts.is_empty() { own(g) } else { mean(parts) }, weight(g))
        });
        mean(each.collect())
    }

    /// The mean health of active customers: what is known of each, weighed; unknown with less than half the weight.
    fn health(&self, t: i64) -> Option<f64> {
        let purchases = self.purchases();
        let between = |worst: f64, best: f64, value: f64| ((value - worst) / (best - worst)).clamp(0.0, 1.0) * 100.0;
        let mut scores = Vec::new();
        for customer in self.active_set(t, &purchases) {
            let mut parts: Vec<(f64, f64)> = Vec::new();
            if let Some(last) = purchases.iter().filter(|p| p.customer == Some(customer) && p.at < t).map(|p| p.at).max() {
                parts.push((3.0, between(180.0, 14.0, (t - last) as f64 / DAY as f64)));
            }
            let engaged = self.world.all("engagement_event").filter(|(_, g)| self.counted("engagement_event", g) && self.customer_of(g) == Some(customer));
            let told = engaged.filter(|(_, g)| !["email_open", "purchase"].contains(&g.text("kind")) && g.time("at").is_some_and(|at| at < t && at >= t - 90 * DAY));
            parts.push((2.0, between(0.0, 6.0, told.count() as f64)));
            parts.push((2.0, between(3.0, 0.0, self.open_tickets_of(customer, t) as f64)));
            for (kinds, window, weight) in [(&["csat", "ces"][..], 180, 2.0), (&["nps"][..], 365, 1.0)] {
                let answers = kinds.iter().flat_map(|kind| self.answers(kind, false));
                let favour: Vec<i64> = answers.filter(|a| a.1 == Some(customer) && a.0 < t && a.0 >= t - window * DAY).map(|a| a.4).collect();
                if !favour.is_empty() {
                    parts.push((weight, between(0.0, 1e6, favour.iter().sum::<i64>() as f64 / favour.len() as f64)));
                }
            }
            let known: f64 = parts.iter().map(|p| p.0).sum();
            if known >= 5.0 {
                scores.push(parts.iter().map(|p| p.0 * p.1).sum::<f64>() / known);
            }
        }
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
}
