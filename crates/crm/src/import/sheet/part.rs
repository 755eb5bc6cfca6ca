//! One XML part of a workbook, event by event, with an end to how much of it is read and how much of it is held.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::io::{BufRead, BufReader, Error, Read};

/// Bytes of one tag or one text: a cell holds 32,767 characters.
const LONGEST: usize = 1 << 20;
/// Elements within elements; a workbook's stand some ten deep.
const DEEPEST: usize = 100;

pub enum Stop {
    Large(String),
    Broken(String),
}

pub type Outcome<T> = Result<T, Stop>;

/// Counts what is taken: of the whole part, and since the last event.
struct Metered<R> {
    from: BufReader<R>,
    left: u64,
    one: usize,
}

const WHOLE: &str = "the workbook is too large when it is unpacked";
const ONE: &str = "a cell of the workbook is too long";

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Metered<R> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        if self.left == 0 {
            return Err(Error::other(WHOLE));
        }
        if self.one == 0 {
            return Err(Error::other(ONE));
        }
        let bytes = self.from.fill_buf()?;
        Ok(&bytes[..bytes.len().min(self.one)])
    }
    fn consume(&mut self, n: usize) {
        self.from.consume(n);
        self.left = self.left.saturating_sub(n as u64);
        self.one -= n;
    }
}

/// Gives each event of a part to `each`, until that says `false` or the part ends.
pub fn walk(part: impl Read, most: u64, mut each: impl FnMut(Event<'_>) -> Outcome<bool>) -> Outcome<()> {
    let mut reader = Reader::from_reader(Metered { from: BufReader::with_capacity(64 << 10, part), left: most, one: LONGEST });
    reader.config_mut().check_end_names = false;
    let (mut buffer, mut depth) = (Vec::new(), 0_usize);
    loop {
        buffer.clear();
        reader.get_mut().one = LONGEST;
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => return Ok(()),
            Ok(event) => {
                match event {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth > DEEPEST {
                    return Err(Stop::Broken("its elements stand too deep".into()));
                }
                if !each(event)? {
                    return Ok(());
                }
            }
            Err(quick_xml::Error::Io(e)) if [WHOLE, ONE].contains(&e.to_string().as_str()) => return Err(Stop::Large(e.to_string())),
            Err(e) => return Err(Stop::Broken(e.to_string())),
        }
    }
}

/// The text that an event stands for; none for markup, or for an entity that XML does not have.
pub fn text_of<'a>(event: &'a Event<'_>) -> Cow<'a, str> {
    match event {
        Event::Text(t) => t.xml10_content(),
        Event::CData(t) => t.xml10_content(),
        Event::GeneralRef(r) => match resolve_xml_entity(r.as_ref()) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(r.resolve_char_ref().ok().flatten().map(String::from).unwrap_or_default()),
        },
        _ => Cow::Borrowed(""),
    }
}

/// An attribute by its whole name.
pub fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.try_get_attribute(name).ok().flatten()?;
    Some(quick_xml::escape::unescape(&found.value).map_or_else(|_| found.value.to_string(), Cow::into_owned))
}
