//! Ctrl-C and SIGTERM. The first ends the run in order; a second one ends the process at once.

use std::future::Future;
use std::pin::pin;

use futures_util::future::{Either, select};

use super::exit;

/// What arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signal {
    /// The exit code that shells give to it.
    pub fn code(self) -> u8 {
        match self {
            Self::Interrupt => exit::SIGINT,
            Self::Terminate => exit::SIGTERM,
        }
    }
}

/// Listens from its making on, so that no signal ends the process behind our back.
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts to listen. Inside the runtime.
    ///
    /// # Errors
    /// Those of the operating system.
    #[cfg(unix)]
    pub fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Starts to listen. Inside the runtime.
    ///
    /// # Errors
    /// None here.
    #[cfg(not(unix))]
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// Returns the next signal.
    #[cfg(unix)]
    pub async fn next(&mut self) -> Signal {
        match select(pin!(self.interrupt.recv()), pin!(self.terminate.recv())).await {
            Either::Left(_) => Signal::Interrupt,
            Either::Right(_) => Signal::Terminate,
        }
    }

    /// Returns the next signal.
    #[cfg(not(unix))]
    pub async fn next(&mut self) -> Signal {
        // Without a handler there is nothing to wait for: the system's own one ends the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }

    /// Runs `work` unless a signal arrives first; then `work` is dropped.
    ///
    /// # Errors
    /// The signal.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Signal> {
        match select(pin!(work), pin!(self.next())).await {
            Either::Left((result, _)) => Ok(result),
            Either::Right((signal, _)) => Err(signal),
        }
    }
}
