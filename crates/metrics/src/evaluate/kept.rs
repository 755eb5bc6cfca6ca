//! Finished cells of the kinds that look at records one by one, kept by span until a record changes that they can
//! depend on. The others need none of this: their sums are kept by chunk.

use super::cells::{Results, nothing};
use super::compile::{Compiled, Shape};
use super::{Group, Series, composite, parted, survive, worth};
use crate::answer::Cell;
use crate::plan::Frame;
use crate::span::Span;
use crate::{Result, attribute, clv};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The groups of one span.
pub(crate) type Groups = BTreeMap<Group, Cell>;

pub(crate) fn cells(c: &Compiled, r: &Results<'_>) -> Result<Series> {
    let frame = r.frame;
    let cut = clv::cut(c, frame.now);
    let stamp = newest(frame, &tables(c, frame)?);
    let about = format!("{:?}{:?}{:?}{stamp}", c.def, frame.filter, frame.by);
    // A fitted model holds for its day; conditions that speak of the clock hold for the instant.
    let day = if matches!(c.shape, Shape::Model) { i64::from(frame.snapshot.settings.zone.day(cut - 1)) } else { 0 };
    let clock = if about.to_lowercase().contains("now") { frame.now } else { 0 };
    // Windows and caps are named in the definition; how long they are stands in the settings.
    let mut asked = DefaultHasher::new();
    (&about, frame.snapshot.settings.numbers(), day, clock).hash(&mut asked);
    let key = |span: &Span| {
        let mut hasher = asked.clone();
        span.hash(&mut hasher);
        hasher.finish()
    };
    let mut found: Vec<Option<Arc<Groups>>> = c.spans.iter().map(|span| frame.cache.and_then(|cache| cache.cells(key(span)))).collect();
    let missing: Vec<usize> = (0..c.spans.len()).filter(|i| found[*i].is_none()).collect();
    if !missing.is_empty() {
        let spans: Vec<Span> = missing.iter().map(|i| c.spans[*i]).collect();
        let series = match &c.shape {
            Shape::Composite { table, state } => composite::cells(&c.def, &spans, r, *table, *state)?,
            Shape::Parted(held) => parted::cells(&c.def, &spans, r, held)?,
            Shape::Worth(held) => worth::cells(&c.def, &spans, r, held)?,
            Shape::Survival(lives) => survive::cells(&c.def, &spans, r, lives)?,
            Shape::Attributed { attribute, measure } => attribute::cells(&c.def, &spans, frame, attribute, measure)?,
            _ => clv::cells(&c.def, &spans, r, cut)?,
        };
        // Cells of a question that was given up are not all there.
        frame.budget.check()?;
        for (n, i) in missing.iter().enumerate() {
            let groups: Arc<Groups> = Arc::new(series.iter().map(|(group, cells)| (group.clone(), cells[n].clone())).collect());
            if let Some(cache) = frame.cache {
                cache.put_cells(key(&c.spans[*i]), groups.clone());
            }
            found[*i] = Some(groups);
        }
    }
    let found: Vec<Arc<Groups>> = found.into_iter().flatten().collect();
    let names: BTreeSet<&Group> = found.iter().flat_map(|groups| groups.keys()).collect();
    let blank = |span: &Span| match &c.shape {
        Shape::Attributed { .. } => attribute::none(),
        _ => nothing(&c.def, span),
    };
    let of = |group: &Group| -> Vec<Cell> { found.iter().zip(&c.spans).map(|(groups, span)| groups.get(group).cloned().unwrap_or_else(|| blank(span))).collect() };
    Ok(names.into_iter().map(|group| (group.clone(), of(group))).collect())
}

/// The tables that such a metric starts from.
fn tables(c: &Compiled, frame: &Frame<'_>) -> Result<Vec<usize>> {
    let mut names: Vec<&str> = vec!["customer"];
    match &c.shape {
        Shape::Model => names.extend(["purchase", "contract"]),
        Shape::Attributed { attribute, measure } => names.extend([attribute.touch.as_str(), measure.from.as_str()]),
        _ => {}
    }
    names.extend(c.def.components.values().map(|part| part.from.as_str()));
    names.extend(c.def.state.iter().map(|state| state.from.as_str()));
    names.into_iter().map(|name| frame.table(name)).collect()
}

/// The newest version of these tables and of all that their references can lead to: whatever a condition or a
/// breakdown looks at is among them.
fn newest(frame: &Frame<'_>, from: &[usize]) -> u64 {
    let model = &frame.snapshot.model;
    let (mut seen, mut next): (BTreeSet<usize>, Vec<usize>) = (BTreeSet::new(), from.to_vec());
    while let Some(table) = next.pop() {
        if seen.insert(table) {
            let targets = model.objects.get(table).into_iter().flat_map(|o| o.fields.values()).filter_map(|f| f.to.as_deref());
            next.extend(targets.filter_map(|to| model.object_index(to)));
        }
    }
    seen.iter().map(|t| frame.snapshot.tables[*t].version()).max().unwrap_or(0)
}
