//! What declarations of objects are refused for. Must not read files.

use super::*;

fn built(body: &str) -> Result<Model, ModelError> {
    Model::build(&[Definition { kind: "object".into(), name: "x_seat".into(), body: body.into() }])
}

/// One record at a time has a thing: every part of that declaration must be a field of its kind.
#[test]
fn what_is_taken_by_one_at_a_time_names_fields_of_the_right_kinds() {
    let declare = |of: &str, from: &str, to: &str, state: &str| {
        let rest = r#"
            [fields]
            x_name = { type = "text", required = true }
            x_owner = { type = "ref", to = "user" }
            x_starts_at = { type = "datetime" }
            x_ends_at = { type = "datetime" }
            x_status = { type = "choice", options = ["open", "gone"] }
        "#;
        format!("name = \"x_seat\"\nplural = \"x_seats\"\ntitle = \"x_name\"\nlist = [\"x_name\"]\nexclusive = {{ of = \"{of}\", from = \"{from}\", to = \"{to}\", state = \"{state}\", free = [\"gone\"] }}\n{rest}")
    };
    assert!(built(&declare("x_owner", "x_starts_at", "x_ends_at", "x_status")).is_ok(), "{:?}", built(&declare("x_owner", "x_starts_at", "x_ends_at", "x_status")).err());
    for (of, from, to, state) in [("x_name", "x_starts_at", "x_ends_at", "x_status"), ("x_owner", "x_name", "x_ends_at", "x_status"), ("x_owner", "x_starts_at", "x_status", "x_status"), ("x_owner", "x_starts_at", "x_ends_at", "x_name"), ("nobody", "x_starts_at", "x_ends_at", "x_status")] {
        let refused = built(&declare(of, from, to, state)).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains("exclusive needs"), "{of} {from} {to} {state}: {refused}");
    }
}

#[test]
fn names_are_small_letters_digits_and_underscores() {
    let named = |name: &str| check_name("x", name).is_ok();
    for fine in ["a", "a1", "a_b", "deal2_x"] {
        assert!(named(fine), "{fine}");
    }
    for wrong in ["", "1a", "_a", "A", "aB", "a-b", "a b", "a.b", "a\"b", "ż", "a'", "a;"] {
        assert!(!named(wrong), "{wrong}");
    }
    assert!(named(&"a".repeat(48)) && !named(&"a".repeat(49)));
}
