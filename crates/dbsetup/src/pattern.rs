//! Names as filters mean them.

/// Whether a name is meant by a pattern: `*` is any text, `?` any character, all else itself.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    fn from(pattern: &[char], name: &[char]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some('*'), _) => from(&pattern[1..], name) || (!name.is_empty() && from(pattern, &name[1..])),
            (Some('?'), Some(_)) => from(&pattern[1..], &name[1..]),
            (Some(wanted), Some(found)) if wanted == found => from(&pattern[1..], &name[1..]),
            _ => false,
        }
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    from(&chars(pattern), &chars(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_whole_names() {
        for (pattern, name) in [("tmp_*", "tmp_a"), ("*", ""), ("a?c", "abc"), ("*_p*", "x_part"), ("a", "a")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("tmp_*", "atmp_"), ("a", "ab"), ("a?c", "ac"), ("A", "a")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
