//! Extensions. What they are made of is never written: the extension makes it.

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// A row of `pg_extension`.
#[derive(Debug)]
pub struct Extension {
    pub name: String,
    pub schema: Oid,
    pub comment: Option<String>,
    /// The comment that making it gives it; nothing where the server has no longer what it takes to make it.
    pub own_comment: Option<Option<String>>,
}

fn queries(_: &Facts) -> Vec<Query> {
    // The server reads a file for each extension that it offers, so it is asked for their comments only where there may be
    // another one: the own comment is written before the first member, in the same transaction.
    vec![Query::new(
        "WITH offered AS MATERIALIZED (SELECT a.name, a.comment FROM pg_catalog.pg_available_extensions() a), \
         here AS MATERIALIZED (SELECT e.oid, e.extname, e.extnamespace, d.description, COALESCE(\
         d.cmin::pg_catalog.text::int8 < (SELECT min(m.cmin::pg_catalog.text::int8) FROM pg_catalog.pg_depend m \
         WHERE m.refclassid = 3079 AND m.refobjid = e.oid AND m.deptype = 'e' AND m.xmin = d.xmin), false) AS is_own \
         FROM pg_catalog.pg_extension e LEFT JOIN pg_catalog.pg_description d \
         ON d.classoid = 3079 AND d.objoid = e.oid AND d.objsubid = 0) \
         SELECT h.oid, h.extname, h.extnamespace, h.description, \
         CASE WHEN h.is_own THEN true ELSE EXISTS (SELECT FROM offered o WHERE o.name = h.extname) END, \
         CASE WHEN h.is_own THEN h.description ELSE (SELECT o.comment FROM offered o WHERE o.name = h.extname) END \
         FROM here h",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut extension =
        Extension { name: row.text(), schema: row.oid(), comment: row.maybe(), own_comment: None };
    let (is_offered, comment) = (row.flag(), row.maybe());
    extension.own_comment = is_offered.then_some(comment);
    catalog.extensions.insert(oid, extension);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, extension) in &catalog.extensions {
        let key = Key::new(Rank::Extension, [extension.name.as_str()]);
        let address = Address::new(class::EXTENSION, *oid);
        graph.add(Node::new(address, key, "EXTENSION", name::quoted(&extension.name), write));
    }
}

impl Extension {
    /// The comment where it is not the one that comes with it.
    pub fn changed_comment(&self) -> Option<Option<&str>> {
        let own = self.own_comment.as_ref()?;
        (self.comment != *own).then_some(self.comment.as_deref())
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(extension) = catalog.extensions.get(&step.node.address.oid) else { return };
    // Every new database has `plpgsql`.
    if extension.name == "plpgsql" {
        return writer.nothing_to_make();
    }
    // Without a version: whoever loads the file gets the one that the server offers.
    let schema = name::quoted(catalog.schema_name(extension.schema));
    let statement = format!("CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {schema}", step.node.identity);
    writer.statement(Feature::Extension, statement);
}
