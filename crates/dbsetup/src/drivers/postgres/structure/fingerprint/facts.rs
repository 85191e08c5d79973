//! Rows as facts.

use std::collections::HashSet;
use std::sync::Arc;

use super::Row;
use super::names::{Names, oid, toast_owner};
use super::scope::Scope;
use super::shape::{Catalog, Means};
use crate::driver::Fact;

/// Texts that are said many times and kept once.
#[derive(Default)]
struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn keep(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.0.get(text) {
            return kept.clone();
        }
        let kept: Arc<str> = text.into();
        self.0.insert(kept.clone());
        kept
    }
}

/// Returns the facts of all rows in `scope`.
pub(super) fn facts(names: &Names<'_>, scope: &Scope) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut texts = Texts::default();
    for (at, catalog) in names.shape.catalogs.iter().enumerate() {
        let catalog_name = texts.keep(&catalog.name);
        for row in names.rows[at].iter().filter(|row| scope.has(names, at, row)) {
            let said = said(names, catalog, row);
            if said.is_empty() {
                continue;
            }
            let object = match catalog.identifier {
                Some(identifier) if !names.is_nameless(catalog, row) => {
                    names.object(at, oid(row[identifier].as_deref()))
                }
                _ => texts.keep(&object(names, at, row)),
            };
            for (property, value) in said {
                facts.push(Fact {
                    catalog: catalog_name.clone(),
                    object: object.clone(),
                    property: texts.keep(property),
                    value: if value.len() < 64 { texts.keep(&value) } else { value.into() },
                });
            }
        }
    }
    facts
}

/// What a row without an OID, or without a name, is about.
fn object(names: &Names<'_>, catalog: usize, row: &Row) -> String {
    let about = &names.shape.catalogs[catalog];
    if about.key.is_empty() || names.is_nameless(about, row) {
        return about.owner().and_then(|at| names.value(about, row, at)).unwrap_or_default();
    }
    names.called(catalog, row)
}

/// Returns the properties of a row that are there, with their values.
fn said<'n>(names: &Names<'n>, catalog: &'n Catalog, row: &Row) -> Vec<(&'n str, String)> {
    if toast_owner(catalog, row).is_some() {
        let options = catalog.column("reloptions").and_then(|at| row[at].clone());
        return options.map(|options| ("reloptions", options)).into_iter().collect();
    }
    // A row without a key is one fact: nothing tells which of two is which.
    let is_one = catalog.key.is_empty() || names.is_nameless(catalog, row);
    let owner = catalog.owner().filter(|_| is_one);
    let mut said: Vec<(&str, String)> = catalog
        .columns
        .iter()
        .enumerate()
        .filter(|(at, column)| {
            column.compared
                && catalog.identifier != Some(*at)
                && owner != Some(*at)
                && !(catalog.key.contains(at))
                && column.means != Means::Part
        })
        .filter_map(|(at, column)| Some((column.name.as_str(), names.value(catalog, row, at)?)))
        .map(|(property, value)| (property, alike(property, value)))
        .collect();
    said.retain(|(property, value)| !is_exempt(names, catalog, row, property, value));
    if is_one && is_exempt_row(names, catalog, row) {
        return Vec::new();
    }
    if is_one {
        let all: Vec<String> = said.iter().map(|(property, value)| format!("{property} {value}")).collect();
        return vec![("row", all.join(", "))];
    }
    if said.is_empty() && !is_public(catalog, row) {
        said.push(("is there", "t".to_owned()));
    }
    said
}

/// Returns a text without what means nothing: a list of values is worded in one way as it was made, and in another as it
/// is read again from its own text; the commands of an event trigger are a set.
fn alike(property: &str, value: String) -> String {
    match property {
        "ev_action" => value.replace("( VALUES", "(VALUES"),
        "evttags" => {
            let mut tags: Vec<&str> = value.trim_matches(['{', '}']).split(',').collect();
            tags.sort_unstable();
            tags.join(",")
        }
        _ => value,
    }
}

/// Whether a row is that of the schema `public`, which a dump neither makes nor drops.
fn is_public(catalog: &Catalog, row: &Row) -> bool {
    catalog.name == "pg_namespace"
        && catalog.column("nspname").is_some_and(|at| row[at].as_deref() == Some("public"))
}

/// The exceptions that look at a value, each with its reason.
fn is_exempt(names: &Names<'_>, catalog: &Catalog, row: &Row, property: &str, value: &str) -> bool {
    let has = |column: &str| {
        catalog.column(column).is_some_and(|at| row[at].as_deref().is_some_and(|value| !value.is_empty()))
    };
    match (catalog.name.as_str(), property) {
        // The text as it was written; what it means is in `typdefaultbin`.
        ("pg_type", "typdefault") => has("typdefaultbin"),
        // The index says which columns are meant; whether children inherit it is answered in two ways for partitions.
        ("pg_constraint", "connoinherit") => {
            catalog.column("contype").is_some_and(|at| matches!(row[at].as_deref(), Some("p" | "u" | "x")))
        }
        // CREATE EXTENSION and CREATE DATABASE write these themselves.
        ("pg_description", "description") => {
            catalog.owner().and_then(|at| names.value(catalog, row, at)).is_some_and(|object| {
                object.starts_with("pg_extension ")
                    || object == "pg_namespace public" && value == "standard public schema"
            })
        }
        _ => false,
    }
}

/// The rows without a key that are left out, each with its reason.
fn is_exempt_row(names: &Names<'_>, catalog: &Catalog, row: &Row) -> bool {
    let columns = ["classid", "objid", "refclassid", "deptype"];
    let [Some(class), Some(object), Some(on_class), Some(kind)] = columns.map(|name| catalog.column(name))
    else {
        return false;
    };
    let by_oid = |at: usize| names.shape.by_oid.get(&oid(row[at].as_deref())).copied();
    let (Some(class), Some(on_class)) = (by_oid(class), by_oid(on_class)) else { return false };
    let name = |at: usize| names.shape.catalogs[at].name.as_str();
    match (name(class), name(on_class), row[kind].as_deref()) {
        // Of the triggers of a foreign key: noted where the partition was there first, and not where it was attached.
        ("pg_trigger", _, Some("P" | "S")) => names
            .row(class, oid(row[object].as_deref()))
            .is_some_and(|trigger| names.is_nameless(&names.shape.catalogs[class], trigger)),
        // Noted where the transform was there before the function, whether or not it is used.
        ("pg_proc", "pg_transform", Some("n")) => true,
        _ => false,
    }
}
