//! Defaults of columns, and the expressions of generated ones.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, name, relation,
};

pub const FAMILY: Family = Family { of: &["pg_attrdef"], queries, nodes };

/// A row of `pg_attrdef`.
#[derive(Debug)]
pub struct Default {
    pub relation: Oid,
    pub column: i32,
    pub expression: String,
}

/// All of them.
#[derive(Debug, std::default::Default)]
pub struct Defaults {
    pub by_oid: HashMap<Oid, Default>,
    /// By relation and column.
    by_column: HashMap<(Oid, i32), Oid>,
}

impl Defaults {
    /// The identifier of a column's default.
    pub fn of(&self, relation: Oid, column: i32) -> Option<Oid> {
        self.by_column.get(&(relation, column)).copied()
    }
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT d.oid, d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
         FROM pg_catalog.pg_attrdef d WHERE d.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let default = Default { relation: row.oid(), column: row.number(), expression: row.text() };
    catalog.defaults.by_column.insert((default.relation, default.column), oid);
    catalog.defaults.by_oid.insert(oid, default);
}

/// What a child's column gets from the parents when the child is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed<'a> {
    Nothing,
    /// The expression, whether the column is a generated one, and the first of the defaults it comes from.
    Expression(&'a str, bool, Oid),
    /// Not all parents say the same.
    Conflict,
}

impl Catalog {
    /// Returns what the parents of a table hand down as the default of a column. A partition is made without them.
    /// <https://www.postgresql.org/docs/current/ddl-inherit.html>
    pub fn handed_down(&self, table: Oid, column: &str) -> Handed<'_> {
        let mut handed = Handed::Nothing;
        if self.relations.get(&table).is_none_or(|relation| relation.is_partition) || self.is_adopted(table) {
            return handed;
        }
        for parent in self.inherits.parents(table) {
            let Some(column) = self.column_named(*parent, column) else { continue };
            let Some(default) = self.defaults.of(*parent, column.number) else { continue };
            let Some(of_parent) = self.defaults.by_oid.get(&default) else { continue };
            let of_parent = of_parent.expression.as_str();
            handed = match handed {
                Handed::Nothing => Handed::Expression(of_parent, column.generated != ' ', default),
                Handed::Expression(text, ..) if text == of_parent => handed,
                _ => return Handed::Conflict,
            };
        }
        handed
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, default) in &catalog.defaults.by_oid {
        if !catalog.is_table(default.relation) {
            continue;
        }
        let (address, table) = (Address::new(class::DEFAULT, *oid), relation::address(default.relation));
        let (Some(relation), Some(column)) =
            (catalog.relations.get(&default.relation), catalog.column(default.relation, default.column))
        else {
            continue;
        };
        let handed = match catalog.handed_down(default.relation, &column.name) {
            Handed::Expression(text, ..) => text == default.expression,
            _ => false,
        };
        let is_printed = column.is_local || relation.is_partition;
        let hangs = catalog.hanging.has(address);
        if (catalog.is_member(table) && !hangs) || (handed && (!is_printed || column.generated != ' ')) {
            graph.part(address, table);
            continue;
        }
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Default, [schema, relation.name.as_str(), column.name.as_str()]);
        let identity =
            format!("{}.{}", catalog.qualified(relation.schema, &relation.name), name::quoted(&column.name));
        let mut node =
            Node::new(address, key, "DEFAULT", identity, write).in_schema(relation.schema).in_block(table);
        node.after.extend(hanging::needs(catalog, address, default.relation));
        if is_printed && !hangs {
            node.clause = Some(clause);
        }
        graph.add(node);
    }
}

fn clause(catalog: &Catalog, node: &Node, writer: &mut Writer) -> Option<String> {
    let default = catalog.defaults.by_oid.get(&node.address.oid)?;
    let column = catalog.column(default.relation, default.column)?;
    let expression = &default.expression;
    let (feature, text) = match column.generated {
        ' ' => (Feature::Default, format!("DEFAULT {expression}")),
        's' => (Feature::GeneratedColumn, format!("GENERATED ALWAYS AS ({expression}) STORED")),
        'v' => (Feature::GeneratedColumn, format!("GENERATED ALWAYS AS ({expression}) VIRTUAL")),
        other => {
            writer.refuse(node.noun(), format!("`{other}` is no known kind of a generated column"));
            return None;
        }
    };
    writer.on(feature).then_some(text)
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(default) = catalog.defaults.by_oid.get(&step.node.address.oid) else { return };
    let (Some(table), Some(column)) =
        (catalog.relation_name(default.relation), catalog.column(default.relation, default.column))
    else {
        return;
    };
    let (name, expression) = (name::quoted(&column.name), &default.expression);
    if column.generated == ' ' {
        let text = format!("ALTER TABLE ONLY {table} ALTER COLUMN {name} SET DEFAULT {expression}");
        writer.statement(Feature::Default, text);
    } else if step.in_block && catalog.facts.since(17) {
        // A child's expression that is not the parent's.
        let text = format!("ALTER TABLE ONLY {table} ALTER COLUMN {name} SET EXPRESSION AS ({expression})");
        writer.statement(Feature::GeneratedColumn, text);
    } else if step.in_block {
        writer.refuse(step.node.noun(), "the inherited column is generated in another way than the parent's");
    } else {
        writer.refuse(
            step.node.noun(),
            "the generated column's expression needs something that needs the table",
        );
    }
}
