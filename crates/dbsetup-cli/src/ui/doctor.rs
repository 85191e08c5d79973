//! What `doctor` found.

use dbsetup::doctor::{Health, Report};

use super::json::Object;
use super::text::{count, line};

/// Returns the lines of one repo; `embedded` is the checksum of its files inside the binary.
pub fn human(repo: &str, embedded: Option<&str>, report: &Report) -> String {
    let mut out = format!("\nRepo: {}\n\n", line(repo));
    if let Some(digest) = embedded {
        out += &format!("  ok    files: inside this binary, {digest}\n");
    }
    for finding in &report.findings {
        out += &format!("  {:4}  {}: {}\n", finding.health.as_str(), finding.about, line(&finding.text));
        if let Some(help) = &finding.help {
            out += &format!("        help: {}\n", line(help));
        }
    }
    out
}

/// Returns the objects of one repo, a line each.
pub fn json(repo: &str, embedded: Option<&str>, report: &Report) -> String {
    let examined = |about: &str, health: &str, text: &str, help: Option<&str>| {
        let object = Object::new("examined").text("repo", repo).text("about", about).text("health", health);
        object.text("text", text).maybe("help", help).line()
    };
    let files = embedded.map(|digest| examined("files", "ok", digest, None));
    let findings = report.findings.iter().map(|finding| {
        examined(finding.about, finding.health.as_str(), &finding.text, finding.help.as_deref())
    });
    files.into_iter().chain(findings).collect()
}

/// Returns what is in the way, in words; nothing where nothing is.
pub fn open(report: &Report) -> Option<String> {
    let bad = report.count(Health::Bad);
    (bad > 0).then(|| format!("{} in the way", count(bad, "finding")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::doctor::Finding;

    fn report() -> Report {
        let finding = |health, help: Option<&str>| Finding {
            about: "lock",
            health,
            text: "held\u{1b}[2J".into(),
            help: help.map(str::to_owned),
        };
        Report { findings: vec![finding(Health::Ok, None), finding(Health::Bad, Some("end it"))] }
    }

    #[test]
    fn every_line_says_how_it_stands_and_what_to_do() {
        assert_eq!(
            human("core", Some("ab"), &report()),
            "\nRepo: core\n\n  ok    files: inside this binary, ab\n  ok    lock: held\\u{1b}[2J\n  \
             bad   lock: held\\u{1b}[2J\n        help: end it\n"
        );
        assert_eq!(open(&report()).as_deref(), Some("1 finding in the way"));
        assert_eq!(open(&Report::default()), None);
    }

    #[test]
    fn scripts_get_an_object_a_line() {
        let text = json("core", None, &report());
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.contains("\"event\":\"examined\"")), "{text}");
        assert!(text.contains("\"health\":\"bad\"") && text.contains("\"help\":\"end it\""), "{text}");
    }
}
