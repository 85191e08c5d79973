//! What pg_dump says of two databases, compared object by object.
//!
//! pg_dump is the judge of a structure that was dumped and loaded again, and it is no perfect one: what its own dump
//! loses on the way through psql is no fault of ours. So three texts are compared: that of the original, that of the
//! database that went through our program, and that of the one that went through pg_dump and psql.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What pg_dump wrote, by object.
#[derive(Debug, Default)]
pub struct Listing {
    /// The statements under each heading (`Name: a; Type: TABLE; Schema: public`), several where a heading repeats.
    entries: BTreeMap<String, Vec<String>>,
    /// The headings in pg_dump's order.
    order: Vec<String>,
    lines: usize,
}

impl Listing {
    /// Reads what pg_dump wrote.
    ///
    /// Left out is what is no part of the structure: versions, the random word of `\restrict`, and a number that newer
    /// minor versions keep among the options of a column and older pg_dumps do not know.
    pub fn read(text: &str) -> Self {
        let mut listing = Self { lines: text.lines().count(), ..Self::default() };
        let mut heading = "the preamble".to_owned();
        let mut body = String::new();
        // Said once for all tables that follow, and so not under the heading that it belongs to.
        let mut defaults = BTreeMap::new();
        for line in text.lines() {
            if let Some(found) = line.strip_prefix("-- Name: ") {
                listing
                    .push(std::mem::replace(&mut heading, without_owner(found)), &std::mem::take(&mut body));
                if found.contains("; Type: TABLE;") || found.contains("; Type: MATERIALIZED VIEW;") {
                    body.extend(defaults.values().map(|line| format!("{line}\n")));
                }
                continue;
            }
            if line.is_empty()
                || line == "--"
                || ["\\restrict ", "\\unrestrict ", "-- Dumped "].iter().any(|start| line.starts_with(start))
                || (line.starts_with("ALTER TABLE ") && line.contains(" SET (pg_attver="))
            {
                continue;
            }
            if let Some(setting) = line.strip_prefix("SET default_") {
                let name = setting.split(' ').next().unwrap_or_default();
                defaults.insert(name.to_owned(), line.to_owned());
                continue;
            }
            body.push_str(&in_order(line));
            body.push('\n');
        }
        listing.push(heading, &body);
        listing
    }

    fn push(&mut self, heading: String, body: &str) {
        let bodies = self.entries.entry(heading.clone()).or_default();
        bodies.push(body.to_owned());
        bodies.sort();
        self.order.push(heading);
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Returns the headings under which `other` says something else.
    fn differing<'a>(&'a self, other: &'a Self) -> BTreeSet<&'a str> {
        let all = self.entries.keys().chain(other.entries.keys());
        all.filter(|heading| self.entries.get(*heading) != other.entries.get(*heading))
            .map(String::as_str)
            .collect()
    }

    /// Returns how many objects have another place than in `other`, of those that both have.
    fn displaced(&self, other: &Self) -> usize {
        let common = |one: &Self, two: &Self| {
            one.order.iter().filter(|heading| two.entries.contains_key(*heading)).cloned().collect::<Vec<_>>()
        };
        let (one, two) = (common(self, other), common(other, self));
        one.iter().zip(&two).filter(|(one, two)| one != two).count()
    }

    fn body(&self, heading: &str) -> String {
        self.entries.get(heading).map_or_else(|| "  (nothing)\n".to_owned(), |bodies| bodies.concat())
    }
}

/// The parameters of a table stand in the order in which they were set. Ours are written in alphabetical order, so that
/// two histories give the same bytes.
fn in_order(line: &str) -> String {
    let Some(inner) = line.strip_prefix("WITH (") else { return line.to_owned() };
    let Some((inner, end)) = inner.rsplit_once(')') else { return line.to_owned() };
    let mut parameters: Vec<&str> = inner.split(", ").collect();
    parameters.sort_unstable();
    format!("WITH ({}){end}", parameters.join(", "))
}

/// Who owns an object is said in its heading too, and again in a statement where it matters.
fn without_owner(heading: &str) -> String {
    heading.split("; Owner:").next().unwrap_or(heading).to_owned()
}

/// What became of a database on its way through our program, in the eyes of pg_dump.
#[derive(Debug)]
pub struct Verdict {
    objects: usize,
    lines: usize,
    /// Objects that differ from the original after our way, and after pg_dump's own.
    ours: usize,
    theirs: usize,
    /// Lines of these objects, of the original's and of the other's text, that only one of the two has.
    our_lines: usize,
    their_lines: usize,
    displaced: (usize, usize),
    /// Objects that the dump left out and said so.
    left_out: usize,
    /// Objects that only our way changed, or changed otherwise, with both texts.
    wrong: Vec<String>,
}

/// Compares the original with what came back through our program and with what came back through pg_dump. What the dump
/// said it `left_out` (`SUBSCRIPTION a`) has to be missing.
pub fn judge(original: &Listing, ours: &Listing, theirs: &Listing, left_out: &[String]) -> Verdict {
    let (by_us, by_them) = (original.differing(ours), original.differing(theirs));
    let lines = |headings: &BTreeSet<&str>, other: &Listing| {
        headings.iter().map(|heading| different_lines(&original.body(heading), &other.body(heading))).sum()
    };
    let left_out: Vec<String> = left_out.iter().map(|name| name.replace(" FOR ", " ")).collect();
    let is_left_out = |heading: &str, name: &str| {
        let (object, rest) = heading.split_once("; Type: ").unwrap_or((heading, ""));
        let kind = rest.split(';').next().unwrap_or_default();
        !ours.entries.contains_key(heading) && (object == name || format!("{kind} {object}") == name)
    };
    let mut wrong: Vec<String> = by_us
        .iter()
        .filter(|heading| ours.entries.get(**heading) != theirs.entries.get(**heading))
        .filter(|heading| !left_out.iter().any(|name| is_left_out(heading, name)))
        .map(|heading| {
            format!("{heading}\n--- original\n{}--- restored\n{}", original.body(heading), ours.body(heading))
        })
        .collect();
    wrong.extend(
        left_out
            .iter()
            .filter(|name| !original.order.iter().any(|heading| is_left_out(heading, name)))
            .map(|name| format!("{name} was said to be left out and is there, or never was\n")),
    );
    Verdict {
        left_out: left_out.len(),
        objects: original.len(),
        lines: original.lines,
        ours: by_us.len(),
        theirs: by_them.len(),
        our_lines: lines(&by_us, ours),
        their_lines: lines(&by_them, theirs),
        displaced: (original.displaced(ours), original.displaced(theirs)),
        wrong,
    }
}

/// Returns how many lines only one of two texts has.
fn different_lines(left: &str, right: &str) -> usize {
    let mut counts = BTreeMap::<&str, i64>::new();
    for line in left.lines() {
        *counts.entry(line).or_default() += 1;
    }
    for line in right.lines() {
        *counts.entry(line).or_default() -= 1;
    }
    let sum: u64 = counts.values().map(|count| count.unsigned_abs()).sum();
    usize::try_from(sum).expect("a text has fewer lines")
}

impl Verdict {
    /// Returns what is wrong: an object that our way changed and pg_dump's did not, or changed otherwise.
    pub fn check(&self) -> Result<(), String> {
        let mut wrong = self.wrong.clone();
        // pg_dump sorts by name and falls back on the order of creation only where names do not decide.
        if self.displaced.0 > self.displaced.1 && self.displaced.0 * 50 > self.objects {
            wrong.push(format!("{} objects have another place in pg_dump's order", self.displaced.0));
        }
        if wrong.is_empty() {
            return Ok(());
        }
        let shown = wrong.iter().take(20).map(|text| format!("\n=== {text}")).collect::<String>();
        Err(format!("{} of {} objects did not come back{shown}", wrong.len(), self.objects))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} objects, {} lines; differ after our way: {} objects, {} lines; after pg_dump's own: {} objects, {} \
             lines; left out aloud: {}; in another place: {} and {}; wrong: {}",
            self.objects,
            self.lines,
            self.ours,
            self.our_lines,
            self.theirs,
            self.their_lines,
            self.left_out,
            self.displaced.0,
            self.displaced.1,
            self.wrong.len(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINAL: &str = "-- PostgreSQL database dump\n\n\\restrict abc\n-- Dumped by pg_dump version 15\nSET x = 1;\n\n\
        SET default_table_access_method = heap;\n\n--\n-- Name: a; Type: TABLE; Schema: public; Owner: me\n--\n\n\
        CREATE TABLE public.a (\n    i integer,\n    j integer\n);\n\n\
        ALTER TABLE ONLY public.a ALTER COLUMN i SET (pg_attver=17);\n\n\
        --\n-- Name: b; Type: TABLE; Schema: public; Owner: me\n--\n\nCREATE TABLE public.b (\n    i integer\n);\n";

    fn verdict(ours: &str, theirs: &str) -> Verdict {
        judge(&Listing::read(ORIGINAL), &Listing::read(ours), &Listing::read(theirs), &[])
    }

    #[test]
    fn owners_in_headings_and_random_words_are_no_differences() {
        let other = ORIGINAL.replace("abc", "xyz").replace("Owner: me", "Owner: you").replace("=17", "=18");
        let verdict = verdict(&other, ORIGINAL);
        assert_eq!((verdict.objects, verdict.ours, verdict.check()), (3, 0, Ok(())));
    }

    #[test]
    fn what_is_left_out_aloud_is_missing_and_nothing_else_is() {
        let (without, _) = ORIGINAL.split_once("--\n-- Name: b").expect("it is there");
        let judged = |ours: &str, left_out: &[&str]| {
            let names: Vec<String> = left_out.iter().map(|name| (*name).to_owned()).collect();
            let read = |text: &str| Listing::read(text);
            judge(&read(ORIGINAL), &read(ours), &read(ORIGINAL), &names).check()
        };
        assert_eq!(judged(without, &["TABLE b"]), Ok(()));
        assert!(judged(without, &["TABLE a"]).is_err() && judged(ORIGINAL, &["TABLE b"]).is_err());
    }

    #[test]
    fn the_order_of_parameters_is_history() {
        assert_eq!(
            in_order("WITH (fillfactor='10', autovacuum=off);"),
            "WITH (autovacuum=off, fillfactor='10');"
        );
        assert_eq!(in_order("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn a_difference_that_pg_dump_makes_too_is_none_of_ours() {
        let swapped = ORIGINAL.replace("    i integer,\n    j integer", "    j integer,\n    i integer");
        assert!(verdict(&swapped, &swapped).check().is_ok());
        let verdict = verdict(&swapped, ORIGINAL);
        assert!(verdict.check().is_err_and(|why| why.contains("1 of 3") && why.contains("a; Type: TABLE")));
        assert_eq!(verdict.our_lines, 4);
    }

    #[test]
    fn an_object_that_is_missing_or_new_or_of_another_method_is_wrong() {
        let (without, _) = ORIGINAL.split_once("--\n-- Name: b").expect("it is there");
        assert!(verdict(without, ORIGINAL).check().is_err_and(|why| why.contains("(nothing)")));
        let more = format!(
            "{ORIGINAL}--\n-- Name: c; Type: VIEW; Schema: public; Owner: me\n--\n\nCREATE VIEW c;\n"
        );
        assert!(verdict(&more, ORIGINAL).check().is_err());
        assert!(verdict(&ORIGINAL.replace("= heap", "= other"), ORIGINAL).check().is_err());
    }
}
