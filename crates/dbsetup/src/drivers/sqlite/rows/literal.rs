//! Values as they stand in an `INSERT`: one line each, whatever they hold.

use super::super::catalog::literal;

/// Appends text as it stands in SQL: one line, whatever it holds.
pub fn text(text: &str, to: &mut String) {
    let breaks: Vec<(char, &str)> =
        [('\n', "char(10)"), ('\r', "char(13)")].into_iter().filter(|(c, _)| text.contains(*c)).collect();
    if breaks.is_empty() {
        to.push_str(&literal(text));
        return;
    }
    // SQLite knows no escapes: what stands for a line's end is put back, and is nothing that the text holds itself.
    let mut text = text.to_owned();
    let mut tail = String::new();
    for (c, written) in breaks {
        let plain = if c == '\n' { "\\n" } else { "\\r" };
        let mark = (0..)
            .map(|n| if n == 0 { plain.to_owned() } else { format!("{plain}{n}") })
            .find(|mark| !text.contains(mark.as_str()) && is_apart(&text, c, mark))
            .expect("a text holds finitely many of them");
        text = text.replace(c, &mark);
        to.push_str("replace(");
        tail.insert_str(0, &format!(",{},{written})", literal(&mark)));
    }
    // The last mark was put in last, and is taken out first.
    to.push_str(&literal(&text));
    to.push_str(&tail);
}

/// Whether a mark in the place of a letter can be found again: together with what stands around, it makes no other one.
fn is_apart(text: &str, c: char, mark: &str) -> bool {
    text.replace(c, mark).matches(mark).count() == text.matches(c).count()
        && text.replace(c, mark).replace(mark, &c.to_string()) == text
}

/// A real number as it stands in SQL, so that it is not taken for a whole one; with as few digits as tell it from others,
/// or with so many behind the point.
pub fn real(value: f64, digits: Option<usize>) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "9e999".to_owned() } else { "-9e999".to_owned() };
    }
    match digits {
        None => format!("{value:?}"),
        Some(digits) => format!("{value:.digits$e}"),
    }
}

/// A real number as a product that loses nothing: a whole number and powers of two, which are read exactly.
pub fn product(value: f64) -> String {
    const STEP: i32 = 62;
    let bits = value.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).expect("it has 11 bits");
    let fraction = bits & ((1 << 52) - 1);
    let (mut whole, mut power) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    while whole != 0 && whole.is_multiple_of(2) {
        (whole, power) = (whole / 2, power + 1);
    }
    let mut text = format!("{}{whole}.0", if value.is_sign_negative() { "-" } else { "" });
    let sign = if power < 0 { '/' } else { '*' };
    let mut left = power.abs();
    while left > 0 {
        let step = left.min(STEP);
        text.push_str(&format!("{sign}{}", 1_u64 << step));
        left -= step;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: &str) -> String {
        let mut to = String::new();
        text(value, &mut to);
        to
    }

    #[test]
    fn a_product_is_the_number() {
        let factors = |value: f64| -> f64 {
            let text = product(value);
            let (first, rest) = text.split_at(text.find(['*', '/']).unwrap_or(text.len()));
            let powers = rest.split_inclusive(['*', '/']).map(|part| part.trim_matches(['*', '/']));
            let powers = powers.filter(|part| !part.is_empty()).map(|part| part.parse::<f64>().unwrap());
            let first: f64 = first.parse().unwrap();
            powers
                .fold(first, |value, power| if rest.starts_with('*') { value * power } else { value / power })
        };
        for value in
            [0.1, -2.0199251010301616e294, 5e-324, f64::MAX, f64::MIN_POSITIVE, 3.0, 1e-310, 5.94465116e-316]
        {
            assert_eq!(factors(value).to_bits(), value.to_bits(), "{value:e} {}", product(value));
        }
    }

    #[test]
    fn text_stands_on_one_line() {
        assert_eq!(written("it's"), "'it''s'");
        assert_eq!(written("a\nb"), "replace('a\\nb','\\n',char(10))");
        assert_eq!(written("a\r\nb"), "replace(replace('a\\r\\nb','\\r',char(13)),'\\n',char(10))");
        assert_eq!(written("a\\n\nb"), "replace('a\\n\\n1b','\\n1',char(10))");
    }
}
