//! Random histories of everything around the sale: tickets, surveys, mails, consents, users, goals, plans.

use crate::history::{DAYS, History, START};
use northing_model::{Record, Value};
use northing_store::{Change, Moment};
use uuid::Uuid;

const DAY: i64 = 86_400;
/// Tickets live on this raster, so that the oracle can count open time step by step.
pub const STEP: i64 = 900;

/// What a generated change made: its object and id, where it is new.
pub type Made = Option<(Option<&'static str>, Option<Uuid>, Change)>;

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

/// When most mails are sent, so that what happens to one can be placed near it.
fn sent_of(id: Uuid) -> i64 {
    START + (id.as_u64_pair().1 % DAYS as u64) as i64 * DAY
}

fn record(fields: Vec<(&str, Value)>) -> Record {
    fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_string(), v)).collect()
}

impl History {
    /// Opening hours, survey questions, products that belong together, campaigns and people.
    pub(crate) fn begin_life(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut add = |history: &mut Self, object: &'static str, fields: Vec<(&str, Value)>| {
            let id = history.id();
            history.ids.entry(object).or_default().push(id);
            changes.push(Change::create(object, id, record(fields)));
            id
        };
        let hours = r#"{"mon":[["09:00","17:00"]],"tue":[["09:00","12:00"],["13:00","18:00"]],"wed":[["09:00","17:00"]],"sat":[["10:00","14:00"]]}"#;
        add(self, "schedule", vec![("name", text("Office")), ("hours", text(hours)), ("holidays", text(r#"{"2024-03-04":[],"2024-03-05":[["10:00","11:00"]]}"#))]);
        for (scores, high, good, bad, favourable, standard) in [("nps", 10, (9, 10), (0, 6), "high", true), ("nps", 10, (9, 10), (1, 6), "high", false), ("csat", 5, (4, 5), (1, 2), "high", true), ("ces", 7, (5, 7), (1, 3), "high", true), ("ces", 7, (1, 3), (5, 7), "low", true)] {
            add(self, "question_version", vec![
                ("name", text("Q")), ("scores", text(scores)), ("lowest", Value::Int(i64::from(scores != "nps" || !standard))), ("highest", Value::Int(high)), ("good_from", Value::Int(good.0)), ("good_to", Value::Int(good.1)),
                ("bad_from", Value::Int(bad.0)), ("bad_to", Value::Int(bad.1)), ("favourable", text(favourable)), ("standard", Value::Bool(standard)),
            ]);
        }
        let basic = add(self, "product", vec![("name", text("Basic")), ("category", text("A"))]);
        add(self, "product", vec![("name", text("Pro")), ("category", text("A")), ("upgrades", Value::Ref(basic))]);
        add(self, "product", vec![("name", text("Case")), ("category", text("A")), ("complements", Value::List(vec![basic.to_string()]))]);
        add(self, "product", vec![("name", text("Other")), ("category", text("B"))]);
        for name in ["Spring", "Summer"] {
            add(self, "campaign", vec![("name", text(name))]);
        }
        for (role, service) in [("sales", false), ("service", false), ("sales", true)] {
            let (invited, enabled) = (Value::Time(START + self.chance.between(0, 60) * DAY), if self.chance.percent(70) { Value::Time(START + self.chance.between(60, 90) * DAY) } else { Value::Null });
            let disabled = if self.chance.percent(30) { Value::Time(START + self.chance.between(100, 300) * DAY) } else { Value::Null };
            let user = add(self, "user", vec![("name", text("U")), ("role", text(role)), ("is_service", Value::Bool(service)), ("invited_at", invited), ("enabled_at", enabled), ("disabled_at", disabled)]);
            for _ in 0..2 {
                let at = Value::Time(self.instant());
                add(self, "user_action", vec![("user", Value::Ref(user)), ("at", at), ("kind", text("reply"))]);
            }
        }
        changes
    }

    fn step_time(&mut self) -> i64 {
        START + self.chance.between(0, DAYS * DAY / STEP) * STEP
    }

    /// A change of the life around the sale.
    pub(crate) fn live(&mut self) -> Made {
        let id = self.id();
        let new = |object: &'static str, fields: Vec<(&str, Value)>| -> Made { Some((Some(object), Some(id), Change::create(object, id, record(fields)))) };
        let flag = |b: bool| Value::Bool(b);
        match self.chance.below(100) {
            0..=13 => {
                let opened = self.step_time();
                let (customer, schedule) = (self.reference("customer", 80), self.reference("schedule", 70));
                let (kind, topic) = (text(*self.chance.pick(&["question", "complaint"])), text(*self.chance.pick(&["login", "bill"])));
                let (mut at, mut moments) = (opened, vec![("new", opened)]);
                for _ in 0..self.chance.between(0, 4) {
                    at += self.chance.between(1, 400) * STEP;
                    moments.push((*self.chance.pick(&["open", "pending", "on_hold", "solved", "solved", "closed"]), at));
                }
                let status = moments.last().map_or("new", |m| m.0);
                let target = |history: &mut Self| if history.chance.percent(50) { Value::Int(history.chance.between(1, 60) * 15) } else { Value::Null };
                let (reply, resolution) = (target(self), target(self));
                let fields = vec![
                    ("subject", text("T")), ("customer", customer), ("schedule", schedule), ("kind", kind), ("topic", topic), ("opened_at", Value::Time(opened)), ("status", text(status)),
                    ("opened_by", text(if self.chance.percent(85) { "customer" } else { "staff" })), ("is_spam", flag(self.chance.percent(5))), ("withdrawn", flag(self.chance.percent(10))),
                    ("auto_closed", flag(self.chance.percent(10))), ("pending_pauses", flag(self.chance.percent(50))), ("target_clock", text(*self.chance.pick(&["business", "calendar"]))),
                    ("first_reply_target_mins", reply), ("resolution_target_mins", resolution), ("handle_mins", Value::Int(self.chance.between(0, 90))),
                ];
                // Not seldom nobody recorded since when it is as it is.
                let undated = self.chance.percent(20);
                let last = moments.len() - 1;
                let told = |(n, (status, at)): (usize, (&str, i64))| (!undated || n == last).then(|| Moment { field: "status".into(), at: (!undated).then_some(at), value: text(status) });
                let moments = moments.into_iter().enumerate().filter_map(told).collect();
                Some((Some("ticket"), Some(id), Change::create("ticket", id, record(fields)).with_moments(moments)))
            }
            14..=27 => {
                let ticket = self.reference("ticket", 100);
                let at = self.step_time();
                if ticket.is_null() { None } else {
                    new("message", vec![("ticket", ticket), ("at", Value::Time(at)), ("author", text(*self.chance.pick(&["customer", "staff", "staff", "automatic"]))), ("is_public", flag(self.chance.percent(85))), ("is_draft", flag(self.chance.percent(8)))])
                }
            }
            31..=35 => {
                let (ticket, status, at) = (self.some("ticket")?, *self.chance.pick(&["open", "solved", "closed"]), self.step_time());
                let change = Change::update("ticket", ticket, record(vec![("status", text(status))]));
                Some((None, None, change.with_moments(vec![Moment { field: "status".into(), at: Some(at), value: text(status) }])))
            }
            36..=38 => {
                let (a, b) = (self.some("ticket")?, self.some("ticket")?);
                if a <= b { None } else { Some((None, None, Change::update("ticket", a, record(vec![("merged_into", Value::Ref(b))])))) }
            }
            39..=44 => {
                let (question, customer, sent) = (self.reference("question_version", 100), self.reference("customer", 70), Value::Time(self.instant()));
                new("survey_invite", vec![("question", question), ("customer", customer), ("sent_at", sent), ("delivered", flag(self.chance.percent(85)))])
            }
            45..=52 => {
                let (question, invite, customer, at) = (self.reference("question_version", 100), self.reference("survey_invite", 50), self.reference("customer", 60), Value::Time(self.instant()));
                // On the scale of its question, in the order in which they were made.
                let scale = self.ids.get("question_version").and_then(|all| all.iter().position(|q| Value::Ref(*q) == question)).and_then(|at| [(0, 10), (1, 10), (1, 5), (1, 7), (1, 7)].get(at).copied()).unwrap_or((1, 5));
                let value = if self.chance.percent(90) { Value::Int(self.chance.between(scale.0, scale.1)) } else { Value::Null };
                new("survey_response", vec![("question", question), ("invite", invite), ("customer", customer), ("answered_at", at), ("value", value)])
            }
            55..=61 => {
                let (campaign, customer) = (self.reference("campaign", 90), self.reference("customer", 80));
                let at = Value::Time(if self.chance.percent(70) { sent_of(id) } else { self.instant() });
                new("send", vec![("campaign_sent", campaign), ("customer", customer), ("sent_at", at), ("delivery", text(*self.chance.pick(&["delivered", "delivered", "delivered", "bounced"])))])
            }
            62..=69 => {
                let last = self.ids.get("send").and_then(|list| list.last()).copied();
                let send = if self.chance.percent(50) { last.map_or(Value::Null, Value::Ref) } else { self.reference("send", 100) };
                // Often in the same second as others, as scanners do.
                let soon = send.as_ref_id().map_or(START, sent_of) + 40 + self.chance.between(0, 2);
                let at = Value::Time(if self.chance.percent(60) { soon } else { self.instant() });
                let link = if self.chance.percent(80) { text(*self.chance.pick(&["a", "b", "c", "d", "a", "b", "c", "d", "a", "b", "c", "d", "hidden"])) } else { Value::Null };
                if send.is_null() { None } else {
                    new("send_event", vec![("send", send), ("at", at), ("kind", text(*self.chance.pick(&["open", "click", "click", "unsubscribe"]))), ("link", link), ("is_machine", flag(self.chance.percent(25)))])
                }
            }
            70..=75 => {
                let (customer, at) = (self.reference("customer", 40), Value::Time(self.instant()));
                let email = if self.chance.percent(80) { text(*self.chance.pick(&["a@x.io", "b@x.io", "c@x.io"])) } else { Value::Null };
                let kind = text(*self.chance.pick(&["subscribed", "subscribed", "unsubscribed", "hard_bounced"]));
                new("consent_event", vec![("customer", customer), ("email", email), ("at", at), ("kind", kind), ("mailing_list", text(*self.chance.pick(&["News", "Offers"])))])
            }
            76..=79 => {
                let (customer, at) = (self.reference("customer", 100), Value::Time(self.instant()));
                new("engagement_event", vec![("customer", customer), ("at", at), ("kind", text(*self.chance.pick(&["email_click", "reply", "email_open", "purchase"])))])
            }
            53..=54 | 80..=85 => {
                let (user, at) = (self.reference("user", 95), Value::Time(self.instant()));
                new("user_action", vec![("user", user), ("at", at), ("kind", text(*self.chance.pick(&["create", "reply", "view", "login"]))), ("by_api", flag(self.chance.percent(10)))])
            }
            86..=87 => {
                let (user, at) = (self.reference("user", 95), Value::Time(self.instant()));
                new("user_session", vec![("user", user), ("started_at", at), ("started_by", text(*self.chance.pick(&["login", "refresh", "api"])))])
            }
            88..=90 => {
                let (user, from) = (self.reference("user", 95), self.instant());
                let to = if self.chance.percent(80) { Value::Time(from + self.chance.between(-100, 9_000)) } else { Value::Null };
                new("time_entry", vec![("user", user), ("started_at", Value::Time(from)), ("ended_at", to), ("is_routine", flag(self.chance.percent(60)))])
            }
            28..=29 | 91 => {
                let (day, days) = (self.day(), self.chance.between(0, 160) as i32);
                new("sales_plan", vec![("name", text("P")), ("starts_on", Value::Date(day)), ("ends_on", Value::Date(day + days)), ("orders_planned", Value::Decimal(self.chance.between(1, 900) * 250_000))])
            }
            30 | 92 => {
                let (day, days) = (self.day(), self.chance.between(0, 60) as i32);
                let kpi = text(*self.chance.pick(&["revenue", "deals_won", "new_leads", "win_rate"]));
                let (parent, weight) = (self.reference("goal", 30), Value::Int(self.chance.between(1, 3)));
                new("goal", vec![("parent", parent), ("weight", weight), ("name", text("G")), ("kpi", kpi), ("starts_on", Value::Date(day)), ("ends_on", Value::Date(day + days)), ("target", Value::Decimal(self.chance.between(0, 90) * 1_000_000)), ("baseline", Value::Decimal(self.chance.between(0, 9) * 1_000_000))])
            }
            93..=94 => {
                let (deal, at) = (self.reference("deal", 95), Value::Time(self.instant()));
                new("task", vec![("name", text("K")), ("deal", deal), ("done_at", at)])
            }
            95..=97 => {
                let object = *self.chance.pick(&["message", "survey_response", "send_event", "consent_event", "user_action", "ticket", "task", "send"]);
                let id = self.some(object)?;
                self.ids.get_mut(object)?.retain(|i| *i != id);
                Some((None, None, Change::delete(object, id)))
            }
            // A goal's target is moved, also after it was due; a lead goes to somebody; money comes in.
            98 if self.chance.percent(50) => match self.chance.between(0, 2) {
                0 => {
                    let (goal, target, at) = (self.some("goal")?, Value::Decimal(self.chance.between(0, 90) * 1_000_000), self.instant());
                    let change = Change::update("goal", goal, record(vec![("target", target.clone())]));
                    Some((None, None, change.with_moments(vec![Moment { field: "target".into(), at: Some(at), value: target }])))
                }
                1 => {
                    let (lead, owner) = (self.some("lead")?, self.reference("user", 90));
                    Some((None, None, Change::update("lead", lead, record(vec![("owner", owner)]))))
                }
                _ => {
                    let (order, at, amount) = (self.reference("order", 90), self.instant(), self.money());
                    new("payment", vec![("order", order), ("at", Value::Time(at)), ("kind", text(*self.chance.pick(&["payment", "repayment", "chargeback"]))), ("amount", amount)])
                }
            },
            98 => {
                let object = *self.chance.pick(&["ticket", "send", "consent_event"]);
                let (id, customer) = (self.some(object)?, self.reference("customer", 80));
                Some((None, None, Change::update(object, id, record(vec![]).into_iter().chain([("customer".to_string(), customer)]).collect())))
            }
            _ if self.chance.percent(50) => {
                let (lead, at, status) = (self.some("lead")?, self.instant(), text(*self.chance.pick(&["working", "qualified", "disqualified", "converted"])));
                let moments = vec![Moment { field: "status".into(), at: (!self.chance.percent(20)).then_some(at), value: status.clone() }];
                Some((None, None, Change::update("lead", lead, record(vec![("status", status)])).with_moments(moments)))
            }
            _ => {
                let (lead, at) = (self.some("lead")?, Value::Time(self.instant()));
                Some((None, None, Change::update("lead", lead, record(vec![("qualified_at", at)]))))
            }
        }
    }
}
