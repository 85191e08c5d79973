//! A run of the plugin: what it asks, what a step of it is, what it gives back and how it is summed up.

mod consent;
mod results;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dbsetup::repo::Repo;
use dbsetup::structure::replay::Beyond;
use dbsetup::{Error, template};
use dbsetup_cli::drive::{self, Run, Stop};
use dbsetup_cli::origins::Origins;
use dbsetup_cli::sessions::Sessions;
use dbsetup_cli::summary::{Outcome, Summary};

use super::alias::Aliases;
use super::args::Line;
use super::commands::Command;
use super::context::{Output, Scope, Selected, Task};
use super::plan::Action;
use super::prepare::Prepared;
use super::rehearsal::Rehearsal;
use super::{exit, program, templates};
use crate::ui::Ui;
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
    /// The versions that consent was given to undo, by step and repo.
    expected: BTreeMap<(usize, usize), Vec<String>>,
    /// Whether a step is at work in databases.
    at_work: bool,
    codes: Vec<u8>,
    summary: Summary,
}

/// Adds where the URL was written to the error of a URL that leads nowhere.
fn placed(error: Error, resolved: &ResolvedRepo) -> Error {
    origins(resolved).placed(resolved.files(), error)
}

/// Where the URLs of a repo were written.
fn origins(resolved: &ResolvedRepo) -> Origins {
    resolved.settings.iter().map(|setting| (setting.key, setting.origin.to_string())).collect()
}

/// What became of one repo in one step.
/// What a command gave back, and whether there was less to do because the database is a copy of a template.
type Ended = drive::Ended<(Output, bool)>;

/// Returns what a dry run foresees.
fn foreseen(repo: usize, plan: Vec<String>) -> Ended {
    Ended { repo, result: Ok((Output::Plan(plan), false)), took: Duration::ZERO }
}

/// Returns a failure before anything began.
fn failed(repo: usize, code: u8) -> Ended {
    Ended { repo, result: Err(code), took: Duration::ZERO }
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
            expected: BTreeMap::new(),
            at_work: false,
            codes: Vec::new(),
            summary: Summary::new(headings.collect(), names.collect()),
            prepared,
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

    /// Returns the plan of a dry run's `create` of a database that an earlier step would have dropped.
    async fn recreated(&mut self, at: usize, repo: usize, command: &Command) -> Option<Vec<String>> {
        let options = &self.prepared.steps[at].step.options;
        if !(options.dry_run && matches!(command, Command::Create(_)) && self.rehearsal.is_absent(repo)) {
            return None;
        }
        let recipe = templates::recipe(self.prepared, at, repo);
        let session = self.sessions.get(repo).ok()?;
        let name = match recipe {
            Some(recipe) => template::foresee(session, recipe).await.ok().flatten(),
            None => None,
        };
        self.rehearsal.create(repo);
        Some(vec![templates::planned(&session.server().target().shown, name.as_ref())])
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
            } else if let Some(plan) = self.recreated(at, repo, command).await {
                ended.push(foreseen(repo, plan));
            } else if let Some(plan) = self.rehearsal.foresee(repo, command, &prepared.step, options.dry_run)
            {
                ended.push(foreseen(repo, plan));
            } else {
                match self.sessions.get(repo) {
                    Ok(session) => {
                        session.imagine_new(options.dry_run && self.rehearsal.is_fresh(repo));
                        chosen.push(repo);
                    }
                    Err(error) => {
                        let error = placed(error, &self.prepared.repos[repo]);
                        ended.push(failed(repo, self.tell(repo, &error)));
                    }
                }
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
                ended.extend(chosen.into_iter().map(|repo| failed(repo, code)));
                return ended;
            }
        };
        let (ui, repos, workspace) = (self.ui, &self.prepared.repos, self.workspace);
        let (agreed, expected) = (&self.agreed, &self.expected);
        let target = workspace.target.as_path();
        let (prepared_run, step) = (self.prepared, at);
        let peers: Vec<&Repo> = prepared.repos.iter().map(|&repo| repos[repo].files()).collect();
        let peers = peers.as_slice();
        let work = self.sessions.of(&chosen).map(|(at, session)| {
            let repo = repos[at].files();
            let work = async move {
                let variables = variables.as_ref();
                let agreed = agreed[at].as_slice();
                let expected = expected.get(&(step, at)).map(Vec::as_slice);
                let recipe = templates::recipe(prepared_run, step, at);
                let was_copied = template::is_copy(session);
                if matches!(command, Command::Drop(_))
                    && !options.dry_run
                    && let Some(recipe) = templates::recipe_after_drop(prepared_run, step, at)
                {
                    template::look_ahead(session, recipe);
                }
                let mut task = Task {
                    repo,
                    peers,
                    session,
                    options,
                    target,
                    workspace,
                    agreed,
                    expected,
                    variables,
                    recipe,
                };
                let output = command.run(&mut task).await?;
                Ok((output, was_copied || template::is_copy(task.session)))
            };
            drive::one(at, repo.name.as_str(), ui, move |error| placed(error, &repos[at]), work)
        });
        ended.extend(drive::side_by_side(options.jobs(), work).await);
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
            ended.push(Ended { repo, result: result.map(|output| (output, false)), took: started.elapsed() });
        }
        ended
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
        self.prepared.steps.len()
    }

    fn keeps_going(&self, at: usize) -> bool {
        self.prepared.steps[at].step.options.keep_going
    }

    fn codes(&mut self) -> &mut Vec<u8> {
        &mut self.codes
    }

    async fn ask(&mut self) -> Result<(), Stop> {
        self.ask_for_everything().await
    }

    fn sum_up(&mut self) {
        self.tell_of_all();
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
        if !options.silent {
            self.ui.say_skips();
        }
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
}
