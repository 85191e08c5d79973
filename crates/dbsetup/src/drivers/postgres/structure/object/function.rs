//! Functions, window functions and procedures. The server prints their definitions.
//! <https://www.postgresql.org/docs/current/catalog-pg-proc.html>

use std::collections::{HashMap, HashSet};

use super::{
    Address, Catalog, Cells, Depend, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step,
    Writer, class, in_user_schema,
};

pub const FAMILY: Family = Family { of: &["pg_proc"], queries, nodes };

/// A row of `pg_proc` that is no aggregate.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub schema: Oid,
    /// `f` function, `p` procedure, `w` window function.
    pub kind: char,
    /// With their names, without their defaults.
    pub arguments: String,
    /// As `pg_get_functiondef` words it; nothing for what comes with a type.
    pub definition: Option<String>,
    /// The end of the definition, where the body is parsed.
    pub parsed_body: Option<String>,
    /// Whether its parsed body calls itself.
    pub is_recursive: bool,
}

pub type Functions = HashMap<Oid, Function>;

fn queries(facts: &Facts) -> Vec<Query> {
    // What an extension or a range type makes is not written, and printing takes time.
    vec![Query::new(
        format!(
            "SELECT p.oid, p.proname, p.pronamespace, p.prokind, \
             pg_catalog.pg_get_function_identity_arguments(p.oid), \
             CASE WHEN p.oid NOT IN (SELECT d.objid FROM pg_catalog.pg_depend d \
             WHERE d.classid = 1255 AND d.deptype = 'i') THEN pg_catalog.pg_get_functiondef(p.oid) END, {}, \
             p.oid IN (SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.refclassid = 1255 \
             AND d.objid = d.refobjid) \
             FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prokind <> 'a' AND p.oid NOT IN \
             (SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.deptype = 'e') AND {}",
            facts.either(14, "pg_catalog.pg_get_function_sqlbody(p.oid)", "NULL"),
            in_user_schema("p.pronamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut function = Function {
        name: row.text(),
        schema: row.oid(),
        kind: row.letter(),
        arguments: row.text(),
        definition: row.maybe(),
        parsed_body: row.maybe(),
        is_recursive: row.flag(),
    };
    // Other bodies are texts of their authors.
    if let Some(body) = function.parsed_body.take() {
        function.parsed_body = Some(super::values::as_loaded(body));
        function.definition = function.definition.map(super::values::as_loaded);
    }
    catalog.functions.insert(oid, function);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    let typed = with_types(catalog);
    for (oid, function) in &catalog.functions {
        if function.definition.is_none() {
            continue;
        }
        // A body that is parsed may use casts, of which `pg_depend` knows the functions at most.
        let is_parsed = function.parsed_body.is_some();
        let rank = if is_parsed { Rank::ParsedFunction } else { Rank::Function };
        let path = [catalog.schema_name(function.schema), &function.name, &function.arguments];
        let address = Address::new(class::FUNCTION, *oid);
        let (kind, identity) = identity(catalog, function);
        let mut node =
            Node::new(address, Key::new(rank, path), kind, identity, write).in_schema(function.schema);
        if is_parsed && !typed.contains(&address) {
            node.early = Some(write_early);
        }
        graph.add(node);
    }
}

/// How statements name a function: its kind, and its name with the arguments.
pub fn identity(catalog: &Catalog, function: &Function) -> (&'static str, String) {
    let kind = if function.kind == 'p' { "PROCEDURE" } else { "FUNCTION" };
    (kind, format!("{}({})", catalog.qualified(function.schema, &function.name), function.arguments))
}

/// Returns the functions that need types or relations of the database. A body of another kind cannot stand in for
/// theirs: their arguments may need what needs them.
fn with_types(catalog: &Catalog) -> HashSet<Address> {
    let needs = |depend: &&Depend| {
        depend.from.class == class::FUNCTION && matches!(depend.to.class, class::TYPE | class::RELATION)
    };
    catalog.depends.iter().filter(needs).map(|depend| depend.from).collect()
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(function) = catalog.functions.get(&step.node.address.oid) else { return };
    let (Some(feature), Some(definition)) = (feature(function), &function.definition) else {
        let why = format!("functions of the kind `{}` are unknown", function.kind);
        return writer.refuse(step.node.noun(), why);
    };
    let is_recursive = function.is_recursive && function.parsed_body.is_some();
    if is_recursive && !step.replaces {
        write_early(catalog, step, writer);
    }
    let replaces = step.replaces || is_recursive;
    writer.statement(feature, if replaces { whole(definition).to_owned() } else { creation(definition) });
}

/// Writes the function with an empty body, which is not looked at before the function is called.
fn write_early(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some(function) = catalog.functions.get(&step.node.address.oid)
        && let (Some(definition), Some(body)) = (&function.definition, &function.parsed_body)
        && let (Some(feature), Some(head)) = (feature(function), whole(definition).strip_suffix(whole(body)))
    {
        writer.statement(feature, format!("{}\nAS ''", creation(head)));
    } else {
        writer.refuse(step.node.noun(), "its body is not what its definition ends with");
    }
}

fn feature(function: &Function) -> Option<Feature> {
    match function.kind {
        'f' => Some(Feature::Function),
        'p' => Some(Feature::Procedure),
        'w' => Some(Feature::WindowFunction),
        _ => None,
    }
}

/// Returns a definition without the newline at its end.
fn whole(definition: &str) -> &str {
    definition.strip_suffix('\n').unwrap_or(definition)
}

/// Returns the statement that fails where the function exists already: what is not there is to be made, never to be
/// replaced. The body stays as it is, to the byte.
fn creation(definition: &str) -> String {
    let definition = whole(definition);
    match definition.strip_prefix("CREATE OR REPLACE ") {
        Some(rest) => format!("CREATE {rest}"),
        None => definition.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_created_and_its_body_stays_as_it_is() {
        let body = "AS $function$\r\n  CREATE OR REPLACE FUNCTION x() \\ 'y'\n\n$function$";
        let definition = format!("CREATE OR REPLACE FUNCTION public.f()\n LANGUAGE sql\n{body}\n");
        assert_eq!(creation(&definition), format!("CREATE FUNCTION public.f()\n LANGUAGE sql\n{body}"));
    }
}
