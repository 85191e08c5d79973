//! Dry runs of several steps: what earlier steps of the plan would have changed for later ones.

use dbsetup_cli::commands::Command as Shared;
pub use dbsetup_cli::plan::{LOADING, shown};

use super::commands::Command;
use super::plan::Step;
use super::templates::FROM_TEMPLATE;

/// What a database would be at this point of the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Imagined {
    /// What it is.
    #[default]
    Same,
    /// Gone.
    Absent,
    /// New and empty.
    Fresh,
}

/// What earlier steps would have done to a database.
#[derive(Debug, Clone, Copy, Default)]
struct Foreseen {
    database: Imagined,
    /// Its structure would be loaded.
    loaded: bool,
    /// Migrations would be run.
    migrated: bool,
    /// It would be copied from a template.
    copied: bool,
    /// Its schema would be another one.
    changed: bool,
}

/// What every repo's database would be at this point of a dry run.
pub struct Rehearsal(Vec<Foreseen>);

impl Rehearsal {
    /// Returns a rehearsal in which nothing has happened to `repos` databases.
    pub fn new(repos: usize) -> Self {
        Self(vec![Foreseen::default(); repos])
    }

    /// Whether an earlier step has dropped the database.
    pub fn is_absent(&self, repo: usize) -> bool {
        self.0[repo].database == Imagined::Absent
    }

    /// Whether an earlier step has made it anew, so that it is not the one that is there.
    pub fn is_fresh(&self, repo: usize) -> bool {
        self.0[repo].database == Imagined::Fresh
    }

    /// Takes note that a database is created that was dropped.
    pub fn create(&mut self, repo: usize) {
        self.0[repo].database = Imagined::Fresh;
    }

    /// Returns the plan of a step that cannot be asked of the database, because by then it would be another one.
    pub fn foresee(
        &mut self,
        repo: usize,
        command: &Command,
        step: &Step,
        dry_run: bool,
    ) -> Option<Vec<String>> {
        if !dry_run {
            return None;
        }
        let known = &mut self.0[repo];
        // A copy has what these would make.
        if known.copied && matches!(command, Command::Shared(Shared::Load(_) | Shared::Migrate(_))) {
            return Some(Vec::new());
        }
        if known.changed && matches!(command, Command::Dump(_)) {
            return Some(vec![format!("run `{}` on the database as it is by then", step.shown())]);
        }
        // The rules would plan what an earlier step has run, and wait for it.
        if known.migrated
            && known.database != Imagined::Absent
            && matches!(command, Command::Shared(Shared::Migrate(_)))
        {
            let shown = step.shown();
            return Some(vec![match known.database {
                Imagined::Fresh => format!("run `{shown}` on the new database"),
                _ => format!("run `{shown}` on the database as it is by then"),
            }]);
        }
        if known.database == Imagined::Same || matches!(command, Command::Shared(Shared::Wait(_))) {
            return None;
        }
        match command {
            Command::Create(_) if known.database == Imagined::Fresh => Some(Vec::new()),
            Command::Create(_) => None,
            Command::Drop(_) => {
                let is_there = known.database == Imagined::Fresh;
                *known =
                    Foreseen { database: Imagined::Absent, changed: known.changed, ..Foreseen::default() };
                Some(if is_there { vec!["drop the database".to_owned()] } else { Vec::new() })
            }
            _ if known.database == Imagined::Absent => {
                Some(vec![format!("fail: `{}` needs the database, and it would be gone", step.shown())])
            }
            // The rules plan for a database that is missing as for an empty one.
            Command::Shared(Shared::Load(_) | Shared::Migrate(_) | Shared::Seed(_)) => None,
            _ if known.copied || known.loaded || known.migrated => {
                Some(vec![format!("run `{}` on the new database", step.shown())])
            }
            _ => Some(vec![format!("run `{}` on the new, empty database", step.shown())]),
        }
    }

    /// Takes note of the plan of a step that was asked of the database. One that is missing can be asked as well: the
    /// rules plan for it as for an empty one.
    pub fn learn(&mut self, repo: usize, command: &Command, plan: &mut Vec<String>) {
        let known = &mut self.0[repo];
        known.changed |= !plan.is_empty();
        match command {
            Command::Drop(_) => {
                *known =
                    Foreseen { database: Imagined::Absent, changed: known.changed, ..Foreseen::default() };
            }
            // What is to fail changes nothing.
            _ if known.database == Imagined::Absent => {}
            Command::Create(_) => known.copied = plan.iter().any(|line| line.contains(FROM_TEMPLATE)),
            Command::Shared(Shared::Load(_)) => known.loaded |= !plan.is_empty(),
            Command::Shared(Shared::Migrate(_)) => {
                if known.loaded {
                    // An earlier step has loaded the structure by then.
                    plan.retain(|line| !line.starts_with(LOADING));
                }
                known.loaded |= plan.iter().any(|line| line.starts_with(LOADING));
                known.migrated |= plan.iter().any(|line| !line.starts_with(LOADING));
            }
            _ => {}
        }
    }
}
