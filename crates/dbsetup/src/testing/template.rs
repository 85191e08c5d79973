//! The database that the tests' own are copies of: what it is called, and how it is filled.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::event::Silent;
use crate::migration::{self, Lanes, MigrateRequest};
use crate::repo::Repo;
use crate::seed::{self, SeedRequest};
use crate::session::Session;
use crate::source::Source;

/// Changes when what fills a template changes.
const FORMAT: &str = "1";

/// Returns the name of the template for a repo's files on a server. Other files, another name.
///
/// # Errors
/// [`crate::Kind::Io`].
pub(super) fn name(source: &Source, repo: &Repo, engine: &str) -> Result<String> {
    let mut sum = Sha256::new();
    let mut add = |what: &[u8]| {
        sum.update(u64::try_from(what.len()).unwrap_or(u64::MAX).to_le_bytes());
        sum.update(what);
    };
    for text in [FORMAT, env!("CARGO_PKG_VERSION"), engine, repo.name.as_str()] {
        add(text.as_bytes());
    }
    add(format!("{:?}", (&repo.layout_ledger, &repo.ledger, &repo.create, &repo.role, &repo.schemas)).as_bytes());
    if let Some(embedded) = source.as_embedded() {
        add(embedded.digest.as_bytes());
    } else {
        let mut files = vec![repo.structure.clone()];
        for directory in repo.migrations.iter().chain(&repo.manual_migrations) {
            collect(directory, &mut files);
        }
        files.extend(seed::files(repo)?);
        for file in files.iter().filter(|file| file.is_file()) {
            let shown = repo.shown(file);
            add(shown.to_string_lossy().as_bytes());
            let content = std::fs::read(file).map_err(|error| Error::io("read", &shown, error))?;
            add(&content);
        }
    }
    let mut name = String::from("dbsetup_template_");
    for byte in &sum.finalize()[..16] {
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// Adds the files below a directory, in order.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    for path in found {
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

/// Fills an empty database: structure, both lanes, seeds. Nobody is connected when it returns.
///
/// # Errors
/// Those of the files and of the database.
pub(super) async fn fill(repo: &Repo) -> Result<()> {
    let mut session = Session::new(repo, &Silent, "test")?;
    // A crash loses nothing that is not made again.
    session.created_now().await;
    let result = work(&mut session).await;
    session.close().await;
    result
}

async fn work(session: &mut Session<'_>) -> Result<()> {
    let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
    migration::migrate(session, &request).await?;
    seed::seed(session, &SeedRequest::default()).await?;
    Ok(())
}
