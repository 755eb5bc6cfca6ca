//! When somebody is there and not taken yet, by their opening hours and the records that take their time
//! (`exclusive`). It knows what the snapshot's reader sees, and nothing else: what is hidden from them makes no gap, and
//! is told when the time is asked for.

use crate::column::NULL;
use crate::snapshot::Snapshot;
use crate::table::EXISTS;
use northing_model::ObjectDef;

/// Instants from and to, the end exclusive, in order.
pub type Spans = Vec<(i64, i64)>;

pub struct Free {
    /// The row of what is asked for, in its own table.
    pub row: u32,
    /// Whether it has opening hours; without them it is there all day.
    pub hours: bool,
    pub open: Spans,
    pub free: Spans,
}

/// Of each row of what `exclusive.of` refers to: its open and its free spans of the local days `from..to`. `None` where
/// the object is not exclusive.
pub fn free(snapshot: &Snapshot, object: &ObjectDef, rows: &[u32], from: i32, to: i32) -> Option<Vec<Free>> {
    let x = object.exclusive.as_ref()?;
    let table = snapshot.table(&object.name)?;
    let column = |name: &str| table.schema.column(name);
    let (of, begins, ends, state) = (column(&x.of)?, column(&x.from)?, column(&x.to)?, column(&x.state)?);
    let whose = &snapshot.tables[table.schema.columns[of].target?];
    let hours = x.hours.as_deref().and_then(|name| whose.schema.column(name));
    let hours = hours.filter(|c| snapshot.view.as_ref().is_none_or(|v| whose.schema.columns[*c].target.is_some_and(|t| v.sees(&snapshot.model.objects[t].name))));
    let zone = &snapshot.settings.zone;
    let (first, last) = (zone.midnight(from), zone.midnight(to));
    let mut taken: Vec<Spans> = vec![Vec::new(); rows.len()];
    for row in (0..table.len).filter(|row| table.flags(*row) & EXISTS != 0) {
        let at = (table.get(begins, row), table.get(ends, row));
        if at.0 == NULL || at.1 == NULL || at.0 >= last || at.1 <= first {
            continue;
        }
        let Some(place) = rows.iter().position(|r| i64::from(*r) == table.get(of, row)) else { continue };
        if table.text(state, row).is_none_or(|s| !x.free.iter().any(|f| **f == *s)) {
            taken[place].push(at);
        }
    }
    let mut all = Vec::with_capacity(rows.len());
    for (row, mut taken) in rows.iter().zip(taken) {
        let schedule = hours.and_then(|c| snapshot.schedules.at(whose.get(c, *row), first));
        let open: Spans = match schedule {
            None => (from..to).map(|day| (zone.midnight(day), zone.midnight(day + 1))).collect(),
            // The schedule may be of another zone, whose days begin at other times.
            Some(s) => (from - 1..=to).flat_map(|day| s.open(day)).map(|(a, b)| (a.max(first), b.min(last))).filter(|(a, b)| a < b).collect(),
        };
        taken.sort_unstable();
        all.push(Free { row: *row, hours: schedule.is_some(), free: without(&open, &taken), open });
    }
    Some(all)
}

/// What remains of spans when others are taken out of them; both in order.
fn without(open: &[(i64, i64)], taken: &[(i64, i64)]) -> Spans {
    let mut left = Vec::new();
    for (mut from, to) in open.iter().copied() {
        for (a, b) in taken.iter().copied() {
            if a >= to || b <= from {
                continue;
            }
            if a > from {
                left.push((from, a));
            }
            from = b;
        }
        if from < to {
            left.push((from, to));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_taken_is_cut_out() {
        let without = super::without;
        assert_eq!(without(&[(0, 10), (20, 30)], &[]), [(0, 10), (20, 30)]);
        assert_eq!(without(&[(0, 10), (20, 30)], &[(2, 4), (3, 5), (9, 21)]), [(0, 2), (5, 9), (21, 30)]);
        assert_eq!(without(&[(0, 10)], &[(-5, 15)]), []);
        // One inside another, which a time that was freed and taken again may leave.
        assert_eq!(without(&[(0, 10)], &[(1, 8), (2, 3)]), [(0, 1), (8, 10)]);
    }
}
