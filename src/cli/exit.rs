//! Exit codes, as `help` tells them.

pub use dbsetup_cli::exit::*;

/// What `cargo dbsetup help exit-codes` prints.
pub const TABLE: &str = "\
Exit codes of cargo dbsetup

    0  done, or nothing to do
    1  a step failed
    2  usage, configuration, pooler or grammar
    3  `check`, `status --check`, `dump --check`: pending, drift, stale or lint
    4  refused: a confirmation is missing, or the database is protected
    5  the database is older than the squash floor
    6  a lock, or a table lock within lock_timeout, was not obtained
    7  the server cannot be reached, or `wait` ran out
  101  cargo metadata failed
  130  interrupted by Ctrl-C (SIGINT)
  143  ended by SIGTERM

When several repos fail, the code is the first of 130, 143, 4, 6, 7, 5, 2, 1, 3 among theirs.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_table_that_help_prints() {
        for code in PRECEDENCE.into_iter().chain([OK]) {
            assert!(TABLE.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))), "{code}");
        }
    }
}
