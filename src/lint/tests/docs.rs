//! docs/lint.md: the table of rules on one page, kept true by this test.

use super::super::{RULES, Rule, Scope, Severity};

/// Set it to anything to have the page written anew.
const BLESS: &str = "DBSETUP_BLESS";

/// Where the part begins that is made from the table.
const RULES_BEGIN: &str = "## Rules\n";

fn section(rule: &Rule) -> String {
    let severity = match rule.severity {
        Severity::Fail => "fails",
        Severity::Warn => "warns",
    };
    let lane = match rule.scope {
        Scope::Automatic => "automatic migrations",
        Scope::Everywhere => "all migrations",
    };
    let databases = if rule.sqlite { "PostgreSQL, SQLite" } else { "PostgreSQL" };
    let same: Vec<String> = rule.squawk.iter().map(|name| format!("`{name}`")).collect();
    let same = match same.as_slice() {
        [] => String::new(),
        names => format!("- In squawk: {}\n", names.join(", ")),
    };
    format!(
        "\n### `{}`\n\n{severity} · {lane} · {databases}\n\n- What: {}.\n- Why: {}.\n- Instead: {}.\n{same}",
        rule.name, rule.what, rule.why, rule.instead
    )
}

#[test]
fn the_page_says_what_the_table_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md");
    let written = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    let front = written.split(RULES_BEGIN).next().unwrap_or_default();
    let page = front.to_owned() + RULES_BEGIN + &RULES.iter().map(section).collect::<String>();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(path, &page).expect("docs/ can be written");
        return;
    }
    let differs = written.lines().zip(page.lines()).find(|(old, new)| old != new);
    assert!(written == page, "docs/lint.md is stale at {differs:?}: run the tests with {BLESS}=1");
}

#[test]
fn names_are_told_apart_and_texts_are_fragments() {
    for (at, rule) in RULES.iter().enumerate() {
        assert!(RULES[at + 1..].iter().all(|other| other.name != rule.name), "{}", rule.name);
        for text in [rule.what, rule.why, rule.instead] {
            assert!(
                !text.is_empty() && !text.ends_with('.') && !text.contains("  "),
                "{}: {text}",
                rule.name
            );
        }
    }
}
