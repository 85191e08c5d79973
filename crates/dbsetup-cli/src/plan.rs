//! What a dry run shows.

use crate::ui::json::Object;
use crate::ui::text;

/// How the line of a plan begins that says that `migrate` loads the structure first.
pub const LOADING: &str = "load the structure";

/// Returns the lines of a plan.
pub fn shown(json: bool, repo: &str, step: &str, plan: &[String]) -> String {
    if json {
        let repo = Some(repo).filter(|repo| !repo.is_empty());
        let object =
            |line: &String| Object::new("plan").maybe("repo", repo).text("step", step).text("do", line);
        return plan.iter().map(|line| object(line).line()).collect();
    }
    let mut out =
        if repo.is_empty() { format!("{step}\n") } else { format!("{step} ({})\n", text::line(repo)) };
    if plan.is_empty() {
        out += "    nothing to do\n";
    }
    for line in plan {
        out += &format!("    would {}\n", text::block(line).replace('\n', "\n    "));
    }
    out
}
