//! `cargo dbsetup`: from a fresh clone to ready databases with one command.

mod check;
mod cli;
mod git;
mod lint;
mod sources;
mod ui;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    // As a plugin cargo passes its own word for us first.
    if words.first().is_some_and(|word| word == "dbsetup") {
        words.remove(0);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::from(cli::exit::FAILED);
        }
    };
    let code = runtime.block_on(cli::run(words));
    // A question that nobody answered is no reason to stay.
    runtime.shutdown_background();
    ExitCode::from(code)
}
