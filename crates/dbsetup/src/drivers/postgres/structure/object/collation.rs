//! Collations.
//! <https://www.postgresql.org/docs/current/catalog-pg-collation.html>

use std::collections::HashMap;

use super::definition::Definition;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    in_user_schema, name,
};

pub const FAMILY: Family = Family { of: &["pg_collation"], queries, nodes };

/// A row of `pg_collation`.
#[derive(Debug)]
pub struct Collation {
    pub name: String,
    pub schema: Oid,
    /// `b` builtin, `c` libc, `i` ICU.
    pub provider: char,
    pub is_deterministic: bool,
    /// `LC_COLLATE`; of ICU's collations before release 15, the locale.
    pub collate: Option<String>,
    /// `LC_CTYPE`.
    pub character_type: Option<String>,
    /// The locale of the providers `b` and `i`, since release 15.
    pub locale: Option<String>,
    pub rules: Option<String>,
}

pub type Collations = HashMap<Oid, Collation>;

fn queries(facts: &Facts) -> Vec<Query> {
    // The version is that of the machine's library: it is no part of the structure.
    let locale = facts.either(17, "l.colllocale", facts.either(15, "l.colliculocale", "NULL"));
    vec![Query::new(
        format!(
            "SELECT l.oid, l.collname, l.collnamespace, l.collprovider, l.collisdeterministic, \
             l.collcollate, l.collctype, {locale}, {} FROM pg_catalog.pg_collation l WHERE l.oid >= 16384 AND {}",
            facts.either(16, "l.collicurules", "NULL"),
            in_user_schema("l.collnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let collation = Collation {
        name: row.text(),
        schema: row.oid(),
        provider: row.letter(),
        is_deterministic: row.flag(),
        collate: row.maybe(),
        character_type: row.maybe(),
        locale: row.maybe(),
        rules: row.maybe(),
    };
    catalog.collations.insert(oid, collation);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, collation) in &catalog.collations {
        // Collations of one name may exist for several encodings; those of others than the database's, only the
        // engine itself can make.
        let key = Key::new(Rank::Collation, [catalog.schema_name(collation.schema), &collation.name]);
        let identity = catalog.qualified(collation.schema, &collation.name);
        graph.add(
            Node::new(Address::new(class::COLLATION, *oid), key, "COLLATION", identity, write)
                .in_schema(collation.schema),
        );
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(collation) = catalog.collations.get(&step.node.address.oid) else { return };
    let provider = match collation.provider {
        'b' => "builtin",
        'c' => "libc",
        'i' => "icu",
        letter => {
            return writer
                .refuse(step.node.noun(), format!("collations of the provider `{letter}` are unknown"));
        }
    };
    let mut definition = Definition::default();
    definition.always("provider", provider);
    let literal = |text: &Option<String>| name::literal(text.as_deref().unwrap_or_default());
    if collation.provider == 'c' && collation.collate != collation.character_type {
        definition.always("lc_collate", &literal(&collation.collate));
        let character_type = literal(&collation.character_type);
        definition.given(writer, Feature::CollationType, "lc_ctype", Some(&character_type));
    } else {
        let locale = collation.locale.as_ref().or(collation.collate.as_ref()).cloned();
        definition.always("locale", &literal(&locale));
    }
    if let Some(rules) = &collation.rules {
        definition.always("rules", &name::literal(rules));
    }
    let undetermined = (!collation.is_deterministic).then_some("false");
    definition.given(writer, Feature::CollationDeterminism, "deterministic", undetermined);
    writer.statement(Feature::Collation, definition.after(&format!("CREATE {}", step.node.noun())));
}
