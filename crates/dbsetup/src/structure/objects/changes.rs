//! What has changed from one structure file to another.

use std::collections::HashMap;

use super::key::Key;
use super::{Structure, order};

/// One thing that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `table public.users`.
    pub object: String,
    /// The block as it was; `None` where there was none.
    pub old: Option<String>,
    /// The block as it is; `None` where there is none any more.
    pub new: Option<String>,
}

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Added,
    Removed,
    Changed,
}

impl Change {
    /// What became of it.
    pub fn kind(&self) -> ChangeKind {
        match (&self.old, &self.new) {
            (None, _) => ChangeKind::Added,
            (_, None) => ChangeKind::Removed,
            _ => ChangeKind::Changed,
        }
    }
}

/// All that is not as it was. Where something stands in the file does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Filters, settings, objects, and rows of the ledger that say something else of the same version.
    pub objects: Vec<Change>,
    /// Kept rows, as they are written.
    pub rows_added: Vec<String>,
    /// Kept rows, as they were written.
    pub rows_removed: Vec<String>,
    /// Versions in the ledger, in ascending order.
    pub versions_added: Vec<String>,
    /// Versions that the ledger has lost, in ascending order.
    pub versions_removed: Vec<String>,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares two structures; `None` is a file that is not there.
pub fn changes(old: Option<&Structure>, new: Option<&Structure>) -> Changes {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old.clone(), new.clone()),
        (Some(old), None) => (old.clone(), Structure::empty_beside(old)),
        (None, Some(new)) => (Structure::empty_beside(new), new.clone()),
        (None, None) => return Changes::default(),
    };
    let added = |old: &[String], new: &[String]| left_over(new, old);
    let rows = |structure: &Structure| {
        structure
            .objects
            .iter()
            .filter(|object| object.are_rows())
            .flat_map(|object| object.statements.clone())
            .collect::<Vec<_>>()
    };
    let versions = |structure: &Structure| {
        let mut versions: Vec<String> =
            structure.versions.iter().map(|version| version.version.clone()).collect();
        versions.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        versions
    };
    let ((old_rows, new_rows), (old_versions, new_versions)) =
        ((rows(&old), rows(&new)), (versions(&old), versions(&new)));
    Changes {
        objects: objects(&old, &new),
        rows_added: added(&old_rows, &new_rows),
        rows_removed: added(&new_rows, &old_rows),
        versions_added: added(&old_versions, &new_versions),
        versions_removed: added(&new_versions, &old_versions),
    }
}

fn objects(old: &Structure, new: &Structure) -> Vec<Change> {
    let texts = |structure: &Structure| -> (Vec<Key>, HashMap<Key, String>) {
        let head = (Key::new("filters", ""), structure.filters.join("\n"));
        let head = Some(head).filter(|(_, text)| !text.is_empty());
        let objects = structure.settings.iter().chain(&structure.objects).filter(|object| !object.are_rows());
        let objects = objects.map(|object| (object.key.clone(), object.text(structure.dialect)));
        let rows = structure.versions.iter();
        let rows = rows.map(|row| (Key::new("version", row.version.as_str()), row.text.clone()));
        let all: Vec<_> = head.into_iter().chain(objects).chain(rows).collect();
        (all.iter().map(|(key, _)| key.clone()).collect(), all.into_iter().collect())
    };
    let ((old_keys, old), (new_keys, new)) = (texts(old), texts(new));
    let order = order::merged((&[], &new_keys, &old_keys), |_| true, |_, _| false);
    // Versions that come and go are told apart.
    let is_told = |key: &Key| key.kind != "version" || old.contains_key(key) && new.contains_key(key);
    let changes = order.into_iter().filter(is_told).map(|key| Change {
        object: key.to_string(),
        old: old.get(&key).cloned(),
        new: new.get(&key).cloned(),
    });
    changes.filter(|change| change.old != change.new).collect()
}

/// Returns what `all` has more of than `known`.
fn left_over(all: &[String], known: &[String]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    known.iter().for_each(|line| *counts.entry(line.as_str()).or_default() += 1);
    let is_new = |line: &&String| match counts.get_mut(line.as_str()) {
        Some(count @ 1..) => {
            *count -= 1;
            false
        }
        _ => true,
    };
    all.iter().filter(is_new).cloned().collect()
}
