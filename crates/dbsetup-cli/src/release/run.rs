//! The thin loop of a release binary: asks for consent, runs one step after the other, the repos of a step side by side,
//! and sums up.

use std::io::Write;
use std::pin::pin;
use std::time::{Duration, Instant};

use dbsetup::repo::{DatabaseUrl, Repo};
use dbsetup::session::Session;
use dbsetup::source::{DISPOSABLE, Source};
use dbsetup::{Error, Kind, storage};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};

use super::args::{Global, Line, Step, Word};
use super::{Release, exit_codes, repos};
use crate::args::DEFAULT_JOBS;
use crate::commands::shared::LaneFlag;
use crate::commands::{Command, Manner, Migrate};
use crate::confirm::{self, Answers};
use crate::exit;
use crate::plan::{LOADING, shown};
use crate::sessions::Sessions;
use crate::signals::{Signal, Signals};
use crate::summary::{Outcome, Summary};
use crate::task::{Options, Output, Task};
use crate::ui::prompt::No;
use crate::ui::{Ui, json, notices, prompt, status, text};

/// Why a run ends before its work is done.
enum Stop {
    Failed(Error),
    Signal(Signal),
    /// Whoever read our output has gone.
    BrokenPipe,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

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
        _ if line.wants_exit_codes => ui.data(exit_codes::TABLE).map(|()| exit::OK).map_err(of_output),
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
    let name = word.name();
    let steps = word.steps();
    refuse_several(&steps, &repos)?;
    let signals = Signals::listen().map_err(|error| {
        Error::new(Kind::Io, format!("cannot listen for signals: {error}")).because(error)
    })?;
    notices::listen();
    Runner::new(release, global, name, &steps, &repos, ui).run(signals).await
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

fn of_output(error: std::io::Error) -> Stop {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Stop::BrokenPipe,
        _ => Error::new(Kind::Io, format!("cannot write to stdout: {error}")).because(error).into(),
    }
}

/// One run.
struct Runner<'a> {
    sources: &'a [Source],
    global: &'a Global,
    name: &'static str,
    steps: &'a [Step],
    repos: &'a [Repo],
    ui: &'a Ui,
    sessions: Sessions<'a>,
    found: Vec<Found>,
    /// Whether a step is at work in databases.
    at_work: bool,
    codes: Vec<u8>,
    summary: Summary,
}

/// What is known of a repo so far.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    failed: bool,
    /// Whether no migration had ever been run there.
    is_new: bool,
    /// Whether a dry run would have loaded the structure by now.
    loads: bool,
}

/// What became of one repo in one step.
struct Ended {
    repo: usize,
    found: Found,
    result: Result<Output, u8>,
    took: Duration,
}

impl<'a> Runner<'a> {
    fn new(
        release: &'a Release,
        global: &'a Global,
        name: &'static str,
        steps: &'a [Step],
        repos: &'a [Repo],
        ui: &'a Ui,
    ) -> Self {
        let headings = steps.iter().map(|step| step.name().to_owned());
        let names = repos.iter().map(|repo| repo.name.to_string());
        Self {
            sources: &release.sources,
            global,
            name,
            steps,
            repos,
            ui,
            sessions: Sessions::new(repos, ui, name.to_owned()),
            found: vec![Found::default(); repos.len()],
            at_work: false,
            codes: Vec::new(),
            summary: Summary::new(headings.collect(), names.collect()),
        }
    }

    async fn run(mut self, mut signals: Signals) -> Result<u8, Stop> {
        let worked = signals.or(self.work()).await;
        self.ui.settle();
        let stop = match worked {
            Ok(done) => done.err(),
            Err(signal) => Some(Stop::Signal(signal)),
        };
        if let Some(Stop::Signal(signal)) = stop {
            self.sessions.interrupted(signal, &mut signals, self.at_work).await;
            return Err(Stop::Signal(signal));
        }
        let closed = signals.or(self.sessions.close()).await.map_err(Stop::Signal)?;
        if let Some(stop) = stop {
            return Err(stop);
        }
        if let Err(error) = closed {
            let code = exit::code(error.kind());
            self.ui.error(&error, None, code);
            self.codes.push(code);
        }
        self.sum_up();
        Ok(exit::combined(self.codes))
    }

    async fn work(&mut self) -> Result<(), Stop> {
        let ui = self.ui;
        let work = pin!(async {
            self.ask().await?;
            for at in 0..self.steps.len() {
                self.step(at).await?;
                if !self.codes.is_empty() && !self.global.running.keep_going {
                    break;
                }
            }
            Ok(())
        });
        match select(work, pin!(ui.animate())).await {
            Either::Left((done, _)) => done,
            Either::Right(((), _)) => Ok(()),
        }
    }

    /// Asks once for everything that the command destroys.
    async fn ask(&mut self) -> Result<(), Stop> {
        let danger = self.steps.iter().find_map(|step| match step {
            Step::Command(command) => command.danger(),
            _ => None,
        });
        let Some(danger) = danger else { return Ok(()) };
        let safety = &self.global.safety;
        let mut victims = Vec::new();
        for at in 0..self.repos.len() {
            let disposable = self.disposable(at);
            let is_open = |environment: &str| disposable.contains(&environment);
            let answers = Answers { allowed: safety.allow_protected.clone(), yes: safety.yes };
            let session = self.sessions.get(at)?;
            victims.extend(confirm::find(session, danger, answers, true, is_open).await?);
        }
        if safety.dry_run {
            return match confirm::refuse_protected(&victims, prompt::can_ask()) {
                Some(error) => Err(error.note("without `--dry-run` it would be refused, too").into()),
                None => Ok(()),
            };
        }
        prompt::consent(confirm::judge(&victims, prompt::can_ask())).await.map_err(|no| match no {
            No::Refused(error) => error.into(),
            No::Interrupted => Stop::Signal(Signal::Interrupt),
        })
    }

    async fn step(&mut self, at: usize) -> Result<(), Stop> {
        let step = &self.steps[at];
        let safety = &self.global.safety;
        let options = Options { dry_run: safety.dry_run, verbose: self.global.telling.verbose };
        self.ui.begin(self.is_quiet(step), options.verbose, self.repos.len() > 1);
        let mut chosen = Vec::new();
        for repo in 0..self.repos.len() {
            if self.found[repo].failed {
                self.summary.note(repo, at, Outcome::NotRun);
                continue;
            }
            // The session is made here, where a URL that does not parse is the failure of its repo alone.
            match self.sessions.get(repo) {
                Ok(_) => chosen.push(repo),
                Err(error) => self.failed(repo, at, &error),
            }
        }
        self.at_work = true;
        let (ui, repos, found) = (self.ui, self.repos, &self.found);
        let work = self.sessions.of(&chosen).map(|(repo, session)| async move {
            let started = Instant::now();
            let name = repos[repo].name.as_str();
            let mut found = found[repo];
            let result = notices::of(name, ui, do_it(step, session, options, &mut found)).await;
            let result = result.map_err(|error| {
                let code = exit::code(error.kind());
                ui.error(&error, Some(name), code);
                code
            });
            Ended { repo, found, result, took: started.elapsed() }
        });
        let jobs = usize::from(self.global.running.jobs.unwrap_or(DEFAULT_JOBS));
        let mut ended: Vec<Ended> = stream::iter(work).buffer_unordered(jobs).collect().await;
        self.at_work = false;
        self.ui.settle();
        ended.sort_by_key(|ended| ended.repo);
        ended.into_iter().try_for_each(|ended| self.account(at, ended))
    }

    /// Shows what a repo gave back, and keeps account of failures.
    fn account(&mut self, at: usize, Ended { repo, found, result, took }: Ended) -> Result<(), Stop> {
        self.found[repo] = found;
        let output = match result {
            Ok(output) => output,
            Err(code) => {
                self.found[repo].failed = true;
                self.codes.push(code);
                self.summary.note(repo, at, Outcome::Failed);
                return Ok(());
            }
        };
        let files = &self.repos[repo];
        let name = files.name.as_str();
        let step = &self.steps[at];
        let open = match &output {
            Output::Status { status: found, current: false } => Some(status::open(found)),
            _ => None,
        };
        let text = match output {
            Output::Done | Output::Migrated(_) => String::new(),
            Output::Plan(_) if matches!(step, Step::Look) => String::new(),
            Output::Status { status: found, .. } if self.ui.is_json() => status::json(name, &found),
            Output::Status { status: found, .. } => {
                status::of(files, &found, self.global.telling.verbose > 0)
            }
            Output::Plan(plan) => {
                let word = if self.steps.len() > 1 { step.name() } else { self.name };
                shown(self.ui.is_json(), name, word, &plan)
            }
        };
        self.ui.data(&text).map_err(of_output)?;
        if !matches!(step, Step::Look) {
            self.summary.note(repo, at, Outcome::Done(took));
        }
        if let Some(open) = open {
            let error = Error::new(Kind::Check, format!("`{name}` is not up to date: {open}"));
            self.failed(repo, at, &error);
        }
        Ok(())
    }

    /// Whether success is not told: setup's look, and what it finds loaded already.
    fn is_quiet(&self, step: &Step) -> bool {
        let loads = matches!(step, Step::Command(command) if matches!(**command, Command::Load(_)));
        self.global.telling.quiet || (loads && self.steps.len() > 1)
    }

    /// The environments whose databases may be dropped.
    fn disposable(&self, at: usize) -> &'static [&'static str] {
        let source = self.sources.iter().find(|source| *source.name() == self.repos[at].name);
        source.and_then(Source::as_embedded).map_or(DISPOSABLE, |embedded| embedded.disposable)
    }

    fn failed(&mut self, repo: usize, at: usize, error: &Error) {
        let code = exit::code(error.kind());
        self.ui.error(error, Some(self.repos[repo].name.as_str()), code);
        self.codes.push(code);
        self.found[repo].failed = true;
        self.summary.note(repo, at, Outcome::Failed);
    }

    fn sum_up(&mut self) {
        for (at, _) in self.steps.iter().enumerate().filter(|(_, step)| !matches!(step, Step::Look)) {
            for repo in 0..self.repos.len() {
                self.summary.note_unless_noted(repo, at, Outcome::NotRun);
            }
        }
        let writes = |step: &Step| match step {
            Step::Command(command) => command.is_summed_up(),
            Step::Create | Step::MigrateAsFound => true,
            Step::Look => false,
        };
        if self.steps.iter().any(writes) && !self.global.safety.dry_run {
            let quiet = self.codes.is_empty() && self.global.telling.quiet;
            // The last step may have been a quiet one.
            self.ui.begin(quiet, 0, false);
            self.summary.tell(self.ui, quiet);
        }
        if let Some(failures) = self.summary.failures() {
            self.ui.reason(&failures);
        }
    }
}

/// Does one step in the database of one repo.
async fn do_it(
    step: &Step,
    session: &mut Session<'_>,
    options: Options,
    found: &mut Found,
) -> dbsetup::Result<Output> {
    let repo = session.repo();
    match step {
        Step::Create if options.dry_run => {
            let server = session.server();
            let line = format!("create the database {}", server.target().shown);
            Ok(Output::Plan(if server.exists().await? { Vec::new() } else { vec![line] }))
        }
        Step::Create => storage::create(session).await.map(|_| Output::Done),
        Step::Look => {
            let inspection = session.inspect_if_exists().await?;
            found.is_new = inspection.is_none_or(|inspection| inspection.state.rows.is_empty());
            Ok(Output::Done)
        }
        Step::MigrateAsFound => {
            let lane = if found.is_new { LaneFlag::All } else { LaneFlag::Automatic };
            let command = Command::Migrate(Migrate::of(lane, Manner::default()));
            let mut output = command.run(&mut task(repo, session, options)).await?;
            // By then an earlier step has loaded the structure.
            if let (true, Output::Plan(plan)) = (found.loads, &mut output) {
                plan.retain(|line| !line.starts_with(LOADING));
            }
            if !found.is_new && !options.dry_run {
                tell_of_manual(session).await?;
            }
            Ok(output)
        }
        Step::Command(command) => {
            let output = command.run(&mut task(repo, session, options)).await?;
            if let (Command::Load(_), Output::Plan(plan)) = (&**command, &output) {
                found.loads = !plan.is_empty();
            }
            Ok(output)
        }
    }
}

fn task<'a, 's>(repo: &'a Repo, session: &'s mut Session<'a>, options: Options) -> Task<'a, 's> {
    Task { repo, session, options, variables: Vec::new() }
}

/// Says which migrations wait to be run on demand: `setup` leaves them to somebody who has looked at them.
async fn tell_of_manual(session: &mut Session<'_>) -> dbsetup::Result<()> {
    use dbsetup::migration::State::{Blocked, Pending};
    use dbsetup::repo::Lane;
    let repo = session.repo();
    let found = dbsetup::migration::status(session).await?;
    let waits = |row: &&dbsetup::migration::StatusRow| {
        row.lane == Some(Lane::Manual) && matches!(row.state, Pending | Blocked { .. })
    };
    let waiting = found.rows.iter().filter(waits).count();
    if waiting > 0 {
        session.teller().warn(
            format!("{} of `{}` not run", text::count(waiting, "manual migration"), repo.name),
            Some(format!("when it suits: {}", repo.command("migrate_manual"))),
        );
    }
    Ok(())
}
