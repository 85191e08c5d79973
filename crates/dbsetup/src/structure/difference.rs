//! What two fingerprints say differently. Pure.

use std::fmt;

use crate::driver::{Fact, Fingerprint};

/// One property of one object that two databases do not agree on, or an object that only one of them has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where it stands: a catalog of the engine's.
    pub catalog: String,
    /// The object.
    pub object: String,
    /// The property; `None` where the whole object is on one side alone.
    pub property: Option<String>,
    /// What the original says.
    pub original: Option<String>,
    /// What the copy says.
    pub copy: Option<String>,
}

/// How much of a value is shown.
const SHOWN: usize = 120;

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.property {
            Some(_) => f.write_str(&self.told("the database", "its copy")),
            None => {
                let what = if self.copy.is_none() { "is lost" } else { "comes from nowhere" };
                write!(f, "{} {}: {what}", self.catalog, self.object)
            }
        }
    }
}

impl Difference {
    /// The same with names for both sides: `the live database`, `the replay`.
    pub fn told(&self, original: &str, copy: &str) -> String {
        let about = format!("{} {}", self.catalog, self.object);
        let Some(property) = &self.property else {
            let (one, other) = if self.copy.is_none() { (original, copy) } else { (copy, original) };
            return format!("{about}: is in {one}, and not in {other}");
        };
        let (one, other) = (value(self.original.as_deref()), value(self.copy.as_deref()));
        let (one, other) = windows(&one, &other);
        format!("{about}: {property} is {one} in {original}, and {other} in {copy}")
    }
}

fn value(value: Option<&str>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("`{}`", value.escape_debug()))
}

/// Cuts two long values to where they begin to differ.
fn windows(one: &str, other: &str) -> (String, String) {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let cut = |text: &str| {
        let length = text.chars().count();
        if length <= SHOWN {
            return text.to_owned();
        }
        let start = same.saturating_sub(SHOWN / 3).min(length - SHOWN);
        let middle: String = text.chars().skip(start).take(SHOWN).collect();
        let (before, after) =
            (if start > 0 { "…" } else { "" }, if start + SHOWN < length { "…" } else { "" });
        format!("{before}{middle}{after}")
    };
    (cut(one), cut(other))
}

/// Returns what differs, in the order of a reader: relations first, dependencies last. Both lists are sorted.
/// What either side could not read is not compared.
pub fn differences(original: &Fingerprint, copy: &Fingerprint) -> Vec<Difference> {
    let unread: Vec<&str> = original.unread.iter().chain(&copy.unread).map(String::as_str).collect();
    let is_read = |fact: &&Fact| {
        unread.is_empty()
            || !unread.iter().any(|name| {
                let (catalog, column) = name.split_once('.').unwrap_or((name, &fact.property));
                catalog == &*fact.catalog && column == &*fact.property
            })
    };
    let (mut ours, mut theirs) =
        (original.facts.iter().filter(is_read).peekable(), copy.facts.iter().filter(is_read).peekable());
    let mut found = Vec::new();
    // An object's facts stand together on both sides.
    while let Some(next) = match (ours.peek(), theirs.peek()) {
        (Some(one), Some(other)) => Some(if key(one) <= key(other) { *one } else { *other }),
        (one, other) => one.or(other).copied(),
    } {
        let mine: Vec<&Fact> = std::iter::from_fn(|| ours.next_if(|fact| key(fact) == key(next))).collect();
        let other: Vec<&Fact> =
            std::iter::from_fn(|| theirs.next_if(|fact| key(fact) == key(next))).collect();
        of_object(next, &mine, &other, &mut found);
    }
    found.sort_by_key(|difference| match difference.catalog.as_str() {
        "pg_class" => 0,
        "pg_depend" => 2,
        _ => 1,
    });
    found
}

fn key(fact: &Fact) -> (&str, &str) {
    (&fact.catalog, &fact.object)
}

/// Adds what differs in one object.
fn of_object(about: &Fact, mine: &[&Fact], theirs: &[&Fact], found: &mut Vec<Difference>) {
    let difference = |property: Option<&str>, original: Option<&Fact>, copy: Option<&Fact>| Difference {
        catalog: about.catalog.to_string(),
        object: about.object.to_string(),
        property: property.map(str::to_owned),
        original: original.map(|fact| fact.value.to_string()),
        copy: copy.map(|fact| fact.value.to_string()),
    };
    // What a row is that has no name of its own stands in its value.
    let is_one_row = about.property.as_ref() == "row";
    if !is_one_row && (mine.is_empty() || theirs.is_empty()) {
        found.push(difference(None, mine.first().copied(), theirs.first().copied()));
        return;
    }
    // Equal pairs go; what is left of one property is paired in order.
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut a, mut b) = (0, 0);
    while a < mine.len() || b < theirs.len() {
        match (mine.get(a), theirs.get(b)) {
            (Some(one), Some(other)) if one == other => (a, b) = (a + 1, b + 1),
            (Some(one), Some(other)) if one < other => {
                left.push(*one);
                a += 1;
            }
            (Some(one), None) => {
                left.push(*one);
                a += 1;
            }
            (_, Some(other)) => {
                right.push(*other);
                b += 1;
            }
            (None, None) => break,
        }
    }
    for one in left {
        let twin = right.iter().position(|other| !is_one_row && other.property == one.property);
        let twin = twin.map(|at| right.remove(at));
        found.push(difference(Some(&one.property), Some(one), twin));
    }
    found.extend(right.into_iter().map(|other| difference(Some(&other.property), None, Some(other))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(facts: &[(&str, &str, &str, &str)]) -> Fingerprint {
        let mut facts: Vec<Fact> = facts
            .iter()
            .map(|(catalog, object, property, value)| Fact {
                catalog: (*catalog).into(),
                object: (*object).into(),
                property: (*property).into(),
                value: (*value).into(),
            })
            .collect();
        facts.sort();
        Fingerprint { facts, ..Fingerprint::default() }
    }

    fn shown(one: &Fingerprint, other: &Fingerprint) -> Vec<String> {
        differences(one, other).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_changed_property_is_named_with_both_values() {
        let one =
            fingerprint(&[("pg_attribute", "a.b", "attnotnull", "t"), ("pg_attribute", "a.b", "x", "1")]);
        let other =
            fingerprint(&[("pg_attribute", "a.b", "attnotnull", "f"), ("pg_attribute", "a.b", "y", "1")]);
        assert_eq!(
            shown(&one, &other),
            [
                "pg_attribute a.b: attnotnull is `t` in the database, and `f` in its copy",
                "pg_attribute a.b: x is `1` in the database, and nothing in its copy",
                "pg_attribute a.b: y is nothing in the database, and `1` in its copy",
            ]
        );
        assert!(differences(&one, &one).is_empty());
    }

    #[test]
    fn a_whole_object_is_one_difference_and_relations_come_first() {
        let one = fingerprint(&[
            ("pg_attribute", "t.a", "n", "1"),
            ("pg_attribute", "t.a", "m", "1"),
            ("pg_class", "t", "k", "r"),
        ]);
        let lost = ["pg_class t: is lost", "pg_attribute t.a: is lost"];
        assert_eq!(shown(&one, &Fingerprint::default()), lost);
        assert_eq!(shown(&Fingerprint::default(), &one)[0], "pg_class t: comes from nowhere");
    }

    #[test]
    fn the_sides_are_named_by_whoever_compares_them() {
        let one = fingerprint(&[("pg_class", "t", "k", "r"), ("pg_class", "u", "k", "r")]);
        let other = fingerprint(&[("pg_class", "t", "k", "v"), ("pg_class", "w", "k", "r")]);
        let told: Vec<String> =
            differences(&one, &other).iter().map(|one| one.told("the live database", "the replay")).collect();
        assert_eq!(
            told,
            [
                "pg_class t: k is `r` in the live database, and `v` in the replay",
                "pg_class u: is in the live database, and not in the replay",
                "pg_class w: is in the replay, and not in the live database",
            ]
        );
    }

    #[test]
    fn rows_without_a_name_are_counted() {
        let row = ("pg_depend", "t", "row", "on x");
        let (one, other) = (fingerprint(&[row, row]), fingerprint(&[row]));
        assert_eq!(
            shown(&one, &other),
            ["pg_depend t: row is `on x` in the database, and nothing in its copy"]
        );
        assert_eq!(shown(&other, &fingerprint(&[])).len(), 1);
    }

    #[test]
    fn what_one_side_could_not_read_is_not_compared() {
        let one =
            fingerprint(&[("pg_subscription", "s", "subconninfo", "x"), ("pg_subscription", "s", "n", "1")]);
        let mut other = fingerprint(&[("pg_subscription", "s", "n", "1")]);
        assert_eq!(shown(&one, &other).len(), 1);
        other.unread = vec!["pg_subscription.subconninfo".into()];
        assert!(shown(&one, &other).is_empty());
        other.unread = vec!["pg_subscription".into()];
        assert!(shown(&one, &other).is_empty());
    }

    #[test]
    fn long_values_are_shown_where_they_differ() {
        let (one, other) = (format!("{}a", "x".repeat(500)), format!("{}b", "x".repeat(500)));
        let (one, other) = windows(&one, &other);
        assert!(one.ends_with("xa") && other.ends_with("xb") && one.chars().count() < 130, "{one}");
    }
}
