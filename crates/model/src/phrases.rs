//! What the product says when something is wrong, in the reader's language.
//!
//! It is said in English where it arises; the other languages are kept in `model/locales/*/problems.toml` under the
//! English sentence, whose varying parts stand in braces. Who says it needs to know nothing of languages, and a sentence
//! without a translation is shown as it is. Braces named `object`, `objects`, `field` and `options` hold names of the
//! model, which get their words too; `rest` holds a sentence.

use crate::{Labels, Model, ObjectDef};
use std::collections::BTreeMap;

/// Under which the sentences stand among the labels.
pub(crate) const SECTION: &str = "problem.";

#[derive(Debug, Clone, Default)]
pub struct Phrases {
    /// Those of each language, the ones with most fixed letters first.
    known: BTreeMap<String, Vec<Phrase>>,
}

#[derive(Debug, Clone)]
struct Phrase {
    /// What stands still, around the names of what varies: one more than those.
    fixed: Vec<String>,
    names: Vec<String>,
    said: String,
}

impl Phrases {
    pub fn new(labels: &Labels) -> Self {
        let mut known = BTreeMap::new();
        for language in crate::labels::LANGUAGES {
            let mut all: Vec<Phrase> = labels.under(language, SECTION).map(|(english, said)| Phrase::new(english, said)).collect();
            all.sort_by_key(|p| std::cmp::Reverse(p.fixed.iter().map(String::len).sum::<usize>()));
            known.insert(language.to_string(), all);
        }
        Self { known }
    }

    /// The sentence in a language, or as it is. A field that it begins with (`customer.email: …`) gets its word.
    pub fn say(&self, labels: &Labels, model: &Model, language: &str, english: &str) -> String {
        let Some(known) = self.known.get(language) else { return english.to_string() };
        let reader = Reader { known, labels, model, language };
        reader.say(english, 0)
    }
}

/// Sentences hold sentences, but not for ever.
const DEEPEST: u8 = 4;

struct Reader<'a> {
    known: &'a [Phrase],
    labels: &'a Labels,
    model: &'a Model,
    language: &'a str,
}

impl Reader<'_> {
    fn say(&self, english: &str, depth: u8) -> String {
        if depth > DEEPEST {
            return english.to_string();
        }
        if let Some((field, rest)) = english.split_once(": ").and_then(|(name, rest)| Some((self.field(name)?, rest))) {
            return format!("{field}: {}", self.say(rest, depth + 1));
        }
        let Some((phrase, values)) = self.known.iter().find_map(|p| p.values(english).map(|v| (p, v))) else { return english.to_string() };
        let (fixed, names) = parts(&phrase.said);
        let mut said = fixed[0].clone();
        for (name, after) in names.iter().zip(&fixed[1..]) {
            if let Some(at) = phrase.names.iter().position(|n| n == name) {
                said.push_str(&self.word(name, values[at], depth));
            }
            said.push_str(after);
        }
        said
    }

    fn word(&self, name: &str, value: &str, depth: u8) -> String {
        let label = |key: String| self.labels.get(self.language, &key).map(str::to_string);
        let found = match name {
            "object" => self.model.object(value).and_then(|o| o.one.clone()).or_else(|| label(format!("one.{value}"))).map(|w| w.to_lowercase()),
            "objects" => self.model.object_by_path(value).map(|o| self.labels.object(self.language, o)),
            "field" => self.field(value),
            "options" => Some(value.split(", ").map(|o| label(format!("option.{o}")).unwrap_or_else(|| o.to_string())).collect::<Vec<_>>().join(", ")),
            "rest" => Some(self.say(value, depth + 1)),
            _ => (self.language == "fa" && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())).then(|| value.bytes().filter_map(|b| char::from_u32(0x6F0 + u32::from(b - b'0'))).collect()),
        };
        found.unwrap_or_else(|| value.to_string())
    }

    /// What `email` or `customer.email` is called.
    fn field(&self, name: &str) -> Option<String> {
        let of = |object: &ObjectDef, name: &str| object.field(name).map(|f| self.labels.field(self.language, &object.name, f));
        match name.split_once('.') {
            Some((object, name)) => of(self.model.object(object)?, name),
            None => self.model.objects.iter().find_map(|o| of(o, name)),
        }
    }
}

/// The parts of a sentence with braces: what stands still, and the names of what does not.
pub fn parts(english: &str) -> (Vec<String>, Vec<String>) {
    let (mut fixed, mut names) = (Vec::new(), Vec::new());
    let mut rest = english;
    while let Some((before, name, after)) = rest.split_once('{').and_then(|(b, a)| a.split_once('}').map(|(n, a)| (b, n, a))) {
        fixed.push(before.to_string());
        names.push(name.to_string());
        rest = after;
    }
    fixed.push(rest.to_string());
    (fixed, names)
}

impl Phrase {
    fn new(english: &str, said: &str) -> Self {
        let (fixed, names) = parts(english);
        Self { fixed, names, said: said.to_string() }
    }

    /// What stands in the braces, if the sentence is this one.
    fn values<'a>(&self, english: &'a str) -> Option<Vec<&'a str>> {
        let (first, others) = self.fixed.split_first()?;
        let mut rest = english.strip_prefix(first.as_str())?;
        let Some((last, between)) = others.split_last() else { return rest.is_empty().then(Vec::new) };
        let mut values = Vec::with_capacity(self.names.len());
        for part in between {
            let (value, after) = rest.split_once(part.as_str())?;
            values.push(value);
            rest = after;
        }
        values.push(rest.strip_suffix(last.as_str())?);
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_get_the_readers_words() {
        let (labels, model) = (Labels::load().unwrap_or_default(), Model::build(&[]).unwrap_or_default());
        let phrases = Phrases::new(&labels);
        let say = |language: &str, english: &str| phrases.say(&labels, &model, language, english);
        assert_eq!(say("pl", "customer.email: 'a b' is not an e-mail address"), "E-mail: „a b” nie jest adresem e-mail");
        assert_eq!(say("en", "customer.email: a value is required"), "E-mail: a value is required");
        assert_eq!(say("fa", "try again in 25 seconds"), "۲۵ ثانیهٔ دیگر دوباره بکوشید");
        assert_eq!(say("hu", "change 2: customer.name: a value is required"), "2. módosítás: Név: értéket kell megadni");
        assert_eq!(say("ru", "your role does not let you do this with deals"), "ваша роль этого не разрешает (Сделки)");
        // What people typed is left alone, even where it looks like a sentence or like braces.
        assert_eq!(say("pl", "'{object} a value is required' is not a number"), "„{object} a value is required” nie jest liczbą");
        assert_eq!(say("pl", "nobody has translated this"), "nobody has translated this");
        assert_eq!(say("xx", "a value is required"), "a value is required");
    }
}
