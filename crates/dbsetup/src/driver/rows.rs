//! Rows that belong to a structure: what is asked of a database, and what it answers.

/// A table, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Its schema; `None` where the engine has no schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
}

impl TableName {
    /// The name as a person writes it: `public.users`, `users`.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A table that users made, and how many rows it holds. A partitioned table holds those of its partitions, which are not
/// listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilledTable {
    /// Its schema; `None` where the engine has no schemas.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// How many; none is an answer, too.
    pub rows: u64,
}

impl FilledTable {
    /// Its name.
    pub fn table(&self) -> TableName {
        TableName { schema: self.schema.clone(), name: self.name.clone() }
    }
}

/// A table whose rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepTable {
    /// The table.
    pub table: TableName,
    /// Columns that are left to their defaults. A name that no column has changes nothing.
    pub except: Vec<String>,
}

/// What is read of the tables of a structure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsRequest {
    /// Tables whose rows are kept.
    pub kept: Vec<KeepTable>,
    /// Tables that hold rows, and that begin anew without them: so do their sequences.
    pub dropped: Vec<TableName>,
}

/// A column of a table whose rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowColumn {
    /// Its name.
    pub name: String,
    /// Whether the engine computes it from others.
    pub generated: bool,
    /// Whether a row must have a value, and there is no default.
    pub required: bool,
}

/// A foreign key of a table whose rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its name, or what stands for one.
    pub constraint: String,
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table that is referred to; of a partition the partitioned table.
    pub to: TableName,
    /// The columns that are referred to.
    pub to_columns: Vec<String>,
    /// Whether it can wait for the end of a transaction.
    pub deferrable: bool,
}

/// The rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableRows {
    /// The table.
    pub table: TableName,
    /// All of its columns, in its order.
    pub columns: Vec<RowColumn>,
    /// The columns of [`TableRows::cells`], in the table's order: all but generated ones, and those that are left to
    /// their defaults.
    pub written: Vec<String>,
    /// The columns among [`TableRows::written`] that tell rows apart; none is all of them.
    pub key: Vec<usize>,
    /// Its foreign keys.
    pub references: Vec<Reference>,
    /// What stands before the values of a row: `INSERT INTO "public"."users" ("id") VALUES `. Without columns it is the
    /// whole statement.
    pub insert: String,
    /// Statements that keep what users attached to the table from doing anything while its rows are put in.
    pub before: Vec<String>,
    /// Statements that bring that back as it was.
    pub after: Vec<String>,
    /// The rows, in an order that is the same wherever they are read.
    pub cells: Cells,
}

/// Where a sequence stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequencePosition {
    /// Its name, as a person writes it.
    pub sequence: String,
    /// The statement that brings a sequence there, without a `;`.
    pub statement: String,
}

/// The rows of the tables of a structure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// Those of each table, in the order of the request.
    pub tables: Vec<TableRows>,
    /// Sequences that do not stand at their beginning, but those of dropped tables. By name.
    pub sequences: Vec<SequencePosition>,
}

/// The values of rows as they stand in SQL, put into one text: there may be many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells {
    width: usize,
    rows: usize,
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    /// Rows of so many columns; none yet.
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Adds a row: `write` appends the value of each column to the text that it is given.
    pub fn push<E>(&mut self, mut write: impl FnMut(usize, &mut String) -> Result<(), E>) -> Result<(), E> {
        for column in 0..self.width {
            write(column, &mut self.text)?;
            self.ends.push(self.text.len());
        }
        self.rows += 1;
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// How many columns each row has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// A value as it stands in SQL.
    pub fn get(&self, row: usize, column: usize) -> &str {
        assert!(column < self.width, "there is no column {column}");
        let at = row * self.width + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start..self.ends[at]]
    }

    /// The values of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.width).map(move |column| self.get(row, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_given_back_as_they_were_put_in() {
        let mut cells = Cells::new(2);
        let rows = [["1", "'a'"], ["", "NULL"], ["2", ""]];
        for row in rows {
            cells
                .push(|column, text| {
                    text.push_str(row[column]);
                    Ok::<_, std::convert::Infallible>(())
                })
                .expect("it cannot fail");
        }
        assert_eq!(cells.len(), 3);
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(cells.row(at).collect::<Vec<_>>(), row);
        }
        let mut none = Cells::new(0);
        none.push(|_, _| Err("no column")).expect("nothing is written");
        assert_eq!((none.len(), none.row(0).count()), (1, 0));
    }
}
