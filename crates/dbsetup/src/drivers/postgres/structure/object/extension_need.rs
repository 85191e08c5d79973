//! Objects that are to be dropped together with an extension that they are no members of: functions, triggers,
//! indexes, materialized views.

use super::{Catalog, Feature, Node, Writer, name};

/// Writes which extensions an object goes with.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let Some(needs) = catalog.extension_needs.get(&node.address) else { return };
    let mut extensions: Vec<&str> = needs
        .iter()
        .filter_map(|oid| catalog.extensions.get(oid))
        .map(|extension| extension.name.as_str())
        .collect();
    extensions.sort_unstable();
    extensions.dedup();
    for extension in extensions {
        let statement = format!("ALTER {} DEPENDS ON EXTENSION {}", node.noun(), name::quoted(extension));
        writer.statement(Feature::ExtensionNeed, statement);
    }
}
