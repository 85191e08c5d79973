//! Rules, but those that make a view a view.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, name, values,
};

pub const FAMILY: Family = Family { of: &["pg_rewrite"], queries, nodes };

/// The rule of every view.
pub const OF_VIEW: &str = "_RETURN";

/// A row of `pg_rewrite`.
#[derive(Debug)]
pub struct Rule {
    name: String,
    relation: Oid,
    /// As `pg_trigger.tgenabled` has it.
    enabled: char,
    definition: String,
}

impl Rule {
    /// Its name, and its table.
    pub fn place(&self) -> (&str, Oid) {
        (&self.name, self.relation)
    }
}

pub type Rules = HashMap<Oid, Rule>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT r.oid, r.rulename, r.ev_class, r.ev_enabled, pg_catalog.pg_get_ruledef(r.oid) \
             FROM pg_catalog.pg_rewrite r WHERE r.oid >= 16384 AND r.rulename <> '{OF_VIEW}'"
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut rule =
        Rule { name: row.text(), relation: row.oid(), enabled: row.letter(), definition: row.text() };
    rule.definition.truncate(rule.definition.trim_end_matches(';').len());
    rule.definition = values::as_loaded(rule.definition);
    catalog.rules.insert(oid, rule);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, rule) in &catalog.rules {
        let Some(relation) = catalog.relations.get(&rule.relation) else { continue };
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Rule, [schema, &relation.name, &rule.name]);
        let of = catalog.qualified(relation.schema, &relation.name);
        let identity = format!("{} ON {of}", name::quoted(&rule.name));
        let address = Address::new(class::REWRITE, *oid);
        let mut node = Node::new(address, key, "RULE", identity, write);
        node.after.extend(hanging::needs(catalog, address, rule.relation));
        graph.add(node.in_schema(relation.schema));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(rule) = catalog.rules.get(&step.node.address.oid) else { return };
    let Some(relation) = catalog.relation_name(rule.relation) else { return };
    if catalog.hanging.has(step.node.address) {
        writer.statement(Feature::Rule, rule.definition.replacen("CREATE RULE", "CREATE OR REPLACE RULE", 1));
    } else {
        writer.statement(Feature::Rule, &rule.definition);
    }
    match super::trigger::state(rule.enabled) {
        Some("") => {}
        Some(state) => {
            let rule = name::quoted(&rule.name);
            writer.statement(Feature::RuleState, format!("ALTER TABLE {relation} {state} RULE {rule}"));
        }
        None => writer.refuse(step.node.noun(), format!("its state `{}` is unknown", rule.enabled)),
    }
}
