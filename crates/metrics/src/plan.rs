//! From metrics to scans: every metric says what it needs, equal needs are computed once.

use crate::reach::reach;
use crate::budget::Budget;
use crate::evaluate::{Compiled, Same};
use crate::scan::Cache;
use crate::{MetricError, Result};
use northing_facts::Snapshot;
use northing_facts::eval::Path;
use northing_model::Expr;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What a scan computes per group and segment.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    Count,
    /// Sum of an expression over rows where it is not null, and how many those are.
    Sum(Expr),
    /// The values themselves, for order statistics.
    Values(Expr),
    /// Distinct records that a reference leads to.
    Distinct(Vec<String>),
    /// (time, key, value) of each row.
    Rows(Expr, Option<Vec<String>>),
    /// Which keys are in the state at each bound; the time is the state's beginning.
    States { until: Vec<String>, key: Vec<String> },
}

impl What {
    /// Do parts of it add up to the whole?
    pub fn additive(&self) -> bool {
        matches!(self, What::Count | What::Sum(_))
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub table: usize,
    pub time: Vec<String>,
    /// The question's filter in the words of the table: the same for all requests on it.
    pub base: Option<Expr>,
    /// The measure's own condition.
    pub filter: Option<Expr>,
    pub what: What,
    /// A path for each dimension; `None`: this table does not know it, all rows are "(none)".
    pub dims: Vec<Option<Vec<String>>>,
}

impl Request {
    /// Everything that a row has to meet.
    pub fn condition(&self) -> Option<Expr> {
        match (self.filter.clone(), self.base.clone()) {
            (Some(a), Some(b)) => Some(a.and(b)),
            (a, b) => a.or(b),
        }
    }
}

/// Requests of one question. The handle of a request is its place in `requests`.
#[derive(Default)]
pub struct Plan {
    pub requests: Vec<Request>,
    pub bounds: Vec<BTreeSet<i64>>,
    /// What tells each request from others.
    pub keys: Vec<Arc<str>>,
    known: HashMap<Arc<str>, usize>,
    /// Metrics that were compiled, each once for the same frame and spans; none while one is being compiled.
    pub(crate) metrics: HashMap<Same, Option<Result<Arc<Compiled>>>>,
    /// How many metrics are being compiled, each for the one before.
    pub(crate) depth: usize,
}

impl Plan {
    /// The handle of a request; instants are added to those that the result can be cut at.
    pub fn want(&mut self, request: Request, bounds: impl IntoIterator<Item = i64>) -> usize {
        let key: Arc<str> = format!("{request:?}").into();
        let next = self.requests.len();
        let handle = *self.known.entry(key.clone()).or_insert(next);
        if handle == next {
            self.keys.push(key);
            self.requests.push(request);
            self.bounds.push(BTreeSet::new());
        }
        self.bounds[handle].extend(bounds);
        handle
    }
}

/// The frame that all metrics of a question share.
pub struct Frame<'a> {
    pub snapshot: &'a Snapshot,
    pub filter: Option<Expr>,
    pub by: Vec<String>,
    pub now: i64,
    /// Where fitted models are kept between questions.
    pub cache: Option<&'a Cache>,
    /// What the question may use.
    pub budget: &'a Budget,
}

impl<'a> Frame<'a> {
    /// The same question, otherwise filtered and broken down.
    pub fn with(&self, filter: Option<Expr>, by: Vec<String>) -> Frame<'a> {
        Frame { snapshot: self.snapshot, filter, by, now: self.now, cache: self.cache, budget: self.budget }
    }

    pub fn table(&self, name: &str) -> Result<usize> {
        let name = if name == "purchase" { self.snapshot.settings.purchase_table() } else { name };
        self.snapshot.table_index(name).ok_or_else(|| MetricError::Question(format!("there is no table '{name}'")))
    }

    /// Paths of the question's dimensions on a table; the name of the first that it does not reach.
    pub fn dims(&self, table: usize) -> std::result::Result<Vec<Option<Vec<String>>>, String> {
        let name = &self.snapshot.tables[table].schema.name;
        self.by
            .iter()
            .map(|dim| {
                let steps: Vec<String> = dim.split('.').map(str::to_string).collect();
                reach(&self.snapshot.model, name, &steps).map(Some).ok_or_else(|| dim.clone())
            })
            .collect()
    }

    /// The question's filter in the words of a table.
    pub fn filter(&self, table: usize) -> std::result::Result<Option<Expr>, String> {
        let name = self.snapshot.tables[table].schema.name.clone();
        let model = &self.snapshot.model;
        let mapped = self.filter.as_ref().map(|filter| filter.map_paths(&mut |path| reach(model, &name, path).ok_or_else(|| path.join("."))));
        mapped.transpose()
    }

    pub fn path(&self, table: usize, path: &[String]) -> Result<Path> {
        Path::resolve(self.snapshot, table, path).map_err(MetricError::Question)
    }
}

pub fn steps(text: &str) -> Vec<String> {
    text.split('.').map(str::to_string).collect()
}
