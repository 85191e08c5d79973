//! `dump`

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use dbsetup::driver::Via;
use dbsetup::structure::DumpRequest;
use dbsetup::{Result, structure};

use super::shared::Several;
use crate::cli::context::{Output, Task};

/// Write the structure of each selected repo's database to its structure file.
///
/// The same schema gives the same bytes on any machine; a file that would not change is not touched.
#[derive(Debug, Clone, Args)]
pub struct Dump {
    /// Write to this file instead; `-` is stdout.
    #[arg(short, long, value_name = "PATH")]
    dump_path: Option<PathBuf>,

    /// Who writes: ourselves over the connection, or pg_dump.
    #[arg(long, value_enum, value_name = "HOW")]
    via: Option<ViaFlag>,

    /// Write only this schema; may be given several times.
    #[arg(long, value_name = "SCHEMA", action = ArgAction::Append)]
    schema: Vec<String>,

    /// Leave out this schema; may be given several times.
    #[arg(long, value_name = "SCHEMA", action = ArgAction::Append)]
    exclude_schema: Vec<String>,

    /// Leave out this table; may be given several times.
    #[arg(long, value_name = "TABLE", action = ArgAction::Append)]
    exclude_table: Vec<String>,

    /// Write nothing; exit with 3 when the file is not what would be written.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    several: Several,
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ViaFlag {
    /// We do.
    Native,
    /// pg_dump does.
    #[value(name = "pg_dump")]
    PgDump,
}

impl Dump {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several
            .unless_all(self.dump_path.as_ref().filter(|path| !is_stdout(path)).map(|_| "--dump-path"))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let dry_run = task.options.dry_run;
        let stdout = self.dump_path.as_deref().is_some_and(is_stdout);
        let request = DumpRequest {
            path: self.dump_path.clone().filter(|path| !is_stdout(path)),
            stdout,
            check: self.check,
            dry_run,
            via: self.via.map(|flag| match flag {
                ViaFlag::Native => Via::Native,
                ViaFlag::PgDump => Via::PgDump,
            }),
            schemas: self.schema.clone(),
            exclude_schemas: self.exclude_schema.clone(),
            exclude_tables: self.exclude_table.clone(),
        };
        let report = structure::dump(task.session, &request).await?;
        Ok(match report.text {
            Some(text) if stdout && !dry_run => Output::Data { event: "structure", text },
            _ => Output::of(dry_run, report.plan),
        })
    }
}

fn is_stdout(path: impl AsRef<Path>) -> bool {
    path.as_ref() == Path::new("-")
}
