//! Arithmetic over metrics for derived KPIs: `ltv / cac`, `least(1 / churn, cap)`.
//!
//! Must not know what the names stand for. A null operand makes the result null; so does a division by zero.

use sqlparser::ast::{BinaryOperator as B, Expr as Sql, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;

#[derive(Debug, Clone, PartialEq)]
pub enum Formula {
    Number(f64),
    Name(String),
    Apply(Operation, Vec<Formula>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Add,
    Sub,
    Mul,
    Div,
    Least,
    Greatest,
    /// The first argument that is not null.
    Coalesce,
    /// The argument where it is above zero.
    Positive,
    /// The first argument where it is at least the second.
    Enough,
    /// Division whose zero divisor gives infinity, for use inside `least`.
    Per,
}

/// What is longer is no formula that anybody reads; and each part is worked out for every cell.
const LONGEST: usize = 2_000;

impl Formula {
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the formula is longer than {LONGEST} characters"));
        }
        let mut parser = Parser::new(&GenericDialect {}).with_recursion_limit(40).try_with_sql(text).map_err(|e| e.to_string())?;
        let sql = parser.parse_expr().map_err(|e| e.to_string())?;
        if parser.peek_token().token != sqlparser::tokenizer::Token::EOF {
            return Err(format!("unexpected '{}' in '{text}'", parser.peek_token().token));
        }
        lower(&sql)
    }

    pub fn names(&self) -> Vec<&str> {
        match self {
            Formula::Number(_) => Vec::new(),
            Formula::Name(n) => vec![n],
            Formula::Apply(_, parts) => parts.iter().flat_map(Formula::names).collect(),
        }
    }

    /// Its value by those of its names. One that is null and `unknown` (there is something, nobody knows how much) is not
    /// passed over for the next: what is made of it is unknown.
    pub fn value(&self, get: &impl Fn(&str) -> Option<f64>, unknown: &impl Fn(&str) -> bool) -> Option<f64> {
        let (op, parts) = match self {
            Formula::Number(n) => return Some(*n),
            Formula::Name(n) => return get(n),
            Formula::Apply(op, parts) => (*op, parts),
        };
        if op == Operation::Coalesce {
            let first = parts.iter().map(|p| (p, p.value(get, unknown))).find(|(p, value)| value.is_some() || p.names().iter().any(|n| get(n).is_none() && unknown(n)));
            return first.and_then(|(_, value)| value);
        }
        let values: Option<Vec<f64>> = parts.iter().map(|p| p.value(get, unknown)).collect();
        let v = values?;
        let pair = || (v[0], v[1]);
        match op {
            Operation::Add => Some(pair().0 + pair().1),
            Operation::Sub => Some(pair().0 - pair().1),
            Operation::Mul => Some(pair().0 * pair().1),
            Operation::Div => (pair().1 != 0.0).then(|| pair().0 / pair().1),
            Operation::Per => Some(if pair().1 == 0.0 { f64::INFINITY } else { pair().0 / pair().1 }),
            Operation::Least => v.into_iter().reduce(f64::min),
            Operation::Greatest => v.into_iter().reduce(f64::max),
            Operation::Positive => (v[0] > 0.0).then_some(v[0]),
            Operation::Enough => (pair().0 >= pair().1).then_some(pair().0),
            Operation::Coalesce => None,
        }
    }
}

fn lower(sql: &Sql) -> Result<Formula, String> {
    let two = |op, a: &Sql, b: &Sql| Ok(Formula::Apply(op, vec![lower(a)?, lower(b)?]));
    match sql {
        Sql::Nested(e) => lower(e),
        Sql::Identifier(i) => Ok(Formula::Name(i.value.clone())),
        Sql::Value(v) => match &v.value {
            sqlparser::ast::Value::Number(n, _) => n.parse().map(Formula::Number).map_err(|_| format!("'{n}' is not a number")),
            other => Err(format!("'{other}' has no place in a formula")),
        },
        Sql::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(Formula::Apply(Operation::Sub, vec![Formula::Number(0.0), lower(expr)?])),
        Sql::BinaryOp { left, op: B::Plus, right } => two(Operation::Add, left, right),
        Sql::BinaryOp { left, op: B::Minus, right } => two(Operation::Sub, left, right),
        Sql::BinaryOp { left, op: B::Multiply, right } => two(Operation::Mul, left, right),
        Sql::BinaryOp { left, op: B::Divide, right } => two(Operation::Div, left, right),
        Sql::Function(call) => {
            let FunctionArguments::List(list) = &call.args else { return Err("arguments are missing".into()) };
            let parts: Result<Vec<Formula>, String> = list
                .args
                .iter()
                .map(|a| match a {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => lower(e),
                    other => Err(format!("'{other}' is not an argument")),
                })
                .collect();
            let parts = parts?;
            let op = match (call.name.to_string().to_ascii_lowercase().as_str(), parts.len()) {
                ("least", n) if n > 0 => Operation::Least,
                ("greatest", n) if n > 0 => Operation::Greatest,
                ("coalesce", n) if n > 0 => Operation::Coalesce,
                ("per", 2) => Operation::Per,
                ("positive", 1) => Operation::Positive,
                ("enough", 2) => Operation::Enough,
                (name, _) => return Err(format!("'{name}' is not a function of formulas (least, greatest, coalesce, per, positive, enough)")),
            };
            Ok(Formula::Apply(op, parts))
        }
        other => Err(format!("'{other}' has no place in a formula")),
    }
}
