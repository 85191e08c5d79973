//! The program on a terminal of its own, as a person has it: prompts are asked, bars are drawn.

use std::io::Write as _;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::Pty;

use super::Run;
use super::process::Output;

/// A started program and the keyboard and screen before it. It is killed when the test forgets it.
pub struct Terminal {
    child: Child,
    shown: String,
    keyboard: Arc<Pty>,
    screen: Output,
    /// How much of the text was looked at by `expect`, in bytes.
    seen: usize,
    started: Instant,
    timeout: Duration,
}

impl Terminal {
    #[track_caller]
    pub(super) fn start(command: &Command, shown: String, timeout: Duration) -> Self {
        let (pty, child_end) = pty_process::blocking::open().expect("the system has a free terminal");
        pty.resize(Size::new(30, 120)).expect("a new terminal can be resized");
        let mut on_terminal = pty_process::blocking::Command::new(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(directory) = command.get_current_dir() {
            on_terminal = on_terminal.current_dir(directory);
        }
        let started = Instant::now();
        let child = match on_terminal.spawn(child_end) {
            Ok(child) => child,
            Err(error) => panic!("cannot start {shown}: {error}"),
        };
        let keyboard = Arc::new(pty);
        let screen = Output::read(Screen(Arc::clone(&keyboard)));
        Self { child, shown, keyboard, screen, seen: 0, started, timeout }
    }

    /// Waits until `text` appears behind what was expected before. Colours and cursor movements do not count.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        let start = Instant::now();
        loop {
            let complete = self.screen.is_complete();
            let all = self.text();
            if let Some(found) = all.get(self.seen..).and_then(|rest| rest.find(text)) {
                self.seen += found + text.len();
                return self;
            }
            if complete || start.elapsed() > self.timeout {
                panic!("`{text}` did not appear on the terminal of {}:\n{all}", self.shown);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types. `\n` is the Enter key, `\u{3}` is Ctrl-C.
    #[track_caller]
    pub fn send(&mut self, keys: &str) -> &mut Self {
        let keys = keys.replace('\n', "\r");
        (&*self.keyboard).write_all(keys.as_bytes()).expect("the terminal takes keys");
        self
    }

    /// Returns what was shown, without colours and cursor movements, lines ended by `\n`.
    pub fn text(&self) -> String {
        anstream::adapter::strip_str(&self.raw()).to_string().replace("\r\n", "\n")
    }

    /// Returns what was sent to the terminal, byte for byte.
    pub fn raw(&self) -> String {
        self.screen.text()
    }

    /// Waits for the end and returns what was sent to the terminal, byte for byte.
    #[track_caller]
    pub fn finish(mut self) -> String {
        self.end();
        self.raw()
    }

    /// Waits for the end. The result's stdout is all that was shown, as [`Terminal::text`]; its stderr is empty.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let status = self.end();
        let took = self.started.elapsed();
        Run::new(self.shown.clone(), status, self.text(), String::new(), took)
    }

    #[track_caller]
    fn end(&mut self) -> std::process::ExitStatus {
        let deadline = self.started + self.timeout;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program is our child") {
                break status;
            }
            if Instant::now() > deadline {
                panic!("{} did not end within {:?}:\n{}", self.shown, self.timeout, self.text());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        super::wait_until("the terminal is read to its end", self.timeout, || self.screen.is_complete());
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Gone already is what is wanted.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The reading end of a terminal whose writing end is used elsewhere.
struct Screen(Arc<Pty>);

impl std::io::Read for Screen {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        (&*self.0).read(buffer)
    }
}
