//! `#[dbsetup::test]`: a test with a database of its own. See `dbsetup::testing`.

mod arguments;
mod expand;
mod fixtures;

use proc_macro::TokenStream;

/// Makes a test of a function that takes a database. Described in `dbsetup::testing`, which exports it.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::test(arguments.into(), item.into()).unwrap_or_else(syn::Error::into_compile_error).into()
}
