//! Policies of row security. Whether a table heeds them is the table's own property.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, name,
};

pub const FAMILY: Family = Family { of: &["pg_policy"], queries, nodes };

/// A row of `pg_policy`.
#[derive(Debug)]
pub struct Policy {
    name: String,
    relation: Oid,
    /// `r` SELECT, `a` INSERT, `w` UPDATE, `d` DELETE, `*` all.
    command: char,
    is_permissive: bool,
    /// Empty for everyone.
    roles: Vec<String>,
    using: Option<String>,
    check: Option<String>,
}

impl Policy {
    /// Its name, and its table.
    pub fn place(&self) -> (&str, Oid) {
        (&self.name, self.relation)
    }
}

pub type Policies = HashMap<Oid, Policy>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT p.oid, p.polname, p.polrelid, p.polcmd, p.polpermissive, \
         ARRAY(SELECT pg_catalog.pg_get_userbyid(r) FROM pg_catalog.unnest(p.polroles) r WHERE r <> 0), \
         pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) \
         FROM pg_catalog.pg_policy p WHERE p.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut policy = Policy {
        name: row.text(),
        relation: row.oid(),
        command: row.letter(),
        is_permissive: row.flag(),
        roles: row.list(),
        using: row.maybe(),
        check: row.maybe(),
    };
    policy.roles.sort();
    catalog.policies.insert(oid, policy);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, policy) in &catalog.policies {
        let Some(relation) = catalog.relations.get(&policy.relation) else { continue };
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Policy, [schema, &relation.name, &policy.name]);
        let of = catalog.qualified(relation.schema, &relation.name);
        let identity = format!("{} ON {of}", name::quoted(&policy.name));
        let address = Address::new(class::POLICY, *oid);
        let mut node = Node::new(address, key, "POLICY", identity, write);
        node.after.extend(hanging::needs(catalog, address, policy.relation));
        graph.add(node.in_schema(relation.schema));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(policy) = catalog.policies.get(&step.node.address.oid) else { return };
    let command = match policy.command {
        '*' => "",
        'r' => " FOR SELECT",
        'a' => " FOR INSERT",
        'w' => " FOR UPDATE",
        'd' => " FOR DELETE",
        other => return writer.refuse(step.node.noun(), format!("its command `{other}` is unknown")),
    };
    let mut text = format!("CREATE POLICY {}", step.node.identity);
    if !policy.is_permissive && writer.on(Feature::PolicyRestrictive) {
        text.push_str(" AS RESTRICTIVE");
    }
    if !command.is_empty() && writer.on(Feature::PolicyCommand) {
        text.push_str(command);
    }
    if !policy.roles.is_empty() && writer.on(Feature::PolicyRoles) {
        text.push_str(&format!(" TO {}", name::list(policy.roles.iter().map(String::as_str))));
    }
    if let Some(using) = &policy.using
        && writer.on(Feature::PolicyUsing)
    {
        text.push_str(&format!(" USING ({using})"));
    }
    if let Some(check) = &policy.check
        && writer.on(Feature::PolicyCheck)
    {
        text.push_str(&format!(" WITH CHECK ({check})"));
    }
    if catalog.hanging.has(step.node.address) {
        writer.statement(Feature::Policy, format!("DROP POLICY IF EXISTS {}", step.node.identity));
    }
    writer.statement(Feature::Policy, text);
}
