//! whisperer-server.
