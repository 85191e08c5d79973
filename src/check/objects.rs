//! Differences between two databases as findings: one an object, with both sides. Pure.

use dbsetup::repo::Repo;
use dbsetup::structure::Difference;

use super::code::Code;
use super::finding::Finding;

/// How many properties of one object are shown.
const SHOWN: usize = 8;

/// Returns a finding for each object that differs. `sides` are the names of the original and of the copy. What belongs
/// to an object that is on one side alone is not told again.
pub fn findings(repo: &Repo, code: Code, differences: &[Difference], sides: (&str, &str)) -> Vec<Finding> {
    let lost: Vec<&str> = differences.iter().filter(|one| one.property.is_none()).map(name).collect();
    // Dependencies follow from what depends; alone, they are all that there is to say.
    let is_detail = |one: &Difference| one.catalog == "pg_depend";
    let all_details = differences.iter().all(is_detail);
    let mut objects: Vec<(&str, Vec<&Difference>)> = Vec::new();
    for one in differences.iter().filter(|one| all_details || !is_detail(one)) {
        let name = name(one);
        if lost.iter().any(|whole| is_part(name, whole)) {
            continue;
        }
        match objects.iter_mut().find(|(known, _)| *known == name) {
            Some((_, of)) => of.push(one),
            None => objects.push((name, vec![one])),
        }
    }
    objects.into_iter().map(|(name, of)| finding(repo, code, name, &of, sides)).collect()
}

/// The name by which all catalogs know an object: SQLite's has the kind before it.
fn name(difference: &Difference) -> &str {
    let object = difference.object.as_str();
    let kinds = ["table ", "index ", "view ", "trigger "];
    match difference.catalog.as_str() {
        "sqlite_schema" => kinds.iter().find_map(|kind| object.strip_prefix(kind)).unwrap_or(object),
        _ => object,
    }
}

/// Whether an object is a part of another one: a column of a table, the array type of a type.
fn is_part(name: &str, whole: &str) -> bool {
    name.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['.', ' ', ':', '[']))
}

fn finding(repo: &Repo, code: Code, name: &str, of: &[&Difference], (one, other): (&str, &str)) -> Finding {
    let whole = of.iter().find(|difference| difference.property.is_none());
    let finding = if let Some(whole) = whole {
        let (has, lacks) = if whole.copy.is_none() { (one, other) } else { (other, one) };
        Finding::new(code, format!("`{name}` is in {has}, and not in {lacks}"))
    } else {
        let finding = Finding::new(code, format!("`{name}` differs between {one} and {other}"));
        let shown = of.iter().take(SHOWN).map(|difference| difference.told(one, other));
        let finding = shown.fold(finding, Finding::note);
        match of.len().checked_sub(SHOWN) {
            None | Some(0) => finding,
            Some(more) => finding.note(format!("and {more} more")),
        }
    };
    let finding = finding.about(name).file(repo.shown(&repo.structure));
    match code {
        // What is deployed is nobody's to make again.
        Code::Drift if !repo.disposable => {
            finding.help("put the change into a migration, or take it back there")
        }
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

    fn difference(catalog: &str, object: &str) -> Difference {
        Difference {
            catalog: catalog.into(),
            object: object.into(),
            property: None,
            original: None,
            copy: Some("2".into()),
        }
    }

    #[test]
    fn what_belongs_to_an_object_is_a_part_of_it() {
        assert!(is_part("public.a.i", "public.a") && is_part("public.a[]", "public.a"));
        assert!(!is_part("public.a", "public.a") && !is_part("public.ab", "public.a"));
    }

    #[test]
    fn an_object_has_one_name_in_all_catalogs() {
        assert_eq!(name(&difference("sqlite_schema", "table a")), "a");
        assert_eq!(name(&difference("pragma", "a")), "a");
        assert_eq!(name(&difference("pg_class", "public.a")), "public.a");
    }
}
