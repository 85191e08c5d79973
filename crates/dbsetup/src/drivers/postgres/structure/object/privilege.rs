//! Privileges, where they are wanted: the difference from what an object has when it is new, or from what an
//! extension or the engine gave it.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Feature, Node, Query, Writer, class, name};
use crate::drivers::postgres::structure::acl::{self, Change, Item, Privileges, Verb};
use crate::drivers::postgres::structure::address::FIRST_USER_OID;

/// The privileges on an object, or on one of its columns.
#[derive(Debug)]
struct Grants {
    /// The column's number, 0 for the object itself.
    column: i32,
    column_name: String,
    owner: String,
    /// The list as it is.
    list: Vec<String>,
    /// The list that it began with.
    base: Vec<String>,
    /// The list of a new object of that kind, by that owner.
    new: Vec<String>,
    /// As `pg_identify_object` says it: the type and the identity of what has no name elsewhere.
    identity: Vec<String>,
}

/// The privileges that are not as they were in the beginning.
#[derive(Debug, Default)]
pub struct AllPrivileges(HashMap<Address, Vec<Grants>>);

impl AllPrivileges {
    /// What has privileges.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.keys()
    }

    /// The type and the identity of what has no name elsewhere, as `pg_identify_object` says them.
    pub fn identity(&self, address: Address) -> Option<(&str, &str)> {
        match &self.0.get(&address)?.first()?.identity[..] {
            [kind, identity] => Some((kind, identity)),
            _ => None,
        }
    }
}

/// The catalogs of one letter of `acldefault` each: identifier, name, columns of the owner and of the list, letter.
const CATALOGS: [(u32, &str, &str, &str, char); 5] = [
    (class::NAMESPACE, "pg_namespace", "nspowner", "nspacl", 'n'),
    (class::TYPE, "pg_type", "typowner", "typacl", 'T'),
    (class::LANGUAGE, "pg_language", "lanowner", "lanacl", 'l'),
    (class::FOREIGN_DATA_WRAPPER, "pg_foreign_data_wrapper", "fdwowner", "fdwacl", 'F'),
    (class::FOREIGN_SERVER, "pg_foreign_server", "srvowner", "srvacl", 'S'),
];

pub fn queries(facts: &Facts) -> Vec<Query> {
    if !facts.privileges {
        return Vec::new();
    }
    let mut parts = vec![
        "SELECT 1259 AS class, c.oid AS oid, 0 AS number, '' AS name, c.relowner AS owner, c.relacl AS list, \
         pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", c.relowner) AS new, \
         NULL::text[] AS signature, c.relnamespace AS schema FROM pg_catalog.pg_class c \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'"
            .to_owned(),
        "SELECT 1259, a.attrelid, a.attnum, a.attname, c.relowner, a.attacl, \
         pg_catalog.acldefault('c', c.relowner), NULL, c.relnamespace \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         WHERE NOT a.attisdropped AND c.relpersistence <> 't' AND (a.attacl IS NOT NULL OR (a.attrelid, a.attnum) IN \
         (SELECT i.objoid, i.objsubid FROM pg_catalog.pg_init_privs i WHERE i.classoid = 1259 AND i.objsubid <> 0))"
            .to_owned(),
        "SELECT 1255, p.oid, 0, '', p.proowner, p.proacl, pg_catalog.acldefault('f', p.proowner), \
         CASE p.prokind WHEN 'a' THEN ARRAY['aggregate', p.oid::pg_catalog.regprocedure::text] END, p.pronamespace \
         FROM pg_catalog.pg_proc p"
            .to_owned(),
    ];
    parts.extend(CATALOGS.map(|(of, catalog, owner, list, letter)| {
        let name = if of == class::NAMESPACE { "o.nspname" } else { "''" };
        let schema = match of {
            class::NAMESPACE => "o.oid",
            class::TYPE => "o.typnamespace",
            _ => "0",
        };
        let signature = if of == class::TYPE { "ARRAY['type', pg_catalog.format_type(o.oid, NULL)]" } else { "NULL" };
        format!(
            "SELECT {of}, o.oid, 0, {name}, o.{owner}, o.{list}, pg_catalog.acldefault('{letter}', o.{owner}), {signature}, {schema} \
             FROM pg_catalog.{catalog} o"
        )
    }));
    // Of the privileges in `information_schema` the server keeps no first state.
    vec![Query::new(
        format!(
            "SELECT o.class, o.oid, o.number, o.name, pg_catalog.pg_get_userbyid(o.owner), COALESCE(o.list, o.new), \
             COALESCE(i.initprivs, o.new), o.new, CASE WHEN o.oid < 16384 OR EXISTS (SELECT 1 \
             FROM pg_catalog.pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e') \
             THEN (SELECT ARRAY[w.type, w.identity] FROM pg_catalog.pg_identify_object(o.class, o.oid, 0) w) \
             ELSE o.signature END \
             FROM ({}) o LEFT JOIN pg_catalog.pg_init_privs i \
             ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = o.number \
             WHERE (o.list IS DISTINCT FROM i.initprivs OR o.class = 2615 AND o.name = 'public') AND o.schema NOT IN \
             (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'information_schema')",
            parts.join(" UNION ALL ")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let grants = Grants {
        column: row.number(),
        column_name: row.text(),
        owner: row.text(),
        list: row.list(),
        base: row.list(),
        new: row.list(),
        identity: row.list(),
    };
    if address.class == class::TYPE {
        catalog.type_names.extend(grants.identity.get(1).map(|name| (address.oid, name.clone())));
    }
    catalog.privileges.0.entry(address).or_default().push(grants);
}

/// Whether an object is the schema that every new database has for users.
pub fn is_public(catalog: &Catalog, address: Address) -> bool {
    address.class == class::NAMESPACE && catalog.schema_name(address.oid) == "public"
}

/// Returns the word of `GRANT` for an object of a catalog, `kind` being the one of `COMMENT ON` or of
/// `pg_identify_object`.
pub fn kind_of(class: u32, kind: &str) -> &'static str {
    match class {
        class::RELATION if kind.eq_ignore_ascii_case("sequence") => "SEQUENCE",
        class::RELATION => "TABLE",
        class::FUNCTION if kind.eq_ignore_ascii_case("procedure") => "PROCEDURE",
        class::FUNCTION => "FUNCTION",
        class::TYPE => "TYPE",
        class::LANGUAGE => "LANGUAGE",
        class::FOREIGN_DATA_WRAPPER => "FOREIGN DATA WRAPPER",
        class::FOREIGN_SERVER => "FOREIGN SERVER",
        _ => "SCHEMA",
    }
}

/// Writes the privileges on an object that the engine or an extension makes.
pub fn write_of_built_in(catalog: &Catalog, node: &Node, address: Address, writer: &mut Writer) {
    let kind = kind_of(address.class, node.kind);
    let target = Target { kind, identity: &node.identity, keeps_owner: true };
    write_all(catalog, address, &target, Feature::BuiltInPrivileges, writer);
}

/// Writes the privileges on an object.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let Some(grants) = catalog.privileges.0.get(&node.address) else { return };
    let is_public = is_public(catalog, node.address);
    // An aggregate is named by its arguments alone.
    let signature = grants
        .first()
        .and_then(|grants| grants.identity.get(1))
        .filter(|_| node.address.class == class::FUNCTION);
    let target = Target {
        kind: kind_of(node.address.class, node.kind),
        identity: signature.unwrap_or(&node.identity),
        keeps_owner: catalog.facts.owners || is_public,
    };
    write_all(catalog, node.address, &target, Feature::Privileges, writer);
}

/// What privileges are on.
struct Target<'a> {
    kind: &'static str,
    identity: &'a str,
    /// Whether the owner is the same wherever the file is loaded; else it is whoever loads it.
    keeps_owner: bool,
}

fn write_all(
    catalog: &Catalog,
    address: Address,
    target: &Target<'_>,
    feature: Feature,
    writer: &mut Writer,
) {
    let mut sorted: Vec<&Grants> = catalog.privileges.0.get(&address).into_iter().flatten().collect();
    // What is taken away of a whole table is taken away of its columns.
    sorted.sort_by_key(|grants| (grants.column != 0, grants.column));
    // Who may grant on a whole table may do so on its columns.
    let mut of_whole = Vec::new();
    for grants in sorted {
        let noun = format!("{} {}", target.kind, target.identity);
        let lists = [&grants.list, &grants.base, &grants.new].map(|list| acl::parse(list));
        let [Ok(mut list), Ok(mut base), Ok(new)] = lists else {
            for item in lists.into_iter().filter_map(Result::err) {
                writer.refuse(&noun, format!("its privileges `{item}` cannot be read"));
            }
            continue;
        };
        let mut owner = grants.owner.as_str();
        if is_public(catalog, address) {
            base = of_public(catalog, owner, &list);
        } else if address.oid < FIRST_USER_OID && owner != catalog.owners.engine {
            // Privileges follow the owner, and the engine's objects are the engine's where the file is loaded.
            acl::give(&mut list, owner, &catalog.owners.engine);
            owner = &catalog.owners.engine;
        }
        match acl::changes(&base, &list, owner, &of_whole) {
            Ok(changes) => {
                let statements = Statements { grants, owner, target, all: acl::all_of(&new, &grants.owner) };
                for change in &changes {
                    statements.write(change, feature, writer);
                }
            }
            Err(grantor) => {
                writer.refuse(noun, format!("`{grantor}` has granted what was not granted to it"));
            }
        }
        if grants.column == 0 {
            of_whole = list;
        }
    }
}

/// Returns what `public` has in every new database, whoever owns it. Until release 14 everyone could create objects
/// there: what such a server says of that is written in any case, since the file may meet a newer one.
fn of_public(catalog: &Catalog, owner: &str, list: &[Item]) -> Vec<Item> {
    let everyone_creates =
        list.iter().any(|item| item.grantee.is_none() && item.privileges.contains_key(&'C'));
    let of_everyone = if catalog.facts.since(15) || everyone_creates { "U" } else { "UC" };
    let item = |grantee: Option<&str>, letters: &str| Item {
        grantee: grantee.map(str::to_owned),
        grantor: owner.to_owned(),
        privileges: letters.chars().map(|letter| (letter, false)).collect(),
    };
    vec![item(Some(owner), "UC"), item(None, of_everyone)]
}

/// The statements on an object, or on one of its columns.
struct Statements<'a> {
    grants: &'a Grants,
    owner: &'a str,
    target: &'a Target<'a>,
    all: Privileges,
}

impl Statements<'_> {
    fn write(&self, change: &Change, feature: Feature, writer: &mut Writer) {
        let of_column = self.grants.column != 0;
        let feature = if of_column { Feature::ColumnPrivileges } else { feature };
        let by_other = change.grantor != self.owner;
        if by_other && writer.on(feature) {
            // The server accepts no other grantor than the current role.
            writer.statement(Feature::Grantor, format!("SET ROLE {}", name::quoted(&change.grantor)));
        }
        let (kind, identity) = (self.target.kind, self.target.identity);
        let (words, grantee) = (self.words(change), self.role(change.grantee.as_deref(), by_other));
        let statement = match change.verb {
            Verb::Revoke => format!("REVOKE {words} ON {kind} {identity} FROM {grantee}"),
            Verb::RevokeOption => {
                format!("REVOKE GRANT OPTION FOR {words} ON {kind} {identity} FROM {grantee}")
            }
            Verb::Grant => format!("GRANT {words} ON {kind} {identity} TO {grantee}"),
            Verb::GrantWithOption => {
                let option = if writer.on(Feature::GrantOption) { " WITH GRANT OPTION" } else { "" };
                format!("GRANT {words} ON {kind} {identity} TO {grantee}{option}")
            }
        };
        writer.statement(feature, statement);
        if by_other && writer.on(feature) {
            writer.statement(Feature::Grantor, "RESET ROLE");
        }
    }

    fn words(&self, change: &Change) -> String {
        if self.grants.column != 0 {
            let column = name::quoted(&self.grants.column_name);
            return acl::words(&change.privileges, &format!(" ({column})"));
        }
        acl::words_or_all(&change.privileges, &self.all)
    }

    fn role(&self, role: Option<&str>, by_other: bool) -> String {
        match role {
            None => "PUBLIC".to_owned(),
            Some(role) if role == self.owner && !self.target.keeps_owner => {
                if by_other { "SESSION_USER" } else { "CURRENT_USER" }.to_owned()
            }
            Some(role) => name::quoted(role),
        }
    }
}
