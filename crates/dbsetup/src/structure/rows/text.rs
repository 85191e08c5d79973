//! Kept rows as the statements of a structure file: a row a line, so that two branches that add rows merge. Pure.

use crate::driver::Rows;
use crate::sql::Dialect;

/// Returns the statements. `deferred` says that foreign keys have to wait for the end of the transaction.
pub(super) fn write(dialect: Dialect, rows: &Rows, deferred: bool) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut part = |lines: Vec<String>| {
        if !lines.is_empty() {
            parts.push(lines.join("\n"));
        }
    };
    let closed = |statement: &String| format!("{statement};");
    let filled = || rows.tables.iter().filter(|table| !table.cells.is_empty());
    let before: Vec<String> = filled().flat_map(|table| &table.before).map(closed).collect();
    let after: Vec<String> = filled().flat_map(|table| &table.after).map(closed).collect();
    let waits = dialect == Dialect::Postgres;
    // A server changes no table that checks are still to be done on.
    let settles = waits && (deferred || !after.is_empty());
    part(before);
    if waits && deferred {
        part(vec!["SET CONSTRAINTS ALL DEFERRED;".to_owned()]);
    }
    for table in filled() {
        let lines = (0..table.cells.len()).map(|row| {
            let mut line = table.insert.clone();
            if table.cells.width() > 0 {
                line.push('(');
                for (at, value) in table.cells.row(row).enumerate() {
                    line.push_str(if at == 0 { "" } else { ", " });
                    line.push_str(value);
                }
                line.push(')');
            }
            line.push(';');
            line
        });
        part(lines.collect());
    }
    if settles {
        part(vec!["SET CONSTRAINTS ALL IMMEDIATE;".to_owned()]);
    }
    part(rows.sequences.iter().map(|sequence| closed(&sequence.statement)).collect());
    part(after);
    let mut text = parts.join("\n\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{Cells, SequencePosition, TableName, TableRows};

    fn table(insert: &str, width: usize, rows: usize) -> TableRows {
        let mut cells = Cells::new(width);
        for row in 0..rows {
            cells
                .push(|column, text| {
                    text.push_str(&format!("{row}{column}"));
                    Ok::<_, std::convert::Infallible>(())
                })
                .unwrap();
        }
        TableRows {
            table: TableName::default(),
            columns: Vec::new(),
            written: Vec::new(),
            key: Vec::new(),
            references: Vec::new(),
            insert: insert.into(),
            before: vec![format!("off {insert}").trim().to_owned()],
            after: vec![format!("on {insert}").trim().to_owned()],
            cells,
        }
    }

    #[test]
    fn rows_stand_a_line_each_between_what_frames_them() {
        let rows = Rows {
            tables: vec![table("a ", 2, 2), table("nothing", 1, 0), table("none", 0, 1)],
            sequences: vec![SequencePosition { sequence: "s".into(), statement: "set s".into() }],
        };
        let text = write(Dialect::Postgres, &rows, true);
        assert_eq!(
            text,
            "off a;\noff none;\n\nSET CONSTRAINTS ALL DEFERRED;\n\na (00, 01);\na (10, 11);\n\nnone;\n\n\
             SET CONSTRAINTS ALL IMMEDIATE;\n\nset s;\n\non a;\non none;\n"
        );
        assert_eq!(write(Dialect::Postgres, &Rows::default(), false), "");
    }
}
