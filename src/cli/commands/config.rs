//! `config`

use clap::Args;
use dbsetup::Result;

use crate::cli::args::Format;
use crate::cli::context::{Output, Selected};
use crate::ui::json::Object;
use crate::ui::table::Table;

/// Show every setting of the selected repos and where it comes from, passwords hidden.
#[derive(Debug, Clone, Args)]
pub struct Config {}

impl Config {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let mut text = String::new();
        for resolved in &selected.repos {
            let repo = &resolved.repo;
            if selected.options.format == Some(Format::Json) {
                for setting in &resolved.origins {
                    let object = Object::new("setting").text("repo", repo.name.as_str());
                    let object = object.text("environment", &repo.environment).text("key", &setting.key);
                    text += &object.text("value", &setting.value).text("origin", &setting.origin).line();
                }
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            text += &format!("repo {} (environment {})\n", repo.name, repo.environment);
            let mut table = Table::new(["key", "value", "from"]);
            for setting in &resolved.origins {
                table.row([setting.key.clone(), setting.value.clone(), setting.origin.clone()]);
            }
            text += &table.to_string();
        }
        Ok(Output::Data { event: "", text })
    }
}
