//! Rows that migrations have inserted, and that belong to the structure: which are kept, and how they are written.
//!
//! They come from a database in which nobody but migrations has worked, never from a developer's own. [`audit`] decides
//! what becomes of each table that holds any, [`Kept::read`] reads and writes those that are kept, [`volatile`] tells
//! values that are others every time, and [`differences`] compares the kept rows of two databases.

mod audit;
mod difference;
mod near;
mod order;
mod text;
mod volatile;

pub use audit::{Audit, Wishes, audit, is_there, undecided};
pub(super) use audit::{is_written, setting, shell};
pub use difference::{RowDifference, differences};
pub use volatile::{Volatile, let_the_clock_go_on, refuse_volatile, volatile};

use crate::driver::{Driver, Rows, RowsRequest, TableRows};
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerTable;

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests;

/// Rows that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The rows, tables and rows in the order in which they load.
    pub rows: Rows,
    /// The statements that put them in: a row a line.
    pub text: String,
}

impl Kept {
    /// Reads the rows that an audit keeps.
    ///
    /// # Errors
    /// [`Kind::Configuration`] when columns cannot be left to their defaults; [`Kind::Unsupported`] for values that no
    /// statement can hold, and for rows that refer to each other in a circle; [`Kind::Refused`] for rows that refer to rows
    /// which are not kept.
    pub async fn read(driver: &mut dyn Driver, audit: &Audit) -> Result<Self> {
        // Where no row is kept, none has to be behind a sequence: plain dumps and squashes write the same.
        if audit.kept.is_empty() {
            return Ok(Self::default());
        }
        let request = RowsRequest { kept: audit.kept.clone(), dropped: audit.without() };
        let mut rows = driver.read_rows(&request).await?;
        for (kept, table) in request.kept.iter().zip(&rows.tables) {
            check_exceptions(&kept.except, table)?;
        }
        let deferred = order::arrange(&mut rows.tables)?;
        let text = text::write(driver.about().dialect, &rows, deferred);
        Ok(Self { rows, text })
    }
}

/// Audits the tables of a database that nothing but migrations has filled.
///
/// # Errors
/// Those of [`audit`], and of the database.
pub async fn audit_of(driver: &mut dyn Driver, ledger: &LedgerTable, wishes: &Wishes<'_>) -> Result<Audit> {
    let tables = driver.table_rows(ledger).await?;
    let schema = driver.about().schema.clone();
    audit(&tables, schema.as_deref(), wishes)
}

/// Refuses to leave a column to its default that has none, or that is not there.
fn check_exceptions(except: &[String], table: &TableRows) -> Result<()> {
    let shown = table.table.shown();
    for name in except {
        let is = |column: &&crate::driver::RowColumn| match &table.table.schema {
            Some(_) => column.name == *name,
            None => column.name.eq_ignore_ascii_case(name),
        };
        let Some(column) = table.columns.iter().find(is) else {
            let error = Error::new(
                Kind::Configuration,
                format!("`keep-data`: `{shown}` has no column `{name}` to leave to its default"),
            );
            return Err(match near::nearest(name, table.columns.iter().map(|column| &*column.name)) {
                Some(near) => error.help(format!("do you mean `{near}`?")),
                None => error,
            });
        };
        if column.required {
            let what = format!("`keep-data`: `{shown}.{name}` is NOT NULL and has no default to be left to");
            return Err(Error::new(Kind::Configuration, what)
                .help("give it a default in a migration, or have the migration insert a constant value"));
        }
    }
    Ok(())
}
