//! Catalog fingerprints: of PostgreSQL's own test databases, and of a database that is changed property by property.

mod changes;
mod regression;
mod scratches;
