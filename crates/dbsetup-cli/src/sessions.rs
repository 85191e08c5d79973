//! The sessions of a run: one a repo, kept from step to step, closed or ended at its end.

use std::sync::PoisonError;
use std::time::Duration;

use dbsetup::Result;
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use futures_util::future::join_all;

use crate::signals::{Signal, Signals};
use crate::ui::Ui;
use crate::ui::json::Object;

/// How long ending interrupted sessions may take.
const ENDING: Duration = Duration::from_secs(5);

/// At most one session for each repo of a run.
pub struct Sessions<'a> {
    repos: Vec<&'a Repo>,
    ui: &'a Ui,
    /// Said to servers, with the repo behind it: `setup`.
    word: String,
    sessions: Vec<Option<Session<'a>>>,
}

impl<'a> Sessions<'a> {
    /// Returns no sessions of these repos yet.
    pub fn new(repos: impl IntoIterator<Item = &'a Repo>, ui: &'a Ui, word: String) -> Self {
        let repos: Vec<&'a Repo> = repos.into_iter().collect();
        Self { ui, word, sessions: repos.iter().map(|_| None).collect(), repos }
    }

    /// The session of a repo, made now if there is none. Making one connects to nothing.
    ///
    /// # Errors
    /// [`dbsetup::Kind::Configuration`] when the URL does not parse.
    pub fn get(&mut self, repo: usize) -> Result<&mut Session<'a>> {
        let slot = &mut self.sessions[repo];
        match slot {
            Some(session) => Ok(session),
            None => {
                let session = Session::new(self.repos[repo], self.ui, &self.word)?;
                Ok(slot.insert(session))
            }
        }
    }

    /// The sessions of these repos, as far as they have been made.
    pub fn of<'s>(&'s mut self, repos: &'s [usize]) -> impl Iterator<Item = (usize, &'s mut Session<'a>)> {
        let chosen = self.sessions.iter_mut().enumerate().filter(|(repo, _)| repos.contains(repo));
        chosen.filter_map(|(repo, session)| session.as_mut().map(|session| (repo, session)))
    }

    /// Closes every connection. What a new database got is made durable first.
    ///
    /// # Errors
    /// The first failure; every connection is closed all the same.
    pub async fn close(&mut self) -> Result<()> {
        let closed = self.sessions.iter_mut().flatten().map(|session| async move {
            let durable = session.settle().await;
            session.close().await;
            session.server().let_go().await;
            durable
        });
        join_all(closed).await.into_iter().collect()
    }

    /// Ends the connections from outside: their work was dropped half way.
    pub async fn end(&mut self) {
        let ended = self.sessions.iter_mut().flatten().map(|session| async move {
            if let Some(id) = id(session) {
                // When the server cannot be asked it will notice by itself that its client has gone.
                let _ = session.server().end_session(&id).await;
            }
            // What cannot be removed now is removed by the next run.
            let _ = session.discard_scratch().await;
        });
        join_all(ended).await;
    }
}

impl Sessions<'_> {
    /// Ends the sessions that were `at_work`, so that no lock and no statement stays behind, and says so. A second signal
    /// ends the waiting at once.
    pub async fn interrupted(&mut self, signal: Signal, signals: &mut Signals, at_work: bool) {
        self.ui.json(Object::new("interrupted").number("code", signal.code()));
        if !at_work {
            return self.ui.reason("Interrupted; nothing was being done in a database");
        }
        self.ui.reason("Interrupted: ending the sessions");
        let ended = signals.or(tokio::time::timeout(ENDING, self.end())).await;
        let text = match ended {
            Ok(Ok(_)) => "Every session has been ended; what was not committed is rolled back",
            Ok(Err(_)) => {
                "The sessions could not be ended in time; the servers will notice that they are gone"
            }
            Err(_) => "Not waiting for the servers any more",
        };
        self.ui.reason(text);
        for (name, migration) in self.ui.unfinished() {
            let Some(repo) = self.repos.iter().find(|repo| repo.name.as_str() == name) else { continue };
            self.ui.reason(&format!(
                "{name}: {migration} was interrupted; {} shows where it stands, and {} goes on",
                repo.command("status"),
                repo.again(&self.word, "migrate")
            ));
        }
    }
}

/// What ends a session from outside; `None` while it has no connection.
fn id(session: &Session<'_>) -> Option<String> {
    session.id().lock().unwrap_or_else(PoisonError::into_inner).clone()
}
