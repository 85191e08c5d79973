//! Functions, window functions and procedures. The server prints their definitions.
//! <https://www.postgresql.org/docs/current/catalog-pg-proc.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    in_user_schema,
};

pub const FAMILY: Family = Family { queries, nodes };

/// A row of `pg_proc` that is no aggregate.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub schema: Oid,
    /// `f` function, `p` procedure, `w` window function.
    pub kind: char,
    /// With their names, without their defaults.
    pub arguments: String,
    /// Whether the server knows what the body needs: it was parsed when the function was made.
    pub is_parsed: bool,
    /// As `pg_get_functiondef` words it.
    pub definition: String,
}

pub type Functions = HashMap<Oid, Function>;

fn queries(facts: &Facts) -> Vec<Query> {
    // What an extension or a range type makes is not written, and printing takes time.
    vec![Query::new(
        format!(
            "SELECT p.oid, p.proname, p.pronamespace, p.prokind, \
             pg_catalog.pg_get_function_identity_arguments(p.oid), {}, pg_catalog.pg_get_functiondef(p.oid) \
             FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.prokind <> 'a' AND p.oid NOT IN \
             (SELECT d.objid FROM pg_catalog.pg_depend d WHERE d.classid = 1255 AND d.deptype IN ('e', 'i')) AND {}",
            facts.either(14, "p.prosqlbody IS NOT NULL", "false"),
            in_user_schema("p.pronamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let function = Function {
        name: row.text(),
        schema: row.oid(),
        kind: row.letter(),
        arguments: row.text(),
        is_parsed: row.flag(),
        definition: row.text(),
    };
    catalog.functions.insert(oid, function);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, function) in &catalog.functions {
        let kind = if function.kind == 'p' { "PROCEDURE" } else { "FUNCTION" };
        // A body that is parsed may use casts, of which `pg_depend` knows the functions at most.
        let rank = if function.is_parsed { Rank::ParsedFunction } else { Rank::Function };
        let path = [catalog.schema_name(function.schema), &function.name, &function.arguments];
        let identity =
            format!("{}({})", catalog.qualified(function.schema, &function.name), function.arguments);
        let address = Address::new(class::FUNCTION, *oid);
        graph.add(Node::new(address, Key::new(rank, path), kind, identity, write).in_schema(function.schema));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(function) = catalog.functions.get(&step.node.address.oid) else { return };
    let feature = match function.kind {
        'f' => Feature::Function,
        'p' => Feature::Procedure,
        'w' => Feature::WindowFunction,
        letter => {
            return writer.refuse(step.node.noun(), format!("functions of the kind `{letter}` are unknown"));
        }
    };
    writer.statement(feature, creation(&function.definition));
}

/// Returns the statement that fails where the function exists already: what is not there is to be made, never to be
/// replaced. The body stays as it is, to the byte.
fn creation(definition: &str) -> String {
    let definition = definition.strip_suffix('\n').unwrap_or(definition);
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
