//! Numbers, amounts and lengths of time as people and programs write them: `$1.2M`, `1 234,50 zł`, `(5.00)`, `45 min`,
//! `00:02:23`. Digits stay text until a field reads them, so nothing is rounded. It knows nothing of fields or files.

use northing_model::Currency;

/// A number in the product's notation, and the sign of a currency that stood beside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Written {
    pub number: String,
    pub sign: String,
}

/// Signs of currencies with what they may stand for; longer ones first. The number is a power of ten that the sign
/// multiplies by: a toman is ten rials.
const SIGNS: &[(&str, &[&str], u32)] = &[
    ("US$", &["USD"], 0), ("CA$", &["CAD"], 0), ("AU$", &["AUD"], 0), ("NZ$", &["NZD"], 0), ("HK$", &["HKD"], 0), ("NT$", &["TWD"], 0), ("MX$", &["MXN"], 0), ("CN¥", &["CNY"], 0), ("JP¥", &["JPY"], 0),
    ("R$", &["BRL"], 0), ("C$", &["CAD", "NIO"], 0), ("A$", &["AUD"], 0), ("S$", &["SGD"], 0),
    ("$", &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"], 0), ("€", &["EUR"], 0), ("£", &["GBP"], 0), ("¥", &["JPY", "CNY"], 0), ("￥", &["CNY", "JPY"], 0),
    ("人民币", &["CNY"], 0), ("元", &["CNY", "TWD", "HKD"], 0), ("円", &["JPY"], 0), ("kr.", &["DKK", "SEK", "NOK", "ISK"], 0), ("kr", &["SEK", "NOK", "DKK", "ISK"], 0), ("zł", &["PLN"], 0), ("zl", &["PLN"], 0), ("Ft", &["HUF"], 0), ("Kč", &["CZK"], 0),
    ("₽", &["RUB"], 0), ("руб.", &["RUB"], 0), ("руб", &["RUB"], 0), ("рублей", &["RUB"], 0), ("₴", &["UAH"], 0), ("₺", &["TRY"], 0), ("₹", &["INR"], 0), ("₩", &["KRW"], 0), ("₪", &["ILS"], 0), ("฿", &["THB"], 0), ("₫", &["VND"], 0), ("₱", &["PHP"], 0),
    ("﷼", &["IRR", "SAR", "QAR", "OMR", "YER"], 0), ("ریال", &["IRR"], 0), ("تومان", &["IRR"], 1),
];

/// Words that multiply, by powers of ten.
const TIMES: &[(&str, u32)] = &[
    ("k", 3), ("tys.", 3), ("tys", 3), ("тыс.", 3), ("тыс", 3), ("ezer", 3), ("هزار", 3), ("m", 6), ("mm", 6), ("mn", 6), ("mio", 6), ("mln", 6), ("mln.", 6), ("млн", 6), ("млн.", 6), ("millió", 6), ("میلیون", 6),
    ("b", 9), ("bn", 9), ("mld", 9), ("mrd", 9), ("млрд", 9), ("میلیارد", 9), ("万", 4), ("亿", 8),
];

/// What a sign may stand for, and the power of ten it multiplies by; an ISO 4217 code stands for itself.
pub(crate) fn currencies(sign: &str) -> Option<(Vec<Currency>, u32)> {
    if let Some((_, codes, power)) = SIGNS.iter().find(|(s, ..)| s.to_lowercase() == sign.to_lowercase()) {
        return Some((codes.iter().filter_map(|c| Currency::parse(c)).collect(), *power));
    }
    Currency::parse(sign).map(|c| (vec![c], 0))
}

/// Digits of any script as ASCII, with the marks of numbers that belong to them.
pub(crate) fn plain_digits(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '۰'..='۹' => char::from(b'0' + (c as u32 - '۰' as u32) as u8),
            '٠'..='٩' => char::from(b'0' + (c as u32 - '٠' as u32) as u8),
            '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
            '٫' => '.',
            '٬' => '\'',
            '−' | '–' => '-',
            _ => c,
        })
        .collect()
}

/// Reads a number with what stands around it. `mark` is the decimal mark where it is known; without it, what could be
/// read in two ways (`1,234`) is not read. `None` where it is no number.
pub(crate) fn read(text: &str, mark: Option<&str>) -> Option<Written> {
    let text = plain_digits(text.trim());
    let inside = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    let mut negative = inside.is_some();
    let text = inside.unwrap_or(&text).trim();
    let first = text.find(|c: char| c.is_ascii_digit() || (matches!(c, '.' | ',') && text[text.find(c).unwrap_or(0) + c.len_utf8()..].starts_with(|d: char| d.is_ascii_digit())))?;
    let last = text.rfind(|c: char| c.is_ascii_digit())? + 1;
    let (mut before, digits, after) = (text.get(..first)?.trim(), text.get(first..last)?, text.get(last..)?.trim());
    for minus in ["-", "+"] {
        if before.starts_with(minus) || before.ends_with(minus) {
            negative |= minus == "-";
            before = before.trim_start_matches(minus).trim_end_matches(minus).trim();
        }
    }
    let after = match after.strip_suffix('-') {
        Some(rest) if before.is_empty() || !negative => {
            negative = true;
            rest.trim_end()
        }
        _ => after,
    };
    let (power, sign) = beside(before, after)?;
    let plain = decimal(digits, mark)?;
    let number = shifted(&plain, power);
    Some(Written { number: if negative { format!("-{number}") } else { number }, sign })
}

/// The power of ten and the sign that stand before and behind a number.
fn beside(before: &str, after: &str) -> Option<(u32, String)> {
    let (mut power, mut sign) = (0, String::new());
    let mut take = |word: &str| -> Option<()> {
        if word.is_empty() {
            return Some(());
        }
        if let Some((_, p)) = TIMES.iter().find(|(w, _)| *w == word.to_lowercase()) {
            power += p;
            return Some(());
        }
        let (_, own) = currencies(word)?;
        if !sign.is_empty() {
            return None;
        }
        power += own;
        sign = word.to_string();
        Some(())
    };
    for part in [before, after] {
        for word in part.split_whitespace() {
            // `k€`, `M$`: a multiplier and a sign in one.
            if take(word).is_none() {
                let (cut, _) = word.char_indices().nth(1)?;
                let back = word.char_indices().next_back().map_or(0, |(i, _)| i);
                let halves = [(&word[..cut], &word[cut..]), (&word[..back], &word[back..])];
                let (one, two) = halves.into_iter().find(|(a, b)| [a, b].iter().any(|w| TIMES.iter().any(|(t, _)| *t == w.to_lowercase())) && [a, b].iter().any(|w| currencies(w).is_some()))?;
                take(one)?;
                take(two)?;
            }
        }
    }
    Some((power, sign))
}

/// Digits with one decimal point and nothing else.
fn decimal(digits: &str, mark: Option<&str>) -> Option<String> {
    let digits: String = digits.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\'' | '’')).collect();
    if !digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',')) {
        return None;
    }
    let (points, commas) = (digits.matches('.').count(), digits.matches(',').count());
    let mark = match mark {
        Some(mark) => mark.chars().next()?,
        None if points > 0 && commas > 0 => if digits.rfind('.') > digits.rfind(',') { '.' } else { ',' },
        None if commas > 1 => '.',
        None if points > 1 => ',',
        // One comma before three digits may be either.
        None if commas == 1 && digits.len() - digits.find(',')? == 4 => return None,
        None if commas == 1 => ',',
        None => '.',
    };
    let other = if mark == '.' { ',' } else { '.' };
    let whole = digits.replace(other, "");
    if whole.matches(mark).count() > 1 {
        return None;
    }
    // What is put between groups of digits stands before three of them (two in India), and never behind the decimal mark.
    if let (Some(at), Some(last)) = (digits.find(mark), digits.rfind(other)) && last > at {
        return None;
    }
    Some(whole.replace(mark, "."))
}

/// A plain number times a power of ten, exactly.
fn shifted(number: &str, power: u32) -> String {
    if power == 0 {
        return number.to_string();
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let power = power as usize;
    let padded = format!("{fraction:0<power$}");
    let (up, rest) = padded.split_at(power);
    let whole = format!("{whole}{up}");
    if rest.is_empty() { whole } else { format!("{whole}.{rest}") }
}

/// Units of time in seconds, by what they are called in the six languages.
const UNITS: &[(&[&str], i64)] = &[
    (&["s", "sec", "secs", "second", "seconds", "sek", "sekund", "sekundy", "с", "сек", "секунд", "секунды", "秒", "mp", "másodperc", "ثانیه"], 1),
    (&["m", "min", "mins", "minute", "minutes", "minut", "minuty", "minuta", "мин", "минут", "минуты", "минута", "分", "分钟", "p", "perc", "دقیقه"], 60),
    (&["h", "hr", "hrs", "hour", "hours", "godz", "godzina", "godziny", "godzin", "ч", "час", "часа", "часов", "小时", "时", "ó", "óra", "ساعت"], 3_600),
    (&["d", "day", "days", "dni", "dzień", "д", "дн", "день", "дня", "дней", "天", "nap", "روز"], 86_400),
];

/// A length of time in seconds: `90`, `00:02:23`, `0:45` (hours and minutes), `45 min`, `1h 30m`, `PT1H30M`. A number
/// alone is of `unit` seconds.
pub(crate) fn seconds(text: &str, unit: i64) -> Option<i64> {
    let text = plain_digits(text.trim()).to_lowercase();
    let whole = |t: &str| t.parse::<i64>().ok().filter(|n| (0..=1_000_000_000).contains(n));
    if let Some(n) = whole(&text) {
        return n.checked_mul(unit);
    }
    if text.contains(':') {
        let parts: Vec<i64> = text.split(':').map(|p| whole(p.trim())).collect::<Option<_>>()?;
        return match parts[..] {
            [h, m] if m < 60 => Some(h * 3_600 + m * 60),
            [h, m, s] if m < 60 && s < 60 => Some(h * 3_600 + m * 60 + s),
            _ => None,
        };
    }
    let mut rest = text.strip_prefix('p').filter(|t| t.starts_with(|c: char| c == 't' || c.is_ascii_digit())).unwrap_or(&text).trim();
    let mut total: i64 = 0;
    let mut said = false;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ',' | 't'));
        let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ',')).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let tail = tail.trim_start();
        let cut = tail.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(tail.len());
        let (word, after) = tail.split_at(cut);
        let word = word.trim_matches(['.', ',']);
        let (_, length) = UNITS.iter().find(|(names, _)| names.contains(&word))?;
        let thousandths = northing_model::money::parse_fixed(&number.replace(',', "."), 3).ok()?;
        total = total.checked_add(thousandths.checked_mul(*length)?)?;
        said = true;
        rest = after.trim_start();
        if rest.starts_with(['.', ',']) {
            rest = &rest[1..];
        }
    }
    (said && total % 1_000 == 0).then_some(total / 1_000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn u19_numbers_as_people_write_them() {
        let read = |t: &str, mark| super::read(t, mark).map(|w| (w.number, w.sign));
        let is = |t: &str, mark, number: &str, sign: &str| assert_eq!(read(t, mark), Some((number.into(), sign.into())), "{t}");
        is("$22,700.00", None, "22700.00", "$");
        is("$22,700", Some("."), "22700", "$");
        is("1.2M", Some("."), "1200000", "");
        is("€12k", Some("."), "12000", "€");
        is("1,25 mln zł", Some(","), "1250000", "zł");
        is("12 k€", Some("."), "12000", "€");
        is("1 234,50\u{a0}zł", Some(","), "1234.50", "zł");
        is("(1,200.50)", None, "-1200.50", "");
        is("-$5.00", None, "-5.00", "$");
        is("USD 5", None, "5", "USD");
        is("۱۲۳۴٫۵ تومان", Some("."), "12345", "تومان");
        is("1'234'567.89", None, "1234567.89", "");
        is("5万", None, "50000", "");
        is("12,5", None, "12.5", "");
        is("1,2345", None, "1.2345", "");
        is("kr 1.234,50", Some(","), "1234.50", "kr");
        for wrong in ["12x", "abc", "", "1,234", "1.2.3,4,5", "$5€", "2024-05-31", "1-2", "--5x"] {
            assert_eq!(read(wrong, None), None, "{wrong}");
        }
    }

    #[test]
    fn u19_lengths_of_time() {
        for (text, wanted) in [("00:02:23", 143), ("0:45", 2_700), ("45 min", 2_700), ("1h 30m", 5_400), ("1 h 30 min.", 5_400), ("90", 90), ("PT1H30M", 5_400), ("1.5 hours", 5_400), ("2 часа", 7_200), ("45 分钟", 2_700), ("1 godz. 15 min", 4_500), ("۴۵ دقیقه", 2_700), ("1 óra", 3_600)] {
            assert_eq!(super::seconds(text, 1), Some(wanted), "{text}");
        }
        for wrong in ["", "abc", "1:75", "5 apples", "0.0001 s", "-5"] {
            assert_eq!(super::seconds(wrong, 1), None, "{wrong}");
        }
    }
}
