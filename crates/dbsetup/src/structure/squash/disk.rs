//! The file operations of a squash. Each goes through a gate first, so that a test can end the run before any of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How a run hears of the next operation; an error ends it there, as if the process had been killed.
pub(super) type Gate<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

/// Files as a squash changes them.
pub(super) struct Disk<'a> {
    gate: Gate<'a>,
}

impl<'a> Disk<'a> {
    pub fn new(gate: Gate<'a>) -> Self {
        Self { gate }
    }

    fn pass(&mut self, doing: &str, path: &Path) -> io::Result<()> {
        (self.gate)(&format!("{doing} {}", path.display()))
    }

    /// Writes a new file and waits until it is on the disk. What a killed run has left there is replaced.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.remove_if_there(path)?;
        self.pass("write", path)?;
        // Made anew, it is no link that somebody put there to have us write elsewhere.
        let mut file = File::options().write(true).create_new(true).open(path)?;
        let (first, second) = bytes.split_at(bytes.len() / 2);
        file.write_all(first)?;
        self.pass("go on writing", path)?;
        file.write_all(second)?;
        file.sync_all()
    }

    /// Renames, over a file that is there.
    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass("rename", from)?;
        // A virus scanner or an editor that looks at the file keeps Windows from moving it for a moment.
        for attempt in 0.. {
            match std::fs::rename(from, to) {
                Err(error)
                    if cfg!(windows) && error.kind() == io::ErrorKind::PermissionDenied && attempt < 40 =>
                {
                    std::thread::sleep(std::time::Duration::from_millis(25));
                }
                done => return done,
            }
        }
        unreachable!("the loop has no end of its own")
    }

    /// Makes a directory and those above it.
    pub fn make_directory(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.pass("make", path)?;
        std::fs::create_dir_all(path)?;
        path.ancestors().skip(1).take(3).for_each(sync);
        Ok(())
    }

    /// Removes a file, or a directory with all that is in it.
    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.pass("remove", path)?;
        match std::fs::symlink_metadata(path)?.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        }
    }

    pub fn remove_if_there(&mut self, path: &Path) -> io::Result<()> {
        match std::fs::symlink_metadata(path) {
            Ok(_) => self.remove(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes what was renamed in a directory survive a power cut, as far as the platform lets us.
    pub fn sync(&mut self, directory: &Path) -> io::Result<()> {
        self.pass("sync", directory)?;
        sync(directory);
        Ok(())
    }
}

fn sync(directory: &Path) {
    // Not every platform lets a directory be opened.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
}

/// Returns the digest of a file, or of a directory with all that is in it; `None` where there is nothing.
pub(super) fn digest(path: &Path) -> io::Result<Option<String>> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !metadata.is_dir() {
        return Ok(Some(digest_of(&std::fs::read(path)?)));
    }
    let mut whole = Vec::new();
    for file in files_below(path)? {
        let name = file.strip_prefix(path).unwrap_or(&file);
        let parts: Vec<_> = name.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        whole.extend_from_slice(
            format!("{}\0{}\0", parts.join("/"), digest_of(&std::fs::read(&file)?)).as_bytes(),
        );
    }
    Ok(Some(digest_of(&whole)))
}

/// Returns every file below a directory, sorted.
fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut open) = (Vec::new(), vec![directory.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => open.push(entry.path()),
                false => files.push(entry.path()),
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Returns the digest of a file with this content.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
