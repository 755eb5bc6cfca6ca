//! A number by two dimensions at once is a table whose cells, rows and columns hold; and a half is rounded to the even.

use northing_metrics::{Cache, Question, ask};
use northing_model::{Period, money::div_half_even, value::parse_date};
use std::collections::BTreeMap;

const CUSTOMERS: [(&str, &str, &str, i64); 5] = [("a", "PL", "Large", 10), ("b", "PL", "Small", 20), ("c", "DE", "Small", 5), ("d", "", "Large", 1), ("e", "DE", "Small", 7)];

#[test]
fn by_two_dimensions_each_cell_is_its_own() {
    let mut case = String::from("shows = \"Two dimensions\"\nrecord = [\n");
    for (name, country, segment, net) in CUSTOMERS {
        let place = if country.is_empty() { String::new() } else { format!(", country = \"{country}\"") };
        case += &format!("  {{ object = \"customer\", id = \"{name}\", fields = {{ name = \"{name}\", segment = \"{segment}\" }} }},\n");
        case += &format!("  {{ object = \"order\", id = \"o{name}\", fields = {{ number = \"{name}\", customer = \"{name}\", net = \"{net}.00\", confirmed_at = \"2024-01-10\"{place} }} }},\n");
    }
    case += "]\n";
    let prepared = northing_testkit::cases::prepare(&toml::from_str(&case).unwrap());
    let day = |text: &str| parse_date(text).unwrap();
    for by in [["country", "segment"], ["segment", "country"]] {
        let mut question = Question::new("revenue", Period { start: day("2024-01-01"), end: day("2024-02-01") }, 1_893_456_000);
        question.by = by.map(str::to_string).to_vec();
        let answer = ask(&prepared.snapshot, &question, &Cache::default()).unwrap().metrics.remove(0);
        let cells: BTreeMap<(String, String), f64> = answer.buckets.iter().map(|b| ((b.by["country"].to_string(), b.by["segment"].to_string()), b.cell.value.unwrap())).collect();
        let wanted = [("(none)", "Large", 1.0), ("DE", "Small", 12.0), ("PL", "Large", 10.0), ("PL", "Small", 20.0)].map(|(c, s, v)| ((c.to_string(), s.to_string()), v));
        assert_eq!(cells, BTreeMap::from(wanted), "by {by:?}");
    }
}

#[test]
fn a_half_is_rounded_to_the_even() {
    for (numerator, denominator, wanted) in [(5, 10, 0), (15, 10, 2), (25, 10, 2), (35, 10, 4), (-5, 10, 0), (-15, 10, -2), (-25, 10, -2), (24, 10, 2), (26, 10, 3), (-24, 10, -2), (-26, 10, -3), (25, -10, -2), (35, -10, -4), (7, 1, 7)] {
        assert_eq!(div_half_even(numerator, denominator), Some(wanted), "{numerator} / {denominator}");
    }
    assert_eq!((div_half_even(1, 0), div_half_even(i128::from(i64::MAX) + 1, 1)), (None, None));
}
