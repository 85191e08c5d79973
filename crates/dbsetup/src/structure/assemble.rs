//! A structure file put together from its parts. Pure.

use super::{format, header};
use crate::driver::{DumpRequest, Structure};
use crate::sql::Dialect;

/// Puts a structure file together: the head, the structure, kept rows ([`super::rows::Kept::text`]) where nothing fires
/// for them, the ledger's rows.
pub(super) fn assemble(
    dialect: Dialect,
    request: &DumpRequest,
    structure: &Structure,
    rows: &str,
    ledger_rows: &str,
) -> String {
    let (before, behind) = structure.text.split_at(structure.rows_at.unwrap_or(structure.text.len()));
    let parts = [header::settings(dialect), before, rows, behind, ledger_rows];
    compose(&format::header(dialect), &header::filters(request), &parts)
}

/// Puts a file together: its first line, its filters, its parts with a blank line before each, its last line.
fn compose(header: &str, filters: &[String], parts: &[&str]) -> String {
    let mut text = format!("{header}\n");
    for filter in filters {
        text.push_str("-- ");
        text.push_str(filter);
        text.push('\n');
    }
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        text.push('\n');
        text.push_str(part);
        text.push('\n');
    }
    text.push('\n');
    text.push_str(format::TRAILER);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_header_a_body_rows_and_a_trailer() {
        let filters = ["only: schema app".to_owned(), "with: owners".to_owned()];
        let text =
            compose("-- h", &filters, &["set a;\n", "create table a (i int);\n", "insert 1;\ninsert 2;"]);
        assert_eq!(
            text,
            "-- h\n-- only: schema app\n-- with: owners\n\nset a;\n\ncreate table a (i int);\n\n\
             insert 1;\ninsert 2;\n\n-- dbsetup structure end\n"
        );
        assert_eq!(compose("-- h", &[], &["", "", ""]), "-- h\n\n-- dbsetup structure end\n");
    }

    #[test]
    fn rows_stand_where_nothing_fires_for_them() {
        let structure = Structure {
            text: "create table a (i);\n\ncreate trigger b;\n".into(),
            rows_at: Some(21),
            notes: Vec::new(),
        };
        let text = assemble(Dialect::Sqlite, &DumpRequest::default(), &structure, "insert 1;\n", "insert 2;");
        assert!(text.contains("(i);\n\ninsert 1;\n\ncreate trigger b;\n\ninsert 2;\n\n--"), "{text}");
        let without = assemble(Dialect::Sqlite, &DumpRequest::default(), &structure, "", "");
        assert!(without.contains(structure.text.trim()), "{without}");
    }
}
