//! What belongs to a database itself, and so is in no copy of it that `CREATE DATABASE … TEMPLATE` makes.
//! <https://www.postgresql.org/docs/current/manage-ag-templatedbs.html>

/// A reason why a database is not copied: a condition on the row `d` of pg_database, and what to call it.
pub(super) type Lack = (&'static str, &'static str);

/// What a database `d` may have of its own, and a copy of it lacks.
pub(super) const LACKS: [Lack; 6] = [
    ("d.datacl IS NOT NULL", "privileges"),
    ("EXISTS (SELECT FROM pg_catalog.pg_db_role_setting s WHERE s.setdatabase = d.oid)", "settings"),
    ("d.datconnlimit <> -1", "a limit of connections"),
    ("pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL", "a comment"),
    (
        "EXISTS (SELECT FROM pg_catalog.pg_shseclabel l WHERE l.objoid = d.oid \
         AND l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass)",
        "a security label",
    ),
    ("EXISTS (SELECT FROM pg_catalog.pg_subscription s WHERE s.subdbid = d.oid)", "a subscription"),
];

/// The conditions of [`LACKS`] as columns of a query.
pub(super) fn conditions() -> String {
    LACKS.map(|(condition, _)| condition).join(", ")
}

/// Returns the first of [`LACKS`] that applies, where column `from` and those after it answer [`conditions`].
pub(super) fn first(row: &super::script::Row, from: usize) -> Option<&'static str> {
    let mut answered = LACKS.iter().zip(from..);
    answered.find(|(_, at)| super::catalog::cell(row, *at) == "t").map(|((_, what), _)| *what)
}
