//! Dry runs of several steps: what earlier steps of the plan would have changed for later ones.

use dbsetup_cli::commands::Command as Shared;
pub use dbsetup_cli::plan::{LOADING, shown};

use super::commands::Command;
use super::plan::Step;
use super::templates::FROM_TEMPLATE;

/// What a database would be at this point of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Imagined {
    /// What it is.
    Same,
    /// Gone.
    Absent,
    /// New and empty.
    Fresh,
}

/// What every repo's database would be at this point of a dry run, whether its structure would be loaded, and whether
/// its schema would be another one, and whether it would be copied from a template.
pub struct Rehearsal(Vec<Imagined>, Vec<bool>, Vec<bool>, Vec<bool>);

impl Rehearsal {
    /// Returns a rehearsal in which nothing has happened to `repos` databases.
    pub fn new(repos: usize) -> Self {
        Self(vec![Imagined::Same; repos], vec![false; repos], vec![false; repos], vec![false; repos])
    }

    /// Whether an earlier step has dropped the database.
    pub fn is_absent(&self, repo: usize) -> bool {
        self.0[repo] == Imagined::Absent
    }

    /// Whether an earlier step has made it anew, so that it is not the one that is there.
    pub fn is_fresh(&self, repo: usize) -> bool {
        self.0[repo] == Imagined::Fresh
    }

    /// Takes note that a database is created that was dropped.
    pub fn create(&mut self, repo: usize) {
        self.0[repo] = Imagined::Fresh;
    }

    /// Returns the plan of a step that cannot be asked of the database, because by then it would be another one.
    pub fn foresee(
        &mut self,
        repo: usize,
        command: &Command,
        step: &Step,
        dry_run: bool,
    ) -> Option<Vec<String>> {
        // A copy has what these would make.
        if dry_run && self.3[repo] && matches!(command, Command::Shared(Shared::Load(_) | Shared::Migrate(_)))
        {
            return Some(Vec::new());
        }
        if dry_run && self.2[repo] && matches!(command, Command::Dump(_)) {
            return Some(vec![format!("run `{}` on the database as it is by then", step.shown())]);
        }
        if !dry_run || self.0[repo] == Imagined::Same || matches!(command, Command::Shared(Shared::Wait(_))) {
            return None;
        }
        match command {
            Command::Create(_) if self.0[repo] == Imagined::Fresh => Some(Vec::new()),
            Command::Create(_) => None,
            Command::Drop(_) => {
                let is_there = self.0[repo] == Imagined::Fresh;
                self.0[repo] = Imagined::Absent;
                Some(if is_there { vec!["drop the database".to_owned()] } else { Vec::new() })
            }
            _ if self.0[repo] == Imagined::Absent => {
                Some(vec![format!("fail: `{}` needs the database, and it would be gone", step.shown())])
            }
            // The rules plan for a database that is missing as for an empty one.
            Command::Shared(Shared::Load(_) | Shared::Migrate(_) | Shared::Seed(_)) => None,
            _ if self.3[repo] => Some(vec![format!("run `{}` on the new database", step.shown())]),
            _ => Some(vec![format!("run `{}` on the new, empty database", step.shown())]),
        }
    }

    /// Takes note of the plan of a step that was asked of the database. One that is missing can be asked as well: the
    /// rules plan for it as for an empty one.
    pub fn learn(&mut self, repo: usize, command: &Command, plan: &mut Vec<String>) {
        self.2[repo] |= !plan.is_empty();
        match command {
            Command::Drop(_) => (self.0[repo], self.3[repo]) = (Imagined::Absent, false),
            Command::Create(_) => self.3[repo] = plan.iter().any(|line| line.contains(FROM_TEMPLATE)),
            Command::Shared(Shared::Load(_)) => self.1[repo] |= !plan.is_empty(),
            // An earlier step has loaded the structure by then.
            Command::Shared(Shared::Migrate(_)) if self.1[repo] => {
                plan.retain(|line| !line.starts_with(LOADING));
            }
            _ => {}
        }
    }
}
