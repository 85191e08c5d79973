//! Templates: copies of a database's file, in a directory beside it.
//!
//! | file | holds |
//! |---|---|
//! | `.dbsetup-templates/<24 digits>.db` | the database, byte for byte: also what its header says (WAL mode, `user_version`) |
//! | `….txt` | what its maker said of it; its time is when the template was last used |
//! | `….lock` | locked while somebody makes it |
//!
//! A file gets its name when everything is in it and on the disk, so whatever can be found is whole. Copying is the operating
//! system's, which shares the blocks where the file system can.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{ConnectOptions, Connection};

use super::error;
use super::file::{Found, look};
use super::lock;
use super::server::SqliteServer;
use crate::driver::{
    BoxFuture, Cloned, DbError, DbErrorClass, Kept, Server, Sessions, TemplateClaim, TemplateInfo,
    TemplateName, TemplateNote, Templates, Workshop,
};
use crate::repo::CreateOptions;

/// The directory of templates, beside the databases.
const DIRECTORY: &str = ".dbsetup-templates";
/// How often it is noted that a template is used.
const DAY: Duration = Duration::from_secs(86_400);
/// A copy that takes longer is a dead process's.
const DEAD_AFTER: Duration = Duration::from_secs(3_600);
/// What the names of files begin with that templates are made of.
const SHOP: &str = ".dbsetup-warm-";
/// What stands in a note before everything else.
const NOTE: &str = "dbsetup template";

/// Returns a path with something put behind its name.
fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Returns 64 random bits in hexadecimal: the standard library seeds its hash tables from the system. A process's number
/// would not do, for containers that share a volume have the same ones.
fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Returns the name of a copy that nobody else makes.
fn part_of(path: &Path) -> PathBuf {
    with(path, &format!("-dbsetup-copy-{}", random()))
}

/// Copies a file, its rights too, to a name that nothing has. What is there is never written to: it could be a database
/// that has just got a second name.
fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let rights = source.metadata()?.permissions();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(rights.mode() & 0o777);
    }
    let mut copy = options.open(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_permissions(rights)
}

/// Where the templates of the databases in a directory are.
fn directory_of(database: &Path) -> PathBuf {
    database.parent().unwrap_or(Path::new(".")).join(DIRECTORY)
}

/// Where a template of the databases in a directory is.
pub(super) fn file_of(database: &Path, template: &TemplateName) -> PathBuf {
    directory_of(database).join(format!("{template}.db"))
}

/// Makes the directory, which no version control and no backup is to look at.
fn make_directory(directory: &Path) -> Result<(), DbError> {
    if directory.is_dir() {
        return Ok(());
    }
    let write = |name: &str, text: &str| fs::write(directory.join(name), text);
    fs::create_dir_all(directory)
        .and_then(|()| write(".gitignore", "*\n"))
        // <https://bford.info/cachedir/>
        .and_then(|()| write("CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n"))
        .map_err(|source| error::file("make", directory, &source))
}

/// Whether a file is a database with every page that its header promises
/// (<https://www.sqlite.org/fileformat2.html#the_database_header>).
fn is_whole(path: &Path) -> bool {
    let mut header = [0; 100];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header).map(|()| file));
    let Ok(length) = read.and_then(|file| file.metadata()).map(|found| found.len()) else { return false };
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    header.starts_with(b"SQLite format 3\0") && pages > 0 && length == page * pages
}

/// Whether two files belong to the same user: what another one left there could be a trap.
#[cfg(unix)]
fn have_one_owner(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| found.uid()).ok();
    owner(one).is_some() && owner(one) == owner(other)
}

/// Whether two files belong to the same user: nobody is asked here.
#[cfg(not(unix))]
fn have_one_owner(_one: &Path, _other: &Path) -> bool {
    true
}

/// Returns a note as it stands in its file.
fn written(note: &TemplateNote, made: SystemTime) -> String {
    let made = made.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let repo: String = note.repo.chars().filter(|c| !c.is_control()).collect();
    let database = note.database.as_deref().unwrap_or_default();
    let home = note.home.as_ref().map(|home| format!("home {home}\n")).unwrap_or_default();
    format!("{NOTE}\nmade {made}\nmigrations {}\ndatabase {database}\nrepo {repo}\n{home}", note.migrations)
}

/// Reads a note: it and when the template was made.
fn read_note(text: &str) -> Option<(TemplateNote, SystemTime)> {
    let mut lines = text.lines();
    let mut next = |key: &str| lines.next()?.strip_prefix(key);
    next(NOTE)?;
    let made = UNIX_EPOCH.checked_add(Duration::from_secs(next("made ")?.parse().ok()?))?;
    let migrations = next("migrations ")?.parse().ok()?;
    let database = Some(next("database ")?.to_owned()).filter(|database| !database.is_empty());
    let repo = next("repo ")?.to_owned();
    let home = next("home ").map(str::to_owned);
    Some((TemplateNote { repo, database, home, migrations }, made))
}

/// Reads the note of a template, and notes once a day that it is used.
fn use_note(path: &Path) -> Option<TemplateNote> {
    let text = fs::read_to_string(path).ok()?;
    let is_old =
        || fs::metadata(path).and_then(|found| found.modified()).ok()?.elapsed().ok().map(|old| old > DAY);
    if is_old().unwrap_or(false) {
        // A cache may forget that it was used.
        let _ =
            OpenOptions::new().append(true).open(path).and_then(|file| file.set_modified(SystemTime::now()));
    }
    read_note(&text).map(|(note, _)| note)
}

impl SqliteServer {
    fn cloned(&self, template: &TemplateName) -> Result<Cloned, DbError> {
        let path = match self.changeable() {
            Ok(path) => path,
            Err(error) => return Ok(Cloned::Cannot(error.message)),
        };
        if let Found::File = look(path)? {
            return Ok(Cloned::Already);
        }
        let source = file_of(path, template);
        if !source.is_file() {
            return Ok(Cloned::NoTemplate);
        }
        // A log that an earlier database left would be read into this one.
        if ["-wal", "-journal"].iter().any(|suffix| with(path, suffix).exists()) {
            return Ok(Cloned::Cannot("the log of an earlier database is there".to_owned()));
        }
        let part = part_of(path);
        let made = copy_new(&source, &part).map(|()| {
            if !have_one_owner(&source, &part) || !is_whole(&part) {
                return Cloned::NoTemplate;
            }
            // A link fails where something is; a rename would replace it.
            match fs::hard_link(&part, path) {
                Ok(()) => Cloned::Now(use_note(&source.with_extension("txt"))),
                Err(failed) if failed.kind() == ErrorKind::AlreadyExists => Cloned::Already,
                Err(failed) => Cloned::Cannot(format!("the file system links no files: {failed}")),
            }
        });
        let _ = fs::remove_file(&part);
        match made {
            Ok(made) => Ok(made),
            // Removed in between.
            Err(failed) if failed.kind() == ErrorKind::NotFound => Ok(Cloned::NoTemplate),
            Err(failed) => Err(error::file("copy the template to", path, &failed)),
        }
    }

    async fn kept(&self, template: &TemplateName, note: &TemplateNote) -> Result<Kept, DbError> {
        let cannot = |error: DbError| Ok(Kept::Cannot(error.message));
        let path = match self.changeable() {
            Ok(path) => path,
            Err(error) => return cannot(error),
        };
        let Found::File = look(path)? else {
            return Ok(Kept::Cannot("the database is gone".to_owned()));
        };
        let target = file_of(path, template);
        if target.is_file() {
            return Ok(Kept::Already);
        }
        let real = fs::canonicalize(path).map_err(|source| error::file("resolve", path, &source))?;
        let locks = match lock::take_all(&real, "dbsetup keep a template") {
            Ok(locks) => locks,
            Err(error) if error.class == DbErrorClass::LockTimeout => return cannot(error),
            Err(error) => return Err(error),
        };
        let options = self.options().busy_timeout(Duration::ZERO);
        let mut connection = options.connect().await.map_err(|failed| error::database(&failed))?;
        // What the log holds goes into the file, and nobody writes while that is copied. Closing the copied file gives
        // this process's locks on it back, which nobody needs by then: the transaction has written nothing.
        let sql = "PRAGMA wal_checkpoint(TRUNCATE);BEGIN EXCLUSIVE";
        let result = match sqlx::raw_sql(sql).execute(&mut connection).await {
            Err(failed) => {
                let error = error::database(&failed);
                let busy = matches!(error.class, DbErrorClass::LockTimeout | DbErrorClass::NotReady);
                if busy { cannot(error) } else { Err(error) }
            }
            Ok(_) if fs::metadata(with(&real, "-wal")).is_ok_and(|log| log.len() > 0) => {
                Ok(Kept::Cannot("somebody is connected to the database".to_owned()))
            }
            Ok(_) => publish(&real, &target, note),
        };
        let _ = sqlx::raw_sql("ROLLBACK").execute(&mut connection).await;
        let _ = connection.close().await;
        drop(locks);
        result
    }

    fn listed(&self) -> Result<Vec<TemplateInfo>, DbError> {
        let Ok(path) = self.file() else { return Ok(Vec::new()) };
        let directory = directory_of(path);
        [path.parent().unwrap_or(path), &directory].into_iter().for_each(sweep);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(error::file("read the directory", &directory, &source)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(|source| error::file("read the directory", &directory, &source))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Ok(about) = fs::metadata(&path) else { continue };
            let digits = name.strip_suffix(".db").filter(|digits| digits.len() == 24);
            let Some(template) = digits.and_then(TemplateName::new) else { continue };
            let text = path.with_extension("txt");
            let known = fs::read_to_string(&text).ok().and_then(|text| read_note(&text));
            let used = fs::metadata(&text).and_then(|text| text.modified()).or_else(|_| about.modified());
            found.push(TemplateInfo {
                name: template,
                shown: path.display().to_string(),
                made: known.as_ref().map(|(_, made)| *made).or_else(|| about.modified().ok()),
                used: used.ok(),
                note: known.map(|(note, _)| note),
                bytes: Some(about.len()),
                usable: is_whole(&path),
            });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn removed(&self, template: &TemplateName) -> Result<bool, DbError> {
        let path = file_of(self.file()?, template);
        let removed = match fs::remove_file(&path) {
            Ok(()) => true,
            Err(source) if source.kind() == ErrorKind::NotFound => false,
            Err(source) => return Err(error::file("remove", &path, &source)),
        };
        let _ = fs::remove_file(path.with_extension("txt"));
        Ok(removed)
    }

    fn claimed(&self, template: &TemplateName) -> Result<Option<Box<dyn TemplateClaim>>, DbError> {
        let path = file_of(self.file()?, template).with_extension("lock");
        make_directory(path.parent().unwrap_or(&path))?;
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = opened.map_err(|source| error::file("open the lock file", &path, &source))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Claim { path, _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(error::file("lock", &path, &source)),
        }
    }
}

/// The right to make a template is a locked file.
struct Claim {
    path: PathBuf,
    // Closing the file unlocks it.
    _file: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Whoever has it open already may lock it beside a third one that makes it anew: two makers do no harm.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl TemplateClaim for Claim {
    fn release(self: Box<Self>) -> BoxFuture<'static, ()> {
        drop(self);
        Box::pin(std::future::ready(()))
    }
}

/// A file that a template is made of.
struct Shop {
    path: PathBuf,
    server: SqliteServer,
}

impl Workshop for Shop {
    fn server(&self) -> Box<dyn Server> {
        Box::new(self.server.beside(self.path.clone()))
    }

    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async { self.server.drop(Sessions::End).await.map(drop) })
    }
}

/// Removes what a dead process left in the directory of the databases.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let age = entry.metadata().and_then(|found| found.modified()).ok().and_then(|at| at.elapsed().ok());
        let is_ours = name.starts_with(SHOP) || name.contains("-dbsetup-copy-");
        if is_ours && age.is_some_and(|age| age > DEAD_AFTER) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Copies a database that stands still, and gives the copy its name.
fn publish(database: &Path, target: &Path, note: &TemplateNote) -> Result<Kept, DbError> {
    let directory = target.parent().unwrap_or(target);
    make_directory(directory)?;
    let part = part_of(target);
    let copied = copy_new(database, &part)
        // A name that survives a power loss without its content would be worse than no template.
        .and_then(|()| OpenOptions::new().write(true).open(&part)?.sync_all())
        .and_then(|()| if is_whole(&part) { Ok(()) } else { Err(ErrorKind::InvalidData.into()) })
        .and_then(|()| {
            let mut text = File::create(target.with_extension("txt"))?;
            text.write_all(written(note, SystemTime::now()).as_bytes())
        })
        .and_then(|()| fs::rename(&part, target));
    match copied {
        Ok(()) => Ok(Kept::Now),
        Err(source) => {
            let _ = fs::remove_file(&part);
            if source.kind() == ErrorKind::InvalidData {
                return Ok(Kept::Cannot("the database was changed while it was copied".to_owned()));
            }
            Err(error::file("write the template", target, &source))
        }
    }
}

impl Templates for SqliteServer {
    fn clone_template<'a>(
        &'a self,
        template: &'a TemplateName,
        _options: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<Cloned, DbError>> {
        Box::pin(async move { self.cloned(template) })
    }

    fn keep_template<'a>(
        &'a self,
        template: &'a TemplateName,
        note: &'a TemplateNote,
    ) -> BoxFuture<'a, Result<Kept, DbError>> {
        Box::pin(self.kept(template, note))
    }

    fn templates(&self) -> BoxFuture<'_, Result<Vec<TemplateInfo>, DbError>> {
        Box::pin(async { self.listed() })
    }

    fn remove_template<'a>(&'a self, template: &'a TemplateInfo) -> BoxFuture<'a, Result<bool, DbError>> {
        Box::pin(async { self.removed(&template.name) })
    }

    fn claim_template<'a>(
        &'a self,
        template: &'a TemplateName,
    ) -> BoxFuture<'a, Result<Option<Box<dyn TemplateClaim>>, DbError>> {
        Box::pin(async move { self.claimed(template) })
    }

    fn workshop(&self) -> BoxFuture<'_, Result<Box<dyn Workshop>, DbError>> {
        Box::pin(async {
            let directory = self.changeable()?.parent().unwrap_or(Path::new("."));
            // One of the project is ours to make, as it is when the database itself is created.
            fs::create_dir_all(directory).map_err(|source| error::file("make", directory, &source))?;
            let path = directory.join(format!("{SHOP}{}.db", random()));
            Ok(Box::new(Shop { path: path.clone(), server: self.beside(path) }) as Box<dyn Workshop>)
        })
    }
}
