//! Squawk's rules in our words: which of them are asked, what they are called here, and which of their answers a file's
//! own facts refute.

use std::ops::Range;

use squawk_linter::{Rule, Violation};
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{
    AlterColumnOption, AlterDomainAction, AlterTable, AlterTableAction, AlterTypeAction, AstNode, Constraint,
    Stmt, Type, normalize_name_node,
};

use super::Found;
use super::columns;
use super::facts::{Facts, dropped};
use super::name::{self, Name};

/// Returns the rules that are asked. Those of style are not, those of timeouts neither, as migrations run with a
/// `lock_timeout`; transactions are ours to judge, and so are columns that are added, but for their defaults.
pub(super) fn wanted() -> impl Iterator<Item = Rule> {
    [
        Rule::RequireConcurrentIndexCreation,
        Rule::RequireConcurrentIndexDeletion,
        Rule::RequireConcurrentReindex,
        Rule::RequireConcurrentPartitionDetach,
        Rule::ConstraintMissingNotValid,
        Rule::BanAlterDomainWithAddConstraint,
        Rule::AddingFieldWithDefault,
        Rule::AddingNotNullableField,
        Rule::ChangingColumnType,
        Rule::RenamingColumn,
        Rule::RenamingTable,
        Rule::RenamingObject,
        Rule::BanSetSchema,
        Rule::BanAlterIdentity,
        Rule::BanAlterRowLevelSecurity,
        Rule::BanDropTable,
        Rule::BanDropColumn,
        Rule::BanDropSchema,
        Rule::BanDropView,
        Rule::BanDropFunction,
        Rule::BanDropType,
        Rule::BanDropDomain,
        Rule::BanDropSequence,
        Rule::BanDropExtension,
        Rule::BanDropConstraint,
        Rule::BanDropDefault,
        Rule::BanDropGeneratedExpression,
        Rule::BanDropNotNull,
        Rule::BanDropDatabase,
    ]
    .into_iter()
}

/// Returns what a violation is in our words; nothing where it is none.
pub(super) fn translate(violation: &Violation, statement: &Stmt, facts: &Facts) -> Option<Found> {
    let range = Range::<usize>::from(violation.text_range);
    let told = |rule, message: String| Some(Found::new(rule, range.clone(), message));
    match violation.code {
        Rule::BanDropDatabase => return told("drop-database", "a database is dropped".into()),
        Rule::BanDropTable => {
            let kept = |name: &Name| facts.is_created(name) || facts.is_replaced(name);
            return told("drop-table", format!("{} dropped", shown(statement, kept)?));
        }
        Rule::BanDropSchema => {
            let kept = |name: &Name| facts.is_created(name);
            return told("drop-schema", format!("{} dropped", shown(statement, kept)?));
        }
        Rule::BanDropView
        | Rule::BanDropFunction
        | Rule::BanDropType
        | Rule::BanDropDomain
        | Rule::BanDropSequence
        | Rule::BanDropExtension => {
            let kept = |name: &Name| facts.is_created(name) || facts.is_made_again(name);
            return told("drop-object", format!("{} dropped", shown(statement, kept)?));
        }
        Rule::RequireConcurrentIndexDeletion => {
            let kept = |name: &Name| facts.is_created(name);
            let message = format!("{} dropped without `CONCURRENTLY`", shown(statement, kept)?);
            return told("blocking-drop-index", message);
        }
        Rule::RequireConcurrentIndexCreation => return index(statement, range, facts),
        Rule::RequireConcurrentReindex => {
            let name = Name::first(statement.syntax());
            if name.as_ref().is_some_and(|name| facts.is_created(name)) {
                return None;
            }
            return told("blocking-reindex", "an index is built anew without `CONCURRENTLY`".into());
        }
        _ => {}
    }
    // All others are about one object that is altered.
    let object = match statement {
        Stmt::AlterTable(alter) => Name::of(alter.table_relation_name()),
        _ => Name::first(statement.syntax()),
    };
    if object.as_ref().is_some_and(|object| facts.is_created(object)) {
        return None;
    }
    let object = object.unwrap_or_else(|| Name::new(None, noun(statement)));
    match statement {
        Stmt::AlterTable(alter) => {
            let action = covering(alter, &range)?;
            table(violation.code, &object, &action, range, facts)
        }
        _ => other(violation.code, &object, statement, range),
    }
}

/// Returns the action of a statement that a range is part of.
fn covering(alter: &AlterTable, range: &Range<usize>) -> Option<AlterTableAction> {
    alter.actions().find(|action| {
        let whole = Range::<usize>::from(action.syntax().text_range());
        whole.start <= range.start && range.end <= whole.end
    })
}

/// Says what happens to a table.
fn table(
    code: Rule,
    table: &Name,
    action: &AlterTableAction,
    range: Range<usize>,
    facts: &Facts,
) -> Option<Found> {
    let named = name::column(action.syntax());
    let column = named.as_deref().unwrap_or_default();
    let is_added = facts.is_added(table, column);
    let of = |what: &str| format!("column `{column}` of `{table}` {what}");
    let told = |rule, message: String| Some(Found::new(rule, range.clone(), message));
    match code {
        Rule::BanDropColumn if !is_added => told("drop-column", of("is dropped")),
        Rule::RenamingColumn if !is_added => told("rename-column", of("is renamed")),
        Rule::BanDropNotNull if !is_added => told("drop-not-null", of("may be NULL from now on")),
        Rule::BanDropDefault if !facts.is_added_optional(table, column) => {
            told("drop-default", of("loses its default"))
        }
        Rule::BanDropGeneratedExpression => told("drop-default", of("is no longer generated")),
        Rule::BanAlterIdentity if !is_added => told("alter-identity", of("gets its values in another way")),
        Rule::AddingNotNullableField => told("set-not-null", of("is checked for NULL at once")),
        Rule::ChangingColumnType if !is_added => {
            let AlterTableAction::AlterColumn(alter) = action else { return None };
            let Some(AlterColumnOption::SetType(set)) = alter.option() else { return None };
            let widens = set.using_expr().is_none() && set.ty().is_some_and(|ty| is_widest(&ty));
            told(if widens { "widen-column" } else { "column-type" }, of("gets another type"))
        }
        Rule::AddingFieldWithDefault => {
            let AlterTableAction::AddColumn(add) = action else { return None };
            columns::rewrites(add, &range).then(|| {
                Found::new(
                    "table-rewrite",
                    range.clone(),
                    of("is added with a value of its own in every row"),
                )
            })
        }
        Rule::RenamingTable if !facts.is_made_again(table) => {
            told("rename-table", format!("table `{table}` is renamed"))
        }
        Rule::BanSetSchema => told("set-schema", format!("table `{table}` moves to another schema")),
        Rule::BanAlterRowLevelSecurity => {
            told("row-level-security", format!("row level security of `{table}` changes"))
        }
        Rule::RequireConcurrentPartitionDetach => {
            told("blocking-detach", format!("a partition of `{table}` is detached without `CONCURRENTLY`"))
        }
        Rule::BanDropConstraint => match action {
            AlterTableAction::DropConstraint(drop) => {
                let constraint = Name::of(drop.constraint_name_ref())?.to_string();
                if facts.is_added_again(table, &constraint) {
                    return None;
                }
                told("drop-constraint", format!("constraint `{constraint}` of `{table}` is dropped"))
            }
            _ => told("drop-constraint", format!("a constraint of `{table}` is no longer enforced")),
        },
        Rule::ConstraintMissingNotValid => constraint(table, action, range),
        _ => None,
    }
}

fn constraint(table: &Name, action: &AlterTableAction, range: Range<usize>) -> Option<Found> {
    let AlterTableAction::AddConstraint(add) = action else {
        return Some(Found::new("validate-with-add", range, validated(table)));
    };
    let added = add.constraint()?;
    let name = added.constraint_name().map(|name| normalize_name_node(name.syntax()));
    let named = |noun: &str| match &name {
        Some(name) => format!("{noun} `{name}` of `{table}`"),
        None => format!("a {noun} of `{table}`"),
    };
    let (rule, what) = match added {
        Constraint::UniqueConstraint(_)
        | Constraint::PrimaryKeyConstraint(_)
        | Constraint::ExcludeConstraint(_) => {
            ("indexing-constraint", format!("{} builds its index", named("constraint")))
        }
        Constraint::ForeignKeyConstraint(_) | Constraint::ReferencesConstraint(_) => {
            ("validating-constraint", format!("{} is validated at once", named("foreign key")))
        }
        _ => ("validating-constraint", format!("{} is validated at once", named("constraint"))),
    };
    Some(Found::new(rule, range, what))
}

/// Says that a constraint is validated too early.
pub(super) fn validated(table: &Name) -> String {
    format!("a new constraint of `{table}` is validated in the transaction that adds it")
}

/// Says what happens to anything that is no table.
fn other(code: Rule, object: &Name, statement: &Stmt, range: Range<usize>) -> Option<Found> {
    let noun = noun(statement);
    let told = |rule, message: String| Some(Found::new(rule, range.clone(), message));
    match code {
        Rule::RenamingObject => match statement {
            // No query names these.
            Stmt::AlterIndex(_) | Stmt::AlterTrigger(_) | Stmt::AlterPolicy(_) | Stmt::AlterDatabase(_) => {
                None
            }
            Stmt::AlterDomain(it) if matches!(it.action(), Some(AlterDomainAction::RenameConstraint(_))) => {
                None
            }
            Stmt::AlterType(it) if matches!(it.action(), Some(AlterTypeAction::RenameValue(_))) => {
                told("rename-object", format!("a value of `{object}` is renamed"))
            }
            _ => told("rename-object", format!("{noun} `{object}` is renamed")),
        },
        Rule::RenamingColumn => told("rename-column", format!("a column of `{object}` is renamed")),
        Rule::BanDropColumn => told("drop-column", format!("a column of `{object}` is dropped")),
        Rule::ChangingColumnType => told("column-type", format!("a column of `{object}` gets another type")),
        Rule::BanSetSchema => told("set-schema", format!("{noun} `{object}` moves to another schema")),
        Rule::BanDropConstraint => told("drop-constraint", format!("a constraint of `{object}` is dropped")),
        Rule::BanDropDefault => told("drop-default", format!("{noun} `{object}` loses a default")),
        Rule::BanDropNotNull => told("drop-not-null", format!("{noun} `{object}` may be NULL from now on")),
        Rule::BanAlterDomainWithAddConstraint if !is_not_valid(statement) => {
            told("validating-constraint", format!("a constraint of {noun} `{object}` is validated at once"))
        }
        _ => None,
    }
}

fn is_not_valid(statement: &Stmt) -> bool {
    let Stmt::AlterDomain(alter) = statement else { return false };
    let Some(AlterDomainAction::AddConstraint(add)) = alter.action() else { return false };
    add.constraint().is_some_and(|constraint| constraint.is_not_valid())
}

fn index(statement: &Stmt, range: Range<usize>, facts: &Facts) -> Option<Found> {
    let Stmt::CreateIndex(create) = statement else { return None };
    let relation = create.table_relation_name()?;
    let table = Name::first(relation.syntax())?;
    // An index of the partitioned table alone is empty, and its parts are attached to it.
    if facts.is_created(&table) || relation.only_token().is_some() {
        return None;
    }
    Some(Found::new(
        "blocking-index",
        range,
        format!("an index of `{table}` is built without `CONCURRENTLY`"),
    ))
}

/// Returns what a `DROP` drops, but what is kept: ``table `a` is``; nothing where nothing is left.
fn shown(statement: &Stmt, kept: impl Fn(&Name) -> bool) -> Option<String> {
    let (names, noun) = (dropped(statement), noun(statement));
    let left: Vec<String> = names.iter().filter(|name| !kept(name)).map(|name| format!("`{name}`")).collect();
    match left.as_slice() {
        [] if names.is_empty() => Some(format!("{noun} is")),
        [] => None,
        [one] => Some(format!("{noun} {one} is")),
        several => Some(format!("{} are", several.join(", "))),
    }
}

/// Returns what kind of object a statement is about: its words behind the first.
fn noun(statement: &Stmt) -> String {
    let words: Vec<String> = keywords(statement.syntax()).skip(1).map(|word| word.to_lowercase()).collect();
    words.join(" ")
}

fn keywords(node: &SyntaxNode) -> impl Iterator<Item = String> {
    node.children_with_tokens()
        .filter(|element| !element.kind().is_trivia())
        .map_while(|element| element.into_token().map(|token| token.text().to_owned()))
        .filter(|word| word != ";" && !word.eq_ignore_ascii_case("concurrently"))
}

/// Tells whether a type holds whatever its likes with a limit hold, so that no row changes.
fn is_widest(ty: &Type) -> bool {
    match ty {
        Type::VarcharType(ty) => ty.arg_list().is_none(),
        Type::PathType(ty) => {
            let name = Name::of(ty.path_ref()).map(|name| name.to_string());
            ty.arg_list().is_none() && matches!(name.as_deref(), Some("text" | "varchar" | "numeric"))
        }
        _ => false,
    }
}
