//! SQLite: a file is a database, and the process that opens it is its server.
//!
//! What SQLite lacks is made up for here: a session lock is a locked file beside the database (`lock`), the proof
//! that a script left its transaction alone is a commit hook (`hooks`), the place of an error is looked up in the
//! script (`error`).

mod backup;
mod catalog;
mod each;
mod error;
mod file;
mod glance;
mod hooks;
mod load;
mod lock;
mod quick;
mod rows;
mod scratch;
mod server;
mod session;
mod structure;
mod template;
#[cfg(feature = "testing")]
mod testing;
mod url;
mod work;

#[cfg(test)]
mod tests;

pub use server::SqliteServer;
#[cfg(feature = "testing")]
pub(crate) use testing::connect_options;
