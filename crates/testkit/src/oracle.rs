//! The oracle: every KPI row by row from the records, slowly and plainly, after KPIS.md.

mod derived;
mod funnel;
mod life;
mod predicted;
mod tickets;
mod value;

use crate::world::{Entry, World};
use northing_model::{Currency, Value, Zone};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

const DAY: i64 = 86_400;

/// What the oracle says of a metric: numerator, denominator and value. Money in ten-thousandths.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub num: f64,
    pub den: Option<f64>,
    pub value: Option<f64>,
}

fn said(num: i128, den: Option<i128>, scale: f64) -> Said {
    let num = num as f64 / scale;
    let value = match den {
        None => Some(num),
        Some(0) => None,
        Some(d) => Some(num / d as f64),
    };
    Said { num, den: den.map(|d| d as f64), value }
}

pub struct Oracle<'a> {
    world: &'a World,
    zone: Zone,
    reporting: Currency,
    deals_are_purchases: bool,
    now: i64,
    days: BTreeMap<&'static str, i64>,
}

/// An amount in ten-thousandths of the reporting currency: nothing where there is none, `Some(None)` where it has no rate.
type Amount = Option<Option<i64>>;

/// What amounts make together: nothing can be said where one of them has no rate.
fn together(amounts: impl Iterator<Item = Option<i64>>) -> Option<i128> {
    amounts.map(|a| a.map(i128::from)).sum()
}

/// A purchase: when, which record, whose, what it is worth.
#[derive(Debug, Clone)]
struct Purchase {
    at: i64,
    id: Uuid,
    customer: Option<Uuid>,
    worth: Amount,
    lead: Option<Uuid>,
}

/// A deal's stay: stage, entered, left.
type Stay = (Uuid, Option<i64>, Option<i64>);

fn half_even(n: i128, d: i128) -> i64 {
    let (q, r) = (n.div_euclid(d), n.rem_euclid(d));
    let up = 2 * r > d || (2 * r == d && q % 2 != 0);
    (q + i128::from(up)) as i64
}

impl<'a> Oracle<'a> {
    pub fn new(world: &'a World, now: i64) -> Self {
        let settings = world.all("workspace").find(|(_, e)| !e.deleted).map(|(_, e)| e.clone()).unwrap_or_default();
        let number = |key: &str, default: i64| settings.time(key).unwrap_or(default);
        let days = BTreeMap::from([
            ("active", number("activity_window_days", 365)),
            ("convert", number("conversion_window_days", 90)),
            ("stage", number("stage_window_days", 90)),
            ("grace", number("renewal_grace_days", 30)),
            ("new", number("new_customer_days", 0)),
            ("cap", number("lifespan_cap_years", 5)),
            ("back", number("win_back_days", 180)),
        ]);
        Self {
            world,
            zone: Zone::parse(settings.text("zone")).unwrap_or_else(Zone::utc),
            reporting: Currency::parse(settings.text("currency")).or_else(|| Currency::parse("EUR")).expect("a currency"),
            deals_are_purchases: settings.text("purchases") == "deals",
            now,
            days,
        }
    }

    fn exists(e: &Entry) -> bool {
        !e.deleted
    }
    fn own_fit(object: &str, e: &Entry) -> bool {
        let excluded = match object {
            "customer" => e.flag("is_test") || e.flag("is_internal"),
            "lead" => e.flag("is_test") || e.text("status") == "spam",
            "order_line" => false,
            "ticket" => e.flag("is_test") || e.flag("is_spam"),
            _ => e.flag("is_test"),
        };
        !excluded && e.reference("merged_into").is_none()
    }
    fn root(&self, object: &str, id: Uuid) -> Uuid {
        let mut at = id;
        while let Some(next) = self.world.get(object, at).and_then(|e| e.reference("merged_into")) {
            at = next;
        }
        at
    }
    fn customer_of(&self, e: &Entry) -> Option<Uuid> {
        e.reference("customer").map(|c| self.root("customer", c))
    }
    fn customer_allows(&self, customer: Option<Uuid>) -> bool {
        let Some(e) = customer.and_then(|c| self.world.get("customer", c)) else { return true };
        e.deleted || Self::own_fit("customer", e)
    }
    fn counted(&self, object: &str, e: &Entry) -> bool {
        Self::exists(e) && Self::own_fit(object, e) && self.customer_allows(self.customer_of(e))
    }

    fn rate(&self, currency: Currency, day: i32) -> Option<i64> {
        let mut best: Option<(i64, i64)> = None;
        for (_, r) in self.world.all("fx_rate").filter(|(_, r)| !r.deleted && Currency::parse(r.text("currency")) == Some(currency)) {
            let (on, rate) = (r.time("on")?, r.time("rate")?);
            if on <= i64::from(day) && best.is_none_or(|b| (on, rate) >= b) {
                best = Some((on, rate));
            }
        }
        best.map(|b| b.1)
    }
    fn convert(&self, ticks: i64, currency: Currency, day: i32) -> Option<i64> {
        if currency == self.reporting {
            return Some(ticks);
        }
        Some(half_even(i128::from(ticks) * i128::from(self.rate(currency, day)?), 1_000_000))
    }
    fn money(&self, v: &Value, day: i32) -> Amount {
        let Value::Money(m) = v else { return None };
        Some(self.convert(m.ticks()?, m.currency, day))
    }

    // Orders -----------------------------------------------------------------------------------------------

    fn lines(&self, order: Uuid) -> Vec<&Entry> {
        self.world.all("order_line").filter(|(_, l)| !l.deleted && l.reference("order") == Some(order)).map(|(_, l)| l).collect()
    }
    fn order_valid(&self, e: &Entry) -> bool {
        self.counted("order", e) && e.text("status") == "confirmed" && e.time("confirmed_at").is_some()
    }
    fn order_day(&self, e: &Entry) -> i32 {
        e.time("confirmed_at").map_or(i32::MAX, |t| self.zone.day(t))
    }
    /// Value in the reporting currency, and whether it has a price at all.
    fn order_amount(&self, id: Uuid, e: &Entry) -> (Amount, bool) {
        let day = self.order_day(e);
        let lines = self.lines(id);
        if lines.is_empty() {
            let priced = matches!(e.value("net"), Value::Money(m) if m.minor > 0);
            return (self.money(e.value("net"), day), priced);
        }
        let all: Option<Vec<Option<i64>>> = lines.into_iter().map(|l| self.line_amount(e, l)).collect();
        let total: Amount = all.map(|all| all.into_iter().sum());
        (total, total != Some(Some(0)))
    }
    /// A line of an order in the reporting currency.
    fn line_amount(&self, order: &Entry, l: &Entry) -> Amount {
        let currency = Currency::parse(order.text("currency")).or(match order.value("net") {
            Value::Money(m) => Some(m.currency),
            _ => None,
        });
        let (quantity, price) = l.time("quantity").zip(l.time("unit_price"))?;
        let ticks = half_even(i128::from(quantity) * i128::from(price) - i128::from(l.time("discount").unwrap_or(0)) * 1_000_000, 100_000_000);
        Some(self.convert(ticks, currency.unwrap_or(self.reporting), self.order_day(order)))
    }
    fn refunds_of(&self, order: Uuid, day: i32) -> Option<i64> {
        self.world
            .all("refund")
            .filter(|(_, r)| Self::exists(r) && Self::own_fit("refund", r) && r.reference("order") == Some(order))
            .filter_map(|(_, r)| self.money(r.value("amount"), day))
            .sum()
    }

    // Deals ------------------------------------------------------------------------------------------------

    fn stage_kind(&self, stage: Uuid) -> String {
        self.world.get("stage", stage).map(|s| s.text("kind").to_string()).unwrap_or_default()
    }
    fn stays(&self, e: &Entry) -> Vec<Stay> {
        let mut moments: Vec<_> = e.moments.iter().filter(|(_, m)| m.field == "stage").collect();
        moments.sort_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
        // The last word on each instant.
        let mut by_time: Vec<(Option<i64>, Option<Uuid>)> = Vec::new();
        for (_, m) in moments {
            if by_time.last().is_some_and(|last| last.0 == m.at) {
                by_time.pop();
            }
            by_time.push((m.at, m.value.as_ref_id()));
        }
        let mut stays: Vec<(Option<Uuid>, Option<i64>, Option<i64>)> = Vec::new();
        for (at, stage) in by_time {
            match stays.last_mut() {
                Some(last) if last.0 == stage => last.1 = last.1.or(at),
                Some(last) => {
                    last.2 = at;
                    stays.push((stage, at, None));
                }
                None => stays.push((stage, at, None)),
            }
        }
        let mut stays: Vec<Stay> = stays.into_iter().filter_map(|(s, a, b)| s.map(|s| (s, a, b))).collect();
        // Where all deals begin a deal was from the day on which it was made; since when it was elsewhere nobody said.
        let next = stays.get(1).and_then(|s| s.1);
        if let Some(first) = stays.first_mut().filter(|s| s.1.is_none() && self.is_first_stage(s.0)) {
            first.1 = e.time("created_at").filter(|made| next.is_none_or(|next| *made < next));
        }
        stays.into_iter().map(|(s, a, b)| (s, a, b.filter(|_| a.is_some()))).collect()
    }
    fn is_first_stage(&self, stage: Uuid) -> bool {
        let place = |s: &Entry| (s.reference("pipeline"), s.time("position"));
        let Some(own) = self.world.get("stage", stage).map(place) else { return false };
        let open = |s: &Entry| !s.deleted && s.text("kind") == "open";
        self.stage_kind(stage) == "open" && !self.world.all("stage").any(|(_, s)| open(s) && place(s).0 == own.0 && place(s).1 < own.1)
    }
    /// From when on anything is known of how a deal stood: its first dated moment, or its making, if it was open then.
    fn placed_from(&self, e: &Entry) -> Option<i64> {
        let dated = e.moments.iter().filter_map(|(_, m)| m.at).min();
        let at_first = e.moments.iter().filter(|(_, m)| m.field == "stage" && m.at.is_none()).max_by_key(|(seq, _)| *seq).and_then(|(_, m)| m.value.as_ref_id());
        let made = e.time("created_at").filter(|_| at_first.is_some_and(|s| self.stage_kind(s) == "open"));
        [dated, made].into_iter().flatten().min()
    }
    fn outcome(&self, e: &Entry) -> (String, Option<i64>) {
        let stays = self.stays(e);
        let Some(last) = stays.last() else { return ("open".into(), None) };
        let kind = self.stage_kind(last.0);
        if kind == "open" || kind.is_empty() {
            return ("open".into(), None);
        }
        let run = stays.iter().rev().take_while(|s| self.stage_kind(s.0) == kind).last();
        (kind, run.and_then(|s| s.1))
    }
    fn deal_amount(&self, e: &Entry, closed: Option<i64>) -> Amount {
        self.money(e.value("amount"), closed.map_or(i32::MAX, |t| self.zone.day(t)))
    }
    fn deals(&self) -> Vec<(Uuid, &Entry, String, Option<i64>)> {
        self.world
            .all("deal")
            .filter(|(_, e)| self.counted("deal", e))
            .map(|(id, e)| {
                let (outcome, closed) = self.outcome(e);
                (id, e, outcome, closed)
            })
            .collect()
    }

    // Purchases and customers ------------------------------------------------------------------------------

    fn purchases(&self) -> Vec<Purchase> {
        let mut found: Vec<Purchase> = Vec::new();
        if self.deals_are_purchases {
            for (id, e, outcome, closed) in self.deals() {
                let free = matches!(e.value("amount"), Value::Money(m) if m.minor == 0);
                if let (true, Some(at), false) = (outcome == "won", closed, free) {
                    found.push(Purchase { at, id, customer: self.customer_of(e), worth: self.deal_amount(e, closed), lead: e.reference("lead").map(|l| self.root("lead", l)) });
                }
            }
        } else {
            for (id, e) in self.world.all("order").filter(|(_, e)| self.order_valid(e)) {
                let (amount, priced) = self.order_amount(id, e);
                let refunds = self.refunds_of(id, self.order_day(e));
                let kept: Amount = amount.map(|a| a.zip(refunds).map(|(a, r)| a - r));
                let fine = priced && amount.flatten().is_none_or(|a| a > 0 && refunds.is_none_or(|r| a - r > 0));
                if fine {
                    let lead = e.reference("deal").and_then(|d| self.world.get("deal", d)).and_then(|d| d.reference("lead")).map(|l| self.root("lead", l));
                    found.push(Purchase { at: e.time("confirmed_at").unwrap_or(0), id, customer: self.customer_of(e), worth: kept, lead });
                }
            }
        }
        found.sort_by_key(|p| (p.at, p.id));
        found
    }

    fn customers(&self) -> BTreeSet<Uuid> {
        let named = self.world.all("customer").map(|(id, _)| self.root("customer", id));
        named.collect()
    }
    fn customer_counts(&self, id: Uuid) -> bool {
        self.world.get("customer", id).is_some_and(|e| !e.deleted && Self::own_fit("customer", e))
    }

    fn contract_runs(&self, customer: Uuid) -> Vec<(i64, i64)> {
        let mut terms: Vec<(i64, i64)> = Vec::new();
        for (_, e) in self.world.all("contract").filter(|(_, e)| self.counted("contract", e) && self.customer_of(e) == Some(customer)) {
            let Some(start) = e.time("starts_at") else { continue };
            let goes_on = e.flag("auto_renew") && e.time("ended_at").is_none();
            let end = if goes_on { i64::MAX } else { e.time("ended_at").or(e.time("term_end")).unwrap_or(i64::MAX) };
            if end > start {
                terms.push((start, end));
            }
        }
        terms.sort_unstable();
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for (start, end) in terms {
            match runs.last_mut() {
                Some(last) if start <= last.1.saturating_add(self.days["grace"] * DAY) => last.1 = last.1.max(end),
                _ => runs.push((start, end)),
            }
        }
        runs
    }
    fn first_of(&self, customer: Uuid, purchases: &[Purchase]) -> Option<i64> {
        let bought = purchases.iter().find(|p| p.customer == Some(customer)).map(|p| p.at);
        let signed = self.contract_runs(customer).first().map(|r| r.0);
        [bought, signed].into_iter().flatten().min()
    }
    fn active(&self, customer: Uuid, t: i64, purchases: &[Purchase]) -> bool {
        let mine: Vec<i64> = purchases.iter().filter(|p| p.customer == Some(customer)).map(|p| p.at).collect();
        // A contract or a purchase, whichever keeps them longer.
        let mut parts = self.contract_runs(customer);
        parts.extend(mine.iter().map(|at| (*at, at + self.days["active"] * DAY)));
        parts.sort_unstable();
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for (since, until) in parts {
            match runs.last_mut() {
                Some(last) if since <= last.1 => last.1 = last.1.max(until),
                _ => runs.push((since, until)),
            }
        }
        let lost = self.world.get("customer", customer).and_then(|e| e.time("lost_at"));
        runs.iter().any(|(since, until)| {
            let cut = lost.filter(|l| since <= l && until > l && !mine.iter().any(|p| p > l && p >= since));
            let until = cut.unwrap_or(*until);
            since < &t && t <= until
        })
    }
    fn active_set(&self, t: i64, purchases: &[Purchase]) -> BTreeSet<Uuid> {
        self.customers().into_iter().filter(|c| self.customer_counts(*c) && self.active(*c, t, purchases)).collect()
    }

    /// Is revenue of this record from a new customer?
    fn is_new(&self, id: Uuid, at: i64, customer: Option<Uuid>, purchases: &[Purchase]) -> bool {
        let Some(customer) = customer else { return false };
        if purchases.iter().find(|p| p.customer == Some(customer)).is_some_and(|p| p.id == id) {
            return true;
        }
        self.first_of(customer, purchases).is_none_or(|f| at <= f + self.days["new"] * DAY)
    }

    /// Revenue entries: (when, ten-thousandths if it has a rate, from a new customer).
    fn revenue(&self, purchases: &[Purchase]) -> Vec<(i64, Option<i64>, bool)> {
        let mut found = Vec::new();
        if self.deals_are_purchases {
            for (id, e, outcome, closed) in self.deals() {
                if let (true, Some(at), Some(amount)) = (outcome == "won", closed, self.deal_amount(e, closed)) {
                    found.push((at, amount, self.is_new(id, at, self.customer_of(e), purchases)));
                }
            }
        }
        for (id, e) in self.world.all("order").filter(|(_, e)| self.order_valid(e)) {
            let at = e.time("confirmed_at").unwrap_or(0);
            let new = !self.deals_are_purchases && self.is_new(id, at, self.customer_of(e), purchases);
            if let (false, Some(amount)) = (self.deals_are_purchases, self.order_amount(id, e).0) {
                found.push((at, amount, new));
            }
            for (_, r) in self.world.all("refund").filter(|(_, r)| Self::exists(r) && Self::own_fit("refund", r) && r.reference("order") == Some(id)) {
                if let (Some(at), Some(amount)) = (r.time("at"), self.money(r.value("amount"), self.order_day(e))) {
                    found.push((at, amount.map(|a| -a), new));
                }
            }
        }
        for (_, r) in self.world.all("refund").filter(|(_, r)| Self::exists(r) && Self::own_fit("refund", r) && r.reference("order").is_none()) {
            if let Some(at) = r.time("at") {
                if let Some(amount) = self.money(r.value("amount"), self.zone.day(at)) {
                    found.push((at, amount.map(|a| -a), false));
                }
            }
        }
        found
    }

    // Leads ------------------------------------------------------------------------------------------------

    fn lead_members(&self, root: Uuid) -> Vec<&Entry> {
        self.world.all("lead").filter(|(id, _)| self.root("lead", *id) == root).map(|(_, e)| e).collect()
    }
    fn lead_created(&self, root: Uuid) -> Option<i64> {
        self.lead_members(root).iter().filter_map(|e| e.time("created_at")).min()
    }
    fn is_contact(&self, e: &Entry) -> bool {
        // Whoever it was with: a contact is a contact.
        Self::exists(e) && Self::own_fit("interaction", e) && e.text("author") == "human" && e.text("kind") != "note"
    }
    /// (created, convertible, seconds to conversion, which) of every lead that counts.
    fn leads(&self, purchases: &[Purchase]) -> Vec<(Option<i64>, bool, Option<i64>, Uuid)> {
        let mut found = Vec::new();
        let mut by_customer: BTreeMap<Uuid, Vec<(Option<i64>, Uuid)>> = BTreeMap::new();
        for (id, e) in self.world.all("lead").filter(|(_, e)| self.counted("lead", e)) {
            match self.customer_of(e) {
                None => found.push((self.lead_created(id), true, None, id)),
                Some(c) => by_customer.entry(c).or_default().push((self.lead_created(id), id)),
            }
        }
        for (customer, mut leads) in by_customer {
            leads.sort_by_key(|(at, id)| (at.unwrap_or(i64::MIN), *id));
            let mine: Vec<&Purchase> = purchases.iter().filter(|p| p.customer == Some(customer)).collect();
            let first = self.first_of(customer, purchases);
            let first_is_contract = first.is_some() && mine.first().map(|p| p.at) != first;
            let linked_first = mine.first().and_then(|p| p.lead);
            let mut taken = false;
            for (created, id) in leads {
                let Some(at) = created else {
                    found.push((None, true, None, id));
                    continue;
                };
                let before = mine.iter().any(|p| p.at < at && p.lead != Some(id)) || (first_is_contract && first.is_some_and(|f| f < at));
                let wins = !before && !taken && match linked_first {
                    Some(lead) => lead == id,
                    None => first.is_some_and(|f| f >= at),
                };
                taken |= wins;
                found.push((created, !before, if wins { first.map(|f| f - at) } else { None }, id));
            }
        }
        found
    }
    fn lead_responses(&self) -> Vec<(i64, i64)> {
        let mut found = Vec::new();
        for (id, _) in self.world.all("lead").filter(|(_, e)| self.counted("lead", e)) {
            let answers = self.world.all("interaction").filter(|(_, i)| {
                i.reference("lead").is_some_and(|l| self.root("lead", l) == id) && self.is_contact(i) && i.text("direction") == "out" && i.value("connected") != &Value::Bool(false)
            });
            let first = answers.filter_map(|(_, i)| i.time("at")).min();
            if let (Some(first), Some(created)) = (first, self.lead_created(id)) {
                found.push((first, first - created));
            }
        }
        found
    }

    /// Seconds from the first contact to the close of a won deal.
    fn cycle(&self, id: Uuid, e: &Entry, closed: i64) -> Option<i64> {
        let created = e.time("created_at");
        let customer = self.customer_of(e);
        let previous = customer.and_then(|c| {
            let others = self.deals().into_iter().filter(|(_, o, _, _)| self.customer_of(o) == Some(c));
            others.filter_map(|(_, _, _, at)| at).filter(|at| created.is_some_and(|c| *at <= c)).max()
        });
        let lead = e.reference("lead").map(|l| self.root("lead", l));
        let mut starts: Vec<i64> = lead.and_then(|l| self.lead_created(l)).into_iter().collect();
        for (_, i) in self.world.all("interaction").filter(|(_, i)| self.is_contact(i)) {
            let of_lead = lead.is_some() && i.reference("lead").map(|l| self.root("lead", l)) == lead;
            let of_deal = i.reference("deal") == Some(id);
            let of_customer = customer.is_some() && i.reference("deal").is_none() && self.customer_of(i) == customer;
            if of_lead || of_deal || of_customer {
                starts.extend(i.time("at"));
            }
        }
        let usable = starts.into_iter().filter(|at| *at <= closed && previous.is_none_or(|p| *at > p));
        usable.chain(created).min().map(|s| closed - s)
    }

    /// When costs that serve customers fell, and of whom, where that is known.
    fn cost_parts_of(&self) -> Vec<(i64, Option<Uuid>)> {
        let served = |p: &(i64, Option<i64>, String, Option<Uuid>, bool)| ["service", "product", "retention", "overhead"].contains(&p.2.as_str());
        self.cost_shares().into_iter().filter(served).map(|p| (p.0, p.3)).collect()
    }
    /// (day's instant, ten-thousandths if there is a rate, purpose)
    fn cost_parts(&self) -> Vec<(i64, Option<i64>, String)> {
        self.cost_shares().into_iter().map(|p| (p.0, p.1, p.2)).collect()
    }
    /// The same with whose it is and whether it is for people's work.
    fn cost_shares(&self) -> Vec<(i64, Option<i64>, String, Option<Uuid>, bool)> {
        let mut found = Vec::new();
        for (_, e) in self.world.all("expense").filter(|(_, e)| self.counted("expense", e)) {
            let Some(incurred) = e.time("incurred_on") else { continue };
            let Some(amount) = self.money(e.value("amount"), incurred as i32) else { continue };
            let span = e.time("service_from").zip(e.time("service_to")).filter(|(a, b)| b >= a && b - a < 3_660);
            let (first, days) = span.map_or((incurred, 1), |(a, b)| (a, b - a + 1));
            let order = ["lead_generation", "sales_acquisition", "retention", "service", "product", "crm", "overhead"];
            let shares: Vec<(&str, i128)> = match e.value("purposes") {
                Value::Shares(s) => order.iter().filter_map(|p| s.get(*p).map(|n| (*p, i128::from(*n)))).filter(|s| s.1 > 0).collect(),
                _ => vec![("overhead", 100)],
            };
            let mut before = 0i128;
            for (purpose, share) in shares {
                let part = amount.map(|amount| {
                    let upto = |s: i128| (i128::from(amount) * s).div_euclid(100);
                    upto(before + share) - upto(before)
                });
                before += share;
                for n in 0..i128::from(days) {
                    let d = i128::from(days);
                    let value = part.map(|part| ((part * (n + 1)).div_euclid(d) - (part * n).div_euclid(d)) as i64);
                    found.push((self.zone.midnight((first + n as i64) as i32), value, purpose.to_string(), self.customer_of(e), e.text("nature") == "labour"));
                }
            }
        }
        found
    }

    /// A metric over [start, end), both cut at the clock by the caller.
    pub fn say(&self, metric: &str, start: i64, end: i64) -> Option<Said> {
        let within = |t: i64| t >= start && t < end;
        let purchases = self.purchases();
        let count = |n: usize| said(n as i128, None, 1.0);
        let ratio = |n: usize, d: usize| said(n as i128, Some(d as i128), 1.0);
        Some(match metric {
            "revenue" | "net_new_revenue" | "repeat_revenue" => {
                let keep = |new: bool| metric == "revenue" || (metric == "net_new_revenue") == new;
                let sum = together(self.revenue(&purchases).iter().filter(|r| within(r.0) && keep(r.2)).map(|r| r.1));
                said(sum?, None, 10_000.0)
            }
            "deals_won" => count(self.deals().iter().filter(|d| d.2 == "won" && d.3.is_some_and(within)).count()),
            "deals_created" => count(self.deals().iter().filter(|d| d.1.time("created_at").is_some_and(within)).count()),
            "average_deal_value" => {
                let values: Vec<Option<i64>> = self.deals().iter().filter(|d| d.2 == "won" && d.3.is_some_and(within)).filter_map(|d| self.deal_amount(d.1, d.3)).collect();
                said(together(values.iter().copied())?, Some(values.len() as i128), 10_000.0)
            }
            "average_purchase_value" => {
                let values: Vec<Option<i64>> = purchases.iter().filter(|p| within(p.at)).filter_map(|p| p.worth).collect();
                said(together(values.iter().copied())?, Some(values.len() as i128), 10_000.0)
            }
            "pipeline_value" | "open_opportunities" => {
                // Added up in each currency and converted once, at the rate of the end.
                let mut by_currency: BTreeMap<Currency, i64> = BTreeMap::new();
                let mut open = 0;
                for (_, e) in self.world.all("deal").filter(|(_, e)| self.counted("deal", e)) {
                    let before = |m: &northing_store::Moment| m.at.is_none_or(|a| a < end);
                    let dated = self.placed_from(e).is_some_and(|from| from < end);
                    let stage = e.moments.iter().filter(|(_, m)| m.field == "stage" && before(m)).max_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
                    let stage = stage.and_then(|(_, m)| m.value.as_ref_id());
                    if dated && stage.is_some_and(|s| self.stage_kind(s) == "open") {
                        open += 1;
                        let amount = e.moments.iter().filter(|(_, m)| m.field == "amount" && m.at.is_none_or(|a| a < end)).max_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
                        if let Some((_, Value::Money(money))) = amount.map(|(seq, m)| (seq, &m.value)) {
                            *by_currency.entry(money.currency).or_default() += money.ticks().unwrap_or(0);
                        }
                    }
                }
                let day = self.zone.day(end - 1);
                let mut total = 0i128;
                for (currency, ticks) in by_currency {
                    match self.convert(ticks, currency, day) {
                        Some(value) => total += i128::from(value),
                        None if metric == "pipeline_value" => return None,
                        None => {}
                    }
                }
                if metric == "pipeline_value" { said(total, None, 10_000.0) } else { count(open) }
            }
            "win_rate" => {
                let decided: Vec<_> = self.deals().into_iter().filter(|d| d.3.is_some_and(within)).collect();
                let won = decided.iter().filter(|d| d.2 == "won").count();
                ratio(won, won + decided.iter().filter(|d| d.2 == "lost").count())
            }
            "stage_conversion_rate" | "stage_length" => {
                let (mut num, mut den) = (0i128, 0i128);
                for (_, e) in self.world.all("deal").filter(|(_, e)| self.counted("deal", e)) {
                    let stays = self.stays(e);
                    for (i, (stage, entered, left)) in stays.iter().enumerate() {
                        if self.stage_kind(*stage) != "open" {
                            continue;
                        }
                        if metric == "stage_length" {
                            if let (Some(a), Some(b)) = (entered, left) {
                                if within(*b) && b >= a {
                                    num += i128::from(b - a);
                                    den += 1;
                                }
                            }
                            continue;
                        }
                        let first = !stays[..i].iter().any(|s| s.0 == *stage);
                        let Some(a) = entered.filter(|a| first && within(*a)) else { continue };
                        den += 1;
                        let position = |s: Uuid| self.world.get("stage", s).and_then(|e| e.time("position")).unwrap_or(i64::MIN);
                        let pipeline = |s: Uuid| self.world.get("stage", s).and_then(|e| e.reference("pipeline"));
                        let passed = stays[i + 1..].iter().find(|s| {
                            let kind = self.stage_kind(s.0);
                            kind == "won" || (kind == "open" && pipeline(s.0) == pipeline(*stage) && position(s.0) > position(*stage))
                        });
                        let secs = passed.and_then(|s| s.1).map(|b| b - a);
                        num += i128::from(secs.is_some_and(|s| s >= 0 && s <= self.days["stage"] * DAY && a + s <= self.now));
                    }
                }
                said(num, Some(den), 1.0)
            }
            "sales_cycle_length" => {
                let cycles: Vec<i64> = self.deals().iter().filter(|d| d.2 == "won").filter_map(|d| d.3.filter(|at| within(*at)).and_then(|at| self.cycle(d.0, d.1, at))).filter(|s| *s >= 0).collect();
                said(cycles.iter().map(|c| i128::from(*c)).sum(), Some(cycles.len() as i128), 1.0)
            }
            "lead_funnel" | "to_contact" | "to_qualified" | "to_deal" | "to_win" => return Some(self.funnel(metric, start, end, &purchases)),
            "new_leads" => count(self.leads(&purchases).iter().filter(|l| l.0.is_some_and(within)).count()),
            "lead_conversion_rate" => {
                let usable: Vec<_> = self.leads(&purchases).into_iter().filter(|l| l.0.is_some_and(within) && l.1 && l.2.is_none_or(|s| s >= 0)).collect();
                let done = |l: &(Option<i64>, bool, Option<i64>, Uuid)| l.2.is_some_and(|s| s <= self.days["convert"] * DAY && l.0.unwrap_or(0) + s <= self.now);
                ratio(usable.iter().filter(|l| done(l)).count(), usable.len())
            }
            "lead_response_time" => {
                let answers: Vec<i64> = self.lead_responses().into_iter().filter(|(at, s)| within(*at) && *s >= 0).map(|(_, s)| s).collect();
                said(answers.iter().map(|s| i128::from(*s)).sum(), Some(answers.len() as i128), 1.0)
            }
            "cost_per_lead" | "customer_acquisition_cost" => {
                let parts = self.cost_parts();
                let wanted = |p: &str| p == "lead_generation" || (metric != "cost_per_lead" && p == "sales_acquisition");
                let cost = together(parts.iter().filter(|p| within(p.0) && wanted(&p.2)).map(|p| p.1))?;
                let base = if metric == "cost_per_lead" {
                    self.leads(&purchases).iter().filter(|l| l.0.is_some_and(within)).count()
                } else {
                    self.say("new_customers", start, end)?.num as usize
                };
                let mut said = said(cost, Some(base as i128), 10_000.0);
                if parts.is_empty() {
                    said.value = None;
                }
                said
            }
            "new_customers" => count(self.customers().into_iter().filter(|c| self.customer_counts(*c) && self.first_of(*c, &purchases).is_some_and(within)).count()),
            "active_customers" => count(self.active_set(end, &purchases).len()),
            "customer_retention_rate" | "customer_churn_rate" => {
                let (a, b) = (self.active_set(start, &purchases), self.active_set(end, &purchases));
                let kept = a.intersection(&b).count();
                ratio(if metric == "customer_retention_rate" { kept } else { a.len() - kept }, a.len())
            }
            "win_back_rate" => {
                let (mut back, mut lost) = (0, 0);
                for c in self.customers().into_iter().filter(|c| self.customer_counts(*c)) {
                    let mut comings: Vec<i64> = purchases.iter().filter(|p| p.customer == Some(c)).map(|p| p.at).collect();
                    let mut ends: BTreeSet<i64> = comings.iter().map(|at| at + self.days["active"] * DAY).collect();
                    for (_, n) in self.world.all("contract").filter(|(_, n)| self.counted("contract", n) && self.customer_of(n) == Some(c)) {
                        comings.extend(n.time("starts_at"));
                        ends.extend([n.time("starts_at"), n.time("term_end"), n.time("ended_at")].into_iter().flatten());
                    }
                    ends.extend(self.world.get("customer", c).and_then(|e| e.time("lost_at")));
                    for end in ends.into_iter().filter(|at| within(*at) && self.active(c, *at, &purchases) && !self.active(c, *at + 1, &purchases)) {
                        lost += 1;
                        let limit = (end + self.days["back"] * DAY).min(self.now);
                        back += usize::from(comings.iter().any(|at| *at > end && *at <= limit));
                    }
                }
                ratio(back, lost)
            }
            "renewal_rate" => {
                let (mut renewed, mut decided) = (0, 0);
                for (_, e) in self.world.all("contract").filter(|(_, e)| self.counted("contract", e) && !e.flag("month_to_month")) {
                    let Some(end) = e.time("term_end").filter(|t| within(*t)) else { continue };
                    let grace = self.days["grace"] * DAY;
                    let next = e.reference("successor").and_then(|s| self.world.get("contract", s)).filter(|n| Self::exists(n) && Self::own_fit("contract", n)).and_then(|n| n.time("starts_at")).filter(|n| *n <= end + grace);
                    let ended = e.time("ended_at");
                    let (yes, at) = match (next, e.flag("auto_renew") && ended.is_none(), ended.filter(|x| *x < end)) {
                        (Some(n), _, _) => (true, n.min(end)),
                        (None, true, _) => (true, end),
                        (None, false, Some(x)) => (false, x),
                        _ => (false, end + grace),
                    };
                    if at <= self.now {
                        decided += 1;
                        renewed += usize::from(yes);
                    }
                }
                ratio(renewed, decided)
            }
            "repeat_purchase_rate" => {
                let bought: BTreeSet<Uuid> = purchases.iter().filter(|p| within(p.at)).filter_map(|p| p.customer).collect();
                let again = bought.iter().filter(|c| {
                    let mine: Vec<&Purchase> = purchases.iter().filter(|p| p.customer == Some(**c)).collect();
                    mine.iter().skip(1).any(|p| within(p.at))
                });
                ratio(again.count(), bought.len())
            }
            "purchase_frequency" | "average_customer_value" => {
                let from = end - 365 * DAY;
                let mine: Vec<&Purchase> = purchases.iter().filter(|p| p.at >= from && p.at < end && p.customer.is_some() && p.worth.is_some()).collect();
                let buyers: BTreeSet<Uuid> = mine.iter().filter_map(|p| p.customer).collect();
                let said = if metric == "purchase_frequency" { ratio(mine.len(), buyers.len()) } else { said(together(mine.iter().filter_map(|p| p.worth))?, Some(buyers.len() as i128), 10_000.0) };
                // A business younger than the window: its days count for the whole of it.
                let began = purchases.iter().map(|p| p.at).min().map(|at| self.zone.midnight(self.zone.day(at)));
                match began.filter(|b| *b > from && *b < end) {
                    // Less than four weeks of business say nothing of a year.
                    Some(began) if end - began < 28 * DAY => Said { value: None, ..said },
                    Some(began) => Said { value: said.value.map(|v| v * (365 * DAY) as f64 / (end - began) as f64), ..said },
                    None => said,
                }
            }
            _ => return self.say_of_tickets(metric, start, end).or_else(|| self.say_of_life(metric, start, end, &purchases)),
        })
    }
}
