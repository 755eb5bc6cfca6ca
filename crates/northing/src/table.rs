//! Tables on a terminal: columns as wide as their widest cell, numbers to the right.

/// Prints rows under headings; `right` says which columns hold numbers.
pub fn print(headings: &[String], right: &[bool], rows: &[Vec<String>]) {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = headings
        .iter()
        .enumerate()
        .map(|(i, h)| rows.iter().map(|r| width(&r[i])).chain([width(h)]).max().unwrap_or(0))
        .collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells
            .iter()
            .enumerate()
            .map(|(i, cell)| {
                let gap = " ".repeat(widths[i] - width(cell));
                if right.get(i).copied().unwrap_or(false) { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
            })
            .collect();
        say!("{}", padded.join("  ").trim_end());
    };
    line(headings);
    say!("{}", "─".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)));
    rows.iter().for_each(|r| line(r));
}

/// 1234567.5 as `1,234,567.50`.
pub fn number(value: f64, digits: usize) -> String {
    let text = format!("{:.digits$}", value.abs());
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), String::new()), |(w, r)| (w, format!(".{r}")));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{}{grouped}{rest}", if value < 0.0 { "-" } else { "" })
}

/// Seconds as days, hours or minutes.
pub fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        s if s >= 172_800.0 => (seconds / 86_400.0, "d"),
        s if s >= 7_200.0 => (seconds / 3_600.0, "h"),
        s if s >= 120.0 => (seconds / 60.0, "min"),
        _ => (seconds, "s"),
    };
    format!("{} {unit}", number(value, 1))
}
