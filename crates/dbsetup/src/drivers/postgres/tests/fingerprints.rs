//! Catalog fingerprints.

mod regression;
