//! Random histories: creates, edits, deletes, merges, reopenings, refunds, out-of-order moments, from a seed.

use northing_crm::demo::Chance;
use northing_model::{Currency, Money, Record, Value};
use northing_store::{Change, Commit, Moment, Store};
use std::collections::BTreeMap;
use uuid::Uuid;

const DAY: i64 = 86_400;
/// 2024-01-01T00:00:00Z
pub const START: i64 = 1_704_067_200;
pub const DAYS: i64 = 400;

pub struct History {
    pub chance: Chance,
    pub ids: BTreeMap<&'static str, Vec<Uuid>>,
    stages: Vec<Uuid>,
    next: u64,
}

fn text(t: &str) -> Value {
    Value::Text(t.into())
}

impl History {
    pub fn new(seed: u64) -> Self {
        Self { chance: Chance::new(seed), ids: BTreeMap::new(), stages: Vec::new(), next: seed << 24 }
    }

    pub(crate) fn id(&mut self) -> Uuid {
        self.next += 1;
        Uuid::from_u64_pair(0x0190_0000_0000_7000, 0x8000_0000_0000_0000 | self.next)
    }
    pub(crate) fn some(&mut self, object: &str) -> Option<Uuid> {
        let list = self.ids.get(object)?;
        (!list.is_empty()).then(|| list[self.chance.below(list.len() as u64) as usize])
    }
    pub(crate) fn reference(&mut self, object: &str, percent: u64) -> Value {
        if self.chance.percent(percent) { self.some(object).map_or(Value::Null, Value::Ref) } else { Value::Null }
    }
    pub(crate) fn instant(&mut self) -> i64 {
        // Often on a border: midnight of a day, first of a month in winter time.
        let day = self.chance.between(0, DAYS);
        START + day * DAY + if self.chance.percent(20) { -3_600 } else { self.chance.between(0, DAY - 1) }
    }
    pub(crate) fn day(&mut self) -> i32 {
        (START / DAY + self.chance.between(0, DAYS)) as i32
    }
    pub(crate) fn money(&mut self) -> Value {
        let code = *self.chance.pick(&["EUR", "EUR", "EUR", "USD", "JPY"]);
        let currency = Currency::parse(code).expect("a currency");
        let minor = if self.chance.percent(8) { 0 } else { self.chance.between(1, 500_000) };
        Value::Money(Money { minor, currency })
    }
    fn euro(&mut self) -> Value {
        Value::Money(Money { minor: self.chance.between(1, 90_000), currency: Currency::parse("EUR").expect("a currency") })
    }

    /// Settings, stages and a rate.
    pub fn begin(&mut self, store: &Store) {
        let mut settings = Record::from([
            ("name".into(), text("Test")), ("zone".into(), text("Europe/Warsaw")), ("currency".into(), text("EUR")),
            ("purchases".into(), text(if self.chance.percent(35) { "deals" } else { "orders" })), ("activity_window_days".into(), Value::Int(self.chance.between(20, 200))),
            ("conversion_window_days".into(), Value::Int(self.chance.between(5, 120))), ("new_customer_days".into(), Value::Int(*self.chance.pick(&[0, 0, 10]))),
            ("crm_credit_percent".into(), Value::Int(*self.chance.pick(&[100, 60]))), ("lifespan_cap_years".into(), Value::Int(self.chance.between(1, 5))), ("win_back_days".into(), Value::Int(self.chance.between(10, 200))),
        ]);
        match self.chance.below(5) {
            0 | 1 => drop(settings.insert("crm_go_live_on".into(), Value::Date(self.day()))),
            2 | 3 => drop(settings.insert("crm_baseline_profit".into(), Value::Decimal(self.chance.between(-900, 900_000) * 1_000_000))),
            _ => {}
        }
        let mut changes = vec![Change::create("workspace", self.id(), settings)];
        let pipeline = self.id();
        changes.push(Change::create("pipeline", pipeline, Record::from([("name".into(), text("Sales"))])));
        for (i, kind) in ["open", "open", "open", "won", "lost", "void"].iter().enumerate() {
            let id = self.id();
            self.stages.push(id);
            changes.push(Change::create("stage", id, Record::from([
                ("name".into(), text(&format!("{kind} {i}"))), ("kind".into(), text(kind)), ("position".into(), Value::Int(i as i64)), ("pipeline".into(), Value::Ref(pipeline)), ("probability".into(), if i == 2 { Value::Null } else { Value::Int(20 * i as i64) }),
            ])));
        }
        // Sometimes amounts have no rate.
        let currencies: &[&str] = *self.chance.pick(&[&["USD", "JPY"][..], &["USD", "JPY"], &["USD", "JPY"], &["USD"], &[]]);
        for currency in currencies {
            let (id, rate) = (self.id(), self.chance.between(5_000, 1_300_000));
            changes.push(Change::create("fx_rate", id, Record::from([("currency".into(), text(currency)), ("on".into(), Value::Date((START / DAY) as i32 - 200)), ("rate".into(), Value::Decimal(rate))])));
        }
        let rate = self.rate();
        changes.push(rate);
        let id = self.id();
        changes.push(Change::create("user", id, Record::from([("name".into(), text("Ann"))])));
        self.ids.entry("user").or_default().push(id);
        let life = self.begin_life();
        changes.extend(life);
        self.commit(store, changes);
    }

    fn rate(&mut self) -> Change {
        let id = self.id();
        let day = self.day() - 100;
        Change::create("fx_rate", id, Record::from([
            ("currency".into(), text(*self.chance.pick(&["USD", "JPY"]))), ("on".into(), Value::Date(day)), ("rate".into(), Value::Decimal(self.chance.between(5_000, 1_300_000))),
        ]))
    }

    pub fn commit(&mut self, store: &Store, changes: Vec<Change>) {
        let at = START + DAYS * DAY;
        if let Err(e) = store.commit(Commit { actor: "test".into(), at, changes, key: None }) {
            panic!("a generated change was refused: {e}");
        }
    }

    /// A commit of a few random changes.
    pub fn step(&mut self, store: &Store) {
        let mut changes = Vec::new();
        for _ in 0..self.chance.between(1, 5) {
            let made = if self.chance.percent(40) { self.live() } else { self.change() };
            if let Some((object, id, change)) = made {
                changes.push(change);
                if let Some((object, id)) = object.zip(id) {
                    self.ids.entry(object).or_default().push(id);
                }
            }
        }
        // One record at most once a commit, so that no change finds another's half-way state.
        let mut seen = std::collections::BTreeSet::new();
        changes.retain(|c| seen.insert(c.id));
        if !changes.is_empty() {
            self.commit(store, changes);
        }
    }

    #[allow(clippy::type_complexity)]
    fn change(&mut self) -> Option<(Option<&'static str>, Option<Uuid>, Change)> {
        let id = self.id();
        let new = |object: &'static str, fields: Vec<(&str, Value)>| {
            let fields: Record = fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_string(), v)).collect();
            Some((Some(object), Some(id), Change::create(object, id, fields)))
        };
        let old = |object: &str, id: Uuid, fields: Vec<(&str, Value)>| Some((None, None, Change::update(object, id, fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect())));
        match self.chance.below(100) {
            0..=11 => {
                let (test, internal) = (self.chance.percent(5), self.chance.percent(5));
                let created = Value::Time(self.instant());
                new("customer", vec![("name", text("C")), ("is_test", Value::Bool(test)), ("is_internal", Value::Bool(internal)), ("created_at", created), ("segment", text(*self.chance.pick(&["a", "b"])))])
            }
            12..=23 => {
                let (customer, created) = (self.reference("customer", 60), Value::Time(self.instant()));
                let status = text(*self.chance.pick(&["new", "working", "qualified", "spam"]));
                new("lead", vec![("name", text("L")), ("customer", customer), ("created_at", created), ("status", status), ("source", text(*self.chance.pick(&["web", "ads", "fair"])))])
            }
            24..=39 => {
                let (customer, lead) = (self.reference("customer", 85), self.reference("lead", 50));
                let (owner, amount) = (self.reference("user", 60), if self.chance.percent(85) { self.money() } else { Value::Null });
                let created = self.instant();
                let mut at = created;
                let mut moments = vec![Moment { field: "stage".into(), at: (!self.chance.percent(5)).then_some(at), value: Value::Ref(self.stages[0]) }];
                for _ in 0..self.chance.between(0, 4) {
                    at += self.chance.between(0, 40 * DAY);
                    let stage = self.chance.below(6) as usize;
                    moments.push(Moment { field: "stage".into(), at: Some(at), value: Value::Ref(self.stages[stage]) });
                }
                let stage = moments.last().map_or(Value::Null, |m| m.value.clone());
                // Not seldom nobody recorded since when it is where it is.
                let undated = self.chance.percent(20);
                if undated {
                    let told = self.chance.below(6) as usize;
                    moments = if self.chance.percent(50) { Vec::new() } else { vec![Moment { field: "stage".into(), at: None, value: Value::Ref(self.stages[told]) }] };
                    if self.chance.percent(15) {
                        moments.push(Moment { field: "stage".into(), at: Some(at), value: Value::Ref(self.stages[told]) });
                    }
                }
                let stage = if undated { moments.last().map_or(Value::Ref(self.stages[self.chance.below(6) as usize]), |m| m.value.clone()) } else { stage };
                if moments.len() > 1 && self.chance.percent(30) {
                    let (a, b) = (self.chance.below(moments.len() as u64) as usize, self.chance.below(moments.len() as u64) as usize);
                    moments.swap(a, b);
                }
                let fields = vec![("name", text("D")), ("customer", customer), ("lead", lead), ("owner", owner), ("amount", amount), ("stage", stage), ("created_at", Value::Time(created)), ("expected_close", Value::Date(self.day()))];
                new("deal", fields).map(|(o, i, c)| (o, i, c.with_moments(moments)))
            }
            40..=46 => {
                let (deal, stage, at) = (self.some("deal")?, self.chance.below(6) as usize, self.instant());
                let value = Value::Ref(self.stages[stage]);
                let change = Change::update("deal", deal, Record::from([("stage".into(), value.clone())]));
                Some((None, None, change.with_moments(vec![Moment { field: "stage".into(), at: Some(at), value }])))
            }
            47..=49 => {
                let (deal, amount, at) = (self.some("deal")?, self.money(), self.instant());
                let change = Change::update("deal", deal, Record::from([("amount".into(), amount.clone())]));
                Some((None, None, change.with_moments(vec![Moment { field: "amount".into(), at: Some(at), value: amount }])))
            }
            50..=63 => {
                let (customer, deal, at) = (self.reference("customer", 85), self.reference("deal", 20), self.instant());
                let net = if self.chance.percent(75) { self.money() } else { Value::Null };
                let status = text(*self.chance.pick(&["confirmed", "confirmed", "confirmed", "confirmed", "draft", "cancelled"]));
                let done = if self.chance.percent(40) { Value::Time(at + self.chance.between(-DAY, 9 * DAY)) } else { Value::Null };
                new("order", vec![("number", text("O")), ("fulfilled_at", done), ("customer", customer), ("deal", deal), ("confirmed_at", if self.chance.percent(95) { Value::Time(at) } else { Value::Null }), ("net", net), ("status", status), ("source", text(*self.chance.pick(&["web", "shop"])))])
            }
            64..=69 => {
                let order = self.reference("order", 100);
                let (quantity, price) = (Value::Decimal(self.chance.between(1, 9) * 500_000), Value::Decimal(self.chance.between(0, 90_000_000)));
                let (product, cost, done) = (self.reference("product", 60), Value::Decimal(self.chance.between(0, 9_000_000)), if self.chance.percent(20) { Value::Time(self.instant()) } else { Value::Null });
                if order.is_null() { None } else { new("order_line", vec![("order", order), ("quantity", quantity), ("unit_price", price), ("product", product), ("unit_cost", cost), ("fulfilled_at", done)]) }
            }
            70..=74 => {
                let (order, at, amount) = (self.reference("order", 90), Value::Time(self.instant()), self.euro());
                new("refund", vec![("order", order), ("at", at), ("amount", amount)])
            }
            75..=78 => {
                let customer = self.reference("customer", 100);
                let start = self.instant();
                let end = if self.chance.percent(85) { Value::Time(start + self.chance.between(10, 200) * DAY) } else { Value::Null };
                let ended = if self.chance.percent(20) { Value::Time(start + self.chance.between(1, 150) * DAY) } else { Value::Null };
                let (auto, successor, month) = (self.chance.percent(20), self.reference("contract", 30), self.chance.percent(10));
                if customer.is_null() {
                    return None;
                }
                let value = self.euro();
                new("contract", vec![("plan", text("P")), ("customer", customer), ("starts_at", Value::Time(start)), ("term_end", end), ("ended_at", ended), ("auto_renew", Value::Bool(auto)), ("month_to_month", Value::Bool(month)), ("successor", successor), ("value", value)])
            }
            79..=81 => {
                let (amount, day) = (if self.chance.percent(60) { self.euro() } else { self.money() }, self.day());
                let (from, to) = if self.chance.percent(40) { (Value::Date(day), Value::Date(day + self.chance.between(0, 40) as i32)) } else { (Value::Null, Value::Null) };
                let share = self.chance.between(0, 100) as u8;
                let (one, other) = *self.chance.pick(&[("lead_generation", "sales_acquisition"), ("retention", "service"), ("crm", "overhead"), ("crm", "service")]);
                let purposes = if self.chance.percent(80) { Value::Shares(BTreeMap::from([(one.to_string(), share), (other.to_string(), 100 - share)])) } else { Value::Null };
                let customer = self.reference("customer", 30);
                let nature = if self.chance.percent(75) { text(*self.chance.pick(&["labour", "labour", "media"])) } else { Value::Null };
                new("expense", vec![("customer", customer), ("nature", nature), ("name", text("E")), ("amount", amount), ("incurred_on", Value::Date(day)), ("service_from", from), ("service_to", to), ("purposes", purposes)])
            }
            82..=86 => {
                let (lead, deal, customer, at) = (self.reference("lead", 70), self.reference("deal", 20), self.reference("customer", 40), Value::Time(self.instant()));
                let user = self.reference("user", 70);
                let (kind, direction, author) = (text(*self.chance.pick(&["call", "email", "call", "email", "meeting", "note"])), text(*self.chance.pick(&["in", "out", "out"])), text(*self.chance.pick(&["human", "human", "human", "automatic"])));
                new("interaction", vec![("at", at), ("lead", lead), ("deal", deal), ("customer", customer), ("kind", kind), ("direction", direction), ("author", author), ("user", user)])
            }
            87..=89 => {
                // A merge, if it is not one of those that are refused (into itself, in a circle).
                let object = *self.chance.pick(&["customer", "customer", "lead"]);
                let (a, b) = (self.some(object)?, self.some(object)?);
                if a <= b { None } else { old(object, a, vec![("merged_into", Value::Ref(b))]) }
            }
            90 => {
                let object = *self.chance.pick(&["customer", "lead"]);
                let id = self.some(object)?;
                old(object, id, vec![("merged_into", Value::Null)])
            }
            91..=93 => {
                let object = *self.chance.pick(&["order", "order_line", "refund", "lead", "interaction", "expense"]);
                let id = self.some(object)?;
                // Deleted ids are not used again: further changes of them would be refused.
                self.ids.get_mut(object)?.retain(|i| *i != id);
                Some((None, None, Change::delete(object, id)))
            }
            94 => {
                let id = self.some("order")?;
                old("order", id, vec![("status", text(*self.chance.pick(&["confirmed", "cancelled"])))])
            }
            95 => {
                let (id, customer) = (self.some("order")?, self.reference("customer", 80));
                old("order", id, vec![("customer", customer)])
            }
            96 => {
                let (id, customer) = (self.some("lead")?, self.reference("customer", 80));
                old("lead", id, vec![("customer", customer)])
            }
            97 => {
                let (id, at, test) = (self.some("customer")?, self.instant(), self.chance.percent(30));
                old("customer", id, if test { vec![("is_test", Value::Bool(true))] } else { vec![("lost_at", Value::Time(at))] })
            }
            98 => {
                let (id, is_test) = (self.some("deal")?, self.chance.percent(50));
                old("deal", id, vec![("is_test", Value::Bool(is_test))])
            }
            _ => Some((None, None, self.rate())),
        }
    }
}
