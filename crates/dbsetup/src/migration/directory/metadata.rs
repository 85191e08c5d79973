//! `metadata.toml` of diesel's.

use std::path::Path;

use super::place::Warnings;
use crate::repo::Repo;

/// Reads `run_in_transaction` of diesel's `metadata.toml` as diesel does: an absent or unreadable file means yes, a
/// file without the key means no.
pub(super) fn runs_in_transaction(path: &Path, repo: &Repo, warnings: &mut Warnings) -> bool {
    let Ok(bytes) = repo.files.read(path) else { return true };
    let Ok(text) = std::str::from_utf8(&bytes) else { return true };
    match metadata_value(text) {
        Some(value) => value,
        None => {
            warnings.push((
                format!(
                    "`{}` is not understood; the migration runs in a transaction",
                    repo.shown(path).display()
                ),
                Some("write `run_in_transaction = false` or `true`".into()),
            ));
            true
        }
    }
}

/// Returns the value of the key, `false` where it is missing, `None` where the text is not such a file.
fn metadata_value(text: &str) -> Option<bool> {
    let mut value = false;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() || (line.starts_with('[') && line.ends_with(']')) {
            continue;
        }
        let (key, right) = line.split_once('=')?;
        if key.trim().trim_matches('"') == "run_in_transaction" {
            value = match right.trim() {
                "true" => true,
                "false" => false,
                _ => return None,
            };
        } else if right.trim().is_empty() {
            return None;
        }
    }
    Some(value)
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diesels_metadata_has_its_quirks() {
        assert_eq!(metadata_value("run_in_transaction = false\n"), Some(false));
        assert_eq!(metadata_value("run_in_transaction = true # yes\n"), Some(true));
        assert_eq!(metadata_value(""), Some(false));
        assert_eq!(metadata_value("# nothing\n"), Some(false));
        assert_eq!(metadata_value("run_in_transaction = maybe\n"), None);
        assert_eq!(metadata_value("what is this\n"), None);
    }
}
