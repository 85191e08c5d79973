//! The objects of a dump as a graph: what each is called, where it wants to stand, and what it needs before it.

use std::collections::{HashMap, HashSet};

use super::address::{Address, Oid};
use super::catalog::Catalog;
use super::writer::Writer;

/// Where kinds of objects stand in the file, as far as their dependencies let them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rank {
    Extension,
    Schema,
    AccessMethod,
    Language,
    Collation,
    Type,
    Function,
    Aggregate,
    Operator,
    OperatorFamily,
    OperatorClass,
    Cast,
    Transform,
    /// Functions whose body the server parsed.
    ParsedFunction,
    Conversion,
    TextSearch,
    ForeignDataWrapper,
    ForeignServer,
    Sequence,
    Table,
    /// What stands in the block of a table, in this order, unless a loop of dependencies takes it out.
    Default,
    Attachment,
    Constraint,
    Index,
    IndexAttachment,
    View,
    MaterializedView,
    ForeignKey,
    Trigger,
    Rule,
    Policy,
    Statistics,
    Publication,
    /// Changes of what the engine and the extensions make.
    BuiltIn,
    DefaultPrivileges,
    EventTrigger,
}

/// The place among all objects: of what may come next, the smallest key does. Never made of identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub rank: Rank,
    /// The names that tell the object from all others of its rank, the widest first; compared as bytes.
    pub path: String,
}

impl Key {
    /// Returns the key of a rank and names.
    pub fn new<'a>(rank: Rank, path: impl IntoIterator<Item = &'a str>) -> Self {
        // The lowest character separates: `a`, `b` stands before `a b`, `a`.
        Self { rank, path: path.into_iter().collect::<Vec<_>>().join("\0") }
    }
}

/// Writes an object.
pub type Write = fn(&Catalog, &Step<'_>, &mut Writer);

/// Words an object as a part of another one's statement; nothing, where it has no part in it.
pub type Clause = fn(&Catalog, &Node, &mut Writer) -> Option<String>;

/// An object that gets statements of its own, or a part of another one's.
#[derive(Debug, Clone)]
pub struct Node {
    pub address: Address,
    pub key: Key,
    /// As `COMMENT ON` says it: `TABLE`, `CONSTRAINT`.
    pub kind: &'static str,
    /// As `COMMENT ON` says it: `public.users`, `users_pkey ON public.users`.
    pub identity: String,
    /// Its schema, or that of what it belongs to: filters ask for it.
    pub schema: Option<Oid>,
    /// The object in whose block it stands, unless a loop of dependencies forbids that.
    pub block: Option<Address>,
    /// The part that it is of the statement of the object whose block it stands in, where it can be one: a
    /// constraint of a table, the default of a column. Away from its block, `write` writes it.
    pub clause: Option<Clause>,
    /// What it needs besides what `pg_depend` says.
    pub after: Vec<Address>,
    /// What can stand in for it where a loop of dependencies goes through it: a view of nulls, a shell type.
    pub early: Option<Write>,
    pub write: Write,
}

impl Node {
    /// Returns a node that stands alone and needs nothing but what `pg_depend` says.
    pub fn new(
        address: Address,
        key: Key,
        kind: &'static str,
        identity: impl Into<String>,
        write: Write,
    ) -> Self {
        Self {
            address,
            key,
            kind,
            identity: identity.into(),
            schema: None,
            block: None,
            clause: None,
            after: Vec::new(),
            early: None,
            write,
        }
    }

    pub fn in_schema(self, schema: Oid) -> Self {
        Self { schema: Some(schema), ..self }
    }

    pub fn in_block(self, of: Address) -> Self {
        Self { block: Some(of), ..self }
    }

    /// As statements and messages name it: `TABLE public.users`.
    pub fn noun(&self) -> String {
        format!("{} {}", self.kind, self.identity)
    }
}

/// One thing to write.
#[derive(Debug)]
pub struct Step<'a> {
    pub node: &'a Node,
    /// What is written with it, as parts of its statement, in the order of their keys.
    pub clauses: &'a [&'a Node],
    /// Whether it stands in the block of another object ([`Node::block`]).
    pub in_block: bool,
    /// Whether something stood in for it before: [`Node::early`].
    pub replaces: bool,
}

impl Step<'_> {
    /// Returns the clause node of that address, if it is written with this one.
    pub fn clause(&self, address: Address) -> Option<&Node> {
        self.clauses.iter().copied().find(|node| node.address == address)
    }
}

/// All objects, before they are ordered.
#[derive(Debug, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    /// What is written with something else and has no node: the other's address.
    pub parts: HashMap<Address, Address>,
    /// Dependencies that the text does not have: `from` does not need `to`.
    pub cut: HashSet<(Address, Address)>,
    /// What is not written by decision.
    pub left_out: Vec<LeftOut>,
    /// What is to be said besides, a sentence each.
    pub notes: Vec<String>,
}

/// What no dump writes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// `SUBSCRIPTION s`.
    pub noun: String,
    pub why: &'static str,
    pub address: Address,
}

impl Graph {
    pub fn add(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// Says that an object is not written, by decision.
    pub fn leave_out(&mut self, address: Address, noun: String, why: &'static str) {
        self.left_out.push(LeftOut { noun, why, address });
    }

    /// Says that `part` is written together with `of`: dependencies on it are dependencies on `of`.
    pub fn part(&mut self, part: Address, of: Address) {
        self.parts.insert(part, of);
    }

    /// Says that `from` can be written before `to`, whatever `pg_depend` says.
    pub fn cut(&mut self, from: Address, to: Address) {
        self.cut.insert((from, to));
    }
}
