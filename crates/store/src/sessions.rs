//! Sign-in tokens and sessions. Only hashes are kept, so a copy of the database opens nothing.

use crate::{Result, Store, StoreError};
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

/// Idle time after which a session ends, and its longest life, in seconds.
const IDLE: i64 = 12 * 3600;
const LIFE: i64 = 7 * 86_400;

#[derive(Debug, Clone)]
pub struct Session {
    pub actor: String,
    pub expires_at: i64,
}

pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

impl Store {
    /// Keeps a one-use sign-in token for `seconds`.
    pub fn add_sign_in(&self, token: &str, actor: &str, now: i64, seconds: i64) -> Result<()> {
        let (hash, actor) = (hash(token), actor.to_string());
        self.effect(move |c| {
            c.execute("delete from sign_in where expires_at < ?1", [now])?;
            c.execute("insert into sign_in (token_hash, actor, expires_at) values (?1, ?2, ?3)", params![hash, actor, now + seconds])?;
            Ok(())
        })
    }

    /// Uses a sign-in token up and opens a session under `session`; an unknown or used token is refused.
    pub fn sign_in(&self, token: &str, session: &str, now: i64) -> Result<Option<Session>> {
        let (token, session) = (hash(token), hash(session));
        let (sender, receiver) = std::sync::mpsc::channel();
        self.effect(move |c| {
            let found: Option<(String, i64)> = c
                .query_row("delete from sign_in where token_hash = ?1 returning actor, expires_at", [&token], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            let opened = found.filter(|(_, expires)| *expires >= now).map(|(actor, _)| Session { actor, expires_at: now + LIFE });
            if let Some(s) = &opened {
                c.execute(
                    "insert into session (token_hash, actor, created_at, seen_at, expires_at) values (?1, ?2, ?3, ?3, ?4)",
                    params![session, s.actor, now, s.expires_at],
                )?;
            }
            sender.send(opened).map_err(|_| StoreError::ReadOnly("the caller has gone".into()))
        })?;
        Ok(receiver.try_recv().ok().flatten())
    }

    /// The session of a token, if it is alive; being seen keeps it alive.
    pub fn session(&self, token: &str, now: i64) -> Result<Option<Session>> {
        let hash = hash(token);
        let found: Option<(String, i64, i64)> = self.read(|c| {
            Ok(c.prepare_cached("select actor, seen_at, expires_at from session where token_hash = ?1")?
                .query_row([&hash], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .optional()?)
        })?;
        let Some((actor, seen, expires_at)) = found else { return Ok(None) };
        if now > expires_at || now > seen + IDLE {
            return Ok(None);
        }
        if now > seen + 300 {
            self.effect(move |c| {
                c.execute("update session set seen_at = ?2 where token_hash = ?1", params![hash, now])?;
                Ok(())
            })?;
        }
        Ok(Some(Session { actor, expires_at }))
    }

    pub fn end_session(&self, token: &str) -> Result<()> {
        let hash = hash(token);
        self.effect(move |c| {
            c.execute("delete from session where token_hash = ?1", [hash])?;
            Ok(())
        })
    }
}
