//! The start-up against a database in memory.

use super::*;

#[test]
fn a_start_up_may_run_in_a_task_of_its_own() {
    fn sendable(_: impl Send) {}
    sendable(Startup::of_repo(crate::migration::testing::repo()).run());
}
