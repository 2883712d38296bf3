//! The job's server over real sockets: who may ask, what is answered, several instances, savepoints and stops.

mod api;
mod controls;
mod guard;
mod instances;
mod limits;
mod live;
mod login;
mod support;
