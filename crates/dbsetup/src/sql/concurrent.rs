//! The index statements of PostgreSQL that run outside a transaction: which objects they make, drop or rebuild.
//!
//! A failed `CREATE INDEX CONCURRENTLY` leaves an invalid index behind; whoever retries has to know its name.
//! Sources: PostgreSQL documentation, `CREATE INDEX`, `DROP INDEX`, `REINDEX`.

use super::classify::Words;
use super::dialect::Dialect;
use super::identifier;

/// The name of an object as the catalog has it: folded, or verbatim where it was quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QualifiedName {
    /// Nothing when the search path decides.
    pub schema: Option<String>,
    pub name: String,
}

/// What `REINDEX` rebuilds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
    System,
}

/// An index statement with `CONCURRENTLY`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConcurrentIndex {
    /// `CREATE [UNIQUE] INDEX CONCURRENTLY`. The index goes into the schema of its table; without a name the server
    /// chooses one.
    Create { name: Option<String>, table: QualifiedName, if_not_exists: bool, unique: bool },
    /// `DROP INDEX CONCURRENTLY`.
    Drop { names: Vec<QualifiedName>, if_exists: bool },
    /// `REINDEX .. CONCURRENTLY`; a database may go without its name.
    Reindex { target: ReindexTarget, name: Option<QualifiedName> },
}

/// Returns what a PostgreSQL statement does to indexes concurrently, or nothing for any other statement.
pub fn concurrent_index(statement: &str) -> Option<ConcurrentIndex> {
    let words = Words::new(Dialect::Postgres, statement);
    if words.is(0, "create") {
        create(&words)
    } else if words.is(0, "drop") {
        drop(&words)
    } else if words.is(0, "reindex") {
        reindex(&words)
    } else {
        None
    }
}

fn create(words: &Words<'_>) -> Option<ConcurrentIndex> {
    let unique = words.is(1, "unique");
    let mut at = if unique { 2 } else { 1 };
    if !words.is(at, "index") || !words.is(at + 1, "concurrently") {
        return None;
    }
    at += 2;
    let if_not_exists = words.is(at, "if") && words.is(at + 1, "not") && words.is(at + 2, "exists");
    if if_not_exists {
        at += 3;
    }
    let name = if words.is(at, "on") {
        None
    } else {
        let (name, next) = qualified_name(words, at)?;
        at = next;
        Some(name.name)
    };
    if !words.is(at, "on") {
        return None;
    }
    at += if words.is(at + 1, "only") { 2 } else { 1 };
    let (table, _) = qualified_name(words, at)?;
    Some(ConcurrentIndex::Create { name, table, if_not_exists, unique })
}

fn drop(words: &Words<'_>) -> Option<ConcurrentIndex> {
    if !words.is(1, "index") || !words.is(2, "concurrently") {
        return None;
    }
    let if_exists = words.is(3, "if") && words.is(4, "exists");
    let mut at = if if_exists { 5 } else { 3 };
    let mut names = Vec::new();
    loop {
        let (name, next) = qualified_name(words, at)?;
        names.push(name);
        if !words.tokens.get(next).is_some_and(|token| token.is_punctuation(",")) {
            return Some(ConcurrentIndex::Drop { names, if_exists });
        }
        at = next + 1;
    }
}

fn reindex(words: &Words<'_>) -> Option<ConcurrentIndex> {
    let mut at = 1;
    if words.tokens.get(at).is_some_and(|token| token.is_punctuation("(")) {
        at += words.tokens.iter().skip(at).position(|token| token.is_punctuation(")"))? + 1;
    }
    let target = [
        ("index", ReindexTarget::Index),
        ("table", ReindexTarget::Table),
        ("schema", ReindexTarget::Schema),
        ("database", ReindexTarget::Database),
        ("system", ReindexTarget::System),
    ]
    .into_iter()
    .find_map(|(word, target)| words.is(at, word).then_some(target))?;
    at += 1;
    let concurrently = words.is(at, "concurrently");
    if !concurrently && !words.option_is_on("concurrently") {
        return None;
    }
    let name = qualified_name(words, at + usize::from(concurrently)).map(|(name, _)| name);
    Some(ConcurrentIndex::Reindex { target, name })
}

/// Reads `name`, `schema.name` or `database.schema.name`, and returns the index of the token behind it.
fn qualified_name(words: &Words<'_>, mut at: usize) -> Option<(QualifiedName, usize)> {
    let part = |at: usize| identifier::name(Dialect::Postgres, *words.tokens.get(at)?);
    let mut found = QualifiedName { schema: None, name: part(at)?.into_owned() };
    at += 1;
    while words.tokens.get(at).is_some_and(|token| token.is_punctuation(".")) {
        found = QualifiedName { schema: Some(found.name), name: part(at + 1)?.into_owned() };
        at += 2;
    }
    Some((found, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: Option<&str>, name: &str) -> QualifiedName {
        QualifiedName { schema: schema.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn a_concurrent_index_is_named_as_the_catalog_names_it() {
        assert_eq!(
            concurrent_index(
                "/* c */ CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS By_Mail ON ONLY App.\"Users\" (mail)"
            ),
            Some(ConcurrentIndex::Create {
                name: Some("by_mail".to_owned()),
                table: name(Some("app"), "Users"),
                if_not_exists: true,
                unique: true,
            })
        );
    }

    #[test]
    fn an_index_without_a_name_has_none() {
        assert_eq!(
            concurrent_index("create index concurrently on db.app.users using gin (a)"),
            Some(ConcurrentIndex::Create {
                name: None,
                table: name(Some("app"), "users"),
                if_not_exists: false,
                unique: false,
            })
        );
    }

    #[test]
    fn every_dropped_index_is_told() {
        assert_eq!(
            concurrent_index("DROP INDEX CONCURRENTLY IF EXISTS a, S.\"B\" CASCADE"),
            Some(ConcurrentIndex::Drop {
                names: vec![name(None, "a"), name(Some("s"), "B")],
                if_exists: true
            })
        );
    }

    #[test]
    fn reindex_is_concurrent_by_word_or_by_option() {
        for text in ["REINDEX INDEX CONCURRENTLY s.i", "reindex (verbose, concurrently) index s.i"] {
            assert_eq!(
                concurrent_index(text),
                Some(ConcurrentIndex::Reindex {
                    target: ReindexTarget::Index,
                    name: Some(name(Some("s"), "i"))
                }),
                "{text}"
            );
        }
        assert_eq!(
            concurrent_index("REINDEX DATABASE CONCURRENTLY"),
            Some(ConcurrentIndex::Reindex { target: ReindexTarget::Database, name: None })
        );
        assert_eq!(concurrent_index("REINDEX (CONCURRENTLY off) INDEX i"), None);
    }

    #[test]
    fn other_statements_are_none_of_these() {
        for text in [
            "CREATE INDEX i ON t (a)",
            "CREATE INDEX \"concurrently\" ON t (a)",
            "DROP INDEX i",
            "REINDEX TABLE t",
            "CREATE INDEX CONCURRENTLY",
            "SELECT 'create index concurrently i on t (a)'",
            "",
        ] {
            assert_eq!(concurrent_index(text), None, "{text}");
        }
    }
}
