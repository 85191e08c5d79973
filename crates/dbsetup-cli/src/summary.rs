//! The table that ends a run of several repos or several steps.

use std::time::Duration;

use crate::ui::Ui;
use crate::ui::duration;
use crate::ui::json::Object;
use crate::ui::table::Table;
use crate::ui::{github, text};

/// How a step ended for a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done in so long.
    Done(Duration),
    /// It was done in so long, because the database is a copy of a template.
    Copied(Duration),
    /// It failed.
    Failed,
    /// It did not run.
    NotRun,
}

/// Outcomes of every repo and step.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    steps: Vec<String>,
    rows: Vec<(String, Vec<Option<Outcome>>)>,
}

impl Summary {
    /// Returns an empty summary for these steps and repos.
    pub fn new(steps: Vec<String>, repos: Vec<String>) -> Self {
        let empty = vec![None; steps.len()];
        Self { steps, rows: repos.into_iter().map(|repo| (repo, empty.clone())).collect() }
    }

    /// Notes how a step ended for a repo.
    pub fn note(&mut self, repo: usize, step: usize, outcome: Outcome) {
        self.rows[repo].1[step] = Some(outcome);
    }

    /// Notes how a step ended for a repo of which nothing is known.
    pub fn note_unless_noted(&mut self, repo: usize, step: usize, outcome: Outcome) {
        self.rows[repo].1[step].get_or_insert(outcome);
    }

    /// Whether there is more to sum up than one line could say.
    pub fn is_worth_it(&self) -> bool {
        self.columns().count() > 1 || self.columns().count() > 0 && self.rows.len() > 1
    }

    /// The steps that are about repos.
    fn columns(&self) -> impl Iterator<Item = usize> + Clone {
        let is_about_one = |at: &usize| self.rows.iter().any(|(_, outcomes)| outcomes[*at].is_some());
        (0..self.steps.len()).filter(is_about_one)
    }

    /// The table.
    pub fn table(&self) -> Table {
        let columns = self.columns();
        let headings = columns.clone().map(|at| self.steps[at].as_str());
        let mut table = Table::new(std::iter::once("repo").chain(headings));
        for (repo, outcomes) in &self.rows {
            let words = columns.clone().map(|at| word(&outcomes[at]));
            table.row(std::iter::once(repo.clone()).chain(words));
        }
        table
    }

    /// Tells it: as a table, as JSON, and to GitHub.
    pub fn tell(&self, ui: &Ui, quiet: bool) {
        for (repo, outcomes) in &self.rows {
            for (step, outcome) in self.columns().map(|at| (&self.steps[at], &outcomes[at])) {
                let object = Object::new("summary").text("repo", repo).text("step", step);
                ui.json(match outcome {
                    Some(Outcome::Done(took)) => {
                        object.text("result", "done").number("took_us", micros(*took))
                    }
                    Some(Outcome::Copied(took)) => {
                        object.text("result", "done").number("took_us", micros(*took)).fact("copied", true)
                    }
                    Some(Outcome::Failed) => object.text("result", "failed"),
                    Some(Outcome::NotRun) | None => object.text("result", "not_run"),
                });
            }
        }
        if self.is_worth_it() && !quiet {
            ui.success(&format!("\n{}", self.table().to_string().trim_end()));
        }
        if ui.annotates() {
            github::summarize(ui.program(), &self.table().markdown());
        }
    }

    /// How many repos have failed, in words.
    pub fn failures(&self) -> Option<String> {
        let failed = |outcomes: &[Option<Outcome>]| outcomes.contains(&Some(Outcome::Failed));
        let number = self.rows.iter().filter(|(_, outcomes)| failed(outcomes)).count();
        (number > 0 && self.rows.len() > 1)
            .then(|| format!("{} of {} failed", number, text::count(self.rows.len(), "repo")))
    }
}

fn word(outcome: &Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Done(took)) => duration::shown(*took),
        Some(Outcome::Copied(took)) => format!("{}, copied", duration::shown(*took)),
        Some(Outcome::Failed) => "failed".to_owned(),
        Some(Outcome::NotRun) => "not run".to_owned(),
        None => "-".to_owned(),
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_for_one_repo_needs_no_table_and_programs_no_column() {
        let mut summary = Summary::new(vec!["migrate".into(), "cargo".into()], vec!["core".into()]);
        summary.note(0, 0, Outcome::Failed);
        assert!(!summary.is_worth_it());
        assert_eq!(summary.table().to_string(), "  repo  migrate\n  core  failed\n");
    }

    #[test]
    fn every_repo_shows_how_far_it_came() {
        let mut summary =
            Summary::new(vec!["create".into(), "migrate".into()], vec!["core".into(), "data".into()]);
        summary.note(0, 0, Outcome::Done(Duration::from_millis(8)));
        summary.note(0, 1, Outcome::Failed);
        summary.note(1, 0, Outcome::Copied(Duration::from_millis(1500)));
        summary.note(1, 1, Outcome::NotRun);
        assert_eq!(
            summary.table().to_string(),
            "  repo  create         migrate\n  core  8 ms           failed\n  data  1.5 s, copied  not run\n"
        );
        assert_eq!(summary.failures().as_deref(), Some("1 of 2 repos failed"));
    }
}
