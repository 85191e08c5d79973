//! `cache`: the templates that databases are made from.

use std::time::SystemTime;

use clap::{Args, Subcommand};
use dbsetup::Result;
use dbsetup::driver::TemplateInfo;
use dbsetup::event::What;
use dbsetup::migration::Lanes;
use dbsetup::template::{self, Recipe, Warmed};

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
/// with the SQL seeds, which tests use.
#[derive(Debug, Clone, Args)]
pub struct Warm {}

/// Show the templates of each selected repo.
#[derive(Debug, Clone, Args)]
pub struct List {}

/// Remove the templates of each selected repo.
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

/// Returns the templates of a repo, and whether each is what its files are worth now. What nobody has said anything of is
/// everybody's.
async fn templates(task: &Task<'_, '_>) -> Result<Vec<(TemplateInfo, bool)>> {
    let server = task.session.server();
    let keys: Vec<_> = recipes(task)
        .into_iter()
        .filter_map(|recipe| template::key(task.repo, server, recipe).ok())
        .collect();
    let found = server.templates().await?;
    let database = &server.target().database;
    let is_ours = |info: &TemplateInfo| {
        info.note.as_ref().is_none_or(|note| {
            let is_of_repo = note.repo == task.repo.name.as_str() || note.repo.is_empty();
            is_of_repo && note.database.as_ref().is_none_or(|one| one == database)
        })
    };
    let found = found.into_iter().filter(is_ours);
    Ok(found
        .map(|info| (info.usable && keys.contains(&info.name), info))
        .map(|(now, info)| (info, now))
        .collect())
}

async fn warm(task: &mut Task<'_, '_>) -> Result<Output> {
    let mut plan = Vec::new();
    for recipe in recipes(task) {
        if task.options.dry_run {
            let name = template::key(task.repo, task.session.server(), recipe)?;
            if !templates(task).await?.iter().any(|(info, _)| info.usable && info.name == name) {
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
    let found = templates(task).await?;
    let text = match task.options.format {
        Some(Format::Json) => {
            found.iter().map(|(info, current)| json(task.repo.name.as_str(), info, *current).line()).collect()
        }
        _ => human(task.repo.name.as_str(), &found),
    };
    Ok(Output::Data { event: "", text })
}

fn json(repo: &str, info: &TemplateInfo, current: bool) -> Object {
    let seconds = |at: Option<SystemTime>| {
        at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
    };
    Object::new("template")
        .text("repo", repo)
        .text("template", info.name.as_str())
        .text("at", &info.shown)
        .number("bytes", info.bytes.unwrap_or_default())
        .number("migrations", info.note.as_ref().map_or(0, |note| note.migrations))
        .number("made", seconds(info.made))
        .number("used", seconds(info.used))
        .fact("current", current)
}

fn human(repo: &str, found: &[(TemplateInfo, bool)]) -> String {
    let mut out = format!("\nRepo: {}\n\n", text::line(repo));
    if found.is_empty() {
        return out + "  no templates\n";
    }
    let day = |at: Option<SystemTime>| {
        let at = at.and_then(|at| jiff::Timestamp::try_from(at).ok());
        at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
    };
    let mut table = Table::new(["Template", "Migrations", "Size", "Made", "Used", "Current"]);
    for (info, current) in found {
        let migrations =
            info.note.as_ref().map_or_else(|| "?".to_owned(), |note| note.migrations.to_string());
        let current = match (info.usable, current) {
            (false, _) => "no: of another release of the server",
            (true, true) => "yes",
            (true, false) => "no",
        };
        table.row([
            info.shown.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
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
            found.iter().filter(|(_, current)| *current).map(|(info, _)| info.name.clone()).collect();
        let all: Vec<TemplateInfo> = found.into_iter().map(|(info, _)| info).collect();
        let now = SystemTime::now();
        let goes =
            |info: &&TemplateInfo| !self.stale || template::is_stale(info, &all, task.repo, &current, now);
        let mut removed = 0;
        let mut plan = Vec::new();
        for info in all.iter().filter(goes) {
            if task.options.dry_run {
                plan.push(format!("remove the template {}", info.shown));
            } else {
                removed += usize::from(task.session.server().remove_template(info).await?);
            }
        }
        if !task.options.dry_run {
            task.session.teller().tell(What::TemplatesRemoved { count: removed });
        }
        Ok(Output::of(task.options.dry_run, plan))
    }
}
