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
    customer: CustomerColumns { first_purchase_at, last_purchase_at, purchases, realised_value, lost_at }
    lead: LeadColumns { customer, created_at, is_convertible, converted_at, convert_secs, first_response_at, response_secs }
    deal: DealColumns {
        customer, lead, stage, owner, created_at, amount, amount__raw, amount__cur, outcome, closed_at, cycle_secs,
        created_cycle_secs, revenue_at, purchased_at, purchase_value, is_first, is_repeat, is_another_day, is_new, has_lines
    }
    deal_version: VersionColumns { deal, since, until, is_open, stage, owner, amount, amount__raw, amount__cur }
    deal_stage_visit: VisitColumns { deal, stage, entered_at, left_at, visit_secs, is_first_visit, pass_secs }
    stage: StageColumns { kind, position, pipeline }
    order: OrderColumns {
        customer, deal, status, confirmed_at, currency, net__raw, net__cur, net, amount, has_lines, revenue_at, purchased_at,
        purchase_value, is_first, is_repeat, is_another_day, is_new
    }
    order_line: LineColumns { order, quantity, unit_price, discount, amount }
    refund: RefundColumns { order, at, amount, amount__raw, amount__cur, refunded_at, is_new, customer }
    contract: ContractColumns {
        customer, value, value__raw, value__cur, starts_at, term_end, ended_at, auto_renew, successor, outcome, decided_at
    }
    expense: ExpenseColumns { amount, amount__raw, amount__cur, incurred_on, service_from, service_to }
    expense_share: ShareColumns { expense, purpose, at, amount }
    interaction: InteractionColumns { at, kind, direction, author, connected, customer, lead, deal }
    customer_active: ActiveColumns { customer, active_since, active_until, basis }
}
