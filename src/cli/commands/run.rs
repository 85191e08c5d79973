//! `run`

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use dbsetup::{Error, Kind, Result, seed};

use super::shared::Several;
use crate::cli::context::{Output, Task};

/// Run one SQL file, with the same errors and guards as migrations.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// The file, relative to the current directory; `-` is the standard input.
    #[arg(value_name = "FILE.sql")]
    file: PathBuf,

    #[command(flatten)]
    several: Several,
}

impl Run {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("run"))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        if self.file.as_os_str() == "-" {
            return run_input(task).await;
        }
        let file = std::path::absolute(&self.file).map_err(|error| Error::io("find", &self.file, error))?;
        if !file.is_file() {
            let message = match file.is_dir() {
                true => format!("`{}` is a directory", self.file.display()),
                false => format!("there is no file `{}`", self.file.display()),
            };
            return Err(Error::new(Kind::Missing, message));
        }
        if task.options.dry_run {
            return Ok(Output::Plan(vec![format!("run {}", task.repo.shown(&file).display())]));
        }
        seed::run_file(task.session, &file).await?;
        Ok(Output::Done)
    }
}

/// What the standard input is called.
const INPUT: &str = "<stdin>";

/// Runs what comes over the standard input. A file is read several times, so it becomes one.
async fn run_input(task: &mut Task<'_, '_>) -> Result<Output> {
    let shown = Path::new(INPUT);
    if task.options.dry_run {
        return Ok(Output::Plan(vec![format!("run {INPUT}")]));
    }
    let spool = Spool::of_input().map_err(|error| Error::io("read", shown, error))?;
    seed::run_file_as(task.session, &spool.0, shown).await?;
    Ok(Output::Done)
}

/// A file that goes away with this. Nobody else can read it.
struct Spool(PathBuf);

/// The standard input, once it is read: several repos run the same.
static TEXT: Mutex<Option<Vec<u8>>> = Mutex::new(None);

impl Spool {
    fn of_input() -> io::Result<Self> {
        let mut text = TEXT.lock().expect("nobody panics while holding it");
        if text.is_none() {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::stdin().lock(), &mut bytes)?;
            *text = Some(bytes);
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        for number in 0.. {
            let name = format!("dbsetup-stdin-{}-{number}.sql", std::process::id());
            let path = std::env::temp_dir().join(name);
            match options.open(&path) {
                Ok(mut file) => {
                    let spool = Self(path);
                    io::Write::write_all(&mut file, text.as_deref().unwrap_or_default())?;
                    return Ok(spool);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {}
                Err(error) => return Err(error),
            }
        }
        unreachable!("the last attempt returns")
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What cannot be removed is private, and in a directory that the system clears.
        let _ = fs::remove_file(&self.0);
    }
}
