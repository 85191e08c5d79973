//! The git repository that holds a workspace's files, as far as it matters here: what is committed, on which branch,
//! and what a file said at another commit. Asks the program `git`; changes nothing but a setting that it is told to.

pub mod attributes;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dbsetup::{Error, Kind, Result};

/// A repository with a work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    /// The root of the work tree.
    root: PathBuf,
}

#[allow(dead_code, reason = "some of it is taken up by commands that are not there yet")]
impl Git {
    /// Returns the repository that `path` (a directory) lies in; `None` outside of one, or where there is no git.
    pub fn around(path: &Path) -> Option<Self> {
        let found =
            run(path, &["rev-parse", "--show-toplevel"]).ok().filter(|output| output.status.success())?;
        let root = line(&found)?;
        Some(Self { root: std::fs::canonicalize(root).ok()? })
    }

    /// Returns the repository that a file is in, or would be in, and its path from the root of the work tree.
    pub fn of_file(file: &Path) -> Option<(Self, PathBuf)> {
        // Neither the file nor its directory need be there yet.
        let there = file.ancestors().skip(1).find(|directory| directory.exists())?;
        let real = std::fs::canonicalize(there).ok()?;
        let git = Self::around(&real)?;
        let path = real.join(file.strip_prefix(there).ok()?);
        let inside = path.strip_prefix(&git.root).ok()?.to_path_buf();
        Some((git, inside))
    }

    /// The root of the work tree.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that is checked out, in full; `None` before the first one.
    pub fn head(&self) -> Option<String> {
        self.one_line(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])
    }

    /// The branch that is checked out; `None` when none is.
    pub fn branch(&self) -> Option<String> {
        self.one_line(&["symbolic-ref", "--quiet", "--short", "HEAD"])
    }

    /// The branch that others start from: the remote's HEAD, else `main` or `master` where one of them alone exists.
    pub fn default_branch(&self) -> Option<String> {
        if let Some(remote) =
            self.one_line(&["symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD"])
        {
            return Some(remote.strip_prefix("origin/").unwrap_or(&remote).to_owned());
        }
        let has = |name: &&&str| self.commit(name).is_some();
        let known: Vec<&str> = ["main", "master"].iter().filter(has).copied().collect();
        match known[..] {
            [one] => Some(one.to_owned()),
            _ => None,
        }
    }

    /// The nearest tag before the checked-out commit, with the way from it: `v1.4.0`, `v1.4.0-3-g1234567`.
    pub fn describe(&self) -> Option<String> {
        self.one_line(&["describe", "--tags", "--always"])
    }

    /// Returns the commit that a name stands for.
    pub fn commit(&self, name: &str) -> Option<String> {
        // What begins with a dash would be an option.
        let name = format!("{name}^{{commit}}");
        self.one_line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])
    }

    /// Whether commits are missing below the checked-out one.
    pub fn is_shallow(&self) -> bool {
        self.one_line(&["rev-parse", "--is-shallow-repository"]).as_deref() == Some("true")
    }

    /// Returns the newest commit that two have in common.
    pub fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.one_line(&["merge-base", one, other])
    }

    /// Returns what is not committed below `paths`: a line each as `git status --porcelain` prints it
    /// (`?? priv/core/migrations/2_b.sql`), paths from the root of the work tree.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn changes(&self, paths: &[&Path]) -> Result<Vec<String>> {
        let mut words =
            vec!["status".into(), "--porcelain".into(), "--untracked-files=all".into(), "--".into()];
        words.extend(paths.iter().map(|path| path.as_os_str().to_owned()));
        Ok(self.lines(&words)?.into_iter().filter(|line| !line.is_empty()).collect())
    }

    /// Returns what a file said at a commit; `None` where it was not there. `path` is absolute or from the root of the
    /// work tree.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn show(&self, commit: &str, path: &Path) -> Result<Option<Vec<u8>>> {
        if self.files(commit, path)?.is_empty() {
            return Ok(None);
        }
        let name = format!("{commit}:{}", slashes(&self.inside(path)));
        let output =
            self.done(&["show".into(), "--no-textconv".into(), "--end-of-options".into(), name.into()])?;
        Ok(Some(output.stdout))
    }

    /// Returns the files below `path` at a commit, from the root of the work tree.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn files(&self, commit: &str, path: &Path) -> Result<Vec<PathBuf>> {
        let inside = self.inside(path);
        let words = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--"];
        let mut words: Vec<_> = words.iter().map(|word| (*word).into()).collect();
        if !inside.as_os_str().is_empty() {
            words.push(inside.into_os_string());
        }
        let output = self.done(&words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
    }

    /// Returns the files below `paths` that differ from a commit, committed or not, from the root of the work tree. What
    /// git does not know yet is not among them.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn differing(&self, commit: &str, paths: &[&Path]) -> Result<Vec<PathBuf>> {
        let words = ["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z", commit, "--"];
        let mut words: Vec<_> = words.iter().map(|word| (*word).into()).collect();
        words.extend(paths.iter().map(|path| self.inside(path).into_os_string()));
        let output = self.done(&words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
    }

    /// Returns the files below `paths` that git keeps, from the root of the work tree.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn tracked(&self, paths: &[&Path]) -> Result<Vec<PathBuf>> {
        let words = ["--literal-pathspecs", "ls-files", "-z", "--full-name", "--"];
        let mut words: Vec<std::ffi::OsString> = words.iter().map(|word| (*word).into()).collect();
        words.extend(paths.iter().map(|path| self.inside(path).into_os_string()));
        let output = self.done(&words)?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
    }

    /// Returns those of `paths`, there or not, that git would not take up because a pattern says so.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn ignored(&self, paths: &[&Path]) -> Result<Vec<PathBuf>> {
        let mut words: Vec<std::ffi::OsString> = vec!["check-ignore".into(), "--".into()];
        words.extend(paths.iter().map(|path| self.to_be(path).into_os_string()));
        let output = run(&self.root, &words)
            .map_err(|error| Error::io("run", Path::new("git check-ignore"), error))?;
        // 1 says that there is none.
        if !matches!(output.status.code(), Some(0 | 1)) {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::new(Kind::Program, format!("`git check-ignore` failed: {said}")));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().filter(|name| !name.is_empty()).map(PathBuf::from).collect())
    }

    /// Returns a path that need not be there as seen from the root of the work tree.
    fn to_be(&self, path: &Path) -> PathBuf {
        let there = path.ancestors().find(|path| path.exists());
        let real = there.and_then(|there| Some((there, std::fs::canonicalize(there).ok()?)));
        match real.and_then(|(there, real)| Some(real.join(path.strip_prefix(there).ok()?))) {
            // Joining nothing would leave a separator behind.
            Some(real) => {
                let real: PathBuf = real.components().collect();
                real.strip_prefix(&self.root).unwrap_or(path).to_path_buf()
            }
            None => path.to_path_buf(),
        }
    }

    /// Returns a setting of git's; `None` where it has none.
    pub fn setting(&self, key: &str) -> Option<String> {
        self.one_line(&["config", "--get", key])
    }

    /// Makes a setting of this clone.
    ///
    /// # Errors
    /// [`Kind::Program`] with what git says.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        self.done(&["config".into(), "--local".into(), key.into(), value.into()]).map(|_| ())
    }

    /// Returns the value of an attribute of a file; `unspecified` where it has none.
    pub fn attribute(&self, name: &str, path: &Path) -> Option<String> {
        let path = slashes(&self.inside(path));
        let answer = self.one_line(&["check-attr", name, "--", &path])?;
        answer.rsplit_once(": ").map(|(_, value)| value.to_owned())
    }

    /// Returns a path as seen from the root of the work tree.
    fn inside(&self, path: &Path) -> PathBuf {
        let real = std::fs::canonicalize(path).ok();
        let path = real.as_deref().unwrap_or(path);
        path.strip_prefix(&self.root).unwrap_or(path).to_path_buf()
    }

    fn one_line(&self, words: &[&str]) -> Option<String> {
        run(&self.root, words).ok().filter(|output| output.status.success()).and_then(|output| line(&output))
    }

    fn lines(&self, words: &[std::ffi::OsString]) -> Result<Vec<String>> {
        let output = self.done(words)?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    fn done(&self, words: &[std::ffi::OsString]) -> Result<Output> {
        let shown = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let failed = |why: String| Error::new(Kind::Program, format!("`git {shown}` failed: {why}"));
        let output = run(&self.root, words).map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(output);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(failed(said.trim().lines().next().unwrap_or("it gave no reason").to_owned()))
    }
}

/// Merges three files by lines, as git does where it is told nothing else; returns the text, and whether conflict markers
/// are in it.
///
/// # Errors
/// [`Kind::Program`] with what git says.
pub fn merge_file(ours: &Path, base: &Path, theirs: &Path) -> Result<(Vec<u8>, bool)> {
    let labels =
        ["merge-file", "-p", "-L", "ours", "-L", "base", "-L", "theirs", "--"].map(std::ffi::OsStr::new);
    let files = [ours, base, theirs].map(Path::as_os_str);
    let failed = |why: &str| Error::new(Kind::Program, format!("`git merge-file` failed: {why}"));
    let output = run(Path::new("."), &[&labels[..], &files[..]].concat());
    let output = output.map_err(|error| failed(&error.to_string()))?;
    match output.status.code() {
        // The number of conflicts, or a negative number for an error: git-merge-file(1).
        Some(conflicts @ 0..=127) => Ok((output.stdout, conflicts > 0)),
        _ => Err(failed(String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Runs git in a directory. What a hook or an outer git has set for its own repository is not for this one, and no
/// look at a repository is to write to it.
fn run<S: AsRef<std::ffi::OsStr>>(directory: &Path, words: &[S]) -> std::io::Result<Output> {
    let mut command = Command::new("git");
    command.args(["--no-optional-locks", "-c", "core.quotePath=false"]).args(words).current_dir(directory);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    command.stdin(std::process::Stdio::null()).output()
}

fn line(output: &Output) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

/// A path as git names it on every platform.
fn slashes(path: &Path) -> String {
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests;
