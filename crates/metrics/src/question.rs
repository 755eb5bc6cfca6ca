//! A question: which metrics, over what time, cut and filtered how.

use northing_model::{Calendar, Expr, Grain, Period};

#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub metric: String,
    pub variant: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// The range of the same length just before.
    Previous,
    /// The same days a year earlier.
    Year,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub metrics: Vec<Wanted>,
    /// Local days, end exclusive.
    pub period: Period,
    pub grain: Grain,
    pub calendar: Calendar,
    pub by: Vec<String>,
    pub filter: Option<Expr>,
    pub compare: Option<Compare>,
    /// The clock, UTC seconds: what is later has not happened yet.
    pub now: i64,
}

impl Question {
    pub fn new(metric: &str, period: Period, now: i64) -> Self {
        Self {
            metrics: vec![Wanted { metric: metric.into(), variant: None }],
            period,
            grain: Grain::Total,
            calendar: Calendar::Gregorian,
            by: Vec::new(),
            filter: None,
            compare: None,
            now,
        }
    }
}
