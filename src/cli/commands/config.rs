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
        if let Some(workspace) = selected.workspace.filter(|_| selected.options.format != Some(Format::Json))
        {
            let config = &workspace.config;
            let names = config.disposable_environments.join(", ");
            text += &format!("disposable environments: {names} ({})\n", config.disposable_origin);
        }
        for resolved in &selected.repos {
            let repo = resolved.files();
            if selected.options.format == Some(Format::Json) {
                for setting in &resolved.settings {
                    let object = Object::new("setting").text("repo", repo.name.as_str());
                    let object = object.text("environment", &repo.environment).text("key", setting.key);
                    text += &object
                        .text("value", &setting.value)
                        .text("origin", &setting.origin.to_string())
                        .line();
                }
                continue;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            let owner =
                resolved.package.as_ref().map_or_else(String::new, |name| format!(", package {name}"));
            text += &format!("repo {} (environment {}{owner})\n", repo.name, repo.environment);
            let mut table = Table::new(["key", "value", "from"]);
            for setting in &resolved.settings {
                table.row([setting.key.to_owned(), setting.value.clone(), setting.origin.to_string()]);
            }
            text += &table.to_string();
        }
        Ok(Output::Data { event: "", text })
    }
}
