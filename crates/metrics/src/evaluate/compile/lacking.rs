//! What a metric asks of rows that lack something: an instant, an amount, a rate.

use super::{Ask, Side, Term};
use crate::Result;
use crate::plan::{Request, What};
use northing_model::Expr;
use northing_model::expr::Type;
use northing_model::metric::{Agg, Measure};

/// Rows that could not be used: those placed in a span, or those that lie between two instants and meet it.
#[derive(Debug)]
pub(crate) struct LeftOut {
    pub rows: Side,
    /// Which of them were over before an instant.
    pub over: Option<Side>,
}

/// The column that holds an amount as it was entered.
pub(crate) fn raw(path: &[String]) -> Vec<String> {
    let mut path = path.to_vec();
    if let Some(last) = path.last_mut() {
        last.push_str("__raw");
    }
    path
}

impl Ask<'_, '_> {
    /// What could not be used, for one reason.
    pub(super) fn left_out(&mut self, m: &Measure) -> Result<LeftOut> {
        let bounds = self.bounds.clone();
        self.leaving_out = true;
        if m.until.is_some() {
            self.bounds.insert(0, i64::MIN);
        }
        let rows = self.side(std::slice::from_ref(m));
        let over = m.until.as_ref().map(|until| self.side(&[Measure { time: until.clone(), ..m.clone() }])).transpose();
        (self.bounds, self.leaving_out) = (bounds, false);
        Ok(LeftOut { rows: rows?, over: over? })
    }

    /// The same condition on amounts as they were entered.
    pub(super) fn as_entered(&self, table: &str, e: Expr) -> Expr {
        let go = |e: Box<Expr>| Box::new(self.as_entered(table, *e));
        match e {
            Expr::IsNull(inner) => match *inner {
                Expr::Path(path) if self.is_money(table, &path) => Expr::IsNull(Box::new(Expr::Path(raw(&path)))),
                other => Expr::IsNull(Box::new(other)),
            },
            Expr::And(a, b) => Expr::And(go(a), go(b)),
            Expr::Or(a, b) => Expr::Or(go(a), go(b)),
            Expr::Not(a) => Expr::Not(go(a)),
            other => other,
        }
    }

    fn is_money(&self, table: &str, path: &[String]) -> bool {
        northing_model::expr::path_type(&self.frame.snapshot.model, table, path).is_ok_and(|(kind, _)| kind == Type::Money)
    }

    /// Asks for the rows of a sum of money that have an amount and no rate; nowhere where there is one currency only.
    pub(super) fn want_rateless(&mut self, request: &Request) {
        let name = self.frame.snapshot.tables[request.table].schema.name.clone();
        let What::Sum(value) = &request.what else { return };
        if self.frame.snapshot.fx.codes() < 2 || self.leaving_out {
            return;
        }
        let null = |path: &[String]| Expr::IsNull(Box::new(Expr::Path(path.to_vec())));
        let lacks = value.paths().into_iter().filter(|path| self.is_money(&name, path)).map(|path| null(path).and(Expr::Not(Box::new(null(&raw(path))))));
        let Some(lacks) = lacks.reduce(|a, b| Expr::Or(Box::new(a), Box::new(b))) else { return };
        let filter = Some(match request.filter.clone() {
            Some(own) => own.and(lacks),
            None => lacks,
        });
        let lacking = Request { filter, what: What::Count, ..request.clone() };
        let records = self.records(&lacking).unwrap_or_default();
        let handle = self.plan.want(lacking, self.bounds.iter().copied());
        if self.rateless.terms.iter().all(|term| term.handle != handle) {
            self.rateless.terms.push(Term { handle, agg: Agg::Count, minus: false, scale: 1, records });
        }
    }
}
