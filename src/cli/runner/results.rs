//! What came of the steps of a run: told, shown, kept account of and summed up.

use std::path::Path;
use std::time::Duration;

use dbsetup::{Error, Kind};
use dbsetup_cli::drive::{self, Stop};
use dbsetup_cli::summary::Outcome;

use super::{Ended, Runner, origins, placed};
use crate::check::Report;
use crate::cli::commands::Command;
use crate::cli::context::Output;
use crate::cli::plan::{Action, Step};
use crate::cli::prepare::PreparedStep;
use crate::cli::{exit, rehearsal};
use crate::ui::json::Object;
use crate::ui::{check, diff, doctor, status};

impl Runner<'_> {
    /// Tells an error that is no repo's, and returns its code.
    pub(super) fn tell_about_run(&self, error: &Error) -> u8 {
        drive::told(self.ui, None, error)
    }

    /// Tells an error of a repo, and returns its code.
    pub(super) fn tell(&self, repo: usize, error: &Error) -> u8 {
        drive::told(self.ui, Some(self.prepared.repos[repo].name().as_str()), error)
    }

    /// Shows what the repos of a step gave back, in their order, and keeps account of failures.
    pub(super) fn account(&mut self, at: usize, command: &Command, ended: Vec<Ended>) -> Result<(), Stop> {
        let prepared = &self.prepared.steps[at];
        let dry_run = prepared.step.options.dry_run;
        for Ended { repo, result, took } in ended {
            let name = self.prepared.repos[repo].name().as_str();
            let (mut output, copied) = match result {
                Ok(done) => done,
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
            if let Output::Examined(report) = &mut output {
                let resolved = &self.prepared.repos[repo];
                origins(resolved).placed_in(resolved.files(), report);
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
                        Output::Status { status: found, current: false } => {
                            Some(format!("`{name}` is not up to date: {}", status::open(found)))
                        }
                        Output::Examined(report) => {
                            doctor::open(report).map(|open| format!("`{name}` is not well: {open}"))
                        }
                        _ => None,
                    };
                    self.show(Some(repo), &prepared.step, output)?;
                    open.map(|open| Error::new(Kind::Check, open))
                }
            };
            self.summary.note(repo, at, if copied { Outcome::Copied(took) } else { Outcome::Done(took) });
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

    pub(super) fn show(&self, at: Option<usize>, step: &Step, output: Output) -> Result<(), Stop> {
        let ui = self.ui;
        let files = at.map(|at| self.prepared.repos[at].files());
        let repo = files.map_or("", |files| files.name.as_str());
        let text = match output {
            Output::Done | Output::Failed | Output::Stale { .. } | Output::Checked(_) => return Ok(()),
            Output::Examined(report) if ui.is_json() => doctor::json(repo, None, &report),
            Output::Examined(report) => doctor::human(repo, None, &report),
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

    /// Tells what came of the whole run.
    pub(super) fn tell_of_all(&mut self) {
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
