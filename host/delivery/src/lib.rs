//! whisperer-delivery.
