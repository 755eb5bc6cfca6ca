//! Workbooks (XLSX; SpreadsheetML of ECMA-376): the values of one sheet, written as CSV for the reader of lists. It
//! knows nothing of records or plans.
//!
//! A workbook comes from anywhere and unpacks to a thousand times its size. So it is read as a stream, a row at a time;
//! what it says of its own sizes is never believed; and every part has a limit, after which the whole is refused.

mod dates;
mod part;

use crate::{CrmError, Result};
use dates::{Look, written};
use part::{Stop, attribute, text_of, walk};
use quick_xml::events::Event;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read};
use std::path::Path;
use zip::ZipArchive;

/// Unpacked bytes of a sheet; 250 MiB.
const LARGEST_SHEET: u64 = 250 << 20;
/// Unpacked bytes of the texts that the sheets share; these are kept in memory. 64 MiB.
const LARGEST_TEXTS: u64 = 64 << 20;
/// Unpacked bytes of any other part: lists of sheets and of number formats. 8 MiB.
const LARGEST_PART: u64 = 8 << 20;
/// What a list has at most; a spreadsheet ends at 1,048,576 rows and 16,384 columns.
const MOST_COLUMNS: usize = 500;
const MOST_ROWS: u32 = 1 << 20;

pub struct Workbook {
    zip: ZipArchive<File>,
    /// Visible sheets, as people named them, with their parts.
    sheets: Vec<(String, String)>,
    /// By style: what a number in such a cell stands for.
    looks: Vec<Look>,
    from_1904: bool,
}

/// Texts that cells refer to by number, end to end.
#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    fn get(&self, nth: usize) -> Option<&str> {
        let end = *self.ends.get(nth)? as usize;
        let start = nth.checked_sub(1).map_or(0, |n| self.ends[n] as usize);
        self.all.get(start..end)
    }
}

fn broken(why: impl std::fmt::Display) -> CrmError {
    CrmError::Plan(format!("this is not a workbook that can be read ({why}); open it in a spreadsheet program and save it as XLSX or CSV"))
}

impl From<Stop> for CrmError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Large(what) => CrmError::Plan(format!("{what}; save the sheet as CSV, or cut it in parts")),
            Stop::Broken(why) => broken(why),
        }
    }
}

/// Whether a file's name says that it is a workbook.
pub fn is_workbook(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| ["xlsx", "xlsm"].iter().any(|x| e.eq_ignore_ascii_case(x)))
}

impl Workbook {
    /// Opens a workbook and reads what its sheets are called. Errors say what to do instead.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| CrmError::File { file: path.display().to_string(), problem: e.to_string() })?;
        let mut zip = ZipArchive::new(file).map_err(broken)?;
        let mut targets = HashMap::new();
        read(&mut zip, "xl/_rels/workbook.xml.rels", LARGEST_PART, |event| {
            if let Event::Start(e) | Event::Empty(e) = &event
                && let (Some(id), Some(target)) = (attribute(e, "Id"), attribute(e, "Target"))
            {
                targets.insert(id, target.strip_prefix('/').map_or_else(|| format!("xl/{target}"), str::to_string));
            }
            Ok(true)
        })?;
        let (mut sheets, mut from_1904) = (Vec::new(), false);
        let found = read(&mut zip, "xl/workbook.xml", LARGEST_PART, |event| {
            if let Event::Start(e) | Event::Empty(e) = &event {
                let yes = |name: &str| attribute(e, name).is_some_and(|v| v == "1" || v == "true");
                match e.local_name().as_ref() {
                    "workbookPr" => from_1904 = yes("date1904"),
                    "sheet" if attribute(e, "state").is_none_or(|s| s == "visible") => {
                        if let (Some(name), Some(part)) = (attribute(e, "name"), attribute(e, "r:id").and_then(|id| targets.get(&id).cloned())) {
                            sheets.push((name, part));
                        }
                    }
                    _ => {}
                }
            }
            Ok(true)
        })?;
        if !found || sheets.is_empty() {
            return Err(broken("it has no sheet"));
        }
        let looks = looks(&mut zip)?;
        Ok(Self { zip, sheets, looks, from_1904 })
    }

    /// The visible sheets, in their order.
    pub fn sheets(&self) -> impl Iterator<Item = &str> {
        self.sheets.iter().map(|(name, _)| name.as_str())
    }

    /// Writes a sheet's rows as CSV; the first that holds anything names the columns, and what stands right of the last
    /// of these is left out. Rows that are empty stay, so that the others keep their places.
    pub fn write_csv(&mut self, sheet: &str, out: &Path) -> Result<()> {
        let part = self.sheets.iter().find(|(name, _)| name == sheet).map(|(_, part)| part.clone()).ok_or_else(|| CrmError::Plan(format!("the workbook has no sheet '{sheet}'")))?;
        let texts = texts(&mut self.zip)?;
        let file = File::create(out).map_err(|e| CrmError::File { file: sheet.into(), problem: e.to_string() })?;
        let mut rows = Rows { csv: csv::WriterBuilder::new().flexible(true).from_writer(BufWriter::new(file)), wide: 0, written: 0, looks: &self.looks, texts: &texts, from_1904: self.from_1904, row: 0, cells: Vec::new(), cell: Cell::default(), column: 0, reading: false, phonetic: false };
        let found = read(&mut self.zip, &part, LARGEST_SHEET, |event| rows.take(&event))?;
        if !found {
            return Err(broken(format!("its sheet '{sheet}' is missing")));
        }
        rows.csv.flush().map_err(|e| CrmError::File { file: sheet.into(), problem: e.to_string() })
    }
}

fn read(zip: &mut ZipArchive<File>, name: &str, most: u64, each: impl FnMut(Event<'_>) -> part::Outcome<bool>) -> Result<bool> {
    let Some(at) = (0..zip.len()).find(|i| zip.name_for_index(*i).and_then(std::result::Result::ok).is_some_and(|n| n.eq_ignore_ascii_case(name))) else { return Ok(false) };
    let entry = zip.by_index(at).map_err(broken)?;
    walk(entry.take(most + 1), most, each)?;
    Ok(true)
}

fn texts(zip: &mut ZipArchive<File>) -> Result<Texts> {
    let (mut texts, mut reading, mut phonetic) = (Texts::default(), false, false);
    read(zip, "xl/sharedStrings.xml", LARGEST_TEXTS, |event| {
        match &event {
            Event::Start(e) => match e.local_name().as_ref() {
                "rPh" => phonetic = true,
                "t" => reading = !phonetic,
                _ => {}
            },
            Event::End(e) => match e.local_name().as_ref() {
                "rPh" => phonetic = false,
                "t" => reading = false,
                // The limit of the part keeps this far below what 32 bits hold.
                "si" => texts.ends.push(u32::try_from(texts.all.len()).unwrap_or(u32::MAX)),
                _ => {}
            },
            Event::Empty(e) if e.local_name().as_ref() == "si" => texts.ends.push(u32::try_from(texts.all.len()).unwrap_or(u32::MAX)),
            other if reading => texts.all.push_str(&text_of(other)),
            _ => {}
        }
        Ok(true)
    })?;
    Ok(texts)
}

fn looks(zip: &mut ZipArchive<File>) -> Result<Vec<Look>> {
    let (mut codes, mut looks, mut cells) = (HashMap::new(), Vec::new(), false);
    read(zip, "xl/styles.xml", LARGEST_PART, |event| {
        match &event {
            Event::Start(e) | Event::Empty(e) => match e.local_name().as_ref() {
                "numFmt" => {
                    if let (Some(id), Some(code)) = (attribute(e, "numFmtId"), attribute(e, "formatCode")) {
                        codes.insert(id, code);
                    }
                }
                "cellXfs" => cells = true,
                "xf" if cells => {
                    let id = attribute(e, "numFmtId").unwrap_or_default();
                    looks.push(codes.get(&id).map_or_else(|| Look::built_in(&id), |code| Look::of(code)));
                }
                _ => {}
            },
            Event::End(e) if e.local_name().as_ref() == "cellXfs" => cells = false,
            _ => {}
        }
        Ok(true)
    })?;
    Ok(looks)
}

/// A cell as far as it has been read.
#[derive(Default)]
struct Cell {
    kind: String,
    style: usize,
    text: String,
}

struct Rows<'a> {
    csv: csv::Writer<BufWriter<File>>,
    /// Columns that have a heading; none until the row of headings was read.
    wide: usize,
    /// The row after the last that was written.
    written: u32,
    looks: &'a [Look],
    texts: &'a Texts,
    from_1904: bool,
    row: u32,
    column: usize,
    cells: Vec<String>,
    cell: Cell,
    reading: bool,
    phonetic: bool,
}

impl Rows<'_> {
    fn take(&mut self, event: &Event<'_>) -> part::Outcome<bool> {
        match event {
            Event::Start(e) | Event::Empty(e) => {
                let empty = matches!(event, Event::Empty(_));
                match e.local_name().as_ref() {
                    "row" => {
                        self.row = attribute(e, "r").and_then(|r| r.parse::<u32>().ok()).unwrap_or(self.row + 1);
                        if self.row == 0 || self.row > MOST_ROWS {
                            return Err(Stop::Broken(format!("it has a row {}", self.row)));
                        }
                        self.column = 0;
                    }
                    "c" => {
                        if let Some(at) = attribute(e, "r") {
                            self.column = column(&at).ok_or_else(|| Stop::Broken(format!("it has a cell '{at}'")))?;
                        }
                        self.cell = Cell { kind: attribute(e, "t").unwrap_or_default(), style: attribute(e, "s").and_then(|s| s.parse().ok()).unwrap_or(0), text: String::new() };
                        self.column += usize::from(empty);
                    }
                    "rPh" => self.phonetic = !empty,
                    "v" | "t" => self.reading = !empty && !self.phonetic,
                    _ => {}
                }
            }
            Event::End(e) => match e.local_name().as_ref() {
                "rPh" => self.phonetic = false,
                "v" | "t" => self.reading = false,
                "c" => {
                    self.keep()?;
                    self.column += 1;
                }
                "row" => self.end_row()?,
                "sheetData" => return Ok(false),
                _ => {}
            },
            other if self.reading => self.cell.text.push_str(&text_of(other)),
            _ => {}
        }
        Ok(true)
    }

    /// The cell that has ended, where its column counts.
    fn keep(&mut self) -> part::Outcome<()> {
        let Cell { kind, style, text } = std::mem::take(&mut self.cell);
        let value = match kind.as_str() {
            "s" => text.trim().parse().ok().and_then(|n| self.texts.get(n)).unwrap_or_default().to_string(),
            "b" => (text.trim() == "1").to_string(),
            "" | "n" => text.trim().parse().map_or(text, |number| written(number, self.looks.get(style).copied().unwrap_or_default(), self.from_1904)),
            _ => text,
        };
        let known = self.wide > 0;
        if value.trim().is_empty() || known && self.column >= self.wide {
            return Ok(());
        }
        if self.column >= MOST_COLUMNS {
            return Err(Stop::Large(format!("the sheet has more than {MOST_COLUMNS} columns")));
        }
        if self.cells.len() <= self.column {
            self.cells.resize(self.column + 1, String::new());
        }
        self.cells[self.column] = plain(&value);
        Ok(())
    }

    fn end_row(&mut self) -> part::Outcome<()> {
        let mut cells = std::mem::take(&mut self.cells);
        if cells.is_empty() {
            return Ok(());
        }
        let failed = |e: csv::Error| Stop::Broken(e.to_string());
        if self.wide == 0 {
            self.wide = cells.len();
        } else {
            if self.row < self.written {
                return Err(Stop::Broken("its rows are not in their order".into()));
            }
            for _ in self.written..self.row {
                self.csv.write_record([""]).map_err(failed)?;
            }
            cells.resize(self.wide, String::new());
        }
        self.written = self.row + 1;
        self.csv.write_record(&cells).map_err(failed)
    }
}

/// The column that an address like `AB12` names, from 0.
fn column(address: &str) -> Option<usize> {
    let letters = address.bytes().take_while(u8::is_ascii_alphabetic).map(|b| usize::from(b.to_ascii_uppercase() - b'A') + 1);
    let mut sum = 0;
    for (n, letter) in letters.enumerate() {
        if n == 3 {
            return None;
        }
        sum = sum * 26 + letter;
    }
    (1..=16_384).contains(&sum).then(|| sum - 1)
}

/// Control characters are written as `_x000D_` (ECMA-376 part 1, 22.4.2.4).
fn plain(text: &str) -> String {
    let mut pieces = text.split("_x");
    let mut plain = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let code = piece.get(..5).filter(|c| c.ends_with('_')).and_then(|c| u32::from_str_radix(&c[..4], 16).ok()).and_then(char::from_u32);
        if let Some(c) = code {
            plain.push(c);
            plain.push_str(&piece[5..]);
        } else {
            plain.push_str("_x");
            plain.push_str(piece);
        }
    }
    plain
}
