//! Options that hold for every command of any program.

use clap::{Arg, ArgAction, Args, Command, ValueEnum};

/// What stands between a command and the harm that it could do.
#[derive(Debug, Clone, Default, Args)]
pub struct Safety {
    /// Show what would be done, and do nothing.
    #[arg(long, global = true, help_heading = "Safety")]
    pub dry_run: bool,

    /// Answer yes to the question that destructive commands ask.
    #[arg(short, long, global = true, help_heading = "Safety")]
    pub yes: bool,

    /// Let destructive commands destroy this protected database, named as it is printed; may be given several times.
    #[arg(long, global = true, value_name = "DATABASE", action = ArgAction::Append, help_heading = "Safety")]
    pub allow_protected: Vec<String>,
}

/// How several repos are worked on.
#[derive(Debug, Clone, Default, Args)]
pub struct Running {
    /// How many repos are worked on side by side [default: 4].
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Running")]
    pub jobs: Option<u16>,

    /// Go on with the other repos and steps when one fails.
    #[arg(long, global = true, help_heading = "Running")]
    pub keep_going: bool,
}

/// How many repos are worked on side by side unless told.
pub const DEFAULT_JOBS: u16 = 4;

/// What is told, and how.
#[derive(Debug, Clone, Default, Args)]
pub struct Telling {
    /// How results are told [default: human, with annotations in GitHub Actions].
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub format: Option<Format>,

    /// Drop lines that tell of success, or that nothing was to be done; reasons, warnings and errors stay.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,

    /// Tell more: each file as it begins; twice: every event.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,

    /// Colours: auto, always or never.
    #[arg(long, global = true, value_enum, value_name = "WHEN", help_heading = "Output")]
    pub color: Option<Color>,
}

/// How results are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Sentences.
    Human,
    /// One JSON object an event on stdout.
    Json,
    /// Sentences and GitHub annotations.
    Github,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Takes a command line apart: the options that `globals` describes with their values, the first other word, and what
/// follows it. What is a global option, and whether it takes a value, is asked of clap's own description.
pub fn split(words: &[String], globals: &Command) -> (Vec<String>, Option<String>, Vec<String>) {
    let (mut found, mut name, mut rest) = (Vec::new(), None, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            rest.push(word.clone());
            rest.extend(words.cloned());
            break;
        }
        match global_option(globals, word) {
            Some(takes_value) => {
                found.push(word.clone());
                if takes_value {
                    found.extend(words.next().cloned());
                }
            }
            None if name.is_none() && !word.starts_with('-') => name = Some(word.clone()),
            None => rest.push(word.clone()),
        }
    }
    (found, name, rest)
}

/// Returns whether the value of a global option is the next word; `None` where `word` is no global option.
fn global_option(command: &Command, word: &str) -> Option<bool> {
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    if let Some(long) = word.strip_prefix("--") {
        let (name, attached) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name))?;
        return Some(takes_value(arg) && !attached);
    }
    // `-qv`, `-rcore`, `-r core`: the first letter that takes a value takes the rest of the word.
    let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
    for (at, letter) in letters.char_indices() {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
        if takes_value(arg) {
            return Some(at + letter.len_utf8() == letters.len());
        }
    }
    Some(false)
}
