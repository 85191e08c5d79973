//! `fixtures(...)`: SQL files that are run on the test's database, found as `#[sqlx::test]` finds them.

use std::path::Path;

use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Error, LitStr, Result, Token, parenthesized};

/// A file, and where it was named.
pub struct Fixture {
    /// Relative to the file of the test.
    path: String,
    named: LitStr,
}

impl Fixture {
    fn new(path: String, named: LitStr) -> Self {
        Self { path, named }
    }

    /// Returns the expression of its value. A file that is missing is told of where it was named.
    pub fn expression(&self) -> TokenStream {
        let path = LitStr::new(&self.path, self.named.span());
        quote_spanned! { self.named.span() =>
            ::dbsetup::testing::Fixture { path: #path, file: ::core::file!(), text: ::core::include_str!(#path) }
        }
    }
}

/// Reads what stands between the brackets.
pub fn parse(input: ParseStream<'_>) -> Result<Vec<Fixture>> {
    if input.peek(LitStr) || input.is_empty() {
        let named = Punctuated::<LitStr, Token![,]>::parse_terminated(input)?;
        return plain(named);
    }
    in_directory(input)
}

/// `fixtures("users", "posts")`, `fixtures("./more/users.sql")`.
fn plain(named: Punctuated<LitStr, Token![,]>) -> Result<Vec<Fixture>> {
    let mut explicit = None;
    let mut fixtures = Vec::new();
    for named in named {
        let text = named.value();
        let is_explicit = Path::new(&text).components().count() > 1;
        match explicit.replace(is_explicit) {
            Some(true) if !is_explicit => {
                return Err(Error::new_spanned(
                    named,
                    "the first fixture is a path, and this is a name: write it as a path, too (`./fixtures/name.sql`), or \
                     in a second `fixtures(...)`",
                ));
            }
            Some(false) if is_explicit => {
                return Err(Error::new_spanned(
                    named,
                    "the first fixture is a name in `fixtures/`, and this is a path: put it into a second `fixtures(...)`",
                ));
            }
            _ => {}
        }
        let path = if is_explicit { text } else { format!("fixtures/{}", with_ending(text)) };
        fixtures.push(Fixture::new(path, named));
    }
    Ok(fixtures)
}

/// `fixtures(path = "../data", scripts("users", "posts"))`.
fn in_directory(input: ParseStream<'_>) -> Result<Vec<Fixture>> {
    const FORM: &str = "expected `fixtures(path = \"<directory>\", scripts(\"<file>\", ...))`";
    let word: syn::Ident =
        input.parse().map_err(|error| Error::new(error.span(), "expected the name of a file in quotes"))?;
    if word == "scripts" {
        return Err(Error::new_spanned(word, "`scripts` stands behind `path = \"<directory>\"`"));
    }
    if word != "path" {
        return Err(Error::new_spanned(word, FORM));
    }
    input.parse::<Token![=]>()?;
    let directory: LitStr = input.parse()?;
    if input.is_empty() {
        return Err(Error::new_spanned(directory, FORM));
    }
    input.parse::<Token![,]>()?;
    let word: syn::Ident = input.parse().map_err(|error| Error::new(error.span(), FORM))?;
    if word != "scripts" {
        return Err(Error::new_spanned(word, FORM));
    }
    let content;
    parenthesized!(content in input);
    let scripts = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(input.error("nothing stands behind `scripts(...)`"));
    }
    let directory = directory.value();
    let path = |named: &LitStr| format!("{directory}/{}", with_ending(named.value()));
    Ok(scripts.into_iter().map(|named| Fixture::new(path(&named), named)).collect())
}

fn with_ending(name: String) -> String {
    if Path::new(&name).extension().is_some() { name } else { format!("{name}.sql") }
}
