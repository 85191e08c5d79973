use super::*;
use crate::error::Kind;
use crate::ledger::LedgerKind;
use crate::migration::testing;

/// A repo with these files below its priv directory.
struct Fixture {
    root: tempfile::TempDir,
    repo: Repo,
}

impl Fixture {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let mut repo = testing::repo();
        repo.display_root = root.path().to_path_buf();
        repo.priv_dir = root.path().to_path_buf();
        repo.structure = root.path().join("structure.sql");
        repo.migrations = vec![root.path().join("migrations")];
        repo.manual_migrations = vec![root.path().join("manual_migrations")];
        repo.archive = vec![root.path().join("dumped_migrations")];
        let fixture = Self { root, repo };
        fixture.write("migrations/.gitkeep", "");
        for (path, text) in files {
            fixture.write(path, text);
        }
        fixture
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
        std::fs::write(path, text).expect("it is writable");
    }

    fn floor(&self, lines: &str) {
        self.write(
            "structure.floor",
            format!("dbsetup floor format 1\nledger schema_migrations\n\nsquash\n{lines}"),
        );
    }

    fn read(&self) -> Result<FileSet> {
        FileSet::read(&self.repo, &[])
    }

    /// What is archived: version, lane, source, and whether it has a down side.
    fn archived(&self) -> Vec<(String, Lane, String, bool)> {
        let set = self.read().unwrap();
        assert!(set.archive_problems.is_empty(), "{:?}", set.archive_problems);
        let archived = set.archived.into_values();
        archived.map(|one| (one.version.to_string(), one.lane, one.source, one.down.is_some())).collect()
    }
}

#[test]
fn an_archive_alone_tells_how_versions_are_read() {
    let fixture = Fixture::new(&[("dumped_migrations/2026-01-01-000000_a/up.sql", "select 1;")]);
    let set = fixture.read().unwrap();
    let version = set.parse_version("20260101000000").unwrap();
    assert!(set.archived.contains_key(&version));
    assert!(!set.numeric);
}

#[test]
fn lanes_keep_their_folders_below_the_archive() {
    let mut fixture = Fixture::new(&[
        ("dumped_migrations/1_a.sql", "select 1;"),
        ("dumped_migrations/migrations/2_b.up.sql", "select 1;"),
        ("dumped_migrations/migrations/2_b.down.sql", "select 1;"),
        ("dumped_migrations/manual_migrations/3_c.sql", "select 1;"),
        ("dumped_migrations/slow/4_d.sql", "select 1;"),
        ("dumped_migrations/README.md", "what was squashed"),
    ]);
    fixture.repo.manual_migrations = vec![fixture.root.path().join("lanes/slow")];
    std::fs::create_dir_all(&fixture.repo.manual_migrations[0]).unwrap();
    let expected = [
        ("1", Lane::Automatic, "migrations", false),
        ("2", Lane::Automatic, "migrations", true),
        ("3", Lane::Manual, "manual_migrations", false),
        ("4", Lane::Manual, "slow", false),
    ];
    let archived = fixture.archived();
    let archived: Vec<_> =
        archived.iter().map(|(version, lane, source, down)| (&**version, *lane, &**source, *down)).collect();
    assert_eq!(archived, expected);
    let set = fixture.read().unwrap();
    let slow = &set.archived[&set.parse_version("4").unwrap()];
    assert_eq!(slow.directory, fixture.repo.manual_migrations[0]);
    assert_eq!(slow.up.path.display().to_string(), "dumped_migrations/slow/4_d.sql");
}

#[test]
fn the_floor_knows_the_lane_and_a_folder_suggests_it() {
    let fixture = Fixture::new(&[("dumped_migrations/1_a.sql", "select 1;")]);
    assert_eq!(fixture.archived()[0].1, Lane::Automatic);
    fixture.floor("manual 1 - a\n");
    let (_, lane, source, _) = &fixture.archived()[0];
    assert_eq!((*lane, source.as_str()), (Lane::Manual, "manual_migrations"));
}

#[test]
fn a_move_that_was_interrupted_is_no_error() {
    // The down side goes first.
    let fixture = Fixture::new(&[
        ("migrations/1_a.up.sql", "select 1;"),
        ("dumped_migrations/migrations/1_a.down.sql", "select 2;"),
        ("migrations/2_b.sql", "select 1;"),
        ("dumped_migrations/migrations/2_b.sql", "select 1;"),
    ]);
    let set = fixture.read().unwrap();
    assert!(set.archive_problems.is_empty(), "{:?}", set.archive_problems);
    let live = set.find(&set.parse_version("1").unwrap()).unwrap();
    assert_eq!(live.down.as_ref().map(Script::sql), Some("select 2;"), "a rollback still finds it");
    assert!(set.archived.keys().map(Version::as_str).eq(["2"]));
    fixture.write("dumped_migrations/migrations/2_b.sql", "select 2;");
    assert_eq!(fixture.read().unwrap_err().kind(), Kind::DuplicateVersion);
}

#[test]
fn what_cannot_be_read_is_a_problem_of_its_version_alone() {
    let fixture = Fixture::new(&[
        ("dumped_migrations/migrations/1_a.sql", "select 1;"),
        ("dumped_migrations/migrations/V2__b.sql", "select 1;"),
        ("dumped_migrations/migrations/3_c/up.sql", "select 1;"),
        ("dumped_migrations/migrations/4_d.sql", "-- dbsetup: nonsense\nselect 1;"),
        ("dumped_migrations/migrations/notes.sql", "select 1;"),
        ("dumped_migrations/migrations/6_lost.down.sql", "select 1;"),
        ("dumped_migrations/migrations/7_a.sql", "select 1;"),
        ("dumped_migrations/7_b.sql", "select 1;"),
    ]);
    fixture.write("dumped_migrations/migrations/5_e.sql", b"select '\xff';");
    let set = fixture.read().unwrap();
    assert!(set.archived.keys().map(Version::as_str).eq(["1", "2", "3"]), "{:?}", set.archived.keys());
    for about in ["4_d.sql", "5_e.sql", "6_lost.down.sql", "7_b.sql"] {
        let problems = &set.archive_problems;
        assert_eq!(problems.iter().filter(|problem| problem.contains(about)).count(), 1, "{problems:?}");
    }
    assert_eq!(set.archive_problems.len(), 4, "{:?}", set.archive_problems);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_listed_is_a_problem_and_no_failure() {
    let fixture = Fixture::new(&[("dumped_migrations/migrations/1_a.sql", "select 1;")]);
    std::os::unix::fs::symlink("/etc/hostname", fixture.root.path().join("dumped_migrations/2_b.sql"))
        .unwrap();
    let set = fixture.read().unwrap();
    assert!(set.archived.keys().map(Version::as_str).eq(["1"]));
    assert_eq!(set.archive_problems.len(), 1, "{:?}", set.archive_problems);
}

#[test]
fn folders_of_refinerys_are_read_once() {
    let fixture = Fixture::new(&[("dumped_migrations/migrations/V1__a.sql", "select 1;")]);
    assert_eq!(fixture.archived().len(), 1);
}

#[test]
fn the_archive_is_read_for_a_database_that_needs_it_and_for_no_other() {
    let fixture = Fixture::new(&[
        ("dumped_migrations/migrations/1_a.sql", "select 1;"),
        ("dumped_migrations/migrations/2_b.sql", "select 2;"),
        ("migrations/3_c.sql", "select 3;"),
    ]);
    let read_for = |recorded: &[&str]| {
        let mut set = FileSet::read_lanes(&fixture.repo, &[]).unwrap();
        let ledger = testing::ledger(LedgerKind::Dbsetup);
        set.complete(&fixture.repo, &ledger, &testing::state(recorded)).unwrap();
        set.has_archive
    };
    assert!(read_for(&["1"]), "nothing else tells what became of 1");
    fixture.floor("automatic 1 - a\nautomatic 2 - b\n");
    assert!(!read_for(&["1", "2"]) && !read_for(&["1", "2", "3"]));
    assert!(read_for(&["1"]) && read_for(&[]) && read_for(&["1", "2", "9"]));
    // What came back into a lane is compared with what is in the archive.
    fixture.write("migrations/2_b.sql", "select 2;");
    assert!(read_for(&["1", "2"]));
}

#[test]
fn a_floor_without_any_file_tells_how_versions_are_read() {
    let fixture = Fixture::new(&[]);
    fixture.write("structure.floor", "dbsetup floor format 1\nledger diesel\n\nsquash\nautomatic 1a - a\n");
    assert!(!fixture.read().unwrap().numeric);
}

#[test]
fn a_floor_that_cannot_be_read_stops_every_command() {
    let fixture = Fixture::new(&[]);
    fixture.write("structure.floor", "dbsetup floor format 1\n<<<<<<< ours\n");
    assert_eq!(fixture.read().unwrap_err().kind(), Kind::Grammar);
}
