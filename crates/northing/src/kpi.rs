//! `kpi`, `drill` and `metrics` at the terminal: the same questions and answers as over HTTP.

use crate::{Data, table};
use clap::Args;
use northing_crm::Env;
use northing_facts::{Facts, Snapshot};
use northing_metrics::drill::{Side, Wish, drill_into};
use northing_metrics::{Answer, Bucket, Cache, Cohort, Cohorts, Compare, Question, Wanted};
use northing_model::{Calendar, Expr, Grain, Labels, Period};
use northing_store::Store;
use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

#[derive(Args)]
struct Asked {
    #[command(flatten)]
    data: Data,
    /// First day, 2017-01-01 (in the workspace's zone)
    #[arg(long)]
    from: String,
    /// The day after the last, 2018-01-01
    #[arg(long)]
    to: String,
    /// Count only records that meet this condition: "owner.team = '…'", "source = 'web'"
    #[arg(long = "where", value_name = "EXPR")]
    filter: Option<String>,
    /// Facts as they were known at this instant (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    as_of: Option<String>,
    /// Another reading of the metric; `northing metrics NAME` lists them
    #[arg(long)]
    variant: Option<String>,
    /// Months of this calendar
    #[arg(long, value_parser = ["gregorian", "solar_hijri"])]
    calendar: Option<String>,
    /// Print JSON, the same object as the API answers
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub struct Kpi {
    /// One or several metrics, separated by commas
    metric: String,
    #[command(flatten)]
    asked: Asked,
    /// Cut the period
    #[arg(long, value_parser = ["day", "week", "month", "quarter", "year", "total"], default_value = "total")]
    grain: String,
    /// Break down by a dimension; repeat for several
    #[arg(long, value_delimiter = ',')]
    by: Vec<String>,
    /// Compare with an earlier period
    #[arg(long, value_parser = ["previous", "year"])]
    compare: Option<String>,
    /// By when customers first bought: a row for each period, a column for each period since
    #[arg(long)]
    cohorts: bool,
}

#[derive(Args)]
pub struct Drill {
    metric: String,
    #[command(flatten)]
    asked: Asked,
    /// Which records: numerator, denominator, or excluded:REASON
    #[arg(long, default_value = "numerator")]
    side: String,
    /// Of which part of what is made of other metrics (cac, lifespan.churn.3)
    #[arg(long, default_value = "")]
    part: String,
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

#[derive(Args)]
pub struct Metrics {
    /// Describe this metric only
    metric: Option<String>,
    #[command(flatten)]
    data: Data,
    #[arg(long)]
    json: bool,
    /// Check the metrics declared in this TOML file against the workspace, without keeping them
    #[arg(long, value_name = "FILE")]
    check: Option<std::path::PathBuf>,
    /// en, pl, ru, zh, hu or fa
    #[arg(long, default_value = "en")]
    lang: String,
}

impl Asked {
    /// The facts that the question is about, and the clock it is asked at.
    fn snapshot(&self, env: &Env) -> Result<(Snapshot, i64), Box<dyn Error>> {
        let store = open(&self.data)?;
        let Some(text) = &self.as_of else {
            // What was written within this very second has happened: the present ends with it.
            return Ok((Facts::load(&store)?.snapshot(), env.now() + 1));
        };
        let settings = Facts::load(&store)?.snapshot().settings;
        let instant = northing_model::value::parse_instant(text)
            .or_else(|| northing_model::value::parse_date(text).map(|d| settings.zone.midnight(d)))
            .ok_or_else(|| format!("--as-of: '{text}' is not an instant; write it like 2024-05-31T09:30:00Z"))?;
        let seq = store.seq_at(instant)?;
        Ok((Facts::replay(&store, seq, None)?.snapshot(), instant))
    }

    fn question(&self, metrics: &str, snapshot: &Snapshot, now: i64) -> Result<Question, Box<dyn Error>> {
        let day = |text: &str, what: &str| {
            northing_model::value::parse_date(text).ok_or_else(|| format!("--{what}: '{text}' is not a day; write it like 2017-01-01"))
        };
        let wanted = |id: &str| Wanted { metric: id.trim().to_string(), variant: self.variant.clone() };
        Ok(Question {
            metrics: metrics.split(',').map(wanted).collect(),
            period: Period { start: day(&self.from, "from")?, end: day(&self.to, "to")? },
            grain: Grain::Total,
            calendar: self.calendar.as_deref().and_then(Calendar::parse).unwrap_or(snapshot.settings.calendar),
            by: Vec::new(),
            filter: self.filter.as_deref().map(Expr::parse).transpose()?,
            compare: None,
            now,
        })
    }
}

fn open(data: &Data) -> Result<Store, Box<dyn Error>> {
    if !data.data.join("northing.db").exists() {
        return Err(format!("there is no workspace in {}; make one with `northing demo` or `northing import`", data.data.display()).into());
    }
    Ok(Store::open(&data.data)?)
}

impl Kpi {
    pub fn run(self, env: &Env) -> Outcome {
        let (snapshot, now) = self.asked.snapshot(env)?;
        let mut question = self.asked.question(&self.metric, &snapshot, now)?;
        question.grain = Grain::parse(&self.grain).ok_or("--grain: day, week, month, quarter, year or total")?;
        question.by = self.by.clone();
        question.compare = match self.compare.as_deref() {
            Some("previous") => Some(Compare::Previous),
            Some(_) => Some(Compare::Year),
            None => None,
        };
        if self.cohorts {
            return self.show_cohorts(&northing_metrics::cohorts(&snapshot, &question, &Cache::default())?);
        }
        let answer = northing_metrics::ask(&snapshot, &question, &Cache::default())?;
        if self.asked.json {
            say!("{}", serde_json::to_string(&answer)?);
            return Ok(());
        }
        show(&answer, &question)
    }
}

impl Kpi {
    fn show_cohorts(&self, cohorts: &Cohorts) -> Outcome {
        if self.asked.json {
            say!("{}", serde_json::to_string(cohorts)?);
            return Ok(());
        }
        let mut headings: Vec<String> = vec!["first bought".into(), "customers".into()];
        headings.extend((0..cohorts.rows.len()).map(|k| format!("+{k}")));
        let right: Vec<bool> = (0..headings.len()).map(|i| i > 0).collect();
        let row = |cohort: &Cohort| {
            let mut cells = vec![cohort.start.clone(), cohort.customers.to_string()];
            cells.extend(cohort.cells.iter().map(|c| c.value.map_or_else(|| "–".into(), |v| value(&cohorts.unit, v))));
            cells.resize(headings.len(), String::new());
            cells
        };
        table::print(&headings, &right, &cohorts.rows.iter().map(row).collect::<Vec<_>>());
        Ok(())
    }
}

fn show(answer: &Answer, question: &Question) -> Outcome {
    let labels = Labels::load()?;
    for metric in &answer.metrics {
        say!("{}{}", labels.text("en", &format!("metric.{}", metric.id)), metric.variant.as_ref().map_or(String::new(), |v| format!(" ({v})")));
        let mut headings: Vec<String> = vec!["from".into(), "to".into()];
        headings.extend(question.by.iter().cloned());
        headings.extend(["value", "numerator", "denominator", "n"].map(String::from));
        if question.compare.is_some() {
            headings.extend(["before", "change"].map(String::from));
        }
        let parts = metric.buckets.iter().any(|b| b.contribution.is_some());
        if parts {
            headings.push("of the change".into());
        }
        headings.push("notes".into());
        let right: Vec<bool> = headings.iter().map(|h| matches!(h.as_str(), "value" | "numerator" | "denominator" | "n" | "before" | "change" | "of the change")).collect();
        let row = |bucket: &Bucket, total: bool| {
            let mut cells = vec![bucket.start.clone(), bucket.end.clone()];
            cells.extend(question.by.iter().map(|d| if total { "all".into() } else { bucket.by.get(d).cloned().unwrap_or_default() }));
            let cell = &bucket.cell;
            cells.push(cell.value.map_or_else(|| "–".into(), |v| value(&metric.unit, v)));
            cells.push(cell.numerator.map_or_else(String::new, plain));
            cells.push(cell.denominator.map_or_else(String::new, plain));
            cells.push(cell.n.to_string());
            if question.compare.is_some() {
                cells.push(bucket.compare.as_ref().and_then(|c| c.cell.value).map_or_else(|| "–".into(), |v| value(&metric.unit, v)));
                cells.push(bucket.change.as_ref().map_or_else(String::new, |c| c.relative.map_or_else(|| value(&metric.unit, c.absolute), |r| format!("{:+.1} %", r * 100.0))));
            }
            if parts {
                cells.push(bucket.contribution.map_or_else(String::new, |c| match (c.mix, c.rate) {
                    (Some(mix), Some(rate)) => format!("{} (mix {}, rate {})", value(&metric.unit, c.total), value(&metric.unit, mix), value(&metric.unit, rate)),
                    _ => value(&metric.unit, c.total),
                }));
            }
            cells.push(notes(bucket, &metric.unit));
            cells
        };
        let mut rows: Vec<Vec<String>> = metric.buckets.iter().map(|b| row(b, false)).collect();
        if rows.len() != 1 {
            rows.push(row(&metric.total, true));
        }
        table::print(&headings, &right, &rows);
        say!();
    }
    say!("seq {} · {} · {} · money in {}", answer.seq, answer.zone, answer.calendar, answer.currency);
    Ok(())
}

fn plain(value: f64) -> String {
    table::number(value, if value.fract() == 0.0 { 0 } else { 2 })
}

fn value(unit: &str, value: f64) -> String {
    match unit {
        "ratio" => format!("{:.2} %", value * 100.0),
        "money" | "money_per_year" | "money_per_day" => table::number(value, 2),
        "count" => table::number(value, 0),
        "duration" => table::duration(value),
        "years" => format!("{value:.2} y"),
        _ => table::number(value, 2),
    }
}

fn notes(bucket: &Bucket, unit: &str) -> String {
    let cell = &bucket.cell;
    let mut notes: Vec<String> = Vec::new();
    notes.extend(cell.reason.clone());
    if !cell.complete && cell.reason.as_deref() != Some("not_yet") {
        notes.push("running".into());
    }
    if !cell.mature {
        notes.push(cell.mature_share.map_or("not mature".into(), |s| format!("{:.0} % mature", s * 100.0)));
    }
    if cell.low_n {
        notes.push("few records".into());
    }
    notes.extend(cell.flags.iter().cloned());
    notes.extend(cell.excluded.iter().map(|(reason, n)| format!("{n} left out: {reason}")));
    if let Some(median) = cell.median {
        notes.push(format!("median {}", value(unit, median)));
    }
    notes.join(", ")
}

impl Drill {
    pub fn run(self, env: &Env) -> Outcome {
        let (snapshot, now) = self.asked.snapshot(env)?;
        let question = self.asked.question(&self.metric, &snapshot, now)?;
        let side = match self.side.as_str() {
            "numerator" => Side::Numerator,
            "denominator" => Side::Denominator,
            other => Side::Excluded(other.strip_prefix("excluded:").ok_or("--side: numerator, denominator or excluded:REASON")?.to_string()),
        };
        let mut found = drill_into(&snapshot, &question, &Wish { side, part: self.part, offset: 0, limit: self.limit }, &northing_metrics::Budget::default())?;
        northing_crm::titles::fill(&open(&self.asked.data)?, found.rows.iter_mut().map(|r| (r.object.as_str(), r.id, &mut r.title)))?;
        if self.asked.json {
            say!("{}", serde_json::to_string(&found)?);
            return Ok(());
        }
        if !found.parts.is_empty() {
            say!("{} is made of other numbers{}", found.metric, found.formula.map(|f| format!(": {f}")).unwrap_or_default());
            let headings: Vec<String> = ["part", "is", "value", "look into"].map(String::from).to_vec();
            let is = |p: &northing_metrics::drill::DrillPart| [Some(p.metric.clone()), p.variant.clone(), p.side.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let rows: Vec<Vec<String>> = found.parts.iter().map(|p| vec![p.name.clone(), is(p), p.value.map(plain).unwrap_or_default(), p.part.as_ref().map(|p| format!("--part {p}")).unwrap_or_default()]).collect();
            table::print(&headings, &[false, false, true, false], &rows);
            return Ok(());
        }
        let headings: Vec<String> = ["record", "id", "at", "adds"].map(String::from).to_vec();
        let rows: Vec<Vec<String>> =
            found.rows.iter().map(|r| vec![format!("{} {}", r.object, r.title), r.id.to_string(), r.at.clone().unwrap_or_default(), plain(r.adds)]).collect();
        table::print(&headings, &[false, false, false, true], &rows);
        say!("\n{} of {} rows; all of them add up to {}", rows.len(), found.total, plain(found.sum));
        Ok(())
    }
}

impl Metrics {
    pub fn run(self, _env: &Env) -> Outcome {
        let labels = Labels::load()?;
        let model = if self.data.data.join("northing.db").exists() { Store::open(&self.data.data)?.model() } else { northing_model::Model::builtin()?.into() };
        let text = |key: String| labels.text(&self.lang, &key);
        if let Some(file) = &self.check {
            let body = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
            let (_, new) = model.with_metrics(&body)?;
            say!("{}: {} declared, nothing wrong: {}", file.display(), new.len(), new.join(", "));
            return Ok(());
        }
        let chosen: Vec<_> = model.metrics.values().filter(|m| self.metric.as_ref().is_none_or(|id| *id == m.id)).collect();
        if chosen.is_empty() {
            return Err(format!("there is no metric '{}'", self.metric.unwrap_or_default()).into());
        }
        if self.json {
            let list: Vec<serde_json::Value> = chosen
                .iter()
                .map(|m| {
                    let mut json = serde_json::to_value(northing_metrics::explain::describe(m)).unwrap_or_default();
                    json["name"] = text(format!("metric.{}", m.id)).into();
                    json["explanation"] = text(format!("explain.{}", m.id)).into();
                    json
                })
                .collect();
            say!("{}", serde_json::to_string_pretty(&list)?);
            return Ok(());
        }
        if self.metric.is_some() {
            for m in chosen {
                let d = northing_metrics::explain::describe(m);
                say!("{} ({})\n{}\n", text(format!("metric.{}", m.id)), m.id, text(format!("explain.{}", m.id)));
                for part in d.measures {
                    let filter = part.filter.map_or(String::new(), |f| format!(" where {f}"));
                    say!("  {:5} {} {} of {} by {}{filter}", part.side, part.agg, part.value.unwrap_or_default(), part.from, part.time);
                }
                if let Some(formula) = d.formula {
                    say!("  = {formula}   with {}", d.inputs.iter().map(|(n, m)| format!("{n} = {m}")).collect::<Vec<_>>().join(", "));
                }
                say!("  dimensions: {}\n  variants: {}", d.dims.join(", "), d.variants.join(", "));
                d.differs.iter().for_each(|key| say!("  {}", text(format!("differs.{key}"))));
                if !d.sources.is_empty() {
                    say!("  named by: {}", d.sources.iter().map(|s| text(format!("source.{s}"))).collect::<Vec<_>>().join(" · "));
                }
            }
            return Ok(());
        }
        let rows: Vec<Vec<String>> = chosen
            .iter()
            .map(|m| vec![m.id.clone(), text(format!("metric.{}", m.id)), m.group.clone(), format!("{:?}", m.kind).to_lowercase(), m.variants.keys().cloned().collect::<Vec<_>>().join(", ")])
            .collect();
        table::print(&["id", "name", "group", "kind", "variants"].map(String::from), &[], &rows);
        Ok(())
    }
}
