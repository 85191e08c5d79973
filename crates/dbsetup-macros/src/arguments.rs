//! What stands in the brackets of the attribute: which files fill the database, and which are run on top.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Meta, Result, Token};

use crate::fixtures::{self, Fixture};

/// What may stand there, for messages.
const EXPECTED: &str = "expected `fixtures(\"<file>\", ...)`, `source = <path>`, `repo = \"<name>\"` or \
                        `migrations = \"<directory>\" | false`";

/// The arguments of the attribute.
#[derive(Default)]
pub struct Arguments {
    /// Where the database's structure comes from.
    pub origin: Origin,
    /// What is run on top, in order.
    pub fixtures: Vec<Fixture>,
    /// Where the first argument stands.
    pub first: Option<Span>,
}

/// Where the database's structure comes from.
#[derive(Default)]
pub enum Origin {
    /// The only repo of the package.
    #[default]
    Inferred,
    /// A value of the program's: `source = CORE`.
    Source(Expr),
    /// A repo of the package, by name.
    Repo(LitStr),
    /// A directory with migrations.
    Migrations(LitStr),
    /// Nothing: the database is empty.
    Empty,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        for meta in Punctuated::<Meta, Token![,]>::parse_terminated(input)? {
            arguments.first.get_or_insert(meta.span());
            arguments.take(meta)?;
        }
        Ok(arguments)
    }
}

impl Arguments {
    fn take(&mut self, meta: Meta) -> Result<()> {
        let Some(name) = meta.path().get_ident().map(ToString::to_string) else {
            return Err(Error::new_spanned(meta.path(), EXPECTED));
        };
        match (name.as_str(), meta) {
            ("fixtures", Meta::List(list)) => {
                self.fixtures.extend(list.parse_args_with(fixtures::parse)?);
                Ok(())
            }
            ("fixtures", meta) => {
                Err(Error::new_spanned(meta, "expected `fixtures(\"<file>\", ...)` with brackets"))
            }
            ("source", Meta::NameValue(pair)) => {
                let origin = Origin::Source(pair.value);
                self.set(origin, pair.path.span())
            }
            ("repo", Meta::NameValue(pair)) => {
                let repo = text(&pair.value, "expected the name of a repo: `repo = \"core\"`")?;
                self.set(Origin::Repo(repo), pair.path.span())
            }
            ("migrations", Meta::NameValue(pair)) => {
                let origin = migrations(&pair.value)?;
                self.set(origin, pair.path.span())
            }
            ("migrator", meta) => Err(Error::new_spanned(
                meta,
                "`migrator` is sqlx's own: name the files instead, by `source = <path>`, `repo = \"<name>\"` or \
                 `migrations = \"<directory>\"`",
            )),
            ("source" | "repo" | "migrations", meta) => {
                Err(Error::new_spanned(meta, format!("expected a value: `{name} = ...`")))
            }
            (_, meta) => Err(Error::new_spanned(meta, EXPECTED)),
        }
    }

    fn set(&mut self, origin: Origin, at: Span) -> Result<()> {
        if !matches!(self.origin, Origin::Inferred) {
            return Err(Error::new(at, "only one of `source`, `repo` and `migrations` can be named"));
        }
        self.origin = origin;
        Ok(())
    }
}

fn migrations(value: &Expr) -> Result<Origin> {
    match literal(value) {
        Some(Lit::Bool(value)) if !value.value => Ok(Origin::Empty),
        Some(Lit::Bool(value)) => Err(Error::new_spanned(value, "`migrations = true` is redundant")),
        Some(Lit::Str(directory)) => Ok(Origin::Migrations(directory.clone())),
        _ => Err(Error::new_spanned(value, "expected the name of a directory or `false`")),
    }
}

fn text(value: &Expr, otherwise: &str) -> Result<LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) => Ok(text.clone()),
        _ => Err(Error::new_spanned(value, otherwise)),
    }
}

/// The literal in `value`. A macro that hands one on puts it into an invisible group.
fn literal(value: &Expr) -> Option<&Lit> {
    match value {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Group(group) => literal(&group.expr),
        _ => None,
    }
}
