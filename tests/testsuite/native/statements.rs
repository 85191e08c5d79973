//! A structure's text as statements, to say what differs between two.

use std::collections::BTreeMap;

use dbsetup::sql::{self, Dialect, SpanKind};

/// Returns the statements of a text.
#[track_caller]
pub fn split(text: &str) -> Vec<&str> {
    let spans = sql::split(Dialect::Postgres, text).unwrap_or_else(|error| panic!("{error}\nin: {text}"));
    spans
        .iter()
        .filter(|span| span.kind == SpanKind::Statement)
        .map(|span| &text[span.range.clone()])
        .collect()
}

/// Returns the statements that only one of two texts has: first those of `left`, then those of `right`.
#[track_caller]
pub fn difference<'a>(left: &'a str, right: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut counts = BTreeMap::<&str, i32>::new();
    let (lefts, rights) = (split(left), split(right));
    for statement in &lefts {
        *counts.entry(statement).or_default() += 1;
    }
    for statement in &rights {
        *counts.entry(statement).or_default() -= 1;
    }
    let pick = |all: Vec<&'a str>, sign: i32| {
        all.into_iter()
            .filter(|statement| counts.get(statement).is_some_and(|n| n.signum() == sign))
            .collect()
    };
    (pick(lefts, 1), pick(rights, -1))
}

/// Panics unless two texts are equal byte for byte, and shows the first places where they are not.
#[track_caller]
pub fn assert_same(what: &str, left: &str, right: &str) {
    if left == right {
        return;
    }
    let (only_left, only_right) = difference(left, right);
    let at = left.lines().zip(right.lines()).take_while(|(left, right)| left == right).count();
    let around = |text: &str| {
        text.lines()
            .skip(at.saturating_sub(3))
            .take(8)
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let list = |statements: &[&str]| {
        statements.iter().take(10).map(|statement| format!("  {statement}\n")).collect::<String>()
    };
    panic!(
        "{what}: not the same bytes, from line {} on\n--- first\n{}--- second\n{}\
         --- {} statements only in the first\n{}--- {} statements only in the second\n{}",
        at + 1,
        around(left),
        around(right),
        only_left.len(),
        list(&only_left),
        only_right.len(),
        list(&only_right),
    );
}
