//! Consent to a squash that nothing shows to be safe; consent to destruction is decided with it.

use dbsetup::structure::replay::Beyond;
use dbsetup::{Error, Kind};
pub use dbsetup_cli::confirm::{Answers, Found, Verdict, find, judge, refuse_protected};

use crate::ui::text;

/// A repo that is squashed although nothing shows that its deployed databases have run its migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven {
    /// The repo.
    pub repo: String,
    /// The protected environments that have databases of their own, and of which nothing speaks.
    pub environments: Vec<String>,
}

/// A repo whose squash runs again what stays when the scratch database goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaching {
    /// The repo.
    pub repo: String,
    /// The statements.
    pub statements: Vec<Beyond>,
}

/// Decides about squashes without evidence, and about those that reach beyond their scratch databases. Where nobody can
/// be asked the latter are refused by the squash itself, which points at the place.
pub fn judge_squashes(open: &[Unproven], reaching: &[Reaching], terminal: bool) -> Verdict {
    let line = |repo: &Unproven| format!("`{}` in {}", repo.repo, repo.environments.join(", "));
    if terminal && !(open.is_empty() && reaching.is_empty()) {
        let mut text = String::new();
        if !open.is_empty() {
            text += "Nothing shows that what is squashed has been applied there:\n";
            open.iter().for_each(|repo| text += &format!("  {}\n", line(repo)));
            text += "A database that lacks it cannot be migrated from this checkout alone.\n";
        }
        if !reaching.is_empty() {
            text += "This is run again in a scratch database, and reaches beyond it:\n";
            reaching.iter().for_each(|repo| text += &listed(repo));
        }
        return Verdict::Ask(text + "Go on?");
    }
    if open.is_empty() {
        return Verdict::Go;
    }
    let message = match open {
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

fn listed(repo: &Reaching) -> String {
    const SHOWN: usize = 10;
    let mut text = String::new();
    for Beyond { what, site } in repo.statements.iter().take(SHOWN) {
        let path = site.path.display().to_string();
        text += &format!("  {what} at {}:{} (repo {})\n", text::line(&path), site.at.line, repo.repo);
    }
    match repo.statements.len().saturating_sub(SHOWN) {
        0 => text,
        more => text + &format!("  and {more} more\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::error::Site;

    #[test]
    fn a_squash_without_evidence_is_asked_about_once_and_refused_without_a_terminal() {
        let core = Unproven { repo: "core".into(), environments: vec!["prod".into()] };
        let data = Unproven { repo: "data".into(), ..core.clone() };
        assert!(matches!(judge_squashes(&[], &[], false), Verdict::Go));
        assert!(matches!(judge_squashes(&[], &[], true), Verdict::Go));
        let Verdict::Ask(question) = judge_squashes(&[core.clone(), data.clone()], &[], true) else {
            panic!("no question")
        };
        assert!(question.contains("`core` in prod") && question.contains("`data` in prod"), "{question}");
        for open in [vec![core.clone()], vec![core, data]] {
            let Verdict::Refuse(error) = judge_squashes(&open, &[], false) else { panic!("not refused") };
            assert_eq!(error.kind(), Kind::Refused);
            let text = error.to_string();
            assert!(
                text.contains("--applied-on") && text.contains("--yes") && text.contains("`core` in prod"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_reaches_beyond_is_in_the_same_question_and_left_to_the_squash_without_a_terminal() {
        let core = Unproven { repo: "core".into(), environments: vec!["prod".into()] };
        let site = Site::in_text("a.sql", "x;\ncreate role app;", 3..18);
        let beyond = Beyond { what: "CREATE ROLE".into(), site };
        let reaching = Reaching { repo: "core".into(), statements: vec![beyond; 12] };
        let Verdict::Ask(question) = judge_squashes(&[core], std::slice::from_ref(&reaching), true) else {
            panic!("no question")
        };
        assert!(question.contains("`core` in prod"), "{question}");
        assert!(question.contains("  CREATE ROLE at a.sql:2 (repo core)\n"), "{question}");
        assert!(question.contains("  and 2 more\n") && question.ends_with("Go on?"), "{question}");
        assert!(matches!(judge_squashes(&[], &[reaching], false), Verdict::Go));
    }
}
