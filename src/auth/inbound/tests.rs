//! Which credentials let somebody in, and for how long.
