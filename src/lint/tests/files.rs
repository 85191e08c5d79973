//! Whole files: as people write them, as editors save them, broken ones, and large ones.

use std::time::{Duration, Instant};

use dbsetup::migration::Grammar;
use dbsetup::repo::Lane;
use dbsetup::sql::Dialect;

use super::super::lint;
use super::{automatic, migration, names};

#[test]
fn an_additive_file_has_no_findings() {
    let sql = r#"
        -- Orders and what is in them.
        create type order_state as enum ('new', 'paid', 'sent');
        create table orders (
            id bigint generated always as identity primary key,
            user_id bigint not null references users (id),
            state order_state not null default 'new',
            created_at timestamptz not null default now(),
            total numeric(12, 2) check (total >= 0),
            unique (user_id, created_at)
        );
        create index orders_state on orders (state) where state <> 'sent';
        create table order_lines (order_id bigint references orders on delete cascade, line int, primary key (order_id, line));
        alter table orders add constraint orders_total check (total is not null) not valid;
        comment on column orders.total is 'with tax';
        create or replace view open_orders as select * from orders where state = 'new';
        create function touch() returns trigger language plpgsql as $$
        begin
            update orders set state = new.state where id = new.id;
            delete from order_lines; drop table if exists scratch;
            return new;
        end $$;
        create trigger touched before update on orders for each row execute function touch();
        insert into settings (name, value) values ('orders', 'on') on conflict do nothing;
        grant select, update on orders to app;
        alter table users add column last_order bigint references orders (id);
        alter table users add column vip boolean not null default false;
        alter type color add value if not exists 'red';
    "#;
    assert_eq!(automatic(Dialect::Postgres, sql), []);
}

#[test]
fn the_steps_of_a_large_table_have_no_findings() {
    for sql in [
        "-- no-transaction\ncreate index concurrently if not exists users_email on users (lower(email));",
        "alter table users add constraint users_email_present check (email is not null) not valid;",
        "alter table users validate constraint users_email_present;\nalter table users alter email set not null;",
        "alter table users add constraint users_email_key unique using index users_email;",
        "set local lock_timeout = '2s'; alter table users add column nick text;",
    ] {
        assert_eq!(automatic(Dialect::Postgres, sql), [], "{sql}");
    }
}

#[test]
fn findings_are_sorted_and_say_what_to_do() {
    let sql = "update users set a = 1;\nalter table users drop column b;\n";
    let findings = automatic(Dialect::Postgres, sql);
    assert_eq!(names(&findings), ["data-change", "drop-column"]);
    assert_eq!(findings[1].message, "column `b` of `users` is dropped");
    assert!(findings[1].help.ends_with("`-- dbsetup:allow drop-column REASON`"), "{}", findings[1].help);
}

#[test]
fn places_are_those_of_the_file_behind_a_byte_order_mark_and_windows_line_ends() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let sql = "\u{feff}-- grüße\r\nselect 'ä';\r\n  drop table größe;\r\n-- dbsetup:allow data-change reason\r\n";
        let findings = automatic(dialect, sql);
        assert_eq!(names(&findings), ["drop-table", "allow"]);
        let site = findings[0].site.as_ref().unwrap();
        assert_eq!((site.at.line, site.at.column, site.width), (3, 3, 16), "{site:?}");
        assert_eq!(site.excerpt, "  drop table größe;");
        assert_eq!(findings[1].site.as_ref().unwrap().at.line, 4);
    }
}

#[test]
fn data_of_copy_is_no_statement() {
    let sql = "select 1;\ncreate table a (i int);\ncopy a from stdin;\ndrop table b;\n\\.\ndrop table c;\n";
    let findings = automatic(Dialect::Postgres, sql);
    assert_eq!(names(&findings), ["drop-table"]);
    assert_eq!(findings[0].site.as_ref().unwrap().at.line, 6);
}

#[test]
fn a_statement_that_cannot_be_read_is_told_and_hides_no_other() {
    let sql = "create table a (i int);\nfrobnicate the table a;\ndrop table b;\nalter tabel c drop d;\n";
    let findings = automatic(Dialect::Postgres, sql);
    assert_eq!(names(&findings), ["unread", "drop-table"]);
    assert_eq!(findings[0].site.as_ref().unwrap().at.line, 2);
    assert!(findings[0].message.starts_with("2 statements were not linted"), "{}", findings[0].message);
}

#[test]
fn a_file_that_does_not_split_is_told_as_unread() {
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let findings = automatic(dialect, "drop table a;\nselect 'x");
        assert_eq!(names(&findings), ["unread"]);
        assert_eq!(findings[0].site.as_ref().unwrap().at.line, 2);
    }
}

#[test]
fn empty_files_have_no_findings() {
    for sql in ["", "\u{feff}", "-- nothing\n", ";;;", "/* a */"] {
        assert_eq!(automatic(Dialect::Postgres, sql), [], "{sql}");
        assert_eq!(automatic(Dialect::Sqlite, sql), [], "{sql}");
    }
}

#[test]
fn what_is_too_deep_or_too_long_is_told_and_ends_nothing() {
    let nested = format!("select {}1{};", "(".repeat(50_000), ")".repeat(50_000));
    let chain = format!("select {};", vec!["a"; 50_000].join(" or "));
    let longest = format!("select {};", vec!["a"; 9_000].join(" or "));
    let deepest = format!("select {}1{};", "(".repeat(199), ")".repeat(199));
    let not = format!("select {} a;", "not ".repeat(15_000));
    for (sql, unread) in [(nested, true), (chain, true), (longest, false), (deepest, false), (not, false)] {
        let findings = automatic(Dialect::Postgres, &(sql + "\ndrop table a;"));
        assert_eq!(names(&findings), if unread { vec!["unread", "drop-table"] } else { vec!["drop-table"] });
    }
}

#[test]
fn a_file_of_ten_thousand_statements_takes_no_time_to_speak_of() {
    let create: String =
        (0..5_000).map(|i| format!("create table t{i} (id int primary key, a text);\n")).collect();
    let alter: String =
        (0..5_000).map(|i| format!("alter table t{i} add column b int default 1;\n")).collect();
    let rows = format!("insert into t1 values {};", vec!["(1, 'x')"; 200_000].join(","));
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        let start = Instant::now();
        assert_eq!(automatic(dialect, &format!("{create}{alter}{rows}")), []);
        // Without optimisation, beside other tests.
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

/// Pieces of SQL in any order, cut anywhere: nothing of it may end the program.
#[test]
fn no_text_is_too_strange() {
    const PIECES: [&str; 40] = [
        "alter table",
        " a ",
        "drop column",
        "add column",
        "create index",
        "concurrently",
        "(",
        ")",
        ";",
        ",",
        "'",
        "\"",
        "$$",
        "--",
        "\n",
        "/*",
        "*/",
        "insert into",
        "select",
        "values",
        "from",
        "where",
        "::",
        "int",
        "not null",
        "default",
        "now()",
        "generated always as",
        "identity",
        "using",
        "with x as",
        "update",
        "set",
        "=",
        "ö",
        "\u{feff}",
        "begin",
        "check",
        "rename to",
        "references",
    ];
    let mut seed: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits fit") % below
    };
    for _ in 0..1_500 {
        let text: String = (0..random(24)).map(|_| [PIECES[random(PIECES.len())], " "].concat()).collect();
        for dialect in [Dialect::Postgres, Dialect::Sqlite] {
            let findings = automatic(dialect, &text);
            let panicked = findings.iter().any(|finding| finding.message.contains("too much"));
            assert!(!panicked, "{text:?}");
        }
    }
    let whole = include_str!("cases.rs");
    for _ in 0..300 {
        let mut cut = [random(whole.len()), random(whole.len())];
        cut.sort_unstable();
        let end = cut[1].min(cut[0] + 2_000);
        if let Some(text) = whole.get(cut[0]..end) {
            let findings = automatic(Dialect::Postgres, text);
            assert!(!findings.iter().any(|finding| finding.message.contains("too much")), "{text:?}");
        }
    }
}

#[test]
fn each_grammar_is_told_its_own_way_out_of_the_transaction() {
    let sql = "create index concurrently i on a (b);";
    for (grammar, word) in [
        (Grammar::Plain, "`-- no-transaction`"),
        (Grammar::Diesel, "`run_in_transaction = false`"),
        (Grammar::Dbmate, "`-- migrate:up transaction:false`"),
    ] {
        let mut migration = migration(sql, Lane::Automatic);
        migration.grammar = grammar;
        let findings = lint(&migration, Dialect::Postgres);
        assert!(findings[0].help.contains(word), "{findings:#?}");
    }
}
