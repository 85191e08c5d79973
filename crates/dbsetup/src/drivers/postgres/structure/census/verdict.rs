//! What was found, and how it is said.

use std::collections::HashSet;

use super::doubt::{self, Doubt};
use super::system::SystemChange;
use super::{Account, Address};
use crate::driver::{DbError, DbErrorClass};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::script::Row;

/// How many objects an error names.
const NAMED: usize = 20;

/// What was found.
#[derive(Debug)]
pub struct Verdict {
    /// Objects that nobody answers for.
    pub objects: Vec<Address>,
    /// Changes of built-in objects that nobody answers for.
    pub changes: Vec<SystemChange>,
    /// What is not known of the server, by objects that use it.
    pub used: Vec<(usize, Address)>,
    doubts: Vec<Doubt>,
    notes: Vec<String>,
}

impl Verdict {
    pub(super) fn new(
        objects: Vec<Address>,
        changes: Vec<SystemChange>,
        doubts: Vec<Doubt>,
        notes: Vec<String>,
    ) -> Self {
        Self { objects, changes, used: Vec::new(), doubts, notes }
    }

    /// Returns the query that settles the doubts, when there are any.
    pub fn follow_up(&self) -> Option<String> {
        (!self.doubts.is_empty()).then(|| doubt::query(&self.doubts))
    }

    /// Takes the rows of [`Verdict::follow_up`].
    pub fn settle(&mut self, rows: &[Row], disposition: &Account<'_>) {
        self.used = doubt::read(rows, disposition);
        for (index, doubt) in self.doubts.iter().enumerate() {
            if doubt.is_new && !self.used.iter().any(|(used, _)| *used == index) {
                self.notes.push(format!(
                    "this release does not know {}; no object that is written uses it",
                    doubt.what
                ));
            }
        }
    }

    /// Returns the query for those of the objects that are parts of others of them: (class, identifier). Who hears
    /// of a view need not hear of its rule and its row type.
    pub fn parts(&self) -> Option<String> {
        let list = |number: &dyn Fn(&Address) -> u32| {
            self.objects.iter().map(|object| number(object).to_string()).collect::<Vec<_>>().join(",")
        };
        let (classes, oids) = (list(&|object| object.class), list(&|object| object.oid));
        (self.objects.len() > 1).then(|| {
            format!(
                "WITH o AS MATERIALIZED (SELECT * FROM ROWS FROM (pg_catalog.unnest('{{{classes}}}'::pg_catalog.oid[]), \
                 pg_catalog.unnest('{{{oids}}}'::pg_catalog.oid[])) u (class, oid)) \
                 SELECT DISTINCT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype IN ('a', 'i') \
                 AND (d.classid, d.objid) IN (SELECT o.class, o.oid FROM o) \
                 AND (d.refclassid, d.refobjid) IN (SELECT o.class, o.oid FROM o) \
                 AND (d.classid, d.objid) <> (d.refclassid, d.refobjid)"
            )
        })
    }

    /// Takes the rows of [`Verdict::parts`].
    pub fn leave_parts_out(&mut self, rows: &[Row]) {
        let parts: HashSet<Address> = rows
            .iter()
            .filter_map(|row| {
                Some(Address { class: cell(row, 0).parse().ok()?, oid: cell(row, 1).parse().ok()? })
            })
            .collect();
        // Two that are parts of each other would both be lost.
        if self.objects.iter().any(|object| !parts.contains(object)) {
            self.objects.retain(|object| !parts.contains(object));
        }
    }

    /// Returns the query for the names of what was found; nothing when nothing was.
    pub fn naming(&self, object_classes: &[u32]) -> Option<String> {
        let findings = self.findings();
        if findings.is_empty() {
            return None;
        }
        let list = |number: &dyn Fn(&Finding) -> String| {
            findings.iter().take(NAMED).map(number).collect::<Vec<_>>().join(",")
        };
        let classes: Vec<String> = object_classes.iter().map(u32::to_string).collect();
        Some(format!(
            "SELECT a.place, coalesce((SELECT pg_catalog.concat(o.type, ' ', o.identity) \
             FROM pg_catalog.pg_identify_object(CASE WHEN a.class IN ({}) THEN a.class END, a.object, a.part) o \
             WHERE o.identity IS NOT NULL), pg_catalog.concat('row ', a.object, ' of ', \
             a.class::pg_catalog.regclass)) FROM ROWS FROM (pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]), \
             pg_catalog.unnest('{{{}}}'::pg_catalog.oid[]), pg_catalog.unnest('{{{}}}'::pg_catalog.int4[])) \
             WITH ORDINALITY a (class, object, part, place)",
            if classes.is_empty() { "NULL".to_owned() } else { classes.join(", ") },
            list(&|finding| finding.address().class.to_string()),
            list(&|finding| finding.address().oid.to_string()),
            list(&|finding| finding.part().to_string()),
        ))
    }

    /// Returns the error for what was found, with the rows of [`Verdict::naming`].
    pub fn error(&self, names: &[Row]) -> DbError {
        let findings = self.findings();
        let mut lines: Vec<String> = findings
            .iter()
            .take(NAMED)
            .enumerate()
            .map(|(index, finding)| {
                let place = (index + 1).to_string();
                let name = names.iter().find(|row| cell(row, 0) == place).map(|row| cell(row, 1));
                let name = name.unwrap_or_else(|| {
                    let Address { class, oid } = finding.address();
                    format!("row {oid} of the catalog {class}")
                });
                self.sentence(finding, &name)
            })
            .collect();
        let more = findings.len().saturating_sub(NAMED);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        let message = if lines.len() == 1 {
            lines.remove(0)
        } else {
            format!(
                "the structure would not be whole: {} objects cannot be written as they are",
                findings.len()
            )
        };
        let mut error = own(DbErrorClass::Unsupported, message);
        error.notes = lines;
        advised(
            error,
            "leave it out (`--exclude-schema`, `--exclude-table`, `--exclude-extension`), or pass `--via pg_dump`",
        )
    }

    /// The notes that are left when nothing was found.
    pub fn into_notes(self) -> Vec<String> {
        self.notes
    }

    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.objects.iter().copied().map(Finding::Object).collect();
        findings.extend(self.used.iter().map(|(doubt, address)| Finding::Use(*doubt, *address)));
        findings.extend(self.changes.iter().copied().map(Finding::Change));
        findings
    }

    fn sentence(&self, finding: &Finding, name: &str) -> String {
        match finding {
            Finding::Object(_) => format!("`{name}` cannot be written"),
            Finding::Change(change) => {
                format!("a change of the {} of `{name}` cannot be written", change.aspect.noun())
            }
            Finding::Use(doubt, _) => {
                let what = self.doubts.get(*doubt).map(|doubt| doubt.what.as_str()).unwrap_or_default();
                format!("`{name}` uses {what}, which this release does not know")
            }
        }
    }
}

enum Finding {
    Object(Address),
    Use(usize, Address),
    Change(SystemChange),
}

impl Finding {
    fn address(&self) -> Address {
        match self {
            Self::Object(address) | Self::Use(_, address) => *address,
            Self::Change(change) => change.address,
        }
    }

    fn part(&self) -> i32 {
        match self {
            Self::Object(_) | Self::Use(..) => 0,
            Self::Change(change) => change.part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Disposition;
    use super::super::system::Aspect;
    use super::*;

    fn doubt(what: &str) -> Doubt {
        Doubt { what: what.to_owned(), query: "SELECT 1, '{2}'".into(), is_new: true }
    }

    fn object(oid: u32) -> Address {
        Address { class: 1259, oid }
    }

    #[test]
    fn nothing_found_leaves_notes_and_no_error() {
        let mut verdict =
            Verdict::new(vec![], vec![], vec![doubt("the column `pg_a.b`")], vec!["one".into()]);
        assert!(verdict.follow_up().is_some_and(|query| query.contains("SELECT 0, q.*")));
        verdict.settle(&[], &|_| None);
        assert_eq!(verdict.naming(&[1259]), None);
        let note = "this release does not know the column `pg_a.b`; no object that is written uses it";
        assert_eq!(verdict.into_notes(), ["one", note]);
    }

    #[test]
    fn parts_of_what_is_left_over_are_not_named_beside_it() {
        let mut verdict = Verdict::new((1..=3).map(object).collect(), vec![], vec![], vec![]);
        assert!(verdict.parts().is_some_and(|query| query.contains("'{1,2,3}'")));
        let part = |oid: &str| -> Row { vec![Some("1259".into()), Some(oid.into())] };
        verdict.leave_parts_out(&[part("1"), part("2"), part("3")]);
        assert_eq!(verdict.objects.len(), 3);
        verdict.leave_parts_out(&[part("2"), part("3")]);
        assert_eq!(verdict.objects, [object(1)]);
        assert_eq!(verdict.parts(), None);
    }

    #[test]
    fn an_error_names_twenty_and_counts_the_rest() {
        let verdict = Verdict::new((1..=23).map(object).collect(), vec![], vec![], vec![]);
        assert!(
            verdict.naming(&[1259]).is_some_and(|query| query.contains(",20}'") && !query.contains("21"))
        );
        let error = verdict.error(&[vec![Some("2".into()), Some("table a.b".into())]]);
        assert_eq!(error.class, DbErrorClass::Unsupported);
        assert_eq!(
            error.message,
            "the structure would not be whole: 23 objects cannot be written as they are"
        );
        assert_eq!(error.notes[0], "`row 1 of the catalog 1259` cannot be written");
        assert_eq!(error.notes[1], "`table a.b` cannot be written");
        assert_eq!(error.notes[20], "and 3 more");
        assert!(error.notes[21].starts_with("help: "));
    }

    #[test]
    fn a_change_and_a_use_say_what_it_is_about() {
        let change = SystemChange { address: object(9), part: 2, aspect: Aspect::Comment };
        let mut verdict =
            Verdict::new(vec![], vec![change], vec![doubt("the letter `z` in `pg_a.b`")], vec![]);
        let row = |cells: &[&str]| -> Row { cells.iter().map(|text| Some((*text).to_owned())).collect() };
        verdict.settle(&[row(&["0", "1259", "{7}"])], &|_| Some(Disposition::Written));
        assert!(verdict.notes.is_empty());
        let error = verdict.error(&[row(&["1", "table a"]), row(&["2", "column b.c"])]);
        let uses = "`table a` uses the letter `z` in `pg_a.b`, which this release does not know";
        let changed = "a change of the comment of `column b.c` cannot be written";
        assert_eq!(error.notes[..2], [uses, changed]);
    }
}
