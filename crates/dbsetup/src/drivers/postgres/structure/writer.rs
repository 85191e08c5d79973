//! The text of a dump while it grows, and the account of what is in it.

use std::collections::{BTreeSet, HashSet};

use super::address::Address;
use super::catalog::Catalog;
use super::feature::Feature;
use super::node::Node;

/// An object that cannot be written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// `TABLE public.users`.
    pub noun: String,
    pub why: String,
}

/// The text, and what it holds.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    /// What is left out, in tests.
    off: Option<Feature>,
    /// What was asked for.
    asked: BTreeSet<Feature>,
    /// What has been written.
    written: HashSet<Address>,
    refused: Vec<Refused>,
    notes: Vec<String>,
    /// Whether the node that is being written has written anything.
    wrote: bool,
    /// Whether the next statement begins a block.
    begins: bool,
}

impl Writer {
    /// Returns a writer that leaves something out.
    pub fn without(off: Option<Feature>) -> Self {
        Self { off, ..Self::default() }
    }

    /// Whether something is to be written. To be asked only where the object has it: what nobody asks for has no
    /// test.
    pub fn on(&mut self, feature: Feature) -> bool {
        self.asked.insert(feature);
        self.off != Some(feature)
    }

    /// Writes a statement, without its `;`, as a `feature`.
    pub fn statement(&mut self, feature: Feature, text: impl AsRef<str>) {
        if self.on(feature) {
            self.raw(text.as_ref());
        }
    }

    /// Returns the clause of a node that is written with another one.
    pub fn clause(&mut self, catalog: &Catalog, node: &Node) -> Option<String> {
        let clause = node.clause?(catalog, node, self);
        if clause.is_some() {
            self.written.insert(node.address);
        }
        clause
    }

    /// Says that an object cannot be written. The dump ends with all of these, and writes nothing.
    pub fn refuse(&mut self, noun: impl Into<String>, why: impl Into<String>) {
        self.refused.push(Refused { noun: noun.into(), why: why.into() });
    }

    /// Says what the text does not keep, a sentence.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Says that there is nothing to make: every new database has the object that is being written, or the statement
    /// of another one makes it.
    pub fn nothing_to_make(&mut self) {
        self.wrote = true;
    }

    fn raw(&mut self, text: &str) {
        if self.begins && !self.text.is_empty() {
            self.text.push('\n');
        }
        self.begins = false;
        self.text.push_str(text);
        self.text.push_str(";\n");
        self.wrote = true;
    }

    /// A blank line before what follows.
    pub(super) fn begin_block(&mut self) {
        self.begins = true;
    }

    /// Runs `write` for an object, which counts as written when it has written anything, or says that it need not.
    pub(super) fn object(&mut self, address: Address, write: impl FnOnce(&mut Self)) {
        self.wrote = false;
        write(self);
        if self.wrote {
            self.written.insert(address);
        }
    }

    pub(super) fn has_written(&self, address: Address) -> bool {
        self.written.contains(&address)
    }

    pub(super) fn refused(&self) -> &[Refused] {
        &self.refused
    }

    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    pub(super) fn asked(&self) -> &BTreeSet<Feature> {
        &self.asked
    }

    /// How long the text is.
    pub(super) fn length(&self) -> usize {
        self.text.len()
    }

    pub(super) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }
}
