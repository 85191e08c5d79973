//! From words to steps to results: parses the command line, expands aliases, settles the repos, asks, and runs.

mod alias;
pub mod args;
mod commands;
mod confirm;
mod context;
pub mod exit;
mod hints;
mod migration_file;
mod options;
mod plan;
mod prepare;
mod program;
#[cfg(test)]
mod reference;
mod rehearsal;
mod runner;
mod templates;
mod usage;

use dbsetup::Error;
use dbsetup::repo::DatabaseUrl;
use dbsetup_cli::drive;
use dbsetup_cli::signals::Signals;

use crate::ui::{Ui, notices};
use crate::workspace::Workspace;
use alias::Aliases;
use args::Line;
use commands::Command;
use context::{Output, Selected};
use options::Options;
use plan::{Step, Stop};

/// What the plugin is called.
const PROGRAM: &str = "cargo dbsetup";

/// Runs a command line without the program's name and returns the exit code.
pub async fn run(words: Vec<String>) -> u8 {
    let line = Line::split(&words);
    let global = match line.global() {
        Ok(global) => global,
        Err(error) => return usage::tell(&error, &line, &[], &line, &Ui::new(PROGRAM, None, None)),
    };
    let ui = Ui::new(PROGRAM, global.telling.format, global.telling.color);
    ui.begin(global.telling.quiet, global.telling.verbose, false);
    match decide_and_run(&line, &global, &ui).await {
        Ok(code) => code,
        Err(Stop::Usage { error, line: wrong, trail }) => usage::tell(&error, &wrong, &trail, &line, &ui),
        Err(Stop::Signal(signal)) => signal.code(),
        Err(Stop::BrokenPipe) => exit::OK,
        Err(Stop::Unknown(error)) => {
            ui.usage_error(&error, exit::USAGE);
            exit::USAGE
        }
        Err(Stop::Failed(error)) => tell(&ui, &error),
    }
}

async fn decide_and_run(line: &Line, global: &args::Global, ui: &Ui) -> Result<u8, Stop> {
    if usage::wants_exit_codes(line) {
        return data(ui, exit::TABLE);
    }
    let command = line.command();
    let help = matches!(&command, Err(error) if usage::is_help(error));
    if help || matches!(&command, Ok(command) if command.needs_no_workspace()) {
        return match command {
            Err(error) => Err(Stop::usage(error, line, &[])),
            Ok(command) => look_alone(&command, ui),
        };
    }
    let request = prepare::request(global)?;
    let workspace = match (Workspace::discover(&request), command) {
        (Ok(workspace), _) => workspace,
        // A typo is told rather than a broken manifest; a word that may be an alias waits for the manifest.
        (Err(_), Err(error)) if !usage::is_unknown_word(&error) => return Err(Stop::usage(error, line, &[])),
        // Help on what is built in needs no workspace.
        (Err(error), _) if usage::asks_for_help(line) => {
            let built_in = Aliases::new([], Command::names());
            if usage::wants_alias_help(line, &built_in) {
                return data(ui, &usage::alias_help(line, &built_in));
            }
            let word = usage::word_of_help(line).unwrap_or_default();
            let why = format!("aliases of a workspace are not known here: {}", error.message());
            return Err(Stop::Unknown(usage::unknown(word, line, &built_in).note(why)));
        }
        (Err(error), _) => return Err(error.into()),
    };
    ui.paths_start_at(&workspace.root);
    warn_of_visible_password(global, ui);
    let aliases = Aliases::new(&workspace.config.aliases, Command::names());
    if usage::wants_alias_help(line, &aliases) {
        return data(ui, &usage::alias_help(line, &aliases));
    }
    if let Some(name) = line.name.as_deref()
        && aliases.get(name).is_none()
        && !aliases.is_command(name)
    {
        return Err(Stop::Unknown(usage::unknown(name, line, &aliases)));
    }
    let steps: Vec<Step> = aliases.expand(line, global)?;
    let prepared = prepare::prepare(&workspace, &request, steps)?;
    let signals = Signals::listen().map_err(|error| {
        Error::new(dbsetup::Kind::Io, format!("cannot listen for signals: {error}")).because(error)
    })?;
    notices::listen();
    let run = runner::Runner::new(&prepared, &workspace, &aliases, ui, line);
    Ok(drive::drive(run, signals).await?)
}

/// Arguments can be read by every user of the machine.
fn warn_of_visible_password(global: &args::Global, ui: &Ui) {
    let url = global.database_url.as_ref().map(DatabaseUrl::new);
    if url.is_some_and(|url| url.redacted() != url.expose()) {
        let text = "the password in `--database-url` can be seen in the list of processes";
        ui.warning(text, Some("set a variable instead, for example `DATABASE_URL`"));
    }
}

/// Runs a command that needs no workspace.
fn look_alone(command: &Command, ui: &Ui) -> Result<u8, Stop> {
    let aliases = Aliases::new([], Vec::new());
    let options = Options::default();
    let selected = Selected { repos: Vec::new(), workspace: None, aliases: &aliases, options: &options, ui };
    match command.look(&selected)? {
        Output::Data { text, .. } => data(ui, &text),
        Output::Failed => Ok(exit::FAILED),
        _ => Ok(exit::OK),
    }
}

fn data(ui: &Ui, text: &str) -> Result<u8, Stop> {
    ui.data(text).map_err(drive::Stop::of_output)?;
    Ok(exit::OK)
}

fn tell(ui: &Ui, error: &Error) -> u8 {
    let code = if crate::workspace::is_cargo_failure(error) { exit::CARGO } else { exit::code(error.kind()) };
    ui.error(error, None, code);
    code
}
