//! What each kind of metric asks of the scans.

mod lacking;
mod stocks;

use super::goals::{self, Goal};
use super::inputs::{self, Input};
use super::{Series, definition};
use crate::plan::{Frame, Plan, Request, What, steps};
use crate::span::Span;
use crate::{MetricError, Result};
use northing_model::expr::Type;
use northing_model::metric::{Agg, Attribute, Classes, Days, GoalShare, Measure, Outcome, Population, State, Unit};
use northing_model::money::{MICRO, TICKS};
use northing_model::{Expr, MetricDef, MetricKind};
use std::sync::{Arc, Mutex};

pub(crate) use lacking::{LeftOut, raw};

/// One measure's request: how its result enters the sum.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub handle: usize,
    pub agg: Agg,
    pub minus: bool,
    /// What a sum is divided by for display: 10,000 for money, a million for decimals.
    pub scale: i64,
    /// Where the rows are pieces of records: the distinct records behind them.
    pub records: Option<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Side {
    pub terms: Vec<Term>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    /// Flow, ratio, duration: numerator and perhaps denominator.
    Sums { num: Side, den: Option<Side>, values: Option<(usize, i64)>, began: Option<Began> },
    Conversion { num: Side, den: Side, window: Option<i64> },
    Stock { entered: Side, left: Side, live: bool },
    /// A stock whose values are each for a number of months.
    Parted(Parted),
    /// The mean of a stock over the period; and, of rows that begin and of rows that end, when they began and of which record.
    Average { entered: Side, left: Side, began: usize, ended: usize },
    Retention(Followed),
    Worth(Worth),
    Score { handle: usize, classes: Option<Classes>, mixed: Option<usize> },
    Attributed { attribute: Attribute, measure: Measure },
    Derived { inputs: Vec<(String, Input)> },
    Goals { goals: Vec<Goal>, share: GoalShare },
    Composite { table: usize, state: usize },
    Model,
    Survival(Lives),
}

/// When the business began, as far as a metric can tell.
#[derive(Debug)]
pub(crate) struct Began {
    pub at: Option<i64>,
    /// A younger one has no value: that many seconds.
    pub least: i64,
    /// What was done since counts for the whole window.
    pub yearly: bool,
}

/// Records that were in a state, and what became of them.
#[derive(Debug)]
pub(crate) struct Followed {
    pub handle: usize,
    pub outcome: Outcome,
    /// The records' own table.
    pub table: usize,
    /// Who did it, for `did`.
    pub did: Vec<usize>,
    /// Who came into the state, where everybody in it at any time is followed.
    pub joined: Option<usize>,
    /// The breakdown is of what was done, not of who did it: every group has the same population.
    pub by_deed: bool,
    /// Rows whose sum for each record says whether what it did holds on balance.
    pub net: Option<usize>,
}

/// A state whose value is followed.
#[derive(Debug)]
pub(crate) struct Worth {
    pub from: usize,
    /// The table of the records that hold it.
    pub who: usize,
    pub state: State,
    pub gross: bool,
}

/// A state whose value is divided by a number of its own after it is added up.
#[derive(Debug)]
pub(crate) struct Parted {
    pub from: usize,
    pub state: State,
}

/// Stretches of a state, and how far a life is looked at, in years.
#[derive(Debug)]
pub(crate) struct Lives {
    pub from: usize,
    pub who: usize,
    pub state: State,
    pub cap: i64,
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub def: MetricDef,
    pub spans: Vec<Span>,
    pub shape: Shape,
    pub excluded: Vec<(String, LeftOut)>,
    /// Rows of sums of money whose amount has no rate: one of them makes the sum unknown.
    pub rateless: Side,
    /// There is not one row to take costs from.
    pub no_rows: bool,
    /// Its cells, once they are worked out: whoever needs them next takes the same.
    pub finished: Mutex<Option<Arc<Series>>>,
}

/// What makes two metrics of one question the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Same {
    metric: String,
    variant: Option<String>,
    filter: Option<Expr>,
    by: Vec<String>,
    spans: Vec<Span>,
}

/// Metrics made of metrics made of metrics: as deep as that and no deeper.
const DEEPEST: usize = 40;

/// A metric over some spans, compiled once for a question however many others are made of it.
pub(crate) fn metric(plan: &mut Plan, frame: &Frame<'_>, metric: &str, variant: Option<&str>, spans: &[Span]) -> Result<Arc<Compiled>> {
    let variant = variant.filter(|v| !v.is_empty()).map(str::to_string);
    let same = Same { metric: metric.into(), variant, filter: frame.filter.clone(), by: frame.by.clone(), spans: spans.to_vec() };
    match plan.metrics.get(&same) {
        Some(Some(known)) => return known.clone(),
        Some(None) => return Err(MetricError::Question(format!("{metric} depends on itself"))),
        None => {}
    }
    if !frame.budget.cells(1, spans.len()) {
        frame.budget.check()?;
    }
    if plan.depth >= DEEPEST {
        return Err(MetricError::Question(format!("{metric} is made of metrics that are made of others, more than {DEEPEST} deep")));
    }
    let def = definition(frame.snapshot, metric, same.variant.as_deref())?;
    plan.metrics.insert(same.clone(), None);
    plan.depth += 1;
    let compiled = compile(plan, frame, &def, spans).map(Arc::new);
    plan.depth -= 1;
    plan.metrics.insert(same, Some(compiled.clone()));
    compiled
}

fn compile(plan: &mut Plan, frame: &Frame<'_>, def: &MetricDef, spans: &[Span]) -> Result<Compiled> {
    let trailing = def.trailing.as_ref().map(|d| days(frame, d)).transpose()?;
    let spans: Vec<Span> = match trailing {
        Some(n) => spans.iter().map(|s| s.trailing(n)).collect(),
        None if def.future && def.kind == MetricKind::Flow => spans.iter().map(|s| s.whole(&frame.snapshot.settings)).collect(),
        None => spans.to_vec(),
    };
    let bounds = edges(&spans);
    let mut asked = Ask { plan, frame, def, bounds, leaving_out: false, rateless: Side::default() };
    let shape = match (def.kind, &def.attribute) {
        (MetricKind::Flow, Some(attribute)) => Shape::Attributed { attribute: attribute.clone(), measure: def.num[0].clone() },
        (MetricKind::Flow | MetricKind::Ratio | MetricKind::Duration, _) => {
            let num = asked.side(&def.num)?;
            let den = if def.kind == MetricKind::Ratio { Some(asked.side(&def.den)?) } else { None };
            let values = if def.spread { asked.values(&def.num[0])? } else { None };
            let yearly = matches!(def.unit, Unit::PerYear | Unit::MoneyPerYear) && def.trailing.is_some();
            let began = if yearly || def.least_days.is_some() {
                Some(Began { at: began(frame, &def.num[0])?, least: def.least_days.unwrap_or(0) * 86_400, yearly })
            } else {
                None
            };
            Shape::Sums { num, den, values, began }
        }
        (MetricKind::Conversion, _) => asked.conversion(&spans)?,
        (MetricKind::Stock, _) if def.state.as_ref().is_some_and(|s| s.roll.is_some()) => asked.average()?,
        (MetricKind::Stock, _) if def.state.as_ref().is_some_and(|s| s.over.is_some()) => asked.parted()?,
        (MetricKind::Stock, _) => asked.stock()?,
        (MetricKind::Retention, _) => asked.retention()?,
        (MetricKind::Score, _) => asked.score()?,
        (MetricKind::Derived, _) => Shape::Derived { inputs: inputs::compile_all(asked.plan, frame, def, &spans)? },
        (MetricKind::Goal, _) => goals::compile_all(asked.plan, frame, def, &spans)?,
        (MetricKind::Composite, _) => asked.composite()?,
        (MetricKind::Model, _) => Shape::Model,
        (MetricKind::Survival, _) => asked.survival()?,
    };
    let excluded = def
        .excluded
        .iter()
        .map(|(reason, m)| Ok((reason.clone(), asked.left_out(m)?)))
        .collect::<Result<Vec<_>>>()?;
    let rateless = std::mem::take(&mut asked.rateless);
    let no_rows = match &def.needs_rows {
        None => false,
        Some(name) => {
            let table = frame.table(name)?;
            !frame.snapshot.tables[table].chunks.iter().any(|c| c.flags.iter().any(|f| f & northing_facts::table::COUNTED != 0))
        }
    };
    Ok(Compiled { def: def.clone(), spans, shape, excluded, rateless, no_rows, finished: Mutex::default() })
}

/// The local midnight of the day on which the first of these rows happened.
fn began(frame: &Frame<'_>, m: &Measure) -> Result<Option<i64>> {
    let table = frame.table(&m.from)?;
    let key = (table, frame.snapshot.tables[table].version());
    let first = match frame.cache.and_then(|c| c.first(key)) {
        Some(known) => known,
        None => {
            let all = crate::rows::rows(frame, table, &steps(&m.time), None, None, &steps("id"))?;
            let first = all.iter().map(|row| row.at).min();
            frame.cache.iter().for_each(|c| c.put_first(key, first));
            first
        }
    };
    let zone = &frame.snapshot.settings.zone;
    Ok(first.map(|at| zone.midnight(zone.day(at))))
}

fn edges(spans: &[Span]) -> Vec<i64> {
    spans.iter().flat_map(|s| [s.start, s.end]).collect()
}

pub(crate) fn days(frame: &Frame<'_>, days: &Days) -> Result<i64> {
    match days {
        Days::Fixed(n) => Ok(*n),
        Days::Setting(name) => frame.snapshot.settings.number(name).ok_or_else(|| MetricError::Question(format!("there is no setting '{name}'"))),
    }
}

struct Ask<'a, 'b> {
    plan: &'a mut Plan,
    frame: &'a Frame<'b>,
    def: &'a MetricDef,
    bounds: Vec<i64>,
    /// What is asked for now is left out, so its rates do not matter.
    leaving_out: bool,
    rateless: Side,
}

impl Ask<'_, '_> {
    fn parse(&self, text: &str) -> Result<Expr> {
        Expr::parse(text).map_err(MetricError::Question)
    }

    /// The requests of a list of measures, finer ones where a dimension or filter needs them.
    fn side(&mut self, measures: &[Measure]) -> Result<Side> {
        let mut side = Side::default();
        let mut refused: Option<String> = None;
        for measure in measures {
            let coarse = if self.finer_is_nearer(measure)? { Err(String::new()) } else { self.term(measure)? };
            match coarse {
                Ok(term) => side.terms.push(term),
                Err(unknown) if !measure.finer.is_empty() => {
                    for finer in &measure.finer {
                        match self.term(finer)? {
                            Ok(term) => side.terms.push(term),
                            Err(_) if finer.loose => side.terms.extend(self.loose(finer)?),
                            Err(_) => refused = Some(unknown.clone()),
                        }
                    }
                }
                Err(_) if measure.loose => side.terms.extend(self.loose(measure)?),
                Err(unknown) => refused = Some(format!("{unknown}' ({} has no path to it", measure.from)),
            }
        }
        match refused {
            Some(unknown) => Err(MetricError::Question(format!("{} cannot be cut or filtered by '{unknown})", self.def.id))),
            None => Ok(side),
        }
    }

    /// Does the finer table know the question's dimensions and filter by shorter paths? Then a line's own
    /// product is meant, not that of the order's deal.
    fn finer_is_nearer(&self, m: &Measure) -> Result<bool> {
        let Some(finer) = m.finer.first() else { return Ok(false) };
        let steps = |name: &str| -> Result<Option<usize>> {
            let table = self.frame.table(name)?;
            let name = &self.frame.snapshot.tables[table].schema.name;
            let dims = self.frame.by.iter().map(|d| crate::plan::steps(d));
            let wanted = dims.chain(self.frame.filter.iter().flat_map(|f| f.paths().into_iter().cloned().collect::<Vec<_>>()));
            Ok(wanted.map(|path| crate::reach::reach(&self.frame.snapshot.model, name, &path).map(|p| p.len())).sum())
        };
        Ok(match (steps(&m.from)?, steps(&finer.from)?) {
            (Some(own), Some(finer)) => finer < own,
            _ => false,
        })
    }

    /// A measure's request; the name of what its table does not reach.
    fn term(&mut self, m: &Measure) -> Result<std::result::Result<Term, String>> {
        let table = self.frame.table(&m.from)?;
        let dims = match self.frame.dims(table) {
            Ok(dims) => dims,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let extra = match self.frame.filter(table) {
            Ok(extra) => extra,
            Err(unknown) => return Ok(Err(unknown)),
        };
        self.request(table, m, dims, extra).map(Ok)
    }

    /// A measure whose table does not know a dimension: its rows are "(none)". A filter that the table does
    /// not know holds for none of its rows.
    fn loose(&mut self, m: &Measure) -> Result<Option<Term>> {
        let table = self.frame.table(&m.from)?;
        let Ok(extra) = self.frame.filter(table) else { return Ok(None) };
        let name = &self.frame.snapshot.tables[table].schema.name;
        let dims = self
            .frame
            .by
            .iter()
            .map(|dim| crate::reach::reach(&self.frame.snapshot.model, name, &steps(dim)))
            .collect();
        self.request(table, m, dims, extra).map(Some)
    }

    fn request(&mut self, table: usize, m: &Measure, dims: Vec<Option<Vec<String>>>, extra: Option<Expr>) -> Result<Term> {
        let filter = m.filter.as_deref().map(|t| self.parse(t)).transpose()?;
        // An amount without a rate is not an amount that is missing.
        let filter = filter.map(|f| self.as_entered(&self.frame.snapshot.tables[table].schema.name, f));
        let value = m.value.as_deref().map(|t| self.parse(t)).transpose()?;
        let scale = self.scale(table, value.as_ref());
        let what = match (m.agg, value) {
            (Agg::Sum, Some(e)) => What::Sum(e),
            (Agg::Distinct, Some(Expr::Path(path))) => What::Distinct(path),
            _ => What::Count,
        };
        let request = Request { table, time: steps(&m.time), base: extra, filter, what, dims };
        self.want_rateless(&request);
        let records = self.records(&request)?;
        let handle = self.plan.want(request, self.bounds.iter().copied());
        Ok(Term { handle, agg: m.agg, minus: m.minus, scale, records })
    }

    /// The distinct records of which a request's rows are pieces, where they are.
    fn records(&mut self, request: &Request) -> Result<Option<usize>> {
        let model = &self.frame.snapshot.model;
        let of = model.object(&self.frame.snapshot.tables[request.table].schema.name).filter(|o| o.pieces).and_then(|o| o.of.clone());
        let Some(of) = of else { return Ok(None) };
        let filter = match &request.what {
            What::Sum(value) => {
                let known = Expr::Not(Box::new(Expr::IsNull(Box::new(value.clone()))));
                Some(request.filter.clone().map_or(known.clone(), |f| f.and(known)))
            }
            What::Count => request.filter.clone(),
            _ => return Ok(None),
        };
        let request = Request { what: What::Distinct(steps(&of)), filter, ..request.clone() };
        Ok(Some(self.plan.want(request, self.bounds.iter().copied())))
    }

    fn scale(&self, table: usize, value: Option<&Expr>) -> i64 {
        let name = &self.frame.snapshot.tables[table].schema.name;
        match value.map(|e| e.check(&self.frame.snapshot.model, name)) {
            Some(Ok(Type::Money)) => TICKS,
            Some(Ok(Type::Decimal)) => MICRO,
            _ => 1,
        }
    }

    /// The numerator's values one by one, for median and 90th percentile.
    fn values(&mut self, m: &Measure) -> Result<Option<(usize, i64)>> {
        let Ok(term) = self.term(m)? else { return Ok(None) };
        let mut request = self.plan.requests[term.handle].clone();
        let What::Sum(value) = request.what else { return Ok(None) };
        request.what = What::Values(value);
        Ok(Some((self.plan.want(request, self.bounds.iter().copied()), term.scale)))
    }

    fn conversion(&mut self, spans: &[Span]) -> Result<Shape> {
        let def = self.def;
        let window = def.window.as_ref().map(|d| days(self.frame, d)).transpose()?.map(|d| d * 86_400);
        if let Some(window) = window {
            // A member is mature once its whole window lies before the clock.
            let ripe = self.frame.now - window + 1;
            self.bounds.push(ripe);
            self.bounds.extend(spans.iter().map(|s| ripe.clamp(s.start, s.end)));
        }
        let open = window.is_some_and(|w| spans.iter().any(|s| s.end > self.frame.now - w));
        let den = self.side(&def.den)?;
        let goal = def.goal.clone().unwrap_or_default();
        let reached = match window {
            Some(w) => format!("{goal} is not null and {goal} >= 0 and {goal} <= {w}"),
            None => format!("{goal} is not null"),
        };
        let num: Vec<Measure> = def
            .den
            .iter()
            .map(|m| {
                // While windows are open, what is dated after the clock has not happened yet.
                let reached = if open { format!("{reached} and {} + {goal} <= now()", m.time) } else { reached.clone() };
                Measure { filter: Some(m.filter.as_ref().map_or(reached.clone(), |f| format!("({f}) and {reached}"))), ..m.clone() }
            })
            .collect();
        Ok(Shape::Conversion { num: self.side(&num)?, den, window })
    }

    fn composite(&mut self) -> Result<Shape> {
        let Shape::Retention(Followed { handle, table, .. }) = self.follow(Outcome::Kept, Population::Start)? else { return Err(self.broken("state")) };
        Ok(Shape::Composite { table, state: handle })
    }

    fn retention(&mut self) -> Result<Shape> {
        let outcome = self.def.outcome.ok_or_else(|| self.broken("outcome"))?;
        match outcome {
            Outcome::Net | Outcome::Gross => self.worth(outcome == Outcome::Gross),
            _ => self.follow(outcome, self.def.population),
        }
    }

    fn worth(&mut self, gross: bool) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        let (from, _, who) = self.followed_table(&state)?;
        self.cut_by(who)?;
        Ok(Shape::Worth(Worth { from, who, state, gross }))
    }

    /// The table of a state, the reference to whom it is followed for, and their table.
    fn followed_table(&self, state: &State) -> Result<(usize, Vec<String>, usize)> {
        let table = self.frame.table(&state.from)?;
        let key = steps(state.key.as_deref().unwrap_or_default());
        let who = self.frame.path(table, &key)?.target.ok_or_else(|| self.broken("state.key"))?;
        self.frame.filter(who).map_err(|unknown| self.no_path(&unknown, who))?;
        Ok((table, key, who))
    }

    fn cut_by(&self, table: usize) -> Result<Vec<Option<Vec<String>>>> {
        self.frame.dims(table).map_err(|unknown| self.no_path(&unknown, table))
    }

    fn no_path(&self, unknown: &str, table: usize) -> MetricError {
        MetricError::Question(format!("{} cannot be cut or filtered by '{unknown}' ({} has no path to it)", self.def.id, self.frame.snapshot.tables[table].schema.name))
    }

    fn follow(&mut self, outcome: Outcome, population: Population) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        let (table, key, who) = self.followed_table(&state)?;
        let State { since, until, filter, .. } = state;
        let filter = filter.as_deref().map(|t| self.parse(t)).transpose()?;
        let what = What::States { until: steps(&until), key: key.clone() };
        let request = Request { table, time: steps(&since), base: None, filter, what, dims: Vec::new() };
        let handle = self.plan.want(request.clone(), self.bounds.iter().copied());
        let joined = (population == Population::Any)
            .then(|| self.plan.want(Request { what: What::Distinct(key), ..request }, self.bounds.iter().copied()));
        // What people did may be told apart by what they are not: then all of them could have done each of it.
        let by_deed = outcome == Outcome::Did && self.frame.dims(who).is_err();
        if !by_deed && self.def.band.is_none() {
            self.cut_by(who)?;
        }
        let mut did = Vec::new();
        for measure in self.def.num.iter().filter(|_| outcome == Outcome::Did) {
            let table = self.frame.table(&measure.from)?;
            let dims = if by_deed { self.cut_by(table)? } else { Vec::new() };
            did.push(self.request(table, measure, dims, None)?.handle);
        }
        let net = match (&self.def.net, self.def.num.first().and_then(|m| m.value.as_deref())) {
            (Some(net), Some(key)) => {
                let table = self.frame.table(&net.from)?;
                let handle = self.request(table, net, Vec::new(), None)?.handle;
                let mut request = self.plan.requests[handle].clone();
                let What::Sum(value) = request.what else { return Err(self.broken("a sum in net")) };
                request.what = What::Rows(value, Some(steps(key)));
                Some(self.plan.want(request, self.bounds.iter().copied()))
            }
            _ => None,
        };
        Ok(Shape::Retention(Followed { handle, outcome, table: who, did, joined, by_deed, net }))
    }

    fn survival(&mut self) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        let (from, _, who) = self.followed_table(&state)?;
        self.cut_by(who)?;
        let cap = self.def.cap.as_deref().and_then(|name| self.frame.snapshot.settings.number(name)).ok_or_else(|| self.broken("cap"))?;
        Ok(Shape::Survival(Lives { from, who, state, cap }))
    }

    fn score(&mut self) -> Result<Shape> {
        let measure = self.def.num[0].clone();
        let term = self.term(&measure)?.map_err(|unknown| MetricError::Question(format!("{} cannot be cut or filtered by '{unknown}'", self.def.id)))?;
        let mut request = self.plan.requests[term.handle].clone();
        let What::Sum(value) = request.what else { return Err(self.broken("num must be a sum")) };
        request.what = What::Rows(value, self.def.per.as_ref().map(|p| steps(&p.key)));
        let handle = self.plan.want(request.clone(), self.bounds.iter().copied());
        let mixed = match &self.def.mixed {
            None => None,
            Some(mixed) => {
                request.what = What::Rows(self.parse(&mixed.value)?, Some(steps(&mixed.by)));
                Some(self.plan.want(request, self.bounds.iter().copied()))
            }
        };
        Ok(Shape::Score { handle, classes: self.def.classes.clone(), mixed })
    }

    fn broken(&self, what: &str) -> MetricError {
        MetricError::Question(format!("the definition of {} lacks {what}", self.def.id))
    }
}
