//! One column of one chunk: a single value for the whole chunk, or numbers as narrow as they fit.
//!
//! Nulls are sentinels. Must not know what a column means.

use std::borrow::Cow;

/// Null in the integer view of any column.
pub const NULL: i64 = i64::MIN;
/// Null among codes and row numbers.
pub const NONE: u32 = u32::MAX;
/// Null among bytes; a column that needs more than this many values is no byte column.
const NO_BYTE: u8 = u8::MAX;

/// What a column's values are, which decides how they are read most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Numbers, money in ticks, days, seconds.
    Number,
    /// Dictionary codes, row numbers of other tables, options, booleans: small and never negative.
    Code,
}

#[derive(Debug, Clone)]
pub enum Column {
    /// Every row of the chunk holds this (most often null): costs nothing.
    Same(Width, i64, usize),
    Byte(Vec<u8>),
    Code(Vec<u32>),
    /// Numbers near each other (a chunk's instants, amounts of one scale), as distances from a base.
    Near(i64, Vec<u32>),
    Number(Vec<i64>),
}

impl Column {
    pub fn new(width: Width) -> Self {
        Column::Same(width, NULL, 0)
    }
    /// For each number the edges that it has reached, null for null.
    pub fn banded(&self, edges: &[i64]) -> Column {
        let numbers = self.numbers(0, self.len());
        Column::Byte(numbers.iter().map(|n| to_byte(if *n == NULL { NULL } else { edges.partition_point(|edge| edge <= n) as i64 })).collect())
    }
    pub fn len(&self) -> usize {
        match self {
            Column::Same(_, _, n) => *n,
            Column::Byte(v) => v.len(),
            Column::Code(v) | Column::Near(_, v) => v.len(),
            Column::Number(v) => v.len(),
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Column::Same(_, value, _) => *value,
            Column::Byte(v) => from_byte(v[row]),
            Column::Code(v) => from_code(v[row]),
            Column::Near(base, v) => from_near(*base, v[row]),
            Column::Number(v) => v[row],
        }
    }
    pub fn set(&mut self, row: usize, value: i64) {
        while !self.fits(value) {
            self.widen(value);
        }
        match self {
            Column::Same(..) => {}
            Column::Byte(v) => v[row] = to_byte(value),
            Column::Code(v) => v[row] = to_code(value),
            Column::Near(base, v) => v[row] = to_near(*base, value),
            Column::Number(v) => v[row] = value,
        }
    }
    pub fn push(&mut self, value: i64) {
        if let Column::Same(_, same, 0) = self {
            *same = value;
        }
        while !self.fits(value) {
            self.widen(value);
        }
        match self {
            Column::Same(_, _, n) => *n += 1,
            Column::Byte(v) => v.push(to_byte(value)),
            Column::Code(v) => v.push(to_code(value)),
            Column::Near(base, v) => v.push(to_near(*base, value)),
            Column::Number(v) => v.push(value),
        }
    }
    /// The rows as integers: borrowed where they are kept so.
    pub fn numbers(&self, from: usize, to: usize) -> Cow<'_, [i64]> {
        match self {
            Column::Same(_, value, _) => Cow::Owned(vec![*value; to - from]),
            Column::Byte(v) => Cow::Owned(v[from..to].iter().map(|b| from_byte(*b)).collect()),
            Column::Code(v) => Cow::Owned(v[from..to].iter().map(|c| from_code(*c)).collect()),
            Column::Near(base, v) => Cow::Owned(v[from..to].iter().map(|d| from_near(*base, *d)).collect()),
            Column::Number(v) => Cow::Borrowed(&v[from..to]),
        }
    }
    /// The rows as codes, `NONE` for null.
    pub fn codes(&self, from: usize, to: usize) -> Cow<'_, [u32]> {
        match self {
            Column::Same(_, value, _) => Cow::Owned(vec![to_code(*value); to - from]),
            Column::Byte(v) => Cow::Owned(v[from..to].iter().map(|b| if *b == NO_BYTE { NONE } else { u32::from(*b) }).collect()),
            Column::Code(v) => Cow::Borrowed(&v[from..to]),
            Column::Near(base, v) => Cow::Owned(v[from..to].iter().map(|d| to_code(from_near(*base, *d))).collect()),
            Column::Number(v) => Cow::Owned(v[from..to].iter().map(|n| to_code(*n)).collect()),
        }
    }
    /// Writes, for each row, one of two bytes: is it null?
    pub fn nulls(&self, from: usize, to: usize, null: u8, given: u8) -> Vec<u8> {
        let pick = |is_null: bool| if is_null { null } else { given };
        match self {
            Column::Same(_, value, _) => vec![pick(*value == NULL); to - from],
            Column::Byte(v) => v[from..to].iter().map(|b| pick(*b == NO_BYTE)).collect(),
            Column::Code(v) | Column::Near(_, v) => v[from..to].iter().map(|c| pick(*c == NONE)).collect(),
            Column::Number(v) => v[from..to].iter().map(|n| pick(*n == NULL)).collect(),
        }
    }
    /// Smallest and largest value, nulls aside; (1, 0) when all are null. Codes have no order: everything.
    pub fn range(&self) -> (i64, i64) {
        match self {
            Column::Same(_, NULL, _) | Column::Same(_, _, 0) => (1, 0),
            Column::Same(_, v, _) => (*v, *v),
            Column::Byte(_) | Column::Code(_) => (i64::MIN, i64::MAX),
            Column::Near(base, v) => {
                // The null mark is the largest; one more than it wraps to the smallest.
                let low = v.iter().copied().min().unwrap_or(NONE);
                let high = v.iter().map(|d| d.wrapping_add(1)).max().unwrap_or(0);
                if high == 0 { (1, 0) } else { (base + i64::from(low), base + i64::from(high - 1)) }
            }
            Column::Number(v) => {
                let low = v.iter().map(|n| if *n == NULL { i64::MAX } else { *n }).min().unwrap_or(i64::MAX);
                let high = v.iter().copied().max().unwrap_or(NULL);
                if low > high { (1, 0) } else { (low, high) }
            }
        }
    }
    /// Numbers that fit into distances from their smallest are kept so.
    pub fn narrow(&mut self) {
        let Column::Number(v) = self else { return };
        let (low, high) = match v.iter().copied().filter(|n| *n != NULL).fold((i64::MAX, i64::MIN), |(l, h), n| (l.min(n), h.max(n))) {
            (low, high) if low <= high => (low, high),
            _ => (0, 0),
        };
        if high.checked_sub(low).is_some_and(|d| d < i64::from(NONE) - 1) {
            *self = Column::Near(low, v.iter().map(|n| to_near(low, *n)).collect());
        }
    }
    pub fn bytes(&self) -> usize {
        match self {
            Column::Same(..) => 0,
            Column::Byte(v) => v.len(),
            Column::Code(v) | Column::Near(_, v) => v.len() * 4,
            Column::Number(v) => v.len() * 8,
        }
    }
    fn fits(&self, value: i64) -> bool {
        match self {
            Column::Same(_, same, _) => *same == value,
            Column::Byte(_) => value == NULL || (0..i64::from(NO_BYTE)).contains(&value),
            Column::Near(base, _) => value == NULL || value.checked_sub(*base).is_some_and(|d| (0..i64::from(NONE)).contains(&d)),
            Column::Code(_) | Column::Number(_) => true,
        }
    }
    fn widen(&mut self, value: i64) {
        let n = self.len();
        *self = match &*self {
            Column::Same(Width::Number, same, _) => Column::Number(vec![*same; n]),
            Column::Same(Width::Code, same, _) if Column::Byte(Vec::new()).fits(*same) && Column::Byte(Vec::new()).fits(value) => Column::Byte(vec![to_byte(*same); n]),
            Column::Same(Width::Code, same, _) => Column::Code(vec![to_code(*same); n]),
            Column::Byte(_) => Column::Code(self.codes(0, n).into_owned()),
            _ => Column::Number(self.numbers(0, n).into_owned()),
        };
    }
}

fn from_code(code: u32) -> i64 {
    if code == NONE { NULL } else { i64::from(code) }
}
fn to_code(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(NONE)
}
fn from_byte(byte: u8) -> i64 {
    if byte == NO_BYTE { NULL } else { i64::from(byte) }
}
fn to_byte(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(NO_BYTE)
}
fn from_near(base: i64, distance: u32) -> i64 {
    if distance == NONE { NULL } else { base.wrapping_add(i64::from(distance)) }
}
fn to_near(base: i64, value: i64) -> u32 {
    if value == NULL { NONE } else { value.wrapping_sub(base) as u32 }
}
