//! Session locks, which SQLite does not have: a locked file beside the database, one a lane.
//!
//! The operating system gives the lock back when its process dies, however it dies, so that nobody ever has to remove a
//! stale file. The database file itself cannot serve: SQLite locks it with `fcntl`, and a process loses all such locks of a
//! file as soon as it closes any descriptor of that file (<https://www.sqlite.org/howtocorrupt.html>, 2.2). A file of its
//! own is also out of the way of SQLite's own locks, which come and go with every transaction.
//!
//! Network file systems lock files badly or not at all; SQLite does not work on them either.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::error::{self, failure};
use crate::driver::{DbError, DbErrorClass, LockKey};
use crate::repo::Lane;

/// How often a lock file that was removed under our hands is made again before another one is said to hold it.
const ATTEMPTS: usize = 16;

/// Returns the lock file of a lane.
pub(super) fn lock_file(database: &Path, lane: Lane) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(match lane {
        Lane::Automatic => "-dbsetup-lock",
        Lane::Manual => "-dbsetup-manual-lock",
    });
    path.into()
}

/// The locks of one session.
///
/// Two ledgers in one file share a lock: SQLite has one writer anyway.
#[derive(Debug)]
pub(super) struct Locks {
    /// The database; `None` is memory, which nobody shares.
    database: Option<PathBuf>,
    held: Vec<(LockKey, Option<Lane>)>,
    files: Vec<Held>,
}

/// A lock file that is locked. Dropping it gives the lock back.
#[derive(Debug)]
pub(super) struct Held {
    lane: Lane,
    path: PathBuf,
    // Closing the file unlocks it.
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Removed while it is still locked: whoever opened it before sees that the path leads elsewhere now.
        // Where an open file cannot be removed it stays, unlocked and harmless.
        if cfg!(unix) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Locks {
    /// Returns the locks of a session on `database`, none of them taken.
    pub(super) fn new(database: Option<PathBuf>) -> Self {
        Self { database, held: Vec::new(), files: Vec::new() }
    }

    /// Takes the lock unless another session has it. Taking it twice counts twice, as PostgreSQL's do.
    pub(super) fn try_take(&mut self, key: &LockKey, application: &str) -> Result<bool, DbError> {
        let Some(database) = &self.database else {
            self.held.push((key.clone(), None));
            return Ok(true);
        };
        if !self.files.iter().any(|held| held.lane == key.lane) {
            let Some(held) = take(&lock_file(database, key.lane), key.lane, application)? else {
                return Ok(false);
            };
            self.files.push(held);
        }
        self.held.push((key.clone(), Some(key.lane)));
        Ok(true)
    }

    /// Gives the lock back.
    pub(super) fn give_back(&mut self, key: &LockKey) -> Result<(), DbError> {
        let Some(at) = self.held.iter().position(|(held, _)| held == key) else {
            return Err(failure(
                DbErrorClass::Configuration,
                format!("this session does not hold the {} lock of `{}`", key.lane, key.ledger.shown()),
            ));
        };
        let (_, lane) = self.held.remove(at);
        if let Some(lane) = lane
            && !self.held.iter().any(|(_, other)| *other == Some(lane))
        {
            self.files.retain(|held| held.lane != lane);
        }
        Ok(())
    }

    /// Makes the names in the database's directory durable, where the system can do that.
    pub(super) fn sync_directory(&self) -> Result<(), DbError> {
        if let Some(directory) = self.database.as_deref().and_then(Path::parent)
            && cfg!(unix)
        {
            let sync = File::open(directory).and_then(|directory| directory.sync_all());
            sync.map_err(|source| error::file("sync", directory, &source))?;
        }
        Ok(())
    }

    /// Returns who holds the lock of a lane.
    pub(super) fn holder(&self, lane: Lane) -> Result<Option<String>, DbError> {
        match &self.database {
            Some(database) => holder(&lock_file(database, lane)),
            None => Ok(None),
        }
    }
}

/// Takes both locks of a database, in order to remove it. The error names who has one of them.
pub(super) fn take_all(database: &Path, application: &str) -> Result<Locks, DbError> {
    let mut locks = Locks::new(Some(database.to_owned()));
    for lane in [Lane::Automatic, Lane::Manual] {
        let path = lock_file(database, lane);
        match take(&path, lane, application)? {
            Some(held) => locks.files.push(held),
            None => {
                let who = holder(&path)?.unwrap_or_else(|| "another process".into());
                return Err(failure(DbErrorClass::LockTimeout, format!("the database is in use: {who}")));
            }
        }
    }
    Ok(locks)
}

/// Locks a file of another purpose than a lane's; `None` when another one has it.
pub(super) fn take_named(path: &Path, application: &str) -> Result<Option<Held>, DbError> {
    take(path, Lane::Automatic, application)
}

/// Locks a file, made for it; `None` when another one has it.
fn take(path: &Path, lane: Lane, application: &str) -> Result<Option<Held>, DbError> {
    for _ in 0..ATTEMPTS {
        if path.is_symlink() {
            // Whoever may write to the directory could have us overwrite any file.
            return Err(failure(
                DbErrorClass::Configuration,
                format!("the lock file `{}` is a symbolic link", path.display()),
            ));
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|source| error::file("open the lock file", path, &source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(error::file("lock", path, &source)),
        }
        // Its holder may have removed it between our two steps: then our lock is on a file that nobody else can find.
        if !is_at(&file, path) {
            continue;
        }
        let text = description(application);
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()))
            .map_err(|source| error::file("write", path, &source))?;
        return Ok(Some(Held { lane, path: path.to_owned(), _file: file }));
    }
    Ok(None)
}

/// Whether `path` leads to this very file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

/// Whether `path` leads to this very file: it is never removed here.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Returns what the holder of a lock file wrote into it, if it still holds it.
fn holder(path: &Path) -> Result<Option<String>, DbError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(error::file("open the lock file", path, &source)),
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(None),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(source)) => return Err(error::file("lock", path, &source)),
    }
    let mut text = String::new();
    // Some systems do not let a locked file be read. That it is locked is known all the same.
    let _ = (&file).take(4096).read_to_string(&mut text);
    // The text is another process's: it may not steer our terminal.
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    Ok(Some(if text.is_empty() { format!("another process (it locks `{}`)", path.display()) } else { text }))
}

/// Returns who we are, and how to end us.
fn description(application: &str) -> String {
    let pid = std::process::id();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() % 86_400);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let application = if application.is_empty() { "dbsetup" } else { application };
    format!(
        "pid {pid}, {application}, since {hours:02}:{minutes:02}:{seconds:02} UTC; end it with `{} {pid}`\n",
        if cfg!(windows) { "taskkill /F /PID" } else { "kill" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{LedgerKind, LedgerTable};

    fn key(lane: Lane) -> LockKey {
        let ledger = LedgerTable {
            kind: LedgerKind::Dbsetup,
            schema: None,
            name: "schema_migrations".into(),
            wide: true,
        };
        LockKey { ledger, lane }
    }

    #[test]
    fn one_session_at_a_time_holds_a_lane_and_the_other_learns_who() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = dir.path().join("a.db");
        let (mut first, mut second) =
            (Locks::new(Some(database.clone())), Locks::new(Some(database.clone())));
        let main = key(Lane::Automatic);
        assert!(first.try_take(&main, "dbsetup migrate core").expect("it works"));
        assert!(!second.try_take(&main, "x").expect("it works"));
        assert!(second.try_take(&key(Lane::Manual), "x").expect("lanes do not block each other"));
        let who = second.holder(Lane::Automatic).expect("it works").expect("somebody");
        assert!(who.contains(&format!("pid {}, dbsetup migrate core, since ", std::process::id())), "{who}");
        first.give_back(&main).expect("it was held");
        assert_eq!(second.holder(Lane::Automatic).expect("it works"), None);
        assert!(second.try_take(&main, "x").expect("it works"));
        drop(second);
        assert!(first.try_take(&main, "x").expect("a dropped session holds nothing"));
    }

    #[test]
    fn a_lock_that_is_not_held_cannot_be_given_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut locks = Locks::new(Some(dir.path().join("a.db")));
        assert!(locks.give_back(&key(Lane::Automatic)).is_err());
        assert!(Locks::new(None).give_back(&key(Lane::Automatic)).is_err());
    }

    #[test]
    fn a_lock_taken_twice_is_given_back_twice() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = dir.path().join("a.db");
        let (mut first, mut second) =
            (Locks::new(Some(database.clone())), Locks::new(Some(database.clone())));
        let main = key(Lane::Automatic);
        assert!(first.try_take(&main, "").expect("it works") && first.try_take(&main, "").expect("it works"));
        first.give_back(&main).expect("held twice");
        assert!(!second.try_take(&main, "").expect("it works"));
        first.give_back(&main).expect("held once");
        assert!(second.try_take(&main, "").expect("it works"));
    }

    #[test]
    fn never_two_of_many_threads_hold_the_lock_although_its_file_comes_and_goes() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let dir = tempfile::tempdir().expect("a directory");
        let database = dir.path().join("a.db");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut locks = Locks::new(Some(database.clone()));
                    for _ in 0..500 {
                        if locks.try_take(&key(Lane::Automatic), "x").expect("it works") {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            taken.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            locks.give_back(&key(Lane::Automatic)).expect("it is held");
                        }
                    }
                });
            }
        });
        assert!(taken.load(Ordering::SeqCst) > 0);
    }

    #[test]
    fn a_file_that_a_dead_process_left_is_no_lock() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = dir.path().join("a.db");
        std::fs::write(lock_file(&database, Lane::Automatic), "pid 1, gone").expect("it is written");
        let mut locks = Locks::new(Some(database));
        assert_eq!(locks.holder(Lane::Automatic).expect("it works"), None);
        assert!(locks.try_take(&key(Lane::Automatic), "x").expect("it works"));
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_leads_elsewhere_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let (database, victim) = (dir.path().join("a.db"), dir.path().join("victim"));
        std::fs::write(&victim, "precious").expect("it is written");
        std::os::unix::fs::symlink(&victim, lock_file(&database, Lane::Automatic)).expect("it is linked");
        assert!(Locks::new(Some(database)).try_take(&key(Lane::Automatic), "x").is_err());
        assert_eq!(std::fs::read_to_string(victim).expect("it is there"), "precious");
    }
}
