//! The thin loop of a release binary: asks for consent, runs one step after the other, the repos of a step side by side,
//! and sums up.

use std::pin::pin;
use std::time::{Duration, Instant};

use dbsetup::repo::Repo;
use dbsetup::source::{DISPOSABLE, Source};
use dbsetup::{Error, Kind};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};

use super::Release;
use super::args::{Global, Step};
use super::run::{Stop, of_output};
use super::work::{self, Found};
use crate::args::DEFAULT_JOBS;
use crate::commands::Command;
use crate::confirm::{self, Answers};
use crate::exit;
use crate::plan::shown;
use crate::sessions::Sessions;
use crate::signals::Signals;
use crate::summary::{Outcome, Summary};
use crate::task::{Options, Output};
use crate::ui::{self, Ui, notices, prompt, status};

/// Whether the sources of a repo have a `seed-command`.
fn has_seed_command(release: &Release, repo: &Repo) -> bool {
    let source = release.sources.iter().find(|source| *source.name() == repo.name);
    let embedded = source.and_then(Source::as_embedded);
    embedded.is_some_and(|embedded| embedded.settings_in(&repo.environment).seed_command)
}

/// One run.
pub(super) struct Runner<'a> {
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

/// What became of one repo in one step.
struct Ended {
    repo: usize,
    found: Found,
    result: Result<Output, u8>,
    took: Duration,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
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
            found: repos
                .iter()
                .map(|repo| Found { seed_command: has_seed_command(release, repo), ..Found::default() })
                .collect(),
            at_work: false,
            codes: Vec::new(),
            summary: Summary::new(headings.collect(), names.collect()),
        }
    }

    pub(super) async fn run(mut self, mut signals: Signals) -> Result<u8, Stop> {
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
            victims.extend(confirm::find(session, danger.clone(), answers, true, is_open).await?);
        }
        if safety.dry_run {
            return match confirm::refuse_protected(&victims, prompt::can_ask()) {
                Some(error) => Err(error.note("without `--dry-run` it would be refused, too").into()),
                None => Ok(()),
            };
        }
        Ok(prompt::consent(confirm::judge(&victims, prompt::can_ask())).await?)
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
            let result = notices::of(name, ui, work::step(step, session, options, &mut found)).await;
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
        let mut open = match &output {
            Output::Status { status: found, current: false } => {
                Some(format!("`{name}` is not up to date: {}", status::open(found)))
            }
            _ => None,
        };
        let text = match output {
            Output::Done | Output::Migrated(_) => String::new(),
            Output::Plan(_) if matches!(step, Step::Look) => String::new(),
            Output::Examined(report) => {
                open = ui::doctor::open(&report).map(|open| format!("`{name}` is not well: {open}"));
                let digest = self.source(repo).and_then(Source::as_embedded).map(|embedded| embedded.digest);
                if self.ui.is_json() {
                    ui::doctor::json(name, digest, &report)
                } else {
                    ui::doctor::human(name, digest, &report)
                }
            }
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
            let error = Error::new(Kind::Check, open);
            self.failed(repo, at, &error);
        }
        Ok(())
    }

    /// Whether success is not told: setup's look, and what it finds loaded already.
    fn is_quiet(&self, step: &Step) -> bool {
        let loads = matches!(step, Step::Command(command) if matches!(**command, Command::Load(_)));
        self.global.telling.quiet || (loads && self.steps.len() > 1)
    }

    fn source(&self, at: usize) -> Option<&'a Source> {
        self.sources.iter().find(|source| *source.name() == self.repos[at].name)
    }

    /// The environments whose databases may be dropped.
    fn disposable(&self, at: usize) -> &'static [&'static str] {
        self.source(at).and_then(Source::as_embedded).map_or(DISPOSABLE, |embedded| embedded.disposable)
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
