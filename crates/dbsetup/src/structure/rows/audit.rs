//! What becomes of rows that migrations have inserted: each table that holds any is kept, or left out by name. Pure.

use super::near::nearest;
use crate::choice::split_qualified;
use crate::driver::{DumpRequest, FilledTable, KeepTable, TableName};
use crate::error::{Error, Kind, Result};
use crate::pattern::matches;
use crate::repo::{KeepData, Repo};

/// What is to become of rows.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The `keep-data` setting.
    pub keep: &'a [KeepData],
    /// Tables whose rows are left out from now on (`--drop-data`).
    pub drop: &'a [String],
    /// What the structure is asked for: what it leaves out has no rows in it either, and
    /// [`DumpRequest::without_rows`] was decided before.
    pub request: &'a DumpRequest,
}

/// What becomes of the rows of each table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// Tables whose rows are kept.
    pub kept: Vec<KeepTable>,
    /// Tables whose rows are left out, with or without rows here: the names that the structure's head is to remember.
    pub without_rows: Vec<String>,
    /// Tables that hold rows of which nobody has said anything.
    pub undecided: Vec<FilledTable>,
    /// Tables that hold rows which are left out.
    pub dropped: Vec<FilledTable>,
    /// What whoever configured it should know. A sentence each.
    pub warnings: Vec<String>,
}

impl Audit {
    /// Tables that hold rows here and not in the structure.
    pub(super) fn without(&self) -> Vec<TableName> {
        self.dropped.iter().chain(&self.undecided).map(FilledTable::table).collect()
    }
}

/// Decides for each table. `schema` is the one that names without a schema mean.
///
/// # Errors
/// [`Kind::Configuration`] for a name that no table has, or that the structure leaves out, and for a table that is
/// named twice.
pub fn audit(tables: &[FilledTable], schema: Option<&str>, wishes: &Wishes<'_>) -> Result<Audit> {
    let mut audit = Audit::default();
    for KeepData { table: name, except } in wishes.keep {
        let table =
            find(tables, schema, name).ok_or_else(|| no_table("`keep-data`", name, tables, schema))?;
        let kept = KeepTable { table: table.table(), except: except.clone() };
        if audit.kept.iter().any(|other| other.table == kept.table) {
            let what = format!("`keep-data` names `{}` twice", kept.table.shown());
            return Err(Error::new(Kind::Configuration, what));
        }
        if !is_written(&kept.table, wishes.request) {
            let what = format!("`keep-data` names `{}`, which the structure leaves out", kept.table.shown());
            return Err(Error::new(Kind::Configuration, what).help(
                "take it out of `keep-data`, or out of the filters at the head of the structure file",
            ));
        }
        if table.rows == 0 {
            audit.warnings.push(format!(
                "`keep-data` names `{}`, and no migration has inserted a row there",
                kept.table.shown()
            ));
        }
        audit.kept.push(kept);
    }
    let is_kept =
        |audit: &Audit, table: &FilledTable| audit.kept.iter().any(|kept| kept.table == table.table());
    for name in wishes.drop {
        let table =
            find(tables, schema, name).ok_or_else(|| no_table("`--drop-data`", name, tables, schema))?;
        if is_kept(&audit, table) {
            let what = format!("`{}` is to be kept and to be left out", table.table().shown());
            return Err(Error::new(Kind::Configuration, what)
                .help("take it out of `keep-data`, or leave out `--drop-data`"));
        }
        if table.rows == 0 {
            audit.warnings.push(format!("`{}` holds no row that could be left out", table.table().shown()));
        }
        audit.without_rows.push(table.table().shown());
    }
    // What is not there any more is forgotten, and what is configured to be kept is not left out any more.
    let remembered = wishes.request.without_rows.iter().filter_map(|name| find(tables, schema, name));
    let remembered = remembered.filter(|table| !is_kept(&audit, table)).map(|table| table.table().shown());
    audit.without_rows.extend(remembered.collect::<Vec<_>>());
    audit.without_rows.sort();
    audit.without_rows.dedup();
    for table in tables.iter().filter(|table| table.rows > 0) {
        let name = table.table();
        if is_kept(&audit, table) {
            continue;
        }
        if audit.without_rows.contains(&name.shown()) || !is_written(&name, wishes.request) {
            audit.dropped.push(table.clone());
        } else {
            audit.undecided.push(table.clone());
        }
    }
    audit.kept.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(audit)
}

/// Whether a table is there that a name means. `schema` is the one that names without a schema mean.
pub fn is_there(tables: &[FilledTable], schema: Option<&str>, name: &str) -> bool {
    find(tables, schema, name).is_some()
}

/// Returns the table that a name means.
fn find<'a>(tables: &'a [FilledTable], schema: Option<&str>, name: &str) -> Option<&'a FilledTable> {
    // What is shown of a table always means that table, whatever is in its name.
    if let Some(table) = tables.iter().find(|table| table.schema.is_some() && table.table().shown() == name) {
        return Some(table);
    }
    let (in_schema, in_name) = split_qualified(name);
    tables.iter().find(|table| match &table.schema {
        Some(own) => {
            let wanted = in_schema.as_deref().or(schema);
            wanted == Some(own) && table.name == in_name
                || in_schema.is_some() && schema == Some(own) && table.name == name
        }
        // An engine without schemas does not tell letters apart either.
        None => {
            table.name.eq_ignore_ascii_case(name)
                || in_schema.as_deref() == Some("main") && table.name.eq_ignore_ascii_case(&in_name)
                || table.name.eq_ignore_ascii_case(name.trim_matches('"'))
        }
    })
}

fn no_table(where_: &str, name: &str, tables: &[FilledTable], schema: Option<&str>) -> Error {
    let error =
        Error::new(Kind::Configuration, format!("{where_} names `{name}`, and there is no such table"));
    let names: Vec<(String, String)> = tables
        .iter()
        .flat_map(|table| {
            let shown = table.table().shown();
            let short = (table.schema.as_deref() == schema).then(|| (table.name.clone(), table.name.clone()));
            // The right table in another schema is meant, too.
            [Some((shown.clone(), shown.clone())), short, Some((table.name.clone(), shown))]
        })
        .flatten()
        .collect();
    let near = nearest(name, names.iter().map(|(said, _)| &**said));
    match near.and_then(|near| names.iter().find(|(said, _)| said == near)) {
        Some((_, meant)) => error.help(format!("do you mean `{meant}`?")),
        None => error
            .help("name a table as `name` or `schema.name`; a partition is named by its partitioned table"),
    }
}

/// Whether a structure holds a table.
pub(in crate::structure) fn is_written(table: &TableName, request: &DumpRequest) -> bool {
    let any = |patterns: &[String], name: &str| patterns.iter().any(|pattern| matches(pattern, name));
    let Some(schema) = &table.schema else {
        let is = |name: &String| name.strip_prefix("main.").unwrap_or(name).eq_ignore_ascii_case(&table.name);
        return !request.exclude_tables.iter().any(is);
    };
    let is_table = |pattern: &String| match pattern.split_once('.') {
        Some((in_schema, name)) => matches(in_schema, schema) && matches(name, &table.name),
        None => matches(pattern, &table.name),
    };
    (request.schemas.is_empty() || any(&request.schemas, schema))
        && !any(&request.exclude_schemas, schema)
        && !request.exclude_tables.iter().any(is_table)
}

/// Returns the refusal of rows of which nobody has said what becomes of them, with both answers ready to paste;
/// `command` is the command that was given, without `cargo dbsetup`.
pub fn undecided(repo: &Repo, audit: &Audit, command: &str) -> Option<Error> {
    if audit.undecided.is_empty() {
        return None;
    }
    let count = audit.undecided.len();
    let what = match count {
        1 => "1 table holds rows".to_owned(),
        count => format!("{count} tables hold rows"),
    };
    let mut error = Error::new(
        Kind::Refused,
        format!(
            "{what} that migrations of `{}` have inserted, and nobody has said what becomes of them",
            repo.name
        ),
    );
    for table in &audit.undecided {
        let rows = if table.rows == 1 { "1 row".to_owned() } else { format!("{} rows", table.rows) };
        error = error.note(format!("`{}`: {rows}", table.table().shown()));
    }
    let mut kept = repo.keep_data.clone();
    let names: Vec<String> = audit.undecided.iter().map(|table| table.table().shown()).collect();
    kept.extend(names.iter().map(|table| KeepData { table: table.clone(), except: Vec::new() }));
    let dropped: Vec<String> = names.iter().map(|name| format!(" --drop-data {}", shell(name))).collect();
    Some(error.help(format!(
        "keep them, in Cargo.toml below [package.metadata.dbsetup.repos.{}]: `{}`; or leave them out: {}",
        repo.name,
        setting(&kept),
        repo.command(&format!("{command}{}", dropped.concat()))
    )))
}

/// The `keep-data` setting as it stands in Cargo.toml.
pub(in crate::structure) fn setting(kept: &[KeepData]) -> String {
    let text = |name: &str| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
    let entries: Vec<String> = kept
        .iter()
        .map(|kept| match &kept.except[..] {
            [] => text(&kept.table),
            except => {
                let except: Vec<String> = except.iter().map(|column| text(column)).collect();
                format!("{{ table = {}, except = [{}] }}", text(&kept.table), except.join(", "))
            }
        })
        .collect();
    format!("keep-data = [{}]", entries.join(", "))
}

/// A word of a command line.
pub(in crate::structure) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::repo;

    fn tables(all: &[(&str, u64)]) -> Vec<FilledTable> {
        let table = |(name, rows): &(&str, u64)| match name.split_once('.') {
            Some((schema, name)) => {
                FilledTable { schema: Some(schema.into()), name: name.into(), rows: *rows }
            }
            None => FilledTable { schema: None, name: (*name).into(), rows: *rows },
        };
        all.iter().map(table).collect()
    }

    fn keep(names: &[&str]) -> Vec<KeepData> {
        names.iter().map(|name| KeepData { table: (*name).into(), except: Vec::new() }).collect()
    }

    fn audited(all: &[(&str, u64)], kept: &[&str], dropped: &[&str], request: &DumpRequest) -> Result<Audit> {
        let dropped: Vec<String> = dropped.iter().map(|name| (*name).to_owned()).collect();
        let wishes = Wishes { keep: &keep(kept), drop: &dropped, request };
        let schema = all.first().is_some_and(|(name, _)| name.contains('.')).then_some("public");
        audit(&tables(all), schema, &wishes)
    }

    fn names(tables: &[FilledTable]) -> Vec<String> {
        tables.iter().map(|table| table.table().shown()).collect()
    }

    const ALL: [(&str, u64); 4] =
        [("app.plans", 3), ("public.audit", 9), ("public.countries", 2), ("public.users", 0)];

    #[test]
    fn a_table_of_that_name_in_another_schema_is_not_there() {
        let tables = tables(&[("app.users", 1), ("public.plans", 0)]);
        let there = |name: &str| is_there(&tables, Some("public"), name);
        assert!(there("app.users") && there("plans") && there("public.plans"));
        assert!(!there("users") && !there("other.users") && !there("app.plans"));
    }

    #[test]
    fn every_table_with_rows_is_kept_left_out_or_undecided() {
        let request = DumpRequest { without_rows: vec!["public.audit".into()], ..DumpRequest::default() };
        let audit = audited(&ALL, &["countries"], &[], &request).unwrap();
        assert_eq!(audit.kept[0].table.shown(), "public.countries");
        assert_eq!(names(&audit.dropped), ["public.audit"]);
        assert_eq!(names(&audit.undecided), ["app.plans"]);
        assert_eq!(audit.without_rows, ["public.audit"]);
        assert!(audit.warnings.is_empty());

        let audit = audited(&ALL, &["app.plans", "public.countries"], &["audit"], &DumpRequest::default());
        let audit = audit.unwrap();
        assert!(audit.undecided.is_empty() && audit.without_rows == ["public.audit"], "{audit:?}");
    }

    #[test]
    fn what_is_kept_is_not_left_out_any_more_and_what_is_gone_is_forgotten() {
        let without_rows = vec!["public.audit".into(), "public.gone".into(), "public.users".into()];
        let request = DumpRequest { without_rows, ..DumpRequest::default() };
        let audit = audited(&ALL, &["audit"], &[], &request).unwrap();
        assert_eq!(audit.without_rows, ["public.users"]);
    }

    #[test]
    fn a_table_that_the_structure_leaves_out_needs_no_decision() {
        let request = DumpRequest {
            exclude_tables: vec!["aud*".into()],
            exclude_schemas: vec!["app".into()],
            ..DumpRequest::default()
        };
        assert_eq!(names(&audited(&ALL, &[], &[], &request).unwrap().undecided), ["public.countries"]);
        let error = audited(&ALL, &["app.plans"], &[], &request).unwrap_err();
        assert!(error.to_string().contains("leaves out"), "{error}");
    }

    #[test]
    fn a_name_that_no_table_has_is_an_error_with_the_one_that_was_meant() {
        for (name, meant) in
            [("contries", "countries"), ("plans", "app.plans"), ("public.user", "public.users")]
        {
            let error = audited(&ALL, &[name], &[], &DumpRequest::default()).unwrap_err();
            assert_eq!(error.kind(), Kind::Configuration);
            assert_eq!(error.help_text(), Some(&*format!("do you mean `{meant}`?")), "{error}");
        }
        assert!(audited(&ALL, &[], &["odits"], &DumpRequest::default()).is_err());
        assert!(audited(&ALL, &["audit"], &["public.audit"], &DumpRequest::default()).is_err());
        assert!(audited(&ALL, &["audit", "public.audit"], &[], &DumpRequest::default()).is_err());
    }

    #[test]
    fn an_empty_table_that_is_to_be_kept_is_a_warning() {
        let audit = audited(&ALL, &["users"], &[], &DumpRequest::default()).unwrap();
        assert_eq!(audit.warnings.len(), 1);
    }

    #[test]
    fn without_schemas_letters_are_not_told_apart() {
        let audit = audited(&[("Plans", 1), ("a.b", 1)], &["plans"], &[], &DumpRequest::default());
        // The second name has a schema for this test alone.
        assert_eq!(audit.unwrap().kept[0].table.shown(), "Plans");
        let tables = vec![FilledTable { schema: None, name: "a.b".into(), rows: 1 }];
        assert!(find(&tables, None, "A.B").is_some() && find(&tables, None, "main.\"a.b\"").is_some());
    }

    #[test]
    fn the_refusal_brings_both_answers() {
        let mut repo = repo();
        repo.keep_data = vec![KeepData { table: "countries".into(), except: vec!["created_at".into()] }];
        let wishes = Wishes { keep: &repo.keep_data, drop: &[], request: &DumpRequest::default() };
        let audit = audit(&tables(&ALL), Some("public"), &wishes).unwrap();
        let error = undecided(&repo, &audit, "dump --move-migrations").unwrap();
        let help = error.help_text().unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(
            help.contains("`keep-data = [{ table = \"countries\", except = [\"created_at\"] }, \"app.plans\", \"public.audit\"]`"),
            "{help}"
        );
        assert!(
            help.contains("dump --move-migrations --drop-data app.plans --drop-data public.audit --repo"),
            "{help}"
        );
        assert!(error.to_string().contains("2 tables hold rows"), "{error}");
    }
}
