//! What holds for one step: the command line's global options, narrowed by the aliases on the way to it.

use dbsetup::{Error, Kind, Result};

use dbsetup_cli::args::{DEFAULT_JOBS, Format};

use super::args::Global;

/// A choice of repos, as it was written in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--repo`.
    pub repos: Vec<String>,
    /// `--package`.
    pub packages: Vec<String>,
    /// `--workspace`.
    pub workspace: bool,
    /// `--exclude`.
    pub exclude: Vec<String>,
}

impl Selection {
    fn of(global: &Global) -> Option<Self> {
        let selection = Self {
            repos: global.repo.clone(),
            packages: global.package.clone(),
            workspace: global.workspace,
            exclude: global.exclude.clone(),
        };
        (selection != Self::default()).then_some(selection)
    }
}

/// The options that one step runs with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Every choice of repos on the way to the step; a repo has to be in all of them.
    pub selections: Vec<Selection>,
    /// `--env`, or the environment of an alias.
    pub env: Option<String>,
    /// `--database-url`.
    pub database_url: Option<String>,
    /// `--no-dotenv`.
    pub no_dotenv: bool,
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--yes`.
    pub yes: bool,
    /// `--allow-protected`.
    pub allow_protected: Vec<String>,
    /// `--jobs`.
    pub jobs: Option<u16>,
    /// `--keep-going`.
    pub keep_going: bool,
    /// `--format`.
    pub format: Option<Format>,
    /// `--quiet`.
    pub quiet: bool,
    /// Whether `--quiet` holds for more than this one line of an alias: the run, or an alias on the way to it.
    pub silent: bool,
    /// `--verbose`, counted.
    pub verbose: u8,
    /// `--offline`: for `check`, files alone.
    pub offline: bool,
}

impl From<&Options> for dbsetup_cli::task::Options {
    fn from(options: &Options) -> Self {
        Self { dry_run: options.dry_run, verbose: options.verbose }
    }
}

impl Options {
    /// Whether the same repos with the same settings are meant.
    pub fn asks_for_the_same(&self, other: &Self) -> bool {
        (&self.selections, &self.env, &self.database_url, self.no_dotenv)
            == (&other.selections, &other.env, &other.database_url, other.no_dotenv)
    }

    /// Returns the options of the command line itself.
    pub fn of_command_line(global: &Global) -> Self {
        Self {
            selections: Selection::of(global).into_iter().collect(),
            env: global.env.clone(),
            database_url: global.database_url.clone(),
            no_dotenv: global.no_dotenv,
            dry_run: global.safety.dry_run,
            yes: global.safety.yes,
            allow_protected: global.safety.allow_protected.clone(),
            jobs: global.running.jobs,
            keep_going: global.running.keep_going,
            format: global.telling.format,
            quiet: global.telling.quiet,
            silent: global.telling.quiet,
            verbose: global.telling.verbose,
            offline: global.offline,
        }
    }

    /// How many repos are worked on side by side.
    pub fn jobs(&self) -> usize {
        usize::from(self.jobs.unwrap_or(DEFAULT_JOBS))
    }

    /// Returns these options narrowed by those of a line inside an alias.
    ///
    /// # Errors
    /// [`Kind::Configuration`] where the line wants more than it was given: consent, or another environment.
    pub fn narrowed(&self, line: &Global, shown: &str) -> Result<Self> {
        let mut step = self.clone();
        step.selections.extend(Selection::of(line));
        step.env = narrow_value(self.env.as_ref(), line.env.as_ref(), "--env", shown)?;
        let url =
            narrow_value(self.database_url.as_ref(), line.database_url.as_ref(), "--database-url", shown);
        step.database_url = url?;
        let format = match (self.format, line.telling.format) {
            (_, None) => self.format,
            (Some(outer), Some(inner)) if outer == inner => self.format,
            _ => return Err(outside_only("--format", shown)),
        };
        step.format = format;
        step.no_dotenv |= line.no_dotenv;
        step.dry_run |= line.safety.dry_run;
        step.keep_going |= line.running.keep_going;
        // By now cargo has been asked: in a step, no connection is all that is left of it.
        step.offline |= line.offline;
        step.silent = self.quiet;
        step.quiet |= line.telling.quiet;
        step.verbose = if step.quiet { 0 } else { self.verbose.max(line.telling.verbose) };
        step.jobs = match (self.jobs, line.running.jobs) {
            (Some(outer), Some(inner)) => Some(outer.min(inner)),
            (outer, inner) => outer.or(inner),
        };
        if line.safety.yes && !self.yes {
            return Err(outside_only("--yes", shown));
        }
        if line.safety.allow_protected.iter().any(|database| !self.allow_protected.contains(database)) {
            return Err(outside_only("--allow-protected", shown));
        }
        if !line.safety.allow_protected.is_empty() {
            step.allow_protected.clone_from(&line.safety.allow_protected);
        }
        for (given, flag) in [
            (line.manifest_path.is_some(), "--manifest-path"),
            (line.telling.color.is_some(), "--color"),
            (line.locked, "--locked"),
            (line.frozen, "--frozen"),
        ] {
            if given {
                return Err(outside_only(flag, shown));
            }
        }
        Ok(step)
    }

    /// Returns these options narrowed to the environment of an alias.
    ///
    /// # Errors
    /// [`Kind::Configuration`] when another environment holds already.
    pub fn in_environment(&self, env: Option<&String>, alias: &str) -> Result<Self> {
        let env = narrow_value(self.env.as_ref(), env, "env", alias)?;
        Ok(Self { env, ..self.clone() })
    }
}

fn narrow_value(
    outer: Option<&String>,
    inner: Option<&String>,
    flag: &str,
    shown: &str,
) -> Result<Option<String>> {
    match (outer, inner) {
        (Some(outer), Some(inner)) if outer != inner => Err(Error::new(
            Kind::Configuration,
            format!("`{shown}` sets another value for `{flag}` than the run that it is part of"),
        )
        .help(format!("leave `{flag}` away in one of the two places"))),
        (outer, inner) => Ok(outer.or(inner).cloned()),
    }
}

fn outside_only(flag: &str, shown: &str) -> Error {
    Error::new(Kind::Configuration, format!("`{flag}` cannot stand in a line of an alias: `{shown}`"))
        .note("a step may narrow what holds for the run, never widen it")
        .help(format!("remove it from the alias and pass `{flag}` on the command line"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Line;

    fn global(line: &str) -> Global {
        let words = shell_words::split(line).expect("the test's line is well formed");
        Line::split(&words).global().expect("the test's options parse")
    }

    #[test]
    fn a_step_narrows_repos_jobs_and_output() {
        let run = Options::of_command_line(&global("-r core --jobs 3 -v"));
        let step = run.narrowed(&global("-p data --jobs 8 -q --dry-run"), "x").expect("it narrows");
        assert_eq!(step.selections.len(), 2);
        assert_eq!((step.jobs(), step.quiet, step.verbose, step.dry_run), (3, true, 0, true));
    }

    #[test]
    fn a_step_never_gives_itself_consent_or_another_environment() {
        let run = Options::of_command_line(&global("--env test --allow-protected a"));
        for line in ["--yes", "--allow-protected b", "--env prod", "--color never", "--format json"] {
            let error = run.narrowed(&global(line), line).expect_err("it widens");
            assert_eq!(error.kind(), Kind::Configuration, "{line}");
        }
        assert!(run.narrowed(&global("--env test --allow-protected a"), "x").is_ok());
        assert!(run.in_environment(Some(&"prod".into()), "x").is_err());
    }
}
