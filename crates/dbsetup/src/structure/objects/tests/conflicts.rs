//! What is merged without a question, and what is not.

use super::*;

/// Merges and returns the text with what is in conflict.
#[track_caller]
pub(super) fn merged([base, ours, theirs]: [&str; 3]) -> (String, Vec<String>) {
    let merged = merge(base, ours, theirs).unwrap();
    (merged.text, merged.conflicts.iter().map(ToString::to_string).collect())
}

#[track_caller]
pub(super) fn clean(texts: [&str; 3]) -> String {
    let (text, conflicts) = merged(texts);
    assert_eq!(conflicts, [""; 0], "{text}");
    text
}

const USERS: &str = "CREATE TABLE app.users (\n    id integer NOT NULL,\n    name text\n);";

#[test]
fn two_branches_that_add_different_tables_and_versions_need_nobody() {
    let row = |version: &str| format!("INSERT INTO \"l\" (version) VALUES ('{version}');");
    let base = postgres(&format!("CREATE SCHEMA app;\n\n{USERS}\n\n{}", row("20260101000000")));
    let ours = postgres(&format!(
        "CREATE SCHEMA app;\n\nCREATE TABLE app.posts (\n    id integer\n);\n\n{USERS}\n\n{}\n{}",
        row("20260101000000"),
        row("20260301000003")
    ));
    let theirs = postgres(&format!(
        "CREATE SCHEMA app;\n\nCREATE TABLE app.comments (\n    id integer\n);\n\n{USERS}\nCREATE INDEX i ON app.users USING btree (name);\n\n{}\n{}",
        row("20260101000000"),
        row("20260301000002")
    ));
    let expected = postgres(&format!(
        "CREATE SCHEMA app;\n\nCREATE TABLE app.comments (\n    id integer\n);\n\nCREATE TABLE app.posts (\n    id integer\n);\n\n{USERS}\nCREATE INDEX i ON app.users USING btree (name);\n\n{}\n{}\n{}",
        row("20260101000000"),
        row("20260301000002"),
        row("20260301000003")
    ));
    assert_eq!(clean([&base, &ours, &theirs]), expected);
    assert_eq!(clean([&base, &theirs, &ours]), expected);
}

#[test]
fn one_object_is_merged_inside() {
    let base = postgres(USERS);
    let ours = postgres(&format!(
        "{}\nCOMMENT ON TABLE app.users IS 'x';",
        USERS.replace("name text", "name text NOT NULL")
    ));
    let theirs = postgres(&format!(
        "{}\nCREATE INDEX i ON app.users USING btree (name);",
        USERS.replace("name text", "name text,\n    age integer")
    ));
    assert_eq!(
        clean([&base, &ours, &theirs]),
        postgres(
            "CREATE TABLE app.users (\n    id integer NOT NULL,\n    name text NOT NULL,\n    age integer\n);\n\
             COMMENT ON TABLE app.users IS 'x';\nCREATE INDEX i ON app.users USING btree (name);"
        )
    );
}

#[test]
fn a_column_changed_twice_marks_its_table_and_nothing_else() {
    let other = "CREATE TABLE app.other (\n    id integer\n);";
    let base = postgres(&format!("{other}\n\n{USERS}"));
    let ours = postgres(&format!(
        "{}\n\n{}",
        other.replace("integer", "bigint"),
        USERS.replace("name text", "name varchar")
    ));
    let theirs =
        postgres(&format!("{other}\n\n{}", USERS.replace("name text", "name integer,\n    age integer")));
    let (text, conflicts) = merged([&base, &ours, &theirs]);
    assert_eq!(conflicts, ["table app.users: both sides have changed it"]);
    let table = |name: &str| USERS.replace("name text", &format!("name {name},\n    age integer"));
    assert_eq!(
        text,
        postgres(&format!(
            "{}\n\n<<<<<<< ours\n{}\n=======\n{}\n>>>>>>> theirs",
            other.replace("integer", "bigint"),
            table("varchar"),
            table("integer")
        ))
    );
    // It is not taken for a file of ours before somebody has decided.
    assert!(parse(&text).is_err());
}

#[test]
fn dropped_here_and_changed_there_is_a_conflict() {
    let (base, gone) = (postgres(&format!("CREATE SCHEMA a;\n\n{USERS}")), postgres("CREATE SCHEMA a;"));
    let changed = base.replace("name text", "name varchar");
    let (text, conflicts) = merged([&base, &gone, &changed]);
    assert_eq!(conflicts, ["table app.users: our side has dropped it, and theirs has changed it"]);
    assert!(text.contains("<<<<<<< ours\n=======\nCREATE TABLE app.users"), "{text}");
    let (text, conflicts) = merged([&base, &changed, &gone]);
    assert_eq!(conflicts, ["table app.users: their side has dropped it, and ours has changed it"]);
    assert!(text.contains(");\n=======\n>>>>>>> theirs"), "{text}");
    assert_eq!(clean([&base, &gone, &base]), gone);
    assert_eq!(clean([&base, &gone, &gone]), gone);
}

#[test]
fn added_twice_in_different_ways_is_a_conflict() {
    let base = postgres("CREATE SCHEMA a;");
    let [one, other] = ["text", "integer"]
        .map(|name| postgres(&format!("CREATE SCHEMA a;\n\nCREATE TABLE a.t (\n    x {name}\n);")));
    let (_, conflicts) = merged([&base, &one, &other]);
    assert_eq!(conflicts, ["table a.t: both sides have added it, in different ways"]);
    assert_eq!(clean([&base, &one, &one]), one);
    // Without a base everything is new.
    let (text, conflicts) = merged(["", &one, &other]);
    assert_eq!(conflicts.len(), 1);
    assert_eq!(text.matches("CREATE SCHEMA a").count(), 1);
}

#[test]
fn what_one_side_has_dropped_the_other_cannot_begin_to_use() {
    let base = postgres(&format!("{USERS}\n\nCREATE TABLE app.z (\n    id integer\n);"));
    let gone = postgres("CREATE TABLE app.z (\n    id integer\n);");
    let view = "CREATE VIEW app.v AS\n SELECT users.id\n   FROM app.users;";
    let uses =
        base.replace("\n\n-- dbsetup structure end", &format!("\n\n{view}\n\n-- dbsetup structure end"));
    let (text, conflicts) = merged([&base, &gone, &uses]);
    assert_eq!(conflicts, ["view app.v: it mentions table app.users, which the other side has dropped"]);
    assert!(text.contains(&format!("<<<<<<< ours\n=======\n{view}\n>>>>>>> theirs")), "{text}");
    assert!(merged([&base, &uses, &gone]).0.contains(&format!("<<<<<<< ours\n{view}\n=======\n")));

    let base = sqlite("CREATE TABLE a (i);\n\nCREATE TABLE users (i);");
    let gone = sqlite("CREATE TABLE a (i);");
    // A column of that name is no use.
    let theirs = base.replace("TABLE a (i)", "TABLE a (i, users)");
    assert_eq!(clean([&base, &gone, &theirs]), sqlite("CREATE TABLE a (i, users);"));
    let theirs = base.replace("TABLE a (i)", "TABLE a (i references \"Users\")");
    assert_eq!(merged([&base, &gone, &theirs]).1.len(), 1);
}

#[test]
fn rows_are_merged_by_their_first_value() {
    let row =
        |code: &str, name: &str| format!("INSERT INTO \"c\" (code, name) VALUES ('{code}', '{name}');\n");
    let file = |rows: &[(&str, &str)]| {
        let rows: String = rows.iter().map(|(code, name)| row(code, name)).collect();
        sqlite(&format!("CREATE TABLE c (code, name);\n\n{}", rows.trim_end()))
    };
    let base = file(&[("DE", "x"), ("FR", "y"), ("IT", "z")]);
    let ours = file(&[("DE", "x"), ("ES", "e"), ("FR", "new"), ("IT", "z")]);
    let theirs = file(&[("DE", "x"), ("FR", "y"), ("PT", "p")]);
    assert_eq!(clean([&base, &ours, &theirs]), file(&[("DE", "x"), ("ES", "e"), ("FR", "new"), ("PT", "p")]));
    let theirs = file(&[("DE", "x"), ("FR", "other"), ("IT", "z")]);
    let (text, conflicts) = merged([&base, &ours, &theirs]);
    assert_eq!(conflicts, ["row 'FR' of \"c\": both sides have changed it"]);
    assert!(text.contains(&format!(
        "<<<<<<< ours\n{}=======\n{}>>>>>>> theirs\n",
        row("FR", "new"),
        row("FR", "other")
    )));

    // New rows stand by their first values, numbers as numbers.
    let numbers = |all: &[&str]| {
        let rows: Vec<_> =
            all.iter().map(|id| format!("INSERT INTO \"c\" (id, name) VALUES ({id}, 'x');")).collect();
        sqlite(&rows.join("\n"))
    };
    let (base, ours, theirs) = (numbers(&["1"]), numbers(&["1", "9"]), numbers(&["1", "8", "10"]));
    assert_eq!(clean([&base, &ours, &theirs]), numbers(&["1", "8", "9", "10"]));
    assert_eq!(clean([&base, &theirs, &ours]), numbers(&["1", "8", "9", "10"]));

    // Rows go with their table.
    let base = sqlite("CREATE TABLE a (i);\n\nCREATE TABLE c (i);\n\nINSERT INTO c (i) VALUES (1);");
    let (gone, more) =
        (sqlite("CREATE TABLE a (i);"), base.replace("(1);", "(1);\nINSERT INTO c (i) VALUES (2);"));
    assert_eq!(clean([&base, &gone, &base]), gone);
    let (_, conflicts) = merged([&base, &gone, &more]);
    assert_eq!(conflicts, ["rows of c: it mentions table c, which the other side has dropped"]);

    // Where sequences stand goes by their names.
    let counters = |all: [u8; 2]| {
        postgres(&format!(
            "SELECT pg_catalog.setval('a.s', {}, true);\nSELECT pg_catalog.setval('a.t', {}, true);",
            all[0], all[1]
        ))
    };
    assert_eq!(clean([&counters([1, 1]), &counters([2, 1]), &counters([1, 3])]), counters([2, 3]));
    let (_, conflicts) = merged([&counters([1, 1]), &counters([2, 1]), &counters([3, 1])]);
    assert_eq!(conflicts, ["counter 'a.s' (SELECT): both sides have changed it"]);

    // Where the first value is no key, every row stands for itself.
    let base = file(&[("1", "a"), ("1", "b")]);
    let ours = file(&[("1", "a"), ("1", "b"), ("1", "c")]);
    let theirs = file(&[("1", "b"), ("2", "a")]);
    assert_eq!(clean([&base, &ours, &theirs]), file(&[("1", "b"), ("1", "c"), ("2", "a")]));
}

#[test]
fn versions_are_a_set() {
    let file = |rows: &[(&str, &str)]| {
        let rows: Vec<_> = rows
            .iter()
            .map(|(version, sum)| format!("INSERT INTO \"l\" (version, name, source, checksum) VALUES ('{version}', 'n', 'm', '{sum}');"))
            .collect();
        sqlite(&format!("CREATE TABLE a (i);\n\n{}", rows.join("\n")))
    };
    let base = file(&[("10", "a"), ("11", "a")]);
    let ours = file(&[("20", "a"), ("11", "a"), ("12", "a")]);
    let theirs = file(&[("10", "a"), ("30", "a"), ("11", "a"), ("21", "a")]);
    let expected = file(&[("20", "a"), ("30", "a"), ("11", "a"), ("21", "a"), ("12", "a")]);
    assert_eq!(clean([&base, &ours, &theirs]), expected);
    assert_eq!(clean([&base, &theirs, &ours]), expected);
    let (_, conflicts) =
        merged([&base, &file(&[("10", "b"), ("11", "a")]), &file(&[("10", "c"), ("11", "a")])]);
    assert_eq!(conflicts, ["version 10: both sides have changed it"]);
}

#[test]
fn filters_are_a_set_in_their_own_order() {
    let file = |filters: &[&str]| {
        let filters: String = filters.iter().map(|filter| format!("-- {filter}\n")).collect();
        format!(
            "-- dbsetup structure format 1 (sqlite)\n{filters}\nCREATE TABLE a (i);\n\n-- dbsetup structure end\n"
        )
    };
    let base = file(&["excluded: table m", "with: owners"]);
    let ours = file(&["excluded: table b", "excluded: table m", "with: owners"]);
    let theirs = file(&["only: schema s", "excluded: table a", "excluded: table m"]);
    let expected = file(&["only: schema s", "excluded: table a", "excluded: table b", "excluded: table m"]);
    assert_eq!(clean([&base, &ours, &theirs]), expected);
    assert_eq!(clean([&base, &theirs, &ours]), expected);
}

#[test]
fn an_addition_stands_behind_what_it_may_need() {
    // Their type is needed by their change of our common table, and stands before it there.
    let base = postgres("CREATE SCHEMA a;\n\nCREATE TABLE a.t (\n    x integer\n);");
    let ours = postgres(
        "CREATE SCHEMA a;\n\nCREATE TABLE a.b (\n    x integer\n);\n\nCREATE TABLE a.t (\n    x integer\n);",
    );
    let theirs = postgres(
        "CREATE SCHEMA a;\n\nCREATE TYPE a.kind AS ENUM (\n    'x'\n);\n\nCREATE TABLE a.t (\n    x integer,\n    k a.kind\n);",
    );
    let text = clean([&base, &ours, &theirs]);
    assert_eq!(keys(&parse(&text).unwrap()), ["schema a", "type a.kind", "table a.b", "table a.t"]);
    assert_eq!(clean([&base, &theirs, &ours]), text);
}

#[test]
fn a_base_with_conflicts_of_its_own_decides_nothing_about_them() {
    let file = |kind: &str, more: &str| {
        postgres(&format!(
            "CREATE TABLE a.t (\n    x {kind}\n);\n\nCREATE TABLE a.u (\n    y integer{more}\n);"
        ))
    };
    let (text, conflicts) = merged([&file("integer", ""), &file("text", ""), &file("date", "")]);
    assert_eq!(conflicts.len(), 1);
    // Both branches have decided in the same way.
    assert_eq!(
        clean([&text, &file("uuid", ",\n    z integer"), &file("uuid", "")]),
        file("uuid", ",\n    z integer")
    );
    let (_, conflicts) = merged([&text, &file("text", ""), &file("date", "")]);
    assert_eq!(conflicts, ["table a.t: both sides have added it, in different ways"]);
}
