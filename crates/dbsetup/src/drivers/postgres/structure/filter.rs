//! What a dump leaves out because it was told to, and whether anything that stays needs it.

use std::collections::{HashMap, HashSet};

use super::address::{Address, Oid, class};
use super::catalog::Catalog;
use super::node::{Graph, Node};
use super::object::schema;
use super::order::Resolver;
use super::writer::Refused;
use crate::driver::DumpRequest;
use crate::drivers::postgres::census::SQLX_TEST;
use crate::ledger::{META_TABLE, PROGRESS_TABLE};
use crate::pattern::matches;

/// How the reason ends why something is refused that needs what is left out.
pub const LEFT_OUT: &str = ", which is left out";

/// What is left out.
#[derive(Debug, Default)]
pub struct Excluded {
    /// The objects, with their parts.
    pub objects: HashSet<Address>,
    /// What stays although something it needs is left out.
    pub missed: Vec<Refused>,
    /// What the filters did that nobody may have meant, a sentence each.
    pub notes: Vec<String>,
}

/// Takes what the request leaves out, and members of extensions, out of the graph.
pub fn exclude(catalog: &Catalog, request: &DumpRequest, graph: &mut Graph) -> Excluded {
    graph.nodes.retain(|node| !catalog.is_member(node.address));
    let mut excluded: HashSet<Address> = HashSet::new();
    let mut notes = Vec::new();
    let mut extensions: HashSet<Oid> = HashSet::new();
    for (oid, extension) in &catalog.extensions {
        let schema = catalog.schema_name(extension.schema);
        if request.exclude_extensions.iter().any(|name| matches(name, &extension.name)) {
            extensions.insert(*oid);
        } else if !schema::is_engines(schema) && leaves_schema_out(request, schema) {
            extensions.insert(*oid);
            notes.push(format!("EXTENSION {} is left out with its schema `{schema}`", extension.name));
        }
    }
    excluded.extend(extensions.iter().map(|oid| Address::new(class::EXTENSION, *oid)));
    excluded
        .extend(catalog.members.iter().filter(|(_, of)| extensions.contains(of)).map(|(member, _)| *member));
    for node in &graph.nodes {
        let schema = match node.schema {
            _ if schema::is_no_public(node) => Some(schema::PUBLIC),
            schema => schema.map(|schema| catalog.schema_name(schema)),
        };
        if schema.is_some_and(|schema| leaves_schema_out(request, schema))
            || (node.address.class == class::RELATION && leaves_table_out(catalog, request, node.address))
        {
            excluded.insert(node.address);
        }
    }
    spread(catalog, request, graph, &mut excluded);
    let missed = missed(catalog, graph, &excluded);
    graph.left_out.retain(|left| !catalog.is_member(left.address));
    excluded.extend(graph.left_out.iter().map(|left| left.address));
    notes.extend(emptied(graph, &excluded));
    notes.sort();
    graph.nodes.retain(|node| !excluded.contains(&node.address));
    Excluded { objects: excluded, missed, notes }
}

/// Publications that stay, and of which the filters leave no table and no schema.
fn emptied(graph: &Graph, excluded: &HashSet<Address>) -> Vec<String> {
    let mut stays: HashMap<Address, bool> = HashMap::new();
    let is_part = |class| matches!(class, class::PUBLICATION_RELATION | class::PUBLICATION_NAMESPACE);
    for node in graph.nodes.iter().filter(|node| is_part(node.address.class)) {
        if let Some(publication) = node.block {
            *stays.entry(publication).or_default() |= !excluded.contains(&node.address);
        }
    }
    let is_emptied =
        |node: &&Node| stays.get(&node.address) == Some(&false) && !excluded.contains(&node.address);
    graph
        .nodes
        .iter()
        .filter(is_emptied)
        .map(|node| format!("{} is written empty: all that it publishes is left out", node.noun()))
        .collect()
}

/// Looks for filters that mean nothing in the database: a file is not to lose everything because of a slip of the pen.
/// Returns a sentence for each exclusion without an object; one with wildcards may have none.
///
/// # Errors
/// The first of the wanted schemas that is not there.
pub fn idle(catalog: &Catalog, request: &DumpRequest) -> Result<Vec<String>, String> {
    let any_schema = |pattern: &str| catalog.schemas.values().any(|schema| matches(pattern, &schema.name));
    if let Some(missing) = request.schemas.iter().find(|pattern| !any_schema(pattern)) {
        return Err(missing.clone());
    }
    let any_table = |pattern: &str| {
        catalog
            .relations
            .values()
            .any(|relation| is_table(pattern, catalog.schema_name(relation.schema), &relation.name))
    };
    let any_extension =
        |pattern: &str| catalog.extensions.values().any(|extension| matches(pattern, &extension.name));
    let mut idle = Vec::new();
    let mut look = |noun: &str, patterns: &[String], any: &dyn Fn(&str) -> bool| {
        for pattern in patterns.iter().filter(|pattern| !pattern.contains(['*', '?']) && !any(pattern)) {
            idle.push(format!("there is no {noun} `{pattern}` to leave out"));
        }
    };
    look("schema", &request.exclude_schemas, &any_schema);
    look("table", &request.exclude_tables, &any_table);
    look("extension", &request.exclude_extensions, &any_extension);
    Ok(idle)
}

fn is_table(pattern: &str, schema: &str, table: &str) -> bool {
    match pattern.split_once('.') {
        Some((in_schema, pattern)) => matches(in_schema, schema) && matches(pattern, table),
        None => matches(pattern, table),
    }
}

fn leaves_schema_out(request: &DumpRequest, schema: &str) -> bool {
    schema == SQLX_TEST
        || request.exclude_schemas.iter().any(|pattern| matches(pattern, schema))
        || (!request.schemas.is_empty() && !request.schemas.iter().any(|pattern| matches(pattern, schema)))
}

fn leaves_table_out(catalog: &Catalog, request: &DumpRequest, address: Address) -> bool {
    let Some(relation) = catalog.relations.get(&address.oid) else { return false };
    let schema = catalog.schema_name(relation.schema);
    let of_ledger = request.ledger.as_ref().and_then(|ledger| ledger.schema.as_deref());
    if [META_TABLE, PROGRESS_TABLE].contains(&relation.name.as_str())
        && of_ledger.is_none_or(|of_ledger| of_ledger == schema)
    {
        return true;
    }
    request.exclude_tables.iter().any(|pattern| is_table(pattern, schema, &relation.name))
}

/// Adds what goes with what is left out: its parts and properties, and where only some schemas are wanted, what is
/// in no schema and needs one of the others.
fn spread(catalog: &Catalog, request: &DumpRequest, graph: &Graph, excluded: &mut HashSet<Address>) {
    let mut needed_by: HashMap<Address, Vec<Address>> = HashMap::new();
    let schemaless: HashSet<Address> = graph
        .nodes
        .iter()
        .filter(|node| node.schema.is_none() && node.address.class != class::EXTENSION)
        .map(|node| node.address)
        .collect();
    for depend in &catalog.depends {
        // Nobody can name a cast or a transform to leave it out: they go with their types and functions.
        let goes_along = matches!(depend.kind, 'a' | 'i' | 'P' | 'S')
            || matches!(depend.from.class, class::CAST | class::TRANSFORM)
            || (!request.schemas.is_empty() && schemaless.contains(&depend.from));
        if goes_along {
            needed_by.entry(depend.to).or_default().push(depend.from);
        }
    }
    for (part, of) in &graph.parts {
        needed_by.entry(*of).or_default().push(*part);
    }
    for node in &graph.nodes {
        if let Some(block) = node.block {
            needed_by.entry(block).or_default().push(node.address);
        }
    }
    let mut next: Vec<Address> = excluded.iter().copied().collect();
    while let Some(address) = next.pop() {
        for follower in needed_by.get(&address).into_iter().flatten() {
            if excluded.insert(*follower) {
                next.push(*follower);
            }
        }
    }
}

/// Returns what stays and needs something that is left out.
fn missed(catalog: &Catalog, graph: &Graph, excluded: &HashSet<Address>) -> Vec<Refused> {
    if excluded.is_empty() {
        return Vec::new();
    }
    let resolver = Resolver::new(catalog, graph);
    let mut missed: Vec<Refused> = catalog
        .depends
        .iter()
        .filter(|depend| excluded.contains(&depend.to) && !graph.cut.contains(&(depend.from, depend.to)))
        .filter_map(|depend| {
            let node = &graph.nodes[resolver.node(depend.from)?];
            if excluded.contains(&node.address) || excluded.contains(&depend.from) {
                return None;
            }
            let needed = match resolver.node(depend.to) {
                Some(node) => graph.nodes[node].noun(),
                None => extension_of(catalog, depend.to)?,
            };
            Some(Refused { noun: node.noun(), why: format!("it needs {needed}{LEFT_OUT}") })
        })
        .collect();
    missed.sort_by(|a, b| (&a.noun, &a.why).cmp(&(&b.noun, &b.why)));
    missed.dedup();
    missed
}

fn extension_of(catalog: &Catalog, member: Address) -> Option<String> {
    let extension = catalog.extensions.get(catalog.members.get(&member)?)?;
    let schema = catalog.schema_name(extension.schema);
    Some(format!("the extension {} in the schema `{schema}`", extension.name))
}
