//! Questions to a person. Lines are read as the terminal hands them over, so the cursor is never hidden and Ctrl-C
//! arrives as the signal that it is.

use std::io::{BufRead, IsTerminal, Write};

/// Whether there is a person to ask: answers are read from stdin, questions are seen on stderr.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks and returns whether the answer is yes. Anything but `y` and `yes`, the end of input too, is no.
///
/// # Errors
/// Those of the terminal.
pub async fn confirm(question: &str) -> std::io::Result<bool> {
    let question = question.to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut stderr = anstream::stderr();
        write!(stderr, "{question} [y/N] ")?;
        stderr.flush()?;
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer)?;
        if read == 0 {
            writeln!(stderr)?;
        }
        Ok(is_yes(&answer))
    });
    answer.await.map_err(std::io::Error::other)?
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
