//! What is wrong with a declaration, said for whoever wrote it: the line, the key, the nearest right one. It knows nothing
//! of what is declared.

use crate::text::distance;

/// The line of an error and what it says, in words that need no knowledge of the program.
pub fn wrong(error: &toml::de::Error, text: &str) -> (usize, String) {
    let line = error.span().map_or(1, |s| text.get(..s.start).unwrap_or_default().matches('\n').count() + 1);
    // A whole declaration written as a list is read as one without names, and complained of in strange ways.
    let header = text.lines().nth(line - 1).unwrap_or_default().trim();
    if header.starts_with("[[") && !header.contains('.') && error.message().starts_with("invalid") {
        return (line, LIST.into());
    }
    (line, words(error.message()))
}

const LIST: &str = "this is a list, and should be one table: write [name], not [[name]], or { … }, not [ … ]";

/// The nearest of some words, if one is near.
pub fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let letters = |w: &str| w.chars().collect::<Vec<_>>();
    let apart = |other: &str| distance(&letters(word), other).max(distance(&letters(other), word));
    known.map(|k| (apart(k), k)).min_by_key(|(n, _)| *n).filter(|(n, k)| *n * 2 < k.chars().count().max(3)).map(|(_, k)| k)
}

/// Texts between backquotes.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

fn words(message: &str) -> String {
    let names = quoted(message);
    let unknown = [("unknown field", "key"), ("unknown variant", "word")].into_iter().find(|(said, _)| message.starts_with(said));
    if let (Some((_, what)), Some((name, known))) = (unknown, names.split_first()) {
        let near = nearest(name, known.iter().copied()).map_or_else(String::new, |k| format!("; did you mean '{k}'?"));
        return format!("there is no {what} '{name}' here{near} (there are: {})", known.join(", "));
    }
    if let (true, Some(name)) = (message.starts_with("missing field"), names.first()) {
        return format!("the key '{name}' is needed here");
    }
    let list = message.starts_with("invalid length") || message.contains("sequence") || message.contains("array");
    if list && message.contains("struct") {
        return LIST.into();
    }
    if message.contains("untagged enum") {
        return "this has none of the forms that it may have: see the keys of a value like it in the other files".into();
    }
    if let Some((found, _)) = message.split_once(", expected struct") {
        return format!("{found}, and should be a table: [name] with its keys below, or {{ … }}");
    }
    message.to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn u20_a_wrong_metric_says_the_key_and_the_nearest() {
        let said = |text: &str| crate::object::parse_toml::<std::collections::BTreeMap<String, crate::MetricDef>>("own", text).unwrap_err().to_string();
        let head = "[x]\nkind = \"flow\"\nunit = \"count\"\ngood = \"up\"\ngroup = \"sales\"\n";
        let wrong = said(&format!("{head}trailling = 5\n"));
        assert!(wrong.contains("own:6") && wrong.contains("no key 'trailling'") && wrong.contains("did you mean 'trailing'?"), "{wrong}");
        let wrong = said("[[x]]\nkind = \"flow\"\n");
        assert!(wrong.contains("one table: write [name]") && !wrong.contains("struct"), "{wrong}");
        let wrong = said("x = 5\n");
        assert!(wrong.contains("should be a table") && !wrong.contains("struct"), "{wrong}");
        let wrong = said("[x]\nkind = \"flwo\"\n");
        assert!(wrong.contains("did you mean 'flow'?"), "{wrong}");
        let wrong = said("[x]\nkind = \"flow\"\n");
        assert!(wrong.contains("is needed here"), "{wrong}");
    }
}
