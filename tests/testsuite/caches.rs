//! `cache` where there are several repos, several environments and several checkouts.

use crate::support::{Backend, Project, Sqlite, postgres};

fn two(first: &str, second: &str) -> Project {
    let one = "create table a (id integer);\n";
    let project = Project::new().repo("core", Sqlite).migration("core", "1_a", one);
    let project = project.repo("log", Sqlite).migration("log", "1_a", one);
    project.repo_config("core", first).repo_config("log", second)
}

#[test]
fn a_repo_without_templates_is_passed_over_and_the_others_are_warmed() {
    let project = two("template = false", "");
    let skipped = "No template of the database for core was made: `template = false`";
    for line in ["cache warm --dry-run", "cache warm", "cache warm -r core -r log"] {
        let run = project.run(line);
        run.success().stderr_contains(skipped);
    }
    project.run("cache list").success().stdout_matches("[..]\n...\n[..]log[..]\n...\n[..]  dev  [..]  yes\n");
    let json = project.run("cache warm --format json");
    json.success().stdout_contains(
        "\"event\":\"template_skipped\",\"repo\":\"core\",\"reason\":\"`template = false`\"",
    );
}

#[test]
fn a_run_in_which_no_repo_has_templates_is_refused() {
    let project = two("template = false", "template = false");
    for line in ["cache warm", "cache warm --dry-run", "cache warm -r core -r log"] {
        let run = project.run(line);
        run.code(4).stderr_contains("error: no template of `log` is made: `template = false`");
    }
    let run = project.run("cache warm -r core");
    run.code(4).stderr_contains("error: no template of `core` is made: `template = false`");
    project.run("cache warm --dry-run -r core").code(4);
    project.run("cache warm --env prod").code(4);
}

#[test]
fn a_list_says_which_environment_a_template_is_for() {
    let project = two("", "");
    project.run("cache warm --env test -r core").success();
    project.run("cache warm -r core").success();
    let listed = |line: &str| {
        let run = project.run(line);
        run.success();
        let lines = run.stdout.lines().map(|line| {
            let found: serde_json::Value = serde_json::from_str(line).expect("it is an object");
            found["environment"].as_str().expect("it has one").to_owned()
        });
        let mut found: Vec<String> = lines.collect();
        found.sort();
        found
    };
    assert_eq!(listed("cache list -r core --env test --format json"), ["test", "test"]);
    // What serves databases of any name is for tests, wherever it is asked for.
    assert_eq!(listed("cache list -r core --format json"), ["dev", "test"]);
    project.run("cache list -r core").success().stdout_contains("Environment");
}

#[test]
fn a_namesake_of_another_checkout_keeps_its_templates_of_tests() {
    let Some(server) = postgres::server() else { return };
    let checkout = |other: &str, sql: &str| {
        let project = Project::new().on(&server).repo("namesake", Backend::Postgres);
        let url = server.url(&format!("{other}_{{env}}"));
        project.migration("namesake", "1_a", sql).url("namesake", Some(&url))
    };
    let one = checkout("one", "create table a (id integer);\n");
    let other = checkout("other", "create table b (id integer);\n");
    for project in [&one, &other] {
        project.run("cache warm --env test").success();
    }
    // With the same files another checkout finds those that serve it as well.
    let same = checkout("same", "create table a (id integer);\n");
    let run = same.run("cache clear --env test --dry-run");
    assert_eq!(run.success().stdout.matches("would remove the template ").count(), 1);
    let count = |project: &Project| {
        let run = project.run("cache list --env test --format json");
        run.success().stdout.lines().count()
    };
    assert_eq!((count(&one), count(&other)), (2, 2));
    one.run("cache clear --env test --dry-run").success().stdout_lacks("another project");
    one.run("cache clear --env test").success().stderr_contains("2 templates for namesake were removed");
    assert_eq!((count(&one), count(&other)), (0, 2));
    // One that does not say whose it is may be anybody's, and that is said.
    for row in server.query("select datname, shobj_description(oid, 'pg_database') from pg_database") {
        if let [name, comment] = &row[..]
            && comment.contains("migrations of namesake, home ")
        {
            let (nameless, _) = comment.split_once(", home ").expect("it is in it");
            server.execute(&format!("comment on database \"{name}\" is '{nameless}'"));
        }
    }
    one.run("cache clear --env test --dry-run").success().stdout_contains(", which may be another project's");
    let run = one.run("cache clear --env test");
    run.success()
        .stderr_contains("did not say whose tests it was for")
        .stderr_contains("1 template for namesake was");
    assert_eq!(count(&other), 1);
    other.run("cache clear --env test").success();
}
