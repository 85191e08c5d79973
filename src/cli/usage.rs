//! What is said about a command line that cannot be run, and the help pages that clap does not know.

use std::io::Write;

use clap::error::ErrorKind;
use dbsetup::{Error, Kind};

use super::alias::Aliases;
use super::args::Line;
use super::{exit, hints};
use crate::ui::Ui;
use crate::ui::json;
use crate::ui::text;
use crate::workspace::nearest;

/// Whether clap wants to show a page rather than complain.
pub fn is_help(error: &clap::Error) -> bool {
    use ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    matches!(error.kind(), DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand)
}

/// Whether the first word is no command.
pub fn is_unknown_word(error: &clap::Error) -> bool {
    error.kind() == ErrorKind::InvalidSubcommand
}

/// Whether the line is `help exit-codes`.
pub fn wants_exit_codes(line: &Line) -> bool {
    line.name.as_deref() == Some("help") && line.rest == ["exit-codes"]
}

/// Whether the line asks what an alias does: `setup --help`, `help setup`.
pub fn wants_alias_help(line: &Line, aliases: &Aliases) -> bool {
    let asked = |words: &[String]| words.iter().any(|word| word == "--help" || word == "-h");
    line.name.as_deref().is_some_and(|name| !aliases.is_command(name) && aliases.get(name).is_some())
        && asked(&line.rest)
        || alias_of_help(line).is_some_and(|name| aliases.get(name).is_some())
}

/// Whether the line asks for the page of its word: `help WORD`, `WORD --help`.
pub fn asks_for_help(line: &Line) -> bool {
    alias_of_help(line).is_some() || line.rest.iter().any(|word| word == "--help" || word == "-h")
}

/// Returns the word whose page is asked for.
pub fn word_of_help(line: &Line) -> Option<&str> {
    alias_of_help(line).or(line.name.as_deref())
}

fn alias_of_help(line: &Line) -> Option<&str> {
    line.name.as_deref().filter(|name| *name == "help")?;
    line.rest.first().map(String::as_str)
}

/// Returns the page of an alias.
pub fn alias_help(line: &Line, aliases: &Aliases) -> String {
    let name = alias_of_help(line).or(line.name.as_deref()).unwrap_or_default();
    let Some(alias) = aliases.get(name) else { return String::new() };
    let mut page = format!("`{name}` is an alias. It runs, in this order:\n\n");
    for step in &alias.steps {
        page += &format!("    {step}\n");
    }
    if let Some(env) = &alias.env {
        page += &format!("\nin the environment `{env}`.\n");
    }
    page + "\nGlobal options hold for every step; other arguments go to the last one.\n\
            Every option: `cargo dbsetup help COMMAND`.\n"
}

/// Returns the error of a word that is neither command nor alias.
pub fn unknown(name: &str, line: &Line, aliases: &Aliases) -> Error {
    let error =
        Error::new(Kind::Configuration, format!("no command or alias is called `{}`", text::line(name)));
    if let Some(hint) = hints::other_tool(line) {
        return error.help(hint);
    }
    match nearest(name, &aliases.names().collect::<Vec<_>>()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("see `cargo dbsetup --help` for commands and `cargo dbsetup aliases` for aliases"),
    }
}

/// Tells what clap has to say about `line`, to which aliases have led from the one that was `typed`, and returns the
/// exit code. Help and the version go to stdout.
pub fn tell(error: &clap::Error, line: &Line, trail: &[String], typed: &Line, ui: &Ui) -> u8 {
    let page = error.render().ansi().to_string();
    if !error.use_stderr() {
        // A reader that has gone has seen enough.
        let _ = ui.page(&page);
        return exit::OK;
    }
    let plain = error.render().to_string();
    let message = plain.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let tip = plain.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    let hint = hints::other_tool(typed);
    ui.json(json::usage(&message, hint.as_deref().or(tip), exit::USAGE));
    let mut stderr = anstream::stderr().lock();
    let _ = write!(stderr, "{page}");
    if let Some(alias) = trail.last() {
        let words = shell_words::join(line.words());
        let _ = writeln!(stderr, "\nnote: this is the step `{words}` of the alias `{alias}`");
    }
    if !trail.is_empty() && !typed.rest.is_empty() && line.rest.ends_with(&typed.rest) {
        let (given, alias) = (typed.rest.join(" "), trail[0].as_str());
        let _ = writeln!(stderr, "note: `{given}` goes to the last step of `{alias}`, as in every alias");
    }
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "\nhint: {hint}");
    }
    exit::USAGE
}
