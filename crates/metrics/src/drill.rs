//! The records behind a number: the same compiled requests, with rows instead of sums.
//!
//! Re-aggregating what is returned gives the number; a property test holds that for every metric.

use crate::budget::Budget;
use crate::evaluate::{Compiled, Followed, class_of, metric, none_left};
use crate::plan::{Frame, Plan, Request, What};
use crate::question::Question;
use crate::span::Span;
use crate::{MetricError, Result};
use northing_facts::eval::{self, Path, TRUE};
use northing_facts::table::COUNTED;
use northing_facts::{CHUNK, NULL, Snapshot};
use northing_model::metric::{Outcome, Take};
use northing_model::money::MICRO;
use northing_model::Expr;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Which rows are wanted.
#[derive(Debug, Clone, PartialEq)]
pub enum Side {
    Numerator,
    Denominator,
    /// Left out, for this reason.
    Excluded(String),
}

/// One row behind a number and what it adds.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct DrillRow {
    /// The object whose record stands behind the row.
    pub object: String,
    pub id: Uuid,
    pub title: String,
    /// The instant that places it, RFC 3339.
    pub at: Option<String>,
    /// What it adds to the side: 1 for counts, major units for money, seconds for durations.
    pub adds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Drill {
    pub metric: String,
    pub seq: u64,
    /// All rows there are; `rows` may hold fewer.
    pub total: usize,
    /// Sum of `adds` over all rows (distinct metrics: over distinct records).
    pub sum: f64,
    pub rows: Vec<DrillRow>,
    /// For derived metrics: the metrics to look into instead.
    pub inputs: Vec<String>,
}

/// The records of the first metric of a question over its whole period.
pub fn drill(snapshot: &Snapshot, question: &Question, side: &Side, offset: usize, limit: usize) -> Result<Drill> {
    drill_within(snapshot, question, side, offset, limit, &Budget::default())
}

/// The same with what the question may use.
pub fn drill_within(snapshot: &Snapshot, question: &Question, side: &Side, offset: usize, limit: usize, budget: &Budget) -> Result<Drill> {
    let wanted = question.metrics.first().ok_or_else(|| MetricError::Question("name a metric".into()))?;
    let def = crate::evaluate::definition(snapshot, &wanted.metric, wanted.variant.as_deref())?;
    if !crate::evaluate::allowed(snapshot, wanted) {
        return Err(MetricError::Forbidden(def.id));
    }
    let frame = Frame { snapshot, filter: question.filter.clone(), by: Vec::new(), now: question.now, cache: None, budget };
    let mut plan = Plan::default();
    let span = Span::of(question.period, &snapshot.settings, question.now);
    let compiled = metric(&mut plan, &frame, &wanted.metric, wanted.variant.as_deref(), &[span])?;
    let mut answer = Drill { metric: def.id.clone(), seq: snapshot.shown, total: 0, sum: 0.0, rows: Vec::new(), inputs: Vec::new() };
    if matches!((&compiled.shape, side), (crate::evaluate::Shape::Derived { .. }, Side::Numerator | Side::Denominator)) {
        answer.inputs = def.inputs.values().map(|i| i.metric.clone()).filter(|m| !m.contains(':')).collect();
        return Ok(answer);
    }
    let found = collect(&compiled, &plan, &frame, side)?;
    budget.check()?;
    answer.total = found.len();
    let mut sums: BTreeMap<i64, i128> = BTreeMap::new();
    for hit in &found {
        *sums.entry(hit.scale).or_default() += i128::from(hit.adds);
    }
    answer.sum = sums.into_iter().map(|(scale, sum)| sum as f64 / scale as f64).sum();
    answer.rows = found.into_iter().skip(offset).take(limit).filter_map(|hit| row(snapshot, &hit)).collect();
    Ok(answer)
}

/// A row of a table that belongs to a side.
struct Hit {
    table: usize,
    row: u32,
    at: i64,
    adds: i64,
    scale: i64,
}

fn row(snapshot: &Snapshot, hit: &Hit) -> Option<DrillRow> {
    let (mut table, mut row) = (hit.table, hit.row);
    let object = snapshot.model.objects.get(table)?;
    if let Some(of) = &object.of {
        let column = snapshot.tables[table].schema.column(of)?;
        row = u32::try_from(snapshot.tables[table].get(column, row)).ok()?;
        table = snapshot.table_index(of)?;
    }
    // A record that is only referred to is not seen.
    if snapshot.view.is_some() && snapshot.tables[table].flags(row) & northing_facts::table::SEEN == 0 {
        return None;
    }
    Some(DrillRow {
        object: snapshot.model.objects.get(table)?.name.clone(),
        id: snapshot.tables[table].id(row)?,
        title: snapshot.title(table, row),
        at: (hit.at != NULL).then(|| northing_model::value::time_text(hit.at)),
        adds: hit.adds as f64 / hit.scale as f64,
    })
}

fn collect(c: &Compiled, plan: &Plan, frame: &Frame<'_>, side: &Side) -> Result<Vec<Hit>> {
    use crate::evaluate::Shape;
    let span = c.spans[0];
    let within = |terms: &crate::evaluate::TermSide| -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for term in &terms.terms {
            let request = &plan.requests[term.handle];
            let sign = if term.minus { -1 } else { 1 };
            hits.extend(rows(frame, request, Some(span.start), span.end, sign, term.scale)?);
        }
        if terms.terms.len() > 1 && terms.terms.iter().all(|t| t.agg == northing_model::metric::Agg::Distinct) {
            // Somebody who is counted by two tables is one.
            let mut seen = BTreeSet::new();
            hits.retain(|h| seen.insert((h.table, h.row)));
        }
        Ok(hits)
    };
    if let Side::Excluded(reason) = side {
        let stock = c.def.kind == northing_model::MetricKind::Stock;
        return match c.excluded.iter().find(|(r, _)| r == reason) {
            Some((_, left)) => match &left.over {
                None => within(&left.rows),
                // When it was is what nobody knows.
                Some(over) => {
                    let before = |side: &crate::evaluate::TermSide, end: i64| -> Result<Vec<Hit>> {
                        let all = side.terms.iter().map(|term| rows(frame, &plan.requests[term.handle], None, end, 1, 1)).collect::<Result<Vec<_>>>()?;
                        Ok(all.into_iter().flatten().collect())
                    };
                    let gone: BTreeSet<u32> = before(over, if stock { span.end } else { span.start })?.into_iter().map(|h| h.row).collect();
                    Ok(before(&left.rows, span.end)?.into_iter().filter(|h| !gone.contains(&h.row)).map(|h| Hit { at: NULL, ..h }).collect())
                }
            },
            None if reason == "missing_rate" => within(&c.rateless),
            None => Ok(Vec::new()),
        };
    }
    let denominator = *side == Side::Denominator;
    match &c.shape {
        Shape::Sums { num, den, .. } => match den {
            Some(den) if denominator => within(den),
            _ => within(num),
        },
        Shape::Conversion { num, den, .. } => within(if denominator { den } else { num }),
        Shape::Score { handle, mixed, classes, .. } => {
            let summed = |handle: usize| {
                let mut request = plan.requests[handle].clone();
                if let What::Rows(value, _) = request.what {
                    request.what = What::Sum(value);
                }
                request
            };
            let mut hits = rows(frame, &summed(*handle), Some(span.start), span.end, 1, 1)?;
            let taken = match &c.def.per {
                Some(per) => Some((per.take, frame.path(plan.requests[*handle].table, &crate::plan::steps(&per.key))?)),
                None => None,
            };
            match &taken {
                Some((Take::Latest, key)) => hits = latest(frame, hits, key),
                Some((take, key)) => return Ok(by_key(frame, hits, key, |values| match take {
                    Take::Count => (if denominator { 1 } else { class_of(classes.as_ref(), values.len() as i64) }, 1),
                    _ => (values.iter().map(|v| class_of(classes.as_ref(), *v)).sum::<i64>() * MICRO / values.len() as i64, MICRO),
                })),
                None => {}
            }
            hits.iter_mut().for_each(|h| h.adds = class_of(classes.as_ref(), h.adds));
            let Some(mixed) = mixed else { return Ok(hits) };
            // On several scales the number is of what they share.
            let What::Rows(_, Some(by)) = &plan.requests[*mixed].what else { return Ok(hits) };
            let (table, by) = (plan.requests[*mixed].table, frame.path(plan.requests[*mixed].table, by)?);
            let scale = |h: &Hit| by.code(frame.snapshot, table, h.row);
            if hits.iter().map(scale).collect::<BTreeSet<u32>>().len() < 2 {
                return Ok(hits);
            }
            rows(frame, &summed(*mixed), Some(span.start), span.end, 1, northing_model::money::MICRO / 100)
        }
        Shape::Stock { entered, left, .. } => {
            let Some((inside, outside)) = entered.terms.first().zip(left.terms.first()) else { return Ok(Vec::new()) };
            let came = rows(frame, &plan.requests[inside.handle], None, span.end, 1, inside.scale)?;
            let gone: BTreeSet<u32> = rows(frame, &plan.requests[outside.handle], None, span.end, 1, 1)?.into_iter().map(|h| h.row).collect();
            Ok(came.into_iter().filter(|h| !gone.contains(&h.row)).collect())
        }
        Shape::Average { entered, left } => {
            let mut hits = Vec::new();
            for (side, sign) in [(entered, 1), (left, -1)] {
                for term in &side.terms {
                    let request = Request { what: What::Count, ..plan.requests[term.handle].clone() };
                    hits.extend(rows(frame, &request, None, span.end, sign, 1)?);
                }
            }
            Ok(hits)
        }
        Shape::Retention(followed) => states(c, plan, frame, followed, denominator),
        Shape::Parted(parted) => {
            let held = crate::evaluate::parts(frame, parted, &span)?;
            Ok(held.into_iter().map(|part| Hit { table: parted.from, row: part.row, at: part.since, adds: part.ticks, scale: northing_model::money::TICKS * part.over }).collect())
        }
        Shape::Worth(worth) => {
            let held = crate::evaluate::worths(frame, worth, &span, denominator)?;
            Ok(held.into_iter().map(|(row, adds)| Hit { table: worth.who, row, at: NULL, adds, scale: northing_model::money::TICKS }).collect())
        }
        Shape::Composite { table, state } => {
            let grids = crate::scan::run(plan, frame, &crate::Cache::default())?;
            let results = crate::evaluate::Results { plan, grids: &grids, frame };
            let scored = crate::evaluate::scores(&c.def, &results, *table, *state, &span)?;
            Ok(scored.into_iter().map(|(row, score)| Hit { table: *table, row, at: NULL, adds: (score * 1e6).round() as i64, scale: 1_000_000 }).collect())
        }
        Shape::Model => {
            let results = crate::evaluate::Results { plan, grids: &[], frame };
            let table = frame.table("customer")?;
            let values = crate::clv::each(&results, &c.def, &span)?;
            let ticks = northing_model::money::TICKS;
            Ok(values.into_iter().map(|(row, value)| Hit { table, row, at: NULL, adds: (value * ticks as f64).round() as i64, scale: ticks }).collect())
        }
        Shape::Survival(lives) => {
            let who = crate::evaluate::lives(frame, lives, &span, denominator)?;
            Ok(who.into_iter().map(|row| Hit { table: lives.who, row, at: NULL, adds: 1, scale: 1 }).collect())
        }
        Shape::Goals { goals, .. } => {
            let table = frame.table("goal")?;
            Ok(goals.iter().map(|g| Hit { table, row: g.row, at: NULL, adds: 1, scale: 1 }).collect())
        }
        Shape::Attributed { measure, attribute } => {
            let table = frame.table(&measure.from)?;
            let filter = measure.filter.as_deref().map(Expr::parse).transpose().map_err(MetricError::Question)?;
            let value = measure.value.as_deref().map(Expr::parse).transpose().map_err(MetricError::Question)?;
            let what = value.map_or(What::Count, What::Sum);
            let request = Request { table, time: crate::plan::steps(&measure.time), base: None, filter, what, dims: Vec::new() };
            let hits = rows(frame, &request, Some(span.start), span.end, 1, northing_model::money::TICKS)?;
            let customer = frame.path(table, &crate::plan::steps("customer"))?;
            let who = |h: &Hit| customer.code(frame.snapshot, table, h.row);
            let led = crate::attribute::led_to(frame, attribute, table, &hits.iter().map(|h| (h.row, h.at, who(h))).collect::<Vec<_>>())?;
            Ok(hits.into_iter().zip(led).filter(|(_, led)| *led).map(|(h, _)| h).collect())
        }
        Shape::Derived { .. } => Ok(Vec::new()),
    }
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
                    if keys[i] != northing_facts::NONE && seen.insert(keys[i]) {
                        hits.push(Hit { table: target, row: keys[i], at, adds: sign, scale: 1 });
                    }
                }
                _ => hits.push(Hit { table: request.table, row, at, adds: sign * adds, scale }),
            }
        }
    }
    Ok(hits)
}

/// One hit for each key, by what all of its rows hold; rows without one stand for themselves in a mean.
fn by_key(frame: &Frame<'_>, mut hits: Vec<Hit>, key: &Path, adds: impl Fn(&[i64]) -> (i64, i64)) -> Vec<Hit> {
    let who = |h: &Hit| key.code(frame.snapshot, h.table, h.row);
    hits.sort_by_key(|h| (who(h), h.at));
    let together = hits.chunk_by(|a, b| who(a) != northing_facts::NONE && who(a) == who(b));
    let joined = together.map(|own| {
        let (adds, scale) = adds(&own.iter().map(|h| h.adds).collect::<Vec<_>>());
        let (table, row) = key.target.filter(|_| who(&own[0]) != northing_facts::NONE).map_or((own[0].table, own[0].row), |target| (target, who(&own[0])));
        Hit { table, row, at: own[0].at, adds, scale }
    });
    joined.filter(|h| h.adds != 0).collect()
}

/// The last row of each key; rows without one all stay.
fn latest(frame: &Frame<'_>, mut hits: Vec<Hit>, key: &Path) -> Vec<Hit> {
    let who = |h: &Hit| key.code(frame.snapshot, h.table, h.row);
    hits.sort_by_key(|h| (who(h), h.at));
    let mut kept: Vec<Hit> = Vec::new();
    for hit in hits {
        match kept.last_mut() {
            Some(last) if who(&hit) != northing_facts::NONE && who(last) == who(&hit) => *last = hit,
            _ => kept.push(hit),
        }
    }
    kept
}

fn states(c: &Compiled, plan: &Plan, frame: &Frame<'_>, followed: &Followed, denominator: bool) -> Result<Vec<Hit>> {
    let Followed { handle, outcome, table, .. } = *followed;
    let request = &plan.requests[handle];
    let What::States { until, key } = &request.what else { return Ok(Vec::new()) };
    let (until, key): (Path, Path) = (frame.path(request.table, until)?, frame.path(request.table, key)?);
    let all = rows(frame, &Request { what: What::Count, ..request.clone() }, None, i64::MAX, 1, 1)?;
    let span = c.spans[0];
    let keep = match frame.filter(table).map_err(MetricError::Question)? {
        None => None,
        Some(filter) => Some(eval::bind(frame.snapshot, table, &filter, frame.now).map_err(MetricError::Question)?),
    };
    let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
    for hit in all {
        let end = until.number(frame.snapshot, request.table, hit.row);
        let who = key.code(frame.snapshot, request.table, hit.row);
        let holds = |p: i64| hit.at < p && (end == NULL || p <= end);
        if who == northing_facts::NONE {
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
            let undone = none_left(frame.snapshot.tables[table].len, steps.iter().map(|h| (key.code(frame.snapshot, h.table, h.row), h.adds)));
            after.retain(|who| !undone.has(*who));
        }
    }
    let chosen = before.iter().filter(|who| denominator || after.contains(who) == (outcome != Outcome::Lost));
    Ok(chosen.map(|row| Hit { table, row: *row, at: NULL, adds: 1, scale: 1 }).collect())
}
