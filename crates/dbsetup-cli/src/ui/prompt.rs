//! Questions to a person.

use std::io::{BufRead, IsTerminal, Write};

use dbsetup::{Error, Kind};

use crate::confirm::Verdict;

/// Whether there is a person to ask: answers are read from stdin, questions are seen on stderr.
pub fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks and returns whether the answer is yes. Anything but `y` and `yes`, the end of input (Ctrl-D) too, is no.
///
/// The terminal stays as it is: what is typed is a line, Ctrl-C is a signal, and whoever waits for signals drops this.
///
/// # Errors
/// Those of the terminal.
pub async fn confirm(question: &str) -> std::io::Result<bool> {
    write!(anstream::stderr(), "{question} [y/N]: ")?;
    std::io::stderr().flush()?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).map(|_| line)
    });
    let answer = answer.await.map_err(std::io::Error::other)??;
    if !answer.ends_with('\n') {
        // Nobody pressed Enter: what is said next begins a line of its own.
        writeln!(anstream::stderr())?;
    }
    Ok(is_yes(&answer))
}

/// Asks where there is something to ask.
///
/// # Errors
/// [`Kind::Refused`]: refused, or not confirmed.
pub async fn consent(verdict: Verdict) -> Result<(), Error> {
    let question = match verdict {
        Verdict::Go => return Ok(()),
        Verdict::Refuse(error) => return Err(error),
        Verdict::Ask(question) => question,
    };
    let refused = |message: String| Error::new(Kind::Refused, message);
    match confirm(&question).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("not confirmed; nothing has been done".to_owned())),
        Err(error) => Err(refused(format!("nobody could be asked: {error}"))),
    }
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
