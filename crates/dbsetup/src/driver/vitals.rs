//! What a server says about a session's rights and its surroundings, for whoever looks for trouble.

/// What is known; `None` and nothing where an engine has no such notion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Who works: the role that what is made will belong to.
    pub role: Option<String>,
    /// Whether that role may make objects in the schema in which they are made.
    pub may_create_objects: Option<bool>,
    /// What grants it that right, to be run by the schema's owner.
    pub grant: Option<String>,
    /// Whether who connects may create databases.
    pub may_create_databases: Option<bool>,
    /// Whether the connection is encrypted.
    pub encrypted: Option<bool>,
    /// Indexes that no query uses, because building them failed or was interrupted, and is not going on.
    pub broken_indexes: Vec<BrokenIndex>,
}

/// An index that is there and not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenIndex {
    /// Its name, with its schema.
    pub name: String,
    /// The statement that mends or removes it.
    pub remedy: String,
}
