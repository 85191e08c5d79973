//! The program `pg_dump`: which one, and how it is run.

use super::super::error::own;
use super::super::url::Place;
use crate::driver::{DbError, DbErrorClass, DumpRequest};

pub(super) async fn run(_: &Place, _: u32, _: &DumpRequest) -> Result<String, DbError> {
    Err(own(DbErrorClass::Unsupported, "not yet"))
}
