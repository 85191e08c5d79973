//! Words of other tools, and words that are nearly ours.

use super::args::Line;

/// What a word of sqlx, diesel, refinery, dbmate, Rails or mix is called here.
const WORDS: [(&str, &str); 28] = [
    ("up", "migrate"),
    ("down", "rollback"),
    ("prepare", "setup"),
    ("new", "gen migration NAME"),
    ("add", "gen migration NAME"),
    ("generate", "gen migration NAME"),
    ("revert", "rollback"),
    ("undo", "rollback"),
    ("info", "status"),
    ("list", "status"),
    ("init", "setup"),
    ("apply", "migrate"),
    ("squash", "dump"),
    ("purge", "load --force"),
    ("database", "create, drop, setup or reset"),
    ("migration", "migrate, redo, rollback or status"),
    ("db:create", "create"),
    ("db:drop", "drop"),
    ("db:migrate", "migrate"),
    ("db:rollback", "rollback"),
    ("db:seed", "seed"),
    ("db:setup", "setup"),
    ("db:reset", "reset"),
    ("ecto.create", "create"),
    ("ecto.migrate", "migrate"),
    ("ecto.setup", "setup"),
    ("ecto.reset", "reset"),
    ("ecto.dump", "dump"),
];

/// What follows `migrate` in sqlx and refinery.
const MIGRATE_WORDS: [(&str, &str); 6] = [
    ("run", "migrate"),
    ("info", "status"),
    ("revert", "rollback"),
    ("add", "gen migration NAME"),
    ("new", "gen migration NAME"),
    ("redo", "redo"),
];

/// Returns what to type instead of a line that does not parse, if it reads like another tool's.
pub fn other_tool(line: &Line) -> Option<String> {
    let name = line.name.as_deref()?;
    let found = if name == "migrate" {
        let word = line.rest.iter().find(|word| !word.starts_with('-'))?;
        MIGRATE_WORDS.iter().find(|(theirs, _)| theirs == word)
    } else {
        WORDS.iter().find(|(theirs, _)| *theirs == name)
    };
    found.map(|(_, ours)| format!("here it is `cargo dbsetup {ours}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(words: &str) -> Option<String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        other_tool(&Line::split(&words))
    }

    #[test]
    fn words_of_other_tools_get_ours() {
        assert_eq!(hint("up").as_deref(), Some("here it is `cargo dbsetup migrate`"));
        assert_eq!(hint("-r core migrate run").as_deref(), Some("here it is `cargo dbsetup migrate`"));
        assert_eq!(hint("migrate info").as_deref(), Some("here it is `cargo dbsetup status`"));
        assert_eq!(hint("revert -n 2").as_deref(), Some("here it is `cargo dbsetup rollback`"));
        assert_eq!(hint("migrate --lain all"), None);
        assert_eq!(hint("frobnicate"), None);
    }
}
