//! A new workspace: its settings and a pipeline to begin with.

use crate::{Env, Result};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store};

/// Creates the settings record if there is none; `settings` override the declared defaults.
pub fn ensure(store: &Store, env: &Env, settings: &Record) -> Result<bool> {
    if store.workspace()?.is_some() {
        return Ok(false);
    }
    let mut fields = Record::from([("name".into(), Value::Text("Northing".into()))]);
    fields.extend(settings.clone());
    let change = Change::create("workspace", env.id(), fields);
    store.commit(Commit { actor: crate::access::OWNER.into(), at: env.now(), changes: vec![change], key: None })?;
    Ok(true)
}

/// Roles that a business can begin with, if there are none.
pub fn ensure_roles(store: &Store, env: &Env) -> Result<()> {
    if store.count("access_role")? > 0 {
        return Ok(());
    }
    let text = |t: &str| Value::Text(t.into());
    let role = |(name, rights): &(&str, &str)| Change::create("access_role", env.id(), Record::from([("name".into(), text(name)), ("rights".into(), text(rights))]));
    let changes = crate::access::FIRST_ROLES.iter().map(role).collect();
    store.commit(Commit { actor: crate::access::OWNER.into(), at: env.now(), changes, key: None })?;
    Ok(())
}

/// How soon tickets are answered and solved, in minutes of open hours, to begin with, if nothing is promised yet.
pub fn ensure_promises(store: &Store, env: &Env) -> Result<()> {
    if store.count("service_promise")? > 0 {
        return Ok(());
    }
    let text = |t: &str| Value::Text(t.into());
    let promise = |(name, priority, reply, solve): (&str, &str, i64, i64)| {
        let fields = [("name", text(name)), ("priority", text(priority)), ("first_reply_target_mins", Value::Int(reply)), ("resolution_target_mins", Value::Int(solve))];
        Change::create("service_promise", env.id(), fields.into_iter().map(|(k, v)| (k.to_string(), v)).collect())
    };
    let changes = [("Urgent", "urgent", 60, 240), ("High", "high", 120, 480), ("Normal", "normal", 480, 1_440), ("Low", "low", 960, 2_400)].into_iter().map(promise).collect();
    store.commit(Commit { actor: crate::access::OWNER.into(), at: env.now(), changes, key: None })?;
    Ok(())
}

/// A pipeline that a business can begin with, if there is none.
pub fn ensure_pipeline(store: &Store, env: &Env) -> Result<()> {
    if store.count("pipeline")? > 0 {
        return Ok(());
    }
    let text = |t: &str| Value::Text(t.into());
    let pipeline = env.id();
    let mut changes = vec![Change::create("pipeline", pipeline, Record::from([("name".into(), text("Sales"))]))];
    let stages = [("New", "open", 10), ("Qualified", "open", 30), ("Proposal", "open", 50), ("Negotiation", "open", 75), ("Won", "won", 100), ("Lost", "lost", 0), ("Not a chance", "void", 0)];
    for (i, (name, kind, probability)) in stages.into_iter().enumerate() {
        changes.push(Change::create(
            "stage",
            env.id(),
            Record::from([
                ("name".into(), text(name)),
                ("kind".into(), text(kind)),
                ("pipeline".into(), Value::Ref(pipeline)),
                ("position".into(), Value::Int(i as i64 + 1)),
                ("probability".into(), Value::Int(probability)),
            ]),
        ));
    }
    store.commit(Commit { actor: crate::access::OWNER.into(), at: env.now(), changes, key: None })?;
    Ok(())
}
