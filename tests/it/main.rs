//! The black-box tests: the real binary, real children, real sockets.

mod support;

mod fake;
