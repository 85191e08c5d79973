//! Comments that accept a finding, and those that do not do what their author meant.

use dbsetup::migration::Script;
use dbsetup::repo::Lane;
use dbsetup::sql::Dialect;

use super::super::{Severity, lint};
use super::{automatic, migration, names};

const DROP: &str = "drop table a;";

#[test]
fn a_comment_accepts_one_rule_wherever_it_stands() {
    for comment in [
        "-- dbsetup:allow drop-table nobody reads it",
        "-- dbsetup: allow drop-table: nobody reads it",
        "--dbsetup:allow   drop-table   nobody reads it  \r",
    ] {
        for sql in [format!("{comment}\n{DROP}"), format!("{DROP}\n{comment}"), format!("{DROP} {comment}\n")]
        {
            for dialect in [Dialect::Postgres, Dialect::Sqlite] {
                assert_eq!(automatic(dialect, &sql), [], "{sql}");
            }
        }
    }
    let both = format!("-- dbsetup:allow drop-table nobody reads it\n{DROP}\nupdate b set c = 1;");
    assert_eq!(names(&automatic(Dialect::Postgres, &both)), ["data-change"]);
}

#[test]
fn a_comment_in_a_string_accepts_nothing() {
    let sql = "select '\n-- dbsetup:allow drop-table reason\n'; drop table a;";
    assert_eq!(names(&automatic(Dialect::Postgres, sql)), ["drop-table"]);
}

#[test]
fn a_comment_without_a_reason_accepts_nothing_and_is_told() {
    for comment in ["-- dbsetup:allow drop-table", "-- dbsetup:allow drop-table --"] {
        let findings = automatic(Dialect::Postgres, &format!("{comment}\n{DROP}"));
        assert_eq!(names(&findings), ["drop-table", "allow"], "{comment}");
        assert!(findings[1].message.contains("without a reason"));
        assert_eq!(findings[1].severity, Severity::Warn);
        assert_eq!(findings[1].site.as_ref().unwrap().at.line, 1);
    }
}

#[test]
fn a_wrong_name_is_told_with_the_right_one() {
    for (wrong, right) in [
        ("drop-tabel", "drop-table"),
        ("DROP_TABLE", "drop-table"),
        ("ban-drop-table", "drop-table"),
        ("require-concurrent-index-creation", "blocking-index"),
        ("data-changes", "data-change"),
    ] {
        let findings = automatic(Dialect::Postgres, &format!("-- dbsetup:allow {wrong} a reason\nselect 1;"));
        assert_eq!(names(&findings), ["allow"]);
        assert!(findings[0].help.contains(&format!("`{right}`")), "{findings:#?}");
    }
    let findings =
        automatic(Dialect::Postgres, "-- dbsetup:allow xyzzy a reason\n-- dbsetup:allow\nselect 1;");
    assert_eq!(names(&findings), ["allow", "allow"]);
}

#[test]
fn a_comment_that_accepts_nothing_is_told() {
    let sql = "-- dbsetup:allow drop-table a reason\ncreate table a (i int);";
    let findings = automatic(Dialect::Postgres, sql);
    assert_eq!(names(&findings), ["allow"]);
    assert!(findings[0].message.contains("finds nothing"), "{findings:#?}");
    // In the manual lane the rule does not hold.
    assert_eq!(
        names(&lint(&migration(&format!("{sql} drop table b;"), Lane::Manual), Dialect::Postgres)),
        ["allow"]
    );
}

#[test]
fn comments_for_squawk_accept_nothing() {
    let sql = "-- squawk-ignore ban-drop-column\nalter table a -- squawk-ignore-file\n drop column b;";
    assert_eq!(names(&automatic(Dialect::Postgres, sql)), ["drop-column"]);
}

#[test]
fn the_down_side_has_to_hold_what_holds_everywhere() {
    let mut both = migration("create table a (i int);", Lane::Automatic);
    both.down = Some(Script::whole("1_a.down.sql".into(), "drop table a; commit;".into(), true));
    let findings = lint(&both, Dialect::Postgres);
    assert_eq!(names(&findings), ["transaction-control"]);
    assert_eq!(findings[0].path.to_str(), Some("1_a.down.sql"));
}

#[test]
fn both_sides_of_one_file_share_its_comments() {
    let file =
        "-- migrate:up\n-- dbsetup:allow drop-table a reason\ndrop table a;\n-- migrate:down\ncommit;\n";
    let mut both = migration(file, Lane::Automatic);
    let down = file.find("-- migrate:down").unwrap();
    both.up.range = 14..down;
    both.down = Some(Script { range: down..file.len(), ..both.up.clone() });
    let findings = lint(&both, Dialect::Postgres);
    assert_eq!(names(&findings), ["transaction-control"]);
    assert_eq!(findings[0].site.as_ref().unwrap().at.line, 5);
}
