//! Aliases: names for lists of command lines. Expansion is pure: it sees words, never a file or a database.

use std::collections::BTreeMap;

use dbsetup::{Error, Kind, Result};

use super::args::{Global, Line};
use super::options::Options;
use super::plan::{Action, Step, Stop};
use crate::workspace::Alias;

/// Where a program begins in the lines of an alias.
const PROGRAM_MARK: &str = "$ ";

/// The steps of an alias.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The environment of all its steps.
    pub env: Option<String>,
    /// Command lines, and programs behind `$ `.
    pub steps: Vec<String>,
    /// The alias as the workspace defines it, for errors that point there; `None` when it is built in.
    written: Option<Alias>,
}

impl Definition {
    /// Where it is defined: `Cargo.toml (workspace.metadata.dbsetup.aliases.x)`; `None` when it is built in.
    pub fn origin(&self) -> Option<String> {
        self.written.as_ref().map(|alias| format!("{} ({})", alias.file().display(), alias.key()))
    }
}

impl From<&Alias> for Definition {
    fn from(alias: &Alias) -> Self {
        Self { env: alias.environment.clone(), steps: alias.steps.clone(), written: Some(alias.clone()) }
    }
}

/// Every alias that can be used: the built-in ones and those of the workspace, which win.
#[derive(Debug, Clone)]
pub struct Aliases {
    definitions: BTreeMap<String, Definition>,
    commands: Vec<String>,
}

impl Aliases {
    /// Returns the built-in aliases, redefined and joined by `own`. `commands` are the names of all commands.
    pub fn new<'a>(own: impl IntoIterator<Item = &'a Alias>, commands: Vec<String>) -> Self {
        let built_in = [
            ("setup", &["create", "load --skip-if-loaded --quiet", "migrate_all", "seed --if-new"][..]),
            ("reset", &["drop", "setup"]),
            ("migrate_all", &["migrate --lane all"]),
            ("migrate_manual", &["migrate --lane manual"]),
        ];
        let mut definitions: BTreeMap<String, Definition> = built_in
            .into_iter()
            .map(|(name, steps)| {
                let steps = steps.iter().map(|&step| step.to_owned()).collect();
                (name.to_owned(), Definition { env: None, steps, written: None })
            })
            .collect();
        definitions.extend(own.into_iter().map(|alias| (alias.name.clone(), Definition::from(alias))));
        Self { definitions, commands }
    }

    /// Every alias in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Definition)> {
        self.definitions.iter().map(|(name, definition)| (name.as_str(), definition))
    }

    /// Returns the alias of a name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }

    /// Whether a command has this name.
    pub fn is_command(&self, name: &str) -> bool {
        self.commands.iter().any(|command| command == name)
    }

    /// Every word that may stand where a command stands.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.commands.iter().map(String::as_str).chain(self.definitions.keys().map(String::as_str))
    }

    /// Expands a command line into the steps that it stands for.
    ///
    /// # Errors
    /// A usage error of any line, a cycle, or a line that widens what holds for the run.
    pub fn expand(&self, line: &Line, global: &Global) -> Result<Vec<Step>, Stop> {
        self.expand_line(line, &Options::of_command_line(global), &[])
    }

    /// `trail` are the aliases that led to this line.
    fn expand_line(&self, line: &Line, options: &Options, trail: &[String]) -> Result<Vec<Step>, Stop> {
        let name = line.name.as_deref().unwrap_or_default();
        // Inside an alias that redefines a command, the command's name means the command.
        let means_command = self.is_command(name) && trail.iter().any(|alias| alias == name);
        match self.get(name).filter(|_| !means_command) {
            Some(definition) => {
                if trail.iter().any(|alias| alias == name) {
                    return Err(self.cycle(trail, name).into());
                }
                self.expand_alias(name, definition, &line.rest, options, trail)
            }
            None => {
                let command = line.command().map_err(|error| Stop::usage(error, line, trail))?;
                Ok(vec![Step {
                    words: line.words(),
                    trail: trail.to_vec(),
                    options: options.clone(),
                    action: Action::Command(Box::new(command)),
                }])
            }
        }
    }

    fn expand_alias(
        &self,
        name: &str,
        definition: &Definition,
        extra: &[String],
        options: &Options,
        trail: &[String],
    ) -> Result<Vec<Step>, Stop> {
        let options = options.in_environment(definition.env.as_ref(), name)?;
        let trail: Vec<String> = trail.iter().cloned().chain([name.to_owned()]).collect();
        let Some(last) = definition.steps.len().checked_sub(1) else {
            if extra.is_empty() {
                return Ok(Vec::new());
            }
            let message = format!("the alias `{name}` has no steps that could take `{}`", extra.join(" "));
            return Err(Error::new(Kind::Configuration, message).into());
        };
        let given_to = |taker: usize| -> Result<Vec<Step>, Stop> {
            let mut steps = Vec::new();
            for (at, text) in definition.steps.iter().enumerate() {
                let extra = if at == taker { extra } else { &[] };
                let expanded = self.expand_text(text, extra, &options, &trail);
                steps.extend(expanded.map_err(|stop| placed(stop, definition, at))?);
            }
            Ok(steps)
        };
        let steps = given_to(last);
        // `migrate = ["migrate", "dump"]`: what `dump` cannot take was meant for `migrate` itself.
        if let Err(Stop::Usage { .. }) = &steps
            && !extra.is_empty()
            && self.is_command(name)
            && let Some(own) = definition.steps.iter().position(|text| first_word_is(text, name))
            && own != last
        {
            return given_to(own);
        }
        steps
    }

    fn cycle(&self, trail: &[String], name: &str) -> Error {
        let start = trail.iter().position(|alias| alias == name).unwrap_or(0);
        let around = trail[start..].iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(" -> ");
        Error::new(Kind::Configuration, format!("the alias `{name}` leads back to itself: {around}"))
            .help("break the cycle; inside an alias its own name means a command only where there is one")
    }

    fn expand_text(
        &self,
        text: &str,
        extra: &[String],
        options: &Options,
        trail: &[String],
    ) -> Result<Vec<Step>, Stop> {
        let (program, text) = match text.strip_prefix(PROGRAM_MARK) {
            Some(program) => (true, program),
            None => (false, text),
        };
        let mut words =
            shell_words::split(text).map_err(|error| broken_line(text, trail, &error.to_string()))?;
        if words.is_empty() {
            return Err(broken_line(text, trail, "it is empty").into());
        }
        if program {
            words.extend(extra.iter().cloned());
            let (trail, options) = (trail.to_vec(), options.clone());
            return Ok(vec![Step { words: words.clone(), trail, options, action: Action::Program(words) }]);
        }
        let mut line = Line::split(&words);
        let global = line.global().map_err(|error| Stop::usage(error, &line, trail))?;
        let options = options.narrowed(&global, text)?;
        line.rest.extend(extra.iter().cloned());
        self.expand_line(&line, &options, trail)
    }
}

/// Lets an error of a line point at the line, unless it points somewhere already.
fn placed(stop: Stop, definition: &Definition, step: usize) -> Stop {
    match (stop, &definition.written) {
        (Stop::Failed(error), Some(alias)) if error.site().is_none() => {
            let mut at_step = alias.step_error(step, error.message().to_owned());
            for note in error.notes() {
                at_step = at_step.note(note);
            }
            Stop::Failed(match error.help_text() {
                Some(help) => at_step.help(help),
                None => at_step,
            })
        }
        (stop, _) => stop,
    }
}

fn first_word_is(text: &str, name: &str) -> bool {
    text.split_whitespace().next() == Some(name)
}

fn broken_line(text: &str, trail: &[String], why: &str) -> Error {
    let alias = trail.last().map_or("", String::as_str);
    Error::new(Kind::Configuration, format!("cannot read the line `{text}` of the alias `{alias}`: {why}"))
}

#[cfg(test)]
#[path = "alias_tests.rs"]
mod tests;
