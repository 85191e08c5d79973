//! Questions to a person.

use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Weak};

use dbsetup::{Error, Kind};
use dialoguer::Input;
use dialoguer::console::Term;
use tokio::sync::oneshot;

use crate::confirm::Verdict;

/// Whether there is a person to ask: answers are read from stdin, questions are seen on stderr.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks and returns whether the answer is yes. Anything but `y` and `yes`, the end of input (Ctrl-D) too, is no.
///
/// # Errors
/// Those of the terminal.
pub async fn confirm(question: &str) -> io::Result<bool> {
    let (above, last) =
        question.rsplit_once('\n').map_or((None, question), |(above, last)| (Some(above), last));
    if let Some(above) = above {
        writeln!(anstream::stderr(), "{above}")?;
    }
    let prompt = format!("{last} [y/N]");
    // Keys are read in the terminal's raw mode. When a signal ends the run meanwhile, this is dropped with it.
    let _mode = Mode::save();
    let asker = Arc::new(());
    let screen = screen(Arc::downgrade(&asker));
    let (sender, answer) = oneshot::channel();
    // A thread of its own: a runtime that ends waits for its blocking tasks, and this one waits for a person.
    std::thread::Builder::new().name("question".to_owned()).spawn(move || {
        let answer = Input::<String>::new().with_prompt(prompt).allow_empty(true).interact_on(&screen);
        // When the run has ended, nobody wants it any more.
        let _ = sender.send(answer);
    })?;
    match answer.await.map_err(io::Error::other)? {
        Ok(answer) => Ok(is_yes(&answer)),
        // Ctrl-C: the signal is on its way, and whoever waits for signals drops this.
        Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::Interrupted => {
            std::future::pending().await
        }
        // The end of the input is no answer, and so a no. What is said next begins a line of its own.
        Err(dialoguer::Error::IO(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            writeln!(anstream::stderr())?;
            Ok(false)
        }
        Err(dialoguer::Error::IO(error)) => Err(error),
    }
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

/// The terminal that a question is shown on, until it ends or its asker has gone.
#[cfg(unix)]
fn screen(asker: Weak<()>) -> Term {
    Term::read_write_pair(io::stdin(), Screen { asker })
}

/// Elsewhere Ctrl-D is a key like any other.
#[cfg(not(unix))]
fn screen(_: Weak<()>) -> Term {
    Term::stderr()
}

/// stderr, as the echo of what is typed. In raw mode Ctrl-D ends nothing: it is a key that arrives, and is echoed as one.
#[cfg(unix)]
#[derive(Debug)]
struct Screen {
    asker: Weak<()>,
}

#[cfg(unix)]
impl Screen {
    /// U+0004, END OF TRANSMISSION: what Ctrl-D sends.
    const CTRL_D: &[u8] = b"\x04";
}

#[cfg(unix)]
impl Write for Screen {
    fn write(&mut self, echo: &[u8]) -> io::Result<usize> {
        // What is typed after a signal has ended the run is not for this question.
        if echo == Self::CTRL_D || self.asker.strong_count() == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        io::stderr().write(echo)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for Screen {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        io::stderr().as_raw_fd()
    }
}

/// The terminal's mode, put back at the end.
#[cfg(unix)]
struct Mode(Option<rustix::termios::Termios>);

#[cfg(unix)]
impl Mode {
    fn save() -> Self {
        Self(rustix::termios::tcgetattr(io::stdin()).ok())
    }
}

#[cfg(unix)]
impl Drop for Mode {
    fn drop(&mut self) {
        if let Some(mode) = &self.0 {
            // The terminal may be gone: then there is nothing to put back.
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, mode);
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

    #[cfg(unix)]
    #[test]
    fn the_screen_takes_neither_the_end_of_the_input_nor_what_nobody_asked_for() {
        let asker = Arc::new(());
        let mut screen = Screen { asker: Arc::downgrade(&asker) };
        assert_eq!(screen.write(b"\x04").unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(screen.write(b"").unwrap(), 0);
        drop(asker);
        assert_eq!(screen.write(b"y").unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
