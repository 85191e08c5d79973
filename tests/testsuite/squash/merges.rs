//! Branches that have squashed, merged by git.

use super::{committed, git, made, project};
use crate::support::git::try_git;
use crate::support::{Backend, Project, Sqlite};

/// A repository on `main` with three migrations, and git told how to merge.
#[track_caller]
fn repository(backend: Backend) -> Project {
    let project = project(backend);
    committed(&project);
    project.run("git install").success();
    committed(&project);
    git(&project, "tag v1.0.0");
    project
}

/// Makes a branch of `main` with one more migration, squashed or not.
#[track_caller]
fn branch(project: &Project, name: &str, version: u32, squashed: bool) {
    git(project, &format!("checkout -q -b {name} main"));
    let path = project.priv_dir("core").join(format!("migrations/{version}_{name}.sql"));
    project.write(path, &format!("create table {name} (id integer primary key);\n"));
    committed(project);
    project.run("drop --yes").success();
    project.run("setup").success();
    if squashed {
        project.run("squash").success();
        committed(project);
    }
}

fn floor(project: &Project) -> String {
    project.read(project.priv_dir("core").join("structure.floor"))
}

/// What setup makes of nothing, and what running all files makes of nothing.
#[track_caller]
fn same_both_ways(project: &Project) {
    project.run("setup --env test").success();
    project.run("create --env ci").success();
    project.run("migrate --env ci --no-load --lane all").success();
    assert_eq!(made(project, "core", "test"), made(project, "core", "ci"));
    for environment in ["test", "ci"] {
        project.run(&format!("status --check --env {environment}")).success();
    }
}

on_each_database! {
    fn two_branches_that_have_both_squashed_merge_and_every_database_comes_out_the_same(backend) {
        let project = repository(backend);
        branch(&project, "tags", 4, true);
        branch(&project, "posts", 5, true);
        git(&project, "merge -q --no-edit tags");
        assert_eq!(git(&project, "status --porcelain"), "");
        let merged = floor(&project);
        for version in ["automatic 1 ", "manual 2 ", "automatic 3 ", "automatic 4 ", "automatic 5 "] {
            assert_eq!(merged.matches(version).count(), 1, "{merged}");
        }
        let structure = project.read(project.priv_dir("core").join("structure.sql"));
        assert!(structure.contains("tags") && structure.contains("posts"), "{structure}");
        project.run("check --archive").success();
        same_both_ways(&project);
        // A database of either branch goes on.
        project.run("migrate").success().stderr_contains("behind the squash floor");
        assert_eq!(made(&project, "core", "dev"), made(&project, "core", "test"));
        // And so does the next squash.
        project.write(project.priv_dir("core").join("migrations/6_more.sql"), "create table more (i integer);\n");
        committed(&project);
        project.run("migrate").success();
        project.run("squash").success();
        assert_eq!(floor(&project).matches("squash\n").count(), 3);
    }

    fn a_branch_that_has_squashed_merges_with_one_that_has_not(backend) {
        let project = repository(backend);
        branch(&project, "tags", 4, false);
        branch(&project, "posts", 5, true);
        git(&project, "merge -q --no-edit tags");
        assert_eq!(git(&project, "status --porcelain"), "");
        let lane = project.files(project.priv_dir("core").join("migrations"));
        assert_eq!(lane, [".gitkeep", "4_tags.sql"]);
        project.run("setup --env test").success();
        project.run("migrate").success();
        assert_eq!(made(&project, "core", "dev"), made(&project, "core", "test"));
    }
}

#[test]
fn a_migration_with_another_text_on_each_side_is_left_to_a_person() {
    let project = repository(Sqlite);
    let path = project.priv_dir("core").join("migrations/4_tags.sql");
    for name in ["one", "other"] {
        git(&project, &format!("checkout -q -b {name} main"));
        project.write(&path, &format!("create table tags (id integer primary key, {name} integer);\n"));
        committed(&project);
        project.run("drop --yes").success();
        project.run("setup").success();
        project.run("squash").success();
        committed(&project);
    }
    let output = try_git(&project, &["merge", "--no-edit", "one"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("CONFLICT in crates/core/priv/core/structure.floor: version 4: "), "{said}");
    let merged = floor(&project);
    assert_eq!(merged.matches("<<<<<<< ours\nautomatic 4 ").count(), 1, "{merged}");
    project.run("check --offline").code(3).stderr_contains("structure.floor").stderr_contains("[conflict]");
}

#[test]
fn where_the_commit_of_a_squash_is_lost_the_way_to_the_files_is_told() {
    let project = repository(Sqlite);
    project.run("create --env prod").success();
    project.run("migrate --env prod --to 1").success();
    branch(&project, "tags", 4, true);
    let lost = git(&project, "rev-parse HEAD~1");
    let main = git(&project, "rev-parse main");
    let text = floor(&project);
    assert!(text.contains(&format!("commit {lost}\nbase {main}\n")), "{text}");
    // The branch is squashed when it is merged, and goes with its commits.
    git(&project, "checkout -q main");
    git(&project, "merge -q --squash tags");
    git(&project, "commit -q -m squashed");
    git(&project, "branch -q -D tags");
    git(&project, "rm -q -r crates/core/priv/core/dumped_migrations");
    git(&project, "commit -q -m gone");
    let run = project.run("migrate --env prod");
    run.code(5).stderr_contains("release v1.0.0-").stderr_contains(&format!("begun from {}", &main[..12]));
    let told = run.stderr.split("`git ").nth(1).and_then(|rest| rest.split('`').next()).expect("a command");
    let script = format!("git -c advice.detachedHead=false {told}");
    let done = std::process::Command::new("sh").args(["-c", &script]).current_dir(project.root()).output();
    assert!(done.expect("sh is there").status.success(), "{script}");
    let lane = project.files(project.priv_dir("core").join("migrations"));
    assert_eq!(lane, ["1_users.down.sql", "1_users.up.sql", "3_countries.sql"]);
}
