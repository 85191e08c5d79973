//! What scratch databases and the live database tell.

use super::{codes, committed, dumped, findings, finds, git, sound, structure};
use crate::support::{Backend, Project, postgres};

const PRIV: &str = "crates/core/priv/core";

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "{path} lacks {from:?}: {text}");
    project.write(path, &text.replacen(from, to, 1));
}

on_each_database! {
    fn a_sound_project_is_in_order_without_its_database(backend) {
        let project = sound(backend);
        finds(&project, "check", &[]);
        // Nothing was made, and nothing stays.
        project.run("status").success().stdout_contains("the database does not exist");
        finds(&project, "check --live", &["live-missing"]);
    }

    fn a_structure_that_says_more_than_its_migrations_is_named_by_object(backend) {
        let project = sound(backend);
        replace(&project, structure(), "nick text", "nick text DEFAULT 'x'");
        let run = finds(&project, "check", &["divergence"]);
        let told = findings(&run).pop().expect("there is one").to_string();
        assert!(told.contains("users") && told.contains("the replay of all migrations"), "{told}");
        assert!(told.contains("the structure file"), "{told}");
        // Files alone cannot tell.
        finds(&project, "check --offline", &[]);
    }

    fn a_structure_that_a_dump_would_write_otherwise_is_shown_with_the_way(backend) {
        let project = sound(backend);
        let schema = if backend == Backend::Postgres { "public." } else { "" };
        let added = format!("CREATE  TABLE  {schema}added (i  int);");
        let end = "-- dbsetup structure end";
        replace(&project, structure(), end, &format!("{added}\n\n{end}"));
        let run = finds(&project, "check", &["structure-edited", "divergence"]);
        let finding = &findings(&run)[0];
        assert!(finding["notes"].to_string().contains(&format!("-{added}")), "{finding}");
        assert!(finding["line"].as_u64().is_some(), "{finding}");
    }

    fn a_structure_that_does_not_load_is_found(backend) {
        let project = sound(backend);
        replace(&project, structure(), "-- dbsetup structure end", "CREATE INDEX nothing ON nowhere (i);\n\n-- dbsetup structure end");
        let run = project.run("check --format json");
        assert_eq!(codes(&run), ["structure-unloadable"], "{run}");
        run.code(3);
    }

    fn a_migration_that_fails_on_a_new_database_is_told_once(backend) {
        let project = sound(backend);
        let path = format!("{PRIV}/migrations/20260103000000_broken.sql");
        project.write(&path, "create table ok (i int);\ninsert into gone values (1);\n");
        let run = finds(&project, "check", &["replay-fails"]);
        let finding = findings(&run).pop().expect("there is one");
        assert_eq!((finding["path"].as_str(), finding["line"].as_u64()), (Some(&*path), Some(2)), "{finding}");
    }

    fn a_changed_migration_that_does_not_run_any_more_is_one_finding(backend) {
        let project = sound(backend);
        let path = "crates/core/priv/core/migrations/20260101000000_users.sql";
        project.write(path, "create table users (id int primary key, nick text);\nselect nowhere from users;\n");
        let run = finds(&project, "check", &["changed"]);
        let finding = &findings(&run)[0];
        assert!(finding["notes"].to_string().contains("as it is now it does not run (line 2): "), "{finding}");
        // Where it runs, another migration that fails is another finding.
        project.write(path, "create table users (id int primary key, nick text, more text);\n");
        project.write("crates/core/priv/core/migrations/20260103000000_b.sql", "select nowhere from users;\n");
        finds(&project, "check", &["changed", "replay-fails"]);
    }

    fn nobody_is_told_to_make_a_protected_database_again(backend) {
        let project = sound(backend);
        for (environment, is_protected) in [("dev", false), ("prod", true)] {
            for line in ["create", "migrate --lane all"] {
                project.run(&format!("{line} --env {environment}")).success();
            }
            project.database_in("core", environment).execute("create table drifted (i int)");
            let run = finds(&project, &format!("check --live --env {environment}"), &["drift"]);
            let help = findings(&run)[0]["help"].to_string();
            assert_eq!(help.contains("reset"), !is_protected, "{help}");
            assert!(help.contains("put the change into a migration"), "{help}");
        }
    }

    fn line_ends_that_git_has_changed_are_no_finding(backend) {
        let project = sound(backend).repo_config("core", "keep-data = [\"lands\"]").migration(
            "core",
            "20260103000000_lands",
            "create table lands (code varchar(2) primary key, name text);\n\
             insert into lands values ('ie', 'two\nlines');\n",
        );
        project.run("setup").success();
        project.run("migrate --lane all").success();
        committed(&project);
        let converted = |paths: &[&str]| {
            for path in paths {
                let path = project.priv_dir("core").join(path);
                project.write(&path, &project.read(&path).replace('\n', "\r\n"));
            }
        };
        let lanes =
            ["migrations/20260101000000_users.sql", "manual_migrations/20260102000000_index.sql"];
        converted(&lanes);
        finds(&project, "check --live", &[]);
        git(&project, "checkout .");
        project.run("squash --yes").success();
        converted(&["structure.sql", "structure.floor"]);
        converted(&lanes.map(|path| format!("dumped_migrations/{path}")).each_ref().map(|path| &**path));
        finds(&project, "check --archive --live", &[]);
        project.run("setup --env test").success();
        finds(&project, "check --live --env test", &[]);
    }

    fn pending_migrations_belong_to_what_is_compared(backend) {
        let project = sound(backend);
        project.write(format!("{PRIV}/migrations/20260103000000_more.sql"), "create table more (i int);\n");
        finds(&project, "check", &[]);
    }

    fn the_database_is_looked_at_when_that_is_asked_for(backend) {
        let project = sound(backend);
        project.run("setup").success();
        finds(&project, "check --live --lane all", &[]);
        project.database("core").execute("create table drifted (i int)");
        let run = finds(&project, "check --live", &["drift"]);
        assert!(findings(&run)[0]["object"].to_string().contains("drifted"), "{run}");
        finds(&project, "check", &[]);
        project.database("core").execute("drop table drifted");
        finds(&project, "check --live", &[]);
    }

    fn a_manual_migration_is_shown_and_an_automatic_one_fails(backend) {
        let project = sound(backend);
        project.run("setup").success();
        project.write(format!("{PRIV}/manual_migrations/20260103000000_more.sql"), "create table more (i int);\n");
        let run = finds(&project, "check --live", &[]);
        assert!(run.stdout.contains("\"code\":\"pending\",\"severity\":\"info\""), "{run}");
        finds(&project, "check --live --lane all", &["pending"]);
        project.write(format!("{PRIV}/migrations/20260104000000_most.sql"), "create table most (i int);\n");
        finds(&project, "check --live", &["pending"]);
        // A schema that has drifted is found although migrations are pending.
        project.database("core").execute("create table drifted (i int)");
        finds(&project, "check --live", &["pending", "drift"]);
    }

    fn the_archive_is_replayed_and_the_result_is_kept(backend) {
        let project = sound(backend);
        std::fs::create_dir_all(project.path(format!("{PRIV}/dumped_migrations"))).unwrap();
        for (lane, name) in [("migrations", "20260101000000_users.sql"), ("manual_migrations", "20260102000000_index.sql")] {
            let to = project.path(format!("{PRIV}/dumped_migrations/{name}"));
            std::fs::rename(project.path(format!("{PRIV}/{lane}/{name}")), to).unwrap();
        }
        project.run("check --archive").success().stderr_lacks("before");
        project.run("check").success().stderr_contains("the archive was in order before");
        project.run("check --archive").success().stderr_contains("the archive was in order before");
        project.run("check --archive --no-cache").success().stderr_lacks("before");
        // It makes something else.
        let path = format!("{PRIV}/dumped_migrations/20260101000000_users.sql");
        let text = project.read(&path);
        replace(&project, &path, "nick text", "nick text not null");
        finds(&project, "check --archive", &["archive-differs"]);
        // Nothing else proves the structure: it is replayed unasked.
        finds(&project, "check", &["archive-differs"]);
        // It does not run at all.
        project.write(&path, "create table users (id int primary key, nick text);\nselect * from gone;\n");
        let run = finds(&project, "check --archive", &["archive-rotten"]);
        assert_eq!(findings(&run)[0]["path"].as_str(), Some(&*path), "{run}");
        project.write(&path, &text);
        finds(&project, "check --archive", &[]);
        // Without its file nothing can be said.
        project.remove(&path);
        project.write(format!("{PRIV}/structure.floor"), "dbsetup floor format 1\n\nsquash\nautomatic 20260101000000 - users\n");
        project.run("check --archive").success().stderr_contains("it lacks 20260101000000");
    }

    fn a_project_without_a_structure_has_its_migrations_run(backend) {
        let project = Project::new().repo("core", backend).migration("core", "1_a", "create table a (i int);\n");
        finds(&project, "check", &["warn:structure-missing"]);
        project.write(format!("{PRIV}/migrations/2_b.sql"), "insert into gone values (1);\n");
        finds(&project, "check", &["warn:structure-missing", "replay-fails"]);
    }

    fn a_structure_dumped_with_filters_is_compared_within_them(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_a", "create table a (i int);\ncreate table scratchpad (i int);\n");
        project.run("create").success();
        project.run("migrate").success();
        project.run("dump --exclude-table scratchpad").success();
        project.run("drop --yes").success();
        finds(&project, "check", &[]);
    }

    fn rows_that_the_structure_lacks_are_told_until_somebody_decides(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_a", "create table lands (code varchar(2) primary key, name text);\ninsert into lands values ('de', 'Germany'), ('fr', 'France');\n");
        dumped(&project);
        let run = finds(&project, "check", &["rows-undecided"]);
        let told = findings(&run)[0].to_string();
        assert!(told.contains("keep-data") && told.contains("--drop-data"), "{told}");
        // Kept, they are in the file.
        let kept = project.repo_config("core", "keep-data = [\"lands\"]");
        dumped(&kept);
        finds(&kept, "check", &[]);
        // Changed by hand, they are not those of the migrations.
        replace(&kept, structure(), "'France'", "'Frankreich'");
        let run = finds(&kept, "check", &["rows-changed"]);
        assert!(findings(&run)[0].to_string().contains("Frankreich"), "{run}");
        // What a pending migration inserts is not lost.
        replace(&kept, structure(), "'Frankreich'", "'France'");
        kept.write(format!("{PRIV}/migrations/2_b.sql"), "insert into lands values ('it', 'Italy');\n");
        finds(&kept, "check", &[]);
        // Rows of the database are nobody's business.
        kept.run("setup").success();
        kept.database("core").execute("insert into lands values ('es', 'Spain')");
        finds(&kept, "check --live", &[]);
    }

    fn rows_of_the_archive_are_those_that_the_structure_keeps(backend) {
        let project = Project::new()
            .repo("core", backend)
            .repo_config("core", "keep-data = [\"lands\"]")
            .migration("core", "1_a", "create table lands (code varchar(2) primary key, name text);\n")
            .migration("core", "2_b", "insert into lands values ('de', 'Germany');\n");
        dumped(&project);
        std::fs::rename(project.path(format!("{PRIV}/migrations")), project.path(format!("{PRIV}/dumped_migrations"))).unwrap();
        std::fs::create_dir(project.path(format!("{PRIV}/migrations"))).unwrap();
        finds(&project, "check --archive", &[]);
        project.write(format!("{PRIV}/dumped_migrations/2_b.sql"), "insert into lands values ('de', 'Deutschland');\n");
        let run = finds(&project, "check --archive", &["rows-changed"]);
        assert!(findings(&run)[0].to_string().contains("Deutschland"), "{run}");
        // What failed is not kept as in order.
        finds(&project, "check --archive", &["rows-changed"]);
    }

    fn values_that_are_others_each_time_are_named(backend) {
        let random = if backend == Backend::Postgres { "gen_random_uuid()::text" } else { "hex(randomblob(8))" };
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_a",
            &format!("create table lands (code varchar(2) primary key, tag text);\ninsert into lands values ('de', {random});\n"),
        );
        dumped(&project);
        let kept = project.repo_config("core", "keep-data = [\"lands\"]");
        let run = finds(&kept, "check", &["rows-volatile"]);
        let finding = &findings(&run)[0];
        assert!(finding["help"].to_string().contains("except"), "{finding}");
        assert!(finding["object"].to_string().contains("lands.tag"), "{finding}");
    }

    fn a_table_to_be_kept_that_is_not_there_is_told(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_a", "create table lands (code varchar(2) primary key);\n");
        dumped(&project);
        let kept = project.repo_config("core", "keep-data = [\"land\"]");
        finds(&kept, "check", &["rows-unwritable"]);
    }
}

#[test]
fn a_scratch_url_is_all_that_is_needed() {
    let Some(server) = postgres::server() else { return };
    let project = sound(Backend::Postgres);
    let dead = "postgres://nobody@127.0.0.1:1/core";
    let run = |scratch: Option<&str>| {
        let command = project.command("check").env("CORE_DATABASE_URL", dead);
        scratch.into_iter().fold(command, |command, url| command.env("CORE_SCRATCH_URL", url)).run()
    };
    run(None).code(7).stderr_contains("`--offline` checks them alone");
    run(Some(server.admin_url())).success().stderr_contains("checks passed");
}

#[test]
fn a_database_that_was_left_half_way_is_told_by_what_is_the_matter() {
    let project = Project::new()
        .repo("core", Backend::Sqlite)
        .migration("core", "1_a", "create table a (i int);\n")
        .migration(
            "core",
            "2_b",
            "-- no-transaction\ncreate table b (i int);\ninsert into gone values (1);\n",
        );
    project.run("create").success();
    project.run("migrate").code(1);
    let run = project.run("check --live --format json");
    assert!(codes(&run).contains(&"interrupted".to_owned()), "{run}");
    // What it applied was changed, and what it applied is gone.
    project.write(format!("{PRIV}/migrations/2_b.sql"), "create table c (i int);\n");
    project.run("drop --yes").success();
    project.run("create").success();
    project.run("migrate").success();
    project.write(format!("{PRIV}/migrations/1_a.sql"), "create table a (i int); -- more\n");
    project.remove(format!("{PRIV}/migrations/2_b.sql"));
    let found = codes(&project.run("check --live --format json"));
    assert_eq!(found[..3], ["warn:structure-missing", "live-changed", "live-file-missing"], "{found:?}");
}

on_each_database! {
    fn what_a_squash_has_made_is_in_order(backend) {
        let project = sound(backend)
            .migration("core", "20260103000000_rows", "create table lands (code varchar(2) primary key);\ninsert into lands values ('de');\n")
            .repo_config("core", "keep-data = [\"lands\"]");
        project.run("setup").success();
        project.run("migrate --lane all").success();
        committed(&project);
        project.run("dump --move-migrations --yes").success();
        finds(&project, "check --archive --live", &[]);
        project.write(format!("{PRIV}/migrations/20260104000000_next.sql"), "insert into lands values ('fr');\n");
        finds(&project, "check --archive", &[]);
        finds(&project, "check --live", &["pending"]);
    }
}
