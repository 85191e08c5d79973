//! `aliases`

use clap::Args;
use dbsetup::Result;

use crate::cli::args::Format;
use crate::cli::context::{Output, Selected};

/// Show every alias and its steps.
#[derive(Debug, Clone, Args)]
pub struct Aliases {}

impl Aliases {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let mut text = String::new();
        for (name, alias) in selected.aliases.iter() {
            if selected.options.format == Some(Format::Json) {
                let steps: Vec<&str> = alias.steps.iter().map(String::as_str).collect();
                let object = crate::ui::json::Object::new("alias").text("name", name);
                let object = object.maybe("env", alias.env.as_deref()).list("steps", &steps);
                text += &object.maybe("origin", alias.origin().as_deref()).line();
                continue;
            }
            text += name;
            if let Some(env) = &alias.env {
                text += &format!(" (environment {env})");
            }
            match alias.origin() {
                Some(origin) => text += &format!("  # {origin}\n"),
                None => text += "  # built in\n",
            }
            for step in &alias.steps {
                text += &format!("    {step}\n");
            }
        }
        Ok(Output::Data { event: "", text })
    }
}
