//! What metric definitions are made of: kinds, units, measures, states, inputs. Declarations only.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    Flow,
    Stock,
    Ratio,
    Conversion,
    Duration,
    Retention,
    Score,
    Derived,
    /// What goals ask of any metric against what it is.
    Goal,
    /// A weighted score per record out of several measures of it.
    Composite,
    /// What a fitted model of purchases expects.
    Model,
    /// How long a state lasts, those counted in for whom it goes on.
    Survival,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Money,
    MoneyPerYear,
    Count,
    /// 0.63, shown as 63 %.
    Ratio,
    /// Seconds.
    Duration,
    /// Per customer and year.
    PerYear,
    Years,
    /// A plain multiple, 3.2×.
    Times,
    /// Points of a score.
    Points,
    /// Money for each day.
    MoneyPerDay,
    /// A plain number for each person.
    PerPerson,
    /// Hours for each user and week.
    HoursPerWeek,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Good {
    Up,
    Down,
    Neutral,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Agg {
    #[default]
    Count,
    Sum,
    /// Distinct records that `value`, a reference, leads to.
    Distinct,
}

/// One aggregated column of one table: what a scan computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// A table; `purchase` stands for orders or won deals, as the workspace chose.
    pub from: String,
    #[serde(default)]
    pub agg: Agg,
    /// The instant that places a row in a period.
    pub time: String,
    /// For what is left out because nobody recorded when it was: the row belongs to every period from `time` to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// A column or expression to sum, or the reference to count distinctly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The sum is taken away instead of added.
    #[serde(default)]
    pub minus: bool,
    /// A dimension that this table does not know counts as "(none)" instead of being refused.
    #[serde(default)]
    pub loose: bool,
    /// Measures that stand in when a dimension is known on a finer table only (order lines).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finer: Vec<Measure>,
}

/// A state that holds from one instant to another (open deals, active customers).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub from: String,
    pub since: String,
    pub until: String,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// A money or number column to add up; without it rows are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// A column of numbers: the value is for so many at once (months), and is divided by it after everything is added up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// `avg`: the mean over the period instead of the state at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    /// For retention: the reference whose records are followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Kept,
    Lost,
    /// Did what the numerator counts.
    Did,
    /// How much of the value that they held is still held, growth included.
    Net,
    /// The same, of nobody more than at first.
    Gross,
}

/// Whom a retention follows: those in the state when the period begins, or at any time in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    #[default]
    Start,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Roll {
    Avg,
}

/// What a metric of kind goal says of its goals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalShare {
    /// Σ actual / Σ target.
    Attainment,
    /// Σ actual / Σ target, of the target only what the business days so far stand for.
    Pace,
    /// (actual − baseline) / (target − baseline), the mean by weight.
    Progress,
}

/// How a component of a composite reads a record's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Rows in the window; none is a zero.
    Count,
    /// Mean of the values in the window; none is no data.
    Mean,
    /// Days since the last row; none is no data.
    DaysSince,
    /// Rows whose state holds at the instant (`time` to `until`); none is a zero.
    Holding,
}

/// A part of a composite score: a measure of a record, and which values are worth 0 and 100.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub from: String,
    pub time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub read: Reading,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_days: Option<i64>,
    pub worst: f64,
    pub best: f64,
    pub weight: f64,
}

/// A breakdown by the value of each record: below the first edge, from edge to edge, and from the last one on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    pub name: String,
    pub edges: Vec<f64>,
}

/// Another value to take where several scales meet in one score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mixed {
    /// The reference that names the scale.
    pub by: String,
    /// What all scales share, in millionths of the way from worst to best; shown from 0 to 100.
    pub value: String,
}

/// Which number of an input is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Numerator,
    Denominator,
}

/// An earlier period that an input is taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shift {
    Previous,
    Year,
    /// As many years back as it takes to lie before the day on which the CRM came into use.
    BeforeGoLive,
}

/// How the rows of one reference count together in a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Per {
    pub key: String,
    pub take: Take,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The last row alone; rows without the reference all count.
    Latest,
    /// The number of rows is the value that is put into a class.
    Count,
    /// The mean of the rows' classes, so that everybody weighs the same.
    Mean,
}

/// Classes of answers for a score; without classes the mean is taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classes {
    /// [from, to], inclusive.
    pub top: [i64; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottom: Option<[i64; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TouchModel {
    First,
    Last,
    Linear,
    /// 40 % to the first, 40 % to the last, the rest shared by those between.
    Position,
}

/// Credits a flow's value to the touches before it; credits are integers and add up to the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    pub touch: String,
    pub at: String,
    /// The column of the touch that is credited; it is the breakdown of the metric.
    pub by: String,
    pub model: TouchModel,
    /// The column of the row itself that says whose it is; where it is filled, touches do not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    pub lookback_days: i64,
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// A number of days: fixed, or the name of a workspace setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "this should be a number of days, or the name of a setting in quotes")]
pub enum Days {
    Fixed(i64),
    Setting(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    Day,
}

/// Another group than the one that is worked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Everything, not broken down.
    All,
    /// What belongs to no value of the dimension.
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub metric: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Compound the metric over that many whole months ending with the bucket: 1 − Π(1 − x).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compound_months: Option<u32>,
    /// Take the metric over the trailing days ending with the bucket, or with today where that lies ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trailing: Option<Days>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// As it stood when the bucket began.
    #[serde(default)]
    pub at_start: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<Shift>,
    /// So many days earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Days>,
    /// The sum of the metric's values over each day of the period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Each>,
    /// Of which group of a breakdown, where not of the own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Of>,
    /// The flag to put up where this input is null and the result is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Over the whole bucket, what lies ahead included (plans).
    #[serde(default)]
    pub whole: bool,
    /// Null where no record at all stands behind it: a sum over nothing is 0, and 0 is no state of a business.
    #[serde(default)]
    pub needs_records: bool,
    /// Why the result is null when this input is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
