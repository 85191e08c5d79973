//! Templates: `setup` and `reset` copy what was kept, and the copy is what the files would have come to.

use crate::support::{Backend, Database, Project, Run, is_full_run, postgres, proxy};

const COPIED: &str = "The database for core has been created from a template in ";
const KEPT: &str = "A template of the database for core has been kept in ";

/// A repo with so many migrations that a template pays, and a seed.
fn shop(project: Project, backend: Backend) -> Project {
    let mut project =
        project.repo("core", backend).seed("core", "insert into t1 (id, name) values (1, 'seeded');\n");
    for number in 1..=40 {
        project = project.migration(
            "core",
            &format!("{}_step", 20_260_101_000_000_u64 + number),
            &format!(
                "create table t{number} (id integer primary key, name varchar(40) not null default 'x');\n"
            ),
        );
    }
    project
}

/// The structure, the ledger and what the database says of itself.
fn content(project: &Project, database: &Database) -> Vec<Vec<String>> {
    let dump = project.run("dump -d -").success().stdout.clone();
    let mut rows = vec![vec![dump]];
    for query in [
        "select version, name, source, checksum from schema_migrations order by version",
        "select seq from schema_migrations order by seq",
        "select key, value from dbsetup_meta order by key",
        "select id, name from t1 order by id",
    ] {
        rows.extend(database.query(query));
    }
    rows
}

/// Two contents are equal; a failure shows the first difference, not everything.
#[track_caller]
fn is_the_same(now: &[Vec<String>], before: &[Vec<String>]) {
    let different = now.iter().zip(before).find(|(now, before)| now != before);
    assert!(different.is_none() && now.len() == before.len(), "{different:?}");
}

fn templates(project: &Project, words: &str) -> Vec<serde_json::Value> {
    let run = project.run(&format!("cache list --format json {words}"));
    run.success();
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("it is an object")).collect()
}

/// The templates of a project are those of its databases' name: nobody else has them.
fn clear(project: &Project) -> Run {
    project.run("cache clear")
}

on_each_database! {
    fn a_reset_copies_what_the_first_setup_kept_and_gets_the_same(backend) {
        let project = shop(Project::new(), backend);
        project
            .run("setup")
            .success()
            .stderr_contains("The database for core has been created (")
            .stderr_contains("== Migrated 20260101000040 step")
            .stderr_contains(KEPT);
        let database = project.database("core");
        let before = content(&project, &database);
        assert_eq!(before.len(), 86);
        database.execute("insert into t1 (id, name) values (2, 'later')");
        let run = project.run("reset --yes");
        run.success()
            .stderr_contains(COPIED)
            .stderr_contains("Migrations for core are already up (40 applied, copied from a template)")
            .stderr_contains("The structure for core was not loaded: the database was copied from a template")
            .stderr_matches("...\n  repo [..]\n  core [..], copied [..], copied [..], copied [..]\n")
            .stderr_contains("core has been seeded from ")
            .stderr_lacks("== Migrated")
            .stderr_lacks("has been kept");
        is_the_same(&content(&project, &database), &before);
        let events: Vec<serde_json::Value> = project
            .run("reset --yes --format json")
            .success()
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("it is an object"))
            .collect();
        let created = events.iter().find(|event| event["event"] == "created").expect("it was created");
        assert_eq!(created["template"], templates(&project, "")[0]["template"], "{created}");
        clear(&project).success();
    }

    fn without_a_structure_or_with_one_and_with_or_without_templates_a_database_is_the_same(backend) {
        let with = shop(Project::new(), backend);
        with.run("setup").success().stderr_contains(KEPT);
        with.run("dump").success();
        // Another structure file is another template.
        with.run("reset --yes").success().stderr_lacks("from a template").stderr_contains(KEPT);
        let database = with.database("core");
        let loaded = content(&with, &database);
        with.run("reset --yes").success().stderr_contains(COPIED);
        is_the_same(&content(&with, &database), &loaded);
        with.run("setup").success().stderr_contains("has already been created").stderr_lacks("has been kept");
        clear(&with).success();
        let without = shop(Project::new(), backend).repo_config("core", "template = false");
        without.run("setup").success().stderr_lacks("has been kept");
        without.run("dump").success();
        without.run("reset --yes").success().stderr_lacks("template");
        assert_eq!(templates(&without, ""), Vec::<serde_json::Value>::new());
        // The databases' names are not part of what they say.
        is_the_same(&content(&without, &without.database("core")), &loaded);
    }

    fn an_edited_added_or_removed_migration_is_another_template(backend) {
        let mut project = shop(Project::new(), backend);
        project.run("setup").success().stderr_contains(KEPT);
        project = project.migration("core", "20260101000041_more", "create table more (id integer);\n");
        project.run("reset --yes").success().stderr_contains("== Migrated 20260101000041 more").stderr_contains(KEPT);
        let path = project.priv_dir("core").join("migrations/20260101000041_more.sql");
        project.write(&path, "create table other (id integer);\n");
        project.run("reset --yes").success().stderr_contains("== Migrated 20260101000041 more").stderr_contains(KEPT);
        assert!(project.database("core").tables().contains(&"other".to_owned()));
        project.remove(&path);
        // As it was at first: that template is still there.
        project.run("reset --yes").success().stderr_contains(COPIED).stderr_contains("(40 applied, ");
        assert!(!project.database("core").tables().contains(&"other".to_owned()));
        assert_eq!(templates(&project, "").len(), 3);
        clear(&project).success().stderr_contains("3 templates for core were removed");
    }

    fn a_failed_migration_leaves_no_template(backend) {
        let project = shop(Project::new(), backend)
            .migration("core", "20260101000099_wrong", "create table t1 (id integer);\n");
        project.run("setup").code(1).stderr_lacks("has been kept");
        // Everything but the last one is there: what is mended is no fresh database any more.
        project.remove(project.priv_dir("core").join("migrations/20260101000099_wrong.sql"));
        project.run("setup").success().stderr_lacks("has been kept");
        assert_eq!(templates(&project, "").len(), 0);
    }

    fn an_environment_has_templates_of_its_own_and_a_protected_one_has_none(backend) {
        let project = shop(Project::new(), backend);
        project.run("setup").success().stderr_contains(KEPT);
        project.run("setup --env test").success().stderr_contains(KEPT);
        project.run("reset --yes --env test").success().stderr_contains(COPIED);
        let test = project.database_in("core", "test");
        assert_eq!(test.value("select value from dbsetup_meta where key = 'environment'"), "test");
        project.run("setup --env prod").success().stderr_lacks("template");
        project.run("cache warm --env prod").code(4).stderr_contains("the environment `prod` is protected");
        clear(&project).success();
        project.run("cache clear --env test").success();
    }

    fn a_setup_of_the_automatic_lane_leaves_the_manual_one_pending(backend) {
        let project = shop(Project::new(), backend)
            .manual("core", "20260201000000_slow", "create table slow (id integer);\n")
            .alias("setup", &["create", "load --skip-if-loaded --quiet", "migrate", "seed --if-new"]);
        project.run("setup").success().stderr_contains(KEPT);
        project.run("reset --yes").success().stderr_contains(COPIED);
        project.run("status --check").code(3).stdout_contains("20260201000000");
        project.run("migrate --lane manual").success().stderr_contains("== Migrated 20260201000000 slow");
        clear(&project).success();
    }

    fn what_stands_between_create_and_migrate_is_to_see_an_empty_database(backend) {
        let project = shop(Project::new(), backend)
            .file("first.sql", "create table first (id integer);\n")
            .alias("setup", &["create", "run first.sql", "migrate_all", "seed --if-new"]);
        for _ in 0..2 {
            project.run("setup").success().stderr_lacks("template").stderr_contains("== Migrated 20260101000040 step");
            project.run("drop --yes").success();
        }
    }

    fn a_migrate_that_only_says_what_it_would_do_is_no_reason_to_copy(backend) {
        let project = shop(Project::new(), backend)
            .alias("half", &["create", "load --skip-if-loaded", "migrate --lane all --dry-run"]);
        project.run("setup").success().stderr_contains(KEPT);
        project.run("drop --yes").success();
        project.run("half").success().stderr_lacks("template");
        assert!(!project.database("core").tables().contains(&"t1".to_owned()));
        clear(&project).success();
    }

    fn a_dump_that_follows_a_migrate_follows_it_with_templates_too(backend) {
        let project = shop(Project::new(), backend).repo_config("core", "dump-after-migrate = true");
        let structure = project.priv_dir("core").join("structure.sql");
        // Without a structure file migrations run, and it is written again.
        for _ in 0..2 {
            project.run("reset --yes").success().stderr_contains("== Migrated 20260101000040 step");
            let written = project.read(&structure);
            assert!(written.contains("20260101000040"), "{written}");
            // With it nothing is left to be dumped.
            project.run("reset --yes").success().stderr_lacks("== Migrated");
            project.run("reset --yes").success().stderr_contains(COPIED);
            project.remove(&structure);
        }
        clear(&project).success();
    }

    fn a_few_migrations_are_faster_than_a_copy(backend) {
        let project = Project::new().repo("core", backend).migration("core", "1_a", "create table a (id integer);\n");
        project.run("setup").success().stderr_lacks("template");
        project
            .run("reset --yes -v")
            .success()
            .stderr_contains("No template of the database for core was kept: 0 statements of the structure and 1 migration ")
            .stderr_contains(" ms, and a copy pays from 32 of them together on, or after 1 s");
        project.run("dump").success();
        project.run("reset --yes -v").success().stderr_contains(" statements of the structure and 0 migrations made it ready in ");
        let json = project.run("reset --yes --format json");
        json.success().stdout_contains("\"event\":\"template_not_kept\",\"repo\":\"core\"");
    }

    fn a_dry_run_says_what_would_be_copied_and_changes_nothing(backend) {
        let project = shop(Project::new(), backend);
        project.run("setup").success().stderr_contains(KEPT);
        project
            .run("reset --yes --dry-run")
            .success()
            .stdout_contains(" from the template ")
            .stdout_lacks("run 20260101000001")
            .stdout_lacks("empty database");
        project.run("drop --yes").success();
        project.run("setup --dry-run").success().stdout_contains(" from the template ").stdout_lacks("20260101000001");
        assert!(!project.database("core").exists());
        clear(&project).success();
        project.run("setup --dry-run").success().stdout_lacks("template").stdout_contains("run 20260101000001 step");
    }

    fn a_cache_is_warmed_listed_and_cleared(backend) {
        let project = shop(Project::new(), backend);
        project.run("cache list").success().stdout_contains("no templates");
        project.run("cache warm --dry-run").success().stdout_contains("would make the template ");
        project.run("cache warm").success().stderr_contains(KEPT);
        assert!(!project.database("core").exists(), "nothing but a template is made");
        project.run("cache warm").success().stderr_contains("is there already");
        project.run("cache list").success().stdout_contains("yes");
        let found = templates(&project, "");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((&found[0]["repo"], &found[0]["migrations"]), (&"core".into(), &40.into()));
        assert_eq!(found[0]["current"], true);
        assert!(found[0]["bytes"].as_u64() > Some(4096) && found[0]["made"].as_u64() > Some(1_700_000_000));
        project.run("setup").success().stderr_contains(COPIED).stderr_contains("core has been seeded from ");
        project.run("cache clear --stale").success().stderr_contains("0 templates for core were removed");
        project.run("cache clear --dry-run").success().stdout_contains("would remove the template ");
        project.run("cache clear").success().stderr_contains("1 template for core was removed");
        assert_eq!(templates(&project, "").len(), 0);
        project.run("reset --yes").success().stderr_lacks("from a template");
        clear(&project).success();
    }

    fn the_cache_of_tests_has_the_seeds_in_it(backend) {
        // Such a template serves every database of its repo, so that this one has a name of its own.
        let project = Project::new()
            .repo("tried", backend)
            .migration("tried", "1_a", "create table a (id integer);\n")
            .seed("tried", "insert into a values (7);\n");
        project.run("cache warm --env test").success();
        assert_eq!(templates(&project, "--env test").len(), 2);
        project.run("cache clear --env test").success().stderr_contains("2 templates for tried were removed");
    }

    fn a_cache_that_cannot_be_made_leaves_nothing_but_its_reason(backend) {
        let project = shop(Project::new(), backend)
            .migration("core", "20260101000099_wrong", "create table t1 (id integer);\n");
        project
            .run("cache warm")
            .code(1)
            .stderr_contains("20260101000099_wrong.sql")
            .stderr_contains("it was run in a database of its own, which is removed: nothing else was touched");
        assert_eq!(templates(&project, "").len(), 0);
    }

    fn two_setups_at_once_both_succeed_and_one_template_is_kept(backend) {
        let project = shop(Project::new(), backend);
        let runs = [project.command("setup").spawn(), project.command("setup").spawn()];
        for run in runs {
            run.wait().success();
        }
        assert_eq!(project.database("core").value("select count(*) from schema_migrations"), "40");
        assert!(templates(&project, "").len() <= 1);
        project.run("reset --yes").success();
        assert_eq!(project.database("core").value("select count(*) from schema_migrations"), "40");
        clear(&project).success();
    }
}

/// A project whose repo is behind a wire that can be cut.
fn wired(server: &postgres::Server, wire: &proxy::Proxy) -> Project {
    let url = server.url("core_{env}").replace(server.address(), &wire.address());
    shop(Project::new().on(server), Backend::Postgres).url("core", Some(&url))
}

#[test]
fn a_reset_on_a_template_takes_fifteen_round_trips_however_many_migrations_there_are() {
    let Some(server) = postgres::server() else { return };
    let wire = proxy::Proxy::start(server.address());
    let mut project = wired(&server, &wire);
    project.remove(project.priv_dir("core").join("seeds.sql"));
    let mut counted = Vec::new();
    for more in [0, 60] {
        for number in 0..more {
            let name = format!("{}_more", 20_260_301_000_000_u64 + number);
            project = project.migration("core", &name, &format!("create table more{number} (id integer);\n"));
        }
        project.run("reset --yes").success().stderr_contains(KEPT);
        wire.arm(0, proxy::Fault::LoseMessage);
        project.run("reset --yes").success().stderr_contains(COPIED);
        // Nobody waits for the answer to a goodbye: there are two connections, one to look, one to drop and create.
        counted.push(wire.messages() - 2);
    }
    assert_eq!(counted[0], counted[1]);
    assert!(counted[0] <= 15, "{counted:?}");
    clear(&project).success();
}

#[test]
fn wherever_a_reset_is_cut_off_the_next_one_succeeds_and_nothing_is_left_for_a_person() {
    let Some(server) = postgres::server() else { return };
    let wire = proxy::Proxy::start(server.address());
    let project = wired(&server, &wire);
    project.run("setup").success().stderr_contains(KEPT);
    let database = project.database("core");
    let whole = content(&project, &database);
    let stride = if is_full_run() { 1 } else { 3 };
    for (first, fault) in [(1, proxy::Fault::LoseMessage), (2, proxy::Fault::LoseAnswer)] {
        for message in (first..).step_by(stride) {
            wire.arm(message, fault);
            project.run("reset --yes");
            wire.disarm();
            if !wire.has_happened() {
                assert!(message > 10, "{message}");
                break;
            }
            project.run("setup").success();
            project.run("reset --yes").success().stderr_contains(COPIED);
            is_the_same(&content(&project, &database), &whole);
        }
    }
    assert_eq!(templates(&project, "").len(), 1);
    clear(&project).success();
}

#[test]
fn wherever_the_first_setup_is_cut_off_a_later_one_keeps_a_template() {
    let Some(server) = postgres::server() else { return };
    let wire = proxy::Proxy::start(server.address());
    let project = wired(&server, &wire);
    wire.arm(0, proxy::Fault::LoseMessage);
    project.run("setup").success().stderr_contains(KEPT);
    let messages = wire.messages();
    let whole = content(&project, &project.database("core"));
    // The last ones are those of keeping the template and of seeding.
    let stride = if is_full_run() { 1 } else { 5 };
    for (first, fault) in [(0, proxy::Fault::LoseMessage), (2, proxy::Fault::LoseAnswer)] {
        for message in (messages - 24 + first..=messages).step_by(stride) {
            clear(&project).success();
            project.run("drop --yes").success();
            wire.arm(message, fault);
            project.run("setup");
            wire.disarm();
            project.run("setup").success();
            is_the_same(&content(&project, &project.database("core")), &whole);
            project.run("reset --yes").success();
            project.run("reset --yes").success().stderr_contains(COPIED);
            is_the_same(&content(&project, &project.database("core")), &whole);
        }
    }
    assert_eq!(templates(&project, "").len(), 1);
    clear(&project).success();
}

#[test]
fn a_role_that_may_not_create_databases_uses_what_is_there() {
    let Some(server) = postgres::server() else { return };
    let role = server.role("app", "");
    let project = shop(Project::new().on(&server), Backend::Postgres)
        .url("core", Some(&server.url_as(&role, "core_{env}")));
    project.run("setup").code(1).stderr_contains("CREATEDB");
    server.execute(&format!("create database {} owner {}", server.name("core_dev"), role.name));
    project.run("setup").success().stderr_lacks("template");
    project.run("cache warm").code(1).stderr_contains("CREATEDB");
}

#[test]
fn a_database_with_settings_of_its_own_is_not_kept_and_verbose_says_why() {
    let Some(server) = postgres::server() else { return };
    let name = server.name("core_dev");
    let project = shop(Project::new().on(&server), Backend::Postgres).migration(
        "core",
        "20260101000041_settings",
        &format!("alter database {name} set timezone to 'UTC';\n"),
    );
    project.run("setup -v").success().stderr_lacks("has been kept").stderr_contains("settings of its own");
    project.run("reset --yes").success().stderr_lacks("template");
    assert_eq!(templates(&project, "").len(), 0);
}
