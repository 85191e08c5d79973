mod copy_data;
mod properties;

use std::io::Cursor;

use super::super::error::Construct;
use super::super::span::{Span, SpanKind, split};
use super::*;

const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Sqlite];

/// The statements of a text; data of `COPY` follows its statement, client lines begin with a backslash.
fn statements(dialect: Dialect, text: &str) -> Vec<&str> {
    let spans = split(dialect, text).unwrap_or_else(|error| panic!("{error}: {text}"));
    spans
        .into_iter()
        .flat_map(|span| match span.kind {
            SpanKind::Copy { data } => vec![&text[span.range], &text[data]],
            _ => vec![&text[span.range]],
        })
        .collect()
}

fn check(dialect: Dialect, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(statements(dialect, text), *expected, "{text}");
        assert_eq!(stream(dialect, text.as_bytes(), 1), in_memory(dialect, text), "{text}");
    }
}

/// A text that has to stay in one piece, once with `;` and a second statement behind it, once alone.
fn check_whole(dialect: Dialect, texts: &[&str]) {
    for text in texts {
        check(dialect, &[(text, &[text]), (&format!(" {text} ; select 2"), &[text, "select 2"])]);
    }
}

/// Where an error is, as line and column, and what it says.
fn failure(dialect: Dialect, text: &str) -> (SplitError, u64, u64) {
    let error = split(dialect, text).expect_err(text);
    assert_eq!(
        stream(dialect, text.as_bytes(), 1).last().map(String::as_str),
        Some(format!("{error:?}").as_str()),
        "{text}"
    );
    let location = error.location().expect("the error has a location");
    (error, location.line, location.column)
}

fn check_open(dialect: Dialect, cases: &[(&str, Construct, u64, u64)]) {
    for (text, expected, line, column) in cases {
        match failure(dialect, text) {
            (SplitError::Unterminated { construct, .. }, l, c) => {
                assert_eq!((construct, l, c), (*expected, *line, *column), "{text}");
            }
            (error, ..) => panic!("{error}: {text}"),
        }
    }
}

/// Everything that streaming tells, one line each; an error ends it.
fn stream(dialect: Dialect, bytes: &[u8], read_size: usize) -> Vec<String> {
    let mut splitter = Splitter::new(dialect, Cursor::new(bytes)).read_size(read_size);
    let mut told = Vec::new();
    loop {
        match splitter.next() {
            Ok(Some(Item::Copy(statement))) => {
                let (mut data, mut buffer) = (Vec::new(), Vec::new());
                let result = loop {
                    match splitter.copy_data(&mut buffer) {
                        Ok(true) => data.extend_from_slice(&buffer),
                        Ok(false) => break Ok(()),
                        Err(error) => break Err(error),
                    }
                };
                if let Err(error) = result {
                    told.push(format!("{error:?}"));
                    return told;
                }
                let data = String::from_utf8(data).expect("the data is checked");
                told.push(format!("copy {} {:?} {data:?}", statement.start, statement.text));
            }
            Ok(Some(Item::Statement(statement))) => {
                told.push(format!("{} {:?}", statement.start, statement.text));
            }
            Ok(Some(Item::Meta(line))) => told.push(format!("{line:?}")),
            Ok(None) => return told,
            Err(error) => {
                told.push(format!("{error:?}"));
                assert!(matches!(splitter.next(), Ok(None)), "nothing follows an error");
                return told;
            }
        }
    }
}

/// What [`stream`] should tell when there is no error.
fn in_memory(dialect: Dialect, text: &str) -> Vec<String> {
    let line = |span: &Span| {
        let statement = &text[span.range.clone()];
        match &span.kind {
            SpanKind::Statement => format!("{} {statement:?}", span.start),
            SpanKind::Copy { data } => format!("copy {} {statement:?} {:?}", span.start, &text[data.clone()]),
            SpanKind::Meta(line) => format!("{line:?}"),
        }
    };
    split(dialect, text).expect(text).iter().map(line).collect()
}

#[test]
fn statements_end_with_a_semicolon_or_with_the_text() {
    for dialect in BOTH {
        check(
            dialect,
            &[
                ("select 1; select 2", &["select 1", "select 2"]),
                ("select 1;", &["select 1"]),
                (" \n select\n 1 ;\n", &["select\n 1"]),
            ],
        );
    }
}

#[test]
fn empty_statements_and_comments_alone_are_none() {
    for dialect in BOTH {
        check(
            dialect,
            &[
                ("", &[]),
                (";;", &[]),
                ("; ;a;;b;", &["a", "b"]),
                ("-- a;\n/* b; */ ;", &[]),
                ("\u{feff}", &[]),
            ],
        );
    }
}

#[test]
fn comments_around_a_statement_are_left_out_and_inside_it_are_kept() {
    for dialect in BOTH {
        check(
            dialect,
            &[("-- a\nselect /* b; */ 1 -- c;\n + 2 -- d\n; -- e", &["select /* b; */ 1 -- c;\n + 2"])],
        );
    }
}

#[test]
fn semicolons_in_quotes_do_not_end_a_statement_of_postgres() {
    check_whole(
        Dialect::Postgres,
        &[
            "select ';'",
            "select 'it''s;'",
            r"select E'\';'",
            r#"select "a;""b;""#,
            r#"select U&"a;", U&';'"#,
            "select $$;$$",
            "select $a$ ; $b$ ; $$ ; $a$",
            "select a$b, ';'",
            "select /* ; /* ' */ ; */ 1",
            "select 1 -- ;\n+ 1",
            "select E'a'\n'\\';'",
        ],
    );
    check(Dialect::Postgres, &[(r"select 'a\'; select 'b'", &[r"select 'a\'", "select 'b'"])]);
    check(Dialect::Postgres, &[("select a$b$; select c$b$", &["select a$b$", "select c$b$"])]);
    check(Dialect::Postgres, &[("select 1*/*;*/2; b", &["select 1*/*;*/2", "b"])]);
}

#[test]
fn semicolons_in_quotes_do_not_end_a_statement_of_sqlite() {
    check_whole(
        Dialect::Sqlite,
        &[
            "select ';', 'it''s;'",
            r#"select "a;""b;""#,
            "select `;```",
            "select [;]",
            "select X'00', /* ; /* */ 1",
        ],
    );
    check(Dialect::Sqlite, &[("select $$; b", &["select $$", "b"]), ("a /* b; ", &["a"])]);
}

#[test]
fn a_rule_may_have_two_commands_in_parentheses() {
    check_whole(
        Dialect::Postgres,
        &[
            "create rule r as on insert to t do also (insert into a values (')'); delete from b where c = (1);)",
        ],
    );
    check(Dialect::Postgres, &[("select 1); select 2", &["select 1)", "select 2"])]);
}

#[test]
fn parentheses_do_not_matter_to_sqlite() {
    check(Dialect::Sqlite, &[("select (1; select 2)", &["select (1", "select 2)"])]);
}

#[test]
fn an_atomic_body_stays_in_its_function() {
    check_whole(
        Dialect::Postgres,
        &[
            "create function f() returns int begin atomic select 1; select 2; end",
            "CREATE OR REPLACE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC END",
            "create function f() begin /* a */ atomic select case when true then 1 end; select 2; end",
            "create function f() begin atomic select case a when 1 then case b when 2 then 3 end end; end",
            "create function f() begin atomic select 'end;', \"end\"; select $$;end;$$; end",
            "create function f() begin atomic select 1 as end; select t.end from t; end",
            "create function f() begin atomic select (case when true then 1 end); -- end;\n end",
            "create function f() begin atomic select 1 as case; end",
            "create function begin() begin atomic select 1; end",
            "create function f() begin atomic select 1; end immutable",
        ],
    );
}

#[test]
fn begin_elsewhere_in_postgres_is_a_transaction_or_a_name() {
    check(
        Dialect::Postgres,
        &[
            ("begin; select 1; end;", &["begin", "select 1", "end"]),
            ("create function begin() as 'x'; select 1", &["create function begin() as 'x'", "select 1"]),
            ("create table begin (atomic int); a", &["create table begin (atomic int)", "a"]),
            ("create table t as select 1 begin; a", &["create table t as select 1 begin", "a"]),
            (
                "create function f() as $$ begin a; end $$; b",
                &["create function f() as $$ begin a; end $$", "b"],
            ),
        ],
    );
}

#[test]
fn a_trigger_of_sqlite_stays_whole() {
    check_whole(
        Dialect::Sqlite,
        &[
            "create trigger a after insert on t begin select 1; select 2; end",
            "CREATE TEMP TRIGGER IF NOT EXISTS a AFTER UPDATE OF x ON t WHEN new.x > 1 BEGIN SELECT 1; END",
            "create temporary trigger a after insert on t begin update t set x = case when 1 then case 2 when 2 then 3 end end; end",
            "create trigger begin after insert on begin begin delete from t; end",
            "create trigger a after insert on t begin select \"end\", 'end;', [end] from t; /* ;end; */ select 1; end",
            "explain query plan create trigger a after insert on t begin select 1; end",
        ],
    );
}

#[test]
fn begin_elsewhere_in_sqlite_is_a_transaction() {
    check(
        Dialect::Sqlite,
        &[
            ("begin; select 1; end;", &["begin", "select 1", "end"]),
            ("create table trigger (begin); a", &["create table trigger (begin)", "a"]),
            ("drop trigger a; begin; b", &["drop trigger a", "begin", "b"]),
        ],
    );
}

#[test]
fn restrict_lines_are_told_and_other_client_commands_refused() {
    check(
        Dialect::Postgres,
        &[(
            "\\restrict k1\n\nselect 1;\n\\unrestrict k1\r\n",
            &["\\restrict k1", "select 1", "\\unrestrict k1"],
        )],
    );
    for (text, expected, line, column) in [
        ("select 1;\n \\connect other\nselect 2", "\\connect", 2, 2),
        ("\\! rm -rf /", "\\!", 1, 1),
        ("\\restrict `id`", "\\restrict", 1, 1),
        ("select 1 \\gexec", "\\gexec", 1, 10),
        ("select 1\n\\restrict k", "\\restrict", 2, 1),
        ("a;\n\\.\n", "\\.", 2, 1),
    ] {
        match failure(Dialect::Postgres, text) {
            (SplitError::MetaCommand { name, .. }, l, c) => {
                assert_eq!((name.as_str(), l, c), (expected, line, column), "{text}");
            }
            (error, ..) => panic!("{error}: {text}"),
        }
    }
}

#[test]
fn backslashes_inside_quotes_are_data() {
    check_whole(
        Dialect::Postgres,
        &["select '\n\\connect a\n'", "select $$\n\\! a\n$$", "select \"\\a\" /* \\b */ -- \\c\n, 1"],
    );
}

#[test]
fn dot_commands_of_the_sqlite_shell_are_refused() {
    match failure(Dialect::Sqlite, "select 1;\n.read x.sql\n") {
        (SplitError::MetaCommand { name, .. }, 2, 1) => assert_eq!(name, ".read"),
        other => panic!("{other:?}"),
    }
    check(Dialect::Sqlite, &[("select a\n.b; select .5", &["select a\n.b", "select .5"])]);
}

#[test]
fn switching_standard_strings_off_makes_backslashes_escape() {
    check(
        Dialect::Postgres,
        &[
            (
                r"SET standard_conforming_strings = off; select 'a\'; b'; SET standard_conforming_strings TO ON; select 'c\'; d",
                &[
                    "SET standard_conforming_strings = off",
                    r"select 'a\'; b'",
                    "SET standard_conforming_strings TO ON",
                    r"select 'c\'",
                    "d",
                ],
            ),
            (
                "set local \"standard_conforming_strings\" to 'false'; '\\';'; reset standard_conforming_strings; '\\'; a",
                &[
                    "set local \"standard_conforming_strings\" to 'false'",
                    "'\\';'",
                    "reset standard_conforming_strings",
                    "'\\'",
                    "a",
                ],
            ),
            (
                r"set standard_conforming_strings = on; '\'; a",
                &["set standard_conforming_strings = on", r"'\'", "a"],
            ),
            (
                r"set x = 'standard_conforming_strings'; '\'; a",
                &["set x = 'standard_conforming_strings'", r"'\'", "a"],
            ),
        ],
    );
}

#[test]
fn what_is_not_closed_is_shown_where_it_starts() {
    check_open(
        Dialect::Postgres,
        &[
            ("select 1;\nselect 'é', 'a;\n", Construct::String, 2, 13),
            ("select E'\\'", Construct::String, 1, 8),
            ("select U&'a", Construct::String, 1, 8),
            ("\r\nselect \"a", Construct::Identifier, 2, 8),
            ("a;\r\r  /* /* */ ;", Construct::Comment, 3, 3),
            ("select $a$ $$;", Construct::DollarString, 1, 8),
            ("select ((1);\nselect 2", Construct::Parenthesis, 1, 8),
            (
                "create function f()\n begin atomic select 1; select case when 1 then 2 end; ",
                Construct::AtomicBody,
                2,
                2,
            ),
        ],
    );
    check_open(
        Dialect::Sqlite,
        &[
            ("select 'a", Construct::String, 1, 8),
            ("select [a", Construct::Identifier, 1, 8),
            ("select `a", Construct::Identifier, 1, 8),
            ("create trigger a after insert on t\nbegin select 1;", Construct::TriggerBody, 2, 1),
        ],
    );
}

#[test]
fn locations_count_the_byte_order_mark_in_bytes_only() {
    let text = "\u{feff}select 1;\r\n  é; b";
    let starts: Vec<_> =
        split(Dialect::Postgres, text).expect(text).into_iter().map(|span| span.start).collect();
    let location = |offset, line, column| Location { offset, line, column };
    assert_eq!(starts, [location(3, 1, 1), location(16, 2, 3), location(20, 2, 6)]);
}

#[test]
fn a_byte_order_mark_between_files_that_were_joined_is_passed_over() {
    for dialect in BOTH {
        check(dialect, &[("\u{feff}a;\n\u{feff}b", &["a", "b"])]);
    }
}

#[test]
fn a_nul_byte_is_refused_where_it_is() {
    for dialect in BOTH {
        for text in ["a;\nb\0c", "a;\n'\0'", "a;\n-\0"] {
            let (error, line, column) = failure(dialect, text);
            assert!(matches!(error, SplitError::NulByte { .. }), "{text}");
            assert_eq!((line, column), (2, 2), "{text}");
        }
    }
}

#[test]
fn invalid_utf8_is_refused_after_the_statements_before_it() {
    for (bytes, offset, line) in [
        (&b"a;\n'\xff'"[..], 4, 2),
        (b"a;\n\xe2\x82", 3, 2),
        (b"a;\n\n\xe2\x82x", 4, 3),
        (b"a;\xc0\xaf", 2, 1),
    ] {
        for read_size in 1..9 {
            let mut splitter = Splitter::new(Dialect::Postgres, bytes).read_size(read_size);
            assert!(matches!(splitter.next(), Ok(Some(Item::Statement(_)))), "{bytes:?}");
            match splitter.next() {
                Err(SplitError::InvalidUtf8 { offset: o, line: l }) => {
                    assert_eq!((o, l), (offset, line), "{bytes:?}");
                }
                other => panic!("{other:?}: {bytes:?}"),
            }
        }
    }
    let utf16 = b"\xff\xfes\0e\0";
    let error = Splitter::new(Dialect::Sqlite, &utf16[..]).next();
    assert!(matches!(error, Err(SplitError::InvalidUtf8 { offset: 0, line: 1 })));
}

#[test]
fn a_statement_longer_than_the_limit_is_refused_however_it_is_read() {
    for (text, limit, fits) in [
        ("a;  select 'xxx';b", 12, true),
        ("a;  select 'xxx';b", 11, false),
        ("a;  select 'xxx'", 12, true),
        ("a;  select 'xxx'", 11, false),
        ("a;  /* yyyyyyyyyyy */ b", 12, false),
        ("a;                                   b", 2, true),
    ] {
        for read_size in [1, 2, 5, 100] {
            let mut splitter =
                Splitter::new(Dialect::Postgres, text.as_bytes()).statement_limit(limit).read_size(read_size);
            assert!(matches!(splitter.next(), Ok(Some(_))), "{text}");
            match splitter.next() {
                Ok(Some(_)) => assert!(fits, "{text} {limit} {read_size}"),
                Err(SplitError::TooLong { start, limit: told }) => {
                    assert!(!fits, "{text} {limit} {read_size}");
                    assert_eq!((start.offset, told), (4, limit));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_line_of_copy_data_longer_than_the_limit_is_refused_however_it_is_read() {
    for (limit, fits) in [(20, true), (19, false)] {
        for read_size in [1, 7, 100] {
            let text = "copy t from stdin;\n1\nabcdefghijklmnopqrs\n\\.\n";
            let mut splitter =
                Splitter::new(Dialect::Postgres, text.as_bytes()).statement_limit(limit).read_size(read_size);
            assert!(matches!(splitter.next(), Ok(Some(Item::Copy(_)))));
            match splitter.next() {
                Ok(None) => assert!(fits, "{read_size}"),
                Err(SplitError::TooLong { start, .. }) => {
                    assert!(!fits, "{read_size}");
                    assert_eq!((start.line, start.column), (3, 1));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn the_limit_can_be_lifted() {
    let mut splitter = Splitter::new(Dialect::Sqlite, &b"select 1"[..]).statement_limit(usize::MAX);
    assert!(matches!(splitter.next(), Ok(Some(Item::Statement(_)))));
}

#[test]
fn an_error_of_the_reader_is_passed_on() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let mut splitter = Splitter::new(Dialect::Postgres, (&b"a; b"[..]).chain(Broken));
    assert!(matches!(splitter.next(), Err(SplitError::Io(_))));
    assert!(matches!(splitter.next(), Ok(None)));
}
