//! The register of all that a dump writes. Whoever writes something asks whether it is on: always, but in the tests
//! that switch one off and prove that the dump does not get through without it.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Something that a dump writes: a kind of object, or a property of one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Feature {
            $($(#[$doc])* $name,)*
        }

        impl Feature {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What it is, in words.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

features! {
    // Keep each family's together, kinds of objects before their properties.
    Schema = "schema",
    Extension = "extension",

    Sequence = "sequence",
    SequenceOption = "option of a sequence",
    SequenceOwner = "owning column of a sequence",
    UnloggedSequence = "unlogged sequence",
    Table = "table",
    ForeignTable = "foreign table",
    ForeignTableOption = "option of a foreign table",
    ForeignColumnOption = "option of a foreign table's column",
    UnloggedTable = "unlogged table",
    TypedTable = "table of a type",
    Inheritance = "inheritance",
    PartitionKey = "partition key",
    Partition = "partition",
    TableMethod = "access method of a table",
    TableOption = "storage parameter of a table",
    ToastOption = "storage parameter of a TOAST table",
    RowSecurity = "row security",
    ForcedRowSecurity = "row security for the owner",
    ReplicaIdentity = "replica identity",
    ColumnCollation = "collation of a column",
    ColumnStorage = "storage of a column",
    ColumnCompression = "compression of a column",
    ColumnStatistics = "statistics target of a column",
    ColumnOption = "option of a column",
    Default = "default",
    NoDefault = "default that a child does not inherit",
    GeneratedColumn = "generated column",
    Identity = "identity column",
    NotNull = "not-null constraint",
    NotNullName = "name of a not-null constraint",
    NotNullNoInherit = "not-null constraint that children do not inherit",
    Nullable = "not-null constraint that a child does not inherit",
    Check = "check constraint",
    PrimaryKey = "primary key",
    Unique = "unique constraint",
    Exclusion = "exclusion constraint",
    ForeignKey = "foreign key",
    ConstraintOption = "storage parameter of a constraint's index",
    Index = "index",
    IndexPartition = "partition of an index",
    IndexStatistics = "statistics target of an index's column",
    Clustered = "index that a table is clustered on",

    Comment = "comment",
    ColumnComment = "comment on a column",
}
