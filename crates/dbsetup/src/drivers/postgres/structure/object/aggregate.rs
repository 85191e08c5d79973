//! Aggregates.
//! <https://www.postgresql.org/docs/current/catalog-pg-aggregate.html>

use std::collections::HashMap;

use super::definition::{Definition, function};
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    in_user_schema, name,
};

pub const FAMILY: Family = Family { of: &["pg_aggregate"], queries, nodes };

/// A row of `pg_aggregate`, with its row of `pg_proc`. Functions are as statements name them.
#[derive(Debug)]
pub struct Aggregate {
    pub name: String,
    pub schema: Oid,
    /// `*` for none.
    pub arguments: String,
    /// `n` normal, `o` ordered-set, `h` hypothetical-set.
    pub kind: char,
    /// `s` safe, `r` restricted, `u` unsafe.
    pub parallel: char,
    pub plain: State,
    pub combine: Option<String>,
    pub serialize: Option<String>,
    pub deserialize: Option<String>,
    /// With an `OPERATOR()` around it.
    pub sort_operator: Option<String>,
    pub moving: State,
    /// The function that takes a row out of a moving frame.
    pub inverse: Option<String>,
}

/// How one of the two modes of an aggregate computes.
#[derive(Debug)]
pub struct State {
    pub transition: Option<String>,
    pub data_type: Option<String>,
    /// 0 for the default.
    pub space: i32,
    pub final_function: Option<String>,
    /// Whether the final function gets the arguments as well.
    pub final_extra: bool,
    /// `r` read only, `s` shareable, `w` read and write.
    pub final_modify: char,
    pub initial: Option<String>,
}

pub type Aggregates = HashMap<Oid, Aggregate>;

fn queries(_: &Facts) -> Vec<Query> {
    let state = |mode: &str| {
        format!(
            "a.agg{mode}transfn, CASE WHEN a.agg{mode}transtype <> 0 \
             THEN pg_catalog.format_type(a.agg{mode}transtype, NULL) END, a.agg{mode}transspace, \
             a.agg{mode}finalfn, a.agg{mode}finalextra, a.agg{mode}finalmodify, a.agg{mode}initval"
        )
    };
    vec![Query::new(
        format!(
            "SELECT p.oid, p.proname, p.pronamespace, pg_catalog.pg_get_function_identity_arguments(p.oid), \
             a.aggkind, p.proparallel, {}, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, \
             CASE WHEN a.aggsortop <> 0 THEN n.nspname END, o.oprname, {}, a.aggminvtransfn \
             FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid \
             LEFT JOIN pg_catalog.pg_operator o ON o.oid = a.aggsortop \
             LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace \
             WHERE a.aggfnoid >= 16384 AND {}",
            state(""),
            state("m"),
            in_user_schema("p.pronamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let aggregate = Aggregate {
        name: row.text(),
        schema: row.oid(),
        arguments: Some(row.text())
            .filter(|arguments| !arguments.is_empty())
            .unwrap_or_else(|| "*".to_owned()),
        kind: row.letter(),
        parallel: row.letter(),
        plain: state(row),
        combine: function(row),
        serialize: function(row),
        deserialize: function(row),
        sort_operator: sort_operator(row),
        moving: state(row),
        inverse: function(row),
    };
    catalog.aggregates.insert(oid, aggregate);
}

fn state(row: &mut Cells<'_>) -> State {
    State {
        transition: function(row),
        data_type: row.maybe(),
        space: row.number(),
        final_function: function(row),
        final_extra: row.flag(),
        final_modify: row.letter(),
        initial: row.maybe(),
    }
}

fn sort_operator(row: &mut Cells<'_>) -> Option<String> {
    let (schema, operator) = (row.maybe(), row.maybe());
    Some(format!("OPERATOR({}.{})", name::quoted(&schema?), operator?))
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, aggregate) in &catalog.aggregates {
        let path = [catalog.schema_name(aggregate.schema), &aggregate.name, &aggregate.arguments];
        let identity =
            format!("{}({})", catalog.qualified(aggregate.schema, &aggregate.name), aggregate.arguments);
        let address = Address::new(class::FUNCTION, *oid);
        graph.add(
            Node::new(address, Key::new(Rank::Aggregate, path), "AGGREGATE", identity, write)
                .in_schema(aggregate.schema),
        );
    }
}

/// The features and items of one mode.
struct Words {
    space: (Feature, &'static str),
    final_function: (Feature, &'static str),
    final_extra: (Feature, &'static str),
    final_modify: (Feature, &'static str),
    initial: (Feature, &'static str),
}

const PLAIN: Words = Words {
    space: (Feature::AggregateSpace, "SSPACE"),
    final_function: (Feature::AggregateFinal, "FINALFUNC"),
    final_extra: (Feature::AggregateFinalExtra, "FINALFUNC_EXTRA"),
    final_modify: (Feature::AggregateFinalModify, "FINALFUNC_MODIFY"),
    initial: (Feature::AggregateInitial, "INITCOND"),
};

const MOVING: Words = Words {
    space: (Feature::AggregateMovingSpace, "MSSPACE"),
    final_function: (Feature::AggregateMovingFinal, "MFINALFUNC"),
    final_extra: (Feature::AggregateMovingFinalExtra, "MFINALFUNC_EXTRA"),
    final_modify: (Feature::AggregateMovingFinalModify, "MFINALFUNC_MODIFY"),
    initial: (Feature::AggregateMovingInitial, "MINITCOND"),
};

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(aggregate) = catalog.aggregates.get(&step.node.address.oid) else { return };
    let (noun, plain, moving) = (step.node.noun(), &aggregate.plain, &aggregate.moving);
    let mut definition = Definition::default();
    if let (Some(transition), Some(data_type)) = (&plain.transition, &plain.data_type) {
        definition.always("SFUNC", transition);
        definition.always("STYPE", data_type);
    }
    if let Err(letter) = add(&mut definition, writer, plain, &PLAIN, aggregate.kind) {
        return writer.refuse(noun, format!("`aggfinalmodify` is `{letter}`, which is unknown"));
    }
    for (feature, item, function) in [
        (Feature::AggregateCombine, "COMBINEFUNC", &aggregate.combine),
        (Feature::AggregateSerialize, "SERIALFUNC", &aggregate.serialize),
        (Feature::AggregateSerialize, "DESERIALFUNC", &aggregate.deserialize),
    ] {
        definition.given(writer, feature, item, function.as_deref());
    }
    if let (Some(transition), Some(inverse), Some(data_type)) =
        (&moving.transition, &aggregate.inverse, &moving.data_type)
        && writer.on(Feature::AggregateMoving)
    {
        definition.always("MSFUNC", transition);
        definition.always("MINVFUNC", inverse);
        definition.always("MSTYPE", data_type);
        if let Err(letter) = add(&mut definition, writer, moving, &MOVING, aggregate.kind) {
            return writer.refuse(noun, format!("`aggmfinalmodify` is `{letter}`, which is unknown"));
        }
    }
    definition.given(writer, Feature::AggregateSortOperator, "SORTOP", aggregate.sort_operator.as_deref());
    let parallel = match aggregate.parallel {
        'u' => None,
        's' => Some("safe"),
        'r' => Some("restricted"),
        letter => return writer.refuse(noun, format!("`proparallel` is `{letter}`, which is unknown")),
    };
    definition.given(writer, Feature::AggregateParallel, "PARALLEL", parallel);
    match aggregate.kind {
        'n' | 'o' => {}
        'h' => definition.word(writer, Feature::AggregateHypothetical, true, "HYPOTHETICAL"),
        letter => return writer.refuse(noun, format!("aggregates of the kind `{letter}` are unknown")),
    }
    writer.statement(Feature::Aggregate, definition.after(&format!("CREATE {noun}")));
}

/// Adds one mode's items; the letter that is not known, if there is one.
fn add(
    definition: &mut Definition,
    writer: &mut Writer,
    state: &State,
    words: &Words,
    kind: char,
) -> Result<(), char> {
    let space = (state.space != 0).then(|| state.space.to_string());
    definition.given(writer, words.space.0, words.space.1, space.as_deref());
    definition.given(writer, words.final_function.0, words.final_function.1, state.final_function.as_deref());
    definition.word(writer, words.final_extra.0, state.final_extra, words.final_extra.1);
    // Final functions of ordered-set aggregates sort, which the state remembers.
    let usual = if kind == 'n' { 'r' } else { 'w' };
    let modify = match state.final_modify {
        letter if letter == usual => None,
        'r' => Some("READ_ONLY"),
        's' => Some("SHAREABLE"),
        'w' => Some("READ_WRITE"),
        letter => return Err(letter),
    };
    definition.given(writer, words.final_modify.0, words.final_modify.1, modify);
    let initial = state.initial.as_deref().map(name::literal);
    definition.given(writer, words.initial.0, words.initial.1, initial.as_deref());
    Ok(())
}
