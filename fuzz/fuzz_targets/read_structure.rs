//! Any file, read as a structure file before any of it runs. The first byte chooses the database.
#![no_main]

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};

use dbsetup::sql::Dialect;
use tempfile::NamedTempFile;

thread_local! {
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new().expect("a temporary file"));
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let dialect = if first % 2 == 0 { Dialect::Postgres } else { Dialect::Sqlite };
    FILE.with_borrow_mut(|file| {
        file.as_file().set_len(0).expect("the file can be emptied");
        file.seek(SeekFrom::Start(0)).expect("the file has a start");
        file.write_all(rest).expect("the file can be written");
        dbsetup::structure::fuzzing::read(file.path(), text, dialect);
    });
});
