//! The `aliases` table: named lists of command lines. Only read here; what a line means is the command line's matter.

use dbsetup::repo::is_name;
use dbsetup::{Error, Result};
use serde_json::Value as Json;

use super::manifest::{as_table, unknown};
use super::place::Place;

/// A named list of command lines, as written.
#[derive(Debug, Clone)]
pub struct Alias {
    /// What is typed.
    pub name: String,
    /// The environment of the table form, `{ env = "test", steps = [..] }`.
    pub environment: Option<String>,
    /// The lines. One that begins with `$ ` is a program.
    pub steps: Vec<String>,
    place: Place,
    steps_place: Place,
}

impl Alias {
    /// The file that defines it, as a person at the workspace root would type it.
    pub fn file(&self) -> &std::path::Path {
        self.place.shown_file()
    }

    /// The dotted key that defines it.
    pub fn key(&self) -> String {
        self.place.key()
    }

    /// Returns an error about the alias as a whole.
    pub fn error(&self, message: impl Into<String>) -> Error {
        self.place.error_at_key(message)
    }

    /// Returns an error about one of its steps.
    pub fn step_error(&self, step: usize, message: impl Into<String>) -> Error {
        self.steps_place.join(step).error_at_value(message)
    }
}

/// Reads one alias: a list, or a table with `env` and `steps`.
pub(super) fn read(name: &str, value: &Json, place: Place) -> Result<Alias> {
    let words = |c: char| c.is_ascii_alphanumeric() || "-_:.".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(words) {
        return Err(place.error_at_key(format!(
            "`{name}` is no name for an alias: letters, digits, `-`, `_`, `:` and `.` only, and no `-` in front"
        )));
    }
    let (environment, steps, steps_place) = match value {
        Json::Array(_) => (None, Some(value), place.clone()),
        Json::Object(_) => {
            let (mut environment, mut steps) = (None, None);
            for (key, value) in as_table(value, &place)? {
                match key.as_str() {
                    "env" => {
                        let text = value.as_str().filter(|text| is_name(text));
                        let text = text.ok_or_else(|| {
                            place.join(key).error_at_key("`env` must be the name of an environment in quotes")
                        })?;
                        environment = Some(text.to_owned());
                    }
                    "steps" => steps = Some(value),
                    _ => return Err(unknown(key, &["env", "steps"], &place.join(key))),
                }
            }
            (environment, steps, place.join("steps"))
        }
        _ => (None, None, place.clone()),
    };
    let Some(steps) = steps.and_then(Json::as_array) else {
        return Err(place.error_at_key(format!("the alias `{name}` must be a list of command lines")).help(
            format!(
                "write `{name} = [\"create\", \"migrate\"]` or `{name} = {{ env = \"test\", steps = [..] }}`"
            ),
        ));
    };
    let mut lines = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let line = step.as_str().map(str::trim).filter(|line| !line.is_empty() && *line != "$");
        let line = line.ok_or_else(|| {
            steps_place
                .join(index)
                .error_at_key(format!("step {} of the alias `{name}` is no command line", index + 1))
        })?;
        lines.push(line.to_owned());
    }
    Ok(Alias { name: name.to_owned(), environment, steps: lines, place, steps_place })
}
