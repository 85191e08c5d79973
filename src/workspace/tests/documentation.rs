//! docs/configuration.md says what the code does.

use crate::workspace::fixture::{Fixture, setting};
use crate::workspace::keys::{KEYS, Type};

const TEXT: &str = include_str!("../../../docs/configuration.md");

/// The flags that outrank a key: the request's own, and one of `migrate`.
fn flag(key: &str) -> Option<&'static str> {
    match key {
        "url" => Some("--database-url"),
        "version-order" => Some("--strict-version-order"),
        _ => None,
    }
}

/// The cells of the table of repo keys.
fn rows() -> Vec<Vec<String>> {
    let (_, section) = TEXT.split_once("## A repo\n").expect("the section is there");
    let table = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    table
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn the_table_has_every_key_with_its_flag_and_variable() {
    let found: Vec<Vec<String>> =
        rows().into_iter().map(|row| vec![row[0].clone(), row[3].clone(), row[4].clone()]).collect();
    let quoted = |text: Option<&str>| text.map_or_else(String::new, |text| format!("`{text}`"));
    let expected: Vec<Vec<String>> = KEYS
        .iter()
        .map(|key| {
            let variable = match key.ty {
                Type::Url if key.name == "url" => "see [below](#where-a-url-comes-from)".to_owned(),
                Type::Url => format!("`<REPO>_{}`", key.name.replace('-', "_").to_uppercase()),
                _ => quoted(key.variable),
            };
            vec![quoted(Some(key.name)), quoted(flag(key.name)), variable]
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_table_has_the_defaults() {
    let repo = Fixture::single("[package.metadata.dbsetup.repos.core]\n").repo();
    let priv_dir = setting(&repo, "priv").expect("it has a default").0;
    let mut compared = 0;
    for row in rows() {
        let key = row[0].trim_matches('`');
        if let Some((value, origin)) = setting(&repo, key) {
            let documented = row[2].trim_matches('`').trim_matches('"');
            let documented = documented.replace("<priv>", &priv_dir).replace("<repo>", "core");
            assert_eq!((value.replace('\\', "/"), origin.as_str()), (documented, "default"), "{key}");
            compared += 1;
        }
    }
    assert_eq!(compared, 11, "paths, durations and switches have defaults");
}

#[test]
fn every_example_is_read() {
    let blocks: Vec<&str> =
        TEXT.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 4, "the examples are found");
    for block in blocks {
        let fixture = if block.contains("[workspace.") {
            Fixture::workspace(&[("a", "")], block)
        } else {
            Fixture::single(block)
        };
        let workspace = fixture.discover().unwrap_or_else(|error| panic!("{block}\n{error}"));
        if !block.contains(".repos.") {
            assert!(!workspace.config.aliases.is_empty(), "{block}");
            continue;
        }
        let repo = fixture.repo_in("test");
        assert!(repo.ready().is_ok(), "{block}\n{:?}", repo.ready());
        assert!(repo.files().maintenance_url.is_none());
    }
}
