//! Where the files of a repo are read from: the disk, or the binary itself. Plain values; whoever reads a migration, a
//! structure, a floor, an archive or a seed asks here and knows no difference. What is written is written to the disk.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Cursor, Read, Seek};
use std::path::{Component, Path};
use std::time::SystemTime;

/// One file inside the binary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedFile {
    /// Its path relative to the crate, with `/`: `priv/core/migrations/1_a.sql`. A path that ends with `/` is a
    /// directory that holds no file.
    pub path: &'static str,
    /// What is in it, as it was on the disk.
    pub bytes: &'static [u8],
}

impl fmt::Debug for EmbeddedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.bytes.len())
    }
}

/// Where the files of a repo are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Files {
    /// On the disk, wherever the repo's paths lead.
    #[default]
    Disk,
    /// In the binary, sorted by path; the repo's paths are relative to the crate that was built.
    Embedded(&'static [EmbeddedFile]),
}

/// What an entry of a directory is, as the listing itself tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, wherever it leads. There is none in a binary.
    Link,
    /// A socket, a device.
    Other,
}

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name without the directory.
    pub name: OsString,
    /// What it is.
    pub kind: EntryKind,
}

/// A file that is read piece by piece, and in places a second time.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

impl Files {
    /// Whether they are in the binary.
    pub fn is_embedded(self) -> bool {
        matches!(self, Self::Embedded(_))
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// Those of reading; [`io::ErrorKind::NotFound`] for what is not embedded.
    pub fn read(self, path: &Path) -> io::Result<Cow<'static, [u8]>> {
        match self {
            Self::Disk => std::fs::read(path).map(Cow::Owned),
            Self::Embedded(files) => find(files, path).map(|file| Cow::Borrowed(file.bytes)),
        }
    }

    /// Opens a file: one of the disk is read as it is asked for, whatever its size.
    ///
    /// # Errors
    /// Those of [`Files::read`].
    pub fn open(self, path: &Path) -> io::Result<Box<dyn ReadSeek>> {
        Ok(match self {
            Self::Disk => Box::new(std::fs::File::open(path)?),
            Self::Embedded(files) => Box::new(Cursor::new(find(files, path)?.bytes)),
        })
    }

    /// The size of a file in bytes, and when it was last written to, where that is known: both change when somebody
    /// writes to it.
    ///
    /// # Errors
    /// Those of [`Files::read`].
    pub fn stamp(self, path: &Path) -> io::Result<(u64, Option<SystemTime>)> {
        match self {
            Self::Disk => std::fs::metadata(path).map(|about| (about.len(), about.modified().ok())),
            Self::Embedded(files) => find(files, path).map(|file| (file.bytes.len() as u64, None)),
        }
    }

    /// Whether there is a file, or a link that leads to one.
    pub fn is_file(self, path: &Path) -> bool {
        match self {
            Self::Disk => path.is_file(),
            Self::Embedded(files) => find(files, path).is_ok(),
        }
    }

    /// Whether there is a directory, or a link that leads to one.
    pub fn is_dir(self, path: &Path) -> bool {
        match self {
            Self::Disk => path.is_dir(),
            Self::Embedded(files) => !below(files, &key(path)).is_empty(),
        }
    }

    /// Whether there is anything.
    pub fn exists(self, path: &Path) -> bool {
        match self {
            Self::Disk => path.exists(),
            Self::Embedded(_) => self.is_file(path) || self.is_dir(path),
        }
    }

    /// Whether a path is a symbolic link itself.
    pub fn is_symlink(self, path: &Path) -> bool {
        !self.is_embedded() && path.is_symlink()
    }

    /// Lists a directory, in no particular order.
    ///
    /// # Errors
    /// Those of reading the directory.
    pub fn list(self, path: &Path) -> io::Result<Vec<Entry>> {
        let Self::Embedded(files) = self else { return list_on_disk(path) };
        let directory = key(path);
        let inside = below(files, &directory);
        if inside.is_empty() {
            return Err(missing(path));
        }
        let prefix = if directory.is_empty() { 0 } else { directory.len() + 1 };
        let mut entries: Vec<Entry> = Vec::new();
        for file in inside {
            let rest = &file.path[prefix..];
            let (name, kind) = match rest.split_once('/') {
                Some((name, _)) => (name, EntryKind::Directory),
                None => (rest, EntryKind::File),
            };
            // Sorted by path, what is below one directory follows each other.
            let is_known = entries.last().is_some_and(|last| last.name == name && last.kind == kind);
            if !name.is_empty() && !is_known {
                entries.push(Entry { name: name.into(), kind });
            }
        }
        Ok(entries)
    }
}

fn list_on_disk(path: &Path) -> io::Result<Vec<Entry>> {
    std::fs::read_dir(path)?
        .map(|entry| {
            let entry = entry?;
            let found = entry.file_type()?;
            let kind = match () {
                () if found.is_symlink() => EntryKind::Link,
                () if found.is_dir() => EntryKind::Directory,
                () if found.is_file() => EntryKind::File,
                () => EntryKind::Other,
            };
            Ok(Entry { name: entry.file_name(), kind })
        })
        .collect()
}

/// The path as embedded files write theirs: with `/`, and without `.` and what `..` takes back.
fn key(path: &Path) -> String {
    let mut parts: Vec<Cow<'_, str>> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy()),
            Component::ParentDir if parts.last().is_some_and(|last| last != "..") => {
                parts.pop();
            }
            Component::ParentDir => parts.push("..".into()),
            Component::CurDir => {}
            // Nothing that is embedded has an absolute path.
            Component::RootDir | Component::Prefix(_) => parts.push("/".into()),
        }
    }
    parts.join("/")
}

fn find(files: &'static [EmbeddedFile], path: &Path) -> io::Result<&'static EmbeddedFile> {
    let key = key(path);
    let at = files.binary_search_by(|file| file.path.cmp(&key)).map_err(|_| missing(path))?;
    Ok(&files[at])
}

/// Everything in a directory and below it, the mark of an empty one included.
fn below(files: &'static [EmbeddedFile], directory: &str) -> &'static [EmbeddedFile] {
    if directory.is_empty() {
        return files;
    }
    let prefix = format!("{directory}/");
    let start = files.partition_point(|file| *file.path < *prefix);
    let length = files[start..].iter().take_while(|file| file.path.starts_with(&prefix)).count();
    &files[start..start + length]
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("`{}` is not in the binary", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn file(path: &'static str, text: &'static str) -> EmbeddedFile {
        EmbeddedFile { path, bytes: text.as_bytes() }
    }

    const FILES: Files = Files::Embedded(&[
        file("../shared/1_a.sql", "shared"),
        file("priv/core/manual_migrations/", ""),
        file("priv/core/migrations-old/0_z.sql", "z"),
        file("priv/core/migrations/1_a.sql", "a"),
        file("priv/core/migrations/2_b/down.sql", "down"),
        file("priv/core/migrations/2_b/up.sql", "up"),
        file("priv/core/structure.sql", "structure"),
    ]);

    fn names(path: &str) -> Vec<(String, EntryKind)> {
        let entries = FILES.list(Path::new(path)).expect("it is there");
        entries.into_iter().map(|entry| (entry.name.to_string_lossy().into_owned(), entry.kind)).collect()
    }

    #[test]
    fn a_binary_has_files_and_directories_as_a_disk_has() {
        let is = |path: &str| (FILES.is_file(path.as_ref()), FILES.is_dir(path.as_ref()));
        assert_eq!(is("priv/core/structure.sql"), (true, false));
        assert_eq!(is("./priv/other/../core/structure.sql"), (true, false));
        assert_eq!(is("priv/core/migrations"), (false, true));
        assert_eq!(is("priv/core/migrations/2_b"), (false, true));
        assert_eq!(is("priv/core/manual_migrations"), (false, true));
        assert_eq!(is("../shared"), (false, true));
        assert_eq!(is("priv/core/migration"), (false, false));
        assert_eq!(is("/priv/core/structure.sql"), (false, false));
        assert!(FILES.exists("priv".as_ref()) && !FILES.exists("priv/none".as_ref()));
        assert!(!FILES.is_symlink("priv/core".as_ref()));
    }

    #[test]
    fn a_directory_lists_what_is_right_below_it() {
        use EntryKind::{Directory, File};
        let named = |list: &[(&str, EntryKind)]| -> Vec<(String, EntryKind)> {
            list.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect()
        };
        assert_eq!(names("priv/core/migrations"), named(&[("1_a.sql", File), ("2_b", Directory)]));
        assert_eq!(names("priv/core/manual_migrations"), []);
        assert_eq!(
            names("priv/core"),
            named(&[
                ("manual_migrations", Directory),
                ("migrations-old", Directory),
                ("migrations", Directory),
                ("structure.sql", File)
            ])
        );
        assert_eq!(names(""), named(&[("..", Directory), ("priv", Directory)]));
        assert_eq!(FILES.list("nowhere".as_ref()).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_embedded_is_read_whole_and_piece_by_piece() {
        let path = Path::new("priv/core/migrations/2_b/up.sql");
        assert_eq!(&*FILES.read(path).unwrap(), b"up");
        let mut text = String::new();
        FILES.open(path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "up");
        assert_eq!(FILES.stamp(path).unwrap(), (2, None));
        let error = FILES.read(Path::new("priv/core/none.sql")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("`priv/core/none.sql` is not in the binary"), "{error}");
    }
}
