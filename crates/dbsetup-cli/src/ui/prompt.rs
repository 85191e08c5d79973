//! Questions to a person.

use std::io::{ErrorKind, IsTerminal, Write};

use dbsetup::{Error, Kind};
use dialoguer::Input;
use dialoguer::console::Term;

use crate::confirm::Verdict;

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
    // Keys are read in the terminal's raw mode. When a signal ends the run meanwhile, this is dropped with it.
    let _mode = Mode::save();
    let answer = tokio::task::spawn_blocking(move || {
        Input::<String>::new().with_prompt(prompt).allow_empty(true).interact_on(&Term::stderr())
    });
    match answer.await.map_err(std::io::Error::other)? {
        Ok(answer) => Ok(is_yes(&answer)),
        // Ctrl-C: the signal is on its way, and whoever waits for signals drops this.
        Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::Interrupted => {
            std::future::pending().await
        }
        // The end of the input is no answer, and so a no.
        Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(dialoguer::Error::IO(error)) => Err(error),
    }
}

/// Why there is no consent.
#[derive(Debug)]
pub enum No {
    /// Refused, or not confirmed.
    Refused(Error),
    /// Ctrl-C at the question.
    Interrupted,
}

/// Asks where there is something to ask.
///
/// # Errors
/// [`No`].
pub async fn consent(verdict: Verdict) -> Result<(), No> {
    let question = match verdict {
        Verdict::Go => return Ok(()),
        Verdict::Refuse(error) => return Err(No::Refused(error)),
        Verdict::Ask(question) => question,
    };
    let refused = |message: String| No::Refused(Error::new(Kind::Refused, message));
    match confirm(&question).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("not confirmed; nothing has been done".to_owned())),
        // Ctrl-C at the question is read as a key before it arrives as a signal.
        Err(error) if error.kind() == ErrorKind::Interrupted => Err(No::Interrupted),
        Err(error) => Err(refused(format!("nobody could be asked: {error}"))),
    }
}

/// The terminal's mode, put back at the end.
#[cfg(unix)]
struct Mode(Option<rustix::termios::Termios>);

#[cfg(unix)]
impl Mode {
    fn save() -> Self {
        Self(rustix::termios::tcgetattr(std::io::stdin()).ok())
    }
}

#[cfg(unix)]
impl Drop for Mode {
    fn drop(&mut self) {
        if let Some(mode) = &self.0 {
            // The terminal may be gone: then there is nothing to put back.
            let _ = rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, mode);
        }
    }
}

/// Elsewhere the console puts itself back.
#[cfg(not(unix))]
struct Mode;

#[cfg(not(unix))]
impl Mode {
    fn save() -> Self {
        Self
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
