//! Publications, their tables and their schemas.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name, relation,
};

pub const FAMILY: Family = Family { of: &["pg_publication", "pg_publication_rel"], queries, nodes };

/// A row of `pg_publication`.
#[derive(Debug)]
struct Publication {
    name: String,
    all_tables: bool,
    /// Whether it publishes inserts, updates, deletes, truncates.
    operations: [bool; 4],
    via_root: bool,
    /// `n` no generated columns, `s` stored ones.
    generated: char,
}

/// A row of `pg_publication_rel`.
#[derive(Debug)]
struct Table {
    publication: Oid,
    relation: Oid,
    filter: Option<String>,
    /// Numbers of columns, none for all.
    columns: Vec<i32>,
}

/// A row of `pg_publication_namespace`.
#[derive(Debug)]
struct Schema {
    publication: Oid,
    schema: Oid,
}

#[derive(Debug, Default)]
pub struct Publications {
    publications: HashMap<Oid, Publication>,
    tables: HashMap<Oid, Table>,
    schemas: HashMap<Oid, Schema>,
}

fn queries(facts: &Facts) -> Vec<Query> {
    let mut queries = vec![
        Query::new(
            format!(
                "SELECT p.oid, p.pubname, p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, \
                 {}, {} FROM pg_catalog.pg_publication p WHERE p.oid >= 16384",
                facts.either(13, "p.pubviaroot", "false"),
                facts.either(18, "p.pubgencols", "'n'"),
            ),
            take,
        ),
        Query::new(
            format!(
                "SELECT r.oid, r.prpubid, r.prrelid, {} FROM pg_catalog.pg_publication_rel r WHERE r.oid >= 16384",
                facts.either(15, "pg_catalog.pg_get_expr(r.prqual, r.prrelid), r.prattrs", "NULL, NULL"),
            ),
            take_table,
        ),
    ];
    if facts.since(15) {
        queries.push(Query::new(
            "SELECT n.oid, n.pnpubid, n.pnnspid FROM pg_catalog.pg_publication_namespace n WHERE n.oid >= 16384",
            take_schema,
        ));
    }
    queries
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let publication = Publication {
        name: row.text(),
        all_tables: row.flag(),
        operations: [row.flag(), row.flag(), row.flag(), row.flag()],
        via_root: row.flag(),
        generated: row.letter(),
    };
    catalog.publications.publications.insert(oid, publication);
}

fn take_table(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let table =
        Table { publication: row.oid(), relation: row.oid(), filter: row.maybe(), columns: row.numbers() };
    catalog.publications.tables.insert(oid, table);
}

fn take_schema(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let schema = Schema { publication: row.oid(), schema: row.oid() };
    catalog.publications.schemas.insert(oid, schema);
}

fn address(oid: Oid) -> Address {
    Address::new(class::PUBLICATION, oid)
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    let all = &catalog.publications;
    for (oid, publication) in &all.publications {
        let key = Key::new(Rank::Publication, [publication.name.as_str()]);
        graph.add(Node::new(address(*oid), key, "PUBLICATION", name::quoted(&publication.name), write));
    }
    for (oid, table) in &all.tables {
        let Some(publication) = all.publications.get(&table.publication) else { continue };
        let Some(relation) = catalog.relations.get(&table.relation) else { continue };
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Publication, [&publication.name, "TABLE", schema, &relation.name]);
        let of = catalog.qualified(relation.schema, &relation.name);
        let identity = format!("{of} OF PUBLICATION {}", name::quoted(&publication.name));
        let this = Address::new(class::PUBLICATION_RELATION, *oid);
        let node = Node::new(this, key, "TABLE", identity, write_table).in_block(address(table.publication));
        graph.add(Node { after: vec![relation::address(table.relation)], ..node.in_schema(relation.schema) });
    }
    for (oid, schema) in &all.schemas {
        let Some(publication) = all.publications.get(&schema.publication) else { continue };
        let published = catalog.schema_name(schema.schema);
        let key = Key::new(Rank::Publication, [&publication.name, "SCHEMA", published]);
        let identity =
            format!("{} OF PUBLICATION {}", name::quoted(published), name::quoted(&publication.name));
        let this = Address::new(class::PUBLICATION_NAMESPACE, *oid);
        let node = Node::new(this, key, "SCHEMA", identity, write_schema);
        graph.add(node.in_block(address(schema.publication)).in_schema(schema.schema));
    }
}

const OPERATIONS: [&str; 4] = ["insert", "update", "delete", "truncate"];

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(publication) = catalog.publications.publications.get(&step.node.address.oid) else { return };
    let mut text = format!("CREATE PUBLICATION {}", step.node.identity);
    if publication.all_tables && writer.on(Feature::PublicationAllTables) {
        text.push_str(" FOR ALL TABLES");
    }
    let mut options = Vec::new();
    if publication.operations != [true; 4] && writer.on(Feature::PublicationOperations) {
        let published: Vec<&str> = OPERATIONS
            .into_iter()
            .zip(publication.operations)
            .filter(|(_, on)| *on)
            .map(|(name, _)| name)
            .collect();
        options.push(format!("publish = '{}'", published.join(", ")));
    }
    match publication.generated {
        'n' => {}
        's' => {
            if writer.on(Feature::PublicationGeneratedColumns) {
                options.push("publish_generated_columns = stored".to_owned());
            }
        }
        other => {
            writer.refuse(step.node.noun(), format!("its kind of generated columns, `{other}`, is unknown"));
        }
    }
    if publication.via_root && writer.on(Feature::PublicationViaRoot) {
        options.push("publish_via_partition_root = true".to_owned());
    }
    if !options.is_empty() {
        text.push_str(&format!(" WITH ({})", options.join(", ")));
    }
    writer.statement(Feature::Publication, text);
}

fn write_table(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let all = &catalog.publications;
    let Some(table) = all.tables.get(&step.node.address.oid) else { return };
    let Some(publication) = all.publications.get(&table.publication) else { return };
    let Some(relation) = catalog.relation_name(table.relation) else { return };
    let mut text = format!("ALTER PUBLICATION {} ADD TABLE ONLY {relation}", name::quoted(&publication.name));
    if !table.columns.is_empty() && writer.on(Feature::PublicationColumns) {
        let columns = table.columns.iter().filter_map(|column| catalog.column_name(table.relation, *column));
        text.push_str(&format!(" ({})", name::list(columns)));
    }
    if let Some(filter) = &table.filter
        && writer.on(Feature::PublicationFilter)
    {
        text.push_str(&format!(" WHERE ({filter})"));
    }
    writer.statement(Feature::PublicationTable, text);
}

fn write_schema(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let all = &catalog.publications;
    let Some(schema) = all.schemas.get(&step.node.address.oid) else { return };
    let Some(publication) = all.publications.get(&schema.publication) else { return };
    let (publication, schema) =
        (name::quoted(&publication.name), name::quoted(catalog.schema_name(schema.schema)));
    let statement = format!("ALTER PUBLICATION {publication} ADD TABLES IN SCHEMA {schema}");
    writer.statement(Feature::PublicationSchema, statement);
}
