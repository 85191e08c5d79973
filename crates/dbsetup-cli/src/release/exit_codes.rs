//! What `help exit-codes` prints.

/// The table.
pub const TABLE: &str = "\
Exit codes

    0  done, or nothing to do
    1  a step failed
    2  usage, configuration, pooler or grammar
    3  `doctor`, `status --check`: something is pending or not as it should be
    4  refused: a confirmation is missing, or the database is protected
    5  the database is older than the squash floor
    6  a lock, or a table lock within lock_timeout, was not obtained
    7  the server cannot be reached, or `wait` ran out
  130  interrupted by Ctrl-C (SIGINT)
  143  ended by SIGTERM

When several repos fail, the code is the first of 130, 143, 4, 6, 7, 5, 2, 1, 3 among theirs.
";

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::exit::{CARGO, OK, PRECEDENCE};

    #[test]
    fn every_code_that_a_release_can_end_with_stands_in_the_table() {
        for code in PRECEDENCE.into_iter().chain([OK]).filter(|code| *code != CARGO) {
            assert!(TABLE.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))), "{code}");
        }
    }
}
