//! The roles that have granted. The server writes down who granted a privilege, and takes nobody for it but the current
//! role (<https://www.postgresql.org/docs/current/sql-grant.html>): a structure file may take another role for one
//! `GRANT` or `REVOKE` on an object, and gives it back at once. In any other place a change of roles has no business
//! there, and nowhere if the repo names a role itself: giving back leads to the one that has connected.

use crate::error::Site;
use crate::sql::{self, Dialect};

/// How far a file is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// As far as whoever loads it: it may run anything that they may.
    Everything,
    /// It may take a role for a grant, and must not reach beyond the database.
    Grants,
    /// It must not reach beyond the database.
    Nothing,
}

impl Trust {
    /// How far a file goes in a repo with that role, unless it is trusted explicitly.
    pub(super) fn of(role: Option<&str>, explicitly: bool) -> Self {
        match role {
            _ if explicitly => Self::Everything,
            Some(_) => Self::Nothing,
            None => Self::Grants,
        }
    }
}

/// Where a file is between taking a role and giving it back.
#[derive(Debug, Default)]
pub(super) enum Grantor {
    /// Whoever loads the file, and it stays so.
    #[default]
    Fixed,
    /// Whoever loads the file.
    Own,
    /// Another role, which has granted nothing yet.
    Taken(Site),
    /// Another role, which has.
    Done(Site),
}

impl Grantor {
    pub(super) fn new(trust: Trust) -> Self {
        if trust == Trust::Grants { Self::Own } else { Self::Fixed }
    }

    /// Goes on to a statement at `site`. Returns whether it is a part of such a grant.
    ///
    /// # Errors
    /// Where a role was taken that is for no grant, or for more than one.
    pub(super) fn next(
        &mut self,
        dialect: Dialect,
        statement: &str,
        site: impl FnOnce() -> Site,
    ) -> Result<bool, Site> {
        if dialect != Dialect::Postgres || matches!(self, Self::Fixed) {
            return Ok(false);
        }
        let words = sql::statement_words(dialect, statement, 2);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (std::mem::replace(self, Self::Own), &words[..]) {
            (Self::Own, ["SET", "ROLE"]) => *self = Self::Taken(site()),
            (Self::Fixed | Self::Own, _) => return Ok(false),
            // Only privileges on objects: who is a member of which role is the server's.
            (Self::Taken(taken), ["GRANT" | "REVOKE", ..]) if mentions_on(dialect, statement) => {
                *self = Self::Done(taken);
            }
            (Self::Done(_), ["RESET", "ROLE"]) => {}
            (Self::Taken(taken) | Self::Done(taken), _) => return Err(taken),
        }
        Ok(true)
    }

    /// Ends the file, or comes to something that is no statement.
    ///
    /// # Errors
    /// As for [`Grantor::next`].
    pub(super) fn end(&mut self) -> Result<(), Site> {
        match std::mem::take(self) {
            own @ (Self::Fixed | Self::Own) => {
                *self = own;
                Ok(())
            }
            Self::Taken(taken) | Self::Done(taken) => Err(taken),
        }
    }
}

fn mentions_on(dialect: Dialect, statement: &str) -> bool {
    sql::tokens(dialect, statement).any(|token| token.text.eq_ignore_ascii_case("on"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Location;

    /// The first statement that is refused, by its number, and otherwise which ones are parts of grants by others.
    fn read(roles: Trust, statements: &[&str]) -> Result<Vec<bool>, u64> {
        let mut grantor = Grantor::new(roles);
        let mut parts = Vec::new();
        let number = |site: Site| site.at.line;
        for (line, statement) in (1..).zip(statements) {
            let at = Location { offset: 0, line, column: 1 };
            let site = || Site { path: "x".into(), at, excerpt: String::new(), width: 1 };
            parts.push(grantor.next(Dialect::Postgres, statement, site).map_err(number)?);
        }
        grantor.end().map_err(number).map(|()| parts)
    }

    #[test]
    fn a_role_may_be_taken_for_one_grant_on_an_object() {
        let file = ["create table t ()", "set role a", "grant select on t to b", "reset role", "select 1"];
        assert_eq!(read(Trust::Grants, &file), Ok(vec![false, true, true, true, false]));
        let twice = [
            "SET ROLE \"A\"",
            "REVOKE ALL ON t FROM b",
            "RESET ROLE",
            "SET ROLE b",
            "GRANT ALL ON t TO c",
            "RESET ROLE",
        ];
        assert_eq!(read(Trust::Grants, &twice), Ok(vec![true; 6]));
    }

    #[test]
    fn a_role_may_be_taken_for_nothing_else() {
        for file in [
            &["set role a", "create table t ()", "reset role"][..],
            &["set role a", "grant a to b", "reset role"],
            &["set role a", "reset role"],
            &["set role a", "grant select on t to b", "grant select on t to c", "reset role"],
            &["set role a", "grant select on t to b", "set role b"],
            &["set role a", "grant select on t to b"],
            &["set role a"],
        ] {
            assert_eq!(read(Trust::Grants, file), Err(1), "{file:?}");
        }
    }

    #[test]
    fn other_ways_to_another_role_are_not_looked_at_here() {
        let file = ["set session authorization a", "set \"role\" = a", "set local role a", "reset role"];
        assert_eq!(read(Trust::Grants, &file), Ok(vec![false; 4]));
    }

    #[test]
    fn no_role_is_taken_where_the_repo_names_one() {
        let file = ["set role a", "grant select on t to b", "reset role"];
        assert_eq!(read(Trust::of(Some("app"), false), &file), Ok(vec![false; 3]));
    }
}
