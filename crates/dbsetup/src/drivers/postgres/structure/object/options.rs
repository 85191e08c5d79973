//! Options as catalogs keep them, `name=value`: of storage, and of foreign-data wrappers.

use super::name;

/// Returns storage parameters, sorted, separated by commas: `fillfactor=70`. `prefix` is `toast.` or nothing.
/// <https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS>
pub fn storage(prefix: &str, options: &[String]) -> String {
    let option = |(option, value): (&str, &str)| format!("{prefix}{}={}", name::quoted(option), plain(value));
    sorted(options).into_iter().map(option).collect::<Vec<_>>().join(", ")
}

/// Returns options of a foreign-data wrapper's objects, sorted, separated by commas: `"user" 'me'`.
/// <https://www.postgresql.org/docs/current/sql-createforeigntable.html>
pub fn foreign(options: &[String]) -> String {
    let option = |(option, value): (&str, &str)| format!("{} {}", name::quoted(option), name::literal(value));
    sorted(options).into_iter().map(option).collect::<Vec<_>>().join(", ")
}

fn sorted(options: &[String]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<(&str, &str)> =
        options.iter().map(|option| option.split_once('=').unwrap_or((option, ""))).collect();
    pairs.sort_unstable();
    pairs
}

/// Returns a value as it is where the server reads the same text from it, else as a string.
fn plain(value: &str) -> String {
    let is_word = matches!(value, "true" | "false" | "on") || name::quoted(value) == value;
    if is_word || is_number(value) { value.to_owned() } else { name::literal(value) }
}

/// Whether a text is a number that the server writes as it reads it.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    // Nine digits are an integer, whatever they are.
    digits(whole) && digits(fraction) && whole.len() < 10 && (whole == "0" || !whole.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(options: &[&str]) -> Vec<String> {
        options.iter().map(|&option| option.to_owned()).collect()
    }

    #[test]
    fn storage_parameters_are_sorted_and_quoted_where_they_need_it() {
        let options =
            texts(&["fillfactor=70", "autovacuum_enabled=false", "a=0.05", "b=-1", "c=070", "d=x y"]);
        assert_eq!(
            storage("", &options),
            "a=0.05, autovacuum_enabled=false, b=-1, c='070', d='x y', fillfactor=70"
        );
        assert_eq!(storage("toast.", &texts(&["x=off"])), "toast.x=off");
        assert_eq!(storage("", &texts(&["x=", "y=null", "z=1e5"])), "x='', y='null', z='1e5'");
    }

    #[test]
    fn a_foreign_option_is_a_string_whatever_is_in_it() {
        assert_eq!(foreign(&texts(&["user=me", "a=b=c", "t=it's"])), "a 'b=c', t 'it''s', \"user\" 'me'");
    }
}
