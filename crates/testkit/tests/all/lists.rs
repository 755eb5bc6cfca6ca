//! Lists against a naive order: every column, both directions, any page, while records keep coming.

use northing_facts::list::{ListQuery, list};
use northing_facts::table::EXISTS;
use northing_facts::{Facts, NULL, Snapshot};
use northing_model::Expr;
use northing_store::Store;
use northing_testkit::history::{History, START};

/// What a person would put in order: a text, or a number.
#[derive(PartialEq, PartialOrd, Clone, Debug)]
enum Seen {
    Number(i64),
    Text(String),
}

fn seen(s: &Snapshot, table: usize, column: usize, row: u32) -> Option<Seen> {
    let source = &s.tables[table];
    let meta = &source.schema.columns[column];
    let value = source.get(column, row);
    match meta.target {
        _ if value == NULL => None,
        Some(target) => Some(Seen::Text(s.title(target, value as u32))),
        None if meta.dict.is_some() => source.text(column, row).map(|t| Seen::Text(t.to_string())),
        None => Some(Seen::Number(value)),
    }
}

fn naive(s: &Snapshot, table: usize, keys: &[(usize, bool)], fits: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..s.tables[table].len).filter(|r| s.tables[table].flags(*r) & EXISTS != 0 && fits(*r)).collect();
    rows.sort_by(|a, b| {
        for (column, down) in keys {
            let (x, y) = (seen(s, table, *column, *a), seen(s, table, *column, *b));
            let order = x.is_none().cmp(&y.is_none()).then_with(|| x.partial_cmp(&y).unwrap()).then(std::cmp::Ordering::Equal);
            let order = if *down && x.is_some() && y.is_some() { order.reverse() } else { order };
            if order.is_ne() {
                return order;
            }
        }
        a.cmp(b)
    });
    rows
}

#[test]
fn lists_are_in_the_order_that_people_see() {
    for seed in 1..=4 {
        println!("seed {seed}");
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut history = History::new(seed);
        history.begin(&store);
        let mut facts = Facts::load(&store).unwrap();
        for _ in 0..4 {
            for _ in 0..6 {
                history.step(&store);
            }
            facts.catch_up(&store).unwrap();
            let s = facts.snapshot();
            for name in ["customer", "deal", "order", "ticket", "lead"] {
                let table = s.table_index(name).unwrap();
                let object = s.model.object(name).unwrap();
                let columns: Vec<usize> = object.fields.values().filter(|f| f.facts).filter_map(|f| s.tables[table].schema.column(&f.name)).collect();
                for column in &columns {
                    for down in [false, true] {
                        let second = columns[history.chance.between(0, columns.len() as i64 - 1) as usize];
                        let name_of = |c: usize| s.tables[table].schema.columns[c].name.clone();
                        let sort = vec![format!("{}{}", if down { "-" } else { "" }, name_of(*column)), name_of(second)];
                        let whole = naive(&s, table, &[(*column, down), (second, false)], |_| true);
                        let offset = history.chance.between(0, whole.len() as i64) as usize;
                        let limit = history.chance.between(1, 12) as usize;
                        let page = list(&s, name, &ListQuery { sort: sort.clone(), offset, limit, ..ListQuery::default() }, START).unwrap();
                        let expected: Vec<u32> = whole.iter().copied().skip(offset).take(limit).collect();
                        assert_eq!((page.total, page.rows), (whole.len(), expected), "seed {seed}, {name} by {sort:?} from {offset}");
                    }
                }
            }
            // Groups add up to the list, and their sums to its sum.
            for (name, summed) in [("order", "amount"), ("deal", "amount"), ("customer", "employees")] {
                let table = s.table_index(name).unwrap();
                let source = &s.tables[table];
                let Some(sum) = source.schema.column(summed) else { continue };
                for field in s.model.object(name).unwrap().fields.values().filter(|f| f.facts) {
                    let Some(by) = source.schema.column(&field.name) else { continue };
                    let groups = northing_facts::groups::groups(&s, name, Some(Expr::parse("created_at is not null").unwrap()), &field.name, &[summed.into()], START).unwrap();
                    let created = source.schema.column("created_at").unwrap();
                    let whole = naive(&s, table, &[], |row| source.get(created, row) != NULL);
                    let mut expected: std::collections::BTreeMap<i64, (usize, Option<i128>)> = Default::default();
                    for row in whole {
                        let group = expected.entry(source.get(by, row)).or_default();
                        group.0 += 1;
                        if source.get(sum, row) != NULL {
                            *group.1.get_or_insert(0) += i128::from(source.get(sum, row));
                        }
                    }
                    assert!(groups.windows(2).all(|w| w[0].count >= w[1].count));
                    let found: std::collections::BTreeMap<i64, (usize, Option<i128>)> = groups.into_iter().map(|g| (g.value, (g.count, g.sums[0]))).collect();
                    assert_eq!(found, expected, "seed {seed}, {name} by {}", field.name);
                }
            }
            // What holds letters, whatever else is asked with it.
            let table = s.table_index("customer").unwrap();
            let column = s.tables[table].schema.column("name").unwrap();
            for part in ["a", "er", "1", "zz", " "] {
                let page = list(&s, "customer", &ListQuery { filter: Some(Expr::parse(&format!("contains(name, '{part}')")).unwrap()), sort: vec!["name".into()], limit: 1_000, ..ListQuery::default() }, START).unwrap();
                let holds = |row: u32| s.tables[table].text(column, row).is_some_and(|t| t.to_lowercase().contains(part));
                assert_eq!(page.rows, naive(&s, table, &[(column, false)], holds), "seed {seed}, '{part}'");
            }
        }
    }
}
