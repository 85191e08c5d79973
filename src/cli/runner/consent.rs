//! Consent, before anything runs: what a plan destroys, what it squashes without evidence, and what reaches beyond
//! scratch databases.

use dbsetup_cli::drive::Stop;

use super::{Runner, placed};
use crate::cli::commands::squash::Squash;
use crate::cli::confirm::{self, Answers, Found, Reaching, Unproven, Verdict};
use crate::cli::context::Danger;
use crate::cli::options::Options;
use crate::cli::plan::Action;
use crate::cli::prepare::PreparedStep;
use crate::ui::prompt;

impl Runner<'_> {
    /// Asks once for everything that the plan destroys, and once for all that it squashes.
    pub(super) async fn ask_for_everything(&mut self) -> Result<(), Stop> {
        let prepared = self.prepared;
        let (mut victims, mut rehearsed) = (Vec::new(), Vec::new());
        // What a step before may have made is there by then, whatever is there now.
        let mut touched = vec![false; prepared.repos.len()];
        for (number, PreparedStep { step, repos, .. }) in prepared.steps.iter().enumerate() {
            let danger = match &step.action {
                Action::Command(command) => command.danger(),
                Action::Program(_) => None,
            };
            for &repo in repos {
                if let Some(danger) = danger.clone() {
                    let found = self.victim(repo, danger, &step.options, !touched[repo]).await?;
                    if step.options.dry_run { &mut rehearsed } else { &mut victims }.extend(found.victim);
                    self.expected.extend(found.expected.map(|versions| ((number, repo), versions)));
                }
                touched[repo] = true;
            }
        }
        if let Some(error) = confirm::refuse_protected(&rehearsed, prompt::can_ask()) {
            return Err(error.note("without `--dry-run` it would be refused, too").into());
        }
        prompt::consent(confirm::judge(&victims, prompt::can_ask())).await?;
        self.ask_about_squashes(prompt::can_ask()).await
    }

    /// Asks about the squashes of the plan that nothing shows to be safe, and about those that reach beyond their
    /// scratch databases.
    async fn ask_about_squashes(&mut self, terminal: bool) -> Result<(), Stop> {
        let prepared = self.prepared;
        let (mut unproven, mut rehearsed, mut reaching) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = vec![Vec::new(); prepared.repos.len()];
        for PreparedStep { step, repos, .. } in &prepared.steps {
            let Action::Command(command) = &step.action else { continue };
            let asks = |_: &&Squash| !step.options.yes;
            let Some(squash) = command.squash().filter(asks) else { continue };
            for &at in repos {
                let resolved = &prepared.repos[at];
                // A URL that leads nowhere is told by the run itself, and keeps no other repo from it.
                let Ok(session) = self.sessions.get(at) else { continue };
                let live = session.server().target().shown.clone();
                // A rehearsal of what reaches beyond says so itself, and tries nothing.
                if !step.options.dry_run {
                    found[at] = squash.beyond(resolved.files(), session.server().dialect());
                }
                if !found[at].is_empty() {
                    let (repo, statements) = (resolved.name().to_string(), found[at].clone());
                    reaching.push(Reaching { repo, statements });
                }
                let environments = squash.unproven(resolved.files(), &live, &resolved.protected).await?;
                if !environments.is_empty() {
                    let open = Unproven { repo: resolved.name().to_string(), environments };
                    if step.options.dry_run { &mut rehearsed } else { &mut unproven }.push(open);
                }
            }
        }
        // Where there is a person the squash asks, and a rehearsal has no questions.
        if let Verdict::Refuse(error) = confirm::judge_squashes(&rehearsed, &[], terminal) {
            return Err(error.note("without `--dry-run` it would be refused, too").into());
        }
        prompt::consent(confirm::judge_squashes(&unproven, &reaching, terminal)).await?;
        if terminal {
            self.agreed = found;
        }
        Ok(())
    }

    /// Returns what a step destroys; no victim where there is none. `untouched` says that the database is by then what
    /// it is now.
    async fn victim(
        &mut self,
        at: usize,
        danger: Danger,
        options: &Options,
        untouched: bool,
    ) -> Result<Found, Stop> {
        let resolved = &self.prepared.repos[at];
        let session = self.sessions.get(at).map_err(|error| placed(error, resolved))?;
        let answers = Answers { allowed: options.allow_protected.clone(), yes: options.yes };
        let is_open =
            |name: &str| self.workspace.config.disposable_environments.iter().any(|open| open == name);
        let victim = confirm::find(session, danger, answers, untouched, is_open).await;
        victim.map_err(|error| placed(error, resolved).into())
    }
}
