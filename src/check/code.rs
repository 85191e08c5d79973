//! What `check` can find, as stable codes. docs/check.md says of each what it is, why it matters and what to do.

use std::fmt;

/// One kind of finding. The words are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    // --- Files ---
    /// The migration files cannot be read as a set.
    Files,
    /// A file that deserves a look.
    SuspiciousFile,
    /// `requires` names a version that is nowhere.
    UnknownRequirement,
    /// There is no structure file.
    StructureMissing,
    /// The structure file was written by another program, or by hand.
    StructureForeign,
    /// The structure file does not load.
    StructureBroken,
    /// A file with the marks of a merge.
    Conflict,
    /// A migration says something else than what the structure records.
    Changed,
    /// A version that the structure records has no file.
    FileMissing,
    /// Migrations that the structure does not hold yet.
    StructureBehind,
    /// The structure holds rows that nobody has named.
    RowsUnnamed,
    /// The squash floor cannot be read.
    FloorBroken,
    /// The squash floor names a version that the structure does not record.
    FloorUnrecorded,
    /// A squashed file says something else than what was squashed.
    FloorChanged,
    /// A squash was interrupted.
    InterruptedSquash,
    /// A migration is older than what its base already has.
    VersionOrder,
    /// A rule of the lint.
    Lint,
    /// A binary was built from other files.
    BinaryDiffers,
    // --- Scratch database ---
    /// The structure file does not load into an empty database.
    StructureUnloadable,
    /// The structure file is not what a dump of itself says.
    StructureEdited,
    /// Migrations that would be replayed reach beyond the scratch database.
    ReplayBeyond,
    /// The migrations cannot be replayed: some have no file.
    Unreplayable,
    /// A migration fails on a new database.
    ReplayFails,
    /// The structure with its pending migrations is not what the replay gives.
    Divergence,
    /// Rows of the structure are not those of the replay.
    RowsChanged,
    /// A table holds rows after a replay, and nobody said what becomes of them.
    RowsUndecided,
    /// Rows that are to be kept cannot be written.
    RowsUnwritable,
    /// A column of kept rows is another one in every replay.
    RowsVolatile,
    // --- Archive ---
    /// A squashed migration does not run any more.
    ArchiveRotten,
    /// The replay of the archive is not what the structure says.
    ArchiveDiffers,
    // --- Live database ---
    /// The database does not exist.
    LiveMissing,
    /// A migration is not applied there.
    Pending,
    /// A migration waits for another one there.
    Blocked,
    /// An applied migration was changed.
    LiveChanged,
    /// An applied migration has no file.
    LiveFileMissing,
    /// A migration was interrupted there.
    Interrupted,
    /// The database lacks squashed migrations whose files are nowhere.
    BelowFloor,
    /// The structure was loaded half way there.
    HalfLoaded,
    /// The schema is not what structure and migrations say.
    Drift,
}

impl Code {
    /// Every code, in the order of the document.
    #[cfg(test)]
    pub const ALL: [Self; 39] = [
        Self::Files,
        Self::SuspiciousFile,
        Self::UnknownRequirement,
        Self::StructureMissing,
        Self::StructureForeign,
        Self::StructureBroken,
        Self::Conflict,
        Self::Changed,
        Self::FileMissing,
        Self::StructureBehind,
        Self::RowsUnnamed,
        Self::FloorBroken,
        Self::FloorUnrecorded,
        Self::FloorChanged,
        Self::InterruptedSquash,
        Self::VersionOrder,
        Self::Lint,
        Self::BinaryDiffers,
        Self::StructureUnloadable,
        Self::StructureEdited,
        Self::ReplayBeyond,
        Self::Unreplayable,
        Self::ReplayFails,
        Self::Divergence,
        Self::RowsChanged,
        Self::RowsUndecided,
        Self::RowsUnwritable,
        Self::RowsVolatile,
        Self::ArchiveRotten,
        Self::ArchiveDiffers,
        Self::LiveMissing,
        Self::Pending,
        Self::Blocked,
        Self::LiveChanged,
        Self::LiveFileMissing,
        Self::Interrupted,
        Self::BelowFloor,
        Self::HalfLoaded,
        Self::Drift,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::SuspiciousFile => "suspicious-file",
            Self::UnknownRequirement => "unknown-requirement",
            Self::StructureMissing => "structure-missing",
            Self::StructureForeign => "structure-foreign",
            Self::StructureBroken => "structure-broken",
            Self::Conflict => "conflict",
            Self::Changed => "changed",
            Self::FileMissing => "file-missing",
            Self::StructureBehind => "structure-behind",
            Self::RowsUnnamed => "rows-unnamed",
            Self::FloorBroken => "floor-broken",
            Self::FloorUnrecorded => "floor-unrecorded",
            Self::FloorChanged => "floor-changed",
            Self::InterruptedSquash => "interrupted-squash",
            Self::VersionOrder => "version-order",
            Self::Lint => "lint",
            Self::BinaryDiffers => "binary-differs",
            Self::StructureUnloadable => "structure-unloadable",
            Self::StructureEdited => "structure-edited",
            Self::ReplayBeyond => "replay-beyond",
            Self::Unreplayable => "unreplayable",
            Self::ReplayFails => "replay-fails",
            Self::Divergence => "divergence",
            Self::RowsChanged => "rows-changed",
            Self::RowsUndecided => "rows-undecided",
            Self::RowsUnwritable => "rows-unwritable",
            Self::RowsVolatile => "rows-volatile",
            Self::ArchiveRotten => "archive-rotten",
            Self::ArchiveDiffers => "archive-differs",
            Self::LiveMissing => "live-missing",
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::LiveChanged => "live-changed",
            Self::LiveFileMissing => "live-file-missing",
            Self::Interrupted => "interrupted",
            Self::BelowFloor => "below-floor",
            Self::HalfLoaded => "half-loaded",
            Self::Drift => "drift",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_tells_of_every_code_and_of_no_other() {
        let document = include_str!("../../docs/check.md");
        let told = document.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
        let told: Vec<&str> = told.collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(told, codes);
    }
}
