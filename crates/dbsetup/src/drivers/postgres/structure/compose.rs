//! From what was read to the text. Pure.

use std::collections::HashSet;

use super::address::{Address, class};
use super::catalog::Catalog;
use super::cells::Unknown;
use super::census::{Aspect, SystemChange};
use super::feature::Feature;
use super::filter::{self, Excluded};
use super::node::{Graph, Node, Rank, Step};
use super::object;
use super::object::part::Parts;
use super::order::{self, Block, Part, Resolver};
use super::writer::{Refused, Writer};
use crate::driver::DumpRequest;

/// A text, and what it holds.
#[derive(Debug)]
pub struct Composed<'a> {
    pub text: String,
    /// Where rows are to stand; `None` is its end.
    pub rows_at: Option<usize>,
    catalog: &'a Catalog,
    graph: Graph,
    excluded: Excluded,
    writer: Writer,
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The text makes it.
    Written,
    /// An extension makes it.
    Member,
    /// What it is a part of makes it.
    Part,
    /// It was to be left out.
    Excluded,
}

/// Writes everything; `off` is left out, in tests.
///
/// # Errors
/// What cannot be written, all of it.
pub fn compose<'a>(
    catalog: &'a Catalog,
    request: &DumpRequest,
    off: Option<Feature>,
) -> Result<Composed<'a>, Vec<Refused>> {
    if !catalog.unknown.is_empty() {
        let refused = |unknown: &Unknown| Refused {
            noun: unknown.column.to_owned(),
            why: format!("`{}` is a letter that this version of the program does not know", unknown.letter),
        };
        return Err(catalog.unknown.iter().map(refused).collect());
    }
    let mut graph = Graph::default();
    for family in object::FAMILIES {
        (family.nodes)(catalog, &mut graph);
    }
    let excluded = filter::exclude(catalog, request, &mut graph);
    if !excluded.missed.is_empty() {
        return Err(excluded.missed);
    }
    graph.notes = object::hanging::notes(catalog, &excluded.objects);
    graph.notes.extend(excluded.notes.iter().cloned());
    let ambiguous = ambiguous(&graph);
    if !ambiguous.is_empty() {
        return Err(ambiguous);
    }
    let blocks = order::order(catalog, &graph).map_err(|circle| {
        let why = format!("it is part of a loop that nothing breaks: {}", circle.0.join(", "));
        vec![Refused { noun: circle.0.first().cloned().unwrap_or_default(), why }]
    })?;
    let mut writer = Writer::without(off);
    let parts = object::part::all(catalog, &graph);
    // What fires on statements stands behind all of them, kept rows and what frames them too.
    let fires = |block: &&Block| {
        block.nodes.first().is_some_and(|node| graph.nodes[*node].key.rank == Rank::EventTrigger)
    };
    let mut rows_at = None;
    for block in &blocks {
        if fires(&block) && rows_at.is_none() {
            rows_at = Some(writer.length());
        }
        write_block(catalog, &graph, &parts, block, &mut writer);
    }
    object::finish(catalog, &graph, &mut writer);
    if !writer.refused().is_empty() {
        return Err(writer.refused().to_vec());
    }
    let text = writer.take_text();
    Ok(Composed { text, rows_at, catalog, graph, excluded, writer })
}

/// Returns the objects whose place in the order is that of another one: only identifiers would tell them apart.
fn ambiguous(graph: &Graph) -> Vec<Refused> {
    let mut seen = HashSet::with_capacity(graph.nodes.len());
    let twice = graph.nodes.iter().filter(|node| !seen.insert(&node.key));
    twice
        .map(|node| Refused {
            noun: node.noun(),
            why: "another object has the same place in the order".to_owned(),
        })
        .collect()
}

fn write_block(catalog: &Catalog, graph: &Graph, parts: &Parts, block: &Block, writer: &mut Writer) {
    writer.begin_block();
    let nodes: Vec<&Node> = block.nodes.iter().map(|node| &graph.nodes[*node]).collect();
    let Some((leader, rest)) = nodes.split_first() else { return };
    let clauses: Vec<&Node> = rest.iter().copied().filter(|node| node.clause.is_some()).collect();
    let step = Step { node: leader, clauses: &clauses, in_block: false, replaces: block.part == Part::Late };
    if block.part == Part::Early {
        // It counts as written when the whole is there.
        if let Some(early) = leader.early {
            early(catalog, &step, writer);
        }
        return;
    }
    writer.object(leader.address, |writer| (leader.write)(catalog, &step, writer));
    object::decorate(catalog, leader, parts, writer);
    for node in rest {
        if !writer.has_written(node.address) && node.clause.is_none() {
            let step = Step { node, clauses: &[], in_block: true, replaces: false };
            writer.object(node.address, |writer| (node.write)(catalog, &step, writer));
        }
        object::decorate(catalog, node, parts, writer);
    }
}

impl Composed<'_> {
    /// Whether the text has a change of an object that the engine makes.
    pub fn writes(&self, change: &SystemChange) -> bool {
        if self.excluded.objects.contains(&change.address) {
            return true;
        }
        // Users have one such object, the schema `public`, of which all is written that is of any other.
        let is_written = self.graph.nodes.iter().any(|node| node.address == change.address);
        let privileges = object::built_in::change_of(change.address);
        is_written || change.aspect == Aspect::Privileges && self.writer.has_written(privileges)
    }

    /// What the text has, of the features that this schema has.
    pub fn features(&self) -> Vec<Feature> {
        self.writer.asked().iter().copied().collect()
    }

    /// What is not in the text by decision, and why, in words.
    pub fn notes(&self) -> Vec<String> {
        let mut left_out: Vec<String> = self
            .graph
            .left_out
            .iter()
            .map(|left| format!("{} is left out: {}", left.noun, left.why))
            .collect();
        left_out.sort();
        left_out.extend(self.graph.notes.iter().chain(self.writer.notes()).cloned());
        left_out
    }

    /// Returns a function that tells what became of an object.
    pub fn disposition(&self) -> impl Fn(Address) -> Option<Disposition> {
        let resolver = Resolver::new(self.catalog, &self.graph);
        let own: HashSet<Address> = self.graph.nodes.iter().map(|node| node.address).collect();
        move |address| {
            if self.catalog.is_member(address) {
                return Some(Disposition::Member);
            }
            // Default privileges are asked for together with privileges.
            let unasked = address.class == class::DEFAULT_ACL && !self.catalog.facts.privileges;
            if unasked || self.excluded.objects.contains(&address) {
                return Some(Disposition::Excluded);
            }
            if own.contains(&address) {
                return self.writer.has_written(address).then_some(Disposition::Written);
            }
            let Some(whole) = resolver.node(address) else {
                // What has no node goes with what it is a part of, which the graph may have lost: members of an
                // extension's operator family are the extension's.
                return resolver.wholes(address).find_map(|whole| match whole {
                    whole if self.catalog.is_member(whole) => Some(Disposition::Member),
                    whole if self.excluded.objects.contains(&whole) => Some(Disposition::Excluded),
                    _ => None,
                });
            };
            self.writer.has_written(self.graph.nodes[whole].address).then_some(Disposition::Part)
        }
    }
}
