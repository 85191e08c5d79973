//! Which programs an image holds, and which Rust builds them.

use std::path::Path;

use dbsetup::{Error, Kind, Result};
use toml::de::DeTable;

use crate::ui::text;
use crate::workspace::{Member, Native, nearest};

/// The name of the program that `gen release` makes.
pub const RELEASE: &str = "release";

/// The programs of an image.
pub struct Programs<'a> {
    /// The application's.
    pub app: String,
    /// The package that it belongs to.
    pub package: &'a Member,
    /// The package of the release binary, where that is another one.
    pub release_package: Option<&'a str>,
    /// Whether there is a release binary yet.
    pub has_release: bool,
    /// The packages that are built for them: theirs, and the members that those depend on.
    built: Vec<&'a Member>,
}

impl<'a> Programs<'a> {
    /// Finds them; `named` is the application's where a person says so.
    ///
    /// # Errors
    /// [`Kind::Configuration`] where the workspace has no program for it, or several.
    pub fn find(members: &'a [Member], named: Option<&str>) -> Result<Self> {
        let all = || members.iter().flat_map(|member| member.binaries.iter().map(move |name| (member, name)));
        let release = all().find(|(_, name)| *name == RELEASE).map(|(member, _)| member);
        let apps: Vec<(&Member, &String)> = all().filter(|(_, name)| *name != RELEASE).collect();
        let names = || apps.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>();
        let found = match named {
            Some(named) => {
                let found = apps.iter().find(|(_, name)| *name == named);
                found.copied().ok_or_else(|| unknown(named, &names()))?
            }
            None => {
                // Beside the release binary, then anywhere: the one that `cargo run` means, or the only one.
                let beside: Vec<_> = apps
                    .iter()
                    .copied()
                    .filter(|(member, _)| Some(&member.name) == release.map(|r| &r.name))
                    .collect();
                let usual = |list: &[(&'a Member, &'a String)]| match list {
                    [one] => Some(*one),
                    _ => {
                        let mut meant =
                            list.iter().filter(|(member, name)| member.default_run.as_ref() == Some(*name));
                        meant.next().copied().filter(|_| meant.next().is_none())
                    }
                };
                usual(&beside).or_else(|| usual(&apps)).ok_or_else(|| undecided(&names()))?
            }
        };
        let (package, app) = found;
        Ok(Self {
            app: app.clone(),
            package,
            release_package: release.map(|member| member.name.as_str()).filter(|name| *name != package.name),
            has_release: release.is_some(),
            built: built(members, [Some(package), release]),
        })
    }

    /// Whether they want PostgreSQL's client library.
    pub fn link_libpq(&self) -> bool {
        let any = |holds: fn(&Native) -> bool| self.built.iter().any(|member| holds(&member.native));
        any(|native| native.libpq) && !any(|native| native.own_libpq)
    }

    /// Whether they are linked with OpenSSL.
    pub fn link_openssl(&self) -> bool {
        let any = |holds: fn(&Native) -> bool| self.built.iter().any(|member| holds(&member.native));
        any(|native| native.openssl) && !any(|native| native.own_openssl)
    }

    /// Returns the arguments that have cargo build both.
    pub fn selection(&self) -> String {
        let mut packages = format!("--package {}", self.package.name);
        if let Some(other) = self.release_package {
            packages += &format!(" --package {other}");
        }
        format!("{packages} --bin {} --bin {RELEASE}", self.app)
    }
}

/// Returns the members that cargo builds for these.
fn built<'a>(members: &'a [Member], first: impl IntoIterator<Item = Option<&'a Member>>) -> Vec<&'a Member> {
    let mut built: Vec<&Member> = Vec::new();
    let mut open: Vec<&Member> = first.into_iter().flatten().collect();
    while let Some(member) = open.pop() {
        if built.iter().any(|known| known.name == member.name) {
            continue;
        }
        built.push(member);
        open.extend(members.iter().filter(|other| member.local.contains(&other.name)));
    }
    built
}

fn unknown(named: &str, names: &[&str]) -> Error {
    let error = Error::new(
        Kind::Configuration,
        format!("no package of the workspace has a program `{}`", text::line(named)),
    );
    match nearest(named, names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("there is {}", listed(names))),
    }
}

fn undecided(names: &[&str]) -> Error {
    if names.is_empty() {
        return Error::new(Kind::Configuration, "the workspace has no program to put into an image")
            .help("add a `src/main.rs`, and run it again");
    }
    Error::new(Kind::Configuration, "several programs could be the application")
        .note(format!("there is {}", listed(names)))
        .help(format!("name it: `--bin {}`", names[0]))
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The Rust of an image.
#[derive(Debug, PartialEq, Eq)]
pub struct Rust {
    /// The tag: `1.94`.
    pub tag: String,
    /// Whether the toolchain file of the workspace would only have rustup download the same once more.
    pub is_of_image: bool,
}

impl Rust {
    /// Returns the one that the workspace asks for.
    ///
    /// # Errors
    /// [`Kind::Io`] for a toolchain file that cannot be read.
    pub fn of(root: &Path) -> Result<Self> {
        let mut channel = None;
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let path = root.join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => channel = channel.or_else(|| channel_in(&text)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("read", &path, error)),
            }
        }
        Ok(Self::choose(channel.as_deref()))
    }

    fn choose(channel: Option<&str>) -> Self {
        let is_version = |text: &str| {
            text.starts_with(|c: char| c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        match channel {
            Some(version) if is_version(version) => Self { tag: version.to_owned(), is_of_image: true },
            // The newest, and not the oldest that the package itself builds with: what it depends on may want more.
            None | Some("stable") => Self { tag: "1".to_owned(), is_of_image: true },
            // beta, nightly, a toolchain of one's own: rustup gets it, whatever the image brings.
            Some(_) => Self { tag: "1".to_owned(), is_of_image: false },
        }
    }
}

/// Returns the channel of a toolchain file, in either of its two forms.
fn channel_in(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.is_empty() && text.lines().count() == 1 && !text.contains(['[', '=']) {
        return Some(text.to_owned());
    }
    let table = DeTable::parse(text).ok()?;
    let channel = table.get_ref().get("toolchain")?.get_ref().as_table()?.get("channel")?;
    Some(channel.get_ref().as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(channel: Option<&str>) -> String {
        Rust::choose(channel).tag
    }

    #[test]
    fn the_image_has_the_rust_that_the_workspace_asks_for() {
        assert_eq!(tag(Some("1.95.1")), "1.95.1");
        assert_eq!(tag(Some("stable")), "1");
        assert_eq!(tag(None), "1");
        assert!(Rust::choose(Some("stable")).is_of_image);
        assert_eq!(
            Rust::choose(Some("nightly-2026-01-01")),
            Rust { tag: "1".to_owned(), is_of_image: false }
        );
    }

    #[test]
    fn what_is_linked_is_found_in_every_member_that_is_built() {
        let member = |name: &str, local: &[&str], native: Native| {
            let mut member = crate::workspace::member_for_tests(name, "/w", &[], &[]);
            member.local = local.iter().map(|&name| name.to_owned()).collect();
            member.native = native;
            member
        };
        let diesel = Native { libpq: true, openssl: true, ..Native::default() };
        let mut app = member("app", &["web"], Native::default());
        app.binaries = vec!["app".to_owned()];
        let web = member("web", &["data", "app"], Native::default());
        let mut members =
            vec![app, web, member("data", &[], diesel), member("other", &[], Native::default())];
        let links = |members: &[Member]| {
            let programs = Programs::find(members, None).expect("there is one");
            (programs.link_libpq(), programs.link_openssl())
        };
        assert_eq!(links(&members), (true, true));
        members[1].native = Native { own_libpq: true, ..Native::default() };
        assert_eq!(links(&members), (false, true));
        members[1].local.clear();
        assert_eq!(links(&members), (false, false));
    }

    #[test]
    fn a_toolchain_file_has_two_forms() {
        assert_eq!(channel_in("1.94\n").as_deref(), Some("1.94"));
        let toml = "[toolchain]\nchannel = \"1.95.0\"\ncomponents = [\"clippy\"]\n";
        assert_eq!(channel_in(toml).as_deref(), Some("1.95.0"));
        assert_eq!(channel_in("[toolchain]\npath = \"/opt/rust\"\n"), None);
    }
}
