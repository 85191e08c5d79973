//! Applications that bring their database up when they start: many processes at once, processes that are killed, and
//! what is left of those that stop half way.

pub mod app;
mod connections;
mod crowds;
mod policies;
mod price;
mod recreation;
mod restoration;
mod traces;
mod trips;
