//! Sequences: their own, those that a column owns, those of identity columns.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name, relation,
};

pub const FAMILY: Family = Family { of: &["pg_sequence"], queries, nodes };

/// A row of `pg_sequence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub type_name: String,
    pub start: i64,
    pub increment: i64,
    pub max: i64,
    pub min: i64,
    pub cache: i64,
    pub cycles: bool,
    pub owner: Option<Owner>,
}

/// The column that a sequence belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub relation: Oid,
    pub column: i32,
    /// Whether it makes the values of an identity column.
    pub is_identity: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Sequences {
    pub by_oid: HashMap<Oid, Sequence>,
    /// Those of identity columns, by table and column.
    pub of_identity: HashMap<(Oid, i32), Oid>,
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT s.seqrelid, pg_catalog.format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, \
         s.seqmin, s.seqcache, s.seqcycle, d.refobjid, d.refobjsubid, d.deptype \
         FROM pg_catalog.pg_sequence s LEFT JOIN pg_catalog.pg_depend d ON d.classid = 1259 \
         AND d.objid = s.seqrelid AND d.objsubid = 0 AND d.refclassid = 1259 AND d.refobjsubid > 0 \
         AND d.deptype IN ('a', 'i') WHERE s.seqrelid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut sequence = Sequence {
        type_name: row.text(),
        start: row.number(),
        increment: row.number(),
        max: row.number(),
        min: row.number(),
        cache: row.number(),
        cycles: row.flag(),
        owner: None,
    };
    let (relation, column, kind) = (row.oid(), row.maybe_number().unwrap_or_default(), row.letter());
    if relation != 0 {
        let is_identity = kind == 'i';
        sequence.owner = Some(Owner { relation, column, is_identity });
        if is_identity {
            catalog.sequences.of_identity.insert((relation, column), oid);
        }
    }
    catalog.sequences.by_oid.insert(oid, sequence);
}

impl Sequence {
    /// Returns the options that are not what the server chooses, each with a blank before it, but not the type.
    /// <https://www.postgresql.org/docs/current/sql-createsequence.html>
    pub fn options(&self) -> String {
        let (lowest, highest) = match self.type_name.as_str() {
            "smallint" => (i64::from(i16::MIN), i64::from(i16::MAX)),
            "integer" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        };
        let (min, max) = if self.increment < 0 { (lowest, -1) } else { (1, highest) };
        let start = if self.increment < 0 { self.max } else { self.min };
        let mut text = String::new();
        let mut option = |is_default: bool, words: &str, value: i64| {
            if !is_default {
                text.push_str(&format!(" {words} {value}"));
            }
        };
        option(self.increment == 1, "INCREMENT BY", self.increment);
        option(self.min == min, "MINVALUE", self.min);
        option(self.max == max, "MAXVALUE", self.max);
        option(self.start == start, "START WITH", self.start);
        option(self.cache == 1, "CACHE", self.cache);
        if self.cycles {
            text.push_str(" CYCLE");
        }
        text
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, sequence) in &catalog.sequences.by_oid {
        let Some(relation) = catalog.relations.get(oid) else { continue };
        let address = relation::address(*oid);
        let key = Key::new(Rank::Sequence, [catalog.schema_name(relation.schema), relation.name.as_str()]);
        let identity = catalog.qualified(relation.schema, &relation.name);
        let mut node = Node::new(address, key, "SEQUENCE", identity, write).in_schema(relation.schema);
        if let Some(owner) = sequence.owner {
            let table = relation::address(owner.relation);
            if catalog.hanging.has(address) {
                node.write = |_, step, writer| {
                    writer.refuse(step.node.noun(), "it belongs to a column of an extension's table");
                };
                graph.add(node);
                continue;
            }
            if catalog.is_member(table) {
                graph.part(address, table);
                continue;
            }
            if catalog.is_table(owner.relation) {
                node.clause = Some(if owner.is_identity { identity_clause } else { create });
                node = node.in_block(table);
            } else {
                graph.cut(address, table);
                graph.add(ownership(catalog, *oid, table));
            }
        }
        graph.add(node);
    }
}

/// The statement that makes a sequence, which stands before its table.
fn create(catalog: &Catalog, node: &Node, writer: &mut Writer) -> Option<String> {
    let oid = node.address.oid;
    let (sequence, relation) = (catalog.sequences.by_oid.get(&oid)?, catalog.relations.get(&oid)?);
    if !writer.on(Feature::Sequence) {
        return None;
    }
    let unlogged = match relation.persistence {
        'p' => "",
        'u' if writer.on(Feature::UnloggedSequence) => "UNLOGGED ",
        'u' => "",
        other => {
            writer.refuse(node.noun(), format!("its persistence `{other}` is not known"));
            return None;
        }
    };
    let mut options = String::new();
    if sequence.type_name != "bigint" {
        options = format!(" AS {}", sequence.type_name);
    }
    options.push_str(&sequence.options());
    if !options.is_empty() && !writer.on(Feature::SequenceOption) {
        options.clear();
    }
    Some(format!("CREATE {unlogged}SEQUENCE {}{options}", node.identity))
}

/// Writes the sequences that a table's columns own, before the table.
pub fn write_owned(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    for node in step.clauses {
        if is_owned(catalog, node)
            && let Some(statement) = writer.clause(catalog, node)
        {
            writer.statement(Feature::Sequence, statement);
        }
    }
}

/// Writes whose the sequences are, after the table.
pub fn write_owners(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    for node in step.clauses {
        if is_owned(catalog, node) {
            write_owner(catalog, node.address.oid, writer);
        } else if node.address.class == class::RELATION {
            write_identity_type(catalog, node, writer);
        }
    }
}

fn is_owned(catalog: &Catalog, node: &Node) -> bool {
    let sequence = || catalog.sequences.by_oid.get(&node.address.oid)?.owner;
    node.address.class == class::RELATION && sequence().is_some_and(|owner| !owner.is_identity)
}

fn write_owner(catalog: &Catalog, sequence: Oid, writer: &mut Writer) {
    let text = || {
        let owner = catalog.sequences.by_oid.get(&sequence)?.owner?;
        let column = name::quoted(catalog.column_name(owner.relation, owner.column)?);
        let (sequence, table) = (catalog.relation_name(sequence)?, catalog.relation_name(owner.relation)?);
        Some(format!("ALTER SEQUENCE {sequence} OWNED BY {table}.{column}"))
    };
    if let Some(text) = text() {
        writer.statement(Feature::SequenceOwner, text);
    }
}

/// What says that a view's column owns a sequence: the view's default may need the sequence first.
fn ownership(catalog: &Catalog, sequence: Oid, of: Address) -> Node {
    let identity = catalog.relation_name(sequence).unwrap_or_default();
    let key = Key::new(Rank::Attachment, ["", identity.as_str()]);
    let write = |catalog: &Catalog, step: &Step<'_>, writer: &mut Writer| {
        write_owner(catalog, step.node.address.oid, writer);
    };
    let mut node =
        Node::new(Address::new(class::SEQUENCE, sequence), key, "SEQUENCE", identity, write).in_block(of);
    node.schema = catalog.relations.get(&sequence).map(|relation| relation.schema);
    node.after = vec![relation::address(sequence)];
    node
}

/// Writes the type of an identity column's sequence, with all of its options, where it is not the column's: so are those
/// that `LIKE … INCLUDING IDENTITY` makes.
fn write_identity_type(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let Some(sequence) = catalog.sequences.by_oid.get(&node.address.oid) else { return };
    let owner = sequence.owner.filter(|owner| owner.is_identity);
    let column = owner.and_then(|owner| catalog.column(owner.relation, owner.column));
    if column.is_some_and(|column| column.type_name != sequence.type_name) {
        // The value where it starts anew is one that the new bounds allow.
        let text = format!(
            "ALTER SEQUENCE {} AS {} INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} RESTART CACHE {}{} CYCLE",
            node.identity,
            sequence.type_name,
            sequence.increment,
            sequence.min,
            sequence.max,
            sequence.start,
            sequence.cache,
            if sequence.cycles { "" } else { " NO" }
        );
        writer.statement(Feature::IdentityType, text);
    }
}

/// The part of a column's definition that makes it an identity column.
fn identity_clause(catalog: &Catalog, node: &Node, writer: &mut Writer) -> Option<String> {
    let oid = node.address.oid;
    let sequence = catalog.sequences.by_oid.get(&oid)?;
    let owner = sequence.owner?;
    let column = catalog.column(owner.relation, owner.column)?;
    let kind = match column.identity {
        'a' => "ALWAYS",
        'd' => "BY DEFAULT",
        other => {
            writer.refuse(node.noun(), format!("the identity `{other}` of its column is not known"));
            return None;
        }
    };
    if !writer.on(Feature::Identity) {
        return None;
    }
    let (table, relation) = (catalog.relations.get(&owner.relation)?, catalog.relations.get(&oid)?);
    let mut options = String::new();
    if relation.name != format!("{}_{}_seq", table.name, column.name) {
        options = format!(" SEQUENCE NAME {}", node.identity);
    }
    if sequence.type_name == column.type_name {
        options.push_str(&sequence.options());
    }
    let options = options.trim_start();
    Some(if options.is_empty() {
        format!("GENERATED {kind} AS IDENTITY")
    } else {
        format!("GENERATED {kind} AS IDENTITY ({options})")
    })
}

/// Writes how the sequences of a table's identity columns are stored, where that is not how the table is.
pub fn write_persistence(catalog: &Catalog, table: Oid, writer: &mut Writer) {
    // Before release 15 every sequence is logged, and cannot be otherwise.
    if !catalog.facts.since(15) {
        return;
    }
    for column in catalog.columns_of(table) {
        let sequence = catalog.sequences.of_identity.get(&(table, column.number));
        let (Some(sequence), Some(table)) =
            (sequence.and_then(|sequence| catalog.relations.get(sequence)), catalog.relations.get(&table))
        else {
            continue;
        };
        if sequence.persistence != table.persistence {
            let name = catalog.qualified(sequence.schema, &sequence.name);
            let how = if sequence.persistence == 'u' { "UNLOGGED" } else { "LOGGED" };
            writer.statement(Feature::UnloggedSequence, format!("ALTER SEQUENCE {name} SET {how}"));
        }
    }
}

/// Writes a sequence that stands alone, or away from its table.
fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let Some(sequence) = catalog.sequences.by_oid.get(&oid) else { return };
    let Some(owner) = sequence.owner.filter(|owner| catalog.is_table(owner.relation)) else {
        if let Some(statement) = create(catalog, step.node, writer) {
            writer.statement(Feature::Sequence, statement);
        }
        return;
    };
    if owner.is_identity {
        if let (Some(clause), Some(table), Some(column)) = (
            identity_clause(catalog, step.node, writer),
            catalog.relation_name(owner.relation),
            catalog.column_name(owner.relation, owner.column),
        ) {
            let column = name::quoted(column);
            writer.statement(
                Feature::Identity,
                format!("ALTER TABLE {table} ALTER COLUMN {column} ADD {clause}"),
            );
            write_identity_type(catalog, step.node, writer);
        }
    } else if let Some(statement) = create(catalog, step.node, writer) {
        writer.statement(Feature::Sequence, statement);
        write_owner(catalog, oid, writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(type_name: &str) -> Sequence {
        Sequence {
            type_name: type_name.into(),
            start: 1,
            increment: 1,
            max: i64::MAX,
            min: 1,
            cache: 1,
            cycles: false,
            owner: None,
        }
    }

    #[test]
    fn options_that_the_server_chooses_are_not_written() {
        assert_eq!(sequence("bigint").options(), "");
        assert_eq!(Sequence { max: i64::from(i32::MAX), ..sequence("integer") }.options(), "");
        assert_eq!(Sequence { max: i64::from(i16::MAX), ..sequence("smallint") }.options(), "");
        let down =
            Sequence { increment: -1, max: -1, start: -1, min: i64::from(i32::MIN), ..sequence("integer") };
        assert_eq!(down.options(), " INCREMENT BY -1");
    }

    #[test]
    fn options_of_the_users_are_written() {
        let odd = Sequence {
            start: 5,
            max: 9,
            min: -3,
            cache: 4,
            cycles: true,
            increment: 2,
            ..sequence("bigint")
        };
        assert_eq!(odd.options(), " INCREMENT BY 2 MINVALUE -3 MAXVALUE 9 START WITH 5 CACHE 4 CYCLE");
        // The maximum of another type is no default.
        assert_eq!(sequence("integer").options(), format!(" MAXVALUE {}", i64::MAX));
        // The sequence starts at the minimum that it has, not at that of its type.
        assert_eq!(Sequence { min: 10, start: 10, ..sequence("bigint") }.options(), " MINVALUE 10");
    }
}
