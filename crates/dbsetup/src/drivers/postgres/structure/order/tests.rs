use super::*;
use crate::drivers::postgres::structure::address::class;
use crate::drivers::postgres::structure::catalog::Depend;
use crate::drivers::postgres::structure::node::{Rank, Step};
use crate::drivers::postgres::structure::writer::Writer;

fn nothing(_: &Catalog, _: &Step<'_>, _: &mut Writer) {}

fn at(oid: u32) -> Address {
    Address::new(class::RELATION, oid)
}

fn node(oid: u32, rank: Rank, name: &str) -> Node {
    Node::new(at(oid), Key::new(rank, [name]), "OBJECT", name, nothing)
}

fn catalog(depends: &[(u32, u32)]) -> Catalog {
    let depends =
        depends.iter().map(|(from, to)| Depend { from: at(*from), to: at(*to), kind: 'n' }).collect();
    Catalog { depends, ..Catalog::default() }
}

/// Blocks as text: `users+index, view(early)`.
fn shown(catalog: &Catalog, nodes: Vec<Node>) -> String {
    let graph = Graph { nodes, ..Graph::default() };
    match order(catalog, &graph) {
        Ok(blocks) => {
            let block = |block: &Block| {
                let names: Vec<&str> =
                    block.nodes.iter().map(|node| graph.nodes[*node].identity.as_str()).collect();
                let part = match block.part {
                    Part::Whole => "",
                    Part::Early => "(early)",
                    Part::Late => "(late)",
                };
                names.join("+") + part
            };
            blocks.iter().map(block).collect::<Vec<_>>().join(", ")
        }
        Err(Loop(names)) => format!("loop: {}", names.join(", ")),
    }
}

#[test]
fn what_is_needed_comes_first_and_the_key_decides_the_rest() {
    let nodes = || {
        vec![
            node(1, Rank::Table, "b"),
            node(2, Rank::Table, "a"),
            node(3, Rank::View, "v"),
            node(4, Rank::Function, "f"),
            node(5, Rank::Schema, "z"),
        ]
    };
    assert_eq!(shown(&catalog(&[]), nodes()), "z, f, a, b, v");
    // A function that needs a table is only as late as it must be.
    assert_eq!(shown(&catalog(&[(4, 2)]), nodes()), "z, a, f, b, v");
    assert_eq!(shown(&catalog(&[(2, 1), (1, 3)]), nodes()), "z, f, v, b, a");
}

#[test]
fn the_order_of_reading_decides_nothing() {
    let mut nodes: Vec<Node> = (1..=6).map(|oid| node(oid, Rank::Table, &format!("t{oid}"))).collect();
    let catalog = catalog(&[(1, 6), (2, 5)]);
    let first = shown(&catalog, nodes.clone());
    nodes.reverse();
    assert_eq!(shown(&catalog, nodes), first);
}

#[test]
fn what_stands_beside_an_object_stands_in_its_block() {
    let nodes = vec![
        node(1, Rank::Table, "users"),
        node(2, Rank::Table, "posts"),
        Node { block: Some(at(1)), ..node(3, Rank::Table, "users_idx") },
        Node { block: Some(at(1)), ..node(4, Rank::Table, "users_check") },
    ];
    assert_eq!(shown(&catalog(&[]), nodes.clone()), "posts, users+users_check+users_idx");
    assert_eq!(shown(&catalog(&[(4, 3)]), nodes), "posts, users+users_idx+users_check");
}

#[test]
fn a_block_in_a_block_is_one_block() {
    let nodes = vec![
        node(1, Rank::Table, "users"),
        Node { block: Some(at(1)), ..node(2, Rank::Table, "users_idx") },
        Node { block: Some(at(2)), ..node(3, Rank::Table, "users_idx_attach") },
        node(4, Rank::Table, "a"),
    ];
    assert_eq!(shown(&catalog(&[(3, 4)]), nodes.clone()), "a, users+users_idx+users_idx_attach");
    assert_eq!(shown(&catalog(&[(3, 4), (4, 1)]), nodes), "users+users_idx, a, users_idx_attach");
}

#[test]
fn what_closes_a_loop_leaves_its_block() {
    // A check calls a function that takes the table's row.
    let nodes = vec![
        node(1, Rank::Table, "users"),
        Node { block: Some(at(1)), ..node(2, Rank::Table, "users_check") },
        Node { block: Some(at(1)), ..node(3, Rank::Table, "users_other") },
        node(4, Rank::Function, "f"),
    ];
    assert_eq!(shown(&catalog(&[(2, 4), (4, 1)]), nodes), "users+users_other, f, users_check");
}

#[test]
fn something_stands_in_early_where_nothing_can_leave() {
    let view = |oid, name| Node { early: Some(nothing as _), ..node(oid, Rank::View, name) };
    let nodes = vec![view(1, "a"), view(2, "b"), node(3, Rank::View, "c")];
    // c looks at a from outside of the loop, and sees the whole.
    assert_eq!(shown(&catalog(&[(1, 2), (2, 1), (3, 1)]), nodes), "a(early), b, a(late), c");
}

#[test]
fn two_loops_are_broken_each_in_its_way() {
    let nodes = vec![
        Node { early: Some(nothing as _), ..node(1, Rank::View, "v") },
        Node { early: Some(nothing as _), ..node(2, Rank::View, "w") },
        node(3, Rank::Table, "t"),
        Node { block: Some(at(3)), ..node(4, Rank::Table, "t_check") },
        node(5, Rank::Function, "f"),
        Node { early: Some(nothing as _), ..node(6, Rank::View, "x") },
        Node { early: Some(nothing as _), ..node(7, Rank::View, "y") },
    ];
    let catalog = catalog(&[(1, 2), (2, 1), (4, 5), (5, 3), (6, 7), (7, 6)]);
    assert_eq!(shown(&catalog, nodes), "t, f, t_check, v(early), w, v(late), x(early), y, x(late)");
}

#[test]
fn a_loop_that_nothing_breaks_is_named() {
    let nodes = vec![node(1, Rank::Table, "a"), node(2, Rank::Table, "b"), node(3, Rank::Table, "c")];
    assert_eq!(shown(&catalog(&[(1, 2), (2, 1)]), nodes), "loop: OBJECT a, OBJECT b");
}

#[test]
fn a_part_stands_for_what_it_is_a_part_of() {
    let mut graph =
        Graph { nodes: vec![node(1, Rank::Table, "b"), node(2, Rank::Table, "a")], ..Graph::default() };
    // a needs a row type (9) of b's part (8).
    graph.part(at(9), at(8));
    graph.part(at(8), at(1));
    let blocks = order(&catalog(&[(2, 9)]), &graph).expect("there is no loop");
    assert_eq!(blocks.iter().map(|block| block.nodes[0]).collect::<Vec<_>>(), [0, 1]);
    graph.cut(at(2), at(9));
    let blocks = order(&catalog(&[(2, 9)]), &graph).expect("there is no loop");
    assert_eq!(blocks.iter().map(|block| block.nodes[0]).collect::<Vec<_>>(), [1, 0]);
}

#[test]
fn loops_are_found_in_deep_chains_without_recursion() {
    let nodes: Vec<Node> = (1..=20_000).map(|oid| node(oid, Rank::Table, &format!("t{oid:05}"))).collect();
    let chain: Vec<(u32, u32)> = (1..20_000).map(|oid| (oid, oid + 1)).collect();
    assert!(shown(&catalog(&chain), nodes).starts_with("t20000, t19999, "));
}
