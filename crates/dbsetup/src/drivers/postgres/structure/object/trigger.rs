//! Triggers. Those that partitions inherit come with the parent's, and are written where they are switched on or off
//! in another way.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, name, relation,
};

pub const FAMILY: Family = Family { of: &["pg_trigger"], queries, nodes };

/// A row of `pg_trigger`. Of those that the engine makes for constraints, only some are read.
#[derive(Debug)]
pub struct Trigger {
    pub name: String,
    pub relation: Oid,
    /// `O` on, `D` off, `R` on a replica, `A` always.
    enabled: char,
    /// The trigger of the partitioned table, 0 for none.
    parent: Oid,
    /// Nothing for one that something else makes.
    definition: Option<String>,
}

/// What was read of triggers.
#[derive(Debug, Default)]
pub struct Triggers {
    pub rows: HashMap<Oid, Trigger>,
    /// Relations where triggers of constraints are not as usual, and whether all of them are off.
    unusual: HashMap<Oid, bool>,
}

/// The catalog of [`Triggers::unusual`], which is none.
const TRIGGERS_OF_CONSTRAINTS: Oid = 0;

fn queries(facts: &Facts) -> Vec<Query> {
    // Before release 13, `pg_depend` alone knows the parent.
    let (parent, join) = if facts.since(13) {
        ("t.tgparentid", "")
    } else {
        (
            "COALESCE(d.refobjid, 0)",
            "LEFT JOIN pg_catalog.pg_depend d ON d.classid = 2620 AND d.objid = t.oid AND d.refclassid = 2620 ",
        )
    };
    // Until release 14, a partition's copy of a user's constraint trigger looks like one of the engine's.
    let copies = if facts.since(13) && !facts.since(15) { " AND t.tgparentid = 0" } else { "" };
    vec![
        Query::new(
            format!(
                "SELECT t.oid, t.tgname, t.tgrelid, t.tgenabled, {parent}, \
                 CASE WHEN NOT t.tgisinternal AND {parent} = 0 THEN pg_catalog.pg_get_triggerdef(t.oid) END \
                 FROM pg_catalog.pg_trigger t {join}\
                 WHERE t.oid >= 16384 AND (NOT t.tgisinternal OR {parent} <> 0)"
            ),
            take,
        ),
        Query::new(
            format!(
                "SELECT t.tgrelid, pg_catalog.bool_and(t.tgenabled = 'D') FROM pg_catalog.pg_trigger t \
                 WHERE t.oid >= 16384 AND t.tgisinternal AND t.tgconstraint <> 0{copies} \
                 GROUP BY t.tgrelid HAVING pg_catalog.bool_or(t.tgenabled <> 'O')"
            ),
            take_unusual,
        ),
    ]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let trigger = Trigger {
        name: row.text(),
        relation: row.oid(),
        enabled: row.letter(),
        parent: row.oid(),
        definition: row.maybe(),
    };
    catalog.triggers.rows.insert(oid, trigger);
}

fn take_unusual(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let relation = row.oid();
    catalog.triggers.unusual.insert(relation, row.flag());
}

impl Triggers {
    /// Whether a user made it, or the one that it is a copy of.
    fn is_users(&self, trigger: &Trigger) -> bool {
        match &trigger.definition {
            Some(_) => true,
            None => self.rows.get(&trigger.parent).is_some_and(|parent| self.is_users(parent)),
        }
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, trigger) in &catalog.triggers.rows {
        let address = Address::new(class::TRIGGER, *oid);
        if !catalog.triggers.is_users(trigger) {
            continue;
        }
        let parent = catalog.triggers.rows.get(&trigger.parent);
        if parent.is_some_and(|parent| parent.enabled == trigger.enabled) {
            graph.part(address, Address::new(class::TRIGGER, trigger.parent));
            continue;
        }
        let Some(relation) = catalog.relations.get(&trigger.relation) else { continue };
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Trigger, [schema, &relation.name, &trigger.name]);
        let of = catalog.qualified(relation.schema, &relation.name);
        let identity = format!("{} ON {of}", name::quoted(&trigger.name));
        let mut node = Node::new(address, key, "TRIGGER", identity, write).in_schema(relation.schema);
        node.after.extend(hanging::needs(catalog, address, trigger.relation));
        if catalog.triggers.unusual.contains_key(&trigger.relation) {
            // Users' triggers are on again.
            node.after.push(Address::new(TRIGGERS_OF_CONSTRAINTS, trigger.relation));
        }
        graph.add(node);
    }
    for oid in catalog.triggers.unusual.keys() {
        let Some(relation) = catalog.relations.get(oid) else { continue };
        // Before the triggers that users made, which are on when they are new.
        let key = Key::new(Rank::Trigger, [catalog.schema_name(relation.schema), &relation.name]);
        let identity = catalog.qualified(relation.schema, &relation.name);
        let address = Address::new(TRIGGERS_OF_CONSTRAINTS, *oid);
        let node = Node::new(address, key, "TRIGGERS OF CONSTRAINTS ON", identity, write_unusual);
        graph.part(address, relation::address(*oid));
        // What is switched off has to be there: the triggers of the table's own foreign keys, and of those to it.
        let keys = catalog.constraints.by_oid.iter().filter(|(_, key)| {
            let of = catalog.indexes.get(&key.index).map(|index| index.table);
            key.kind == 'f' && (key.relation == *oid || of == Some(*oid))
        });
        let mut after: Vec<Address> = keys.map(|(key, _)| Address::new(class::CONSTRAINT, *key)).collect();
        after.push(relation::address(*oid));
        graph.add(Node { after, ..node.in_schema(relation.schema) });
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(trigger) = catalog.triggers.rows.get(&step.node.address.oid) else { return };
    let Some(relation) = catalog.relation_name(trigger.relation) else { return };
    let (name, own) = (name::quoted(&trigger.name), trigger.definition.is_some());
    if let Some(definition) = &trigger.definition {
        if catalog.hanging.has(step.node.address) {
            writer.statement(Feature::Trigger, format!("DROP TRIGGER IF EXISTS {}", step.node.identity));
        }
        writer.statement(Feature::Trigger, definition);
    }
    match state(trigger.enabled) {
        Some("") if own => {}
        // The parent's is off.
        Some("") => writer.statement(
            Feature::PartitionTriggerState,
            format!("ALTER TABLE {relation} ENABLE TRIGGER {name}"),
        ),
        Some(state) => {
            let feature = if own { Feature::TriggerState } else { Feature::PartitionTriggerState };
            writer.statement(feature, format!("ALTER TABLE {relation} {state} TRIGGER {name}"));
        }
        None => writer.refuse(step.node.noun(), format!("its state `{}` is unknown", trigger.enabled)),
    }
}

/// The triggers of constraints have no names that another database knows, and all can only be switched off at once.
fn write_unusual(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let relation = &step.node.identity;
    if catalog.triggers.unusual.get(&step.node.address.oid) == Some(&true) {
        let statement = format!("ALTER TABLE ONLY {relation} DISABLE TRIGGER ALL");
        return writer.statement(Feature::ConstraintTriggersState, statement);
    }
    let advice = format!(
        "some of its triggers that check constraints are off; `ALTER TABLE {relation} ENABLE TRIGGER ALL` switches them on"
    );
    writer.refuse(format!("TABLE {relation}"), advice);
}

/// Returns the words that switch a trigger or a rule so, nothing but a blank for what is usual.
pub fn state(enabled: char) -> Option<&'static str> {
    match enabled {
        'O' => Some(""),
        'D' => Some("DISABLE"),
        'R' => Some("ENABLE REPLICA"),
        'A' => Some("ENABLE ALWAYS"),
        _ => None,
    }
}
