//! The thin loop: asks for consent, runs one step after the other, the repos of a step side by side, and sums up.

mod consent;
mod results;

use std::pin::pin;
use std::time::{Duration, Instant};

use dbsetup::structure::replay::Beyond;
use dbsetup::{Error, Kind, template};
use dbsetup_cli::sessions::Sessions;
use dbsetup_cli::signals::Signals;
use dbsetup_cli::summary::{Outcome, Summary};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};

use super::alias::Aliases;
use super::args::Line;
use super::commands::Command;
use super::context::{Output, Scope, Selected, Task};
use super::plan::{Action, Stop};
use super::prepare::Prepared;
use super::rehearsal::Rehearsal;
use super::{exit, program, templates};
use crate::ui::{Ui, notices};
use crate::workspace::{ResolvedRepo, Workspace};

/// One run of a plan.
pub struct Runner<'a> {
    prepared: &'a Prepared,
    workspace: &'a Workspace,
    aliases: &'a Aliases,
    ui: &'a Ui,
    sessions: Sessions<'a>,
    rehearsal: Rehearsal,
    failed: Vec<bool>,
    /// What a person has agreed to, repo by repo.
    agreed: Vec<Vec<Beyond>>,
    /// Whether a step is at work in databases.
    at_work: bool,
    codes: Vec<u8>,
    summary: Summary,
}

/// Adds where the URL was written to the error of a URL that leads nowhere.
fn placed(error: Error, resolved: &ResolvedRepo) -> Error {
    let is_about_the_url = match error.kind() {
        Kind::Unreachable => true,
        Kind::Configuration => error.message().contains("URL"),
        // The server refused the login: <https://www.postgresql.org/docs/current/errcodes-appendix.html>, class 28.
        Kind::Permission => error.message().contains("(28"),
        _ => false,
    };
    // It is about another URL than the repo's own.
    let said = error.notes().iter().map(String::as_str).chain([error.message()]);
    let is_of_another = said.into_iter().any(|text| text.contains("`--applied-on env:"));
    let key = match resolved.files() {
        _ if error.notes().iter().any(|note| note.contains("`maintenance-url`")) => "maintenance-url",
        _ if error.notes().iter().any(|note| note.contains("where `scratch-url` says")) => "scratch-url",
        repo if repo.direct_url.is_some() => "direct-url",
        _ => "url",
    };
    match resolved.settings.iter().find(|setting| setting.key == key) {
        Some(setting) if is_about_the_url && !is_of_another => {
            error.note(format!("`{key}` of `{}` comes from {}", resolved.name(), setting.origin))
        }
        _ => error,
    }
}

/// What became of one repo in one step.
struct Ended {
    repo: usize,
    result: Result<Output, u8>,
    took: Duration,
}

impl<'a> Runner<'a> {
    /// Returns a run that has not begun.
    pub fn new(
        prepared: &'a Prepared,
        workspace: &'a Workspace,
        aliases: &'a Aliases,
        ui: &'a Ui,
        line: &Line,
    ) -> Self {
        let names = prepared.repos.iter().map(|resolved| resolved.name().to_string());
        let headings = prepared.steps.iter().map(|prepared| prepared.step.heading());
        Self {
            workspace,
            aliases,
            ui,
            sessions: Sessions::new(
                prepared.repos.iter().map(ResolvedRepo::files),
                ui,
                line.name.clone().unwrap_or_default(),
            ),
            rehearsal: Rehearsal::new(prepared.repos.len()),
            failed: vec![false; prepared.repos.len()],
            agreed: vec![Vec::new(); prepared.repos.len()],
            at_work: false,
            codes: Vec::new(),
            summary: Summary::new(headings.collect(), names.collect()),
            prepared,
        }
    }

    /// Runs everything and returns the exit code.
    ///
    /// # Errors
    /// What ends the run before its first step, a signal, or stdout that is gone.
    pub async fn run(mut self, mut signals: Signals) -> Result<u8, Stop> {
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
        self.codes.extend(closed.err().map(|error| self.tell_about_run(&error)));
        self.sum_up();
        Ok(exit::combined(self.codes))
    }

    async fn work(&mut self) -> Result<(), Stop> {
        let ui = self.ui;
        let work = pin!(async {
            self.ask().await?;
            for at in 0..self.prepared.steps.len() {
                self.step(at).await?;
                if !self.codes.is_empty() && !self.prepared.steps[at].step.options.keep_going {
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

    async fn step(&mut self, at: usize) -> Result<(), Stop> {
        let prepared = &self.prepared.steps[at];
        let options = &prepared.step.options;
        let several = prepared.repos.len() > 1;
        let steps = self.prepared.steps.len();
        if steps > 1 && self.prepared.steps.iter().any(|step| step.step.options.verbose > 0) {
            // A quiet step is one of them, too.
            self.ui.begin(false, 0, several);
            let (shown, trail) = (prepared.step.shown(), prepared.step.trail.join(", "));
            self.ui.success(&format!("-- step {} of {steps}: {shown} ({trail})", at + 1));
        }
        self.ui.begin(options.quiet, options.verbose, several);
        match &prepared.step.action {
            Action::Program(words) => self.program(at, words).await,
            Action::Command(command)
                if prepared.repos.is_empty() && command.scope(options) != Scope::Nothing =>
            {
                self.ui.reason(&format!("`{}` is skipped: it is about other repos", prepared.step.shown()));
                Ok(())
            }
            Action::Command(command) if command.scope(options) == Scope::Files => {
                let ended = self.files(at, command);
                self.account(at, command, ended)
            }
            Action::Command(command) if command.scope(options) == Scope::Databases => {
                self.at_work = true;
                let ended = self.databases(at, command).await;
                self.at_work = false;
                self.ui.settle();
                self.account(at, command, ended)
            }
            Action::Command(command) => {
                let repos = prepared.repos.iter().map(|&repo| &self.prepared.repos[repo]).collect();
                let workspace = Some(self.workspace);
                let selected = Selected { repos, workspace, aliases: self.aliases, options, ui: self.ui };
                let output = command.look(&selected)?;
                if matches!(output, Output::Failed) {
                    self.codes.push(exit::FAILED);
                }
                self.show(None, &prepared.step, output)
            }
        }
    }

    async fn program(&mut self, at: usize, words: &[String]) -> Result<(), Stop> {
        let prepared = &self.prepared.steps[at];
        let shown = prepared.step.shown();
        if prepared.step.options.dry_run {
            return self.show(
                None,
                &prepared.step,
                Output::Plan(vec![format!("run `{}`", shell_words::join(words))]),
            );
        }
        self.sessions.close().await?;
        self.ui.success(&shown);
        let variables = self.workspace.program_variables(&prepared.request, &prepared.environment)?;
        let done = program::run(words, &self.workspace.root, &variables, self.ui.is_json()).await;
        if let Err(error) = done {
            self.ui.error(&error, None, exit::FAILED);
            self.codes.push(exit::FAILED);
        }
        Ok(())
    }

    /// Returns the plan of a dry run's `create` of a database that an earlier step would have dropped, where a template
    /// is there to copy.
    async fn copied(&mut self, at: usize, repo: usize, command: &Command) -> Option<Vec<String>> {
        let options = &self.prepared.steps[at].step.options;
        if !(options.dry_run && matches!(command, Command::Create(_)) && self.rehearsal.is_absent(repo)) {
            return None;
        }
        let recipe = templates::recipe(self.prepared, at, repo)?;
        let session = self.sessions.get(repo).ok()?;
        let name = template::foresee(session, recipe).await.ok()??;
        self.rehearsal.create(repo);
        Some(vec![templates::planned(&session.server().target().shown, name.as_str())])
    }

    /// Runs a command in the database of every repo of a step that has not failed before.
    async fn databases(&mut self, at: usize, command: &Command) -> Vec<Ended> {
        let prepared = &self.prepared.steps[at];
        let options = &prepared.step.options;
        let mut ended = Vec::new();
        let mut chosen = Vec::new();
        for &repo in &prepared.repos {
            if self.failed[repo] {
                self.summary.note(repo, at, Outcome::NotRun);
            } else if let Some(plan) = self.copied(at, repo, command).await {
                ended.push(Ended { repo, result: Ok(Output::Plan(plan)), took: Duration::ZERO });
            } else if let Some(plan) = self.rehearsal.foresee(repo, command, &prepared.step, options.dry_run)
            {
                ended.push(Ended { repo, result: Ok(Output::Plan(plan)), took: Duration::ZERO });
            } else if let Err(error) = self.sessions.get(repo) {
                let error = placed(error, &self.prepared.repos[repo]);
                ended.push(Ended { repo, result: Err(self.tell(repo, &error)), took: Duration::ZERO });
            } else {
                chosen.push(repo);
            }
        }
        let variables = if command.starts_programs() {
            self.workspace.program_variables(&prepared.request, &prepared.environment).map(Some)
        } else {
            Ok(None)
        };
        let variables = &match variables {
            Ok(variables) => variables,
            Err(error) => {
                let code = self.tell_about_run(&error);
                let failed = |repo| Ended { repo, result: Err(code), took: Duration::ZERO };
                ended.extend(chosen.into_iter().map(failed));
                return ended;
            }
        };
        let (ui, repos, workspace) = (self.ui, &self.prepared.repos, self.workspace);
        let agreed = &self.agreed;
        let target = workspace.target.as_path();
        let (prepared_run, step) = (self.prepared, at);
        let work = self.sessions.of(&chosen).map(|(at, session)| async move {
            let repo = repos[at].files();
            let started = Instant::now();
            let variables = variables.as_ref();
            let agreed = agreed[at].as_slice();
            let recipe = templates::recipe(prepared_run, step, at);
            if matches!(command, Command::Drop(_))
                && !options.dry_run
                && let Some(recipe) = templates::recipe_after_drop(prepared_run, step, at)
            {
                template::look_ahead(session, recipe);
            }
            let mut task = Task { repo, session, options, target, workspace, agreed, variables, recipe };
            let result = notices::of(repo.name.as_str(), ui, command.run(&mut task)).await;
            let result = result.map_err(|error| {
                let error = placed(error, &repos[at]);
                let code = exit::code(error.kind());
                ui.error(&error, Some(repo.name.as_str()), code);
                code
            });
            Ended { repo: at, result, took: started.elapsed() }
        });
        ended.extend(stream::iter(work).buffer_unordered(options.jobs()).collect::<Vec<_>>().await);
        ended.sort_by_key(|ended| ended.repo);
        ended
    }

    /// Runs a command on the files of every repo of a step that has not failed before.
    fn files(&mut self, at: usize, command: &Command) -> Vec<Ended> {
        let prepared = &self.prepared.steps[at];
        let mut ended = Vec::new();
        for &repo in &prepared.repos {
            if self.failed[repo] {
                self.summary.note(repo, at, Outcome::NotRun);
                continue;
            }
            let started = Instant::now();
            let result = command.examine(self.prepared.repos[repo].files(), &prepared.step.options);
            let result = result.map_err(|error| self.tell(repo, &error));
            ended.push(Ended { repo, result, took: started.elapsed() });
        }
        ended
    }
}
