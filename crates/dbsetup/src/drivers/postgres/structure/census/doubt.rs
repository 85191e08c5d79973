//! What a server has and this release does not know, and the objects that it matters to.

use super::rows::HIDDEN;
use super::{Account, Address, Disposition};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;

/// Something unknown. It stops a dump when an object that is written uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// In words: "the column `pg_class.relnew`".
    pub what: String,
    /// The query for the objects that use it: (class, array of identifiers), behind [`HIDDEN`].
    pub query: String,
    /// Whether a note tells of it when no object uses it.
    pub is_new: bool,
}

/// Returns the one query that settles all doubts; [`read`] takes its rows.
pub fn query(doubts: &[Doubt]) -> String {
    let parts: Vec<String> = doubts
        .iter()
        .enumerate()
        .map(|(index, doubt)| format!("SELECT {index}, q.* FROM ({}) q", doubt.query))
        .collect();
    format!("{HIDDEN}{}", parts.join(" UNION ALL "))
}

/// Reads the rows of [`query`]: the objects that use what is in doubt, with the index of the doubt. What is not
/// written anyway does not matter.
pub fn read(rows: &[Row], disposition: &Account<'_>) -> Vec<(usize, Address)> {
    let mut found = Vec::new();
    for row in rows {
        let (Ok(index), Ok(class)) = (cell(row, 0).parse(), cell(row, 1).parse()) else { continue };
        for oid in oids(&cell(row, 2)) {
            let address = Address { class, oid };
            if !matches!(disposition(address), Some(Disposition::Member | Disposition::Excluded)) {
                found.push((index, address));
            }
        }
    }
    found.sort_unstable();
    found
}

/// Reads an array of identifiers: `{16384,16385}`.
pub fn oids(text: &str) -> impl Iterator<Item = u32> {
    text.trim_matches(['{', '}']).split(',').filter_map(|oid| oid.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_what_was_excluded_settle_a_doubt() {
        let row = |index: &str, class: &str, oids: &str| -> Row {
            [index, class, oids].map(|text| Some(text.to_owned())).into()
        };
        let disposition = |address: Address| match address.oid {
            1 => Some(Disposition::Written),
            2 => Some(Disposition::Member),
            3 => Some(Disposition::Excluded),
            4 => Some(Disposition::Part),
            _ => None,
        };
        let found = read(&[row("1", "1259", "{1,2,3}"), row("0", "1255", "{5,4}")], &disposition);
        let at = |class, oid| Address { class, oid };
        assert_eq!(found, [(0, at(1255, 4)), (0, at(1255, 5)), (1, at(1259, 1))]);
    }
}
