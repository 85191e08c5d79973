//! Bars: one a repo, only on a terminal, and only for work that takes longer than a blink.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dbsetup::event::{Event, What};
use dbsetup::repo::RepoName;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::text::line;

/// Work that is done sooner gets no bar.
const NOT_BEFORE: Duration = Duration::from_millis(300);
/// How often bars are looked after.
pub const TICK: Duration = Duration::from_millis(100);

/// The bars of a run.
pub struct Progress {
    bars: Option<MultiProgress>,
    jobs: Mutex<Vec<Job>>,
}

/// What one repo is at.
struct Job {
    repo: RepoName,
    since: Instant,
    label: String,
    done: u64,
    total: u64,
    in_bytes: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Returns bars that are drawn on stderr, or none at all.
    pub fn new(drawn: bool) -> Self {
        let bars = drawn.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));
        Self { bars, jobs: Mutex::new(Vec::new()) }
    }

    /// Whether bars may appear.
    pub fn is_drawn(&self) -> bool {
        self.bars.is_some()
    }

    /// Takes note of an event.
    pub fn hear(&self, event: &Event) {
        if self.bars.is_none() {
            return;
        }
        let mut jobs = self.lock();
        match &event.what {
            What::LoadStarted { path, bytes } => {
                let label = format!("loading {}", line(&path.display().to_string()));
                jobs.push(Job::new(event, label, *bytes, true));
            }
            What::MigrationsPlanned { count, .. } if *count > 0 => {
                jobs.push(Job::new(event, String::new(), *count as u64, false));
            }
            What::LoadProgress { bytes } => change(&mut jobs, event, |job| job.done = *bytes),
            What::MigrationStarted { version, name, .. } => {
                let label = format!("{} {}", line(version), line(name));
                change(&mut jobs, event, |job| job.label = label);
            }
            What::StatementDone { done, total, .. } => change(&mut jobs, event, |job| {
                let label = job.label.split(" (statement").next().unwrap_or_default();
                job.label = format!("{label} (statement {done} of {total})");
            }),
            What::Migrated { .. } | What::AppliedByOther { .. } => {
                change(&mut jobs, event, |job| job.done += 1);
                jobs.retain(|job| {
                    job.repo != event.repo || job.in_bytes || job.done < job.total || job.end()
                });
            }
            What::Loaded { .. } => jobs.retain(|job| job.repo != event.repo || job.end()),
            _ => {}
        }
    }

    /// Draws bars of work that lasts. Called every [`TICK`].
    pub fn draw(&self) {
        let Some(bars) = &self.bars else { return };
        for job in self.lock().iter_mut().filter(|job| job.since.elapsed() >= NOT_BEFORE) {
            let bar = job.bar.get_or_insert_with(|| {
                let bar = bars.add(ProgressBar::new(job.total));
                bar.set_style(style(job.in_bytes));
                bar.set_prefix(line(job.repo.as_str()).into_owned());
                bar
            });
            bar.set_message(job.label.clone());
            bar.set_position(job.done);
            bar.tick();
        }
    }

    /// Takes every bar away: the step is over, or a question follows.
    pub fn clear(&self) {
        self.lock().retain(Job::end);
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }

    /// Prints above the bars, and returns whether there are any: without bars the caller prints.
    pub fn print(&self, text: &str) -> bool {
        let Some(bars) = &self.bars else { return false };
        let drawn = self.lock().iter().any(|job| job.bar.is_some());
        drawn && bars.println(text).is_ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    fn new(event: &Event, label: String, total: u64, in_bytes: bool) -> Self {
        Self { repo: event.repo.clone(), since: Instant::now(), label, done: 0, total, in_bytes, bar: None }
    }

    /// Takes its bar away; always false, so that it can stand in `retain`.
    fn end(&self) -> bool {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        false
    }
}

fn change(jobs: &mut [Job], event: &Event, change: impl FnOnce(&mut Job)) {
    if let Some(job) = jobs.iter_mut().rev().find(|job| job.repo == event.repo) {
        change(job);
    }
}

fn style(in_bytes: bool) -> ProgressStyle {
    let numbers = if in_bytes { "{bytes}/{total_bytes}" } else { "{pos}/{len}" };
    let template = format!("{{prefix:>12}} [{{bar:24}}] {numbers} {{elapsed}} {{wide_msg}}");
    ProgressStyle::with_template(&template)
        .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_nothing_is_drawn_and_the_caller_prints() {
        let progress = Progress::new(false);
        progress.hear(&Event { repo: RepoName::new("core"), what: What::LoadProgress { bytes: 1 } });
        progress.draw();
        assert!(!progress.print("x"));
    }

    #[test]
    fn short_work_gets_no_bar() {
        let progress = Progress {
            bars: Some(MultiProgress::with_draw_target(ProgressDrawTarget::hidden())),
            jobs: Mutex::default(),
        };
        let tell = |what| progress.hear(&Event { repo: RepoName::new("core"), what });
        tell(What::LoadStarted { path: "s.sql".into(), bytes: 9 });
        progress.draw();
        assert!(progress.lock()[0].bar.is_none());
        progress.lock()[0].since = Instant::now() - NOT_BEFORE;
        progress.draw();
        assert!(progress.lock()[0].bar.is_some());
        tell(What::Loaded { path: "s.sql".into(), statements: 1, took: Duration::ZERO });
        assert!(progress.lock().is_empty());
    }
}
