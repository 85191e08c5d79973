//! Structure files in git: merged by object, and compared without a database.

use crate::support::git::try_git;
use crate::support::{Backend, Project, Run, Sqlite};

const FILE: &str = "crates/core/priv/core/structure.sql";

#[track_caller]
fn git(project: &Project, words: &[&str]) -> String {
    let output = try_git(project, words);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "git {words:?}\n{stdout}\n{stderr}");
    format!("{stdout}{stderr}")
}

#[track_caller]
fn commit(project: &Project, message: &str) {
    git(project, &["add", "."]);
    git(project, &["commit", "-q", "-m", message]);
}

/// A repository with one commit on `main`: a database of two tables, and its structure.
#[track_caller]
fn repository(backend: Backend) -> Project {
    let project = Project::new().repo("core", backend).file(".gitignore", "*.db*\ntarget\n").migration(
        "core",
        "20260101000000_first",
        "create table users (id integer primary key, name text);\n\
         create table zoo (id integer primary key);\n\
         create view names as select name from users;\n",
    );
    project.run("setup").success();
    project.run("dump").success();
    git(&project, &["init", "-q"]);
    commit(&project, "first");
    project
}

/// Makes a branch of `main` that adds a migration, runs it from nothing, dumps, and commits.
#[track_caller]
fn branch(project: &Project, name: &str, migration: &str, sql: &str) {
    git(project, &["checkout", "-q", "-b", name, "main"]);
    project.write(project.priv_dir("core").join(format!("migrations/{migration}.sql")), sql);
    project.run("drop --yes").success();
    project.run("setup").success();
    project.run("dump").success();
    commit(project, name);
}

on_each_database! {
    fn two_branches_merge_by_object_and_the_result_loads(backend) {
        let project = repository(backend);
        project.run("git install").success();
        commit(&project, "driver");
        branch(
            &project,
            "tags",
            "20260301000007_tags",
            "create table tags (id integer primary key, name text);\n\
             create index tags_name on tags (name);\n\
             alter table users add column age integer;\n\
             create view old_names as select name from users where age > 60;\n",
        );
        branch(
            &project,
            "posts",
            "20260301000008_posts",
            "create table posts (id integer primary key, user_id integer references users (id));\n\
             create index users_name on users (name);\n\
             alter table zoo add column size integer;\n\
             drop view names;\n",
        );
        let said = git(&project, &["merge", "tags", "-m", "merge"]);
        assert!(!said.contains("CONFLICT"), "{said}");
        let merged = project.read(FILE);
        for part in ["20260301000007", "20260301000008", "tags_name", "users_name", "size", "age", "old_names"] {
            assert!(merged.contains(part), "{part} in {merged}");
        }
        assert!(!merged.contains("VIEW names") && !merged.contains("<<<<"), "{merged}");

        // The whole of both branches loads, and is what their migrations make.
        project.run("drop --yes").success();
        project.run("create").success();
        project.run("load").success();
        let database = project.database("core");
        assert_eq!(database.user_tables(), ["posts", "schema_migrations", "tags", "users", "zoo"]);
        assert_eq!(database.value("select count(*) from schema_migrations"), "3");
        project.run("migrate").success().stderr_contains("up");
        project.run("dump").success();
        project.run("dump --check").success();
    }

    fn one_object_changed_twice_is_the_only_conflict(backend) {
        let project = repository(backend);
        project.run("git install").success();
        commit(&project, "driver");
        let users = |kind: &str| format!(
            "drop view names; drop table users; create table users (id integer primary key, name {kind});\n\
             create table {kind}s (id integer);\n"
        );
        branch(&project, "one", "20260301000007_one", &users("real"));
        branch(&project, "other", "20260301000008_other", &users("integer"));
        let output = try_git(&project, &["merge", "one", "-m", "merge"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{said}");
        let (schema, quoted) = if backend == Sqlite { ("", "users") } else { ("public.", "public.users") };
        assert!(
            said.contains(&format!("CONFLICT in {FILE}: table {quoted}: both sides have changed it")),
            "{said}"
        );
        assert_eq!(git(&project, &["diff", "--name-only", "--diff-filter=U"]).trim(), FILE);
        let merged = project.read(FILE);
        let (before, rest) = merged.split_once("<<<<<<< ours\n").expect("a marker");
        let (inside, after) = rest.split_once(">>>>>>> theirs\n").expect("another");
        assert!(inside.lines().all(|line| !line.starts_with("CREATE") || line.contains("users")), "{inside}");
        assert!(!after.contains("<<<<<<<"), "{merged}");
        for table in ["reals", "integers"] {
            assert!(before.contains(&format!("{schema}{table} ")), "{table} in {before}");
        }
        assert!(after.contains("20260301000007") && after.contains("20260301000008"), "{after}");

        // Whoever decides for one side has a file that loads.
        let ours = inside.split("=======\n").next().expect("our side");
        project.write(FILE, &format!("{before}{ours}{after}"));
        project.run("drop --yes").success();
        project.run("create").success();
        project.run("load").success();
    }
}

#[test]
fn the_driver_needs_no_workspace_and_says_what_it_cannot_take_apart() {
    let project = Project::new().repo("core", Sqlite);
    project.write("Cargo.toml", "this is no manifest");
    let file = |body: &str| {
        format!("-- dbsetup structure format 1 (sqlite)\n\n{body}\n\n-- dbsetup structure end\n")
    };
    project.write("o", &file("CREATE TABLE a (i);"));
    project.write("a", &file("CREATE TABLE a (i, j);"));
    project.write("b", &file("CREATE TABLE a (i, k);"));
    project.run("merge-driver o a b priv/structure.sql").success().stdout_is("").stderr_is("");
    assert_eq!(project.read("a"), file("CREATE TABLE a (i, j, k);"));

    project.write("a", &file("CREATE TABLE a (i text);"));
    project.write("b", &file("CREATE TABLE a (i real, k);"));
    project
        .run("merge-driver o a b priv/structure.sql")
        .code(1)
        .stderr_is("CONFLICT in priv/structure.sql: table a: both sides have changed it\n");
    assert!(project.read("a").contains("<<<<<<< ours\nCREATE TABLE a (i text, k);\n=======\n"));

    // pg_dump's and sqlite3's files are merged as git would.
    for (name, text) in [("o", "a\nb\nc\nd\n"), ("a", "A\nb\nc\nd\n"), ("b", "a\nb\nc\nD\n")] {
        project.write(name, text);
    }
    project
        .run("merge-driver o a b s.sql")
        .success()
        .stderr_contains("s.sql is merged by lines, as git does: the file was not written by cargo-dbsetup");
    assert_eq!(project.read("a"), "A\nb\nc\nD\n");
    project.write("a", "x\nb\nc\nd\n");
    project.write("b", "y\nb\nc\nd\n");
    project.run("merge-driver o a b s.sql").code(1).stderr_contains("CONFLICT in s.sql");
    assert!(project.read("a").contains("<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n"));

    // Both have added it.
    project.write("o", "");
    project.write("a", &file("CREATE TABLE a (i);"));
    project.write("b", &file("CREATE TABLE b (i);"));
    project.run("merge-driver o a b s.sql").success();
    assert_eq!(project.read("a"), file("CREATE TABLE a (i);\n\nCREATE TABLE b (i);"));
    project.run("merge-driver o a nowhere s.sql").code(1).stderr_contains("nowhere");
}

#[test]
fn install_tells_git_once_and_keeps_other_lines() {
    let project = Project::new().repo("core", Sqlite).repo("other", Sqlite);
    project.run("git install").code(2).stderr_contains("in no git repository");
    git(&project, &["init", "-q"]);
    project.write(".gitattributes", "*.png binary\ncrates/core/priv/core/structure.sql -text merge=union");
    let lines = "*.png binary\ncrates/core/priv/core/structure.sql -text merge=dbsetup\n\
                 crates/core/priv/core/structure.floor merge=dbsetup\n\
                 crates/other/priv/other/structure.floor merge=dbsetup\n\
                 crates/other/priv/other/structure.sql merge=dbsetup\n";

    let printed = project.run("git install --print");
    printed.success().stdout_contains("crates/other/priv/other/structure.sql merge=dbsetup\n");
    printed.stdout_contains("crates/other/priv/other/structure.floor merge=dbsetup\n");
    printed.stdout_contains("git config merge.dbsetup.driver 'cargo dbsetup merge-driver %O %A %B %P'\n");
    let planned = project.run("git install --dry-run");
    planned.success().stdout_contains(".gitattributes: crates/other/priv/other/structure.sql merge=dbsetup");
    planned.stdout_contains("git config merge.dbsetup.name");
    assert!(project.read(".gitattributes").contains("merge=union"));
    assert!(!try_git(&project, &["config", "merge.dbsetup.driver"]).status.success());

    project
        .run_in("crates/core", "git install --workspace")
        .success()
        .stderr_contains("Commit .gitattributes");
    assert_eq!(project.read(".gitattributes"), lines);
    assert_eq!(
        git(&project, &["config", "merge.dbsetup.driver"]).trim(),
        "cargo dbsetup merge-driver %O %A %B %P"
    );
    project.run("git install").success().stderr_contains("already");
    assert_eq!(project.read(".gitattributes"), lines);
    project.run("git install --dry-run").success().stdout_lacks("write");

    // A later line wins in git.
    project.write(".gitattributes", &format!("{lines}*.sql -merge\n"));
    project.run("git install").success().stderr_contains("warning: another line of the attributes");
}

#[test]
fn a_diff_tells_what_changed_between_two_commits() {
    let project = repository(Sqlite);
    branch(
        &project,
        "topic",
        "20260301000007_tags",
        "create table tags (id integer primary key);\nalter table users add column age integer;\n\
         drop view names;\n",
    );
    project.remove(project.priv_dir("core").join("migrations/20260301000007_tags.sql"));
    project.run("diff main..topic").success().stdout_matches(snapbox::str![[r#"
core (crates/core/priv/core/structure.sql): 1 object added, 1 removed, 1 changed; 1 version added
  + table tags
  ~ table users
      -CREATE TABLE users (id integer primary key, name text);
      +CREATE TABLE users (id integer primary key, name text, age integer);
  - view names
  + version 20260301000007

"#]]);
    project.run("diff main...HEAD --markdown").success().stdout_matches(snapbox::str![[r#"
### Schema changes from `the common ancestor of main and HEAD to HEAD`

#### `core`

`crates/core/priv/core/structure.sql`: 1 object added, 1 removed, 1 changed; 1 version added

- `+` `table tags`
- `-` `view names`
- `+` `version 20260301000007`

`table users`

```diff
-CREATE TABLE users (id integer primary key, name text);
+CREATE TABLE users (id integer primary key, name text, age integer);
```

"#]]);
    let json = project.run("diff main --format json");
    json.success().stdout_contains(
        "{\"v\":1,\"event\":\"schema_change\",\"repo\":\"core\",\"path\":\"crates/core/priv/core/structure.sql\",\
         \"change\":\"added\",\"object\":\"table tags\",\"old\":null,\"new\":\"CREATE TABLE tags (id integer primary key);\"}\n",
    );
    assert_eq!(json.stdout.lines().count(), 4);
    project.run("diff").success().stdout_is("no change\n");
    project.run("diff topic..").success().stdout_is("no change\n");
    project.write(FILE, &project.read(FILE).replace(", age integer", ""));
    project.run("diff").success().stdout_contains("  ~ table users\n");

    // What is not there is empty; what is not ours is compared by lines.
    git(&project, &["rm", "-q", "-f", FILE]);
    git(&project, &["commit", "-q", "-m", "gone"]);
    let gone = project.run("diff main..HEAD");
    gone.success().stdout_contains("note: the file is not in HEAD\n").stdout_contains("  - table users\n");
    project.write(FILE, "CREATE TABLE by_hand (i);\n");
    project
        .run("diff")
        .success()
        .stdout_contains("compared by lines: the file was not written by cargo-dbsetup")
        .stdout_contains("+CREATE TABLE by_hand (i);\n");
    project.run("diff nowhere..HEAD").code(2).stderr_contains("git knows no commit `nowhere`");
}

#[test]
fn a_diff_needs_a_repository() {
    let project = Project::new().repo("core", Sqlite);
    project.run("diff").code(2).stderr_contains("in no git repository");
}

/// Runs that tell every event of these commands.
pub fn runs_in_json() -> Vec<Run> {
    let project = repository(Sqlite);
    let file = |body: &str| {
        format!("-- dbsetup structure format 1 (sqlite)\n\n{body}\n\n-- dbsetup structure end\n")
    };
    for (name, text) in [("o", "CREATE TABLE a (i);"), ("a", "CREATE TABLE a (i int);"), ("b", "SELECT 1;")] {
        project.write(name, &file(text));
    }
    let mut runs = vec![
        project.run("git install --print --format json"),
        project.run("merge-driver o a b --format json"),
    ];
    project.write(FILE, &project.read(FILE).replace("name text", "name integer"));
    runs.push(project.run("diff --format json"));
    project.write(FILE, "select 1;\n");
    runs.push(project.run("diff --format json"));
    runs
}
