//! Runs jobs one after the other, several of them as one message where the database takes that.

use std::time::{Duration, Instant};

use super::job::{Job, Mode};
use super::run::{Outcome, Runner, tell_end, tell_start};
use crate::driver::Work;
use crate::error::Result;
use crate::event::Direction;
use crate::ledger::{Change, Progress, Took};

/// How many jobs share a message at most.
const MOST: usize = 64;
/// What is longer, in bytes, gains nothing by company.
const SMALL: usize = 8 * 1024;
/// How long a message takes at best: whoever interrupts the run, or waits for the database, waits no longer.
const BRIEF: Duration = Duration::from_millis(10);

/// How many jobs the next message takes: as many as the times of the last ones let expect to be brief.
#[derive(Debug, Clone, Copy)]
struct Share(usize);

impl Share {
    fn after(self, took: Duration) -> Self {
        Self(if took < BRIEF { (self.0 * 2).min(MOST) } else { (self.0 / 2).max(1) })
    }
}

/// Returns the progress of a job that was begun before.
fn progress_of<'p>(progress: &'p [Progress], job: &Job<'_>) -> Option<&'p Progress> {
    progress.iter().find(|progress| progress.version == job.migration.version.as_str())
}

/// How many of `jobs`, from the first one on, may share a message.
fn company(jobs: &[Job<'_>], progress: &[Progress], most: usize) -> usize {
    let is_small = |job: &&Job<'_>| {
        job.mode == Mode::Message
            && job.direction == Direction::Up
            && job.script().sql().len() <= SMALL
            && progress_of(progress, job).is_none()
    };
    jobs.iter().take(most).take_while(is_small).count()
}

impl Runner<'_, '_> {
    /// Runs jobs in their order and records each. Returns how many this run did itself.
    ///
    /// # Errors
    /// Those of [`Runner::run`]: the first one ends it.
    pub async fn run_all(&mut self, jobs: &[Job<'_>], progress: &[Progress]) -> Result<usize> {
        let (mut at, mut done, mut share) = (0, 0, Share(1));
        while let Some(mut job) = jobs.get(at) {
            let mut start = Instant::now();
            let together = match self.shares_messages().await? {
                true => company(&jobs[at..], progress, share.0),
                false => 1,
            };
            tell_start(self.session.teller(), job);
            if together > 1 {
                let finished = self.together(&jobs[at..at + together]).await?;
                (at, done) = (at + finished, done + finished);
                if finished == together {
                    share = share.after(start.elapsed());
                    continue;
                }
                // It runs alone: it wants no company, or fails.
                job = &jobs[at];
                (share, start) = (Share(finished.max(1)), Instant::now());
            }
            done += usize::from(self.run_started(job, progress_of(progress, job)).await? == Outcome::Done);
            at += 1;
            share = share.after(start.elapsed());
        }
        Ok(done)
    }

    async fn shares_messages(&mut self) -> Result<bool> {
        Ok(!self.log_sql && self.session.driver().await?.about().capabilities.several_transactions)
    }

    /// Runs jobs as one message, as far as that goes: the start of the first one was told, and that of the first one that
    /// is left is told.
    async fn together(&mut self, jobs: &[Job<'_>]) -> Result<usize> {
        let first = self.seq;
        let mut changes: Vec<Vec<Change>> = Vec::new();
        for job in jobs {
            changes.push(self.changes(job, Took::ThisTransaction));
            self.seq += 1;
        }
        let works: Vec<Work<'_>> = jobs
            .iter()
            .zip(&changes)
            .map(|(job, changes)| Work { script: job.script().sql(), changes, guard: None, lock: None })
            .collect();
        let teller = self.session.teller();
        let mut told = 0;
        let mut tell = |took| {
            tell_end(teller, &jobs[told], took);
            told += 1;
            if let Some(next) = jobs.get(told) {
                tell_start(teller, next);
            }
        };
        // What went wrong is found and told by whoever runs the next one alone.
        let _ = self.session.driver().await?.transact_each(&works, &mut tell).await;
        self.seq = first + i64::try_from(told).expect("a handful");
        Ok(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_takes_more_while_it_is_brief_and_one_at_last_when_it_is_not() {
        let (brief, long) = (Duration::from_millis(1), Duration::from_secs(1));
        let grown = (0..9).fold(Share(1), |share, _| share.after(brief));
        assert_eq!(grown.0, MOST);
        let shrunk = (0..9).fold(grown, |share, _| share.after(long));
        assert_eq!(shrunk.0, 1);
    }
}
