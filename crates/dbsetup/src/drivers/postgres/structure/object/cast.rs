//! Casts.
//! <https://www.postgresql.org/docs/current/catalog-pg-cast.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
};

pub const FAMILY: Family = Family { of: &["pg_cast"], queries, nodes };

/// A row of `pg_cast`.
#[derive(Debug)]
pub struct Cast {
    pub source: String,
    pub target: String,
    /// With its types, as statements name it.
    pub function: Option<String>,
    /// `e` explicit, `a` assignment, `i` implicit.
    pub context: char,
    /// `f` function, `b` binary, `i` through the text form.
    pub method: char,
}

pub type Casts = HashMap<Oid, Cast>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT c.oid, pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL), \
         CASE WHEN c.castfunc <> 0 THEN c.castfunc::pg_catalog.regprocedure END, c.castcontext, c.castmethod \
         FROM pg_catalog.pg_cast c WHERE c.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let cast = Cast {
        source: row.text(),
        target: row.text(),
        function: row.maybe(),
        context: row.letter(),
        method: row.letter(),
    };
    catalog.casts.insert(oid, cast);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, cast) in &catalog.casts {
        let address = Address::new(class::CAST, *oid);
        // The cast of a range to its multirange comes with the range.
        if !catalog.internal.contains_key(&address) {
            let key = Key::new(Rank::Cast, [cast.source.as_str(), &cast.target]);
            graph.add(Node::new(address, key, "CAST", identity(cast), write));
        }
    }
}

/// How statements name a cast.
pub fn identity(cast: &Cast) -> String {
    format!("({} AS {})", cast.source, cast.target)
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(cast) = catalog.casts.get(&step.node.address.oid) else { return };
    let how = match (cast.method, &cast.function) {
        ('f', Some(function)) => format!("WITH FUNCTION {function}"),
        ('b', _) => "WITHOUT FUNCTION".to_owned(),
        ('i', _) => "WITH INOUT".to_owned(),
        (letter, _) => {
            return writer.refuse(step.node.noun(), format!("casts of the method `{letter}` are unknown"));
        }
    };
    let context = match cast.context {
        'e' => "",
        'a' => " AS ASSIGNMENT",
        'i' => " AS IMPLICIT",
        letter => {
            return writer.refuse(step.node.noun(), format!("casts of the context `{letter}` are unknown"));
        }
    };
    let context = if context.is_empty() || writer.on(Feature::CastContext) { context } else { "" };
    writer.statement(Feature::Cast, format!("CREATE {} {how}{context}", step.node.noun()));
}
