//! Constraints of tables. Those of domains are written with the domains, constraint triggers with the triggers.

use std::collections::{BTreeSet, HashMap};

use super::relation::Relation;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    constraint_order, foreign_key, hanging, inherit, name, not_null, options, relation,
};

pub const FAMILY: Family = Family { of: &["pg_constraint"], queries, nodes };

/// A row of `pg_constraint`.
#[derive(Debug)]
pub struct Constraint {
    pub name: String,
    pub relation: Oid,
    /// `c` check, `p` primary key, `u` unique, `x` exclusion, `f` foreign key, `n` not null.
    pub kind: char,
    /// The constraint of the partitioned table that it is a copy of.
    pub parent: Oid,
    /// Whether it is declared here; `false` for one that is only inherited.
    pub is_local: bool,
    pub no_inherit: bool,
    pub is_valid: bool,
    pub is_enforced: bool,
    pub is_deferrable: bool,
    pub is_deferred: bool,
    /// The index that it is kept by.
    pub index: Oid,
    pub columns: Vec<i32>,
    /// As the server words it, but for what has no definition of its own.
    pub definition: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Constraints {
    pub by_oid: HashMap<Oid, Constraint>,
    /// By table and column.
    not_nulls: HashMap<(Oid, i32), Oid>,
    /// By relation and name.
    pub by_name: HashMap<(Oid, String), Oid>,
    /// Check and not-null constraints that do not hold for what is there already, by relation.
    pub unproved: HashMap<Oid, Vec<Oid>>,
    /// The indexes that foreign keys use.
    pub referred: BTreeSet<Oid>,
    /// By table.
    checks: HashMap<Oid, Vec<Oid>>,
    /// Keys and unique constraints by table and columns.
    keys: HashMap<(Oid, Vec<i32>), Vec<Oid>>,
    /// Copies of a foreign key in partitions that have names of their own, by the identifier of what they copy.
    pub own_copies: HashMap<Oid, Vec<Oid>>,
    /// How many constraints of a schema that are declared where they are have that name.
    names: HashMap<(Oid, String), usize>,
    /// How many of those that partitions have from their partitioned tables have that name.
    copied_names: HashMap<(Oid, String), usize>,
}

impl Constraints {
    /// The constraint that keeps a column from being null.
    pub fn not_null_of(&self, table: Oid, column: i32) -> Option<(Oid, &Constraint)> {
        let oid = self.not_nulls.get(&(table, column))?;
        Some((*oid, self.by_oid.get(oid)?))
    }

    /// Whether another constraint of the schema may have the name of a table's own one when that is made, so that the
    /// server would choose another name. Partitions are made after their partitioned tables.
    pub fn is_shared(&self, table: &Relation, constraint: &Constraint) -> bool {
        let key = (table.schema, constraint.name.clone());
        let count = |names: &HashMap<_, usize>| names.get(&key).copied().unwrap_or_default();
        let (declared, copied) = (count(&self.names), count(&self.copied_names));
        let others = if constraint.is_local {
            declared.saturating_sub(1) + copied
        } else {
            declared + copied.saturating_sub(1)
        };
        others > 0 && (table.kind != 'p' || declared > 1)
    }

    /// The checks that the children of a table have, too.
    pub fn checks_for_children(&self, table: Oid) -> impl Iterator<Item = &Constraint> {
        let checks = self.checks.get(&table).into_iter().flatten();
        checks.filter_map(|oid| self.by_oid.get(oid)).filter(|check| !check.no_inherit)
    }

    /// Whether another key of the same columns goes first: of such ones the server makes one alone if they stand in
    /// the statement of the table.
    fn has_twin(&self, oid: Oid, constraint: &Constraint) -> bool {
        let place = |constraint: &Constraint| (constraint.kind, constraint.name.clone());
        let twins = self.keys.get(&(constraint.relation, constraint.columns.clone()));
        let first = twins.into_iter().flatten().min_by_key(|oid| self.by_oid.get(oid).map(place));
        first.is_some_and(|first| *first != oid)
    }
}

impl Catalog {
    /// Whether a partition's copy of a foreign key has a name of its own: it was made before it became a copy.
    pub fn is_own_copy(&self, constraint: &Constraint) -> bool {
        constraint.kind == 'f' && constraint.parent != 0 && constraint.definition.is_some()
    }
}

fn queries(facts: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT c.oid, c.conname, c.connamespace, c.conrelid, c.contype, c.conparentid, c.conislocal, \
             c.connoinherit, c.convalidated, {}, c.condeferrable, c.condeferred, c.conindid, c.conkey, \
             CASE WHEN c.contype = 'n' OR c.contype = 'f' AND c.conparentid <> 0 AND EXISTS (SELECT \
             FROM pg_catalog.pg_constraint p WHERE p.oid = c.conparentid \
             AND (p.conname = c.conname OR p.conrelid = c.conrelid)) \
             THEN NULL ELSE pg_catalog.pg_get_constraintdef(c.oid) END \
             FROM pg_catalog.pg_constraint c WHERE c.oid >= 16384 AND c.contypid = 0 AND c.contype <> 't'",
            facts.either(18, "c.conenforced", "true")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let (oid, name, schema) = (row.oid(), row.text(), row.oid());
    let constraint = Constraint {
        name,
        relation: row.oid(),
        kind: row.letter(),
        parent: row.oid(),
        is_local: row.flag(),
        no_inherit: row.flag(),
        is_valid: row.flag(),
        is_enforced: row.flag(),
        is_deferrable: row.flag(),
        is_deferred: row.flag(),
        index: row.oid(),
        columns: row.numbers(),
        definition: row.maybe(),
    };
    let is_partition =
        catalog.relations.get(&constraint.relation).is_some_and(|relation| relation.is_partition);
    let constraints = &mut catalog.constraints;
    if constraint.is_local {
        *constraints.names.entry((schema, constraint.name.clone())).or_default() += 1;
    } else if is_partition {
        *constraints.copied_names.entry((schema, constraint.name.clone())).or_default() += 1;
    }
    // One with the name of what it copies has no definition.
    if constraint.parent != 0 && constraint.definition.is_some() && constraint.kind == 'f' {
        constraints.own_copies.entry(constraint.parent).or_default().push(oid);
    }
    if constraint.kind == 'n'
        && let [column] = constraint.columns.as_slice()
    {
        constraints.not_nulls.insert((constraint.relation, *column), oid);
    }
    if matches!(constraint.kind, 'c' | 'n') && !constraint.is_valid && constraint.is_enforced {
        constraints.unproved.entry(constraint.relation).or_default().push(oid);
    }
    if constraint.kind == 'f' {
        constraints.referred.insert(constraint.index);
    }
    if constraint.kind == 'c' {
        constraints.checks.entry(constraint.relation).or_default().push(oid);
    }
    if matches!(constraint.kind, 'p' | 'u') {
        let columns = (constraint.relation, constraint.columns.clone());
        constraints.keys.entry(columns).or_default().push(oid);
    }
    constraints.by_name.insert((constraint.relation, constraint.name.clone()), oid);
    constraints.by_oid.insert(oid, constraint);
}

/// What is done about a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the statement of the table.
    Inline,
    /// In a statement of its own.
    Own,
    /// The parent hands it down.
    Inherited,
    /// It is made together with that of the partitioned table.
    Copy,
}

fn place(catalog: &Catalog, oid: Oid, constraint: &Constraint) -> Place {
    let relation = catalog.relations.get(&constraint.relation);
    let is_partition = relation.is_some_and(|relation| relation.is_partition);
    let holds = constraint.is_valid || !constraint.is_enforced;
    match constraint.kind {
        'f' if constraint.parent != 0 && !catalog.is_own_copy(constraint) => Place::Copy,
        'f' => Place::Own,
        // The table is an extension's.
        _ if catalog.hanging.has(Address::new(class::CONSTRAINT, oid)) => Place::Own,
        // A partition is a table of its own before it is attached. A check that does not hold yet comes afterwards
        // from the parent: releases differ about attaching it.
        'c' if !constraint.is_local && (!is_partition || !holds) => Place::Inherited,
        'n' if !constraint.is_local && !is_partition => Place::Inherited,
        'c' | 'n' if holds => Place::Inline,
        'p' | 'u' | 'x' if relation.is_some_and(|relation| relation.kind != 'p') => {
            let waits = catalog.older_twin(constraint.index).is_some();
            if waits || catalog.constraints.has_twin(oid, constraint) { Place::Own } else { Place::Inline }
        }
        _ => Place::Own,
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, constraint) in &catalog.constraints.by_oid {
        let address = Address::new(class::CONSTRAINT, *oid);
        let table = relation::address(constraint.relation);
        let Some(relation) = catalog.relations.get(&constraint.relation) else { continue };
        let hangs = catalog.hanging.has(address);
        if catalog.is_member(address) || (catalog.is_member(table) && !hangs) {
            graph.part(address, table);
            continue;
        }
        let place = place(catalog, *oid, constraint);
        if place == Place::Copy {
            graph.part(address, Address::new(class::CONSTRAINT, original(catalog, *oid)));
            continue;
        }
        // Of what the table's statement makes by itself only a comment is left to write.
        let is_implied = place == Place::Inherited || (place == Place::Inline && constraint.kind == 'n');
        if is_implied && !catalog.comments.contains_key(&address) {
            graph.part(address, table);
            continue;
        }
        let (rank, order) = match constraint.kind {
            'f' => (Rank::ForeignKey, ""),
            'p' => (Rank::Constraint, "1"),
            'u' => (Rank::Constraint, "2"),
            'x' => (Rank::Constraint, "3"),
            _ => (Rank::Constraint, "4"),
        };
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(rank, [schema, relation.name.as_str(), order, constraint.name.as_str()]);
        let identity = format!(
            "{} ON {}",
            name::quoted(&constraint.name),
            catalog.qualified(relation.schema, &relation.name)
        );
        let mut node = Node::new(address, key, "CONSTRAINT", identity, write).in_schema(relation.schema);
        node.block = match place {
            _ if constraint.kind == 'f' => None,
            Place::Own if constraint.kind != 'n' => Some(inherit::block(catalog, constraint.relation)),
            Place::Inherited if !constraint.is_valid => None,
            _ => Some(table),
        };
        if is_implied {
            node.write = |_, _, writer| writer.nothing_to_make();
            node.after.extend(constraint_order::testators(catalog, constraint));
        } else if place == Place::Inline {
            node.clause = Some(clause);
        } else if !matches!(constraint.kind, 'f' | 'n') {
            node.after.extend(inherit::attached(catalog, constraint.relation));
        }
        node.after.extend(constraint_order::heirs(catalog, *oid, constraint));
        node.after.extend(hanging::needs(catalog, address, constraint.relation));
        if matches!(constraint.kind, 'p' | 'u') {
            let twin = catalog.older_twin(constraint.index);
            node.after.extend(twin.map(|twin| catalog.maker_of_index(twin)));
        }
        graph.add(node);
    }
}

/// The constraint that a copy, or a copy of a copy, is made with.
fn original(catalog: &Catalog, copy: Oid) -> Oid {
    let mut oid = copy;
    while let Some(constraint) = catalog.constraints.by_oid.get(&oid)
        && constraint.parent != 0
        && !catalog.is_own_copy(constraint)
    {
        oid = constraint.parent;
    }
    oid
}

fn feature(kind: char) -> Option<Feature> {
    Some(match kind {
        'c' => Feature::Check,
        'p' => Feature::PrimaryKey,
        'u' => Feature::Unique,
        'x' => Feature::Exclusion,
        'f' => Feature::ForeignKey,
        'n' => Feature::NotNull,
        _ => return None,
    })
}

/// `CONSTRAINT name PRIMARY KEY (id)`.
fn clause(catalog: &Catalog, node: &Node, writer: &mut Writer) -> Option<String> {
    let constraint = catalog.constraints.by_oid.get(&node.address.oid)?;
    let Some(feature) = feature(constraint.kind) else {
        writer.refuse(node.noun(), format!("`{}` is no known kind of a constraint", constraint.kind));
        return None;
    };
    if !writer.on(feature) {
        return None;
    }
    let mut definition = constraint.definition.clone()?;
    let parameters =
        catalog.relations.get(&constraint.index).map_or(&[][..], |index| index.options.as_slice());
    // The server prints those of exclusion constraints, and forgets the others'.
    if matches!(constraint.kind, 'p' | 'u') && !parameters.is_empty() && writer.on(Feature::ConstraintOption)
    {
        definition = with_parameters(&definition, constraint, &options::storage("", parameters));
    }
    Some(format!("CONSTRAINT {} {definition}", name::quoted(&constraint.name)))
}

/// Returns a definition with the parameters of its index, which stand before the words about deferring.
fn with_parameters(definition: &str, constraint: &Constraint, parameters: &str) -> String {
    let end = match (constraint.is_deferrable, constraint.is_deferred) {
        (_, true) => " DEFERRABLE INITIALLY DEFERRED",
        (true, false) => " DEFERRABLE",
        (false, false) => "",
    };
    let start = definition.strip_suffix(end).unwrap_or(definition);
    format!("{start} WITH ({parameters}){end}")
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(constraint) = catalog.constraints.by_oid.get(&step.node.address.oid) else { return };
    if constraint.kind == 'n' {
        if catalog.hanging.has(step.node.address) {
            return not_null::set(catalog, step, constraint, writer);
        }
        if let Some(text) = not_null::addition(catalog, constraint) {
            writer.statement(Feature::NotNull, text);
        }
        return;
    }
    let (Some(clause), Some(relation), Some(table)) = (
        clause(catalog, step.node, writer),
        catalog.relations.get(&constraint.relation),
        catalog.relation_name(constraint.relation),
    ) else {
        return;
    };
    // A check is for children as well, and so is a foreign key of a partitioned table.
    let only = match constraint.kind {
        'c' => "",
        'f' if relation.kind == 'p' => "",
        _ => "ONLY ",
    };
    if let Some(feature) = feature(constraint.kind) {
        if catalog.hanging.has(step.node.address) {
            let name = name::quoted(&constraint.name);
            writer.statement(feature, format!("ALTER TABLE {only}{table} DROP CONSTRAINT IF EXISTS {name}"));
        }
        writer.statement(feature, format!("ALTER TABLE {only}{table} ADD {clause}"));
    }
    foreign_key::validate_copies(catalog, step.node.address.oid, writer);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(is_deferrable: bool, is_deferred: bool) -> Constraint {
        Constraint {
            name: "c".into(),
            relation: 1,
            kind: 'u',
            parent: 0,
            is_local: true,
            no_inherit: true,
            is_valid: true,
            is_enforced: true,
            is_deferrable,
            is_deferred,
            index: 2,
            columns: vec![1],
            definition: None,
        }
    }

    #[test]
    fn parameters_of_the_index_stand_before_the_words_about_deferring() {
        let with = |definition: &str, constraint| with_parameters(definition, &constraint, "fillfactor=70");
        assert_eq!(with("UNIQUE (a)", unique(false, false)), "UNIQUE (a) WITH (fillfactor=70)");
        assert_eq!(
            with("UNIQUE (a) DEFERRABLE", unique(true, false)),
            "UNIQUE (a) WITH (fillfactor=70) DEFERRABLE"
        );
        assert_eq!(
            with("UNIQUE (a) DEFERRABLE INITIALLY DEFERRED", unique(true, true)),
            "UNIQUE (a) WITH (fillfactor=70) DEFERRABLE INITIALLY DEFERRED"
        );
    }
}
