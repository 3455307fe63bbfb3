//! The front seen from its sockets, with a gateway behind it that does what the test says.

mod client;
mod doors;
mod eras;
mod fake;
mod idle;
mod limits;
mod lives;
