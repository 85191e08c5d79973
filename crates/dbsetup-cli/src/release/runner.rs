//! A run of a release binary: what it asks, what a step of it is, what it gives back and how it is summed up.

use dbsetup::repo::Repo;
use dbsetup::source::{DISPOSABLE, Source};
use dbsetup::{Error, Kind};

use super::Release;
use super::args::{Global, Step};
use super::work::{self, Found};
use crate::args::DEFAULT_JOBS;
use crate::commands::Command;
use crate::confirm::{self, Answers};
use crate::drive::{self, Ended, Run, Stop};
use crate::origins::Origins;
use crate::plan::shown;
use crate::sessions::Sessions;
use crate::summary::{Outcome, Summary};
use crate::task::{Options, Output};
use crate::ui::{self, Ui, prompt, status};

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
    /// Where the URLs of each were written.
    origins: &'a [Origins],
    ui: &'a Ui,
    sessions: Sessions<'a>,
    found: Vec<Found>,
    /// The versions that consent was given to undo, repo by repo.
    expected: Vec<Option<Vec<String>>>,
    /// Whether a step is at work in databases.
    at_work: bool,
    codes: Vec<u8>,
    summary: Summary,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        release: &'a Release,
        global: &'a Global,
        name: &'static str,
        steps: &'a [Step],
        repos: &'a [Repo],
        origins: &'a [Origins],
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
            origins,
            ui,
            sessions: Sessions::new(repos, ui, name.to_owned()),
            found: repos
                .iter()
                .map(|repo| Found { seed_command: has_seed_command(release, repo), ..Found::default() })
                .collect(),
            expected: vec![None; repos.len()],
            at_work: false,
            codes: Vec::new(),
            summary: Summary::new(headings.collect(), names.collect()),
        }
    }
}

impl<'a> Run<'a> for Runner<'a> {
    fn ui(&self) -> &'a Ui {
        self.ui
    }

    fn sessions(&mut self) -> &mut Sessions<'a> {
        &mut self.sessions
    }

    fn is_at_work(&self) -> bool {
        self.at_work
    }

    fn steps(&self) -> usize {
        self.steps.len()
    }

    fn keeps_going(&self, _: usize) -> bool {
        self.global.running.keep_going
    }

    fn codes(&mut self) -> &mut Vec<u8> {
        &mut self.codes
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
            let placed = |error| self.origins[at].placed(&self.repos[at], error);
            let session = self.sessions.get(at).map_err(placed)?;
            let found = confirm::find(session, danger.clone(), answers, true, is_open).await;
            let found = found.map_err(placed)?;
            victims.extend(found.victim);
            self.expected[at] = found.expected;
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
        if !self.global.telling.quiet {
            self.ui.say_skips();
        }
        let mut chosen = Vec::new();
        for repo in 0..self.repos.len() {
            if self.found[repo].failed {
                self.summary.note(repo, at, Outcome::NotRun);
                continue;
            }
            // The session is made here, where a URL that does not parse is the failure of its repo alone.
            match self.sessions.get(repo) {
                Ok(_) => chosen.push(repo),
                Err(error) => {
                    let error = self.origins[repo].placed(&self.repos[repo], error);
                    self.failed(repo, at, &error);
                }
            }
        }
        self.at_work = true;
        let (ui, repos, origins, found) = (self.ui, self.repos, self.origins, &self.found);
        let expected = &self.expected;
        let work = self.sessions.of(&chosen).map(|(at, session)| {
            let (repo, mut found) = (&repos[at], found[at]);
            let work = async move {
                let output = work::step(step, session, options, expected[at].clone(), &mut found).await?;
                Ok((output, found))
            };
            drive::one(at, repo.name.as_str(), ui, move |error| origins[at].placed(repo, error), work)
        });
        let jobs = usize::from(self.global.running.jobs.unwrap_or(DEFAULT_JOBS));
        let ended = drive::side_by_side(jobs, work).await;
        self.at_work = false;
        self.ui.settle();
        ended.into_iter().try_for_each(|ended| self.account(at, ended))
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

impl<'a> Runner<'a> {
    /// Shows what a repo gave back, and keeps account of failures.
    fn account(&mut self, at: usize, ended: Ended<(Output, Found)>) -> Result<(), Stop> {
        let Ended { repo, result, took } = ended;
        let output = match result {
            Ok((output, found)) => {
                self.found[repo] = found;
                output
            }
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
            Output::Examined(mut report) => {
                self.origins[repo].placed_in(files, &mut report);
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
        self.ui.data(&text).map_err(Stop::of_output)?;
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
        let code = drive::told(self.ui, Some(self.repos[repo].name.as_str()), error);
        self.codes.push(code);
        self.found[repo].failed = true;
        self.summary.note(repo, at, Outcome::Failed);
    }
}
