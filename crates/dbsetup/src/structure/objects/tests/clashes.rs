//! Lines that differ and do not go together for all that.

use super::conflicts::{clean, merged};
use super::*;

/// A file with one table and rows of it.
fn table(create: &str, head: &str, rows: &[&str]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| format!("INSERT INTO {head} VALUES ({row});")).collect();
    sqlite(format!("{create}\n\n{}", rows.join("\n")).trim_end())
}

/// Merges, whoever merges whom, and returns the conflicts.
#[track_caller]
fn conflicts(base: &str, ours: &str, theirs: &str) -> Vec<String> {
    let (text, one) = merged([base, ours, theirs]);
    let (_, other) = merged([base, theirs, ours]);
    assert_eq!(one.len(), other.len(), "{text}");
    assert_eq!(text.contains("<<<<<<<"), !one.is_empty(), "{text}");
    one
}

#[test]
fn a_row_has_no_place_in_a_table_that_has_lost_its_column() {
    let items = "CREATE TABLE items (id integer primary key, name text, price int);";
    let bare = "CREATE TABLE items (id integer primary key, name text);";
    let base = table(items, "items (id, name, price)", &["1, 'a', 5"]);
    let ours = table(bare, "items (id, name)", &["1, 'a'"]);
    let theirs = table(items, "items (id, name, price)", &["1, 'a', 5", "2, 'b', 6"]);
    let found =
        "rows of items: one side has changed the columns or constraints of the table, and the other its rows";
    assert_eq!(conflicts(&base, &ours, &theirs), [found]);
    // The first rows that are kept.
    let [base, ours, theirs] =
        [table(items, "items", &[]), table(bare, "items", &[]), table(items, "items (id, price)", &["1, 5"])];
    assert_eq!(conflicts(&base, &ours, &theirs), [found]);
    // What the other side may ask of them.
    let strict = items.replace("price int", "price int check (price > 5)");
    assert_eq!(conflicts(&base, &table(&strict, "items", &[]), &theirs), [found]);
    let more = items.replace("price int", "price int, more text");
    let merged = clean([&base, &table(&more, "items", &[]), &theirs]);
    assert_eq!(merged, table(&more, "items (id, price)", &["1, 5"]));
}

#[test]
fn rows_go_by_the_key_of_their_table() {
    // The reviewer of a merge is asked about one row, not about none.
    let of = |create: &str, rows: &[&str]| table(create, "t (a, b, note)", rows);
    for create in [
        "CREATE TABLE t (a int, b int, note text, primary key (a, b));",
        "CREATE TABLE t (a int not null, b int not null, note text, constraint u unique (a, b));",
        "CREATE TABLE t (a int not null, b int not null, note text);\n\nCREATE UNIQUE INDEX u ON t (a, b);",
    ] {
        let base = of(create, &["1, 1, 'x'", "1, 2, 'x'"]);
        let (ours, theirs) =
            (of(create, &["1, 1, 'x'", "1, 2, 'y'"]), of(create, &["1, 1, 'x'", "1, 2, 'z'"]));
        assert_eq!(conflicts(&base, &ours, &theirs), ["row 1, 2 of t: both sides have changed it"]);
        let theirs = of(create, &["1, 1, 'z'", "1, 2, 'x'", "1, 3, 'z'"]);
        assert_eq!(clean([&base, &ours, &theirs]), of(create, &["1, 1, 'z'", "1, 2, 'y'", "1, 3, 'z'"]));
        let (ours, theirs) = (of(create, &["1, 1, 'x'"]), of(create, &["1, 1, 'x'", "1, 2, 'z'"]));
        assert_eq!(
            conflicts(&base, &ours, &theirs),
            ["row 1, 2 of t: our side has dropped it, and theirs has changed it"]
        );
    }
    // Not the first column.
    let of = |rows: &[&str]| {
        table("CREATE TABLE t (name text, \"ID\" integer primary key);", "\"t\" (\"name\", \"ID\")", rows)
    };
    let (base, ours, theirs) = (of(&["'a', 1"]), of(&["'a', 1", "'b', 2"]), of(&["'a', 1", "'c', 2"]));
    assert_eq!(
        conflicts(&base, &ours, &theirs),
        ["row 2 of \"t\": both sides have added it, in different ways"]
    );
    assert_eq!(clean([&base, &ours, &of(&["'a', 1", "'b', 3"])]), of(&["'a', 1", "'b', 2", "'b', 3"]));
    // In PostgreSQL's words.
    let of = |rows: &[&str]| {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| format!("INSERT INTO \"app\".\"t\" (\"note\", \"a\", \"b\") VALUES ({row});"))
            .collect();
        postgres(&format!(
            "CREATE TABLE app.t (\n    a integer NOT NULL,\n    b integer NOT NULL,\n    note text,\n    CONSTRAINT t_pkey PRIMARY KEY (a, b)\n);\n\n{}",
            rows.join("\n")
        ))
    };
    let base = of(&["'x', 1, 1", "'x', 1, 2"]);
    let (ours, theirs) = (of(&["'y', 1, 1", "'x', 1, 2"]), of(&["'z', 1, 1", "'x', 1, 2"]));
    assert_eq!(conflicts(&base, &ours, &theirs), ["row 1, 1 of \"app\".\"t\": both sides have changed it"]);
}

#[test]
fn nobody_knows_what_became_of_a_row_without_a_key() {
    let of = |rows: &[&str]| table("CREATE TABLE t (a, b);", "t (a, b)", rows);
    let base = of(&["1, 'a'", "1, 'b'"]);
    let (ours, theirs) = (of(&["1, 'a'", "1, 'c'"]), of(&["1, 'a'", "1, 'd'"]));
    assert_eq!(conflicts(&base, &ours, &theirs), ["rows of t: both sides have changed it"]);
    assert_eq!(conflicts(&base, &ours, &of(&["1, 'a'"])), ["rows of t: both sides have changed it"]);
    assert_eq!(conflicts(&base, &ours, &ours), [""; 0]);
    // A row that is there already is a row.
    let theirs = of(&["1, 'a'", "1, 'a'", "1, 'b'"]);
    let found = "rows of t: it mentions table t, which the other side has dropped";
    assert_eq!(conflicts(&base, &sqlite("CREATE TABLE other (i);"), &theirs), [found]);
}

#[test]
fn what_is_unique_is_not_added_twice() {
    let of = |unique: &str, rows: &[&str]| {
        let create = format!("CREATE TABLE t (id integer primary key, mail text{unique}");
        table(&create, "t (id, mail)", rows)
    };
    for unique in [" unique);", ");\n\nCREATE UNIQUE INDEX i ON t (mail COLLATE nocase);"] {
        let [base, ours, theirs] =
            [of(unique, &["1, 'a'"]), of(unique, &["1, 'a'", "2, 'b'"]), of(unique, &["1, 'a'", "3, 'B'"])];
        assert_eq!(
            conflicts(&base, &ours, &theirs),
            ["rows of t: rows of both sides have the same value of `mail`"]
        );
        let (ours, theirs) = (of(unique, &["1, 'a'", "2, NULL"]), of(unique, &["1, 'a'", "3, NULL"]));
        assert_eq!(clean([&base, &ours, &theirs]), of(unique, &["1, 'a'", "2, NULL", "3, NULL"]));
    }
    let unique = ");\n\nCREATE UNIQUE INDEX i ON t (substr(mail, 2));";
    let [base, ours, theirs] = [of(unique, &[]), of(unique, &["2, 'b'"]), of(unique, &["3, 'c'"])];
    assert_eq!(
        conflicts(&base, &ours, &theirs),
        ["rows of t: both sides have new rows, and what is unique in them only the database can tell"]
    );
}

#[test]
fn a_row_cannot_refer_to_what_the_other_side_has_dropped() {
    let of = |parents: &[u8], children: &[&str]| {
        let parents = parents.iter().map(|id| format!("INSERT INTO parents (id) VALUES ({id});"));
        let children =
            children.iter().map(|row| format!("INSERT INTO children (id, parent) VALUES ({row});"));
        let (parents, children) = (parents.collect::<Vec<_>>(), children.collect::<Vec<_>>());
        sqlite(
            format!(
                "CREATE TABLE parents (id integer primary key);\n\n\
                 CREATE TABLE children (id integer primary key, parent integer references \"Parents\");\n\n{}\n\n{}",
                parents.join("\n"),
                children.join("\n")
            )
            .trim_end(),
        )
    };
    let base = of(&[1, 2], &["1, 1"]);
    let (ours, theirs) = (of(&[1], &["1, 1"]), of(&[1, 2], &["1, 1", "2, 2"]));
    let found = "rows of children: rows of one side refer to rows of table parents that the other side has dropped or changed";
    assert_eq!(conflicts(&base, &ours, &theirs), [found]);
    assert_eq!(conflicts(&of(&[1, 2], &[]), &of(&[1], &[]), &of(&[1, 2], &["2, 2"])), [found]);
    // To what is still there, or to nothing.
    let theirs = of(&[1, 2, 3], &["1, 1", "2, 1", "3, NULL", "4, 3"]);
    assert_eq!(clean([&base, &ours, &theirs]), of(&[1, 3], &["1, 1", "2, 1", "3, NULL", "4, 3"]));

    let create = "CREATE TABLE tree (id integer primary key, up int, foreign key (up) references tree (id));";
    let of = |rows: &[&str]| table(create, "tree (id, up)", rows);
    let (base, ours, theirs) = (of(&["1, NULL", "2, 1"]), of(&["1, NULL"]), of(&["1, NULL", "2, 1", "3, 2"]));
    assert_eq!(conflicts(&base, &ours, &theirs).len(), 1);

    let of = |parents: &str, children: &str| {
        postgres(&format!(
            "CREATE TABLE a.p (\n    id integer NOT NULL,\n    CONSTRAINT p_pkey PRIMARY KEY (id)\n);\n\n\
             CREATE TABLE a.c (\n    p integer\n);\n\n\
             ALTER TABLE ONLY a.c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES a.p(id);\n\n\
             INSERT INTO \"a\".\"p\" (\"id\") VALUES (1);\n{parents}\n{children}"
        ))
    };
    let two = "INSERT INTO \"a\".\"p\" (\"id\") VALUES (2);\n";
    let child = "INSERT INTO \"a\".\"c\" (\"p\") VALUES (2);";
    assert_eq!(conflicts(&of(two, ""), &of("", ""), &of(two, child)).len(), 1);
}

#[test]
fn a_column_that_one_side_has_dropped_the_other_cannot_begin_to_use() {
    let base = sqlite("CREATE TABLE items (id int, price int);\n\nCREATE TABLE other (id int);");
    let gone = base.replace(", price int", "");
    let renamed = base.replace("price int", "cost int");
    let begin = |from: &str, to: &str| base.replace(from, to);
    let end = "\n\n-- dbsetup structure end";
    for (uses, object) in [
        (begin("price int);", "price int);\n\nCREATE INDEX i ON items (\"Price\");"), "table items"),
        (begin("price int);", "price int, check (price > 0));"), "table items"),
        (begin("id int, price int);", "id int check (id < price), price int);"), "table items"),
        (begin(end, &format!("\n\nCREATE VIEW v AS SELECT price FROM items;{end}")), "view v"),
        (begin("other (id int)", "other (id int references items (price))"), "table other"),
    ] {
        for dropped in [&gone, &renamed] {
            let found = format!(
                "{object}: it mentions column price of table items, which the other side has dropped"
            );
            assert_eq!(conflicts(&base, dropped, &uses), [found], "{uses}");
        }
    }
    // Another table's column of that name, and another column of that table.
    let theirs = begin("other (id int);", "other (id int, price int);\n\nCREATE INDEX i ON other (price);");
    assert!(clean([&base, &gone, &theirs]).contains("items (id int);"));
    let theirs = begin("price int);", "price int, more int);\n\nCREATE INDEX i ON items (id);");
    assert!(clean([&base, &gone, &theirs]).contains("items (id int, more int);"));

    let base = postgres("CREATE TABLE app.items (\n    id integer,\n    price integer\n);");
    let gone = base.replace(",\n    price integer", "");
    for more in [
        "\nCREATE INDEX i ON app.items USING btree (lower(price));",
        "\nCOMMENT ON COLUMN app.items.price IS 'x';",
        "\n\nCREATE VIEW app.v AS\n SELECT items.price\n   FROM app.items;",
        "\n\nALTER TABLE ONLY app.items ADD CONSTRAINT f FOREIGN KEY (price) REFERENCES app.items(id);",
    ] {
        assert_eq!(conflicts(&base, &gone, &base.replace("\n);", &format!("\n);{more}"))).len(), 1, "{more}");
    }
}

#[test]
fn what_both_sides_have_changed_may_mention_what_is_gone_as_well() {
    let base =
        sqlite("CREATE TABLE a (i int);\n\nCREATE TABLE users (id integer primary key, mail text unique);");
    let (gone, _) = base.split_once("\n\nCREATE TABLE users").unwrap();
    let ours = format!("{gone}\n\n-- dbsetup structure end\n").replace("i int", "i int, j int");
    let theirs = base.replace("i int", "i int references users (mail)");
    let found = "table a: it mentions table users, which the other side has dropped";
    assert_eq!(conflicts(&base, &ours, &theirs), [found]);
    // What a foreign key needs.
    let ours = base.replace(" unique", "").replace("i int", "i int, j int");
    let found = "table a: it mentions a key of table users, which the other side has dropped";
    assert_eq!(conflicts(&base, &ours, &theirs), [found]);
}

#[test]
fn a_name_is_given_once() {
    let base = sqlite("CREATE TABLE a (i);\n\nCREATE TABLE b (i);");
    let ours = base.replace("a (i);", "a (i);\n\nCREATE INDEX one ON a (i);");
    let theirs = base.replace("b (i);", "b (i);\n\nCREATE INDEX \"ONE\" ON b (i);");
    let found = ["table a", "table b"]
        .map(|table| format!("{table}: both sides have given one name to different things"));
    assert_eq!(conflicts(&base, &ours, &theirs), found);
    let end = "\n\n-- dbsetup structure end";
    let ours = base.replace(end, &format!("\n\nCREATE TABLE c (i);{end}"));
    let theirs = base.replace(end, &format!("\n\nCREATE VIEW c AS SELECT 1;{end}"));
    assert_eq!(conflicts(&base, &ours, &theirs).len(), 2);
}
