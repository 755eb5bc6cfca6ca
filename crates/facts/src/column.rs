//! One column of one chunk: integers, codes or bytes, or a single value for the whole chunk.
//!
//! Nulls are sentinels. Must not know what a column means.

use std::borrow::Cow;

/// Null in the integer view of any column.
pub const NULL: i64 = i64::MIN;
/// Null among codes and row numbers.
pub const NONE: u32 = u32::MAX;
const NO_BYTE: u8 = u8::MAX;

/// How a column's values are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Numbers, money in ticks, days, seconds.
    Number,
    /// Dictionary codes and row numbers of other tables.
    Code,
    /// Options of a choice, booleans, currencies.
    Byte,
}

#[derive(Debug, Clone)]
pub enum Column {
    Number(Vec<i64>),
    Code(Vec<u32>),
    Byte(Vec<u8>),
    /// Every row of the chunk holds this (most often null): costs nothing.
    Same(Width, i64, usize),
}

impl Column {
    pub fn new(width: Width) -> Self {
        Column::Same(width, NULL, 0)
    }
    pub fn len(&self) -> usize {
        match self {
            Column::Number(v) => v.len(),
            Column::Code(v) => v.len(),
            Column::Byte(v) => v.len(),
            Column::Same(_, _, n) => *n,
        }
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn get(&self, row: usize) -> i64 {
        match self {
            Column::Number(v) => v[row],
            Column::Code(v) => from_code(v[row]),
            Column::Byte(v) => from_byte(v[row]),
            Column::Same(_, value, _) => *value,
        }
    }
    pub fn set(&mut self, row: usize, value: i64) {
        if let Column::Same(_, same, _) = self {
            if *same == value {
                return;
            }
            self.widen();
        }
        match self {
            Column::Number(v) => v[row] = value,
            Column::Code(v) => v[row] = to_code(value),
            Column::Byte(v) => v[row] = to_byte(value),
            Column::Same(..) => {}
        }
    }
    pub fn push(&mut self, value: i64) {
        if let Column::Same(_, same, n) = self {
            if *same == value || *n == 0 {
                *same = value;
                *n += 1;
                return;
            }
            self.widen();
        }
        match self {
            Column::Number(v) => v.push(value),
            Column::Code(v) => v.push(to_code(value)),
            Column::Byte(v) => v.push(to_byte(value)),
            Column::Same(..) => {}
        }
    }
    /// The rows as integers: borrowed where they are kept so.
    pub fn numbers(&self, from: usize, to: usize) -> Cow<'_, [i64]> {
        match self {
            Column::Number(v) => Cow::Borrowed(&v[from..to]),
            Column::Code(v) => Cow::Owned(v[from..to].iter().map(|c| from_code(*c)).collect()),
            Column::Byte(v) => Cow::Owned(v[from..to].iter().map(|b| from_byte(*b)).collect()),
            Column::Same(_, value, _) => Cow::Owned(vec![*value; to - from]),
        }
    }
    /// The rows as codes, `NONE` for null.
    pub fn codes(&self, from: usize, to: usize) -> Cow<'_, [u32]> {
        match self {
            Column::Code(v) => Cow::Borrowed(&v[from..to]),
            Column::Byte(v) => Cow::Owned(v[from..to].iter().map(|b| if *b == NO_BYTE { NONE } else { u32::from(*b) }).collect()),
            Column::Number(v) => Cow::Owned(v[from..to].iter().map(|n| to_code(*n)).collect()),
            Column::Same(_, value, _) => Cow::Owned(vec![to_code(*value); to - from]),
        }
    }
    pub fn bytes(&self) -> usize {
        match self {
            Column::Number(v) => v.len() * 8,
            Column::Code(v) => v.len() * 4,
            Column::Byte(v) => v.len(),
            Column::Same(..) => 0,
        }
    }
    fn widen(&mut self) {
        if let Column::Same(width, value, n) = *self {
            *self = match width {
                Width::Number => Column::Number(vec![value; n]),
                Width::Code => Column::Code(vec![to_code(value); n]),
                Width::Byte => Column::Byte(vec![to_byte(value); n]),
            };
        }
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
