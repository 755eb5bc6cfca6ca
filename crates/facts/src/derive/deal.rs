//! Deals: versions and stage visits out of history, outcome, and won deals as purchases.

use crate::Facts;
use crate::build::{EVER, Entry};
use crate::column::NULL;
use northing_model::money::div_half_even;

#[derive(Clone, Copy, PartialEq)]
pub(crate) struct State {
    pub stage: i64,
    pub owner: i64,
    pub amount: i64,
    pub currency: i64,
}

impl Facts {
    pub(crate) fn derive_deal(&mut self, row: u32) {
        let d = self.known.deal;
        let customer = self.get(d.table, d.customer, row);
        let fits = self.allowed_by(customer);
        self.count_if(d.table, row, fits);
        let counted = self.counted(d.table, row);

        let told = self.told(d.table, row);
        let made = self.get(d.table, d.created_at, row);
        let states = self.states(&told, made);
        self.write_versions(row, counted, &states);
        let told_stage = told.iter().rev().find(|e| e.column == d.stage && e.at == NULL).map_or(NULL, |e| e.told);
        let unknown = (if made == NULL { EVER } else { made }, told_stage);
        let visits = self.write_visits(row, counted, self.visits(&told, made), unknown);
        let stalls_at = self.write_stalls(row, counted, &states, &visits);
        self.set(self.known.deal.table, self.known.deal.stalls_at, row, stalls_at);

        self.set(d.table, d.staged_at, row, visits.last().map_or(NULL, |visit| visit.1));
        let outcomes = self.choices.deal_outcome;
        let (outcome, closed_at) = self.outcome(&visits);
        self.set(d.table, d.outcome, row, outcome);
        self.set(d.table, d.closed_at, row, closed_at);
        // Closed, and nobody recorded when: between its making and when that was told.
        let undated = outcome != outcomes.open && closed_at == NULL && told_stage != NULL;
        self.set(d.table, d.undated_from, row, if undated { unknown.0.min(unknown.1) } else { NULL });
        self.set(d.table, d.undated_to, row, if undated { unknown.1 } else { NULL });
        self.set(d.table, d.is_sale, row, i64::from(counted && outcome == outcomes.won));
        let owner = match states.iter().rev().find(|s| closed_at != NULL && s.0 <= closed_at) {
            Some((_, state)) => state.owner,
            None => self.get(d.table, d.owner, row),
        };
        self.set(d.table, d.closing_owner, row, owner);
        let day = if closed_at == NULL { i32::MAX } else { self.settings.zone.day(closed_at) };
        let amount = self.convert(self.get(d.table, d.amount__raw, row), self.get(d.table, d.amount__cur, row), day);
        self.set(d.table, d.amount, row, amount);
        self.set(d.table, d.has_lines, row, 0);
        let (open, expected) = (counted && outcome == outcomes.open, self.get(d.table, d.expected_close, row));
        let stage = self.get(d.table, d.stage, row);
        let raw = self.get(d.table, d.amount__raw, row);
        self.set(d.table, d.weighted, row, if open { self.weigh(amount, stage) } else { NULL });
        self.set(d.table, d.weighted__raw, row, if open { self.weigh(raw, stage) } else { NULL });
        self.set(d.table, d.expected_at, row, if open && expected != NULL { self.settings.zone.midnight(expected as i32) } else { NULL });

        let won = counted && outcome == outcomes.won && closed_at != NULL;
        let purchase = won && self.settings.purchases_are_deals && raw != 0;
        self.set(d.table, d.revenue_at, row, if won { closed_at } else { NULL });
        self.set(d.table, d.purchased_at, row, if purchase { closed_at } else { NULL });
        self.set(d.table, d.purchase_value, row, if purchase { amount } else { NULL });
        self.set(d.table, d.purchase_value__raw, row, if purchase { raw } else { NULL });
        if customer < 0 || !self.settings.purchases_are_deals {
            self.set_classes(d.table, row, [false; 4]);
            self.set(d.table, d.gap_secs, row, NULL);
        }
        self.derive_cycle(row, NULL, &[]);
    }

    /// What the deal was from each instant on; entries at one instant make one state. What it was at first nobody may
    /// have dated: a deal that was open then has been open since it was made.
    fn states(&self, told: &[Entry], made: i64) -> Vec<(i64, State)> {
        let d = self.known.deal;
        let mut state = State { stage: NULL, owner: NULL, amount: NULL, currency: NULL };
        let mut states: Vec<(i64, State)> = Vec::new();
        for entry in told {
            if entry.column == d.stage {
                state.stage = entry.value;
            } else if entry.column == d.owner {
                state.owner = entry.value;
            } else if entry.column == d.amount {
                state.amount = entry.value;
                state.currency = entry.currency;
            }
            match states.last_mut() {
                Some((at, last)) if *at == entry.at => *last = state,
                // A first dated entry places a state of unknown beginning in time, even if it changes nothing.
                Some((at, last)) if *last == state && *at != NULL => {}
                _ => states.push((entry.at, state)),
            }
        }
        let next = states.get(1).map_or(i64::MAX, |(at, _)| *at);
        if let Some(first) = states.first_mut().filter(|s| s.0 == NULL && made != NULL && made < next && self.is_open_stage(s.1.stage)) {
            first.0 = made;
        }
        states
    }

    fn write_versions(&mut self, row: u32, counted: bool, states: &[(i64, State)]) {
        let v = self.known.deal_version;
        let mut rows = Vec::with_capacity(states.len());
        for (i, (since, state)) in states.iter().enumerate() {
            // A state of unknown beginning cannot be placed in time at all.
            let until = if *since == NULL { NULL } else { states.get(i + 1).map_or(NULL, |(at, _)| *at) };
            let mut values = self.state_values(state, [v.stage, v.owner, v.amount, v.amount__raw, v.amount__cur]);
            let weighted = [v.amount, v.amount__raw].map(|column| values.iter().find(|x| x.0 == column).map_or(NULL, |x| self.weigh(x.1, state.stage)));
            values.extend([(v.weighted, weighted[0]), (v.weighted__raw, weighted[1]), (v.weighted__cur, state.currency)]);
            values.extend([(v.since, *since), (v.until, until), (v.is_open, i64::from(self.is_open_stage(state.stage)))]);
            rows.push(values);
        }
        self.replace(v.table, v.deal, row, counted, &rows);
    }

    /// Stays in stages as (stage, entered, left). Since when a deal has been in the stage that it was in at first is
    /// unknown where nobody said, unless that is where all begin.
    fn visits(&self, told: &[Entry], made: i64) -> Vec<(i64, i64, i64)> {
        let d = self.known.deal;
        let mut by_instant: Vec<(i64, i64)> = Vec::new();
        for entry in told.iter().filter(|e| e.column == d.stage) {
            match by_instant.last_mut() {
                Some(last) if last.0 == entry.at => last.1 = entry.value,
                _ => by_instant.push((entry.at, entry.value)),
            }
        }
        let mut visits: Vec<(i64, i64, i64)> = Vec::new();
        for (at, stage) in by_instant {
            match visits.last_mut() {
                // Told since when after all.
                Some(last) if last.0 == stage => last.1 = if last.1 == NULL { at } else { last.1 },
                last => {
                    if let Some(last) = last {
                        last.2 = at;
                    }
                    visits.push((stage, at, NULL));
                }
            }
        }
        visits.retain(|v| v.0 != NULL);
        let next = visits.get(1).map_or(i64::MAX, |v| v.1);
        if let Some(first) = visits.first_mut().filter(|v| v.1 == NULL && made < next && self.all_begin_in(v.0)) {
            first.1 = made;
        }
        visits
    }

    /// Is this the first open stage of its pipeline?
    fn all_begin_in(&self, stage: i64) -> bool {
        let s = self.known.stage;
        if stage < 0 || !self.is_open_stage(stage) {
            return false;
        }
        let at = |column, row: i64| self.get(s.table, column, row as u32);
        let exists = |row: i64| self.tables[s.table].flags(row as u32) & crate::table::EXISTS != 0;
        let before = |row: i64| exists(row) && self.is_open_stage(row) && at(s.pipeline, row) == at(s.pipeline, stage) && at(s.position, row) < at(s.position, stage);
        !(0..i64::from(self.tables[s.table].len)).any(before)
    }

    fn write_visits(&mut self, row: u32, counted: bool, visits: Vec<(i64, i64, i64)>, unknown: (i64, i64)) -> Vec<(i64, i64, i64)> {
        let v = self.known.deal_stage_visit;
        let mut rows = Vec::with_capacity(visits.len());
        for (i, (stage, entered, left)) in visits.iter().enumerate() {
            let first = visits[..i].iter().all(|p| p.0 != *stage);
            let passed = visits[i + 1..].iter().find(|later| self.is_later(*stage, later.0)).map_or(NULL, |later| later.1);
            let won = visits[i + 1..].iter().find(|later| self.stage_kind(later.0) == self.choices.stage_kind.won).map_or(NULL, |later| later.1);
            let until = if *left == NULL { unknown.1 } else { unknown.1.min(*left) };
            let span = |to: i64| if *entered == NULL || to == NULL { NULL } else { to - *entered };
            rows.push(vec![
                (v.stage, *stage),
                (v.entered_at, *entered),
                (v.left_at, if *entered == NULL { NULL } else { *left }),
                (v.visit_secs, span(*left)),
                (v.undated_from, if *entered == NULL { unknown.0.min(until) } else { NULL }),
                (v.undated_to, if *entered == NULL { until } else { NULL }),
                (v.is_first_visit, i64::from(first)),
                (v.pass_secs, span(passed)),
                (v.is_entry, i64::from(i == 0)),
                (v.win_secs, span(won)),
            ]);
        }
        self.replace(v.table, v.deal, row, counted, &rows);
        visits
    }

    /// A state in the columns (stage, owner, amount, amount as entered, its currency) of a derived table.
    pub(super) fn state_values(&self, state: &State, columns: [usize; 5]) -> Vec<(usize, i64)> {
        let amount = self.convert(state.amount, state.currency, i32::MAX);
        columns.into_iter().zip([state.stage, state.owner, amount, state.amount, state.currency]).collect()
    }

    /// An amount by the chance that its stage gives it; unknown where the stage says none.
    fn weigh(&self, amount: i64, stage: i64) -> i64 {
        let s = self.known.stage;
        let chance = if stage < 0 { NULL } else { self.get(s.table, s.probability, stage as u32) };
        if amount == NULL || chance == NULL {
            return NULL;
        }
        div_half_even(i128::from(amount) * i128::from(chance), 100).unwrap_or(NULL)
    }

    pub(super) fn is_open_stage(&self, stage: i64) -> bool {
        self.stage_kind(stage) == self.choices.stage_kind.open
    }

    fn stage_kind(&self, stage: i64) -> i64 {
        if stage < 0 { NULL } else { self.get(self.known.stage.table, self.known.stage.kind, stage as u32) }
    }

    /// A later open stage of the same pipeline, or the win.
    fn is_later(&self, stage: i64, other: i64) -> bool {
        let s = self.known.stage;
        if stage < 0 || other < 0 {
            return false;
        }
        let at = |column, row: i64| self.get(s.table, column, row as u32);
        let kinds = self.choices.stage_kind;
        match self.stage_kind(other) {
            won if won == kinds.won => true,
            open if open == kinds.open => at(s.pipeline, stage) == at(s.pipeline, other) && at(s.position, other) > at(s.position, stage),
            _ => false,
        }
    }

    /// Outcome now and since when; passing from one won stage to another does not move the close.
    fn outcome(&self, visits: &[(i64, i64, i64)]) -> (i64, i64) {
        let open = (self.choices.deal_outcome.open, NULL);
        let Some(last) = visits.last() else { return open };
        let kind = self.stage_kind(last.0);
        if kind == self.choices.stage_kind.open || kind == NULL {
            return open;
        }
        let mut closed = last.1;
        for visit in visits.iter().rev() {
            if self.stage_kind(visit.0) != kind {
                break;
            }
            closed = visit.1;
        }
        (self.choices.outcome_of(kind), closed)
    }

    /// From the first human contact, the lead or the deal's own beginning, whichever was first, to the close.
    /// Contacts before the customer's previous close belong to the earlier deal.
    pub(crate) fn derive_cycle(&mut self, row: u32, previous_close: i64, customer_contacts: &[i64]) {
        let k = self.known;
        let d = k.deal;
        let (created, closed) = (self.get(d.table, d.created_at, row), self.get(d.table, d.closed_at, row));
        let mut start = created;
        let mut consider = |at: i64| {
            let usable = at != NULL && (closed == NULL || at <= closed) && at > previous_close;
            if usable && (start == NULL || at < start) {
                start = at;
            }
        };
        let lead = self.get(d.table, d.lead, row);
        if lead >= 0 {
            consider(self.get(k.lead.table, k.lead.created_at, lead as u32));
            let members = self.members(k.lead.table, lead as u32);
            for contact in self.children(k.interaction.table, k.interaction.lead, &members) {
                consider(self.contact_at(contact));
            }
        }
        for contact in self.children(k.interaction.table, k.interaction.deal, &[row]) {
            consider(self.contact_at(contact));
        }
        for at in customer_contacts {
            consider(*at);
        }
        let span = |from: i64| if closed == NULL || from == NULL { NULL } else { closed - from };
        self.set(d.table, d.cycle_secs, row, span(start));
        self.set(d.table, d.created_cycle_secs, row, span(created));
    }

    /// When a human contact happened; null for notes and automatic messages.
    pub(crate) fn contact_at(&self, row: u32) -> i64 {
        let i = self.known.interaction;
        let note = self.get(i.table, i.kind, row) == self.choices.interaction_kind.note;
        let human = self.get(i.table, i.author, row) == self.choices.interaction_author.human;
        if self.is_fit(i.table, row) && human && !note { self.get(i.table, i.at, row) } else { NULL }
    }
}
