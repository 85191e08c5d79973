//! Programs that run while the test goes on: interrupted, killed, waited for with a bound.

use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Run, wait_until};

/// A started program. It is killed when the test forgets it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    shown: String,
    stdout: Output,
    stderr: Output,
    started: Instant,
    timeout: Duration,
}

impl Running {
    /// Starts `command`; `shown` is its command line for messages.
    #[track_caller]
    pub fn spawn(mut command: Command, shown: String, input: Option<&str>, timeout: Duration) -> Self {
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            // A program that does not read its input may be gone by now.
            _ = stdin.write_all(text.as_bytes());
        }
        let stdout = Output::read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Output::read(child.stderr.take().expect("stderr is a pipe"));
        Self { child, shown, stdout, stderr, started, timeout }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the program still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the program is our child").is_none()
    }

    /// Returns what was written to stderr up to now.
    pub fn stderr_so_far(&self) -> String {
        self.stderr.text()
    }

    /// Waits until `text` stands in stderr.
    #[track_caller]
    pub fn wait_for_stderr(&mut self, text: &str) {
        let start = Instant::now();
        while !self.stderr.text().contains(text) {
            let ended = !self.is_running() && self.stderr.is_complete();
            if (ended && !self.stderr.text().contains(text)) || start.elapsed() > self.timeout {
                panic!("`{text}` is missing in stderr of {}:\n{}", self.shown, self.stderr.text());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the program as the kernel would when memory runs out (SIGKILL).
    pub fn kill(&mut self) {
        // Gone already is what was asked for.
        _ = self.child.kill();
    }

    /// Sends a signal by name: `INT`, `TERM`, `STOP`, `CONT`.
    #[cfg(unix)]
    #[track_caller]
    pub fn signal(&mut self, name: &str) {
        assert!(self.is_running(), "{} has ended before SIG{name}", self.shown);
        // The child is not reaped before `wait`, so the number cannot belong to another process.
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "`kill -{name}` failed");
    }

    /// Waits for the end. Panics, with what was printed, when the bound is reached.
    #[track_caller]
    pub fn wait(mut self) -> Run {
        let deadline = self.started + self.timeout;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the program is our child") {
                break status;
            }
            if Instant::now() > deadline {
                self.kill();
                panic!(
                    "{} did not end within {:?}\n--- stdout\n{}\n--- stderr\n{}",
                    self.shown,
                    self.timeout,
                    self.stdout.text(),
                    self.stderr.text()
                );
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        let whole = || self.stdout.is_complete() && self.stderr.is_complete();
        wait_until(
            "the program's output is closed (does something it started live on?)",
            self.timeout,
            whole,
        );
        Run::new(self.shown.clone(), status, self.stdout.text(), self.stderr.text(), took)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        // Reaps it; a killed child ends.
        _ = self.child.wait();
    }
}

/// What a program writes, read as it comes, so that a full pipe never stops it.
#[derive(Debug)]
pub(super) struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Output {
    pub(super) fn read(mut from: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            // An error ends it too: a terminal whose program has gone answers with one.
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, reader }
    }

    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.reader.is_finished()
    }
}
