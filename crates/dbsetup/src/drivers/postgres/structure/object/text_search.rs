//! Text search: parsers, templates, dictionaries, configurations.
//! <https://www.postgresql.org/docs/current/textsearch-configuration.html>

use std::collections::HashMap;

use super::definition::{Definition, function};
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Write, Writer,
    class, in_user_schema, name,
};

pub const FAMILY: Family =
    Family { of: &["pg_ts_parser", "pg_ts_template", "pg_ts_dict", "pg_ts_config"], queries, nodes };

/// All of them.
#[derive(Debug, Default)]
pub struct TextSearch {
    pub parsers: HashMap<Oid, Parser>,
    pub templates: HashMap<Oid, Template>,
    pub dictionaries: HashMap<Oid, Dictionary>,
    pub configurations: HashMap<Oid, Configuration>,
}

/// A row of `pg_ts_parser`.
#[derive(Debug)]
pub struct Parser {
    pub name: String,
    pub schema: Oid,
    pub start: Option<String>,
    pub token: Option<String>,
    pub end: Option<String>,
    pub headline: Option<String>,
    pub types: Option<String>,
}

/// A row of `pg_ts_template`.
#[derive(Debug)]
pub struct Template {
    pub name: String,
    pub schema: Oid,
    pub init: Option<String>,
    pub lexize: Option<String>,
}

/// A row of `pg_ts_dict`.
#[derive(Debug)]
pub struct Dictionary {
    pub name: String,
    pub schema: Oid,
    /// As statements name it.
    pub template: String,
    /// As they stood in the statement that made it.
    pub options: Option<String>,
}

/// A row of `pg_ts_config`.
#[derive(Debug)]
pub struct Configuration {
    pub name: String,
    pub schema: Oid,
    /// As statements name it.
    pub parser: String,
    /// Kinds of words, in the order of the parser, and the dictionaries that are asked one after another.
    pub mappings: Vec<(String, Vec<String>)>,
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![
        Query::new(
            format!(
                "SELECT p.oid, p.prsname, p.prsnamespace, p.prsstart, p.prstoken, p.prsend, p.prsheadline, \
                 p.prslextype FROM pg_catalog.pg_ts_parser p WHERE p.oid >= 16384 AND {}",
                in_user_schema("p.prsnamespace")
            ),
            take_parser,
        ),
        Query::new(
            format!(
                "SELECT t.oid, t.tmplname, t.tmplnamespace, t.tmplinit, t.tmpllexize \
                 FROM pg_catalog.pg_ts_template t WHERE t.oid >= 16384 AND {}",
                in_user_schema("t.tmplnamespace")
            ),
            take_template,
        ),
        Query::new(
            format!(
                "SELECT d.oid, d.dictname, d.dictnamespace, t.tmplnamespace, t.tmplname, d.dictinitoption \
                 FROM pg_catalog.pg_ts_dict d JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate \
                 WHERE d.oid >= 16384 AND {}",
                in_user_schema("d.dictnamespace")
            ),
            take_dictionary,
        ),
        Query::new(
            format!(
                "SELECT c.oid, c.cfgname, c.cfgnamespace, p.prsnamespace, p.prsname FROM pg_catalog.pg_ts_config c \
                 JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser WHERE c.oid >= 16384 AND {}",
                in_user_schema("c.cfgnamespace")
            ),
            take_configuration,
        ),
        // The parser knows what its numbers of words are called.
        Query::new(
            "SELECT m.mapcfg, t.alias, d.dictnamespace, d.dictname FROM pg_catalog.pg_ts_config_map m \
             JOIN pg_catalog.pg_ts_config c ON c.oid = m.mapcfg \
             JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict, \
             LATERAL pg_catalog.ts_token_type(c.cfgparser) t WHERE m.mapcfg >= 16384 AND t.tokid = m.maptokentype \
             ORDER BY m.mapcfg, m.maptokentype, m.mapseqno",
            take_mapping,
        ),
    ]
}

fn take_parser(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let parser = Parser {
        name: row.text(),
        schema: row.oid(),
        start: function(row),
        token: function(row),
        end: function(row),
        headline: function(row),
        types: function(row),
    };
    catalog.text_search.parsers.insert(oid, parser);
}

fn take_template(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let template =
        Template { name: row.text(), schema: row.oid(), init: function(row), lexize: function(row) };
    catalog.text_search.templates.insert(oid, template);
}

fn take_dictionary(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let dictionary = Dictionary {
        name: row.text(),
        schema: row.oid(),
        template: qualified(catalog, row),
        options: row.maybe(),
    };
    catalog.text_search.dictionaries.insert(oid, dictionary);
}

fn take_configuration(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let configuration = Configuration {
        name: row.text(),
        schema: row.oid(),
        parser: qualified(catalog, row),
        mappings: Vec::new(),
    };
    catalog.text_search.configurations.insert(oid, configuration);
}

fn take_mapping(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let (oid, token, dictionary) = (row.oid(), row.text(), qualified(catalog, row));
    // Those of temporary schemas are not among the configurations.
    let Some(configuration) = catalog.text_search.configurations.get_mut(&oid) else { return };
    match configuration.mappings.last_mut() {
        Some((last, dictionaries)) if *last == token => dictionaries.push(dictionary),
        _ => configuration.mappings.push((token, vec![dictionary])),
    }
}

fn qualified(catalog: &Catalog, row: &mut Cells<'_>) -> String {
    let (schema, name) = (row.oid(), row.text());
    catalog.qualified(schema, &name)
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    let all = &catalog.text_search;
    let mut add =
        |class: Oid, oid: Oid, place: &str, kind: &'static str, (schema, name): (Oid, &str), write| {
            let key = Key::new(Rank::TextSearch, [place, catalog.schema_name(schema), name]);
            let identity = catalog.qualified(schema, name);
            graph.add(Node::new(Address::new(class, oid), key, kind, identity, write).in_schema(schema));
        };
    for (oid, parser) in &all.parsers {
        let name = (parser.schema, parser.name.as_str());
        add(class::TS_PARSER, *oid, "1", "TEXT SEARCH PARSER", name, write_parser as Write);
    }
    for (oid, template) in &all.templates {
        let name = (template.schema, template.name.as_str());
        add(class::TS_TEMPLATE, *oid, "2", "TEXT SEARCH TEMPLATE", name, write_template);
    }
    for (oid, dictionary) in &all.dictionaries {
        let name = (dictionary.schema, dictionary.name.as_str());
        add(class::TS_DICTIONARY, *oid, "3", "TEXT SEARCH DICTIONARY", name, write_dictionary);
    }
    for (oid, configuration) in &all.configurations {
        let name = (configuration.schema, configuration.name.as_str());
        add(class::TS_CONFIGURATION, *oid, "4", "TEXT SEARCH CONFIGURATION", name, write_configuration);
    }
}

fn write_parser(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(parser) = catalog.text_search.parsers.get(&step.node.address.oid) else { return };
    let mut definition = Definition::default();
    for (item, function) in [
        ("START", &parser.start),
        ("GETTOKEN", &parser.token),
        ("END", &parser.end),
        ("LEXTYPES", &parser.types),
    ] {
        if let Some(function) = function {
            definition.always(item, function);
        }
    }
    definition.given(writer, Feature::TextSearchHeadline, "HEADLINE", parser.headline.as_deref());
    writer.statement(Feature::TextSearchParser, definition.after(&format!("CREATE {}", step.node.noun())));
}

fn write_template(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(template) = catalog.text_search.templates.get(&step.node.address.oid) else { return };
    let mut definition = Definition::default();
    definition.given(writer, Feature::TextSearchInit, "INIT", template.init.as_deref());
    definition.always("LEXIZE", template.lexize.as_deref().unwrap_or_default());
    writer.statement(Feature::TextSearchTemplate, definition.after(&format!("CREATE {}", step.node.noun())));
}

fn write_dictionary(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(dictionary) = catalog.text_search.dictionaries.get(&step.node.address.oid) else { return };
    let mut definition = Definition::default();
    definition.always("TEMPLATE", &dictionary.template);
    if let Some(options) = &dictionary.options {
        definition.word(writer, Feature::TextSearchOptions, true, options);
    }
    let statement = definition.after(&format!("CREATE {}", step.node.noun()));
    writer.statement(Feature::TextSearchDictionary, statement);
}

fn write_configuration(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(configuration) = catalog.text_search.configurations.get(&step.node.address.oid) else { return };
    let noun = step.node.noun();
    let statement = format!("CREATE {noun} (PARSER = {})", configuration.parser);
    writer.statement(Feature::TextSearchConfiguration, statement);
    for (token, dictionaries) in &configuration.mappings {
        let dictionaries = dictionaries.join(", ");
        let statement = format!("ALTER {noun} ADD MAPPING FOR {} WITH {dictionaries}", name::quoted(token));
        writer.statement(Feature::TextSearchMapping, statement);
    }
}
