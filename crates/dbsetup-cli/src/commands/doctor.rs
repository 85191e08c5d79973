//! `doctor`

use clap::Args;
use dbsetup::{Result, doctor};

use crate::task::{Output, Task};

/// Look for what is in the way: server, rights, TLS, pooler, locks, records, migrations, broken indexes.
///
/// Writes nothing and takes no lock. Each line says how it stands, and what to do where something is wrong. Exits with 3
/// when something is bad.
#[derive(Debug, Clone, Args)]
pub struct Doctor {}

impl Doctor {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        if task.options.dry_run {
            let target = task.session.server().target().shown.clone();
            return Ok(Output::Plan(vec![format!("look at {target}")]));
        }
        let report = doctor::examine(task.session).await;
        Ok(Output::Examined(Box::new(report)))
    }
}
