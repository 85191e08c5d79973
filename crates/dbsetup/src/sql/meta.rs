//! Lines for a client program: PostgreSQL's backslash commands and the dot commands of the SQLite shell.
//!
//! None is ever obeyed. Newer versions of `pg_dump` frame their output with `\restrict KEY` and `\unrestrict KEY`, which
//! only tell psql to obey none either; these two are accepted. Source: PostgreSQL documentation, psql, `\restrict`.

/// A line that a client program would take for itself and that is safe to pass over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetaLine {
    /// `\restrict KEY`.
    Restrict { key: String },
    /// `\unrestrict KEY`.
    Unrestrict { key: String },
}

impl MetaLine {
    /// Reads a line, without its line end, that begins with a backslash.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (command, key) = (words.next()?, words.next()?);
        if words.next().is_some() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        let key = key.to_owned();
        match command {
            "\\restrict" => Some(Self::Restrict { key }),
            "\\unrestrict" => Some(Self::Unrestrict { key }),
            _ => None,
        }
    }
}

/// Returns the name of a client command: its first byte, and the letters behind it or one other printable character.
pub(super) fn command_name(line: &str) -> &str {
    let body = &line[1..];
    let letters = body.bytes().take_while(|byte| byte.is_ascii_alphabetic() || *byte == b'_').count();
    let len = match body.chars().next() {
        Some(first) if letters == 0 && !first.is_control() && !first.is_whitespace() => first.len_utf8(),
        _ => letters.min(MAX_NAME),
    };
    &line[..=len]
}

const MAX_NAME: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restrict_lines_need_one_alphanumeric_key() {
        let key = || "a1B2".to_owned();
        assert_eq!(MetaLine::parse("\\restrict a1B2 "), Some(MetaLine::Restrict { key: key() }));
        assert_eq!(MetaLine::parse("\\unrestrict a1B2"), Some(MetaLine::Unrestrict { key: key() }));
        for line in [
            "\\restrict",
            "\\restrict a b",
            "\\restrict `id`",
            "\\restrict a;b",
            "\\RESTRICT a",
            "\\connect a",
        ] {
            assert_eq!(MetaLine::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_name_of_a_command_holds_no_arguments_and_no_control_characters() {
        assert_eq!(command_name("\\connect core_dev"), "\\connect");
        assert_eq!(command_name("\\!rm -rf"), "\\!");
        assert_eq!(command_name("\\\x1b[31m"), "\\");
        assert_eq!(command_name("\\é"), "\\é");
        assert_eq!(command_name("\\"), "\\");
        assert_eq!(command_name(".read x.sql"), ".read");
    }
}
