//! What each kind of metric asks of the scans.

use crate::plan::{Frame, Plan, Request, What, steps};
use crate::span::Span;
use crate::{MetricError, Result};
use northing_model::expr::Type;
use northing_model::metric::{Agg, Attribute, Classes, Days, Measure, Outcome, State};
use northing_model::money::{MICRO, TICKS};
use northing_model::{Expr, MetricDef, MetricKind};

/// One measure's request: how its result enters the sum.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    pub handle: usize,
    pub agg: Agg,
    pub minus: bool,
    /// What a sum is divided by for display: 10,000 for money, a million for decimals.
    pub scale: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Side {
    pub terms: Vec<Term>,
}

#[derive(Debug)]
pub(crate) enum Shape {
    /// Flow, ratio, duration: numerator and perhaps denominator.
    Sums { num: Side, den: Option<Side>, values: Option<(usize, i64)> },
    Conversion { num: Side, den: Side, window: Option<i64> },
    Stock { entered: Side, left: Side, live: bool },
    Retention { handle: usize, outcome: Outcome, table: usize },
    Score { handle: usize, classes: Option<Classes>, latest: bool },
    Attributed { attribute: Attribute, measure: Measure },
    Derived { inputs: Vec<(String, Input)> },
}

#[derive(Debug)]
pub(crate) enum Input {
    Constant(f64),
    /// A cell for each span of the metric.
    Metric(Box<Compiled>),
    /// Several cells for each span, compounded: 1 − Π(1 − x).
    Compound(Box<Compiled>, Vec<std::ops::Range<usize>>),
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub def: MetricDef,
    pub spans: Vec<Span>,
    pub shape: Shape,
    pub excluded: Vec<(String, Side)>,
    /// There is not one row to take costs from.
    pub no_rows: bool,
}

pub(crate) fn compile(plan: &mut Plan, frame: &Frame<'_>, def: &MetricDef, spans: &[Span]) -> Result<Compiled> {
    let trailing = def.trailing.as_ref().map(|d| days(frame, d)).transpose()?;
    let spans: Vec<Span> = match trailing {
        Some(n) => spans.iter().map(|s| s.trailing(n)).collect(),
        None => spans.to_vec(),
    };
    let bounds = edges(&spans);
    let mut asked = Ask { plan, frame, def, bounds };
    let shape = match (def.kind, &def.attribute) {
        (MetricKind::Flow, Some(attribute)) => Shape::Attributed { attribute: attribute.clone(), measure: def.num[0].clone() },
        (MetricKind::Flow | MetricKind::Ratio | MetricKind::Duration, _) => {
            let num = asked.side(&def.num)?;
            let den = if def.kind == MetricKind::Ratio { Some(asked.side(&def.den)?) } else { None };
            let values = if def.spread { asked.values(&def.num[0])? } else { None };
            Shape::Sums { num, den, values }
        }
        (MetricKind::Conversion, _) => asked.conversion(&spans)?,
        (MetricKind::Stock, _) => asked.stock()?,
        (MetricKind::Retention, _) => asked.retention()?,
        (MetricKind::Score, _) => asked.score()?,
        (MetricKind::Derived, _) => asked.derived(&spans)?,
    };
    let excluded = def
        .excluded
        .iter()
        .map(|(reason, m)| Ok((reason.clone(), asked.side(std::slice::from_ref(m))?)))
        .collect::<Result<Vec<_>>>()?;
    let no_rows = match &def.needs_rows {
        None => false,
        Some(name) => {
            let table = frame.table(name)?;
            !frame.snapshot.tables[table].chunks.iter().any(|c| c.flags.iter().any(|f| f & northing_facts::table::COUNTED != 0))
        }
    };
    Ok(Compiled { def: def.clone(), spans, shape, excluded, no_rows })
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
        if !self.frame.allowed(table) {
            return Err(MetricError::Forbidden(self.def.id.clone()));
        }
        let filter = m.filter.as_deref().map(|t| self.parse(t)).transpose()?;
        let value = m.value.as_deref().map(|t| self.parse(t)).transpose()?;
        let scale = self.scale(table, value.as_ref());
        let what = match (m.agg, value) {
            (Agg::Sum, Some(e)) => What::Sum(e),
            (Agg::Distinct, Some(Expr::Path(path))) => What::Distinct(path),
            _ => What::Count,
        };
        let request = Request { table, time: steps(&m.time), base: extra, filter, what, dims };
        let handle = self.plan.want(request, self.bounds.iter().copied());
        Ok(Term { handle, agg: m.agg, minus: m.minus, scale })
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

    fn stock(&mut self) -> Result<Shape> {
        let Some(state) = self.def.state.clone() else { return Err(self.broken("state")) };
        // What is open now may have been opened at any time before.
        self.bounds.insert(0, i64::MIN);
        let live = state.value.is_some() && self.frame.snapshot.fx.codes() > 1;
        let value = state.value.as_ref().map(|v| if live { format!("{v}__raw") } else { v.clone() });
        let agg = if value.is_some() { Agg::Sum } else { Agg::Count };
        let measure = |time: &str| Measure {
            from: state.from.clone(),
            agg,
            time: time.to_string(),
            filter: state.filter.clone(),
            value: value.clone(),
            minus: false,
            loose: false,
            finer: Vec::new(),
        };
        let (entered, left) = (measure(&state.since), measure(&state.until));
        let (mut entered, mut left) = (self.side(&[entered])?, self.side(&[left])?);
        if live {
            // By currency, so that each part is converted at the rate of the instant asked for.
            let code = format!("{}__cur", state.value.clone().unwrap_or_default());
            for term in entered.terms.iter_mut().chain(&mut left.terms) {
                let mut request = self.plan.requests[term.handle].clone();
                request.dims.push(Some(vec![code.clone()]));
                term.handle = self.plan.want(request, self.bounds.iter().copied());
                term.scale = TICKS;
            }
        }
        Ok(Shape::Stock { entered, left, live })
    }

    fn retention(&mut self) -> Result<Shape> {
        let (Some(state), Some(outcome)) = (self.def.state.clone(), self.def.outcome) else { return Err(self.broken("state")) };
        let State { from, since, until, filter, key, .. } = state;
        let table = self.frame.table(&from)?;
        if !self.frame.allowed(table) {
            return Err(MetricError::Forbidden(self.def.id.clone()));
        }
        let key = steps(&key.unwrap_or_default());
        let who = self.frame.path(table, &key)?.target.ok_or_else(|| self.broken("state.key"))?;
        self.frame.dims(who).and(self.frame.filter(who).map(|_| ())).map_err(|unknown| {
            MetricError::Question(format!("{} cannot be cut or filtered by '{unknown}' ({} has no path to it)", self.def.id, self.frame.snapshot.tables[who].schema.name))
        })?;
        let filter = filter.as_deref().map(|t| self.parse(t)).transpose()?;
        let request = Request { table, time: steps(&since), base: None, filter, what: What::States { until: steps(&until), key }, dims: Vec::new() };
        let handle = self.plan.want(request, self.bounds.iter().copied());
        Ok(Shape::Retention { handle, outcome, table: who })
    }

    fn score(&mut self) -> Result<Shape> {
        let measure = self.def.num[0].clone();
        let term = self.term(&measure)?.map_err(|unknown| MetricError::Question(format!("{} cannot be cut or filtered by '{unknown}'", self.def.id)))?;
        let mut request = self.plan.requests[term.handle].clone();
        let What::Sum(value) = request.what else { return Err(self.broken("num must be a sum")) };
        request.what = What::Rows(value, self.def.latest_per.as_deref().map(steps));
        let handle = self.plan.want(request, self.bounds.iter().copied());
        Ok(Shape::Score { handle, classes: self.def.classes.clone(), latest: self.def.latest_per.is_some() })
    }

    fn derived(&mut self, spans: &[Span]) -> Result<Shape> {
        let settings = &self.frame.snapshot.settings;
        let mut inputs = Vec::new();
        for (name, input) in &self.def.inputs {
            if let Some(setting) = input.metric.strip_prefix("setting:") {
                let value = settings.number(setting).ok_or_else(|| MetricError::Question(format!("there is no setting '{setting}'")))?;
                inputs.push((name.clone(), Input::Constant(value as f64)));
                continue;
            }
            let def = super::definition(self.frame.snapshot, &input.metric, input.variant.as_deref())?;
            if let Some(months) = input.compound_months {
                let mut all = Vec::new();
                let mut ranges = Vec::new();
                for span in spans {
                    let end = if span.complete { span.days.end } else { settings.zone.day(span.end) };
                    let first = all.len();
                    for back in (0..months as i32).rev() {
                        let calendar = settings.calendar;
                        let days = northing_model::Period { start: calendar.add_months(end, -back - 1), end: calendar.add_months(end, -back) };
                        all.push(Span::of(days, settings, self.frame.now));
                    }
                    ranges.push(first..all.len());
                }
                let compiled = compile(self.plan, self.frame, &def, &all)?;
                inputs.push((name.clone(), Input::Compound(Box::new(compiled), ranges)));
                continue;
            }
            let own: Vec<Span> = match &input.trailing {
                Some(d) => {
                    let n = days(self.frame, d)?;
                    spans.iter().map(|s| s.trailing(n)).collect()
                }
                None => spans.to_vec(),
            };
            inputs.push((name.clone(), Input::Metric(Box::new(compile(self.plan, self.frame, &def, &own)?))));
        }
        Ok(Shape::Derived { inputs })
    }

    fn broken(&self, what: &str) -> MetricError {
        MetricError::Question(format!("the definition of {} lacks {what}", self.def.id))
    }
}
