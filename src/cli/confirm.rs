//! Consent to a squash that nothing shows to be safe; consent to destruction is decided with it.

use dbsetup::{Error, Kind};
pub use dbsetup_cli::confirm::{Answers, Verdict, Victim, find, judge, refuse_protected};

/// A repo that is squashed although nothing shows that its deployed databases have run its migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The repo.
    pub repo: String,
    /// The protected environments that have databases of their own, and of which nothing speaks.
    pub environments: Vec<String>,
}

/// Decides about squashes without evidence.
pub fn judge_unproven(repos: &[Unproven], terminal: bool) -> Verdict {
    let open: Vec<&Unproven> = repos.iter().collect();
    if open.is_empty() {
        return Verdict::Go;
    }
    let line = |repo: &Unproven| format!("`{}` in {}", repo.repo, repo.environments.join(", "));
    if terminal {
        let mut text = String::from("Nothing shows that what is squashed has been applied there:\n");
        for repo in open {
            text += &format!("  {}\n", line(repo));
        }
        return Verdict::Ask(
            text + "A database that lacks it cannot be migrated from this checkout alone. Go on?",
        );
    }
    let message = match open[..] {
        [one] => {
            format!("refused to squash {}: nothing shows that its migrations are applied there", line(one))
        }
        _ => "refused to squash: nothing shows that what is squashed is applied elsewhere".to_owned(),
    };
    let mut error = Error::new(Kind::Refused, message);
    if open.len() > 1 {
        error = open.iter().fold(error, |error, repo| error.note(line(repo)));
    }
    Verdict::Refuse(error.help(
        "show it: `--applied-on env:NAME` (a variable with a URL) or `--applied-on FILE` (what `cargo dbsetup status \
         --format json` writes there), one for each; or pass `--yes`",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_squash_without_evidence_is_asked_about_once_and_refused_without_a_terminal() {
        let core = Unproven { repo: "core".into(), environments: vec!["prod".into()] };
        let data = Unproven { repo: "data".into(), ..core.clone() };
        assert!(matches!(judge_unproven(&[], false), Verdict::Go));
        let Verdict::Ask(question) = judge_unproven(&[core.clone(), data.clone()], true) else {
            panic!("no question")
        };
        assert!(question.contains("`core` in prod") && question.contains("`data` in prod"), "{question}");
        for open in [vec![core.clone()], vec![core, data]] {
            let Verdict::Refuse(error) = judge_unproven(&open, false) else { panic!("not refused") };
            assert_eq!(error.kind(), Kind::Refused);
            let text = error.to_string();
            assert!(
                text.contains("--applied-on") && text.contains("--yes") && text.contains("`core` in prod"),
                "{text}"
            );
        }
    }
}
