//! A demo workspace: a service business with two years of history, from a seed.
//!
//! Everything it writes goes through the store as a person's work would; all chance comes from the seed.

mod catalogue;
mod chance;
mod life;
mod story;

use crate::{Env, Result, access, workspace};
use northing_model::{Record, Value};
use northing_store::{Change, Commit, Store};

pub use chance::Chance;

/// Fills an empty store; how many records were written.
pub fn fill(store: &Store, env: &Env, seed: u64) -> Result<u64> {
    let text = |t: &str| Value::Text(t.into());
    let settings = Record::from([
        ("name".into(), text("Meridian Services")),
        ("currency".into(), text("EUR")),
        ("zone".into(), text("Europe/Warsaw")),
        ("service_minute_cost".into(), Value::Decimal(650_000)),
        ("crm_credit_percent".into(), Value::Int(2)),
        ("crm_go_live_on".into(), Value::Date((env.now() / 86_400) as i32 - 395)),
    ]);
    workspace::ensure(store, env, &settings)?;
    workspace::ensure_pipeline(store, env)?;
    workspace::ensure_roles(store, env)?;
    workspace::ensure_promises(store, env)?;
    let mut writer = Writer { store, env, pending: Vec::new(), written: 0 };
    let mut story = story::Story::new(store, env, seed)?;
    story.tell(&mut writer)?;
    writer.flush()?;
    Ok(writer.written)
}

/// Collects changes into commits of a thousand.
pub(crate) struct Writer<'a> {
    store: &'a Store,
    env: &'a Env,
    pending: Vec<Change>,
    written: u64,
}

impl Writer<'_> {
    pub fn push(&mut self, change: Change) -> Result<()> {
        self.pending.push(change);
        if self.pending.len() >= 1_000 {
            self.flush()?;
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<()> {
        let changes = std::mem::take(&mut self.pending);
        if changes.is_empty() {
            return Ok(());
        }
        self.written += changes.len() as u64;
        self.store.commit(Commit { actor: access::OWNER.into(), at: self.env.now(), changes, key: None })?;
        Ok(())
    }
}
