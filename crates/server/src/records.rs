//! Records of every object: list, get, create, change, delete, history, merge. Generic over the model.

use crate::app::{App, CATCH_UP, Caller, blocking};
use crate::changes::New;
use crate::extract::{JsonBody, Path, Query};
use crate::metrics::{self, CONDITION};
use crate::problem::Problem;
use crate::search;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use northing_facts::list::{ListPage, ListQuery, list as facts_list};
use northing_facts::{NULL, Snapshot};
use northing_model::labels::LANGUAGES;
use northing_model::{Expr, ObjectDef, Record, Value};
use crate::usage;
use northing_crm::access::{Action, opens_a_door};
use northing_store::{Change, Commit, Committed, Op};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Js, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use uuid::Uuid;

const LARGEST_PAGE: usize = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListParams {
    #[schemars(extend("format" = CONDITION))]
    filter: Option<String>,
    /// Only what is called so, has this address or this phone, however it is typed; best first where no order is asked for.
    #[schemars(length(max = search::LONGEST))]
    search: Option<String>,
    /// Fields separated by commas, `-` in front for descending.
    sort: Option<String>,
    /// At most 500 are given at a time.
    limit: Option<usize>,
    /// `next` of the page before.
    #[schemars(regex(pattern = r"^at[0-9]{1,18}$"))]
    cursor: Option<String>,
    /// Wait until the facts include this change.
    after: Option<u64>,
    /// The language of an export's headings.
    #[schemars(extend("enum" = LANGUAGES))]
    pub lang: Option<String>,
    /// The kind of file of an export.
    pub format: Option<FileKind>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    Csv,
    Xlsx,
}

pub async fn list(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>, Query(params): Query<ListParams>) -> Result<Json<Js>, Problem> {
    let snapshot = caller.now(&app, params.after).await;
    blocking(move || {
        let def = caller.object(&snapshot.model, &name)?;
        let offset = match &params.cursor {
            None => 0,
            Some(cursor) => cursor.strip_prefix("at").and_then(|n| n.parse().ok()).ok_or_else(|| Problem::bad("the cursor is not one of ours; leave it out to begin again"))?,
        };
        let limit = params.limit.unwrap_or(50).clamp(1, LARGEST_PAGE);
        let page = found(&app, &snapshot, &caller, &name, &params, offset, limit)?;
        let table = snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(name))?;
        let items = rows(&app, &snapshot, def, table, &page.rows)?;
        app.showed(&caller, items.iter().map(|_| def.name.as_str()));
        let next = (offset + page.rows.len() < page.total).then(|| format!("at{}", offset + page.rows.len()));
        Ok(Json(json!({"seq": snapshot.shown, "total": page.total, "items": items, "next": next})))
    })
    .await
}

/// Groups shown at a time; when some are merged, the next come.
const TWINS: usize = 60;

/// Records that may be the same, and by what.
pub async fn twins(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>) -> Result<Json<Js>, Problem> {
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        let table = snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(name))?;
        let mut groups = Vec::new();
        for group in northing_facts::twins::twins(&snapshot, &def.name, TWINS) {
            let items = rows(&app, &snapshot, def, table, &group.rows)?;
            app.showed(&caller, items.iter().map(|_| def.name.as_str()));
            groups.push(json!({"field": group.field, "items": items}));
        }
        Ok(Json(json!({"seq": snapshot.shown, "groups": groups})))
    })
    .await
}

/// The records that a list's parameters ask for, as far as the caller may see them.
pub fn found(app: &App, snapshot: &Snapshot, caller: &Caller, name: &str, params: &ListParams, offset: usize, limit: usize) -> Result<ListPage, Problem> {
    let def = caller.object(&snapshot.model, name)?;
    let words = params.search.as_deref().map(str::trim).filter(|w| !w.is_empty());
    let sort = params.sort.as_deref().map_or_else(|| if words.is_some() { Vec::new() } else { def.sort.clone() }, |s| s.split(',').filter(|s| !s.is_empty()).map(str::to_string).collect());
    let filter = metrics::condition(params.filter.as_deref())?;
    let among = words.map(|words| search::within(app, snapshot, caller, def, words)).transpose()?;
    let query = ListQuery { filter, among, sort, offset, limit };
    facts_list(snapshot, &def.name, &query, app.env.now()).map_err(Problem::refused)
}

/// The rows of all records that a filter finds for the caller.
pub fn found_by(app: &App, snapshot: &Snapshot, caller: &Caller, name: &str, filter: Option<&str>) -> Result<Vec<u32>, Problem> {
    let params = ListParams { filter: filter.map(str::to_string), search: None, sort: Some(String::new()), limit: None, cursor: None, after: None, lang: None, format: None };
    found(app, snapshot, caller, name, &params, 0, u32::MAX as usize).map(|page| page.rows)
}

/// Records of a page in order: stored fields from the store, derived ones from the facts.
pub fn rows(app: &App, snapshot: &Snapshot, def: &ObjectDef, table: usize, rows: &[u32]) -> Result<Vec<Js>, Problem> {
    let ids: Vec<Uuid> = rows.iter().filter_map(|r| snapshot.tables[table].id(*r)).collect();
    let found = app.store.get_many(&def.name, &ids)?;
    let by_id: std::collections::HashMap<Uuid, (Record, u64)> = found.into_iter().map(|(id, r, v)| (id, (r, v))).collect();
    Ok(rows
        .iter()
        .filter_map(|row| {
            let id = snapshot.tables[table].id(*row)?;
            let (record, version) = by_id.get(&id)?;
            Some(shown(snapshot, def, table, Some(*row), id, record, *version))
        })
        .collect())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grouped {
    by: String,
    #[schemars(extend("format" = CONDITION))]
    filter: Option<String>,
    /// Fields to add up, separated by commas.
    sums: Option<String>,
}

/// Groups that are told; how many there are is told in any case.
const GROUPS: usize = 200;

/// How many of a list's records there are by what a field says, and the sums of others, in the reporting currency.
pub async fn groups(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>, Query(asked): Query<Grouped>) -> Result<Json<Js>, Problem> {
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        let table = snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(name.clone()))?;
        let filter = metrics::condition(asked.filter.as_deref())?;
        let sums: Vec<String> = asked.sums.as_deref().unwrap_or_default().split(',').filter(|s| !s.is_empty()).map(str::to_string).collect();
        let groups = northing_facts::groups::groups(&snapshot, &def.name, filter, &asked.by, &sums, app.env.now()).map_err(Problem::refused)?;
        let source = &snapshot.tables[table];
        let own = |name: &str| northing_facts::groups::column(&snapshot, table, name).map_err(Problem::refused);
        let by = own(&asked.by)?;
        let columns = sums.iter().map(|s| own(s)).collect::<Result<Vec<_>, _>>()?;
        let told: Vec<Js> = groups
            .iter()
            .take(GROUPS)
            .map(|g| {
                let value = if g.value == NULL { Js::Null } else { derived(&snapshot, source, by, g.row, g.value).to_json() };
                let title = source.schema.columns[by].target.zip(u32::try_from(g.value).ok()).map(|(to, row)| snapshot.title(to, row));
                let sum = |(column, sum): (&usize, &Option<i128>)| sum.and_then(|s| i64::try_from(s).ok()).map_or(Js::Null, |s| derived(&snapshot, source, *column, g.row, s).to_json());
                let sums: Map<String, Js> = sums.iter().cloned().zip(columns.iter().zip(&g.sums).map(sum)).collect();
                json!({"value": value, "title": title, "count": g.count, "sums": sums})
            })
            .collect();
        Ok(Json(json!({"seq": snapshot.shown, "total": groups.len(), "groups": told})))
    })
    .await
}

/// A record as JSON: its fields, its derived values, and the titles of what it refers to.
fn shown(snapshot: &Snapshot, def: &ObjectDef, table: usize, row: Option<u32>, id: Uuid, record: &Record, version: u64) -> Js {
    let mut fields: Map<String, Js> = record.iter().filter(|(k, _)| def.fields.contains_key(*k)).map(|(k, v)| (k.clone(), v.to_json())).collect();
    let mut titles = Map::new();
    let source = &snapshot.tables[table];
    if let Some(row) = row.or_else(|| snapshot.row_of(table, id)) {
        for field in def.fields.values() {
            let Some(column) = source.schema.column(&field.name) else { continue };
            let value = source.get(column, row);
            if let (Some(target), Ok(other)) = (source.schema.columns[column].target, u32::try_from(value)) {
                titles.insert(field.name.clone(), json!(snapshot.title(target, other)));
            }
            if field.derived && value != NULL {
                fields.insert(field.name.clone(), derived(snapshot, source, column, row, value).to_json());
            }
        }
    }
    json!({"id": id, "version": version, "fields": fields, "titles": titles})
}

fn derived(snapshot: &Snapshot, source: &northing_facts::Table, column: usize, row: u32, value: i64) -> Value {
    use northing_model::Physical;
    let meta = &source.schema.columns[column];
    match meta.kind.physical() {
        Physical::Money => {
            let currency = snapshot.settings.currency;
            let minor = northing_model::money::div_half_even(i128::from(value), i128::from(currency.ticks_per_minor())).unwrap_or(value);
            Value::Money(northing_model::Money { minor, currency })
        }
        Physical::Time => Value::Time(value),
        Physical::Date => Value::Date(value as i32),
        Physical::Bool => Value::Bool(value != 0),
        Physical::Decimal => Value::Decimal(value),
        Physical::Text => source.text(column, row).map_or(Value::Null, |t| Value::Text(t.to_string())),
        Physical::Ref => meta.target.and_then(|t| snapshot.tables[t].id(value as u32)).map_or(Value::Null, Value::Ref),
        Physical::Int | Physical::List => Value::Int(value),
    }
}

fn etag(response: &mut Response, version: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, value);
    }
}

pub async fn get(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path((name, id)): Path<(String, Uuid)>) -> Result<Response, Problem> {
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        known(&app, &caller, def, id)?;
        let (record, version) = app.store.get(&def.name, id)?;
        app.showed(&caller, [def.name.as_str()]);
        let table = snapshot.table_index(&def.name).ok_or_else(|| Problem::not_found(name.clone()))?;
        let mut response = Json(shown(&snapshot, def, table, None, id, &record, version)).into_response();
        etag(&mut response, version);
        Ok(response)
    })
    .await
}

/// What may not be seen does not exist.
fn known(app: &App, caller: &Caller, def: &ObjectDef, id: Uuid) -> Result<(), Problem> {
    if caller.knows(app, &def.name, id) { Ok(()) } else { Err(Problem::not_found(format!("{} {id} does not exist", def.name))) }
}

/// The fields of a request, checked against the declaration and the caller's rights; derived and unknown ones are refused.
pub fn fields(app: &App, caller: &Caller, def: &ObjectDef, body: &Js, new: &New) -> Result<Record, Problem> {
    let currency = caller.place.feed.now().settings.currency;
    let map = body.as_object().ok_or_else(|| Problem::bad("send an object of fields: {\"name\": \"…\"}"))?;
    let mut record = Record::new();
    for (name, value) in map {
        let refuse = |why: String| Problem { field: Some(name.clone()), ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The record cannot be saved so", why) };
        let field = def.field(name).ok_or_else(|| refuse(format!("{} has no field '{name}'", def.name)))?;
        if field.derived || matches!(name.as_str(), "updated_at" | "merged_into") {
            return Err(refuse(format!("'{name}' is kept by Northing and cannot be set")));
        }
        // A stolen token must not raise the number that tells of it.
        if caller.rights.read_only(&def.name, name) || (caller.program.is_some() && def.name == "workspace" && name == crate::outflow::SETTING) {
            return Err(refuse(format!("'{name}' is not yours to change")));
        }
        // When something began is a number's to tell: it is entered with what comes from elsewhere, not at will.
        if name == "created_at" && !caller.rights.settings() {
            return Err(refuse(format!("'{name}' is not yours to change")));
        }
        let made = value.as_str().and_then(|text| new.get(text));
        let value = made.map_or_else(|| field.read(value, currency).map_err(|e| refuse(format!("{name}: {e}"))), |id| Ok(Value::Ref(*id)))?;
        if let (Value::Ref(other), Some(to)) = (&value, field.to.as_deref()) {
            if made.is_none() && !caller.knows(app, to, *other) {
                return Err(refuse(format!("{}.{name}: there is no {to} with the id {other}", def.name)));
            }
        }
        if let (Some(text), "access_role", "rights") = (value.as_text(), def.name.as_str(), name.as_str()) {
            northing_crm::access::check(&app.store.model(), text).map_err(refuse)?;
        }
        if let (Some(text), Some(on)) = (value.as_text(), &field.condition_on) {
            condition(&app.store.model(), on, text).map_err(|why| refuse(format!("{name}: {why}; write something like source = 'Referral' and country = 'Poland'")))?;
        }
        record.insert(name.clone(), value);
    }
    Ok(record)
}

/// Checks a condition on what records of an object say themselves: it is looked at as they are written, when what is
/// worked out later is not there yet.
fn condition(model: &northing_model::Model, on: &str, text: &str) -> Result<(), String> {
    let expr = Expr::parse(text)?;
    let told = |p: &[String]| p.len() == 1 && model.object(on).and_then(|o| o.field(&p[0])).is_none_or(|f| !f.derived);
    if let Some(path) = expr.paths().iter().find(|p| !told(p)) {
        return Err(format!("'{}' is not what a {on} says itself", path.join(".")));
    }
    if expr.check(model, on)? == northing_model::expr::Type::Bool { Ok(()) } else { Err("this is a value, not a condition".into()) }
}

fn expected(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(told) = headers.get(header::IF_MATCH) else { return Ok(None) };
    // What cannot be read must not pass for nothing: the change would be made to any version.
    let version = told.to_str().ok().and_then(|text| text.trim_matches('"').parse().ok());
    version.map(Some).ok_or_else(|| Problem::bad("If-Match holds the version that you have seen: \"3\""))
}

/// May the caller do this to the record? Of what is not seen nothing is told, not even that it may not be changed.
pub fn permit(app: &App, caller: &Caller, def: &ObjectDef, id: Option<Uuid>, action: Action) -> Result<(), Problem> {
    let allowed = match id {
        None => caller.rights.may(def, action),
        Some(id) => {
            known(app, caller, def, id)?;
            caller.rights.may_with(&caller.place.feed.now(), def, id, action)
        }
    };
    if allowed { Ok(()) } else { Err(Problem::forbidden(format!("your role does not let you do this with {}", def.plural))) }
}

/// Characters of an Idempotency-Key, of ASCII.
pub const LONGEST_KEY: usize = 200;

/// The caller's key for this request and what tells the request from another, where it sends one.
pub fn idempotency(caller: &Caller, headers: &HeaderMap, told: &str) -> Result<Option<(String, String)>, Problem> {
    match headers.get("idempotency-key").map(|k| k.to_str().unwrap_or_default()) {
        None => Ok(None),
        Some(key) if key.is_empty() || key.len() > LONGEST_KEY => Err(Problem::bad("Idempotency-Key: 1 to 200 characters")),
        Some(key) => {
            let hash: String = Sha256::digest(told.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
            Ok(Some((format!("{}:{key}", caller.actor), hash)))
        }
    }
}

/// What was answered to this request before, if it is here again: nothing is done or looked at anew.
pub fn answered(app: &App, caller: &Caller, key: Option<&(String, String)>) -> Result<Option<Committed>, Problem> {
    let Some((key, told)) = key else { return Ok(None) };
    Ok(app.store.answered(key, told)?.map(|done| seen(caller, done)))
}

/// Writes changes that were allowed, and waits until the caller's facts have them. Those by which somebody gets in, or
/// may do more, are for who has just proved who they are.
pub fn commit(app: &App, caller: &Caller, changes: Vec<Change>, key: Option<(String, String)>) -> Result<Committed, Problem> {
    let model = app.store.model();
    if changes.iter().any(|c| model.object(&c.object).is_some_and(|o| opens_a_door(o, c))) {
        caller.proven(app)?;
    }
    let did: Vec<_> = changes.iter().filter_map(|c| usage::kind(c).zip(model.object(&c.object).map(|o| &o.plural))).collect();
    let done = app.store.commit(Commit { actor: caller.actor.clone(), at: app.env.now(), changes: changes.clone(), key })?;
    did.into_iter().for_each(|(kind, feature)| app.did(caller, kind, feature));
    Ok(seen(caller, done))
}

fn seen(caller: &Caller, mut done: Committed) -> Committed {
    let shown = caller.place.feed.at_least(done.seq, CATCH_UP).shown;
    if caller.place.view.is_some() {
        done.seq = shown;
    }
    done
}

/// One change, after the caller's rights to it were looked at; `told` is what tells the request from another under the
/// same key.
async fn write(app: Arc<App>, caller: Caller, headers: HeaderMap, told: String, wanted: impl FnOnce(&App, &Caller) -> Result<Change, Problem> + Send + 'static) -> Result<Committed, Problem> {
    let expected = expected(&headers)?;
    let key = idempotency(&caller, &headers, &told)?;
    blocking(move || {
        if let Some(done) = answered(&app, &caller, key.as_ref())? {
            return Ok(done);
        }
        let mut change = wanted(&app, &caller)?;
        if change.op != Op::Create {
            change.expected = expected;
        }
        commit(&app, &caller, vec![change], key)
    })
    .await
}

fn written(done: &Committed, status: StatusCode) -> Response {
    let (id, version) = done.versions.first().copied().map_or((None, None), |(id, v)| (Some(id), Some(v)));
    let mut response = (status, Json(json!({"id": id, "version": version, "seq": done.seq}))).into_response();
    if let Some(version) = version {
        etag(&mut response, version);
    }
    response
}

pub async fn create(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(name): Path<String>, headers: HeaderMap, JsonBody(body): JsonBody<Js>) -> Result<Response, Problem> {
    let told = format!("create {name} {body}");
    let done = write(app, caller, headers, told, move |app, caller| {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        permit(app, caller, def, None, Action::Create)?;
        let mut fields = fields(app, caller, def, &body, &New::new())?;
        if let Some((field, user)) = caller.rights.default_owner(def) {
            fields.entry(field).or_insert(Value::Ref(user));
        }
        Ok(Change::create(&def.name, app.env.id(), fields))
    })
    .await?;
    Ok(written(&done, StatusCode::CREATED))
}

pub async fn change(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path((name, id)): Path<(String, Uuid)>, headers: HeaderMap, JsonBody(body): JsonBody<Js>) -> Result<Response, Problem> {
    let told = format!("change {name} {id} {body}");
    let done = write(app, caller, headers, told, move |app, caller| {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        permit(app, caller, def, Some(id), Action::Change)?;
        Ok(Change::update(&def.name, id, fields(app, caller, def, &body, &New::new())?))
    })
    .await?;
    Ok(written(&done, StatusCode::OK))
}

pub async fn delete(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path((name, id)): Path<(String, Uuid)>, headers: HeaderMap) -> Result<Response, Problem> {
    let told = format!("delete {name} {id}");
    let done = write(app, caller, headers, told, move |app, caller| {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        permit(app, caller, def, Some(id), Action::Delete)?;
        Ok(Change::delete(&def.name, id))
    })
    .await?;
    Ok(written(&done, StatusCode::OK))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The record that stays; null takes a merge back.
    into: Option<Uuid>,
}

pub async fn merge(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path((name, id)): Path<(String, Uuid)>, headers: HeaderMap, JsonBody(body): JsonBody<Merge>) -> Result<Response, Problem> {
    let told = format!("merge {name} {id} {:?}", body.into);
    let done = write(app, caller, headers, told, move |app, caller| {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        for one in [Some(id), body.into].into_iter().flatten() {
            permit(app, caller, def, Some(one), Action::Change)?;
        }
        let value = body.into.map_or(Value::Null, Value::Ref);
        Ok(Change::update(&def.name, id, Record::from([("merged_into".into(), value)])))
    })
    .await?;
    Ok(written(&done, StatusCode::OK))
}

pub async fn history(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path((name, id)): Path<(String, Uuid)>) -> Result<Json<Js>, Problem> {
    blocking(move || {
        let snapshot = caller.place.feed.now();
        let def = caller.object(&snapshot.model, &name)?;
        known(&app, &caller, def, id)?;
        let log = app.store.record_log(&def.name, id, 200)?;
        if log.is_empty() {
            return Err(Problem::not_found(format!("{} {id} does not exist", def.name)));
        }
        app.showed(&caller, [def.name.as_str()]);
        let entries: Vec<Js> = log
            .iter()
            .filter_map(|entry| {
                let before = entry.before.clone().unwrap_or_default();
                let names: std::collections::BTreeSet<&String> = before.keys().chain(entry.after.keys()).collect();
                let changed: Map<String, Js> = names
                    .into_iter()
                    .filter(|n| *n != "updated_at" && def.fields.contains_key(*n) && before.get(*n) != entry.after.get(*n))
                    .map(|n| {
                        let side = |r: &Record| r.get(n).map_or(Js::Null, Value::to_json);
                        (n.clone(), json!({"from": side(&before), "to": side(&entry.after)}))
                    })
                    .collect();
                // A change of hidden fields alone was none, as far as this person knows.
                if changed.is_empty() && entry.op == Op::Update && caller.place.view.is_some() {
                    return None;
                }
                // A user, or the file that an import took it from.
                let (object, id) = entry.actor.strip_prefix("import:").map_or(("user", entry.actor.as_str()), |run| ("import_run", run));
                let who = Uuid::parse_str(id).ok().and_then(|id| snapshot.place_of(object, id)).map(|(table, row)| snapshot.title(table, row));
                Some(json!({"at": northing_model::value::time_text(entry.at), "actor": entry.actor, "who": who, "op": entry.op.name(), "version": entry.version, "changed": changed}))
            })
            .collect();
        Ok(Json(json!({"entries": entries})))
    })
    .await
}
