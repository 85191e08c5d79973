//! git in a project, as whoever works there would use it: `cargo dbsetup` is this build.

use std::ffi::OsString;
use std::path::Path;
use std::process::Output;

use super::Project;
use super::command::clean_environment;

/// Runs git at the project's root.
pub fn try_git<S: AsRef<str>>(project: &Project, words: &[S]) -> Output {
    let mut path: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let program = Path::new(env!("CARGO_BIN_EXE_cargo-dbsetup"));
    path.insert(0, program.parent().expect("the program is in a directory").to_path_buf());
    let path: OsString = std::env::join_paths(path).expect("the directories have plain names");
    let mut git = std::process::Command::new("git");
    git.args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]);
    git.args(["-c", "commit.gpgSign=false"]);
    git.args(words.iter().map(AsRef::as_ref)).current_dir(project.root()).env_clear();
    git.envs(clean_environment(project));
    git.envs(project.env.iter().map(|(name, value)| (name, value))).env("PATH", path);
    git.output().expect("git is there")
}

/// Runs git at the project's root, and returns what it printed.
#[track_caller]
pub fn git(project: &Project, line: &str) -> String {
    let words = shell_words::split(line).expect("the line is well formed");
    let output = try_git(project, &words);
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "git {line}\n{stdout}\n{stderr}");
    stdout.trim().to_owned()
}

/// Commits everything; makes the repository, with the branch `main`, where there is none.
#[track_caller]
pub fn committed(project: &Project) {
    if !project.path(".git").exists() {
        project.write(".gitignore", "target\n*.db*\n");
        git(project, "init -q");
    }
    git(project, "add .");
    git(project, "commit -q -m work");
}
