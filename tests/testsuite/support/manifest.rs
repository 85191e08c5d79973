//! Writes the manifests of a test's workspace.

use std::fmt::Write as _;

use super::Backend;

/// The workspace as its manifests tell it.
#[derive(Debug, Default)]
pub struct Workspace {
    /// The package that is the whole project, where there is no workspace.
    pub single: Option<String>,
    pub members: Vec<String>,
    pub repos: Vec<Repo>,
    /// Name and TOML value.
    pub aliases: Vec<(String, String)>,
    /// Lines of the metadata table of the workspace.
    pub config: String,
    /// Whole TOML at the end of the root manifest.
    pub metadata: String,
    /// Package name and whole TOML at the end of its manifest.
    pub package_metadata: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Repo {
    pub name: String,
    pub member: String,
    pub backend: Backend,
    pub url: Option<String>,
    /// Further lines of the repo's table.
    pub config: String,
}

impl Workspace {
    /// Returns the directory of a member, relative to the root.
    pub fn directory(&self, member: &str) -> String {
        if self.single.is_some() { String::new() } else { format!("crates/{member}") }
    }

    pub fn repo(&self, name: &str) -> Option<&Repo> {
        self.repos.iter().find(|repo| repo.name == name)
    }

    /// Returns the root manifest.
    pub fn root_manifest(&self) -> String {
        let (mut text, table) = match &self.single {
            Some(name) => (self.package(name), "package"),
            None => {
                let members: Vec<String> =
                    self.members.iter().map(|name| toml_string(&self.directory(name))).collect();
                (format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", ")), "workspace")
            }
        };
        if !self.config.is_empty() {
            _ = write!(text, "\n[{table}.metadata.dbsetup]\n{}", self.config);
        }
        if !self.aliases.is_empty() {
            _ = writeln!(text, "\n[{table}.metadata.dbsetup.aliases]");
            for (name, value) in &self.aliases {
                _ = writeln!(text, "{name} = {value}");
            }
        }
        if !self.metadata.is_empty() {
            _ = write!(text, "\n{}", self.metadata);
        }
        text
    }

    /// Returns the manifest of a member.
    pub fn member_manifest(&self, member: &str) -> String {
        self.package(member)
    }

    fn package(&self, name: &str) -> String {
        let mut text = format!(
            "[package]\nname = {}\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n",
            toml_string(name)
        );
        for repo in self.repos.iter().filter(|repo| repo.member == name) {
            _ = writeln!(text, "\n[package.metadata.dbsetup.repos.{}]", repo.name);
            if let Some(url) = &repo.url {
                _ = writeln!(text, "url = {}", toml_string(url));
            }
            text.push_str(&repo.config);
        }
        for (_, metadata) in self.package_metadata.iter().filter(|(owner, _)| owner == name) {
            _ = write!(text, "\n{metadata}");
        }
        text
    }
}

/// Returns `text` as a TOML string.
pub fn toml_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => _ = write!(quoted, "\\u{:04X}", u32::from(control)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns `text` with a newline at its end.
pub fn line(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}
