//! What `check` found, for people, for scripts and for GitHub.

use super::json::Object;
use super::{Ui, github, report, text};
use crate::check::{Code, Finding, Report, Severity, Skipped};

/// Tells all of a report. `quiet` leaves out what is as it should be.
pub fn tell(ui: &Ui, repo: &str, report: &Report) {
    for finding in &report.findings {
        one(ui, repo, finding);
    }
    for skipped in &report.skipped {
        not_made(ui, repo, skipped);
    }
    for remark in &report.remarks {
        ui.success(remark);
    }
    ui.json(summary(repo, report));
    let line = sentence(repo, report);
    if report.fails() || report.broken.is_some() { ui.reason(&line) } else { ui.success(&line) }
}

fn one(ui: &Ui, repo: &str, finding: &Finding) {
    if ui.is_json() {
        return ui.json(object(repo, finding));
    }
    match finding.severity {
        Severity::Info => ui.success(&format!("{repo}: {}", finding.error.message())),
        severity => {
            // A rule of the lint is what its remedy speaks of.
            let code = match (&finding.object, finding.code) {
                (Some(rule), Code::Lint) => format!("{}/{rule}", Code::Lint),
                (_, code) => code.to_string(),
            };
            let title = format!("cargo dbsetup check: {code}");
            let level = if severity == Severity::Fail { "error" } else { "warning" };
            let drawn = report::finding(level, &code, &finding.error, ui.named(repo));
            // A blank line ends it, as rustc's do.
            ui.drawn(&format!("{drawn}\n"));
            ui.annotation(|prefix| {
                github::annotation(level, &title, &finding.error, finding.path.as_deref(), prefix)
            });
        }
    }
}

fn not_made(ui: &Ui, repo: &str, Skipped { check, why, help }: &Skipped) {
    let object = Object::new("check_skipped").text("repo", repo).text("check", check);
    ui.json(object.text("why", why).maybe("help", help.as_deref()));
    let help = help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
    ui.reason(&format!("{repo}: not checked: {check}: {why}{help}"));
}

fn object(repo: &str, finding: &Finding) -> Object {
    let error = &finding.error;
    let object = Object::new("finding").text("code", finding.code.as_str());
    let object = object.text("severity", finding.severity.as_str()).text("repo", repo);
    let site = error.site();
    let path = site.map(|site| &site.path).or(finding.path.as_ref());
    let object = match path {
        Some(path) => object.path(path),
        None => object.maybe("path", None),
    };
    let object = match site {
        Some(site) => object.number("line", site.at.line).number("column", site.at.column),
        None => object.maybe("line", None).maybe("column", None),
    };
    let notes: Vec<&str> = error.notes().iter().map(String::as_str).collect();
    let object = object.maybe("object", finding.object.as_deref()).text("message", error.message());
    object.list("notes", &notes).maybe("help", error.help_text())
}

fn summary(repo: &str, report: &Report) -> Object {
    let skipped: Vec<&str> = report.skipped.iter().map(|skipped| skipped.check).collect();
    let size = |number: usize| number as u64;
    Object::new("checked")
        .text("repo", repo)
        .number("findings", size(report.count(Severity::Fail)))
        .number("warnings", size(report.count(Severity::Warn)))
        .list("passed", &report.passed)
        .list("skipped", &skipped)
        .fact("complete", report.broken.is_none())
}

/// Returns the line that ends a report: `core: 2 findings, 5 checks passed`.
fn sentence(repo: &str, report: &Report) -> String {
    let mut parts = Vec::new();
    let (failing, warnings) = (report.count(Severity::Fail), report.count(Severity::Warn));
    if failing > 0 {
        parts.push(text::count(failing, "finding"));
    }
    if warnings > 0 {
        parts.push(text::count(warnings, "warning"));
    }
    parts.push(format!("{} passed", text::count(report.passed.len(), "check")));
    if !report.skipped.is_empty() {
        parts.push(format!("{} not made", report.skipped.len()));
    }
    if report.broken.is_some() {
        parts.push("the rest could not be checked".to_owned());
    }
    format!("{repo}: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_ends_with_one_line() {
        let mut report = Report::default();
        report.take("a", []);
        assert_eq!(sentence("core", &report), "core: 1 check passed");
        report.take(
            "b",
            [Finding::new(Code::Files, "x"), Finding::new(Code::Files, "y").severity(Severity::Warn)],
        );
        report.take("c", [Finding::new(Code::Files, "z").severity(Severity::Info)]);
        report.skip("d", "e", None);
        assert_eq!(sentence("core", &report), "core: 1 finding, 1 warning, 2 checks passed, 1 not made");
    }

    #[test]
    fn a_finding_is_one_line_of_json() {
        let site = dbsetup::error::Site::in_text("a.sql", "select 1;\n", 0..6);
        let finding = Finding::new(Code::Changed, "m").about("1").at(site).help("h");
        assert_eq!(
            object("core", &finding).line(),
            "{\"v\":1,\"event\":\"finding\",\"code\":\"changed\",\"severity\":\"fail\",\"repo\":\"core\",\
             \"path\":\"a.sql\",\"line\":1,\"column\":1,\"object\":\"1\",\"message\":\"m\",\"notes\":[],\"help\":\"h\"}\n"
        );
    }
}
