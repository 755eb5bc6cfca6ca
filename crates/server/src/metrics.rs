//! Metrics over HTTP: the model and its words, the catalogue, questions, explanations, drill-down.

use crate::app::{App, Caller};
use crate::past::Then;
use crate::extract::{JsonBody, Path, Query};
use crate::problem::Problem;
use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use northing_facts::Snapshot;
use northing_metrics::drill::{Side, Wish, drill_into};
use northing_metrics::{Compare, Question, Wanted, explain};
use northing_model::labels::LANGUAGES;
use northing_model::{Calendar, Expr, Grain, Period};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::sync::Arc;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Language {
    #[schemars(extend("enum" = LANGUAGES))]
    lang: Option<String>,
}

impl Language {
    /// English, where no other is asked for.
    fn read(self) -> Result<String, Problem> {
        language(self.lang)
    }
}

/// One of ours; English, where none is named.
pub fn language(asked: Option<String>) -> Result<String, Problem> {
    let lang = asked.unwrap_or_else(|| LANGUAGES[0].into());
    if LANGUAGES.contains(&lang.as_str()) { Ok(lang) } else { Err(Problem::bad(format!("lang: one of {}", LANGUAGES.join(", ")))) }
}

/// Objects with their fields, and every label in one language.
pub async fn model(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Query(params): Query<Language>) -> Result<Json<Js>, Problem> {
    let lang = params.read()?;
    let snapshot = caller.place.feed.now();
    let model = &snapshot.model;
    let objects: Vec<Js> = model
        .objects
        .iter()
        .filter(|o| caller.place.view.as_ref().is_none_or(|v| v.sees(o.of.as_deref().unwrap_or(&o.name))))
        .map(|o| {
            let fields: Vec<Js> = o
                .fields
                .values()
                .map(|f| {
                    json!({
                        "name": f.name, "label": app.labels.field(&lang, &o.name, f), "type": f.kind, "to": f.to, "options": f.options, "required": f.required, "default": f.default.as_ref().filter(|_| !o.fill.as_ref().is_some_and(|fill| fill.fields.contains(&f.name))), "suggest": f.suggest, "condition_on": f.condition_on,
                        "derived": f.derived, "filterable": f.facts, "dimension": f.kind.is_dimension() && f.facts,
                    })
                })
                .collect();
            json!({"name": o.name, "plural": o.plural, "label": app.labels.object(&lang, o), "own": o.label.is_some(), "title": o.title, "derived": o.derived, "list": o.list, "sort": o.sort, "exclusive": o.exclusive, "fields": fields})
        })
        .collect();
    Ok(Json(json!({"objects": objects, "labels": app.labels.with_own(&lang, model), "dashboards": model.dashboards})))
}

fn described(app: &App, snapshot: &Snapshot, id: &str, lang: &str) -> Option<Js> {
    let def = snapshot.model.metrics.get(id)?;
    let mut json = serde_json::to_value(explain::describe(def)).ok()?;
    json["name"] = def.name.clone().unwrap_or_else(|| app.labels.text(lang, &format!("metric.{id}")).to_string()).into();
    json["explanation"] = def.explanation.clone().unwrap_or_else(|| app.labels.text(lang, &format!("explain.{id}")).to_string()).into();
    Some(json)
}

pub async fn catalogue(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Query(params): Query<Language>) -> Result<Json<Js>, Problem> {
    let lang = params.read()?;
    let snapshot = caller.place.feed.now();
    let list: Vec<Js> = snapshot.model.metrics.keys().filter_map(|id| described(&app, &snapshot, id, &lang)).collect();
    Ok(Json(json!({"metrics": list})))
}

pub async fn describe(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>, Query(params): Query<Language>) -> Result<Json<Js>, Problem> {
    let snapshot = caller.place.feed.now();
    let found = described(&app, &snapshot, &id, &params.read()?);
    found.map(Json).ok_or_else(|| Problem::not_found(format!("there is no metric '{id}'; GET /api/metrics lists them")))
}

/// How conditions are called in the OpenAPI document.
pub const CONDITION: &str = "northing-condition";

/// A condition that was asked for; a blank one is none.
pub fn condition(text: Option<&str>) -> Result<Option<Expr>, Problem> {
    text.filter(|t| !t.trim().is_empty()).map(Expr::parse).transpose().map_err(Problem::refused)
}

/// With what else numbers are compared.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Against {
    None,
    Previous,
    Year,
}

#[derive(Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Metrics separated by commas; `id:variant` for another reading.
    #[serde(default)]
    metrics: String,
    /// The first day.
    #[schemars(extend("format" = "date"))]
    from: String,
    /// The day after the last.
    #[schemars(extend("format" = "date"))]
    to: String,
    grain: Option<Grain>,
    /// Dimensions separated by commas.
    by: Option<String>,
    #[serde(rename = "where")]
    #[schemars(extend("format" = CONDITION))]
    filter: Option<String>,
    compare: Option<Against>,
    variant: Option<String>,
    /// As it was known at an instant, or when a day began.
    #[schemars(extend("anyOf" = [{"format": "date-time"}, {"format": "date"}]))]
    as_of: Option<String>,
    calendar: Option<Calendar>,
    /// Wait until the facts include this change.
    after: Option<u64>,
    // drill only
    /// `numerator`, `denominator`, or those left out for a reason: `excluded:missing_rate`.
    #[schemars(regex(pattern = r"^(numerator|denominator|excluded:.*)$"))]
    side: Option<String>,
    /// A part of what is made of other metrics: `cac`, `lifespan.churn.3`.
    part: Option<String>,
    limit: Option<usize>,
    offset: Option<usize>,
}

/// Facts of the present, or those of the past with the memory that they have.
enum Facts {
    Now(Arc<Snapshot>),
    Then(Arc<Then>),
}

impl std::ops::Deref for Facts {
    type Target = Snapshot;
    fn deref(&self) -> &Snapshot {
        match self {
            Facts::Now(facts) => facts,
            Facts::Then(then) => &then.facts,
        }
    }
}

impl Asked {
    async fn facts(&self, app: &Arc<App>, caller: &Caller) -> Result<(Facts, i64), Problem> {
        let Some(text) = &self.as_of else {
            let facts = caller.now(app, self.after).await;
            // What was written within this very second has happened: the present ends with it.
            return Ok((Facts::Now(facts), app.env.now() + 1));
        };
        let zone = &caller.place.feed.now().settings.zone;
        let instant = northing_model::value::parse_instant(text)
            .or_else(|| northing_model::value::parse_date(text).map(|d| zone.midnight(d)))
            .ok_or_else(|| Problem::bad(format!("as_of: '{text}' is not an instant; write it like 2024-05-31T09:30:00Z")))?;
        let seq = app.past.seq_at(&app.store, instant).await?;
        Ok((Facts::Then(app.past.at(&app.store, &caller.place, seq, &caller.actor).await?), instant))
    }

    fn question(&self, metrics: &str, snapshot: &Snapshot, now: i64) -> Result<Question, Problem> {
        let day = |text: &str, what: &str| northing_model::value::parse_date(text).ok_or_else(|| Problem::bad(format!("{what}: '{text}' is not a day; write it like 2024-05-31")));
        let wanted = |text: &str| {
            let (metric, variant) = text.split_once(':').map_or((text, None), |(m, v)| (m, Some(v)));
            Wanted { metric: metric.trim().into(), variant: variant.map(str::to_string).or_else(|| self.variant.clone()).filter(|v| !v.is_empty()) }
        };
        Ok(Question {
            metrics: metrics.split(',').filter(|m| !m.is_empty()).map(wanted).collect(),
            period: Period { start: day(&self.from, "from")?, end: day(&self.to, "to")? },
            grain: self.grain.unwrap_or(Grain::Total),
            calendar: self.calendar.unwrap_or(snapshot.settings.calendar),
            by: self.by.as_deref().unwrap_or("").split(',').filter(|d| !d.is_empty()).map(str::to_string).collect(),
            filter: condition(self.filter.as_deref())?,
            compare: match self.compare {
                None | Some(Against::None) => None,
                Some(Against::Previous) => Some(Compare::Previous),
                Some(Against::Year) => Some(Compare::Year),
            },
            now,
        })
    }
}

pub async fn ask(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (facts, now) = asked.facts(&app, &caller).await?;
    let question = asked.question(&asked.metrics, &facts, now)?;
    if question.metrics.is_empty() {
        return Err(Problem::refused("metrics: name at least one; GET /api/metrics lists them"));
    }
    if question.metrics.len() > MOST_METRICS {
        return Err(Problem::refused(format!("metrics: ask for at most {MOST_METRICS} at once")));
    }
    let place = caller.place.clone();
    app.answer(&caller.actor, move |budget| Ok(northing_metrics::ask_within(&facts, &question, &place.cache, budget)?)).await
}

/// Metrics of one question.
const MOST_METRICS: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tried {
    /// One metric or several, in the language of `model/metrics`.
    toml: String,
    #[schemars(extend("format" = "date"))]
    from: String,
    #[schemars(extend("format" = "date"))]
    to: String,
    grain: Option<Grain>,
    by: Option<String>,
    calendar: Option<Calendar>,
}

/// What metrics that nobody has declared yet would say; nothing is kept.
pub async fn try_out(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, JsonBody(Tried { toml, from, to, grain, by, calendar }): JsonBody<Tried>) -> Result<Response, Problem> {
    let asked = Asked { from, to, grain, by, calendar, ..Asked::default() };
    let (facts, now) = (caller.place.feed.now(), app.env.now() + 1);
    app.answer(&caller.actor, move |budget| {
        let (model, new) = facts.model.with_metrics(&toml).map_err(|e| Problem::refused(e.to_string()))?;
        if new.is_empty() {
            return Err(Problem::refused("declare a metric: [its_name] and below it kind, unit, good, group and what it counts"));
        }
        let facts = Snapshot { model: Arc::new(model), ..(*facts).clone() };
        let question = asked.question(&new.join(","), &facts, now)?;
        // A cache of its own: what is tried must not be taken for what is kept.
        Ok(northing_metrics::ask_within(&facts, &question, &northing_metrics::Cache::default(), budget)?)
    })
    .await
}

/// A metric by when customers first bought: rows of cohorts, one cell a period since.
pub async fn cohorts(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>, Query(mut asked): Query<Asked>) -> Result<Response, Problem> {
    asked.grain.get_or_insert(Grain::Month);
    let (facts, now) = asked.facts(&app, &caller).await?;
    let question = asked.question(&id, &facts, now)?;
    let place = caller.place.clone();
    app.answer(&caller.actor, move |budget| Ok(northing_metrics::cohorts_within(&facts, &question, &place.cache, budget)?)).await
}

pub async fn drill(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(id): Path<String>, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let (facts, now) = asked.facts(&app, &caller).await?;
    let question = asked.question(&id, &facts, now)?;
    let side = match asked.side.as_deref().unwrap_or("numerator") {
        "numerator" => Side::Numerator,
        "denominator" => Side::Denominator,
        other => Side::Excluded(other.strip_prefix("excluded:").ok_or_else(|| Problem::bad("side: numerator, denominator or excluded:REASON"))?.into()),
    };
    let wish = Wish { side, part: asked.part.clone().unwrap_or_default(), offset: asked.offset.unwrap_or(0), limit: asked.limit.unwrap_or(50).clamp(1, 1_000) };
    let (own, who) = (app.clone(), caller.clone());
    app.answer(&caller.actor, move |budget| {
        let mut found = drill_into(&facts, &question, &wish, budget)?;
        northing_crm::titles::fill(&own.store, found.rows.iter_mut().map(|r| (r.object.as_str(), r.id, &mut r.title)))?;
        own.showed(&who, found.rows.iter().map(|r| r.object.as_str()));
        Ok(found)
    })
    .await
}
