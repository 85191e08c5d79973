//! What a file for PostgreSQL itself says of the objects in it: a table that it created is neither large nor in use.

use std::collections::{HashMap, HashSet};

use squawk_syntax::ast::{self, AlterTableAction, AstNode, Constraint, Stmt};

use super::name::Name;
use super::source;

/// What is known before a statement runs.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The statement that is looked at.
    at: usize,
    transactional: bool,
    /// The number of each statement's transaction.
    transactions: Vec<usize>,
    created: HashSet<Name>,
    /// Columns that were added to existing tables, and whether they have to hold a value.
    columns: HashMap<(Name, String), bool>,
    /// The last statement that makes an object that holds no rows: a view, a function.
    made: HashMap<Name, usize>,
    /// The last statement that gives the name to a table that the file created.
    replaced: HashMap<Name, usize>,
    /// The last statement that adds the constraint.
    constraints: HashMap<(Name, String), usize>,
    /// Constraints that were added with `NOT VALID`.
    not_valid: HashSet<(Name, String)>,
}

impl Facts {
    /// Looks through a file for what its later statements make.
    pub(super) fn new(statements: &[Stmt], transactional: bool) -> Self {
        let controls = statements.iter().map(|statement| match statement {
            Stmt::Begin(_) => Some("BEGIN"),
            Stmt::Commit(_) | Stmt::Rollback(_) => Some("COMMIT"),
            _ => None,
        });
        let transactions = source::transactions(transactional, controls);
        let mut facts = Self { transactional, transactions, ..Self::default() };
        let mut tables = HashSet::new();
        for (at, statement) in statements.iter().enumerate() {
            match (statement, created(statement)) {
                (Stmt::CreateTable(_) | Stmt::CreateTableAs(_) | Stmt::SelectInto(_), Some(name)) => {
                    tables.insert(name);
                }
                (_, Some(name)) => {
                    facts.made.insert(name, at);
                }
                (Stmt::AlterTable(alter), None) => facts.later(alter, at, &tables),
                _ => {}
            }
        }
        facts
    }

    fn later(&mut self, alter: &ast::AlterTable, at: usize, tables: &HashSet<Name>) {
        let Some(table) = Name::of(alter.table_relation_name()) else { return };
        for action in alter.actions() {
            match action {
                AlterTableAction::TableRenameTo(rename) if tables.contains(&table) => {
                    if let Some(new) = Name::first(rename.syntax()) {
                        self.replaced.insert(table.sibling(&new), at);
                    }
                }
                AlterTableAction::AddConstraint(add) => {
                    if let Some(name) = add.constraint().and_then(|constraint| named(&constraint)) {
                        self.constraints.insert((table.clone(), name), at);
                    }
                }
                _ => {}
            }
        }
    }

    /// Takes in what a statement did.
    pub(super) fn advance(&mut self, statement: &Stmt) {
        self.at += 1;
        if let Some(name) = created(statement) {
            self.created.insert(name);
        }
        match statement {
            Stmt::AlterTable(alter) => self.altered(alter),
            Stmt::DropTable(_) | Stmt::DropView(_) | Stmt::DropMaterializedView(_) => {
                for name in dropped(statement) {
                    self.created.remove(&name);
                }
            }
            _ => {}
        }
    }

    fn altered(&mut self, alter: &ast::AlterTable) {
        let Some(table) = Name::of(alter.table_relation_name()) else { return };
        for action in alter.actions() {
            match action {
                AlterTableAction::AddColumn(add) => {
                    if let Some(column) = add.column_name() {
                        let required =
                            add.constraints().any(|c| matches!(c, Constraint::NotNullConstraint(_)));
                        self.columns.insert((table.clone(), column.text()), required);
                    }
                }
                AlterTableAction::AddConstraint(add) => {
                    if let Some(constraint) = add.constraint().filter(Constraint::is_not_valid)
                        && let Some(name) = named(&constraint)
                    {
                        self.not_valid.insert((table.clone(), name));
                    }
                }
                AlterTableAction::TableRenameTo(rename) if self.created.contains(&table) => {
                    if let Some(new) = Name::first(rename.syntax()) {
                        self.created.remove(&table);
                        self.created.insert(table.sibling(&new));
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the file runs in one transaction.
    pub(super) fn transactional(&self) -> bool {
        self.transactional
    }

    /// Tells whether another statement runs in the transaction of this one.
    fn is_together(&self, other: usize) -> bool {
        self.transactions.get(other) == self.transactions.get(self.at)
    }

    /// Tells whether the file created it before this statement.
    pub(super) fn is_created(&self, name: &Name) -> bool {
        self.created.contains(name)
    }

    /// Tells whether the file added the column before this statement.
    pub(super) fn is_added(&self, table: &Name, column: &str) -> bool {
        self.columns.contains_key(&(table.clone(), column.to_owned()))
    }

    /// Tells whether the file added the column before this statement, and lets it be NULL.
    pub(super) fn is_added_optional(&self, table: &Name, column: &str) -> bool {
        self.columns.get(&(table.clone(), column.to_owned())) == Some(&false)
    }

    /// Tells whether a later statement of the same transaction makes an object of this name.
    pub(super) fn is_made_again(&self, name: &Name) -> bool {
        self.made.get(name).is_some_and(|at| *at > self.at && self.is_together(*at))
    }

    /// Tells whether a later statement of the same transaction renames a table of the file to this name.
    pub(super) fn is_replaced(&self, name: &Name) -> bool {
        self.replaced.get(name).is_some_and(|at| *at > self.at && self.is_together(*at))
    }

    /// Tells whether an earlier statement of the same transaction added the constraint with `NOT VALID`.
    pub(super) fn is_added_not_valid(&self, table: &Name, constraint: &str) -> bool {
        self.transactional && self.not_valid.contains(&(table.clone(), constraint.to_owned()))
    }

    /// Tells whether this statement or a later one of the same transaction adds the constraint.
    pub(super) fn is_added_again(&self, table: &Name, constraint: &str) -> bool {
        let key = (table.clone(), constraint.to_owned());
        self.constraints.get(&key).is_some_and(|at| *at >= self.at && self.is_together(*at))
    }
}

/// Returns the name of a constraint that has one.
fn named(constraint: &Constraint) -> Option<String> {
    constraint.constraint_name().map(|name| ast::normalize_name_node(name.syntax()))
}

/// Returns the name of what a statement creates.
fn created(statement: &Stmt) -> Option<Name> {
    match statement {
        Stmt::CreateTable(it) => Name::of(it.table_name()),
        Stmt::CreateTableAs(it) => Name::of(it.table_name()),
        Stmt::SelectInto(it) => Name::of(it.into_clause()),
        Stmt::CreateForeignTable(_)
        | Stmt::CreateView(_)
        | Stmt::CreateMaterializedView(_)
        | Stmt::CreateFunction(_)
        | Stmt::CreateProcedure(_)
        | Stmt::CreateAggregate(_)
        | Stmt::CreateType(_)
        | Stmt::CreateDomain(_)
        | Stmt::CreateSequence(_) => Name::first(statement.syntax()),
        Stmt::CreateIndex(it) => Name::of(it.index()),
        Stmt::CreateSchema(it) => {
            it.schema_name().map(|node| Name::new(None, ast::normalize_name_node(&node)))
        }
        _ => None,
    }
}

/// Returns the names of what a `DROP` drops. Operators and casts are told by more than a name.
pub(super) fn dropped(statement: &Stmt) -> Vec<Name> {
    if matches!(statement, Stmt::DropOperator(_) | Stmt::DropCast(_)) {
        return Vec::new();
    }
    let lists = |node: &squawk_syntax::SyntaxNode| {
        use squawk_syntax::SyntaxKind as Kind;
        matches!(node.kind(), Kind::FUNCTION_SIG_LIST | Kind::PROCEDURE_SIG_LIST | Kind::ROUTINE_SIG_LIST)
    };
    statement
        .syntax()
        .children()
        .flat_map(|child| if lists(&child) { child.children().collect() } else { vec![child] })
        .filter_map(|child| Name::first(&child))
        .collect()
}
