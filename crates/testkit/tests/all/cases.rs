//! Every case under `cases/`, and that nothing lacks a case, a name or an explanation.

use northing_model::{Labels, Model, labels::LANGUAGES};
use std::path::{Path, PathBuf};

fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases").join(folder);
    let mut found: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    found.sort();
    found.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).unwrap())).collect()
}

#[test]
fn metric_cases() {
    let wrong: Vec<String> = files("metrics").iter().flat_map(|(path, text)| northing_testkit::cases::run(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The KPIs that the articles name on a second reading: each with a number worked out by hand, not only with a reason.
#[test]
fn n23_the_six_of_the_second_reading_are_worked_out() {
    let text = files("metrics").into_iter().find(|f| f.0.ends_with("second_reading.toml")).unwrap().1;
    let case: northing_testkit::cases::Case = toml::from_str(&text).unwrap();
    let model = Model::builtin().unwrap();
    for id in ["severe_dissatisfaction_rate", "sales_activities_per_rep", "ticket_step_time", "win_back_rate", "revenue_per_employee", "labour_cost_ratio"] {
        assert!(model.metrics.get(id).is_some_and(|def| !def.sources.is_empty()), "{id} names no source");
        assert!(case.expect.iter().any(|e| e.metric == id && e.variant.is_none() && e.value.is_some()), "no number for {id}");
    }
}

#[test]
fn filter_cases() {
    let wrong: Vec<String> = files("filters").iter().flat_map(|(path, text)| northing_testkit::cases::run(path, text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_metric_has_a_case_and_words_in_six_languages() {
    let model = Model::builtin().unwrap();
    let labels = Labels::load().unwrap();
    let cases: String = files("metrics").into_iter().map(|f| f.1).collect();
    let mut missing = Vec::new();
    for id in model.metrics.keys() {
        if !cases.contains(&format!("metric = \"{id}\"")) {
            missing.push(format!("case for {id}"));
        }
        for language in LANGUAGES {
            missing.extend(["metric", "explain"].iter().map(|s| format!("{s}.{id}")).filter(|k| labels.get(language, k).is_none()).map(|k| format!("{language} {k}")));
        }
    }
    // A variant is a number of its own: it needs a case, and a name on screen.
    let expected: std::collections::BTreeSet<(String, String)> = files("metrics")
        .iter()
        .flat_map(|(_, text)| toml::from_str::<northing_testkit::cases::Case>(text).unwrap().expect)
        .filter_map(|e| e.variant.map(|v| (e.metric, v)))
        .collect();
    let screen: Vec<(&str, String)> = LANGUAGES.iter().map(|l| (*l, std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../web/src/locales/{l}.json"))).unwrap())).collect();
    for def in model.metrics.values() {
        let keys = def.sources.iter().map(|s| format!("source.{s}")).chain(def.differs.iter().map(|d| format!("differs.{d}")));
        for key in keys {
            missing.extend(LANGUAGES.iter().filter(|l| labels.get(l, &key).is_none()).map(|l| format!("{l} {key}")));
        }
    }
    for (id, def) in &model.metrics {
        for name in def.variants.keys() {
            if !matches!(name.as_str(), "median" | "p90") && !expected.contains(&(id.clone(), name.clone())) {
                missing.push(format!("case for {id}.{name}"));
            }
            missing.extend(screen.iter().filter(|(_, text)| !text.contains(&format!("\"variant.{name}\""))).map(|(l, _)| format!("{l} variant.{name}")));
            let reasons = def.variant(name).unwrap().excluded;
            for reason in reasons.keys().map(|r| format!("reason.{r}")) {
                missing.extend(LANGUAGES.iter().filter(|l| labels.get(l, &reason).is_none()).map(|l| format!("{l} {reason}")));
            }
        }
    }
    for object in &model.objects {
        for language in LANGUAGES {
            let key = format!("object.{}", object.name);
            missing.extend(labels.get(language, &key).is_none().then(|| format!("{language} {key}")));
            for field in object.fields.values() {
                let known = labels.get(language, &format!("field.{}", field.name)).or_else(|| labels.get(language, &format!("field.{}.{}", object.name, field.name)));
                missing.extend(known.is_none().then(|| format!("{language} field.{}", field.name)));
                let twin = object.fields.values().find(|f| f.name < field.name && labels.field(language, &object.name, f) == labels.field(language, &object.name, field));
                missing.extend(twin.map(|f| format!("{language}: words that tell {0}.{1} from {0}.{2}", object.name, field.name, f.name)));
                missing.extend(field.options.iter().filter(|_| field.band.is_none()).map(|o| format!("option.{o}")).filter(|k| labels.get(language, k).is_none()).map(|k| format!("{language} {k}")));
            }
        }
    }
    let dims: std::collections::BTreeSet<&String> = model.metrics.values().flat_map(|m| &m.dims).collect();
    for dim in dims {
        missing.extend(LANGUAGES.iter().filter(|l| labels.get(l, &format!("field.{dim}")).is_none()).map(|l| format!("{l} field.{dim}")));
    }
    assert!(missing.is_empty(), "missing: {}", missing.join(", "));
}

#[test]
fn declarations_are_refused_with_place_problem_and_cure() {
    use northing_model::object::Definition;
    let refused = |kind: &str, name: &str, body: &str| {
        let definition = Definition { kind: kind.into(), name: name.into(), body: body.into() };
        Model::build(&[definition]).unwrap_err().to_string()
    };
    let metric = |body: &str| refused("metric", "m", &format!("[x_m]\nunit = \"count\"\ngood = \"up\"\ngroup = \"sales\"\n{body}"));
    assert!(metric("kind = \"flow\"\nnum = [{ from = \"deal\", time = \"closed_at\", where = \"outcme = 'won'\" }]").contains("no field 'outcme'"));
    assert!(metric("kind = \"flow\"\nnum = [{ from = \"deal\", time = \"amount\" }]").contains("not an instant"));
    assert!(metric("kind = \"ratio\"\nnum = [{ from = \"deal\", time = \"closed_at\" }]").contains("needs den"));
    assert!(metric("kind = \"flow\"\nnumm = []").contains("numm"));
    assert!(refused("fields", "deal", "amount = { type = \"text\" }").contains("call it x_amount"));
    assert!(refused("fields", "deal", "\"Bad name\" = { type = \"text\" }").contains("not a name"));
    assert!(refused("fields", "nothing", "x_a = { type = \"text\" }").contains("no such object"));
    assert!(refused("object", "x_a", "name = \"x_a\"\nplural = \"x_as\"\ntitle = \"y\"\n[fields]\nx_z = { type = \"ref\", to = \"q\" }").contains("title"));
}
