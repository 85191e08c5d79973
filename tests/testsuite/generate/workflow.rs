//! `gen workflow`: the file is a workflow, and what it runs works.

use yaml_rust2::{Yaml, YamlLoader};

use super::project_on;
use crate::support::{Postgres, Project, Sqlite, postgres, programs};

const PLACE: &str = ".github/workflows/dbsetup.yml";

fn parsed(text: &str) -> Yaml {
    let mut documents = YamlLoader::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(documents.len(), 1, "{text}");
    documents.swap_remove(0)
}

#[track_caller]
fn generated(project: &Project, line: &str) -> Yaml {
    project.run(line).success().stderr_contains("* creating ");
    parsed(&project.read(PLACE))
}

fn job(workflow: &Yaml) -> &Yaml {
    &workflow["jobs"]["database"]
}

/// Returns the command lines of the steps.
fn commands(workflow: &Yaml) -> Vec<String> {
    let steps = job(workflow)["steps"].as_vec().expect("a job has steps");
    steps.iter().filter_map(|step| step["run"].as_str()).map(str::to_owned).collect()
}

/// Runs every command line of a workflow as its job would, with its variables.
#[track_caller]
fn works(project: &Project, workflow: &Yaml) {
    let mut env: Vec<(String, String)> = Vec::new();
    for (name, value) in job(workflow)["env"].as_hash().expect("the job has variables") {
        let value = value.as_str().expect("a variable is text");
        // The job's server is another one here.
        let value = match value.strip_prefix("postgres://postgres:postgres@localhost:5432/") {
            Some(database) => project.server().url(database),
            None => value.to_owned(),
        };
        env.push((name.as_str().expect("a variable has a name").to_owned(), value));
    }
    let mut lines = commands(workflow);
    let install = format!("cargo install cargo-dbsetup --locked --version {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines.remove(0), install);
    assert!(lines.len() >= 3, "{lines:?}");
    for line in &lines {
        let run = programs::run_shell(project, line, &env);
        run.success();
    }
    assert!(lines.iter().any(|line| line.contains("check --env test")), "{lines:?}");
}

#[test]
fn the_workflow_of_an_sqlite_project_needs_no_server_and_its_steps_work() {
    let project = project_on(Sqlite);
    let workflow = generated(&project, "gen workflow");
    assert!(job(&workflow)["services"].is_badvalue(), "{workflow:?}");
    assert_eq!(workflow["permissions"]["contents"].as_str(), Some("read"));
    assert_eq!(job(&workflow)["steps"][0]["with"]["fetch-depth"].as_i64(), Some(0));
    let env = job(&workflow)["env"].as_hash().expect("the job has variables");
    assert_eq!(env.len(), 1, "Cargo.toml names the file, so no variable does: {env:?}");
    works(&project, &workflow);
    assert!(project.database_in("core", "test").exists());
    assert!(!project.database("core").exists(), "the workflow has no business with `dev`");
}

#[test]
fn the_workflow_of_a_postgres_project_starts_a_server_and_its_steps_work() {
    if postgres::server().is_none() {
        return;
    }
    let project = project_on(Postgres);
    let workflow = generated(&project, "gen workflow --postgres 16");
    let service = &job(&workflow)["services"]["postgres"];
    assert_eq!(service["image"].as_str(), Some("postgres:16"));
    assert!(
        service["options"].as_str().is_some_and(|options| options.contains("--health-cmd")),
        "{service:?}"
    );
    assert_eq!(
        job(&workflow)["env"]["CORE_DATABASE_URL"].as_str(),
        Some("postgres://postgres:postgres@localhost:5432/core_test")
    );
    let text = project.read(PLACE);
    assert!(!text.contains(&project.server().url("core_dev")), "the developer's URL stays here: {text}");
    works(&project, &workflow);
}

#[test]
fn the_workflow_uses_the_alias_for_tests_and_the_variable_of_the_project() {
    let project = Project::single("app")
        .file("migrations/1_a.sql", "create table a (id integer primary key);\n")
        .alias_value("test", "{ env = \"test\", steps = [\"setup --quiet\", \"$ cargo test --quiet\"] }")
        .env_file(".env", "DATABASE_URL=sqlite:app.db");
    let workflow = generated(&project, "gen workflow");
    assert_eq!(commands(&workflow).last().map(String::as_str), Some("cargo dbsetup test"));
    assert_eq!(job(&workflow)["env"]["DATABASE_URL"].as_str(), Some("sqlite:app_test.db"));
    works(&project, &workflow);
    assert!(project.path("app_test.db").exists());
}

#[test]
fn a_workflow_that_is_there_is_never_written_over() {
    let project = project_on(Sqlite);
    project.run("gen workflow --dry-run").success().stdout_contains(&format!("create {PLACE}"));
    assert!(!project.path(PLACE).exists());
    project.write(PLACE, "mine\n");
    project.run("gen workflow").code(2).stderr_contains("is there already").stderr_contains(PLACE);
    assert_eq!(project.read(PLACE), "mine\n");
    project.run("gen workflow --path ci/other.yml").success().stderr_contains("* creating ci/other.yml");
    parsed(&project.read("ci/other.yml"));
    project.run("gen workflow --postgres 9 --path x.yml").code(2);
}

#[test]
fn the_workflow_of_a_workspace_below_the_repository_works_there() {
    let project = Project::new();
    let outer = project.root();
    let inner = project_on(Sqlite);
    let copied = std::process::Command::new("git").args(["init", "-q"]).current_dir(&outer).status();
    assert!(copied.expect("git is there").success());
    crate::documents::copy(&inner.root(), &outer.join("backend/api"));
    project.run_in("backend/api", "gen workflow").success();
    let workflow = parsed(&project.read(PLACE));
    let directory = &job(&workflow)["defaults"]["run"]["working-directory"];
    assert_eq!(directory.as_str(), Some("backend/api"));
    assert_eq!(job(&workflow)["steps"][1]["with"]["workspaces"].as_str(), Some("backend/api"));
}
