//! Lists of options as catalogs keep them, `name=value` each: storage parameters, and options of foreign objects.

use super::{Feature, Writer, name};

/// Returns ` WITH (name=value, …)` as a `feature`, sorted by name, or nothing.
pub fn parameters(options: &[String], feature: Feature, writer: &mut Writer) -> String {
    if options.is_empty() || !writer.on(feature) {
        return String::new();
    }
    format!(" WITH ({})", parameter_list(options))
}

/// Returns `name=value, …`, sorted by name.
pub fn parameter_list(options: &[String]) -> String {
    let list: Vec<String> = pairs(options)
        .into_iter()
        .map(|(option, value)| format!("{}={}", quoted_path(option), plain_or_literal(value)))
        .collect();
    list.join(", ")
}

/// Returns ` OPTIONS (name 'value', …)` as a `feature`, sorted by name, or nothing.
pub fn foreign(options: &[String], feature: Feature, writer: &mut Writer) -> String {
    if options.is_empty() || !writer.on(feature) {
        return String::new();
    }
    let list: Vec<String> = pairs(options)
        .into_iter()
        .map(|(option, value)| format!("{} {}", name::quoted(option), name::literal(value)))
        .collect();
    format!(" OPTIONS ({})", list.join(", "))
}

/// Names and values, sorted. Their order in the catalog is the order in which they were set.
fn pairs(options: &[String]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<(&str, &str)> =
        options.iter().map(|option| option.split_once('=').unwrap_or((option, ""))).collect();
    pairs.sort_unstable();
    pairs
}

/// `toast.autovacuum_enabled` is two names.
fn quoted_path(option: &str) -> String {
    option.split('.').map(name::quoted).collect::<Vec<_>>().join(".")
}

fn plain_or_literal(value: &str) -> String {
    let is_number = value.parse::<f64>().is_ok() && value.starts_with(|c: char| c.is_ascii_digit());
    let is_word = ["true", "false", "on", "off"].contains(&value) || name::quoted(value) == value;
    if is_number || is_word { value.to_owned() } else { name::literal(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(options: &[&str]) -> Vec<String> {
        options.iter().map(|option| (*option).to_owned()).collect()
    }

    #[test]
    fn parameters_are_sorted_and_quoted_where_they_need_it() {
        let options =
            texts(&["toast.fillfactor=70", "check_option=local", "a=it's", "B=-1", "security_barrier=true"]);
        let with = parameters(&options, Feature::ViewOptions, &mut Writer::default());
        assert_eq!(
            with,
            " WITH (\"B\"='-1', a='it''s', check_option=local, security_barrier=true, toast.fillfactor=70)"
        );
        assert_eq!(parameters(&[], Feature::ViewOptions, &mut Writer::default()), "");
    }

    #[test]
    fn a_foreign_option_keeps_everything_behind_the_first_sign() {
        let options = texts(&["password_required=false", "host=a=b", "user=it's"]);
        let with = foreign(&options, Feature::ForeignServerOptions, &mut Writer::default());
        assert_eq!(with, " OPTIONS (host 'a=b', password_required 'false', \"user\" 'it''s')");
    }
}
