//! Compares the product with what a user would pick instead: whole processes, side by side, in ratios.
//!
//! `./scripts/bench` starts servers, builds everything and runs this; the arguments are its business.

mod contest;
mod corpus;
mod dump;
mod far;
mod place;
mod postgres;
mod proxy;
mod size;
mod sqlite;
mod table;
mod wire;

use std::path::PathBuf;

use corpus::Corpus;
use place::Place;
use table::Table;

/// What is measured, and how often.
struct Plan {
    quick: bool,
    words: Vec<String>,
    corpus: Option<PathBuf>,
    place: Place,
}

impl Plan {
    /// Reads the command line.
    fn of_arguments() -> Result<Self, String> {
        let (mut quick, mut words, mut corpus) = (false, Vec::new(), None);
        let mut place = Place {
            binary: PathBuf::from(env!("CARGO_BIN_EXE_cargo-dbsetup")),
            peers: PathBuf::new(),
            psql: PathBuf::from("psql"),
            socket: PathBuf::new(),
            dir: std::env::temp_dir(),
            medium: "memory".to_owned(),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("`{argument}` needs a value"));
            match argument.as_str() {
                // cargo's own word.
                "--bench" => {}
                "--quick" => quick = true,
                "--binary" => place.binary = value()?.into(),
                "--peers" => place.peers = value()?.into(),
                "--psql" => place.psql = value()?.into(),
                "--socket" => place.socket = value()?.into(),
                "--dir" => place.dir = value()?.into(),
                "--medium" => place.medium = value()?,
                "--corpus" => corpus = Some(value()?.into()),
                word if !word.starts_with('-') => words.push(word.to_owned()),
                _ => return Err(format!("unknown argument `{argument}`")),
            }
        }
        Ok(Self { quick, words, corpus, place })
    }

    /// Returns how many rounds something is measured that takes so many in full.
    fn rounds(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(3) } else { full }
    }

    fn is_on_disk(&self) -> bool {
        self.place.medium == "disk"
    }

    fn wants(&self, name: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // The yardstick of a load is a process of its own, as the others are.
    if let [_, word, socket, database, file] = &arguments[..]
        && word == "--send"
    {
        return postgres::send(socket.as_ref(), database, file.as_ref());
    }
    let plan = match Plan::of_arguments() {
        Ok(plan) if plan.place.socket.as_os_str().is_empty() => {
            eprintln!("`./scripts/bench` starts the servers that this needs, and runs it");
            return;
        }
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    let made_up = Corpus::made_up(if plan.quick { 300 } else { 1000 });
    let real = plan.corpus.as_ref().map(|dir| Corpus::of_diesel(dir).expect("the corpus can be read"));
    let corpora: Vec<&Corpus> = real.iter().chain([&made_up]).collect();
    let mut table = Table::default();
    for corpus in &corpora {
        postgres::compare(&plan, corpus, &mut table);
    }
    if !plan.is_on_disk() {
        dump::compare(&plan, &mut table);
        far::compare(&plan, corpora[0], &mut table);
        size::compare(&plan, &mut table);
    }
    sqlite::compare(&plan, &made_up, &mut table);
    table.print();
}
