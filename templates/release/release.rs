//! The release's own program: it makes databases ready where there is no cargo and no checkout. The files of <<names>>
//! are inside. `release help` lists its commands, `release setup` is the one for a deploy.
//!
//! Made by `cargo dbsetup gen release`. It is yours now: change what you like.

use std::process::ExitCode;

<<statics>>

fn main() -> ExitCode {
    dbsetup_cli::Release::new()
        .version(env!("CARGO_PKG_VERSION"))
        <<repos>>
        .main()
}
