//! What the files of other tools say about a crate: `sqlx.toml`, `diesel.toml`, `refinery.toml`.

use std::path::Path;

use dbsetup::{Error, Result};
use dbsetup_build::layout::{SqlxToml, Tools};
use dbsetup_build::paths::clean;
use toml::de::DeTable;

use super::place;

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

#[cfg(test)]
mod tests {
    use super::*;

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
