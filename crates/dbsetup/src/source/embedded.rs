//! Files and settings inside the binary, as `dbsetup-build` writes them.

use std::fmt;
use std::time::Duration;

use super::path;
use crate::error::{Error, Kind, Result};
use crate::expand::{Unexpanded, expand};
use crate::files::{EmbeddedFile, Files};
use crate::ledger::LedgerKind;
use crate::repo::{
    CreateOptions, DatabaseUrl, KeepData, LOCK_WAIT, LedgerSetting, Program, Repo, RepoName, VersionOrder,
};
use crate::sql::Dialect;

/// The files and the settings of one repo. [`embed!`](crate::embed) makes it.
#[derive(Clone, Copy)]
pub struct Embedded {
    /// The repo's name.
    pub name: &'static str,
    /// The checksum of files and settings, hexadecimal.
    pub digest: &'static str,
    /// What a look into the binary finds: `dbsetup-embedded:`, the name, `:`, the digest, `;`.
    pub marker: &'static str,
    /// Environments whose databases may be dropped.
    pub disposable: &'static [&'static str],
    /// What holds in environments that have no settings of their own.
    pub settings: EmbeddedSettings,
    /// What holds in each of the others.
    pub environments: &'static [(&'static str, EmbeddedSettings)],
    /// The files, sorted by path.
    pub files: &'static [EmbeddedFile],
    /// Whether the crate that embeds them was built with debug assertions.
    pub debug_assertions: bool,
}

/// Settings of an embedded repo; those of docs/configuration.md that matter without a checkout. Paths are relative to
/// the crate, with `/`. In texts `{env}` and `${VARIABLE}` are put in when the binary runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// `priv`.
    pub priv_dir: &'static str,
    /// `dump-path`.
    pub structure: &'static str,
    /// `migrations`.
    pub migrations: &'static [&'static str],
    /// `manual-migrations`.
    pub manual_migrations: &'static [&'static str],
    /// `archive`.
    pub archive: &'static [&'static str],
    /// Whether a path names the environment: the binary then has the files of those that it knows, and of no other.
    pub by_environment: bool,
    /// `url-env`: the variable that holds the URL.
    pub url_env: Option<&'static str>,
    /// `common.database-url-var` of sqlx.toml, where that speaks of this repo: another variable that may hold the URL.
    pub sqlx_url_env: Option<&'static str>,
    /// The engine that `url` speaks of for this very environment. The URL itself is in no binary.
    pub engine: Option<Dialect>,
    /// The variable that `direct-url` is, where it is nothing else: `${NAME}`.
    pub direct_url_env: Option<&'static str>,
    /// The variable that `maintenance-url` is, where it is nothing else.
    pub maintenance_url_env: Option<&'static str>,
    /// Whether there is a `seed-command`, which no binary runs.
    pub seed_command: bool,
    /// `ledger.kind`.
    pub ledger_kind: Option<LedgerKind>,
    /// `ledger.table`.
    pub ledger_table: Option<&'static str>,
    /// `ignored-chars` of sqlx.toml.
    pub ignored_chars: &'static [char],
    /// The ledger that the layout or the crate's dependencies speak for.
    pub layout_ledger: Option<LedgerKind>,
    /// `create.encoding`.
    pub create_encoding: Option<&'static str>,
    /// `create.template`.
    pub create_template: Option<&'static str>,
    /// `create.collation`.
    pub create_collation: Option<&'static str>,
    /// `create.owner`.
    pub create_owner: Option<&'static str>,
    /// `create.charset`.
    pub create_charset: Option<&'static str>,
    /// `role`.
    pub role: Option<&'static str>,
    /// `schemas`.
    pub schemas: &'static [&'static str],
    /// `keep-data`: tables, and their columns that are left to defaults.
    pub keep_data: &'static [(&'static str, &'static [&'static str])],
    /// `template`.
    pub template: bool,
    /// `version-order`.
    pub version_order: VersionOrder,
    /// `lock-wait`; `None` where it is not configured.
    pub lock_wait: Option<Duration>,
    /// `lock-timeout`.
    pub lock_timeout: Duration,
    /// `statement-timeout`; `None` is for ever.
    pub statement_timeout: Option<Duration>,
}

impl EmbeddedSettings {
    /// Those of a repo that configures nothing and whose files are right in the crate.
    pub const DEFAULT: Self = Self {
        priv_dir: "",
        structure: "structure.sql",
        migrations: &["migrations"],
        manual_migrations: &["manual_migrations"],
        archive: &["dumped_migrations"],
        by_environment: false,
        url_env: None,
        sqlx_url_env: None,
        engine: None,
        direct_url_env: None,
        maintenance_url_env: None,
        seed_command: false,
        ledger_kind: None,
        ledger_table: None,
        ignored_chars: &[],
        layout_ledger: None,
        create_encoding: None,
        create_template: None,
        create_collation: None,
        create_owner: None,
        create_charset: None,
        role: None,
        schemas: &[],
        keep_data: &[],
        template: true,
        version_order: VersionOrder::Warn,
        lock_wait: None,
        lock_timeout: Duration::from_secs(5),
        statement_timeout: None,
    };
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedded({}, {} files, {})", self.name, self.files.len(), self.digest)
    }
}

impl Embedded {
    /// The settings of an environment.
    pub fn settings_in(&self, environment: &str) -> &EmbeddedSettings {
        let own = self.environments.iter().find(|(name, _)| *name == environment);
        own.map_or(&self.settings, |(_, settings)| settings)
    }

    pub(super) fn repo(&'static self, url: DatabaseUrl, environment: &str) -> Result<Repo> {
        let settings = self.settings_in(environment);
        if settings.by_environment {
            return Err(self.without_files(environment));
        }
        let text = |key: &str, text: &str| self.expanded(key, text, environment);
        let optional = |key: &str, value: Option<&str>| value.map(|value| text(key, value)).transpose();
        let paths = |texts: &[&str]| texts.iter().map(|text| path(text)).collect();
        let keep_data = |(table, except): &(&str, &[&str])| KeepData {
            table: (*table).to_owned(),
            except: except.iter().map(|&column| column.to_owned()).collect(),
        };
        Ok(Repo {
            name: RepoName::new(self.name),
            program: Program::default(),
            files: Files::Embedded(self.files),
            environment: environment.to_owned(),
            disposable: self.disposable.contains(&environment),
            display_root: path(""),
            root: path(""),
            priv_dir: path(settings.priv_dir),
            url,
            url_from: None,
            engine: settings.engine,
            direct_url: None,
            maintenance_url: None,
            scratch_url: None,
            structure: path(settings.structure),
            migrations: paths(settings.migrations),
            manual_migrations: paths(settings.manual_migrations),
            archive: paths(settings.archive),
            ledger: LedgerSetting {
                kind: settings.ledger_kind,
                table: settings.ledger_table.map(str::to_owned),
                ignored_chars: settings.ignored_chars.to_vec(),
            },
            layout_ledger: settings.layout_ledger,
            create: CreateOptions {
                encoding: optional("create.encoding", settings.create_encoding)?,
                template: optional("create.template", settings.create_template)?,
                collation: optional("create.collation", settings.create_collation)?,
                owner: optional("create.owner", settings.create_owner)?,
                charset: optional("create.charset", settings.create_charset)?,
            },
            role: optional("role", settings.role)?.filter(|role| !role.is_empty()),
            schemas: settings.schemas.iter().map(|schema| text("schemas", schema)).collect::<Result<_>>()?,
            seed_command: None,
            keep_data: settings.keep_data.iter().map(keep_data).collect(),
            template: settings.template,
            version_order: settings.version_order,
            lock_wait: settings.lock_wait.unwrap_or(LOCK_WAIT),
            lock_timeout: settings.lock_timeout,
            statement_timeout: settings.statement_timeout,
            dump_after_migrate: false,
            code: Vec::new(),
        })
    }

    /// A directory that is named after the environment cannot be guessed.
    fn without_files(&self, environment: &str) -> Error {
        let known: Vec<String> = self.environments.iter().map(|(name, _)| format!("`{name}`")).collect();
        let what = format!("the binary holds no files of `{}` for environment `{environment}`", self.name);
        Error::new(Kind::Configuration, what)
            .note(format!("a path of it names the environment; the binary was built for {}", known.join(", ")))
            .help(format!(
                "add `env.{environment}` to its table in Cargo.toml, or `{environment}` to `disposable-environments`, \
                 and build again"
            ))
    }

    fn expanded(&self, key: &str, text: &str, environment: &str) -> Result<String> {
        let name = self.name;
        let refused = |what: String| Error::new(Kind::Configuration, what);
        expand(text, environment, &mut |variable| std::env::var(variable).ok()).map_err(|reason| match reason
        {
            Unexpanded::Unset(variable) => {
                refused(format!("`{key}` of repo `{name}` needs the variable `{variable}`, which is not set"))
                    .help(format!("set `{variable}` where the program runs"))
            }
            Unexpanded::Malformed => {
                refused(format!("`{key}` of repo `{name}` has a `${{` without a variable's name and `}}`"))
                    .help("write `$${` for a literal `${` in Cargo.toml, and build again")
            }
            Unexpanded::Placeholder(word) => {
                refused(format!("`{key}` of repo `{name}` has an unknown placeholder `{{{word}}}`"))
                    .help("`{env}` is the only one; variables are written `${NAME}`")
            }
        })
    }
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}
