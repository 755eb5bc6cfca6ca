//! Sign-in links, sessions and the tokens of programs. Only hashes are kept, so a copy of the database opens nothing.

use crate::{Result, Store, StoreError, write};
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

/// Idle time after which a session ends, and its longest life, in seconds.
const IDLE: i64 = 12 * 3600;
const LIFE: i64 = 7 * 86_400;

#[derive(Debug, Clone)]
pub struct Session {
    pub actor: String,
    pub expires_at: i64,
    pub created_at: i64,
    /// Opened by a link, not by a password.
    pub by_link: bool,
    /// Of a program that may only read.
    pub read_only: bool,
    /// The name of the token, if it is a program's.
    pub program: Option<String>,
}

/// A session or a token as its owner sees it; `id` says which, and opens nothing.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Opened {
    pub id: String,
    /// The browser, or the name that a token was given.
    pub name: String,
    pub created_at: i64,
    pub seen_at: Option<i64>,
    pub expires_at: i64,
    pub read_only: bool,
}

/// Of a new token.
#[derive(Debug, Clone)]
pub struct TokenTerms {
    pub actor: String,
    pub name: String,
    pub read_only: bool,
    pub now: i64,
    pub expires_at: i64,
}

/// So much of a hash names a session.
const ID: usize = 16;

pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

impl Store {
    /// Keeps a one-use sign-in token for `seconds`.
    pub fn add_sign_in(&self, token: &str, actor: &str, now: i64, seconds: i64) -> Result<()> {
        self.keep_sign_in(token, actor, now, seconds, false)
    }

    /// The same, and no earlier one of this person is good any more: of links that are passed on there is one at a time.
    pub fn only_sign_in(&self, token: &str, actor: &str, now: i64, seconds: i64) -> Result<()> {
        self.keep_sign_in(token, actor, now, seconds, true)
    }

    fn keep_sign_in(&self, token: &str, actor: &str, now: i64, seconds: i64, only: bool) -> Result<()> {
        let (hash, actor) = (hash(token), actor.to_string());
        self.effect(move |c| {
            if only {
                c.execute("delete from sign_in where actor = ?1", [&actor])?;
            }
            c.execute("delete from sign_in where expires_at < ?1", [now])?;
            c.execute("insert into sign_in (token_hash, actor, expires_at) values (?1, ?2, ?3)", params![hash, actor, now + seconds])?;
            Ok(())
        })
    }

    /// Uses a sign-in token up; whose it was, if it was good.
    pub fn use_sign_in(&self, token: &str, now: i64) -> Result<Option<String>> {
        let token = hash(token);
        let (sender, receiver) = std::sync::mpsc::channel();
        self.effect(move |c| {
            let found: Option<(String, i64)> = c
                .query_row("delete from sign_in where token_hash = ?1 returning actor, expires_at", [&token], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            sender.send(found.filter(|(_, expires)| *expires >= now).map(|f| f.0)).map_err(|_| StoreError::ReadOnly("the caller has gone".into()))
        })?;
        Ok(receiver.try_recv().ok().flatten())
    }

    /// Opens a session under a new token.
    pub fn open_session(&self, session: &str, actor: &str, agent: &str, by_link: bool, now: i64) -> Result<()> {
        let (session, actor, agent) = (hash(session), actor.to_string(), agent.chars().take(200).collect::<String>());
        self.effect(move |c| {
            c.execute("delete from session where expires_at < ?1 or seen_at < ?2", params![now, now - IDLE])?;
            c.execute(
                "insert into session (token_hash, actor, created_at, seen_at, expires_at, agent, by_link) values (?1, ?2, ?3, ?3, ?4, ?5, ?6)",
                params![session, actor, now, now + LIFE, agent, by_link],
            )?;
            Ok(())
        })
    }

    /// The session of a token, if it is alive; being seen keeps it alive.
    pub fn session(&self, token: &str, now: i64) -> Result<Option<Session>> {
        let hash = hash(token);
        let found: Option<(Session, i64)> = self.read(|c| {
            let sql = "select actor, expires_at, created_at, by_link, seen_at from session where token_hash = ?1";
            let session = |r: &rusqlite::Row<'_>| Ok((Session { actor: r.get(0)?, expires_at: r.get(1)?, created_at: r.get(2)?, by_link: r.get(3)?, read_only: false, program: None }, r.get(4)?));
            Ok(c.prepare_cached(sql)?.query_row([&hash], session).optional()?)
        })?;
        let found = found.map(|(session, seen)| (session, self.last_seen(&hash, seen)));
        let Some((session, seen)) = found.filter(|(s, seen)| now <= s.expires_at && now <= seen + IDLE) else { return Ok(None) };
        self.note_seen("update session set seen_at = ?2 where token_hash = ?1", hash, Some(seen), now);
        Ok(Some(session))
    }

    /// Whom a program's token speaks for, while it is good.
    pub fn token(&self, token: &str, now: i64) -> Result<Option<Session>> {
        let hash = hash(token);
        let found: Option<(Session, Option<i64>)> = self.read(|c| {
            let sql = "select actor, expires_at, created_at, read_only, used_at, name from token where token_hash = ?1";
            let session = |r: &rusqlite::Row<'_>| Ok((Session { actor: r.get(0)?, expires_at: r.get(1)?, created_at: r.get(2)?, by_link: false, read_only: r.get(3)?, program: r.get(5)? }, r.get(4)?));
            Ok(c.prepare_cached(sql)?.query_row([&hash], session).optional()?)
        })?;
        let Some((session, used)) = found.filter(|(s, _)| now <= s.expires_at) else { return Ok(None) };
        let last = Some(self.last_seen(&hash, used.unwrap_or(i64::MIN / 2)));
        self.note_seen("update token set used_at = ?2 where token_hash = ?1", hash, last, now);
        Ok(Some(session))
    }

    /// Keeps a program's token; its id. Under a key that was used for the same one it takes the place of that one, since
    /// whoever asks again never got it.
    pub fn add_token(&self, token: &str, terms: TokenTerms, key: Option<(String, String)>) -> Result<String> {
        let hash = hash(token);
        let id = hash[..ID].to_string();
        let own = id.clone();
        self.effect(move |c| {
            let TokenTerms { actor, name, read_only, now, expires_at } = terms;
            if let Some((key, told)) = &key {
                if let Some(lost) = write::kept_answer(c, key, told)? {
                    c.execute("delete from token where actor = ?1 and id = ?2", params![actor, lost])?;
                }
                write::keep_answer(c, key, told, &own, now)?;
            }
            let sql = "insert into token (token_hash, id, actor, name, read_only, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            c.execute(sql, params![hash, own, actor, name, read_only, now, expires_at])?;
            Ok(())
        })?;
        Ok(id)
    }

    pub fn tokens(&self, actor: &str) -> Result<Vec<Opened>> {
        self.opened("select id, name, created_at, used_at, expires_at, read_only from token where actor = ?1 order by created_at", actor)
    }
    pub fn sessions(&self, actor: &str) -> Result<Vec<Opened>> {
        let sql = format!("select substr(token_hash, 1, {ID}), coalesce(agent, ''), created_at, seen_at, expires_at, 0 from session where actor = ?1 order by created_at");
        self.opened(&sql, actor)
    }
    fn opened(&self, sql: &str, actor: &str) -> Result<Vec<Opened>> {
        self.read(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let row = |r: &rusqlite::Row<'_>| Ok(Opened { id: r.get(0)?, name: r.get(1)?, created_at: r.get(2)?, seen_at: r.get(3)?, expires_at: r.get(4)?, read_only: r.get(5)? });
            let found = statement.query_map([actor], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(found)
        })
    }
    pub fn end_token(&self, actor: &str, id: &str) -> Result<()> {
        let (actor, id) = (actor.to_string(), id.to_string());
        self.effect(move |c| {
            c.execute("delete from token where actor = ?1 and id = ?2", params![actor, id])?;
            Ok(())
        })
    }
    /// The id under which the session of a token is listed.
    pub fn session_id(token: &str) -> String {
        hash(token)[..ID].to_string()
    }
    pub fn end_session_of(&self, actor: &str, id: &str) -> Result<()> {
        let (actor, id) = (actor.to_string(), id.to_string());
        self.effect(move |c| {
            c.execute(&format!("delete from session where actor = ?1 and substr(token_hash, 1, {ID}) = ?2"), params![actor, id])?;
            Ok(())
        })
    }
    /// Ends all sessions of somebody but one, and all of their programs' tokens with them if asked.
    pub fn end_sessions(&self, actor: &str, but: &str, tokens_too: bool) -> Result<()> {
        let (actor, but) = (actor.to_string(), hash(but));
        self.effect(move |c| {
            c.execute("delete from session where actor = ?1 and token_hash <> ?2", params![actor, but])?;
            c.execute("delete from sign_in where actor = ?1", [&actor])?;
            if tokens_too {
                c.execute("delete from token where actor = ?1", [&actor])?;
            }
            Ok(())
        })
    }

    pub fn end_session(&self, token: &str) -> Result<()> {
        let hash = hash(token);
        self.effect(move |c| {
            c.execute("delete from session where token_hash = ?1", [hash])?;
            Ok(())
        })
    }
}

/// What somebody proves to be themselves by. The password is a hash that names its own parameters.
#[derive(Debug, Clone, Default)]
pub struct Credential {
    pub password: Option<String>,
    pub totp: Option<Vec<u8>>,
    pub totp_on: bool,
    /// The last step of a code that was accepted: none is accepted twice.
    pub totp_step: i64,
}

impl Store {
    pub fn credential(&self, actor: &str) -> Result<Credential> {
        let found = self.read(|c| {
            let sql = "select password, totp, totp_on, coalesce(totp_step, 0) from credential where actor = ?1";
            let row = |r: &rusqlite::Row<'_>| Ok((r.get::<_, Option<String>>(0)?, r.get::<_, Option<String>>(1)?, r.get::<_, bool>(2)?, r.get::<_, i64>(3)?));
            Ok(c.prepare_cached(sql)?.query_row([actor], row).optional()?)
        })?;
        let bytes = |hex: String| (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect();
        Ok(found.map(|(password, totp, totp_on, totp_step)| Credential { password, totp: totp.map(bytes), totp_on, totp_step }).unwrap_or_default())
    }
    pub fn set_password(&self, actor: &str, hashed: &str) -> Result<()> {
        self.credential_set("insert into credential (actor, password) values (?1, ?2) on conflict (actor) do update set password = ?2", actor, hashed.to_string())
    }
    /// A secret that is not in force before a code of it was seen; an empty one takes it away.
    pub fn set_totp(&self, actor: &str, secret: &[u8]) -> Result<()> {
        let hex: String = secret.iter().map(|b| format!("{b:02x}")).collect();
        self.credential_set("insert into credential (actor, totp) values (?1, nullif(?2, '')) on conflict (actor) do update set totp = nullif(?2, ''), totp_on = 0, totp_step = 0", actor, hex)
    }
    /// A code of this step was accepted.
    pub fn use_totp(&self, actor: &str, step: i64) -> Result<()> {
        self.credential_set("update credential set totp_on = 1, totp_step = cast(?2 as integer) where actor = ?1", actor, step.to_string())
    }
    /// By which account elsewhere somebody signs in: its issuer.
    pub fn identity(&self, actor: &str) -> Result<Option<String>> {
        self.read(|c| Ok(c.prepare_cached("select issuer from identity where actor = ?1")?.query_row([actor], |r| r.get(0)).optional()?))
    }
    pub fn actor_of_identity(&self, issuer: &str, subject: &str) -> Result<Option<String>> {
        self.read(|c| Ok(c.prepare_cached("select actor from identity where issuer = ?1 and subject = ?2")?.query_row([issuer, subject], |r| r.get(0)).optional()?))
    }
    /// From now on somebody signs in by that account only: password, codes and links end, and what they had opened.
    pub fn set_identity(&self, actor: &str, issuer: &str, subject: &str) -> Result<()> {
        let (actor, issuer, subject) = (actor.to_string(), issuer.to_string(), subject.to_string());
        self.effect(move |c| {
            c.execute("insert into identity (actor, issuer, subject) values (?1, ?2, ?3)", params![actor, issuer, subject])?;
            for table in ["credential", "sign_in", "session"] {
                c.execute(&format!("delete from {table} where actor = ?1"), [&actor])?;
            }
            Ok(())
        })
    }
    fn credential_set(&self, sql: &'static str, actor: &str, value: String) -> Result<()> {
        let actor = actor.to_string();
        self.effect(move |c| {
            c.execute(sql, params![actor, value])?;
            Ok(())
        })
    }
}
