//! The rows of each side of each kind of metric, and what every one of them adds.

use super::Side;
use crate::evaluate::{Compiled, Followed, Results, Shape, TermSide, class_of, none_left};
use crate::plan::{Frame, Plan, Request, What};
use crate::scan::Grid;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path, TRUE};
use northing_facts::table::COUNTED;
use northing_facts::{CHUNK, NONE, NULL, Snapshot};
use northing_model::Expr;
use northing_model::metric::{Agg, Outcome, Take};
use northing_model::money::{MICRO, TICKS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a row adds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Adds {
    /// So many parts of so many.
    Exact(i64, i64),
    /// What is no whole number of anything: scores, expectations, what goals came to.
    Real(f64),
}

/// A row of a table that belongs to a side.
pub(super) struct Hit {
    pub table: usize,
    pub row: u32,
    pub at: i64,
    pub adds: Adds,
}

impl Hit {
    fn one(table: usize, row: u32) -> Self {
        Self { table, row, at: NULL, adds: Adds::Exact(1, 1) }
    }

    /// The same row, counted.
    fn counted(self) -> Self {
        Self { adds: Adds::Exact(1, 1), ..self }
    }

    fn units(&self) -> i64 {
        match self.adds {
            Adds::Exact(units, _) => units,
            Adds::Real(_) => 0,
        }
    }

    /// The record that stands behind the row: of a derived table that whose history makes it.
    pub fn record(&self, snapshot: &Snapshot) -> Option<(usize, u32)> {
        let Some(of) = &snapshot.model.objects.get(self.table)?.of else { return Some((self.table, self.row)) };
        let column = snapshot.tables[self.table].schema.column(of)?;
        Some((snapshot.table_index(of)?, u32::try_from(snapshot.tables[self.table].get(column, self.row)).ok()?))
    }
}

/// What all rows add up to; whole numbers first, in the order of the rows what is none.
pub(super) fn sum(hits: &[Hit]) -> f64 {
    let (mut whole, mut rest): (BTreeMap<i64, i128>, f64) = (BTreeMap::new(), 0.0);
    for hit in hits {
        match hit.adds {
            Adds::Exact(units, per) => *whole.entry(per).or_default() += i128::from(units),
            Adds::Real(value) => rest += value,
        }
    }
    whole.into_iter().map(|(per, units)| units as f64 / per as f64).sum::<f64>() + rest
}

/// The rows of a side over one of a metric's spans.
pub(super) fn collect(c: &Compiled, plan: &Plan, grids: &[Arc<Grid>], frame: &Frame<'_>, i: usize, side: &Side) -> Result<Vec<Hit>> {
    let span = c.spans[i];
    if span.future && !c.def.future {
        return Ok(Vec::new());
    }
    let within = |terms: &TermSide| -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for term in &terms.terms {
            let sign = if term.minus { -1 } else { 1 };
            hits.extend(rows(frame, &plan.requests[term.handle], Some(span.start), span.end, sign, term.scale)?);
        }
        if terms.terms.len() > 1 && terms.terms.iter().all(|t| t.agg == Agg::Distinct) {
            // Somebody who is counted by two tables is one.
            let mut seen = BTreeSet::new();
            hits.retain(|h| seen.insert((h.table, h.row)));
        }
        Ok(whole(frame.snapshot, hits))
    };
    let denominator = *side == Side::Denominator;
    let counts = |hits: Vec<Hit>| -> Vec<Hit> { if denominator { hits.into_iter().map(Hit::counted).collect() } else { hits } };
    let results = Results { plan, grids, frame };
    if let Side::Excluded(reason) = side {
        let stock = c.def.kind == northing_model::MetricKind::Stock;
        return match (c.excluded.iter().find(|(r, _)| r == reason), &c.shape) {
            (Some((_, left)), _) => match &left.over {
                None => Ok(within(&left.rows)?.into_iter().map(Hit::counted).collect()),
                // When it was is what nobody knows.
                Some(over) => {
                    let before = |side: &TermSide, end: i64| -> Result<Vec<Hit>> {
                        let all = side.terms.iter().map(|term| rows(frame, &plan.requests[term.handle], None, end, 1, 1)).collect::<Result<Vec<_>>>()?;
                        Ok(all.into_iter().flatten().collect())
                    };
                    let gone: BTreeSet<u32> = before(over, if stock { span.end } else { span.start })?.into_iter().map(|h| h.row).collect();
                    Ok(before(&left.rows, span.end)?.into_iter().filter(|h| !gone.contains(&h.row)).map(|h| Hit { at: NULL, ..h }.counted()).collect())
                }
            },
            (None, Shape::Composite { table, state }) => {
                let scored = crate::evaluate::scores(&c.def, &results, *table, *state, &span)?;
                Ok(scored.into_iter().filter(|(_, score)| score.is_none()).map(|(row, _)| Hit::one(*table, row)).collect())
            }
            (None, Shape::Stock { entered, left, live: true }) => {
                Ok(standing(plan, frame, entered, left, true, span.end)?.into_iter().filter(|h| matches!(h.adds, Adds::Exact(_, 0))).map(Hit::counted).collect())
            }
            (None, Shape::Model) if reason == "missing_rate" => {
                let (table, lacking) = crate::clv::rateless(frame, crate::clv::cut(c, frame.now))?;
                Ok(lacking.into_iter().map(|row| Hit::one(table, row)).collect())
            }
            _ if reason == "missing_rate" => Ok(within(&c.rateless)?.into_iter().map(Hit::counted).collect()),
            _ => Ok(Vec::new()),
        };
    }
    match &c.shape {
        Shape::Sums { num, den, .. } => match den {
            Some(den) if denominator => within(den),
            None if denominator && c.def.kind != northing_model::MetricKind::Duration => Ok(Vec::new()),
            _ => Ok(counts(within(num)?)),
        },
        Shape::Conversion { num, den, .. } => within(if denominator { den } else { num }),
        Shape::Score { .. } => score(c, plan, frame, i, denominator),
        Shape::Stock { .. } | Shape::Parted(_) | Shape::Average { .. } | Shape::Attributed { .. } if denominator => Ok(Vec::new()),
        Shape::Stock { entered, left, live } => {
            Ok(standing(plan, frame, entered, left, *live, span.end)?.into_iter().filter(|h| !matches!(h.adds, Adds::Exact(_, 0))).collect())
        }
        Shape::Average { entered, left, .. } => Ok(whole(frame.snapshot, presence(plan, frame, entered, left, span.start, span.end)?)),
        Shape::Retention(followed) => states(c, plan, frame, followed, i, denominator),
        Shape::Parted(parted) => {
            let held = crate::evaluate::parts(frame, parted, &span)?;
            Ok(held.into_iter().map(|part| Hit { table: parted.from, row: part.row, at: part.since, adds: Adds::Exact(part.ticks, TICKS * part.over) }).collect())
        }
        Shape::Worth(worth) => {
            let held = crate::evaluate::worths(frame, worth, &span, denominator)?;
            Ok(held.into_iter().map(|(row, adds)| Hit { adds: Adds::Exact(adds, TICKS), ..Hit::one(worth.who, row) }).collect())
        }
        Shape::Composite { table, state } => {
            let scored = crate::evaluate::scores(&c.def, &results, *table, *state, &span)?;
            let known = scored.into_iter().filter_map(|(row, score)| Some(Hit { adds: Adds::Real(score?), ..Hit::one(*table, row) }));
            Ok(counts(known.collect()))
        }
        Shape::Model => {
            let table = frame.table("customer")?;
            let values = crate::clv::each(&results, &c.def, &span, crate::clv::cut(c, frame.now))?;
            Ok(counts(values.into_iter().map(|(row, value)| Hit { adds: Adds::Real(value), ..Hit::one(table, row) }).collect()))
        }
        Shape::Survival(lives) => {
            let who = crate::evaluate::lives(frame, lives, &span, denominator)?;
            Ok(who.into_iter().map(|row| Hit::one(lives.who, row)).collect())
        }
        Shape::Goals { goals, share } => {
            let table = frame.table("goal")?;
            let shares = super::shares(&results, goals, *share, i)?;
            let adds = |s: &crate::evaluate::Share| if denominator { s.num.map(|_| s.den).or(s.counts.then_some(s.den)) } else { s.num };
            Ok(shares.iter().filter_map(|s| Some(Hit { adds: Adds::Real(adds(s)?), ..Hit::one(table, s.row) })).collect())
        }
        Shape::Attributed { measure, attribute } => {
            let table = frame.table(&measure.from)?;
            let parse = |text: Option<&str>| text.map(Expr::parse).transpose().map_err(MetricError::Question);
            let what = parse(measure.value.as_deref())?.map_or(What::Count, What::Sum);
            let base = frame.filter(table).map_err(MetricError::Question)?;
            let request = Request { table, time: crate::plan::steps(&measure.time), base, filter: parse(measure.filter.as_deref())?, what, dims: Vec::new() };
            let hits = rows(frame, &request, Some(span.start), span.end, 1, TICKS)?;
            let customer = frame.path(table, &crate::plan::steps("customer"))?;
            let who = |h: &Hit| customer.code(frame.snapshot, table, h.row);
            let led = crate::attribute::led_to(frame, attribute, table, &hits.iter().map(|h| (h.row, h.at, who(h))).collect::<Vec<_>>())?;
            Ok(hits.into_iter().zip(led).filter(|(_, led)| *led).map(|(h, _)| h).collect())
        }
        Shape::Derived { .. } => Ok(Vec::new()),
    }
}

/// Rows that are pieces of one record, put together to it.
fn whole(snapshot: &Snapshot, hits: Vec<Hit>) -> Vec<Hit> {
    let pieces = |h: &Hit| snapshot.model.objects.get(h.table).is_some_and(|o| o.pieces);
    let mut places: BTreeMap<(usize, u32), usize> = BTreeMap::new();
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        let record = if pieces(&hit) { hit.record(snapshot) } else { None };
        let Some(place) = record.map(|(_, row)| *places.entry((hit.table, row)).or_insert(kept.len())) else {
            kept.push(hit);
            continue;
        };
        match (kept.get_mut(place), hit.adds) {
            (Some(Hit { adds: Adds::Exact(units, _), .. }), Adds::Exact(more, _)) => *units = units.saturating_add(more),
            _ => kept.push(hit),
        }
    }
    kept
}

/// The rows whose state holds at an instant. Money of several currencies is converted at its rate then; a row
/// without one has nothing for a divisor.
fn standing(plan: &Plan, frame: &Frame<'_>, entered: &TermSide, left: &TermSide, live: bool, end: i64) -> Result<Vec<Hit>> {
    let Some((inside, outside)) = entered.terms.first().zip(left.terms.first()) else { return Ok(Vec::new()) };
    let request = &plan.requests[inside.handle];
    let came = rows(frame, request, None, end, 1, inside.scale)?;
    let gone: BTreeSet<u32> = rows(frame, &plan.requests[outside.handle], None, end, 1, 1)?.into_iter().map(|h| h.row).collect();
    let mut there: Vec<Hit> = came.into_iter().filter(|h| !gone.contains(&h.row)).collect();
    let code = request.dims.last().and_then(Option::as_ref).filter(|_| live);
    let Some(code) = code.map(|path| frame.path(request.table, path)).transpose()? else { return Ok(there) };
    let (fx, day) = (&frame.snapshot.fx, frame.snapshot.settings.zone.day(end - 1));
    // All of a currency is converted at once; each row adds what the sum grows by with it.
    let mut so_far: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for hit in &mut there {
        let code = code.number(frame.snapshot, hit.table, hit.row);
        let (own, shown) = so_far.entry(code).or_default();
        *own = own.saturating_add(hit.units());
        hit.adds = match fx.currency(code).and_then(|c| fx.convert(*own, c, day)) {
            Some(now) => Adds::Exact(now - std::mem::replace(shown, now), TICKS),
            None => Adds::Exact(1, 0),
        };
    }
    Ok(there)
}

/// Which part of a span each row was there for.
fn presence(plan: &Plan, frame: &Frame<'_>, entered: &TermSide, left: &TermSide, start: i64, end: i64) -> Result<Vec<Hit>> {
    if end <= start {
        return Ok(Vec::new());
    }
    let mut hits = Vec::new();
    for (inside, outside) in entered.terms.iter().zip(&left.terms) {
        let counted = |handle: usize| Request { what: What::Count, ..plan.requests[handle].clone() };
        let gone: BTreeMap<u32, i64> = rows(frame, &counted(outside.handle), None, end, 1, 1)?.into_iter().map(|h| (h.row, h.at)).collect();
        for hit in rows(frame, &counted(inside.handle), None, end, 1, 1)? {
            let until = gone.get(&hit.row).copied().unwrap_or(end);
            let secs = until.max(start) - hit.at.max(start);
            if secs != 0 {
                hits.push(Hit { adds: Adds::Exact(secs, end - start), ..hit });
            }
        }
    }
    Ok(hits)
}

fn score(c: &Compiled, plan: &Plan, frame: &Frame<'_>, i: usize, denominator: bool) -> Result<Vec<Hit>> {
    let Shape::Score { handle, classes, mixed } = &c.shape else { return Ok(Vec::new()) };
    let span = c.spans[i];
    let summed = |handle: usize| {
        let mut request = plan.requests[handle].clone();
        if let What::Rows(value, _) = request.what {
            request.what = What::Sum(value);
        }
        request
    };
    let class = |v: i64| class_of(classes.as_ref(), v);
    let mut hits = rows(frame, &summed(*handle), Some(span.start), span.end, 1, 1)?;
    if let Some(per) = &c.def.per {
        let key = frame.path(plan.requests[*handle].table, &crate::plan::steps(&per.key))?;
        match per.take {
            Take::Latest => hits = latest(frame, hits, &key),
            Take::Count => {
                hits.retain(|h| key.code(frame.snapshot, h.table, h.row) != NONE);
                let mut joined = by_key(frame, hits, &key, |values| Adds::Exact(if denominator { 1 } else { class(values.len() as i64) }, 1));
                joined.retain(|h| h.units() != 0);
                return Ok(joined);
            }
            Take::Mean => return Ok(by_key(frame, hits, &key, |values| if denominator { Adds::Exact(1, 1) } else { Adds::Real(values.iter().map(|v| class(*v) as f64).sum::<f64>() / values.len() as f64) })),
        }
    }
    if let Some(What::Rows(_, Some(by))) = mixed.map(|m| &plan.requests[m].what) {
        // On several scales the number is of what they share.
        let by = frame.path(plan.requests[*handle].table, by)?;
        if hits.iter().map(|h| by.code(frame.snapshot, h.table, h.row)).collect::<BTreeSet<u32>>().len() > 1 {
            hits = rows(frame, &summed(mixed.unwrap_or(*handle)), Some(span.start), span.end, 1, MICRO / 100)?;
            return Ok(if denominator { hits.into_iter().map(Hit::counted).collect() } else { hits });
        }
    }
    hits.iter_mut().for_each(|h| h.adds = Adds::Exact(if denominator { 1 } else { class(h.units()) }, 1));
    Ok(hits)
}

/// Rows of a request within [start, end). A distinct request gives each record once.
fn rows(frame: &Frame<'_>, request: &Request, start: Option<i64>, end: i64, sign: i64, scale: i64) -> Result<Vec<Hit>> {
    let snapshot = frame.snapshot;
    let bind = |e: &Expr| eval::bind(snapshot, request.table, e, frame.now).map_err(MetricError::Question);
    let filter = request.condition().as_ref().map(bind).transpose()?;
    let value = match &request.what {
        What::Sum(e) | What::Values(e) | What::Rows(e, _) => Some(bind(e)?),
        _ => None,
    };
    let key = match &request.what {
        What::Distinct(path) => Some(frame.path(request.table, path)?),
        _ => None,
    };
    let time = frame.path(request.table, &request.time)?;
    let mut seen = BTreeSet::new();
    let (mut hits, mut held) = (Vec::new(), 0);
    for (c, chunk) in snapshot.tables[request.table].chunks.iter().enumerate() {
        // Half of the rows would add up to another number.
        if !frame.budget.hold((hits.len() - held) * size_of::<Hit>()) {
            frame.budget.check()?;
        }
        held = hits.len();
        let n = chunk.flags.len();
        let times = time.numbers(snapshot, request.table, c, 0, n);
        let truth = filter.as_ref().map(|f| f.truth(snapshot, request.table, c, 0, n));
        let values = value.as_ref().map(|v| v.numbers(snapshot, request.table, c, 0, n));
        let keys = key.as_ref().map(|k| k.codes(snapshot, request.table, c, 0, n));
        for i in 0..n {
            let at = times[i];
            let inside = at != NULL && start.is_none_or(|s| at >= s) && at < end;
            if chunk.flags[i] & COUNTED == 0 || !inside || truth.as_ref().is_some_and(|t| t[i] & TRUE == 0) {
                continue;
            }
            let adds = values.as_ref().map_or(1, |v| v[i]);
            if adds == NULL {
                continue;
            }
            let row = (c * CHUNK + i) as u32;
            match (&keys, key.as_ref().and_then(|k| k.target)) {
                (Some(keys), Some(target)) => {
                    if keys[i] != NONE && seen.insert(keys[i]) {
                        hits.push(Hit { table: target, row: keys[i], at, adds: Adds::Exact(sign, 1) });
                    }
                }
                _ => hits.push(Hit { table: request.table, row, at, adds: Adds::Exact(sign * adds, scale) }),
            }
        }
    }
    Ok(hits)
}

/// One hit for each key, by what all of its rows hold; rows without one stand for themselves in a mean.
fn by_key(frame: &Frame<'_>, mut hits: Vec<Hit>, key: &Path, adds: impl Fn(&[i64]) -> Adds) -> Vec<Hit> {
    let who = |h: &Hit| key.code(frame.snapshot, h.table, h.row);
    hits.sort_by_key(|h| (who(h), h.at));
    let together = hits.chunk_by(|a, b| who(a) != NONE && who(a) == who(b));
    let joined = together.map(|own| {
        let adds = adds(&own.iter().map(Hit::units).collect::<Vec<_>>());
        let (table, row) = key.target.filter(|_| who(&own[0]) != NONE).map_or((own[0].table, own[0].row), |target| (target, who(&own[0])));
        Hit { table, row, at: own[0].at, adds }
    });
    joined.collect()
}

/// The last row of each key; rows without one all stay.
fn latest(frame: &Frame<'_>, mut hits: Vec<Hit>, key: &Path) -> Vec<Hit> {
    let who = |h: &Hit| key.code(frame.snapshot, h.table, h.row);
    hits.sort_by_key(|h| (who(h), h.at));
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        match kept.last_mut() {
            Some(last) if who(&hit) != NONE && who(last) == who(&hit) => *last = hit,
            _ => kept.push(hit),
        }
    }
    kept
}

fn states(c: &Compiled, plan: &Plan, frame: &Frame<'_>, followed: &Followed, i: usize, denominator: bool) -> Result<Vec<Hit>> {
    let Followed { handle, outcome, table, .. } = *followed;
    let request = &plan.requests[handle];
    let What::States { until, key } = &request.what else { return Ok(Vec::new()) };
    let (until, key): (Path, Path) = (frame.path(request.table, until)?, frame.path(request.table, key)?);
    let all = rows(frame, &Request { what: What::Count, ..request.clone() }, None, i64::MAX, 1, 1)?;
    let span = c.spans[i];
    let keep = match frame.filter(table).map_err(MetricError::Question)? {
        None => None,
        Some(filter) => Some(eval::bind(frame.snapshot, table, &filter, frame.now).map_err(MetricError::Question)?),
    };
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    for hit in all {
        let end = until.number(frame.snapshot, request.table, hit.row);
        let who = key.code(frame.snapshot, request.table, hit.row);
        let holds = |p: i64| hit.at < p && (end == NULL || p <= end);
        if who == NONE {
            continue;
        }
        if keep.as_ref().is_some_and(|node| !node.holds(frame.snapshot, table, who)) {
            continue;
        }
        let joins = followed.joined.is_some() && hit.at >= span.start && hit.at < span.end;
        if holds(span.start) || joins {
            before.insert(who);
        }
        if holds(span.end) {
            after.insert(who);
        }
    }
    if outcome == Outcome::Did {
        after.clear();
        for did in &followed.did {
            after.extend(rows(frame, &plan.requests[*did], Some(span.start), span.end, 1, 1)?.into_iter().map(|hit| hit.row));
        }
        if let Some(net) = followed.net {
            let request = &plan.requests[net];
            let What::Rows(_, Some(key)) = &request.what else { return Ok(Vec::new()) };
            let key = frame.path(request.table, key)?;
            let steps = rows(frame, request, Some(span.start), span.end, 1, 1)?;
            let undone = none_left(frame.snapshot.tables[table].len, steps.iter().map(|h| (key.code(frame.snapshot, h.table, h.row), h.units())));
            after.retain(|who| !undone.has(*who));
        }
    }
    let chosen = before.iter().filter(|who| denominator || after.contains(who) == (outcome != Outcome::Lost));
    Ok(chosen.map(|row| Hit::one(table, *row)).collect())
}
