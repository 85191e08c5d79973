//! The order in which rows load: those that are referred to before those that refer. Pure.

use std::collections::HashMap;

use crate::driver::{Cells, Reference, TableRows};
use crate::error::{Error, Kind, Result};

/// Brings tables and the rows of each into an order that loads. Returns whether foreign keys have to wait for the end of
/// the transaction all the same, because rows refer to each other in a circle.
///
/// # Errors
/// [`Kind::Refused`] when rows refer to rows that are not kept, or to columns that are left to their defaults;
/// [`Kind::Unsupported`] when a circle has to wait, and a foreign key of it cannot.
pub(super) fn arrange(tables: &mut Vec<TableRows>) -> Result<bool> {
    let mut links = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        for reference in &table.references {
            links.extend(link(tables, at, table, reference)?);
        }
    }
    let (places, mut deferred) = table_order(tables, &links)?;
    for (at, table) in tables.iter_mut().enumerate() {
        let own: Vec<&Link> = links.iter().filter(|link| link.from == at && link.to == at).collect();
        deferred |= arrange_rows(table, &own)?;
    }
    let mut all: Vec<Option<TableRows>> = std::mem::take(tables).into_iter().map(Some).collect();
    tables.extend(places.into_iter().filter_map(|at| all[at].take()));
    Ok(deferred)
}

/// A foreign key between tables that are kept, with rows that use it.
#[derive(Debug)]
struct Link {
    from: usize,
    to: usize,
    constraint: String,
    deferrable: bool,
    columns: Vec<usize>,
    to_columns: Vec<usize>,
}

fn link(tables: &[TableRows], at: usize, table: &TableRows, reference: &Reference) -> Result<Option<Link>> {
    let places = |table: &TableRows, names: &[String]| -> Option<Vec<usize>> {
        names.iter().map(|name| table.written.iter().position(|written| written == name)).collect()
    };
    // What is left to its default refers to nothing that is known here.
    let Some(columns) = places(table, &reference.columns) else { return Ok(None) };
    let refers = |row: usize| columns.iter().all(|column| table.cells.get(row, *column) != "NULL");
    if !(0..table.cells.len()).any(refers) {
        return Ok(None);
    }
    let (shown, parent) = (table.table.shown(), reference.to.shown());
    let Some(to) = tables.iter().position(|other| other.table == reference.to) else {
        let what = format!("rows of `{shown}` are kept that refer to rows of `{parent}`, which are not");
        return Err(Error::new(Kind::Refused, what)
            .note(format!("by {}", named(&reference.constraint)))
            .help(format!("keep those of `{parent}`, too (`keep-data`); or leave out those of `{shown}`")));
    };
    let Some(to_columns) = places(&tables[to], &reference.to_columns) else {
        let what =
            format!("rows of `{shown}` refer to columns of `{parent}` that are left to their defaults");
        return Err(Error::new(Kind::Refused, what)
            .note(format!("by {}: {}", named(&reference.constraint), reference.to_columns.join(", ")))
            .help("take them out of `except`, and have the migration insert constant values"));
    };
    let (constraint, deferrable) = (reference.constraint.clone(), reference.deferrable);
    Ok(Some(Link { from: at, to, constraint, deferrable, columns, to_columns }))
}

fn named(constraint: &str) -> String {
    if constraint.contains(' ') { constraint.to_owned() } else { format!("the foreign key `{constraint}`") }
}

/// The order of tables: the first by name of those whose parents are there.
fn table_order(tables: &[TableRows], links: &[Link]) -> Result<(Vec<usize>, bool)> {
    let mut left: Vec<usize> = (0..tables.len()).collect();
    left.sort_by(|a, b| tables[*a].table.cmp(&tables[*b].table));
    let (mut order, mut deferred) = (Vec::new(), false);
    while !left.is_empty() {
        let waits = |table: usize, left: &[usize], hard: bool| {
            links.iter().any(|link| {
                link.from == table
                    && link.to != table
                    && left.contains(&link.to)
                    && !(hard && link.deferrable)
            })
        };
        let next = left.iter().position(|table| !waits(*table, &left, false));
        let next = next.or_else(|| {
            deferred = true;
            left.iter().position(|table| !waits(*table, &left, true))
        });
        let Some(next) = next else { return Err(circle(tables, links, &left)) };
        order.push(left.remove(next));
    }
    Ok((order, deferred))
}

/// The error of tables that refer to each other in a circle.
fn circle(tables: &[TableRows], links: &[Link], left: &[usize]) -> Error {
    // Each of them waits for another one: whoever goes on comes around.
    let mut path: Vec<&Link> = Vec::new();
    let mut at = left[0];
    while let Some(link) = links
        .iter()
        .find(|link| link.from == at && link.to != at && left.contains(&link.to) && !link.deferrable)
    {
        if let Some(start) = path.iter().position(|other| other.from == at) {
            path.drain(..start);
            break;
        }
        path.push(link);
        at = link.to;
    }
    let names: Vec<String> =
        path.iter().map(|link| format!("`{}`", tables[link.from].table.shown())).collect();
    let constraints: Vec<String> = path.iter().map(|link| named(&link.constraint)).collect();
    not_deferrable(format!("kept rows of {} refer to each other in a circle", names.join(", ")), &constraints)
}

fn not_deferrable(what: String, constraints: &[String]) -> Error {
    Error::new(Kind::Unsupported, what)
        .note(format!("by {}", constraints.join(", ")))
        .help("make one of them DEFERRABLE in a migration (ALTER TABLE … ALTER CONSTRAINT … DEFERRABLE)")
}

/// Brings the rows of a table into an order in which each comes after those that it refers to, and is otherwise the one
/// that they had. Returns whether some have to wait.
fn arrange_rows(table: &mut TableRows, links: &[&Link]) -> Result<bool> {
    if links.is_empty() {
        return Ok(false);
    }
    let cells = &table.cells;
    let value = |row: usize, columns: &[usize]| -> Vec<&str> {
        columns.iter().map(|column| cells.get(row, *column)).collect()
    };
    let mut parents: Vec<Vec<(usize, usize)>> = vec![Vec::new(); cells.len()];
    for (number, link) in links.iter().enumerate() {
        let rows: HashMap<Vec<&str>, usize> =
            (0..cells.len()).map(|row| (value(row, &link.to_columns), row)).collect();
        for (row, parents) in parents.iter_mut().enumerate() {
            let wanted = value(row, &link.columns);
            if let Some(parent) =
                rows.get(&wanted).filter(|parent| **parent != row && !wanted.contains(&"NULL"))
            {
                parents.push((*parent, number));
            }
        }
    }
    let (order, broken) = row_order(&parents, |number| links[number].deferrable).map_err(|number| {
        let what = format!("kept rows of `{}` refer to each other in a circle", table.table.shown());
        not_deferrable(what, &[named(&links[number].constraint)])
    })?;
    if order.iter().enumerate().any(|(place, row)| place != *row) {
        let mut arranged = Cells::new(cells.width());
        for row in order {
            let pushed: Result<(), std::convert::Infallible> = arranged.push(|column, text| {
                text.push_str(cells.get(row, column));
                Ok(())
            });
            pushed.expect("copying cannot fail");
        }
        table.cells = arranged;
    }
    Ok(broken)
}

/// Where a row is on the way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Begun,
    Done,
}

/// Returns an order of rows, parents first, and whether a link was passed over.
///
/// # Errors
/// The number of a link of a circle that cannot wait.
fn row_order(
    parents: &[Vec<(usize, usize)>],
    can_wait: impl Fn(usize) -> bool,
) -> Result<(Vec<usize>, bool), usize> {
    let mut state = vec![State::New; parents.len()];
    let (mut order, mut broken) = (Vec::with_capacity(parents.len()), false);
    let mut stack: Vec<(usize, usize)> = Vec::new();
    for start in 0..parents.len() {
        if state[start] == State::New {
            state[start] = State::Begun;
            stack.push((start, 0));
        }
        while let Some((row, next)) = stack.pop() {
            let Some((parent, link)) = parents[row].get(next).copied() else {
                state[row] = State::Done;
                order.push(row);
                continue;
            };
            stack.push((row, next + 1));
            match state[parent] {
                State::Done => {}
                State::New => {
                    state[parent] = State::Begun;
                    stack.push((parent, 0));
                }
                State::Begun if can_wait(link) => broken = true,
                State::Begun => return Err(link),
            }
        }
    }
    Ok((order, broken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{RowColumn, TableName};

    fn name(name: &str) -> TableName {
        TableName { schema: Some("public".into()), name: name.into() }
    }

    /// A table of columns `id` and one for each reference.
    fn table(own: &str, references: &[(&str, bool)], rows: &[&[&str]]) -> TableRows {
        let written: Vec<String> = std::iter::once("id".to_owned())
            .chain((0..references.len()).map(|at| format!("r{at}")))
            .collect();
        let mut cells = Cells::new(written.len());
        for row in rows {
            cells
                .push(|column, text| {
                    text.push_str(row[column]);
                    Ok::<_, std::convert::Infallible>(())
                })
                .unwrap();
        }
        let column = |name: &String| RowColumn { name: name.clone(), generated: false, required: false };
        TableRows {
            table: name(own),
            columns: written.iter().map(column).collect(),
            key: vec![0],
            references: references
                .iter()
                .enumerate()
                .map(|(at, (to, deferrable))| Reference {
                    constraint: format!("{own}_{at}"),
                    columns: vec![format!("r{at}")],
                    to: name(to),
                    to_columns: vec!["id".into()],
                    deferrable: *deferrable,
                })
                .collect(),
            insert: String::new(),
            before: Vec::new(),
            after: Vec::new(),
            written,
            cells,
        }
    }

    fn names(tables: &[TableRows]) -> Vec<&str> {
        tables.iter().map(|table| &*table.table.name).collect()
    }

    #[test]
    fn parents_come_before_their_children_and_else_names_decide() {
        let mut tables = vec![
            table("z", &[], &[&["1"]]),
            table("a", &[("m", false)], &[&["1", "1"]]),
            table("m", &[("z", false)], &[&["1", "1"]]),
            table("b", &[], &[]),
        ];
        assert!(!arrange(&mut tables).unwrap());
        assert_eq!(names(&tables), ["b", "z", "m", "a"]);
    }

    #[test]
    fn a_circle_waits_where_it_can() {
        let circle = |deferrable| {
            vec![
                table("a", &[("b", false)], &[&["1", "1"]]),
                table("b", &[("a", deferrable)], &[&["1", "1"]]),
            ]
        };
        let mut tables = circle(true);
        assert!(arrange(&mut tables).unwrap());
        assert_eq!(names(&tables), ["b", "a"]);
        let error = arrange(&mut circle(false)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("`a_0`") && error.to_string().contains("`b_0`"), "{error}");
    }

    #[test]
    fn a_circle_that_no_row_uses_is_none() {
        let mut tables =
            vec![table("a", &[("b", false)], &[&["1", "NULL"]]), table("b", &[("a", false)], &[&["1", "1"]])];
        assert!(!arrange(&mut tables).unwrap());
        assert_eq!(names(&tables), ["a", "b"]);
    }

    #[test]
    fn rows_come_after_those_of_their_own_table_that_they_refer_to() {
        let rows: [&[&str]; 4] = [&["1", "3"], &["2", "NULL"], &["3", "4"], &["4", "4"]];
        let mut tables = vec![table("t", &[("t", false)], &rows)];
        assert!(!arrange(&mut tables).unwrap());
        let ids: Vec<&str> = (0..4).map(|row| tables[0].cells.get(row, 0)).collect();
        assert_eq!(ids, ["4", "3", "1", "2"]);
        let circle: [&[&str]; 2] = [&["1", "2"], &["2", "1"]];
        assert!(arrange(&mut vec![table("t", &[("t", true)], &circle)]).unwrap());
        assert!(arrange(&mut vec![table("t", &[("t", false)], &circle)]).is_err());
    }

    #[test]
    fn rows_do_not_refer_to_what_is_not_kept() {
        let error = arrange(&mut vec![table("a", &[("b", false)], &[&["1", "1"]])]).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(arrange(&mut vec![table("a", &[("b", false)], &[&["1", "NULL"]])]).is_ok());
        let mut parent = table("b", &[], &[&["1"]]);
        parent.written = vec!["other".into()];
        let error = arrange(&mut vec![table("a", &[("b", false)], &[&["1", "1"]]), parent]).unwrap_err();
        assert!(error.to_string().contains("defaults"), "{error}");
    }
}
