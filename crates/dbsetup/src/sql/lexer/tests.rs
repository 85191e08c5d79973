use proptest::prelude::*;

use super::TokenKind::{Comment, Number, Parameter, Punctuation, QuotedIdentifier, Space, String, Word};
use super::*;

/// The tokens of a text without its blank space.
fn read(dialect: Dialect, text: &str) -> Vec<(TokenKind, &str)> {
    tokens(dialect, text).filter(|token| token.kind != Space).map(|token| (token.kind, token.text)).collect()
}

fn check(dialect: Dialect, cases: &[(&str, &[(TokenKind, &str)])]) {
    for (text, expected) in cases {
        assert_eq!(read(dialect, text), *expected, "{text}");
    }
}

#[test]
fn a_plain_string_of_postgres_knows_no_backslash() {
    check(
        Dialect::Postgres,
        &[
            (r"'a\' b", &[(String, r"'a\'"), (Word, "b")]),
            (r"'it''s' b", &[(String, "'it''s'"), (Word, "b")]),
            (r"'' b", &[(String, "''"), (Word, "b")]),
            (r"N'a\' b", &[(String, r"N'a\'"), (Word, "b")]),
            (r"B'01' X'ff'", &[(String, "B'01'"), (String, "X'ff'")]),
            (r"U&'a\' b", &[(String, r"U&'a\'"), (Word, "b")]),
        ],
    );
}

#[test]
fn an_escape_string_of_postgres_does() {
    check(
        Dialect::Postgres,
        &[
            (r"E'\'' b", &[(String, r"E'\''"), (Word, "b")]),
            (r"e'\\' b", &[(String, r"e'\\'"), (Word, "b")]),
            (r"E'a''\'b' c", &[(String, r"E'a''\'b'"), (Word, "c")]),
            (r"E'\é' b", &[(String, r"E'\é'"), (Word, "b")]),
        ],
    );
}

#[test]
fn a_letter_is_a_prefix_only_where_a_word_begins() {
    check(
        Dialect::Postgres,
        &[
            (r"note'a\' b", &[(Word, "note"), (String, r"'a\'"), (Word, "b")]),
            (r"E 'a\' b", &[(Word, "E"), (String, r"'a\'"), (Word, "b")]),
            ("u&x", &[(Word, "u"), (Punctuation, "&"), (Word, "x")]),
            ("u&", &[(Word, "u"), (Punctuation, "&")]),
            ("ue", &[(Word, "ue")]),
        ],
    );
}

#[test]
fn an_escape_string_continues_with_its_escapes_on_the_next_line() {
    check(
        Dialect::Postgres,
        &[
            (
                "E'a' -- c\n 'it\\'s' b",
                &[(String, "E'a'"), (Comment, "-- c"), (String, "'it\\'s'"), (Word, "b")],
            ),
            ("E'a'\n'b'\n'\\'' c", &[(String, "E'a'"), (String, "'b'"), (String, "'\\''"), (Word, "c")]),
            ("E'a' 'b\\' c", &[(String, "E'a'"), (String, "'b\\'"), (Word, "c")]),
            ("E'a',\n'b\\' c", &[(String, "E'a'"), (Punctuation, ","), (String, "'b\\'"), (Word, "c")]),
            ("'a'\n'b\\' c", &[(String, "'a'"), (String, "'b\\'"), (Word, "c")]),
        ],
    );
}

#[test]
fn dollar_quotes_end_with_their_own_tag() {
    check(
        Dialect::Postgres,
        &[
            ("$$a;'b$$ c", &[(String, "$$a;'b$$"), (Word, "c")]),
            ("$a$ $b$ $$ $a$ c", &[(String, "$a$ $b$ $$ $a$"), (Word, "c")]),
            ("$$ $a$$ c", &[(String, "$$ $a$$"), (Word, "c")]),
            ("$a$ $A$ $aa$ $a$", &[(String, "$a$ $A$ $aa$ $a$")]),
            ("$é1$x$é1$", &[(String, "$é1$x$é1$")]),
            ("$$$$", &[(String, "$$$$")]),
        ],
    );
}

#[test]
fn dollars_in_words_and_parameters_quote_nothing() {
    check(
        Dialect::Postgres,
        &[
            ("a$b$c", &[(Word, "a$b$c")]),
            ("$1 $23", &[(Parameter, "$1"), (Parameter, "$23")]),
            ("$1$a$;$a$", &[(Parameter, "$1"), (String, "$a$;$a$")]),
            ("$a b", &[(Punctuation, "$"), (Word, "a"), (Word, "b")]),
            ("$", &[(Punctuation, "$")]),
            ("$-", &[(Punctuation, "$"), (Punctuation, "-")]),
        ],
    );
}

#[test]
fn comments_of_postgres_nest_and_look_into_no_quotes() {
    check(
        Dialect::Postgres,
        &[
            ("/* a /* b */ ' ; */ c", &[(Comment, "/* a /* b */ ' ; */"), (Word, "c")]),
            ("/*/ */ c", &[(Comment, "/*/ */"), (Word, "c")]),
            ("/***/ c", &[(Comment, "/***/"), (Word, "c")]),
            ("-- it's\rb", &[(Comment, "-- it's"), (Word, "b")]),
            ("-- a\r\nb", &[(Comment, "-- a"), (Word, "b")]),
        ],
    );
}

#[test]
fn comments_begin_inside_operators() {
    check(
        Dialect::Postgres,
        &[
            ("1*/* c */2", &[(Number, "1"), (Punctuation, "*"), (Comment, "/* c */"), (Number, "2")]),
            ("1+--x", &[(Number, "1"), (Punctuation, "+"), (Comment, "--x")]),
            ("a-b", &[(Word, "a"), (Punctuation, "-"), (Word, "b")]),
            ("a/b", &[(Word, "a"), (Punctuation, "/"), (Word, "b")]),
            ("-", &[(Punctuation, "-")]),
            ("/", &[(Punctuation, "/")]),
        ],
    );
}

#[test]
fn numbers_hold_their_exponent_and_never_a_comment() {
    check(
        Dialect::Postgres,
        &[
            ("1.5e-3 .5 1_000", &[(Number, "1.5e-3"), (Number, ".5"), (Number, "1_000")]),
            ("1e--x", &[(Number, "1e"), (Comment, "--x")]),
            ("0xe-5", &[(Number, "0xe"), (Punctuation, "-"), (Number, "5")]),
            ("1a$b$ 1$b$;$b$", &[(Number, "1a$b$"), (Number, "1"), (String, "$b$;$b$")]),
            ("1-2", &[(Number, "1"), (Punctuation, "-"), (Number, "2")]),
            ("a.b", &[(Word, "a"), (Punctuation, "."), (Word, "b")]),
        ],
    );
}

#[test]
fn sqlite_has_four_ways_to_quote() {
    check(
        Dialect::Sqlite,
        &[
            (r"'a\' b", &[(String, r"'a\'"), (Word, "b")]),
            (r"E'a' b", &[(Word, "E"), (String, "'a'"), (Word, "b")]),
            (r"X'00' b", &[(String, "X'00'"), (Word, "b")]),
            (r#""a""b" c"#, &[(QuotedIdentifier, r#""a""b""#), (Word, "c")]),
            ("`a``;` c", &[(QuotedIdentifier, "`a``;`"), (Word, "c")]),
            ("[a;'b] c", &[(QuotedIdentifier, "[a;'b]"), (Word, "c")]),
            ("$$a$$", &[(Parameter, "$$a$$")]),
        ],
    );
}

#[test]
fn sqlite_parameters_have_five_forms() {
    check(
        Dialect::Sqlite,
        &[
            ("? ?12 :a @b", &[(Parameter, "?"), (Parameter, "?12"), (Parameter, ":a"), (Parameter, "@b")]),
            ("$c", &[(Parameter, "$c")]),
            (": x", &[(Punctuation, ":"), (Word, "x")]),
        ],
    );
}

#[test]
fn comments_of_sqlite_do_not_nest_and_may_stay_open() {
    check(
        Dialect::Sqlite,
        &[
            ("/* /* */ c", &[(Comment, "/* /* */"), (Word, "c")]),
            ("/*/ */ c", &[(Comment, "/*/ */"), (Word, "c")]),
            ("/* a", &[(Comment, "/* a")]),
            ("-- a\rb\nc", &[(Comment, "-- a\rb"), (Word, "c")]),
        ],
    );
}

#[test]
fn what_is_not_closed_reaches_to_the_end() {
    check(
        Dialect::Postgres,
        &[
            ("'a;", &[(String, "'a;")]),
            ("\"a;", &[(QuotedIdentifier, "\"a;")]),
            ("/* a;", &[(Comment, "/* a;")]),
            ("$a$ b;", &[(String, "$a$ b;")]),
            (r"E'a\", &[(String, r"E'a\")]),
        ],
    );
}

/// Text in which every rule has something to do.
pub(crate) fn nasty_text() -> impl Strategy<Value = std::string::String> {
    let pieces = [
        "'",
        "''",
        "\"",
        "`",
        "[",
        "]",
        "\\",
        "E'",
        "e",
        "U&",
        "X'",
        "$",
        "$$",
        "$a$",
        "$1",
        "a$b",
        "--",
        "-",
        "/*",
        "*/",
        "/",
        "*",
        "\n",
        "\r",
        "\r\n",
        " ",
        "\t",
        ";",
        ";",
        ";",
        "(",
        ")",
        ".",
        "1",
        "1e",
        "0x",
        "é",
        "€",
        "😀",
        "\u{feff}",
        "\0",
        "create ",
        "or ",
        "replace ",
        "function ",
        "procedure ",
        "trigger ",
        "temp ",
        "begin ",
        "atomic ",
        "end ",
        "case ",
        "copy ",
        "t ",
        "from ",
        "stdin ",
        "\n\\.\n",
        "\\restrict k\n",
        "explain ",
        "set ",
        "a ",
        "select ",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn tokens_cover_the_text_without_a_gap(text in prop_oneof![nasty_text(), any::<std::string::String>()]) {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let mut at = 0;
            for token in tokens(dialect, &text) {
                prop_assert_eq!(token.start, at);
                prop_assert!(!token.text.is_empty());
                at += token.text.len();
            }
            prop_assert_eq!(at, text.len());
        }
    }

    #[test]
    fn a_window_that_is_cut_decides_what_the_whole_decides_or_asks_for_more(text in nasty_text()) {
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let bytes = text.as_bytes();
            if bytes.is_empty() {
                continue;
            }
            let whole = Lexer::new(dialect).next(bytes, true);
            prop_assert_ne!(whole, Lexed::More);
            for cut in (1..bytes.len()).filter(|&cut| text.is_char_boundary(cut)) {
                match Lexer::new(dialect).next(&bytes[..cut], false) {
                    Lexed::More | Lexed::Token { kind: Space, .. } => {}
                    decided => prop_assert_eq!(decided, whole, "cut at {}", cut),
                }
            }
        }
    }
}
