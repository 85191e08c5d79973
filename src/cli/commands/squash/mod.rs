//! `dump --move-migrations`, which `squash` is another word for: what of it needs a person, a repository and other
//! databases. The squash itself is the library's.

mod evidence;
mod repository;

use clap::{ArgAction, Args, ValueEnum as _};
use dbsetup::Result;
use dbsetup::driver::Via;
use dbsetup::event::What;
use dbsetup::repo::Repo;
use dbsetup::sql::Dialect;
use dbsetup::structure::DumpOptions;
use dbsetup::structure::replay::Beyond;
use dbsetup::structure::squash::{self, Planned, SquashRequest};

use crate::cli::context::{Output, Task};
use crate::sources::{self, decision, decision::Way};
use crate::ui::prompt;

/// The word for `dump --move-migrations`.
pub const WORD: &str = "squash";
/// The flag that it stands for.
pub const FLAG: &str = "--move-migrations";

/// What turns a dump into a squash.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Squash")]
pub struct Squash {
    /// Squash: write a structure that stands for all migrations, and move them to `dumped_migrations/`.
    ///
    /// The structure is made of a replay in a scratch database; unless the replay, the database, and a load of the new
    /// file are the same, object by object, nothing is written. Every version of both lanes has to be applied here, and
    /// in every deployed database (`--applied-on`). What was interrupted is finished by the next run.
    #[arg(long, conflicts_with_all = ["dump_path", "check", "allow_missing"])]
    pub move_migrations: bool,

    /// Give up a squash that was interrupted: every file goes back where it was.
    #[arg(
        long,
        requires = "move_migrations",
        conflicts_with_all = [
            "to",
            "applied_on",
            "drop_data",
            "allow_dirty",
            "allow_no_vcs",
            "trust_file",
            "sqlx",
            "as_migration"
        ]
    )]
    pub abort: bool,

    /// Squash up to this version and include it; what is newer stays in its lane.
    #[arg(long, value_name = "VERSION", requires = "move_migrations")]
    pub to: Option<String>,

    /// A deployed database that has to have applied what is squashed; may be given several times.
    ///
    /// `env:NAME` is a variable with its URL, which is read and never written to; anything else is a file that
    /// `cargo dbsetup status --format json` has written there. Each protected environment that has a database of its
    /// own in Cargo.toml needs one that belongs to it.
    #[arg(long, value_name = "env:NAME|FILE", action = ArgAction::Append, requires = "move_migrations")]
    pub applied_on: Vec<String>,

    /// Leave out the rows that migrations have inserted into this table; may be given several times. The structure
    /// remembers it.
    #[arg(long, value_name = "TABLE", action = ArgAction::Append)]
    pub drop_data: Vec<String>,

    /// Squash although files of the repo are not committed.
    #[arg(long, requires = "move_migrations")]
    pub allow_dirty: bool,

    /// Squash although no version control keeps the files.
    #[arg(long, requires = "move_migrations")]
    pub allow_no_vcs: bool,

    /// How code that runs these migrations through sqlx gets along without their files.
    ///
    /// Without it, and without `--as-migration`, the squash is refused where `sqlx::migrate!()`, `Migrator::new()` or
    /// `#[sqlx::test]` would miss them, and the places are listed.
    #[arg(
        long,
        value_enum,
        value_name = "WAY",
        requires = "move_migrations",
        conflicts_with = "as_migration"
    )]
    pub sqlx: Option<Way>,

    /// Leave one migration in the automatic lane that makes what the squashed ones have made.
    ///
    /// For `sqlx::migrate!()` and `#[sqlx::test]`, which build databases of migrations alone. In a deployed database the
    /// next `migrate` replaces the rows of the squashed migrations by the one of this baseline. The next squash writes it
    /// anew, with or without this flag. Only with sqlx's ledger.
    #[arg(long, requires = "move_migrations")]
    pub as_migration: bool,

    /// Replay the present structure and the migrations although they reach beyond the scratch database: roles, other
    /// databases, programs, files of the server, functions in C.
    ///
    /// Without it a squash asks on a terminal about migrations that do, and is refused elsewhere; `--yes` is no answer to
    /// that.
    #[arg(long)]
    pub trust_file: bool,
}

impl Squash {
    /// The flag that means one repo.
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        if self.to.is_some() {
            return Some("--to");
        }
        self.applied_on.iter().any(|source| evidence::is_variable(source)).then_some("--applied-on env:NAME")
    }

    /// Returns those of the protected environments of `repo` for which nothing shows that they have run what this
    /// squashes. `live` is the repo's own database, as it is shown.
    ///
    /// # Errors
    /// Those of the evidence.
    pub async fn unproven(&self, repo: &Repo, live: &str, protected: &[String]) -> Result<Vec<String>> {
        if protected.is_empty() || !self.is_due(repo) {
            return Ok(Vec::new());
        }
        Ok(evidence::missing(protected, &evidence::read(&self.applied_on, repo, live).await?))
    }

    /// Returns the statements that this would run again although they reach beyond a scratch database; none where that is
    /// allowed. What cannot be read is left to the run, which says why.
    pub fn beyond(&self, repo: &Repo, dialect: Dialect) -> Vec<Beyond> {
        if self.trust_file || !self.is_due(repo) {
            return Vec::new();
        }
        squash::beyond(repo, dialect).unwrap_or_default()
    }

    /// Whether there is anything to be squashed: to finish is to do no more than what was decided, and where nothing is
    /// in the lanes nobody need be asked.
    fn is_due(&self, repo: &Repo) -> bool {
        self.move_migrations
            && !self.abort
            && !squash::is_interrupted(repo)
            && squash::is_due(repo, self.to.as_deref()).unwrap_or(false)
    }

    /// Returns the flags as they were given, ready for a shell.
    fn given(&self, dump: &DumpOptions) -> Vec<String> {
        let mut words = Vec::new();
        let via = dump.via.map(|via| match via {
            Via::Native => "native".to_owned(),
            Via::PgDump => "pg_dump".to_owned(),
        });
        let sqlx = self.sqlx.and_then(|way| Some(way.to_possible_value()?.get_name().to_owned()));
        let valued: [(&str, &[String]); 9] = [
            ("--to", self.to.as_slice()),
            ("--applied-on", &self.applied_on),
            ("--sqlx", sqlx.as_slice()),
            ("--drop-data", &self.drop_data),
            ("--via", via.as_slice()),
            ("--schema", &dump.schemas),
            ("--exclude-schema", &dump.exclude_schemas),
            ("--exclude-table", &dump.exclude_tables),
            ("--exclude-extension", &dump.exclude_extensions),
        ];
        for (flag, values) in valued {
            words.extend(values.iter().map(|value| format!("{flag} {}", shell_words::quote(value))));
        }
        let plain = [
            ("--allow-dirty", self.allow_dirty),
            ("--allow-no-vcs", self.allow_no_vcs),
            ("--as-migration", self.as_migration),
            ("--trust-file", self.trust_file),
            ("--owners", dump.owners),
            ("--privileges", dump.privileges),
            ("--no-filters", dump.no_filters),
        ];
        words.extend(plain.iter().filter(|(_, given)| *given).map(|(flag, _)| (*flag).to_owned()));
        words
    }

    /// Returns what deserves a look before deployed databases are left to their fate.
    fn doubts(&self, found: &[evidence::Found], newest: &str) -> Vec<(String, Option<String>)> {
        if self.applied_on.is_empty() {
            let text = format!(
                "nothing shows that deployed databases have applied what is squashed, up to {newest}: one that has not \
                 runs it from the archive first, and cannot be migrated where the archive is gone"
            );
            let help = "show it, where something is deployed: `--applied-on env:NAME` (a variable with its URL) or \
                        `--applied-on FILE` (what `cargo dbsetup status --format json` writes there)";
            return vec![(text, Some(help.to_owned()))];
        }
        let unknown = found.iter().filter(|found| found.is_taken_at_their_word());
        let told = |found: &evidence::Found| {
            let text = format!(
                "`{}` does not say which environment it belongs to: it counts as the one that you mean",
                found.evidence.name
            );
            (text, None)
        };
        unknown.map(told).collect()
    }

    pub async fn run(&self, dump: DumpOptions, task: &mut Task<'_, '_>) -> Result<Output> {
        let repo = task.repo;
        let dry_run = task.options.dry_run;
        if self.abort {
            return give_up(task);
        }
        // A rehearsal writes nothing, and stands in nobody's way.
        let held = if dry_run { None } else { Some(squash::hold(repo)?) };
        if squash::is_interrupted(repo) {
            let Some(held) = &held else {
                return Ok(Output::Plan(vec!["finish the squash that was interrupted".to_owned()]));
            };
            if let Some(newest) = squash::resume(repo, held)? {
                task.session.teller().tell(What::SquashFinished { newest });
                return Ok(Output::Done);
            }
        }
        let request = SquashRequest {
            to: self.to.clone(),
            reference: repository::reference(repo),
            given: self.given(&dump),
            dump: DumpOptions { drop_data: self.drop_data.clone(), ..dump },
            trusted: self.trust_file,
            agreed: task.agreed.to_vec(),
            as_migration: self.as_migration,
        };
        let Some(planned) = squash::plan(task.session, &request).await? else {
            return Ok(Output::of(dry_run, None::<String>));
        };
        let moves = &planned.plan.moves;
        if let Some((text, help)) = repository::check(repo, moves, self.allow_dirty, self.allow_no_vcs)? {
            task.session.teller().warn(text, help);
        }
        let live = task.session.server().target().shown.clone();
        let found = evidence::read(&self.applied_on, repo, &live).await?;
        for (text, help) in self.doubts(&found, planned.plan.newest.as_str()) {
            task.session.teller().warn(text, help);
        }
        let evidence: Vec<_> = found.into_iter().map(|found| found.evidence).collect();
        planned.refuse_unseen(repo, &evidence)?;
        let found = sources::of_workspace(task.workspace);
        let facts = decision::Facts {
            repo,
            ledger: planned.ledger().kind,
            found: &sources::of_repo(repo, &found),
            baseline: planned.baseline().is_some(),
        };
        if let Some(error) = decision::refusal(facts, self.sqlx) {
            return Err(error);
        }
        match held {
            Some(held) => squash::squash(task.session, planned, &held).await.map(|_| Output::Done),
            None => {
                let lines = plan(repo, &planned);
                let dialect = task.session.server().dialect();
                // What a person would be asked about is not tried; where nobody is asked, the squash is refused, and so is
                // its rehearsal.
                match self.beyond(repo, dialect).len() {
                    number if number > 0 && prompt::can_ask() && !task.options.yes => {
                        task.session.teller().warn(untried(number), Some(TRIED.to_owned()));
                    }
                    _ => squash::rehearse(task.session, &planned).await?,
                }
                Ok(Output::Plan(lines))
            }
        }
    }
}

/// What makes a rehearsal try what it would not.
const TRIED: &str = "try it all the same: `--trust-file`; without it, the squash itself asks";

/// Says why a rehearsal has made no scratch database.
fn untried(number: usize) -> String {
    let what =
        if number == 1 { "1 statement reaches".to_owned() } else { format!("{number} statements reach") };
    format!("nothing was tried: {what} beyond the scratch database that the migrations would be run in")
}

fn give_up(task: &mut Task<'_, '_>) -> Result<Output> {
    let repo = task.repo;
    if task.options.dry_run {
        let is_any = squash::is_interrupted(repo);
        return Ok(Output::Plan(
            is_any.then(|| "give up the squash that was interrupted".to_owned()).into_iter().collect(),
        ));
    }
    match squash::abort(repo, &squash::hold(repo)?)? {
        Some(newest) => task.session.teller().tell(What::SquashGivenUp { newest }),
        None => task.session.teller().warn(format!("no squash of `{}` was interrupted", repo.name), None),
    }
    Ok(Output::Done)
}

/// Returns what a dry run says.
fn plan(repo: &Repo, planned: &Planned) -> Vec<String> {
    let plan = &planned.plan;
    let number = plan.taken.len();
    let shown = |path: &std::path::Path| repo.shown(path).display().to_string();
    let mut lines = vec![
        format!("write {}", shown(&repo.structure)),
        format!(
            "write {}: {number} more {} that a database must have applied",
            shown(&dbsetup::structure::floor::Floor::path(&repo.structure)),
            if number == 1 { "migration" } else { "migrations" },
        ),
    ];
    lines.extend(
        planned.baseline().iter().map(|path| format!("write {}, which makes all of it", shown(path))),
    );
    lines.extend(
        plan.moves.iter().map(|moved| format!("move {} to {}", shown(&moved.from), shown(&moved.to))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_shown_again_has_every_flag_that_was_given() {
        let squash = Squash {
            move_migrations: true,
            abort: false,
            to: Some("2".into()),
            applied_on: vec!["env:A".into(), "b c.json".into()],
            drop_data: vec!["t".into()],
            allow_dirty: true,
            allow_no_vcs: true,
            sqlx: Some(Way::IgnoreMissing),
            as_migration: true,
            trust_file: true,
        };
        let dump = DumpOptions { via: Some(Via::PgDump), owners: true, ..DumpOptions::default() };
        let wanted = "--to 2 --applied-on env:A --applied-on 'b c.json' --sqlx ignore-missing --drop-data t \
                      --via pg_dump --allow-dirty --allow-no-vcs --as-migration --trust-file --owners";
        assert_eq!(squash.given(&dump).join(" "), wanted);
        assert!(Squash::default().given(&DumpOptions::default()).is_empty());
    }
}
