//! Provisional shape until the rules are merged.
use crate::driver::{Created, Dropped, Server, Sessions};
use crate::error::{Error, Kind, Result};
use crate::event::Teller;
use crate::repo::Repo;
use std::time::Duration;

fn later<T>() -> Result<T> {
    Err(Error::new(Kind::Unsupported, "not merged yet"))
}
/// Creates.
pub async fn create(_: &Repo, _: &dyn Server, _: &Teller<'_>) -> Result<Created> {
    later()
}
/// Drops.
pub async fn drop(_: &Repo, _: &dyn Server, _: Sessions, _: &Teller<'_>) -> Result<Dropped> {
    later()
}
/// Waits.
pub async fn wait(_: &Repo, _: &dyn Server, _: Duration, _: &Teller<'_>) -> Result<()> {
    later()
}
