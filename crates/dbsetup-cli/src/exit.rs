//! Exit codes: one table for every command.

use dbsetup::Kind;

/// Done, or nothing to do.
pub const OK: u8 = 0;
/// A step failed.
pub const FAILED: u8 = 1;
/// Usage, configuration, pooler or grammar.
pub const USAGE: u8 = 2;
/// A check found something.
pub const CHECK: u8 = 3;
/// A confirmation is missing, or the database is protected.
pub const REFUSED: u8 = 4;
/// The database is older than the squash floor.
pub const BELOW_FLOOR: u8 = 5;
/// A lock was not obtained.
pub const LOCKED: u8 = 6;
/// No server answers.
pub const UNREACHABLE: u8 = 7;
/// `cargo metadata` failed, with cargo's own code.
pub const CARGO: u8 = 101;
/// Ctrl-C.
pub const SIGINT: u8 = 130;
/// SIGTERM.
pub const SIGTERM: u8 = 143;

/// Of the codes of several repos, the first in this order is the run's.
pub const PRECEDENCE: [u8; 10] =
    [SIGINT, SIGTERM, CARGO, REFUSED, LOCKED, UNREACHABLE, BELOW_FLOOR, USAGE, FAILED, CHECK];

/// Returns the code of a failure.
pub fn code(kind: Kind) -> u8 {
    match kind {
        Kind::Configuration | Kind::Grammar | Kind::DuplicateVersion | Kind::Pooled => USAGE,
        Kind::Check => CHECK,
        Kind::Refused | Kind::WrongDatabase => REFUSED,
        Kind::BelowFloor => BELOW_FLOOR,
        Kind::Locked => LOCKED,
        Kind::Unreachable => UNREACHABLE,
        _ => FAILED,
    }
}

/// Returns the code of a run from the codes of its parts.
pub fn combined(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: &u8| PRECEDENCE.iter().position(|known| known == code).unwrap_or(PRECEDENCE.len());
    codes.into_iter().filter(|&code| code != OK).min_by_key(rank).unwrap_or(OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_code_of_several_repos_is_the_runs() {
        assert_eq!(combined([]), OK);
        assert_eq!(combined([0, 0]), OK);
        let grave_first = [130, 143, 4, 6, 7, 5, 2, 1, 3];
        for pair in grave_first.windows(2) {
            assert_eq!(combined([pair[1], 0, pair[0]]), pair[0]);
            assert_eq!(combined([pair[0], pair[1]]), pair[0]);
        }
    }

    #[test]
    fn a_pooler_is_a_configuration_and_a_broken_statement_is_not() {
        assert_eq!(code(Kind::Pooled), USAGE);
        assert_eq!(code(Kind::Statement), FAILED);
        assert_eq!(code(Kind::Refused), REFUSED);
    }
}
