//! Operators, and what they name before it exists.
//!
//! An operator that another one names as its commutator or negator exists from then on as a shell: a name with types,
//! and no function. The shell of an operator that exists is made together with it. A shell can also be left over
//! when the operator that named it is dropped, and nothing names it any more.
//! <https://www.postgresql.org/docs/current/xoper-optimization.html>

use std::collections::HashMap;

use super::definition::{Definition, function};
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    in_user_schema, name,
};

pub const FAMILY: Family = Family { of: &["pg_operator"], queries, nodes };

/// A row of `pg_operator`.
#[derive(Debug)]
pub struct Operator {
    pub name: String,
    pub schema: Oid,
    /// `b` between two operands, `l` before one, `r` after one (before release 14).
    pub kind: char,
    pub left: Option<String>,
    pub right: Option<String>,
    /// Nothing for a shell.
    pub function: Option<String>,
    pub commutator: Link,
    pub negator: Link,
    pub restrict: Option<String>,
    pub join: Option<String>,
    pub can_hash: bool,
    pub can_merge: bool,
}

/// Another operator: its identifier, and its schema and name.
#[derive(Debug)]
pub struct Link {
    pub oid: Oid,
    pub name: Option<(Oid, String)>,
}

pub type Operators = HashMap<Oid, Operator>;

fn queries(_: &Facts) -> Vec<Query> {
    let operand =
        |column: &str| format!("CASE WHEN o.{column} <> 0 THEN pg_catalog.format_type(o.{column}, NULL) END");
    vec![Query::new(
        format!(
            "SELECT o.oid, o.oprname, o.oprnamespace, o.oprkind, {}, {}, o.oprcode, \
             o.oprcom, c.oprnamespace, c.oprname, o.oprnegate, n.oprnamespace, n.oprname, \
             o.oprrest, o.oprjoin, o.oprcanhash, o.oprcanmerge FROM pg_catalog.pg_operator o \
             LEFT JOIN pg_catalog.pg_operator c ON c.oid = o.oprcom \
             LEFT JOIN pg_catalog.pg_operator n ON n.oid = o.oprnegate WHERE o.oid >= 16384 AND {}",
            operand("oprleft"),
            operand("oprright"),
            in_user_schema("o.oprnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let operator = Operator {
        name: row.text(),
        schema: row.oid(),
        kind: row.letter(),
        left: row.maybe(),
        right: row.maybe(),
        function: function(row),
        commutator: link(row),
        negator: link(row),
        restrict: function(row),
        join: function(row),
        can_hash: row.flag(),
        can_merge: row.flag(),
    };
    catalog.operators.insert(oid, operator);
}

fn link(row: &mut Cells<'_>) -> Link {
    Link { oid: row.oid(), name: row.named() }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    let mut named = Vec::new();
    for (oid, operator) in &catalog.operators {
        if operator.function.is_some() {
            named.extend([operator.commutator.oid, operator.negator.oid].map(|shell| (shell, *oid)));
        }
    }
    let makers: HashMap<Oid, Oid> = named.into_iter().collect();
    for (oid, operator) in &catalog.operators {
        let (left, right) = operands(operator);
        match makers.get(oid) {
            // Whichever of those that name it is written first makes it.
            Some(maker) if operator.function.is_none() => graph.part(address(*oid), address(*maker)),
            _ => {
                let path = [catalog.schema_name(operator.schema), &operator.name, left, right];
                let identity =
                    format!("{} ({left}, {right})", qualified(catalog, operator.schema, &operator.name));
                let write = if operator.function.is_some() { write } else { write_shell };
                graph.add(
                    Node::new(address(*oid), Key::new(Rank::Operator, path), "OPERATOR", identity, write)
                        .in_schema(operator.schema),
                );
            }
        }
    }
}

fn address(oid: Oid) -> Address {
    Address::new(class::OPERATOR, oid)
}

fn operands(operator: &Operator) -> (&str, &str) {
    (operator.left.as_deref().unwrap_or("NONE"), operator.right.as_deref().unwrap_or("NONE"))
}

/// The name of an operator, which is never quoted itself.
fn qualified(catalog: &Catalog, schema: Oid, operator: &str) -> String {
    format!("{}.{operator}", name::quoted(catalog.schema_name(schema)))
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(operator) = catalog.operators.get(&step.node.address.oid) else { return };
    if !matches!(operator.kind, 'b' | 'l' | 'r') {
        let why = format!("operators of the kind `{}` are unknown", operator.kind);
        return writer.refuse(step.node.noun(), why);
    }
    let mut definition = Definition::default();
    if let Some(function) = &operator.function {
        definition.always("FUNCTION", function);
    }
    if let Some(left) = &operator.left {
        definition.always("LEFTARG", left);
    }
    if let Some(right) = &operator.right {
        definition.always("RIGHTARG", right);
    }
    let other = |link: &Link| {
        link.name.as_ref().map(|(schema, name)| format!("OPERATOR({})", qualified(catalog, *schema, name)))
    };
    for (feature, item, value) in [
        (Feature::OperatorCommutator, "COMMUTATOR", other(&operator.commutator)),
        (Feature::OperatorNegator, "NEGATOR", other(&operator.negator)),
        (Feature::OperatorRestrict, "RESTRICT", operator.restrict.clone()),
        (Feature::OperatorJoin, "JOIN", operator.join.clone()),
    ] {
        definition.given(writer, feature, item, value.as_deref());
    }
    definition.word(writer, Feature::OperatorHashes, operator.can_hash, "HASHES");
    definition.word(writer, Feature::OperatorMerges, operator.can_merge, "MERGES");
    let head = format!("CREATE OPERATOR {}", qualified(catalog, operator.schema, &operator.name));
    writer.statement(Feature::Operator, definition.after(&head));
}

/// The name of the function that exists for a moment.
const MAKER: &str = "dbsetup_shell";

/// Writes an operator that is a name only: another operator names it as its negator, and goes again.
fn write_shell(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(operator) = catalog.operators.get(&step.node.address.oid) else { return };
    let operands: Vec<&str> =
        [&operator.left, &operator.right].into_iter().flatten().map(String::as_str).collect();
    let maker = catalog.qualified(operator.schema, MAKER);
    let arguments = operands.join(", ");
    let own = qualified(catalog, operator.schema, &operator.name);
    let naming = qualified(catalog, operator.schema, &unused(catalog, &operator.name));
    let mut definition = Definition::default();
    definition.always("FUNCTION", &maker);
    for (item, operand) in [("LEFTARG", &operator.left), ("RIGHTARG", &operator.right)] {
        if let Some(operand) = operand {
            definition.always(item, operand);
        }
    }
    definition.always("NEGATOR", &format!("OPERATOR({own})"));
    let (_, types) = step.node.identity.split_once(" (").unwrap_or_default();
    for statement in [
        format!("CREATE FUNCTION {maker}({arguments}) RETURNS boolean LANGUAGE sql AS 'SELECT true'"),
        definition.after(&format!("CREATE OPERATOR {naming}")),
        format!("DROP OPERATOR {naming} ({types}"),
        format!("DROP FUNCTION {maker}({arguments})"),
    ] {
        writer.statement(Feature::ShellOperator, statement);
    }
}

/// Returns a name that no operator has.
fn unused(catalog: &Catalog, like: &str) -> String {
    let mut name = format!("{like}|");
    while catalog.operators.values().any(|operator| operator.name == name) {
        name.push('|');
    }
    name
}
