//! When somebody can be booked: open and free times of days, for any object that says whose time it takes
//! (`exclusive`). What the caller does not see takes nothing here; writing finds out.

use crate::app::{Caller, blocking};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use axum::{Extension, Json};
use northing_facts::free::{Spans, free};
use northing_facts::table::EXISTS;
use northing_model::{Value, value::parse_date};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use uuid::Uuid;

const MOST_DAYS: i32 = 31;
const MOST: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// A local day.
    #[schemars(extend("format" = "date"))]
    from: String,
    /// Days from there on; one without it.
    #[schemars(range(min = 1, max = MOST_DAYS))]
    days: Option<i32>,
    /// Ids separated by commas; without it all that are active.
    #[schemars(regex(pattern = r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(,[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})*)?$"))]
    of: Option<String>,
}

pub async fn times(Extension(caller): Extension<Caller>, Path(name): Path<String>, Query(asked): Query<Asked>) -> Result<Json<Js>, Problem> {
    let from = parse_date(&asked.from).ok_or_else(|| Problem::bad("from: a day like 2026-11-22"))?;
    let days = asked.days.unwrap_or(1);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::bad(format!("days: from 1 to {MOST_DAYS}")));
    }
    let ids = asked.of.as_deref().filter(|of| !of.is_empty()).map(|of| of.split(',').map(Uuid::parse_str).collect::<Result<Vec<_>, _>>()).transpose().map_err(|_| Problem::bad("of: ids separated by commas"))?;
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        let of = def.exclusive.as_ref().and_then(|x| def.field(&x.of)).and_then(|f| f.to.as_deref());
        let of = of.filter(|of| caller.place.view.as_ref().is_none_or(|v| v.sees(of))).ok_or_else(|| Problem::not_found(format!("{name} take nobody's time")))?;
        let index = snapshot.table_index(of).ok_or_else(|| Problem::internal("a table that is not there"))?;
        let table = &snapshot.tables[index];
        let active = table.schema.column("active");
        let rows: Vec<u32> = match &ids {
            Some(ids) => ids.iter().filter_map(|id| snapshot.row_of(index, *id)).filter(|r| table.flags(*r) & EXISTS != 0).take(MOST).collect(),
            None => (0..table.len).filter(|r| table.flags(*r) & EXISTS != 0 && active.is_none_or(|c| table.get(c, *r) != 0)).take(MOST).collect(),
        };
        let all = free(&snapshot, def, &rows, from, from.saturating_add(days)).unwrap_or_default();
        let spans = |spans: &Spans| -> Js { spans.iter().map(|(a, b)| json!([Value::Time(*a).to_json(), Value::Time(*b).to_json()])).collect() };
        let of: Vec<Js> = all.iter().map(|f| json!({"id": table.id(f.row), "title": snapshot.title(index, f.row), "hours": f.hours, "open": spans(&f.open), "free": spans(&f.free)})).collect();
        Ok(Json(json!({"seq": snapshot.shown, "of": of})))
    })
    .await
}
