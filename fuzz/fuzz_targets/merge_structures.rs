//! Three structure files, taken apart, merged and compared. The first byte chooses the database, a form feed ends a file.
#![no_main]

use dbsetup::structure::objects::{changes, merge, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let database = if first % 2 == 0 { "postgresql" } else { "sqlite" };
    let file = |body: &str| {
        format!("-- dbsetup structure format 1 ({database})\n\n{body}\n\n-- dbsetup structure end\n")
    };
    let mut bodies = text.split('\u{c}').map(file);
    let mut next = || bodies.next().unwrap_or_default();
    let (base, ours, theirs) = (next(), next(), next());
    for text in [&base, &ours, &theirs] {
        if let Ok(structure) = parse(text) {
            let written = structure.text();
            let again = parse(&written).expect("what was written is read");
            assert_eq!(again.text(), written);
            assert!(changes(Some(&structure), Some(&structure)).is_empty());
            assert!(merge(text, text, text).expect("it can be read").conflicts.is_empty());
        }
    }
    if let (Ok(one), Ok(other)) = (merge(&base, &ours, &theirs), merge(&base, &theirs, &ours)) {
        assert_eq!(one.conflicts.len(), other.conflicts.len());
    }
});
