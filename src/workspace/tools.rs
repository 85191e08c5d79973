//! What the files of other tools say about a crate: `sqlx.toml`, `diesel.toml`, `refinery.toml`, and the directories
//! that its sources name (`sqlx::migrate!("..")`, `embed_migrations!("..")`).

use std::path::{Path, PathBuf};

use dbsetup::{Error, Result};
use regex::Regex;
use toml::de::DeTable;
use walkdir::WalkDir;

use super::directory::clean;
use super::place;

/// The findings of one crate.
#[derive(Debug, Default)]
pub struct Tools {
    /// `sqlx.toml` of the crate, or of the workspace's root.
    pub sqlx: Option<SqlxToml>,
    /// The directory that `diesel.toml` speaks of.
    pub diesel: Option<PathBuf>,
    /// Whether there is a `refinery.toml`.
    pub refinery: bool,
}

/// `sqlx.toml`.
#[derive(Debug)]
pub struct SqlxToml {
    /// Where it is.
    pub path: PathBuf,
    /// `common.database-url-var`.
    pub url_variable: Option<String>,
    /// `migrate.table-name`.
    pub table: Option<String>,
    /// `migrate.ignored-chars`: characters that sqlx leaves out of its checksums.
    pub ignored_chars: Vec<char>,
    /// `migrate.migrations-dir`, or sqlx's default.
    pub migrations: PathBuf,
}

/// A directory that a source file hands to a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The directory.
    pub dir: PathBuf,
    /// Whether the macro is sqlx's.
    pub by_sqlx: bool,
    /// Whether it is an attribute of tests, which may have migrations of their own.
    pub for_tests: bool,
}

/// Looks at the crate in `dir`; what it does not have is looked for at the workspace's `root`.
///
/// # Errors
/// A `.toml` of these that cannot be read.
pub fn look(dir: &Path, root: &Path) -> Result<Tools> {
    let find = |name: &str| [dir, root].into_iter().map(|dir| dir.join(name)).find(|path| path.is_file());
    let mut tools = Tools { refinery: find("refinery.toml").is_some(), ..Tools::default() };
    if let Some(path) = find("sqlx.toml") {
        let text = std::fs::read_to_string(&path).map_err(|cause| Error::io("read", &path, cause))?;
        let document =
            DeTable::parse(&text).map_err(|error| place::unreadable(&path, root, &text, &error))?;
        let get = |table: &str, key: &str| text_at(document.get_ref(), table, key);
        // sqlx's macros take it from the crate's root, whichever directory the file is in.
        let home = path.parent().unwrap_or(dir);
        tools.sqlx = Some(SqlxToml {
            url_variable: get("common", "database-url-var"),
            table: get("migrate", "table-name"),
            ignored_chars: ignored_chars(document.get_ref()),
            migrations: clean(
                &home.join(get("migrate", "migrations-dir").as_deref().unwrap_or("migrations")),
            ),
            path: path.clone(),
        });
    }
    if let Some(path) = find("diesel.toml") {
        let text = std::fs::read_to_string(&path).map_err(|cause| Error::io("read", &path, cause))?;
        let document =
            DeTable::parse(&text).map_err(|error| place::unreadable(&path, root, &text, &error))?;
        let named = text_at(document.get_ref(), "migrations_directory", "dir");
        let home = path.parent().unwrap_or(dir);
        tools.diesel = Some(clean(&home.join(named.as_deref().unwrap_or("migrations"))));
    }
    Ok(tools)
}

fn text_at(document: &DeTable<'_>, table: &str, key: &str) -> Option<String> {
    let table = document.get(table)?.get_ref().as_table()?;
    Some(table.get(key)?.get_ref().as_str()?.to_owned())
}

/// Reads `migrate.ignored-chars`, a list of strings of one character each.
fn ignored_chars(document: &DeTable<'_>) -> Vec<char> {
    let list = || document.get("migrate")?.get_ref().as_table()?.get("ignored-chars")?.get_ref().as_array();
    list().into_iter().flatten().filter_map(|value| value.get_ref().as_str()).flat_map(str::chars).collect()
}

/// Returns the directories that the sources of the crate in `dir` hand to a macro; comment lines aside.
pub fn named_in_sources(dir: &Path) -> Vec<Named> {
    // Without Unicode tables: the ASCII classes say all that is needed.
    let pattern = concat!(
        r#"(?-u:\b)(?P<macro>embed_migrations|migrate)![[:space:]]*[\(\[\{][[:space:]]*"#,
        r#"(?:r?\#*"(?P<dir>[^"\n]*)"|[\)\]\}])"#,
        r#"|(?-u:\b)sqlx::test\([^\]]*?(?-u:\b)migrations[[:space:]]*=[[:space:]]*"(?P<test>[^"\n]+)""#,
    );
    let literal = Regex::new(pattern).expect("the pattern is a constant that parses");
    let mut named: Vec<Named> = Vec::new();
    let files = WalkDir::new(dir.join("src")).sort_by_file_name().into_iter().flatten();
    for file in files.filter(|file| file.path().extension().is_some_and(|extension| extension == "rs")) {
        let Ok(text) = std::fs::read_to_string(file.path()) else { continue };
        if !text.contains("migrat") {
            continue;
        }
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        for found in literal.captures_iter(&code) {
            let by_sqlx = found.name("macro").is_none_or(|name| name.as_str() == "migrate");
            let for_tests = found.name("test").is_some();
            let text = found.name("dir").or_else(|| found.name("test")).map_or("", |text| text.as_str());
            let text = if text.is_empty() { "migrations" } else { text };
            let path = clean(&dir.join(text));
            if path.is_dir() && !named.iter().any(|known| known.dir == path && known.by_sqlx == by_sqlx) {
                named.push(Named { dir: path, by_sqlx, for_tests });
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_directories_by_macros_and_not_in_comments() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let root = dir.path();
        for name in ["src/deep", "db/pg", "db/lite", "migrations", "sql", "tests_only"] {
            std::fs::create_dir_all(root.join(name)).expect("it is writable");
        }
        let source = r##"
            //! sqlx::migrate!("sql")
            static A: Migrator = sqlx::migrate!("./db/pg");
            static B: Migrator = migrate!(r#"db/lite"#);
            static C: Migrator = sqlx::migrate!();
            static D: Migrator = sqlx::migrate!("not/there");
            #[sqlx::test(fixtures("users"), migrations = "tests_only")]
            const E: EmbeddedMigrations = embed_migrations!("sql");
        "##;
        std::fs::write(root.join("src/deep/db.rs"), source).expect("it is writable");
        let found = named_in_sources(root);
        let shown: Vec<(String, bool)> = found
            .iter()
            .map(|named| {
                let dir = named.dir.strip_prefix(root).expect("they are below it");
                (dir.to_string_lossy().replace('\\', "/"), named.by_sqlx)
            })
            .collect();
        let expected =
            [("db/pg", true), ("db/lite", true), ("migrations", true), ("tests_only", true), ("sql", false)];
        assert_eq!(shown, expected.map(|(dir, by_sqlx)| (dir.to_owned(), by_sqlx)));
    }

    #[test]
    fn sqlx_toml_and_diesel_toml_name_directory_table_and_variable() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let (root, krate) = (dir.path(), dir.path().join("app"));
        std::fs::create_dir(&krate).expect("it is writable");
        let text = "[common]\ndatabase-url-var = \"APP_URL\"\n[migrate]\ntable-name = \"app._m\"\nignored-chars = [\"\\r\"]\nmigrations-dir = \"sql\"\n";
        std::fs::write(krate.join("sqlx.toml"), text).expect("it is writable");
        std::fs::write(root.join("diesel.toml"), "[migrations_directory]\ndir = \"d/m\"\n")
            .expect("it is writable");
        let tools = look(&krate, root).expect("both parse");
        let sqlx = tools.sqlx.expect("it is there");
        assert_eq!((sqlx.url_variable.as_deref(), sqlx.table.as_deref()), (Some("APP_URL"), Some("app._m")));
        assert_eq!(sqlx.ignored_chars, ['\r']);
        assert_eq!(sqlx.migrations, krate.join("sql"));
        assert_eq!(tools.diesel, Some(root.join("d/m")));
    }

    #[test]
    fn a_broken_sqlx_toml_is_an_error_at_its_line() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(dir.path().join("sqlx.toml"), "[common]\nurl = = \"s3cret\"\n")
            .expect("it is writable");
        let error = look(dir.path(), dir.path()).expect_err("it does not parse");
        assert_eq!(error.site().map(|site| site.at.line), Some(2));
        assert!(!format!("{error} {:?}", error.site()).contains("s3cret"), "{error}");
    }
}
