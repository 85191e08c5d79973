//! What a step does in the database of one repo.

use dbsetup::migration::{self, Lanes, State, StatusRow};
use dbsetup::repo::{Lane, Repo};
use dbsetup::session::Session;
use dbsetup::{record, storage};

use super::args::Step;
use crate::commands::shared::LaneFlag;
use crate::commands::{Command, Manner, Migrate};
use crate::plan::LOADING;
use crate::task::{Options, Output, Task};
use crate::ui::text;

/// What is known of a repo so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub failed: bool,
    /// Whether a first setup is to be done there.
    pub is_new: bool,
    /// Whether there is a `seed-command`, which is left to somebody with a checkout.
    pub seed_command: bool,
    /// Whether a dry run would have loaded the structure by now.
    pub loads: bool,
}

/// Does one step in the database of one repo.
pub(super) async fn step(
    step: &Step,
    session: &mut Session<'_>,
    options: Options,
    expected: Option<Vec<String>>,
    found: &mut Found,
) -> dbsetup::Result<Output> {
    let repo = session.repo();
    match step {
        Step::Create if options.dry_run => {
            let server = session.server();
            let line = format!("create the database {}", server.target().shown);
            Ok(Output::Plan(if server.exists().await? { Vec::new() } else { vec![line] }))
        }
        Step::Create => storage::create(session).await.map(|_| Output::Done),
        Step::Look => {
            found.is_new = record::begin_setup(session, options.dry_run).await?;
            Ok(Output::Done)
        }
        Step::MigrateAsFound => {
            let lane = if found.is_new { LaneFlag::All } else { LaneFlag::Automatic };
            let command = Command::Migrate(Migrate::of(lane, Manner::default()));
            let mut output = command.run(&mut task(repo, session, options, None)).await?;
            // By then an earlier step has loaded the structure.
            if let (true, Output::Plan(plan)) = (found.loads, &mut output) {
                plan.retain(|line| !line.starts_with(LOADING));
            }
            match (options.dry_run, found.is_new) {
                (true, _) => {}
                (false, true) => record::end_setup(session).await?,
                (false, false) => tell_of_manual(session).await,
            }
            Ok(output)
        }
        Step::Command(command) => {
            let output = command.run(&mut task(repo, session, options, expected)).await?;
            if let (Command::Load(_), Output::Plan(plan)) = (&**command, &output) {
                found.loads = !plan.is_empty();
            }
            if found.seed_command && is_seeded(command, found.is_new) {
                let name = &repo.name;
                session.teller().warn(
                    format!("the `seed-command` of `{name}` is not run: a release has no programs beside it"),
                    Some(format!("if its data is wanted, in a checkout: `cargo dbsetup seed --repo {name}`")),
                );
            }
            if !options.dry_run && runs_manual(command) {
                record::end_setup(session).await?;
            }
            Ok(output)
        }
    }
}

/// Whether a command seeds a database that is not in use.
fn is_seeded(command: &Command, is_new: bool) -> bool {
    matches!(command, Command::Seed(seed) if is_new || !seed.is_if_new())
}

/// Whether it runs all that a first setup owes besides the automatic lane.
fn runs_manual(command: &Command) -> bool {
    let lanes = match command {
        Command::Migrate(migrate) => migrate.plain_lanes(),
        _ => None,
    };
    lanes.is_some_and(|lanes| lanes != Lanes::Automatic)
}

fn task<'a, 's>(
    repo: &'a Repo,
    session: &'s mut Session<'a>,
    options: Options,
    expected: Option<Vec<String>>,
) -> Task<'a, 's> {
    Task { repo, session, options, variables: Vec::new(), expected }
}

/// Says which migrations wait to be run on demand: `setup` leaves them to somebody who has looked at them. What keeps it
/// from being said is no failure of a setup that has done its work.
async fn tell_of_manual(session: &mut Session<'_>) {
    let repo = session.repo();
    let Ok(found) = migration::status(session).await else { return };
    let waits = |row: &&StatusRow| {
        row.lane == Some(Lane::Manual) && matches!(row.state, State::Pending | State::Blocked { .. })
    };
    let waiting = found.rows.iter().filter(waits).count();
    if waiting > 0 {
        session.teller().warn(
            format!("{} of `{}` not run", text::count(waiting, "manual migration"), repo.name),
            Some(format!("when it suits: {}", repo.command("migrate_manual"))),
        );
    }
}
