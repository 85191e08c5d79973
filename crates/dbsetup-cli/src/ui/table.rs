//! Tables of text in columns.

use std::fmt;

use super::text;

/// Rows under headings.
#[derive(Debug, Clone)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table without rows.
    pub fn new(headings: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { headings: headings.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Control characters are written out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| text::line(&cell).into_owned()).collect());
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table in Markdown.
    pub fn markdown(&self) -> String {
        let cell = |cell: &String| cell.replace('\\', "\\\\").replace('|', "\\|").replace('<', "&lt;");
        let line =
            |cells: &[String]| format!("| {} |\n", cells.iter().map(cell).collect::<Vec<_>>().join(" | "));
        let rule = format!("|{}\n", " --- |".repeat(self.headings.len()));
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        line(&self.headings) + &rule + &rows
    }
}

impl fmt::Display for Table {
    /// Writes the headings and rows, columns two blanks apart, nothing at the ends of lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at)).chain(self.headings.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        for row in std::iter::once(&self.headings).chain(&self.rows) {
            let mut line = String::from("  ");
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["repo", "state"]);
        table.row(["größer".into(), "up".into()]);
        table.row(["a\u{1b}".into(), String::new()]);
        assert_eq!(table.to_string(), "  repo     state\n  größer   up\n  a\\u{1b}\n");
    }

    #[test]
    fn markdown_cells_cannot_break_out() {
        let mut table = Table::new(["a"]);
        table.row(["x|y<b>".into()]);
        assert_eq!(table.markdown(), "| a |\n| --- |\n| x\\|y&lt;b> |\n");
    }
}
