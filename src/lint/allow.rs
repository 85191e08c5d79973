//! Comments that accept what a rule finds: `-- dbsetup:allow RULE reason`, anywhere in the file.

use std::ops::Range;

use dbsetup::sql::{Dialect, TokenKind, tokens};

use super::Found;
use super::rules;
use super::table::RULES;

/// The comments of one file.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    comments: Vec<Comment>,
}

#[derive(Debug)]
struct Comment {
    /// Its bytes in the file.
    range: Range<usize>,
    rule: String,
    has_reason: bool,
    used: bool,
}

/// Reads the comments of a file, which may hold both sides of a migration.
pub(super) fn read(dialect: Dialect, file: &str) -> Allowed {
    // Most files have none, and some are large.
    if !file.contains("dbsetup:") {
        return Allowed::default();
    }
    let comments = tokens(dialect, file)
        .filter(|token| token.kind == TokenKind::Comment)
        .filter_map(|token| Comment::read(token.text, token.start))
        .collect();
    Allowed { comments }
}

impl Comment {
    fn read(text: &str, start: usize) -> Option<Self> {
        let text = text.trim_end();
        let words = text.strip_prefix("--")?.trim_start().strip_prefix("dbsetup:")?.trim_start();
        let rest =
            words.strip_prefix("allow").filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))?;
        let rest = rest.trim_start_matches([' ', '\t', ':']);
        let (rule, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        Some(Self {
            range: start..start + text.len(),
            rule: rule.trim_end_matches([':', ',']).to_owned(),
            has_reason: reason.contains(char::is_alphanumeric),
            used: false,
        })
    }
}

impl Allowed {
    /// Tells whether a comment accepts what the rule finds, and remembers that it did.
    pub(super) fn accepts(&mut self, rule: &str) -> bool {
        let mut accepted = false;
        for comment in self.comments.iter_mut().filter(|comment| comment.rule == rule) {
            comment.used = true;
            accepted |= comment.has_reason;
        }
        accepted
    }

    /// Says which comments do not do what their author meant.
    pub(super) fn complaints(&self) -> Vec<Found> {
        self.comments.iter().filter_map(Comment::complaint).collect()
    }
}

impl Comment {
    fn complaint(&self) -> Option<Found> {
        let found = |message: String| Found::new("allow", self.range.clone(), message);
        if self.rule.is_empty() {
            return Some(
                found("this comment names no rule".into()).help("write `-- dbsetup:allow RULE REASON`"),
            );
        }
        // What is wrong with a comment cannot be accepted by another.
        if rules::find(&self.rule).is_none() || self.rule == "allow" {
            let message = format!("there is no rule `{}` that can be accepted", self.rule);
            return Some(match meant(&self.rule) {
                Some(rule) => found(message).help(format!("did you mean `{rule}`?")),
                None => found(message),
            });
        }
        if !self.has_reason {
            return Some(
                found(format!("`{}` is accepted without a reason, which counts for nothing", self.rule))
                    .help(format!("say why: `-- dbsetup:allow {} REASON`", self.rule)),
            );
        }
        (!self.used).then(|| found(format!("`{}` finds nothing in this file", self.rule)))
    }
}

/// Returns the rule that a wrong name most likely stands for, also where squawk has another name for it.
fn meant(wrong: &str) -> Option<&'static str> {
    let wrong = wrong.to_lowercase().replace('_', "-");
    if let Some(rule) = RULES.iter().find(|rule| rule.squawk.contains(&wrong.as_str())) {
        return Some(rule.name);
    }
    RULES
        .iter()
        .filter(|rule| rule.name != "allow")
        .map(|rule| (strsim::jaro_winkler(&wrong, rule.name), rule.name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
