//! What goes on around the sale: tickets and answers, surveys, campaigns, lists, appointments, people at work,
//! plans and goals.

use super::story::{DAY, DAYS, Story, record, text};
use super::{Writer, catalogue};
use crate::Result;
use northing_model::Value;
use northing_store::{Change, Moment};
use uuid::Uuid;

const HOUR: i64 = 3_600;

/// A customer of the story: who, whose, and when they first bought.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub id: Uuid,
    pub since: i64,
}

const OFFICE: &str = r#"{"mon":[["08:00","17:00"]],"tue":[["08:00","17:00"]],"wed":[["08:00","17:00"]],"thu":[["08:00","17:00"]],"fri":[["08:00","15:00"]]}"#;

impl Story<'_> {
    pub(crate) fn live(&mut self, w: &mut Writer<'_>) -> Result<()> {
        let office = self.make(w, "schedule", vec![("name", text("Office hours")), ("zone", text("Europe/Warsaw")), ("hours", text(OFFICE))])?;
        let mut question = |story: &mut Self, name: &str, scores: &str, (low, high): (i64, i64), good: (i64, i64), bad: (i64, i64)| {
            story.make(w, "question_version", vec![
                ("name", text(name)), ("survey", text(scores.to_uppercase())), ("scores", text(scores)), ("lowest", Value::Int(low)), ("highest", Value::Int(high)), ("favourable", text("high")),
                ("good_from", Value::Int(good.0)), ("good_to", Value::Int(good.1)), ("bad_from", Value::Int(bad.0)), ("bad_to", Value::Int(bad.1)), ("standard", Value::Bool(true)),
            ])
        };
        let nps = question(self, "How likely are you to recommend us?", "nps", (0, 10), (9, 10), (0, 6))?;
        let csat = question(self, "How satisfied are you?", "csat", (1, 5), (4, 5), (1, 2))?;
        let ces = question(self, "They made it easy for me", "ces", (1, 7), (5, 7), (1, 3))?;
        let agents = self.agents(w, office)?;
        let known = self.known.clone();
        // Nobody is booked twice at a time.
        let mut busy: Vec<(Uuid, i64)> = Vec::new();
        for customer in &known {
            for _ in 0..self.chance.between(0, 3) {
                self.ticket(w, *customer, office, &agents, (csat, ces))?;
            }
            if self.chance.percent(45) {
                let sent = self.after(customer.since);
                self.survey(w, nps, *customer, None, sent, "relationship", &[0, 3, 6, 7, 8, 8, 9, 9, 9, 10, 10])?;
            }
            for _ in 0..self.chance.between(0, 3) {
                let kind = *self.chance.pick(&["site_visit", "portal_login", "reply", "email_click", "booking_change", "loyalty_action"]);
                let at = Value::Time(self.after(customer.since));
                self.make(w, "engagement_event", vec![("customer", Value::Ref(customer.id)), ("at", at), ("kind", text(kind)), ("channel", text("online"))])?;
            }
            if self.chance.percent(55) {
                // On the quarter of an hour between nine and five, a few of them in the days to come.
                let day = self.chance.between(customer.since, self.now + 9 * DAY) / DAY;
                // Day 0 was a Thursday; nobody works at the weekend.
                let day = day - ((day + 3).rem_euclid(7) - 4).max(0);
                let start = day * DAY + 7 * HOUR + self.chance.between(0, 32) * 900;
                let (product, user) = (*self.chance.pick(&self.products.clone()), *self.chance.pick(&agents));
                let status = *self.chance.pick(&["done", "done", "done", "cancelled", "no_show"]);
                let taken = busy.iter().any(|(who, at)| *who == user && (at - start).abs() < 2 * HOUR);
                let status = text(if taken { "cancelled" } else if start > self.now { "booked" } else { status });
                busy.extend((!taken).then_some((user, start)));
                self.make(w, "booking", vec![("customer", Value::Ref(customer.id)), ("product", Value::Ref(product)), ("user", Value::Ref(user)), ("starts_at", Value::Time(start)), ("ends_at", Value::Time(start + 2 * HOUR)), ("status", status)])?;
            }
        }
        for (name, body) in catalogue::CANNED {
            self.make(w, "canned_reply", vec![("name", text(*name)), ("body", text(*body))])?;
        }
        for (i, name) in catalogue::TASKS.iter().enumerate() {
            let due = self.now / DAY * DAY + (i as i64 - 3) * 20 * HOUR;
            let (customer, owner) = (*self.chance.pick(&known), *self.chance.pick(&agents));
            self.make(w, "task", vec![("name", text(*name)), ("customer", Value::Ref(customer.id)), ("owner", Value::Ref(owner)), ("due_at", Value::Time(due)), ("is_routine", Value::Bool(i % 3 == 0))])?;
        }
        self.mailings(w, &known)?;
        let people: Vec<Uuid> = self.users.iter().copied().chain(agents).collect();
        self.work(w, &people)?;
        self.aims(w)
    }

    pub(crate) fn make(&mut self, w: &mut Writer<'_>, object: &str, fields: Vec<(&str, Value)>) -> Result<Uuid> {
        let id = self.env.id();
        w.push(Change::create(object, id, record(fields)))?;
        Ok(id)
    }

    /// Some moment between an instant and now.
    fn after(&mut self, from: i64) -> i64 {
        self.chance.between(from, (self.now - 60).max(from))
    }

    fn agents(&mut self, w: &mut Writer<'_>, office: Uuid) -> Result<Vec<Uuid>> {
        let mut agents = Vec::new();
        for (i, name) in catalogue::AGENTS.iter().enumerate() {
            let invited = self.now - (DAYS - 20 * i as i64) * DAY;
            agents.push(self.make(w, "user", vec![("name", text(*name)), ("role", text("service")), ("schedule", Value::Ref(office)), ("active", Value::Bool(true)), ("invited_at", Value::Time(invited)), ("enabled_at", Value::Time(invited + 2 * DAY))])?);
        }
        Ok(agents)
    }

    fn ticket(&mut self, w: &mut Writer<'_>, customer: Known, office: Uuid, agents: &[Uuid], (csat, ces): (Uuid, Uuid)) -> Result<()> {
        let opened = self.after(customer.since);
        let agent = *self.chance.pick(agents);
        let topic = *self.chance.pick(&catalogue::TOPICS);
        let kind = if self.chance.percent(9) { "complaint" } else { *self.chance.pick(&["question", "question", "incident", "task"]) };
        let id = self.env.id();
        let replied = opened + self.chance.between(5, 300) * 60 * if self.chance.percent(15) { 12 } else { 1 };
        let mut moments = vec![("new", opened)];
        let mut solved = replied + self.chance.between(1, 90) * 1_800;
        if self.chance.percent(93) || opened < self.now - 9 * DAY {
            if self.chance.percent(30) {
                moments.push(("pending", replied));
                solved += self.chance.between(4, 60) * HOUR;
            }
            moments.push(("solved", solved));
            if self.chance.percent(4) {
                moments.push(("open", solved + 5 * HOUR));
                moments.push(("solved", solved + 30 * HOUR));
            }
        }
        moments.retain(|m| m.1 < self.now);
        let status = moments.last().map_or("new", |m| m.0);
        let fields = vec![
            ("subject", text(topic)), ("customer", Value::Ref(customer.id)), ("status", text(status)), ("kind", text(kind)), ("topic", text(topic)),
            ("cause", if kind == "complaint" { text(*self.chance.pick(&["Price", "Quality", "Delay"])) } else { Value::Null }),
            ("priority", text(*self.chance.pick(&["low", "normal", "normal", "high"]))), ("channel", text(*self.chance.pick(&["Mail", "Phone", "Portal"]))), ("assignee", Value::Ref(agent)),
            ("schedule", Value::Ref(office)), ("opened_at", Value::Time(opened)), ("created_at", Value::Time(opened)), ("first_reply_target_mins", Value::Int(240)), ("resolution_target_mins", Value::Int(1_440)),
            ("handle_mins", Value::Int(self.chance.between(4, 55))), ("target_clock", text("business")),
        ];
        let history = moments.iter().map(|(status, at)| Moment { field: "status".into(), at: Some(*at), value: text(*status) }).collect();
        w.push(Change::create("ticket", id, record(fields)).with_moments(history))?;
        let mut say = |story: &mut Self, at: i64, author: &str| -> Result<()> {
            if at < story.now {
                let words = *story.chance.pick(catalogue::said(author));
                let user = if author == "staff" { Value::Ref(agent) } else { Value::Null };
                story.make(w, "message", vec![("ticket", Value::Ref(id)), ("at", Value::Time(at)), ("author", text(author)), ("is_public", Value::Bool(true)), ("user", user), ("body", text(words))])?;
            }
            Ok(())
        };
        say(self, opened + 20, "automatic")?;
        say(self, replied, "staff")?;
        if self.chance.percent(35) {
            let back = replied + self.chance.between(1, 20) * 1_800;
            if back < solved {
                say(self, back, "customer")?;
                let again = back + self.chance.between(1, 12) * 1_200;
                say(self, again, "staff")?;
            }
        }
        if status == "solved" && self.chance.percent(60) {
            self.survey(w, csat, customer, Some((id, agent)), solved + HOUR, "after a ticket", &[1, 2, 3, 4, 4, 5, 5, 5])?;
            if self.chance.percent(40) {
                self.survey(w, ces, customer, Some((id, agent)), solved + HOUR, "after a ticket", &[2, 4, 5, 5, 6, 6, 7])?;
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn survey(&mut self, w: &mut Writer<'_>, question: Uuid, customer: Known, about: Option<(Uuid, Uuid)>, sent: i64, touchpoint: &str, values: &[i64]) -> Result<()> {
        if sent >= self.now {
            return Ok(());
        }
        let delivered = self.chance.percent(97);
        let invite = self.make(w, "survey_invite", vec![
            ("question", Value::Ref(question)), ("customer", Value::Ref(customer.id)), ("sent_at", Value::Time(sent)), ("delivered", Value::Bool(delivered)), ("touchpoint", text(touchpoint)), ("channel", text("Mail")),
        ])?;
        let answered = sent + self.chance.between(1, 200) * HOUR;
        if answered < self.now && self.chance.percent(38) {
            let (ticket, agent) = about.map_or((Value::Null, Value::Null), |(t, a)| (Value::Ref(t), Value::Ref(a)));
            let value = *self.chance.pick(values);
            self.make(w, "survey_response", vec![
                ("question", Value::Ref(question)), ("invite", Value::Ref(invite)), ("customer", Value::Ref(customer.id)), ("ticket", ticket), ("agent", agent), ("answered_at", Value::Time(answered)),
                ("value", Value::Int(value)), ("touchpoint", text(touchpoint)), ("channel", text("Mail")),
            ])?;
        }
        Ok(())
    }

    /// A mailing every six weeks to a part of those who were customers by then, and who joined or left the list.
    fn mailings(&mut self, w: &mut Writer<'_>, known: &[Known]) -> Result<()> {
        for n in 0..DAYS / 42 {
            let at = self.now - DAYS * DAY + (n + 1) * 42 * DAY;
            let name = format!("{} {}", catalogue::MAILINGS[n as usize % catalogue::MAILINGS.len()], n + 1);
            let campaign = self.make(w, "campaign", vec![("name", text(name)), ("channel", text("Mail")), ("audience", text("Customers")), ("starts_on", Value::Date(self.zone.day(at)))])?;
            for customer in known.iter().filter(|c| c.since < at) {
                if !self.chance.percent(40) || at >= self.now {
                    continue;
                }
                let bounced = self.chance.percent(3);
                let send = self.make(w, "send", vec![
                    ("campaign_sent", Value::Ref(campaign)), ("customer", Value::Ref(customer.id)), ("email", text("office@example.com")), ("sent_at", Value::Time(at)), ("delivery", text(if bounced { "bounced" } else { "delivered" })),
                ])?;
                for (kind, percent, machine) in [("open", 14, true), ("open", 31, false), ("click", 7, false)] {
                    if !bounced && self.chance.percent(percent) {
                        let seen = at + if machine { 1 } else { self.chance.between(300, 5 * DAY) };
                        self.make(w, "send_event", vec![("send", Value::Ref(send)), ("at", Value::Time(seen.min(self.now - 1))), ("kind", text(kind)), ("is_machine", Value::Bool(machine))])?;
                    }
                }
            }
        }
        for customer in known.iter().filter(|c| c.id.as_u128() % 3 != 0) {
            let joined = self.after(customer.since);
            let fields = |kind: &str, at: i64| vec![("customer", Value::Ref(customer.id)), ("at", Value::Time(at)), ("kind", text(kind)), ("mailing_list", text("Newsletter")), ("source", text("Website"))];
            self.make(w, "consent_event", fields("subscribed", joined))?;
            if self.chance.percent(14) {
                let left = self.after(joined);
                self.make(w, "consent_event", fields("unsubscribed", left))?;
            }
        }
        Ok(())
    }

    /// Sign-ins, actions and time of the people, on working days.
    fn work(&mut self, w: &mut Writer<'_>, people: &[Uuid]) -> Result<()> {
        for person in people {
            let diligence = self.chance.between(35, 80) as u64;
            for day in 0..DAYS {
                let at = self.now - (DAYS - day) * DAY + self.chance.between(-3, 5) * HOUR;
                let weekend = northing_model::value::date_of(self.zone.day(at)).is_some_and(|d| d.weekday().to_monday_zero_offset() >= 5);
                if weekend || at >= self.now || !self.chance.percent(diligence) {
                    continue;
                }
                let user = ("user", Value::Ref(*person));
                let device = text(*self.chance.pick(&["desktop", "desktop", "phone"]));
                self.make(w, "user_session", vec![user.clone(), ("started_at", Value::Time(at)), ("started_by", text("login")), ("device", device)])?;
                if self.chance.percent(70) {
                    let kind = text(*self.chance.pick(&["create", "update", "complete", "reply"]));
                    self.make(w, "user_action", vec![user.clone(), ("at", Value::Time(at + 600)), ("kind", kind)])?;
                }
                // Automation takes over: routine work falls over the two years.
                if self.chance.percent(20) {
                    let minutes = self.chance.between(20, 140) * (140 - day * 80 / DAYS) / 140;
                    let kind = text(*self.chance.pick(&["Data entry", "Reports", "Invoicing"]));
                    self.make(w, "time_entry", vec![user, ("started_at", Value::Time(at + HOUR)), ("ended_at", Value::Time(at + HOUR + minutes * 60)), ("task_type", kind), ("is_routine", Value::Bool(true))])?;
                }
            }
        }
        for n in 0..400 {
            let at = self.now - (400 - n) * DAY;
            self.make(w, "automation_run", vec![("name", text("Invoice sent")), ("at", Value::Time(at)), ("task_type", text("Invoicing"))])?;
        }
        Ok(())
    }

    /// A goal for revenue each month, goals for deals each quarter, and plans up to three months ahead.
    fn aims(&mut self, w: &mut Writer<'_>) -> Result<()> {
        let today = self.zone.day(self.now);
        let calendar = northing_model::Calendar::Gregorian;
        let (year, month, _) = calendar.parts(today);
        for back in -3..=12 {
            let first = calendar.day(year, month, 1).map_or(today, |d| calendar.add_months(d, -back));
            let last = calendar.add_months(first, 1) - 1;
            let dates = |name: &str| vec![("name", text(name)), ("starts_on", Value::Date(first)), ("ends_on", Value::Date(last))];
            let growth = i64::from(112 - back * 3);
            let mut plan = dates("Orders of the month");
            plan.push(("orders_planned", Value::Decimal(growth * 4 * 1_000_000)));
            self.make(w, "sales_plan", plan)?;
            if back >= 0 {
                let mut goal = dates("Revenue of the month");
                goal.extend([("kpi", text("revenue")), ("target", Value::Decimal(growth * 3_600 * 1_000_000)), ("baseline", Value::Decimal(150_000 * 1_000_000))]);
                self.make(w, "goal", goal)?;
                let mut goal = dates("Deals won in the month");
                goal.extend([("kpi", text("deals_won")), ("target", Value::Decimal(growth * 1_000_000 / 2)), ("baseline", Value::Decimal(20 * 1_000_000))]);
                self.make(w, "goal", goal)?;
            }
        }
        Ok(())
    }
}
