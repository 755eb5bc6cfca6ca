//! Rows of a file, streamed: CSV with any delimiter, columns separated by runs of spaces, gzip.

use super::plan::FilePlan;
use crate::{CrmError, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// One field longer than this is not data but a broken quote.
const LONGEST_ROW: usize = 1 << 20;

/// No list that people keep is as wide.
const MOST_COLUMNS: usize = 1_000;

pub(crate) struct Rows {
    pub headings: Vec<String>,
    source: Source,
    number: u64,
}

enum Source {
    Csv(Box<csv::Reader<Box<dyn Read>>>, csv::StringRecord),
    Spaced(Box<dyn BufRead>),
}

pub(crate) enum Row {
    Fields(u64, Vec<String>),
    /// The row could not even be split.
    Broken(u64, String),
    End,
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    let problem = |e: std::io::Error| CrmError::File { file: path.display().to_string(), problem: e.to_string() };
    let file = File::open(path).map_err(problem)?;
    if path.extension().is_some_and(|e| e == "gz") {
        return Ok(Box::new(flate2::read::MultiGzDecoder::new(file)));
    }
    Ok(Box::new(file))
}

fn csv_reader(path: &Path, delimiter: &str, has_headings: bool) -> Result<csv::Reader<Box<dyn Read>>> {
    let byte = match delimiter {
        "tab" | "\t" => b'\t',
        other => other.bytes().next().unwrap_or(b','),
    };
    Ok(csv::ReaderBuilder::new().delimiter(byte).has_headers(has_headings).flexible(true).from_reader(open(path)?))
}

/// The first rows of a file and how many there are; of its delimiters the one that cuts the first line most often.
pub fn look(path: &Path, rows: usize) -> Result<(String, Vec<String>, Vec<Vec<String>>, u64)> {
    let problem = |problem: String| CrmError::File { file: path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), problem };
    let mut first = String::new();
    BufReader::new(open(path)?).take(LONGEST_ROW as u64).read_line(&mut first).map_err(|e| problem(e.to_string()))?;
    let often = |d: &&str| first.matches(d.replace("tab", "\t").as_str()).count();
    let delimiter = [",", ";", "tab", "|"].into_iter().rev().max_by_key(often).unwrap_or(",").to_string();
    let headings = headings(path, &delimiter)?;
    let mut reader = csv_reader(path, &delimiter, true)?;
    let (mut record, mut shown, mut count) = (csv::StringRecord::new(), Vec::new(), 0);
    while reader.read_record(&mut record).map_err(|e| problem(e.to_string()))? {
        if is_blank(&record) {
            continue;
        }
        count += 1;
        if shown.len() < rows {
            shown.push(record.iter().map(|f| f.trim().to_string()).collect());
        }
    }
    Ok((delimiter, headings, shown, count))
}

/// Spreadsheets leave such rows between and below the others.
fn is_blank(record: &csv::StringRecord) -> bool {
    record.iter().all(|f| f.trim().is_empty())
}

/// The next row that is not blank; those passed over are counted, so that rows keep their numbers.
fn filled(reader: &mut csv::Reader<Box<dyn Read>>, record: &mut csv::StringRecord, number: &mut u64) -> csv::Result<bool> {
    loop {
        let more = reader.read_record(record)?;
        if !more || !is_blank(record) {
            return Ok(more);
        }
        *number += 1;
    }
}

/// The first row of a file.
pub fn headings(path: &Path, delimiter: &str) -> Result<Vec<String>> {
    let problem = |e: csv::Error| CrmError::File { file: path.display().to_string(), problem: e.to_string() };
    let mut reader = csv_reader(path, delimiter, true)?;
    let headings = reader.headers().map_err(problem)?;
    narrow(path, headings.len())?;
    Ok(clean(headings.iter()))
}

/// Refuses what is wider than any list.
fn narrow(path: &Path, columns: usize) -> Result<()> {
    let file = || path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let problem = || format!("it has {columns} columns, and lists of up to {MOST_COLUMNS} are imported; leave out those that nothing is to be made of");
    if columns <= MOST_COLUMNS { Ok(()) } else { Err(CrmError::File { file: file(), problem: problem() }) }
}

fn clean<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    // A byte order mark belongs to the file, not to its first heading.
    names.map(|h| h.trim_start_matches('\u{feff}').trim().to_string()).collect()
}

impl Rows {
    pub fn open(path: &Path, plan: &FilePlan) -> Result<Self> {
        let given = !plan.columns.is_empty();
        if plan.delimiter == "spaces" {
            let mut reader = BufReader::new(open(path)?);
            let mut passed = String::new();
            for _ in 0..plan.skip {
                reader.read_line(&mut passed).map_err(|e| CrmError::File { file: path.display().to_string(), problem: e.to_string() })?;
            }
            let source = Source::Spaced(Box::new(reader));
            return Ok(Self { headings: plan.columns.clone(), source, number: 0 });
        }
        let mut reader = csv_reader(path, &plan.delimiter, !given)?;
        let headings = if given {
            plan.columns.clone()
        } else {
            let found = reader.headers().map_err(|e| CrmError::File { file: path.display().to_string(), problem: e.to_string() })?;
            narrow(path, found.len())?;
            clean(found.iter())
        };
        Ok(Self { headings, source: Source::Csv(Box::new(reader), csv::StringRecord::new()), number: 0 })
    }

    pub fn next(&mut self) -> Row {
        match &mut self.source {
            Source::Csv(reader, record) => match filled(reader, record, &mut self.number) {
                Ok(false) => Row::End,
                Ok(true) => {
                    self.number += 1;
                    if record.as_slice().len() > LONGEST_ROW {
                        return Row::Broken(self.number, "the row is longer than a megabyte; a quote is probably not closed".into());
                    }
                    Row::Fields(self.number, record.iter().map(|f| f.trim().to_string()).collect())
                }
                Err(e) if e.is_io_error() => {
                    self.number += 1;
                    let words = format!("the file cannot be read further: {e}");
                    self.source = Source::Spaced(Box::new(std::io::empty()));
                    Row::Broken(self.number, words)
                }
                Err(e) => {
                    self.number += 1;
                    Row::Broken(self.number, e.to_string())
                }
            },
            Source::Spaced(reader) => {
                let mut line = String::new();
                match reader.read_line(&mut line) {
                    Ok(0) => Row::End,
                    Ok(_) => {
                        self.number += 1;
                        Row::Fields(self.number, line.split_whitespace().map(str::to_string).collect())
                    }
                    Err(e) => {
                        self.number += 1;
                        self.source = Source::Spaced(Box::new(std::io::empty()));
                        Row::Broken(self.number, e.to_string())
                    }
                }
            }
        }
    }
}
