//! `cache`: the templates that databases are made from.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use dbsetup::driver::{TemplateInfo, TemplateNote};
use dbsetup::event::What;
use dbsetup::migration::Lanes;
use dbsetup::repo::Repo;
use dbsetup::template::{self, Recipe, Warmed};
use dbsetup::{Error, Kind, Result};

use crate::cli::args::Format;
use crate::cli::context::{Output, Task};
use crate::ui::human::size;
use crate::ui::json::Object;
use crate::ui::table::Table;
use crate::ui::text;

/// Look after the templates that `setup`, `reset` and tests copy databases from.
///
/// A template is made of the structure, the migrations and what else shapes a database, and is used as long as none of that
/// changes. Nothing is lost with one: it is made again when it is wanted.
#[derive(Debug, Clone, Subcommand)]
pub enum Cache {
    Warm(Warm),
    List(List),
    Clear(Clear),
}

/// Make the template of each selected repo now, unless it is there.
///
/// It is made in a database of its own: that of the repo is not touched, and need not be there. With `--env test` also that
/// with the SQL seeds, which tests use. A repo with `template = false` is passed over; where no other is selected that is
/// an error.
#[derive(Debug, Clone, Args)]
pub struct Warm {}

/// Show the templates of each selected repo.
#[derive(Debug, Clone, Args)]
pub struct List {}

/// Remove the templates of each selected repo.
///
/// Templates of tests serve every checkout with the same files. What would serve this one goes, whoever made it; of the
/// others those stay that another checkout has made, and those that this one made before it was moved. `--stale` takes
/// them in their time.
#[derive(Debug, Clone, Args)]
pub struct Clear {
    /// Only those that nothing has been made from for two weeks, and those of another release of the server.
    #[arg(long)]
    stale: bool,
}

impl Cache {
    pub fn name(&self) -> &'static str {
        "cache"
    }

    pub fn is_summed_up(&self) -> bool {
        !matches!(self, Self::List(_))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        match self {
            Self::Warm(_) => warm(task).await,
            Self::List(_) => list(task).await,
            Self::Clear(command) => command.run(task).await,
        }
    }
}

/// What a repo's databases are made by in its environment.
fn recipes(task: &Task<'_, '_>) -> Vec<Recipe> {
    let setup = Recipe { lanes: Lanes::All, seeds: false };
    let tests = Recipe { lanes: Lanes::All, seeds: true };
    if task.repo.environment == "test" { vec![setup, tests] } else { vec![setup] }
}

/// A template, and what it is to this repo.
struct Found {
    info: TemplateInfo,
    /// Whether it is what the files are worth now.
    current: bool,
    /// Whether it is said to be of other files than those of this checkout.
    elsewhere: bool,
}

impl Found {
    /// The environment of the databases that it serves: what serves any name is for tests.
    fn environment<'e>(&self, of_run: &'e str) -> &'e str {
        match &self.info.note {
            Some(note) if note.database.is_none() => "test",
            _ => of_run,
        }
    }

    /// Whether nobody knows which project's tests it is for.
    fn is_anybodys(&self) -> bool {
        self.info.note.as_ref().is_none_or(|note| note.database.is_none() && note.home.is_none())
    }
}

/// Returns the templates that go by the name of the repo. What nobody has said anything of is everybody's.
async fn templates(task: &Task<'_, '_>) -> Result<Vec<Found>> {
    let server = task.session.server();
    let keys: Vec<_> = recipes(task)
        .into_iter()
        .filter_map(|recipe| template::key(task.repo, server, recipe).ok())
        .collect();
    let found = server.templates().await?;
    let (database, home) = (&server.target().database, template::home(task.repo));
    let is_ours = |info: &TemplateInfo| {
        info.note.as_ref().is_none_or(|note| {
            let is_of_repo = note.repo == task.repo.name.as_str() || note.repo.is_empty();
            is_of_repo && note.database.as_ref().is_none_or(|one| one == database)
        })
    };
    let weighed = found.into_iter().filter(is_ours).map(|info| {
        let current = info.usable && keys.contains(&info.name);
        // A database of one name is that name's, whichever checkout made it.
        let other = |note: &TemplateNote| note.database.is_none() && note.home.is_some() && note.home != home;
        let elsewhere = !current && info.note.as_ref().is_some_and(other);
        Found { info, current, elsewhere }
    });
    Ok(weighed.collect())
}

/// Why no template is made of a repo; `None` where one may be.
fn why_not(repo: &Repo) -> Option<String> {
    if template::is_allowed(repo) {
        None
    } else if repo.disposable {
        Some("`template = false`".to_owned())
    } else {
        Some(format!("the environment `{}` is protected", repo.environment))
    }
}

async fn warm(task: &mut Task<'_, '_>) -> Result<Output> {
    let mut plan = Vec::new();
    if let Some(reason) = why_not(task.repo) {
        // A run that has nothing else to do says so with its exit code.
        if task.peers.iter().all(|repo| why_not(repo).is_some()) {
            let message = format!("no template of `{}` is made: {reason}", task.repo.name);
            return Err(Error::new(Kind::Refused, message));
        }
        task.session.teller().tell(What::TemplateSkipped { reason });
        return Ok(Output::of(task.options.dry_run, plan));
    }
    for recipe in recipes(task) {
        if task.options.dry_run {
            let name = template::key(task.repo, task.session.server(), recipe)?;
            if !task.session.server().templates().await?.iter().any(|info| info.usable && info.name == name) {
                plan.push(format!("make the template {name}"));
            }
            continue;
        }
        let warmed = template::warm(task.session, recipe).await?;
        task.session.teller().tell(match warmed {
            Warmed::Made { name, took } => What::TemplateKept { template: name.to_string(), took },
            Warmed::There { name } => What::TemplateThere { template: name.to_string() },
        });
    }
    Ok(Output::of(task.options.dry_run, plan))
}

async fn list(task: &mut Task<'_, '_>) -> Result<Output> {
    let mut found = templates(task).await?;
    found.retain(|found| !found.elsewhere);
    let text = match task.options.format {
        Some(Format::Json) => found.iter().map(|found| json(task.repo, found).line()).collect(),
        _ => human(task.repo, &found),
    };
    Ok(Output::Data { event: "", text })
}

fn json(repo: &Repo, found: &Found) -> Object {
    let info = &found.info;
    let seconds = |at: Option<SystemTime>| {
        at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
    };
    Object::new("template")
        .text("repo", repo.name.as_str())
        .text("environment", found.environment(&repo.environment))
        .text("template", info.name.as_str())
        .text("at", &info.shown)
        .number("bytes", info.bytes.unwrap_or_default())
        .number("migrations", info.note.as_ref().map_or(0, |note| note.migrations))
        .number("made", seconds(info.made))
        .number("used", seconds(info.used))
        .fact("current", found.current)
}

fn human(repo: &Repo, found: &[Found]) -> String {
    let mut out = format!("\nRepo: {}\n\n", text::line(repo.name.as_str()));
    if found.is_empty() {
        return out + "  no templates\n";
    }
    let day = |at: Option<SystemTime>| {
        let at = at.and_then(|at| jiff::Timestamp::try_from(at).ok());
        at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
    };
    let mut table = Table::new(["Template", "Environment", "Migrations", "Size", "Made", "Used", "Current"]);
    for found in found {
        let info = &found.info;
        let migrations =
            info.note.as_ref().map_or_else(|| "?".to_owned(), |note| note.migrations.to_string());
        let current = match (info.usable, found.current) {
            (false, _) => "no: of another release of the server",
            (true, true) => "yes",
            (true, false) => "no",
        };
        table.row([
            info.shown.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
            found.environment(&repo.environment).to_owned(),
            migrations,
            info.bytes.map_or_else(|| "?".to_owned(), size),
            day(info.made),
            day(info.used),
            current.to_owned(),
        ]);
    }
    out += &table.to_string();
    out
}

impl Clear {
    async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let found = templates(task).await?;
        let current: Vec<_> =
            found.iter().filter(|found| found.current).map(|found| found.info.name.clone()).collect();
        let all: Vec<TemplateInfo> = found.iter().map(|found| found.info.clone()).collect();
        let now = SystemTime::now();
        // What is stale goes wherever its checkout was: that may be gone, too.
        let goes = |found: &&Found| {
            if self.stale {
                template::is_stale(&found.info, &all, task.repo, &current, now)
            } else {
                !found.elsewhere
            }
        };
        let mut removed = 0;
        let mut plan = Vec::new();
        for found in found.iter().filter(goes) {
            let Found { info, .. } = found;
            let is_anybodys = found.is_anybodys();
            if task.options.dry_run {
                let whose = if is_anybodys { ", which may be another project's" } else { "" };
                plan.push(format!("remove the template {}{whose}", info.shown));
            } else {
                removed += usize::from(task.session.server().remove_template(info).await?);
                if is_anybodys {
                    let text = format!("`{}` did not say whose tests it was for", info.shown);
                    let help =
                        "another project with a repo of this name makes its own again when it needs one";
                    task.session.teller().warn(text, Some(help.to_owned()));
                }
            }
        }
        if !task.options.dry_run {
            task.session.teller().tell(What::TemplatesRemoved { count: removed });
        }
        Ok(Output::of(task.options.dry_run, plan))
    }
}
