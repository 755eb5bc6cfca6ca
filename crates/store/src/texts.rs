//! The words of long texts, for search: SQLite's full-text index over folded words, kept in the transaction that writes
//! the record. It finds places (object, field, id); who may see them is not its concern.

use crate::row::quote;
use crate::{Result, Store};
use northing_model::text::{distance, words};
use northing_model::{Model, ObjectDef, Record, Value};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The index holds no texts of its own, and what is taken out of it is gone from the file.
pub(crate) const STEP: &str = "create virtual table said using fts5(words, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 0');
     insert into said (said, rank) values ('secure-delete', 1);
     create virtual table vocabulary using fts5vocab(said, 'row');
     create table wording (rowid integer primary key, object text not null, field text not null, id text not null, unique (id, field)) strict;";

/// The fields whose texts the index holds, all of them: added in the transaction that takes them in.
pub(crate) const FIELDS_STEP: &str = "create table worded (object text not null, field text not null, primary key (object, field)) strict, without rowid;";

/// Known words with the same beginning that are compared with a mistyped one.
const MOST_NEAR: usize = 20_000;
const NEAR: usize = 6;
/// What is trimmed off before a text counts as one, as SQL says it.
const BLANKS: &str = "char(9, 10, 11, 12, 13, 32, 133, 160, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288)";

fn text<'a>(record: Option<&'a Record>, field: &str) -> Option<&'a str> {
    record?.get(field).and_then(Value::as_text).filter(|t| !t.trim().is_empty())
}

/// Brings the index in step with a record that was written; `after` is none for one that is gone.
pub(crate) fn keep(connection: &Connection, object: &ObjectDef, id: Uuid, before: Option<&Record>, after: Option<&Record>) -> Result<()> {
    for field in object.searched() {
        let (old, new) = (text(before, &field.name), text(after, &field.name));
        if old == new {
            continue;
        }
        if old.is_some() {
            let row: Option<i64> = connection.prepare_cached("delete from wording where id = ?1 and field = ?2 returning rowid")?.query_row(params![id.to_string(), field.name], |r| r.get(0)).optional()?;
            if let Some(row) = row {
                connection.prepare_cached("delete from said where rowid = ?1")?.execute([row])?;
            }
        }
        if let Some(new) = new {
            add(connection, &object.name, &field.name, &id.to_string(), new)?;
        }
    }
    Ok(())
}

fn add(connection: &Connection, object: &str, field: &str, id: &str, text: &str) -> Result<()> {
    connection.prepare_cached("insert into wording (object, field, id) values (?1, ?2, ?3)")?.execute(params![object, field, id])?;
    let row = connection.last_insert_rowid();
    connection.prepare_cached("insert or replace into said (rowid, words) values (?1, ?2)")?.execute(params![row, words(text).join(" ")])?;
    Ok(())
}

/// Takes in the texts of fields that are searched and were not before, and lets go of those that no longer are. Within
/// the caller's transaction: a field that is noted as held is held whole.
pub(crate) fn in_step(connection: &Connection, model: &Model) -> Result<()> {
    let mut held: BTreeSet<(String, String)> = connection.prepare("select object, field from worded")?.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for object in model.objects.iter().filter(|o| !o.derived) {
        for field in object.searched() {
            if held.remove(&(object.name.clone(), field.name.clone())) {
                continue;
            }
            let_go(connection, &object.name, &field.name)?;
            let (table, column) = (quote(&object.name), quote(&field.column()));
            let mut statement = connection.prepare(&format!("select id, {column} from {table} where {column} is not null and not deleted"))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let said = row.get::<_, String>(1)?;
                if !said.trim().is_empty() {
                    add(connection, &object.name, &field.name, &row.get::<_, String>(0)?, &said)?;
                }
            }
            connection.execute("insert into worded (object, field) values (?1, ?2)", [&object.name, &field.name])?;
        }
    }
    held.iter().try_for_each(|(object, field)| let_go(connection, object, field))
}

fn let_go(connection: &Connection, object: &str, field: &str) -> Result<()> {
    connection.execute("delete from said where rowid in (select rowid from wording where object = ?1 and field = ?2)", [object, field])?;
    connection.execute("delete from wording where object = ?1 and field = ?2", [object, field])?;
    connection.execute("delete from worded where object = ?1 and field = ?2", [object, field])?;
    Ok(())
}

/// What the index is asked: every word, the last as it begins; letters that stand alone in their order.
fn question(words: &[String]) -> String {
    let alone = |w: &String| w.chars().count() == 1 && !w.is_ascii();
    let mut asked: Vec<String> = Vec::new();
    let mut run: Vec<&str> = Vec::new();
    for (i, word) in words.iter().enumerate() {
        if alone(word) {
            run.push(word);
        }
        if !run.is_empty() && (!alone(word) || i + 1 == words.len()) {
            asked.push(format!("\"{}\"", run.join(" ")));
            run.clear();
        }
        if !alone(word) {
            asked.push(format!("\"{word}\"{}", if i + 1 == words.len() { " *" } else { "" }));
        }
    }
    asked.join(" AND ")
}

impl Store {
    /// How many texts the index lacks, or holds though they are gone.
    pub fn texts_astray(&self) -> Result<u64> {
        let model = self.model();
        self.read(|c| {
            let mut astray = 0;
            for object in model.objects.iter().filter(|o| !o.derived) {
                for field in object.searched() {
                    let (table, column) = (quote(&object.name), quote(&field.column()));
                    let ids = format!("select id from {table} where not deleted and {column} is not null and trim({column}, {BLANKS}) <> ''");
                    let held = "select w.id from wording w join said s on s.rowid = w.rowid where w.object = ?1 and w.field = ?2";
                    for (one, other) in [(ids.as_str(), held), (held, ids.as_str())] {
                        let sql = format!("select count(*) from (select id from ({one}) except select id from ({other}))");
                        astray += c.query_row(&sql, [&object.name, &field.name], |r| r.get::<_, i64>(0))? as u64;
                    }
                }
            }
            Ok(astray)
        })
    }

    /// Where all of these words were said, what was written last first, until `f` says that it is enough. Where they
    /// were said nowhere, and if `near`, words that are like them are taken: for who sees everything, since which words
    /// are known depends on every text.
    pub fn said(&self, wanted: &[String], near: bool, mut f: impl FnMut(&str, &str, Uuid) -> bool) -> Result<()> {
        if wanted.iter().map(|w| if w.is_ascii() { w.len() } else { 2 * w.chars().count() }).sum::<usize>() < 3 {
            return Ok(());
        }
        self.read(|c| {
            let mut run = |question: &str| -> Result<bool> {
                let mut any = false;
                let mut statement = c.prepare_cached("select w.object, w.field, w.id from said s join wording w on w.rowid = s.rowid where said match ?1 order by s.rowid desc")?;
                let mut rows = statement.query([question])?;
                while let Some(row) = rows.next()? {
                    any = true;
                    let (object, field, id): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    if Uuid::parse_str(&id).is_ok_and(|id| !f(&object, &field, id)) {
                        break;
                    }
                }
                Ok(any)
            };
            if run(&question(wanted))? || !near {
                return Ok(());
            }
            let mut mended = Vec::with_capacity(wanted.len());
            for word in wanted {
                mended.push(like(c, word)?);
            }
            if mended.iter().all(Vec::is_empty) {
                return Ok(());
            }
            let either: Vec<String> = wanted.iter().zip(&mended).map(|(word, known)| if known.is_empty() { format!("\"{word}\"") } else { format!("({})", known.iter().map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(" OR ")) }).collect();
            run(&either.join(" AND ")).map(drop)
        })
    }
}

/// Words of the index that differ from one that it does not have by few letters, none of them the first two.
fn like(connection: &Connection, word: &str) -> Result<Vec<String>> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 4 {
        return Ok(Vec::new());
    }
    let known: Option<i64> = connection.prepare_cached("select 1 from vocabulary where term >= ?1 and term < ?2 limit 1")?.query_row(params![word, format!("{word}\u{10ffff}")], |r| r.get(0)).optional()?;
    if known.is_some() {
        return Ok(Vec::new());
    }
    let errors = if letters.len() >= 8 { 2 } else { 1 };
    let begins: String = letters[..2].iter().collect();
    let mut statement = connection.prepare_cached("select term from vocabulary where term >= ?1 and term < ?2 limit ?3")?;
    let terms = statement.query_map(params![begins, format!("{begins}\u{10ffff}"), MOST_NEAR as i64], |r| r.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut found: Vec<(usize, String)> = terms.into_iter().filter(|t| t.chars().count() <= letters.len() + errors).map(|t| (distance(&letters, &t), t)).filter(|(d, _)| *d <= errors).collect();
    found.sort();
    Ok(found.into_iter().take(NEAR).map(|(_, t)| t).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn questions() {
        let question = |text: &str| super::question(&northing_model::text::words(text));
        assert_eq!(question("money back"), "\"money\" AND \"back\" *");
        assert_eq!(question("我要退款"), "\"我 要 退 款\"");
        assert_eq!(question("退款 abc 谢"), "\"退 款\" AND \"abc\" AND \"谢\"");
        // Whatever is typed, the index sees words.
        assert_eq!(question("a\" OR words:* NEAR(b"), "\"a\" AND \"or\" AND \"words\" AND \"near\" AND \"b\" *");
    }
}
