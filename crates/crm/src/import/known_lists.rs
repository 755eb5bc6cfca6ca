//! Lists that other systems export, as data (`model/imports/*.toml`): by which headings one is told, which heading fills
//! which field, what its words mean. It knows nothing of files or of the store.

use super::plan::{Case, Make};
use super::words::plain;
use northing_model::ModelError;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct System {
    system: String,
    list: Vec<Known>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    #[serde(skip)]
    pub system: String,
    pub name: String,
    /// None for lists that make no records by themselves.
    pub object: Option<String>,
    /// Headings that all are there.
    pub marks: Vec<String>,
    /// The plan to use instead.
    pub plan: Option<String>,
    #[serde(default)]
    pub key: Vec<String>,
    /// By field, headings in the order of preference; ` + ` joins several. `amount.currency` is the currency of `amount`.
    #[serde(default)]
    pub fields: BTreeMap<String, Vec<String>>,
    /// By field, what the words mean.
    #[serde(default)]
    pub values: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    pub constants: BTreeMap<String, String>,
    #[serde(default)]
    pub cases: BTreeMap<String, Vec<Case>>,
    /// Fields whose references are made when they are not here.
    #[serde(default)]
    pub make: Vec<String>,
    /// Further records of a row, in the plan language; left out where a column is missing.
    #[serde(default)]
    pub also: Vec<Make>,
}

/// Every known list.
pub fn load() -> Result<Vec<Known>, ModelError> {
    let mut all = Vec::new();
    for (place, text) in northing_model::source::files("imports/").into_iter().filter(|(place, _)| !place.ends_with("words.toml")) {
        let System { system, list } = northing_model::object::parse_toml(&place, &text)?;
        all.extend(list.into_iter().map(|known| Known { system: system.clone(), ..known }));
    }
    Ok(all)
}

/// Every known list; a test holds that they can be read.
pub(crate) fn all() -> &'static [Known] {
    static ALL: OnceLock<Vec<Known>> = OnceLock::new();
    ALL.get_or_init(|| load().unwrap_or_default())
}

impl Known {
    /// `Shopify: orders`.
    pub fn title(&self) -> String {
        format!("{}: {}", self.system, self.name)
    }

    /// The heading of the file that is meant, compared without case and punctuation.
    fn heading<'a>(wanted: &str, headings: &'a [String]) -> Option<&'a String> {
        let wanted = plain(wanted);
        headings.iter().find(|h| plain(h) == wanted)
    }

    fn fits(&self, headings: &[String]) -> bool {
        self.marks.iter().all(|mark| Self::heading(mark, headings).is_some())
    }

    pub(crate) fn key_column<'a>(&self, headings: &'a [String]) -> Option<&'a String> {
        self.key.iter().find_map(|key| Self::heading(key, headings))
    }

    /// Field by column.
    pub(crate) fn filled(&self, headings: &[String]) -> BTreeMap<String, String> {
        let mut filled = BTreeMap::new();
        for (field, choices) in &self.fields {
            let columns = |choice: &String| choice.split(" + ").map(|part| Self::heading(part, headings)).collect::<Option<Vec<_>>>();
            // Headings that another field has taken may say two things; a column fills one field.
            if let Some(columns) = choices.iter().filter_map(columns).find(|columns| columns.iter().all(|c| !filled.contains_key(*c))) {
                filled.extend(columns.into_iter().map(|c| (c.clone(), field.clone())));
            }
        }
        filled
    }
}

/// The list that a file is by its headings: of several, the one that knows most of them.
pub(crate) fn of(headings: &[String]) -> Option<&'static Known> {
    all().iter().filter(|known| known.fits(headings)).max_by_key(|known| (known.filled(headings).len(), known.marks.len()))
}

pub(crate) fn titled(title: &str) -> Option<&'static Known> {
    all().iter().find(|known| known.title() == title)
}
