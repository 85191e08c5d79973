//! Where everything runs: the programs, the server, and a Cargo package with a repo or several.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contest::run;
use super::corpus::Corpus;
use super::wire::Wire;

/// The programs that are compared, and where they work.
#[derive(Debug)]
pub struct Place {
    pub binary: PathBuf,
    /// The directory of `sqlx` and `diesel`.
    pub peers: PathBuf,
    /// The real `psql`, not a distribution's wrapper.
    pub psql: PathBuf,
    /// The server's socket, `.../.s.PGSQL.PORT`.
    pub socket: PathBuf,
    /// Where files are made.
    pub dir: PathBuf,
    /// What the directory and the server lie on, for the heading.
    pub medium: String,
}

impl Place {
    /// Returns the URL of a database through the socket, whose directory decides who may use it.
    pub fn url(&self, database: &str) -> String {
        let dir = self.socket.parent().unwrap_or(Path::new("/")).display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{dir}:{}/{database}", self.port())
    }

    fn port(&self) -> String {
        let name = self.socket.file_name().unwrap_or_default().to_string_lossy();
        name.rsplit('.').next().unwrap_or_default().to_owned()
    }

    /// Returns a program that sees nothing of this process's variables but what finds cargo.
    fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir).env_clear();
        for name in ["PATH", "HOME", "CARGO", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Returns `psql` on a database.
    pub fn psql(&self, database: &str) -> Command {
        let mut command = self.command(&self.psql, &self.dir);
        command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname"]).arg(self.url(database));
        command
    }

    /// Returns `pg_dump -s` of a database: it lies beside `psql`.
    pub fn pg_dump(&self, url: &str) -> Command {
        let mut command = self.command(&self.psql.with_file_name("pg_dump"), &self.dir);
        command.args(["--schema-only", "--no-owner", "--no-privileges", "--dbname"]).arg(url);
        command
    }

    /// Sends statements one after the other, each as a message of its own.
    pub fn sql(&self, database: &str, statements: &[&str]) {
        let mut wire = Wire::connect(&self.socket, database).expect("the server takes connections");
        for sql in statements {
            wire.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    /// Drops a database.
    pub fn drop_database(&self, database: &str) {
        self.sql("postgres", &[&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")]);
    }

    /// Drops a database and makes it empty.
    pub fn empty_database(&self, database: &str) {
        self.drop_database(database);
        self.sql("postgres", &[&format!("CREATE DATABASE {database}")]);
    }
}

/// A Cargo package with repos, whose files other tools read too.
#[derive(Debug)]
pub struct Package<'a> {
    place: &'a Place,
    pub dir: PathBuf,
}

impl<'a> Package<'a> {
    /// Makes a package whose repos have the same files: name and URL each.
    pub fn new(place: &'a Place, name: &str, repos: &[(&str, &str)], corpus: &Corpus) -> Self {
        let package = Self { place, dir: place.dir.join(name) };
        let write = |path: &str, text: &str| {
            fs::write(package.dir.join(path), text).expect("files can be written");
        };
        fs::create_dir_all(package.dir.join("src")).expect("directories can be made");
        write("src/lib.rs", "");
        for (repo, _) in repos {
            package.structure(repo, None);
        }
        let mut manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n");
        for (at, (repo, url)) in repos.iter().enumerate() {
            let migrations = format!("{repo}/migrations");
            corpus.write_sqlx(&package.dir.join(&migrations)).expect("migrations can be written");
            if at == 0 {
                corpus.write_diesel(&package.dir.join("diesel")).expect("migrations can be written");
            }
            let table = format!(
                "[package.metadata.dbsetup.repos.{repo}]\nurl = \"{url}\"\npriv = \"{repo}\"\nledger = \"sqlx\"\ntemplate = false\n"
            );
            manifest.push_str(&table);
        }
        write("Cargo.toml", &manifest);
        package
    }

    /// Says whether databases may be copied from templates, which is the same as making them for nobody who measures.
    pub fn templates(&self, allowed: bool) {
        let path = self.dir.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).expect("the manifest is there");
        let (now, then) = (format!("template = {}", !allowed), format!("template = {allowed}"));
        fs::write(&path, manifest.replace(&now, &then)).expect("files can be written");
    }

    /// Returns the product with some words. `CARGO` is what cargo itself sets for `cargo dbsetup`.
    pub fn ours(&self, words: &[&str]) -> Command {
        let mut command = self.place.command(&self.place.binary, &self.dir);
        command.arg("dbsetup").args(words).arg("--quiet");
        command
    }

    /// Returns `cargo metadata` as the product runs it.
    pub fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = self.place.command(Path::new(&cargo), &self.dir);
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        command
    }

    /// Returns sqlx-cli on the files of `repo`.
    pub fn sqlx(&self, words: &[&str], repo: &str, url: &str) -> Command {
        let mut command = self.place.command(&self.place.peers.join("sqlx"), &self.dir);
        let source = format!("{repo}/migrations");
        command.args(words).args(["--no-dotenv", "--source", &source, "--database-url", url]);
        command
    }

    /// Returns diesel_cli on the files of the first repo.
    pub fn diesel(&self, words: &[&str], url: &str) -> Command {
        let mut command = self.place.command(&self.place.peers.join("diesel"), &self.dir);
        command.args(words).args(["--migration-dir", "diesel", "--database-url", url]);
        command
    }

    /// Puts the structure file of a repo in its place, or takes it away, which makes `setup` replay.
    pub fn structure(&self, repo: &str, text: Option<&str>) {
        let path = self.dir.join(repo).join("structure.sql");
        match text {
            Some(text) => fs::write(path, text).expect("files can be written"),
            None => drop(fs::remove_file(path)),
        }
    }

    /// Migrates from nothing, and returns the structure that comes of it.
    pub fn dumped(&self, repo: &str) -> String {
        self.structure(repo, None);
        run(&mut self.ours(&["setup", "--repo", repo]));
        run(&mut self.ours(&["dump", "--repo", repo]));
        let path = self.dir.join(repo).join("structure.sql");
        let text = fs::read_to_string(&path).expect("a dump writes the structure file");
        self.structure(repo, None);
        text
    }
}
