//! How large a declaration of metrics may be, and how deep metrics may be made of others. What is declared once is worked
//! out at every question, so it is refused when it is declared.

use super::{Days, MetricDef};
use crate::ModelError;
use crate::object::Model;
use std::collections::HashMap;

/// Characters of one declaration, metrics in it, and things in any list of a metric.
const LONGEST: usize = 64 << 10;
const MOST: usize = 64;
const LIST: usize = 30;
/// Days and months that a definition may name.
const DAYS: i64 = 40_000;
const MONTHS: usize = 600;
/// Metrics made of metrics made of metrics.
const DEEPEST: usize = 32;

/// Refuses a text that declares too much.
pub(crate) fn text(place: &str, text: &str) -> Result<(), ModelError> {
    if text.len() > LONGEST {
        return Err(ModelError::new(place, format!("the declaration is longer than {LONGEST} characters"), "declare its metrics in several parts"));
    }
    Ok(())
}

/// Refuses a declaration of too many metrics.
pub(crate) fn number(place: &str, metrics: usize) -> Result<(), ModelError> {
    if metrics > MOST {
        return Err(ModelError::new(place, format!("{metrics} metrics are too many for one declaration"), format!("declare at most {MOST} at once")));
    }
    Ok(())
}

/// The key of a definition that holds too much, and what is wrong with it.
pub(crate) fn of(def: &MetricDef) -> Option<(&'static str, String)> {
    let finer = def.measures().iter().map(|(_, m)| m.finer.len()).max().unwrap_or(0);
    let lists = [
        ("num", def.num.len()),
        ("den", def.den.len()),
        ("finer", finer),
        ("excluded", def.excluded.len()),
        ("components", def.components.len()),
        ("inputs", def.inputs.len()),
        ("variants", def.variants.len()),
        ("dims", def.dims.len()),
        ("flags", def.flags.len()),
        ("band", def.band.as_ref().map_or(0, |b| b.edges.len())),
    ];
    if let Some((key, n)) = lists.into_iter().find(|(_, n)| *n > LIST) {
        return Some((key, format!("{n} are too many; at most {LIST} may be listed")));
    }
    let fixed = |days: Option<&Days>| match days {
        Some(Days::Fixed(days)) => Some(*days),
        _ => None,
    };
    let inputs = def.inputs.values().flat_map(|i| [fixed(i.trailing.as_ref()), fixed(i.lag.as_ref())]);
    let own = [fixed(def.trailing.as_ref()), fixed(def.window.as_ref()), def.attribute.as_ref().map(|a| a.lookback_days)];
    let days = own.into_iter().chain(inputs).chain(def.components.values().map(|c| c.window_days)).flatten();
    if let Some(days) = days.into_iter().find(|days| !(0..=DAYS).contains(days)) {
        return Some(("days", format!("{days} days cannot be meant; write 0 to {DAYS}")));
    }
    let months = def.inputs.values().filter_map(|i| i.compound_months).map(|m| m as usize).chain(def.months);
    months.into_iter().find(|months| *months > MONTHS).map(|months| ("months", format!("{months} months cannot be meant; write at most {MONTHS}")))
}

/// What a metric, in one of its readings, is made of.
type Reading = (String, Option<String>);

/// Refuses metrics that are made of themselves, at whatever distance, or of others too deep.
pub(crate) fn chains(model: &Model) -> Result<(), ModelError> {
    let mut known: HashMap<Reading, Option<usize>> = HashMap::new();
    for def in model.metrics.values() {
        for variant in std::iter::once(None).chain(def.variants.keys().cloned().map(Some)) {
            depth(model, (def.id.clone(), variant), 0, &mut known)?;
        }
    }
    Ok(())
}

/// How many metrics lie below a reading; none in `known` while it is looked at.
fn depth(model: &Model, of: Reading, above: usize, known: &mut HashMap<Reading, Option<usize>>) -> Result<usize, ModelError> {
    let fail = |problem: String| Err(ModelError::new(format!("metric {}.inputs", of.0), problem, "make it of fewer others"));
    let deep = || fail(format!("it is made of metrics that are made of others, more than {DEEPEST} deep"));
    let below = match known.get(&of) {
        Some(None) => return fail(format!("'{}' is made of itself", of.0)),
        Some(Some(below)) => *below,
        None if above > DEEPEST => return deep(),
        None => {
            let Some(def) = model.metrics.get(&of.0) else { return Ok(0) };
            known.insert(of.clone(), None);
            let own = of.1.as_deref().map(|variant| def.variant(variant)).transpose()?;
            let mut below = 0;
            for input in own.as_ref().unwrap_or(def).inputs.values().filter(|i| !i.metric.contains(':')) {
                let next = (input.metric.clone(), input.variant.clone().filter(|v| !v.is_empty()));
                below = below.max(1 + depth(model, next, above + 1, known)?);
            }
            known.insert(of.clone(), Some(below));
            below
        }
    };
    if below > DEEPEST { deep() } else { Ok(below) }
}

#[cfg(test)]
mod tests {
    use crate::Model;

    fn chain(n: usize, last: &str) -> String {
        let one = |i: usize| {
            let of = if i == 0 { last.to_string() } else { format!("x_c{}", i - 1) };
            format!("[x_c{i}]\nkind = \"derived\"\nunit = \"money\"\ngood = \"up\"\ngroup = \"sales\"\nformula = \"a + b\"\ninputs = {{ a = {{ metric = \"{of}\" }}, b = {{ metric = \"{of}\" }} }}\n")
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn s3_a_declaration_is_bounded_when_it_is_made() {
        let model = Model::builtin().expect("the product's model");
        let said = |text: &str| model.with_metrics(text).err().map(|e| e.to_string()).unwrap_or_default();
        assert_eq!(said(&chain(18, "revenue")), "");
        assert!(said(&chain(40, "revenue")).contains("more than 32 deep"), "{}", said(&chain(40, "revenue")));
        for n in [1, 2, 3, 9] {
            let told = said(&chain(n, &format!("x_c{}", n - 1)));
            assert!(told.contains("made of itself") || told.contains("depends on this metric"), "{n}: {told}");
        }
        assert!(said(&chain(65, "revenue")).contains("too many for one declaration"));
        assert!(said(&" ".repeat(70_000)).contains("longer than"));
        let formula = chain(1, "revenue").replace("a + b", &"a + ".repeat(5_000).replace("+ ", "+").trim_end_matches('+').to_string());
        assert!(said(&formula).contains("longer than"), "{}", said(&formula));
        let months = chain(1, "revenue").replace("a = { metric = \"revenue\" }", "a = { metric = \"revenue\", compound_months = 4000000000 }");
        assert!(said(&months).contains("months cannot be meant"), "{}", said(&months));
        let days = chain(1, "revenue").replace("a = { metric = \"revenue\" }", "a = { metric = \"revenue\", lag = 9000000000000000000 }");
        assert!(said(&days).contains("days cannot be meant"), "{}", said(&days));
    }
}
