//! The statements of PostgreSQL's own tests, split as psql splits them.
//!
//! psql is given each file together with a server that only writes down what it is sent. Both psql and our splitter read
//! the same text: commands of psql are taken out of it first, and counted.

mod recorder;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use dbsetup::sql::{Dialect, Item, Splitter, TokenKind, tokens};
use recorder::Recorder;
use regex::Regex;

use super::programs::finish;
use super::servers::Regression;
use crate::support::fault::tell;

/// What is sent to a server: a statement, or the data of the `COPY` before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    Statement(String),
    Data(String),
}

/// A file of psql as a file of SQL alone.
struct Plain {
    text: String,
    /// How often each command of psql was taken out.
    commands: BTreeMap<String, usize>,
}

/// Takes out the lines that are commands of psql, with the data of a `\\copy`, and puts `;` in place of those that end a
/// statement.
///
/// Also a `COPY` that the server refuses, as its answers in `expected` show: psql hears of it and goes on with the next
/// statement, while whoever does not ask the server has to take what follows for data.
fn plain(text: &str, expected: &str) -> Plain {
    let copy = Regex::new(r"^(copy|COPY) .*(from|FROM) (stdin|STDIN|stdout|STDOUT).*;")
        .expect("the pattern is constant");
    let line = Regex::new(r"^[ \t]*\\([a-z!?][a-z_!?+]*)").expect("the pattern is constant");
    let end = Regex::new(r"[ \t]*\\(g|gx|gset|gexec|gdesc|bind|bind_named|parse|watch|crosstabview|sendpipeline)([ \t][^']*('[^']*'[^']*)*)?$")
        .expect("the pattern is constant");
    let mut commands = BTreeMap::new();
    let mut count = |name: &str| *commands.entry(name.to_owned()).or_default() += 1;
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(body) = lines.next() {
        let times = |all: &str, what: &str| all.matches(what).count();
        // Where the data itself is what the server refuses, it is there to be read.
        let mut following = lines.clone().take_while(|line| *line != "\\.");
        let has_data = lines.clone().any(|line| line == "\\.") && following.all(|line| !line.contains(';'));
        if !has_data
            && copy.is_match(body)
            && times(text, &format!("\n{body}\n")) == times(expected, &format!("\n{body}\nERROR:"))
        {
            count("refused COPY");
            out.push('\n');
            continue;
        }
        if let Some(found) = line.captures(body) {
            count(&found[1]);
            // `\bind .. \g` at the front of a line ends the statement above it.
            let ends = end.is_match(body);
            out.push_str(if ends { ";\n" } else { "\n" });
            if &found[1] == "copy" && body.to_ascii_lowercase().contains("from stdin") {
                lines.by_ref().find(|line| *line == "\\.");
            }
            continue;
        }
        let body = match end.captures(body) {
            Some(found) => {
                count(&found[1]);
                format!("{};", &body[..found.get(0).expect("the whole").start()])
            }
            None => body.to_owned(),
        };
        // Two statements in one message, which end where each of them ends.
        let joined = body.matches("\\;").count();
        (0..joined).for_each(|_| count(";"));
        out.push_str(&body.replace("\\;", ";"));
        out.push('\n');
    }
    Plain { text: out, commands }
}

/// Returns the tokens of a statement without what psql takes away or leaves at its ends.
fn normal(statement: &str) -> String {
    let kept: Vec<&str> = tokens(Dialect::Postgres, statement)
        .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
        .map(|token| token.text)
        .collect();
    kept.join(" ").trim_end_matches([';', ' ']).to_owned()
}

fn normal_all(sent: Vec<Sent>) -> Vec<Sent> {
    sent.into_iter()
        .map(|sent| match sent {
            Sent::Statement(text) => Sent::Statement(normal(&text)),
            // Up to release 17 psql sends the line that ends the data, too.
            Sent::Data(data) => Sent::Data(data.strip_suffix("\\.\n").map_or(data.clone(), str::to_owned)),
        })
        .filter(|sent| *sent != Sent::Statement(String::new()))
        .collect()
}

/// Splits as the loader does. What cannot be split ends the list with the reason.
fn ours(text: &str) -> (Vec<Sent>, Option<String>) {
    let mut splitter = Splitter::new(Dialect::Postgres, text.as_bytes());
    let mut sent = Vec::new();
    loop {
        match splitter.next() {
            Ok(Some(Item::Statement(statement))) => sent.push(Sent::Statement(statement.text)),
            Ok(Some(Item::Copy(statement))) => {
                sent.push(Sent::Statement(statement.text));
                let (mut all, mut buffer) = (Vec::new(), Vec::new());
                loop {
                    match splitter.copy_data(&mut buffer) {
                        Ok(true) => all.extend_from_slice(&buffer),
                        Ok(false) => break,
                        Err(error) => return (sent, Some(error.to_string())),
                    }
                }
                sent.push(Sent::Data(String::from_utf8_lossy(&all).into_owned()));
            }
            Ok(Some(_)) => {}
            Ok(None) => return (sent, None),
            Err(error) => return (sent, Some(error.to_string())),
        }
    }
}

/// Gives the text to psql and returns what it sends.
fn theirs(programs: &Path, text: &str) -> Vec<Sent> {
    let recorder = Recorder::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("statements.sql");
    std::fs::write(&file, text).expect("a temporary file can be written");
    let mut command = Command::new(programs.join("psql"));
    command.args(["--no-psqlrc", "--quiet", "--file"]).arg(&file).arg(recorder.url());
    command.current_dir(directory.path()).env("PGCONNECT_TIMEOUT", "10");
    finish(command, "psql").success();
    recorder.end()
}

/// What came of one file.
struct Outcome {
    statements: usize,
    commands: BTreeMap<String, usize>,
    difference: Option<String>,
}

fn compare(programs: &Path, text: &str, expected: &str) -> Outcome {
    let Plain { text, commands } = plain(text, expected);
    let (left, stopped) = ours(&text);
    let (left, right) = (normal_all(left), normal_all(theirs(programs, &text)));
    let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
    let difference = (same < left.len().max(right.len()) || stopped.is_some()).then(|| {
        format!(
            "after {same} of {} and {}: ours {:?}, psql {:?}; we stopped: {stopped:?}",
            left.len(),
            right.len(),
            left.get(same),
            right.get(same)
        )
    });
    Outcome { statements: same, commands, difference }
}

/// Files that are not compared to their end, with words that the difference has to hold.
const KNOWN: [(&str, &str); 4] = [
    // psql puts the values of its own variables into the text.
    ("create_function_c.sql", "LAST_ERROR_MESSAGE"),
    ("event_trigger_login.sql", "DBNAME"),
    // Tests of psql: commands in the middle of a line, and several `COPY .. FROM STDIN` in one message.
    ("copyselect.sql", "text after `COPY .. FROM STDIN;`"),
    ("psql.sql", "client command"),
];

fn corpus(major: u32) {
    let Some(origin) = Regression::of(major) else { return };
    let Some(source) = &origin.source else {
        crate::support::skipped("the server's source text is not known");
        return;
    };
    let directory = source.join("src/test/regress/sql");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", directory.display()))
        .map(|entry| entry.expect("the directory can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "sql"))
        .collect();
    files.sort();
    assert!(files.len() > 150, "only {} files in {}", files.len(), directory.display());

    let (mut statements, mut known_differences, mut wrong) = (0, Vec::new(), Vec::new());
    let mut commands = BTreeMap::<String, usize>::new();
    for path in &files {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let bytes = std::fs::read(path).expect("the file can be read");
        let Ok(text) = String::from_utf8(bytes) else {
            known_differences.push(format!("{name} (not UTF-8)"));
            continue;
        };
        let expected = directory.with_file_name("expected").join(&name).with_extension("out");
        let expected = std::fs::read(expected).unwrap_or_default();
        let outcome = compare(&origin.programs, &text, &String::from_utf8_lossy(&expected));
        statements += outcome.statements;
        for (command, count) in outcome.commands {
            *commands.entry(command).or_default() += count;
        }
        if let Some(difference) = outcome.difference {
            let known = KNOWN.iter().any(|(file, reason)| *file == name && difference.contains(reason));
            if known { known_differences.push(name) } else { wrong.push(format!("{name}: {difference}")) }
        }
    }
    let taken: usize = commands.values().sum();
    let mut often: Vec<_> = commands.iter().collect();
    often.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let often: Vec<_> = often.iter().take(12).map(|(name, count)| format!("{name} {count}")).collect();
    tell(&format!(
        "PostgreSQL {major}: {} files, {statements} statements split as psql splits them; {} files not to their end: {}; \
         {taken} commands of psql, of {} kinds, taken out: {} ..",
        files.len(),
        known_differences.len(),
        known_differences.join(", "),
        commands.len(),
        often.join(", ")
    ));
    assert!(wrong.is_empty(), "{} files are split in another way:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_tests_of_postgresql_15_are_split_as_psql_splits_them() {
    corpus(15);
}

#[test]
fn the_tests_of_postgresql_17_are_split_as_psql_splits_them() {
    corpus(17);
}

#[test]
fn the_tests_of_postgresql_18_are_split_as_psql_splits_them() {
    corpus(18);
}

#[test]
fn commands_of_psql_are_taken_out_and_statements_stay() {
    let found = plain(
        "\\set a b\nselect 1 \\gset\nselect '\\d';\n select 2\\; select 3;\n\\bind 1 \\g\ncopy a from stdin;\n\\N\t1\n\\.\n",
        "",
    );
    assert_eq!(
        found.text, "\nselect 1;\nselect '\\d';\n select 2; select 3;\n;\ncopy a from stdin;\n\\N\t1\n\\.\n",
        ""
    );
    assert_eq!(found.commands.values().sum::<usize>(), 4);
    assert_eq!(normal("/* a */ select 1 -- b\n, 2 ;"), "select 1 , 2");
}
