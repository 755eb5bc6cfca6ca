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
