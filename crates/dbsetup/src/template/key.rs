//! What a template is made of, as a name.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Recipe;
use crate::driver::{Server, TemplateName};
use crate::error::{Error, Result};
use crate::files::{EntryKind, Files};
use crate::migration::Lanes;
use crate::record;
use crate::repo::{Lane, Repo};
use crate::seed;
use crate::structure::floor::Floor;

/// How often the rules of this module have changed what a name means.
const EDITION: &str = "2";
/// What makes a script's effect depend on the name of the database that it runs in.
const NAME_OF_DATABASE: [&[u8]; 2] = [b"current_database", b"current_catalog"];

/// Everything that goes into a name, each piece with its length, so that no two lists read alike.
struct Pieces {
    digest: Sha256,
    /// Whether a script asks for the name of its database.
    asks_for_name: bool,
}

impl Pieces {
    fn add(&mut self, what: &str, value: &[u8]) {
        for piece in [what.as_bytes(), value] {
            self.digest.update((piece.len() as u64).to_le_bytes());
            self.digest.update(piece);
        }
    }

    fn text(&mut self, what: &str, value: impl AsRef<str>) {
        self.add(what, value.as_ref().as_bytes());
    }

    fn list<'t>(&mut self, what: &str, values: impl IntoIterator<Item = &'t str>) {
        values.into_iter().for_each(|value| self.text(what, value));
        self.text(what, "");
    }

    fn file(&mut self, what: &str, name: &Path, content: &[u8]) {
        self.text(what, name.to_string_lossy().replace('\\', "/"));
        self.add("content", content);
        self.asks_for_name |= NAME_OF_DATABASE.iter().any(|word| holds(content, word));
    }
}

/// Whether a text holds a lower-case word, in whatever case.
fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// Returns the name of the template that is made from a repo's files as they are now.
///
/// | in it | because |
/// |---|---|
/// | structure file, floor, every file of the lanes, seeds where they are asked for | that is what runs |
/// | ledger, schemas, role, options of `create` | they say what it makes and where |
/// | versions of migrations that are code, and the program | nothing tells what a function does |
/// | user, search path and settings of the URL | who makes an object owns it, and where it lands is the search path's to say; a template belongs to who made it |
/// | what is done about older migrations | one that is refused must not be there already |
/// | repo and environment | the database records its environment, and seeds are that environment's |
/// | release of this crate and its formats | another one may do it otherwise |
/// | the database's name; where seeds are part of it (tests) only if a script asks for the name | each has its own template; a copy may hold the name of the original |
///
/// What is in the archive is not: a database that needed it is not kept. The driver adds the server's release.
///
/// # Errors
/// [`crate::Kind::Io`] for a file that cannot be read.
pub fn key(repo: &Repo, server: &dyn Server, recipe: Recipe) -> Result<TemplateName> {
    named(repo, server, recipe).map(|named| named.name)
}

/// A name, and what it says of the files.
pub(super) struct Named {
    pub name: TemplateName,
    /// Whether a script asks for the name of its database, so that only a database of that name is the same.
    pub asks_for_name: bool,
}

/// The same as [`key`], with what else was seen.
pub(super) fn named(repo: &Repo, server: &dyn Server, recipe: Recipe) -> Result<Named> {
    named_for(repo, &Destination::of(server), recipe)
}

/// What a name takes from the server: what is known of it without asking.
pub(super) struct Destination {
    session: Vec<(String, String)>,
    database: String,
}

impl Destination {
    pub fn of(server: &dyn Server) -> Self {
        Self { session: server.session_of_url(), database: server.target().database.clone() }
    }
}

/// The same as [`named`], for a thread of its own.
pub(super) fn named_for(repo: &Repo, destination: &Destination, recipe: Recipe) -> Result<Named> {
    let mut pieces = Pieces { digest: Sha256::new(), asks_for_name: false };
    pieces.list("edition", [EDITION, record::FORMAT, env!("CARGO_PKG_VERSION")]);
    pieces.text("repo", repo.name.as_str());
    pieces.text("environment", &repo.environment);
    pieces.text("recipe", format!("{recipe:?}"));
    pieces.text("ledger", format!("{:?} {:?}", repo.ledger, repo.layout_ledger));
    pieces.list("schemas", repo.schemas.iter().map(String::as_str));
    pieces.list("role", repo.role.as_deref());
    pieces.text("create", format!("{:?}", repo.create));
    pieces.text("order", format!("{:?}", repo.version_order));
    for (name, value) in &destination.session {
        pieces.list("session", [name.as_str(), value]);
    }
    let single = [repo.structure.clone(), Floor::path(&repo.structure)];
    for path in single.iter().filter(|path| repo.files.is_file(path)) {
        let name = path.file_name().map(Path::new).unwrap_or(path);
        add_file(&mut pieces, repo, "structure", name, path)?;
    }
    let mut lanes = vec![(Lane::Automatic, &repo.migrations)];
    if recipe.lanes != Lanes::Automatic {
        lanes.push((Lane::Manual, &repo.manual_migrations));
    }
    for (lane, directories) in lanes {
        for directory in directories {
            // The ledger tells the directory's name. Where the checkout is tells nothing.
            let base = directory.parent().unwrap_or(directory);
            for path in below(repo.files, directory)
                .map_err(|error| Error::io("read the directory", &repo.shown(directory), error))?
            {
                let name = path.strip_prefix(base).unwrap_or(&path);
                add_file(&mut pieces, repo, lane.as_str(), name, &path)?;
            }
        }
    }
    if recipe.seeds {
        for path in seed::files(repo)? {
            let name = path.strip_prefix(&repo.priv_dir).unwrap_or(&path);
            add_file(&mut pieces, repo, "seed", name, &path)?;
        }
    }
    for code in &repo.code {
        pieces.list("code", [code.version(), code.name(), &program()]);
    }
    if pieces.asks_for_name || !recipe.seeds {
        pieces.text("database", &destination.database);
    }
    let digest: String = pieces.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let name = TemplateName::new(&digest).expect("a digest is long and hexadecimal");
    Ok(Named { name, asks_for_name: pieces.asks_for_name })
}

fn add_file(pieces: &mut Pieces, repo: &Repo, what: &str, name: &Path, path: &Path) -> Result<()> {
    let content = repo.files.read(path).map_err(|error| Error::io("read", &repo.shown(path), error))?;
    pieces.file(what, name, &content);
    Ok(())
}

/// Returns every file below a directory, sorted; a directory that is missing has none. Links are followed, each place
/// once.
fn below(files: Files, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        if !files.is_dir(&directory) {
            continue;
        }
        // There are no links in a binary.
        let real = if files.is_embedded() { directory.clone() } else { directory.canonicalize()? };
        if !seen.insert(real) {
            continue;
        }
        for entry in files.list(&directory)? {
            let path = directory.join(&entry.name);
            match entry.kind {
                EntryKind::File => found.push(path),
                EntryKind::Directory => open.push(path),
                EntryKind::Link if files.is_dir(&path) => open.push(path),
                EntryKind::Link if files.is_file(&path) => found.push(path),
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What changes when the program changes whose functions are migrations: nothing tells what a function does.
fn program() -> String {
    let about = std::env::current_exe().and_then(std::fs::metadata);
    about.map_or_else(
        |error| error.to_string(),
        |about| format!("{} {:?}", about.len(), about.modified().ok()),
    )
}
