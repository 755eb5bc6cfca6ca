//! Words of other systems (`model/imports/words.toml`): what a stage is called when it is won, how a heading says that it
//! is a person's name. It knows nothing of files or records.

use northing_model::text::fold;
use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    won: Vec<String>,
    lost: Vec<String>,
    void: Vec<String>,
    over: Vec<String>,
    full_name: Vec<String>,
    first_name: Vec<String>,
    last_name: Vec<String>,
    company_name: Vec<String>,
    company_form: Vec<String>,
    currency: Vec<String>,
}

/// A text as headings and words are compared: without case, accents and punctuation.
pub(crate) fn plain(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// Reads the words; a test holds that they can be read.
pub(crate) fn load() -> Result<Words, northing_model::ModelError> {
    let Some((place, text)) = northing_model::source::files("imports/words").pop() else { return Ok(Words::default()) };
    let mut words: Words = northing_model::object::parse_toml(&place, &text)?;
    for list in [&mut words.won, &mut words.lost, &mut words.void, &mut words.over, &mut words.full_name, &mut words.first_name, &mut words.last_name, &mut words.company_name, &mut words.company_form, &mut words.currency] {
        for word in list.iter_mut() {
            *word = plain(word);
        }
    }
    Ok(words)
}

fn words() -> &'static Words {
    static WORDS: OnceLock<Words> = OnceLock::new();
    WORDS.get_or_init(|| load().unwrap_or_default())
}

fn has(list: &[String], text: &str) -> bool {
    let text = plain(text);
    !text.is_empty() && list.contains(&text)
}

/// `won`, `lost` or `void`, where a stage or state says so by its name.
pub(crate) fn kind_of(text: &str) -> Option<&'static str> {
    let w = words();
    [("won", &w.won), ("lost", &w.lost), ("void", &w.void)].into_iter().find(|(_, list)| has(list, text)).map(|(kind, _)| kind)
}

/// Says that something is over, but not how it ended.
pub(crate) fn is_over(text: &str) -> bool {
    has(&words().over, text)
}

pub(crate) fn is_full_name(heading: &str) -> bool {
    has(&words().full_name, heading)
}

pub(crate) fn is_name_part(heading: &str) -> bool {
    has(&words().first_name, heading) || has(&words().last_name, heading)
}

pub(crate) fn is_company_name(heading: &str) -> bool {
    has(&words().company_name, heading)
}

pub(crate) fn is_currency(heading: &str) -> bool {
    has(&words().currency, heading)
}

/// Whether a name is a company's by its form (`Sp. z o.o.`, `GmbH`, `ООО`).
pub(crate) fn is_company(name: &str) -> bool {
    let forms = &words().company_form;
    northing_model::text::words(name).iter().any(|w| forms.contains(w)) || ["公司", "集团", "شرکت"].iter().any(|f| name.contains(f))
}

/// Whether a name may be a person's: two to four words of letters, of no company's form.
pub(crate) fn is_person(name: &str) -> bool {
    let parts: Vec<&str> = name.split_whitespace().collect();
    let letters = |part: &&str| part.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.' | '\u{200c}'));
    (2..=4).contains(&parts.len()) && parts.iter().all(letters) && !is_company(name)
}
