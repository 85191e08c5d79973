//! The fenced blocks of a guide. The first line of a block may name the file that it belongs to, as a comment:
//! `// src/main.rs`, `# Cargo.toml`, `-- priv/core/seeds.sql`; blocks of one file are joined in their order. What
//! stands in an HTML comment is a block too: readers do not see it, the compiler does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The word behind the fence: `rust`.
    pub language: String,
    /// The file that it belongs to.
    pub file: Option<String>,
    pub text: String,
    /// Of the line behind the opening fence, from 1.
    pub line: usize,
}

/// Returns the blocks of a Markdown text.
///
/// # Panics
/// When a block has no end.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in markdown.lines().enumerate() {
        match (line.trim_end().strip_prefix("```"), &mut open) {
            (Some(""), Some(_)) => found.extend(open.take().map(named)),
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    file: None,
                    text: String::new(),
                    line: index + 2,
                });
            }
            (_, Some(block)) => block.text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end: {open:?}");
    found
}

fn named(mut block: Block) -> Block {
    let first = block.text.lines().next().unwrap_or_default();
    let comment = ["// ", "# ", "-- "].iter().find_map(|mark| first.strip_prefix(mark));
    let is_path = |text: &&str| {
        let path = Path::new(text);
        path.extension().is_some() && path.is_relative() && !text.contains(char::is_whitespace)
    };
    block.file = comment.filter(is_path).map(str::to_owned);
    block
}

/// Returns the files that the blocks of a guide make, each with its text.
pub fn files(blocks: &[Block]) -> BTreeMap<PathBuf, String> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for block in blocks {
        if let Some(file) = &block.file {
            let text = files.entry(PathBuf::from(file)).or_default();
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&block.text);
        }
    }
    files
}

/// Returns the lines that a reader is to type into a shell.
pub fn typed(blocks: &[Block]) -> Vec<String> {
    let shells = blocks.iter().filter(|block| ["console", "sh"].contains(&block.language.as_str()));
    let lines = shells.flat_map(|block| {
        let is_console = block.language == "console";
        block.text.lines().filter_map(move |line| match line.strip_prefix("$ ") {
            Some(typed) if is_console => Some(typed),
            None if !is_console && !line.starts_with('#') && !line.is_empty() => Some(line),
            _ => None,
        })
    });
    // A comment behind a command is for people.
    lines.map(|line| line.split(" # ").next().unwrap_or(line).trim_end().to_owned()).collect()
}

#[test]
fn blocks_of_one_file_are_joined_and_hidden_ones_are_seen() {
    let text = "# T\n\n<!--\n```rust\n// src/a.rs\nfn f() {\n```\n-->\n```rust\n// src/a.rs\n}\n```\n```console\n$ cargo x # y\nout\n```\n```toml\na = 1\n```\n";
    let found = blocks(text);
    assert_eq!(found.len(), 4);
    assert_eq!(files(&found)[Path::new("src/a.rs")], "// src/a.rs\nfn f() {\n\n// src/a.rs\n}\n");
    assert_eq!(typed(&found), ["cargo x"]);
    assert_eq!((found[3].file.as_deref(), found[3].line), (None, 18));
}
