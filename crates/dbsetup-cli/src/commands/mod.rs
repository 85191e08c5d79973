//! The commands that need no cargo and no checkout: one file each, with its flags, its help and a short `run`.

mod doctor;
mod load;
mod migrate;
mod redo;
mod resolve;
mod rollback;
mod seed;
pub mod shared;
mod status;
mod wait;

pub use doctor::Doctor;
pub use load::Load;
pub use migrate::{Manner, Migrate};
pub use redo::Redo;
pub use resolve::Resolve;
pub use rollback::Rollback;
pub use seed::Seed;
pub use status::Status;
pub use wait::Wait;

use clap::Subcommand;
use dbsetup::Result;

use crate::task::{Danger, Output, Task};

/// The commands of every program. Each has its place on a help page, with room for a program's own between them.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    #[command(display_order = 30)]
    Load(Load),
    #[command(display_order = 50)]
    Migrate(Migrate),
    #[command(display_order = 60)]
    Rollback(Rollback),
    #[command(display_order = 70)]
    Redo(Redo),
    #[command(visible_alias = "migrations", display_order = 80)]
    Status(Status),
    #[command(display_order = 85)]
    Doctor(Doctor),
    #[command(display_order = 100)]
    Resolve(Resolve),
    #[command(display_order = 110)]
    Seed(Seed),
    #[command(display_order = 140)]
    Wait(Wait),
}

impl Command {
    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Load(_) => "load",
            Self::Migrate(_) => "migrate",
            Self::Rollback(_) => "rollback",
            Self::Redo(_) => "redo",
            Self::Status(_) => "status",
            Self::Doctor(_) => "doctor",
            Self::Resolve(_) => "resolve",
            Self::Seed(_) => "seed",
            Self::Wait(_) => "wait",
        }
    }

    /// What, in this command line, means one repo and no other (`--to`), unless `--all-repos` says that it does not.
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        match self {
            Self::Migrate(command) => command.speaks_of_one(),
            Self::Rollback(command) => command.speaks_of_one(),
            Self::Redo(command) => command.speaks_of_one(),
            Self::Resolve(command) => command.speaks_of_one(),
            _ => None,
        }
    }

    /// What the command destroys.
    pub fn danger(&self) -> Option<Danger> {
        match self {
            Self::Load(command) => command.danger(),
            Self::Rollback(command) => command.danger(),
            Self::Redo(command) => command.danger(),
            Self::Resolve(command) => command.danger(),
            _ => None,
        }
    }

    /// Runs it in the database of one repo.
    ///
    /// # Errors
    /// The command's own.
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        match self {
            Self::Load(command) => command.run(task).await,
            Self::Migrate(command) => command.run(task).await,
            Self::Rollback(command) => command.run(task).await,
            Self::Redo(command) => command.run(task).await,
            Self::Status(command) => command.run(task).await,
            Self::Doctor(command) => command.run(task).await,
            Self::Resolve(command) => command.run(task).await,
            Self::Seed(command) => command.run(task).await,
            Self::Wait(command) => command.run(task).await,
        }
    }

    /// Whether it may start a program of the user's.
    pub fn starts_programs(&self) -> bool {
        matches!(self, Self::Seed(_))
    }

    /// Whether the table that ends a run is about it.
    pub fn is_summed_up(&self) -> bool {
        !matches!(self, Self::Status(_) | Self::Doctor(_))
    }
}
