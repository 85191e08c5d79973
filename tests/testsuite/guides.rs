//! The guides of docs/guides: each is followed to the letter. Its files make a package, and that compiles; its command
//! lines are known; its TOML and YAML is well formed.
//!
//! The packages are one workspace below cargo's target directory, so that what they depend on is built once, and is
//! still there the next time. A registry that cannot be reached fails the test: what was not compiled is not proved.

mod blocks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blocks::Block;

use crate::support::{Project, Run, Running, Sqlite, is_full_run, postgres};

/// The crates of this checkout that guides name as published ones.
const OURS: [&str; 4] = ["dbsetup", "dbsetup-build", "dbsetup-cli", "dbsetup-macros"];

/// The versions of everything else, so that a release of somebody else's fails no test of ours. `DBSETUP_BLESS=1`
/// writes it anew.
const LOCK: &str = "tests/testsuite/guides/Cargo.lock";

struct Guide {
    name: String,
    blocks: Vec<Block>,
}

impl Guide {
    /// The name of its package, which no crate has that it may depend on.
    fn package(&self) -> String {
        format!("guide-{}", self.name)
    }

    /// Whether it has code.
    fn is_package(&self) -> bool {
        self.blocks.iter().any(|block| block.language == "rust")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guides() -> Vec<Guide> {
    let entries = std::fs::read_dir(root().join("docs/guides")).expect("the guides are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    paths.push(root().join("README.md"));
    paths.sort();
    let guides = paths.iter().map(|path| {
        let text = std::fs::read_to_string(path).expect("a guide can be read").replace("\r\n", "\n");
        let inside = path.strip_prefix(root().join("docs/guides")).unwrap_or(Path::new("front-page"));
        let name = inside.with_extension("").to_string_lossy().to_lowercase();
        Guide { name, blocks: blocks::blocks(&text) }
    });
    guides.collect()
}

// --- The packages ---

/// Writes a file unless it says the same already: cargo builds again what is newer.
fn write(path: &Path, text: &str) {
    if std::fs::read_to_string(path).is_ok_and(|present| present == text) {
        return;
    }
    std::fs::create_dir_all(path.parent().expect("a file has a directory")).expect("it can be written");
    std::fs::write(path, text).expect("it can be written");
}

/// Writes the workspace of all guides and returns its directory.
fn workspace(guides: &[&Guide]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    let directory = target.join("tests-guides").join("workspace");
    // A file that a guide does not have any more must not go on compiling.
    let keep = [directory.join("Cargo.toml"), directory.join("Cargo.lock")];
    let mut written: Vec<PathBuf> = keep.to_vec();
    let members: Vec<String> = guides.iter().map(|guide| format!("\"{}\"", guide.package())).collect();
    let mut manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n", members.join(", "));
    manifest += "[profile.dev]\ndebug = false\n\n[patch.crates-io]\n";
    for name in OURS {
        let path = root().join("crates").join(name);
        if path.join("Cargo.toml").exists() {
            manifest += &format!("{name} = {{ path = '{}' }}\n", path.display());
        }
    }
    write(&keep[0], &manifest);
    for guide in guides {
        let mut files = blocks::files(&guide.blocks);
        let package = format!(
            "[package]\nname = \"{}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n",
            guide.package()
        );
        files.entry(PathBuf::from("Cargo.toml")).or_default().insert_str(0, &package);
        for (path, text) in files {
            let path = directory.join(guide.package()).join(path);
            write(&path, &text);
            written.push(path);
        }
    }
    if let Ok(known) = std::fs::read_to_string(root().join(LOCK)) {
        write(&directory.join("Cargo.lock"), &known);
    }
    for entry in walkdir::WalkDir::new(&directory).into_iter().flatten() {
        if entry.file_type().is_file() && !written.iter().any(|path| path == entry.path()) {
            std::fs::remove_file(entry.path()).expect("what is stale can be removed");
        }
    }
    directory
}

/// Runs cargo among the packages, which find in `env` what a guide has its reader set.
fn cargo(directory: &Path, arguments: &[&str], env: &[(String, String)]) -> Run {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(directory);
    // What the packages are told is in their guides alone; flags of this run (coverage) would build everything anew.
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            name.ends_with("DATABASE_URL") || name.starts_with("CARGO_PKG_") || name.starts_with("DBSETUP_")
        });
        if is_ours || name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" {
            command.env_remove(name);
        }
    }
    command.env("CARGO_TARGET_DIR", directory.with_file_name("build")).env("CARGO_INCREMENTAL", "0");
    // Nothing is linked: diesel's bindings may think that PostgreSQL's client library is anywhere.
    if arguments.first() == Some(&"check") {
        command.env("PQ_LIB_DIR", directory);
    }
    command.envs(env.iter().map(|(name, value)| (name, value)));
    Running::spawn(command, format!("cargo {}", arguments.join(" ")), None, Duration::from_secs(1800)).wait()
}

/// Returns the packages that are built together: those that want the same of dbsetup, which could lend each other no
/// feature of it. In a full run each is alone, and can borrow none of any crate.
fn groups<'a>(packages: &[&'a Guide]) -> Vec<Vec<&'a Guide>> {
    let mut groups: BTreeMap<String, Vec<&Guide>> = BTreeMap::new();
    for guide in packages {
        let manifest = blocks::files(&guide.blocks).remove(Path::new("Cargo.toml")).unwrap_or_default();
        let wanted: String = manifest.lines().filter(|line| line.starts_with("dbsetup = ")).take(1).collect();
        assert!(!wanted.is_empty(), "{} does not depend on dbsetup", guide.name);
        let key = if is_full_run() { guide.name.clone() } else { wanted };
        groups.entry(key).or_default().push(guide);
    }
    groups.into_values().collect()
}

/// Whoever writes the packages or builds them has this: the tests of this binary run side by side.
static WORKSPACE: Mutex<()> = Mutex::new(());

#[test]
fn the_code_of_every_guide_compiles() {
    let _alone = WORKSPACE.lock().unwrap_or_else(PoisonError::into_inner);
    let guides = guides();
    let packages: Vec<&Guide> = guides.iter().filter(|guide| guide.is_package()).collect();
    assert!(packages.len() >= 5, "there are guides with code");
    for guide in &packages {
        for block in guide.blocks.iter().filter(|block| block.language == "rust") {
            assert!(block.file.is_some(), "{}.md:{}: a block of code names no file", guide.name, block.line);
        }
    }
    let directory = workspace(&packages);
    for group in groups(&packages) {
        let mut arguments = vec!["check", "--quiet", "--all-targets"];
        let names: Vec<String> = group.iter().map(|guide| guide.package()).collect();
        arguments.extend(names.iter().flat_map(|name| ["--package", name.as_str()]));
        let run = cargo(&directory, &arguments, &[]);
        run.success();
        assert!(!run.stderr.contains("warning"), "{run}");
    }
    if std::env::var_os("DBSETUP_BLESS").is_some() {
        std::fs::copy(directory.join("Cargo.lock"), root().join(LOCK)).expect("the lock file can be written");
    }
}

/// Links, and so is for a full run.
#[test]
fn the_tests_and_the_programs_of_the_guides_run() {
    if !is_full_run() {
        return;
    }
    let _alone = WORKSPACE.lock().unwrap_or_else(PoisonError::into_inner);
    let guides = guides();
    let packages: Vec<&Guide> = guides.iter().filter(|guide| guide.is_package()).collect();
    let directory = workspace(&packages);
    let device = ["--quiet", "--package", "guide-sqlite-on-a-device"];
    cargo(&directory, &[&["test"], &device[..]].concat(), &[]).success().stdout_contains("1 passed");
    let journal = directory.join("journal.db");
    _ = std::fs::remove_file(&journal);
    let run = cargo(&directory, &[&["run"], &device[..]].concat(), &[]);
    run.success().stdout_contains("the journal is up to date");
    cargo(&directory, &[&["run"], &device[..]].concat(), &[]).success().stdout_is("");

    let release = ["run", "--quiet", "--package", "guide-many-replicas", "--bin", "release", "--"];
    let mut lines: Vec<String> = guides.iter().flat_map(|guide| blocks::typed(&guide.blocks)).collect();
    lines.retain(|line| line.starts_with("release "));
    // Those of the templates of `gen dockerfile`.
    lines.extend(
        ["migrate --repo orders", "setup --create --repo orders"].map(|line| format!("release {line}")),
    );
    assert!(lines.len() > 4, "{lines:?}");
    for line in &lines {
        let words = line.split(' ').skip(1).chain(["--help"]);
        cargo(&directory, &release.iter().copied().chain(words).collect::<Vec<_>>(), &[]).success();
    }

    let Some(server) = postgres::server() else { return };
    let mut env = vec![("RUN_MIGRATIONS".to_owned(), "migrate".to_owned())];
    for (variable, name) in [("NOTES", "notes"), ("EVENTS", "events"), ("CORE", "core")] {
        env.push((format!("{variable}_DATABASE_URL"), server.url(name)));
    }
    for package in ["guide-axum-sqlx", "guide-tokio-postgres", "guide-front-page"] {
        let run = cargo(&directory, &["test", "--quiet", "--package", package], &env);
        run.success().stdout_contains("1 passed");
    }
    for (package, name) in [("guide-tokio-postgres", "events"), ("guide-front-page", "core")] {
        let line = ["run", "--quiet", "--package", package];
        cargo(&directory, &line, &env).code(1).stderr_contains("does not exist");
        server.database(name).create();
        cargo(&directory, &line, &env).success().stdout_contains("Migrated");
        cargo(&directory, &line, &env).success().stdout_contains("NothingToDo");
    }
}

// --- Everything else ---

#[test]
fn the_toml_and_yaml_of_every_guide_is_well_formed() {
    for guide in guides() {
        for block in &guide.blocks {
            let place = format!("{}.md:{}", guide.name, block.line);
            match block.language.as_str() {
                "toml" => {
                    toml::de::DeTable::parse(&block.text).unwrap_or_else(|error| panic!("{place}: {error}"));
                }
                "yaml" => {
                    yaml_rust2::YamlLoader::load_from_str(&block.text)
                        .unwrap_or_else(|error| panic!("{place}: {error}"));
                }
                "rust" | "sql" | "console" | "sh" | "text" | "dockerfile" => {}
                other => panic!("{place}: who reads `{other}`?"),
            }
        }
    }
}

/// Whether the program takes a command line. Help is asked for behind it: an argument that it does not know is told
/// before that, and nothing is done.
fn is_taken(project: &Project, line: &str) -> bool {
    let words = shell_words::split(line).expect("a guide's command line has its quotes in pairs");
    let aliases = ["setup", "reset", "migrate_all", "migrate_manual", "test"];
    let first = words.first().map(String::as_str).unwrap_or_default();
    // Every option of an alias is one that all commands have.
    let line = if aliases.contains(&first) { line.replacen(first, "create", 1) } else { line.to_owned() };
    project.run(&format!("{line} --help")).is_success()
}

#[test]
fn the_command_lines_of_every_guide_are_known() {
    let project = Project::new().repo("core", Sqlite);
    assert!(!is_taken(&project, "migrate --lain") && !is_taken(&project, "setup --lain"));
    assert!(is_taken(&project, "setup --env test"));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for guide in guides() {
        for line in blocks::typed(&guide.blocks) {
            if let Some(line) = line.strip_prefix("cargo dbsetup ") {
                assert!(is_taken(&project, line), "{}.md: cargo dbsetup {line}", guide.name);
                *seen.entry(guide.name.clone()).or_default() += 1;
            }
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
}
