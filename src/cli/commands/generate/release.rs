//! `gen release`: the program that makes databases ready inside a release, and what embeds their files.

use std::path::Path;

use clap::Args;
use dbsetup::{Error, Kind, Result};

use super::databases;
use super::programs::RELEASE;
use super::template::Template;
use super::{NewFile, make, shown};
use crate::cli::context::{Output, Selected};
use crate::ui::text;
use crate::workspace::{Member, ResolvedRepo};

/// The version of the crates that a manifest is to name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Make src/bin/release.rs: setup, migrate, rollback, status and more inside a release, without cargo and without files.
///
/// The selected repos go into one program. A build script is made for each crate that owns one of them; one that is
/// there already, and every Cargo.toml, stay as they are: what they need is printed, to be pasted.
#[derive(Debug, Clone, Args)]
pub struct Release {
    /// The package that gets the program; needed where repos of several are selected.
    #[arg(long, value_name = "PACKAGE")]
    into: Option<String>,
}

/// A repo that goes into the program.
struct Carried<'a> {
    name: String,
    /// The package that embeds its files.
    owner: &'a Member,
    /// Whether its database is on a server.
    server: bool,
}

/// What is to be made, and what a person has to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Made {
    /// Files to make.
    files: Vec<(std::path::PathBuf, String)>,
    /// What to paste where, and why.
    paste: Vec<(String, String)>,
}

impl Release {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let Some(workspace) = selected.workspace else { return Ok(Output::Done) };
        let home = self.home(&workspace.members, &selected.repos)?;
        let databases = databases::of(selected, workspace, "prod")?;
        let carried = selected.repos.iter().zip(databases).map(|(repo, database)| Carried {
            name: repo.name().as_str().to_owned(),
            // What no package owns goes into the one that gets the program.
            owner: owner(&workspace.members, repo).unwrap_or(home),
            server: database.server,
        });
        let carried: Vec<Carried<'_>> = carried.collect();
        let made = made(home, &carried, &|path| std::fs::read_to_string(path).ok());
        let new_file = |(path, content): (std::path::PathBuf, String)| NewFile {
            shown: shown(&path, workspace),
            path,
            content,
            repo: None,
        };
        let output = make(selected, made.files.into_iter().map(new_file).collect())?;
        for (why, snippet) in &made.paste {
            selected.ui.reason(&format!("\n{why}\n\n{}", snippet.trim_end()));
        }
        Ok(output)
    }

    /// Returns the package that gets the program.
    fn home<'a>(&self, members: &'a [Member], repos: &[&ResolvedRepo]) -> Result<&'a Member> {
        let wrong = |message: String| Error::new(Kind::Configuration, message);
        if let Some(into) = &self.into {
            return members.iter().find(|member| member.name == *into).ok_or_else(|| {
                wrong(format!("the workspace has no package `{}`", text::line(into)))
                    .help("see `cargo metadata --no-deps` for those that it has")
            });
        }
        let mut owners: Vec<&Member> = Vec::new();
        for owner in repos.iter().filter_map(|repo| owner(members, repo)) {
            if !owners.iter().any(|known| known.name == owner.name) {
                owners.push(owner);
            }
        }
        match (&owners[..], members) {
            ([one], _) => Ok(one),
            ([], [one]) => Ok(one),
            (several, _) => {
                let several = if several.is_empty() { members.iter().collect() } else { several.to_vec() };
                let names = text::listed(several.iter().map(|member| member.name.as_str()));
                Err(wrong("several packages could get the program".to_owned())
                    .note(format!("there is {names}"))
                    .help("name one: `--into PACKAGE`; or select repos: `--repo NAME`, `--package NAME`"))
            }
        }
    }
}

fn owner<'a>(members: &'a [Member], repo: &ResolvedRepo) -> Option<&'a Member> {
    members.iter().find(|member| Some(&member.name) == repo.package.as_ref())
}

/// Returns what makes the program. `read` returns what a file says that is there.
fn made(home: &Member, carried: &[Carried<'_>], read: &dyn Fn(&Path) -> Option<String>) -> Made {
    let mut made = Made::default();
    let is_here = |one: &&Carried<'_>| one.owner.name == home.name;
    let statics = carried.iter().filter(is_here).map(|one| embedded(&one.name, ""));
    let statics: Vec<String> = statics.collect();
    let repos = carried.iter().map(|one| {
        let place = if is_here(&one) { String::new() } else { format!("{}::", crate_name(&one.owner.name)) };
        format!(".repo(&{place}{})", constant(&one.name))
    });
    let names = text::listed(carried.iter().map(|one| one.name.as_str()));
    let template = Template::default()
        .value("names", names)
        .value("statics", statics.join("\n"))
        .value("repos", repos.collect::<Vec<_>>().join("\n"));
    let program = template.fill(include_str!("../../../../templates/release/release.rs"));
    // Without a repo of its own, nothing stands between the two blank lines.
    let program = program.replace("\n\n\n", "\n\n");
    made.files.push((home.dir.join(format!("src/bin/{RELEASE}.rs")), program));

    let mut owners: Vec<&Member> = Vec::new();
    for one in carried {
        if !owners.iter().any(|known| known.name == one.owner.name) {
            owners.push(one.owner);
        }
    }
    for owner in &owners {
        embed(owner, carried, read, &mut made);
    }
    for owner in owners.iter().filter(|owner| owner.name != home.name) {
        let of_it = carried.iter().filter(|one| one.owner.name == owner.name);
        let library: String = of_it.map(|one| embedded(&one.name, "pub ") + "\n").collect();
        made.paste.push((format!("Add this to src/lib.rs of `{}`:", owner.name), library));
    }
    manifests(home, &owners, carried, &mut made);
    made
}

/// The build script of a package.
fn embed(owner: &Member, carried: &[Carried<'_>], read: &dyn Fn(&Path) -> Option<String>, made: &mut Made) {
    let path = owner.dir.join("build.rs");
    let there = read(&path);
    let call = |one: &Carried<'_>| format!("dbsetup_build::embed(\"{}\");", one.name);
    let of_it = carried.iter().filter(|one| one.owner.name == owner.name).map(call);
    let missing: Vec<String> =
        of_it.filter(|call| !there.as_ref().is_some_and(|text| text.contains(call.as_str()))).collect();
    if there.is_none() {
        let template = Template::default().value("embed", missing.join("\n"));
        made.files.push((path, template.fill(include_str!("../../../../templates/release/build.rs"))));
    } else if !missing.is_empty() {
        let why =
            format!("`{}` has a build script, which stays as it is. Add this to its `main`:", owner.name);
        made.paste.push((why, missing.join("\n")));
    }
}

/// What the manifests lack.
fn manifests(home: &Member, owners: &[&Member], carried: &[Carried<'_>], made: &mut Made) {
    let mut packages = vec![home];
    packages.extend(owners.iter().filter(|owner| owner.name != home.name));
    for package in packages {
        let is_home = package.name == home.name;
        let mut features: Vec<&str> = Vec::new();
        let of_it = |one: &&Carried<'_>| is_home || one.owner.name == package.name;
        if carried.iter().filter(of_it).any(|one| one.server) {
            features.extend(["postgres", "tls-rustls"]);
        }
        if carried.iter().filter(of_it).any(|one| !one.server) {
            features.push("sqlite");
        }
        let features = features.iter().map(|feature| format!("\"{feature}\"")).collect::<Vec<_>>().join(", ");
        let lacks = |name: &str| !package.in_code.contains(name);
        let mut dependencies = String::new();
        for name in ["dbsetup", "dbsetup-cli"].into_iter().filter(|name| is_home || *name == "dbsetup") {
            if lacks(name) {
                dependencies += &format!("{name} = {{ version = \"{VERSION}\", features = [{features}] }}\n");
            }
        }
        if is_home {
            for other in owners.iter().filter(|other| other.name != home.name && lacks(&other.name)) {
                let path = relative(&home.dir, &other.dir);
                dependencies += &format!("{} = {{ path = \"{path}\" }}\n", other.name);
            }
        }
        let mut text = String::new();
        // `cargo run` would not know which of the two is meant.
        if let ([app], None, true) = (&package.binaries[..], &package.default_run, is_home)
            && app != RELEASE
        {
            text += &format!("[package]\ndefault-run = \"{app}\"\n\n");
        }
        if !dependencies.is_empty() {
            text += &format!("[dependencies]\n{dependencies}\n");
        }
        if !package.in_build.contains("dbsetup-build")
            && owners.iter().any(|owner| owner.name == package.name)
        {
            text += &format!("[build-dependencies]\ndbsetup-build = \"{VERSION}\"\n");
        }
        if !text.is_empty() {
            made.paste.push((format!("Add this to Cargo.toml of `{}`:", package.name), text));
        }
    }
}

/// The line that puts the files of a repo into the program.
fn embedded(repo: &str, visible: &str) -> String {
    format!("{visible}static {}: dbsetup::Embedded = dbsetup::embed!(\"{repo}\");", constant(repo))
}

/// What the files of a repo are called in a program.
fn constant(repo: &str) -> String {
    let name = repo.replace('-', "_").to_uppercase();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// What code calls a package.
fn crate_name(package: &str) -> String {
    package.replace('-', "_")
}

/// The way from one directory to another, with `/`.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::member_for_tests as member;

    fn made_of(home: &Member, repos: &[(&str, &Member, bool)], build: Option<&str>) -> Made {
        let carried: Vec<Carried<'_>> = repos
            .iter()
            .map(|&(name, owner, server)| Carried { name: name.to_owned(), owner, server })
            .collect();
        made(home, &carried, &|_| build.map(str::to_owned))
    }

    fn pasted<'m>(made: &'m Made, into: &str) -> &'m str {
        let found = made.paste.iter().find(|(why, _)| why.contains(into));
        &found.unwrap_or_else(|| panic!("nothing for {into}: {:?}", made.paste)).1
    }

    #[test]
    fn a_crate_with_its_own_repos_gets_a_program_and_a_build_script() {
        let shop = member("shop", "/w/shop", &["sqlx"], &["shop"]);
        let made = made_of(&shop, &[("core", &shop, true), ("audit-log", &shop, false)], None);
        let (path, program) = &made.files[0];
        assert_eq!(path, Path::new("/w/shop/src/bin/release.rs"));
        assert!(
            program.contains("static CORE: dbsetup::Embedded = dbsetup::embed!(\"core\");\n"),
            "{program}"
        );
        assert!(
            program.contains("        .repo(&CORE)\n        .repo(&AUDIT_LOG)\n        .main()"),
            "{program}"
        );
        let (path, script) = &made.files[1];
        assert_eq!(path, Path::new("/w/shop/build.rs"));
        assert_eq!(
            script,
            "fn main() {\n    dbsetup_build::embed(\"core\");\n    dbsetup_build::embed(\"audit-log\");\n}\n"
        );
        let manifest = pasted(&made, "Cargo.toml of `shop`");
        assert!(manifest.starts_with("[package]\ndefault-run = \"shop\"\n"), "{manifest}");
        assert!(manifest.contains("features = [\"postgres\", \"tls-rustls\", \"sqlite\"]"), "{manifest}");
        assert!(manifest.contains("[build-dependencies]\ndbsetup-build"), "{manifest}");
    }

    #[test]
    fn a_build_script_that_is_there_stays_and_its_line_is_told_once() {
        let shop = member("shop", "/w/shop", &["dbsetup", "dbsetup-cli", "dbsetup-build"], &[]);
        let made = made_of(&shop, &[("core", &shop, true)], Some("fn main() { other(); }"));
        assert_eq!(made.files.len(), 1);
        assert_eq!(pasted(&made, "build script"), "dbsetup_build::embed(\"core\");");
        let made = made_of(&shop, &[("core", &shop, true)], Some("{ dbsetup_build::embed(\"core\"); }"));
        assert_eq!(made.paste, []);
    }

    #[test]
    fn what_tests_and_build_scripts_depend_on_is_not_there_for_the_code() {
        let mut shop = member("shop", "/w/shop", &["dbsetup", "dbsetup-cli", "dbsetup-build"], &[]);
        shop.in_code = ["dbsetup-build".to_owned()].into();
        shop.in_build = ["dbsetup".to_owned()].into();
        let made = made_of(&shop, &[("core", &shop, true)], None);
        let manifest = pasted(&made, "Cargo.toml of `shop`");
        for line in ["dbsetup = {", "dbsetup-cli = {", "[build-dependencies]\ndbsetup-build"] {
            assert!(manifest.contains(line), "{manifest}");
        }
    }

    #[test]
    fn repos_of_several_crates_go_into_one_program() {
        let shop = member("shop", "/w/shop", &["sqlx"], &["release", "shop"]);
        let data = member("shop-data", "/w/crates/data", &["sqlx"], &[]);
        let made = made_of(&shop, &[("data", &data, true)], None);
        assert!(made.files[0].1.contains(".repo(&shop_data::DATA)"), "{}", made.files[0].1);
        assert!(!made.files[0].1.contains("static "), "{}", made.files[0].1);
        assert_eq!(made.files[1].0, Path::new("/w/crates/data/build.rs"));
        assert!(pasted(&made, "src/lib.rs of `shop-data`").starts_with("pub static DATA: dbsetup::Embedded"));
        let manifest = pasted(&made, "Cargo.toml of `shop`");
        assert!(manifest.contains("shop-data = { path = \"../crates/data\" }"), "{manifest}");
        assert!(!manifest.contains("build-dependencies") && !manifest.contains("default-run"), "{manifest}");
        assert!(!pasted(&made, "Cargo.toml of `shop-data`").contains("dbsetup-cli"));
    }
}
