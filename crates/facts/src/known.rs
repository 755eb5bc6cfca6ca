//! Positions of the tables and columns that derivations work with, resolved once from the model.
//! A name that the model lacks is a defect of the product's own files and stops the start.

use crate::table::Schema;
use std::sync::Arc;

macro_rules! tables {
    ($($table:ident : $name:ident { $($column:ident),* $(,)? })*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            #[allow(non_snake_case)] // column names as they stand in the schema
            pub struct $name { pub table: usize, $(pub $column: usize),* }
        )*
        #[derive(Debug, Clone, Copy)]
        pub struct Known { $(pub $table: $name),* }
        impl Known {
            pub fn find(schemas: &[Arc<Schema>]) -> Option<Self> {
                Some(Self { $($table: {
                    let table = schemas.iter().position(|s| s.name == stringify!($table))?;
                    $name { table, $($column: schemas[table].column(stringify!($column))?),* }
                }),* })
            }
        }
    };
}

tables! {
    user: UserColumns { created_at, role, team, active, invited_at, enabled_at, disabled_at, productive_at, onboarding_secs }
    user_version: UserVersionColumns { user, since, until, role, team }
    user_action: ActionColumns { user, at, kind, by_api }
    product: ProductColumns { category, cost__raw, cost__cur, upgrades }
    ticket: TicketColumns {
        customer, status, topic, assignee, schedule, opened_at, received_at, opened_by, first_reply_target_mins, resolution_target_mins,
        target_clock, pending_pauses, auto_closed, first_reply_at, first_reply_secs, first_reply_calendar_secs, first_solved_at,
        first_solved_secs, solved_at, resolution_secs, resolution_calendar_secs, net_resolution_secs, settle_secs, reopens, handovers,
        contacts, is_one_contact, one_contact_secs, handle_mins, service_cost, service_cost__raw, first_reply_due_at, first_reply_met, resolution_due_at, resolution_met, undated_from, undated_to
    }
    ticket_version: TicketVersionColumns { ticket, since, until, is_open, status, assignee, stay_secs, stay_calendar_secs }
    ticket_turn: TurnColumns { ticket, asked_at, replied_at, turn_secs, turn_calendar_secs, user }
    message: MessageColumns { ticket, at, author, is_public, is_draft, user }
    question_version: QuestionColumns { lowest, highest, favourable, good_from, good_to, bad_from, bad_to }
    survey_invite: InviteColumns { sent_at, answered_at, answer_secs }
    survey_response: ResponseColumns { question, invite, answered_at, value, grade, favour }
    send: SendColumns { campaign_sent, customer, sent_at, delivery, opened_at, open_secs, clicked_at, click_secs, raw_open_secs, raw_click_secs, spent, spent__raw }
    send_event: SendEventColumns { send, at, kind, link, agent, is_machine, customer, campaign_sent, is_human }
    consent_event: ConsentColumns { email, customer, at, kind, mailing_list }
    subscription: SubscriptionColumns { consent_event, since, until }
    booking: BookingColumns { customer, starts_at, status }
    engagement_event: EngagementColumns { customer, at, kind }
    task: TaskColumns { deal, done_at }
    time_entry: EntryColumns { started_at, ended_at, entry_secs }
    goal: GoalColumns { owner, starts_on, ends_on, target, due_at, due_target }
    sales_plan: PlanColumns { starts_on, ends_on, orders_planned }
    plan_share: PlanShareColumns { sales_plan, at, orders_planned }
    deal_stall: StallColumns { deal, since, until, stage, owner, amount, amount__raw, amount__cur }
    customer: CustomerColumns { first_purchase_at, last_purchase_at, second_secs, purchases, realised_value, realised_value__raw, lost_at }
    lead: LeadColumns { score, points, customer, owner, schedule, response_business_secs, assigned_at, assign_secs, react_secs, created_at, is_convertible, converted_at, convert_secs, first_response_at, response_secs, response_target_mins, response_due_at, response_met, qualified_at, qualify_secs, status, is_qualified, undated_from, undated_to, to_contact_secs, to_qualified_secs, to_deal_secs, to_win_secs, to_paid_secs }
    deal: DealColumns {
        customer, lead, stage, owner, created_at, amount, amount__raw, amount__cur, outcome, closed_at, closing_owner, staged_at, stalls_at, cycle_secs,
        created_cycle_secs, revenue_at, purchased_at, purchase_value, gap_secs, is_first, is_repeat, is_another_day, is_new, has_lines, expected_close,
        expected_at, weighted, weighted__raw, purchase_value__raw, undated_from, undated_to, is_sale
    }
    deal_version: VersionColumns { deal, since, until, is_open, stage, owner, amount, amount__raw, amount__cur, weighted, weighted__raw, weighted__cur }
    deal_stage_visit: VisitColumns { deal, stage, entered_at, left_at, visit_secs, is_first_visit, pass_secs, is_entry, win_secs, undated_from, undated_to }
    stage: StageColumns { kind, position, pipeline, probability }
    order: OrderColumns {
        customer, deal, status, confirmed_at, currency, net__raw, net__cur, net, amount, amount__raw, has_lines, revenue_at, purchased_at,
        purchase_value, gap_secs, is_first, is_repeat, is_another_day, is_new, kind, accepted_at, schedule, process_business_secs, fulfilled_at, process_secs, processed_at,
        purchase_value__raw, undated_from, undated_to, is_sale, created_at
    }
    order_line: LineColumns { order, product, quantity, unit_price, discount, amount, amount__raw, unit_cost, cost, cost__raw, fulfilled_at, is_upsell, is_cross_sell, step, step__raw }
    payment: PaymentColumns { order, at, kind }
    refund: RefundColumns { order, at, amount, amount__raw, amount__cur, refunded_at, is_new, customer }
    contract: ContractColumns {
        customer, value_months, monthly, monthly__raw, monthly__cur, value, value__raw, value__cur, starts_at, term_end, ended_at, auto_renew, successor, outcome, decided_at, active_until
    }
    expense: ExpenseColumns { customer, amount, amount__raw, amount__cur, incurred_on, service_from, service_to }
    expense_share: ShareColumns { expense, purpose, at, amount, amount__raw }
    interaction: InteractionColumns { at, kind, direction, author, connected, customer, lead, deal, user, user_role }
    customer_active: ActiveColumns { customer, active_since, active_until, basis, return_secs, return_value, return_value__raw, campaign_sent, reached }
}

impl Known {
    /// Records that somebody works on: their table, whose they are, and when they were made.
    pub fn work(&self) -> [(usize, usize, usize); 3] {
        let (d, l, t) = (self.deal, self.lead, self.ticket);
        [(d.table, d.owner, d.created_at), (l.table, l.owner, l.created_at), (t.table, t.assignee, t.opened_at)]
    }
}
