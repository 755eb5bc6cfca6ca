//! How many records went out, to whom and which way, an hour a row; and the alarms that this gave. Numbers and names
//! only: which records they were is not kept here, nor who may read this.

use crate::{Result, Store, StoreError};
use rusqlite::{OptionalExtension, params};

pub(crate) const STEP: &str = "create table taken (
        actor text not null, way text not null, hour integer not null, program text not null, object text not null,
        rows integer not null, times integer not null, reported integer not null default 0, at integer not null,
        primary key (actor, way, hour, program, object)
     ) strict, without rowid;
     create index taken_hour on taken (hour);
     create table alarm (
        id integer primary key, at integer not null, actor text not null, way text not null, program text not null,
        rows integer not null, seen_at integer, seen_by text
     ) strict;";

const HOUR: i64 = 3_600;
/// An alarm looks back so many hours.
const DAY_HOURS: i64 = 24;
/// What went out is remembered for so many days; alarms stay.
pub const KEPT_DAYS: i64 = 90;

/// Records of one object that went out to somebody, one way, within an hour.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Taken {
    pub actor: String,
    /// `file`, `program`, `screen`.
    pub way: String,
    /// The name of the program's token; empty for a person.
    pub program: String,
    pub object: String,
    pub rows: i64,
    pub times: i64,
    /// The last time, in seconds.
    pub at: i64,
}

/// More records than the limit within a day, one way, of one person and their programs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Alarm {
    pub id: i64,
    pub at: i64,
    pub actor: String,
    pub way: String,
    /// What took the last of them.
    pub program: String,
    /// All of the day before `at`.
    pub rows: i64,
    /// When and by whom it was said to be dealt with.
    pub seen_at: Option<i64>,
    pub seen_by: Option<String>,
}

impl Store {
    /// Adds what went out. Once more than `limit` records of the last day have not been told of yet, they are: true.
    pub fn add_taken(&self, taken: Taken, limit: i64) -> Result<bool> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.effect(move |c| {
            let hour = taken.at.div_euclid(HOUR);
            c.execute("delete from taken where hour < ?1", [hour - KEPT_DAYS * DAY_HOURS])?;
            c.prepare_cached(
                "insert into taken (actor, way, hour, program, object, rows, times, at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 on conflict do update set rows = rows + excluded.rows, times = times + excluded.times, at = excluded.at",
            )?
            .execute(params![taken.actor, taken.way, hour, taken.program, taken.object, taken.rows, taken.times, taken.at])?;
            let day = params![taken.actor, taken.way, hour - DAY_HOURS];
            let (rows, untold): (i64, i64) = c.prepare_cached("select sum(rows), sum(rows - reported) from taken where actor = ?1 and way = ?2 and hour > ?3")?.query_row(day, |r| Ok((r.get(0)?, r.get(1)?)))?;
            let alarm = untold > limit;
            if alarm {
                c.execute("update taken set reported = rows where actor = ?1 and way = ?2 and hour > ?3", day)?;
                // One that nobody has dealt with yet grows; there are not two of one person and way.
                let alarm = params![taken.at, taken.actor, taken.way, taken.program, rows];
                if c.execute("update alarm set at = ?1, program = ?4, rows = ?5 where actor = ?2 and way = ?3 and seen_at is null", alarm)? == 0 {
                    c.execute("insert into alarm (at, actor, way, program, rows) values (?1, ?2, ?3, ?4, ?5)", alarm)?;
                }
            }
            sender.send(alarm).map_err(|_| StoreError::ReadOnly("the caller has gone".into()))
        })?;
        Ok(receiver.try_recv().unwrap_or(false))
    }

    /// What went out, newest first, a row for every day, person, way, program and object; at most `most`.
    pub fn taken(&self, most: usize) -> Result<Vec<Taken>> {
        self.read(|c| {
            let sql = "select actor, way, program, object, sum(rows), sum(times), max(at) as last from taken group by actor, way, program, object, hour / 24 order by last desc, actor, way, program, object limit ?1";
            let row = |r: &rusqlite::Row<'_>| Ok(Taken { actor: r.get(0)?, way: r.get(1)?, program: r.get(2)?, object: r.get(3)?, rows: r.get(4)?, times: r.get(5)?, at: r.get(6)? });
            let found = c.prepare_cached(sql)?.query_map([most as i64], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(found)
        })
    }

    /// The alarms, those that nobody has dealt with first, then newest first; at most `most`.
    pub fn alarms(&self, most: usize) -> Result<Vec<Alarm>> {
        self.read(|c| {
            let sql = "select id, at, actor, way, program, rows, seen_at, seen_by from alarm order by seen_at is not null, id desc limit ?1";
            let row = |r: &rusqlite::Row<'_>| Ok(Alarm { id: r.get(0)?, at: r.get(1)?, actor: r.get(2)?, way: r.get(3)?, program: r.get(4)?, rows: r.get(5)?, seen_at: r.get(6)?, seen_by: r.get(7)? });
            let found = c.prepare_cached(sql)?.query_map([most as i64], row)?.collect::<rusqlite::Result<_>>()?;
            Ok(found)
        })
    }

    /// Somebody has dealt with an alarm, the first of them is kept; whom it was about, if there is such an alarm.
    pub fn see_alarm(&self, id: i64, by: &str, now: i64) -> Result<Option<String>> {
        let actor: Option<String> = self.read(|c| Ok(c.query_row("select actor from alarm where id = ?1", [id], |r| r.get(0)).optional()?))?;
        let by = by.to_string();
        self.effect(move |c| {
            c.execute("update alarm set seen_at = ?2, seen_by = ?3 where id = ?1 and seen_at is null", params![id, now, by])?;
            Ok(())
        })?;
        Ok(actor)
    }
}
