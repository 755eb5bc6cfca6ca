//! Texts as they are compared and looked for: the same whatever keyboard they were typed on. It knows nothing of records.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text as it is compared.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'ي' | 'ى' => folded.push('ی'),
            'ك' => folded.push('ک'),
            'ة' => folded.push('ه'),
            // Joiners and lengthening change how a word looks, not which it is.
            '\u{200c}' | '\u{200d}' | '\u{0640}' => {}
            '۰'..='۹' => folded.push(char::from(b'0' + (c as u32 - '۰' as u32) as u8)),
            '٠'..='٩' => folded.push(char::from(b'0' + (c as u32 - '٠' as u32) as u8)),
            'ł' => folded.push('l'),
            'ø' => folded.push('o'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            '\n' | '\r' => folded.push(' '),
            c => folded.push(c),
        }
    }
    folded
}

/// The digits of a number in any script, as phones are compared.
pub fn digits(text: &str) -> String {
    fold(text).chars().filter(char::is_ascii_digit).collect()
}

/// The fewest letters to change, add, leave out or swap so that the words stand somewhere in a text.
pub fn distance(wanted: &[char], text: &str) -> usize {
    let n = wanted.len();
    let mut before: Vec<usize> = (0..=n).collect();
    let (mut earlier, mut best, mut previous) = (before.clone(), n, '\0');
    for c in text.chars() {
        let mut row = vec![0; n + 1];
        for i in 1..=n {
            row[i] = (before[i] + 1).min(row[i - 1] + 1).min(before[i - 1] + usize::from(wanted[i - 1] != c));
            if i > 1 && wanted[i - 1] == previous && wanted[i - 2] == c {
                row[i] = row[i].min(earlier[i - 2] + 1);
            }
        }
        best = best.min(row[n]);
        earlier = std::mem::replace(&mut before, row);
        previous = c;
    }
    best
}

/// Is a letter a word of its own, as Chinese ones are to whoever looks for them?
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// The words of a text in folded letters. Letters that stand alone are words each.
pub fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in fold(text).chars() {
        let alone = stands_alone(c);
        if (alone || !c.is_alphanumeric()) && words.last().is_some_and(|w| !w.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(last)) = (c.is_alphanumeric(), words.last_mut()) {
            last.push(c);
            if alone {
                words.push(String::new());
            }
        }
    }
    words.retain(|w| !w.is_empty());
    words
}

/// Letters shown before and after what was found.
const BEFORE: usize = 30;
const AFTER: usize = 80;

/// The part of a text around the first of some folded words, on one line.
pub fn around(text: &str, wanted: &[String]) -> String {
    let letters: Vec<char> = text.chars().take(20_000).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let begins = |i: usize| {
        let first = i == 0 || !letters[i - 1].is_alphanumeric() || stands_alone(letters[i]);
        let next = || fold(&letters[i..letters.len().min(i + 60)].iter().collect::<String>());
        first && letters[i].is_alphanumeric() && wanted.iter().any(|w| next().starts_with(w.as_str()))
    };
    let at = (0..letters.len()).find(|i| begins(*i)).unwrap_or(0);
    let (mut from, mut to) = (at.saturating_sub(BEFORE), letters.len().min(at + AFTER));
    // Words stay whole where they are not too long for it.
    from = (from..at).find(|i| *i == 0 || letters[*i - 1].is_whitespace()).unwrap_or(from);
    to = (at + AFTER / 2..to).rev().find(|i| letters.get(*i).is_none_or(|c| c.is_whitespace())).filter(|_| to < letters.len()).unwrap_or(to);
    let middle: String = letters[from..to].iter().collect();
    let middle = middle.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}{middle}{}", if from > 0 { "… " } else { "" }, if to < letters.len() { " …" } else { "" })
}

/// What a spreadsheet takes for the beginning of a formula, after blanks.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠'];

fn begins_a_formula(text: &str) -> bool {
    text.trim_start_matches(['\u{feff}', ' ']).starts_with(FORMULA)
}

/// A text that a spreadsheet would run, as the text that it is: with an apostrophe in front.
pub fn harmless(text: &str) -> String {
    if begins_a_formula(text) { format!("'{text}") } else { text.to_string() }
}

/// The text that `harmless` was given.
pub fn as_typed(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| begins_a_formula(rest)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_however_they_are_typed() {
        for (a, b) in [("Zażółć Gęślą", "zazolc gesla"), ("كرج", "کرج"), ("می‌روم", "میروم"), ("۰۹۱۲", "0912"), ("Ёлка", "елка"), ("Straße", "strasse"), ("ＡＢＣ", "abc"), ("Ádám Tóth", "adam toth")] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn errors_are_counted_as_people_make_them() {
        let far = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), b);
        assert_eq!(far("kowalski", "jan kowalski sp"), 0);
        assert_eq!(far("kowlaski", "jan kowalski"), 1);
        assert_eq!(far("kovalski", "kowalski"), 1);
        assert_eq!(far("kowalsk", "kowalski"), 0);
        assert_eq!(far("xyz", "abc"), 3);
    }

    #[test]
    fn words_are_cut_as_people_look_for_them() {
        assert_eq!(words("Zwrot: 120,50 zł!"), ["zwrot", "120", "50", "zl"]);
        assert_eq!(words("我要退款abc，谢谢"), ["我", "要", "退", "款", "abc", "谢", "谢"]);
        assert_eq!(words("می‌خواهم  پولم را"), ["میخواهم", "پولم", "را"]);
        assert!(words(" … ").is_empty());
    }

    #[test]
    fn the_part_around_a_word_is_shown() {
        let text = "Good morning,\nwe ordered the winter service in October and have not heard of anybody since; please send the money back to the account that we paid from. Thank you.";
        assert_eq!(around(text, &["money".into()]), "… since; please send the money back to the account that we paid from. Thank you.");
        assert_eq!(around("我要退款，谢谢", &["退".into()]), "我要退款，谢谢");
        assert_eq!(around(text, &["nowhere".into()]), "Good morning, we ordered the winter service in October and have not heard of …");
        assert_eq!(around("", &["a".into()]), "");
    }

    #[test]
    fn s11_what_looks_like_a_formula_becomes_text() {
        for text in ["=1+1", "+48 22", "-2", "@x", "\t=1", " =1", "\u{feff}=1", "\0=1", "＝1"] {
            assert!(harmless(text).starts_with('\''), "{text:?}");
            assert_eq!(as_typed(&harmless(text)), text);
        }
        for text in ["Anna", "1-2", "a=b", "", "۱۲۳", "'s-Hertogenbosch"] {
            assert_eq!((harmless(text).as_str(), as_typed(text)), (text, text));
        }
    }
}
