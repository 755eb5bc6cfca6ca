//! The options that derivations know, by their names, resolved once from the model: where an option stands in its list
//! means nothing. A name that the model lacks is a defect of the product's own files and stops the start.

use crate::column::NULL;
use crate::table::Schema;
use std::sync::Arc;

fn options<'a>(schemas: &'a [Arc<Schema>], table: &str, column: &str) -> Result<&'a [String], String> {
    let schema = schemas.iter().find(|s| s.name == table);
    let found = schema.and_then(|s| s.column(column).map(|c| s.columns[c].options.as_slice()));
    found.ok_or_else(|| format!("the model lacks the choice {table}.{column}, which facts derive from"))
}

fn code(schemas: &[Arc<Schema>], table: &str, column: &str, option: &str) -> Result<i64, String> {
    let place = options(schemas, table, column)?.iter().position(|o| o == option);
    place.map(|p| p as i64).ok_or_else(|| format!("the model's {table}.{column} lacks the option '{option}', which facts derive from"))
}

macro_rules! choices {
    ($($choice:ident : $name:ident = $table:ident . $column:ident { $($option:ident),* $(,)? })*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            pub struct $name { $(pub $option: i64),* }
        )*
        #[derive(Debug, Clone)]
        pub struct Choices {
            $(pub $choice: $name,)*
            outcomes: Vec<i64>,
            statuses: Vec<i64>,
            roles: Vec<i64>,
            acting: Vec<i64>,
            purposes: Vec<(String, i64)>,
        }
        impl Choices {
            /// Finds every option; the error names the one that is missing.
            pub fn find(schemas: &[Arc<Schema>]) -> Result<Self, String> {
                Ok(Self {
                    $($choice: $name { $($option: code(schemas, stringify!($table), stringify!($column), stringify!($option))?),* },)*
                    outcomes: carried(schemas, ("stage", "kind"), ("deal", "outcome"))?,
                    statuses: carried(schemas, ("ticket", "status"), ("ticket_version", "status"))?,
                    roles: carried(schemas, ("user", "role"), ("user_version", "role"))?,
                    acting: carried(schemas, ("user", "role"), ("interaction", "user_role"))?,
                    purposes: purposes(schemas)?,
                })
            }
        }
    };
}

choices! {
    lead_status: LeadStatus = lead.status { new, qualified, converted }
    stage_kind: StageKind = stage.kind { open, won }
    deal_outcome: DealOutcome = deal.outcome { open, won }
    interaction_kind: InteractionKind = interaction.kind { note }
    interaction_author: InteractionAuthor = interaction.author { human }
    interaction_direction: InteractionDirection = interaction.direction { out }
    order_status: OrderStatus = order.status { confirmed }
    order_kind: OrderKind = order.kind { appointment }
    send_delivery: SendDelivery = send.delivery { delivered, held_out }
    reached: Reached = customer_active.reached { not_written_to, written_to, held_out }
    send_event_kind: SendEventKind = send_event.kind { open, click }
    consent_kind: ConsentKind = consent_event.kind { subscribed }
    ticket_status: TicketStatus = ticket.status { new, pending, on_hold, solved, closed }
    opened_by: OpenedBy = ticket.opened_by { staff }
    target_clock: TargetClock = ticket.target_clock { business }
    message_author: MessageAuthor = message.author { customer, staff }
    action_kind: ActionKind = user_action.kind { create, update, complete, send, reply }
    activity_basis: ActivityBasis = customer_active.basis { contract, purchase }
    payment_kind: PaymentKind = payment.kind { payment }
    booking_status: BookingStatus = booking.status { confirmed, done }
    engagement_kind: EngagementKind = engagement_event.kind { email_open }
    favourable: Favourable = question_version.favourable { low }
    contract_outcome: ContractOutcome = contract.outcome { renewed, not_renewed }
    purpose: Purpose = expense_share.purpose { overhead }
}

/// For each option of one choice the same one of another that carries it on.
fn carried(schemas: &[Arc<Schema>], from: (&str, &str), to: (&str, &str)) -> Result<Vec<i64>, String> {
    options(schemas, from.0, from.1)?.iter().map(|option| code(schemas, to.0, to.1, option)).collect()
}

/// Purposes in the order in which what cannot be divided goes to them.
fn purposes(schemas: &[Arc<Schema>]) -> Result<Vec<(String, i64)>, String> {
    const ORDER: [&str; 7] = ["lead_generation", "sales_acquisition", "retention", "service", "product", "crm", "overhead"];
    let known = options(schemas, "expense_share", "purpose")?;
    let more = known.iter().map(String::as_str).filter(|o| !ORDER.contains(o));
    ORDER.into_iter().chain(more).map(|o| code(schemas, "expense_share", "purpose", o).map(|c| (o.to_string(), c))).collect()
}

fn at(codes: &[i64], code: i64) -> i64 {
    usize::try_from(code).ok().and_then(|c| codes.get(c)).copied().unwrap_or(NULL)
}

impl LeadStatus {
    pub fn is_qualified(self, status: i64) -> bool {
        status == self.qualified || status == self.converted
    }
}

impl TicketStatus {
    pub fn is_solved(self, status: i64) -> bool {
        status == self.solved || status == self.closed
    }
    pub fn waits(self, status: i64) -> bool {
        status == self.pending || status == self.on_hold
    }
}

impl ActionKind {
    pub fn is_meaningful(self, kind: i64) -> bool {
        [self.create, self.update, self.complete, self.send, self.reply].contains(&kind)
    }
}

impl Choices {
    /// The outcome of a deal whose stage is of that kind.
    pub fn outcome_of(&self, kind: i64) -> i64 {
        at(&self.outcomes, kind)
    }
    /// A ticket's status as its versions hold it.
    pub fn version_status(&self, status: i64) -> i64 {
        at(&self.statuses, status)
    }
    /// A user's role as its versions hold it.
    pub fn version_role(&self, role: i64) -> i64 {
        at(&self.roles, role)
    }
    /// A user's role as interactions hold it.
    pub fn interaction_role(&self, role: i64) -> i64 {
        at(&self.acting, role)
    }
    /// Names and codes of the purposes of expenses.
    pub fn purposes(&self) -> &[(String, i64)] {
        &self.purposes
    }
}
