//! Sign-in links, sessions and the tokens of programs. Only hashes are kept, so a copy of the database opens nothing.

use crate::seal::bytes;
use crate::{Result, Seal, Store, StoreError, write};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) const STEP: &str = "alter table session add column proved_at integer not null default 0;
     alter table session add column record text;
     update session set proved_at = created_at;
     alter table token add column rights text;
     alter table credential add column email text;
     alter table credential add column name text;
     create table session_end (record text primary key, at integer not null) strict;
     create trigger session_gone after delete on session when old.record is not null
        begin insert or ignore into session_end (record, at) values (old.record, old.seen_at); end;";

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
    /// When the person last proved who they are in it: when it began, or later by the password again.
    pub proved_at: i64,
    /// Of a program that may only read.
    pub read_only: bool,
    /// The name of the token, if it is a program's.
    pub program: Option<String>,
    /// What of its owner's rights a program's token was given, as JSON; all of them without it.
    pub rights: Option<String>,
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
    /// Of a token that was given a part of its owner's rights: which, by object.
    pub rights: Option<serde_json::Value>,
}

/// Of a new token.
#[derive(Debug, Clone)]
pub struct TokenTerms {
    pub actor: String,
    pub name: String,
    pub read_only: bool,
    pub rights: Option<String>,
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
                "insert into session (token_hash, actor, created_at, seen_at, expires_at, agent, by_link, proved_at) values (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?3)",
                params![session, actor, now, now + LIFE, agent, by_link],
            )?;
            Ok(())
        })
    }

    /// The session of a token, if it is alive; being seen keeps it alive.
    pub fn session(&self, token: &str, now: i64) -> Result<Option<Session>> {
        let hash = hash(token);
        let found: Option<(Session, i64)> = self.read(|c| {
            let sql = "select actor, expires_at, created_at, by_link, proved_at, seen_at from session where token_hash = ?1";
            let session = |r: &rusqlite::Row<'_>| Ok((Session { actor: r.get(0)?, expires_at: r.get(1)?, created_at: r.get(2)?, by_link: r.get(3)?, proved_at: r.get(4)?, read_only: false, program: None, rights: None }, r.get(5)?));
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
            let sql = "select actor, expires_at, created_at, read_only, name, rights, used_at from token where token_hash = ?1";
            let session = |r: &rusqlite::Row<'_>| Ok((Session { actor: r.get(0)?, expires_at: r.get(1)?, created_at: r.get(2)?, by_link: false, proved_at: 0, read_only: r.get(3)?, program: r.get(4)?, rights: r.get(5)? }, r.get(6)?));
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
            let TokenTerms { actor, name, read_only, rights, now, expires_at } = terms;
            if let Some((key, told)) = &key {
                if let Some(lost) = write::kept_answer(c, key, told)? {
                    c.execute("delete from token where actor = ?1 and id = ?2", params![actor, lost])?;
                }
                write::keep_answer(c, key, told, &own, now)?;
            }
            let sql = "insert into token (token_hash, id, actor, name, read_only, created_at, expires_at, rights) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            c.execute(sql, params![hash, own, actor, name, read_only, now, expires_at, rights])?;
            Ok(())
        })?;
        Ok(id)
    }

    pub fn tokens(&self, actor: &str) -> Result<Vec<Opened>> {
        self.opened("select id, name, created_at, used_at, expires_at, read_only, rights from token where actor = ?1 order by created_at", actor)
    }
    pub fn sessions(&self, actor: &str) -> Result<Vec<Opened>> {
        let sql = format!("select substr(token_hash, 1, {ID}), coalesce(agent, ''), created_at, seen_at, expires_at, 0, null from session where actor = ?1 order by created_at");
        self.opened(&sql, actor)
    }
    fn opened(&self, sql: &str, actor: &str) -> Result<Vec<Opened>> {
        self.read(|c| {
            let mut statement = c.prepare_cached(sql)?;
            let rights = |text: Option<String>| text.and_then(|t| serde_json::from_str(&t).ok());
            let row = |r: &rusqlite::Row<'_>| Ok(Opened { id: r.get(0)?, name: r.get(1)?, created_at: r.get(2)?, seen_at: r.get(3)?, expires_at: r.get(4)?, read_only: r.get(5)?, rights: rights(r.get(6)?) });
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

    /// The person of a session has just proved who they are, or is known to have done so then.
    pub fn prove(&self, token: &str, at: i64) -> Result<()> {
        let hash = hash(token);
        self.effect(move |c| {
            c.execute("update session set proved_at = ?2 where token_hash = ?1", params![hash, at])?;
            Ok(())
        })
    }

    /// Ends a session: its person was there until now.
    pub fn end_session(&self, token: &str, now: i64) -> Result<()> {
        let hash = hash(token);
        self.effect(move |c| {
            c.execute("update session set seen_at = max(seen_at, ?2) where token_hash = ?1", params![hash, now])?;
            c.execute("delete from session where token_hash = ?1", [hash])?;
            Ok(())
        })
    }
}

/// Ends all that somebody had opened: sessions, links, the tokens of their programs.
pub(crate) fn end_all(connection: &Connection, actor: &str) -> Result<()> {
    for table in ["session", "sign_in", "token"] {
        connection.execute(&format!("delete from {table} where actor = ?1"), [actor])?;
    }
    Ok(())
}

/// What session a record tells of, and when sessions that records tell of have ended.
impl Store {
    /// A record tells of this session.
    pub fn told_of(&self, token: &str, record: Uuid) -> Result<()> {
        let hash = hash(token);
        self.effect(move |c| {
            c.execute("update session set record = ?2 where token_hash = ?1", params![hash, record.to_string()])?;
            Ok(())
        })
    }

    /// Sessions that have ended and whose records do not say so yet, with when their people were last seen.
    pub fn ended_sessions(&self, most: usize) -> Result<Vec<(Uuid, i64)>> {
        self.read(|c| {
            let mut statement = c.prepare_cached("select record, at from session_end limit ?1")?;
            let rows = statement.query_map([most as i64], |r| Ok((r.get::<_, String>(0)?, r.get(1)?)))?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(rows.into_iter().filter_map(|(id, at)| Uuid::parse_str(&id).ok().map(|id| (id, at))).collect())
        })
    }

    /// Their records say so now. Sessions that nobody has come back to end with it.
    pub fn settle_sessions(&self, records: Vec<Uuid>, now: i64) -> Result<()> {
        self.effect(move |c| {
            for id in records {
                c.execute("delete from session_end where record = ?1", [id.to_string()])?;
            }
            c.execute("delete from session where expires_at < ?1 or seen_at < ?2", params![now, now - IDLE])?;
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
    /// The owner's address and name, who is no user with a record.
    pub email: Option<String>,
    pub name: Option<String>,
}

/// How a sealed secret of codes begins.
const SEALED: &str = "sealed:";

fn about(actor: &str) -> String {
    format!("codes of {actor}")
}

/// Seals secrets that an earlier version kept as they were, and leaves no trace of them in the file.
pub(crate) fn seal_all(connection: &mut Connection, seal: &Seal) -> Result<()> {
    let clear: Vec<(String, String)> = connection.prepare("select actor, totp from credential where totp not like 'sealed:%'")?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    if clear.is_empty() {
        return Ok(());
    }
    connection.pragma_update(None, "secure_delete", true)?;
    let tx = connection.transaction()?;
    for (actor, hex) in clear {
        let sealed = bytes(&hex).map(|secret| seal.seal(&about(&actor), &secret)).transpose()?.map(|s| format!("{SEALED}{s}"));
        tx.execute("update credential set totp = ?2 where actor = ?1", params![actor, sealed])?;
    }
    tx.commit()?;
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    connection.pragma_update(None, "secure_delete", false)?;
    Ok(())
}

impl Store {
    pub fn credential(&self, actor: &str) -> Result<Credential> {
        let found = self.read(|c| {
            let sql = "select password, totp, totp_on, coalesce(totp_step, 0), email, name from credential where actor = ?1";
            // With another key than it was sealed with there is no secret, and no code is right.
            let open = |text: Option<String>| text.as_deref().and_then(|t| t.strip_prefix(SEALED)).and_then(|s| self.seal().open(&about(actor), s));
            let row = |r: &rusqlite::Row<'_>| Ok(Credential { password: r.get(0)?, totp: open(r.get(1)?), totp_on: r.get(2)?, totp_step: r.get(3)?, email: r.get(4)?, name: r.get(5)? });
            Ok(c.prepare_cached(sql)?.query_row([actor], row).optional()?)
        })?;
        Ok(found.unwrap_or_default())
    }
    /// Can anybody sign in without a link: with a password, or an account elsewhere?
    pub fn has_ways_in(&self) -> Result<bool> {
        self.read(|c| Ok(c.query_row("select exists (select 1 from credential where password is not null) or exists (select 1 from identity)", [], |r| r.get(0))?))
    }
    /// The address that the owner signs in with, and the owner's name.
    pub fn set_contact(&self, actor: &str, email: &str, name: &str) -> Result<()> {
        let (actor, email, name) = (actor.to_string(), email.to_string(), name.to_string());
        self.effect(move |c| {
            c.execute("insert into credential (actor, email, name) values (?1, ?2, nullif(?3, '')) on conflict (actor) do update set email = ?2, name = nullif(?3, '')", params![actor, email, name])?;
            Ok(())
        })
    }
    pub fn set_password(&self, actor: &str, hashed: &str) -> Result<()> {
        self.credential_set("insert into credential (actor, password) values (?1, ?2) on conflict (actor) do update set password = ?2", actor, hashed.to_string())
    }
    /// A secret that is not in force before a code of it was seen; an empty one takes it away.
    pub fn set_totp(&self, actor: &str, secret: &[u8]) -> Result<()> {
        let sealed = if secret.is_empty() { String::new() } else { format!("{SEALED}{}", self.seal().seal(&about(actor), secret)?) };
        self.credential_set("insert into credential (actor, totp) values (?1, nullif(?2, '')) on conflict (actor) do update set totp = nullif(?2, ''), totp_on = 0, totp_step = 0", actor, sealed)
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
            for table in ["credential", "sign_in", "session", "token"] {
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
