//! `setup`: from whatever is there to a database that the release can work with.

use clap::{Args, ValueEnum};

use super::args::Step;
use crate::commands::shared::LaneFlag;
use crate::commands::{Command, Load, Manner, Migrate, Seed};

/// Make the database ready for this release: load the structure, migrate, seed.
///
/// A new database gets the structure, the migrations of every lane and the seeds. One that is in use gets the pending
/// migrations of the automatic lane. What is done already is not done again, so that every deploy may run it.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// Create the database first, if it is missing. Without this, a missing database is an error: a wrong URL is not to
    /// become an empty, healthy application.
    #[arg(long)]
    create: bool,

    /// Which migrations [default: every one for a new database, else the automatic ones].
    #[arg(long, value_enum)]
    lane: Option<SetupLane>,

    /// Leave the seeds out.
    #[arg(long)]
    no_seed: bool,
}

/// Which migrations `setup` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SetupLane {
    /// `migrations/`: safe to run on every deploy.
    Automatic,
    /// `manual_migrations/`, too.
    All,
}

impl Setup {
    /// What it does, in order.
    pub fn steps(&self) -> Vec<Step> {
        let command = |command| Step::Command(Box::new(command));
        let migrate = |lane| command(Command::Migrate(Migrate::of(lane, Manner::default())));
        let migrate = match self.lane {
            None => Step::MigrateAsFound,
            Some(SetupLane::Automatic) => migrate(LaneFlag::Automatic),
            Some(SetupLane::All) => migrate(LaneFlag::All),
        };
        let create = self.create.then_some(Step::Create);
        let look = self.lane.is_none().then_some(Step::Look);
        let load = command(Command::Load(Load::unless_loaded()));
        let seed = (!self.no_seed).then(|| command(Command::Seed(Seed::if_new())));
        create.into_iter().chain(look).chain([load, migrate]).chain(seed).collect()
    }
}
