//! The difference between a file and what it should say, as `diff -u` writes it.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use similar::TextDiff;

use super::Ui;
use super::text::{block, count};

/// How many lines a terminal gets: who wants all of it asks for a pipe.
const LINES: usize = 200;
/// How long the shortest difference is looked for; after that, a longer one will do.
const SEARCH: Duration = Duration::from_secs(2);

/// Returns the unified diff from `old` to `new`, with three lines around each change.
pub fn unified(old: (&str, &str), new: (&str, &str)) -> String {
    let diff = TextDiff::configure().timeout(SEARCH).diff_lines(old.1, new.1);
    diff.unified_diff().context_radius(3).header(old.0, new.0).to_string()
}

/// Returns the changed lines of a short text with a few around them; `…` stands for what is left out between changes.
pub fn changed_lines(old: &str, new: &str, around: usize) -> String {
    let diff = TextDiff::configure().timeout(SEARCH).diff_lines(old, new);
    let mut text = String::new();
    for (at, hunk) in diff.unified_diff().context_radius(around).iter_hunks().enumerate() {
        if at > 0 {
            text.push_str(" …\n");
        }
        for change in hunk.iter_changes() {
            text.push_str(&format!("{}{}", change.tag(), change.value()));
            if change.missing_newline() {
                text.push('\n');
            }
        }
    }
    text
}

/// Returns the beginning of a diff for a terminal: what a name from a server could steer it with is written out.
pub fn bounded(diff: &str) -> String {
    let lines = diff.lines().count();
    let shown: String = diff.split_inclusive('\n').take(LINES).collect();
    let shown = block(&shown);
    match lines.checked_sub(LINES) {
        None | Some(0) => shown.into_owned(),
        Some(more) => format!("{shown}… and {}\n", count(more, "more line")),
    }
}

/// Returns a diff in colours: what goes, what comes, where.
pub fn painted(diff: &str) -> String {
    let mut painted = String::with_capacity(diff.len() * 2);
    for (at, line) in diff.lines().enumerate() {
        let style = match line.as_bytes().first() {
            // The two lines that name the texts look like changes.
            _ if at < 2 => Style::new().bold(),
            Some(b'-') => AnsiColor::Red.on_default(),
            Some(b'+') => AnsiColor::Green.on_default(),
            Some(b'@') => AnsiColor::Cyan.on_default(),
            _ => Style::new(),
        };
        painted += &format!("{style}{line}{style:#}\n");
    }
    painted
}

/// Writes the difference of two texts to stdout: all of it to a pipe, its beginning to a terminal.
///
/// # Errors
/// Those of the stream; a reader that has gone is one of them.
pub fn tell(ui: &Ui, text: &str) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    let colored = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let shown = shown(text, stdout.is_terminal(), colored);
    if colored { ui.page(&shown) } else { ui.data(&shown) }
}

/// Returns what stdout gets.
fn shown(diff: &str, on_terminal: bool, colored: bool) -> Cow<'_, str> {
    let shown = if on_terminal { bounded(diff).into() } else { Cow::Borrowed(diff) };
    if colored { painted(&shown).into() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(lines: usize) -> String {
        (0..lines).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_diff_is_what_patch_reads() {
        let (old, new) = (numbered(9), numbered(9).replace("4\n", "four\n"));
        assert_eq!(
            unified(("s.sql", &old), ("the database", &new)),
            "--- s.sql\n+++ the database\n@@ -2,7 +2,7 @@\n 1\n 2\n 3\n-4\n+four\n 5\n 6\n 7\n"
        );
        assert_eq!(unified(("a", &old), ("b", &old)), "");
    }

    #[test]
    fn a_pipe_gets_all_and_a_terminal_what_it_can_show() {
        let diff = unified(("a", &numbered(500)), ("b", ""));
        assert_eq!(shown(&diff, false, false), diff);
        let on_terminal = shown(&diff, true, false);
        assert_eq!(on_terminal.lines().count(), LINES + 1);
        assert!(on_terminal.ends_with("-196\n… and 303 more lines\n"), "{on_terminal}");
        assert_eq!(shown("-a\u{1b}[2J\n", true, false), "-a\\u{1b}[2J\n");
    }

    #[test]
    fn colours_say_what_goes_and_what_comes() {
        let diff = "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n z\n";
        let painted = shown(diff, true, true);
        for line in ["\u{1b}[31m-x\u{1b}[0m", "\u{1b}[32m+y\u{1b}[0m", "\n z\n", "\u{1b}[1m--- a\u{1b}[0m"] {
            assert!(painted.contains(line), "{painted:?}");
        }
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), diff);
    }
}
