//! x

pub mod sql;
