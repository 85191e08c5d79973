//! Files that do not fit: the memory that a load holds.

use std::fs::File;
use std::io::{BufWriter, Write};

use super::Plan;
use super::contest::peak_memory;
use super::corpus::Corpus;
use super::place::Package;
use super::table::{Goal, Table};

const DATABASE: &str = "bench_size";
const LIMIT: u64 = 64 << 20;

/// Loads large structure files: many statements, then one COPY.
pub fn compare(plan: &Plan, table: &mut Table) {
    if !plan.wants("memory") {
        return;
    }
    let bytes: u64 = if plan.quick { 128 << 20 } else { 1 << 30 };
    let url = plan.place.url(DATABASE);
    let package = Package::new(&plan.place, "size", &[("core", &url)], &Corpus::made_up(1));
    let path = package.dir.join("core/structure.sql");
    let kinds: [(&str, Writer); 2] = [("many statements", statements), ("one COPY", copy)];
    for (name, write) in kinds {
        let mut file = BufWriter::new(File::create(&path).expect("files can be written"));
        write(&mut file, bytes).and_then(|()| file.flush()).expect("files can be written");
        plan.place.empty_database(DATABASE);
        let peak = peak_memory(&mut package.ours(&["load"]));
        let what = format!("memory: load of {} MiB, {name}", bytes >> 20);
        table.count(&what, peak, Goal::Memory(LIMIT));
    }
    package.structure("core", None);
    plan.place.drop_database(DATABASE);
}

/// Writes a file of so many bytes.
type Writer = fn(&mut dyn Write, u64) -> std::io::Result<()>;

const TABLE: &[u8] = b"CREATE TABLE public.rows (id bigint NOT NULL, body text);\n";

/// Rows of 64 KiB keep the server's own time small.
fn statements(file: &mut dyn Write, bytes: u64) -> std::io::Result<()> {
    let body = "x".repeat(64 << 10);
    file.write_all(TABLE)?;
    for id in 0..bytes / body.len() as u64 {
        writeln!(file, "INSERT INTO public.rows VALUES ({id}, '{body}');")?;
    }
    Ok(())
}

fn copy(file: &mut dyn Write, bytes: u64) -> std::io::Result<()> {
    let body = "x".repeat(1 << 10);
    file.write_all(TABLE)?;
    file.write_all(b"COPY public.rows (id, body) FROM stdin;\n")?;
    for id in 0..bytes / body.len() as u64 {
        writeln!(file, "{id}\t{body}")?;
    }
    file.write_all(b"\\.\n")
}
