//! `gen dockerfile`: an image of the application and its release binary, and how two platforms run it.

use clap::Args;
use dbsetup::Result;

use super::databases::{self, Database};
use super::programs::{Programs, RELEASE, Rust};
use super::template::Template;
use super::{NewFile, make, shown};
use crate::cli::context::{Output, Selected};

/// Make a Dockerfile, and what deploys it.
///
/// The image holds the application and the program of `gen release`, and neither cargo nor a client program. A Dockerfile
/// and a .dockerignore that are there already stay as they are where --fly or --kubernetes asks for more.
#[derive(Debug, Clone, Args)]
pub struct Dockerfile {
    /// The application's program; needed where the workspace has several.
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,

    /// Make fly.toml, too.
    #[arg(long)]
    fly: bool,

    /// Make k8s/, too: a job that migrates, and a deployment whose init container does.
    #[arg(long)]
    kubernetes: bool,
}

impl Dockerfile {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let Some(workspace) = selected.workspace else { return Ok(Output::Done) };
        let programs = Programs::find(&workspace.members, self.bin.as_deref())?;
        let rust = Rust::of(&workspace.root)?;
        let databases = databases::of(selected, workspace, "prod")?;
        let mut files = Vec::new();
        let mut kept = Vec::new();
        for (name, content) in self.files(&programs, &rust, &databases) {
            let path = workspace.root.join(&name);
            let shown = shown(&path, workspace);
            let is_extra = name.starts_with("k8s/") || name == "fly.toml";
            let may_stay = !is_extra && (self.fly || self.kubernetes || name == ".dockerignore");
            if may_stay && path.exists() {
                kept.push(shown);
            } else {
                files.push(NewFile { path, shown, content, repo: None });
            }
        }
        let output = make(selected, files)?;
        if matches!(output, Output::Done) {
            for path in kept {
                selected.ui.success(&format!("* {} is there already and stays as it is", path.display()));
            }
            for line in self.next(&programs, &databases) {
                selected.ui.success(&line);
            }
        }
        Ok(output)
    }

    /// Returns the files, relative to the workspace's root.
    fn files(&self, programs: &Programs<'_>, rust: &Rust, databases: &[Database]) -> Vec<(String, String)> {
        let template = template(programs, rust, databases);
        let mut files = vec![
            ("Dockerfile", include_str!("../../../../templates/deploy/Dockerfile")),
            (".dockerignore", include_str!("../../../../templates/deploy/dockerignore")),
        ];
        if self.fly {
            files.push(("fly.toml", include_str!("../../../../templates/deploy/fly.toml")));
        }
        if self.kubernetes {
            // A volume is one pod's: there is nothing for a job to do.
            if databases.iter().any(|database| database.server) {
                let job = include_str!("../../../../templates/deploy/kubernetes/migrate.yaml");
                files.push(("k8s/migrate.yaml", job));
            }
            let deployment = include_str!("../../../../templates/deploy/kubernetes/deployment.yaml");
            files.push(("k8s/deployment.yaml", deployment));
        }
        files.into_iter().map(|(name, text)| (name.to_owned(), template.fill(text))).collect()
    }

    /// Returns what to do next.
    fn next(&self, programs: &Programs<'_>, databases: &[Database]) -> Vec<String> {
        let mut lines = Vec::new();
        if !programs.has_release {
            let line =
                format!("There is no program `{RELEASE}` yet: make it with `cargo dbsetup gen release`");
            lines.push(line);
        }
        if self.fly && databases.iter().any(|database| !database.server) {
            lines.push(
                "On fly the application makes its SQLite database itself: `dbsetup::Startup`, with \
                 `.create_if_missing()`"
                    .to_owned(),
            );
        }
        lines.push(format!("Build it with `docker build --tag {} .`", dashed(&programs.app)));
        lines
    }
}

fn template(programs: &Programs<'_>, rust: &Rust, databases: &[Database]) -> Template {
    let (servers, on_disk): (Vec<&Database>, Vec<&Database>) =
        databases.iter().partition(|database| database.server);
    let name = dashed(&programs.app);
    let file = |database: &&Database| format!("sqlite:/data/{}.db", database.repo);
    let mut run: String = servers.iter().map(|database| format!("--env {} ", database.variable)).collect();
    if !on_disk.is_empty() {
        run += &format!("--volume {name}-data:/data ");
    }
    let pairs = |pair: fn(&str, &str) -> String, glue: &str| {
        let lines = on_disk.iter().map(|database| pair(&database.variable, &file(database)));
        lines.collect::<Vec<_>>().join(glue)
    };
    let of_secret = |database: &&Database| {
        let variable = &database.variable;
        format!(
            "- name: {variable}\n  valueFrom:\n    secretKeyRef:\n      name: {name}-database\n      key: {variable}"
        )
    };
    let of_file =
        |database: &&Database| format!("- name: {}\n  value: {}", database.variable, file(database));
    let secrets: Vec<String> = servers.iter().map(of_secret).collect();
    let of_files: Vec<String> = on_disk.iter().map(of_file).collect();
    let variables = [secrets.clone(), of_files.clone()].concat();
    // Where some are on a volume and some are not, each is worked on where it can be.
    let is_mixed = !servers.is_empty() && !on_disk.is_empty();
    let only = |databases: &[&Database], pair: fn(&str) -> String| -> String {
        if is_mixed { databases.iter().map(|database| pair(&database.repo)).collect() } else { String::new() }
    };
    let word = |repo: &str| format!(", \"--repo\", \"{repo}\"");
    let each = |pair: fn(&str) -> String| -> String {
        servers.iter().map(|database| pair(&database.variable)).collect::<Vec<_>>().join(" ")
    };
    let mut libraries = Vec::new();
    if programs.link_libpq() {
        libraries.push("libpq-dev");
    }
    if programs.link_openssl() {
        libraries.extend(["libssl-dev", "pkg-config"]);
    }
    Template::default()
        .value("image", name.clone())
        .value("run", run)
        .value("rust", rust.tag.clone())
        .value("selection", programs.selection())
        .value("app", programs.app.clone())
        .value("set_secrets", each(|variable| format!("{variable}=...")))
        .value("literals", each(|variable| format!("--from-literal={variable}=...")))
        .value("libraries_dev", libraries.join(" "))
        .value("variables", variables.join("\n"))
        .value("secrets", secrets.join("\n"))
        .value("files", of_files.join("\n"))
        .value("only", only(&servers, |repo| format!(" --repo {repo}")))
        .value("only_servers", only(&servers, word))
        .value("only_files", only(&on_disk, word))
        .value("words", if on_disk.is_empty() { "setup" } else { "setup --create" })
        .value("data_env", pairs(|name, url| format!("{name}={url}"), " "))
        .value("data_toml", pairs(|name, url| format!("{name} = \"{url}\""), "\n"))
        .value("name", name)
        .when("libpq", programs.link_libpq())
        .when("libraries", !libraries.is_empty())
        .when("own_toolchain", rust.is_of_image)
        .when("server", !servers.is_empty())
        .when("sqlite", !on_disk.is_empty())
}

/// Returns a name as images and Kubernetes want it.
fn dashed(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}
