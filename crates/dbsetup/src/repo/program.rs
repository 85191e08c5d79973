//! What a program is called in messages, which commands it has, and how a command of it is written.

use std::borrow::Cow;

use super::Repo;

/// How a program is called that works on repos, and what can be asked of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What stands before a command's name: `cargo dbsetup`, `./release`. Empty where nobody knows of a program: commands are
    /// then written without one, and whoever shows them says whose they are.
    pub call: Cow<'static, str>,
    /// The names of its commands; `None` for every one that there is.
    pub words: Option<&'static [&'static str]>,
    /// The environment of a command line that names none.
    pub environment: Cow<'static, str>,
    /// Whether this very process is another one: an application that starts. It has settings where a program has variables.
    pub from_application: bool,
}

impl Program {
    /// The program of a release, by the name that it is called with: what `gen release` makes.
    pub fn release(call: impl Into<Cow<'static, str>>) -> Self {
        Self {
            call: call.into(),
            words: Some(RELEASE_WORDS),
            environment: Cow::Borrowed("prod"),
            from_application: false,
        }
    }

    /// What an application says that knows of no program.
    pub(crate) fn unknown() -> Self {
        Self { call: Cow::Borrowed(""), words: None, environment: Cow::Borrowed(""), from_application: true }
    }

    /// Whether it has a command of this name.
    pub fn knows(&self, word: &str) -> bool {
        self.words.is_none_or(|words| words.contains(&word))
    }
}

/// The commands of a release's own program.
const RELEASE_WORDS: &[&str] = &[
    "setup",
    "load",
    "migrate",
    "migrate_manual",
    "rollback",
    "redo",
    "status",
    "doctor",
    "resolve",
    "seed",
    "wait",
    "help",
];

/// A release's own program, called so.
impl From<&'static str> for Program {
    fn from(call: &'static str) -> Self {
        Self::release(call)
    }
}

/// A release's own program, called so.
impl From<String> for Program {
    fn from(call: String) -> Self {
        Self::release(call)
    }
}

impl Default for Program {
    fn default() -> Self {
        Self {
            call: Cow::Borrowed("cargo dbsetup"),
            words: None,
            environment: Cow::Borrowed("dev"),
            from_application: false,
        }
    }
}

impl Repo {
    /// Returns a command line to paste that works on this very repo and environment. What the program has no command for
    /// is done by `cargo dbsetup`, in a checkout.
    pub fn command(&self, words: &str) -> String {
        let words = match words {
            // A release makes no database by a command of its own.
            "create" if !self.program.knows("create") && self.program.knows("setup") => "setup --create",
            words => words,
        };
        let word = words.split(' ').next().unwrap_or_default();
        let development = Program::default();
        let program = if self.program.knows(word) { &self.program } else { &development };
        let (call, name, environment) = (&program.call, &self.name, &self.environment);
        let call = if call.is_empty() { String::new() } else { format!("{call} ") };
        if *environment == program.environment {
            format!("`{call}{words} --repo {name}`")
        } else {
            format!("`{call}{words} --repo {name} --env {environment}`")
        }
    }

    /// Returns an advice with a word on whose its commands are, where that is to be said: one of a program that nobody
    /// knows, and one of `cargo dbsetup`, which is on no server.
    pub(crate) fn explained(&self, advice: &str) -> String {
        if !self.program.from_application {
            return advice.to_owned();
        }
        let (whose, end) = if self.program.call.is_empty() {
            let end = format!(" --repo {} --env {}`", self.name, self.environment);
            (" (with the release's own program, or with `cargo dbsetup` from a checkout)", end)
        } else {
            (" (from a checkout)", "`".to_owned())
        };
        let last = if self.program.call.is_empty() {
            advice.rfind(&end).map(|at| at + end.len())
        } else {
            let command = "`cargo dbsetup ";
            let start = advice.rfind(command).map(|at| at + command.len());
            start.and_then(|start| Some(start + advice[start..].find(&end)? + end.len()))
        };
        match last {
            Some(last) if !advice.contains("a checkout") => {
                format!("{}{whose}{}", &advice[..last], &advice[last..])
            }
            _ => advice.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::{DatabaseUrl, RepoName};

    #[test]
    fn an_application_names_no_command_that_may_not_be_there() {
        let url = DatabaseUrl::new("postgres://h/core");
        let mut repo = Repo::plain(RepoName::new("core"), "priv/core".into(), url, "prod");
        repo.program = Program::unknown();
        let (apply, forget) = (repo.command("resolve 3 --applied"), repo.command("resolve 3 --not-applied"));
        assert_eq!(apply, "`resolve 3 --applied --repo core --env prod`");
        assert_eq!(
            repo.explained(&format!("look, then {apply} or {forget}; or else")),
            format!(
                "look, then {apply} or {forget} (with the release's own program, or with `cargo dbsetup` from a \
                 checkout); or else"
            )
        );
        assert_eq!(repo.explained("mend the file"), "mend the file");
        repo.program = Program { from_application: true, ..Program::from("bin/db") };
        assert_eq!(repo.explained(&repo.command("migrate")), "`bin/db migrate --repo core`");
        assert_eq!(
            repo.explained(&format!("{}, or not", repo.command("reset"))),
            "`cargo dbsetup reset --repo core --env prod` (from a checkout), or not"
        );
        repo.program.from_application = false;
        assert_eq!(repo.explained("`cargo dbsetup dump`"), "`cargo dbsetup dump`");
    }
}
