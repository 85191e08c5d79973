//! Which rows are compared: those of what the request dumps.

use std::collections::{HashMap, HashSet};

use super::super::super::census::SQLX_TEST;
use super::exceptions::PARTS;
use super::names::{Names, oid, toast_owner};
use super::pattern::Pattern;
use super::shape::Means;
use super::{FIRST_USER_OID, Row};
use crate::driver::DumpRequest;
use crate::ledger::{META_TABLE, PROGRESS_TABLE};

/// An object: where its catalog stands in the shape, and its OID.
type Object = (usize, u32);

/// What is left out.
#[derive(Debug, Default)]
pub(super) struct Scope {
    out: HashSet<Object>,
}

/// What depends on what, as far as it comes and goes with it.
#[derive(Debug, Default)]
struct Dependencies {
    /// The parts of each object: internal and automatic dependencies, those of partitions.
    parts: HashMap<Object, Vec<Object>>,
    /// What hangs on relations: the parts by automatic dependencies. Who makes an extension makes those of its script,
    /// so that in two databases only those that users made can differ.
    hanging: HashSet<(Object, Object)>,
    /// Whether something is a part of anything.
    is_part: HashSet<Object>,
    /// What needs each object, and is not a part of it.
    needed_by: HashMap<Object, Vec<Object>>,
    /// Members of extensions.
    members: Vec<Object>,
    /// The members of each extension.
    made_by: HashMap<Object, Vec<Object>>,
}

impl Dependencies {
    /// <https://www.postgresql.org/docs/current/catalog-pg-depend.html>
    fn read(names: &Names<'_>) -> Self {
        let mut found = Self::default();
        let columns = ["classid", "objid", "refclassid", "refobjid", "deptype"];
        let Some((columns, at)) = names.columns_of("pg_depend", columns) else { return found };
        for row in &names.rows[at] {
            let [class, object, on_class, on_object] =
                [0, 1, 2, 3].map(|column| oid(row[columns[column]].as_deref()));
            let by_oid = &names.shape.by_oid;
            let (Some(class), Some(on_class)) = (by_oid.get(&class), by_oid.get(&on_class)) else { continue };
            match row[columns[4]].as_deref() {
                Some("e") => {
                    found.members.push((*class, object));
                    found.made_by.entry((*on_class, on_object)).or_default().push((*class, object));
                }
                Some(kind @ ("i" | "a" | "P" | "S")) => {
                    if kind == "a" && names.shape.catalogs[*on_class].name == "pg_class" {
                        found.hanging.insert(((*on_class, on_object), (*class, object)));
                    }
                    found.parts.entry((*on_class, on_object)).or_default().push((*class, object));
                    found.is_part.insert((*class, object));
                }
                Some("n") => {
                    found.needed_by.entry((*on_class, on_object)).or_default().push((*class, object));
                }
                _ => {}
            }
        }
        found
    }
}

impl Scope {
    /// Follows the filters as who writes the dump understands them; `path` is the search path.
    pub fn new(names: &Names<'_>, request: &DumpRequest, path: Option<&[String]>) -> Self {
        let by_pg_dump = path.is_some();
        let only_schemas = !request.schemas.is_empty();
        let dependencies = Dependencies::read(names);
        let schemas = Schemas::new(names, request);
        let mut out: Vec<Object> = Vec::new();
        for (at, catalog) in names.shape.catalogs.iter().enumerate() {
            let (Some(identifier), true) = (catalog.identifier, catalog.compared) else { continue };
            // To pg_dump, an extension stands beside schemas, whichever its objects are in.
            let namespace = catalog.namespace().filter(|_| !by_pg_dump || catalog.name != "pg_extension");
            for row in &names.rows[at] {
                let object = (at, oid(row[identifier].as_deref()));
                let hidden = match namespace {
                    Some(namespace) => schemas.hides(oid(row[namespace].as_deref())),
                    None if catalog.name == "pg_namespace" => schemas.hides(object.1),
                    // We never write what may hold a password.
                    None if !by_pg_dump
                        && ["pg_subscription", "pg_user_mapping"].contains(&&*catalog.name) =>
                    {
                        true
                    }
                    // To pg_dump, what stands in no schema is in none of those asked for.
                    None => {
                        by_pg_dump
                            && only_schemas
                            && !dependencies.is_part.contains(&object)
                            && !PARTS.contains(&&*catalog.name)
                    }
                };
                if hidden {
                    out.push(object);
                }
            }
        }
        out.extend(tables(names, request, path));
        out.extend(extensions(names, request, by_pg_dump));
        // To us, it goes where it needs something of another schema.
        let is_free = |(catalog, object): &Object| {
            let about = &names.shape.catalogs[*catalog];
            about.namespace().is_none() && !dependencies.is_part.contains(&(*catalog, *object))
        };
        let mut scope = Self::default();
        while let Some(object) = out.pop() {
            if scope.out.insert(object) {
                out.extend(dependencies.parts.get(&object).into_iter().flatten());
                out.extend(dependencies.made_by.get(&object).into_iter().flatten());
                if only_schemas && !by_pg_dump {
                    let needing = dependencies.needed_by.get(&object).into_iter().flatten();
                    out.extend(needing.filter(|object| is_free(object)));
                }
            }
        }
        let mut out = dependencies.members.clone();
        while let Some(object) = out.pop() {
            if scope.out.insert(object) {
                let parts = dependencies.parts.get(&object).into_iter().flatten();
                out.extend(parts.filter(|part| !dependencies.hanging.contains(&(object, **part))));
            }
        }
        scope
    }

    /// Whether a row is compared.
    pub fn has(&self, names: &Names<'_>, catalog: usize, row: &Row) -> bool {
        let about = &names.shape.catalogs[catalog];
        if let Some(identifier) = about.identifier
            && !PARTS.contains(&&*about.name)
        {
            // Of a toast table only options are compared, which are its table's.
            if let Some(owner) = toast_owner(about, row) {
                return !self.out.contains(&(catalog, owner));
            }
            return !self.out.contains(&(catalog, oid(row[identifier].as_deref())));
        }
        let Some(owner) = about.owner() else { return true };
        let object = oid(row[owner].as_deref());
        let class = match &about.columns[owner].means {
            Means::Object(target) => names.catalog(target),
            Means::Address { class, .. } => names.shape.by_oid.get(&oid(row[*class].as_deref())).copied(),
            _ => None,
        };
        class.is_none_or(|class| {
            // A remark on data, or on an object that has gone: the server forgets some.
            let is_there = names.shape.catalogs[class].compared && names.row(class, object).is_some();
            is_there && !self.out.contains(&(class, object))
        })
    }
}

/// The schemas that are left out.
struct Schemas(HashSet<u32>);

impl Schemas {
    fn new(names: &Names<'_>, request: &DumpRequest) -> Self {
        let patterns = |texts: &[String]| texts.iter().map(|text| Pattern::new(text)).collect::<Vec<_>>();
        let (only, without) = (patterns(&request.schemas), patterns(&request.exclude_schemas));
        let mut hidden = HashSet::new();
        if let Some(([identifier, name], at)) = names.columns_of("pg_namespace", ["oid", "nspname"]) {
            for row in &names.rows[at] {
                let text = row[name].as_deref().unwrap_or_default();
                let is_hidden = text.starts_with("pg_toast")
                    || text.starts_with("pg_temp_")
                    || text == SQLX_TEST
                    || without.iter().any(|pattern| pattern.names(text))
                    || !only.is_empty() && !only.iter().any(|pattern| pattern.names(text));
                if is_hidden {
                    hidden.insert(oid(row[identifier].as_deref()));
                }
            }
        }
        Self(hidden)
    }

    /// `pg_toast` itself is the engine's, and so is not among the rows.
    fn hides(&self, schema: u32) -> bool {
        const TOAST: u32 = 99;
        self.0.contains(&schema) || schema == TOAST
    }
}

/// Our own tables beside the ledger, and those that are excluded by name.
fn tables(names: &Names<'_>, request: &DumpRequest, path: Option<&[String]>) -> Vec<Object> {
    let mut out = Vec::new();
    let Some(([identifier, name, namespace], at)) =
        names.columns_of("pg_class", ["oid", "relname", "relnamespace"])
    else {
        return out;
    };
    let Some(([schema_name], schemas)) = names.columns_of("pg_namespace", ["nspname"]) else { return out };
    let excluded: Vec<Pattern> = request.exclude_tables.iter().map(|text| Pattern::new(text)).collect();
    let home = request.ledger.as_ref().and_then(|ledger| ledger.schema.as_deref());
    for row in &names.rows[at] {
        let text = row[name].as_deref().unwrap_or_default();
        let schema = names
            .row(schemas, oid(row[namespace].as_deref()))
            .and_then(|row| row[schema_name].as_deref())
            .unwrap_or_default();
        let is_ours = [META_TABLE, PROGRESS_TABLE].contains(&text) && home.is_none_or(|home| home == schema);
        if is_ours || excluded.iter().any(|pattern| pattern.matches(schema, text, path)) {
            out.push((at, oid(row[identifier].as_deref())));
        }
    }
    out
}

/// Extensions that are left out by name; where schemas are chosen pg_dump leaves out all.
fn extensions(names: &Names<'_>, request: &DumpRequest, by_pg_dump: bool) -> Vec<Object> {
    let mut out = Vec::new();
    let excluded: Vec<Pattern> = request.exclude_extensions.iter().map(|text| Pattern::new(text)).collect();
    if let Some(([identifier, name], at)) = names.columns_of("pg_extension", ["oid", "extname"]) {
        for row in &names.rows[at] {
            let text = row[name].as_deref().unwrap_or_default();
            // Every database has it; one that was dropped and made again is the user's by its OID alone.
            let is_everywhere = text == "plpgsql";
            if is_everywhere
                || by_pg_dump && !request.schemas.is_empty()
                || excluded.iter().any(|pattern| pattern.names(text))
            {
                out.push((at, oid(row[identifier].as_deref())));
            }
        }
    }
    // What `pg_import_system_collations` finds is the operating system's.
    if let Some(([identifier, namespace], at)) = names.columns_of("pg_collation", ["oid", "collnamespace"]) {
        out.extend(
            names.rows[at]
                .iter()
                .filter(|row| oid(row[namespace].as_deref()) < FIRST_USER_OID)
                .filter(|row| {
                    names.target("pg_namespace", oid(row[namespace].as_deref())).as_deref()
                        == Some("pg_catalog")
                })
                .map(|row| (at, oid(row[identifier].as_deref()))),
        );
    }
    out
}
