//! From what the sources say to a [`Repo`] with every setting resolved.

use std::path::Path;
use std::time::Duration;

use dbsetup::files::Files;
use dbsetup::ledger::LedgerKind;
use dbsetup::repo::{CreateOptions, DatabaseUrl, Program, Repo, RepoName};
use dbsetup::{Error, Kind, Result};

use super::environment::{self, VariableFile, Variables};
use super::layout::{self, Candidate, Home};
use super::manifest::{RepoTable, Values};
use super::origin::{Origin, Setting};
use super::reader::Reader;
use super::selection::{Selectable, listed};
use super::settings::{Failure, Settings};
use super::tools;
use super::url::{self, UrlVariables};
use super::{Request, Workspace, links};

/// A repo and where its settings come from. The URL may be missing: a command that needs none works without it.
#[derive(Debug, Clone)]
pub struct ResolvedRepo {
    /// The package that owns it; `None` for files that no package owns.
    pub package: Option<String>,
    /// Every setting that has a value, in the order of docs/configuration.md.
    pub settings: Vec<Setting>,
    /// The variables that may hold its URL, in the order in which they are asked.
    pub url_variables: Vec<String>,
    /// Environments other than the run's with databases of their own that may not be dropped.
    pub protected: Vec<String>,
    repo: Repo,
    problem: Option<Failure>,
    usual_variable: String,
}

impl ResolvedRepo {
    /// The repo for work on its database.
    ///
    /// # Errors
    /// [`Kind::Configuration`] when a URL is missing or a variable in it is not set, with the line to add.
    pub fn ready(&self) -> Result<&Repo> {
        match &self.problem {
            Some(problem) => Err(problem.error()),
            None => Ok(&self.repo),
        }
    }

    /// The repo for work on its files alone: its URL may be empty.
    pub fn files(&self) -> &Repo {
        &self.repo
    }

    /// The variable to set for its URL in every environment: `<REPO>_DATABASE_URL`, or what `url-env` names.
    pub fn usual_variable(&self) -> &str {
        &self.usual_variable
    }

    /// Its name.
    pub fn name(&self) -> &RepoName {
        &self.repo.name
    }
}

/// What a program that a `$ ` line starts gets besides the variables of the process. It holds secrets, and so has no
/// `Debug`.
pub struct ProgramVariables {
    environment: String,
    urls: Vec<(String, DatabaseUrl)>,
}

impl ProgramVariables {
    /// The variables: `DBSETUP_ENV`, and the URL of every repo that has one. SQLite paths are absolute, as the program
    /// runs in another directory.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let urls = self.urls.iter().map(|(name, url)| (name.as_str(), url.expose()));
        std::iter::once(("DBSETUP_ENV", self.environment.as_str())).chain(urls)
    }
}

/// A repo before its settings are known.
struct Owned<'a> {
    name: RepoName,
    home: &'a Home<'a>,
    /// All homes of the workspace.
    homes: &'a [Home<'a>],
    tables: &'a [RepoTable],
    candidate: Option<Candidate>,
}

impl Workspace {
    /// Returns the selected repos in `environment`, in the workspace's order.
    ///
    /// # Errors
    /// [`Kind::Configuration`]: no repo or several without configuration, an unknown name, a value that does not fit, a
    /// link that leaves its directory. A missing URL is no error here; see [`ResolvedRepo::ready`].
    pub fn repos(&self, request: &Request, environment: &str) -> Result<Vec<ResolvedRepo>> {
        let repos = self.resolved(request, environment, false)?;
        repos.iter().try_for_each(|repo| links::check(&repo.repo))?;
        Ok(repos)
    }

    /// Returns what a `$ ` line's program gets: the URLs of all repos of the workspace, selected or not. A repo that is
    /// not selected and not configured for `environment` is left out.
    ///
    /// # Errors
    /// As [`Workspace::repos`].
    pub fn program_variables(&self, request: &Request, environment: &str) -> Result<ProgramVariables> {
        let repos = self.resolved(request, environment, true)?;
        let mut urls: Vec<(String, DatabaseUrl)> = Vec::new();
        for repo in repos.iter().filter(|repo| !repo.repo.url.expose().is_empty()) {
            let url = url::absolute(&repo.repo.url, &repo.repo.root);
            let own = url::own_variable(&repo.repo.name);
            // The variable of one environment outranks the rest, so it must not be left with another value.
            let stale = repo.url_variables.iter().filter(|name| request.variables.contains_key(*name));
            let mut names = vec![own, repo.usual_variable.clone()];
            names.extend(stale.cloned());
            let plain = repo.url_variables.iter().find(|name| *name == url::PLAIN_VARIABLE);
            names.extend(plain.cloned());
            for name in names {
                if !urls.iter().any(|(known, _)| *known == name) {
                    urls.push((name, url.clone()));
                }
            }
        }
        Ok(ProgramVariables { environment: environment.to_owned(), urls })
    }

    /// Returns the selected repos, or all of them of which something is known.
    fn resolved(&self, request: &Request, environment: &str, others: bool) -> Result<Vec<ResolvedRepo>> {
        let homes = layout::homes(&self.root, &self.members);
        let bare_root = Home { package: None, dir: &self.root, dependencies: Default::default() };
        let owned = self.owned(&homes, &bare_root)?;
        let selectable: Vec<Selectable<'_>> =
            owned.iter().map(|repo| Selectable { name: &repo.name, package: repo.home.package }).collect();
        let selected = self.select(request, &selectable)?;
        if request.database_url.is_some() && selected.len() != 1 {
            let names: Vec<&str> = selected.iter().map(|&index| owned[index].name.as_str()).collect();
            return Err(Error::new(Kind::Configuration, "--database-url speaks of one repo")
                .note(format!("selected are {}", listed(&names)))
                .help("name one with --repo"));
        }
        let cargo = environment::cargo_files(&request.current_dir, &self.root, &request.variables)?;
        let mut repos = Vec::new();
        for (index, repo) in owned.iter().enumerate() {
            if selected.contains(&index) {
                let flag = request.database_url.as_ref();
                repos.push(self.resolve(request, environment, repo, &owned, flag, &cargo)?);
            } else if others {
                repos.extend(self.resolve(request, environment, repo, &owned, None, &cargo));
            }
        }
        Ok(repos)
    }

    fn owned<'a>(&'a self, homes: &'a [Home<'a>], bare_root: &'a Home<'a>) -> Result<Vec<Owned<'a>>> {
        if self.declared.is_empty() {
            let candidate = layout::only(&self.root, homes, &self.members)?;
            let home = homes.iter().find(|home| home.dir == candidate.dir).unwrap_or(bare_root);
            let name = RepoName::new(&candidate.name);
            return Ok(vec![Owned { name, home, homes, tables: &[], candidate: Some(candidate) }]);
        }
        let mut owned = Vec::new();
        for repo in &self.declared {
            let dir = repo.member.map_or(&self.root, |index| &self.members[index].dir);
            let of_home =
                homes.iter().find(|home| home.package.is_some() == repo.member.is_some() && home.dir == dir);
            let home = of_home.unwrap_or(bare_root);
            let siblings = self.declared.iter().filter(|other| other.member == repo.member).count();
            let says_where = |table: &RepoTable| {
                let of_environments = table.environments.values().flat_map(|values| values.keys());
                table.values.keys().chain(of_environments).any(|key| matches!(*key, "priv" | "migrations"))
            };
            // The only repo of a crate that keeps its files where another tool's are: those are meant.
            let usual = dir.join("priv").join(repo.name.as_str());
            let candidate = if siblings == 1 && !repo.tables.iter().any(says_where) && !usual.exists() {
                let mut found = home.candidates(&self.root, &tools::look(home.dir, &self.root)?);
                if found.len() == 1 { found.pop() } else { None }
            } else {
                None
            };
            owned.push(Owned { name: repo.name.clone(), home, homes, tables: &repo.tables, candidate });
        }
        Ok(owned)
    }

    fn resolve(
        &self,
        request: &Request,
        environment: &str,
        owned: &Owned<'_>,
        all: &[Owned<'_>],
        flag: Option<&DatabaseUrl>,
        cargo: &[VariableFile],
    ) -> Result<ResolvedRepo> {
        let dir = owned.home.dir;
        let mut files = Vec::new();
        if !request.no_dotenv {
            files = environment::dotenv_files(dir, &self.root, environment, &request.variables)?;
        }
        files.extend(cargo.iter().cloned());
        let variables = Variables::new(environment, &request.variables, files);
        let settings = Settings::new(&owned.name, owned.tables, environment, request, &variables);
        let mut read = Reader::new(&settings, dir);

        let found = owned.candidate.as_ref();
        let priv_dir = read.path("priv", found.map(|found| found.priv_dir.clone()), || {
            dir.join("priv").join(owned.name.as_str())
        })?;
        let from_layout = found.filter(|_| read.is_layout("priv"));
        let migrations =
            read.paths("migrations", from_layout.map(|found| found.migrations.clone()), || {
                priv_dir.join("migrations")
            })?;
        let manual_migrations =
            read.paths("manual-migrations", None, || priv_dir.join("manual_migrations"))?;
        let archive = read.paths("archive", None, || priv_dir.join("dumped_migrations"))?;
        let structure = from_layout.and_then(|found| found.structure.clone());
        let structure = read.path("dump-path", structure, || priv_dir.join("structure.sql"))?;

        let tools = tools::look(dir, &self.root)?;
        // Where the workspace names files of a crate, the crate speaks for them.
        let keeper = match (owned.home.package, migrations.first()) {
            (None, Some(first)) => layout::keeper(owned.homes, first),
            _ => None,
        };
        let (layout_ledger, layout_table) = match keeper {
            Some(keeper) => keeper.ledger(&tools::look(keeper.dir, &self.root)?, &migrations),
            None => owned.home.ledger(&tools, &migrations),
        };
        let layout_ledger = layout_ledger.and_then(|kind| LedgerKind::from_name(kind.word()));
        let only = all.len() == 1;
        let alone = all.iter().filter(|other| other.home.dir == dir).count() == 1;
        let url_env = read.text("url-env")?;
        // One variable for two repos would be one database for two repos.
        let speaks_of_one = |path: &Path| only || (alone && path.parent() == Some(dir));
        let sqlx_variable = tools.sqlx.as_ref().filter(|sqlx| speaks_of_one(&sqlx.path));
        let sqlx_variable = sqlx_variable.and_then(|sqlx| sqlx.url_variable.as_deref());
        let names = UrlVariables::new(&owned.name, environment, url_env.as_deref(), sqlx_variable, only);
        let missing = |notes| {
            let files: Vec<String> = variables.files().map(|file| format!("`{}`", file.display())).collect();
            let place = self.url_place(owned);
            url::missing(&owned.name, environment, &names, &files, (&place.0, &place.1), notes)
        };

        let mut problem = None;
        let mut url = DatabaseUrl::new("");
        let mut url_from = None;
        match url::find(flag, &variables, &names, &settings, missing, environment)? {
            Ok((found, origin)) => {
                url_from = Some(named(&origin));
                read.say("url", shown(&found, dir), origin);
                url = found;
            }
            Err(failure) => problem = Some(failure),
        }
        let mut other = |key: &'static str| -> Result<Option<DatabaseUrl>> {
            match url::find_other(key, &owned.name, &variables, &settings)? {
                Some(Ok((found, origin))) => {
                    read.say(key, shown(&found, dir), origin);
                    Ok(Some(found))
                }
                Some(Err(failure)) => {
                    problem.get_or_insert(failure);
                    Ok(None)
                }
                None => Ok(None),
            }
        };
        // Whoever names a database on the command line means that one: nothing leads past it to another.
        let direct_url = if flag.is_none() { other("direct-url")? } else { None };
        let maintenance_url = other("maintenance-url")?;
        let scratch_url = other("scratch-url")?;

        let repo = Repo {
            name: owned.name.clone(),
            program: Program::default(),
            files: Files::Disk,
            environment: environment.to_owned(),
            disposable: self.config.disposable_environments.iter().any(|name| name == environment),
            display_root: self.root.clone(),
            root: dir.to_path_buf(),
            priv_dir,
            url,
            url_from,
            engine: settings.engine(),
            direct_url,
            maintenance_url,
            scratch_url,
            structure,
            migrations,
            manual_migrations,
            archive,
            ledger: read.ledger(&tools, layout_ledger, layout_table)?,
            layout_ledger,
            create: CreateOptions {
                encoding: read.text("create.encoding")?,
                template: read.text("create.template")?,
                collation: read.text("create.collation")?,
                owner: read.text("create.owner")?,
                charset: read.text("create.charset")?,
            },
            role: read.text("role")?,
            schemas: read.texts("schemas")?,
            seed_command: read.text("seed-command")?,
            keep_data: read.keep_data()?,
            template: read.bool("template", true)?,
            version_order: read.order()?,
            lock_wait: read.duration("lock-wait", Some(Duration::from_secs(300)))?.unwrap_or_default(),
            lock_timeout: read.duration("lock-timeout", Some(Duration::from_secs(5)))?.unwrap_or_default(),
            statement_timeout: read.duration("statement-timeout", None)?.filter(|limit| !limit.is_zero()),
            dump_after_migrate: read.bool("dump-after-migrate", false)?,
            code: Vec::new(),
        };
        Ok(ResolvedRepo {
            package: owned.home.package.map(str::to_owned),
            settings: read.into_settings(),
            url_variables: names.names,
            usual_variable: names.usual,
            protected: self.protected(owned.tables, environment),
            repo,
            problem,
        })
    }
}

impl Workspace {
    /// Returns the protected environments, but for `environment`, that tables give a database of their own.
    fn protected(&self, tables: &[RepoTable], environment: &str) -> Vec<String> {
        let is_own = |values: &Values| values.keys().any(|key| matches!(*key, "url" | "url-env"));
        let named = tables.iter().flat_map(|table| &table.environments);
        let mut names: Vec<String> = named
            .filter(|(name, values)| *name != environment && is_own(values))
            .map(|(name, _)| name.clone())
            .filter(|name| !self.config.disposable_environments.contains(name))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the manifest and the table where the URL of a repo belongs.
    fn url_place(&self, owned: &Owned<'_>) -> (String, String) {
        if let Some(table) = owned.tables.first() {
            return (table.place.shown_file().display().to_string(), table.place.key());
        }
        let (kind, dir) = match owned.home.package {
            Some(_) => ("package", owned.home.dir),
            None => ("workspace", self.root.as_path()),
        };
        let manifest = dir.join("Cargo.toml");
        let shown = manifest.strip_prefix(&self.root).unwrap_or(&manifest).display().to_string();
        (shown, format!("{kind}.metadata.dbsetup.repos.{}", owned.name))
    }
}

/// Names where a URL comes from in the middle of a sentence.
fn named(origin: &Origin) -> String {
    match origin {
        Origin::Flag(flag) => format!("`{flag}`"),
        Origin::Variable(name) => format!("the variable `{name}`"),
        Origin::DotEnv { path, variable } | Origin::CargoConfig { path, variable } => {
            format!("`{variable}` in {}", path.display())
        }
        Origin::Package { manifest, .. } | Origin::Workspace { manifest, .. } => {
            format!("{}", manifest.display())
        }
        Origin::Layout(path) => path.display().to_string(),
        Origin::Default => "the default".to_owned(),
    }
}

/// Returns a URL as it may be seen. What is neither a URL nor a path may be anything, a password too.
fn shown(url: &DatabaseUrl, root: &Path) -> String {
    let is_url = url.expose().contains("://");
    if !is_url && dbsetup::drivers::open(url, root, None).is_err() {
        return "(not shown: it is neither a URL nor the path of an SQLite file)".to_owned();
    }
    url.redacted()
}
