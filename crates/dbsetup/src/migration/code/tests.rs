//! The rules of code migrations against a database in memory.
