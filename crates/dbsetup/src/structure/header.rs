//! The top of a structure file below its first line: what the file leaves out or has besides, as data that the next
//! dump reads back, and the settings that its statements need. Pure.

use std::path::Path;

use crate::driver::{DumpRequest, Via};
use crate::error::{Error, Kind, Result, Site};
use crate::sql::Dialect;

const ONLY: &str = "-- only: ";
const EXCLUDED: &str = "-- excluded: ";
const WITH: &str = "-- with: ";
const VIA: &str = "-- via: ";
const WITHOUT_ROWS: &str = "-- without rows: ";

/// What has to be set for the statements of a PostgreSQL file to mean the same wherever they run. All of it is
/// constant, and known to every supported release.
///
/// Bodies speak of what comes later in the file; names are qualified and found nowhere else; strings, arrays, money and
/// XML are read as they were written; the file is UTF-8; tables are of the method that their statement does not name.
/// <https://www.postgresql.org/docs/current/runtime-config-client.html>
const POSTGRES: &str = "\
SET array_nulls = on;
SET check_function_bodies = false;
SET client_encoding = 'UTF8';
SET default_table_access_method = heap;
SET lc_monetary = 'C';
SET standard_conforming_strings = on;
SET xmloption = content;
SELECT pg_catalog.set_config('search_path', '', false);
";

/// Returns the statements that stand before all others.
pub(super) fn settings(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => POSTGRES,
        Dialect::Sqlite => "",
    }
}

/// Returns the filters of a request as the lines of a header, without `-- `: the same filters give the same lines
/// in whatever order they were named.
pub(super) fn filters(request: &DumpRequest) -> Vec<String> {
    let mut lines = Vec::new();
    let mut add = |start: &str, names: &[String]| {
        let mut names: Vec<&String> = names.iter().collect();
        names.sort();
        names.dedup();
        lines.extend(names.into_iter().map(|name| format!("{start}{name}")));
    };
    add("only: schema ", &request.schemas);
    add("excluded: schema ", &request.exclude_schemas);
    add("excluded: table ", &request.exclude_tables);
    add("excluded: extension ", &request.exclude_extensions);
    add("without rows: ", &request.without_rows);
    for (wanted, line) in [
        (request.owners, "with: owners"),
        (request.privileges, "with: privileges"),
        (request.via == Some(Via::PgDump), "via: pg_dump"),
    ] {
        if wanted {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Reads the filters back from a file's text; none where a file names none, or is not ours.
///
/// Other comments are nobody's data. A filter that this release does not know is not passed over: what it left out
/// would come back unasked.
///
/// # Errors
/// [`Kind::Unsupported`] at a line that says what this release does not know.
pub(super) fn read(text: &str, shown: &Path) -> Result<DumpRequest> {
    let mut request = DumpRequest::default();
    let text_without_mark = text.trim_start_matches('\u{feff}');
    if !text_without_mark.starts_with(super::format::HEADER) {
        return Ok(request);
    }
    let mut at = text.len() - text_without_mark.len();
    for line in text_without_mark.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        let is_conflict =
            ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|mark| line.starts_with(mark));
        if !line.starts_with("--") && !is_conflict {
            break;
        }
        if is_conflict || !take(&mut request, line) {
            return Err(Error::new(Kind::Unsupported, "a filter that this release does not know")
                .at(Site::in_text(shown, text, start..start + line.len()))
                .help(
                    "update cargo-dbsetup; or say what the file is to leave out: with flags, or `--no-filters`",
                ));
        }
    }
    Ok(request)
}

/// Reads back the tables whose rows are left out, whatever else the head says.
pub(super) fn without_rows(text: &str) -> Vec<String> {
    let head = text.trim_start_matches('\u{feff}').lines().map(str::trim_end);
    head.take_while(|line| line.starts_with("--"))
        .filter_map(|line| line.strip_prefix(WITHOUT_ROWS))
        .map(str::to_owned)
        .collect()
}

/// Takes a line of a header, and returns whether it was understood.
fn take(request: &mut DumpRequest, line: &str) -> bool {
    if let Some(what) = line.strip_prefix(ONLY) {
        return push(what, &mut [("schema ", &mut request.schemas)]);
    }
    if let Some(what) = line.strip_prefix(EXCLUDED) {
        let DumpRequest { exclude_schemas, exclude_tables, exclude_extensions, .. } = request;
        return push(
            what,
            &mut [
                ("schema ", exclude_schemas),
                ("table ", exclude_tables),
                ("extension ", exclude_extensions),
            ],
        );
    }
    if let Some(table) = line.strip_prefix(WITHOUT_ROWS) {
        request.without_rows.push(table.to_owned());
    } else if let Some(what) = line.strip_prefix(WITH) {
        match what {
            "owners" => request.owners = true,
            "privileges" => request.privileges = true,
            _ => return false,
        }
    } else if let Some(what) = line.strip_prefix(VIA) {
        match what {
            "pg_dump" => request.via = Some(Via::PgDump),
            _ => return false,
        }
    } else {
        // A slip of the pen in a filter is no comment.
        let word = line.strip_prefix("-- ").and_then(|line| line.split_once(':')).map(|(word, _)| word);
        return !word
            .is_some_and(|word| ["exc", "onl", "wit", "via"].iter().any(|start| word.starts_with(start)));
    }
    true
}

fn push(what: &str, lists: &mut [(&str, &mut Vec<String>)]) -> bool {
    for (noun, list) in lists {
        if let Some(name) = what.strip_prefix(*noun) {
            list.push(name.to_owned());
            return true;
        }
    }
    false
}

/// Refuses a filter that cannot stand in a line of the header.
///
/// # Errors
/// [`Kind::Configuration`] naming it.
pub(super) fn check(request: &DumpRequest) -> Result<()> {
    let DumpRequest { schemas, exclude_schemas, exclude_tables, exclude_extensions, without_rows, .. } =
        request;
    let names = schemas
        .iter()
        .chain(exclude_schemas)
        .chain(exclude_tables)
        .chain(exclude_extensions)
        .chain(without_rows);
    match names.clone().find(|name| name.is_empty() || name.contains(char::is_control)) {
        None => Ok(()),
        Some(name) => {
            let message = format!("a filter cannot be {name:?}");
            Err(Error::new(Kind::Configuration, message)
                .help("`*` stands for any text in a name, and `?` for any character"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn everything() -> DumpRequest {
        DumpRequest {
            via: Some(Via::PgDump),
            schemas: vec!["app".into(), "Two Words".into()],
            exclude_schemas: vec!["auth".into()],
            exclude_tables: vec!["app.tmp_*".into(), "a table of two: schema x".into()],
            exclude_extensions: vec!["postgis*".into()],
            owners: true,
            privileges: true,
            ledger: None,
            without_rows: vec!["app.audit: log".into(), "app.a".into()],
        }
    }

    fn file(request: &DumpRequest) -> String {
        let lines: Vec<String> = filters(request).iter().map(|line| format!("-- {line}\n")).collect();
        format!("{}1 (postgresql)\n{}\ncreate …", super::super::format::HEADER, lines.concat())
    }

    #[test]
    fn filters_are_read_back_as_they_were_given() {
        let mut sorted = everything();
        for list in [&mut sorted.schemas, &mut sorted.exclude_tables, &mut sorted.without_rows] {
            list.sort();
        }
        for text in [file(&everything()), file(&everything()).replace('\n', "\r\n")] {
            assert_eq!(read(&text, Path::new("s.sql")).unwrap(), sorted, "{text}");
        }
        assert_eq!(read(&file(&DumpRequest::default()), Path::new("s.sql")).unwrap(), DumpRequest::default());
    }

    #[test]
    fn the_order_of_flags_does_not_change_the_file() {
        let mut turned = everything();
        turned.schemas.reverse();
        turned.exclude_tables.reverse();
        turned.exclude_schemas.push("auth".into());
        assert_eq!(filters(&turned), filters(&everything()));
    }

    #[test]
    fn a_filter_of_a_newer_release_is_not_passed_over() {
        for line in [
            "-- excluded: sequence s",
            "-- only: table t",
            "-- with: statistics",
            "-- via: magic",
            "-- without row: a",
        ] {
            let text = format!("{}1 (postgresql)\n{line}\n\n", super::super::format::HEADER);
            let error = read(&text, Path::new("s.sql")).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported, "{line}");
            assert_eq!(error.site().map(|site| (site.at.line, site.excerpt.as_str())), Some((2, line)));
        }
    }

    #[test]
    fn a_remark_is_no_filter_and_neither_is_what_stands_below_the_header() {
        let head = format!("{}1 (postgresql)\n", super::super::format::HEADER);
        for text in [
            format!("{head}-- made by the build\n--\n"),
            format!("{head}\n-- excluded: schema auth\n"),
            "-- only: schema app\n".to_owned(),
        ] {
            assert_eq!(read(&text, Path::new("s.sql")).unwrap(), DumpRequest::default(), "{text}");
        }
    }

    #[test]
    fn a_filter_stays_on_its_line() {
        let mut request = everything();
        assert!(check(&request).is_ok());
        for name in ["", "a\n-- with: owners", "a\r"] {
            request.exclude_tables = vec![name.into()];
            assert_eq!(check(&request).unwrap_err().kind(), Kind::Configuration);
        }
    }
}
