//! What aliases stand for, as a table.

use dbsetup::Kind;

use super::*;
use crate::cli::commands::Command;

fn words(line: &str) -> Vec<String> {
    shell_words::split(line).expect("the test's line is well formed")
}

fn aliases(own: &[(&str, Option<&str>, &[&str])]) -> Aliases {
    let mut aliases = Aliases::new([], Command::names());
    for (name, env, steps) in own {
        let definition = Definition {
            env: env.map(str::to_owned),
            steps: steps.iter().map(|&step| step.to_owned()).collect(),
            written: None,
        };
        aliases.definitions.insert((*name).to_owned(), definition);
    }
    aliases
}

fn expand(aliases: &Aliases, text: &str) -> Result<Vec<Step>, Stop> {
    let line = Line::split(&words(text));
    let global = line.global().expect("the test's options parse");
    aliases.expand(&line, &global)
}

fn shown(aliases: &Aliases, text: &str) -> Vec<String> {
    expand(aliases, text).unwrap_or_else(|stop| panic!("{text}: {stop:?}")).iter().map(Step::shown).collect()
}

fn failure(aliases: &Aliases, text: &str) -> Error {
    match expand(aliases, text) {
        Err(Stop::Failed(error)) => error,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn built_in_aliases_nest() {
    let setup = ["create", "load --skip-if-loaded", "migrate --lane all", "seed --if-new"];
    assert_eq!(shown(&aliases(&[]), "setup"), setup);
    assert_eq!(shown(&aliases(&[]), "reset")[0], "drop");
    assert_eq!(shown(&aliases(&[]), "reset")[1..], setup);
    assert_eq!(shown(&aliases(&[]), "migrate_manual"), ["migrate --lane manual"]);
}

#[test]
fn the_quiet_line_of_setup_is_quiet_and_no_other() {
    let steps = expand(&aliases(&[]), "setup").expect("it expands");
    assert_eq!(steps.iter().map(|step| step.options.quiet).collect::<Vec<_>>(), [false, true, false, false]);
    assert!(!steps.iter().any(|step| step.options.silent), "only the line itself asks for it");
    assert!(expand(&aliases(&[]), "setup -q").expect("it expands").iter().all(|step| step.options.quiet));
    let own = aliases(&[("test", None, &["setup --quiet", "load --quiet"])]);
    let silent: Vec<bool> =
        expand(&own, "test").expect("it expands").iter().map(|step| step.options.silent).collect();
    assert_eq!(silent, [true, true, true, true, false]);
}

#[test]
fn a_command_is_itself() {
    assert_eq!(shown(&aliases(&[]), "-r core migrate --to 5"), ["migrate --to 5"]);
}

#[test]
fn global_options_hold_for_every_step_and_others_go_to_the_last() {
    let steps =
        expand(&aliases(&[("x", None, &["create", "migrate"])]), "x -r core --log-sql").expect("it expands");
    assert_eq!(steps.iter().map(Step::shown).collect::<Vec<_>>(), ["create", "migrate --log-sql"]);
    assert!(steps.iter().all(|step| step.options.selections[0].repos == ["core"]));
}

#[test]
fn an_alias_may_redefine_a_command_whose_name_inside_means_the_command() {
    let own = aliases(&[("migrate", None, &["migrate", "dump"])]);
    assert_eq!(shown(&own, "migrate"), ["migrate", "dump"]);
    assert_eq!(shown(&own, "setup")[2..4], ["migrate --lane all", "dump"]);
    // The last step first; what it cannot take was meant for the command.
    assert_eq!(shown(&own, "migrate --check"), ["migrate", "dump --check"]);
    assert_eq!(shown(&own, "migrate --to 5"), ["migrate --to 5", "dump"]);
}

#[test]
fn a_program_gets_its_words_and_what_follows() {
    let own = aliases(&[("test", Some("test"), &["setup --quiet", "$ cargo test --workspace"])]);
    let steps = expand(&own, "test -- 'a b' -q").expect("it expands");
    let last = steps.last().expect("there is one");
    let Action::Program(words) = &last.action else { panic!("{last:?}") };
    assert_eq!(words, &["cargo", "test", "--workspace", "--", "a b", "-q"]);
    assert!(steps.iter().all(|step| step.options.env.as_deref() == Some("test")));
}

#[test]
fn a_cycle_is_printed() {
    let own = aliases(&[("a", None, &["b"]), ("b", None, &["create", "c"]), ("c", None, &["b"])]);
    let error = failure(&own, "a");
    assert_eq!(error.kind(), Kind::Configuration);
    assert!(error.message().contains("b -> c -> b"), "{error}");
    assert!(failure(&aliases(&[("a", None, &["a"])]), "a").message().contains("a -> a"));
}

#[test]
fn a_name_may_come_twice_without_being_a_cycle() {
    let own = aliases(&[("x", None, &["create", "migrate_all", "migrate_all"])]);
    assert_eq!(shown(&own, "x").len(), 3);
}

#[test]
fn a_line_that_does_not_parse_names_its_alias() {
    let own = aliases(&[("x", None, &["migrate --lain all"])]);
    match expand(&own, "x") {
        Err(Stop::Usage { trail, .. }) => assert_eq!(trail, ["x"]),
        other => panic!("{other:?}"),
    }
    assert!(failure(&aliases(&[("x", None, &["migrate 'a"])]), "x").message().contains("migrate 'a"));
}

#[test]
fn an_environment_inside_another_one_is_refused() {
    let own = aliases(&[("x", Some("test"), &["setup"])]);
    assert!(failure(&own, "x --env dev").message().contains("env"));
    assert!(expand(&own, "x --env test").is_ok());
}

#[test]
fn no_alias_gives_itself_consent() {
    let own = aliases(&[("x", None, &["drop --yes"])]);
    assert!(failure(&own, "x").message().contains("--yes"));
    assert!(expand(&own, "x --yes").is_ok());
}

#[test]
fn an_alias_without_steps_takes_no_arguments() {
    let own = aliases(&[("x", None, &[])]);
    assert!(shown(&own, "x").is_empty());
    assert!(failure(&own, "x --log-sql").message().contains("no steps"));
}
