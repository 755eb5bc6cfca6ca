//! What happened in two years: leads arrive, are answered, become deals, are won or lost; customers order
//! again, sign contracts, renew or leave; money is spent on all of it.

use super::catalogue::{COUNTRIES, FIRST, LOST_REASONS, PEOPLE, SEGMENTS, SERVICES, SOURCES, TEAMS, TRADES};
use super::life::Known;
use super::{Chance, Writer};
use crate::{Env, Result};
use northing_model::{Currency, Money, Record, Value, Zone};
use northing_store::{Change, Moment, Store};
use uuid::Uuid;

pub(super) const DAY: i64 = 86_400;
pub(super) const DAYS: i64 = 730;
/// Leads over the two years; about four in ten are worth an offer, and become customer records.
const LEADS: u64 = 7_400;

pub(crate) struct Story<'a> {
    pub(super) env: &'a Env,
    pub(super) chance: Chance,
    pub(super) now: i64,
    pub(super) zone: Zone,
    currency: Currency,
    stages: Vec<Uuid>,
    pipeline: Uuid,
    pub(super) users: Vec<Uuid>,
    pub(super) products: Vec<Uuid>,
    /// Those who bought, with the day they first did.
    pub(super) known: Vec<Known>,
    orders: u64,
}

pub(super) fn text(t: impl Into<String>) -> Value {
    Value::Text(t.into())
}

pub(super) fn record(fields: Vec<(&str, Value)>) -> Record {
    fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_string(), v)).collect()
}

impl<'a> Story<'a> {
    pub fn new(store: &Store, env: &'a Env, seed: u64) -> Result<Self> {
        let mut stages: Vec<(i64, Uuid)> = Vec::new();
        let mut pipeline = Uuid::nil();
        let model = store.model();
        if let Some(stage) = model.object("stage") {
            let fields: Vec<_> = ["position", "pipeline"].iter().filter_map(|f| stage.field(f)).collect();
            store.scan("stage", &fields, |id, _, v| {
                stages.push((v[0].as_int().unwrap_or(0), id));
                pipeline = v[1].as_ref_id().unwrap_or(pipeline);
            })?;
        }
        stages.sort_unstable();
        Ok(Self {
            env,
            chance: Chance::new(seed),
            now: env.now(),
            zone: Zone::parse("Europe/Warsaw").unwrap_or_else(Zone::utc),
            currency: store.currency(),
            stages: stages.into_iter().map(|s| s.1).collect(),
            pipeline,
            users: Vec::new(),
            products: Vec::new(),
            known: Vec::new(),
            orders: 0,
        })
    }

    fn money(&self, cents: i64) -> Value {
        Value::Money(Money { minor: cents, currency: self.currency })
    }

    pub fn tell(&mut self, w: &mut Writer<'_>) -> Result<()> {
        self.company(w)?;
        self.costs(w)?;
        // Leads in order of time: growing by half over two years, quieter in July and at the turn of the year.
        let mut arrivals: Vec<i64> = (0..LEADS).map(|_| self.arrival()).collect();
        arrivals.sort_unstable();
        for at in arrivals {
            self.lead(w, at)?;
        }
        self.live(w)
    }

    fn arrival(&mut self) -> i64 {
        loop {
            let day = self.chance.below(DAYS as u64) as i64;
            let keep = 60 + day * 40 / DAYS;
            let date = northing_model::value::date_of(self.zone.day(self.now - (DAYS - day) * DAY));
            let quiet = date.is_some_and(|d| matches!(d.month(), 7 | 12));
            let weekend = date.is_some_and(|d| d.weekday().to_monday_zero_offset() >= 5);
            let keep = keep * if quiet { 75 } else { 100 } / 100 * if weekend { 30 } else { 100 } / 100;
            if self.chance.percent(keep as u64) {
                return (self.now - (DAYS - day) * DAY + self.chance.between(-4, 8) * 3_600 + self.chance.between(0, 3_599)).min(self.now - 60);
            }
        }
    }

    fn company(&mut self, w: &mut Writer<'_>) -> Result<()> {
        let teams: Vec<Uuid> = TEAMS.iter().map(|_| self.env.id()).collect();
        for (id, (name, region)) in teams.iter().zip(TEAMS) {
            w.push(Change::create("team", *id, record(vec![("name", text(name)), ("region", text(region))])))?;
        }
        for (name, team) in PEOPLE {
            let id = self.env.id();
            self.users.push(id);
            w.push(Change::create("user", id, record(vec![("name", text(name)), ("role", text("sales")), ("team", Value::Ref(teams[team])), ("active", Value::Bool(true)),
                ("invited_at", Value::Time(self.now - (DAYS + 30) * DAY)), ("enabled_at", Value::Time(self.now - (DAYS + 28) * DAY)),
            ])))?;
        }
        for (name, category, price, _) in SERVICES {
            let id = self.env.id();
            self.products.push(id);
            let upgrades = if name == "Premium care" { self.products.get(6).map_or(Value::Null, |p| Value::Ref(*p)) } else { Value::Null };
            w.push(Change::create("product", id, record(vec![("name", text(name)), ("category", text(category)), ("price", self.money(price)), ("cost", self.money(price * 58 / 100)), ("upgrades", upgrades), ("takes", Value::Int(2 * 3_600))])))?;
        }
        Ok(())
    }

    /// Monthly: advertising by source, part of the salaries, tools, care for customers.
    fn costs(&mut self, w: &mut Writer<'_>) -> Result<()> {
        let shares = |list: &[(&str, u8)]| Value::Shares(list.iter().map(|(k, v)| ((*k).to_string(), *v)).collect());
        for month in 0..24 {
            let first = self.zone.day(self.now - DAYS * DAY) + month * 30 + 15;
            let growth = 70 + i64::from(month) * 2;
            for (source, channel, weight, _, cost) in SOURCES {
                let amount = weight as i64 * 12 * cost * growth / 100 + self.chance.between(0, 9_999);
                w.push(Change::create("expense", self.env.id(), record(vec![
                    ("name", text(format!("{source} marketing"))), ("category", text("Marketing")), ("amount", self.money(amount)),
                    ("nature", text("media")), ("incurred_on", Value::Date(first)), ("source", text(source)), ("channel", text(channel)), ("purposes", shares(&[("lead_generation", 100)])),
                ])))?;
            }
            for (name, nature, amount, purposes) in [
                ("Sales salaries", "labour", 5_850_000, vec![("sales_acquisition", 60), ("retention", 25), ("service", 15)]),
                ("Customer care", "labour", 1_640_000, vec![("retention", 60), ("service", 40)]),
                ("CRM and tools", "software", 58_000, vec![("crm", 100)]),
                ("Office", "other", 310_000, vec![("overhead", 100)]),
            ] {
                w.push(Change::create("expense", self.env.id(), record(vec![
                    ("name", text(name)), ("nature", text(nature)), ("category", text("Operations")), ("amount", self.money(amount * growth / 100)), ("incurred_on", Value::Date(first)),
                    ("service_from", Value::Date(first - 14)), ("service_to", Value::Date(first + 15)), ("purposes", shares(&purposes)),
                ])))?;
            }
        }
        Ok(())
    }

    fn lead(&mut self, w: &mut Writer<'_>, at: i64) -> Result<()> {
        let (source, channel, _, quality, _) = SOURCES[self.chance.weighted(&SOURCES.map(|s| s.2))];
        let owner = *self.chance.pick(&self.users.clone());
        let (trade, industry) = *self.chance.pick(&TRADES);
        let name = format!("{} {trade} {}", self.chance.pick(&FIRST), self.chance.between(2, 399));
        let (segment, _, size, again) = SEGMENTS[self.chance.weighted(&SEGMENTS.map(|s| s.1))];
        let (country, _) = COUNTRIES[self.chance.weighted(&COUNTRIES.map(|c| c.1))];
        let campaign = if self.chance.percent(35) { text(*self.chance.pick(&["Spring offer", "Winter check", "Newsletter", "Open day"])) } else { Value::Null };
        let lead = self.env.id();
        let spam = self.chance.percent(2);
        let pursued = !spam && self.chance.percent(quality);
        let status = if spam { "spam" } else if pursued { "qualified" } else { *self.chance.pick(&["new", "working", "disqualified", "disqualified"]) };
        let qualified = at + self.chance.between(1, 12) * DAY;
        // What has not happened yet is not known yet.
        let dealt_with = if pursued { qualified } else { (at + DAY).min(self.now - 1) };
        let status = if pursued && qualified >= self.now { "working" } else { status };
        let told = |field: &str, at: i64, value: Value| Moment { field: field.into(), at: Some(at), value };
        let mut moments = vec![told("owner", at, Value::Ref(owner)), told("status", at, text(if spam { "spam" } else { "new" }))];
        if !spam && status != "new" {
            moments.push(told("status", dealt_with.min(self.now - 1).max(at), text(status)));
        }
        let fields = record(vec![
            ("qualified_at", if pursued && qualified < self.now { Value::Time(qualified) } else { Value::Null }),
            ("name", text(&name)), ("email", text(format!("office{}@example.com", self.chance.between(1, 99_999)))), ("company", text(&name)), ("status", text(status)), ("source", text(source)),
            ("channel", text(channel)), ("campaign", campaign.clone()), ("country", text(country)), ("segment", text(segment)), ("owner", Value::Ref(owner)),
            ("score", Value::Int(self.chance.between(5, 98))), ("created_at", Value::Time(at)),
        ]);
        w.push(Change::create("lead", lead, fields).with_moments(moments))?;
        let answered = at + self.chance.between(4, 60) * 60 * if self.chance.percent(25) { 24 } else { 2 };
        if !spam && answered < self.now && self.chance.percent(92) {
            w.push(Change::create("interaction", self.env.id(), record(vec![
                ("at", Value::Time(answered)), ("kind", text(*self.chance.pick(&["email", "call"]))), ("direction", text("out")), ("author", text("human")), ("connected", Value::Bool(true)),
                ("subject", text("First answer")), ("channel", text(channel)), ("lead", Value::Ref(lead)), ("user", Value::Ref(owner)),
            ])))?;
        }
        if !pursued {
            return Ok(());
        }
        let customer = self.env.id();
        w.push(Change::create("customer", customer, record(vec![
            ("name", text(&name)), ("kind", text("company")), ("owner", Value::Ref(owner)), ("segment", text(segment)), ("industry", text(industry)), ("country", text(country)),
            ("acquisition_source", text(source)), ("acquisition_channel", text(channel)), ("created_at", Value::Time(at)),
        ])))?;
        w.push(Change::update("lead", lead, record(vec![("customer", Value::Ref(customer))])))?;
        let won = self.deal(w, (lead, customer, owner), at, size, (source, channel, &name, &campaign))?;
        if let Some((first, deal)) = won {
            self.known.push(Known { id: customer, since: first });
            self.order(w, customer, owner, first, size, (source, channel), Some(deal))?;
            self.later(w, customer, owner, first, size, again, (source, channel))?;
        }
        Ok(())
    }

    /// A deal through the stages; when and as which record it was won, if it was.
    fn deal(&mut self, w: &mut Writer<'_>, (lead, customer, owner): (Uuid, Uuid, Uuid), from: i64, size: i64, about: (&str, &str, &str, &Value)) -> Result<Option<(i64, Uuid)>> {
        let (source, channel, name, campaign) = about;
        let mut at = from + self.chance.between(1, 72) * 3_600;
        if at >= self.now {
            return Ok(None);
        }
        let created = at;
        let amount = self.chance.between(60, 420) * size * 10;
        let mut moments = vec![Moment { field: "stage".into(), at: Some(at), value: Value::Ref(self.stages[0]) }];
        let mut won = None;
        let mut lost = Value::Null;
        let wins = self.chance.percent(41);
        let last_open = if wins { 3 } else { self.chance.between(0, 3) as usize };
        for stage in 1..=last_open + 1 {
            at += self.chance.between(6, 130) * 3_600 * if self.chance.percent(15) { 4 } else { 1 };
            if at >= self.now {
                break;
            }
            let closing = stage > last_open;
            let to = match (closing, wins) {
                (false, _) => stage,
                (true, true) => 4,
                (true, false) if self.chance.percent(6) => 6,
                (true, false) => 5,
            };
            moments.push(Moment { field: "stage".into(), at: Some(at), value: Value::Ref(self.stages[to]) });
            if to == 4 {
                won = Some(at);
            } else if to == 5 {
                lost = text(*self.chance.pick(&LOST_REASONS));
            }
        }
        let stage = moments.last().map_or(Value::Null, |m| m.value.clone());
        let deal = self.env.id();
        let fields = record(vec![
            ("name", text(format!("{name}: {}", self.chance.pick(&["annual care", "pilot", "new site", "extension"])))), ("customer", Value::Ref(customer)), ("lead", Value::Ref(lead)),
            ("owner", Value::Ref(owner)), ("pipeline", Value::Ref(self.pipeline)), ("stage", stage), ("amount", self.money(amount)), ("source", text(source)), ("channel", text(channel)),
            ("campaign", campaign.clone()), ("deal_type", text("New business")), ("lost_reason", lost), ("expected_close", Value::Date(self.zone.day(created + 45 * DAY))),
            ("created_at", Value::Time(created)),
        ]);
        w.push(Change::create("deal", deal, fields).with_moments(moments))?;
        Ok(won.map(|at| (at, deal)))
    }

    #[allow(clippy::too_many_arguments)]
    fn order(&mut self, w: &mut Writer<'_>, customer: Uuid, owner: Uuid, at: i64, size: i64, (source, channel): (&str, &str), deal: Option<Uuid>) -> Result<()> {
        self.orders += 1;
        let fulfilled = at + self.chance.between(8, 160) * 3_600;
        let id = self.env.id();
        let cancelled = deal.is_none() && self.chance.percent(2);
        w.push(Change::create("order", id, record(vec![
            ("number", text(format!("{:06}", self.orders))), ("customer", Value::Ref(customer)), ("owner", Value::Ref(owner)), ("status", text(if cancelled { "cancelled" } else { "confirmed" })),
            ("kind", text("sale")), ("confirmed_at", Value::Time(at)), ("fulfilled_at", if fulfilled < self.now { Value::Time(fulfilled) } else { Value::Null }), ("source", text(source)), ("channel", text(channel)), ("deal", deal.map_or(Value::Null, Value::Ref)), ("created_at", Value::Time(at)),
        ])))?;
        let mut total = 0;
        for _ in 0..self.chance.between(1, 3) {
            let service = self.chance.weighted(&SERVICES.map(|s| s.3));
            let price = SERVICES[service].2 * size.clamp(80, 200) / 100;
            let quantity = self.chance.between(1, 3);
            total += price * quantity;
            w.push(Change::create("order_line", self.env.id(), record(vec![
                ("order", Value::Ref(id)), ("product", Value::Ref(self.products[service])), ("description", text(SERVICES[service].0)),
                ("quantity", Value::Decimal(quantity * 1_000_000)), ("unit_price", Value::Decimal(price * 10_000)),
            ])))?;
        }
        // Paid within three weeks, some at once.
        let paid = at + (self.orders as i64 * 5 % 22) * DAY;
        if !cancelled && paid < self.now {
            w.push(Change::create("payment", self.env.id(), record(vec![("order", Value::Ref(id)), ("at", Value::Time(paid)), ("kind", text("payment")), ("amount", self.money(total)), ("created_at", Value::Time(paid))])))?;
        }
        let back = at + self.chance.between(2, 30) * DAY;
        if !cancelled && back < self.now && self.chance.percent(3) {
            let amount = if self.chance.percent(40) { total } else { total * self.chance.between(10, 60) / 100 };
            w.push(Change::create("refund", self.env.id(), record(vec![("order", Value::Ref(id)), ("at", Value::Time(back)), ("amount", self.money(amount)), ("reason", text("Complaint"))])))?;
        }
        Ok(())
    }

    /// Orders after the first, contacts, and for some a yearly contract.
    #[allow(clippy::too_many_arguments)]
    fn later(&mut self, w: &mut Writer<'_>, customer: Uuid, owner: Uuid, first: i64, size: i64, again: u64, from: (&str, &str)) -> Result<()> {
        let stays = self.chance.between(2, 60);
        let mut at = first;
        for _ in 0..stays {
            at += self.chance.between(20, 42) * DAY;
            if at >= self.now {
                break;
            }
            if self.chance.percent(again) {
                self.order(w, customer, owner, at, size, from, None)?;
            }
        }
        if self.chance.percent(14) {
            let mut start = first + self.chance.between(5, 60) * DAY;
            let mut previous: Option<Uuid> = None;
            while start < self.now {
                let (id, end) = (self.env.id(), start + 365 * DAY);
                let leaves = self.chance.percent(4);
                w.push(Change::create("contract", id, record(vec![
                    ("plan", text(*self.chance.pick(&["Care Basic", "Care Plus"]))), ("customer", Value::Ref(customer)), ("value", self.money(size * 1_800)), ("starts_at", Value::Time(start)),
                    ("term_end", Value::Time(end)), ("owner", Value::Ref(owner)), ("cancel_reason", if leaves { text("Competitor") } else { Value::Null }),
                    ("ended_at", if leaves && start + 200 * DAY < self.now { Value::Time(start + 200 * DAY) } else { Value::Null }), ("created_at", Value::Time(start)),
                ])))?;
                if let Some(previous) = previous {
                    w.push(Change::update("contract", previous, record(vec![("successor", Value::Ref(id))])))?;
                }
                if leaves || self.chance.percent(24) {
                    break;
                }
                previous = Some(id);
                start = end + self.chance.between(0, 12) * DAY;
            }
        }
        Ok(())
    }
}
