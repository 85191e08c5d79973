//! Errors as rustc draws them: what, where with a caret, what else is known, what to do next.

use annotate_snippets::renderer::{DEFAULT_HELP_STYLE, DEFAULT_NOTE_STYLE};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, Title};
use anstyle::Style;
use dbsetup::Error;

use super::text::block;

/// Returns the drawing of an error, with ANSI colours; the stream takes them out where they are not wanted.
/// `repo` is named where several are worked on.
pub fn error(error: &Error, repo: Option<&str>) -> String {
    drawn(Level::ERROR.primary_title(block(error.message()).into_owned()), error, repo)
}

/// Returns the drawing of what a check found: `error[changed]: …`, or `warning[…]` where `level` says so.
pub fn finding(level: &str, code: &str, error: &Error, repo: Option<&str>) -> String {
    let level = if level == "warning" { Level::WARNING } else { Level::ERROR };
    drawn(level.primary_title(block(error.message()).into_owned()).id(code), error, repo)
}

fn drawn(title: Title<'_>, error: &Error, repo: Option<&str>) -> String {
    let Some(site) = error.site() else {
        let mut drawn = render(Group::with_title(title));
        let place = repo.map(|repo| format!("in repo `{repo}`"));
        for note in place.iter().chain(error.notes()) {
            let (word, note) = labelled(note);
            below(&mut drawn, word, DEFAULT_NOTE_STYLE, note);
        }
        if let Some(help) = error.help_text() {
            below(&mut drawn, "help", DEFAULT_HELP_STYLE, help);
        }
        return drawn;
    };
    // The excerpt has no tabs that a terminal would widen: columns stay under their characters.
    let source = block(&site.excerpt).replace('\t', " ");
    let column = (site.at.column as usize).saturating_sub(1);
    let (start, end) = (byte_of(&source, column), byte_of(&source, column + site.width));
    let mut caret = AnnotationKind::Primary.span(start..end);
    if let Some(repo) = repo {
        caret = caret.label(format!("in repo `{repo}`"));
    }
    let path = block(&site.path.display().to_string()).into_owned();
    let snippet = Snippet::source(source).line_start(site.at.line as usize).path(path).annotation(caret);
    let mut group = title.element(snippet);
    for note in error.notes() {
        let (word, note) = labelled(note);
        group = group.element(Level::NOTE.with_name(word).message(block(note).into_owned()));
    }
    if let Some(help) = error.help_text() {
        group = group.element(Level::HELP.message(block(help).into_owned()));
    }
    render(group)
}

/// Returns the drawing of a warning.
pub fn warning(text: &str, help: Option<&str>) -> String {
    let mut drawn = render(Group::with_title(Level::WARNING.primary_title(text)));
    if let Some(help) = help {
        below(&mut drawn, "help", DEFAULT_HELP_STYLE, help);
    }
    drawn
}

/// Returns the word before a note, and the note: a server's hint is one, and says so itself.
fn labelled(note: &str) -> (&'static str, &str) {
    let own = ["hint", "note"];
    let found = own.into_iter().find_map(|word| Some((word, note.strip_prefix(word)?.strip_prefix(": ")?)));
    found.unwrap_or(("note", note))
}

fn render(group: Group<'_>) -> String {
    Renderer::styled().render(&[group]).to_string()
}

/// Adds `note: …` below, further lines under the first.
fn below(drawn: &mut String, word: &str, style: Style, text: &str) {
    let indent = " ".repeat(word.len() + 2);
    let text = block(text).replace('\n', &format!("\n{indent}")).replace(&format!("\n{indent}\n"), "\n\n");
    *drawn += &format!("\n{style}{word}{style:#}: {text}");
}

/// Returns the byte at which a character begins, counted from 0; the end where there are not so many.
fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::Kind;
    use dbsetup::error::Site;

    fn plain(failure: &Error, repo: Option<&str>) -> String {
        anstream::adapter::strip_str(&error(failure, repo)).to_string()
    }

    #[test]
    fn the_caret_stands_under_the_word() {
        let text = "create table a (\n\tgröße integr,\n  b int\n);\n";
        let start = text.find("integr").expect("it is there");
        let failure = Error::new(Kind::Statement, "type `integr` does not exist")
            .at(Site::in_text("priv/core/migrations/1_a.sql", text, start..start + 6))
            .note("rolled back")
            .help("fix the file and run `cargo dbsetup migrate` again");
        let drawn = plain(&failure, Some("core"));
        assert!(drawn.starts_with("error: type `integr` does not exist\n"), "{drawn}");
        assert!(drawn.contains("--> priv/core/migrations/1_a.sql:2:8\n"), "{drawn}");
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines.iter().position(|line| line.contains("integr,")).expect("the line is shown");
        let word = lines[at]
            .chars()
            .collect::<String>()
            .find("integr")
            .map(|byte| lines[at][..byte].chars().count());
        let caret = lines[at + 1].find('^').map(|byte| lines[at + 1][..byte].chars().count());
        assert_eq!(word, caret, "{drawn}");
        assert!(lines[at + 1].contains("^^^^^^ in repo `core`"), "{drawn}");
        assert!(drawn.contains("note: rolled back") && drawn.contains("help: fix the file"), "{drawn}");
    }

    #[test]
    fn an_error_without_a_place_is_its_sentence_with_notes_and_help() {
        let failure = Error::new(Kind::Unreachable, "no server answers").note("a").help("b\nc");
        assert_eq!(
            plain(&failure, Some("core")),
            "error: no server answers\nnote: in repo `core`\nnote: a\nhelp: b\n      c"
        );
    }
}
