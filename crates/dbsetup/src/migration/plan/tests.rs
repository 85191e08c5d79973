use super::*;
use crate::driver::LedgerState;
use crate::ledger::LedgerKind;
use crate::migration::assess::assess;
use crate::migration::testing::{files, ledger, migration, repo, reversible, state};
use crate::repo::LedgerSetting;

fn scope(target: Target) -> Scope {
    Scope { target, ..Scope::default() }
}

fn plan_up(files: &FileSet, state: &LedgerState, scope: &Scope) -> Result<Plan> {
    let ledger = ledger(LedgerKind::Diesel);
    up(&repo(), files, &assess(files, &ledger, &LedgerSetting::default(), state), scope)
}

fn plan_down(files: &FileSet, state: &LedgerState, scope: &Scope) -> Result<Plan> {
    let ledger = ledger(LedgerKind::Diesel);
    down(&repo(), files, &assess(files, &ledger, &LedgerSetting::default(), state), scope)
}

fn versions(plan: &Plan) -> Vec<&str> {
    plan.versions.iter().map(Version::as_str).collect()
}

fn three() -> FileSet {
    files(&[reversible("1"), reversible("2"), reversible("3")])
}

#[test]
fn pending_migrations_run_in_version_order() {
    let plan = plan_up(&three(), &state(&["1"]), &scope(Target::All)).unwrap();
    assert_eq!(versions(&plan), ["2", "3"]);
    assert_eq!(plan.applied, 1);
}

#[test]
fn targets_limit_the_way_up() {
    let empty = state(&[]);
    let run = |target| versions(&plan_up(&three(), &empty, &scope(target)).unwrap()).join(" ");
    assert_eq!(run(Target::To("2".into())), "1 2");
    assert_eq!(run(Target::ToExclusive("2".into())), "1");
    assert_eq!(run(Target::Steps(2)), "1 2");
    assert_eq!(run(Target::To("0002".into())), "1 2");
    assert_eq!(plan_up(&three(), &empty, &scope(Target::To("9".into()))).unwrap_err().kind(), Kind::Missing);
}

#[test]
fn an_older_pending_migration_is_warned_of_or_refused() {
    let late = state(&["2"]);
    let files = files(&[reversible("1"), reversible("2")]);
    assert_eq!(plan_up(&files, &late, &scope(Target::All)).unwrap().warnings.len(), 1);
    let strict = Scope { order: VersionOrder::Strict, ..Scope::default() };
    assert_eq!(plan_up(&files, &late, &strict).unwrap_err().kind(), Kind::Configuration);
    let any = Scope { order: VersionOrder::Any, ..Scope::default() };
    assert!(plan_up(&files, &late, &any).unwrap().warnings.is_empty());
}

#[test]
fn a_pending_manual_migration_does_not_make_automatic_ones_late() {
    let mut manual = migration("1", "select 1;");
    manual.lane = Lane::Manual;
    let files = files(&[manual, reversible("2")]);
    let plan = plan_up(&files, &state(&["2"]), &Scope { lanes: Lanes::All, ..Scope::default() }).unwrap();
    assert_eq!(versions(&plan), ["1"]);
    assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
}

#[test]
fn a_migration_waits_for_what_it_requires_in_another_lane() {
    let mut manual = migration("1", "select 1;");
    manual.lane = Lane::Manual;
    let mut waiting = migration("2", "select 2;");
    waiting.requires = vec!["1".into()];
    let files = files(&[manual, waiting, migration("3", "select 3;")]);
    let automatic = plan_up(&files, &state(&[]), &Scope::default()).unwrap();
    assert_eq!(versions(&automatic), ["3"]);
    assert_eq!(automatic.blocked, [(Version::numeric("2").unwrap(), "1".into())]);
    let all = plan_up(&files, &state(&[]), &Scope { lanes: Lanes::All, ..Scope::default() }).unwrap();
    assert_eq!(versions(&all), ["1", "2", "3"]);
    assert!(all.blocked.is_empty());
}

#[test]
fn a_required_migration_runs_first_even_when_it_is_newer() {
    let mut early = migration("1", "select 1;");
    early.requires = vec!["2".into()];
    let files = files(&[early, migration("2", "select 2;"), migration("3", "select 3;")]);
    assert_eq!(versions(&plan_up(&files, &state(&[]), &Scope::default()).unwrap()), ["2", "1", "3"]);
}

#[test]
fn a_required_version_that_nobody_knows_is_an_error_that_names_the_file() {
    let mut lost = migration("1", "select 1;");
    lost.requires = vec!["77".into()];
    let error = plan_up(&files(&[lost]), &state(&[]), &Scope::default()).unwrap_err();
    assert!(error.to_string().contains("1_m1.up.sql"), "{error}");
}

#[test]
fn an_edited_applied_migration_stops_everything() {
    let files = files(&[migration("1", "select 1;"), migration("2", "select 2;")]);
    let mut state = state(&["1"]);
    state.meta.push(("checksum:1".into(), "sha256:0000".into()));
    let error = plan_up(&files, &state, &Scope::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    let help = error.help_text().unwrap();
    assert!(
        help.starts_with("put the old text back") && help.contains("resolve 1 --accept-checksum"),
        "{help}"
    );
}

#[test]
fn what_is_advised_about_an_edited_migration_is_what_can_be_done_there() {
    let advice = |environment: &str, migrations: &[Migration], applied: &[&str]| {
        let mut state = state(applied);
        state.rows[0].checksum = Some("sha256:0000".into());
        let (files, ledger) = (files(migrations), ledger(LedgerKind::Dbsetup));
        let repo = Repo { disposable: environment == "dev", environment: environment.into(), ..repo() };
        let found = assess(&files, &ledger, &repo.ledger, &state);
        let error = up(&repo, &files, &found, &Scope::default()).unwrap_err();
        assert_eq!(error.kind(), Kind::Changed);
        error.help_text().unwrap().to_owned()
    };
    let says = |help: &str| ["redo", "reset"].map(|word| help.contains(&format!("cargo dbsetup {word} ")));
    let (pair, plain) = (reversible("1"), migration("1", "select 1;"));
    assert_eq!(says(&advice("dev", std::slice::from_ref(&pair), &["1"])), [true, true]);
    assert_eq!(says(&advice("dev", std::slice::from_ref(&plain), &["1"])), [false, true]);
    assert_eq!(says(&advice("prod", std::slice::from_ref(&pair), &["1"])), [false, false]);
    // What came after it would go with it.
    let both = advice("dev", &[pair.clone(), reversible("2")], &["1", "2"]);
    assert!(both.contains("redo --to 1 ") && says(&both)[1], "{both}");
    assert_eq!(says(&advice("dev", &[pair, migration("2", "select 2;")], &["1", "2"])), [false, true]);
    let help = advice("prod", &[plain], &["1"]);
    assert!(help.contains("a new migration") && help.contains("resolve 1 --accept-checksum"), "{help}");
}

#[test]
fn rollback_goes_by_order_of_application_not_by_version() {
    let applied = state(&["1", "3", "2"]);
    let plan = plan_down(&three(), &applied, &scope(Target::Steps(1))).unwrap();
    assert_eq!(versions(&plan), ["2"]);
    let to = plan_down(&three(), &applied, &scope(Target::To("3".into()))).unwrap();
    assert_eq!(versions(&to), ["2", "3"]);
}

#[test]
fn rollback_refuses_before_anything_runs_when_a_down_side_is_missing() {
    let files = files(&[migration("1", "select 1;"), reversible("2")]);
    let error = plan_down(&files, &state(&["1", "2"]), &scope(Target::All)).unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.notes().contains(&"nothing was undone".to_owned()));
}

#[test]
fn a_newer_migration_without_a_down_side_is_not_passed_over() {
    let files = files(&[reversible("1"), migration("2", "select 2;")]);
    assert!(plan_down(&files, &state(&["1", "2"]), &scope(Target::Steps(1))).is_err());
}

#[test]
fn what_a_staying_migration_requires_cannot_be_undone() {
    let mut needs = reversible("1");
    needs.requires = vec!["2".into()];
    let files = files(&[needs, reversible("2")]);
    let error = plan_down(&files, &state(&["1", "2"]), &scope(Target::Steps(1))).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
}

#[test]
fn rolling_back_a_version_that_is_not_applied_is_an_error() {
    let error = plan_down(&three(), &state(&["1"]), &scope(Target::To("2".into()))).unwrap_err();
    assert_eq!(error.message(), "migration 2 is not applied to `core`");
}

#[test]
fn migrations_that_wait_for_each_other_are_an_error_that_prints_the_circle() {
    let (mut one, mut two) = (migration("1", "select 1;"), migration("2", "select 2;"));
    one.requires = vec!["2".into()];
    two.requires = vec!["1".into()];
    let error = plan_up(&files(&[one, two]), &state(&[]), &Scope::default()).unwrap_err();
    assert_eq!(error.message(), "migrations wait for each other: 1 -> 2 -> 1");
}

#[test]
fn nothing_is_undone_below_a_half_applied_migration() {
    let mut state = state(&["1"]);
    state.progress.push(crate::ledger::Progress {
        version: "2".into(),
        reverting: false,
        done: 1,
        total: 3,
        checksum: String::new(),
        retry: false,
    });
    let error = plan_down(&three(), &state, &scope(Target::Steps(1))).unwrap_err();
    assert_eq!(error.kind(), Kind::Undecided);
    assert!(error.help_text().unwrap().contains("resolve 2 --not-applied"));
}

#[test]
fn commands_to_paste_name_the_environment() {
    let mut repo = repo();
    repo.environment = "prod".into();
    assert_eq!(repo.command("migrate"), "`cargo dbsetup migrate --repo core --env prod`");
}
