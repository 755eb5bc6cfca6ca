//! Finding records by what they are called, whatever way it is typed: case, accents, Arabic and Persian letters,
//! digits of any script and one or two typing errors do not matter.
//!
//! Every text column has a dictionary of its values. Their folded texts lie one after another, so that looking
//! through all of them is one pass over memory; rows are found by their codes.

use crate::snapshot::Snapshot;
use crate::table::{EXISTS, SEEN};
use northing_model::FieldType;
use northing_model::text::{digits, distance, fold};
use rayon::prelude::*;

/// One record that was found, best first.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub table: usize,
    pub row: u32,
    /// The text that it was found by.
    pub text: String,
}

/// Texts that are looked at more closely when nothing was found as it was typed.
const MOST_CANDIDATES: usize = 8_000;
/// Values of one column that are followed to their rows, where every object is looked through and where one is.
const MOST_VALUES: usize = 200;
const MOST_VALUES_OF_ONE: usize = 5_000;

const NO_RANK: u32 = u32::MAX;

/// In what form texts are laid one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Folded,
    Digits,
    /// In small letters, otherwise as they are.
    Lower,
}

/// The texts of a dictionary in one form, each ended by a line break; grows as the dictionary does.
#[derive(Debug, Default, Clone)]
pub struct Folded {
    text: String,
    /// Where each text ends, without its break.
    ends: Vec<usize>,
}

impl Folded {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
    pub(crate) fn push(&mut self, text: &str, form: Form) {
        self.text.push_str(&match form {
            Form::Folded => fold(text),
            Form::Digits => digits(text),
            Form::Lower => text.to_lowercase(),
        });
        self.ends.push(self.text.len());
        self.text.push('\n');
    }
    fn entry(&self, code: usize) -> (usize, &str) {
        let start = if code == 0 { 0 } else { self.ends[code - 1] + 1 };
        (start, &self.text[start..self.ends[code]])
    }

    /// Calls `f` with the code of every text that holds these letters, which hold no line break.
    pub(crate) fn holding(&self, wanted: &str, mut f: impl FnMut(usize)) {
        let mut from = 0;
        let finder = memchr::memmem::Finder::new(wanted.as_bytes());
        while let Some(at) = finder.find(&self.text.as_bytes()[from..]) {
            let code = self.ends.partition_point(|end| *end < from + at);
            f(code);
            from = self.ends.get(code).map_or(self.text.len(), |end| end + 1);
        }
    }

    /// Codes of texts that hold the words as they were typed, the better the earlier they stand: (rank, code).
    fn exactly(&self, wanted: &str) -> Vec<(u32, u32)> {
        let mut found = Vec::new();
        let mut last = usize::MAX;
        for at in memchr::memmem::find_iter(self.text.as_bytes(), wanted.as_bytes()) {
            let code = self.ends.partition_point(|end| *end < at);
            if code != last && code < self.ends.len() {
                last = code;
                let (start, entry) = self.entry(code);
                let rank = if at == start { 0 } else if self.text[..at].ends_with([' ', '-', '.', '@']) { 1 } else { 2 };
                found.push((rank * 1_000 + entry.chars().count().min(999) as u32, code as u32));
            }
        }
        found
    }

    /// Codes of texts that differ from what was typed by few letters. One of the parts between the errors is
    /// typed right, so only texts with such a part are looked at.
    fn nearly(&self, wanted: &str) -> Vec<(u32, u32)> {
        let letters: Vec<char> = wanted.chars().collect();
        let errors = if letters.len() >= 8 { 2 } else { 1 };
        if letters.len() < 4 {
            return Vec::new();
        }
        // Parts of nearly the same length: a short one would stand in every other text.
        let edge = |part: usize| letters.len() * part / (errors + 1);
        let mut codes: Vec<usize> = (0..=errors)
            .flat_map(|part| {
                let part: String = letters[edge(part)..edge(part + 1)].iter().collect();
                memchr::memmem::find_iter(self.text.as_bytes(), part.as_bytes()).take(MOST_CANDIDATES).map(|at| self.ends.partition_point(|end| *end < at)).collect::<Vec<_>>()
            })
            .collect();
        codes.sort_unstable();
        codes.dedup();
        let far = |code: usize| distance(&letters, self.entry(code).1);
        codes.into_par_iter().filter(|code| *code < self.ends.len()).filter_map(|code| Some(far(code)).filter(|d| *d <= errors).map(|d| (3_000 + d as u32 * 1_000, code as u32))).collect()
    }
}

/// Lays out what the first search and the first list in each order would otherwise wait for.
pub fn prepare(snapshot: &Snapshot) {
    for (object, table) in snapshot.model.objects.iter().zip(&snapshot.tables) {
        for field in object.fields.values() {
            let Some(dict) = table.schema.column(&field.name).and_then(|c| table.schema.columns[c].dict.as_ref()) else { continue };
            if field.kind == FieldType::Phone {
                dict.laid(Form::Digits);
            } else if field.name == object.title || field.kind == FieldType::Email {
                dict.laid(Form::Folded);
            }
            if object.list.contains(&field.name) {
                dict.ranks();
            }
        }
    }
}

/// Records whose name, e-mail or phone is like the words, at most `limit` of each object, best first.
pub fn search(snapshot: &Snapshot, words: &str, limit: usize) -> Result<Vec<Found>, String> {
    if fold(words.trim()).chars().count() < 2 {
        return Ok(Vec::new());
    }
    let mut found = likely(snapshot, words, None, limit);
    // Whatever object it is of.
    found.sort_by_key(|(rank, _)| rank / 1_000);
    Ok(found.into_iter().map(|(_, f)| f).collect())
}

/// Rows of one object found in the same way, best first, at most `limit`; one letter is enough here, since whoever chooses
/// among the records of one object begins with it. What is called by another record is found by what that one is called.
pub fn within(snapshot: &Snapshot, object: &str, words: &str, limit: usize) -> Vec<u32> {
    let mut rows: Vec<u32> = if fold(words.trim()).is_empty() { Vec::new() } else { likely(snapshot, words, Some(object), limit).into_iter().map(|(_, f)| f.row).collect() };
    let named = || {
        let table = snapshot.table_index(object)?;
        let source = &snapshot.tables[table];
        let column = source.schema.column(&source.schema.title)?;
        let target = source.schema.columns[column].target?;
        Some((source, column, &snapshot.model.objects.get(target)?.name))
    };
    if let Some((source, column, target)) = named().filter(|(.., target)| *target != object) {
        let places: std::collections::HashMap<i64, usize> = within(snapshot, target, words, limit).into_iter().enumerate().map(|(place, row)| (i64::from(row), place)).collect();
        let mut by: Vec<(usize, u32)> = (0..source.len).filter(|row| source.flags(*row) & EXISTS != 0).filter_map(|row| Some((*places.get(&source.get(column, row))?, row))).collect();
        by.sort_unstable();
        rows.extend(by.into_iter().map(|(_, row)| row).take(limit));
        rows.truncate(limit);
    }
    rows
}

/// The best of each object, or of one, by their ranks: what holds the words, or else what is like them.
fn likely(snapshot: &Snapshot, words: &str, only: Option<&str>, limit: usize) -> Vec<(u32, Found)> {
    let (text, number) = (fold(words.trim()), digits(words));
    let is_number = number.len() >= 3 && words.chars().all(|c| !c.is_alphabetic());
    if is_number {
        // Numbers have no likeness, but more than one way to be written.
        let found = notations(&number).into_iter().map(|number| matching(snapshot, &text, Some(number), By::Holding, only, limit));
        return found.into_iter().find(|f| !f.is_empty()).unwrap_or_default();
    }
    let found = [By::Holding, By::LikeTitle, By::LikeEmail].into_iter().map(|by| matching(snapshot, &text, None, by, only, limit));
    found.into_iter().find(|f| !f.is_empty()).unwrap_or_default()
}

/// Places of the texts that hold the words, or else are like them, best first: for titles that facts do not hold.
pub fn among<'a>(texts: impl Iterator<Item = &'a str>, words: &str) -> Vec<usize> {
    let wanted = fold(words.trim());
    let mut folded = Folded::default();
    if wanted.is_empty() {
        return Vec::new();
    }
    texts.for_each(|text| folded.push(text, Form::Folded));
    let mut found = folded.exactly(&wanted);
    if found.is_empty() {
        found = folded.nearly(&wanted);
    }
    found.sort_unstable();
    found.into_iter().map(|(_, place)| place as usize).collect()
}

/// Longest country code, and the fewest digits that say which number it is.
const CODE: usize = 3;
const TELLING: usize = 7;

/// A number as it was typed, without the noughts that stand for another country or another town, and without a country's
/// code: the same phone is written in all these ways.
fn notations(number: &str) -> Vec<&str> {
    let bare = number.trim_start_matches('0');
    let mut ways = vec![number];
    let national = (1..=CODE).filter_map(|code| bare.get(code..)).map(|n| n.trim_start_matches('0'));
    for way in std::iter::once(bare).chain(national) {
        if way.len() >= TELLING && !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

/// How records are found. What is only like the words counts where nothing holds them as they stand, and is dear to find:
/// what people call a thing comes before its address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Holding,
    LikeTitle,
    LikeEmail,
}

/// The best of each object, or of one, by their ranks.
fn matching(snapshot: &Snapshot, text: &str, number: Option<&str>, by: By, only: Option<&str>, limit: usize) -> Vec<(u32, Found)> {
    let mut found: Vec<(u32, Found)> = Vec::new();
    for object in snapshot.model.objects.iter().filter(|o| !o.derived && only.map_or(o.name != "workspace", |only| o.name == only) && snapshot.view.as_ref().is_none_or(|v| v.sees(&o.name))) {
        let Some(table) = snapshot.table_index(&object.name) else { continue };
        let source = &snapshot.tables[table];
        let mut ranks: Vec<(usize, Vec<u32>)> = Vec::new();
        for field in object.fields.values().filter(|f| f.name == object.title || matches!(f.kind, FieldType::Email | FieldType::Phone)) {
            let Some(column) = source.schema.column(&field.name) else { continue };
            let Some(dict) = &source.schema.columns[column].dict else { continue };
            let phone = field.kind == FieldType::Phone;
            let asked = match by {
                By::Holding => !phone || number.is_some(),
                By::LikeTitle => field.name == object.title,
                By::LikeEmail => field.kind == FieldType::Email && field.name != object.title,
            };
            if !asked {
                continue;
            }
            let wanted = number.filter(|_| phone).unwrap_or(text);
            let folded = dict.laid(if phone { Form::Digits } else { Form::Folded });
            let mut values = if by == By::Holding { folded.exactly(wanted) } else { folded.nearly(wanted) };
            values.sort_unstable();
            values.truncate(if only.is_some() { MOST_VALUES_OF_ONE } else { MOST_VALUES });
            if !values.is_empty() {
                // A rank for each code, so that a row costs one look.
                let mut by_code = vec![NO_RANK; dict.len()];
                values.into_iter().for_each(|(rank, code)| by_code[code as usize] = rank);
                ranks.push((column, by_code));
            }
        }
        if ranks.is_empty() {
            continue;
        }
        let mut rows: Vec<(u32, u32, usize)> = source
            .chunks
            .par_iter()
            .enumerate()
            .flat_map_iter(|(c, chunk)| {
                let first = (c * crate::CHUNK) as u32;
                let n = chunk.flags.len();
                let mut own: Vec<(u32, u32, usize)> = Vec::new();
                for (column, wanted) in &ranks {
                    for (i, code) in chunk.columns[*column].codes(0, n).iter().enumerate() {
                        let rank = wanted.get(*code as usize).copied().unwrap_or(NO_RANK);
                        if rank != NO_RANK && chunk.flags[i] & (EXISTS | SEEN) == EXISTS | SEEN {
                            own.push((rank, first + i as u32, *column));
                        }
                    }
                }
                own
            })
            .collect();
        rows.sort_unstable();
        let mut seen = std::collections::BTreeSet::new();
        let of = |(rank, row, column): (u32, u32, usize)| (rank, Found { table, row, text: source.text(column, row).map(|t| t.to_string()).unwrap_or_default() });
        found.extend(rows.into_iter().filter(|r| seen.insert(r.1)).take(limit).map(of));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn u21_a_number_is_looked_for_in_all_its_notations() {
        assert_eq!(notations("0048600700800"), ["0048600700800", "48600700800", "8600700800", "600700800"]);
        assert_eq!(notations("442079460000"), ["442079460000", "42079460000", "2079460000", "79460000"]);
        assert_eq!(notations("700800"), ["700800"]);
        assert_eq!(notations("000"), ["000"]);
    }

    #[test]
    fn what_stands_first_is_better_and_near_texts_are_found() {
        let mut folded = Folded::default();
        for text in ["Anna Nowak", "Nowak Anna", "Janowak", "北京公司", "Müller"] {
            folded.push(text, Form::Folded);
        }
        let mut exact = folded.exactly("nowak");
        exact.sort_unstable();
        assert_eq!(exact.iter().map(|x| x.1).collect::<Vec<_>>(), [1, 0, 2]);
        assert_eq!(folded.exactly("北京").len(), 1);
        assert_eq!(folded.nearly("nowka").iter().map(|x| x.1).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(folded.nearly("muler").iter().map(|x| x.1).collect::<Vec<_>>(), [4]);
        assert!(folded.nearly("zzzz").is_empty());
    }
}
