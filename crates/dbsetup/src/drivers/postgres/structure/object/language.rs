//! Languages of functions, where no extension brings them.
//! <https://www.postgresql.org/docs/current/catalog-pg-language.html>

use std::collections::HashMap;

use super::definition::function;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &["pg_language"], queries, nodes };

/// A row of `pg_language`.
#[derive(Debug)]
pub struct Language {
    pub name: String,
    pub is_trusted: bool,
    pub handler: Option<String>,
    pub inline: Option<String>,
    pub validator: Option<String>,
}

pub type Languages = HashMap<Oid, Language>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT l.oid, l.lanname, l.lanpltrusted, l.lanplcallfoid::pg_catalog.regproc, \
         l.laninline::pg_catalog.regproc, l.lanvalidator::pg_catalog.regproc \
         FROM pg_catalog.pg_language l WHERE l.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let language = Language {
        name: row.text(),
        is_trusted: row.flag(),
        handler: function(row),
        inline: function(row),
        validator: function(row),
    };
    catalog.languages.insert(oid, language);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, language) in &catalog.languages {
        let key = Key::new(Rank::Language, [language.name.as_str()]);
        let address = Address::new(class::LANGUAGE, *oid);
        graph.add(Node::new(address, key, "LANGUAGE", name::quoted(&language.name), write));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(language) = catalog.languages.get(&step.node.address.oid) else { return };
    let Some(handler) = &language.handler else {
        return writer.refuse(step.node.noun(), "it has no handler");
    };
    let trusted = if language.is_trusted && writer.on(Feature::LanguageTrusted) { "TRUSTED " } else { "" };
    let mut statement = format!("CREATE {trusted}{} HANDLER {handler}", step.node.noun());
    for (feature, item, function) in [
        (Feature::LanguageInline, "INLINE", &language.inline),
        (Feature::LanguageValidator, "VALIDATOR", &language.validator),
    ] {
        if let Some(function) = function
            && writer.on(feature)
        {
            statement.push_str(&format!(" {item} {function}"));
        }
    }
    writer.statement(Feature::Language, statement);
}
