//! Whether a dump is whole: the proof that nothing was left out, apart from everything that writes.
//!
//! Two nets. The objects: every catalog that the server itself names is asked for every identifier that users made,
//! and the writer has to answer for each. The columns: whatever a server has that `columns.txt` does not know (a
//! catalog, a column, a letter, the name of an option) stops the dump as soon as an object that is written uses it.
//!
//! Pure but for [`Census::close`]: [`enumerate`] is asked once, [`Census::queries`] go along in the dump's own
//! transaction and message, and [`Census::judge`] reads their answers.

mod catalogs;
mod columns;
mod doubt;
mod letters;
mod objects;
mod options;
mod outside;
mod rows;
mod system;
mod verdict;

pub use catalogs::enumerate;
pub use columns::Table;
#[cfg(test)]
pub use columns::{BUILT_IN, Known};
pub use system::{Aspect, SystemChange};
pub use verdict::Verdict;

pub use super::address::Address;
pub use super::compose::Disposition;

use catalogs::Catalogs;

use super::presence::Empty;
use crate::driver::DbError;
use crate::drivers::postgres::script::Row;
use crate::drivers::postgres::session::Session;

/// Answers for an object: what the writer made of it, nothing when it does not know of it.
pub type Account<'a> = dyn Fn(Address) -> Option<Disposition> + Sync + 'a;

/// Answers for a change of an object that came with the server: whether the text has it.
pub type Changes<'a> = dyn Fn(&SystemChange) -> bool + Sync + 'a;

/// What is written beyond the structure itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Owners.
    pub owners: bool,
    /// Privileges.
    pub privileges: bool,
}

/// What a server has, beside what is known.
#[derive(Debug)]
pub struct Census {
    catalogs: Catalogs,
    table: Table,
    asked: Asked,
}

impl Census {
    /// Reads the rows of [`enumerate`] on a server of that major version.
    pub fn new(major: u32, rows: &[Row], asked: Asked) -> Self {
        Self::with(Table::built_in(), major, rows, asked)
    }

    /// The same with another table of known columns.
    pub fn with(table: Table, major: u32, rows: &[Row], asked: Asked) -> Self {
        Self { catalogs: Catalogs::read(major, rows), table, asked }
    }

    /// The names of the database's own catalogs.
    pub fn catalogs(&self) -> impl Iterator<Item = &str> {
        self.catalogs.iter().filter(|catalog| !catalog.shared).map(|catalog| catalog.name.as_str())
    }

    /// Returns the queries whose answers [`Census::judge`] takes, in order.
    pub fn queries(&self) -> Vec<String> {
        self.queries_without(&Empty::default())
    }

    /// The same, where the `empty` catalogs need not be asked.
    pub fn queries_without(&self, empty: &Empty) -> Vec<String> {
        vec![
            objects::query(&self.catalogs, empty),
            letters::query(&self.table, &self.catalogs, empty),
            options::query(),
            system::query(&self.catalogs, self.asked),
        ]
    }

    /// Judges the answers to [`Census::queries`]. `disposition` answers for an object, `writes` for a change of an
    /// object that came with the server.
    pub fn judge(&self, answers: &[Vec<Row>], disposition: &Account<'_>, writes: &Changes<'_>) -> Verdict {
        let answer = |index: usize| answers.get(index).map(Vec::as_slice).unwrap_or_default();
        let mut doubts = columns::doubts(&self.table, &self.catalogs);
        doubts.extend(letters::doubts(&self.table, &self.catalogs, answer(1)));
        doubts.extend(options::doubts(answer(2)));
        let mut changes = system::read(answer(3));
        changes.retain(|change| !writes(change));
        Verdict::new(
            objects::unaccounted(&objects::read(answer(0)), disposition),
            changes,
            doubts,
            self.notes(),
        )
    }

    /// Judges the answers and asks what is left to be asked, which is nothing as long as nothing was found. Returns
    /// notes, a sentence each.
    ///
    /// # Errors
    /// [`DbErrorClass::Unsupported`](crate::driver::DbErrorClass::Unsupported), naming what would be left out.
    pub async fn close(
        &self,
        session: &mut Session,
        answers: &[Vec<Row>],
        disposition: &Account<'_>,
        writes: &Changes<'_>,
    ) -> Result<Vec<String>, DbError> {
        let mut verdict = self.judge(answers, disposition, writes);
        if let Some(query) = verdict.follow_up() {
            let rows = pinned(session, query).await?;
            verdict.settle(&rows, disposition);
        }
        if let Some(query) = verdict.parts() {
            verdict.leave_parts_out(&pinned(session, query).await?);
        }
        let Some(query) = verdict.naming(&self.object_classes()) else { return Ok(verdict.into_notes()) };
        // A name is a help, and no reason to hide what was found: an object may be gone by now.
        let rows = pinned(session, query).await.unwrap_or_default();
        Err(verdict.error(&rows))
    }

    /// The classes that `pg_identify_object` has words for; at others it fails.
    fn object_classes(&self) -> Vec<u32> {
        let known = |name: &str| self.table.has(self.catalogs.major.min(LAST), name) && name != "pg_enum";
        self.catalogs
            .iter()
            .filter(|catalog| catalog.has("oid") && known(&catalog.name))
            .map(|catalog| catalog.class)
            .collect()
    }

    /// What could not be looked at, a sentence each.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let uncounted = objects::uncounted(&self.catalogs);
        if !uncounted.is_empty() {
            notes.push(format!(
                "objects of {} were not counted: the role may not read them",
                uncounted.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ));
        }
        let unseen = columns::unseen(&self.table, &self.catalogs);
        if !unseen.is_empty() {
            notes.push(format!(
                "this release does not know {}, and the role may not read it, or it belongs to all databases",
                unseen.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ));
        }
        notes
    }
}

/// The last release that the table of columns was made from.
pub const LAST: u32 = 18;

async fn pinned(session: &mut Session, query: String) -> Result<Vec<Row>, DbError> {
    Ok(session.looks_pinned(vec![query]).await?.pop().unwrap_or_default())
}
