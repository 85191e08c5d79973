//! Fills in templates. `<<name>>` is a value; a line that holds nothing else is left out where the value is empty, and
//! repeated with its indentation where the value has several lines. Lines between `#? name` (or `#? not name`) and
//! `#? end` stay where the condition holds.

/// What goes into a template.
#[derive(Debug, Default)]
pub struct Template {
    values: Vec<(&'static str, String)>,
    conditions: Vec<(&'static str, bool)>,
}

impl Template {
    /// Gives a placeholder its value.
    pub fn value(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Says whether a condition holds.
    pub fn when(mut self, name: &'static str, holds: bool) -> Self {
        self.conditions.push((name, holds));
        self
    }

    /// Returns `text` filled in.
    ///
    /// # Panics
    /// When the template names what nobody knows: templates are part of the program, and tests fill in each.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = String::with_capacity(text.len());
        // Innermost last: whether the lines within a condition stay.
        let mut open: Vec<bool> = Vec::new();
        for line in text.lines() {
            match line.trim_start().strip_prefix("#? ") {
                Some("end") => {
                    open.pop().expect("a condition is open where a template ends one");
                }
                Some(condition) => open.push(match condition.strip_prefix("not ") {
                    Some(name) => !self.holds(name),
                    None => self.holds(condition),
                }),
                None if open.iter().all(|stays| *stays) => self.fill_line(line, &mut filled),
                None => {}
            }
        }
        assert!(open.is_empty(), "a template ends each of its conditions");
        filled
    }

    fn holds(&self, name: &str) -> bool {
        let found = self.conditions.iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("a template asks for `{name}`")).1
    }

    fn of(&self, name: &str) -> &str {
        let found = self.values.iter().find(|(known, _)| *known == name);
        &found.unwrap_or_else(|| panic!("a template names `{name}`")).1
    }

    fn fill_line(&self, line: &str, filled: &mut String) {
        let content = line.trim_start();
        let alone = content.strip_prefix("<<").and_then(|rest| rest.strip_suffix(">>"));
        if let Some(name) = alone.filter(|name| !name.contains("<<")) {
            let indentation = &line[..line.len() - content.len()];
            for value in self.of(name).lines() {
                filled.extend([indentation, value, "\n"]);
            }
            return;
        }
        let mut rest = line;
        while let Some((before, from)) = rest.split_once("<<") {
            let (name, after) = from.split_once(">>").expect("a placeholder of a template ends in its line");
            filled.extend([before, self.of(name)]);
            rest = after;
        }
        filled.extend([rest, "\n"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_conditions_are_filled_in() {
        let template = Template::default().value("a", "1").value("list", "x: 1\ny: 2").value("none", "");
        let template = template.when("yes", true).when("no", false);
        let text = "a<<a>>b<<a>>\n  <<list>>\n  <<none>>\n#? yes\nkept\n  #? not no\nkept too\n  #? end\n#? no\ngone <<x>>\n#? end\n#? end\nend\n";
        assert_eq!(template.fill(text), "a1b1\n  x: 1\n  y: 2\nkept\nkept too\nend\n");
    }

    #[test]
    #[should_panic(expected = "a template names `typo`")]
    fn a_placeholder_that_nobody_knows_is_a_mistake() {
        Template::default().fill("<<typo>> x\n");
    }
}
