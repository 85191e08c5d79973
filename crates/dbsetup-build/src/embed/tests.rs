use super::*;

struct Project(tempfile::TempDir);

impl Project {
    fn new(manifest: &str) -> Self {
        let project = Self(tempfile::tempdir().expect("a temporary directory can be made"));
        let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
        project.write("Cargo.toml", format!("{package}{manifest}")).write("src/lib.rs", "")
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().canonicalize().expect("it is there").join(path)
    }

    fn write(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(path);
        std::fs::create_dir_all(parent(&path)).expect("it is writable");
        std::fs::write(path, text).expect("it is writable");
        self
    }

    fn dir(self, path: &str) -> Self {
        std::fs::create_dir_all(self.path(path)).expect("it is writable");
        self
    }

    fn prepare(&self, name: &str) -> Result<Prepared> {
        prepare(&self.path(""), name)
    }

    fn core(&self) -> Prepared {
        self.prepare("core").expect("it can be embedded")
    }

    fn problem(&self, name: &str) -> String {
        self.prepare(name).expect_err("it cannot be embedded").to_string()
    }
}

const CORE: &str = "[package.metadata.dbsetup.repos.core]\n";

#[test]
fn everything_that_runs_is_embedded_and_nothing_else() {
    let project = Project::new(CORE)
        .write("priv/core/migrations/1_a.sql", "a")
        .write("priv/core/migrations/2_b/up.sql", "b")
        .write("priv/core/migrations/2_b/metadata.toml", "")
        .write("priv/core/migrations/.hidden.sql", "")
        .write("priv/core/migrations/1_a.sql~", "")
        .write("priv/core/migrations/README.md", [0xff])
        .write("priv/core/manual_migrations/.gitkeep", "")
        .write("priv/core/dumped_migrations/migrations/0_z.sql", "z")
        .write("priv/core/structure.sql", "s")
        .write("priv/core/structure.floor", "f")
        .write("priv/core/seeds.sql", "")
        .write("priv/core/seeds/test/users.sql", "")
        .write("priv/core/notes.txt", "");
    assert_eq!(
        project.core().files,
        [
            "priv/core/dumped_migrations/migrations/0_z.sql",
            "priv/core/manual_migrations/",
            "priv/core/migrations/1_a.sql",
            "priv/core/migrations/2_b/metadata.toml",
            "priv/core/migrations/2_b/up.sql",
            "priv/core/seeds.sql",
            "priv/core/seeds/test/users.sql",
            "priv/core/structure.floor",
            "priv/core/structure.sql",
        ]
    );
}

#[test]
fn a_digest_changes_with_files_and_settings_and_not_with_line_ends() {
    let project = Project::new(CORE).write("priv/core/migrations/1_a.sql", "a\nb\n");
    let first = project.core().digest;
    let project = project.write("priv/core/migrations/1_a.sql", "a\r\nb\r\n");
    assert_eq!(project.core().digest, first);
    let project = project.write("priv/core/structure.sql", "");
    let second = project.core().digest;
    assert_ne!(first, second);
    let manifest = format!("[package]\nname = \"app\"\n{CORE}env.prod.role = \"app\"\n");
    assert_ne!(project.write("Cargo.toml", manifest).core().digest, second);
}

#[test]
fn paths_of_other_directories_and_of_environments_are_embedded() {
    let project = Project::new("")
        .write("Cargo.toml", "[workspace]\nmembers = [\"app\"]\nresolver = \"3\"\n")
        .write("app/src/lib.rs", "")
        .write(
            "app/Cargo.toml",
            format!(
                "[package]\nname = \"app\"\n{CORE}migrations = [\"../shared\", \"sql/{{env}}\"]\nenv.prod.role = \"x\"\n"
            ),
        )
        .write("shared/1_a.sql", "");
    let embed = |project: &Project| prepare(&project.path("app"), "core");
    let problem = embed(&project).expect_err("three directories are missing").to_string();
    assert!(problem.contains("there is no migrations directory") && problem.contains("sql/"), "{problem}");
    let project =
        project.write("app/sql/dev/2_b.sql", "").write("app/sql/prod/2_c.sql", "").dir("app/sql/test");
    let prepared = embed(&project).expect("they are there now");
    assert_eq!(prepared.files, ["../shared/1_a.sql", "sql/dev/2_b.sql", "sql/prod/2_c.sql", "sql/test/"]);
    assert!(prepared.code.contains("by_environment: true"), "{}", prepared.code);
    assert!(
        matches!(prepared.watched, Watched::Paths { there, .. } if there.contains(&project.path("shared")))
    );
}

#[test]
fn a_repo_right_in_the_crate_watches_all_of_the_package() {
    let project = Project::new("").write("migrations/1_a.sql", "").write("structure.sql", "");
    let prepared = project.prepare("app").expect("it can be embedded");
    assert_eq!(prepared.files, ["migrations/1_a.sql", "structure.sql"]);
    assert_eq!(prepared.watched, Watched::Package);
    let core = Project::new(CORE).write("priv/core/migrations/1_a.sql", "");
    let Watched::Paths { there: paths, absent } = core.core().watched else {
        panic!("its directory is enough")
    };
    assert!(paths.contains(&core.path("priv/core")) && !paths.contains(&core.path("")), "{paths:?}");
    assert!(paths.iter().all(|path| path.exists()), "{paths:?}");
    assert!(
        absent.contains(&core.path("sqlx.toml")) && absent.contains(&core.path("diesel.toml")),
        "{absent:?}"
    );
    std::fs::write(core.path("sqlx.toml"), "").expect("it can be written");
    let Watched::Paths { there: paths, absent } = core.core().watched else {
        panic!("its directory is enough")
    };
    assert!(paths.contains(&core.path("sqlx.toml")) && !absent.contains(&core.path("sqlx.toml")));
}

#[test]
fn what_cannot_be_embedded_is_refused_by_name() {
    let has = |text: &str, parts: &[&str]| {
        parts.iter().for_each(|part| assert!(text.contains(part), "`{part}` is missing in: {text}"));
    };
    let empty = Project::new(CORE);
    has(&empty.problem("core"), &["repo `core` has no files", "cargo dbsetup gen migration", "mkdir -p"]);
    has(&empty.problem("other"), &["there is no repo `other`", "configured are `core`"]);
    has(&empty.problem("../core"), &["`../core` is no name for a repo"]);
    has(&Project::new("").problem("core"), &["there is no repo `core` to embed"]);
    let layout = Project::new("").write("migrations/1_a.sql", "");
    has(&layout.problem("core"), &["the only one here is `app`", "`embed(\"app\")`"]);
    let twins = Project::new(&format!("{CORE}[package.metadata.dbsetup.repos.CORE]\n"));
    has(&twins.problem("core"), &["two repos are called", "repos.CORE", "give one of them another name"]);
    let bytes = Project::new(CORE).write("priv/core/migrations/1_a.sql", b"a;\nselect '\xff';");
    has(&bytes.problem("core"), &["1_a.sql` is not UTF-8: byte 0xff at offset 11 (line 2)"]);
    let slip = Project::new(&format!("{CORE}migration = \"a\"\n"));
    has(
        &slip.problem("core"),
        &["unknown key `package.metadata.dbsetup.repos.core.migration`", "Cargo.toml"],
    );
    let kind = Project::new(&format!("{CORE}lock-wait = \"soon\"\n")).dir("priv/core/migrations");
    has(&kind.problem("core"), &["repos.core.lock-wait` in `Cargo.toml` must be a duration"]);
    let variable = Project::new(&format!("{CORE}priv = \"${{DIR}}\"\n"));
    has(&variable.problem("core"), &["a path without variables"]);
    let squash = Project::new(CORE).write("priv/core/.structure.dbsetup-squash", "");
    has(&squash.problem("core"), &["a squash of repo `core` was interrupted"]);
}

#[test]
fn a_package_embeds_its_own_repo_whatever_others_call_theirs() {
    let member = |name: &str| format!("[package]\nname = \"{name}\"\n{CORE}role = \"{name}\"\n");
    let mut project = Project::new("").write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\n[workspace.metadata.dbsetup.repos.core]\nschemas = \"app\"\n",
    );
    for name in ["a", "b"] {
        project = project
            .write(&format!("{name}/Cargo.toml"), member(name))
            .write(&format!("{name}/src/lib.rs"), "")
            .write(&format!("{name}/priv/core/migrations/1_a.sql"), "");
    }
    let project = project.write("c/Cargo.toml", "[package]\nname = \"c\"\n").write("c/src/lib.rs", "");
    let of_b = prepare(&project.path("b"), "core").expect("it is its own");
    assert!(of_b.settings("dev").contains(&("role", "Some(\"b\")".to_owned())));
    assert!(of_b.settings("dev").contains(&("schemas", "&[\"app\"]".to_owned())));
    let problem = prepare(&project.path("c"), "core").expect_err("nobody can tell which").to_string();
    assert!(problem.contains("two repos are called `core`") && problem.contains("Cargo.toml`"), "{problem}");
}

#[cfg(unix)]
#[test]
fn a_link_may_not_leave_the_repos_directories() {
    use std::os::unix::fs::symlink;
    let outside = tempfile::tempdir().expect("a temporary directory can be made");
    std::fs::write(outside.path().join("1_a.sql"), "a").expect("it is writable");
    for (link, target) in
        [("migrations/1_a.sql", "1_a.sql"), ("migrations", ""), ("seeds", ""), ("structure.sql", "1_a.sql")]
    {
        let project = Project::new(CORE).dir("priv/core/manual_migrations");
        let link = project.path("priv/core").join(link);
        std::fs::create_dir_all(parent(&link)).expect("it is writable");
        symlink(outside.path().join(target), &link).expect("it can be linked");
        let problem = project.problem("core");
        assert!(problem.contains("leaves `") && problem.contains("it leads to"), "{problem}");
    }
    let inside = Project::new(CORE).write("priv/core/shared/1_a.sql", "a");
    symlink("shared", inside.path("priv/core/migrations")).expect("it can be linked");
    assert_eq!(inside.core().files, ["priv/core/migrations/1_a.sql"]);
    symlink("../migrations", inside.path("priv/core/shared/round")).expect("it can be linked");
    assert!(inside.problem("core").contains("lies too deep"));
}
