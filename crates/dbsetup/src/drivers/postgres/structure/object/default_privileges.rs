//! Privileges that objects get when roles create them. Written behind all objects, and with the privileges alone.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};
use crate::drivers::postgres::structure::acl::{self, Verb};

pub const FAMILY: Family = Family { of: &["pg_default_acl"], queries, nodes };

/// A row of `pg_default_acl`.
#[derive(Debug)]
pub struct Defaults {
    role: String,
    /// 0 for all schemas.
    schema: Oid,
    /// `r` tables, `S` sequences, `f` functions, `T` types, `n` schemas, `L` large objects.
    kind: char,
    list: Vec<String>,
    /// The list of an object that nobody has said anything of.
    new: Vec<String>,
}

pub type AllDefaults = HashMap<Oid, Defaults>;

fn queries(facts: &Facts) -> Vec<Query> {
    if !facts.privileges {
        return Vec::new();
    }
    vec![Query::new(
        "SELECT d.oid, pg_catalog.pg_get_userbyid(d.defaclrole), d.defaclnamespace, d.defaclobjtype, d.defaclacl, \
         pg_catalog.acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole) \
         FROM pg_catalog.pg_default_acl d",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let defaults = Defaults {
        role: row.text(),
        schema: row.oid(),
        kind: row.letter(),
        list: row.list(),
        new: row.list(),
    };
    catalog.default_privileges.insert(oid, defaults);
}

/// What `ALTER DEFAULT PRIVILEGES` calls the objects.
fn noun(kind: char) -> Option<&'static str> {
    match kind {
        'r' => Some("TABLES"),
        'S' => Some("SEQUENCES"),
        'f' => Some("FUNCTIONS"),
        'T' => Some("TYPES"),
        'n' => Some("SCHEMAS"),
        'L' => Some("LARGE OBJECTS"),
        _ => None,
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, defaults) in &catalog.default_privileges {
        let objects = noun(defaults.kind).unwrap_or_default();
        let mut identity = format!("FOR ROLE {}", name::quoted(&defaults.role));
        let schema = (defaults.schema != 0).then(|| catalog.schema_name(defaults.schema));
        if let Some(schema) = schema {
            identity.push_str(&format!(" IN SCHEMA {}", name::quoted(schema)));
        }
        let key = Key::new(Rank::DefaultPrivileges, [&defaults.role, schema.unwrap_or_default(), objects]);
        let address = Address::new(class::DEFAULT_ACL, *oid);
        let node = Node::new(address, key, "DEFAULT PRIVILEGES", identity, write);
        graph.add(Node { schema: schema.map(|_| defaults.schema), ..node });
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(defaults) = catalog.default_privileges.get(&step.node.address.oid) else { return };
    let noun = step.node.noun();
    let Some(objects) = noun_or_refuse(defaults.kind, &noun, writer) else { return };
    let (list, new) = match (acl::parse(&defaults.list), acl::parse(&defaults.new)) {
        (Ok(list), Ok(new)) => (list, new),
        (Err(item), _) | (_, Err(item)) => {
            return writer.refuse(noun, format!("its privileges `{item}` cannot be read"));
        }
    };
    let all = acl::all_of(&new, &defaults.role);
    // Those of a schema come on top of those of all schemas.
    let base = if defaults.schema == 0 { new } else { Vec::new() };
    let changes = match acl::changes(&base, &list, &defaults.role, &[]) {
        Ok(changes) => changes,
        Err(grantor) => return writer.refuse(noun, format!("`{grantor}` has granted what is not its own")),
    };
    for change in changes {
        let words = acl::words_or_all(&change.privileges, &all);
        let grantee = change.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), name::quoted);
        let what = match change.verb {
            Verb::Revoke => format!("REVOKE {words} ON {objects} FROM {grantee}"),
            Verb::RevokeOption => format!("REVOKE GRANT OPTION FOR {words} ON {objects} FROM {grantee}"),
            Verb::Grant => format!("GRANT {words} ON {objects} TO {grantee}"),
            Verb::GrantWithOption => {
                let option = if writer.on(Feature::GrantOption) { " WITH GRANT OPTION" } else { "" };
                format!("GRANT {words} ON {objects} TO {grantee}{option}")
            }
        };
        writer.statement(Feature::DefaultPrivileges, format!("ALTER {noun} {what}"));
    }
}

fn noun_or_refuse(kind: char, of: &str, writer: &mut Writer) -> Option<&'static str> {
    let objects = noun(kind);
    if objects.is_none() {
        writer.refuse(of, format!("its kind of objects `{kind}` is unknown"));
    }
    objects
}
