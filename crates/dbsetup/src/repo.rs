//! A repo: one database that a crate owns, and its files. Plain values; whoever makes one has resolved every setting.

mod program;

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use program::Program;

use crate::drivers;
use crate::error::{Error, Kind, Result};
use crate::files::Files;
use crate::ledger::LedgerKind;
use crate::migration::CodeMigration;
use crate::sql::Dialect;

/// The name of a repo, as printed. `-` and `_` are equal in comparisons.
#[derive(Debug, Clone, Eq)]
pub struct RepoName(String);

impl RepoName {
    /// Takes the name as it is written.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the first part of a variable: upper case with `_`.
    pub fn variable_prefix(&self) -> String {
        self.0.replace('-', "_").to_uppercase()
    }

    fn folded(&self) -> impl Iterator<Item = char> + '_ {
        self.0.chars().map(|c| if c == '-' { '_' } else { c })
    }
}

impl PartialEq for RepoName {
    fn eq(&self, other: &Self) -> bool {
        self.folded().eq(other.folded())
    }
}

impl std::hash::Hash for RepoName {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.folded().for_each(|c| c.hash(state));
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the name of a repo or of an environment may be this: part of a file's name, and of a variable's.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Where a migration lives, and so when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// `migrations/`: safe to run on every deploy.
    Automatic,
    /// `manual_migrations/`: run on demand.
    Manual,
}

impl Lane {
    /// The word for it in messages and flags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A database URL. Neither `Debug` nor `Display` shows a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// Takes a URL as configured, blanks and line ends around it taken off (`$(cat file)`, a line that was pasted);
    /// whether it parses is seen when it is opened.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into().trim().to_owned())
    }

    /// The whole URL with its secrets, for the driver alone.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text before the first `:`, in lower case; empty where there is none (a bare SQLite path).
    pub fn scheme(&self) -> String {
        match self.0.split_once(':') {
            // One letter is a Windows drive.
            Some((scheme, _))
                if scheme.len() > 1
                    && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) =>
            {
                scheme.to_ascii_lowercase()
            }
            _ => String::new(),
        }
    }

    /// The URL without user information that follows a `:` and without secret query values.
    ///
    /// Works on malformed URLs too: everything between the scheme and the last `@` is treated as user information.
    pub fn redacted(&self) -> String {
        redact(&self.0)
    }
}

/// Query keys whose values never appear in a message.
const SECRET_KEYS: [&str; 8] =
    ["password", "passwd", "pwd", "sslpassword", "sslkey", "ssl-key", "token", "secret"];

fn redact(url: &str) -> String {
    // `host=… password=…`, as libpq takes it: no URL, and it may hold anything.
    if !url.contains("://") && url.to_ascii_lowercase().contains("password") {
        return "***".to_owned();
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    // A password with a raw `@`, `/`, `?` or `#` in it still ends at the last `@`.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((info, rest)) => {
            let user = info.split(':').next().unwrap_or_default();
            (format!("{}@", user.split(['/', '?', '#']).next().unwrap_or_default()), rest)
        }
        None => (String::new(), rest),
    };
    let rest = &*hide_tails_that_are_no_port(rest, &user);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let mut shown = format!("{scheme}{user}{path}");
    let kept: Vec<&str> = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| {
            let key = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
            // `%70assword` is `password` to a server: a key that is encoded at all is not shown.
            !key.contains('%') && !SECRET_KEYS.iter().any(|secret| key.contains(secret))
        })
        .collect();
    if !kept.is_empty() {
        shown.push('?');
        shown.push_str(&kept.join("&"));
    }
    shown
}

/// Hides what follows a `:` in a URL without `@` where a port should stand: most likely a password
/// whose `@` was forgotten.
fn hide_tails_that_are_no_port<'a>(rest: &'a str, user: &str) -> Cow<'a, str> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let suspicious = user.is_empty()
        && !authority.starts_with('[')
        && authority.split(',').any(|host| host.split_once(':').is_some_and(|(_, port)| !is_port(port)));
    // `sqlite:dir.db` has no authority and no user either.
    if suspicious && !matches!(authority.split(':').next(), Some("sqlite" | "sqlite3" | "file")) {
        let host = authority.split(':').next().unwrap_or_default();
        return Cow::Owned(format!("{host}:***{}", if tail.starts_with('/') { "" } else { tail }));
    }
    Cow::Borrowed(rest)
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.redacted())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// How a new database is made. What is `None` is left to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateOptions {
    /// Character encoding, for example `UTF8`.
    pub encoding: Option<String>,
    /// The database to copy, for example `template0`.
    pub template: Option<String>,
    /// Collation and character classification, for example `C.UTF-8`.
    pub collation: Option<String>,
    /// The role that owns the database.
    pub owner: Option<String>,
    /// MySQL's word for the encoding.
    pub charset: Option<String>,
}

/// What is done about a pending migration that is older than the newest applied one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum VersionOrder {
    /// It is run.
    Any,
    /// It is run, and said.
    #[default]
    Warn,
    /// Refused.
    Strict,
}

/// The `keep-data` setting of one table: its rows belong to the structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepData {
    /// The table, schema-qualified where it is not the default schema's.
    pub table: String,
    /// Columns that are left to their defaults.
    pub except: Vec<String>,
}

/// The ledger as configured; what is `None` is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerSetting {
    /// Whose format.
    pub kind: Option<LedgerKind>,
    /// The table, schema-qualified or not.
    pub table: Option<String>,
    /// Characters that sqlx leaves out of its checksums (`ignored-chars` of sqlx.toml).
    pub ignored_chars: Vec<char>,
}

/// How long the lock of another run is waited for where nothing else is configured.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(300);

impl Repo {
    /// Returns a repo that configures nothing: its files are on the disk, below `priv_dir`, where paths in messages
    /// begin, and its environment is protected.
    pub fn plain(name: RepoName, priv_dir: PathBuf, url: DatabaseUrl, environment: &str) -> Self {
        Self {
            name,
            program: Program::default(),
            files: Files::Disk,
            environment: environment.to_owned(),
            disposable: false,
            display_root: priv_dir.clone(),
            root: priv_dir.clone(),
            url,
            url_from: None,
            engine: None,
            direct_url: None,
            maintenance_url: None,
            scratch_url: None,
            structure: priv_dir.join("structure.sql"),
            migrations: vec![priv_dir.join("migrations")],
            manual_migrations: vec![priv_dir.join("manual_migrations")],
            archive: vec![priv_dir.join("dumped_migrations")],
            priv_dir,
            ledger: LedgerSetting::default(),
            layout_ledger: None,
            create: CreateOptions::default(),
            role: None,
            schemas: Vec::new(),
            seed_command: None,
            keep_data: Vec::new(),
            template: true,
            version_order: VersionOrder::Warn,
            lock_wait: LOCK_WAIT,
            lock_timeout: Duration::from_secs(5),
            statement_timeout: None,
            dump_after_migrate: false,
            code: Vec::new(),
        }
    }
}

/// One database and its files, every setting resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// Its name.
    pub name: RepoName,
    /// Who works on it: messages name commands of it.
    pub program: Program,
    /// Where its files are read from.
    pub files: Files,
    /// `dev`, `test`, `prod` or any other.
    pub environment: String,
    /// Whether databases of this environment may be dropped.
    pub disposable: bool,
    /// The directory that paths in messages are relative to (the workspace root).
    pub display_root: PathBuf,
    /// The directory of the crate that owns the repo; relative SQLite paths start here.
    pub root: PathBuf,
    /// `priv/<repo>`.
    pub priv_dir: PathBuf,
    /// The database.
    pub url: DatabaseUrl,
    /// Where its URL comes from, for messages: "the variable `CORE_DATABASE_URL`".
    pub url_from: Option<String>,
    /// The engine that a manifest's `url` speaks of for this very environment.
    pub engine: Option<Dialect>,
    /// The same database past a pooler.
    pub direct_url: Option<DatabaseUrl>,
    /// Where databases are created and dropped from.
    pub maintenance_url: Option<DatabaseUrl>,
    /// Where proofs build databases.
    pub scratch_url: Option<DatabaseUrl>,
    /// The structure file.
    pub structure: PathBuf,
    /// Directories of the automatic lane.
    pub migrations: Vec<PathBuf>,
    /// Directories of the manual lane.
    pub manual_migrations: Vec<PathBuf>,
    /// Directories of squashed migrations.
    pub archive: Vec<PathBuf>,
    /// The configured ledger.
    pub ledger: LedgerSetting,
    /// The ledger that the project's layout or dependencies speak for.
    pub layout_ledger: Option<LedgerKind>,
    /// How the database is made.
    pub create: CreateOptions,
    /// The role that owns what migrations make (`SET ROLE`).
    pub role: Option<String>,
    /// The search path of the session, and the schemas of the structure.
    pub schemas: Vec<String>,
    /// A program run after the SQL seeds.
    pub seed_command: Option<String>,
    /// Tables whose rows belong to the structure.
    pub keep_data: Vec<KeepData>,
    /// Whether prepared databases may be cloned.
    pub template: bool,
    /// What is done about older pending migrations.
    pub version_order: VersionOrder,
    /// How long to wait for the lock of another run.
    pub lock_wait: Duration,
    /// How long one attempt of a transactional migration waits for a table lock; zero waits for ever.
    pub lock_timeout: Duration,
    /// The longest a statement may run; `None` is for ever.
    pub statement_timeout: Option<Duration>,
    /// Whether a successful migrate in `dev` dumps the structure.
    pub dump_after_migrate: bool,
    /// Migrations that are code of the application. A program that is not the application has none.
    pub code: Vec<CodeMigration>,
}

impl Repo {
    /// The same as [`Repo::command`] for what goes on with a step of `verb`: that of a `setup` is gone on with by
    /// `setup`, which does what is left.
    pub fn again(&self, verb: &str, words: &str) -> String {
        self.command(if verb == "setup" && self.program.knows("setup") { "setup" } else { words })
    }

    /// Where its files are, for messages: "this checkout", "this binary".
    pub fn place(&self) -> &'static str {
        if self.files.is_embedded() { "this binary" } else { "this checkout" }
    }

    /// Returns the advice for who is connected through a pooler where a session of its own is wanted. What a manifest says
    /// about URLs is in no binary.
    pub fn past_pooler(&self) -> String {
        let variable = format!("{}_DIRECT_URL", self.name.variable_prefix());
        if self.program.from_application {
            "go past the pooler: give the application the URL of the server itself, in `.url(..)` or, beside the pooler's, \
             in `.direct_url(..)`"
                .to_owned()
        } else if self.url_from.as_deref() == Some("`--database-url`") {
            // It takes no way past it from elsewhere.
            "go past the pooler: let `--database-url` be the URL of the server itself".to_owned()
        } else if self.program.words.is_some() {
            format!("go past the pooler to the server itself: set `{variable}`")
        } else if self.files.is_embedded() {
            "go past the pooler: have the application hand over the URL of the server itself".to_owned()
        } else {
            format!(
                "go past the pooler to the server itself: set `{variable}`, or `direct-url = \"postgres://…\"` in \
                 Cargo.toml"
            )
        }
    }

    /// Whether another URL leads to a database of the same engine and name as [`Repo::url`], wherever: the way past a
    /// pooler does. `false` where one of them cannot be understood.
    pub fn is_same_database(&self, other: &DatabaseUrl) -> bool {
        let database = |url: &DatabaseUrl| {
            let server = drivers::open(url, &self.root, None).ok()?;
            Some((server.dialect(), server.target().database.clone()))
        };
        database(&self.url).is_some_and(|meant| database(other) == Some(meant))
    }

    /// Refuses to write files of a repo whose files are in the binary.
    ///
    /// # Errors
    /// [`Kind::Unsupported`], naming the command that does it in a checkout.
    pub fn refuse_embedded(&self, words: &str) -> Result<()> {
        if !self.files.is_embedded() {
            return Ok(());
        }
        let what = format!("the files of `{}` are inside this binary, where none can be written", self.name);
        Err(Error::new(Kind::Unsupported, what)
            .help(format!("in a checkout of its sources: `cargo dbsetup {words} --repo {}`", self.name)))
    }

    /// Returns `path` as a person at the workspace root would type it.
    pub fn shown(&self, path: &std::path::Path) -> PathBuf {
        path.strip_prefix(&self.display_root).unwrap_or(path).to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_past_a_pooler_is_one_that_the_program_reads() {
        let url = DatabaseUrl::new("postgres://h/core");
        let mut repo = Repo::plain(RepoName::new("core"), "priv/core".into(), url, "prod");
        assert!(
            repo.past_pooler().contains("`CORE_DIRECT_URL`, or `direct-url = "),
            "{}",
            repo.past_pooler()
        );
        repo.files = Files::Embedded(&[]);
        assert!(repo.past_pooler().contains("have the application"), "{}", repo.past_pooler());
        repo.program.words = Some(&["migrate"]);
        assert!(repo.past_pooler().ends_with("set `CORE_DIRECT_URL`"), "{}", repo.past_pooler());
        repo.url_from = Some("`--database-url`".into());
        assert!(!repo.past_pooler().contains("CORE_DIRECT_URL"), "{}", repo.past_pooler());
        repo.program = Program::unknown();
        assert!(repo.past_pooler().contains("`.direct_url(..)`"), "{}", repo.past_pooler());
    }

    #[test]
    fn a_url_never_shows_its_password() {
        for url in [
            "postgres://app:s3cret@localhost/core",
            "postgres://app:s3c@s3cret@localhost/core",
            "postgres://app:s3cret/x?y#z@localhost/core",
            "app:s3cret@localhost",
            "postgres://localhost/core?user=app&password=s3cret",
            "postgres://localhost/core?%70assword=s3cret",
            "postgres://:s3cret@/core",
            "postgres://app:s3cret",
            "postgres://app:s3cret/core",
            "app:s3cret",
        ] {
            let url = DatabaseUrl::new(url);
            assert!(!url.to_string().contains("s3cret"), "{url}");
            assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
        }
    }

    #[test]
    fn a_url_shows_what_is_not_secret() {
        let url = DatabaseUrl::new("postgres://app:s3cret@localhost:5433/core?sslmode=disable&password=x");
        assert_eq!(url.to_string(), "postgres://app@localhost:5433/core?sslmode=disable");
        assert_eq!(DatabaseUrl::new("sqlite:core.db?mode=rwc").to_string(), "sqlite:core.db?mode=rwc");
    }

    #[test]
    fn dashes_and_underscores_in_names_are_equal() {
        assert_eq!(RepoName::new("core-data"), RepoName::new("core_data"));
        assert_ne!(RepoName::new("core"), RepoName::new("Core"));
        assert_eq!(RepoName::new("core-data").variable_prefix(), "CORE_DATA");
    }

    #[test]
    fn a_scheme_is_not_a_drive_letter() {
        assert_eq!(DatabaseUrl::new("SQLite:app.db").scheme(), "sqlite");
        assert_eq!(DatabaseUrl::new("C:\\app.db").scheme(), "");
        assert_eq!(DatabaseUrl::new("app.db").scheme(), "");
    }
}
