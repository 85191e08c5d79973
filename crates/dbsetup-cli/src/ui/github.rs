//! GitHub Actions: annotations on files and the summary of a job.
//!
//! Workflow commands: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.

use std::io::Write;
use std::path::{Component, Path, PathBuf};

use dbsetup::Error;

/// Returns what leads from the root of the checkout, where GitHub looks for files, to `root`, which paths start from.
///
/// The checkout is `GITHUB_WORKSPACE` if `root` is in it, else the repository.
pub fn prefix(root: &Path) -> PathBuf {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let root = real(root);
    let of_job = std::env::var_os("GITHUB_WORKSPACE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let of_job = of_job.map(|path| real(&path)).filter(|checkout| root.starts_with(checkout));
    let checkout = of_job.as_deref().or_else(|| root.ancestors().find(|dir| dir.join(".git").exists()));
    checkout.and_then(|checkout| root.strip_prefix(checkout).ok()).unwrap_or(Path::new("")).to_path_buf()
}

/// Returns `path` behind `prefix`, `..` taken back.
fn in_checkout(prefix: &Path, path: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in prefix.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if whole.file_name().is_some() => drop(whole.pop()),
            part => whole.push(part),
        }
    }
    whole
}

/// Returns the annotation of an error; `prefix` leads to where its path starts.
pub fn error(program: &str, error: &Error, prefix: &Path) -> String {
    annotation("error", program, error, None, prefix)
}

/// Returns the annotation of an error or of what a check found. `level` is `error` or `warning`; `file` is what it is
/// about where it has no place of its own.
pub fn annotation(level: &str, title: &str, error: &Error, file: Option<&Path>, prefix: &Path) -> String {
    let mut message = error.message().to_owned();
    for note in error.notes() {
        message += &format!("\nnote: {note}");
    }
    if let Some(help) = error.help_text() {
        message += &format!("\nhelp: {help}");
    }
    let mut properties = Vec::new();
    let path = |path: &Path| in_checkout(prefix, path).display().to_string().replace('\\', "/");
    if let Some(site) = error.site() {
        properties.push(("file", path(&site.path)));
        properties.push(("line", site.at.line.to_string()));
        properties.push(("col", site.at.column.to_string()));
        properties.push(("endColumn", (site.at.column + site.width as u64).to_string()));
    }
    if let (None, Some(file)) = (error.site(), file) {
        properties.push(("file", path(file)));
    }
    properties.push(("title", title.to_owned()));
    command(level, &properties, &message)
}

/// Returns the annotation of a warning.
pub fn warning(program: &str, text: &str, help: Option<&str>) -> String {
    let message = match help {
        Some(help) => format!("{text}\nhelp: {help}"),
        None => text.to_owned(),
    };
    command("warning", &[("title", program.to_owned())], &message)
}

fn command(name: &str, properties: &[(&str, String)], message: &str) -> String {
    let properties: Vec<String> =
        properties.iter().map(|(key, value)| format!("{key}={}", property(value))).collect();
    format!("::{name} {}::{}", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Whether this is a job of GitHub Actions.
pub fn is_running() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Appends Markdown to the job's summary, where there is one. A summary that cannot be written is no failure.
pub fn summarize(program: &str, markdown: &str) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(path) {
        let _ = writeln!(file, "### {program}\n\n{markdown}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::Kind;
    use dbsetup::error::Site;

    #[test]
    fn an_annotation_points_at_the_file_and_cannot_be_broken_out_of() {
        let site = Site::in_text("a,b:c%.sql", "select x;\n", 7..8);
        let failure = Error::new(Kind::Statement, "100% wrong\r\n::stop::").at(site).note("rolled back");
        assert_eq!(
            error("cargo dbsetup", &failure, Path::new("")),
            "::error file=a%2Cb%3Ac%25.sql,line=1,col=8,endColumn=9,title=cargo dbsetup::100%25 wrong%0D%0A::stop::\
             %0Anote: rolled back"
        );
    }

    #[test]
    fn a_path_starts_at_the_root_of_the_checkout() {
        let shown = |prefix: &str, path: &str| in_checkout(Path::new(prefix), Path::new(path));
        assert_eq!(shown("server", "crates/a/1_a.sql"), Path::new("server/crates/a/1_a.sql"));
        assert_eq!(shown("server", "../db/1_a.sql"), Path::new("db/1_a.sql"));
        assert_eq!(shown("", "a.sql"), Path::new("a.sql"));
        assert_eq!(shown("server", "/abs/a.sql"), Path::new("/abs/a.sql"));
    }

    #[test]
    fn a_warning_has_no_place() {
        assert_eq!(warning("cargo dbsetup", "a", Some("b")), "::warning title=cargo dbsetup::a%0Ahelp: b");
    }
}
