//! What squawk does not look for: changes of rows, locks by hand, rewrites of whole tables, several tables at once.

use std::ops::Range;

use dbsetup::sql::{Dialect, Token, TokenKind, tokens};
use squawk_syntax::SyntaxNode;
use squawk_syntax::ast::{
    AlterDomainAction, AlterTableAction, AstNode, Delete, FromClause, Insert, LockMode, Merge,
    RelationFromItem, SelectVariant, Stmt, Table, Update, WhereClause, WithTable, normalize_name_node,
};

use super::Found;
use super::columns::{self, place};
use super::facts::{Facts, dropped};
use super::name::Name;
use super::squawk;

/// Looks at one statement.
pub(super) fn statement(statement: &Stmt, facts: &Facts) -> Vec<Found> {
    let whole = || place(statement.syntax());
    let existing = |name: &Option<Name>| name.as_ref().is_none_or(|name| !facts.is_created(name));
    let rewrite = |name: Option<Name>, what: &str| {
        let table = name.as_ref().map_or_else(|| "every table".to_owned(), |name| format!("`{name}`"));
        existing(&name).then(|| Found::new("table-rewrite", whole(), format!("{what} writes {table} anew")))
    };
    match statement {
        Stmt::AlterTable(alter) => {
            let mut found = columns::added(alter, facts);
            let table = Name::of(alter.table_relation_name());
            found.extend(alter.actions().filter_map(|action| {
                let what = match &action {
                    AlterTableAction::ValidateConstraint(validate) => {
                        let name = Name::of(validate.constraint_name_ref())?.to_string();
                        let table = table.as_ref().filter(|table| facts.is_added_not_valid(table, &name))?;
                        let at = place(action.syntax());
                        return Some(Found::new("validate-with-add", at, squawk::validated(table)));
                    }
                    AlterTableAction::SetLogged(_) => "`SET LOGGED`",
                    AlterTableAction::SetUnlogged(_) => "`SET UNLOGGED`",
                    AlterTableAction::SetTablespace(_) => "`SET TABLESPACE`",
                    AlterTableAction::SetAccessMethod(_) => "`SET ACCESS METHOD`",
                    _ => return None,
                };
                rewrite(table.clone(), what)
            }));
            found
        }
        Stmt::Vacuum(vacuum) if vacuum.is_full() => {
            rewrite(Name::of(vacuum.table_and_columns_list()), "`VACUUM FULL`").into_iter().collect()
        }
        Stmt::Cluster(_) => rewrite(Name::first(statement.syntax()), "`CLUSTER`").into_iter().collect(),
        Stmt::Refresh(refresh) if refresh.concurrently_token().is_none() => {
            let view = Name::of(refresh.view_ref());
            let shown = view.as_ref().map(Name::to_string).unwrap_or_default();
            let message = format!("`{shown}` is filled without `CONCURRENTLY`");
            existing(&view).then(|| Found::new("blocking-refresh", whole(), message)).into_iter().collect()
        }
        Stmt::AlterDomain(alter) => {
            let domain = Name::first(statement.syntax()).filter(|domain| !facts.is_created(domain));
            let (Some(domain), Some(AlterDomainAction::SetNotNull(set))) = (domain, alter.action()) else {
                return Vec::new();
            };
            let message = format!("domain `{domain}` is checked for NULL at once in every table");
            vec![Found::new("set-not-null", place(set.syntax()), message)]
        }
        Stmt::Do(_) => {
            vec![Found::new("do-block", whole(), "what this `DO` block does is not looked at")]
        }
        Stmt::Truncate(_) => {
            let left = left(truncated(statement), facts);
            let message = format!("`TRUNCATE` empties {left}");
            (!left.is_empty()).then(|| Found::new("truncate", whole(), message)).into_iter().collect()
        }
        Stmt::Lock(lock) => {
            let mode = lock.lock_mode_clause().and_then(|clause| clause.lock_mode());
            let weak = matches!(
                mode,
                Some(
                    LockMode::AccessShare(_)
                        | LockMode::RowShare(_)
                        | LockMode::RowExclusive(_)
                        | LockMode::ShareUpdateExclusive(_)
                )
            );
            let left = left(locked(statement), facts);
            let message = format!("`LOCK TABLE` keeps writers from {left}");
            (!weak && !left.is_empty())
                .then(|| Found::new("lock-table", whole(), message))
                .into_iter()
                .collect()
        }
        Stmt::Update(_)
        | Stmt::Delete(_)
        | Stmt::Insert(_)
        | Stmt::Merge(_)
        | Stmt::Select(_)
        | Stmt::SelectInto(_)
        | Stmt::CompoundSelect(_)
        | Stmt::ParenSelect(_)
        | Stmt::CreateTableAs(_) => changes(statement, facts),
        _ => Vec::new(),
    }
}

/// Finds changes of rows, also those in a `WITH`.
fn changes(statement: &Stmt, facts: &Facts) -> Vec<Found> {
    let change = |node: SyntaxNode| {
        let (verb, table) = if let Some(update) = Update::cast(node.clone()) {
            ("`UPDATE`", Name::of(update.relation_name()))
        } else if let Some(delete) = Delete::cast(node.clone()) {
            ("`DELETE`", Name::of(delete.relation_name()))
        } else if let Some(merge) = Merge::cast(node.clone()) {
            ("`MERGE`", Name::of(merge.table_relation_name()))
        } else {
            let insert = Insert::cast(node.clone())?;
            if !selects(&insert) {
                return None;
            }
            ("`INSERT … SELECT`", Name::of(insert.relation_name_ref()))
        };
        let table = table.filter(|table| !facts.is_created(table))?;
        Some(Found::new("data-change", place(&node), format!("{verb} changes rows of `{table}`")))
    };
    statement.syntax().descendants().filter_map(change).collect()
}

/// Tells whether an insert reads its rows from a table, and not from the file or a function.
fn selects(insert: &Insert) -> bool {
    let Some(source) = insert.syntax().children().find_map(SelectVariant::cast) else { return false };
    let named: Vec<WithTable> =
        insert.with_clause().into_iter().flat_map(|with| with.with_tables()).collect();
    reads(source.syntax(), &named)
}

/// Tells whether a query reads from a table, or from a query of its `WITH` that does. What it only compares with does
/// not count.
fn reads(query: &SyntaxNode, named: &[WithTable]) -> bool {
    if Table::can_cast(query.kind()) {
        return true;
    }
    let relations = query
        .descendants()
        .filter(|node| FromClause::can_cast(node.kind()))
        .filter(|from| {
            !from.ancestors().take_while(|node| node != query).any(|node| WhereClause::can_cast(node.kind()))
        })
        .flat_map(|from| from.descendants().filter_map(RelationFromItem::cast).collect::<Vec<_>>());
    relations.into_iter().any(|relation| {
        let name = Name::first(relation.syntax());
        let at = named.iter().position(|with| name.is_some() && table_name(with) == name);
        // A query of a WITH sees those before it.
        at.is_none_or(|at| reads(named[at].syntax(), &named[..at]))
    })
}

/// Returns the name of a query of a `WITH`.
fn table_name(with: &WithTable) -> Option<Name> {
    with.name().map(|name| Name::new(None, normalize_name_node(name.syntax())))
}

/// Joins the names that the file did not create.
fn left(names: Vec<Name>, facts: &Facts) -> String {
    let names: Vec<String> =
        names.iter().filter(|name| !facts.is_created(name)).map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn truncated(statement: &Stmt) -> Vec<Name> {
    let Stmt::Truncate(truncate) = statement else { return Vec::new() };
    let tables = truncate.table_list().into_iter().flat_map(|list| list.table_relation_names());
    tables.filter_map(|table| Name::first(table.syntax())).collect()
}

fn locked(statement: &Stmt) -> Vec<Name> {
    let Stmt::Lock(lock) = statement else { return Vec::new() };
    let tables = lock.relation_list().into_iter().flat_map(|list| list.relation_names());
    tables.filter_map(|table| Name::first(table.syntax())).collect()
}

/// The existing tables that a transaction has locked against everybody.
#[derive(Debug, Default)]
pub(super) struct Locks {
    held: Vec<Name>,
}

impl Locks {
    /// Takes the locks of a statement; tells of the second table, once.
    pub(super) fn take(&mut self, statement: &Stmt, facts: &Facts) -> Option<Found> {
        if !facts.transactional() {
            return None;
        }
        let was = self.held.len();
        for name in exclusive(statement) {
            if !facts.is_created(&name) && !self.held.contains(&name) {
                self.held.push(name);
            }
        }
        let [first, second, ..] = self.held.as_slice() else { return None };
        (was < 2).then(|| {
            let message = format!("`{first}` and `{second}` are locked until the file is done");
            Found::new("several-tables", place(statement.syntax()), message)
        })
    }
}

/// Returns the tables that a statement locks against everybody.
fn exclusive(statement: &Stmt) -> Vec<Name> {
    match statement {
        Stmt::AlterTable(alter) => {
            let weak = |action: AlterTableAction| matches!(action, AlterTableAction::ValidateConstraint(_));
            if alter.actions().all(weak) {
                return Vec::new();
            }
            Name::of(alter.table_relation_name()).into_iter().collect()
        }
        Stmt::DropTable(_) => dropped(statement),
        Stmt::Truncate(_) => truncated(statement),
        Stmt::Lock(_) => locked(statement),
        _ => Vec::new(),
    }
}

/// Finds a `lock_timeout` that is turned off, by a setting or by the function.
pub(super) fn lock_timeout(text: &str, at: &Range<usize>) -> Option<Found> {
    if !text.to_ascii_lowercase().contains("lock_timeout") {
        return None;
    }
    let blank = |token: &Token<'_>| matches!(token.kind, TokenKind::Space | TokenKind::Comment);
    let words: Vec<Token<'_>> =
        tokens(Dialect::Postgres, text).filter(|token| !blank(token)).take(16).collect();
    let is = |index: usize, word: &str| words.get(index).is_some_and(|t| t.text.eq_ignore_ascii_case(word));
    let named = words
        .iter()
        .position(|token| token.text.trim_matches(['\'', '"']).eq_ignore_ascii_case("lock_timeout"))?;
    let off = if is(0, "reset") {
        named == 1
    } else if is(0, "set") {
        named <= 2 && words.get(named + 2).is_some_and(|value| is_off(value.text))
    } else {
        is(named.wrapping_sub(2), "set_config")
            && words.get(named + 2).is_some_and(|value| is_off(value.text))
    };
    off.then(|| Found::new("lock-timeout", at.clone(), "`lock_timeout` is turned off"))
}

/// Tells whether a value is zero, with or without a unit, or the default, which is zero.
fn is_off(value: &str) -> bool {
    let value = value.trim_matches('\'').trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    value.eq_ignore_ascii_case("default")
        || (!digits.is_empty() && digits.chars().all(|c| matches!(c, '0' | '.')))
}
