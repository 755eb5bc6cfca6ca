//! `northing import` as a person at a terminal meets it: what it says with its exit status, and the way of rejects.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn import(data: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_northing")).args(["--now", "2026-01-01T00:00:00Z", "import", "--data"]).arg(data).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// 0: shown or imported whole; 1: could not; 3: nothing guessed; 4: something is asked; 5: rows set aside.
#[test]
fn n9_the_exit_status_says_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let good = file("customers.csv", "Name;Phone\nAcme GmbH;+48 600 100 200\n");
    let known = file("Tags.csv", "Tag,Colour\nvip,red\n");
    let asks = file("deals.csv", "Deal name,Stage,Amount,Created at,Close date\nA,Won,$5,2024-01-01,2024-02-01\n");
    let mixed = file("leads.csv", "Lead name,E-mail\nAda,ada@example.org\n,none\n");
    for (arguments, code, says) in [
        (vec![good.as_str()], 0, "Nothing was imported"),
        (vec!["--yes", good.as_str()], 0, "customer: 1 created"),
        (vec!["--yes", known.as_str()], 3, "none of its headings is known"),
        (vec!["--yes", asks.as_str()], 4, "of which currency the amounts in 'Amount' are"),
        (vec!["--yes", mixed.as_str()], 5, "1 rows were set aside"),
        (vec!["--yes", known.as_str(), good.as_str(), mixed.as_str()], 3, "customer: 0 created"),
        (vec!["--plan", "nowhere.toml", good.as_str()], 1, "nowhere.toml"),
    ] {
        let output = import(&data, &arguments);
        assert!(output.status.code() == Some(code) && said(&output).contains(says), "{arguments:?}: {:?} {}", output.status, said(&output));
    }
}

/// The rows that were set aside are corrected where they lie and imported by the same plan; when all went in, the list goes.
#[test]
fn n5_rejects_go_the_way_of_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (calls, plan) = (folder.path().join("Calls.csv"), folder.path().join("plan.toml"));
    std::fs::write(&calls, "Subject;At\nFirst;2024-01-01\nSecond;someday\nThird;never\n").unwrap();
    std::fs::write(&plan, "[[file]]\nname = \"Calls.csv\"\ndelimiter = \";\"\n[[file.make]]\nobject = \"interaction\"\nkey = \"call:{@row}\"\n[file.make.fields]\nsubject = \"Subject\"\nat = \"At\"\n").unwrap();
    let run = |file: &Path| import(&data, &["--plan", plan.to_str().unwrap(), file.to_str().unwrap()]);
    let first = run(&calls);
    assert_eq!(first.status.code(), Some(5), "{}", said(&first));
    let rejects = data.join("imports/Calls-rejects.csv");
    let mend = |from: &str, to: &str| std::fs::write(&rejects, std::fs::read_to_string(&rejects).unwrap().replace(from, to)).unwrap();
    mend("Second,someday", "Second,2024-01-02");
    let second = run(&rejects);
    assert!(second.status.code() == Some(5) && said(&second).contains("interaction: 1 created"), "{}", said(&second));
    let left = std::fs::read_to_string(&rejects).unwrap();
    assert!(left.contains("Third") && !left.contains("Second") && left.matches("northing_row").count() == 1, "{left}");
    mend("Third,never", "Third,2024-01-03");
    let third = run(&rejects);
    assert!(third.status.success() && said(&third).contains("interaction: 1 created") && !rejects.exists(), "{}", said(&third));
    // The rows kept their places: the whole file again changes nothing but what is still wrong in it.
    let again = run(&calls);
    assert!(again.status.code() == Some(5) && said(&again).contains("0 created, 0 changed, 1 unchanged"), "{}", said(&again));
}
