//! The one expression language: a checked subset of SQL conditions, as a tree.
//!
//! It serves list filters, segments, permissions, metric filters and metric values. This module parses,
//! checks and evaluates on a single record; `facts` evaluates the same tree on columns, and `cases/filters`
//! must give the same answer both ways. Nulls follow SQL: a comparison with null is unknown, and only rows
//! for which the condition is true are kept.

use crate::field::{FieldType, Physical};
use crate::object::Model;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use sqlparser::ast::{self, BinaryOperator as B, Expr as Sql, UnaryOperator};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use std::cell::Cell;
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Mul,
}

/// An expression over the fields of an object; paths follow references (`stage.kind`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Expr {
    Literal(Literal),
    Path(Vec<String>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Vec<Literal>),
    IsNull(Box<Expr>),
    /// The text holds the other text, without regard to case.
    Contains(Box<Expr>, String),
    /// The question's clock, in UTC seconds.
    Now,
    /// A workspace setting in its own unit.
    Setting(String),
}

/// What an expression yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Bool,
    Number,
    Decimal,
    Money,
    Text,
    Date,
    Time,
    Ref,
    Null,
}

impl From<FieldType> for Type {
    fn from(kind: FieldType) -> Self {
        match kind.physical() {
            Physical::Bool => Type::Bool,
            Physical::Int => Type::Number,
            Physical::Decimal => Type::Decimal,
            Physical::Money => Type::Money,
            Physical::Text | Physical::List => Type::Text,
            Physical::Date => Type::Date,
            Physical::Time => Type::Time,
            Physical::Ref => Type::Ref,
        }
    }
}

const MAX_LENGTH: usize = 10_000;
const MAX_DEPTH: usize = 60;

impl Expr {
    /// Reads a condition such as `outcome = 'won' and owner.team is not null`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("the expression is longer than {MAX_LENGTH} characters"));
        }
        let dialect = GenericDialect {};
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(MAX_DEPTH)
            .try_with_sql(text)
            .map_err(|e| format!("cannot read '{text}': {e}"))?;
        let sql = parser.parse_expr().map_err(|e| format!("cannot read '{text}': {e}"))?;
        let rest = parser.peek_token();
        if rest.token != sqlparser::tokenizer::Token::EOF {
            return Err(format!("cannot read '{text}': unexpected '{}'", rest.token));
        }
        // What stands between two values is looked at twice: the tree may be larger than its text, but not by much.
        lower(&sql, 0, &Cell::new(4 * text.len() + 64))
    }

    pub fn and(self, other: Expr) -> Expr {
        Expr::And(Box::new(self), Box::new(other))
    }

    /// Every path in the expression.
    pub fn paths(&self) -> Vec<&Vec<String>> {
        let mut found = Vec::new();
        self.visit(&mut |e| {
            if let Expr::Path(path) = e {
                found.push(path);
            }
        });
        found
    }

    /// The same expression with every path replaced.
    pub fn map_paths(&self, change: &mut impl FnMut(&[String]) -> Result<Vec<String>, String>) -> Result<Expr, String> {
        let mut go = |e: &Expr| e.map_paths(change).map(Box::new);
        Ok(match self {
            Expr::Path(path) => Expr::Path(change(path)?),
            Expr::Not(a) => Expr::Not(go(a)?),
            Expr::And(a, b) => Expr::And(go(a)?, go(b)?),
            Expr::Or(a, b) => Expr::Or(go(a)?, go(b)?),
            Expr::Binary(op, a, b) => Expr::Binary(*op, go(a)?, go(b)?),
            Expr::In(a, list) => Expr::In(go(a)?, list.clone()),
            Expr::IsNull(a) => Expr::IsNull(go(a)?),
            Expr::Contains(a, text) => Expr::Contains(go(a)?, text.clone()),
            Expr::Literal(_) | Expr::Now | Expr::Setting(_) => self.clone(),
        })
    }

    fn visit<'a>(&'a self, f: &mut impl FnMut(&'a Expr)) {
        f(self);
        match self {
            Expr::Not(a) | Expr::In(a, _) | Expr::IsNull(a) | Expr::Contains(a, _) => a.visit(f),
            Expr::And(a, b) | Expr::Or(a, b) | Expr::Binary(_, a, b) => {
                a.visit(f);
                b.visit(f);
            }
            Expr::Literal(_) | Expr::Path(_) | Expr::Now | Expr::Setting(_) => {}
        }
    }

    /// Checks paths and types against an object; the type that it yields.
    pub fn check(&self, model: &Model, object: &str) -> Result<Type, String> {
        let same = |a: Type, b: Type, lit: Option<&Literal>| -> Result<(), String> {
            let numeric = |t| matches!(t, Type::Number | Type::Decimal | Type::Money);
            let clock = |t| matches!(t, Type::Date | Type::Time);
            let fine = a == b
                || a == Type::Null
                || b == Type::Null
                || (numeric(a) && numeric(b))
                || (clock(a) && clock(b))
                || (matches!(a, Type::Time) && matches!(b, Type::Number))
                || (clock(a) && lit.is_some_and(is_clock_text))
                || (a == Type::Ref && lit.is_some_and(is_id_text))
                || (numeric(a) && lit.is_some_and(|l| matches!(l, Literal::Text(t) if t.parse::<f64>().is_ok())));
            if fine { Ok(()) } else { Err(format!("cannot compare {a:?} with {}", lit.map_or(format!("{b:?}"), |l| format!("{l:?}")))) }
        };
        match self {
            Expr::Literal(l) => Ok(literal_type(l)),
            Expr::Path(path) => path_type(model, object, path).map(|(t, _)| t),
            Expr::Now => Ok(Type::Time),
            Expr::Setting(_) => Ok(Type::Number),
            Expr::Not(a) => boolean(a, model, object),
            Expr::And(a, b) | Expr::Or(a, b) => boolean(a, model, object).and_then(|_| boolean(b, model, object)),
            Expr::IsNull(a) => a.check(model, object).map(|_| Type::Bool),
            Expr::Contains(a, _) => match a.check(model, object)? {
                Type::Text => Ok(Type::Bool),
                other => Err(format!("contains() works on text, not {other:?}")),
            },
            Expr::In(a, list) => {
                let t = a.check(model, object)?;
                for l in list {
                    same(t, literal_type(l), Some(l))?;
                }
                Ok(Type::Bool)
            }
            Expr::Binary(op, a, b) => {
                let (ta, tb) = (a.check(model, object)?, b.check(model, object)?);
                let lit = if let Expr::Literal(l) = &**b { Some(l) } else { None };
                let lit_a = if let Expr::Literal(l) = &**a { Some(l) } else { None };
                match op {
                    Op::Add | Op::Sub | Op::Mul => {
                        let numeric = |t| matches!(t, Type::Number | Type::Decimal | Type::Money | Type::Time | Type::Null);
                        if !numeric(ta) || !numeric(tb) {
                            return Err(format!("cannot compute with {ta:?} and {tb:?}"));
                        }
                        Ok(if ta == Type::Number { tb } else { ta })
                    }
                    _ => {
                        same(ta, tb, lit).or_else(|e| same(tb, ta, lit_a).map_err(|_| e))?;
                        Ok(Type::Bool)
                    }
                }
            }
        }
    }
}

fn boolean(e: &Expr, model: &Model, object: &str) -> Result<Type, String> {
    match e.check(model, object)? {
        Type::Bool | Type::Null => Ok(Type::Bool),
        other => Err(format!("expected a condition, found {other:?}")),
    }
}

/// Type and final field of a path, e.g. `stage.kind` on deal.
pub fn path_type(model: &Model, object: &str, path: &[String]) -> Result<(Type, FieldType), String> {
    let mut at = model.object(object).ok_or_else(|| format!("there is no object '{object}'"))?;
    for (i, step) in path.iter().enumerate() {
        if step == "id" && i + 1 == path.len() {
            return Ok((Type::Ref, FieldType::Ref));
        }
        let field = at.field(step).filter(|f| f.facts || i + 1 < path.len()).ok_or_else(|| format!("{} has no field '{step}'", at.name))?;
        if i + 1 == path.len() {
            return Ok((field.kind.into(), field.kind));
        }
        let to = field.to.as_deref().filter(|_| field.kind == FieldType::Ref);
        let to = to.ok_or_else(|| format!("'{step}' of {} is not a reference, so '{}' does not follow", at.name, path[i + 1]))?;
        at = model.object(to).ok_or_else(|| format!("there is no object '{to}'"))?;
    }
    Err("an empty path".into())
}

fn literal_type(l: &Literal) -> Type {
    match l {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Number(_) => Type::Number,
        Literal::Text(_) => Type::Text,
    }
}
fn is_clock_text(l: &Literal) -> bool {
    matches!(l, Literal::Text(t) if crate::value::parse_date(t).is_some() || crate::value::parse_instant(t).is_some())
}
fn is_id_text(l: &Literal) -> bool {
    matches!(l, Literal::Text(t) if uuid::Uuid::parse_str(t).is_ok())
}

fn lower(sql: &Sql, depth: usize, nodes: &Cell<usize>) -> Result<Expr, String> {
    if depth > MAX_DEPTH || nodes.get() == 0 {
        return Err("the expression is nested too deeply".into());
    }
    nodes.set(nodes.get() - 1);
    let go = |e: &Sql| lower(e, depth + 1, nodes).map(Box::new);
    Ok(match sql {
        Sql::Nested(inner) => lower(inner, depth + 1, nodes)?,
        Sql::Identifier(ident) => Expr::Path(vec![ident.value.clone()]),
        Sql::CompoundIdentifier(parts) => Expr::Path(parts.iter().map(|p| p.value.clone()).collect()),
        Sql::Value(v) => Expr::Literal(literal(&v.value)?),
        Sql::UnaryOp { op: UnaryOperator::Not, expr } => Expr::Not(go(expr)?),
        Sql::UnaryOp { op: UnaryOperator::Minus, expr } => match lower(expr, depth + 1, nodes)? {
            Expr::Literal(Literal::Number(n)) => Expr::Literal(Literal::Number(format!("-{n}"))),
            other => Expr::Binary(Op::Sub, Box::new(Expr::Literal(Literal::Number("0".into()))), Box::new(other)),
        },
        Sql::BinaryOp { left, op, right } => {
            let op = match op {
                B::And => return Ok(Expr::And(go(left)?, go(right)?)),
                B::Or => return Ok(Expr::Or(go(left)?, go(right)?)),
                B::Eq => Op::Eq,
                B::NotEq => Op::Ne,
                B::Lt => Op::Lt,
                B::LtEq => Op::Le,
                B::Gt => Op::Gt,
                B::GtEq => Op::Ge,
                B::Plus => Op::Add,
                B::Minus => Op::Sub,
                B::Multiply => Op::Mul,
                other => return Err(format!("the operator '{other}' is not part of the expression language")),
            };
            Expr::Binary(op, go(left)?, go(right)?)
        }
        Sql::IsNull(e) => Expr::IsNull(go(e)?),
        Sql::IsNotNull(e) => Expr::Not(Box::new(Expr::IsNull(go(e)?))),
        Sql::InList { expr, list, negated } => {
            let items: Result<Vec<Literal>, String> = list
                .iter()
                .map(|e| match lower(e, depth + 1, nodes)? {
                    Expr::Literal(l) => Ok(l),
                    _ => Err("only plain values may stand in a list after 'in'".to_string()),
                })
                .collect();
            let inside = Expr::In(go(expr)?, items?);
            if *negated { Expr::Not(Box::new(inside)) } else { inside }
        }
        Sql::Between { expr, negated, low, high } => {
            let inside = Expr::And(
                Box::new(Expr::Binary(Op::Ge, go(expr)?, go(low)?)),
                Box::new(Expr::Binary(Op::Le, go(expr)?, go(high)?)),
            );
            if *negated { Expr::Not(Box::new(inside)) } else { inside }
        }
        Sql::Function(call) => function(call, depth, nodes)?,
        other => return Err(format!("'{other}' is not part of the expression language")),
    })
}

fn function(call: &ast::Function, depth: usize, nodes: &Cell<usize>) -> Result<Expr, String> {
    let name = call.name.to_string().to_ascii_lowercase();
    // SQL has words like `user` that are functions without parentheses; here they are fields.
    if matches!(call.args, ast::FunctionArguments::None) {
        return Ok(Expr::Path(vec![name]));
    }
    let arguments: Vec<Expr> = match &call.args {
        ast::FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|a| match a {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => lower(e, depth + 1, nodes),
                other => Err(format!("'{other}' is not an argument")),
            })
            .collect::<Result<_, _>>()?,
        _ => Vec::new(),
    };
    match (name.as_str(), arguments.as_slice()) {
        ("now", []) => Ok(Expr::Now),
        ("contains", [what, Expr::Literal(Literal::Text(text))]) => Ok(Expr::Contains(Box::new(what.clone()), text.to_lowercase())),
        ("setting", [Expr::Literal(Literal::Text(key))]) => Ok(Expr::Setting(key.clone())),
        _ => Err(format!("unknown function '{name}'; there are now(), contains(field, 'text') and setting('name')")),
    }
}

fn literal(v: &ast::Value) -> Result<Literal, String> {
    Ok(match v {
        ast::Value::Null => Literal::Null,
        ast::Value::Boolean(b) => Literal::Bool(*b),
        ast::Value::Number(n, _) => Literal::Number(n.clone()),
        ast::Value::SingleQuotedString(s) => Literal::Text(s.clone()),
        other => return Err(format!("write texts in single quotes, not as {other}")),
    })
}

/// A truth value of three: false, true, unknown.
pub type Tri = Option<bool>;

/// Gives the values that an expression on a single record needs.
pub trait Reader {
    fn read(&self, path: &[String]) -> Value;
    fn now(&self) -> i64;
    fn setting(&self, name: &str) -> i64;
    /// Seconds of local midnight of a date, for comparing dates with instants.
    fn midnight(&self, day: i32) -> i64;
}

/// Is the condition true of this record?
pub fn matches(expr: &Expr, reader: &dyn Reader) -> bool {
    truth(expr, reader) == Some(true)
}

fn truth(expr: &Expr, r: &dyn Reader) -> Tri {
    match expr {
        Expr::Not(a) => truth(a, r).map(|b| !b),
        Expr::And(a, b) => match (truth(a, r), truth(b, r)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        },
        Expr::Or(a, b) => match (truth(a, r), truth(b, r)) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        },
        Expr::IsNull(a) => Some(evaluate(a, r).is_null()),
        Expr::Contains(a, text) => match evaluate(a, r) {
            Value::Text(t) => Some(t.to_lowercase().contains(text)),
            _ => None,
        },
        Expr::In(a, list) => {
            let value = evaluate(a, r);
            let mut unknown = value.is_null();
            for l in list {
                match compare(&value, &literal_like(l, &value), r) {
                    Some(Ordering::Equal) => return Some(true),
                    None => unknown = true,
                    _ => {}
                }
            }
            if unknown { None } else { Some(false) }
        }
        Expr::Binary(op, a, b) if !matches!(op, Op::Add | Op::Sub | Op::Mul) => {
            let (va, vb) = (operand(a, b, r), operand(b, a, r));
            compare(&va, &vb, r).map(|o| match op {
                Op::Eq => o == Ordering::Equal,
                Op::Ne => o != Ordering::Equal,
                Op::Lt => o == Ordering::Less,
                Op::Le => o != Ordering::Greater,
                Op::Gt => o == Ordering::Greater,
                _ => o != Ordering::Less,
            })
        }
        other => match evaluate(other, r) {
            Value::Bool(b) => Some(b),
            _ => None,
        },
    }
}

/// The value of an expression on one record.
pub fn evaluate(expr: &Expr, r: &dyn Reader) -> Value {
    match expr {
        Expr::Path(path) => r.read(path),
        Expr::Literal(l) => literal_plain(l),
        Expr::Now => Value::Time(r.now()),
        Expr::Setting(name) => Value::Int(r.setting(name)),
        Expr::Binary(op @ (Op::Add | Op::Sub | Op::Mul), a, b) => {
            let (x, y) = (evaluate(a, r), evaluate(b, r));
            let (Some(i), Some(j)) = (number(&x), number(&y)) else { return Value::Null };
            let n = match op {
                Op::Add => i.checked_add(j),
                Op::Sub => i.checked_sub(j),
                _ => i.checked_mul(j),
            };
            n.map_or(Value::Null, Value::Int)
        }
        other => truth(other, r).map_or(Value::Null, Value::Bool),
    }
}

fn operand(this: &Expr, other: &Expr, r: &dyn Reader) -> Value {
    match this {
        Expr::Literal(l) => literal_like(l, &evaluate(other, r)),
        _ => evaluate(this, r),
    }
}

fn number(v: &Value) -> Option<i64> {
    match v {
        Value::Money(m) => m.ticks(),
        other => other.as_int(),
    }
}

fn literal_plain(l: &Literal) -> Value {
    match l {
        Literal::Null => Value::Null,
        Literal::Bool(b) => Value::Bool(*b),
        Literal::Number(n) => crate::money::parse_fixed(n, 0).map_or(Value::Null, Value::Int),
        Literal::Text(t) => Value::Text(t.clone()),
    }
}

/// A literal read as the kind of value that it stands against. Money literals are major units.
pub fn literal_like(l: &Literal, like: &Value) -> Value {
    let text = match l {
        Literal::Number(n) => n.as_str(),
        Literal::Text(t) => t.as_str(),
        Literal::Null => return Value::Null,
        Literal::Bool(b) => return Value::Bool(*b),
    };
    match like {
        Value::Decimal(_) => crate::money::parse_fixed(text, 6).map_or(Value::Null, Value::Decimal),
        Value::Money(_) => crate::money::parse_fixed(text, 4).map_or(Value::Null, Value::Int),
        Value::Date(_) | Value::Time(_) => clock_literal(text),
        Value::Ref(_) => uuid::Uuid::parse_str(text).map_or(Value::Null, Value::Ref),
        Value::Int(_) => crate::money::parse_fixed(text, 0).map_or(Value::Null, Value::Int),
        _ => literal_plain(l),
    }
}

/// A date or an instant out of a literal text.
pub fn clock_literal(text: &str) -> Value {
    if let Some(day) = crate::value::parse_date(text).filter(|_| text.trim().len() <= 10) {
        return Value::Date(day);
    }
    crate::value::parse_instant(text).map_or(Value::Null, Value::Time)
}

fn compare(a: &Value, b: &Value, r: &dyn Reader) -> Option<Ordering> {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Text(x), Value::Text(y)) => Some(x.cmp(y)),
        (Value::Ref(x), Value::Ref(y)) => Some(x.cmp(y)),
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Date(d), Value::Time(t)) => Some(r.midnight(*d).cmp(t)),
        (Value::Time(t), Value::Date(d)) => Some(t.cmp(&r.midnight(*d))),
        _ => Some(number(a)?.cmp(&number(b)?)),
    }
}
