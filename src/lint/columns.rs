//! Columns that are added to an existing table: what PostgreSQL has to read or write for them.
//!
//! What it does with each was seen in what its server says at `client_min_messages = debug1`.

use std::ops::Range;

use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{
    AddColumn, AlterTable, AlterTableAction, AstNode, CallExpr, Constraint, Expr, GeneratedAs, Literal, Type,
};

use super::Found;
use super::facts::Facts;
use super::name::Name;

/// Finds what the columns of an `ALTER TABLE` cost.
pub(super) fn added(alter: &AlterTable, facts: &Facts) -> Vec<Found> {
    let Some(table) = Name::of(alter.table_relation_name()) else { return Vec::new() };
    if facts.is_created(&table) {
        return Vec::new();
    }
    let columns = alter.actions().filter_map(|action| match action {
        AlterTableAction::AddColumn(add) => Some(add),
        _ => None,
    });
    columns.flat_map(|add| column(&table, &add)).collect()
}

fn column(table: &Name, add: &AddColumn) -> Vec<Found> {
    let Some(name) = add.column_name() else { return Vec::new() };
    let of = |what: &str| format!("column `{}` of `{table}` {what}", name.text());
    let serial = add.ty().is_some_and(|ty| is_serial(&ty));
    let default = add.constraints().find_map(|constraint| match constraint {
        Constraint::DefaultConstraint(default) => default.expr(),
        _ => None,
    });
    let valued = default.as_ref().is_some_and(|default| !is_null(default));
    let generated =
        add.constraints().any(|constraint| matches!(constraint, Constraint::GeneratedConstraint(_)));
    let mut found = Vec::new();
    if serial {
        found.push(Found::new("table-rewrite", place(add.syntax()), of("is numbered in every row")));
    }
    for constraint in add.constraints() {
        let at = place(constraint.syntax());
        match constraint {
            Constraint::NotNullConstraint(_) if !valued && !serial && !generated => {
                found.push(Found::new("required-column", place(add.syntax()), of("has to be given a value")));
            }
            Constraint::UniqueConstraint(_) | Constraint::PrimaryKeyConstraint(_) => {
                found.push(Found::new("indexing-constraint", at, of("builds an index")));
            }
            // Rows that hold NULL refer to nothing, so only a value has to be looked up.
            Constraint::ReferencesConstraint(_) if valued || serial || generated => {
                found.push(Found::new("validating-constraint", at, of("is looked up in every row")).help(
                    "add the column first, and the foreign key with `NOT VALID` in the next statement",
                ));
            }
            Constraint::CheckConstraint(_) => {
                found.push(
                    Found::new("validating-constraint", at, of("is checked in every row"))
                        .help("add the column first, and the check with `NOT VALID` in the next statement"),
                );
            }
            _ => {}
        }
    }
    found
}

/// Returns the bytes of a node without the blanks before it.
pub(super) fn place(node: &SyntaxNode) -> Range<usize> {
    let whole = Range::<usize>::from(node.text_range());
    let first = node.children_with_tokens().find(|element| !element.kind().is_trivia());
    let start = first.map_or(whole.start, |element| element.text_range().start().into());
    start..whole.end
}

/// Tells whether what squawk takes for a rewrite is one: it knows the plainest expressions alone.
pub(super) fn rewrites(add: &AddColumn, range: &Range<usize>) -> bool {
    add.constraints()
        .find(|constraint| {
            let whole = Range::<usize>::from(constraint.syntax().text_range());
            whole.start <= range.start && range.end <= whole.end
        })
        .is_some_and(|constraint| match constraint {
            Constraint::DefaultConstraint(default) => default.expr().is_some_and(|expr| !is_stable(&expr)),
            Constraint::GeneratedConstraint(generated) => match generated.generated_as() {
                Some(GeneratedAs::GeneratedStored(stored)) => {
                    let kind = stored.generated_kind().map(|kind| kind.syntax().text().to_string());
                    !kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("virtual"))
                }
                _ => true,
            },
            _ => true,
        })
}

fn is_serial(ty: &Type) -> bool {
    let Type::PathType(ty) = ty else { return false };
    let serials = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
    Name::of(ty.path_ref()).is_some_and(|name| serials.contains(&name.to_string().as_str()))
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(literal) if is_null_literal(literal))
}

fn is_null_literal(literal: &Literal) -> bool {
    literal.syntax().text().to_string().trim().eq_ignore_ascii_case("null")
}

/// Functions that give one value for a whole statement, of those that defaults call by name. Those of users are volatile
/// unless they say otherwise.
const STABLE: &[&str] = &[
    "array_fill",
    "array_length",
    "btrim",
    "cardinality",
    "char_length",
    "chr",
    "coalesce",
    "concat",
    "current_database",
    "current_schema",
    "current_setting",
    "date_part",
    "date_trunc",
    "daterange",
    "decode",
    "encode",
    "format",
    "greatest",
    "hstore",
    "int4range",
    "int8range",
    "json_build_array",
    "json_build_object",
    "json_object",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_object",
    "least",
    "left",
    "length",
    "lower",
    "lpad",
    "make_date",
    "make_interval",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "md5",
    "now",
    "nullif",
    "numrange",
    "point",
    "repeat",
    "replace",
    "round",
    "statement_timestamp",
    "timezone",
    "to_char",
    "to_json",
    "to_jsonb",
    "to_timestamp",
    "transaction_timestamp",
    "tsrange",
    "tstzrange",
    "upper",
];

/// Tells whether a default is one value for all rows that are there: it calls nothing that gives each its own.
fn is_stable(expr: &Expr) -> bool {
    expr.syntax().descendants().filter_map(CallExpr::cast).all(|call| match call.expr() {
        Some(Expr::NameRef(name)) => STABLE.contains(&name.text().as_str()),
        Some(Expr::FieldExpr(field)) => {
            let base = field.base().map(|base| base.syntax().text().to_string().to_lowercase());
            let name = field.field().map(|name| name.text());
            base.as_deref() == Some("pg_catalog") && name.is_some_and(|name| STABLE.contains(&name.as_str()))
        }
        Some(_) => false,
        // Those with a grammar of their own, like EXTRACT.
        None => true,
    })
}
