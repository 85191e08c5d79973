//! The rules that hold for SQLite, on files that break them and on files that nearly do.

use std::collections::BTreeSet;

use dbsetup::sql::Dialect;

use super::super::RULES;
use super::{Case, automatic};

const CASES: &[Case] = &[
    Case {
        rule: "drop-table",
        broken: &[
            "select 1;\n«drop table if exists \"a b\"»;",
            "«DROP TABLE [a]»;",
            "«drop table a»; create table a (i);",
            "-- no-transaction\ncreate table n (i); «drop table a»; alter table n rename to a;",
        ],
        kept: &[
            "create table a (i); drop table A;",
            "create table new_a (i); insert into new_a select i from a; drop table a; alter table new_a rename to a;",
            "select 'drop table a';",
            "-- no-transaction\npragma foreign_keys = off; begin; create table n (i); insert into n select i from a; drop table a; alter table n rename to a; commit; pragma foreign_keys = on;",
        ],
    },
    Case {
        rule: "drop-object",
        broken: &["«drop view v»;"],
        kept: &["drop view v; create view v as select 1;", "drop index i;", "drop trigger t;"],
    },
    Case {
        rule: "drop-column",
        broken: &["«alter table a drop column b»;", "«alter table main.a drop b»;"],
        kept: &["create table a (i, b); alter table a drop column b;"],
    },
    Case {
        rule: "rename-table",
        broken: &["«alter table a rename to b»;"],
        kept: &[
            "create table a (i); alter table a rename to b;",
            "alter table a rename to b; create view a as select * from b;",
        ],
    },
    Case {
        rule: "rename-column",
        broken: &["«alter table a rename column b to c»;", "«alter table 'a' rename b to c»;"],
        kept: &["alter table a rename to b;", "create table a (b); alter table a rename b to c;"],
    },
    Case {
        rule: "required-column",
        broken: &[
            "«alter table a add column b integer not null»;",
            "«alter table a add b text not null default null»;",
        ],
        kept: &[
            "alter table a add column b integer not null default 0;",
            "alter table a add column b text check (b is not null);",
            "alter table a add column b integer;",
            "create table a (i); alter table a add column b int not null;",
        ],
    },
    Case {
        rule: "data-change",
        broken: &[
            "«update or ignore a set b = 1»;",
            "«delete from a»;",
            "«insert or replace into a (b) select b from c»;",
            "«replace into a select * from c»;",
            "«with x as (select 1 as i) update a set b = (select i from x)»;",
        ],
        kept: &[
            "insert into a values (1);",
            "insert into a select 1, 2;",
            "insert into a select 1, 2 where not exists (select 1 from a where i = 1);",
            "create table a (i); update a set i = 1; delete from a; insert into a select i from b;",
            "create trigger t after update on a begin update b set i = 1; end;",
            "with x as (select 1) select * from x;",
        ],
    },
    Case {
        rule: "needs-no-transaction",
        broken: &["«vacuum»;", "«pragma foreign_keys = off»;"],
        kept: &["-- no-transaction\nvacuum;", "pragma user_version = 3;"],
    },
    Case {
        rule: "transaction-control",
        broken: &["«begin immediate»;", "select 1; «commit»;"],
        kept: &["savepoint a; release a;", "-- no-transaction\nbegin; select 1; commit;"],
    },
];

#[test]
fn every_rule_finds_what_breaks_it_and_nothing_else() {
    for case in CASES {
        case.hold(Dialect::Sqlite);
    }
}

#[test]
fn every_rule_for_sqlite_is_tried() {
    let tried: BTreeSet<_> = CASES.iter().map(|case| case.rule).chain(["unread", "allow"]).collect();
    let rules: BTreeSet<_> = RULES.iter().filter(|rule| rule.sqlite).map(|rule| rule.name).collect();
    assert_eq!(tried, rules);
}

#[test]
fn nothing_of_sqlite_blocks() {
    let sql = "create index i on a (b); drop index j; alter table a add column c integer default 1; reindex;";
    assert!(automatic(Dialect::Sqlite, sql).is_empty());
}
