//! What the documents promise is what the program does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::{Project, Sqlite};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("the document is there").replace("\r\n", "\n")
}

/// Returns the blocks of a language in a Markdown file.
fn blocks(path: &str, language: &str) -> Vec<String> {
    let text = document(path);
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

// --- README ---

#[test]
fn the_commands_of_the_readme_are_known_to_these_tests() {
    let commands: Vec<String> = blocks("README.md", "console")
        .iter()
        .flat_map(|block| {
            block.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        commands,
        [
            "cargo run -- setup --manifest-path examples/shop/Cargo.toml",
            "cargo install --path .",
            "./scripts/bench",
            "./scripts/test"
        ]
    );
    // The second one needs a package with a program at the root, the others a script.
    let manifest = document("Cargo.toml");
    assert!(
        manifest.contains("[package]\nname = \"cargo-dbsetup\"")
            && manifest.contains("[[bin]]\nname = \"cargo-dbsetup\"")
    );
    assert!(["scripts/test", "scripts/bench"].iter().all(|script| root().join(script).exists()));
}

/// Copies a checkout without what was built or made in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the copy can be made");
    for entry in std::fs::read_dir(from).expect("the example is there") {
        let entry = entry.expect("the example can be read");
        let (path, name) = (entry.path(), entry.file_name());
        let is_made = name == "target"
            || path.extension().is_some_and(|end| end == "db" || end == "db-wal" || end == "db-shm");
        if is_made {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).expect("the copy can be made");
        }
    }
}

#[test]
fn the_first_command_of_the_readme_works_and_works_again() {
    let project = Project::new();
    copy(&root().join("examples/shop"), &project.path("examples/shop"));
    let line = "setup --manifest-path examples/shop/Cargo.toml";
    let first = project.run(line);
    first
        .success()
        .stderr_contains("The database for catalog has been created")
        .stderr_contains("The database for billing has been created");
    let again = project.run(line);
    again
        .success()
        .stderr_contains("has already been created")
        .stderr_lacks("== Migrated")
        .stderr_lacks("has been seeded");
    project.run("status --check --lane all --manifest-path examples/shop/Cargo.toml").success();
}

#[test]
fn the_toml_of_the_documents_is_taken() {
    for path in ["README.md", "docs/configuration.md"] {
        let found = blocks(path, "toml");
        assert!(found.len() >= 2, "{path}");
        for block in found {
            let mut project = Project::new().member("crate");
            let has_workspace = block.contains("[workspace.metadata");
            project = if has_workspace {
                project.metadata(&block)
            } else {
                project.package_metadata("crate", &block)
            };
            if has_workspace && !block.contains(".repos.") {
                project = project.repo("core", Sqlite);
            }
            for line in ["config", "aliases", "config --env prod"] {
                let run = project
                    .command(line)
                    .env("CORE_DATABASE_URL", "postgres://localhost/core")
                    .env("ACCOUNTS_DATABASE_URL", "postgres://localhost/accounts")
                    .run();
                assert!(run.stderr.is_empty(), "{path}: {block}\n{run}");
                run.success();
            }
        }
    }
}

#[test]
fn every_file_that_a_document_links_to_is_there() {
    let mut paths: Vec<String> =
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md"].map(str::to_owned).to_vec();
    for directory in ["docs", "docs/guides"] {
        let entries = std::fs::read_dir(root().join(directory)).expect("it is there").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        paths.extend(names.filter(|name| name.ends_with(".md")).map(|name| format!("{directory}/{name}")));
    }
    assert!(paths.len() > 15, "{paths:?}");
    for path in &paths {
        let text = document(path);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap_or(link);
            let directory = Path::new(path).parent().unwrap_or(Path::new(""));
            assert!(root().join(directory).join(file).exists(), "{path} links to {link}");
        }
    }
}

// --- The picture ---

/// The repo of the picture.
#[cfg(unix)]
fn pictured() -> Project {
    Project::new()
        .repo("shop", Sqlite)
        .structure("shop", "create table customers (id integer primary key, name text not null);\n")
        .migration("shop", "20260218094500_create_orders", "create table orders (id integer primary key, customer_id integer not null references customers (id));\n")
        .migration("shop", "20260305140000_index_orders", "create index orders_customer_id on orders (customer_id);\n")
        .seed("shop", "insert into customers (name) values ('Ada'), ('Grace');\n")
}

/// Replaces durations by one that is always the same, and lays the table out anew.
#[cfg(unix)]
fn steady(shown: &str) -> String {
    let duration = regex::Regex::new(r"[0-9]+(\.[0-9]+)? (μs|ms|s)").expect("the pattern is constant");
    let seconds = regex::Regex::new(r"[0-9]+\.[0-9]s").expect("the pattern is constant");
    let steady = duration.replace_all(shown, "4 ms");
    let steady = seconds.replace_all(&steady, "0.0s");
    let is_row = |line: &str| line.starts_with("  repo ") || line.starts_with("  shop ");
    let lines = steady.lines().map(|line| {
        if !is_row(line) {
            return line.to_owned();
        }
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.fold(String::new(), |row, cell| format!("{row}  {cell:<7}")).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[cfg(unix)]
#[test]
fn the_picture_of_the_readme_is_a_real_run() {
    use snapbox::IntoData as _;
    let project = pictured();
    let mut text = String::new();
    for line in ["setup", "status"] {
        let mut terminal = project.terminal(line);
        terminal.expect(if line == "setup" { "  shop " } else { "index_orders" });
        // All is written before the program ends; what is shown to the very end is in `raw`.
        let raw = terminal.finish();
        text += &format!(
            "\u{1b}[1;32m$\u{1b}[0m \u{1b}[1mcargo dbsetup {line}\u{1b}[0m\n{}\n",
            steady(&raw.replace("\r\n", "\n"))
        );
    }
    let picture = anstyle_free(&text).into_data().coerce_to(snapbox::data::DataFormat::TermSvg);
    let path = root().join("docs/setup.svg");
    let expected = snapbox::Data::read_from(&path, Some(snapbox::data::DataFormat::TermSvg));
    // `SNAPSHOTS=overwrite` draws it anew.
    snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV).eq(picture, expected);
}

/// Leaves colours in and takes everything else out that a terminal obeys: cursor movements of bars, erased lines.
#[cfg(unix)]
fn anstyle_free(text: &str) -> String {
    let other = regex::Regex::new("\u{1b}\\[[0-9;?]*[A-Za-ln-z]|\r").expect("the pattern is constant");
    other.replace_all(text.trim_end(), "").into_owned()
}

// --- JSON ---

/// Returns the keys of every event in docs/json.md.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut events = BTreeMap::new();
    for line in document("docs/json.md").lines() {
        let Some(row) = line.strip_prefix("| `") else { continue };
        let Some((name, rest)) = row.split_once('`') else { continue };
        let keys = rest.rsplit_once("| ").map_or("", |_| rest.trim_matches(['|', ' ']));
        // The column that names commands has no keys.
        let keys = keys.rsplit(" | ").next().unwrap_or_default();
        let mut depth = 0_i32;
        let plain: String = keys
            .chars()
            .filter(|&c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            })
            .collect();
        events.insert(name.to_owned(), plain.split('`').skip(1).step_by(2).map(str::to_owned).collect());
    }
    events
}

/// Checks every line of a run and returns the names of its events.
#[track_caller]
fn checked(run: &crate::support::Run, documented: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    run.stdout
        .lines()
        .map(|line| {
            assert!(line.starts_with("{\"v\":1,\"event\":\""), "{line}\n{run}");
            let object: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{run}"));
            let object = object.as_object().unwrap_or_else(|| panic!("no object: {line}"));
            let name = object["event"].as_str().expect("it begins with a name").to_owned();
            let keys = documented.get(&name).unwrap_or_else(|| panic!("docs/json.md lacks `{name}`: {line}"));
            for key in object.keys().filter(|key| !["v", "event"].contains(&key.as_str())) {
                assert!(keys.contains(key), "docs/json.md lacks `{key}` of `{name}`: {line}");
            }
            name
        })
        .collect()
}

#[test]
fn every_object_is_as_documented() {
    let documented = documented();
    assert!(documented.len() > 30, "{documented:?}");
    let project = Project::new()
        .repo("core", Sqlite)
        .structure("core", "create table t (id integer);\n")
        .reversible("core", "1_a", "create table a (id integer);\n", "drop table a;\n")
        .migration("core", "2_b", "-- no-transaction\ncreate table b (id integer);\nselect 1;\n")
        .manual("core", "3_c", "-- requires: 2\ncreate table if not exists c (id integer);\n")
        .seed("core", "insert into a values (1);\n")
        .repo_config("core", "seed-command = \"true\"")
        .file("fix.sql", "select 1;\n");
    let mut seen = BTreeSet::new();
    for line in [
        "wait",
        "setup --dry-run",
        "setup",
        "setup",
        "status",
        "status --check",
        "dump --verify",
        "dump",
        "dump -d -",
        "dump --verify --exclude-table c",
        "dump",
        "dump --check --no-filters",
        "dump --no-filters",
        "rollback --step 1",
        "resolve 3 --not-applied",
        "migrate --lane manual --log-sql",
        "resolve --environment dev",
        "run fix.sql",
        "seed --if-new",
        "check --live",
        "doctor",
        "gen migration later",
        "config",
        "aliases",
        "load",
        "load --force --yes",
        "drop",
        "drop --yes",
        "drop --yes",
        "frobnicate",
        "migrate --lain",
    ] {
        seen.extend(checked(&project.run(&format!("{line} --format json")), &documented));
    }
    let squashed =
        Project::new().repo("core", Sqlite).migration("core", "1_a", "create table a (id integer);\n");
    for line in ["setup", "squash --allow-no-vcs", "squash --allow-no-vcs"] {
        seen.extend(checked(&squashed.run(&format!("{line} --format json")), &documented));
    }
    let baseline = Project::new().repo("core", Sqlite).repo_config("core", "ledger = \"sqlx\"").migration(
        "core",
        "1_a",
        "create table a (id integer);\n",
    );
    for line in ["setup", "squash --allow-no-vcs --as-migration", "status", "migrate"] {
        seen.extend(checked(&baseline.run(&format!("{line} --format json")), &documented));
    }
    for line in ["cache warm", "cache warm", "cache list", "setup", "cache clear"] {
        let cached = squashed.run(&format!("{line} --format json"));
        seen.extend(checked(&cached, &documented));
    }
    let one = "create table a (id integer);\n";
    let two =
        Project::new().repo("core", Sqlite).repo("shop", Sqlite).repo_config("core", "template = false");
    let two = two.migration("core", "1_a", one).migration("shop", "1_a", one);
    seen.extend(checked(&two.run("cache warm --format json"), &documented));
    // A repo that was renamed.
    two.run("setup --repo core").success();
    let renamed = two
        .command("migrate --repo shop --format json")
        .env("SHOP_DATABASE_URL", &crate::identity::url_of(&two, "core"));
    seen.extend(checked(&renamed.run(), &documented));
    for run in crate::git::runs_in_json() {
        seen.extend(checked(&run, &documented));
    }
    // Those that need another run, another server or bad luck.
    let rare = [
        "applied_by_other",
        "behind_floor",
        "check_skipped",
        "interrupted",
        "load_progress",
        "lock",
        "lock_waiting",
        "notice",
        "other",
        "retry",
        "squash_finished",
        "squash_given_up",
        "template_refused",
        "unreachable",
        "warning",
    ];
    let missing: Vec<&String> =
        documented.keys().filter(|name| !seen.contains(*name) && !rare.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "documented and never seen: {missing:?}");
}

#[test]
fn every_event_of_the_source_is_documented() {
    let documented = documented();
    let pattern = |words: &str| {
        regex::Regex::new(&format!(r#"(?:{words})[ \n]*"([a-z_]+)""#)).expect("the pattern is constant")
    };
    let (name, in_json) = (pattern(r"Object::new\(|event: "), pattern(r"object\("));
    let mut files: Vec<PathBuf> = vec![root().join("src"), root().join("crates/dbsetup-cli/src")];
    let mut found = BTreeSet::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(
                std::fs::read_dir(&path).expect("it can be read").flatten().map(|entry| entry.path()),
            );
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).expect("it can be read");
            // What stands in unit tests is no promise.
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            found.extend(name.captures_iter(text).map(|capture| capture[1].to_owned()));
            // The short form that two files have for themselves.
            if path.ends_with("ui/json.rs") || path.ends_with("diff/report.rs") {
                found.extend(in_json.captures_iter(text).map(|capture| capture[1].to_owned()));
            }
        }
    }
    assert!(found.len() > 30, "{found:?}");
    let lacking: Vec<&String> = found.iter().filter(|name| !documented.contains_key(*name)).collect();
    assert!(lacking.is_empty(), "docs/json.md lacks {lacking:?}");
    let invented: Vec<&String> = documented.keys().filter(|name| !found.contains(*name)).collect();
    assert!(invented.is_empty(), "docs/json.md tells of {invented:?}, which nothing writes");
}
