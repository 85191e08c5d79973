//! What users hang on the tables of extensions: indexes, triggers, policies, constraints, defaults. The extension's own
//! script makes such things too, and the catalogs list both in the same way.
//!
//! What tells them apart is when each was made. The row of `pg_depend` by which a member belongs to its extension is
//! written once, in the transaction of the script, and nothing but the script's end comes behind its last member. So
//! what hangs on a member is a user's if another transaction hung it there, or a later command of the same one, as in
//! a database that was loaded from a structure file. What a script does behind its last member looks the same; therefore
//! all that is written here is content with what it finds.
//!
//! `pg_upgrade` makes members one by one, and then nobody can tell. Such a member, unlike one that a script has made,
//! joined its extension in a later command than its schema. That is said, and what hangs on it is left to the extension.

use std::collections::{BTreeMap, HashSet};

use super::{Address, Catalog, Cells, Facts, Family, Oid, Query, class, name, relation};

pub const FAMILY: Family = Family { of: &["pg_extension"], queries, nodes: |_, _| {} };

/// What was read.
#[derive(Debug, Default)]
pub struct Hanging {
    /// What users made.
    of_users: HashSet<Address>,
    /// What nobody can tell of, and the extension.
    unknown: Vec<(Address, Oid)>,
    /// Columns that were changed since: extension, relation, column.
    columns: Vec<(Oid, Oid, String)>,
    /// How many comments on members were changed since, by extension.
    comments: BTreeMap<Oid, usize>,
}

impl Hanging {
    /// Whether a user hung it on a table of an extension.
    pub fn has(&self, address: Address) -> bool {
        self.of_users.contains(&address)
    }
}

fn queries(_: &Facts) -> Vec<Query> {
    // Commands are counted anew in each transaction. A subtransaction has a number of its own, and makes what lies
    // between other members of its transaction.
    let scripted = "EXISTS (SELECT FROM pg_catalog.pg_depend n WHERE n.classid = m.classid AND n.objid = m.objid \
         AND n.refclassid = 2615 AND n.xmin = m.made AND n.cmin = m.command)";
    let later = |row: &str| {
        format!(
            "x.xmin <> {row}.xmin AND NOT EXISTS (SELECT FROM moment t WHERE t.extension = m.extension \
             AND t.made = {row}.xmin::pg_catalog.text)"
        )
    };
    let members = "member m JOIN pg_catalog.pg_extension x ON x.oid = m.extension";
    vec![Query::new(
        format!(
            "WITH member AS MATERIALIZED (SELECT e.classid, e.objid, e.refobjid AS extension, e.xmin AS made, \
             e.cmin AS command FROM pg_catalog.pg_depend e WHERE e.refclassid = 3079 AND e.deptype = 'e'), \
             moment AS MATERIALIZED (SELECT m.extension, m.made::pg_catalog.text AS made, \
             max(m.command::pg_catalog.text::int8) AS last, min(m.objid::int8) AS first_object, \
             max(m.objid::int8) AS last_object FROM member m GROUP BY 1, 2) \
             SELECT 'h', d.classid, d.objid, m.extension, '', {scripted} FROM {members} \
             JOIN pg_catalog.pg_depend d ON d.refclassid = 1259 AND d.refobjid = m.objid AND d.deptype = 'a' \
             LEFT JOIN moment t ON t.extension = m.extension AND t.made = d.xmin::pg_catalog.text \
             LEFT JOIN moment home ON home.extension = m.extension AND home.made = m.made::pg_catalog.text \
             WHERE m.classid = 1259 AND NOT EXISTS (SELECT FROM member o WHERE o.classid = d.classid AND o.objid = d.objid) \
             AND CASE WHEN t.last IS NOT NULL THEN d.cmin::pg_catalog.text::int8 > t.last \
             ELSE x.xmin <> d.xmin AND d.objid::int8 NOT BETWEEN home.first_object AND home.last_object END \
             UNION ALL SELECT 'c', m.classid, m.objid, m.extension, a.attname::pg_catalog.text, true FROM {members} \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = m.objid AND a.attnum > 0 AND NOT a.attisdropped \
             AND a.attacl IS NULL WHERE m.classid = 1259 AND {} AND {scripted} \
             UNION ALL SELECT 'd', m.classid, m.objid, m.extension, '', true FROM {members} \
             JOIN pg_catalog.pg_description d ON d.classoid = m.classid AND d.objoid = m.objid WHERE {} AND {scripted}",
            later("a"),
            later("d"),
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let (what, address, extension) = (row.letter(), row.address(), row.oid());
    let (column, is_told) = (row.text(), row.flag());
    let hanging = &mut catalog.hanging;
    match what {
        'h' if is_told => {
            hanging.of_users.insert(address);
        }
        'h' => hanging.unknown.push((address, extension)),
        'c' => hanging.columns.push((extension, address.oid, column)),
        _ => *hanging.comments.entry(extension).or_default() += 1,
    }
}

/// Returns what is not written, a sentence each, but for what is `excluded`.
pub fn notes(catalog: &Catalog, excluded: &HashSet<Address>) -> Vec<String> {
    let mut notes = Vec::new();
    let extension_of = |oid: &Oid| {
        let is_out = excluded.contains(&Address::new(class::EXTENSION, *oid));
        catalog.extensions.get(oid).filter(|_| !is_out)
    };
    let mut unknown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (address, extension) in &catalog.hanging.unknown {
        // Nobody adds these to what somebody else keeps: they are the extension's.
        let is_key =
            catalog.constraints.by_oid.get(&address.oid).is_some_and(|it| matches!(it.kind, 'p' | 'n'));
        if matches!(address.class, class::DEFAULT | class::RELATION if !catalog.indexes.contains_key(&address.oid))
            || (address.class == class::CONSTRAINT && is_key)
        {
            continue;
        }
        let (Some(extension), Some(noun)) = (extension_of(extension), noun(catalog, *address)) else {
            continue;
        };
        unknown.entry(&extension.name).or_default().push(noun);
    }
    for (extension, mut nouns) in unknown {
        nouns.sort();
        nouns.dedup();
        notes.push(format!(
            "nobody can tell whether the extension {extension} made {}: left to the extension",
            nouns.join(", ")
        ));
    }
    let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (extension, table, column) in &catalog.hanging.columns {
        let has_users_default = catalog.column_named(*table, column).is_some_and(|column| {
            let default = catalog.defaults.of(*table, column.number);
            default.is_some_and(|default| catalog.hanging.has(Address::new(class::DEFAULT, default)))
        });
        if let (false, Some(extension), Some(table)) =
            (has_users_default, extension_of(extension), catalog.relation_name(*table))
        {
            columns.entry(&extension.name).or_default().push(format!("{table}.{}", name::quoted(column)));
        }
    }
    for (extension, mut columns) in columns {
        columns.sort();
        notes.push(format!(
            "columns of the extension {extension} were added or changed after it was made, which is left out: {}",
            columns.join(", ")
        ));
    }
    for (extension, count) in &catalog.hanging.comments {
        let Some(extension) = extension_of(extension) else { continue };
        notes.push(format!(
            "{count} comment{} on what the extension {} made {} changed after it was made, which is left out",
            if *count == 1 { "" } else { "s" },
            extension.name,
            if *count == 1 { "was" } else { "were" },
        ));
    }
    notes.sort();
    notes
}

/// `INDEX ext.t_a_idx`, `TRIGGER t ON ext.t`.
fn noun(catalog: &Catalog, address: Address) -> Option<String> {
    let on = |kind: &str, object: &str, table: Oid| {
        Some(format!("{kind} {} ON {}", name::quoted(object), catalog.relation_name(table)?))
    };
    match address.class {
        class::RELATION => Some(format!("INDEX {}", catalog.relation_name(address.oid)?)),
        class::CONSTRAINT => {
            let constraint = catalog.constraints.by_oid.get(&address.oid)?;
            on("CONSTRAINT", &constraint.name, constraint.relation)
        }
        class::TRIGGER => {
            let trigger = catalog.triggers.rows.get(&address.oid)?;
            on("TRIGGER", &trigger.name, trigger.relation)
        }
        class::POLICY => {
            let (name, table) = catalog.policies.get(&address.oid)?.place();
            on("POLICY", name, table)
        }
        class::REWRITE => {
            let (name, table) = catalog.rules.get(&address.oid)?.place();
            on("RULE", name, table)
        }
        class::STATISTICS => Some("extended statistics".to_owned()),
        _ => None,
    }
}

/// Makes a statement content with an object that is there: `CREATE INDEX` becomes `CREATE INDEX IF NOT EXISTS`.
pub fn if_not_exists(catalog: &Catalog, address: Address, definition: &str, kind: &str) -> String {
    if catalog.hanging.has(address) {
        definition.replacen(&format!("{kind} "), &format!("{kind} IF NOT EXISTS "), 1)
    } else {
        definition.to_owned()
    }
}

/// Returns what an object needs that hangs on a table of an extension: the extension.
pub fn needs(catalog: &Catalog, address: Address, table: Oid) -> Option<Address> {
    let extension = catalog.members.get(&relation::address(table))?;
    catalog.hanging.has(address).then(|| Address::new(class::EXTENSION, *extension))
}
