//! How far a start-up is, for whoever watches: a health endpoint, a progress line.

use tokio::sync::watch;

/// Where a start-up is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It has not begun, or has just begun to look.
    #[default]
    Starting,
    /// It waits: for another process that migrates, or until somebody else has done it.
    Waiting,
    /// The structure is loaded.
    Loading,
    /// Migrations are applied; the version of the one that runs.
    Migrating(String),
    /// Seeds are run.
    Seeding,
    /// Something failed, and the database is emptied or put back.
    Recovering,
    /// It is over, and the application may serve.
    Ready,
    /// It is over, and the application must not serve.
    Failed,
}

/// A handle on the phase of a start-up. Clones show the same one.
#[derive(Debug, Clone)]
pub struct Phases {
    sender: watch::Sender<Phase>,
    seen: watch::Receiver<Phase>,
}

impl Default for Phases {
    fn default() -> Self {
        Self::new()
    }
}

impl Phases {
    /// Returns a handle for a start-up that has not begun.
    pub fn new() -> Self {
        let (sender, seen) = watch::channel(Phase::default());
        Self { sender, seen }
    }

    /// The phase now.
    pub fn current(&self) -> Phase {
        self.sender.borrow().clone()
    }

    /// Whether the application may serve.
    pub fn is_ready(&self) -> bool {
        *self.sender.borrow() == Phase::Ready
    }

    /// Waits until the phase is another one than this clone has heard of last, and returns it.
    pub async fn changed(&mut self) -> Phase {
        // The sender lives in this very handle: the channel cannot be closed.
        let _ = self.seen.changed().await;
        self.seen.borrow_and_update().clone()
    }

    pub(super) fn set(&self, phase: Phase) {
        self.sender.send_if_modified(|now| {
            let differs = *now != phase;
            if differs {
                *now = phase;
            }
            differs
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_the_phase_and_waits_for_the_next() {
        let phases = Phases::new();
        let mut watcher = phases.clone();
        assert_eq!((watcher.current(), watcher.is_ready()), (Phase::Starting, false));
        let waiting = tokio::spawn(async move { watcher.changed().await });
        phases.set(Phase::Starting);
        phases.set(Phase::Migrating("1".into()));
        assert_eq!(waiting.await.expect("it does not panic"), Phase::Migrating("1".into()));
        phases.set(Phase::Ready);
        assert!(phases.is_ready());
    }
}
