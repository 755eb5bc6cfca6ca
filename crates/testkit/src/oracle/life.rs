//! The oracle on surveys, mails, lists, people, plans and what was sold again.

use super::{DAY, Entry, Oracle, Purchase, Said, half_even, said, together};
use northing_model::Value;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl Oracle<'_> {
    fn fit(object: &str, e: &Entry) -> bool {
        Self::exists(e) && Self::own_fit(object, e)
    }
    fn question(&self, r: &Entry) -> Option<&Entry> {
        r.reference("question").and_then(|q| self.world.get("question_version", q))
    }
    /// Counted answers on the scale of a kind of question: (at, customer, question, value, share of the way, class).
    pub(super) fn answers(&self, kind: &str, standard: bool) -> Vec<(i64, Option<Uuid>, Uuid, i64, i64, i64)> {
        let mut found = Vec::new();
        for (_, r) in self.world.all("survey_response").filter(|(_, r)| self.counted("survey_response", r)) {
            let (Some(q), Some(id), Some(at), Some(value)) = (self.question(r), r.reference("question"), r.time("answered_at"), r.time("value")) else { continue };
            let (low, high) = (q.time("lowest").unwrap_or(0), q.time("highest").unwrap_or(0));
            if q.text("scores") != kind || (standard && !q.flag("standard")) || value < low || value > high {
                continue;
            }
            let way = if q.text("favourable") == "low" { high - value } else { value - low };
            let between = |a: &str, b: &str| q.time(a).zip(q.time(b)).is_some_and(|(a, b)| value >= a && value <= b);
            let class = if between("good_from", "good_to") { 1 } else if between("bad_from", "bad_to") { -1 } else { 0 };
            found.push((at, self.customer_of(r), id, value, half_even(i128::from(way) * 1_000_000, i128::from(high - low)), class));
        }
        found
    }
    /// Seconds from sending to the first human event of a kind, for delivered mails sent in time.
    fn mails(&self, kind: &str, start: i64, end: i64) -> Vec<Option<i64>> {
        let mut found = Vec::new();
        for (id, s) in self.world.all("send").filter(|(_, s)| self.counted("send", s) && s.text("delivery") == "delivered") {
            let Some(sent) = s.time("sent_at").filter(|at| *at >= start && *at < end) else { continue };
            let events = self.world.all("send_event").filter(|(_, e)| Self::fit("send_event", e) && e.reference("send") == Some(id) && e.text("kind") == kind && !self.by_machine(id, e));
            let after = events.filter_map(|(_, e)| e.time("at")).filter(|at| *at >= sent && (kind != "click" || at - sent >= 2));
            found.push(after.min().map(|at| at - sent));
        }
        found
    }
    /// Marked as a machine's, or a click in a second in which three links of the mail, or the hidden one, were followed.
    fn by_machine(&self, send: Uuid, event: &Entry) -> bool {
        let clicks: Vec<(i64, &str)> = self
            .world
            .all("send_event")
            .filter(|(_, o)| Self::fit("send_event", o) && o.reference("send") == Some(send) && o.text("kind") == "click")
            .filter_map(|(_, o)| Some((o.time("at")?, o.text("link"))))
            .collect();
        let at = event.time("at").unwrap_or(0);
        let burst = clicks.iter().any(|(from, _)| {
            let moment = *from..=from + 1;
            let links: BTreeSet<&str> = clicks.iter().filter(|c| moment.contains(&c.0) && !c.1.is_empty()).map(|c| c.1).collect();
            moment.contains(&at) && (links.len() >= 3 || links.contains("hidden"))
        });
        event.flag("is_machine") || (event.text("kind") == "click" && burst)
    }
    /// Who clicked when, as a person.
    fn clicks(&self) -> Vec<(i64, Uuid)> {
        let mut found = Vec::new();
        for (_, e) in self.world.all("send_event").filter(|(_, e)| Self::fit("send_event", e) && e.text("kind") == "click") {
            if e.reference("send").is_some_and(|send| self.by_machine(send, e)) {
                continue;
            }
            let Some(send) = e.reference("send").and_then(|s| self.world.get("send", s)).filter(|s| self.counted("send", s)) else { continue };
            if let (Some(at), Some(who), Some(sent)) = (e.time("at"), self.customer_of(send), send.time("sent_at")) {
                if at - sent >= 2 {
                    found.push((at, who));
                }
            }
        }
        found
    }
    /// Stretches on a mailing list.
    fn memberships(&self) -> Vec<(i64, Option<i64>)> {
        let mut groups: BTreeMap<(Option<Uuid>, String, String), Vec<(i64, bool, Uuid)>> = BTreeMap::new();
        for (id, c) in self.world.all("consent_event").filter(|(_, c)| self.counted("consent_event", c)) {
            let customer = self.customer_of(c);
            let address = if customer.is_some() { String::new() } else if c.text("email").is_empty() { id.to_string() } else { c.text("email").to_string() };
            if let Some(at) = c.time("at") {
                groups.entry((customer, address, c.text("mailing_list").to_string())).or_default().push((at, c.text("kind") != "subscribed", id));
            }
        }
        let mut found = Vec::new();
        for mut events in groups.into_values() {
            events.sort_unstable();
            let mut since = None;
            for (at, leaves, _) in events {
                match (since, leaves) {
                    (None, false) => since = Some(at),
                    (Some(from), true) => {
                        found.push((from, Some(at)));
                        since = None;
                    }
                    _ => {}
                }
            }
            found.extend(since.map(|from| (from, None)));
        }
        found
    }
    /// Enabled stretches of people, and who they are.
    pub(super) fn people(&self) -> Vec<(Uuid, i64, Option<i64>)> {
        let mut found = Vec::new();
        for (id, u) in self.world.all("user").filter(|(_, u)| Self::exists(u) && !u.flag("is_test") && !u.flag("is_service")) {
            let since = u.time("enabled_at").or(u.time("invited_at")).or([u.time("created_at"), self.first_work(id)].into_iter().flatten().min());
            if let Some(since) = since {
                let until = u.time("disabled_at");
                if until.is_none_or(|end| end > since) {
                    found.push((id, since, until));
                }
            }
        }
        found
    }
    /// When somebody first did something, or first had one of the records that are theirs.
    fn first_work(&self, user: Uuid) -> Option<i64> {
        let done = self.world.all("user_action").filter(|(_, a)| Self::fit("user_action", a) && a.reference("user") == Some(user)).filter_map(|(_, a)| a.time("at"));
        let mut had = Vec::new();
        for (object, whose) in [("deal", "owner"), ("lead", "owner"), ("ticket", "assignee")] {
            for (id, e) in self.world.all(object).filter(|(_, e)| Self::fit(object, e) && e.reference(whose) == Some(user)) {
                let given = e.moments.iter().filter(|(_, m)| m.field == whose && m.value.as_ref_id() == Some(user)).min_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
                let made = if object == "lead" { self.lead_created(id) } else { e.time(if object == "deal" { "created_at" } else { "opened_at" }) };
                had.extend(given.and_then(|(_, m)| m.at.or(made)));
            }
        }
        done.chain(had).min()
    }
    fn doings(&self) -> Vec<(i64, Uuid)> {
        let people: BTreeSet<Uuid> = self.world.all("user").filter(|(_, u)| Self::exists(u) && !u.flag("is_service")).map(|(id, _)| id).collect();
        let meant = |a: &Entry| !["view", "login"].contains(&a.text("kind")) && !a.flag("by_api");
        let all = self.world.all("user_action").filter(|(_, a)| Self::fit("user_action", a) && meant(a));
        all.filter_map(|(_, a)| Some((a.time("at")?, a.reference("user").filter(|u| people.contains(u))?))).collect()
    }
    /// What an order brought of each product.
    fn brought(&self, order: Uuid) -> BTreeMap<Uuid, i64> {
        let Some(e) = self.world.get("order", order) else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for (_, l) in self.world.all("order_line").filter(|(_, l)| Self::fit("order_line", l) && l.reference("order") == Some(order)) {
            if let Some(product) = l.reference("product") {
                *found.entry(product).or_default() += self.line_amount(e, l).flatten().unwrap_or(0);
            }
        }
        found
    }
    /// Customers with an upsell or a cross-sell in time, by the products of their purchases.
    fn sold_more(&self, up: bool, start: i64, end: i64, purchases: &[Purchase]) -> BTreeSet<Uuid> {
        let mut found = BTreeSet::new();
        if self.deals_are_purchases {
            return found;
        }
        for customer in self.customers() {
            let (mut owned, mut categories): (BTreeSet<Uuid>, BTreeSet<String>) = (BTreeSet::new(), BTreeSet::new());
            let (mut last, mut steps, mut moved): (BTreeMap<Uuid, (i64, i64)>, i64, bool) = (BTreeMap::new(), 0, false);
            for (n, p) in purchases.iter().filter(|p| p.customer == Some(customer)).enumerate() {
                let amounts = self.brought(p.id);
                let mut stepped = BTreeSet::new();
                let lines: Vec<Uuid> = self.world.all("order_line").filter(|(_, l)| Self::fit("order_line", l) && l.reference("order") == Some(p.id)).filter_map(|(_, l)| l.reference("product")).collect();
                for product in lines.iter().filter(|_| n > 0 && p.at >= start && p.at < end && up) {
                    let lesser = self.world.get("product", *product).and_then(|e| e.reference("upgrades")).filter(|l| owned.contains(l) && !owned.contains(product));
                    let own = last.get(product).map_or(-1, |b: &(i64, i64)| b.0);
                    let greater = last.iter().filter(|(o, b)| b.0 > own && self.world.get("product", **o).and_then(|e| e.reference("upgrades")) == Some(*product)).map(|(_, b)| *b).max();
                    let before = lesser.and_then(|l| last.get(&l).copied()).or(if owned.contains(product) || lesser.is_none() { greater } else { None });
                    if let Some(before) = before.filter(|_| stepped.insert(*product)) {
                        let more = amounts.get(product).copied().unwrap_or(0) - before.1;
                        steps += if owned.contains(product) || lesser.is_none() { more.min(-1) } else { more.max(1) };
                        moved = true;
                    }
                }
                for product in lines.iter().filter(|p| n > 0 && !owned.contains(p)) {
                    let Some(e) = self.world.get("product", *product) else { continue };
                    let with = |a: Uuid, b: Uuid| self.world.get("product", a).is_some_and(|e| matches!(e.value("complements"), Value::List(ids) if ids.contains(&b.to_string())));
                    let upsell = e.reference("upgrades").is_some_and(|lesser| owned.contains(&lesser));
                    let cross = !categories.contains(e.text("category")) || owned.iter().any(|o| with(*o, *product) || with(*product, *o));
                    if p.at >= start && p.at < end && if up { upsell } else { cross && !upsell } {
                        found.insert(customer);
                    }
                }
                for product in lines {
                    last.insert(product, (n as i64, amounts.get(&product).copied().unwrap_or(0)));
                    owned.insert(product);
                    categories.extend(self.world.get("product", product).map(|e| e.text("category").to_string()));
                }
            }
            // A step down in the same time took the step up back.
            if moved && steps <= 0 {
                found.remove(&customer);
            }
        }
        found
    }
    fn was_qualified(&self, e: &Entry) -> bool {
        let yes = |status: &str| ["qualified", "converted"].contains(&status);
        e.time("qualified_at").is_some() || yes(e.text("status")) || e.moments.iter().any(|(_, m)| m.field == "status" && m.value.as_text().is_some_and(yes))
    }
    /// When a lead was first held for qualified: as written on it, else by its status.
    pub(super) fn qualified(&self, e: &Entry) -> Option<i64> {
        let mut told: Vec<_> = e.moments.iter().filter(|(_, m)| m.field == "status").collect();
        told.sort_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq));
        let yes = |m: &northing_store::Moment| m.value.as_text().is_some_and(|s| ["qualified", "converted"].contains(&s));
        let first = told.iter().position(|(_, m)| yes(m));
        let run = first.map(|i| told[i..].iter().take_while(|(_, m)| yes(m)).find_map(|(_, m)| m.at));
        e.time("qualified_at").or(run.flatten())
    }
    fn stalled(&self, id: Uuid, e: &Entry, t: i64) -> bool {
        let stays = self.stays(e);
        let contacts = self.world.all("interaction").filter(|(_, i)| i.reference("deal") == Some(id) && self.is_contact(i)).filter_map(|(_, i)| i.time("at"));
        let tasks = self.world.all("task").filter(|(_, k)| Self::fit("task", k) && k.reference("deal") == Some(id)).filter_map(|(_, k)| k.time("done_at"));
        let placed = self.placed_from(e);
        let seen: BTreeSet<i64> = contacts.chain(tasks).chain(stays.iter().filter_map(|s| s.1)).chain(placed).collect();
        let Some(last) = seen.range(..t).next_back() else { return false };
        // A stage of unknown beginning holds from the first thing that is known of the deal.
        let placed = placed.is_some_and(|from| from <= *last);
        let told = e.moments.iter().filter(|(_, m)| m.field == "stage" && m.at.is_none_or(|at| at <= *last));
        let stage = told.max_by_key(|(seq, m)| (m.at.unwrap_or(i64::MIN), *seq)).and_then(|(_, m)| m.value.as_ref_id());
        last + 14 * DAY < t && placed && stage.is_some_and(|s| self.stage_kind(s) == "open")
    }
    pub(super) fn line_costs(&self) -> Vec<(i64, Option<i64>)> {
        let mut found = Vec::new();
        for (id, o) in self.world.all("order").filter(|(_, e)| self.order_valid(e)) {
            for l in self.lines(id) {
                let currency = match o.value("net") {
                    Value::Money(m) => m.currency,
                    _ => self.reporting,
                };
                let ticks = l.time("quantity").zip(l.time("unit_cost")).map(|(q, c)| half_even(i128::from(q) * i128::from(c), 100_000_000));
                if let (Some(ticks), Some(at)) = (ticks, o.time("confirmed_at")) {
                    found.push((at, self.convert(ticks, currency, self.order_day(o))));
                }
            }
        }
        found
    }

    pub(super) fn say_of_life(&self, metric: &str, start: i64, end: i64, purchases: &[Purchase]) -> Option<Said> {
        let within = |at: i64| at >= start && at < end;
        let count = |n: usize| said(n as i128, None, 1.0);
        let ratio = |n: usize, d: usize| said(n as i128, Some(d as i128), 1.0);
        let week = |list: Vec<Option<i64>>| ratio(list.iter().filter(|s| s.is_some_and(|s| s <= 7 * DAY)).count(), list.len());
        Some(match metric {
            "nps" => {
                let mut last: BTreeMap<Uuid, (i64, i64)> = BTreeMap::new();
                let mut classes = Vec::new();
                for (at, who, _, _, _, class) in self.answers("nps", true).into_iter().filter(|a| within(a.0)) {
                    match who {
                        Some(who) => drop(last.entry(who).and_modify(|l| if at >= l.0 { *l = (at, class) }).or_insert((at, class))),
                        None => classes.push(class),
                    }
                }
                classes.extend(last.values().map(|l| l.1));
                let mut said = said(classes.iter().map(|c| i128::from(*c)).sum(), Some(classes.len() as i128), 1.0);
                said.value = said.value.map(|v| 100.0 * v);
                said
            }
            "severe_dissatisfaction_rate" => {
                let all: Vec<_> = self.answers("csat", false).into_iter().filter(|a| within(a.0)).collect();
                ratio(all.iter().filter(|a| a.4 <= 200_000).count(), all.len())
            }
            "csat" => {
                let all: Vec<_> = self.answers("csat", false).into_iter().filter(|a| within(a.0)).collect();
                ratio(all.iter().filter(|a| a.5 == 1).count(), all.len())
            }
            "ces" => {
                let all: Vec<_> = self.answers("ces", false).into_iter().filter(|a| within(a.0)).collect();
                if all.iter().map(|a| a.2).collect::<BTreeSet<_>>().len() > 1 {
                    said(all.iter().map(|a| i128::from(a.4)).sum(), Some(all.len() as i128), 10_000.0)
                } else {
                    said(all.iter().map(|a| i128::from(a.3)).sum(), Some(all.len() as i128), 1.0)
                }
            }
            "survey_response_rate" => {
                let invites: Vec<(Uuid, i64)> = self.world.all("survey_invite").filter(|(_, i)| self.counted("survey_invite", i) && i.flag("delivered")).filter_map(|(id, i)| Some((id, i.time("sent_at")?))).filter(|i| within(i.1)).collect();
                let answered = invites.iter().filter(|(id, sent)| {
                    let own = self.world.all("survey_response").filter(|(_, r)| Self::fit("survey_response", r) && r.reference("invite") == Some(*id) && r.time("value").is_some());
                    own.filter_map(|(_, r)| r.time("answered_at")).min().is_some_and(|at| at >= *sent && at - sent <= 14 * DAY && at <= self.now)
                });
                ratio(answered.count(), invites.len())
            }
            "email_open_rate" | "email_click_rate" => week(self.until_now(if metric == "email_open_rate" { "open" } else { "click" }, start, end)),
            "campaign_revenue" => {
                let clicks = self.clicks();
                let led = |p: &&Purchase| clicks.iter().any(|(at, who)| Some(*who) == p.customer && *at <= p.at && *at >= p.at - 7 * DAY);
                said(together(purchases.iter().filter(|p| within(p.at)).filter(led).filter_map(|p| p.worth))?, None, 10_000.0)
            }
            "customer_engagement_rate" => {
                let mut base = self.active_set(start, purchases);
                for customer in self.customers().into_iter().filter(|c| self.customer_counts(*c)) {
                    let begins = purchases.iter().filter(|p| p.customer == Some(customer)).map(|p| p.at).chain(self.contract_runs(customer).into_iter().map(|r| r.0));
                    if begins.filter(|at| within(*at)).any(|at| self.active(customer, at + 1, purchases)) {
                        base.insert(customer);
                    }
                }
                let all = self.world.all("engagement_event").filter(|(_, g)| self.counted("engagement_event", g) && !["email_open", "purchase"].contains(&g.text("kind")) && g.time("at").is_some_and(within));
                let did: BTreeSet<Uuid> = all.filter_map(|(_, g)| self.customer_of(g)).collect();
                ratio(base.intersection(&did).count(), base.len())
            }
            "list_subscribers" => count(self.memberships().iter().filter(|m| m.0 < end && m.1.is_none_or(|until| end <= until)).count()),
            "list_net_change" => {
                let all = self.memberships();
                let (joined, left) = (all.iter().filter(|m| within(m.0)).count() as i128, all.iter().filter(|m| m.1.is_some_and(within)).count() as i128);
                said(joined - left, None, 1.0)
            }
            "lead_qualification_rate" => {
                let known = |e: &Entry| if self.was_qualified(e) && self.qualified(e).is_none() { None } else { Some(self.qualified(e)) };
                let all: Vec<(i64, Option<i64>)> = self.world.all("lead").filter(|(_, e)| self.counted("lead", e)).filter_map(|(id, e)| self.lead_created(id).zip(known(e)).map(|(c, q)| (c, q.map(|q| q - c)))).filter(|l| within(l.0) && l.1.is_none_or(|s| s >= 0)).collect();
                ratio(all.iter().filter(|l| l.1.is_some_and(|s| s <= 30 * DAY && l.0 + s <= self.now)).count(), all.len())
            }
            "lead_response_on_time_rate" => {
                let mut kept = Vec::new();
                for (id, e) in self.world.all("lead").filter(|(_, e)| self.counted("lead", e)) {
                    // Somebody had dealt with it before we heard of it: perhaps in time.
                    let dealt_with = e.moments.iter().any(|(_, m)| m.field == "status" && m.at.is_none() && m.value.as_text() != Some("new"));
                    let unknown = dealt_with && self.first_answer(id).is_none();
                    if let Some(due) = self.lead_created(id).map(|c| c + DAY).filter(|due| within(*due) && !unknown) {
                        kept.push(self.first_answer(id).is_some_and(|at| at <= due));
                    }
                }
                ratio(kept.iter().filter(|k| **k).count(), kept.len())
            }
            "repeat_purchases" => count(purchases.iter().filter(|p| within(p.at) && p.customer.is_some() && purchases.iter().find(|o| o.customer == p.customer).is_some_and(|first| first.id != p.id)).count()),
            "retention_cost" => {
                let parts = self.cost_parts();
                let mut said = said(together(parts.iter().filter(|p| within(p.0) && p.2 == "retention").map(|p| p.1))?, None, 10_000.0);
                said.value = said.value.filter(|_| !parts.is_empty());
                said
            }
            "customer_profit" => {
                let parts = self.cost_parts();
                let revenue = together(self.revenue(purchases).iter().filter(|r| within(r.0)).map(|r| r.1))?;
                let goods = together(self.line_costs().iter().filter(|c| within(c.0)).map(|c| c.1))?;
                let served = together(parts.iter().filter(|p| within(p.0) && ["service", "product", "retention", "overhead"].contains(&p.2.as_str())).map(|p| p.1))?;
                let mut said = said(revenue - goods - served, None, 10_000.0);
                said.value = said.value.filter(|_| !parts.is_empty());
                said
            }
            "upsell_rate" | "cross_sell_rate" => {
                let base = self.active_set(start, purchases);
                let did = self.sold_more(metric == "upsell_rate", start, end, purchases);
                ratio(base.intersection(&did).count(), base.len())
            }
            "order_processing_time" => {
                let mut spans = Vec::new();
                for (id, o) in self.world.all("order").filter(|(_, e)| self.order_valid(e)) {
                    let delivered = self.lines(id).iter().filter_map(|l| l.time("fulfilled_at")).max().or(o.time("fulfilled_at"));
                    let done = if o.text("kind") == "appointment" { o.time("accepted_at") } else { delivered };
                    if let (Some(done), Some(at)) = (done.filter(|d| within(*d)), o.time("confirmed_at")) {
                        spans.extend(Some(done - at).filter(|s| *s >= 0));
                    }
                }
                said(spans.iter().map(|s| i128::from(*s)).sum(), Some(spans.len() as i128), 1.0)
            }
            "stalled_deals" => count(self.deals().iter().filter(|d| self.stalled(d.0, d.1, end)).count()),
            "planned_orders" => {
                let (mut sum, mut rows) = (0i128, 0);
                for (_, p) in self.world.all("sales_plan").filter(|(_, p)| Self::fit("sales_plan", p)) {
                    let (Some(from), Some(to), Some(orders)) = (p.time("starts_on"), p.time("ends_on"), p.time("orders_planned")) else { continue };
                    let days = i128::from(to - from + 1);
                    for n in 0..days {
                        if within(self.zone.midnight((from + n as i64) as i32)) {
                            sum += (i128::from(orders) * (n + 1)).div_euclid(days) - (i128::from(orders) * n).div_euclid(days);
                            rows += 1;
                        }
                    }
                }
                let mut said = said(sum, None, 1e6);
                said.value = said.value.filter(|_| rows > 0);
                said
            }
            "active_users" => count(self.doings().iter().filter(|d| within(d.0)).map(|d| d.1).collect::<BTreeSet<_>>().len()),
            "user_adoption_rate" => {
                let base: BTreeSet<Uuid> = self.people().iter().filter(|p| (p.1 < start && p.2.is_none_or(|until| start <= until)) || within(p.1)).map(|p| p.0).collect();
                let did: BTreeSet<Uuid> = self.doings().iter().filter(|d| within(d.0)).map(|d| d.1).collect();
                ratio(base.intersection(&did).count(), base.len())
            }
            "user_logins" => count(self.world.all("user_session").filter(|(_, s)| Self::fit("user_session", s) && s.text("started_by") == "login" && s.time("started_at").is_some_and(within)).count()),
            "user_onboarding_time" => {
                let mut spans = Vec::new();
                for (id, u) in self.world.all("user").filter(|(_, u)| Self::exists(u) && !u.flag("is_service")) {
                    let mut days: BTreeMap<i32, i64> = BTreeMap::new();
                    for (at, _) in self.doings().into_iter().filter(|d| d.1 == id) {
                        days.entry(self.zone.day(at)).and_modify(|first| *first = at.min(*first)).or_insert(at);
                    }
                    if let (Some(at), Some(invited)) = (days.values().nth(2).filter(|at| within(**at)), u.time("invited_at")) {
                        spans.extend(Some(at - invited).filter(|s| *s >= 0));
                    }
                }
                said(spans.iter().map(|s| i128::from(*s)).sum(), Some(spans.len() as i128), 1.0)
            }
            _ => return None,
        })
    }

    /// Only what has happened by now.
    fn until_now(&self, kind: &str, start: i64, end: i64) -> Vec<Option<i64>> {
        let sent: Vec<i64> = self
            .world
            .all("send")
            .filter(|(_, s)| self.counted("send", s) && s.text("delivery") == "delivered")
            .filter_map(|(_, s)| s.time("sent_at"))
            .filter(|at| *at >= start && *at < end)
            .collect();
        self.mails(kind, start, end).into_iter().zip(sent).map(|(secs, sent)| secs.filter(|s| sent + s <= self.now)).collect()
    }
    fn first_answer(&self, lead: Uuid) -> Option<i64> {
        let answers = self.world.all("interaction").filter(|(_, i)| {
            i.reference("lead").is_some_and(|l| self.root("lead", l) == lead) && self.is_contact(i) && i.text("direction") == "out" && i.value("connected") != &Value::Bool(false)
        });
        answers.filter_map(|(_, i)| i.time("at")).min()
    }
}
