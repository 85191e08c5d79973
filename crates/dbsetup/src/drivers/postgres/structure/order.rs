//! The order of a dump: blocks of objects, each after what it needs, loops of dependencies broken.
//!
//! A block is an object with what stands beside it (a table with its constraints, indexes, defaults). Blocks are
//! ordered by dependency, and among those that may come next by the key. Where a loop goes through a block, first
//! what closes it leaves the block; then something stands in for an object early; else the loop is an error. No
//! identifier of a row decides anything.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use super::address::Address;
use super::catalog::Catalog;
use super::node::{Graph, Key, Node};

/// How an object is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// With all that it is.
    Whole,
    /// What stands in for it.
    Early,
    /// After something stood in for it.
    Late,
}

/// A block of the file: its first node leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Indexes of nodes.
    pub nodes: Vec<usize>,
    pub part: Part,
}

/// A loop of dependencies that nothing breaks: what the objects are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loop(pub Vec<String>);

/// One thing to be ordered: a node, or one of the two halves of a node.
struct Unit {
    node: usize,
    part: Part,
    /// Units that come before.
    needs: Vec<usize>,
}

/// Returns the blocks in the order of the file.
pub fn order(catalog: &Catalog, graph: &Graph) -> Result<Vec<Block>, Loop> {
    let mut plan = Plan::new(catalog, graph);
    loop {
        let mut groups = plan.groups();
        let loops = plan.loops(&groups);
        if loops.is_empty() {
            return Ok(plan.sorted(&groups));
        }
        for component in loops {
            if !plan.detach(&groups, &component) && !plan.split(&groups, &component) {
                let mut names: Vec<String> = component.iter().map(|unit| plan.node(*unit).noun()).collect();
                names.sort();
                names.dedup();
                return Err(Loop(names));
            }
            // What stands in for an object leads itself.
            groups.extend(groups.len()..plan.units.len());
        }
    }
}

struct Plan<'a> {
    graph: &'a Graph,
    units: Vec<Unit>,
    /// Units that left the block of their owner.
    detached: HashSet<usize>,
    /// The unit in whose block each one wants to stand.
    owner: Vec<Option<usize>>,
}

/// The node that an address is written with.
pub struct Resolver<'a> {
    by_address: HashMap<Address, usize>,
    graph: &'a Graph,
    catalog: &'a Catalog,
}

impl<'a> Resolver<'a> {
    pub fn new(catalog: &'a Catalog, graph: &'a Graph) -> Self {
        let by_address = graph.nodes.iter().enumerate().map(|(index, node)| (node.address, index)).collect();
        Self { by_address, graph, catalog }
    }

    /// Returns the node that an object is, or is a part of.
    pub fn node(&self, address: Address) -> Option<usize> {
        self.wholes(address).find_map(|whole| self.by_address.get(&whole).copied())
    }

    /// The object, what it is a part of, what that is a part of.
    pub fn wholes(&self, address: Address) -> impl Iterator<Item = Address> {
        let whole =
            |part: &Address| self.graph.parts.get(part).or_else(|| self.catalog.internal.get(part)).copied();
        // Parts of parts are few; a circle of them would be a mistake of a family.
        std::iter::successors(Some(address), whole).take(8)
    }
}

impl<'a> Plan<'a> {
    fn new(catalog: &Catalog, graph: &'a Graph) -> Self {
        let resolver = Resolver::new(catalog, graph);
        let mut units: Vec<Unit> =
            (0..graph.nodes.len()).map(|node| Unit { node, part: Part::Whole, needs: Vec::new() }).collect();
        let from_catalog = catalog.depends.iter().map(|depend| (depend.from, depend.to));
        let from_families =
            graph.nodes.iter().flat_map(|node| node.after.iter().map(|after| (node.address, *after)));
        for (from, to) in from_catalog.chain(from_families) {
            if graph.cut.contains(&(from, to)) {
                continue;
            }
            if let (Some(from), Some(to)) = (resolver.node(from), resolver.node(to))
                && from != to
            {
                units[from].needs.push(to);
            }
        }
        let owner: Vec<Option<usize>> =
            graph.nodes.iter().map(|node| node.block.and_then(|block| resolver.node(block))).collect();
        for (unit, owner) in owner.iter().enumerate() {
            units[unit].needs.extend(owner);
        }
        for unit in &mut units {
            unit.needs.sort_unstable();
            unit.needs.dedup();
        }
        Self { graph, units, detached: HashSet::new(), owner }
    }

    /// Returns for each unit the one that leads its block. A block may want to stand in another one.
    fn groups(&self) -> Vec<usize> {
        let leader = |unit: usize| {
            let mut leader = unit;
            while let Some(owner) = self.owner[leader].filter(|_| !self.detached.contains(&leader)) {
                leader = owner;
            }
            leader
        };
        (0..self.units.len()).map(leader).collect()
    }

    /// Returns the leaders of what each leader's block needs.
    fn edges(&self, groups: &[usize]) -> Vec<Vec<usize>> {
        let mut edges = vec![Vec::new(); self.units.len()];
        for (unit, group) in groups.iter().enumerate() {
            edges[*group]
                .extend(self.units[unit].needs.iter().map(|need| groups[*need]).filter(|need| need != group));
        }
        for needs in &mut edges {
            needs.sort_unstable();
            needs.dedup();
        }
        edges
    }

    /// Returns the loops: the leaders of the blocks of each.
    fn loops(&self, groups: &[usize]) -> Vec<Vec<usize>> {
        let mut loops = components(&self.edges(groups));
        loops.retain(|component| component.len() > 1);
        loops
    }

    /// Takes out of their blocks what needs another block of the loop.
    fn detach(&mut self, groups: &[usize], component: &[usize]) -> bool {
        let component: HashSet<usize> = component.iter().copied().collect();
        // What was split for another loop of this round stands at the end, and has no block to leave.
        let leaving: Vec<usize> = (0..groups.len())
            .filter(|&unit| groups[unit] != unit && component.contains(&groups[unit]))
            .filter(|&unit| {
                let mut needs = self.units[unit].needs.iter().map(|need| groups[*need]);
                needs.any(|need| need != groups[unit] && component.contains(&need))
            })
            .collect();
        self.detached.extend(&leaving);
        !leaving.is_empty()
    }

    /// Lets something stand in for one object of the loop.
    fn split(&mut self, groups: &[usize], component: &[usize]) -> bool {
        let inside: HashSet<usize> = component.iter().copied().collect();
        // The smallest key decides, so that the same schema is broken up in the same way.
        let candidate = component
            .iter()
            .copied()
            .filter(|&unit| self.units[unit].part == Part::Whole && self.node(unit).early.is_some())
            .min_by(|a, b| self.key(*a).cmp(&self.key(*b)));
        let Some(unit) = candidate else { return false };
        let early = self.units.len();
        let needs =
            self.units[unit].needs.iter().copied().filter(|need| !inside.contains(&groups[*need])).collect();
        self.units.push(Unit { node: self.units[unit].node, part: Part::Early, needs });
        self.owner.push(None);
        // The loop needs what stands in; everything else needs the whole.
        for (other, group) in groups.iter().enumerate() {
            if other != unit && inside.contains(group) {
                for need in &mut self.units[other].needs {
                    if *need == unit {
                        *need = early;
                    }
                }
            }
        }
        self.units[unit].part = Part::Late;
        self.units[unit].needs.push(early);
        true
    }

    fn node(&self, unit: usize) -> &'a Node {
        &self.graph.nodes[self.units[unit].node]
    }

    fn key(&self, unit: usize) -> (&'a Key, bool) {
        (&self.node(unit).key, self.units[unit].part == Part::Late)
    }

    fn sorted(&self, groups: &[usize]) -> Vec<Block> {
        let mut members: HashMap<usize, Vec<usize>> = HashMap::new();
        for (unit, group) in groups.iter().enumerate() {
            members.entry(*group).or_default().push(unit);
        }
        let leaders: Vec<usize> = members.keys().copied().collect();
        self.topological(&leaders, &self.edges(groups))
            .into_iter()
            .map(|leader| Block {
                nodes: self.inside(leader, &members[&leader]),
                part: self.units[leader].part,
            })
            .collect()
    }

    /// Returns the nodes of a block, its leader first.
    fn inside(&self, leader: usize, members: &[usize]) -> Vec<usize> {
        let rest: Vec<usize> = members.iter().copied().filter(|unit| *unit != leader).collect();
        let of_block: HashSet<usize> = rest.iter().copied().collect();
        let mut edges = HashMap::new();
        for unit in &rest {
            let needs: Vec<usize> =
                self.units[*unit].needs.iter().copied().filter(|need| of_block.contains(need)).collect();
            edges.insert(*unit, needs);
        }
        std::iter::once(leader)
            .chain(self.kahn(&rest, |unit| edges[&unit].as_slice()))
            .map(|unit| self.units[unit].node)
            .collect()
    }

    fn topological(&self, units: &[usize], edges: &[Vec<usize>]) -> Vec<usize> {
        self.kahn(units, |unit| edges[unit].as_slice())
    }

    /// Kahn's algorithm with a heap: of what needs nothing more, the smallest key comes next.
    fn kahn<'e>(&self, units: &[usize], needs: impl Fn(usize) -> &'e [usize]) -> Vec<usize> {
        let mut missing: HashMap<usize, usize> = HashMap::new();
        let mut wanted_by: HashMap<usize, Vec<usize>> = HashMap::new();
        for &unit in units {
            missing.insert(unit, needs(unit).len());
            for &need in needs(unit) {
                wanted_by.entry(need).or_default().push(unit);
            }
        }
        let mut ready: BinaryHeap<Reverse<((&Key, bool), usize)>> = units
            .iter()
            .filter(|unit| missing[unit] == 0)
            .map(|&unit| Reverse((self.key(unit), unit)))
            .collect();
        let mut sorted = Vec::with_capacity(units.len());
        while let Some(Reverse((_, unit))) = ready.pop() {
            sorted.push(unit);
            for &next in wanted_by.get(&unit).into_iter().flatten() {
                let count = missing.get_mut(&next).expect("it is one of the units");
                *count -= 1;
                if *count == 0 {
                    ready.push(Reverse((self.key(next), next)));
                }
            }
        }
        sorted
    }
}

/// Returns the strongly connected components, by Tarjan's algorithm, without recursion.
fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut number = vec![UNSEEN; edges.len()];
    let mut low = vec![0; edges.len()];
    let mut on_stack = vec![false; edges.len()];
    let (mut stack, mut found, mut count) = (Vec::new(), Vec::new(), 0);
    for root in 0..edges.len() {
        if number[root] != UNSEEN {
            continue;
        }
        let mut path = vec![(root, 0)];
        while let Some(&mut (unit, ref mut next)) = path.last_mut() {
            if *next == 0 {
                number[unit] = count;
                low[unit] = count;
                count += 1;
                stack.push(unit);
                on_stack[unit] = true;
            }
            if let Some(&to) = edges[unit].get(*next) {
                *next += 1;
                if number[to] == UNSEEN {
                    path.push((to, 0));
                } else if on_stack[to] {
                    low[unit] = low[unit].min(number[to]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                low[*parent] = low[*parent].min(low[unit]);
            }
            if low[unit] == number[unit] {
                let mut component = Vec::new();
                while let Some(member) = stack.pop() {
                    on_stack[member] = false;
                    component.push(member);
                    if member == unit {
                        break;
                    }
                }
                found.push(component);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
