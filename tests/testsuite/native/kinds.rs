//! A schema with objects of many kinds, in blocks that can be run in many orders.

use std::collections::HashSet;

use crate::support::fault::Random;
use crate::support::postgres::{Server, Session};

/// What each major version added.
const SOURCES: [(u32, &str); 7] = [
    (12, include_str!("kinds/12.sql")),
    (13, include_str!("kinds/13.sql")),
    (14, include_str!("kinds/14.sql")),
    (15, include_str!("kinds/15.sql")),
    (16, include_str!("kinds/16.sql")),
    (17, include_str!("kinds/17.sql")),
    (18, include_str!("kinds/18.sql")),
];

/// Some statements that belong together.
#[derive(Debug, Clone)]
pub struct Block {
    name: &'static str,
    after: Vec<&'static str>,
    /// The last major version that it is for.
    until: Option<u32>,
    sql: &'static str,
}

/// Returns the blocks of all versions up to `level`, without those that a server of `major` has no more.
pub fn blocks(level: u32, major: u32) -> Vec<Block> {
    let sources = SOURCES.iter().filter(|(version, _)| *version <= level);
    let all = sources.flat_map(|(_, text)| text.split("\n-- block ").skip(1).map(block));
    all.filter(|block| block.until.is_none_or(|until| major <= until)).collect()
}

/// Returns the blocks that are the same on every server: [`blocks`] without those that end with a version.
pub fn common_blocks(level: u32) -> Vec<Block> {
    blocks(level, level).into_iter().filter(|block| block.until.is_none()).collect()
}

fn block(text: &'static str) -> Block {
    let (head, sql) = text.split_once('\n').expect("a block has lines");
    let mut words = head.split(' ');
    let name = words.next().expect("split gives one word at least");
    let mut block = Block { name, after: Vec::new(), until: None, sql };
    let mut key = "";
    for word in words {
        match (key, word) {
            (_, "after" | "until") => key = word,
            ("after", name) => block.after.push(name),
            ("until", major) => block.until = Some(major.parse().expect("a major version")),
            _ => panic!("`{word}` in the head of block {name}"),
        }
    }
    block
}

/// Returns the blocks in an order that their `after` allows, chosen by chance.
pub fn shuffled(mut blocks: Vec<Block>, random: &mut Random) -> Vec<Block> {
    let mut ready = Vec::new();
    let mut done = HashSet::new();
    while !blocks.is_empty() {
        let (mut free, waiting): (Vec<_>, Vec<_>) =
            blocks.into_iter().partition(|block| block.after.iter().all(|name| done.contains(name)));
        assert!(!free.is_empty(), "nothing can come next of {waiting:?}");
        let count = u64::try_from(free.len()).expect("few blocks");
        let chosen = free.swap_remove(usize::try_from(random.below(count)).expect("few blocks"));
        done.insert(chosen.name);
        ready.push(chosen);
        blocks = free;
        blocks.extend(waiting);
    }
    ready
}

/// The roles that the blocks speak of. A server has them for all its databases, so each test has its own.
#[derive(Debug, Clone)]
pub struct Roles {
    first: String,
    second: String,
}

impl Roles {
    #[track_caller]
    pub fn make(server: &Server) -> Self {
        Self { first: server.role("kinds_a", "").name, second: server.role("kinds_b", "").name }
    }

    /// Runs blocks in the order that is given.
    #[track_caller]
    pub fn run(&self, session: &mut Session, blocks: &[Block]) {
        for block in blocks {
            let sql = block.sql.replace("{role}", &self.first).replace("{other}", &self.second);
            super::programs::run_each(session, &sql);
        }
    }

    /// Returns a text in which the roles have names that are the same in every test.
    pub fn hide(&self, text: &str) -> String {
        text.replace(&self.first, "{role}").replace(&self.second, "{other}")
    }
}

#[test]
fn every_order_has_every_block_behind_those_that_it_needs() {
    let all = blocks(18, 18);
    assert!(all.len() > 40 && all.iter().all(|block| block.name != "range"));
    assert!(blocks(12, 12).iter().any(|block| block.name == "range"));
    let mut orders = HashSet::new();
    for seed in 1..20 {
        let order = shuffled(all.clone(), &mut Random::seeded(seed));
        assert_eq!(order.len(), all.len());
        for (at, block) in order.iter().enumerate() {
            assert!(block.after.iter().all(|name| order[..at].iter().any(|before| before.name == *name)));
        }
        orders.insert(order.iter().map(|block| block.name).collect::<Vec<_>>());
    }
    assert!(orders.len() > 15, "only {} orders", orders.len());
}
