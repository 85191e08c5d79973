//! Differences between two databases as findings: one an object, with both sides. Pure.

use std::collections::BTreeMap;

use dbsetup::repo::Repo;
use dbsetup::structure::Difference;
use dbsetup::structure::convergence::worded;

use super::code::Code;
use super::finding::Finding;

/// How many properties of one object are shown.
const SHOWN: usize = 8;

/// Returns a finding for each object that differs. `sides` are the names of the original and of the copy. What belongs
/// to an object that is on one side alone is not told again.
pub fn findings(repo: &Repo, code: Code, differences: &[Difference], sides: (&str, &str)) -> Vec<Finding> {
    let lost: Vec<&str> = differences
        .iter()
        .filter(|difference| difference.property.is_none())
        .map(|difference| difference.object.as_str())
        .collect();
    let mut objects: Vec<(String, Vec<&Difference>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for difference in differences.iter().filter(|difference| !is_implied(difference, &lost)) {
        let key = format!("{} {}", difference.catalog, difference.object);
        let at = *places.entry(key.clone()).or_insert_with(|| {
            objects.push((key, Vec::new()));
            objects.len() - 1
        });
        objects[at].1.push(difference);
    }
    // Dependencies follow from what depends; alone, they are all that there is to say.
    if objects.iter().any(|(key, _)| !key.starts_with("pg_depend ")) {
        objects.retain(|(key, _)| !key.starts_with("pg_depend "));
    }
    objects.into_iter().map(|(key, of)| finding(repo, code, key, &of, sides)).collect()
}

/// Whether a difference follows from an object that one side lacks: a column of a table.
fn is_implied(difference: &Difference, lost: &[&str]) -> bool {
    lost.iter().any(|whole| {
        let rest = difference.object.strip_prefix(whole);
        rest.is_some_and(|rest| {
            rest.starts_with(['.', ' ', ':']) || (rest.is_empty() && difference.property.is_some())
        })
    })
}

fn finding(repo: &Repo, code: Code, key: String, of: &[&Difference], (one, other): (&str, &str)) -> Finding {
    let lines: Vec<String> = of.iter().map(|difference| worded(difference, one, other)).collect();
    let (message, notes) = match &lines[..] {
        [line] => (line.clone(), &[][..]),
        lines => (format!("{key} differs between {one} and {other}"), lines),
    };
    let mut finding =
        Finding::new(code, message).about(key.split_once(' ').map_or(&*key, |(_, object)| object));
    for note in notes.iter().take(SHOWN) {
        finding = finding.note(note.strip_prefix(&format!("{key}: ")).unwrap_or(note));
    }
    if notes.len() > SHOWN {
        finding = finding.note(format!("and {} more properties", notes.len() - SHOWN));
    }
    let finding = finding.file(repo.shown(&repo.structure));
    match code {
        Code::Drift => finding.help(format!(
            "put the change into a migration; or make the database again: {}",
            repo.command("reset")
        )),
        Code::ArchiveDiffers => finding
            .help("find the squashed file that was changed (`git log -- dumped_migrations`), and restore it"),
        _ => finding.help(format!(
            "put what the file alone says into a migration; else make the file anew: {}, then {}",
            repo.command("reset"),
            repo.command("dump")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(catalog: &str, object: &str, property: Option<&str>) -> Difference {
        Difference {
            catalog: catalog.into(),
            object: object.into(),
            property: property.map(str::to_owned),
            original: Some("1".into()),
            copy: property.map(|_| "2".into()),
        }
    }

    #[test]
    fn what_belongs_to_a_lost_object_is_not_told_again() {
        let lost = ["public.a"];
        assert!(is_implied(&difference("pg_attribute", "public.a.i", None), &lost));
        assert!(!is_implied(&difference("pg_class", "public.a", None), &lost));
        assert!(!is_implied(&difference("pg_class", "public.ab", None), &lost));
    }
}
