//! The data that follow `COPY .. FROM STDIN`.

use super::*;

#[test]
fn data_follows_copy_from_stdin_up_to_its_end_line() {
    check(
        Dialect::Postgres,
        &[
            (
                "copy t from stdin;\n1;'\n\\.x\n\\\\.\n\\.\nselect 1",
                &["copy t from stdin", "1;'\n\\.x\n\\\\.\n", "select 1"],
            ),
            (
                "COPY a.\"b;c\" (d, e) FROM stdin WITH (FORMAT csv);\n\\.\n",
                &["COPY a.\"b;c\" (d, e) FROM stdin WITH (FORMAT csv)", ""],
            ),
            ("copy t from stdin; -- c\na\n\\.", &["copy t from stdin", "a\n"]),
            ("copy t from /* ; */ stdout;\na\n\\.\n", &["copy t from /* ; */ stdout", "a\n"]),
            ("copy binary t from stdin;\n\\.\nb", &["copy binary t from stdin", "", "b"]),
        ],
    );
}

#[test]
fn data_of_copy_may_have_crlf_line_ends() {
    check(
        Dialect::Postgres,
        &[(
            "copy t from stdin;\r\n1\r\n\r\n\\.\r\nselect 1;\r\n",
            &["copy t from stdin", "1\r\n\r\n", "select 1"],
        )],
    );
}

#[test]
fn other_copies_have_no_data() {
    check(
        Dialect::Postgres,
        &[
            ("copy t to stdout; a", &["copy t to stdout", "a"]),
            ("copy t to stdin; a", &["copy t to stdin", "a"]),
            ("copy t from 'stdin'; a", &["copy t from 'stdin'", "a"]),
            ("copy t from program 'stdin'; a", &["copy t from program 'stdin'", "a"]),
            ("copy (select 1 from stdin) to stdout; a", &["copy (select 1 from stdin) to stdout", "a"]),
            ("copy stdin (stdin) from 'f'; a", &["copy stdin (stdin) from 'f'", "a"]),
            ("select 'copy t from stdin;'; a", &["select 'copy t from stdin;'", "a"]),
        ],
    );
}

#[test]
fn text_behind_copy_on_its_line_is_refused() {
    let (error, line, column) = failure(Dialect::Postgres, "a;\ncopy t from stdin; select 1;\n\\.\n");
    assert!(matches!(error, SplitError::TextAfterCopy { .. }));
    assert_eq!((line, column), (2, 20));
}

#[test]
fn copy_data_that_ends_with_the_file_is_refused() {
    check_open(
        Dialect::Postgres,
        &[
            ("a;\n copy t from stdin;\n1\n2\n", Construct::CopyData, 2, 2),
            ("copy t from stdin;\n1\n\\", Construct::CopyData, 1, 1),
            ("copy t from stdin;", Construct::CopyData, 1, 1),
            ("copy t from stdin", Construct::CopyData, 1, 1),
        ],
    );
}

#[test]
fn data_that_nobody_asks_for_is_passed_over() {
    let text = format!("copy t from stdin;\n{}\\.\nselect 1", "x\n".repeat(100_000));
    let mut splitter = Splitter::new(Dialect::Postgres, text.as_bytes());
    assert!(matches!(splitter.next(), Ok(Some(Item::Copy(_)))));
    assert!(
        matches!(splitter.next(), Ok(Some(Item::Statement(statement))) if statement.text == "select 1" && statement.start.line == 100_003)
    );
}

#[test]
fn copy_data_comes_in_chunks_of_whole_lines() {
    let text = format!("copy t from stdin;\n{}\\.\n", "abcdefg\n".repeat(50_000));
    let mut splitter = Splitter::new(Dialect::Postgres, text.as_bytes());
    assert!(matches!(splitter.next(), Ok(Some(Item::Copy(_)))));
    let (mut buffer, mut sizes) = (Vec::new(), Vec::new());
    while splitter.copy_data(&mut buffer).expect("the data is whole") {
        assert!(buffer.ends_with(b"\n"));
        sizes.push(buffer.len());
    }
    assert_eq!(sizes.iter().sum::<usize>(), 400_000);
    assert!(sizes.iter().all(|&size| size <= 2 * copy::CHUNK), "{sizes:?}");
    assert!(!splitter.copy_data(&mut buffer).expect("the data is read") && buffer.is_empty());
}
