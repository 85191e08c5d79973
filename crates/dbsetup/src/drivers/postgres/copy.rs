//! `COPY … FROM STDIN` over several calls.
//!
//! sqlx's handle borrows the connection, so that it cannot stand beside it in a session. Here a future owns both; each
//! call drives it until it wants more data.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use sqlx::Error;
use sqlx::postgres::PgConnection;

/// Small pieces are gathered: each costs a message.
const PIECE: usize = 64 * 1024;

/// What is handed to the future.
enum Slot {
    /// The future wants the next piece.
    Wanted,
    /// Here it is.
    Given(Piece),
    /// The future works.
    Taken,
}

/// What follows in a copy.
enum Piece {
    Data(Vec<u8>),
    End,
    /// The server is told to forget it.
    Abort,
}

/// The connection, unless it went out of step, and the number of rows.
type Ended = (Option<PgConnection>, Result<u64, Error>);

/// A copy that has begun.
pub(super) struct Copy {
    slot: Arc<Mutex<Slot>>,
    work: Pin<Box<dyn Future<Output = Ended> + Send>>,
    gathered: Vec<u8>,
}

/// What a step came to.
pub(super) enum Step {
    /// More data can follow.
    More(Copy),
    /// It is over.
    Ended(Ended),
}

impl Copy {
    /// Begins a copy. The statement is one `COPY … FROM STDIN`.
    pub async fn begin(connection: PgConnection, statement: String) -> Step {
        let slot = Arc::new(Mutex::new(Slot::Taken));
        let work = Box::pin(work(connection, statement, Arc::clone(&slot)));
        Self { slot, work, gathered: Vec::new() }.drive().await
    }

    /// Sends data, sooner or later.
    pub async fn data(mut self, data: &[u8]) -> Step {
        self.gathered.extend_from_slice(data);
        if self.gathered.len() < PIECE {
            return Step::More(self);
        }
        let piece = std::mem::take(&mut self.gathered);
        self.give(Piece::Data(piece)).await
    }

    /// Sends the rest and ends.
    pub async fn end(mut self) -> Step {
        if !self.gathered.is_empty() {
            let piece = std::mem::take(&mut self.gathered);
            match self.give(Piece::Data(piece)).await {
                Step::More(copy) => self = copy,
                ended @ Step::Ended(_) => return ended,
            }
        }
        self.give(Piece::End).await
    }

    /// Gives up, and returns the connection where it can go on.
    pub async fn abort(self) -> Option<PgConnection> {
        match self.give(Piece::Abort).await {
            Step::Ended((connection, _)) => connection,
            Step::More(_) => None,
        }
    }

    async fn give(self, piece: Piece) -> Step {
        *lock(&self.slot) = Slot::Given(piece);
        self.drive().await
    }

    /// Polls the future until it ends or wants more.
    async fn drive(mut self) -> Step {
        let ended = poll_fn(|context| match self.work.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if matches!(*lock(&self.slot), Slot::Wanted) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await;
        match ended {
            Some(ended) => Step::Ended(ended),
            None => Step::More(self),
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> std::sync::MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn work(mut connection: PgConnection, statement: String, slot: Arc<Mutex<Slot>>) -> Ended {
    let rows = copy(&mut connection, &statement, &slot).await;
    // After an error of the protocol nobody knows what the next answer belongs to.
    let kept = rows.as_ref().err().is_none_or(|error| error.as_database_error().is_some());
    (kept.then_some(connection), rows)
}

async fn copy(connection: &mut PgConnection, statement: &str, slot: &Mutex<Slot>) -> Result<u64, Error> {
    let mut sink = connection.copy_in_raw(statement).await?;
    loop {
        *lock(slot) = Slot::Wanted;
        let piece = poll_fn(|_| {
            let mut slot = lock(slot);
            match std::mem::replace(&mut *slot, Slot::Taken) {
                Slot::Given(piece) => Poll::Ready(piece),
                other => {
                    // Whoever gives the next piece polls this again: no waker is needed.
                    *slot = other;
                    Poll::Pending
                }
            }
        })
        .await;
        match piece {
            Piece::Data(data) => {
                sink.send(data).await?;
            }
            Piece::End => return sink.finish().await,
            Piece::Abort => return sink.abort("the client gave up").await.map(|()| 0),
        }
    }
}
