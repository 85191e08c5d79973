//! dbmate's files: `-- migrate:up` and `-- migrate:down` sections in one file. Pure.

use std::path::Path;
use std::sync::Arc;

use super::script::Script;
use crate::error::{Error, Kind, Result, Site};

/// A line that opens a section.
struct Opening {
    /// Byte offset of the line.
    start: usize,
    /// Its length in bytes.
    length: usize,
    up: bool,
    transactional: bool,
}

/// Returns whether the text has dbmate's sections.
pub(super) fn present(text: &str) -> bool {
    openings(text).any(|opening| opening.up)
}

fn openings(text: &str) -> impl Iterator<Item = Opening> + '_ {
    let mut offset = 0;
    text.split_inclusive('\n').filter_map(move |raw| {
        let start = offset;
        offset += raw.len();
        let line = raw.trim_end();
        let word = line.trim_start_matches('\u{feff}').strip_prefix("--")?.trim_start();
        let (up, options) = match (word.strip_prefix("migrate:up"), word.strip_prefix("migrate:down")) {
            (Some(options), _) => (true, options),
            (_, Some(options)) => (false, options),
            _ => return None,
        };
        if !options.is_empty() && !options.starts_with([' ', '\t']) {
            return None;
        }
        let transactional = !options.split_whitespace().any(|option| option == "transaction:false");
        Some(Opening { start, length: line.len(), up, transactional })
    })
}

/// Reads the two sections. Each includes its own `-- migrate:` line, as dbmate sends it.
///
/// # Errors
/// [`Kind::Grammar`] when a section is missing or there are several pairs, or when statements stand before the first.
pub(super) fn read(path: &Path, text: &Arc<str>) -> Result<(Script, Script)> {
    let found: Vec<Opening> = openings(text).collect();
    let fail = |what: &str, at: &Opening, help: &str| {
        Error::new(Kind::Grammar, what.to_owned())
            .at(Site::in_text(path, text, at.start..at.start + at.length))
            .help(help.to_owned())
    };
    let [up, down] = &found[..] else {
        let at = found.get(2).unwrap_or(&found[0]);
        return Err(match found.len() {
            1 => fail("the file has one section", at, "add `-- migrate:down`, which may be empty"),
            _ => fail("the file has more than two sections", at, "split it: one migration a file"),
        });
    };
    if !up.up || down.up {
        return Err(fail(
            "`-- migrate:up` comes first, then `-- migrate:down`",
            &found[0],
            "put them in this order",
        ));
    }
    let before = text[..up.start].trim_start_matches('\u{feff}');
    if before.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--")) {
        return Err(fail("statements before `-- migrate:up` would never run", up, "move them below it"));
    }
    let script =
        |range, transactional| Script { path: path.into(), file: text.clone(), range, transactional };
    Ok((script(up.start..down.start, up.transactional), script(down.start..text.len(), down.transactional)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sections(text: &str) -> Result<(Script, Script)> {
        read(Path::new("1_a.sql"), &Arc::from(text))
    }

    #[test]
    fn a_file_has_an_up_and_a_down_section() {
        let (up, down) =
            sections("-- A note.\n\n-- migrate:up transaction:false\nvacuum;\n--migrate:down\nselect 1;\n")
                .unwrap();
        assert_eq!(up.sql(), "-- migrate:up transaction:false\nvacuum;\n");
        assert_eq!(down.sql(), "--migrate:down\nselect 1;\n");
        assert!(!up.transactional && down.transactional);
    }

    #[test]
    fn a_missing_section_several_pairs_and_lost_statements_are_refused() {
        assert!(sections("-- migrate:up\nselect 1;\n").is_err());
        let pair = "-- migrate:up\nselect 1;\n-- migrate:down\n";
        assert!(sections(&pair.repeat(2)).is_err());
        assert!(sections(&format!("select 0;\n{pair}")).is_err());
        assert!(sections("-- migrate:down\n-- migrate:up\n").is_err());
    }

    #[test]
    fn words_that_only_begin_alike_open_nothing() {
        assert!(!present("-- migrate:upwards\n"));
        assert!(present("--  migrate:up\n"));
    }
}
