//! Questions to a person.

use std::io::{IsTerminal, Write};

use dialoguer::Input;
use dialoguer::console::Term;

/// Whether there is a person to ask: answers are read from stdin, questions are seen on stderr.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks and returns whether the answer is yes. Anything but `y` and `yes`, the end of input too, is no.
///
/// # Errors
/// Those of the terminal.
pub async fn confirm(question: &str) -> std::io::Result<bool> {
    let (above, last) =
        question.rsplit_once('\n').map_or((None, question), |(above, last)| (Some(above), last));
    if let Some(above) = above {
        writeln!(anstream::stderr(), "{above}")?;
    }
    let prompt = format!("{last} [y/N]");
    // A whole line is read, as the terminal hands it over: the cursor is never hidden, the terminal never in raw mode,
    // and Ctrl-C arrives as the signal that it is. Prompts that read single keys give none of that.
    let answer = tokio::task::spawn_blocking(move || {
        Input::<String>::new().with_prompt(prompt).allow_empty(true).interact_on(&Term::stderr())
    });
    let answer = answer.await.map_err(std::io::Error::other)?;
    answer.map(|answer| is_yes(&answer)).map_err(|dialoguer::Error::IO(error)| error)
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES \r\n"));
        for no in ["", "\n", "n\n", "yy\n", "ja\n", "yes please\n"] {
            assert!(!is_yes(no), "{no:?}");
        }
    }
}
