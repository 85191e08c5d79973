//! The Rust expression that `dbsetup::embed!` includes.

use std::fmt::Write as _;

use crate::MARKER_PREFIX;
use crate::files::Files;

/// One repo, ready to be written down.
pub(crate) struct Embedded<'a> {
    pub name: &'a str,
    pub digest: &'a str,
    pub disposable: &'a [String],
    /// What holds where no environment has its own.
    pub settings: &'a [(&'static str, String)],
    pub environments: &'a [(String, Vec<(&'static str, String)>)],
    pub files: &'a Files,
    /// The file that holds the contents of all of them, one after the other.
    pub blob: &'a str,
}

/// Returns what stands in a binary for a digest to be found.
pub(crate) fn marker(name: &str, digest: &str) -> String {
    format!("{MARKER_PREFIX}{name}:{digest};")
}

/// Returns the expression. `__dbsetup` is the library's module `source`, which the macro has in scope.
pub(crate) fn expression(embedded: &Embedded<'_>) -> String {
    let Embedded { name, digest, disposable, settings, environments, files, blob } = embedded;
    let marker = marker(name, digest);
    let mut text = format!(
        "// Written by dbsetup-build.\n\
         {{\n\
         const CONTENTS: &[u8] = include_bytes!({blob:?});\n\
         const MARKER: &str = {marker:?};\n\
         // Kept by the linker, for `cargo dbsetup check --binary`.\n\
         #[used]\n\
         static KEPT: &str = MARKER;\n\
         const fn part(start: usize, length: usize) -> &'static [u8] {{\n    \
         CONTENTS.split_at(start).1.split_at(length).0\n\
         }}\n\
         __dbsetup::Embedded {{\n    \
         name: {name:?},\n    \
         digest: {digest:?},\n    \
         marker: MARKER,\n    \
         disposable: &{disposable:?},\n    \
         settings: {},\n    \
         environments: &[\n",
        fields(settings)
    );
    let mut write = |line: String| text.push_str(&line);
    for (environment, settings) in *environments {
        write(format!("        ({environment:?}, {}),\n", fields(settings)));
    }
    write("    ],\n    files: &[\n".to_owned());
    let mut start = 0;
    for (path, bytes) in *files {
        write(format!(
            "        __dbsetup::EmbeddedFile {{ path: {path:?}, bytes: part({start}, {}) }},\n",
            bytes.len()
        ));
        start += bytes.len();
    }
    write("    ],\n    debug_assertions: cfg!(debug_assertions),\n}\n}\n".to_owned());
    text
}

fn fields(settings: &[(&'static str, String)]) -> String {
    let mut text = "__dbsetup::EmbeddedSettings { ".to_owned();
    for (key, value) in settings {
        write!(text, "{key}: {value}, ").expect("a string takes everything");
    }
    text + "..__dbsetup::EmbeddedSettings::DEFAULT }"
}
