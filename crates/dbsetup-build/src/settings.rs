//! The settings of one repo in one environment, as `cargo dbsetup` resolves them where no variable and no flag speaks.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::{self, Candidate, Home, Package as _, SqlxToml, Tools};
use crate::metadata::Workspace;
use crate::paths::{clean, relative, same};
use crate::problem::{Problem, Result};
use crate::tables::{Config, Table, Values};
use crate::{Engine, Ledger, toml};

/// A repo and the place that owns it.
pub(crate) struct Owned<'a> {
    pub name: String,
    pub home: &'a Home<'a>,
    pub tables: &'a [Table],
    pub candidate: Option<Candidate>,
    /// Whether the workspace has no other.
    pub only: bool,
    /// Whether its directory has no other.
    pub alone: bool,
}

/// Everything of a repo that matters without a checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    pub priv_dir: PathBuf,
    pub structure: PathBuf,
    pub migrations: Vec<PathBuf>,
    pub manual_migrations: Vec<PathBuf>,
    pub archive: Vec<PathBuf>,
    /// Whether a path names the environment.
    pub by_environment: bool,
    pub url_env: Option<String>,
    /// The variable that sqlx.toml names.
    pub sqlx_url_env: Option<String>,
    /// The engine that `url` speaks of.
    pub engine: Option<Engine>,
    /// The variables that `direct-url` and `maintenance-url` are, where they are nothing else.
    pub direct_url_env: Option<String>,
    pub maintenance_url_env: Option<String>,
    /// Whether a `seed-command` is configured, which no binary runs.
    pub seed_command: bool,
    pub ledger_kind: Option<Ledger>,
    pub ledger_table: Option<String>,
    pub ignored_chars: Vec<char>,
    pub layout_ledger: Option<Ledger>,
    /// `create.encoding`, `template`, `collation`, `owner`, `charset`.
    pub create: [Option<String>; 5],
    pub role: Option<String>,
    pub schemas: Vec<String>,
    pub keep_data: Vec<(String, Vec<String>)>,
    pub template: bool,
    pub version_order: &'static str,
    pub lock_wait: Option<Duration>,
    pub lock_timeout: Duration,
    pub statement_timeout: Option<Duration>,
}

pub(crate) const CREATE: [&str; 5] = ["encoding", "template", "collation", "owner", "charset"];

/// Finds the repo of that name: in the package that is built, in the workspace, or in the layout.
pub(crate) fn find<'a>(
    name: &str,
    package_dir: &Path,
    workspace: &Workspace,
    config: &'a Config,
    homes: &'a [Home<'a>],
    bare_root: &'a Home<'a>,
) -> Result<Owned<'a>> {
    if config.declared.is_empty() {
        let candidate = only(name, workspace, homes)?;
        let home = homes.iter().find(|home| home.dir == candidate.dir).unwrap_or(bare_root);
        return Ok(Owned {
            name: candidate.name.clone(),
            home,
            tables: &[],
            candidate: Some(candidate),
            only: true,
            alone: true,
        });
    }
    let package = workspace.members.iter().position(|member| same(member.dir(), package_dir));
    let Some(repo) = config.find(name, package)? else {
        return Err(Problem::new(format!("there is no repo `{name}` in this workspace"))
            .note(format!("configured are {}", config.names()))
            .help("mend the name in build.rs, or configure the repo in Cargo.toml"));
    };
    let dir = repo.dir(workspace);
    let home = homes.iter().find(|home| home.package.is_some() == repo.member.is_some() && home.dir == dir);
    let home = home.unwrap_or(bare_root);
    let siblings = config.declared.iter().filter(|other| other.member == repo.member).count();
    let name = repo.tables[0].name.clone();
    let usual = dir.join("priv").join(&name);
    // The only repo of a crate that keeps its files where another tool's are: those are meant.
    let candidate = if siblings == 1 && !repo.says_where() && !usual.exists() {
        let mut found = home.candidates(&workspace.root, &look(home.dir, &workspace.root)?);
        if found.len() == 1 { found.pop() } else { None }
    } else {
        None
    };
    let alone = config.declared.iter().filter(|other| other.dir(workspace) == dir).count() == 1;
    let only = config.declared.len() == 1;
    Ok(Owned { name, home, tables: &repo.tables, candidate, only, alone })
}

/// Returns the one repo that is there without configuration.
fn only(name: &str, workspace: &Workspace, homes: &[Home<'_>]) -> Result<Candidate> {
    let mut found = Vec::new();
    for home in homes {
        found.extend(home.candidates(&workspace.root, &look(home.dir, &workspace.root)?));
    }
    let mut found = layout::distinct(found);
    let names: Vec<String> = found.iter().map(|candidate| format!("`{}`", candidate.name)).collect();
    let problem = match &found[..] {
        [one] if one.name.replace('-', "_") == name.replace('-', "_") => return Ok(found.remove(0)),
        [one] => Problem::new(format!("there is no repo `{name}`: the only one here is `{}`", one.name))
            .help(format!("write `embed(\"{}\")` in build.rs, or configure the repo in Cargo.toml", one.name)),
        [] => Problem::new(format!("there is no repo `{name}` to embed"))
            .note("no `metadata.dbsetup.repos` in a manifest, no `migrations` and no `priv/*` directory in the workspace")
            .help(format!("write the first migration: `cargo dbsetup gen migration NAME`, or make `priv/{name}/migrations`")),
        _ => Problem::new(format!("there is no repo `{name}`, and {} directories look like one", found.len()))
            .note(format!("they would be called {}", names.join(", ")))
            .help("say in Cargo.toml which are repos: `cargo dbsetup config` has the lines to paste"),
    };
    Err(problem)
}

/// What the files of other tools say about the crate in `dir`.
pub(crate) fn look(dir: &Path, root: &Path) -> Result<Tools> {
    let find = |name: &str| [dir, root].into_iter().map(|dir| dir.join(name)).find(|path| path.is_file());
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| Problem::io("read", path, &error));
    let shown = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
    let mut tools = Tools { refinery: find("refinery.toml").is_some(), ..Tools::default() };
    if let Some(path) = find("sqlx.toml") {
        let (text, shown) = (read(&path)?, shown(&path));
        let one = |table: &str, key: &str| -> Result<Option<String>> {
            Ok(toml::texts(&text, table, key, &shown)?.and_then(|texts| texts.into_iter().next()))
        };
        let ignored = toml::texts(&text, "migrate", "ignored-chars", &shown)?.unwrap_or_default();
        // sqlx's macros take it from the crate's root, whichever directory the file is in.
        let home = path.parent().unwrap_or(dir);
        let migrations = one("migrate", "migrations-dir")?;
        tools.sqlx = Some(SqlxToml {
            url_variable: one("common", "database-url-var")?,
            table: one("migrate", "table-name")?,
            ignored_chars: ignored.iter().flat_map(|text| text.chars()).collect(),
            migrations: clean(&home.join(migrations.as_deref().unwrap_or("migrations"))),
            path: path.clone(),
        });
    }
    if let Some(path) = find("diesel.toml") {
        let named = toml::texts(&read(&path)?, "migrations_directory", "dir", &shown(&path))?;
        let home = path.parent().unwrap_or(dir);
        let named = named.as_deref().and_then(|texts| texts.first()).map_or("migrations", String::as_str);
        tools.diesel = Some(clean(&home.join(named)));
    }
    Ok(tools)
}

impl Owned<'_> {
    /// Resolves the settings of an environment.
    pub fn settings(&self, environment: &str, homes: &[Home<'_>], root: &Path) -> Result<Settings> {
        let values = Values { tables: self.tables, environment };
        let dir = self.home.dir;
        let found = self.candidate.as_ref();
        let mut by_environment = false;
        let mut paths = |key: &str| -> Result<Option<Vec<PathBuf>>> {
            let Some((paths, names)) = values.paths(key, dir)? else { return Ok(None) };
            by_environment |= names;
            Ok(Some(paths))
        };
        let first = |paths: Option<Vec<PathBuf>>| paths.and_then(|paths| paths.into_iter().next());
        let usual = || dir.join("priv").join(&self.name);
        let configured = first(paths("priv")?);
        let from_layout = found.filter(|_| configured.is_none());
        let priv_dir = configured.or_else(|| found.map(|found| found.priv_dir.clone())).unwrap_or_else(usual);
        let migrations = paths("migrations")?.unwrap_or_else(|| {
            vec![from_layout.map_or_else(|| priv_dir.join("migrations"), |found| found.migrations.clone())]
        });
        let manual_migrations =
            paths("manual-migrations")?.unwrap_or_else(|| vec![priv_dir.join("manual_migrations")]);
        let archive = paths("archive")?.unwrap_or_else(|| vec![priv_dir.join("dumped_migrations")]);
        let structure = first(paths("dump-path")?)
            .or_else(|| from_layout.and_then(|found| found.structure.clone()))
            .unwrap_or_else(|| priv_dir.join("structure.sql"));

        let tools = look(dir, root)?;
        // Where the workspace names files of a crate, the crate speaks for them.
        let keeper = match (self.home.package, migrations.first()) {
            (None, Some(first)) => layout::keeper(homes, first),
            _ => None,
        };
        let (layout_ledger, layout_table) = match keeper {
            Some(keeper) => keeper.ledger(&look(keeper.dir, root)?, &migrations),
            None => self.home.ledger(&tools, &migrations),
        };
        let ledger_kind = values.ledger()?;
        // sqlx.toml's table is meant unless another ledger was asked for.
        let of_layout = layout_table.filter(|_| matches!(ledger_kind, None | Some(Ledger::Sqlx)));
        // One variable for two repos would be one database for two repos.
        let speaks_of_one = |path: &Path| self.only || (self.alone && path.parent() == Some(dir));
        let sqlx_url_env = tools.sqlx.as_ref().filter(|sqlx| speaks_of_one(&sqlx.path));
        let sqlx_url_env = sqlx_url_env.and_then(|sqlx| sqlx.url_variable.clone());
        let mut create: [Option<String>; 5] = Default::default();
        for (value, key) in create.iter_mut().zip(CREATE) {
            *value = values.text(&format!("create.{key}"))?;
        }
        Ok(Settings {
            ledger_kind,
            ledger_table: values.text("ledger.table")?.or(of_layout),
            ignored_chars: tools.sqlx.map(|sqlx| sqlx.ignored_chars).unwrap_or_default(),
            layout_ledger,
            create,
            url_env: values.text("url-env")?,
            sqlx_url_env,
            engine: values.engine(),
            direct_url_env: values.variable("direct-url"),
            maintenance_url_env: values.variable("maintenance-url"),
            seed_command: values.text("seed-command")?.is_some(),
            role: values.text("role")?,
            schemas: values.texts("schemas")?.unwrap_or_default(),
            keep_data: values.keep_data()?,
            template: values.bool("template")?.unwrap_or(true),
            version_order: values.order()?.unwrap_or("Warn"),
            lock_wait: values.duration("lock-wait")?,
            lock_timeout: values.duration("lock-timeout")?.unwrap_or(Duration::from_secs(5)),
            statement_timeout: values.duration("statement-timeout")?.filter(|limit| !limit.is_zero()),
            priv_dir,
            structure,
            migrations,
            manual_migrations,
            archive,
            by_environment,
        })
    }
}

impl Settings {
    /// The directories of the lanes and of the archive.
    pub fn lanes(&self) -> impl Iterator<Item = &PathBuf> {
        self.migrations.iter().chain(&self.manual_migrations).chain(&self.archive)
    }

    /// Writes them as `key = value` lines, where the value is a Rust expression. Paths are relative to `dir`.
    pub fn lines(&self, dir: &Path) -> Result<Vec<(&'static str, String)>> {
        let path = |path: &Path| {
            relative(path, dir).map(|path| format!("{path:?}")).ok_or_else(|| {
                Problem::new(format!("`{}` is on another drive than the crate", path.display()))
            })
        };
        let paths = |paths: &[PathBuf]| -> Result<String> {
            Ok(format!("&[{}]", paths.iter().map(|each| path(each)).collect::<Result<Vec<_>>>()?.join(", ")))
        };
        let text = |text: &Option<String>| format!("{text:?}");
        let texts = |texts: &[String]| format!("&{texts:?}");
        let ledger = |kind: Option<Ledger>| match kind {
            Some(kind) => format!("Some(__dbsetup::LedgerKind::{kind:?})"),
            None => "None".to_owned(),
        };
        let time = |limit: Duration| format!("::core::time::Duration::from_millis({})", limit.as_millis());
        let mut kept = String::new();
        for (table, except) in &self.keep_data {
            write!(kept, "({table:?}, &{except:?}), ").expect("a string takes everything");
        }
        let [encoding, template, collation, owner, charset] = &self.create;
        Ok(vec![
            ("priv_dir", path(&self.priv_dir)?),
            ("structure", path(&self.structure)?),
            ("migrations", paths(&self.migrations)?),
            ("manual_migrations", paths(&self.manual_migrations)?),
            ("archive", paths(&self.archive)?),
            ("by_environment", self.by_environment.to_string()),
            ("url_env", text(&self.url_env)),
            ("sqlx_url_env", text(&self.sqlx_url_env)),
            (
                "engine",
                self.engine
                    .map_or("None".to_owned(), |engine| format!("Some(__dbsetup::Dialect::{engine:?})")),
            ),
            ("direct_url_env", text(&self.direct_url_env)),
            ("maintenance_url_env", text(&self.maintenance_url_env)),
            ("seed_command", self.seed_command.to_string()),
            ("ledger_kind", ledger(self.ledger_kind)),
            ("ledger_table", text(&self.ledger_table)),
            ("ignored_chars", format!("&{:?}", self.ignored_chars)),
            ("layout_ledger", ledger(self.layout_ledger)),
            ("create_encoding", text(encoding)),
            ("create_template", text(template)),
            ("create_collation", text(collation)),
            ("create_owner", text(owner)),
            ("create_charset", text(charset)),
            ("role", text(&self.role)),
            ("schemas", texts(&self.schemas)),
            ("keep_data", format!("&[{}]", kept.trim_end_matches(", "))),
            ("template", self.template.to_string()),
            ("version_order", format!("__dbsetup::VersionOrder::{}", self.version_order)),
            ("lock_wait", self.lock_wait.map_or("None".to_owned(), |wait| format!("Some({})", time(wait)))),
            ("lock_timeout", time(self.lock_timeout)),
            (
                "statement_timeout",
                self.statement_timeout.map_or("None".to_owned(), |limit| format!("Some({})", time(limit))),
            ),
        ])
    }
}
