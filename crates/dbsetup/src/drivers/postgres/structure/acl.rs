//! Access control lists as the server prints them, and the statements between two of them. Pure.
//! <https://www.postgresql.org/docs/current/ddl-priv.html>

use std::collections::BTreeMap;

/// Privileges, each with whether it may be granted on.
pub type Privileges = BTreeMap<char, bool>;

/// One item: what somebody has granted to somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Nothing for everyone.
    pub grantee: Option<String>,
    pub grantor: String,
    pub privileges: Privileges,
}

/// What a statement does with privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Revoke,
    /// Revokes the right to grant on, alone.
    RevokeOption,
    Grant,
    GrantWithOption,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub verb: Verb,
    /// Sorted as the words are.
    pub privileges: Vec<char>,
    /// Nothing for everyone.
    pub grantee: Option<String>,
    pub grantor: String,
}

/// Every letter and its word, in the order of the statements.
const WORDS: [(char, &str); 15] = [
    ('r', "SELECT"),
    ('a', "INSERT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('m', "MAINTAIN"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('c', "CONNECT"),
    ('T', "TEMPORARY"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

/// Returns the word of a letter.
fn word(letter: char) -> Option<&'static str> {
    WORDS.iter().find(|(own, _)| *own == letter).map(|(_, word)| *word)
}

/// Returns the words of letters, or `ALL` where that is what they are.
pub fn words_or_all(letters: &[char], all: &Privileges) -> String {
    let is_all = letters.len() == all.len() && letters.iter().all(|letter| all.contains_key(letter));
    if is_all { "ALL".to_owned() } else { words(letters, "") }
}

/// The privileges that there are on a kind of object: the owner of a new one has them all.
pub fn all_of(new: &[Item], owner: &str) -> Privileges {
    let own = new.iter().find(|item| item.grantee.as_deref() == Some(owner));
    own.map(|item| item.privileges.clone()).unwrap_or_default()
}

/// Returns the words of letters, with `after` behind each.
pub fn words(letters: &[char], after: &str) -> String {
    let words: Vec<String> =
        letters.iter().filter_map(|letter| word(*letter)).map(|word| format!("{word}{after}")).collect();
    words.join(", ")
}

/// Reads a list: the elements of an array of `aclitem`.
///
/// # Errors
/// The item that cannot be read, or has a letter that no known release has.
pub fn parse(list: &[String]) -> Result<Vec<Item>, String> {
    list.iter().map(|item| parse_item(item).ok_or_else(|| item.clone())).collect()
}

/// Reads `grantee=privileges/grantor`.
fn parse_item(text: &str) -> Option<Item> {
    let (grantee, rest) = role(text)?;
    let rest = rest.strip_prefix('=')?;
    let (letters, grantor) = rest.split_once('/')?;
    let (grantor, rest) = role(grantor)?;
    if !rest.is_empty() {
        return None;
    }
    let mut privileges = Privileges::new();
    let mut letters = letters.chars().peekable();
    while let Some(letter) = letters.next() {
        word(letter)?;
        privileges.insert(letter, letters.next_if_eq(&'*').is_some());
    }
    Some(Item { grantee: Some(grantee).filter(|name| !name.is_empty()), grantor, privileges })
}

/// Reads a name, quoted or not, and returns what follows it.
fn role(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(['=', '/']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return Some((name, &quoted[at + 1..]));
        }
    }
    None
}

/// Makes of a list what it becomes when its object goes from one owner to another: all that the old one has and has
/// granted, the new one has and has granted.
pub fn give(list: &mut [Item], from: &str, to: &str) {
    for item in list {
        if item.grantee.as_deref() == Some(from) {
            item.grantee = Some(to.to_owned());
        }
        if item.grantor == from {
            item.grantor = to.to_owned();
        }
    }
}

/// Returns what makes the list `actual` of the list `base`: first what is taken away, then what is given, by the
/// owner before others, and by these after they got it themselves, unless `held` says that they have it already. Else
/// the order is that of the names.
///
/// # Errors
/// A grantor who has nothing to grant.
pub fn changes(base: &[Item], actual: &[Item], owner: &str, held: &[Item]) -> Result<Vec<Change>, String> {
    let (base, actual) = (by_pair(base), by_pair(actual));
    let mut changes = Vec::new();
    let none = Privileges::new();
    for ((grantee, grantor), before) in &base {
        let after = actual.get(&(*grantee, *grantor)).copied().unwrap_or(&none);
        let gone = before.keys().copied().filter(|letter| !after.contains_key(letter));
        changes.extend(change(Verb::Revoke, gone, *grantee, grantor));
        let narrowed = before
            .iter()
            .filter(|(letter, option)| **option && after.get(letter) == Some(&false))
            .map(|(letter, _)| *letter);
        changes.extend(change(Verb::RevokeOption, narrowed, *grantee, grantor));
    }
    let mut given: Vec<Change> = Vec::new();
    for ((grantee, grantor), after) in &actual {
        let before = base.get(&(*grantee, *grantor)).copied().unwrap_or(&none);
        for (verb, option) in [(Verb::Grant, false), (Verb::GrantWithOption, true)] {
            let new = after
                .iter()
                .filter(|(letter, with)| {
                    **with == option && before.get(letter).is_none_or(|had| !had && option)
                })
                .map(|(letter, _)| *letter);
            given.extend(change(verb, new, *grantee, grantor));
        }
    }
    // What stays as it was is there from the start.
    let kept = base.iter().filter_map(|(pair, before)| Some((pair, *before, *actual.get(pair)?)));
    let kept = kept.flat_map(|((grantee, _), before, after)| {
        let letters = before.iter().filter(|(letter, option)| **option && after.get(letter) == Some(&true));
        letters.filter_map(|(letter, _)| Some(((*grantee)?.to_owned(), *letter)))
    });
    let held = held.iter().flat_map(|item| {
        let letters = item.privileges.iter().filter(|(_, option)| **option);
        letters.filter_map(|(letter, _)| Some((item.grantee.clone()?, *letter)))
    });
    let options = kept.chain(held).collect();
    in_turn(given, options, owner, changes)
}

/// Puts grants behind those that they need.
fn in_turn(
    mut waiting: Vec<Change>,
    mut options: Vec<(String, char)>,
    owner: &str,
    mut changes: Vec<Change>,
) -> Result<Vec<Change>, String> {
    // The owner's own come first.
    waiting.sort_by_key(|change| (change.grantor != owner, change.grantee.as_deref() != Some(owner)));
    while !waiting.is_empty() {
        let may = |change: &Change| {
            change.grantor == owner
                || change.privileges.iter().all(|letter| {
                    options.iter().any(|(role, granted)| *role == change.grantor && granted == letter)
                })
        };
        let Some(next) = waiting.iter().position(may) else {
            return Err(waiting[0].grantor.clone());
        };
        let change = waiting.remove(next);
        if let (Verb::GrantWithOption, Some(grantee)) = (change.verb, &change.grantee) {
            options.extend(change.privileges.iter().map(|letter| (grantee.clone(), *letter)));
        }
        changes.push(change);
    }
    Ok(changes)
}

type Pairs<'a> = BTreeMap<(Option<&'a str>, &'a str), &'a Privileges>;

fn by_pair(items: &[Item]) -> Pairs<'_> {
    items.iter().map(|item| ((item.grantee.as_deref(), item.grantor.as_str()), &item.privileges)).collect()
}

fn change(
    verb: Verb,
    letters: impl Iterator<Item = char>,
    grantee: Option<&str>,
    grantor: &str,
) -> Option<Change> {
    let mut privileges: Vec<char> = letters.collect();
    privileges.sort_by_key(|letter| WORDS.iter().position(|(own, _)| own == letter));
    (!privileges.is_empty()).then(|| Change {
        verb,
        privileges,
        grantee: grantee.map(str::to_owned),
        grantor: grantor.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(list: &[&str]) -> Vec<Item> {
        parse(&list.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>()).expect("it can be read")
    }

    /// The statements from one list to another, as words.
    fn between(base: &[&str], actual: &[&str]) -> Vec<String> {
        let changes = changes(&items(base), &items(actual), "own", &[]).expect("everyone may grant");
        changes
            .iter()
            .map(|change| {
                let verb = match change.verb {
                    Verb::Revoke => "-",
                    Verb::RevokeOption => "-*",
                    Verb::Grant => "+",
                    Verb::GrantWithOption => "+*",
                };
                let letters: String = change.privileges.iter().collect();
                let grantee = change.grantee.as_deref().unwrap_or("PUBLIC");
                format!("{verb}{letters} {grantee} by {}", change.grantor)
            })
            .collect()
    }

    #[test]
    fn an_item_is_read_whatever_its_names_are() {
        let read = |text| {
            let item = parse_item(text).unwrap_or_else(|| panic!("{text}"));
            let letters: String = item
                .privileges
                .iter()
                .map(|(letter, with)| format!("{letter}{}", if *with { "*" } else { "" }))
                .collect();
            (item.grantee.unwrap_or_default(), letters, item.grantor)
        };
        let three = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(read("bob=r*w/alice"), three("bob", "r*w", "alice"));
        assert_eq!(read("=U/alice"), three("", "U", "alice"));
        assert_eq!(read(r#""a=b/""c"=X/"my role""#), three("a=b/\"c", "X", "my role"));
        assert_eq!(read("überall=r/alice"), three("überall", "r", "alice"));
        assert_eq!(read("own=/own"), three("own", "", "own"));
    }

    #[test]
    fn an_item_of_another_shape_or_with_an_unknown_letter_is_an_error() {
        for text in ["bob", "bob=r", "bob=ry/alice", "\"bob=r/alice", "bob=r/alice extra=", "bob=*r/alice"] {
            assert_eq!(parse(&[text.to_owned()]), Err(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_list_follows_the_owner() {
        let mut list = items(&["own=X/own", "=X/own", "bob=X/ann"]);
        give(&mut list, "own", "new");
        assert_eq!(list, items(&["new=X/new", "=X/new", "bob=X/ann"]));
    }

    #[test]
    fn nothing_changes_between_equal_lists() {
        assert_eq!(between(&["own=arw/own", "=r/own"], &["=r/own", "own=wra/own"]), [""; 0]);
    }

    #[test]
    fn what_is_taken_away_comes_before_what_is_given() {
        let base = ["=X/own", "own=X/own"];
        assert_eq!(
            between(&base, &["own=X/own", "bob=X/own", "ann=X*/own"]),
            ["-X PUBLIC by own", "+*X ann by own", "+X bob by own"]
        );
        assert_eq!(between(&base, &[]), ["-X PUBLIC by own", "-X own by own"]);
    }

    #[test]
    fn an_item_changes_only_where_it_differs() {
        assert_eq!(
            between(&["bob=r*w*d/own"], &["bob=r*wa*/own"]),
            ["-d bob by own", "-*w bob by own", "+*a bob by own"]
        );
        assert_eq!(between(&["bob=r/own"], &["bob=r*/own"]), ["+*r bob by own"]);
    }

    #[test]
    fn who_grants_on_does_so_after_he_got_it_himself() {
        let chain = ["zoe=r*/own", "bob=r*/zoe", "ann=r/bob", "=r/zoe"];
        assert_eq!(
            between(&[], &chain),
            ["+*r zoe by own", "+r PUBLIC by zoe", "+*r bob by zoe", "+r ann by bob"]
        );
        assert_eq!(between(&["zoe=r*/own"], &["zoe=r*/own", "ann=r/zoe"]), ["+r ann by zoe"]);
    }

    #[test]
    fn who_has_nothing_to_grant_is_named() {
        let granted = items(&["zoe=r/own", "ann=r/zoe"]);
        assert_eq!(changes(&[], &granted, "own", &[]), Err("zoe".to_owned()));
        assert!(changes(&[], &granted, "own", &items(&["zoe=r*/own"])).is_ok());
    }

    #[test]
    fn the_owners_own_privileges_come_first() {
        assert_eq!(between(&[], &["ann=r/own", "own=arw/own"]), ["+raw own by own", "+r ann by own"]);
    }
}
