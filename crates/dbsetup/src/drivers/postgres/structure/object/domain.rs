//! Domains and their constraints. A constraint is written with its domain, unless it does not hold for what there is
//! already (`NOT VALID`), or needs something that needs the domain.
//! <https://www.postgresql.org/docs/current/sql-createdomain.html>

use std::collections::HashMap;

use super::data_type::{self, DataType, Kind};
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &["pg_constraint"], queries, nodes };

/// The constraint without a name of its own.
const NOT_NULL: &str = "NOT NULL";

/// What `pg_type` knows of a domain.
#[derive(Debug)]
pub struct Domain {
    /// With its modifier.
    pub base: Option<String>,
    pub not_null: bool,
    /// Schema and name, where it is not the base type's own.
    pub collation: Option<(Oid, String)>,
    /// As statements say it.
    pub default: Option<String>,
    /// Whether the base type has the same one, or none either: a new domain takes that over.
    pub is_default_inherited: bool,
}

impl Domain {
    /// The default that has to be said: `NULL` where the base type has one, and the domain has not.
    pub fn own_default(&self) -> Option<&str> {
        (!self.is_default_inherited).then(|| self.default.as_deref().unwrap_or("NULL"))
    }
}

/// A row of `pg_constraint` with a domain.
#[derive(Debug)]
pub struct DomainConstraint {
    pub domain: Oid,
    pub name: String,
    /// `c` check, `n` not null (since release 17).
    pub kind: char,
    pub is_valid: bool,
    /// As `pg_get_constraintdef` words it.
    pub definition: String,
}

pub type DomainConstraints = HashMap<Oid, DomainConstraint>;

pub fn read(row: &mut Cells<'_>) -> Domain {
    Domain {
        base: row.maybe(),
        not_null: row.flag(),
        collation: row.named(),
        default: None,
        is_default_inherited: row.flag(),
    }
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT c.oid, c.contypid, c.conname, c.contype, c.convalidated, pg_catalog.pg_get_constraintdef(c.oid) \
         FROM pg_catalog.pg_constraint c WHERE c.contypid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let constraint = DomainConstraint {
        domain: row.oid(),
        name: row.text(),
        kind: row.letter(),
        is_valid: row.flag(),
        definition: row.text(),
    };
    catalog.domain_constraints.insert(oid, constraint);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, constraint) in &catalog.domain_constraints {
        let address = Address::new(class::CONSTRAINT, *oid);
        // Extensions have their domains as members, and not the constraints of these.
        if let Some(extension) = catalog.members.get(&data_type::address(constraint.domain)) {
            graph.part(address, Address::new(class::EXTENSION, *extension));
            continue;
        }
        let Some(domain) = catalog.types.get(&constraint.domain) else { continue };
        let path = [catalog.schema_name(domain.schema), &domain.name, &constraint.name];
        let identity =
            format!("{} ON DOMAIN {}", name::quoted(&constraint.name), domain_name(catalog, domain));
        let mut node =
            Node::new(address, Key::new(Rank::Type, path), "CONSTRAINT", identity, write_constraint)
                .in_schema(domain.schema)
                .in_block(data_type::address(constraint.domain));
        if constraint.is_valid {
            node.clause = Some(clause);
        }
        graph.add(node);
    }
}

fn domain_name(catalog: &Catalog, domain: &DataType) -> String {
    catalog.qualified(domain.schema, &domain.name)
}

fn clause(catalog: &Catalog, node: &Node, writer: &mut Writer) -> Option<String> {
    let constraint = catalog.domain_constraints.get(&node.address.oid)?;
    let domain = catalog.types.get(&constraint.domain)?;
    let named = format!("CONSTRAINT {}", name::quoted(&constraint.name));
    match constraint.kind {
        'n' => writer.on(Feature::DomainNotNull).then(|| {
            let own_name = constraint.name != not_null_name(&domain.name);
            if own_name && writer.on(Feature::DomainNotNullName) {
                format!("{named} NOT NULL")
            } else {
                NOT_NULL.to_owned()
            }
        }),
        'c' => writer.on(Feature::DomainCheck).then(|| format!("{named} {}", constraint.definition)),
        letter => {
            writer.refuse(node.noun(), format!("constraints of the kind `{letter}` are unknown"));
            None
        }
    }
}

/// The name that the server gives to a constraint that has none; none gets it where it would be too long, so that
/// no rule of shortening has to be known.
fn not_null_name(domain: &str) -> String {
    format!("{domain}_not_null")
}

fn write_constraint(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let constraint = catalog.domain_constraints.get(&step.node.address.oid);
    if let Some(constraint) = constraint
        && let Some(domain) = catalog.types.get(&constraint.domain)
        && let Some(clause) = clause(catalog, step.node, writer)
    {
        let feature = match constraint.kind {
            'n' => Feature::DomainNotNull,
            _ if constraint.is_valid => Feature::DomainCheck,
            _ => Feature::DomainCheckNotValid,
        };
        writer.statement(feature, format!("ALTER DOMAIN {} ADD {clause}", domain_name(catalog, domain)));
    }
}

pub fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(domain) = of(catalog, step) else { return };
    let mut clauses: Vec<(bool, String)> = Vec::new();
    for node in step.clauses {
        let is_check = catalog
            .domain_constraints
            .get(&node.address.oid)
            .is_some_and(|constraint| constraint.kind == 'c');
        clauses.extend(writer.clause(catalog, node).map(|clause| (is_check, clause)));
    }
    // Before release 17 this constraint has no row, and so no node.
    let has_row = step.clauses.iter().any(|node| {
        catalog.domain_constraints.get(&node.address.oid).is_some_and(|constraint| constraint.kind == 'n')
    });
    if domain.not_null && !has_row && writer.on(Feature::DomainNotNull) {
        clauses.push((false, NOT_NULL.to_owned()));
    }
    // `false` comes first, and checks are in the order of their names already.
    clauses.sort_by_key(|(is_check, _)| *is_check);
    let default = domain.own_default().filter(|_| writer.on(Feature::DomainDefault));
    if step.replaces {
        let alter = format!("ALTER DOMAIN {}", step.node.identity);
        if let Some(default) = default {
            writer.statement(Feature::DomainDefault, format!("{alter} SET DEFAULT {default}"));
        }
        for (_, clause) in clauses {
            // A constraint without a name can be set only, before release 17.
            let verb = if clause == NOT_NULL { "SET" } else { "ADD" };
            writer.statement(Feature::Domain, format!("{alter} {verb} {clause}"));
        }
        return;
    }
    let mut statement = head(catalog, step, domain, writer);
    for clause in default
        .map(|default| format!("DEFAULT {default}"))
        .into_iter()
        .chain(clauses.into_iter().map(|(_, clause)| clause))
    {
        statement.push_str("\n    ");
        statement.push_str(&clause);
    }
    writer.statement(Feature::Domain, statement);
}

/// Writes the domain without its default, where that needs something that needs the domain.
pub fn write_early(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some(domain) = of(catalog, step) {
        let statement = head(catalog, step, domain, writer);
        writer.statement(Feature::Domain, statement);
    }
}

fn of<'a>(catalog: &'a Catalog, step: &Step<'_>) -> Option<&'a Domain> {
    match &catalog.types.get(&step.node.address.oid)?.kind {
        Kind::Domain(domain) => Some(domain),
        _ => None,
    }
}

fn head(catalog: &Catalog, step: &Step<'_>, domain: &Domain, writer: &mut Writer) -> String {
    let mut head =
        format!("CREATE DOMAIN {} AS {}", step.node.identity, domain.base.as_deref().unwrap_or_default());
    if let Some((schema, collation)) = &domain.collation
        && writer.on(Feature::DomainCollation)
    {
        head.push_str(&format!(" COLLATE {}", catalog.qualified(*schema, collation)));
    }
    head
}
