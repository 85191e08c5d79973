//! A command line of a release binary, from its words to the exit code.

use std::io::Write;

use dbsetup::repo::{DatabaseUrl, Repo};
use dbsetup::{Error, Kind};

use super::args::{Global, Line, Step, Word};
use super::runner::Runner;
use super::{Release, exit_codes, repos};
use crate::drive::{Stop, drive};
use crate::exit;
use crate::signals::Signals;
use crate::ui::{Ui, json, notices, text};

/// Runs a command line and returns the exit code.
pub async fn run(release: &Release, words: &[String]) -> u8 {
    let line = match Line::read(release, words) {
        Ok(line) => line,
        Err(error) => return usage(&error, &Ui::new(release.call(), None, None)),
    };
    let telling = &line.global.telling;
    let ui = Ui::new(release.call(), telling.format, telling.color);
    ui.begin(telling.quiet, telling.verbose, false);
    let done = match line.word {
        _ if line.wants_exit_codes => ui.data(exit_codes::TABLE).map(|()| exit::OK).map_err(Stop::of_output),
        Err(error) => return usage(&error, &ui),
        Ok(word) => begin(release, &line.global, word, &ui).await,
    };
    match done {
        Ok(code) => code,
        Err(Stop::Signal(signal)) => signal.code(),
        Err(Stop::BrokenPipe) => exit::OK,
        Err(Stop::Failed(error)) => {
            let code = exit::code(error.kind());
            ui.error(&error, None, code);
            code
        }
    }
}

async fn begin(release: &Release, global: &Global, word: Word, ui: &Ui) -> Result<u8, Stop> {
    let url = global.database_url.as_ref().map(DatabaseUrl::new);
    if url.is_some_and(|url| url.redacted() != url.expose()) {
        let text = "the password in `--database-url` can be seen in the list of processes";
        ui.warning(text, Some("set a variable instead, for example `DATABASE_URL`"));
    }
    let repos = repos::settle(&release.sources, global, &release.program(), &repos::of_process)?;
    for (text, help) in repos::warnings(&release.sources, global, &repos, &repos::of_process)? {
        ui.warning(&text, Some(&help));
    }
    let name = word.name();
    let steps = word.steps();
    refuse_several(&steps, &repos)?;
    let signals = Signals::listen().map_err(|error| {
        Error::new(Kind::Io, format!("cannot listen for signals: {error}")).because(error)
    })?;
    notices::listen();
    let origins = repos::origins(&release.sources, global, &repos, &repos::of_process)?;
    drive(Runner::new(release, global, name, &steps, &repos, &origins, ui), signals).await
}

/// Tells what clap has to say. Help and the version go to stdout.
fn usage(error: &clap::Error, ui: &Ui) -> u8 {
    let page = error.render().ansi().to_string();
    if !error.use_stderr() {
        // A reader that has gone has seen enough.
        let _ = ui.page(&page);
        return exit::OK;
    }
    let plain = error.render().to_string();
    let message = plain.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let tip = plain.lines().find_map(|line| line.trim_start().strip_prefix("tip: "));
    ui.json(json::usage(message, tip, exit::USAGE));
    let _ = write!(anstream::stderr().lock(), "{page}");
    exit::USAGE
}

fn refuse_several(steps: &[Step], repos: &[Repo]) -> Result<(), Error> {
    let what = steps.iter().find_map(|step| match step {
        Step::Command(command) => command.speaks_of_one(),
        _ => None,
    });
    let Some(what) = what.filter(|_| repos.len() > 1) else { return Ok(()) };
    let names = text::listed(repos.iter().map(|repo| repo.name.as_str()));
    Err(Error::new(
        Kind::Configuration,
        format!("`{what}` speaks of one repo, and {} are selected", repos.len()),
    )
    .note(format!("selected are {names}"))
    .help("name one with `--repo NAME`, or pass `--all-repos`"))
}
