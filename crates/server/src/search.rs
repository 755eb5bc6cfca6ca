//! Finding records of any object by what people type. What the caller does not see is not looked at.

use crate::app::{App, Caller, blocking};
use crate::extract::Query;
use crate::problem::Problem;
use axum::extract::State;
use axum::{Extension, Json};
use northing_facts::Snapshot;
use northing_model::{ObjectDef, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Js, json};
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Words {
    #[schemars(length(max = LONGEST))]
    q: String,
}

/// Of each object at most so many.
const FOUND_EACH: usize = 6;
/// What people type is no longer.
pub const LONGEST: usize = 200;
/// Of one object at most so many.
const FOUND_WITHIN: usize = 500;
/// Titles that facts do not hold are looked through where an object has no more; else the newest, and all by how they begin.
const LOOKED_THROUGH: usize = 20_000;

/// The rows of one object that are found by words, best first, by the same rules as among all objects.
pub fn within(app: &App, snapshot: &Snapshot, caller: &Caller, def: &ObjectDef, words: &str) -> Result<Vec<u32>, Problem> {
    if words.chars().count() > LONGEST {
        return Err(Problem { field: Some("search".into()), ..Problem::bad("search: at most 200 characters") });
    }
    let mut rows = northing_facts::search::within(snapshot, &def.name, words, FOUND_WITHIN);
    // What may not be seen is left out before anything is found and cut off: it must not even keep others from being found.
    let sees = |id| caller.sees(snapshot, &def.name, id);
    let mut titles = app.store.titles(&def.name, LOOKED_THROUGH, sees)?;
    let begin = app.store.titled(&def.name, words, LOOKED_THROUGH, sees)?;
    let asked: HashSet<Uuid> = titles.iter().chain(&begin).map(|t| t.0).collect();
    let places = snapshot.rows_of(&def.name, &asked);
    titles.retain(|t| places.contains_key(&t.0));
    let likely = northing_facts::search::among(titles.iter().map(|t| t.1.as_str()), words);
    rows.extend(likely.into_iter().map(|at| titles[at].0).chain(begin.into_iter().map(|t| t.0)).filter_map(|id| places.get(&id)));
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(*row));
    rows.truncate(FOUND_WITHIN);
    Ok(rows)
}

/// Records of any object by name, e-mail or phone, however it is typed; orders by how their number begins.
pub async fn search(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Query(words): Query<Words>) -> Result<Json<Js>, Problem> {
    if words.q.chars().count() > LONGEST {
        return Err(Problem::bad("q: at most 200 characters"));
    }
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let found = northing_facts::search::search(&snapshot, &words.q, FOUND_EACH).map_err(Problem::refused)?;
        let items: Vec<Js> = found
            .iter()
            .filter_map(|f| {
                let object = snapshot.model.objects.get(f.table)?;
                let title = snapshot.title(f.table, f.row);
                Some(json!({"object": object.name, "plural": object.plural, "id": snapshot.tables[f.table].id(f.row)?, "by": if f.text == title { Js::Null } else { json!(f.text) }, "title": title}))
            })
            .chain(numbered(&app, &snapshot, &caller, words.q.trim())?)
            .chain(said(&app, &snapshot, &caller, &words.q)?)
            .collect();
        app.showed(&caller, items.iter().filter_map(|i| i["object"].as_str()));
        Ok(Json(json!({"seq": snapshot.shown, "found": items})))
    })
    .await
}

/// Those found by a title that facts do not hold, as far as the caller sees them.
fn numbered(app: &App, snapshot: &Snapshot, caller: &Caller, words: &str) -> Result<Vec<Js>, Problem> {
    let mut found = Vec::new();
    if words.chars().count() < 2 {
        return Ok(found);
    }
    for object in snapshot.model.objects.iter().filter(|o| !o.derived && caller.place.view.as_ref().is_none_or(|v| v.sees(&o.name))) {
        let seen = app.store.titled(&object.name, words, FOUND_EACH, |id| caller.sees(snapshot, &object.name, id))?;
        found.extend(seen.into_iter().map(|(id, title)| json!({"object": object.name, "plural": object.plural, "id": id, "by": Js::Null, "title": title})));
    }
    Ok(found)
}

/// Those in whose long texts the words stand, newest first. What only says something of another record (a message of
/// its ticket) leads to that one.
fn said(app: &App, snapshot: &Snapshot, caller: &Caller, q: &str) -> Result<Vec<Js>, Problem> {
    let wanted = northing_model::text::words(q);
    let mut places = Vec::new();
    app.store.said(&wanted, caller.place.view.is_none(), |object, field, id| {
        let hidden = caller.place.view.as_ref().is_some_and(|v| !v.sees(object) || v.hides(object, field));
        if !hidden && caller.sees(snapshot, object, id) {
            places.push((object.to_string(), field.to_string(), id));
        }
        places.len() < FOUND_EACH * 2
    })?;
    let mut found: Vec<(Uuid, Js)> = Vec::new();
    for (object, field, id) in places {
        let Some(def) = snapshot.model.object(&object) else { continue };
        // Written since the snapshot, or gone.
        let Ok((record, _)) = app.store.get(&object, id) else { continue };
        let of = if def.whose.len() == 1 && def.whose[0] == def.title { record.get(&def.title).and_then(Value::as_ref_id) } else { None };
        let place = match of {
            Some(of) => (def.field(&def.title).and_then(|f| f.to.clone()).unwrap_or_default(), of),
            None => (object.clone(), id),
        };
        let Some((table, row)) = snapshot.place_of(&place.0, place.1).filter(|_| caller.sees(snapshot, &place.0, place.1)) else { continue };
        if found.len() >= FOUND_EACH || found.iter().any(|(id, _)| *id == place.1) {
            continue;
        }
        let shown = &snapshot.model.objects[table];
        let title = Some(snapshot.title(table, row)).filter(|t| !t.is_empty()).or_else(|| record.get(&def.title).and_then(Value::as_text).map(str::to_string)).unwrap_or_default();
        let by = record.get(&field).and_then(Value::as_text).map(|text| northing_model::text::around(text, &wanted));
        found.push((place.1, json!({"object": shown.name, "plural": shown.plural, "id": place.1, "by": by, "title": title})));
    }
    Ok(found.into_iter().map(|(_, js)| js).collect())
}
