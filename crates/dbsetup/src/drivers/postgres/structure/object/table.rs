//! Tables of every kind: plain, partitioned, typed, foreign.

use super::default::Handed;
use super::relation::Relation;
use super::{
    Address, Catalog, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, adoption,
    class, column_definition, column_property, constraint_order, name, not_null, options, relation, sequence,
};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

impl Catalog {
    /// Whether a relation is a table of any kind.
    pub fn is_table(&self, oid: Oid) -> bool {
        self.relations.get(&oid).is_some_and(|relation| matches!(relation.kind, 'r' | 'p' | 'f'))
    }
}

/// Tables are among the relations.
fn queries(_: &Facts) -> Vec<Query> {
    Vec::new()
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, relation) in &catalog.relations {
        let kind = match relation.kind {
            'r' | 'p' => "TABLE",
            'f' => "FOREIGN TABLE",
            _ => continue,
        };
        let key = Key::new(Rank::Table, [catalog.schema_name(relation.schema), relation.name.as_str()]);
        let identity = catalog.qualified(relation.schema, &relation.name);
        let mut node =
            Node::new(relation::address(*oid), key, kind, identity, write).in_schema(relation.schema);
        node.after = before(catalog, *oid, relation);
        graph.add(node);
    }
}

/// What a child needs of its parents besides them: what it takes from them as it is made.
fn before(catalog: &Catalog, oid: Oid, relation: &Relation) -> Vec<Address> {
    if relation.is_partition || catalog.inherits.parents(oid).is_empty() {
        return Vec::new();
    }
    let mut before = constraint_order::ancestors(catalog, oid);
    for column in catalog.columns_of(oid) {
        if let Handed::Expression(.., default) = catalog.handed_down(oid, &column.name) {
            before.push(Address::new(class::DEFAULT, default));
        }
    }
    before
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let Some(relation) = catalog.relations.get(&oid) else { return };
    column_definition::check_parents(catalog, step, relation, writer);
    sequence::write_owned(catalog, step, writer);
    let feature = if relation.kind == 'f' { Feature::ForeignTable } else { Feature::Table };
    if let Some(statement) = statement(catalog, step, relation, writer) {
        writer.statement(feature, statement);
    }
    sequence::write_owners(catalog, step, writer);
    sequence::write_persistence(catalog, oid, writer);
    not_null::write(catalog, step, oid, relation, writer);
    column_property::write(catalog, step, "TABLE", writer);
    write_properties(step, relation, writer);
    if relation.is_partition {
        return;
    }
    if catalog.is_adopted(oid) {
        for parent in catalog.inherits.parents(oid).iter().filter_map(|parent| catalog.relation_name(*parent))
        {
            let text = format!("ALTER TABLE ONLY {} INHERIT {parent}", step.node.identity);
            writer.statement(Feature::Adoption, text);
        }
    } else if let Some(note) = adoption::note(catalog, oid, &step.node.noun()) {
        writer.note(note);
    }
}

fn statement(catalog: &Catalog, step: &Step<'_>, relation: &Relation, writer: &mut Writer) -> Option<String> {
    let oid = step.node.address.oid;
    let kind = kind(step, relation, writer)?;
    let mut text = format!("CREATE {kind} {}", step.node.identity);
    if let Some(of_type) = &relation.of_type_name
        && writer.on(Feature::TypedTable)
    {
        text.push_str(&format!(" OF {of_type}"));
    }
    let mut lines = column_definition::lines(catalog, step, relation, writer);
    for node in step.clauses.iter().filter(|node| node.address.class == class::CONSTRAINT) {
        lines.extend(writer.clause(catalog, node));
    }
    match lines.as_slice() {
        [] if relation.of_type != 0 => {}
        [] => text.push_str(" ()"),
        lines => text.push_str(&format!(" (\n    {}\n)", lines.join(",\n    "))),
    }
    let parents = catalog.inherits.parents(oid);
    if !parents.is_empty()
        && !relation.is_partition
        && !catalog.is_adopted(oid)
        && writer.on(Feature::Inheritance)
    {
        let parents: Option<Vec<String>> =
            parents.iter().map(|parent| catalog.relation_name(*parent)).collect();
        match parents {
            Some(parents) => text.push_str(&format!("\nINHERITS ({})", parents.join(", "))),
            None => writer.refuse(step.node.noun(), "a table that it inherits from is not known"),
        }
    }
    if let Some(key) = &relation.partition_key
        && writer.on(Feature::PartitionKey)
    {
        text.push_str(&format!("\nPARTITION BY {key}"));
    }
    if let Some(foreign) = catalog.foreign_tables.get(&oid) {
        text.push_str(&format!("\nSERVER {}", name::quoted(&foreign.server)));
        if !foreign.options.is_empty() && writer.on(Feature::ForeignTableOption) {
            text.push_str(&format!("\nOPTIONS ({})", options::foreign(&foreign.options)));
        }
    }
    if let Some(method) = &relation.method
        && writer.on(Feature::TableMethod)
    {
        text.push_str(&format!("\nUSING {}", name::quoted(method)));
    }
    if let Some(parameters) = parameters(catalog, relation, writer) {
        text.push_str(&format!("\nWITH ({parameters})"));
    }
    Some(text)
}

/// `UNLOGGED TABLE`.
fn kind(step: &Step<'_>, relation: &Relation, writer: &mut Writer) -> Option<String> {
    let unlogged = match relation.persistence {
        'p' => "",
        'u' if writer.on(Feature::UnloggedTable) => "UNLOGGED ",
        'u' => "",
        other => {
            writer.refuse(step.node.noun(), format!("its persistence `{other}` is not known"));
            return None;
        }
    };
    Some(format!("{unlogged}{}", step.node.kind))
}

/// Returns the storage parameters of a table or a materialized view, and those of its TOAST table.
pub fn parameters(catalog: &Catalog, relation: &Relation, writer: &mut Writer) -> Option<String> {
    let mut all = Vec::new();
    if !relation.options.is_empty() && writer.on(Feature::TableOption) {
        all.push(options::storage("", &relation.options));
    }
    if let Some(toast) = catalog.toast_options.get(&relation.toast)
        && writer.on(Feature::ToastOption)
    {
        all.push(options::storage("toast.", toast));
    }
    (!all.is_empty()).then(|| all.join(", "))
}

fn write_properties(step: &Step<'_>, relation: &Relation, writer: &mut Writer) {
    let table = &step.node.identity;
    if relation.row_security {
        writer.statement(Feature::RowSecurity, format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
    }
    if relation.force_row_security {
        writer.statement(
            Feature::ForcedRowSecurity,
            format!("ALTER TABLE ONLY {table} FORCE ROW LEVEL SECURITY"),
        );
    }
    write_replica_identity(step, relation, writer);
}

/// Writes what of a row is told to subscribers; an index that tells it is written with that index.
pub fn write_replica_identity(step: &Step<'_>, relation: &Relation, writer: &mut Writer) {
    // A foreign table has nothing to tell.
    let identity = match relation.replica_identity {
        'n' if relation.kind != 'f' => "NOTHING",
        'f' => "FULL",
        'd' | 'i' | 'n' => return,
        other => {
            writer.refuse(step.node.noun(), format!("its replica identity `{other}` is not known"));
            return;
        }
    };
    let text = format!("ALTER TABLE ONLY {} REPLICA IDENTITY {identity}", step.node.identity);
    writer.statement(Feature::ReplicaIdentity, text);
}
