//! What is told of a structure that took the place of its migrations.

use super::{codes, committed, findings, finds, structure};
use crate::support::{Backend, Project};

const PRIV: &str = "crates/core/priv/core";
const KEPT: &str = "keep-data = [\"lands\"]";

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "{path} lacks {from:?}: {text}");
    project.write(path, &text.replacen(from, to, 1));
}

/// A table whose rows are kept, squashed; its database is there.
#[track_caller]
fn squashed(backend: Backend) -> Project {
    let project = Project::new().repo("core", backend).repo_config("core", KEPT).migration(
        "core",
        "1_lands",
        "create table lands (code varchar(2) primary key, name text);\n\
         insert into lands values ('de', 'Germany'), ('fr', 'France');\n",
    );
    project.run("setup").success();
    committed(&project);
    project.run("squash --yes").success();
    project
}

on_each_database! {
    fn rows_of_a_squash_are_not_lost_when_their_key_goes(backend) {
        let project = squashed(backend);
        let before = project.read(structure());
        assert!(before.contains("'Germany'"), "{before}");
        replace(&project, "crates/core/Cargo.toml", KEPT, "");
        let run = finds(&project, "check --offline", &["rows-unnamed"]);
        let told = findings(&run)[0].to_string();
        assert!(told.contains("keep-data = [") && told.contains("dump --drop-data"), "{told}");
        for line in ["dump", "dump --check", "dump --no-filters"] {
            project.run(line).code(4).stderr_contains("holds rows of").stderr_contains("--drop-data");
        }
        assert_eq!(project.read(structure()), before);
        // Both answers are taken.
        project.run("dump --drop-data land").code(2).stderr_contains("do you mean `lands`?");
        project.run("dump --drop-data lands").success();
        let after = project.read(structure());
        assert!(!after.contains("'Germany'") && after.contains("-- without rows: "), "{after}");
        finds(&project, "check --offline", &[]);
        project.run("dump --check").success();
        project.write(structure(), &before);
        project.repo_config("core", "").run("dump").success();
    }

    fn a_row_or_a_column_that_was_edited_by_hand_is_found_without_being_asked_for(backend) {
        let project = squashed(backend);
        let before = project.read(structure());
        finds(&project, "check", &[]);
        replace(&project, structure(), "'France'", "'Frankreich'");
        finds(&project, "check", &["rows-changed"]);
        // It is no result to keep.
        finds(&project, "check", &["rows-changed"]);
        project.write(structure(), &before.replacen("name text", "name varchar(9)", 1).replacen("\"name\" text", "\"name\" varchar(9)", 1));
        let run = project.run("check --format json");
        assert!(codes(&run).contains(&"archive-differs".to_owned()), "{run}");
        // Without the archive nothing proves the file, and that is said.
        project.write(structure(), &before.replacen("'France'", "'Frankreich'", 1));
        std::fs::remove_dir_all(project.path(format!("{PRIV}/dumped_migrations"))).unwrap();
        project.run("check").success().stderr_contains("not checked: archive").stderr_contains("is not proved");
    }

    fn what_the_next_squash_refuses_is_told(backend) {
        let project = squashed(backend);
        project.write(
            format!("{PRIV}/migrations/2_more.sql"),
            "create table parts (id int primary key);\ninsert into parts values (1);\n",
        );
        let run = finds(&project, "check", &["rows-undecided"]);
        assert!(findings(&run).iter().any(|finding| finding["object"].to_string().contains("parts")), "{run}");
        // Rows that are kept refer to rows that are not.
        project.write(
            format!("{PRIV}/migrations/3_refer.sql"),
            "create table ties (id int primary key, part int references parts (id));\ninsert into ties values (1, 1);\n",
        );
        replace(&project, "crates/core/Cargo.toml", KEPT, "keep-data = [\"lands\", \"ties\"]");
        finds(&project, "check", &["rows-unwritable"]);
        finds(&project, "check --archive", &["rows-unwritable"]);
    }

    fn a_dump_that_mixes_squashed_and_other_migrations_needs_the_archive(backend) {
        let project = squashed(backend);
        committed(&project);
        project.write(format!("{PRIV}/migrations/2_more.sql"), "create table more (i int);\n");
        project.run("setup").success();
        project.run("dump").success();
        finds(&project, "check", &[]);
        std::fs::remove_dir_all(project.path(format!("{PRIV}/dumped_migrations"))).unwrap();
        let run = finds(&project, "check", &["unreplayable"]);
        let help = findings(&run)[0]["help"].to_string();
        // The commit that a floor names has the structure before the squash.
        assert!(help.contains("git checkout $(git log -1 --format=%h -- crates/core/priv/core/structure.floor) -- crates/core/priv/core/structure.sql"), "{help}");
    }

    fn rows_that_are_gone_again_leave_no_counter_behind(backend) {
        let key = if backend == Backend::Postgres { "serial primary key" } else { "integer primary key autoincrement" };
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_a",
            &format!("create table a (id {key}, t text);\ninsert into a (t) values ('x');\ndelete from a;\n"),
        );
        project.run("setup").success();
        committed(&project);
        project.run("squash --yes").success();
        finds(&project, "check --archive", &[]);
        let before = project.read(structure());
        project.run("dump").success();
        assert_eq!(project.read(structure()), before);
    }

    fn a_day_in_kept_rows_is_a_warning(backend) {
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_a",
            "create table a (id int primary key, day text);\ninsert into a values (1, current_date);\n",
        ).repo_config("core", "keep-data = [\"a\"]");
        project.run("create").success();
        project.run("migrate").success();
        project.run("dump").success().stderr_contains("puts `current_date` into");
        finds(&project, "check", &["warn:rows-volatile"]);
    }

    fn another_way_to_make_databases_is_another_result(backend) {
        let project = squashed(backend);
        project.run("check --archive").success().stderr_lacks("before");
        project.run("check --archive").success().stderr_contains("the archive was in order before");
        if backend == Backend::Postgres {
            let project = project.repo_config("core", "create = { encoding = \"UTF8\" }");
            project.run("check --archive").success().stderr_lacks("before");
        }
    }
}

#[test]
fn what_reaches_beyond_a_scratch_database_is_replayed_for_nobody_who_does_not_trust_it() {
    let project = Project::new()
        .repo("core", Backend::Sqlite)
        .repo_config("core", "keep-data = [\"a\"]")
        .migration("core", "1_a", "create table a (i integer primary key);\ninsert into a values (1);\n");
    project.run("create").success();
    project.run("migrate").success();
    project.run("dump").success();
    let path = format!("{PRIV}/migrations/2_b.sql");
    project.write(&path, "-- no-transaction\nattach ':memory:' as beyond;\n");
    let run = finds(&project, "check", &["replay-beyond"]);
    let finding = findings(&run).into_iter().find(|finding| finding["code"] == "replay-beyond").unwrap();
    assert_eq!((finding["path"].as_str(), finding["line"].as_u64()), (Some(&*path), Some(2)), "{finding}");
    assert!(finding["help"].to_string().contains("check --trust-file"), "{finding}");
    finds(&project, "check --archive --live", &["replay-beyond", "pending"]);
    // A dump with kept rows replays what the database has applied.
    project.run("migrate").success();
    let before = project.read(structure());
    let refused = project.run("dump");
    refused.code(4).stderr_contains("2_b.sql:2`: ATTACH").stderr_contains("dump --trust-file");
    assert_eq!(project.read(structure()), before);
    project.run("dump --trust-file").success();
    finds(&project, "check --trust-file", &[]);
}
