//! Everything that a dump has read. Families of objects fill their own fields, and look names up in those of others.

use std::collections::{BTreeSet, HashMap};

use super::address::{Address, Oid, class};
use super::cells::{Cells, Unknown};
use super::name;
use super::object::{
    access_method, aggregate, cast, collation, column, comment, constraint, conversion, data_type, default,
    default_privileges, domain, enumeration, event_trigger, extension, foreign, foreign_table, function,
    hanging, index, inherit, label, language, operator, operator_class, operator_family, owner, policy,
    privilege, publication, range, relation, rule, schema, sequence, statistics, subscription, text_search,
    transform, trigger, view,
};
use super::query::{Facts, Query};

/// One dependency: `from` needs `to`.
#[derive(Debug, Clone, Copy)]
pub struct Depend {
    pub from: Address,
    pub to: Address,
    /// `pg_depend.deptype`.
    pub kind: char,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Catalog {
    pub facts: Facts,
    /// Letters that no release had when this was written.
    pub unknown: BTreeSet<Unknown>,
    pub depends: Vec<Depend>,
    /// Members of extensions, and their extension.
    pub members: HashMap<Address, Oid>,
    /// What is a part of something else: row types, array types, indexes of constraints, rules of views, toast tables.
    pub internal: HashMap<Address, Address>,
    /// The relation of each composite type.
    pub rows: HashMap<Oid, Oid>,
    pub schemas: HashMap<Oid, schema::Schema>,
    pub extensions: HashMap<Oid, extension::Extension>,
    /// What hangs on tables of extensions.
    pub hanging: hanging::Hanging,
    pub relations: relation::Relations,
    pub columns: column::Columns,
    /// The storage parameters of TOAST tables, by their own identifiers.
    pub toast_options: HashMap<Oid, Vec<String>>,
    pub foreign_tables: foreign_table::ForeignTables,
    pub inherits: inherit::Inherits,
    pub defaults: default::Defaults,
    pub constraints: constraint::Constraints,
    pub indexes: index::Indexes,
    pub indexes_in_use: index::IndexesInUse,
    pub sequences: sequence::Sequences,
    pub types: data_type::DataTypes,
    pub labels: enumeration::Labels,
    pub ranges: range::Ranges,
    pub domain_constraints: domain::DomainConstraints,
    pub functions: function::Functions,
    pub aggregates: aggregate::Aggregates,
    pub operators: operator::Operators,
    pub operator_families: operator_family::OperatorFamilies,
    pub family_members: operator_family::Members,
    /// The class or family that each member of a family belongs to.
    pub member_owners: HashMap<Address, Address>,
    pub operator_classes: operator_class::OperatorClasses,
    pub casts: cast::Casts,
    pub transforms: transform::Transforms,
    pub conversions: conversion::Conversions,
    pub languages: language::Languages,
    pub access_methods: access_method::AccessMethods,
    pub collations: collation::Collations,
    pub text_search: text_search::TextSearch,
    pub comments: comment::Comments,
    pub view_definitions: view::Definitions,
    pub rules: rule::Rules,
    pub triggers: trigger::Triggers,
    pub policies: policy::Policies,
    pub statistics: statistics::AllStatistics,
    pub publications: publication::Publications,
    pub subscriptions: subscription::Subscriptions,
    pub event_triggers: event_trigger::EventTriggers,
    pub foreign: foreign::ForeignObjects,
    pub security_labels: label::Labels,
    pub owners: owner::Owners,
    pub privileges: privilege::AllPrivileges,
    pub default_privileges: default_privileges::AllDefaults,
    /// The names of types that have a comment, a label or privileges.
    pub type_names: HashMap<Oid, String>,
    /// Extensions that objects are to be dropped with.
    pub extension_needs: HashMap<Address, Vec<Oid>>,
}

impl Catalog {
    pub fn new(facts: Facts) -> Self {
        Self { facts, ..Self::default() }
    }

    /// Makes the parts of members members: an extension that makes a table makes its row type, its keys and its
    /// triggers, and `pg_depend` says so of the table alone. What users hang on such a table is none of these.
    pub fn adopt_parts(&mut self) {
        let mut parts: HashMap<Address, Vec<Address>> = HashMap::new();
        for depend in self.depends.iter().filter(|depend| self.makes_part(depend)) {
            parts.entry(depend.to).or_default().push(depend.from);
        }
        let mut next: Vec<(Address, Oid)> = self.members.iter().map(|(whole, of)| (*whole, *of)).collect();
        while let Some((whole, of)) = next.pop() {
            for part in parts.remove(&whole).unwrap_or_default() {
                if self.members.insert(part, of).is_none() {
                    next.push((part, of));
                }
            }
        }
    }

    fn makes_part(&self, depend: &Depend) -> bool {
        if self.hanging.has(depend.from) {
            return false;
        }
        let kind = || self.relations.get(&depend.from.oid).map(|relation| relation.kind);
        match (depend.kind, depend.from.class) {
            ('i', _) => true,
            (
                'a',
                class::CONSTRAINT
                | class::DEFAULT
                | class::POLICY
                | class::REWRITE
                | class::STATISTICS
                | class::TRIGGER,
            ) => true,
            // A partition depends on its table in the same way, and is nobody's part.
            ('a', class::RELATION) => matches!(kind(), Some('i' | 'I' | 'S')),
            _ => false,
        }
    }

    /// Puts in order what comes in the order of the server's storage.
    pub fn arrange(&mut self) {
        self.note_indexes_in_use();
        for columns in self.columns.values_mut() {
            columns.sort_unstable_by_key(|column| column.number);
        }
    }

    /// Whether an extension makes the object.
    pub fn is_member(&self, address: Address) -> bool {
        self.members.contains_key(&address)
    }

    /// The name of a schema, as it is.
    pub fn schema_name(&self, schema: Oid) -> &str {
        self.schemas.get(&schema).map_or("pg_catalog", |schema| &schema.name)
    }

    /// The relation that has an object's columns: the object itself, or the row of a composite type.
    pub fn row_of(&self, address: Address) -> Option<Address> {
        match address.class {
            class::RELATION => Some(address),
            class::TYPE => self.rows.get(&address.oid).map(|row| Address::new(class::RELATION, *row)),
            _ => None,
        }
    }

    /// A name with its schema before it, both quoted where they need it: `public."Users"`.
    pub fn qualified(&self, schema: Oid, name: &str) -> String {
        format!("{}.{}", name::quoted(self.schema_name(schema)), name::quoted(name))
    }
}

/// The queries that every family needs.
pub fn queries(_: &Facts) -> Vec<Query> {
    // `p`, on the engine's own objects, says nothing here, and neither does an object's dependency on itself.
    vec![Query::new(
        "SELECT d.classid, d.objid, d.refclassid, d.refobjid, d.deptype FROM pg_catalog.pg_depend d \
         WHERE d.objid >= 16384 AND d.deptype <> 'p' AND (d.refobjid >= 16384 OR d.deptype IN ('e', 'x')) \
         AND NOT (d.classid = d.refclassid AND d.objid = d.refobjid)",
        take_depend,
    )]
}

fn take_depend(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let depend = Depend {
        from: row.address(),
        to: row.address(),
        kind: row.letter_of("pg_depend.deptype", "naiePSxp"),
    };
    operator_family::depend(catalog, &depend);
    match depend.kind {
        'e' if depend.to.class == class::EXTENSION => {
            catalog.members.insert(depend.from, depend.to.oid);
        }
        'x' if depend.to.class == class::EXTENSION => {
            catalog.extension_needs.entry(depend.from).or_default().push(depend.to.oid);
            catalog.depends.push(depend);
        }
        'i' => {
            if depend.from.class == class::RELATION && depend.to.class == class::TYPE {
                catalog.rows.insert(depend.to.oid, depend.from.oid);
            }
            catalog.internal.insert(depend.from, depend.to);
            catalog.depends.push(depend);
        }
        _ => catalog.depends.push(depend),
    }
}
