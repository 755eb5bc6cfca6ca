//! Answers: for every metric and bucket the value, what it was made of and how sure it is.

use serde::Serialize;
use std::collections::BTreeMap;

/// One number and what stands behind it. Ratios as 0.63, money in major units, durations in seconds.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct Cell {
    pub value: Option<f64>,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
    /// Records that the value rests on.
    pub n: u64,
    /// Records of the population that could not be used, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// The period is over.
    pub complete: bool,
    /// Every member's window has passed (cohort metrics); true for others.
    pub mature: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mature_share: Option<f64>,
    /// Why the value is null.
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<f64>,
    /// 95 % interval: Wilson for shares, normal for means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// Fewer than 30 records: read with care.
    pub low_n: bool,
    /// What the reader should know: `revenue_basis`, `capped`, `annualised`, `period_rate`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Of a breakdown more than a tenth of whose costs belongs to none of its values: those costs, and all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unallocated: Option<[f64; 2]>,
    /// Values of the parts of a derived metric.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Option<f64>>,
    /// Variance of the value, for judging a change; not shown.
    #[serde(skip)]
    pub variance: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Change {
    pub absolute: f64,
    /// Null where the earlier value is zero or negative.
    pub relative: Option<f64>,
    /// True: a real change; false: within what chance explains; null: cannot be judged.
    pub certain: Option<bool>,
}

/// What a part adds to the difference of the whole; for ratios out of its weight (mix) and its own rate.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct Contribution {
    pub total: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Earlier {
    pub start: String,
    pub end: String,
    #[serde(flatten)]
    pub cell: Cell,
}

#[derive(Debug, Clone, Serialize)]
pub struct Bucket {
    /// Local days; the end is exclusive.
    pub start: String,
    pub end: String,
    /// The value of each dimension asked for; "(none)" where there is none.
    pub by: BTreeMap<String, String>,
    /// Record ids of dimension values that are records.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_id: BTreeMap<String, String>,
    #[serde(flatten)]
    pub cell: Cell,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compare: Option<Earlier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// For breakdowns of a whole period that is compared: adds up over the parts to the whole's change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contribution: Option<Contribution>,
}

#[derive(Debug, Clone, Serialize)]
pub struct MetricAnswer {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    pub version: u32,
    pub unit: String,
    pub good: String,
    pub buckets: Vec<Bucket>,
    pub total: Bucket,
}

#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The last change that the numbers include.
    pub seq: u64,
    /// The clock of the question, RFC 3339.
    pub as_of: String,
    pub zone: String,
    pub calendar: String,
    pub currency: String,
    pub metrics: Vec<MetricAnswer>,
}
