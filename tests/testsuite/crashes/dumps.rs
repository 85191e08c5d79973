//! A dump that is killed leaves the old file or the new one, whole.

use std::time::Instant;

use crate::support::fault::{expect, fault_loop, tries};
use crate::support::{Backend, Project};

#[test]
fn a_structure_file_is_old_or_new_after_a_kill() {
    for backend in Backend::available() {
        let mut project = Project::new().repo("core", backend);
        for number in 1..30 {
            project = project.migration(
                "core",
                &format!("{number}_table"),
                &format!("create table t{number} (id integer primary key, a text not null);"),
            );
        }
        project.run("setup").success();
        let directory = project.priv_dir("core");
        let file = directory.join("structure.sql");
        let start = Instant::now();
        project.run("dump").success();
        let usual = start.elapsed();
        let new = project.read(&file);
        let names = project.files(&directory);
        let old = new.replace("CREATE TABLE", "-- older\nCREATE TABLE");
        assert_ne!(old, new);
        fault_loop(&format!("crashes: dump of {backend:?}"), tries(20, 100), |_, random| {
            project.write(&file, &old);
            let mut running = project.command("dump").spawn();
            random.pause(usual * 3 / 4);
            if !running.is_running() {
                return None;
            }
            running.kill();
            let _ = running.wait();
            let found = project.read(&file);
            if found != old && found != new {
                return Some(Err(format!("neither old nor new:\n{found}")));
            }
            let run = project.run("dump");
            if !run.is_success() {
                return Some(Err(run.to_string()));
            }
            Some(
                expect("the file is new", project.read(&file) == new, true)
                    .and_then(|()| expect("files", project.files(&directory), names.clone())),
            )
        });
    }
}
