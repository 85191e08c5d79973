//! What holds for every text that is split.

use std::io::Read;

use dbsetup::sql::{self, Dialect, Item, SpanKind, Splitter};

/// A reader that gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// What was found, with the data of each COPY, and how it ended.
type Found = (Vec<(String, u64, Option<Vec<u8>>)>, Option<String>);

fn stream(dialect: Dialect, bytes: &[u8], at_once: usize) -> Found {
    let mut splitter = Splitter::new(dialect, Drops(bytes, at_once));
    let mut found = Vec::new();
    loop {
        match splitter.next() {
            Ok(Some(Item::Statement(statement))) => {
                found.push((statement.text, statement.start.offset, None));
            }
            Ok(Some(Item::Copy(statement))) => {
                let (mut data, mut buffer) = (Vec::new(), Vec::new());
                loop {
                    match splitter.copy_data(&mut buffer) {
                        Ok(true) => data.extend_from_slice(&buffer),
                        Ok(false) => break,
                        Err(error) => return (found, Some(error.to_string())),
                    }
                }
                found.push((statement.text, statement.start.offset, Some(data)));
            }
            Ok(Some(_)) => {}
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

pub fn holds(dialect: Dialect, bytes: &[u8]) {
    // Where the reader stops makes no difference.
    let whole = stream(dialect, bytes, usize::MAX);
    assert_eq!(whole, stream(dialect, bytes, 1));
    assert_eq!(whole, stream(dialect, bytes, 7));
    let Ok(text) = std::str::from_utf8(bytes) else { return };

    // In memory it is the same.
    let Ok(spans) = sql::split(dialect, text) else {
        assert!(whole.1.is_some());
        return;
    };
    assert_eq!(whole.1, None);
    let statements: Vec<_> = spans
        .iter()
        .filter(|span| !matches!(span.kind, SpanKind::Meta(_)))
        .map(|span| {
            let data = match &span.kind {
                SpanKind::Copy { data } => Some(bytes[data.clone()].to_vec()),
                _ => None,
            };
            (text[span.range.clone()].to_owned(), span.range.start as u64, data)
        })
        .collect();
    assert_eq!(whole.0, statements);

    // The tokens cover the text, and whatever is asked about a statement has an answer.
    let tokens: String = sql::tokens(dialect, text).map(|token| token.text).collect();
    assert_eq!(tokens, text);
    for (statement, _, _) in &statements {
        assert_eq!(statement.trim(), statement);
        let _ = sql::transaction_control(dialect, statement);
        let _ = sql::dangerous_in_structure(dialect, statement);
        let _ = sql::must_run_alone(dialect, statement);
        let _ = sql::statement_words(dialect, statement, 4);
        let _ = sql::mentions_identifier(dialect, statement, "a");
        let _ = sql::concurrent_index(statement);
    }
}
