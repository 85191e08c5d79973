//! docs/cli.md: the help pages of every command on one page, kept true by this test.

use clap::{Command, CommandFactory};

use super::args::Cli;
use super::exit;

/// Set it to anything to have the page written anew.
const BLESS: &str = "DBSETUP_BLESS";

fn page() -> String {
    let mut page = String::from(
        "# Commands\n\nMade from the program itself; do not edit. `cargo dbsetup help COMMAND` shows the same.\n",
    );
    let root = Cli::command().term_width(100);
    page += &section(&root, "cargo dbsetup");
    let mut commands: Vec<&Command> = root.get_subcommands().collect();
    commands.sort_by_key(|command| command.get_display_order());
    for command in commands {
        let name = format!("cargo dbsetup {}", command.get_name());
        page += &section(command, &name);
        for inner in command.get_subcommands() {
            page += &section(inner, &format!("{name} {}", inner.get_name()));
        }
    }
    page + "\n## Exit codes\n\n```text\n" + exit::TABLE + "```\n"
}

fn section(command: &Command, name: &str) -> String {
    let mut command = command.clone().bin_name(name).term_width(100).disable_help_subcommand(true);
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n"))
}

#[test]
fn the_reference_says_what_the_help_pages_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
    let page = page();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(path, &page).expect("docs/ can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    let differs = written.lines().zip(page.lines()).find(|(old, new)| old != new);
    assert!(written == page, "docs/cli.md is stale at {differs:?}: run the tests with {BLESS}=1");
}
