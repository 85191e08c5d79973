//! What deployed databases have to have applied, and who is asked when nothing shows it.

use super::{committed, git, project, with_repo};
use crate::support::{Database, Project, Sqlite};

on_each_database! {
    fn a_deployed_database_has_to_have_applied_what_is_squashed(backend) {
        let project = project(backend);
        project.run("setup").success();
        // What is deployed has run one of three.
        project.run("create --env prod").success();
        project.run("migrate --env prod --to 1").success();
        committed(&project);
        let url = match project.database_in("core", "prod") {
            Database::Sqlite(database) => format!("sqlite:{}", database.path().display()),
            Database::Postgres(database) => database.url(),
        };
        let squash = |line: &str| project.command(line).env("PROD_URL", &url).run();
        let run = squash("squash --applied-on env:PROD_URL");
        run.code(4)
            .stderr_contains("`env:PROD_URL (prod)` lacks 2 names, 3 countries")
            .stderr_contains("`--to 1`");
        let status = project.run("status --env prod --format json");
        project.write("prod.json", &status.success().stdout);
        let run = squash("squash --applied-on prod.json --applied-on env:PROD_URL");
        run.code(4).stderr_contains("`prod.json (prod)` lacks 2 names, 3 countries");
        project.run("migrate --lane all --env prod").success();
        squash("squash --applied-on env:PROD_URL --dry-run").success().stdout_contains("would move");
        squash("squash --applied-on prod.json").code(4);
        let status = project.run("status --env prod --format json");
        assert!(status.stdout.contains("\"checksum\":\"sha256:"), "{status}");
        let edited = status.stdout.replace("\"checksum\":\"sha256:", "\"checksum\":\"sha256:0");
        project.write("prod.json", &edited);
        squash("squash --applied-on prod.json").code(4).stderr_contains("has applied, from another text,");
        project.write("prod.json", &status.stdout);
        squash("squash --applied-on prod.json --applied-on env:PROD_URL").success();
        let status = project.run("status --env prod --check");
        status.success();
    }
}

#[test]
fn a_source_that_says_nothing_of_the_repo_is_no_evidence() {
    let project = with_repo(project(Sqlite), "billing", Sqlite);
    project.run("setup").success();
    committed(&project);
    let told = |line: &str, code: i32, text: &str| {
        project.run(line).code(code).stderr_contains(text);
    };
    told("squash --applied-on env:NOT_SET", 2, "speaks of one repo");
    told("squash -r core --applied-on env:NOT_SET", 2, "the variable `NOT_SET` is not set");
    told("squash -r core --applied-on gone.json", 1, "cannot read `gone.json`");
    project.write("x.json", "{}\n");
    told("squash -r core --applied-on x.json", 2, "is not what `status --format json` writes");
    let status = project.run("status -r billing --format json");
    project.write("x.json", &status.stdout);
    told("squash -r core --applied-on x.json", 2, "`--applied-on x.json` says nothing of `core`");
    let run = project.command("squash -r core --applied-on env:URL").env("URL", "sqlite:core_dev.db").run();
    run.code(2).stderr_contains("the very database that is squashed");
    for (url, code) in [
        ("postgres://app:s3cret@127.0.0.1:1/x", 7),
        ("postgres://app:s3cret@[::1/x", 2),
        ("nonsense://app:s3cret@x", 2),
        ("sqlite:gone.db", 1),
        (" ", 2),
    ] {
        let run = project.command("squash -r core --applied-on env:THAT_URL").env("THAT_URL", url).run();
        run.code(code).hides("s3cret").stderr_contains("`--applied-on env:THAT_URL`");
        // It is not the repo's own URL that is wrong.
        run.stderr_lacks("comes from").stderr_matches("[..]\n...\nhelp: [..]THAT_URL[..]\n");
    }
    assert!(git(&project, "status --porcelain").is_empty() || project.path("x.json").exists());
}

fn deployed() -> Project {
    let project =
        project(Sqlite).repo_config("core", "env.prod.url = \"sqlite:prod.db\"\nenv.ci.url-env = \"CI_URL\"");
    let project = project.config("disposable-environments = [\"dev\", \"test\", \"ci\"]");
    project.run("setup").success();
    committed(&project);
    project
}

#[test]
fn without_a_terminal_a_squash_without_evidence_is_refused_where_something_is_deployed() {
    let project = deployed();
    let run = project.run("squash");
    run.code(4).stderr_contains("refused to squash `core` in prod").stderr_contains("--applied-on");
    run.stderr_contains("`--yes`").stderr_lacks("ci");
    assert!(git(&project, "status --porcelain").is_empty());
    // A rehearsal says the same, in the same words and with the same code.
    let rehearsed = project.run("squash --dry-run");
    rehearsed.code(4).stdout_is("").stderr_contains("refused to squash `core` in prod");
    rehearsed.stderr_contains("without `--dry-run` it would be refused, too");
    project.run("squash --dry-run --yes").success().stdout_contains("would move");
    project.run("squash --yes").success();
    // Where nothing is to be squashed there is nothing to show.
    project.run("squash").success().stderr_contains("nothing to squash");
    project.run("squash --to 2").success().stderr_contains("nothing to squash");
}

#[cfg(unix)]
#[test]
fn a_person_is_asked_and_no_is_the_default() {
    let project = deployed();
    for (keys, code) in [("\n", 4), ("n\n", 4), ("\u{3}", 130)] {
        let mut terminal = project.terminal("squash");
        terminal.expect("`core` in prod").expect("Go on? [y/N]: ").send(keys);
        terminal.wait().code(code);
        assert!(git(&project, "status --porcelain").is_empty());
    }
    // A rehearsal has no questions, and refuses nothing that a person may allow.
    project.terminal("squash --dry-run").wait().success().stdout_contains("would move");
    let mut terminal = project.terminal("squash");
    terminal.expect("[y/N]: ").send("y\n");
    terminal.wait().success().stdout_contains("has been squashed");
}

/// Production and staging, each with a database of its own.
fn deployed_twice() -> Project {
    let own = ["prod", "staging"].map(|name| format!("env.{name}.url = \"sqlite:core_{name}.db\""));
    let project = project(Sqlite).repo_config("core", &own.join("\n"));
    for environment in ["dev", "prod", "staging"] {
        project.run(&format!("setup --env {environment}")).success();
    }
    committed(&project);
    project
}

#[test]
fn each_protected_environment_needs_evidence_of_its_own() {
    let project = deployed_twice();
    let status = |environment: &str| {
        project.run(&format!("status --env {environment} --format json")).success().stdout.clone()
    };
    let (prod, staging) = (status("prod"), status("staging"));
    // Not where the repo's files are.
    for (path, text) in [
        ("prod.json", prod.clone()),
        ("dev.json", status("dev")),
        ("half.json", prod.replace("\"half_loaded\":false", "\"half_loaded\":true")),
        ("both.json", format!("{staging}{prod}")),
        (
            "stale.json",
            format!("{}{prod}", staging.replacen("\"state\":\"applied\"", "\"state\":\"pending\"", 1)),
        ),
    ] {
        project.write(path, &text);
    }
    let refused = |line: &str, texts: &[&str]| {
        let run = project.run(line);
        run.code(4);
        texts.iter().for_each(|text| {
            run.stderr_contains(text);
        });
        assert!(git(&project, "status --porcelain -- crates").is_empty());
    };
    refused("squash", &["refused to squash `core` in prod, staging"]);
    refused("squash --applied-on prod.json", &["refused to squash `core` in staging", "--yes"]);
    refused("squash --applied-on dev.json", &["in the environment `dev`, which is squashed itself"]);
    refused("squash --yes --applied-on dev.json", &["in the environment `dev`, which is squashed itself"]);
    refused("squash --yes --applied-on half.json", &["is half loaded"]);
    refused("squash --applied-on stale.json", &["`stale.json (staging)` lacks "]);
    let run = project.command("squash --applied-on env:DEV_URL").env("DEV_URL", "sqlite:core_dev.db").run();
    run.code(2).stderr_contains("the very database that is squashed");
    project.run("squash --applied-on both.json").success().stderr_lacks("nothing shows");
}

#[test]
fn a_database_that_names_no_environment_is_taken_for_the_one_that_is_missing() {
    let project = deployed_twice();
    project.write("prod.json", &project.run("status --env prod --format json").success().stdout);
    let staging = project.database_in("core", "staging");
    staging.execute("delete from dbsetup_meta where key = 'environment'");
    let url = match &staging {
        Database::Sqlite(database) => format!("sqlite:{}", database.path().display()),
        Database::Postgres(database) => database.url(),
    };
    let squash = |line: &str| project.command(line).env("URL", &url).run();
    squash("squash --applied-on env:URL")
        .code(4)
        .stderr_contains("refused to squash `core` in prod, staging");
    let run = squash("squash --applied-on env:URL --applied-on prod.json");
    run.success().stderr_contains("`env:URL` does not say which environment it belongs to");
}

#[test]
fn a_project_that_shows_nothing_is_told_what_that_means_and_squashed() {
    let project = project(Sqlite);
    project.run("setup").success();
    committed(&project);
    let run = project.run("squash");
    run.success()
        .stderr_contains("nothing shows that deployed databases have applied what is squashed, up to 3");
    run.stderr_contains("--applied-on env:NAME");
}
