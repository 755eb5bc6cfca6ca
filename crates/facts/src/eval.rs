//! Expressions on columns: bound to a table of a snapshot once, then evaluated block by block.
//!
//! A truth value is two bits, "is true" and "is false"; neither is unknown. Must give the same answers as
//! `northing_model::expr` gives on single records (`cases/filters`).

use crate::column::{Column, NONE, NULL};
use crate::snapshot::Snapshot;
use crate::search::Form;
use crate::table::{CHUNK, ColumnMeta, Table};
use northing_model::expr::{Expr, Literal, Op, clock_literal};
use northing_model::money::parse_fixed;
use northing_model::{FieldType, Physical, Value};
use rayon::prelude::*;
use std::borrow::Cow;

pub const TRUE: u8 = 1;
pub const FALSE: u8 = 2;

/// A column reached over references: first columns of row numbers, then the one wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    /// (table that holds it, column) for each step; the last is the value.
    pub steps: Vec<(usize, usize)>,
    /// The row itself is wanted (`customer.id`), not a column of it.
    pub row_itself: bool,
    pub kind: FieldType,
    /// The table that a reference at the end points to.
    pub target: Option<usize>,
}

#[derive(Debug, Clone)]
pub enum Node {
    Number(Path),
    Constant(i64),
    /// The rows whose code is in the set are true; unknown where null.
    /// What is true of each code.
    Codes(Path, Vec<u8>),
    Compare(Op, Box<Node>, Box<Node>),
    Arithmetic(Op, Box<Node>, Box<Node>),
    OneOf(Box<Node>, Vec<i64>),
    IsNull(Box<Node>),
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    /// A column of truth values.
    Truth(Path),
    Known(u8),
}

impl Path {
    pub fn resolve(snapshot: &Snapshot, table: usize, path: &[String]) -> Result<Path, String> {
        let mut steps = Vec::new();
        let mut at = table;
        for (i, name) in path.iter().enumerate() {
            let last = i + 1 == path.len();
            if last && name == "id" {
                return Ok(Path { steps, row_itself: true, kind: FieldType::Ref, target: Some(at) });
            }
            let schema = &snapshot.tables[at].schema;
            let column = schema.column(name).ok_or_else(|| format!("{} has no field '{name}'", schema.name))?;
            steps.push((at, column));
            let meta = &schema.columns[column];
            if last {
                return Ok(Path { steps, row_itself: false, kind: meta.kind, target: meta.target });
            }
            at = meta.target.ok_or_else(|| format!("'{name}' of {} is not a reference", schema.name))?;
        }
        Err("an empty path".into())
    }

    /// Row numbers of the record that the last step belongs to, for rows of a chunk.
    fn rows(&self, snapshot: &Snapshot, table: usize, chunk: usize, from: usize, to: usize, hops: usize) -> Vec<u32> {
        if hops == 0 {
            let first = (chunk * CHUNK + from) as u32;
            return (first..first + (to - from) as u32).collect();
        }
        let (_, column) = self.steps[0];
        let mut rows = snapshot.tables[table].chunks[chunk].columns[column].codes(from, to).into_owned();
        for (at, column) in &self.steps[1..hops] {
            let table = &snapshot.tables[*at];
            for row in &mut rows {
                if *row != NONE {
                    *row = u32::try_from(table.get(*column, *row)).unwrap_or(NONE);
                }
            }
        }
        rows
    }

    /// The column of a chunk, where the path is one of the table's own.
    pub fn column<'a>(&self, snapshot: &'a Snapshot, table: usize, chunk: usize) -> Option<&'a Column> {
        match (&self.steps[..], self.row_itself) {
            ([(_, column)], false) => Some(&snapshot.tables[table].chunks[chunk].columns[*column]),
            _ => None,
        }
    }

    pub fn numbers<'a>(&self, snapshot: &'a Snapshot, table: usize, chunk: usize, from: usize, to: usize) -> Cow<'a, [i64]> {
        if self.row_itself {
            let rows = self.rows(snapshot, table, chunk, from, to, self.steps.len());
            return Cow::Owned(rows.into_iter().map(|r| if r == NONE { NULL } else { i64::from(r) }).collect());
        }
        if let [(_, column)] = self.steps[..] {
            return snapshot.tables[table].chunks[chunk].columns[column].numbers(from, to);
        }
        let rows = self.rows(snapshot, table, chunk, from, to, self.steps.len() - 1);
        let Some((at, column)) = self.steps.last() else { return Cow::Owned(Vec::new()) };
        Cow::Owned(gather(&snapshot.tables[*at], *column, &rows))
    }

    /// Codes or row numbers, `NONE` for null.
    pub fn codes<'a>(&self, snapshot: &'a Snapshot, table: usize, chunk: usize, from: usize, to: usize) -> Cow<'a, [u32]> {
        if self.row_itself {
            return Cow::Owned(self.rows(snapshot, table, chunk, from, to, self.steps.len()));
        }
        if let [(_, column)] = self.steps[..] {
            return snapshot.tables[table].chunks[chunk].columns[column].codes(from, to);
        }
        let rows = self.rows(snapshot, table, chunk, from, to, self.steps.len() - 1);
        let Some((at, column)) = self.steps.last() else { return Cow::Owned(Vec::new()) };
        let source = &snapshot.tables[*at];
        let mut codes = Vec::with_capacity(rows.len());
        for row in rows {
            codes.push(if row == NONE { NONE } else { u32::try_from(source.get(*column, row)).unwrap_or(NONE) });
        }
        Cow::Owned(codes)
    }

    /// The code of one row, `NONE` for null.
    pub fn code(&self, snapshot: &Snapshot, table: usize, row: u32) -> u32 {
        let (chunk, i) = (row as usize / CHUNK, row as usize % CHUNK);
        self.codes(snapshot, table, chunk, i, i + 1)[0]
    }

    /// The number of one row, `NULL` for null.
    pub fn number(&self, snapshot: &Snapshot, table: usize, row: u32) -> i64 {
        let (chunk, i) = (row as usize / CHUNK, row as usize % CHUNK);
        self.numbers(snapshot, table, chunk, i, i + 1)[0]
    }

    /// How many codes the column may hold.
    pub fn cardinality(&self, snapshot: &Snapshot) -> usize {
        if let Some(target) = self.target {
            return snapshot.tables[target].len as usize;
        }
        let Some((at, column)) = self.steps.last() else { return 0 };
        let meta = &snapshot.tables[*at].schema.columns[*column];
        match (&meta.dict, meta.kind) {
            (Some(dict), _) => dict.len(),
            (None, FieldType::Bool) => 2,
            // A money column's currency code.
            (None, FieldType::Percent) => usize::from(u8::MAX),
            _ => meta.options.len(),
        }
    }
}

fn gather(table: &Table, column: usize, rows: &[u32]) -> Vec<i64> {
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        values.push(if *row == NONE { NULL } else { table.get(column, *row) });
    }
    values
}

/// Binds a checked expression to a table of a snapshot.
pub fn bind(snapshot: &Snapshot, table: usize, expr: &Expr, now: i64) -> Result<Node, String> {
    let go = |e: &Expr| bind(snapshot, table, e, now).map(Box::new);
    Ok(match expr {
        Expr::And(a, b) => Node::And(go(a)?, go(b)?),
        Expr::Or(a, b) => Node::Or(go(a)?, go(b)?),
        Expr::Not(a) => Node::Not(go(a)?),
        Expr::Now => Node::Constant(now),
        Expr::Setting(name) => Node::Constant(snapshot.settings.number(name).ok_or_else(|| format!("there is no setting '{name}'"))?),
        Expr::Literal(Literal::Bool(b)) => Node::Known(if *b { TRUE } else { FALSE }),
        Expr::Literal(Literal::Null) => Node::Known(0),
        Expr::Literal(Literal::Number(n)) => Node::Constant(parse_fixed(n, 0).map_err(|_| format!("'{n}' is not a whole number"))?),
        Expr::Literal(Literal::Text(t)) => return Err(format!("the text '{t}' stands alone")),
        Expr::Path(path) => {
            let path = Path::resolve(snapshot, table, path)?;
            if path.kind == FieldType::Bool { Node::Truth(path) } else { Node::Number(path) }
        }
        Expr::IsNull(a) => match &**a {
            Expr::Path(path) => Node::IsNull(Box::new(Node::Number(Path::resolve(snapshot, table, path)?))),
            other => Node::IsNull(go(other)?),
        },
        Expr::Contains(a, text) => match &**a {
            Expr::Path(path) => {
                let path = Path::resolve(snapshot, table, path)?;
                let set = holding(snapshot, &path, text)?;
                Node::Codes(path, set)
            }
            _ => return Err("contains() needs a field".into()),
        },
        Expr::In(a, list) => {
            if let Expr::Path(path) = &**a {
                let path = Path::resolve(snapshot, table, path)?;
                if is_text(&path) {
                    let texts: Vec<&str> = list.iter().filter_map(|l| if let Literal::Text(t) = l { Some(t.as_str()) } else { None }).collect();
                    let set = text_set(snapshot, &path, |t| texts.contains(&t))?;
                    return Ok(Node::Codes(path, set));
                }
                let values: Result<Vec<i64>, String> = list.iter().map(|l| constant(snapshot, &path, l)).collect();
                let values = values?.into_iter().filter(|v| *v != NULL).collect();
                return Ok(Node::OneOf(Box::new(Node::Number(path)), values));
            }
            return Err("'in' needs a field on its left".into());
        }
        Expr::Binary(op @ (Op::Add | Op::Sub | Op::Mul), a, b) => Node::Arithmetic(*op, number(snapshot, table, a, now)?, number(snapshot, table, b, now)?),
        Expr::Binary(op, a, b) => match (&**a, &**b) {
            (Expr::Path(path), Expr::Literal(l)) => compare(snapshot, table, *op, path, l)?,
            (Expr::Literal(l), Expr::Path(path)) => compare(snapshot, table, mirrored(*op), path, l)?,
            _ => Node::Compare(*op, number(snapshot, table, a, now)?, number(snapshot, table, b, now)?),
        },
    })
}

fn number(snapshot: &Snapshot, table: usize, e: &Expr, now: i64) -> Result<Box<Node>, String> {
    match e {
        Expr::Path(path) => Ok(Box::new(Node::Number(Path::resolve(snapshot, table, path)?))),
        other => bind(snapshot, table, other, now).map(Box::new),
    }
}

fn mirrored(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        same => same,
    }
}

fn is_text(path: &Path) -> bool {
    path.kind.physical() == Physical::Text
}

fn compare(snapshot: &Snapshot, table: usize, op: Op, path: &[String], literal: &Literal) -> Result<Node, String> {
    let path = Path::resolve(snapshot, table, path)?;
    if *literal == Literal::Null {
        return Ok(Node::Known(0));
    }
    if is_text(&path) {
        let Literal::Text(text) = literal else { return Err(format!("cannot compare a text with {literal:?}")) };
        let test = |t: &str| match op {
            Op::Eq => t == text,
            Op::Ne => t != text,
            Op::Lt => t < text.as_str(),
            Op::Le => t <= text.as_str(),
            Op::Gt => t > text.as_str(),
            _ => t >= text.as_str(),
        };
        let set = match op {
            Op::Eq | Op::Ne => one_text(snapshot, &path, text, op == Op::Eq)?,
            _ => text_set(snapshot, &path, test)?,
        };
        return Ok(Node::Codes(path, set));
    }
    let value = constant(snapshot, &path, literal)?;
    if value == NULL {
        // An id that no record has: unlike every value there is, unknown where there is none.
        let itself = Box::new(Node::Number(path));
        let given = Node::Compare(Op::Eq, itself.clone(), itself);
        return Ok(if op == Op::Ne { given } else { Node::Not(Box::new(given)) });
    }
    Ok(Node::Compare(op, Box::new(Node::Number(path)), Box::new(Node::Constant(value))))
}

/// A literal as the column holds such values; `NULL` for an id that no record has.
fn constant(snapshot: &Snapshot, path: &Path, literal: &Literal) -> Result<i64, String> {
    let text = match literal {
        Literal::Bool(b) => return Ok(i64::from(*b)),
        Literal::Null => return Ok(NULL),
        Literal::Number(n) | Literal::Text(n) => n.as_str(),
    };
    let bad = || format!("'{text}' does not fit the field");
    match path.kind.physical() {
        Physical::Int | Physical::Bool => parse_fixed(text, 0).map_err(|_| bad()),
        Physical::Decimal => parse_fixed(text, 6).map_err(|_| bad()),
        Physical::Money => parse_fixed(text, 4).map_err(|_| bad()),
        Physical::Date => match clock_literal(text) {
            Value::Date(day) => Ok(i64::from(day)),
            Value::Time(t) => Ok(i64::from(snapshot.settings.zone.day(t))),
            _ => Err(bad()),
        },
        Physical::Time => match clock_literal(text) {
            Value::Date(day) => Ok(snapshot.settings.zone.midnight(day)),
            Value::Time(t) => Ok(t),
            _ => parse_fixed(text, 0).map_err(|_| bad()),
        },
        Physical::Ref => {
            let id = uuid::Uuid::parse_str(text).map_err(|_| bad())?;
            Ok(path.target.and_then(|t| snapshot.row_of(t, id)).map_or(NULL, i64::from))
        }
        Physical::Text | Physical::List => Err(bad()),
    }
}

fn verdict(fits: bool) -> u8 {
    if fits { TRUE } else { FALSE }
}

fn meta<'a>(snapshot: &'a Snapshot, path: &Path) -> Result<&'a ColumnMeta, String> {
    let (at, column) = path.steps.last().ok_or("not a text")?;
    Ok(&snapshot.tables[*at].schema.columns[*column])
}

/// What a test says of each text of a column.
fn text_set(snapshot: &Snapshot, path: &Path, test: impl Fn(&str) -> bool + Sync) -> Result<Vec<u8>, String> {
    let meta = meta(snapshot, path)?;
    Ok(match &meta.dict {
        Some(dict) => dict.all().par_iter().with_min_len(4_096).map(|t| verdict(test(t))).collect(),
        None => meta.options.iter().map(|t| verdict(test(t))).collect(),
    })
}

/// Which texts are this one, or any other; a look-up, as a column may hold a million.
fn one_text(snapshot: &Snapshot, path: &Path, text: &str, same: bool) -> Result<Vec<u8>, String> {
    let Some(dict) = &meta(snapshot, path)?.dict else { return text_set(snapshot, path, |t| (t == text) == same) };
    let mut set = vec![verdict(!same); dict.len()];
    if let Some(one) = dict.code(text).and_then(|code| set.get_mut(code as usize)) {
        *one = verdict(same);
    }
    Ok(set)
}

/// Which texts hold others, given in small letters.
fn holding(snapshot: &Snapshot, path: &Path, text: &str) -> Result<Vec<u8>, String> {
    let test = |t: &str| t.to_lowercase().contains(text);
    let Some(dict) = &meta(snapshot, path)?.dict else { return text_set(snapshot, path, test) };
    if text.is_empty() || text.contains('\n') {
        return text_set(snapshot, path, test);
    }
    let laid = dict.laid(Form::Lower);
    let mut set = vec![FALSE; laid.len()];
    laid.holding(text, |code| set[code] = TRUE);
    Ok(set)
}

impl Node {
    /// Truth of each row: `TRUE`, `FALSE` or 0 for unknown.
    pub fn truth(&self, s: &Snapshot, table: usize, chunk: usize, from: usize, to: usize) -> Vec<u8> {
        let n = to - from;
        match self {
            Node::Known(t) => vec![*t; n],
            Node::Codes(path, set) => {
                if let Some(Column::Byte(bytes)) = path.column(s, table, chunk) {
                    // Few codes: one look-up a row, null last.
                    let mut by_byte = [FALSE; 256];
                    by_byte[..set.len().min(255)].copy_from_slice(&set[..set.len().min(255)]);
                    by_byte[255] = 0;
                    return bytes[from..to].iter().map(|b| by_byte[*b as usize]).collect();
                }
                path.codes(s, table, chunk, from, to).iter().map(|c| set.get(*c as usize).copied().unwrap_or(if *c == NONE { 0 } else { FALSE })).collect()
            }
            Node::Truth(path) => {
                if let Some(Column::Byte(bytes)) = path.column(s, table, chunk) {
                    return bytes[from..to].iter().map(|b| match b { 0 => FALSE, 1 => TRUE, _ => 0 }).collect();
                }
                path.numbers(s, table, chunk, from, to).iter().map(|v| match *v { 0 => FALSE, NULL => 0, _ => TRUE }).collect()
            }
            Node::Not(a) => {
                let mut t = a.truth(s, table, chunk, from, to);
                t.iter_mut().for_each(|x| *x = ((*x & 1) << 1) | (*x >> 1));
                t
            }
            Node::And(a, b) => {
                let mut x = a.truth(s, table, chunk, from, to);
                let y = b.truth(s, table, chunk, from, to);
                x.iter_mut().zip(y).for_each(|(x, y)| *x = (*x & y & TRUE) | ((*x | y) & FALSE));
                x
            }
            Node::Or(a, b) => {
                let mut x = a.truth(s, table, chunk, from, to);
                let y = b.truth(s, table, chunk, from, to);
                x.iter_mut().zip(y).for_each(|(x, y)| *x = ((*x | y) & TRUE) | (*x & y & FALSE));
                x
            }
            Node::IsNull(a) => {
                if let Node::Number(path) = &**a {
                    if let Some(column) = path.column(s, table, chunk) {
                        return column.nulls(from, to, TRUE, FALSE);
                    }
                }
                a.numbers(s, table, chunk, from, to).iter().map(|v| if *v == NULL { TRUE } else { FALSE }).collect()
            }
            Node::OneOf(a, list) => a
                .numbers(s, table, chunk, from, to)
                .iter()
                .map(|v| if *v == NULL { 0 } else if list.contains(v) { TRUE } else { FALSE })
                .collect(),
            Node::Compare(op, a, b) => {
                let x = a.numbers(s, table, chunk, from, to);
                if let Node::Constant(c) = **b {
                    return match op {
                        Op::Eq => against(&x, |v| v == c),
                        Op::Ne => against(&x, |v| v != c),
                        Op::Lt => against(&x, |v| v < c),
                        Op::Le => against(&x, |v| v <= c),
                        Op::Gt => against(&x, |v| v > c),
                        _ => against(&x, |v| v >= c),
                    };
                }
                let y = b.numbers(s, table, chunk, from, to);
                x.iter()
                    .zip(y.iter())
                    .map(|(x, y)| {
                        if *x == NULL || *y == NULL {
                            return 0;
                        }
                        let yes = match op {
                            Op::Eq => x == y,
                            Op::Ne => x != y,
                            Op::Lt => x < y,
                            Op::Le => x <= y,
                            Op::Gt => x > y,
                            _ => x >= y,
                        };
                        if yes { TRUE } else { FALSE }
                    })
                    .collect()
            }
            Node::Number(_) | Node::Constant(_) | Node::Arithmetic(..) => self
                .numbers(s, table, chunk, from, to)
                .iter()
                .map(|v| match *v { 0 => FALSE, NULL => 0, _ => TRUE })
                .collect(),
        }
    }

    /// Is it true of one row?
    pub fn holds(&self, s: &Snapshot, table: usize, row: u32) -> bool {
        let (chunk, i) = (row as usize / CHUNK, row as usize % CHUNK);
        self.truth(s, table, chunk, i, i + 1)[0] & TRUE != 0
    }

    pub fn numbers<'a>(&self, s: &'a Snapshot, table: usize, chunk: usize, from: usize, to: usize) -> Cow<'a, [i64]> {
        match self {
            Node::Number(path) | Node::Truth(path) => path.numbers(s, table, chunk, from, to),
            Node::Constant(c) => Cow::Owned(vec![*c; to - from]),
            Node::Arithmetic(op, a, b) => {
                let mut x = a.numbers(s, table, chunk, from, to).into_owned();
                let y = b.numbers(s, table, chunk, from, to);
                for (x, y) in x.iter_mut().zip(y.iter()) {
                    let result = match op {
                        _ if *x == NULL || *y == NULL => None,
                        Op::Add => x.checked_add(*y),
                        Op::Sub => x.checked_sub(*y),
                        _ => x.checked_mul(*y),
                    };
                    *x = result.unwrap_or(NULL);
                }
                Cow::Owned(x)
            }
            other => {
                let truth = other.truth(s, table, chunk, from, to);
                Cow::Owned(truth.into_iter().map(|t| match t { TRUE => 1, FALSE => 0, _ => NULL }).collect())
            }
        }
    }
}

fn against(values: &[i64], test: impl Fn(i64) -> bool) -> Vec<u8> {
    values.iter().map(|v| if *v == NULL { 0 } else if test(*v) { TRUE } else { FALSE }).collect()
}
