//! The order of what two sides have put in order, each in its own way.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Returns what is kept of two sides, in an order that has both sides' orders in it where they do not contradict each
/// other.
///
/// What both sides have stands as on our side, but for what only their side has moved since `base`; what only their
/// side has follows what it follows there. Where additions of both sides meet, `before(ours, theirs)` says which of
/// them come first. Neither side has a key twice.
pub(super) fn merged<K: Eq + Hash + Clone>(
    (base, ours, theirs): (&[K], &[K], &[K]),
    is_kept: impl Fn(&K) -> bool,
    before: impl Fn(&K, &K) -> bool,
) -> Vec<K> {
    let places = |keys: &[K]| -> HashMap<K, usize> {
        keys.iter().enumerate().map(|(at, key)| (key.clone(), at)).collect()
    };
    let (in_ours, in_theirs) = (places(ours), places(theirs));
    let moved_by_us = moved(base, &in_ours);
    let moved_by_them = moved(base, &in_theirs);
    let stays =
        |key: &K| !in_theirs.contains_key(key) || moved_by_us.contains(key) || !moved_by_them.contains(key);
    // A linked list: `next[0]` is the first, the key `keys[at - 1]` is at `at`.
    let mut keys: Vec<&K> = Vec::new();
    let mut next: Vec<usize> = vec![0];
    let insert = |key, after: usize, keys: &mut Vec<_>, next: &mut Vec<usize>| {
        keys.push(key);
        next.push(next[after]);
        next[after] = keys.len();
        keys.len()
    };
    let mut last = 0;
    for key in ours.iter().filter(|key| is_kept(key) && stays(key)) {
        last = insert(key, last, &mut keys, &mut next);
    }
    let in_spine: HashMap<&K, usize> = keys.iter().enumerate().map(|(at, key)| (*key, at + 1)).collect();
    let mut last = 0;
    for key in theirs.iter().filter(|key| is_kept(key)) {
        if let Some(&at) = in_spine.get(key) {
            last = at;
            continue;
        }
        let mut after = last;
        while let following @ 1.. = next[after]
            && !in_theirs.contains_key(keys[following - 1])
            && before(keys[following - 1], key)
        {
            after = following;
        }
        last = insert(key, after, &mut keys, &mut next);
    }
    let mut ordered = Vec::with_capacity(keys.len());
    let mut at = next[0];
    while at != 0 {
        ordered.push(keys[at - 1].clone());
        at = next[at];
    }
    ordered
}

/// Returns what has to move for `base` to get the order of a side: all but a longest part that is in order already.
fn moved<K: Eq + Hash + Clone>(base: &[K], side: &HashMap<K, usize>) -> HashSet<K> {
    let common: Vec<(&K, usize)> =
        base.iter().filter_map(|key| side.get(key).map(|&place| (key, place))).collect();
    // Patience: the ends of the shortest increasing runs, with the one before each.
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(common.len());
    for (at, (_, place)) in common.iter().enumerate() {
        let length = ends.partition_point(|&end| common[end].1 < *place);
        previous.push(length.checked_sub(1).map(|before| ends[before]));
        if length == ends.len() { ends.push(at) } else { ends[length] = at }
    }
    let mut stays = vec![false; common.len()];
    let mut at = ends.last().copied();
    while let Some(stayed) = at {
        stays[stayed] = true;
        at = previous[stayed];
    }
    common.iter().zip(stays).filter(|(_, stays)| !stays).map(|((key, _), _)| (*key).clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(base: &str, ours: &str, theirs: &str) -> String {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let (base, ours, theirs) = (chars(base), chars(ours), chars(theirs));
        merged((&base, &ours, &theirs), |key| *key != '-', |one, other| one < other).into_iter().collect()
    }

    #[test]
    fn an_addition_follows_what_it_follows_on_its_side() {
        assert_eq!(of("abz", "abz", "axbz"), "axbz");
        assert_eq!(of("abz", "abyz", "axbz"), "axbyz");
        assert_eq!(of("", "ab", "cd"), "abcd");
        assert_eq!(of("a", "a", "xya"), "xya");
        assert_eq!(of("a", "a", ""), "a");
    }

    #[test]
    fn additions_at_one_place_stand_in_their_own_order() {
        assert_eq!(of("az", "aduz", "acexz"), "acdeuxz");
        assert_eq!(of("az", "aqz", "apz"), of("az", "apz", "aqz"));
        // An order of their own is kept, whatever it is.
        assert_eq!(of("az", "amz", "axcz"), "amxcz");
    }

    #[test]
    fn what_one_side_has_moved_is_moved() {
        assert_eq!(of("abc", "abc", "bca"), "bca");
        assert_eq!(of("abc", "bca", "abc"), "bca");
        assert_eq!(of("abc", "abcy", "bxca"), "bxcay");
        assert_eq!(of("abcd", "bacd", "abdc"), "badc");
    }

    #[test]
    fn what_is_not_kept_leaves_no_gap() {
        assert_eq!(of("a-b", "a-b", "a-xb"), "axb");
    }
}
