//! Base types: made of functions that read and write their values, which come after a shell of the type.
//! <https://www.postgresql.org/docs/current/sql-createtype.html>

use super::data_type::{DataType, Kind};
use super::definition::{Definition, function};
use super::{Catalog, Cells, Feature, Step, Writer, name};

/// What `pg_type` knows of a base type. Functions are as statements name them.
#[derive(Debug)]
pub struct Base {
    pub input: Option<String>,
    pub output: Option<String>,
    pub receive: Option<String>,
    pub send: Option<String>,
    pub modifier_in: Option<String>,
    pub modifier_out: Option<String>,
    pub analyze: Option<String>,
    pub subscript: Option<String>,
    /// In bytes, -1 for one that varies.
    pub length: i32,
    pub by_value: bool,
    /// `c`, `s`, `i`, `d`.
    pub alignment: char,
    /// `p`, `e`, `m`, `x`.
    pub storage: char,
    pub category: char,
    pub is_preferred: bool,
    pub delimiter: char,
    /// The type of the elements of a value that can be subscripted.
    pub element: Option<String>,
    pub is_collatable: bool,
    /// As statements say it.
    pub default: Option<String>,
}

/// The function that the server takes for a type of fixed length with elements.
const SUBSCRIPT_OF_FIXED: &str = "raw_array_subscript_handler";

pub fn read(row: &mut Cells<'_>) -> Base {
    Base {
        input: function(row),
        output: function(row),
        receive: function(row),
        send: function(row),
        modifier_in: function(row),
        modifier_out: function(row),
        analyze: function(row),
        subscript: function(row),
        length: row.number(),
        by_value: row.flag(),
        alignment: row.letter(),
        storage: row.letter(),
        category: row.letter(),
        is_preferred: row.flag(),
        delimiter: row.letter(),
        element: row.maybe(),
        is_collatable: row.flag(),
        default: None,
    }
}

pub fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(DataType { kind: Kind::Base(base), .. }) = catalog.types.get(&step.node.address.oid) else {
        return;
    };
    let (Some(alignment), Some(storage)) = (alignment(base.alignment), storage(base.storage)) else {
        let letters = format!("`{}`, `{}`", base.alignment, base.storage);
        return writer.refuse(step.node.noun(), format!("its alignment or storage is unknown: {letters}"));
    };
    let mut definition = Definition::default();
    for (item, function) in [("INPUT", &base.input), ("OUTPUT", &base.output)] {
        if let Some(function) = function {
            definition.always(item, function);
        }
    }
    let subscript = base
        .subscript
        .as_deref()
        .filter(|function| *function != SUBSCRIPT_OF_FIXED || base.element.is_none());
    for (feature, item, function) in [
        (Feature::BaseReceive, "RECEIVE", base.receive.as_deref()),
        (Feature::BaseSend, "SEND", base.send.as_deref()),
        (Feature::BaseModifierIn, "TYPMOD_IN", base.modifier_in.as_deref()),
        (Feature::BaseModifierOut, "TYPMOD_OUT", base.modifier_out.as_deref()),
        (Feature::BaseAnalyze, "ANALYZE", base.analyze.as_deref()),
        (Feature::BaseSubscript, "SUBSCRIPT", subscript),
    ] {
        definition.given(writer, feature, item, function);
    }
    let length = (base.length >= 0).then(|| base.length.to_string());
    definition.given(writer, Feature::BaseLength, "INTERNALLENGTH", length.as_deref());
    definition.word(writer, Feature::BaseByValue, base.by_value, "PASSEDBYVALUE");
    definition.given(
        writer,
        Feature::BaseAlignment,
        "ALIGNMENT",
        (base.alignment != 'i').then_some(alignment),
    );
    definition.given(writer, Feature::BaseStorage, "STORAGE", (base.storage != 'p').then_some(storage));
    let category = name::literal(&base.category.to_string());
    let category = (base.category != 'U').then_some(category.as_str());
    definition.given(writer, Feature::BaseCategory, "CATEGORY", category);
    definition.given(writer, Feature::BasePreferred, "PREFERRED", base.is_preferred.then_some("true"));
    definition.given(writer, Feature::BaseDefault, "DEFAULT", base.default.as_deref());
    definition.given(writer, Feature::BaseElement, "ELEMENT", base.element.as_deref());
    let delimiter = name::literal(&base.delimiter.to_string());
    let delimiter = (base.delimiter != ',').then_some(delimiter.as_str());
    definition.given(writer, Feature::BaseDelimiter, "DELIMITER", delimiter);
    definition.given(writer, Feature::BaseCollatable, "COLLATABLE", base.is_collatable.then_some("true"));
    writer.statement(Feature::BaseType, definition.after(&format!("CREATE TYPE {}", step.node.identity)));
}

/// Writes a type that has a name only: functions can take and return it, and it can be defined later.
pub fn write_shell(_: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    writer.statement(Feature::ShellType, format!("CREATE TYPE {}", step.node.identity));
}

fn alignment(letter: char) -> Option<&'static str> {
    match letter {
        'c' => Some("char"),
        's' => Some("int2"),
        'i' => Some("int4"),
        'd' => Some("double"),
        _ => None,
    }
}

fn storage(letter: char) -> Option<&'static str> {
    match letter {
        'p' => Some("plain"),
        'e' => Some("external"),
        'm' => Some("main"),
        'x' => Some("extended"),
        _ => None,
    }
}
