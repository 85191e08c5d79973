//! The sessions of a run: one a repo, kept from step to step, closed or ended at its end.

use std::sync::PoisonError;

use dbsetup::Result;
use dbsetup::session::Session;
use futures_util::future::join_all;

use super::prepare::Prepared;
use crate::ui::Ui;

/// At most one session for each repo of a run.
pub struct Sessions<'a> {
    prepared: &'a Prepared,
    ui: &'a Ui,
    /// Said to servers, with the repo behind it: `setup`.
    word: String,
    sessions: Vec<Option<Session<'a>>>,
}

impl<'a> Sessions<'a> {
    /// Returns no sessions yet.
    pub fn new(prepared: &'a Prepared, ui: &'a Ui, word: String) -> Self {
        Self { prepared, ui, word, sessions: prepared.repos.iter().map(|_| None).collect() }
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
                let session = Session::new(self.prepared.repos[repo].files(), self.ui, &self.word)?;
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

/// What ends a session from outside; `None` while it has no connection.
fn id(session: &Session<'_>) -> Option<String> {
    session.id().lock().unwrap_or_else(PoisonError::into_inner).clone()
}
