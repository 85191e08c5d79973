//! Event triggers: last, so that they do not fire on the statements of the file.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &["pg_event_trigger"], queries, nodes };

/// A row of `pg_event_trigger`.
#[derive(Debug)]
pub struct EventTrigger {
    name: String,
    event: String,
    /// Qualified and quoted.
    function: String,
    /// As `pg_trigger.tgenabled` has it.
    enabled: char,
    tags: Vec<String>,
}

pub type EventTriggers = HashMap<Oid, EventTrigger>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT e.oid, e.evtname, e.evtevent, e.evtfoid::pg_catalog.regproc, e.evtenabled, e.evttags \
         FROM pg_catalog.pg_event_trigger e WHERE e.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut trigger = EventTrigger {
        name: row.text(),
        event: row.text(),
        function: row.text(),
        enabled: row.letter(),
        tags: row.list(),
    };
    trigger.tags.sort();
    catalog.event_triggers.insert(oid, trigger);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, trigger) in &catalog.event_triggers {
        let key = Key::new(Rank::EventTrigger, [trigger.name.as_str()]);
        let address = Address::new(class::EVENT_TRIGGER, *oid);
        graph.add(Node::new(address, key, "EVENT TRIGGER", name::quoted(&trigger.name), write));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(trigger) = catalog.event_triggers.get(&step.node.address.oid) else { return };
    let name = &step.node.identity;
    let mut text = format!("CREATE EVENT TRIGGER {name} ON {}", name::quoted(&trigger.event));
    if !trigger.tags.is_empty() && writer.on(Feature::EventTriggerTags) {
        let tags: Vec<String> = trigger.tags.iter().map(|tag| name::literal(tag)).collect();
        text.push_str(&format!(" WHEN TAG IN ({})", tags.join(", ")));
    }
    text.push_str(&format!(" EXECUTE FUNCTION {}()", trigger.function));
    writer.statement(Feature::EventTrigger, text);
    match super::trigger::state(trigger.enabled) {
        Some("") => {}
        Some(state) => {
            writer.statement(Feature::EventTriggerState, format!("ALTER EVENT TRIGGER {name} {state}"));
        }
        None => writer.refuse(step.node.noun(), format!("its state `{}` is unknown", trigger.enabled)),
    }
}
