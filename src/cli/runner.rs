//! The thin loop: asks for consent, runs one step after the other, the repos of a step side by side, and sums up.

use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use dbsetup::{Error, Kind, template};
use dbsetup_cli::sessions::Sessions;
use dbsetup_cli::signals::{Signal, Signals};
use dbsetup_cli::summary::{Outcome, Summary};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};

use super::alias::Aliases;
use super::args::Line;
use super::commands::Command;
use super::commands::squash::Squash;
use super::confirm::{self, Answers, Unproven, Verdict, Victim};
use super::context::{Danger, Output, Scope, Selected, Task};
use super::options::Options;
use super::plan::{Action, Step, Stop};
use super::prepare::{Prepared, PreparedStep};
use super::rehearsal::{self, Rehearsal};
use super::{exit, program, templates};
use crate::check::Report;
use crate::ui::json::Object;
use crate::ui::prompt::No;
use crate::ui::{Ui, check, diff, notices, prompt, status};
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
    let key = match resolved.files() {
        _ if error.notes().iter().any(|note| note.contains("`maintenance-url`")) => "maintenance-url",
        _ if error.notes().iter().any(|note| note.contains("where `scratch-url` says")) => "scratch-url",
        repo if repo.direct_url.is_some() => "direct-url",
        _ => "url",
    };
    match resolved.settings.iter().find(|setting| setting.key == key) {
        Some(setting) if is_about_the_url => {
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

/// Asks where there is something to ask.
async fn consent(verdict: Verdict) -> Result<(), Stop> {
    prompt::consent(verdict).await.map_err(|no| match no {
        No::Refused(error) => error.into(),
        No::Interrupted => Stop::Signal(Signal::Interrupt),
    })
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

    /// Asks once for everything that the plan destroys, and once for all that it squashes.
    async fn ask(&mut self) -> Result<(), Stop> {
        let prepared = self.prepared;
        let (mut victims, mut rehearsed) = (Vec::new(), Vec::new());
        // What a step before may have made is there by then, whatever is there now.
        let mut touched = vec![false; prepared.repos.len()];
        for PreparedStep { step, repos, .. } in &prepared.steps {
            let danger = match &step.action {
                Action::Command(command) => command.danger(),
                Action::Program(_) => None,
            };
            for &repo in repos {
                if let Some(danger) = danger
                    && let Some(victim) = self.victim(repo, danger, &step.options, !touched[repo]).await?
                {
                    if step.options.dry_run { &mut rehearsed } else { &mut victims }.push(victim);
                }
                touched[repo] = true;
            }
        }
        if let Some(error) = confirm::refuse_protected(&rehearsed, prompt::can_ask()) {
            return Err(error.note("without `--dry-run` it would be refused, too").into());
        }
        consent(confirm::judge(&victims, prompt::can_ask())).await?;
        let unproven = self.unproven().await?;
        consent(confirm::judge_unproven(&unproven, prompt::can_ask())).await
    }

    /// Returns the squashes of the plan that nothing shows to be safe.
    async fn unproven(&mut self) -> Result<Vec<Unproven>, Stop> {
        let prepared = self.prepared;
        let mut unproven = Vec::new();
        for PreparedStep { step, repos, .. } in &prepared.steps {
            let Action::Command(command) = &step.action else { continue };
            let asks = |_: &&Squash| !(step.options.dry_run || step.options.yes);
            let Some(squash) = command.squash().filter(asks) else { continue };
            for &at in repos {
                let resolved = &prepared.repos[at];
                if resolved.protected.is_empty() {
                    continue;
                }
                let session = self.sessions.get(at).map_err(|error| placed(error, resolved))?;
                let live = session.server().target().shown.clone();
                let environments = squash.unproven(resolved.files(), &live, &resolved.protected).await?;
                if !environments.is_empty() {
                    unproven.push(Unproven { repo: resolved.name().to_string(), environments });
                }
            }
        }
        Ok(unproven)
    }

    /// Returns what a step destroys; nothing where there is nothing. `untouched` says that the database is by then what
    /// it is now.
    async fn victim(
        &mut self,
        at: usize,
        danger: Danger,
        options: &Options,
        untouched: bool,
    ) -> Result<Option<Victim>, Stop> {
        let resolved = &self.prepared.repos[at];
        let session = self.sessions.get(at).map_err(|error| placed(error, resolved))?;
        let answers = Answers { allowed: options.allow_protected.clone(), yes: options.yes };
        let is_open =
            |name: &str| self.workspace.config.disposable_environments.iter().any(|open| open == name);
        let victim = confirm::find(session, danger, answers, untouched, is_open).await;
        victim.map_err(|error| placed(error, resolved).into())
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
        let target = workspace.target.as_path();
        let (prepared_run, step) = (self.prepared, at);
        let work = self.sessions.of(&chosen).map(|(at, session)| async move {
            let repo = repos[at].files();
            let started = Instant::now();
            let variables = variables.as_ref();
            let recipe = templates::recipe(prepared_run, step, at);
            let mut task = Task { repo, session, options, target, workspace, variables, recipe };
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

    fn tell_about_run(&self, error: &Error) -> u8 {
        let code = exit::code(error.kind());
        self.ui.error(error, None, code);
        code
    }

    fn tell(&self, repo: usize, error: &Error) -> u8 {
        let code = exit::code(error.kind());
        self.ui.error(error, Some(self.prepared.repos[repo].name().as_str()), code);
        code
    }

    /// Shows what the repos of a step gave back, in their order, and keeps account of failures.
    fn account(&mut self, at: usize, command: &Command, ended: Vec<Ended>) -> Result<(), Stop> {
        let prepared = &self.prepared.steps[at];
        let dry_run = prepared.step.options.dry_run;
        for Ended { repo, result, took } in ended {
            let name = self.prepared.repos[repo].name().as_str();
            let mut output = match result {
                Ok(output) => output,
                Err(code) => {
                    self.failed[repo] = true;
                    self.codes.push(code);
                    self.summary.note(repo, at, Outcome::Failed);
                    continue;
                }
            };
            if dry_run && let Output::Plan(plan) = &mut output {
                self.rehearsal.learn(repo, command, plan);
            }
            let found = match output {
                Output::Checked(report) => {
                    self.checked(repo, at, *report, took);
                    continue;
                }
                Output::Stale { path, diff, error } => {
                    self.show_stale(name, &path, &diff)?;
                    Some(error)
                }
                output => {
                    let open = match &output {
                        Output::Status { status: found, current: false } => Some(status::open(found)),
                        _ => None,
                    };
                    self.show(Some(repo), &prepared.step, output)?;
                    open.map(|open| Error::new(Kind::Check, format!("`{name}` is not up to date: {open}")))
                }
            };
            self.summary.note(repo, at, Outcome::Done(took));
            if let Some(error) = found {
                self.ui.error(&error, Some(name), exit::CHECK);
                self.codes.push(exit::CHECK);
                self.failed[repo] = true;
                self.summary.note(repo, at, Outcome::Failed);
            }
        }
        Ok(())
    }

    /// Tells what a check found. What kept the rest from being checked has its own code.
    fn checked(&mut self, repo: usize, at: usize, mut report: Report, took: Duration) {
        let resolved = &self.prepared.repos[repo];
        let broken = report.broken.take().map(|error| placed(error, resolved));
        let codes = broken.iter().map(|error| exit::code(error.kind()));
        let codes: Vec<u8> = codes.chain(report.fails().then_some(exit::CHECK)).collect();
        if let Some(error) = &broken {
            self.tell(repo, error);
        }
        report.broken = broken;
        check::tell(self.ui, resolved.name().as_str(), &report);
        let outcome = if codes.is_empty() { Outcome::Done(took) } else { Outcome::Failed };
        self.summary.note(repo, at, outcome);
        self.failed[repo] = !codes.is_empty();
        self.codes.extend(codes);
    }

    fn show_stale(&self, repo: &str, path: &Path, text: &str) -> Result<(), Stop> {
        if self.ui.is_json() {
            self.ui.json(Object::new("stale").text("repo", repo).path(path).text("diff", text));
            return Ok(());
        }
        diff::tell(self.ui, text).map_err(Stop::of_output)
    }

    fn show(&self, at: Option<usize>, step: &Step, output: Output) -> Result<(), Stop> {
        let ui = self.ui;
        let files = at.map(|at| self.prepared.repos[at].files());
        let repo = files.map_or("", |files| files.name.as_str());
        let text = match output {
            Output::Done | Output::Failed | Output::Stale { .. } | Output::Checked(_) => return Ok(()),
            Output::Status { status: found, .. } if ui.is_json() => status::json(repo, &found),
            Output::Status { status: found, .. } => {
                files.map(|files| status::of(files, &found, step.options.verbose > 0)).unwrap_or_default()
            }
            Output::Data { event: "", text } => text,
            Output::Data { event, text } if ui.is_json() => {
                Object::new(event).text("repo", repo).text("text", &text).line()
            }
            Output::Data { text, .. } => text,
            Output::Plan(plan) => rehearsal::shown(ui.is_json(), repo, &step.shown(), &plan),
        };
        ui.data(&text).map_err(Stop::of_output)
    }

    fn sum_up(&mut self) {
        // A program is about no repo, so it has no column.
        let of_repos =
            |(_, prepared): &(usize, &PreparedStep)| matches!(prepared.step.action, Action::Command(_));
        for (at, prepared) in self.prepared.steps.iter().enumerate().filter(of_repos) {
            for &repo in &prepared.repos {
                self.summary.note_unless_noted(repo, at, Outcome::NotRun);
            }
        }
        let writes = |prepared: &PreparedStep| match &prepared.step.action {
            Action::Command(command) => command.is_summed_up() && !prepared.step.options.dry_run,
            Action::Program(_) => !prepared.step.options.dry_run,
        };
        if self.prepared.steps.iter().any(writes) {
            let quiet =
                self.codes.is_empty() && self.prepared.steps.iter().all(|step| step.step.options.quiet);
            // The last step may have been a quiet one.
            self.ui.begin(quiet, 0, false);
            self.summary.tell(self.ui, quiet);
        }
        if let Some(failures) = self.summary.failures() {
            self.ui.reason(&failures);
        }
    }
}
