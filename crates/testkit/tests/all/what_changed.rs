//! Which part of a change comes of parts that became better, and which of parts that weigh more than they did.

use northing_metrics::{Answer, Cache, Compare, Question, ask};
use northing_model::{Period, value::parse_date};

/// Win rates of January and February by owner: (owner, won, lost) of each month; how much each owner brought by their
/// own rate and by what share of the deals was theirs.
fn february(january: &[(&str, u32, u32)], february: &[(&str, u32, u32)]) -> Vec<(String, f64, f64)> {
    let mut case = String::from("shows = \"Win rates\"\nrecord = [\n");
    for owner in ["ann", "ben"] {
        case += &format!("  {{ object = \"user\", id = \"{owner}\", fields = {{ name = \"{owner}\", enabled_at = \"2020-01-01\", role = \"sales\" }} }},\n");
    }
    for (month, deals) in [("01", january), ("02", february)] {
        for (owner, won, lost) in deals {
            for n in 0..won + lost {
                let stage = if n < *won { "won" } else { "lost" };
                let name = format!("{owner}{month}{n}");
                case += &format!("  {{ object = \"deal\", id = \"{name}\", fields = {{ name = \"{name}\", stage = \"{stage}\", owner = \"{owner}\", created_at = \"2024-{month}-10\" }}, moments = [[\"stage\", \"s1\", \"2024-{month}-10\"], [\"stage\", \"{stage}\", \"2024-{month}-15\"]] }},\n");
            }
        }
    }
    case += "]\n";
    let prepared = northing_testkit::cases::prepare(&toml::from_str(&case).unwrap());
    let day = |text: &str| parse_date(text).unwrap();
    let mut question = Question::new("win_rate", Period { start: day("2024-02-01"), end: day("2024-03-01") }, 1_893_456_000);
    question.by = vec!["owner".into()];
    question.compare = Some(Compare::Previous);
    let answer: Answer = ask(&prepared.snapshot, &question, &Cache::default()).unwrap();
    let mut parts: Vec<_> = answer.metrics[0].buckets.iter().map(|b| (b.by["owner"].to_string(), b.contribution.unwrap())).map(|(owner, c)| (owner, c.rate.unwrap(), c.mix.unwrap())).collect();
    parts.sort_by(|a, b| a.0.cmp(&b.0));
    parts
}

fn close(found: &[(String, f64, f64)], wanted: &[(&str, f64, f64)]) {
    let same = found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| f.0 == w.0 && (f.1 - w.1).abs() < 1e-12 && (f.2 - w.2).abs() < 1e-12);
    assert!(same, "{found:?}, not {wanted:?}");
}

#[test]
fn who_weighs_more_counts_by_how_far_they_are_from_the_middle() {
    // Ben closes twice as many, as well as everybody else: nothing changed, and nobody brought or cost anything.
    close(&february(&[("ann", 1, 1), ("ben", 1, 1)], &[("ann", 1, 1), ("ben", 2, 2)]), &[("ann", 0.0, 0.0), ("ben", 0.0, 0.0)]);
    // Ann wins half and Ben nothing, as before; of 4 deals 2 were Ann's, of 8 there are 6: a quarter became three eighths.
    // In the middle of both (five sixteenths) Ann is three above and Ben five below, and a quarter of the deals moved.
    close(&february(&[("ann", 1, 1), ("ben", 0, 2)], &[("ann", 3, 3), ("ben", 0, 2)]), &[("ann", 0.0, 0.25 * 3.0 / 16.0), ("ben", 0.0, 0.25 * 5.0 / 16.0)]);
    // The same shares, and Ben has learned: all of it is his.
    close(&february(&[("ann", 1, 1), ("ben", 0, 2)], &[("ann", 1, 1), ("ben", 1, 1)]), &[("ann", 0.0, 0.0), ("ben", 0.25, 0.0)]);
}

/// Is the change of the mean time to solve a ticket told to be one, by the days that tickets of either month took?
fn certain(january: &[i64], february: &[i64]) -> Option<bool> {
    let mut case = String::from("shows = \"Times\"\nrecord = [\n");
    for (month, took) in [("01", january), ("02", february)] {
        for (n, days) in took.iter().enumerate() {
            let (opened, solved) = (format!("2024-{month}-02"), format!("2024-{month}-{:02}", 2 + days));
            case += &format!("  {{ object = \"ticket\", id = \"t{month}{n}\", fields = {{ subject = \"t\", opened_at = \"{opened}\", created_at = \"{opened}\", status = \"solved\" }}, moments = [[\"status\", \"new\", \"{opened}\"], [\"status\", \"solved\", \"{solved}\"]] }},\n");
        }
    }
    case += "]\n";
    let prepared = northing_testkit::cases::prepare(&toml::from_str(&case).unwrap());
    let day = |text: &str| parse_date(text).unwrap();
    let mut question = Question::new("ticket_resolution_time", Period { start: day("2024-02-01"), end: day("2024-03-01") }, 1_893_456_000);
    question.compare = Some(Compare::Previous);
    let answer = ask(&prepared.snapshot, &question, &Cache::default()).unwrap();
    answer.metrics[0].total.change.as_ref().unwrap().certain
}

#[test]
fn whether_a_mean_changed_is_judged_by_how_far_its_values_lie_apart() {
    assert_eq!(certain(&[1, 2, 3, 2], &[11, 12, 13, 12]), Some(true));
    assert_eq!(certain(&[1, 2, 3, 2], &[1, 2, 3, 3]), Some(false));
    assert_eq!(certain(&[2], &[9, 10]), None, "one value alone says nothing of how far values lie apart");
}
