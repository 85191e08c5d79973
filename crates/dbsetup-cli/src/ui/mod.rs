//! The face: everything that a person, a pipe or GitHub gets to see goes through [`Ui`].
//!
//! stdout carries data (tables that were asked for, SQL, JSON); stderr tells what happens.

pub mod doctor;
pub mod duration;
pub mod github;
pub mod human;
pub mod json;
pub mod notices;
mod progress;
pub mod prompt;
pub mod report;
pub mod status;
pub mod table;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use dbsetup::Error;
use dbsetup::event::{Direction, Event, Observer, What};

use crate::args::{Color, Format};
use human::Weight;
use progress::Progress;

/// What is shown where.
pub struct Ui {
    /// What the program is called where results are told elsewhere.
    program: String,
    format: Format,
    annotate: bool,
    progress: Progress,
    several: AtomicBool,
    quiet: AtomicBool,
    /// Whether it is not even said that there was nothing to do.
    silent: AtomicBool,
    verbose: AtomicU8,
    /// What leads from the root of the checkout to where paths start.
    prefix: OnceLock<PathBuf>,
    /// The warnings that have been given, with their repos: several steps find the same.
    warned: Mutex<BTreeSet<(String, String)>>,
    /// What every repo is at.
    at_work: Mutex<BTreeMap<String, AtWork>>,
}

/// What one repo is at, as far as later sentences depend on it.
#[derive(Default)]
struct AtWork {
    /// Whence its structure came in this run, as a sentence says it.
    whence: Option<&'static str>,
    /// The migration that has begun and not ended.
    migration: Option<String>,
}

impl Ui {
    /// Returns the face of a run of `program`. Colours are decided by `color`, then `CARGO_TERM_COLOR`, then what anstream knows:
    /// `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, the terminal.
    pub fn new(program: &str, format: Option<Format>, color: Option<Color>) -> Self {
        choose_color(color);
        let format = format.unwrap_or(Format::Human);
        let annotate = format == Format::Github || (format == Format::Human && github::is_running());
        let drawn = format == Format::Human && std::io::stderr().is_terminal();
        Self {
            program: program.to_owned(),
            format,
            annotate,
            progress: Progress::new(drawn),
            several: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            verbose: AtomicU8::new(0),
            prefix: OnceLock::new(),
            warned: Mutex::default(),
            at_work: Mutex::default(),
        }
    }

    /// Says where paths start: the workspace's root.
    pub fn paths_start_at(&self, root: &Path) {
        if self.annotate {
            self.prefix.get_or_init(|| github::prefix(root));
        }
    }

    /// Sets how loud the next step is, and whether lines have to say which repo they are about.
    pub fn begin(&self, quiet: bool, verbose: u8, several: bool) {
        self.quiet.store(quiet, Ordering::Relaxed);
        self.silent.store(quiet, Ordering::Relaxed);
        self.verbose.store(verbose, Ordering::Relaxed);
        self.several.store(several, Ordering::Relaxed);
    }

    /// Has the step say what it had nothing to do for although it is quiet: its own line asks for that, and not the run.
    pub fn say_skips(&self) {
        self.silent.store(false, Ordering::Relaxed);
    }

    /// Whether results go out as JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// What the program is called.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Whether GitHub gets annotations and a summary.
    pub fn annotates(&self) -> bool {
        self.annotate
    }

    /// Writes a coloured page to stdout.
    ///
    /// # Errors
    /// Those of the stream; a reader that has gone is one of them.
    pub fn page(&self, text: &str) -> std::io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Writes data to stdout, byte for byte.
    ///
    /// # Errors
    /// Those of the stream; a reader that has gone is one of them.
    pub fn data(&self, text: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Says that something succeeded; `--quiet` drops it.
    pub fn success(&self, text: &str) {
        self.say(Weight::Success, text);
    }

    /// Says why something is not done or takes its time.
    pub fn reason(&self, text: &str) {
        self.say(Weight::Reason, text);
    }

    /// Says something that deserves a look.
    pub fn warning(&self, text: &str, help: Option<&str>) {
        self.print(&report::warning(text, help));
        if self.annotate {
            self.print(&github::warning(&self.program, text, help));
        }
    }

    /// Tells a failure. `repo` is the one that it happened to.
    pub fn error(&self, error: &Error, repo: Option<&str>, code: u8) {
        if self.is_json() {
            self.json(json::error(error, repo, code));
        }
        let repo = repo.filter(|_| self.several.load(Ordering::Relaxed));
        self.print(&report::error(error, repo));
        if self.annotate {
            let prefix = self.prefix.get().map_or(Path::new(""), PathBuf::as_path);
            self.print(&github::error(&self.program, error, prefix));
        }
    }

    /// Shows a drawing, whatever is quiet.
    pub fn drawn(&self, text: &str) {
        self.print(text);
    }

    /// The repo's name, where lines have to say it.
    pub fn named<'r>(&self, repo: &'r str) -> Option<&'r str> {
        Some(repo).filter(|_| self.several.load(Ordering::Relaxed))
    }

    /// Prints an annotation, where GitHub listens. It is made with what leads to where paths start.
    pub fn annotation(&self, make: impl FnOnce(&Path) -> String) {
        if self.annotate {
            let prefix = self.prefix.get().map_or(Path::new(""), PathBuf::as_path);
            self.print(&make(prefix));
        }
    }

    /// Tells that a command line cannot be run.
    pub fn usage_error(&self, error: &Error, code: u8) {
        self.json(json::usage(error.message(), error.help_text(), code));
        self.print(&report::error(error, None));
    }

    /// Writes a JSON object, if that is the format. A reader that has gone does not stop the work.
    pub fn json(&self, object: json::Object) {
        if self.is_json() {
            let _ = self.data(&object.line());
        }
    }

    /// Looks after the bars for ever.
    pub async fn animate(&self) {
        if !self.progress.is_drawn() {
            return std::future::pending().await;
        }
        let mut tick = tokio::time::interval(progress::TICK);
        loop {
            tick.tick().await;
            self.progress.draw();
        }
    }

    /// Takes the bars away: a step is over.
    pub fn settle(&self) {
        self.progress.clear();
    }

    fn say(&self, weight: Weight, text: &str) {
        let verbose = self.verbose.load(Ordering::Relaxed);
        let shown = match weight {
            Weight::Detail => verbose > 1,
            Weight::Aside => verbose > 0,
            Weight::Start => verbose > 0 || !(self.progress.is_drawn() || self.quiet.load(Ordering::Relaxed)),
            Weight::Success => !self.quiet.load(Ordering::Relaxed),
            Weight::Skip => !self.silent.load(Ordering::Relaxed),
            Weight::Reason | Weight::Warning => true,
        };
        if shown && !self.is_json() {
            self.print(text);
        }
    }

    /// Prints a line on stderr, above the bars. stderr that is gone is no reason to stop.
    fn print(&self, text: &str) {
        let colored = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let plain = anstream::adapter::strip_str(text).to_string();
        if !self.progress.print(if colored { text } else { &plain }) {
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }
}

impl Ui {
    /// The migrations that have begun and not ended, with their repos.
    pub fn unfinished(&self) -> Vec<(String, String)> {
        let at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = at_work.iter().filter_map(|(repo, work)| Some((repo.clone(), work.migration.clone()?)));
        begun.collect()
    }

    /// Takes note of an event, and returns whence the structure came in this run.
    fn follow(&self, event: &Event) -> Option<&'static str> {
        let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
        let work = at_work.entry(event.repo.to_string()).or_default();
        match &event.what {
            What::Loaded { .. } => work.whence = Some("loaded from the structure"),
            What::Cloned { .. } => work.whence = Some("copied from a template"),
            What::Dropped { .. } => work.whence = None,
            What::MigrationStarted { version, name, .. } => {
                work.migration = Some(format!("migration {} {}", text::line(version), text::line(name)));
            }
            What::Migrated { .. } | What::AppliedByOther { .. } => work.migration = None,
            _ => {}
        }
        work.whence
    }

    /// Shows what the server of `repo` has said since it was last asked: warnings always, notices with `-v`.
    pub fn notices(&self, repo: &str) {
        for notice in notices::take() {
            let severity = if notice.warning { "warning" } else { "notice" };
            let object = json::Object::new("notice").text("repo", repo).text("severity", severity);
            self.json(object.text("text", &notice.text));
            let several = self.several.load(Ordering::Relaxed);
            let whose = if several { format!("the server of {repo}") } else { "the server".to_owned() };
            let text = format!("{whose} says: {}", text::line(&notice.text));
            if notice.warning {
                self.warning(&text, None);
            } else {
                self.say(Weight::Aside, &format!("   {text}"));
            }
        }
    }
}

impl Observer for Ui {
    fn on(&self, event: &Event) {
        // They were said before this happened.
        self.notices(event.repo.as_str());
        if let What::Warning { text, .. } = &event.what {
            let warned = (event.repo.to_string(), text.clone());
            if !self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(warned) {
                return;
            }
        }
        if self.is_json() {
            self.json(json::event(event));
        }
        self.progress.hear(event);
        let whence = self.follow(event);
        let mut sentence = human::sentence(event);
        if let What::NothingToMigrate { direction: Direction::Up, .. } = event.what
            && let Some(whence) = whence
        {
            // A quiet load has said nothing, and nobody saw a migration run.
            sentence.text = sentence.text.replace(" applied)", &format!(" applied, {whence})"));
        }
        if let What::Warning { .. } = event.what {
            let text = if self.several.load(Ordering::Relaxed) && !sentence.text.contains(event.repo.as_str())
            {
                format!("{}: {}", event.repo, sentence.text)
            } else {
                sentence.text
            };
            return self.warning(&text, sentence.help.as_deref());
        }
        let name_it = self.several.load(Ordering::Relaxed) && !sentence.named;
        let text = if name_it { format!("[{}] {}", event.repo, sentence.text) } else { sentence.text };
        self.say(sentence.weight, &text);
    }
}

/// Decides about colours for the whole process.
pub fn choose_color(flag: Option<Color>) {
    let cargo = || std::env::var("CARGO_TERM_COLOR").ok();
    let choice = match flag {
        Some(Color::Always) => anstream::ColorChoice::Always,
        Some(Color::Never) => anstream::ColorChoice::Never,
        Some(Color::Auto) => anstream::ColorChoice::Auto,
        None => match cargo().as_deref() {
            Some("always") => anstream::ColorChoice::Always,
            Some("never") => anstream::ColorChoice::Never,
            _ => anstream::ColorChoice::Auto,
        },
    };
    choice.write_global();
}
