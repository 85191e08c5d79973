//! A copy of a whole database that is put back when the work on it fails.

use super::{BoxFuture, DbError, Server};

/// The right to keep a copy of one database. Nobody else has it while the value lives; a copy that was made outlives it,
/// and is found by whoever has the right next.
pub trait Backup: Send {
    /// The copy that is there, complete; `None` when there is none.
    fn copy(&mut self) -> BoxFuture<'_, Result<Option<Box<dyn Server>>, DbError>>;
    /// Makes the copy: it is there whole, or not at all. No session of ours is open.
    fn make(&mut self) -> BoxFuture<'_, Result<(), DbError>>;
    /// Puts the copy in the place of the database, in one step: whoever dies in the middle leaves the one or the other, and
    /// the copy as long as it is not in its place. No session of ours is open.
    fn put_back(&mut self) -> BoxFuture<'_, Result<(), DbError>>;
    /// Removes the copy and whatever else is left of an earlier one.
    fn discard(&mut self) -> BoxFuture<'_, Result<(), DbError>>;
}
