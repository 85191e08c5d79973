//! A Cargo workspace in a temporary directory, built by a sentence.

mod files;

use std::path::Path;

use tempfile::TempDir;

use super::command::Command;
use super::manifest::{Repo, Workspace, line, toml_string};
use super::{Backend, Database, Run, postgres, sqlite};

/// A workspace on disk. Every builder call writes at once, so a test can also go on building after a run.
///
/// A repo lives in the member of its own name, `crates/<repo>`, unless [`Project::repo_in`] says otherwise.
#[derive(Debug)]
pub struct Project {
    root: TempDir,
    home: TempDir,
    workspace: Workspace,
    server: Option<postgres::Server>,
    pub env: Vec<(String, String)>,
}

impl Project {
    /// Makes an empty workspace.
    pub fn new() -> Self {
        Self::with(Workspace::default())
    }

    /// Makes a project of one package and no workspace. Its repos and files are at the root.
    pub fn single(package: &str) -> Self {
        let project = Self::with(Workspace { single: Some(package.to_owned()), ..Workspace::default() });
        project.write("src/lib.rs", "");
        project
    }

    fn with(workspace: Workspace) -> Self {
        let directory =
            || tempfile::Builder::new().prefix("dbsetup-").tempdir().expect("a temporary directory");
        let project = Self { root: directory(), home: directory(), workspace, server: None, env: Vec::new() };
        project.write_manifests();
        project
    }

    /// Puts this project's PostgreSQL databases among the names of `server`.
    pub fn on(mut self, server: &postgres::Server) -> Self {
        self.server = Some(server.clone());
        self
    }

    /// Adds a member without repos.
    pub fn member(mut self, name: &str) -> Self {
        self.add_member(name);
        self.write_manifests();
        self
    }

    /// Adds a repo in the member of the same name.
    #[track_caller]
    pub fn repo(self, name: &str, backend: Backend) -> Self {
        let member = self.workspace.single.clone().unwrap_or_else(|| name.to_owned());
        self.repo_in(&member, name, backend)
    }

    /// Adds a repo in a member.
    #[track_caller]
    pub fn repo_in(mut self, member: &str, name: &str, backend: Backend) -> Self {
        let url = match backend {
            Backend::Sqlite => format!("sqlite:{name}_{{env}}.db"),
            Backend::Postgres => {
                let server = self.server.take().or_else(postgres::server);
                let server =
                    self.server.insert(server.expect("begin with `let Some(server) = postgres::server()`"));
                server.url(&format!("{name}_{{env}}"))
            }
        };
        self.add_member(member);
        self.workspace.repos.push(Repo {
            name: name.to_owned(),
            member: member.to_owned(),
            backend,
            url: Some(url),
            config: String::new(),
        });
        self.write_manifests();
        self
    }

    /// Replaces a repo's URL; none leaves it to variables and `.env` files.
    #[track_caller]
    pub fn url(mut self, repo: &str, url: Option<&str>) -> Self {
        self.repo_mut(repo).url = url.map(str::to_owned);
        self.write_manifests();
        self
    }

    /// Adds lines to a repo's table: `ledger = "sqlx"`.
    #[track_caller]
    pub fn repo_config(mut self, repo: &str, lines: &str) -> Self {
        self.repo_mut(repo).config.push_str(&line(lines));
        self.write_manifests();
        self
    }

    /// Adds lines to the workspace's table: `disposable-environments = ["dev"]`.
    pub fn config(mut self, lines: &str) -> Self {
        self.workspace.config.push_str(&line(lines));
        self.write_manifests();
        self
    }

    /// Adds an alias as a list of steps.
    pub fn alias(self, name: &str, steps: &[&str]) -> Self {
        let steps: Vec<String> = steps.iter().map(|step| toml_string(step)).collect();
        self.alias_value(name, &format!("[{}]", steps.join(", ")))
    }

    /// Adds an alias as a TOML value: `{ env = "test", steps = ["setup"] }`.
    pub fn alias_value(mut self, name: &str, toml: &str) -> Self {
        self.workspace.aliases.push((name.to_owned(), toml.to_owned()));
        self.write_manifests();
        self
    }

    /// Adds raw TOML to the root manifest.
    pub fn metadata(mut self, toml: &str) -> Self {
        self.workspace.metadata.push_str(&line(toml));
        self.write_manifests();
        self
    }

    /// Adds raw TOML to a member's manifest.
    pub fn package_metadata(mut self, member: &str, toml: &str) -> Self {
        self.workspace.package_metadata.push((member.to_owned(), line(toml)));
        self.write_manifests();
        self
    }

    /// Adds a migration of the automatic lane: `("core", "20260101000000_users", "create table ..")`. A name may
    /// end with `.up` or `.down`.
    #[track_caller]
    pub fn migration(self, repo: &str, name: &str, sql: &str) -> Self {
        self.priv_file(repo, &format!("migrations/{name}.sql"), sql)
    }

    /// Adds a pair of files.
    #[track_caller]
    pub fn reversible(self, repo: &str, name: &str, up: &str, down: &str) -> Self {
        self.migration(repo, &format!("{name}.up"), up).migration(repo, &format!("{name}.down"), down)
    }

    /// Adds a migration of the manual lane.
    #[track_caller]
    pub fn manual(self, repo: &str, name: &str, sql: &str) -> Self {
        self.priv_file(repo, &format!("manual_migrations/{name}.sql"), sql)
    }

    /// Adds a migration that was squashed.
    #[track_caller]
    pub fn dumped(self, repo: &str, name: &str, sql: &str) -> Self {
        self.priv_file(repo, &format!("dumped_migrations/{name}.sql"), sql)
    }

    /// Writes the structure file.
    #[track_caller]
    pub fn structure(self, repo: &str, sql: &str) -> Self {
        self.priv_file(repo, "structure.sql", sql)
    }

    /// Writes `seeds.sql`.
    #[track_caller]
    pub fn seed(self, repo: &str, sql: &str) -> Self {
        self.priv_file(repo, "seeds.sql", sql)
    }

    /// Writes a file under the repo's priv directory: `seeds/dev/users.sql`.
    #[track_caller]
    pub fn priv_file(self, repo: &str, path: &str, text: &str) -> Self {
        let path = self.priv_dir(repo).join(path);
        self.file(path, text)
    }

    /// Writes a `.env` file, relative to the root.
    pub fn env_file(self, path: &str, text: &str) -> Self {
        self.file(path, &line(text))
    }

    /// Writes any file, relative to the root.
    pub fn file(self, path: impl AsRef<Path>, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Sets a variable for every run.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    // --- Running ---

    /// Runs `cargo dbsetup <line>` at the root, to its end. The line is split as a shell would.
    #[track_caller]
    pub fn run(&self, line: &str) -> Run {
        self.command(line).run()
    }

    /// Runs in a directory relative to the root.
    #[track_caller]
    pub fn run_in(&self, directory: &str, line: &str) -> Run {
        self.command(line).current_dir(directory).run()
    }

    /// Prepares a run: `.env(..)`, `.stdin(..)`, `.timeout(..)`, `.current_dir(..)`, then `.run()` or `.spawn()`.
    #[track_caller]
    pub fn command(&self, line: &str) -> Command<'_> {
        Command::new(self, line)
    }

    /// Starts on a terminal, for prompts and progress bars.
    #[cfg(unix)]
    #[track_caller]
    pub fn terminal(&self, line: &str) -> super::terminal::Terminal {
        self.command(line).terminal()
    }

    // --- Looking ---

    /// Returns a repo's database of the `dev` environment.
    #[track_caller]
    pub fn database(&self, repo: &str) -> Database {
        self.database_in(repo, "dev")
    }

    /// Returns a repo's database of an environment, where the project chose its URL.
    #[track_caller]
    pub fn database_in(&self, repo: &str, environment: &str) -> Database {
        let repo = self.repo_ref(repo);
        let name = format!("{}_{environment}", repo.name);
        match (repo.backend, &self.server) {
            (Backend::Postgres, Some(server)) => Database::Postgres(server.database(&name)),
            _ => {
                let directory = self.path(self.workspace.directory(&repo.member));
                Database::Sqlite(sqlite::Database::at(directory.join(format!("{name}.db"))))
            }
        }
    }

    /// Returns the PostgreSQL server of the project's databases.
    #[track_caller]
    pub fn server(&self) -> &postgres::Server {
        self.server.as_ref().expect("the project has a PostgreSQL repo")
    }

    fn add_member(&mut self, name: &str) {
        let known =
            self.workspace.single.is_some() || self.workspace.members.iter().any(|member| member == name);
        if !known {
            self.workspace.members.push(name.to_owned());
            self.write(format!("crates/{name}/src/lib.rs"), "");
        }
    }

    #[track_caller]
    fn repo_ref(&self, name: &str) -> &Repo {
        self.workspace.repo(name).unwrap_or_else(|| panic!("the project has no repo `{name}`"))
    }

    #[track_caller]
    fn repo_mut(&mut self, name: &str) -> &mut Repo {
        let repo = self.workspace.repos.iter_mut().find(|repo| repo.name == name);
        repo.unwrap_or_else(|| panic!("the project has no repo `{name}`"))
    }

    fn write_manifests(&self) {
        self.write("Cargo.toml", &self.workspace.root_manifest());
        for member in &self.workspace.members {
            let path = Path::new(&self.workspace.directory(member)).join("Cargo.toml");
            self.write(path, &self.workspace.member_manifest(member));
        }
    }
}
