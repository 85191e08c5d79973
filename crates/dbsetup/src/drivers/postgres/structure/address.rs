//! What names an object inside one database: its catalog and its row.

use std::fmt;

/// An object identifier.
pub type Oid = u32;

/// The first identifier that is not the engine's own.
/// <https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT>
pub const FIRST_USER_OID: Oid = 16_384;

/// An object: the catalog that lists it, and its row there. Means nothing outside of one database, and so must
/// never decide about the order or the text of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The catalog's identifier, one of [`class`].
    pub class: Oid,
    /// The row's.
    pub oid: Oid,
}

impl Address {
    pub const fn new(class: Oid, oid: Oid) -> Self {
        Self { class, oid }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.class, self.oid)
    }
}

/// The identifiers of catalogs: assigned by hand in the server's sources, the same in every release.
pub mod class {
    use super::Oid;

    pub const TYPE: Oid = 1247;
    pub const FUNCTION: Oid = 1255;
    pub const RELATION: Oid = 1259;
    pub const FOREIGN_SERVER: Oid = 1417;
    pub const USER_MAPPING: Oid = 1418;
    pub const FOREIGN_DATA_WRAPPER: Oid = 2328;
    pub const ACCESS_METHOD: Oid = 2601;
    pub const AMOP: Oid = 2602;
    pub const AMPROC: Oid = 2603;
    pub const DEFAULT: Oid = 2604;
    pub const CAST: Oid = 2605;
    pub const CONSTRAINT: Oid = 2606;
    pub const CONVERSION: Oid = 2607;
    pub const LANGUAGE: Oid = 2612;
    pub const NAMESPACE: Oid = 2615;
    pub const OPERATOR_CLASS: Oid = 2616;
    pub const OPERATOR: Oid = 2617;
    pub const REWRITE: Oid = 2618;
    pub const TRIGGER: Oid = 2620;
    pub const OPERATOR_FAMILY: Oid = 2753;
    pub const EXTENSION: Oid = 3079;
    pub const POLICY: Oid = 3256;
    pub const STATISTICS: Oid = 3381;
    pub const COLLATION: Oid = 3456;
    pub const EVENT_TRIGGER: Oid = 3466;
    pub const TRANSFORM: Oid = 3576;
    pub const TS_DICTIONARY: Oid = 3600;
    pub const TS_PARSER: Oid = 3601;
    pub const TS_CONFIGURATION: Oid = 3602;
    pub const TS_TEMPLATE: Oid = 3764;
    pub const PUBLICATION: Oid = 6104;
    pub const PUBLICATION_RELATION: Oid = 6106;
    pub const SUBSCRIPTION: Oid = 6100;
    pub const PUBLICATION_NAMESPACE: Oid = 6237;
    pub const DEFAULT_ACL: Oid = 826;
    pub const ENUM: Oid = 3501;
    /// Its rows have no identifiers: the child's stands for the attachment of a partition or of its index.
    pub const INHERITS: Oid = 2611;
    /// Likewise: the table's stands for the block of what has to wait for its partitions.
    pub const PARTITIONED_TABLE: Oid = 3350;
    /// Likewise: the sequence's stands for its being owned by a column.
    pub const SEQUENCE: Oid = 2224;
}
