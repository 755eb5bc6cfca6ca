//! What a number of a sheet stands for, by the format of its cell: a date, a time, a share, a number.

/// How a cell shows its number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Look {
    #[default]
    Number,
    Percent,
    Date,
}

impl Look {
    /// Formats without a code of their own (ECMA-376 part 1, 18.8.30; those of East Asian editions included).
    pub fn built_in(id: &str) -> Self {
        match id.parse::<u32>().unwrap_or(0) {
            9 | 10 => Look::Percent,
            14..=22 | 27..=36 | 45 | 47 | 50..=58 => Look::Date,
            _ => Look::Number,
        }
    }

    /// A format's code: letters of a day or a time outside quotes, brackets and escapes make it a date. Hours counted on
    /// beyond a day (`[h]`) are a length, hence a number.
    pub fn of(code: &str) -> Self {
        let mut chars = code.chars();
        let (mut quoted, mut bracket) = (false, false);
        while let Some(c) = chars.next() {
            match c {
                '"' => quoted = !quoted,
                _ if quoted => {}
                '\\' | '_' | '*' => drop(chars.next()),
                '[' => bracket = true,
                ']' => bracket = false,
                'h' | 'H' | 'm' | 'M' | 's' | 'S' if bracket && !code.contains(['y', 'Y', 'd', 'D']) => return Look::Number,
                _ if bracket => {}
                ';' => break,
                'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return Look::Date,
                '%' => return Look::Percent,
                _ => {}
            }
        }
        Look::Number
    }
}

/// A number as a person would write it: dates as 2026-11-22, with the time where it is not midnight; a share with its
/// sign; any other with the 15 digits that a spreadsheet keeps of it.
pub fn written(number: f64, look: Look, from_1904: bool) -> String {
    match look {
        Look::Date => dated(number, from_1904).unwrap_or_else(|| digits(number)),
        Look::Percent => format!("{}%", digits(number * 100.0)),
        Look::Number => digits(number),
    }
}

fn digits(number: f64) -> String {
    let kept: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    kept.to_string()
}

/// Days are counted from 1899-12-31, and a 29 February 1900 that never was is one of them; or from 1904-01-01.
fn dated(number: f64, from_1904: bool) -> Option<String> {
    if !(0.0..3_000_000.0).contains(&number) {
        return None;
    }
    let seconds = (number * 86_400.0).round() as i64;
    let (days, time) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let clock = format!("{:02}:{:02}:{:02}", time / 3_600, time / 60 % 60, time % 60);
    if days == 0 && !from_1904 {
        return Some(clock);
    }
    let first = if from_1904 { jiff::civil::date(1904, 1, 1) } else { jiff::civil::date(1899, 12, if days < 60 { 31 } else { 30 }) };
    let day = first.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    Some(if time == 0 { day.to_string() } else { format!("{day} {clock}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_their_formats_show() {
        let dated = |n: f64| written(n, Look::Date, false);
        // 2026-11-22 is day 46,348 of the usual count; 1900-02-28 and 1900-03-01 stand around the day that never was.
        assert_eq!((dated(46_348.0), dated(46_348.75), dated(59.0), dated(61.0), dated(0.5)), ("2026-11-22".into(), "2026-11-22 18:00:00".into(), "1900-02-28".into(), "1900-03-01".into(), "12:00:00".into()));
        assert_eq!(written(44_886.0, Look::Date, true), "2026-11-22");
        assert_eq!((written(0.1 + 0.2, Look::Number, false), written(1_200.5, Look::Number, false), written(48_600_100_200.0, Look::Number, false), written(0.07, Look::Percent, false)), ("0.3".into(), "1200.5".into(), "48600100200".into(), "7%".into()));
        let looks = [("yyyy\\-mm\\-dd", Look::Date), ("[$-415]d mmmm yyyy", Look::Date), ("0.00\" days\"", Look::Number), ("#,##0.00 [$zł-415]", Look::Number), ("[h]:mm", Look::Number), ("0.0%", Look::Percent), ("General", Look::Number), ("_(* #,##0_);[Red]d", Look::Number)];
        for (code, look) in looks {
            assert_eq!(Look::of(code), look, "{code}");
        }
    }
}
