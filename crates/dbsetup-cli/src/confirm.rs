//! Consent to destruction: decided once for the whole plan, before anything runs.

use dbsetup::event::Direction;
use dbsetup::ledger::meta_key::ENVIRONMENT;
use dbsetup::migration::{RollbackRequest, Target};
use dbsetup::record::{self, Belongs};
use dbsetup::session::Session;
use dbsetup::{Error, Kind, Result, migration};

use crate::task::Danger;
use crate::ui::text;

/// A database that a plan destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    /// What is done to it.
    pub danger: Danger,
    /// The repo.
    pub repo: String,
    /// The environment that the run works in.
    pub environment: String,
    /// The database's place without a password.
    pub target: String,
    /// The database's name, as `--allow-protected` wants it.
    pub database: String,
    /// Whether databases of the environment may be dropped.
    pub disposable: bool,
    /// The environment that the database itself says it belongs to.
    pub recorded: Option<String>,
    /// The other repo that the database itself says it belongs to.
    pub owner: Option<String>,
    /// Why that cannot be read, if it cannot, or what is undone.
    pub unreadable: Option<String>,
    /// The versions that are undone, the first one first; empty where that is not the question.
    pub undone: Vec<String>,
    /// What `--allow-protected` named for this step.
    pub allowed: Vec<String>,
    /// Whether `--yes` holds for this step.
    pub yes: bool,
    /// The command that records that the database belongs to the run's environment.
    pub record: String,
}

impl Victim {
    /// Why the database may not be destroyed without being named; `None` when it is fair game.
    fn protection(&self) -> Option<String> {
        if let Danger::RollBack(_) = self.danger {
            // It is asked about because it is protected; naming it is for what leaves nothing.
            return None;
        }
        if self.danger == Danger::Unprotect
            && let Some(recorded) = &self.recorded
        {
            return Some(format!("its environment `{}` is protected", text::line(recorded)));
        }
        if let Some(why) = &self.unreadable {
            return Some(format!("whose it is cannot be read: {}", text::line(why)));
        }
        if let Some(owner) = self.owner.as_ref().filter(|_| self.danger != Danger::Unprotect) {
            return Some(format!("the database says that it belongs to the repo `{}`", text::line(owner)));
        }
        match &self.recorded {
            Some(recorded) if *recorded != self.environment => Some(format!(
                "the database says that it belongs to the environment `{}`",
                text::line(recorded)
            )),
            _ if !self.disposable => Some(format!("the environment `{}` is protected", self.environment)),
            _ => None,
        }
    }

    fn is_allowed(&self) -> bool {
        self.allowed.contains(&self.database)
    }
}

/// What a command destroys.
#[derive(Debug, Default)]
pub struct Found {
    /// What there is to ask about.
    pub victim: Option<Victim>,
    /// The versions that undoing migrations of a protected database undoes: to others nobody has agreed.
    pub expected: Option<Vec<String>>,
}

/// What a person has said beforehand.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// `--allow-protected`.
    pub allowed: Vec<String>,
    /// `--yes`.
    pub yes: bool,
}

/// Returns what a command destroys; no victim where there is none. `untouched` says that the database is by then what it
/// is now; `is_open` that the databases of an environment may be dropped.
///
/// # Errors
/// That no server answers, or that it does not let us in. What else cannot be read protects the database.
pub async fn find(
    session: &mut Session<'_>,
    danger: Danger,
    answers: Answers,
    untouched: bool,
    is_open: impl Fn(&str) -> bool,
) -> Result<Found> {
    let repo = session.repo();
    let (mut undone, mut expected, mut unreadable) = (Vec::new(), None, None);
    let danger = match danger {
        Danger::RollBack(request) => match rollback(session, &request, untouched).await? {
            Undoing::Little(expected) => return Ok(Found { victim: None, expected }),
            Undoing::Much(danger, versions) => {
                (undone, expected) = (versions.clone(), Some(versions));
                danger
            }
            Undoing::Unknown(why) => {
                unreadable = Some(why);
                Danger::RollBack(request)
            }
        },
        danger => danger,
    };
    let (mut owner, mut recorded, mut is_strange) = (None, None, false);
    match session.inspect_if_exists().await {
        Ok(None) if danger == Danger::Drop && untouched => return Ok(Found::default()),
        Ok(None) => {}
        Ok(Some(found)) => {
            recorded = found.state.meta(ENVIRONMENT).map(str::to_owned);
            let (ledger, state) = (&found.choice.table, &found.state);
            match record::belongs(repo, ledger, state) {
                // What is recorded is what it is taken from, whosever its migrations are.
                Ok(belongs) if danger == Danger::Unprotect => {
                    is_strange = matches!(belongs, Belongs::Other(_));
                    owner = record::recorded_for_other(repo, ledger, state).map(str::to_owned);
                }
                Ok(Belongs::Other(other)) => owner = Some(other),
                Ok(_) => {}
                Err(error) => unreadable = unreadable.or(Some(error.message().to_owned())),
            }
        }
        Err(error) if matches!(error.kind(), Kind::Unreachable | Kind::Permission | Kind::Configuration) => {
            return Err(error);
        }
        Err(error) => unreadable = unreadable.or(Some(error.message().to_owned())),
    }
    // A drop is not to wait for the very session that looked.
    session.close().await;
    let target = session.server().target().clone();
    if danger == Danger::Unprotect && unreadable.is_none() && recorded.as_deref().is_none_or(is_open) {
        if !is_strange {
            return Ok(Found::default());
        }
        // Another repo's migrations are in it: most often two URLs were swapped, and the record is what tells.
        recorded = None;
    }
    let victim = Victim {
        danger,
        repo: repo.name.to_string(),
        environment: repo.environment.clone(),
        target: target.shown,
        database: target.database,
        disposable: repo.disposable,
        recorded,
        owner,
        unreadable,
        undone,
        allowed: answers.allowed,
        yes: answers.yes,
        record: repo.command(&format!("resolve --environment {}", repo.environment)),
    };
    Ok(Found { victim: Some(victim), expected })
}

/// What undoing migrations of a database is.
enum Undoing {
    /// Nothing to ask about: the database is not protected, or one migration is undone at most, which is what a deploy
    /// that went wrong takes back. Which, where the database is protected.
    Little(Option<Vec<String>>),
    /// These of a protected database. All that are applied is what `rollback --all` undoes.
    Much(Danger, Vec<String>),
    /// What cannot be told of a protected database, and why.
    Unknown(String),
}

async fn rollback(session: &mut Session<'_>, request: &RollbackRequest, untouched: bool) -> Result<Undoing> {
    let repo = session.repo();
    if repo.disposable {
        return Ok(Undoing::Little(None));
    }
    let is_one = matches!(request.target, Target::Steps(0 | 1));
    let unknown = |why: String| if is_one { Undoing::Little(None) } else { Undoing::Unknown(why) };
    if !untouched {
        return Ok(unknown("the steps before it decide".to_owned()));
    }
    let Some(inspection) = session.inspect_if_exists().await? else { return Ok(Undoing::Little(None)) };
    // One of another environment is refused by the command itself.
    if inspection.state.meta(ENVIRONMENT).is_some_and(|recorded| recorded != repo.environment) {
        return Ok(Undoing::Little(None));
    }
    let report = match migration::rollback(session, request).await {
        Ok(report) => report,
        Err(error) => return Ok(unknown(error.message().to_owned())),
    };
    let down = report.planned.iter().filter(|planned| planned.direction == Direction::Down);
    let undone: Vec<String> = down.map(|planned| planned.version.clone()).collect();
    Ok(match undone.len() {
        0 | 1 => Undoing::Little(Some(undone)),
        all if all == inspection.state.rows.len() => Undoing::Much(Danger::RollBackAll, undone),
        _ => Undoing::Much(Danger::RollBack(Box::new(request.clone())), undone),
    })
}

/// What follows from a plan's victims.
#[derive(Debug)]
pub enum Verdict {
    /// Nothing stands in the way.
    Go,
    /// A person has to say yes to this.
    Ask(String),
    /// It is refused.
    Refuse(Error),
}

/// Returns the refusal of everything that is protected and not named.
pub fn refuse_protected(victims: &[Victim], terminal: bool) -> Option<Error> {
    let closed = victims.iter().filter(|victim| !victim.is_allowed());
    let closed: Vec<(&Victim, String)> =
        closed.filter_map(|victim| Some((victim, victim.protection()?))).collect();
    (!closed.is_empty()).then(|| protected(&closed, terminal))
}

/// Decides. `terminal` says whether there is a person to ask.
pub fn judge(victims: &[Victim], terminal: bool) -> Verdict {
    if let Some(error) = refuse_protected(victims, terminal) {
        return Verdict::Refuse(error);
    }
    let open: Vec<&Victim> = victims.iter().filter(|victim| !victim.yes).collect();
    let Some(first) = open.first() else { return Verdict::Go };
    if terminal {
        return Verdict::Ask(question(&open));
    }
    let deed = first.danger.deed();
    let message = format!("refused to {deed} `{}` without a terminal", text::line(&first.database));
    let mut error = Error::new(Kind::Refused, message);
    for victim in &open {
        error = error.note(listing(victim));
    }
    Verdict::Refuse(error.help("pass `--yes` to go on without being asked"))
}

fn protected(closed: &[(&Victim, String)], terminal: bool) -> Error {
    let (first, why) = &closed[0];
    let message = match closed.len() {
        1 => format!("refused to {} `{}`: {why}", first.danger.deed(), text::line(&first.database)),
        number => format!("refused: {number} databases are protected"),
    };
    let mut error = Error::new(Kind::Refused, message);
    let yes = if terminal || closed.iter().all(|(victim, _)| victim.yes) { "" } else { "--yes " };
    let mut flags: Vec<String> = Vec::new();
    let mut resolve: Vec<String> = Vec::new();
    for (victim, why) in closed {
        error = error.note(match closed.len() {
            1 => listing(victim),
            _ => format!("{}: {why}", listing(victim)),
        });
        let flag = format!("--allow-protected {}", shell_words::quote(&victim.database));
        if !flags.contains(&flag) {
            flags.push(flag);
        }
        let is_elsewhere = victim.owner.is_some()
            || victim.recorded.as_ref().is_some_and(|recorded| *recorded != victim.environment);
        if is_elsewhere && victim.danger != Danger::Unprotect && !resolve.contains(&victim.record) {
            resolve.push(victim.record.clone());
        }
    }
    let mut help = format!("pass `{yes}{}` if that is what you want", flags.join(" "));
    if !resolve.is_empty() {
        help += &format!("; if the record is wrong, run {}", resolve.join(", "));
    }
    error.help(help)
}

fn question(victims: &[&Victim]) -> String {
    let undone = victims.iter().all(|victim| victim.danger == Danger::Unprotect);
    let title = if undone { "This takes the protection off:\n" } else { "This cannot be undone:\n" };
    let mut text = String::from(title);
    for victim in victims {
        text += &format!("  {}\n", listing(victim));
    }
    text + "Go on?"
}

fn listing(victim: &Victim) -> String {
    let Victim { danger, repo, environment, target, undone, unreadable, .. } = victim;
    let deed = danger.deed();
    let mut listed = format!("{deed} {} (repo {repo}, environment {environment})", text::line(target));
    if let Some(owner) = victim.owner.as_ref().filter(|_| *danger == Danger::Unprotect) {
        listed += &format!(", and take it from the repo {}", text::line(owner));
    }
    match (undone.len(), danger, unreadable) {
        (0, Danger::RollBack(_), Some(why)) => {
            format!("{listed}: which ones, is unknown: {}", text::line(why))
        }
        (0, ..) => listed,
        (number, ..) => {
            const SHOWN: usize = 10;
            let shown: Vec<_> = undone.iter().take(SHOWN).map(|version| text::line(version)).collect();
            let more = if number > SHOWN { format!(" and {} more", number - SHOWN) } else { String::new() };
            format!("{listed}: {}{more}", shown.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn victim() -> Victim {
        Victim {
            danger: Danger::Drop,
            repo: "core".into(),
            environment: "dev".into(),
            target: "postgres://app@localhost/core_dev".into(),
            database: "core_dev".into(),
            disposable: true,
            recorded: None,
            owner: None,
            unreadable: None,
            undone: Vec::new(),
            allowed: Vec::new(),
            yes: false,
            record: "`resolve --environment dev`".into(),
        }
    }

    fn refusal(victims: &[Victim], terminal: bool) -> Error {
        match judge(victims, terminal) {
            Verdict::Refuse(error) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_destroyed_needs_no_consent() {
        assert!(matches!(judge(&[], false), Verdict::Go));
    }

    #[test]
    fn without_a_terminal_yes_is_named() {
        let error = refusal(&[victim()], false);
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains("--yes"), "{error}");
        assert!(matches!(judge(&[Victim { yes: true, ..victim() }], false), Verdict::Go));
    }

    #[test]
    fn a_person_is_asked_once_about_every_victim() {
        let data = Victim { repo: "data".into(), target: "sqlite:data.db".into(), ..victim() };
        let Verdict::Ask(question) = judge(&[victim(), data], true) else { panic!("no question") };
        assert!(question.contains("core_dev") && question.contains("sqlite:data.db"), "{question}");
    }

    #[test]
    fn yes_alone_does_not_open_a_protected_database() {
        let prod = Victim { environment: "prod".into(), disposable: false, yes: true, ..victim() };
        let error = refusal(std::slice::from_ref(&prod), true);
        assert!(error.to_string().contains("--allow-protected core_dev"), "{error}");
        let other = Victim { allowed: vec!["core".into()], ..prod.clone() };
        refusal(&[other], true);
        assert!(matches!(judge(&[Victim { allowed: vec!["core_dev".into()], ..prod }], false), Verdict::Go));
    }

    #[test]
    fn every_protected_database_is_named_at_once() {
        let prod = Victim { environment: "prod".into(), disposable: false, ..victim() };
        let data = Victim { repo: "data".into(), database: "data_prod".into(), ..prod.clone() };
        let error = refusal(&[prod, data], false);
        let help = "--yes --allow-protected core_dev --allow-protected data_prod";
        assert!(error.to_string().contains(help), "{error}");
    }

    #[test]
    fn several_migrations_of_a_protected_database_are_listed_and_want_a_yes() {
        let several = Victim {
            danger: Danger::RollBack(Box::default()),
            environment: "prod".into(),
            disposable: false,
            undone: vec!["3".into(), "2".into()],
            ..victim()
        };
        let Verdict::Ask(question) = judge(std::slice::from_ref(&several), true) else {
            panic!("no question")
        };
        assert!(question.contains("core_dev (repo core, environment prod): 3, 2\n"), "{question}");
        let error = refusal(std::slice::from_ref(&several), false).to_string();
        assert!(error.contains("`--yes`") && !error.contains("--allow-protected"), "{error}");
        assert!(matches!(judge(&[Victim { yes: true, ..several.clone() }], false), Verdict::Go));
        let unknown = Victim { undone: Vec::new(), unreadable: Some("no answer".into()), ..several.clone() };
        let error = refusal(std::slice::from_ref(&unknown), false).to_string();
        assert!(error.contains("environment prod): which ones, is unknown: no answer"), "{error}");
        let all = Victim { danger: Danger::RollBackAll, yes: true, ..several };
        assert!(refusal(&[all], false).to_string().contains("--allow-protected core_dev"));
    }

    #[test]
    fn the_record_that_protects_a_database_is_protected() {
        let record =
            Victim { danger: Danger::Unprotect, recorded: Some("prod".into()), yes: true, ..victim() };
        let error = refusal(std::slice::from_ref(&record), false).to_string();
        assert!(error.contains("--allow-protected core_dev") && !error.contains("resolve"), "{error}");
        assert!(matches!(
            judge(&[Victim { allowed: vec!["core_dev".into()], ..record.clone() }], false),
            Verdict::Go
        ));
        assert!(!error.contains("take it from"), "{error}");
        let allowed = vec!["core_dev".to_owned()];
        let taken = Victim { owner: Some("billing".into()), allowed, yes: false, ..record };
        let Verdict::Ask(question) = judge(&[taken], true) else { panic!("no question") };
        assert!(question.contains("and take it from the repo billing\n"), "{question}");
    }

    #[test]
    fn a_database_of_another_repo_is_protected_in_any_environment() {
        let other = Victim { owner: Some("billing".into()), yes: true, ..victim() };
        let error = refusal(std::slice::from_ref(&other), true).to_string();
        assert!(error.contains("belongs to the repo `billing`"), "{error}");
        assert!(error.contains("--allow-protected core_dev") && error.contains("resolve"), "{error}");
        let named = Victim { allowed: vec!["core_dev".into()], ..other };
        assert!(matches!(judge(&[named], false), Verdict::Go));
    }

    #[test]
    fn a_database_that_says_it_belongs_elsewhere_is_protected() {
        let error = refusal(&[Victim { recorded: Some("prod".into()), yes: true, ..victim() }], true);
        assert!(error.to_string().contains("resolve --environment dev"), "{error}");
        assert!(matches!(
            judge(&[Victim { recorded: Some("dev".into()), yes: true, ..victim() }], true),
            Verdict::Go
        ));
    }
}
