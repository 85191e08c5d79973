//! The function that the test harness calls.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Error, Expr, FnArg, ItemFn, Result};

use crate::arguments::{Arguments, Origin};
use crate::fixtures::Fixture;

/// Expands the attribute.
pub fn test(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let function: ItemFn = syn::parse2(item)
        .map_err(|error| Error::new(error.span(), "`#[dbsetup::test]` stands before a function"))?;
    let arguments: Arguments = syn::parse2(arguments)?;
    refuse_what_is_no_test(&function)?;
    if function.sig.inputs.is_empty() {
        return match arguments.first {
            Some(at) => Err(Error::new(
                at,
                "a test that takes no database has no use for this: add a parameter, for example `pool: PgPool` or \
                 `database: dbsetup::testing::Database`",
            )),
            None => Ok(plain(&function)),
        };
    }
    Ok(with_database(&arguments, &function))
}

fn refuse_what_is_no_test(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(&signature.generics, "a test has no type parameters"));
    }
    if let Some(receiver @ FnArg::Receiver(_)) = signature.inputs.first() {
        return Err(Error::new_spanned(receiver, "a test is no method"));
    }
    if signature.asyncness.is_none() && signature.inputs.len() > 1 {
        return Err(Error::new_spanned(
            &signature.inputs,
            "a test without `async` takes one `dbsetup::testing::Database`",
        ));
    }
    if signature.inputs.len() > 2 {
        return Err(Error::new_spanned(
            &signature.inputs,
            "a test takes one database: one parameter, or the options of a pool and of its connections",
        ));
    }
    Ok(())
}

/// A test without a database: it has a runtime.
fn plain(function: &ItemFn) -> TokenStream {
    let ItemFn { attrs, block, sig, .. } = function;
    let (name, output) = (&sig.ident, &sig.output);
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        fn #name() #output {
            ::dbsetup::testing::block_on(async #block)
        }
    }
}

fn with_database(arguments: &Arguments, function: &ItemFn) -> TokenStream {
    let ItemFn { attrs, block, sig, .. } = function;
    let (name, inputs, output, asyncness) = (&sig.ident, &sig.inputs, &sig.output, &sig.asyncness);
    let origin = origin(&arguments.origin);
    let fixtures = arguments.fixtures.iter().map(Fixture::expression);
    let call = if sig.asyncness.is_some() {
        let blanks = inputs.iter().map(|_| quote! { _ });
        quote! {
            let test: fn(#(#blanks),*) -> _ = #name;
            ::dbsetup::testing::run(test, &arguments)
        }
    } else {
        quote! { ::dbsetup::testing::run_blocking(#name, &arguments) }
    };
    let check = check(function);
    quote! {
        #(#attrs)*
        #[::core::prelude::v1::test]
        fn #name() #output {
            #asyncness fn #name(#inputs) #output #block

            let arguments = ::dbsetup::testing::Arguments {
                test: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#name)),
                directory: ::core::env!("CARGO_MANIFEST_DIR"),
                package: ::core::env!("CARGO_PKG_NAME"),
                origin: #origin,
                fixtures: &[#(#fixtures),*],
            };
            #check
            #call
        }
    }
}

/// What lets the compiler tell of a parameter of a wrong type where that stands.
fn check(function: &ItemFn) -> TokenStream {
    let mut inputs = function.sig.inputs.iter();
    let (Some(FnArg::Typed(input)), None) = (inputs.next(), inputs.next()) else {
        return TokenStream::new();
    };
    let of = &input.ty;
    if function.sig.asyncness.is_none() {
        return quote_spanned! { of.span() =>
            let _ = |database: #of| -> ::dbsetup::testing::Database { database };
        };
    }
    quote_spanned! { of.span() =>
        let _ = ::dbsetup::testing::can_be_taken::<#of>;
    }
}

fn origin(origin: &Origin) -> TokenStream {
    match origin {
        Origin::Inferred => quote! { ::dbsetup::testing::Origin::Inferred },
        Origin::Empty => quote! { ::dbsetup::testing::Origin::Empty },
        Origin::Repo(name) => quote! { ::dbsetup::testing::Origin::Repo(#name) },
        Origin::Migrations(directory) => quote! { ::dbsetup::testing::Origin::Migrations(#directory) },
        Origin::Source(value) => {
            // A constant or a static is named without `&`, as elsewhere in attributes.
            let value = match value {
                Expr::Path(_) => quote_spanned! { value.span() => &#value },
                value => quote! { #value },
            };
            quote_spanned! { value.span() =>
                ::dbsetup::testing::Origin::Source(|| ::core::convert::Into::into(#value))
            }
        }
    }
}
