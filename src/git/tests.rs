//! Against the real program, in repositories of their own.

use super::*;

fn git(directory: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"])
        .args(words)
        .current_dir(directory)
        .output()
        .expect("git is there");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A repository with one commit of `priv/a.sql`, on branch `main`.
fn repository() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    git(root, &["init", "-q"]);
    std::fs::create_dir(root.join("priv")).expect("a directory");
    std::fs::write(root.join("priv/a.sql"), "one\n").expect("a file");
    git(root, &["add", "."]);
    git(root, &["commit", "-q", "-m", "first"]);
    directory
}

#[test]
fn a_directory_outside_of_a_repository_has_none() {
    let directory = tempfile::tempdir().expect("a directory");
    assert_eq!(Git::around(directory.path()), None);
}

#[test]
fn a_repository_tells_its_commit_and_its_branches() {
    let directory = repository();
    let found = Git::around(&directory.path().join("priv")).expect("a repository");
    let head = found.head().expect("a commit");
    assert_eq!(head.len(), 40);
    assert_eq!(found.commit("main"), Some(head.clone()));
    assert_eq!(found.commit("--help"), None);
    assert_eq!(found.branch().as_deref(), Some("main"));
    assert_eq!(found.default_branch().as_deref(), Some("main"));
    git(directory.path(), &["checkout", "-q", "-b", "other"]);
    assert_eq!(found.branch().as_deref(), Some("other"));
    assert_eq!(found.default_branch().as_deref(), Some("main"));
    assert_eq!(found.merge_base("main", "other"), Some(head));
    assert!(!found.is_shallow());
    git(directory.path(), &["tag", "v1"]);
    assert_eq!(found.describe().as_deref(), Some("v1"));
}

#[test]
fn what_is_not_committed_is_listed_below_the_paths_alone() {
    let directory = repository();
    let found = Git::around(directory.path()).expect("a repository");
    let below = directory.path().join("priv");
    assert!(found.changes(&[&below]).expect("a list").is_empty());
    std::fs::write(directory.path().join("elsewhere"), "x").expect("a file");
    std::fs::write(below.join("a.sql"), "two\n").expect("a file");
    std::fs::write(below.join("new é.sql"), "x\n").expect("a file");
    let changes = found.changes(&[&below]).expect("a list");
    assert_eq!(changes, [" M priv/a.sql", "?? \"priv/new é.sql\""]);
}

#[test]
fn a_file_is_read_as_it_was() {
    let directory = repository();
    let found = Git::around(directory.path()).expect("a repository");
    std::fs::write(directory.path().join("priv/a.sql"), "two\n").expect("a file");
    let path = directory.path().join("priv/a.sql");
    assert_eq!(found.show("main", &path).expect("git answers").as_deref(), Some(&b"one\n"[..]));
    assert_eq!(found.show("main", Path::new("priv/b.sql")).expect("git answers"), None);
    assert_eq!(found.files("main", Path::new("priv")).expect("git answers"), [PathBuf::from("priv/a.sql")]);
    assert_eq!(found.show("nowhere", &path).unwrap_err().kind(), Kind::Program);
}
