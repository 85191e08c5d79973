//! What holds for every text, however nasty.

use proptest::prelude::*;

use super::*;
use crate::sql::lexer::tests::nasty_text;
use crate::sql::lexer::{TokenKind, tokens};

/// One statement, whole and without a `;` that would end it.
fn atom() -> impl Strategy<Value = (Dialect, String)> {
    let common = || {
        prop::sample::select(vec![
            "select 1",
            "select 'a;''b'",
            "select \";\"\"\"",
            "insert into t values (1, ';'), (2, '--')",
            "update t /* ; */ set a = 1",
            "delete from t -- ;\nwhere a = 1",
            "begin",
            "end",
            "select case when a then b end",
        ])
    };
    let postgres = prop::sample::select(vec![
        r"select E'\';'",
        "select $a$;$$;'$a$",
        "create rule r as on insert to t do (a; b)",
        "create function f() begin atomic select 1; select case when a then b end; end",
        "create function f() as $$ begin; end; $$",
        "select /* /* ; */ ' */ 1",
    ]);
    let sqlite = prop::sample::select(vec![
        "select [;], `;`",
        "create trigger a after insert on t begin select 1; select case when a then b end; end",
        "select X'00'",
    ]);
    prop_oneof![
        prop_oneof![common(), postgres].prop_map(|text| (Dialect::Postgres, text.to_owned())),
        prop_oneof![common(), sqlite].prop_map(|text| (Dialect::Sqlite, text.to_owned())),
    ]
}

fn gap() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", " ", "\n", "\r\n", "-- it's\n", "/* ; */", ";", "\t", "--\n"])
}

proptest! {
    #[test]
    fn between_the_spans_stands_nothing_that_means_anything(text in nasty_text()) {
        for dialect in BOTH {
            let Ok(spans) = split(dialect, &text) else { continue };
            let mut at = 0;
            for span in &spans {
                prop_assert!(at <= span.range.start && span.range.start < span.range.end);
                prop_assert_eq!(span.start, crate::sql::locate(&text, span.range.start));
                prop_assert!(is_gap(dialect, &text[at..span.range.start]), "{:?}", &text[at..span.range.start]);
                at = span.range.end;
                if let SpanKind::Copy { data } = &span.kind {
                    let header = &text[at..data.start];
                    prop_assert!(header.ends_with('\n') && is_gap(dialect, header));
                    prop_assert!(text[data.end..].starts_with("\\."));
                    at = data.end + 2;
                }
            }
            prop_assert!(is_gap(dialect, &text[at..]));
        }
    }

    #[test]
    fn streaming_tells_what_splitting_in_memory_tells(text in nasty_text(), read_size in 1_usize..12) {
        for dialect in BOTH {
            let streamed = stream(dialect, text.as_bytes(), read_size);
            match split(dialect, &text) {
                Ok(_) => prop_assert_eq!(streamed, in_memory(dialect, &text)),
                Err(error) => prop_assert_eq!(streamed.last().cloned(), Some(format!("{error:?}"))),
            }
        }
    }

    #[test]
    fn joined_statements_come_apart_again(
        atoms in prop::collection::vec((gap(), any::<bool>(), atom(), gap()), 0..8),
        read_size in 1_usize..40,
    ) {
        for dialect in BOTH {
            let atoms: Vec<_> = atoms.iter().filter(|(_, _, (of, _), _)| *of == dialect).collect();
            let text: String = atoms.iter().map(|(before, mark, (_, atom), after)| {
                let mark = if *mark { "\u{feff}" } else { "" };
                format!("{before}{mark}{atom}{after};")
            }).collect();
            let expected: Vec<_> = atoms.iter().map(|(_, _, (_, atom), _)| atom.as_str()).collect();
            prop_assert_eq!(statements(dialect, &text), expected);
            prop_assert_eq!(stream(dialect, text.as_bytes(), read_size), in_memory(dialect, &text));
        }
    }

    #[test]
    fn a_statement_that_is_split_again_is_itself(text in nasty_text()) {
        for dialect in BOTH {
            let Ok(spans) = split(dialect, &text) else { continue };
            for span in spans.iter().filter(|span| span.kind == SpanKind::Statement) {
                let statement = &text[span.range.clone()];
                prop_assert_eq!(statements(dialect, statement), [statement]);
                let twice = format!("{statement};{statement}");
                prop_assert_eq!(statements(dialect, &twice), [statement, statement]);
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>(), text in any::<String>(), read_size in 1_usize..9) {
        for dialect in BOTH {
            stream(dialect, &bytes, read_size);
            stream(dialect, text.as_bytes(), read_size);
        }
    }
}

fn is_gap(dialect: Dialect, text: &str) -> bool {
    tokens(dialect, text.trim_start_matches(['\u{feff}', '\r'])).all(|token| match token.kind {
        TokenKind::Space | TokenKind::Comment => true,
        _ => token.text.chars().all(|character| matches!(character, ';' | '\u{feff}')),
    })
}
